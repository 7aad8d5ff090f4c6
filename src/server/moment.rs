//! What the server is doing right now, for whoever looks when it has crashed, and in what role, for the lines of the log.
//!
//! A few numbers that any thread may read at any time, a signal handler included; nothing else of the server can be
//! looked at then, as a crash may come in the midst of a change. Those of the command
//! are written once a command, which costs two stores. The road not taken is to reach for the server through a pointer, as Redis does: it shows more, and may
//! crash once more instead of showing anything.

use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering};

use super::registry::CommandId;

static COMMAND: AtomicU16 = AtomicU16::new(CommandId::NONE.0);
static CLIENT: AtomicU64 = AtomicU64::new(0);
static FOLLOWS: AtomicBool = AtomicBool::new(false);

/// A client runs a command from now on.
#[inline]
pub fn enter(command: CommandId, client: u64) {
    COMMAND.store(command.0, Ordering::Relaxed);
    CLIENT.store(client, Ordering::Relaxed);
}

/// The command that runs or ran last, and the id of its client; `None` before the first.
pub fn last() -> Option<(CommandId, u64)> {
    let command = CommandId(COMMAND.load(Ordering::Relaxed));
    (command != CommandId::NONE).then(|| (command, CLIENT.load(Ordering::Relaxed)))
}

/// The server follows a primary from now on, or leads.
pub(super) fn set_follows(follows: bool) {
    FOLLOWS.store(follows, Ordering::Relaxed);
}

/// Whether the server follows a primary.
pub fn follows() -> bool {
    FOLLOWS.load(Ordering::Relaxed)
}
