//! Deadlines as requests say them: a number of seconds or milliseconds, counted from now or from 1970.
//!
//! Which numbers are too small, when they are looked at and how seconds are rounded differs from family to family and
//! is theirs.

use crate::base::clock::Millis;

/// What a number of a deadline counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeUnit {
    /// Seconds from now.
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// Unix time in seconds.
    UnixSeconds,
    /// Unix time in milliseconds.
    UnixMilliseconds,
}

impl TimeUnit {
    /// The unit of the number that an option introduces: EX, PX, EXAT or PXAT.
    pub(super) fn introduced_by(word: &[u8]) -> Option<TimeUnit> {
        let units = [
            ("EX", TimeUnit::Seconds),
            ("PX", TimeUnit::Milliseconds),
            ("EXAT", TimeUnit::UnixSeconds),
            ("PXAT", TimeUnit::UnixMilliseconds),
        ];
        units.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())).map(|(_, unit)| unit)
    }

    /// Whether it is seconds, from whenever.
    pub(super) fn is_seconds(self) -> bool {
        matches!(self, TimeUnit::Seconds | TimeUnit::UnixSeconds)
    }

    fn is_from_now(self) -> bool {
        matches!(self, TimeUnit::Seconds | TimeUnit::Milliseconds)
    }

    /// The point in time that a number names; `None` beyond the clock.
    pub(super) fn deadline(self, number: i64, now: Millis) -> Option<Millis> {
        let scale = if self.is_seconds() { 1000 } else { 1 };
        let base = if self.is_from_now() { now } else { Millis(0) };
        base.checked_add(Millis(number.checked_mul(scale)?))
    }

    /// The milliseconds of a deadline, to be shown in this unit: from now none that have passed.
    pub(super) fn millis_of(self, deadline: Millis, now: Millis) -> i64 {
        if self.is_from_now() { deadline.saturating_sub(now).0.max(0) } else { deadline.0 }
    }
}
