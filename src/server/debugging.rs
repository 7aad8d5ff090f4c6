//! Sessions with a script's debugger: `SCRIPT DEBUG YES|SYNC`, then EVAL.
//!
//! ```text
//!  EVAL of a client in debug mode ──SYNC──▶ the script stops at its first line and is left (server::busy)
//!         │                                        │  ▲
//!         │ YES                    lines that were │  │ words that the client sends: hear_debugger
//!         ▼                        said, as output ▼  │
//!  parked, until a child process takes the client over and runs it there as in a sync session: nothing that it
//!  changes is anybody else's; the connection here is closed
//! ```
//!
//! While a session lasts, what its client sends are the debugger's words, not commands. In a sync session the data
//! stands still, and others hear -BUSY as for any script that runs too long. (In Redis nobody hears anything.) When the script
//! ends, its reply follows `<endsession>`, and the connection is closed. When the client goes away, the script runs to its end.

use std::collections::VecDeque;

use super::client::{ClientFlags, ClientKey};
use super::error::Error;
use super::turn::Inbound;
use super::{Server, State};
use crate::base::clock::{Millis, Now};
use crate::limits;
use crate::persist::child::Child;
use crate::resp::request::{self, Args, OwnedRequest, Parsed, RequestLimits};
use crate::script::Answered;

/// How a client debugs its scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DebugMode {
    /// On a copy of the data.
    Forked,
    /// On the data.
    Sync,
}

/// What there is of sessions.
#[derive(Default)]
pub struct Debugging {
    /// The session that runs here.
    pub session: Option<Session>,
    /// A client that wants one in a child.
    pub wanted: Option<ClientKey>,
    /// Whether this is such a child: what it does is nobody else's.
    pub is_child: bool,
    /// Children with sessions.
    pub children: Vec<Child>,
}

/// A session.
pub struct Session {
    /// Whose it is.
    pub client: ClientKey,
    words: VecDeque<OwnedRequest>,
    /// Whether the client is gone, or has sent what nobody understands.
    gone: bool,
    /// What was said and not sent yet.
    said: Vec<u8>,
    /// Since when the script runs, by the stopwatch.
    pub resumed_at: u64,
}

impl Session {
    /// What the debugger's user wants next, after what was said.
    pub fn answer(&mut self, said: Vec<u8>, words: &mut OwnedRequest, now: u64) -> Answered {
        self.said.extend(said);
        self.resumed_at = now;
        if let Some(next) = self.words.pop_front() {
            *words = next;
            return Answered::Words;
        }
        if self.gone { Answered::Gone } else { Answered::NotYet }
    }

    /// Takes what is to be sent.
    pub fn take_said(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.said)
    }

    fn waits(&self) -> bool {
        self.words.is_empty() && !self.gone
    }
}

impl State {
    /// Begins a session for a client whose script is about to start.
    pub fn begin_session(&mut self, client: ClientKey) {
        let resumed_at = self.stopwatch.now();
        // it may have sent more already, which is for the debugger now
        self.resume(client);
        self.debugging.session = Some(Session { client, words: VecDeque::new(), gone: false, said: Vec::new(), resumed_at });
    }

    /// Ends the session: the connection ends with the script's reply.
    pub fn end_session(&mut self, client: ClientKey) {
        self.debugging.session = None;
        self.close_after_reply(client);
    }

    /// The session of a client.
    pub fn session_of(&mut self, client: ClientKey) -> Option<&mut Session> {
        self.debugging.session.as_mut().filter(|session| session.client == client)
    }

    /// Whether a script is debugged that waits for its user.
    pub(super) fn session_waits(&self) -> bool {
        let killed = self.busy.as_ref().is_some_and(|busy| busy.is_to_end());
        self.debugging.session.as_ref().is_some_and(Session::waits) && !killed
    }

    /// Sets how a client debugs scripts; `None`: not at all.
    pub fn set_debug_mode(&mut self, client: ClientKey, mode: Option<DebugMode>) {
        let flags = &mut self.clients[client].flags;
        flags.set(ClientFlags::DEBUGS_FORKED, mode == Some(DebugMode::Forked));
        flags.set(ClientFlags::DEBUGS_SYNC, mode == Some(DebugMode::Sync));
    }

    /// How a client debugs scripts.
    pub fn debug_mode(&self, client: ClientKey) -> Option<DebugMode> {
        let flags = self.clients[client].flags;
        match () {
            () if flags.any(ClientFlags::DEBUGS_SYNC) || flags.any(ClientFlags::DEBUGS_FORKED) && self.debugging.is_child => {
                Some(DebugMode::Sync)
            }
            () if flags.any(ClientFlags::DEBUGS_FORKED) => Some(DebugMode::Forked),
            () => None,
        }
    }

    /// Forgets children that have ended.
    pub(super) fn attend_sessions(&mut self) {
        self.debugging.children.retain_mut(|child| child.poll().is_none());
    }

    /// Asks for a child that takes a client over.
    pub fn want_session(&mut self, client: ClientKey) -> Result<(), Error> {
        if self.debugging.wanted.is_some() || self.debugging.children.len() >= limits::DEBUG_SESSIONS {
            return Err(Error::fixed("ERR too many debugging sessions"));
        }
        self.debugging.wanted = Some(client);
        Ok(())
    }
}

impl Server {
    /// What a client in a session has sent. `false` if it is in none.
    #[cold]
    pub(super) fn hear_debugger(&mut self, inbound: &mut Inbound<'_>) -> bool {
        let state = &mut self.state;
        let Some(session) = state.debugging.session.as_mut().filter(|session| session.client == inbound.client) else { return false };
        let Some(client) = state.clients.get_mut(inbound.client) else { return false };
        let limits = RequestLimits { arguments: limits::DEBUG_WORDS, bulk: limits::DEBUG_WORD_BYTES, unauthenticated: false };
        let (mut at, mut spans) = (0, Vec::new());
        while !session.gone {
            spans.clear();
            match request::parse(inbound.bytes, at, &mut client.partial, &limits, &mut spans) {
                Parsed::Request(end) => {
                    session.words.push_back(Args::new(inbound.bytes, &spans).to_owned());
                    at = end;
                }
                Parsed::Inline(words, end) => {
                    session.words.push_back(words);
                    at = end;
                }
                Parsed::Nothing(end) => at = end,
                Parsed::Incomplete => break,
                Parsed::Error(_) => session.gone = true,
            }
        }
        inbound.consumed = if session.gone { inbound.bytes.len() } else { at };
        client.pending_input = inbound.bytes.len() - inbound.consumed;
        true
    }

    /// A client in a session is gone.
    pub fn desert_session(&mut self, key: ClientKey) {
        if let Some(session) = self.state.session_of(key) {
            session.gone = true;
        }
    }

    /// The client that a child process is to take over.
    pub fn take_session_wanted(&mut self) -> Option<ClientKey> {
        self.state.debugging.wanted.take()
    }

    /// In a child: runs the client's script from its beginning.
    pub fn begin_forked_session(&mut self, key: ClientKey) {
        self.state.debugging.is_child = true;
        self.state.replication.stream.deactivate();
        self.run_parked(key, false);
        self.settle();
    }

    /// In a child: lets the script go on with what has arrived.
    pub fn advance_forked_session(&mut self, now: Now) {
        self.set_time(now);
        let _: Option<Millis> = self.tick_while_busy();
    }

    /// Whether a script waits for its debugger's user.
    pub fn session_waits(&self) -> bool {
        self.state.session_waits()
    }
}
