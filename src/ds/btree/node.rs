//! The two kinds of node of a rank tree, and how two neighbours trade entries.
//!
//! A leaf is 1,024 bytes: its length, 63 scores, 63 members. The length and the scores fill exactly
//! eight cache lines, so a search that only compares scores touches nothing else. An inner node is
//! 2,048 bytes and holds for each child the first element below it, the link and the number of
//! elements below it.
//!
//! Searching a node counts the scores that are smaller, all of them, without a branch. It reads
//! more than a binary search does, but the reads do not depend on each other: the misses of a cold
//! leaf overlap and nothing is mispredicted.
//!
//! Nodes know nothing of the tree's height, so a child is an untyped link; the tree, which knows the
//! level it stands on, says which kind it is (the type parameter `N` of the methods on children).

use super::MemberBytes;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cmp::Ordering;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// Entries of a node of either kind.
pub(super) const CAPACITY: usize = 63;
/// A node below this many entries, the tree's root aside, is merged or refilled when something is
/// removed from it.
pub(super) const SPARSE: usize = CAPACITY * 3 / 7;
/// Two neighbours become one node when they hold this many together: short of a full node, so that
/// the next insertion does not split it again.
const MERGED: usize = CAPACITY - CAPACITY / 8;
/// A full node hands entries to a neighbour rather than split when the neighbour has this much room.
const WORTH_SHARING: usize = 8;

const _: () = assert!(SPARSE * 2 < MERGED, "two sparse neighbours must be able to merge");

/// A child of an inner node: a leaf or an inner node, as the level says. Null only in unused entries.
pub(super) type Link = *mut u8;

#[repr(C, align(64))]
pub(super) struct Leaf<M> {
    len: u16,
    scores: [f64; CAPACITY],
    members: [MaybeUninit<M>; CAPACITY],
}

#[repr(C, align(64))]
pub(super) struct Inner<M> {
    len: u16,
    /// Score of the first element below each child.
    scores: [f64; CAPACITY],
    /// Member of the first element below each child: always an element that is in the tree.
    members: [MaybeUninit<M>; CAPACITY],
    children: [Link; CAPACITY],
    /// Number of elements below each child.
    counts: [u64; CAPACITY],
}

/// What leaves and inner nodes have in common: a sorted run of keys, and trading with a neighbour.
///
/// # Safety
/// Zeroed memory must be a valid, empty node, and the first `len` members must be initialised.
pub(super) unsafe trait Node<M: MemberBytes>: Sized {
    fn len(&self) -> usize;
    fn scores(&self) -> &[f64];
    fn members(&self) -> &[M];
    /// Moves the last `n` entries of `left` to the front; returns the number of elements moved.
    fn take_from_left(&mut self, left: &mut Self, n: usize) -> u64;
    /// Moves the first `n` entries of `right` to the end; returns the number of elements moved.
    fn take_from_right(&mut self, right: &mut Self, n: usize) -> u64;

    fn first(&self) -> (f64, M) {
        (self.scores()[0], self.members()[0])
    }

    fn last(&self) -> (f64, M) {
        let last = self.len() - 1;
        (self.scores()[last], self.members()[last])
    }

    /// The number of keys before (score, bytes), and whether that very key follows them.
    fn seek(&self, score: f64, bytes: &[u8]) -> (usize, bool) {
        let scores = self.scores();
        let below = count_below(scores, score);
        if below == scores.len() || scores[below] != score {
            return (below, false);
        }
        let ties = count_through(&scores[below..], score);
        let members = &self.members()[below..below + ties];
        match search_ties(members, bytes) {
            Ok(at) => (below + at, true),
            Err(at) => (below + at, false),
        }
    }
}

/// How many of the sorted scores are smaller.
pub(super) fn count_below(scores: &[f64], score: f64) -> usize {
    scores.iter().map(|&each| usize::from(each < score)).sum()
}

/// How many of the sorted scores are smaller or equal.
pub(super) fn count_through(scores: &[f64], score: f64) -> usize {
    scores.iter().map(|&each| usize::from(each <= score)).sum()
}

/// Pieces into which a search among equal scores cuts what is left, each time.
const PIECES: usize = 8;

