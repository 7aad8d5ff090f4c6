//! Where a turn ends: what it changed is handed on, to the append-only file and to whoever else follows the
//! stream of changes. The owner of the sockets calls [`Server::hand_on`] before it sends any reply.
//!
//! This is the one place that takes the feed. With `appendfsync always` it returns when everything is on
//! the disk; if that fails, the server [stops](super::Stop::Failed) and the replies are never sent: a client
//! that hears nothing knows nothing, one that hears OK would believe a lie.
//!
//! With the other settings a file that cannot be written closes a gate instead: writes are refused, reads go on.

use super::error::Error;
use super::history::Release;
use super::{REDIS_VERSION, Server, State, Stop};
use crate::config::AppendFsync;
use crate::keyspace::Keyspace;
use crate::persist::aof::appender::{Done, Job, Policy};
use crate::persist::aof::rewrite::{BasePlan, Means, NotBegun, names};
use crate::persist::aof::{Outcome, Phase};

/// What to do about the append-only file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// It is on: a new base for it. Or it is off and stays off: a base alone.
    Again,
    /// It is off and is turned on.
    First,
}

impl Server {
    /// Hands on what was changed since the last call. No reply may leave before.
    pub fn hand_on(&mut self) {
        self.state.hand_on();
    }

    /// Work that takes long, for another thread: each job is run there, and its end told with
    /// [`Server::file_job_done`].
    pub fn take_file_jobs(&mut self) -> Vec<Job> {
        self.state.aof.take_jobs()
    }

    /// A job has ended.
    pub fn file_job_done(&mut self, done: Done) {
        if let Some(result) = done.of_received() {
            self.state.snapshots.adopt_received(&self.state.config, result);
            return;
        }
        self.state.aof.done(done);
        self.state.update_disk_gate();
        self.state.note_durable();
    }

    /// Whether the server cannot go on: nothing more may be sent.
    pub fn has_failed(&self) -> bool {
        matches!(self.state.stop, Some(Stop::Failed(_)))
    }

    /// Looks after the rewrite of the append-only file, several times a second.
    pub(super) fn attend_rewrite(&mut self) {
        let state = &mut self.state;
        let policy = state.sync_policy(false);
        let State { rewrites, aof, snapshots, config, now, loading, .. } = state;
        let means = Means { storage: &*snapshots.storage, spawn: snapshots.spawn, config, now: *now, policy };
        rewrites.attend(aof, &means);
        let due = loading.is_none() && !rewrites.is_running() && !snapshots.is_running() && rewrites.is_due(aof, &means);
        if due {
            let first = if state.aof.phase() == Phase::Starting { Rewrite::First } else { Rewrite::Again };
            // a failure was logged, and it will be tried again
            let _ = state.begin_rewrite(&mut self.keyspace, first);
        }
        state.update_disk_gate();
    }

    /// Writes and syncs all that was changed, before the process ends.
    pub fn finish_files(&mut self) -> Result<(), String> {
        self.state.hand_on();
        let policy = self.state.sync_policy(true);
        self.state.stop_rewrite();
        self.state.aof.finish(&policy).map_err(|reason| format!("Cannot write the append-only file to disk: {reason}"))
    }
}

impl State {
    /// As [`Server::hand_on`].
    pub(crate) fn hand_on(&mut self) {
        if matches!(self.stop, Some(Stop::Failed(_))) {
            return;
        }
        self.take_feed();
        if self.aof.phase() != Phase::Off {
            self.flush_file(false);
            if matches!(self.stop, Some(Stop::Failed(_))) {
                return;
            }
        }
        self.release_history(Release::Written);
    }

    /// Writes the file even while a sync is under way.
    pub(super) fn force_file(&mut self) {
        if self.aof.phase() != Phase::Off {
            self.flush_file(true);
        }
    }

    fn flush_file(&mut self, forced: bool) {
        let policy = self.sync_policy(forced);
        if !self.switches.aof_flush_sleep.is_zero() && self.aof.unwritten() > 0 {
            (self.host.sleep)(self.switches.aof_flush_sleep);
        }
        let event = match self.config.appendfsync {
            AppendFsync::Always => "aof-fsync-always",
            _ if self.aof.is_syncing() => "aof-write-pending-fsync",
            _ if self.snapshots.is_running() || self.rewrites.is_running() => "aof-write-active-child",
            _ => "aof-write-alone",
        };
        let began = self.stopwatch.now();
        let outcome = self.aof.flush(&policy);
        let nanos = self.stopwatch.now().saturating_sub(began);
        self.latency.note(event, self.now.unix.to_millis().seconds(), nanos);
        if outcome == Outcome::Broken {
            let reason = self.aof.trouble().map(|trouble| trouble.reason().to_string()).unwrap_or_default();
            let text = format!(
                "Can't write the append-only file while the AOF fsync policy is 'always': {reason}. Exiting: no reply is sent for what may not be on disk. Make room or repair the disk, then start again."
            );
            self.stop = Some(Stop::Failed(text));
        }
        self.update_disk_gate();
        self.note_durable();
    }

