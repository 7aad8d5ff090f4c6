//! Hot spots: which keys, prefixes of keys and clients take the most operations, processor time and bytes, and
//! which keys are the largest. Always on, in a few hundred kilobytes.
//!
//! Commands are *sampled*: one in [`Hotspots::stride`] is looked at and stands for that many, so that a command
//! pays a countdown. The stride follows the load ([`SAMPLES_A_SECOND`]), so that a quiet server sees every
//! command and a busy one pays next to nothing. A command that took long or moved much is always looked at and stands
//! for itself alone; what is expensive is therefore not missed by chance, and both kinds together are an
//! unbiased estimate. The samples feed three sketches of heavy hitters ([`HeavyHitters`]), in which weight halves
//! every [`HALF_LIFE`] seconds: what they show is hot now.
//!
//! A command of several keys is shared out among them, the first [`KEYS_A_COMMAND`].
//!
//! Large keys are found by a scan that visits a few hundred keys at each run of the cron, and among the keys of
//! sampled commands, which are measured at the next cron, when no command runs that they belong to. Sizes are
//! those of MEMORY USAGE.
//!
//! A *session* (HOTKEYS START) is a sketch of its own that sees every command, or one in as many as was
//! asked, and fades nothing.

use super::client::{Client, ClientFlags};
use super::context::Ctx;
use super::host::Usage;
use super::stats::Culprit;
use super::{Server, State};
use crate::base::random::Random;
use crate::ds::heavy::HeavyHitters;
use crate::keyspace::expiry::Expiry;
use crate::keyspace::{DbIndex, Keyspace};
use crate::limits;
use crate::resp::request::Args;

/// Seconds in which what is not used any more loses half of its weight.
pub const HALF_LIFE: f64 = 30.0;
/// How many commands a second are looked at, at about: each costs some microseconds, most of them for lines that the
/// commands in between have pushed out of the cache.
const SAMPLES_A_SECOND: u64 = 512;
/// Slots of a sketch: what has more than three of this many parts of all is never missed.
const SLOTS: usize = 256;
/// Bytes of a key or prefix that are kept.
const LABEL_MAX: usize = 512;
/// Keys among which a command is shared out.
const KEYS_A_COMMAND: usize = 16;
/// A command that took so many nanoseconds is always looked at.
const LARGE_NANOS: u64 = 250_000;
/// A command whose request or reply has so many bytes is always looked at.
const LARGE_BYTES: u64 = 64 * 1024;
/// Large keys that are remembered.
const BIG_KEYS: usize = 128;
/// Keys of sampled commands that wait to be measured.
const SUSPECTS: usize = 64;
/// Keys and steps of the scan for large keys at each run of the cron.
const SCANNED_KEYS: usize = 256;
const SCAN_STEPS: usize = 128;
/// Elements of a collection that are measured, as by MEMORY USAGE.
const ELEMENTS: usize = 5;

const _: () = assert!(4 * SLOTS * (LABEL_MAX + 256) + BIG_KEYS * 1024 < limits::HOTSPOTS_MAX, "two megabytes are enough");

/// A key that takes much memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BigKey {
    /// Its database.
    pub db: DbIndex,
    /// The key.
    pub key: Box<[u8]>,
    /// Bytes when it was last measured.
    pub bytes: usize,
}

/// What is hot. See the module's essay.
pub struct Hotspots {
    on: bool,
    /// Commands until the next one that is looked at.
    countdown: u32,
    /// What the countdown was set to.
    armed: u32,
    /// Commands from there until the next sample; the countdown may be shorter for a session.
    until_sample: u32,
    /// How many commands the next sample stands for: the stride when it was drawn.
    stands_for: u32,
    /// How many commands a sample stands for at present, on average.
    stride: u32,
    sampled: u64,
    commands_before: u64,
    /// Keys; the tag is the database.
    pub keys: HeavyHitters,
    /// Prefixes of keys; the tag is the database.
    pub prefixes: HeavyHitters,
    /// Clients by address; the tag is the client's number.
    pub clients: HeavyHitters,
    /// The largest keys, in no order.
    pub big: Vec<BigKey>,
    suspects: Vec<(DbIndex, Box<[u8]>)>,
    scan: (DbIndex, u64),
    /// HOTKEYS START's.
    pub session: Option<Session>,
    random: Random,
}

