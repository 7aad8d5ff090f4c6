//! Loading the append-only file: its commands are run once more, by a client without a connection, a slice a turn
//! ([`super::loading`]) or all at once.
//!
//! The client is marked [`ClientFlags::REPLAY`]: no gate stops it, nothing expires meanwhile, nothing that
//! it does is recorded, and nobody reads its replies. A base may be a snapshot, and an old single file a
//! snapshot with commands behind it.
//!
//! The files say where in a history they stand ([`crate::persist::place`]), and each command counts; so what
//! could be read tells what to ask a primary for, and what a replica that comes back still lacks.

use super::client::{ClientFlags, ClientKey, Peer};
use super::loading::{Slice, SnapshotLoad, View, Work};
use super::{Server, State, Stopwatch, dispatch};
use crate::base::text::reason;
use crate::keyspace::DbIndex;
use crate::keyspace::expiry::Expiry;
use crate::limits;
use crate::persist::aof::past::Past;
use crate::persist::aof::reader::{CommandReader, Next};
use crate::persist::aof::rewrite::names;
use crate::persist::place::{Note, Place, Tracker};
use crate::persist::rdb::load::{Overdue, Pace};
use crate::persist::rdb::save;
use crate::persist::storage::ReadFile;
use crate::resp::request::Args;
use crate::script::Restore;

/// How a file of commands ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    /// Its end was cut off, within a command or a transaction, and is gone now.
    CutBack,
}

/// A file to be loaded.
struct File {
    name: String,
    /// Its number, if it is an increment.
    increment: Option<u64>,
    size: u64,
}

/// What the files have told of the history.
pub(super) struct Told {
    tracker: Tracker,
    past: Past,
    /// The database that the history has selected.
    db: DbIndex,
}

impl Told {
    /// Nothing yet.
    fn new() -> Told {
        Told { tracker: Tracker::default(), past: Past::default(), db: DbIndex(0) }
    }

    fn note(&mut self, note: Note) {
        let before = self.tracker.place;
        let count = self.tracker.note(note);
        let offset = |place: Option<Place>| place.map_or(0, |place| place.offset);
        if offset(self.tracker.place) != offset(before).saturating_add(count) {
            self.past.clear();
        }
    }

    /// In this file, here, a command or an annotation begins.
    fn mark(&mut self, part: &File, at: u64) {
        match (part.increment, self.tracker.place) {
            (Some(number), Some(place)) => self.past.note(number, at, place.offset),
            _ => self.past.clear(),
        }
    }
}

/// The append-only file on its way into memory, a slice at a time: one file after the other.
pub(super) struct Replay {
    parts: Vec<File>,
    has_base: bool,
    told: Told,
    /// The file that is being loaded.
    index: usize,
    current: Option<Current>,
    recording: bool,
    expiry: Expiry,
    /// The stopwatch at the beginning.
    since: u64,
}

/// A file that is being loaded.
struct Current {
    client: ClientKey,
    path: String,
    since: u64,
    content: Content,
    /// Where the transaction starts that is being read, and what was told before.
    before_transaction: (u64, Tracker),
    commands: u64,
}

enum Content {
    Snapshot(Box<SnapshotLoad>),
    Commands(CommandReader),
}

impl Replay {
    /// Bytes of all files.
    pub(super) fn total(&self) -> u64 {
        self.parts.iter().map(|part| part.size).sum()
    }

    /// How many of them are loaded.
    pub(super) fn loaded(&self) -> u64 {
        let before: u64 = self.parts.iter().take(self.index).map(|part| part.size).sum();
        before
            + self.current.as_ref().map_or(0, |current| match &current.content {
                Content::Snapshot(load) => load.consumed(),
                Content::Commands(reader) => reader.offset(),
            })
    }

    /// Seconds since the beginning.
    pub(super) fn seconds(&self, stopwatch: Stopwatch) -> f64 {
        stopwatch.now().saturating_sub(self.since) as f64 / 1e9
    }
}

impl Server {
    /// Loads the append-only file, if there is one, and goes on with it. The error says why the server
    /// cannot start.
    pub fn start_aof(&mut self) -> Result<(), String> {
        let told = self.load_aof()?;
        self.go_on_with_aof(told)
    }

