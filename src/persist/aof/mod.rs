//! The append-only file: every change, in order, in files that together are the data set.
//!
//! ```text
//!            begin (first base)         complete
//!     Off ───────────────────▶ Starting ─────────▶ On ◀──┐ begin, complete: a rewrite
//!      ▲                          │ abandon: again later  └──┘ (increments pile up until one works)
//!      └──────────── stop ────────┴───────────────┘
//!      └── open (at start, the data set is loaded or empty) ──▶ On
//! ```
//!
//! - [`manifest`]: which files; [`appender`]: the one that is written; [`reader`]: reading one back; [`past`]:
//!   the increments as a backlog for replicas; [`commands`]: the data set as commands; [`rewrite`]: when a new base is made, and by whom.
//!
//! **A rewrite** makes a new base of the data set as it is now, in a child process. [`Aof::begin`] first
//! closes the increment and opens the next one, so that what happens meanwhile goes there; when the base is
//! there, [`Aof::complete`] names it in the manifest instead of everything before that increment. If it
//! fails, nothing is lost: the manifest still names all that is needed.
//!
//! While [`Phase::Starting`] there is no base yet, so the increment has a temporary name and no place in the
//! manifest: a file without the data before it is not a history.
//!
//! Invariants, whatever crashes when:
//! - the manifest on the disk names only files that are on the disk: names are made durable before the
//!   manifest that mentions them;
//! - files in the order of the manifest, each up to where it ends, are a prefix of what was done;
//! - after a sync has failed, the kernel may have dropped what it could not write and call the file clean:
//!   nothing in that file counts as durable any more ([`Aof::trouble`]), until a rewrite has replaced it.

pub mod appender;
pub mod commands;
pub mod manifest;
pub mod past;
pub mod reader;
pub mod rewrite;

use crate::base::text::reason;
use std::io;
use std::ops::Range;

use super::place::{Note, Place};
use super::storage::{Storage, directory_of, read_all};
use appender::{Appender, Done, Flushed, Generation, Job, Marks, Policy};
use manifest::{BadManifest, BaseFormat, Manifest};
use past::{Past, PastReader};

/// Where the files are and what they are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `appenddirname`
    pub directory: String,
    /// `appendfilename`
    pub stem: String,
}

impl Names {
    /// The path of a file of the append-only file.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    /// The path of the manifest.
    pub fn manifest(&self) -> String {
        self.path(&format!("{}.manifest", self.stem))
    }

    fn draft_of_manifest(&self) -> String {
        self.path(&format!("temp-{}.manifest", self.stem))
    }

    /// The path of a base that a process writes.
    pub fn draft_of_base(&self, process: u32) -> String {
        self.path(&format!("temp-{}.{process}.base", self.stem))
    }

    fn draft_of_increment(&self) -> String {
        self.path(&format!("temp-{}.incr", self.stem))
    }
}

/// What the append-only file is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing.
    #[default]
    Off,
    /// Changes are gathered; the base that they follow is not there yet.
    Starting,
    /// The files are the data set.
    On,
}

/// Why the append-only file does not hold what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// What is to be written could not be, yet.
    Write(String),
    /// What was written may not be on the disk, and will not be known to be: a rewrite is needed.
    Sync(String),
}

impl Trouble {
    /// The system's word for it.
    pub fn reason(&self) -> &str {
        match self {
            Trouble::Write(reason) | Trouble::Sync(reason) => reason,
        }
    }
}

/// Counters and states for INFO.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Bytes of base and increments.
    pub size: u64,
    /// The same when the base was made.
    pub base_size: u64,
    /// How often a write did not wait for a sync any longer.
    pub delayed_syncs: u64,
}

