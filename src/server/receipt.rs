//! How a replica receives a snapshot.
//!
//! ```text
//!                    ┌─▶ into a file ──all there, checksum right──▶ the old data goes ─▶ the file is loaded ─▶ ┐
//! a snapshot comes ──┼─▶ loaded as it comes, the data was empty ────────────────────────────────────────────▶ ├ up
//!                    └─▶ loaded as it comes, aside from the data ──whole──▶ takes their place ──────────────▶ ┘
//! ```
//!
//! - **Into a file** (`repl-diskless-load disabled`) the old data are served until all of it is there. Its checksum is
//!   taken as it comes, so that nothing is given up for a damaged one. The file is loaded at once and, when
//!   another thread has made it durable, takes the place of the snapshot file: a crash in between leaves the old one.
//! - **Aside** (`swapdb`) the old data stay until the new ones are whole, whatever happens. Clients see them if they
//!   belong to the same history; else they hear `-LOADING`, as from a Redis.
//! - A link that is cut, a primary that sends what is none, a full disk: the attempt is given up, the log says why, and
//!   the link's machine dials again after its pause.

use crate::base::crc::Crc64;
use crate::base::text::reason;
use crate::config::DisklessLoad;
use crate::keyspace::expiry::Expiry;
use crate::keyspace::{DbIndex, Keyspace};
use crate::persist::place::Place;
use crate::persist::rdb;
use crate::persist::rdb::input::Input;
use crate::persist::rdb::load::{self, Loaded, Loader, Overdue, Pace, Step, Twice};
use crate::persist::rdb::read_value::Shapes;
use crate::persist::storage::WriteFile;
use crate::script::Restore;

use super::Server;
use super::State;
use super::client::{ClientFlags, ClientKey};
use super::loading::{View, Work};
use crate::persist::aof::appender::Job;

/// A snapshot on its way in.
pub(super) struct Receipt {
    place: Place,
    into: Into,
}

enum Into {
    File {
        file: Box<dyn WriteFile>,
        path: String,
        check: Check,
    },
    /// `aside` is where it is loaded to, if not in place of the data.
    Data {
        input: Input<'static>,
        loader: Box<Loader>,
        aside: Option<Box<Keyspace>>,
        expiry: Expiry,
    },
}

impl Server {
    /// The primary has said that a snapshot comes.
    pub(super) fn begin_receipt(&mut self, place: Place, total: Option<u64>) -> Result<(), String> {
        let empty = self.keyspace.databases().iter().all(|database| database.is_empty());
        let straight = match self.state.config.repl_diskless_load {
            DisklessLoad::Disabled => false,
            DisklessLoad::OnEmptyDb => empty,
            DisklessLoad::Swapdb => true,
        };
        let to = if straight { "to parser" } else { "to disk" };
        match total {
            Some(total) => log::info!("MASTER <-> REPLICA sync: receiving {total} bytes from master {to}"),
            None => log::info!("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF {to}"),
        }
        let into = if straight { self.receive_into_data(&place, total) } else { self.receive_into_file()? };
        self.receipt = Some(Receipt { place, into });
        Ok(())
    }

    fn receive_into_file(&mut self) -> Result<Into, String> {
        let state = &self.state;
        let path = format!("temp-{}.{}.rdb", state.now.unix.to_millis().seconds(), state.process.pid);
        let file = state.snapshots.storage.create(&path);
        let file =
            file.map_err(|error| format!("Opening the temp file needed for MASTER <-> REPLICA synchronization: {}", reason(&error)))?;
        Ok(Into::File { file, path, check: Check::default() })
    }

    fn receive_into_data(&mut self, place: &Place, total: Option<u64>) -> Into {
        let aside = self.state.config.repl_diskless_load == DisklessLoad::Swapdb;
        let same = aside && place.id == self.state.replication.stream.id;
        let view = if same { View::OldData } else { View::Nothing };
        if !aside {
            self.give_up_old_data();
        }
        log::info!("MASTER <-> REPLICA sync: Loading DB in memory");
        self.state.enter_loading(total.unwrap_or(0), view);
        let aside = aside.then(|| Box::new(self.keyspace.sibling()));
        let expiry = self.keyspace.expiry;
        if aside.is_none() {
            self.keyspace.expiry = Expiry::Ignore;
        }
        Into::Data { input: Input::fed(self.state.config.rdbchecksum), loader: Box::default(), aside, expiry }
    }

