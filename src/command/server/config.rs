//! CONFIG: reading and changing directives while the server runs.
//!
//! `config::access` checks and parses; what a new value sets off is done here: by `State::apply_config`
//! where it concerns the server, by the host where it concerns the process, and by the owner of the sockets
//! (`server::sockets`) where it concerns them. What one of them cannot do is taken back, so CONFIG SET stays
//! all or nothing.

use crate::config::access::Applied;
use crate::config::access::{failed, is_denied_while_loading};
use crate::config::rewrite::{self as file, Extent};
use crate::resp::request::Args;
use crate::server::ceiling::automatic_limit;
use crate::server::context::{Block, Ctx, DONE, OnTimeout, Outcome};
use crate::server::error::Error;
use crate::server::row::{Command, Flags};
use crate::server::sockets::{self, Listening};
use crate::server::{State, dispatch};

/// What the subcommands have in common.
const SUBCOMMAND: Command = Command {
    since: "2.0.0",
    group: "server",
    arity: 2,
    flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
    ..Command::BASE
};

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
            complexity: "O(N) when N is the number of configuration parameters provided",
            arity: -3,
            syntax: "parameter...",
            handler: get,
            ..SUBCOMMAND
        },
        Command {
            name: "help",
            summary: "Lists the subcommands.",
            since: "5.0.0",
            flags: Flags::LOADING.or(Flags::STALE),
            handler: help,
            ..SUBCOMMAND
        },
        Command {
            name: "resetstat",
            summary: "Resets the server's counters.",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: resetstat,
            ..SUBCOMMAND
        },
        Command {
            name: "rewrite",
            summary: "Writes the configuration in force into the configuration file.",
            since: "2.8.0",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: rewrite,
            ..SUBCOMMAND
        },
        Command {
            name: "set",
            summary: "Sets directives while the server runs.",
            complexity: "O(N) when N is the number of configuration parameters provided",
            arity: -4,
            syntax: "{data: parameter value}...",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: set,
            ..SUBCOMMAND
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
    know_dir(ctx.state);
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
    let caller = ctx.state.caller(ctx.client);
    let pairs: Vec<&[u8]> = args.from(2).iter().collect();
    let is_denied = |at: usize, name: &[u8]| at.is_multiple_of(2) && is_denied_while_loading(name);
    if ctx.state.loading.is_some() && pairs.iter().enumerate().any(|(at, name)| is_denied(at, name)) {
        return Err(Error::LOADING);
    }
    know_dir(ctx.state);
    let applied = ctx.state.config.set(&pairs, caller).map_err(Error::new)?;
    let sockets = applied.changed.iter().copied().find(|name| sockets::DIRECTIVES.contains(name));
    match (sockets, ctx.state.sockets.outcome) {
        (None, _) | (_, Some(Listening::Anew)) => bring_about(ctx, applied)?,
        (Some(name), Some(Listening::AsBefore)) => return refuse(ctx, applied, name, sockets_refused(name)),
        (Some(name), None) if ctx.must_not_block => {
            return refuse(ctx, applied, name, "sockets are not opened within a transaction");
        }
        (Some(_), None) => return wait_for_sockets(ctx, applied),
    }
    ctx.reply.ok();
    DONE
}

fn refuse(ctx: &mut Ctx<'_>, applied: Applied, name: &str, reason: &str) -> Outcome {
    Err(take_back(ctx.state, applied, name, reason))
}

/// Everything is as it was before; the error says because of what.
fn take_back(state: &mut State, applied: Applied, name: &str, reason: &str) -> Error {
    let error = applied.refuse(&mut state.config, name, reason);
    // what it was before could be set before
    let _ = state.adjust_oom_score();
    Error::new(error)
}

fn sockets_refused(name: &str) -> &'static str {
    match name {
        "port" => "Unable to listen on this port. Check server logs.",
        _ => "Failed to bind to specified addresses.",
    }
}

/// Leaves everything as it was until the sockets are there, but finds out whether the rest can be done.
fn wait_for_sockets(ctx: &mut Ctx<'_>, applied: Applied) -> Outcome {
    let checked = check_process(ctx.state, &applied);
    ctx.state.config = *applied.before;
    // the role is as it was, and so is the score, which could be set before
    let _ = ctx.state.adjust_oom_score();
    checked.map_err(|(name, reason)| Error::new(failed(name, &reason)))?;
    if let Some(dir) = applied.changed.contains(&"dir").then(|| ctx.state.config.dir.clone()) {
        // the folder was there a moment ago, when it was the working directory
        let _ = (ctx.state.host.change_dir)(&dir);
    }
    ctx.state.await_sockets(ctx.client);
    Block::for_event(None, OnTimeout::RunAgain)
}

/// Does what the changed directives ask for, or takes them all back.
fn bring_about(ctx: &mut Ctx<'_>, applied: Applied) -> Result<(), Error> {
    let state = &mut *ctx.state;
    if let Err((name, reason)) = check_process(state, &applied) {
        return Err(take_back(state, applied, name, &reason));
    }
    if applied.changed.contains(&"appendonly") {
        let space = ctx.db.space();
        if !state.config.appendonly {
            state.turn_aof_off(space);
        } else if state.turn_aof_on(space, !ctx.must_not_block).is_err() {
            return Err(take_back(state, applied, "appendonly", "Unable to turn on AOF. Check server logs."));
        }
    }
    if state.config.maxmemory.auto {
        let usable = (state.host.usage)().usable_memory;
        state.config.resolve_auto_maxmemory(automatic_limit(usable));
    }
    state.reconfigured.extend(applied.changed);
    state.apply_config(ctx.db.space());
    Ok(())
}

/// What the process has to do: its working directory and its limit of open files. The error is the directive
/// and the reason.
fn check_process(state: &mut State, applied: &Applied) -> Result<(), (&'static str, String)> {
    if applied.changed.contains(&"maxclients") {
        let wanted = state.config.maxclients;
        let fit = (state.host.raise_descriptor_limit)(wanted);
        if fit < wanted {
            let reason = "The operating system is not able to handle the specified number of clients, try with";
            return Err(("maxclients", format!("{reason} {fit}")));
        }
    }
    if applied.changed.contains(&"dir") {
        (state.host.change_dir)(&state.config.dir).map_err(|reason| ("dir", reason))?;
    }
    if let Some(name) = applied.changed.iter().find(|name| name.starts_with("oom-score-adj"))
        && let Err(reason) = state.adjust_oom_score()
    {
        log::warn!("Unable to write oom_score_adj: {reason}");
        return Err((name, "Failed to apply new oom_score_adj configuration, check server logs.".to_string()));
    }
    Ok(())
}

/// Replaces what the file said of the working directory by its full path.
fn know_dir(state: &mut State) {
    if let Some(dir) = (state.host.current_dir)() {
        state.config.dir = dir;
    }
}

fn resetstat(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    ctx.state.reset_stats(ctx.db.space());
    ctx.reply.ok();
    DONE
}

fn rewrite(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    rewrite_file(ctx, Extent::Needed)
}

/// Writes the configuration into its file.
pub(super) fn rewrite_file(ctx: &mut Ctx<'_>, extent: Extent) -> Outcome {
    let state = &mut *ctx.state;
    let Some(path) = state.config.config_file.clone() else {
        return Err(Error::fixed("ERR The server is running without a config file"));
    };
    let written = (state.host.read)(&path).and_then(|old| {
        // those of a file of their own are not the configuration's
        let users = if state.config.aclfile.is_empty() { state.users.lines() } else { Vec::new() };
        let text = file::rewrite(&old, &state.config, &[("user", users)], extent);
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
