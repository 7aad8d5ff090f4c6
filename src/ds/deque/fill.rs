//! How full a node may become: the directive `list-max-listpack-size`, worked out once.

use super::super::packed::FRAME;

/// Most bytes of a node when the directive counts elements.
const SAFE_BYTES: usize = 8192;
/// Most elements of a node, whatever the directive says.
const MOST_ELEMENTS: i64 = 32767;
/// What Redis reckons an entry costs beside its text.
const ENTRY_OVERHEAD: usize = 8;

/// Limits of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    bytes: usize,
    count: usize,
    by_count: bool,
}

impl Fill {
    /// The limits that the directive's value asks for: -1 to -5 are 4 to 64 KiB, a positive number
    /// counts elements, of 8 KiB together at most.
    pub fn from_directive(value: i64) -> Self {
        if value < 0 {
            let doublings = value.unsigned_abs().min(5) - 1;
            Fill { bytes: 4096 << doublings, count: usize::MAX, by_count: false }
        } else {
            let count = value.clamp(1, MOST_ELEMENTS);
            Fill { bytes: SAFE_BYTES, count: usize::try_from(count).expect("clamped to a small positive number"), by_count: true }
        }
    }

    /// Most bytes of a node, frame and all.
    pub(super) fn node_bytes(self) -> usize {
        self.bytes
    }

    /// Whether an element of `len` bytes gets a node of its own.
    #[inline]
    pub(super) fn is_large(self, len: usize) -> bool {
        len > self.bytes
    }

    /// Whether a node that is to hold `bytes`, frame and all, and `count` elements is too full.
    #[inline]
    pub(super) fn exceeded_by(self, bytes: usize, count: usize) -> bool {
        bytes > self.bytes || count > self.count
    }

    /// Whether a node of `used` bytes of entries and `count` elements takes one more of `len`.
    #[inline]
    pub(super) fn allows(self, used: usize, count: usize, len: usize) -> bool {
        !self.is_large(len) && !self.exceeded_by(used + FRAME + len + ENTRY_OVERHEAD, count + 1)
    }

    /// Whether a single node of this size is small enough to be the whole list again. `divisor`
    /// is 2 after a removal: a list at the limit is not to change form all the time.
    pub(super) fn suits_small(self, bytes: usize, count: usize, divisor: usize) -> bool {
        if self.by_count { count <= self.count / divisor } else { bytes <= self.bytes / divisor }
    }
}
