//! MODULE: there are none, and none can be loaded.
//!
//! `enable-module-command` stands before LOAD, LOADEX and UNLOAD as in Redis; who gets past it is told what Redis
//! says when a library does not load, and the log tells why.

use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::row::{Command, Flags};

const CHANGES: Flags = Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING);

/// What the subcommands have in common.
const SUBCOMMAND: Command = Command { since: "4.0.0", group: "server", arity: 2, ..Command::BASE };

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "module",
    summary: "Holds the commands about modules.",
    since: "4.0.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[
        Command {
            name: "help",
            summary: "Lists the subcommands.",
            since: "5.0.0",
            flags: Flags::LOADING.or(Flags::STALE),
            handler: help,
            ..SUBCOMMAND
        },
        Command {
            name: "list",
            summary: "Lists the loaded modules: none.",
            complexity: "O(N) where N is the number of loaded modules.",
            flags: Flags::ADMIN.or(Flags::NOSCRIPT),
            tips: &["nondeterministic_output_order"],
            handler: list,
            ..SUBCOMMAND
        },
        Command {
            name: "load",
            summary: "Loads a module, which this server cannot.",
            arity: -3,
            flags: CHANGES,
            syntax: "path [arg...]",
            handler: load,
            ..SUBCOMMAND
        },
        Command {
            name: "loadex",
            summary: "Loads a module with settings, which this server cannot.",
            since: "7.0.0",
            arity: -3,
            flags: CHANGES,
            syntax: "path [CONFIG {configs: name value}...+CONFIG] [ARGS args...]",
            handler: load,
            ..SUBCOMMAND
        },
        Command {
            name: "unload",
            summary: "Unloads a module, of which there is none.",
            arity: 3,
            flags: CHANGES,
            syntax: "name",
            handler: unload,
            ..SUBCOMMAND
        },
    ],
    ..Command::BASE
}];

const HELP: &[&str] = &[
    "LIST",
    "    List the loaded modules: none.",
    "LOAD <path> [<arg> ...]",
    "    Load a module, which this server cannot.",
    "LOADEX <path> [[CONFIG NAME VALUE] [CONFIG NAME VALUE]] [ARGS ...]",
    "    The same, with settings.",
    "UNLOAD <name>",
    "    Unload a module, of which there is none.",
];

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(ctx, HELP)
}

fn list(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    ctx.reply.array(0);
    DONE
}

fn load(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    guard(ctx)?;
    log::warn!("Module {} is not loaded: this server loads no modules", String::from_utf8_lossy(args.at(2)));
    Err(Error::fixed("ERR Error loading the extension. Please check the server logs."))
}

fn unload(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    guard(ctx)?;
    Err(Error::fixed("ERR Error unloading module: no such module with that name"))
}

/// Refuses those whom `enable-module-command` does not let.
fn guard(ctx: &mut Ctx<'_>) -> Result<(), Error> {
    let guard = ctx.state.config.enable_module_command;
    ctx.client().passes(guard).then_some(()).ok_or(Error::fixed(
        "ERR MODULE command not allowed. If the enable-module-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
    ))
}
