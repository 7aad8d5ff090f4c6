//! Scripts: EVAL and its kin, and what the commands of a script must not do.
//!
//! A script's command takes the way of any command, [`dispatch::call`], with a reply buffer of the script's instead
//! of the client's. Before that stands [`admit`], in place of the gates that stand before a client's command: what
//! a script has begun to write must not fail for want of memory or replicas.
//!
//! A script that runs too long is left ([`crate::server::busy`]), its request parked; run again, that goes on with it.
//!
//! What goes to the append-only file and to replicas are the commands' effects, as one unit; the script itself
//! is never propagated.

use std::rc::Rc;

use crate::keyspace::Keyspace;
use crate::keyspace::effects::Audience;
use crate::limits;
use crate::resp::Protocol;
use crate::resp::request::{Args, OwnedRequest};
use crate::resp::writer::Reply;
use crate::script::{Answered, Callable, Called, Host, Replication, ScriptFlags, Verdict, World};
use crate::server::State;
use crate::server::busy::{self, Script, Standing};
use crate::server::client::{ClientFlags, ClientKey};
use crate::server::context::{Block, Ctx, DONE, OnTimeout, Outcome, Propagation, check_flush_mode, integer};
use crate::server::debugging::{DebugMode, Session};
use crate::server::dispatch;
use crate::server::error::Error;
use crate::server::monitor;
use crate::server::registry::CommandId;
use crate::server::row::{Command, Flags, KeySpec};
use crate::server::users::log::Context;
use crate::server::users::sessions::missing;

const RUNS: Flags = Flags::NOSCRIPT.or(Flags::STALE).or(Flags::SKIP_MONITOR).or(Flags::NO_MANDATORY_KEYS).or(Flags::MOVABLE_KEYS);
pub(super) const WRITES: Flags = RUNS.or(Flags::MAY_REPLICATE);
pub(super) const READS: Flags = RUNS.or(Flags::READONLY);
pub(super) const WORST: &[&str] = &["RW", "access", "update"];
pub(super) const READ: &[&str] = &["RO", "access"];
const ALL_NODES: &[&str] = &["request_policy:all_nodes", "response_policy:all_succeeded"];

const NO_SCRIPT: Error = Error::fixed("NOSCRIPT No matching script. Please use EVAL.");

const RUN: Command = Command { since: "2.6.0", group: "scripting", complexity: "Depends on the script that is executed.", ..Command::BASE };
const MANAGE: Command = Command { since: "2.6.0", group: "scripting", acl: &["scripting"], flags: Flags::NOSCRIPT, ..Command::BASE };

/// The rows of the family.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "eval",
        summary: "Executes a server-side Lua script.",
        arity: -3,
        flags: WRITES,
        acl: &["scripting"],
        keys: &[KeySpec {
            notes: "We cannot tell how the keys will be used so we assume the worst, RW and UPDATE",
            ..KeySpec::counted(2, WORST)
        }],
        syntax: "script numkeys:integer [key...] [arg...]",
        handler: eval,
        ..RUN
    },
    Command {
        name: "evalsha",
        summary: "Executes a server-side Lua script by SHA1 digest.",
        arity: -3,
        flags: WRITES,
        acl: &["scripting"],
        keys: &[KeySpec::counted(2, WORST)],
        syntax: "sha1 numkeys:integer [key...] [arg...]",
        handler: evalsha,
        ..RUN
    },
    Command {
        name: "eval_ro",
        summary: "Executes a read-only server-side Lua script.",
        since: "7.0.0",
        arity: -3,
        flags: READS,
        acl: &["scripting"],
        keys: &[KeySpec {
            notes: "We cannot tell how the keys will be used so we assume the worst, RO and ACCESS",
            ..KeySpec::counted(2, READ)
        }],
        syntax: "script numkeys:integer [key...] [arg...]",
        handler: eval_ro,
        ..RUN
    },
    Command {
        name: "evalsha_ro",
        summary: "Executes a read-only server-side Lua script by SHA1 digest.",
        since: "7.0.0",
        arity: -3,
        flags: READS,
        acl: &["scripting"],
        keys: &[KeySpec::counted(2, READ)],
        syntax: "sha1 numkeys:integer [key...] [arg...]",
        handler: evalsha_ro,
        ..RUN
    },
    Command {
        name: "script",
        summary: "A container for Lua scripts management commands.",
        complexity: "Depends on subcommand.",
        arity: -2,
        flags: Flags::NONE,
        acl: &[],
        subcommands: SCRIPT,
        ..MANAGE
    },
];

