//! Points in time, and the one place that reads the real clock.
//!
//! Two kinds of time exist and their types keep them apart. *Unix time* ([`Millis`], [`Micros`])
//! is what users see: deadlines of keys, stream ids, LASTSAVE. It may jump when someone sets the
//! clock. *Monotonic time* ([`Monotonic`]) never runs backwards and measures how long something
//! took. Neither is read by the server: a turn of the loop starts with [`now`], called by `net` or
//! `main` alone, and the reading is passed down, so a simulated clock needs no seam of its own.
//!
//! Unix times are signed, as in Redis: a deadline may lie before 1970 and arithmetic on what users
//! send may leave the range. Arithmetic here saturates; a command that must refuse an overflow asks
//! for [`Millis::checked_add`].

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A point in Unix time, or a distance between two, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

/// A point in Unix time, or a distance between two, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub i64);

/// A point in monotonic time: microseconds since the process first asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Monotonic(pub u64);

/// Both clocks, read at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// What the wall clock shows.
    pub unix: Micros,
    /// What a stopwatch shows.
    pub monotonic: Monotonic,
}

/// Reads the real clocks. Only `net` and `main` may call this.
pub fn now() -> Now {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    let monotonic = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    Now { unix: unix(), monotonic: Monotonic(monotonic) }
}

/// Reads the real wall clock alone. Only `net` and `main` may call this.
pub fn unix() -> Micros {
    Micros(match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |micros| -micros),
    })
}

impl Millis {
    /// From whole seconds, held at the ends of the range.
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds, rounded down.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The sum, held at the ends of the range.
    #[must_use]
    pub fn saturating_add(self, distance: Millis) -> Self {
        Self(self.0.saturating_add(distance.0))
    }

    /// The difference, held at the ends of the range.
    #[must_use]
    pub fn saturating_sub(self, other: Millis) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The sum, or `None` when it leaves the range.
    pub fn checked_add(self, distance: Millis) -> Option<Self> {
        self.0.checked_add(distance.0).map(Self)
    }
}

impl Micros {
    /// The millisecond that this falls into.
    pub fn to_millis(self) -> Millis {
        Millis(self.0.div_euclid(1000))
    }

    /// Whole seconds, rounded down, and the microseconds (`0..1_000_000`) beyond: TIME's answer.
    pub fn seconds_and_micros(self) -> (i64, i64) {
        (self.0.div_euclid(1_000_000), self.0.rem_euclid(1_000_000))
    }

    /// The sum, held at the ends of the range.
    #[must_use]
    pub fn saturating_add(self, distance: Micros) -> Self {
        Self(self.0.saturating_add(distance.0))
    }

    /// The difference, held at the ends of the range.
    #[must_use]
    pub fn saturating_sub(self, other: Micros) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Monotonic {
    /// Microseconds from `earlier` to here; zero when `earlier` is not earlier.
    pub fn micros_since(self, earlier: Monotonic) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The point that lies `micros` later, held at the end of the range.
    #[must_use]
    pub fn saturating_add(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_round_down_and_saturate() {
        assert_eq!(Micros(1_999).to_millis(), Millis(1));
        assert_eq!(Micros(-1).to_millis(), Millis(-1));
        assert_eq!(Micros(-1).seconds_and_micros(), (-1, 999_999));
        assert_eq!(Micros(2_000_003).seconds_and_micros(), (2, 3));
        assert_eq!(Millis(-1).seconds(), -1);
        assert_eq!(Millis(2_999).seconds(), 2);
        assert_eq!(Millis::from_seconds(i64::MAX), Millis(i64::MAX));
        assert_eq!(Millis::from_seconds(-3), Millis(-3000));
    }

    #[test]
    fn sums_stay_within_the_range() {
        assert_eq!(Millis(i64::MAX).saturating_add(Millis(1)), Millis(i64::MAX));
        assert_eq!(Millis(i64::MIN).saturating_sub(Millis(1)), Millis(i64::MIN));
        assert_eq!(Millis(i64::MAX).checked_add(Millis(1)), None);
        assert_eq!(Millis(1).checked_add(Millis(2)), Some(Millis(3)));
        assert_eq!(Micros(i64::MAX).saturating_add(Micros(1)), Micros(i64::MAX));
        assert_eq!(Micros(1).saturating_sub(Micros(3)), Micros(-2));
        assert_eq!(Monotonic(5).micros_since(Monotonic(9)), 0);
        assert_eq!(Monotonic(9).micros_since(Monotonic(5)), 4);
        assert_eq!(Monotonic(u64::MAX).saturating_add(1), Monotonic(u64::MAX));
    }

    #[test]
    fn the_stopwatch_does_not_run_backwards() {
        let first = now();
        let second = now();
        assert!(second.monotonic >= first.monotonic);
        assert!(first.unix > Micros(1_600_000_000_000_000), "it is after 2020");
    }
}
