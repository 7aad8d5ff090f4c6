//! The parts of a table: the word of a directory that names a segment, a segment's header, its buckets and slots.
//! The essay of [`super`] tells how they work together.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

use super::rows::Rows;

pub(super) const SLOTS: usize = 7;
pub(super) const MAX_BUCKETS: usize = 63;
/// Number of buckets a segment may have: with its header line, the sizes of the allocator's classes.
pub(super) const SIZES: [usize; 13] = [1, 3, 7, 11, 15, 19, 23, 27, 31, 39, 47, 55, 63];
pub(super) const ADDRESS: u64 = (1 << 48) - 1;
pub(super) const OVERFLOW: u8 = 0x80;
pub(super) const PRESENT: u8 = 0x7f;
/// How many buckets past its home a key may live.
pub(super) const MAX_STEPS: usize = 7;

#[repr(C, align(64))]
pub(super) struct Bucket {
    pub(super) tags: [u8; 7],
    /// Bits 0–6: the slot is taken. Bit 7: some key passed over this bucket.
    pub(super) occupied: u8,
    pub(super) slots: [u64; SLOTS],
}

/// The first line of a segment; its buckets follow.
#[repr(C, align(64))]
pub(super) struct Header {
    /// Taken slots.
    pub(super) len: u32,
    /// Its place in its row and one; 0 for a segment that is an allocation by itself.
    place: u32,
    /// A hash that leads to it.
    pub(super) hash: u64,
}

const _: () = assert!(size_of::<Bucket>() == 64 && size_of::<Header>() == 64);

impl Bucket {
    /// A bit for each taken slot whose tag is `tag`.
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    #[inline]
    pub(super) fn matches(&self, tag: u8) -> u32 {
        use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_loadl_epi64, _mm_movemask_epi8, _mm_set1_epi8};
        // SAFETY: every x86-64 has these instructions, and the first eight bytes of a bucket are there to be read.
        let equal = unsafe {
            let tags = _mm_loadl_epi64(std::ptr::from_ref(self).cast());
            _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8(tag.cast_signed())))
        };
        equal.cast_unsigned() & u32::from(self.occupied & PRESENT)
    }

    /// A bit for each taken slot whose tag is `tag`.
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    #[inline]
    pub(super) fn matches(&self, tag: u8) -> u32 {
        let equal = self.tags.iter().enumerate().map(|(at, &other)| u32::from(other == tag) << at).sum::<u32>();
        equal & u32::from(self.occupied & PRESENT)
    }

    #[inline]
    pub(super) fn free_slot(&self) -> Option<usize> {
        let free = !self.occupied & PRESENT;
        (free != 0).then(|| free.trailing_zeros() as usize)
    }

    #[inline]
    pub(super) fn place(&mut self, at: usize, tag: u8, slot: u64) {
        self.tags[at] = tag;
        self.slots[at] = slot;
        self.occupied |= 1 << at;
    }
}

/// A directory word: the segment's address, its depth (bits 48–55) and buckets (bits 56–63).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentRef(u64);

/// Bytes of a segment.
pub(super) fn bytes_of(buckets: usize) -> usize {
    (buckets + 1) * 64
}

fn layout(buckets: usize) -> Layout {
    Layout::from_size_align(bytes_of(buckets), 64).expect("at most 64 lines")
}

impl SegmentRef {
    /// A segment without keys, in a row if there are rows.
    pub(super) fn allocate(rows: Option<&mut Rows>, depth: u32, buckets: usize) -> Self {
        let Some(rows) = rows else {
            let layout = layout(buckets);
            // SAFETY: the layout has a size of at least two lines.
            let raw = unsafe { alloc_zeroed(layout) };
            if raw.is_null() {
                handle_alloc_error(layout);
            }
            return SegmentRef::new(raw, depth, buckets);
        };
        let (raw, place) = rows.add(buckets);
        let segment = SegmentRef::new(raw, depth, buckets);
        segment.header().place = u32::try_from(place + 1).expect("fewer segments than keys");
        segment
    }

    fn new(raw: *mut u8, depth: u32, buckets: usize) -> Self {
        let address = raw as u64;
        assert!(address & !ADDRESS == 0, "addresses have 48 bits");
        SegmentRef(address | u64::from(depth) << 48 | (buckets as u64) << 56)
    }

