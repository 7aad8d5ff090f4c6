//! HRANDFIELD and HSCAN.

use crate::base::glob::{self, Case};
use crate::base::number;
use crate::limits;
use crate::resp::request::Args;
use crate::resp::writer::Reply;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::hash::{Hash, Item};

pub(super) fn hrandfield(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if let Some(count) = args.get(2) {
        let range = Error::fixed("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
        let count = integer(count).and_then(|count| if count == i64::MIN { Err(range) } else { Ok(count) })?;
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

/// A count above zero asks for different fields, one below for so many draws. Redis dies of a count that
/// no memory can hold the reply to; here such a count is out of range.
fn draw_many(ctx: &mut Ctx<'_>, key: &[u8], count: i64, with_values: bool) -> Outcome {
    let out_of_range = count.unsigned_abs() > i64::MAX.unsigned_abs() / 2 && with_values;
    if out_of_range || count < 0 && count.unsigned_abs() > limits::DRAWS_MAX {
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

/// The options of HSCAN.
struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
    values: bool,
}

impl<'a> Options<'a> {
    fn parse(args: Args<'a>) -> Result<Self, Error> {
        let mut options = Options { pattern: None, count: 10, values: true };
        let mut at = 3;
        while at < args.len() {
            if args.is(at, "NOVALUES") {
                options.values = false;
                at += 1;
                continue;
            }
            let value = args.get(at + 1).ok_or(Error::SYNTAX)?;
            if args.is(at, "MATCH") {
                options.pattern = Some(value).filter(|pattern| *pattern != b"*");
            } else if args.is(at, "COUNT") {
                options.count = usize::try_from(integer(value)?).ok().filter(|&count| count > 0).ok_or(Error::SYNTAX)?;
            } else {
                return Err(Error::SYNTAX);
            }
            at += 2;
        }
        Ok(options)
    }
}

/// Takes steps until as many fields as asked for were met, matching or not, or ten times as many steps.
pub(super) fn hscan(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut cursor = number::parse_u64_lenient(args.at(2)).ok_or(Error::BAD_CURSOR)?;
    let horizon = ctx.db.horizon();
    let hash = ctx.db.read::<Hash>(args.at(1))?;
    let mark = ctx.reply.mark();
    let Some(hash) = hash else {
        ctx.reply.wrap_scan(mark, 0, 0);
        return DONE;
    };
    let options = Options::parse(args)?;
    let (mut met, mut written, reply) = (0, 0, &mut ctx.reply);
    for _ in 0..options.count.saturating_mul(10) {
        cursor = hash.scan(cursor, horizon, |item| {
            met += 1;
            if options.pattern.is_some_and(|pattern| !glob::matches(pattern, &item.field.text(), Case::Sensitive)) {
                return;
            }
            reply.string(item.field);
            written += 1;
            if options.values {
                reply.string(item.value);
                written += 1;
            }
        });
        if cursor == 0 || met >= options.count {
            break;
        }
    }
    ctx.reply.wrap_scan(mark, cursor, written);
    DONE
}
