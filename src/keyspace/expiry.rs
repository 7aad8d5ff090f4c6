//! Expiry: lazy on access, and active from the deadline index.
//!
//! Every key with a deadline, or with a hash some of whose fields have one, is filed in its database's
//! wheel under 32 bits of its hash: 8 bytes a key. Its earliest [deadline](Deadlines), its own or a
//! field's, is the one that counts.
//! Invariant: **a key with a deadline has a filing at or before the earliest.** A later deadline needs no new
//! filing: the old one comes due, sees that the key lives on, and is filed again. An earlier deadline
//! adds a filing, and a removed key leaves its own behind; such ghosts find nothing when they come due.
//!
//! Ghosts are bounded: once filings outnumber such keys two to one, a sweep in slices drops those
//! without a key and all but one of a key that has several. For the latter it marks each key it has
//! seen (2 bits in the block, cleared with every change of the earliest deadline): a filing of a marked key that
//! is not at that key's deadline is a duplicate.
//!
//! Fields are removed in slices, see [`super::fields`]; a hash of which some are left is filed again as
//! overdue. A cycle takes a number of filings and fields at a time so that a million keys with one deadline never hold the
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
    /// Notes a removal at `now` of what was due at `deadline`.
    pub(super) fn record(&mut self, now: Millis, deadline: Millis) {
        let lag_ms = ticks(now.saturating_sub(deadline));
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

pub(super) fn ticks(deadline: Millis) -> u64 {
    u64::try_from(deadline.0).unwrap_or(0)
}

/// The deadlines of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// Its own.
    pub key: Option<Millis>,
    /// The earliest of the fields of its hash.
    pub fields: Option<Millis>,
}

impl Deadlines {
    /// Those of a key whose value has none.
    #[inline]
    pub fn of_key(key: Option<Millis>) -> Deadlines {
        Deadlines { key, fields: None }
    }

    /// When expiry first has to do something about the key.
    #[inline]
    pub fn earliest(self) -> Option<Millis> {
        match (self.key, self.fields) {
            (Some(key), Some(fields)) => Some(key.min(fields)),
            (key, fields) => key.or(fields),
        }
    }
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

    /// Removes a key that lookups pass over because its deadline has passed.
    #[cold]
    pub(super) fn remove_hidden(&mut self, db: DbIndex, hash: u64, key: &[u8]) {
        if let Some(position) = self.databases[db.at()].table.find(hash, key) {
            self.expire(db, hash, position);
        }
    }

    /// Removes a key if its deadline has passed; if not, it is filed again as one of this server's own.
    pub(super) fn expire_named(&mut self, db: DbIndex, key: &[u8]) {
        let hash = self.hasher.hash(key);
        let Some(position) = self.databases[db.at()].table.find(hash, key) else { return };
        match self.entry_at(db, position).deadline() {
            Some(deadline) if deadline <= self.now => self.expire(db, hash, position),
            deadline => self.note_own(db, key, deadline),
        }
    }

    /// Removes a key because its deadline has passed.
    fn expire(&mut self, db: DbIndex, hash: u64, position: Position) {
        let entry = self.take_entry(db, hash, position);
        let deadline = entry.get().deadline().expect("only a volatile key expires");
        self.expiry_stats.record(self.now, deadline);
        self.stats.expired += 1;
        let key = entry.get().key();
        self.effects.propagate(db, &[b"DEL", key]);
        self.changed(db, key, Event::new(EventClass::Expired, "expired"), 0);
        self.dispose(entry);
    }

