//! Eviction: which key goes when memory is short.
//!
//! Under an LRU or LFU policy a few keys are sampled, and the coldest that any sample has shown wait in a
//! small pool, coldest last; the last goes. A pool makes five samples do the work of twenty: what was
//! nearly the coldest last time is likely to be it now. A key that was used since it got into the pool is
//! found out before it goes, as its heat is looked at again.
//!
//! Samples are whole buckets of the table: one cache line names up to seven keys, each as likely as any.
//! Where few keys are volatile, a `volatile-` policy finds too few that way, and takes the next filings of
//! the deadline index instead, round and round: they name nothing but volatile keys.
//!
//! `volatile-ttl` does not sample. The deadline index is ordered, so the key that expires first is in its
//! first slots: exact if these hold no more than a window of filings, and within one slot of it (a
//! 256th of the time left) where they are crowded.
//!
//! Who decides that memory is short, and for how long to go on, is the server.

use super::effects::{Event, EventClass};
use super::entry::EntryRef;
use super::expiry::ticks;
use super::heat::HeatPolicy;
use super::{Database, DbIndex, Keyspace};
use crate::base::clock::Millis;
use crate::base::memory;
use crate::config::MaxmemoryPolicy;
use crate::ds::table::Position;
use crate::ds::wheel::Verdict;
use crate::limits;

/// How to choose, and what is known of the coldest keys.
#[derive(Default)]
pub struct Eviction {
    policy: MaxmemoryPolicy,
    /// `maxmemory-samples`
    samples: usize,
    /// Whether evicted keys are propagated as UNLINK rather than DEL.
    unlink: bool,
    /// The coldest keys seen, coldest last.
    pool: Vec<Candidate>,
    /// The database that is next to lose a key under a random policy.
    next_db: usize,
}

/// A key that may go.
struct Candidate {
    /// How cold it was: seconds since the last access, or how far its counter is from the highest.
    cold: u32,
    db: DbIndex,
    hash: u64,
    key: Box<[u8]>,
}

impl Eviction {
    /// Obeys the configuration.
    pub fn configure(&mut self, policy: MaxmemoryPolicy, samples: u32, unlink: bool) {
        if policy != self.policy {
            self.pool.clear();
        }
        self.policy = policy;
        self.samples = samples as usize;
        self.unlink = unlink;
    }

    /// Whether only keys with a deadline may go.
    fn volatile_only(&self) -> bool {
        use MaxmemoryPolicy::{VolatileLfu, VolatileLru, VolatileRandom, VolatileTtl};
        matches!(self.policy, VolatileLru | VolatileLfu | VolatileRandom | VolatileTtl)
    }

    /// Puts a key into the pool, unless that is full of colder ones.
    fn offer(&mut self, cold: u32, db: DbIndex, hash: impl FnOnce(&[u8]) -> u64, key: &[u8]) {
        if self.pool.len() == limits::EVICTION_POOL && self.pool[0].cold >= cold {
            return;
        }
        if self.pool.iter().any(|candidate| candidate.db == db && *candidate.key == *key) {
            return;
        }
        if self.pool.len() == limits::EVICTION_POOL {
            self.pool.remove(0);
        }
        let at = self.pool.partition_point(|candidate| candidate.cold < cold);
        self.pool.insert(at, Candidate { cold, db, hash: hash(key), key: key.into() });
    }
}

/// How cold a key is under an LRU or LFU policy.
fn coldness(heat: HeatPolicy, entry: EntryRef<'_>) -> u32 {
    if heat.counts { 255 - heat.frequency(entry.heat()) } else { heat.idle_seconds(entry.heat()) }
}

impl Keyspace {
    /// Removes the key that the policy chooses; `None` if there is none. Gives the bytes of its block and value;
    /// what its removal leaves in the queues is not set against them, or every eviction would ask for more.
    pub fn evict_one(&mut self) -> Option<usize> {
        use MaxmemoryPolicy::{AllkeysLfu, AllkeysLru, AllkeysRandom, NoEviction, VolatileLfu, VolatileLru, VolatileRandom, VolatileTtl};
        let chosen = match self.eviction.policy {
            NoEviction => None,
            AllkeysLru | AllkeysLfu | VolatileLru | VolatileLfu => self.coldest(),
            AllkeysRandom | VolatileRandom => self.any(),
            VolatileTtl => self.first_to_expire(),
        };
        let (db, hash, position) = chosen?;
        Some(self.evict(db, hash, position))
    }

