//! Hashes: fields with values, each of which may have a deadline of its own.
//!
//! | form | kept as | OBJECT ENCODING |
//! |---|---|---|
//! | [`Hash::Pairs`] | field, value in one packed block | `listpack` |
//! | [`Hash::Triplets`] | field, value, deadline in one packed block, by deadline | `listpackex` |
//! | [`Hash::Table`] | a table of blocks, and an index of deadlines | `hashtable` |
//!
//! A hash only ever goes down this list: a deadline turns pairs into triplets, and a field too many or
//! too long (see [`Bounds`]) makes a table.
//!
//! **Expired fields are not there.** A hash knows no clock; whoever looks passes a *horizon*, and a field
//! with a deadline at or before it is neither found, counted, drawn nor walked over. It is removed by
//! [`Hash::expire`], in slices, which the keyspace calls. A horizon of [`NEVER`] shows everything.
#![allow(unsafe_code)]

mod field;
mod packed;
mod table;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use super::string::StringRef;
use super::{Kind, Stored, Type};
use crate::base::clock::Millis;
use crate::base::random::Random;
use crate::ds::packed::{Packed, SMALL_BYTES};
use crate::ds::table::KeyHasher;

pub use field::MAX_DEADLINE;
use packed::{PAIR, TRIPLET};
use table::FieldTable;

/// The horizon before which nothing expires.
pub const NEVER: Millis = Millis(i64::MIN);

/// Whether a field with that deadline is there.
#[inline]
fn is_there(deadline: Option<Millis>, horizon: Millis) -> bool {
    deadline.is_none_or(|deadline| deadline > horizon)
}

/// What becomes of a field's deadline when its value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldTtl {
    /// It goes.
    Clear,
    /// It stays.
    Keep,
    /// It becomes this, from 0 to [`MAX_DEADLINE`].
    At(Millis),
}

impl FieldTtl {
    fn of_new(self) -> Option<Millis> {
        if let FieldTtl::At(deadline) = self { Some(deadline) } else { None }
    }

    #[inline]
    fn of_old(self, old: Option<Millis>) -> Option<Millis> {
        if self == FieldTtl::Keep { old } else { self.of_new() }
    }
}

/// Up to where a hash stays packed, and how its fields are hashed beyond.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most fields.
    pub entries: usize,
    /// Most bytes of a field or value.
    pub value: usize,
    /// The process's hash.
    pub hasher: KeyHasher,
}

/// A field, its value and its deadline.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// The field's name.
    pub field: StringRef<'a>,
    /// Its value.
    pub value: StringRef<'a>,
    /// When it expires.
    pub deadline: Option<Millis>,
}

/// A hash. See the module's essay.
#[derive(Clone)]
pub enum Hash {
    /// Field, value, field, value.
    Pairs(Packed),
    /// Field, value, deadline (0 for none), in order of deadlines, none last.
    Triplets(Packed),
    /// Blocks in a table.
    Table(Box<FieldTable>),
}

impl Default for Hash {
    fn default() -> Self {
        Hash::new()
    }
}

impl Hash {
    /// No fields.
    pub fn new() -> Hash {
        Hash::Pairs(Packed::new())
    }