    /// Removes keys that are due, looking at no more than `budget` filings; gives whether some may be left.
    pub fn expire_due(&mut self, mut budget: usize) -> bool {
        match self.expiry {
            Expiry::Remove => {}
            Expiry::Hide => return self.expire_own(budget),
            Expiry::Ignore => return false,
        }
        let now = self.now;
        for at in 0..self.databases.len() {
            if self.databases[at].next_deadline().is_none_or(|deadline| deadline > now) {
                continue;
            }
            let db = DbIndex(u32::try_from(at).expect("few databases"));
            let mut wheel = std::mem::replace(&mut self.databases[at].wheel, Wheel::new(0));
            wheel.advance(ticks(now), &mut budget, |prefix, _, budget| self.come_due(db, prefix, budget).map(ticks));
            self.databases[at].wheel = wheel;
        }
        self.expiry_stats.behind = budget == 0;
        budget == 0
    }

    /// A filing came due: removes the keys and fields that are, as far as the budget goes, and gives the
    /// earliest deadline of what is left.
    fn come_due(&mut self, db: DbIndex, prefix: u32, budget: &mut usize) -> Option<Millis> {
        loop {
            let (earliest, position) = self.earliest_filed(db, prefix)?;
            if earliest > self.now {
                return Some(earliest);
            }
            let entry = self.entry_at(db, position);
            let (deadlines, hash) = (entry.deadlines(), self.hasher.hash(entry.key()));
            if deadlines.key.is_some_and(|deadline| deadline <= self.now) {
                self.expire(db, hash, position);
                continue;
            }
            if *budget == 0 {
                return Some(earliest);
            }
            let removed = self.expire_fields(db, hash, position, *budget);
            *budget = budget.saturating_sub(removed);
        }
    }

    /// The key with the earliest deadline among those of one prefix.
    fn earliest_filed(&self, db: DbIndex, prefix: u32) -> Option<(Millis, Position)> {
        let table = &self.databases[db.at()].table;
        let deadline_of = |raw| {
            // SAFETY: the searches borrow the table.
            #[allow(unsafe_code)]
            let entry = unsafe { EntryRef::new(raw) };
            entry.deadlines().earliest()
        };
        let mut earliest = None::<Millis>;
        let single = table.find_by_prefix(prefix, |raw| {
            if let Some(deadline) = deadline_of(raw) {
                earliest = Some(earliest.map_or(deadline, |e| e.min(deadline)));
            }
            false
        });
        debug_assert!(single.is_none(), "the search went through");
        let earliest = earliest?;
        Some((earliest, table.find_by_prefix(prefix, |raw| deadline_of(raw) == Some(earliest))?))
    }

    /// Sweeps ghosts out of the deadline indexes where they have become many, `budget` filings at most.
    pub fn sweep_filings(&mut self, budget: usize) {
        for database in &mut self.databases {
            let wanted = (database.volatile + database.expiring_hashes) * 2 + crate::limits::SPARE_FILINGS;
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
        self.note_own(db, key, deadline);
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
        let fields = database.field_deadline(position);
        database.refile(hash, Deadlines { key: old, fields }, Deadlines { key: deadline, fields });
        true
    }
}

impl Database {
    /// Keeps counts and index right after the deadlines of a key went from `old` to `new`.
    #[inline]
    pub(super) fn refile(&mut self, hash: u64, old: Deadlines, new: Deadlines) {
        if old == new {
            return;
        }
        self.volatile = self.volatile + usize::from(new.key.is_some()) - usize::from(old.key.is_some());
        self.expiring_hashes = self.expiring_hashes + usize::from(new.fields.is_some()) - usize::from(old.fields.is_some());
        if let Some(deadline) = new.earliest()
            && old.earliest().is_none_or(|old| deadline < old)
        {
            self.file(hash, deadline);
        }
    }

    /// The earliest deadline of the fields of the hash at `position`.
    fn field_deadline(&self, position: Position) -> Option<Millis> {
        // SAFETY: the position is fresh, and the reference is gone with this call.
        #[allow(unsafe_code)]
        let entry = unsafe { EntryRef::new(self.table.raw(position)) };
        entry.field_deadline()
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
                let Some(deadline) = entry.get().deadlines().earliest().map(ticks) else { return false };
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
