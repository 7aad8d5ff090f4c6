//! HOTKEYS: a session that watches which keys take the most processor time and network bytes, as Redis 8.6 has it.
//!
//! What is hot without having asked beforehand, TOP tells. Redis 8.0, which this server follows otherwise, has no such
//! command; replies are shaped as Redis's documentation and clients have them.

use crate::resp::request::Args;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::hotspots::Session;
use crate::server::row::{Command, Flags};

const BASE: Command = Command { since: "8.6.0", group: "server", arity: 2, flags: Flags::ADMIN.or(Flags::NOSCRIPT), ..Command::BASE };

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "hotkeys",
    summary: "Holds the commands that watch for hot keys.",
    since: "8.6.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[
        Command {
            name: "get",
            summary: "Returns the hottest keys by the metrics that HOTKEYS START chose.",
            complexity: "O(K) where K is the number of hotkeys returned.",
            handler: get,
            ..BASE
        },
        Command { name: "help", summary: "Lists the subcommands.", flags: Flags::LOADING.or(Flags::STALE), handler: help, ..BASE },
        Command { name: "reset", summary: "Forgets what was watched.", handler: reset, ..BASE },
        Command {
            name: "start",
            summary: "Starts to watch for hot keys.",
            arity: -2,
            syntax: "METRICS {metrics: count:integer [cpu=CPU] [net=NET]} [COUNT k:integer] [DURATION seconds:integer] [SAMPLE ratio:integer] [SLOTS {slots: count:integer slot:integer...}]",
            handler: start,
            ..BASE
        },
        Command { name: "stop", summary: "Stops to watch and keeps what was seen.", handler: stop, ..BASE },
    ],
    ..Command::BASE
}];

const HELP: &[&str] = &[
    "START METRICS <count> [CPU] [NET] [COUNT <k>] [DURATION <seconds>] [SAMPLE <ratio>]",
    "    Watch every command, or one in <ratio>, for the <k> keys (10 unless told) that take the most.",
    "STOP",
    "    Stop, and keep what was seen.",
    "GET",
    "    Show what was seen.",
    "RESET",
    "    Forget what was seen.",
];

/// The keys that may be asked for.
const COUNT_MAX: i64 = 64;

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(ctx, HELP)
}

/// What START asks for.
struct Wanted {
    metrics: [bool; 2],
    count: usize,
    duration_ms: Option<i64>,
    ratio: u32,
}

fn positive(word: &[u8], error: &'static str) -> Result<i64, Error> {
    let value = integer(word)?;
    if value > 0 { Ok(value) } else { Err(Error::fixed(error)) }
}

fn parse(args: Args<'_>) -> Result<Wanted, Error> {
    let mut wanted = Wanted { metrics: [false; 2], count: 10, duration_ms: None, ratio: 1 };
    if !args.get(2).is_some_and(|_| args.is(2, "METRICS")) {
        return Err(Error::fixed("ERR METRICS parameter is required"));
    }
    let mut at = parse_metrics(args, &mut wanted.metrics)?;
    while at < args.len() {
        let Some(value) = args.get(at + 1) else { return Err(Error::SYNTAX) };
        if args.is(at, "COUNT") {
            let count = integer(value)?;
            if !(1..=COUNT_MAX).contains(&count) {
                return Err(Error::fixed("ERR COUNT must be between 1 and 64"));
            }
            wanted.count = usize::try_from(count).unwrap_or(1);
        } else if args.is(at, "DURATION") {
            let seconds = positive(value, "ERR DURATION must be positive")?;
            wanted.duration_ms = Some(seconds.saturating_mul(1000));
        } else if args.is(at, "SAMPLE") {
            let ratio = positive(value, "ERR SAMPLE ratio must be positive")?;
            wanted.ratio = u32::try_from(ratio).unwrap_or(u32::MAX);
        } else if args.is(at, "SLOTS") {
            return Err(Error::fixed("ERR SLOTS parameter cannot be used in non-cluster mode"));
        } else {
            return Err(Error::SYNTAX);
        }
        at += 2;
    }
    Ok(wanted)
}

