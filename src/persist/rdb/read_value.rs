//! One value, as it is read: every encoding there ever was, into the forms that values have here.
//!
//! Nothing is believed. A packed block is walked through before it is used; elements that a collection
//! holds once must come once; scores are numbers; a count only says how often to read on, so it costs no
//! memory before its elements have arrived. What comes out obeys the thresholds of the configuration, as
//! if commands had made it.

use super::input::Input;
use super::write_value::{NODE_PACKED, NODE_PLAIN};
use super::{LoadError, VALKEY_VERSION, legacy, stream, types};
use crate::base::clock::Millis;
use crate::base::number;
use crate::config::Config;
use crate::ds::deque::{Deque, Fill};
use crate::ds::intset::Intset;
use crate::ds::packed::{Builder, Element, Packed};
use crate::ds::table::KeyHasher;
use crate::keyspace::entry::{Entry, Payload};
use crate::types::hash::{self, FieldTtl, Hash, MAX_DEADLINE, NEVER};
use crate::types::list::List;
use crate::types::set::{self, Set};
use crate::types::string::StringRef;
use crate::types::zset::{Gather, Thresholds, Zset};
use crate::types::{Stored, Value};

/// Up to where small collections stay small, and the process's hash.
#[derive(Clone, Copy)]
pub struct Shapes {
    list: Fill,
    set: set::Bounds,
    zset: Thresholds,
    hash: hash::Bounds,
}

impl Shapes {
    /// As configured.
    pub fn new(config: &Config, hasher: KeyHasher) -> Shapes {
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        Shapes {
            list: Fill::from_directive(i64::from(config.list_max_listpack_size)),
            set: set::Bounds {
                ints: size(config.set_max_intset_entries),
                packed: size(config.set_max_listpack_entries),
                member: size(config.set_max_listpack_value),
                hasher,
            },
            zset: Thresholds { members: size(config.zset_max_listpack_entries), bytes: size(config.zset_max_listpack_value) },
            hash: hash::Bounds { entries: size(config.hash_max_listpack_entries), value: size(config.hash_max_listpack_value), hasher },
        }
    }
}

/// Makes the block of a key from what [`read`] gave.
pub fn entry(key: &[u8], deadline: Option<Millis>, heat: u32, value: Option<Value>, text: &[u8]) -> Entry {
    let payload = match value {
        None => Payload::string(StringRef::encode(text)),
        Some(value) => {
            let (kind, payload) = value.into_raw();
            Payload::Stored(kind, payload)
        }
    };
    Entry::new(key, deadline, payload, heat)
}

/// Reads a value of a type; `None` is a string, which is then in `text`. `version` is that of the file.
pub fn read(input: &mut Input<'_>, type_byte: u8, version: u32, shapes: &Shapes, text: &mut Vec<u8>) -> Result<Option<Value>, LoadError> {
    let value = match type_byte {
        types::STRING => {
            input.string(text)?;
            return Ok(None);
        }
        types::LIST | types::LIST_ZIPLIST | types::LIST_QUICKLIST | types::LIST_QUICKLIST_2 => {
            Value::List(read_list(input, type_byte, shapes, text)?)
        }
        types::SET | types::SET_INTSET | types::SET_LISTPACK => Value::Set(read_set(input, type_byte, shapes, text)?),
        types::ZSET | types::ZSET_2 | types::ZSET_ZIPLIST | types::ZSET_LISTPACK => Value::Zset(read_zset(input, type_byte, shapes, text)?),
        types::HASH | types::HASH_ZIPMAP | types::HASH_ZIPLIST | types::HASH_LISTPACK => {
            Value::Hash(read_hash(input, type_byte, shapes, text)?)
        }
        types::HASH_DEADLINES_FIRST if version == VALKEY_VERSION => Value::Hash(read_valkey_hash(input, shapes)?),
        types::HASH_DEADLINES_FIRST..=types::HASH_LISTPACK_DEADLINES if version != VALKEY_VERSION => {
            Value::Hash(read_expiring_hash(input, type_byte, shapes, text)?)
        }
        types::STREAM | types::STREAM_2 | types::STREAM_3 => Value::Stream(stream::read(input, type_byte)?),
        types::MODULE | types::MODULE_2 => return Err(module_value(input)?),
        _ => return Err(LoadError::corrupt(format!("unknown type of a value: {type_byte}"))),
    };
    let empty = match &value {
        Value::List(list) => list.is_empty(),
        Value::Set(set) => set.is_empty(),
        Value::Zset(zset) => zset.is_empty(),
        Value::Hash(hash) => Stored::is_empty(hash),
        Value::String(_) | Value::Stream(_) => false,
    };
    if empty { Err(LoadError::Empty) } else { Ok(Some(value)) }
}

