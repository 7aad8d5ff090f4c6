//! A value: its encodings and operations. Nothing here knows a key, a client, a reply or a clock.
//!
//! A value is kept in a key's block as 4 bits of [`Kind`] (type and encoding at once) and 8 bytes of
//! payload. A type says through [`Stored`] how it goes in and out of that form, so that a handler works
//! on an ordinary Rust enum (`Hash`, `Set`) while the block stays one thin allocation.
#![allow(unsafe_code)]

pub mod bitmap;
pub mod geo;
pub mod hash;
pub mod hyperloglog;
pub mod list;
pub mod set;
pub mod stream;
pub mod string;
pub mod zset;

use crate::base::clock::Millis;
use crate::ds::table::Part;
use hash::Hash;
use list::List;
use set::Set;
use stream::Stream;
use string::RawString;
use zset::Zset;

/// What `TYPE` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A string: bytes or an integer.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    Zset,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
}

impl Type {
    /// The name that `TYPE` shows.
    pub fn name(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::List => "list",
            Type::Set => "set",
            Type::Zset => "zset",
            Type::Hash => "hash",
            Type::Stream => "stream",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &[u8]) -> Option<Type> {
        [Type::String, Type::List, Type::Set, Type::Zset, Type::Hash, Type::Stream]
            .into_iter()
            .find(|t| t.name().as_bytes().eq_ignore_ascii_case(name))
    }
}

/// Type and encoding of a stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A string inside the key's block.
    Embedded = 0,
    /// A string that is a 64-bit integer.
    Integer = 1,
    /// A string in a buffer of its own.
    Raw = 2,
    /// A list.
    List = 3,
    /// A set of integers in order.
    SetIntset = 4,
    /// A small set in one packed block.
    SetPacked = 5,
    /// A set in a table.
    SetTable = 6,
    /// A small hash in one packed block.
    HashPacked = 7,
    /// A hash in a table.
    HashTable = 8,
    /// A small hash in one packed block, some fields with a deadline.
    HashPackedExpiring = 9,
    /// A small sorted set in one packed block.
    ZsetPacked = 10,
    /// A sorted set in a tree and a table.
    ZsetTree = 11,
    /// A stream.
    Stream = 12,
    /// A hash in a table, some fields with a deadline.
    HashTableExpiring = 13,
}

impl Kind {
    const ALL: [Kind; 14] = [
        Kind::Embedded,
        Kind::Integer,
        Kind::Raw,
        Kind::List,
        Kind::SetIntset,
        Kind::SetPacked,
        Kind::SetTable,
        Kind::HashPacked,
        Kind::HashTable,
        Kind::HashPackedExpiring,
        Kind::ZsetPacked,
        Kind::ZsetTree,
        Kind::Stream,
        Kind::HashTableExpiring,
    ];

    /// The kind of that number; numbers come from blocks that this process wrote.
    #[inline]
    pub fn from_bits(bits: u8) -> Kind {
        Self::ALL[usize::from(bits)]
    }

    /// Whether elements of the value may have deadlines of their own.
    #[inline]
    pub fn expires_within(self) -> bool {
        matches!(self, Kind::HashPackedExpiring | Kind::HashTableExpiring)
    }

    /// The type, whatever the encoding.
    pub fn type_of(self) -> Type {
        match self {
            Kind::Embedded | Kind::Integer | Kind::Raw => Type::String,
            Kind::List => Type::List,
            Kind::SetIntset | Kind::SetPacked | Kind::SetTable => Type::Set,
            Kind::HashPacked | Kind::HashTable | Kind::HashPackedExpiring | Kind::HashTableExpiring => Type::Hash,
            Kind::ZsetPacked | Kind::ZsetTree => Type::Zset,
            Kind::Stream => Type::Stream,
        }
    }
}

/// A value type that a key's block can hold as a kind and 8 bytes.
///
/// # Safety
/// `from_raw` must rebuild exactly what `into_raw` gave up, and is only called with what it gave.
pub unsafe trait Stored: Sized {
    /// What `TYPE` answers for it.
    const TYPE: Type;
    /// Gives up ownership.
    fn into_raw(self) -> (Kind, u64);
    /// Takes ownership back.
    ///
    /// # Safety
    /// The arguments came from `into_raw`, and no other owner is used.
    unsafe fn from_raw(kind: Kind, payload: u64) -> Self;
    /// Elements; a key whose value has none is removed.
    fn len(&self) -> usize;
    /// Whether it has no element.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The earliest deadline of an element; only a kind that [expires within](Kind::expires_within) has one.
    fn earliest_deadline(&self) -> Option<Millis> {
        None
    }
}

