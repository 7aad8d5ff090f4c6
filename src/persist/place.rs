//! Where in a history the data stands: what ties a file to the stream that replicas follow.
//!
//! A snapshot says it in its aux fields. An append-only file says it in annotations, lines that begin with
//! `#` and that every server since Redis 7.0 skips:
//!
//! ```text
//! #REPL:AT:<name>:<offset>    what was read so far makes up that many bytes of that history
//! #REPL:SKIP:<count>          so many bytes of the history are left out here: they changed no data
//! #REPL:LOCAL:<count>         the next so many bytes of the file are no part of the history
//! ```
//!
//! Between annotations each byte of commands in the file is a byte of the history. So a file that was cut
//! off anywhere tells exactly how far its data goes, and what was written to it can be sent to a replica
//! once more: PING, PUBLISH and REPLCONF GETACK, which move the offset and are not kept, become empty lines of
//! the same length ([`super::aof::past`]), which a replica passes over.
//!
//! The road not taken: the offset beside each command. It would be ten bytes a command, and would say nothing
//! that counting does not.

use crate::base::number;

/// The name of a history: 40 hex digits.
pub type HistoryId = [u8; 40];

/// A history's name, if the word is one.
pub fn history(word: &[u8]) -> Option<HistoryId> {
    word.try_into().ok().filter(|id: &HistoryId| id.iter().all(u8::is_ascii_alphanumeric))
}

/// No history is longer: offsets are shown as signed numbers.
pub const LONGEST: u64 = i64::MAX as u64;

/// A point in a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub id: HistoryId,
    /// Bytes of it that have been.
    pub offset: u64,
}

/// What an annotation says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Here is that place.
    At(Place),
    /// So many bytes of the history are not in the file.
    Skip(u64),
    /// So many bytes of the file are not of the history.
    Local(u64),
}

impl Note {
    /// Reads an annotation's line; `None` for what says nothing of histories.
    pub fn parse(line: &[u8]) -> Option<Note> {
        let words = line.trim_ascii().strip_prefix(b"#REPL:")?;
        let split = words.iter().position(|&byte| byte == b':')?;
        let (kind, rest) = (&words[..split], &words[split + 1..]);
        match kind {
            b"AT" => {
                let split = rest.iter().position(|&byte| byte == b':')?;
                Some(Note::At(Place { id: history(&rest[..split])?, offset: count(&rest[split + 1..])? }))
            }
            b"SKIP" => count(rest).map(Note::Skip),
            b"LOCAL" => count(rest).map(Note::Local),
            _ => None,
        }
    }

    /// Appends the annotation's line.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Note::At(place) => {
                out.extend_from_slice(b"#REPL:AT:");
                out.extend_from_slice(&place.id);
                out.extend_from_slice(format!(":{}\r\n", place.offset).as_bytes());
            }
            Note::Skip(count) => out.extend_from_slice(format!("#REPL:SKIP:{count}\r\n").as_bytes()),
            Note::Local(count) => out.extend_from_slice(format!("#REPL:LOCAL:{count}\r\n").as_bytes()),
        }
    }
}

fn count(word: &[u8]) -> Option<u64> {
    number::parse_u64(word).filter(|&count| count <= LONGEST)
}

/// Keeps count while a file is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracker {
    /// Where in the history what was read ends; `None` before the file has said.
    pub place: Option<Place>,
    /// Names that the history has had in this file, oldest first, each with how far it is true.
    pub past: Vec<Place>,
    local: u64,
}

impl Tracker {
    /// One that begins in the midst of a file, at that place.
    pub fn at(place: Place) -> Tracker {
        Tracker { place: Some(place), past: Vec::new(), local: 0 }
    }

    /// An annotation was read. Gives how many bytes of the history it stands for.
    pub fn note(&mut self, note: Note) -> u64 {
        match note {
            Note::At(place) => {
                match self.place {
                    Some(before) if before.offset != place.offset => self.past.clear(),
                    Some(before) if before.id != place.id => self.past.push(before),
                    _ => {}
                }
                self.place = Some(place);
                self.local = 0;
                0
            }
            Note::Skip(count) => {
                self.advance(count);
                count
            }
            Note::Local(count) => {
                self.local = count;
                0
            }
        }
    }

    /// So many bytes of commands were read. Gives whether they are of the history.
    pub fn bytes(&mut self, count: u64) -> bool {
        if self.local > 0 {
            self.local = self.local.saturating_sub(count);
            return false;
        }
        self.advance(count);
        true
    }

    /// Whether what follows is of the history, as far as is known.
    pub fn is_in_history(&self) -> bool {
        self.local == 0
    }

    fn advance(&mut self, count: u64) {
        if let Some(place) = &mut self.place {
            place.offset = place.offset.saturating_add(count).min(LONGEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let place = Place { id: [b'a'; 40], offset: LONGEST };
        for note in [Note::At(place), Note::Skip(0), Note::Local(17)] {
            let mut line = Vec::new();
            note.write(&mut line);
            assert!(line.starts_with(b"#REPL:") && line.ends_with(b"\r\n"));
            assert_eq!(Note::parse(&line), Some(note));
        }
        for other in ["#", "#TS:1", "#REPL:", "#REPL:AT:", "#REPL:AT:abc:1", "#REPL:SKIP:-1", "#REPL:SKIP:x", "#REPL:WHAT:1"] {
            assert_eq!(Note::parse(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn the_count_follows_the_notes() {
        let at = |letter, offset| Place { id: [letter; 40], offset };
        let mut tracker = Tracker::default();
        assert!(tracker.bytes(5));
        assert_eq!(tracker.place, None);
        tracker.note(Note::At(at(b'a', 100)));
        tracker.bytes(7);
        assert_eq!(tracker.note(Note::Skip(14)), 14);
        tracker.note(Note::Local(6));
        assert!(!tracker.bytes(2) && !tracker.bytes(4) && tracker.bytes(1));
        assert_eq!(tracker.place, Some(at(b'a', 122)));
        tracker.note(Note::At(at(b'b', 122)));
        assert_eq!((tracker.past.clone(), tracker.place), (vec![at(b'a', 122)], Some(at(b'b', 122))));
        tracker.note(Note::At(at(b'c', 9)));
        assert!(tracker.past.is_empty());
    }
}
