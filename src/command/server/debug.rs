//! DEBUG: what tests, ours and Redis's, need and no application should.
//!
//! `enable-debug-command` says who may. Subcommands that Redis has and that make no sense here (hash table
//! internals that this server lacks) are unknown rather than pretended. A few switches
//! turn something off that does not exist here, as resizing reply buffers; those are accepted, because the
//! state they ask for is the one there is.

use std::time::Duration;

use crate::base::{memory, number, text};
use crate::config::rewrite::Extent;
use crate::keyspace::effects::Event;
use crate::keyspace::write::Ttl;
use crate::persist::rdb::LoadError;
use crate::persist::rdb::dump::Sums;
use crate::persist::rdb::load::{Overdue, Twice};
use crate::resp::request::Args;
use crate::script::Restore;
use crate::server::context::{Block, Ctx, DONE, Flow, OnTimeout, Outcome, integer};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::host::Crash;
use crate::server::row::{Command, Flags};
use crate::server::{Later, REDIS_VERSION};
use crate::types::string::StringRef;

use super::config::rewrite_file;
use super::digest;

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "debug",
    summary: "Holds the commands for testing and debugging the server.",
    group: "server",
    complexity: "Depends on subcommand.",
    arity: -2,
    flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE).or(Flags::SYSTEM),
    handler: debug,
    ..Command::BASE
}];

const HELP: &[&str] = &[
    "AOF-FLUSH-SLEEP <microseconds>",
    "    Hold the server before each write to the append-only file.",
    "ASSERT",
    "    Crash: an assertion fails.",
    "CHANGE-REPL-ID",
    "    Draw another replication id.",
    "CONFIG-REWRITE-FORCE-ALL",
    "    Write all directives into the configuration file, those at their defaults, too.",
    "DICT-RESIZING (0|1)",
    "    Nothing: tables grow and shrink a segment at a time, there is no resizing to forbid.",
    "DIGEST",
    "    Show a hash of all data.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Show a hash of each key's value.",
    "ERROR <text>",
    "    Reply with this error.",
    "HTSTATS <db>",
    "    Show the sizes of a database's tables.",
    "LOADAOF",
    "    Throw all data away and load it from the append-only file.",
    "LISTPACK <key>",
    "    Show the size of a value that is one packed block.",
    "LOG <text>",
    "    Write this line into the log.",
    "MALLCTL <name>",
    "    Show the number that a control of the allocator reads.",
    "OBJECT <key>",
    "    Show what is known of a key's block.",
    "PAUSE-CRON (0|1)",
    "    Stop the periodic work, or let it run.",
    "PANIC",
    "    Crash: a panic.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create string keys <prefix>:<number>, which are not propagated.",
    "PROTOCOL <type>",
    "    Reply with an example of the type: string, integer, double, bignum, null, array, set, map, attrib,",
    "    push, verbatim, true or false.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Nothing: elements of any size are stored alike.",
    "RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
    "    Save the data, empty the databases and load it again; without saving first, or into what is there.",
    "REPLICATE <string>",
    "    Send the words to the replicas as a command, whatever it does to their data.",
    "REPLYBUFFER (PEAK-RESET-TIME (NEVER|RESET|<milliseconds>)|RESIZING (0|1))",
    "    Nothing: a client without output has no reply buffer.",
    "SEGFAULT",
    "    Crash: the signal for memory that is not ours.",
    "SET-ACTIVE-EXPIRE (0|1)",
    "    Remove keys whose deadline has passed only when somebody looks, or also unasked.",
    "SET-DISABLE-DENY-SCRIPTS (0|1)",
    "    Let scripts call the commands that are forbidden to them, or forbid it again.",
    "SET-SKIP-CHECKSUM-VALIDATION (0|1)",
    "    Take payloads of RESTORE whose checksum is wrong, or refuse them again.",
    "SLEEP <seconds>",
    "    Hold the whole server.",
    "STRINGMATCH-LEN <length> <pattern>",
    "    Match the pattern against so many times `a`.",
];

