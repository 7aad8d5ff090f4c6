//! The large form: a table of members' blocks, and how many bytes these take.
#![allow(unsafe_code)]

use std::collections::HashSet;
use std::ptr::NonNull;

use super::PROBES;
use super::member::{Member, block_size, text_at};
use crate::base::random::Random;
use crate::ds::packed::Element;
use crate::ds::table::{self, KeyHasher, Part, Table};

/// A large set.
pub struct Large {
    table: Table<Member>,
    /// Bytes of the members' blocks.
    blocks: usize,
}

impl Large {
    pub(super) fn new(hasher: KeyHasher) -> Large {
        Large { table: Table::new(hasher), blocks: 0 }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of everything.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Large>() + self.table.bytes() + self.blocks
    }

    /// Asks the processor for a part of the way to what has that hash.
    #[inline]
    pub(in crate::types) fn prefetch(&self, hash: u64, part: Part) {
        self.table.prefetch(hash, part);
    }

    #[inline]
    pub(super) fn contains(&self, member: &[u8]) -> bool {
        self.table.find(self.table.hasher().hash(member), member).is_some()
    }

    /// Keeps those of up to [`PROBES`] members that are in this set. Their cache misses overlap.
    pub(super) fn retain_contained(&self, members: &mut Vec<Element<'_>>) {
        let mut hashes = [0; PROBES];
        for (hash, member) in hashes.iter_mut().zip(members.iter()) {
            *hash = self.table.hasher().hash(member.text(&mut [0; 21]));
            self.table.prefetch_bucket(*hash);
        }
        for hash in &hashes[..members.len()] {
            self.table.prefetch_block(*hash);
        }
        let mut hashes = hashes.iter();
        members.retain(|member| {
            let hash = hashes.next().expect("a hash for each member");
            self.table.find(*hash, member.text(&mut [0; 21])).is_some()
        });
    }

    /// Adds a member; says whether it was new.
    #[inline]
    pub(super) fn add(&mut self, member: &[u8]) -> bool {
        let hash = self.table.hasher().hash(member);
        let new = self.table.find(hash, member).is_none();
        if new {
            self.insert(hash, member);
        }
        new
    }

    /// Adds a member that is known not to be there.
    pub(super) fn add_new(&mut self, member: &[u8]) {
        self.insert(self.table.hasher().hash(member), member);
    }

    #[inline]
    fn insert(&mut self, hash: u64, member: &[u8]) {
        self.blocks += block_size(member.len());
        self.table.insert(hash, Member::new(member));
    }

    /// Takes a member out.
    pub(super) fn take(&mut self, member: &[u8]) -> Option<Member> {
        let taken = self.table.remove_key(self.table.hasher().hash(member), member)?;
        self.blocks -= block_size(taken.text().len());
        Some(taken)
    }

    /// Takes a member out that is drawn with equal chance among all.
    pub(super) fn take_random(&mut self, random: &mut Random) -> Option<Member> {
        let drawn = self.table.random(|bound| random.index(bound))?;
        // SAFETY: the block lives until it is dropped by the caller; removing only moves its address.
        let text = unsafe { text_at(drawn) };
        self.take(text)
    }

    /// A member drawn with equal chance among all.
    pub(super) fn random(&self, random: &mut Random) -> Option<&[u8]> {
        let drawn = self.table.random(|bound| random.index(bound))?;
        // SAFETY: the table owns the block, and is borrowed.
        Some(unsafe { text_at(drawn) })
    }

    /// So many different members, fewer than there are, any set of them with equal chance.
    pub(super) fn sample(&self, count: usize, random: &mut Random) -> Vec<&[u8]> {
        let mut drawn: HashSet<NonNull<u8>> = HashSet::with_capacity(count);
        let mut sample = Vec::with_capacity(count);
        while sample.len() < count {
            let raw = self.table.random(|bound| random.index(bound)).expect("more members than are wanted");
            if drawn.insert(raw) {
                // SAFETY: the table owns the block, and is borrowed.
                sample.push(unsafe { text_at(raw) });
            }
        }
        sample
    }

    pub(super) fn iter(&self) -> Texts<'_> {
        Texts(self.table.iter())
    }

    /// Visits the members of one step of a scan; gives the next cursor, 0 at the end.
    pub(super) fn scan<'s>(&'s self, cursor: u64, mut visit: impl FnMut(&'s [u8])) -> u64 {
        // SAFETY: the table owns the blocks, and is borrowed.
        self.table.scan(cursor, |raw| visit(unsafe { text_at(raw) }))
    }
}

/// Iterator over the members of a large set.
pub struct Texts<'a>(table::Iter<'a, Member>);

impl<'a> Iterator for Texts<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        // SAFETY: the table owns the blocks, and is borrowed.
        self.0.next().map(|raw| unsafe { text_at(raw) })
    }
}

impl Clone for Large {
    fn clone(&self) -> Large {
        let mut copy = Large::new(self.table.hasher());
        for member in self.iter() {
            copy.add_new(member);
        }
        copy
    }
}