    /// What is written from here on goes to the append-only file.
    pub(super) fn go_on_with_aof(&mut self, told: Told) -> Result<(), String> {
        let plan = self.state.base_plan(&self.keyspace)?;
        let now = self.state.now.unix.to_millis().seconds();
        let (state, space) = (&mut self.state, &self.keyspace);
        let storage = &*state.snapshots.storage;
        let names = names(&state.config);
        state.aof.open(storage, &names, plan.format(), now, |path| plan.write(storage, path, space, |_| {}))?;
        self.state.feed.reselect();
        if let Some(place) = told.tracker.place {
            *self.state.aof.past_mut() = told.past;
            self.state.go_on_from(place, told.tracker.past, told.db);
        }
        self.state.aof.set_marks(self.state.replication.stream.offset());
        self.state.update_recording(&mut self.keyspace);
        Ok(())
    }

    /// Runs the commands of the files that the manifest names, all at once. Gives what they tell of the history.
    fn load_aof(&mut self) -> Result<Told, String> {
        let mut replay = self.begin_replay()?;
        self.state.enter_loading(replay.total(), View::Nothing);
        let ended = loop {
            let mut slice = Slice::new(&self.state);
            match self.advance_replay(&mut replay, &mut slice) {
                Ok(false) => {}
                other => break other,
            }
        };
        let told = self.end_replay(replay);
        self.state.leave_loading();
        ended.map(|_| told)
    }

    /// Finds the files, and makes ready to run their commands.
    pub(super) fn begin_replay(&mut self) -> Result<Replay, String> {
        let names = names(&self.state.config);
        let state = &mut self.state;
        state.aof.read_manifest(&*state.snapshots.storage, &names)?;
        state.aof.adopt_old_file(&*state.snapshots.storage, &names)?;
        let has_base = state.aof.manifest().base.is_some();
        let mut parts: Vec<File> = Vec::new();
        for (index, part) in state.aof.manifest().parts().enumerate() {
            let increment = (!has_base || index > 0).then_some(part.sequence);
            parts.push(File { name: part.name.clone(), increment, size: 0 });
        }
        for File { name, size, .. } in &mut parts {
            let length = state.snapshots.storage.open(&names.path(name)).and_then(|file| file.length());
            *size = length.map_err(|error| format!("Unable to obtain the AOF file {name} length. stat: {}", reason(&error)))?;
        }
        let recording = std::mem::replace(&mut self.keyspace.effects.recording, false);
        let expiry = std::mem::replace(&mut self.keyspace.expiry, Expiry::Ignore);
        let since = self.state.stopwatch.now();
        Ok(Replay { parts, has_base, told: Told::new(), index: 0, current: None, recording, expiry, since })
    }

    /// What was true before is true again. Gives what the files have told of the history.
    pub(super) fn end_replay(&mut self, replay: Replay) -> Told {
        if let Some(current) = &replay.current {
            self.closed(current.client);
        }
        self.keyspace.expiry = replay.expiry;
        self.keyspace.effects.recording = replay.recording;
        self.keyspace.dirty = 0;
        let facts = &mut self.state.aof.facts;
        facts.size = replay.total();
        facts.base_size = if replay.has_base { replay.parts[0].size } else { 0 };
        replay.told
    }

    /// Loads a slice; `true` once everything is loaded.
    ///
    /// A file but the last that ends too early is fatal. Empty ones do not count: the next increment is named
    /// in the manifest a moment before it is written to, and the moment may have been the last.
    pub(super) fn advance_replay(&mut self, replay: &mut Replay, slice: &mut Slice) -> Result<bool, String> {
        if self.script_goes_on(replay) {
            return Ok(false);
        }
        let Some(part) = replay.parts.get(replay.index) else { return Ok(true) };
        if replay.current.is_none() {
            replay.current = Some(self.begin_file(&part.name, &replay.told)?);
        }
        let Some(current) = &mut replay.current else { return Ok(false) };
        let Some(end) = self.advance_file(current, part, &mut replay.told, slice)? else { return Ok(false) };
        if end == End::CutBack && replay.parts[replay.index + 1..].iter().any(|part| part.size > 0) {
            return Err("Fatal error: the truncated file is not the last file".to_string());
        }
        let kind = if part.increment.is_some() { "incr" } else { "base" };
        let seconds = self.state.stopwatch.now().saturating_sub(current.since) as f64 / 1e9;
        log::info!("DB loaded from {kind} file {}: {seconds:.3} seconds", part.name);
        self.closed(current.client);
        replay.current = None;
        replay.index += 1;
        Ok(replay.index == replay.parts.len())
    }

    /// Runs a slice of the script that a command of the file has begun, if it is not at its end. Gives whether that is so still.
    fn script_goes_on(&mut self, replay: &mut Replay) -> bool {
        let Some(Current { client, .. }) = &replay.current else { return false };
        let runs = |state: &State| state.busy.as_ref().is_some_and(|busy| busy.client == *client);
        if !runs(&self.state) {
            return false;
        }
        self.run_parked(*client, false);
        if !runs(&self.state) && replay.told.tracker.is_in_history() {
            // the end of a transaction may be in another database
            replay.told.db = self.state.clients[*client].db;
        }
        runs(&self.state)
    }

