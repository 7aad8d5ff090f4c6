//! RDB, the snapshot format of Redis: reading every version up to 12 and Valkey's 80, writing 10.
//!
//! ```text
//! file      "REDIS" version(4 digits) | "VALKEY" version(3 digits)
//!           aux fields, functions; then for each database: SELECTDB, RESIZEDB, keys; then EOF, CRC-64
//! key       [EXPIRETIME_MS time] [IDLE seconds | FREQ counter] type, key, value
//! DUMP      type, value, version (16 bits le), CRC-64 of all before it
//! ```
//!
//! - [`output`], [`input`]: lengths, strings, numbers;
//! - [`write_value`], [`read_value`]: one value; [`stream`]: streams both ways; [`legacy`]: encodings that
//!   nobody writes any more;
//! - [`save`], [`load`]: whole files; [`dump`]: one value for DUMP and RESTORE.
//!
//! **Written is the oldest version that can say it**: 10, which Redis 7.0 and everything since loads, and
//! 12 only if a hash has fields with deadlines, which no older one can express. The road not taken, always
//! writing the newest version, buys nothing (the newer types hold the same bytes) and costs the way back.
//!
//! **Nothing read is believed** until it was looked at: see [`read_value`].

pub mod dump;
pub mod input;
pub mod legacy;
pub mod load;
pub mod output;
pub mod read_value;
pub mod save;
pub mod stream;
pub mod write_value;

use std::borrow::Cow;
use std::fmt;

/// Types of values, as their byte in the file.
pub mod types {
    #![allow(missing_docs)]
    pub const STRING: u8 = 0;
    pub const LIST: u8 = 1;
    pub const SET: u8 = 2;
    pub const ZSET: u8 = 3;
    pub const HASH: u8 = 4;
    pub const ZSET_2: u8 = 5;
    pub const MODULE: u8 = 6;
    pub const MODULE_2: u8 = 7;
    pub const HASH_ZIPMAP: u8 = 9;
    pub const LIST_ZIPLIST: u8 = 10;
    pub const SET_INTSET: u8 = 11;
    pub const ZSET_ZIPLIST: u8 = 12;
    pub const HASH_ZIPLIST: u8 = 13;
    pub const LIST_QUICKLIST: u8 = 14;
    pub const STREAM: u8 = 15;
    pub const HASH_LISTPACK: u8 = 16;
    pub const ZSET_LISTPACK: u8 = 17;
    pub const LIST_QUICKLIST_2: u8 = 18;
    pub const STREAM_2: u8 = 19;
    pub const SET_LISTPACK: u8 = 20;
    pub const STREAM_3: u8 = 21;
    /// Redis: a hash with deadlines, absolute ones; Valkey: one with deadlines behind the values.
    pub const HASH_DEADLINES_FIRST: u8 = 22;
    pub const HASH_LISTPACK_DEADLINES_FIRST: u8 = 23;
    pub const HASH_DEADLINES: u8 = 24;
    pub const HASH_LISTPACK_DEADLINES: u8 = 25;
}

/// What stands where a type would, as its byte in the file.
pub mod opcodes {
    #![allow(missing_docs)]
    pub const SLOT_IMPORT: u8 = 243;
    pub const SLOT_INFO: u8 = 244;
    pub const FUNCTION: u8 = 245;
    pub const FUNCTION_EARLY: u8 = 246;
    pub const MODULE_AUX: u8 = 247;
    pub const IDLE: u8 = 248;
    pub const FREQUENCY: u8 = 249;
    pub const AUX: u8 = 250;
    pub const RESIZE: u8 = 251;
    pub const EXPIRE_MILLIS: u8 = 252;
    pub const EXPIRE_SECONDS: u8 = 253;
    pub const SELECT: u8 = 254;
    pub const END: u8 = 255;
}

/// The version that is written unless something needs a newer one: that of Redis 7.0.
pub const PLAIN_VERSION: u32 = 10;
/// The version that can express everything: that of Redis 8.
pub const FULL_VERSION: u32 = 12;
/// The oldest version that can be written: that of Redis 5.
pub const OLDEST_WRITTEN: u32 = 9;
/// The version of Valkey 9, whose type 22 is not that of Redis.
pub const VALKEY_VERSION: u32 = 80;

/// Whether a file of that version can be read.
pub fn can_read(version: u32) -> bool {
    (1..=FULL_VERSION).contains(&version) || version == VALKEY_VERSION
}

/// Why an RDB was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// It ends too early.
    Truncated,
    /// It is not what it should be.
    Corrupt(Cow<'static, str>),
    /// A collection without elements: no key is made of it.
    Empty,
    /// It is sound for all we know, but holds what this server does not have.
    Unsupported(String),
    /// The file cannot be read.
    File(String),
}

impl LoadError {
    /// Damaged in some way.
    pub fn corrupt(why: impl Into<Cow<'static, str>>) -> LoadError {
        LoadError::Corrupt(why.into())
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Truncated => f.write_str("unexpected end of the data"),
            LoadError::Corrupt(why) => f.write_str(why),
            LoadError::Empty => f.write_str("a collection without elements"),
            LoadError::Unsupported(what) => f.write_str(what),
            LoadError::File(error) => f.write_str(error),
        }
    }
}
