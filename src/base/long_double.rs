//! The 80-bit floating point that INCRBYFLOAT and HINCRBYFLOAT count in.
//!
//! Redis does these sums in C's `long double`, which on x86-64 is the x87 extended format: 64 bits
//! of significand, none of them hidden, and exponents to ±16,383. Sums in doubles would show: 0.1 +
//! 0.2 is 0.3 here. So this reads, adds and prints that format with integers, exactly as the
//! hardware and glibc do, and gives the same bytes on every machine.
//!
//! - Reading rounds the decimal correctly. For up to 38 digits with up to 19 places, which is what
//!   people count with and what is printed for it, 128-bit arithmetic is enough; beyond that,
//!   natural numbers of any size.
//! - A sum is made in 128 bits: what is shifted out below is only remembered as *inexact*, which
//!   is enough to round correctly.
//! - Printing is `%.17Lf` with the zeros at the end removed: at most 17 places after the point,
//!   rounded half to even on the exact value, all 4,933 digits before it if need be.
//!
//! Invariant of a finite number: its significand has its highest bit set, or the exponent is
//! `LEAST_EXPONENT` (zero and the subnormal numbers). The crate `rustc_apfloat` has this format
//! too, but neither this printing nor a short way for short numbers.

use std::ops::Add;

use super::big_natural::BigNatural;
use super::float_text::{self, Binary, Digits, FloatText};
use super::number;

/// A number of the x87 extended format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongDouble {
    negative: bool,
    magnitude: Magnitude,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Magnitude {
    /// `significand` × 2^`exponent`.
    Finite {
        significand: u64,
        exponent: i64,
    },
    Infinite,
    Nan,
}

const PRECISION: u32 = 64;
const LEAST_EXPONENT: i64 = -16_445;
const GREATEST_EXPONENT: i64 = 16_320;
/// Redis reads at most this many bytes as a number.
const MAX_TEXT_LENGTH: usize = 5 * 1024 - 1;
/// No number has its first digit at this power of ten or beyond, or below the negative of it.
const FAR_EXPONENT: i64 = 5_000;
/// The places after the point that are printed.
const PLACES: u32 = 17;

impl LongDouble {
    /// Zero.
    pub const ZERO: Self = Self { negative: false, magnitude: Magnitude::Finite { significand: 0, exponent: LEAST_EXPONENT } };

    /// Reads a number by the grammar of `strtold`; infinities are numbers here, not-a-number is
    /// not. `None` also when the number is out of range, or so small that it would become zero.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > MAX_TEXT_LENGTH {
            return None;
        }
        let FloatText { negative, magnitude } = float_text::scan(text)?;
        let magnitude = match magnitude {
            float_text::Magnitude::Nan => return None,
            float_text::Magnitude::Infinity => Magnitude::Infinite,
            float_text::Magnitude::Decimal { digits, .. } => Magnitude::in_range(decimal(&digits)?)?,
            float_text::Magnitude::Hexadecimal(digits) => Magnitude::in_range(digits.hexadecimal())?,
        };
        Some(Self { negative, magnitude })
    }

    /// Is this none that a counter may become?
    pub fn is_nan_or_infinite(self) -> bool {
        !matches!(self.magnitude, Magnitude::Finite { .. })
    }

    /// Appends the number as INCRBYFLOAT shows it: no exponent, no zeros at the end, no `-0`.
    pub fn write_human(self, out: &mut Vec<u8>) {
        let start = out.len();
        if self.negative {
            out.push(b'-');
        }
        match self.magnitude {
            Magnitude::Nan => out.extend_from_slice(b"nan"),
            Magnitude::Infinite => out.extend_from_slice(b"inf"),
            Magnitude::Finite { significand, exponent } => write_fixed(out, significand, exponent),
        }
        if &out[start..] == b"-0" {
            out.truncate(start);
            out.push(b'0');
        }
    }

    /// Adds a number of no greater size to this one, whose parts are `large` and `large_exponent`.
    fn add_smaller(self, large: u64, large_exponent: i64, small_negative: bool, small: u64, small_exponent: i64) -> Self {
        // The large one is raised by at most 63 bits; what of the small one lies lower is cut off.
        let distance = large_exponent - small_exponent;
        let raise = distance.min(63);
        let large = u128::from(large) << raise;
        let (small, cut) = shift_right(small, distance - raise);
        let small = u128::from(small);
        let exponent = large_exponent - raise;
        let significand = if self.negative == small_negative {
            large + small
        } else {
            // A little more is taken away than `small`: one whole unit, and a little given back.
            large - small - u128::from(cut)
        };
        let exact_zero = significand == 0 && !cut;
        Self {
            negative: self.negative && (small_negative || !exact_zero),
            magnitude: Magnitude::rounded(Binary { significand, exponent, inexact: cut }),
        }
    }
}