const SCRIPT: &[Command] = &[
    Command {
        name: "debug",
        summary: "Sets the debug mode of server-side Lua scripts.",
        since: "3.2.0",
        complexity: "O(1)",
        arity: 3,
        syntax: "<mode: YES | SYNC | NO>",
        handler: debug,
        ..MANAGE
    },
    Command {
        name: "exists",
        summary: "Determines whether server-side Lua scripts exist in the script cache.",
        complexity: "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
        arity: -3,
        syntax: "sha1...",
        tips: &["request_policy:all_shards", "response_policy:agg_logical_and"],
        handler: exists,
        ..MANAGE
    },
    Command {
        name: "flush",
        summary: "Removes all server-side Lua scripts from the script cache.",
        complexity: "O(N) with N being the number of scripts in cache",
        arity: -2,
        syntax: "[flush-type: ASYNC | SYNC]",
        tips: ALL_NODES,
        history: &[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")],
        handler: flush,
        ..MANAGE
    },
    Command {
        name: "help",
        summary: "Returns helpful text about the different subcommands.",
        since: "5.0.0",
        arity: 2,
        flags: Flags::LOADING.or(Flags::STALE),
        handler: help,
        ..MANAGE
    },
    Command {
        name: "kill",
        summary: "Terminates a server-side Lua script during execution.",
        arity: 2,
        flags: Flags::NOSCRIPT.or(Flags::ALLOW_BUSY),
        tips: &["request_policy:all_shards", "response_policy:one_succeeded"],
        handler: kill,
        ..MANAGE
    },
    Command {
        name: "load",
        summary: "Loads a server-side Lua script to the script cache.",
        complexity: "O(N) with N being the length in bytes of the script body.",
        arity: 3,
        flags: Flags::NOSCRIPT.or(Flags::STALE),
        syntax: "script",
        tips: ALL_NODES,
        handler: load,
        ..MANAGE
    },
    Command {
        name: "show",
        summary: "Shows the text of a script in the script cache.",
        arity: 3,
        flags: Flags::NOSCRIPT.or(Flags::STALE),
        syntax: "sha1",
        handler: show,
        ..MANAGE
    },
];

/// Whether a script may write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    ReadWrite,
    ReadOnly,
}

fn eval(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    run_body(ctx, args, Access::ReadWrite)
}

fn eval_ro(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    run_body(ctx, args, Access::ReadOnly)
}

fn evalsha(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    run_sha(ctx, args, Access::ReadWrite)
}

fn evalsha_ro(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    run_sha(ctx, args, Access::ReadOnly)
}

fn run_body(ctx: &mut Ctx<'_>, args: Args<'_>, access: Access) -> Outcome {
    if let Some(script) = ctx.take_script() {
        return go_on(ctx, script);
    }
    match ctx.state.debug_mode(ctx.client) {
        None => {}
        Some(_) if ctx.must_not_block => return Err(Error::fixed("ERR Scripts cannot be debugged inside a transaction")),
        Some(DebugMode::Sync) => return run_debugged(ctx, args, access),
        Some(DebugMode::Forked) => {
            let client = ctx.client;
            ctx.state.want_session(client)?;
            return Block::for_event(None, OnTimeout::Null);
        }
    }
    show_monitors(ctx, args);
    let keys = key_count(args)?;
    let script = ctx.state.scripts.by_body(args.at(1)).map_err(Error::bytes)?;
    run(ctx, args, keys, &script, access)
}

