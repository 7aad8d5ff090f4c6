//! Snapshots on demand, and values that travel: SAVE, BGSAVE, LASTSAVE, DUMP, RESTORE.

use crate::base::clock::Millis;
use crate::keyspace::effects::Event;
use crate::keyspace::entry::Entry;
use crate::persist::rdb::dump;
use crate::persist::rdb::read_value::{self, Shapes};
use crate::persist::snapshot::{Order, Refusal};
use crate::resp::request::Args;
use crate::server::REDIS_VERSION;
use crate::server::context::{Ctx, DONE, Outcome, integer};
use crate::server::error::Error;
use crate::server::row::{Command, Flags, KeySpec};

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "bgsave",
        summary: "Asynchronously saves the database(s) to disk.",
        group: "server",
        arity: -1,
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING),
        syntax: "[SCHEDULE]",
        history: &[("3.2.2", "Added the `SCHEDULE` option.")],
        handler: bgsave,
        ..Command::BASE
    },
    Command {
        name: "dump",
        summary: "Returns a serialized representation of the value stored at a key.",
        since: "2.6.0",
        group: "generic",
        complexity: "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
        arity: 2,
        flags: Flags::READONLY,
        acl: &["keyspace"],
        keys: &[KeySpec::one(1, &["RO", "access"])],
        syntax: "key",
        tips: &["nondeterministic_output"],
        handler: dump,
        ..Command::BASE
    },
    Command {
        name: "lastsave",
        summary: "Returns the Unix timestamp of the last successful save to disk.",
        group: "server",
        flags: Flags::LOADING.or(Flags::STALE).or(Flags::FAST),
        acl: &["admin", "dangerous"],
        tips: &["nondeterministic_output"],
        handler: lastsave,
        ..Command::BASE
    },
    Command { name: "restore", summary: "Creates a key from the serialized representation of a value.", since: "2.6.0", ..RESTORE },
    Command {
        name: "restore-asking",
        summary: "An internal command for migrating keys in a cluster.",
        since: "3.0.0",
        group: "server",
        flags: Flags::WRITE.or(Flags::DENYOOM).or(Flags::ASKING),
        ..RESTORE
    },
    Command {
        name: "save",
        summary: "Synchronously saves the database(s) to disk.",
        group: "server",
        complexity: "O(N) where N is the total number of keys in all databases",
        flags: Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_ASYNC_LOADING).or(Flags::NO_MULTI),
        handler: save,
        ..Command::BASE
    },
];

const RESTORE: Command = Command {
    group: "generic",
    complexity: "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
    arity: -4,
    flags: Flags::WRITE.or(Flags::DENYOOM),
    acl: &["keyspace", "dangerous"],
    keys: &[KeySpec::one(1, &["OW", "update"])],
    syntax: "key ttl:integer serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds:integer] [FREQ frequency:integer]",
    history: &[
        ("3.0.0", "Added the `REPLACE` modifier."),
        ("5.0.0", "Added the `ABSTTL` modifier."),
        ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
    ],
    handler: restore,
    ..Command::BASE
};

fn save(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let (state, space) = (&mut *ctx.state, ctx.db.space());
    if state.snapshots.is_running() {
        return Err(Error::fixed("ERR Background save already in progress"));
    }
    state.place_snapshots();
    state.snapshots.saves += 1;
    let saved = state.snapshots.save(space, &state.config, REDIS_VERSION, state.now);
    state.heed_snapshots();
    match saved {
        Ok(()) => ctx.reply.ok(),
        Err(Refusal::Busy | Refusal::Failed) => return Err(Error::fixed("ERR")),
    }
    DONE
}

fn bgsave(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 2 || args.len() == 2 && !args.is(1, "SCHEDULE") {
        return Err(Error::SYNTAX);
    }
    let (in_transaction, state, space) = (ctx.must_not_block, &mut *ctx.state, ctx.db.space());
    if state.snapshots.is_running() {
        return Err(Error::fixed("ERR Background save already in progress"));
    }
    if state.rewrites.is_running() && !in_transaction && args.len() < 2 {
        return Err(Error::fixed(
            "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE whenever possible.",
        ));
    }
    if in_transaction || state.rewrites.is_running() {
        state.snapshots.scheduled = true;
        ctx.reply.simple("Background saving scheduled");
        return DONE;
    }
    match state.begin_snapshot(space, Order::file()) {
        Ok(()) => ctx.reply.simple("Background saving started"),
        Err(Refusal::Busy | Refusal::Failed) => return Err(Error::fixed("ERR")),
    }
    DONE
}

