//! Where the memory is: what is data and what is not, for INFO, MEMORY and the metrics.

use super::State;
use super::client::{Client, ClientFlags};
use crate::base::memory;
use crate::keyspace::Keyspace;
use crate::persist::aof::Phase;

/// Where memory goes, in bytes.
pub struct Accounts {
    /// All that is allocated.
    pub used: usize,
    /// The most that ever was.
    pub peak: usize,
    /// What was allocated before there was any data.
    pub startup: usize,
    /// Sessions and their buffers, replicas aside.
    pub clients: usize,
    /// The same of replicas.
    pub replicas: usize,
    /// Tables and deadline indexes.
    pub tables: usize,
    /// The history that is kept for replicas that come back.
    pub backlog: usize,
    /// What waits for the append-only file.
    pub aof_buffer: usize,
    /// Scripts and functions, and their interpreters.
    pub scripts: usize,
}

impl Accounts {
    /// What they are now.
    pub fn take(state: &State, space: &Keyspace) -> Accounts {
        let used = memory::used();
        let is_replica = |client: &Client| client.flags.any(ClientFlags::REPLICA);
        let (replicas, clients): (Vec<&Client>, Vec<&Client>) =
            state.clients.iter().map(|(_, client)| client).partition(|client| is_replica(client));
        // what replicas share is there once
        let (kept, scripts) = (state.replica_blocks(), &state.scripts);
        let own = |client: &&Client| client.memory() - client.output.shared();
        Accounts {
            used,
            peak: state.stats.peak_memory.max(used),
            startup: state.startup_memory.min(used),
            clients: clients.into_iter().map(Client::memory).sum(),
            replicas: replicas.iter().map(own).sum::<usize>() + kept,
            tables: space.databases().iter().map(|database| database.overhead()).sum(),
            backlog: state.replication.stream.memory().saturating_sub(kept) + state.stream_slack(),
            aof_buffer: if state.aof.phase() == Phase::Off { 0 } else { state.aof.buffered() },
            scripts: scripts.bytes() + scripts.interpreter_bytes() + scripts.libraries().bytes() + scripts.engine_bytes(),
        }
    }

    /// All that is not data.
    pub fn overhead(&self) -> usize {
        let parts = [self.startup, self.clients, self.replicas, self.tables, self.backlog, self.aof_buffer, self.scripts];
        parts.into_iter().sum::<usize>().min(self.used)
    }

    /// The data.
    pub fn dataset(&self) -> usize {
        self.used - self.overhead()
    }

    /// The share of data in all that was allocated since the start, in percent.
    pub fn dataset_percent(&self) -> f64 {
        let net = self.used.saturating_sub(self.startup);
        if net == 0 { 0.0 } else { self.dataset() as f64 * 100.0 / net as f64 }
    }
}
