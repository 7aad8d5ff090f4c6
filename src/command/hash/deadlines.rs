//! Deadlines of fields: HEXPIRE and its three siblings, HPERSIST, and HTTL and its three siblings.
//!
//! All take `FIELDS count field...` at a fixed place and answer with a number for each field; -2 says that
//! there is no such field. A deadline is propagated as the point in time it came to, with the fields that
//! it was set for; one that has passed removes the field at once, which is propagated as HDEL.

use crate::base::clock::Millis;
use crate::command::deadline::TimeUnit;
use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::Type;
use crate::types::hash::{Hash, MAX_DEADLINE};

/// There is no such field.
const NO_FIELD: i64 = -2;
/// The field has no deadline.
const NO_DEADLINE: i64 = -1;
/// The condition was not met.
const UNMET: i64 = 0;
/// The deadline was set or cleared.
const CHANGED: i64 = 1;
/// The deadline had passed: the field is gone.
const REMOVED: i64 = 2;

/// The key holds no other type; Redis looks at that before it looks at the arguments.
pub(super) fn check_type(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<(), Error> {
    match ctx.db.type_of(key) {
        Some(other) if other != Type::Hash => Err(Error::WRONG_TYPE),
        _ => Ok(()),
    }
}

/// The fields of `FIELDS count field...` at `at`, up to the end; `bad_count` is for a count that is none.
pub(super) fn fields<'a>(args: Args<'a>, at: usize, bad_count: Error) -> Result<Args<'a>, Error> {
    if !args.get(at).is_some_and(|word| word.eq_ignore_ascii_case(b"FIELDS")) {
        return Err(Error::fixed("ERR Mandatory argument FIELDS is missing or not at the right position"));
    }
    let count = args.get(at + 1).and_then(|count| integer(count).ok()).filter(|&count| count > 0).ok_or(bad_count)?;
    let fields = args.from(at + 2);
    if usize::try_from(count) != Ok(fields.len()) {
        return Err(Error::fixed("ERR The `numfields` parameter must match the number of arguments"));
    }
    Ok(fields)
}

/// The text for a bad count that all but HEXPIRE and its siblings use.
pub(super) const BAD_COUNT: Error = Error::fixed("ERR Number of fields must be a positive integer");

/// The point in time that a number names.
pub(super) fn deadline(ctx: &Ctx<'_>, number: &[u8], unit: TimeUnit) -> Result<Millis, Error> {
    let number = integer(number)?;
    if number < 0 {
        return Err(Error::fixed("ERR invalid expire time, must be >= 0"));
    }
    unit.deadline(number, ctx.now()).filter(|&deadline| deadline <= MAX_DEADLINE).ok_or_else(|| Error::bad_expire(ctx.row().name))
}

pub(super) fn hexpire(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_deadlines(ctx, args, TimeUnit::Seconds)
}

pub(super) fn hpexpire(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_deadlines(ctx, args, TimeUnit::Milliseconds)
}

pub(super) fn hexpireat(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_deadlines(ctx, args, TimeUnit::UnixSeconds)
}

pub(super) fn hpexpireat(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_deadlines(ctx, args, TimeUnit::UnixMilliseconds)
}

/// When the new deadline is to be set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Always,
    Nx,
    Xx,
    Gt,
    Lt,
}

impl Condition {
    fn parse(word: &[u8]) -> Condition {
        match word.to_ascii_uppercase().as_slice() {
            b"NX" => Condition::Nx,
            b"XX" => Condition::Xx,
            b"GT" => Condition::Gt,
            b"LT" => Condition::Lt,
            _ => Condition::Always,
        }
    }

    /// Whether it is met. A field without a deadline counts as one whose deadline is never.
    fn holds(self, old: Option<Millis>, new: Millis) -> bool {
        match self {
            Condition::Always => true,
            Condition::Nx => old.is_none(),
            Condition::Xx => old.is_some(),
            Condition::Gt => old.is_some_and(|old| new > old),
            Condition::Lt => old.is_none_or(|old| new < old),
        }
    }
}

