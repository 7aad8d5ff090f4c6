//! The shortest text of a double, the way Redis prints scores.
//!
//! Redis finds the digits with Grisu2 (Florian Loitsch, "Printing Floating-Point Numbers Quickly
//! and Accurately with Integers", PLDI 2010). Grisu2 always gives digits that read back as the same
//! number, but in about one case of a thousand not the fewest: 1e23 becomes
//! `99999999999999990000000`. Clients compare texts, so a better algorithm (Ryū, or what the
//! standard library uses) would be the wrong one here, and the choices that Grisu2 leaves open
//! are made as Redis makes them: which cached power of ten scales the number, how products are
//! rounded, and that the interval is narrowed by one unit at each end.
//!
//! Then the layout, where `digits` × 10^`exponent` is the value:
//! - zeros are appended when that is at most seven of them;
//! - a point is set when the exponent is above -7, or the value is between 0.0001 and 10000;
//! - otherwise scientific notation, with as few digits in the exponent as it needs: `1.5e-7`.

/// `significand` × 2^`exponent`.
#[derive(Clone, Copy, Debug)]
struct Scaled {
    significand: u64,
    exponent: i32,
}

/// Decimal digits and the power of ten of the last one.
#[derive(Debug)]
struct Decimal {
    digits: [u8; MAX_DIGITS],
    length: usize,
    exponent: i32,
}

/// Seventeen digits tell all doubles apart, so Grisu2 makes no more; one is to spare.
const MAX_DIGITS: usize = 18;

const FRACTION_BITS: u32 = 52;
const HIDDEN_BIT: u64 = 1 << FRACTION_BITS;
/// Of the exponent field, when the significand is read as an integer.
const EXPONENT_BIAS: i32 = 1075;

/// Appends the shortest text of a finite `value` other than zero.
pub(super) fn write(out: &mut Vec<u8>, value: f64) {
    debug_assert!(value.is_finite() && value != 0.0);
    if value.is_sign_negative() {
        out.push(b'-');
    }
    lay_out(out, &shortest_digits(value));
}

