//! The write door: every change of a value goes through here.

use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};

use super::effects::{Event, EventClass};
use super::entry::{Entry, Payload};
use super::expiry::Deadlines;
use super::{Db, DbIndex, Keyspace, WrongType};
use crate::base::clock::Millis;
use crate::ds::table::Position;
use crate::types::string::{RawString, StringRef};
use crate::types::{Kind, Stored};

/// Why a key's value cannot be added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncrementError {
    /// It is no string.
    WrongType,
    /// The string is not an integer.
    NotAnInteger,
    /// The sum leaves the range.
    Overflow,
}

/// What becomes of a key's deadline when its value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// It goes.
    Clear,
    /// It stays.
    Keep,
    /// It becomes this, Unix milliseconds in the future.
    At(Millis),
}

/// A value borrowed from its key for changing: the guard of the write door.
///
/// The handler changes the value through it and ends with [`Write::commit`]. Dropped without a commit it
/// puts the value back and nothing is told: the handler has only looked.
pub struct Write<'a, T: Stored> {
    space: &'a mut Keyspace,
    db: DbIndex,
    key: &'a [u8],
    hash: u64,
    /// Where the key is; `None` for a value that was just made.
    position: Option<Position>,
    /// The earliest deadline of its elements, as it was taken.
    filed: Option<Millis>,
    value: ManuallyDrop<T>,
}

impl<T: Stored> Deref for Write<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Stored> DerefMut for Write<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: Stored> Write<'_, T> {
    /// Whether the key is new: it is stored with the commit.
    pub fn is_new(&self) -> bool {
        self.position.is_none()
    }

    /// The keyspace's chance, for commands that draw members.
    pub fn random(&mut self) -> &mut crate::base::random::Random {
        &mut self.space.random
    }

    /// The value and the keyspace's chance, both at once.
    pub fn with_random(&mut self) -> (&mut T, &mut crate::base::random::Random) {
        (&mut self.value, &mut self.space.random)
    }

    /// Ends the change: stores the value, or removes the key if no element is left, and lets the event
    /// take its course. `changes` counts towards `rdb_changes_since_last_save`.
    pub fn commit(self, event: Event, changes: u64) {
        self.commit_with(&[event], changes);
    }

    /// As [`Write::commit`], with several events in order, or none for a change that nobody is to be told of.
    #[allow(unsafe_code)]
    pub fn commit_with(self, events: &[Event], changes: u64) {
        let mut guard = ManuallyDrop::new(self);
        // SAFETY: the guard is not dropped, so the value is taken once.
        let value = unsafe { ManuallyDrop::take(&mut guard.value) };
        let (db, key, hash, position, filed) = (guard.db, guard.key, guard.hash, guard.position, guard.filed);
        let space = &mut *guard.space;
        let emptied = value.is_empty();
        match position {
            Some(position) => {
                space.put_back(db, hash, position, value, filed);
                if emptied {
                    drop(space.take_entry(db, hash, position));
                }
            }
            None if emptied => return,
            None => {
                let (kind, payload) = value.into_raw();
                let heat = space.heat.fresh();
                space.add_entry(db, hash, Entry::new(key, None, Payload::Stored(kind, payload), heat));
                space.notify(db, Event::new(EventClass::New, "new"), key);
            }
        }
        space.changed_silently(db, key, changes);
        for event in events {
            space.notify(db, *event, key);
        }
        if emptied {
            space.notify(db, Event::generic("del"), key);
        }
    }
}

impl<T: Stored> Write<'_, T> {
    /// Ends a change that is not one of the key's contents, but of what is noted beside them (a stream's
    /// consumer groups): it counts and has events, but dooms, invalidates and wakes nobody. A value that
    /// was just made is a change of contents all the same: then this is [`Write::commit_with`].
    pub fn commit_aside(self, events: &[Event], changes: u64) {
        if self.is_new() {
            return self.commit_with(events, changes);
        }
        let guard = self;
        guard.space.dirty += changes;
        for event in events {
            let (db, key) = (guard.db, guard.key);
            guard.space.notify(db, *event, key);
        }
    }
}

impl<T: Stored> Drop for Write<'_, T> {
    #[allow(unsafe_code)]
    fn drop(&mut self) {
        // SAFETY: the guard is dropped, so the value is taken once.
        let value = unsafe { ManuallyDrop::take(&mut self.value) };
        if let Some(position) = self.position {
            self.space.put_back(self.db, self.hash, position, value, self.filed);
        }
    }
}