    /// A piece of the snapshot has come.
    pub(super) fn take_piece(&mut self, key: ClientKey, pieces: [&[u8]; 2], last: bool) -> Result<(), String> {
        let Some(mut receipt) = self.receipt.take() else { return Err("A snapshot that nobody waits for".into()) };
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            if let Err(error) = self.add_piece(&mut receipt, piece) {
                self.abandon(receipt);
                return Err(error);
            }
        }
        if last {
            return self.complete_receipt(key, receipt);
        }
        self.receipt = Some(receipt);
        Ok(())
    }

    fn add_piece(&mut self, receipt: &mut Receipt, piece: &[u8]) -> Result<(), String> {
        match &mut receipt.into {
            Into::File { file, check, .. } => {
                check.update(piece);
                let written = file.write_all(piece);
                written.map_err(|error| {
                    format!(
                        "Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA synchronization: {}",
                        reason(&error)
                    )
                })
            }
            Into::Data { input, loader, aside, .. } => {
                input.feed(piece);
                self.load_what_came(input, loader, aside.as_deref_mut()).map(|_| ())
            }
        }
    }

    /// Loads what a fed input holds. `Ok(true)`: the snapshot has ended.
    fn load_what_came(&mut self, input: &mut Input<'static>, loader: &mut Loader, aside: Option<&mut Keyspace>) -> Result<bool, String> {
        let config = &self.state.config;
        let space = aside.unwrap_or(&mut self.keyspace);
        let mut plan = load::Plan {
            shapes: Shapes::new(config, space.hasher()),
            overdue: Overdue::Keep,
            twice: Twice::Refuse,
            relaxed: false,
            key_delay: config.key_load_delay,
            pulse: &mut |_, _| Pace::GoOn,
        };
        let step = loader.advance(input, space, &mut plan);
        let at = input.consumed();
        self.state.note_loaded(at, loader);
        match step {
            Ok(step) => Ok(step == Step::Done),
            Err(error) => Err(not_loaded(at, &error.to_string())),
        }
    }

    /// All of the snapshot is here.
    fn complete_receipt(&mut self, key: ClientKey, mut receipt: Receipt) -> Result<(), String> {
        if let Into::Data { input, loader, aside, .. } = &mut receipt.into {
            input.end();
            let ended = if loader.is_done() { Ok(true) } else { self.load_what_came(input, loader, aside.as_deref_mut()) };
            if let Err(error) = ended {
                self.abandon(receipt);
                return Err(error);
            }
        }
        let Receipt { place, into } = receipt;
        match into {
            Into::File { file, path, check } => self.load_received(key, place, file, path, &check),
            Into::Data { loader, aside, expiry, .. } => {
                if let Some(aside) = aside {
                    log::info!("MASTER <-> REPLICA sync: Swapping active DB with loaded DB");
                    self.give_up_old_data();
                    self.keyspace.exchange(*aside);
                    log::info!("MASTER <-> REPLICA sync: Discarding old DB in background");
                }
                self.keyspace.expiry = expiry;
                self.state.leave_loading();
                self.finish_full_sync(place, &loader.loaded);
                Ok(())
            }
        }
    }

    /// Begins to load the file that has come.
    fn load_received(&mut self, key: ClientKey, place: Place, file: Box<dyn WriteFile>, path: String, check: &Check) -> Result<(), String> {
        let sound = if self.state.config.rdbchecksum { check.verdict() } else { Ok(()) };
        let opened = match sound {
            Ok(()) => self.state.snapshots.storage.open(&path).map_err(|error| reason(&error)),
            Err(why) => Err(why),
        };
        let opened = match opened {
            Ok(opened) => opened,
            Err(why) => {
                // nothing is lost with it
                let _ = self.state.snapshots.storage.remove(&path);
                return Err(format!("The snapshot from MASTER is not used: {why}. The data stays as it is."));
            }
        };
        if self.state.snapshots.is_running() {
            log::info!(
                "Replica is about to load the RDB file received from the master, but there is a pending RDB child running. Killing the child."
            );
            self.state.abandon_snapshot();
        }
        self.state.snapshots.received = Some(path);
        self.state.aof.push_job(Job::of_received(file));
        self.give_up_old_data();
        log::info!("MASTER <-> REPLICA sync: Loading DB in memory");
        // what the primary says meanwhile is not even read
        self.state.clients[key].flags.set(ClientFlags::DEAF, true);
        let load = self.begin_snapshot_load(opened, Overdue::Keep, false, View::Nothing);
        self.work = Some(Work::Received(load, place));
        Ok(())
    }

    /// The old data make way for the primary's.
    fn give_up_old_data(&mut self) {
        let state = &mut self.state;
        state.settle_stream();
        state.drop_replicas("a full resynchronization with the primary");
        if state.config.appendonly {
            // the file tells the old data's story
            state.turn_aof_off(&mut self.keyspace);
        }
        log::info!("MASTER <-> REPLICA sync: Flushing old data");
        self.keyspace.flush_all();
        self.state.replication.claims = false;
    }

    /// The data is the primary's as of that place in its history.
    pub(super) fn finish_full_sync(&mut self, place: Place, loaded: &Loaded) {
        log::info!("MASTER <-> REPLICA sync: Finished with success, {} keys", loaded.keys);
        let state = &mut self.state;
        state.replication.stream.adopt(place.id, place.offset);
        state.replication.stream.activate();
        state.replication.claims = true;
        state.snapshots.functions.clone_from(&loaded.functions);
        if let Err(error) = state.adopt_libraries(Restore::Flush) {
            log::error!("A library of functions that the primary has cannot be loaded here: {error}");
        }
        if state.config.appendonly && state.turn_aof_on(&mut self.keyspace, true).is_err() {
            log::warn!("The append-only file could not be started anew after the synchronization.");
        }
        let state = &mut self.state;
        let databases = state.config.databases;
        let db = loaded.aux_number("repl-stream-db").and_then(|db| u32::try_from(db).ok()).filter(|db| *db < databases);
        let db = DbIndex(db.unwrap_or(0));
        // the link may have been cut while the file was loaded: then it goes on from there
        state.replication.primary_db = db;
        let now = self.keyspace.now;
        let Some(key) = state.replication.link_client else { return };
        if let Some(link) = &mut state.replication.link {
            link.loaded(now);
        }
        state.clients[key].flags.set(ClientFlags::DEAF, false);
        self.link_is_up(key, db);
        self.state.resume(key);
    }

    /// Gives up a snapshot whose link is gone. To be called in each turn.
    pub(super) fn tend_receipt(&mut self) {
        let state = &self.state;
        if self.receipt.is_some()
            && !state.replication.link.as_ref().is_some_and(crate::repl::replica::Link::is_syncing)
            && let Some(receipt) = self.receipt.take()
        {
            if let Into::Data { input, .. } = &receipt.into {
                log::warn!("{}", not_loaded(input.consumed(), "the connection with MASTER was lost"));
            }
            self.abandon(receipt);
        }
    }

    fn abandon(&mut self, receipt: Receipt) {
        match receipt.into {
            Into::File { file, path, .. } => {
                drop(file);
                // an unfinished snapshot is of use to nobody
                let _ = self.state.snapshots.storage.remove(&path);
            }
            Into::Data { aside: Some(aside), .. } => {
                log::info!("MASTER <-> REPLICA sync: Discarding temporary DB in background");
                self.keyspace.discard_sibling(*aside);
                self.state.leave_loading();
            }
            Into::Data { aside: None, expiry, .. } => {
                self.keyspace.expiry = expiry;
                self.give_up_half_loaded();
                self.state.leave_loading();
            }
        }
    }
}

