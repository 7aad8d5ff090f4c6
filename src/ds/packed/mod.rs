//! `Packed`: a short sequence of strings and integers in one allocation, laid out as Redis's
//! listpack, byte for byte, so that DUMP and RDB write it as it lies in memory.
//!
//! ```text
//! total bytes  u32 le | count  u16 le | entry entry ... | 0xFF
//! ```
//!
//! All but the end mark: it says nothing that the total does not, and one byte decides, for every
//! sixteenth collection, about a size class. So the total is one more than the bytes in memory.
//! The count saturates: 65535 means "unknown, walk and see". Entries are described in [`entry`],
//! the checks on foreign bytes in [`check`], the allocation in [`block`].
//!
//! Invariants:
//! - the handle is one non-null pointer to a block whose capacity is `capacity_for(total)`;
//! - the bytes, with the end mark, always pass [`check::check`], between any two calls.
//!
//! A [`Position`] is an offset among the entries. It stays good until something before it or
//! at it changes; a stale one gives a wrong element or a panic, never memory that is not ours.
//!
//! The road not taken: borrowing cursors that cannot go stale. A sorted set holds the place of a
//! member while it reads the score behind it and then writes there, which a shared borrow forbids.

#![allow(unsafe_code)]

pub(in crate::ds) mod block;
mod build;
pub(in crate::ds) mod check;
pub(in crate::ds) mod entry;
mod iter;
#[cfg(test)]
pub(in crate::ds) mod tests;

use std::fmt;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use entry::{Needle, decode, encode, entry_len, entry_len_at, previous};

pub use block::class_size;
pub use build::Builder;
pub use check::Error;
pub use entry::{Element, TextBuffer, parse_int};
pub use iter::{Backward, Forward};

/// Bytes before the first entry.
pub(in crate::ds) const HEADER: usize = 6;
/// Bytes around the entries: header and end mark.
pub const FRAME: usize = HEADER + 1;
/// The end mark.
const END: u8 = 0xFF;
/// A count that has to be found by walking.
pub(in crate::ds) const COUNT_UNKNOWN: u16 = u16::MAX;

/// Most bytes that a packed container may hold. Callers turn to another form long before, or ask
/// [`Packed::has_room_for`].
pub const MAX_BYTES: usize = 1 << 30;
/// Most bytes of a small collection, whatever else bounds it: a score that changes or a deadline that comes to each field makes
/// it up to seven times as large.
pub const SMALL_BYTES: usize = MAX_BYTES / 8;

/// The place of an element: its offset among the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position(u32);

impl Position {
    fn new(offset: usize) -> Self {
        Position(u32::try_from(offset).expect("a container is smaller than 4 GiB"))
    }

    fn offset(self) -> usize {
        self.0 as usize
    }
}

/// A listpack behind a handle of one pointer.
pub struct Packed {
    block: NonNull<u8>,
}

// SAFETY: the handle owns its block alone and shares nothing through it.
unsafe impl Send for Packed {}
// SAFETY: shared references only read the block.
unsafe impl Sync for Packed {}

const _: () = assert!(size_of::<Option<Packed>>() == 8);

impl Packed {
    /// An empty container.
    pub fn new() -> Self {
        Self::from_entries(&[], 0)
    }

