//! What a change of the keyspace sets off, queued as data and acted on after the command by the server.
//!
//! The write door appends here; it calls nobody. `Server` drains the queues at fixed points of a turn:
//! propagation, then doomed transactions, tracked caches, keyspace events, and the ready keys last.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::DbIndex;
use super::entry::{Entry, EntryRef};
use crate::config::KeyspaceEvents;
use crate::ds::table::Table;
use crate::types::Value;

/// A class of keyspace events, one letter of `notify-keyspace-events` each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventClass {
    /// `g`: DEL, EXPIRE, RENAME and what else works on any type.
    Generic = KeyspaceEvents::GENERIC.bits(),
    /// `$`
    String = KeyspaceEvents::STRING.bits(),
    /// `l`
    List = KeyspaceEvents::LIST.bits(),
    /// `s`
    Set = KeyspaceEvents::SET.bits(),
    /// `h`
    Hash = KeyspaceEvents::HASH.bits(),
    /// `z`
    Zset = KeyspaceEvents::SORTED_SET.bits(),
    /// `x`: a key's deadline passed.
    Expired = KeyspaceEvents::EXPIRED.bits(),
    /// `e`: evicted for memory.
    Evicted = KeyspaceEvents::EVICTED.bits(),
    /// `t`
    Stream = KeyspaceEvents::STREAM.bits(),
    /// `m`: a read found no key.
    Miss = KeyspaceEvents::KEY_MISS.bits(),
    /// `n`: a key was created.
    New = KeyspaceEvents::NEW.bits(),
}

/// What happened to a key: its class and the name subscribers see.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Decides with `notify-keyspace-events` whether it is sent.
    pub class: EventClass,
    /// For instance `lpush`.
    pub name: &'static str,
}

impl Event {
    /// An event of a class.
    pub const fn new(class: EventClass, name: &'static str) -> Event {
        Event { class, name }
    }
    /// A generic event.
    pub const fn generic(name: &'static str) -> Event {
        Event::new(EventClass::Generic, name)
    }
    /// A string event.
    pub const fn string(name: &'static str) -> Event {
        Event::new(EventClass::String, name)
    }
    /// A list event.
    pub const fn list(name: &'static str) -> Event {
        Event::new(EventClass::List, name)
    }
    /// A set event.
    pub const fn set(name: &'static str) -> Event {
        Event::new(EventClass::Set, name)
    }
    /// A hash event.
    pub const fn hash(name: &'static str) -> Event {
        Event::new(EventClass::Hash, name)
    }
    /// A sorted set event.
    pub const fn zset(name: &'static str) -> Event {
        Event::new(EventClass::Zset, name)
    }
    /// A stream event.
    pub const fn stream(name: &'static str) -> Event {
        Event::new(EventClass::Stream, name)
    }
}

/// A keyspace event to be published.
#[derive(Debug)]
pub struct KeyEvent {
    /// The database of the key.
    pub db: DbIndex,
    /// What happened.
    pub event: Event,
    /// To which key.
    pub key: Box<[u8]>,
}

/// Something whose freeing takes long enough to be done elsewhere.
pub enum Waste {
    /// A value with many elements.
    Value(Value),
    /// The keys of a flushed database.
    Keys(Table<Entry>),
}

impl Waste {
    /// About how much memory it takes.
    fn bytes(&self) -> usize {
        match self {
            Waste::Value(value) => value.bytes(MEASURED),
            Waste::Keys(table) => {
                let mut entries = 0;
                for raw in table.iter().take(MEASURED_KEYS) {
                    // SAFETY: the iterator borrows the table, so no block goes away.
                    #[allow(unsafe_code)]
                    let entry = unsafe { EntryRef::new(raw) };
                    entries += entry.allocated() + entry.outside_bytes(MEASURED);
                }
                table.bytes() + entries * (table.len() / MEASURED_KEYS).max(1)
            }
        }
    }
}

/// Elements of a value that are measured to know about the memory of all.
const MEASURED: usize = 5;
/// Keys of a flushed database that are.
const MEASURED_KEYS: usize = 64;

/// Waste on its way out. Its memory is in use until it is dropped, but as good as free.
pub struct Garbage {
    /// What it is.
    pub waste: Waste,
    /// What is left of it.
    pub leaving: Leaving,
}

/// Bytes that somebody is about to free, and the account they are in. They leave it with this.
pub struct Leaving {
    bytes: usize,
    account: Arc<AtomicUsize>,
}

