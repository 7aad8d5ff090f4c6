//! The third story: a server with its files on a disk in memory, and a machine that stops.
//!
//! A client writes whatever the grammar says; snapshots and rewrites are made; now and then an operation of the
//! disk fails. The disk keeps an image of itself before each operation and amid each write. Afterwards a
//! second server starts from every image, once as it is (the process was killed) and once after a
//! crash (the unsynced is lost, torn, or there). What it finds must be a state that the data once had: not older
//! than what the setting had promised by then, not newer than what had been asked for.
//!
//! - `appendfsync always`: all that was acknowledged. `everysec`: all that was synced, and, while the disk works,
//!   all that is older than two seconds. `no`: what the last rewrite has synced. Killed, not crashed: everything.
//! - snapshots: one that was taken, the last that was confirmed or a later one.
//!
//! After a sync that failed, a file may have a hole that the server refuses to start with; then what
//! `redis-check-aof --fix` does is done here: the file is cut there, and nothing promised may be behind it.

use std::collections::BTreeMap;
use std::io::IoSlice;

use ruddle::base::clock::{Micros, Monotonic, Now};
use ruddle::base::random::Random;
use ruddle::command::server::digest;
use ruddle::config::{Config, Startup};
use ruddle::keyspace::entry::EntryRef;
use ruddle::persist::aof::appender::Job;
use ruddle::persist::rdb::load::{Overdue, Twice};
use ruddle::persist::storage::Storage;
use ruddle::persist::storage::faulty::{Faulty, Image};
use ruddle::server::client::{ClientFlags, ClientKey};
use ruddle::server::row::Flags;
use ruddle::server::turn::Inbound;
use ruddle::server::{Server, Stopwatch};
use ruddle::types::Value;
use ruddle::types::hash::{Hash, NEVER};

use super::grammar::Words;
use super::world::{START_MS, grammar, peer, wire};
use super::{chance, pick, trace};

/// How data is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Always,
    EverySecond,
    Never,
    Snapshots,
}

/// A key with its database, and a field of it if that has a deadline of its own.
type Name = (usize, Vec<u8>, Option<Vec<u8>>);
/// A deadline, and what stands for a value.
type Held = (Option<i64>, String);
/// All data.
type Data = BTreeMap<Name, Held>;

/// What holds at the end of a turn.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Operations of the disk so far.
    operations: u64,
    now_us: i64,
    /// The newest state.
    newest: usize,
    /// The oldest state that may be found after a crash of the machine.
    durable: usize,
    /// The same after the process was killed.
    written: usize,
}

struct Story {
    kept: Kept,
    server: Server,
    client: ClientKey,
    disk: Faulty,
    random: Random,
    now_us: i64,
    elapsed_us: u64,
    states: Vec<Data>,
    /// The states that a snapshot was made of.
    saved: Vec<usize>,
    marks: Vec<Mark>,
    jobs: Vec<Job>,
    /// The start of what the client was last answered.
    reply: String,
    /// Whether an operation of the disk has failed, or will.
    faulty: bool,
}

fn no_time() -> u64 {
    0
}

fn config(kept: Kept, preamble: bool) -> Config {
    let fsync = match kept {
        Kept::Always => "always",
        Kept::EverySecond => "everysec",
        Kept::Never | Kept::Snapshots => "no",
    };
    let words = [
        ("--appendonly", if kept == Kept::Snapshots { "no" } else { "yes" }),
        ("--appendfsync", fsync),
        ("--aof-use-rdb-preamble", if preamble { "yes" } else { "no" }),
        ("--save", ""),
        ("--auto-aof-rewrite-min-size", "1kb"),
        ("--list-max-listpack-size", "8"),
    ];
    let arguments: Vec<Vec<u8>> = words.iter().flat_map(|(name, value)| [name.as_bytes().to_vec(), value.as_bytes().to_vec()]).collect();
    let Ok(Startup::Serve(config)) = ruddle::config::start(&arguments, &ruddle::config::Disk) else { panic!("directives only") };
    *config
}

