//! MIGRATE, but for its words: keys on their way to another server, while this one goes on.
//!
//! The server opens no socket. It wishes for *lines* to other servers, which the owner of the sockets dials,
//! feeds and listens to; the client is parked, and its command runs again when there is something to do.
//!
//! ```text
//!                         ┌──────────── line_down, once ◀───────────┐
//!                         ▼                                         │
//! MIGRATE ─begin─▶ Connecting ─line_up─▶ Ready ─send─▶ Talking ─────┤
//!            │     (Wish::Dial)          ▲             (Wish::Send) │ every key answered: line_heard
//!            └────a line is idle─────────┘                          │ line_down again
//!                                                                   │ nothing moved for the timeout
//!                        finish ◀── the command runs again ◀── Over ┘
//! ```
//!
//! - **A key leaves when the target has confirmed it**, one by one: whatever happens to the line, no key is
//!   on neither server. It may be on both.
//! - **A key on its way is not written here**: commands that may write it wait until the migration is over
//!   ([`Migrations::holds`]), those of other keys go on. Should one be written all the same, by a way that
//!   no command's keys show, it is watched: it is not removed, and the error says so.
//! - A line that is done with waits ten seconds for another migration to the same place.
//!
//! The road not taken is to dial and wait within the command, as Redis does: nobody else is served meanwhile.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;

use super::client::{ClientFlags, ClientKey};
use super::registry::CommandId;
use super::{Server, State};
use crate::base::clock::Millis;
use crate::keyspace::{DbIndex, Keyspace};
use crate::limits;
use crate::resp::request::Args;

/// Marks the tokens of watched keys that are on their way; the others are clients'.
const ON_ITS_WAY: u64 = 1 << 63;

/// A connection to another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineId(pub u64);

/// What the owner of the sockets is to do.
#[derive(Debug)]
pub enum Wish {
    /// Connect; tell [`Server::line_up`] or [`Server::line_down`].
    Dial {
        /// What it is called from then on.
        line: LineId,
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// Send; tell [`Server::line_moved`] of each progress.
    Send {
        /// Where.
        line: LineId,
        /// What.
        bytes: Bytes,
    },
    /// Close. Nothing is to be told of it any more.
    HangUp {
        /// Which.
        line: LineId,
    },
}

/// How a migration went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nobody has answered at all.
    Connecting,
    /// It was not taken.
    Writing,
    /// It was taken, but not answered.
    Reading,
}

/// Where a migration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The line is being made.
    Connecting,
    /// The line is there: the keys are to be sent.
    Ready,
    /// They are sent or being sent, and answers come.
    Talking {
        /// Whether the socket has not taken all of it yet.
        unsent: bool,
    },
    /// It has ended; [`State::finish_migration`] says how.
    Over(Option<Fault>),
}

/// What is sent over a line.
pub struct Parcel {
    /// The requests.
    pub bytes: Vec<u8>,
    /// How many requests come before those of the keys.
    pub greetings: usize,
    /// The keys, in the order of their requests.
    pub keys: Vec<Box<[u8]>>,
}

/// How a migration has ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// What happened to the line.
    pub fault: Option<Fault>,
    /// The first error of the target, without its `-`.
    pub refusal: Option<Vec<u8>>,
    /// The keys that the target has confirmed, and whether each was changed here since it was sent.
    pub confirmed: Vec<(Box<[u8]>, bool)>,
}

struct Line {
    host: String,
    port: u16,
    is_up: bool,
    /// The database that its other end has selected, if we know.
    database: Option<i64>,
    user: Option<ClientKey>,
    idle_since: Millis,
}

struct Migration {
    line: LineId,
    step: Step,
    timeout: Millis,
    source: DbIndex,
    /// Keys that wait for the end before they are written here.
    held: Vec<Box<[u8]>>,
    retried: bool,
    greetings: usize,
    /// What was sent, and whether it was changed here since.
    sent: Vec<(Box<[u8]>, bool)>,
    answers: usize,
    confirmed: Vec<usize>,
    refusal: Option<Vec<u8>>,
    /// Whether the login or the database was refused: then no key is where it should be, whatever the other answers.
    refused_early: bool,
    /// The start of an answer.
    unread: Vec<u8>,
}

/// All migrations under way, and the lines to other servers.
#[derive(Default)]
pub struct Migrations {
    under_way: BTreeMap<ClientKey, Migration>,
    lines: BTreeMap<LineId, Line>,
    /// Keys on their way, by the number of their database.
    held: Vec<HashSet<Box<[u8]>>>,
    wishes: Vec<Wish>,
    last_line: u64,
}

fn token(client: ClientKey, index: usize) -> u64 {
    ON_ITS_WAY | (client.0 as u64) << 32 | index as u64
}

