//! When snapshots are made, and what became of the last one.
//!
//! A snapshot is made at once ([`Snapshots::save`]) or by a child ([`Snapshots::start`]), whose end
//! [`Snapshots::attend`] finds. Both write a draft, `temp-<process>.rdb`, and put it in place of the old
//! file when it is durable. A child may also [send](Target::Replicas) a snapshot instead of writing a file: what
//! it sends is [read](Snapshots::read) a slice at a time, and it counts as ended when all of it was read. Whoever starts one is told of its end in the log, which is Redis's to the word
//! where tools read it.

use super::child::{Child, End, Errand, Payload, Pulse, Spawn, Voice, is_alive};
use super::place::Place;
use super::rdb::input::Input;
use super::rdb::load::{self, Loaded, Overdue, Twice};
use super::rdb::output::{Output, Writing};
use super::rdb::read_value::Shapes;
use super::rdb::save::{self, HeatKept};
use super::rdb::{FULL_VERSION, LoadError};
use super::storage::faulty::Faulty;
use super::storage::{ReadFile, Storage, WriteFile};
use crate::base::clock::{Micros, Now};
use crate::base::text::reason;
use crate::config::Config;
use crate::keyspace::Keyspace;

/// Seconds after a failed snapshot before another is begun unasked.
const RETRY_SECONDS: i64 = 5;

/// The mark at the end of a snapshot whose length is not known before.
pub type Mark = [u8; 40];

/// What a snapshot in the background is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The snapshot file.
    File,
    /// Replicas: it is sent, with this mark behind it, and no file is touched.
    Replicas(Mark),
}

/// What a background snapshot is to be.
pub struct Order {
    /// What it is for.
    pub target: Target,
    /// Whether it holds functions and no keys.
    pub without_keys: bool,
    /// Whether only replicas have asked for it.
    pub for_replicas: bool,
}

impl Order {
    /// The snapshot file, with all data.
    pub fn file() -> Order {
        Order { target: Target::File, without_keys: false, for_replicas: false }
    }
}

/// A background snapshot has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concluded {
    /// What it was for.
    pub target: Target,
    /// Whether it is whole.
    pub whole: bool,
}

