//! One value, as it is read: every encoding there ever was, into the forms that values have here.
//!
//! Nothing is believed. A packed block is walked through before it is used; elements that a collection
//! holds once must come once; scores are numbers; a count only says how often to read on, so it costs no
//! memory before its elements have arrived. What comes out obeys the thresholds of the configuration, as
//! if commands had made it.
//!
//! A collection may have any number of elements, and nobody may have to wait for all of them: [`begin`] gives one that
//! [grows](Growing) by a step of bounded work at a time, and [`read`] takes all steps at once. A step reads all that it
//! needs before it changes anything, so that an input that is [fed](Input::fed) may end within it.

use super::input::Input;
use super::write_value::{NODE_PACKED, NODE_PLAIN};
use super::{LoadError, VALKEY_VERSION, legacy, stream, types};
use crate::base::clock::Millis;
use crate::base::number;
use crate::config::Config;
use crate::ds::deque::{Deque, Fill};
use crate::ds::intset::Intset;
use crate::ds::packed::{Builder, Element, Packed, SMALL_BYTES};
use crate::ds::table::KeyHasher;
use crate::keyspace::entry::{Entry, Payload};
use crate::types::hash::{self, FieldTtl, Hash, MAX_DEADLINE, NEVER};
use crate::types::list::List;
use crate::types::set::{self, Set};
use crate::types::string::StringRef;
use crate::types::zset::{Arriving, Gather, Thresholds, Zset};
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
    let mut growing = match begin(input, type_byte, version, shapes, text)? {
        Begun::Text => return Ok(None),
        Begun::Whole(value) => return Ok(Some(value)),
        Begun::Growing(growing) => growing,
    };
    while !growing.step(input, shapes, text)? {}
    growing.finish(shapes).map(Some)
}

/// What a value begins with.
pub enum Begun {
    /// A string, which is in `text`.
    Text,
    /// All of it.
    Whole(Value),
    /// Its elements follow.
    Growing(Growing),
}

/// Begins to read a value of a type. `version` is that of the file.
pub fn begin(input: &mut Input<'_>, type_byte: u8, version: u32, shapes: &Shapes, text: &mut Vec<u8>) -> Result<Begun, LoadError> {
    let growing = match type_byte {
        types::STRING => {
            input.string(text)?;
            return Ok(Begun::Text);
        }
        types::LIST | types::LIST_QUICKLIST | types::LIST_QUICKLIST_2 => Growing::list(type_byte, input.length()?),
        types::SET => Growing::Set { set: Set::new(), count: input.length()?, done: 0 },
        types::ZSET | types::ZSET_2 => Growing::zset(type_byte, input.length()?, shapes),
        types::HASH => Growing::hash(Deadlines::None, input.length()?, shapes),
        types::HASH_DEADLINES_FIRST if version == VALKEY_VERSION => Growing::hash(Deadlines::Behind, input.length()?, shapes),
        types::HASH_DEADLINES_FIRST if version != VALKEY_VERSION => Growing::hash(Deadlines::Absolute, input.length()?, shapes),
        types::HASH_DEADLINES if version != VALKEY_VERSION => {
            let earliest = deadline_of(input.millis()?)?;
            Growing::hash(Deadlines::Since(earliest), input.length()?, shapes)
        }
        types::STREAM | types::STREAM_2 | types::STREAM_3 => Growing::Stream(Box::new(stream::Growing::begin(input, type_byte)?)),
        types::MODULE | types::MODULE_2 => return Err(module_value(input)?),
        _ => return read_packed(input, type_byte, version, shapes, text).and_then(sound).map(Begun::Whole),
    };
    Ok(Begun::Growing(growing))
}

