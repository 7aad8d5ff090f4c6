//! XRANGE, XREVRANGE, XLEN, and how an entry is shown.

use super::parse::{self, interval_end, interval_start};
use super::reply_id;
use crate::resp::request::Args;
use crate::resp::writer::Reply;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::error::Error;
use crate::types::stream::Stream;
use crate::types::stream::block::Entry;

/// An entry: its ID, and its fields and values in turn.
pub(super) fn reply_entry(reply: &mut Reply<'_>, entry: Entry<'_>) {
    reply.array(2);
    reply_id(reply, entry.id);
    reply.array(entry.fields * 2);
    let mut buffer = [0; 21];
    for (field, value) in entry.pairs() {
        reply.bulk(field.text(&mut buffer));
        reply.bulk(value.text(&mut buffer));
    }
}

/// An array of entries.
pub(super) fn reply_entries<'a>(reply: &mut Reply<'_>, entries: impl Iterator<Item = Entry<'a>>) {
    let mark = reply.mark();
    let mut shown = 0;
    for entry in entries {
        reply_entry(reply, entry);
        shown += 1;
    }
    reply.wrap_array(mark, shown);
}

/// `[COUNT count]` at the end; all of them without it.
fn count(args: Args<'_>) -> Result<usize, Error> {
    let mut count = usize::MAX;
    let mut at = 4;
    while at < args.len() {
        if !args.is(at, "count") || at + 1 == args.len() {
            return Err(Error::SYNTAX);
        }
        count = parse::count(args.at(at + 1))?;
        at += 2;
    }
    Ok(count)
}

pub(super) fn xrange(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (start, end) = (interval_start(args.at(2))?, interval_end(args.at(3))?);
    let count = count(args)?;
    match ctx.db.read::<Stream>(args.at(1))? {
        None => ctx.reply.array(0),
        Some(_) if count == 0 => ctx.reply.null_array(),
        Some(stream) => reply_entries(&mut ctx.reply, stream.log.range(start, end).take(count)),
    }
    DONE
}

pub(super) fn xrevrange(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (end, start) = (interval_end(args.at(2)), interval_start(args.at(3)));
    let (start, end) = (start?, end?);
    let count = count(args)?;
    match ctx.db.read::<Stream>(args.at(1))? {
        None => ctx.reply.array(0),
        Some(_) if count == 0 => ctx.reply.null_array(),
        Some(stream) => reply_entries(&mut ctx.reply, stream.log.range_back(start, end).take(count)),
    }
    DONE
}

pub(super) fn xlen(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let length = ctx.db.read::<Stream>(args.at(1))?.map_or(0, |stream| stream.log.len());
    ctx.reply.integer(i64::try_from(length).unwrap_or(i64::MAX));
    DONE
}
