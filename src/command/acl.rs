//! ACL as it is with one user: who one is, what that user may do, and whose passwords were wrong.
//!
//! There is the user `default`, who may do everything; its password is `requirepass`. The commands that look at users
//! tell just that, in Redis's words. What would make another user, or another right, is refused: a server that took
//! such a rule and did not enforce it would be worse than one that says no.

use sha2::{Digest as _, Sha256};

use crate::resp::request::Args;
use crate::resp::writer::Reply;
use crate::server::access_log::Entry;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::registry::CATEGORIES;
use crate::server::row::{Command, Flags};

const ANYBODY: Flags = Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE);
const ADMIN: Flags = ANYBODY.or(Flags::ADMIN);
const ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

/// What the subcommands have in common.
const SUBCOMMAND: Command = Command { since: "6.0.0", group: "server", arity: 2, flags: ADMIN, ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[Command {
    name: "acl",
    summary: "Holds the commands about users and their rights.",
    since: "6.0.0",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[
        Command {
            name: "cat",
            summary: "Lists the categories of commands, or the commands of one.",
            complexity: "O(1) since the categories and commands are a fixed set.",
            arity: -2,
            flags: ANYBODY,
            syntax: "[category]",
            handler: cat,
            ..SUBCOMMAND
        },
        Command {
            name: "deluser",
            summary: "Deletes users, and ends their connections.",
            complexity: "O(1) amortized time considering the typical user.",
            arity: -3,
            syntax: "username...",
            tips: ALL_NODES,
            handler: deluser,
            ..SUBCOMMAND
        },
        Command {
            name: "dryrun",
            summary: "Tells whether a user may run a command, without running it.",
            since: "7.0.0",
            complexity: "O(1).",
            arity: -4,
            syntax: "username command [arg...]",
            handler: dryrun,
            ..SUBCOMMAND
        },
        Command {
            name: "genpass",
            summary: "Makes a password that nobody can guess.",
            arity: -2,
            flags: ANYBODY,
            syntax: "[bits:integer]",
            handler: genpass,
            ..SUBCOMMAND
        },
        Command {
            name: "getuser",
            summary: "Returns the rules of a user.",
            complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
            arity: 3,
            syntax: "username",
            handler: getuser,
            history: &[
                ("6.2.0", "Added Pub/Sub channel patterns."),
                ("7.0.0", "Added selectors and changed the format of key and channel patterns from a list to their rule representation."),
            ],
            ..SUBCOMMAND
        },
        Command { name: "help", summary: "Lists the subcommands.", flags: Flags::LOADING.or(Flags::STALE), handler: help, ..SUBCOMMAND },
        Command {
            name: "list",
            summary: "Shows all users with their rules, as in a file of users.",
            complexity: "O(N). Where N is the number of configured users.",
            handler: list,
            ..SUBCOMMAND
        },
        Command {
            name: "load",
            summary: "Reads the users anew from the file of users.",
            complexity: "O(N). Where N is the number of configured users.",
            tips: ALL_NODES,
            handler: no_file,
            ..SUBCOMMAND
        },
        Command {
            name: "log",
            summary: "Lists refused logins.",
            complexity: "O(N) with N being the number of entries shown.",
            arity: -2,
            syntax: "[operation: count:integer | RESET]",
            handler: log,
            history: &[("7.2.0", "Added entry ID, timestamp created, and timestamp last updated.")],
            ..SUBCOMMAND
        },
        Command {
            name: "save",
            summary: "Writes the users into the file of users.",
            complexity: "O(N). Where N is the number of configured users.",
            tips: ALL_NODES,
            handler: no_file,
            ..SUBCOMMAND
        },
        Command {
            name: "setuser",
            summary: "Makes or changes a user, which this server refuses.",
            complexity: "O(N). Where N is the number of rules provided.",
            arity: -3,
            syntax: "username [rule...]",
            tips: ALL_NODES,
            handler: setuser,
            history: &[("6.2.0", "Added Pub/Sub channel patterns."), ("7.0.0", "Added selectors and key based permissions.")],
            ..SUBCOMMAND
        },
        Command {
            name: "users",
            summary: "Lists the names of all users.",
            complexity: "O(N). Where N is the number of configured users.",
            handler: users,
            ..SUBCOMMAND
        },
        Command { name: "whoami", summary: "Returns the name of the connection's user.", flags: ANYBODY, handler: whoami, ..SUBCOMMAND },
    ],
    ..Command::BASE
}];

/// The one user.
pub const DEFAULT_USER: &[u8] = b"default";
/// Bits of a password that was not asked to have so many.
const PASSWORD_BITS: i64 = 256;
/// Bits that a password may have at most.
const PASSWORD_BITS_MAX: i64 = 4096;
/// Entries that ACL LOG shows unless told how many.
const LOG_SHOWN: usize = 10;

const HELP: &[&str] = &[
    "CAT [<category>]",
    "    List the categories of commands, or the commands of one.",
    "DELUSER <username> [<username> ...]",
    "    Delete users. The user 'default' stays.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Tell whether a user may run a command, without running it.",
    "GETUSER <username>",
    "    Show the rules of a user.",
    "GENPASS [<bits>]",
    "    Make a password of 256 random bits, or as many as asked for.",
    "LIST",
    "    Show all users with their rules.",
    "LOAD",
    "    Read the users from their file, of which this server has none.",
    "LOG [<count> | RESET]",
    "    Show refused logins, or forget them.",
    "SAVE",
    "    Write the users into their file, of which this server has none.",
    "SETUSER <username> <attribute> [<attribute> ...]",
    "    Refused: there is one user, 'default', and its password is the directive requirepass.",
    "USERS",
    "    List the names of all users.",
    "WHOAMI",
    "    Show this connection's user.",
];

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(ctx, HELP)
}

