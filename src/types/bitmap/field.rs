//! BITFIELD: integers of any width at any bit, and what happens when a number does not fit.
//!
//! A field of up to 64 bits that begins within a byte touches up to nine bytes. They are read into
//! one 128-bit window; a write puts the window's changed bytes back. Numbers travel as `i64`: unsigned
//! fields have at most 63 bits, and what a client gives is a signed number in any case.

use super::{byte_at, index};
use crate::base::number;

/// Sign and width of a field: `i1` to `i64`, `u1` to `u63`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    sign: Sign,
    bits: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Signed,
    Unsigned,
}

/// What is done with a number that does not fit its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The bits that fit are kept.
    Wrap,
    /// The nearest number that fits is taken.
    Saturate,
    /// Nothing is written.
    Fail,
}

impl Overflow {
    /// The rule called `WRAP`, `SAT` or `FAIL`, in either case.
    pub fn from_name(name: &[u8]) -> Option<Overflow> {
        const NAMES: [(&[u8], Overflow); 3] = [(b"wrap", Overflow::Wrap), (b"sat", Overflow::Saturate), (b"fail", Overflow::Fail)];
        NAMES.into_iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, overflow)| overflow)
    }
}

/// On which side a number is out of its field's range.
enum Excess {
    Above,
    Below,
}

impl FieldType {
    /// Reads `i8`, `u63` and the like.
    pub fn parse(text: &[u8]) -> Option<FieldType> {
        let (sign, digits, most) = match text {
            [b'i', digits @ ..] => (Sign::Signed, digits, 64),
            [b'u', digits @ ..] => (Sign::Unsigned, digits, 63),
            _ => return None,
        };
        let bits = number::parse_u64(digits)?;
        let bits = u32::try_from(bits).ok().filter(|bits| (1..=most).contains(bits))?;
        Some(FieldType { sign, bits })
    }

    /// Width in bits.
    pub fn bits(self) -> u32 {
        self.bits
    }

    /// The number in the field that begins at bit `offset`.
    pub fn get(self, bytes: &[u8], offset: u64) -> i64 {
        let shifted = read_window(bytes, offset) >> self.shift(offset);
        let low = u64::try_from(shifted & u128::from(u64::MAX)).expect("64 bits were kept");
        self.wrapped(low)
    }

    /// Writes a number's lowest bits into the field that begins at bit `offset`.
    ///
    /// # Panics
    /// When the bytes do not reach to the field's end: the caller lengthens them.
    pub fn set(self, bytes: &mut [u8], offset: u64, value: i64) {
        let shift = self.shift(offset);
        let mask = u128::from(self.mask()) << shift;
        let bits = u128::from(value.cast_unsigned() & self.mask()) << shift;
        let window = read_window(bytes, offset) & !mask | bits;
        let touched = index((offset % 8 + u64::from(self.bits)).div_ceil(8));
        let first = index(offset / 8);
        let text = (window << (128 - WINDOW_BITS)).to_be_bytes();
        bytes[first..first + touched].copy_from_slice(&text[..touched]);
    }

    /// What SET writes for `value`; `None` when it does not fit and must not be written.
    pub fn fit(self, value: i64, overflow: Overflow) -> Option<i64> {
        self.increment(value, 0, overflow)
    }

    /// What INCRBY makes of the field's number `old`; `None` when that does not fit and must not be
    /// written.
    pub fn increment(self, old: i64, by: i64, overflow: Overflow) -> Option<i64> {
        let excess = match self.sign {
            Sign::Signed => self.signed_excess(old, by),
            Sign::Unsigned => self.unsigned_excess(old, by),
        };
        let sum = old.wrapping_add(by);
        match (excess, overflow) {
            (None, _) => Some(sum),
            (Some(_), Overflow::Fail) => None,
            (Some(_), Overflow::Wrap) => Some(self.wrapped(sum.cast_unsigned())),
            (Some(Excess::Above), Overflow::Saturate) => Some(self.greatest()),
            (Some(Excess::Below), Overflow::Saturate) => Some(self.least()),
        }
    }

    /// A value to be SET is compared as 64 unsigned bits, so a negative one is too large.
    fn unsigned_excess(self, old: i64, by: i64) -> Option<Excess> {
        let sum = i128::from(old) + i128::from(by);
        if old < 0 || sum > i128::from(self.greatest()) {
            Some(Excess::Above)
        } else if sum < 0 {
            Some(Excess::Below)
        } else {
            None
        }
    }

    /// Redis compares `by` with the room that is left, whose subtraction wraps around: a value to be
    /// SET that is very far below its field counts as above it. Clients see that when they saturate.
    fn signed_excess(self, old: i64, by: i64) -> Option<Excess> {
        let (least, greatest) = (self.least(), self.greatest());
        let room_above = greatest.wrapping_sub(old);
        let room_below = least.wrapping_sub(old);
        let narrow = self.bits < 64;
        if old > greatest || (narrow || old >= 0 && by > 0) && by > room_above {
            Some(Excess::Above)
        } else if old < least || (narrow || old < 0 && by < 0) && by < room_below {
            Some(Excess::Below)
        } else {
            None
        }
    }

