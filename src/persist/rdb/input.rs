//! Reading the primitives of an RDB; see [`super::output`] for their forms.
//!
//! Nothing that is read is believed: a length may promise more than there is, so memory for a string is
//! taken a chunk at a time as its bytes arrive, and a count never reserves anything. The checksum is taken
//! over what was consumed, in stretches as long as the buffer allows.
//!
//! An input may be [fed](Input::feed): its bytes come from outside, in pieces. Whoever runs out of them goes
//! [back](Input::rewind) to the last [mark](Input::mark) and starts from there when [more have come](Input::is_worth_a_try).

use std::io;

use super::LoadError;
use crate::base::crc::Crc64;
use crate::base::text::reason;
use crate::base::{lzf, number};
use crate::limits;
use crate::persist::storage::ReadFile;

/// Bytes asked of the file at a time.
const CHUNK: usize = 256 * 1024;

/// Where an RDB is read from.
pub struct Input<'a> {
    source: Source<'a>,
    buffer: Vec<u8>,
    at: usize,
    /// Where a fed input is gone back to.
    marked: usize,
    /// How much a fed input should hold behind the mark before it is tried again.
    wanted: usize,
    /// Up to where the checksum was taken.
    summed: usize,
    crc: Option<Crc64>,
    /// Bytes consumed before the buffer's first.
    before: u64,
}

/// Where the bytes behind the buffer are.
enum Source<'a> {
    /// Nowhere: the buffer is all there is.
    Nothing,
    Borrowed(&'a mut dyn ReadFile),
    Owned(Box<dyn ReadFile>),
    /// They are still to come.
    Outside,
}

/// Bytes behind the mark up to which a fed input is tried again with whatever comes.
const EAGER: usize = 64 * 1024;

/// A length, or the mark of a string with a form of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Plain(u64),
    Form(u8),
}

impl<'a> Input<'a> {
    fn new(source: Source<'a>, buffer: Vec<u8>, summing: bool) -> Input<'a> {
        Input { source, buffer, at: 0, marked: 0, wanted: 0, summed: 0, crc: summing.then(Crc64::new), before: 0 }
    }

    /// Reads bytes in memory.
    pub fn of_bytes(bytes: Vec<u8>) -> Input<'static> {
        Input::new(Source::Nothing, bytes, false)
    }

    /// Reads a file; `summing` says whether its checksum is taken on the way.
    pub fn of_file(file: &'a mut dyn ReadFile, summing: bool) -> Input<'a> {
        Input::new(Source::Borrowed(file), Vec::new(), summing)
    }

    /// As [`Input::of_file`], of a file that it keeps.
    pub fn of_own_file(file: Box<dyn ReadFile>, summing: bool) -> Input<'static> {
        Input::new(Source::Owned(file), Vec::new(), summing)
    }

