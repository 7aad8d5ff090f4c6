//! The history that replicas follow: one stream of bytes, its names, and its last part in shared blocks.
//!
//! Every change is appended once, as one block of [`Bytes`]; the backlog and the outputs of all replicas
//! refer to that block, so another replica costs no copy. A server that follows a primary appends the
//! primary's bytes as they came, so the whole chain has one history, and whoever has seen the first n
//! bytes of it may go on from there at any other member.
//!
//! A history has a name, 40 hex digits. A server that is promoted, or that comes back and may have lost its
//! last words, starts a new one that shares its past with the old: it remembers the old name and up to
//! where that is true. Redis remembers one old name; here it is a few, so that somebody who was away during two
//! promotions still goes on. Offsets count bytes from the start of the history; `offset` of them have
//! been. As in Redis a reader names the byte that it wants next, and bytes are numbered from 1.
//!
//! Invariants: the blocks hold the bytes from `first` up to `offset` without a gap; the backlog keeps at
//! least `limit` bytes of the past, if there are as many, and everything from the byte on that a replica still waits
//! for ([`Stream::retain`]). What is needed no more goes a slice at a time.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits;
pub use crate::persist::place::HistoryId;
use crate::persist::place::Place;

/// What no history is called.
pub const NO_ID: HistoryId = [b'0'; 40];

/// Old names that are remembered.
const NAMES: usize = 16;

/// Parts that the backlog has at least, and the least size of one.
const PARTS: u64 = 16;
const LEAST_PART: usize = 16 * 1024;

/// The history. See the module's essay.
pub struct Stream {
    /// Its name.
    pub id: HistoryId,
    /// Names that its beginning had before, oldest first, each with how many bytes it is true for.
    past: Vec<Place>,
    /// Whether anybody else has been told its name.
    told: bool,
    /// Bytes that it has had so far.
    offset: u64,
    /// Whether its past is kept: there are replicas, or were until lately.
    active: bool,
    blocks: VecDeque<Bytes>,
    /// Bytes in `blocks`.
    held: u64,
    limit: u64,
    /// The number of the first byte that somebody waits for.
    retained: Option<u64>,
}

impl Stream {
    /// A history without a past.
    pub fn new(id: HistoryId, limit: u64) -> Stream {
        Stream { id, past: Vec::new(), told: false, offset: 0, active: false, blocks: VecDeque::new(), held: 0, limit, retained: None }
    }

    /// Bytes that it has had so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The name that it had last, and up to which number a byte that is asked for next belongs to that name
    /// as well; -1 for none.
    pub fn second(&self) -> (HistoryId, i64) {
        self.past.last().map_or((NO_ID, -1), |place| (place.id, i64::try_from(place.offset).unwrap_or(i64::MAX - 1) + 1))
    }

    /// Where it stands.
    pub fn place(&self) -> Place {
        Place { id: self.id, offset: self.offset }
    }

    /// Under which name to ask another for what follows. A name that nobody else has heard is of no use while
    /// all that it stands for is known by the one before.
    pub fn claim(&self) -> HistoryId {
        match self.past.last() {
            Some(last) if !self.told && last.offset == self.offset => last.id,
            _ => self.id,
        }
    }

    /// Somebody is told its name, or it is somebody's.
    pub fn tell(&mut self) {
        self.told = true;
    }

    /// Whether its past is kept.
    pub fn is_active(&self) -> bool {
        self.active
    }

    /// The number of the first byte that is kept; 0 if the past is not kept.
    pub fn first(&self) -> u64 {
        if self.active { self.offset - self.held + 1 } else { 0 }
    }

    /// Bytes that are kept.
    pub fn held(&self) -> u64 {
        self.held
    }

    /// Memory of the backlog.
    pub fn memory(&self) -> usize {
        usize::try_from(self.held).unwrap_or(usize::MAX).saturating_add(self.blocks.capacity() * size_of::<Bytes>())
    }

    /// Starts to keep what comes.
    pub fn activate(&mut self) {
        self.active = true;
    }

    /// Drops the past and keeps none.
    pub fn deactivate(&mut self) {
        self.active = false;
        self.blocks = VecDeque::new();
        self.held = 0;
    }

