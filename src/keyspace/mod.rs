//! Databases, keys and the write door.
//!
//! [`Keyspace`] owns all data. A command works on one database through a [`Db`], which knows the
//! database's index and the time. Reading gives a borrowed [`EntryRef`] or a typed [`View`]; changing goes
//! through [`Db::write`] (a guard, ended by `commit`), [`Db::set_string`], [`Db::remove`],
//! [`Db::set_deadline`] and the whole-key moves, and each of them ends in [`Keyspace::changed`], the one
//! place where a change counts, dooms watchers, invalidates caches, wakes waiters and becomes an event.
//!
//! Every lookup sees the time: a key whose deadline has passed is not there, and is removed on the way
//! unless this server follows a primary, whose word it waits for.

pub mod effects;
pub mod entry;
pub mod eviction;
pub mod expiry;
pub mod fields;
pub mod heat;
pub mod interests;
pub mod load;
pub mod moves;
mod own;
pub mod write;

use std::borrow::Cow;

use crate::base::clock::Millis;
use crate::base::random::Random;
use crate::ds::table::{KeyHasher, Part, Position, Table};
use crate::ds::wheel::Wheel;
use crate::limits;
use crate::resp::request::Args;
use crate::types::string::StringRef;
use crate::types::{Stored, Type};

use effects::{Effects, Event, EventClass};
use entry::{Entry, EntryRef, View};
use eviction::Eviction;
use expiry::{Deadlines, Expiry, ExpiryStats};
use heat::HeatPolicy;
use interests::Interests;

/// Number of a database, below `databases`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DbIndex(pub u32);

impl DbIndex {
    /// As an index of a slice.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

/// The key holds a value of another type than the command works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType;

/// One database.
pub struct Database {
    pub(crate) table: Table<Entry>,
    /// Deadlines of keys and, for a hash, of its earliest field, filed by 32 bits of the key's hash.
    pub(crate) wheel: Wheel<u32>,
    /// Keys with a deadline.
    pub(crate) volatile: usize,
    /// Hashes that have fields with a deadline.
    pub(crate) expiring_hashes: usize,
    /// Keys that a replica's own clients gave a deadline.
    pub(crate) own: own::OwnKeys,
    /// The mark of the sweep of `wheel` that is under way, 0 for none.
    sweep: u8,
    /// The mark of the last one.
    last_mark: u8,
}

impl Database {
    fn new(hasher: KeyHasher) -> Self {
        Database {
            table: Table::new(hasher),
            wheel: Wheel::new(0),
            volatile: 0,
            expiring_hashes: 0,
            own: own::OwnKeys::default(),
            sweep: 0,
            last_mark: 0,
        }
    }

    /// Keys, expired ones that nobody has looked at included.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether it has no key.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Keys with a deadline.
    pub fn volatile(&self) -> usize {
        self.volatile
    }

    /// Entries of the deadline index, ghosts included.
    pub fn filings(&self) -> usize {
        self.wheel.len()
    }

    /// Bytes of the deadline index.
    pub fn deadline_bytes(&self) -> usize {
        self.wheel.bytes()
    }

    /// Hashes that have fields with a deadline.
    pub fn expiring_hashes(&self) -> usize {
        self.expiring_hashes
    }

    /// Keys that expire by this server's word although it follows another.
    pub fn own_keys(&self) -> usize {
        self.own.len()
    }

    /// Bytes of the table and of the deadline index.
    pub fn overhead(&self) -> usize {
        self.table.bytes() + self.wheel.bytes()
    }

    /// Every key's block, in no order that means anything.
    pub fn entries(&self) -> impl Iterator<Item = EntryRef<'_>> {
        // SAFETY: the iterator borrows the database, so no block goes away.
        #[allow(unsafe_code)]
        self.table.iter().map(|raw| unsafe { EntryRef::new(raw) })
    }
}

/// Counters that INFO shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyStats {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys removed because their deadline passed.
    pub expired: u64,
    /// Fields of hashes removed because their deadline passed.
    pub expired_fields: u64,
    /// Keys evicted for memory.
    pub evicted: u64,
}

const EVENTS: u8 = 1;
const WATCHED: u8 = 2;
const AWAITED: u8 = 4;
const TRACKED: u8 = 8;

