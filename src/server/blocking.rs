//! Parked clients: who waits for which key, and serving them in order.
//!
//! Blocking is not a second implementation of any command. A handler that finds nothing returns
//! [`Flow::Block`]; the request is parked here with its keys. When a key turns ready, the same handler
//! runs again for each client in that key's queue, oldest first, until one of them blocks again because
//! the key is empty.
//!
//! ```text
//! running ──Flow::Block──▶ parked ──key ready, handler replies──▶ running
//!            park            │  ▲                 serve
//!                            │  └──handler blocks again── (keeps its place)
//!                            ├──deadline: time_out──▶ running
//!                            ├──CLIENT UNBLOCK: unblock──▶ running
//!                            └──connection closed: forget──▶ gone
//! ```

use std::collections::{HashMap, VecDeque};

use super::client::{ClientFlags, ClientKey};
use super::context::{Block, Ctx, Flow, OnTimeout};
use super::error::Error;
use super::registry::CommandId;
use super::{Server, State, Timer};
use crate::base::clock::Millis;
use crate::keyspace::{DbIndex, Keyspace};
use crate::resp::request::{Args, OwnedRequest};
use crate::types::Type;

/// A parked command.
pub struct Blocked {
    /// The request to run again.
    pub request: OwnedRequest,
    /// Its command.
    pub command: CommandId,
    /// The database of the keys.
    pub db: DbIndex,
    /// The keys it waits for.
    pub keys: Vec<Box<[u8]>>,
    /// The type a key must have to serve it; none if it does not wait for keys.
    pub wants: Option<Type>,
    /// Whether a lost key serves it, too.
    pub wants_loss: bool,
    /// When it gives up.
    pub deadline: Option<Millis>,
    /// What it then answers.
    pub on_timeout: OnTimeout,
}

impl Blocked {
    /// Memory of request and keys.
    pub fn bytes(&self) -> usize {
        size_of::<Blocked>() + self.request.bytes() + self.keys.iter().map(|key| key.len() + 16).sum::<usize>()
    }
}

/// A key's queue is in order of parking.
type Queues = HashMap<(DbIndex, Box<[u8]>), VecDeque<ClientKey>>;

/// All parked clients.
#[derive(Default)]
pub struct Parked {
    queues: Queues,
    /// Clients parked, those included that wait for something else than keys.
    pub clients: usize,
    /// Clients that wait for something else than a key and should look again (WAIT after an ACK).
    pub look_again: Vec<ClientKey>,
}

impl Parked {
    /// How many keys are waited for.
    pub fn keys(&self) -> usize {
        self.queues.len()
    }
}

/// Parks the client of `ctx`, whose command is `args`.
pub fn park(ctx: &mut Ctx<'_>, args: Args<'_>, block: Block) {
    let (key, db, command) = (ctx.client, ctx.db.index(), ctx.command);
    for name in &block.keys {
        ctx.db.space().await_key(db, name);
        ctx.state.parked.queues.entry((db, name.clone())).or_default().push_back(key);
    }
    if let Some(deadline) = block.deadline {
        ctx.state.arm(deadline, Timer::Blocked(key));
    }
    ctx.state.parked.clients += 1;
    let client = ctx.client();
    client.flags.set(ClientFlags::BLOCKED, true);
    client.blocked = Some(Box::new(Blocked {
        request: block.request.unwrap_or_else(|| args.to_owned()),
        command,
        db,
        keys: block.keys,
        wants: block.wants,
        wants_loss: block.wants_loss,
        deadline: block.deadline,
        on_timeout: block.on_timeout,
    }));
}

