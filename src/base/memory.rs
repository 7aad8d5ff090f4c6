//! The allocator, and how much memory is in use.
//!
//! jemalloc counts, per thread, the bytes (of whole size classes) ever allocated and ever freed. Their
//! difference over all threads is exact and costs two loads. Threads other than the main one publish
//! their difference after each piece of work with [`publish`].
//!
//! By default jemalloc gives freed pages back to the system now and then in the middle of an allocation,
//! which was seen to hold the loop for milliseconds. So that is turned off, and a helper thread calls
//! [`give_back`] instead.
//!
//! Nor does it get a page more for each large allocation to spread their beginnings over the cache's lines, which
//! would be a tenth of a hash table's memory; and its slabs of small things are four pages long, as the 128 bytes
//! that it keeps for each are one byte in 32 where they are of one page.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicI64, Ordering};

#[cfg(not(miri))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// jemalloc reads its settings from this symbol: no decay of freed pages on the allocating thread, no random beginnings,
/// four pages to a slab of things of 16 to 64 bytes.
#[cfg(not(miri))]
#[unsafe(export_name = "_rjem_malloc_conf")]
static SETTINGS: Option<&'static libc::c_char> = {
    // SAFETY: a C string that lives as long as the program.
    Some(unsafe { &*c"dirty_decay_ms:-1,muzzy_decay_ms:-1,cache_oblivious:false,slab_sizes:16-64:4".as_ptr() })
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
    pub fn balance() -> i64 {
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
pub fn allocator() -> &'static str {
    if cfg!(miri) { "libc" } else { "jemalloc-5.3.0" }
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

/// Gives freed pages back to the system if they have become many. Takes its time: for a helper thread.
pub fn give_back() {
    let [_, active, resident, _] = report();
    if resident.saturating_sub(active) > SPARE_PAGES.max(active / 32) {
        purge();
    }
}

/// Freed pages, in bytes, that are kept for the next allocations.
const SPARE_PAGES: usize = 1 << 20;
