//! The entries of a stream: an index of blocks by the ID of each one's first entry, and what is known of
//! the whole.
//!
//! Invariants: `length` is the sum of the blocks' live entries; `first_id` is the first live entry's ID,
//! `0-0` without one; no entry's ID is above `last_id`; the index ascends. A block whose last live entry is
//! deleted by name goes. One that a trim by ID empties but for entries deleted before stays until the next
//! trim, as in Redis, so that both lay out the same stream in the same blocks.

use super::StreamId;
use super::block::{BadBlock, Entries};
use super::block::{Block, EntriesBack, Entry, Place};
use crate::ds::append::{AppendMap, Position};
use crate::ds::packed::MAX_BYTES;

/// When a block is full.
#[derive(Clone, Copy, Debug)]
pub struct BlockLimits {
    /// Bytes; 0 is no limit.
    pub bytes: u64,
    /// Entries, deleted ones included; 0 is no limit.
    pub entries: i64,
}

/// The entry is larger than a block may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Up to where a stream is trimmed from its front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// Until this many entries are left.
    Length(u64),
    /// Everything before this ID.
    Id(StreamId),
}

/// The entries of a stream.
#[derive(Clone, Default)]
pub struct Log {
    blocks: AppendMap<StreamId, Block>,
    length: u64,
    /// The ID of the newest entry ever, or what XSETID made of it.
    pub last_id: StreamId,
    /// The ID of the first entry there is, `0-0` for none.
    pub first_id: StreamId,
    /// The greatest ID that was deleted by name.
    pub max_deleted_id: StreamId,
    /// Entries ever added.
    pub entries_added: u64,
}

impl Log {
    /// Entries there are.
    #[inline]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The blocks with their IDs, in order: what a dump holds.
    pub fn blocks(&self) -> impl Iterator<Item = (StreamId, &Block)> {
        self.blocks.iter()
    }

    /// Number of blocks.
    pub fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// Bytes of the blocks and of their index; blocks beyond the first `samples` are taken to be like
    /// those. 0 looks at all.
    pub fn allocated(&self, samples: usize) -> usize {
        let count = self.blocks.len();
        let looked_at = if samples == 0 { count } else { samples.min(count) };
        let bytes: usize = self.blocks.iter().take(looked_at).map(|(_, block)| block.allocated()).sum();
        self.blocks.bytes() + bytes * count / looked_at.max(1)
    }

    /// Adds a block from a dump, behind all others. Its entries are counted; the caller then sets what else
    /// a dump says of the stream.
    pub fn push_block(&mut self, id: StreamId, bytes: &[u8]) -> Result<(), BadBlock> {
        let block = Block::from_bytes(id, bytes)?;
        let behind = match self.blocks.last() {
            None => true,
            Some(last) => self.blocks.value(last).last_id() < id,
        };
        if !behind {
            return Err(BadBlock);
        }
        self.length += block.live();
        self.blocks.push(id, block);
        Ok(())
    }

