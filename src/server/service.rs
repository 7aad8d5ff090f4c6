//! Service time: how long requests take from the arrival of their bytes to the write of their reply.
//!
//! The time that a command runs says nothing of the time that its request waited: behind the pipeline before it,
//! behind other clients' commands in the same turn, behind a slow one that held the loop. Users feel the sum. So
//! for each command there are two histograms: of execution, which [`dispatch`](super::dispatch) keeps, and of
//! service, which is kept here.
//!
//! All requests of one client in one turn arrived together and their replies leave with one write, so they share
//! their time, and it is enough to count *runs*: so many requests of one command of one client. A run is noted
//! when its commands have replied and closed when the owner of the sockets says that the client's output is with the
//! kernel, which for a client that reads slowly may be several turns later.
//!
//! - Bytes count as arrived at the earliest moment at which they may have become readable. The owner of the
//!   sockets knows that of what a poll reports at once only that it came since the last poll. So a time is never
//!   shown too short, and may be too long by at most the length of one turn.
//! - A request that waited in a connection's backlog, behind a blocking command or a pause, has waited since it came.
//! - A blocking command is served when its key is ready: its time starts with the command that woke it, because to
//!   wait was what it asked for.
//!
//! Kernel timestamps of packets (`SO_TIMESTAMPNS`) would be exact, at the price of a control message with every
//! read, on one system only.

use std::collections::HashMap;

use super::State;
use super::client::ClientKey;
use super::registry::CommandId;

/// Requests of one command and one client that arrived together and wait for their replies to be written.
#[derive(Clone, Copy, Debug)]
struct Run {
    client: ClientKey,
    command: CommandId,
    count: u32,
    /// When they arrived, by the stopwatch.
    since: u64,
}

/// Runs that a client which does not read may have open; further ones are added to the last.
const LATE_MAX: usize = 64;

/// The runs that are open.
#[derive(Default)]
pub struct Service {
    /// Whether times are taken.
    pub on: bool,
    /// Runs of this turn.
    runs: Vec<Run>,
    /// Runs of clients whose output the kernel has not taken yet.
    late: HashMap<ClientKey, Vec<Run>>,
}

impl Service {
    /// A command of a client, whose request arrived at `since`, has replied.
    #[inline]
    pub fn note(&mut self, client: ClientKey, command: CommandId, since: u64) {
        if !self.on {
            return;
        }
        match self.runs.last_mut() {
            Some(run) if run.client == client && run.command == command && run.since == since => run.count = run.count.saturating_add(1),
            _ => self.runs.push(Run { client, command, count: 1, since }),
        }
    }

    /// A client is gone: nobody waits for its replies.
    pub fn forget(&mut self, client: ClientKey) {
        if !self.late.is_empty() {
            self.late.remove(&client);
        }
        self.runs.retain(|run| run.client != client);
    }
}

impl State {
    /// The kernel has taken output of a client, perhaps not all of it.
    #[inline]
    pub fn written(&mut self, key: ClientKey) {
        if !self.service.on {
            return;
        }
        let now = self.stopwatch.now();
        let Some(client) = self.clients.get_mut(key) else { return };
        client.written_at = now;
        if client.output.is_empty() && !self.service.late.is_empty() {
            for run in self.service.late.remove(&key).unwrap_or_default() {
                self.close_run(run, now);
            }
        }
    }

    /// All output that could be written is: closes the runs of the turn.
    pub fn close_runs(&mut self) {
        if self.service.runs.is_empty() {
            return;
        }
        let mut runs = std::mem::take(&mut self.service.runs);
        let now = self.stopwatch.now();
        for run in runs.drain(..) {
            let Some(client) = self.clients.get(run.client) else { continue };
            if !client.output.is_empty() {
                self.service_delayed(run);
                continue;
            }
            // one that was not answered (CLIENT REPLY OFF) has no write of its own
            let ended = if client.written_at >= run.since { client.written_at } else { now };
            self.close_run(run, ended);
        }
        self.service.runs = runs;
    }

    #[inline]
    fn close_run(&mut self, run: Run, ended: u64) {
        let nanos = ended.saturating_sub(run.since);
        self.registry.get_mut(run.command).stats.service.record_many(nanos, u64::from(run.count));
    }

    #[cold]
    fn service_delayed(&mut self, run: Run) {
        let late = self.service.late.entry(run.client).or_default();
        let full = late.len() >= LATE_MAX;
        match late.last_mut() {
            Some(last) if full => last.count = last.count.saturating_add(run.count),
            _ => late.push(run),
        }
    }
}
