//! From a parsed request to its reply: may this client run this command now, and running it.

use super::client::{ClientFlags, ClientKey};
use super::context::{Block, Ctx, DONE, Flow, OnTimeout, Outcome, Propagation};
use super::error::Error;
use super::registry::CommandId;
use super::row::Flags;
use super::stats::{Culprit, Histogram};
use super::{State, command_log, hotspots, moment, tracking};
use crate::config::PropagationFailure;
use crate::keyspace::Keyspace;
use crate::resp::request::Args;
use crate::script::{Header, ScriptFlags};

/// Facts about a client that make a command take the careful path.
const ATTENTION: ClientFlags = ClientFlags::MULTI
    .or(ClientFlags::SUBSCRIBED)
    .or(ClientFlags::PRIMARY)
    .or(ClientFlags::TRACKING)
    .or(ClientFlags::REPLAY)
    .or(ClientFlags::REPLICA)
    .or(ClientFlags::RESTRICTED);

/// How a top-level command ended, for the loop over a client's requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It replied: on to the next request.
    Replied,
    /// The client waits: its next request stays unparsed.
    Blocked,
    /// The client is paused: the request itself is to run later.
    Postponed,
}

/// The handler of containers: only reached without a subcommand.
pub fn container(ctx: &mut Ctx<'_>, _: Args<'_>) -> Outcome {
    Err(Error::arity(&ctx.state.registry.get(ctx.command).full_name))
}

/// Finds the command that the words call, or says why there is none.
fn resolve(ctx: &mut Ctx<'_>, args: Args<'_>, known: Option<CommandId>) -> Result<CommandId, Error> {
    let registry = &ctx.state.registry;
    let id = match known {
        Some(id) => id,
        None if ctx.state.clients[ctx.client].flags.any(ClientFlags::PRIMARY) => {
            registry.lookup_recorded(args.at(0)).ok_or_else(|| unknown_command(args))?
        }
        None => registry.lookup(args.at(0)).ok_or_else(|| unknown_command(args))?,
    };
    let command = registry.get(id);
    if command.children.is_empty() {
        return Ok(id);
    }
    match args.get(1) {
        None => Ok(id),
        Some(name) => registry.subcommand(id, name).ok_or_else(|| {
            let container = command.called.to_ascii_uppercase();
            Error::quoting("ERR unknown subcommand '{}'. Try {} HELP.", &[shown(name), container.as_bytes()])
        }),
    }
}

#[cold]
fn unknown_command(args: Args<'_>) -> Error {
    let shown = |word: &[u8], most: usize| word[..word.iter().position(|&b| b == 0).unwrap_or(word.len()).min(most)].to_vec();
    let mut error = b"ERR unknown command '".to_vec();
    error.extend(shown(args.at(0), 128));
    error.extend_from_slice(b"', with args beginning with: ");
    let mut words = Vec::new();
    for word in args.from(1).iter() {
        if words.len() >= 128 {
            break;
        }
        words.push(b'\'');
        words.extend(shown(word, 128 - words.len().min(127)));
        words.extend_from_slice(b"' ");
    }
    error.extend(words);
    Error::bytes(error)
}

/// Refuses what is no command. A browser that was tricked into talking to this port sends `POST` or `Host:`,
/// and then perhaps commands that its user never meant: it is cut off.
#[cold]
fn refuse_unknown(ctx: &mut Ctx<'_>, args: Args<'_>, error: &Error) {
    if args.is(0, "post") || args.is(0, "host:") {
        let from = ctx.state.clients[ctx.client].peer.address.clone();
        log::warn!(
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to Ruddle, likely to make a browser attack this server. Connection from {from} aborted."
        );
        let key = ctx.client;
        ctx.state.close_now(key, "POST or Host:");
        return;
    }
    reject(ctx, error, None);
}

