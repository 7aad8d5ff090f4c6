//! The latency monitor: which kinds of work took longer than `latency-monitor-threshold`, and when.
//!
//! Each kind keeps its last [`SAMPLES`] spikes, one a second: of several within a second the longest.

use std::collections::{BTreeMap, VecDeque};

/// Spikes that an event keeps.
pub const SAMPLES: usize = 160;

/// One spike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When, in Unix seconds.
    pub at: i64,
    /// How long, in milliseconds.
    pub ms: u64,
}

/// The spikes of one kind of work.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// The latest ones, oldest first; at most [`SAMPLES`].
    pub samples: VecDeque<Sample>,
    /// The longest since the last reset, in milliseconds.
    pub max_ms: u64,
}

/// The monitor.
#[derive(Clone, Debug)]
pub struct LatencyMonitor {
    /// By the name of the kind of work: `command`, `fast-command`, `expire-cycle`.
    pub events: BTreeMap<&'static str, Event>,
    /// From how many nanoseconds on work is noted; the greatest number for never.
    pub threshold_nanos: u64,
}

impl Default for LatencyMonitor {
    fn default() -> Self {
        LatencyMonitor { events: BTreeMap::new(), threshold_nanos: u64::MAX }
    }
}

impl LatencyMonitor {
    /// Sets the threshold in milliseconds; 0 notes nothing.
    pub fn configure(&mut self, threshold_ms: i64) {
        let nanos = u64::try_from(threshold_ms).ok().filter(|&ms| ms > 0).map(|ms| ms.saturating_mul(1_000_000));
        self.threshold_nanos = nanos.unwrap_or(u64::MAX);
    }

    /// Notes work that took so long, if that was long enough. `at` is the time in Unix seconds.
    #[inline]
    pub fn note(&mut self, event: &'static str, at: i64, nanos: u64) {
        if nanos >= self.threshold_nanos {
            self.events.entry(event).or_default().add(Sample { at, ms: nanos / 1_000_000 });
        }
    }

    /// Forgets an event; gives whether there was one.
    pub fn forget(&mut self, name: &[u8]) -> bool {
        let known = self.events.keys().copied().find(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        known.is_some_and(|known| self.events.remove(known).is_some())
    }

    /// The event of that name.
    pub fn event(&self, name: &[u8]) -> Option<(&'static str, &Event)> {
        self.events.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes())).map(|(known, event)| (*known, event))
    }
}

impl Event {
    fn add(&mut self, sample: Sample) {
        self.max_ms = self.max_ms.max(sample.ms);
        match self.samples.back_mut() {
            Some(last) if last.at == sample.at => last.ms = last.ms.max(sample.ms),
            _ => {
                if self.samples.len() == SAMPLES {
                    self.samples.pop_front();
                }
                self.samples.push_back(sample);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_keeps_its_longest_spike_and_an_event_its_latest() {
        let mut monitor = LatencyMonitor::default();
        monitor.note("command", 1, u64::MAX - 1);
        assert!(monitor.events.is_empty(), "off");
        monitor.configure(10);
        monitor.note("command", 1, 9_999_999);
        assert!(monitor.events.is_empty(), "too short");
        for (at, ms) in [(1, 10), (1, 30), (1, 20), (2, 15)] {
            monitor.note("command", at, ms * 1_000_000);
        }
        let (_, event) = monitor.event(b"COMMAND").expect("spikes");
        assert_eq!(event.samples, [Sample { at: 1, ms: 30 }, Sample { at: 2, ms: 15 }]);
        assert_eq!(event.max_ms, 30);
        for at in 3..1000 {
            monitor.note("command", at, 11_000_000);
        }
        assert_eq!(monitor.events["command"].samples.len(), SAMPLES);
        assert!(monitor.forget(b"command") && !monitor.forget(b"command"));
    }
}
