//! Parked clients: who waits for which key, and serving them in order.
//!
//! Blocking is not a second implementation of any command. A handler that finds nothing returns
//! [`Flow::Block`]; the request is parked here with its keys. When a key turns ready, the same handler
//! runs again for each client in that key's queue, oldest first, as long as the key has what they want.
//!
//! ```text
//! running ──Flow::Block──▶ parked ──key ready, handler replies──▶ running
//!            park            │  ▲                 run_parked
//!                            │  └──handler blocks again── (keeps its place)
//!                            ├──deadline: time_out──▶ running
//!                            ├──CLIENT UNBLOCK: end_wait, end_wait_with──▶ running
//!                            └──connection closed: release──▶ gone
//! ```
//!
//! - A place in the queues is a ticket, drawn when the client parks: the same one in the queue of each
//!   key it named. A client that looked in vain keeps it. (Redis lines it up again at the end.)
//! - Serving is one loop, not a recursion: what a served command makes ready (BLMOVE into a key that
//!   another waits for) is served by the same loop, after the clients of the keys that were ready before.
//! - A timer cannot be taken back, so a client has one set, for the earliest deadline it had; when that
//!   goes off too early it is set anew. A client that waits an hour at most, a thousand times a second,
//!   costs one timer.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;

use super::client::{ClientFlags, ClientKey};
use super::consequences::Grouping;
use super::context::{Block, Ctx, Flow, OnTimeout};
use super::dispatch;
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
    /// The keys it waits for, each once.
    pub keys: Vec<Box<[u8]>>,
    ticket: Ticket,
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

/// A client's place in the queues: lower ones are served first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket(u64);

/// Who waits for one key. Whether its loss serves one of them, the keyspace knows, which must know it with each change.
type Queue = BTreeMap<Ticket, ClientKey>;

/// All parked clients.
#[derive(Default)]
pub struct Parked {
    /// The queues of each database, by its number.
    queues: Vec<HashMap<Box<[u8]>, Queue>>,
    last_ticket: Ticket,
    /// By slot of the slab: when the client's timer goes off, if one is set.
    timers: Vec<Option<Millis>>,
    /// Clients parked, those included that wait for something else than keys.
    pub clients: usize,
    /// Clients that wait for something else than a key and should look again (WAIT after an ACK).
    pub look_again: Vec<ClientKey>,
}

impl Parked {
    /// How many keys are waited for.
    pub fn keys(&self) -> usize {
        self.queues.iter().map(HashMap::len).sum()
    }

    fn draw_ticket(&mut self) -> Ticket {
        self.last_ticket.0 += 1;
        self.last_ticket
    }

    fn queue(&self, db: DbIndex, key: &[u8]) -> Option<&Queue> {
        self.queues.get(db.at())?.get(key)
    }

    fn enqueue(&mut self, key: ClientKey, blocked: &Blocked) {
        if self.queues.len() <= blocked.db.at() {
            self.queues.resize_with(blocked.db.at() + 1, HashMap::new);
        }
        for name in &blocked.keys {
            self.queues[blocked.db.at()].entry(name.clone()).or_default().insert(blocked.ticket, key);
        }
    }

    fn dequeue(&mut self, blocked: &Blocked) {
        for name in &blocked.keys {
            let queues = &mut self.queues[blocked.db.at()];
            let queue = queues.get_mut(name).expect("a parked client stands in the queue of each of its keys");
            queue.remove(&blocked.ticket);
            if queue.is_empty() {
                queues.remove(name);
            }
        }
    }
}

/// Parks the client of `ctx`, whose command is `args`.
pub fn park(ctx: &mut Ctx<'_>, args: Args<'_>, block: Block) {
    let (key, db, command) = (ctx.client, ctx.db.index(), ctx.command);
    let mut keys = block.keys;
    keys.sort_unstable();
    keys.dedup();
    for name in &keys {
        ctx.db.space().await_key(db, name, block.wants_loss);
    }
    if let Some(deadline) = block.deadline {
        ctx.state.arm_wait(key, deadline);
    }
    let blocked = Blocked {
        request: block.request.unwrap_or_else(|| args.to_owned()),
        command,
        db,
        keys,
        ticket: ctx.state.parked.draw_ticket(),
        wants: block.wants,
        wants_loss: block.wants_loss,
        deadline: block.deadline,
        on_timeout: block.on_timeout,
    };
    ctx.state.parked.enqueue(key, &blocked);
    ctx.state.parked.clients += 1;
    let client = ctx.client();
    client.flags.set(ClientFlags::BLOCKED, true);
    client.blocked = Some(Box::new(blocked));
}

impl State {
    /// Sets the timer of a client that parks, unless one goes off by then anyway.
    fn arm_wait(&mut self, key: ClientKey, deadline: Millis) {
        let timers = &mut self.parked.timers;
        if timers.len() <= key.0 {
            timers.resize(key.0 + 1, None);
        }
        if timers[key.0].is_none_or(|timer| timer > deadline) {
            timers[key.0] = Some(deadline);
            self.arm(deadline, Timer::Blocked(key));
        }
    }

    /// Takes a client out of all queues; it may go on with its next request.
    pub fn release(&mut self, space: &mut Keyspace, key: ClientKey) -> Option<Box<Blocked>> {
        let client = self.clients.get_mut(key)?;
        let blocked = client.blocked.take()?;
        client.flags.set(ClientFlags::BLOCKED, false);
        client.replied();
        self.parked.clients -= 1;
        for name in &blocked.keys {
            space.stop_awaiting(blocked.db, name, blocked.wants_loss);
        }
        self.parked.dequeue(&blocked);
        self.abandon_migration(space, key);
        self.resume(key);
        Some(blocked)
    }
}