/// What HOTKEYS START asked for, and what was seen.
pub struct Session {
    /// Unix milliseconds of its start.
    pub started_ms: i64,
    /// And of its end, if it has ended or is to end.
    pub ends_ms: Option<i64>,
    /// Whether it was stopped or its time is up.
    pub stopped: bool,
    /// One in so many commands is looked at.
    pub ratio: u32,
    until_sample: u32,
    /// Whether processor time is asked for.
    pub cpu: bool,
    /// Whether bytes are.
    pub net: bool,
    /// How many keys are asked for.
    pub count: usize,
    /// The keys.
    pub sketch: HeavyHitters,
    /// Nanoseconds of all commands.
    pub nanos: u64,
    /// Bytes of all requests and replies.
    pub bytes: u64,
    /// What the process had used at the start, and at the end.
    pub usage: (Usage, Option<Usage>),
}

impl Session {
    /// A session that begins now, for so many of the hottest keys.
    pub fn new(now_ms: i64, duration_ms: Option<i64>, ratio: u32, [cpu, net]: [bool; 2], count: usize, usage: Usage) -> Session {
        Session {
            started_ms: now_ms,
            ends_ms: duration_ms.map(|duration| now_ms.saturating_add(duration)),
            stopped: false,
            ratio,
            until_sample: 1,
            cpu,
            net,
            count,
            sketch: HeavyHitters::new(SLOTS, LABEL_MAX, f64::INFINITY, 0.0),
            nanos: 0,
            bytes: 0,
            usage: (usage, None),
        }
    }

    /// Ends it.
    pub fn stop(&mut self, now_ms: i64, usage: Usage) {
        if !self.stopped {
            self.stopped = true;
            self.ends_ms = Some(self.ends_ms.map_or(now_ms, |end| end.min(now_ms)));
            self.usage.1 = Some(usage);
        }
    }
}

impl Hotspots {
    /// Sketches that are off until they are configured.
    pub fn new(random: &mut Random) -> Hotspots {
        let sketch = || HeavyHitters::new(SLOTS, LABEL_MAX, HALF_LIFE, 0.0);
        Hotspots {
            on: false,
            countdown: u32::MAX,
            armed: u32::MAX,
            until_sample: 1,
            stands_for: 1,
            stride: 1,
            sampled: 0,
            commands_before: 0,
            keys: sketch(),
            prefixes: sketch(),
            clients: sketch(),
            big: Vec::new(),
            suspects: Vec::new(),
            scan: (DbIndex(0), 0),
            session: None,
            random: Random::from_seed(random.next_u64()),
        }
    }

    /// Whether hot spots are looked for.
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Turns it on or off, which forgets everything.
    pub fn configure(&mut self, on: bool, now: f64) {
        if on != self.on {
            self.on = on;
            self.reset(now);
        }
    }

    /// Forgets everything but a session.
    pub fn reset(&mut self, now: f64) {
        for sketch in [&mut self.keys, &mut self.prefixes, &mut self.clients] {
            sketch.clear(now);
        }
        self.big.clear();
        self.suspects.clear();
        (self.stride, self.stands_for, self.until_sample) = (1, 1, 1);
        self.arm();
    }

    /// Whether the command that has just run is due to be looked at.
    #[inline]
    pub fn is_due(&mut self) -> bool {
        self.countdown = self.countdown.wrapping_sub(1);
        self.countdown == 0
    }

    /// From how many nanoseconds and bytes on a command is always looked at.
    pub fn always(&self) -> (u64, u64) {
        if self.on { (LARGE_NANOS, LARGE_BYTES) } else { (u64::MAX, u64::MAX) }
    }

    /// Sets the countdown to whatever comes first; what it has counted is not lost.
    pub fn recount(&mut self) {
        self.until_sample = self.until_sample.saturating_sub(self.armed - self.countdown).max(1);
        self.arm();
    }

    fn arm(&mut self) {
        let sample = if self.on { self.until_sample } else { u32::MAX };
        self.armed = if self.is_in_session() { 1 } else { sample };
        self.countdown = self.armed;
    }

    /// How many commands the one that has just run stands for as a sample; 0 if it is none.
    fn take_sample(&mut self) -> u32 {
        let passed = self.armed - self.countdown;
        self.until_sample = self.until_sample.saturating_sub(passed);
        let factor = if self.on && self.until_sample == 0 { self.stands_for } else { 0 };
        if self.until_sample == 0 {
            self.draw_sample();
        }
        factor
    }

