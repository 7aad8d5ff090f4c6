//! The allocator, and how much memory is in use.
//!
//! jemalloc counts, per thread, the bytes (of whole size classes) ever allocated and ever freed. Their
//! difference over all threads is exact and costs two loads. Threads other than the main one publish
//! their difference after each piece of work with [`publish`].
//!
//! It is built (`.cargo/config.toml`) with size classes in steps of 8 bytes up to 64, as Redis builds it: keys,
//! fields and members are small, and steps of 16 would waste twice as much on each. What is aligned to 16 is
//! then asked for in multiples of 16 ([`Allocator`]). Built without that setting, all works and takes more room.
//!
//! By default jemalloc gives freed pages back to the system now and then in the middle of an allocation,
//! which was seen to hold the loop for milliseconds. So that is turned off, and a helper thread calls
//! [`give_back`] instead.
//!
//! Nor does it get a page more for each large allocation to spread their beginnings over the cache's lines, which
//! would be a tenth of a hash table's memory; and its slabs of small things are four pages long, as the 128 bytes
//! that it keeps for each are one byte in 32 where they are of one page.
#![allow(unsafe_code)]

#[cfg(not(miri))]
use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

#[cfg(not(miri))]
use tikv_jemallocator::Jemalloc;

#[cfg(not(miri))]
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// jemalloc with classes in steps of 8. Its crate takes for granted that whatever is at least 16 bytes long is aligned
/// to 16; here, that goes for multiples of 16 only.
#[cfg(not(miri))]
struct Allocator;

/// The size to ask for instead of `size`.
#[cfg(not(miri))]
#[inline]
fn widened(size: usize, align: usize) -> usize {
    if align == 16 { size.next_multiple_of(16) } else { size }
}

/// The layout to ask for instead of `layout`.
#[cfg(not(miri))]
#[inline]
fn wide(layout: Layout) -> Layout {
    // SAFETY: a layout's size stays in bounds when it is rounded up to the alignment.
    unsafe { Layout::from_size_align_unchecked(widened(layout.size(), layout.align()), layout.align()) }
}

// SAFETY: jemalloc is asked for as much or more, by the same rule each time.
#[cfg(not(miri))]
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, which `wide` keeps.
        unsafe { Jemalloc.alloc(wide(layout)) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, which `wide` keeps.
        unsafe { Jemalloc.alloc_zeroed(wide(layout)) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block was allocated with the same wide layout.
        unsafe { Jemalloc.dealloc(block, wide(layout)) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the block was allocated with the same wide layout; the caller vouches for the new size.
        unsafe { Jemalloc.realloc(block, wide(layout), widened(size, layout.align())) }
    }
}

/// jemalloc reads its settings from this symbol: no decay of freed pages on the allocating thread, no random beginnings,
/// four pages to a slab of things of 16 to 64 bytes, huge pages for what is that large (if the process allows it: `net/huge_pages.rs`).
#[cfg(not(miri))]
#[unsafe(export_name = "_rjem_malloc_conf")]
static SETTINGS: Option<&'static libc::c_char> = {
    // SAFETY: a C string that lives as long as the program.
    Some(unsafe { &*c"dirty_decay_ms:-1,muzzy_decay_ms:-1,cache_oblivious:false,slab_sizes:16-64:4,thp:always".as_ptr() })
};

/// What helper threads have allocated less what they have freed, and what is mapped beside the allocator.
static OTHERS: AtomicI64 = AtomicI64::new(0);

#[cfg(not(miri))]
mod counters {
    use tikv_jemalloc_ctl::thread;

    thread_local! {
        static COUNTERS: Option<(thread::ThreadLocal<u64>, thread::ThreadLocal<u64>)> =
            thread::allocatedp::read().ok().zip(thread::deallocatedp::read().ok());
    }

    /// Bytes that this thread allocated less those that it freed.
    pub(super) fn balance() -> i64 {
        COUNTERS.with(|counters| counters.as_ref().map_or(0, |(allocated, freed)| allocated.get().wrapping_sub(freed.get()) as i64))
    }
}

#[cfg(miri)]
mod counters {
    pub fn balance() -> i64 {
        0
    }
}

/// Bytes in use by the whole process, as the main thread sees it.
pub fn used() -> usize {
    usize::try_from(counters::balance() + OTHERS.load(Ordering::Relaxed)).unwrap_or(0)
}

/// Counts memory that does not come from the allocator: `now` bytes where there were `before`.
pub fn mapped(now: usize, before: usize) {
    OTHERS.fetch_add(now as i64 - before as i64, Ordering::Relaxed);
}

/// On a helper thread: adds what changed since `last` to the total, and remembers it. Gives how many bytes
/// more were freed than allocated.
pub fn publish(last: &mut i64) -> usize {
    let balance = counters::balance();
    let change = balance - *last;
    OTHERS.fetch_add(change, Ordering::Relaxed);
    *last = balance;
    usize::try_from(-change).unwrap_or(0)
}

/// The allocator's name and version, for INFO.
pub fn allocator() -> String {
    #[cfg(not(miri))]
    {
        let version = tikv_jemalloc_ctl::version::read().unwrap_or_default();
        // behind a dash stands which commit it is
        format!("jemalloc-{}", version.split('-').next().unwrap_or_default())
    }
    #[cfg(miri)]
    "libc".to_string()
}

