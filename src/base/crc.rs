//! CRC-64 with the Jones polynomial, bits reflected, starting from zero and not inverted at the end: it closes every
//! RDB file and every DUMP payload.
//!
//! The tables are computed at compile time. It takes eight bytes a step with eight tables
//! ("slicing by 8", Kounavis and Berry 2005): a snapshot is summed as a whole, so this runs over
//! gigabytes.
//! Carry-less multiplication would be faster still, but needs `unsafe` and one version for each
//! processor; a table is fast enough not to be what a save waits for.

const CRC64_POLYNOMIAL_REFLECTED: u64 = 0x95AC_9329_AC4B_C9B5;
static CRC64_TABLES: [[u64; 256]; 8] = crc64_tables();

/// A running CRC-64 (Jones): feed it pieces in order, then ask for the [`value`](Crc64::value).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crc64(u64);

impl Crc64 {
    /// The checksum of nothing, which is zero.
    pub fn new() -> Self {
        Self(0)
    }

    /// Continues from a [`value`](Self::value) taken earlier.
    pub fn resume(value: u64) -> Self {
        Self(value)
    }

    /// Takes in the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        let mut crc = self.0;
        let (blocks, tail) = bytes.as_chunks::<8>();
        for block in blocks {
            let mixed = (crc ^ u64::from_le_bytes(*block)).to_le_bytes();
            crc = 0;
            for (table, byte) in CRC64_TABLES.iter().rev().zip(mixed) {
                crc ^= table[usize::from(byte)];
            }
        }
        for &byte in tail {
            let [low, ..] = crc.to_le_bytes();
            crc = CRC64_TABLES[0][usize::from(low ^ byte)] ^ (crc >> 8);
        }
        self.0 = crc;
    }

    /// The checksum of all pieces so far.
    pub fn value(self) -> u64 {
        self.0
    }
}

/// The CRC-64 (Jones) of `bytes` as a whole.
pub fn crc64(bytes: &[u8]) -> u64 {
    let mut crc = Crc64::new();
    crc.update(bytes);
    crc.value()
}

/// Table 0 advances the sum by one byte; table n by that byte and n zero bytes after it.
const fn crc64_tables() -> [[u64; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut index = 0;
    while index < 256 {
        let mut crc = index as u64;
        let mut bit = 0;
        while bit < 8 {
            let carry = crc & 1 != 0;
            crc >>= 1;
            if carry {
                crc ^= CRC64_POLYNOMIAL_REFLECTED;
            }
            bit += 1;
        }
        tables[0][index] = crc;
        index += 1;
    }
    let mut level = 1;
    while level < 8 {
        let mut index = 0;
        while index < 256 {
            let before = tables[level - 1][index];
            tables[level][index] = tables[0][(before & 0xFF) as usize] ^ (before >> 8);
            index += 1;
        }
        level += 1;
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    #[test]
    fn the_standard_check_values() {
        assert_eq!(crc64(b"123456789"), 0xE9C6_D914_C4B8_D9CA);
        assert_eq!(crc64(b""), 0);
    }

    #[test]
    fn a_dump_of_a_live_server_closes_with_its_checksum() {
        let dump = b"\x00\x05hello\x0c\x00\xa8\x04\xeb\xb6\x9f\x1e\xbeC";
        let (body, sum) = dump.split_last_chunk::<8>().expect("longer than that");
        assert_eq!(crc64(body), u64::from_le_bytes(*sum));
        let dump = b"\x00\xc3\t(\x01xx\xe0\x1b\x00\x01xx\x0c\x00\xb1kX\x0e_j\x8dz";
        let (body, sum) = dump.split_last_chunk::<8>().expect("longer than that");
        assert_eq!(crc64(body), u64::from_le_bytes(*sum));
    }

    #[test]
    fn pieces_sum_up_to_the_whole_and_to_one_bit_at_a_time() {
        let mut random = Random::from_seed(1);
        for _ in 0..200 {
            let mut bytes = vec![0; random.index(100)];
            random.fill(&mut bytes);
            let (left, right) = bytes.split_at(random.index(bytes.len() + 1));
            let mut crc = Crc64::new();
            crc.update(left);
            let mut crc = Crc64::resume(crc.value());
            crc.update(right);
            assert_eq!(crc.value(), bit_by_bit(&bytes));
        }
    }

    fn bit_by_bit(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0, |crc, &byte| {
            (0..8).fold(crc ^ u64::from(byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { CRC64_POLYNOMIAL_REFLECTED } else { 0 })
        })
    }
}