fn debug(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let guard = ctx.state.config.enable_debug_command;
    if !ctx.client().passes(guard) {
        return Err(Error::fixed(
            "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
        ));
    }
    let name = args.at(1).to_ascii_uppercase();
    match (name.as_slice(), args.len()) {
        (b"HELP", 2) => return dispatch::help(ctx, HELP),
        (b"AOF-FLUSH-SLEEP", 3) => {
            let micros = integer(args.at(2))?;
            ctx.state.switches.aof_flush_sleep = Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        }
        (b"SLEEP", 3) => sleep(ctx, args.at(2)),
        (b"SET-ACTIVE-EXPIRE", 3) => ctx.db.space().active_expiry = switch(args.at(2)),
        (b"PAUSE-CRON", 3) => ctx.state.switches.cron_paused = switch(args.at(2)),
        (b"SET-DISABLE-DENY-SCRIPTS", 3) => ctx.state.switches.scripts_unrestricted = switch(args.at(2)),
        (b"SET-SKIP-CHECKSUM-VALIDATION", 3) => {
            ctx.state.switches.sums = if switch(args.at(2)) { Sums::Ignored } else { Sums::Checked };
        }
        (b"SEGFAULT", _) => return crash(ctx, Crash::Fault),
        (b"ASSERT", _) => return crash(ctx, Crash::Assertion),
        (b"PANIC", _) => return crash(ctx, Crash::Panic),
        (b"DICT-RESIZING", 3) => {}
        (b"REPLYBUFFER", 4) if args.is(2, "RESIZING") => {}
        (b"REPLYBUFFER", 4) if args.is(2, "PEAK-RESET-TIME") => {
            if !args.is(3, "NEVER") && !args.is(3, "RESET") {
                integer(args.at(3))?;
            }
        }
        (b"QUICKLIST-PACKED-THRESHOLD", 3) => check_threshold(args.at(2))?,
        (b"CONFIG-REWRITE-FORCE-ALL", 2) => return rewrite_file(ctx, Extent::All),
        (b"MALLCTL", 3) => return allocator_control(ctx, args.at(2)),
        (b"LOADAOF", 2) => return load_aof(ctx),
        (b"CHANGE-REPL-ID", 2) => {
            let id = ctx.state.random.hex_id();
            ctx.state.replication.stream.restart(id);
        }
        (b"REPLICATE", 3..) => {
            let words: Vec<&[u8]> = (2..args.len()).map(|at| args.at(at)).collect();
            ctx.state.feed.tell_replicas(&words);
        }
        (b"LOG", 3) => log::warn!("DEBUG LOG: {}", String::from_utf8_lossy(args.at(2))),
        (b"POPULATE", 3..=5) => populate(ctx, args)?,
        (b"ERROR", 3) => return Err(Error::bytes(args.at(2).to_vec())),
        (b"OBJECT", 3 | 4) => return object(ctx, args.at(2)),
        (b"LISTPACK", 3) => return listpack(ctx, args.at(2)),
        (b"HTSTATS", 3 | 4) => return htstats(ctx, args.at(2)),
        (b"RELOAD", 2..) => return reload(ctx, args),
        (b"DIGEST", 2) => return whole_digest(ctx),
        (b"DIGEST-VALUE", 3..) => return value_digests(ctx, args),
        (b"PROTOCOL", 3) => return protocol(ctx, args.at(2)),
        (b"STRINGMATCH-LEN", 4) => return stringmatch(ctx, args),
        _ => return Err(dispatch::wrong_subcommand(ctx, args)),
    }
    ctx.reply.ok();
    DONE
}

/// Does not come back where there is a process.
fn crash(ctx: &mut Ctx<'_>, crash: Crash) -> Outcome {
    (ctx.state.host.crash)(crash);
    Err(Error::fixed("ERR there is no process here that could crash"))
}

/// On unless the word is zero or no number, as C's `atoi` reads it.
fn switch(word: &[u8]) -> bool {
    number::parse_i64(word).is_some_and(|value| value != 0)
}

/// The longest nap.
const SLEEP_MAX: f64 = 86_400.0;

fn sleep(ctx: &mut Ctx<'_>, word: &[u8]) {
    let seconds = number::parse_f64(word).unwrap_or(0.0).clamp(0.0, SLEEP_MAX);
    let slept = (ctx.state.host.sleep)(Duration::from_secs_f64(seconds));
    // within a transaction and a script the time stands still
    ctx.state.later.push(Later::Slept(u64::try_from(slept.as_micros()).unwrap_or(u64::MAX)));
}

