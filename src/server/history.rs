//! What was changed becomes history: first in the append-only file, then in the stream that replicas follow.
//!
//! ```text
//!                       record                      release
//! a turn's changes, ───────────▶ the file's buffer ──────────▶ the stream, the backlog, the replicas
//! a primary's words              and `pending`     (written)
//! ```
//!
//! - **No replica is ahead of the file.** A piece is released once it is written. A server that is killed
//!   comes back with all that anybody has heard from it, so whoever followed it goes on without a snapshot.
//!   (Written, not synced: a loss of power can still take back the last second, as `appendfsync` says.) A file
//!   that cannot be written holds nobody up.
//! - **The file holds the stream's own bytes**, on a replica those of its primary: no second form of the same
//!   change, and the increments can be read back as a backlog ([`crate::persist::aof::past`]). What changes no
//!   data is left out and counted; where a script keeps a change out of it, the backlog on the disk begins anew. A replica's changes of its own, if it takes any, and what a
//!   script wants in the file alone, are marked as no part of the history.
//! - **Loaded data goes on**: [`State::go_on_from`]. A replica asks its primary for what follows. A primary may have
//!   lost its last words, so it takes a new name for the history and keeps the old one as second.

use std::ops::Range;

use bytes::Bytes;

use super::State;
use super::client::ClientKey;
use super::consequences::Fed;
use crate::base::text::reason;
use crate::keyspace::DbIndex;
use crate::limits;
use crate::persist::aof::rewrite::names;
use crate::persist::aof::{self, Part, Phase, Piece};
use crate::persist::place::{HistoryId, Place, history};
use crate::persist::rdb::load::Loaded;
use crate::repl::primary::Stage;
use crate::resp::writer::write_command;

impl State {
    /// Where in the history the data stands: what was released, and what waits for the file.
    pub fn position(&self) -> Place {
        let place = self.replication.stream.place();
        Place { offset: place.offset + self.replication.pending_bytes, ..place }
    }

    /// Bytes of the history that have come from the primary, be they carried out or not.
    pub fn read_offset(&self) -> u64 {
        let waiting = self.replication.link_client.and_then(|key| self.clients.get(key)).map_or(0, |client| client.pending_input);
        self.position().offset + (self.replication.held() + waiting) as u64
    }

    /// The offset that the last command of the feed will have.
    pub(super) fn fed_offset(&self) -> u64 {
        self.position().offset + self.feed.len() as u64
    }

    /// Moves what was propagated into the history and to the replicas.
    pub fn distribute(&mut self) {
        // while nothing may move, this does not move either
        if self.replication.ask_replicas && !self.pause.stands() {
            self.replication.ask_replicas = false;
            self.ask_replicas();
        }
        if !self.feed.is_empty() || !self.replication.pending.is_empty() {
            self.hand_on();
        }
    }

    /// As [`State::distribute`], and nothing stays behind: the stream stands where the data does.
    pub(super) fn settle_stream(&mut self) {
        self.distribute();
        if !self.replication.pending.is_empty() {
            self.force_file();
            self.release_history(Release::Anyway);
        }
    }

    /// Takes the feed into the history.
    pub(super) fn take_feed(&mut self) {
        let has_file = self.aof.phase() != Phase::Off;
        if self.replication.follows() {
            self.record_local(has_file);
        } else if !self.feed.is_empty() && (has_file || self.replication.stream.is_active()) {
            let fed = self.feed.take();
            self.write_piece(&fed);
            self.replication.pending_bytes += fed.bytes.len() as u64;
            self.feed.cut(fed.bytes, &mut self.replication.pending);
        }
        if has_file && self.replication.stream.is_active() && !self.aof.is_placed() {
            self.place_file();
        }
    }

    /// A piece of the history, whole units: into the file's buffer, to be released when it is written.
    /// A long one is cut: the history lets go of whole blocks.
    pub(super) fn record(&mut self, bytes: Vec<u8>, left_out: Vec<Range<usize>>) {
        let fed = Fed { bytes, replicas_only: left_out, file_only: Vec::new(), hides_change: false };
        self.write_piece(&fed);
        let bytes = fed.bytes;
        self.replication.pending_bytes += bytes.len() as u64;
        let pending = &mut self.replication.pending;
        if bytes.len() <= limits::STREAM_CHUNK {
            pending.push_back(Bytes::from(bytes));
        } else {
            pending.extend(bytes.chunks(limits::STREAM_CHUNK).map(Bytes::copy_from_slice));
        }
    }

