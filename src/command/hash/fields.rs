//! Fields and their values.

use crate::base::long_double::LongDouble;
use crate::base::number;
use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::Stored;
use crate::types::hash::{FieldTtl, Hash, Item};
use crate::types::string::StringRef;

use super::frame;

pub(super) fn hset(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let created = set_pairs(ctx, args)?;
    ctx.reply.count(created);
    DONE
}

pub(super) fn hmset(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_pairs(ctx, args)?;
    ctx.reply.ok();
    DONE
}

/// Sets all pairs; gives how many fields are new.
fn set_pairs(ctx: &mut Ctx<'_>, args: Args<'_>) -> Result<usize, Error> {
    if !args.len().is_multiple_of(2) {
        return Err(Error::arity(ctx.row().name));
    }
    let (bounds, horizon) = frame(ctx);
    let pairs = args.len() / 2 - 1;
    let mut hash = ctx.db.write_or_create(args.at(1), Hash::new)?;
    hash.expect(pairs, &bounds);
    let mut created = 0;
    for at in (2..args.len()).step_by(2) {
        created += usize::from(hash.set(args.at(at), args.at(at + 1), FieldTtl::Clear, &bounds, horizon));
    }
    hash.commit(Event::hash("hset"), pairs as u64);
    Ok(created)
}

pub(super) fn hsetnx(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (bounds, horizon) = frame(ctx);
    let mut hash = ctx.db.write_or_create(args.at(1), Hash::new)?;
    let absent = !hash.contains(args.at(2), horizon);
    if absent {
        hash.set(args.at(2), args.at(3), FieldTtl::Clear, &bounds, horizon);
        hash.commit(Event::hash("hset"), 1);
    }
    ctx.reply.integer(i64::from(absent));
    DONE
}

pub(super) fn hget(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let horizon = ctx.db.horizon();
    let hash = ctx.db.read::<Hash>(args.at(1))?;
    match hash.as_ref().and_then(|hash| hash.get(args.at(2), horizon)) {
        Some(value) => ctx.reply.string(value),
        None => ctx.reply.null(),
    }
    DONE
}

pub(super) fn hmget(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let horizon = ctx.db.horizon();
    let hash = ctx.db.read::<Hash>(args.at(1))?;
    ctx.reply.array(args.len() - 2);
    for field in args.from(2).iter() {
        match hash.as_ref().and_then(|hash| hash.get(field, horizon)) {
            Some(value) => ctx.reply.string(value),
            None => ctx.reply.null(),
        }
    }
    DONE
}

pub(super) fn hgetall(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let horizon = ctx.db.horizon();
    let Some(hash) = ctx.db.read::<Hash>(args.at(1))? else {
        ctx.reply.map(0);
        return DONE;
    };
    ctx.reply.map(hash.len_at(horizon));
    for item in hash.iter(horizon) {
        ctx.reply.string(item.field);
        ctx.reply.string(item.value);
    }
    DONE
}

pub(super) fn hkeys(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    list(ctx, args, |item| item.field)
}

pub(super) fn hvals(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    list(ctx, args, |item| item.value)
}

/// Replies with one half of every pair.
fn list(ctx: &mut Ctx<'_>, args: Args<'_>, half: impl for<'a> Fn(Item<'a>) -> StringRef<'a>) -> Outcome {
    let horizon = ctx.db.horizon();
    let Some(hash) = ctx.db.read::<Hash>(args.at(1))? else {
        ctx.reply.array(0);
        return DONE;
    };
    ctx.reply.array(hash.len_at(horizon));
    for item in hash.iter(horizon) {
        ctx.reply.string(half(item));
    }
    DONE
}

pub(super) fn hdel(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let horizon = ctx.db.horizon();
    let mut removed = 0;
    if let Some(mut hash) = ctx.db.write::<Hash>(args.at(1))? {
        for field in args.from(2).iter() {
            removed += usize::from(hash.remove(field, horizon));
            if hash.is_empty() {
                break;
            }
        }
        if removed > 0 {
            hash.commit(Event::hash("hdel"), removed as u64);
        }
    }
    ctx.reply.count(removed);
    DONE
}

pub(super) fn hlen(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let horizon = ctx.db.horizon();
    let hash = ctx.db.read::<Hash>(args.at(1))?;
    ctx.reply.count(hash.map_or(0, |hash| hash.len_at(horizon)));
    DONE
}

pub(super) fn hstrlen(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let horizon = ctx.db.horizon();
    let hash = ctx.db.read::<Hash>(args.at(1))?;
    let value = hash.as_ref().and_then(|hash| hash.get(args.at(2), horizon));
    ctx.reply.count(value.map_or(0, StringRef::len));
    DONE
}

pub(super) fn hexists(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let horizon = ctx.db.horizon();
    let hash = ctx.db.read::<Hash>(args.at(1))?;
    ctx.reply.integer(i64::from(hash.is_some_and(|hash| hash.contains(args.at(2), horizon))));
    DONE
}

pub(super) fn hincrby(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let increment = integer(args.at(3))?;
    let (bounds, horizon) = frame(ctx);
    let field = args.at(2);
    let mut hash = ctx.db.write_or_create(args.at(1), Hash::new)?;
    let old = match hash.get(field, horizon) {
        Some(value) => value.as_i64().ok_or(Error::fixed("ERR hash value is not an integer"))?,
        None => 0,
    };
    let sum = old.checked_add(increment).ok_or(Error::OVERFLOW)?;
    let mut text = Vec::with_capacity(number::MAX_INTEGER_LENGTH);
    number::write_i64(&mut text, sum);
    hash.set(field, &text, FieldTtl::Keep, &bounds, horizon);
    hash.commit(Event::hash("hincrby"), 1);
    ctx.reply.integer(sum);
    DONE
}

/// The sum is propagated as text: another machine's floating point must not come to another one. HSET says
/// it to every version of Redis, but takes a deadline away, so a field that has one needs HSETEX.
pub(super) fn hincrbyfloat(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (key, field) = (args.at(1), args.at(2));
    let increment = LongDouble::parse(args.at(3)).ok_or(Error::NOT_A_FLOAT)?;
    if increment.is_nan_or_infinite() {
        return Err(Error::fixed("ERR value is NaN or Infinity"));
    }
    let (bounds, horizon) = frame(ctx);
    let mut hash = ctx.db.write_or_create(key, Hash::new)?;
    let found = hash.find(field, horizon);
    let old = match found {
        Some((value, _)) => LongDouble::parse(&value.text()).ok_or(Error::fixed("ERR hash value is not a float"))?,
        None => LongDouble::ZERO,
    };
    let expires = found.is_some_and(|(_, deadline)| deadline.is_some());
    let sum = old + increment;
    if sum.is_nan_or_infinite() {
        return Err(Error::NAN_OR_INFINITY);
    }
    let mut text = Vec::with_capacity(24);
    sum.write_human(&mut text);
    hash.set(field, &text, FieldTtl::Keep, &bounds, horizon);
    hash.commit(Event::hash("hincrbyfloat"), 1);
    if expires {
        ctx.propagate(&[b"HSETEX", key, b"KEEPTTL", b"FIELDS", b"1", field, &text]);
    } else {
        ctx.propagate(&[b"HSET", key, field, &text]);
    }
    ctx.reply.bulk(&text);
    DONE
}
