//! `Intset`: a small set of integers, sorted, in one allocation, laid out as Redis's intset, byte
//! for byte, so that DUMP and RDB write it as it lies in memory.
//!
//! ```text
//! width  u32 le (2, 4 or 8) | length  u32 le | integers, `width` bytes each, little endian, ascending
//! ```
//!
//! All integers have the width that the widest ever inserted needed; it never goes back, as in
//! Redis (OBJECT and DUMP show it).
//!
//! Invariants: the handle is one pointer to a block whose capacity is the size class of what the
//! header says; the integers ascend strictly.
//!
//! The road not taken is the set as a sorted `Vec<i64>`: four times the memory for small numbers,
//! and a conversion at every save.

#![allow(unsafe_code)]

use std::fmt;
use std::ptr::{self, NonNull};

use super::packed::Error;
use super::packed::block::{allocate, class_size, release, resize};

const HEADER: usize = 8;
/// Most integers that a set may hold; callers turn to another form long before.
pub const MAX_LEN: usize = 1 << 27;

/// Bytes an integer takes in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    Two = 2,
    Four = 4,
    Eight = 8,
}

impl Width {
    fn of(value: i64) -> Self {
        if i16::try_from(value).is_ok() {
            Width::Two
        } else if i32::try_from(value).is_ok() {
            Width::Four
        } else {
            Width::Eight
        }
    }

    fn bytes(self) -> usize {
        self as usize
    }
}

/// A sorted set of integers behind a handle of one pointer.
pub struct Intset {
    block: NonNull<u8>,
}

// SAFETY: the handle owns its block alone and shares nothing through it.
unsafe impl Send for Intset {}
// SAFETY: shared references only read the block.
unsafe impl Sync for Intset {}

const _: () = assert!(size_of::<Option<Intset>>() == 8);

impl Intset {
    /// An empty set.
    pub fn new() -> Self {
        Self::from_content(Width::Two, 0, &[])
    }

