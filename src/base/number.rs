//! Integers and doubles as text: what Redis reads as a number, and what it prints.
//!
//! **Integers** are read strictly ([`parse_i64`], [`parse_u64`]): the text must be what printing
//! the number would give. So a string that reads as an integer can be stored as one and shown
//! again unchanged, which the encodings of values rest on. Stream ids and cursors are
//! read by [`parse_u64_lenient`], which forgives what C's `strtoull` forgives.
//!
//! **Doubles** are read by the grammar of `strtod` (see `float_text`), correctly rounded, and are
//! refused when they are too large or so small that they became zero. They are printed as Redis 8
//! prints scores: [`write_f64`]; Lua and old files need C's `%.17g`: [`write_f64_17_digits`].
//!
//! Everything that prints appends to a byte vector: replies are built that way, and no
//! number costs an allocation. The road not taken is `std::fmt`, several times slower for integers
//! and with other rules for doubles.

use std::io::Write;

use super::float_text::{self, FloatText, Magnitude};
use super::shortest_double;

/// The length of the longest integer: `-9223372036854775808`.
pub const MAX_INTEGER_LENGTH: usize = 20;

/// Integers are printed as such up to this size, beyond it with the shortest digits.
const LARGEST_PLAIN_INTEGER: f64 = 4_611_686_018_427_387_904.0;

/// Reads an integer in its one canonical form: no `+`, no `-0`, no leading zero, no space.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => match parse_u64(digits)? {
            0 => None,
            magnitude => 0i64.checked_sub_unsigned(magnitude),
        },
        digits => i64::try_from(parse_u64(digits)?).ok(),
    }
}

/// Reads a natural number in its one canonical form.
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    match text {
        [] => None,
        [b'0'] => Some(0),
        [b'0', ..] => None,
        digits => accumulate(digits),
    }
}

/// Reads a natural number as `strtoull` does: spaces and a sign may come first, zeros may lead.
/// As in Redis, a negative number in canonical form is refused and any other one wraps around.
pub fn parse_u64_lenient(text: &[u8]) -> Option<u64> {
    if let Some(strict) = parse_i64(text) {
        return u64::try_from(strict).ok();
    }
    let start = text.iter().position(|byte| !is_space(*byte))?;
    match &text[start..] {
        [b'-', digits @ ..] => accumulate(digits).map(u64::wrapping_neg),
        [b'+', digits @ ..] => accumulate(digits),
        digits => accumulate(digits),
    }
}

/// What C's `isspace` holds for a space: also `\v`, which Rust does not count.
pub fn is_space(byte: u8) -> bool {
    byte == 0x0B || byte.is_ascii_whitespace()
}

fn accumulate(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, digit| {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return None;
        }
        sum.checked_mul(10)?.checked_add(u64::from(value))
    })
}

/// Appends `value` in decimal.
pub fn write_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    write_u64(out, value.unsigned_abs());
}

/// The number of bytes that [`write_i64`] appends.
pub fn length_i64(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1);
    digits + usize::from(value < 0)
}

/// Appends `value` in decimal.
pub fn write_u64(out: &mut Vec<u8>, mut value: u64) {
    let mut text = [0; MAX_INTEGER_LENGTH];
    let mut start = MAX_INTEGER_LENGTH;
    while value >= 100 {
        start -= 2;
        text[start..start + 2].copy_from_slice(&two_digits(value % 100));
        value /= 100;
    }
    let [tens, ones] = two_digits(value);
    start -= 1;
    text[start] = ones;
    if value >= 10 {
        start -= 1;
        text[start] = tens;
    }
    out.extend_from_slice(&text[start..]);
}

/// Both digits of a number below a hundred.
fn two_digits(value: u64) -> [u8; 2] {
    const PAIRS: [[u8; 2]; 100] = {
        let mut pairs = [[0; 2]; 100];
        let mut index = 0;
        while index < 100 {
            pairs[index] = [b'0' + index as u8 / 10, b'0' + index as u8 % 10];
            index += 1;
        }
        pairs
    };
    PAIRS[usize::try_from(value).expect("below a hundred")]
}

/// Reads a double; `None` also for not-a-number, which no command takes.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    parse_f64_or_nan(text).filter(|value| !value.is_nan())
}

