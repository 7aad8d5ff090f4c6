//! `Run`: one node of the deque, entries in one allocation with slack at both ends.
//!
//! ```text
//! block:   | slack | entry entry ... entry | slack |
//!          0     front                front+used   capacity
//! ```
//!
//! The entries are those of a listpack without its frame, so that a run becomes one by writing
//! seven bytes around it. Slack at the front is what Redis's nodes lack: there, pushing to or
//! popping from the head moves the whole node.
//!
//! Invariants: `front + used <= capacity`; those `used` bytes are initialised and are `count` sound
//! entries; a capacity of 0 has no block.
//!
//! Growth comes in two kinds, [`Room`]: a short list pays for each byte, so it moves from size
//! class to size class; the end of a long list doubles up to the node limit and is sealed (slack
//! given back) when the end moves on to a new node. When one end runs out of slack while the other
//! has plenty (a queue), the entries slide instead; they slide at most their own length for every
//! eighth of it that is pushed.

#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use super::super::packed::block::{allocate, class_size, release};
use super::super::packed::check::check;
use super::super::packed::entry::{Element, Needle, decode, encode, entry_len, entry_len_at, find, previous};
use super::super::packed::{Error, FRAME, HEADER, offset_of};
use super::End;

/// How much slack to take when a run has to grow.
#[derive(Clone, Copy)]
pub(super) enum Room {
    /// What the size class gives.
    Tight,
    /// Twice the present size, but no more than so many bytes, and at least the first number.
    Doubling { least: usize, most: usize },
}

/// Entries with slack on both sides.
pub(super) struct Run {
    block: NonNull<u8>,
    capacity: u32,
    front: u32,
    used: u32,
    count: u32,
}

// SAFETY: a run owns its block alone and shares nothing through it.
unsafe impl Send for Run {}
// SAFETY: shared references only read the block.
unsafe impl Sync for Run {}

fn narrow(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("nodes are far smaller than 4 GiB")
}

impl Run {
    pub(super) fn new() -> Self {
        Run { block: NonNull::dangling(), capacity: 0, front: 0, used: 0, count: 0 }
    }

    /// A run without slack of entries that are known to be sound and `count` in number.
    pub(super) fn from_entries(entries: &[u8], count: usize) -> Self {
        let mut run = Run::new();
        if !entries.is_empty() {
            run.move_to(class_size(entries.len()), 0);
            run.used = narrow(entries.len());
            run.count = narrow(count);
            // SAFETY: the new block has room for the entries.
            unsafe {
                ptr::copy_nonoverlapping(entries.as_ptr(), run.block.as_ptr(), entries.len());
            }
        }
        run
    }

    /// A run of the entries of a listpack, which is checked through and through.
    pub(super) fn from_listpack(bytes: &[u8]) -> Result<Self, Error> {
        let count = check(bytes)?;
        Ok(Self::from_entries(&bytes[HEADER..bytes.len() - 1], count))
    }

    #[inline]
    pub(super) fn entries(&self) -> &[u8] {
        // SAFETY: the used bytes lie in the block and are initialised; without a block the
        // pointer is dangling and the length 0.
        unsafe {
            let start = self.block.as_ptr().add(self.front as usize);
            std::slice::from_raw_parts(start, self.used as usize)
        }
    }

    #[inline]
    pub(super) fn count(&self) -> usize {
        self.count as usize
    }

    #[inline]
    pub(super) fn used(&self) -> usize {
        self.used as usize
    }

    /// Size of the run as a listpack.
    pub(super) fn listpack_bytes(&self) -> usize {
        self.used() + FRAME
    }

    /// Bytes taken from the allocator.
    pub(super) fn allocated(&self) -> usize {
        self.capacity as usize
    }

    #[inline]
    pub(super) fn push_back(&mut self, element: &Element, room: Room) {
        let len = entry_len(element);
        if len > self.back_slack() {
            self.make_back_room(len, room);
        }
        let at = self.used();
        self.used += narrow(len);
        self.count += 1;
        encode(element, self.gap(at, len));
    }

    #[inline]
    pub(super) fn push_front(&mut self, element: &Element, room: Room) {
        let len = entry_len(element);
        if len > self.front as usize {
            self.make_front_room(len, room);
        }
        self.front -= narrow(len);
        self.used += narrow(len);
        self.count += 1;
        encode(element, self.gap(0, len));
    }