impl Keyspace {
    /// Puts a value back that was taken out of its block, when `filed` was its earliest deadline.
    #[inline]
    pub(super) fn put_back<T: Stored>(&mut self, db: DbIndex, hash: u64, position: Position, value: T, filed: Option<Millis>) {
        let fields = value.earliest_deadline();
        let (kind, payload) = value.into_raw();
        let database = &mut self.databases[db.at()];
        // SAFETY: the position is fresh, and the block only used here.
        #[allow(unsafe_code)]
        let mut entry = unsafe { Entry::borrow_mut(database.table.raw(position)) };
        entry.set_payload(kind, payload);
        if fields != filed {
            entry.set_mark(0);
            let key = entry.get().deadline();
            database.refile(hash, Deadlines { key, fields: filed }, Deadlines { key, fields });
        }
    }

    /// Puts another block for the same key in place of the one at `position`.
    fn replace_entry(&mut self, db: DbIndex, hash: u64, position: Position, new: Entry) {
        let deadlines = new.get().deadlines();
        let database = &mut self.databases[db.at()];
        let old = database.table.replace(position, new);
        database.refile(hash, old.get().deadlines(), deadlines);
        self.dispose(old);
    }
}

impl Db<'_> {
    /// The value of a key, for changing. `None` if there is no such key.
    pub fn write<'s, T: Stored>(&'s mut self, key: &'s [u8]) -> Result<Option<Write<'s, T>>, WrongType> {
        let hash = self.hash(key);
        match self.space.find(self.index, key, hash) {
            Some(position) => self.write_at(key, hash, position).map(Some),
            None => Ok(None),
        }
    }

    /// The value of a key, for changing; `make` gives the value of a key that does not exist yet.
    pub fn write_or_create<'s, T: Stored>(&'s mut self, key: &'s [u8], make: impl FnOnce() -> T) -> Result<Write<'s, T>, WrongType> {
        let hash = self.hash(key);
        if let Some(position) = self.space.find(self.index, key, hash) {
            return self.write_at(key, hash, position);
        }
        let value = ManuallyDrop::new(make());
        Ok(Write { space: self.space, db: self.index, key, hash, position: None, filed: None, value })
    }

    #[allow(unsafe_code)]
    #[inline]
    fn write_at<'s, T: Stored>(&'s mut self, key: &'s [u8], hash: u64, position: Position) -> Result<Write<'s, T>, WrongType> {
        let kind = self.space.touch(self.index, position).kind();
        if kind.type_of() != T::TYPE {
            return Err(WrongType);
        }
        if matches!(kind, Kind::Embedded | Kind::Integer) {
            self.spread_string(hash, position);
        }
        let raw = self.space.databases[self.index.at()].table.raw(position);
        // SAFETY: the block lives; the guard puts the value back or removes the key.
        let value = ManuallyDrop::new(unsafe { Entry::borrow_mut(raw).take::<T>() });
        let filed = value.earliest_deadline();
        Ok(Write { space: self.space, db: self.index, key, hash, position: Some(position), filed, value })
    }

    /// Moves a string out of its key's block into a buffer of its own.
    fn spread_string(&mut self, hash: u64, position: Position) {
        let entry = self.space.entry_at(self.index, position);
        let text = entry.string().expect("a string").text().into_owned();
        let (kind, payload) = RawString::new(text).into_raw();
        let new = Entry::new(entry.key(), entry.deadline(), Payload::Stored(kind, payload), entry.heat());
        self.space.replace_entry(self.index, hash, position, new);
    }

    /// Sets a key to a string, whatever it held.
    #[inline]
    pub fn set_string(&mut self, key: &[u8], value: StringRef, ttl: Ttl, events: &[Event]) {
        self.store(key, Payload::string(value), ttl, events);
    }

    /// Sets a key to a stored value, whatever it held. The value has elements.
    pub fn set_value(&mut self, key: &[u8], value: impl Stored, ttl: Ttl, events: &[Event]) {
        assert!(!value.is_empty(), "an empty value is no value");
        let (kind, payload) = value.into_raw();
        self.store(key, Payload::Stored(kind, payload), ttl, events);
    }

    /// Adds to the integer that a key holds, 0 without the key; in place where the key's block holds an
    /// integer as such. Gives the sum.
    #[inline]
    pub fn increment(&mut self, key: &[u8], delta: i64, event: Event) -> Result<i64, IncrementError> {
        let hash = self.hash(key);
        let position = self.space.find(self.index, key, hash);
        let old = match position {
            None => 0,
            Some(position) => {
                let text = self.space.touch(self.index, position).string().ok_or(IncrementError::WrongType)?;
                text.as_i64().ok_or(IncrementError::NotAnInteger)?
            }
        };
        let sum = old.checked_add(delta).ok_or(IncrementError::Overflow)?;
        self.store_at(key, hash, position, Payload::Integer(sum), Ttl::Keep, &[event]);
        Ok(sum)
    }

    #[inline]
    pub(super) fn store(&mut self, key: &[u8], payload: Payload, ttl: Ttl, events: &[Event]) {
        let hash = self.hash(key);
        let position = self.space.find(self.index, key, hash);
        if let Some(position) = position {
            self.space.touch(self.index, position);
        }
        self.store_at(key, hash, position, payload, ttl, events);
    }

    #[inline]
    fn store_at(&mut self, key: &[u8], hash: u64, position: Option<Position>, payload: Payload, ttl: Ttl, events: &[Event]) {
        let db = self.index;
        let space = &mut *self.space;
        match position {
            Some(position) => {
                let old = space.entry_at(db, position);
                let (old_deadline, heat) = (old.deadline(), old.heat());
                let deadline = match ttl {
                    Ttl::Clear => None,
                    Ttl::Keep => old_deadline,
                    Ttl::At(deadline) => {
                        space.note_own(db, key, Some(deadline));
                        Some(deadline)
                    }
                };
                let raw = space.databases[db.at()].table.raw(position);
                // SAFETY: the position is fresh, and the block only used here.
                #[allow(unsafe_code)]
                let overwritten = unsafe { Entry::borrow_mut(raw) }.try_overwrite(deadline, &payload);
                if overwritten {
                    space.databases[db.at()].refile(hash, Deadlines::of_key(old_deadline), Deadlines::of_key(deadline));
                } else {
                    space.replace_entry(db, hash, position, Entry::new(key, deadline, payload, heat));
                }
            }
            None => {
                let deadline = match ttl {
                    Ttl::At(deadline) => Some(deadline),
                    _ => None,
                };
                let heat = space.heat.fresh();
                space.add_entry(db, hash, Entry::new(key, deadline, payload, heat));
                space.notify(db, Event::new(EventClass::New, "new"), key);
            }
        }
        let (first, rest) = events.split_first().expect("a change has an event");
        space.changed(db, key, *first, 1);
        for event in rest {
            space.notify(db, *event, key);
        }
    }

    /// Removes a key. Gives whether it was there.
    pub fn remove(&mut self, key: &[u8], event: Event) -> bool {
        let hash = self.hash(key);
        let Some(position) = self.space.find(self.index, key, hash) else { return false };
        let entry = self.space.take_entry(self.index, hash, position);
        self.space.changed(self.index, key, event, 1);
        self.space.dispose(entry);
        true
    }

    /// Sets or clears the deadline of a key. Gives whether the key exists.
    pub fn set_deadline(&mut self, key: &[u8], deadline: Option<Millis>, event: Event) -> bool {
        let hash = self.hash(key);
        if !self.space.set_entry_deadline(self.index, key, hash, deadline) {
            return false;
        }
        self.space.changed(self.index, key, event, 1);
        true
    }

    /// Sets the LRU clock or LFU counter of a key.
    pub fn set_heat(&mut self, key: &[u8], heat: u32) {
        let hash = self.hash(key);
        if let Some(position) = self.space.find(self.index, key, hash) {
            self.space.set_heat(self.index, position, heat);
        }
    }

    /// Takes a key's block out, with no event: the first half of a move.
    pub(super) fn detach(&mut self, key: &[u8]) -> Option<Entry> {
        let hash = self.hash(key);
        let position = self.space.find(self.index, key, hash)?;
        Some(self.space.take_entry(self.index, hash, position))
    }

    /// Puts a block in, with no event but that of a new key: the second half of a move. The key is not there.
    pub(super) fn attach(&mut self, entry: Entry) {
        let key = entry.get().key();
        let hash = self.space.hasher.hash(key);
        self.space.notify(self.index, Event::new(EventClass::New, "new"), key);
        self.space.add_entry(self.index, hash, entry);
    }
}
