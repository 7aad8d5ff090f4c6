//! A session: what the server knows of one client.

use std::collections::HashMap;
use std::fmt;
use std::ops::{Index, IndexMut};

use slab::Slab;

use super::blocking::Blocked;
use super::output::Output;
use super::pubsub::Subscriptions;
use super::registry::CommandId;
use super::tracking::Tracking;
use super::transaction::Transaction;
use super::users::UserId;
use crate::base::clock::Micros;
use crate::config::{ClientClass, Guard};
use crate::keyspace::DbIndex;
use crate::resp::Protocol;
use crate::resp::request::Partial;

/// Where a client is in the slab. A key is reused after its client is gone; [`Client::id`] is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientKey(pub usize);

/// A set of facts about a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientFlags(u32);

macro_rules! client_flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal;)*) => {
        impl ClientFlags {
            $($(#[$doc])* pub const $name: ClientFlags = ClientFlags(1 << $bit);)*
        }
    };
}

client_flags! {
    /// Has logged in, or needs not.
    AUTHENTICATED = 0;
    /// Queues commands after MULTI.
    MULTI = 1;
    /// A watched key has changed: EXEC will fail.
    DIRTY_CAS = 2;
    /// A queued command was refused: EXEC will fail.
    DIRTY_EXEC = 3;
    /// Waits in a blocking command.
    BLOCKED = 4;
    /// Is closed once its output is sent.
    CLOSE_AFTER_REPLY = 5;
    /// Is closed at the end of the turn, sent or not.
    CLOSE_NOW = 6;
    /// `CLIENT REPLY OFF`.
    REPLY_OFF = 7;
    /// `CLIENT REPLY SKIP`: the next reply is skipped.
    REPLY_SKIP_NEXT = 8;
    /// The reply of the running command is skipped.
    REPLY_SKIP = 9;
    /// `CLIENT NO-EVICT ON`.
    NO_EVICT = 10;
    /// `CLIENT NO-TOUCH ON`.
    NO_TOUCH = 11;
    /// Is in the list of clients with output.
    PENDING_WRITE = 12;
    /// Receives every command.
    MONITOR = 13;
    /// Is a replica of this server.
    REPLICA = 14;
    /// Is this server's link to its primary.
    PRIMARY = 15;
    /// Has subscriptions in RESP2: only few commands are allowed.
    SUBSCRIBED = 16;
    /// Came through the Unix socket.
    UNIX_SOCKET = 17;
    /// Waits for CLIENT UNPAUSE.
    PAUSED = 18;
    /// Replays a file: no socket, no limits.
    REPLAY = 19;
    /// Uses client-side caching.
    TRACKING = 20;
    /// Came from this machine.
    LOOPBACK = 21;
    /// Is in the list of clients that may go on.
    RUNNABLE = 22;
    /// Its memory is to be counted anew.
    RECOUNT = 23;
    /// Is a link to a primary that is not up yet: what it sends are no requests.
    LINK = 24;
    /// Nothing is read of what it sends until it may go on.
    DEAF = 25;
    /// Was posted something that is written when it is its turn.
    POSTED = 26;
    /// Its user may not do everything: each command is looked at.
    RESTRICTED = 27;
    /// Has logged in, or came while nobody had to.
    LOGGED_IN = 28;
    /// Its scripts are debugged, each in a process of its own.
    DEBUGS_FORKED = 29;
    /// Its scripts are debugged, on the data.
    DEBUGS_SYNC = 30;
}

impl ClientFlags {
    /// None.
    pub const NONE: ClientFlags = ClientFlags(0);

    /// These and those.
    pub const fn or(self, other: ClientFlags) -> ClientFlags {
        ClientFlags(self.0 | other.0)
    }

    /// These but not those.
    pub const fn without(self, other: ClientFlags) -> ClientFlags {
        ClientFlags(self.0 & !other.0)
    }

    /// Whether any of `other` is set.
    #[inline]
    pub const fn any(self, other: ClientFlags) -> bool {
        self.0 & other.0 != 0
    }

    /// Sets or clears.
    #[inline]
    pub fn set(&mut self, other: ClientFlags, on: bool) {
        if on { self.0 |= other.0 } else { self.0 &= !other.0 }
    }
}

/// What a listener knows of a new connection.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// `ip:port`, `[ip]:port` or `path:0`.
    pub address: String,
    /// The same of our side.
    pub local_address: String,
    /// Whether it came through the Unix socket.
    pub unix_socket: bool,
    /// Whether it came from this machine.
    pub loopback: bool,
    /// The file descriptor, for CLIENT LIST.
    pub descriptor: i64,
}

