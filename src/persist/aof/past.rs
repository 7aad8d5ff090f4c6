//! The increments as a backlog: what was written to them can be sent to a replica that was away for longer
//! than the backlog in memory reaches.
//!
//! [`Past`] remembers for about every megabyte where in which increment it begins; [`PastReader`] goes from
//! such a mark to the byte that is wanted and reads on, a piece at a time, so that a long absence holds
//! nobody up. An increment that a rewrite has retired is no longer in [`Past`]; whoever reads it keeps it open.
//!
//! What was left out of the file is given as an empty line of the same length, one for each annotation: newlines, and
//! `\r\n` as the last two bytes. Nobody may take a place within it for one between commands, since who has the history
//! itself has half a command there: a replica counts such a line when its end has come, and [`PastReader::is_amid_blank`]
//! keeps the primary from going on in memory before.
//!
//! Invariant: from the first mark on, the increments hold the history without a gap.

use std::collections::VecDeque;
use std::io;

use super::reader::{CommandReader, Raw};
use crate::persist::place::{Note, Place, Tracker};
use crate::persist::storage::{ReadFile, Storage};

/// Bytes of the history from one mark to the next, about.
const SPAN: u64 = 1 << 20;

/// Where a piece of the history begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    /// The increment's number.
    increment: u64,
    /// Bytes of the file before it.
    at: u64,
    /// Bytes of the history before it.
    offset: u64,
}

/// What the increments hold of the history. See the module's essay.
#[derive(Debug, Default)]
pub struct Past {
    marks: VecDeque<Mark>,
}

impl Past {
    /// Bytes of the history before what is held; `None` if nothing is.
    pub fn start(&self) -> Option<u64> {
        self.marks.front().map(|mark| mark.offset)
    }

    /// Here a command or an annotation begins.
    pub fn note(&mut self, increment: u64, at: u64, offset: u64) {
        let mark = Mark { increment, at, offset };
        match self.marks.back() {
            Some(last) if last.increment == increment && offset.saturating_sub(last.offset) < SPAN => {}
            _ => self.marks.push_back(mark),
        }
    }

    /// The history is another from here on.
    pub fn clear(&mut self) {
        self.marks.clear();
    }

    /// Increments with lower numbers are gone.
    pub fn retire(&mut self, first_kept: u64) {
        self.marks.retain(|mark| mark.increment >= first_kept);
    }

    /// A reader of what follows the first `offset` bytes. `files` are the increments, each with its number.
    pub fn read_from(&self, offset: u64, files: impl Iterator<Item = (u64, String)>) -> Option<PastReader> {
        let behind = self.marks.partition_point(|mark| mark.offset <= offset);
        let mark = self.marks.get(behind.checked_sub(1)?)?;
        Some(PastReader {
            files: files.filter(|(number, _)| *number >= mark.increment).map(|(_, path)| Part { path, file: None }).collect(),
            skip: mark.at,
            reader: None,
            tracker: Tracker::at(Place { id: [b'0'; 40], offset: mark.offset }),
            blank: 0,
            offset,
        })
    }
}

/// Reads the history back. See the module's essay.
pub struct PastReader {
    /// The increments that are still to be read.
    files: VecDeque<Part>,
    /// Bytes of the first of them that are before the mark.
    skip: u64,
    reader: Option<CommandReader>,
    tracker: Tracker,
    /// Bytes that were left out and are still to be given.
    blank: u64,
    offset: u64,
}

struct Part {
    path: String,
    file: Option<Box<dyn ReadFile>>,
}

impl PastReader {
    /// Keeps what there is open: it can be read later, too, when a rewrite has removed it.
    pub fn hold(&mut self, storage: &dyn Storage) -> io::Result<()> {
        for part in &mut self.files {
            part.file = Some(storage.open(&part.path)?);
        }
        Ok(())
    }

