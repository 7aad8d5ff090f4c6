//! Drawing at random: SPOP and SRANDMEMBER.
//!
//! What SPOP takes differs from server to server, so its effect is propagated: SREM of the members, or
//! DEL of the key when none is left by a count that takes all.

use super::{bounds, write_member};
use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, draws, number_in};
use crate::server::error::Error;
use crate::types::set::Set;
use crate::types::{Stored, Value};

/// Members that one propagated SREM has at most.
const BATCH: usize = 1024;

pub(super) fn spop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        2 => pop_one(ctx, args.at(1)),
        3 => pop_many(ctx, args.at(1), args.at(2)),
        _ => Err(Error::SYNTAX),
    }
}

fn pop_one(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    let Some(mut guard) = ctx.db.write::<Set>(key)? else {
        ctx.reply.null();
        return DONE;
    };
    let (set, random) = guard.with_random();
    let member = set.pop_one(random).expect("a key has no empty set");
    guard.commit(Event::set("spop"), 1);
    ctx.reply.bulk(&member);
    ctx.propagate(&[b"SREM", key, &member]);
    DONE
}

fn pop_many(ctx: &mut Ctx<'_>, key: &[u8], count: &[u8]) -> Outcome {
    let count = number_in(count, 0..=i64::MAX, Error::NOT_POSITIVE)?;
    let count = usize::try_from(count).expect("checked to be positive");
    let bounds = bounds(ctx);
    let Some(mut guard) = ctx.db.write::<Set>(key)?.filter(|_| count > 0) else {
        ctx.reply.set(0);
        return DONE;
    };
    if count >= guard.len() {
        let popped = std::mem::take(&mut *guard);
        guard.commit(Event::set("spop"), popped.len() as u64);
        ctx.reply.set(popped.len());
        popped.iter().for_each(|member| write_member(&mut ctx.reply, member));
        ctx.db.space().dispose_value(Value::Set(popped));
        let verb: &[u8] = if ctx.state.config.lazyfree_lazy_server_del { b"UNLINK" } else { b"DEL" };
        ctx.propagate(&[verb, key]);
        return DONE;
    }
    let (reply, mut popped) = (&mut ctx.reply, Vec::with_capacity(count));
    reply.set(count);
    let (set, random) = guard.with_random();
    set.pop(count, bounds, random, |member| {
        write_member(reply, member);
        popped.push(member.to_vec());
    });
    guard.commit(Event::set("spop"), count as u64);
    for batch in popped.chunks(BATCH) {
        let mut words: Vec<&[u8]> = vec![b"SREM", key];
        words.extend(batch.iter().map(Vec::as_slice));
        ctx.propagate(&words);
    }
    DONE
}

pub(super) fn srandmember(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    match args.len() {
        2 => {
            match ctx.db.read::<Set>(args.at(1))? {
                Some(set) => write_member(&mut ctx.reply, set.random(&mut ctx.state.random).expect("a key has no empty set")),
                None => ctx.reply.null(),
            }
            DONE
        }
        3 => draw_many(ctx, args.at(1), args.at(2)),
        _ => Err(Error::SYNTAX),
    }
}

/// Below zero the count is of draws that may repeat, else of different members.
fn draw_many(ctx: &mut Ctx<'_>, key: &[u8], count: &[u8]) -> Outcome {
    let count = draws(count)?;
    let wanted = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let (reply, random) = (&mut ctx.reply, &mut ctx.state.random);
    let Some(set) = ctx.db.read::<Set>(key)?.filter(|_| wanted > 0) else {
        reply.array(0);
        return DONE;
    };
    if count < 0 {
        reply.array(wanted);
        set.draw(wanted, random, |member| write_member(reply, member));
    } else {
        reply.array(wanted.min(set.len()));
        set.sample(wanted, random, |member| write_member(reply, member));
    }
    DONE
}
