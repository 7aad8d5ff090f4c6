//! What outlives the process: snapshots, and the files they are kept in.
//!
//! - [`aof`]: the append-only file;
//! - [`place`]: where in the history that replicas follow the data of a file stands;
//! - [`storage`]: the seam that every file operation goes through;
//! - [`rdb`]: the snapshot format, whole files and single values;
//! - [`child`]: the one fork, which writes a snapshot while the server goes on;
//! - [`snapshot`]: when snapshots are made and what became of the last one.
//!
//! Nothing here knows a client or a command. What is to be told to either is data that the server picks up.

pub mod aof;
pub mod child;
pub mod place;
pub mod rdb;
pub mod snapshot;
pub mod storage;
