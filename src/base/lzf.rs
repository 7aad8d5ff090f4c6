//! LZF, the compression of strings in snapshots.
//!
//! The format (Marc Lehmann's, as LibLZF writes it) is a sequence of runs. A control byte below 32 stands
//! for so many literal bytes and one more; any other is a copy: its upper three bits are the length less
//! two (7: one more byte adds to it), its lower five bits and the next byte the distance back, less one.
//!
//! A [`Compressor`] keeps its table of places between strings and tells old entries by an ever-growing
//! base, so that a short string does not pay for clearing it. That is why this is not the `lzf` crate,
//! which makes a table of half a megabyte for each call: a snapshot has millions of short strings.

const TABLE_BITS: u32 = 14;
const MAX_LITERALS: usize = 32;
const MAX_DISTANCE: usize = 1 << 13;
const MAX_COPY: usize = 264;
/// The shortest copy that is worth its two bytes.
const MIN_COPY: usize = 3;

/// Compresses strings one after the other.
pub struct Compressor {
    /// Where three bytes of that hash were last seen, from the start of the first string on.
    table: Vec<u64>,
    base: u64,
}

impl Default for Compressor {
    fn default() -> Self {
        Compressor { table: vec![0; 1 << TABLE_BITS], base: 1 }
    }
}

fn slot(bytes: &[u8]) -> usize {
    let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]);
    (word.wrapping_mul(0x9E37_79B1) >> (32 - TABLE_BITS)) as usize
}

impl Compressor {
    /// Appends the compressed form of `input` to `out` if it takes at most `most` bytes; says whether it did.
    pub fn compress(&mut self, input: &[u8], most: usize, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let base = self.base;
        self.base += input.len() as u64 + 1;
        let mut at = 0;
        let mut literals = 0;
        while at + MIN_COPY <= input.len() {
            let slot = slot(&input[at..]);
            let seen = std::mem::replace(&mut self.table[slot], base + at as u64);
            let copy = seen.checked_sub(base).and_then(|seen| usize::try_from(seen).ok()).filter(|&seen| at - seen <= MAX_DISTANCE);
            let Some((from, len)) = copy.map(|from| (from, common(input, from, at))).filter(|&(_, len)| len >= MIN_COPY) else {
                at += 1;
                continue;
            };
            write_literals(&input[literals..at], out);
            write_copy(at - from - 1, len - 2, out);
            if out.len() - start > most {
                break;
            }
            at += len;
            literals = at;
        }
        write_literals(&input[literals..], out);
        let fits = out.len() - start <= most;
        if !fits {
            out.truncate(start);
        }
        fits
    }
}

/// How many bytes at `at` are the same as those at `from`, which lies before it.
fn common(input: &[u8], from: usize, at: usize) -> usize {
    input[at..].iter().zip(&input[from..]).take(MAX_COPY).take_while(|(a, b)| a == b).count()
}

fn write_literals(literals: &[u8], out: &mut Vec<u8>) {
    for run in literals.chunks(MAX_LITERALS) {
        out.push(u8::try_from(run.len() - 1).expect("a run is short"));
        out.extend_from_slice(run);
    }
}

fn write_copy(distance: usize, len: usize, out: &mut Vec<u8>) {
    let [low, high, ..] = distance.to_le_bytes();
    match len.checked_sub(7) {
        None => out.push(u8::try_from(len).expect("below 7") << 5 | high),
        Some(extra) => out.extend_from_slice(&[7 << 5 | high, u8::try_from(extra).expect("a copy is short enough")]),
    }
    out.push(low);
}

/// Appends what `input` is the compressed form of, which must be exactly `len` bytes; says whether it was.
/// No more than `len` bytes are ever held, and no more than the input can stand for.
pub fn decompress(input: &[u8], len: usize, out: &mut Vec<u8>) -> bool {
    // two bytes stand for nine at most, three for 264
    if len / MAX_COPY > input.len() {
        return false;
    }
    let start = out.len();
    out.reserve(len);
    let mut rest = input;
    while let [control, behind @ ..] = rest {
        let control = usize::from(*control);
        let room = len - (out.len() - start);
        if control < MAX_LITERALS {
            let run = control + 1;
            let Some(literals) = behind.get(..run).filter(|_| run <= room) else { return false };
            out.extend_from_slice(literals);
            rest = &behind[run..];
            continue;
        }
        let (extra, behind) = match (control >> 5, behind) {
            (7, [extra, behind @ ..]) => (usize::from(*extra), behind),
            (_, behind) => (0, behind),
        };
        let [low, behind @ ..] = behind else { return false };
        let run = (control >> 5) + extra + 2;
        let distance = ((control & 0x1f) << 8 | usize::from(*low)) + 1;
        if run > room || distance > out.len() - start {
            return false;
        }
        let from = out.len() - distance;
        let end = out.len() + run;
        while out.len() < end {
            // what overlaps repeats itself: each step may take all that is there by now
            let count = (end - out.len()).min(out.len() - from);
            out.extend_from_within(from..from + count);
        }
        rest = behind;
    }
    out.len() - start == len
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn round_trip(compressor: &mut Compressor, text: &[u8]) -> usize {
        let mut packed = Vec::new();
        assert!(compressor.compress(text, usize::MAX, &mut packed));
        let mut back = Vec::new();
        assert!(decompress(&packed, text.len(), &mut back));
        assert_eq!(back, text);
        packed.len()
    }

    #[test]
    fn what_is_compressed_comes_back() {
        let mut compressor = Compressor::default();
        let mut random = Random::from_seed(7);
        assert!(round_trip(&mut compressor, &[b'a'; 10_000]) < 150);
        for length in 0..600 {
            let alphabet = 1 + random.index(6);
            let text: Vec<u8> = (0..length).map(|_| b'a' + u8::try_from(random.index(alphabet)).expect("small")).collect();
            round_trip(&mut compressor, &text);
        }
        let noise: Vec<u8> = (0..70_000).map(|_| random.next_u64().to_le_bytes()[0]).collect();
        round_trip(&mut compressor, &noise);
        let mut out = b"kept".to_vec();
        assert!(!compressor.compress(&noise, 1000, &mut out));
        assert_eq!(out, b"kept");
    }

    #[test]
    fn bytes_from_outside_are_taken_with_care() {
        // literals "ab", then ten bytes from two back
        let mut out = Vec::new();
        assert!(decompress(&[1, b'a', b'b', 7 << 5, 1, 1], 12, &mut out));
        assert_eq!(out, b"abababababab");
        for bad in [&[5, b'a'][..], &[1 << 5], &[1 << 5, 0], &[7 << 5, 9], &[0, b'a', 1 << 5, 1], &[1, b'a', b'b', 7 << 5, 9, 1]] {
            assert!(!decompress(bad, 12, &mut Vec::new()), "{bad:?}");
        }
        assert!(!decompress(&[0, b'a'], usize::MAX, &mut Vec::new()));
        let mut random = Random::from_seed(8);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..random.index(40)).map(|_| random.next_u64().to_le_bytes()[3]).collect();
            decompress(&bytes, random.index(300), &mut Vec::new());
        }
    }
}