    fn evict(&mut self, db: DbIndex, hash: u64, position: Position) -> usize {
        let entry = self.take_entry(db, hash, position);
        self.stats.evicted += 1;
        let key = entry.get().key();
        let removal: &[u8] = if self.eviction.unlink { b"UNLINK" } else { b"DEL" };
        self.changed(db, key, Event::new(EventClass::Evicted, "evicted"), 0);
        self.effects.propagate(db, &[removal, key]);
        let before = memory::used().saturating_sub(self.effects.leaving());
        self.dispose(entry);
        before.saturating_sub(memory::used().saturating_sub(self.effects.leaving()))
    }

    /// Databases that have keys to lose.
    fn evictable(&self) -> Vec<DbIndex> {
        let volatile = self.eviction.volatile_only();
        let wanted = |(at, database): (usize, &Database)| {
            let keys = if volatile { database.volatile() } else { database.len() };
            (keys > 0).then(|| DbIndex(u32::try_from(at).expect("few databases")))
        };
        self.databases.iter().enumerate().filter_map(wanted).collect()
    }

    /// The coldest key that is known, after a look at some more.
    fn coldest(&mut self) -> Option<(DbIndex, u64, Position)> {
        let dbs = self.evictable();
        if dbs.is_empty() {
            return None;
        }
        for _ in 0..limits::EVICTION_TRIES {
            for &db in &dbs {
                self.sample(db);
            }
            while let Some(Candidate { cold, db, hash, key }) = self.eviction.pool.pop() {
                let Some(position) = self.databases[db.at()].table.find(hash, &key) else { continue };
                let entry = self.entry_at(db, position);
                let may_go = entry.deadline().is_some() || !self.eviction.volatile_only();
                // one that was used meanwhile has to prove anew that it is cold
                if may_go && coldness(self.heat, entry) >= cold {
                    return Some((db, hash, position));
                }
            }
        }
        self.any()
    }

