//! What the server counts: commands, errors, traffic, holds of the loop.

use std::collections::BTreeMap;

/// A histogram of durations in nanoseconds: sixteen buckets a doubling, so within 6 % of the truth. It has the buckets from
/// the shortest to the longest duration that came: each command has two histograms, and most durations of one are alike.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// The bucket that the first count is for.
    first: usize,
    counts: Vec<u64>,
    total: u64,
    sum: u64,
    max: u64,
}

const SUB_BITS: u32 = 4;
const BUCKETS: usize = 45 << SUB_BITS;

impl Histogram {
    /// Counts one duration.
    #[inline]
    pub fn record(&mut self, nanos: u64) {
        self.record_many(nanos, 1);
    }

    /// Counts a duration that `times` things took each.
    #[inline]
    pub fn record_many(&mut self, nanos: u64, times: u64) {
        self.record_in(Self::bucket(nanos), nanos, times);
    }

    /// As [`Histogram::record_many`], with the duration's bucket at hand.
    #[inline]
    pub fn record_in(&mut self, bucket: usize, nanos: u64, times: u64) {
        if bucket.wrapping_sub(self.first) >= self.counts.len() {
            self.widen(bucket, bucket + 1);
        }
        self.counts[bucket - self.first] += times;
        self.total += times;
        self.sum = self.sum.wrapping_add(nanos.wrapping_mul(times));
        self.max = self.max.max(nanos);
    }

    /// Takes in the buckets from one on to before another, doublings as a whole.
    #[cold]
    fn widen(&mut self, from: usize, to: usize) {
        let (mut first, mut end) = (from, to);
        if !self.counts.is_empty() {
            (first, end) = (first.min(self.first), end.max(self.first + self.counts.len()));
        }
        first = first >> SUB_BITS << SUB_BITS;
        end = end.next_multiple_of(1 << SUB_BITS);
        let mut counts = vec![0; end - first];
        let at = self.first.saturating_sub(first);
        counts[at..at + self.counts.len()].copy_from_slice(&self.counts);
        (self.first, self.counts) = (first, counts);
    }

    /// The buckets that there are, with their counts.
    fn filled(&self) -> impl Iterator<Item = (usize, u64)> {
        (self.first..).zip(self.counts.iter().copied())
    }

    /// The bucket of a duration, in any histogram.
    #[inline]
    pub fn bucket(nanos: u64) -> usize {
        let value = nanos | 1 << SUB_BITS;
        let shift = 63 - SUB_BITS - value.leading_zeros();
        let index = ((u64::from(shift) << SUB_BITS) + (value >> shift)) as usize - (1 << SUB_BITS);
        let index = if nanos < 1 << SUB_BITS { 0 } else { index };
        index.min(BUCKETS - 1)
    }

