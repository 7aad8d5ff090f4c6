//! The data set as commands: the base of an append-only file when it is not to be a snapshot.
//!
//! Libraries of functions come first. Every key becomes the few commands that make it: SET, RPUSH, SADD, ZADD, HMSET with so many elements
//! each that no command is huge, XADD with what belongs to a stream; then its deadline. Servers of any
//! version read it, as long as they have the types.

use std::io;

use crate::base::number;
use crate::ds::packed::Element;
use crate::keyspace::Keyspace;
use crate::keyspace::entry::EntryRef;
use crate::persist::rdb::save;
use crate::resp::writer::{write_bulk, write_command, write_command_header};
use crate::types::Value;
use crate::types::hash::{Hash, NEVER};
use crate::types::stream::{Group, Stream, StreamId};

/// Elements of one command.
const ELEMENTS: usize = 64;
/// Bytes that are gathered before they are handed on.
const CHUNK: usize = 64 * 1024;

/// Gives all data as commands to `write`, a chunk at a time, and to `pulse` how many keys are done.
pub fn write_all(
    space: &Keyspace,
    libraries: &[Vec<u8>],
    key_delay: i32,
    pulse: &mut dyn FnMut(u64),
    write: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = Vec::with_capacity(2 * CHUNK);
    for text in libraries {
        command(&mut out, &[b"FUNCTION", b"LOAD", text]);
    }
    let mut done = 0;
    for (index, database) in space.databases().iter().enumerate().filter(|(_, database)| !database.is_empty()) {
        command(&mut out, &[b"SELECT", index.to_string().as_bytes()]);
        for entry in database.entries() {
            write_key(&mut out, entry);
            if out.len() >= CHUNK {
                write(&out)?;
                out.clear();
                pulse(done);
            }
            done += 1;
            if key_delay != 0 {
                save::delay(key_delay, done);
                pulse(done);
            }
        }
    }
    write(&out)
}

fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    write_command(out, words.len(), words.iter().copied());
}

fn write_key(out: &mut Vec<u8>, entry: EntryRef<'_>) {
    let key = entry.key();
    match entry.value() {
        None => {
            let text = entry.string().expect("only strings live in the block").text();
            command(out, &[b"SET", key, &text]);
        }
        Some(value) => write_value(out, key, &value),
    }
    if let Some(deadline) = entry.deadline() {
        command(out, &[b"PEXPIREAT", key, deadline.0.to_string().as_bytes()]);
    }
}

fn write_value(out: &mut Vec<u8>, key: &[u8], value: &Value) {
    match value {
        Value::String(text) => command(out, &[b"SET", key, text]),
        Value::List(list) => in_commands(out, b"RPUSH", key, list.len(), 1, list.iter(), write_element),
        Value::Set(set) => in_commands(out, b"SADD", key, set.iter().count(), 1, set.iter(), write_element),
        Value::Zset(zset) => in_commands(out, b"ZADD", key, zset.iter().count(), 2, zset.iter(), |out, (member, score)| {
            let mut text = Vec::new();
            number::write_f64_17_digits(&mut text, score);
            write_bulk(out, &text);
            write_element(out, member);
        }),
        Value::Hash(hash) => write_hash(out, key, hash),
        Value::Stream(stream) => write_stream(out, key, stream),
    }
}

fn write_element(out: &mut Vec<u8>, element: Element<'_>) {
    write_bulk(out, element.text(&mut [0; 21]));
}

/// Writes `count` items of so many words each, as often as it takes with the command's name before them.
fn in_commands<I>(
    out: &mut Vec<u8>,
    name: &[u8],
    key: &[u8],
    count: usize,
    words: usize,
    items: impl Iterator<Item = I>,
    write: impl Fn(&mut Vec<u8>, I),
) {
    for (index, item) in items.enumerate() {
        if index % ELEMENTS == 0 {
            write_command_header(out, 2 + words * (count - index).min(ELEMENTS));
            write_bulk(out, name);
            write_bulk(out, key);
        }
        write(out, item);
    }
}

fn write_hash(out: &mut Vec<u8>, key: &[u8], hash: &Hash) {
    let count = hash.iter(NEVER).count();
    in_commands(out, b"HMSET", key, count, 2, hash.iter(NEVER), |out, item| {
        write_bulk(out, &item.field.text());
        write_bulk(out, &item.value.text());
    });
    for item in hash.iter(NEVER) {
        if let Some(deadline) = item.deadline {
            command(out, &[b"HPEXPIREAT", key, deadline.0.to_string().as_bytes(), b"FIELDS", b"1", &item.field.text()]);
        }
    }
}

fn write_stream(out: &mut Vec<u8>, key: &[u8], stream: &Stream) {
    for entry in stream.log.range(StreamId::MIN, StreamId::MAX) {
        write_command_header(out, 3 + 2 * entry.fields);
        write_bulk(out, b"XADD");
        write_bulk(out, key);
        write_bulk(out, &entry.id.to_vec());
        for (field, value) in entry.pairs() {
            write_element(out, field);
            write_element(out, value);
        }
    }
    if stream.log.is_empty() {
        // the only way to a stream without entries: add one and trim it away
        command(out, &[b"XADD", key, b"MAXLEN", b"0", b"0-1", b"x", b"y"]);
    }
    let log = &stream.log;
    let added = log.entries_added.to_string();
    let (last, deleted) = (log.last_id.to_vec(), log.max_deleted_id.to_vec());
    command(out, &[b"XSETID", key, &last, b"ENTRIESADDED", added.as_bytes(), b"MAXDELETEDID", &deleted]);
    for (name, group) in &stream.groups {
        write_group(out, key, name, group);
    }
}

fn write_group(out: &mut Vec<u8>, key: &[u8], name: &[u8], group: &Group) {
    let read = group.entries_read.unwrap_or(-1).to_string();
    command(out, &[b"XGROUP", b"CREATE", key, name, &group.last_id.to_vec(), b"ENTRIESREAD", read.as_bytes()]);
    for (id, consumer) in group.consumers() {
        if consumer.pending() == 0 {
            command(out, &[b"XGROUP", b"CREATECONSUMER", key, name, &consumer.name]);
        }
        for (entry, pending) in group.pending_range_of(id, StreamId::MIN, StreamId::MAX) {
            let (time, count) = (pending.delivered.0.to_string(), pending.deliveries.to_string());
            let entry = entry.to_vec();
            command(
                out,
                &[
                    b"XCLAIM",
                    key,
                    name,
                    &consumer.name,
                    b"0",
                    &entry,
                    b"TIME",
                    time.as_bytes(),
                    b"RETRYCOUNT",
                    count.as_bytes(),
                    b"JUSTID",
                    b"FORCE",
                ],
            );
        }
    }
}
