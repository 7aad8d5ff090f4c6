//! CLIENT: looking at connections, and doing things to them.
//!
//! LIST and KILL choose clients by one [`Filter`], so whatever can be listed can be closed. It takes
//! Redis's criteria and those that Valkey added, in any combination.

use crate::base::clock::Millis;
use crate::base::number;
use crate::config::ClientClass;
use crate::resp::request::Args;
use crate::server::client::{Client, ClientFlags, ClientKey};
use crate::server::client_line::{describe, letters};
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::server::gates::Why;
use crate::server::row::{Command, Flags};
use crate::server::users::UserId;
use crate::server::{Later, State, dispatch};

use super::connection::{client_name, is_plain};
use super::tracking;

/// What most subcommands have in common.
pub(super) const OF_A_CONNECTION: Command =
    Command { group: "connection", flags: Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE), acl: &["connection"], ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[Command {
    name: "client",
    summary: "Holds the commands about client connections.",
    since: "2.4.0",
    group: "connection",
    complexity: "Depends on subcommand.",
    arity: -2,
    subcommands: &[
        tracking::CACHING,
        tracking::GETREDIR,
        tracking::TRACKING,
        tracking::TRACKINGINFO,
        Command {
            name: "getname",
            summary: "Returns the connection's name.",
            since: "2.6.9",
            arity: 2,
            handler: getname,
            ..OF_A_CONNECTION
        },
        Command {
            name: "help",
            summary: "Lists the subcommands.",
            since: "5.0.0",
            arity: 2,
            flags: Flags::LOADING.or(Flags::STALE),
            handler: help,
            ..OF_A_CONNECTION
        },
        Command {
            name: "id",
            summary: "Returns the connection's unique number.",
            since: "5.0.0",
            arity: 2,
            handler: id,
            ..OF_A_CONNECTION
        },
        Command {
            name: "info",
            summary: "Describes the connection.",
            since: "6.2.0",
            arity: 2,
            tips: &["nondeterministic_output"],
            handler: info,
            ..OF_A_CONNECTION
        },
        Command {
            name: "kill",
            summary: "Closes connections.",
            since: "2.4.0",
            complexity: "O(N) where N is the number of client connections",
            arity: -3,
            flags: Flags::ADMIN.or(OF_A_CONNECTION.flags),
            syntax: "<filter: old-format/ip:port | <new-format: [ID client-id:integer] | [TYPE <client-type: NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | [USER username] | [ADDR addr/ip:port] | [LADDR laddr/ip:port] | [SKIPME <skipme: YES | NO>] | [MAXAGE maxage:integer] | [IP ip] | [NAME name] | [IDLE idle:integer] | [FLAGS flags] | [LIB-NAME libname] | [LIB-VER libver] | [DB db:integer]>...>",
            handler: kill,
            ..OF_A_CONNECTION
        },
        Command {
            name: "list",
            summary: "Describes all connections.",
            since: "2.4.0",
            complexity: "O(N) where N is the number of client connections",
            arity: -2,
            flags: Flags::ADMIN.or(OF_A_CONNECTION.flags),
            syntax: "[TYPE <client-type: NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id:integer...] [USER username] [ADDR addr/ip:port] [LADDR laddr/ip:port] [IP ip] [SKIPME <skipme: YES | NO>] [MAXAGE maxage:integer] [NAME name] [IDLE idle:integer] [FLAGS flags] [LIB-NAME libname] [LIB-VER libver] [DB db:integer]",
            tips: &["nondeterministic_output"],
            handler: list,
            ..OF_A_CONNECTION
        },
        Command {
            name: "no-evict",
            summary: "Exempts the connection from client eviction, or ends that.",
            since: "7.0.0",
            arity: 3,
            flags: Flags::ADMIN.or(OF_A_CONNECTION.flags),
            syntax: "<enabled: ON | OFF>",
            handler: no_evict,
            ..OF_A_CONNECTION
        },
        Command {
            name: "no-touch",
            summary: "Keeps the connection's commands from refreshing the keys' access times, or ends that.",
            since: "7.2.0",
            arity: 3,
            syntax: "<enabled: ON | OFF>",
            handler: no_touch,
            ..OF_A_CONNECTION
        },
        Command {
            name: "pause",
            summary: "Holds back the commands of all clients for a while.",
            since: "3.0.0",
            arity: -3,
            flags: Flags::ADMIN.or(OF_A_CONNECTION.flags),
            syntax: "timeout:integer [mode: WRITE | ALL]",
            handler: pause,
            ..OF_A_CONNECTION
        },
        Command {
            name: "reply",
            summary: "Turns replies to the connection on or off.",
            since: "3.2.0",
            arity: 3,
            syntax: "<action: ON | OFF | SKIP>",
            handler: reply,
            ..OF_A_CONNECTION
        },
        Command {
            name: "setinfo",
            summary: "Records facts about the client's library.",
            since: "7.2.0",
            arity: 4,
            syntax: "<attr: LIB-NAME libname | LIB-VER libver>",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: setinfo,
            ..OF_A_CONNECTION
        },
        Command {
            name: "setname",
            summary: "Names the connection.",
            since: "2.6.9",
            arity: 3,
            syntax: "connection-name",
            tips: &["request_policy:all_nodes", "response_policy:all_succeeded"],
            handler: setname,
            ..OF_A_CONNECTION
        },
        Command {
            name: "unblock",
            summary: "Ends the wait of a client in a blocking command, seen from another connection.",
            since: "5.0.0",
            complexity: "O(log N) where N is the number of client connections",
            arity: -3,
            flags: Flags::ADMIN.or(OF_A_CONNECTION.flags),
            syntax: "client-id:integer [unblock-type: TIMEOUT | ERROR]",
            handler: unblock,
            ..OF_A_CONNECTION
        },
        Command {
            name: "unpause",
            summary: "Ends a pause of the clients.",
            since: "6.2.0",
            complexity: "O(N) Where N is the number of paused clients",
            arity: 2,
            flags: Flags::ADMIN.or(OF_A_CONNECTION.flags),
            handler: unpause,
            ..OF_A_CONNECTION
        },
    ],
    ..Command::BASE
}];

