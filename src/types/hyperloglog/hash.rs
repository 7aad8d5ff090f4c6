//! From an element to the register that notes it.
//!
//! Registers written by Redis must go on counting here, so the hash is Redis's: MurmurHash64A by Austin
//! Appleby with a fixed seed. That makes collisions easy to find for who wants a wrong count, and is the
//! price of one form for all.

use super::{REGISTER_BITS, REGISTERS};

const SEED: u64 = 0xADC8_3B19;

/// An element as the registers see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Observation {
    /// Below [`REGISTERS`].
    pub(super) register: usize,
    /// The place of the lowest one in the rest of the hash, counted from 1: at most 51.
    pub(super) value: u8,
}

/// The greatest value that an element can have: its hash's other bits are all zeros.
pub(super) const GREATEST_VALUE: u8 = 51;

pub(super) fn observe(element: &[u8]) -> Observation {
    let hash = murmur_64a(element);
    let mask = u64::try_from(REGISTERS - 1).expect("14 bits");
    let register = usize::try_from(hash & mask).expect("14 bits");
    // The added one ends every run of zeros.
    let rest = hash >> REGISTER_BITS | 1 << (64 - REGISTER_BITS);
    let value = u8::try_from(rest.trailing_zeros() + 1).expect("at most 51");
    Observation { register, value }
}

fn murmur_64a(bytes: &[u8]) -> u64 {
    const MULTIPLIER: u64 = 0xC6A4_A793_5BD1_E995;
    const SHIFT: u32 = 47;
    let fold = |word: u64| word ^ word >> SHIFT;
    let length = u64::try_from(bytes.len()).expect("a length in memory fits 64 bits");
    let (words, tail) = bytes.as_chunks::<8>();
    let mut hash = words.iter().fold(SEED ^ length.wrapping_mul(MULTIPLIER), |hash, word| {
        let word = u64::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        (hash ^ fold(word).wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER)
    });
    if !tail.is_empty() {
        let mut word = [0; 8];
        word[..tail.len()].copy_from_slice(tail);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(MULTIPLIER);
    }
    fold(fold(hash).wrapping_mul(MULTIPLIER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_within_their_bounds() {
        let values = (0..200_000u32).map(|element| observe(&element.to_le_bytes()).value);
        let (least, greatest) = (values.clone().min(), values.max());
        assert_eq!(least, Some(1));
        assert!(greatest.is_some_and(|value| (10..=GREATEST_VALUE).contains(&value)));
    }

    #[test]
    fn elements_fall_where_a_live_server_puts_them() {
        // Redis's PFADD of "a", "b" and "c" makes these registers.
        let seen = [b"a", b"b", b"c"].map(|element| observe(element));
        let mut seen = seen.map(|Observation { register, value }| (register, value));
        seen.sort_unstable();
        assert_eq!(seen, [(8436, 1), (12_711, 2), (15_780, 1)]);
    }
}
