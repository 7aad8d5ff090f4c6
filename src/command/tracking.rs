//! Client-side caching: the subcommands of CLIENT that switch and show it. CLIENT's own row is the
//! connection family's, which lists these.

use std::sync::Arc;

use crate::resp::request::Args;
use crate::server::client_line::redirect;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::server::row::Command;
use crate::server::tracking::{Mode, Tracking};

use super::client::OF_A_CONNECTION;

const BASE: Command = Command { since: "6.0.0", ..OF_A_CONNECTION };

/// CLIENT CACHING.
pub const CACHING: Command = Command {
    name: "caching",
    summary: "Instructs the server whether to track the keys in the next request.",
    arity: 3,
    syntax: "<mode: YES | NO>",
    handler: caching,
    ..BASE
};

/// CLIENT GETREDIR.
pub const GETREDIR: Command = Command {
    name: "getredir",
    summary: "Returns the client ID to which the connection's tracking notifications are redirected.",
    arity: 2,
    handler: getredir,
    ..BASE
};

/// CLIENT TRACKING.
pub const TRACKING: Command = Command {
    name: "tracking",
    summary: "Controls server-assisted client-side caching for the connection.",
    complexity: "O(1). Some options may introduce additional complexity.",
    arity: -3,
    syntax: "<status: ON | OFF> [REDIRECT client-id:integer] [PREFIX prefix...+PREFIX] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
    handler: tracking,
    ..BASE
};

/// CLIENT TRACKINGINFO.
pub const TRACKINGINFO: Command = Command {
    name: "trackinginfo",
    summary: "Returns information about server-assisted client-side caching for the connection.",
    since: "6.2.0",
    arity: 2,
    handler: trackinginfo,
    ..BASE
};

