//! The memory ceiling: `maxmemory`, seen to before each command.
//!
//! ```text
//!             used ≤ limit
//!         ┌──────────────────┐
//!         ▼                  │
//!      Enough ──used > limit──▶ evict ──time is up──▶ Freeing ──next turn──▶ evict
//!                               │  ▲                     (commands run meanwhile)
//!                               │  └── room again: Enough
//!                               └── nothing may go ──▶ Full: DENYOOM commands are refused
//! ```
//!
//! A command may run once there is room, so a command that finds none evicts first. It does so for as long
//! as `maxmemory-eviction-tenacity` allows (half a millisecond unless told otherwise); what is then left
//! to do is done at the next commands and in the turns that follow, and nobody is refused as long as there
//! are keys to go. Values that take long to free are freed on another thread; until then they do
//! not count.
//!
//! What counts is all memory of the process but what grows because keys are evicted: the output of
//! replicas and the append-only file's buffer. Were these counted, each evicted key would make the next one go.
//!
//! While `maxmemory` is 0 none of this runs: a command looks at one bool.

use super::client::{Client, ClientFlags, ClientKey};
use super::consequences::Grouping;
use super::stats::Culprit;
use super::{Server, State};
use crate::base::clock::Monotonic;
use crate::base::memory;
use crate::keyspace::expiry::Expiry;
use crate::keyspace::{Keyspace, effects::Effects};
use crate::limits;

/// What is known about the ceiling.
#[derive(Default)]
pub struct Ceiling {
    /// `maxmemory` in bytes, 0 for none.
    pub limit: usize,
    /// Whether eviction goes on in the next turn.
    pub unfinished: bool,
    /// Since when there has been less room than wanted, if so.
    exceeded_since: Option<Monotonic>,
    /// Microseconds that this was so before.
    exceeded_micros: u64,
    /// The last sum of the replicas' output, and when it was taken.
    uncounted: Option<(Monotonic, usize)>,
}

/// What the ceiling leaves to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// There is room, or nothing is done about the want of it here.
    Enough,
    /// Not yet, but keys are going.
    Freeing,
    /// There is none, and no key may go.
    Full,
}

impl Ceiling {
    /// Milliseconds for which memory was over the limit: in all, and this time.
    pub fn exceeded_ms(&self, now: Monotonic) -> (u64, u64) {
        let current = self.exceeded_since.map_or(0, |since| now.0.saturating_sub(since.0));
        ((self.exceeded_micros + current) / 1000, current / 1000)
    }

    /// Starts counting that time anew.
    pub fn reset_exceeded(&mut self) {
        self.exceeded_since = None;
        self.exceeded_micros = 0;
    }

    fn note(&mut self, room: Room, now: Monotonic) {
        match room {
            Room::Enough => {
                if let Some(since) = self.exceeded_since.take() {
                    self.exceeded_micros += now.0.saturating_sub(since.0);
                }
            }
            Room::Freeing | Room::Full => {
                self.exceeded_since.get_or_insert(now);
            }
        }
    }
}

/// What `maxmemory auto` means on a machine, or in a container, with so many bytes.
pub fn automatic_limit(bytes: u64) -> u64 {
    bytes / 100 * limits::AUTO_MAXMEMORY_PERCENT
}

/// For how many nanoseconds one round may evict: up to half a millisecond for a tenacity up to 10; beyond,
/// 15 % more a step, about two minutes at 99; without an end at 100.
fn round_nanos(tenacity: u32) -> u64 {
    const STEP_NANOS: u64 = 50_000;
    match tenacity {
        0..=10 => u64::from(tenacity) * STEP_NANOS,
        // at most 1.5 × 10^11, which fits
        11..=99 => (500_000.0 * 1.15f64.powf(f64::from(tenacity) - 10.0)) as u64,
        _ => u64::MAX,
    }
}

impl State {
    /// Bytes that are in use but do not count: the output of replicas, and what waits for the append-only
    /// file.
    pub fn uncounted_memory(&self) -> usize {
        self.uncounted_output() + self.unwritten_memory()
    }