/// A server on the files of a disk.
fn start(config: &Config, disk: &Faulty, now: Now) -> Result<Server, String> {
    let mut server = Server::new(config.clone(), ruddle::command::registry(), 1, now, Stopwatch(no_time));
    server.set_time(now);
    server.state.snapshots.storage = Box::new(disk.clone());
    if config.appendonly {
        server.start_aof()?;
    } else {
        let Server { keyspace, state, .. } = &mut server;
        state.snapshots.load(keyspace, &state.config, Overdue::Drop, Twice::Refuse).map_err(|error| error.to_string())?;
    }
    Ok(server)
}

fn data(server: &Server) -> Data {
    let mut data = Data::new();
    for (db, database) in server.keyspace.databases().iter().enumerate() {
        for entry in database.entries() {
            let deadline = entry.deadline().map(|deadline| deadline.0);
            match entry.value().as_deref() {
                Some(Value::Hash(hash)) if entry.field_deadline().is_some() => add_fields(&mut data, db, entry, hash),
                _ => drop(data.insert((db, entry.key().to_vec(), None), (deadline, digest::of_value(entry).to_string()))),
            }
        }
    }
    data
}

/// A hash whose fields leave one by one: each that may is something of its own.
fn add_fields(data: &mut Data, db: usize, entry: EntryRef<'_>, hash: &Hash) {
    let (key, of_key) = (entry.key().to_vec(), entry.deadline().map(|deadline| deadline.0));
    let mut lasting = BTreeMap::new();
    for item in hash.iter(NEVER) {
        let (field, value) = (item.field.text().into_owned(), item.value.text().into_owned());
        match item.deadline {
            None => drop(lasting.insert(field, value)),
            Some(own) => {
                let deadline = of_key.unwrap_or(i64::MAX).min(own.0);
                data.insert((db, key.clone(), Some(field)), (Some(deadline), format!("{own:?} {}", value.escape_ascii())));
            }
        }
    }
    if !lasting.is_empty() {
        data.insert((db, key, None), (of_key, format!("{lasting:?}")));
    }
}

/// The same without keys whose deadline has passed: whether those are still there is nobody's business.
fn alive(data: &Data, now_us: i64) -> BTreeMap<&Name, &Held> {
    data.iter().filter(|(_, (deadline, _))| deadline.is_none_or(|deadline| deadline > now_us / 1000)).collect()
}

/// Plays a seed: a server is started from every image that the disk has kept.
pub fn play(seed: u64, steps: usize) {
    let mut random = Random::from_seed(seed);
    let kept = pick(&mut random, &[Kept::Always, Kept::Always, Kept::EverySecond, Kept::Never, Kept::Snapshots]);
    let config = config(kept, random.below(2) == 0);
    let disk = Faulty::new();
    disk.record();
    let now_us = START_MS * 1000;
    let now = Now { unix: Micros(now_us), monotonic: Monotonic(0) };
    let mut server = start(&config, &disk, now).expect("an empty disk");
    let client = server.connected(0, peer()).expect("room for a client");
    let faulty = chance(&mut random, 30);
    if faulty {
        trace::fault("disks that fail");
        disk.fail_after(random.below(60), false);
    }
    let first = data(&server);
    let mut story = Story {
        kept,
        server,
        client,
        disk,
        random,
        now_us,
        elapsed_us: 0,
        states: vec![first],
        saved: vec![0],
        marks: vec![Mark { operations: 0, now_us, newest: 0, durable: 0, written: 0 }],
        jobs: Vec::new(),
        reply: String::new(),
        faulty,
    };
    story.go_on(steps);
    for _ in 0..story.restart_from_every_image(&config) {
        trace::fault("crashes");
    }
}