/// Where among sorted members these bytes are, or would be. Each look at a member is likely a cache
/// miss: so the members that the next three halvings may want are asked for at once.
fn search_ties<M: MemberBytes>(members: &[M], bytes: &[u8]) -> Result<usize, usize> {
    let (mut base, mut len) = (0, members.len());
    while len >= PIECES {
        let pivot = |piece: usize| base + piece * len / PIECES;
        for piece in 1..PIECES {
            members[pivot(piece)].prefetch();
        }
        let (mut low, mut high) = (0, PIECES);
        while high - low > 1 {
            let middle = low.midpoint(high);
            match members[pivot(middle)].bytes().cmp(bytes) {
                Ordering::Less => low = middle,
                Ordering::Equal => return Ok(pivot(middle)),
                Ordering::Greater => high = middle,
            }
        }
        (base, len) = (pivot(low), pivot(high) - pivot(low));
    }
    let rest = &members[base..base + len];
    rest.iter().for_each(M::prefetch);
    match rest.binary_search_by(|member| member.bytes().cmp(bytes)) {
        Ok(at) => Ok(base + at),
        Err(at) => Err(base + at),
    }
}

/// Whether the key (score, bytes) sorts before `other`.
pub(super) fn is_before<M: MemberBytes>(score: f64, bytes: &[u8], other: (f64, M)) -> bool {
    score < other.0 || (score == other.0 && bytes < other.1.bytes())
}

