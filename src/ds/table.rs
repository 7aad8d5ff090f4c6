//! The segmented hash table: extendible hashing over small segments of cache-line buckets.
//!
//! It holds owned, thin blocks (a key of the keyspace, a field of a hash, a member of a set), each
//! behind one 8-byte slot, and grows without a pause and without a second table:
//!
//! - A **directory** of `2^g` words is indexed by the top `g` bits of a key's hash. A word packs the
//!   segment's address with its local depth and its number of buckets, so a lookup reads one directory
//!   word, one bucket and one block, and nothing else.
//! - A **segment** of depth `d` holds every key whose hash begins with its `d`-bit prefix. It has a
//!   header line and 1 to 63 buckets; the sizes are the allocator's size classes. A segment that has
//!   no room grows to its next size; one of the largest size splits in two by the next hash bit.
//! - A **bucket** is one cache line: seven tag bytes (8 hash bits each), a byte of occupancy, and seven
//!   slots. A key lives in its home bucket or, when that was full, in one of the next seven (wrapping);
//!   bit 7 of the occupancy byte says that some key passed over this full bucket on its way.
//! - A **slot** keeps 16 more hash bits above the 48 of the address. Together with the tag that is a
//!   window of hash bits 8 to 31 (counted from the top), from which growth and splits find every key's
//!   new place without touching a block.
//!
//! - The segments of a large table lie in [`rows`], one for each size, so that they leave no gaps as they grow.
//!
//! Buckets are ordered by hash: within a segment, the home is `fraction * buckets >> 16`, where the
//! fraction is the 16 hash bits after the prefix. So the whole table is one ordered walk over the hash
//! space, whatever its shape, and a **scan cursor** is just a position in that space: splits, growth,
//! shrinking and merges between two calls cannot hide a key that was there throughout.
//!
//! The road not taken: power-of-two segments. They halve their fill at every doubling (45 to 90 %, in
//! step over the whole table since hashes are uniform); sizes between keep it near 80 %.
//!
//! Source of the idea: R. Fagin et al., "Extendible hashing", 1979; B. Lu et al., "Dash", 2020, for
//! segments with neighbour overflow.
#![allow(unsafe_code)]

mod rows;
mod segment;

use std::hash::Hasher as _;
use std::marker::PhantomData;
use std::ptr::NonNull;

use siphasher::sip::SipHasher13;

use super::line::{prefetch, same};
use rows::Rows;
use segment::{ADDRESS, Bucket, MAX_BUCKETS, OVERFLOW, PRESENT, SIZES, SLOTS, SegmentRef};
use segment::{bits, block_of, bytes_of, place, slot_of, tag_of};

/// From so many segments on, new ones lie in rows.
const ROWS_FROM: usize = if cfg!(test) { 8 } else { 512 };

/// The keyed hash of a process: flooding a table needs the keys.
#[derive(Clone, Copy, Debug)]
pub struct KeyHasher {
    sip: SipHasher13,
}

impl KeyHasher {
    /// A hasher with the given 128-bit key.
    pub fn new(k0: u64, k1: u64) -> Self {
        KeyHasher { sip: SipHasher13::new_with_keys(k0, k1) }
    }

    /// The 64-bit hash of `key`.
    #[inline]
    pub fn hash(&self, key: &[u8]) -> u64 {
        let mut state = self.sip;
        state.write(key);
        state.finish()
    }
}

/// An owned thin block that a [`Table`] can hold.
///
/// # Safety
/// `into_raw` must give an address below 2^48 that stays valid until `from_raw` takes it back, and
/// `key` must return the same bytes for as long as the block is in a table.
pub unsafe trait Block: Sized {
    /// Gives up ownership as an address.
    fn into_raw(self) -> NonNull<u8>;
    /// Takes ownership back.
    ///
    /// # Safety
    /// `raw` came from `into_raw` and is not used as an owner elsewhere.
    unsafe fn from_raw(raw: NonNull<u8>) -> Self;
    /// The key bytes of the block at `raw`.
    ///
    /// # Safety
    /// `raw` came from `into_raw`, and the block lives for `'a`.
    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8];
}

/// A part of the way to a block, as the processor is asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The home bucket.
    Bucket,
    /// The block that the bucket, which is near by then, names for the hash.
    Block,
}

/// Where a block was found. Good until a block next comes or goes: a stale one may lead to memory that was given back. No method
/// asks whether it is, but in a debug build, where each is asserted to be of the table's present [`Age`].
#[derive(Clone, Copy)]
pub struct Position {
    segment: SegmentRef,
    bucket: usize,
    slot: usize,
    age: Age,
}

