//! One turn: the requests of ready clients are parsed, their keys' cache lines asked for, and then they
//! are executed in order, in batches over as many clients as it takes.
//!
//! A batch is large enough for the lines to arrive while others are parsed, and small enough for them to
//! be still in the first-level cache when their request runs. (All requests of a turn in one batch were
//! measured: with 50 clients of 64 requests each, half the time went into waiting for lines once more.)

use std::ops::Range;

use super::client::{ClientFlags, ClientKey};
use super::consequences::Grouping;
use super::dispatch::{self, Ended};
use super::registry::CommandId;
use super::stats::Culprit;
use super::{Server, Timer};
use crate::base::clock::{Micros, Millis, Now};
use crate::ds::table::Part;
use crate::keyspace::expiry::Expiry;
use crate::keyspace::{DbIndex, Hint};
use crate::limits;
use crate::resp::request::{self, Args, OwnedRequest, Parsed, Partial, RequestLimits, Span};

/// What a client has sent and was not executed yet.
pub struct Inbound<'a> {
    /// Whose it is.
    pub client: ClientKey,
    /// The bytes, from the start of a request on.
    pub bytes: &'a [u8],
    /// How many of them arrived since the last turn.
    pub fresh: usize,
    /// Since when the last of them can have been readable, by the server's stopwatch.
    pub since: u64,
    /// Set by the turn: how many are done with.
    pub consumed: usize,
}

/// What the requests of one turn from a primary were.
#[derive(Default)]
pub(super) struct FromPrimary {
    /// Bytes of them that are whole units: what follows belongs to a transaction or an empty line that has not ended.
    pub whole: usize,
    /// What of them changes no data.
    pub left_out: Vec<Range<usize>>,
}

/// A parsed request.
pub struct Request {
    /// Index of its client's input.
    inbound: u32,
    /// Its words in the turn's spans.
    first: u32,
    count: u32,
    /// Where it ends in the input.
    end: usize,
    command: Option<CommandId>,
    /// The word that is its first key, and the hash of that, if it has a fixed place.
    key: u8,
    hash: Option<u64>,
    /// The hash of the element that it names.
    element: Option<u64>,
    db: DbIndex,
    special: Option<Box<Special>>,
}

/// What is not an ordinary request.
enum Special {
    /// An inline request that had to be unquoted.
    Inline(OwnedRequest),
    /// A breach of the protocol: its error, then the close.
    Breach(String),
}