/// Reads a double, not-a-number among them.
pub fn parse_f64_or_nan(text: &[u8]) -> Option<f64> {
    let FloatText { negative, magnitude } = float_text::scan(text)?;
    let value = match magnitude {
        Magnitude::Infinity => f64::INFINITY,
        Magnitude::Nan => f64::NAN,
        Magnitude::Decimal { whole, digits } => {
            let text = str::from_utf8(whole).expect("only ASCII was scanned");
            let value = text.parse().expect("the grammar is within that of Rust");
            in_range(value, digits.iter().all(|digit| digit == b'0'))?
        }
        Magnitude::Hexadecimal(digits) => {
            let binary = digits.hexadecimal();
            in_range(round_to_f64(binary), binary.significand == 0)?
        }
    };
    Some(if negative { -value } else { value })
}

/// Refuses what overflowed, and what became zero but was written as something else.
fn in_range(value: f64, written_as_zero: bool) -> Option<f64> {
    (value.is_finite() && (value != 0.0 || written_as_zero)).then_some(value)
}

fn round_to_f64(binary: float_text::Binary) -> f64 {
    const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    const HIDDEN_BIT: u64 = 1 << FRACTION_BITS;
    const LEAST_EXPONENT: i64 = -1074;
    let (significand, exponent) = binary.round(f64::MANTISSA_DIGITS, LEAST_EXPONENT);
    // Without the hidden bit the field counts as zero, with it from one.
    let field = u64::try_from(exponent - LEAST_EXPONENT).expect("rounded to no less");
    if field >= 0x7FE {
        return f64::INFINITY;
    }
    debug_assert!(significand >= HIDDEN_BIT || field == 0);
    f64::from_bits((field << FRACTION_BITS) + significand)
}

/// Appends a double as ZSCORE and RESP3 show it: `inf`, `-inf`, `nan`, `-0`; integers up to 2^62
/// in full; others with the shortest digits that Redis finds.
pub fn write_f64(out: &mut Vec<u8>, value: f64) {
    if write_special(out, value) {
        return;
    }
    if value == 0.0 {
        out.extend_from_slice(if value.is_sign_negative() { b"-0" } else { b"0" });
    } else if let Some(integer) = exact_integer(value) {
        write_i64(out, integer);
    } else {
        shortest_double::write(out, value);
    }
}

/// Appends a double with the shortest digits, integers too: `1e+9`.
pub fn write_f64_shortest(out: &mut Vec<u8>, value: f64) {
    match value == 0.0 || !value.is_finite() {
        true => write_f64(out, value),
        false => shortest_double::write(out, value),
    }
}

/// The integer that `value` is exactly, when it is one of at most 2^62 in size.
pub fn exact_integer(value: f64) -> Option<i64> {
    if value.abs() <= LARGEST_PLAIN_INTEGER && value.trunc() == value {
        // Cannot lose anything: the bounds and the missing fraction were just checked.
        Some(value as i64)
    } else {
        None
    }
}

/// Appends a double as C's `%.17g` does.
pub fn write_f64_17_digits(out: &mut Vec<u8>, value: f64) {
    write_f64_significant(out, value, 17);
}

/// Appends a double as C's `%.*g` does with that many digits, at least one.
pub fn write_f64_significant(out: &mut Vec<u8>, value: f64, digits: usize) {
    if write_special(out, value) {
        return;
    }
    let last = digits.clamp(1, 17) - 1;
    let mut scientific = Vec::with_capacity(24);
    write!(scientific, "{value:.last$e}").expect("a vector takes all");
    let marker = scientific.iter().rposition(|&byte| byte == b'e').expect("the format has an exponent");
    let exponent = parse_i64(&scientific[marker + 1..]).expect("Rust prints it canonically");
    let start = out.len();
    match usize::try_from(last as i64 - exponent) {
        Ok(decimals) if decimals <= last + 4 => {
            write!(out, "{value:.decimals$}").expect("a vector takes all");
            trim_fraction(out, start);
        }
        _ => {
            out.extend_from_slice(&scientific[..marker]);
            trim_fraction(out, start);
            write!(out, "e{exponent:+03}").expect("a vector takes all");
        }
    }
}

