//! Whole keys on the move: RENAME, MOVE, COPY's target, SWAPDB, FLUSHDB.

use super::effects::{Event, Waste};
use super::entry::Entry;
use super::{Database, Db, DbIndex, Keyspace};

impl Db<'_> {
    /// Renames a live key over whatever `to` is; the deadline goes along.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> bool {
        let Some(entry) = self.detach(from) else { return false };
        if let Some(old) = self.detach(to) {
            self.space.dispose(old);
        }
        let deadline = entry.get().deadline();
        let renamed = entry.rebuild(Some(to), deadline);
        self.attach(renamed);
        self.space.changed(self.index, from, Event::generic("rename_from"), 1);
        self.space.changed(self.index, to, Event::generic("rename_to"), 0);
        true
    }

    /// Moves a live key to another database, where it must not exist.
    pub fn move_to(&mut self, key: &[u8], target: DbIndex) -> bool {
        let source = self.index;
        let Some(entry) = self.detach(key) else { return false };
        self.space.db(target).attach(entry);
        self.space.changed(source, key, Event::generic("move_from"), 1);
        self.space.changed(target, key, Event::generic("move_to"), 0);
        true
    }

    /// Copies a live key, deadline included, to a key of any database, over whatever that is.
    pub fn copy(&mut self, from: &[u8], target: DbIndex, to: &[u8]) -> bool {
        let heat = self.space.heat.fresh();
        let Some(source) = self.peek(from) else { return false };
        let copy = Entry::copy(source, to, source.deadline(), heat);
        self.space.db(target).supplant(copy, Event::generic("copy_to"));
        true
    }

    /// Puts a key's block in place of whatever has its name.
    pub fn supplant(&mut self, entry: Entry, event: Event) {
        if let Some(old) = self.detach(entry.get().key()) {
            self.space.dispose(old);
        }
        self.adopt(entry, event);
    }

    /// Adds a key that is not there, with the event that made it.
    pub fn adopt(&mut self, entry: Entry, event: Event) {
        let key = entry.get().key().to_vec();
        self.attach(entry);
        self.space.changed(self.index, &key, event, 1);
    }
}

impl Keyspace {
    /// Swaps the data of two databases. Who waits for a key of theirs is served, who watches one is doomed.
    pub fn swap(&mut self, a: DbIndex, b: DbIndex) {
        self.dirty += 1;
        if a == b {
            return;
        }
        self.doom_all_watchers(a, Some(b));
        self.doom_all_watchers(b, Some(a));
        self.databases.swap(a.at(), b.at());
        for db in [a, b] {
            self.wake_all(db);
        }
        self.invalidate_all();
    }

    /// Any key may have changed, for client-side caches.
    fn invalidate_all(&mut self) {
        if self.hooks & super::TRACKED != 0 && !matches!(self.effects.invalidated.last(), Some(None)) {
            self.effects.invalidated.push(None);
        }
    }

    /// Lets everybody look who waits for a key of a database.
    fn wake_all(&mut self, db: DbIndex) {
        let mut keys: Vec<Box<[u8]>> = self.interests[db.at()].all_awaited().map(Box::from).collect();
        // the order must not depend on the process's random state
        keys.sort_unstable();
        self.effects.ready.extend(keys.into_iter().map(|key| (db, key)));
    }

    /// Empties all databases.
    pub fn flush_all(&mut self) {
        for db in 0..self.databases.len() {
            self.flush(DbIndex(u32::try_from(db).expect("it was a u32")));
        }
    }

    /// Empties a database; the blocks are freed elsewhere. Gives the number of keys.
    pub fn flush(&mut self, db: DbIndex) -> u64 {
        self.doom_all_watchers(db, None);
        let old = std::mem::replace(&mut self.databases[db.at()], Database::new(self.hasher));
        let keys = old.table.len() as u64;
        self.wake_all(db);
        if keys > 0 {
            self.effects.discard(Waste::Keys(old.table));
        }
        self.invalidate_all();
        self.dirty += keys;
        keys
    }
}