    /// How many commands one sample stands for at present.
    pub fn stride(&self) -> u32 {
        self.stride
    }

    /// Takes the time, and fits the stride to the load; `elapsed` seconds after the last time.
    fn adapt(&mut self, now: f64, commands: u64, hz: u32) {
        for sketch in [&mut self.keys, &mut self.prefixes, &mut self.clients] {
            sketch.set_time(now);
        }
        let ran = commands.saturating_sub(self.commands_before);
        self.commands_before = commands;
        let wanted = ran.saturating_mul(u64::from(hz)) / SAMPLES_A_SECOND;
        self.stride = u32::try_from(wanted).unwrap_or(u32::MAX).clamp(1, limits::HOTSPOT_STRIDE_MAX);
        self.sampled = 0;
    }

    /// Bytes that all of it takes.
    pub fn allocated(&self) -> usize {
        let sketches = [&self.keys, &self.prefixes, &self.clients].map(HeavyHitters::allocated).iter().sum::<usize>();
        let big: usize = self.big.iter().map(|big| big.key.len() + size_of::<BigKey>()).sum();
        sketches + big + self.session.as_ref().map_or(0, |session| session.sketch.allocated())
    }

    /// Takes the size of a key, if it is among the largest.
    fn measured(&mut self, db: DbIndex, key: &[u8], bytes: usize) {
        if let Some(known) = self.big.iter_mut().find(|big| big.db == db && *big.key == *key) {
            known.bytes = bytes;
            return;
        }
        if key.len() > LABEL_MAX {
            return;
        }
        let big = BigKey { db, key: key.into(), bytes };
        if self.big.len() < BIG_KEYS {
            self.big.push(big);
        } else if let Some(least) = self.big.iter_mut().min_by_key(|big| big.bytes).filter(|least| least.bytes < bytes) {
            *least = big;
        }
    }

    /// The largest keys by their last measure, at most `count`.
    pub fn largest(&self, count: usize) -> Vec<&BigKey> {
        let mut found: Vec<&BigKey> = self.big.iter().collect();
        found.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.key.cmp(&b.key)));
        found.truncate(count);
        found
    }

    /// What a key must exceed to be among the largest.
    fn floor(&self) -> usize {
        if self.big.len() < BIG_KEYS { 0 } else { self.big.iter().map(|big| big.bytes).min().unwrap_or(0) }
    }
}

/// The part of a key that it has in common with its kind: up to the first `:`, `/` or `|`, or up to the first digit.
pub fn prefix(key: &[u8]) -> &[u8] {
    let end = key.iter().position(|byte| matches!(byte, b':' | b'/' | b'|' | b'0'..=b'9'));
    match end {
        Some(at) if !key[at].is_ascii_digit() => &key[..=at],
        Some(at) => &key[..at],
        None => key,
    }
}

/// Looks at the command that has just run, if it is due or large.
#[cold]
pub fn look(ctx: &mut Ctx<'_>, args: Args<'_>, nanos: u64, replied: u64) {
    let client = &ctx.state.clients[ctx.client];
    if client.flags.any(ClientFlags::REPLAY) {
        ctx.state.hotspots.recount();
        return;
    }
    let bytes = ctx.state.request_bytes + replied;
    let spots = &mut ctx.state.hotspots;
    let is_large = nanos >= LARGE_NANOS || ctx.state.request_bytes >= LARGE_BYTES || replied >= LARGE_BYTES;
    let counted = spots.countdown == 0;
    let factor = spots.look_at(is_large);
    let in_session = counted && spots.session.as_mut().is_some_and(|session| session.counts(nanos, bytes, &mut spots.random));
    if factor > 0.0 || in_session {
        attribute(ctx, args, [1.0, nanos as f64, bytes as f64], factor, in_session);
    }
}

impl Session {
    /// Counts a command; whether it is a sample.
    fn counts(&mut self, nanos: u64, bytes: u64, random: &mut Random) -> bool {
        if self.stopped {
            return false;
        }
        self.nanos += nanos;
        self.bytes += bytes;
        self.until_sample -= 1;
        if self.until_sample > 0 {
            return false;
        }
        self.until_sample = draw(self.ratio, random);
        true
    }
}

