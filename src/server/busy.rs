//! A script that runs too long: who may do what meanwhile, and how it goes on.
//!
//! ```text
//!            busy-reply-threshold is over: leave_script
//!  running ────────────────────────────────────────────▶ left, its client parked
//!     ▲  │                                                   │
//!     │  └──── its slice of the turn is over: leave_script ──┤
//!     └───────────────────────── take_script ◀── each tick ──┘
//! ```
//!
//! The script's request is parked like any that waits, and run again once a turn: the handler then goes on with the
//! script instead of starting one. Between its slices the data is half of what the script makes of it. So it stands
//! still: commands are refused with -BUSY but for those that touch none ([`Flags::ALLOW_BUSY`]), a primary's words
//! and what waits for keys wait on, nothing expires or is evicted, no snapshot begins, and what the script has written
//! so far is set aside until it is whole. Its clock stands, too.
//!
//! [`Flags::ALLOW_BUSY`]: super::row::Flags::ALLOW_BUSY

use super::client::{ClientFlags, ClientKey};
use super::context::Ctx;
use super::error::Error;
use super::{Server, State};
use crate::base::clock::{Millis, Now};
use crate::keyspace::effects::Aside;
use crate::keyspace::{DbIndex, Keyspace};
use crate::limits;
use crate::script::{Run, World};

/// A script on its way, and what must not be forgotten of it.
pub struct Script {
    /// The script itself.
    pub run: Run,
    /// What its client's commands are judged by.
    pub standing: Standing,
}

/// How a script stands.
pub struct Standing {
    /// The database that it has selected.
    pub db: DbIndex,
    /// Whether it must not write.
    pub read_only: bool,
    /// Whether it may write while memory is short.
    pub allow_oom: bool,
    /// Whether a command that writes was run: from here on nothing may stop the next.
    pub has_written: bool,
    /// When it began, by the stopwatch.
    pub started: u64,
    /// What time it is for it.
    pub now: Now,
    /// Whether it is to end.
    pub ends: bool,
    /// Whether it was left before.
    pub was_left: bool,
}

/// A script that is left for now.
pub struct Busy {
    /// Who runs it.
    pub client: ClientKey,
    script: Script,
    /// What it, and its transaction, have written.
    aside: Aside,
}

impl Busy {
    /// Whether somebody has said that it is to end.
    pub fn is_to_end(&self) -> bool {
        self.script.standing.ends
    }

    /// What it is: a script or a function, and its name.
    pub fn callable(&self) -> (World, &[u8]) {
        let callable = self.script.run.callable();
        (callable.world, &callable.name)
    }
}

/// What others are told.
pub const fn refusal(world: World) -> Error {
    match world {
        World::Scripts => Error::fixed("BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE."),
        World::Functions => Error::fixed("BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."),
    }
}

impl Ctx<'_> {
    /// Leaves a script for now.
    pub fn leave_script(&mut self, mut script: Script) {
        if !script.standing.was_left {
            script.standing.was_left = true;
            self.state.become_busy(&script);
        }
        let space = self.db.space();
        space.standstill = true;
        let aside = space.effects.set_aside();
        self.state.busy = Some(Box::new(Busy { client: self.client, script, aside }));
    }

    /// The script of this client that was left.
    pub fn take_script(&mut self) -> Option<Script> {
        let client = self.client;
        let busy = self.state.busy.take_if(|busy| busy.client == client)?;
        let space = self.db.space();
        space.standstill = self.state.pause.stands();
        space.effects.take_back(busy.aside);
        Some(busy.script)
    }
}

