//! The two checksums of the Redis world.
//!
//! - CRC-16/XMODEM of a key decides its cluster slot ([`key_slot`]).
//! - CRC-64 with the Jones polynomial, bits reflected, starting from zero and not inverted at the
//!   end, closes every RDB file and every DUMP payload ([`Crc64`]).
//!
//! The tables are computed at compile time. CRC-64 takes eight bytes a step with eight tables
//! ("slicing by 8", Kounavis and Berry 2005): a snapshot is summed as a whole, so this runs over
//! gigabytes.
//! Carry-less multiplication would be faster still, but needs `unsafe` and one version for each
//! processor; a table is fast enough not to be what a save waits for.

/// The number of slots that a cluster's keys are spread over.
pub const KEY_SLOTS: u16 = 16_384;

const CRC16_TABLE: [u16; 256] = crc16_table();
const CRC64_POLYNOMIAL_REFLECTED: u64 = 0x95AC_9329_AC4B_C9B5;
static CRC64_TABLES: [[u64; 256]; 8] = crc64_tables();

/// CRC-16/XMODEM: polynomial 0x1021, starting from zero.
pub fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, &byte| {
        let [high, low] = crc.to_be_bytes();
        u16::from_be_bytes([low, 0]) ^ CRC16_TABLE[usize::from(high ^ byte)]
    })
}

/// The cluster slot of `key`, below [`KEY_SLOTS`].
///
/// When the key has a `{`, and a `}` somewhere after the first one, and something between the two,
/// then only that part counts, so that keys can be kept together by a common tag.
pub fn key_slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key).unwrap_or(key)) % KEY_SLOTS
}

fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let open = key.iter().position(|&byte| byte == b'{')?;
    let inside = &key[open + 1..];
    let close = inside.iter().position(|&byte| byte == b'}')?;
    (close > 0).then(|| &inside[..close])
}

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

const fn crc16_table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut crc = (index as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            let carry = crc & 0x8000 != 0;
            crc <<= 1;
            if carry {
                crc ^= 0x1021;
            }
            bit += 1;
        }
        table[index] = crc;
        index += 1;
    }
    table
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
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(crc64(b"123456789"), 0xE9C6_D914_C4B8_D9CA);
        assert_eq!(crc16(b""), 0);
        assert_eq!(crc64(b""), 0);
    }

    #[test]
    fn slots_are_those_of_a_live_cluster() {
        let slots: [(&[u8], u16); 12] = [
            (b"123456789", 12_739),
            (b"foo", 12_182),
            (b"{foo}bar", 12_182),
            (b"foo{}{bar}", 8_363),
            (b"foo{{bar}}zap", 4_015),
            (b"foo{bar}{zap}", 5_061),
            (b"{}", 15_257),
            (b"{", 4_092),
            (b"}{", 12_793),
            (b"", 0),
            (b"{a", 10_276),
            (b"a}b{c}", 7_365),
        ];
        for (key, slot) in slots {
            assert_eq!(key_slot(key), slot, "{}", key.escape_ascii());
        }
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