    /// A container of `bytes`, which are checked through and through. Says nothing about what the
    /// elements mean: whether they come in pairs, or twice, is for the caller to see.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let count = check::check(bytes)?;
        Ok(Self::from_entries(&bytes[HEADER..bytes.len() - 1], count))
    }

    /// A container of entries that are known to be sound and `count` in number.
    pub(in crate::ds) fn from_entries(entries: &[u8], count: usize) -> Self {
        let total = entries.len() + FRAME;
        assert!(total <= MAX_BYTES, "callers bound what they pack");
        let block = block::allocate(capacity_for(total));
        let head = frame(total, count);
        // SAFETY: the block has room for head and entries and is new, so nothing overlaps.
        unsafe {
            let base = block.as_ptr();
            ptr::copy_nonoverlapping(head.as_ptr(), base, HEADER);
            ptr::copy_nonoverlapping(entries.as_ptr(), base.add(HEADER), entries.len());
        }
        Packed { block }
    }

    /// Gives up ownership as one word, for [`Packed::from_raw`] to take back.
    pub fn into_raw(self) -> u64 {
        std::mem::ManuallyDrop::new(self).block.as_ptr().expose_provenance() as u64
    }

    /// Takes ownership back.
    ///
    /// # Safety
    /// `raw` came from [`Packed::into_raw`], and no other owner of it is used.
    pub unsafe fn from_raw(raw: u64) -> Packed {
        let block = ptr::with_exposed_provenance_mut(raw as usize);
        Packed { block: NonNull::new(block).expect("the address of a block") }
    }

    /// The listpack, as it goes into a file.
    pub fn to_listpack(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_listpack(self.entries(), self.len(), &mut out);
        out
    }

    /// Size of the listpack in bytes.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.total()
    }

    /// Bytes taken from the allocator.
    pub fn allocated(&self) -> usize {
        capacity_for(self.total())
    }

    /// Number of elements. Beyond 65534 of them this walks.
    pub fn len(&self) -> usize {
        match self.stored_count() {
            COUNT_UNKNOWN => self.walk_count(),
            count => usize::from(count),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.total() == FRAME
    }

    /// Whether elements of `bytes` bytes of text together still fit below [`MAX_BYTES`].
    /// To be asked before adding what is large or many.
    pub fn has_room_for(&self, elements: usize, bytes: usize) -> bool {
        // The widest tag and back length together are ten bytes, an integer no longer than those.
        elements
            .checked_mul(10)
            .and_then(|overhead| overhead.checked_add(bytes))
            .and_then(|added| added.checked_add(self.total()))
            .is_some_and(|total| total <= MAX_BYTES)
    }

    /// Adds an element at the end.
    #[inline]
    pub fn push_back(&mut self, text: &[u8]) {
        self.insert_at(self.entries().len(), &[Element::from_text(text)]);
    }

    /// Adds several elements at the end in one step.
    pub fn push_elements(&mut self, elements: &[Element]) {
        self.insert_at(self.entries().len(), elements);
    }

    /// Adds the elements that an iterator gives at the end, in one step. Copies of the iterator give the
    /// same elements.
    #[inline]
    pub fn extend<'a>(&mut self, elements: impl Iterator<Item = Element<'a>> + Clone) {
        self.insert_all(self.entries().len(), elements);
    }

    /// Adds an element at the front.
    pub fn push_front(&mut self, text: &[u8]) {
        self.insert_at(0, &[Element::from_text(text)]);
    }

    /// Puts several elements in front of the one at `place`, and is the place of the first.
    pub fn insert_elements_before(&mut self, place: Position, elements: &[Element]) -> Position {
        self.insert_at(place.offset(), elements);
        place
    }

    /// Changes the element at `place`, which stays good.
    pub fn replace(&mut self, place: Position, text: &[u8]) {
        self.replace_element(place, &Element::from_text(text));
    }

    /// As [`Packed::replace`], with an element.
    pub fn replace_element(&mut self, place: Position, element: &Element) {
        let at = place.offset();
        let old = entry_len_at(&self.entries()[at..]);
        encode(element, self.open(at, old, entry_len(element)));
    }

    /// Removes up to `count` elements from `place` on, and is the place of what follows them.
    pub fn remove(&mut self, place: Position, count: usize) -> Option<Position> {
        let start = place.offset();
        let entries = self.entries();
        let mut end = start;
        let mut removed = 0;
        while removed < count && end < entries.len() {
            end += entry_len_at(&entries[end..]);
            removed += 1;
        }
        self.open(start, end - start, 0);
        self.count_removed(removed);
        (start < self.entries().len()).then_some(place)
    }

    /// Removes up to `count` elements from number `start` on; a negative `start` counts from the
    /// tail. Says how many there were.
    pub fn delete_range(&mut self, start: isize, count: usize) -> usize {
        let Some(place) = self.seek(start) else {
            return 0;
        };
        let before = self.len();
        self.remove(place, count);
        before - self.len()
    }

    /// The element at `place`.
    #[inline]
    pub fn at(&self, place: Position) -> Element<'_> {
        decode(&self.entries()[place.offset()..]).0
    }

    /// Element number `index`; a negative one counts from the tail.
    pub fn get(&self, index: isize) -> Option<Element<'_>> {
        Some(self.at(self.seek(index)?))
    }

    /// The place of element number `index`, walking from the nearer end.
    pub fn seek(&self, index: isize) -> Option<Position> {
        let len = self.len();
        let index = match usize::try_from(index) {
            Ok(index) => index,
            Err(_) => len.checked_sub(index.unsigned_abs())?,
        };
        (index < len).then(|| Position::new(offset_of(self.entries(), index, len)))
    }

    /// The place of the first element.
    #[inline]
    pub fn first(&self) -> Option<Position> {
        (!self.is_empty()).then_some(Position(0))
    }

    /// The place of the last element.
    #[inline]
    pub fn last(&self) -> Option<Position> {
        let entries = self.entries();
        (!entries.is_empty()).then(|| Position::new(previous(entries, entries.len())))
    }

    /// The place behind `place`.
    #[inline]
    pub fn next(&self, place: Position) -> Option<Position> {
        let entries = self.entries();
        let next = place.offset() + entry_len_at(&entries[place.offset()..]);
        (next < entries.len()).then(|| Position::new(next))
    }

    /// The place before `place`.
    #[inline]
    pub fn prev(&self, place: Position) -> Option<Position> {
        let at = place.offset();
        (at > 0).then(|| Position::new(previous(self.entries(), at)))
    }

    /// The place of the first element, from `start` on and of each `skip + 1`, that is `text`.
    /// `skip` is 1 to look at the fields of a hash and not at its values.
    pub fn find(&self, text: &[u8], start: Position, skip: usize) -> Option<Position> {
        entry::find(self.entries(), start.offset(), &Needle::new(text), skip).map(Position::new)
    }

    /// The elements from the first on.
    pub fn iter(&self) -> Forward<'_> {
        Forward::new(self.entries(), 0)
    }

    /// The elements from `place` on.
    pub fn iter_from(&self, place: Position) -> Forward<'_> {
        Forward::new(self.entries(), place.offset())
    }

    /// The elements from the last back to the first.
    pub fn iter_back(&self) -> Backward<'_> {
        let entries = self.entries();
        Backward::new(entries, entries.len())
    }

    /// The elements before `place`, the nearest first.
    pub fn iter_back_from(&self, place: Position) -> Backward<'_> {
        Backward::new(self.entries(), place.offset())
    }

    #[inline]
    pub(in crate::ds) fn entries(&self) -> &[u8] {
        // SAFETY: the block holds that many initialised bytes behind the head, for as long as it is borrowed.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr().add(HEADER), self.total() - FRAME) }
    }

    #[inline]
    fn total(&self) -> usize {
        // SAFETY: every block opens with the four bytes of its total, and blocks are aligned to 8.
        let stored = unsafe { self.block.cast::<u32>().read() };
        u32::from_le(stored) as usize
    }

    #[inline]
    fn stored_count(&self) -> u16 {
        // SAFETY: the count follows the total; offset 4 of a block aligned to 8 is even.
        let stored = unsafe { self.block.byte_add(4).cast::<u16>().read() };
        u16::from_le(stored)
    }

    fn walk_count(&self) -> usize {
        let entries = self.entries();
        let mut at = 0;
        let mut count = 0;
        while at < entries.len() {
            at += entry_len_at(&entries[at..]);
            count += 1;
        }
        count
    }

    fn set_count(&mut self, count: usize) {
        let stored = u16::try_from(count).unwrap_or(COUNT_UNKNOWN);
        // SAFETY: as in `stored_count`; we hold the only reference.
        unsafe { self.block.byte_add(4).cast::<u16>().write(stored.to_le()) }
    }

    #[inline]
    fn count_added(&mut self, added: usize) {
        if self.stored_count() != COUNT_UNKNOWN {
            self.set_count(usize::from(self.stored_count()) + added);
        }
    }

    /// An unknown count becomes known again once so few bytes are left that it must be small.
    fn count_removed(&mut self, removed: usize) {
        if self.stored_count() != COUNT_UNKNOWN {
            self.set_count(usize::from(self.stored_count()) - removed);
        } else if self.entries().len() < 2 * usize::from(COUNT_UNKNOWN) {
            self.set_count(self.walk_count());
        }
    }

    #[inline]
    fn insert_at(&mut self, at: usize, elements: &[Element]) {
        self.insert_all(at, elements.iter().copied());
    }

    #[inline]
    fn insert_all<'a>(&mut self, at: usize, elements: impl Iterator<Item = Element<'a>> + Clone) {
        let (count, added) = elements.clone().fold((0, 0), |(count, bytes), element| (count + 1, bytes + entry_len(&element)));
        let mut gap = self.open(at, 0, added);
        for element in elements {
            let (slot, rest) = gap.split_at_mut(entry_len(&element));
            encode(&element, slot);
            gap = rest;
        }
        assert!(gap.is_empty(), "a copy of an iterator gives what the iterator gives");
        self.count_added(count);
    }

    /// Replaces the `removed` bytes of entries at `at` by a gap of `added` bytes, which the caller
    /// fills with as many bytes of entries before anything else happens.
    fn open(&mut self, at: usize, removed: usize, added: usize) -> &mut [MaybeUninit<u8>] {
        let old = self.total();
        assert!(at + removed <= old - FRAME, "a place lies among the entries");
        let new = old - removed + added;
        assert!(new <= MAX_BYTES, "callers ask for room before they add");
        let from = HEADER + at + removed;
        let to = HEADER + at + added;
        if added > removed {
            self.resize(old, new);
        }
        if added != removed {
            // SAFETY: both ranges lie in the block, which has room for the longer of old and new entries here: it
            // was grown above, or is shrunk below.
            unsafe {
                let base = self.block.as_ptr();
                ptr::copy(base.add(from), base.add(to), old - 1 - from);
            }
        }
        if added < removed {
            self.resize(old, new);
        }
        // SAFETY: the gap lies in the block, and `MaybeUninit` asks nothing of its contents.
        unsafe {
            let gap = self.block.as_ptr().add(HEADER + at).cast();
            std::slice::from_raw_parts_mut(gap, added)
        }
    }

    /// Moves to the size class of `new` total bytes, and writes that total.
    #[inline]
    fn resize(&mut self, old: usize, new: usize) {
        let (old_class, new_class) = (capacity_for(old), capacity_for(new));
        if old_class != new_class {
            // SAFETY: the block's capacity is the class of its total, and the old pointer is
            // replaced here.
            self.block = unsafe { block::resize(self.block, old_class, new_class) };
        }
        let stored = u32::try_from(new).expect("bounded by MAX_BYTES").to_le();
        // SAFETY: every block opens with its total, aligned to 8.
        unsafe { self.block.cast::<u32>().write(stored) }
    }
}