    fn unwritten_memory(&self) -> usize {
        let waiting = usize::try_from(self.replication.pending_bytes).unwrap_or(usize::MAX);
        self.feed.buffered() + self.stream_slack() + self.aof.buffered() + waiting
    }

    /// Bytes of the chunks that hold the history, beyond what is kept of it: what went out of use at the beginning of the
    /// oldest one, and the free rest of the newest.
    pub fn stream_slack(&self) -> usize {
        let kept = self.most_shared().max(usize::try_from(self.replication.stream.held()).unwrap_or(usize::MAX));
        self.feed.slack((kept as u64).saturating_add(self.replication.pending_bytes))
    }

    /// Bytes that the replica which lags most shares with the history.
    fn most_shared(&self) -> usize {
        self.replicas().map(|(_, client)| client.output.shared()).max().unwrap_or(0)
    }

    fn uncounted_output(&self) -> usize {
        let own = |(_, client): (ClientKey, &Client)| client.output.memory() - client.output.shared();
        self.blocks_beyond_backlog() + self.replicas().map(own).sum::<usize>()
    }

    fn replicas(&self) -> impl Iterator<Item = (ClientKey, &Client)> {
        self.clients.iter().filter(|(_, client)| client.flags.any(ClientFlags::REPLICA))
    }

    /// Bytes of the history that are kept for replicas alone, beyond the backlog: all of them share its blocks.
    pub fn replica_blocks(&self) -> usize {
        if self.replicas().next().is_some() { self.blocks_beyond_backlog() } else { 0 }
    }

    /// Bytes of the history beyond the backlog. A replica that lagged may be gone, and what was kept for it not yet all
    /// dropped: that goes by slices, and is no reason for keys to go.
    fn blocks_beyond_backlog(&self) -> usize {
        let backlog = usize::try_from(self.config.repl_backlog_size).unwrap_or(usize::MAX);
        let stream = &self.replication.stream;
        let held = usize::try_from(stream.held()).unwrap_or(usize::MAX);
        (stream.memory() + self.most_shared().saturating_sub(held)).saturating_sub(backlog)
    }

    /// By how much what counts of the memory in use is above the ceiling.
    #[inline]
    fn excess(&mut self, effects: &Effects) -> usize {
        let used = memory::used();
        if used <= self.ceiling.limit { 0 } else { self.counted_excess(used.saturating_sub(effects.leaving())) }
    }

    fn counted_excess(&mut self, used: usize) -> usize {
        if used <= self.ceiling.limit {
            return 0;
        }
        let now = self.now.monotonic;
        let uncounted = match self.ceiling.uncounted {
            Some((at, bytes)) if at == now => bytes,
            _ => self.uncounted_output(),
        };
        self.ceiling.uncounted = Some((now, uncounted));
        used.saturating_sub(uncounted + self.unwritten_memory()).saturating_sub(self.ceiling.limit)
    }

    /// Whether keys may go here: on a replica that is up to its primary, unless configured otherwise; while
    /// a file is loaded or clients are paused it is up to nobody.
    fn minds_ceiling(&self, space: &Keyspace) -> bool {
        !space.standstill
            && match space.expiry {
                Expiry::Remove => true,
                Expiry::Hide => !self.config.replica_ignore_maxmemory,
                Expiry::Ignore => false,
            }
    }
}

impl Server {
    /// Sees to the limits on memory before a command of a client: first that of clients, then that of all.
    /// `false` if that cost the client its connection.
    #[inline(never)]
    pub(super) fn keep_limits(&mut self, key: ClientKey) -> bool {
        if self.state.client_memory.limit != 0 {
            self.state.memory_changed(key);
            self.state.evict_clients();
            if self.state.clients[key].flags.any(ClientFlags::CLOSE_NOW) {
                return false;
            }
        }
        let full = self.make_room() == Room::Full;
        let gates = &mut self.state.gates;
        if gates.out_of_memory != full {
            gates.out_of_memory = full;
            gates.update();
        }
        true
    }

    /// Goes on with what a command had no time for.
    pub(super) fn keep_evicting(&mut self) {
        if self.state.ceiling.unfinished {
            self.make_room();
        }
    }

