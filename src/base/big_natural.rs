//! Natural numbers of any size, as far as reading and printing floating point needs them.
//!
//! Invariant: little-endian limbs of 64 bits, the highest one never zero; zero has none.
//!
//! The callers bound the sizes: text of at most a few thousand digits, exponents of at most 2^14.
//! So the schoolbook way is the right one, and division, which only ever makes 68 bits, goes bit by
//! bit. A crate for big integers would bring general division and much else that nobody here needs.

use std::cmp::Ordering;

/// A natural number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BigNatural {
    limbs: Vec<u64>,
}

/// The largest power of ten in a limb, and its exponent.
const LIMB_TEN: u64 = 10_000_000_000_000_000_000;
const LIMB_TEN_DIGITS: u32 = 19;

impl BigNatural {
    pub(super) fn from_u64(value: u64) -> Self {
        let mut number = Self { limbs: vec![value] };
        number.trim();
        number
    }

    /// From ASCII decimal digits.
    pub(super) fn from_digits(digits: impl Iterator<Item = u8>) -> Self {
        let mut number = Self { limbs: Vec::new() };
        let (mut chunk, mut factor) = (0, 1);
        for digit in digits {
            chunk = chunk * 10 + u64::from(digit - b'0');
            factor *= 10;
            if factor == LIMB_TEN {
                number.multiply_add(factor, chunk);
                (chunk, factor) = (0, 1);
            }
        }
        number.multiply_add(factor, chunk);
        number
    }

    /// Multiplies by 10^`exponent`.
    pub(super) fn multiply_power_of_ten(&mut self, exponent: u32) {
        for _ in 0..exponent / LIMB_TEN_DIGITS {
            self.multiply_add(LIMB_TEN, 0);
        }
        self.multiply_add(10u64.pow(exponent % LIMB_TEN_DIGITS), 0);
    }

    /// Multiplies by 2^`bits`.
    pub(super) fn shift_left(&mut self, bits: usize) {
        let (limbs, bits) = (bits / 64, bits % 64);
        if bits > 0 {
            let mut carry = 0;
            for limb in &mut self.limbs {
                let shifted = *limb << bits | carry;
                carry = *limb >> (64 - bits);
                *limb = shifted;
            }
            self.push_carry(carry);
        }
        if !self.limbs.is_empty() {
            self.limbs.splice(0..0, std::iter::repeat_n(0, limbs));
        }
    }

    /// The number of bits, leading zeros not counted.
    pub(super) fn bit_length(&self) -> usize {
        let highest = self.limbs.last().map_or(0, |limb| limb.leading_zeros());
        self.limbs.len() * 64 - usize::try_from(highest).expect("at most 64")
    }

    /// A quotient of 67 or 68 bits: returns `(q, s, inexact)` such that
    /// `self / divisor` is `q` × 2^`s`, and a little more when `inexact`.
    /// Neither number may be zero.
    pub(super) fn divide(mut self, mut divisor: Self) -> (u128, i64, bool) {
        const BITS: usize = 67;
        let (own, other) = (self.bit_length(), divisor.bit_length());
        assert!(own > 0 && other > 0, "a division by or of zero");
        // Both get the same length, so their ratio lies between a half and two.
        if own < other {
            self.shift_left(other - own);
        } else {
            divisor.shift_left(own - other);
        }
        let mut quotient = 0u128;
        for _ in 0..=BITS {
            quotient <<= 1;
            if self.compare(&divisor) != Ordering::Less {
                self.subtract(&divisor);
                quotient |= 1;
            }
            self.shift_left(1);
        }
        let size = |bits: usize| i64::try_from(bits).expect("a length in memory fits 63 bits");
        let shift = size(own) - size(other) - size(BITS);
        (quotient, shift, !self.limbs.is_empty())
    }

    /// Appends the decimal digits to `out`; zero has none.
    pub(super) fn write_digits(mut self, out: &mut Vec<u8>) {
        let start = out.len();
        while !self.limbs.is_empty() {
            let mut chunk = self.divide_by_limb_ten();
            for _ in 0..LIMB_TEN_DIGITS {
                let digit = u8::try_from(chunk % 10).expect("below ten");
                out.push(b'0' + digit);
                chunk /= 10;
            }
        }
        while out.len() > start && out.last() == Some(&b'0') {
            out.pop();
        }
        out[start..].reverse();
    }

    fn multiply_add(&mut self, factor: u64, addend: u64) {
        let mut carry = addend;
        for limb in &mut self.limbs {
            (*limb, carry) = limb.carrying_mul(factor, carry);
        }
        self.push_carry(carry);
    }

    /// Divides in place and returns the remainder.
    fn divide_by_limb_ten(&mut self) -> u64 {
        let mut remainder = 0u128;
        for limb in self.limbs.iter_mut().rev() {
            let value = remainder << 64 | u128::from(*limb);
            *limb = u64::try_from(value / u128::from(LIMB_TEN)).expect("remainder < divisor");
            remainder = value % u128::from(LIMB_TEN);
        }
        self.trim();
        u64::try_from(remainder).expect("less than the divisor")
    }

    fn compare(&self, other: &Self) -> Ordering {
        let lengths = self.limbs.len().cmp(&other.limbs.len());
        lengths.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }

    /// `other` must not be larger.
    fn subtract(&mut self, other: &Self) {
        let mut borrow = false;
        for (index, limb) in self.limbs.iter_mut().enumerate() {
            let subtrahend = other.limbs.get(index).copied().unwrap_or(0);
            (*limb, borrow) = limb.borrowing_sub(subtrahend, borrow);
        }
        assert!(!borrow, "a larger number was subtracted");
        self.trim();
    }

    fn push_carry(&mut self, carry: u64) {
        if carry > 0 {
            self.limbs.push(carry);
        }
    }

    fn trim(&mut self) {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> BigNatural {
        BigNatural::from_digits(text.bytes())
    }

    fn digits(number: BigNatural) -> String {
        let mut out = Vec::new();
        number.write_digits(&mut out);
        String::from_utf8(out).expect("digits")
    }

    #[test]
    fn digits_come_back() {
        for text in ["1", "18446744073709551616", "10000000000000000000", &"9".repeat(500)] {
            assert_eq!(digits(number(text)), text);
        }
        assert_eq!(digits(number("000")), "");
        assert_eq!(digits(number("0007")), "7");
    }

    #[test]
    fn powers() {
        let mut ten = BigNatural::from_u64(3);
        ten.multiply_power_of_ten(60);
        assert_eq!(digits(ten), format!("3{}", "0".repeat(60)));
        let mut two = BigNatural::from_u64(1);
        two.shift_left(200);
        assert_eq!(two.bit_length(), 201);
        let power = "1606938044258990275541962092341162602522202993782792835301376";
        assert_eq!(digits(two), power);
        let mut zero = BigNatural::from_u64(0);
        zero.shift_left(130);
        assert_eq!(zero.bit_length(), 0);
    }

    #[test]
    fn quotients_have_enough_bits() {
        for (left, right) in [("1", "3"), ("10", "5"), ("123456789012345678901234567890", "7")] {
            let (quotient, shift, inexact) = number(left).divide(number(right));
            assert!((67..=68).contains(&(128 - quotient.leading_zeros())), "{left} / {right}");
            let approximate = quotient as f64 * 2f64.powi(i32::try_from(shift).expect("small"));
            let expected = left.parse::<f64>().expect("digits") / right.parse::<f64>().expect("digits");
            assert!((approximate / expected - 1.0).abs() < 1e-15, "{left} / {right}");
            assert_eq!(inexact, right != "5");
        }
    }
}
