//! Keys that come from a file: they go in without an event, a watcher or a count of changes.

use super::entry::Entry;
use super::{DbIndex, Keyspace};

impl Keyspace {
    /// Adds a key from a file. `false` if the key is there already: then nothing has changed.
    pub fn load(&mut self, db: DbIndex, entry: Entry) -> bool {
        let key = entry.get().key();
        let hash = self.hasher.hash(key);
        if self.databases[db.at()].table.find(hash, key).is_some() {
            return false;
        }
        self.add_entry(db, hash, entry);
        true
    }

    /// Removes a key to make room for one from a file.
    pub fn unload(&mut self, db: DbIndex, key: &[u8]) {
        let hash = self.hasher.hash(key);
        if let Some(position) = self.databases[db.at()].table.find(hash, key) {
            let entry = self.take_entry(db, hash, position);
            self.dispose(entry);
        }
    }
}