const HELP: &[&str] = &[
    "GETNAME",
    "    Show the name of this connection.",
    "ID",
    "    Show the number of this connection.",
    "INFO",
    "    Describe this connection.",
    "KILL <ip:port>",
    "    Close the connection from <ip:port>.",
    "KILL <criterion> <value> [<criterion> <value> ...]",
    "    Close all connections that meet the criteria: ID <number>, ADDR <ip:port>, LADDR <ip:port>, IP <ip>,",
    "    TYPE (NORMAL|MASTER|REPLICA|PUBSUB), USER <name>, NAME <name>, DB <number>, FLAGS <letters>,",
    "    LIB-NAME <name>, LIB-VER <version>, IDLE <seconds>, MAXAGE <seconds>, SKIPME (YES|NO).",
    "LIST [<criterion> <value> ...]",
    "    Describe the connections that meet the criteria, which are those of KILL; ID takes several numbers.",
    "PAUSE <milliseconds> [WRITE|ALL]",
    "    Hold back all commands, or those that may write.",
    "UNPAUSE",
    "    End the pause.",
    "REPLY (ON|OFF|SKIP)",
    "    Send replies to this connection, send none, or leave out the next one.",
    "SETNAME <name>",
    "    Name this connection.",
    "SETINFO (LIB-NAME|LIB-VER) <text>",
    "    Record the name or version of this connection's library.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]] [OPTIN] [OPTOUT] [NOLOOP]",
    "    Tell this connection which keys changed that it has read.",
    "CACHING (YES|NO)",
    "    Decide in OPTIN or OPTOUT mode whether the keys of the next command are tracked.",
    "GETREDIR",
    "    Show the connection that the tracking messages go to.",
    "TRACKINGINFO",
    "    Describe the tracking of this connection.",
    "UNBLOCK <id> [TIMEOUT|ERROR]",
    "    End the wait of a client in a blocking command.",
    "NO-EVICT (ON|OFF)",
    "    Exempt this connection from client eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Keep this connection's commands from refreshing access times.",
];

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(ctx, HELP)
}

