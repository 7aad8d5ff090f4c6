//! The dense form: six bits a register, one after the other, the first in the lowest bits of the first
//! byte.
//!
//! Eight registers are six bytes. All work on many registers goes eight at a time through one word:
//! three steps of masks and shifts part 48 packed bits into eight bytes ([`spread`]), or join them again.

use super::hash::Observation;
use super::{REGISTERS, Registers};

/// Bytes of all registers.
pub(super) const LENGTH: usize = REGISTERS / 8 * PACKED;

const PACKED: usize = 6;

/// Hands all registers to `take`, eight at a time and in order.
#[inline]
pub(super) fn unpack(packed: &[u8], mut take: impl FnMut([u8; 8])) {
    for six in packed.as_chunks::<PACKED>().0 {
        take(spread(*six));
    }
}

/// Writes all registers; their values are below 64.
pub(super) fn pack(registers: &Registers, packed: &mut [u8]) {
    for (six, eight) in packed.as_chunks_mut::<PACKED>().0.iter_mut().zip(registers.eights()) {
        *six = join(*eight);
    }
}

/// Sets a register unless its value is as large already; whether it changed.
pub(super) fn raise(packed: &mut [u8], observation: Observation) -> bool {
    let Observation { register, value } = observation;
    let six = &mut packed.as_chunks_mut::<PACKED>().0[register / 8];
    let mut eight = spread(*six);
    let old = &mut eight[register % 8];
    let rises = *old < value;
    if rises {
        *old = value;
        *six = join(eight);
    }
    rises
}

#[inline]
fn spread(six: [u8; PACKED]) -> [u8; 8] {
    let [a, b, c, d, e, f] = six;
    let word = u64::from_le_bytes([a, b, c, d, e, f, 0, 0]);
    let word = word & 0x0000_0000_00FF_FFFF | (word & 0x0000_FFFF_FF00_0000) << 8;
    let word = word & 0x0000_0FFF_0000_0FFF | (word & 0x00FF_F000_00FF_F000) << 4;
    let word = word & 0x003F_003F_003F_003F | (word & 0x0FC0_0FC0_0FC0_0FC0) << 2;
    word.to_le_bytes()
}

#[inline]
fn join(eight: [u8; 8]) -> [u8; PACKED] {
    let word = u64::from_le_bytes(eight);
    let word = word & 0x003F_003F_003F_003F | (word & 0x3F00_3F00_3F00_3F00) >> 2;
    let word = word & 0x0000_0FFF_0000_0FFF | (word & 0x0FFF_0000_0FFF_0000) >> 4;
    let word = word & 0x0000_0000_00FF_FFFF | (word & 0x00FF_FFFF_0000_0000) >> 8;
    let [a, b, c, d, e, f, _, _] = word.to_le_bytes();
    [a, b, c, d, e, f]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    #[test]
    fn eight_registers_are_six_bytes_lowest_bits_first() {
        assert_eq!(join([1, 0, 0, 0, 0, 0, 0, 63]), [1, 0, 0, 0, 0, 0xFC]);
        assert_eq!(join([0, 63, 0, 0, 0, 0, 0, 0]), [0xC0, 0x0F, 0, 0, 0, 0]);
        let mut random = Random::from_seed(1);
        for _ in 0..1000 {
            let eight = random.next_u64().to_ne_bytes().map(|byte| byte & 63);
            assert_eq!(spread(join(eight)), eight);
        }
    }
}