    fn write_piece(&mut self, fed: &Fed) {
        let named = self.replication.stream.is_active();
        if self.aof.phase() != Phase::Off {
            if named && !self.aof.is_placed() {
                self.place_file();
            }
            let piece = Piece {
                bytes: &fed.bytes,
                left_out: &fed.replicas_only,
                inserted: &fed.file_only,
                hides_change: fed.hides_change,
                from: self.position(),
                named,
            };
            self.aof.append(&piece, self.now.unix.to_millis().seconds(), self.config.aof_timestamp_enabled);
        }
    }

    /// Tells the file where in the history it is, and a replica's file which database that has selected.
    fn place_file(&mut self) {
        let piece = Piece { bytes: &[], left_out: &[], inserted: &[], hides_change: false, from: self.position(), named: true };
        self.aof.append(&piece, 0, false);
        if self.replication.follows() {
            let select = self.select_as_primary();
            self.aof.append_local(&select, 0, false);
        }
    }

    fn select_as_primary(&self) -> Vec<u8> {
        let mut select = Vec::new();
        let db = self.selected_by_primary().0.to_string();
        write_command(&mut select, 2, [b"SELECT".as_slice(), db.as_bytes()].into_iter());
        select
    }

    /// Changes that a replica made on its own account are for its file alone.
    fn record_local(&mut self, has_file: bool) {
        if self.feed.is_empty() {
            return;
        }
        let Fed { bytes, replicas_only, file_only, .. } = self.feed.take();
        self.feed.reselect();
        let mut own = Vec::new();
        aof::for_file(&bytes, &replicas_only, &file_only, |part| {
            if let Part::Shared(bytes) | Part::Inserted(bytes) = part {
                own.extend_from_slice(bytes);
            }
        });
        if has_file && !own.is_empty() {
            own.extend(self.select_as_primary());
            self.aof.append_local(&own, self.now.unix.to_millis().seconds(), self.config.aof_timestamp_enabled);
        }
    }

    /// Gives the stream what the file has.
    pub(super) fn release_history(&mut self, when: Release) {
        if self.replication.pending.is_empty() {
            return;
        }
        let waits = self.aof.phase() == Phase::On && self.aof.unwritten() > 0 && self.aof.trouble().is_none();
        if waits && when == Release::Written {
            return;
        }
        for block in std::mem::take(&mut self.replication.pending) {
            self.pass_on(block);
        }
        self.replication.pending_bytes = 0;
        self.acknowledge_if_wanted();
    }

    /// Appends a block to the history and sends it to the replicas.
    fn pass_on(&mut self, block: Bytes) {
        let streaming: Vec<ClientKey> =
            self.replication.online().filter(|(_, replica)| replica.is_streaming()).map(|(key, _)| key).collect();
        for key in streaming {
            self.deliver(key, block.clone());
        }
        self.replication.stream.append(block);
        self.withhold();
    }

    /// More may be on the disk than before: whoever waits for that looks again.
    pub(super) fn note_durable(&mut self) {
        if self.aof.phase() != Phase::On || self.aof.trouble().is_some() {
            return;
        }
        let durable = self.aof.marks().durable;
        if durable > self.replication.on_disk {
            self.replication.on_disk = durable;
            self.wake_waiting();
            self.acknowledge_disk();
        }
    }

    /// The data that was loaded stands at a place of a history, which had selected that database.
    pub(super) fn go_on_from(&mut self, place: Place, past: Vec<Place>, db: DbIndex) {
        let replication = &mut self.replication;
        replication.stream.restore(place, past);
        replication.on_disk = 0;
        let name = String::from_utf8_lossy(&place.id).into_owned();
        if replication.follows() {
            replication.goes_on(db);
            log::info!("The data is that of the history {name} up to offset {}: asking the primary for what follows", place.offset);
        } else {
            let id = self.random.hex_id();
            let replication = &mut self.replication;
            replication.stream.branch(id);
            replication.last_replica_left = Some(self.now.unix.to_millis());
            log::info!("The data is that of the history {name} up to offset {}, which goes on under a new name", place.offset);
        }
    }

    /// As [`State::go_on_from`], for a snapshot, if it says where it stands.
    pub fn go_on_from_snapshot(&mut self, loaded: &Loaded) {
        let id: Option<HistoryId> = loaded.aux("repl-id").and_then(history);
        let offset = loaded.aux_number("repl-offset").and_then(|offset| u64::try_from(offset).ok());
        let db = loaded.aux_number("repl-stream-db").and_then(|db| u32::try_from(db).ok());
        let db = DbIndex(db.filter(|db| *db < self.config.databases).unwrap_or(0));
        if let (Some(id), Some(offset)) = (id, offset) {
            self.go_on_from(Place { id, offset }, Vec::new(), db);
        }
    }

