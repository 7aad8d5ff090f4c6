//! MULTI's queue and WATCH's keys.
//!
//! ```text
//! plain ──MULTI──▶ queueing ──EXEC──▶ each command by `dispatch::call`, then plain
//!                    │  ▲ │
//!                    │  └─┘ a command is queued, or refused: DIRTY_EXEC, and EXEC will fail
//!                    └──DISCARD, RESET, connection closed──▶ plain
//! ```
//!
//! A watched key that changes sets DIRTY_CAS on its watchers: the write door names them in
//! `Effects::doomed`, and the server marks them right after the command. A watched key that expires
//! without being looked at is found by EXEC itself.

use super::State;
use super::client::{ClientFlags, ClientKey};
use super::registry::CommandId;
use super::row::Flags;
use crate::keyspace::{DbIndex, Keyspace};
use crate::resp::request::OwnedRequest;

/// The commands that a client has queued since MULTI.
#[derive(Default)]
pub struct Transaction {
    /// Each command with its arguments.
    pub queue: Vec<(CommandId, OwnedRequest)>,
    /// What any of the commands does: EXEC stands for all of them at the gates.
    pub flags: Flags,
    /// Whether some command is not for a replica that has lost its primary.
    pub wants_fresh_data: bool,
    bytes: usize,
    /// How far EXEC is, if one of the commands is a script that was left.
    pub under_way: Option<UnderWay>,
}

/// A transaction in the midst of its EXEC.
pub struct UnderWay {
    /// The command to go on with.
    pub at: usize,
    /// The replies so far.
    pub replies: Vec<u8>,
    /// When EXEC began, by the stopwatch.
    pub started: u64,
}

impl Transaction {
    /// Queues a command.
    pub fn push(&mut self, command: CommandId, flags: Flags, request: OwnedRequest) {
        self.bytes += request.bytes() + size_of::<(CommandId, OwnedRequest)>();
        self.flags = self.flags.or(flags);
        self.wants_fresh_data |= !flags.any(Flags::STALE);
        self.queue.push((command, request));
    }

    /// Memory of the queue.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl State {
    /// A client watches a key; once more changes nothing.
    pub fn watch(&mut self, space: &mut Keyspace, key: ClientKey, db: DbIndex, name: &[u8]) {
        if space.watch(db, name, key.0 as u64) {
            self.clients[key].watched.push((db, name.into()));
        }
    }

    /// A client watches nothing more.
    pub fn unwatch(&mut self, space: &mut Keyspace, key: ClientKey) {
        for (db, name) in std::mem::take(&mut self.clients[key].watched) {
            space.unwatch(db, &name, key.0 as u64);
        }
    }

    /// Whether a key that a client watches has expired since, and nobody has noticed yet.
    pub fn watches_expired(&self, space: &Keyspace, key: ClientKey) -> bool {
        self.clients[key].watched.iter().any(|(db, name)| space.has_expired_since_watched(*db, name, key.0 as u64))
    }

    /// Forgets a client's queue and watched keys: it is out of its transaction.
    pub fn discard(&mut self, space: &mut Keyspace, key: ClientKey) {
        self.unwatch(space, key);
        let client = &mut self.clients[key];
        client.transaction = None;
        client.flags.set(ClientFlags::MULTI.or(ClientFlags::DIRTY_CAS).or(ClientFlags::DIRTY_EXEC), false);
    }
}