/// A number whose mean is `mean`, so that no pattern in the requests meets a pattern in the samples.
fn draw(mean: u32, random: &mut Random) -> u32 {
    let below = u64::from(mean) * 2 - 1;
    1 + u32::try_from(random.below(below.max(1))).unwrap_or(mean)
}

impl Hotspots {
    fn is_in_session(&self) -> bool {
        self.session.as_ref().is_some_and(|session| !session.stopped)
    }

    /// How many commands the one that has just run stands for; 0 for none. One that is always looked at stands for
    /// itself, sample or not.
    fn look_at(&mut self, is_large: bool) -> f64 {
        let sample = self.take_sample();
        self.arm();
        if self.on && is_large { 1.0 } else { f64::from(sample) }
    }

    fn draw_sample(&mut self) {
        self.sampled += 1;
        if self.sampled > SAMPLES_A_SECOND && self.stride < limits::HOTSPOT_STRIDE_MAX {
            // the load has grown since the last cron
            self.stride *= 2;
            self.sampled = SAMPLES_A_SECOND / 2;
        }
        self.stands_for = self.stride;
        self.until_sample = draw(self.stride, &mut self.random);
    }
}

/// Shares a command out among its keys, and its client.
fn attribute(ctx: &mut Ctx<'_>, args: Args<'_>, weights: [f64; 3], factor: f64, in_session: bool) {
    let db = ctx.db.index();
    let hasher = ctx.db.space().hasher();
    let indices = ctx.row().key_indices(args).unwrap_or_default();
    let id = ctx.state.clients[ctx.client].id;
    let State { hotspots: spots, clients, .. } = &mut *ctx.state;
    if factor > 0.0 {
        let address = clients[ctx.client].peer.address.as_bytes();
        spots.clients.add(hasher.hash(&id.to_le_bytes()), id, address, weights.map(|weight| weight * factor));
    }
    let shared = indices.len().min(KEYS_A_COMMAND);
    for &index in &indices[..shared] {
        let key = args.at(index);
        // each key is an operation; time and bytes are shared out
        let part = [1.0, weights[1] / shared as f64, weights[2] / shared as f64];
        let tag = u64::from(db.0);
        let salted = |label: &[u8], salt: u64| hasher.hash(label) ^ (tag + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if factor > 0.0 {
            let grown = part.map(|weight| weight * factor);
            spots.keys.add(salted(key, 1), tag, key, grown);
            let prefix = prefix(key);
            spots.prefixes.add(salted(prefix, 1), tag, prefix, grown);
            if spots.suspects.len() < SUSPECTS && key.len() <= LABEL_MAX {
                spots.suspects.push((db, key.into()));
            }
        }
        if let Some(session) = spots.session.as_mut().filter(|_| in_session) {
            session.sketch.add(salted(key, 1), tag, key, part);
        }
    }
}

impl State {
    /// The time in seconds that the sketches go by.
    pub fn hot_seconds(&self) -> f64 {
        self.now.monotonic.0 as f64 / 1e6
    }

    /// Measures the large keys anew and forgets those that are gone.
    pub fn measure_big_keys(&mut self, space: &mut Keyspace) {
        let mut big = std::mem::take(&mut self.hotspots.big);
        big.retain_mut(|big| match space.db(big.db).peek(&big.key) {
            Some(entry) => {
                big.bytes = entry.footprint(ELEMENTS);
                true
            }
            None => false,
        });
        big.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.key.cmp(&b.key)));
        self.hotspots.big = big;
    }
}

impl Server {
    /// Housekeeping: the stride, a session's end, the search for large keys.
    pub(super) fn attend_hotspots(&mut self) {
        let now = self.state.hot_seconds();
        let State { hotspots, stats, config, host, .. } = &mut self.state;
        hotspots.adapt(now, stats.commands, config.hz.max(1));
        let now_ms = self.keyspace.now.0;
        if let Some(session) = &mut hotspots.session
            && session.ends_ms.is_some_and(|end| end <= now_ms)
            && !session.stopped
        {
            session.stop(now_ms, (host.usage)());
            hotspots.recount();
        }
        if hotspots.on {
            let started = self.state.stopwatch.now();
            // to look is not to touch: nothing expires by it
            let expiry = std::mem::replace(&mut self.keyspace.expiry, Expiry::Ignore);
            self.look_for_big_keys();
            self.keyspace.expiry = expiry;
            let nanos = self.state.stopwatch.now().saturating_sub(started);
            self.state.stats.hold(nanos, || Culprit::task("search for large keys"));
        }
    }

