//! HRANDFIELD and HSCAN.

use crate::base::number;
use crate::command::scanning::{ScanOptions, Walked};
use crate::resp::request::Args;
use crate::resp::writer::Reply;
use crate::server::context::{Ctx, DONE, Outcome, draws};
use crate::server::error::Error;
use crate::types::hash::{Hash, Item};

pub(super) fn hrandfield(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if let Some(count) = args.get(2) {
        let count = draws(count)?;
        let with_values = match args.get(3) {
            None => false,
            Some(_) if args.len() == 4 && args.is(3, "WITHVALUES") => true,
            Some(_) => return Err(Error::SYNTAX),
        };
        return draw_many(ctx, args.at(1), count, with_values);
    }
    let horizon = ctx.db.horizon();
    let hash = ctx.db.read::<Hash>(args.at(1))?;
    let mut drawn = false;
    if let Some(hash) = hash {
        hash.draw(1, horizon, &mut ctx.state.random, |item| {
            ctx.reply.string(item.field);
            drawn = true;
        });
    }
    if !drawn {
        ctx.reply.null();
    }
    DONE
}

/// A count above zero asks for different fields, one below for so many draws.
fn draw_many(ctx: &mut Ctx<'_>, key: &[u8], count: i64, with_values: bool) -> Outcome {
    if with_values && count > i64::MAX / 2 {
        return Err(Error::fixed("ERR value is out of range"));
    }
    let horizon = ctx.db.horizon();
    let Some(hash) = ctx.db.read::<Hash>(key)? else {
        ctx.reply.array(0);
        return DONE;
    };
    let (mark, mut drawn, reply) = (ctx.reply.mark(), 0, &mut ctx.reply);
    let show = |item: Item<'_>| {
        drawn += 1;
        write_item(reply, item, with_values);
    };
    if count < 0 {
        hash.draw(count.unsigned_abs(), horizon, &mut ctx.state.random, show);
    } else {
        hash.draw_distinct(usize::try_from(count).unwrap_or(usize::MAX), horizon, &mut ctx.state.random, show);
    }
    let flat = with_values && !ctx.reply.is_resp3();
    ctx.reply.wrap_array(mark, if flat { drawn * 2 } else { drawn });
    DONE
}

/// A field, or a pair: an array of its own in RESP3.
fn write_item(reply: &mut Reply<'_>, item: Item<'_>, with_values: bool) {
    if with_values && reply.is_resp3() {
        reply.array(2);
    }
    reply.string(item.field);
    if with_values {
        reply.string(item.value);
    }
}

pub(super) fn hscan(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let cursor = number::parse_u64_lenient(args.at(2)).ok_or(Error::BAD_CURSOR)?;
    let horizon = ctx.db.horizon();
    let mark = ctx.reply.mark();
    let Some(hash) = ctx.db.read::<Hash>(args.at(1))? else {
        ctx.reply.wrap_scan(mark, 0, 0);
        return DONE;
    };
    let options = ScanOptions::parse(args.from(3), Walked::Hash)?;
    let (reply, mut written) = (&mut ctx.reply, 0);
    let cursor = options.walk(cursor, |cursor, met| {
        hash.scan(cursor, horizon, |item| {
            *met += 1;
            if !options.matches(&item.field.text()) {
                return;
            }
            reply.string(item.field);
            written += 1;
            if options.pairs {
                reply.string(item.value);
                written += 1;
            }
        })
    });
    reply.wrap_scan(mark, cursor, written);
    DONE
}