/// What is allocated for a listpack of `total` bytes: all but its end mark.
#[inline]
fn capacity_for(total: usize) -> usize {
    class_size(total - 1)
}

/// Appends entries, `count` in number, as a whole listpack.
pub(in crate::ds) fn write_listpack(entries: &[u8], count: usize, out: &mut Vec<u8>) {
    out.reserve(entries.len() + FRAME);
    out.extend_from_slice(&frame(entries.len() + FRAME, count));
    out.extend_from_slice(entries);
    out.push(END);
}

/// The six bytes that open a listpack.
fn frame(total: usize, count: usize) -> [u8; HEADER] {
    let [t0, t1, t2, t3] = u32::try_from(total).expect("bounded by MAX_BYTES").to_le_bytes();
    let [c0, c1] = u16::try_from(count).unwrap_or(COUNT_UNKNOWN).to_le_bytes();
    [t0, t1, t2, t3, c0, c1]
}

/// Offset of entry number `index` of `len`, walking from the nearer end. `index == len` is the end.
pub(in crate::ds) fn offset_of(entries: &[u8], index: usize, len: usize) -> usize {
    if index <= len / 2 {
        (0..index).fold(0, |at, _| at + entry_len_at(&entries[at..]))
    } else {
        (index..len).fold(entries.len(), |end, _| previous(entries, end))
    }
}

/// The elements of a whole listpack from outside, which is checked through and through, where it lies.
pub fn elements(bytes: &[u8]) -> Result<Forward<'_>, Error> {
    check::check(bytes)?;
    Ok(Forward::new(&bytes[HEADER..bytes.len() - 1], 0))
}

impl Default for Packed {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Packed {
    fn clone(&self) -> Self {
        Self::from_entries(self.entries(), self.len())
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        // SAFETY: the block is ours, its capacity is the class of its total, and this is the end.
        unsafe { block::release(self.block, capacity_for(self.total())) }
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &'a Packed {
    type Item = Element<'a>;
    type IntoIter = Forward<'a>;

    fn into_iter(self) -> Forward<'a> {
        self.iter()
    }
}
