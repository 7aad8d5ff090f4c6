//! Strings as numbers: INCR and its family.

use crate::base::long_double::LongDouble;
use crate::keyspace::effects::Event;
use crate::keyspace::write::Ttl;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::string::StringRef;

pub(super) fn incr(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    add(ctx, args.at(1), 1)
}

pub(super) fn decr(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    add(ctx, args.at(1), -1)
}

pub(super) fn incrby(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    add(ctx, args.at(1), integer(args.at(2))?)
}

pub(super) fn decrby(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let delta = integer(args.at(2))?.checked_neg().ok_or(Error::fixed("ERR decrement would overflow"))?;
    add(ctx, args.at(1), delta)
}

#[inline]
fn add(ctx: &mut Ctx<'_>, key: &[u8], delta: i64) -> Outcome {
    let sum = ctx.db.increment(key, delta, Event::string("incrby"))?;
    ctx.reply.integer(sum);
    DONE
}

/// The sum is stored as text even where it is a whole number, and propagated as such: another machine's
/// floating point must not come to another sum.
pub(super) fn incrbyfloat(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let old = match ctx.db.peek(key) {
        Some(entry) => LongDouble::parse(&entry.string().ok_or(Error::WRONG_TYPE)?.text()).ok_or(Error::NOT_A_FLOAT)?,
        None => LongDouble::ZERO,
    };
    let sum = old + LongDouble::parse(args.at(2)).ok_or(Error::NOT_A_FLOAT)?;
    if sum.is_nan_or_infinite() {
        return Err(Error::NAN_OR_INFINITY);
    }
    let mut text = Vec::with_capacity(24);
    sum.write_human(&mut text);
    ctx.db.set_string(key, StringRef::Bytes(&text), Ttl::Keep, &[Event::string("incrbyfloat")]);
    ctx.propagate(&[b"SET", key, &text, b"KEEPTTL"]);
    ctx.reply.bulk(&text);
    DONE
}
