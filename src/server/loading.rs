//! Loading what an earlier run has left, or what the primary has sent into a file, while sockets are served.
//!
//! ```text
//!  begin_loading ──▶ Work ──advance_loading, once a turn──▶ Work .. ──▶ done: what follows from it
//!                       └──▶ an error: at the start the server stops; a replica gives the attempt up
//! ```
//!
//! A turn loads for a millisecond, then clients have theirs. A [gate](super::gates::Gates) tells them `-LOADING`
//! but for the commands that need no data. Nothing expires and nothing is recorded meanwhile, but for one thing: what a
//! primary leaves out because its time is up is missing from the history that it goes on with, so its replicas are told. A replica that loads
//! aside from the data that it has ([`super::receipt`]) shows the old ones.

use super::client::{ClientFlags, ClientKey};
use super::consequences::Grouping;
use super::replay::Replay;
use super::stats::Culprit;
use super::{Server, State, Stop};
use crate::base::clock::Millis;
use crate::base::text::reason;
use crate::keyspace::expiry::Expiry;
use crate::limits;
use crate::persist::aof::reader::CommandReader;
use crate::persist::place::Place;
use crate::persist::rdb::LoadError;
use crate::persist::rdb::input::Input;
use crate::persist::rdb::load::{self, Loaded, Loader, Overdue, Pace, Step, Twice};
use crate::persist::rdb::read_value::Shapes;
use crate::persist::storage::ReadFile;
use crate::script::Restore;

/// Whether clients see the data while other data is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// They see nothing.
    Nothing,
    /// They see the data that there was.
    OldData,
}

/// How far loading is, for INFO.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// When it began.
    pub since: Millis,
    /// Bytes to load; 0 if nobody knows.
    pub total: u64,
    /// Bytes loaded.
    pub loaded: u64,
    /// The memory that the data took where it was saved.
    pub used_memory: u64,
    /// What clients see.
    pub view: View,
}

impl Progress {
    /// How much is done, in percent, and how many seconds the rest may take.
    pub fn estimate(&self, now: Millis) -> (f64, i64) {
        let (whole, guessed) = if self.total > 0 { (self.total, false) } else { (self.used_memory, true) };
        let (mut percent, mut left) = (0.0, 1);
        if whole > 0 {
            percent = self.loaded as f64 * 100.0 / whole as f64;
            left = whole.saturating_sub(self.loaded);
        }
        if guessed {
            percent = percent.min(99.99);
            left = left.max(1);
        }
        let elapsed = now.seconds().saturating_sub(self.since.seconds());
        let seconds = if elapsed <= 0 { 1.0 } else { elapsed as f64 * left as f64 / self.loaded.max(1) as f64 };
        // an estimate: what is beyond the range is held at its end
        (percent, seconds as i64)
    }
}

/// What is being loaded.
pub(super) enum Work {
    /// The snapshot file, at the start.
    Start(SnapshotLoad),
    /// The append-only file, at the start.
    Log(Box<Replay>),
    /// The append-only file once more, and who waits for that: a client's place and number.
    Again(Box<Replay>, ClientKey, u64),
    /// A snapshot from the primary, and its place in the history.
    Received(SnapshotLoad, Place),
}

/// A snapshot file that is being loaded.
pub(super) struct SnapshotLoad {
    input: Input<'static>,
    loader: Loader,
    overdue: Overdue,
    /// Whether it was looked at where in the history it stands.
    placed: bool,
    /// The stopwatch at the beginning.
    since: u64,
    expiry: Expiry,
}

impl SnapshotLoad {
    /// The commands behind a snapshot that is loaded.
    pub(super) fn rest(&mut self) -> CommandReader {
        let file = self.input.take_file().expect("it was made of a file of its own");
        let consumed = self.input.consumed();
        let rest = std::mem::replace(&mut self.input, Input::fed(false)).into_rest();
        let offset = consumed + rest.len() as u64;
        CommandReader::new(file, rest, offset)
    }

    /// Bytes of the file that are loaded.
    pub(super) fn consumed(&self) -> u64 {
        self.input.consumed()
    }