/// All data. See the module's essay.
pub struct Keyspace {
    databases: Vec<Database>,
    interests: Vec<Interests>,
    hasher: KeyHasher,
    /// Chance, for sampling commands and LFU counters.
    pub random: Random,
    /// The time of this turn.
    pub now: Millis,
    /// What is done about keys whose deadline has passed.
    pub expiry: Expiry,
    /// What is to be done after the command.
    pub effects: Effects,
    /// Changes since the last save.
    pub dirty: u64,
    /// Counters.
    pub stats: KeyStats,
    /// Lags of expiry.
    pub expiry_stats: ExpiryStats,
    /// How accesses are remembered.
    pub heat: HeatPolicy,
    /// Which keys go when memory is short.
    pub eviction: Eviction,
    /// Whether nothing is removed on its own account, by deadline or for memory: clients are paused.
    pub standstill: bool,
    /// Whether keys are removed when their deadline passes, or only when somebody meets them then
    /// (`DEBUG SET-ACTIVE-EXPIRE`).
    pub active_expiry: bool,
    /// Whether the running command's accesses count (`CLIENT NO-TOUCH` clears it).
    pub touches: bool,
    /// Event classes that subscribers may want: a bit set of [`EventClass`].
    event_mask: u32,
    hooks: u8,
}

impl Keyspace {
    /// `databases` empty databases; all chance and the hash's key come from `random`.
    pub fn new(databases: u32, mut random: Random) -> Self {
        let hasher = KeyHasher::new(random.next_u64(), random.next_u64());
        Keyspace {
            databases: (0..databases).map(|_| Database::new(hasher)).collect(),
            interests: (0..databases).map(|_| Interests::default()).collect(),
            hasher,
            random,
            now: Millis(0),
            expiry: Expiry::Remove,
            effects: Effects::default(),
            dirty: 0,
            stats: KeyStats::default(),
            expiry_stats: ExpiryStats::default(),
            heat: HeatPolicy::default(),
            eviction: Eviction::default(),
            standstill: false,
            active_expiry: true,
            touches: true,
            event_mask: 0,
            hooks: 0,
        }
    }

    /// Takes another key for the hash, while there is no data.
    ///
    /// # Panics
    /// If there is data: it would not be found any more.
    pub fn key_hash(&mut self, [first, second]: [u64; 2]) {
        assert!(self.databases.iter().all(|database| database.table.is_empty()), "the hash is chosen before the first key");
        self.hasher = KeyHasher::new(first, second);
        for database in &mut self.databases {
            *database = Database::new(self.hasher);
        }
    }

    /// The hash of keys, also for the tables of collections.
    pub fn hasher(&self) -> KeyHasher {
        self.hasher
    }

    /// Whether keys whose deadline passes are to be looked for.
    pub fn expires_actively(&self) -> bool {
        self.active_expiry && !self.standstill && self.expiry != Expiry::Ignore
    }

    /// The earliest time when expiry has something to do.
    pub fn next_expiry(&self) -> Option<Millis> {
        let databases = self.databases.iter();
        match self.expiry {
            _ if !self.expires_actively() => None,
            Expiry::Remove => databases.filter_map(Database::next_deadline).min(),
            _ => databases.filter_map(|database| database.own.next()).min(),
        }
    }

    /// The databases.
    pub fn databases(&self) -> &[Database] {
        &self.databases
    }

