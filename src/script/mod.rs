//! Lua scripts and functions: their texts, the interpreters that run them, and what values turn into on the way.
//!
//! Nothing here knows the server. A script's commands go to a [`Host`], which the server's side of the matter
//! (`command::scripting`) is for the time of one turn; replies come back in wire form and become Lua values. So the
//! interpreter can be part of the server's state.
//!
//! ```text
//! EVAL ──▶ Scripts::by_body ──┐                         redis.call ──▶ Lane::ask
//! FCALL ─▶ Libraries::function┴▶ Interpreter::start ─▶ Run::advance ◀────┘  (another stack)
//!                                                         │    ▲
//!             reply ◀── give::write ◀── it has ended ◀────┤    └── raw::Taker ◀── reply in wire form
//!   the same request again, next turn ◀── too long: left ─┘                            ▲
//!                                                         └▶ Host::call ──▶ dispatch ──┘
//! ```
//!
//! A script is compiled once and found by its text: hashing the text for SHA-1, as EVALSHA wants it, happens
//! when a text is new. An interpreter is made with the first script or library.
//!
//! The interpreter's limits are its own (a C stack of 200 calls, a Lua stack of 20,000, [`limits::SCRIPT_MEMORY`]); beyond
//! them a script fails with an error. A script that takes long is left alone for a turn ([`lane`]), so that others
//! hear why they must wait and can end it.
//!
//! [`limits::SCRIPT_MEMORY`]: crate::limits::SCRIPT_MEMORY

mod arguments;
mod bits;
mod cache;
mod debugger;
mod failure;
mod give;
mod header;
mod inspect;
mod interpreter;
mod json;
mod lane;
mod library;
mod messagepack;
mod natives;
mod raw;
mod structs;

pub use cache::{Scripts, Sha};
pub use header::{Header, ScriptFlags};
pub use interpreter::{Answered, Callable, Called, Failure, Host, Interpreter, Output, Run, Verdict, World};
pub use lane::Replication;
pub use library::{Libraries, Library, Registration, Restore};