/// The append-only file. See the module's essay.
#[derive(Default)]
pub struct Aof {
    phase: Phase,
    /// Whether superseded files stay, named in the manifest as history.
    keeps_history: bool,
    manifest: Manifest,
    appender: Option<Appender>,
    last_generation: Generation,
    write_error: Option<String>,
    /// A sync that failed, and of which file.
    sync_error: Option<(Generation, String)>,
    /// The second that the file was last told, for annotations.
    told_second: i64,
    /// When an error was last logged, so that the log is not flooded.
    logged_error: Option<i64>,
    /// Where in the history the end of the file is, as far as the file tells.
    place: Option<Place>,
    /// What the increments hold of the history.
    past: Past,
    jobs: Vec<Job>,
    /// For INFO.
    pub facts: Facts,
}

/// A piece of the history.
pub struct Piece<'a> {
    /// Its bytes: whole commands, no half of a transaction.
    pub bytes: &'a [u8],
    /// What of them is not for the file: mostly it changes no data.
    pub left_out: &'a [Range<usize>],
    /// What is for the file alone, in the order of the places.
    pub inserted: &'a [Insertion],
    /// Whether what is left out changes data: then nobody can follow the history through the file here.
    pub hides_change: bool,
    /// Where it begins.
    pub from: Place,
    /// Whether anybody follows the history, so that its name is worth telling.
    pub named: bool,
}

/// Commands for the file alone, which are no part of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insertion {
    /// Before which byte of the piece they stand.
    pub at: usize,
    /// The commands.
    pub bytes: Vec<u8>,
}