/// One client.
pub struct Client {
    /// Its number: increasing, never reused.
    pub id: u64,
    /// Whose connection it is, in the reactor's slab; none for a replay.
    pub connection: Option<usize>,
    /// Where from and where to.
    pub peer: Peer,
    /// `CLIENT SETNAME`.
    pub name: Box<[u8]>,
    /// `CLIENT SETINFO LIB-NAME`.
    pub library: Box<[u8]>,
    /// `CLIENT SETINFO LIB-VER`.
    pub library_version: Box<[u8]>,
    /// Its database.
    pub db: DbIndex,
    /// Its protocol.
    pub protocol: Protocol,
    /// Facts.
    pub flags: ClientFlags,
    /// Who it acts as.
    pub user: UserId,
    /// A request that is arriving.
    pub partial: Partial,
    /// Replies not yet sent.
    pub output: Output,
    /// Since when it is over the soft output limit.
    pub over_soft_limit: Option<Micros>,
    /// When it connected.
    pub connected_at: Micros,
    /// When it last sent or was sent something.
    pub active_at: Micros,
    /// Bytes of input that wait to be parsed, as of the last turn.
    pub pending_input: usize,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Commands executed.
    pub commands: u64,
    /// Where the history was after its last change: what WAIT waits for.
    pub wrote_to: u64,
    /// The last command, for CLIENT LIST.
    pub last_command: Option<CommandId>,
    /// What MULTI has queued.
    pub transaction: Option<Box<Transaction>>,
    /// Keys under WATCH.
    pub watched: Vec<(DbIndex, Box<[u8]>)>,
    /// What it waits for.
    pub blocked: Option<Box<Blocked>>,
    /// Channels and patterns.
    pub subscriptions: Option<Box<Subscriptions>>,
    /// Client-side caching.
    pub tracking: Option<Box<Tracking>>,
    /// What it takes in the account of all clients' memory.
    pub counted: usize,
    /// When the kernel last took output of it, by the stopwatch.
    pub written_at: u64,
}

/// A client for people: `id=3 addr=127.0.0.1:50000 name=worker`.
impl fmt::Display for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "id={} addr={} name={}", self.id, self.peer.address, String::from_utf8_lossy(&self.name))
    }
}

impl Client {
    /// The class whose output limits apply.
    pub fn class(&self) -> ClientClass {
        if self.flags.any(ClientFlags::REPLICA) && !self.flags.any(ClientFlags::MONITOR) {
            ClientClass::Replica
        } else if self.subscriptions.as_ref().is_some_and(|s| !s.is_empty()) {
            ClientClass::Pubsub
        } else {
            ClientClass::Normal
        }
    }

    /// Whether it is among those whom a directive lets.
    pub fn passes(&self, guard: Guard) -> bool {
        match guard {
            Guard::No => false,
            Guard::Yes => true,
            Guard::Local => self.flags.any(ClientFlags::LOOPBACK.or(ClientFlags::UNIX_SOCKET).or(ClientFlags::REPLAY)),
        }
    }

    /// Whether its next request must not run now.
    #[inline]
    pub fn is_held(&self) -> bool {
        self.flags.any(ClientFlags::BLOCKED.or(ClientFlags::PAUSED).or(ClientFlags::CLOSE_AFTER_REPLY).or(ClientFlags::CLOSE_NOW))
    }

    /// A command of its has been replied to: `CLIENT REPLY SKIP` moves on from that command to the next one.
    #[inline]
    pub fn replied(&mut self) {
        if self.flags.any(ClientFlags::REPLY_SKIP.or(ClientFlags::REPLY_SKIP_NEXT)) {
            let next = self.flags.any(ClientFlags::REPLY_SKIP_NEXT);
            self.flags.set(ClientFlags::REPLY_SKIP, next);
            self.flags.set(ClientFlags::REPLY_SKIP_NEXT, false);
        }
    }

    /// Memory it takes, in bytes: the session, its buffers, and what it has queued. A request that has told its length is
    /// counted as if it had arrived: its client will have that room in any case.
    pub fn memory(&self) -> usize {
        size_of::<Client>()
            + self.output.memory()
            + self.pending_input.max(self.partial.wanted())
            + self.name.len()
            + self.transaction.as_ref().map_or(0, |t| t.bytes())
            + self.blocked.as_ref().map_or(0, |b| b.bytes())
            + self.watched.iter().map(|(_, key)| key.len() + 24).sum::<usize>()
            + self.subscriptions.as_ref().map_or(0, |s| s.bytes())
            + self.tracking.as_ref().map_or(0, |t| t.bytes())
    }
}

/// All clients.
#[derive(Default)]
pub struct Clients {
    slab: Slab<Client>,
    by_id: HashMap<u64, ClientKey>,
    last_id: u64,
}

impl Clients {
    /// Adds a client that `make` builds from its new id.
    pub fn add(&mut self, make: impl FnOnce(u64) -> Client) -> ClientKey {
        self.last_id += 1;
        let key = ClientKey(self.slab.insert(make(self.last_id)));
        self.by_id.insert(self.last_id, key);
        key
    }

    /// Takes a client out.
    pub fn remove(&mut self, key: ClientKey) -> Option<Client> {
        let client = self.slab.try_remove(key.0)?;
        self.by_id.remove(&client.id);
        Some(client)
    }

    /// The client, if it is still there.
    pub fn get(&self, key: ClientKey) -> Option<&Client> {
        self.slab.get(key.0)
    }

    /// The client, if it is still there.
    pub fn get_mut(&mut self, key: ClientKey) -> Option<&mut Client> {
        self.slab.get_mut(key.0)
    }

    /// The client of that number.
    pub fn by_id(&self, id: u64) -> Option<ClientKey> {
        self.by_id.get(&id).copied()
    }

    /// All clients, oldest slots first.
    pub fn iter(&self) -> impl Iterator<Item = (ClientKey, &Client)> {
        self.slab.iter().map(|(key, client)| (ClientKey(key), client))
    }

    /// All clients, for changing.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (ClientKey, &mut Client)> {
        self.slab.iter_mut().map(|(key, client)| (ClientKey(key), client))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }
}

impl Index<ClientKey> for Clients {
    type Output = Client;
    #[inline]
    fn index(&self, key: ClientKey) -> &Client {
        &self.slab[key.0]
    }
}

impl IndexMut<ClientKey> for Clients {
    #[inline]
    fn index_mut(&mut self, key: ClientKey) -> &mut Client {
        &mut self.slab[key.0]
    }
}
