//! Whole keys and whole databases: RENAME, MOVE, COPY, SWAPDB, FLUSHDB, FLUSHALL, DBSIZE.

use crate::keyspace::DbIndex;
use crate::resp::request::Args;
use crate::server::REDIS_VERSION;
use crate::server::client::ClientFlags;
use crate::server::context::{Ctx, DONE, Outcome, Propagation, check_flush_mode, integer};
use crate::server::error::Error;

const SAME: Error = Error::fixed("ERR source and destination objects are the same");

/// A number of a database, as MOVE and COPY read it.
fn small(arg: &[u8]) -> Result<i32, Error> {
    i32::try_from(integer(arg)?).map_err(|_| Error::BEYOND_INT)
}

/// The database of that number.
fn database(ctx: &mut Ctx<'_>, number: i32) -> Result<DbIndex, Error> {
    let index = u32::try_from(number).map(DbIndex).map_err(|_| Error::DB_OUT_OF_RANGE)?;
    if index.at() < ctx.db.space().databases().len() { Ok(index) } else { Err(Error::DB_OUT_OF_RANGE) }
}

pub(super) fn rename(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (from, to) = (args.at(1), args.at(2));
    if !ctx.db.exists_for_write(from) {
        return Err(Error::NO_SUCH_KEY);
    }
    if from != to {
        ctx.db.rename(from, to);
    }
    ctx.reply.ok();
    DONE
}

pub(super) fn renamenx(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (from, to) = (args.at(1), args.at(2));
    if !ctx.db.exists_for_write(from) {
        return Err(Error::NO_SUCH_KEY);
    }
    let free = !ctx.db.exists_for_write(to);
    if free {
        ctx.db.rename(from, to);
    }
    ctx.reply.integer(i64::from(free));
    DONE
}

pub(super) fn move_key(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let key = args.at(1);
    let target = small(args.at(2))?;
    let (source, target) = (ctx.db.index(), database(ctx, target)?);
    if source == target {
        return Err(SAME);
    }
    let moves = ctx.db.exists_for_write(key) && !ctx.db.space().db(target).exists_for_write(key) && ctx.db.move_to(key, target);
    ctx.reply.integer(i64::from(moves));
    DONE
}

pub(super) fn copy(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (from, to) = (args.at(1), args.at(2));
    let (mut target, mut replace, mut at) = (ctx.db.index(), false, 3);
    while at < args.len() {
        if args.is(at, "REPLACE") {
            replace = true;
            at += 1;
        } else if args.is(at, "DB") && at + 1 < args.len() {
            let number = small(args.at(at + 1))?;
            target = database(ctx, number)?;
            at += 2;
        } else {
            return Err(Error::SYNTAX);
        }
    }
    if target == ctx.db.index() && from == to {
        return Err(SAME);
    }
    // the source is read, so a miss counts even where the target forbids the copy
    let found = ctx.db.entry(from).is_some();
    let copies = found && (replace || !ctx.db.space().db(target).exists(to)) && ctx.db.copy(from, target, to);
    ctx.reply.integer(i64::from(copies));
    DONE
}

pub(super) fn swapdb(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let first = small(args.at(1)).map_err(|_| Error::fixed("ERR invalid first DB index"))?;
    let second = small(args.at(2)).map_err(|_| Error::fixed("ERR invalid second DB index"))?;
    let (first, second) = (database(ctx, first)?, database(ctx, second)?);
    ctx.db.space().swap(first, second);
    ctx.reply.ok();
    DONE
}

pub(super) fn flushdb(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    check_flush_mode(args, 1, Error::SYNTAX)?;
    let db = ctx.db.index();
    ctx.db.space().flush(db);
    // an empty database here may have keys at a replica
    ctx.propagation = Propagation::Forced;
    ctx.reply.ok();
    DONE
}

pub(super) fn flushall(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    check_flush_mode(args, 1, Error::SYNTAX)?;
    ctx.db.space().flush_all();
    // a snapshot of what is gone is of use to nobody
    ctx.state.abandon_snapshot();
    if !ctx.state.config.save.is_empty() && !ctx.client().flags.any(ClientFlags::REPLAY) {
        // the file must not bring back what is gone; a failure is logged, and the next snapshot tries again
        let (state, space) = (&mut *ctx.state, ctx.db.space());
        state.place_snapshots();
        let _ = state.snapshots.save(space, &state.config, REDIS_VERSION, state.now);
    }
    ctx.propagation = Propagation::Forced;
    ctx.reply.ok();
    DONE
}

pub(super) fn dbsize(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let keys = ctx.db.database().len();
    ctx.reply.count(keys);
    DONE
}
