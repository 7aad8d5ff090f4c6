//! A hierarchical timer wheel with ticks of one millisecond, for very many small filings.
//!
//! A filing is a payload and a deadline. Of the deadline only the low 32 bits are stored, the slot
//! knows the rest: eight bytes a filing with a payload of 32 bits. A slot is a chain of small chunks,
//! so nothing large is ever copied to grow, and a drained chunk goes back to the allocator.
//!
//! There are five levels of 512 slots; a slot of level L is 256^L ms wide. So a level reaches twice
//! as far as one slot of the next level is wide, and that is the point of this layout: a slot can be
//! spread over the level below (*cascaded*) during the whole time that the slot before it runs, in
//! small pieces, after everything due has been handed out. With 256 slots, the usual wheel, all of
//! it would have to happen in the very millisecond in which the slot begins, and everything due would
//! wait for it. Only when nobody called for so long, or the clock jumped, is a cascade urgent.
//!
//! Invariants:
//! - No filing in a slot has a deadline before `cursor`, which never goes back but when all filings
//!   are early (see below).
//! - A filing is in the lowest level whose 512 slots, counted from the cursor's, reach its deadline,
//!   or in a higher one, if the cursor moved on since. So each of a level's 512 places stands for
//!   one slot, and cursor and place say which.
//! - A slot in cascade stays where it is and is drained from its head: there is no cascade state, and
//!   no new filing can fall into it, as all of its range is in reach of the level below.
//! - Deadlines more than 512 × 2^32 ms (69 years) ahead are in the `far` chain, with all 64 bits.
//! - Deadlines before the cursor are in `early`, an ordered map: what was due when filed, and all
//!   that is filed while the clock stands before the cursor because it was set back. That costs more
//!   memory and time a filing, but neither loses one nor hands it out early, whatever the clock does.
//!   (The road not taken is to move the cursor back, which means to refile everything.)
//!
//! The wheel does not know whether a filing is still wanted. Removal is lazy: the owner looks when it
//! comes due, or in a sweep.

mod chain;
#[cfg(test)]
mod tests;

use chain::Chain;
use std::collections::BTreeMap;

/// Slots of a level.
const SLOTS: usize = 512;
/// Bits by which the width of a slot grows from level to level; 2^RADIX_BITS is half of `SLOTS`.
const RADIX_BITS: u32 = 8;
const LEVELS: usize = 5;
const WORDS: usize = SLOTS / 64;

const _: () = assert!(SLOTS == 2 << RADIX_BITS, "a level reaches two slots of the next");
const _: () = assert!(RADIX_BITS as usize * (LEVELS - 1) == u32::BITS as usize, "low bits are 32");

/// What the owner wants done with a filing it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays filed under its deadline.
    Keep,
    /// It is forgotten.
    Drop,
    /// It is filed under this deadline instead.
    Refile(u64),
}

/// Filings ordered by deadline, to the millisecond.
pub struct Wheel<T: Copy> {
    cursor: u64,
    len: usize,
    levels: [Level<T>; LEVELS],
    far: Far<T>,
    /// Far filings on their way through a sweep or into reach of the levels.
    far_moving: Far<T>,
    early: BTreeMap<(u64, u64), T>,
    /// Makes keys of `early` unique.
    serial: u64,
    sweep: Sweep<T>,
    /// What [`Wheel::next_deadline`] answers, for it is asked in every turn of a loop; the end of time if
    /// nothing is filed. Filing lowers it, all else counts it anew.
    soonest: u64,
}

/// One level: 512 chains and a bit for each that is not empty. Allocated when first used.
struct Level<T: Copy> {
    slots: Vec<Chain<T, u32>>,
    used: [u64; WORDS],
}

/// Filings with whole deadlines, and a bound below which none of these lies.
struct Far<T: Copy> {
    chain: Chain<T, u64>,
    earliest: u64,
}

