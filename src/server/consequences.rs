//! What follows from a command, in this order: its propagation, doomed transactions, invalid caches,
//! keyspace events, and last the clients that waited for what it wrote, each of which is a command again.
//!
//! What goes to the append-only file and to replicas is gathered in one [`Feed`] over a turn. All that one
//! top-level command (a whole EXEC, a script) changed is one unit there: two commands or more stand
//! between MULTI and EXEC, so that nobody downstream sees half of it. This is the one place where SELECT,
//! MULTI and EXEC enter the stream.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::client::{ClientFlags, ClientKey};
use super::{Later, Server, State};
use crate::keyspace::effects::{Audience, Effects};
use crate::keyspace::{DbIndex, Keyspace};
use crate::limits;
use crate::persist::aof::Insertion;
use crate::resp::writer::write_command;

/// How the commands that are queued for propagation belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// All of them are one unit: the effects of one command.
    Together,
    /// Each is one of its own: keys that expired on their own.
    Apart,
}

/// The stream of changes, as it has grown since it was last taken. It is taken between units only.
#[derive(Default)]
pub struct Feed {
    bytes: Vec<u8>,
    /// Blocks are cut from this until nothing is left of it: many small ones are few allocations, and nothing is wasted.
    chunk: BytesMut,
    /// Bytes that were cut from chunks so far: as none is left before it is used up, one begins at each multiple of its size.
    cut: u64,
    replicas_only: Vec<Range<usize>>,
    file_only: Vec<Insertion>,
    hides_change: bool,
    selected: Option<DbIndex>,
}

/// What a feed has gathered.
pub struct Fed {
    /// The stream.
    pub bytes: Vec<u8>,
    /// The parts of it that are for replicas alone: the append-only file leaves them out (PUBLISH).
    pub replicas_only: Vec<Range<usize>>,
    /// What only the append-only file gets.
    pub file_only: Vec<Insertion>,
    /// Whether what is for replicas alone changes data.
    pub hides_change: bool,
}

impl Feed {
    /// Moves the queued commands into the stream.
    fn append(&mut self, effects: &mut Effects, grouping: Grouping) {
        let scattered = std::mem::take(&mut effects.scattered);
        let together = grouping == Grouping::Together && effects.propagated.len() > 1 && !scattered;
        if together {
            // outside, as Redis has it
            self.select(effects.propagated[0].db);
            self.word(b"MULTI");
        }
        let mut start = 0;
        for command in effects.propagated.drain(..) {
            let words = &effects.stream[start..command.end];
            start = command.end;
            if command.audience == Audience::File {
                self.insert(command.db, words);
                continue;
            }
            self.select(command.db);
            let from = self.bytes.len();
            self.bytes.extend_from_slice(words);
            if command.audience != Audience::All {
                self.replicas_only.push(from..self.bytes.len());
                self.hides_change |= command.audience == Audience::NotFile;
            }
        }
        if together {
            self.word(b"EXEC");
        }
        effects.stream.clear();
        if effects.stream.capacity() > limits::SPARE_STREAM {
            effects.stream = Vec::new();
        }
    }

    /// Adds a command for the append-only file alone, which is then back in the database that the stream has selected.
    #[cold]
    fn insert(&mut self, db: DbIndex, command: &[u8]) {
        let mut bytes = Vec::new();
        if self.selected != Some(db) {
            write_select(&mut bytes, db);
        }
        bytes.extend_from_slice(command);
        if let Some(selected) = self.selected.filter(|&selected| selected != db) {
            write_select(&mut bytes, selected);
        }
        self.file_only.push(Insertion { at: self.bytes.len(), bytes });
    }

    fn word(&mut self, word: &[u8]) {
        write_command(&mut self.bytes, 1, [word].into_iter());
    }

    fn select(&mut self, db: DbIndex) {
        if self.selected != Some(db) {
            self.selected = Some(db);
            write_select(&mut self.bytes, db);
        }
    }

    /// Bytes of memory that the stream takes until it is taken.
    pub fn buffered(&self) -> usize {
        self.bytes.capacity()
    }

    /// Bytes of chunks that are in use while the last `kept` of those that were cut are, beyond these.
    pub fn slack(&self, kept: u64) -> usize {
        // what `bytes` keeps beside a chunk that is shared: a vector, its first size, how many share it
        const HEADER: u64 = size_of::<[usize; 5]>() as u64;
        let chunk = limits::STREAM_CHUNK as u64;
        let kept = kept.min(self.cut);
        let chunks = self.cut.div_ceil(chunk) - (self.cut - kept) / chunk;
        usize::try_from(chunks * (chunk + HEADER) - kept).unwrap_or(usize::MAX)
    }

    /// Adds a command that belongs to no database, for replicas alone (PING).
    pub fn tell_replicas(&mut self, words: &[&[u8]]) {
        let from = self.bytes.len();
        write_command(&mut self.bytes, words.len(), words.iter().copied());
        self.replicas_only.push(from..self.bytes.len());
    }

