//! Reading a file of commands: the requests of an append-only file, one after the other.
//!
//! Each is an array of bulk strings as a client sends it, nothing else: what would be an inline command on a
//! connection is a damaged file here. A line that starts with `#` between two commands is an annotation. The
//! file is read in chunks, so that memory follows what the file really holds, not what a length in it claims.
//!
//! A machine that crashes may leave a file that is as long as it should be, with zeros where the last writes never
//! arrived. A file that is whole, or cut off within a command, but for the zeros it ends in, is taken as cut off.

use std::io;
use std::ops::Range;

use crate::limits;
use crate::persist::storage::ReadFile;
use crate::resp::request::{self, Args, Parsed, Partial, RequestLimits, Span};

/// Bytes that are read at a time.
const CHUNK: usize = 256 * 1024;
/// Bytes of one command at most.
const COMMAND_MAX: usize = u32::MAX as usize - CHUNK;

const LIMITS: RequestLimits = RequestLimits { arguments: limits::ARGUMENTS_MAX, bulk: COMMAND_MAX as i64, unauthenticated: false };

/// A file of commands being read.
pub struct CommandReader {
    file: Box<dyn ReadFile>,
    buffer: Vec<u8>,
    /// Where the next command starts in the buffer.
    at: usize,
    /// Where the buffer starts in the file.
    origin: u64,
    ended: bool,
    partial: Partial,
    spans: Vec<Span>,
}

/// What the next bytes of the file are: where they are in the buffer.
enum Step {
    Command(Range<usize>),
    Note(Range<usize>),
    End,
    CutOff,
    Damage,
}