/// Where a sweep stands. It goes from the far filings down the levels to the early ones: in the
/// direction in which filings move, so that none can slip past it.
struct Sweep<T: Copy> {
    stage: Stage,
    /// What is left of the slot that is being swept, and the slot's first tick.
    chain: Chain<T, u32>,
    start: u64,
    level: usize,
}

#[derive(Clone, Copy)]
enum Stage {
    Begin,
    Far,
    Slots { level: usize, place: usize },
    Early { after: (u64, u64) },
}

/// Where filings are.
#[derive(Clone, Copy)]
enum Source {
    Early,
    /// In the slot that a sweep has taken.
    Swept,
    Level(usize),
    Far,
}

/// Something that has to happen before the cursor may pass a tick.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Event {
    /// A slot of level 0 is due.
    Due,
    /// A slot of a higher level begins.
    Cascade(usize),
    /// The slot that a sweep has taken begins.
    Swept,
    /// Far filings come into reach.
    Far,
}

impl<T: Copy> Wheel<T> {
    /// An empty wheel for a clock that now shows `now` ms; allocates nothing.
    pub fn new(now: u64) -> Self {
        Self {
            cursor: now,
            len: 0,
            levels: [const { Level { slots: Vec::new(), used: [0; WORDS] } }; LEVELS],
            far: Far::new(),
            far_moving: Far::new(),
            early: BTreeMap::new(),
            serial: 0,
            sweep: Sweep { stage: Stage::Begin, chain: Chain::new(), start: 0, level: 0 },
            soonest: u64::MAX,
        }
    }

    /// The number of filings.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is filed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes on the heap, without what the allocator adds; for the early filings an estimate.
    /// Looks at each used slot: for statistics, not for every turn.
    pub fn bytes(&self) -> usize {
        let levels: usize = self.levels.iter().map(Level::bytes).sum();
        let chains = self.far.chain.bytes() + self.far_moving.chain.bytes() + self.sweep.chain.bytes();
        // Nodes of the map are between half full and full.
        let early = self.early.len() * size_of::<((u64, u64), T)>() * 4 / 3;
        levels + chains + early
    }

    /// Files `item` under a deadline in ms. One that has passed is due at the next `advance`.
    #[inline]
    pub fn insert(&mut self, deadline: u64, item: T) {
        self.len += 1;
        self.file(deadline, item);
    }

    /// Hands out what is due at `now`, slot by slot in order of deadlines, and does the wheel's own
    /// work. Each filing handed out or moved takes one from `budget`; at 0 the call returns and
    /// another goes on from there. If some of it is left, nothing due is. `due` gets the item, its
    /// deadline and what is left of the budget, of which it may take more for long work, and may return
    /// a new deadline under which the item is filed again.
    ///
    /// `now` may jump forward any distance: empty slots cost nothing. While it is before an earlier
    /// `now`, only what is due by it is handed out.
    pub fn advance(&mut self, now: u64, budget: &mut usize, due: impl FnMut(T, u64, &mut usize) -> Option<u64>) {
        self.advance_within(now, budget, due);
        self.soonest = self.count_soonest();
    }

    fn advance_within(&mut self, now: u64, budget: &mut usize, mut due: impl FnMut(T, u64, &mut usize) -> Option<u64>) {
        while *budget > 0 {
            let next = self.next_event().filter(|&(tick, _)| tick <= now);
            if let Some((item, deadline)) = self.pop_early(next.map_or(now, |(tick, _)| tick)) {
                *budget -= 1;
                self.hand_out(item, deadline, budget, &mut due);
                continue;
            }
            let Some((tick, event)) = next else {
                let all_early = self.len == self.early.len();
                self.cursor = if all_early { now } else { self.cursor.max(now) };
                let Some(level) = self.level_to_cascade() else {
                    return;
                };
                let slot = (self.cursor >> width_bits(level)) + 1;
                self.cascade(level, slot, budget);
                continue;
            };
            self.cursor = self.cursor.max(tick);
            match event {
                Event::Due => self.drain_due(budget, &mut due),
                Event::Cascade(level) => self.cascade(level, tick >> width_bits(level), budget),
                Event::Swept => self.put_back_swept(budget),
                Event::Far => self.bring_far_nearer(budget),
            }
        }
    }

