//! Consumer groups: who has been handed which entries and has not acknowledged them yet.
//!
//! A group's pending entries are one map by ID, each naming its consumer; a consumer keeps only the set of
//! its IDs, so that what is known of a delivery is in one place.
//!
//! Invariants: an ID is in the group's map exactly if it is in the set of one consumer, the one that the
//! map names; `order` lists the consumers by name.

use std::collections::{BTreeMap, BTreeSet};

use slab::Slab;

use super::StreamId;
use crate::base::clock::Millis;

/// A consumer of a group, as a handle that is good until it is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerId(u32);

impl ConsumerId {
    fn at(self) -> usize {
        self.0 as usize
    }
}

/// A delivery that was not acknowledged.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// When the entry was last delivered.
    pub delivered: Millis,
    /// How often.
    pub deliveries: u64,
    /// To whom.
    pub consumer: ConsumerId,
}

/// A consumer.
#[derive(Clone, Debug)]
pub struct Consumer {
    /// Its name.
    pub name: Box<[u8]>,
    /// When it last tried to get something.
    pub seen: Millis,
    /// When it last got something.
    pub active: Option<Millis>,
    pending: BTreeSet<StreamId>,
}

impl Consumer {
    /// Number of its pending entries.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }
}

/// A consumer group.
#[derive(Clone, Debug)]
pub struct Group {
    /// The last entry that was delivered.
    pub last_id: StreamId,
    /// Entries of the stream up to `last_id`, counted from the first there ever was; `None` if unknown.
    pub entries_read: Option<i64>,
    pending: BTreeMap<StreamId, Pending>,
    consumers: Slab<Consumer>,
    order: Vec<ConsumerId>,
}

impl Group {
    /// A group that has delivered everything up to an ID.
    pub fn new(last_id: StreamId, entries_read: Option<i64>) -> Group {
        Group { last_id, entries_read, pending: BTreeMap::new(), consumers: Slab::new(), order: Vec::new() }
    }

    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.order.binary_search_by(|id| (*self.consumers[id.at()].name).cmp(name))
    }

    /// The consumer of that name.
    pub fn consumer_id(&self, name: &[u8]) -> Option<ConsumerId> {
        self.find(name).ok().map(|at| self.order[at])
    }

    /// The consumer of that name, made if there is none; and whether it was made.
    pub fn consumer_or_new(&mut self, name: &[u8], now: Millis) -> (ConsumerId, bool) {
        match self.find(name) {
            Ok(at) => (self.order[at], false),
            Err(at) => {
                let consumer = Consumer { name: name.into(), seen: now, active: None, pending: BTreeSet::new() };
                let id = ConsumerId(u32::try_from(self.consumers.insert(consumer)).expect("consumers are fewer than 2^32"));
                self.order.insert(at, id);
                (id, true)
            }
        }
    }

    /// A consumer.
    pub fn consumer(&self, id: ConsumerId) -> &Consumer {
        &self.consumers[id.at()]
    }

    /// A consumer, to note when it was seen.
    pub fn consumer_mut(&mut self, id: ConsumerId) -> &mut Consumer {
        &mut self.consumers[id.at()]
    }

    /// The consumers in order of their names.
    pub fn consumers(&self) -> impl ExactSizeIterator<Item = (ConsumerId, &Consumer)> {
        self.order.iter().map(|&id| (id, self.consumer(id)))
    }

    /// Removes a consumer and its pending entries; gives how many those were.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let at = self.find(name).ok()?;
        let id = self.order.remove(at);
        let consumer = self.consumers.remove(id.at());
        for entry in &consumer.pending {
            self.pending.remove(entry);
        }
        Some(consumer.pending.len())
    }

    /// Number of pending entries.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// What is known of a pending entry.
    pub fn pending(&self, id: StreamId) -> Option<&Pending> {
        self.pending.get(&id)
    }

    /// The same, to note a delivery; its consumer is changed with [`Group::assign`].
    pub fn pending_mut(&mut self, id: StreamId) -> Option<&mut Pending> {
        self.pending.get_mut(&id)
    }

    /// The pending entries from `start` to `end`, both included, in order.
    pub fn pending_range(&self, start: StreamId, end: StreamId) -> impl DoubleEndedIterator<Item = (StreamId, &Pending)> {
        (start <= end).then(|| self.pending.range(start..=end)).into_iter().flatten().map(|(id, pending)| (*id, pending))
    }

    /// The first pending entry at or after an ID.
    pub fn next_pending(&self, from: StreamId) -> Option<StreamId> {
        self.pending.range(from..).next().map(|(id, _)| *id)
    }

    /// A consumer's pending entries from `start` to `end`, both included, in order.
    pub fn pending_range_of(&self, consumer: ConsumerId, start: StreamId, end: StreamId) -> impl Iterator<Item = (StreamId, &Pending)> {
        let ids = (start <= end).then(|| self.consumer(consumer).pending.range(start..=end));
        ids.into_iter().flatten().map(|id| (*id, &self.pending[id]))
    }

    /// Makes an entry pending for a consumer, or takes it from the one it was pending for.
    pub fn deliver(&mut self, id: StreamId, pending: Pending) {
        if let Some(old) = self.pending.insert(id, pending) {
            self.consumers[old.consumer.at()].pending.remove(&id);
        }
        self.consumers[pending.consumer.at()].pending.insert(id);
    }

    /// Hands a pending entry to another consumer.
    pub fn assign(&mut self, id: StreamId, consumer: ConsumerId) {
        let Some(pending) = self.pending.get_mut(&id).filter(|pending| pending.consumer != consumer) else { return };
        let old = std::mem::replace(&mut pending.consumer, consumer);
        self.consumers[old.at()].pending.remove(&id);
        self.consumers[consumer.at()].pending.insert(id);
    }

    /// Makes an entry pending no more. Gives what was known of it.
    pub fn acknowledge(&mut self, id: StreamId) -> Option<Pending> {
        let pending = self.pending.remove(&id)?;
        self.consumers[pending.consumer.at()].pending.remove(&id);
        Some(pending)
    }

    /// Whether the group still needs an entry: it has not delivered it, or waits for its acknowledgement.
    pub fn needs(&self, id: StreamId) -> bool {
        id > self.last_id || self.pending.contains_key(&id)
    }

    /// Elements, as a measure of how long it takes to free the group.
    pub fn weight(&self) -> usize {
        1 + self.order.len() + 2 * self.pending.len()
    }

    /// Bytes of its parts, estimated from their numbers.
    pub fn allocated(&self) -> usize {
        let consumers: usize = self.consumers.iter().map(|(_, consumer)| consumer.name.len()).sum();
        let entry = size_of::<(StreamId, Pending)>() + size_of::<StreamId>();
        consumers + self.consumers.capacity() * size_of::<Consumer>() + self.order.capacity() * 4 + self.pending.len() * entry * 3 / 2
    }
}
