//! Sorted sets: members with a score each, ordered by score and then by bytes.
//!
//! A small one is one packed block of members and scores by turns ([`small`]), laid out as Redis dumps
//! it. Past either of two thresholds it becomes a table beside a tree ([`large`]), in which a member's
//! block ([`member`]) is stored once, and stays one.
//!
//! All ranges come down to ranks: by score or by member they are looked up as a range of ranks, and
//! then read, counted or removed by rank, in either direction.
//!
//! A score is never NaN; callers see to that.
#![allow(unsafe_code)]

mod arrive;
mod large;
mod member;
mod small;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::ops::Range;

pub use crate::ds::btree::{LexBound, ScoreBound};
pub use crate::ds::packed::Element;
pub use arrive::Arriving;
pub use large::Gather;

use super::{Kind, Stored, Type};
use crate::ds::packed::{Packed, SMALL_BYTES};
use crate::ds::table::{KeyHasher, Part};
use large::Large;

/// Up to where a sorted set stays small.
#[derive(Clone, Copy, Debug)]
pub struct Thresholds {
    /// Members.
    pub members: usize,
    /// Bytes of a member.
    pub bytes: usize,
}

/// A sorted set. See the module's essay.
pub enum Zset {
    /// One packed block.
    Small(Packed),
    /// A table beside a tree.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    Large(Box<Large>),
}

/// What became of a member in [`Zset::update`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    /// Its score before, if it was there.
    pub old: Option<f64>,
    /// Its score after, if it was to get one.
    pub new: Option<f64>,
}

/// The order of a sorted set.
fn compare(a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    a.0.partial_cmp(&b.0).expect("a score is a number").then_with(|| a.1.cmp(b.1))
}

impl Zset {
    /// Asks the processor for a part of the way to the member with that hash, if members are in a table.
    #[inline]
    pub(super) fn prefetch(&self, hash: u64, part: Part) {
        if let Zset::Large(large) = self {
            large.prefetch(hash, part);
        }
    }

    /// An empty set of the form in which `members` members of up to `bytes` bytes fit.
    pub fn new(members: usize, bytes: usize, thresholds: Thresholds, hasher: KeyHasher) -> Zset {
        if members <= thresholds.members && bytes <= thresholds.bytes {
            Zset::Small(Packed::new())
        } else {
            Zset::Large(Box::new(Large::new(hasher)))
        }
    }

    /// A set from the packed block of a dump: sorted pairs without repetition and of [`SMALL_BYTES`] at most, which the caller
    /// has checked.
    pub fn from_packed(packed: Packed) -> Zset {
        Zset::Small(packed)
    }

    /// The packed block of the small form.
    pub fn as_packed(&self) -> Option<&Packed> {
        match self {
            Zset::Small(packed) => Some(packed),
            Zset::Large(_) => None,
        }
    }

