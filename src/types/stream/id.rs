//! The name of a stream's entry: a time in milliseconds and a number within it, as `ms-seq`.

use crate::base::number;

/// The longest text that is looked at as an ID.
const TEXT_MAX: usize = 127;

/// Room for the text of any ID.
pub type IdBuffer = [u8; 41];

/// The name of an entry. Ordered by time, then by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix milliseconds, as a rule.
    pub ms: u64,
    /// Number within the millisecond.
    pub seq: u64,
}

/// The number part of an ID as a client gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sequence {
    /// `ms-seq`.
    Given(u64),
    /// `ms` alone.
    Missing,
    /// `ms-*`: to be chosen.
    Auto,
}

impl StreamId {
    /// `0-0`, which no entry has.
    pub const MIN: StreamId = StreamId { ms: 0, seq: 0 };
    /// The last ID there can be.
    pub const MAX: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

    /// An ID of these parts.
    pub const fn new(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    /// Whether it is `0-0`.
    pub fn is_zero(self) -> bool {
        self == StreamId::MIN
    }

    /// The ID after this one.
    pub fn next(self) -> Option<StreamId> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => self.ms.checked_add(1).map(|ms| StreamId { ms, seq: 0 }),
        }
    }

    /// The ID before this one.
    pub fn prev(self) -> Option<StreamId> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(StreamId { ms: self.ms, seq }),
            None => self.ms.checked_sub(1).map(|ms| StreamId { ms, seq: u64::MAX }),
        }
    }

    /// Reads `ms`, `ms-seq` or `ms-*`; numbers are as lenient as C's.
    pub fn parse_parts(text: &[u8]) -> Option<(u64, Sequence)> {
        if text.len() > TEXT_MAX {
            return None;
        }
        match text.iter().position(|&byte| byte == b'-') {
            None => Some((number::parse_u64_lenient(text)?, Sequence::Missing)),
            Some(dash) => {
                let ms = number::parse_u64_lenient(&text[..dash])?;
                let seq = match &text[dash + 1..] {
                    b"*" => Sequence::Auto,
                    digits => Sequence::Given(number::parse_u64_lenient(digits)?),
                };
                Some((ms, seq))
            }
        }
    }

    /// Reads `ms-seq`, or `ms` with `missing` for the number.
    pub fn parse(text: &[u8], missing: u64) -> Option<StreamId> {
        match StreamId::parse_parts(text)? {
            (ms, Sequence::Given(seq)) => Some(StreamId { ms, seq }),
            (ms, Sequence::Missing) => Some(StreamId { ms, seq: missing }),
            (_, Sequence::Auto) => None,
        }
    }

    /// Its text, at the end of `buffer`.
    pub fn text(self, buffer: &mut IdBuffer) -> &[u8] {
        let dash = write_digits(buffer, buffer.len(), self.seq) - 1;
        buffer[dash] = b'-';
        let start = write_digits(buffer, dash, self.ms);
        &buffer[start..]
    }

    /// Its text, owned.
    pub fn to_vec(self) -> Vec<u8> {
        self.text(&mut [0; 41]).to_vec()
    }

    /// The 16 bytes that sort as IDs do: how files name blocks and pending entries.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.ms.to_be_bytes());
        bytes[8..].copy_from_slice(&self.seq.to_be_bytes());
        bytes
    }

    /// The ID of such bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> StreamId {
        let word = u128::from_be_bytes(bytes);
        StreamId { ms: (word >> 64) as u64, seq: word as u64 }
    }
}

/// Writes a number so that it ends before `end`; gives where it starts.
fn write_digits(buffer: &mut IdBuffer, end: usize, mut value: u64) -> usize {
    let mut at = end;
    loop {
        at -= 1;
        buffer[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            return at;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let max = b"18446744073709551615-18446744073709551615";
        assert_eq!(StreamId::MAX.to_vec(), max);
        assert_eq!(StreamId::MIN.to_vec(), b"0-0");
        assert_eq!(StreamId::parse(max, 0), Some(StreamId::MAX));
        assert_eq!(StreamId::parse(b"5", 7), Some(StreamId::new(5, 7)));
        assert_eq!(StreamId::parse(b"5-", 7), None);
        assert_eq!(StreamId::parse(b"-5", 7), None);
        assert_eq!(StreamId::parse(b"", 7), None);
        assert_eq!(StreamId::parse(b"5-*", 7), None);
        assert_eq!(StreamId::parse(&[b'0'; 128], 7), None);
    }

    #[test]
    fn neighbours() {
        assert_eq!(StreamId::MAX.next(), None);
        assert_eq!(StreamId::MIN.prev(), None);
        let edge = StreamId::new(4, u64::MAX);
        assert_eq!(edge.next(), Some(StreamId::new(5, 0)));
        assert_eq!(StreamId::new(5, 0).prev(), Some(edge));
        assert_eq!(StreamId::from_bytes(edge.to_bytes()), edge);
    }
}
