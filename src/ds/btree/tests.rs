//! The tree against a sorted vector and a `BTreeMap`, step by step, with every invariant checked.

use super::*;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A handle as the product's: one pointer to a block that the test owns.
#[derive(Clone, Copy, Debug)]
struct Handle(*const Vec<u8>);

impl MemberBytes for Handle {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the tests drop a block only after its handle has left the tree.
        unsafe { &*self.0 }
    }
}

/// Owns the blocks, each on its own so that a removed member's block is really gone (Miri would notice a use).
#[derive(Default)]
struct Blocks(BTreeMap<Vec<u8>, (Rc<Vec<u8>>, f64)>);

impl Blocks {
    fn add(&mut self, name: &[u8], score: f64) -> Handle {
        let block = Rc::new(name.to_vec());
        let handle = Handle(Rc::as_ptr(&block));
        assert!(self.0.insert(name.to_vec(), (block, score)).is_none());
        handle
    }

    /// Every element in the order the tree should have.
    fn sorted(&self) -> Vec<(f64, Vec<u8>)> {
        let mut all: Vec<_> = self.0.iter().map(|(name, (_, score))| (*score, name.clone())).collect();
        all.sort_by(|a, b| a.0.partial_cmp(&b.0).expect("no NaN").then_with(|| a.1.cmp(&b.1)));
        all
    }
}

/// splitmix64, public domain arithmetic by Sebastiano Vigna.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Checks a subtree and returns its first key, its number of elements, leaves and inner nodes.
fn check_node(node: Link, level: usize) -> (f64, *const Vec<u8>, usize, usize, usize) {
    // SAFETY: the tests walk a live tree by its own height.
    unsafe {
        if level == 0 {
            let leaf = &*node.cast::<Leaf<Handle>>();
            assert!(leaf.len() > 0, "no leaf is empty");
            let (score, member) = leaf.first();
            return (score, member.0, leaf.len(), 1, 0);
        }
        let inner = &*node.cast::<Inner<Handle>>();
        assert!(inner.len() > 0, "no inner node is empty");
        let (mut len, mut leaves, mut inners) = (0, 0, 1);
        for i in 0..inner.len() {
            let (score, member, n, l, r) = check_node(inner.children()[i], level - 1);
            assert_eq!(inner.counts()[i] as usize, n, "a count is exact");
            assert!(inner.scores()[i].to_bits() == score.to_bits(), "a separator's score is exact");
            assert_eq!(inner.members()[i].0, member, "a separator's handle is that of the first");
            (len, leaves, inners) = (len + n, leaves + l, inners + r);
        }
        let (score, member) = inner.first();
        (score, member.0, len, leaves, inners)
    }
}

fn check(tree: &RankTree<Handle>, blocks: &Blocks) {
    let want = blocks.sorted();
    assert_eq!(tree.len(), want.len());
    assert_eq!(tree.root.is_null(), want.is_empty());
    if !want.is_empty() {
        let (_, _, len, leaves, inners) = check_node(tree.root, tree.height);
        assert_eq!((len, leaves, inners), (tree.len, tree.leaves, tree.inners));
    }
    let got: Vec<_> = tree.iter_from(0).map(|(score, member)| (score, member.bytes().to_vec())).collect();
    assert_eq!(got, want);
    let mut back: Vec<_> = tree.iter_back_from(usize::MAX).map(|(score, member)| (score, member.bytes().to_vec())).collect();
    back.reverse();
    assert_eq!(back, want);
    assert_eq!(tree.get_by_rank(0).map(|e| e.0), want.first().map(|e| e.0));
    assert_eq!(tree.last().map(|e| e.0), want.last().map(|e| e.0));
}

fn random_score(random: &mut Random, scores: usize) -> f64 {
    match random.below(scores) {
        0 => -0.0,
        1 => f64::INFINITY,
        2 => f64::NEG_INFINITY,
        n => (n as f64) - 3.0,
    }
}

struct Model {
    tree: RankTree<Handle>,
    blocks: Blocks,
    random: Random,
    scores: usize,
    names: usize,
}

impl Model {
    fn name(&mut self) -> Vec<u8> {
        format!("m{}", self.random.below(self.names)).into_bytes()
    }

    fn step(&mut self, growing: bool) {
        let dice = self.random.below(100);
        let threshold = if growing { 62 } else { 20 };
        if dice < threshold {
            self.put();
        } else if dice < 85 {
            self.take();
        } else {
            self.look();
        }
    }

