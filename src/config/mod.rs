//! The configuration: what an operator may choose, as typed fields, and every text form of it.
//!
//! - [`directives`]: the one table, a row a directive, and the [`Config`] that it generates;
//!   [`absent`]: the directives of abilities that this server does not have.
//! - [`shape`], [`values`], [`words`]: how a value is written, what it becomes, and the closed
//!   vocabularies.
//! - [`parse`]: file, standard input and command line into a [`Startup`].
//! - [`access`]: CONFIG GET and CONFIG SET; [`rewrite`]: CONFIG REWRITE.
//! - [`manual`]: `--help` and the table of the manual, from the same rows.
//!
//! The server reads fields (`config.maxmemory.bytes`, `config.appendfsync`), never text. Nothing
//! here acts: a changed `port` is a changed number, and whoever owns the socket is told that it
//! changed and may refuse it. Deliberately absent: any input or output but reading files through
//! [`parse::Files`]; a global configuration; callbacks that run when a value changes.

pub mod absent;
pub mod access;
pub mod directives;
pub mod manual;
pub mod parse;
pub mod rewrite;
pub mod shape;
pub mod values;
pub mod words;

pub use access::{Applied, Caller, SetError};
pub use directives::{Config, UserLine};
pub use parse::{Disk, Files, Startup, start};
pub use values::{ClientClass, ClientMemory, KeyspaceEvents, MaxMemory, OutputLimit, OutputLimits, SavePoint};
pub use words::{
    AppendFsync, ChannelsDefault, DisklessLoad, Guard, LogLevel, MaxmemoryPolicy, OomScoreAdj, PropagationFailure, RdbVersionCheck,
    ShutdownActions, Supervised, SyslogFacility,
};
