//! How a snapshot leaves the primary: who is given which save, and how its bytes get into their outputs.
//!
//! One child at a time makes a snapshot. For replicas it is either the snapshot file, which is then sent to each
//! from the disk, or it is sent as it is made: the child writes into a pipe, and each slice that comes out goes to
//! all of them, as one shared block. Either way a replica gets the next slice when the last one has left its output,
//! so a snapshot takes a slice of memory and no more, and a turn no longer than one slice takes.
//!
//! - **A replica has a place in the stream from the moment of the fork**: its FULLRESYNC names the offset, and what
//!   comes later is kept in the history ([`crate::repl::stream::Stream::retain`]) until it has got the snapshot.
//!   What is kept counts against the limits of its class; what is more than them is read from the append-only file
//!   later, if there is one.
//! - **Who sends as it is made waits for the slowest**: that one is cut off when it has taken nothing for
//!   `repl-timeout` seconds. One that goes away disturbs nobody; when the last has gone the child is ended.
//! - **A file in the making is shared**: a replica that comes later is given it, too, from the same place in
//!   the stream, if it can read whatever the one before it can. What is sent as it is made has a beginning that a
//!   later replica has missed.

use std::io;

use bytes::Bytes;

use super::client::{ClientFlags, ClientKey};
use super::{REDIS_VERSION, Server, State};
use crate::base::clock::Millis;
use crate::base::text::reason;
use crate::keyspace::Keyspace;
use crate::limits;
use crate::persist::aof::rewrite::names;
use crate::persist::snapshot::{Concluded, Order, Refusal, Target};
use crate::persist::storage::ReadFile;
use crate::repl::primary::{Replica, Stage};

/// A snapshot file that is being sent to one replica.
pub(super) struct FileInTransit {
    file: Box<dyn ReadFile>,
    left: u64,
}

impl State {
    /// Begins a snapshot in the background. The error was logged.
    pub fn begin_snapshot(&mut self, space: &Keyspace, order: Order) -> Result<(), Refusal> {
        self.place_snapshots();
        let started = self.stopwatch.now();
        let begun = self.snapshots.start(space, &self.config, REDIS_VERSION, self.now, order);
        if begun.is_ok() {
            self.note_fork(started, self.snapshots.child());
        }
        self.heed_snapshots();
        begun
    }

    /// A child was started; `since` is the stopwatch before, and it is a process of that number, if it is one.
    pub(super) fn note_fork(&mut self, since: u64, pid: Option<u32>) {
        if let Some(pid) = pid {
            self.adjust_child(pid);
        }
        let nanos = self.stopwatch.now().saturating_sub(since);
        self.stats.forks += 1;
        self.stats.last_fork_micros = nanos / 1000;
        self.latency.note("fork", self.now.unix.to_millis().seconds(), nanos);
        log::info!("The fork has held the server for {} microseconds", nanos / 1000);
    }

    /// Looks after the child that makes a snapshot, and begins one that is due.
    pub(super) fn attend_snapshot(&mut self, space: &mut Keyspace) {
        if let Some(concluded) = self.snapshots.attend(space, self.now) {
            self.conclude_full_sync(concluded);
        }
        if !self.rewrites.is_running() && self.loading.is_none() && self.snapshots.is_due(space, &self.config, self.now) {
            self.snapshots.scheduled &= self.begin_snapshot(space, Order::file()).is_err();
        }
        self.heed_snapshots();
    }

    /// Ends the child that makes a snapshot: it is not wanted any more.
    pub fn abandon_snapshot(&mut self) {
        if let Some(target) = self.snapshots.kill() {
            self.conclude_full_sync(Concluded { target, whole: false });
        }
    }

    fn replicas_in(&self, stage: Stage) -> impl Iterator<Item = (ClientKey, &Replica)> {
        self.replication.replicas.iter().filter(move |(_, replica)| replica.stage == stage).map(|(key, replica)| (*key, replica))
    }

    /// Tells the log what a replica that cannot go on is in for.
    pub(super) fn tell_what_it_waits_for(&self, key: ClientKey) {
        match self.snapshots.target() {
            Some(Target::Replicas(_)) => log::info!("Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC"),
            Some(Target::File) => {}
            None if self.rewrites.is_running() => {
                log::info!("No BGSAVE in progress, but another BG operation is active. BGSAVE for replication delayed");
            }
            None if self.delays(&self.replication.replicas[&key]) => log::info!("Delay next BGSAVE for diskless SYNC"),
            None => {}
        }
    }

