//! The server: what it is, how it fares, and stopping it.
//!
//! Each container has a file of its own ([`command`], [`config`], [`debug`], [`info`], [`latency`], [`memory`],
//! [`module`], [`slowlog`], [`hotkeys`], [`top`]); here are the commands that stand alone.

pub mod aof;
pub mod command;
pub mod config;
pub mod debug;
pub mod digest;
pub mod hotkeys;
pub mod info;
pub mod latency;
pub mod memory;
pub mod module;
pub mod slowlog;
pub mod top;

use crate::config::ShutdownActions as Actions;
use crate::resp::request::Args;
use crate::server::REDIS_VERSION;
use crate::server::busy;
use crate::server::client::ClientFlags;
use crate::server::context::{Block, Ctx, DONE, OnTimeout, Outcome, integer};
use crate::server::error::Error;
use crate::server::row::{Command, Flags};
use crate::server::shutdown::{Begun, STAYS};

/// The rows of the commands that stand alone.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "lolwut",
        summary: "Shows a picture and the server's version.",
        since: "5.0.0",
        group: "server",
        complexity: "",
        arity: -1,
        flags: Flags::READONLY.or(Flags::FAST),
        syntax: "[VERSION version:integer]",
        handler: lolwut,
        ..Command::BASE
    },
    Command {
        name: "monitor",
        summary: "Streams every command that the server runs.",
        group: "server",
        complexity: "",
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
        handler: monitor,
        ..Command::BASE
    },
    Command {
        name: "shutdown",
        summary: "Stops the server.",
        group: "server",
        complexity: "O(N) when saving, where N is the total number of keys in all databases when saving data, otherwise O(1)",
        arity: -1,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE).or(Flags::NO_MULTI).or(Flags::ALLOW_BUSY),
        syntax: "[save-selector: NOSAVE | SAVE] [NOW] [FORCE] [ABORT]",
        handler: shutdown,
        ..Command::BASE
    },
    Command {
        name: "time",
        summary: "Returns the server's time.",
        since: "2.6.0",
        group: "server",
        flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
        tips: &["nondeterministic_output"],
        handler: time,
        ..Command::BASE
    },
];

fn time(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let (seconds, micros) = ctx.state.now.unix.seconds_and_micros();
    ctx.reply.array(2);
    ctx.reply.bulk_integer(seconds);
    ctx.reply.bulk_integer(micros);
    DONE
}

fn monitor(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    if ctx.must_not_block {
        return Err(Error::fixed("ERR MONITOR isn't allowed for DENY BLOCKING client"));
    }
    // a client that monitors already, or is a replica, is not answered, as in Redis
    if !ctx.client().flags.any(ClientFlags::MONITOR.or(ClientFlags::REPLICA)) {
        ctx.client().flags.set(ClientFlags::MONITOR, true);
        ctx.state.gates.monitored = true;
        ctx.reply.ok();
    }
    DONE
}

fn shutdown(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut actions = Actions::default();
    let mut abort = false;
    for word in args.from(1).iter() {
        let action = match word.to_ascii_uppercase().as_slice() {
            b"SAVE" if !actions.contains(Actions::NOSAVE) => Actions::SAVE,
            b"NOSAVE" if !actions.contains(Actions::SAVE) => Actions::NOSAVE,
            b"NOW" => Actions::NOW,
            b"FORCE" => Actions::FORCE,
            b"ABORT" => {
                abort = true;
                continue;
            }
            _ => return Err(Error::SYNTAX),
        };
        actions = actions.or(action);
    }
    if abort && args.len() > 2 {
        return Err(Error::SYNTAX);
    }
    if abort {
        if !ctx.state.abort_stop(ctx.db.space()) {
            return Err(Error::fixed("ERR No shutdown in progress."));
        }
        ctx.reply.ok();
        return DONE;
    }
    if let Some(world) = ctx.state.gates.busy {
        if !actions.contains(Actions::NOSAVE) {
            return Err(busy::refusal(world));
        }
        // while a script is busy nobody would look after a stop that waits
        actions = actions.or(Actions::NOW);
    }
    match ctx.state.shut_down(ctx.db.space(), actions) {
        Begun::Stops => DONE,
        Begun::Stays => Err(STAYS),
        Begun::Waits => Block::for_event(None, OnTimeout::Null),
    }
}

const WIDTH: i64 = 56;
const HEIGHT: i64 = 11;
/// From sky to the deepest red.
const SHADES: &[u8] = b" .':;+*%#@";

fn lolwut(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut seed = i64::from(ctx.state.process.pid);
    if args.is(1, "VERSION") && args.len() > 2 {
        seed = integer(args.at(2))?;
    }
    let mut text = strata(seed);
    text.push_str(&format!(
        "\nRuddle is red ochre: iron that has rusted for longer than anybody wrote, and the first paint on the walls of caves.\n\nRuddle ver. {}, as Redis ver. {REDIS_VERSION}\n",
        env!("CARGO_PKG_VERSION")
    ));
    ctx.reply.verbatim("txt", text.as_bytes());
    DONE
}

/// Layers of ochre in a cliff: each column's layers rise and fall by triangle waves of the seed.
fn strata(seed: i64) -> String {
    let wave = |x: i64, period: i64, height: i64| {
        let phase = (x + seed.rem_euclid(period)).rem_euclid(period);
        height * (phase.min(period - phase)) * 2 / period
    };
    let mut text = String::new();
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let surface = wave(x, 41, 3) + wave(x, 17, 2);
            let depth = (y - surface).max(0) + wave(x + y * 3, 7, 2) * i64::from(y > surface);
            let shade = usize::try_from(depth).unwrap_or(0).min(SHADES.len() - 1);
            text.push(char::from(SHADES[shade]));
        }
        let kept = text.trim_end_matches(' ').len();
        text.truncate(kept);
        text.push('\n');
    }
    text
}