/// Runs one request of `ctx.client`. `known` is its command, if the parser has looked it up already.
#[inline]
pub fn execute(ctx: &mut Ctx<'_>, args: Args<'_>, known: Option<CommandId>) -> Ended {
    ctx.command = match resolve(ctx, args, known) {
        Ok(id) => id,
        Err(error) => {
            refuse_unknown(ctx, args, &error);
            return Ended::Replied;
        }
    };
    let row = ctx.row();
    if !row.takes(args.len()) {
        let error = Error::arity(&ctx.state.registry.get(ctx.command).full_name);
        reject(ctx, &error, Some(ctx.command));
        return Ended::Replied;
    }
    let flags = row.flags;
    let client = ctx.client().flags;
    if ctx.state.gates.careful || client.any(ATTENTION) || !client.any(ClientFlags::AUTHENTICATED) {
        match careful(ctx, args, flags, client) {
            Ok(Verdict::Run) => {}
            Ok(Verdict::Queued) => return Ended::Replied,
            Ok(Verdict::Postpone) => return Ended::Postponed,
            Err(error) => {
                reject(ctx, &error, Some(ctx.command));
                return Ended::Replied;
            }
        }
    }
    match call(ctx, args) {
        Flow::Done => {
            if flags.any(Flags::ARBITRARY_KEYS) {
                let effects = &mut ctx.db.space().effects;
                effects.scattered = effects.propagated.len() > 1;
            }
            if client.any(ClientFlags::TRACKING) {
                end_tracked(ctx, Some(ctx.command));
            }
            Ended::Replied
        }
        Flow::Block(block) => {
            super::blocking::park(ctx, args, *block);
            Ended::Blocked
        }
    }
}

enum Verdict {
    Run,
    Queued,
    Postpone,
}

/// Everything that may stand between a client and a command, in Redis's order.
#[cold]
fn careful(ctx: &mut Ctx<'_>, args: Args<'_>, flags: Flags, client: ClientFlags) -> Result<Verdict, Error> {
    let replayed = client.any(ClientFlags::REPLAY.or(ClientFlags::PRIMARY));
    if !client.any(ClientFlags::AUTHENTICATED) && !flags.any(Flags::NO_AUTH) && !replayed {
        return Err(Error::NO_AUTH);
    }
    if client.any(ClientFlags::MULTI) && flags.any(Flags::NO_MULTI) {
        return Err(Error::fixed("ERR Command not allowed inside a transaction"));
    }
    if client.any(ClientFlags::RESTRICTED) {
        ctx.state.admit(ctx.client, ctx.command, args)?;
        // of those who are looked at because of their user most are looked at for nothing else
        if !ctx.state.gates.careful && !client.any(ATTENTION.without(ClientFlags::RESTRICTED)) {
            return Ok(Verdict::Run);
        }
    }
    let queueing = client.any(ClientFlags::MULTI) && !matches!(ctx.row().name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset");
    let flags = effective(ctx, args, flags, queueing);
    ctx.state.gates.check(ctx.row().name, flags, client)?;
    if client.any(ClientFlags::TRACKING) {
        ctx.state.limit_caches();
    }
    if client.any(ClientFlags::SUBSCRIBED) && !ctx.reply.is_resp3() && !allowed_when_subscribed(ctx.row().name) {
        return Err(Error::new(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
            ctx.state.registry.get(ctx.command).full_name
        )));
    }
    let may_write = flags.any(Flags::WRITE.or(Flags::MAY_REPLICATE));
    if client.any(ClientFlags::REPLICA) && (may_write || flags.any(Flags::READONLY)) {
        return Err(Error::REPLICA_CANNOT);
    }
    if ctx.state.gates.busy.is_some() && client.any(ClientFlags::PRIMARY) {
        return Ok(Verdict::Postpone);
    }
    // a primary's words wait, too: what is paused stands still
    if ctx.state.gates.paused && !client.any(ClientFlags::REPLICA.or(ClientFlags::REPLAY)) && ctx.state.pause.holds(may_write) {
        return Ok(Verdict::Postpone);
    }
    if queueing {
        queue(ctx, args);
        return Ok(Verdict::Queued);
    }
    if ctx.state.gates.migrating && !replayed && (flags.any(Flags::WRITE) || may_write && ctx.row().group == "scripting") {
        let (client, db, command) = (ctx.client, ctx.db.index(), ctx.command);
        if ctx.state.is_on_its_way(client, db, command, args) {
            return Ok(Verdict::Postpone);
        }
    }
    Ok(Verdict::Run)
}