/// Runs a script under a debugger. Whatever comes of it, the session ends with it.
fn run_debugged(ctx: &mut Ctx<'_>, args: Args<'_>, access: Access) -> Outcome {
    show_monitors(ctx, args);
    let client = ctx.client;
    let started = key_count(args).and_then(|keys| {
        let script = ctx.state.scripts.by_body(args.at(1)).map_err(Error::bytes)?;
        start(ctx, args, keys, &script, access, Manner::Debugged)
    });
    let error = match started {
        Ok(script) => {
            ctx.state.begin_session(client);
            return go_on(ctx, script);
        }
        Err(error) => error,
    };
    ctx.reply.raw(b"*1\r\n+<endsession>\r\n");
    fail(ctx, &error);
    ctx.state.end_session(client);
    DONE
}

/// Replies with an error behind what a debugger has said.
fn fail(ctx: &mut Ctx<'_>, error: &Error) {
    ctx.state.registry.get_mut(ctx.command).stats.failed += 1;
    ctx.reply.error(error.text());
    ctx.state.count_error(error);
}

fn run_sha(ctx: &mut Ctx<'_>, args: Args<'_>, access: Access) -> Outcome {
    if let Some(script) = ctx.take_script() {
        return go_on(ctx, script);
    }
    if ctx.state.debug_mode(ctx.client).is_some() {
        return Err(Error::fixed("ERR Please use EVAL instead of EVALSHA for debugging"));
    }
    show_monitors(ctx, args);
    if args.at(1).len() != 40 {
        return Err(NO_SCRIPT);
    }
    let keys = key_count(args)?;
    let script = ctx.state.scripts.by_sha(args.at(1)).ok_or(NO_SCRIPT)?;
    run(ctx, args, keys, &script, access)
}

/// The script is shown before its commands.
pub(super) fn show_monitors(ctx: &mut Ctx<'_>, args: Args<'_>) {
    if ctx.state.gates.monitored {
        let db = ctx.db.index();
        monitor::show(ctx, args, db);
    }
}

fn key_count(args: Args<'_>) -> Result<usize, Error> {
    in_range(integer(args.at(2))?, args)
}

/// The number of keys, if there can be so many.
pub(super) fn in_range(count: i64, args: Args<'_>) -> Result<usize, Error> {
    if count > i64::try_from(args.len() - 3).unwrap_or(i64::MAX) {
        return Err(Error::fixed("ERR Number of keys can't be greater than number of args"));
    }
    usize::try_from(count).map_err(|_| Error::fixed("ERR Number of keys can't be negative"))
}

/// Runs a script or function, whose keys and other words begin behind the third.
pub(super) fn run(ctx: &mut Ctx<'_>, args: Args<'_>, keys: usize, callable: &Rc<Callable>, access: Access) -> Outcome {
    let script = start(ctx, args, keys, callable, access, Manner::Plain)?;
    go_on(ctx, script)
}

/// How a script runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Plain,
    Debugged,
}

/// Makes ready to run.
fn start(ctx: &mut Ctx<'_>, args: Args<'_>, keys: usize, callable: &Rc<Callable>, access: Access, manner: Manner) -> Result<Script, Error> {
    prepare(ctx, callable.flags, access)?;
    let interpreter = ctx.state.scripts.interpreter_of(callable).map_err(Error::bytes)?;
    let words = args.from(3);
    let (names, rest) = (words.iter().take(keys), words.iter().skip(keys));
    let run = match manner {
        Manner::Plain => interpreter.start(callable, names, rest),
        Manner::Debugged => interpreter.start_debugged(callable, args.at(1), names, rest),
    };
    let run = run.map_err(|failure| Error::bytes(failure.text))?;
    let flags = callable.flags.unwrap_or_default();
    let standing = Standing {
        db: ctx.db.index(),
        read_only: access == Access::ReadOnly || flags.any(ScriptFlags::NO_WRITES),
        allow_oom: flags.any(ScriptFlags::ALLOW_OOM),
        has_written: false,
        started: ctx.state.command_started,
        now: ctx.state.now,
        ends: false,
        was_left: false,
    };
    Ok(Script { run, standing })
}

