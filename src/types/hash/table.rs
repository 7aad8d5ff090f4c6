//! A large hash: a table of field blocks, and an ordered index of the deadlines of those that expire.
//!
//! The index holds a deadline and the 64-bit hash of its field, and exactly the fields that have a
//! deadline: so the earliest one and their number cost nothing, and what is due is found without a walk.
//! Two fields of one hash and one deadline share an entry, which is why an entry goes only when no field
//! answers to it any more. The road not taken is a timer wheel for each hash: its levels cost kilobytes.
#![allow(unsafe_code)]

use std::collections::BTreeSet;

use super::field::{Field, FieldRef};
use super::{FieldTtl, is_there};
use crate::base::clock::Millis;
use crate::base::random::Random;
use crate::ds::table::{KeyHasher, Part, Position, Table};

/// Bytes that a node of the index takes for each entry, on average.
const INDEX_BYTES: usize = 24;

/// The fields of a large hash.
pub struct FieldTable {
    table: Table<Field>,
    deadlines: BTreeSet<(Millis, u64)>,
}

impl FieldTable {
    /// No fields.
    pub fn new(hasher: KeyHasher) -> Self {
        FieldTable { table: Table::new(hasher), deadlines: BTreeSet::new() }
    }

    /// Asks the processor for a part of the way to what has that hash.
    #[inline]
    pub(in crate::types) fn prefetch(&self, hash: u64, part: Part) {
        self.table.prefetch(hash, part);
    }

    /// Number of fields, expired ones included.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Deadlines in the index.
    pub fn expiring(&self) -> usize {
        self.deadlines.len()
    }

    /// The earliest deadline of a field.
    pub fn earliest(&self) -> Option<Millis> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    /// Fields whose deadline is not after `horizon`.
    pub fn due(&self, horizon: Millis) -> usize {
        self.deadlines.iter().take_while(|&&(deadline, _)| deadline <= horizon).count()
    }