/// Reads a collection that is one string.
fn read_packed(input: &mut Input<'_>, type_byte: u8, version: u32, shapes: &Shapes, text: &mut Vec<u8>) -> Result<Value, LoadError> {
    Ok(match type_byte {
        types::LIST_ZIPLIST => {
            let mut deque = Deque::new();
            input.string(text)?;
            append_ziplist(&mut deque, text)?;
            deque.settle_after_load(shapes.list);
            Value::List(List::from(deque))
        }
        types::SET_INTSET | types::SET_LISTPACK => Value::Set(read_packed_set(input, type_byte, shapes, text)?),
        types::ZSET_ZIPLIST | types::ZSET_LISTPACK => Value::Zset(read_packed_zset(input, type_byte, shapes, text)?),
        types::HASH_ZIPMAP | types::HASH_ZIPLIST | types::HASH_LISTPACK => Value::Hash(read_packed_hash(input, type_byte, shapes, text)?),
        types::HASH_LISTPACK_DEADLINES_FIRST | types::HASH_LISTPACK_DEADLINES if version != VALKEY_VERSION => {
            if type_byte == types::HASH_LISTPACK_DEADLINES {
                // the earliest, which is found again
                deadline_of(input.millis()?)?;
            }
            input.string(text)?;
            Value::Hash(packed_hash(text, true, shapes)?)
        }
        _ => return Err(LoadError::corrupt(format!("unknown type of a value: {type_byte}"))),
    })
}

/// A collection without elements makes no key.
fn sound(value: Value) -> Result<Value, LoadError> {
    let empty = match &value {
        Value::List(list) => list.is_empty(),
        Value::Set(set) => set.is_empty(),
        Value::Zset(zset) => zset.is_empty(),
        Value::Hash(hash) => Stored::is_empty(hash),
        Value::String(_) | Value::Stream(_) => false,
    };
    if empty { Err(LoadError::Empty) } else { Ok(value) }
}

/// Where the deadlines of a hash's fields are.
#[derive(Clone, Copy)]
pub enum Deadlines {
    /// There are none.
    None,
    /// Before each field, absolute: Redis's release candidates.
    Absolute,
    /// Before each field, counted from the earliest and one more: Redis 8.
    Since(Millis),
    /// Behind each value, -1 for none: Valkey 9.
    Behind,
}

/// A collection whose elements are being read. What counts says how many are still to come.
pub enum Growing {
    /// A list, of elements or nodes.
    List {
        /// What was read.
        deque: Deque,
        /// How it is written.
        type_byte: u8,
        /// Elements or nodes.
        left: u64,
    },
    /// A set.
    Set {
        /// What was read.
        set: Set,
        /// Members.
        count: u64,
        /// Members that were read.
        done: u64,
    },
    /// A sorted set, which may be small in the end.
    Zset {
        /// What was read.
        set: Box<Arriving>,
        /// Whether scores are texts.
        texts: bool,
        /// Members.
        left: u64,
    },
    /// A hash.
    Hash {
        /// What was read.
        hash: Hash,
        /// Where deadlines are.
        deadlines: Deadlines,
        /// A value on its way.
        value: Vec<u8>,
        /// Fields.
        left: u64,
    },
    /// A stream.
    Stream(Box<stream::Growing>),
}

impl Growing {
    fn list(type_byte: u8, left: u64) -> Growing {
        Growing::List { deque: Deque::new(), type_byte, left }
    }

    fn zset(type_byte: u8, left: u64, shapes: &Shapes) -> Growing {
        Growing::Zset { set: Box::new(Arriving::new(shapes.hash.hasher)), texts: type_byte == types::ZSET, left }
    }

    fn hash(deadlines: Deadlines, left: u64, shapes: &Shapes) -> Growing {
        let mut hash = Hash::new();
        hash.expect(usize::try_from(left).unwrap_or(usize::MAX), &shapes.hash);
        Growing::Hash { hash, deadlines, value: Vec::new(), left }
    }

    /// Reads the next element or does a like piece of work; `true` if nothing is left. An error but `Truncated` leaves
    /// nothing to go on with.
    pub fn step(&mut self, input: &mut Input<'_>, shapes: &Shapes, text: &mut Vec<u8>) -> Result<bool, LoadError> {
        let left = match self {
            Growing::List { left, .. } | Growing::Hash { left, .. } => left,
            Growing::Zset { left: 0, set, .. } => return Ok(set.settle(1)),
            Growing::Zset { left, .. } => left,
            Growing::Set { set, count, done } => {
                if done < count {
                    read_member(input, set, (*count, *done), shapes, text)?;
                    *done += 1;
                }
                return Ok(done >= count);
            }
            Growing::Stream(stream) => return stream.step(input),
        };
        let Some(fewer) = left.checked_sub(1) else { return Ok(true) };
        match self {
            Growing::List { deque, type_byte, .. } => read_node(input, deque, *type_byte, shapes, text)?,
            Growing::Zset { set, texts, .. } => read_scored(input, set, *texts, text)?,
            Growing::Hash { hash, deadlines, value, .. } => read_field(input, hash, *deadlines, shapes, (text, value))?,
            Growing::Set { .. } | Growing::Stream(_) => {}
        }
        match self {
            Growing::List { left, .. } | Growing::Hash { left, .. } => {
                *left = fewer;
                Ok(fewer == 0)
            }
            Growing::Zset { left, .. } => {
                *left = fewer;
                Ok(false)
            }
            Growing::Set { .. } | Growing::Stream(_) => Ok(false),
        }
    }

