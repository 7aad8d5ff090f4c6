//! Where the segments of a large table lie: those of one size in one dense row.
//!
//! As hashes are uniform, the segments of a table grow nearly in step: at any time most have one of two neighbouring
//! sizes, and those of the smaller go one by one, in no order. The allocator keeps things of one size in slabs and
//! gets a slab back when the last of it is gone; so it was left holding slabs with a segment or two in each, a
//! tenth of all memory at worst. In a row, the last segment moves into the gap that another leaves, which costs a
//! copy of at most 4 KB for each segment that grows; and only the end of a row has room to spare.
//!
//! A segment that moves must be pointed to anew, and so its header knows its place in the row and a hash that leads
//! to it. Small tables have no rows: their spare ends would cost more than they save.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};

use super::segment::{SIZES, bytes_of};

/// Segments of a piece of a row.
const PIECE: usize = 8;

/// The rows of a table, one for each size.
#[derive(Default)]
pub(super) struct Rows {
    rows: [Row; SIZES.len()],
}

#[derive(Default)]
struct Row {
    pieces: Vec<*mut u8>,
    len: usize,
}

// SAFETY: rows own their pieces alone.
unsafe impl Send for Rows {}
// SAFETY: shared references only read.
unsafe impl Sync for Rows {}

fn piece(buckets: usize) -> Layout {
    Layout::from_size_align(PIECE * bytes_of(buckets), 64).expect("at most 512 lines")
}

impl Row {
    /// The address of a place, which is in the row.
    fn at(&self, place: usize, buckets: usize) -> *mut u8 {
        assert!(place < self.len, "a place is in the row");
        // SAFETY: a piece has room for so many segments.
        unsafe { self.pieces[place / PIECE].add(place % PIECE * bytes_of(buckets)) }
    }
}

impl Rows {
    fn row(&mut self, buckets: usize) -> &mut Row {
        &mut self.rows[SIZES.partition_point(|&size| size < buckets)]
    }

    /// Memory for a segment, all zeros, and its place: the last of its row.
    pub(super) fn add(&mut self, buckets: usize) -> (*mut u8, usize) {
        let row = self.row(buckets);
        if row.len == row.pieces.len() * PIECE {
            let layout = piece(buckets);
            // SAFETY: the layout has a size of many lines.
            let raw = unsafe { alloc(layout) };
            if raw.is_null() {
                handle_alloc_error(layout);
            }
            row.pieces.push(raw);
        }
        let place = row.len;
        row.len += 1;
        let raw = row.at(place, buckets);
        // SAFETY: the place lies in a piece and belongs to nobody.
        unsafe { raw.write_bytes(0, bytes_of(buckets)) };
        (raw, place)
    }

    /// Takes the memory of the segment at a place back. Unless it was the last of its row, the last moves there:
    /// then gives its new address.
    pub(super) fn remove(&mut self, buckets: usize, place: usize) -> Option<*mut u8> {
        let row = self.row(buckets);
        let (gap, last) = (row.at(place, buckets), row.at(row.len - 1, buckets));
        let moved = gap != last;
        if moved {
            // SAFETY: two places of a row do not overlap.
            unsafe { gap.copy_from_nonoverlapping(last, bytes_of(buckets)) };
        }
        row.len -= 1;
        if row.len.is_multiple_of(PIECE) {
            let raw = row.pieces.pop().expect("the last place lay in the last piece");
            // SAFETY: allocated with this layout, and its only place was given up.
            unsafe { dealloc(raw, piece(buckets)) };
        }
        moved.then_some(gap)
    }

    /// Bytes of places that no segment has.
    pub(super) fn spare(&self) -> usize {
        let spare = |(row, &buckets): (&Row, &usize)| (row.pieces.len() * PIECE - row.len) * bytes_of(buckets);
        self.rows.iter().zip(&SIZES).map(spare).sum()
    }
}

impl Drop for Rows {
    fn drop(&mut self) {
        assert!(self.rows.iter().all(|row| row.pieces.is_empty()), "a table takes its segments out of the rows first");
    }
}