fn whoami(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    ctx.reply.bulk(DEFAULT_USER);
    DONE
}

fn users(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    ctx.reply.array(1);
    ctx.reply.bulk(DEFAULT_USER);
    DONE
}

/// The SHA-256 of the user's password in hex digits, if it has one.
fn password_digest(ctx: &Ctx<'_>) -> Option<String> {
    let password = &ctx.state.config.requirepass;
    (!password.is_empty()).then(|| hex(&Sha256::digest(password)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn list(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let login = match password_digest(ctx) {
        None => "nopass sanitize-payload".to_string(),
        Some(digest) => format!("sanitize-payload #{digest}"),
    };
    ctx.reply.array(1);
    ctx.reply.text(&format!("user default on {login} ~* &* +@all"));
    DONE
}

fn getuser(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.at(2) != DEFAULT_USER {
        ctx.reply.null();
        return DONE;
    }
    let digest = password_digest(ctx);
    let flags: &[&str] = if digest.is_some() { &["on", "sanitize-payload"] } else { &["on", "nopass", "sanitize-payload"] };
    let reply = &mut ctx.reply;
    reply.map(6);
    reply.text("flags");
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.text(flag));
    reply.text("passwords");
    reply.array(digest.iter().len());
    digest.iter().for_each(|digest| reply.text(digest));
    for (name, rule) in [("commands", "+@all"), ("keys", "~*"), ("channels", "&*")] {
        reply.text(name);
        reply.text(rule);
    }
    reply.text("selectors");
    reply.array(0);
    DONE
}

fn setuser(_: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    Err(Error::fixed("ERR ACL SETUSER is not available: there is one user, 'default', who may do everything; its password is requirepass"))
}

fn deluser(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.from(2).iter().any(|name| name == DEFAULT_USER) {
        return Err(Error::fixed("ERR The 'default' user cannot be removed"));
    }
    ctx.reply.integer(0);
    DONE
}

fn no_file(_: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    Err(Error::fixed(
        "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.",
    ))
}

fn cat(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(dispatch::wrong_subcommand(ctx, args));
    }
    let Some(name) = args.get(2) else {
        ctx.reply.array(CATEGORIES.len());
        CATEGORIES.iter().for_each(|category| ctx.reply.text(category));
        return DONE;
    };
    let Some(category) = CATEGORIES.iter().find(|category| name.eq_ignore_ascii_case(category.as_bytes())) else {
        return Err(Error::quoting("ERR Unknown category '{}'", &[name]));
    };
    let registry = &ctx.state.registry;
    let found: Vec<&str> = registry
        .iter()
        .filter(|(_, command)| command.parent.is_some() || !command.called.is_empty())
        .filter(|(_, command)| command.categories().contains(category))
        .map(|(_, command)| command.full_name.as_str())
        .collect();
    ctx.reply.array(found.len());
    found.iter().for_each(|name| ctx.reply.text(name));
    DONE
}

fn genpass(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(dispatch::wrong_subcommand(ctx, args));
    }
    let bits = args.get(2).map_or(Ok(PASSWORD_BITS), integer)?;
    let digits = usize::try_from(bits).ok().filter(|_| (1..=PASSWORD_BITS_MAX).contains(&bits)).map(|bits| bits.div_ceil(4));
    let digits = digits
        .ok_or(Error::fixed("ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"))?;
    let mut secret = vec![0; digits.div_ceil(2)];
    (ctx.state.host.entropy)(&mut secret).map_err(|why| Error::new(format!("ERR {why}")))?;
    ctx.reply.text(&hex(&secret)[..digits]);
    DONE
}

