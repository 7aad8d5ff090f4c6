//! Expiry: lazy on access, and active from the deadline index.
//!
//! Every key with a deadline is filed in its database's wheel under 32 bits of its hash: 8 bytes a key.
//! Invariant: **a volatile key has a filing at or before its deadline.** A later deadline needs no new
//! filing: the old one comes due, sees that the key lives on, and is filed again. An earlier deadline
//! adds a filing, and a removed key leaves its own behind; such ghosts find nothing when they come due.
//!
//! Ghosts are bounded: once filings outnumber volatile keys two to one, a sweep in slices drops those
//! without a key and all but one of a key that has several. For the latter it marks each key it has
//! seen (2 bits in the block, cleared with every change of the deadline): a filing of a marked key that
//! is not at that key's deadline is a duplicate.
//!
//! A cycle takes a number of filings at a time so that a million keys with one deadline never hold the
//! loop; the next turn goes on at once. The road not taken is Redis's: sampling the volatile keys at
//! random, which finds few of the due ones when most are not.

use super::effects::{Event, EventClass};
use super::entry::{Entry, EntryRef};
use super::{Database, DbIndex, Keyspace};
use crate::base::clock::Millis;
use crate::ds::table::Position;
use crate::ds::wheel::{Verdict, Wheel};

/// What is done about a key whose deadline has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It is removed, and its removal propagated: this server is a primary.
    Remove,
    /// It is hidden, but stays until the primary removes it: this server is a replica.
    Hide,
    /// It is as good as any: the primary's own commands, and loading.
    Ignore,
}

/// How late keys were removed after their deadlines.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExpiryStats {
    /// Bucket `i` counts lags below 2^i ms, the last all others.
    lags: [u64; 32],
    /// The largest lag, in ms.
    pub max_ms: u64,
    /// Whether the last cycle left due keys to the next.
    pub behind: bool,
}

impl ExpiryStats {
    fn record(&mut self, lag_ms: u64) {
        let bucket = (u64::BITS - lag_ms.leading_zeros()) as usize;
        self.lags[bucket.min(31)] += 1;
        self.max_ms = self.max_ms.max(lag_ms);
    }

    /// The lag in ms that `share` of all removals stayed within (an upper bound, to the next power of two).
    pub fn percentile(&self, share: f64) -> u64 {
        let total: u64 = self.lags.iter().sum();
        let rank = (total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, &count) in self.lags.iter().enumerate() {
            seen += count;
            if seen >= rank && seen > 0 {
                return ((1u64 << bucket) - 1).min(self.max_ms);
            }
        }
        0
    }
}

fn ticks(deadline: Millis) -> u64 {
    u64::try_from(deadline.0).unwrap_or(0)
}

impl Database {
    /// Files a deadline.
    pub(super) fn file(&mut self, hash: u64, deadline: Millis) {
        self.wheel.insert(ticks(deadline), (hash >> 32) as u32);
    }

    /// The earliest time when expiry has something to do.
    pub fn next_deadline(&self) -> Option<Millis> {
        let tick = self.wheel.next_deadline()?;
        Some(Millis(i64::try_from(tick).unwrap_or(i64::MAX)))
    }
}

impl Keyspace {
    /// A lookup met a key whose deadline has passed.
    #[cold]
    pub(super) fn find_expired(&mut self, db: DbIndex, hash: u64, position: Position) -> Option<Position> {
        match self.expiry {
            Expiry::Remove if self.standstill => None,
            Expiry::Remove => {
                self.expire(db, hash, position);
                None
            }
            Expiry::Hide => None,
            Expiry::Ignore => Some(position),
        }
    }

    /// Removes a key because its deadline has passed.
    fn expire(&mut self, db: DbIndex, hash: u64, position: Position) {
        let entry = self.take_entry(db, hash, position);
        let deadline = entry.get().deadline().expect("only a volatile key expires");
        self.expiry_stats.record(ticks(self.now.saturating_sub(deadline)));
        self.stats.expired += 1;
        let key = entry.get().key();
        self.effects.propagate(db, &[b"DEL", key]);
        self.changed(db, key, Event::new(EventClass::Expired, "expired"), 0);
        self.dispose(entry);
    }

