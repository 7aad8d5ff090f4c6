//! Rewrites: when a new base is made, by which child, and what became of the last one.
//!
//! One is asked for by BGREWRITEAOF, by turning the append-only file on, by its growth, and by a sync that
//! failed. There is one child at a time of any kind; what finds another one at work is *scheduled*. After
//! three failures in a row the next tries wait a minute, two, four, an hour at most: each leaves an increment
//! behind, and they would pile up.

use std::io;

use super::manifest::BaseFormat;
use super::{Aof, Names, Phase, Trouble, commands};
use crate::base::clock::Now;
use crate::base::text::reason;
use crate::config::Config;
use crate::keyspace::Keyspace;
use crate::persist::child::{Child, End, Errand, Spawn, Voice};
use crate::persist::rdb::output::Output;
use crate::persist::rdb::save;
use crate::persist::snapshot::Progress;
use crate::persist::storage::Storage;

use super::appender::Policy;

/// Failures in a row from which on tries are put off.
const PATIENCE: u64 = 3;
const DELAY_MAX_MINUTES: i64 = 60;
/// Bytes of a base of commands that are written before they are synced, with
/// `aof-rewrite-incremental-fsync`.
const SYNC_EVERY: usize = 4 << 20;

/// How a base is written.
pub enum BasePlan {
    /// As a snapshot.
    Snapshot(save::Plan),
    /// As commands.
    Commands {
        /// The time to note at its start, in Unix seconds.
        stamp: Option<i64>,
        /// Whether it is synced on the way.
        flush: bool,
        /// Microseconds to wait after each key, for tests.
        key_delay: i32,
        /// The texts of libraries of functions.
        libraries: Vec<Vec<u8>>,
    },
}

impl BasePlan {
    /// What the file's name says of it.
    pub fn format(&self) -> BaseFormat {
        match self {
            BasePlan::Snapshot(_) => BaseFormat::Snapshot,
            BasePlan::Commands { .. } => BaseFormat::Commands,
        }
    }

    /// Writes all data into a file and makes it durable. `pulse` is told now and then how many keys are done.
    pub fn write(&self, storage: &dyn Storage, path: &str, space: &Keyspace, mut pulse: impl FnMut(u64)) -> io::Result<()> {
        let mut file = storage.create(path)?;
        match self {
            BasePlan::Snapshot(plan) => {
                let mut out = Output::to_file(&mut *file, plan.writing);
                save::write(&mut out, space, plan, pulse);
                out.finish()?;
            }
            BasePlan::Commands { stamp, flush, key_delay, libraries } => {
                if let Some(now) = stamp {
                    file.write_all(format!("#TS:{now}\r\n").as_bytes())?;
                }
                let mut unsynced = 0;
                commands::write_all(space, libraries, *key_delay, &mut pulse, &mut |bytes| {
                    file.write_all(bytes)?;
                    unsynced += bytes.len();
                    if *flush && unsynced >= SYNC_EVERY {
                        unsynced = 0;
                        file.sync()?;
                    }
                    Ok(())
                })?;
            }
        }
        file.sync()
    }
}

struct Running {
    child: Child,
    started: Now,
    /// Keys that it has to write.
    keys: u64,
    draft: String,
    format: BaseFormat,
}

/// A rewrite could not be begun; the log says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotBegun;

/// What the server lends for a rewrite.
pub struct Means<'a> {
    /// Where the files are.
    pub storage: &'a dyn Storage,
    /// Where children come from.
    pub spawn: Spawn,
    /// The directives.
    pub config: &'a Config,
    /// The time.
    pub now: Now,
    /// How the append-only file is flushed before.
    pub policy: Policy,
}

impl Means<'_> {
    /// The names that the directives give.
    pub fn names(&self) -> Names {
        names(self.config)
    }

    fn seconds(&self) -> i64 {
        self.now.unix.to_millis().seconds()
    }
}

/// The names that the directives give.
pub fn names(config: &Config) -> Names {
    Names { directory: config.appenddirname.clone(), stem: config.appendfilename.clone() }
}

/// Rewrites; see the module's essay.
pub struct Rewrites {
    /// Whether one is to begin as soon as it can.
    pub scheduled: bool,
    /// Whether the last one succeeded.
    pub last_ok: bool,
    /// Seconds that it took.
    pub last_seconds: Option<u64>,
    /// Memory that was copied because of it.
    pub last_copied: u64,
    /// How many were begun.
    pub begun: u64,
    /// Failures since the last success.
    pub failures: u64,
    delay_minutes: i64,
    next_try: Option<i64>,
    running: Option<Running>,
}

impl Default for Rewrites {
    fn default() -> Rewrites {
        Rewrites {
            scheduled: false,
            last_ok: true,
            last_seconds: None,
            last_copied: 0,
            begun: 0,
            failures: 0,
            delay_minutes: 0,
            next_try: None,
            running: None,
        }
    }
}

impl Rewrites {
    /// Whether a child is at work.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The process that writes it, if one does.
    pub fn child(&self) -> Option<u32> {
        self.running.as_ref()?.child.process()
    }

    /// How far the child is.
    pub fn progress(&self, now: Now) -> Option<Progress> {
        let running = self.running.as_ref()?;
        let seconds = now.monotonic.micros_since(running.started.monotonic) / 1_000_000;
        let memory_age = running.child.memory_age(now.monotonic);
        Some(Progress { pulse: running.child.pulse(), keys: running.keys, seconds, memory_age })
    }