    /// A handle to one database.
    pub fn db(&mut self, index: DbIndex) -> Db<'_> {
        Db { space: self, index, hint: Hint::NONE }
    }

    /// Asks the processor for the bucket of a key.
    #[inline]
    pub fn prefetch_bucket(&self, db: DbIndex, hash: u64) {
        self.databases[db.at()].table.prefetch_bucket(hash);
    }

    /// Asks the processor for the block of a key.
    #[inline]
    pub fn prefetch_block(&self, db: DbIndex, hash: u64) {
        self.databases[db.at()].table.prefetch_block(hash);
    }

    /// Asks the processor for a part of the way to an element, by its hash, of the value whose key probably is that of
    /// `hash`; the value's block should be near by now.
    #[inline]
    pub fn prefetch_element(&self, db: DbIndex, hash: u64, element: u64, part: Part) {
        let Some(position) = self.databases[db.at()].table.probable(hash) else { return };
        if let Some(value) = self.entry_at(db, position).value() {
            value.prefetch_element(element, part);
        }
    }

    /// Sets the classes of events to queue: a bit set of [`EventClass`].
    pub fn set_event_mask(&mut self, mask: u32) {
        self.event_mask = mask;
        self.set_hook(EVENTS, mask != 0);
    }

    /// Sets whether changed keys are queued for client-side caches.
    pub fn set_tracked(&mut self, on: bool) {
        self.set_hook(TRACKED, on);
    }

    fn set_hook(&mut self, hook: u8, on: bool) {
        if on { self.hooks |= hook } else { self.hooks &= !hook }
    }

    /// The one place that every change of a key passes: see the module's essay.
    #[inline]
    pub fn changed(&mut self, db: DbIndex, key: &[u8], event: Event, changes: u64) {
        self.dirty += changes;
        if self.hooks != 0 {
            self.queue_consequences(db, key);
            self.notify(db, event, key);
        }
    }

    /// As [`Keyspace::changed`], before its events, or for a change that has none (the count that PFCOUNT
    /// keeps).
    #[inline]
    pub fn changed_silently(&mut self, db: DbIndex, key: &[u8], changes: u64) {
        self.dirty += changes;
        if self.hooks != 0 {
            self.queue_consequences(db, key);
        }
    }

    /// Queues an event without a change of its own (the second event of a command, a miss).
    #[inline]
    pub fn notify(&mut self, db: DbIndex, event: Event, key: &[u8]) {
        if self.event_mask & event.class as u32 != 0 {
            self.effects.events.push(effects::KeyEvent { db, event, key: key.into() });
        }
    }

    #[cold]
    fn queue_consequences(&mut self, db: DbIndex, key: &[u8]) {
        if self.hooks & WATCHED != 0 {
            self.doom_watchers(db, key);
        }
        if self.hooks & AWAITED != 0 {
            self.offer(db, key);
        }
        if self.hooks & TRACKED != 0 {
            self.effects.invalidated.push(Some(key.into()));
        }
    }

    /// Finds a live key; one whose deadline has passed is dealt with as [`Expiry`] says.
    #[inline]
    fn find(&mut self, db: DbIndex, key: &[u8], hash: u64) -> Option<Position> {
        let position = self.databases[db.at()].table.find(hash, key)?;
        let entry = self.entry_at(db, position);
        match entry.deadline() {
            Some(deadline) if deadline <= self.now => self.find_expired(db, hash, position),
            _ if entry.kind().expires_within() => self.find_expiring(db, hash, position),
            _ => Some(position),
        }
    }

    #[allow(unsafe_code)]
    fn entry_at(&self, db: DbIndex, position: Position) -> EntryRef<'_> {
        // SAFETY: the position is fresh, and the reference borrows the keyspace.
        unsafe { EntryRef::new(self.databases[db.at()].table.raw(position)) }
    }

    /// Adds a new key's block and files its deadline. A hidden key of that name makes way.
    fn add_entry(&mut self, db: DbIndex, hash: u64, entry: Entry) {
        if self.standstill || self.expiry == Expiry::Hide {
            self.remove_hidden(db, hash, entry.get().key());
            self.note_own(db, entry.get().key(), entry.get().deadline());
        }
        let deadlines = entry.get().deadlines();
        let database = &mut self.databases[db.at()];
        database.table.insert(hash, entry);
        database.refile(hash, Deadlines::default(), deadlines);
    }

    /// Takes a key's block out, without consequences.
    fn take_entry(&mut self, db: DbIndex, hash: u64, position: Position) -> Entry {
        let database = &mut self.databases[db.at()];
        let entry = database.table.remove(hash, position);
        if !database.own.is_empty() {
            database.own.forget(entry.get().key());
        }
        database.refile(hash, entry.get().deadlines(), Deadlines::default());
        entry
    }

    /// Frees a block, or hands what takes long to the disposal.
    fn dispose(&mut self, entry: Entry) {
        if let Some(value) = entry.into_value() {
            self.dispose_value(value);
        }
    }

    /// Frees a value, or hands one that takes long to the disposal.
    pub fn dispose_value(&mut self, value: crate::types::Value) {
        if value.weight() > crate::limits::FREE_IN_PLACE {
            self.effects.discard(effects::Waste::Value(value));
        }
    }
}

/// The hash of a key that was computed while its request was parsed.
#[derive(Clone, Copy)]
pub struct Hint {
    key: *const u8,
    len: usize,
    hash: u64,
}

impl Hint {
    /// No key.
    pub const NONE: Hint = Hint { key: std::ptr::null(), len: 0, hash: 0 };

    /// `hash` is the hash of `key`, whose bytes stay where they are.
    pub fn new(key: &[u8], hash: u64) -> Hint {
        Hint { key: key.as_ptr(), len: key.len(), hash }
    }
}