fn lastsave(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let time = ctx.state.snapshots.last_save;
    ctx.reply.integer(time);
    DONE
}

fn dump(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let compress = ctx.state.config.rdbcompression;
    let payload = ctx.db.entry(args.at(1)).map(|entry| dump::write(entry, compress));
    match payload {
        Some(payload) => ctx.reply.bulk(&payload),
        None => ctx.reply.null(),
    }
    DONE
}

/// The options of RESTORE.
#[derive(Default)]
struct Options {
    replace: bool,
    absolute: bool,
    idle: Option<u32>,
    frequency: Option<u32>,
}

impl Options {
    fn parse(words: Args<'_>) -> Result<Options, Error> {
        let mut options = Options::default();
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let value = words.get(at + 1);
            match (word.to_ascii_uppercase().as_slice(), value) {
                (b"REPLACE", _) => options.replace = true,
                (b"ABSTTL", _) => options.absolute = true,
                (b"IDLETIME", Some(value)) if options.frequency.is_none() => {
                    let seconds = integer(value)?;
                    if seconds < 0 {
                        return Err(Error::fixed("ERR Invalid IDLETIME value, must be >= 0"));
                    }
                    options.idle = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
                    at += 1;
                }
                (b"FREQ", Some(value)) if options.idle.is_none() => {
                    let frequency = u8::try_from(integer(value)?);
                    let frequency = frequency.map_err(|_| Error::fixed("ERR Invalid FREQ value, must be >= 0 and <= 255"))?;
                    options.frequency = Some(u32::from(frequency));
                    at += 1;
                }
                _ => return Err(Error::SYNTAX),
            }
            at += 1;
        }
        Ok(options)
    }
}

fn restore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let options = Options::parse(args.from(4))?;
    let (key, payload) = (args.at(1), args.at(3));
    if !options.replace && ctx.db.exists(key) {
        return Err(Error::fixed("BUSYKEY Target key name already exists."));
    }
    let ttl = integer(args.at(2))?;
    if ttl < 0 {
        return Err(Error::fixed("ERR Invalid TTL value, must be >= 0"));
    }
    let version = dump::check(payload, ctx.state.switches.sums).ok_or(Error::fixed("ERR DUMP payload version or checksum are wrong"))?;
    let shapes = Shapes::new(&ctx.state.config, ctx.db.space().hasher());
    let mut text = Vec::new();
    let value = dump::read(payload, version, &shapes, &mut text).map_err(|error| {
        log::warn!("RESTORE: {error}");
        Error::fixed("ERR Bad data format")
    })?;
    let deadline = (ttl > 0).then(|| if options.absolute { Millis(ttl) } else { ctx.now().saturating_add(Millis(ttl)) });
    if deadline.is_some_and(|deadline| ctx.db.is_past(deadline)) {
        return restore_nothing(ctx, key);
    }
    let heat = ctx.db.space().heat;
    let heat = match (options.frequency, options.idle) {
        (Some(frequency), _) if heat.counts => heat.from_frequency(frequency),
        (_, Some(seconds)) if !heat.counts => heat.from_idle(seconds),
        _ => heat.fresh(),
    };
    let entry: Entry = read_value::entry(key, deadline, heat, value, &text);
    ctx.db.supplant(entry, Event::generic("restore"));
    propagate(ctx, args, deadline, options.absolute);
    ctx.reply.ok();
    DONE
}

/// A deadline that has passed already: what was there is gone, and nothing comes in its place.
fn restore_nothing(ctx: &mut Ctx<'_>, key: &[u8]) -> Outcome {
    ctx.propagate_nothing();
    if ctx.db.remove(key, Event::generic("del")) {
        ctx.propagate(&[b"DEL", key]);
    }
    ctx.reply.ok();
    DONE
}

/// A relative deadline is propagated as the absolute one that it has become.
fn propagate(ctx: &mut Ctx<'_>, args: Args<'_>, deadline: Option<Millis>, absolute: bool) {
    if let Some(deadline) = deadline.filter(|_| !absolute) {
        let deadline = deadline.0.to_string();
        let mut words: Vec<&[u8]> = args.iter().collect();
        words[2] = deadline.as_bytes();
        words.push(b"ABSTTL");
        ctx.propagate(&words);
    }
}
