//! Bitmaps: a string seen as a row of bits, the highest bit of the first byte being bit 0.
//!
//! A bitmap has no form of its own. It is a string's bytes, so GET, APPEND and SETRANGE work on it,
//! and everything here is a function on slices. Beyond the last byte a bitmap goes on with zeros for
//! ever: reading there gives zeros; to write there, the caller first lengthens the string to
//! [`bytes_for`] the bits.
//!
//! - here: single bits, counting ([`count`]), finding ([`position`]) and the rules by which both
//!   understand `start end [BYTE|BIT]`;
//! - [`combine`]: BITOP; [`field`]: BITFIELD.
//!
//! Counting uses the carry-save adders of Harley and Seal in place of a population count instruction:
//! the instruction would need `unsafe` and a check of the processor, and the compiler turns the adders
//! into vector code, which is as fast as memory.

pub mod combine;
pub mod field;

/// One bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bit {
    /// 0
    Zero,
    /// 1
    One,
}

impl Bit {
    /// The bit that a number means, if it is 0 or 1.
    pub fn from_number(number: i64) -> Option<Bit> {
        match number {
            0 => Some(Bit::Zero),
            1 => Some(Bit::One),
            _ => None,
        }
    }

    /// 0 or 1.
    pub fn number(self) -> i64 {
        match self {
            Bit::Zero => 0,
            Bit::One => 1,
        }
    }
}

/// What the two numbers of a range count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeUnit {
    /// Bytes.
    Byte,
    /// Bits.
    Bit,
}

impl RangeUnit {
    /// The unit called `BYTE` or `BIT`, in either case.
    pub fn from_name(name: &[u8]) -> Option<RangeUnit> {
        if name.eq_ignore_ascii_case(b"byte") {
            Some(RangeUnit::Byte)
        } else if name.eq_ignore_ascii_case(b"bit") {
            Some(RangeUnit::Bit)
        } else {
            None
        }
    }
}

/// How many bytes hold the bits before `end`.
pub fn bytes_for(end: u64) -> u64 {
    end.div_ceil(8)
}

/// The bit at `offset`.
pub fn get(bytes: &[u8], offset: u64) -> Bit {
    match byte_at(bytes, offset / 8) & mask(offset) {
        0 => Bit::Zero,
        _ => Bit::One,
    }
}

/// Changes the bit at `offset` and returns what it was.
///
/// # Panics
/// When the bytes do not reach that far: the caller lengthens them.
pub fn set(bytes: &mut [u8], offset: u64, bit: Bit) -> Bit {
    let old = get(bytes, offset);
    let byte = &mut bytes[index(offset / 8)];
    match bit {
        Bit::Zero => *byte &= !mask(offset),
        Bit::One => *byte |= mask(offset),
    }
    old
}

