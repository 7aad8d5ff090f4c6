//! Conditions on the value that a key has: those of SET, and DELIFEQ, DELEX and DIGEST.

use xxhash_rust::xxh3::xxh3_64;

use crate::keyspace::Db;
use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::error::Error;
use crate::types::Type;
use crate::types::string::StringRef;

const DIGEST_LENGTH: usize = 16;

/// What must be true of a key for it to be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition<'a> {
    /// Nothing.
    Always,
    /// `NX`: it does not exist.
    Absent,
    /// `XX`: it exists.
    Present,
    /// `IFEQ` and its like: its value compares so. A key that does not exist differs from everything.
    Value(Comparison<'a>),
}

/// A comparison with a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison<'a> {
    /// `IFEQ`
    Equal(&'a [u8]),
    /// `IFNE`
    Different(&'a [u8]),
    /// `IFDEQ`: the digest equals.
    DigestEqual(&'a [u8]),
    /// `IFDNE`: the digest differs.
    DigestDifferent(&'a [u8]),
}

impl<'a> Comparison<'a> {
    /// The comparison that two words make.
    fn parse(word: &[u8], operand: &'a [u8]) -> Option<Comparison<'a>> {
        let make = match word.to_ascii_uppercase().as_slice() {
            b"IFEQ" => Comparison::Equal,
            b"IFNE" => Comparison::Different,
            b"IFDEQ" => Comparison::DigestEqual,
            b"IFDNE" => Comparison::DigestDifferent,
            _ => return None,
        };
        Some(make(operand))
    }

    /// Whether a string compares so.
    fn holds(self, value: StringRef<'_>) -> Result<bool, Error> {
        match self {
            Comparison::Equal(other) => Ok(value.is(other)),
            Comparison::Different(other) => Ok(!value.is(other)),
            Comparison::DigestEqual(digest) => Ok(parse_digest(digest)? == xxh3_64(&value.text())),
            Comparison::DigestDifferent(digest) => Ok(parse_digest(digest)? != xxh3_64(&value.text())),
        }
    }
}

impl<'a> Condition<'a> {
    /// Reads the option at `at`. Gives the index after it, or `None` if there is no such option or another
    /// condition was given before.
    pub(super) fn parse(&mut self, args: Args<'a>, at: usize) -> Option<usize> {
        let (new, next) = if args.is(at, "NX") {
            (Condition::Absent, at + 1)
        } else if args.is(at, "XX") {
            (Condition::Present, at + 1)
        } else {
            (Condition::Value(Comparison::parse(args.at(at), args.get(at + 1)?)?), at + 2)
        };
        let free = *self == Condition::Always || *self == new && !matches!(new, Condition::Value(_));
        *self = new;
        free.then_some(next)
    }

    /// Whether it is true of a key.
    #[inline]
    pub(super) fn holds(self, db: &mut Db<'_>, key: &[u8]) -> Result<bool, Error> {
        match self {
            Condition::Always => Ok(true),
            Condition::Absent => Ok(!db.exists_for_write(key)),
            Condition::Present => Ok(db.exists_for_write(key)),
            Condition::Value(comparison) => match db.peek(key) {
                Some(entry) => comparison.holds(entry.string().ok_or(Error::WRONG_TYPE)?),
                None => Ok(matches!(comparison, Comparison::Different(_) | Comparison::DigestDifferent(_))),
            },
        }
    }
}

/// The digest that a client has sent: 16 hexadecimal digits of either case.
fn parse_digest(text: &[u8]) -> Result<u64, Error> {
    let digits = Some(text).filter(|text| text.len() == DIGEST_LENGTH && text.iter().all(u8::is_ascii_hexdigit));
    let digits = digits.ok_or(Error::fixed("ERR must be exactly 16 hexadecimal characters"))?;
    let digits = std::str::from_utf8(digits).expect("hexadecimal digits are ASCII");
    Ok(u64::from_str_radix(digits, 16).expect("16 hexadecimal digits"))
}

pub(super) fn digest(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    match ctx.db.read_text(args.at(1))? {
        Some(text) => ctx.reply.text(&format!("{:016x}", xxh3_64(&text))),
        None => ctx.reply.null(),
    }
    DONE
}

pub(super) fn delifeq(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let equal = match ctx.db.read_string(key)? {
        Some(value) => value.is(args.at(2)),
        None => false,
    };
    reply_removed(ctx, key, equal)
}

pub(super) fn delex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let Some(kind) = ctx.db.type_of(key) else { return reply_removed(ctx, key, false) };
    if args.len() == 2 {
        return reply_removed(ctx, key, true);
    }
    if args.len() != 4 {
        return Err(Error::arity("delex"));
    }
    if kind != Type::String {
        return Err(Error::fixed("ERR Key should be of string type if conditions are specified"));
    }
    let comparison = Comparison::parse(args.at(2), args.at(3));
    let comparison = comparison.ok_or(Error::fixed("ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"))?;
    let holds = Condition::Value(comparison).holds(&mut ctx.db, key)?;
    reply_removed(ctx, key, holds)
}

/// Removes a key if `wanted`; replies whether.
fn reply_removed(ctx: &mut Ctx<'_>, key: &[u8], wanted: bool) -> Outcome {
    let removed = wanted && ctx.db.remove(key, Event::generic("del"));
    if removed {
        ctx.propagate(&[b"DEL", key]);
    }
    ctx.reply.integer(i64::from(removed));
    DONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_other_servers() {
        // the documentation's example
        assert_eq!(xxh3_64(b"Hello world"), 0xb6ac_b9d8_4a38_ff74);
        assert_eq!(parse_digest(b"B6acb9d84a38ff74"), Ok(0xb6ac_b9d8_4a38_ff74));
        assert!(parse_digest(b"b6acb9d84a38ff7").is_err());
        assert!(parse_digest(b"+6acb9d84a38ff74").is_err());
    }
}