    /// What the snapshot has held.
    pub(super) fn loaded(&mut self) -> Loaded {
        std::mem::take(&mut self.loader.loaded)
    }
}

/// Says when a turn has loaded enough.
pub(super) struct Slice {
    stopwatch: super::Stopwatch,
    began: u64,
    bytes: u64,
    from: Option<(u64, u64)>,
    /// Bytes of the file that are loaded.
    pub loaded: u64,
}

impl Slice {
    pub(super) fn new(state: &State) -> Slice {
        Slice {
            stopwatch: state.stopwatch,
            began: state.stopwatch.now(),
            bytes: u64::from(state.config.loading_process_events_interval_bytes),
            from: None,
            loaded: 0,
        }
    }

    /// So many bytes and so many keys or commands are loaded.
    pub(super) fn pace(&mut self, bytes: u64, items: u64) -> Pace {
        let (bytes_before, items_before) = *self.from.get_or_insert((bytes, items));
        self.loaded = bytes;
        let enough = bytes - bytes_before >= self.bytes
            || items - items_before >= limits::LOAD_SLICE_KEYS
            || self.stopwatch.now().saturating_sub(self.began) >= limits::LOAD_SLICE_NANOS;
        if enough { Pace::Enough } else { Pace::GoOn }
    }
}

impl State {
    /// Data is being loaded from now on.
    pub(super) fn enter_loading(&mut self, total: u64, view: View) {
        self.loading = Some(Progress { since: self.now.unix.to_millis(), total, loaded: 0, used_memory: 0, view });
        self.gates.loading = Some(view);
        self.gates.update();
        if view == View::Nothing {
            // what was queued before would meet half of the data
            for (_, client) in self.clients.iter_mut().filter(|(_, client)| client.flags.any(ClientFlags::MULTI)) {
                client.flags.set(ClientFlags::DIRTY_EXEC, true);
            }
        }
    }

    /// No data is being loaded any more.
    pub(super) fn leave_loading(&mut self) {
        self.loading = None;
        self.gates.loading = None;
        self.gates.update();
    }

    pub(super) fn note_loaded(&mut self, bytes: u64, loader: &Loader) {
        if let Some(progress) = &mut self.loading {
            progress.loaded = bytes;
            if progress.used_memory == 0 {
                let used = loader.loaded.aux_number("used-mem").and_then(|bytes| u64::try_from(bytes).ok());
                progress.used_memory = used.unwrap_or(0);
            }
        }
    }
}

impl Server {
    /// Whether data is being loaded before the server is ready.
    pub fn is_loading(&self) -> bool {
        self.work.is_some()
    }