/// How many ones there are in all of `bytes`.
pub fn count_all(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let mut total = 0;
    // So few blocks at a time that a lane cannot overflow.
    for group in blocks.chunks(1 << 20) {
        total += count_blocks(group);
    }
    total + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// How many ones there are from `start` to `end` (inclusive, negative from the end), as BITCOUNT
/// counts.
pub fn count(bytes: &[u8], start: i64, end: i64, unit: RangeUnit) -> u64 {
    if start < 0 && end < 0 && start > end {
        return 0;
    }
    match resolve(bytes, start, end, unit) {
        Some((first, last)) => count_between(bytes, first, last),
        None => 0,
    }
}

/// Where the first `bit` from `start` to `end` is, as BITPOS finds it.
///
/// Without an `end` the zeros beyond the bytes belong to the range: then the first zero of
/// bytes that are all ones is just behind them. An empty range holds nothing, so empty bytes give
/// `None`. A key that does not exist is the caller's matter: its first zero is at 0, whatever the range.
pub fn position(bytes: &[u8], bit: Bit, start: i64, end: Option<i64>, unit: RangeUnit) -> Option<u64> {
    let (first, last) = resolve(bytes, start, end.unwrap_or(-1), unit)?;
    match find(bytes, bit, first, last) {
        None if bit == Bit::Zero && end.is_none() => Some(last + 1),
        found => found,
    }
}

/// First and last bit of a range, or `None` when it is empty.
fn resolve(bytes: &[u8], start: i64, end: i64, unit: RangeUnit) -> Option<(u64, u64)> {
    let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let total = match unit {
        RangeUnit::Byte => length,
        RangeUnit::Bit => length.saturating_mul(8),
    };
    let from_left = |position: i64| match position {
        ..0 => (position + total).max(0),
        _ => position,
    };
    let first = from_left(start);
    let last = from_left(end).min(total - 1);
    if first > last {
        return None;
    }
    let (first, last) = (first.unsigned_abs(), last.unsigned_abs());
    Some(match unit {
        RangeUnit::Byte => (first * 8, last * 8 + 7),
        RangeUnit::Bit => (first, last),
    })
}

/// Ones from bit `first` to bit `last`, both within `bytes`.
fn count_between(bytes: &[u8], first: u64, last: u64) -> u64 {
    let (first_byte, last_byte) = (index(first / 8), index(last / 8));
    let before = bytes[first_byte] & !from_mask(first);
    let after = bytes[last_byte] & !to_mask(last);
    count_all(&bytes[first_byte..=last_byte]) - u64::from(before.count_ones()) - u64::from(after.count_ones())
}

/// The first `bit` from bit `first` to bit `last`, both within `bytes`.
fn find(bytes: &[u8], bit: Bit, first: u64, last: u64) -> Option<u64> {
    let flip = match bit {
        Bit::One => 0,
        Bit::Zero => 0xFF,
    };
    let (first_byte, last_byte) = (index(first / 8), index(last / 8));
    // What is searched for is a one now; only the ends may have bits that do not count.
    let seen = |at: usize| {
        let from = if at == first_byte { from_mask(first) } else { 0xFF };
        let to = if at == last_byte { to_mask(last) } else { 0xFF };
        (bytes[at] ^ flip) & from & to
    };
    let at = if seen(first_byte) != 0 {
        first_byte
    } else {
        let inner = bytes.get(first_byte + 1..last_byte).unwrap_or_default();
        match first_other_than(inner, flip) {
            Some(distance) => first_byte + 1 + distance,
            None if seen(last_byte) != 0 => last_byte,
            None => return None,
        }
    };
    let offset = u64::try_from(at).expect("an index in memory fits 64 bits") * 8;
    Some(offset + u64::from(seen(at).leading_zeros()))
}

/// The first byte that is not `byte`. Blocks are compared whole, which the compiler does in vectors.
fn first_other_than(bytes: &[u8], byte: u8) -> Option<usize> {
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let skipped = blocks.iter().take_while(|block| block.iter().fold(0, |sum, other| sum | (other ^ byte)) == 0).count();
    let start = skipped * BLOCK;
    let distance = bytes[start..].iter().position(|other| *other != byte)?;
    Some(start + distance)
}

const BLOCK: usize = 128;
const LANES: usize = BLOCK / 8;

/// Ones in whole blocks: sixteen words a block go through adders that keep ones, twos, fours and
/// eights apart, so that only every sixteenth word is counted bit by bit.
fn count_blocks(blocks: &[[u8; BLOCK]]) -> u64 {
    let (mut ones, mut twos, mut fours, mut eights, mut sixteens) = (0, 0, 0, 0, 0);
    for block in blocks {
        let mut words = [0; LANES];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<8>().0) {
            *word = u64::from_ne_bytes(*bytes);
        }
        let mut carried = [0; 2];
        for (eight, half) in carried.iter_mut().zip(words.as_chunks::<8>().0) {
            let [a, b, c, d, e, f, g, h] = *half;
            let first = add_four(&mut ones, &mut twos, [a, b, c, d]);
            let second = add_four(&mut ones, &mut twos, [e, f, g, h]);
            *eight = add(&mut fours, first, second);
        }
        let sixteen = add(&mut eights, carried[0], carried[1]);
        sixteens += u64::from(sixteen.count_ones());
    }
    let weighed = |word: u64, weight| u64::from(word.count_ones()) * weight;
    sixteens * 16 + weighed(eights, 8) + weighed(fours, 4) + weighed(twos, 2) + weighed(ones, 1)
}

/// Adds four words to the ones and twos; returns the carry, worth four.
fn add_four(ones: &mut u64, twos: &mut u64, words: [u64; 4]) -> u64 {
    let first = add(ones, words[0], words[1]);
    let second = add(ones, words[2], words[3]);
    add(twos, first, second)
}

/// Adds two words to `sum`, each bit on its own; returns the carries.
fn add(sum: &mut u64, a: u64, b: u64) -> u64 {
    let half = *sum ^ a;
    let carry = (*sum & a) | (half & b);
    *sum = half ^ b;
    carry
}

/// A byte, or zero beyond the end.
fn byte_at(bytes: &[u8], at: u64) -> u8 {
    usize::try_from(at).ok().and_then(|at| bytes.get(at)).copied().unwrap_or(0)
}

/// A position within bytes in memory.
fn index(at: u64) -> usize {
    usize::try_from(at).expect("within bytes in memory")
}

/// The bit of `offset` within its byte.
fn mask(offset: u64) -> u8 {
    0x80 >> (offset % 8)
}

/// The bits of a byte from `offset` on.
fn from_mask(offset: u64) -> u8 {
    0xFF >> (offset % 8)
}