    fn upper_bound(bucket: usize) -> u64 {
        let shift = bucket >> SUB_BITS;
        let low = (bucket & ((1 << SUB_BITS) - 1)) as u64 + (1 << SUB_BITS);
        ((low + 1) << shift) - 1
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// All durations together.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The longest.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The duration that `share` of all stayed within.
    pub fn percentile(&self, share: f64) -> u64 {
        let rank = ((self.total as f64) * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.filled() {
            seen += count;
            if seen >= rank {
                return Self::upper_bound(bucket).min(self.max);
            }
        }
        self.max
    }

    /// Cumulative counts at powers of two of a microsecond, as LATENCY HISTOGRAM shows: (µs, count up to it).
    pub fn cumulative_micros(&self) -> Vec<(u64, u64)> {
        let mut shown = Vec::new();
        let (mut seen, mut bound, mut last) = (0, 1u64, 0);
        for (bucket, count) in self.filled() {
            while Self::upper_bound(bucket) / 1024 >= bound {
                if seen > last {
                    shown.push((bound, seen));
                    last = seen;
                }
                bound *= 2;
            }
            seen += count;
        }
        if seen > last {
            shown.push((bound, seen));
        }
        shown
    }

    /// Counts of durations shorter than each of these powers of two of a nanosecond.
    pub fn below_powers(&self, powers: std::ops::RangeInclusive<u32>) -> Vec<u64> {
        let mut seen = 0;
        let mut rest = self.filled().peekable();
        let below = |power: u32| {
            while let Some((_, count)) = rest.next_if(|&(bucket, _)| power < 64 && Self::upper_bound(bucket) < 1 << power) {
                seen += count;
            }
            seen
        };
        powers.map(below).collect()
    }

    /// The buckets that have counts: the longest duration that belongs to each, and its count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> {
        self.filled().filter(|&(_, count)| count > 0).map(|(bucket, count)| (Self::upper_bound(bucket), count))
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Histogram) {
        if !other.counts.is_empty() {
            self.widen(other.first, other.first + other.counts.len());
        }
        for (bucket, more) in other.filled() {
            self.counts[bucket - self.first] += more;
        }
        self.total += other.total;
        self.sum = self.sum.wrapping_add(other.sum);
        self.max = self.max.max(other.max);
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Histogram::default();
    }
}

/// Counts and times of one command.
#[derive(Clone, Debug, Default)]
pub struct CommandStats {
    /// Executions.
    pub calls: u64,
    /// Nanoseconds in all.
    pub nanos: u64,
    /// Refusals before execution.
    pub rejected: u64,
    /// Executions that ended in an error.
    pub failed: u64,
    /// Execution times.
    pub latency: Histogram,
    /// Times from the arrival of requests to the write of their replies.
    pub service: Histogram,
}

/// What else the server counts.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Commands executed.
    pub commands: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections refused for `maxclients`.
    pub rejected_connections: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Bytes received from a primary, which are not among these.
    pub replication_bytes_in: u64,
    /// Bytes sent to replicas, likewise.
    pub replication_bytes_out: u64,
    /// Error replies.
    pub error_replies: u64,
    /// Error replies by code.
    pub errors: BTreeMap<Vec<u8>, u64>,
    /// Clients cut for too much output.
    pub output_limit_disconnections: u64,
    /// Clients cut because all clients together took too much.
    pub evicted_clients: u64,
    /// Clients cut for too much input.
    pub query_limit_disconnections: u64,
    /// Reads that brought something.
    pub reads: u64,
    /// Writes to clients.
    pub writes: u64,
    /// Nanoseconds spent on removing keys whose deadline has passed.
    pub expiry_nanos: u64,
    /// Errors that were the answer to a primary, to a replica, or to a command of the append-only file.
    pub unexpected_errors: u64,
    /// Child processes that were started.
    pub forks: u64,
    /// Microseconds that the last start took.
    pub last_fork_micros: u64,
    /// Values that were handed over to be freed elsewhere.
    pub lazily_freed: u64,
    /// The most memory ever in use.
    pub peak_memory: usize,
    /// Commands, bytes in, bytes out and turns a second: rings of samples.
    pub rates: Rates,
    /// Times that one command or background task kept the loop.
    pub holds: Histogram,
    /// Times of whole turns of the loop.
    pub turns: Histogram,
    /// What held the loop longest, and for how long, in nanoseconds.
    pub longest_hold: (u64, Culprit),
    /// What held it longest in this turn.
    pub turn_hold: TurnHold,
}

/// What held the loop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Culprit {
    /// A command's full name, or a background task.
    pub what: String,
    /// Whose command it was: `id=3 addr=127.0.0.1:50000 name=worker`; empty for a task.
    pub client: String,
    /// The beginning of the request; empty for a task. It may hold a key, so it never goes to the log.
    pub request: Vec<u8>,
}

impl Culprit {
    /// A background task.
    pub fn task(what: &str) -> Culprit {
        Culprit { what: what.to_string(), ..Culprit::default() }
    }
}

/// Holds of a turn that are shorter, in nanoseconds, are not to blame for anything.
const NOTABLE: u64 = 100_000;

/// The longest hold of a turn.
#[derive(Clone, Debug)]
pub struct TurnHold {
    /// What a hold must exceed to be it.
    nanos: u64,
    culprit: Option<Culprit>,
}

impl Default for TurnHold {
    fn default() -> TurnHold {
        TurnHold { nanos: NOTABLE, culprit: None }
    }
}

impl TurnHold {
    /// What it is, if there was one, for the next turn to begin anew.
    #[inline]
    pub fn take_if_any(&mut self) -> Option<(u64, Culprit)> {
        let culprit = self.culprit.take()?;
        Some((std::mem::replace(&mut self.nanos, NOTABLE), culprit))
    }
}

impl Stats {
    /// Notes that something kept the loop for so long.
    #[inline]
    pub fn hold(&mut self, nanos: u64, what: impl FnOnce() -> Culprit) {
        self.holds.record(nanos);
        if self.is_long(nanos) {
            self.note_hold(nanos, what());
        }
    }

    /// Whether a hold is so long that it matters what it was.
    #[inline]
    pub fn is_long(&self, nanos: u64) -> bool {
        nanos > self.longest_hold.0 || nanos > self.turn_hold.nanos
    }

