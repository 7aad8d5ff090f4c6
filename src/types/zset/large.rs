//! The large form: a table from member to block beside a tree that orders the same blocks.
//!
//! Invariants:
//! - the tree holds a handle to each block of the table, under the score that the block has, and no other;
//! - a block leaves the tree before it leaves the table, which frees it.
#![allow(unsafe_code)]

use std::ops::Range;

use super::member::{Handle, Member, block_size};
use crate::ds::btree::{self, RankTree};
use crate::ds::table::{KeyHasher, Part, Position, Table};

/// A large sorted set.
pub(super) struct Large {
    table: Table<Member>,
    pub(super) tree: RankTree<Handle>,
    /// Bytes of the members' blocks.
    blocks: usize,
}

/// What a search for a member found.
pub(super) struct Found {
    hash: u64,
    at: Option<(Position, Handle)>,
}

impl Large {
    pub(super) fn new(hasher: KeyHasher) -> Large {
        Large { table: Table::new(hasher), tree: RankTree::new(), blocks: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn hasher(&self) -> KeyHasher {
        self.table.hasher()
    }

    /// Bytes of everything.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Large>() + self.table.bytes() + self.tree.bytes_used() + self.blocks
    }

    /// Asks the processor for a part of the way to what has that hash.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64, part: Part) {
        self.table.prefetch(hash, part);
    }

    /// Looks a member up, for what follows with the same member.
    #[inline]
    pub(super) fn find(&self, member: &[u8]) -> Found {
        let hash = self.table.hasher().hash(member);
        let at = self.table.find(hash, member).map(|position| (position, Handle::new(self.table.raw(position))));
        Found { hash, at }
    }

    /// The score of a member that was just looked up.
    #[inline]
    pub(super) fn score_of(&self, found: &Found) -> Option<f64> {
        // SAFETY: the table owns the block.
        found.at.map(|(_, handle)| unsafe { handle.score() })
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.score_of(&self.find(member))
    }

    /// Gives a member that was just looked up a score; adds it if it is not there.
    pub(super) fn set(&mut self, found: &Found, member: &[u8], score: f64) {
        match found.at {
            Some((_, handle)) => {
                // SAFETY: the table owns the block.
                unsafe {
                    let moved = self.tree.update_score(handle.score(), handle.text(), score);
                    debug_assert!(moved, "the tree holds what the table holds");
                    handle.set_score(score);
                }
            }
            None => {
                let handle = self.add_block(found.hash, member, score);
                self.tree.insert(score, handle);
            }
        }
    }

    /// Adds a member that is not there and probably sorts after all others.
    pub(super) fn append(&mut self, member: &[u8], score: f64) {
        let handle = self.add_block(self.table.hasher().hash(member), member, score);
        self.tree.push(score, handle);
    }

    /// Adds a member to the table and not yet to the tree; `None` if it is there already.
    pub(super) fn add_aside(&mut self, member: &[u8], score: f64) -> Option<Handle> {
        let found = self.find(member);
        if found.at.is_some() { None } else { Some(self.add_block(found.hash, member, score)) }
    }

    fn add_block(&mut self, hash: u64, member: &[u8], score: f64) -> Handle {
        self.blocks += block_size(member.len());
        Handle::new(self.table.insert(hash, Member::new(member, score)))
    }

