//! Expiry of hash fields.
//!
//! A field is as dead as its deadline says at once: values are looked at with a
//! [horizon](super::Db::horizon). Removing it is done here, in slices: by the cycle of [`super::expiry`]
//! when the hash's filing comes due, and by a lookup that meets a hash with expired fields, so that a
//! handler hardly ever sees one. A lookup stops after a few; a hash whose fields expire by the million
//! must not hold the loop. Each removed field is propagated as HDEL, as in Redis, and the key goes with
//! its last field.

use super::effects::Event;
use super::entry::{Entry, EntryRef};
use super::expiry::Expiry;
use super::{DbIndex, Keyspace};
use crate::ds::table::Position;
use crate::limits;
use crate::types::Stored;
use crate::types::hash::Hash;

impl Keyspace {
    /// A lookup met a hash that has fields with deadlines.
    #[cold]
    pub(super) fn find_expiring(&mut self, db: DbIndex, hash: u64, position: Position) -> Option<Position> {
        let due = self.entry_at(db, position).field_deadline().is_some_and(|deadline| deadline <= self.now);
        if !due || self.expiry != Expiry::Remove || self.standstill {
            return Some(position);
        }
        let keys = self.databases[db.at()].table.len();
        self.expire_fields(db, hash, position, limits::LAZY_FIELDS);
        let key_is_left = self.databases[db.at()].table.len() == keys;
        key_is_left.then_some(position)
    }

    /// Removes up to `most` expired fields of the hash at `position`, and the key if none is left. Gives
    /// how many were removed.
    #[allow(unsafe_code)]
    pub(super) fn expire_fields(&mut self, db: DbIndex, hash: u64, position: Position, most: usize) -> usize {
        let raw = self.databases[db.at()].table.raw(position);
        // SAFETY: the block lives until it is taken out below, after its last use.
        let entry = unsafe { EntryRef::new(raw) };
        let key = entry.key();
        // SAFETY: the value is put back at once.
        let mut value = unsafe { Entry::borrow_mut(raw).take::<Hash>() };
        let filed = value.earliest_deadline();
        let (now, effects, lags) = (self.now, &mut self.effects, &mut self.expiry_stats);
        let removed = value.expire(now, most, |field, deadline| {
            effects.propagate(db, &[b"HDEL", key, field]);
            lags.record(now, deadline);
        });
        self.stats.expired_fields += removed as u64;
        let emptied = value.is_empty();
        self.put_back(db, hash, position, value, filed);
        if removed > 0 {
            self.changed(db, key, Event::hash("hexpired"), 0);
        }
        if emptied {
            self.notify(db, Event::generic("del"), key);
            let entry = self.take_entry(db, hash, position);
            self.dispose(entry);
        }
        removed
    }
}