/// A database as a command sees it.
pub struct Db<'a> {
    space: &'a mut Keyspace,
    index: DbIndex,
    hint: Hint,
}

impl Db<'_> {
    /// The number of the database.
    pub fn index(&self) -> DbIndex {
        self.index
    }

    /// Switches to another database.
    pub fn select(&mut self, index: DbIndex) {
        assert!(index.at() < self.space.databases.len(), "the caller checks the range");
        self.index = index;
        self.hint = Hint::NONE;
    }

    /// Remembers a hash that is known already.
    #[inline]
    pub fn set_hint(&mut self, hint: Hint) {
        self.hint = hint;
    }

    /// The keyspace, for what concerns more than this database.
    pub fn space(&mut self) -> &mut Keyspace {
        self.space
    }

    /// The time of this turn.
    pub fn now(&self) -> Millis {
        self.space.now
    }

    /// The time at or before which the fields of hashes have expired.
    pub fn horizon(&self) -> Millis {
        if self.space.expiry == Expiry::Ignore { crate::types::hash::NEVER } else { self.space.now }
    }

    /// Whether a deadline that has passed means removal here and now.
    pub fn is_past(&self, deadline: Millis) -> bool {
        self.space.expiry == Expiry::Remove && deadline <= self.space.now
    }

    /// The counters and table of this database.
    pub fn database(&self) -> &Database {
        &self.space.databases[self.index.at()]
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u64 {
        if std::ptr::eq(self.hint.key, key.as_ptr()) && self.hint.len == key.len() { self.hint.hash } else { self.space.hasher.hash(key) }
    }

    /// The key's block, counted as neither hit nor access.
    pub fn peek(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        let hash = self.hash(key);
        let position = self.space.find(self.index, key, hash)?;
        Some(self.space.entry_at(self.index, position))
    }

    /// The key's block, for reading: counts a hit or miss and the access.
    #[inline]
    pub fn entry(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        let hash = self.hash(key);
        match self.space.databases[self.index.at()].table.find_block(hash, key) {
            // SAFETY: the block was found just now, and the reference borrows the keyspace.
            #[allow(unsafe_code)]
            Some(raw) if unsafe { EntryRef::new(raw) }.is_lasting() => {
                self.space.stats.hits += 1;
                Some(self.space.touch_block(raw))
            }
            Some(_) => self.entry_that_may_go(key),
            None => {
                self.count_miss(key);
                None
            }
        }
    }

    fn count_miss(&mut self, key: &[u8]) {
        self.space.stats.misses += 1;
        self.space.notify(self.index, Event::new(EventClass::Miss, "keymiss"), key);
    }

    /// As [`Db::entry`], for a key that may expire.
    #[inline(never)]
    fn entry_that_may_go(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        let position = self.find_to_read(key)?;
        Some(self.space.touch(self.index, position))
    }

    /// The key's block, for facts about the key: counts a hit or miss, but no access.
    pub fn look(&mut self, key: &[u8]) -> Option<EntryRef<'_>> {
        let position = self.find_to_read(key)?;
        Some(self.space.entry_at(self.index, position))
    }

    #[inline]
    fn find_to_read(&mut self, key: &[u8]) -> Option<Position> {
        let hash = self.hash(key);
        let found = self.space.find(self.index, key, hash);
        if found.is_some() {
            self.space.stats.hits += 1;
        } else {
            self.count_miss(key);
        }
        found
    }

    /// Works on many keys of one request in order: those at `first` and every `step` arguments on. Their
    /// cache lines are asked for a batch at a time, so that the misses overlap. `work` is given the
    /// argument's index.
    pub fn for_each_key(&mut self, args: Args<'_>, first: usize, step: usize, mut work: impl FnMut(&mut Self, usize)) {
        let mut hashes = [0; limits::KEY_BATCH];
        for batch in (first..args.len()).step_by(step * limits::KEY_BATCH) {
            let keys = (batch..args.len()).step_by(step).take(limits::KEY_BATCH);
            for (hash, at) in hashes.iter_mut().zip(keys.clone()) {
                *hash = self.hash(args.at(at));
                self.space.prefetch_bucket(self.index, *hash);
            }
            for (hash, _) in hashes.iter().zip(keys.clone()) {
                self.space.prefetch_block(self.index, *hash);
            }
            for (hash, at) in hashes.iter().zip(keys) {
                self.hint = Hint::new(args.at(at), *hash);
                work(self, at);
            }
        }
    }

    /// The block of a key as it is stored, be its deadline past or not.
    pub fn stored(&self, key: &[u8]) -> Option<EntryRef<'_>> {
        let position = self.database().table.find(self.hash(key), key)?;
        Some(self.space.entry_at(self.index, position))
    }

    /// The block of a key, without a trace of the lookup: for commands that look at several values side
    /// by side, after [`Db::entry`] has dealt with each key.
    pub fn resident(&self, key: &[u8]) -> Option<EntryRef<'_>> {
        let entry = self.stored(key)?;
        let expired = self.space.expiry != Expiry::Ignore && entry.deadline().is_some_and(|deadline| deadline <= self.space.now);
        (!expired).then_some(entry)
    }

    /// The type of a key.
    pub fn type_of(&mut self, key: &[u8]) -> Option<Type> {
        Some(self.peek(key)?.kind().type_of())
    }

    /// Whether the key exists.
    pub fn exists(&mut self, key: &[u8]) -> bool {
        self.peek(key).is_some()
    }

    /// The value of a key, for reading; not for strings, see [`Db::read_string`].
    #[inline]
    pub fn read<T: Stored>(&mut self, key: &[u8]) -> Result<Option<View<'_, T>>, WrongType> {
        match self.entry(key) {
            None => Ok(None),
            Some(entry) => entry.view().map(Some).ok_or(WrongType),
        }
    }

    /// The string of a key, for reading.
    #[inline]
    pub fn read_string(&mut self, key: &[u8]) -> Result<Option<StringRef<'_>>, WrongType> {
        match self.entry(key) {
            None => Ok(None),
            Some(entry) => entry.string().map(Some).ok_or(WrongType),
        }
    }

    /// The bytes of a string key, for reading.
    pub fn read_text(&mut self, key: &[u8]) -> Result<Option<Cow<'_, [u8]>>, WrongType> {
        Ok(self.read_string(key)?.map(StringRef::text))
    }

    /// The deadline of a key: `None` without the key, `Some(None)` without a deadline.
    pub fn deadline(&mut self, key: &[u8]) -> Option<Option<Millis>> {
        Some(self.peek(key)?.deadline())
    }

    /// Queues an event of a key beside the one that the change itself brings.
    pub fn notify(&mut self, event: Event, key: &[u8]) {
        self.space.notify(self.index, event, key);
    }

    /// A key drawn with equal chance among all live ones.
    pub fn random_key(&mut self) -> Option<Vec<u8>> {
        for tries in 0.. {
            let space = &mut *self.space;
            let random = &mut space.random;
            let raw = space.databases[self.index.at()].table.random(|n| random.index(n))?;
            // SAFETY: nothing changes between the draw and the copy of the key.
            #[allow(unsafe_code)]
            let entry = unsafe { EntryRef::new(raw) };
            let key = entry.key().to_vec();
            // a replica may hold nothing but expired keys: give up as Redis does
            if tries == 100 && (self.space.expiry != Expiry::Remove || self.space.standstill) || self.exists(&key) {
                return Some(key);
            }
        }
        None
    }

    /// Visits the live keys of one step of a scan; gives the next cursor, 0 at the end. Keys met whose
    /// deadline has passed are dealt with as [`Expiry`] says.
    pub fn scan(&mut self, cursor: u64, mut visit: impl FnMut(EntryRef<'_>)) -> u64 {
        let (now, ignored) = (self.space.now, self.space.expiry == Expiry::Ignore);
        let mut passed: Vec<Box<[u8]>> = Vec::new();
        let next = self.database().table.scan(cursor, |raw| {
            // SAFETY: the scan borrows the table.
            #[allow(unsafe_code)]
            let entry = unsafe { EntryRef::new(raw) };
            if ignored || entry.deadline().is_none_or(|deadline| deadline > now) {
                visit(entry);
            } else {
                passed.push(entry.key().into());
            }
        });
        for key in passed {
            self.peek(&key);
        }
        next
    }

    /// Visits all live keys.
    pub fn for_all(&self, mut visit: impl FnMut(EntryRef<'_>)) {
        let (now, ignored) = (self.space.now, self.space.expiry == Expiry::Ignore);
        for entry in self.database().entries() {
            if ignored || entry.deadline().is_none_or(|deadline| deadline > now) {
                visit(entry);
            }
        }
    }
}
