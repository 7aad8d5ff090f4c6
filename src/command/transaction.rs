//! Transactions.

use crate::resp::request::Args;
use crate::server::client::ClientFlags;
use crate::server::context::{Ctx, DONE, Flow, Outcome};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::row::{Command, Flags, KeySpec, RO};
use crate::server::transaction::UnderWay;
use crate::server::users::log::Context;
use crate::server::users::selector::Forbidden;

const ALWAYS: Flags = Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE);
const QUICK: Flags = ALWAYS.or(Flags::FAST).or(Flags::ALLOW_BUSY);

/// What the rows of the family have in common.
const ROW: Command = Command { group: "transactions", acl: &["transaction"], ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command { name: "multi", summary: "Starts a transaction.", since: "1.2.0", arity: 1, flags: QUICK, handler: multi, ..ROW },
    Command {
        name: "exec",
        summary: "Executes all commands in a transaction.",
        since: "1.2.0",
        complexity: "Depends on commands in the transaction",
        arity: 1,
        flags: ALWAYS.or(Flags::SKIP_SLOWLOG),
        handler: exec,
        ..ROW
    },
    Command {
        name: "discard",
        summary: "Discards a transaction.",
        since: "2.0.0",
        complexity: "O(N), when N is the number of queued commands",
        arity: 1,
        flags: QUICK,
        handler: discard,
        ..ROW
    },
    Command {
        name: "watch",
        summary: "Monitors changes to keys to determine the execution of a transaction.",
        since: "2.2.0",
        complexity: "O(1) for every key.",
        arity: -2,
        flags: QUICK,
        keys: &[KeySpec::range(1, -1, 1, RO)],
        syntax: "key...",
        handler: watch,
        ..ROW
    },
    Command {
        name: "unwatch",
        summary: "Forgets about watched keys of a transaction.",
        since: "2.2.0",
        arity: 1,
        flags: QUICK,
        handler: unwatch,
        ..ROW
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
    if ctx.client().transaction.as_ref().is_some_and(|transaction| transaction.under_way.is_some()) {
        return run_queue(ctx);
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
    run_queue(ctx)
}

/// Runs the queued commands; what they propagate stands for EXEC. A script among them that runs too long is left, and
/// EXEC with it: run again, it goes on there.
fn run_queue(ctx: &mut Ctx<'_>) -> Outcome {
    ctx.state.unwatch(ctx.db.space(), ctx.client);
    let mut transaction = ctx.client().transaction.take().unwrap_or_default();
    let mark = ctx.reply.mark();
    let (first, started, goes_on) = match transaction.under_way.take() {
        Some(UnderWay { at, replies, started }) => {
            ctx.reply.raw(&replies);
            (at, started, true)
        }
        None => {
            ctx.reply.array(transaction.queue.len());
            (0, ctx.state.command_started, false)
        }
    };
    let must_not_block = std::mem::replace(&mut ctx.must_not_block, true);
    for (at, (command, request)) in transaction.queue.iter().enumerate().skip(first) {
        ctx.command = *command;
        // users may have changed since it was queued, or by a command before it
        if !(goes_on && at == first) && is_refused(ctx, request.args()) {
            continue;
        }
        let before = ctx.reply.mark();
        if let Flow::Block(block) = dispatch::call(ctx, request.args()) {
            ctx.reply.cut_back(before);
            let replies = ctx.reply.since(mark).to_vec();
            ctx.reply.cut_back(mark);
            ctx.must_not_block = must_not_block;
            transaction.under_way = Some(UnderWay { at, replies, started });
            ctx.client().transaction = Some(transaction);
            return Ok(Flow::Block(block));
        }
        ctx.state.tell(ctx.db.space());
    }
    ctx.must_not_block = must_not_block;
    ctx.state.command_started = started;
    ctx.state.discard(ctx.db.space(), ctx.client);
    ctx.propagate_nothing();
    DONE
}

/// Whether a queued command is not allowed any more. Then it is answered with an error.
fn is_refused(ctx: &mut Ctx<'_>, args: Args<'_>) -> bool {
    let Err(denial) = ctx.state.measure(ctx.client, ctx.command, args) else { return false };
    ctx.state.note_denial(ctx.client, denial, Context::Multi, ctx.command, args);
    let reason = match denial.what {
        Forbidden::Command => "no permission to execute the command or subcommand",
        Forbidden::Key => "no permission to touch the specified keys",
        Forbidden::Channel => "no permission to access one of the channels used as arguments",
    };
    let error = Error::new(format!(
        "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is no longer allowed for the following reason: {reason}"
    ));
    ctx.reply.error(error.text());
    ctx.state.count_error(&error);
    true
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