    fn greatest(self) -> i64 {
        match self.sign {
            Sign::Signed => i64::MAX >> (64 - self.bits),
            Sign::Unsigned => self.mask().cast_signed(),
        }
    }

    fn least(self) -> i64 {
        match self.sign {
            Sign::Signed => i64::MIN >> (64 - self.bits),
            Sign::Unsigned => 0,
        }
    }

    /// The number that the lowest bits of `word` are in this type.
    fn wrapped(self, word: u64) -> i64 {
        let spare = 64 - self.bits;
        match self.sign {
            Sign::Signed => word.cast_signed() << spare >> spare,
            Sign::Unsigned => (word & self.mask()).cast_signed(),
        }
    }

    /// As many ones as the field has bits.
    fn mask(self) -> u64 {
        u64::MAX >> (64 - self.bits)
    }

    /// How far the field is from the window's right end.
    fn shift(self, offset: u64) -> u32 {
        let skipped = u32::try_from(offset % 8).expect("below eight");
        WINDOW_BITS - skipped - self.bits
    }
}

const WINDOW_BYTES: u64 = 9;
const WINDOW_BITS: u32 = 72;

/// The nine bytes from that of bit `offset` on, the first one highest; zeros beyond the end.
fn read_window(bytes: &[u8], offset: u64) -> u128 {
    let first = offset / 8;
    (first..first + WINDOW_BYTES).fold(0, |window, at| window << 8 | u128::from(byte_at(bytes, at)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn field(text: &str) -> FieldType {
        FieldType::parse(text.as_bytes()).expect("a field type")
    }

    #[test]
    fn types_are_read_strictly() {
        assert_eq!((field("i64").bits(), field("u63").bits()), (64, 63));
        for text in ["", "i", "u0", "i0", "u64", "i65", "I8", "i08", "i-1", "u 8", "8"] {
            assert_eq!(FieldType::parse(text.as_bytes()), None, "{text}");
        }
    }

    /// One BITFIELD after the other on the same bytes, with a live server's answers.
    #[test]
    fn a_live_servers_answers() {
        use Overflow::{Fail, Saturate, Wrap};
        const MIN: i64 = i64::MIN;
        let mut bytes = vec![0; 9];
        let sets = [("u8", 0, 255, Wrap, 0), ("i8", 0, MIN, Saturate, -1), ("i8", 0, -129, Saturate, 127)];
        for (text, offset, value, overflow, old) in sets {
            assert_eq!(field(text).get(&bytes, offset), old, "{text} {value}");
            let value = field(text).fit(value, overflow).expect("not to fail");
            field(text).set(&mut bytes, offset, value);
        }
        let increments = [
            ("i8", 0, 0, Wrap, Some(-128)),
            ("i5", 3, 100, Saturate, Some(15)),
            ("u63", 5, -1, Fail, Some(8_070_450_532_247_928_831)),
            ("i64", 7, -9_223_372_036_854_775_800, Wrap, Some(0)),
            ("i64", 7, i64::MAX, Wrap, Some(i64::MAX)),
            ("i64", 7, 1, Wrap, Some(MIN)),
            ("i64", 7, -1, Saturate, Some(MIN)),
            ("i64", 7, -1, Fail, None),
        ];
        for (text, offset, by, overflow, new) in increments {
            let old = field(text).get(&bytes, offset);
            let result = field(text).increment(old, by, overflow);
            assert_eq!(result, new, "{text} {by}");
            if let Some(value) = result {
                field(text).set(&mut bytes, offset, value);
                assert_eq!(field(text).get(&bytes, offset), value);
            }
        }
        let five = field("u5");
        assert_eq!(five.get(&bytes, 7), 16);
        five.set(&mut bytes, 7, five.fit(-1, Saturate).expect("saturated"));
        assert_eq!(five.increment(31, 2, Wrap), Some(1));
        five.set(&mut bytes, 7, 1);
        assert_eq!(bytes, b"\x8E\x10\0\0\0\0\0\0\0");
    }

    #[test]
    fn a_field_keeps_its_number_and_touches_no_other_bit() {
        let mut random = Random::from_seed(42);
        for _ in 0..5000 {
            let bits = 1 + random.below(63);
            let sign = ["i", "u"][random.index(2)];
            let field = field(&format!("{sign}{bits}"));
            let mut bytes = [0; 24];
            random.fill(&mut bytes);
            let offset = random.below(24 * 8 - bits);
            let value = random.next_u64().cast_signed();
            let before = bytes;
            field.set(&mut bytes, offset, value);
            let kept = field.get(&bytes, offset);
            assert_eq!(field.fit(value, Overflow::Wrap), Some(kept));
            for at in 0..24 * 8 {
                if !(offset..offset + bits).contains(&at) {
                    assert_eq!(super::super::get(&bytes, at), super::super::get(&before, at));
                }
            }
            field.set(&mut bytes, offset, field.get(&before, offset));
            assert_eq!(bytes, before);
        }
    }

    #[test]
    fn beyond_the_end_all_is_zero() {
        assert_eq!(field("u8").get(&[0xFF], 4), 0xF0);
        assert_eq!(field("i64").get(&[0xFF], u64::MAX), 0);
    }
}