    /// Opens a file: one of commands, or one that begins with a snapshot.
    fn begin_file(&mut self, name: &str, told: &Told) -> Result<Current, String> {
        let path = names(&self.state.config).path(name);
        let storage = &self.state.snapshots.storage;
        let open = || {
            let opened = storage.open(&path);
            opened.map_err(|error| format!("Fatal error: can't open the append log file {name} for reading: {}", reason(&error)))
        };
        let mut file = open()?;
        let head = read_head(&mut *file)
            .map_err(|error| format!("Unrecoverable error reading the append only file {name}: {}", reason(&error)))?;
        let content = if head.starts_with(b"REDIS") || head.starts_with(b"VALKEY") {
            let old = name == self.state.config.appendfilename;
            log::info!("{}", if old { "Reading RDB preamble from AOF file..." } else { "Reading RDB base file on AOF loading..." });
            let file = open()?;
            Content::Snapshot(Box::new(self.begin_snapshot_load(file, Overdue::Keep, self.state.config.rdbchecksum, View::Nothing)))
        } else {
            let length = head.len() as u64;
            Content::Commands(CommandReader::new(file, head, length))
        };
        let client = self.add_client(None, Peer::default());
        self.state.clients[client]
            .flags
            .set(ClientFlags::REPLAY.or(ClientFlags::REPLY_OFF).or(ClientFlags::AUTHENTICATED).or(ClientFlags::LOGGED_IN), true);
        Ok(Current { client, path, since: self.state.stopwatch.now(), content, before_transaction: (0, told.tracker.clone()), commands: 0 })
    }

    /// Loads a slice of a file. Gives how it ended, once it has.
    fn advance_file(&mut self, current: &mut Current, part: &File, told: &mut Told, slice: &mut Slice) -> Result<Option<End>, String> {
        let name = &part.name;
        match &mut current.content {
            Content::Commands(_) => self.advance_commands(current, part, told, slice),
            Content::Snapshot(load) => {
                let old = *name == self.state.config.appendfilename;
                let whole = self.advance_snapshot_load(load, slice).map_err(|error| {
                    let what = if old { "RDB preamble of the AOF" } else { "RDB base" };
                    format!("Error reading the {what} file {name}, AOF loading aborted: {error}")
                })?;
                if whole {
                    let loaded = load.loaded();
                    self.state.snapshots.has_loaded(&loaded, self.state.now);
                    let adopted = self.state.adopt_libraries(Restore::Flush);
                    adopted.map_err(|error| format!("Error reading the base file {name}, AOF loading aborted: {error}"))?;
                    if old {
                        log::info!("Reading the remaining AOF tail...");
                    }
                    current.content = Content::Commands(load.rest());
                }
                Ok(None)
            }
        }
    }

    /// Runs commands of a file.
    fn advance_commands(&mut self, current: &mut Current, part: &File, told: &mut Told, slice: &mut Slice) -> Result<Option<End>, String> {
        let name = &part.name;
        let Current { client, path, content, before_transaction, commands, .. } = current;
        let client = *client;
        let Content::Commands(reader) = content else { return Ok(None) };
        loop {
            let valid = reader.offset();
            told.mark(part, valid);
            let next = reader.read();
            match next.map_err(|error| format!("Unrecoverable error reading the append only file {name}: {}", reason(&error)))? {
                Next::Command(args) => {
                    if args.is(0, "multi") {
                        *before_transaction = (valid, told.tracker.clone());
                    }
                    self.replay(client, args).map_err(|problem| problem.of_file(name))?;
                    told.tracker.bytes(reader.offset() - valid);
                    // what is no part of the history ends with a word that leads back to its database
                    if told.tracker.is_in_history() {
                        told.db = self.state.clients[client].db;
                    }
                }
                Next::Note(line) => {
                    if let Some(note) = Note::parse(line) {
                        told.note(note);
                    }
                }
                Next::Damage => return Err(Problem::Damage.of_file(name)),
                end => {
                    let cut_off = matches!(end, Next::CutOff);
                    return self.end_of_file((path, part), client, (valid, cut_off), before_transaction, told).map(Some);
                }
            }
            *commands += 1;
            if self.state.busy.is_some() {
                // a script that takes long goes on in the turns that follow
                return Ok(None);
            }
            if self.pauses_after(*commands) && slice.pace(reader.offset(), *commands) == Pace::Enough {
                return Ok(None);
            }
        }
    }