    /// What OBJECT ENCODING answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Zset::Small(_) => "listpack",
            Zset::Large(_) => "skiplist",
        }
    }

    /// Bytes taken from the allocator.
    pub fn bytes(&self) -> usize {
        match self {
            Zset::Small(packed) => packed.allocated(),
            Zset::Large(large) => large.bytes(),
        }
    }

    /// The score of a member.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Zset::Small(packed) => small::find(packed, member).map(|(_, score)| score),
            Zset::Large(large) => large.score(member),
        }
    }

    /// The rank of a member, from 0, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match self {
            Zset::Small(packed) => small::rank(packed, member),
            Zset::Large(large) => large.rank(member),
        }
    }

    /// The member of a rank.
    pub fn get(&self, rank: usize) -> Option<(Element<'_>, f64)> {
        match self {
            Zset::Small(packed) => small::iter_from(packed, rank).next(),
            Zset::Large(large) => large.get(rank).map(|(member, score)| (Element::Bytes(member), score)),
        }
    }

    /// Gives a member the score that `decide` makes of the one it has, if any; `None` leaves all as it is.
    /// An error of `decide` is passed on, and nothing has changed.
    pub fn update<E>(
        &mut self,
        member: &[u8],
        thresholds: Thresholds,
        hasher: KeyHasher,
        decide: impl FnOnce(Option<f64>) -> Result<Option<f64>, E>,
    ) -> Result<Change, E> {
        let change = |old, new: Option<f64>| Change { old, new };
        match self {
            Zset::Large(large) => {
                let found = large.find(member);
                let old = large.score_of(&found);
                let new = decide(old)?;
                if let Some(score) = new.filter(|_| new != old) {
                    large.set(&found, member, score);
                }
                Ok(change(old, new))
            }
            Zset::Small(packed) => {
                let found = small::find(packed, member);
                let old = found.map(|(_, score)| score);
                let new = decide(old)?;
                if let Some(score) = new.filter(|_| new != old) {
                    match found {
                        Some((place, _)) => {
                            small::remove(packed, place);
                            small::insert(packed, member, score);
                        }
                        None => self.insert(member, score, thresholds, hasher),
                    }
                }
                Ok(change(old, new))
            }
        }
    }

    /// Adds a member that is not there.
    pub fn insert(&mut self, member: &[u8], score: f64, thresholds: Thresholds, hasher: KeyHasher) {
        self.make_room(1, member.len(), thresholds, hasher);
        match self {
            Zset::Small(packed) => small::insert(packed, member, score),
            Zset::Large(large) => large.append(member, score),
        }
    }

    /// Takes on the large form if one more member of `bytes` bytes would be too much for the small.
    fn make_room(&mut self, members: usize, bytes: usize, thresholds: Thresholds, hasher: KeyHasher) {
        if let Zset::Small(packed) = self {
            let len = packed.len() / 2;
            if len + members > thresholds.members || bytes > thresholds.bytes || packed.bytes().saturating_add(bytes) > SMALL_BYTES {
                self.enlarge(hasher);
            }
        }
    }

    /// Takes on the large form.
    pub fn enlarge(&mut self, hasher: KeyHasher) {
        if let Zset::Small(packed) = self {
            let mut large = Large::new(hasher);
            for (member, score) in small::iter_from(packed, 0) {
                large.append(member.text(&mut [0; 21]), score);
            }
            *self = Zset::Large(Box::new(large));
        }
    }

    /// The set in its small form, if that may hold it.
    pub fn compact(self, thresholds: Thresholds) -> Zset {
        let Zset::Large(large) = &self else { return self };
        let fits = |(member, _): (&[u8], f64)| member.len() <= thresholds.bytes;
        if large.len() > thresholds.members || !large.iter_from(0).all(fits) {
            return self;
        }
        let mut packed = Packed::new();
        for (member, score) in large.iter_from(0) {
            if packed.bytes() + member.len() > SMALL_BYTES {
                return self;
            }
            small::insert(&mut packed, member, score);
        }
        Zset::Small(packed)
    }

    /// Removes a member; gives its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match self {
            Zset::Small(packed) => {
                let (place, score) = small::find(packed, member)?;
                small::remove(packed, place);
                Some(score)
            }
            Zset::Large(large) => large.remove(member),
        }
    }

    /// Removes the members of these ranks; gives how many there were.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) -> usize {
        match self {
            _ if ranks.is_empty() => 0,
            Zset::Small(packed) => small::remove_ranks(packed, ranks),
            Zset::Large(large) => large.remove_ranks(ranks),
        }
    }

    /// The ranks of the members whose scores lie between the bounds.
    pub fn ranks_by_score(&self, min: ScoreBound, max: ScoreBound) -> Range<usize> {
        match self {
            Zset::Small(packed) => small::ranks_by_score(packed, min, max),
            Zset::Large(large) => large.tree.ranks_by_score(min, max),
        }
    }

    /// The ranks of the members between the bounds, in a set whose scores are all the same.
    pub fn ranks_by_lex(&self, min: LexBound, max: LexBound) -> Range<usize> {
        match self {
            Zset::Small(packed) => small::ranks_by_lex(packed, min, max),
            Zset::Large(large) => large.tree.ranks_by_lex(min, max),
        }
    }

    /// All members, ascending.
    pub fn iter(&self) -> Iter<'_> {
        self.range(0..self.len())
    }

    /// The members of these ranks, ascending.
    pub fn range(&self, ranks: Range<usize>) -> Iter<'_> {
        let walk = match self {
            Zset::Small(packed) => Walk::Small(small::iter_from(packed, ranks.start)),
            Zset::Large(large) => Walk::Large(large.iter_from(ranks.start)),
        };
        Iter { walk, left: ranks.len() }
    }

    /// The members of these ranks, descending.
    pub fn range_back(&self, ranks: Range<usize>) -> Iter<'_> {
        let last = ranks.end.saturating_sub(1);
        let walk = match self {
            Zset::Small(packed) => Walk::SmallBack(small::iter_back_from(packed, last)),
            Zset::Large(large) => Walk::LargeBack(large.iter_back_from(last)),
        };
        Iter { walk, left: ranks.len() }
    }

    /// Visits the members of one step of a scan; gives the next cursor, 0 at the end.
    pub fn scan(&self, cursor: u64, mut visit: impl FnMut(Element, f64)) -> u64 {
        match self {
            Zset::Small(_) => {
                self.iter().for_each(|(member, score)| visit(member, score));
                0
            }
            Zset::Large(large) => large.scan(cursor, |member, score| visit(Element::Bytes(member), score)),
        }
    }
}

impl Clone for Zset {
    fn clone(&self) -> Zset {
        match self {
            Zset::Small(packed) => Zset::Small(packed.clone()),
            Zset::Large(large) => {
                let mut copy = Large::new(large.hasher());
                for (member, score) in large.iter_from(0) {
                    copy.append(member, score);
                }
                Zset::Large(Box::new(copy))
            }
        }
    }
}

// SAFETY: a packed block and a box are rebuilt from their own words.
unsafe impl Stored for Zset {
    const TYPE: Type = Type::Zset;

    #[inline]
    fn into_raw(self) -> (Kind, u64) {
        match self {
            Zset::Small(packed) => (Kind::ZsetPacked, packed.into_raw()),
            Zset::Large(large) => (Kind::ZsetTree, Box::into_raw(large) as u64),
        }
    }

    #[inline]
    unsafe fn from_raw(kind: Kind, payload: u64) -> Self {
        // SAFETY: the caller's promise.
        unsafe {
            if kind == Kind::ZsetPacked {
                Zset::Small(Packed::from_raw(payload))
            } else {
                debug_assert_eq!(kind, Kind::ZsetTree);
                Zset::Large(Box::from_raw(payload as *mut Large))
            }
        }
    }

    fn len(&self) -> usize {
        match self {
            Zset::Small(packed) => packed.len() / 2,
            Zset::Large(large) => large.len(),
        }
    }
}

enum Walk<'a> {
    Small(small::Ascending<'a>),
    SmallBack(small::Descending<'a>),
    Large(large::Forward<'a>),
    LargeBack(large::Backward<'a>),
}

/// Members with their scores, in either direction.
pub struct Iter<'a> {
    walk: Walk<'a>,
    left: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let bytes = |(member, score)| (Element::Bytes(member), score);
        match &mut self.walk {
            Walk::Small(walk) => walk.next(),
            Walk::SmallBack(walk) => walk.next(),
            Walk::Large(walk) => walk.next().map(bytes),
            Walk::LargeBack(walk) => walk.next().map(bytes),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Iter<'_> {}
