//! The wheel against an ordered map: budgets of a few filings, clocks that jump, sweeps in between.

use super::*;
use std::collections::BTreeSet;

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

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// A span of time of any magnitude up to 2^bits ms.
    fn span(&mut self, bits: u64) -> u64 {
        let shift = self.below(bits) + 1;
        self.below(1 << shift)
    }
}

struct Model {
    wheel: Wheel<u32>,
    /// Deadline of each filing.
    filed: BTreeMap<u32, u64>,
    by_deadline: BTreeSet<(u64, u32)>,
    random: Random,
    now: u64,
    next_item: u32,
    /// Filings there when the sweep began that stayed as they were and were not shown yet.
    unseen: BTreeSet<u32>,
    sweeping: bool,
    sweeps: usize,
}

impl Model {
    fn new(seed: u64, now: u64) -> Self {
        Self {
            wheel: Wheel::new(now),
            filed: BTreeMap::new(),
            by_deadline: BTreeSet::new(),
            random: Random(seed),
            now,
            next_item: 0,
            unseen: BTreeSet::new(),
            sweeping: false,
            sweeps: 0,
        }
    }

    fn some_deadline(&mut self) -> u64 {
        match self.random.below(20) {
            0 => self.now.saturating_sub(self.random.span(20)),
            1 => self.now,
            2 => u64::MAX - self.random.below(3),
            3 => self.now.saturating_add(self.random.span(62)),
            4..8 => self.now + self.random.below(700),
            _ => self.now.saturating_add(self.random.span(36)),
        }
    }

    fn insert(&mut self) {
        let deadline = self.some_deadline();
        let copies = if self.random.below(30) == 0 { 300 } else { 1 };
        for _ in 0..copies {
            self.wheel.insert(deadline, self.next_item);
            self.filed.insert(self.next_item, deadline);
            self.by_deadline.insert((deadline, self.next_item));
            self.next_item += 1;
        }
    }

    fn move_clock(&mut self) {
        self.now = match self.random.below(40) {
            0 => self.now.saturating_add(self.random.span(34)),
            1 => self.now.saturating_sub(self.random.span(26)),
            2 if self.random.below(10) == 0 => self.now.saturating_add(self.random.span(43)),
            3..20 => self.now,
            _ => self.now.saturating_add(self.random.below(40)),
        };
    }

    fn forget(&mut self, item: u32) -> u64 {
        self.unseen.remove(&item);
        let deadline = self.filed.remove(&item).expect("what comes due was filed");
        assert!(self.by_deadline.remove(&(deadline, item)));
        deadline
    }

    fn advance(&mut self, budget: usize) {
        let mut handed = Vec::new();
        let mut left = budget;
        let refile = (self.random.below(4) == 0).then(|| self.now.saturating_add(1 + self.random.span(30)));
        self.wheel.advance(self.now, &mut left, |item, deadline, _| {
            handed.push((deadline, item));
            refile.filter(|_| item % 3 == 0)
        });
        assert!(handed.len() + left <= budget);
        assert!(handed.is_sorted_by_key(|&(deadline, _)| deadline), "slots come in order");
        for (deadline, item) in handed {
            assert!(deadline <= self.now, "nothing fires early");
            assert_eq!(self.forget(item), deadline);
            if let Some(deadline) = refile.filter(|_| item % 3 == 0) {
                self.filed.insert(item, deadline);
                self.by_deadline.insert((deadline, item));
            }
        }
        let next = self.wheel.next_deadline();
        assert_eq!(next.unwrap_or(u64::MAX), self.wheel.count_soonest(), "what filing lowered is what counting finds");
        if left > 0 {
            assert!(self.by_deadline.first().is_none_or(|&(deadline, _)| deadline > self.now));
            assert!(next.is_none_or(|tick| tick > self.now), "nothing is left to do");
        }
    }

    fn sweep(&mut self, budget: usize) {
        if !self.sweeping {
            self.unseen = self.filed.keys().copied().collect();
            self.sweeping = true;
        }
        let mut shown = Vec::new();
        let random = &mut self.random;
        let now = self.now;
        let done = self.wheel.retain_step(budget, |item, deadline| {
            let verdict = match random.below(30) {
                0 => Verdict::Drop,
                1 => Verdict::Refile(now.saturating_add(random.span(44))),
                _ => Verdict::Keep,
            };
            shown.push((item, deadline, verdict));
            verdict
        });
        assert!(shown.len() <= budget);
        for (item, deadline, verdict) in shown {
            self.unseen.remove(&item);
            assert_eq!(self.filed.get(&item), Some(&deadline));
            if verdict == Verdict::Keep {
                continue;
            }
            self.forget(item);
            if let Verdict::Refile(deadline) = verdict {
                self.filed.insert(item, deadline);
                self.by_deadline.insert((deadline, item));
            }
        }
        if done {
            assert!(self.unseen.is_empty(), "a sweep shows all that was there throughout");
            self.sweeping = false;
            self.sweeps += 1;
        }
    }