    /// A set of `bytes`, which are checked through and through.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let [w0, w1, w2, w3, l0, l1, l2, l3, content @ ..] = bytes else {
            return Err(Error::Length);
        };
        let width = match u32::from_le_bytes([*w0, *w1, *w2, *w3]) {
            2 => Width::Two,
            4 => Width::Four,
            8 => Width::Eight,
            _ => return Err(Error::Width),
        };
        let len = u32::from_le_bytes([*l0, *l1, *l2, *l3]) as usize;
        if len > MAX_LEN {
            return Err(Error::TooLarge);
        }
        if content.len() != len * width.bytes() {
            return Err(Error::Length);
        }
        if !(1..len).all(|i| read(content, width, i - 1) < read(content, width, i)) {
            return Err(Error::Order);
        }
        Ok(Self::from_content(width, len, content))
    }

    /// Gives up ownership as one word, for [`Intset::from_raw`] to take back.
    pub fn into_raw(self) -> u64 {
        std::mem::ManuallyDrop::new(self).block.as_ptr().expose_provenance() as u64
    }

    /// Takes ownership back.
    ///
    /// # Safety
    /// `raw` came from [`Intset::into_raw`], and no other owner of it is used.
    pub unsafe fn from_raw(raw: u64) -> Intset {
        let block = ptr::with_exposed_provenance_mut(raw as usize);
        Intset { block: NonNull::new(block).expect("the address of a block") }
    }

    /// The set, as it goes into a file.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        // SAFETY: the block holds `total` initialised bytes, for as long as it is borrowed.
        unsafe { std::slice::from_raw_parts(self.block.as_ptr(), self.total()) }
    }

    /// Number of integers.
    #[inline]
    pub fn len(&self) -> usize {
        // SAFETY: every block opens with width and length, four bytes each, aligned to 8.
        let stored = unsafe { self.block.byte_add(4).cast::<u32>().read() };
        u32::from_le(stored) as usize
    }

    /// Whether there are no integers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size of the set in bytes.
    pub fn bytes(&self) -> usize {
        self.total()
    }

    /// Bytes taken from the allocator.
    pub fn allocated(&self) -> usize {
        class_size(self.total())
    }

    /// Whether `value` is in the set.
    #[inline]
    pub fn contains(&self, value: i64) -> bool {
        Width::of(value) <= self.width() && self.search(value).is_ok()
    }

    /// Puts `value` in; says whether it was new.
    pub fn insert(&mut self, value: i64) -> bool {
        let width = Width::of(value);
        if width > self.width() {
            self.widen_with(width, value);
            return true;
        }
        let Err(at) = self.search(value) else {
            return false;
        };
        let len = self.len();
        assert!(len < MAX_LEN, "callers turn to another form long before");
        let width = self.width().bytes();
        self.grow(len + 1);
        let slot = HEADER + at * width;
        // SAFETY: the block was grown to hold one integer more than the `len` that lie in it.
        unsafe {
            let slot = self.block.as_ptr().add(slot);
            ptr::copy(slot, slot.add(width), (len - at) * width);
            ptr::copy_nonoverlapping(value.to_le_bytes().as_ptr(), slot, width);
        }
        true
    }

    /// Takes `value` out; says whether it was there.
    pub fn remove(&mut self, value: i64) -> bool {
        if Width::of(value) > self.width() {
            return false;
        }
        let Ok(at) = self.search(value) else {
            return false;
        };
        let len = self.len();
        let width = self.width().bytes();
        // SAFETY: integer `at` is one of the `len` in the block; those behind it move onto it.
        unsafe {
            let slot = self.block.as_ptr().add(HEADER + at * width);
            ptr::copy(slot.add(width), slot, (len - at - 1) * width);
        }
        self.grow(len - 1);
        true
    }

    /// Takes out all integers of which `keep` says no; it is asked in ascending order.
    pub fn retain(&mut self, mut keep: impl FnMut(i64) -> bool) {
        let (len, width) = (self.len(), self.width());
        let mut kept = 0;
        for index in 0..len {
            let value = read(self.content(), width, index);
            if keep(value) {
                // SAFETY: place `kept` is at or before `index`, of which the integer was read.
                unsafe {
                    let slot = self.block.as_ptr().add(HEADER + kept * width.bytes());
                    ptr::copy_nonoverlapping(value.to_le_bytes().as_ptr(), slot, width.bytes());
                }
                kept += 1;
            }
        }
        self.grow(kept);
    }

    /// Integer number `index`, counted from the smallest.
    #[inline]
    pub fn get(&self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| read(self.content(), self.width(), index))
    }

    /// The smallest integer.
    pub fn min(&self) -> Option<i64> {
        self.get(0)
    }

    /// The largest integer.
    pub fn max(&self) -> Option<i64> {
        self.get(self.len().checked_sub(1)?)
    }

    /// The integers, ascending.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = i64> + ExactSizeIterator + '_ {
        let (content, width) = (self.content(), self.width());
        (0..self.len()).map(move |index| read(content, width, index))
    }

    fn from_content(width: Width, len: usize, content: &[u8]) -> Self {
        let block = allocate(class_size(HEADER + content.len()));
        let mut set = Intset { block };
        set.write_header(width, len);
        // SAFETY: the block is new and has room for header and content.
        unsafe {
            let to = set.block.as_ptr().add(HEADER);
            ptr::copy_nonoverlapping(content.as_ptr(), to, content.len());
        }
        set
    }

    #[inline]
    fn width(&self) -> Width {
        // SAFETY: every block opens with its width in four bytes, aligned to 8.
        match u32::from_le(unsafe { self.block.cast::<u32>().read() }) {
            2 => Width::Two,
            4 => Width::Four,
            _ => Width::Eight,
        }
    }

    #[inline]
    fn total(&self) -> usize {
        HEADER + self.len() * self.width().bytes()
    }

    #[inline]
    fn content(&self) -> &[u8] {
        &self.as_bytes()[HEADER..]
    }

    /// Where `value` is, or where it would go. The largest is tried first: sets filled in order
    /// are common.
    #[inline]
    fn search(&self, value: i64) -> Result<usize, usize> {
        match self.max() {
            Some(max) if value <= max => {}
            _ => return Err(self.len()),
        }
        let (content, width) = (self.content(), self.width());
        let at = match width {
            Width::Two => content.as_chunks().0.partition_point(|&stored| i64::from(i16::from_le_bytes(stored)) < value),
            Width::Four => content.as_chunks().0.partition_point(|&stored| i64::from(i32::from_le_bytes(stored)) < value),
            Width::Eight => content.as_chunks().0.partition_point(|&stored| i64::from_le_bytes(stored) < value),
        };
        if read(content, width, at) == value { Ok(at) } else { Err(at) }
    }

    fn write_header(&mut self, width: Width, len: usize) {
        let width = u32::try_from(width.bytes()).expect("2, 4 or 8");
        let len = u32::try_from(len).expect("bounded by MAX_LEN");
        // SAFETY: every block has at least these eight bytes, aligned to 8.
        unsafe {
            self.block.cast::<u32>().write(width.to_le());
            self.block.byte_add(4).cast::<u32>().write(len.to_le());
        }
    }

    /// Moves to the size class of `len` integers, and writes that length.
    fn grow(&mut self, len: usize) {
        let width = self.width();
        let (old, new) = (class_size(self.total()), class_size(HEADER + len * width.bytes()));
        if old != new {
            // SAFETY: the capacity is the class of what the header says; the old pointer is
            // replaced here.
            self.block = unsafe { resize(self.block, old, new) };
        }
        self.write_header(width, len);
    }

    /// Rebuilds the set with wider integers, together with one that needs the width and therefore
    /// lies before or behind all others.
    fn widen_with(&mut self, width: Width, value: i64) {
        let mut content = Vec::with_capacity((self.len() + 1) * width.bytes());
        let mut append = |value: i64| {
            content.extend_from_slice(&value.to_le_bytes()[..width.bytes()]);
        };
        if value < 0 {
            append(value);
        }
        self.iter().for_each(&mut append);
        if value >= 0 {
            append(value);
        }
        *self = Self::from_content(width, self.len() + 1, &content);
    }
}