/// Reads `METRICS count names...`; gives where it ends. Names that are not known are passed over: a later version
/// may know them.
fn parse_metrics(args: Args<'_>, metrics: &mut [bool; 2]) -> Result<usize, Error> {
    let Some(count) = args.get(3) else { return Err(Error::SYNTAX) };
    let count = positive(count, "ERR METRICS count must be positive")?;
    let end = usize::try_from(count).ok().and_then(|count| count.checked_add(4)).filter(|&end| end <= args.len());
    let Some(end) = end else { return Err(Error::fixed("ERR METRICS count does not match number of metric types provided")) };
    for at in 4..end {
        for (metric, (name, twice)) in
            [("CPU", "ERR METRICS CPU defined more than once"), ("NET", "ERR METRICS NET defined more than once")].into_iter().enumerate()
        {
            if args.is(at, name) {
                if metrics[metric] {
                    return Err(Error::fixed(twice));
                }
                metrics[metric] = true;
            }
        }
    }
    if !metrics.contains(&true) {
        return Err(Error::fixed("ERR METRICS no valid metrics passed"));
    }
    Ok(end)
}

fn start(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let wanted = parse(args)?;
    if ctx.state.hotspots.session.as_ref().is_some_and(|session| !session.stopped) {
        return Err(Error::fixed("ERR hotkey tracking session already in progress"));
    }
    let usage = (ctx.state.host.usage)();
    let session = Session::new(ctx.now().0, wanted.duration_ms, wanted.ratio, wanted.metrics, wanted.count, usage);
    ctx.state.hotspots.session = Some(session);
    ctx.state.hotspots.recount();
    ctx.reply.ok();
    DONE
}

fn stop(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let (now, usage) = (ctx.now().0, (ctx.state.host.usage)());
    match &mut ctx.state.hotspots.session {
        Some(session) => {
            session.stop(now, usage);
            ctx.state.hotspots.recount();
            ctx.reply.ok();
        }
        None => ctx.reply.null(),
    }
    DONE
}

fn reset(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    if ctx.state.hotspots.session.as_ref().is_some_and(|session| !session.stopped) {
        return Err(Error::fixed("ERR hotkey tracking session in progress, stop tracking first"));
    }
    ctx.state.hotspots.session = None;
    ctx.reply.ok();
    DONE
}

fn get(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let (now, usage) = (ctx.now().0, (ctx.state.host.usage)());
    let Some(session) = &ctx.state.hotspots.session else {
        ctx.reply.null();
        return DONE;
    };
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let ended = if session.stopped { session.ends_ms.unwrap_or(now) } else { now };
    let (before, after) = (session.usage.0, session.usage.1.unwrap_or(usage));
    let reply = &mut ctx.reply;
    reply.array(1);
    reply.map(7 + 3 * usize::from(session.cpu) + 2 * usize::from(session.net));
    reply.text("tracking-active");
    reply.integer(i64::from(!session.stopped));
    reply.text("sample-ratio");
    reply.integer(i64::from(session.ratio));
    reply.text("selected-slots");
    reply.array(1);
    reply.array(2);
    reply.integer(0);
    reply.integer(16383);
    reply.text("all-commands-all-slots-us");
    reply.integer(number(session.nanos / 1000));
    reply.text("net-bytes-all-commands-all-slots");
    reply.integer(number(session.bytes));
    reply.text("collection-start-time-unix-ms");
    reply.integer(session.started_ms);
    reply.text("collection-duration-ms");
    reply.integer(ended.saturating_sub(session.started_ms));
    if session.cpu {
        reply.text("total-cpu-time-user-ms");
        reply.integer(number(after.user_micros.saturating_sub(before.user_micros) / 1000));
        reply.text("total-cpu-time-sys-ms");
        reply.integer(number(after.system_micros.saturating_sub(before.system_micros) / 1000));
    }
    if session.net {
        reply.text("total-net-bytes");
        reply.integer(number(session.bytes));
    }
    for (wanted, name, measure, unit) in [(session.cpu, "by-cpu-time-us", 1, 1000.0), (session.net, "by-net-bytes", 2, 1.0)] {
        if wanted {
            let found = session.sketch.weights(measure, session.count);
            reply.text(name);
            reply.array(found.len() * 2);
            for (key, weight) in found {
                reply.bulk(key);
                reply.integer((weight / unit).round() as i64);
            }
        }
    }
    DONE
}