/// How many blocks have come and gone, which is counted in debug builds only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Age(#[cfg(debug_assertions)] u64);

impl Age {
    #[inline]
    fn pass(&mut self) {
        #[cfg(debug_assertions)]
        {
            self.0 += 1;
        }
    }
}

/// A set of owned blocks found by their keys. See the module's essay.
pub struct Table<B: Block> {
    directory: Vec<SegmentRef>,
    global_depth: u32,
    /// Segments whose depth is the global depth; when none is left the directory halves.
    deepest: usize,
    segments: usize,
    bytes: usize,
    len: usize,
    rows: Option<Box<Rows>>,
    /// How many blocks there will be, as far as somebody has said; see [`Table::expect`].
    expected: usize,
    hasher: KeyHasher,
    age: Age,
    owns: PhantomData<B>,
}

impl<B: Block> Table<B> {
    /// An empty table; it allocates with the first insertion.
    pub fn new(hasher: KeyHasher) -> Self {
        Table {
            directory: Vec::new(),
            global_depth: 0,
            deepest: 0,
            segments: 0,
            bytes: 0,
            len: 0,
            rows: None,
            expected: 0,
            hasher,
            age: Age::default(),
            owns: PhantomData,
        }
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no block.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The hasher that the table was made with.
    pub fn hasher(&self) -> KeyHasher {
        self.hasher
    }

    /// Bytes of segments and directory, without the blocks.
    pub fn bytes(&self) -> usize {
        let rows = self.rows.as_ref().map_or(0, |rows| size_of::<Rows>() + rows.spare());
        self.bytes + self.directory.capacity() * 8 + rows
    }

    /// Number of slots, taken or not.
    pub fn capacity(&self) -> usize {
        (self.bytes / 64 - self.segments) * SLOTS
    }

    #[inline]
    fn directory_index(&self, hash: u64) -> usize {
        // a shift by 64 is not defined, so two steps
        (hash >> 1 >> (63 - self.global_depth)) as usize
    }

    #[inline]
    fn segment_of(&self, hash: u64) -> Option<SegmentRef> {
        self.directory.get(self.directory_index(hash)).copied()
    }

    /// Asks the processor for the home bucket of `hash`.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        if let Some(segment) = self.segment_of(hash) {
            prefetch(segment.base().wrapping_add(64 * (segment.home(hash) + 1)));
        }
    }

    /// Asks the processor for the directory's word for `hash`, which [`Table::prefetch_place`] needs.
    #[inline]
    pub fn prefetch_word(&self, hash: u64) {
        prefetch(self.directory.as_ptr().wrapping_add(self.directory_index(hash)).cast());
    }

    /// Asks the processor for what an insertion of `hash` changes: its home bucket and the segment's header.
    #[inline]
    pub fn prefetch_place(&self, hash: u64) {
        if let Some(segment) = self.segment_of(hash) {
            prefetch(segment.base());
            prefetch(segment.base().wrapping_add(64 * (segment.home(hash) + 1)));
        }
    }

    /// Asks the processor for the block that probably has `hash`; its bucket should be near by now.
    #[inline]
    pub fn prefetch_block(&self, hash: u64) {
        let Some(segment) = self.segment_of(hash) else { return };
        let bucket = segment.bucket(segment.home(hash));
        let found = bucket.matches(tag_of(hash));
        if found != 0 {
            let slot = bucket.slots[found.trailing_zeros() as usize];
            prefetch((slot & ADDRESS) as *const u8);
        } else if bucket.occupied & OVERFLOW != 0 {
            prefetch(segment.base().wrapping_add(64 * (segment.next(segment.home(hash)) + 1)));
        }
    }

    /// Asks the processor for a part of the way to what has `hash`.
    #[inline]
    pub fn prefetch(&self, hash: u64, part: Part) {
        match part {
            Part::Bucket => self.prefetch_bucket(hash),
            Part::Block => self.prefetch_block(hash),
        }
    }

    /// Where in its home bucket a block may have `hash`: the first place, without a look at its key.
    #[inline]
    pub fn probable(&self, hash: u64) -> Option<Position> {
        let segment = self.segment_of(hash)?;
        let index = segment.home(hash);
        let found = segment.bucket(index).matches(tag_of(hash));
        if found == 0 { None } else { Some(self.position(segment, index, found.trailing_zeros() as usize)) }
    }

    /// The address of the block with `key`, whose hash is `hash`.
    #[inline]
    pub fn find_block(&self, hash: u64, key: &[u8]) -> Option<NonNull<u8>> {
        self.find(hash, key).map(|position| self.raw(position))
    }

    /// Finds the block with `key`, whose hash is `hash`.
    #[inline]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<Position> {
        let segment = self.segment_of(hash)?;
        let mut index = segment.home(hash);
        for _ in 0..=segment.max_steps() {
            let bucket = segment.bucket(index);
            let mut found = bucket.matches(tag_of(hash));
            while found != 0 {
                let slot = found.trailing_zeros() as usize;
                let word = bucket.slots[slot];
                if word >> 48 == hash >> 40 & 0xffff {
                    // SAFETY: the slot owns a live block.
                    let candidate = unsafe { B::key(block_of(word)) };
                    if same(candidate, key) {
                        return Some(self.position(segment, index, slot));
                    }
                }
                found &= found - 1;
            }
            if bucket.occupied & OVERFLOW == 0 {
                return None;
            }
            index = segment.next(index);
        }
        None
    }

    #[inline]
    fn position(&self, segment: SegmentRef, bucket: usize, slot: usize) -> Position {
        Position { segment, bucket, slot, age: self.age }
    }

    /// The slot at `position`.
    #[inline]
    fn slot(&self, position: Position) -> &mut u64 {
        debug_assert!(position.age == self.age, "a place is used before the table changes");
        &mut position.segment.bucket(position.bucket).slots[position.slot]
    }

    /// The address of the block at `position`.
    #[inline]
    pub fn raw(&self, position: Position) -> NonNull<u8> {
        block_of(*self.slot(position))
    }

    /// Puts `block` where another with the same key was, and gives that back.
    pub fn replace(&mut self, position: Position, block: B) -> B {
        let word = self.slot(position);
        let old = block_of(*word);
        *word = *word & !ADDRESS | block.into_raw().as_ptr() as u64;
        // SAFETY: the slot owned `old` and does no more.
        unsafe { B::from_raw(old) }
    }

    /// Tells the slot at `position` that its block has moved to `raw` (a reallocation).
    pub fn moved(&mut self, position: Position, raw: NonNull<u8>) {
        let word = self.slot(position);
        *word = *word & !ADDRESS | raw.as_ptr() as u64;
    }

    /// Tells how many blocks there will be: segments are made as large as they will have to be, instead of growing
    /// step by step. Nothing is allocated for it at once, and a lie costs a few buckets a segment. 0 takes it back.
    pub fn expect(&mut self, blocks: usize) {
        self.expected = blocks;
    }

    /// Inserts a block whose key is not in the table.
    pub fn insert(&mut self, hash: u64, block: B) -> NonNull<u8> {
        if self.directory.is_empty() {
            let first = self.allocate(0, SIZES[0]);
            self.directory.push(first);
            self.account_new(first);
            self.deepest = 1;
        }
        let raw = block.into_raw();
        while !self.try_place(hash, slot_of(hash, raw)) {
            self.make_room(hash);
        }
        self.len += 1;
        self.age.pass();
        raw
    }

    fn try_place(&mut self, hash: u64, slot: u64) -> bool {
        place(self.directory[self.directory_index(hash)], hash, tag_of(hash), slot)
    }

    /// The hash of a slot, at least its bits `from` to `to + 16` (from the top): out of slot and tag where
    /// their window covers these, else from the key.
    fn hash_bits(&self, word: u64, tag: u8, from: u32, to: u32) -> u64 {
        if from >= 8 && to <= 16 {
            (word >> 48) << 40 | u64::from(tag) << 32
        } else {
            // SAFETY: the slot owns a live block.
            self.hasher.hash(unsafe { B::key(block_of(word)) })
        }
    }

    /// The home bucket of the key in a taken slot of `segment`.
    fn home_of(&self, segment: SegmentRef, bucket: usize, slot: usize) -> usize {
        let depth = segment.depth();
        let bucket = segment.bucket(bucket);
        segment.home(self.hash_bits(bucket.slots[slot], bucket.tags[slot], depth, depth))
    }

    fn allocate(&mut self, depth: u32, buckets: usize) -> SegmentRef {
        if self.rows.is_none() && self.segments >= ROWS_FROM {
            self.rows = Some(Box::default());
        }
        SegmentRef::allocate(self.rows.as_deref_mut(), depth, buckets)
    }

    /// Gives a segment's memory back that no directory word names, and lets those of the one that is moved there,
    /// if any, name its new place.
    fn free(&mut self, segment: SegmentRef) {
        if let Some((hash, raw)) = segment.free(self.rows.as_deref_mut()) {
            self.point(hash, self.directory[self.directory_index(hash)].at(raw));
        }
    }

    fn account_new(&mut self, segment: SegmentRef) {
        self.segments += 1;
        self.bytes += bytes_of(segment.buckets());
    }

    fn release(&mut self, segment: SegmentRef) {
        self.segments -= 1;
        self.bytes -= bytes_of(segment.buckets());
        self.free(segment);
    }

    /// Grows the segment of `hash`, or splits it.
    #[cold]
    fn make_room(&mut self, hash: u64) {
        let segment = self.directory[self.directory_index(hash)];
        let larger = SIZES.partition_point(|&s| s <= segment.buckets());
        if !self.resize(hash, segment, larger) {
            self.split(hash, segment);
        }
    }

    /// Rebuilds a segment with the first size, from `SIZES[size]` on, into which its keys fit; `false` if
    /// they crowd too much for any.
    fn resize(&mut self, hash: u64, segment: SegmentRef, size: usize) -> bool {
        let depth = segment.depth();
        for &buckets in &SIZES[size..] {
            let fresh = self.allocate(depth, buckets);
            if self.refill(segment, depth, |_| fresh) {
                self.account_new(fresh);
                self.point(hash, fresh);
                self.release(segment);
                return true;
            }
            self.free(fresh);
        }
        false
    }

    /// Copies every slot of `from` to the segment, of depth `to`, that `target` names for its hash bits.
    fn refill(&self, from: SegmentRef, to: u32, target: impl Fn(u64) -> SegmentRef) -> bool {
        let depth = from.depth();
        for index in 0..from.buckets() {
            let bucket = from.bucket(index);
            for at in bits(bucket.occupied & PRESENT) {
                let (word, tag) = (bucket.slots[at], bucket.tags[at]);
                let hash = self.hash_bits(word, tag, depth.min(to), depth.max(to));
                if !place(target(hash), hash, tag, word) {
                    return false;
                }
            }
        }
        true
    }

    fn split(&mut self, hash: u64, segment: SegmentRef) {
        let depth = segment.depth();
        assert!(depth < 32, "a hash that repeats its first 32 bits hundreds of times");
        if depth == self.global_depth {
            let mut doubled = Vec::with_capacity(self.directory.len() * 2);
            for &word in &self.directory {
                doubled.extend([word, word]);
            }
            self.directory = doubled;
            self.global_depth += 1;
            self.deepest = 0;
        }
        let half = (segment.header().len as usize / 2).max((self.expected >> (depth + 1)).min(MAX_BUCKETS * SLOTS * 3 / 4));
        let mut size = SIZES.partition_point(|&s| s * SLOTS * 3 / 4 < half);
        let (low, high) = loop {
            let low = self.allocate(depth + 1, SIZES[size]);
            let high = self.allocate(depth + 1, SIZES[size]);
            if self.refill(segment, depth + 1, |hash| if hash << depth >> 63 == 0 { low } else { high }) {
                break (low, high);
            }
            // the last first, so that neither moves
            self.free(high);
            self.free(low);
            size += 1;
            assert!(size < SIZES.len(), "half a segment fits a whole one");
        };
        for fresh in [low, high] {
            self.account_new(fresh);
            if depth + 1 == self.global_depth {
                self.deepest += 1;
            }
        }
        let bit = 1u64 << (63 - depth);
        self.point(hash & !bit, low);
        self.point(hash | bit, high);
        self.release(segment);
    }

    /// Lets every directory word under the prefix of `segment` (taken from `hash`) name it.
    fn point(&mut self, hash: u64, segment: SegmentRef) {
        segment.header().hash = hash;
        let span = 1usize << (self.global_depth - segment.depth());
        let first = self.directory_index(hash) & !(span - 1);
        self.directory[first..first + span].fill(segment);
    }

    /// Takes out the block at `position`.
    pub fn remove(&mut self, hash: u64, position: Position) -> B {
        let word = std::mem::take(self.slot(position));
        let Position { segment, bucket: index, slot, .. } = position;
        segment.bucket(index).occupied &= !(1 << slot);
        self.age.pass();
        let mut passed = segment.home(hash);
        while passed != index {
            self.recheck_overflow(segment, passed);
            passed = segment.next(passed);
        }
        segment.header().len -= 1;
        self.len -= 1;
        // three quarters full after that, as far as sizes allow: a third of it has to go before the next time
        if segment.header().len as usize * 2 < segment.buckets() * SLOTS {
            self.shrink(hash, segment);
        }
        // SAFETY: the slot owned the block and does no more.
        unsafe { B::from_raw(block_of(word)) }
    }

    /// Clears the overflow bit of bucket `passed` if no key passes over it any more.
    fn recheck_overflow(&self, segment: SegmentRef, passed: usize) {
        let mut index = passed;
        for step in 1..=segment.max_steps() {
            index = segment.next(index);
            for at in bits(segment.bucket(index).occupied & PRESENT) {
                if segment.distance(self.home_of(segment, index, at), index) >= step {
                    return;
                }
            }
        }
        segment.bucket(passed).occupied &= !OVERFLOW;
    }

    /// Gives memory back: merges a thin segment with its buddy, or rebuilds it smaller.
    #[cold]
    fn shrink(&mut self, hash: u64, mut segment: SegmentRef) {
        if self.len == 0 {
            while self.drain_segment().is_some() {}
            return;
        }
        while segment.depth() > 0 {
            let bit = 1u64 << (64 - segment.depth());
            let buddy = self.directory[self.directory_index(hash ^ bit)];
            let together = (segment.header().len + buddy.header().len) as usize;
            if buddy.depth() != segment.depth() || together > MAX_BUCKETS * SLOTS / 2 {
                break;
            }
            let Some(merged) = self.merge(hash, segment, buddy) else { break };
            segment = merged;
        }
        let len = segment.header().len as usize;
        let target = SIZES.partition_point(|&s| s * SLOTS * 3 / 4 < len);
        if SIZES[target] < segment.buckets() {
            self.resize(hash, segment, target);
        }
    }

    /// Joins two segments; `None` if their keys crowd too much for any size, as they do where keys were
    /// removed in the order of their hashes (a scan that deletes what it finds).
    fn merge(&mut self, hash: u64, segment: SegmentRef, buddy: SegmentRef) -> Option<SegmentRef> {
        let depth = segment.depth();
        let len = (segment.header().len + buddy.header().len) as usize;
        let mut size = SIZES.partition_point(|&s| s * SLOTS * 2 / 3 < len);
        let fresh = loop {
            let fresh = self.allocate(depth - 1, SIZES[size]);
            if [segment, buddy].iter().all(|&from| self.refill(from, depth - 1, |_| fresh)) {
                break fresh;
            }
            self.free(fresh);
            size += 1;
            if size == SIZES.len() {
                return None;
            }
        };
        self.account_new(fresh);
        self.point(hash, fresh);
        if depth == self.global_depth {
            self.deepest -= 2;
        }
        // the one that lies further back first, so that the other does not move
        let (first, second) = if segment.place() > buddy.place() { (segment, buddy) } else { (buddy, segment) };
        self.release(first);
        self.release(second);
        self.halve_directory();
        // the fresh one may have moved
        Some(self.directory[self.directory_index(hash)])
    }

    fn halve_directory(&mut self) {
        while self.deepest == 0 && self.global_depth > 0 {
            self.global_depth -= 1;
            self.directory = self.directory.iter().copied().step_by(2).collect();
            let mut at = 0;
            while at < self.directory.len() {
                let depth = self.directory[at].depth();
                self.deepest += usize::from(depth == self.global_depth);
                at += 1 << (self.global_depth - depth);
            }
        }
    }

    /// The block with `key`, taken out.
    pub fn remove_key(&mut self, hash: u64, key: &[u8]) -> Option<B> {
        let position = self.find(hash, key)?;
        Some(self.remove(hash, position))
    }

    /// Calls `visit` with each block whose hash begins with the 32 bits of `prefix`, until it
    /// returns `true`; gives that block's position.
    pub fn find_by_prefix(&self, prefix: u32, mut visit: impl FnMut(NonNull<u8>) -> bool) -> Option<Position> {
        let hash = u64::from(prefix) << 32;
        let segment = self.segment_of(hash)?;
        let home = segment.home(hash);
        // beyond depth 16 the prefix leaves several homes open
        let last = segment.home(hash | 0xffff_ffff);
        let mut index = home;
        let mut steps_left = segment.distance(home, last) + segment.max_steps();
        loop {
            let bucket = segment.bucket(index);
            let mut found = bucket.matches(tag_of(hash));
            while found != 0 {
                let slot = found.trailing_zeros() as usize;
                found &= found - 1;
                let word = bucket.slots[slot];
                if word >> 48 == hash >> 40 & 0xffff && visit(block_of(word)) {
                    return Some(self.position(segment, index, slot));
                }
            }
            let past_homes = steps_left <= segment.max_steps();
            if steps_left == 0 || past_homes && bucket.occupied & OVERFLOW == 0 {
                return None;
            }
            steps_left -= 1;
            index = segment.next(index);
        }
    }

    /// Visits every block whose hash lies in one bucket's range at `cursor` and gives the next cursor,
    /// 0 after the last. A cursor is the top 48 bits of a position in hash space.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(NonNull<u8>)) -> u64 {
        let hash = (cursor & ADDRESS) << 16;
        let Some(segment) = self.segment_of(hash) else { return 0 };
        let home = segment.home(hash);
        self.visit_home(segment, home, &mut visit);
        let fraction = ((home as u64 + 1) << 16).div_ceil(segment.buckets() as u64);
        let depth = segment.depth();
        let prefix = if depth == 0 { 0 } else { hash >> (64 - depth) };
        // position in units of 2^-(depth + 16) of the hash space
        let position = (u128::from(prefix) << 16) + u128::from(fraction);
        let next = position << (48 - depth);
        if next >> 64 != 0 {
            return 0;
        }
        u64::try_from(next >> 16).expect("below 2^48")
    }

    fn visit_home(&self, segment: SegmentRef, home: usize, visit: &mut impl FnMut(NonNull<u8>)) {
        let mut index = home;
        for _ in 0..=segment.max_steps() {
            let bucket = segment.bucket(index);
            for at in bits(bucket.occupied & PRESENT) {
                if self.home_of(segment, index, at) == home {
                    visit(block_of(bucket.slots[at]));
                }
            }
            if bucket.occupied & OVERFLOW == 0 {
                break;
            }
            index = segment.next(index);
        }
    }

    /// A block chosen with equal chance among all, from `draw(n)`, a uniform number below `n`.
    pub fn random(&self, mut draw: impl FnMut(usize) -> usize) -> Option<NonNull<u8>> {
        if self.len == 0 {
            return None;
        }
        loop {
            let bucket = self.random_bucket(&mut draw);
            let slot = draw(SLOTS);
            if bucket.occupied & (1 << slot) != 0 {
                return Some(block_of(bucket.slots[slot]));
            }
        }
    }

    /// Visits the blocks, 7 at most and perhaps none, of a bucket that `draw(n)` chooses, a uniform number below
    /// `n`. Every block of the table has the same chance, for less than it takes to draw them one by one.
    pub fn sample(&self, mut draw: impl FnMut(usize) -> usize, mut visit: impl FnMut(NonNull<u8>)) {
        if self.len == 0 {
            return;
        }
        let bucket = self.random_bucket(&mut draw);
        for at in bits(bucket.occupied & PRESENT) {
            prefetch((bucket.slots[at] & ADDRESS) as *const u8);
        }
        for at in bits(bucket.occupied & PRESENT) {
            visit(block_of(bucket.slots[at]));
        }
    }

    /// A bucket chosen with equal chance among all. The table is not empty.
    fn random_bucket(&self, draw: &mut impl FnMut(usize) -> usize) -> &Bucket {
        let most = if self.directory.len() == 1 { self.directory[0].buckets() } else { MAX_BUCKETS };
        loop {
            let segment = self.directory[draw(self.directory.len())];
            // a segment that more directory words name is as much more often drawn: even that out
            if self.global_depth > segment.depth() && draw(1 << (self.global_depth - segment.depth())) != 0 {
                continue;
            }
            let index = draw(most);
            if index < segment.buckets() {
                return segment.bucket(index);
            }
        }
    }

    /// All blocks' addresses, in hash order of their buckets.
    pub fn iter(&self) -> Iter<'_, B> {
        Iter { table: self, at: 0, bucket: 0, taken: 0 }
    }

    /// Takes out all blocks of the last segment; `None` once the table is empty. Lets a huge table be
    /// dropped in slices. Between slices the table only serves further slices.
    pub fn drain_segment(&mut self) -> Option<Vec<B>> {
        let &segment = self.directory.last()?;
        let span = 1usize << (self.global_depth - segment.depth());
        self.directory.truncate(self.directory.len() - span);
        let mut blocks = Vec::with_capacity(segment.header().len as usize);
        for index in 0..segment.buckets() {
            let bucket = segment.bucket(index);
            for at in bits(bucket.occupied & PRESENT) {
                // SAFETY: the slot owned the block; its segment goes away.
                blocks.push(unsafe { B::from_raw(block_of(bucket.slots[at])) });
            }
        }
        self.len -= blocks.len();
        self.age.pass();
        self.release(segment);
        if self.directory.is_empty() {
            self.directory = Vec::new();
            self.global_depth = 0;
            self.deepest = 0;
            self.rows = None;
        }
        Some(blocks)
    }
}

