//! The ordered half of a sorted set: a B+tree over (score, member bytes) that knows ranks.
//!
//! A member is an eight-byte handle to bytes that the caller owns (the hash table that maps members
//! to scores): it is stored once, and this tree only orders the handles. Scores lie inline in the
//! leaves and separators, so members are looked at only where scores are equal.
//!
//! Invariants, checked by `check` in the tests:
//! - All leaves are at the same depth. `height` is the number of inner nodes above a leaf.
//! - An inner node knows for each child, the first one included, the first element below it
//!   (score and handle) and the number of elements below it. Both are exact after each operation.
//!   So a separator never names an element that has been removed, and never a handle whose block the
//!   caller has freed: the road not taken is the usual B+tree, where any old key may separate.
//! - No node but an empty tree's root is empty. Fill is a matter of economy, not of correctness:
//!   nodes on the two edges may be almost empty, since appending to a full last leaf opens a new one
//!   and leaves the old one full.
//!
//! A full node first hands entries to a neighbour and splits only when both are nearly full, which
//! keeps random loads above three quarters. Insertion works downwards: each full node it meets is
//! given room before it is entered, while its parent certainly has some; so there is no way back up.
//! Removal notes its path and mends upwards, since only at the leaf is it known whether there is
//! anything to remove.
//!
//! Leaves have no links to their neighbours: an iterator that comes to the end of a leaf descends
//! again by rank. That costs a few nanoseconds every fifty elements, and saves 16 bytes a leaf and
//! the care for the links.
//!
//! The owner must not free a member's bytes while its handle is in the tree, must not insert what is
//! there, and must not insert NaN. -0.0 and 0.0 are the same score.

mod node;
#[cfg(test)]
mod tests;

use node::{CAPACITY, Inner, Leaf, Link, Mended, Node, SPARSE};
use node::{allocate, count_below, count_through, is_before, release};
use std::cmp::Ordering;
use std::marker::PhantomData;
use std::ops::Range;

/// A handle to a member's bytes, which outlive the handle's stay in the tree.
pub trait MemberBytes: Copy {
    /// The bytes that order members of equal score.
    fn bytes(&self) -> &[u8];

    /// Asks the processor to fetch the bytes: called by iterators a few elements ahead, and by searches
    /// among equal scores.
    #[inline]
    fn prefetch(&self) {}
}

/// One end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScoreBound {
    /// The score itself is in the range.
    Inclusive(f64),
    /// The range ends just short of the score.
    Exclusive(f64),
}

