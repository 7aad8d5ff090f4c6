//! The list commands that wait for an element: BLPOP, BRPOP, BLMOVE, BRPOPLPUSH, BLMPOP.
//!
//! Each does what its plain sibling does if there is an element, and is propagated as that sibling;
//! else it asks to be run again when one of its keys holds a list.

use super::{Moved, fill, move_one, multi_pop, pop_first, pop_name, pop_one};
use crate::base::clock::Millis;
use crate::ds::deque::End;
use crate::resp::request::Args;
use crate::server::context::{Block, Ctx, DONE, Outcome, timeout};
use crate::types::Type;
use crate::types::list::List;

pub(super) fn blpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop(ctx, args, End::Front)
}

pub(super) fn brpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    pop(ctx, args, End::Back)
}

fn pop(ctx: &mut Ctx<'_>, args: Args<'_>, end: End) -> Outcome {
    let last = args.len() - 1;
    let deadline = timeout(args.at(last), ctx.now())?;
    let (keys, fill) = (args.slice(1..last), fill(ctx));
    for key in keys.iter() {
        let Some(list) = ctx.db.write::<List>(key)? else { continue };
        ctx.reply.array(2);
        ctx.reply.bulk(key);
        pop_one(list, &mut ctx.reply, end, fill);
        ctx.propagate(&[pop_name(end), key]);
        return DONE;
    }
    Block::for_keys(keys.iter(), Type::List, deadline)
}

pub(super) fn blmove(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (from, to) = (super::end(args.at(3))?, super::end(args.at(4))?);
    let deadline = timeout(args.at(5), ctx.now())?;
    if move_one(ctx, args.at(1), args.at(2), from, to)? == Moved::Nothing {
        return wait_for_source(ctx, args, deadline);
    }
    ctx.propagate(&[b"LMOVE", args.at(1), args.at(2), args.at(3), args.at(4)]);
    DONE
}

pub(super) fn brpoplpush(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let deadline = timeout(args.at(3), ctx.now())?;
    if move_one(ctx, args.at(1), args.at(2), End::Back, End::Front)? == Moved::Nothing {
        return wait_for_source(ctx, args, deadline);
    }
    ctx.propagate(&[b"RPOPLPUSH", args.at(1), args.at(2)]);
    DONE
}

/// As in Redis, what could not wait gets a null string and what waited in vain a null array.
fn wait_for_source(ctx: &mut Ctx<'_>, args: Args<'_>, deadline: Option<Millis>) -> Outcome {
    if ctx.must_not_block {
        ctx.reply.null();
        return DONE;
    }
    Block::for_keys(args.slice(1..2).iter(), Type::List, deadline)
}

pub(super) fn blmpop(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let wanted = multi_pop(args.from(2))?;
    let deadline = timeout(args.at(1), ctx.now())?;
    if pop_first(ctx, &wanted)? == Moved::One {
        return DONE;
    }
    Block::for_keys(wanted.keys.iter(), Type::List, deadline)
}