fn lay_out(out: &mut Vec<u8>, decimal: &Decimal) {
    let digits = &decimal.digits[..decimal.length];
    let count = i32::try_from(decimal.length).expect("at most MAX_DIGITS");
    let power = decimal.exponent;
    let scientific = power + count - 1;
    let zeros = |out: &mut Vec<u8>, count: i32| {
        let count = usize::try_from(count).expect("laid out where it is not negative");
        out.resize(out.len() + count, b'0');
    };
    if power >= 0 && scientific.abs() < count + 7 {
        out.extend_from_slice(digits);
        zeros(out, power);
    } else if power < 0 && (power > -7 || scientific.abs() < 4) {
        match usize::try_from(count + power) {
            Ok(point) if point > 0 => {
                out.extend_from_slice(&digits[..point]);
                out.push(b'.');
                out.extend_from_slice(&digits[point..]);
            }
            _ => {
                out.extend_from_slice(b"0.");
                zeros(out, -(count + power));
                out.extend_from_slice(digits);
            }
        }
    } else {
        out.push(digits[0]);
        if let [_, rest @ ..] = digits
            && !rest.is_empty()
        {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        out.extend_from_slice(if scientific < 0 { b"e-" } else { b"e+" });
        super::number::write_u64(out, u64::from(scientific.unsigned_abs()));
    }
}

fn shortest_digits(value: f64) -> Decimal {
    let number = Scaled::from_magnitude(value);
    let (lower, upper) = number.boundaries();
    let (power, decimal_exponent) = cached_power(upper.exponent);
    let scaled = number.normalized().times(power);
    let mut upper = upper.times(power);
    let mut lower = lower.times(power);
    upper.significand -= 1;
    lower.significand += 1;
    generate(scaled, lower, upper, -decimal_exponent)
}

impl Scaled {
    fn from_magnitude(value: f64) -> Self {
        let bits = value.to_bits();
        let fraction = bits & (HIDDEN_BIT - 1);
        let field = i32::try_from(bits >> FRACTION_BITS & 0x7FF).expect("eleven bits");
        if field == 0 {
            return Self { significand: fraction, exponent: 1 - EXPONENT_BIAS };
        }
        Self { significand: fraction | HIDDEN_BIT, exponent: field - EXPONENT_BIAS }
    }

    fn normalized(self) -> Self {
        let shift = self.significand.leading_zeros();
        Self { significand: self.significand << shift, exponent: self.exponent - shift.cast_signed() }
    }

    /// Halfway to the neighbours below and above, with one exponent, the upper one normalized.
    /// Below a power of two the neighbour is only half as far away.
    fn boundaries(self) -> (Self, Self) {
        let upper = Self { significand: (self.significand << 1) + 1, exponent: self.exponent - 1 }.normalized();
        let shift = if self.significand == HIDDEN_BIT { 2 } else { 1 };
        let significand = (self.significand << shift) - 1;
        let raise = self.exponent - shift - upper.exponent;
        let lower = Self { significand: significand << raise, exponent: upper.exponent };
        (lower, upper)
    }

    /// The upper 64 bits of the product, rounded.
    fn times(self, other: Self) -> Self {
        let product = u128::from(self.significand) * u128::from(other.significand);
        let rounded = (product + (1 << 63)) >> 64;
        Self { significand: u64::try_from(rounded).expect("the upper half of 128 bits"), exponent: self.exponent + other.exponent + 64 }
    }
}

/// A power of ten that brings a number with this binary exponent to one in -60..=-32, so that its
/// integer part fits 32 bits; and the exponent of that power.
fn cached_power(exponent: i32) -> (Scaled, i32) {
    const LOG10_OF_2: f64 = 0.301_029_995_663_981_14;
    const COUNT: i32 = POWERS_OF_TEN.len() as i32;
    let guess = -f64::from(exponent + COUNT) * LOG10_OF_2;
    // Cut off, not rounded: where two powers fit, this decides which one is taken.
    let mut index = (guess as i32 - FIRST_POWER) / POWER_STEP;
    loop {
        let decimal = FIRST_POWER + index * POWER_STEP;
        let power = Scaled {
            significand: POWERS_OF_TEN[usize::try_from(index).expect("within the table")],
            exponent: binary_exponent_of_power(decimal),
        };
        match exponent + power.exponent + 64 {
            ..-60 => index += 1,
            -60..=-32 => return (power, decimal),
            _ => index -= 1,
        }
    }
}

/// The binary exponent of 10^`decimal` written with 64 bits: its logarithm, rounded down, less 63.
fn binary_exponent_of_power(decimal: i32) -> i32 {
    ((decimal * 217_706) >> 16) - 63
}

/// Makes digits of `upper` until what remains lies within the interval, then walks the last digit
/// towards `number`.
fn generate(number: Scaled, lower: Scaled, upper: Scaled, mut exponent: i32) -> Decimal {
    let wanted = upper.significand - number.significand;
    let mut interval = upper.significand - lower.significand;
    let point = upper.exponent.unsigned_abs();
    let one = 1u64 << point;
    let mut integer = upper.significand >> point;
    let mut fraction = upper.significand & (one - 1);
    let mut digits = [0; MAX_DIGITS];
    let mut length = 0;
    let mut push = |digit: u64| {
        if digit > 0 || length > 0 {
            digits[length] = b'0' + u8::try_from(digit).expect("a decimal digit");
            length += 1;
        }
        length
    };

    for place in (0..10).rev() {
        let unit = 10u64.pow(place);
        let length = push(integer / unit);
        integer %= unit;
        let rest = (integer << point) + fraction;
        if rest <= interval {
            exponent += place.cast_signed();
            approach(&mut digits[..length], interval, rest, unit << point, wanted);
            return Decimal { digits, length, exponent };
        }
    }
    let mut unit = 1u64;
    loop {
        // None of these overflows: the interval is still below `one`, which is at most 2^60.
        fraction *= 10;
        interval *= 10;
        unit *= 10;
        exponent -= 1;
        let length = push(fraction >> point);
        fraction &= one - 1;
        if fraction < interval {
            approach(&mut digits[..length], interval, fraction, one, wanted * unit);
            return Decimal { digits, length, exponent };
        }
    }
}

/// Lowers the last digit by one as long as that stays within the interval and comes closer to the
/// number; `rest` is the distance from the upper end so far, `wanted` that of the number.
fn approach(digits: &mut [u8], interval: u64, mut rest: u64, unit: u64, wanted: u64) {
    let Some(last) = digits.last_mut() else {
        return;
    };
    while rest < wanted && interval - rest >= unit && (rest + unit < wanted || wanted - rest > rest + unit - wanted) {
        *last -= 1;
        rest += unit;
    }
}

const FIRST_POWER: i32 = -348;
const POWER_STEP: i32 = 8;

/// 10^-348, 10^-340, … 10^340: the upper 64 bits of each, rounded to nearest.
#[rustfmt::skip]
const POWERS_OF_TEN: [u64; 87] = [
    0xFA8F_D5A0_081C_0288, 0xBAAE_E17F_A23E_BF76, 0x8B16_FB20_3055_AC76, 0xCF42_894A_5DCE_35EA,
    0x9A6B_B0AA_5565_3B2D, 0xE61A_CF03_3D1A_45DF, 0xAB70_FE17_C79A_C6CA, 0xFF77_B1FC_BEBC_DC4F,
    0xBE56_91EF_416B_D60C, 0x8DD0_1FAD_907F_FC3C, 0xD351_5C28_3155_9A83, 0x9D71_AC8F_ADA6_C9B5,
    0xEA9C_2277_23EE_8BCB, 0xAECC_4991_4078_536D, 0x823C_1279_5DB6_CE57, 0xC210_9436_4DFB_5637,
    0x9096_EA6F_3848_984F, 0xD774_85CB_2582_3AC7, 0xA086_CFCD_97BF_97F4, 0xEF34_0A98_172A_ACE5,
    0xB238_67FB_2A35_B28E, 0x84C8_D4DF_D2C6_3F3B, 0xC5DD_4427_1AD3_CDBA, 0x936B_9FCE_BB25_C996,
    0xDBAC_6C24_7D62_A584, 0xA3AB_6658_0D5F_DAF6, 0xF3E2_F893_DEC3_F126, 0xB5B5_ADA8_AAFF_80B8,
    0x8762_5F05_6C7C_4A8B, 0xC9BC_FF60_34C1_3053, 0x964E_858C_91BA_2655, 0xDFF9_7724_7029_7EBD,
    0xA6DF_BD9F_B8E5_B88F, 0xF8A9_5FCF_8874_7D94, 0xB944_7093_8FA8_9BCF, 0x8A08_F0F8_BF0F_156B,
    0xCDB0_2555_6531_31B6, 0x993F_E2C6_D07B_7FAC, 0xE45C_10C4_2A2B_3B06, 0xAA24_2499_6973_92D3,
    0xFD87_B5F2_8300_CA0E, 0xBCE5_0864_9211_1AEB, 0x8CBC_CC09_6F50_88CC, 0xD1B7_1758_E219_652C,
    0x9C40_0000_0000_0000, 0xE8D4_A510_0000_0000, 0xAD78_EBC5_AC62_0000, 0x813F_3978_F894_0984,
    0xC097_CE7B_C907_15B3, 0x8F7E_32CE_7BEA_5C70, 0xD5D2_38A4_ABE9_8068, 0x9F4F_2726_179A_2245,
    0xED63_A231_D4C4_FB27, 0xB0DE_6538_8CC8_ADA8, 0x83C7_088E_1AAB_65DB, 0xC45D_1DF9_4271_1D9A,
    0x924D_692C_A61B_E758, 0xDA01_EE64_1A70_8DEA, 0xA26D_A399_9AEF_774A, 0xF209_787B_B47D_6B85,
    0xB454_E4A1_79DD_1877, 0x865B_8692_5B9B_C5C2, 0xC835_53C5_C896_5D3D, 0x952A_B45C_FA97_A0B3,
    0xDE46_9FBD_99A0_5FE3, 0xA59B_C234_DB39_8C25, 0xF6C6_9A72_A398_9F5C, 0xB7DC_BF53_54E9_BECE,
    0x88FC_F317_F222_41E2, 0xCC20_CE9B_D35C_78A5, 0x9816_5AF3_7B21_53DF, 0xE2A0_B5DC_971F_303A,
    0xA8D9_D153_5CE3_B396, 0xFB9B_7CD9_A4A7_443C, 0xBB76_4C4C_A7A4_4410, 0x8BAB_8EEF_B640_9C1A,
    0xD01F_EF10_A657_842C, 0x9B10_A4E5_E991_3129, 0xE710_9BFB_A19C_0C9D, 0xAC28_20D9_623B_F429,
    0x8044_4B5E_7AA7_CF85, 0xBF21_E440_03AC_DD2D, 0x8E67_9C2F_5E44_FF8F, 0xD433_179D_9C8C_B841,
    0x9E19_DB92_B4E3_1BA9, 0xEB96_BF6E_BADF_77D9, 0xAF87_023B_9BF0_EE6B,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::big_natural::BigNatural;

    #[test]
    fn the_powers_of_ten_are_rounded_to_nearest() {
        let mut decimal = FIRST_POWER;
        for expected in POWERS_OF_TEN {
            let mut number = BigNatural::from_u64(1);
            let mut divisor = BigNatural::from_u64(1);
            let side = if decimal < 0 { &mut divisor } else { &mut number };
            side.multiply_power_of_ten(decimal.unsigned_abs());
            let (quotient, shift, inexact) = number.divide(divisor);
            let binary = crate::base::float_text::Binary { significand: quotient, exponent: shift, inexact };
            let exponent = i64::from(binary_exponent_of_power(decimal));
            assert_eq!(binary.round(64, -9999), (expected, exponent), "10^{decimal}");
            decimal += POWER_STEP;
        }
    }

    #[test]
    fn every_binary_exponent_finds_its_power() {
        for field in 0..0x7FF {
            for fraction in [1, HIDDEN_BIT / 2, HIDDEN_BIT - 1] {
                let value = f64::from_bits((field << FRACTION_BITS) + fraction);
                let mut out = Vec::new();
                write(&mut out, value);
                let text = String::from_utf8(out).expect("ASCII");
                assert_eq!(text.parse(), Ok(value));
            }
        }
    }
}
