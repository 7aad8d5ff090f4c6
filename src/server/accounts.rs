//! Where the memory is: what is data and what is not, for INFO, MEMORY and the metrics.

use super::State;
use super::client::{Client, ClientFlags};
use crate::base::memory;
use crate::keyspace::Keyspace;

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
}

impl Accounts {
    /// What they are now.
    pub fn take(state: &State, space: &Keyspace) -> Accounts {
        let used = memory::used();
        let is_replica = |client: &Client| client.flags.any(ClientFlags::REPLICA);
        let (replicas, clients): (Vec<&Client>, Vec<&Client>) =
            state.clients.iter().map(|(_, client)| client).partition(|client| is_replica(client));
        // what replicas share is there once
        let own = |client: &&Client| client.memory() - client.output.shared();
        Accounts {
            used,
            peak: state.stats.peak_memory.max(used),
            startup: state.startup_memory.min(used),
            clients: clients.into_iter().map(Client::memory).sum(),
            replicas: replicas.iter().map(own).sum::<usize>() + state.replica_blocks(),
            tables: space.databases().iter().map(|database| database.overhead()).sum(),
        }
    }

    /// All that is not data.
    pub fn overhead(&self) -> usize {
        (self.startup + self.clients + self.replicas + self.tables).min(self.used)
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
