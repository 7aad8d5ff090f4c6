//! BGREWRITEAOF.

use crate::persist::aof::Phase;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::durability::Rewrite;
use crate::server::error::Error;
use crate::server::row::{Command, Flags};

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "bgrewriteaof",
    summary: "Rewrites the append-only file in the background.",
    group: "server",
    arity: 1,
    flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING),
    handler: bgrewriteaof,
    ..Command::BASE
}];

fn bgrewriteaof(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    if ctx.state.rewrites.is_running() {
        return Err(Error::fixed("ERR Background append only file rewriting already in progress"));
    }
    if ctx.state.snapshots.is_running() || ctx.must_not_block {
        ctx.state.rewrites.scheduled = true;
        ctx.state.rewrites.failures = 0;
        ctx.reply.simple("Background append only file rewriting scheduled");
        return DONE;
    }
    let rewrite = if ctx.state.aof.phase() == Phase::Starting { Rewrite::First } else { Rewrite::Again };
    if ctx.state.begin_rewrite(ctx.db.space(), rewrite).is_err() {
        return Err(Error::fixed("ERR Can't execute an AOF background rewriting. Please check the server logs for more information."));
    }
    ctx.reply.simple("Background append only file rewriting started");
    DONE
}
