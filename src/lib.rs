//! Ruddle: a Redis-compatible in-memory data server. One reactor, one thread, no locks.
//!
//! The layers, each of which uses only those below it, in reading order from the ground:
//!
//! | module | what it is |
//! |---|---|
//! | [`limits`] | every bound |
//! | [`base`] | clock, chance, numbers as text, glob, checksums, the allocator |
//! | [`ds`] | pure containers: the segmented table, trees, packed blocks, the timer wheel |
//! | [`types`] | values: encodings and operations |
//! | [`resp`] | the wire protocol |
//! | [`config`] | directives |
//! | [`keyspace`] | databases, the write door, expiry |
//! | [`server`] | sessions, dispatch, blocking: everything without a socket |
//! | [`command`] | the commands, a file a family |
//! | [`net`] | the reactor |

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