    /// Reads what it is fed.
    pub fn fed(summing: bool) -> Input<'static> {
        Input::new(Source::Outside, Vec::new(), summing)
    }

    /// More bytes for a fed input.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.mark();
        self.drop_consumed();
        self.buffer.extend_from_slice(bytes);
    }

    /// No more bytes will come to a fed input.
    pub fn end(&mut self) {
        self.source = Source::Nothing;
    }

    /// Everything up to here is done with.
    #[inline]
    pub fn mark(&mut self) {
        self.marked = self.at;
    }

    /// Whether what is missing may still come: then the input goes back to the mark.
    pub fn rewind(&mut self) -> bool {
        if !matches!(self.source, Source::Outside) {
            return false;
        }
        let held = self.buffer.len() - self.marked;
        // a large value is not looked through again for every piece of it
        self.wanted = if held > EAGER { self.wanted.max(held * 2) } else { 0 };
        self.at = self.marked;
        true
    }

    /// Whether a fed input holds so much more than at the last try that another is worth it.
    pub fn is_worth_a_try(&self) -> bool {
        !matches!(self.source, Source::Outside) || self.buffer.len() - self.at >= self.wanted
    }

    fn drop_consumed(&mut self) {
        self.sum();
        self.buffer.drain(..self.at);
        self.before += self.at as u64;
        (self.at, self.summed, self.marked) = (0, 0, 0);
    }

    /// Bytes consumed.
    pub fn consumed(&self) -> u64 {
        self.before + self.at as u64
    }

    /// What was read and not consumed.
    pub fn into_rest(mut self) -> Vec<u8> {
        self.buffer.split_off(self.at)
    }

    /// The file that it keeps, if it does.
    pub fn take_file(&mut self) -> Option<Box<dyn ReadFile>> {
        match std::mem::replace(&mut self.source, Source::Nothing) {
            Source::Owned(file) => Some(file),
            _ => None,
        }
    }

    /// Whether there are `count` more bytes.
    pub fn need(&mut self, count: usize) -> Result<(), LoadError> {
        self.fill(count)?;
        if self.buffer.len() - self.at >= count { Ok(()) } else { Err(LoadError::Truncated) }
    }

    /// Whether everything was consumed. Asks the file.
    pub fn is_at_end(&mut self) -> Result<bool, LoadError> {
        self.fill(1)?;
        Ok(self.at == self.buffer.len())
    }

    /// The checksum of what was consumed; `None` if none is taken.
    pub fn checksum(&mut self) -> Option<u64> {
        self.sum();
        self.crc.map(Crc64::value)
    }

    fn sum(&mut self) {
        if let Some(crc) = &mut self.crc {
            crc.update(&self.buffer[self.summed..self.at]);
        }
        self.summed = self.at;
    }

    /// Gets `want` bytes into the buffer, or as many as there are.
    #[inline]
    fn fill(&mut self, want: usize) -> Result<(), LoadError> {
        if self.buffer.len() - self.at >= want { Ok(()) } else { self.fill_from_file(want) }
    }

    #[cold]
    fn fill_from_file(&mut self, want: usize) -> Result<(), LoadError> {
        match self.source {
            Source::Nothing => return Ok(()),
            Source::Outside => {
                self.wanted = (self.at - self.marked).saturating_add(want);
                return Ok(());
            }
            Source::Borrowed(_) | Source::Owned(_) => {}
        }
        self.drop_consumed();
        let file: &mut dyn ReadFile = match &mut self.source {
            Source::Borrowed(file) => *file,
            Source::Owned(file) => &mut **file,
            Source::Nothing | Source::Outside => return Ok(()),
        };
        while self.buffer.len() < want {
            let had = self.buffer.len();
            // at most twice what has arrived, whatever was promised
            self.buffer.resize(had + CHUNK.max(had.min(want - had)), 0);
            let result = file.read(&mut self.buffer[had..]);
            let count = *result.as_ref().unwrap_or(&0);
            self.buffer.truncate(had + count);
            match result {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LoadError::File(reason(&error))),
            }
        }
        Ok(())
    }

    /// The next `count` bytes.
    #[inline]
    pub fn bytes(&mut self, count: usize) -> Result<&[u8], LoadError> {
        self.fill(count)?;
        let start = self.at;
        if self.buffer.len() - start < count {
            return Err(LoadError::Truncated);
        }
        self.at += count;
        Ok(&self.buffer[start..start + count])
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], LoadError> {
        let bytes = self.bytes(N)?;
        Ok(bytes.try_into().expect("as many as were asked for"))
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, LoadError> {
        Ok(self.array::<1>()?[0])
    }

    #[inline]
    fn length_or_form(&mut self) -> Result<Length, LoadError> {
        let first = self.byte()?;
        Ok(match (first >> 6, first) {
            (0, _) => Length::Plain(u64::from(first)),
            (1, _) => Length::Plain(u64::from(u16::from_be_bytes([first & 0x3f, self.byte()?]))),
            (3, _) => Length::Form(first & 0x3f),
            (_, 0x80) => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
            (_, 0x81) => Length::Plain(u64::from_be_bytes(self.array()?)),
            _ => return Err(LoadError::corrupt(format!("unknown form of a length: {first:#04x}"))),
        })
    }

    /// A length or number.
    #[inline]
    pub fn length(&mut self) -> Result<u64, LoadError> {
        match self.length_or_form()? {
            Length::Plain(length) => Ok(length),
            Length::Form(_) => Err(LoadError::corrupt("a string where a length was expected")),
        }
    }

    /// A time.
    pub fn millis(&mut self) -> Result<i64, LoadError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    /// A double in eight bytes.
    pub fn double(&mut self) -> Result<f64, LoadError> {
        Ok(f64::from_bits(u64::from_le_bytes(self.array()?)))
    }

    /// A double as text, the form of long ago.
    pub fn double_text(&mut self) -> Result<f64, LoadError> {
        match self.byte()? {
            253 => Ok(f64::NAN),
            254 => Ok(f64::INFINITY),
            255 => Ok(f64::NEG_INFINITY),
            length => {
                let text = self.bytes(usize::from(length))?;
                number::parse_f64_or_nan(text).ok_or(LoadError::Corrupt("a score that is no number".into()))
            }
        }
    }

    /// A string, in place of what `out` held.
    pub fn string(&mut self, out: &mut Vec<u8>) -> Result<(), LoadError> {
        out.clear();
        match self.length_or_form()? {
            Length::Plain(length) => {
                let length = string_length(length)?;
                out.extend_from_slice(self.bytes(length)?);
            }
            Length::Form(0) => number::write_i64(out, i64::from(i8::from_le_bytes(self.array()?))),
            Length::Form(1) => number::write_i64(out, i64::from(i16::from_le_bytes(self.array()?))),
            Length::Form(2) => number::write_i64(out, i64::from(i32::from_le_bytes(self.array()?))),
            Length::Form(3) => {
                let (packed, length) = (self.length()?, self.length()?);
                let (packed, length) = (string_length(packed)?, string_length(length)?);
                let packed = self.bytes(packed)?;
                if !lzf::decompress(packed, length, out) {
                    return Err(LoadError::corrupt("invalid LZF compressed string"));
                }
            }
            Length::Form(form) => return Err(LoadError::corrupt(format!("unknown form of a string: {form}"))),
        }
        Ok(())
    }

    /// A string of its own.
    pub fn owned_string(&mut self) -> Result<Vec<u8>, LoadError> {
        let mut out = Vec::new();
        self.string(&mut out)?;
        Ok(out)
    }
}