    /// Bytes of the history that were before what is read next.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The next bytes of the history, about `most` of them, or fewer while what is known is passed over; `None` at the
    /// end of what is written.
    pub fn read(&mut self, storage: &dyn Storage, most: usize) -> io::Result<Option<Vec<u8>>> {
        let mut out = Vec::new();
        let mut passed = 0;
        while out.len() < most && passed < most {
            if self.blank > 0 {
                self.give_blank(&mut out, most);
                continue;
            }
            if self.reader.is_none() {
                let Some(Part { path, file }) = self.files.pop_front() else { return Ok(Some(out).filter(|out| !out.is_empty())) };
                let mut file = file.map_or_else(|| storage.open(&path), Ok)?;
                let skip = std::mem::take(&mut self.skip);
                file.skip(skip)?;
                self.reader = Some(CommandReader::new(file, Vec::new(), skip));
            }
            passed += self.step(&mut out)?;
        }
        Ok(Some(out))
    }

    /// Whether what was read last ends within what stands for something that was left out.
    pub fn is_amid_blank(&self) -> bool {
        self.blank > 0
    }

    /// What was left out is passed over by whoever reads empty lines: as much of one as there is room for.
    fn give_blank(&mut self, out: &mut Vec<u8>, most: usize) {
        let count = usize::try_from(self.blank).unwrap_or(usize::MAX).min(most - out.len());
        out.resize(out.len() + count, b'\n');
        self.blank -= count as u64;
        self.offset += count as u64;
        let behind = usize::try_from(2u64.saturating_sub(self.blank)).expect("two at most");
        if (1..=count).contains(&behind) {
            let at = out.len() - behind;
            out[at] = b'\r';
        }
    }

    /// Takes one command or annotation; gives how long it is in the file.
    fn step(&mut self, out: &mut Vec<u8>) -> io::Result<usize> {
        let Some(reader) = &mut self.reader else { return Ok(0) };
        let before = self.tracker.place.map_or(0, |place| place.offset);
        match reader.read_raw()? {
            Raw::Command(bytes) => {
                if self.tracker.bytes(bytes.len() as u64) {
                    let known = usize::try_from(self.offset.saturating_sub(before)).unwrap_or(usize::MAX).min(bytes.len());
                    out.extend_from_slice(&bytes[known..]);
                    self.offset += (bytes.len() - known) as u64;
                }
                Ok(bytes.len())
            }
            Raw::Note(line) => {
                let left_out = Note::parse(line).map_or(0, |note| self.tracker.note(note));
                let after = self.tracker.place.map_or(0, |place| place.offset);
                if after != before.saturating_add(left_out) {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the history has a gap"));
                }
                self.blank = after.saturating_sub(self.offset).min(left_out);
                Ok(line.len())
            }
            Raw::End => {
                self.reader = None;
                Ok(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persist::storage::faulty::Faulty;

    #[test]
    fn any_byte_can_be_the_first() {
        let storage = Faulty::new();
        let set = |key: u64| format!("*3\r\n$3\r\nSET\r\n$1\r\n{key}\r\n$1\r\nx\r\n");
        let id = "a".repeat(40);
        let (a, b, c) = (set(1), set(2), set(3));
        let first = format!("#REPL:AT:{id}:100\r\n{a}#REPL:SKIP:14\r\n{b}#REPL:LOCAL:{}\r\n{c}", c.len());
        let start = 100 + (a.len() + 14 + b.len()) as u64;
        let second = format!("#REPL:AT:{}:{start}\r\n{c}{b}", "b".repeat(40));
        storage.put("1", first.as_bytes());
        storage.put("2", second.as_bytes());
        let whole = format!("{a}{}\r\n{b}{c}{b}", "\n".repeat(12));
        let mut past = Past::default();
        past.note(1, 0, 100);
        past.note(2, 0, start);
        past.note(2, 3, start + 1);
        assert_eq!(past.start(), Some(100));
        let files = || [(1, "1".to_string()), (2, "2".to_string())].into_iter();
        assert!(past.read_from(99, files()).is_none());
        for from in 0..=whole.len() {
            for most in [1, 7, 1000] {
                let mut reader = past.read_from(100 + from as u64, files()).expect("held");
                let mut read = Vec::new();
                while reader.offset() < 100 + whole.len() as u64 {
                    read.extend(reader.read(&storage, most).expect("memory").expect("there is more"));
                }
                assert_eq!(read, whole.as_bytes()[from..], "from {from}, {most} at a time");
                while let Some(more) = reader.read(&storage, most).expect("memory") {
                    assert!(more.is_empty());
                }
            }
        }
        past.retire(2);
        assert_eq!(past.start(), Some(start));
    }
}
