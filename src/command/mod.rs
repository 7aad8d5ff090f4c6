//! The commands: a file a family, each with its rows and their handlers and nothing else. What several families
//! read alike is in [`deadline`] and [`scanning`].
//!
//! A handler parses all its arguments, then reads, then writes through the door, then replies. To add a
//! command, add a row and its handler to the family's file; lookup, arity, COMMAND, access control,
//! propagation and the tests' workload follow from the row.

pub mod acl;
pub mod bitmap;
pub mod client;
pub mod cluster;
pub mod connection;
mod deadline;
#[cfg(test)]
mod effects_tests;
pub mod function;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod keys;
pub mod list;
pub mod manual;
pub mod migrate;
pub mod persistence;
pub mod pubsub;
pub mod replication;
mod scanning;
pub mod scripting;
pub mod server;
pub mod set;
pub mod sort;
pub mod stream;
pub mod string;
pub mod tracking;
pub mod transaction;
pub mod zset;

use crate::server::registry::Registry;
use crate::server::row::Command;

/// Every family's rows.
pub const FAMILIES: &[&[Command]] = &[
    acl::COMMANDS,
    bitmap::COMMANDS,
    client::COMMANDS,
    cluster::COMMANDS,
    connection::COMMANDS,
    function::COMMANDS,
    geo::COMMANDS,
    hash::COMMANDS,
    hyperloglog::COMMANDS,
    keys::COMMANDS,
    list::COMMANDS,
    migrate::COMMANDS,
    persistence::COMMANDS,
    pubsub::COMMANDS,
    replication::COMMANDS,
    scripting::COMMANDS,
    server::COMMANDS,
    server::aof::COMMANDS,
    server::command::COMMANDS,
    server::config::COMMANDS,
    server::debug::COMMANDS,
    server::hotkeys::COMMANDS,
    server::info::COMMANDS,
    server::latency::COMMANDS,
    server::memory::COMMANDS,
    server::module::COMMANDS,
    server::slowlog::COMMANDS,
    server::top::COMMANDS,
    sort::COMMANDS,
    set::COMMANDS,
    string::COMMANDS,
    stream::COMMANDS,
    transaction::COMMANDS,
    zset::COMMANDS,
];

/// The registry of all commands.
pub fn registry() -> Registry {
    Registry::new(FAMILIES)
}
