//! Channels, patterns and shard channels: who subscribes to what, and a message's way to all of them.
//!
//! Both directions are kept: a topic's subscribers for publishing, a client's topics for counting and for
//! leaving. The name of a topic is stored once and shared by both. A message is written once for RESP2
//! and once for RESP3, and every receiver's output refers to that one block; so a message to a thousand
//! subscribers costs a thousand references and no copy. Each is written to when it is its turn
//! ([`State::post`]): a few a turn, so that a message to very many holds up nobody. The road not taken is an index of patterns: a
//! message is matched against each, as in Redis, which is fast as long as there are few.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::State;
use super::client::{ClientFlags, ClientKey};
use crate::base::glob;
use crate::base::number;
use crate::base::random::Random;
use crate::base::seeded::Seeded;
use crate::config::KeyspaceEvents;
use crate::keyspace::effects::KeyEvent;
use crate::resp::Protocol;
use crate::resp::writer::Reply;

/// A channel's name or a pattern.
pub type Name = Arc<[u8]>;

/// What a subscription is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// A channel.
    Channel,
    /// All channels that match a pattern.
    Pattern,
    /// A shard channel.
    Shard,
}

/// One client's subscriptions.
#[derive(Default)]
pub struct Subscriptions {
    /// Channels.
    pub channels: BTreeSet<Name>,
    /// Patterns.
    pub patterns: BTreeSet<Name>,
    /// Shard channels.
    pub shards: BTreeSet<Name>,
}

impl Subscriptions {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty()
    }

    /// Memory of the names.
    pub fn bytes(&self) -> usize {
        [&self.channels, &self.patterns, &self.shards].into_iter().flatten().map(|name| name.len() + 16).sum()
    }

    /// The topics of one medium.
    pub fn of(&self, medium: Medium) -> &BTreeSet<Name> {
        match medium {
            Medium::Channel => &self.channels,
            Medium::Pattern => &self.patterns,
            Medium::Shard => &self.shards,
        }
    }

    fn of_mut(&mut self, medium: Medium) -> &mut BTreeSet<Name> {
        match medium {
            Medium::Channel => &mut self.channels,
            Medium::Pattern => &mut self.patterns,
            Medium::Shard => &mut self.shards,
        }
    }

    /// The number that replies about a medium show: channels and patterns count together.
    pub fn shown(&self, medium: Medium) -> usize {
        match medium {
            Medium::Channel | Medium::Pattern => self.channels.len() + self.patterns.len(),
            Medium::Shard => self.shards.len(),
        }
    }
}

/// The topics of one medium and their subscribers.
type Topics = HashMap<Name, BTreeSet<ClientKey>, Seeded>;

/// All topics that somebody subscribes to.
#[derive(Default)]
pub struct PubSub {
    channels: Topics,
    patterns: Topics,
    shards: Topics,
}

impl PubSub {
    /// No topics; the maps' hash is seeded from `random`.
    pub fn new(random: &mut Random) -> Self {
        let mut topics = || Topics::with_hasher(Seeded::new(random));
        PubSub { channels: topics(), patterns: topics(), shards: topics() }
    }

    fn of(&self, medium: Medium) -> &Topics {
        match medium {
            Medium::Channel => &self.channels,
            Medium::Pattern => &self.patterns,
            Medium::Shard => &self.shards,
        }
    }

    fn of_mut(&mut self, medium: Medium) -> &mut Topics {
        match medium {
            Medium::Channel => &mut self.channels,
            Medium::Pattern => &mut self.patterns,
            Medium::Shard => &mut self.shards,
        }
    }

    /// How many topics of a medium have subscribers.
    pub fn len(&self, medium: Medium) -> usize {
        self.of(medium).len()
    }

    /// Whether nobody subscribes to anything.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.patterns.is_empty() && self.shards.is_empty()
    }

    /// How many clients subscribe to a topic.
    pub fn subscribers(&self, medium: Medium, name: &[u8]) -> usize {
        self.of(medium).get(name).map_or(0, BTreeSet::len)
    }

    /// The topics of a medium, in order, those alone that match a pattern if there is one.
    pub fn names(&self, medium: Medium, pattern: Option<&[u8]>) -> Vec<Name> {
        let matches = |name: &&Name| pattern.is_none_or(|pattern| glob::matches(pattern, name, glob::Case::Sensitive));
        let mut names: Vec<Name> = self.of(medium).keys().filter(matches).cloned().collect();
        names.sort_unstable();
        names
    }
}

/// A message to many, written once a protocol.
struct Message<'a> {
    words: &'a [&'a [u8]],
    written: [Option<Bytes>; 2],
}