/// A part of what becomes of a piece in a file.
pub enum Part<'a> {
    /// Bytes that replicas get, too.
    Shared(&'a [u8]),
    /// Bytes that only replicas get: from where to where in the piece.
    LeftOut(Range<usize>),
    /// Bytes that only the file gets.
    Inserted(&'a [u8]),
}

/// Tells what a file gets of a piece, in order. No insertion is within what is left out.
pub fn for_file(bytes: &[u8], left_out: &[Range<usize>], inserted: &[Insertion], mut tell: impl FnMut(Part<'_>)) {
    let (mut at, mut inserted) = (0, inserted.iter().peekable());
    let end = bytes.len()..bytes.len();
    for range in left_out.iter().chain([&end]) {
        while let Some(insertion) = inserted.next_if(|insertion| insertion.at <= range.start) {
            tell(Part::Shared(&bytes[at..insertion.at]));
            tell(Part::Inserted(&insertion.bytes));
            at = insertion.at;
        }
        tell(Part::Shared(&bytes[at..range.start]));
        if !range.is_empty() {
            tell(Part::LeftOut(range.clone()));
        }
        at = range.end;
    }
}

/// Tells the file the time, if it is to know it and does not.
fn stamp(buffer: &mut Vec<u8>, told_second: &mut i64, now: i64, stamped: bool) {
    if stamped && *told_second != now {
        *told_second = now;
        buffer.extend_from_slice(format!("#TS:{now}\r\n").as_bytes());
    }
}

/// Seconds between two messages about the same trouble.
const LOG_INTERVAL: i64 = 30;

/// What a flush means for those whose changes it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// All is as the directive promises, or will be.
    Kept,
    /// With `appendfsync always`: changes of this turn are not on the disk and must not be acknowledged.
    Broken,
}

impl Aof {
    /// What it is doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The files.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Bytes that wait to be written.
    pub fn unwritten(&self) -> usize {
        self.appender.as_ref().map_or(0, Appender::unwritten)
    }

    /// Memory of what waits to be written.
    pub fn buffered(&self) -> usize {
        self.appender.as_ref().map_or(0, Appender::buffered)
    }

    /// Whether a sync is under way.
    pub fn is_syncing(&self) -> bool {
        self.appender.as_ref().is_some_and(Appender::is_syncing)
    }

    /// Whether everything so far is on the disk, for good.
    pub fn is_durable(&self) -> bool {
        self.phase == Phase::On && self.trouble().is_none() && self.appender.as_ref().is_some_and(Appender::is_durable)
    }

    /// What stands between the data and the disk.
    pub fn trouble(&self) -> Option<Trouble> {
        let sync = self.sync_error.as_ref().map(|(_, reason)| Trouble::Sync(reason.clone()));
        self.write_error.clone().map(Trouble::Write).or(sync)
    }

    /// Whether the last write worked, or was made good since.
    pub fn wrote(&self) -> bool {
        self.write_error.is_none()
    }

    /// Appends a piece of the history, but for the parts that are not for a file; `from` is where it begins,
    /// without a name if nobody will ask for it. With `stamped` the file is told the time first, if it does
    /// not know this second yet.
    pub fn append(&mut self, piece: &Piece<'_>, now: i64, stamped: bool) {
        let increment = self.increment_number();
        let Some(appender) = &mut self.appender else { return };
        appender.marks.appended = piece.from.offset + piece.bytes.len() as u64;
        let written = appender.written();
        let buffer = appender.buffer();
        let before = buffer.len();
        if piece.named {
            if self.place.is_some_and(|place| place.offset != piece.from.offset) {
                self.past.clear();
            }
            self.past.note(increment, written + before as u64, piece.from.offset);
            if self.place != Some(piece.from) {
                Note::At(piece.from).write(buffer);
            }
            self.place = Some(Place { offset: piece.from.offset + piece.bytes.len() as u64, ..piece.from });
        } else {
            self.place = None;
            self.past.clear();
        }
        if piece.bytes.len() > piece.left_out.iter().map(Range::len).sum() || !piece.inserted.is_empty() {
            stamp(buffer, &mut self.told_second, now, stamped);
        }
        for_file(piece.bytes, piece.left_out, piece.inserted, |part| match part {
            Part::Shared(bytes) => buffer.extend_from_slice(bytes),
            Part::LeftOut(_) if !piece.named => {}
            // a place where the history is not expected is a gap
            Part::LeftOut(range) if piece.hides_change => {
                Note::At(Place { offset: piece.from.offset + range.end as u64, ..piece.from }).write(buffer);
            }
            Part::LeftOut(range) => Note::Skip(range.len() as u64).write(buffer),
            Part::Inserted(bytes) => {
                Note::Local(bytes.len() as u64).write(buffer);
                buffer.extend_from_slice(bytes);
            }
        });
        self.facts.size += (buffer.len() - before) as u64;
        if piece.hides_change {
            self.past.clear();
        }
    }

    /// Appends commands that are no part of the history: changes of this replica's own.
    pub fn append_local(&mut self, bytes: &[u8], now: i64, stamped: bool) {
        let Some(appender) = &mut self.appender else { return };
        let buffer = appender.buffer();
        let before = buffer.len();
        stamp(buffer, &mut self.told_second, now, stamped);
        Note::Local(bytes.len() as u64).write(buffer);
        buffer.extend_from_slice(bytes);
        self.facts.size += (buffer.len() - before) as u64;
    }

    /// Whether the file has said where in the history it is.
    pub fn is_placed(&self) -> bool {
        self.place.is_some()
    }

    /// The number of the increment that is written to.
    fn increment_number(&self) -> u64 {
        match self.phase {
            Phase::Starting => self.manifest.next_increment(),
            Phase::On | Phase::Off => self.manifest.increments.last().map_or(0, |part| part.sequence),
        }
    }

    /// How far into the history the file and the disk are.
    pub fn marks(&self) -> Marks {
        self.appender.as_ref().map_or(Marks::default(), |appender| appender.marks)
    }

    /// Where in the history its data stands that was loaded.
    pub fn set_marks(&mut self, offset: u64) {
        if let Some(appender) = &mut self.appender {
            appender.marks = Marks { appended: offset, written: offset, durable: offset };
        }
    }

    /// What the increments hold of the history, for whoever reads the files.
    pub fn past_mut(&mut self) -> &mut Past {
        &mut self.past
    }

    /// Bytes of the history before what the increments hold; `None` if they hold nothing of it.
    pub fn past_start(&self) -> Option<u64> {
        self.past.start().filter(|_| self.phase == Phase::On)
    }

    /// A reader of the history from there on, if the increments hold it.
    pub fn read_past(&self, names: &Names, offset: u64) -> Option<PastReader> {
        self.past_start()?;
        let files = self.manifest.increments.iter().map(|part| (part.sequence, names.path(&part.name)));
        self.past.read_from(offset, files)
    }

    /// Writes what was appended, and syncs it, as the policy wants it.
    pub fn flush(&mut self, policy: &Policy) -> Outcome {
        let Some(appender) = &mut self.appender else { return Outcome::Kept };
        let generation = appender.generation();
        let flushed = appender.flush(policy);
        self.take_in(flushed, generation, policy)
    }

    fn take_in(&mut self, flushed: Flushed, generation: Generation, policy: &Policy) -> Outcome {
        self.jobs.extend(flushed.job);
        if flushed.impatient {
            self.facts.delayed_syncs += 1;
            log::info!(
                "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync to complete, this may slow down the server."
            );
        }
        let always = policy.sync == crate::config::AppendFsync::Always;
        if let Some(error) = flushed.write_error {
            let reason = reason(&error);
            if self.may_log(policy.now) || always {
                log::warn!("Error writing to the AOF file: {reason}. Free space or repair the disk; writes are refused until it works.");
            }
            self.write_error = Some(reason);
            return if always { Outcome::Broken } else { Outcome::Kept };
        }
        if flushed.written > 0 && self.write_error.take().is_some() {
            self.logged_error = None;
            log::warn!("AOF write error looks solved. The server can write again.");
        }
        if let Some(error) = flushed.sync_error {
            self.sync_failed(generation, &error);
            return if always { Outcome::Broken } else { Outcome::Kept };
        }
        Outcome::Kept
    }

    fn may_log(&mut self, now: i64) -> bool {
        let due = self.logged_error.is_none_or(|last| !(0..LOG_INTERVAL).contains(&now.saturating_sub(last)));
        if due {
            self.logged_error = Some(now);
        }
        due
    }

    fn sync_failed(&mut self, generation: Generation, error: &io::Error) {
        let reason = reason(error);
        log::warn!(
            "Fail to fsync the AOF file: {reason}. What was written may be lost; writes are refused until a rewrite of the append-only file has succeeded."
        );
        self.sync_error = Some((generation, reason));
    }

    /// Work for another thread; [`Aof::done`] is to be told when it is done.
    pub fn push_job(&mut self, job: Job) {
        self.jobs.push(job);
    }

    /// The jobs that wait.
    pub fn take_jobs(&mut self) -> Vec<Job> {
        std::mem::take(&mut self.jobs)
    }

    /// A job has ended.
    pub fn done(&mut self, done: Done) {
        let generation = done.generation;
        let failed = match &mut self.appender {
            Some(appender) => appender.done(done),
            None => done.result.err(),
        };
        if let Some(error) = failed.filter(|_| self.phase != Phase::Off) {
            self.sync_failed(generation, &error);
        }
    }

    /// Reads the manifest, if there is one.
    pub fn read_manifest(&mut self, storage: &dyn Storage, names: &Names) -> Result<(), String> {
        let path = names.manifest();
        let text = read_all(storage, &path)
            .map_err(|error| format!("Fatal error: can't open the AOF manifest file {path} for reading: {}", reason(&error)))?;
        self.manifest = match text {
            None => Manifest::default(),
            Some(text) => Manifest::parse(&text).map_err(|bad| manifest_error(&bad))?,
        };
        Ok(())
    }

    /// Moves a single file of before there were manifests into the directory, as the base, where that was
    /// not done or not finished before.
    pub fn adopt_old_file(&mut self, storage: &dyn Storage, names: &Names) -> Result<(), String> {
        let half_done = self.manifest.increments.is_empty()
            && self.manifest.base.as_ref().is_some_and(|base| base.name == names.stem)
            && !exists(storage, &names.path(&names.stem));
        if !(self.manifest.is_empty() || half_done) || !exists(storage, &names.stem) {
            return Ok(());
        }
        make_directory(storage, names)?;
        if self.manifest.base.is_none() {
            self.manifest.adopt_base(&names.stem);
        }
        write_manifest(storage, names, &self.manifest)?;
        let (stem, directory) = (&names.stem, &names.directory);
        let moved = storage.rename(stem, &names.path(stem));
        let moved = moved.and_then(|()| storage.sync_directory(directory)).and_then(|()| storage.sync_directory("."));
        moved.map_err(|error| format!("Error trying to move the old AOF file {stem} into dir {directory}: {}", reason(&error)))?;
        log::info!("Successfully migrated an old-style AOF file ({stem}) into the AOF directory ({directory}).");
        Ok(())
    }

    /// Opens the files to go on, after they were read (or there are none). An empty history gets a base of
    /// the data set, written by `write_base`.
    pub fn open(
        &mut self,
        storage: &dyn Storage,
        names: &Names,
        format: BaseFormat,
        now: i64,
        write_base: impl FnOnce(&str) -> io::Result<()>,
    ) -> Result<(), String> {
        make_directory(storage, names)?;
        if self.manifest.is_empty() {
            let name = self.manifest.new_base(&names.stem, format);
            let path = names.path(&name);
            write_base(&path).map_err(|error| format!("Can't write the AOF base file {name}: {}", reason(&error)))?;
            log::info!("Creating AOF base file {name} on server start");
            self.facts.base_size = length(storage, &path);
            self.facts.size = self.facts.base_size;
        }
        let opened = self.manifest.increments.last().map(|part| part.name.clone());
        let verb = if opened.is_some() { "Opening" } else { "Creating" };
        let name = opened.unwrap_or_else(|| self.manifest.new_increment(&names.stem));
        let path = names.path(&name);
        let file = storage.append(&path).map_err(|error| format!("Can't open the append-only file {name}: {}", reason(&error)))?;
        write_manifest(storage, names, &self.manifest)?;
        log::info!("{verb} AOF incr file {name} on server start");
        let generation = self.next_generation();
        self.appender = Some(Appender::new(file, generation, length(storage, &path), now));
        self.phase = Phase::On;
        self.collect_history(storage, names);
        self.collect_drafts(storage, names);
        Ok(())
    }

    /// Removes what an earlier run did not finish because it was killed.
    fn collect_drafts(&mut self, storage: &dyn Storage, names: &Names) {
        let prefix = format!("temp-{}.", names.stem);
        let ours = |rest: &str| rest == "incr" || rest == "manifest" || rest.ends_with(".base");
        for name in storage.list(&names.directory).unwrap_or_default() {
            if name.strip_prefix(&prefix).is_some_and(ours) {
                self.remove(storage, &names.path(&name));
            }
        }
    }

    fn next_generation(&mut self) -> Generation {
        self.last_generation.0 += 1;
        self.last_generation
    }

    /// It is to be turned on as soon as a rewrite can begin.
    pub fn prepare(&mut self) {
        debug_assert_eq!(self.phase, Phase::Off);
        self.past.clear();
        self.phase = Phase::Starting;
    }

    /// A rewrite is about to read the data set: what changes from now on goes to a new increment. `first` is
    /// whether the append-only file is being turned on. When it is off and stays off, a rewrite only makes a base.
    pub fn begin(&mut self, storage: &dyn Storage, names: &Names, policy: &Policy, first: bool) -> Result<(), String> {
        make_directory(storage, names)?;
        if first {
            self.phase = Phase::Starting;
            self.past.clear();
        }
        let opened = match self.phase {
            Phase::Off => return Ok(()),
            Phase::Starting => self.open_draft(storage, names, policy.now),
            Phase::On => self.next_increment(storage, names, policy),
        };
        (self.told_second, self.place) = (0, None);
        opened
    }

    fn open_draft(&mut self, storage: &dyn Storage, names: &Names, now: i64) -> Result<(), String> {
        let path = names.draft_of_increment();
        let file = storage.create(&path).map_err(|error| format!("Can't open the append-only file {path}: {}", reason(&error)))?;
        log::info!("Creating AOF incr file {path} on background rewrite");
        let generation = self.next_generation();
        self.appender = Some(Appender::new(file, generation, 0, now));
        Ok(())
    }

    fn next_increment(&mut self, storage: &dyn Storage, names: &Names, policy: &Policy) -> Result<(), String> {
        // what the old increment lacks would be in the new base, but in no file if the rewrite failed
        let outcome = self.flush(&Policy { forced: true, ..*policy });
        if self.unwritten() > 0 || outcome == Outcome::Broken {
            return Err(format!("Can't write the AOF file: {}", self.trouble().map(|t| t.reason().to_string()).unwrap_or_default()));
        }
        let mut manifest = self.manifest.clone();
        let name = manifest.new_increment(&names.stem);
        let path = names.path(&name);
        let file = storage.create(&path).map_err(|error| format!("Can't open the append-only file {name}: {}", reason(&error)))?;
        write_manifest(storage, names, &manifest)?;
        log::info!("Creating AOF incr file {name} on background rewrite");
        self.manifest = manifest;
        let generation = self.next_generation();
        let mut next = Appender::new(file, generation, 0, policy.now);
        if let Some(old) = self.appender.take() {
            self.jobs.push(old.succeed(&mut next));
        }
        self.appender = Some(next);
        Ok(())
    }

    /// A rewrite has written the data set, synced, into the file `draft`: it becomes the base.
    pub fn complete(&mut self, storage: &dyn Storage, names: &Names, draft: &str, format: BaseFormat) -> Result<(), String> {
        let mut manifest = self.manifest.clone();
        let name = manifest.new_base(&names.stem, format);
        let base = names.path(&name);
        storage
            .rename(draft, &base)
            .map_err(|error| format!("Error trying to rename the temporary AOF base file {draft} into {base}: {}", reason(&error)))?;
        log::info!("Successfully renamed the temporary AOF base file {draft} into {name}");
        let mut increment = None;
        if self.phase == Phase::Starting {
            let (from, name) = (names.draft_of_increment(), manifest.new_increment(&names.stem));
            let to = names.path(&name);
            if let Err(error) = storage.rename(&from, &to) {
                let _ = storage.remove(&base);
                return Err(format!("Error trying to rename the temporary AOF incr file {from} into {to}: {}", reason(&error)));
            }
            log::info!("Successfully renamed the temporary AOF incr file {from} into {name}");
            increment = Some(to);
        }
        manifest.retire_increments(usize::from(self.phase != Phase::Off));
        self.past.retire(manifest.increments.first().map_or(u64::MAX, |part| part.sequence));
        if let Err(error) = write_manifest(storage, names, &manifest) {
            forget_unless_named(storage, names, &manifest, increment.iter().chain([&base]));
            return Err(error);
        }
        self.manifest = manifest;
        self.succeeded(length(storage, &base));
        self.collect_history(storage, names);
        Ok(())
    }

    fn succeeded(&mut self, base: u64) {
        let Some(appender) = &self.appender else { return };
        self.phase = Phase::On;
        self.facts.size = base + appender.written() + appender.unwritten() as u64;
        self.facts.base_size = self.facts.size;
        if self.sync_error.as_ref().is_some_and(|(generation, _)| *generation < appender.generation()) {
            self.sync_error = None;
            log::warn!("The append-only file is whole again after its rewrite. The server can write again.");
        }
    }

    /// A rewrite has failed. While starting, what was gathered is of no use: the next one begins anew.
    pub fn abandon(&mut self, storage: &dyn Storage, names: &Names) {
        if self.phase == Phase::Starting {
            self.appender = None;
            log::info!("Removing the temp incr aof file {} in the background", names.draft_of_increment());
            self.remove(storage, &names.draft_of_increment());
        }
    }

    /// Turns it off: everything is written and synced, and the files are closed.
    pub fn stop(&mut self, storage: &dyn Storage, names: &Names, policy: &Policy) {
        if let Some(mut appender) = self.appender.take()
            && let Err(error) = appender.finish(policy)
        {
            log::warn!("Fail to fsync the AOF file: {}", reason(&error));
        }
        if self.phase == Phase::Starting {
            self.remove(storage, &names.draft_of_increment());
        }
        self.phase = Phase::Off;
        self.place = None;
        self.past.clear();
        (self.write_error, self.sync_error, self.logged_error) = (None, None, None);
    }

    /// Writes and syncs everything, before the process ends.
    pub fn finish(&mut self, policy: &Policy) -> Result<(), String> {
        let Some(appender) = &mut self.appender else { return Ok(()) };
        appender.finish(policy).map_err(|error| reason(&error))
    }

    /// Whether superseded files stay. Those that have piled up are removed when they need not stay any longer.
    pub fn keep_history(&mut self, keeps: bool, storage: &dyn Storage, names: &Names) {
        self.keeps_history = keeps;
        if self.phase == Phase::On {
            self.collect_history(storage, names);
        }
    }

    /// Removes the files that nothing needs any more, and then their names from the manifest.
    fn collect_history(&mut self, storage: &dyn Storage, names: &Names) {
        if self.manifest.history.is_empty() || self.keeps_history {
            return;
        }
        for part in std::mem::take(&mut self.manifest.history) {
            log::info!("Removing the history file {} in the background", part.name);
            self.remove(storage, &names.path(&part.name));
        }
        if let Err(error) = write_manifest(storage, names, &self.manifest) {
            // a later manifest will do; until then they are named, and absent, and nobody minds
            log::warn!("{error}");
        }
    }

    /// Removes a file's name here and leaves the freeing of its space to another thread.
    fn remove(&mut self, storage: &dyn Storage, path: &str) {
        let handle = if exists(storage, path) { storage.append(path).ok() } else { None };
        match storage.remove(path) {
            Ok(()) => self.jobs.extend(handle.map(Job::close)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => log::warn!("Cannot remove the file {path}: {}", reason(&error)),
        }
    }
}

/// Whether there is a file that can be read.
pub fn exists(storage: &dyn Storage, path: &str) -> bool {
    storage.open(path).is_ok()
}

fn length(storage: &dyn Storage, path: &str) -> u64 {
    storage.open(path).and_then(|file| file.length()).unwrap_or(0)
}

fn manifest_error(bad: &BadManifest) -> String {
    let place = bad.line.as_ref().map(|(number, text)| format!("Reading the manifest file, at line {number}\n>>> '{text}'\n"));
    format!("*** FATAL AOF MANIFEST FILE ERROR ***\n{}{}", place.unwrap_or_default(), bad.problem)
}

fn make_directory(storage: &dyn Storage, names: &Names) -> Result<(), String> {
    let directory = &names.directory;
    let made = storage.make_directory(directory).and_then(|()| storage.sync_directory("."));
    made.map_err(|error| format!("Can't open or create append-only dir {directory}: {}", reason(&error)))
}

/// Removes files of a manifest that could not be written, unless it was written so far that the disk may
/// have it after all.
fn forget_unless_named<'a>(storage: &dyn Storage, names: &Names, manifest: &Manifest, files: impl Iterator<Item = &'a String>) {
    let text = read_all(storage, &names.manifest());
    if text.is_ok_and(|text| text.as_deref() != Some(manifest.to_text().as_slice())) {
        for file in files {
            // nothing names it; what cannot be removed takes space only
            let _ = storage.remove(file);
        }
    }
}

/// Replaces the manifest on the disk. The files it names are made durable by name first.
fn write_manifest(storage: &dyn Storage, names: &Names, manifest: &Manifest) -> Result<(), String> {
    let (draft, path) = (names.draft_of_manifest(), names.manifest());
    let write = || {
        storage.sync_directory(directory_of(&path))?;
        let mut file = storage.create(&draft)?;
        file.write_all(&manifest.to_text())?;
        file.sync()?;
        storage.rename(&draft, &path)?;
        storage.sync_directory(directory_of(&path))
    };
    write().map_err(|error| format!("Error trying to write the AOF manifest file {path}: {}", reason(&error)))
}