    /// Adds an entry whose ID is above `last_id`; `words` are its fields and values in turn.
    pub fn append<'a>(
        &mut self,
        id: StreamId,
        words: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        limits: BlockLimits,
    ) -> Result<(), TooLarge> {
        assert!(id > self.last_id, "the caller chooses an ID above all others");
        let bytes: usize = words.clone().map(<[u8]>::len).sum();
        match self.blocks.last().filter(|&at| !is_full(self.blocks.value(at), words.len(), bytes, limits)) {
            Some(at) => {
                let master = self.blocks.key(at);
                self.blocks.value_mut(at).append(master, id, words);
            }
            None => self.blocks.push(id, Block::starting_with(id, words).ok_or(TooLarge)?),
        }
        // a payload of RESTORE may claim any number
        self.entries_added = self.entries_added.saturating_add(1);
        self.last_id = id;
        self.length += 1;
        if self.length == 1 {
            self.first_id = id;
        }
        Ok(())
    }

    /// The entries from `start` to `end`, both included.
    pub fn range(&self, start: StreamId, end: StreamId) -> Range<'_> {
        let at = self.blocks.floor(start).or(self.blocks.first()).filter(|_| start <= end);
        Range { log: self, at, entries: at.map(|at| self.entries_at(at, start)), start, end }
    }

    /// The entries from `end` back to `start`, both included.
    pub fn range_back(&self, start: StreamId, end: StreamId) -> RangeBack<'_> {
        let at = self.blocks.floor(end).filter(|_| start <= end);
        RangeBack { log: self, at, entries: at.map(|at| self.entries_back_at(at, end)), start, end }
    }

    fn entries_at(&self, at: Position, from: StreamId) -> Entries<'_> {
        self.blocks.value(at).entries(self.blocks.key(at), from)
    }

    fn entries_back_at(&self, at: Position, to: StreamId) -> EntriesBack<'_> {
        self.blocks.value(at).entries_back(self.blocks.key(at), to)
    }

    /// Whether there is an entry of that ID.
    pub fn contains(&self, id: StreamId) -> bool {
        self.range(id, id).next().is_some()
    }

    /// The first entry.
    pub fn first(&self) -> Option<Entry<'_>> {
        self.range(StreamId::MIN, StreamId::MAX).next()
    }

    /// The last entry.
    pub fn last(&self) -> Option<Entry<'_>> {
        self.range_back(StreamId::MIN, StreamId::MAX).next()
    }

    /// Deletes an entry by name. Gives whether it was there.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let Some(at) = self.blocks.floor(id) else { return false };
        let found = self.entries_at(at, id).take_while(|entry| entry.id <= id).find(|entry| entry.id == id);
        let Some(place) = found.filter(|entry| !entry.is_deleted()).map(|entry| entry.place()) else { return false };
        self.delete_places(at, &[place]);
        self.max_deleted_id = self.max_deleted_id.max(id);
        if id == self.first_id || self.is_empty() {
            self.find_first_id();
        }
        true
    }

    /// Deletes entries of one block, and the block if no live entry is left. Gives the place of the next one.
    fn delete_places(&mut self, at: Position, places: &[Place]) -> Option<Position> {
        let gone = places.len() as u64;
        self.length -= gone;
        if self.blocks.value(at).live() == gone {
            return self.blocks.remove(at).1;
        }
        if gone > 0 {
            self.blocks.value_mut(at).delete(places);
        }
        self.blocks.next(at)
    }

    fn find_first_id(&mut self) {
        self.first_id = if self.is_empty() { StreamId::MIN } else { self.first().map_or(StreamId::MIN, |entry| entry.id) };
    }

    /// Removes entries from the front: whole blocks as long as they go whole, then single entries if the trim
    /// is exact. Gives how many went.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        self.trim_blocks(trim, |log, at, whole| {
            let live = log.blocks.value(at).live();
            if whole {
                log.length -= live;
                return (live, log.blocks.remove(at).1);
            }
            let places = log.trimmed_places(at, trim.threshold, |_| true);
            log.length -= places.len() as u64;
            if !places.is_empty() {
                log.blocks.value_mut(at).delete(&places);
            }
            (places.len() as u64, None)
        })
    }

    /// As [`Log::trim`], but an entry goes only if `may_go` says so, and those behind one that stays are
    /// asked, too.
    pub fn trim_if(&mut self, trim: Trim, mut may_go: impl FnMut(StreamId) -> bool) -> u64 {
        self.trim_blocks(trim, |log, at, _| {
            let places = log.trimmed_places(at, trim.threshold, &mut may_go);
            (places.len() as u64, log.delete_places(at, &places))
        })
    }

    /// Walks the blocks that a trim may touch. `remove` removes what goes of one, told whether all of it may,
    /// and gives how much that was and the block to go on with.
    fn trim_blocks(&mut self, trim: Trim, mut remove: impl FnMut(&mut Log, Position, bool) -> (u64, Option<Position>)) -> u64 {
        let mut removed = 0;
        let mut next = self.blocks.first();
        while let Some(at) = next {
            let (key, block) = (self.blocks.key(at), self.blocks.value(at));
            let live = block.live();
            let (done, whole) = match trim.threshold {
                Threshold::Length(most) => (self.length <= most, self.length.saturating_sub(live) >= most),
                Threshold::Id(id) => (key >= id, block.last_id() < id),
            };
            if done || trim.limit > 0 && removed + live > trim.limit || trim.whole_blocks && !whole {
                break;
            }
            let (gone, behind) = remove(self, at, whole);
            removed += gone;
            next = behind;
        }
        if removed > 0 || self.is_empty() {
            self.find_first_id();
        }
        removed
    }

    /// The places of the entries of a block that a trim would remove.
    fn trimmed_places(&self, at: Position, threshold: Threshold, mut may_go: impl FnMut(StreamId) -> bool) -> Vec<Place> {
        let mut places = Vec::new();
        for entry in self.entries_at(at, StreamId::MIN) {
            let stop = match threshold {
                Threshold::Length(most) => self.length - places.len() as u64 <= most,
                Threshold::Id(id) => entry.id >= id,
            };
            if stop {
                break;
            }
            if !entry.is_deleted() && may_go(entry.id) {
                places.push(entry.place());
            }
        }
        places
    }

    /// Nodes of the radix tree that Redis would keep the blocks in, for XINFO STREAM.
    pub fn radix_nodes(&self) -> usize {
        radix_nodes(self.blocks.iter().map(|(id, _)| id.to_bytes()))
    }
}

