//! Ruddle.
pub mod base;
pub mod command;
pub mod config;
pub mod ds;
pub mod keyspace;
pub mod limits;
pub mod net;
pub mod resp;
pub mod server;
pub mod types;
