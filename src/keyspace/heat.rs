//! How recently or how often keys are used: the 24 bits of heat in each block.
//!
//! Under an LRU policy (and without one) they are the access time in seconds, wrapping after 194 days.
//! Under an LFU policy they are, as in Redis, 16 bits of the last decrement's time in minutes above an
//! 8-bit logarithmic counter that decays with idle time and grows by chance.

use std::ptr::NonNull;

use super::entry::Entry;
use super::{Db, DbIndex, EntryRef, Keyspace};
use crate::ds::table::Position;

const LFU_START: u32 = 5;
const CLOCK: u32 = 0x00ff_ffff;

/// What the heat bits mean.
#[derive(Clone, Copy, Debug)]
pub struct HeatPolicy {
    /// Whether they count accesses (LFU) rather than tell their time (LRU).
    pub counts: bool,
    /// `lfu-log-factor`: how slowly the counter grows.
    pub log_factor: u32,
    /// `lfu-decay-time`: minutes for one step down, 0 for none.
    pub decay_minutes: u32,
    /// The clock of this turn in seconds, 24 bits.
    pub clock: u32,
    /// The clock of this turn in minutes, 16 bits.
    pub minutes: u32,
}

impl Default for HeatPolicy {
    fn default() -> Self {
        HeatPolicy { counts: false, log_factor: 10, decay_minutes: 1, clock: 0, minutes: 0 }
    }
}

impl HeatPolicy {
    /// Takes the time of a turn.
    pub fn set_time(&mut self, unix_seconds: i64) {
        let seconds = unix_seconds.unsigned_abs();
        self.clock = (seconds & u64::from(CLOCK)) as u32;
        self.minutes = ((seconds / 60) & 0xffff) as u32;
    }

    /// The heat of a new key.
    pub fn fresh(&self) -> u32 {
        if self.counts { self.minutes << 8 | LFU_START } else { self.clock }
    }

    /// Seconds since the last access, under an LRU policy.
    pub fn idle_seconds(&self, heat: u32) -> u32 {
        self.clock.wrapping_sub(heat) & CLOCK
    }

    /// The access counter after its decay until now, under an LFU policy.
    pub fn frequency(&self, heat: u32) -> u32 {
        let elapsed = self.minutes.wrapping_sub(heat >> 8) & 0xffff;
        let steps = elapsed.checked_div(self.decay_minutes).unwrap_or(0);
        (heat & 0xff).saturating_sub(steps)
    }

    /// The heat that says "idle for so many seconds".
    pub fn from_idle(&self, seconds: u32) -> u32 {
        self.clock.wrapping_sub(seconds) & CLOCK
    }

    /// The heat of an access counter.
    pub fn from_frequency(&self, frequency: u32) -> u32 {
        self.minutes << 8 | frequency & 0xff
    }
}

impl Db<'_> {
    /// Whether the key exists, asked by what may write it: an access, but neither a hit nor a miss.
    pub fn exists_for_write(&mut self, key: &[u8]) -> bool {
        let hash = self.hash(key);
        let found = self.space.find(self.index, key, hash);
        found.is_some_and(|position| {
            self.space.touch(self.index, position);
            true
        })
    }
}

impl Keyspace {
    /// Notes an access.
    #[inline]
    pub(super) fn touch(&mut self, db: DbIndex, position: Position) -> EntryRef<'_> {
        let raw = self.databases[db.at()].table.raw(position);
        self.touch_block(raw)
    }

    /// Notes an access to the block at `raw`, which was found just now.
    #[allow(unsafe_code)]
    #[inline]
    pub(super) fn touch_block(&mut self, raw: NonNull<u8>) -> EntryRef<'_> {
        // SAFETY: the block is live and belongs to this keyspace, which the reference borrows.
        let entry = unsafe { EntryRef::new(raw) };
        if self.touches {
            let heat = entry.heat();
            let hotter = if self.heat.counts { self.count_access(heat) } else { self.heat.clock };
            if hotter != heat {
                // SAFETY: as above, and the block is only used here.
                unsafe { Entry::borrow_mut(raw) }.set_heat(hotter);
            }
        }
        entry
    }

    #[allow(unsafe_code)]
    pub(super) fn set_heat(&mut self, db: DbIndex, position: Position, heat: u32) {
        // SAFETY: the position is fresh; the block is only used here.
        unsafe { Entry::borrow_mut(self.databases[db.at()].table.raw(position)) }.set_heat(heat);
    }

    #[cold]
    fn count_access(&mut self, heat: u32) -> u32 {
        let counter = self.heat.frequency(heat);
        let above = f64::from(counter.saturating_sub(LFU_START));
        let chance = 1.0 / (above * f64::from(self.heat.log_factor) + 1.0);
        let grown = if counter < 255 && self.random.unit() < chance { counter + 1 } else { counter };
        self.heat.from_frequency(grown)
    }
}
