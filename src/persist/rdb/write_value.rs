//! One value, as it is written.
//!
//! Small collections are packed blocks in the layout that Redis has in memory, too: they are written as
//! they lie. Which type byte says so depends on the version, see [`Version`].

use super::output::Output;
use super::{stream, types};
use crate::ds::deque::NodeRef;
use crate::keyspace::entry::EntryRef;
use crate::types::hash::{Hash, NEVER};
use crate::types::list::List;
use crate::types::set::Set;
use crate::types::zset::Zset;
use crate::types::{Stored, Value};

/// Node of a list that is one element by itself.
pub const NODE_PLAIN: u64 = 1;
/// Node of a list that is a packed block.
pub const NODE_PACKED: u64 = 2;

/// The version that is written; decides on types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32);

impl Version {
    /// The oldest usual version that can express one value: what DUMP writes.
    pub fn for_value(entry: EntryRef<'_>) -> Version {
        Version(if entry.field_deadline().is_some() { super::FULL_VERSION } else { super::PLAIN_VERSION })
    }

    /// The type byte for a value; `None` if this version has none.
    pub fn type_of(self, value: Option<&Value>) -> Option<u8> {
        let Version(version) = self;
        let by = |since: u32, new: u8, old: u8| if version >= since { new } else { old };
        Some(match value {
            None | Some(Value::String(_)) => types::STRING,
            Some(Value::List(_)) => by(10, types::LIST_QUICKLIST_2, types::LIST),
            Some(Value::Set(Set::Ints(_))) => types::SET_INTSET,
            Some(Value::Set(Set::Packed(_))) => by(11, types::SET_LISTPACK, types::SET),
            Some(Value::Set(_)) => types::SET,
            Some(Value::Zset(zset)) if zset.as_packed().is_some() => by(10, types::ZSET_LISTPACK, types::ZSET_2),
            Some(Value::Zset(_)) => types::ZSET_2,
            Some(Value::Hash(hash)) if hash.earliest_deadline().is_some() => {
                return (version >= super::FULL_VERSION).then_some(match hash.as_packed() {
                    Some(_) => types::HASH_LISTPACK_DEADLINES,
                    None => types::HASH_DEADLINES,
                });
            }
            Some(Value::Hash(Hash::Pairs(_))) => by(10, types::HASH_LISTPACK, types::HASH),
            Some(Value::Hash(_)) => types::HASH,
            Some(Value::Stream(_)) => by(11, types::STREAM_3, by(10, types::STREAM_2, types::STREAM)),
        })
    }
}

/// Writes a value as a type; the type is one that [`Version::type_of`] gave for it.
pub fn write(out: &mut Output<'_>, type_byte: u8, entry: EntryRef<'_>) {
    match entry.value() {
        None => out.text(entry.string().expect("only strings live in the block")),
        Some(value) => write_stored(out, type_byte, &value),
    }
}

fn write_stored(out: &mut Output<'_>, type_byte: u8, value: &Value) {
    match value {
        Value::String(string) => out.string(string),
        Value::List(list) => write_list(out, type_byte, list),
        Value::Set(set) => write_set(out, type_byte, set),
        Value::Zset(zset) => write_zset(out, type_byte, zset),
        Value::Hash(hash) => write_hash(out, type_byte, hash),
        Value::Stream(value) => stream::write(out, type_byte, value),
    }
}

fn write_list(out: &mut Output<'_>, type_byte: u8, list: &List) {
    if type_byte == types::LIST {
        out.count(list.len());
        return list.iter().for_each(|element| out.element(element));
    }
    out.count(list.node_count());
    let mut block = Vec::new();
    for node in list.nodes() {
        match node {
            NodeRef::Plain(text) => {
                out.length(NODE_PLAIN);
                out.blob(text);
            }
            NodeRef::Packed(node) => {
                out.length(NODE_PACKED);
                block.clear();
                node.write_listpack(&mut block);
                out.blob(&block);
            }
        }
    }
}

fn write_set(out: &mut Output<'_>, type_byte: u8, set: &Set) {
    match (type_byte, set) {
        (types::SET_INTSET, Set::Ints(ints)) => out.blob(ints.as_bytes()),
        (types::SET_LISTPACK, Set::Packed(packed)) => out.blob(&packed.to_listpack()),
        _ => {
            out.count(set.len());
            set.iter().for_each(|member| out.element(member));
        }
    }
}

fn write_zset(out: &mut Output<'_>, type_byte: u8, zset: &Zset) {
    match zset.as_packed() {
        Some(packed) if type_byte == types::ZSET_LISTPACK => out.blob(&packed.to_listpack()),
        _ => {
            out.count(zset.len());
            for (member, score) in zset.iter() {
                out.element(member);
                out.double(score);
            }
        }
    }
}

fn write_hash(out: &mut Output<'_>, type_byte: u8, hash: &Hash) {
    let earliest = hash.earliest_deadline().map_or(0, |deadline| deadline.0);
    match (type_byte, hash) {
        (types::HASH_LISTPACK, Hash::Pairs(packed)) => out.blob(&packed.to_listpack()),
        (types::HASH_LISTPACK_DEADLINES, Hash::Triplets(packed)) => {
            out.millis(earliest);
            out.blob(&packed.to_listpack());
        }
        (types::HASH_DEADLINES, _) => {
            out.millis(earliest);
            out.count(hash.len());
            for item in hash.iter(NEVER) {
                // how much later than the earliest, and one more: 0 is none
                let later = item.deadline.map_or(0, |deadline| (deadline.0 - earliest).unsigned_abs() + 1);
                out.length(later);
                out.text(item.field);
                out.text(item.value);
            }
        }
        _ => {
            out.count(hash.len());
            for item in hash.iter(NEVER) {
                out.text(item.field);
                out.text(item.value);
            }
        }
    }
}