/// The flags that count at the gates: EXEC stands for all that it runs, and what is queued takes memory.
fn effective(ctx: &mut Ctx<'_>, args: Args<'_>, flags: Flags, queueing: bool) -> Flags {
    let flags = with_declared(ctx, args, flags);
    if queueing {
        return flags.or(Flags::DENYOOM);
    }
    if ctx.row().name != "exec" {
        return flags;
    }
    let Some(transaction) = &ctx.client().transaction else { return flags };
    let all = flags.or(transaction.flags);
    if transaction.wants_fresh_data { all.without(Flags::STALE) } else { all }
}

/// A command's flags; what a script declares counts in place of what is said of scripts in general.
fn with_declared(ctx: &Ctx<'_>, args: Args<'_>, flags: Flags) -> Flags {
    declared(ctx, args).map_or(flags, |declared| flags.without(Flags::STALE.or(Flags::MAY_REPLICATE)).or(declared))
}

/// What a script that is to run declares in its first line, as flags of its command.
fn declared(ctx: &Ctx<'_>, args: Args<'_>) -> Option<Flags> {
    let declared = match ctx.row().name {
        "eval" | "eval_ro" => Header::parse(args.at(1)).ok()?.flags?,
        "evalsha" | "evalsha_ro" => ctx.state.scripts.declared(args.at(1))?,
        "fcall" | "fcall_ro" => ctx.state.scripts.libraries().function(args.at(1))?.flags?,
        _ => return None,
    };
    let mut flags = Flags::NONE;
    if !declared.any(ScriptFlags::NO_WRITES) {
        flags = flags.or(Flags::WRITE);
        if !declared.any(ScriptFlags::ALLOW_OOM) {
            flags = flags.or(Flags::DENYOOM);
        }
    }
    Some(if declared.any(ScriptFlags::ALLOW_STALE) { flags.or(Flags::STALE) } else { flags })
}

/// Queues a command for EXEC, unless EXEC will fail anyway.
fn queue(ctx: &mut Ctx<'_>, args: Args<'_>) {
    let (id, flags) = (ctx.command, with_declared(ctx, args, ctx.row().flags));
    let client = ctx.client();
    if !client.flags.any(ClientFlags::DIRTY_CAS.or(ClientFlags::DIRTY_EXEC)) {
        client.transaction.get_or_insert_default().push(id, flags, args.to_owned());
    }
    ctx.reply.simple("QUEUED");
}

fn allowed_when_subscribed(name: &str) -> bool {
    matches!(name, "ping" | "subscribe" | "ssubscribe" | "psubscribe" | "unsubscribe" | "sunsubscribe" | "punsubscribe" | "quit" | "reset")
}

/// Refuses a command before it runs; inside MULTI this spoils the transaction, and a refused EXEC ends it.
#[cold]
pub fn reject(ctx: &mut Ctx<'_>, error: &Error, command: Option<CommandId>) {
    if let Some(id) = command {
        ctx.state.registry.get_mut(id).stats.rejected += 1;
    }
    let flags = ctx.client().flags;
    if flags.any(ClientFlags::MULTI) {
        ctx.client().flags.set(ClientFlags::DIRTY_EXEC, true);
    }
    let error = if command.is_some_and(|id| ctx.state.registry.get(id).row.name == "exec") {
        ctx.state.discard(ctx.db.space(), ctx.client);
        let mut text = b"EXECABORT Transaction discarded because of: ".to_vec();
        text.extend_from_slice(error.text().strip_prefix(b"ERR ").unwrap_or(error.text()));
        &Error::bytes(text)
    } else {
        error
    };
    ctx.reply.error(error.text());
    ctx.state.count_error(error);
    if flags.any(ClientFlags::TRACKING) {
        end_tracked(ctx, command);
    }
}

/// The end of a tracking client's command, run or refused.
#[cold]
pub(super) fn end_tracked(ctx: &mut Ctx<'_>, command: Option<CommandId>) {
    let registry = &ctx.state.registry;
    let is_client_command = command.is_some_and(|id| {
        let command = registry.get(id);
        command.parent.map_or(command, |parent| registry.get(parent)).row.name == "client"
    });
    tracking::end_command(ctx, is_client_command);
}