/// Iterator over the blocks of a table.
pub struct Iter<'a, B: Block> {
    table: &'a Table<B>,
    at: usize,
    bucket: usize,
    taken: u8,
}

impl<B: Block> Clone for Iter<'_, B> {
    fn clone(&self) -> Self {
        Iter { ..*self }
    }
}

impl<B: Block> Iterator for Iter<'_, B> {
    type Item = NonNull<u8>;
    fn next(&mut self) -> Option<NonNull<u8>> {
        loop {
            let segment = *self.table.directory.get(self.at)?;
            if self.taken == 0 {
                if self.bucket == segment.buckets() {
                    self.bucket = 0;
                    self.at += 1 << (self.table.global_depth - segment.depth());
                    continue;
                }
                self.taken = segment.bucket(self.bucket).occupied & PRESENT;
                self.bucket += 1;
                if self.bucket < segment.buckets() {
                    prefetch_blocks(segment.bucket(self.bucket));
                }
                continue;
            }
            let at = self.taken.trailing_zeros() as usize;
            self.taken &= self.taken - 1;
            return Some(block_of(segment.bucket(self.bucket - 1).slots[at]));
        }
    }
}

/// Asks the processor for the blocks of a bucket that is visited next.
#[inline]
fn prefetch_blocks(bucket: &Bucket) {
    let mut taken = bucket.occupied & PRESENT;
    while taken != 0 {
        prefetch(block_of(bucket.slots[taken.trailing_zeros() as usize]).as_ptr());
        taken &= taken - 1;
    }
}

