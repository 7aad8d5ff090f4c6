//! Single members: adding, removing, moving, asking, scanning.

use super::{bounds, write_member};
use crate::base::number;
use crate::command::scanning::{ScanOptions, Walked};
use crate::keyspace::effects::Event;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::error::Error;
use crate::types::set::Set;
use crate::types::{Stored, Type};

pub(super) fn sadd(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (bounds, members) = (bounds(ctx), args.from(2));
    let mut set = ctx.db.write_or_create(args.at(1), || Set::for_members(members.at(0), members.len(), bounds))?;
    set.expect_members(members.len(), bounds);
    let added = members.iter().map(|member| u64::from(set.add(member, bounds))).sum();
    if added > 0 {
        set.commit(Event::set("sadd"), added);
    }
    ctx.reply.integer(i64::try_from(added).expect("as many as arguments at most"));
    DONE
}

pub(super) fn srem(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut removed = 0;
    if let Some(mut set) = ctx.db.write::<Set>(args.at(1))? {
        removed = args.from(2).iter().map(|member| u64::from(set.remove(member))).sum();
        if removed > 0 {
            set.commit(Event::set("srem"), removed);
        }
    }
    ctx.reply.integer(i64::try_from(removed).expect("as many as arguments at most"));
    DONE
}

pub(super) fn smove(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (from, to, member) = (args.at(1), args.at(2), args.at(3));
    let (found, target) = (ctx.db.type_of(from), ctx.db.type_of(to));
    if found.is_none() {
        ctx.reply.integer(0);
        return DONE;
    }
    if found != Some(Type::Set) || target.is_some_and(|target| target != Type::Set) {
        return Err(Error::WRONG_TYPE);
    }
    let bounds = bounds(ctx);
    let mut source = ctx.db.write::<Set>(from)?.expect("the key was just seen");
    if from == to {
        ctx.reply.integer(i64::from(source.contains(member)));
        return DONE;
    }
    let moved = source.remove(member);
    if moved {
        source.commit(Event::set("srem"), 1);
        let mut target = ctx.db.write_or_create(to, || Set::for_members(member, 1, bounds))?;
        if target.add(member, bounds) {
            target.commit(Event::set("sadd"), 1);
        }
    }
    ctx.reply.integer(i64::from(moved));
    DONE
}

pub(super) fn scard(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let len = ctx.db.read::<Set>(args.at(1))?.map_or(0, |set| set.len());
    ctx.reply.count(len);
    DONE
}

pub(super) fn sismember(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let found = ctx.db.read::<Set>(args.at(1))?.is_some_and(|set| set.contains(args.at(2)));
    ctx.reply.integer(i64::from(found));
    DONE
}

pub(super) fn smismember(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let set = ctx.db.read::<Set>(args.at(1))?;
    let members = args.from(2);
    ctx.reply.array(members.len());
    for member in members.iter() {
        ctx.reply.integer(i64::from(set.as_ref().is_some_and(|set| set.contains(member))));
    }
    DONE
}

pub(super) fn sscan(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let cursor = number::parse_u64_lenient(args.at(2)).ok_or(Error::BAD_CURSOR)?;
    let mark = ctx.reply.mark();
    let Some(set) = ctx.db.read::<Set>(args.at(1))? else {
        ctx.reply.wrap_scan(mark, 0, 0);
        return DONE;
    };
    let options = ScanOptions::parse(args.from(3), Walked::Set)?;
    let (reply, mut shown) = (&mut ctx.reply, 0);
    let cursor = options.walk(cursor, |cursor, met| {
        set.scan(cursor, |member| {
            *met += 1;
            if options.matches(member.text(&mut [0; 21])) {
                write_member(reply, member);
                shown += 1;
            }
        })
    });
    reply.wrap_scan(mark, cursor, shown);
    DONE
}
