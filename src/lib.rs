//! Ruddle.
pub mod limits;
pub mod base;
pub mod ds;
pub mod types;
pub mod resp;
pub mod keyspace;