    /// The earliest tick at which `advance` would do something: exact for deadlines less than half a
    /// second ahead, for later ones the time when they want to be moved, which is earlier. May lie in
    /// the past.
    #[inline]
    pub fn next_deadline(&self) -> Option<u64> {
        (self.soonest != u64::MAX).then_some(self.soonest)
    }

    fn count_soonest(&self) -> u64 {
        let early = self.early.first_key_value().map(|(&(deadline, _), _)| deadline);
        let event = self.next_event().map(|(tick, _)| tick);
        let cascade = (1..LEVELS).filter_map(|level| {
            let slot = self.levels[level].next_used(self.cursor >> width_bits(level))?;
            Some(self.cascade_tick(level, slot))
        });
        early.into_iter().chain(event).chain(cascade).min().unwrap_or(u64::MAX)
    }

    /// When a slot may be cascaded: as soon as the one before it begins.
    fn cascade_tick(&self, level: usize, slot: u64) -> u64 {
        (slot.saturating_sub(1) << width_bits(level)).max(self.cursor)
    }

    /// Shows the owner up to `budget` filings for a verdict on each and goes on where the last call
    /// ended; true when the sweep is complete, after which the next call begins another. A filing
    /// that is there throughout a sweep is shown at least once, and one that moves perhaps again.
    pub fn retain_step(&mut self, budget: usize, judge: impl FnMut(T, u64) -> Verdict) -> bool {
        let complete = self.sweep_on(budget, judge);
        self.soonest = self.count_soonest();
        complete
    }

    fn sweep_on(&mut self, mut budget: usize, mut judge: impl FnMut(T, u64) -> Verdict) -> bool {
        while budget > 0 {
            match self.sweep.stage {
                Stage::Begin if self.far_moving.chain.is_empty() => {
                    std::mem::swap(&mut self.far, &mut self.far_moving);
                    self.sweep.stage = Stage::Far;
                }
                // Far filings on their way into reach; the others are seen after them.
                Stage::Begin => self.sweep_far(&mut budget, &mut judge),
                Stage::Far if self.far_moving.chain.is_empty() => {
                    self.sweep.stage = Stage::Slots { level: LEVELS - 1, place: 0 };
                }
                Stage::Far => self.sweep_far(&mut budget, &mut judge),
                Stage::Slots { level, place } => {
                    self.sweep_slot(level, place, &mut budget, &mut judge);
                }
                Stage::Early { after } => {
                    budget -= 1;
                    let from = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
                    let Some((&key, &item)) = self.early.range(from).next() else {
                        self.sweep.stage = Stage::Begin;
                        return true;
                    };
                    self.sweep.stage = Stage::Early { after: key };
                    let verdict = judge(item, key.0);
                    if verdict != Verdict::Keep {
                        self.early.remove(&key);
                        self.obey(verdict, item, key.0);
                    }
                }
            }
        }
        false
    }

    /// Shows the owner filings from the soonest slots for a verdict on each, `window` at most: enough to find
    /// the earliest of all, if its slot holds no more than that; else some of that slot. Between filings
    /// of one slot there is no order.
    pub fn judge_soonest(&mut self, window: usize, mut judge: impl FnMut(T, u64) -> Verdict) {
        let mut taken: Vec<(T, u64)> = Vec::with_capacity(window);
        let mut earliest = u64::MAX;
        while taken.len() < window {
            let Some((start, source)) = self.soonest_source().filter(|&(start, _)| start <= earliest) else { break };
            let popped = match source {
                Source::Early => self.pop_early(u64::MAX),
                Source::Swept => {
                    // what goes back is to be seen again by the sweep that had taken it
                    let place = place_of(self.sweep.start >> width_bits(self.sweep.level));
                    self.sweep.stage = Stage::Slots { level: self.sweep.level, place };
                    self.sweep.pop()
                }
                Source::Level(level) => {
                    let slot = start >> width_bits(level);
                    self.levels[level].pop(place_of(slot)).map(|(item, low)| (item, deadline_of(slot << width_bits(level), level, low)))
                }
                Source::Far => self.far.pop().or_else(|| self.far_moving.pop()),
            };
            let (item, deadline) = popped.expect("a source has a filing");
            earliest = earliest.min(deadline);
            taken.push((item, deadline));
        }
        // last out, first in again: the same window is seen next time
        for (item, deadline) in taken.into_iter().rev() {
            let verdict = judge(item, deadline);
            self.obey(verdict, item, deadline);
        }
        self.soonest = self.count_soonest();
    }

