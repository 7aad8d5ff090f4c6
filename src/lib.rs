//! Ruddle: a Redis-compatible in-memory data server. One reactor, one thread, no locks.
//!
//! The layers, each of which uses only those above it here: the reading order from the ground up. (`docs/ARCHITECTURE.md`
//! lists them from the top and tells what holds them together.)
//!
//! | module | what it is |
//! |---|---|
//! | [`limits`] | every bound, asserted against each other |
//! | [`base`] | clock, chance, numbers as text, glob, checksums, the allocator |
//! | [`ds`] | pure containers: the segmented table, trees, packed blocks, the timer wheel |
//! | [`types`] | values: encodings and operations |
//! | [`resp`] | the wire protocol |
//! | [`config`] | directives |
//! | [`keyspace`] | databases, the write door, expiry, eviction |
//! | [`persist`] | snapshots and the append-only file, behind the storage seam |
//! | [`repl`] | replication: the stream, the primary's and the replica's side |
//! | [`script`] | the Lua interpreter and the cache of scripts |
//! | [`server`] | sessions, dispatch, blocking: everything without a socket |
//! | [`command`] | the commands, a file a family |
//! | [`net`] | the reactor |

#![warn(unreachable_pub)]

pub mod base;
pub mod command;
pub mod config;
pub mod ds;
pub mod keyspace;
pub mod limits;
pub mod net;
pub mod persist;
pub mod repl;
pub mod resp;
pub mod script;
pub mod server;
pub mod types;
