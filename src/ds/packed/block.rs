//! Raw allocations rounded to the allocator's size classes.
//!
//! The packed containers keep their handles thin by not storing a capacity: it is a pure function
//! of the bytes in use, [`class_size`]. So the layout given back to the allocator is always known,
//! nothing beyond the class is ever held, and growth by appending is geometric (a class is at most
//! a quarter larger than the one before) without any stored slack.
//!
//! The road not taken is a capacity field: four more bytes in each of millions of small
//! collections, to describe what the allocator rounds up anyway.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::ptr::NonNull;

/// Alignment of every block: leaves three low pointer bits free for tags.
const ALIGN: usize = 8;

/// Bytes the allocator really spends on a request for `bytes`: multiples of 8 up to 32, then four classes to each
/// doubling, as jemalloc spaces them with a quantum of 8.
#[inline]
pub fn class_size(bytes: usize) -> usize {
    if bytes <= 32 {
        return (bytes.max(1) + 7) & !7;
    }
    let step = 1usize << ((bytes - 1).ilog2() - 2);
    (bytes + step - 1) & !(step - 1)
}

fn layout(capacity: usize) -> Layout {
    Layout::from_size_align(capacity, ALIGN).expect("containers bound their size far below isize")
}

/// A new block of `capacity` bytes, contents undefined. `capacity` is not zero.
pub(in crate::ds) fn allocate(capacity: usize) -> NonNull<u8> {
    assert!(capacity > 0, "a block is never empty");
    let layout = layout(capacity);
    // SAFETY: the layout's size is not zero, asserted above.
    let raw = unsafe { alloc(layout) };
    NonNull::new(raw).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Moves a block to another capacity, keeping the bytes that fit in both.
///
/// # Safety
/// `block` came from this module with capacity `old` and is not used afterwards.
pub(in crate::ds) unsafe fn resize(block: NonNull<u8>, old: usize, new: usize) -> NonNull<u8> {
    assert!(new > 0, "a block is never empty");
    let wanted = layout(new);
    // SAFETY: the caller vouches for the block and its layout; `new` is positive and `layout`
    // has checked that it does not overflow.
    let raw = unsafe { realloc(block.as_ptr(), layout(old), wanted.size()) };
    NonNull::new(raw).unwrap_or_else(|| handle_alloc_error(wanted))
}

/// Gives a block back.
///
/// # Safety
/// `block` came from this module with this `capacity` and is not used afterwards.
pub(in crate::ds) unsafe fn release(block: NonNull<u8>, capacity: usize) {
    // SAFETY: the caller vouches for the block and its layout.
    unsafe { dealloc(block.as_ptr(), layout(capacity)) }
}

#[cfg(test)]
mod tests {
    use super::class_size;

    #[test]
    fn classes_are_the_allocators() {
        let expected = [
            (0, 8),
            (7, 8),
            (9, 16),
            (17, 24),
            (25, 32),
            (33, 40),
            (57, 64),
            (65, 80),
            (128, 128),
            (129, 160),
            (256, 256),
            (257, 320),
            (4097, 5120),
            (8192, 8192),
            (8193, 10240),
        ];
        for (bytes, class) in expected {
            assert_eq!(class_size(bytes), class, "{bytes}");
            assert_eq!(class_size(class), class, "a class is its own class");
        }
    }
}
