//! When snapshots are made, and what became of the last one.
//!
//! A snapshot is made at once ([`Snapshots::save`]) or by a child ([`Snapshots::start`]), whose end
//! [`Snapshots::attend`] finds. Both write a draft, `temp-<process>.rdb`, and put it in place of the old
//! file when it is durable. Whoever starts one is told of its end in the log, which is Redis's to the word
//! where tools read it.

use super::child::{Child, End, Pulse, Spawn, copied_memory, is_alive};
use super::rdb::input::Input;
use super::rdb::load::{self, Loaded, Overdue, Twice};
use super::rdb::output::Writing;
use super::rdb::read_value::Shapes;
use super::rdb::save::{self, HeatKept};
use super::rdb::{FULL_VERSION, LoadError};
use super::storage::faulty::Faulty;
use super::storage::{ReadFile, Storage, reason};
use crate::base::clock::{Micros, Now};
use crate::config::Config;
use crate::keyspace::Keyspace;

/// Seconds after a failed snapshot before another is begun unasked.
const RETRY_SECONDS: i64 = 5;

/// What a background snapshot was at its start.
struct Running {
    child: Child,
    started: Now,
    /// Changes that it holds.
    dirty: u64,
    keys: u64,
    draft: String,
}

/// What INFO shows of the child.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// How far it is.
    pub pulse: Pulse,
    /// Keys it has to write.
    pub keys: u64,
    /// Seconds since its start.
    pub seconds: u64,
}

/// Why a snapshot is not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another one is being made.
    Busy,
    /// It could not be begun; the log says why.
    Failed,
}

/// Snapshots; see the module's essay.
pub struct Snapshots {
    /// Where the files are.
    pub storage: Box<dyn Storage>,
    /// Where children come from.
    pub spawn: Spawn,
    /// When data was last saved, in Unix seconds.
    pub last_save: i64,
    /// Whether the last background snapshot succeeded.
    pub last_ok: bool,
    /// Seconds that it took.
    pub last_seconds: Option<u64>,
    /// Memory that was copied because of it.
    pub last_copied: u64,
    /// Snapshots since the start.
    pub saves: u64,
    /// Keys that the last load brought, and those that it left out because their deadline had passed.
    pub loaded: (u64, u64),
    /// Whether one is to be begun as soon as that is possible.
    pub scheduled: bool,
    /// The code of function libraries that the last load brought; it goes into every snapshot.
    pub functions: Vec<Vec<u8>>,
    last_try: i64,
    running: Option<Running>,
}

impl Snapshots {
    /// None yet. The storage is one in memory until another is set.
    pub fn new(now: Now) -> Snapshots {
        Snapshots {
            storage: Box::new(Faulty::new()),
            spawn: Spawn::Inline,
            last_save: seconds(now.unix),
            last_ok: true,
            last_seconds: None,
            last_copied: 0,
            saves: 0,
            loaded: (0, 0),
            scheduled: false,
            functions: Vec::new(),
            last_try: 0,
            running: None,
        }
    }

    /// Whether a child makes one.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// How far the child is.
    pub fn progress(&self, now: Now) -> Option<Progress> {
        let running = self.running.as_ref()?;
        let seconds = now.monotonic.micros_since(running.started.monotonic) / 1_000_000;
        Some(Progress { pulse: running.child.pulse(), keys: running.keys, seconds })
    }

    /// How a snapshot is written now; `aof_base` is whether it is to be the base of an append-only file.
    pub fn plan(&self, space: &Keyspace, config: &Config, product: &str, now: Now, aof_base: bool) -> Result<save::Plan, String> {
        let policy = config.maxmemory_policy.word();
        let aux = vec![
            ("redis-ver", product.to_string()),
            ("redis-bits", usize::BITS.to_string()),
            ("ctime", seconds(now.unix).to_string()),
            ("used-mem", crate::base::memory::used().to_string()),
            ("aof-base", u8::from(aof_base).to_string()),
        ];
        Ok(save::Plan {
            version: save::version_for(space, config.rdb_version)?,
            aux,
            functions: self.functions.clone(),
            heat: match () {
                () if policy.ends_with("lru") => HeatKept::Idle,
                () if policy.ends_with("lfu") => HeatKept::Frequency,
                () => HeatKept::Nothing,
            },
            writing: Writing { compress: config.rdbcompression, checksum: config.rdbchecksum, flush: config.rdb_save_incremental_fsync },
            key_delay: config.rdb_key_save_delay,
        })
    }

