//! Functions: FUNCTION and its kin, which keep libraries, and FCALL, which runs what they have registered.
//!
//! A function runs as a script does ([`super::scripting`]). Libraries are data: they are in snapshots, in the append-only
//! file and with replicas, so FUNCTION's commands are propagated as they came; only FLUSHALL leaves them alone.

use crate::base::glob::{self, Case};
use crate::base::number;
use crate::persist::rdb::dump;
use crate::resp::request::Args;
use crate::script::{Restore, ScriptFlags, World};
use crate::server::context::{Ctx, DONE, Outcome, check_flush_mode};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::row::{Command, Flags, KeySpec};

use super::scripting::{self, Access};

const ALL_SHARDS: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];
const CHANGES: Flags = Flags::NOSCRIPT.or(Flags::WRITE);

const RUN: Command = Command {
    since: "7.0.0",
    group: "scripting",
    complexity: "Depends on the function that is executed.",
    arity: -3,
    acl: &["scripting"],
    syntax: "function numkeys:integer [key...] [arg...]",
    ..Command::BASE
};
const MANAGE: Command = Command { since: "7.0.0", group: "scripting", acl: &["scripting"], flags: Flags::NOSCRIPT, ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "fcall",
        summary: "Invokes a function.",
        flags: scripting::WRITES,
        keys: &[KeySpec {
            notes: "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
            ..KeySpec::counted(2, scripting::WORST)
        }],
        handler: fcall,
        ..RUN
    },
    Command {
        name: "fcall_ro",
        summary: "Invokes a read-only function.",
        flags: scripting::READS,
        keys: &[KeySpec {
            notes: "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
            ..KeySpec::counted(2, scripting::READ)
        }],
        handler: fcall_ro,
        ..RUN
    },
    Command {
        name: "function",
        summary: "A container for function commands.",
        complexity: "Depends on subcommand.",
        arity: -2,
        flags: Flags::NONE,
        acl: &[],
        subcommands: FUNCTION,
        ..MANAGE
    },
];

const FUNCTION: &[Command] = &[
    Command {
        name: "delete",
        summary: "Deletes a library and its functions.",
        arity: 3,
        flags: CHANGES,
        syntax: "library-name",
        tips: ALL_SHARDS,
        handler: delete,
        ..MANAGE
    },
    Command {
        name: "dump",
        summary: "Dumps all libraries into a serialized binary payload.",
        complexity: "O(N) where N is the number of functions",
        arity: 2,
        handler: dump,
        ..MANAGE
    },
    Command {
        name: "flush",
        summary: "Deletes all libraries and functions.",
        complexity: "O(N) where N is the number of functions deleted",
        arity: -2,
        flags: CHANGES,
        syntax: "[flush-type: ASYNC | SYNC]",
        tips: ALL_SHARDS,
        handler: flush,
        ..MANAGE
    },
    Command {
        name: "help",
        summary: "Returns helpful text about the different subcommands.",
        arity: 2,
        flags: Flags::LOADING.or(Flags::STALE),
        handler: help,
        ..MANAGE
    },
    Command {
        name: "kill",
        summary: "Terminates a function during execution.",
        arity: 2,
        flags: Flags::NOSCRIPT.or(Flags::ALLOW_BUSY),
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        handler: kill,
        ..MANAGE
    },
    Command {
        name: "list",
        summary: "Returns information about all libraries.",
        complexity: "O(N) where N is the number of functions",
        arity: -2,
        syntax: "[LIBRARYNAME library-name-pattern] [WITHCODE]",
        tips: &["nondeterministic_output_order"],
        handler: list,
        ..MANAGE
    },
    Command {
        name: "load",
        summary: "Creates a library.",
        complexity: "O(1) (considering compilation time is redundant)",
        arity: -3,
        flags: CHANGES.or(Flags::DENYOOM),
        syntax: "[REPLACE] function-code",
        tips: ALL_SHARDS,
        handler: load,
        ..MANAGE
    },
    Command {
        name: "restore",
        summary: "Restores all libraries from a payload.",
        complexity: "O(N) where N is the number of functions on the payload",
        arity: -3,
        flags: CHANGES.or(Flags::DENYOOM),
        syntax: "serialized-value [policy: FLUSH | APPEND | REPLACE]",
        tips: ALL_SHARDS,
        handler: restore,
        ..MANAGE
    },
    Command {
        name: "stats",
        summary: "Returns information about a function during execution.",
        arity: 2,
        flags: Flags::NOSCRIPT.or(Flags::ALLOW_BUSY),
        tips: &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"],
        handler: stats,
        ..MANAGE
    },
];