    /// Offers some keys of a database to the pool.
    fn sample(&mut self, db: DbIndex) {
        let Keyspace { databases, random, eviction, heat, hasher, .. } = self;
        let database = &mut databases[db.at()];
        let (volatile, samples) = (eviction.volatile_only(), eviction.samples);
        let mut offer = |entry: EntryRef<'_>| {
            eviction.offer(coldness(*heat, entry), db, |key| hasher.hash(key), entry.key());
        };
        if volatile && database.has_few_volatile() {
            database.next_filed(samples, offer);
            return;
        }
        let (mut seen, mut buckets) = (0, 0);
        while seen < samples && buckets < samples + limits::EVICTION_PROBES {
            buckets += 1;
            database.table.sample(
                |n| random.index(n),
                |raw| {
                    // SAFETY: nothing changes the table or its blocks while it is visited.
                    #[allow(unsafe_code)]
                    let entry = unsafe { EntryRef::new(raw) };
                    if !volatile || entry.deadline().is_some() {
                        seen += 1;
                        offer(entry);
                    }
                },
            );
        }
    }

    /// A key by chance, of each database in turn.
    fn any(&mut self) -> Option<(DbIndex, u64, Position)> {
        let dbs = self.evictable();
        let from = self.eviction.next_db;
        let db = *dbs.iter().find(|db| db.at() >= from).or(dbs.first())?;
        self.eviction.next_db = db.at() + 1;
        let volatile = self.eviction.volatile_only();
        let Keyspace { databases, random, .. } = &mut *self;
        let database = &mut databases[db.at()];
        let mut key: Option<Box<[u8]>> = None;
        for _ in 0..limits::EVICTION_PROBES {
            if volatile && database.has_few_volatile() {
                database.next_filed(1, |entry| key = Some(entry.key().into()));
            } else if let Some(raw) = database.table.random(|n| random.index(n)) {
                // SAFETY: nothing changes between the draw and the copy of the key.
                #[allow(unsafe_code)]
                let entry = unsafe { EntryRef::new(raw) };
                key = (!volatile || entry.deadline().is_some()).then(|| entry.key().into());
            }
            if key.is_some() {
                break;
            }
        }
        if key.is_none() && volatile {
            database.next_filed(1, |entry| key = Some(entry.key().into()));
        }
        let key = key?;
        let hash = self.hasher.hash(&key);
        let position = self.databases[db.at()].table.find(hash, &key)?;
        Some((db, hash, position))
    }

    /// The key that expires first.
    fn first_to_expire(&mut self) -> Option<(DbIndex, u64, Position)> {
        let mut first: Option<(Millis, DbIndex, Box<[u8]>)> = None;
        for db in self.evictable() {
            let found = self.first_in(db);
            if let Some((deadline, key)) = found
                && first.as_ref().is_none_or(|(earliest, ..)| deadline < *earliest)
            {
                first = Some((deadline, db, key));
            }
        }
        let Some((_, db, key)) = first else { return self.any() };
        let hash = self.hasher.hash(&key);
        let position = self.databases[db.at()].table.find(hash, &key)?;
        Some((db, hash, position))
    }

    /// The key of a database that expires first, and when.
    fn first_in(&mut self, db: DbIndex) -> Option<(Millis, Box<[u8]>)> {
        let mut first: Option<(Millis, Box<[u8]>)> = None;
        // ghosts and deadlines that were put off hide what is behind them, but each only once
        for _ in 0..limits::EVICTION_PROBES {
            let (mut soonest, mut moved) = (u64::MAX, false);
            let database = &mut self.databases[db.at()];
            let table = &database.table;
            database.wheel.judge_soonest(limits::EVICTION_WINDOW, |prefix, filed| {
                let mut earliest: Option<Millis> = None;
                table.find_by_prefix(prefix, |raw| {
                    // SAFETY: the search borrows the table.
                    #[allow(unsafe_code)]
                    let entry = unsafe { EntryRef::new(raw) };
                    if let Some(deadline) = entry.deadlines().earliest() {
                        earliest = Some(earliest.map_or(deadline, |earliest| earliest.min(deadline)));
                    }
                    if let Some(deadline) = entry.deadline()
                        && first.as_ref().is_none_or(|(earliest, _)| deadline < *earliest)
                    {
                        first = Some((deadline, entry.key().into()));
                    }
                    false
                });
                let verdict = match earliest.map(ticks) {
                    None => Verdict::Drop,
                    Some(deadline) if deadline > filed => Verdict::Refile(deadline),
                    Some(_) => Verdict::Keep,
                };
                soonest = soonest.min(filed);
                moved |= verdict != Verdict::Keep;
                verdict
            });
            // what lies behind the soonest filing was perhaps not shown
            if !moved || first.as_ref().is_some_and(|(deadline, _)| ticks(*deadline) <= soonest) {
                break;
            }
        }
        first
    }
}

impl Database {
    /// Whether so few keys are volatile that a search among all is long.
    fn has_few_volatile(&self) -> bool {
        self.volatile * limits::EVICTION_PROBES / 2 < self.len()
    }

    /// Visits the volatile keys of the deadline index's next filings until there were `count` of them, or many
    /// filings without. Filings without a key are dropped on the way.
    fn next_filed(&mut self, count: usize, mut visit: impl FnMut(EntryRef<'_>)) {
        let mut left = count;
        for _ in 0..limits::EVICTION_PROBES {
            let table = &self.table;
            // some of a sweep's steps go into looking for the next slot
            self.wheel.retain_step(left * 2, |prefix, _| {
                let mut verdict = Verdict::Drop;
                table.find_by_prefix(prefix, |raw| {
                    // SAFETY: the search borrows the table.
                    #[allow(unsafe_code)]
                    let entry = unsafe { EntryRef::new(raw) };
                    if entry.deadlines().earliest().is_some() {
                        verdict = Verdict::Keep;
                    }
                    if entry.deadline().is_some() {
                        left = left.saturating_sub(1);
                        visit(entry);
                    }
                    false
                });
                verdict
            });
            if left == 0 {
                return;
            }
        }
    }
}
