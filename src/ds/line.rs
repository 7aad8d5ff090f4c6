//! Cache lines and short runs of bytes: what lookups do so often that it is worth a word to the processor.

/// Asks the processor for the cache line at an address; a wrong one does no harm.
#[inline]
pub fn prefetch(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: a prefetch reads nothing that the program can see and faults on no address.
    unsafe {
        std::arch::x86_64::_mm_prefetch(address.cast(), std::arch::x86_64::_MM_HINT_T0)
    };
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

/// Whether two keys are equal. Keys are short: eight bytes at a time, inlined, beat a call of `memcmp`.
#[inline]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let (Some(last_a), Some(last_b)) = (a.last_chunk::<8>(), b.last_chunk::<8>()) else {
        return a.iter().zip(b).all(|(a, b)| a == b);
    };
    // the last eight overlap with those before
    let (words_a, words_b) = (a.as_chunks::<8>().0, b.as_chunks::<8>().0);
    last_a == last_b && words_a.iter().zip(words_b).all(|(a, b)| a == b)
}
