//! `AppendMap`: an ordered map whose keys only ever grow, kept as a deque of short runs.
//!
//! New keys are greater than all others, so there is nothing to rebalance: a run that is full stays
//! full until something is removed from it, and the next key opens another. Appending and removing
//! from the front touch one run; removing in the middle moves at most a run and the handles behind
//! it; finding a key is a binary search over the runs' first keys and one within a run.
//!
//! Invariants: no run is empty; keys ascend strictly through all runs.
//!
//! The roads not taken: a B+tree, whose inner nodes and splits serve insertions that never come; and
//! one long deque of entries, whose growth would copy a whole index of a big log in one step, and
//! whose removals in the middle would move half of it.

use std::collections::VecDeque;

/// Most entries of a run.
const RUN: usize = 64;

/// The place of an entry. It stays good until an entry is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    run: usize,
    slot: usize,
}

/// The map. See the module's essay.
#[derive(Clone)]
pub struct AppendMap<K, V> {
    runs: VecDeque<Vec<(K, V)>>,
    len: usize,
}

impl<K: Ord + Copy, V> Default for AppendMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord + Copy, V> AppendMap<K, V> {
    /// An empty map; allocates nothing.
    pub const fn new() -> Self {
        AppendMap { runs: VecDeque::new(), len: 0 }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the runs and of the deque that holds them.
    pub fn bytes(&self) -> usize {
        let runs: usize = self.runs.iter().map(|run| run.capacity() * size_of::<(K, V)>()).sum();
        runs + self.runs.capacity() * size_of::<Vec<(K, V)>>()
    }

    /// Adds an entry.
    ///
    /// # Panics
    /// If the key is not greater than all others.
    pub fn push(&mut self, key: K, value: V) {
        assert!(self.last().is_none_or(|last| self.key(last) < key), "keys are appended in ascending order");
        match self.runs.back_mut() {
            Some(run) if run.len() < RUN => {
                if run.len() == run.capacity() {
                    run.reserve_exact(run.len().min(RUN - run.len()));
                }
                run.push((key, value));
            }
            _ => {
                if self.runs.capacity() == 0 {
                    self.runs.reserve_exact(1);
                }
                self.runs.push_back(vec![(key, value)]);
            }
        }
        self.len += 1;
    }

    /// The place of the first entry.
    #[inline]
    pub fn first(&self) -> Option<Position> {
        (!self.is_empty()).then_some(Position { run: 0, slot: 0 })
    }

    /// The place of the last entry.
    #[inline]
    pub fn last(&self) -> Option<Position> {
        let run = self.runs.len().checked_sub(1)?;
        Some(Position { run, slot: self.runs[run].len() - 1 })
    }

    /// The place of the last entry whose key is at most `key`.
    pub fn floor(&self, key: K) -> Option<Position> {
        let run = self.runs.partition_point(|run| run[0].0 <= key).checked_sub(1)?;
        let slot = self.runs[run].partition_point(|(other, _)| *other <= key) - 1;
        Some(Position { run, slot })
    }

    /// The place after `at`.
    #[inline]
    pub fn next(&self, at: Position) -> Option<Position> {
        if at.slot + 1 < self.runs[at.run].len() {
            Some(Position { run: at.run, slot: at.slot + 1 })
        } else {
            (at.run + 1 < self.runs.len()).then_some(Position { run: at.run + 1, slot: 0 })
        }
    }

    /// The place before `at`.
    #[inline]
    pub fn prev(&self, at: Position) -> Option<Position> {
        if at.slot > 0 {
            return Some(Position { run: at.run, slot: at.slot - 1 });
        }
        let run = at.run.checked_sub(1)?;
        Some(Position { run, slot: self.runs[run].len() - 1 })
    }

    /// The key at a place.
    #[inline]
    pub fn key(&self, at: Position) -> K {
        self.runs[at.run][at.slot].0
    }

    /// The value at a place.
    #[inline]
    pub fn value(&self, at: Position) -> &V {
        &self.runs[at.run][at.slot].1
    }

    /// The value at a place, for changing.
    #[inline]
    pub fn value_mut(&mut self, at: Position) -> &mut V {
        &mut self.runs[at.run][at.slot].1
    }

    /// Removes an entry. Gives its value and the place of the entry behind it.
    pub fn remove(&mut self, at: Position) -> (V, Option<Position>) {
        let run = &mut self.runs[at.run];
        let (_, value) = run.remove(at.slot);
        self.len -= 1;
        let left = run.len();
        if left == 0 {
            self.runs.remove(at.run);
        } else if left * 4 <= run.capacity() {
            run.shrink_to(left * 2);
        }
        let behind = if at.slot < left { at } else { Position { run: at.run + usize::from(left > 0), slot: 0 } };
        (value, (behind.run < self.runs.len()).then_some(behind))
    }

    /// The entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.runs.iter().flatten().map(|(key, value)| (*key, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;
    use std::collections::BTreeMap;

    fn agree(map: &AppendMap<u64, u64>, model: &BTreeMap<u64, u64>) {
        assert_eq!(map.len(), model.len());
        assert!(map.iter().map(|(k, v)| (k, *v)).eq(model.iter().map(|(k, v)| (*k, *v))));
        let mut at = map.last();
        for (key, _) in model.iter().rev() {
            let place = at.expect("as many as in the model");
            assert_eq!(map.key(place), *key);
            at = map.prev(place);
        }
        assert_eq!(at, None);
    }

    #[test]
    fn does_what_a_btree_map_does() {
        let mut random = Random::from_seed(11);
        for round in 0..20u64 {
            let (mut map, mut model) = (AppendMap::new(), BTreeMap::new());
            let mut key = 0;
            for step in 0..3000u64 {
                let removing = if step < 1500 { 3 } else { 6 };
                if random.below(10) >= removing || model.is_empty() {
                    key += 1 + random.below(3);
                    map.push(key, step);
                    model.insert(key, step);
                } else {
                    let wanted = if random.below(2) == 0 { 0 } else { random.below(key + 2) };
                    let at = map.floor(wanted).or(map.first()).expect("not empty");
                    let expected = model.range(..=wanted).next_back().or(model.first_key_value()).map(|(k, v)| (*k, *v));
                    let found = map.key(at);
                    let (value, behind) = map.remove(at);
                    assert_eq!(Some((found, value)), expected);
                    model.remove(&found);
                    assert_eq!(behind.map(|at| map.key(at)), model.range(found..).next().map(|(k, _)| *k));
                }
                let probe = random.below(key + 2);
                assert_eq!(map.floor(probe).map(|at| map.key(at)), model.range(..=probe).next_back().map(|(k, _)| *k));
                if step % 500 == round {
                    agree(&map, &model);
                }
            }
            agree(&map, &model);
        }
    }

    #[test]
    fn forward_steps_meet_every_entry() {
        let mut map = AppendMap::new();
        (0..500u32).for_each(|n| map.push(n, n * 2));
        let mut at = map.first();
        for n in 0..500 {
            let place = at.expect("an entry");
            assert_eq!((map.key(place), *map.value(place)), (n, n * 2));
            *map.value_mut(place) += 1;
            at = map.next(place);
        }
        assert_eq!(at, None);
        assert!(map.iter().all(|(key, value)| *value == key * 2 + 1));
    }
}
