//! CONFIG: reading and changing directives while the server runs.
//!
//! `config::access` checks and parses; what a new value sets off is done here: by `State::apply_config`
//! where it concerns the server, by the host where it concerns the process. What the host cannot do is
//! taken back, so CONFIG SET stays all or nothing.

use crate::config::access::Applied;
use crate::config::{Caller, rewrite as file};
use crate::resp::request::Args;
use crate::server::client::ClientFlags;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::row::{Command, Flags};

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "config",
    summary: "Holds the commands that configure the server.",
    since: "2.0.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[
        Command {
            name: "get",
            summary: "Returns the values that directives have.",
            since: "2.0.0",
            group: "server",
            complexity: "O(N) when N is the number of configuration parameters provided",
            arity: -3,
            flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
            syntax: "parameter...",
            handler: get,
            ..Command::BASE
        },
        Command {
            name: "help",
            summary: "Lists the subcommands.",
            since: "5.0.0",
            group: "server",
            arity: 2,
            flags: Flags::LOADING.or(Flags::STALE),
            handler: help,
            ..Command::BASE
        },
        Command {
            name: "resetstat",
            summary: "Resets the server's counters.",
            since: "2.0.0",
            group: "server",
            arity: 2,
            flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: resetstat,
            ..Command::BASE
        },
        Command {
            name: "rewrite",
            summary: "Writes the configuration in force into the configuration file.",
            since: "2.8.0",
            group: "server",
            arity: 2,
            flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: rewrite,
            ..Command::BASE
        },
        Command {
            name: "set",
            summary: "Sets directives while the server runs.",
            since: "2.0.0",
            group: "server",
            complexity: "O(N) when N is the number of configuration parameters provided",
            arity: -4,
            flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
            syntax: "{data: parameter value}...",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: set,
            ..Command::BASE
        },
    ],
    ..Command::BASE
}];

const HELP: &[&str] = &[
    "GET <pattern> [<pattern> ...]",
    "    Show the directives that match, with their values.",
    "SET <directive> <value> [<directive> <value> ...]",
    "    Change directives, all or none.",
    "RESETSTAT",
    "    Set the counters of INFO back to zero.",
    "REWRITE",
    "    Write the values in force into the configuration file.",
];

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(ctx, HELP)
}

fn get(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if let Some(dir) = (ctx.state.host.current_dir)() {
        ctx.state.config.dir = dir;
    }
    let patterns: Vec<&[u8]> = args.from(2).iter().collect();
    let found = ctx.state.config.get(&patterns);
    ctx.reply.map(found.len());
    for (name, value) in found {
        ctx.reply.bulk(&name);
        ctx.reply.bulk(&value);
    }
    DONE
}

fn set(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let local = ctx.client().flags.any(ClientFlags::LOOPBACK.or(ClientFlags::UNIX_SOCKET));
    let caller = if local { Caller::Local } else { Caller::Remote };
    let pairs: Vec<&[u8]> = args.from(2).iter().collect();
    let applied = ctx.state.config.set(&pairs, caller).map_err(Error::new)?;
    bring_about(ctx, applied)?;
    ctx.reply.ok();
    DONE
}

/// Does what the changed directives ask for, or takes them all back.
fn bring_about(ctx: &mut Ctx<'_>, applied: Applied) -> Result<(), Error> {
    let state = &mut *ctx.state;
    if applied.changed.contains(&"dir")
        && let Err(reason) = (state.host.change_dir)(&state.config.dir)
    {
        return Err(Error::new(applied.refuse(&mut state.config, "dir", &reason)));
    }
    state.config.resolve_auto_maxmemory((state.host.usage)().machine_memory);
    state.reconfigured.extend(applied.changed);
    state.apply_config(ctx.db.space());
    Ok(())
}

fn resetstat(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    ctx.state.reset_stats(ctx.db.space());
    ctx.reply.ok();
    DONE
}

fn rewrite(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let state = &mut *ctx.state;
    let Some(path) = state.config.config_file.clone() else {
        return Err(Error::fixed("ERR The server is running without a config file"));
    };
    let written = (state.host.read)(&path).and_then(|old| {
        let text = file::rewrite(&old, &state.config, &[]);
        (state.host.replace)(&path, &text)
    });
    if let Err(reason) = written {
        log::warn!("CONFIG REWRITE failed: {reason}");
        return Err(Error::new(format!("ERR Rewriting config file: {reason}")));
    }
    log::info!("CONFIG REWRITE executed with success.");
    ctx.reply.ok();
    DONE
}
