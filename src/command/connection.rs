//! Connections: logging in, the choice of protocol and database, and signs of life.
//!
//! What CLIENT does is in [`super::client`]. HELLO answers as a Redis 8 does, name and version included:
//! libraries decide by them what they may use, and the wire here is Redis's. INFO tells the truth beside it.

use crate::base::number;
use crate::keyspace::DbIndex;
use crate::resp::Protocol;
use crate::resp::request::Args;
use crate::server::REDIS_VERSION;
use crate::server::client::ClientFlags;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::server::row::{Command, Flags};
use crate::server::users::DEFAULT_NAME;

/// What the rows of the family have in common.
const ROW: Command = Command { group: "connection", acl: &["connection"], ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "auth",
        summary: "Authenticates the connection.",
        complexity: "O(N) where N is the number of passwords defined for the user",
        arity: -2,
        flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE).or(Flags::FAST).or(Flags::NO_AUTH).or(Flags::ALLOW_BUSY),
        syntax: "[username] password",
        handler: auth,
        ..ROW
    },
    Command {
        name: "echo",
        summary: "Returns the given text.",
        arity: 2,
        flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
        syntax: "message",
        handler: echo,
        ..ROW
    },
    Command {
        name: "hello",
        summary: "Shakes hands: chooses the protocol, and may log in and name the connection.",
        since: "6.0.0",
        arity: -1,
        flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE).or(Flags::FAST).or(Flags::NO_AUTH).or(Flags::ALLOW_BUSY),
        syntax: "[arguments: protover:integer [AUTH {auth: username password}] [SETNAME clientname]]",
        handler: hello,
        ..ROW
    },
    Command {
        name: "ping",
        summary: "Answers PONG, or the given message: shows that the server lives.",
        arity: -1,
        flags: Flags::FAST,
        syntax: "[message]",
        tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
        handler: ping,
        ..ROW
    },
    Command {
        name: "quit",
        summary: "Closes the connection.",
        arity: -1,
        flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE).or(Flags::FAST).or(Flags::NO_AUTH).or(Flags::ALLOW_BUSY),
        deprecated: Some(("7.2.0", "just closing the connection")),
        handler: quit,
        ..ROW
    },
    Command {
        name: "reset",
        summary: "Puts the connection back into the state it started in.",
        since: "6.2.0",
        flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE).or(Flags::FAST).or(Flags::NO_AUTH).or(Flags::ALLOW_BUSY),
        handler: reset,
        ..ROW
    },
    Command {
        name: "select",
        summary: "Chooses the connection's database.",
        arity: 2,
        flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
        syntax: "index:integer",
        handler: select,
        ..ROW
    },
];

const SPECIAL_CHARACTERS: Error = Error::fixed("ERR Client names cannot contain spaces, newlines or special characters.");

fn auth(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (user, password) = match args.len() {
        2 if ctx.state.users.default_user().needs_no_password => {
            return Err(Error::fixed(
                "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
            ));
        }
        2 => (DEFAULT_NAME, args.at(1)),
        3 => (args.at(1), args.at(2)),
        _ => return Err(Error::SYNTAX),
    };
    ctx.state.log_in(ctx.client, user, password, args.at(0))?;
    ctx.reply.ok();
    DONE
}

/// The name if a client may be called so. The empty name is none.
pub fn client_name(name: &[u8]) -> Result<&[u8], Error> {
    if is_plain(name) { Ok(name) } else { Err(SPECIAL_CHARACTERS) }
}