impl Migrations {
    /// Where the migration of a client stands.
    pub fn step(&self, client: ClientKey) -> Option<Step> {
        Some(self.under_way.get(&client)?.step)
    }

    /// Lines that are open and unused.
    pub fn idle_lines(&self) -> usize {
        self.lines.values().filter(|line| line.user.is_none()).count()
    }

    /// Whether a key must not be written because it is on its way.
    pub fn holds(&self, db: DbIndex, key: &[u8]) -> bool {
        self.held.get(db.at()).is_some_and(|held| held.contains(key))
    }

    fn holds_any(&self) -> bool {
        self.held.iter().any(|held| !held.is_empty())
    }

    fn hold(&mut self, db: DbIndex, keys: &[Box<[u8]>]) {
        if self.held.len() <= db.at() {
            self.held.resize_with(db.at() + 1, HashSet::new);
        }
        self.held[db.at()].extend(keys.iter().cloned());
    }

    /// The database that the other end of a client's line has selected, if that is known.
    pub fn selected(&self, client: ClientKey) -> Option<i64> {
        self.lines.get(&self.under_way.get(&client)?.line)?.database
    }

    /// A watched key has changed; `token` is what it was watched with. Says whether it was one on its way.
    pub fn touched(&mut self, token: u64) -> bool {
        if token & ON_ITS_WAY == 0 {
            return false;
        }
        let client = ClientKey((token >> 32 & 0x7fff_ffff) as usize);
        let index = (token & 0xffff_ffff) as usize;
        if let Some(sent) = self.under_way.get_mut(&client).and_then(|migration| migration.sent.get_mut(index)) {
            sent.1 = true;
        }
        true
    }

    fn dial(&mut self, user: ClientKey, host: &str, port: u16, now: Millis) -> LineId {
        self.last_line += 1;
        let line = LineId(self.last_line);
        self.wishes.push(Wish::Dial { line, host: host.to_string(), port });
        let made = Line { host: host.to_string(), port, is_up: false, database: None, user: Some(user), idle_since: now };
        self.lines.insert(line, made);
        line
    }

    fn idle_line(&self, host: &str, port: u16) -> Option<LineId> {
        let fits = |line: &&Line| line.user.is_none() && line.is_up && line.port == port && line.host == host;
        self.lines.iter().find(|(_, line)| fits(line)).map(|(id, _)| *id)
    }

    fn hang_up(&mut self, line: LineId) {
        if self.lines.remove(&line).is_some() {
            self.wishes.push(Wish::HangUp { line });
        }
    }

    /// Closes lines that nobody has used for long, or that are too many.
    fn tidy(&mut self, now: Millis) {
        let mut idle: Vec<(Millis, LineId)> =
            self.lines.iter().filter(|(_, line)| line.user.is_none()).map(|(id, line)| (line.idle_since, *id)).collect();
        idle.sort_unstable();
        let spare = idle.len().saturating_sub(limits::IDLE_LINES);
        for (index, (since, line)) in idle.into_iter().enumerate() {
            if index < spare || now.saturating_sub(since) > Millis(limits::LINE_IDLE_MS) || since > now {
                self.hang_up(line);
            }
        }
    }
}

impl Migration {
    /// Takes in what has come over the line; says whether it makes sense so far.
    fn hear(&mut self, bytes: &[u8]) -> bool {
        self.unread.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(length) = memchr::memchr(b'\n', &self.unread[at..]) {
            let line = self.unread[at..at + length].trim_ascii_end().to_vec();
            at += length + 1;
            if self.is_answered() || !self.answer(&line) {
                return false;
            }
        }
        self.unread.drain(..at);
        self.unread.len() <= limits::INLINE_MAX && (self.unread.is_empty() || !self.is_answered())
    }

    /// Takes one answer. What is neither OK nor an error is none: the other end is no server of ours, and no key
    /// is safe there.
    fn answer(&mut self, line: &[u8]) -> bool {
        let key = self.answers.checked_sub(self.greetings);
        if let Some(error) = line.strip_prefix(b"-") {
            self.refusal.get_or_insert_with(|| error.to_vec());
            self.refused_early |= key.is_none();
        } else if line != b"+OK" {
            return false;
        } else if let Some(key) = key.filter(|_| !self.refused_early) {
            self.confirmed.push(key);
        }
        self.answers += 1;
        true
    }

    /// Whether all that is to come has come.
    fn is_answered(&self) -> bool {
        self.answers == self.greetings + self.sent.len()
    }

    /// What a line that is gone means at this point.
    fn fault(&self) -> Fault {
        match self.step {
            // a connection that is refused shows when it is written to: so Redis says it
            Step::Talking { unsent: false } => Fault::Reading,
            _ => Fault::Writing,
        }
    }
}

