//! Which keys somebody watches (WATCH) or waits for (a blocked command), per database.

use std::collections::HashMap;

use super::expiry::Expiry;
use super::{AWAITED, DbIndex, Keyspace, WATCHED};
use crate::types::Type;

/// Whether a key is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Absent,
    Alive,
    /// It is stored still, but its deadline has passed.
    Expired,
}

/// Who watches a key.
struct Watcher {
    /// The watcher's word for itself.
    token: u64,
    /// Whether the key had expired already and was merely not removed yet: its removal is no change.
    expired: bool,
}

/// The interests in one database's keys. They belong to its number: SWAPDB swaps the data below them.
#[derive(Default)]
pub struct Interests {
    watched: HashMap<Box<[u8]>, Vec<Watcher>>,
    awaited: HashMap<Box<[u8]>, Waiters>,
}

/// How many clients wait for a key.
#[derive(Default)]
struct Waiters {
    all: u32,
    /// Those of them whom its loss serves, too.
    wanting_loss: u32,
}

impl Interests {
    /// Whether a client is blocked on a key.
    pub fn is_awaited(&self, key: &[u8]) -> bool {
        self.awaited.contains_key(key)
    }

    /// Whether the loss of a key serves a client that is blocked on it.
    pub fn is_loss_awaited(&self, key: &[u8]) -> bool {
        self.awaited.get(key).is_some_and(|waiters| waiters.wanting_loss > 0)
    }

    /// How many keys there are whose loss serves a client.
    pub fn losses_awaited(&self) -> usize {
        self.awaited.values().filter(|waiters| waiters.wanting_loss > 0).count()
    }

    /// The keys that clients are blocked on.
    pub fn all_awaited(&self) -> impl Iterator<Item = &[u8]> {
        self.awaited.keys().map(|key| &**key)
    }
}

impl Keyspace {
    /// What is awaited and watched in a database.
    pub fn interests(&self, db: DbIndex) -> &Interests {
        &self.interests[db.at()]
    }

    /// What is awaited and watched in each database.
    pub fn all_interests(&self) -> impl Iterator<Item = &Interests> {
        self.interests.iter()
    }

    /// A client watches a key; `token` is its word for itself. Gives whether it did not watch it yet.
    pub fn watch(&mut self, db: DbIndex, key: &[u8], token: u64) -> bool {
        let expired = self.presence(db, key) == Presence::Expired;
        let watchers = self.interests[db.at()].watched.entry(key.into()).or_default();
        if watchers.iter().any(|watcher| watcher.token == token) {
            return false;
        }
        watchers.push(Watcher { token, expired });
        self.set_hook(WATCHED, true);
        true
    }

    /// A client watches a key no more.
    pub fn unwatch(&mut self, db: DbIndex, key: &[u8], token: u64) {
        let watched = &mut self.interests[db.at()].watched;
        if let Some(watchers) = watched.get_mut(key) {
            watchers.retain(|watcher| watcher.token != token);
            if watchers.is_empty() {
                watched.remove(key);
            }
        }
        let any = self.interests.iter().any(|i| !i.watched.is_empty());
        self.set_hook(WATCHED, any);
    }

    /// Whether a key has expired since a client watches it, and is still there.
    pub fn has_expired_since_watched(&self, db: DbIndex, key: &[u8], token: u64) -> bool {
        let watchers = self.interests[db.at()].watched.get(key).into_iter().flatten();
        let alive_then = watchers.filter(|watcher| watcher.token == token).any(|watcher| !watcher.expired);
        alive_then && self.presence(db, key) == Presence::Expired
    }

    /// A key has changed: its watchers are doomed, those alone excepted for whom it had expired before and
    /// is now removed.
    pub(super) fn doom_watchers(&mut self, db: DbIndex, key: &[u8]) {
        let gone = self.presence(db, key) == Presence::Absent;
        let Some(watchers) = self.interests[db.at()].watched.get_mut(key) else { return };
        for watcher in watchers {
            if watcher.expired && gone {
                watcher.expired = false;
            } else {
                self.effects.doomed.push(watcher.token);
            }
        }
    }

    /// All keys of a database are about to go, and those of another to take their place if one is named:
    /// dooms the watchers of keys that are there before or after.
    pub(super) fn doom_all_watchers(&mut self, db: DbIndex, replacement: Option<DbIndex>) {
        let mut watched = std::mem::take(&mut self.interests[db.at()].watched);
        for (key, watchers) in &mut watched {
            let before = self.presence(db, key);
            let after = replacement.map_or(Presence::Absent, |other| self.presence(other, key));
            for watcher in watchers {
                match (before, after) {
                    (Presence::Absent, Presence::Absent) => {}
                    (_, Presence::Absent) if watcher.expired => watcher.expired = false,
                    (_, Presence::Expired) if watcher.expired => {}
                    (Presence::Absent, Presence::Expired) => watcher.expired = true,
                    _ => self.effects.doomed.push(watcher.token),
                }
            }
        }
        self.interests[db.at()].watched = watched;
    }

    /// Whether a key is there, looked at without consequences.
    fn presence(&self, db: DbIndex, key: &[u8]) -> Presence {
        let Some(position) = self.databases[db.at()].table.find(self.hasher.hash(key), key) else { return Presence::Absent };
        match self.entry_at(db, position).deadline() {
            Some(deadline) if deadline <= self.now && self.expiry != Expiry::Ignore => Presence::Expired,
            _ => Presence::Alive,
        }
    }

    /// Lets who waits for a key look at it again, though its contents have not changed.
    pub fn wake(&mut self, db: DbIndex, key: &[u8]) {
        if self.interests[db.at()].is_awaited(key) {
            self.effects.ready.push((db, key.into()));
        }
    }

    /// Queues a key that has changed for who waits for it, if it may serve one of them. What holds nothing to wait for, or
    /// nothing at all, keeps no place among the keys that turn ready later.
    pub(super) fn offer(&mut self, db: DbIndex, key: &[u8]) {
        let Some(waiters) = self.interests[db.at()].awaited.get(key) else { return };
        if waiters.wanting_loss > 0 || self.holds_what_is_waited_for(db, key) {
            self.effects.ready.push((db, key.into()));
        }
    }

    fn holds_what_is_waited_for(&self, db: DbIndex, key: &[u8]) -> bool {
        let Some(position) = self.databases[db.at()].table.find(self.hasher.hash(key), key) else { return false };
        matches!(self.entry_at(db, position).kind().type_of(), Type::List | Type::Zset | Type::Stream)
    }

    /// One more client waits for a key; its loss may serve it, too.
    pub fn await_key(&mut self, db: DbIndex, key: &[u8], wants_loss: bool) {
        let waiters = self.interests[db.at()].awaited.entry(key.into()).or_default();
        waiters.all += 1;
        waiters.wanting_loss += u32::from(wants_loss);
        self.set_hook(AWAITED, true);
    }

    /// One client less waits for a key.
    pub fn stop_awaiting(&mut self, db: DbIndex, key: &[u8], wanted_loss: bool) {
        let awaited = &mut self.interests[db.at()].awaited;
        if let Some(waiters) = awaited.get_mut(key) {
            waiters.all -= 1;
            waiters.wanting_loss -= u32::from(wanted_loss);
            if waiters.all == 0 {
                awaited.remove(key);
            }
        }
        let any = self.interests.iter().any(|i| !i.awaited.is_empty());
        self.set_hook(AWAITED, any);
    }
}