fn id(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let id = ctx.client().id;
    ctx.reply.integer(i64::try_from(id).unwrap_or(i64::MAX));
    DONE
}

fn getname(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let name = &ctx.state.clients[ctx.client].name;
    ctx.reply.bulk_or_null((!name.is_empty()).then_some(name));
    DONE
}

fn setname(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    ctx.client().name = client_name(args.at(2))?.into();
    ctx.reply.ok();
    DONE
}

fn setinfo(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (option, text) = (args.at(2), args.at(3));
    let field = match option.to_ascii_lowercase().as_slice() {
        b"lib-name" => &mut ctx.state.clients[ctx.client].library,
        b"lib-ver" => &mut ctx.state.clients[ctx.client].library_version,
        _ => return Err(Error::quoting("ERR Unrecognized option '{}'", &[option])),
    };
    if !is_plain(text) {
        return Err(Error::quoting("ERR {} cannot contain spaces, newlines or special characters.", &[option]));
    }
    *field = text.into();
    ctx.reply.ok();
    DONE
}

fn info(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let mut text = Vec::new();
    describe(ctx.state, ctx.client, &mut text);
    ctx.reply.verbatim("txt", &text);
    DONE
}

fn list(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let filter = Filter::parse(ctx.state, args, Purpose::List)?;
    let mut text = Vec::new();
    for key in filter.matching(ctx.state, ctx.client) {
        describe(ctx.state, key, &mut text);
    }
    ctx.reply.verbatim("txt", &text);
    DONE
}

/// The type of a client as TYPE names it.
fn class(client: &Client) -> Class {
    if client.flags.any(ClientFlags::PRIMARY) {
        return Class::Master;
    }
    match client.class() {
        ClientClass::Normal => Class::Normal,
        ClientClass::Replica => Class::Replica,
        ClientClass::Pubsub => Class::Pubsub,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Normal,
    Replica,
    Pubsub,
    Master,
}

impl Class {
    fn named(word: &[u8]) -> Result<Class, Error> {
        match word.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Class::Normal),
            b"replica" | b"slave" => Ok(Class::Replica),
            b"pubsub" => Ok(Class::Pubsub),
            b"master" | b"primary" => Ok(Class::Master),
            _ => Err(Error::quoting("ERR Unknown client type '{}'", &[word])),
        }
    }
}

/// What the filter is for: whether the caller is included, and what a list of numbers looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    List,
    Kill,
}

/// Criteria that a client must meet, all of those that are set.
#[derive(Default)]
struct Filter<'a> {
    ids: Option<Vec<i64>>,
    class: Option<Class>,
    user: Option<UserId>,
    address: Option<&'a [u8]>,
    local_address: Option<&'a [u8]>,
    ip: Option<&'a [u8]>,
    name: Option<&'a [u8]>,
    library: Option<&'a [u8]>,
    library_version: Option<&'a [u8]>,
    letters: Option<&'a [u8]>,
    db: Option<i64>,
    min_age_seconds: Option<i64>,
    min_idle_seconds: Option<i64>,
    skip_me: bool,
}