impl Leaving {
    /// So many bytes have been freed.
    pub fn gone(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.account.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.gone(self.bytes);
    }
}

/// Who hears of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The append-only file and replicas.
    All,
    /// Replicas: it changes no data.
    Replicas,
    /// Replicas, because a script wants it so: the file lacks a change.
    NotFile,
    /// The append-only file, because a script wants it so.
    File,
}

/// A command as it goes to the append-only file and to replicas.
#[derive(Clone, Copy, Debug)]
pub struct Propagated {
    /// The database it applies to.
    pub db: DbIndex,
    /// Where its RESP form ends in [`Effects::stream`]; it starts where the one before ends.
    pub end: usize,
    /// Whom it is for.
    pub audience: Audience,
}

/// The queues. See the module's essay.
#[derive(Default)]
pub struct Effects {
    /// Whether anybody wants [`Effects::stream`]: an append-only file, a replica, a backlog.
    pub recording: bool,
    /// Commands to propagate, in RESP, one after the other.
    pub stream: Vec<u8>,
    /// Their databases and ends.
    pub propagated: Vec<Propagated>,
    /// Whether those commands have nothing to do with each other, though one command caused them.
    pub scattered: bool,
    /// Keys that changed and have clients waiting.
    pub ready: Vec<(DbIndex, Box<[u8]>)>,
    /// Clients whose watched keys changed.
    pub doomed: Vec<u64>,
    /// Changed keys, for client-side caching. `None`: all of them (a flush).
    pub invalidated: Vec<Option<Box<[u8]>>>,
    /// Keyspace events.
    pub events: Vec<KeyEvent>,
    /// Values to be freed elsewhere.
    pub garbage: Vec<Garbage>,
    /// The memory of garbage that was not freed yet.
    leaving: Arc<AtomicUsize>,
}

/// What one unit of work has left so far: commands to propagate, and keys that turned ready.
#[derive(Default)]
pub struct Aside {
    stream: Vec<u8>,
    propagated: Vec<Propagated>,
    ready: Vec<(DbIndex, Box<[u8]>)>,
}

impl Effects {
    /// Leaves something to be freed elsewhere.
    pub fn discard(&mut self, waste: Waste) {
        let bytes = waste.bytes();
        self.leaving.fetch_add(bytes, Ordering::Relaxed);
        self.garbage.push(Garbage { waste, leaving: Leaving { bytes, account: Arc::clone(&self.leaving) } });
    }

    /// About how many bytes are in use only because garbage was not freed yet.
    pub fn leaving(&self) -> usize {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Queues a command for propagation, in order.
    pub fn propagate(&mut self, db: DbIndex, words: &[&[u8]]) {
        self.propagate_words(db, words.len(), words.iter().copied());
    }

    /// Queues a command of `count` words for propagation.
    pub fn propagate_words<'a>(&mut self, db: DbIndex, count: usize, words: impl Iterator<Item = &'a [u8]>) {
        if !self.recording {
            return;
        }
        crate::resp::writer::write_command(&mut self.stream, count, words);
        self.propagated.push(Propagated { db, end: self.stream.len(), audience: Audience::All });
    }

    /// Keeps the command that was queued last out of the append-only file.
    pub fn for_replicas_only(&mut self) {
        if let Some(last) = self.propagated.last_mut() {
            last.audience = Audience::Replicas;
        }
    }

    /// Forgets the commands to propagate: nobody wants them.
    pub fn forget_propagation(&mut self) {
        self.stream.clear();
        self.propagated.clear();
    }

    /// Takes away what nobody is to hear of before it is whole.
    pub fn set_aside(&mut self) -> Aside {
        Aside {
            stream: std::mem::take(&mut self.stream),
            propagated: std::mem::take(&mut self.propagated),
            ready: std::mem::take(&mut self.ready),
        }
    }

    /// It goes on being made.
    pub fn take_back(&mut self, aside: Aside) {
        debug_assert!(self.propagated.is_empty(), "nothing is propagated in the midst of a unit");
        (self.stream, self.propagated, self.ready) = (aside.stream, aside.propagated, aside.ready);
    }

    /// Whether nothing is queued but garbage.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
            && self.doomed.is_empty()
            && self.invalidated.is_empty()
            && self.events.is_empty()
            && self.propagated.is_empty()
    }
}
