//! Black-box tests: commands in, replies out, in RESP2 and RESP3, without sockets.
//!
//! A test is a list of lines: a request as one would type it, and the reply in the one-line form of
//! `ruddle::resp::reader::Reply`. With `RUDDLE_ORACLE=host:port` in the environment every line also runs
//! on a real server (which is flushed first!), so expectations are proven rather than believed.

mod acl;
mod aof;
mod bitmap;
mod blocking;
mod busy;
mod client;
mod command;
mod config;
mod connection;
mod debugger;
mod events;
mod eviction;
mod expire;
mod full_sync;
mod function;
mod geo;
mod harness;
mod hash;
mod help;
mod history;
mod hyperloglog;
mod info;
mod keys;
mod list;
mod migrate;
mod observe;
mod persistence;
mod pubsub;
mod readme;
mod replication;
mod script_libraries;
mod scripting;
mod server;
mod set;
mod sort;
mod stream;
mod string;
mod tracking;
mod transaction;
mod user_rules;
mod users;
mod zset;
