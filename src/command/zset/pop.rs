//! Popping from either end, with and without waiting.

use super::{write_member, write_pair};
use crate::base::number;
use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::server::context::{Block, Ctx, DONE, Outcome, number_in, timeout};
use crate::server::error::Error;
use crate::types::zset::Zset;
use crate::types::{Stored, Type};

/// Which end is popped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

impl End {
    fn event(self) -> &'static str {
        match self {
            End::Min => "zpopmin",
            End::Max => "zpopmax",
        }
    }

    fn command(self) -> &'static [u8] {
        match self {
            End::Min => b"ZPOPMIN",
            End::Max => b"ZPOPMAX",
        }
    }
}

/// The shape of the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Members and scores by turns.
    Flat,
    /// Members and scores by turns in RESP2, pairs in RESP3.
    Pairs,
    /// The key, and one member with its score.
    KeyAndOne,
    /// The key, and an array of pairs.
    KeyAndPairs,
}

/// Pops up to `count` members of a sorted set and replies them; gives how many, 0 if there is no such key.
fn pop(ctx: &mut Ctx<'_>, key: &[u8], end: End, count: usize, shape: Shape) -> Result<usize, Error> {
    let Some(mut guard) = ctx.db.write::<Zset>(key)? else { return Ok(0) };
    let len = guard.len();
    let count = count.min(len);
    let ranks = match end {
        End::Min => 0..count,
        End::Max => len - count..len,
    };
    let reply = &mut ctx.reply;
    match shape {
        Shape::Flat => reply.array(count * 2),
        Shape::Pairs => reply.array(if reply.is_resp3() { count } else { count * 2 }),
        Shape::KeyAndOne => {
            reply.array(3);
            reply.bulk(key);
        }
        Shape::KeyAndPairs => {
            reply.array(2);
            reply.bulk(key);
            reply.array(count);
        }
    }
    let members = match end {
        End::Min => guard.range(ranks.clone()),
        End::Max => guard.range_back(ranks.clone()),
    };
    for (member, score) in members {
        match shape {
            Shape::Pairs => write_pair(reply, member, score),
            Shape::Flat | Shape::KeyAndOne => {
                write_member(reply, member);
                reply.double(score);
            }
            Shape::KeyAndPairs => {
                reply.array(2);
                write_member(reply, member);
                reply.double(score);
            }
        }
    }
    if count > 0 {
        guard.remove_ranks(ranks);
        guard.commit(Event::zset(end.event()), count as u64);
    }
    Ok(count)
}

pub(super) fn zpopmin(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop_one_key(ctx, args, End::Min)
}

pub(super) fn zpopmax(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop_one_key(ctx, args, End::Max)
}

fn pop_one_key(ctx: &mut Ctx<'_>, args: Args<'_>, end: End) -> Outcome {
    if args.len() > 3 {
        return Err(Error::SYNTAX);
    }
    let (count, shape) = match args.get(2) {
        None => (1, Shape::Flat),
        Some(count) => {
            let count = number::parse_i64(count).and_then(|count| usize::try_from(count).ok()).ok_or(Error::NOT_POSITIVE)?;
            (count, Shape::Pairs)
        }
    };
    let mark = ctx.reply.mark();
    if pop(ctx, args.at(1), end, count, shape)? == 0 {
        ctx.reply.cut_back(mark);
        ctx.reply.array(0);
    }
    DONE
}

pub(super) fn bzpopmin(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop_or_wait(ctx, args, End::Min)
}

pub(super) fn bzpopmax(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop_or_wait(ctx, args, End::Max)
}

fn pop_or_wait(ctx: &mut Ctx<'_>, args: Args<'_>, end: End) -> Outcome {
    let last = args.len() - 1;
    let deadline = timeout(args.at(last), ctx.now())?;
    let keys = args.slice(1..last);
    for key in keys.iter() {
        if pop(ctx, key, end, 1, Shape::KeyAndOne)? > 0 {
            ctx.propagate(&[end.command(), key]);
            return DONE;
        }
    }
    Block::for_keys(keys.iter(), Type::Zset, deadline)
}

/// `numkeys key... MIN|MAX [COUNT count]`
struct Many<'a> {
    keys: Args<'a>,
    end: End,
    count: usize,
}

impl<'a> Many<'a> {
    /// Parses from `numkeys` at argument `at` on.
    fn parse(args: Args<'a>, at: usize) -> Result<Self, Error> {
        const NO_KEYS: Error = Error::fixed("ERR numkeys should be greater than 0");
        const NO_COUNT: Error = Error::fixed("ERR count should be greater than 0");
        let positive =
            |arg: &[u8], error: Error| Ok::<_, Error>(usize::try_from(number_in(arg, 1..=i64::MAX, error)?).unwrap_or(usize::MAX));
        let number = positive(args.at(at), NO_KEYS)?;
        let end_at = number.checked_add(at + 1).filter(|&end_at| end_at < args.len()).ok_or(Error::SYNTAX)?;
        let end = if args.is(end_at, "min") {
            End::Min
        } else if args.is(end_at, "max") {
            End::Max
        } else {
            return Err(Error::SYNTAX);
        };
        let count = match args.len() - end_at {
            1 => 1,
            _ if !args.is(end_at + 1, "count") => return Err(Error::SYNTAX),
            2 => return Err(Error::SYNTAX),
            left => {
                let count = positive(args.at(end_at + 2), NO_COUNT)?;
                if left > 3 {
                    return Err(Error::SYNTAX);
                }
                count
            }
        };
        Ok(Many { keys: args.slice(at + 1..end_at), end, count })
    }

    /// Pops from the first key that has something; gives whether one had.
    fn pop(&self, ctx: &mut Ctx<'_>) -> Result<bool, Error> {
        for key in self.keys.iter() {
            let popped = pop(ctx, key, self.end, self.count, Shape::KeyAndPairs)?;
            if popped > 0 {
                ctx.propagate(&[self.end.command(), key, popped.to_string().as_bytes()]);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

pub(super) fn zmpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let many = Many::parse(args, 1)?;
    if !many.pop(ctx)? {
        ctx.reply.null_array();
    }
    DONE
}

pub(super) fn bzmpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let many = Many::parse(args, 2)?;
    let deadline = timeout(args.at(1), ctx.now())?;
    if many.pop(ctx)? { DONE } else { Block::for_keys(many.keys.iter(), Type::Zset, deadline) }
}
