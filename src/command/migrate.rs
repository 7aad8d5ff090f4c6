//! MIGRATE: its words, what is sent, what is answered. How keys travel is in [`crate::server::migration`].

use std::fmt::Write as _;

use crate::base::clock::Millis;
use crate::base::number;
use crate::keyspace::effects::Event;
use crate::persist::rdb::dump;
use crate::resp::request::Args;
use crate::resp::writer::write_command;
use crate::server::context::{Block, Ctx, DONE, OnTimeout, Outcome, integer};
use crate::server::error::Error;
use crate::server::migration::{Ended, Fault, Parcel, Step};
use crate::server::row::{BeginSearch, Command, FindKeys, Flags, KeySpec};

const TAKEN: &[&str] = &["RW", "access", "delete"];
/// As [`TAKEN`]; the word may also be a password.
const TAKEN_INCOMPLETE: &[&str] = &["RW", "access", "delete", "incomplete"];
/// Milliseconds that are waited for an answer if the request says zero or less.
const TIMEOUT_MS: i64 = 1000;

/// The rows of the family.
pub const COMMANDS: &[Command] = &[Command {
    name: "migrate",
    summary: "Atomically transfers a key from one Redis instance to another.",
    since: "2.6.0",
    group: "generic",
    complexity: "This command actually executes a DUMP+DEL in the source instance, and a RESTORE in the target instance. See the pages of these commands for time complexity. Also an O(N) data transfer between the two instances is performed.",
    arity: -6,
    flags: Flags::WRITE.or(Flags::MOVABLE_KEYS),
    acl: &["keyspace", "dangerous"],
    keys: &[
        KeySpec::one(3, TAKEN),
        KeySpec {
            flags: TAKEN_INCOMPLETE,
            notes: "",
            begin: BeginSearch::Keyword("KEYS", -2),
            find: FindKeys::Range { last: -1, step: 1, limit: 0 },
        },
    ],
    find_keys: Some(named),
    syntax: "host port:integer <key-selector: key | empty-string=''> destination-db:integer timeout:integer [COPY] [REPLACE] [authentication: AUTH auth/password | AUTH2 {auth2: username password}] [KEYS keys:key/key...]",
    tips: &["nondeterministic_output"],
    history: &[
        ("3.0.0", "Added the `COPY` and `REPLACE` options."),
        ("3.0.6", "Added the `KEYS` option."),
        ("4.0.7", "Added the `AUTH` option."),
        ("6.0.0", "Added the `AUTH2` option."),
    ],
    handler: migrate,
    ..Command::BASE
}];

/// The keys: those behind KEYS, or the one. Both at once are refused, so that there are none.
fn named(args: Args<'_>) -> Vec<(usize, &'static [&'static str])> {
    let has_one = args.get(3).is_some_and(|key| !key.is_empty());
    let mut at = 6;
    while at < args.len() {
        if args.is(at, "KEYS") {
            let keys = if has_one { args.len() } else { at + 1 }..args.len();
            return keys.map(|key| (key, TAKEN)).collect();
        }
        at += 1 + if args.is(at, "AUTH") { 1 } else { 2 * usize::from(args.is(at, "AUTH2")) };
    }
    vec![(3, TAKEN)]
}

/// What is asked for.
struct Request<'a> {
    host: String,
    port: u16,
    destination: i64,
    timeout: Millis,
    copy: bool,
    replace: bool,
    /// The words of AUTH.
    login: Vec<&'a [u8]>,
    keys: Vec<&'a [u8]>,
}

