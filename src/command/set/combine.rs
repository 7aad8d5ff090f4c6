//! Several sets together: intersection, union, difference, their stored forms, and SMEMBERS, the
//! intersection of one.
//!
//! All inputs are looked at side by side. What is stored takes the form that Redis gives it: each
//! operation builds its result as Redis does, from the same start by the same additions.

use super::{bounds, write_member};
use crate::keyspace::Db;
use crate::keyspace::effects::Event;
use crate::keyspace::entry::View;
use crate::keyspace::write::Ttl;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::types::set::{Bounds, Element, PROBES, Set};
use crate::types::{Stored, Type};

/// The sets of these keys, as far as there are any.
fn sources<'a>(db: &'a mut Db<'_>, keys: Args<'_>) -> Result<Vec<Option<View<'a, Set>>>, Error> {
    for key in keys.iter() {
        if db.entry(key).is_some_and(|entry| entry.kind().type_of() != Type::Set) {
            return Err(Error::WRONG_TYPE);
        }
    }
    let db = &*db;
    Ok(keys.iter().map(|key| db.resident(key)?.view::<Set>()).collect())
}

/// Whether a walk may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Enough {
    Yes,
    No,
}

/// Visits the members that all sets have, walking over the smallest, until `visit` says that it has enough.
/// `None` among the sets stands for an empty one.
fn intersect(sets: &[Option<View<'_, Set>>], mut visit: impl FnMut(Element<'_>) -> Enough) {
    let Some(mut sets) = sets.iter().map(Option::as_deref).collect::<Option<Vec<&Set>>>() else { return };
    sets.sort_by_key(|set| set.len());
    let (smallest, others) = sets.split_first().expect("a command names at least one key");
    let mut members = smallest.iter();
    let mut batch: Vec<Element<'_>> = Vec::with_capacity(PROBES);
    loop {
        batch.extend(members.by_ref().take(PROBES));
        if batch.is_empty() {
            return;
        }
        others.iter().for_each(|other| other.retain_contained(&mut batch));
        for member in batch.drain(..) {
            if visit(member) == Enough::Yes {
                return;
            }
        }
    }
}

pub(super) fn sinter(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let sets = sources(&mut ctx.db, args.from(1))?;
    let (reply, mut count) = (&mut ctx.reply, 0);
    let body = reply.mark();
    intersect(&sets, |member| {
        write_member(reply, member);
        count += 1;
        Enough::No
    });
    reply.wrap_set(body, count);
    DONE
}

pub(super) fn smembers(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let set = ctx.db.read::<Set>(args.at(1))?;
    ctx.reply.set(set.as_ref().map_or(0, |set| set.len()));
    for member in set.iter().flat_map(|set| set.iter()) {
        write_member(&mut ctx.reply, member);
    }
    DONE
}

pub(super) fn sinterstore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let bounds = bounds(ctx);
    let sets = sources(&mut ctx.db, args.from(2))?;
    let smallest = sets.iter().flatten().min_by_key(|set| set.len());
    let mut result = match smallest.map(|set| set.as_ints().is_some()) {
        Some(false) => Set::packed(),
        _ => Set::new(),
    };
    intersect(&sets, |member| {
        result.add_element(member, bounds);
        Enough::No
    });
    drop(sets);
    result.reduce_to_ints(bounds);
    store(ctx, args.at(1), result, "sinterstore")
}

pub(super) fn sintercard(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    const TOO_FEW: Error = Error::fixed("ERR numkeys should be greater than 0");
    const TOO_MANY: Error = Error::fixed("ERR Number of keys can't be greater than number of args");
    const NEGATIVE_LIMIT: Error = Error::fixed("ERR LIMIT can't be negative");
    let number = integer(args.at(1)).ok().and_then(|number| usize::try_from(number).ok()).filter(|&number| number > 0);
    let number = number.ok_or(TOO_FEW)?;
    if number > args.len() - 2 {
        return Err(TOO_MANY);
    }
    let (keys, options) = (args.slice(2..2 + number), args.from(2 + number));
    let mut limit = 0;
    for at in (0..options.len()).step_by(2) {
        let value = options.get(at + 1).filter(|_| options.is(at, "limit")).ok_or(Error::SYNTAX)?;
        limit = integer(value).ok().and_then(|limit| usize::try_from(limit).ok()).ok_or(NEGATIVE_LIMIT)?;
    }
    let sets = sources(&mut ctx.db, keys)?;
    let mut count = 0;
    intersect(&sets, |_| {
        count += 1;
        if count == limit { Enough::Yes } else { Enough::No }
    });
    ctx.reply.count(count);
    DONE
}