/// Runs a command that may run: its handler, the clock around it, its propagation.
#[inline]
pub fn call(ctx: &mut Ctx<'_>, args: Args<'_>) -> Flow {
    let command = ctx.command;
    let row = ctx.row();
    let client = ctx.client();
    client.last_command = Some(command);
    moment::enter(command, client.id);
    let mark = ctx.reply.mark();
    let dirty = ctx.db.space().dirty;
    let db = ctx.db.index();
    ctx.propagation = Propagation::Verbatim;
    let outcome = (row.handler)(ctx, args);
    let ended = ctx.state.stopwatch.now();
    let nanos = ended.saturating_sub(ctx.state.command_started);
    ctx.state.command_started = ended;
    ctx.command = command;
    let (flow, calls, failed) = match outcome {
        Ok(Flow::Block(block)) => {
            // a script that is left goes on wherever it stands
            if ctx.must_not_block && ctx.state.busy.is_none() {
                (reply_timeout(ctx, &block, args), 0, 0)
            } else {
                return Flow::Block(block);
            }
        }
        Ok(Flow::Done) => (Flow::Done, 1, 0),
        Err(error) => {
            ctx.reply.cut_back(mark);
            ctx.reply.error(error.text());
            ctx.state.count_error(&error);
            if ctx.client().flags.any(ClientFlags::PRIMARY.or(ClientFlags::REPLAY)) && !ctx.state.scripts.running {
                propagated_command_failed(ctx, &error);
            }
            (Flow::Done, 1, 1)
        }
    };
    let state = &mut *ctx.state;
    let stats = &mut state.registry.get_mut(command).stats;
    stats.calls += calls;
    stats.failed += failed;
    stats.nanos += nanos;
    let bucket = Histogram::bucket(nanos);
    if state.config.latency_tracking {
        stats.latency.record_in(bucket, nanos, 1);
    }
    state.stats.commands += 1;
    state.stats.holds.record_in(bucket, nanos, 1);
    if state.stats.is_long(nanos) {
        note_long_hold(state, command, ctx.client, args, nanos);
    }
    let tracked = state.caches.clients() > 0 && state.clients[ctx.client].flags.any(ClientFlags::TRACKING);
    let reads = tracked && row.flags.any(Flags::READONLY) && row.group != "scripting";
    let replied = (ctx.reply.written() - state.reply_base) as u64;
    if state.hotspots.is_due() || state.look.wants(nanos, state.request_bytes, replied) {
        look_closer(ctx, args, nanos, replied);
    }
    if reads {
        tracking::remember(ctx, args);
    }
    propagate(ctx, args, db, dirty);
    if ctx.state.gates.monitored {
        super::monitor::feed(ctx, args, db);
    }
    flow
}

/// Notes the command that has held the loop for longer than others.
#[cold]
fn note_long_hold(state: &mut State, command: CommandId, client: ClientKey, args: Args<'_>, nanos: u64) {
    let called = state.registry.get(command);
    let culprit = Culprit {
        what: called.full_name.clone(),
        client: state.clients[client].to_string(),
        request: command_log::beginning(called.row, args),
    };
    state.stats.note_hold(nanos, culprit);
}

/// A command that the primary, or this server before its restart, had carried out does not work here: the
/// data differ. `propagation-error-behavior` says whether to go on.
#[cold]
fn propagated_command_failed(ctx: &mut Ctx<'_>, error: &Error) {
    let client = ctx.client().flags;
    let name = &ctx.state.registry.get(ctx.command).full_name;
    let text = String::from_utf8_lossy(error.text());
    let from_primary = client.any(ClientFlags::PRIMARY);
    // the data of a replica that others write to may differ
    let equal = !from_primary || ctx.state.config.replica_read_only;
    let ends = match ctx.state.config.propagation_error_behavior {
        PropagationFailure::Ignore => false,
        PropagationFailure::Panic => equal,
        PropagationFailure::PanicOnReplicas => from_primary && equal,
    };
    assert!(!ends, "propagation-error-behavior ends the server: '{name}' failed: {text}");
}

/// From what on a command is worth a closer look: the least that the command log, the latency monitor and the search
/// for hot spots ask for.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Nanoseconds that it took.
    pub nanos: u64,
    /// Bytes of its request.
    pub request: u64,
    /// Bytes of its reply.
    pub reply: u64,
}