impl State {
    /// A client's keys are to go to another server: they are held until it is over.
    pub fn begin_migration(
        &mut self,
        client: ClientKey,
        (host, port): (&str, u16),
        timeout: Millis,
        source: DbIndex,
        held: Vec<Box<[u8]>>,
    ) {
        let now = self.now.unix.to_millis();
        let migrations = &mut self.migrations;
        let (line, step) = match migrations.idle_line(host, port) {
            Some(line) => (line, Step::Ready),
            None => (migrations.dial(client, host, port, now), Step::Connecting),
        };
        if let Some(line) = migrations.lines.get_mut(&line) {
            line.user = Some(client);
        }
        migrations.hold(source, &held);
        let migration = Migration {
            line,
            step,
            timeout,
            source,
            held,
            retried: false,
            greetings: 0,
            sent: Vec::new(),
            answers: 0,
            confirmed: Vec::new(),
            refusal: None,
            refused_early: false,
            unread: Vec::new(),
        };
        migrations.under_way.insert(client, migration);
        self.update_migration_gate();
    }

    /// Sends the keys over the line that is [ready](Step::Ready). With `watched` it is noted when one of them
    /// changes from now on.
    pub fn send_migration(&mut self, space: &mut Keyspace, client: ClientKey, parcel: Parcel, watched: bool) {
        let Some(migration) = self.migrations.under_way.get_mut(&client) else { return };
        for (index, key) in parcel.keys.iter().enumerate().filter(|_| watched) {
            space.watch(migration.source, key, token(client, index));
        }
        (migration.greetings, migration.answers) = (parcel.greetings, 0);
        migration.sent = parcel.keys.into_iter().map(|key| (key, false)).collect();
        migration.step = if migration.is_answered() { Step::Over(None) } else { Step::Talking { unsent: true } };
        if !parcel.bytes.is_empty() {
            self.migrations.wishes.push(Wish::Send { line: migration.line, bytes: parcel.bytes.into() });
        }
    }

    /// Nothing has moved for as long as the client wanted to wait.
    pub fn time_out_migration(&mut self, client: ClientKey) {
        if let Some(migration) = self.migrations.under_way.get_mut(&client) {
            migration.step = match migration.step {
                Step::Over(fault) => Step::Over(fault),
                Step::Connecting => Step::Over(Some(Fault::Connecting)),
                _ => Step::Over(Some(migration.fault())),
            };
        }
    }

    /// Ends a migration, whatever it has come to. The line waits for the next one, `destination` being the
    /// database that its other end has selected, unless something went wrong with it.
    pub fn finish_migration(&mut self, space: &mut Keyspace, client: ClientKey, destination: i64) -> Ended {
        let Some(migration) = self.migrations.under_way.remove(&client) else { return Ended::default() };
        self.stop_watching(space, client, &migration);
        if let Some(held) = self.migrations.held.get_mut(migration.source.at()) {
            migration.held.iter().for_each(|key| {
                held.remove(key);
            });
        }
        self.update_migration_gate();
        self.resume_held();
        let fault = match migration.step {
            Step::Over(fault) => fault,
            _ => Some(migration.fault()),
        };
        if fault.is_some() {
            self.migrations.hang_up(migration.line);
        } else if let Some(line) = self.migrations.lines.get_mut(&migration.line) {
            line.user = None;
            line.database = Some(destination).filter(|_| migration.refusal.is_none());
            line.idle_since = self.now.unix.to_millis();
        }
        let mut sent = migration.sent;
        let confirmed = migration.confirmed.iter().map(|&index| std::mem::take(&mut sent[index])).collect();
        Ended { fault, refusal: migration.refusal, confirmed }
    }

    /// The client is gone, or its wait was ended by another: nothing is removed here, whatever has arrived there.
    pub(super) fn abandon_migration(&mut self, space: &mut Keyspace, client: ClientKey) {
        if let Some(migration) = self.migrations.under_way.get_mut(&client) {
            migration.step = Step::Over(Some(Fault::Reading));
            self.finish_migration(space, client, 0);
        }
    }

    fn stop_watching(&self, space: &mut Keyspace, client: ClientKey, migration: &Migration) {
        for (index, (key, _)) in migration.sent.iter().enumerate() {
            space.unwatch(migration.source, key, token(client, index));
        }
    }

    fn update_migration_gate(&mut self) {
        self.gates.migrating = self.migrations.holds_any();
        self.gates.update();
    }