/// Adds the members of all sets to `result`.
fn unite(sets: &[Option<View<'_, Set>>], result: &mut Set, bounds: Bounds) {
    for member in sets.iter().flatten().flat_map(|set| set.iter()) {
        result.add_element(member, bounds);
    }
}

pub(super) fn sunion(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let bounds = bounds(ctx);
    let sets = sources(&mut ctx.db, args.from(1))?;
    let mut result = scratch(&sets, bounds);
    unite(&sets, &mut result, bounds);
    ctx.reply.set(result.len());
    result.iter().for_each(|member| write_member(&mut ctx.reply, member));
    DONE
}

/// An empty set to gather a reply in: integers as long as all are, else the form that is quick to search.
fn scratch(sets: &[Option<View<'_, Set>>], bounds: Bounds) -> Set {
    if sets.iter().flatten().all(|set| set.as_ints().is_some()) { Set::new() } else { Set::large(bounds.hasher) }
}

pub(super) fn sunionstore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let bounds = bounds(ctx);
    let sets = sources(&mut ctx.db, args.from(2))?;
    let mut result = Set::new();
    unite(&sets, &mut result, bounds);
    drop(sets);
    store(ctx, args.at(1), result, "sunionstore")
}

pub(super) fn sdiff(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (bounds, keys) = (bounds(ctx), args.from(1));
    let sets = sources(&mut ctx.db, keys)?;
    let mut result = scratch(&sets, bounds);
    subtract(&sets, keys, &mut result, bounds);
    ctx.reply.set(result.len());
    result.iter().for_each(|member| write_member(&mut ctx.reply, member));
    DONE
}

pub(super) fn sdiffstore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (bounds, keys) = (bounds(ctx), args.from(2));
    let sets = sources(&mut ctx.db, keys)?;
    let mut result = Set::new();
    subtract(&sets, keys, &mut result, bounds);
    drop(sets);
    store(ctx, args.at(1), result, "sdiffstore")
}

/// Adds to `result` the members of the first set that no other has: either by asking the others for each of
/// them, or by removing the others' members from a copy, whichever is less work.
fn subtract(sets: &[Option<View<'_, Set>>], keys: Args<'_>, result: &mut Set, bounds: Bounds) {
    let (first, others) = sets.split_first().expect("a command names at least one key");
    let Some(first) = first else { return };
    if keys.iter().skip(1).any(|key| key == keys.at(0)) {
        return;
    }
    let mut others: Vec<&Set> = others.iter().flatten().map(|set| &**set).collect();
    let asking = (others.len() + 1).saturating_mul(first.len()) / 2;
    let copying = others.iter().map(|set| set.len()).sum::<usize>() + first.len();
    if asking <= copying {
        // the largest is the most likely to have a member
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        for member in first.iter() {
            if !others.iter().any(|other| other.contains_element(member)) {
                result.add_element(member, bounds);
            }
        }
        return;
    }
    for member in first.iter() {
        result.add_element(member, bounds);
    }
    for other in others {
        if result.is_empty() {
            return;
        }
        other.iter().for_each(|member| drop_member(result, member));
    }
}

fn drop_member(result: &mut Set, member: Element) {
    result.remove_element(member);
}

/// Stores the result, or removes the key if there is none.
fn store(ctx: &mut Ctx<'_>, key: &[u8], result: Set, event: &'static str) -> Outcome {
    let len = result.len();
    if len == 0 {
        ctx.db.remove(key, Event::generic("del"));
    } else {
        ctx.db.set_value(key, result, Ttl::Clear, &[Event::set(event)]);
    }
    ctx.reply.count(len);
    DONE
}