/// Removes zeros at the end of the fraction written since `start`, and a point left bare.
pub(super) fn trim_fraction(out: &mut Vec<u8>, start: usize) {
    if !out[start..].contains(&b'.') {
        return;
    }
    while out.last() == Some(&b'0') {
        out.pop();
    }
    if out.last() == Some(&b'.') {
        out.pop();
    }
}

fn write_special(out: &mut Vec<u8>, value: f64) -> bool {
    let text: &[u8] = match value {
        f64::INFINITY => b"inf",
        f64::NEG_INFINITY => b"-inf",
        _ if value.is_nan() => b"nan",
        _ => return false,
    };
    out.extend_from_slice(text);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn printed(print: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        print(&mut out);
        String::from_utf8(out).expect("numbers are ASCII")
    }

    #[test]
    fn integers_are_read_in_one_form_only() {
        for value in [0, 1, -1, 10, 100, i64::MAX, i64::MIN, i64::MIN + 1] {
            assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
        }
        let refused = [
            "",
            "-",
            "+1",
            "-0",
            "00",
            "01",
            "-01",
            " 1",
            "1 ",
            "1a",
            "--1",
            "0x1",
            "1.0",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "99999999999999999999999999",
            "\u{0661}",
        ];
        for text in refused {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_u64(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_u64(b"18446744073709551616"), None);
        assert_eq!(parse_u64(b"-1"), None);
    }

    #[test]
    fn lenient_integers_are_those_of_a_live_scan() {
        let accepted = [
            ("0", 0),
            ("-0", 0),
            ("-05", u64::MAX - 4),
            (" 5", 5),
            ("\t\u{b}+5", 5),
            ("007", 7),
            ("-018446744073709551615", 1),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, value) in accepted {
            assert_eq!(parse_u64_lenient(text.as_bytes()), Some(value), "{text:?}");
        }
        for text in ["", " ", "-5", "+", "+-1", "5 ", "5x", "0x5", "- 5", "18446744073709551616"] {
            assert_eq!(parse_u64_lenient(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn integers_print_as_the_standard_library_prints_them() {
        let mut random = Random::from_seed(3);
        for _ in 0..2000 {
            let bits = random.next_u64() >> random.below(64);
            let signed = bits.cast_signed();
            assert_eq!(printed(|out| write_u64(out, bits)), bits.to_string());
            assert_eq!(printed(|out| write_i64(out, signed)), signed.to_string());
        }
        for value in [0, 9, 10, 99, 100, 101, i64::MIN, i64::MAX] {
            assert_eq!(printed(|out| write_i64(out, value)), value.to_string());
        }
    }

    /// Text, how Redis 8 shows it as a score, and how C prints it with `%.17g`.
    #[rustfmt::skip]
    const DOUBLES: &[(&str, &str, &str)] = &[
        ("1", "1", "1"),
        ("-1", "-1", "-1"),
        ("0.5", "0.5", "0.5"),
        ("1e16", "10000000000000000", "10000000000000000"),
        ("1e17", "100000000000000000", "1e+17"),
        ("4611686018427387904", "4611686018427387904", "4.6116860184273879e+18"),
        ("4611686018427387903", "4611686018427387904", "4.6116860184273879e+18"),
        ("-4611686018427387904", "-4611686018427387904", "-4.6116860184273879e+18"),
        ("4611686018427388928", "4611686018427389000", "4.6116860184273889e+18"),
        ("5e18", "5e+18", "5e+18"),
        ("-5e18", "-5e+18", "-5e+18"),
        ("1e19", "1e+19", "1e+19"),
        ("1e20", "1e+20", "1e+20"),
        ("1e21", "1e+21", "1e+21"),
        ("1e22", "1e+22", "1e+22"),
        ("1.5e22", "1.5e+22", "1.5e+22"),
        ("123456789012345678", "123456789012345680", "1.2345678901234568e+17"),
        ("9007199254740993", "9007199254740992", "9007199254740992"),
        ("1.1", "1.1", "1.1000000000000001"),
        ("0.1", "0.1", "0.10000000000000001"),
        ("0.01", "0.01", "0.01"),
        ("0.001", "0.001", "0.001"),
        ("0.0001", "0.0001", "0.0001"),
        ("0.00001", "0.00001", "1.0000000000000001e-05"),
        ("0.000001", "0.000001", "9.9999999999999995e-07"),
        ("0.0000001", "1e-7", "9.9999999999999995e-08"),
        ("1.5e-7", "1.5e-7", "1.4999999999999999e-07"),
        ("1e-8", "1e-8", "1e-08"),
        ("123e-8", "1.23e-6", "1.2300000000000001e-06"),
        ("1234567e-10", "1.234567e-4", "0.0001234567"),
        ("1.2345678e-5", "1.2345678e-5", "1.2345677999999999e-05"),
        ("1.234567890123e-3", "0.001234567890123", "0.001234567890123"),
        ("0.00012345", "1.2345e-4", "0.00012344999999999999"),
        ("3.14159265358979", "3.14159265358979", "3.14159265358979"),
        ("-17.25", "-17.25", "-17.25"),
        ("1e100", "1e+100", "1e+100"),
        ("1.7976931348623157e308", "1.7976931348623157e+308", "1.7976931348623157e+308"),
        ("1.7976931348623158e308", "1.7976931348623157e+308", "1.7976931348623157e+308"),
        ("5e-324", "5e-324", "4.9406564584124654e-324"),
        ("2.2250738585072014e-308", "2.2250738585072014e-308", "2.2250738585072014e-308"),
        ("2.225073858507201e-308", "2.225073858507201e-308", "2.2250738585072009e-308"),
        ("1e-300", "1e-300", "1e-300"),
        ("1e23", "99999999999999990000000", "9.9999999999999992e+22"),
        ("9.5e-3", "0.0095", "0.0094999999999999998"),
        ("1234.5678e20", "1.2345678e+23", "1.2345678e+23"),
        ("12345678e7", "123456780000000", "123456780000000"),
        ("123456789012345e5", "12345678901234500000", "1.23456789012345e+19"),
        ("1e-320", "1e-320", "9.9998886718268301e-321"),
        ("1e-321", "1e-321", "9.9801260459931802e-322"),
        ("0x10", "16", "16"),
        ("0x1.8p-1", "0.75", "0.75"),
        ("0x.8", "0.5", "0.5"),
        ("0X1P+2", "4", "4"),
        ("0x1p-1074", "5e-324", "4.9406564584124654e-324"),
        ("0x1.8p-1075", "5e-324", "4.9406564584124654e-324"),
        ("0x1.fffffffffffff7p1023", "1.7976931348623157e+308", "1.7976931348623157e+308"),
        ("0x1p-1022", "2.2250738585072014e-308", "2.2250738585072014e-308"),
        ("0x1.fffffffffffff8p-1023", "2.2250738585072014e-308", "2.2250738585072014e-308"),
        ("2.4703282292062328e-324", "5e-324", "4.9406564584124654e-324"),
        ("+.5", "0.5", "0.5"),
        ("5.", "5", "5"),
        ("00012", "12", "12"),
        ("inf", "inf", "inf"),
        ("-INFINITY", "-inf", "-inf"),
        ("9.5367431640625e-07", "9.5367431640625e-7", "9.5367431640625e-07"),
        ("5.960464477539063e-08", "5.960464477539063e-8", "5.9604644775390625e-08"),
        ("2.98023223876953125e-8", "2.9802322387695313e-8", "2.9802322387695312e-08"),
        ("8.41e21", "8409999999999999000000", "8.4099999999999995e+21"),
        ("9.0608011534336e15", "9060801153433600", "9060801153433600"),
        ("4.708356024711512e18", "4708356024711512000", "4.7083560247115121e+18"),
        ("9.409340012568248e18", "9409340012568248000", "9.4093400125682483e+18"),
        ("1.2345e9", "1234500000", "1234500000"),
        ("299792458.5", "299792458.5", "299792458.5"),
        ("6.02214076e23", "6.02214076e+23", "6.0221407599999999e+23"),
        ("6.62607015e-34", "6.62607015e-34", "6.6260701499999998e-34"),
        ("4.572802214461956e+21", "4572802214461956000000", "4.5728022144619559e+21"),
        ("2.6350151027409595e+22", "26350151027409595000000", "2.6350151027409595e+22"),
        ("20050825.018197473", "2.0050825018197473e+7", "20050825.018197473"),
        ("4.0447569223359534e+22", "40447569223359534000000", "4.0447569223359534e+22"),
        ("2.5210560821513382e+23", "252105608215133820000000", "2.5210560821513382e+23"),
        ("1.0675943991414803e+22", "10675943991414803000000", "1.0675943991414803e+22"),
    ];

    #[test]
    fn doubles_print_as_live_servers_print_them() {
        for &(text, shortest, seventeen) in DOUBLES {
            let value = parse_f64(text.as_bytes()).expect("a number");
            assert_eq!(printed(|out| write_f64(out, value)), shortest, "{text}");
            assert_eq!(printed(|out| write_f64_17_digits(out, value)), seventeen, "{text}");
        }
    }

    #[test]
    fn zeros_and_not_a_number_print() {
        for write in [write_f64, write_f64_17_digits] {
            assert_eq!(printed(|out| write(out, 0.0)), "0");
            assert_eq!(printed(|out| write(out, -0.0)), "-0");
            assert_eq!(printed(|out| write(out, f64::NAN)), "nan");
            assert_eq!(printed(|out| write(out, -f64::NAN)), "nan");
        }
    }

    #[test]
    fn both_forms_read_back_as_the_same_double() {
        let mut random = Random::from_seed(5);
        for _ in 0..20_000 {
            let value = f64::from_bits(random.next_u64());
            if value.is_finite() {
                for write in [write_f64, write_f64_17_digits] {
                    let text = printed(|out| write(out, value));
                    assert_eq!(parse_f64(text.as_bytes()), Some(value), "{text}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let refused = [
            "",
            " 1",
            "1 ",
            "1\0",
            "\t1",
            "-",
            "+",
            ".",
            "e5",
            "1e",
            "1e+",
            "1e5x",
            "1d5",
            "1_000",
            "++1",
            "--1",
            "-+1",
            "0x",
            "0x.",
            "0xp1",
            "0x1p",
            "0xg",
            "inf1",
            "infin",
            "1.0.0",
            "1,5",
            "1e400",
            "-1e400",
            "1e-400",
            "1e-99999999999999999999",
            "0x1p1024",
            "0x1p-1075",
            "0x1.fffffffffffff8p1023",
            "0x1p99999",
            "0x1p-99999",
            "1.7976931348623159e308",
            "2.4703282292062327e-324",
            "nan",
            "-nan",
            "NaN(12)",
            "nan(",
            "nan(-)",
            "nanx",
            "na",
        ];
        for text in refused {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text:?}");
        }
        for text in ["nan", "-NAN", "nan()", "nan(0x1_a)"] {
            assert!(parse_f64_or_nan(text.as_bytes()).expect("nan").is_nan(), "{text}");
        }
        assert_eq!(parse_f64(b"0e999999"), Some(0.0));
        assert_eq!(parse_f64(b"0x0p99999999999999999999"), Some(0.0));
        assert!(parse_f64(b"-0").expect("a number").is_sign_negative());
    }

    #[test]
    fn long_texts_are_read_exactly() {
        let ones = "1".repeat(300);
        assert_eq!(parse_f64(ones.as_bytes()), ones.parse().ok());
        let tiny = format!("0.{}1{}e320", "0".repeat(319), "0".repeat(5000));
        assert_eq!(parse_f64(tiny.as_bytes()), Some(1.0));
        let hexadecimal = format!("0x{}p-20000", "8".repeat(5000));
        let shorter = format!("0x{}p-160", "8".repeat(40));
        let tail = parse_f64(shorter.as_bytes()).expect("a number");
        assert_eq!(parse_f64(hexadecimal.as_bytes()), Some(tail));
    }

    #[test]
    fn exact_integers_are_found() {
        assert_eq!(exact_integer(-3.0), Some(-3));
        assert_eq!(exact_integer(4_611_686_018_427_387_904.0), Some(1 << 62));
        for value in [0.5, 4.7e18, f64::INFINITY, f64::NAN] {
            assert_eq!(exact_integer(value), None);
        }
    }
}
