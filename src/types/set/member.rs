//! The block of a member of a large set: its length and its bytes in one allocation.
//!
//! ```text
//! byte 0   the length, or 255 and the length in the next four bytes
//! then     the member
//! ```
//!
//! The allocation is always a whole size class of the allocator, so its layout follows from the length.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::ds::packed::class_size;
use crate::ds::table::Block;

const LONG: u8 = u8::MAX;

/// An owned block.
pub(super) struct Member(NonNull<u8>);

// SAFETY: a member owns its block alone.
unsafe impl Send for Member {}

fn head(len: usize) -> usize {
    if len < usize::from(LONG) { 1 } else { 5 }
}

/// Bytes that the allocator spends on the block of a member of `len` bytes.
pub(super) fn block_size(len: usize) -> usize {
    class_size(head(len) + len)
}

fn layout(len: usize) -> Layout {
    Layout::from_size_align(block_size(len), 8).expect("a member is below 4 GB")
}

impl Member {
    /// A new block.
    pub(super) fn new(text: &[u8]) -> Member {
        let len = u32::try_from(text.len()).expect("a member is below 4 GB");
        let layout = layout(text.len());
        // SAFETY: the layout is not empty.
        let Some(raw) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: the block has room for head and text, and is new.
        unsafe {
            match u8::try_from(len) {
                Ok(len) if len < LONG => raw.write(len),
                _ => {
                    raw.write(LONG);
                    raw.add(1).cast::<[u8; 4]>().write(len.to_ne_bytes());
                }
            }
            raw.add(head(text.len())).copy_from_nonoverlapping(NonNull::from(text).cast(), text.len());
        }
        Member(raw)
    }

    /// The member's bytes.
    pub(super) fn text(&self) -> &[u8] {
        // SAFETY: the block lives as long as its owner is borrowed.
        unsafe { text_at(self.0) }
    }
}

/// The bytes of the block at `raw`.
///
/// # Safety
/// The block lives for `'a`.
#[inline]
pub(super) unsafe fn text_at<'a>(raw: NonNull<u8>) -> &'a [u8] {
    // SAFETY: the block lives, and was written by `Member::new`.
    unsafe {
        let short = raw.read();
        let len = if short < LONG { usize::from(short) } else { u32::from_ne_bytes(raw.add(1).cast::<[u8; 4]>().read()) as usize };
        std::slice::from_raw_parts(raw.add(head(len)).as_ptr(), len)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let layout = layout(self.text().len());
        // SAFETY: allocated with the same layout; this is the end of it.
        unsafe { dealloc(self.0.as_ptr(), layout) }
    }
}

// SAFETY: the block stays where it is until it is freed, allocator addresses have at most 48 bits, and
// nothing changes a member's bytes.
unsafe impl Block for Member {
    fn into_raw(self) -> NonNull<u8> {
        ManuallyDrop::new(self).0
    }
    unsafe fn from_raw(raw: NonNull<u8>) -> Self {
        Member(raw)
    }
    #[inline]
    unsafe fn key<'a>(raw: NonNull<u8>) -> &'a [u8] {
        // SAFETY: the caller's promise.
        unsafe { text_at(raw) }
    }
}