/// A new empty node.
pub(super) fn allocate<M: MemberBytes, N: Node<M>>() -> NonNull<N> {
    let layout = Layout::new::<N>();
    // SAFETY: the layout of a node is not of size zero.
    let memory = unsafe { alloc_zeroed(layout) }.cast::<N>();
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Frees one node, not what hangs below it.
///
/// # Safety
/// `node` came from `allocate::<M, N>` and is not used again.
pub(super) unsafe fn release<M: MemberBytes, N: Node<M>>(node: Link) {
    // SAFETY: by the contract it was allocated with this layout.
    unsafe { dealloc(node, Layout::new::<N>()) };
}

fn initialised<M>(members: &[MaybeUninit<M>]) -> &[M] {
    // SAFETY: callers pass the first `len` members of a node, which are initialised.
    unsafe { &*(std::ptr::from_ref(members) as *const [M]) }
}

fn length(len: usize) -> u16 {
    u16::try_from(len).expect("a node holds no more than its capacity")
}

fn insert_in<T: Copy>(array: &mut [T], len: usize, at: usize, item: T) {
    array.copy_within(at..len, at + 1);
    array[at] = item;
}

fn remove_in<T: Copy>(array: &mut [T], len: usize, at: usize, n: usize) {
    array.copy_within(at + n..len, at);
}

fn move_right<T: Copy>(left: &[T], right: &mut [T], right_len: usize, n: usize) {
    right.copy_within(..right_len, n);
    right[..n].copy_from_slice(&left[left.len() - n..]);
}

fn move_left<T: Copy>(left: &mut [T], left_len: usize, right: &mut [T], n: usize) {
    left[left_len..left_len + n].copy_from_slice(&right[..n]);
    right.copy_within(n.., 0);
}

// SAFETY: all-zero is an empty leaf; `insert` and the two trades initialise members before `len` counts them.
unsafe impl<M: MemberBytes> Node<M> for Leaf<M> {
    fn len(&self) -> usize {
        usize::from(self.len)
    }

    fn scores(&self) -> &[f64] {
        &self.scores[..self.len()]
    }

    fn members(&self) -> &[M] {
        initialised(&self.members[..self.len()])
    }

    fn take_from_left(&mut self, left: &mut Self, n: usize) -> u64 {
        let (l, r) = (left.len(), self.len());
        move_right(&left.scores[..l], &mut self.scores, r, n);
        move_right(&left.members[..l], &mut self.members, r, n);
        (left.len, self.len) = (length(l - n), length(r + n));
        n as u64
    }

    fn take_from_right(&mut self, right: &mut Self, n: usize) -> u64 {
        let (l, r) = (self.len(), right.len());
        move_left(&mut self.scores, l, &mut right.scores[..r], n);
        move_left(&mut self.members, l, &mut right.members[..r], n);
        (self.len, right.len) = (length(l + n), length(r - n));
        n as u64
    }
}

impl<M: MemberBytes> Leaf<M> {
    pub(super) fn insert(&mut self, at: usize, score: f64, member: M) {
        let len = self.len();
        insert_in(&mut self.scores, len, at, score);
        insert_in(&mut self.members, len, at, MaybeUninit::new(member));
        self.len = length(len + 1);
    }

    /// Removes `n` entries from `at` on.
    pub(super) fn remove(&mut self, at: usize, n: usize) {
        let len = self.len();
        remove_in(&mut self.scores, len, at, n);
        remove_in(&mut self.members, len, at, n);
        self.len = length(len - n);
    }

    pub(super) fn set(&mut self, at: usize, score: f64, member: M) {
        debug_assert!(at < self.len());
        self.scores[at] = score;
        self.members[at] = MaybeUninit::new(member);
    }

    pub(super) fn get(&self, at: usize) -> (f64, M) {
        (self.scores()[at], self.members()[at])
    }

    /// Fetches the members' half of a leaf while its scores are being searched.
    #[inline]
    pub(super) fn prefetch_members(leaf: *const Self) {
        let line = leaf.cast::<u8>();
        for offset in (size_of::<Self>() / 2..size_of::<Self>()).step_by(64) {
            crate::ds::line::prefetch(line.wrapping_add(offset));
        }
    }
}

// SAFETY: all-zero is an empty node; `insert_child` and the two trades initialise members before `len` counts them.
unsafe impl<M: MemberBytes> Node<M> for Inner<M> {
    fn len(&self) -> usize {
        usize::from(self.len)
    }

    fn scores(&self) -> &[f64] {
        &self.scores[..self.len()]
    }

    fn members(&self) -> &[M] {
        initialised(&self.members[..self.len()])
    }

    fn take_from_left(&mut self, left: &mut Self, n: usize) -> u64 {
        let (l, r) = (left.len(), self.len());
        let moved = left.counts[l - n..l].iter().sum();
        move_right(&left.scores[..l], &mut self.scores, r, n);
        move_right(&left.members[..l], &mut self.members, r, n);
        move_right(&left.children[..l], &mut self.children, r, n);
        move_right(&left.counts[..l], &mut self.counts, r, n);
        (left.len, self.len) = (length(l - n), length(r + n));
        moved
    }

    fn take_from_right(&mut self, right: &mut Self, n: usize) -> u64 {
        let (l, r) = (self.len(), right.len());
        let moved = right.counts[..n].iter().sum();
        move_left(&mut self.scores, l, &mut right.scores[..r], n);
        move_left(&mut self.members, l, &mut right.members[..r], n);
        move_left(&mut self.children, l, &mut right.children[..r], n);
        move_left(&mut self.counts, l, &mut right.counts[..r], n);
        (self.len, right.len) = (length(l + n), length(r - n));
        moved
    }
}

impl<M: MemberBytes> Inner<M> {
    pub(super) fn children(&self) -> &[Link] {
        &self.children[..self.len()]
    }

    pub(super) fn counts(&self) -> &[u64] {
        &self.counts[..self.len()]
    }

    pub(super) fn counts_mut(&mut self) -> &mut [u64] {
        let len = self.len();
        &mut self.counts[..len]
    }

    /// The number of elements before child `i`.
    pub(super) fn before(&self, i: usize) -> usize {
        self.counts()[..i].iter().sum::<u64>() as usize
    }

    /// The child below which the key is, or would be inserted.
    pub(super) fn child_for(&self, score: f64, bytes: &[u8]) -> usize {
        let (at, found) = self.seek(score, bytes);
        if found { at } else { at.saturating_sub(1) }
    }

    /// The child that holds the element of this rank below the node, and the rank below that child.
    pub(super) fn child_at(&self, rank: usize) -> (usize, usize) {
        let mut rank = rank as u64;
        for (i, &count) in self.counts().iter().enumerate() {
            if rank < count {
                return (i, rank as usize);
            }
            rank -= count;
        }
        unreachable!("a rank is checked against the length before the descent")
    }

    pub(super) fn insert_child(&mut self, at: usize, first: (f64, M), child: Link, count: u64) {
        let len = self.len();
        insert_in(&mut self.scores, len, at, first.0);
        insert_in(&mut self.members, len, at, MaybeUninit::new(first.1));
        insert_in(&mut self.children, len, at, child);
        insert_in(&mut self.counts, len, at, count);
        self.len = length(len + 1);
    }

    /// Forgets `n` children from `at` on; the caller has freed or moved them.
    pub(super) fn forget_children(&mut self, at: usize, n: usize) {
        let len = self.len();
        remove_in(&mut self.scores, len, at, n);
        remove_in(&mut self.members, len, at, n);
        remove_in(&mut self.children, len, at, n);
        remove_in(&mut self.counts, len, at, n);
        self.len = length(len - n);
    }

    pub(super) fn set_first(&mut self, i: usize, first: (f64, M)) {
        debug_assert!(i < self.len());
        self.scores[i] = first.0;
        self.members[i] = MaybeUninit::new(first.1);
    }

    /// Reads the separator of child `i` anew from the child, unless that is empty.
    ///
    /// # Safety
    /// The children are live nodes of kind `N`.
    pub(super) unsafe fn refresh_first<N: Node<M>>(&mut self, i: usize) {
        // SAFETY: by the contract; the reference does not outlive this function.
        let child = unsafe { &*self.children()[i].cast::<N>() };
        if child.len() > 0 {
            self.set_first(i, child.first());
        }
    }

    /// The number of entries of child `i`.
    ///
    /// # Safety
    /// The children are live nodes of kind `N`.
    pub(super) unsafe fn child_len<N: Node<M>>(&self, i: usize) -> usize {
        // SAFETY: by the contract; the reference does not outlive this function.
        unsafe { &*self.children()[i].cast::<N>() }.len()
    }

    /// Trades entries between children `i` and `i + 1` so that the left one ends with `keep`.
    ///
    /// # Safety
    /// The children are live nodes of kind `N`, referred to by nobody else during the call.
    unsafe fn trade<N: Node<M>>(&mut self, i: usize, keep: usize) {
        let (left, right) = (self.children()[i].cast::<N>(), self.children()[i + 1].cast::<N>());
        // SAFETY: by the contract; two entries of a node never hold the same child.
        let (left, right) = unsafe { (&mut *left, &mut *right) };
        if left.len() > keep {
            let n = left.len() - keep;
            let moved = right.take_from_left(left, n);
            self.counts[i] -= moved;
            self.counts[i + 1] += moved;
        } else {
            let n = keep - left.len();
            let moved = left.take_from_right(right, n);
            self.counts[i] += moved;
            self.counts[i + 1] -= moved;
        }
        // SAFETY: by the contract; the references above are no longer used.
        unsafe {
            self.refresh_first::<N>(i);
            self.refresh_first::<N>(i + 1);
        }
    }

    /// Gives the full child `i` room by trading with a neighbour; false if none has enough.
    ///
    /// # Safety
    /// As for `trade`.
    pub(super) unsafe fn share_with_neighbour<N: Node<M>>(&mut self, i: usize) -> bool {
        // SAFETY: by the contract of this function.
        unsafe {
            let Some((left, total)) = self.emptier_pair::<N>(i) else {
                return false;
            };
            let worth = total + WORTH_SHARING <= 2 * CAPACITY;
            if worth {
                self.trade::<N>(left, total / 2);
            }
            worth
        }
    }

    /// Splits the full child `i` in halves; `fresh` is the empty node that becomes the right one.
    ///
    /// # Safety
    /// As for `trade`; `fresh` is a new node of kind `N` and the node itself is not full.
    pub(super) unsafe fn split_child<N: Node<M>>(&mut self, i: usize, fresh: Link, keep: usize) {
        let placeholder = (self.scores()[i], self.members()[i]);
        self.insert_child(i + 1, placeholder, fresh, 0);
        // SAFETY: by the contract.
        unsafe { self.trade::<N>(i, keep) };
    }

    /// Child `i` with its emptier neighbour: the left one's index and the entries of both.
    ///
    /// # Safety
    /// The children are live nodes of kind `N`.
    unsafe fn emptier_pair<N: Node<M>>(&self, i: usize) -> Option<(usize, usize)> {
        // SAFETY: by the contract; both indices are checked.
        let len_of = |i: usize| unsafe { self.child_len::<N>(i) };
        let left = (i > 0).then(|| (i - 1, len_of(i - 1)));
        let right = (i + 1 < self.len()).then(|| (i, len_of(i + 1)));
        let (pair, len) = match (left, right) {
            (Some(left), Some(right)) => std::cmp::min_by_key(left, right, |side| side.1),
            (left, right) => left.or(right)?,
        };
        Some((pair, len + len_of(i)))
    }

    /// Mends the sparse child `i`: an empty one goes, another merges with or is refilled from its
    /// emptier neighbour. Nodes that were freed are added to `freed`. Returns the pair that was
    /// mended, its left index and where in the two nodes together their old border lies.
    ///
    /// # Safety
    /// As for `trade`.
    pub(super) unsafe fn mend_child<N: Node<M>>(&mut self, i: usize, freed: &mut usize) -> Option<Mended> {
        // SAFETY: by the contract of this function; a freed child is forgotten at once.
        unsafe {
            if self.child_len::<N>(i) == 0 {
                release::<M, N>(self.children()[i]);
                self.forget_children(i, 1);
                *freed += 1;
                return None;
            }
            let (left, total) = self.emptier_pair::<N>(i)?;
            let border = self.child_len::<N>(left);
            if total > MERGED {
                self.trade::<N>(left, total / 2);
                return Some(Mended { left, border });
            }
            self.trade::<N>(left, total);
            release::<M, N>(self.children()[left + 1]);
            self.forget_children(left + 1, 1);
            *freed += 1;
            Some(Mended { left, border })
        }
    }
}

/// Where two children were merged or levelled: `border` counts the entries that the left one had.
pub(super) struct Mended {
    pub(super) left: usize,
    pub(super) border: usize,
}