impl<'a> Request<'a> {
    fn parse(args: Args<'a>) -> Result<Request<'a>, Error> {
        let (mut copy, mut replace, mut login, mut keys) = (false, false, Vec::new(), vec![args.at(3)]);
        let mut at = 6;
        while at < args.len() {
            let more = args.len() - 1 - at;
            match args.at(at).to_ascii_uppercase().as_slice() {
                b"COPY" => copy = true,
                b"REPLACE" => replace = true,
                b"AUTH" if more >= 1 => {
                    login = vec![args.at(at + 1)];
                    at += 1;
                }
                b"AUTH2" if more >= 2 => {
                    login = vec![args.at(at + 1), args.at(at + 2)];
                    at += 2;
                }
                b"KEYS" => {
                    if !args.at(3).is_empty() {
                        return Err(Error::fixed("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"));
                    }
                    keys = args.from(at + 1).iter().collect();
                    break;
                }
                _ => return Err(Error::SYNTAX),
            }
            at += 1;
        }
        let timeout = integer(args.at(5))?;
        Ok(Request {
            host: String::from_utf8_lossy(args.at(1)).into_owned(),
            // what is no port is none that anybody listens on
            port: number::parse_i64(args.at(2)).and_then(|port| u16::try_from(port).ok()).unwrap_or(0),
            destination: integer(args.at(4))?,
            timeout: Millis(if timeout > 0 { timeout } else { TIMEOUT_MS }),
            copy,
            replace,
            login,
            keys,
        })
    }
}

fn migrate(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let request = Request::parse(args)?;
    if ctx.timed_out {
        ctx.state.time_out_migration(ctx.client);
    }
    if ctx.state.migrations.step(ctx.client).is_none() {
        let keys: Vec<Box<[u8]>> = request.keys.iter().filter(|key| ctx.db.exists(key)).map(|key| Box::from(*key)).collect();
        if keys.is_empty() {
            ctx.reply.simple("NOKEY");
            return DONE;
        }
        if ctx.must_not_block {
            return Err(Error::fixed("ERR MIGRATE cannot wait for another server within a transaction or a script"));
        }
        let held = if request.copy { Vec::new() } else { keys };
        let source = ctx.db.index();
        ctx.state.begin_migration(ctx.client, (&request.host, request.port), request.timeout, source, held);
    }
    if ctx.state.migrations.step(ctx.client) == Some(Step::Ready) {
        let parcel = pack(ctx, &request);
        ctx.state.send_migration(ctx.db.space(), ctx.client, parcel, !request.copy);
    }
    if let Some(Step::Over(_)) = ctx.state.migrations.step(ctx.client) {
        let ended = ctx.state.finish_migration(ctx.db.space(), ctx.client, request.destination);
        return conclude(ctx, &request, ended);
    }
    Block::for_event(Some(ctx.now().saturating_add(request.timeout)), OnTimeout::RunAgain)
}

/// The requests for the other server: a login and its database where needed, then a RESTORE for each key that is
/// there.
fn pack(ctx: &mut Ctx<'_>, request: &Request<'_>) -> Parcel {
    let mut parcel = Parcel { bytes: Vec::new(), greetings: 0, keys: Vec::new() };
    let mut greet = |words: &[&[u8]]| {
        write_command(&mut parcel.bytes, words.len(), words.iter().copied());
        parcel.greetings += 1;
    };
    if !request.login.is_empty() {
        let words: Vec<&[u8]> = std::iter::once(&b"AUTH"[..]).chain(request.login.iter().copied()).collect();
        greet(&words);
    }
    if ctx.state.migrations.selected(ctx.client) != Some(request.destination) {
        greet(&[b"SELECT", request.destination.to_string().as_bytes()]);
    }
    let (compress, now) = (ctx.state.config.rdbcompression, ctx.now());
    for key in &request.keys {
        let Some(entry) = ctx.db.entry(key) else { continue };
        let ttl = entry.deadline().map_or(0, |deadline| deadline.saturating_sub(now).0.max(1)).to_string();
        let payload = dump::write(entry, compress);
        let words: [&[u8]; 5] = [b"RESTORE", key, ttl.as_bytes(), &payload, b"REPLACE"];
        let count = if request.replace { 5 } else { 4 };
        write_command(&mut parcel.bytes, count, words.into_iter().take(count));
        parcel.keys.push(Box::from(*key));
    }
    parcel
}

/// Removes what the target has confirmed, and replies.
fn conclude(ctx: &mut Ctx<'_>, request: &Request<'_>, ended: Ended) -> Outcome {
    let mut changed = String::new();
    if !request.copy {
        let mut words: Vec<&[u8]> = vec![b"DEL"];
        for (key, touched) in &ended.confirmed {
            if !touched && ctx.db.remove(key, Event::generic("del")) {
                words.push(key);
            } else if *touched && ctx.db.exists(key) {
                let comma = if changed.is_empty() { "" } else { ", " };
                write!(changed, "{comma}'{}'", String::from_utf8_lossy(key)).expect("a string takes all");
            }
        }
        if words.len() > 1 {
            ctx.propagate(&words);
        } else {
            ctx.propagate_nothing();
        }
    }
    // the keys are gone whatever is said now, so it is said here and not by an error that undoes
    match (ended.refusal, ended.fault) {
        (Some(refusal), _) => Err(Error::bytes([b"ERR Target instance replied with error: ", refusal.as_slice()].concat())),
        (None, Some(Fault::Connecting)) => Err(Error::fixed("IOERR error or timeout connecting to the client")),
        (None, Some(Fault::Writing)) => Err(Error::fixed("IOERR error or timeout writing to target instance")),
        (None, Some(Fault::Reading)) => Err(Error::fixed("IOERR error or timeout reading to target instance")),
        (None, None) if !changed.is_empty() => Err(Error::new(format!(
            "ERR changed while on the way to the target, so kept here as well: {changed}. Run MIGRATE again with REPLACE"
        ))),
        (None, None) => {
            ctx.reply.ok();
            DONE
        }
    }
}
