//! HyperLogLog: how many different elements were added, from 16,384 small registers.
//!
//! The value is a string that GET shows and SET may have written, so its form is Redis's, byte for byte:
//!
//! | bytes | what |
//! |---|---|
//! | 0–3 | `HYLL` |
//! | 4 | 0 dense, 1 sparse |
//! | 5–7 | zero |
//! | 8–15 | the cardinality last computed, little endian; the topmost bit says that it is out of date |
//! | 16– | the registers: [`dense`] or [`sparse`] |
//!
//! A string is opened as a [`Sketch`] to read or a [`SketchMut`] to write, which checks its header. A sparse
//! string's registers can be wrong all the same; what meets that answers [`Error::Corrupted`].
//!
//! - [`dense`], [`sparse`]: the registers in either form;
//! - `registers`: all of them unpacked, for merging, and their histogram;
//! - `estimate`: from the histogram to the cardinality;
//! - [`hash`]: from an element to its register and value; [`self_test`]: what PFSELFTEST does.

mod dense;
mod estimate;
mod hash;
mod registers;
mod self_test;
mod sparse;

pub use registers::Registers;
pub use self_test::{SelfTestFailure, self_test};

use estimate::Histogram;
use hash::Observation;

/// How many registers there are.
pub const REGISTERS: usize = 1 << REGISTER_BITS;

const REGISTER_BITS: u32 = 14;
const HEADER: usize = 16;
const MAGIC: &[u8; 4] = b"HYLL";
const ENCODING_AT: usize = 4;
const COUNT_AT: std::ops::Range<usize> = 8..16;
const COUNT_IS_STALE: u64 = 1 << 63;

/// How the registers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Six bits each.
    Dense,
    /// Run lengths.
    Sparse,
}

impl Encoding {
    /// What PFDEBUG ENCODING answers.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Dense => "dense",
            Encoding::Sparse => "sparse",
        }
    }
}

/// Why a string cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Its header or length is not that of a HyperLogLog.
    NotHyperLogLog,
    /// Its sparse registers are not exactly 16,384.
    Corrupted,
}

impl Error {
    /// The error reply, without the leading `-`.
    pub fn text(self) -> &'static str {
        match self {
            Error::NotHyperLogLog => "WRONGTYPE Key is not a valid HyperLogLog string value.",
            Error::Corrupted => "INVALIDOBJ Corrupted HLL object detected",
        }
    }
}

/// A string with no element added, as PFADD creates it. Its cardinality is known to be zero.
pub fn empty() -> Vec<u8> {
    let mut bytes = vec![0; HEADER];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    bytes[ENCODING_AT] = 1;
    sparse::write_empty(&mut bytes);
    bytes
}

/// A HyperLogLog string, to read.
#[derive(Clone, Copy, Debug)]
pub struct Sketch<'a> {
    encoding: Encoding,
    bytes: &'a [u8],
}

impl<'a> Sketch<'a> {
    /// Opens a string.
    ///
    /// # Errors
    /// [`Error::NotHyperLogLog`].
    pub fn open(bytes: &'a [u8]) -> Result<Self, Error> {
        let (header, body) = bytes.split_at_checked(HEADER).ok_or(Error::NotHyperLogLog)?;
        let encoding = match header[ENCODING_AT] {
            0 if body.len() == dense::LENGTH => Encoding::Dense,
            1 => Encoding::Sparse,
            _ => return Err(Error::NotHyperLogLog),
        };
        if !header.starts_with(MAGIC) {
            return Err(Error::NotHyperLogLog);
        }
        Ok(Sketch { encoding, bytes })
    }

    /// How the registers are kept.
    pub fn encoding(self) -> Encoding {
        self.encoding
    }

    /// The cardinality as the header has it, unless it is out of date.
    pub fn cached_count(self) -> Option<u64> {
        let count = self.bytes[COUNT_AT].try_into().expect("eight bytes");
        Some(u64::from_le_bytes(count)).filter(|count| count & COUNT_IS_STALE == 0)
    }

    /// Computes the cardinality from the registers.
    ///
    /// # Errors
    /// [`Error::Corrupted`].
    pub fn count(self) -> Result<u64, Error> {
        let mut histogram = Histogram::default();
        match self.encoding {
            Encoding::Dense => dense::unpack(self.body(), |values| histogram.add_each(values)),
            Encoding::Sparse => {
                for run in sparse::runs(self.body()) {
                    let run = run?;
                    histogram.add(run.value, run.length);
                }
            }
        }
        Ok(histogram.cardinality())
    }

    /// All registers.
    ///
    /// # Errors
    /// [`Error::Corrupted`].
    pub fn registers(self) -> Result<Registers, Error> {
        let mut registers = Registers::default();
        registers.merge(self)?;
        Ok(registers)
    }

