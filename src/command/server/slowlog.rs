//! SLOWLOG: the log of slow commands, read and emptied.

use crate::base::number;
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::row::{Command, Flags};

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "slowlog",
    summary: "Holds the commands about the slow log.",
    since: "2.2.12",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[
        Command {
            name: "get",
            summary: "Returns entries of the slow log.",
            since: "2.2.12",
            group: "server",
            complexity: "O(N) where N is the number of entries returned",
            arity: -2,
            flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
            syntax: "[count:integer]",
            tips: &["request_policy:all_nodes", "nondeterministic_output"],
            handler: get,
            ..Command::BASE
        },
        Command {
            name: "help",
            summary: "Lists the subcommands.",
            since: "6.2.0",
            group: "server",
            arity: 2,
            flags: Flags::LOADING.or(Flags::STALE),
            handler: help,
            ..Command::BASE
        },
        Command {
            name: "len",
            summary: "Returns the number of entries of the slow log.",
            since: "2.2.12",
            group: "server",
            arity: 2,
            flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
            tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
            handler: len,
            ..Command::BASE
        },
        Command {
            name: "reset",
            summary: "Empties the slow log.",
            since: "2.2.12",
            group: "server",
            complexity: "O(N) where N is the number of entries in the slowlog",
            arity: 2,
            flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE),
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: reset,
            ..Command::BASE
        },
    ],
    ..Command::BASE
}];

const HELP: &[&str] = &[
    "GET [<count>]",
    "    Show the latest entries, 10 unless told, -1 for all. An entry holds its number, the Unix time, the",
    "    microseconds it took, the words of the command, the client's address and the client's name.",
    "LEN",
    "    Show how many entries there are.",
    "RESET",
    "    Empty the log.",
];

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(ctx, HELP)
}

fn get(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(dispatch::wrong_subcommand(ctx, args));
    }
    let entries = &ctx.state.slowlog.entries;
    let wanted = match args.get(2).map(number::parse_i64) {
        None => 10,
        Some(Some(-1)) => entries.len(),
        Some(count) => {
            let count = count.and_then(|count| usize::try_from(count).ok());
            count.ok_or(Error::fixed("ERR count should be greater than or equal to -1"))?
        }
    };
    let shown = wanted.min(entries.len());
    ctx.reply.array(shown);
    for entry in entries.iter().take(shown) {
        ctx.reply.array(6);
        ctx.reply.integer(i64::try_from(entry.id).unwrap_or(i64::MAX));
        ctx.reply.integer(entry.at);
        ctx.reply.integer(i64::try_from(entry.micros).unwrap_or(i64::MAX));
        ctx.reply.array(entry.words.len());
        entry.words.iter().for_each(|word| ctx.reply.bulk(word));
        ctx.reply.text(&entry.address);
        ctx.reply.bulk(&entry.name);
    }
    DONE
}

fn len(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let len = ctx.state.slowlog.entries.len();
    ctx.reply.count(len);
    DONE
}

fn reset(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    ctx.state.slowlog.entries.clear();
    ctx.reply.ok();
    DONE
}
