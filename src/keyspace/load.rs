//! Keys that come from a file: they go in without an event, a watcher or a count of changes. Data may also be
//! loaded [aside](Keyspace::sibling) and then [take the place](Keyspace::exchange) of what is there.

use super::effects::Waste;
use super::entry::Entry;
use super::{Database, DbIndex, Keyspace};
use crate::base::random::Random;

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

    /// So many keys will come. What a file says is only believed as far as it costs nothing.
    pub fn expect(&mut self, db: DbIndex, keys: u64) {
        let _ = (db, keys);
    }

    /// Empty databases that data can be loaded into aside, by the same rules and with the same hash.
    pub fn sibling(&mut self) -> Keyspace {
        let random = Random::from_seed(self.random.next_u64());
        let mut other = Keyspace::new(u32::try_from(self.databases.len()).expect("it was a u32"), random);
        other.hasher = self.hasher;
        for database in &mut other.databases {
            *database = Database::new(self.hasher);
        }
        (other.now, other.heat, other.expiry) = (self.now, self.heat, self.expiry);
        other
    }

    /// Takes the data of a sibling in place of its own, which is handed to the disposal: a flush of all databases and
    /// what it brings to those who look at them.
    pub fn exchange(&mut self, mut other: Keyspace) {
        for db in 0..self.databases.len() {
            self.flush(DbIndex(u32::try_from(db).expect("it was a u32")));
        }
        self.databases = std::mem::take(&mut other.databases);
        self.effects.garbage.append(&mut other.effects.garbage);
    }

    /// Gives up what was loaded aside.
    pub fn discard_sibling(&mut self, mut other: Keyspace) {
        for database in std::mem::take(&mut other.databases) {
            if !database.is_empty() {
                self.effects.discard(Waste::Keys(database.table));
            }
        }
    }
}
