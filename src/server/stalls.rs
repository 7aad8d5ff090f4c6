//! Stalls: turns of the loop that took so long that every client felt it, and what was to blame.
//!
//! A turn is all that happens between two polls: reading, executing, timers and background work, writing. While
//! it lasts nobody else is served. Each thing of some length within it (a command, a background task) is a *hold*,
//! see [`Stats::hold`](super::stats::Stats::hold), which remembers the longest of the turn. A turn that exceeds
//! `stall-threshold` is kept here with that longest hold, how much of the turn it took, and how many requests
//! ran; where no hold took half of it, the many are to blame, and the entry says so.
//!
//! The ring is bounded; CONFIG RESETSTAT and LATENCY RESET empty it.

use std::collections::VecDeque;

use super::State;
use super::stats::Culprit;

/// Stalls that are kept.
pub const STALLS: usize = 128;

/// One stall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Its number.
    pub id: u64,
    /// When it ended, in Unix milliseconds.
    pub at_ms: i64,
    /// How long the turn took.
    pub nanos: u64,
    /// What held the loop longest in it.
    pub culprit: Culprit,
    /// For how long.
    pub culprit_nanos: u64,
    /// Requests that ran in the turn.
    pub requests: u64,
}

/// The latest stalls, newest first.
#[derive(Default)]
pub struct Stalls {
    /// The ring.
    pub entries: VecDeque<Stall>,
    /// How many there were since the last reset.
    pub count: u64,
    /// How long they took together.
    pub nanos: u64,
    /// The longest.
    pub max_nanos: u64,
    /// From how many nanoseconds on a turn is one; the greatest number for never.
    threshold: u64,
    next_id: u64,
    /// Commands that had been executed when the turn began.
    commands_before: u64,
}

impl Stalls {
    /// Sets the threshold in milliseconds; 0 notes nothing.
    pub fn configure(&mut self, threshold_ms: u32) {
        self.threshold = if threshold_ms == 0 { u64::MAX } else { u64::from(threshold_ms) * 1_000_000 };
    }

    /// Forgets what there was; gives how many are forgotten.
    pub fn reset(&mut self) -> usize {
        let forgotten = self.entries.len();
        let kept = Stalls { threshold: self.threshold, next_id: self.next_id, commands_before: self.commands_before, ..Stalls::default() };
        *self = kept;
        forgotten
    }
}

impl State {
    /// A turn that began at `began` by the stopwatch is over; gives the time by the stopwatch.
    pub fn turn_ended(&mut self, began: u64) -> u64 {
        let now = self.stopwatch.now();
        let nanos = now.saturating_sub(began);
        let hold = self.stats.turn_hold.take_if_any();
        if nanos >= self.stalls.threshold {
            self.note_stall(nanos, hold);
        }
        self.stalls.commands_before = self.stats.commands;
        now
    }

    #[cold]
    fn note_stall(&mut self, nanos: u64, hold: Option<(u64, Culprit)>) {
        let requests = self.stats.commands.saturating_sub(self.stalls.commands_before);
        let (culprit_nanos, culprit) = match hold {
            Some((held, culprit)) if held >= nanos / 2 => (held, culprit),
            Some((held, culprit)) if requests < 2 => (held, culprit),
            Some((held, longest)) => (held, Culprit { what: format!("many requests, the longest {}", longest.what), ..longest }),
            None => (0, Culprit::task("input, output or the system")),
        };
        log::warn!(
            "The event loop was held for {:.1} ms; longest: {} for {:.1} ms{}{}. Requests in that turn: {requests}",
            nanos as f64 / 1e6,
            culprit.what,
            culprit_nanos as f64 / 1e6,
            if culprit.client.is_empty() { "" } else { ", client " },
            culprit.client,
        );
        let stalls = &mut self.stalls;
        stalls.count += 1;
        stalls.nanos += nanos;
        stalls.max_nanos = stalls.max_nanos.max(nanos);
        let at_ms = self.now.unix.to_millis().0.saturating_add(i64::try_from(nanos / 1_000_000).unwrap_or(i64::MAX));
        stalls.entries.push_front(Stall { id: stalls.next_id, at_ms, nanos, culprit, culprit_nanos, requests });
        stalls.next_id += 1;
        stalls.entries.truncate(STALLS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Now;
    use crate::config::Config;
    use crate::server::registry::Registry;
    use crate::server::{Server, Stopwatch};

    fn at_100_ms() -> u64 {
        100_000_000
    }

    #[test]
    fn a_long_turn_is_kept_with_its_longest_hold_and_the_ring_is_bounded() {
        let mut server = Server::new(Config::default(), Registry::new(&[]), 1, Now::default(), Stopwatch(at_100_ms));
        let state = &mut server.state;
        state.turn_ended(91_000_000);
        assert_eq!(state.stalls.count, 0, "nine milliseconds are no stall");
        state.stats.hold(3_000_000, || Culprit::task("cron"));
        state.stats.hold(80_000_000, || Culprit::task("expiry"));
        state.stats.hold(5_000_000, || Culprit::task("cron"));
        state.turn_ended(0);
        let stall = &state.stalls.entries[0];
        assert_eq!((stall.nanos, stall.culprit_nanos, stall.culprit.what.as_str()), (100_000_000, 80_000_000, "expiry"));
        state.turn_ended(0);
        assert_eq!(state.stalls.entries[0].culprit_nanos, 0, "the hold belongs to the turn before");
        for _ in 0..1000 {
            state.turn_ended(50_000_000);
        }
        assert_eq!((state.stalls.entries.len(), state.stalls.count, state.stalls.max_nanos), (STALLS, 1002, 100_000_000));
        assert_eq!(state.stalls.reset(), STALLS);
        assert_eq!((state.stalls.entries.len(), state.stalls.count), (0, 0));
    }
}
