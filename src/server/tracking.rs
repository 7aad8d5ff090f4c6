//! Client-side caching: which client may have cached which key, and telling it when that key changes.
//!
//! By default the server remembers, for each key that a tracking client read, who read it, and forgets the
//! key with the message that says it changed. In BCAST mode nothing is remembered: whoever registered a
//! prefix hears of every change below it, gathered over a turn into one message a prefix.
//!
//! A message goes out as a RESP3 push, on the client's own connection or on the one it redirects to; in
//! RESP2 only to another connection, as a message of the channel `__redis__:invalidate`.
//!
//! Nothing here runs while no client tracks: the keyspace queues changed keys only when told to.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::client::{ClientFlags, ClientKey};
use super::context::Ctx;
use super::row::Flags;
use super::{Server, State};
use crate::base::random::Random;
use crate::base::seeded::Seeded;
use crate::keyspace::Keyspace;
use crate::limits;
use crate::resp::Protocol;
use crate::resp::request::Args;
use crate::resp::writer::Reply;

/// The channel of invalidations in RESP2.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// Which keys a client wants to hear of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// All that it reads.
    #[default]
    Default,
    /// Those that it reads right after CLIENT CACHING YES.
    OptIn,
    /// All that it reads but right after CLIENT CACHING NO.
    OptOut,
    /// All under its prefixes, read or not.
    Broadcast,
}

/// One client's tracking.
#[derive(Default)]
pub struct Tracking {
    /// Which keys.
    pub mode: Mode,
    /// The number of the client that gets the messages, if not this one.
    pub redirect: Option<u64>,
    /// Whether changes of its own are kept from it.
    pub no_loop: bool,
    /// Whether CLIENT CACHING was just given: the next command's keys are an exception.
    pub caching: bool,
    /// Whether a message was lost because the redirection's client is gone.
    pub broken_redirect: bool,
    /// Prefixes of BCAST mode.
    pub prefixes: BTreeSet<Arc<[u8]>>,
}

impl Tracking {
    /// Memory of the prefixes.
    pub fn bytes(&self) -> usize {
        size_of::<Tracking>() + self.prefixes.iter().map(|prefix| prefix.len() + 16).sum::<usize>()
    }
}

/// Who has read a key, by their numbers: mostly one.
enum Readers {
    One(u64),
    Many(BTreeSet<u64>),
}

impl Readers {
    /// Adds a reader; gives whether it is new.
    fn add(&mut self, id: u64) -> bool {
        match self {
            Readers::One(other) if *other == id => false,
            Readers::One(other) => {
                *self = Readers::Many([*other, id].into());
                true
            }
            Readers::Many(ids) => ids.insert(id),
        }
    }

    fn into_ids(self) -> Vec<u64> {
        match self {
            Readers::One(id) => vec![id],
            Readers::Many(ids) => ids.into_iter().collect(),
        }
    }
}

struct Remembered {
    readers: Readers,
    /// Where the key is in [`Caches::order`].
    at: usize,
}

/// A prefix of BCAST mode.
#[derive(Default)]
struct Prefix {
    clients: BTreeSet<ClientKey>,
    /// Keys that changed in this turn, each with who changed it, if that was one client alone.
    changed: BTreeMap<Box<[u8]>, Option<ClientKey>>,
}

/// What all clients may have cached.
#[derive(Default)]
pub struct Caches {
    keys: HashMap<Arc<[u8]>, Remembered, Seeded>,
    /// The same keys, to draw one by chance.
    order: Vec<Arc<[u8]>>,
    items: usize,
    prefixes: BTreeMap<Arc<[u8]>, Prefix>,
    /// Whether a prefix has changed keys.
    pending: bool,
    clients: usize,
}

impl Caches {
    /// Nothing cached; the map's hash is seeded from `random`.
    pub fn new(random: &mut Random) -> Self {
        Caches { keys: HashMap::with_hasher(Seeded::new(random)), ..Caches::default() }
    }

    /// Clients that track.
    pub fn clients(&self) -> usize {
        self.clients
    }

    /// Keys that clients may have cached.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// The same, each key counted once a client.
    pub fn items(&self) -> usize {
        self.items
    }

    /// Prefixes that clients have registered.
    pub fn prefixes(&self) -> usize {
        self.prefixes.len()
    }