/// The bits of a byte up to `offset`.
fn to_mask(offset: u64) -> u8 {
    0xFF << (7 - offset % 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    /// BITCOUNT as a live server answers: `start end` of `foobar`.
    #[test]
    fn ranges_count_as_on_a_live_server() {
        use RangeUnit::{Bit, Byte};
        let cases = [
            (0, 0, Byte, 4),
            (1, 1, Byte, 6),
            (0, -1, Byte, 26),
            (0, -5, Byte, 10),
            (-5, -6, Byte, 0),
            (-100, -200, Byte, 0),
            (0, -100, Byte, 4),
            (5, 30, Bit, 17),
            (i64::MIN, i64::MAX, Bit, 26),
        ];
        for (start, end, unit, ones) in cases {
            assert_eq!(count(b"foobar", start, end, unit), ones, "{start} {end} {unit:?}");
        }
        assert_eq!(count(b"", 0, -1, Byte), 0);
    }

    #[test]
    fn positions_are_those_of_a_live_server() {
        use RangeUnit::{Bit as Bits, Byte};
        const PART: &[u8] = b"\xFF\xF0\0";
        const FULL: &[u8] = b"\xFF\xFF\xFF";
        let cases = [
            (PART, Bit::Zero, 0, None, Byte, Some(12)),
            (PART, Bit::Zero, 2, None, Byte, Some(16)),
            (PART, Bit::One, 2, None, Byte, None),
            (PART, Bit::Zero, 0, Some(0), Byte, None),
            (PART, Bit::Zero, -1, Some(-100), Byte, None),
            (PART, Bit::One, -100, Some(-200), Byte, Some(0)),
            (PART, Bit::Zero, 7, Some(7), Bits, None),
            (PART, Bit::Zero, 7, Some(15), Bits, Some(12)),
            (PART, Bit::One, 12, Some(-1), Bits, None),
            (FULL, Bit::Zero, 0, None, Byte, Some(24)),
            (FULL, Bit::Zero, 1, None, Byte, Some(24)),
            (FULL, Bit::Zero, 1, Some(2), Byte, None),
            (FULL, Bit::Zero, 0, Some(-1), Bits, None),
            (FULL, Bit::Zero, 5, None, Byte, None),
            (b"", Bit::Zero, 0, None, Byte, None),
        ];
        for (bytes, bit, start, end, unit, found) in cases {
            let position = position(bytes, bit, start, end, unit);
            assert_eq!(position, found, "{bytes:?} {bit:?} {start} {end:?} {unit:?}");
        }
    }

    #[test]
    fn counting_and_finding_agree_with_looking_at_each_bit() {
        let mut random = Random::from_seed(7);
        for round in 0..400 {
            let length = random.index(if round % 10 == 0 { 4000 } else { 300 }) + 1;
            let mut bytes = vec![[0, 0xFF][round % 2]; length];
            if round % 3 == 0 {
                random.fill(&mut bytes);
            }
            let total = u64::try_from(length * 8).expect("small");
            set(&mut bytes, random.below(total), Bit::One);
            let bits: Vec<Bit> = (0..total).map(|offset| get(&bytes, offset)).collect();
            let ones = |bits: &[Bit]| bits.iter().filter(|bit| **bit == Bit::One).count();
            assert_eq!(usize::try_from(count_all(&bytes)), Ok(ones(&bits)));
            let first = random.index(bits.len());
            let last = first + random.index(bits.len() - first);
            let (start, end) = (i64::try_from(first), i64::try_from(last));
            let (start, end) = (start.expect("small"), end.expect("small"));
            let expected = ones(&bits[first..=last]);
            let found = count(&bytes, start, end, RangeUnit::Bit);
            assert_eq!(usize::try_from(found), Ok(expected));
            for bit in [Bit::Zero, Bit::One] {
                let expected = bits[first..=last].iter().position(|other| *other == bit);
                let found = position(&bytes, bit, start, Some(end), RangeUnit::Bit);
                let found = found.map(|at| usize::try_from(at).expect("small") - first);
                assert_eq!(found, expected, "{first} {last} {bit:?}");
            }
        }
    }

    #[test]
    fn a_bit_is_set_and_beyond_the_end_all_are_zero() {
        let mut bytes = vec![0; 2];
        assert_eq!(set(&mut bytes, 9, Bit::One), Bit::Zero);
        assert_eq!(set(&mut bytes, 9, Bit::One), Bit::One);
        assert_eq!(bytes, [0, 0x40]);
        assert_eq!(set(&mut bytes, 9, Bit::Zero), Bit::One);
        assert_eq!(bytes, [0, 0]);
        assert_eq!(get(&[0xFF], 8), Bit::Zero);
        assert_eq!(get(&[0xFF], u64::MAX), Bit::Zero);
        assert_eq!((bytes_for(0), bytes_for(8), bytes_for(9)), (0, 1, 2));
    }
}
