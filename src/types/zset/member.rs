//! The block of a member of a large sorted set: its score, its length and its bytes in one allocation.
//!
//! ```text
//! bytes 0–7   the score
//! byte 8      the length, or 255 and the length in the next four bytes
//! then        the member
//! ```
//!
//! A table owns the block ([`Member`]) and a tree orders plain addresses of it ([`Handle`]), so a member
//! lies in memory once. Only the score ever changes, and it is no part of the key.
#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::ds::btree::MemberBytes;
use crate::ds::line::prefetch;
use crate::ds::packed::class_size;
use crate::ds::table::Block;

const LENGTH_AT: usize = 8;
const LONG: u8 = u8::MAX;

/// An owned block.
pub(super) struct Member(NonNull<u8>);

/// The address of a block that a table owns.
#[derive(Clone, Copy)]
pub(super) struct Handle(NonNull<u8>);

// SAFETY: a member owns its block alone.
unsafe impl Send for Member {}
// SAFETY: a handle is used only together with the table that owns the block.
unsafe impl Send for Handle {}

fn head(len: usize) -> usize {
    if len < usize::from(LONG) { LENGTH_AT + 1 } else { LENGTH_AT + 5 }
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
    pub(super) fn new(text: &[u8], score: f64) -> Member {
        let len = u32::try_from(text.len()).expect("a member is below 4 GB");
        let layout = layout(text.len());
        // SAFETY: the layout is not empty.
        let Some(raw) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        // SAFETY: the block has room for head and text, is aligned to 8, and is new.
        unsafe {
            raw.cast::<f64>().write(score);
            match u8::try_from(len) {
                Ok(len) if len < LONG => raw.add(LENGTH_AT).write(len),
                _ => {
                    raw.add(LENGTH_AT).write(LONG);
                    raw.add(LENGTH_AT + 1).cast::<[u8; 4]>().write(len.to_ne_bytes());
                }
            }
            raw.add(head(text.len())).copy_from_nonoverlapping(NonNull::from(text).cast(), text.len());
        }
        Member(raw)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // SAFETY: the block is alive until the next line, which frees it with its own layout.
        unsafe {
            let len = Handle(self.0).text().len();
            dealloc(self.0.as_ptr(), layout(len));
        }
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
        unsafe { Handle(raw).text() }
    }
}

impl Handle {
    /// The handle to the block at an address that a table gave.
    #[inline]
    pub(super) fn new(raw: NonNull<u8>) -> Handle {
        Handle(raw)
    }

    /// The member's bytes.
    ///
    /// # Safety
    /// The block lives for `'a`.
    #[inline]
    pub(super) unsafe fn text<'a>(self) -> &'a [u8] {
        // SAFETY: the block lives, and was written by `Member::new`.
        unsafe {
            let short = self.0.add(LENGTH_AT).read();
            let len = if short < LONG {
                usize::from(short)
            } else {
                u32::from_ne_bytes(self.0.add(LENGTH_AT + 1).cast::<[u8; 4]>().read()) as usize
            };
            std::slice::from_raw_parts(self.0.add(head(len)).as_ptr(), len)
        }
    }

    /// The member's score.
    ///
    /// # Safety
    /// The block is alive.
    #[inline]
    pub(super) unsafe fn score(self) -> f64 {
        // SAFETY: the block lives and opens with its score, aligned to 8.
        unsafe { self.0.cast::<f64>().read() }
    }

    /// Gives the member another score.
    ///
    /// # Safety
    /// The block is alive.
    #[inline]
    pub(super) unsafe fn set_score(self, score: f64) {
        // SAFETY: the block lives and opens with its score, aligned to 8; nobody holds a reference to it.
        unsafe { self.0.cast::<f64>().write(score) }
    }
}

impl MemberBytes for Handle {
    #[inline]
    fn bytes(&self) -> &[u8] {
        // SAFETY: a tree's owner keeps the blocks of its handles alive.
        unsafe { self.text() }
    }

    #[inline]
    fn prefetch(&self) {
        prefetch(self.0.as_ptr());
    }
}