fn string_length(length: u64) -> Result<usize, LoadError> {
    let length = usize::try_from(length).ok().filter(|&length| length <= limits::RDB_STRING_MAX);
    length.ok_or(LoadError::Corrupt("a string longer than any value may be".into()))
}

#[cfg(test)]
mod tests {
    use super::super::output::Output;
    use super::*;

    #[test]
    fn primitives_come_back() {
        let lengths = [0, 63, 64, 16_383, 16_384, u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX];
        let texts: [&[u8]; 12] = [
            b"",
            b"a",
            b"0",
            b"-128",
            b"32767",
            b"2147483647",
            b"2147483648",
            b"-0",
            b"007",
            &[b'x'; 21],
            &[b'y'; 9000],
            b"no run in here 1234",
        ];
        let mut output = Output::to_memory(true);
        lengths.iter().for_each(|&length| output.length(length));
        texts.iter().for_each(|text| output.string(text));
        output.integer(i64::MIN);
        output.double(-1.5);
        output.millis(-3);
        let mut input = Input::of_bytes(output.into_bytes());
        for length in lengths {
            assert_eq!(input.length(), Ok(length));
        }
        for text in texts {
            assert_eq!(input.owned_string().as_deref(), Ok(text));
        }
        assert_eq!(input.owned_string(), Ok(i64::MIN.to_string().into_bytes()));
        assert_eq!(input.double(), Ok(-1.5));
        assert_eq!(input.millis(), Ok(-3));
        assert_eq!(input.is_at_end(), Ok(true));
        assert_eq!(input.byte(), Err(LoadError::Truncated));
    }

    #[test]
    fn promises_are_not_believed() {
        let refuse = |bytes: &[u8]| Input::of_bytes(bytes.to_vec()).owned_string().expect_err("refused");
        assert_eq!(refuse(&[0x80, 0x3f, 0xff, 0xff, 0xff, b'a']), LoadError::Truncated);
        assert!(matches!(refuse(&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0]), LoadError::Corrupt(_)));
        assert!(matches!(refuse(&[0x82]), LoadError::Corrupt(_)));
        assert!(matches!(refuse(&[0xC4]), LoadError::Corrupt(_)));
        assert!(matches!(refuse(&[0xC3, 1, 60, 0, b'a']), LoadError::Corrupt(_) | LoadError::Truncated));
        // a file that promises a gigabyte and holds a byte costs a chunk
        struct Short(Vec<u8>);
        impl ReadFile for Short {
            fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
                let count = self.0.len().min(bytes.len());
                bytes[..count].copy_from_slice(&self.0[..count]);
                self.0.drain(..count);
                Ok(count)
            }

            fn length(&self) -> io::Result<u64> {
                Ok(self.0.len() as u64)
            }
        }
        let mut file = Short(vec![0x80, 0x3f, 0xff, 0xff, 0xff, b'a']);
        let mut input = Input::of_file(&mut file, true);
        assert_eq!(input.owned_string(), Err(LoadError::Truncated));
        assert!(input.buffer.capacity() <= 2 * CHUNK, "{} bytes for a promise", input.buffer.capacity());
    }
}