    /// Begins to load what an earlier run has left; [`Server::tick`] goes on with it. The error says why the server
    /// cannot start.
    pub fn begin_loading(&mut self) -> Result<(), String> {
        let state = &mut self.state;
        self.keyspace.heat.set_time(state.now.unix.to_millis().seconds());
        state.snapshots.remove_old_drafts();
        if state.config.appendonly {
            let replay = self.begin_replay().map_err(|error| cannot_replay(&error))?;
            self.state.enter_loading(replay.total(), View::Nothing);
            self.work = Some(Work::Log(Box::new(replay)));
            return Ok(());
        }
        let path = state.config.dbfilename.clone();
        let file = match state.snapshots.storage.open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                let error = format!("Fatal error: can't open the RDB file {path} for reading: {}", reason(&error));
                return Err(cannot_start(&path, &error, "Let the server read it"));
            }
            Ok(file) => file,
        };
        let overdue = if state.replication.follows() { Overdue::Keep } else { Overdue::Drop };
        let load = self.begin_snapshot_load(file, overdue, self.state.config.rdbchecksum, View::Nothing);
        self.work = Some(Work::Start(load));
        Ok(())
    }

    /// Makes ready to load a file that holds a snapshot, or begins with one.
    pub(super) fn begin_snapshot_load(&mut self, file: Box<dyn ReadFile>, overdue: Overdue, summing: bool, view: View) -> SnapshotLoad {
        if self.state.loading.is_none() {
            self.state.enter_loading(file.length().unwrap_or(0), view);
        }
        let expiry = std::mem::replace(&mut self.keyspace.expiry, Expiry::Ignore);
        let input = Input::of_own_file(file, summing);
        SnapshotLoad { input, loader: Loader::default(), overdue, placed: false, since: self.state.stopwatch.now(), expiry }
    }

    /// Loads a slice of a snapshot; `true` once it is whole.
    pub(super) fn advance_snapshot_load(&mut self, load: &mut SnapshotLoad, slice: &mut Slice) -> Result<bool, LoadError> {
        let config = &self.state.config;
        let mut plan = load::Plan {
            shapes: Shapes::new(config, self.keyspace.hasher()),
            overdue: load.overdue,
            twice: Twice::Refuse,
            relaxed: config.rdb_version_check.word() == "relaxed",
            key_delay: config.key_load_delay,
            pulse: &mut |bytes, keys| slice.pace(bytes, keys),
        };
        let step = load.loader.advance(&mut load.input, &mut self.keyspace, &mut plan);
        self.state.note_loaded(slice.loaded, &load.loader);
        if step != Ok(Step::Paused) {
            self.keyspace.expiry = load.expiry;
        }
        match step? {
            Step::Done => Ok(true),
            Step::Paused => Ok(false),
            Step::Starved => Err(LoadError::Truncated),
        }
    }

    /// Loads the next slice of what is being loaded.
    pub(super) fn advance_loading(&mut self) {
        let Some(work) = self.work.take() else { return };
        let mut slice = Slice::new(&self.state);
        let began = slice.began;
        self.work = match work {
            Work::Start(load) => self.advance_start(load, &mut slice),
            Work::Log(replay) => self.advance_log(replay, &mut slice),
            Work::Again(replay, client, id) => self.advance_again(replay, (client, id), &mut slice),
            Work::Received(load, place) => self.advance_received(load, place, &mut slice),
        };
        let nanos = self.state.stopwatch.now().saturating_sub(began);
        self.state.stats.hold(nanos, || Culprit::task("loading"));
    }

    /// Loads all of what is being loaded before anything else happens.
    pub fn finish_loading(&mut self) -> Result<(), String> {
        while self.work.is_some() {
            self.advance_loading();
        }
        match &self.state.stop {
            Some(Stop::Failed(error)) => Err(error.clone()),
            _ => Ok(()),
        }
    }

    fn advance_start(&mut self, mut load: SnapshotLoad, slice: &mut Slice) -> Option<Work> {
        self.keyspace.effects.recording = load.overdue == Overdue::Drop;
        let advanced = self.advance_snapshot_load(&mut load, slice);
        self.go_on_while_loading(&mut load, advanced == Ok(true));
        match advanced {
            Ok(false) => return Some(Work::Start(load)),
            Ok(true) => {
                let loaded = load.loaded();
                self.state.snapshots.has_loaded(&loaded, self.state.now);
                if let Err(error) = self.state.adopt_libraries(Restore::Flush) {
                    self.state.stop = Some(Stop::Failed(cannot_start(&self.state.config.dbfilename, &error, "Restore a good copy")));
                }
                let seconds = self.state.stopwatch.now().saturating_sub(load.since) as f64 / 1e9;
                log::info!("DB loaded from disk: {seconds:.3} seconds");
            }
            Err(error) => {
                log::warn!("Internal error in RDB reading offset {}: {error}", load.consumed());
                log::warn!("Terminating server after rdb file reading failure.");
                let cure = match error {
                    LoadError::Unsupported(_) => "Another server has written it: let one that can read it write an older version",
                    _ => "Restore a good copy of the file",
                };
                self.state.stop = Some(Stop::Failed(cannot_start(&self.state.config.dbfilename, &error.to_string(), cure)));
            }
        }
        self.state.leave_loading();
        None
    }

    /// Goes on with the history of the snapshot as soon as that is known, which is before its first key. Keys that were
    /// left out are history by then.
    fn go_on_while_loading(&mut self, load: &mut SnapshotLoad, done: bool) {
        let Loaded { keys, expired, .. } = load.loader.loaded;
        if !done && (load.overdue == Overdue::Keep || keys + expired == 0) {
            return;
        }
        if !load.placed {
            load.placed = true;
            self.state.go_on_from_snapshot(&load.loader.loaded);
        }
        self.state.update_recording(&mut self.keyspace);
        if !self.keyspace.effects.recording {
            self.keyspace.effects.forget_propagation();
        }
        self.conclude(Grouping::Apart);
    }

    fn advance_log(&mut self, mut replay: Box<Replay>, slice: &mut Slice) -> Option<Work> {
        let ended = match self.advance_replay(&mut replay, slice) {
            Ok(false) => {
                if let Some(progress) = &mut self.state.loading {
                    progress.loaded = replay.loaded();
                }
                return Some(Work::Log(replay));
            }
            Ok(true) => Ok(()),
            Err(error) => Err(cannot_replay(&error)),
        };
        let seconds = replay.seconds(self.state.stopwatch);
        let told = self.end_replay(*replay);
        let ready = ended.and_then(|()| self.go_on_with_aof(told).map_err(|error| cannot_append(&error)));
        match ready {
            Ok(()) => log::info!("DB loaded from append only file: {seconds:.3} seconds"),
            Err(error) => self.state.stop = Some(Stop::Failed(error)),
        }
        self.state.leave_loading();
        None
    }

    fn advance_again(&mut self, mut replay: Box<Replay>, (key, id): (ClientKey, u64), slice: &mut Slice) -> Option<Work> {
        let advanced = self.advance_replay(&mut replay, slice);
        if advanced == Ok(false) {
            if let Some(progress) = &mut self.state.loading {
                progress.loaded = replay.loaded();
            }
            return Some(Work::Again(replay, key, id));
        }
        self.end_replay(*replay);
        self.state.leave_loading();
        match advanced {
            Ok(_) => {
                if self.state.clients.get(key).is_some_and(|client| client.id == id && client.blocked.is_some()) {
                    self.end_wait(key);
                }
            }
            Err(error) => self.state.stop = Some(Stop::Failed(error)),
        }
        None
    }

    /// A replica's turn of loading what its primary has sent. Now and then the primary hears that we are alive.
    fn advance_received(&mut self, mut load: SnapshotLoad, place: Place, slice: &mut Slice) -> Option<Work> {
        self.state.tell_primary_to_wait();
        let done = match self.advance_snapshot_load(&mut load, slice) {
            Ok(false) => return Some(Work::Received(load, place)),
            Ok(true) => Ok(load.loaded()),
            Err(error) => Err((error, slice.loaded)),
        };
        self.state.leave_loading();
        match done {
            Ok(loaded) => self.finish_full_sync(place, &loaded),
            Err((error, at)) => {
                log::warn!("Internal error in RDB reading offset {at}: {error}");
                log::warn!("Failed trying to load the MASTER synchronization DB from disk, check server logs.");
                self.give_up_half_loaded();
                self.state.give_up_link("the snapshot cannot be loaded");
            }
        }
        None
    }

    /// Half a data set has no place in any history.
    pub(super) fn give_up_half_loaded(&mut self) {
        self.keyspace.flush_all();
        self.state.forget_libraries();
        let id = self.state.random.hex_id();
        self.state.replication.stream.adopt(id, 0);
    }
}

fn cannot_start(path: &str, error: &str, cure: &str) -> String {
    format!(
        "Fatal error loading the DB from {path}, check server logs. Exiting: {error}. {cure}, or move it away to start empty. It was not changed."
    )
}

/// The append-only file cannot be loaded.
fn cannot_replay(error: &str) -> String {
    format!(
        "{error}. Exiting: restore a good copy of the append-only directory, let `redis-check-aof --fix` on the manifest cut off what is damaged (keep a copy), or move the directory away to start empty. It was not changed."
    )
}

/// The append-only file cannot be gone on with.
fn cannot_append(error: &str) -> String {
    format!("{error}. Exiting: let the server write to its directory and make room on the disk, or turn 'appendonly' off.")
}