impl<'a> Filter<'a> {
    /// Reads the criteria from argument 2 on.
    fn parse(state: &State, args: Args<'a>, purpose: Purpose) -> Result<Filter<'a>, Error> {
        let mut filter = Filter { skip_me: purpose == Purpose::Kill, ..Filter::default() };
        let mut at = 2;
        while at < args.len() {
            let Some(value) = args.get(at + 1) else { return Err(Error::SYNTAX) };
            let option = args.at(at).to_ascii_lowercase();
            if option == b"id" {
                at = filter.take_ids(args, at + 1, purpose)?;
                continue;
            }
            filter.take(state, &option, value)?;
            at += 2;
        }
        Ok(filter)
    }

    /// The numbers after ID: as many as there are for LIST, one for KILL.
    fn take_ids(&mut self, args: Args<'a>, mut at: usize, purpose: Purpose) -> Result<usize, Error> {
        let ids = self.ids.get_or_insert_default();
        loop {
            let id = args.get(at).and_then(number::parse_i64);
            ids.push(match purpose {
                Purpose::List => id.ok_or(Error::fixed("ERR Invalid client ID"))?,
                Purpose::Kill => id.filter(|&id| id > 0).ok_or(Error::fixed("ERR client-id should be greater than 0"))?,
            });
            at += 1;
            let more = purpose == Purpose::List
                && args.get(at).is_some_and(|next| !next.first().is_some_and(u8::is_ascii_alphabetic) || args.len() == at + 1);
            if !more {
                return Ok(at);
            }
        }
    }

    fn take(&mut self, state: &State, option: &[u8], value: &'a [u8]) -> Result<(), Error> {
        match option {
            b"type" => self.class = Some(Class::named(value)?),
            b"user" => self.user = Some(state.users.id(value).ok_or_else(|| Error::quoting("ERR No such user '{}'", &[value]))?),
            b"addr" => self.address = Some(value),
            b"laddr" => self.local_address = Some(value),
            b"ip" => self.ip = Some(value),
            b"name" => self.name = Some(value),
            b"lib-name" => self.library = Some(value),
            b"lib-ver" => self.library_version = Some(value),
            b"flags" => self.letters = Some(value),
            b"maxage" => self.min_age_seconds = Some(positive(value, "maxage")?),
            b"idle" => self.min_idle_seconds = Some(positive(value, "idle")?),
            b"db" => {
                let db = integer(value)?;
                if !(0..i64::from(state.config.databases)).contains(&db) {
                    return Err(Error::DB_OUT_OF_RANGE);
                }
                self.db = Some(db);
            }
            b"skipme" if value.eq_ignore_ascii_case(b"yes") => self.skip_me = true,
            b"skipme" if value.eq_ignore_ascii_case(b"no") => self.skip_me = false,
            _ => return Err(Error::SYNTAX),
        }
        Ok(())
    }

    fn matches(&self, state: &State, client: &Client) -> bool {
        let seconds = |since| state.now.unix.saturating_sub(since).0 / 1_000_000;
        let is = |wanted: Option<&[u8]>, has: &[u8]| wanted.is_none_or(|wanted| wanted == has);
        let ip = client.peer.address.rsplit_once(':').map_or("", |(ip, _)| ip.trim_start_matches('[').trim_end_matches(']'));
        let shown = letters(client);
        self.ids.as_ref().is_none_or(|ids| i64::try_from(client.id).is_ok_and(|id| ids.contains(&id)))
            && self.class.is_none_or(|wanted| wanted == class(client))
            && self.user.is_none_or(|user| state.user_of(client) == Some(user))
            && is(self.address, client.peer.address.as_bytes())
            && is(self.local_address, client.peer.local_address.as_bytes())
            && is(self.ip, ip.as_bytes())
            && is(self.name, &client.name)
            && is(self.library, &client.library)
            && is(self.library_version, &client.library_version)
            && self.letters.is_none_or(|wanted| wanted.iter().all(|letter| shown.as_bytes().contains(letter)))
            && self.db.is_none_or(|db| db == i64::from(client.db.0))
            && self.min_age_seconds.is_none_or(|least| seconds(client.connected_at) >= least)
            && self.min_idle_seconds.is_none_or(|least| seconds(client.active_at) >= least)
    }

    /// The clients that meet all criteria, by number.
    fn matching(&self, state: &State, me: ClientKey) -> Vec<ClientKey> {
        let clients = state.clients.iter().filter(|(key, client)| {
            let shown = !client.flags.any(ClientFlags::REPLAY.or(ClientFlags::CLOSE_NOW));
            shown && !(self.skip_me && *key == me) && self.matches(state, client)
        });
        let mut found: Vec<(u64, ClientKey)> = clients.map(|(key, client)| (client.id, key)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, key)| key).collect()
    }
}

fn positive(value: &[u8], what: &str) -> Result<i64, Error> {
    let value = number::parse_i64(value).ok_or_else(|| Error::new(format!("ERR {what} is not an integer or out of range")))?;
    if value > 0 { Ok(value) } else { Err(Error::new(format!("ERR {what} should be greater than 0"))) }
}

