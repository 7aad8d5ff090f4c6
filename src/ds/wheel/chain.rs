//! A bag of filings: a chain of chunks, filled and emptied at its head.
//!
//! A chunk is one allocation: a header of 16 bytes, then the filings. A chain's first chunk starts at
//! 32 bytes and doubles while it is the only one, up to 512; after that whole chunks of 512 are put
//! before it. So a slot with a few filings costs little, which matters as a wheel of a few thousand
//! filings may use two thousand slots, and a crowded one has 3 % of overhead and never copies
//! more than 240 bytes at once.
//!
//! Invariants: no chunk is empty; the first `len` filings of a chunk are initialised; all chunks but
//! the head are full.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Bytes of the first chunk of a chain when it is new.
const SMALLEST: usize = 32;
/// Bytes of a chunk that grows no more.
const LARGEST: usize = 512;
const HEADER: usize = 16;

/// Items, each with the part of the deadline that the holder cannot infer.
pub(super) struct Chain<T: Copy, D: Copy> {
    head: Option<NonNull<Header>>,
    holds: PhantomData<(T, D)>,
}

struct Header {
    next: Option<NonNull<Header>>,
    /// Chunks from this one on.
    chunks: u32,
    len: u16,
    capacity: u16,
}

const _: () = assert!(size_of::<Header>() <= HEADER && align_of::<Header>() <= HEADER);

// SAFETY: a chain owns its chunks, and what they hold may move to another thread if `T` and `D` may.
unsafe impl<T: Copy + Send, D: Copy + Send> Send for Chain<T, D> {}

impl<T: Copy, D: Copy> Default for Chain<T, D> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Copy, D: Copy> Chain<T, D> {
    pub(super) const fn new() -> Self {
        const {
            assert!(HEADER.is_multiple_of(align_of::<(T, D)>()), "filings follow the header");
            assert!(HEADER + size_of::<(T, D)>() <= SMALLEST, "the smallest chunk holds a filing");
        }
        Self { head: None, holds: PhantomData }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    #[inline]
    pub(super) fn push(&mut self, item: T, deadline: D) {
        let mut head = match self.head {
            // SAFETY: the head is a live chunk.
            Some(head) if unsafe { head.as_ref().len < head.as_ref().capacity } => head,
            _ => self.make_room(),
        };
        // SAFETY: the head is a live chunk that has room for a filing after its `len`.
        unsafe {
            let at = usize::from(head.as_ref().len);
            filings::<T, D>(head).add(at).write((item, deadline));
            head.as_mut().len += 1;
        }
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<(T, D)> {
        let mut head = self.head?;
        // SAFETY: the head is a live chunk and not empty; it is unlinked before it is freed.
        unsafe {
            let chunk = head.as_mut();
            chunk.len -= 1;
            let (len, next) = (chunk.len, chunk.next);
            let popped = filings::<T, D>(head).add(usize::from(len)).read();
            if len == 0 {
                self.head = next;
                release::<T, D>(head);
            }
            Some(popped)
        }
    }

    /// Bytes of the chunks.
    pub(super) fn bytes(&self) -> usize {
        let Some(head) = self.head else { return 0 };
        // SAFETY: the head is a live chunk.
        let head = unsafe { head.as_ref() };
        if head.chunks == 1 { layout::<T, D>(head.capacity).size() } else { head.chunks as usize * LARGEST }
    }

    /// Grows the only chunk, or puts a new one before the chunks there are, all of which are full.
    #[cold]
    fn make_room(&mut self) -> NonNull<Header> {
        // SAFETY: the head is a live chunk; `realloc` gets the layout it has, and keeps its content.
        let head = unsafe {
            match self.head {
                None => allocate::<T, D>(SMALLEST, None, 1),
                Some(mut head) => {
                    let (capacity, chunks) = (head.as_ref().capacity, head.as_ref().chunks);
                    let old = layout::<T, D>(capacity);
                    if old.size() == LARGEST {
                        allocate::<T, D>(LARGEST, Some(head), chunks.saturating_add(1))
                    } else {
                        let size = old.size() * 2;
                        let grown = realloc(head.as_ptr().cast(), old, size).cast();
                        let capacity = capacity_of::<T, D>(size);
                        head = NonNull::new(grown).unwrap_or_else(|| handle_alloc_error(layout::<T, D>(capacity)));
                        head.as_mut().capacity = capacity;
                        head
                    }
                }
            }
        };
        self.head = Some(head);
        head
    }
}

impl<T: Copy, D: Copy> Drop for Chain<T, D> {
    fn drop(&mut self) {
        let mut next = self.head.take();
        while let Some(chunk) = next {
            // SAFETY: each chunk of the chain is live and owned by it; its link is read before it is freed.
            unsafe {
                next = chunk.as_ref().next;
                release::<T, D>(chunk);
            }
        }
    }
}

/// Filings that fit into a chunk of so many bytes.
fn capacity_of<T, D>(bytes: usize) -> u16 {
    let capacity = (bytes - HEADER) / size_of::<(T, D)>();
    u16::try_from(capacity).expect("a chunk of at most 512 bytes holds few filings")
}

/// The layout of a chunk: sizes are powers of two, and the capacity tells which.
fn layout<T, D>(capacity: u16) -> Layout {
    let bytes = HEADER + usize::from(capacity) * size_of::<(T, D)>();
    Layout::from_size_align(bytes.next_power_of_two(), HEADER).expect("a small power of two")
}

fn allocate<T, D>(bytes: usize, next: Option<NonNull<Header>>, chunks: u32) -> NonNull<Header> {
    let capacity = capacity_of::<T, D>(bytes);
    let layout = layout::<T, D>(capacity);
    debug_assert_eq!(layout.size(), bytes);
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc(layout) }.cast::<Header>();
    let chunk = NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout));
    // SAFETY: the memory is large enough for a header and aligned for it.
    unsafe { chunk.write(Header { next, chunks, len: 0, capacity }) };
    chunk
}

/// # Safety
/// `chunk` came from `allocate::<T, D>` and is not used again.
unsafe fn release<T, D>(chunk: NonNull<Header>) {
    // SAFETY: by the contract; the capacity gives the layout it was allocated or grown with.
    unsafe { dealloc(chunk.as_ptr().cast(), layout::<T, D>(chunk.as_ref().capacity)) };
}

/// Where the filings of a chunk begin.
///
/// # Safety
/// `chunk` is a live chunk of this kind.
unsafe fn filings<T, D>(chunk: NonNull<Header>) -> *mut (T, D) {
    // SAFETY: the header is followed by filings within the same allocation.
    unsafe { chunk.as_ptr().cast::<u8>().add(HEADER).cast() }
}
