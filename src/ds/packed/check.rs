//! Validation of listpack bytes from the outside: an RDB file, a RESTORE payload, a primary.
//!
//! After [`check`] has passed, every walk in either direction stays inside the bytes and meets
//! each entry exactly once; nothing in the container checks again. What an entry *means* (pairs,
//! sorted scores, no member twice) is the caller's knowledge and is checked there by iterating.

use std::fmt;

use super::entry::checked_entry;
use super::{COUNT_UNKNOWN, END, HEADER, MAX_BYTES};

/// Why bytes are not the container they claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The length in the header is not the length of the bytes.
    Length,
    /// More bytes than a container may have.
    TooLarge,
    /// No end mark in the last byte.
    End,
    /// An entry has no known form, or reaches beyond the bytes, or its two lengths disagree.
    Entry,
    /// The count in the header is not the number of entries.
    Count,
    /// The width of the integers is none of 2, 4 and 8.
    Width,
    /// The integers do not ascend strictly.
    Order,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Length => "length does not match the header",
            Error::TooLarge => "too large",
            Error::End => "end mark missing",
            Error::Entry => "damaged entry",
            Error::Count => "number of entries does not match the header",
            Error::Width => "unknown integer width",
            Error::Order => "integers not in order",
        })
    }
}

impl std::error::Error for Error {}

/// How many entries `bytes`, a whole listpack, holds, if it is a sound one.
pub(in crate::ds) fn check(bytes: &[u8]) -> Result<usize, Error> {
    if bytes.len() > MAX_BYTES {
        return Err(Error::TooLarge);
    }
    let [t0, t1, t2, t3, c0, c1, entries @ .., end] = bytes else {
        return Err(Error::Length);
    };
    debug_assert_eq!(bytes.len(), HEADER + entries.len() + 1);
    if u32::from_le_bytes([*t0, *t1, *t2, *t3]) as usize != bytes.len() {
        return Err(Error::Length);
    }
    if *end != END {
        return Err(Error::End);
    }
    let count = check_entries(entries)?;
    let claimed = u16::from_le_bytes([*c0, *c1]);
    if claimed != COUNT_UNKNOWN && usize::from(claimed) != count {
        return Err(Error::Count);
    }
    Ok(count)
}

fn check_entries(entries: &[u8]) -> Result<usize, Error> {
    let mut rest = entries;
    let mut count = 0;
    while !rest.is_empty() {
        let len = checked_entry(rest).ok_or(Error::Entry)?;
        rest = &rest[len..];
        count += 1;
    }
    Ok(count)
}