    fn remember(&mut self, key: &[u8], id: u64) {
        if let Some(known) = self.keys.get_mut(key) {
            self.items += usize::from(known.readers.add(id));
            return;
        }
        let key: Arc<[u8]> = key.into();
        self.keys.insert(key.clone(), Remembered { readers: Readers::One(id), at: self.order.len() });
        self.order.push(key);
        self.items += 1;
    }

    /// Forgets a key; gives who has read it.
    fn take(&mut self, key: &[u8]) -> Vec<u64> {
        let Some(known) = self.keys.remove(key) else { return Vec::new() };
        self.order.swap_remove(known.at);
        if let Some(moved) = self.order.get(known.at) {
            self.keys.get_mut(moved).expect("every key of the order is known").at = known.at;
        }
        let ids = known.readers.into_ids();
        self.items -= ids.len();
        ids
    }

    fn forget_all(&mut self) {
        self.keys.clear();
        self.keys.shrink_to_fit();
        self.order = Vec::new();
        self.items = 0;
    }

    /// Files a changed key under the prefixes that it begins with.
    fn file(&mut self, key: &[u8], author: Option<ClientKey>) {
        let mut longest = key.len();
        loop {
            let below = (Bound::Unbounded, Bound::Included(&key[..longest]));
            let Some((prefix, state)) = self.prefixes.range_mut::<[u8], _>(below).next_back() else { return };
            let common = prefix.iter().zip(key).take_while(|(a, b)| a == b).count();
            if common < prefix.len() {
                // any prefix of the key that is left is no longer than what this one shares with the key
                longest = common;
                continue;
            }
            let known = state.changed.entry(key.into()).or_insert(author);
            if *known != author {
                *known = None;
            }
            self.pending = true;
            match common.checked_sub(1) {
                Some(shorter) => longest = shorter,
                None => return,
            }
        }
    }
}

/// The value of a message, and the message in each form once somebody gets it.
struct Notice {
    value: Vec<u8>,
    push: Option<Bytes>,
    message: Option<Bytes>,
}

impl Notice {
    fn of_keys<'a>(keys: impl ExactSizeIterator<Item = &'a [u8]>) -> Self {
        let mut value = Vec::new();
        let mut reply = Reply::new(&mut value, Protocol::Resp2);
        reply.array(keys.len());
        keys.for_each(|key| reply.bulk(key));
        Notice { value, push: None, message: None }
    }

    /// Everything may have changed.
    fn of_all(protocol: Protocol) -> Self {
        let mut value = Vec::new();
        Reply::new(&mut value, protocol).null();
        Notice { value, push: None, message: None }
    }

    fn written(&mut self, protocol: Protocol) -> Bytes {
        let value = &self.value;
        let (slot, words): (_, &[&[u8]]) = match protocol {
            Protocol::Resp2 => (&mut self.message, &[b"message", CHANNEL]),
            Protocol::Resp3 => (&mut self.push, &[b"invalidate"]),
        };
        let write = || {
            let mut bytes = Vec::with_capacity(value.len() + 64);
            let mut reply = Reply::new(&mut bytes, protocol);
            reply.push(words.len() + 1);
            words.iter().for_each(|word| reply.bulk(word));
            reply.raw(value);
            Bytes::from(bytes)
        };
        slot.get_or_insert_with(write).clone()
    }
}

impl State {
    /// Turns a client's tracking on, or changes it. Prefixes come on top of those it has.
    pub fn track(&mut self, space: &mut Keyspace, key: ClientKey, wanted: Tracking) {
        let client = &mut self.clients[key];
        let before = client.tracking.take();
        if before.is_none() {
            self.caches.clients += 1;
        }
        let mut tracking = Box::new(wanted);
        tracking.caching = before.as_ref().is_some_and(|before| before.caching);
        for prefix in &tracking.prefixes {
            self.caches.prefixes.entry(prefix.clone()).or_default().clients.insert(key);
        }
        tracking.prefixes.extend(before.into_iter().flat_map(|before| before.prefixes));
        client.tracking = Some(tracking);
        client.flags.set(ClientFlags::TRACKING, true);
        space.set_tracked(true);
    }

