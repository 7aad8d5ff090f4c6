//! Transactions.

use crate::resp::request::Args;
use crate::server::client::ClientFlags;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::row::{Command, Flags, KeySpec, RO};

const ALWAYS: Flags = Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE);
const QUICK: Flags = ALWAYS.or(Flags::FAST).or(Flags::ALLOW_BUSY);

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "multi",
        summary: "Starts a transaction.",
        since: "1.2.0",
        group: "transactions",
        arity: 1,
        flags: QUICK,
        acl: &["transaction"],
        handler: multi,
        ..Command::BASE
    },
    Command {
        name: "exec",
        summary: "Executes all commands in a transaction.",
        since: "1.2.0",
        group: "transactions",
        complexity: "Depends on commands in the transaction",
        arity: 1,
        flags: ALWAYS.or(Flags::SKIP_SLOWLOG),
        acl: &["transaction"],
        handler: exec,
        ..Command::BASE
    },
    Command {
        name: "discard",
        summary: "Discards a transaction.",
        since: "2.0.0",
        group: "transactions",
        complexity: "O(N), when N is the number of queued commands",
        arity: 1,
        flags: QUICK,
        acl: &["transaction"],
        handler: discard,
        ..Command::BASE
    },
    Command {
        name: "watch",
        summary: "Monitors changes to keys to determine the execution of a transaction.",
        since: "2.2.0",
        group: "transactions",
        complexity: "O(1) for every key.",
        arity: -2,
        flags: QUICK,
        acl: &["transaction"],
        keys: &[KeySpec::range(1, -1, 1, RO)],
        syntax: "key...",
        handler: watch,
        ..Command::BASE
    },
    Command {
        name: "unwatch",
        summary: "Forgets about watched keys of a transaction.",
        since: "2.2.0",
        group: "transactions",
        arity: 1,
        flags: QUICK,
        acl: &["transaction"],
        handler: unwatch,
        ..Command::BASE
    },
];

fn multi(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let client = ctx.client();
    if client.flags.any(ClientFlags::MULTI) {
        return Err(Error::fixed("ERR MULTI calls can not be nested"));
    }
    client.flags.set(ClientFlags::MULTI, true);
    ctx.reply.ok();
    DONE
}

fn discard(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    if !ctx.client().flags.any(ClientFlags::MULTI) {
        return Err(Error::fixed("ERR DISCARD without MULTI"));
    }
    ctx.state.discard(ctx.db.space(), ctx.client);
    ctx.reply.ok();
    DONE
}

fn exec(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let flags = ctx.client().flags;
    if !flags.any(ClientFlags::MULTI) {
        return Err(Error::fixed("ERR EXEC without MULTI"));
    }
    let refused = flags.any(ClientFlags::DIRTY_EXEC);
    if refused || flags.any(ClientFlags::DIRTY_CAS) || ctx.state.watches_expired(ctx.db.space(), ctx.client) {
        ctx.state.discard(ctx.db.space(), ctx.client);
        if refused {
            return Err(Error::EXEC_ABORT);
        }
        ctx.reply.null_array();
        return DONE;
    }
    run_queue(ctx);
    DONE
}

/// Runs the queued commands; what they propagate stands for EXEC.
fn run_queue(ctx: &mut Ctx<'_>) {
    ctx.state.unwatch(ctx.db.space(), ctx.client);
    let queue = ctx.client().transaction.take().unwrap_or_default().queue;
    let (started, must_not_block) = (ctx.state.command_started, ctx.must_not_block);
    ctx.must_not_block = true;
    ctx.reply.array(queue.len());
    for (command, request) in &queue {
        ctx.command = *command;
        dispatch::call(ctx, request.args());
        ctx.state.tell(ctx.db.space());
    }
    ctx.must_not_block = must_not_block;
    ctx.state.command_started = started;
    ctx.state.discard(ctx.db.space(), ctx.client);
    ctx.propagate_nothing();
}

fn watch(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let flags = ctx.client().flags;
    if flags.any(ClientFlags::MULTI) {
        return Err(Error::fixed("ERR WATCH inside MULTI is not allowed"));
    }
    // one change is enough for EXEC to fail
    if !flags.any(ClientFlags::DIRTY_CAS) {
        let db = ctx.db.index();
        for key in args.from(1).iter() {
            ctx.state.watch(ctx.db.space(), ctx.client, db, key);
        }
    }
    ctx.reply.ok();
    DONE
}

fn unwatch(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    ctx.state.unwatch(ctx.db.space(), ctx.client);
    ctx.client().flags.set(ClientFlags::DIRTY_CAS, false);
    ctx.reply.ok();
    DONE
}