    /// Where the filing with the earliest deadline may be, and a bound below which it is not.
    fn soonest_source(&self) -> Option<(u64, Source)> {
        let early = self.early.first_key_value().map(|(&(deadline, _), _)| (deadline, Source::Early));
        let swept = (!self.sweep.chain.is_empty()).then_some((self.sweep.start, Source::Swept));
        let far = self.far.earliest().into_iter().chain(self.far_moving.earliest()).min().map(|earliest| (earliest, Source::Far));
        let levels = (0..LEVELS).filter_map(|level| {
            let slot = self.levels[level].next_used(self.cursor >> width_bits(level))?;
            Some((slot << width_bits(level), Source::Level(level)))
        });
        early.into_iter().chain(swept).chain(far).chain(levels).min_by_key(|&(start, _)| start)
    }

    // Filing.

    #[inline]
    fn file(&mut self, deadline: u64, item: T) {
        if deadline < self.cursor {
            self.serial += 1;
            self.early.insert((deadline, self.serial), item);
            self.soonest = self.soonest.min(deadline);
            return;
        }
        // The lowest level that could reach as far, by the distance; the slots' borders may ask for
        // the next one.
        let distance = deadline - self.cursor;
        let bits = u64::BITS - (distance >> (RADIX_BITS + 1)).leading_zeros();
        let mut level = bits.div_ceil(RADIX_BITS) as usize;
        if level < LEVELS {
            let reach = (deadline >> width_bits(level)) - (self.cursor >> width_bits(level));
            level += usize::from(reach >= SLOTS as u64);
        }
        let wanted = if level == 0 {
            self.levels[0].push(place_of(deadline), item, low_bits(deadline));
            deadline
        } else if level < LEVELS {
            let slot = deadline >> width_bits(level);
            self.levels[level].push(place_of(slot), item, low_bits(deadline));
            self.cascade_tick(level, slot)
        } else {
            self.far.push(deadline, item);
            self.far_tick().expect("one was just filed")
        };
        self.soonest = self.soonest.min(wanted);
    }

    fn obey(&mut self, verdict: Verdict, item: T, deadline: u64) {
        match verdict {
            Verdict::Keep => self.file(deadline, item),
            Verdict::Refile(deadline) => self.file(deadline, item),
            Verdict::Drop => self.len -= 1,
        }
    }

    // Advancing.

    fn hand_out(&mut self, item: T, deadline: u64, budget: &mut usize, due: &mut impl FnMut(T, u64, &mut usize) -> Option<u64>) {
        match due(item, deadline, budget) {
            Some(deadline) => self.file(deadline, item),
            None => self.len -= 1,
        }
    }

    fn pop_early(&mut self, now: u64) -> Option<(T, u64)> {
        let first = self.early.first_entry()?;
        let deadline = first.key().0;
        (deadline <= now).then(|| (first.remove(), deadline))
    }