    /// Removes a member; gives its score.
    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let found = self.find(member);
        let (position, handle) = found.at?;
        // SAFETY: the table owns the block until the last line.
        let score = unsafe { handle.score() };
        let removed = self.tree.remove(score, member);
        debug_assert!(removed.is_some(), "the tree holds what the table holds");
        self.blocks -= block_size(member.len());
        drop(self.table.remove(found.hash, position));
        Some(score)
    }

    /// Removes the members of these ranks.
    pub(super) fn remove_ranks(&mut self, ranks: Range<usize>) -> usize {
        let (table, blocks) = (&mut self.table, &mut self.blocks);
        let mut removed = Vec::with_capacity(ranks.len());
        let count = self.tree.remove_range_by_rank(ranks.start, ranks.len(), |handle, _| removed.push(handle));
        for handle in removed {
            // SAFETY: the table owns the block until it is removed here.
            let text = unsafe { handle.text() };
            let hash = table.hasher().hash(text);
            *blocks -= block_size(text.len());
            drop(table.remove_key(hash, text).expect("the table holds what the tree holds"));
        }
        count
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.tree.rank_of(score, member).expect("the tree holds what the table holds"), score))
    }

    pub(super) fn get(&self, rank: usize) -> Option<(&[u8], f64)> {
        self.tree.get_by_rank(rank).map(|(score, handle)| (self.text(handle), score))
    }

    /// The bytes of a member of this set.
    fn text(&self, handle: Handle) -> &[u8] {
        // SAFETY: the table owns the block, and the set is borrowed.
        unsafe { handle.text() }
    }

    pub(super) fn iter_from(&self, rank: usize) -> Forward<'_> {
        Forward(self.tree.iter_from(rank))
    }

    pub(super) fn iter_back_from(&self, rank: usize) -> Backward<'_> {
        Backward(self.tree.iter_back_from(rank))
    }

    pub(super) fn scan(&self, cursor: u64, mut visit: impl FnMut(&[u8], f64)) -> u64 {
        self.table.scan(cursor, |raw| {
            let handle = Handle::new(raw);
            // SAFETY: the scan borrows the table, which owns the block.
            unsafe { visit(handle.text(), handle.score()) }
        })
    }
}

/// Members gathered in any order, each with a score that may be merged with another: what ZUNION and
/// its like work on. The tree is built once, at the end, from the sorted whole.
pub struct Gather {
    set: Large,
}

impl Gather {
    /// Nothing yet.
    pub fn new(hasher: KeyHasher) -> Gather {
        Gather { set: Large::new(hasher) }
    }

    /// Members gathered.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a member; `merge` gives its score from the one that it has, if it is there.
    pub fn put(&mut self, member: &[u8], merge: impl FnOnce(Option<f64>) -> f64) {
        let found = self.set.find(member);
        match found.at {
            // SAFETY: the table owns the block.
            Some((_, handle)) => unsafe { handle.set_score(merge(Some(handle.score()))) },
            None => {
                self.set.add_block(found.hash, member, merge(None));
            }
        }
    }

    /// Takes a member out again; gives whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        let found = self.set.find(member);
        let Some((position, _)) = found.at else { return false };
        self.set.blocks -= block_size(member.len());
        drop(self.set.table.remove(found.hash, position));
        true
    }

    /// The sorted set, in its large form; see [`super::Zset::compact`].
    pub fn finish(mut self) -> super::Zset {
        let mut members: Vec<(f64, Handle)> = self
            .set
            .table
            .iter()
            .map(|raw| {
                let handle = Handle::new(raw);
                // SAFETY: the table owns the block.
                (unsafe { handle.score() }, handle)
            })
            .collect();
        // SAFETY: the table owns the blocks.
        members.sort_unstable_by(|a, b| super::compare((a.0, unsafe { a.1.text() }), (b.0, unsafe { b.1.text() })));
        for (score, handle) in members {
            self.set.tree.push(score, handle);
        }
        super::Zset::Large(Box::new(self.set))
    }
}

/// Members in ascending order.
pub(super) struct Forward<'a>(btree::Iter<'a, Handle>);

impl<'a> Iterator for Forward<'a> {
    type Item = (&'a [u8], f64);
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (score, handle) = self.0.next()?;
        // SAFETY: the set, with its table, is borrowed for `'a`.
        Some((unsafe { handle.text() }, score))
    }
}

/// Members in descending order.
pub(super) struct Backward<'a>(btree::IterBack<'a, Handle>);

impl<'a> Iterator for Backward<'a> {
    type Item = (&'a [u8], f64);
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (score, handle) = self.0.next()?;
        // SAFETY: the set, with its table, is borrowed for `'a`.
        Some((unsafe { handle.text() }, score))
    }
}