impl State {
    /// The link is of no use: it is cut, and dialled anew after a pause.
    pub(super) fn give_up_link(&mut self, why: &str) {
        if let Some(key) = self.replication.link_client {
            self.lose_link(key);
            self.close_now(key, why);
        }
    }

    /// Once a second an empty line tells the primary that a busy replica is alive.
    pub(super) fn tell_primary_to_wait(&mut self) {
        let now = self.now.unix.to_millis().seconds();
        let Some(key) = self.replication.link_client else { return };
        if now != self.replication.last_sign {
            self.replication.last_sign = now;
            self.clients[key].output.tail.push(b'\n');
            self.note_output(key);
        }
    }
}

fn not_loaded(at: u64, why: &str) -> String {
    format!(
        "Internal error in RDB reading offset {at}: {why}. Failed trying to load the MASTER synchronization DB from socket, check server logs."
    )
}

/// Looks at a snapshot as it comes: how it begins, and its checksum.
#[derive(Default)]
struct Check {
    head: Vec<u8>,
    /// Of everything but `tail`.
    crc: Crc64,
    /// The last eight bytes.
    tail: Vec<u8>,
}

impl Check {
    fn update(&mut self, bytes: &[u8]) {
        const HEAD: usize = 9;
        if self.head.len() < HEAD {
            self.head.extend_from_slice(&bytes[..bytes.len().min(HEAD - self.head.len())]);
        }
        match bytes.split_last_chunk::<8>() {
            Some((data, tail)) => {
                self.crc.update(&self.tail);
                self.crc.update(data);
                self.tail.clear();
                self.tail.extend_from_slice(tail);
            }
            None => {
                self.tail.extend_from_slice(bytes);
                let surplus = self.tail.len().saturating_sub(8);
                self.crc.update(&self.tail[..surplus]);
                self.tail.drain(..surplus);
            }
        }
    }

    /// Whether it can be a whole snapshot.
    fn verdict(&self) -> Result<(), String> {
        let digits = self.head.strip_prefix(b"REDIS").or_else(|| self.head.strip_prefix(b"VALKEY"));
        let version = digits.and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|digits| digits.parse().ok());
        let Some(version) = version else { return Err("it does not begin like one".into()) };
        if !rdb::can_read(version) {
            return Err(format!("its version is {version}"));
        }
        if version < 5 {
            return Ok(());
        }
        let Some(sum) = self.tail.as_slice().first_chunk::<8>() else { return Err("it is too short".into()) };
        match u64::from_le_bytes(*sum) {
            0 => Ok(()),
            sum if sum == self.crc.value() => Ok(()),
            _ => Err("its checksum is wrong".into()),
        }
    }
}
