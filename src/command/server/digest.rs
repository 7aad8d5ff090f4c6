//! DEBUG DIGEST: a hash of data that does not depend on how or in which order it is stored.
//!
//! The same 40 hex digits as Redis computes from the same data, so that a test can compare two servers of
//! any make. Ordered things are *mixed* (what came before changes what follows), unordered ones *added*
//! (exclusive or, in which order does not matter).

use std::fmt;

use sha1::{Digest as _, Sha1};

use crate::base::number;
use crate::ds::packed::Element;
use crate::keyspace::Keyspace;
use crate::keyspace::entry::EntryRef;
use crate::types::hash::NEVER;
use crate::types::stream::StreamId;
use crate::types::{Type, Value};

/// A hash in the making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest([u8; 20]);

impl Digest {
    /// Adds something whose place does not matter.
    fn add(&mut self, bytes: &[u8]) {
        for (byte, other) in self.0.iter_mut().zip(Sha1::digest(bytes)) {
            *byte ^= other;
        }
    }

    /// Mixes something in whose place matters.
    fn mix(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::digest(self.0).into();
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The digest of all databases.
pub fn of_all(space: &Keyspace) -> Digest {
    let mut whole = Digest::default();
    for (index, database) in space.databases().iter().enumerate().filter(|(_, database)| !database.is_empty()) {
        whole.mix(&u32::try_from(index).unwrap_or(u32::MAX).to_be_bytes());
        for entry in database.entries() {
            let mut digest = Digest::default();
            digest.mix(entry.key());
            mix_value(&mut digest, entry);
            whole.add(&digest.0);
        }
    }
    whole
}

/// The digest of one key's value and whether it has a deadline.
pub fn of_value(entry: EntryRef<'_>) -> Digest {
    let mut digest = Digest::default();
    mix_value(&mut digest, entry);
    digest
}

/// The number that Redis gives a type.
fn type_number(type_of: Type) -> u32 {
    match type_of {
        Type::String => 0,
        Type::List => 1,
        Type::Set => 2,
        Type::Zset => 3,
        Type::Hash => 4,
        Type::Stream => 6,
    }
}

fn mix_value(digest: &mut Digest, entry: EntryRef<'_>) {
    digest.mix(&type_number(entry.kind().type_of()).to_be_bytes());
    match entry.value() {
        None => digest.mix(&entry.string().expect("only strings live in the block").text()),
        Some(value) => mix_stored(digest, &value),
    }
    if entry.deadline().is_some() {
        digest.add(b"!!expire!!");
    }
}

fn mix_stored(digest: &mut Digest, value: &Value) {
    match value {
        Value::String(string) => digest.mix(string),
        Value::List(list) => list.iter().for_each(|element| mix_element(digest, element)),
        Value::Set(set) => set.iter().for_each(|member| digest.add(&member.to_vec())),
        Value::Zset(zset) => {
            for (member, score) in zset.iter() {
                let mut element = Digest::default();
                mix_element(&mut element, member);
                let mut text = Vec::new();
                number::write_f64_shortest(&mut text, score);
                element.mix(&text);
                digest.add(&element.0);
            }
        }
        Value::Hash(hash) => {
            for item in hash.iter(NEVER) {
                let mut pair = Digest::default();
                pair.mix(&item.field.text());
                pair.mix(&item.value.text());
                if item.deadline.is_some() {
                    pair.add(b"!!hexpire!!");
                }
                digest.add(&pair.0);
            }
        }
        Value::Stream(stream) => {
            for entry in stream.log.range(StreamId::MIN, StreamId::MAX) {
                digest.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                for (field, value) in entry.pairs() {
                    mix_element(digest, field);
                    mix_element(digest, value);
                }
            }
        }
    }
}

fn mix_element(digest: &mut Digest, element: Element<'_>) {
    digest.mix(&element.to_vec());
}
