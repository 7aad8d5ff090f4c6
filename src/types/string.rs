//! Strings: what a string value is seen as, and the growable form.
//!
//! A short string lives inside its key's block, an integer as an integer. Commands that change bytes in
//! place (APPEND, SETRANGE, SETBIT, BITFIELD, PFADD) work on a [`RawString`], a buffer of its own, and the
//! value stays one: OBJECT ENCODING then answers `raw`, as in Redis.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};

use super::{Kind, Stored, Type};
use crate::base::number;

/// A string value as it is stored, borrowed.
#[derive(Clone, Copy, Debug)]
pub enum StringRef<'a> {
    /// Its bytes.
    Bytes(&'a [u8]),
    /// An integer, shown in decimal.
    Integer(i64),
}

impl<'a> StringRef<'a> {
    /// Integer if the bytes are one in canonical decimal form, else the bytes.
    #[inline]
    pub fn encode(bytes: &'a [u8]) -> Self {
        match number::parse_i64(bytes) {
            Some(value) => StringRef::Integer(value),
            None => StringRef::Bytes(bytes),
        }
    }

    /// The bytes a client sees.
    pub fn text(self) -> Cow<'a, [u8]> {
        match self {
            StringRef::Bytes(bytes) => Cow::Borrowed(bytes),
            StringRef::Integer(value) => {
                let mut out = Vec::with_capacity(number::MAX_INTEGER_LENGTH);
                number::write_i64(&mut out, value);
                Cow::Owned(out)
            }
        }
    }

    /// Length of the text.
    pub fn len(self) -> usize {
        match self {
            StringRef::Bytes(bytes) => bytes.len(),
            StringRef::Integer(value) => number::length_i64(value),
        }
    }

    /// Whether the text is empty.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether the text is `other`.
    pub fn is(self, other: &[u8]) -> bool {
        match self {
            StringRef::Bytes(bytes) => bytes == other,
            StringRef::Integer(value) => number::parse_i64(other) == Some(value),
        }
    }

    /// The value as a 64-bit integer, if it is one.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            StringRef::Bytes(bytes) => number::parse_i64(bytes),
            StringRef::Integer(value) => Some(value),
        }
    }
}

/// A string in a buffer of its own: boxed, because a payload is one thin pointer.
#[allow(clippy::box_collection)]
pub struct RawString(Box<Vec<u8>>);

impl RawString {
    /// A copy of `bytes`.
    pub fn new(bytes: Vec<u8>) -> Self {
        RawString(Box::new(bytes))
    }

    /// A copy that shares nothing with this value.
    pub fn duplicate(&self) -> Self {
        RawString(self.0.clone())
    }
}

impl Deref for RawString {
    type Target = Vec<u8>;
    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for RawString {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

// SAFETY: a box is rebuilt from its own pointer.
unsafe impl Stored for RawString {
    const TYPE: Type = Type::String;
    fn into_raw(self) -> (Kind, u64) {
        (Kind::Raw, Box::into_raw(self.0) as u64)
    }
    unsafe fn from_raw(kind: Kind, payload: u64) -> Self {
        debug_assert_eq!(kind, Kind::Raw);
        // SAFETY: the caller's promise.
        RawString(unsafe { Box::from_raw(payload as *mut Vec<u8>) })
    }
    /// A string counts as one element, even an empty one: an empty string is a value.
    fn len(&self) -> usize {
        1
    }
}