impl<B: Block> Drop for Table<B> {
    fn drop(&mut self) {
        while self.drain_segment().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;
    use std::collections::HashMap;

    #[allow(clippy::box_collection)]
    struct Text(Box<Vec<u8>>);

    // SAFETY: a box of a vector is a stable address, and its bytes do not change.
    unsafe impl Block for Text {
        fn into_raw(self) -> NonNull<u8> {
            NonNull::new(Box::into_raw(self.0).cast()).expect("a box is not null")
        }
        unsafe fn from_raw(raw: NonNull<u8>) -> Self {
            // SAFETY: the caller's promise.
            Text(unsafe { Box::from_raw(raw.as_ptr().cast()) })
        }
        unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
            // SAFETY: the caller's promise.
            unsafe { &*raw.as_ptr().cast::<Vec<u8>>() }
        }
    }

    fn key_of(raw: NonNull<u8>) -> Vec<u8> {
        // SAFETY: the tests use positions and walks at once.
        unsafe { Text::key(raw) }.to_vec()
    }

    fn table() -> Table<Text> {
        Table::new(KeyHasher::new(1, 2))
    }

    /// Each segment is found by the hash in its header, and those in rows lie without gaps.
    fn check_places(table: &Table<Text>) {
        let mut places = HashMap::<usize, Vec<u32>>::new();
        let mut at = 0;
        while let Some(&segment) = table.directory.get(at) {
            assert!(table.segment_of(segment.header().hash) == Some(segment));
            places.entry(segment.buckets()).or_default().extend(Some(segment.place()).filter(|&place| place > 0));
            at += 1 << (table.global_depth - segment.depth());
        }
        for mut row in places.into_values() {
            row.sort();
            assert!(row.iter().copied().eq(1..=u32::try_from(row.len()).expect("few")));
        }
    }