    /// Turns a client's tracking off.
    pub fn untrack(&mut self, space: &mut Keyspace, key: ClientKey) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let Some(tracking) = client.tracking.take() else { return };
        client.flags.set(ClientFlags::TRACKING, false);
        for prefix in &tracking.prefixes {
            if let Some(state) = self.caches.prefixes.get_mut(prefix) {
                state.clients.remove(&key);
                if state.clients.is_empty() {
                    self.caches.prefixes.remove(prefix);
                }
            }
        }
        self.caches.clients -= 1;
        if self.caches.clients == 0 {
            self.caches.forget_all();
            space.set_tracked(false);
        }
    }

    /// A key has changed: tells those who have read it, and files it for those who have its prefix.
    pub(super) fn invalidate(&mut self, name: &[u8]) {
        let author = self.author;
        self.caches.file(name, author);
        self.invalidate_readers(name, author);
    }

    fn invalidate_readers(&mut self, name: &[u8], author: Option<ClientKey>) {
        let mut notice = None;
        for id in self.caches.take(name) {
            let Some(key) = self.clients.by_id(id) else { continue };
            let Some(tracking) = &self.clients[key].tracking else { continue };
            if tracking.mode == Mode::Broadcast || tracking.no_loop && author == Some(key) {
                continue;
            }
            let notice = notice.get_or_insert_with(|| Notice::of_keys([name].into_iter()));
            self.send_notice(key, notice);
        }
    }

    /// All keys have changed.
    pub(super) fn invalidate_all(&mut self) {
        self.caches.forget_all();
        let trackers: Vec<_> = self.clients.iter().filter(|(_, client)| client.tracking.is_some()).map(|(key, _)| key).collect();
        for key in trackers {
            let mut notice = Notice::of_all(self.clients[key].protocol);
            self.send_notice(key, &mut notice);
        }
    }

    /// Sends a message on behalf of a tracking client to wherever it wants it.
    fn send_notice(&mut self, key: ClientKey, notice: &mut Notice) {
        let protocol = self.clients[key].protocol;
        let redirect = self.clients[key].tracking.as_ref().and_then(|tracking| tracking.redirect);
        let Some(id) = redirect else {
            if protocol == Protocol::Resp3 {
                self.post(key, notice.written(protocol));
            }
            return;
        };
        match self.clients.by_id(id) {
            Some(target) => {
                let target_client = &self.clients[target];
                let protocol = target_client.protocol;
                if protocol == Protocol::Resp3 || target_client.flags.any(ClientFlags::SUBSCRIBED) {
                    self.post(target, notice.written(protocol));
                }
            }
            None => {
                if let Some(tracking) = &mut self.clients[key].tracking {
                    tracking.broken_redirect = true;
                }
                if protocol == Protocol::Resp3 {
                    let mut bytes = Vec::new();
                    let mut reply = Reply::new(&mut bytes, protocol);
                    reply.push(2);
                    reply.bulk(b"tracking-redir-broken");
                    reply.count(usize::try_from(id).unwrap_or(usize::MAX));
                    self.post(key, Bytes::from(bytes));
                }
            }
        }
    }

    /// Forgets keys by chance while more are remembered than `tracking-table-max-keys` allows, a slice at
    /// a time; their readers are told that they changed.
    pub fn limit_caches(&mut self) {
        let most = usize::try_from(self.config.tracking_table_max_keys).unwrap_or(usize::MAX);
        if most == 0 {
            return;
        }
        for _ in 0..limits::CACHES_SLICE {
            if self.caches.order.len() <= most {
                return;
            }
            let victim = self.caches.order[self.random.index(self.caches.order.len())].clone();
            self.invalidate_readers(&victim, None);
        }
    }
}

/// Remembers the keys that the command of a tracking client has read.
#[cold]
pub fn remember(ctx: &mut Ctx<'_>, args: Args<'_>) {
    let row = ctx.row();
    let client = &ctx.state.clients[ctx.client];
    let Some(tracking) = &client.tracking else { return };
    let wanted = match tracking.mode {
        Mode::Default => true,
        Mode::OptIn => tracking.caching,
        Mode::OptOut => !tracking.caching,
        Mode::Broadcast => false,
    };
    if !wanted || row.flags.any(Flags::PUBSUB) {
        return;
    }
    let id = client.id;
    for at in row.key_indices(args).unwrap_or_default() {
        ctx.state.caches.remember(args.at(at), id);
    }
    ctx.state.limit_caches();
}