fn fcall(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    call(ctx, args, Access::ReadWrite)
}

fn fcall_ro(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    call(ctx, args, Access::ReadOnly)
}

fn call(ctx: &mut Ctx<'_>, args: Args<'_>, access: Access) -> Outcome {
    if let Some(script) = ctx.take_script() {
        return scripting::go_on(ctx, script);
    }
    scripting::show_monitors(ctx, args);
    let function = ctx.state.scripts.libraries().function(args.at(1)).cloned().ok_or(Error::fixed("ERR Function not found"))?;
    let keys = number::parse_i64(args.at(2)).ok_or(Error::fixed("ERR Bad number of keys provided"))?;
    let keys = scripting::in_range(keys, args)?;
    scripting::run(ctx, args, keys, &function, access)
}

/// The libraries have changed: that is a change of the data, and the next snapshot holds them.
fn changed(ctx: &mut Ctx<'_>) {
    ctx.db.space().dirty += 1;
    ctx.state.keep_libraries();
}

fn load(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let mut replace = false;
    for word in args.slice(2..args.len() - 1).iter() {
        if !word.eq_ignore_ascii_case(b"replace") {
            return Err(Error::quoting("ERR Unknown option given: {}", &[word]));
        }
        replace = true;
    }
    let name = ctx.state.scripts.load_library(args.at(args.len() - 1), replace).map_err(Error::bytes)?;
    changed(ctx);
    ctx.reply.bulk(&name);
    DONE
}

fn delete(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if !ctx.state.scripts.remove_library(args.at(2)) {
        return Err(Error::fixed("ERR Library not found"));
    }
    changed(ctx);
    ctx.reply.ok();
    DONE
}

fn flush(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(dispatch::wrong_subcommand(ctx, args));
    }
    check_flush_mode(args, 2, Error::fixed("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"))?;
    drop(ctx.state.scripts.flush_libraries());
    changed(ctx);
    ctx.reply.ok();
    DONE
}

fn kill(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    ctx.state.kill_script(World::Functions)?;
    ctx.reply.ok();
    DONE
}

fn dump(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let payload = dump::write_libraries(&ctx.state.scripts.library_texts(), ctx.state.config.rdbcompression);
    ctx.reply.bulk(&payload);
    DONE
}

fn restore(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 4 {
        return Err(dispatch::wrong_subcommand(ctx, args));
    }
    let policy = match args.get(3).map(<[u8]>::to_ascii_uppercase).as_deref() {
        None | Some(b"APPEND") => Restore::Append,
        Some(b"REPLACE") => Restore::Replace,
        Some(b"FLUSH") => Restore::Flush,
        Some(_) => {
            return Err(Error::fixed("ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."));
        }
    };
    let payload = args.at(2);
    dump::check(payload, ctx.state.switches.sums).ok_or(Error::fixed("ERR DUMP payload version or checksum are wrong"))?;
    let texts = dump::read_libraries(payload).map_err(Error::fixed)?;
    ctx.state.scripts.restore_libraries(&texts, policy).map_err(Error::bytes)?;
    changed(ctx);
    ctx.reply.ok();
    DONE
}