impl State {
    /// Takes a client out of all queues; it may go on with its next request.
    pub fn release(&mut self, space: &mut Keyspace, key: ClientKey) -> Option<Box<Blocked>> {
        let client = self.clients.get_mut(key)?;
        let blocked = client.blocked.take()?;
        client.flags.set(ClientFlags::BLOCKED, false);
        client.replied();
        self.parked.clients -= 1;
        for name in &blocked.keys {
            space.stop_awaiting(blocked.db, name);
            let slot = (blocked.db, name.clone());
            if let Some(queue) = self.parked.queues.get_mut(&slot) {
                // a client that names a key twice stands twice in its queue
                if let Some(at) = queue.iter().position(|&other| other == key) {
                    queue.remove(at);
                }
                if queue.is_empty() {
                    self.parked.queues.remove(&slot);
                }
            }
        }
        self.resume(key);
        Some(blocked)
    }

    /// The clients that wait for a key, in order.
    fn queue(&self, db: DbIndex, key: &[u8]) -> Vec<ClientKey> {
        let queue = self.parked.queues.get(&(db, Box::from(key)));
        let mut clients: Vec<ClientKey> = queue.into_iter().flatten().copied().collect();
        clients.dedup();
        clients
    }
}

impl Server {
    /// Serves clients whose keys turned ready, first come first served, until no key is ready.
    pub(super) fn serve_ready(&mut self) {
        loop {
            let ready = std::mem::take(&mut self.keyspace.effects.ready);
            let again = std::mem::take(&mut self.state.parked.look_again);
            if ready.is_empty() && again.is_empty() {
                return;
            }
            for (db, key) in ready {
                for client in self.state.queue(db, &key) {
                    if !self.serve(db, &key, client) {
                        break;
                    }
                }
            }
            for client in again {
                self.run_parked(client, false);
            }
        }
    }

    /// Lets one parked client look at a key. Gives whether the next in the queue may find something, too.
    fn serve(&mut self, db: DbIndex, key: &[u8], client: ClientKey) -> bool {
        let Some(blocked) = self.state.clients.get(client).and_then(|client| client.blocked.as_ref()) else { return true };
        let (wants, wants_loss) = (blocked.wants, blocked.wants_loss);
        let found = self.keyspace.db(db).type_of(key);
        let serves = found.is_some() && found == wants || wants_loss && found != wants;
        if serves {
            self.run_parked(client, false);
        }
        // another client may wait for another type
        true
    }

    /// Runs a parked command again; if it replies, its client goes on.
    pub(super) fn run_parked(&mut self, key: ClientKey, timed_out: bool) {
        let Some(blocked) = self.state.clients.get(key).and_then(|client| client.blocked.as_ref()) else { return };
        let (request, command) = (blocked.request.clone(), blocked.command);
        self.state.command_started = self.state.stopwatch.now();
        let flow = self.as_client(key, |ctx| {
            ctx.command = command;
            ctx.timed_out = timed_out;
            super::dispatch::call(ctx, request.args())
        });
        if matches!(flow, Flow::Done) {
            self.state.release(&mut self.keyspace, key);
        }
        self.settle();
    }

    /// A parked client's time may be up.
    pub(super) fn time_out(&mut self, key: ClientKey) {
        let now = self.keyspace.now;
        let Some(blocked) = self.state.clients.get(key).and_then(|client| client.blocked.as_ref()) else { return };
        if blocked.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        self.end_wait(key);
    }

    /// Ends a wait as if its time were up.
    pub(super) fn end_wait(&mut self, key: ClientKey) {
        let Some(blocked) = self.state.clients.get(key).and_then(|client| client.blocked.as_ref()) else { return };
        match blocked.on_timeout {
            OnTimeout::RunAgain => {
                self.run_parked(key, true);
                return;
            }
            OnTimeout::NullArray => self.as_client(key, |ctx| ctx.reply.null_array()),
            OnTimeout::Null => self.as_client(key, |ctx| ctx.reply.null()),
        }
        self.state.release(&mut self.keyspace, key);
    }

    /// Ends a wait with an error.
    pub(super) fn end_wait_with(&mut self, key: ClientKey, error: &Error) {
        self.as_client(key, |ctx| ctx.reply.error(error.text()));
        self.state.count_error(error);
        self.state.release(&mut self.keyspace, key);
    }
}