    /// Appends a sparse string's runs as PFDEBUG DECODE shows them; `false` when it is dense.
    pub fn decode(self, out: &mut Vec<u8>) -> bool {
        let is_sparse = self.encoding == Encoding::Sparse;
        if is_sparse {
            sparse::write_decoded(out, self.body());
        }
        is_sparse
    }

    fn body(self) -> &'a [u8] {
        &self.bytes[HEADER..]
    }
}

/// A HyperLogLog string, to change.
#[derive(Debug)]
pub struct SketchMut<'a> {
    bytes: &'a mut Vec<u8>,
}

impl<'a> SketchMut<'a> {
    /// Opens a string.
    ///
    /// # Errors
    /// [`Error::NotHyperLogLog`].
    pub fn open(bytes: &'a mut Vec<u8>) -> Result<Self, Error> {
        Sketch::open(bytes)?;
        Ok(SketchMut { bytes })
    }

    /// The same to read.
    pub fn as_sketch(&self) -> Sketch<'_> {
        Sketch::open(self.bytes).expect("what changes the bytes keeps them valid")
    }

    /// Adds an element; whether any register changed. A sparse string becomes dense when it would grow
    /// beyond `sparse_limit` bytes (`hll-sparse-max-bytes`), or a register is too large for that form.
    ///
    /// # Errors
    /// [`Error::Corrupted`].
    pub fn add(&mut self, element: &[u8], sparse_limit: usize) -> Result<bool, Error> {
        self.raise(hash::observe(element), sparse_limit)
    }

    fn raise(&mut self, observation: Observation, sparse_limit: usize) -> Result<bool, Error> {
        let changed = match self.as_sketch().encoding() {
            Encoding::Dense => dense::raise(&mut self.bytes[HEADER..], observation),
            Encoding::Sparse => {
                let place = sparse::find(&self.bytes[HEADER..], observation.register)?;
                match sparse::raise(self.bytes, place, observation, sparse_limit) {
                    sparse::Outcome::Unchanged => false,
                    sparse::Outcome::Changed => true,
                    sparse::Outcome::TooLarge => {
                        self.make_dense()?;
                        dense::raise(&mut self.bytes[HEADER..], observation)
                    }
                }
            }
        };
        if changed {
            self.forget_count();
        }
        Ok(changed)
    }

    /// Keeps a computed cardinality in the header.
    pub fn store_count(&mut self, count: u64) {
        self.bytes[COUNT_AT].copy_from_slice(&count.to_le_bytes());
    }

    /// Marks the cardinality in the header as out of date. PFADD does so also when it only created the
    /// key, PFMERGE in any case; [`add`](Self::add) sees to it itself.
    pub fn forget_count(&mut self) {
        self.bytes[COUNT_AT.end - 1] |= 0x80;
    }

    /// Changes a sparse string to a dense one; whether it was sparse.
    ///
    /// # Errors
    /// [`Error::Corrupted`], and then nothing has changed.
    pub fn make_dense(&mut self) -> Result<bool, Error> {
        let sketch = self.as_sketch();
        if sketch.encoding() == Encoding::Dense {
            return Ok(false);
        }
        let registers = sketch.registers()?;
        self.bytes.resize(HEADER + dense::LENGTH, 0);
        dense::pack(&registers, &mut self.bytes[HEADER..]);
        self.bytes[ENCODING_AT] = 0;
        Ok(true)
    }

    /// Makes of this string the union that PFMERGE stores: `registers` are those of all sources, this string
    /// among them. The result is dense if `encoding` says so, this string is, or it must be.
    ///
    /// # Errors
    /// [`Error::Corrupted`].
    pub fn store_union(&mut self, registers: &Registers, encoding: Encoding, sparse_limit: usize) -> Result<(), Error> {
        if encoding == Encoding::Dense {
            self.make_dense()?;
        }
        self.forget_count();
        let mut trail = sparse::Trail::default();
        for observation in registers.observations() {
            if self.as_sketch().encoding() == Encoding::Dense {
                break;
            }
            let place = trail.find(&self.bytes[HEADER..], observation.register)?;
            match sparse::raise(self.bytes, place, observation, sparse_limit) {
                sparse::Outcome::TooLarge => drop(self.make_dense()?),
                sparse::Outcome::Unchanged | sparse::Outcome::Changed => (),
            }
        }
        if self.as_sketch().encoding() == Encoding::Dense {
            dense::pack(registers, &mut self.bytes[HEADER..]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::crc::crc64;
    use crate::base::random::Random;

    const LIMIT: usize = 3000;

    fn with_numbers(numbers: std::ops::RangeInclusive<u32>) -> Vec<u8> {
        let mut bytes = empty();
        let mut sketch = SketchMut::open(&mut bytes).expect("just made");
        for number in numbers {
            sketch.add(number.to_string().as_bytes(), LIMIT).expect("sound");
        }
        bytes
    }

    fn count(bytes: &[u8]) -> Result<u64, Error> {
        Sketch::open(bytes)?.count()
    }

    fn store_count(bytes: &mut Vec<u8>) {
        let mut sketch = SketchMut::open(bytes).expect("sound");
        let count = sketch.as_sketch().count().expect("sound");
        sketch.store_count(count);
    }

    fn decoded(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        assert!(Sketch::open(bytes).expect("sound").decode(&mut out), "it is sparse");
        String::from_utf8(out).expect("ASCII")
    }

    fn union(parts: &[&[u8]]) -> (Registers, Encoding) {
        let mut registers = Registers::default();
        let mut encoding = Encoding::Sparse;
        for part in parts {
            let sketch = Sketch::open(part).expect("sound");
            registers.merge(sketch).expect("sound");
            if sketch.encoding() == Encoding::Dense {
                encoding = Encoding::Dense;
            }
        }
        (registers, encoding)
    }

    #[test]
    fn the_bytes_are_those_of_a_live_server() {
        let mut bytes = empty();
        assert_eq!(bytes, b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7F\xFF");
        let mut sketch = SketchMut::open(&mut bytes).expect("just made");
        for (element, changes) in [("a", true), ("b", true), ("c", true), ("a", false)] {
            assert_eq!(sketch.add(element.as_bytes(), LIMIT), Ok(changes), "{element}");
        }
        assert_eq!(decoded(&bytes), "Z:8436 v:1,1 Z:4274 v:2,1 Z:3068 v:1,1 Z:603");
        store_count(&mut bytes);
        assert_eq!(bytes, b"HYLL\x01\0\0\0\x03\0\0\0\0\0\0\0`\xF3\x80P\xB1\x84K\xFB\x80BZ");

        let mut sparse = with_numbers(1..=1000);
        store_count(&mut sparse);
        assert_eq!((sparse.len(), count(&sparse)), (1922, Ok(1001)));
        assert_eq!(crc64(&sparse), 0xC2DC_4A0D_DD3D_9B18);

        let mut dense = with_numbers(1..=3000);
        store_count(&mut dense);
        assert_eq!((dense.len(), count(&dense)), (12_304, Ok(3005)));
        assert_eq!(crc64(&dense), 0xC809_3ADC_8AF7_4AE0);
        assert_eq!(count(&with_numbers(0..=99_999)), Ok(99_565));
    }

    #[test]
    fn the_union_has_the_bytes_of_a_live_server() {
        let mut abc = empty();
        let mut sketch = SketchMut::open(&mut abc).expect("just made");
        for element in [b"a", b"b", b"c"] {
            sketch.add(element, LIMIT).expect("sound");
        }
        let sixty = with_numbers(1..=60);
        let (registers, encoding) = union(&[&abc, &sixty]);
        let mut bytes = empty();
        let mut sketch = SketchMut::open(&mut bytes).expect("just made");
        sketch.store_union(&registers, encoding, LIMIT).expect("sound");
        assert_eq!(bytes.len(), 195);
        assert_eq!(crc64(&bytes), 0x38D2_9174_D802_CACA);
        assert_eq!((count(&bytes), registers.count()), (Ok(63), 63));
    }

    #[test]
    fn a_union_is_what_adding_all_elements_gives() {
        for (first, second) in [(50, 900), (500, 900), (2000, 3000), (1, 30_000)] {
            let (one, other) = (with_numbers(1..=first), with_numbers(second / 2..=second));
            let (registers, encoding) = union(&[&one, &other]);
            let mut merged = one.clone();
            let mut sketch = SketchMut::open(&mut merged).expect("sound");
            sketch.store_union(&registers, encoding, LIMIT).expect("sound");
            let mut all = one;
            let mut sketch = SketchMut::open(&mut all).expect("sound");
            for number in second / 2..=second {
                sketch.add(number.to_string().as_bytes(), LIMIT).expect("sound");
            }
            let all = Sketch::open(&all).expect("sound");
            let merged = Sketch::open(&merged).expect("sound");
            assert_eq!(merged.registers(), all.registers());
            assert_eq!(merged.registers(), Ok(registers));
            assert_eq!(merged.count(), all.count());
            assert_eq!(merged.cached_count(), None);
        }
    }

    #[test]
    fn the_count_is_kept_until_a_register_changes() {
        let mut bytes = empty();
        let mut sketch = SketchMut::open(&mut bytes).expect("just made");
        assert_eq!(sketch.as_sketch().cached_count(), Some(0));
        sketch.add(b"x", LIMIT).expect("sound");
        assert_eq!(sketch.as_sketch().cached_count(), None);
        sketch.store_count(1);
        assert_eq!(sketch.add(b"x", LIMIT), Ok(false));
        assert_eq!(sketch.as_sketch().cached_count(), Some(1));
        assert_eq!(sketch.make_dense(), Ok(true));
        assert_eq!(sketch.make_dense(), Ok(false));
        assert_eq!(sketch.as_sketch().cached_count(), Some(1));
        sketch.forget_count();
        assert_eq!(sketch.as_sketch().cached_count(), None);
    }

    #[test]
    fn a_sparse_string_becomes_dense_at_the_limit_or_for_a_large_value() {
        for (limit, encoding) in [(20, Encoding::Dense), (21, Encoding::Sparse)] {
            let mut bytes = empty();
            let mut sketch = SketchMut::open(&mut bytes).expect("just made");
            assert_eq!(sketch.add(b"a", limit), Ok(true));
            assert_eq!(sketch.as_sketch().encoding(), encoding);
            assert_eq!(sketch.as_sketch().count(), Ok(1));
        }
        for (value, encoding) in [(32, Encoding::Sparse), (33, Encoding::Dense)] {
            let mut bytes = empty();
            let mut sketch = SketchMut::open(&mut bytes).expect("just made");
            let observation = Observation { register: 7, value };
            assert_eq!(sketch.raise(observation, LIMIT), Ok(true));
            assert_eq!(sketch.as_sketch().encoding(), encoding);
            let registers = sketch.as_sketch().registers().expect("sound");
            assert_eq!(registers.iter().nth(7), Some(value));
        }
    }

    #[test]
    fn foreign_headers_are_refused() {
        let mut dense = with_numbers(1..=5);
        SketchMut::open(&mut dense).expect("sound").make_dense().expect("sound");
        let mut longer = dense.clone();
        longer.push(0);
        let foreign: [&[u8]; 8] = [
            b"",
            b"HYLL",
            b"HYLL\x01\0\0\0\0\0\0\0\0\0\0",
            b"hyll\x01\0\0\0\0\0\0\0\0\0\0\0\x7F\xFF",
            b"HYLL\x02\0\0\0\0\0\0\0\0\0\0\0\x7F\xFF",
            b"HYLL\0\0\0\0\0\0\0\0\0\0\0\0\x7F\xFF",
            &dense[..dense.len() - 1],
            &longer,
        ];
        for bytes in foreign {
            assert_eq!(count(bytes), Err(Error::NotHyperLogLog), "{bytes:?}");
        }
    }

    #[test]
    fn wrong_sparse_registers_are_found() {
        let bodies: [&[u8]; 6] = [b"", b"\0", b"\x7F", b"\x7F\xFE", b"\x7F\xFF\0", b"\x7F\xFF\x80"];
        for body in bodies {
            let mut bytes = empty();
            bytes.splice(HEADER.., body.iter().copied());
            assert_eq!(count(&bytes), Err(Error::Corrupted), "{body:?}");
            let mut registers = Registers::default();
            let sketch = Sketch::open(&bytes).expect("the header is sound");
            assert_eq!(registers.merge(sketch), Err(Error::Corrupted));
            let before = bytes.clone();
            let mut sketch = SketchMut::open(&mut bytes).expect("the header is sound");
            assert_eq!(sketch.make_dense(), Err(Error::Corrupted));
            assert_eq!(bytes, before);
        }
    }

    #[test]
    fn no_foreign_bytes_panic() {
        let mut random = Random::from_seed(11);
        let sound = with_numbers(1..=200);
        for _ in 0..3000 {
            let mut bytes = sound.clone();
            for _ in 0..=random.below(4) {
                let at = random.index(bytes.len());
                match random.below(3) {
                    0 => bytes[at] = random.next_u64().to_ne_bytes()[0],
                    1 => drop(bytes.remove(at)),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            let Ok(sketch) = Sketch::open(&bytes) else {
                continue;
            };
            let registers = sketch.registers();
            assert_eq!(registers.map(|registers| registers.count()), sketch.count());
            sketch.decode(&mut Vec::new());
            let mut sketch = SketchMut::open(&mut bytes).expect("just opened");
            let limit = [0, 3000][random.index(2)];
            // Errors are fine here.
            let _ = sketch.add(&random.next_u64().to_ne_bytes(), limit);
            let (registers, encoding) = union(&[&sound]);
            let _ = sketch.store_union(&registers, encoding, LIMIT);
        }
    }

    #[test]
    fn impossible_registers_count_as_a_live_server_counts_them() {
        let mut bytes = empty();
        SketchMut::open(&mut bytes).expect("just made").make_dense().expect("sound");
        bytes[HEADER..].fill(0xFF);
        assert_eq!(count(&bytes), Ok(1 << 63));
    }

    #[test]
    fn the_self_test_passes() {
        assert_eq!(self_test(&mut Random::from_seed(3)), Ok(()));
    }
}
