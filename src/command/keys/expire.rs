//! Deadlines of keys: EXPIRE and its three siblings, PERSIST, and TTL and its three siblings.
//!
//! A deadline is propagated as the point in time it came to. One that has passed removes the key at once,
//! except at a replica, where only the primary removes keys.

use crate::base::clock::Millis;
use crate::command::deadline::TimeUnit;
use crate::keyspace::effects::Event;
use crate::keyspace::expiry::Expiry;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;

pub(super) fn expire(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_deadline(ctx, args, TimeUnit::Seconds)
}

pub(super) fn pexpire(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_deadline(ctx, args, TimeUnit::Milliseconds)
}

pub(super) fn expireat(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_deadline(ctx, args, TimeUnit::UnixSeconds)
}

pub(super) fn pexpireat(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_deadline(ctx, args, TimeUnit::UnixMilliseconds)
}

/// When the new deadline is to be set.
#[derive(Default)]
struct Condition {
    nx: bool,
    xx: bool,
    gt: bool,
    lt: bool,
}

impl Condition {
    fn parse(args: Args<'_>) -> Result<Condition, Error> {
        let mut condition = Condition::default();
        for word in args.iter() {
            match word.to_ascii_uppercase().as_slice() {
                b"NX" => condition.nx = true,
                b"XX" => condition.xx = true,
                b"GT" => condition.gt = true,
                b"LT" => condition.lt = true,
                _ => return Err(Error::quoting("ERR Unsupported option {}", &[word])),
            }
        }
        if condition.nx && (condition.xx || condition.gt || condition.lt) {
            return Err(Error::fixed("ERR NX and XX, GT or LT options at the same time are not compatible"));
        }
        if condition.gt && condition.lt {
            return Err(Error::fixed("ERR GT and LT options at the same time are not compatible"));
        }
        Ok(condition)
    }

    /// Whether it is true. A key without a deadline counts as one whose deadline is never.
    fn holds(&self, old: Option<Millis>, new: Millis) -> bool {
        match old {
            None => !self.xx && !self.gt,
            Some(old) => !(self.nx || self.gt && new <= old || self.lt && new >= old),
        }
    }
}

fn set_deadline(ctx: &mut Ctx<'_>, args: Args<'_>, unit: TimeUnit) -> Outcome {
    let condition = Condition::parse(args.from(3))?;
    let deadline = unit.deadline(integer(args.at(2))?, ctx.now()).ok_or_else(|| Error::bad_expire(ctx.row().name))?;
    let key = args.at(1);
    let holds = ctx.db.deadline(key).is_some_and(|old| condition.holds(old, deadline));
    if holds {
        if deadline <= ctx.now() && ctx.db.space().expiry == Expiry::Remove {
            ctx.db.remove(key, Event::generic("del"));
            ctx.propagate(&[b"DEL", key]);
        } else {
            ctx.db.set_deadline(key, Some(deadline), Event::generic("expire"));
            propagate(ctx, args, deadline);
        }
    }
    ctx.reply.integer(i64::from(holds));
    DONE
}

fn propagate(ctx: &mut Ctx<'_>, args: Args<'_>, deadline: Millis) {
    if !ctx.db.space().effects.recording {
        return;
    }
    let text = deadline.0.to_string();
    let mut words: Vec<&[u8]> = vec![b"PEXPIREAT", args.at(1), text.as_bytes()];
    words.extend(args.from(3).iter());
    ctx.propagate(&words);
}

pub(super) fn persist(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let volatile = ctx.db.exists_for_write(key) && ctx.db.deadline(key).flatten().is_some();
    if volatile {
        ctx.db.set_deadline(key, None, Event::generic("persist"));
    }
    ctx.reply.integer(i64::from(volatile));
    DONE
}

pub(super) fn ttl(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    show_deadline(ctx, args, TimeUnit::Seconds)
}

pub(super) fn pttl(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    show_deadline(ctx, args, TimeUnit::Milliseconds)
}

pub(super) fn expiretime(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    show_deadline(ctx, args, TimeUnit::UnixSeconds)
}

pub(super) fn pexpiretime(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    show_deadline(ctx, args, TimeUnit::UnixMilliseconds)
}

/// Replies with the deadline of a key, -1 without one, -2 without the key. Seconds are rounded to the nearest.
fn show_deadline(ctx: &mut Ctx<'_>, args: Args<'_>, unit: TimeUnit) -> Outcome {
    let now = ctx.now();
    let shown = match ctx.db.look(args.at(1)).map(|entry| entry.deadline()) {
        None => -2,
        Some(None) => -1,
        Some(Some(deadline)) => {
            let millis = unit.millis_of(deadline, now);
            if unit.is_seconds() { millis / 1000 + i64::from(millis % 1000 >= 500) } else { millis }
        }
    };
    ctx.reply.integer(shown);
    DONE
}