/// Whether a block takes no entry of `words` words with `bytes` bytes any more.
fn is_full(block: &Block, words: usize, bytes: usize, limits: BlockLimits) -> bool {
    let (used, entries) = block.fill();
    let most = usize::try_from(limits.bytes).ok().filter(|most| (1..=MAX_BYTES).contains(most)).unwrap_or(MAX_BYTES);
    used.saturating_add(bytes) >= most || limits.entries > 0 && entries >= limits.entries || !block.has_room_for(words, bytes)
}

/// Nodes of a path-compressed tree with these keys, which ascend: one for the end of each, one for each
/// fork, and one for each stretch of bytes between two of those.
fn radix_nodes(keys: impl Iterator<Item = [u8; 16]>) -> usize {
    let stretch = |above: i32, below: i32| usize::from(below > above + 1);
    let (mut nodes, mut forks, mut before): (usize, Vec<i32>, Option<[u8; 16]>) = (0, Vec::new(), None);
    // how long the prefix is that a key shares with the one before; less than nothing at either end
    let mut shared_before = -1;
    let mut keys = keys.peekable();
    if keys.peek().is_none() {
        return 1;
    }
    loop {
        let key = keys.next();
        let shared = match (before, key) {
            (None, _) => {
                before = key;
                continue;
            }
            (Some(before), Some(key)) => before.iter().zip(key).take_while(|(a, b)| **a == *b).count() as i32,
            (Some(_), None) => -1,
        };
        nodes += 1 + stretch(shared_before.max(shared), 16);
        while forks.last().is_some_and(|&fork| fork > shared) {
            let fork = forks.pop().expect("just seen");
            nodes += stretch(shared.max(forks.last().copied().unwrap_or(-1)), fork);
        }
        if shared >= 0 && forks.last() != Some(&shared) {
            forks.push(shared);
            nodes += 1;
        }
        if key.is_none() {
            return nodes;
        }
        (before, shared_before) = (key, shared);
    }
}

/// What a trim removes.
#[derive(Clone, Copy, Debug)]
pub struct Trim {
    /// Up to where.
    pub threshold: Threshold,
    /// Whether only whole blocks go (`~`).
    pub whole_blocks: bool,
    /// Most entries that go; 0 is no limit.
    pub limit: u64,
}

/// The entries of a range in order.
pub struct Range<'a> {
    log: &'a Log,
    at: Option<Position>,
    entries: Option<Entries<'a>>,
    start: StreamId,
    end: StreamId,
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let entries = self.entries.as_mut()?;
            for entry in entries {
                if entry.id > self.end {
                    self.entries = None;
                    return None;
                }
                if entry.id >= self.start && !entry.is_deleted() {
                    return Some(entry);
                }
            }
            self.at = self.log.blocks.next(self.at?);
            self.entries = self.at.map(|at| self.log.entries_at(at, self.start));
        }
    }
}

/// The entries of a range from its end back.
pub struct RangeBack<'a> {
    log: &'a Log,
    at: Option<Position>,
    entries: Option<EntriesBack<'a>>,
    start: StreamId,
    end: StreamId,
}

impl<'a> Iterator for RangeBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let entries = self.entries.as_mut()?;
            for entry in entries {
                if entry.id < self.start {
                    self.entries = None;
                    return None;
                }
                if entry.id <= self.end && !entry.is_deleted() {
                    return Some(entry);
                }
            }
            self.at = self.log.blocks.prev(self.at?);
            self.entries = self.at.map(|at| self.log.entries_back_at(at, self.end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_entries_added_ends_at_the_greatest_number() {
        let mut log = Log { entries_added: u64::MAX, ..Log::default() };
        let words: [&[u8]; 2] = [b"f", b"v"];
        log.append(StreamId { ms: 1, seq: 0 }, words.into_iter(), BlockLimits { bytes: 4096, entries: 100 }).expect("small");
        assert_eq!((log.len(), log.entries_added), (1, u64::MAX));
    }
}