    #[inline]
    pub(super) fn first(&self) -> Option<Element<'_>> {
        (self.used > 0).then(|| decode(self.entries()).0)
    }

    /// Takes the first element out, showing it to `visit` on the way.
    #[inline]
    pub(super) fn pop_front<R>(&mut self, visit: impl FnOnce(Element) -> R) -> Option<R> {
        if self.used == 0 {
            return None;
        }
        let (element, len) = decode(self.entries());
        let result = visit(element);
        self.front += narrow(len);
        self.used -= narrow(len);
        self.count -= 1;
        Some(result)
    }

    /// Takes the last element out, showing it to `visit` on the way.
    #[inline]
    pub(super) fn pop_back<R>(&mut self, visit: impl FnOnce(Element) -> R) -> Option<R> {
        if self.used == 0 {
            return None;
        }
        let entries = self.entries();
        let at = previous(entries, entries.len());
        let result = visit(decode(&entries[at..]).0);
        self.used = narrow(at);
        self.count -= 1;
        Some(result)
    }

    /// Element number `index`, which there is.
    pub(super) fn get(&self, index: usize) -> Element<'_> {
        decode(&self.entries()[self.offset(index)..]).0
    }

    /// Offset of element number `index`; of the end for the number of elements.
    pub(super) fn offset(&self, index: usize) -> usize {
        offset_of(self.entries(), index, self.count())
    }

    pub(super) fn replace(&mut self, index: usize, element: &Element) {
        let at = self.offset(index);
        let old = entry_len_at(&self.entries()[at..]);
        encode(element, self.open(at, old, entry_len(element)));
    }

    pub(super) fn insert(&mut self, index: usize, element: &Element) {
        let at = self.offset(index);
        let gap = self.open(at, 0, entry_len(element));
        encode(element, gap);
        self.count += 1;
    }

    /// Removes `count` elements, which there are, from number `index` on.
    pub(super) fn remove(&mut self, index: usize, count: usize) {
        let start = self.offset(index);
        let end = self.offset(index + count);
        self.open(start, end - start, 0);
        self.count -= narrow(count);
        self.shrink();
    }

    /// Removes up to `limit` of the elements that the needle is, beginning at one end; says how
    /// many there were. What stays is moved once, however many go.
    pub(super) fn remove_matches(&mut self, needle: &Needle, limit: usize, from: End) -> usize {
        let passed_over = match from {
            End::Front => 0,
            End::Back => self.count_matches(needle).saturating_sub(limit),
        };
        self.remove_matches_after(needle, passed_over, limit)
    }

    /// Removes up to `limit` matches behind the first `passed_over` of them.
    fn remove_matches_after(&mut self, needle: &Needle, passed_over: usize, limit: usize) -> usize {
        let mut kept = 0;
        let mut from = 0;
        let mut removed = 0;
        let mut seen = 0;
        let mut at = 0;
        while removed < limit
            && let Some(hit) = find(self.entries(), at, needle, 0)
        {
            let end = hit + entry_len_at(&self.entries()[hit..]);
            seen += 1;
            if seen > passed_over {
                self.move_entries(from, kept, hit - from);
                kept += hit - from;
                from = end;
                removed += 1;
            }
            at = end;
        }
        let rest = self.used() - from;
        self.move_entries(from, kept, rest);
        self.used = narrow(kept + rest);
        self.count -= narrow(removed);
        if removed > 0 {
            self.shrink();
        }
        removed
    }

    /// How many elements the needle is.
    fn count_matches(&self, needle: &Needle) -> usize {
        let entries = self.entries();
        let mut at = 0;
        let mut matches = 0;
        while let Some(hit) = find(entries, at, needle, 0) {
            matches += 1;
            at = hit + entry_len_at(&entries[hit..]);
        }
        matches
    }

    /// The number of an element, not the first, before which about half of the bytes lie.
    pub(super) fn middle(&self) -> usize {
        let entries = self.entries();
        let (mut at, mut index) = (0, 0);
        while at < entries.len() / 2 {
            at += entry_len_at(&entries[at..]);
            index += 1;
        }
        index.clamp(1, self.count().saturating_sub(1).max(1))
    }

    /// Keeps the first `index` elements and gives the others, both without slack.
    pub(super) fn split_off(&mut self, index: usize) -> Run {
        let at = self.offset(index);
        let right = Run::from_entries(&self.entries()[at..], self.count() - index);
        self.used = narrow(at);
        self.count = narrow(index);
        self.seal();
        right
    }

    /// Adds the elements of another run at the end.
    pub(super) fn absorb(&mut self, other: &Run) {
        let at = self.used();
        self.open(at, 0, other.used()).write_copy_of_slice(other.entries());
        self.count += other.count;
    }

    /// Gives all slack back.
    pub(super) fn seal(&mut self) {
        if self.used == 0 {
            *self = Run::new();
        } else if class_size(self.used()) < self.allocated() {
            self.move_to(class_size(self.used()), 0);
        }
    }

    /// Gives slack back when little of the block is in use.
    #[inline]
    pub(super) fn shrink(&mut self) {
        if self.capacity > 64 && self.used < self.capacity / 4 {
            self.give_back();
        }
    }

    #[cold]
    fn give_back(&mut self) {
        if self.used == 0 {
            *self = Run::new();
        } else {
            self.move_to(class_size(self.used() + self.used() / 4), 0);
        }
    }

    #[inline]
    fn back_slack(&self) -> usize {
        (self.capacity - self.front - self.used) as usize
    }

    #[cold]
    fn make_back_room(&mut self, len: usize, room: Room) {
        let front = self.front as usize;
        if front >= len && front >= self.used() / 2 {
            self.slide_to(0);
        } else {
            self.move_to(self.grown(len, room), 0);
        }
    }

    #[cold]
    fn make_front_room(&mut self, len: usize, room: Room) {
        let back = self.back_slack();
        if back >= len && back >= self.used() / 2 {
            self.slide_to(self.allocated() - self.used());
        } else {
            let capacity = self.grown(len, room);
            self.move_to(capacity, capacity - self.used());
        }
    }

    /// Capacity to take when `len` bytes are to be added.
    fn grown(&self, len: usize, room: Room) -> usize {
        let wanted = self.used() + len;
        match room {
            Room::Tight => {
                // Slack at the other end tells a queue: without some air it would slide each time.
                let slack = self.allocated() - self.used();
                let air = if slack >= len { self.used() / 8 } else { 0 };
                class_size(wanted + air)
            }
            Room::Doubling { least, most } => class_size(wanted.max((2 * wanted).min(most)).max(least.min(most))),
        }
    }

    /// Moves the entries to offset `front` of the same block.
    fn slide_to(&mut self, front: usize) {
        debug_assert!(front + self.used() <= self.allocated());
        // SAFETY: source and target lie in the block.
        unsafe {
            let base = self.block.as_ptr();
            ptr::copy(base.add(self.front as usize), base.add(front), self.used());
        }
        self.front = narrow(front);
    }

    /// Moves the entries to offset `front` of a new block.
    fn move_to(&mut self, capacity: usize, front: usize) {
        assert!(front + self.used() <= capacity, "a block holds its entries");
        let block = allocate(capacity);
        // SAFETY: the used bytes lie in the old block, their new place in the new one.
        unsafe {
            let to = block.as_ptr().add(front);
            ptr::copy_nonoverlapping(self.entries().as_ptr(), to, self.used());
        }
        self.release();
        self.block = block;
        self.capacity = narrow(capacity);
        self.front = narrow(front);
    }

    fn release(&mut self) {
        if self.capacity > 0 {
            // SAFETY: the block is ours with this capacity, and every caller lets go of it next.
            unsafe { release(self.block, self.allocated()) }
            self.capacity = 0;
        }
    }

    /// Moves `len` bytes of entries within the run.
    fn move_entries(&mut self, from: usize, to: usize, len: usize) {
        assert!(from.max(to) + len <= self.used(), "entries stay in the run");
        // SAFETY: both ranges lie in the used part of the block, asserted above.
        unsafe {
            let base = self.block.as_ptr().add(self.front as usize);
            ptr::copy(base.add(from), base.add(to), len);
        }
    }

    /// The `len` bytes at offset `at`, to be written to.
    #[inline]
    fn gap(&mut self, at: usize, len: usize) -> &mut [MaybeUninit<u8>] {
        assert!(at + len <= self.used(), "a gap lies in the run");
        // SAFETY: the gap lies in the block; `MaybeUninit` asks nothing of its contents.
        unsafe {
            let start = self.block.as_ptr().add(self.front as usize + at);
            std::slice::from_raw_parts_mut(start.cast(), len)
        }
    }

    /// Replaces the `removed` bytes of entries at `at` by a gap of `added` bytes, which the caller
    /// fills with as many bytes of entries. The shorter side makes way if it can.
    fn open(&mut self, at: usize, removed: usize, added: usize) -> &mut [MaybeUninit<u8>] {
        let behind = at + removed;
        assert!(behind <= self.used(), "an element lies in the run");
        if added <= removed {
            self.close(at, removed - added);
        } else {
            self.widen(behind, added - removed);
        }
        self.gap(at, added)
    }

    /// Takes `len` bytes at `at` out.
    fn close(&mut self, at: usize, len: usize) {
        let behind = self.used() - at - len;
        if at < behind {
            self.move_entries(0, len, at);
            self.front += narrow(len);
        } else {
            self.move_entries(at + len, at, behind);
        }
        self.used -= narrow(len);
    }

    /// Puts `len` bytes of anything at `at`.
    fn widen(&mut self, at: usize, len: usize) {
        let behind = self.used() - at;
        let (front, back) = (self.front as usize, self.back_slack());
        if front < len && back < len {
            self.move_to(class_size(self.used() + len), 0);
        }
        let (front, back) = (self.front as usize, self.back_slack());
        let by_front = front >= len && (at < behind || back < len);
        self.used += narrow(len);
        if by_front {
            self.front -= narrow(len);
            self.move_entries(len, 0, at);
        } else {
            self.move_entries(at, at + len, behind);
        }
    }
}

impl Clone for Run {
    fn clone(&self) -> Self {
        Run::from_entries(self.entries(), self.count())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.release();
    }
}