    /// Whether a command that may write has to wait for a migration.
    pub(super) fn is_on_its_way(&self, client: ClientKey, db: DbIndex, command: CommandId, args: Args<'_>) -> bool {
        let may_touch = |command: CommandId, args: Args<'_>| match self.registry.get(command).row.key_indices(args) {
            Some(keys) if !keys.is_empty() => keys.iter().any(|&at| self.migrations.holds(db, args.at(at))),
            // a database or all of them, or what a script does
            _ => true,
        };
        match &self.clients[client].transaction {
            Some(transaction) => transaction.queue.iter().any(|(command, request)| may_touch(*command, request.args())),
            None => may_touch(command, args),
        }
    }

    /// Lets those go on that a pause or a migration has held; who must still wait is held again.
    pub(super) fn resume_held(&mut self) {
        for key in std::mem::take(&mut self.pause.waiting) {
            if let Some(client) = self.clients.get_mut(key) {
                // one that has gone may have left its place to another, which waits for nothing
                let waits = client.flags.any(ClientFlags::PAUSED);
                client.flags.set(ClientFlags::PAUSED, false);
                if waits {
                    self.resume(key);
                }
            }
        }
    }

    /// The user of a line has something to do.
    fn look_again(&mut self, client: ClientKey) {
        self.parked.look_again.push(client);
    }

    /// Something has moved, so the client's patience starts anew.
    fn be_patient(&mut self, client: ClientKey) {
        let Some(timeout) = self.migrations.under_way.get(&client).map(|migration| migration.timeout) else { return };
        let deadline = self.now.unix.to_millis().saturating_add(timeout);
        if let Some(blocked) = self.clients.get_mut(client).and_then(|client| client.blocked.as_mut()) {
            blocked.deadline = Some(deadline);
        }
    }

    /// Looks after lines that nobody uses.
    pub(super) fn tidy_lines(&mut self) {
        self.migrations.tidy(self.now.unix.to_millis());
    }
}

impl Server {
    /// What the owner of the sockets is to do for migrations, in order.
    pub fn take_wishes(&mut self) -> Vec<Wish> {
        std::mem::take(&mut self.state.migrations.wishes)
    }

    /// A line is connected.
    pub fn line_up(&mut self, line: LineId) {
        let Some(entry) = self.state.migrations.lines.get_mut(&line) else { return };
        entry.is_up = true;
        let Some(client) = entry.user else { return };
        if let Some(migration) = self.state.migrations.under_way.get_mut(&client) {
            migration.step = Step::Ready;
        }
        self.state.be_patient(client);
        self.state.look_again(client);
        self.settle_line();
    }

    /// The socket of a line has taken something; `unsent` is how many bytes are left.
    pub fn line_moved(&mut self, line: LineId, unsent: usize) {
        let Some(client) = self.state.migrations.lines.get(&line).and_then(|line| line.user) else { return };
        if let Some(migration) = self.state.migrations.under_way.get_mut(&client)
            && let Step::Talking { .. } = migration.step
        {
            migration.step = Step::Talking { unsent: unsent > 0 };
        }
        self.state.be_patient(client);
    }

    /// Something has come over a line. Gives whether the line goes on: over one that nobody has asked anything, nothing may come.
    #[must_use]
    pub fn line_heard(&mut self, line: LineId, bytes: &[u8]) -> bool {
        let migrations = &mut self.state.migrations;
        let user = migrations.lines.get(&line).and_then(|line| line.user);
        let talking = user.and_then(|client| migrations.under_way.get_mut(&client)).filter(|m| matches!(m.step, Step::Talking { .. }));
        let (Some(client), Some(migration)) = (user, talking) else {
            self.line_down(line);
            return false;
        };
        if !migration.hear(bytes) {
            migration.step = Step::Over(Some(Fault::Reading));
        } else if migration.is_answered() {
            migration.step = Step::Over(None);
        }
        let over = matches!(migration.step, Step::Over(_));
        self.state.be_patient(client);
        if over {
            self.state.look_again(client);
            self.settle_line();
        }
        true
    }

    /// A line could not be connected, or is gone. Before the first answer for a key it is tried once more: an
    /// idle one may have been closed at its other end.
    pub fn line_down(&mut self, line: LineId) {
        let now = self.keyspace.now;
        let Some(gone) = self.state.migrations.lines.remove(&line) else { return };
        let Some(client) = gone.user else { return };
        let Some(mut migration) = self.state.migrations.under_way.remove(&client) else { return };
        if migration.retried || migration.answers > migration.greetings || migration.refusal.is_some() {
            migration.step = Step::Over(Some(migration.fault()));
        } else {
            self.state.stop_watching(&mut self.keyspace, client, &migration);
            migration.line = self.state.migrations.dial(client, &gone.host, gone.port, now);
            (migration.step, migration.retried) = (Step::Connecting, true);
            migration.sent.clear();
            migration.unread.clear();
        }
        let over = matches!(migration.step, Step::Over(_));
        self.state.migrations.under_way.insert(client, migration);
        self.state.be_patient(client);
        if over {
            self.state.look_again(client);
            self.settle_line();
        }
    }

    fn settle_line(&mut self) {
        self.settle();
        self.broadcast_changes();
    }
}