/// Others are served while the file is loaded, unless somebody must see its end at once: a transaction, a script, or
/// a primary whose words come meanwhile.
fn load_aof(ctx: &mut Ctx<'_>) -> Outcome {
    if ctx.timed_out {
        // all is loaded
        ctx.reply.ok();
        return DONE;
    }
    if ctx.state.loading.is_some() {
        return Err(Error::LOADING);
    }
    if ctx.must_not_block || ctx.state.replication.follows() {
        ctx.state.later.push(Later::ReloadAof(None));
        ctx.reply.ok();
        return DONE;
    }
    ctx.state.later.push(Later::ReloadAof(Some(ctx.client)));
    let (wants, on_timeout) = (None, OnTimeout::RunAgain);
    Ok(Flow::Block(Box::new(Block { keys: Vec::new(), wants, wants_loss: false, deadline: None, on_timeout, request: None })))
}

/// What a control of the allocator reads. None can be written: it would be easy to break the server.
fn allocator_control(ctx: &mut Ctx<'_>, name: &[u8]) -> Outcome {
    let value = std::ffi::CString::new(name).ok().and_then(|name| memory::control(&name));
    let value = value.ok_or(Error::fixed("ERR no number that can be read"))?;
    ctx.reply.integer(i64::try_from(value).unwrap_or(i64::MAX));
    DONE
}

fn check_threshold(word: &[u8]) -> Result<(), Error> {
    let fits = text::parse_memory(word).filter(|&bytes| bytes <= 1 << 32);
    let fits = fits.filter(|_| word.first().is_some_and(u8::is_ascii_digit));
    fits.map(|_| ()).ok_or(Error::fixed("ERR argument must be a memory value bigger than 1 and smaller than 4gb"))
}

/// Keys that DEBUG POPULATE makes at most, and bytes of each: it must not hold the loop for good.
const POPULATE_MAX: i64 = 1 << 32;
const POPULATE_SIZE_MAX: i64 = 1 << 29;

fn positive(word: &[u8], most: i64) -> Result<usize, Error> {
    let value = number::parse_i64(word).filter(|value| (0..=most).contains(value));
    value.and_then(|value| usize::try_from(value).ok()).ok_or(Error::NOT_POSITIVE)
}

fn populate(ctx: &mut Ctx<'_>, args: Args<'_>) -> Result<(), Error> {
    let count = positive(args.at(2), POPULATE_MAX)?;
    let prefix = args.get(3).unwrap_or(b"key");
    let size = args.get(4).map(|word| positive(word, POPULATE_SIZE_MAX)).transpose()?;
    ctx.propagate_nothing();
    for index in 0..count {
        let key = [prefix, format!(":{index}").as_bytes()].concat();
        if ctx.db.exists(&key) {
            continue;
        }
        let mut value = format!("value:{index}").into_bytes();
        if let Some(size) = size.filter(|&size| size > 0) {
            value.resize(size, 0);
        }
        ctx.db.set_string(&key, StringRef::encode(&value), Ttl::Clear, &[Event::string("set")]);
    }
    Ok(())
}

fn object(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    let heat = ctx.db.space().heat;
    let entry = ctx.db.stored(key).ok_or(Error::NO_SUCH_KEY)?;
    let line = format!(
        "Value at:{:p} refcount:1 encoding:{} allocated:{} lru:{} lru_seconds_idle:{}",
        entry.raw(),
        entry.encoding(),
        entry.allocated(),
        entry.heat(),
        heat.idle_seconds(entry.heat())
    );
    ctx.reply.simple(&line);
    DONE
}

fn listpack(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    let entry = ctx.db.peek(key).ok_or(Error::NO_SUCH_KEY)?;
    if entry.encoding() != "listpack" {
        return Err(Error::fixed("ERR Not a listpack encoded object."));
    }
    let line = format!("One packed block and its owner of {} bytes", entry.outside_bytes(usize::MAX));
    ctx.reply.simple(&line);
    DONE
}