const TWICE: LoadError = LoadError::Corrupt(std::borrow::Cow::Borrowed("an element twice in a collection"));

fn packed(bytes: &[u8]) -> Result<Packed, LoadError> {
    Packed::from_bytes(bytes).map_err(|error| LoadError::corrupt(format!("damaged listpack: {error}")))
}

fn read_list(input: &mut Input<'_>, type_byte: u8, shapes: &Shapes, text: &mut Vec<u8>) -> Result<List, LoadError> {
    let mut deque = Deque::new();
    match type_byte {
        types::LIST => {
            for _ in 0..input.length()? {
                input.string(text)?;
                deque.push_back(text, shapes.list);
            }
        }
        types::LIST_ZIPLIST => {
            input.string(text)?;
            append_ziplist(&mut deque, text)?;
        }
        types::LIST_QUICKLIST => {
            for _ in 0..input.length()? {
                input.string(text)?;
                append_ziplist(&mut deque, text)?;
            }
        }
        _ => {
            for _ in 0..input.length()? {
                let form = input.length()?;
                input.string(text)?;
                match form {
                    NODE_PLAIN => deque.append_plain_node(text),
                    NODE_PACKED => {
                        deque.append_packed_node(text).map_err(|error| LoadError::corrupt(format!("damaged listpack: {error}")))?;
                    }
                    _ => return Err(LoadError::corrupt("unknown form of a list's node")),
                }
            }
        }
    }
    deque.settle_after_load(shapes.list);
    Ok(List::from(deque))
}

fn append_ziplist(deque: &mut Deque, bytes: &[u8]) -> Result<(), LoadError> {
    let mut builder = Builder::with_capacity(bytes.len());
    legacy::each_of_ziplist(bytes, |element| {
        builder.push_element(&element);
        Ok(())
    })?;
    if !builder.fits() {
        return Err(LoadError::corrupt("a ziplist larger than a container may be"));
    }
    deque.append_packed_node(&builder.finish().to_listpack()).map_err(|error| LoadError::corrupt(error.to_string()))
}

fn read_set(input: &mut Input<'_>, type_byte: u8, shapes: &Shapes, text: &mut Vec<u8>) -> Result<Set, LoadError> {
    match type_byte {
        types::SET_INTSET => {
            input.string(text)?;
            let ints = Intset::from_bytes(text).map_err(|error| LoadError::corrupt(format!("damaged intset: {error}")))?;
            return Ok(Set::from_ints(ints, shapes.set));
        }
        types::SET_LISTPACK => {
            input.string(text)?;
            return Set::from_packed(packed(text)?, shapes.set).ok_or(TWICE);
        }
        _ => {}
    }
    let count = input.length()?;
    let mut set = Set::new();
    for index in 0..count {
        input.string(text)?;
        if index == 0 {
            set = Set::for_members(text, usize::try_from(count).unwrap_or(usize::MAX), shapes.set);
        }
        if !set.add(text, shapes.set) {
            return Err(TWICE);
        }
    }
    Ok(set)
}