/// One end of a range of members of equal score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before every member.
    Min,
    /// After every member.
    Max,
    /// The member itself is in the range.
    Inclusive(&'a [u8]),
    /// The range ends just short of the member.
    Exclusive(&'a [u8]),
}

/// More levels than a tree of 2^64 elements can have.
const MAX_HEIGHT: usize = 24;
/// How many elements ahead an iterator asks for members.
const AHEAD: usize = 6;

/// Elements ordered by score, then by member bytes, found by key or by rank in O(log n).
pub struct RankTree<M: MemberBytes> {
    /// Null when the tree is empty.
    root: Link,
    height: usize,
    len: usize,
    leaves: usize,
    inners: usize,
    owns: PhantomData<M>,
}

// SAFETY: the tree owns its nodes, and its handles may move to another thread when `M` may.
unsafe impl<M: MemberBytes + Send> Send for RankTree<M> {}

/// The way from the root to an element: each inner node with the index of the child taken.
struct Path<M> {
    steps: [(*mut Inner<M>, usize); MAX_HEIGHT],
    leaf: *mut Leaf<M>,
    at: usize,
}

impl<M: MemberBytes> Default for RankTree<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: MemberBytes> RankTree<M> {
    /// An empty tree; allocates nothing.
    pub const fn new() -> Self {
        assert!(size_of::<M>() == 8, "a member is a handle of eight bytes");
        let root = std::ptr::null_mut();
        Self { root, height: 0, len: 0, leaves: 0, inners: 0, owns: PhantomData }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of all nodes, without what the allocator adds.
    pub fn bytes_used(&self) -> usize {
        self.leaves * size_of::<Leaf<M>>() + self.inners * size_of::<Inner<M>>()
    }

    /// Adds an element that is not in the tree.
    pub fn insert(&mut self, score: f64, member: M) {
        let bytes = member.bytes();
        self.insert_where(
            score,
            member,
            |inner| inner.child_for(score, bytes),
            |leaf| {
                let (at, found) = leaf.seek(score, bytes);
                debug_assert!(!found, "the caller inserts only what is absent");
                at
            },
        );
    }

    /// Adds an element that probably sorts after all others: then nothing is searched. Otherwise the
    /// same as `insert`.
    pub fn push(&mut self, score: f64, member: M) {
        match self.last() {
            Some(last) if is_before(score, member.bytes(), last) => self.insert(score, member),
            _ => self.insert_where(score, member, |inner| inner.len() - 1, Leaf::len),
        }
    }

    /// Removes the element and returns its handle.
    pub fn remove(&mut self, score: f64, bytes: &[u8]) -> Option<M> {
        let path = self.path_to_key(score, bytes)?;
        Some(self.remove_at(&path).1)
    }

    /// Gives an element a new score; false if it is not there. It stays where it is when the order
    /// allows, and is removed and inserted again otherwise.
    pub fn update_score(&mut self, score: f64, bytes: &[u8], new_score: f64) -> bool {
        assert!(!new_score.is_nan(), "a score is a number");
        let Some(path) = self.path_to_key(score, bytes) else {
            return false;
        };
        if self.may_stay(&path, new_score, bytes) {
            // SAFETY: a path leads to live nodes, and nothing else refers to them.
            let member = unsafe { (*path.leaf).get(path.at).1 };
            self.set_at(&path, new_score, member);
        } else {
            let (_, member) = self.remove_at(&path);
            self.insert(new_score, member);
        }
        true
    }

    /// The number of elements before this one, if it is in the tree.
    pub fn rank_of(&self, score: f64, bytes: &[u8]) -> Option<usize> {
        let mut rank = 0;
        let leaf = self.descend(|inner| {
            let child = inner.child_for(score, bytes);
            rank += inner.before(child);
            child
        })?;
        let (at, found) = leaf.seek(score, bytes);
        found.then_some(rank + at)
    }

    /// The element of this rank, counted from 0.
    pub fn get_by_rank(&self, rank: usize) -> Option<(f64, M)> {
        let (leaf, at) = self.locate(rank)?;
        Some(leaf.get(at))
    }

    /// The last element.
    fn last(&self) -> Option<(f64, M)> {
        Some(self.descend(|inner| inner.len() - 1)?.last())
    }

    /// The ranks of the elements whose scores lie between the bounds; empty if none do.
    pub fn ranks_by_score(&self, min: ScoreBound, max: ScoreBound) -> Range<usize> {
        let start = match min {
            ScoreBound::Inclusive(score) => self.rank_below(score),
            ScoreBound::Exclusive(score) => self.rank_through(score),
        };
        let end = match max {
            ScoreBound::Inclusive(score) => self.rank_through(score),
            ScoreBound::Exclusive(score) => self.rank_below(score),
        };
        start..end.max(start)
    }

    /// The ranks of the elements whose members lie between the bounds; empty if none do. Meaningful
    /// when all scores are equal; otherwise the range is a valid one but says nothing.
    pub fn ranks_by_lex(&self, min: LexBound, max: LexBound) -> Range<usize> {
        let start = match min {
            LexBound::Min => 0,
            LexBound::Max => self.len,
            LexBound::Inclusive(bytes) => self.rank_of_member(|member| member < bytes),
            LexBound::Exclusive(bytes) => self.rank_of_member(|member| member <= bytes),
        };
        let end = match max {
            LexBound::Min => 0,
            LexBound::Max => self.len,
            LexBound::Inclusive(bytes) => self.rank_of_member(|member| member <= bytes),
            LexBound::Exclusive(bytes) => self.rank_of_member(|member| member < bytes),
        };
        start..end.max(start)
    }

    /// The number of elements with a smaller score: the rank where scores from `score` on begin.
    pub fn rank_below(&self, score: f64) -> usize {
        self.rank_where(|scores, _| count_below(scores, score))
    }

    /// The number of elements with this or a smaller score.
    pub fn rank_through(&self, score: f64) -> usize {
        self.rank_where(|scores, _| count_through(scores, score))
    }

    /// The elements from this rank on, ascending.
    pub fn iter_from(&self, rank: usize) -> Iter<'_, M> {
        Iter { tree: self, leaf: &[], members: &[], at: 0, rank }
    }

    /// The elements from this rank down to the first, descending; from the last if there are fewer.
    pub fn iter_back_from(&self, rank: usize) -> IterBack<'_, M> {
        let left = self.len.min(rank.saturating_add(1));
        IterBack { tree: self, leaf: &[], members: &[], at: 0, left }
    }

    /// Removes `count` elements, or as many as there are, from rank `start` on, and returns how many.
    /// Each is first handed to `removed`, in order, which may free it. Whole subtrees go at once:
    /// the cost is that of visiting the elements.
    pub fn remove_range_by_rank(&mut self, start: usize, count: usize, mut removed: impl FnMut(M, f64)) -> usize {
        let count = count.min(self.len.saturating_sub(start));
        for (score, member) in self.iter_from(start).take(count) {
            removed(member, score);
        }
        if count == self.len {
            self.clear();
        } else if count > 0 {
            // SAFETY: the root is a live node of this height, and start + count is within its length.
            unsafe { self.cut(self.root, self.height, start, count) };
            self.len -= count;
            self.lower_root();
        }
        count
    }

    /// Removes all elements. Only nodes are freed; the members are the caller's.
    pub fn clear(&mut self) {
        if !self.root.is_null() {
            // SAFETY: the root is a live node of this height and is forgotten below.
            unsafe { self.free(self.root, self.height) };
        }
        debug_assert!(self.leaves == 0 && self.inners == 0);
        (self.root, self.height, self.len) = (std::ptr::null_mut(), 0, 0);
    }

    // Descending.

    /// The leaf reached by taking the child that `child_of` names in each inner node.
    #[inline]
    fn descend(&self, mut child_of: impl FnMut(&Inner<M>) -> usize) -> Option<&Leaf<M>> {
        let mut node = self.root;
        if node.is_null() {
            return None;
        }
        for _ in 0..self.height {
            // SAFETY: there are `height` live inner nodes above a leaf.
            let inner = unsafe { &*node.cast::<Inner<M>>() };
            node = inner.children()[child_of(inner)];
        }
        // SAFETY: below `height` inner nodes is a live leaf; `self` is borrowed as long as it is.
        Some(unsafe { &*node.cast::<Leaf<M>>() })
    }

    fn locate(&self, rank: usize) -> Option<(&Leaf<M>, usize)> {
        if rank >= self.len {
            return None;
        }
        let mut rest = rank;
        let leaf = self.descend(|inner| {
            let (child, below) = inner.child_at(rest);
            rest = below;
            child
        })?;
        Some((leaf, rest))
    }

    /// The number of elements for which a condition holds that holds for a prefix of the order;
    /// `count` says for how many of a node's keys it does.
    fn rank_where(&self, count: impl Fn(&[f64], &[M]) -> usize) -> usize {
        let mut rank = 0;
        let leaf = self.descend(|inner| {
            let child = count(inner.scores(), inner.members()).saturating_sub(1);
            rank += inner.before(child);
            child
        });
        rank + leaf.map_or(0, |leaf| count(leaf.scores(), leaf.members()))
    }

    fn rank_of_member(&self, holds: impl Fn(&[u8]) -> bool) -> usize {
        self.rank_where(|_, members| members.partition_point(|member| holds(member.bytes())))
    }

    fn path_to(&self, mut child_of: impl FnMut(&Inner<M>) -> usize, position: impl FnOnce(&Leaf<M>) -> Option<usize>) -> Option<Path<M>> {
        let mut steps = [(std::ptr::null_mut(), 0); MAX_HEIGHT];
        let mut node = self.root;
        if node.is_null() {
            return None;
        }
        for step in &mut steps[..self.height] {
            let inner = node.cast::<Inner<M>>();
            // SAFETY: there are `height` live inner nodes above a leaf.
            let children = unsafe { &*inner };
            let child = child_of(children);
            *step = (inner, child);
            node = children.children()[child];
        }
        let leaf = node.cast::<Leaf<M>>();
        // SAFETY: below `height` inner nodes is a live leaf.
        let at = position(unsafe { &*leaf })?;
        Some(Path { steps, leaf, at })
    }

    fn path_to_key(&self, score: f64, bytes: &[u8]) -> Option<Path<M>> {
        self.path_to(
            |inner| inner.child_for(score, bytes),
            |leaf| {
                let (at, found) = leaf.seek(score, bytes);
                found.then_some(at)
            },
        )
    }

    // Inserting.

    fn insert_where(&mut self, score: f64, member: M, child_of: impl Fn(&Inner<M>) -> usize, position: impl FnOnce(&Leaf<M>) -> usize) {
        assert!(!score.is_nan(), "a score is a number");
        self.raise_full_root();
        let mut node = self.root;
        let mut edges = Edges { left: true, right: true };
        for level in (0..self.height).rev() {
            // SAFETY: there are `height` live inner nodes above a leaf, and only `node` is referred to.
            let inner = unsafe { &mut *node.cast::<Inner<M>>() };
            let mut child = child_of(inner);
            // SAFETY: `level` is the children's.
            if unsafe { child_len(inner, child, level) } == CAPACITY {
                let edges = edges.below(inner, child);
                // SAFETY: as above, and `inner` is not full, since that was seen to one level higher.
                unsafe { self.make_room(inner, child, level, edges, (score, member)) };
                child = child_of(inner);
            }
            edges = edges.below(inner, child);
            inner.counts_mut()[child] += 1;
            if edges.left && is_before(score, member.bytes(), (inner.scores()[0], inner.members()[0])) {
                inner.set_first(0, (score, member));
            }
            node = inner.children()[child];
        }
        Leaf::prefetch_members(node.cast::<Leaf<M>>());
        // SAFETY: below `height` inner nodes is a live leaf.
        let leaf = unsafe { &mut *node.cast::<Leaf<M>>() };
        let at = position(leaf);
        leaf.insert(at, score, member);
        self.len += 1;
    }

    /// Sees to it that there is a root and that it is not full, by putting a new one above it.
    fn raise_full_root(&mut self) {
        if self.root.is_null() {
            self.root = self.new_leaf();
            return;
        }
        // SAFETY: the root is a live node of kind `Leaf` at height 0, else `Inner`.
        let (len, first) = unsafe {
            if self.height == 0 {
                let root = &*self.root.cast::<Leaf<M>>();
                (root.len(), root.first())
            } else {
                let root = &*self.root.cast::<Inner<M>>();
                (root.len(), root.first())
            }
        };
        if len < CAPACITY {
            return;
        }
        assert!(self.height + 1 < MAX_HEIGHT, "nodes are too full for a tree as high as this");
        let raised = self.new_inner();
        // SAFETY: `raised` was allocated just now.
        unsafe { &mut *raised.cast::<Inner<M>>() }.insert_child(0, first, self.root, self.len as u64);
        self.root = raised;
        self.height += 1;
    }

    /// Gives the full child `i`, on `level`, room for a new key, which may then belong to another child.
    ///
    /// # Safety
    /// `inner` is live, not full, its children are nodes of `level`, and nothing else refers to them.
    unsafe fn make_room(&mut self, inner: &mut Inner<M>, i: usize, level: usize, edges: Edges, key: (f64, M)) {
        // SAFETY: by the contract of this function.
        unsafe {
            if level == 0 {
                let outside = edges.beyond(&*inner.children()[i].cast::<Leaf<M>>(), key);
                if let Some(side) = outside {
                    // The new element opens a leaf of its own; the full one stays full.
                    let fresh = self.new_leaf();
                    inner.insert_child(i + side.offset(), key, fresh, 0);
                } else if !inner.share_with_neighbour::<Leaf<M>>(i) {
                    let fresh = self.new_leaf();
                    inner.split_child::<Leaf<M>>(i, fresh, CAPACITY / 2);
                }
                return;
            }
            let outside = edges.beyond(&*inner.children()[i].cast::<Inner<M>>(), key);
            if outside.is_none() && inner.share_with_neighbour::<Inner<M>>(i) {
                return;
            }
            let fresh = self.new_inner();
            let keep = match outside {
                Some(Side::Right) => CAPACITY - 1,
                Some(Side::Left) => 1,
                None => CAPACITY / 2,
            };
            inner.split_child::<Inner<M>>(i, fresh, keep);
        }
    }

    fn new_leaf(&mut self) -> Link {
        self.leaves += 1;
        allocate::<M, Leaf<M>>().cast().as_ptr()
    }

    fn new_inner(&mut self) -> Link {
        self.inners += 1;
        allocate::<M, Inner<M>>().cast().as_ptr()
    }

    // Changing and removing in place.

    /// Whether the element at the end of the path may take the new score without passing a neighbour.
    fn may_stay(&self, path: &Path<M>, score: f64, bytes: &[u8]) -> bool {
        // SAFETY: a path leads to live nodes.
        let leaf = unsafe { &*path.leaf };
        let steps = &path.steps[..self.height];
        let after_previous = if path.at > 0 {
            !is_before(score, bytes, leaf.get(path.at - 1))
        } else {
            // The previous leaf is not at hand: only a rise, or the tree's first, stays for sure.
            score >= leaf.get(0).0 || steps.iter().all(|&(_, child)| child == 0)
        };
        let next = if path.at + 1 < leaf.len() {
            Some(leaf.get(path.at + 1))
        } else {
            steps.iter().rev().find_map(|&(inner, child)| {
                // SAFETY: as above.
                let inner = unsafe { &*inner };
                let next = child + 1;
                (next < inner.len()).then(|| (inner.scores()[next], inner.members()[next]))
            })
        };
        after_previous && next.is_none_or(|next| is_before(score, bytes, next))
    }

    fn set_at(&mut self, path: &Path<M>, score: f64, member: M) {
        // SAFETY: a path leads to live nodes, and each reference ends before the next begins.
        unsafe {
            (*path.leaf).set(path.at, score, member);
            for level in 0..self.height {
                let (inner, child) = path.steps[self.height - 1 - level];
                refresh_first(&mut *inner, child, level);
            }
        }
    }

    fn remove_at(&mut self, path: &Path<M>) -> (f64, M) {
        // SAFETY: a path leads to live nodes, and each reference ends before the next begins.
        unsafe {
            let element = (*path.leaf).get(path.at);
            (*path.leaf).remove(path.at, 1);
            self.len -= 1;
            for level in 0..self.height {
                let (inner, child) = path.steps[self.height - 1 - level];
                let inner = &mut *inner;
                inner.counts_mut()[child] -= 1;
                refresh_first(inner, child, level);
                if child_len(inner, child, level) < SPARSE {
                    self.mend(inner, child, level);
                }
            }
            if self.len == 0 {
                self.clear();
            } else {
                self.lower_root();
            }
            element
        }
    }

    /// Merges or refills the sparse child `i` on `level`, and below it the two nodes on the border of
    /// what was put together, since they may have had no neighbour before.
    ///
    /// # Safety
    /// As for `make_room`, but `inner` may be full.
    unsafe fn mend(&mut self, inner: &mut Inner<M>, i: usize, level: usize) {
        // SAFETY: by the contract; the nodes below are other nodes than `inner`.
        unsafe {
            if level == 0 {
                let mut freed = 0;
                inner.mend_child::<Leaf<M>>(i, &mut freed);
                self.leaves -= freed;
                return;
            }
            let mut freed = 0;
            let mended = inner.mend_child::<Inner<M>>(i, &mut freed);
            self.inners -= freed;
            let Some(Mended { left, border }) = mended else {
                return;
            };
            for entry in [border, border - 1] {
                let left_len = inner.child_len::<Inner<M>>(left);
                let (child, at) = if entry < left_len { (left, entry) } else { (left + 1, entry - left_len) };
                if child >= inner.len() {
                    continue;
                }
                let below = &mut *inner.children()[child].cast::<Inner<M>>();
                if at < below.len() && child_len(below, at, level - 1) < SPARSE {
                    self.mend(below, at, level - 1);
                }
            }
        }
    }

    /// Takes away roots that have a single child.
    fn lower_root(&mut self) {
        while self.height > 0 {
            // SAFETY: above height 0 the root is a live inner node.
            let root = unsafe { &*self.root.cast::<Inner<M>>() };
            if root.len() > 1 {
                break;
            }
            let child = root.children()[0];
            // SAFETY: the old root is replaced in the next line.
            unsafe { release::<M, Inner<M>>(self.root) };
            self.root = child;
            self.inners -= 1;
            self.height -= 1;
        }
    }

    /// Removes `count` elements, not all, from rank `start` on below `node`.
    ///
    /// # Safety
    /// `node` is a live node of `level`, nothing else refers to it, `start + count` is in its range.
    unsafe fn cut(&mut self, node: Link, level: usize, start: usize, count: usize) {
        // SAFETY: by the contract of this function; children are other nodes than their parent.
        unsafe {
            if level == 0 {
                (*node.cast::<Leaf<M>>()).remove(start, count);
                return;
            }
            let inner = &mut *node.cast::<Inner<M>>();
            let mut left = count;
            let (mut from, offset) = inner.child_at(start);
            if offset > 0 {
                let n = left.min(inner.counts()[from] as usize - offset);
                self.cut(inner.children()[from], level - 1, offset, n);
                inner.counts_mut()[from] -= n as u64;
                left -= n;
                from += 1;
            }
            let mut to = from;
            while left > 0 && inner.counts()[to] as usize <= left {
                left -= inner.counts()[to] as usize;
                self.free(inner.children()[to], level - 1);
                to += 1;
            }
            inner.forget_children(from, to - from);
            if left > 0 {
                self.cut(inner.children()[from], level - 1, 0, left);
                inner.counts_mut()[from] -= left as u64;
                refresh_first(inner, from, level - 1);
            }
            for i in [Some(from), from.checked_sub(1)].into_iter().flatten() {
                if i < inner.len() && child_len(inner, i, level - 1) < SPARSE {
                    self.mend(inner, i, level - 1);
                }
            }
        }
    }

    /// Frees a node and all below it.
    ///
    /// # Safety
    /// `node` is a live node of `level` that is not used again.
    unsafe fn free(&mut self, node: Link, level: usize) {
        // SAFETY: by the contract of this function.
        unsafe {
            if level == 0 {
                release::<M, Leaf<M>>(node);
                self.leaves -= 1;
                return;
            }
            for &child in (*node.cast::<Inner<M>>()).children() {
                self.free(child, level - 1);
            }
            release::<M, Inner<M>>(node);
            self.inners -= 1;
        }
    }
}