    /// The next thing that must not be passed, and its tick. At equal ticks what refills the lower
    /// levels comes first.
    fn next_event(&self) -> Option<(u64, Event)> {
        let mut next: Option<(u64, Event)> = None;
        let mut consider = |tick: u64, event: Event| {
            if next.is_none_or(|(earliest, _)| tick < earliest) {
                next = Some((tick, event));
            }
        };
        if let Some(tick) = self.far_tick() {
            consider(tick, Event::Far);
        }
        if !self.sweep.chain.is_empty() {
            consider(self.sweep.start, Event::Swept);
        }
        for level in (0..LEVELS).rev() {
            let Some(slot) = self.levels[level].next_used(self.cursor >> width_bits(level)) else {
                continue;
            };
            let event = if level == 0 { Event::Due } else { Event::Cascade(level) };
            consider(slot << width_bits(level), event);
        }
        next
    }

    /// A level whose next slot may be cascaded though it does not begin yet.
    fn level_to_cascade(&self) -> Option<usize> {
        (1..LEVELS).find(|&level| {
            let next = (self.cursor >> width_bits(level)) + 1;
            self.levels[level].is_used(place_of(next))
        })
    }

    fn drain_due(&mut self, budget: &mut usize, due: &mut impl FnMut(T, u64, &mut usize) -> Option<u64>) {
        let place = place_of(self.cursor);
        while *budget > 0 {
            let Some((item, _)) = self.levels[0].pop(place) else {
                return;
            };
            *budget -= 1;
            self.hand_out(item, self.cursor, budget, due);
        }
    }

    fn cascade(&mut self, level: usize, slot: u64, budget: &mut usize) {
        let start = slot << width_bits(level);
        let place = place_of(slot);
        while *budget > 0 {
            let Some((item, low)) = self.levels[level].pop(place) else {
                return;
            };
            *budget -= 1;
            self.file(deadline_of(start, level, low), item);
        }
    }

    fn put_back_swept(&mut self, budget: &mut usize) {
        // At level 0 they go back into the slot they came from, which the sweep must then see again.
        let place = place_of(self.sweep.start >> width_bits(self.sweep.level));
        self.sweep.stage = Stage::Slots { level: self.sweep.level, place };
        while *budget > 0 {
            let Some((item, deadline)) = self.sweep.pop() else {
                return;
            };
            *budget -= 1;
            self.file(deadline, item);
        }
    }

    /// The tick at which the first far filing comes into reach of the highest level.
    fn far_tick(&self) -> Option<u64> {
        let earliest = self.far.earliest().into_iter().chain(self.far_moving.earliest()).min()?;
        let bits = width_bits(LEVELS - 1);
        let slot = (earliest >> bits).saturating_sub(SLOTS as u64 - 1);
        Some((slot << bits).max(self.cursor))
    }

    fn bring_far_nearer(&mut self, budget: &mut usize) {
        if self.far_moving.chain.is_empty() {
            std::mem::swap(&mut self.far, &mut self.far_moving);
        } else if matches!(self.sweep.stage, Stage::Far) {
            // These were on their way through a sweep, which must then see the far ones anew.
            self.sweep.stage = Stage::Begin;
        }
        while *budget > 0 {
            let Some((item, deadline)) = self.far_moving.pop() else {
                return;
            };
            *budget -= 1;
            self.file(deadline, item);
        }
    }

    // Sweeping.

    fn sweep_far(&mut self, budget: &mut usize, judge: &mut impl FnMut(T, u64) -> Verdict) {
        while *budget > 0 {
            let Some((item, deadline)) = self.far_moving.pop() else {
                return;
            };
            *budget -= 1;
            self.obey(judge(item, deadline), item, deadline);
        }
    }

