//! DEL (and UNLINK, which is the same here: what takes long to free is always freed elsewhere), EXISTS,
//! TOUCH and TYPE.

use crate::keyspace::Db;
use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome};

pub(super) fn del(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    count(ctx, args, |db, key| db.remove(key, Event::generic("del")))
}

pub(super) fn exists(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    count(ctx, args, |db, key| db.look(key).is_some())
}

pub(super) fn touch(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    // CLIENT NO-TOUCH is about all other commands
    let touches = std::mem::replace(&mut ctx.db.space().touches, true);
    let outcome = count(ctx, args, |db, key| db.entry(key).is_some());
    ctx.db.space().touches = touches;
    outcome
}

/// Replies with the number of keys named that `work` says yes to.
fn count(ctx: &mut Ctx<'_>, args: Args<'_>, mut work: impl FnMut(&mut Db<'_>, &[u8]) -> bool) -> Outcome {
    let mut count = 0;
    ctx.db.for_each_key(args, 1, 1, |db, at| count += i64::from(work(db, args.at(at))));
    ctx.reply.integer(count);
    DONE
}

pub(super) fn type_of(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let name = ctx.db.look(args.at(1)).map_or("none", |entry| entry.kind().type_of().name());
    ctx.reply.simple(name);
    DONE
}