    fn look_for_big_keys(&mut self) {
        let spots = &mut self.state.hotspots;
        let floor = spots.floor();
        for (db, key) in spots.suspects.split_off(0) {
            if let Some(entry) = self.keyspace.db(db).peek(&key) {
                let bytes = entry.footprint(ELEMENTS);
                if bytes > floor {
                    spots.measured(db, &key, bytes);
                }
            }
        }
        let databases = u32::try_from(self.keyspace.databases().len()).unwrap_or(u32::MAX);
        let (mut db, mut cursor) = spots.scan;
        let mut visited = 0;
        for _ in 0..SCAN_STEPS {
            if visited >= SCANNED_KEYS {
                break;
            }
            cursor = self.keyspace.db(db).scan(cursor, |entry| {
                visited += 1;
                let bytes = entry.footprint(ELEMENTS);
                if bytes > floor {
                    spots.measured(db, entry.key(), bytes);
                }
            });
            if cursor == 0 {
                db = DbIndex((db.0 + 1) % databases.max(1));
            }
        }
        spots.scan = (db, cursor);
    }
}

/// A client among the hottest, as it is now or was: `None` if it is gone.
pub fn client_of(state: &State, id: u64) -> Option<&Client> {
    state.clients.by_id(id).and_then(|key| state.clients.get(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_where_the_kind_ends() {
        for (key, expected) in [
            ("user:1000:name", "user:"),
            ("key:000000000017", "key:"),
            ("session123", "session"),
            ("a/b/c", "a/"),
            ("plain", "plain"),
            ("17", ""),
            ("", ""),
        ] {
            assert_eq!(prefix(key.as_bytes()), expected.as_bytes(), "{key}");
        }
    }

    /// What all commands of a run, each large or not, are taken for: large ones, small ones.
    fn estimate(commands: u32, is_large: impl Fn(u32) -> bool, mut between: impl FnMut(u32, &mut Hotspots)) -> (f64, f64) {
        let mut spots = Hotspots::new(&mut Random::from_seed(5));
        spots.configure(true, 0.0);
        let (mut large, mut small) = (0.0, 0.0);
        for at in 0..commands {
            between(at, &mut spots);
            let is_due = spots.is_due();
            let sum = if is_large(at) { &mut large } else { &mut small };
            if is_due || is_large(at) {
                *sum += spots.look_at(is_large(at));
            }
        }
        (large, small)
    }

    #[test]
    fn samples_and_large_commands_add_up_to_all() {
        const COMMANDS: u32 = 2_000_000;
        for every in [3, 50, 1000, u32::MAX] {
            let is_large = |at: u32| at % every == every - 1;
            let cron = |at: u32, spots: &mut Hotspots| {
                if at.is_multiple_of(20_000) {
                    // the load swings
                    spots.adapt(0.0, u64::from(at) * (1 + u64::from(at / 20_000 % 5)), 10);
                }
            };
            let (large, small) = estimate(COMMANDS, is_large, cron);
            assert_eq!(large, f64::from(COMMANDS / every), "every {every}");
            let truth = f64::from(COMMANDS - COMMANDS / every);
            assert!((small / truth - 1.0).abs() < 0.05, "{small} for {truth}, every {every}");
        }
    }

    #[test]
    fn a_session_costs_no_samples() {
        const COMMANDS: u32 = 400_000;
        let session = |at: u32, spots: &mut Hotspots| {
            if at.is_multiple_of(20_000) {
                spots.adapt(0.0, u64::from(at), 10);
            }
            if at.is_multiple_of(100) {
                let on = at.is_multiple_of(200);
                spots.session = on.then(|| Session::new(0, None, 1, [true, true], 10, Usage::default()));
                spots.recount();
            }
        };
        let (_, small) = estimate(COMMANDS, |_| false, session);
        assert!((small / f64::from(COMMANDS) - 1.0).abs() < 0.1, "{small}");
    }

    #[test]
    fn samples_are_as_many_as_the_stride_says() {
        let mut random = Random::from_seed(1);
        for mean in [1, 2, 7, 128] {
            let sum: u64 = (0..20_000).map(|_| u64::from(draw(mean, &mut random))).sum();
            let shown = sum as f64 / 20_000.0;
            assert!((shown / f64::from(mean) - 1.0).abs() < 0.03, "{shown} for {mean}");
        }
    }
}