fn kill(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() == 3 {
        let filter = Filter { address: Some(args.at(2)), ..Filter::default() };
        let found = filter.matching(ctx.state, ctx.client).first().copied();
        let found = found.ok_or(Error::fixed("ERR No such client"))?;
        ctx.state.hang_up(ctx.db.space(), found);
        ctx.reply.ok();
        return DONE;
    }
    let filter = Filter::parse(ctx.state, args, Purpose::Kill)?;
    let doomed = filter.matching(ctx.state, ctx.client);
    ctx.reply.count(doomed.len());
    for key in doomed {
        ctx.state.hang_up(ctx.db.space(), key);
    }
    DONE
}

fn pause(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 4 {
        return Err(dispatch::wrong_subcommand(ctx, args));
    }
    let writes_only = match args.get(3) {
        None => false,
        Some(word) if word.eq_ignore_ascii_case(b"write") => true,
        Some(word) if word.eq_ignore_ascii_case(b"all") => false,
        Some(_) => return Err(Error::fixed("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let millis = number::parse_i64(args.at(2)).ok_or(Error::fixed("ERR timeout is not an integer or out of range"))?;
    if millis < 0 {
        return Err(Error::NEGATIVE_TIMEOUT);
    }
    let until = ctx.now().checked_add(Millis(millis)).ok_or(Error::TIMEOUT_OUT_OF_RANGE)?;
    ctx.state.pause(ctx.db.space(), Why::Client, until, writes_only);
    ctx.reply.ok();
    DONE
}

fn unpause(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    ctx.state.unpause(ctx.db.space(), Why::Client);
    ctx.reply.ok();
    DONE
}

fn reply(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let muted = ClientFlags::REPLY_OFF.or(ClientFlags::REPLY_SKIP);
    match args.at(2).to_ascii_lowercase().as_slice() {
        b"on" => {
            ctx.client().flags.set(muted, false);
            ctx.reply.ok();
        }
        b"off" => ctx.client().flags.set(ClientFlags::REPLY_OFF, true),
        b"skip" => {
            let off = ctx.client().flags.any(ClientFlags::REPLY_OFF);
            ctx.client().flags.set(ClientFlags::REPLY_SKIP_NEXT, !off);
        }
        _ => return Err(Error::SYNTAX),
    }
    DONE
}

/// `ON` or `OFF` for a flag.
fn set_flag(ctx: &mut Ctx<'_>, word: &[u8], flag: ClientFlags) -> Outcome {
    let on = match word.to_ascii_lowercase().as_slice() {
        b"on" => true,
        b"off" => false,
        _ => return Err(Error::SYNTAX),
    };
    ctx.client().flags.set(flag, on);
    ctx.reply.ok();
    DONE
}

fn no_evict(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_flag(ctx, args.at(2), ClientFlags::NO_EVICT)
}

fn no_touch(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    set_flag(ctx, args.at(2), ClientFlags::NO_TOUCH)
}

fn unblock(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 4 {
        return Err(dispatch::wrong_subcommand(ctx, args));
    }
    let error = match args.get(3) {
        None => None,
        Some(word) if word.eq_ignore_ascii_case(b"timeout") => None,
        Some(word) if word.eq_ignore_ascii_case(b"error") => Some(Error::fixed("UNBLOCKED client unblocked via CLIENT UNBLOCK")),
        Some(_) => return Err(Error::fixed("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")),
    };
    let id = integer(args.at(2))?;
    let found = u64::try_from(id).ok().and_then(|id| ctx.state.clients.by_id(id));
    // within a transaction it may have been asked for already
    let ends = |key| ctx.state.later.iter().any(|later| matches!(later, Later::Unblock(other, _) if *other == key));
    let waiting = found.filter(|&key| ctx.state.clients[key].flags.any(ClientFlags::BLOCKED) && !ends(key));
    if let Some(key) = waiting {
        ctx.state.later.push(Later::Unblock(key, error));
    }
    ctx.reply.integer(i64::from(waiting.is_some()));
    DONE
}
