//! Reading a file of commands: the requests of an append-only file, one after the other.
//!
//! Each is an array of bulk strings as a client sends it, nothing else: what would be an inline command on a
//! connection is a damaged file here. A line that starts with `#` between two commands is an annotation
//! and is skipped. The file is read in chunks, so that memory follows what the file really holds, not what a
//! length in it claims.

use std::io;

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

/// What comes next in the file.
pub enum Next<'a> {
    /// A command.
    Command(Args<'a>),
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

    /// The next command.
    pub fn read(&mut self) -> io::Result<Next<'_>> {
        loop {
            if self.partial.is_empty() && self.skip_annotation() {
                continue;
            }
            if self.partial.is_empty() && self.buffer.get(self.at).is_some_and(|&byte| byte != b'*' && byte != b'#') {
                return Ok(Next::Damage);
            }
            let in_annotation = self.buffer.get(self.at) == Some(&b'#');
            if !in_annotation && self.partial.wanted() <= self.buffer.len() - self.at {
                self.spans.clear();
                match request::parse(&self.buffer, self.at, &mut self.partial, &LIMITS, &mut self.spans) {
                    Parsed::Request(end) => {
                        self.at = end;
                        return Ok(Next::Command(Args::new(&self.buffer, &self.spans)));
                    }
                    Parsed::Incomplete => {}
                    Parsed::Inline(..) | Parsed::Nothing(_) | Parsed::Error(_) => return Ok(Next::Damage),
                }
            }
            if self.ended {
                // an annotation without its end is none that counts
                return Ok(if in_annotation || self.at == self.buffer.len() { Next::End } else { Next::CutOff });
            }
            if self.buffer.len() - self.at > COMMAND_MAX {
                return Ok(Next::Damage);
            }
            self.fill()?;
        }
    }

    /// Skips one whole annotation, if there is one.
    fn skip_annotation(&mut self) -> bool {
        let rest = &self.buffer[self.at..];
        if rest.first() != Some(&b'#') {
            return false;
        }
        match memchr::memchr(b'\n', rest) {
            Some(end) => {
                self.at += end + 1;
                true
            }
            None => false,
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
    }
}