fn read_zset(input: &mut Input<'_>, type_byte: u8, shapes: &Shapes, text: &mut Vec<u8>) -> Result<Zset, LoadError> {
    let mut gather = Gather::new(shapes.zset_hasher());
    match type_byte {
        types::ZSET | types::ZSET_2 => {
            for _ in 0..input.length()? {
                input.string(text)?;
                let score = if type_byte == types::ZSET { input.double_text()? } else { input.double()? };
                gather_member(&mut gather, text, score)?;
            }
        }
        types::ZSET_ZIPLIST => {
            input.string(text)?;
            let mut member = None;
            legacy::each_of_ziplist(text, |element| match member.take() {
                None => {
                    member = Some(element.to_vec());
                    Ok(())
                }
                Some(member) => gather_member(&mut gather, &member, score_of(element)?),
            })?;
            if member.is_some() {
                return Err(LoadError::corrupt("a member without a score"));
            }
        }
        _ => {
            input.string(text)?;
            let packed = packed(text)?;
            if is_sorted_small(&packed, shapes)? {
                return Ok(Zset::from_packed(packed));
            }
            let mut elements = packed.iter();
            while let (Some(member), Some(score)) = (elements.next(), elements.next()) {
                gather_member(&mut gather, &member.to_vec(), score_of(score)?)?;
            }
        }
    }
    Ok(gather.finish().compact(shapes.zset))
}

impl Shapes {
    fn zset_hasher(&self) -> KeyHasher {
        self.hash.hasher
    }
}

fn score_of(element: Element<'_>) -> Result<f64, LoadError> {
    let score = match element {
        Element::Int(value) => Some(value as f64),
        Element::Bytes(text) => number::parse_f64(text),
    };
    score.filter(|score| !score.is_nan()).ok_or(LoadError::Corrupt("a score that is no number".into()))
}

fn gather_member(gather: &mut Gather, member: &[u8], score: f64) -> Result<(), LoadError> {
    if score.is_nan() {
        return Err(LoadError::corrupt("a score that is no number"));
    }
    let mut twice = false;
    gather.put(member, |old| {
        twice = old.is_some();
        score
    });
    if twice { Err(TWICE) } else { Ok(()) }
}

/// Whether a packed sorted set can be taken as it lies: within the thresholds and strictly in order, which
/// also means that no member is there twice with one score. One that is not is sorted anew, where a member
/// that is there twice shows.
fn is_sorted_small(packed: &Packed, shapes: &Shapes) -> Result<bool, LoadError> {
    if !packed.len().is_multiple_of(2) {
        return Err(LoadError::corrupt("a member without a score"));
    }
    if packed.is_empty() || packed.len() / 2 > shapes.zset.members {
        return Ok(false);
    }
    let mut seen = std::collections::HashSet::with_capacity(packed.len() / 2);
    let mut last: Option<(f64, Vec<u8>)> = None;
    let mut elements = packed.iter();
    while let (Some(member), Some(score)) = (elements.next(), elements.next()) {
        let this = (score_of(score)?, member.to_vec());
        if !seen.insert(this.1.clone()) {
            return Err(TWICE);
        }
        if this.1.len() > shapes.zset.bytes || last.is_some_and(|last| last >= this) {
            return Ok(false);
        }
        last = Some(this);
    }
    Ok(true)
}

fn add_field(hash: &mut Hash, field: &[u8], value: &[u8], deadline: Option<Millis>, shapes: &Shapes) -> Result<(), LoadError> {
    let ttl = deadline.map_or(FieldTtl::Clear, FieldTtl::At);
    if hash.set(field, value, ttl, &shapes.hash, NEVER) { Ok(()) } else { Err(TWICE) }
}