    fn sync_policy(&self, forced: bool) -> Policy {
        let at_work = self.snapshots.is_running() || self.rewrites.is_running();
        Policy {
            sync: self.config.appendfsync,
            hold_syncs: at_work && self.config.no_appendfsync_on_rewrite,
            forced,
            now: self.now.unix.to_millis().seconds(),
        }
    }

    /// Closes or opens the gate for writes.
    fn update_disk_gate(&mut self) {
        let trouble = self.aof.trouble().filter(|_| self.aof.phase() != Phase::Off && self.config.appendfsync != AppendFsync::Always);
        if trouble.is_some() != self.gates.file_trouble.is_some() {
            self.gates.file_trouble =
                trouble.map(|trouble| Error::new(format!("MISCONF Errors writing to the AOF file: {}", trouble.reason())));
            self.gates.update();
        }
    }

    /// Whether changes are to be recorded.
    pub(crate) fn update_recording(&mut self, space: &mut Keyspace) {
        // a replica's history is its primary's bytes; its own changes are for its file
        let replicas = self.replication.stream.is_active() && !self.replication.follows();
        space.effects.recording = replicas || self.aof.phase() != Phase::Off;
    }

    /// Begins a rewrite of the append-only file. All commands before must have been concluded. The error
    /// was logged.
    pub fn begin_rewrite(&mut self, space: &mut Keyspace, rewrite: Rewrite) -> Result<(), NotBegun> {
        // what happened before the snapshot belongs before it
        self.hand_on();
        if rewrite == Rewrite::First {
            // nobody's history yet: what was gathered for a base that never came is in this one
            self.feed.take();
        }
        let plan = self.base_plan(space).map_err(|error| {
            log::warn!("{error}");
            NotBegun
        })?;
        let policy = self.sync_policy(true);
        let since = self.stopwatch.now();
        let State { rewrites, aof, snapshots, config, now, .. } = self;
        let means = Means { storage: &*snapshots.storage, spawn: snapshots.spawn, config, now: *now, policy };
        let started = rewrites.start(aof, &means, &plan, space, rewrite == Rewrite::First);
        if started.is_ok() {
            self.note_fork(since, self.rewrites.child());
        }
        self.feed.reselect();
        self.update_recording(space);
        started
    }

    /// How a base is written now.
    pub(super) fn base_plan(&self, space: &Keyspace) -> Result<BasePlan, String> {
        let config = &self.config;
        if config.aof_use_rdb_preamble {
            return self.snapshots.plan(space, config, REDIS_VERSION, self.now, true).map(BasePlan::Snapshot);
        }
        let now = self.now.unix.to_millis().seconds();
        Ok(BasePlan::Commands {
            stamp: config.aof_timestamp_enabled.then_some(now),
            flush: config.aof_rewrite_incremental_fsync,
            key_delay: config.rdb_key_save_delay,
            libraries: self.snapshots.functions.clone(),
        })
    }

    /// Ends the child that writes a base, if there is one.
    pub(super) fn stop_rewrite(&mut self) {
        let policy = self.sync_policy(true);
        let State { rewrites, aof, snapshots, config, now, .. } = self;
        let means = Means { storage: &*snapshots.storage, spawn: snapshots.spawn, config, now: *now, policy };
        rewrites.kill(aof, &means);
    }

    /// Turns the append-only file on, as `CONFIG SET appendonly yes` does. `at_once` is false within a
    /// transaction, whose earlier commands are not concluded yet. The error was logged.
    pub fn turn_aof_on(&mut self, space: &mut Keyspace, at_once: bool) -> Result<(), NotBegun> {
        if self.aof.phase() != Phase::Off {
            return Ok(());
        }
        if self.snapshots.is_running() || !at_once {
            log::warn!("AOF background was scheduled: it begins when the transaction or background operation that is under way has ended.");
            self.rewrites.scheduled = true;
            self.aof.prepare();
            self.update_recording(space);
            return Ok(());
        }
        if self.rewrites.is_running() {
            log::warn!(
                "AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and starting a rewrite now."
            );
            self.stop_rewrite();
        }
        let begun = self.begin_rewrite(space, Rewrite::First);
        if begun.is_err() {
            self.turn_aof_off(space);
            log::warn!(
                "The server needs to enable the AOF but can't trigger a background AOF rewrite operation. Check the above logs for more info about the error."
            );
        }
        begun
    }

    /// Turns the append-only file off; its files stay.
    pub fn turn_aof_off(&mut self, space: &mut Keyspace) {
        self.hand_on();
        self.stop_rewrite();
        let policy = self.sync_policy(true);
        self.aof.stop(&*self.snapshots.storage, &names(&self.config), &policy);
        self.replication.on_disk = 0;
        self.rewrites.scheduled = false;
        self.update_recording(space);
        self.update_disk_gate();
    }
}