impl Server {
    /// Executes what arrived. See the module's essay.
    pub fn turn(&mut self, now: Now, inbounds: &mut [Inbound<'_>]) {
        self.set_time(now);
        let mut requests = std::mem::take(&mut self.requests);
        let mut spans = std::mem::take(&mut self.spans);
        let started = self.state.stopwatch.now();
        for index in 0..inbounds.len() {
            self.parse(&mut inbounds[index], u32::try_from(index).expect("few clients are ready at once"), &mut requests, &mut spans);
            if requests.len() < limits::BATCH && index + 1 < inbounds.len() {
                continue;
            }
            // by now the buckets are near, so their entries can be asked for without waiting
            for request in requests.iter().take(limits::LEAD) {
                self.prefetch_block(request);
            }
            if self.has_elements {
                for request in requests.iter().take(limits::ELEMENT_LEAD) {
                    self.prefetch_element(request, Part::Bucket);
                }
            }
            self.state.command_started = self.state.stopwatch.now();
            let mut at = 0;
            while at < requests.len() {
                at = self.execute_inbound(inbounds, &requests, at, &spans);
            }
            requests.clear();
            spans.clear();
            self.has_elements = false;
        }
        self.broadcast_changes();
        self.replicate();
        let nanos = self.state.stopwatch.now().saturating_sub(started);
        self.state.stats.turns.record(nanos);
        self.requests = requests;
        self.spans = spans;
    }

    #[inline]
    fn prefetch_block(&self, request: &Request) {
        if let Some(hash) = request.hash {
            self.keyspace.prefetch_block(request.db, hash);
        }
    }

    /// Asks for the elements of requests that come soon after the first of these.
    fn prefetch_elements(&self, requests: &[Request]) {
        if let Some(later) = requests.get(limits::ELEMENT_LEAD) {
            self.prefetch_element(later, Part::Bucket);
        }
        if let Some(later) = requests.get(limits::ELEMENT_LEAD / 2) {
            self.prefetch_element(later, Part::Block);
        }
    }

    #[inline]
    fn prefetch_element(&self, request: &Request, part: Part) {
        if let (Some(hash), Some(element)) = (request.hash, request.element) {
            self.keyspace.prefetch_element(request.db, hash, element, part);
        }
    }

    /// Takes the time of a turn.
    pub fn set_time(&mut self, now: Now) {
        self.state.now = now;
        self.keyspace.now = now.unix.to_millis();
        self.keyspace.heat.set_time(now.unix.0.div_euclid(1_000_000));
    }

    /// Moves the time on: a command has slept. Who waits for a key is served by the time at the end of the command, and
    /// the key may have expired by then.
    pub(super) fn move_time(&mut self, micros: u64) {
        let Now { unix, monotonic } = self.state.now;
        let passed = Micros(i64::try_from(micros).unwrap_or(i64::MAX));
        self.set_time(Now { unix: unix.saturating_add(passed), monotonic: monotonic.saturating_add(micros) });
    }

    /// Parses what a client has sent, up to what may run.
    fn parse(&mut self, inbound: &mut Inbound<'_>, index: u32, requests: &mut Vec<Request>, spans: &mut Vec<Span>) {
        let state = &mut self.state;
        let Some(client) = state.clients.get_mut(inbound.client) else { return };
        client.flags.set(ClientFlags::RUNNABLE, false);
        client.bytes_in += inbound.fresh as u64;
        client.pending_input = inbound.bytes.len();
        state.memory_changed(inbound.client);
        let Some(client) = state.clients.get_mut(inbound.client) else { return };
        let from_primary = client.flags.any(ClientFlags::PRIMARY.or(ClientFlags::LINK));
        let counter = if from_primary { &mut state.stats.replication_bytes_in } else { &mut state.stats.bytes_in };
        *counter += inbound.fresh as u64;
        if inbound.fresh > 0 {
            state.stats.reads += 1;
            client.active_at = state.now.unix;
        }
        if client.flags.any(ClientFlags::DEBUGS_SYNC.or(ClientFlags::DEBUGS_FORKED)) && self.hear_debugger(inbound) {
            return;
        }
        let state = &mut self.state;
        let Some(client) = state.clients.get_mut(inbound.client) else { return };
        if client.is_held() {
            // nothing that follows the last request of a client is wanted
            if client.flags.any(ClientFlags::CLOSE_AFTER_REPLY.or(ClientFlags::CLOSE_NOW)) {
                inbound.consumed = inbound.bytes.len();
            }
            if inbound.fresh > 0 && client.flags.any(ClientFlags::PRIMARY) {
                state.hear_primary();
            }
            return;
        }
        if client.flags.any(ClientFlags::LINK) {
            self.read_link(inbound);
            return;
        }
        let from_primary = client.flags.any(ClientFlags::PRIMARY);
        let before = requests.len();
        let limits = if client.flags.any(ClientFlags::AUTHENTICATED) {
            let bulk = i64::try_from(state.config.proto_max_bulk_len).unwrap_or(i64::MAX);
            RequestLimits { arguments: limits::ARGUMENTS_MAX, bulk, unauthenticated: false }
        } else {
            RequestLimits {
                arguments: limits::ARGUMENTS_MAX_UNAUTHENTICATED,
                bulk: limits::BULK_MAX_UNAUTHENTICATED,
                unauthenticated: true,
            }
        };
        let (bytes, db, mut at, mut blank_behind) = (inbound.bytes, client.db, 0, false);
        let special = |end, command, special| {
            let special = Some(Box::new(special));
            Request { inbound: index, first: 0, count: 0, end, command, key: 0, hash: None, element: None, db, special }
        };
        // a pipeline is mostly of one command, in the same letters
        let mut last: (&[u8], Option<CommandId>) = (b"", None);
        loop {
            let first = spans.len();
            match request::parse(bytes, at, &mut client.partial, &limits, spans) {
                Parsed::Inline(_, end) if from_primary => {
                    let breach = Special::Breach("Master using the inline protocol. Desync?".into());
                    requests.push(special(end, None, breach));
                    break;
                }
                Parsed::Request(end) => {
                    let args = Args::new(bytes, &spans[first..]);
                    let name = &bytes[spans[first].range()];
                    if name != last.0 {
                        last = (name, state.registry.lookup(name));
                    }
                    let (mut key, mut hash, mut element) = (0, None, None);
                    if let Some(id) = last.1 {
                        let command = state.registry.get(id);
                        key = command.first_key;
                        let place = usize::from(command.element);
                        if key != 0 && usize::from(key) < args.len() {
                            let word = self.keyspace.hasher().hash(args.at(usize::from(key)));
                            self.keyspace.prefetch_bucket(db, word);
                            hash = Some(word);
                            if place != 0 && place < args.len() {
                                element = Some(self.keyspace.hasher().hash(args.at(place)));
                                self.has_elements = true;
                            }
                        }
                    }
                    requests.push(Request {
                        inbound: index,
                        first: u32::try_from(first).expect("spans of a turn are few"),
                        count: u32::try_from(args.len()).expect("limited"),
                        end,
                        command: last.1,
                        key,
                        hash,
                        element,
                        db,
                        special: None,
                    });
                    at = end;
                }
                Parsed::Inline(owned, end) => {
                    let command = state.registry.lookup(owned.args().at(0));
                    requests.push(special(end, command, Special::Inline(owned)));
                    at = end;
                }
                Parsed::Nothing(end) => {
                    if client.flags.any(ClientFlags::REPLICA) {
                        // a busy replica's sign of life
                        state.replication.hear_of(inbound.client, state.now.unix);
                    }
                    at = end;
                    if requests.len() == before {
                        inbound.consumed = end;
                    }
                    blank_behind = requests.len() > before;
                    continue;
                }
                Parsed::Incomplete => {
                    if blank_behind {
                        // what is kept begins with the blank, not with the request
                        client.partial = Partial::default();
                    }
                    break;
                }
                Parsed::Error(text) => {
                    requests.push(special(bytes.len(), None, Special::Breach(text)));
                    break;
                }
            }
            blank_behind = false;
            if limits.unauthenticated {
                // the limits may change with the command: execute it first, then parse on
                break;
            }
        }
        if from_primary && requests.len() == before && inbound.consumed > 0 {
            let blank = &inbound.bytes[..inbound.consumed];
            let is_open = client.flags.any(ClientFlags::MULTI);
            // in the midst of what an empty line stands for is no place to be at
            let whole = if is_open { None } else { memchr::memmem::rfind(blank, b"\r\n").map(|at| at + 2) };
            let left_out = std::iter::once(0..blank.len()).collect();
            self.follow_on(inbound.client, blank, FromPrimary { left_out, whole: whole.unwrap_or(0) });
        }
    }

    /// Sends on what the turn has propagated.
    #[inline]
    pub(super) fn replicate(&mut self) {
        if self.state.replication.stream.is_active() {
            self.state.distribute();
            self.state.feed_catching();
            if self.state.busy.is_none() {
                self.state.start_syncs(&mut self.keyspace);
                self.state.attend_failover(&mut self.keyspace);
            }
        }
    }

    /// Executes the requests of one client from `requests[at]` on; gives the index of the next client's.
    fn execute_inbound(&mut self, inbounds: &mut [Inbound<'_>], requests: &[Request], mut at: usize, spans: &[Span]) -> usize {
        let index = requests[at].inbound;
        let inbound = &mut inbounds[index as usize];
        let (key, since) = (inbound.client, inbound.since);
        let from_primary = self.state.replication.link_client == Some(key);
        let was_stranger = self.state.clients.get(key).is_some_and(|client| !client.flags.any(ClientFlags::AUTHENTICATED));
        if from_primary {
            // no key leaves but by the primary's word, which is recorded as it came
            self.keyspace.expiry = Expiry::Ignore;
            self.keyspace.effects.recording = false;
        }
        let (mut chunk, mut breach) = (FromPrimary::default(), None);
        if from_primary && inbound.consumed > 0 {
            // empty lines that the parser has passed over
            chunk.left_out.push(0..inbound.consumed);
        }
        let mut may_run = self.state.clients.get(key).is_some_and(|client| !client.flags.any(ClientFlags::CLOSE_NOW));
        while at < requests.len() && requests[at].inbound == index {
            let request = &requests[at];
            if let Some(later) = requests.get(at + limits::LEAD) {
                self.prefetch_block(later);
            }
            if self.has_elements {
                self.prefetch_elements(&requests[at..]);
            }
            at += 1;
            if may_run {
                let args = match request.special.as_deref() {
                    None => Args::new(inbound.bytes, &spans[request.first as usize..(request.first + request.count) as usize]),
                    Some(Special::Inline(owned)) => owned.args(),
                    Some(Special::Breach(text)) => {
                        if from_primary {
                            breach = Some(text);
                        } else {
                            self.breach(key, text);
                        }
                        inbound.consumed = request.end;
                        may_run = false;
                        continue;
                    }
                };
                self.state.request_bytes = (request.end - inbound.consumed) as u64;
                let ended = self.run(key, args, request, since);
                if ended != Ended::Postponed {
                    if from_primary {
                        if !self.state.clients.get(key).is_some_and(|client| client.flags.any(ClientFlags::MULTI)) {
                            chunk.whole = request.end;
                        }
                        chunk.left_out.extend(self.changes_nothing(
                            &inbound.bytes[inbound.consumed..request.end],
                            inbound.consumed,
                            request.command,
                        ));
                    }
                    inbound.consumed = request.end;
                }
                may_run = ended == Ended::Replied
                    && self.state.clients.get(key).is_some_and(|client| {
                        !client.flags.any(ClientFlags::CLOSE_NOW.or(ClientFlags::CLOSE_AFTER_REPLY).or(ClientFlags::BLOCKED))
                    });
            }
        }
        if from_primary {
            if self.keyspace.expiry == Expiry::Ignore {
                self.keyspace.expiry = Expiry::Hide;
            }
            self.state.update_recording(&mut self.keyspace);
            self.follow_on(key, &inbound.bytes[..inbound.consumed], chunk);
            if let Some(why) = breach {
                self.state.distrust_primary(why);
            }
        }
        // a request that was parsed but may not run is parsed again when it may
        if let Some(client) = self.state.clients.get_mut(key) {
            if !may_run {
                client.partial = Partial::default();
            }
            client.pending_input = inbound.bytes.len() - inbound.consumed;
            if was_stranger || from_primary || requests[at - 1].special.is_some() {
                // parsing stopped early, or before the empty lines at the end: there may be more to do at once
                if client.pending_input > 0 && may_run && client.partial.is_empty() {
                    self.state.resume(key);
                }
            }
        }
        at
    }

    /// What of a primary's request, which begins at `at`, is not for a file: empty lines before it, or all of it
    /// if it changes no data or is no command here.
    #[cold]
    fn changes_nothing(&self, bytes: &[u8], at: usize, command: Option<CommandId>) -> Option<Range<usize>> {
        let blank = bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let name = command.map(|id| self.state.registry.get(id).row.name);
        let idle = name.is_none_or(|name| matches!(name, "ping" | "replconf" | "publish" | "spublish"));
        let count = if idle { bytes.len() } else { blank };
        (count > 0).then_some(at..at + count)
    }

    /// Runs one request and all that follows from it.
    #[inline]
    fn run(&mut self, key: ClientKey, args: Args<'_>, request: &Request, since: u64) -> Ended {
        if self.state.gates.limited && self.state.busy.is_none() && !self.keep_limits(key) {
            return Ended::Replied;
        }
        let hint = match request.hash {
            Some(hash) => Hint::new(args.at(usize::from(request.key)), hash),
            None => Hint::NONE,
        };
        let (ended, command) = self.as_client(key, |ctx| {
            let client = ctx.client();
            client.commands += 1;
            let flags = client.flags;
            // what a primary or a file says was possible there
            ctx.must_not_block = flags.any(ClientFlags::PRIMARY.or(ClientFlags::REPLAY));
            ctx.db.set_hint(hint);
            ctx.db.space().touches = !flags.any(ClientFlags::NO_TOUCH);
            (dispatch::execute(ctx, args, request.command), ctx.command)
        });
        match ended {
            Ended::Replied => {
                self.state.clients[key].replied();
                if command != CommandId::NONE {
                    self.state.service.note(key, command, since);
                }
            }
            Ended::Blocked => {}
            Ended::Postponed => {
                self.state.clients[key].flags.set(ClientFlags::PAUSED, true);
                self.state.pause.waiting.push(key);
            }
        }
        self.settle();
        ended
    }

    #[cold]
    fn breach(&mut self, key: ClientKey, text: &str) {
        self.as_client(key, |ctx| ctx.reply.error(format!("ERR {text}").as_bytes()));
        log::debug!("Protocol error ({text}) from client {}", self.state.clients[key].peer.address);
        self.state.close_after_reply(key);
    }

    /// Does what is due: timers, expiry, the cron. Gives when to call again at the latest.
    pub fn tick(&mut self, now: Now) -> Millis {
        self.set_time(now);
        if self.state.busy.is_some()
            && let Some(next) = self.tick_while_busy()
        {
            return next;
        }
        self.advance_loading();
        self.tend_receipt();
        self.fire_timers();
        self.expire();
        self.conclude(Grouping::Apart);
        self.keep_evicting();
        self.state.evict_clients();
        self.state.limit_caches();
        let unix = self.keyspace.now;
        if unix >= self.next_cron || self.next_cron.saturating_sub(unix) > Millis(1000) {
            if !self.state.switches.cron_paused {
                self.cron();
            }
            self.next_cron = unix.saturating_add(Millis(1000 / i64::from(self.state.config.hz.max(1))));
        }
        self.state.send_snapshots(&mut self.keyspace);
        self.settle();
        self.broadcast_changes();
        self.replicate();
        self.next_deadline()
    }

    fn next_deadline(&self) -> Millis {
        if self.state.ceiling.unfinished || self.state.has_past_to_send() || self.is_loading() {
            return self.keyspace.now;
        }
        let timer = self.state.timers.next_deadline().map(|tick| Millis(i64::try_from(tick).unwrap_or(i64::MAX)));
        [timer, self.keyspace.next_expiry()].into_iter().flatten().fold(self.next_cron, Millis::min)
    }

    fn fire_timers(&mut self) {
        let tick = u64::try_from(self.keyspace.now.0).unwrap_or(0);
        if self.state.timers.next_deadline().is_none_or(|deadline| deadline > tick) {
            return;
        }
        let mut due = Vec::new();
        let mut budget = limits::TIMER_SLICE;
        self.state.timers.advance(tick, &mut budget, |word, _, _| {
            due.push(word);
            None
        });
        for word in due {
            let timer = if word == 0 { Timer::Pause } else { Timer::Blocked(ClientKey((word - 1) as usize)) };
            match timer {
                Timer::Blocked(key) => self.time_out(key),
                Timer::Pause => self.state.end_pauses(&mut self.keyspace),
            }
        }
    }

    fn expire(&mut self) {
        if !self.keyspace.expires_actively() {
            return;
        }
        let started = self.state.stopwatch.now();
        let expired = self.keyspace.stats.expired;
        self.keyspace.expire_due(limits::EXPIRY_SLICE);
        if self.keyspace.stats.expired != expired {
            let nanos = self.state.stopwatch.now().saturating_sub(started);
            self.state.stats.hold(nanos, || Culprit::task("expiry"));
            self.state.stats.expiry_nanos += nanos;
            let at = self.state.now.unix.to_millis().seconds();
            self.state.latency.note("expire-cycle", at, nanos);
        }
    }

    /// Housekeeping, `hz` times a second.
    fn cron(&mut self) {
        let started = self.state.stopwatch.now();
        self.keyspace.sweep_filings(limits::EXPIRY_SLICE);
        let state = &mut self.state;
        let used = crate::base::memory::used();
        state.stats.peak_memory = state.stats.peak_memory.max(used);
        if state.process.huge_pages_from.is_some_and(|large| used >= large) {
            state.process.huge_pages_from = None;
            (state.host.allow_huge_pages)();
        }
        let stats = &mut state.stats;
        let counters = [
            stats.commands,
            stats.bytes_in,
            stats.bytes_out,
            stats.replication_bytes_in,
            stats.replication_bytes_out,
            stats.turns.count(),
            stats.turns.sum(),
        ];
        stats.rates.sample(state.now.monotonic.0, counters);
        self.close_idle_clients();
        self.state.replication_cron(&mut self.keyspace);
        self.state.attend_stop(&mut self.keyspace);
        self.state.attend_snapshot(&mut self.keyspace);
        self.state.attend_sessions();
        self.state.tidy_lines();
        self.attend_rewrite();
        self.attend_hotspots();
        let nanos = self.state.stopwatch.now().saturating_sub(started);
        self.state.stats.hold(nanos, || Culprit::task("cron"));
    }

    fn close_idle_clients(&mut self) {
        let state = &mut self.state;
        let now = state.now.unix;
        let timeout = i64::from(state.config.timeout) * 1_000_000;
        let mut idle = Vec::new();
        let exempt = ClientFlags::BLOCKED.or(ClientFlags::REPLICA).or(ClientFlags::PRIMARY).or(ClientFlags::REPLAY);
        for (key, client) in state.clients.iter() {
            let quiet = timeout > 0 && now.saturating_sub(client.active_at).0 > timeout;
            let silent = quiet && !client.flags.any(exempt) && client.subscriptions.as_ref().is_none_or(|s| s.is_empty());
            if silent || client.over_soft_limit.is_some() {
                idle.push(key);
            }
        }
        for key in idle {
            if state.clients[key].over_soft_limit.is_some() {
                state.note_output(key);
            } else {
                state.close_now(key, "idle");
            }
        }
    }
}