/// Runs a script to its end, or until it has to be left.
pub(super) fn go_on(ctx: &mut Ctx<'_>, mut script: Script) -> Outcome {
    let (command, db, client) = (ctx.command, ctx.db.index(), ctx.client);
    let was_left = script.standing.was_left;
    let clock = busy::set_clock(ctx.state, ctx.db.space(), script.standing.now);
    ctx.state.scripts.running = true;
    let slice_began = if was_left { ctx.state.stopwatch.now() } else { 0 };
    // what a primary says ran to its end there
    let may_leave = !ctx.client().flags.any(ClientFlags::PRIMARY);
    let standing = &mut script.standing;
    let mut caller = Caller { space: ctx.db.space(), state: ctx.state, client, standing, slice_began, may_leave };
    let ended = script.run.advance(&mut caller);
    ctx.state.scripts.running = false;
    ctx.client().db = db;
    ctx.client().last_command = Some(command);
    if was_left {
        busy::set_clock(ctx.state, ctx.db.space(), clock);
    }
    ctx.propagate_nothing();
    let debugged = ctx.state.session_of(client).map(Session::take_said);
    ctx.reply.raw(debugged.as_deref().unwrap_or_default());
    let Some(ended) = ended else {
        ctx.leave_script(script);
        return Block::for_event(None, OnTimeout::Null);
    };
    ctx.state.command_started = script.standing.started;
    if was_left {
        ctx.state.end_busy();
    }
    if debugged.is_some() {
        let last = script.run.last_words();
        ctx.reply.raw(&last);
        ctx.state.end_session(client);
    }
    match ended {
        Ok(output) => {
            if output.is_error() {
                ctx.state.registry.get_mut(command).stats.failed += 1;
            }
            for error in output.write(&mut ctx.reply) {
                ctx.state.count_error(&Error::bytes(error));
            }
        }
        Err(failure) if failure.counted => {
            ctx.state.registry.get_mut(command).stats.failed += 1;
            ctx.reply.error(&failure.text);
        }
        // an error that is returned takes the place of all that was replied before
        Err(failure) if debugged.is_some() => fail(ctx, &Error::bytes(failure.text)),
        Err(failure) => return Err(Error::bytes(failure.text)),
    }
    DONE
}

/// Whether a script may run now, by what it declares.
fn prepare(ctx: &mut Ctx<'_>, flags: Option<ScriptFlags>, access: Access) -> Result<(), Error> {
    let gates = &ctx.state.gates;
    let Some(flags) = flags else {
        return if gates.stale { Err(Error::MASTER_DOWN) } else { Ok(()) };
    };
    let obeyed = ctx.state.clients[ctx.client].flags.any(ClientFlags::PRIMARY.or(ClientFlags::REPLAY));
    if gates.stale && !flags.any(ScriptFlags::ALLOW_STALE) {
        return Err(Error::MASTER_DOWN);
    }
    if !flags.any(ScriptFlags::NO_WRITES) {
        if gates.read_only && !obeyed {
            return Err(Error::fixed("READONLY You can not run script with write flag on readonly replica."));
        }
        if gates.unsaved && !obeyed {
            return Err(Error::MISCONF);
        }
        if let Some(trouble) = gates.file_trouble.as_ref().filter(|_| !obeyed) {
            return Err(trouble.clone());
        }
        if gates.too_few_replicas && !obeyed {
            return Err(Error::NO_REPLICAS);
        }
        if access == Access::ReadOnly {
            return Err(Error::fixed("ERR Can not execute a script with write flag using *_ro command."));
        }
        if gates.out_of_memory && !flags.any(ScriptFlags::ALLOW_OOM) && !obeyed {
            return Err(Error::fixed("OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'"));
        }
    }
    Ok(())
}

/// A running script's side of the server.
struct Caller<'a> {
    space: &'a mut Keyspace,
    state: &'a mut State,
    client: ClientKey,
    standing: &'a mut Standing,
    /// When it was gone on with, by the stopwatch.
    slice_began: u64,
    may_leave: bool,
}

