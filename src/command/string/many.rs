//! Strings of several keys at once: MGET, MSET, MSETNX and MSETEX.

use super::condition::Condition;
use super::expiration::Expiration;
use crate::base::number;
use crate::keyspace::effects::Event;
use crate::keyspace::write::Ttl;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::error::Error;
use crate::types::string::StringRef;

pub(super) fn mget(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let reply = &mut ctx.reply;
    reply.array(args.len() - 1);
    ctx.db.for_each_key(args, 1, 1, |db, at| match db.read_string(args.at(at)) {
        Ok(Some(value)) => reply.string(value),
        // a key of another type is as good as none
        Ok(None) | Err(_) => reply.null(),
    });
    DONE
}

/// Sets the pairs of key and value that begin at `first`.
fn set_pairs(ctx: &mut Ctx<'_>, args: Args<'_>, first: usize, ttl: Ttl) {
    const EVENTS: &[Event] = &[Event::string("set"), Event::generic("expire")];
    let events = if matches!(ttl, Ttl::At(_)) { EVENTS } else { &EVENTS[..1] };
    ctx.db.for_each_key(args, first, 2, |db, at| {
        db.set_string(args.at(at), StringRef::encode(args.at(at + 1)), ttl, events);
    });
}

/// The arguments of MSET and MSETNX are whole pairs.
fn check_pairs(args: Args<'_>, name: &str) -> Result<(), Error> {
    if args.len() % 2 == 1 { Ok(()) } else { Err(Error::arity(name)) }
}

pub(super) fn mset(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    check_pairs(args, "mset")?;
    set_pairs(ctx, args, 1, Ttl::Clear);
    ctx.reply.ok();
    DONE
}

pub(super) fn msetnx(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    check_pairs(args, "msetnx")?;
    let free = all_hold(ctx, args, 1, Condition::Absent)?;
    if free {
        set_pairs(ctx, args, 1, Ttl::Clear);
    }
    ctx.reply.integer(i64::from(free));
    DONE
}

/// Whether a condition is true of every key of the pairs that begin at `first`.
fn all_hold(ctx: &mut Ctx<'_>, args: Args<'_>, first: usize, condition: Condition<'_>) -> Result<bool, Error> {
    for at in (first..args.len()).step_by(2) {
        if !condition.holds(&mut ctx.db, args.at(at))? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn msetex(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let bad_count = Error::fixed("ERR invalid numkeys value or out of range");
    let count = number::parse_i64(args.at(1)).filter(|count| (1..=i64::from(i32::MAX)).contains(count)).ok_or(bad_count)?;
    let count = usize::try_from(count).expect("a positive number of 31 bits");
    let end = 2 + count * 2;
    if end > args.len() {
        return Err(Error::SYNTAX);
    }
    let (mut condition, mut expiration, mut at) = (Condition::Always, Expiration::None, end);
    while at < args.len() {
        at = match expiration.parse(args, at) {
            Some(next) => next,
            None if args.is(at, "NX") || args.is(at, "XX") => condition.parse(args, at).ok_or(Error::SYNTAX)?,
            None => return Err(Error::SYNTAX),
        };
    }
    if expiration == Expiration::Persist {
        return Err(Error::SYNTAX);
    }
    let ttl = expiration.ttl(ctx)?;
    let pairs = args.slice(0..end);
    let holds = all_hold(ctx, pairs, 2, condition)?;
    if holds {
        set_pairs(ctx, pairs, 2, ttl);
        propagate_deadline(ctx, pairs, ttl);
    }
    ctx.reply.integer(i64::from(holds));
    DONE
}

/// Propagates an MSETEX whose deadline is relative to now with the point in time that it came to, and without its condition,
/// which held: a key that comes twice, and whose deadline has passed, is gone before it is set again.
fn propagate_deadline(ctx: &mut Ctx<'_>, pairs: Args<'_>, ttl: Ttl) {
    let Ttl::At(deadline) = ttl else { return };
    let mut words: Vec<&[u8]> = pairs.iter().collect();
    let deadline = deadline.0.to_string();
    words.extend_from_slice(&[b"PXAT", deadline.as_bytes()]);
    ctx.propagate(&words);
}