impl Server {
    /// Serves clients whose keys turned ready, first come first served, until no key is ready.
    pub(super) fn serve_ready(&mut self) {
        if self.state.busy.is_some() {
            // who looks now sees half of what a script makes
            return;
        }
        loop {
            let mut ready = std::mem::take(&mut self.keyspace.effects.ready);
            let again = std::mem::take(&mut self.state.parked.look_again);
            if ready.is_empty() && again.is_empty() {
                break;
            }
            if ready.len() > 1 {
                // a key has one place: that of its first change
                let mut seen = HashSet::new();
                ready.retain(|named| seen.insert(named.clone()));
            }
            for (db, key) in ready {
                self.serve_queue(db, &key);
            }
            for client in again {
                self.run_parked(client, false);
            }
        }
    }

    /// Lets the clients that wait for a key look at it, in order.
    fn serve_queue(&mut self, db: DbIndex, key: &[u8]) {
        let mut last = Ticket::default();
        while let Some(queue) = self.state.parked.queue(db, key) {
            let Some((&ticket, &client)) = queue.range((Bound::Excluded(last), Bound::Unbounded)).next() else { return };
            let found = self.keyspace.db(db).type_of(key);
            if found.is_none() && !self.keyspace.interests(db).is_loss_awaited(key) {
                return;
            }
            last = ticket;
            let Some(session) = self.state.clients.get(client) else { continue };
            let Some(blocked) = &session.blocked else { continue };
            // a client that is about to be closed must not take anything with it
            if session.flags.any(ClientFlags::CLOSE_NOW) {
                continue;
            }
            if found.is_some() && found == blocked.wants || blocked.wants_loss && found != blocked.wants {
                self.run_parked(client, false);
            }
        }
    }

    /// Runs a parked command again, if its user still may; if it replies, its client goes on.
    pub(super) fn run_parked(&mut self, key: ClientKey, timed_out: bool) {
        let Some(client) = self.state.clients.get_mut(key) else { return };
        let Some(blocked) = client.blocked.take() else { return };
        let woken = self.state.stopwatch.now();
        self.state.command_started = woken;
        self.state.request_bytes = blocked.request.args().wire_bytes();
        // what was allowed when it began to wait may not be so now; what only goes on has been let in
        let looks_anew = blocked.wants.is_some() && !timed_out;
        let flow = self.as_client(key, |ctx| {
            ctx.command = blocked.command;
            if looks_anew && let Err(error) = ctx.state.admit(key, blocked.command, blocked.request.args()) {
                dispatch::reject(ctx, &error, Some(blocked.command));
                return Flow::Done;
            }
            ctx.timed_out = timed_out;
            let flow = dispatch::call(ctx, blocked.request.args());
            if matches!(flow, Flow::Done) {
                dispatch::end_tracked(ctx, Some(ctx.command));
            }
            flow
        });
        let command = blocked.command;
        self.state.clients[key].blocked = Some(blocked);
        if matches!(flow, Flow::Done) {
            self.state.service.note(key, command, woken);
            self.state.release(&mut self.keyspace, key);
        }
        self.conclude(Grouping::Together);
    }

    /// A parked client's time may be up.
    pub(super) fn time_out(&mut self, key: ClientKey) {
        let now = self.keyspace.now;
        if let Some(timer) = self.state.parked.timers.get_mut(key.0) {
            timer.take_if(|due| *due <= now);
        }
        let blocked = self.state.clients.get(key).and_then(|client| client.blocked.as_ref());
        match blocked.and_then(|blocked| blocked.deadline) {
            None => {}
            Some(deadline) if deadline > now => self.state.arm_wait(key, deadline),
            Some(_) => self.end_wait(key),
        }
    }

    /// Ends a wait as if its time were up.
    pub(super) fn end_wait(&mut self, key: ClientKey) {
        let Some(blocked) = self.state.clients.get(key).and_then(|client| client.blocked.as_ref()) else { return };
        match blocked.on_timeout {
            OnTimeout::RunAgain => self.run_parked(key, true),
            OnTimeout::NullArray => self.answer(key, |ctx| ctx.reply.null_array()),
            OnTimeout::Null => self.answer(key, |ctx| ctx.reply.null()),
        }
    }

    /// Ends a wait with an error.
    pub(super) fn end_wait_with(&mut self, key: ClientKey, error: &Error) {
        if self.state.clients.get(key).is_none_or(|client| client.blocked.is_none()) {
            return;
        }
        if let Some(blocked) = self.state.clients.get(key).and_then(|client| client.blocked.as_ref()) {
            self.state.registry.get_mut(blocked.command).stats.failed += 1;
        }
        self.answer(key, |ctx| ctx.reply.error(error.text()));
        self.state.count_error(error);
    }

    /// Replies to a parked client and lets it go on: its command has run.
    fn answer(&mut self, key: ClientKey, reply: impl FnOnce(&mut Ctx<'_>)) {
        if let Some(blocked) = self.state.clients.get(key).and_then(|client| client.blocked.as_ref()) {
            self.state.registry.get_mut(blocked.command).stats.calls += 1;
        }
        self.as_client(key, reply);
        self.state.release(&mut self.keyspace, key);
    }
}