    /// Sets how many bytes to keep at least.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
        self.trim();
    }

    /// Appends a block.
    pub fn append(&mut self, block: Bytes) {
        let len = block.len() as u64;
        self.offset += len;
        if self.active && len > 0 {
            self.held += len;
            // a large block is forgotten in parts: who lacks more than the limit is not to be sent all of it again and again
            let part = usize::try_from(self.limit / PARTS).unwrap_or(usize::MAX).max(LEAST_PART);
            let mut rest = block;
            while rest.len() > part {
                self.blocks.push_back(rest.split_to(part));
            }
            self.blocks.push_back(rest);
            self.trim();
        }
    }

    /// Keeps everything from this byte on, whatever the limit; `None`: nobody waits any more.
    pub fn retain(&mut self, next: Option<u64>) {
        self.retained = next;
        self.trim();
    }

    /// Forgets a slice of what is needed no more.
    pub fn trim(&mut self) {
        for _ in 0..limits::TRIM_SLICE {
            let Some(oldest) = self.blocks.front() else { return };
            let len = oldest.len() as u64;
            let end = self.offset - self.held + len;
            if self.held - len < self.limit || self.retained.is_some_and(|next| next <= end) {
                return;
            }
            self.held -= len;
            self.blocks.pop_front();
        }
    }

    /// Whether a reader that knows the history under this name and wants byte `next` has a beginning of it.
    pub fn knows(&self, id: &[u8], next: i64) -> bool {
        let Ok(next) = u64::try_from(next) else { return false };
        let named = |place: &Place| place.id == id && next <= place.offset.saturating_add(1);
        next > 0 && self.active && next <= self.offset + 1 && (id == self.id || self.past.iter().any(named))
    }

    /// Whether the blocks hold what such a reader lacks.
    pub fn holds(&self, next: i64) -> bool {
        u64::try_from(next).is_ok_and(|next| self.active && next >= self.first())
    }

    /// The blocks from byte `next` on, which must be kept.
    pub fn since(&self, next: u64) -> impl Iterator<Item = Bytes> {
        assert!(next >= self.first() && next <= self.offset + 1, "the caller has asked `knows` and `holds`");
        let mut skip = next - self.first();
        self.blocks.iter().filter_map(move |block| {
            let len = block.len() as u64;
            if skip >= len {
                skip -= len;
                return None;
            }
            let from = usize::try_from(skip).expect("below the length of a block");
            skip = 0;
            Some(block.slice(from..))
        })
    }

    /// A new history with the same past: this server is promoted, or comes back.
    pub fn branch(&mut self, id: HistoryId) {
        if self.past.len() == NAMES {
            self.past.remove(0);
        }
        self.past.push(self.place());
        self.id = id;
        self.told = false;
    }

    /// The primary goes on under another name: ours is an old one from here on.
    pub fn rename(&mut self, id: HistoryId) {
        if id != self.id {
            self.branch(id);
        }
        self.told = true;
    }

    /// The history of data that was loaded: it stands at `place`, and had other names before.
    pub fn restore(&mut self, place: Place, past: Vec<Place>) {
        self.adopt(place.id, place.offset);
        let from = past.len().saturating_sub(NAMES);
        self.past.extend_from_slice(&past[from..]);
    }

    /// A new history: what anybody knew of the old one is worth nothing.
    pub fn restart(&mut self, id: HistoryId) {
        self.id = id;
        self.past = Vec::new();
        self.told = false;
    }

    /// Another history altogether, of which `offset` bytes have been and none are kept.
    pub fn adopt(&mut self, id: HistoryId, offset: u64) {
        self.restart(id);
        self.deactivate();
        self.offset = offset;
        self.active = true;
        self.told = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: &Stream, next: u64) -> Vec<u8> {
        stream.since(next).flat_map(|block| block.to_vec()).collect()
    }

    impl Stream {
        fn continues(&self, id: &[u8], next: i64) -> bool {
            self.knows(id, next) && self.holds(next)
        }
    }

    #[test]
    fn any_kept_byte_can_be_the_next() {
        let mut stream = Stream::new([b'a'; 40], 10);
        assert!(!stream.continues(&[b'a'; 40], 1));
        stream.append(Bytes::from_static(b"lost"));
        stream.activate();
        assert_eq!((stream.offset(), stream.first(), stream.held()), (4, 5, 0));
        let all = b"abcdefghijklmnopqrstuvwxyz";
        for chunk in all.chunks(3) {
            stream.append(Bytes::copy_from_slice(chunk));
        }
        assert_eq!(stream.offset(), 30);
        assert!((10..=12).contains(&stream.held()));
        for next in 0..40 {
            let kept = next >= stream.first() && next <= 31;
            assert_eq!(stream.continues(&[b'a'; 40], i64::try_from(next).expect("small")), kept, "{next}");
            if kept {
                assert_eq!(read(&stream, next), all[usize::try_from(next).expect("small") - 5..]);
            }
        }
        assert!(!stream.continues(&[b'a'; 40], -1) && !stream.continues(&[b'b'; 40], 31));
    }

    #[test]
    fn the_second_name_holds_up_to_the_promotion() {
        let (a, b) = ([b'a'; 40], [b'b'; 40]);
        let mut stream = Stream::new(a, 100);
        stream.activate();
        stream.append(Bytes::from_static(b"12345"));
        stream.branch(b);
        stream.append(Bytes::from_static(b"678"));
        assert!(stream.continues(&a, 6) && !stream.continues(&a, 7));
        assert!(stream.continues(&b, 6) && stream.continues(&b, 9) && !stream.continues(&b, 10));
        assert!(!stream.continues(&NO_ID, 1));
        stream.restart(a);
        assert!(!stream.continues(&b, 6));
    }
    #[test]
    fn a_name_that_nobody_has_heard_is_not_asked_for() {
        let (a, b, c) = ([b'a'; 40], [b'b'; 40], [b'c'; 40]);
        let mut stream = Stream::new(a, 100);
        stream.restore(Place { id: a, offset: 7 }, Vec::new());
        assert_eq!((stream.claim(), stream.second()), (a, (NO_ID, -1)));
        stream.branch(b);
        assert_eq!((stream.claim(), stream.second()), (a, (a, 8)));
        stream.append(Bytes::from_static(b"9"));
        assert_eq!(stream.claim(), b);
        stream.branch(c);
        stream.tell();
        assert_eq!(stream.claim(), c);
        assert!(stream.knows(&a, 8) && !stream.knows(&a, 9) && stream.knows(&b, 9) && !stream.knows(&b, 10));
        for letter in 0..NAMES {
            stream.branch([u8::try_from(letter).expect("small"); 40]);
        }
        assert!(!stream.knows(&a, 8) && stream.knows(&c, 9));
    }
}
