//! Streams, as they are written and read.
//!
//! ```text
//! stream    blocks: count, (ID as a string of 16 bytes, listpack as a string) ..
//!           length | last ID | [since 2: first ID | greatest deleted ID | entries ever added]
//!           groups: count, group ..
//! group     name | last ID | [since 2: entries read, 2^64-1 for unknown]
//!           pending: count, (ID as 16 bytes, time of delivery, deliveries) ..
//!           consumers: count, (name, seen, [since 3: active, -1 for never], count, IDs as 16 bytes ..) ..
//! ID        two lengths, where nothing else is said
//! ```
//!
//! What must hold, and is looked at when reading: blocks ascend and are sound; the length is that of the
//! blocks; no entry is above the last ID; an entry that is pending in a group is so for exactly one
//! consumer of it. Redis believes some of this, and its fuzzers found what comes of it.

use std::collections::BTreeMap;

use super::input::Input;
use super::output::Output;
use super::{LoadError, types};
use crate::base::clock::Millis;
use crate::types::stream::group::{ConsumerId, Pending};
use crate::types::stream::{Group, Stream, StreamId};

const UNKNOWN: u64 = u64::MAX;
const NEVER_ACTIVE: i64 = -1;

/// Which of the three forms a type byte stands for.
fn form(type_byte: u8) -> u32 {
    match type_byte {
        types::STREAM => 1,
        types::STREAM_2 => 2,
        _ => 3,
    }
}

fn write_id(out: &mut Output<'_>, id: StreamId) {
    out.length(id.ms);
    out.length(id.seq);
}

/// Writes a stream.
pub fn write(out: &mut Output<'_>, type_byte: u8, stream: &Stream) {
    let form = form(type_byte);
    out.count(stream.log.block_count());
    for (id, block) in stream.log.blocks() {
        out.blob(&id.to_bytes());
        out.blob(&block.to_listpack(id));
    }
    out.length(stream.log.len());
    write_id(out, stream.log.last_id);
    if form >= 2 {
        write_id(out, stream.log.first_id);
        write_id(out, stream.log.max_deleted_id);
        out.length(stream.log.entries_added);
    }
    out.count(stream.groups.len());
    for (name, group) in &stream.groups {
        out.string(name);
        write_group(out, form, group);
    }
}

fn write_group(out: &mut Output<'_>, form: u32, group: &Group) {
    write_id(out, group.last_id);
    if form >= 2 {
        out.length(group.entries_read.map_or(UNKNOWN, i64::cast_unsigned));
    }
    out.count(group.pending_len());
    for (id, pending) in group.pending_range(StreamId::MIN, StreamId::MAX) {
        out.bytes(&id.to_bytes());
        out.millis(pending.delivered.0);
        out.length(pending.deliveries);
    }
    out.count(group.consumers().len());
    for (id, consumer) in group.consumers() {
        out.string(&consumer.name);
        out.millis(consumer.seen.0);
        if form >= 3 {
            out.millis(consumer.active.map_or(NEVER_ACTIVE, |time| time.0));
        }
        out.count(consumer.pending());
        for (pending, _) in group.pending_range_of(id, StreamId::MIN, StreamId::MAX) {
            out.bytes(&pending.to_bytes());
        }
    }
}

fn read_id(input: &mut Input<'_>) -> Result<StreamId, LoadError> {
    Ok(StreamId { ms: input.length()?, seq: input.length()? })
}

/// A stream that is being read, a block, an entry or a consumer at a time.
pub struct Growing {
    form: u32,
    stream: Stream,
    part: Part,
}

/// What comes next.
enum Part {
    /// So many blocks, and then what is known of the whole.
    Blocks(u64),
    /// So many groups.
    Groups(u64),
    /// Groups that come after this one; so many entries of it are pending.
    Pending { group: Box<Coming>, left: u64 },
    /// The same; it has so many consumers.
    Consumers { group: Box<Coming>, left: u64 },
    /// The same; so many of its entries are pending for a consumer, behind whom so many follow.
    Owned { group: Box<Coming>, consumer: ConsumerId, left: u64, consumers: u64 },
}

/// A group that is being read.
struct Coming {
    name: Vec<u8>,
    group: Group,
    /// Entries that are pending for nobody yet.
    pending: BTreeMap<StreamId, (Millis, u64)>,
    /// Groups behind it.
    groups: u64,
}

impl Growing {
    /// Begins to read a stream.
    pub fn begin(input: &mut Input<'_>, type_byte: u8) -> Result<Growing, LoadError> {
        Ok(Growing { form: form(type_byte), stream: Stream::new(), part: Part::Blocks(input.length()?) })
    }

    /// Reads what comes next; `true` if nothing is left.
    pub fn step(&mut self, input: &mut Input<'_>) -> Result<bool, LoadError> {
        let form = self.form;
        // what is taken out is put back unless the input has ended
        match &mut self.part {
            Part::Blocks(0) => {
                let groups = read_whole(input, form, &mut self.stream)?;
                self.part = Part::Groups(groups);
                return Ok(groups == 0);
            }
            Part::Blocks(left) => {
                read_block(input, &mut self.stream)?;
                *left -= 1;
            }
            Part::Groups(left) => {
                let Some(groups) = left.checked_sub(1) else { return Ok(true) };
                let name = input.owned_string()?;
                let (group, pending) = read_group(input, form, &self.stream)?;
                let group = Box::new(Coming { name, group, pending: BTreeMap::new(), groups });
                self.part = Part::Pending { group, left: pending };
            }
            Part::Pending { left: 0, .. } => {
                let consumers = input.length()?;
                let Part::Pending { group, .. } = self.take_part() else { unreachable!("it was looked at") };
                self.part = Part::Consumers { group, left: consumers };
            }
            Part::Pending { group, left } => {
                read_pending(input, &mut group.pending)?;
                *left -= 1;
            }
            Part::Consumers { left: 0, .. } => return self.end_group(),
            Part::Consumers { group, left } => {
                let (consumer, owned) = read_consumer(input, form, &mut group.group)?;
                let consumers = *left - 1;
                let Part::Consumers { group, .. } = self.take_part() else { unreachable!("it was looked at") };
                self.part = Part::Owned { group, consumer, left: owned, consumers };
            }
            Part::Owned { left: 0, .. } => {
                let Part::Owned { group, consumers, .. } = self.take_part() else { unreachable!("it was looked at") };
                self.part = Part::Consumers { group, left: consumers };
            }
            Part::Owned { group, consumer, left, .. } => {
                read_owned(input, group, *consumer)?;
                *left -= 1;
            }
        }
        Ok(false)
    }