impl Default for Look {
    fn default() -> Look {
        Look { nanos: u64::MAX, request: u64::MAX, reply: u64::MAX }
    }
}

impl Look {
    #[inline]
    fn wants(&self, nanos: u64, request: u64, reply: u64) -> bool {
        nanos >= self.nanos || request >= self.request || reply >= self.reply
    }
}

/// A command that took long, or whose request or reply was long, or that is a sample.
#[cold]
fn look_closer(ctx: &mut Ctx<'_>, args: Args<'_>, nanos: u64, replied: u64) {
    hotspots::look(ctx, args, nanos, replied);
    if !ctx.state.look.wants(nanos, ctx.state.request_bytes, replied) {
        return;
    }
    let event = if ctx.row().flags.any(Flags::FAST) { "fast-command" } else { "command" };
    let at = ctx.state.now.unix.to_millis().seconds();
    ctx.state.latency.note(event, at, nanos);
    // a script is slow as a whole
    if !ctx.state.scripts.running {
        command_log::record(ctx, args, nanos, replied);
    }
}

/// Queues the command for the append-only file and the replicas, if it changed something.
#[inline]
fn propagate(ctx: &mut Ctx<'_>, args: Args<'_>, db: crate::keyspace::DbIndex, dirty: u64) {
    let space: &mut Keyspace = ctx.db.space();
    if !space.effects.recording {
        return;
    }
    let wanted = match ctx.propagation {
        // SAVE and what saves set the count back
        Propagation::Verbatim => space.dirty > dirty,
        Propagation::Replaced => false,
        Propagation::Forced | Propagation::ToReplicas => true,
    };
    if wanted {
        space.effects.propagate_words(db, args.len(), args.iter());
        if ctx.propagation == Propagation::ToReplicas {
            space.effects.for_replicas_only();
        }
    }
}

/// A command that would have to wait but must not gets the answer of a wait that is over.
fn reply_timeout(ctx: &mut Ctx<'_>, block: &Block, args: Args<'_>) -> Flow {
    match block.on_timeout {
        OnTimeout::NullArray => ctx.reply.null_array(),
        OnTimeout::Null => ctx.reply.null(),
        OnTimeout::RunAgain => {
            ctx.timed_out = true;
            let again = (ctx.row().handler)(ctx, args);
            ctx.timed_out = false;
            if let Err(error) = again {
                ctx.reply.error(error.text());
            }
        }
    }
    let command = ctx.command;
    ctx.state.registry.get_mut(command).stats.calls += 1;
    Flow::Done
}

/// As much of a word as errors show.
fn shown(word: &[u8]) -> &[u8] {
    &word[..word.len().min(128)]
}

/// The error of a subcommand that has too many words or words that it does not know.
#[cold]
pub fn wrong_subcommand(ctx: &Ctx<'_>, args: Args<'_>) -> Error {
    let container = ctx.state.registry.get(ctx.command).parent.unwrap_or(ctx.command);
    let container = ctx.state.registry.get(container).called.to_ascii_uppercase();
    let words = [shown(args.get(1).unwrap_or_default()), container.as_bytes()];
    Error::quoting("ERR unknown subcommand or wrong number of arguments for '{}'. Try {} HELP.", &words)
}

/// `SUBCOMMAND HELP` of a container: its lines, as Redis shows them.
pub fn help(ctx: &mut Ctx<'_>, lines: &[&str]) -> Outcome {
    let container = ctx.state.registry.get(ctx.command).parent.map_or(ctx.command, |parent| parent);
    let name = ctx.state.registry.get(container).called.to_ascii_uppercase();
    ctx.reply.array(lines.len() + 3);
    ctx.reply.simple(&format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
    for line in lines {
        ctx.reply.simple(line);
    }
    ctx.reply.simple("HELP");
    ctx.reply.simple("    Print this help.");
    DONE
}

impl State {
    /// Counts an error reply.
    #[cold]
    pub fn count_error(&mut self, error: &Error) {
        self.stats.error_replies += 1;
        let code = error.code().to_vec();
        if self.stats.errors.len() < crate::limits::ERROR_CODES || self.stats.errors.contains_key(&code) {
            *self.stats.errors.entry(code).or_default() += 1;
        }
    }
}
