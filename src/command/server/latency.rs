//! LATENCY: what the latency monitor has seen, as numbers, as a drawing and in words.

use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::latency::{Event, Sample};
use crate::server::registry::{CommandId, Registered};
use crate::server::row::{Command, Flags};
use crate::server::stats::Histogram;

/// What the subcommands have in common.
const SUBCOMMAND: Command = Command {
    since: "2.8.13",
    group: "server",
    arity: 2,
    flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE),
    ..Command::BASE
};

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "latency",
    summary: "Holds the commands that diagnose latency.",
    since: "2.8.13",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[
        Command {
            name: "doctor",
            summary: "Reports on latency in words.",
            tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
            handler: doctor,
            ..SUBCOMMAND
        },
        Command {
            name: "graph",
            summary: "Draws the latencies of an event.",
            arity: 3,
            syntax: "event",
            tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
            handler: graph,
            ..SUBCOMMAND
        },
        Command { name: "help", summary: "Lists the subcommands.", flags: Flags::LOADING.or(Flags::STALE), handler: help, ..SUBCOMMAND },
        Command {
            name: "histogram",
            summary: "Returns the distribution of the latencies of commands.",
            since: "7.0.0",
            complexity: "O(N) where N is the number of commands with latency information being retrieved.",
            arity: -2,
            syntax: "[command...]",
            tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
            handler: histogram,
            ..SUBCOMMAND
        },
        Command {
            name: "history",
            summary: "Returns the recorded latencies of an event.",
            arity: 3,
            syntax: "event",
            tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
            handler: history,
            ..SUBCOMMAND
        },
        Command {
            name: "service",
            summary: "Returns the distribution of the service times of commands: from the arrival of a request's bytes to the write of its reply.",
            since: "8.0.0",
            complexity: "O(N) where N is the number of commands with latency information being retrieved.",
            arity: -2,
            syntax: "[command...]",
            tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
            handler: service,
            ..SUBCOMMAND
        },
        Command {
            name: "stalls",
            summary: "Returns the latest turns of the event loop that took stall-threshold or longer, with what held them up.",
            since: "8.0.0",
            complexity: "O(N) where N is the number of entries returned",
            arity: -2,
            syntax: "[count:integer]",
            tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
            handler: stalls,
            ..SUBCOMMAND
        },
        Command {
            name: "latest",
            summary: "Returns the latest latency of every event.",
            tips: &["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"],
            handler: latest,
            ..SUBCOMMAND
        },
        Command {
            name: "reset",
            summary: "Forgets the latencies of events.",
            arity: -2,
            syntax: "[event...]",
            tips: &["request_policy:all_nodes", "response_policy:agg_sum"],
            handler: reset,
            ..SUBCOMMAND
        },
    ],
    ..Command::BASE
}];

const HELP: &[&str] = &[
    "DOCTOR",
    "    Report on latency in words.",
    "GRAPH <event>",
    "    Draw the spikes of an event.",
    "HISTORY <event>",
    "    Show the spikes of an event: Unix time and milliseconds.",
    "LATEST",
    "    Show the latest and the greatest spike of every event.",
    "RESET [<event> ...]",
    "    Forget the spikes of the events named, or of all.",
    "HISTOGRAM [<command> ...]",
    "    Show how long the commands named, or all, took: counts up to powers of two of a microsecond.",
    "SERVICE [<command> ...]",
    "    The same from the arrival of a request's bytes to the write of its reply.",
    "STALLS [<count>]",
    "    Show the latest turns of the event loop that took stall-threshold or longer, 10 unless told, -1 for all.",
];

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(ctx, HELP)
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn latest(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let events = &ctx.state.latency.events;
    ctx.reply.array(events.len());
    for (name, event) in events {
        let last = event.samples.back().expect("an event has a spike");
        ctx.reply.array(4);
        ctx.reply.text(name);
        ctx.reply.integer(last.at);
        ctx.reply.integer(number(last.ms));
        ctx.reply.integer(number(event.max_ms));
    }
    DONE
}

