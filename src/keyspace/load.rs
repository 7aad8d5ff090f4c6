//! Keys that come from a file: they go in without an event, a watcher or a count of changes. Data may also be
//! loaded [aside](Keyspace::sibling) and then [take the place](Keyspace::exchange) of what is there.

use super::effects::Waste;
use super::entry::Entry;
use super::{Database, DbIndex, Keyspace};
use crate::base::random::Random;

impl Keyspace {
    /// So many keys will come from a file.
    pub fn expect_load(&mut self, db: DbIndex, keys: usize) {
        let table = &mut self.databases[db.at()].table;
        table.expect(table.len().saturating_add(keys));
    }

    /// No more keys will come from a file.
    pub fn end_load(&mut self) {
        for database in &mut self.databases {
            database.table.expect(0);
        }
    }

    /// Asks the processor for what leads to where a key from a file will go. Gives its hash.
    #[inline]
    pub fn prepare_load(&self, db: DbIndex, key: &[u8]) -> u64 {
        let hash = self.hasher.hash(key);
        self.databases[db.at()].table.prefetch_word(hash);
        hash
    }

    /// Asks the processor for where a prepared key will go.
    #[inline]
    pub fn prefetch_load(&self, db: DbIndex, hash: u64) {
        self.databases[db.at()].table.prefetch_place(hash);
    }

    /// Whether there is a key of that name, hidden or not.
    pub fn has(&self, db: DbIndex, hash: u64, key: &[u8]) -> bool {
        self.databases[db.at()].table.find(hash, key).is_some()
    }

    /// Adds a key from a file, of a name that there is [none](Keyspace::has) of.
    pub fn load(&mut self, db: DbIndex, hash: u64, entry: Entry) {
        self.add_entry(db, hash, entry);
    }

    /// Removes a key to make room for one from a file.
    pub fn unload(&mut self, db: DbIndex, key: &[u8]) {
        let hash = self.hasher.hash(key);
        if let Some(position) = self.databases[db.at()].table.find(hash, key) {
            let entry = self.take_entry(db, hash, position);
            self.dispose(entry);
        }
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
        self.flush_all();
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