impl Story {
    fn go_on(&mut self, steps: usize) {
        for _ in 0..steps {
            match self.random.below(20) {
                0 if self.kept != Kept::Snapshots => self.ask(&[b"BGREWRITEAOF".to_vec()]),
                0 | 1 if self.kept == Kept::Snapshots => self.snapshot(),
                2..5 => {
                    let ms = pick(&mut self.random, &[50, 200, 400, 1100, 2500]);
                    self.pass_ms(ms);
                }
                _ => {
                    let words = self.request();
                    self.ask(&words);
                }
            }
            if self.server.has_failed() {
                return;
            }
        }
        self.pass_ms(300);
    }

    /// A request that does not wait, and mostly one that writes.
    fn request(&mut self) -> Words {
        loop {
            let words = grammar().request(&mut self.random, self.now_us / 1000);
            let registry = &self.server.state.registry;
            let flags = registry.lookup(&words[0]).map_or(Flags::NONE, |id| registry.get(id).row.flags);
            if !flags.any(Flags::BLOCKING) && (flags.any(Flags::WRITE) || chance(&mut self.random, 10)) {
                return words;
            }
        }
    }

    fn now(&self) -> Now {
        Now { unix: Micros(self.now_us), monotonic: Monotonic(self.elapsed_us) }
    }

    fn ask(&mut self, words: &[Vec<u8>]) {
        let line = || words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>().join(" ");
        if !trace::happens(|| format!("{} ms: {}", self.now_us / 1000 - START_MS, line().escape_debug())) {
            return;
        }
        let bytes = wire(words);
        let mut inbound = [Inbound { client: self.client, bytes: &bytes, fresh: bytes.len(), since: 0, consumed: 0 }];
        self.server.turn(self.now(), &mut inbound);
        self.end_turn();
    }

    fn pass_ms(&mut self, ms: i64) {
        self.now_us += ms * 1000;
        self.elapsed_us += ms.unsigned_abs() * 1000;
        for _ in 0..3 {
            self.server.tick(self.now());
            self.end_turn();
        }
    }

    /// SAVE, or BGSAVE and its end.
    fn snapshot(&mut self) {
        // in a transaction it would be for later
        self.ask(&[b"DISCARD".to_vec()]);
        let of = self.states.len() - 1;
        self.saved.push(of);
        let word = pick(&mut self.random, &["SAVE", "BGSAVE"]);
        self.ask(&[word.into()]);
        let mut done = self.reply.starts_with('+');
        if word == "BGSAVE" {
            self.pass_ms(200);
            done = self.server.state.snapshots.last_ok && !self.server.state.snapshots.is_running();
        }
        if done {
            let mark = self.marks.last_mut().expect("one at least");
            (mark.durable, mark.written) = (of, of);
        }
    }

    /// What the owner of the sockets does: hands on, runs jobs some time, sends; and here, notes what was
    /// promised.
    fn end_turn(&mut self) {
        self.server.hand_on();
        self.jobs.extend(self.server.take_file_jobs());
        let lazy = self.faulty && chance(&mut self.random, 50);
        for job in std::mem::take(&mut self.jobs).into_iter().filter(|_| !lazy) {
            self.server.file_job_done(job.run());
        }
        self.receive();
        let newest = data(&self.server);
        if self.states.last() != Some(&newest) {
            self.states.push(newest);
        }
        let newest = self.states.len() - 1;
        let before = *self.marks.last().expect("one at least");
        let mut mark = Mark { operations: self.disk.operations(), now_us: self.now_us, newest, ..before };
        let aof = &self.server.state.aof;
        if self.kept != Kept::Snapshots && !self.server.has_failed() {
            let synced = aof.is_durable() || self.kept == Kept::Always;
            mark.durable = if synced { newest } else { before.durable };
            mark.written = if aof.unwritten() == 0 && aof.wrote() { newest } else { before.written };
        }
        if self.kept == Kept::EverySecond && !self.faulty {
            // the promise in seconds
            let old = self.marks.iter().rev().find(|mark| mark.now_us <= self.now_us - 2_000_000);
            assert!(old.is_none_or(|old| old.newest <= mark.durable), "what is older than two seconds is not on the disk");
        }
        self.marks.push(mark);
    }