impl<M: MemberBytes> Drop for RankTree<M> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The number of entries of a child: a leaf's is in the parent's count, so that it is not touched.
///
/// # Safety
/// The children of `inner` are live nodes of `level`.
unsafe fn child_len<M: MemberBytes>(inner: &Inner<M>, i: usize, level: usize) -> usize {
    if level == 0 {
        inner.counts()[i] as usize
    } else {
        // SAFETY: by the contract of this function.
        unsafe { inner.child_len::<Inner<M>>(i) }
    }
}

/// # Safety
/// The children of `inner` are live nodes of `level`.
unsafe fn refresh_first<M: MemberBytes>(inner: &mut Inner<M>, i: usize, level: usize) {
    // SAFETY: by the contract of this function.
    unsafe {
        if level == 0 {
            inner.refresh_first::<Leaf<M>>(i);
        } else {
            inner.refresh_first::<Inner<M>>(i);
        }
    }
}

/// Whether a node is the first or the last of its level.
#[derive(Clone, Copy)]
struct Edges {
    left: bool,
    right: bool,
}

enum Side {
    Left,
    Right,
}

impl Side {
    /// Where a new neighbour on this side goes, relative to the node's own index.
    fn offset(&self) -> usize {
        match self {
            Side::Left => 0,
            Side::Right => 1,
        }
    }
}