fn history(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let Some((_, event)) = ctx.state.latency.event(args.at(2)) else {
        ctx.reply.array(0);
        return DONE;
    };
    ctx.reply.array(event.samples.len());
    for sample in &event.samples {
        ctx.reply.array(2);
        ctx.reply.integer(sample.at);
        ctx.reply.integer(number(sample.ms));
    }
    DONE
}

fn reset(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() == 2 {
        // they are no events, so the reply does not count them
        ctx.state.stalls.reset();
    }
    let monitor = &mut ctx.state.latency;
    let forgotten = if args.len() == 2 {
        std::mem::take(&mut monitor.events).len()
    } else {
        args.from(2).iter().filter(|name| monitor.forget(name)).count()
    };
    ctx.reply.count(forgotten);
    DONE
}

fn graph(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let Some((name, event)) = ctx.state.latency.event(args.at(2)) else {
        return Err(Error::quoting("ERR No samples available for event '{}'", &[args.at(2)]));
    };
    let text = draw(name, event, ctx.state.now.unix.to_millis().seconds());
    ctx.reply.verbatim("txt", text.as_bytes());
    DONE
}

const GRAPH_WIDTH: usize = 80;
const GRAPH_HEIGHT: u64 = 4;

/// One column a spike, scaled from the shortest to the longest, with each one's age below it.
fn draw(name: &str, event: &Event, now: i64) -> String {
    let shown: Vec<Sample> = event.samples.iter().copied().skip(event.samples.len().saturating_sub(GRAPH_WIDTH)).collect();
    let low = shown.iter().map(|sample| sample.ms).min().unwrap_or(0);
    let high = shown.iter().map(|sample| sample.ms).max().unwrap_or(0);
    let mut text = format!("{name} - high {high} ms, low {low} ms (all time high {} ms)\n", event.max_ms);
    text.push_str(&"-".repeat(GRAPH_WIDTH));
    text.push('\n');
    let level = |sample: &Sample| (sample.ms - low) * (GRAPH_HEIGHT * 2) / (high - low).max(1);
    for row in (0..GRAPH_HEIGHT).rev() {
        let column = |sample: &Sample| match level(sample).saturating_sub(row * 2) {
            0 if row == 0 => '_',
            0 => ' ',
            1 => 'o',
            _ => '#',
        };
        push_line(&mut text, shown.iter().map(column));
    }
    let ages: Vec<String> = shown.iter().map(|sample| age(now - sample.at)).collect();
    text.push('\n');
    for row in 0..ages.iter().map(String::len).max().unwrap_or(0) {
        push_line(&mut text, ages.iter().map(|age| age.as_bytes().get(row).map_or(' ', |&byte| char::from(byte))));
    }
    text
}

fn push_line(text: &mut String, line: impl Iterator<Item = char>) {
    text.extend(line);
    let kept = text.trim_end_matches(' ').len();
    text.truncate(kept);
    text.push('\n');
}

/// A number of seconds in its greatest whole unit.
fn age(seconds: i64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let found = units.iter().find(|(unit, _)| seconds >= *unit);
    found.map_or_else(|| format!("{}s", seconds.max(0)), |(unit, letter)| format!("{}{letter}", seconds / unit))
}