    #[test]
    fn behaves_as_a_std_map_through_growth_and_shrinking() {
        for seed in 0..4 {
            let mut random = Random::from_seed(seed);
            let (mut table, mut model) = (table(), HashMap::new());
            for round in 0..6 {
                let (steps, grow) = (if cfg!(miri) { 300 } else { 30_000 }, round % 2 == 0);
                for _ in 0..steps {
                    let key = format!("k{}", random.below(20_000)).into_bytes();
                    let hash = table.hasher().hash(&key);
                    let insert = random.below(10) < if grow { 8 } else { 1 };
                    match (insert, table.find(hash, &key)) {
                        (true, None) => {
                            table.insert(hash, Text(Box::new(key.clone())));
                            assert!(model.insert(key, ()).is_none());
                        }
                        (false, Some(at)) => {
                            assert_eq!(*table.remove(hash, at).0, key);
                            assert!(model.remove(&key).is_some());
                        }
                        (_, found) => assert_eq!(found.is_some(), model.contains_key(&key)),
                    }
                }
                assert_eq!(table.len(), model.len());
                check_places(&table);
                let mut all: Vec<_> = table.iter().map(key_of).collect();
                all.sort();
                all.dedup();
                assert_eq!(all.len(), model.len());
                for key in model.keys() {
                    let hash = table.hasher().hash(key);
                    assert!(table.find(hash, key).is_some());
                    let prefix = (hash >> 32) as u32;
                    assert!(table.find_by_prefix(prefix, |raw| key_of(raw) == *key).is_some());
                }
            }
            for key in model.into_keys() {
                assert!(table.remove_key(table.hasher().hash(&key), &key).is_some());
            }
            assert_eq!((table.len(), table.bytes()), (0, 0));
        }
    }