    /// Whether others are given time to come before a replica is served.
    fn delays(&self, replica: &Replica) -> bool {
        self.config.repl_diskless_sync && replica.reads_marks && self.config.repl_diskless_sync_delay > 0
    }

    /// Begins a save for the replicas that wait for one, if it is time, or gives them the one that is under way.
    pub(super) fn start_syncs(&mut self, space: &mut Keyspace) {
        let Some((_, first)) = self.replicas_in(Stage::Waiting).next() else { return };
        if self.snapshots.is_running() {
            return self.share_running();
        }
        if self.rewrites.is_running() || self.loading.is_some() {
            return;
        }
        let without_keys = first.without_keys;
        let group = || self.replicas_in(Stage::Waiting).filter(|(_, replica)| replica.without_keys == without_keys);
        let oldest = group().map(|(_, replica)| replica.waits_since).min().unwrap_or(space.now);
        let delay = if group().all(|(_, replica)| self.delays(replica)) { self.config.repl_diskless_sync_delay } else { 0 };
        let enough = self.config.repl_diskless_sync_max_replicas as usize;
        let early = space.now.saturating_sub(oldest) < Millis::from_seconds(delay.into());
        if early && (enough == 0 || group().count() < enough) {
            return;
        }
        let all_read_marks = group().all(|(_, replica)| replica.reads_marks);
        let keys: Vec<ClientKey> = group().map(|(key, _)| key).collect();
        self.save_for(space, &keys, all_read_marks, without_keys);
    }

    fn save_for(&mut self, space: &mut Keyspace, keys: &[ClientKey], all_read_marks: bool, without_keys: bool) {
        self.settle_stream();
        self.feed.reselect();
        // a part of the data must not take the place of the snapshot file
        let sends = (self.config.repl_diskless_sync || without_keys) && all_read_marks;
        log::info!("Starting BGSAVE for SYNC with target: {}", if sends { "replicas sockets" } else { "disk" });
        let target = if sends { Target::Replicas(self.random.hex_id()) } else { Target::File };
        let order = Order { target, without_keys, for_replicas: true };
        self.replication.pipe_is_dry = false;
        if self.begin_snapshot(space, order).is_err() {
            log::warn!("BGSAVE for replication failed");
            for &key in keys {
                self.replication.replicas.remove(&key);
                let client = &mut self.clients[key];
                client.flags.set(ClientFlags::REPLICA, false);
                client.output.tail.extend_from_slice(b"-ERR BGSAVE failed, replication can't continue\r\n");
                self.close_after_reply(key);
            }
            return;
        }
        let next = self.replication.stream.offset() + 1;
        for &key in keys {
            self.begin_full_sync(key, next, target);
        }
    }

    /// Gives waiting replicas the file that is in the making for another.
    fn share_running(&mut self) {
        if self.snapshots.target() != Some(Target::File) {
            return;
        }
        let saving: Vec<&Replica> = self.replicas_in(Stage::Saving).map(|(_, replica)| replica).collect();
        let shares: Vec<(ClientKey, Option<u64>)> = self
            .replicas_in(Stage::Waiting)
            .filter_map(|(key, replica)| {
                let other = saving.iter().find(|other| replica.may_share(other) && (other.next.is_some() || replica.snapshot_only))?;
                Some((key, other.next))
            })
            .collect();
        for (key, next) in shares {
            log::info!("Waiting for end of BGSAVE for SYNC");
            let next = next.unwrap_or(self.replication.stream.offset() + 1);
            self.begin_full_sync(key, next, Target::File);
        }
    }

    /// From here on the replica has a place in the stream.
    fn begin_full_sync(&mut self, key: ClientKey, next: u64, target: Target) {
        let id = String::from_utf8_lossy(&self.replication.stream.id).into_owned();
        let now = self.now.unix.to_millis();
        let replica = self.replication.replicas.get_mut(&key).expect("it waits");
        replica.stage = Stage::Saving;
        replica.next = (!replica.snapshot_only).then_some(next);
        replica.stalled = (0, now);
        (replica.reads_past, replica.has_data) = (false, false);
        let tail = &mut self.clients[key].output.tail;
        if !replica.is_old {
            tail.extend_from_slice(format!("+FULLRESYNC {id} {}\r\n", next - 1).as_bytes());
        }
        if let Target::Replicas(mark) = target {
            tail.extend_from_slice(b"$EOF:");
            tail.extend_from_slice(&mark);
            tail.extend_from_slice(b"\r\n");
        }
        self.note_output(key);
        self.retain_history();
    }

