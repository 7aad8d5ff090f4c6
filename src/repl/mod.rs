//! Replication without sockets, clients or data: what a primary and a replica know and say.
//!
//! [`stream`] is the one history: its names, its length, and the last part of it in shared blocks.
//! [`replica`] is the link to a primary, a state machine that is fed bytes and asks for a socket through
//! data. [`primary`] is what is known of each replica, and who of them has acknowledged how much. The
//! server ties them to its sessions; nothing here knows a session, a key or the real clock.

pub mod primary;
pub mod replica;
pub mod stream;
