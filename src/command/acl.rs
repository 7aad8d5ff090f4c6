//! ACL: users, what they may do, and what was refused to them.
//!
//! The commands here read and write [`crate::server::users`]; what a user may do is decided there, and asked for in the
//! dispatch, in EXEC, in scripts and where a parked command runs again.

use crate::base::text::until_zero;
use crate::resp::request::Args;
use crate::resp::writer::Reply;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::registry::CATEGORIES;
use crate::server::row::{Command, Flags};
use crate::server::users::log::Entry;
use crate::server::users::rules::{has_spaces, join_selectors};
use crate::server::users::selector::{Forbidden, Selector};
use crate::server::users::sessions::missing;
use crate::server::users::user::User;
use crate::server::users::{DEFAULT_NAME, rulebook};

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
            handler: load,
            ..SUBCOMMAND
        },
        Command {
            name: "log",
            summary: "Lists what was refused to users, and logins that failed.",
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
            handler: save,
            ..SUBCOMMAND
        },
        Command {
            name: "setuser",
            summary: "Makes or changes a user.",
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
    "    Read the users anew from their file, all or none.",
    "LOG [<count> | RESET]",
    "    Show what was refused to users, or forget it.",
    "SAVE",
    "    Write the users into their file.",
    "SETUSER <username> <attribute> [<attribute> ...]",
    "    Make a user, or change it, by rules such as on, >password, ~keys, &channels and +command.",
    "USERS",
    "    List the names of all users.",
    "WHOAMI",
    "    Show this connection's user.",
];

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(ctx, HELP)
}

fn whoami(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let client = &ctx.state.clients[ctx.client];
    let name = ctx.state.user_of(client).map(|user| &*ctx.state.users.get(user).name);
    ctx.reply.bulk_or_null(name);
    DONE
}

fn users(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let users = &ctx.state.users;
    ctx.reply.array(users.iter().len());
    users.iter().for_each(|user| ctx.reply.bulk(&user.name));
    DONE
}

fn list(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let lines = ctx.state.users.lines();
    ctx.reply.array(lines.len());
    lines.iter().for_each(|line| ctx.reply.bulk(line));
    DONE
}

fn getuser(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let Some(user) = ctx.state.users.by_name(args.at(2)) else {
        ctx.reply.null();
        return DONE;
    };
    let reply = &mut ctx.reply;
    reply.map(6);
    reply.text("flags");
    reply.set(user.flags().count());
    user.flags().for_each(|flag| reply.text(flag));
    reply.text("passwords");
    reply.array(user.passwords.len());
    user.passwords.iter().for_each(|password| reply.bulk(&password.0));
    describe_selector(reply, &user.root);
    reply.text("selectors");
    reply.array(user.selectors.len());
    for selector in &user.selectors {
        reply.map(3);
        describe_selector(reply, selector);
    }
    DONE
}

/// Three pairs of a map.
fn describe_selector(reply: &mut Reply<'_>, selector: &Selector) {
    for (name, text) in [("commands", selector.command_text()), ("keys", selector.key_text()), ("channels", selector.channel_text())] {
        reply.text(name);
        reply.bulk(&text);
    }
}

/// All rules are obeyed, or none.
fn setuser(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let name = args.at(2);
    if has_spaces(name) {
        return Err(Error::fixed("ERR Usernames can't contain spaces or null characters"));
    }
    let words: Vec<&[u8]> = args.from(3).iter().collect();
    let rules =
        join_selectors(&words).map_err(|at| Error::quoting("ERR Unmatched parenthesis in acl selector starting at '{}'.", &[words[at]]))?;
    let book = rulebook(&ctx.state.registry, &ctx.state.config);
    let mut user = ctx.state.users.by_name(name).cloned().unwrap_or_else(|| User::new(name, book));
    for rule in &rules {
        user.apply(rule, book)
            .map_err(|error| Error::quoting("ERR Error in ACL SETUSER modifier '{}': {}", &[rule, error.text().as_bytes()]))?;
    }
    ctx.state.put_user(ctx.db.space(), user);
    ctx.reply.ok();
    DONE
}

fn deluser(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let names = args.from(2);
    if names.iter().any(|name| until_zero(name) == DEFAULT_NAME) {
        return Err(Error::fixed("ERR The 'default' user cannot be removed"));
    }
    let deleted = names.iter().filter(|name| ctx.state.remove_user(ctx.db.space(), name)).count();
    ctx.reply.count(deleted);
    DONE
}

const NO_FILE: Error = Error::fixed(
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store users in the Redis configuration.",
);

fn load(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    if ctx.state.config.aclfile.is_empty() {
        return Err(NO_FILE);
    }
    ctx.state.load_user_file(ctx.db.space()).map_err(|error| Error::new(format!("ERR {error}")))?;
    ctx.reply.ok();
    DONE
}

fn save(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    if ctx.state.config.aclfile.is_empty() {
        return Err(NO_FILE);
    }
    if let Err(reason) = ctx.state.save_user_file() {
        log::warn!("The file of users cannot be written: {reason}");
        return Err(Error::fixed("ERR There was an error trying to save the ACLs. Please check the server logs for more information"));
    }
    ctx.reply.ok();
    DONE
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
        .filter(|(_, command)| command.categories.contains(category))
        .map(|(_, command)| command.full_name.as_str())
        .collect();
    ctx.reply.array(found.len());
    found.iter().for_each(|name| ctx.reply.text(name));
    DONE
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
    let Some(user) = ctx.state.users.by_name(args.at(2)) else {
        return Err(Error::quoting("ERR User '{}' not found", &[args.at(2)]));
    };
    let registry = &ctx.state.registry;
    let Some(id) = registry.resolve(args.at(3), args.get(4)) else {
        return Err(Error::quoting("ERR Command '{}' not found", &[args.at(3)]));
    };
    let (command, request) = (registry.get(id), args.from(3));
    if !command.row.takes(request.len()) {
        return Err(Error::arity(&command.full_name));
    }
    let Err(denial) = user.check(registry, id, request) else {
        ctx.reply.ok();
        return DONE;
    };
    let word = request.at(denial.at);
    let told = |what: &[u8]| [b"User ", &*user.name, b" has no permissions to access the '", word, b"' ", what].concat();
    let text = match denial.what {
        Forbidden::Command => missing(registry, &user.name, denial, id),
        Forbidden::Key => told(b"key"),
        Forbidden::Channel => told(b"channel"),
    };
    ctx.reply.bulk(&text);
    DONE
}

fn log(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let shown = match args.get(2) {
        _ if args.len() > 3 => return Err(dispatch::wrong_subcommand(ctx, args)),
        None => LOG_SHOWN,
        Some(word) if word.eq_ignore_ascii_case(b"reset") => {
            ctx.state.users.log.clear();
            ctx.reply.ok();
            return DONE;
        }
        Some(count) => usize::try_from(integer(count)?).unwrap_or(0),
    };
    let now_ms = ctx.now().0;
    let entries = ctx.state.users.log.entries();
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
        ("reason", entry.reason.word().as_bytes()),
        ("context", entry.context.word().as_bytes()),
        ("object", &entry.object),
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