    #[inline]
    fn make_room(&mut self) -> Room {
        if self.state.ceiling.limit == 0 || self.state.loading.is_some() {
            return Room::Enough;
        }
        let excess = self.state.excess(&self.keyspace.effects);
        if excess == 0 {
            self.state.ceiling.unfinished = false;
            self.state.ceiling.note(Room::Enough, self.state.now.monotonic);
            return Room::Enough;
        }
        self.evict(excess)
    }

    #[cold]
    fn evict(&mut self, excess: usize) -> Room {
        self.state.ceiling.unfinished = false;
        if !self.state.minds_ceiling(&self.keyspace) {
            // between two pieces of the primary's words
            self.state.ceiling.unfinished = self.keyspace.expiry == Expiry::Ignore && !self.state.config.replica_ignore_maxmemory;
            return Room::Enough;
        }
        // nobody misses an emptied buffer: it goes before any key does
        let excess = excess.saturating_sub(self.state.spare.clear());
        if excess == 0 {
            return Room::Enough;
        }
        let started = self.state.stopwatch.now();
        let evicted = self.keyspace.stats.evicted;
        let room = self.evict_bytes(excess, started);
        self.conclude(Grouping::Apart);
        self.state.ceiling.note(room, self.state.now.monotonic);
        if self.keyspace.stats.evicted != evicted {
            let ended = self.state.stopwatch.now();
            let nanos = ended.saturating_sub(started);
            self.state.stats.hold(nanos, || Culprit::task("eviction"));
            let at = self.state.now.unix.to_millis().seconds();
            self.state.latency.note("eviction-cycle", at, nanos);
            // the time is not the waiting command's
            self.state.command_started = ended;
        }
        room
    }

    /// Evicts keys of so many bytes in all, or until the time is up.
    fn evict_bytes(&mut self, excess: usize, started: u64) -> Room {
        let budget = round_nanos(self.state.config.maxmemory_eviction_tenacity);
        let watched = self.state.latency.threshold_nanos != u64::MAX;
        let mut freed = 0;
        for count in 1usize.. {
            let began = watched.then(|| self.state.stopwatch.now());
            let evicted = self.keyspace.evict_one();
            if let Some(began) = began {
                let nanos = self.state.stopwatch.now().saturating_sub(began);
                self.state.latency.note("eviction-del", self.state.now.unix.to_millis().seconds(), nanos);
            }
            match evicted {
                Some(bytes) => freed += bytes,
                // what is still on its way out may yet make room
                None if self.keyspace.effects.leaving() > 0 => return Room::Freeing,
                None => return Room::Full,
            }
            if freed >= excess {
                return Room::Enough;
            }
            if count.is_multiple_of(limits::EVICTION_BATCH) {
                self.conclude(Grouping::Apart);
                if self.state.stopwatch.now().saturating_sub(started) > budget {
                    break;
                }
            }
        }
        self.state.ceiling.unfinished = true;
        Room::Freeing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenacity_is_a_time() {
        assert_eq!(round_nanos(0), 0);
        assert_eq!(round_nanos(10), 500_000);
        assert_eq!(round_nanos(11), 575_000);
        assert!((110_000_000_000..160_000_000_000).contains(&round_nanos(99)));
        assert_eq!(round_nanos(100), u64::MAX);
    }

    #[test]
    fn time_over_the_limit_is_summed() {
        let mut ceiling = Ceiling::default();
        ceiling.note(Room::Freeing, Monotonic(1_000_000));
        ceiling.note(Room::Full, Monotonic(2_000_000));
        assert_eq!(ceiling.exceeded_ms(Monotonic(3_000_000)), (2000, 2000));
        ceiling.note(Room::Enough, Monotonic(4_000_000));
        ceiling.note(Room::Enough, Monotonic(5_000_000));
        assert_eq!(ceiling.exceeded_ms(Monotonic(6_000_000)), (3000, 0));
    }

    #[test]
    fn auto_leaves_a_quarter() {
        assert_eq!(automatic_limit(1000), 750);
        assert_eq!(automatic_limit(u64::MAX), u64::MAX / 100 * 75);
    }
}