impl Add for LongDouble {
    type Output = Self;

    /// The sum, rounded to nearest; infinite beyond the range, not-a-number for infinities of both
    /// signs.
    fn add(self, other: Self) -> Self {
        use Magnitude::{Finite, Infinite, Nan};
        match (self.magnitude, other.magnitude) {
            (Nan, _) => self,
            (_, Nan) => other,
            (Infinite, Infinite) if self.negative != other.negative => Self { negative: false, magnitude: Nan },
            (Infinite, _) => self,
            (_, Infinite) => other,
            (Finite { significand: left, exponent: left_exponent }, Finite { significand: right, exponent: right_exponent }) => {
                if (left_exponent, left) >= (right_exponent, right) {
                    self.add_smaller(left, left_exponent, other.negative, right, right_exponent)
                } else {
                    other.add_smaller(right, right_exponent, self.negative, left, left_exponent)
                }
            }
        }
    }
}

impl Magnitude {
    fn rounded(binary: Binary) -> Self {
        let (significand, exponent) = binary.round(PRECISION, LEAST_EXPONENT);
        if exponent > GREATEST_EXPONENT {
            return Self::Infinite;
        }
        Self::Finite { significand, exponent }
    }

    /// Refuses what overflows, and what would become zero without being zero.
    fn in_range(binary: Binary) -> Option<Self> {
        match Self::rounded(binary) {
            Self::Finite { significand: 0, .. } if binary.significand != 0 => None,
            Self::Finite { significand, exponent } => Some(Self::Finite { significand, exponent }),
            Self::Infinite | Self::Nan => None,
        }
    }
}

/// Shifts right by any distance; the flag tells whether a one was lost.
fn shift_right(value: u64, distance: i64) -> (u64, bool) {
    let distance = u32::try_from(distance).expect("exponents lie less than 2^16 apart");
    let kept = value.checked_shr(distance).unwrap_or(0);
    (kept, kept.checked_shl(distance).unwrap_or(0) != value)
}

/// The value of decimal digits, or `None` when it is far out of range.
fn decimal(digits: &Digits<'_>) -> Option<Binary> {
    const ZERO: Binary = Binary { significand: 0, exponent: 0, inexact: false };
    let is_digit_of_value = |digit: u8| digit != b'0';
    let Some(leading_zeros) = digits.iter().position(is_digit_of_value) else {
        return Some(ZERO);
    };
    let trailing_zeros = count_trailing_zeros(digits);
    let all = digits.integer.len() + digits.fraction.len();
    let count = all - leading_zeros - trailing_zeros;
    let signed = |size: usize| i64::try_from(size).expect("a length in memory fits 63 bits");
    let power = digits.exponent - float_text::length(digits.fraction) + signed(trailing_zeros);
    let first_digit = power + signed(count) - 1;
    if first_digit.abs() > FAR_EXPONENT {
        return None;
    }
    let significant = digits.iter().skip(leading_zeros).take(count);
    let is_short = count <= 38 && (-19..=0).contains(&power) || count <= 19 && (1..=19).contains(&power);
    Some(if is_short { short_decimal(significant, power) } else { long_decimal(significant, power) })
}