    fn put(&mut self) {
        let name = self.name();
        let score = random_score(&mut self.random, self.scores);
        let Some((_, old)) = self.blocks.0.get_mut(&name) else {
            let handle = self.blocks.add(&name, score);
            self.tree.insert(score, handle);
            return;
        };
        assert!(self.tree.update_score(*old, &name, score));
        *old = score;
    }

    fn take(&mut self) {
        let removed = match self.random.below(20) {
            dice @ 0..3 => {
                let ranks = [0, self.tree.len().saturating_sub(1), self.random.below(self.tree.len() + 1)];
                self.tree
                    .get_by_rank(ranks[dice])
                    .map(|(score, member)| (score, self.tree.remove(score, member.bytes()).expect("it is there")))
            }
            3 if self.random.below(4) == 0 => return self.take_range(),
            _ => {
                let name = self.name();
                let Some(&(_, score)) = self.blocks.0.get(&name) else {
                    assert!(self.tree.remove(1.0, &name).is_none());
                    return;
                };
                assert!(self.tree.remove(0.25, &name).is_none());
                self.tree.remove(score, &name).map(|member| (score, member))
            }
        };
        if let Some((score, member)) = removed {
            let name = member.bytes().to_vec();
            let (_, expected) = self.blocks.0.remove(&name).expect("it was in the model");
            assert!(expected == score);
        }
    }

    fn take_range(&mut self) {
        let start = self.random.below(self.tree.len() + 1);
        let size = 1 << self.random.below(11);
        let count = self.random.below(size);
        let want: Vec<_> = self.blocks.sorted().into_iter().skip(start).take(count).collect();
        let mut got = Vec::new();
        let blocks = &mut self.blocks;
        let removed = self.tree.remove_range_by_rank(start, count, |member, score| {
            let name = member.bytes().to_vec();
            blocks.0.remove(&name).expect("it was in the model");
            got.push((score, name));
        });
        assert_eq!(removed, want.len());
        assert_eq!(got, want);
    }

    fn look(&mut self) {
        let all = self.blocks.sorted();
        if all.is_empty() {
            assert_eq!(self.tree.ranks_by_score(ScoreBound::Inclusive(0.0), ScoreBound::Inclusive(1.0)), 0..0);
            return;
        }
        let rank = self.random.below(all.len());
        assert_eq!(self.tree.rank_of(all[rank].0, &all[rank].1), Some(rank));
        assert_eq!(self.tree.rank_of(all[rank].0, b"absent"), None);
        let (score, member) = self.tree.get_by_rank(rank).expect("it is in range");
        assert_eq!((score, member.bytes()), (all[rank].0, &all[rank].1[..]));
        assert!(self.tree.get_by_rank(all.len()).is_none());
        let (a, b) = (random_score(&mut self.random, self.scores), random_score(&mut self.random, self.scores));
        let start = all.iter().filter(|e| e.0 < a).count();
        let end = all.iter().filter(|e| e.0 <= b).count();
        let got = self.tree.ranks_by_score(ScoreBound::Inclusive(a), ScoreBound::Inclusive(b));
        assert_eq!(got, start..end.max(start));
        let start = all.iter().filter(|e| e.0 <= a).count();
        let end = all.iter().filter(|e| e.0 < b).count();
        let got = self.tree.ranks_by_score(ScoreBound::Exclusive(a), ScoreBound::Exclusive(b));
        assert_eq!(got, start..end.max(start));
        let got: Vec<_> = self.tree.iter_from(rank).take(150).map(|e| e.0).collect();
        let want: Vec<_> = all[rank..].iter().take(150).map(|e| e.0).collect();
        assert_eq!(got, want);
        let got: Vec<_> = self.tree.iter_back_from(rank).take(150).map(|e| e.0).collect();
        let want: Vec<_> = all[..=rank].iter().rev().take(150).map(|e| e.0).collect();
        assert_eq!(got, want);
    }
}

#[test]
fn agrees_with_a_model_while_it_grows_and_shrinks() {
    let steps = if cfg!(miri) { 400 } else { 6_000 };
    for (seed, scores, names) in [(1, 4, 3000), (2, 40, 3000), (3, 1_000_000, 9000), (4, 3, 150)] {
        let mut model = Model { tree: RankTree::new(), blocks: Blocks::default(), random: Random(seed), scores, names };
        for step in 0..steps {
            model.step(step % 3000 < 2000);
            if step % 199 == 0 {
                check(&model.tree, &model.blocks);
            }
        }
        check(&model.tree, &model.blocks);
    }
}