    fn receive(&mut self) {
        let Some(session) = self.server.state.clients.get_mut(self.client) else { return };
        let mut slices = [IoSlice::new(&[]); 16];
        let count = session.output.slices(&mut slices);
        self.reply = String::from_utf8_lossy(slices.iter().find(|slice| !slice.is_empty()).map_or(&[], |slice| &slice[..])).into_owned();
        let length = slices[..count].iter().map(|slice| slice.len()).sum();
        session.output.advance(length);
        session.flags.set(ClientFlags::PENDING_WRITE, false);
    }

    /// Starts from every image of the disk, and looks at what is found.
    fn restart_from_every_image(mut self, config: &Config) -> usize {
        let images = self.disk.images();
        let mut started = 0;
        for (number, image) in images.iter().enumerate() {
            let until = self.marks.iter().position(|mark| mark.operations > image.operations).unwrap_or(self.marks.len() - 1);
            let from = self.marks.iter().rposition(|mark| mark.operations <= image.operations).unwrap_or(0);
            for crashed in [false, true] {
                self.restart(config, image, (from, until), crashed, number);
                started += 1;
            }
        }
        started
    }

    fn restart(&mut self, config: &Config, image: &Image, (from, until): (usize, usize), crashed: bool, number: usize) {
        let disk = image.restore();
        if crashed {
            disk.crash(&mut self.random);
        }
        let (promised, last) = (self.marks[from], self.marks[until]);
        let now = Now { unix: Micros(last.now_us), monotonic: Monotonic(0) };
        let what = format!("{:?}, image {number}, {}", self.kept, if crashed { "crashed" } else { "killed" });
        let server = match start(config, &disk, now) {
            Ok(server) => server,
            Err(error) if self.faulty && error.starts_with("Bad file format") => {
                cut_at_hole(&disk);
                start(config, &disk, now).unwrap_or_else(|error| panic!("{what}: even mended: {error}"))
            }
            Err(error) => panic!("{what}: {error}"),
        };
        let oldest = if crashed { promised.durable } else { promised.written };
        let found = data(&server);
        let found = alive(&found, last.now_us);
        let is_found = |index: usize| alive(&self.states[index], last.now_us) == found;
        let fits = match self.kept {
            Kept::Snapshots => self.saved.iter().any(|&saved| saved >= oldest && saved <= last.newest && is_found(saved)),
            _ => (oldest..=last.newest).any(is_found),
        };
        if !fits {
            let any: Vec<usize> = (0..self.states.len()).filter(|&index| is_found(index)).collect();
            let wanted = alive(&self.states[last.newest], last.now_us);
            let differs: Vec<String> = found
                .iter()
                .filter(|(name, held)| wanted.get(*name) != Some(held))
                .map(|(name, held)| format!("found {} {}: {held:?}", name.0, name.1.escape_ascii()))
                .chain(
                    wanted
                        .iter()
                        .filter(|(name, held)| found.get(*name) != Some(held))
                        .map(|(name, held)| format!("had {} {}: {held:?}", name.0, name.1.escape_ascii())),
                )
                .collect();
            panic!(
                "{what}: what is found is none of the states {oldest} to {}, but {any:?} of {}; against the newest: {differs:#?}",
                last.newest,
                self.states.len()
            );
        }
    }
}

/// Cuts the last increment where zeros begin.
fn cut_at_hole(disk: &Faulty) {
    let names = disk.list("appendonlydir").expect("no faults now");
    for name in names.iter().filter(|name| name.ends_with(".incr.aof")) {
        let path = format!("appendonlydir/{name}");
        let bytes = disk.contents(&path).expect("it was listed");
        // no command of these stories holds a zero byte
        if let Some(hole) = bytes.iter().position(|&byte| byte == 0) {
            disk.put(&path, &bytes[..hole]);
        }
    }
}