fn dryrun(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.at(2) != DEFAULT_USER {
        return Err(Error::quoting("ERR User '{}' not found", &[args.at(2)]));
    }
    let registry = &ctx.state.registry;
    let Some(id) = registry.resolve(args.at(3), args.get(4)) else {
        return Err(Error::quoting("ERR Command '{}' not found", &[args.at(3)]));
    };
    let command = registry.get(id);
    if !command.row.takes(args.len() - 3) {
        return Err(Error::arity(&command.full_name));
    }
    ctx.reply.ok();
    DONE
}

fn log(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let shown = match args.get(2) {
        _ if args.len() > 3 => return Err(dispatch::wrong_subcommand(ctx, args)),
        None => LOG_SHOWN,
        Some(word) if word.eq_ignore_ascii_case(b"reset") => {
            ctx.state.access_log.clear();
            ctx.reply.ok();
            return DONE;
        }
        Some(count) => usize::try_from(integer(count)?).unwrap_or(0),
    };
    let now_ms = ctx.now().0;
    let entries = ctx.state.access_log.entries();
    ctx.reply.array(entries.len().min(shown));
    for entry in entries.iter().take(shown) {
        describe(&mut ctx.reply, entry, now_ms);
    }
    DONE
}

fn describe(reply: &mut Reply<'_>, entry: &Entry, now_ms: i64) {
    reply.map(10);
    reply.text("count");
    reply.integer(i64::try_from(entry.count).unwrap_or(i64::MAX));
    let facts: [(&str, &[u8]); 4] = [
        ("reason", b"auth"),
        ("context", if entry.in_transaction { b"multi" } else { b"toplevel" }),
        ("object", &entry.command),
        ("username", &entry.user),
    ];
    for (name, fact) in facts {
        reply.text(name);
        reply.bulk(fact);
    }
    reply.text("age-seconds");
    reply.double((now_ms - entry.updated_ms) as f64 / 1000.0);
    reply.text("client-info");
    reply.bulk(&entry.client);
    for (name, number) in [
        ("entry-id", i64::try_from(entry.id).unwrap_or(i64::MAX)),
        ("timestamp-created", entry.created_ms),
        ("timestamp-last-updated", entry.updated_ms),
    ] {
        reply.text(name);
        reply.integer(number);
    }
}