#[test]
fn three_levels_survive_random_range_removals() {
    let n = if cfg!(miri) { 300 } else { 20_000 };
    for seed in 0..4 {
        let mut random = Random(seed);
        let mut blocks = Blocks::default();
        let mut tree = RankTree::new();
        for i in 0..n {
            let score = random.below(100_000) as f64;
            let handle = blocks.add(format!("{i}").as_bytes(), score);
            tree.insert(score, handle);
        }
        while !tree.is_empty() {
            let start = random.below(tree.len());
            let count = 1 + random.below(tree.len().div_ceil(3));
            tree.remove_range_by_rank(start, count, |member, _| {
                blocks.0.remove(member.bytes().to_vec().as_slice()).expect("it was there");
            });
            check(&tree, &blocks);
        }
        assert_eq!(tree.bytes_used(), 0);
    }
}

#[test]
fn lex_bounds_cut_members_of_equal_score() {
    let mut random = Random(9);
    let mut blocks = Blocks::default();
    let mut tree = RankTree::new();
    for _ in 0..2000 {
        let name = format!("{:03}", random.below(1000)).into_bytes();
        if !blocks.0.contains_key(&name) {
            let handle = blocks.add(&name, 0.0);
            tree.insert(if random.below(2) == 0 { 0.0 } else { -0.0 }, handle);
        }
    }
    let all: Vec<_> = blocks.0.keys().cloned().collect();
    for _ in 0..500 {
        let (a, b) = (format!("{:03}", random.below(1000)), format!("{:03}", random.below(1000)));
        let (a, b) = (a.as_bytes(), b.as_bytes());
        let before = |bound: &[u8]| all.iter().filter(|e| e.as_slice() < bound).count();
        let through = |bound: &[u8]| all.iter().filter(|e| e.as_slice() <= bound).count();
        let got = tree.ranks_by_lex(LexBound::Inclusive(a), LexBound::Exclusive(b));
        assert_eq!(got, before(a)..before(b).max(before(a)));
        let got = tree.ranks_by_lex(LexBound::Exclusive(a), LexBound::Inclusive(b));
        assert_eq!(got, through(a)..through(b).max(through(a)));
        assert_eq!(tree.ranks_by_lex(LexBound::Min, LexBound::Inclusive(b)), 0..through(b));
    }
    assert_eq!(tree.ranks_by_lex(LexBound::Min, LexBound::Max), 0..all.len());
    assert!(tree.ranks_by_lex(LexBound::Max, LexBound::Min).is_empty());
}

#[test]
fn ordered_loads_fill_nodes_from_either_end() {
    let n: u32 = if cfg!(miri) { 500 } else { 20_000 };
    for descending in [false, true] {
        let mut blocks = Blocks::default();
        let mut tree = RankTree::new();
        for i in 0..n {
            let score = if descending { -f64::from(i) } else { f64::from(i) };
            let handle = blocks.add(&i.to_be_bytes(), score);
            tree.insert(score, handle);
        }
        check(&tree, &blocks);
        assert!(cfg!(miri) || tree.bytes_used() * 10 < tree.len() * 171);
    }
}

#[test]
fn pushing_accepts_any_order() {
    let mut random = Random(5);
    let mut blocks = Blocks::default();
    let mut elements = Vec::new();
    for i in 0..3000u32 {
        let score = f64::from(i / 7);
        elements.push((score, blocks.add(&i.to_be_bytes(), score)));
    }
    let built = |elements: &[(f64, Handle)]| {
        let mut tree = RankTree::new();
        elements.iter().for_each(|&(score, member)| tree.push(score, member));
        tree
    };
    check(&built(&elements), &blocks);
    for _ in 0..100 {
        let (a, b) = (random.below(3000), random.below(3000));
        elements.swap(a, b);
    }
    check(&built(&elements), &blocks);
}

#[test]
#[should_panic(expected = "a score is a number")]
fn nan_is_refused() {
    let block = Vec::new();
    RankTree::new().insert(f64::NAN, Handle(&raw const block));
}

#[test]
fn random_loads_stay_dense() {
    if cfg!(miri) {
        return;
    }
    let mut random = Random(7);
    let mut blocks = Blocks::default();
    let mut tree = RankTree::new();
    for i in 0..40_000u32 {
        let score = random.below(1 << 40) as f64;
        let handle = blocks.add(&i.to_be_bytes(), score);
        tree.insert(score, handle);
    }
    check(&tree, &blocks);
    assert!(tree.bytes_used() < tree.len() * 22, "{} bytes", tree.bytes_used());
}