    /// The value, once nothing is left.
    pub fn finish(self, shapes: &Shapes) -> Result<Value, LoadError> {
        sound(match self {
            Growing::List { mut deque, .. } => {
                deque.settle_after_load(shapes.list);
                Value::List(List::from(deque))
            }
            Growing::Set { set, .. } => Value::Set(set),
            Growing::Zset { set, .. } => Value::Zset(set.finish().compact(shapes.zset)),
            Growing::Hash { hash, .. } => Value::Hash(hash),
            Growing::Stream(stream) => Value::Stream(stream.finish()),
        })
    }
}

const TWICE: LoadError = LoadError::Corrupt(std::borrow::Cow::Borrowed("an element twice in a collection"));

/// A block that was walked through. The words of the errors are those that Redis logs.
fn packed(what: &str, bytes: &[u8]) -> Result<Packed, LoadError> {
    Packed::from_bytes(bytes).map_err(|error| broken(what, &error))
}

fn broken(what: &str, error: &dyn std::fmt::Display) -> LoadError {
    LoadError::corrupt(format!("{what} integrity check failed: {error}"))
}

/// An element of a list, or a node of them.
fn read_node(input: &mut Input<'_>, deque: &mut Deque, type_byte: u8, shapes: &Shapes, text: &mut Vec<u8>) -> Result<(), LoadError> {
    match type_byte {
        types::LIST => {
            input.string(text)?;
            deque.push_back(text, shapes.list);
        }
        types::LIST_QUICKLIST => {
            input.string(text)?;
            append_ziplist(deque, text)?;
        }
        _ => {
            let form = input.length()?;
            input.string(text)?;
            match form {
                // what is empty is never large
                NODE_PLAIN if text.is_empty() => {
                    return Err(LoadError::corrupt("Quicklist integrity check failed: a large element of no bytes"));
                }
                NODE_PLAIN => deque.append_plain_node(text),
                NODE_PACKED => {
                    deque.append_packed_node(text).map_err(|error| broken("Quicklist listpack", &error))?;
                }
                _ => return Err(LoadError::corrupt("unknown form of a list's node")),
            }
        }
    }
    Ok(())
}

fn append_ziplist(deque: &mut Deque, bytes: &[u8]) -> Result<(), LoadError> {
    let mut builder = Builder::with_capacity(bytes.len());
    legacy::each_of_ziplist("List", bytes, |element| {
        builder.push_element(&element);
        Ok(())
    })?;
    if !builder.fits() {
        return Err(LoadError::corrupt("a ziplist larger than a container may be"));
    }
    deque.append_packed_node(&builder.finish().to_listpack()).map_err(|error| LoadError::corrupt(error.to_string()))
}

fn read_packed_set(input: &mut Input<'_>, type_byte: u8, shapes: &Shapes, text: &mut Vec<u8>) -> Result<Set, LoadError> {
    input.string(text)?;
    if type_byte == types::SET_INTSET {
        let ints = Intset::from_bytes(text).map_err(|error| broken("Intset", &error))?;
        return Ok(Set::from_ints(ints, shapes.set));
    }
    Set::from_packed(packed("Set listpack", text)?, shapes.set).ok_or(TWICE)
}

fn read_member(
    input: &mut Input<'_>,
    set: &mut Set,
    (count, done): (u64, u64),
    shapes: &Shapes,
    text: &mut Vec<u8>,
) -> Result<(), LoadError> {
    input.string(text)?;
    if done == 0 {
        *set = Set::for_members(text, usize::try_from(count).unwrap_or(usize::MAX), shapes.set);
    }
    if set.add(text, shapes.set) { Ok(()) } else { Err(TWICE) }
}

