//! SLOWLOG and COMMANDLOG: the logs of slow commands, large requests and large replies, read and emptied.

use crate::base::number;
use crate::resp::request::Args;
use crate::server::command_log::Kind;
use crate::server::context::{Ctx, DONE, Outcome};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::row::{Command, Flags};

/// The rows.
pub const COMMANDS: &[Command] = &[COMMANDLOG, SLOWLOG];

const TYPE: &str = "<type: SLOW | LARGE-REQUEST | LARGE-REPLY>";

/// What the subcommands of SLOWLOG have in common.
const OF_SLOWLOG: Command =
    Command { since: "2.2.12", group: "server", arity: 2, flags: Flags::ADMIN.or(Flags::LOADING).or(Flags::STALE), ..Command::BASE };

/// The same of COMMANDLOG.
const OF_COMMANDLOG: Command = Command { since: "8.1.0", ..OF_SLOWLOG };

const COMMANDLOG: Command = Command {
    name: "commandlog",
    summary: "Holds the commands about the command log.",
    since: "8.1.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[
        Command {
            name: "get",
            summary: "Returns entries of one of the command logs.",
            complexity: "O(N) where N is the number of entries returned",
            arity: 4,
            syntax: "count:integer <type: SLOW | LARGE-REQUEST | LARGE-REPLY>",
            tips: &["request_policy:all_nodes", "nondeterministic_output"],
            handler: get,
            ..OF_COMMANDLOG
        },
        Command { name: "help", summary: "Lists the subcommands.", flags: Flags::LOADING.or(Flags::STALE), handler: help, ..OF_COMMANDLOG },
        Command {
            name: "len",
            summary: "Returns the number of entries of one of the command logs.",
            arity: 3,
            syntax: TYPE,
            tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
            handler: len,
            ..OF_COMMANDLOG
        },
        Command {
            name: "reset",
            summary: "Empties one of the command logs.",
            complexity: "O(N) where N is the number of entries in the commandlog",
            arity: 3,
            syntax: TYPE,
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: reset,
            ..OF_COMMANDLOG
        },
    ],
    ..Command::BASE
};

const SLOWLOG: Command = Command {
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
            complexity: "O(N) where N is the number of entries returned",
            arity: -2,
            syntax: "[count:integer]",
            tips: &["request_policy:all_nodes", "nondeterministic_output"],
            handler: slow_get,
            ..OF_SLOWLOG
        },
        Command {
            name: "help",
            summary: "Lists the subcommands.",
            since: "6.2.0",
            flags: Flags::LOADING.or(Flags::STALE),
            handler: slow_help,
            ..OF_SLOWLOG
        },
        Command {
            name: "len",
            summary: "Returns the number of entries of the slow log.",
            tips: &["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"],
            handler: slow_len,
            ..OF_SLOWLOG
        },
        Command {
            name: "reset",
            summary: "Empties the slow log.",
            complexity: "O(N) where N is the number of entries in the slowlog",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: slow_reset,
            ..OF_SLOWLOG
        },
    ],
    ..Command::BASE
};

const SLOW_HELP: &[&str] = &[
    "GET [<count>]",
    "    Show the latest entries, 10 unless told, -1 for all. An entry holds its number, the Unix time, the",
    "    microseconds it took, the words of the command, the client's address and the client's name.",
    "LEN",
    "    Show how many entries there are.",
    "RESET",
    "    Empty the log.",
];

const HELP: &[&str] = &[
    "GET <count> <type>",
    "    Show the latest entries of a log, -1 for all. An entry holds its number, the Unix time, the",
    "    microseconds it took (slow) or the bytes it had on the wire (large-request, large-reply), the words of",
    "    the command, the client's address and the client's name.",
    "LEN <type>",
    "    Show how many entries a log has.",
    "RESET <type>",
    "    Empty a log.",
];

fn slow_help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(ctx, SLOW_HELP)
}

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(ctx, HELP)
}

fn slow_get(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(dispatch::wrong_subcommand(ctx, args));
    }
    let wanted = args.get(2).map_or(Ok(10), count)?;
    show(ctx, Kind::Slow, wanted);
    DONE
}

fn slow_len(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    tell_len(ctx, Kind::Slow)
}

fn slow_reset(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    empty(ctx, Kind::Slow)
}

fn get(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let wanted = count(args.at(2))?;
    let kind = kind(args.at(3))?;
    show(ctx, kind, wanted);
    DONE
}

fn len(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let kind = kind(args.at(2))?;
    tell_len(ctx, kind)
}

fn reset(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let kind = kind(args.at(2))?;
    empty(ctx, kind)
}

fn kind(word: &[u8]) -> Result<Kind, Error> {
    Kind::from_word(word).ok_or(Error::fixed("ERR type should be one of the following: slow, large-request, large-reply"))
}

/// How many entries are asked for; -1 is all.
fn count(word: &[u8]) -> Result<usize, Error> {
    match number::parse_i64(word) {
        Some(-1) => Ok(usize::MAX),
        count => count.and_then(|count| usize::try_from(count).ok()).ok_or(Error::fixed("ERR count should be greater than or equal to -1")),
    }
}

fn show(ctx: &mut Ctx<'_>, kind: Kind, wanted: usize) {
    let entries = &ctx.state.command_logs.of(kind).entries;
    let shown = wanted.min(entries.len());
    ctx.reply.array(shown);
    for entry in entries.iter().take(shown) {
        ctx.reply.array(6);
        ctx.reply.integer(i64::try_from(entry.id).unwrap_or(i64::MAX));
        ctx.reply.integer(entry.at);
        ctx.reply.integer(i64::try_from(entry.value).unwrap_or(i64::MAX));
        ctx.reply.array(entry.words.len());
        entry.words.iter().for_each(|word| ctx.reply.bulk(word));
        ctx.reply.text(&entry.address);
        ctx.reply.bulk(&entry.name);
    }
}

fn tell_len(ctx: &mut Ctx<'_>, kind: Kind) -> Outcome {
    let len = ctx.state.command_logs.of(kind).entries.len();
    ctx.reply.count(len);
    DONE
}

fn empty(ctx: &mut Ctx<'_>, kind: Kind) -> Outcome {
    ctx.state.command_logs.of_mut(kind).entries.clear();
    ctx.reply.ok();
    DONE
}