fn list(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let (mut with_code, mut pattern) = (false, None);
    let mut words = args.from(2).iter();
    while let Some(word) = words.next() {
        if !with_code && word.eq_ignore_ascii_case(b"withcode") {
            with_code = true;
        } else if pattern.is_none() && word.eq_ignore_ascii_case(b"libraryname") {
            pattern = Some(words.next().ok_or(Error::fixed("ERR library name argument was not given"))?);
        } else {
            return Err(Error::quoting("ERR Unknown argument {}", &[word]));
        }
    }
    let Ctx { state, reply, .. } = ctx;
    let wanted = |name: &[u8]| pattern.is_none_or(|pattern| glob::matches(pattern, name, Case::Ignored));
    let found: Vec<_> = state.scripts.libraries().iter().filter(|(name, _)| wanted(name)).collect();
    reply.array(found.len());
    for (name, library) in found {
        reply.map(3 + usize::from(with_code));
        reply.text("library_name");
        reply.bulk(name);
        reply.text("engine");
        reply.text("LUA");
        reply.text("functions");
        reply.array(library.functions.len());
        for function in &library.functions {
            reply.map(3);
            reply.text("name");
            reply.bulk(&function.callable.name);
            reply.text("description");
            match &function.description {
                Some(text) => reply.bulk(text),
                None => reply.null(),
            }
            reply.text("flags");
            let declared = function.callable.flags.unwrap_or_default();
            let flags: Vec<&str> = ScriptFlags::WORDS.iter().filter(|(_, flag)| declared.any(*flag)).map(|(word, _)| *word).collect();
            reply.set(flags.len());
            flags.iter().for_each(|flag| reply.simple(flag));
        }
        if with_code {
            reply.text("library_code");
            reply.bulk(&library.code);
        }
    }
    DONE
}

fn stats(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    let Ctx { state, reply, .. } = ctx;
    reply.map(2);
    reply.text("running_script");
    match &state.busy {
        None => reply.null(),
        Some(busy) => {
            let (_, name) = busy.callable();
            reply.map(3);
            reply.text("name");
            reply.bulk(name);
            reply.text("command");
            let parked = state.clients.get(busy.client).and_then(|client| client.blocked.as_ref());
            let words = parked.map(|parked| parked.request.args());
            reply.array(words.map_or(0, Args::len));
            words.into_iter().flat_map(Args::iter).for_each(|word| reply.bulk(word));
            reply.text("duration_ms");
            reply.integer(i64::try_from(state.busy_for()).unwrap_or(i64::MAX));
        }
    }
    reply.text("engines");
    reply.map(1);
    reply.text("LUA");
    reply.map(2);
    reply.text("libraries_count");
    reply.count(state.scripts.libraries().len());
    reply.text("functions_count");
    reply.count(state.scripts.libraries().functions());
    DONE
}

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(
        ctx,
        &[
            "LOAD [REPLACE] <FUNCTION CODE>",
            "    Adds the library that the code's first line names. REPLACE: one of that name makes way.",
            "DELETE <LIBRARY NAME>",
            "    Removes a library and its functions.",
            "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
            "    Lists libraries with their engine and functions, and with their code if WITHCODE is given;",
            "    only those whose name matches, if a pattern is.",
            "STATS",
            "    Tells which function runs, by which command it was called and for how many milliseconds,",
            "    or nil if none does; and which engines there are.",
            "KILL",
            "    Ends the function that runs, unless it has written.",
            "FLUSH [ASYNC|SYNC]",
            "    Removes all libraries.",
            "DUMP",
            "    Returns all libraries as a payload for RESTORE.",
            "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
            "    Adds the libraries of a payload. What happens to those that are there:",
            "    * FLUSH: all are removed first.",
            "    * APPEND: they stay; a name that is taken is an error (the default).",
            "    * REPLACE: those with the name of one that comes are replaced; a function's name that is",
            "      taken by another library is an error all the same.",
        ],
    )
}