    /// Notes what a long hold was, which is counted already.
    #[cold]
    pub fn note_hold(&mut self, nanos: u64, culprit: Culprit) {
        if nanos > self.turn_hold.nanos {
            self.turn_hold = TurnHold { nanos, culprit: Some(culprit.clone()) };
        }
        if nanos > self.longest_hold.0 {
            self.longest_hold = (nanos, culprit);
        }
    }
}

/// A counter that has a rate.
#[derive(Clone, Copy, Debug)]
pub enum Rate {
    /// Commands.
    Commands,
    /// Bytes from clients.
    BytesIn,
    /// Bytes to clients.
    BytesOut,
    /// Bytes from a primary.
    ReplicationIn,
    /// Bytes to replicas.
    ReplicationOut,
    /// Turns of the loop.
    Turns,
    /// Nanoseconds in turns.
    TurnNanos,
}

/// How many of them there are.
const RATES: usize = 7;

/// Rates from samples every 100 ms.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    samples: [[u64; RATES]; 16],
    next: usize,
    last: [u64; RATES],
    last_micros: u64,
}

impl Rates {
    /// Takes a sample of the counters, in the order of [`Rate`], at a monotonic time.
    pub fn sample(&mut self, micros: u64, counters: [u64; RATES]) {
        let elapsed = micros.saturating_sub(self.last_micros).max(1);
        if self.last_micros != 0 {
            for (i, &counter) in counters.iter().enumerate() {
                self.samples[self.next][i] = counter.saturating_sub(self.last[i]) * 1_000_000 / elapsed;
            }
            self.next = (self.next + 1) % self.samples.len();
        }
        self.last = counters;
        self.last_micros = micros;
    }

    /// The counters have been set back to zero.
    pub fn restart(&mut self) {
        self.last = [0; RATES];
    }

    /// A second's worth of a counter: the mean of the samples.
    pub fn per_second(&self, which: Rate) -> u64 {
        self.samples.iter().map(|sample| sample[which as usize]).sum::<u64>() / self.samples.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_seven_percent() {
        let mut histogram = Histogram::default();
        for nanos in 1..=100_000u64 {
            histogram.record(nanos * 10);
        }
        for share in [0.01, 0.5, 0.99, 0.999] {
            let truth = 1_000_000.0 * share;
            let shown = histogram.percentile(share) as f64;
            assert!((shown / truth - 1.0).abs() < 0.07, "{share}: {shown} for {truth}");
        }
        assert_eq!(histogram.max(), 1_000_000);
        assert_eq!(histogram.percentile(1.0), 1_000_000);
        assert_eq!(histogram.cumulative_micros().last().expect("counts").1, 100_000);
        // 10 to 2040, 10 to 4090 and so on are below
        assert_eq!(histogram.below_powers(11..=13), [204, 409, 819]);
        assert_eq!(histogram.below_powers(10..=63).last(), Some(&100_000));
        let mut twice = histogram.clone();
        twice.merge(&histogram);
        assert_eq!((twice.count(), twice.percentile(0.5)), (200_000, histogram.percentile(0.5)));
        assert_eq!(twice.buckets().map(|(_, count)| count).sum::<u64>(), 200_000);
    }

    #[test]
    fn durations_of_all_lengths_find_their_bucket_in_any_order() {
        let lengths: Vec<u64> = (0..64).flat_map(|power| [1 << power, (1u64 << power) + (1 << power) / 3]).chain([0, u64::MAX]).collect();
        let count = lengths.len();
        for step in [1, 5, 77] {
            let mut histogram = Histogram::default();
            let mut alone: Vec<(u64, u64)> = Vec::new();
            for at in 0..count {
                let nanos = lengths[at * step % count];
                histogram.record(nanos);
                let mut one = Histogram::default();
                one.record(nanos);
                assert!(one.counts.len() <= 1 << SUB_BITS, "{nanos} takes one doubling");
                alone.extend(one.buckets());
            }
            alone.sort_unstable();
            let together: Vec<(u64, u64)> = histogram.buckets().flat_map(|(bound, count)| (0..count).map(move |_| (bound, 1))).collect();
            assert_eq!(together, alone);
        }
        let (mut low, mut high) = (Histogram::default(), Histogram::default());
        low.record(100);
        high.record(1_000_000);
        low.merge(&high);
        low.merge(&Histogram::default());
        assert_eq!((low.count(), low.buckets().count(), low.max()), (2, 2, 1_000_000));
    }
}