/// A command of a tracking client has ended: CLIENT CACHING was for it, unless it was CLIENT itself or
/// one of a transaction's.
#[cold]
pub fn end_command(ctx: &mut Ctx<'_>, is_client_command: bool) {
    ctx.state.limit_caches();
    let client = ctx.client();
    if client.flags.any(ClientFlags::MULTI) || is_client_command {
        return;
    }
    if let Some(tracking) = &mut client.tracking {
        tracking.caching = false;
    }
}

impl Server {
    /// Tells the clients in BCAST mode which keys below their prefixes changed in this turn.
    #[inline]
    pub(super) fn broadcast_changes(&mut self) {
        if self.state.caches.pending {
            self.state.broadcast_pending();
        }
    }
}

impl State {
    #[cold]
    fn broadcast_pending(&mut self) {
        self.caches.pending = false;
        let mut prefixes = std::mem::take(&mut self.caches.prefixes);
        for state in prefixes.values_mut().filter(|state| !state.changed.is_empty()) {
            let changed = std::mem::take(&mut state.changed);
            let mut to_all = Notice::of_keys(changed.keys().map(|key| &**key));
            for &key in &state.clients {
                let no_loop = self.clients[key].tracking.as_ref().is_some_and(|tracking| tracking.no_loop);
                if !no_loop || changed.values().all(|author| *author != Some(key)) {
                    self.send_notice(key, &mut to_all);
                    continue;
                }
                let others: Vec<&[u8]> = changed.iter().filter(|(_, author)| **author != Some(key)).map(|(name, _)| &**name).collect();
                if !others.is_empty() {
                    self.send_notice(key, &mut Notice::of_keys(others.into_iter()));
                }
            }
        }
        self.caches.prefixes = prefixes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filed(prefixes: &[&str], key: &str) -> Vec<String> {
        let mut caches = Caches::default();
        for prefix in prefixes {
            caches.prefixes.insert(prefix.as_bytes().into(), Prefix::default());
        }
        caches.file(key.as_bytes(), None);
        let hit = caches.prefixes.iter().filter(|(_, state)| !state.changed.is_empty());
        hit.map(|(prefix, _)| String::from_utf8_lossy(prefix).into_owned()).collect()
    }

    #[test]
    fn a_key_is_filed_under_exactly_its_prefixes() {
        assert_eq!(filed(&[""], "key"), [""]);
        assert_eq!(filed(&["", "k", "key", "keys", "kez", "a"], "key"), ["", "k", "key"]);
        assert_eq!(filed(&["user:", "user:1", "user:2"], "user:10"), ["user:", "user:1"]);
        assert_eq!(filed(&["b", "ba", "bab", "baa", "bb"], "bac"), ["b", "ba"]);
        assert!(filed(&["x", "z"], "y").is_empty());
        assert!(filed(&["x"], "").is_empty());
        let mut random = Random::from_seed(7);
        for _ in 0..2_000 {
            let mut word =
                |most: usize| (0..random.index(most + 1)).map(|_| if random.index(2) == 0 { 'a' } else { 'b' }).collect::<String>();
            let words: BTreeSet<String> = (0..8).map(|_| word(5)).collect();
            let key = word(6);
            let expected: Vec<String> = words.iter().filter(|prefix| key.starts_with(prefix.as_str())).cloned().collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            assert_eq!(filed(&words, &key), expected, "{words:?} {key}");
        }
    }

    #[test]
    fn readers_are_counted_and_forgotten() {
        let mut caches = Caches::default();
        for (key, id) in [("a", 1), ("a", 1), ("a", 2), ("b", 1), ("c", 3)] {
            caches.remember(key.as_bytes(), id);
        }
        assert_eq!((caches.keys(), caches.items()), (3, 4));
        assert_eq!(caches.take(b"a"), [1, 2]);
        assert_eq!(caches.take(b"a"), []);
        assert_eq!(caches.take(b"c"), [3]);
        assert_eq!(caches.take(b"b"), [1]);
        assert_eq!((caches.keys(), caches.items(), caches.order.len()), (0, 0, 0));
    }
}
