//! The memory of clients, and `maxmemory-clients`: when all of them together take too much, the one
//! that takes the most is disconnected, then the next, until the rest fits.
//!
//! While there is a limit, each client's memory is counted when it may have changed, and the sum is kept.
//! Clients that changed are in a list; they are counted anew before anything is decided. Without a limit
//! nothing is counted.
//!
//! Replicas and the link to a primary do not count: their output is the replication's business. A client
//! that has asked for it (`CLIENT NO-EVICT`) counts, but is spared.

use super::State;
use super::client::{Client, ClientFlags, ClientKey};
use crate::config::{ClientMemory, Config};
use crate::limits;

/// What all clients take. See the module's essay.
#[derive(Default)]
pub struct ClientMemoryAccount {
    /// `maxmemory-clients` in bytes, 0 for none.
    pub limit: usize,
    /// The sum of [`Client::counted`].
    total: usize,
    /// Clients to be counted anew.
    changed: Vec<ClientKey>,
}

/// Clients that do not count.
const APART: ClientFlags = ClientFlags::REPLICA.or(ClientFlags::PRIMARY).or(ClientFlags::REPLAY);

impl ClientMemoryAccount {
    /// The limit in bytes that the configuration means, 0 for none.
    fn limit_of(config: &Config) -> usize {
        let bytes = match config.maxmemory_clients {
            ClientMemory::Bytes(bytes) => bytes,
            ClientMemory::Percent(percent) => {
                u64::try_from(u128::from(config.maxmemory.bytes) * u128::from(percent) / 100).unwrap_or(u64::MAX)
            }
        };
        match usize::try_from(bytes).unwrap_or(usize::MAX) {
            0 => 0,
            bytes => bytes.max(limits::CLIENT_MEMORY_LEAST),
        }
    }
}

impl State {
    /// Obeys the configuration.
    pub(super) fn limit_client_memory(&mut self) {
        let before = self.client_memory.limit;
        self.client_memory.limit = ClientMemoryAccount::limit_of(&self.config);
        if before == 0 && self.client_memory.limit != 0 {
            let keys: Vec<ClientKey> = self.clients.iter().map(|(key, _)| key).collect();
            keys.into_iter().for_each(|key| self.memory_changed(key));
        }
    }

    /// The memory of a client may have changed.
    #[inline]
    pub fn memory_changed(&mut self, key: ClientKey) {
        if self.client_memory.limit != 0
            && let Some(client) = self.clients.get_mut(key)
            && !client.flags.any(ClientFlags::RECOUNT)
        {
            client.flags.set(ClientFlags::RECOUNT, true);
            self.client_memory.changed.push(key);
        }
    }

    /// A client is gone.
    pub(super) fn memory_gone(&mut self, key: ClientKey) {
        if let Some(client) = self.clients.get_mut(key) {
            self.client_memory.total -= std::mem::take(&mut client.counted);
        }
    }

    /// Counts anew the clients that changed.
    fn recount_clients(&mut self) {
        for key in std::mem::take(&mut self.client_memory.changed) {
            // another client may have the slot by now: to count it does no harm
            let Some(client) = self.clients.get_mut(key) else { continue };
            client.flags.set(ClientFlags::RECOUNT, false);
            let out = client.flags.any(APART.or(ClientFlags::CLOSE_NOW));
            let counts = if out { 0 } else { client.memory() };
            self.client_memory.total = self.client_memory.total - client.counted + counts;
            client.counted = counts;
        }
    }

    /// Disconnects the largest clients, as long as all together are over the limit.
    pub(super) fn evict_clients(&mut self) {
        if self.client_memory.limit == 0 {
            return;
        }
        self.recount_clients();
        if self.client_memory.total > self.client_memory.limit {
            self.disconnect_largest();
        }
    }

    #[cold]
    fn disconnect_largest(&mut self) {
        let may_go =
            |client: &Client| client.connection.is_some() && !client.flags.any(APART.or(ClientFlags::NO_EVICT).or(ClientFlags::CLOSE_NOW));
        let mut victims: Vec<(usize, ClientKey)> =
            self.clients.iter().filter(|(_, client)| may_go(client)).map(|(key, client)| (client.counted, key)).collect();
        victims.sort_unstable();
        while self.client_memory.total > self.client_memory.limit {
            let Some((bytes, key)) = victims.pop() else {
                log::warn!(
                    "All clients that may be disconnected are, and the others still take {} bytes, over maxmemory-clients.",
                    self.client_memory.total
                );
                return;
            };
            let client = &self.clients[key];
            log::info!("Evicting client {} ({}), which takes {bytes} bytes", client.id, client.peer.address);
            self.stats.evicted_clients += 1;
            self.close_now(key, "maxmemory-clients");
            self.memory_gone(key);
        }
    }
}