    fn check(&self) {
        assert_eq!(self.wheel.len(), self.filed.len());
        let next = self.wheel.next_deadline();
        match self.by_deadline.first() {
            None => assert_eq!(next, None),
            Some(&(deadline, _)) => {
                assert!(next.is_some_and(|tick| tick <= deadline.max(self.wheel.cursor)))
            }
        }
    }
}

#[test]
fn agrees_with_a_model_under_tiny_budgets_and_a_jumping_clock() {
    let steps = if cfg!(miri) { 500 } else { 8_000 };
    for seed in 0..8 {
        let start = [0, 1_760_000_000_000, (1 << 32) - 300, 1 << 41][seed as usize % 4];
        let mut model = Model::new(seed, start);
        for _ in 0..steps {
            match model.random.below(10) {
                0..4 if model.filed.len() < 4000 => model.insert(),
                0..6 => model.move_clock(),
                6..9 => {
                    let budget = 1 + model.random.span(8) as usize;
                    model.advance(budget);
                }
                _ => {
                    let budget = 1 + model.random.span(12) as usize;
                    model.sweep(budget);
                }
            }
            model.check();
        }
        assert!(cfg!(miri) || model.sweeps > 1);
        // In the end of all time all comes due, but for what is refiled.
        model.now = u64::MAX;
        for _ in 0..40 {
            model.advance(100_000);
        }
        assert!(model.filed.values().all(|&deadline| deadline >= u64::MAX - 3));
    }
}

#[test]
fn a_deadline_fires_at_its_tick_and_not_before() {
    for deadline in [5, 255, 256, 511, 512, 513, 70_000, 131_072, 17_000_000, 40_000_000] {
        let mut wheel = Wheel::new(3);
        wheel.insert(deadline, 7_u64);
        let mut fired = None;
        let mut wakes = 0;
        while let Some(now) = wheel.next_deadline() {
            wakes += 1;
            wheel.advance(now, &mut 10, |item, deadline, _| {
                fired = Some((now, item, deadline));
                None
            });
        }
        assert_eq!(fired, Some((deadline, 7, deadline)));
        assert!(wakes <= LEVELS + 1, "one wake a level and one in the end");
        assert!(wheel.is_empty());
    }
}

#[test]
fn a_crowded_slot_is_drained_over_many_calls() {
    let mut wheel = Wheel::new(0);
    for item in 0..10_000_u32 {
        wheel.insert(1_000_000, item);
    }
    assert!(wheel.bytes() < 10_000 * 9 + 3 * SLOTS * 8);
    let (mut calls, mut handed) = (0, 0);
    while !wheel.is_empty() {
        calls += 1;
        wheel.advance(1_000_000, &mut 100, |_, deadline, _| {
            assert_eq!(deadline, 1_000_000);
            handed += 1;
            None
        });
    }
    assert_eq!(handed, 10_000);
    assert!(calls >= 200, "cascading is paid from the same budget");
}

#[test]
fn cascading_ahead_leaves_nothing_to_do_when_a_slot_begins() {
    let mut wheel = Wheel::new(0);
    for item in 0..1000_u32 {
        wheel.insert(200_000, item);
    }
    for now in (0..200_000).step_by(10) {
        wheel.advance(now, &mut 50, |_, _, _| panic!("nothing is due yet"));
    }
    let mut budget = 1000;
    wheel.advance(200_000, &mut budget, |_, _, _| None);
    assert!(wheel.is_empty() && budget == 0, "each filing is only handed out");
}

#[test]
fn a_clock_set_back_delays_nothing_that_is_filed_then() {
    let mut wheel = Wheel::new(1000);
    wheel.insert(5000, 1_u32);
    wheel.advance(4000, &mut 10, |_, _, _| None);
    wheel.insert(2500, 2);
    assert_eq!(wheel.next_deadline(), Some(2500));
    let mut fired = Vec::new();
    for now in [2000, 2499, 2500, 4999, 5000] {
        wheel.advance(now, &mut 10, |item, _, _| {
            fired.push((now, item));
            None
        });
    }
    assert_eq!(fired, [(2500, 2), (5000, 1)]);
}
