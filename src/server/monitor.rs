//! MONITOR: every command, as it runs, to the clients that asked.

use super::client::ClientFlags;
use super::context::Ctx;
use super::redact;
use super::row::Flags;
use crate::base::text;
use crate::keyspace::DbIndex;
use crate::resp::request::Args;
use bytes::Bytes;

/// Shows the command of `ctx` to all monitors.
#[cold]
pub fn feed(ctx: &mut Ctx<'_>, args: Args<'_>, db: DbIndex) {
    if !ctx.row().flags.any(Flags::SKIP_MONITOR.or(Flags::ADMIN)) {
        show(ctx, args, db);
    }
}

/// Shows it, whatever it is. The commands of a script come from `lua`.
#[cold]
pub fn show(ctx: &mut Ctx<'_>, args: Args<'_>, db: DbIndex) {
    let (seconds, micros) = ctx.state.now.unix.seconds_and_micros();
    let address = if ctx.state.scripts.running { "lua" } else { &ctx.state.clients[ctx.client].peer.address };
    let mut line = format!("+{seconds}.{micros:06} [{} {address}]", db.0).into_bytes();
    let row = ctx.row();
    for (index, word) in args.iter().enumerate() {
        line.push(b' ');
        text::write_quoted(&mut line, if redact::is_secret(row, args, index) { redact::REDACTED } else { word });
    }
    line.extend_from_slice(b"\r\n");
    let line = Bytes::from(line);
    let monitors: Vec<_> =
        ctx.state.clients.iter().filter(|(_, client)| client.flags.any(ClientFlags::MONITOR)).map(|(key, _)| key).collect();
    for key in monitors {
        ctx.state.post(key, line.clone());
    }
}