    /// A file has ended, where its valid part ends or behind that.
    fn end_of_file(
        &mut self,
        (path, part): (&str, &File),
        client: ClientKey,
        (valid, cut_off): (u64, bool),
        before_transaction: &mut (u64, Tracker),
        told: &mut Told,
    ) -> Result<End, String> {
        let name = &part.name;
        if self.state.clients[client].flags.any(ClientFlags::MULTI) {
            if !cut_off {
                log::warn!("Revert incomplete MULTI/EXEC transaction in AOF file {name}");
            }
            told.tracker = std::mem::take(&mut before_transaction.1);
            return self.cut_back(path, name, before_transaction.0);
        }
        if cut_off {
            return self.cut_back(path, name, valid);
        }
        if valid < part.size {
            // half an annotation: what is written behind it would become part of it
            self.truncate(path, name, valid)?;
        }
        Ok(End::Whole)
    }

    /// Whether it is to be asked now if the slice is done. A delay is for tests that want to see the pauses.
    fn pauses_after(&self, commands: u64) -> bool {
        let delay = self.state.config.key_load_delay;
        if delay != 0 {
            save::delay(delay, commands);
        }
        delay != 0 || commands.is_multiple_of(limits::LOAD_PULSE)
    }

    /// Runs one command.
    fn replay(&mut self, client: ClientKey, args: Args<'_>) -> Result<(), Problem> {
        let Some(id) = self.state.registry.lookup_recorded(args.at(0)) else {
            return Err(Problem::Unknown(String::from_utf8_lossy(args.at(0)).into_owned()));
        };
        if !self.state.registry.get(id).row.takes(args.len()) {
            return Err(Problem::Damage);
        }
        self.as_client(client, |ctx| {
            ctx.must_not_block = true;
            dispatch::execute(ctx, args, Some(id));
        });
        self.settle();
        Ok(())
    }

    /// Cuts a file back to the end of what could be read, if that is allowed.
    fn cut_back(&mut self, path: &str, name: &str, valid: u64) -> Result<End, String> {
        if !self.state.config.aof_load_truncated {
            return Err(format!(
                "Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server."
            ));
        }
        log::warn!("!!! Warning: short read while loading the AOF file {name}!!!");
        log::warn!("!!! Truncating the AOF {name} at offset {valid} !!!");
        self.truncate(path, name, valid)?;
        log::warn!("AOF {name} loaded anyway because aof-load-truncated is enabled");
        Ok(End::CutBack)
    }

    fn truncate(&self, path: &str, name: &str, valid: u64) -> Result<(), String> {
        let cut = self.state.snapshots.storage.append(path).and_then(|mut file| {
            file.truncate(valid)?;
            file.sync()
        });
        cut.map_err(|error| format!("Error truncating the AOF file {name}: {}", reason(&error)))
    }

    /// DEBUG LOADAOF: the data is thrown away and loaded from the append-only file, while a client waits or at once. If that
    /// fails, there is no data to go on with, and the server stops.
    pub(super) fn reload_aof(&mut self, client: Option<ClientKey>) {
        self.state.hand_on();
        self.state.force_file();
        self.keyspace.flush_all();
        self.state.forget_libraries();
        self.settle();
        self.state.feed.take();
        self.state.feed.reselect();
        let begun = match client {
            None => self.load_aof().map(|_| ()),
            Some(key) => self.begin_replay().map(|replay| {
                self.state.enter_loading(replay.total(), View::Nothing);
                self.work = Some(Work::Again(Box::new(replay), key, self.state.clients[key].id));
            }),
        };
        if let Err(error) = begun {
            self.state.stop = Some(super::Stop::Failed(error));
        }
    }
}

/// Why a command is not run.
enum Problem {
    Unknown(String),
    Damage,
}

impl Problem {
    fn of_file(&self, name: &str) -> String {
        match self {
            Problem::Unknown(command) => format!("Unknown command '{command}' reading the append only file {name}"),
            Problem::Damage => format!(
                "Bad file format reading the append only file {name}: make a backup of your AOF file, then use ./redis-check-aof --fix <filename.manifest>"
            ),
        }
    }
}

/// The first bytes of a file: enough to see what it is.
fn read_head(file: &mut dyn ReadFile) -> std::io::Result<Vec<u8>> {
    let mut head = vec![0; 16];
    let mut length = 0;
    while length < head.len() {
        match file.read(&mut head[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    head.truncate(length);
    Ok(head)
}