/// Integer number `index` of a content.
#[inline]
fn read(content: &[u8], width: Width, index: usize) -> i64 {
    match width {
        Width::Two => i64::from(i16::from_le_bytes(content.as_chunks().0[index])),
        Width::Four => i64::from(i32::from_le_bytes(content.as_chunks().0[index])),
        Width::Eight => i64::from_le_bytes(content.as_chunks().0[index]),
    }
}

impl Default for Intset {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Intset {
    fn clone(&self) -> Self {
        Self::from_content(self.width(), self.len(), self.content())
    }
}

impl Drop for Intset {
    fn drop(&mut self) {
        // SAFETY: the block is ours, its capacity is the class of its total, and this is the end.
        unsafe { release(self.block, class_size(self.total())) }
    }
}

impl fmt::Debug for Intset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Bytes of `DUMP` of a Redis 8.0 set, each step wider than the one before.
    const FROM_REDIS: [(&[i64], &[u8]); 3] = [
        (&[-5, 1, 2], b"\x02\0\0\0\x03\0\0\0\xfb\xff\x01\0\x02\0"),
        (&[70000, -5, 1, 2], b"\x04\0\0\0\x04\0\0\0\xfb\xff\xff\xff\x01\0\0\0\x02\0\0\0\x70\x11\x01\0"),
        (&[-5000000000, 70000, 2], b"\x08\0\0\0\x03\0\0\0\0\x0e\xfa\xd5\xfe\xff\xff\xff\x02\0\0\0\0\0\0\0\x70\x11\x01\0\0\0\0\0"),
    ];

    #[test]
    fn bytes_are_those_of_redis() {
        for (values, bytes) in FROM_REDIS {
            let mut set = Intset::new();
            for &value in values {
                assert!(set.insert(value));
            }
            assert_eq!(set.as_bytes(), bytes);
            let loaded = Intset::from_bytes(bytes).expect("sound");
            assert!(loaded.iter().eq(set.iter()));
        }
    }

    #[test]
    fn behaves_as_a_btree_set() {
        for seed in 1..=6u64 {
            let mut random = crate::ds::packed::tests::splitmix(seed);
            let mut set = Intset::new();
            let mut model = BTreeSet::new();
            for step in 0..4000u64 {
                let raw = random();
                // Wider and wider numbers as the run goes on.
                let shift = 64 - 5 - (step / 400 * 6).min(50);
                let value = (raw as i64) >> shift;
                if raw.is_multiple_of(3) {
                    assert_eq!(set.remove(value), model.remove(&value));
                } else {
                    assert_eq!(set.insert(value), model.insert(value));
                }
                assert_eq!(set.len(), model.len());
                assert_eq!(set.contains(value), model.contains(&value));
                assert_eq!(set.min(), model.first().copied());
                assert_eq!(set.max(), model.last().copied());
            }
            assert!(set.iter().eq(model.iter().copied()));
            assert!(set.clone().iter().rev().eq(model.iter().rev().copied()));
            assert_eq!(set.get(0), model.first().copied());
            assert_eq!(set.get(set.len()), None);
            let loaded = Intset::from_bytes(set.as_bytes()).expect("sound");
            assert_eq!(loaded.as_bytes(), set.as_bytes());
        }
    }

    #[test]
    fn damaged_bytes_are_refused_or_harmless() {
        let mut set = Intset::new();
        for value in [1, 5, 9, 70000, -3] {
            set.insert(value);
        }
        let sound = set.as_bytes();
        for cut in 0..sound.len() {
            assert!(Intset::from_bytes(&sound[..cut]).is_err());
        }
        for bit in 0..sound.len() * 8 {
            let mut bytes = sound.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(set) = Intset::from_bytes(&bytes) {
                let values: BTreeSet<i64> = set.iter().collect();
                assert_eq!(values.len(), set.len());
            }
        }
        let twice = b"\x02\0\0\0\x02\0\0\0\x01\0\x01\0";
        assert_eq!(Intset::from_bytes(twice).err(), Some(Error::Order));
        let huge = b"\x08\0\0\0\xff\xff\xff\xff";
        assert_eq!(Intset::from_bytes(huge).err(), Some(Error::TooLarge));
    }
}