    /// Makes a snapshot at once. The error was logged.
    pub fn save(&mut self, space: &mut Keyspace, config: &Config, product: &str, now: Now) -> Result<(), Refusal> {
        self.saves += 1;
        let draft = draft(std::process::id());
        let result = self
            .plan(space, config, product, now, false)
            .and_then(|plan| save::to_file(&*self.storage, &draft, &config.dbfilename, space, &plan, |_| {}).map(|_| plan.version));
        match result {
            Ok(version) => {
                log::info!("DB saved on disk");
                tell_version(version);
                space.dirty = 0;
                self.last_save = seconds(now.unix);
                self.last_ok = true;
                Ok(())
            }
            Err(error) => {
                log::warn!("{error}");
                Err(Refusal::Failed)
            }
        }
    }

    /// Begins a snapshot in a child. The error was logged.
    pub fn start(&mut self, space: &Keyspace, config: &Config, product: &str, now: Now) -> Result<(), Refusal> {
        if self.running.is_some() {
            return Err(Refusal::Busy);
        }
        self.last_try = seconds(now.unix);
        self.saves += 1;
        let started = self.plan(space, config, product, now, false).and_then(|plan| {
            let storage = &*self.storage;
            let child = Child::start(self.spawn, |voice| {
                let draft = draft(std::process::id());
                let mut pulse = Pulse::default();
                let result = save::to_file(storage, &draft, &config.dbfilename, space, &plan, |keys| {
                    pulse.keys = keys;
                    voice.say(pulse);
                });
                match &result {
                    Ok(_) => log::info!("DB saved on disk"),
                    Err(error) => log::warn!("{error}"),
                }
                if voice.is_heard() {
                    pulse.copied = copied_memory();
                    voice.say(pulse);
                    log::info!("Fork CoW for RDB: current {} MB", pulse.copied >> 20);
                }
                result.is_ok()
            });
            let child = child.map_err(|error| format!("Can't save in background: fork: {}", reason(&error)))?;
            Ok((child, plan.version))
        });
        match started {
            Ok((child, version)) => {
                log::info!("Background saving started by pid {}", child.pid());
                tell_version(version);
                let keys = space.databases().iter().map(|database| database.len() as u64).sum();
                let draft = draft(child.pid());
                self.running = Some(Running { child, started: now, dirty: space.dirty, keys, draft });
                Ok(())
            }
            Err(error) => {
                log::warn!("{error}");
                self.last_ok = false;
                Err(Refusal::Failed)
            }
        }
    }