/// What the allocator says of itself: allocated, active, resident, retained bytes.
pub fn report() -> [usize; 4] {
    #[cfg(not(miri))]
    {
        use tikv_jemalloc_ctl::{epoch, stats};
        let _ = epoch::advance();
        let read = |value: Result<usize, tikv_jemalloc_ctl::Error>| value.unwrap_or(0);
        [read(stats::allocated::read()), read(stats::active::read()), read(stats::resident::read()), read(stats::retained::read())]
    }
    #[cfg(miri)]
    [0; 4]
}

/// The number that a control of the allocator (`arenas.page`) reads, if it is one.
pub fn control(name: &std::ffi::CStr) -> Option<u64> {
    #[cfg(not(miri))]
    {
        [8, 4, 1].into_iter().find_map(|width: usize| {
            let (mut bytes, mut size) = ([0u8; 8], width);
            let none = std::ptr::null_mut();
            // SAFETY: the name ends with a zero, and the allocator writes `size` bytes at most, for which there is room.
            let code = unsafe { tikv_jemalloc_sys::mallctl(name.as_ptr(), (&raw mut bytes).cast(), &raw mut size, none, 0) };
            let value = match width {
                8 => u64::from_ne_bytes(bytes),
                4 => u64::from(u32::from_ne_bytes(*bytes.first_chunk().expect("four of eight"))),
                _ => u64::from(bytes[0]),
            };
            (code == 0).then_some(value)
        })
    }
    #[cfg(miri)]
    {
        let _ = name;
        None
    }
}

/// Gives memory that is not in use back to the system; `false` if the allocator would not.
pub fn purge() -> bool {
    #[cfg(not(miri))]
    {
        /// `MALLCTL_ARENAS_ALL` of jemalloc's interface.
        const PURGE_ALL: &std::ffi::CStr = c"arena.4096.purge";
        // SAFETY: the name ends with a zero, and this control takes and gives no data.
        let code =
            unsafe { tikv_jemalloc_sys::mallctl(PURGE_ALL.as_ptr(), std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut(), 0) };
        code == 0
    }
    #[cfg(miri)]
    true
}

/// The allocator's own report, for people.
pub fn statistics() -> Vec<u8> {
    let mut text = Vec::new();
    #[cfg(not(miri))]
    {
        use std::ffi::{CStr, c_char, c_void};
        unsafe extern "C" fn append(text: *mut c_void, line: *const c_char) {
            // SAFETY: jemalloc hands back the vector below and a text that ends with a zero.
            let (text, line) = unsafe { (&mut *text.cast::<Vec<u8>>(), CStr::from_ptr(line)) };
            text.extend_from_slice(line.to_bytes());
        }
        // SAFETY: the vector lives longer than the call.
        unsafe { tikv_jemalloc_sys::malloc_stats_print(Some(append), (&raw mut text).cast(), std::ptr::null()) };
    }
    text
}

/// Whether data may lie in huge pages by now.
static IN_HUGE_PAGES: AtomicBool = AtomicBool::new(false);

/// From now on data may lie in huge pages, which freed pages that are given back tear apart: up to a quarter of what is in use
/// is kept. (A twelfth is too little: a table that grows frees more than that at times, and after each purge few huge pages are left.)
pub fn keep_huge_pages() {
    IN_HUGE_PAGES.store(true, Ordering::Relaxed);
}

/// Gives freed pages back to the system if they have become many. Takes its time: for a helper thread.
pub fn give_back() {
    let [_, active, resident, _] = report();
    let part = if IN_HUGE_PAGES.load(Ordering::Relaxed) { 4 } else { 32 };
    if resident.saturating_sub(active) > SPARE_PAGES.max(active / part) {
        purge();
    }
}

/// Freed pages, in bytes, that are kept for the next allocations.
const SPARE_PAGES: usize = 1 << 20;

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn classes_are_in_steps_of_eight() {
        for (size, class) in [(17, 24), (24, 24), (33, 40), (49, 56), (64, 64), (65, 80)] {
            // SAFETY: a question about sizes.
            let real = unsafe { tikv_jemalloc_sys::nallocx(size, 0) };
            assert_eq!(real, class, "jemalloc was built without .cargo/config.toml: build inside the project's directory");
        }
    }

    #[test]
    fn what_is_aligned_to_sixteen_is() {
        let mut held: Vec<Vec<u128>> = Vec::new();
        for round in 0..2_000 {
            let mut words: Vec<u128> = Vec::with_capacity(1 + round % 5);
            words.push(7);
            words.reserve_exact(round % 7);
            assert!(words.as_ptr().addr().is_multiple_of(16));
            held.push(words);
        }
        assert!(held.iter().all(|words| words == &[7]));
        for size in 1..200 {
            let layout = Layout::from_size_align(size, 16).expect("a small layout");
            // SAFETY: the size is not zero, and the blocks are freed with their layout.
            unsafe {
                let blocks = [0; 5].map(|_| std::alloc::alloc(layout));
                assert!(blocks.iter().all(|block| block.addr().is_multiple_of(16)), "{size}");
                blocks.into_iter().for_each(|block| std::alloc::dealloc(block, layout));
            }
        }
    }
}