impl Host for Caller<'_> {
    fn call(&mut self, request: Args<'_>, protocol: Protocol, replication: Replication, reply: &mut Vec<u8>) -> Called {
        let (found, refusal) = match self.admit(request) {
            Ok(id) => (id, None),
            Err(error) => (CommandId(0), Some(error)),
        };
        let mut ctx = Ctx {
            db: self.space.db(self.standing.db),
            reply: Reply::new(reply, protocol),
            state: self.state,
            client: self.client,
            command: found,
            propagation: Propagation::Verbatim,
            must_not_block: true,
            timed_out: false,
        };
        if let Some(error) = refusal {
            ctx.reply.error(error.text());
            ctx.state.count_error(&error);
            return Called::Refused;
        }
        let queued = ctx.db.space().effects.propagated.len();
        let recording = ctx.db.space().effects.recording;
        ctx.db.space().effects.recording &= replication != Replication::Nowhere;
        let base = std::mem::take(&mut ctx.state.reply_base);
        dispatch::call(&mut ctx, request);
        ctx.state.reply_base = base;
        let space = ctx.db.space();
        space.effects.recording = recording;
        let audience = match replication {
            Replication::All | Replication::Nowhere => None,
            Replication::Replicas => Some(Audience::NotFile),
            Replication::File => Some(Audience::File),
        };
        if let Some(audience) = audience {
            space.effects.propagated[queued..].iter_mut().for_each(|command| command.audience = audience);
        }
        ctx.state.tell(ctx.db.space());
        self.standing.db = ctx.db.index();
        Called::Ran
    }

    fn may(&mut self, request: Args<'_>) -> Option<bool> {
        let id = self.state.registry.resolve(request.at(0), request.get(1))?;
        Some(self.state.measure(self.client, id, request).is_ok())
    }

    fn attend(&mut self) -> Verdict {
        if self.standing.ends {
            return Verdict::End;
        }
        let (now, threshold) = (self.state.stopwatch.now(), self.state.config.busy_reply_threshold);
        if let Some(session) = self.state.session_of(self.client) {
            let spent = threshold != 0 && now.saturating_sub(session.resumed_at) >= threshold.saturating_mul(1_000_000);
            return if spent { Verdict::Stop } else { Verdict::GoOn };
        }
        let spent = if self.standing.was_left {
            now.saturating_sub(self.slice_began) >= limits::SCRIPT_SLICE_NANOS
        } else {
            threshold != 0 && now.saturating_sub(self.standing.started) >= threshold.saturating_mul(1_000_000)
        };
        if self.may_leave && spent { Verdict::Leave } else { Verdict::GoOn }
    }

    fn converse(&mut self, said: Vec<u8>, words: &mut OwnedRequest) -> Answered {
        let now = self.state.stopwatch.now();
        if self.standing.ends {
            return Answered::End;
        }
        self.state.session_of(self.client).map_or(Answered::Gone, |session| session.answer(said, words, now))
    }
}