    /// Removes keys that are due, looking at no more than `budget` filings; gives whether some may be left.
    pub fn expire_due(&mut self, mut budget: usize) -> bool {
        if self.expiry != Expiry::Remove {
            return false;
        }
        let now = self.now;
        for at in 0..self.databases.len() {
            if self.databases[at].next_deadline().is_none_or(|deadline| deadline > now) {
                continue;
            }
            let db = DbIndex(u32::try_from(at).expect("few databases"));
            let mut wheel = std::mem::replace(&mut self.databases[at].wheel, Wheel::new(0));
            wheel.advance(ticks(now), &mut budget, |prefix, _| self.come_due(db, prefix).map(ticks));
            self.databases[at].wheel = wheel;
        }
        self.expiry_stats.behind = budget == 0;
        budget == 0
    }

    /// A filing came due: removes the keys that are, and gives the earliest deadline of those that are not.
    fn come_due(&mut self, db: DbIndex, prefix: u32) -> Option<Millis> {
        loop {
            let (mut later, now) = (None::<Millis>, self.now);
            let due = self.databases[db.at()].table.find_by_prefix(prefix, |raw| {
                // SAFETY: the search borrows the table.
                #[allow(unsafe_code)]
                let deadline = unsafe { EntryRef::new(raw) }.deadline();
                match deadline {
                    Some(deadline) if deadline <= now => true,
                    Some(deadline) => {
                        later = Some(later.map_or(deadline, |l| l.min(deadline)));
                        false
                    }
                    None => false,
                }
            });
            let Some(position) = due else { return later };
            let hash = self.hasher.hash(self.entry_at(db, position).key());
            self.expire(db, hash, position);
        }
    }

    /// Sweeps ghosts out of the deadline indexes where they have become many, `budget` filings at most.
    pub fn sweep_filings(&mut self, budget: usize) {
        for database in &mut self.databases {
            let wanted = database.volatile * 2 + crate::limits::SPARE_FILINGS;
            if database.sweep == 0 && database.wheel.len() > wanted {
                database.last_mark = database.last_mark % 3 + 1;
                database.sweep = database.last_mark;
            }
            if database.sweep != 0 && database.sweep_step(budget) {
                database.sweep = 0;
            }
        }
    }

    /// Sets or clears the deadline of a live key. Gives whether there is such a key.
    pub(super) fn set_entry_deadline(&mut self, db: DbIndex, key: &[u8], hash: u64, deadline: Option<Millis>) -> bool {
        let Some(position) = self.find(db, key, hash) else { return false };
        self.touch(db, position);
        let database = &mut self.databases[db.at()];
        let raw = database.table.raw(position);
        // SAFETY: the position is fresh and the block only used here.
        #[allow(unsafe_code)]
        let mut entry = unsafe { Entry::borrow_mut(raw) };
        let old = entry.get().deadline();
        if !entry.try_set_deadline(deadline) {
            // SAFETY: the table is told at once of the block that takes the place of this one.
            #[allow(unsafe_code)]
            let owned = unsafe { <Entry as crate::ds::table::Block>::from_raw(raw) };
            let rebuilt = owned.rebuild(None, deadline);
            database.table.moved(position, crate::ds::table::Block::into_raw(rebuilt));
        }
        database.refile(hash, old, deadline);
        true
    }
}

impl Database {
    /// Keeps count and index right after a deadline went from `old` to `new`.
    pub(super) fn refile(&mut self, hash: u64, old: Option<Millis>, new: Option<Millis>) {
        match (old, new) {
            (None, Some(deadline)) => {
                self.volatile += 1;
                self.file(hash, deadline);
            }
            (Some(old), Some(new)) if new < old => self.file(hash, new),
            (Some(_), None) => self.volatile -= 1,
            _ => {}
        }
    }

    /// One slice of a sweep; `true` at its end.
    fn sweep_step(&mut self, budget: usize) -> bool {
        let (table, mark) = (&self.table, self.sweep);
        self.wheel.retain_step(budget, |prefix, filed| {
            let (mut verdict, mut known) = (Verdict::Drop, false);
            table.find_by_prefix(prefix, |raw| {
                // SAFETY: the search borrows the table; a mark is not part of the key.
                #[allow(unsafe_code)]
                let entry = unsafe { Entry::borrow_mut(raw) };
                let Some(deadline) = entry.get().deadline().map(ticks) else { return false };
                if entry.get().mark() == mark {
                    known |= deadline == filed;
                    return false;
                }
                entry.set_mark(mark);
                verdict = if deadline == filed { Verdict::Keep } else { Verdict::Refile(deadline) };
                true
            });
            if known { Verdict::Keep } else { verdict }
        })
    }
}