    /// Ends the child, whose snapshot is given up.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.child.kill();
            // it may have been renamed already
            let _ = self.storage.remove(&running.draft);
        }
    }

    /// Looks after the child; begins a snapshot when a rule asks for one. To be called several times a second.
    pub fn attend(&mut self, space: &mut Keyspace, config: &Config, product: &str, now: Now) {
        if let Some(running) = &mut self.running {
            running.child.listen();
            if let Some(end) = running.child.poll() {
                self.conclude(space, end, now);
            }
            return;
        }
        let at = seconds(now.unix);
        if !self.last_ok && at.saturating_sub(self.last_try) <= RETRY_SECONDS {
            return;
        }
        let age = u64::try_from(at.saturating_sub(self.last_save)).unwrap_or(0);
        let due = config.save.iter().find(|point| space.dirty >= point.changes && age > point.seconds);
        if let Some(point) = due {
            log::info!("{} changes in {} seconds. Saving...", point.changes, point.seconds);
        }
        if due.is_some() || self.scheduled {
            self.scheduled &= self.start(space, config, product, now).is_err();
        }
    }

    fn conclude(&mut self, space: &mut Keyspace, end: End, now: Now) {
        let Some(running) = self.running.take() else { return };
        self.last_seconds = Some(now.monotonic.micros_since(running.started.monotonic) / 1_000_000);
        self.last_copied = running.child.pulse().copied;
        match end {
            End::Done => {
                log::info!("Background saving terminated with success");
                space.dirty = space.dirty.saturating_sub(running.dirty);
                self.last_save = seconds(now.unix);
                self.last_ok = true;
            }
            End::Failed(_) => {
                log::warn!("Background saving error");
                self.last_ok = false;
            }
            End::Killed(signal) => {
                log::warn!("Background saving terminated by signal {signal}");
                // it may have been renamed already
                let _ = self.storage.remove(&running.draft);
                // SIGUSR1 is how an operator ends a Redis child: no failure
                self.last_ok &= signal == libc::SIGUSR1;
            }
        }
    }

    /// Removes drafts of processes that are gone: a server or child that was killed could not.
    pub fn remove_old_drafts(&self) {
        let process = |name: &str| name.strip_prefix("temp-")?.strip_suffix(".rdb")?.parse::<u32>().ok();
        for name in self.storage.list(".").unwrap_or_default() {
            if process(&name).is_some_and(|pid| name == draft(pid) && !is_alive(pid)) {
                match self.storage.remove(&name) {
                    Ok(()) => log::info!("Removed {name}, the unfinished snapshot of a process that is gone"),
                    Err(error) => log::warn!("Cannot remove {name}, an unfinished snapshot: {}", reason(&error)),
                }
            }
        }
    }

    /// Loads the snapshot file; `None` without one. What was loaded before an error stays.
    pub fn load(&mut self, space: &mut Keyspace, config: &Config, overdue: Overdue, twice: Twice) -> Result<Option<Loaded>, LoadError> {
        let mut file = match self.storage.open(&config.dbfilename) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(LoadError::File(format!(
                    "Fatal error: can't open the RDB file {} for reading: {}",
                    config.dbfilename,
                    reason(&error)
                )));
            }
            Ok(file) => file,
        };
        self.load_from(&mut *file, space, config, overdue, twice).map(|(loaded, _)| Some(loaded))
    }

    /// Loads a snapshot from a file. Gives also what was read of the file behind the snapshot.
    pub fn load_from(
        &mut self,
        file: &mut dyn ReadFile,
        space: &mut Keyspace,
        config: &Config,
        overdue: Overdue,
        twice: Twice,
    ) -> Result<(Loaded, Vec<u8>), LoadError> {
        let size = file.length().unwrap_or(0).max(1);
        let mut tenths = 0;
        let mut pulse = |bytes: u64, keys: u64| {
            let now = bytes.saturating_mul(10) / size;
            if now > tenths && now < 10 {
                tenths = now;
                log::info!("Loading: {} % of the file, {keys} keys", tenths * 10);
            }
        };
        let mut input = Input::of_file(file, config.rdbchecksum);
        let mut plan = load::Plan {
            shapes: Shapes::new(config, space.hasher()),
            overdue,
            twice,
            relaxed: config.rdb_version_check.word() == "relaxed",
            key_delay: config.key_load_delay,
            pulse: &mut pulse,
        };
        let loaded = load::load(&mut input, space, &mut plan)?;
        report(&loaded, seconds(Micros(space.now.0.saturating_mul(1000))));
        self.loaded = (loaded.keys, loaded.expired);
        self.functions.clone_from(&loaded.functions);
        Ok((loaded, input.into_rest()))
    }
}

fn seconds(time: Micros) -> i64 {
    time.to_millis().seconds()
}

fn draft(process: u32) -> String {
    format!("temp-{process}.rdb")
}

fn tell_version(version: u32) {
    if version == FULL_VERSION {
        log::info!("The snapshot is of version {FULL_VERSION} because of hash fields with deadlines: Redis before 7.4 cannot load it.");
    }
}

/// Tells the log what a file was and held.
fn report(loaded: &Loaded, now: i64) {
    let product = loaded.aux("redis-ver").map(|version| format!("version {}", String::from_utf8_lossy(version)));
    let product = product.or(loaded.aux("valkey-ver").map(|version| format!("Valkey version {}", String::from_utf8_lossy(version))));
    if let Some(product) = product {
        log::info!("Loading RDB produced by {product}");
    }
    if let Some(made) = loaded.aux_number("ctime") {
        log::info!("RDB age {} seconds", now.saturating_sub(made).max(0));
    }
    if let Some(bytes) = loaded.aux_number("used-mem") {
        log::info!("RDB memory usage when created {:.2} Mb", bytes as f64 / (1024.0 * 1024.0));
    }
    if !loaded.functions.is_empty() {
        log::warn!("{} function libraries are kept and written into snapshots, but cannot be called here", loaded.functions.len());
    }
    for what in &loaded.skipped {
        log::warn!("Passed over while loading: {what}");
    }
    log::info!("Done loading RDB, keys loaded: {}, keys expired: {}, empty keys skipped: {}.", loaded.keys, loaded.expired, loaded.empty);
}