    /// The name that OBJECT ENCODING shows.
    pub fn encoding(&self) -> &'static str {
        match self {
            Hash::Pairs(_) => "listpack",
            Hash::Triplets(_) => "listpackex",
            Hash::Table(_) => "hashtable",
        }
    }

    /// Elements of a group, if it is packed.
    fn width(&self) -> usize {
        if matches!(self, Hash::Pairs(_)) { PAIR } else { TRIPLET }
    }

    /// Number of fields that are there.
    pub fn len_at(&self, horizon: Millis) -> usize {
        if self.hides(horizon) { self.len() - self.due(horizon) } else { self.len() }
    }

    /// Number of fields with a deadline.
    pub fn expiring(&self) -> usize {
        match self {
            Hash::Pairs(_) => 0,
            Hash::Triplets(_) => self.due(Millis(i64::MAX)),
            Hash::Table(table) => table.expiring(),
        }
    }

    /// Whether some field has expired at `horizon`.
    #[inline]
    pub fn hides(&self, horizon: Millis) -> bool {
        self.earliest_deadline().is_some_and(|earliest| earliest <= horizon)
    }

    fn due(&self, horizon: Millis) -> usize {
        match self {
            Hash::Pairs(_) => 0,
            Hash::Triplets(packed) => packed::Items::new(packed, TRIPLET).take_while(|item| !is_there(item.deadline, horizon)).count(),
            Hash::Table(table) => table.due(horizon),
        }
    }

    /// Value and deadline of a field.
    #[inline]
    pub fn find(&self, field: &[u8], horizon: Millis) -> Option<(StringRef<'_>, Option<Millis>)> {
        let found = match self {
            Hash::Pairs(packed) => packed::get(packed, PAIR, field),
            Hash::Triplets(packed) => packed::get(packed, TRIPLET, field),
            Hash::Table(table) => table.find(field).map(|block| (StringRef::Bytes(block.value()), block.deadline())),
        };
        found.filter(|&(_, deadline)| is_there(deadline, horizon))
    }

    /// The value of a field.
    #[inline]
    pub fn get(&self, field: &[u8], horizon: Millis) -> Option<StringRef<'_>> {
        self.find(field, horizon).map(|(value, _)| value)
    }

    /// Whether a field is there.
    pub fn contains(&self, field: &[u8], horizon: Millis) -> bool {
        self.find(field, horizon).is_some()
    }

    /// Makes a table at once if `added` fields are more than the packed form holds.
    pub fn expect(&mut self, added: usize, bounds: &Bounds) {
        if added > bounds.entries {
            self.make_table(bounds);
        }
    }

    /// Sets a field; gives whether it was not there.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8], ttl: FieldTtl, bounds: &Bounds, horizon: Millis) -> bool {
        if let Hash::Table(table) = self {
            return table.set(field, value, ttl, horizon);
        }
        if let FieldTtl::At(_) = ttl {
            self.make_triplets();
        }
        let (longest, added) = (field.len().max(value.len()), field.len().saturating_add(value.len()));
        let created = match self {
            Hash::Pairs(packed) | Hash::Triplets(packed)
                if longest > bounds.value || packed.bytes().saturating_add(added) > SMALL_BYTES =>
            {
                self.make_table(bounds);
                return self.set(field, value, ttl, bounds, horizon);
            }
            Hash::Pairs(packed) => packed::set_pair(packed, field, value),
            Hash::Triplets(packed) => packed::set_triplet(packed, field, value, ttl, horizon),
            Hash::Table(_) => unreachable!("a table was dealt with"),
        };
        if created && self.len() > bounds.entries {
            self.make_table(bounds);
        }
        created
    }

    /// Sets or clears the deadline of a field that is there.
    pub fn set_deadline(&mut self, field: &[u8], deadline: Option<Millis>) {
        if deadline.is_some() {
            self.make_triplets();
        }
        match self {
            Hash::Pairs(_) => {}
            Hash::Triplets(packed) => packed::set_deadline(packed, field, deadline),
            Hash::Table(table) => table.set_deadline(field, deadline),
        }
    }

    /// Removes a field; gives whether it was there.
    #[inline]
    pub fn remove(&mut self, field: &[u8], horizon: Millis) -> bool {
        match self {
            Hash::Pairs(packed) => packed::remove(packed, PAIR, field, horizon),
            Hash::Triplets(packed) => packed::remove(packed, TRIPLET, field, horizon),
            Hash::Table(table) => table.remove(field, horizon),
        }
    }

    /// Removes up to `most` fields that have expired at `horizon`; gives how many. `removed` is told each
    /// field and its deadline.
    pub fn expire(&mut self, horizon: Millis, most: usize, removed: impl FnMut(&[u8], Millis)) -> usize {
        match self {
            Hash::Pairs(_) => 0,
            Hash::Triplets(packed) => packed::expire(packed, horizon, most, removed),
            Hash::Table(table) => table.expire(horizon, most, removed),
        }
    }

    /// The fields that are there, in no order that means anything.
    pub fn iter(&self, horizon: Millis) -> impl Iterator<Item = Item<'_>> + Clone {
        let all = match self {
            Hash::Pairs(packed) | Hash::Triplets(packed) => Items::Packed(packed::Items::new(packed, self.width())),
            Hash::Table(table) => Items::Table(table.iter()),
        };
        all.filter(move |item| is_there(item.deadline, horizon))
    }

    /// Visits the fields of one step of a scan; gives the next cursor, 0 at the end.
    pub fn scan(&self, cursor: u64, horizon: Millis, mut visit: impl FnMut(Item<'_>)) -> u64 {
        let Hash::Table(table) = self else {
            self.iter(horizon).for_each(visit);
            return 0;
        };
        table.scan(cursor, |block| {
            let item = Item::of(block);
            if is_there(item.deadline, horizon) {
                visit(item);
            }
        })
    }

    /// Visits `count` fields drawn with equal chance, each anew. Nothing is visited if there is no field.
    pub fn draw(&self, count: u64, horizon: Millis, random: &mut Random, mut visit: impl FnMut(Item<'_>)) {
        if let (Hash::Table(table), false) = (self, self.hides(horizon)) {
            for _ in 0..count {
                let Some(block) = table.random(random) else { return };
                visit(Item::of(block));
            }
            return;
        }
        let all: Vec<Item> = self.iter(horizon).collect();
        for _ in 0..if all.is_empty() { 0 } else { count } {
            visit(all[random.index(all.len())]);
        }
    }

    /// Visits `count` different fields, every choice equally likely, or all fields if they are no more.
    pub fn draw_distinct(&self, count: usize, horizon: Millis, random: &mut Random, mut visit: impl FnMut(Item<'_>)) {
        match self {
            // few of many: what was drawn before is drawn again, which is rare
            Hash::Table(table) if count <= self.len() / 3 && !self.hides(horizon) => {
                let mut drawn = HashSet::with_capacity(count);
                while drawn.len() < count {
                    let Some(block) = table.random(random) else { return };
                    if drawn.insert(block.field().as_ptr()) {
                        visit(Item::of(block));
                    }
                }
            }
            _ => {
                let mut all: Vec<Item> = self.iter(horizon).collect();
                for index in 0..count.min(all.len()) {
                    let other = index + random.index(all.len() - index);
                    all.swap(index, other);
                    visit(all[index]);
                }
            }
        }
    }

    /// Bytes in use; in a table those of the blocks are reckoned from the first `samples`, 0 for all.
    pub fn allocated(&self, samples: usize) -> usize {
        match self {
            Hash::Pairs(packed) | Hash::Triplets(packed) => packed.allocated(),
            Hash::Table(table) => table.allocated(samples),
        }
    }

    /// A hash from a packed block that somebody else wrote: `None` unless it has whole groups, sound
    /// deadlines, and each field once. `with_deadlines` says whether the groups are triplets.
    pub fn from_packed(block: Packed, with_deadlines: bool, bounds: &Bounds) -> Option<Hash> {
        let width = if with_deadlines { TRIPLET } else { PAIR };
        if !block.len().is_multiple_of(width) {
            return None;
        }
        let sound = !with_deadlines
            || block.iter().skip(2).step_by(TRIPLET).all(|e| e.as_i64().is_some_and(|word| (0..=MAX_DEADLINE.0).contains(&word)));
        let mut seen = HashSet::new();
        if !sound || !packed::Items::new(&block, width).all(|item| seen.insert(item.field.text())) {
            return None;
        }
        let mut longest = 0;
        let mut last = Some(NEVER);
        let mut in_order = true;
        for item in packed::Items::new(&block, width) {
            longest = longest.max(item.field.len()).max(item.value.len());
            in_order &= item.deadline.is_none() || last.is_some_and(|last| Some(last) <= item.deadline);
            last = item.deadline;
        }
        let fits = block.len() / width <= bounds.entries && longest <= bounds.value && block.bytes() <= SMALL_BYTES;
        drop(seen);
        let mut hash = if with_deadlines { Hash::Triplets(block) } else { Hash::Pairs(block) };
        if !fits {
            hash.make_table(bounds);
        } else if with_deadlines && !in_order {
            let mut sorted = Hash::Triplets(Packed::new());
            for item in hash.iter(NEVER) {
                let ttl = item.deadline.map_or(FieldTtl::Clear, FieldTtl::At);
                sorted.set(&item.field.text(), &item.value.text(), ttl, bounds, NEVER);
            }
            hash = sorted;
        }
        Some(hash)
    }

    /// The packed block, and whether it holds triplets; `None` for a table.
    pub fn as_packed(&self) -> Option<(&Packed, bool)> {
        match self {
            Hash::Pairs(packed) => Some((packed, false)),
            Hash::Triplets(packed) => Some((packed, true)),
            Hash::Table(_) => None,
        }
    }

    /// Makes room for deadlines. HEXPIRE does so before it knows whether it will set any, which shows in
    /// the encoding.
    pub fn make_triplets(&mut self) {
        if let Hash::Pairs(packed) = self {
            *self = Hash::Triplets(packed::with_deadlines(packed));
        }
    }

    #[cold]
    fn make_table(&mut self, bounds: &Bounds) {
        if matches!(self, Hash::Table(_)) {
            return;
        }
        let mut table = FieldTable::new(bounds.hasher);
        for item in self.iter(NEVER) {
            let ttl = item.deadline.map_or(FieldTtl::Clear, FieldTtl::At);
            table.set(&item.field.text(), &item.value.text(), ttl, NEVER);
        }
        *self = Hash::Table(Box::new(table));
    }
}

impl<'a> Item<'a> {
    fn of(block: field::FieldRef<'a>) -> Self {
        Item { field: StringRef::Bytes(block.field()), value: StringRef::Bytes(block.value()), deadline: block.deadline() }
    }
}

/// The fields of a hash in any form.
#[derive(Clone)]
enum Items<'a> {
    Packed(packed::Items<'a>),
    Table(table::FieldIter<'a>),
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;
    fn next(&mut self) -> Option<Item<'a>> {
        match self {
            Items::Packed(items) => items.next(),
            Items::Table(blocks) => blocks.next().map(Item::of),
        }
    }
}

// SAFETY: a packed block is rebuilt from its address, a box from its pointer; the kind tells them apart.
unsafe impl Stored for Hash {
    const TYPE: Type = Type::Hash;
    #[inline]
    fn into_raw(self) -> (Kind, u64) {
        match self {
            Hash::Pairs(packed) => (Kind::HashPacked, packed.into_raw()),
            Hash::Triplets(packed) => (Kind::HashPackedExpiring, packed.into_raw()),
            Hash::Table(table) => {
                let kind = if table.expiring() == 0 { Kind::HashTable } else { Kind::HashTableExpiring };
                (kind, Box::into_raw(table) as u64)
            }
        }
    }
    #[inline]
    unsafe fn from_raw(kind: Kind, payload: u64) -> Self {
        // SAFETY: the caller's promise: the payload is what the kind says.
        unsafe {
            if matches!(kind, Kind::HashTable | Kind::HashTableExpiring) {
                return Hash::Table(Box::from_raw(payload as *mut FieldTable));
            }
            let block = Packed::from_raw(payload);
            if kind == Kind::HashPacked { Hash::Pairs(block) } else { Hash::Triplets(block) }
        }
    }
    /// Fields, expired ones included.
    #[inline]
    fn len(&self) -> usize {
        match self {
            Hash::Pairs(packed) => packed.len() / PAIR,
            Hash::Triplets(packed) => packed.len() / TRIPLET,
            Hash::Table(table) => table.len(),
        }
    }
    #[inline]
    fn earliest_deadline(&self) -> Option<Millis> {
        match self {
            Hash::Pairs(_) => None,
            Hash::Triplets(packed) => packed::earliest(packed),
            Hash::Table(table) => table.earliest(),
        }
    }
}