impl State {
    fn become_busy(&mut self, script: &Script) {
        let callable = script.run.callable();
        let (word, name) = (kill_command(callable.world), String::from_utf8_lossy(&callable.name));
        let millis = self.stopwatch.now().saturating_sub(script.standing.started) / 1_000_000;
        if self.debugging.session.is_some() && !self.debugging.is_child {
            log::warn!("Script {name} is debugged: all that needs the data waits until the session ends.");
        } else if !self.debugging.is_child {
            log::warn!(
                "Slow script detected: still in execution after {millis} milliseconds. You can try killing the script using the {word} command. Script name is: {name}."
            );
        }
        self.gates.busy = Some(callable.world);
        self.gates.update();
        // what a primary sends of a snapshot takes the place of the data
        if let Some(link) = self.replication.link_client
            && let Some(client) = self.clients.get_mut(link)
            && client.flags.any(ClientFlags::LINK)
            && !client.flags.any(ClientFlags::DEAF)
        {
            client.flags.set(ClientFlags::DEAF, true);
            self.deafened = Some(link);
        }
    }

    /// The script that was left has ended.
    pub fn end_busy(&mut self) {
        self.gates.busy = None;
        self.gates.update();
        self.resume_held();
        if let Some(link) = self.deafened.take()
            && let Some(client) = self.clients.get_mut(link)
        {
            client.flags.set(ClientFlags::DEAF, false);
            self.resume(link);
        }
    }

    /// Has a busy script end by a command for its kind. The error says why it does not.
    pub fn kill_script(&mut self, world: World) -> Result<(), Error> {
        let Some(busy) = &mut self.busy else { return Err(Error::fixed("NOTBUSY No scripts in execution right now.")) };
        if self.clients.get(busy.client).is_some_and(|client| client.flags.any(ClientFlags::REPLAY)) {
            return Err(Error::fixed(
                "UNKILLABLE The busy script was sent by a master instance in the context of replication and cannot be killed.",
            ));
        }
        if busy.script.standing.has_written {
            return Err(Error::fixed(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
            ));
        }
        let (running, _) = busy.callable();
        if running != world {
            return Err(refusal(running));
        }
        busy.script.standing.ends = true;
        Ok(())
    }

    /// For how many milliseconds the busy script has run.
    pub fn busy_for(&self) -> u64 {
        self.busy.as_ref().map_or(0, |busy| self.stopwatch.now().saturating_sub(busy.script.standing.started) / 1_000_000)
    }
}

fn kill_command(world: World) -> &'static str {
    match world {
        World::Scripts => "SCRIPT KILL",
        World::Functions => "FUNCTION KILL",
    }
}

impl Server {
    /// A slice of the busy script, in place of all that a tick does but for what replicas need. Gives when to come
    /// again; `None` if no script is busy any more.
    pub(super) fn tick_while_busy(&mut self) -> Option<Millis> {
        let key = self.state.busy.as_ref()?.client;
        if self.is_stopping() {
            // a debugger's user may be away for long
            self.desert_session(key);
        }
        let waits = self.state.session_waits();
        if !waits {
            self.run_parked(key, false);
        }
        if self.state.busy.is_none() {
            let client = self.state.clients.get(key);
            if client.is_some_and(|client| client.connection.is_none() && client.flags.any(ClientFlags::CLOSE_NOW)) {
                self.closed(key);
            }
            return None;
        }
        self.state.send_snapshots(&mut self.keyspace);
        self.settle();
        self.broadcast_changes();
        self.replicate();
        let pause = if waits || self.state.session_waits() { limits::DEBUG_IDLE_MS } else { 0 };
        Some(self.keyspace.now.saturating_add(Millis(pause)))
    }

    /// The connection of a client is gone. If a script of its is busy, that goes on all the same.
    pub(super) fn outlives_connection(&mut self, key: ClientKey) -> bool {
        if self.state.busy.as_ref().is_none_or(|busy| busy.client != key) {
            return false;
        }
        self.desert_session(key);
        let client = &mut self.state.clients[key];
        client.connection = None;
        client.flags.set(ClientFlags::CLOSE_NOW, true);
        true
    }
}

/// Sets the clock of server and data. Gives what it was.
pub fn set_clock(state: &mut State, space: &mut Keyspace, now: Now) -> Now {
    let before = std::mem::replace(&mut state.now, now);
    space.now = now.unix.to_millis();
    before
}
