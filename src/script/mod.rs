//! Lua scripts: the cache of their texts, the interpreter that runs them, and what values turn into on the way.
//!
//! Nothing here knows the server. A script's commands go to a [`Host`], which the server's side of the matter
//! (`command::scripting`) is for the time of one run; replies come back in wire form and become Lua values. So the
//! interpreter can be part of the server's state.
//!
//! ```text
//! EVAL ──▶ Scripts::by_body ──▶ Interpreter::run ──▶ redis.call ──▶ Host::call ──▶ dispatch
//!                                     │                  ▲               │
//!            reply ◀── give::write ◀──┘                  └─ take::value ◀┘ reply in wire form
//! ```
//!
//! A script is compiled once and found by its text: hashing the text for SHA-1, as EVALSHA wants it, happens
//! when a text is new. The interpreter is made with the first script.
//!
//! The interpreter's limits are its own (a C stack of 200 calls, a Lua stack of 20,000, [`limits::SCRIPT_MEMORY`]); beyond
//! them a script fails with an error. What has no limit is time: while a script runs, nobody else is served.
//!
//! [`limits::SCRIPT_MEMORY`]: crate::limits::SCRIPT_MEMORY

mod bits;
mod cache;
mod failure;
mod give;
mod header;
mod interpreter;
mod json;
mod natives;
mod take;

pub use cache::{Found, Scripts, Sha};
pub use header::{Header, ScriptFlags};
pub use interpreter::{Failure, Host, Interpreter, Output, Replication};