/// What comes next in the file, as it is there.
pub enum Raw<'a> {
    /// A command.
    Command(&'a [u8]),
    /// An annotation, its end included.
    Note(&'a [u8]),
    /// No more.
    End,
}

/// What comes next in the file.
pub enum Next<'a> {
    /// A command.
    Command(Args<'a>),
    /// An annotation, its end included.
    Note(&'a [u8]),
    /// The end.
    End,
    /// The end, in the middle of a command.
    CutOff,
    /// Something that is no command.
    Damage,
}

impl CommandReader {
    /// Reads a file of which `head`, ending at `offset`, was read already.
    pub fn new(file: Box<dyn ReadFile>, head: Vec<u8>, offset: u64) -> CommandReader {
        let origin = offset - head.len() as u64;
        CommandReader { file, buffer: head, at: 0, origin, ended: false, partial: Partial::default(), spans: Vec::new() }
    }

    /// Where in the file the part ends that was given so far.
    pub fn offset(&self) -> u64 {
        self.origin + self.at as u64
    }

    /// What comes next.
    pub fn read(&mut self) -> io::Result<Next<'_>> {
        Ok(match self.step()? {
            Step::Command(_) => Next::Command(Args::new(&self.buffer, &self.spans)),
            Step::Note(range) => Next::Note(&self.buffer[range]),
            Step::End => Next::End,
            Step::CutOff => Next::CutOff,
            Step::Damage => Next::Damage,
        })
    }

    /// What comes next, as it is in the file. A file that goes on in another way than it should has ended.
    pub fn read_raw(&mut self) -> io::Result<Raw<'_>> {
        Ok(match self.step()? {
            Step::Command(range) => Raw::Command(&self.buffer[range]),
            Step::Note(range) => Raw::Note(&self.buffer[range]),
            Step::End | Step::CutOff | Step::Damage => Raw::End,
        })
    }

    fn step(&mut self) -> io::Result<Step> {
        loop {
            let first = self.buffer.get(self.at).copied().filter(|_| self.partial.is_empty());
            if first.is_some_and(|byte| byte != b'*' && byte != b'#') {
                return self.damage();
            }
            let in_annotation = first == Some(b'#');
            if in_annotation {
                if let Some(length) = memchr::memchr(b'\n', &self.buffer[self.at..]) {
                    let start = self.at;
                    self.at += length + 1;
                    return Ok(Step::Note(start..self.at));
                }
            } else if self.partial.wanted() <= self.buffer.len() - self.at {
                self.spans.clear();
                match request::parse(&self.buffer, self.at, &mut self.partial, &LIMITS, &mut self.spans) {
                    Parsed::Request(end) => {
                        if !self.words_end() {
                            return self.damage();
                        }
                        let start = std::mem::replace(&mut self.at, end);
                        return Ok(Step::Command(start..end));
                    }
                    Parsed::Incomplete => {}
                    Parsed::Inline(..) | Parsed::Nothing(_) | Parsed::Error(_) => return self.damage(),
                }
            }
            if self.ended {
                // an annotation without its end is none that counts
                return Ok(if in_annotation || self.at == self.buffer.len() { Step::End } else { Step::CutOff });
            }
            if self.buffer.len() - self.at > COMMAND_MAX {
                return Ok(Step::Damage);
            }
            self.fill()?;
        }
    }

    /// Whether a line ends behind each word: the lengths alone would let a torn command pass.
    fn words_end(&self) -> bool {
        self.spans.iter().all(|span| self.buffer[span.range().end..].starts_with(b"\r\n"))
    }

    /// What stands here is no command: the file is damaged, or ends in zeros behind a command that was cut off.
    fn damage(&mut self) -> io::Result<Step> {
        let zeros = self.buffer.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1).max(self.at);
        if !self.rest_is_zeros()? || zeros == self.buffer.len() {
            return Ok(Step::Damage);
        }
        let (mut partial, mut spans) = (Partial::default(), Vec::new());
        let begun = &self.buffer[..zeros];
        let cut_off = match begun.get(self.at) {
            None | Some(b'#') => true,
            Some(b'*') => matches!(request::parse(begun, self.at, &mut partial, &LIMITS, &mut spans), Parsed::Incomplete),
            Some(_) => false,
        };
        Ok(if cut_off { Step::CutOff } else { Step::Damage })
    }

    fn rest_is_zeros(&mut self) -> io::Result<bool> {
        let mut chunk = vec![0; CHUNK];
        loop {
            match self.file.read(&mut chunk) {
                Ok(0) => return Ok(true),
                Ok(count) if chunk[..count].iter().any(|&byte| byte != 0) => return Ok(false),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads another chunk behind what is left.
    fn fill(&mut self) -> io::Result<()> {
        self.origin += self.at as u64;
        self.buffer.drain(..self.at);
        self.at = 0;
        let kept = self.buffer.len();
        // a long command grows the buffer by as much again, so that it is not moved once a chunk
        let room = CHUNK.max(kept).min(16 * CHUNK);
        self.buffer.resize(kept + room, 0);
        let count = loop {
            match self.file.read(&mut self.buffer[kept..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(kept + *count.as_ref().unwrap_or(&0));
        self.ended = count? == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that gives its bytes in small reads.
    struct Drops(Vec<u8>, usize);

    impl ReadFile for Drops {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(bytes.len());
            bytes[..count].copy_from_slice(&self.0[..count]);
            self.0.drain(..count);
            Ok(count)
        }
        fn length(&self) -> io::Result<u64> {
            Ok(self.0.len() as u64)
        }
    }

    fn read(text: &str, step: usize) -> (Vec<String>, &'static str, u64) {
        let mut reader = CommandReader::new(Box::new(Drops(text.as_bytes().to_vec(), step)), Vec::new(), 0);
        let mut found = Vec::new();
        let (end, mut valid) = loop {
            let valid = reader.offset();
            match reader.read().expect("memory") {
                Next::Command(args) => {
                    found.push(args.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>().join(" "))
                }
                Next::Note(_) => {}
                Next::End => break ("end", valid),
                Next::CutOff => break ("cut off", valid),
                Next::Damage => break ("damage", valid),
            }
        };
        if end == "end" {
            valid = reader.offset();
        }
        (found, end, valid)
    }

    #[test]
    fn commands_are_read_whatever_the_reads() {
        let text = "#TS:1\r\n*2\r\n$3\r\nGET\r\n$1\r\nx\r\n#a\n*1\r\n$0\r\n\r\n";
        for step in [1, 2, 7, 1000] {
            let (found, end, valid) = read(text, step);
            assert_eq!((found, end, valid), (vec!["GET x".to_string(), String::new()], "end", text.len() as u64));
        }
        assert_eq!(read("", 1), (vec![], "end", 0));
        assert_eq!(read("*1\r\n$1\r\na\r\n#TS", 3).1, "end");
    }

    #[test]
    fn every_cut_is_seen_and_every_damage() {
        let text = "*1\r\n$1\r\na\r\n*2\r\n$3\r\nSET\r\n$2\r\nbc\r\n";
        for cut in 12..text.len() {
            let (found, end, valid) = read(&text[..cut], 5);
            assert_eq!((found, end, valid), (vec!["a".to_string()], "cut off", 11), "{cut}");
        }
        for damage in ["x", "\r\n", "*0\r\n", "*-1\r\n", "*a\r\n", "*1\r\nx", "*1\r\n$a\r\n", "*99999999999\r\n", "*1\r\n$99999999999\r\n"]
        {
            assert_eq!(read(&format!("*1\r\n$1\r\na\r\n{damage}"), 4), (vec!["a".to_string()], "damage", 11), "{damage:?}");
        }
        for torn in ["\0", "*\0\0", "*1\r\0\0\0", "*1\r\n$3\r\nab\0\0\0\0", "*2\r\n$1\r\na\0\0\0\0\0\0\0\0\0"] {
            assert_eq!(read(&format!("*1\r\n$1\r\na\r\n{torn}"), 4), (vec!["a".to_string()], "cut off", 11), "{torn:?}");
        }
        for damage in ["\0\0*1\r\n$1\r\na\r\n", "x\0\0", "*1\r\nx\0\0"] {
            assert_eq!(read(&format!("*1\r\n$1\r\na\r\n{damage}"), 4), (vec!["a".to_string()], "damage", 11), "{damage:?}");
        }
    }
}