    /// Bytes since it was last taken.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing has come since it was last taken.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.file_only.is_empty()
    }

    /// What has come since it was last taken.
    pub fn take(&mut self) -> Fed {
        Fed {
            bytes: std::mem::take(&mut self.bytes),
            replicas_only: std::mem::take(&mut self.replicas_only),
            file_only: std::mem::take(&mut self.file_only),
            hides_change: std::mem::take(&mut self.hides_change),
        }
    }

    /// Copies what was taken to the end of `blocks`, and keeps the buffer for what comes.
    pub fn cut(&mut self, mut taken: Vec<u8>, blocks: &mut VecDeque<Bytes>) {
        let mut rest = taken.as_slice();
        while !rest.is_empty() {
            if self.chunk.capacity() == 0 {
                self.chunk = BytesMut::with_capacity(limits::STREAM_CHUNK);
            }
            let (part, after) = rest.split_at(rest.len().min(self.chunk.capacity()));
            self.chunk.extend_from_slice(part);
            self.cut += part.len() as u64;
            blocks.push_back(self.chunk.split().freeze());
            rest = after;
        }
        if taken.capacity() <= limits::SPARE_STREAM && self.bytes.is_empty() {
            taken.clear();
            self.bytes = taken;
        }
    }

    /// The database that the stream has selected; 0 when the next command will say.
    pub fn selected(&self) -> DbIndex {
        self.selected.unwrap_or(DbIndex(0))
    }

    /// A new reader starts here (a new file, a replica that gets a snapshot): the next command says its
    /// database again.
    pub fn reselect(&mut self) {
        self.selected = None;
    }
}

fn write_select(bytes: &mut Vec<u8>, db: DbIndex) {
    let number = db.0.to_string();
    write_command(bytes, 2, [b"SELECT", number.as_bytes()].into_iter());
}

impl Server {
    /// Does what commands have left to be done, until nothing is left.
    #[inline]
    pub(crate) fn settle(&mut self) {
        if !self.keyspace.effects.is_empty() || !self.state.later.is_empty() || !self.state.parked.look_again.is_empty() {
            self.settle_consequences();
        }
        self.state.author = None;
    }

    #[cold]
    fn settle_consequences(&mut self) {
        self.conclude(Grouping::Together);
        for later in std::mem::take(&mut self.state.later) {
            match later {
                Later::Unblock(key, None) => self.end_wait(key),
                Later::Unblock(key, Some(error)) => self.end_wait_with(key, &error),
                Later::ReloadAof(client) => self.reload_aof(client),
                Later::Slept(micros) => self.move_time(micros),
            }
        }
        self.serve_ready();
    }

    /// Ends one unit of work: it goes into the feed, and all but the waiting clients are told.
    pub(super) fn conclude(&mut self, grouping: Grouping) {
        if !self.keyspace.effects.propagated.is_empty() {
            self.state.feed.append(&mut self.keyspace.effects, grouping);
            let offset = self.state.fed_offset();
            if let Some(author) = self.state.author.and_then(|author| self.state.clients.get_mut(author)) {
                author.wrote_to = offset;
            }
        }
        self.state.tell(&mut self.keyspace);
    }
}

impl State {
    /// Tells watchers, caches and subscribers what has changed so far. Within a transaction or a script
    /// this happens after each of its commands, so that messages come in the order of what they tell of.
    pub fn tell(&mut self, space: &mut Keyspace) {
        for watcher in space.effects.doomed.drain(..) {
            if self.migrations.touched(watcher) {
                continue;
            }
            let key = usize::try_from(watcher).ok().map(ClientKey);
            if let Some(client) = key.and_then(|key| self.clients.get_mut(key)) {
                client.flags.set(ClientFlags::DIRTY_CAS, true);
            }
        }
        for name in space.effects.invalidated.drain(..) {
            match name {
                Some(name) => self.invalidate(&name),
                None => self.invalidate_all(),
            }
        }
        for event in space.effects.events.drain(..) {
            self.publish_event(&event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_is_what_chunks_take_beyond_what_is_kept() {
        let (chunk, header) = (limits::STREAM_CHUNK, size_of::<[usize; 5]>());
        let mut feed = Feed::default();
        assert_eq!(feed.slack(0), 0);
        let mut blocks = VecDeque::new();
        feed.cut(vec![b'x'; 100], &mut blocks);
        assert_eq!(feed.slack(100), chunk + header - 100);
        assert_eq!(feed.slack(1_000_000), chunk + header - 100, "others' bytes are in no chunk of the feed");
        assert_eq!(feed.slack(0), chunk + header, "the next bytes go into it");
        feed.cut(vec![b'x'; chunk], &mut blocks);
        assert_eq!(blocks.iter().map(Bytes::len).collect::<Vec<usize>>(), [100, chunk - 100, 100]);
        assert_eq!(feed.slack(100), chunk + header - 100, "the first chunk is out of use");
        assert_eq!(feed.slack(101), 2 * (chunk + header) - 101, "a byte keeps all of its chunk");
        feed.cut(vec![b'x'; chunk - 100], &mut blocks);
        assert_eq!((feed.slack(0), feed.slack(1)), (0, chunk + header - 1));
    }
}