    /// Lets the next snapshot say where in the history it stands. All commands before must have been concluded.
    pub fn place_snapshots(&mut self) {
        let is_known = self.replication.is_known();
        if is_known {
            self.distribute();
        }
        // a primary that has not said its database yet says it in what follows
        let db = if self.replication.follows() { self.selected_by_primary() } else { self.feed.selected() }.0;
        self.snapshots.place = is_known.then(|| (self.position(), db));
    }

    /// Lets a replica read on in the increments.
    pub(super) fn read_past_for(&mut self, key: ClientKey, next: u64) -> bool {
        let reader = self.aof.read_past(&names(&self.config), next - 1);
        reader.map(|reader| self.replication.catching.insert(key, reader)).is_some()
    }

    /// Sends a piece each to the replicas that read on in the increments.
    pub(super) fn feed_catching(&mut self) {
        let keys: Vec<ClientKey> = self.replication.catching.keys().copied().collect();
        for key in keys {
            if let Err(why) = self.feed_one(key) {
                log::warn!("A replica cannot go on in the append-only file ({why}): {}", self.clients[key].peer.address);
                self.close_now(key, "no past");
            }
        }
    }

    fn feed_one(&mut self, key: ClientKey) -> Result<(), String> {
        if self.clients[key].output.len() >= limits::CATCH_UP_OUTPUT {
            return Ok(());
        }
        let Some(mut reader) = self.replication.catching.remove(&key) else { return Ok(()) };
        let mut read = reader.read(&*self.snapshots.storage, limits::CATCH_UP_SLICE).map_err(|error| reason(&error))?;
        let behind = |state: &State, offset: u64| !state.replication.stream.holds(i64::try_from(offset + 1).unwrap_or(i64::MAX));
        if read.is_none() && behind(self, reader.offset()) {
            // the file has grown, or a new one was begun since
            if self.aof.marks().written <= reader.offset() {
                return Err("the increments end before the backlog begins".into());
            }
            reader = self.aof.read_past(&names(&self.config), reader.offset()).ok_or("the increments are gone")?;
            read = reader.read(&*self.snapshots.storage, limits::CATCH_UP_SLICE).map_err(|error| reason(&error))?;
        }
        if let Some(bytes) = read.filter(|bytes| !bytes.is_empty()) {
            self.deliver(key, Bytes::from(bytes));
        }
        // the backlog has the bytes themselves of what is blank here
        if reader.is_amid_blank() || behind(self, reader.offset()) {
            self.replication.catching.insert(key, reader);
            return Ok(());
        }
        let blocks: Vec<Bytes> = self.replication.stream.since(reader.offset() + 1).collect();
        for block in blocks {
            self.deliver(key, block);
        }
        if let Some(replica) = self.replication.replicas.get_mut(&key) {
            replica.stage = Stage::Online;
        }
        self.update_replication_gates();
        Ok(())
    }

    /// Whether a replica could be sent another piece of the past at once.
    pub(super) fn has_past_to_send(&self) -> bool {
        let room = |key: &ClientKey| self.clients.get(*key).is_some_and(|client| client.output.len() < limits::CATCH_UP_OUTPUT);
        self.replication.catching.keys().any(room)
    }
}

/// When a piece is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    /// When the file has it.
    Written,
    /// At once.
    Anyway,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Now;
    use crate::config::{self, Startup};
    use crate::server::{Server, Stopwatch};

    #[test]
    fn a_long_piece_is_cut_into_blocks() {
        let Ok(Startup::Serve(config)) = config::start(&[], &config::Disk) else { panic!("the defaults serve") };
        let mut server = Server::new(*config, crate::command::registry(), 1, Now::default(), Stopwatch(|| 0));
        let bytes: Vec<u8> = (0..=250).cycle().take(5 * limits::STREAM_CHUNK / 2).collect();
        server.state.record(bytes.clone(), Vec::new());
        server.state.record(b"short".to_vec(), Vec::new());
        let pending = &server.state.replication.pending;
        let half = limits::STREAM_CHUNK / 2;
        let lengths: Vec<usize> = pending.iter().map(Bytes::len).collect();
        assert_eq!(lengths, [limits::STREAM_CHUNK, limits::STREAM_CHUNK, half, 5]);
        assert_eq!(pending.iter().take(3).flatten().copied().collect::<Vec<u8>>(), bytes);
        assert_eq!(server.state.replication.pending_bytes, bytes.len() as u64 + 5);
    }
}
