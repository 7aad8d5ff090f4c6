//! Writing the primitives of an RDB: lengths, strings, doubles, times; to memory or to a file.
//!
//! ```text
//! length   00 + 6 bits | 01 + 14 bits big-endian | 0x80 + 32 bits big-endian | 0x81 + 64 bits big-endian
//! string   length, bytes | 0xC0 i8 | 0xC1 i16 le | 0xC2 i32 le | 0xC3 length of the compressed form,
//!          length of the text, compressed bytes
//! time     milliseconds, 64 bits little-endian
//! ```
//!
//! What is written gathers in one buffer, which goes to the file when it is full; the checksum is taken
//! over whole buffers. An error of the file is kept and told once, at [`Output::finish`], so that the
//! hundreds of small writes of a value need not be looked at one by one; nothing more is written after it.

use std::io;

use crate::base::crc::Crc64;
use crate::base::lzf::Compressor;
use crate::base::number;
use crate::ds::packed::Element;
use crate::persist::storage::WriteFile;
use crate::types::string::StringRef;

/// Bytes gathered before they go to the file.
const BUFFER: usize = 64 * 1024;
/// Bytes between two flushes to disk.
const FLUSH: usize = 4 * 1024 * 1024;
/// The longest text that is tried as an integer.
const INTEGER_TEXT: usize = 11;
/// The longest text that is not worth compressing.
const SHORT: usize = 20;

/// What a file is written with.
#[derive(Clone, Copy, Debug)]
pub struct Writing {
    /// Whether long strings are compressed.
    pub compress: bool,
    /// Whether the file ends with a checksum, and not with zeros.
    pub checksum: bool,
    /// Whether the file is flushed to disk on the way.
    pub flush: bool,
}

/// Where an RDB is written to.
pub struct Output<'a> {
    buffer: Vec<u8>,
    file: Option<&'a mut dyn WriteFile>,
    writing: Writing,
    crc: Crc64,
    unflushed: usize,
    written: u64,
    failed: Option<io::Error>,
    /// Made when the first string is worth it.
    compressor: Option<Compressor>,
}

impl<'a> Output<'a> {
    /// Writes to memory.
    pub fn to_memory(compress: bool) -> Output<'static> {
        Output::new(None, Writing { compress, checksum: true, flush: false })
    }

    /// Writes to a file.
    pub fn to_file(file: &'a mut dyn WriteFile, writing: Writing) -> Output<'a> {
        Output::new(Some(file), writing)
    }

    fn new(file: Option<&'a mut dyn WriteFile>, writing: Writing) -> Output<'a> {
        Output { buffer: Vec::new(), file, writing, crc: Crc64::new(), unflushed: 0, written: 0, failed: None, compressor: None }
    }

    /// What was written to memory.
    pub fn into_bytes(self) -> Vec<u8> {
        self.buffer
    }

    /// The checksum of all that was written.
    pub fn checksum(&mut self) -> u64 {
        self.drain();
        self.crc.value()
    }

    /// Whether the file has failed: whatever else is written goes nowhere.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Ends the file with its checksum and hands the rest over. The first error there was is told.
    pub fn finish(mut self) -> io::Result<u64> {
        let sum = if self.writing.checksum { self.checksum() } else { 0 };
        self.bytes(&sum.to_le_bytes());
        self.drain();
        self.failed.map_or(Ok(self.written), Err)
    }

    /// Bytes as they are.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER {
            self.drain();
        }
    }

    /// Gives the buffer to the file; memory keeps it.
    #[cold]
    fn drain(&mut self) {
        let Some(file) = &mut self.file else { return };
        if self.writing.checksum {
            self.crc.update(&self.buffer);
        }
        self.written += self.buffer.len() as u64;
        self.unflushed += self.buffer.len();
        if self.failed.is_none() {
            let mut result = file.write_all(&self.buffer);
            if result.is_ok() && self.writing.flush && self.unflushed >= FLUSH {
                self.unflushed = 0;
                result = file.sync();
            }
            self.failed = result.err();
        }
        self.buffer.clear();
    }

    /// One byte.
    #[inline]
    pub fn byte(&mut self, byte: u8) {
        self.bytes(&[byte]);
    }

    /// A length or any number that is mostly small.
    pub fn length(&mut self, length: u64) {
        match (u8::try_from(length), u16::try_from(length), u32::try_from(length)) {
            (Ok(length), ..) if length < 1 << 6 => self.byte(length),
            (_, Ok(length), _) if length < 1 << 14 => self.bytes(&(length | 0x4000).to_be_bytes()),
            (_, _, Ok(length)) => {
                self.byte(0x80);
                self.bytes(&length.to_be_bytes());
            }
            _ => {
                self.byte(0x81);
                self.bytes(&length.to_be_bytes());
            }
        }
    }

    /// A number of things in memory.
    pub fn count(&mut self, count: usize) {
        self.length(count as u64);
    }

    /// A time.
    pub fn millis(&mut self, millis: i64) {
        self.bytes(&millis.to_le_bytes());
    }

    /// A double.
    pub fn double(&mut self, value: f64) {
        self.bytes(&value.to_bits().to_le_bytes());
    }

    /// A string, as an integer or compressed where that is shorter.
    pub fn string(&mut self, text: &[u8]) {
        let value = if text.len() <= INTEGER_TEXT { number::parse_i64(text) } else { None };
        if !value.is_some_and(|value| self.small_integer(value)) {
            self.blob(text);
        }
    }

    /// A string that is known not to be an integer, as the bytes of a packed block.
    pub fn blob(&mut self, text: &[u8]) {
        if text.len() <= SHORT || !self.compressed(text) {
            self.count(text.len());
            self.bytes(text);
        }
    }

    /// The text of an integer.
    pub fn integer(&mut self, value: i64) {
        if !self.small_integer(value) {
            let mut text = Vec::with_capacity(number::MAX_INTEGER_LENGTH);
            number::write_i64(&mut text, value);
            self.count(text.len());
            self.bytes(&text);
        }
    }

    /// A string that is stored one way or the other.
    pub fn text(&mut self, text: StringRef<'_>) {
        match text {
            StringRef::Bytes(bytes) => self.string(bytes),
            StringRef::Integer(value) => self.integer(value),
        }
    }

    /// An element of a packed block.
    pub fn element(&mut self, element: Element<'_>) {
        match element {
            Element::Bytes(bytes) => self.string(bytes),
            Element::Int(value) => self.integer(value),
        }
    }

    fn small_integer(&mut self, value: i64) -> bool {
        match (i8::try_from(value), i16::try_from(value), i32::try_from(value)) {
            (Ok(value), ..) => self.bytes(&[0xC0, value.cast_unsigned()]),
            (_, Ok(value), _) => {
                self.byte(0xC1);
                self.bytes(&value.to_le_bytes());
            }
            (_, _, Ok(value)) => {
                self.byte(0xC2);
                self.bytes(&value.to_le_bytes());
            }
            _ => return false,
        }
        true
    }

    fn compressed(&mut self, text: &[u8]) -> bool {
        if !self.writing.compress {
            return false;
        }
        let mut packed = Vec::new();
        if !self.compressor.get_or_insert_default().compress(text, text.len() - 4, &mut packed) {
            return false;
        }
        self.byte(0xC3);
        self.count(packed.len());
        self.count(text.len());
        self.bytes(&packed);
        true
    }
}
