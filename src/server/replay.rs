//! Loading the append-only file: its commands are run once more, by a client without a connection.
//!
//! The client is marked [`ClientFlags::REPLAY`]: no gate stops it, nothing expires meanwhile, nothing that
//! it does is recorded, and nobody reads its replies. A base may be a snapshot, and an old single file a
//! snapshot with commands behind it.
//!
//! The files say where in a history they stand ([`crate::persist::place`]), and each command counts; so what
//! could be read tells what to ask a primary for, and what a replica that comes back still lacks.

use super::client::{ClientFlags, ClientKey, Peer};
use super::{Server, dispatch};
use crate::keyspace::DbIndex;
use crate::keyspace::expiry::Expiry;
use crate::persist::aof::past::Past;
use crate::persist::aof::reader::{CommandReader, Next};
use crate::persist::aof::rewrite::names;
use crate::persist::place::{Note, Place, Tracker};
use crate::persist::rdb::load::{Overdue, Twice};
use crate::persist::storage::{ReadFile, reason};
use crate::resp::request::Args;

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
struct Told {
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

impl Server {
    /// Loads the append-only file, if there is one, and goes on with it. The error says why the server
    /// cannot start.
    pub fn start_aof(&mut self) -> Result<(), String> {
        let told = self.load_aof()?;
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

    /// Runs the commands of the files that the manifest names. Gives what they tell of the history.
    fn load_aof(&mut self) -> Result<Told, String> {
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
        let (recording, expiry) = (self.keyspace.effects.recording, self.keyspace.expiry);
        self.keyspace.effects.recording = false;
        self.keyspace.expiry = Expiry::Ignore;
        let mut told = Told::new();
        let loaded = self.replay_parts(&parts, &mut told);
        self.keyspace.expiry = expiry;
        self.keyspace.effects.recording = recording;
        self.keyspace.dirty = 0;
        loaded?;
        let facts = &mut self.state.aof.facts;
        facts.size = parts.iter().map(|part| part.size).sum();
        facts.base_size = if has_base { parts[0].size } else { 0 };
        Ok(told)
    }

    /// A file but the last that ends too early is fatal. Empty ones do not count: the next increment is named
    /// in the manifest a moment before it is written to, and the moment may have been the last.
    fn replay_parts(&mut self, parts: &[File], told: &mut Told) -> Result<(), String> {
        for (index, part) in parts.iter().enumerate() {
            let started = self.state.stopwatch.now();
            let client = self.add_client(None, Peer::default());
            self.state.clients[client].flags.set(ClientFlags::REPLAY.or(ClientFlags::REPLY_OFF).or(ClientFlags::AUTHENTICATED), true);
            let replayed = self.replay_file(client, part, told);
            self.closed(client);
            if replayed? == End::CutBack && parts[index + 1..].iter().any(|part| part.size > 0) {
                return Err("Fatal error: the truncated file is not the last file".to_string());
            }
            let kind = if part.increment.is_some() { "incr" } else { "base" };
            let seconds = self.state.stopwatch.now().saturating_sub(started) as f64 / 1e9;
            log::info!("DB loaded from {kind} file {}: {seconds:.3} seconds", part.name);
        }
        Ok(())
    }

    fn replay_file(&mut self, client: ClientKey, part: &File, told: &mut Told) -> Result<End, String> {
        let name = &part.name;
        let path = names(&self.state.config).path(name);
        let mut reader = self.open_part(&path, name)?;
        let failed = |error: std::io::Error| format!("Unrecoverable error reading the append only file {name}: {}", reason(&error));
        let mut before_transaction = (0, told.tracker.clone());
        loop {
            let valid = reader.offset();
            told.mark(part, valid);
            match reader.read().map_err(failed)? {
                Next::Command(args) => {
                    if args.is(0, "multi") {
                        before_transaction = (valid, told.tracker.clone());
                    }
                    self.replay(client, args).map_err(|problem| problem.of_file(name))?;
                    if told.tracker.bytes(reader.offset() - valid) {
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
                    let open = self.state.clients[client].flags.any(ClientFlags::MULTI);
                    let cut_off = matches!(end, Next::CutOff);
                    if open {
                        if !cut_off {
                            log::warn!("Revert incomplete MULTI/EXEC transaction in AOF file {name}");
                        }
                        told.tracker = before_transaction.1;
                        return self.cut_back(&path, name, before_transaction.0);
                    }
                    if cut_off {
                        return self.cut_back(&path, name, valid);
                    }
                    if valid < part.size {
                        // half an annotation: what is written behind it would become part of it
                        self.truncate(&path, name, valid)?;
                    }
                    return Ok(End::Whole);
                }
            }
        }
    }

    /// Opens a file and loads the snapshot that it may start with.
    fn open_part(&mut self, path: &str, name: &str) -> Result<CommandReader, String> {
        let mut file = self
            .state
            .snapshots
            .storage
            .open(path)
            .map_err(|error| format!("Fatal error: can't open the append log file {name} for reading: {}", reason(&error)))?;
        let head = read_head(&mut *file)
            .map_err(|error| format!("Unrecoverable error reading the append only file {name}: {}", reason(&error)))?;
        if head.starts_with(b"REDIS") || head.starts_with(b"VALKEY") {
            return self.load_preamble(path, name);
        }
        let length = head.len() as u64;
        Ok(CommandReader::new(file, head, length))
    }

    /// Loads the snapshot that a file starts with. Gives the commands behind it.
    fn load_preamble(&mut self, path: &str, name: &str) -> Result<CommandReader, String> {
        let old = name == self.state.config.appendfilename;
        let what = if old { "RDB preamble of the AOF" } else { "RDB base" };
        log::info!("{}", if old { "Reading RDB preamble from AOF file..." } else { "Reading RDB base file on AOF loading..." });
        let snapshots = &mut self.state.snapshots;
        let file = snapshots.storage.open(path).map_err(|error| reason(&error))?;
        let mut file = Counting { file, count: 0 };
        let loaded = snapshots.load_from(&mut file, &mut self.keyspace, &self.state.config, Overdue::Keep, Twice::Refuse);
        let (_, rest) = loaded.map_err(|error| format!("Error reading the {what} file {name}, AOF loading aborted: {error}"))?;
        if old {
            log::info!("Reading the remaining AOF tail...");
        }
        Ok(CommandReader::new(file.file, rest, file.count))
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

    /// DEBUG LOADAOF: the data is thrown away and loaded from the append-only file. If that fails, there is
    /// no data to go on with, and the server stops.
    pub(super) fn reload_aof(&mut self) {
        self.state.hand_on();
        for db in 0..self.state.config.databases {
            self.keyspace.flush(DbIndex(db));
        }
        self.settle();
        self.state.feed.take();
        self.state.feed.reselect();
        if let Err(error) = self.load_aof() {
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

/// A file that counts what was read of it.
struct Counting {
    file: Box<dyn ReadFile>,
    count: u64,
}

impl ReadFile for Counting {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(bytes)?;
        self.count += count as u64;
        Ok(count)
    }

    fn length(&self) -> std::io::Result<u64> {
        self.file.length()
    }
}