    /// Keeps the history from where on somebody waits for it.
    fn retain_history(&mut self) {
        let first = self.replication.replicas.values().filter_map(|replica| replica.next).min();
        self.replication.stream.retain(first);
    }

    /// The stream has grown: what is kept for those who wait for it counts as output of theirs.
    pub(super) fn withhold(&mut self) {
        let offset = self.replication.stream.offset();
        let waiting: Vec<(ClientKey, u64)> =
            self.replication.replicas.iter().filter_map(|(key, replica)| Some((*key, replica.next?))).collect();
        for (key, next) in waiting {
            self.clients[key].output.withheld = usize::try_from((offset + 1).saturating_sub(next)).unwrap_or(usize::MAX);
            if self.over_output_limit(key, self.now.unix) && !self.let_read_later(key) {
                let peer = &self.clients[key].peer.address;
                log::warn!("Client {peer} scheduled to be closed ASAP for overcoming of output buffer limits.");
                self.stats.output_limit_disconnections += 1;
                self.close_now(key, "too much is kept for it");
            }
        }
    }

    /// What is kept for a replica is too much for memory: it is to be read from the append-only file, if that holds it.
    #[cold]
    pub(super) fn let_read_later(&mut self, key: ClientKey) -> bool {
        let Some(next) = self.replication.replicas.get(&key).and_then(|replica| replica.next) else { return false };
        let reader = self.aof.read_past(&names(&self.config), next - 1);
        let Some(mut reader) = reader else { return false };
        if let Err(error) = reader.hold(&*self.snapshots.storage) {
            log::warn!("The append-only file cannot be read for a replica: {}", reason(&error));
            return false;
        }
        let client = &mut self.clients[key];
        (client.output.withheld, client.over_soft_limit) = (0, None);
        log::info!("Replica {} lacks more of the stream than its limit: it is to read it from the append-only file.", client.peer.address);
        self.replication.later.insert(key, reader);
        let replica = self.replication.replicas.get_mut(&key).expect("it lacks something");
        (replica.next, replica.reads_past) = (None, true);
        self.retain_history();
        self.begin_past(key);
        true
    }

    /// Who is to read the append-only file begins if nothing else stands before it.
    fn begin_past(&mut self, key: ClientKey) {
        let Some(replica) = self.replication.replicas.get_mut(&key) else { return };
        if !(replica.stage == Stage::Online && replica.reads_stream && replica.reads_past) {
            return;
        }
        if let Some(reader) = self.replication.later.remove(&key) {
            (replica.stage, replica.reads_past) = (Stage::Past, false);
            self.replication.catching.insert(key, reader);
            self.update_replication_gates();
        }
    }

    /// Replicas that are told now and then that they are not forgotten.
    pub(super) fn waiting_for_a_file(&self) -> Vec<ClientKey> {
        let to_file = self.snapshots.target() == Some(Target::File);
        let waits = |stage: Stage| stage == Stage::Waiting || stage == Stage::Saving && to_file;
        self.replication.replicas.iter().filter(|(_, replica)| waits(replica.stage)).map(|(key, _)| *key).collect()
    }

    /// The save has ended: its file is sent, or all of it was, or there is none.
    fn conclude_full_sync(&mut self, concluded: Concluded) {
        let saving: Vec<ClientKey> = self.replicas_in(Stage::Saving).map(|(key, _)| key).collect();
        for key in saving {
            if !concluded.whole {
                log::warn!("SYNC failed. BGSAVE child returned an error");
                self.close_now(key, "no snapshot");
            } else if concluded.target == Target::File {
                self.send_file(key);
            } else {
                let peer = &self.clients[key].peer.address;
                log::info!(
                    "Streamed RDB transfer with replica {peer} succeeded (socket). Waiting for REPLCONF ACK from replica to enable streaming"
                );
                self.put_online(key);
            }
        }
    }

    /// Begins to send the snapshot file.
    fn send_file(&mut self, key: ClientKey) {
        let opened = self.snapshots.storage.open(&self.config.dbfilename).and_then(|file| Ok((file.length()?, file)));
        match opened {
            Ok((left, file)) => {
                self.replication.files.insert(key, FileInTransit { file, left });
                self.clients[key].output.tail.extend_from_slice(format!("${left}\r\n").as_bytes());
                self.note_output(key);
                self.replication.replicas.get_mut(&key).expect("it waits").stage = Stage::Sending;
            }
            Err(error) => {
                log::warn!("SYNC failed. Can't open/stat DB after BGSAVE: {}", reason(&error));
                self.close_now(key, "no snapshot");
            }
        }
    }

