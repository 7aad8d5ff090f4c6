//! Walking over all keys: SCAN, KEYS and RANDOMKEY.
//!
//! A cursor is a place in hash space. One step of the table visits the keys whose hashes lie in one
//! bucket's range, so a key that is there from the first call to the last is seen whatever is added or
//! removed meanwhile. SCAN takes steps until it has met COUNT keys, matching or not, or ten times as many
//! buckets: a call's work is bounded even where the table is nearly empty.

use crate::base::glob::{self, Case};
use crate::base::number;
use crate::keyspace::entry::EntryRef;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;

/// Which keys a walk is to show.
#[derive(Clone, Copy)]
enum Pattern<'a> {
    All,
    Glob(&'a [u8]),
}

impl<'a> Pattern<'a> {
    fn new(pattern: &'a [u8]) -> Pattern<'a> {
        if pattern == b"*" { Pattern::All } else { Pattern::Glob(pattern) }
    }

    fn matches(self, key: &[u8]) -> bool {
        match self {
            Pattern::All => true,
            Pattern::Glob(pattern) => glob::matches(pattern, key, Case::Sensitive),
        }
    }
}

/// The options of SCAN.
struct Options<'a> {
    pattern: Pattern<'a>,
    type_name: Option<&'a [u8]>,
    count: usize,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Error> {
        let mut options = Options { pattern: Pattern::All, type_name: None, count: 10 };
        let mut at = 2;
        while at < args.len() {
            let value = args.get(at + 1);
            match (args.at(at).to_ascii_uppercase().as_slice(), value) {
                (b"COUNT", Some(value)) => {
                    let count = integer(value)?;
                    options.count = usize::try_from(count).ok().filter(|&count| count > 0).ok_or(Error::SYNTAX)?;
                }
                (b"MATCH", Some(pattern)) => options.pattern = Pattern::new(pattern),
                (b"TYPE", Some(name)) => options.type_name = Some(name),
                (b"NOVALUES", _) => return Err(Error::fixed("ERR NOVALUES option can only be used in HSCAN")),
                _ => return Err(Error::SYNTAX),
            }
            at += 2;
        }
        Ok(options)
    }

    fn shows(&self, entry: EntryRef<'_>) -> bool {
        let right_type = self.type_name.is_none_or(|name| entry.kind().type_of().name().as_bytes().eq_ignore_ascii_case(name));
        right_type && self.pattern.matches(entry.key())
    }
}

pub(super) fn scan(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut cursor = number::parse_u64_lenient(args.at(1)).ok_or(Error::BAD_CURSOR)?;
    let options = Options::parse(args)?;
    let reply = &mut ctx.reply;
    let mark = reply.mark();
    let (mut met, mut shown) = (0, 0);
    for _ in 0..options.count.saturating_mul(10) {
        cursor = ctx.db.scan(cursor, |entry| {
            met += 1;
            if options.shows(entry) {
                shown += 1;
                reply.bulk(entry.key());
            }
        });
        if cursor == 0 || met >= options.count {
            break;
        }
    }
    reply.wrap_scan(mark, cursor, shown);
    DONE
}

pub(super) fn keys(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let pattern = args.at(1);
    if glob::is_literal(pattern) {
        let found = ctx.db.exists(pattern);
        ctx.reply.array(usize::from(found));
        if found {
            ctx.reply.bulk(pattern);
        }
        return DONE;
    }
    let (pattern, reply) = (Pattern::new(pattern), &mut ctx.reply);
    let (mark, mut count) = (reply.mark(), 0);
    ctx.db.for_all(|entry| {
        if pattern.matches(entry.key()) {
            count += 1;
            reply.bulk(entry.key());
        }
    });
    reply.wrap_array(mark, count);
    DONE
}

pub(super) fn randomkey(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let key = ctx.db.random_key();
    ctx.reply.bulk_or_null(key.as_deref());
    DONE
}
