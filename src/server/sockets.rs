//! CONFIG SET of what the server listens on.
//!
//! Only who owns the sockets can open others, and the server below it calls nobody. So a CONFIG SET that
//! changes `port` or `bind` parks its client and notes it here; the owner takes the configuration that is
//! asked for, opens its sockets or keeps the old ones, and says which; then the same command runs again
//! and replies. Between the two runs nothing else runs, so both see the same configuration.
//!
//! ```text
//! CONFIG SET ──await_sockets──▶ parked ──take_sockets_wanted──▶ owner binds
//!                                 ▲                                 │
//!      reply ◀── runs again ──────┴────────── sockets_changed ──────┘
//! ```

use super::client::{ClientFlags, ClientKey};
use super::{Server, State};
use crate::config::{Caller, Config};

/// The directives that say where the server listens.
pub const DIRECTIVES: [&str; 2] = ["port", "bind"];

/// Whether the owner of the sockets could do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// It listens as asked.
    Anew,
    /// It could not, and listens as before.
    AsBefore,
}

/// Clients that wait for other sockets.
#[derive(Default)]
pub struct Sockets {
    waiting: Vec<ClientKey>,
    /// What became of it, while the command runs again.
    pub outcome: Option<Listening>,
}

/// The sockets that a client wants.
pub struct Wanted {
    /// The client.
    pub client: ClientKey,
    /// The configuration as it would be.
    pub config: Box<Config>,
}

impl State {
    /// The client parks until its CONFIG SET has other sockets.
    pub fn await_sockets(&mut self, client: ClientKey) {
        if !self.sockets.waiting.contains(&client) {
            self.sockets.waiting.push(client);
        }
    }

    /// From where a client changes the configuration.
    pub fn caller(&self, client: ClientKey) -> Caller {
        let local = self.clients[client].flags.any(ClientFlags::LOOPBACK.or(ClientFlags::UNIX_SOCKET));
        if local { Caller::Local } else { Caller::Remote }
    }
}

impl Server {
    /// The next sockets that a client waits for. The answer is [`Server::sockets_changed`].
    pub fn take_sockets_wanted(&mut self) -> Option<Wanted> {
        while !self.state.sockets.waiting.is_empty() {
            let state = &mut self.state;
            let client = state.sockets.waiting.remove(0);
            // it may be gone, or its wait was ended by another client
            let Some(blocked) = state.clients.get(client).and_then(|session| session.blocked.as_ref()) else { continue };
            if state.registry.get(blocked.command).full_name != "config|set" {
                continue;
            }
            let pairs: Vec<&[u8]> = blocked.request.args().from(2).iter().collect();
            let mut config = Box::new(state.config.clone());
            match config.set(&pairs, state.caller(client)) {
                Ok(_) => return Some(Wanted { client, config }),
                // what was legal when it parked is not any more: the command says so itself
                Err(_) => self.sockets_changed(client, Listening::AsBefore),
            }
        }
        None
    }

    /// The sockets are as the client asked, or as they were: its command goes on.
    pub fn sockets_changed(&mut self, client: ClientKey, outcome: Listening) {
        self.state.sockets.outcome = Some(outcome);
        self.run_parked(client, false);
        self.state.sockets.outcome = None;
        self.settle();
        self.broadcast_changes();
    }
}