/// What CLIENT TRACKING says.
#[derive(Default)]
struct Options<'a> {
    redirect: Option<u64>,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
    prefixes: Vec<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(ctx: &mut Ctx<'_>, args: Args<'a>) -> Result<Self, Error> {
        let mut options = Options::default();
        let mut at = 3;
        while at < args.len() {
            let more = at + 1 < args.len();
            if args.is(at, "redirect") && more {
                at += 1;
                options.redirect = Some(redirection(ctx, options.redirect, args.at(at))?);
            } else if args.is(at, "bcast") {
                options.broadcast = true;
            } else if args.is(at, "optin") {
                options.opt_in = true;
            } else if args.is(at, "optout") {
                options.opt_out = true;
            } else if args.is(at, "noloop") {
                options.no_loop = true;
            } else if args.is(at, "prefix") && more {
                at += 1;
                options.prefixes.push(args.at(at));
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        Ok(options)
    }

    /// The mode, if the options agree with each other and with the mode that the client is in.
    fn mode(&self, now: Option<Mode>) -> Result<Mode, Error> {
        if !self.broadcast && !self.prefixes.is_empty() {
            return Err(Error::fixed("ERR PREFIX option requires BCAST mode to be enabled"));
        }
        if now.is_some_and(|now| (now == Mode::Broadcast) != self.broadcast) {
            return Err(Error::fixed(
                "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.",
            ));
        }
        if self.broadcast && (self.opt_in || self.opt_out) {
            return Err(Error::fixed("ERR OPTIN and OPTOUT are not compatible with BCAST"));
        }
        if self.opt_in && self.opt_out {
            return Err(Error::fixed("ERR You can't specify both OPTIN mode and OPTOUT mode"));
        }
        if self.opt_in && now == Some(Mode::OptOut) || self.opt_out && now == Some(Mode::OptIn) {
            return Err(Error::fixed(
                "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.",
            ));
        }
        Ok(match self {
            Options { broadcast: true, .. } => Mode::Broadcast,
            Options { opt_in: true, .. } => Mode::OptIn,
            Options { opt_out: true, .. } => Mode::OptOut,
            _ => Mode::Default,
        })
    }
}

fn redirection(ctx: &mut Ctx<'_>, before: Option<u64>, arg: &[u8]) -> Result<u64, Error> {
    if before.is_some() {
        return Err(Error::fixed("ERR A client can only redirect to a single other client"));
    }
    let id = u64::try_from(integer(arg)?).ok().filter(|id| ctx.state.clients.by_id(*id).is_some());
    id.ok_or(Error::fixed("ERR The client ID you want redirect to does not exist"))
}

/// Prefixes of one client must not overlap: a key would be told of twice.
fn check_overlap(existing: Option<&Tracking>, prefixes: &[&[u8]]) -> Result<(), Error> {
    let overlap = |a: &[u8], b: &[u8]| a.starts_with(b) || b.starts_with(a);
    for (at, prefix) in prefixes.iter().enumerate() {
        for other in existing.iter().flat_map(|tracking| &tracking.prefixes) {
            if overlap(prefix, other) {
                return Err(Error::quoting(
                    "ERR Prefix '{}' overlaps with an existing prefix '{}'. Prefixes for a single client must not overlap.",
                    &[prefix, other],
                ));
            }
        }
        for other in &prefixes[at + 1..] {
            if overlap(prefix, other) {
                return Err(Error::quoting(
                    "ERR Prefix '{}' overlaps with another provided prefix '{}'. Prefixes for a single client must not overlap.",
                    &[prefix, other],
                ));
            }
        }
    }
    Ok(())
}

fn tracking(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = Options::parse(ctx, args)?;
    if args.is(2, "off") {
        ctx.state.untrack(ctx.db.space(), ctx.client);
        ctx.reply.ok();
        return DONE;
    }
    if !args.is(2, "on") {
        return Err(Error::SYNTAX);
    }
    let existing = ctx.client().tracking.as_deref();
    let mode = options.mode(existing.map(|tracking| tracking.mode))?;
    let mut prefixes = options.prefixes.clone();
    if mode == Mode::Broadcast {
        check_overlap(existing, &prefixes)?;
        if prefixes.is_empty() {
            prefixes.push(b"");
        }
    }
    let wanted = Tracking {
        mode,
        redirect: options.redirect,
        no_loop: options.no_loop,
        prefixes: prefixes.into_iter().map(Arc::from).collect(),
        ..Tracking::default()
    };
    ctx.state.track(ctx.db.space(), ctx.client, wanted);
    ctx.reply.ok();
    DONE
}

fn caching(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let Some(tracking) = &mut ctx.client().tracking else {
        return Err(Error::fixed(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    };
    if args.is(2, "yes") {
        if tracking.mode != Mode::OptIn {
            return Err(Error::fixed("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."));
        }
    } else if args.is(2, "no") {
        if tracking.mode != Mode::OptOut {
            return Err(Error::fixed("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."));
        }
    } else {
        return Err(Error::SYNTAX);
    }
    tracking.caching = true;
    ctx.reply.ok();
    DONE
}

fn getredir(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let shown = redirect(ctx.client());
    ctx.reply.integer(shown);
    DONE
}

fn trackinginfo(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let client = &ctx.state.clients[ctx.client];
    let tracking = client.tracking.as_deref();
    let mut flags = vec![if tracking.is_some() { "on" } else { "off" }];
    if let Some(tracking) = tracking {
        match tracking.mode {
            Mode::Default => {}
            Mode::Broadcast => flags.push("bcast"),
            Mode::OptIn => flags.extend(["optin"].into_iter().chain(tracking.caching.then_some("caching-yes"))),
            Mode::OptOut => flags.extend(["optout"].into_iter().chain(tracking.caching.then_some("caching-no"))),
        }
        flags.extend(tracking.no_loop.then_some("noloop"));
        flags.extend(tracking.broken_redirect.then_some("broken_redirect"));
    }
    ctx.reply.map(3);
    ctx.reply.text("flags");
    ctx.reply.set(flags.len());
    flags.iter().for_each(|flag| ctx.reply.text(flag));
    ctx.reply.text("redirect");
    ctx.reply.integer(redirect(client));
    ctx.reply.text("prefixes");
    ctx.reply.array(tracking.map_or(0, |tracking| tracking.prefixes.len()));
    for prefix in tracking.iter().flat_map(|tracking| &tracking.prefixes) {
        ctx.reply.bulk(prefix);
    }
    DONE
}