fn read_scored(input: &mut Input<'_>, set: &mut Arriving, texts: bool, text: &mut Vec<u8>) -> Result<(), LoadError> {
    input.string(text)?;
    let score = if texts { input.double_text()? } else { input.double()? };
    if score.is_nan() {
        return Err(LoadError::corrupt("a score that is no number"));
    }
    if set.add(text, score) { Ok(()) } else { Err(TWICE) }
}

fn read_packed_zset(input: &mut Input<'_>, type_byte: u8, shapes: &Shapes, text: &mut Vec<u8>) -> Result<Zset, LoadError> {
    let mut gather = Gather::new(shapes.hash.hasher);
    input.string(text)?;
    if type_byte == types::ZSET_ZIPLIST {
        let mut member = None;
        legacy::each_of_ziplist("Zset", text, |element| match member.take() {
            None => {
                member = Some(element.to_vec());
                Ok(())
            }
            Some(member) => gather_member(&mut gather, &member, score_of(element)?),
        })?;
        if member.is_some() {
            return Err(LoadError::corrupt("a member without a score"));
        }
    } else {
        let packed = packed("Zset listpack", text)?;
        if is_sorted_small(&packed, shapes)? {
            return Ok(Zset::from_packed(packed));
        }
        let mut elements = packed.iter();
        while let (Some(member), Some(score)) = (elements.next(), elements.next()) {
            gather_member(&mut gather, &member.to_vec(), score_of(score)?)?;
        }
    }
    Ok(gather.finish().compact(shapes.zset))
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
    if packed.is_empty() || packed.len() / 2 > shapes.zset.members || packed.bytes() > SMALL_BYTES {
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

fn read_packed_hash(input: &mut Input<'_>, type_byte: u8, shapes: &Shapes, text: &mut Vec<u8>) -> Result<Hash, LoadError> {
    let mut hash = Hash::new();
    input.string(text)?;
    match type_byte {
        types::HASH_ZIPMAP => legacy::each_of_zipmap(text, |field, value| add_field(&mut hash, field, value, None, shapes))?,
        types::HASH_ZIPLIST => {
            let mut field = None;
            legacy::each_of_ziplist("Hash", text, |element| match field.take() {
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
        _ => hash = packed_hash(text, false, shapes)?,
    }
    Ok(hash)
}

fn packed_hash(bytes: &[u8], with_deadlines: bool, shapes: &Shapes) -> Result<Hash, LoadError> {
    Hash::from_packed(packed("Hash listpack", bytes)?, with_deadlines, &shapes.hash)
        .ok_or(LoadError::Corrupt("Hash listpack with dup elements, or not in pairs, or with a deadline that is none".into()))
}

fn deadline_of(millis: i64) -> Result<Millis, LoadError> {
    let sound = (0..=MAX_DEADLINE.0).contains(&millis);
    if sound { Ok(Millis(millis)) } else { Err(LoadError::corrupt("the deadline of a field is beyond all times")) }
}

/// A field of a hash, with its deadline where there is one.
fn read_field(
    input: &mut Input<'_>,
    hash: &mut Hash,
    deadlines: Deadlines,
    shapes: &Shapes,
    (field, value): (&mut Vec<u8>, &mut Vec<u8>),
) -> Result<(), LoadError> {
    let before = match deadlines {
        Deadlines::Absolute | Deadlines::Since(_) => input.length()?,
        Deadlines::None | Deadlines::Behind => 0,
    };
    input.string(field)?;
    input.string(value)?;
    let millis = match (deadlines, before) {
        (Deadlines::None, _) | (Deadlines::Absolute | Deadlines::Since(_), 0) => None,
        (Deadlines::Absolute, time) => Some(i64::try_from(time).unwrap_or(i64::MAX)),
        (Deadlines::Since(earliest), later) => Some(i64::try_from(later - 1).unwrap_or(i64::MAX).saturating_add(earliest.0)),
        (Deadlines::Behind, _) => Some(input.millis()?).filter(|&time| time != -1),
    };
    add_field(hash, field, value, millis.map(deadline_of).transpose()?, shapes)
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
