//! The log of what was refused to whom, which ACL LOG shows, newest first.
//!
//! Whoever tries passwords tries many: attempts that are alike (same user, same reason, same object, same context) within
//! [`ALIKE_MS`] of each other are one entry that counts, so that they do not push others out. Only the [`ALIKE_AMONG`]
//! newest entries are compared, so that a long log costs no more than a short one.

use std::collections::VecDeque;

/// Milliseconds within which attempts that are alike are one entry.
const ALIKE_MS: i64 = 60_000;
/// Entries that an attempt is compared with.
const ALIKE_AMONG: usize = 10;

/// Why something was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The command is not allowed.
    Command,
    /// A key is not allowed.
    Key,
    /// A channel is not allowed.
    Channel,
    /// The login failed.
    Auth,
}

impl Reason {
    /// The word that ACL LOG shows.
    pub fn word(self) -> &'static str {
        match self {
            Reason::Command => "command",
            Reason::Key => "key",
            Reason::Channel => "channel",
            Reason::Auth => "auth",
        }
    }
}

/// Where it was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// To a client's own command.
    TopLevel,
    /// Within MULTI, or by EXEC.
    Multi,
    /// To a script's command.
    Script,
}

impl Context {
    /// The word that ACL LOG shows.
    pub fn word(self) -> &'static str {
        match self {
            Context::TopLevel => "toplevel",
            Context::Multi => "multi",
            Context::Script => "lua",
        }
    }
}

/// Attempts that were alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub id: u64,
    /// How many there were.
    pub count: u64,
    /// Why it was refused.
    pub reason: Reason,
    /// Where.
    pub context: Context,
    /// What was refused: the command, the key, the channel, or the command by which the login failed, as it was typed.
    pub object: Box<[u8]>,
    /// To whom.
    pub user: Box<[u8]>,
    /// The client of the last attempt, as in CLIENT LIST.
    pub client: Box<[u8]>,
    /// Unix milliseconds of the first attempt.
    pub created_ms: i64,
    /// And of the last.
    pub updated_ms: i64,
}

/// How often something was refused. CONFIG RESETSTAT leaves these as they are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Refused {
    /// Logins.
    pub logins: u64,
    /// Commands that the user may not run.
    pub commands: u64,
    /// Commands because of a key.
    pub keys: u64,
    /// Commands because of a channel.
    pub channels: u64,
}

/// The log.
#[derive(Default)]
pub struct AccessLog {
    /// What was refused since the server started, in the log or not.
    pub refused: Refused,
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl AccessLog {
    /// Entries, newest first.
    pub fn entries(&self) -> &VecDeque<Entry> {
        &self.entries
    }

    /// Forgets all entries. Their numbers go on.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Keeps the newest entries only.
    pub fn limit(&mut self, max_len: usize) {
        self.entries.truncate(max_len);
    }

    /// Notes an attempt; the fields that the log itself keeps are of no account.
    pub fn note(&mut self, attempt: Entry, max_len: usize) {
        let alike = |entry: &Entry| {
            entry.reason == attempt.reason
                && entry.context == attempt.context
                && entry.object == attempt.object
                && entry.user == attempt.user
                && attempt.updated_ms.saturating_sub(entry.updated_ms) <= ALIKE_MS
        };
        let entry = match self.entries.iter().take(ALIKE_AMONG).position(alike).and_then(|at| self.entries.remove(at)) {
            Some(known) => Entry { count: known.count + 1, client: attempt.client, updated_ms: attempt.updated_ms, ..known },
            None => {
                let id = self.next_id;
                self.next_id += 1;
                Entry { id, count: 1, created_ms: attempt.updated_ms, ..attempt }
            }
        };
        self.entries.push_front(entry);
        self.limit(max_len);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(user: &str, at_ms: i64) -> Entry {
        Entry {
            id: 0,
            count: 0,
            reason: Reason::Auth,
            context: Context::TopLevel,
            object: b"AUTH".as_slice().into(),
            user: user.as_bytes().into(),
            client: b"id=1".as_slice().into(),
            created_ms: 0,
            updated_ms: at_ms,
        }
    }

    #[test]
    fn attempts_that_are_alike_are_one_entry_for_a_minute() {
        let mut log = AccessLog::default();
        for (user, at_ms) in [("a", 0), ("b", 10), ("a", 60_000), ("a", 120_001)] {
            log.note(attempt(user, at_ms), 128);
        }
        let shown: Vec<_> = log.entries().iter().map(|e| (e.id, e.count, &*e.user, e.created_ms, e.updated_ms)).collect();
        let expected: [(u64, u64, &[u8], i64, i64); 3] = [(2, 1, b"a", 120_001, 120_001), (0, 2, b"a", 0, 60_000), (1, 1, b"b", 10, 10)];
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_oldest_entries_go() {
        let mut log = AccessLog::default();
        for user in ["a", "b", "c"] {
            log.note(attempt(user, 0), 2);
        }
        assert_eq!(log.entries().iter().map(|e| e.id).collect::<Vec<_>>(), [2, 1]);
        log.clear();
        log.note(attempt("a", 0), 2);
        assert_eq!(log.entries()[0].id, 3);
        log.note(attempt("b", 0), 0);
        assert!(log.entries().is_empty());
    }
}
