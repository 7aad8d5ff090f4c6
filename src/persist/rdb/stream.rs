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
use crate::types::stream::group::Pending;
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

/// Reads a stream.
pub fn read(input: &mut Input<'_>, type_byte: u8) -> Result<Stream, LoadError> {
    let form = form(type_byte);
    let mut stream = Stream::new();
    read_log(input, form, &mut stream)?;
    for _ in 0..input.length()? {
        let name = input.owned_string()?;
        let group = read_group(input, form, &stream)?;
        if stream.groups.insert(name.into(), group).is_some() {
            return Err(LoadError::corrupt("a consumer group twice in a stream"));
        }
    }
    Ok(stream)
}

fn read_log(input: &mut Input<'_>, form: u32, stream: &mut Stream) -> Result<(), LoadError> {
    let (mut key, mut block) = (Vec::new(), Vec::new());
    let log = &mut stream.log;
    for _ in 0..input.length()? {
        input.string(&mut key)?;
        input.string(&mut block)?;
        let key = key.as_slice().try_into().map_err(|_| LoadError::corrupt("the key of a stream's block is not 16 bytes long"))?;
        log.push_block(StreamId::from_bytes(key), &block).map_err(|_| LoadError::corrupt("damaged block of a stream"))?;
    }
    if input.length()? != log.len() {
        return Err(LoadError::corrupt("a stream's length is not that of its blocks"));
    }
    log.last_id = read_id(input)?;
    if log.last().is_some_and(|entry| entry.id > log.last_id) {
        return Err(LoadError::corrupt("a stream's last ID is below that of an entry"));
    }
    log.first_id = log.first().map_or(StreamId::MIN, |entry| entry.id);
    log.entries_added = log.len();
    if form >= 2 {
        let first = read_id(input)?;
        if first != log.first_id && !log.is_empty() {
            return Err(LoadError::corrupt("a stream's first ID is not that of its first entry"));
        }
        log.max_deleted_id = read_id(input)?;
        log.entries_added = input.length()?;
    }
    if log.entries_added < log.len() || log.max_deleted_id > log.last_id {
        return Err(LoadError::corrupt("a stream's counters do not fit its entries"));
    }
    Ok(())
}

fn read_group(input: &mut Input<'_>, form: u32, stream: &Stream) -> Result<Group, LoadError> {
    let last_id = read_id(input)?;
    let entries_read = match form {
        1 => stream.log.number_of(last_id),
        _ => match input.length()? {
            UNKNOWN => None,
            read => Some(i64::try_from(read).map_err(|_| LoadError::corrupt("a group has read more entries than can be"))?),
        },
    };
    let mut group = Group::new(last_id, entries_read);
    let mut pending = BTreeMap::new();
    for _ in 0..input.length()? {
        let id = StreamId::from_bytes(input.array()?);
        let delivery = (Millis(input.millis()?), input.length()?);
        if pending.insert(id, delivery).is_some() {
            return Err(LoadError::corrupt("an entry is pending twice in a group"));
        }
    }
    for _ in 0..input.length()? {
        read_consumer(input, form, &mut group, &mut pending)?;
    }
    if pending.is_empty() { Ok(group) } else { Err(LoadError::corrupt("an entry is pending for no consumer")) }
}

fn read_consumer(
    input: &mut Input<'_>,
    form: u32,
    group: &mut Group,
    pending: &mut BTreeMap<StreamId, (Millis, u64)>,
) -> Result<(), LoadError> {
    let name = input.owned_string()?;
    let seen = Millis(input.millis()?);
    let active = match form {
        3 => Some(Millis(input.millis()?)).filter(|time| time.0 != NEVER_ACTIVE),
        _ => Some(seen),
    };
    let (consumer, is_new) = group.consumer_or_new(&name, seen);
    if !is_new {
        return Err(LoadError::corrupt("a consumer twice in a group"));
    }
    group.consumer_mut(consumer).active = active;
    for _ in 0..input.length()? {
        let id = StreamId::from_bytes(input.array()?);
        let (delivered, deliveries) = pending
            .remove(&id)
            .ok_or(LoadError::corrupt("an entry is pending for a consumer but not in its group, or for two consumers"))?;
        group.deliver(id, Pending { delivered, deliveries, consumer });
    }
    Ok(())
}
