//! TOP: what is hot now, by operations, processor time or bytes, and what is large. A command of our own: the
//! sketches that it shows are always on (see [`hotspots`](crate::server::hotspots)).

use crate::ds::heavy::{Heavy, HeavyHitters};
use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::hotspots;
use crate::server::row::{Command, Flags};

const BASE: Command = Command {
    since: "8.0.0",
    group: "server",
    complexity: "O(K) where K is the number of things that are tracked, a few hundred at most.",
    arity: -2,
    flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
    tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
    ..Command::BASE
};

const OPTIONS: &str = "[BY <measure: OPS | CPU | BYTES>] [COUNT count:integer]";

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "top",
    summary: "Holds the commands that tell what the server is busy with.",
    since: "8.0.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[
        Command {
            name: "big",
            summary: "Returns the keys that take the most memory.",
            syntax: "[COUNT count:integer]",
            handler: big,
            ..BASE
        },
        Command {
            name: "clients",
            summary: "Returns the clients that have taken the most of late.",
            syntax: OPTIONS,
            handler: clients,
            ..BASE
        },
        Command {
            name: "help",
            summary: "Lists the subcommands.",
            complexity: "O(1)",
            arity: 2,
            flags: Flags::LOADING.or(Flags::STALE),
            tips: &[],
            handler: help,
            ..BASE
        },
        Command { name: "keys", summary: "Returns the keys that have taken the most of late.", syntax: OPTIONS, handler: keys, ..BASE },
        Command {
            name: "prefixes",
            summary: "Returns the prefixes of keys that have taken the most of late.",
            syntax: OPTIONS,
            handler: prefixes,
            ..BASE
        },
        Command {
            name: "reset",
            summary: "Forgets what was hot or large.",
            complexity: "O(K) where K is the number of things that are tracked, a few hundred at most.",
            arity: 2,
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: reset,
            ..BASE
        },
    ],
    ..Command::BASE
}];

const HELP: &[&str] = &[
    "KEYS [BY OPS|CPU|BYTES] [COUNT <count>]",
    "    Show the keys that have taken the most operations, processor time or bytes of requests and replies of",
    "    late: what was half a minute ago counts half. 10 unless told.",
    "PREFIXES [BY OPS|CPU|BYTES] [COUNT <count>]",
    "    The same of what keys begin with, up to the first of : / | or the first digit.",
    "CLIENTS [BY OPS|CPU|BYTES] [COUNT <count>]",
    "    The same of clients.",
    "BIG [COUNT <count>]",
    "    Show the keys that take the most memory, with their bytes.",
    "RESET",
    "    Forget all of it.",
];

/// What one may ask for.
struct Options {
    measure: usize,
    count: usize,
}

/// The words for the measures, in the sketches' order.
const MEASURES: [&str; 3] = ["OPS", "CPU", "BYTES"];

fn options(args: Args<'_>, measures: bool) -> Result<Options, Error> {
    let mut options = Options { measure: 0, count: 10 };
    let mut at = 2;
    while at < args.len() {
        let Some(value) = args.get(at + 1) else { return Err(Error::SYNTAX) };
        if args.is(at, "BY") && measures {
            let named = |name: &&str| value.eq_ignore_ascii_case(name.as_bytes());
            options.measure = MEASURES.iter().position(named).ok_or(Error::SYNTAX)?;
        } else if args.is(at, "COUNT") {
            let count = integer(value)?;
            options.count =
                usize::try_from(count).ok().filter(|&count| count > 0).ok_or(Error::fixed("ERR COUNT should be greater than 0"))?;
        } else {
            return Err(Error::SYNTAX);
        }
        at += 2;
    }
    Ok(options)
}

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(ctx, HELP)
}

fn reset(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let now = ctx.state.hot_seconds();
    ctx.state.hotspots.reset(now);
    ctx.reply.ok();
    DONE
}

fn keys(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = options(args, true)?;
    show(ctx, &options, Sketch { of: |ctx| &ctx.state.hotspots.keys, label: "key", tag: "db" })
}

fn prefixes(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = options(args, true)?;
    show(ctx, &options, Sketch { of: |ctx| &ctx.state.hotspots.prefixes, label: "prefix", tag: "db" })
}

fn clients(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = options(args, true)?;
    show(ctx, &options, Sketch { of: |ctx| &ctx.state.hotspots.clients, label: "addr", tag: "id" })
}

/// One of the sketches, and what its labels are.
#[derive(Clone, Copy)]
struct Sketch {
    of: for<'a> fn(&'a Ctx<'_>) -> &'a HeavyHitters,
    label: &'static str,
    tag: &'static str,
}

/// A row of the reply, free of the sketch.
struct Row {
    label: Vec<u8>,
    tag: u64,
    rates: [f64; 3],
    share: f64,
}

fn show(ctx: &mut Ctx<'_>, options: &Options, sketch: Sketch) -> Outcome {
    let now = ctx.state.hot_seconds();
    let row =
        |heavy: Heavy<'_>| Row { label: heavy.label.to_vec(), tag: heavy.tag, rates: heavy.rates, share: heavy.shares[options.measure] };
    let rows: Vec<Row> = (sketch.of)(ctx).heaviest(options.measure, options.count, now).into_iter().map(row).collect();
    let names_clients = sketch.tag == "id";
    ctx.reply.array(rows.len());
    for row in rows {
        ctx.reply.map(if names_clients { 7 } else { 6 });
        ctx.reply.text(sketch.label);
        ctx.reply.bulk(&row.label);
        ctx.reply.text(sketch.tag);
        ctx.reply.integer(i64::try_from(row.tag).unwrap_or(i64::MAX));
        if names_clients {
            let name = hotspots::client_of(ctx.state, row.tag).map(|client| client.name.to_vec()).unwrap_or_default();
            ctx.reply.text("name");
            ctx.reply.bulk(&name);
        }
        for (name, rate) in
            ["ops-per-sec", "cpu-usec-per-sec", "bytes-per-sec"].into_iter().zip([row.rates[0], row.rates[1] / 1000.0, row.rates[2]])
        {
            ctx.reply.text(name);
            ctx.reply.integer(rate.round() as i64);
        }
        ctx.reply.text("percent");
        ctx.reply.double((row.share * 1000.0).round() / 10.0);
    }
    DONE
}

fn big(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = options(args, false)?;
    ctx.state.measure_big_keys(ctx.db.space());
    let shown = ctx.state.hotspots.big.len().min(options.count);
    ctx.reply.array(shown);
    for at in 0..shown {
        let found = ctx.state.hotspots.big[at].clone();
        let kind = ctx.db.space().db(found.db).type_of(&found.key).map_or("none", |kind| kind.name());
        ctx.reply.map(4);
        ctx.reply.text("key");
        ctx.reply.bulk(&found.key);
        ctx.reply.text("db");
        ctx.reply.integer(i64::from(found.db.0));
        ctx.reply.text("type");
        ctx.reply.text(kind);
        ctx.reply.text("bytes");
        ctx.reply.count(found.bytes);
    }
    DONE
}
