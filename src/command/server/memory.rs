//! MEMORY: where the bytes are.

use crate::base::memory as allocator;
use crate::resp::request::Args;
use crate::server::accounts::Accounts;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::row::{Command, Flags, KeySpec, RO};

/// What the subcommands have in common.
const SUBCOMMAND: Command = Command { since: "4.0.0", group: "server", arity: 2, ..Command::BASE };

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "memory",
    summary: "Holds the commands that diagnose memory use.",
    since: "4.0.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[
        Command {
            name: "doctor",
            summary: "Reports on memory problems in words.",
            tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
            handler: doctor,
            ..SUBCOMMAND
        },
        Command { name: "help", summary: "Lists the subcommands.", flags: Flags::LOADING.or(Flags::STALE), handler: help, ..SUBCOMMAND },
        Command {
            name: "malloc-stats",
            summary: "Returns what the allocator says of itself.",
            complexity: "Depends on how much memory is allocated, could be slow",
            tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
            handler: malloc_stats,
            ..SUBCOMMAND
        },
        Command {
            name: "purge",
            summary: "Asks the allocator to give memory back.",
            complexity: "Depends on how much memory is allocated, could be slow",
            tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
            handler: purge,
            ..SUBCOMMAND
        },
        Command {
            name: "stats",
            summary: "Returns details of the memory use.",
            tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
            handler: stats,
            ..SUBCOMMAND
        },
        Command {
            name: "usage",
            summary: "Estimates the memory a key takes.",
            complexity: "O(N) where N is the number of samples.",
            arity: -3,
            flags: Flags::READONLY,
            keys: &[KeySpec::one(2, RO)],
            syntax: "key [SAMPLES count:integer]",
            handler: usage,
            ..SUBCOMMAND
        },
    ],
    ..Command::BASE
}];

const HELP: &[&str] = &[
    "DOCTOR",
    "    Report on memory problems in words.",
    "MALLOC-STATS",
    "    Show what the allocator says of itself.",
    "PURGE",
    "    Ask the allocator to give memory back to the system.",
    "STATS",
    "    Show where the memory is.",
    "USAGE <key> [SAMPLES <count>]",
    "    Show the bytes that the key and its value take; of a collection, <count> elements are measured",
    "    (5 unless told, 0 for all) and the rest taken to be alike.",
];

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(ctx, HELP)
}

/// Elements that are measured unless told otherwise.
const SAMPLES: usize = 5;

fn usage(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut samples = SAMPLES;
    let mut at = 3;
    while at < args.len() {
        if !args.is(at, "SAMPLES") || at + 1 >= args.len() {
            return Err(Error::SYNTAX);
        }
        samples = match integer(args.at(at + 1))? {
            0 => usize::MAX,
            count => usize::try_from(count).map_err(|_| Error::SYNTAX)?,
        };
        at += 2;
    }
    match ctx.db.peek(args.at(2)) {
        Some(entry) => {
            let bytes = entry.footprint(samples);
            ctx.reply.count(bytes);
        }
        None => ctx.reply.null(),
    }
    DONE
}

fn purge(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    if allocator::purge() {
        ctx.reply.ok();
        return DONE;
    }
    Err(Error::fixed("ERR Error purging dirty pages"))
}

fn malloc_stats(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let text = allocator::statistics();
    ctx.reply.verbatim("txt", &text);
    DONE
}

fn doctor(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let accounts = Accounts::take(ctx.state, ctx.db.space());
    let resident = (ctx.state.host.usage)().resident;
    let [allocated, active, ..] = allocator::report();
    let mut found = Vec::new();
    if accounts.used < 5 << 20 {
        found.push("There is hardly any data, so there is nothing to say about its memory.".to_string());
    } else {
        if accounts.peak > accounts.used * 3 / 2 {
            found.push("Peak: once far more memory was in use than now. What the allocator kept since may show as fragmentation; MEMORY PURGE gives it back.".to_string());
        }
        if active > allocated * 14 / 10 && active - allocated > 10 << 20 {
            found.push(
                "Fragmentation: the allocator holds much more than it has handed out, because values of other sizes were freed in between."
                    .to_string(),
            );
        }
        if resident > active * 11 / 10 + (10 << 20) && active > 0 {
            found.push("Overhead: the process takes much more memory than its allocator knows of.".to_string());
        }
        let clients = ctx.state.clients.len().max(1);
        if accounts.clients / clients > 200 << 10 {
            found.push("Clients: their buffers are large on average. CLIENT LIST shows which (omem, qbuf).".to_string());
        }
        if found.is_empty() {
            found.push("No memory problem found.".to_string());
        }
    }
    found.push(String::new());
    ctx.reply.verbatim("txt", found.join("\n").as_bytes());
    DONE
}

