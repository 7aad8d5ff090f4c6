//! The grammar of C's `strtod`, which users of Redis have always been able to type.
//!
//! A number is an optional sign and then a decimal with optional point and exponent (`5.`, `.5`,
//! `1e+5`), a hexadecimal with optional point and binary exponent (`0x1.8p-1`), `inf` or
//! `infinity`, `nan` or `nan(...)`, letters in either case. The whole text must be the number:
//! no space before it, nothing after.
//!
//! Reading happens in two steps. [`scan`] finds the parts without judging their value; then the
//! double ([`super::number`]) and the 80-bit reader ([`super::long_double`]) each turn the
//! parts into their format. Both round hexadecimals through [`Binary::round`], the one place where
//! bits are dropped.

/// A number's text, taken apart.
#[derive(Debug)]
pub(super) struct FloatText<'a> {
    pub(super) negative: bool,
    pub(super) magnitude: Magnitude<'a>,
}

/// What stands behind the sign.
#[derive(Debug)]
pub(super) enum Magnitude<'a> {
    Infinity,
    Nan,
    /// `whole` is the text from the first digit to the end of the exponent.
    Decimal {
        whole: &'a [u8],
        digits: Digits<'a>,
    },
    Hexadecimal(Digits<'a>),
}

/// The digits before and after the point, either of which may be empty, and the exponent as
/// written, held at ±[`EXPONENT_LIMIT`].
#[derive(Debug)]
pub(super) struct Digits<'a> {
    pub(super) integer: &'a [u8],
    pub(super) fraction: &'a [u8],
    pub(super) exponent: i64,
}

/// Far beyond every format, and far below where a sum with a text's length could overflow.
const EXPONENT_LIMIT: i64 = 1 << 50;

/// Takes `text` apart, or `None` when it is not a number from end to end.
pub(super) fn scan(text: &[u8]) -> Option<FloatText<'_>> {
    let (negative, body) = match text {
        [b'-', body @ ..] => (true, body),
        [b'+', body @ ..] => (false, body),
        body => (false, body),
    };
    let magnitude = match body {
        [b'0', b'x' | b'X', digits @ ..] => Magnitude::Hexadecimal(scan_digits(digits, u8::is_ascii_hexdigit, b'p')?),
        [b'0'..=b'9' | b'.', ..] => Magnitude::Decimal { whole: body, digits: scan_digits(body, u8::is_ascii_digit, b'e')? },
        word => scan_word(word)?,
    };
    Some(FloatText { negative, magnitude })
}

fn scan_word(word: &[u8]) -> Option<Magnitude<'static>> {
    if word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"infinity") {
        return Some(Magnitude::Infinity);
    }
    let (name, payload) = word.split_at_checked(3)?;
    let payload_is_sound = match payload {
        [] => true,
        [b'(', inside @ .., b')'] => inside.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_'),
        _ => false,
    };
    (name.eq_ignore_ascii_case(b"nan") && payload_is_sound).then_some(Magnitude::Nan)
}

fn scan_digits(text: &[u8], is_digit: fn(&u8) -> bool, marker: u8) -> Option<Digits<'_>> {
    let (integer, rest) = split_while(text, is_digit);
    let (fraction, rest) = match rest {
        [b'.', after @ ..] => split_while(after, is_digit),
        _ => (&rest[..0], rest),
    };
    if integer.is_empty() && fraction.is_empty() {
        return None;
    }
    let exponent = match rest {
        [] => 0,
        [letter, exponent @ ..] if letter.to_ascii_lowercase() == marker => scan_exponent(exponent)?,
        _ => return None,
    };
    Some(Digits { integer, fraction, exponent })
}

fn scan_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0, |sum: i64, digit| (sum * 10 + i64::from(digit - b'0')).min(EXPONENT_LIMIT));
    Some(if negative { -size } else { size })
}

fn split_while(text: &[u8], is_digit: fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let length = text.iter().take_while(|byte| is_digit(byte)).count();
    text.split_at(length)
}

impl Digits<'_> {
    /// All digits in order, the point left out.
    pub(super) fn iter(&self) -> impl Iterator<Item = u8> {
        self.integer.iter().chain(self.fraction).copied()
    }

    /// The value of hexadecimal digits, exactly or with a trace of what did not fit.
    pub(super) fn hexadecimal(&self) -> Binary {
        let mut binary = Binary { significand: 0, exponent: self.exponent - 4 * length(self.fraction), inexact: false };
        for digit in self.iter() {
            let nibble = char::from(digit).to_digit(16).expect("only hexadecimal digits were scanned");
            if binary.significand >> 124 == 0 {
                binary.significand = binary.significand << 4 | u128::from(nibble);
            } else {
                binary.exponent += 4;
                binary.inexact |= nibble != 0;
            }
        }
        binary
    }
}

/// The length of a slice as a signed number.
pub(super) fn length(digits: &[u8]) -> i64 {
    i64::try_from(digits.len()).expect("a length in memory fits 63 bits")
}

/// `significand` × 2^`exponent`, and a little more when `inexact`: more than nothing, less than
/// one unit of the significand. An inexact significand has at least 66 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Binary {
    pub(super) significand: u128,
    pub(super) exponent: i64,
    pub(super) inexact: bool,
}

impl Binary {
    /// Rounds to the nearest number with at most `precision` bits (64 or fewer) and an exponent of
    /// at least `least_exponent`, ties to even. Returns significand and exponent of the result: the
    /// significand has exactly `precision` bits unless the exponent is `least_exponent`.
    pub(super) fn round(self, precision: u32, least_exponent: i64) -> (u64, i64) {
        if self.significand == 0 {
            return (0, least_exponent);
        }
        let bits = i64::from(128 - self.significand.leading_zeros());
        let exponent = (self.exponent + bits - i64::from(precision)).max(least_exponent);
        let drop = exponent - self.exponent;
        if drop <= 0 {
            let raised = self.significand << drop.unsigned_abs();
            return (narrow(raised), exponent);
        }
        let Some(drop) = u32::try_from(drop).ok().filter(|&drop| drop <= 128) else {
            return (0, least_exponent);
        };
        let kept = self.significand.checked_shr(drop).unwrap_or(0);
        let half = 1u128 << (drop - 1);
        let lost = self.significand & (half | (half - 1));
        let up = lost > half || lost == half && (self.inexact || kept & 1 == 1);
        let rounded = u128::from(narrow(kept)) + u128::from(up);
        if rounded >> precision == 0 { (narrow(rounded), exponent) } else { (narrow(rounded >> 1), exponent + 1) }
    }
}

fn narrow(value: u128) -> u64 {
    u64::try_from(value).expect("at most 64 bits are kept")
}