/// A value of any type, owned: on its way between keys, files and the disposal thread.
pub enum Value {
    /// A string, as its bytes.
    String(RawString),
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A sorted set.
    Zset(Zset),
    /// A hash.
    Hash(Hash),
    /// A stream.
    Stream(Stream),
}

impl Value {
    /// The value behind a kind and payload.
    ///
    /// # Safety
    /// As [`Stored::from_raw`]; the kind is neither `Embedded` nor `Integer`.
    pub unsafe fn from_raw(kind: Kind, payload: u64) -> Value {
        // SAFETY: the caller's promise.
        unsafe {
            match kind.type_of() {
                Type::String => Value::String(RawString::from_raw(kind, payload)),
                Type::List => Value::List(List::from_raw(kind, payload)),
                Type::Set => Value::Set(Set::from_raw(kind, payload)),
                Type::Zset => Value::Zset(Zset::from_raw(kind, payload)),
                Type::Hash => Value::Hash(Hash::from_raw(kind, payload)),
                Type::Stream => Value::Stream(Stream::from_raw(kind, payload)),
            }
        }
    }

    /// Gives up ownership.
    pub fn into_raw(self) -> (Kind, u64) {
        match self {
            Value::String(v) => v.into_raw(),
            Value::List(v) => v.into_raw(),
            Value::Set(v) => v.into_raw(),
            Value::Zset(v) => v.into_raw(),
            Value::Hash(v) => v.into_raw(),
            Value::Stream(v) => v.into_raw(),
        }
    }

    /// A copy that shares nothing with this value.
    pub fn duplicate(&self) -> Value {
        match self {
            Value::String(v) => Value::String(v.duplicate()),
            Value::List(v) => Value::List(v.clone()),
            Value::Set(v) => Value::Set(v.clone()),
            Value::Zset(v) => Value::Zset(v.clone()),
            Value::Hash(v) => Value::Hash(v.clone()),
            Value::Stream(v) => Value::Stream(v.clone()),
        }
    }

    /// Asks the processor for a part of the way to the element with that hash, if the elements are in a table.
    #[inline]
    pub fn prefetch_element(&self, hash: u64, part: Part) {
        match self {
            Value::Set(Set::Large(large)) => large.prefetch(hash, part),
            Value::Zset(zset) => zset.prefetch(hash, part),
            Value::Hash(Hash::Table(table)) => table.prefetch(hash, part),
            _ => {}
        }
    }

    /// What `OBJECT ENCODING` answers.
    pub fn encoding(&self) -> &'static str {
        match self {
            Value::String(_) => "raw",
            Value::List(v) => v.encoding(),
            Value::Set(v) => v.encoding(),
            Value::Zset(v) => v.encoding(),
            Value::Hash(v) => v.encoding(),
            Value::Stream(_) => "stream",
        }
    }

    /// Bytes taken from the allocator. `samples` elements at most are looked at, for types that do not know.
    pub fn bytes(&self, samples: usize) -> usize {
        match self {
            Value::String(v) => size_of::<Vec<u8>>() + v.capacity(),
            Value::List(v) => v.allocated(),
            Value::Set(v) => v.bytes(),
            Value::Zset(v) => v.bytes(),
            Value::Hash(v) => v.allocated(samples),
            Value::Stream(v) => v.allocated(samples),
        }
    }

    /// Elements, or bytes of a string: how much there is to free.
    pub fn weight(&self) -> usize {
        match self {
            Value::String(_) => 1,
            Value::List(v) => v.weight(),
            Value::Set(Set::Large(large)) => large.len(),
            Value::Set(_) => 1,
            Value::Zset(v) => v.len(),
            Value::Hash(Hash::Table(table)) => table.len(),
            Value::Hash(_) => 1,
            Value::Stream(v) => v.weight(),
        }
    }
}