    fn take_part(&mut self) -> Part {
        std::mem::replace(&mut self.part, Part::Groups(0))
    }

    fn end_group(&mut self) -> Result<bool, LoadError> {
        let Part::Consumers { group, .. } = self.take_part() else { unreachable!("the caller has looked") };
        let Coming { name, group, pending, groups } = *group;
        if !pending.is_empty() {
            return Err(LoadError::corrupt("an entry is pending for no consumer"));
        }
        if self.stream.groups.insert(name.into(), group).is_some() {
            return Err(LoadError::corrupt("a consumer group twice in a stream"));
        }
        self.part = Part::Groups(groups);
        Ok(groups == 0)
    }

    /// The stream, once nothing is left.
    pub fn finish(self) -> Stream {
        self.stream
    }
}

fn read_block(input: &mut Input<'_>, stream: &mut Stream) -> Result<(), LoadError> {
    let (key, block) = (input.owned_string()?, input.owned_string()?);
    let key = key.as_slice().try_into().map_err(|_| LoadError::corrupt("the key of a stream's block is not 16 bytes long"))?;
    stream.log.push_block(StreamId::from_bytes(key), &block).map_err(|_| LoadError::corrupt("Stream listpack integrity check failed"))
}

/// What is known of the whole; gives how many groups follow.
fn read_whole(input: &mut Input<'_>, form: u32, stream: &mut Stream) -> Result<u64, LoadError> {
    let length = input.length()?;
    let last_id = read_id(input)?;
    let since_2 = if form >= 2 { Some((read_id(input)?, read_id(input)?, input.length()?)) } else { None };
    let groups = input.length()?;
    let log = &mut stream.log;
    if length != log.len() {
        return Err(LoadError::corrupt("a stream's length is not that of its blocks"));
    }
    log.last_id = last_id;
    if log.last().is_some_and(|entry| entry.id > log.last_id) {
        return Err(LoadError::corrupt("a stream's last ID is below that of an entry"));
    }
    log.first_id = log.first().map_or(StreamId::MIN, |entry| entry.id);
    log.entries_added = log.len();
    if let Some((first, max_deleted, added)) = since_2 {
        if first != log.first_id && !log.is_empty() {
            return Err(LoadError::corrupt("a stream's first ID is not that of its first entry"));
        }
        log.max_deleted_id = max_deleted;
        log.entries_added = added;
    }
    if log.entries_added < log.len() || log.max_deleted_id > log.last_id {
        return Err(LoadError::corrupt("a stream's counters do not fit its entries"));
    }
    Ok(groups)
}

/// A group without what is pending; gives how many entries are.
fn read_group(input: &mut Input<'_>, form: u32, stream: &Stream) -> Result<(Group, u64), LoadError> {
    let last_id = read_id(input)?;
    let entries_read = match form {
        1 => stream.log.number_of(last_id),
        _ => match input.length()? {
            UNKNOWN => None,
            read => Some(i64::try_from(read).map_err(|_| LoadError::corrupt("a group has read more entries than can be"))?),
        },
    };
    Ok((Group::new(last_id, entries_read), input.length()?))
}

fn read_pending(input: &mut Input<'_>, pending: &mut BTreeMap<StreamId, (Millis, u64)>) -> Result<(), LoadError> {
    let id = StreamId::from_bytes(input.array()?);
    let delivery = (Millis(input.millis()?), input.length()?);
    if pending.insert(id, delivery).is_some() {
        return Err(LoadError::corrupt("an entry is pending twice in a group"));
    }
    Ok(())
}

/// A consumer without its entries; gives how many there are.
fn read_consumer(input: &mut Input<'_>, form: u32, group: &mut Group) -> Result<(ConsumerId, u64), LoadError> {
    let name = input.owned_string()?;
    let seen = Millis(input.millis()?);
    let active = match form {
        3 => Some(Millis(input.millis()?)).filter(|time| time.0 != NEVER_ACTIVE),
        _ => Some(seen),
    };
    let owned = input.length()?;
    let (consumer, is_new) = group.consumer_or_new(&name, seen);
    if !is_new {
        return Err(LoadError::corrupt("Duplicate stream consumer detected in a group"));
    }
    group.consumer_mut(consumer).active = active;
    Ok((consumer, owned))
}

fn read_owned(input: &mut Input<'_>, coming: &mut Coming, consumer: ConsumerId) -> Result<(), LoadError> {
    let id = StreamId::from_bytes(input.array()?);
    let (delivered, deliveries) = coming
        .pending
        .remove(&id)
        .ok_or(LoadError::corrupt("an entry is pending for a consumer but not in its group, or for two consumers"))?;
    coming.group.deliver(id, Pending { delivered, deliveries, consumer });
    Ok(())
}