    /// The same segment at another address.
    pub(super) fn at(self, raw: *mut u8) -> Self {
        SegmentRef::new(raw, self.depth(), self.buckets())
    }

    /// Where it lies among those of its size that are in a row; 0 for any other.
    pub(super) fn place(self) -> u32 {
        self.header().place
    }

    /// Gives its memory back. If another segment was moved there, gives a hash that leads to that one, and where
    /// it is now.
    pub(super) fn free(self, rows: Option<&mut Rows>) -> Option<(u64, *mut u8)> {
        let place = self.place() as usize;
        if place == 0 {
            // SAFETY: allocated with the same layout; the caller drops its last reference.
            unsafe { dealloc(self.base(), layout(self.buckets())) }
            return None;
        }
        let raw = rows.expect("a segment in a row is one of a table with rows").remove(self.buckets(), place - 1)?;
        let moved = self.at(raw);
        moved.header().place = u32::try_from(place).expect("it was one");
        Some((moved.header().hash, raw))
    }

    #[inline]
    pub(super) fn depth(self) -> u32 {
        (self.0 >> 48) as u32 & 0xff
    }

    #[inline]
    pub(super) fn buckets(self) -> usize {
        (self.0 >> 56) as usize
    }

    #[inline]
    pub(super) fn base(self) -> *mut u8 {
        (self.0 & ADDRESS) as *mut u8
    }

    #[inline]
    pub(super) fn header<'a>(self) -> &'a mut Header {
        // SAFETY: the segment's first line is its header; the table is the only owner and hands
        // out one reference at a time.
        unsafe { &mut *self.base().cast::<Header>() }
    }

    #[inline]
    pub(super) fn bucket<'a>(self, index: usize) -> &'a mut Bucket {
        debug_assert!(index < self.buckets());
        // SAFETY: `index` is within the segment; see `header` for aliasing.
        unsafe { &mut *self.base().add(64 * (index + 1)).cast::<Bucket>() }
    }

    #[inline]
    pub(super) fn home(self, hash: u64) -> usize {
        let fraction = (hash << self.depth()) >> 48;
        (fraction as usize * self.buckets()) >> 16
    }

    #[inline]
    pub(super) fn next(self, bucket: usize) -> usize {
        if bucket + 1 == self.buckets() { 0 } else { bucket + 1 }
    }

    /// How far from its home a key of this segment may live.
    #[inline]
    pub(super) fn max_steps(self) -> usize {
        MAX_STEPS.min(self.buckets() - 1)
    }

    /// How many steps from `home` to `bucket`.
    pub(super) fn distance(self, home: usize, bucket: usize) -> usize {
        if bucket >= home { bucket - home } else { bucket + self.buckets() - home }
    }
}

#[inline]
pub(super) fn tag_of(hash: u64) -> u8 {
    (hash >> 32) as u8
}

#[inline]
pub(super) fn slot_of(hash: u64, raw: NonNull<u8>) -> u64 {
    let address = raw.as_ptr() as u64;
    debug_assert!(address & !ADDRESS == 0);
    address | (hash >> 40 & 0xffff) << 48
}

#[inline]
pub(super) fn block_of(slot: u64) -> NonNull<u8> {
    NonNull::new((slot & ADDRESS) as *mut u8).expect("a taken slot holds an address")
}

/// The indices of the bits set in `mask`.
pub(super) fn bits(mut mask: u8) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (at < 8).then_some(at)
    })
}

/// Puts a slot into its home bucket or one of the next; `false` if all are full.
pub(super) fn place(segment: SegmentRef, hash: u64, tag: u8, slot: u64) -> bool {
    let home = segment.home(hash);
    let mut index = home;
    for _ in 0..=segment.max_steps() {
        if let Some(at) = segment.bucket(index).free_slot() {
            segment.bucket(index).place(at, tag, slot);
            segment.header().len += 1;
            let mut passed = home;
            while passed != index {
                segment.bucket(passed).occupied |= OVERFLOW;
                passed = segment.next(passed);
            }
            return true;
        }
        index = segment.next(index);
    }
    false
}