    /// Begins one; `first` turns the append-only file on. The error is logged.
    pub fn start(&mut self, aof: &mut Aof, means: &Means<'_>, plan: &BasePlan, space: &Keyspace, first: bool) -> Result<(), NotBegun> {
        let started = aof.begin(means.storage, &means.names(), &means.policy, first).and_then(|()| {
            self.begun += 1;
            let (storage, names) = (means.storage, means.names());
            let child = Child::start(means.spawn, Errand::Rewrite, |voice| write_draft(storage, &names, plan, space, voice));
            child.map_err(|error| format!("Can't rewrite append only file in background: fork: {}", reason(&error)))
        });
        match started {
            Ok(child) => {
                log::info!("Background append only file rewriting started by pid {}", child.pid());
                self.scheduled = false;
                let draft = means.names().draft_of_base(child.pid());
                let keys = space.databases().iter().map(|database| database.len() as u64).sum();
                self.running = Some(Running { child, started: means.now, keys, draft, format: plan.format() });
                Ok(())
            }
            Err(error) => {
                log::warn!("{error}");
                self.last_ok = false;
                self.failures += 1;
                aof.abandon(means.storage, &means.names());
                Err(NotBegun)
            }
        }
    }

    /// Ends the child, whose base is given up.
    pub fn kill(&mut self, aof: &mut Aof, means: &Means<'_>) {
        if let Some(mut running) = self.running.take() {
            log::info!("Killing running AOF rewrite child: {}", running.child.pid());
            running.child.kill();
            // it may not have been made yet
            let _ = means.storage.remove(&running.draft);
            aof.abandon(means.storage, &means.names());
        }
    }

    /// Looks after the child.
    pub fn attend(&mut self, aof: &mut Aof, means: &Means<'_>) {
        if let Some(running) = &mut self.running {
            running.child.listen(means.now.monotonic);
        }
        if let Some(running) = &mut self.running
            && let Some(end) = running.child.poll()
        {
            self.conclude(aof, means, end);
        }
    }

    /// Whether one is due now that no child is at work.
    pub fn is_due(&mut self, aof: &Aof, means: &Means<'_>) -> bool {
        self.scheduled |= aof.phase() == Phase::Starting || matches!(aof.trouble(), Some(Trouble::Sync(_)));
        let growth = self.growth(aof, means.config);
        if !self.scheduled && growth.is_none() || self.is_put_off(means.seconds()) {
            return false;
        }
        if let Some(growth) = growth.filter(|_| !self.scheduled) {
            log::info!("Starting automatic rewriting of AOF on {growth}% growth");
        }
        true
    }

    /// By how much the file has grown, if that is enough for a rewrite.
    fn growth(&self, aof: &Aof, config: &Config) -> Option<u64> {
        let percentage = u64::from(config.auto_aof_rewrite_percentage);
        let size = aof.facts.size;
        if aof.phase() != Phase::On || percentage == 0 || size <= config.auto_aof_rewrite_min_size {
            return None;
        }
        let growth = (size.saturating_mul(100) / aof.facts.base_size.max(1)).saturating_sub(100);
        (growth >= percentage).then_some(growth)
    }

    fn is_put_off(&mut self, now: i64) -> bool {
        if self.failures < PATIENCE {
            (self.delay_minutes, self.next_try) = (0, None);
            return false;
        }
        if let Some(next_try) = self.next_try {
            if now >= next_try {
                self.next_try = None;
            }
            return now < next_try;
        }
        self.delay_minutes = (self.delay_minutes * 2).clamp(1, DELAY_MAX_MINUTES);
        self.next_try = Some(now.saturating_add(self.delay_minutes * 60));
        log::warn!("Background AOF rewrite has repeatedly failed and triggered the limit, will retry in {} minutes", self.delay_minutes);
        true
    }

    fn conclude(&mut self, aof: &mut Aof, means: &Means<'_>, end: End) {
        let Some(running) = self.running.take() else { return };
        self.last_seconds = Some(means.now.monotonic.micros_since(running.started.monotonic) / 1_000_000);
        self.last_copied = running.child.pulse().copied;
        let completed = match end {
            End::Done => {
                log::info!("Background AOF rewrite terminated with success");
                aof.complete(means.storage, &means.names(), &running.draft, running.format)
            }
            End::Failed(_) => Err("Background AOF rewrite terminated with error".to_string()),
            End::Killed(signal) => Err(format!("Background AOF rewrite terminated by signal {signal}")),
        };
        match completed {
            Ok(()) => {
                log::info!("Background AOF rewrite finished successfully");
                (self.last_ok, self.failures) = (true, 0);
            }
            Err(error) => {
                log::warn!("{error}");
                // Redis's own way of stopping a child: no failure
                if end != End::Killed(libc::SIGUSR1) {
                    self.last_ok = false;
                    self.failures += 1;
                }
                // it may not have been made
                let _ = means.storage.remove(&running.draft);
                aof.abandon(means.storage, &means.names());
            }
        }
    }
}

/// What the child does.
fn write_draft(storage: &dyn Storage, names: &Names, plan: &BasePlan, space: &Keyspace, voice: &mut Voice) -> bool {
    let written = plan.write(storage, &names.draft_of_base(std::process::id()), space, |keys| voice.say_keys(keys));
    if let Err(error) = &written {
        log::warn!(
            "Write error writing append only file on disk: {}. The files there are stay as they are; make room or repair the disk, and it is tried again.",
            reason(error)
        );
    }
    voice.say_memory();
    written.is_ok()
}