impl<'a> Message<'a> {
    fn new(words: &'a [&'a [u8]]) -> Self {
        Message { words, written: [None, None] }
    }

    fn in_protocol(&mut self, protocol: Protocol) -> Bytes {
        let words = self.words;
        let slot = match protocol {
            Protocol::Resp2 => &mut self.written[0],
            Protocol::Resp3 => &mut self.written[1],
        };
        let write = || {
            let mut bytes = Vec::new();
            let mut reply = Reply::new(&mut bytes, protocol);
            reply.push(words.len());
            words.iter().for_each(|word| reply.bulk(word));
            Bytes::from(bytes)
        };
        slot.get_or_insert_with(write).clone()
    }
}

impl State {
    /// Subscribes a client to a topic; once more changes nothing.
    pub fn subscribe(&mut self, key: ClientKey, medium: Medium, name: &[u8]) {
        let client = &mut self.clients[key];
        let own = client.subscriptions.get_or_insert_default().of_mut(medium);
        if own.contains(name) {
            return;
        }
        let topics = self.pubsub.of_mut(medium);
        let name = topics.get_key_value(name).map_or_else(|| Name::from(name), |(name, _)| name.clone());
        own.insert(name.clone());
        topics.entry(name).or_default().insert(key);
        client.flags.set(ClientFlags::SUBSCRIBED, true);
    }

    /// Ends a client's subscription to a topic, if it has it.
    pub fn unsubscribe(&mut self, key: ClientKey, medium: Medium, name: &[u8]) {
        let client = &mut self.clients[key];
        let Some(own) = &mut client.subscriptions else { return };
        if !own.of_mut(medium).remove(name) {
            return;
        }
        if own.is_empty() {
            client.subscriptions = None;
            client.flags.set(ClientFlags::SUBSCRIBED, false);
        }
        let topics = self.pubsub.of_mut(medium);
        if let Some(subscribers) = topics.get_mut(name) {
            subscribers.remove(&key);
            if subscribers.is_empty() {
                topics.remove(name);
            }
        }
    }

    /// Ends all subscriptions of a client, in silence.
    pub fn unsubscribe_all(&mut self, key: ClientKey) {
        let Some(client) = self.clients.get(key) else { return };
        let Some(own) = &client.subscriptions else { return };
        let media = [Medium::Channel, Medium::Pattern, Medium::Shard];
        let topics: Vec<(Medium, Name)> =
            media.into_iter().flat_map(|medium| own.of(medium).iter().map(move |name| (medium, name.clone()))).collect();
        for (medium, name) in topics {
            self.unsubscribe(key, medium, &name);
        }
    }

    /// Sends a message to a channel's subscribers and to those of the patterns that match. Gives how many.
    pub fn publish(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let topics = std::mem::take(&mut self.pubsub);
        let mut receivers = 0;
        if let Some(subscribers) = topics.channels.get(channel) {
            receivers += self.send_all(subscribers, Message::new(&[b"message", channel, message]));
        }
        for (pattern, subscribers) in &topics.patterns {
            if glob::matches(pattern, channel, glob::Case::Sensitive) {
                receivers += self.send_all(subscribers, Message::new(&[b"pmessage", pattern, channel, message]));
            }
        }
        self.pubsub = topics;
        receivers
    }

    /// Sends a message to a shard channel's subscribers. Gives how many.
    pub fn publish_shard(&mut self, channel: &[u8], message: &[u8]) -> usize {
        let topics = std::mem::take(&mut self.pubsub);
        let mut receivers = 0;
        if let Some(subscribers) = topics.shards.get(channel) {
            receivers = self.send_all(subscribers, Message::new(&[b"smessage", channel, message]));
        }
        self.pubsub = topics;
        receivers
    }

    fn send_all(&mut self, subscribers: &BTreeSet<ClientKey>, mut message: Message<'_>) -> usize {
        for &key in subscribers {
            let block = message.in_protocol(self.clients[key].protocol);
            self.post(key, block);
        }
        subscribers.len()
    }

    /// Publishes what happened to a key, as `notify-keyspace-events` says.
    pub(super) fn publish_event(&mut self, happened: &KeyEvent) {
        if self.pubsub.channels.is_empty() && self.pubsub.patterns.is_empty() {
            return;
        }
        let wanted = self.config.notify_keyspace_events;
        let channel = |kind: &[u8], rest: &[u8]| {
            let mut name = kind.to_vec();
            number::write_i64(&mut name, i64::from(happened.db.0));
            name.extend_from_slice(b"__:");
            name.extend_from_slice(rest);
            name
        };
        let event = happened.event.name.as_bytes();
        if wanted.contains(KeyspaceEvents::KEYSPACE) {
            self.publish(&channel(b"__keyspace@", &happened.key), event);
        }
        if wanted.contains(KeyspaceEvents::KEYEVENT) {
            self.publish(&channel(b"__keyevent@", event), &happened.key);
        }
    }
}