    fn at(&self, position: Position) -> FieldRef<'_> {
        // SAFETY: the position is fresh, and the reference borrows the table.
        unsafe { FieldRef::new(self.table.raw(position)) }
    }

    /// The block of a field.
    #[inline]
    pub fn find(&self, field: &[u8]) -> Option<FieldRef<'_>> {
        let hash = self.table.hasher().hash(field);
        Some(self.at(self.table.find(hash, field)?))
    }

    /// Sets a field; gives whether it was not there.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8], ttl: FieldTtl, horizon: Millis) -> bool {
        let hash = self.table.hasher().hash(field);
        let Some(position) = self.table.find(hash, field) else {
            let deadline = ttl.of_new();
            self.table.insert(hash, Field::new(field, value, deadline));
            self.deadlines.extend(deadline.map(|deadline| (deadline, hash)));
            return true;
        };
        let old = self.at(position).deadline();
        let there = is_there(old, horizon);
        let deadline = if there { ttl.of_old(old) } else { ttl.of_new() };
        // SAFETY: the position is fresh, and the block only used here.
        let overwritten = unsafe { Field::borrow_mut(self.table.raw(position)) }.try_overwrite(value, deadline);
        if !overwritten {
            self.table.replace(position, Field::new(field, value, deadline));
        }
        self.refile(hash, old, deadline);
        !there
    }

    /// Sets or clears the deadline of a field, which is there.
    pub fn set_deadline(&mut self, field: &[u8], deadline: Option<Millis>) {
        let hash = self.table.hasher().hash(field);
        let position = self.table.find(hash, field).expect("the caller has found the field");
        let old = self.at(position);
        let (old_deadline, value) = (old.deadline(), old.value());
        // SAFETY: the position is fresh, and the block only used here.
        let changed = unsafe { Field::borrow_mut(self.table.raw(position)) }.try_set_deadline(deadline);
        if !changed {
            let rebuilt = Field::new(field, value, deadline);
            self.table.replace(position, rebuilt);
        }
        self.refile(hash, old_deadline, deadline);
    }

    /// Removes a field if it is there.
    pub fn remove(&mut self, field: &[u8], horizon: Millis) -> bool {
        let hash = self.table.hasher().hash(field);
        let Some(position) = self.table.find(hash, field) else { return false };
        let deadline = self.at(position).deadline();
        let there = is_there(deadline, horizon);
        if there {
            self.table.remove(hash, position);
            self.refile(hash, deadline, None);
        }
        there
    }

    /// Keeps the index right after a deadline went from `old` to `new`.
    #[inline]
    fn refile(&mut self, hash: u64, old: Option<Millis>, new: Option<Millis>) {
        if old == new {
            return;
        }
        if let Some(old) = old
            && self.filed_under(old, hash).is_none()
        {
            self.deadlines.remove(&(old, hash));
        }
        self.deadlines.extend(new.map(|deadline| (deadline, hash)));
    }

    /// A field of that hash and deadline.
    fn filed_under(&self, deadline: Millis, hash: u64) -> Option<Position> {
        let hasher = self.table.hasher();
        self.table.find_by_prefix((hash >> 32) as u32, |raw| {
            // SAFETY: the search borrows the table.
            let field = unsafe { FieldRef::new(raw) };
            field.deadline() == Some(deadline) && hasher.hash(field.field()) == hash
        })
    }

    /// Removes up to `most` fields whose deadline is not after `horizon`, the earliest first.
    pub fn expire(&mut self, horizon: Millis, most: usize, mut removed: impl FnMut(&[u8], Millis)) -> usize {
        let mut count = 0;
        while count < most {
            let Some(&(deadline, hash)) = self.deadlines.first() else { break };
            if deadline > horizon {
                break;
            }
            match self.filed_under(deadline, hash) {
                Some(position) => {
                    removed(self.table.remove(hash, position).get().field(), deadline);
                    count += 1;
                }
                None => {
                    self.deadlines.pop_first();
                }
            }
        }
        // an entry goes when no field answers to it, and the last one removed may have been the last
        if let Some(&(deadline, hash)) = self.deadlines.first()
            && self.filed_under(deadline, hash).is_none()
        {
            self.deadlines.pop_first();
        }
        count
    }

    /// A field drawn with equal chance, expired ones included.
    pub fn random(&self, random: &mut Random) -> Option<FieldRef<'_>> {
        let raw = self.table.random(|n| random.index(n))?;
        // SAFETY: the reference borrows the table.
        Some(unsafe { FieldRef::new(raw) })
    }

    /// One step of a scan; gives the next cursor, 0 at the end.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(FieldRef<'_>)) -> u64 {
        // SAFETY: the scan borrows the table.
        self.table.scan(cursor, |raw| visit(unsafe { FieldRef::new(raw) }))
    }

    /// All fields, expired ones included.
    pub fn iter(&self) -> FieldIter<'_> {
        FieldIter(self.table.iter())
    }

    /// Bytes in use; those of the blocks are reckoned from the first `samples`, or from all if that is 0.
    pub fn allocated(&self, samples: usize) -> usize {
        let samples = if samples == 0 { self.len() } else { samples.min(self.len()) };
        let sampled: usize = self.iter().take(samples).map(FieldRef::allocated).sum();
        let blocks = sampled.checked_div(samples).map_or(0, |_| (sampled as f64 / samples as f64 * self.len() as f64) as usize);
        size_of::<Self>() + self.table.bytes() + blocks + self.deadlines.len() * INDEX_BYTES
    }
}

/// The blocks of a [`FieldTable`].
#[derive(Clone)]
pub struct FieldIter<'a>(crate::ds::table::Iter<'a, Field>);

impl<'a> Iterator for FieldIter<'a> {
    type Item = FieldRef<'a>;
    fn next(&mut self) -> Option<FieldRef<'a>> {
        // SAFETY: the iterator borrows the table.
        self.0.next().map(|raw| unsafe { FieldRef::new(raw) })
    }
}

impl Clone for FieldTable {
    fn clone(&self) -> Self {
        let hasher = self.table.hasher();
        let mut table = Table::new(hasher);
        for field in self.iter() {
            table.insert(hasher.hash(field.field()), Field::new(field.field(), field.value(), field.deadline()));
        }
        FieldTable { table, deadlines: self.deadlines.clone() }
    }
}