fn set_deadlines(ctx: &mut Ctx<'_>, args: Args<'_>, unit: TimeUnit) -> Outcome {
    let key = args.at(1);
    check_type(ctx, key)?;
    let deadline = deadline(ctx, args.at(2), unit)?;
    let condition = Condition::parse(args.at(3));
    let at = if condition == Condition::Always { 3 } else { 4 };
    let fields = fields(args, at, Error::fixed("ERR Parameter `numFields` should be greater than 0"))?;
    let (horizon, past) = (ctx.db.horizon(), ctx.db.is_past(deadline));
    ctx.reply.array(fields.len());
    let Some(mut hash) = ctx.db.write::<Hash>(key)? else {
        fields.iter().for_each(|_| ctx.reply.integer(NO_FIELD));
        return DONE;
    };
    hash.make_triplets();
    let mut touched: Vec<&[u8]> = Vec::new();
    for field in fields.iter() {
        let answer = match hash.find(field, horizon) {
            None => NO_FIELD,
            Some((_, old)) if !condition.holds(old, deadline) => UNMET,
            Some(_) if past => {
                hash.remove(field, horizon);
                REMOVED
            }
            Some(_) => {
                hash.set_deadline(field, Some(deadline));
                CHANGED
            }
        };
        if answer > UNMET {
            touched.push(field);
        }
        ctx.reply.integer(answer);
    }
    if !touched.is_empty() {
        hash.commit(Event::hash(if past { "hdel" } else { "hexpire" }), touched.len() as u64);
        if past {
            propagate_removals(ctx, key, &touched);
        } else {
            let condition = if condition == Condition::Always { None } else { Some(args.at(3)) };
            propagate_deadline(ctx, key, deadline, condition, &touched);
        }
    }
    DONE
}

/// Propagates the removal of fields whose new deadline has passed.
pub(super) fn propagate_removals(ctx: &mut Ctx<'_>, key: &[u8], fields: &[&[u8]]) {
    for field in fields {
        ctx.propagate(&[b"HDEL", key, field]);
    }
}

/// Propagates a deadline of some fields as a point in time.
pub(super) fn propagate_deadline(ctx: &mut Ctx<'_>, key: &[u8], deadline: Millis, condition: Option<&[u8]>, fields: &[&[u8]]) {
    let (deadline, count) = (deadline.0.to_string(), fields.len().to_string());
    let mut words: Vec<&[u8]> = vec![b"HPEXPIREAT", key, deadline.as_bytes()];
    words.extend(condition);
    words.extend([b"FIELDS", count.as_bytes()]);
    words.extend(fields);
    ctx.propagate(&words);
}

pub(super) fn hpersist(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    check_type(ctx, key)?;
    let fields = fields(args, 2, BAD_COUNT)?;
    let horizon = ctx.db.horizon();
    ctx.reply.array(fields.len());
    let Some(mut hash) = ctx.db.write::<Hash>(key)? else {
        fields.iter().for_each(|_| ctx.reply.integer(NO_FIELD));
        return DONE;
    };
    let mut changes = 0;
    for field in fields.iter() {
        ctx.reply.integer(match hash.find(field, horizon) {
            None => NO_FIELD,
            Some((_, None)) => NO_DEADLINE,
            Some((_, Some(_))) => {
                hash.set_deadline(field, None);
                changes += 1;
                CHANGED
            }
        });
    }
    if changes > 0 {
        hash.commit(Event::hash("hpersist"), changes);
    }
    DONE
}

pub(super) fn httl(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    show_deadlines(ctx, args, TimeUnit::Seconds)
}

pub(super) fn hpttl(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    show_deadlines(ctx, args, TimeUnit::Milliseconds)
}

pub(super) fn hexpiretime(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    show_deadlines(ctx, args, TimeUnit::UnixSeconds)
}

pub(super) fn hpexpiretime(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    show_deadlines(ctx, args, TimeUnit::UnixMilliseconds)
}

/// Replies with the deadlines of fields. Seconds are rounded up.
fn show_deadlines(ctx: &mut Ctx<'_>, args: Args<'_>, unit: TimeUnit) -> Outcome {
    let (now, horizon) = (ctx.now(), ctx.db.horizon());
    let hash = ctx.db.read::<Hash>(args.at(1))?;
    let fields = fields(args, 2, BAD_COUNT)?;
    ctx.reply.array(fields.len());
    for field in fields.iter() {
        ctx.reply.integer(match hash.as_ref().and_then(|hash| hash.find(field, horizon)) {
            None => NO_FIELD,
            Some((_, None)) => NO_DEADLINE,
            Some((_, Some(deadline))) => {
                let millis = unit.millis_of(deadline, now);
                if unit.is_seconds() { millis / 1000 + i64::from(millis % 1000 > 0) } else { millis }
            }
        });
    }
    DONE
}