fn doctor(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let state = &ctx.state;
    let now = state.now.unix.to_millis().seconds();
    let mut text = String::new();
    if state.latency.threshold_nanos == u64::MAX {
        text.push_str("The latency monitor is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n");
    } else if state.latency.events.is_empty() {
        text.push_str("Nothing has taken longer than latency-monitor-threshold since the monitor was turned on or reset.\n");
    }
    for (name, event) in &state.latency.events {
        let count = event.samples.len();
        let mean = event.samples.iter().map(|sample| sample.ms).sum::<u64>() / u64::try_from(count).unwrap_or(1).max(1);
        let first = event.samples.front().map_or(0, |sample| now - sample.at);
        text.push_str(&format!(
            "{name}: {count} spikes in the last {first} seconds, {mean} ms on average, {} ms at most.\n    {}\n",
            event.max_ms,
            advice(name)
        ));
    }
    let (nanos, culprit) = &state.stats.longest_hold;
    text.push_str(&format!("The longest time that anything kept the loop was {:.3} ms: {}.\n", *nanos as f64 / 1e6, culprit.what));
    let stalls = &state.stalls;
    if stalls.count > 0 {
        text.push_str(&format!(
            "{} turns of the loop took stall-threshold or longer, the longest {:.3} ms. LATENCY STALLS shows the latest with their culprits.\n",
            stalls.count,
            stalls.max_nanos as f64 / 1e6
        ));
    }
    ctx.reply.verbatim("txt", text.as_bytes());
    DONE
}

/// What one can do about an event.
fn advice(event: &str) -> &'static str {
    match event {
        "command" => "Look into SLOWLOG for commands of high complexity, and split their work.",
        "fast-command" => "Even cheap commands were slow: look for swapping, a busy machine, or very large values.",
        "expire-cycle" => "Very many keys had one deadline: spread deadlines out.",
        _ => "Look at the disk and at what else the machine does.",
    }
}

fn histogram(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    show_histograms(ctx, args, |command| &command.stats.latency)
}

fn service(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    show_histograms(ctx, args, |command| &command.stats.service)
}

fn stalls(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(dispatch::wrong_subcommand(ctx, args));
    }
    let wanted = match args.get(2).map(integer).transpose()? {
        None => 10,
        Some(-1) => usize::MAX,
        Some(count) => usize::try_from(count).map_err(|_| Error::fixed("ERR count should be greater than or equal to -1"))?,
    };
    let entries = &ctx.state.stalls.entries;
    let shown = wanted.min(entries.len());
    ctx.reply.array(shown);
    for stall in entries.iter().take(shown) {
        ctx.reply.map(8);
        ctx.reply.text("id");
        ctx.reply.integer(number(stall.id));
        ctx.reply.text("unix-time-ms");
        ctx.reply.integer(stall.at_ms);
        ctx.reply.text("turn-usec");
        ctx.reply.integer(number(stall.nanos / 1000));
        ctx.reply.text("culprit");
        ctx.reply.text(&stall.culprit.what);
        ctx.reply.text("request");
        ctx.reply.bulk(&stall.culprit.request);
        ctx.reply.text("culprit-usec");
        ctx.reply.integer(number(stall.culprit_nanos / 1000));
        ctx.reply.text("client");
        ctx.reply.text(&stall.culprit.client);
        ctx.reply.text("requests");
        ctx.reply.integer(number(stall.requests));
    }
    DONE
}

/// The histograms that `of` picks, of the commands named or of all.
fn show_histograms(ctx: &mut Ctx<'_>, args: Args<'_>, of: fn(&Registered) -> &Histogram) -> Outcome {
    let registry = &ctx.state.registry;
    let wanted: Vec<CommandId> = if args.len() == 2 {
        registry.iter().map(|(id, _)| id).collect()
    } else {
        let named = args.from(2);
        let ids = named.iter().filter_map(|name| registry.by_full_name(name));
        ids.flat_map(|id| std::iter::once(id).chain(registry.get(id).children.iter().copied())).collect()
    };
    let used: Vec<CommandId> = wanted.into_iter().filter(|&id| of(registry.get(id)).count() > 0).collect();
    ctx.reply.map(used.len());
    for id in used {
        let command = registry.get(id);
        ctx.reply.text(&command.full_name);
        ctx.reply.map(2);
        ctx.reply.text("calls");
        ctx.reply.integer(number(of(command).count()));
        ctx.reply.text("histogram_usec");
        let counts = of(command).cumulative_micros();
        ctx.reply.map(counts.len());
        for (micros, count) in counts {
            ctx.reply.integer(number(micros));
            ctx.reply.integer(number(count));
        }
    }
    DONE
}