    /// Sweeps on in the slot that was taken, then takes the next one at or after `place`.
    fn sweep_slot(&mut self, level: usize, place: usize, budget: &mut usize, judge: &mut impl FnMut(T, u64) -> Verdict) {
        while *budget > 0 {
            let Some((item, deadline)) = self.sweep.pop() else {
                break;
            };
            *budget -= 1;
            self.obey(judge(item, deadline), item, deadline);
        }
        if *budget == 0 {
            return;
        }
        *budget -= 1;
        self.sweep.stage = match self.levels[level].next_place(place) {
            Some(place) => {
                let current = self.cursor >> width_bits(level);
                self.sweep.start = slot_at(place, current) << width_bits(level);
                self.sweep.level = level;
                self.sweep.chain = self.levels[level].take(place);
                Stage::Slots { level, place: place + 1 }
            }
            None if level > 0 => Stage::Slots { level: level - 1, place: 0 },
            None => Stage::Early { after: (0, 0) },
        };
    }
}

impl<T: Copy> Sweep<T> {
    fn pop(&mut self) -> Option<(T, u64)> {
        let (item, low) = self.chain.pop()?;
        Some((item, deadline_of(self.start, self.level, low)))
    }
}

impl<T: Copy> Far<T> {
    const fn new() -> Self {
        Self { chain: Chain::new(), earliest: u64::MAX }
    }

    fn push(&mut self, deadline: u64, item: T) {
        self.earliest = self.earliest.min(deadline);
        self.chain.push(item, deadline);
    }

    fn pop(&mut self) -> Option<(T, u64)> {
        let popped = self.chain.pop();
        if self.chain.is_empty() {
            self.earliest = u64::MAX;
        }
        popped
    }

    fn earliest(&self) -> Option<u64> {
        (!self.chain.is_empty()).then_some(self.earliest)
    }
}

impl<T: Copy> Level<T> {
    #[inline]
    fn push(&mut self, place: usize, item: T, low: u32) {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, Chain::new);
        }
        self.slots[place].push(item, low);
        self.used[place / 64] |= 1 << (place % 64);
    }

    #[inline]
    fn pop(&mut self, place: usize) -> Option<(T, u32)> {
        let chain = self.slots.get_mut(place)?;
        let popped = chain.pop();
        if chain.is_empty() {
            self.used[place / 64] &= !(1 << (place % 64));
        }
        popped
    }

    fn take(&mut self, place: usize) -> Chain<T, u32> {
        self.used[place / 64] &= !(1 << (place % 64));
        self.slots.get_mut(place).map_or(Chain::new(), std::mem::take)
    }

    fn is_used(&self, place: usize) -> bool {
        self.used[place / 64] & (1 << (place % 64)) != 0
    }

    /// The first used slot from slot `current` on.
    fn next_used(&self, current: u64) -> Option<u64> {
        let place = self.next_place(place_of(current)).or_else(|| self.next_place(0))?;
        Some(slot_at(place, current))
    }

    /// The first used place from `place` on, without going round.
    fn next_place(&self, place: usize) -> Option<usize> {
        let first = place / 64;
        let mut word = self.used.get(first)? & (u64::MAX << (place % 64));
        for index in first..WORDS {
            if word != 0 {
                return Some(index * 64 + word.trailing_zeros() as usize);
            }
            word = *self.used.get(index + 1)?;
        }
        None
    }

    fn bytes(&self) -> usize {
        let chains: usize = self.slots.iter().map(Chain::bytes).sum();
        self.slots.capacity() * size_of::<Chain<T, u32>>() + chains
    }
}

/// The bits of a deadline that lie within a slot of this level.
const fn width_bits(level: usize) -> u32 {
    RADIX_BITS * level as u32
}

/// Where in its level a slot is kept.
const fn place_of(slot: u64) -> usize {
    (slot % SLOTS as u64) as usize
}

/// The slot that a place stands for: the first from slot `current` on that is kept there.
const fn slot_at(place: usize, current: u64) -> u64 {
    let ahead = (place as u64).wrapping_sub(current) % SLOTS as u64;
    current + ahead
}

const fn low_bits(deadline: u64) -> u32 {
    (deadline & u32::MAX as u64) as u32
}

/// A whole deadline from its low bits and the first tick of its slot.
const fn deadline_of(start: u64, level: usize, low: u32) -> u64 {
    start | (low as u64 & ((1 << width_bits(level)) - 1))
}