    /// All of the snapshot is in the replica's output.
    fn put_online(&mut self, key: ClientKey) {
        let now = self.now.unix;
        let peer = self.clients[key].peer.address.clone();
        let replica = self.replication.replicas.get_mut(&key).expect("it was sent a snapshot");
        replica.stage = Stage::Online;
        replica.acknowledged_at = now;
        if replica.snapshot_only {
            log::info!("RDB transfer completed, rdb only replica ({peer}) should be disconnected asap");
            self.close_after_reply(key);
        } else {
            log::info!("Synchronization with replica {peer} succeeded");
        }
        self.update_replication_gates();
        if !self.replication.waiting.is_empty() {
            // what it has said before did not count
            self.ask_replicas();
        }
    }

    /// Nothing stands between a replica and the stream any more: what was kept of it follows.
    pub(super) fn let_read_stream(&mut self, key: ClientKey) {
        if let Some(replica) = self.replication.replicas.get_mut(&key).filter(|replica| replica.stage == Stage::Online) {
            replica.reads_stream = true;
            self.begin_past(key);
        }
    }

    /// Sends a replica the history from byte `next` on.
    pub fn catch_up(&mut self, key: ClientKey, next: u64) {
        if self.replication.catching.contains_key(&key) {
            return;
        }
        let replica = self.replica(key);
        (replica.next, replica.reads_stream) = (Some(next), true);
        self.retain_history();
    }

    /// The next slice of the history. Who has all of it gets what comes as it comes.
    fn send_history(&mut self, key: ClientKey) {
        let stream = &self.replication.stream;
        let Some(mut next) = self.replication.replicas.get(&key).and_then(|replica| replica.next) else { return };
        let from = next;
        let output = &mut self.clients[key].output;
        for block in stream.since(next) {
            next += block.len() as u64;
            // it is a slice: what counts is how much there is behind it
            output.share_unlimited(block);
            if (next - from) as usize >= limits::SNAPSHOT_SLICE {
                break;
            }
        }
        let rest = stream.offset() + 1 - next;
        output.withheld = usize::try_from(rest).unwrap_or(usize::MAX);
        if let Some(replica) = self.replication.replicas.get_mut(&key) {
            replica.next = (rest > 0).then_some(next);
        }
        self.note_output(key);
        self.retain_history();
    }

    /// A replica is gone. A save that nobody wants any more ends.
    pub(super) fn leave_full_sync(&mut self, key: ClientKey, stage: Stage) {
        self.replication.files.remove(&key);
        self.retain_history();
        if stage != Stage::Saving || self.replicas_in(Stage::Saving).next().is_some() {
            return;
        }
        match self.snapshots.target() {
            Some(Target::Replicas(_)) => {
                log::warn!("Diskless rdb transfer, last replica dropped, killing fork child.");
                self.abandon_snapshot();
            }
            // with rules for snapshots the file is of use in any case
            Some(Target::File) if self.config.save.is_empty() => self.abandon_snapshot(),
            _ => {}
        }
    }

    /// With nothing else on the disk, a file that was made for replicas alone may be unwanted there.
    pub(super) fn remove_sync_file(&mut self) {
        let config = &self.config;
        let needed = |replica: &Replica| matches!(replica.stage, Stage::Waiting | Stage::Saving | Stage::Sending);
        let unwanted = config.rdb_del_sync_files && config.save.is_empty() && !config.appendonly;
        if unwanted && self.snapshots.made_for_replicas && !self.replication.replicas.values().any(needed) {
            log::info!("Removing the RDB file used to feed replicas in a persistence-less instance");
            self.snapshots.made_for_replicas = false;
            if let Err(error) = self.snapshots.storage.remove(&config.dbfilename) {
                log::warn!("Cannot remove {}: {}", config.dbfilename, reason(&error));
            }
        }
    }