fn read_hash(input: &mut Input<'_>, type_byte: u8, shapes: &Shapes, text: &mut Vec<u8>) -> Result<Hash, LoadError> {
    let mut hash = Hash::new();
    match type_byte {
        types::HASH => {
            let count = input.length()?;
            hash.expect(usize::try_from(count).unwrap_or(usize::MAX), &shapes.hash);
            let mut value = Vec::new();
            for _ in 0..count {
                input.string(text)?;
                input.string(&mut value)?;
                add_field(&mut hash, text, &value, None, shapes)?;
            }
        }
        types::HASH_ZIPMAP => {
            input.string(text)?;
            legacy::each_of_zipmap(text, |field, value| add_field(&mut hash, field, value, None, shapes))?;
        }
        types::HASH_ZIPLIST => {
            input.string(text)?;
            let mut field = None;
            legacy::each_of_ziplist(text, |element| match field.take() {
                None => {
                    field = Some(element.to_vec());
                    Ok(())
                }
                Some(field) => add_field(&mut hash, &field, &element.to_vec(), None, shapes),
            })?;
            if field.is_some() {
                return Err(LoadError::corrupt("a field without a value"));
            }
        }
        _ => {
            input.string(text)?;
            hash = packed_hash(text, false, shapes)?;
        }
    }
    Ok(hash)
}

fn packed_hash(bytes: &[u8], with_deadlines: bool, shapes: &Shapes) -> Result<Hash, LoadError> {
    Hash::from_packed(packed(bytes)?, with_deadlines, &shapes.hash).ok_or(LoadError::Corrupt("damaged packed hash".into()))
}

fn deadline_of(millis: i64) -> Result<Millis, LoadError> {
    let sound = (0..=MAX_DEADLINE.0).contains(&millis);
    if sound { Ok(Millis(millis)) } else { Err(LoadError::corrupt("the deadline of a field is beyond all times")) }
}

/// Redis 8's hashes, whose deadlines count from the earliest, and those of its release candidates, which
/// are absolute.
fn read_expiring_hash(input: &mut Input<'_>, type_byte: u8, shapes: &Shapes, text: &mut Vec<u8>) -> Result<Hash, LoadError> {
    let relative = matches!(type_byte, types::HASH_DEADLINES | types::HASH_LISTPACK_DEADLINES);
    let earliest = if relative { deadline_of(input.millis()?)?.0 } else { 0 };
    if matches!(type_byte, types::HASH_LISTPACK_DEADLINES | types::HASH_LISTPACK_DEADLINES_FIRST) {
        input.string(text)?;
        return packed_hash(text, true, shapes);
    }
    let count = input.length()?;
    let mut hash = Hash::new();
    hash.expect(usize::try_from(count).unwrap_or(usize::MAX), &shapes.hash);
    let mut value = Vec::new();
    for _ in 0..count {
        let later = input.length()?;
        input.string(text)?;
        input.string(&mut value)?;
        let deadline = match (later, relative) {
            (0, _) => None,
            (_, true) => Some(later - 1),
            (_, false) => Some(later),
        };
        let deadline = deadline.map(|later| deadline_of(i64::try_from(later).unwrap_or(i64::MAX).saturating_add(earliest))).transpose()?;
        add_field(&mut hash, text, &value, deadline, shapes)?;
    }
    Ok(hash)
}

/// Valkey 9's hashes: each value is followed by its deadline, -1 for none.
fn read_valkey_hash(input: &mut Input<'_>, shapes: &Shapes) -> Result<Hash, LoadError> {
    let count = input.length()?;
    let mut hash = Hash::new();
    hash.expect(usize::try_from(count).unwrap_or(usize::MAX), &shapes.hash);
    let (mut field, mut value) = (Vec::new(), Vec::new());
    for _ in 0..count {
        input.string(&mut field)?;
        input.string(&mut value)?;
        let deadline = match input.millis()? {
            -1 => None,
            millis => Some(deadline_of(millis)?),
        };
        add_field(&mut hash, &field, &value, deadline, shapes)?;
    }
    Ok(hash)
}

/// The letters of a module's name in its 64-bit number: 9 of 6 bits each above a version of 10 bits.
const MODULE_LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The name in a module's number.
pub fn module_name(number: u64) -> String {
    (0..9).rev().map(|letter| char::from(MODULE_LETTERS[(number >> (10 + 6 * letter) & 0x3f) as usize])).collect()
}

fn module_value(input: &mut Input<'_>) -> Result<LoadError, LoadError> {
    let name = module_name(input.length()?);
    Ok(LoadError::Unsupported(format!("a value of the module type '{name}', and this server has no modules")))
}