    #[test]
    fn keys_may_go_in_the_order_of_their_hashes() {
        let mut table = table();
        let mut hashes = Vec::new();
        for i in 0..if cfg!(miri) { 300 } else { 5_000 } {
            let key = format!("k{i}").into_bytes();
            hashes.push((table.hasher().hash(&key), key.clone()));
            table.insert(table.hasher().hash(&key), Text(Box::new(key)));
        }
        hashes.sort();
        for (gone, (hash, key)) in hashes.iter().enumerate() {
            assert_eq!(*table.remove_key(*hash, key).expect("was there").0, *key);
            if gone % 500 == 0 {
                assert!(hashes[gone + 1..].iter().all(|(hash, key)| table.find(*hash, key).is_some()));
            }
        }
        assert_eq!((table.len(), table.bytes()), (0, 0));
    }

    #[test]
    fn a_scan_sees_every_key_that_stays() {
        for seed in 0..if cfg!(miri) { 1 } else { 8 } {
            let mut random = Random::from_seed(seed);
            let mut table = table();
            let stays = if cfg!(miri) { 50 } else { 3_000 };
            let add = |table: &mut Table<Text>, name: String| {
                let hash = table.hasher().hash(name.as_bytes());
                if table.find(hash, name.as_bytes()).is_none() {
                    table.insert(hash, Text(Box::new(name.into_bytes())));
                }
            };
            for i in 0..stays {
                add(&mut table, format!("stays{i}"));
            }
            let (mut seen, mut cursor) = (std::collections::HashSet::new(), 0);
            loop {
                cursor = table.scan(cursor, |raw| {
                    seen.insert(key_of(raw));
                });
                if cursor == 0 {
                    break;
                }
                for _ in 0..random.below(200) {
                    let name = format!("goes{}", random.below(30_000));
                    if seed % 2 == 0 || random.below(3) == 0 {
                        add(&mut table, name);
                    } else {
                        table.remove_key(table.hasher().hash(name.as_bytes()), name.as_bytes());
                    }
                }
            }
            for i in 0..stays {
                assert!(seen.contains(format!("stays{i}").as_bytes()));
            }
        }
    }

    #[test]
    fn segments_stay_well_filled() {
        let mut table = table();
        for i in 0..100_000u32 {
            let key = i.to_string().into_bytes();
            table.insert(table.hasher().hash(&key), Text(Box::new(key)));
            if i > 1_000 && i % 1_000 == 0 {
                let fill = table.len() as f64 / table.capacity() as f64;
                assert!(fill > 0.6, "{fill} at {i}");
            }
        }
    }

    #[test]
    fn random_is_even() {
        let mut table = table();
        for i in 0..1_000u32 {
            let key = i.to_string().into_bytes();
            table.insert(table.hasher().hash(&key), Text(Box::new(key)));
        }
        let (mut random, mut drawn) = (Random::from_seed(7), vec![0u32; 1_000]);
        for _ in 0..100_000 {
            let raw = table.random(|n| usize::try_from(random.below(n as u64)).expect("below n")).expect("not empty");
            drawn[String::from_utf8(key_of(raw)).expect("text").parse::<usize>().expect("a number")] += 1;
        }
        let chi: f64 = drawn.iter().map(|&n| (f64::from(n) - 100.0).powi(2) / 100.0).sum();
        assert!(chi < 1_200.0, "chi square {chi} of 999 degrees of freedom");
    }
}