/// Whether all of it prints without a space, so that it cannot break a line of CLIENT LIST.
pub fn is_plain(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

fn hello(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let protocol = match args.get(1).map(number::parse_i64) {
        None => ctx.reply.protocol(),
        Some(None) => return Err(Error::fixed("ERR Protocol version is not an integer or out of range")),
        Some(Some(2)) => Protocol::Resp2,
        Some(Some(3)) => Protocol::Resp3,
        Some(Some(_)) => return Err(Error::fixed("NOPROTO unsupported protocol version")),
    };
    let (mut login, mut name, mut at) = (None, None, 2);
    while at < args.len() {
        let left = args.len() - 1 - at;
        if args.is(at, "AUTH") && left >= 2 {
            login = Some((args.at(at + 1), args.at(at + 2)));
            at += 3;
        } else if args.is(at, "SETNAME") && left >= 1 {
            name = Some(client_name(args.at(at + 1))?);
            at += 2;
        } else {
            return Err(Error::quoting("ERR Syntax error in HELLO option '{}'", &[args.at(at)]));
        }
    }
    if let Some((user, password)) = login {
        ctx.state.log_in(ctx.client, user, password, args.at(0))?;
    }
    if !ctx.client().flags.any(ClientFlags::AUTHENTICATED) {
        return Err(Error::fixed(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time",
        ));
    }
    if let Some(name) = name {
        ctx.client().name = name.into();
    }
    ctx.client().protocol = protocol;
    ctx.reply.set_protocol(protocol);
    greet(ctx);
    DONE
}

fn greet(ctx: &mut Ctx<'_>) {
    let id = i64::try_from(ctx.client().id).unwrap_or(i64::MAX);
    let role = if ctx.state.gates.read_only { "replica" } else { "master" };
    let zone = &ctx.state.config.availability_zone;
    let reply = &mut ctx.reply;
    reply.map(7 + usize::from(!zone.is_empty()));
    reply.text("server");
    reply.text("redis");
    reply.text("version");
    reply.text(REDIS_VERSION);
    reply.text("proto");
    reply.integer(if reply.is_resp3() { 3 } else { 2 });
    reply.text("id");
    reply.integer(id);
    reply.text("mode");
    reply.text("standalone");
    reply.text("role");
    reply.text(role);
    reply.text("modules");
    reply.array(0);
    if !zone.is_empty() {
        reply.text("availability_zone");
        reply.text(zone);
    }
}

fn ping(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 2 {
        return Err(Error::arity("ping"));
    }
    let subscribed = ctx.client().flags.any(ClientFlags::SUBSCRIBED) && !ctx.reply.is_resp3();
    match args.get(1) {
        message if subscribed => {
            ctx.reply.array(2);
            ctx.reply.text("pong");
            ctx.reply.bulk(message.unwrap_or_default());
        }
        Some(message) => ctx.reply.bulk(message),
        None => ctx.reply.simple("PONG"),
    }
    DONE
}

fn echo(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    ctx.reply.bulk(args.at(1));
    DONE
}

fn quit(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    ctx.reply.ok();
    let key = ctx.client;
    ctx.state.close_after_reply(key);
    DONE
}

fn select(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let index = integer(args.at(1))?;
    let index = i32::try_from(index).map_err(|_| Error::BEYOND_INT)?;
    let index = u32::try_from(index).ok().filter(|&index| index < ctx.state.config.databases).ok_or(Error::DB_OUT_OF_RANGE)?;
    ctx.db.select(DbIndex(index));
    ctx.client().db = DbIndex(index);
    ctx.reply.ok();
    DONE
}

/// Flags that RESET clears.
const SHED: ClientFlags = ClientFlags::REPLY_OFF
    .or(ClientFlags::REPLY_SKIP)
    .or(ClientFlags::REPLY_SKIP_NEXT)
    .or(ClientFlags::NO_EVICT)
    .or(ClientFlags::NO_TOUCH)
    .or(ClientFlags::DIRTY_CAS)
    .or(ClientFlags::DIRTY_EXEC);

fn reset(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    if ctx.client().flags.any(ClientFlags::REPLICA.or(ClientFlags::PRIMARY)) && !ctx.client().flags.any(ClientFlags::MONITOR) {
        return Err(Error::fixed("ERR can only reset normal client connections"));
    }
    let key = ctx.client;
    ctx.state.forget(ctx.db.space(), key);
    ctx.state.log_out(key);
    let client = ctx.client();
    client.flags.set(SHED, false);
    client.name = Box::default();
    client.db = DbIndex(0);
    client.protocol = Protocol::Resp2;
    ctx.db.select(DbIndex(0));
    ctx.reply.set_protocol(Protocol::Resp2);
    ctx.reply.simple("RESET");
    DONE
}