/// One line of MEMORY STATS.
enum Figure {
    Bytes(usize),
    Signed(i128),
    Ratio(f64),
    Database { tables: usize, deadlines: usize },
}

fn ratio(of: usize, to: usize) -> Figure {
    Figure::Ratio(if to == 0 { 0.0 } else { of as f64 / to as f64 })
}

fn stats(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let accounts = Accounts::take(ctx.state, ctx.db.space());
    let resident = (ctx.state.host.usage)().resident;
    let [allocated, active, mapped, retained] = allocator::report();
    let databases = ctx.db.space().databases();
    let keys: usize = databases.iter().map(|database| database.len()).sum();
    let mut figures: Vec<(String, Figure)> = Vec::new();
    let mut add = |name: &str, figure: Figure| figures.push((name.to_string(), figure));
    add("peak.allocated", Figure::Bytes(accounts.peak));
    add("total.allocated", Figure::Bytes(accounts.used));
    add("startup.allocated", Figure::Bytes(accounts.startup));
    add("replication.backlog", Figure::Bytes(accounts.backlog));
    add("replica.fullsync.buffer", Figure::Bytes(0));
    add("clients.slaves", Figure::Bytes(accounts.replicas));
    add("clients.normal", Figure::Bytes(accounts.clients));
    add("cluster.links", Figure::Bytes(0));
    add("aof.buffer", Figure::Bytes(accounts.aof_buffer));
    add("lua.caches", Figure::Bytes(ctx.state.scripts.bytes()));
    add("functions.caches", Figure::Bytes(ctx.state.scripts.libraries().bytes()));
    add("script.VMs", Figure::Bytes(ctx.state.scripts.interpreter_bytes() + ctx.state.scripts.engine_bytes()));
    for (index, database) in databases.iter().enumerate().filter(|(_, database)| !database.is_empty()) {
        let deadlines = database.deadline_bytes();
        add(&format!("db.{index}"), Figure::Database { tables: database.overhead() - deadlines, deadlines });
    }
    add("overhead.db.hashtable.lut", Figure::Bytes(accounts.tables));
    add("overhead.db.hashtable.rehashing", Figure::Bytes(0));
    add("overhead.total", Figure::Bytes(accounts.overhead()));
    add("db.dict.rehashing.count", Figure::Bytes(0));
    add("keys.count", Figure::Bytes(keys));
    add("keys.bytes-per-key", Figure::Bytes(accounts.used.saturating_sub(accounts.startup).checked_div(keys).unwrap_or(0)));
    add("dataset.bytes", Figure::Bytes(accounts.dataset()));
    add("dataset.percentage", Figure::Ratio(accounts.dataset_percent()));
    add("peak.percentage", Figure::Ratio(accounts.used as f64 * 100.0 / accounts.peak.max(1) as f64));
    add("allocator.allocated", Figure::Bytes(allocated));
    add("allocator.active", Figure::Bytes(active));
    add("allocator.resident", Figure::Bytes(mapped));
    add("allocator.muzzy", Figure::Bytes(retained));
    add("allocator-fragmentation.ratio", ratio(active, allocated));
    add("allocator-fragmentation.bytes", Figure::Bytes(active.saturating_sub(allocated)));
    add("allocator-rss.ratio", ratio(mapped, active));
    add("allocator-rss.bytes", Figure::Bytes(mapped.saturating_sub(active)));
    add("rss-overhead.ratio", ratio(resident, mapped));
    add("rss-overhead.bytes", Figure::Signed(resident as i128 - mapped as i128));
    add("fragmentation", ratio(resident, accounts.used));
    add("fragmentation.bytes", Figure::Signed(resident as i128 - accounts.used as i128));
    ctx.reply.map(figures.len());
    for (name, figure) in figures {
        ctx.reply.text(&name);
        match figure {
            Figure::Bytes(bytes) => ctx.reply.count(bytes),
            Figure::Signed(bytes) => ctx.reply.integer(i64::try_from(bytes).unwrap_or(0)),
            Figure::Ratio(ratio) => ctx.reply.double(ratio),
            Figure::Database { tables, deadlines } => {
                ctx.reply.map(2);
                ctx.reply.text("overhead.hashtable.main");
                ctx.reply.count(tables);
                ctx.reply.text("overhead.hashtable.expires");
                ctx.reply.count(deadlines);
            }
        }
    }
    DONE
}