impl Edges {
    fn below<M: MemberBytes>(self, inner: &Inner<M>, child: usize) -> Self {
        Self { left: self.left && child == 0, right: self.right && child + 1 == inner.len() }
    }

    /// The side on which a new key lies outside of all keys of the tree, seen from an edge node.
    fn beyond<M: MemberBytes, N: Node<M>>(self, node: &N, key: (f64, M)) -> Option<Side> {
        let last = node.last();
        if self.right && compare(key, last) == Ordering::Greater {
            Some(Side::Right)
        } else if self.left && compare(key, node.first()) == Ordering::Less {
            Some(Side::Left)
        } else {
            None
        }
    }
}

fn compare<M: MemberBytes>(a: (f64, M), b: (f64, M)) -> Ordering {
    let scores = a.0.partial_cmp(&b.0).expect("NaN is kept out at the door");
    scores.then_with(|| a.1.bytes().cmp(b.1.bytes()))
}

/// Elements in ascending order.
pub struct Iter<'a, M: MemberBytes> {
    tree: &'a RankTree<M>,
    leaf: &'a [f64],
    members: &'a [M],
    at: usize,
    rank: usize,
}

impl<M: MemberBytes> Iterator for Iter<'_, M> {
    type Item = (f64, M);

    fn next(&mut self) -> Option<(f64, M)> {
        if self.at == self.leaf.len() {
            let (leaf, at) = self.tree.locate(self.rank)?;
            (self.leaf, self.members, self.at) = (leaf.scores(), leaf.members(), at);
        }
        let element = (self.leaf[self.at], self.members[self.at]);
        if let Some(member) = self.members.get(self.at + AHEAD) {
            member.prefetch();
        }
        self.at += 1;
        self.rank += 1;
        Some(element)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.tree.len.saturating_sub(self.rank);
        (left, Some(left))
    }
}

/// Elements in descending order.
pub struct IterBack<'a, M: MemberBytes> {
    tree: &'a RankTree<M>,
    leaf: &'a [f64],
    members: &'a [M],
    /// Entries of the leaf still to come.
    at: usize,
    /// Elements still to come.
    left: usize,
}

impl<M: MemberBytes> Iterator for IterBack<'_, M> {
    type Item = (f64, M);

    fn next(&mut self) -> Option<(f64, M)> {
        if self.at == 0 {
            let (leaf, at) = self.tree.locate(self.left.checked_sub(1)?)?;
            (self.leaf, self.members, self.at) = (leaf.scores(), leaf.members(), at + 1);
        }
        self.at -= 1;
        self.left -= 1;
        if let Some(ahead) = self.at.checked_sub(AHEAD) {
            self.members[ahead].prefetch();
        }
        Some((self.leaf[self.at], self.members[self.at]))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}