/// What a background snapshot was at its start.
struct Running {
    child: Child,
    target: Target,
    /// What it sends, until all was read.
    payload: Option<Payload>,
    /// How the child has ended, while what it has sent is still read.
    end: Option<End>,
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
    /// Seconds since its memory was counted.
    pub memory_age: u64,
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
    /// Snapshots since the start that SAVE, BGSAVE or a rule has asked for.
    pub saves: u64,
    /// Keys that the last load brought, and those that it left out because their deadline had passed.
    pub loaded: (u64, u64),
    /// Whether one is to be begun as soon as that is possible.
    pub scheduled: bool,
    /// Where in the history the data stands and which database that has selected, for the next snapshot.
    pub place: Option<(Place, u32)>,
    /// The code of function libraries that the last load brought; it goes into every snapshot.
    pub functions: Vec<Vec<u8>>,
    /// Whether the snapshot file was made for replicas alone, while `rdb-del-sync-files` was on.
    pub made_for_replicas: bool,
    /// The file with a snapshot from the primary that is not durable yet.
    pub received: Option<String>,
    last_try: i64,
    running: Option<Running>,
    /// Counts children that send, so that one pipe is not taken for another.
    sendings: u64,
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
            place: None,
            functions: Vec::new(),
            made_for_replicas: false,
            received: None,
            last_try: 0,
            running: None,
            sendings: 0,
        }
    }

    /// Whether a child makes one.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// The process that makes it, if one does.
    pub fn child(&self) -> Option<u32> {
        self.running.as_ref()?.child.process()
    }

    /// What the running one is for.
    pub fn target(&self) -> Option<Target> {
        self.running.as_ref().map(|running| running.target)
    }

    /// Whether there is more to [read](Snapshots::read), now or later.
    pub fn is_sending(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.payload.is_some())
    }

    /// Which pipe the poll is to watch for what a child sends, and its descriptor.
    pub fn pipe(&self) -> Option<(u64, std::os::fd::RawFd)> {
        let descriptor = self.running.as_ref()?.payload.as_ref()?.descriptor()?;
        Some((self.sendings, descriptor))
    }

    /// Reads what the child has sent; 0 bytes are the end. Does not wait.
    pub fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let Some(running) = &mut self.running else { return Ok(0) };
        let Some(payload) = &mut running.payload else { return Ok(0) };
        let count = payload.read(bytes)?;
        if count == 0 {
            running.payload = None;
        }
        Ok(count)
    }

    /// How far the child is.
    pub fn progress(&self, now: Now) -> Option<Progress> {
        let running = self.running.as_ref()?;
        let seconds = now.monotonic.micros_since(running.started.monotonic) / 1_000_000;
        let memory_age = running.child.memory_age(now.monotonic);
        Some(Progress { pulse: running.child.pulse(), keys: running.keys, seconds, memory_age })
    }

    /// How a snapshot is written now; `aof_base` is whether it is to be the base of an append-only file.
    pub fn plan(&self, space: &Keyspace, config: &Config, product: &str, now: Now, aof_base: bool) -> Result<save::Plan, String> {
        let policy = config.maxmemory_policy.word();
        let mut aux = vec![
            ("redis-ver", product.to_string()),
            ("redis-bits", usize::BITS.to_string()),
            ("ctime", seconds(now.unix).to_string()),
            ("used-mem", crate::base::memory::used().to_string()),
        ];
        // a base says nothing of it: the increments do
        if let Some((place, db)) = self.place.filter(|_| !aof_base) {
            aux.push(("repl-stream-db", db.to_string()));
            aux.push(("repl-id", String::from_utf8_lossy(&place.id).into_owned()));
            aux.push(("repl-offset", place.offset.to_string()));
        }
        aux.push(("aof-base", u8::from(aof_base).to_string()));
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
        self.made_for_replicas = false;
        self.forget_received();
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
    pub fn start(&mut self, space: &Keyspace, config: &Config, product: &str, now: Now, order: Order) -> Result<(), Refusal> {
        if self.running.is_some() {
            return Err(Refusal::Busy);
        }
        let to_file = order.target == Target::File;
        if to_file {
            self.made_for_replicas = order.for_replicas && config.rdb_del_sync_files;
            self.forget_received();
            self.last_try = seconds(now.unix);
            self.saves += 1;
        }
        let started = self.plan(space, config, product, now, false).and_then(|mut plan| {
            let version = plan.version;
            let empty;
            let space = if order.without_keys {
                empty = Keyspace::new(1, crate::base::random::Random::from_seed(0));
                &empty
            } else {
                space
            };
            let storage = &*self.storage;
            let (child, payload) = match order.target {
                Target::File => (Child::start(self.spawn, Errand::Snapshot, |voice| save_file(storage, config, space, &plan, voice)), None),
                Target::Replicas(mark) => {
                    plan.writing.flush = false;
                    match Child::sending(self.spawn, Errand::Transfer, |voice, mouth| send(mouth, &mark, space, &plan, voice)) {
                        Ok((child, payload)) => (Ok(child), Some(payload)),
                        Err(error) => (Err(error), None),
                    }
                }
            };
            let child = child.map_err(|error| format!("Can't save in background: fork: {}", reason(&error)))?;
            Ok((child, payload, version))
        });
        match started {
            Ok((child, payload, version)) => {
                let what = if to_file { "Background saving" } else { "Background RDB transfer" };
                log::info!("{what} started by pid {}", child.pid());
                tell_version(version);
                let keys = space.databases().iter().map(|database| database.len() as u64).sum();
                let draft = draft(child.pid());
                self.sendings += u64::from(!to_file);
                self.running =
                    Some(Running { child, target: order.target, payload, end: None, started: now, dirty: space.dirty, keys, draft });
                Ok(())
            }
            Err(error) => {
                log::warn!("{error}");
                self.last_ok &= !to_file;
                Err(Refusal::Failed)
            }
        }
    }

    /// Ends the child, whose snapshot is given up. Gives what it was for.
    pub fn kill(&mut self) -> Option<Target> {
        let mut running = self.running.take()?;
        if running.end.is_none() {
            running.child.kill();
        }
        // it may have been renamed already, or there is none
        let _ = self.storage.remove(&running.draft);
        Some(running.target)
    }

    /// Looks after the child. To be called several times a second.
    pub fn attend(&mut self, space: &mut Keyspace, now: Now) -> Option<Concluded> {
        let running = self.running.as_mut()?;
        running.child.listen(now.monotonic);
        if running.end.is_none() {
            running.end = running.child.poll();
        }
        let end = running.end?;
        // what it has sent before it ended is read first
        if end == End::Done && running.payload.is_some() {
            return None;
        }
        self.conclude(space, end, now)
    }

    /// Whether a rule or somebody who could not have one at once asks for a snapshot.
    pub fn is_due(&self, space: &Keyspace, config: &Config, now: Now) -> bool {
        let at = seconds(now.unix);
        if self.running.is_some() || !self.last_ok && at.saturating_sub(self.last_try) <= RETRY_SECONDS {
            return false;
        }
        let age = u64::try_from(at.saturating_sub(self.last_save)).unwrap_or(0);
        let due = config.save.iter().find(|point| space.dirty >= point.changes && age > point.seconds);
        if let Some(point) = due {
            log::info!("{} changes in {} seconds. Saving...", point.changes, point.seconds);
        }
        due.is_some() || self.scheduled
    }

    fn conclude(&mut self, space: &mut Keyspace, end: End, now: Now) -> Option<Concluded> {
        let running = self.running.take()?;
        let to_file = running.target == Target::File;
        self.last_seconds = Some(now.monotonic.micros_since(running.started.monotonic) / 1_000_000);
        self.last_copied = running.child.pulse().copied;
        let what = if to_file { "Background saving" } else { "Background transfer" };
        match end {
            End::Done => log::info!("{what} terminated with success"),
            End::Failed(_) => log::warn!("{what} error"),
            End::Killed(signal) => log::warn!("{what} terminated by signal {signal}"),
        }
        match end {
            _ if !to_file => {}
            End::Done => {
                space.dirty = space.dirty.saturating_sub(running.dirty);
                self.last_save = seconds(now.unix);
                self.last_ok = true;
            }
            End::Failed(_) => self.last_ok = false,
            End::Killed(signal) => {
                // it may have been renamed already
                let _ = self.storage.remove(&running.draft);
                // SIGUSR1 is how an operator ends a Redis child: no failure
                self.last_ok &= signal == libc::SIGUSR1;
            }
        }
        Some(Concluded { target: running.target, whole: end == End::Done })
    }

    /// A newer snapshot will take the place of the file.
    fn forget_received(&mut self) {
        if let Some(path) = self.received.take() {
            // a draft that stays is removed at the next start
            let _ = self.storage.remove(&path);
        }
    }

    /// The snapshot from the primary is durable, or cannot be made so. It takes the place of the snapshot file. (The
    /// directory is not made durable here: it takes long, and a crash that undoes the renaming leaves the old file.)
    pub fn adopt_received(&mut self, config: &Config, durable: &std::io::Result<()>) {
        let Some(path) = self.received.take() else { return };
        if config.rdb_del_sync_files && config.save.is_empty() && !config.appendonly {
            log::info!("Removing the RDB file obtained from the master. This replica has persistence disabled");
            // a draft that stays is removed at the next start
            let _ = self.storage.remove(&path);
            return;
        }
        let renamed = match durable {
            Ok(()) => self.storage.rename(&path, &config.dbfilename),
            Err(error) => Err(std::io::Error::other(reason(error))),
        };
        if let Err(error) = renamed {
            log::warn!(
                "Failed trying to rename the temp DB into {} in MASTER <-> REPLICA synchronization: {}",
                config.dbfilename,
                reason(&error)
            );
            // the data is loaded; the file is not needed for it
            let _ = self.storage.remove(&path);
        }
    }

    /// A snapshot was loaded.
    pub fn has_loaded(&mut self, loaded: &Loaded, now: Now) {
        report(loaded, seconds(now.unix));
        self.loaded = (loaded.keys, loaded.expired);
        self.functions.clone_from(&loaded.functions);
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
            load::Pace::GoOn
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

/// What a child does that writes the file.
fn save_file(storage: &dyn Storage, config: &Config, space: &Keyspace, plan: &save::Plan, voice: &mut Voice) -> bool {
    let draft = draft(std::process::id());
    let result = save::to_file(storage, &draft, &config.dbfilename, space, plan, |keys| voice.say_keys(keys));
    match &result {
        Ok(_) => log::info!("DB saved on disk"),
        Err(error) => log::warn!("{error}"),
    }
    tell_copied(voice);
    result.is_ok()
}

/// What a child does that sends.
fn send(mouth: &mut dyn WriteFile, mark: &Mark, space: &Keyspace, plan: &save::Plan, voice: &mut Voice) -> bool {
    let mut out = Output::to_file(mouth, plan.writing);
    save::write(&mut out, space, plan, |keys| voice.say_keys(keys));
    let sent = out.finish().and_then(|_| mouth.write_all(mark));
    if let Err(error) = &sent {
        log::warn!("Sending the snapshot to the server failed: {}", reason(error));
    }
    tell_copied(voice);
    sent.is_ok()
}

/// A child's last word: how much memory it has copied.
fn tell_copied(voice: &mut Voice) {
    let copied = voice.say_memory();
    if voice.is_heard() {
        log::info!("Fork CoW for RDB: current {} MB", copied >> 20);
    }
}

fn seconds(time: Micros) -> i64 {
    time.to_millis().seconds()
}

/// What the snapshot that a process writes is called before it is whole.
pub fn draft(process: u32) -> String {
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
    for what in &loaded.skipped {
        log::warn!("While loading: {what}");
    }
    log::info!("Done loading RDB, keys loaded: {}, keys expired: {}, empty keys skipped: {}.", loaded.keys, loaded.expired, loaded.empty);
}