fn count_trailing_zeros(digits: &Digits<'_>) -> usize {
    let zeros = |digits: &[u8]| digits.iter().rev().take_while(|&&digit| digit == b'0').count();
    match zeros(digits.fraction) {
        in_fraction if in_fraction < digits.fraction.len() => in_fraction,
        in_fraction => in_fraction + zeros(digits.integer),
    }
}

/// At most 38 digits divided by at most 10^19, or at most 19 digits times at most 10^19: numbers of
/// 128 bits do.
fn short_decimal(digits: impl Iterator<Item = u8>, power: i64) -> Binary {
    let number = digits.fold(0u128, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    let places = u32::try_from(power.abs()).expect("at most nineteen");
    let factor = u128::from(10u64.pow(places));
    if power >= 0 {
        return Binary { significand: number * factor, exponent: 0, inexact: false };
    }
    // With its highest bit at 127 the dividend is at least 2^127, the divisor less than 2^64: the
    // quotient has 64 bits or more. Where it has fewer than 67, the remainder gives two more, so
    // that there are always two to round.
    let raise = number.leading_zeros();
    let dividend = number << raise;
    let (quotient, remainder) = (dividend / factor, dividend % factor);
    let exponent = -i64::from(raise);
    if quotient >> 66 != 0 {
        return Binary { significand: quotient, exponent, inexact: remainder != 0 };
    }
    Binary {
        significand: (quotient << 2) | (remainder * 4 / factor),
        exponent: exponent - 2,
        inexact: !(remainder * 4).is_multiple_of(factor),
    }
}

fn long_decimal(digits: impl Iterator<Item = u8>, power: i64) -> Binary {
    let mut number = BigNatural::from_digits(digits);
    let places = u32::try_from(power.unsigned_abs()).expect("at most a text's length off the range");
    let mut divisor = BigNatural::from_u64(1);
    if power >= 0 {
        number.multiply_power_of_ten(places);
    } else {
        divisor.multiply_power_of_ten(places);
    }
    let (significand, exponent, inexact) = number.divide(divisor);
    Binary { significand, exponent, inexact }
}

/// Appends `significand` × 2^`exponent` with [`PLACES`] places, then without zeros at the end.
fn write_fixed(out: &mut Vec<u8>, significand: u64, exponent: i64) {
    if exponent >= 0 {
        write_integer(out, significand, exponent);
        return;
    }
    let below_point = u32::try_from(-exponent).expect("no less than LEAST_EXPONENT");
    let integer = significand.checked_shr(below_point).unwrap_or(0);
    let fraction = significand ^ integer.checked_shl(below_point).unwrap_or(0);
    let one = 10u64.pow(PLACES);
    let places = scale(fraction, one, below_point);
    // The fraction may have been rounded up to one.
    let (integer, places) = if places == one { (integer + 1, 0) } else { (integer, places) };
    number::write_u64(out, integer);
    if places > 0 {
        out.push(b'.');
        let width = out.len();
        number::write_u64(out, places);
        let written = u32::try_from(out.len() - width).expect("at most PLACES");
        let zeros = (written..PLACES).map(|_| b'0');
        out.splice(width..width, zeros);
        number::trim_fraction(out, width - 1);
    }
}

/// `fraction` × `one` / 2^`below_point`, rounded half to even; the fraction is less than the
/// divisor.
fn scale(fraction: u64, one: u64, below_point: u32) -> u64 {
    let product = u128::from(fraction) * u128::from(one);
    if below_point > 126 {
        // The product has at most 121 bits: it is less than half.
        return 0;
    }
    let kept = product >> below_point;
    let half = 1u128 << (below_point - 1);
    let lost = product & (half | (half - 1));
    let up = lost > half || lost == half && kept & 1 == 1;
    u64::try_from(kept).expect("less than `one`") + u64::from(up)
}

fn write_integer(out: &mut Vec<u8>, significand: u64, exponent: i64) {
    let shift = usize::try_from(exponent).expect("only called where it is not negative");
    if significand == 0 || shift == 0 {
        number::write_u64(out, significand);
        return;
    }
    let mut number = BigNatural::from_u64(significand);
    number.shift_left(shift);
    number.write_digits(out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn parse(text: &str) -> LongDouble {
        LongDouble::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text} is a number"))
    }

    fn shown(number: LongDouble) -> String {
        let mut out = Vec::new();
        number.write_human(&mut out);
        String::from_utf8(out).expect("numbers are ASCII")
    }

    /// A counter, what INCRBYFLOAT adds, and what Redis 8 on x86-64 answers.
    #[rustfmt::skip]
    const SUMS: &[(&str, &str, &str)] = &[
        ("10.50", "0.1", "10.6"),
        ("5.0e3", "2.0e2", "5200"),
        ("0.1", "0.2", "0.3"),
        ("3", "1.1", "4.1"),
        ("1", "-1", "0"),
        ("-0", "0", "0"),
        ("-0", "-0", "0"),
        ("0", "-0.1", "-0.1"),
        ("1e-17", "0", "0.00000000000000001"),
        ("1e-18", "0", "0"),
        ("5e-18", "0", "0"),
        ("4.9e-18", "0", "0"),
        ("5.1e-18", "0", "0.00000000000000001"),
        ("-1e-20", "0", "0"),
        ("15e-18", "0", "0.00000000000000002"),
        ("0.000000000000000015", "0", "0.00000000000000002"),
        ("0.999999999999999999", "0", "1"),
        ("0.99999999999999999", "0", "0.99999999999999999"),
        ("9.999999999999999999", "0", "10"),
        ("-0.999999999999999999", "0", "-1"),
        ("18446744073709551615", "1", "18446744073709551616"),
        ("18446744073709551615", "0.5", "18446744073709551616"),
        ("18446744073709551616", "0.5", "18446744073709551616"),
        ("18446744073709551617", "0", "18446744073709551616"),
        ("18446744073709551616", "-0.25", "18446744073709551616"),
        ("9223372036854775807", "1", "9223372036854775808"),
        ("9223372036854775808", "0.5", "9223372036854775808"),
        ("4611686018427387904", "0.125", "4611686018427387904"),
        ("36893488147419103232", "1", "36893488147419103232"),
        ("36893488147419103232", "2", "36893488147419103232"),
        ("36893488147419103232", "3", "36893488147419103236"),
        ("1e19", "1", "10000000000000000001"),
        ("1e20", "1", "100000000000000000000"),
        ("1e21", "-1", "1000000000000000000000"),
        ("1e30", "1e10", "1000000000000000000024696061952"),
        ("1e30", "1e11", "1000000000000000000093415538688"),
        ("1e40", "-1e40", "0"),
        ("1e40", "1e-40", "9999999999999999999783686092270256259072"),
        ("1e40", "-1e-40", "9999999999999999999783686092270256259072"),
        ("1e17", "1e-17", "100000000000000000"),
        ("123456789012345678901234567890", "0", "123456789012345678899921813504"),
        ("0.1", "-0.1", "0"),
        ("1.1", "-1", "0.1"),
        ("1.0000000000000000001", "-1", "0"),
        ("1.00000000000000000005", "-1", "0"),
        ("1.0000000000000000000542101086242752217", "-1", "0"),
        ("1.00000000000000000005421010862427522", "-1", "0"),
        ("1e-10", "1e10", "10000000000"),
        ("3.0e-3", "4e-8", "0.00300004"),
        ("17.3", "-17.2", "0.1"),
        ("100000000000000000.01", "0", "100000000000000000.0078125"),
        ("1000000000000000000.1", "0", "1000000000000000000.125"),
        ("99999999999999999999.9", "0.1", "100000000000000000000"),
        ("0x10", "0x.8", "16.5"),
        ("0x1p-3", "1", "1.125"),
        ("0x1.8p1", "-0x1p0", "2"),
        ("0XAp0", "0xA", "20"),
        ("0x1p-64", "1", "1"),
        ("0x1p-63", "1", "1"),
        ("0x1.8p-64", "1", "1"),
        ("0x1p-64", "-1", "-1"),
        ("0x1p-65", "-1", "-1"),
        ("0x1.8p-65", "-1", "-1"),
        ("0x1p64", "-0x1p-1", "18446744073709551616"),
        ("0x1p64", "-0x1p-2", "18446744073709551616"),
        ("0x123456789abcdef01", "0", "20988295479420645120"),
        ("0x123456789abcdef018", "0", "335812727670730321952"),
        ("0xffffffffffffffff8", "0", "295147905179352825856"),
        ("0xffffffffffffffff7", "0", "295147905179352825840"),
        ("0xffffffffffffffff8000000000000000000000001", "0", "23384026197294446691258957323460528314494920687616"),
        ("0x1fffffffffffffffe80000000000000000000000000", "0", "748288838313422294079721815143433565215942959431680"),
        ("0x1ffffffffffffffff0000000000000000000000001", "0", "46768052394588893382517914646921056628989841375232"),
        ("1e50", "1", "100000000000000000003583830118858923890798487404544"),
        ("1e60", "-1e43", "999999999999999989981460541274293804290382179193630626938880"),
        ("-1e25", "7", "-10000000000000000000000000"),
        ("2.5", "2.5", "5"),
        ("+5", "+.5", "5.5"),
        ("5.", "-.25", "4.75"),
        ("00012", "1e0000000001", "22"),
        ("1E2", "1e+2", "200"),
        ("1e-4950", "0", "0"),
        ("3.6e-4951", "0", "0"),
        ("1e-300", "1e-300", "0"),
        ("0e999999", "1", "1"),
        ("1.7976931348623157e38", "0", "179769313486231569995377937612657393664"),
        ("0.30000000000000000001", "0", "0.3"),
        ("7.00000000000000000", "0.00000000000000001", "7.00000000000000001"),
        ("2.00000000000000005", "1", "3.00000000000000005"),
        ("-2.00000000000000005", "1", "-1.00000000000000005"),
        ("1234567.1234567890123456789", "0", "1234567.12345678901237989"),
        ("3.14159265358979323846", "2.71828182845904523536", "5.85987448204883847"),
        ("9709.140040410", "-2494740733.7891869609", "-2494731024.64914655080065131"),
        ("72192.3141", "-898143645.511480364", "-898071453.19738036399940029"),
        ("2526924.2484", "-1.776", "2526922.47239999999987958"),
        ("4478744786.4", "-8069439544.6626386", "-3590694758.26263860007748008"),
        ("4018314376.102188", "506.4226", "4018314882.52478799992240965"),
        ("57127472527.894939241", "-6807841460.2987430663", "50319631067.59619617462158203"),
        ("568082.2444298126", "36823041082.16309", "36823609164.40751981362700462"),
        ("61.68675693915", "839485.52", "839547.20675693914995463"),
        ("20.55986", "-5.4487984185", "15.1110615815"),
        ("8506765795.253351055", "948.13", "8506766743.38335105497390032"),
        ("2300290733.6683", "-1131179306.5", "1169111427.16830000001937151"),
        ("377693.918", "-7724391.414671516", "-7346697.49667151599987847"),
        ("85327396025.15286909859", "-3986864.57336", "85323409160.57950909435749054"),
        ("68305.71883", "-6.1352383821", "68299.58359161789999803"),
    ];

    #[test]
    fn sums_are_those_of_a_live_server() {
        for &(counter, increment, sum) in SUMS {
            let (counter, increment) = (parse(counter), parse(increment));
            assert_eq!(shown(counter.add(increment)), sum, "{counter:?} + {increment:?}");
            assert_eq!(shown(increment.add(counter)), sum, "{increment:?} + {counter:?}");
        }
    }

    #[test]
    fn the_ends_of_the_range() {
        let greatest = parse("1.18973149535723176505e4932");
        assert_eq!(greatest, parse("0x1.fffffffffffffffep16383"));
        assert_eq!(shown(greatest).len(), 4932 + 1);
        assert!(shown(greatest).starts_with("118973149535723176502126"));
        assert!(greatest.add(greatest).is_nan_or_infinite());
        assert!(shown(parse("1e4932")).starts_with("100000000000000000000601"));
        assert_eq!(shown(parse("0x1p16383")).len(), 4932);
        assert_eq!(parse("0x1p-16445"), parse("1.9e-4951"));
        assert_eq!(parse("0x1.8p-16446"), parse("1.83e-4951"));
        let refused = [
            "1.18973149535723176506e4932",
            "1.189731495357231765085e4932",
            "1e4933",
            "-1e4933",
            "1.82e-4951",
            "-1.8e-4951",
            "0x1p-16446",
            "0x1p16384",
            "0x1.ffffffffffffffffp16383",
            "1e-5000",
            "1e-99999999999999999999",
            "1e99999999999999999999",
            "",
            " 1",
            "1 ",
            "1\0",
            "nan",
            "0x",
            "1e",
            ".",
            "infin",
            "--1",
        ];
        for text in refused {
            assert_eq!(LongDouble::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn texts_may_be_long_up_to_the_limit() {
        let zeros = |count: usize| "0".repeat(count);
        assert_eq!(shown(parse(&format!("0.{}1e5001", zeros(5000)))), "1");
        assert_eq!(shown(parse(&format!("1{}e-5000", zeros(5000)))), "1");
        assert_eq!(shown(parse(&format!("{}7", zeros(5118)))), "7");
        let refused = [format!("{}7", zeros(5119)), format!("0.{}1", zeros(5116)), format!("1{}", zeros(5118))];
        for text in refused {
            assert_eq!(LongDouble::parse(text.as_bytes()), None);
        }
    }

    #[test]
    fn infinities_add_up() {
        let (plus, minus, one) = (parse("inf"), parse("-Infinity"), parse("1"));
        assert_eq!(plus.add(one), plus);
        assert_eq!(one.add(minus), minus);
        assert_eq!(plus.add(plus), plus);
        assert_eq!(shown(plus.add(minus)), "nan");
        assert_eq!(shown(minus), "-inf");
        let nan = plus.add(minus);
        for number in [plus, minus, one, nan] {
            assert_eq!(nan.add(number).magnitude, Magnitude::Nan);
            assert_eq!(number.add(nan).magnitude, Magnitude::Nan);
        }
        assert!(nan.is_nan_or_infinite() && plus.is_nan_or_infinite());
        assert!(!one.is_nan_or_infinite());
    }

    #[test]
    fn the_short_way_and_the_long_way_read_alike() {
        let mut random = Random::from_seed(11);
        for _ in 0..3000 {
            let power = i64::try_from(random.below(39)).expect("small") - 19;
            let longest = if power > 0 { 19 } else { 38 };
            let digits: String = (0..=random.index(longest)).map(|_| char::from(b"123456789"[random.index(9)])).collect();
            let short = Magnitude::rounded(short_decimal(digits.bytes(), power));
            let long = Magnitude::rounded(long_decimal(digits.bytes(), power));
            assert_eq!(short, long, "{digits}e{power}");
        }
    }

    #[test]
    fn any_text_is_read_or_refused() {
        let mut random = Random::from_seed(13);
        for _ in 0..20_000 {
            let text: Vec<u8> = (0..random.index(12)).map(|_| b"0123459.eE+-xXpPfina()"[random.index(22)]).collect();
            if let Some(number) = LongDouble::parse(&text) {
                let sum = number.add(parse("0.1")).add(number);
                assert!(!shown(sum).is_empty());
            }
            let _ = number::parse_f64_or_nan(&text);
        }
    }
}