impl Caller<'_> {
    /// The command that a script calls, if it may.
    fn admit(&mut self, request: Args<'_>) -> Result<CommandId, Error> {
        let id = self.state.registry.resolve(request.at(0), request.get(1));
        let id = id.ok_or(Error::fixed("ERR Unknown Redis command called from script"))?;
        self.check(id, request).inspect_err(|_| self.state.registry.get_mut(id).stats.rejected += 1)?;
        Ok(id)
    }

    /// Whether a script may call a command now.
    fn check(&mut self, id: CommandId, request: Args<'_>) -> Result<(), Error> {
        let registry = &self.state.registry;
        let row = registry.get(id).row;
        if !row.takes(request.len()) {
            return Err(Error::fixed("ERR Wrong number of args calling Redis command from script"));
        }
        let is_nested = row.group == "scripting";
        if row.flags.any(Flags::NOSCRIPT) && (is_nested || !self.state.switches.scripts_unrestricted) {
            return Err(Error::fixed("ERR This Redis command is not allowed from script"));
        }
        let gates = &self.state.gates;
        if gates.stale && !row.flags.any(Flags::STALE) {
            return Err(Error::fixed("ERR Can not execute the command on a stale replica"));
        }
        if let Err(denial) = self.state.measure(self.client, id, request) {
            self.state.note_denial(self.client, denial, Context::Script, id, request);
            let name = self.state.shown_user(&self.state.clients[self.client]);
            let missing = missing(&self.state.registry, name, denial, id);
            return Err(Error::bytes([b"ERR ACL failure in script: ", missing.as_slice()].concat()));
        }
        let gates = &self.state.gates;
        let writes = row.flags.any(Flags::WRITE);
        if self.standing.read_only && (writes || row.flags.any(Flags::MAY_REPLICATE)) {
            return Err(Error::fixed("ERR Write commands are not allowed from read-only scripts."));
        }
        let obeyed = self.state.clients[self.client].flags.any(ClientFlags::PRIMARY.or(ClientFlags::REPLAY));
        if gates.careful && !self.standing.has_written && !obeyed {
            if writes {
                if gates.read_only {
                    return Err(Error::READONLY);
                }
                if gates.unsaved {
                    return Err(Error::MISCONF);
                }
                if let Some(trouble) = &gates.file_trouble {
                    return Err(trouble.clone());
                }
                if gates.too_few_replicas {
                    return Err(Error::NO_REPLICAS);
                }
            }
            if gates.out_of_memory && row.flags.any(Flags::DENYOOM) && !self.standing.allow_oom {
                return Err(Error::OOM);
            }
        }
        self.standing.has_written |= writes;
        Ok(())
    }
}

fn debug(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let client = ctx.client;
    if ctx.state.reply_base > 0 || !ctx.client().output.is_empty() {
        return Err(Error::fixed("ERR SCRIPT DEBUG must be called outside a pipeline"));
    }
    let mode = match () {
        () if args.is(2, "no") => None,
        () if args.is(2, "yes") => Some(DebugMode::Forked),
        () if args.is(2, "sync") => Some(DebugMode::Sync),
        () => return Err(Error::fixed("ERR Use SCRIPT DEBUG YES/SYNC/NO")),
    };
    ctx.state.set_debug_mode(client, mode);
    ctx.reply.ok();
    DONE
}

fn load(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let sha = ctx.state.scripts.load(args.at(2)).map_err(Error::bytes)?;
    ctx.reply.bulk(&sha);
    DONE
}

fn exists(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let names = args.from(2);
    ctx.reply.array(names.len());
    for name in names.iter() {
        ctx.reply.integer(i64::from(ctx.state.scripts.contains(name)));
    }
    DONE
}

fn flush(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    check_flush_mode(args, 2, Error::fixed("ERR SCRIPT FLUSH only support SYNC|ASYNC option"))?;
    drop(ctx.state.scripts.flush());
    ctx.reply.ok();
    DONE
}

fn kill(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    ctx.state.kill_script(World::Scripts)?;
    ctx.reply.ok();
    DONE
}

fn show(ctx: &mut Ctx<'_>, args: Args<'_>) -> Outcome {
    let text = ctx.state.scripts.text(args.at(2)).ok_or(NO_SCRIPT)?;
    ctx.reply.bulk(text);
    DONE
}

fn help(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    dispatch::help(
        ctx,
        &[
            "DEBUG (YES|SYNC|NO)",
            "    Lets the scripts that EVAL runs on this connection be debugged: on a copy of the data, on the data, or not.",
            "EXISTS <sha1> [<sha1> ...]",
            "    Says for each name whether its script is kept.",
            "FLUSH [ASYNC|SYNC]",
            "    Forgets all scripts: EVALSHA finds none until it is sent again.",
            "KILL",
            "    Ends the script that runs, unless it has written.",
            "LOAD <script>",
            "    Keeps a script and returns its name; it is not run.",
            "SHOW <sha1>",
            "    Returns the text of a script that is kept.",
        ],
    )
}