fn htstats(ctx: &mut Ctx<'_>, word: &[u8]) -> Outcome {
    let index = integer(word)?;
    let databases = ctx.db.space().databases();
    let database = usize::try_from(index).ok().and_then(|index| databases.get(index)).ok_or(Error::fixed("ERR Out of range database"))?;
    let text = format!(
        "[Table]\nkeys: {}\nbytes: {}\n[Deadlines]\nvolatile keys: {}\nfilings: {}\nbytes: {}\n",
        database.len(),
        database.overhead() - database.deadline_bytes(),
        database.volatile(),
        database.filings(),
        database.deadline_bytes()
    );
    ctx.reply.verbatim("txt", text.as_bytes());
    DONE
}

fn reload(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (mut save, mut flush, mut twice) = (true, true, Twice::Refuse);
    for word in args.from(2).iter() {
        match word.to_ascii_uppercase().as_slice() {
            b"NOSAVE" => save = false,
            b"NOFLUSH" => flush = false,
            b"MERGE" => twice = Twice::Replace,
            _ => return Err(Error::fixed("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")),
        }
    }
    ctx.propagate_nothing();
    let (state, space) = (&mut *ctx.state, ctx.db.space());
    state.place_snapshots();
    if save && state.snapshots.save(space, &state.config, REDIS_VERSION, state.now).is_err() {
        return Err(Error::fixed("ERR"));
    }
    if flush {
        state.forget_libraries();
        space.flush_all();
    }
    let loaded = state.snapshots.load(space, &state.config, Overdue::Keep, twice);
    space.dirty = 0;
    let adopted = state.adopt_libraries(if twice == Twice::Refuse { Restore::Append } else { Restore::Replace });
    let loaded = loaded.and_then(|loaded| adopted.map(|()| loaded).map_err(LoadError::File));
    match loaded {
        Ok(Some(_)) => ctx.reply.ok(),
        other => {
            log::warn!("DEBUG RELOAD: {}", other.err().map_or("there is no snapshot".to_string(), |error| error.to_string()));
            return Err(Error::fixed("ERR Error trying to load the RDB dump, check server logs."));
        }
    }
    DONE
}

fn whole_digest(ctx: &mut Ctx<'_>) -> Outcome {
    let digest = digest::of_all(ctx.db.space());
    ctx.reply.simple(&digest.to_string());
    DONE
}

fn value_digests(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let keys = args.from(2);
    ctx.reply.array(keys.len());
    for key in keys.iter() {
        let digest = ctx.db.peek(key).map(digest::of_value).unwrap_or_default();
        ctx.reply.simple(&digest.to_string());
    }
    DONE
}

fn protocol(ctx: &mut Ctx<'_>, word: &[u8]) -> Outcome {
    let resp3 = ctx.reply.is_resp3();
    let reply = &mut ctx.reply;
    match word.to_ascii_lowercase().as_slice() {
        b"string" => reply.text("Hello World"),
        b"integer" => reply.integer(12345),
        b"double" => reply.double(3141.0 / 1000.0),
        b"bignum" => reply.big_number(b"1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.integer(number));
        }
        b"map" => {
            reply.map(3);
            for number in 0..3 {
                reply.integer(number);
                reply.boolean(number == 1);
            }
        }
        b"attrib" => {
            if resp3 {
                reply.attribute(1);
                reply.text("key-popularity");
                reply.array(2);
                reply.text("key:123");
                reply.integer(90);
            }
            reply.text("Some real reply following the attribute");
        }
        b"push" if !resp3 => return Err(Error::fixed("ERR RESP2 is not supported by this command")),
        b"push" => {
            reply.text("Some real reply following the push reply");
            reply.push(2);
            reply.text("server-cpu-usage");
            reply.integer(42);
        }
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        b"true" => reply.boolean(true),
        b"false" => reply.boolean(false),
        _ => {
            return Err(Error::fixed(
                "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    DONE
}

/// Bytes of the text that STRINGMATCH-LEN matches at most.
const MATCHED_MAX: i64 = 1 << 24;

fn stringmatch(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let text = vec![b'a'; positive(args.at(2), MATCHED_MAX)?];
    let matches = crate::base::glob::matches(args.at(3), &text, crate::base::glob::Case::Sensitive);
    ctx.reply.integer(i64::from(matches));
    DONE
}