    /// Replicas that take nothing of a snapshot hold up the child and the others.
    pub(super) fn drop_stalled_replicas(&mut self) {
        let (now, timeout) = (self.now.unix.to_millis(), Millis::from_seconds(self.config.repl_timeout.into()));
        let saving: Vec<ClientKey> = self.replicas_in(Stage::Saving).map(|(key, _)| key).collect();
        for key in saving {
            let left = self.clients[key].output.len();
            let replica = self.replication.replicas.get_mut(&key).expect("it is sent a snapshot");
            if left == 0 || left != replica.stalled.0 {
                replica.stalled = (left, now);
            } else if now.saturating_sub(replica.stalled.1) > timeout {
                log::warn!("Disconnecting timedout replica (full sync): {}", self.clients[key].peer.address);
                self.close_now(key, "it takes no snapshot");
            }
        }
    }

    /// Puts the next slices into the outputs that have room.
    pub(super) fn send_snapshots(&mut self, space: &mut Keyspace) {
        if let Some(Target::Replicas(_)) = self.snapshots.target() {
            if self.snapshots.is_sending() {
                self.relay();
            }
            if !self.snapshots.is_sending() {
                // all was read: the child is about to end
                self.attend_snapshot(space);
            }
        }
        let ready: Vec<ClientKey> = self.replication.files.keys().copied().filter(|key| self.has_room(*key)).collect();
        for key in ready {
            self.send_slice(key);
        }
        for key in self.readers_behind() {
            self.send_history(key);
        }
    }

    /// Replicas that the history is ahead of and that have room for more.
    fn readers_behind(&self) -> Vec<ClientKey> {
        let behind = self.replicas_in(Stage::Online).filter(|(_, replica)| replica.reads_stream && replica.next.is_some());
        behind.map(|(key, _)| key).filter(|key| self.has_room(*key)).collect()
    }

    fn has_room(&self, key: ClientKey) -> bool {
        self.clients[key].output.len() < limits::SNAPSHOT_ROOM
    }

    /// What the child has sent goes to all replicas, when all have taken what came before.
    fn relay(&mut self) {
        let receivers: Vec<ClientKey> = self.replicas_in(Stage::Saving).map(|(key, _)| key).collect();
        if self.replication.pipe_is_dry || !receivers.iter().all(|key| self.has_room(*key)) {
            return;
        }
        let mut slice = vec![0; limits::SNAPSHOT_SLICE];
        match self.snapshots.read(&mut slice) {
            Ok(0) => log::info!("Diskless rdb transfer, done reading from pipe, {} replicas still up.", receivers.len()),
            Ok(count) => {
                slice.truncate(count);
                let slice = Bytes::from(slice);
                for key in receivers {
                    self.clients[key].output.share_unlimited(slice.clone());
                    self.note_output(key);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.replication.pipe_is_dry = true,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                log::warn!("Diskless rdb transfer, read error sending DB to replicas: {}", reason(&error));
                self.abandon_snapshot();
            }
        }
    }

    /// The next slice of a file.
    fn send_slice(&mut self, key: ClientKey) {
        let Some(transit) = self.replication.files.get_mut(&key) else { return };
        let most = usize::try_from(transit.left).unwrap_or(usize::MAX).min(limits::SNAPSHOT_SLICE);
        let mut slice = vec![0; most];
        match transit.file.read(&mut slice) {
            Ok(count) if count > 0 || transit.left == 0 => {
                slice.truncate(count);
                transit.left -= count as u64;
                let done = transit.left == 0;
                self.clients[key].output.share_unlimited(Bytes::from(slice));
                self.note_output(key);
                if done {
                    self.replication.files.remove(&key);
                    self.put_online(key);
                    self.let_read_stream(key);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => {
                let why = other.err().map_or("premature EOF".to_string(), |error| reason(&error));
                log::warn!("Read error sending DB to replica: {why}");
                self.close_now(key, "no snapshot");
            }
        }
    }
}

impl Server {
    /// The pipe to be polled while a child sends a snapshot, numbered, and its descriptor.
    pub fn snapshot_pipe(&self) -> Option<(u64, std::os::fd::RawFd)> {
        self.state.snapshots.pipe()
    }

    /// The poll has found that there is more in the pipe, or its end.
    pub fn snapshot_pipe_ready(&mut self) {
        self.state.replication.pipe_is_dry = false;
    }

    /// Whether a snapshot's next slice can be put before a replica at once.
    pub(super) fn has_slices_to_send(&self) -> bool {
        let state = &self.state;
        state.replication.files.keys().any(|key| state.has_room(*key))
            || !state.readers_behind().is_empty()
            || state.snapshots.is_sending()
                && !state.replication.pipe_is_dry
                && state.replicas_in(Stage::Saving).all(|(key, _)| state.has_room(key))
    }
}
