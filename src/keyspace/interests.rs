//! Which keys somebody watches (WATCH) or waits for (a blocked command), per database.

use std::collections::HashMap;

use super::{AWAITED, DbIndex, Keyspace, WATCHED};

/// The interests in one database's keys. They belong to its number: SWAPDB swaps the data below them.
#[derive(Default)]
pub struct Interests {
    watched: HashMap<Box<[u8]>, Vec<u64>>,
    awaited: HashMap<Box<[u8]>, u32>,
}

impl Interests {
    /// The clients that watch a key.
    pub fn watchers(&self, key: &[u8]) -> Option<&[u64]> {
        self.watched.get(key).map(Vec::as_slice)
    }

    /// Whether a client is blocked on a key.
    pub fn is_awaited(&self, key: &[u8]) -> bool {
        self.awaited.contains_key(key)
    }

    /// The keys that are watched, with their watchers.
    pub fn all_watched(&self) -> impl Iterator<Item = (&[u8], &[u64])> {
        self.watched.iter().map(|(key, clients)| (&**key, clients.as_slice()))
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

    /// A client watches a key.
    pub fn watch(&mut self, db: DbIndex, key: &[u8], client: u64) {
        let clients = self.interests[db.at()].watched.entry(key.into()).or_default();
        if !clients.contains(&client) {
            clients.push(client);
        }
        self.set_hook(WATCHED, true);
    }

    /// A client watches a key no more.
    pub fn unwatch(&mut self, db: DbIndex, key: &[u8], client: u64) {
        let watched = &mut self.interests[db.at()].watched;
        if let Some(clients) = watched.get_mut(key) {
            clients.retain(|&c| c != client);
            if clients.is_empty() {
                watched.remove(key);
            }
        }
        let any = self.interests.iter().any(|i| !i.watched.is_empty());
        self.set_hook(WATCHED, any);
    }

    /// One more client waits for a key.
    pub fn await_key(&mut self, db: DbIndex, key: &[u8]) {
        *self.interests[db.at()].awaited.entry(key.into()).or_default() += 1;
        self.set_hook(AWAITED, true);
    }

    /// One client less waits for a key.
    pub fn stop_awaiting(&mut self, db: DbIndex, key: &[u8]) {
        let awaited = &mut self.interests[db.at()].awaited;
        if let Some(count) = awaited.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                awaited.remove(key);
            }
        }
        let any = self.interests.iter().any(|i| !i.awaited.is_empty());
        self.set_hook(AWAITED, any);
    }
}
