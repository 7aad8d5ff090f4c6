//! Walking over all keys: SCAN, KEYS and RANDOMKEY.
//!
//! A cursor is a place in hash space. One step of the table visits the keys whose hashes lie in one
//! bucket's range, so a key that is there from the first call to the last is seen whatever is added or
//! removed meanwhile.

use crate::base::glob::{self, Case};
use crate::base::number;
use crate::command::scanning::{ScanOptions, Walked};
use crate::keyspace::entry::EntryRef;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::error::Error;

pub(super) fn scan(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let cursor = number::parse_u64_lenient(args.at(1)).ok_or(Error::BAD_CURSOR)?;
    let options = ScanOptions::parse(args.from(2), Walked::Keys)?;
    let (db, reply) = (&mut ctx.db, &mut ctx.reply);
    let (mark, mut shown) = (reply.mark(), 0);
    let has_type =
        |entry: EntryRef<'_>| options.type_name.is_none_or(|name| entry.kind().type_of().name().as_bytes().eq_ignore_ascii_case(name));
    let cursor = options.walk(cursor, |cursor, met| {
        db.scan(cursor, |entry| {
            *met += 1;
            if has_type(entry) && options.matches(entry.key()) {
                shown += 1;
                reply.bulk(entry.key());
            }
        })
    });
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
    let reply = &mut ctx.reply;
    let (all, mark, mut count) = (pattern == b"*", reply.mark(), 0);
    ctx.db.for_all(|entry| {
        if all || glob::matches(pattern, entry.key(), Case::Sensitive) {
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
