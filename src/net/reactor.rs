//! The reactor: one thread, one poll, every socket.
//!
//! A turn: poll; read every connection that is ready, one after the other, into one arena; let the server
//! execute all of it; write what it answered, one system call a connection; fire what is due. mio is
//! edge-triggered, so a connection that may have more to read stays in the list of ready ones until a
//! read comes back short, and no second read is made just to hear that there is nothing.
//!
//! An idle connection keeps no buffer: input lives in the arena during a turn, and only the start of a
//! request that has not ended, or requests of a client that must wait, are kept with the connection.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use super::backlog::Backlog;
use super::connection::{Connection, Received};
use super::courier::Courier;
use super::crash;
use super::dialer::{Dialing, Found, Resolver};
use super::disposal::Disposal;
use super::listener::{self, Listener};
use super::logging;
use super::session;
use super::signals::{Signal, Signals};
use super::syncer::Syncer;
use super::title;
use super::watchdog;
use super::web::Web;
use crate::base::clock::{self, Millis, Now};
use crate::config::Config;
use crate::limits;
use crate::server::client::{Client, ClientFlags, ClientKey};
use crate::server::migration::{LineId, Wish};
use crate::server::sockets::{Listening, Wanted};
use crate::server::turn::Inbound;
use crate::server::{Server, Stop};

/// Tokens of connections are below; those of listeners and signals from here on.
const LISTENERS: usize = 1 << 31;
/// Those of connections to other servers; below those of connections of the first generation.
const COURIERS: usize = 3 << 30;
const SIGNALS: usize = usize::MAX - 1;
const THREADS: usize = usize::MAX - 2;
const DIAL: usize = usize::MAX - 3;
const PIPE: usize = usize::MAX - 4;
const EVENTS: usize = 1024;
/// Slices of output given to one system call.
const SLICES: usize = 64;

/// The reactor. See the module's essay.
pub struct Reactor {
    poll: Poll,
    listeners: Vec<Listener>,
    accepting: Vec<bool>,
    /// When to look again for connections that could not be accepted.
    retry_accept: Option<Millis>,
    signals: Signals,
    connections: Slab<Connection>,
    next_generation: u32,
    ready: Vec<usize>,
    /// The parts of the turn; empty between turns.
    parts: Vec<Part>,
    arena: Vec<u8>,
    disposal: Disposal,
    syncer: Syncer,
    /// The socket to a primary that is being connected.
    dialing: Option<Dialing>,
    resolver: Resolver,
    /// Which pipe of a child is polled.
    pipe: u64,
    /// Sockets to other servers, for MIGRATE, and those of them that have news.
    couriers: Slab<Courier>,
    called: Vec<usize>,
    /// The metrics port.
    web: Web,
    /// When the last poll returned, by the server's stopwatch.
    polled_at: u64,
    /// Since when what the last poll reported can have been readable.
    readable_since: u64,
    /// The server.
    pub server: Server,
}

/// A connection's part in a turn.
struct Part {
    connection: usize,
    client: ClientKey,
    source: Source,
    fresh: usize,
    /// Since when the last of it can have been readable.
    since: u64,
    consumed: usize,
}

/// Where a connection's input is.
enum Source {
    Arena(Range<usize>),
    /// The connection's own, and how much of it the server is shown.
    Own(Backlog, usize),
}

/// The first TCP port of the listeners; 0 without one.
fn bound_port(listeners: &[Listener]) -> u16 {
    listeners.iter().find_map(Listener::address).map_or(0, |address| address.port())
}

impl Reactor {
    /// A reactor that serves on these listeners.
    pub fn new(mut server: Server, mut listeners: Vec<Listener>) -> io::Result<Reactor> {
        let poll = Poll::new()?;
        for (index, listener) in listeners.iter_mut().enumerate() {
            poll.registry().register(listener.source(), Token(LISTENERS + index), Interest::READABLE)?;
        }
        let mut signals = Signals::catch()?;
        poll.registry().register(signals.source(), Token(SIGNALS), Interest::READABLE)?;
        // a poll has one waker: what threads have done is taken in once a turn, whoever woke it
        let waker = Arc::new(Waker::new(poll.registry(), Token(THREADS))?);
        let syncer = Syncer::start(Arc::clone(&waker))?;
        let resolver = Resolver::new(waker);
        server.state.process.tcp_port = bound_port(&listeners);
        Ok(Reactor {
            poll,
            syncer,
            accepting: vec![true; listeners.len()],
            retry_accept: None,
            listeners,
            signals,
            connections: Slab::new(),
            next_generation: 0,
            ready: Vec::new(),
            parts: Vec::new(),
            arena: vec![0; limits::TURN_INPUT],
            disposal: Disposal::start()?,
            dialing: None,
            resolver,
            pipe: 0,
            couriers: Slab::new(),
            called: Vec::new(),
            web: Web::default(),
            polled_at: server.state.stopwatch.now(),
            readable_since: server.state.stopwatch.now(),
            server,
        })
    }

    /// Serves metrics and the status page on these listeners.
    pub fn serve_metrics(&mut self, listeners: Vec<Listener>) -> io::Result<()> {
        self.web.listen(listeners, self.poll.registry())
    }

    /// The ports that metrics are served on.
    pub fn metrics_ports(&self) -> Vec<u16> {
        self.web.ports()
    }

    /// What it listens on: `tcp`, `unix`.
    pub fn kinds(&self) -> Vec<&'static str> {
        let has = |tcp: bool| self.listeners.iter().any(|listener| listener.address().is_some() == tcp);
        [(true, "tcp"), (false, "unix")].into_iter().filter(|&(tcp, _)| has(tcp)).map(|(_, kind)| kind).collect()
    }

    /// The TCP ports that are bound.
    pub fn ports(&self) -> Vec<u16> {
        self.listeners.iter().filter_map(Listener::address).map(|address| address.port()).collect()
    }

    /// Serves while the server loads its data; `Some` if it was told to stop meanwhile, or cannot go on.
    pub fn load(&mut self) -> io::Result<Option<Stop>> {
        self.turn_while(Server::is_loading)
    }

    /// Serves until the server is told to stop.
    pub fn run(&mut self) -> io::Result<Stop> {
        Ok(self.turn_while(|_| true)?.expect("there is no other end"))
    }

    fn turn_while(&mut self, goes_on: impl Fn(&Server) -> bool) -> io::Result<Option<Stop>> {
        let mut events = Events::with_capacity(EVENTS);
        let mut next = Millis(0);
        let mut asked = self.polled_at;
        while goes_on(&self.server) {
            let busy = !self.ready.is_empty() || self.accepting.contains(&true) || self.server.has_more_to_write();
            let timeout = if busy { Duration::ZERO } else { wait(next) };
            self.poll(&mut events, timeout, asked)?;
            watchdog::turn_begins();
            let now = clock::now();
            for event in &events {
                self.take_event(now, event);
            }
            while let Some(done) = self.syncer.done() {
                self.server.file_job_done(done);
            }
            while let Some(found) = self.resolver.found() {
                self.dial_at(found);
            }
            if !self.server.is_stopping() {
                self.signals.forgive();
            }
            self.accept(now);
            self.hear_couriers(now);
            self.serve_ready(now);
            self.web.sweep(now, self.poll.registry());
            next = self.server.tick(now).min(self.retry_accept.unwrap_or(Millis(i64::MAX)));
            self.after();
            crash::note(&self.server, now);
            asked = self.server.state.turn_ended(self.polled_at);
            watchdog::turn_ends();
            if let Some(stop) = self.server.state.stop.take() {
                if matches!(stop, Stop::Orderly(_)) {
                    let last = self.server.take_all_writes();
                    self.flush(last);
                }
                return Ok(Some(stop));
            }
        }
        Ok(self.server.state.stop.take())
    }

    /// Polls from `asked` on, and notes since when what is reported can have been readable. If the poll slept, its
    /// events woke it; if not, they came at some time since the poll before. A long time shows that it slept. After
    /// a long turn more hangs on it than on a guess: then it is asked first what is there already.
    fn poll(&mut self, events: &mut Events, timeout: Duration, mut asked: u64) -> io::Result<()> {
        let mut known = None;
        if asked.saturating_sub(self.polled_at) > limits::LONG_TURN_NANOS {
            poll_once(&mut self.poll, events, Duration::ZERO)?;
            if events.is_empty() {
                asked = self.server.state.stopwatch.now();
                self.polled_at = asked;
            } else {
                known = Some(false);
            }
        }
        if known.is_none() {
            poll_once(&mut self.poll, events, timeout)?;
        }
        let now = self.server.state.stopwatch.now();
        let reporting = limits::POLL_NANOS + limits::EVENT_NANOS * events.iter().count() as u64;
        let slept = known.unwrap_or(now.saturating_sub(asked) > reporting);
        self.readable_since = if slept { now } else { self.polled_at };
        self.polled_at = now;
        Ok(())
    }

    fn take_event(&mut self, now: Now, event: &mio::event::Event) {
        let Token(token) = event.token();
        if token == THREADS {
            // what is done is taken in once a turn
            return;
        }
        if token == SIGNALS {
            self.take_signal();
            return;
        }
        if token == DIAL {
            self.dialled();
            return;
        }
        if token == PIPE {
            self.server.snapshot_pipe_ready();
            return;
        }
        if (LISTENERS..LISTENERS + self.listeners.len()).contains(&token) {
            self.accepting[token - LISTENERS] = true;
            return;
        }
        if (COURIERS..1 << 32).contains(&token) {
            self.called.push(token - COURIERS);
            return;
        }
        if self.web.take_event(token, now, &mut self.server, self.poll.registry()) {
            return;
        }
        let (index, generation) = split_token(token);
        let Some(connection) = self.connections.get_mut(index).filter(|c| c.generation == generation) else { return };
        if event.is_writable() && connection.write_blocked {
            connection.write_blocked = false;
            self.write(index);
        }
        let Some(connection) = self.connections.get_mut(index).filter(|c| c.generation == generation) else { return };
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            if !connection.readable {
                connection.readable = true;
                connection.since = self.readable_since;
            }
            connection.ended |= event.is_read_closed() || event.is_error();
            self.queue(index);
        }
    }

    fn take_signal(&mut self) {
        match self.signals.take() {
            None => {}
            Some(signal) => {
                let name = if signal == Signal::Interrupt { "SIGINT" } else { "SIGTERM" };
                log::warn!("Received {name} scheduling shutdown...");
                self.server.signalled(signal == Signal::Interrupt);
            }
        }
    }

    fn queue(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if !connection.queued {
            connection.queued = true;
            self.ready.push(index);
        }
    }

    /// Accepts what waits, up to a budget.
    fn accept(&mut self, now: Now) {
        if self.retry_accept.is_some_and(|at| at <= now.unix.to_millis()) {
            self.retry_accept = None;
            self.accepting.fill(true);
        }
        for at in 0..self.listeners.len() {
            if !self.accepting[at] {
                continue;
            }
            for _ in 0..self.server.state.config.max_new_connections_per_cycle {
                match self.listeners[at].accept(self.server.state.config.tcp_keepalive) {
                    Ok((stream, peer)) => self.add(now, stream, peer),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.accepting[at] = false;
                        break;
                    }
                    // the peer is gone already
                    Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) => {}
                    Err(error) => {
                        // out of descriptors or memory: those who wait cause no further event
                        log::warn!("Accepting client connection: {error}");
                        self.accepting[at] = false;
                        self.retry_accept = Some(now.unix.to_millis().saturating_add(Millis(limits::ACCEPT_RETRY_MS)));
                        break;
                    }
                }
            }
        }
    }

    fn add(&mut self, now: Now, mut stream: super::connection::Stream, peer: crate::server::client::Peer) {
        self.server.set_time(now);
        let index = self.connections.vacant_key();
        let client = match self.server.connected(index, peer) {
            Ok(client) => client,
            Err(refusal) => {
                // a courtesy: whether it arrives is not our concern
                let _ = stream.write(&[IoSlice::new(&refusal)]);
                return;
            }
        };
        self.serve_connection(index, stream, client);
    }

    /// A client's connection becomes part of the loop.
    fn serve_connection(&mut self, index: usize, stream: super::connection::Stream, client: ClientKey) {
        self.next_generation = self.next_generation.wrapping_add(1);
        let generation = self.next_generation;
        let at = self.connections.insert(Connection {
            stream,
            client,
            generation,
            input: Backlog::default(),
            since: self.readable_since,
            kept_since: 0,
            window: limits::WINDOW,
            resumed: false,
            readable: false,
            ended: false,
            queued: false,
            write_blocked: false,
        });
        assert_eq!(at, index, "the client was told the place that is taken");
        if let Err(error) = self.connections[index].register(self.poll.registry(), token(index, generation)) {
            log::warn!("Cannot poll a new connection: {error}");
            self.close(index);
        }
    }

    /// Polls the pipe through which a child sends a snapshot. Who reads it also closes it, which ends the polling.
    fn watch_pipe(&mut self) {
        let Some((number, descriptor)) = self.server.snapshot_pipe().filter(|(number, _)| *number != self.pipe) else { return };
        self.pipe = number;
        if let Err(error) = self.poll.registry().register(&mut SourceFd(&descriptor), Token(PIPE), Interest::READABLE) {
            log::warn!("Cannot poll the pipe of a child: {error}");
        }
    }

    /// Starts to connect to the primary that the server wants to follow.
    fn dial(&mut self) {
        let Some(dial) = self.server.take_dial() else { return };
        // one attempt at a time: an older one is given up
        self.dialing = None;
        if let Some(found) = self.resolver.look_up(dial) {
            self.dial_at(found);
        }
    }

    /// The primary's addresses are known, or that it has none.
    fn dial_at(&mut self, Found { attempt, addresses }: Found) {
        if !self.server.is_dialing(attempt) {
            return;
        }
        let source = self.server.state.config.bind_source_addr.clone();
        let started = addresses.and_then(|addresses| Dialing::start(attempt, &addresses, &source)).and_then(|mut dialing| {
            self.poll.registry().register(&mut dialing.stream, Token(DIAL), Interest::WRITABLE)?;
            Ok(dialing)
        });
        match started {
            Ok(dialing) => self.dialing = Some(dialing),
            Err(error) => self.server.link_failed(attempt, &error.to_string()),
        }
    }

    /// The socket to the primary is connected, or failed to.
    fn dialled(&mut self) {
        let Some(mut dialing) = self.dialing.take() else { return };
        let attempt = dialing.attempt;
        match dialing.finish(self.server.state.config.repl_disable_tcp_nodelay) {
            Ok(None) => self.dialing = Some(dialing),
            Ok(Some(peer)) => {
                // polled from now on as the connection that it becomes
                let _ = self.poll.registry().deregister(&mut dialing.stream);
                let index = self.connections.vacant_key();
                if let Some(client) = self.server.link_up(attempt, index, peer) {
                    self.serve_connection(index, super::connection::Stream::Tcp(dialing.stream), client);
                }
            }
            Err(error) => self.server.link_failed(attempt, &error.to_string()),
        }
    }

    /// Sockets to other servers have news.
    fn hear_couriers(&mut self, now: Now) {
        if self.called.is_empty() {
            return;
        }
        self.server.set_time(now);
        for index in std::mem::take(&mut self.called) {
            self.run_courier(index);
        }
    }

    fn run_courier(&mut self, index: usize) {
        let Some(courier) = self.couriers.get_mut(index) else { return };
        if courier.run(&mut self.server).is_err() {
            let courier = self.couriers.remove(index);
            let line = courier.line;
            courier.end(self.poll.registry());
            self.server.line_down(line);
        }
    }

    /// Does what the server wishes of sockets to other servers.
    fn grant_wishes(&mut self) {
        loop {
            let wishes = self.server.take_wishes();
            if wishes.is_empty() {
                return;
            }
            for wish in wishes {
                match wish {
                    Wish::Dial { line, host, port } => self.dial_line(line, host, port),
                    Wish::Send { line, bytes } => {
                        if let Some(index) = self.courier_of(line) {
                            self.couriers[index].send(bytes);
                            self.run_courier(index);
                        }
                    }
                    Wish::HangUp { line } => {
                        if let Some(index) = self.courier_of(line) {
                            self.couriers.remove(index).end(self.poll.registry());
                        }
                    }
                }
            }
        }
    }

    fn dial_line(&mut self, line: LineId, host: String, port: u16) {
        let entry = self.couriers.vacant_entry();
        let token = Token(COURIERS + entry.key());
        let source = self.server.state.config.bind_source_addr.clone();
        match Courier::start(self.poll.registry(), token, line, host, port, &source) {
            Ok(courier) => {
                entry.insert(courier);
            }
            Err(_) => self.server.line_down(line),
        }
    }

    fn courier_of(&self, line: LineId) -> Option<usize> {
        self.couriers.iter().find(|(_, courier)| courier.line == line).map(|(index, _)| index)
    }

    /// Reads and executes what is ready.
    fn serve_ready(&mut self, now: Now) {
        if self.ready.is_empty() {
            return;
        }
        // what is queued meanwhile is for the next turn
        let mut ready = std::mem::take(&mut self.ready);
        let mut parts = std::mem::take(&mut self.parts);
        let mut used = 0;
        for index in ready.drain(..) {
            let Some(connection) = self.connections.get_mut(index) else { continue };
            connection.queued = false;
            if self.server.state.clients.get(connection.client).is_some_and(|client| client.flags.any(ClientFlags::DEAF)) {
                // queued again when it may go on
                continue;
            }
            if used + connection.input.len().min(limits::READ_CHUNK) + limits::READ_CHUNK > self.arena.len() {
                self.execute(now, &mut parts);
                used = 0;
            }
            self.read(index, &mut used, &mut parts);
        }
        self.execute(now, &mut parts);
        self.parts = parts;
        ready.append(&mut self.ready);
        self.ready = ready;
    }

    /// Reads once from a connection and adds its input to the turn.
    fn read(&mut self, index: usize, used: &mut usize, parts: &mut Vec<Part>) {
        let connection = &mut self.connections[index];
        let (client, kept) = (connection.client, connection.input.len());
        let resumed = std::mem::take(&mut connection.resumed) && !connection.input.is_empty();
        let start = *used;
        let large = kept > limits::READ_CHUNK;
        let received = if resumed {
            Received::Bytes(0)
        } else if large {
            let wanted = self.server.state.clients.get(client).map_or(0, |client| client.partial.wanted());
            connection.receive_behind(wanted.min(limits::QUERY_MAX))
        } else {
            connection.receive(&mut self.arena[start + kept..start + kept + limits::READ_CHUNK])
        };
        let Received::Bytes(fresh) = received else {
            self.close(index);
            return;
        };
        let again = connection.readable;
        let since = if fresh > 0 { connection.since } else { connection.kept_since };
        let input = std::mem::take(&mut connection.input);
        let source = if large {
            let shown = connection.window.min(input.len());
            Source::Own(input, shown)
        } else {
            self.arena[start..start + kept].copy_from_slice(input.bytes());
            *used += kept + fresh;
            Source::Arena(start..start + kept + fresh)
        };
        parts.push(Part { connection: index, client, source, fresh, since, consumed: 0 });
        if again {
            self.queue(index);
        }
    }

    /// Lets the server execute the turn's input, then keeps what it did not consume.
    fn execute(&mut self, now: Now, parts: &mut Vec<Part>) {
        if parts.is_empty() {
            return;
        }
        let mut inbounds: Vec<Inbound<'_>> = parts
            .iter()
            .map(|part| Inbound {
                client: part.client,
                bytes: part.source.bytes(&self.arena),
                fresh: part.fresh,
                since: part.since,
                consumed: 0,
            })
            .collect();
        self.server.turn(now, &mut inbounds);
        let consumed: Vec<usize> = inbounds.into_iter().map(|inbound| inbound.consumed).collect();
        for (mut part, consumed) in parts.drain(..).zip(consumed) {
            part.consumed = consumed;
            self.keep_rest(part);
        }
        self.after();
    }

    fn keep_rest(&mut self, part: Part) {
        let Some(connection) = self.connections.get_mut(part.connection).filter(|connection| connection.client == part.client) else {
            if let Source::Own(own, _) = part.source {
                self.disposal.take_input(own.into_region());
            }
            return;
        };
        let mut hidden = false;
        let held = self.server.state.clients.get(part.client).is_some_and(Client::is_held);
        if !(held && part.consumed == 0 && part.source.kept() > part.fresh) {
            // what a client has sent while it must wait came when the first of it came
            connection.kept_since = part.since;
        }
        connection.input = match part.source {
            Source::Arena(range) if range.len() == part.consumed => return,
            Source::Arena(range) => Backlog::of(&self.arena[range.start + part.consumed..range.end]),
            Source::Own(mut own, shown) => {
                hidden = own.len() > shown;
                self.disposal.take_input(own.consume(part.consumed));
                if part.consumed > 0 {
                    // what the parser has seen of the next request, it must be shown again
                    connection.window = limits::WINDOW.max(shown - part.consumed);
                }
                own
            }
        };
        let waiting = connection.input.len();
        let Some(client) = self.server.state.clients.get_mut(part.client) else { return };
        client.pending_input = waiting;
        // what a primary has carried out must be carried out here
        let from_primary = client.flags.any(ClientFlags::PRIMARY.or(ClientFlags::LINK));
        let limit = if from_primary { u64::MAX } else { self.server.state.config.client_query_buffer_limit };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if waiting > limit.min(limits::QUERY_MAX) {
            self.server.query_buffer_exceeded(part.client);
        } else if hidden && !client.is_held() {
            // one that is held back is queued when it may go on; until then its socket is read
            if part.consumed == 0 {
                connection.window = connection.window.saturating_mul(2);
            }
            connection.resumed = true;
            self.queue(part.connection);
        }
    }

    /// What a turn or a tick leaves to be done: output, closing, clients that may go on, garbage.
    fn after(&mut self) {
        self.reconfigure();
        if matches!(self.server.state.stop, Some(Stop::Orderly(_))) {
            // whoever has asked for the end and sees its connection close finds nobody listening any more
            self.listeners.clear();
        }
        loop {
            self.grant_wishes();
            self.server.hand_on();
            for job in self.server.take_file_jobs() {
                if let Some(done) = self.syncer.take(job) {
                    self.server.file_job_done(done);
                }
            }
            if self.server.has_failed() {
                return;
            }
            let writes = self.server.take_pending_writes();
            self.flush(writes);
            for client in self.server.take_closing() {
                if let Some(index) = self.connection_of(client) {
                    self.close(index);
                }
            }
            let runnable = self.server.take_runnable();
            if runnable.is_empty() {
                break;
            }
            for client in runnable {
                if let Some(index) = self.connection_of(client) {
                    self.server.state.clients[client].flags.set(ClientFlags::RUNNABLE, false);
                    self.connections[index].resumed = true;
                    self.queue(index);
                }
            }
        }
        self.server.state.close_runs();
        if let Some(client) = self.server.take_session_wanted() {
            self.start_session(client);
        }
        self.dial();
        self.watch_pipe();
        if self.server.has_garbage() {
            for garbage in self.server.take_garbage() {
                self.disposal.take(garbage);
            }
        }
    }

    /// Does what CONFIG SET asks of the log and of the sockets.
    fn reconfigure(&mut self) {
        while let Some(Wanted { client, config }) = self.server.take_sockets_wanted() {
            let outcome = self.listen_anew(&config);
            self.server.sockets_changed(client, outcome);
        }
        let state = &mut self.server.state;
        for name in state.reconfigured.drain(..) {
            match name {
                "loglevel" => log::set_max_level(logging::filter(state.config.loglevel)),
                "crash-log-enabled" | "use-exit-on-panic" => {
                    crash::configure(state.config.crash_log_enabled, state.config.use_exit_on_panic)
                }
                "watchdog-period" => watchdog::configure(state.config.watchdog_period),
                "proc-title-template" | "bind" | "port" => title::renew(&state.config),
                _ => {}
            }
        }
    }

    /// Listens on the ports of another configuration, or on the same as before. The old sockets are closed
    /// first: an address of theirs may be part of what the new ones take.
    fn listen_anew(&mut self, config: &Config) -> Listening {
        let (tcp, mut listeners): (Vec<Listener>, Vec<Listener>) =
            std::mem::take(&mut self.listeners).into_iter().partition(|listener| listener.address().is_some());
        let before: Vec<SocketAddr> = tcp.iter().filter_map(Listener::address).collect();
        drop(tcp);
        let opened = if config.port == 0 { Ok(Vec::new()) } else { listener::open_port(config, config.port) };
        let outcome = if opened.is_ok() { Listening::Anew } else { Listening::AsBefore };
        listeners.extend(opened.unwrap_or_else(|_| {
            log::warn!("Restoring the previous sockets.");
            listener::reopen(&before, self.server.state.config.tcp_backlog)
        }));
        for (index, listener) in listeners.iter_mut().enumerate() {
            let registry = self.poll.registry();
            // one that stayed is polled under its old number
            let _ = registry.deregister(listener.source());
            if let Err(error) = registry.register(listener.source(), Token(LISTENERS + index), Interest::READABLE) {
                log::warn!("Cannot poll a listening socket: {error}");
            }
        }
        // what arrived meanwhile gives no further event
        self.accepting = vec![true; listeners.len()];
        self.server.state.process.tcp_port = bound_port(&listeners);
        self.listeners = listeners;
        outcome
    }

    fn connection_of(&self, client: ClientKey) -> Option<usize> {
        self.server.state.clients.get(client)?.connection
    }

    /// Writes what clients have been answered.
    fn flush(&mut self, clients: Vec<ClientKey>) {
        for client in clients {
            let Some(session) = self.server.state.clients.get_mut(client) else { continue };
            session.flags.set(ClientFlags::PENDING_WRITE.or(ClientFlags::POSTED), false);
            let connection = session.connection.filter(|&index| !self.connections[index].write_blocked);
            if let Some(index) = connection {
                self.write(index);
            }
        }
    }

    /// Writes one connection's output until all is sent, or the kernel takes no more, or others must have
    /// their turn.
    fn write(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        let Some(client) = self.server.state.clients.get_mut(connection.client) else { return };
        let mut sent = 0;
        let mut failed = false;
        while !client.output.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = client.output.slices(&mut slices);
            match connection.stream.write(&slices[..count]) {
                Ok(0) => failed = true,
                Ok(written) => {
                    sent += written;
                    if let Some(buffer) = client.output.advance(written) {
                        self.server.state.spare.give(buffer);
                    }
                    if sent >= limits::WRITE_BUDGET && !client.output.is_empty() {
                        // asked anew, the poll tells at once whether there is still room
                        let token = token(index, connection.generation);
                        failed = connection.watch_writable(self.poll.registry(), token, true).is_err();
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let token = token(index, connection.generation);
                    failed = connection.watch_writable(self.poll.registry(), token, true).is_err();
                    if !failed {
                        break;
                    }
                }
                Err(_) => failed = true,
            }
            if failed {
                break;
            }
        }
        client.bytes_out += sent as u64;
        let is_replica = client.flags.any(ClientFlags::REPLICA);
        let stats = &mut self.server.state.stats;
        *(if is_replica { &mut stats.replication_bytes_out } else { &mut stats.bytes_out }) += sent as u64;
        self.server.state.stats.writes += 1;
        let (key, done, flags) = (connection.client, client.output.is_empty(), client.flags);
        self.server.state.written(key);
        self.server.state.memory_changed(key);
        if failed || done && flags.any(ClientFlags::CLOSE_AFTER_REPLY) {
            self.close(index);
        }
    }

    /// Has a child process take over a client that debugs a script.
    fn start_session(&mut self, client: ClientKey) {
        let Some(index) = self.connection_of(client) else { return };
        let Connection { stream, input, .. } = &self.connections[index];
        session::start(&mut self.server, stream, input.bytes(), client);
        self.close(index);
    }

    fn close(&mut self, index: usize) {
        let Some(mut connection) = self.connections.try_remove(index) else { return };
        connection.deregister(self.poll.registry());
        self.server.closed(connection.client);
        self.disposal.take_input(connection.input.into_region());
    }
}

impl Source {
    /// How much of a connection's input it holds.
    fn kept(&self) -> usize {
        match self {
            Source::Arena(range) => range.len(),
            Source::Own(own, _) => own.len(),
        }
    }

    fn bytes<'a>(&'a self, arena: &'a [u8]) -> &'a [u8] {
        match self {
            Source::Arena(range) => &arena[range.clone()],
            Source::Own(own, shown) => &own.bytes()[..*shown],
        }
    }
}

fn poll_once(poll: &mut Poll, events: &mut Events, timeout: Duration) -> io::Result<()> {
    match poll.poll(events, Some(timeout)) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        _ => Ok(()),
    }
}

fn token(index: usize, generation: u32) -> Token {
    Token(index | (generation as usize) << 32)
}

fn split_token(token: usize) -> (usize, u32) {
    (token & 0xffff_ffff, (token >> 32) as u32)
}

/// How long to sleep until `deadline`.
fn wait(deadline: Millis) -> Duration {
    let now = clock::unix();
    let micros = deadline.0.saturating_mul(1000).saturating_sub(now.0);
    Duration::from_micros(u64::try_from(micros).unwrap_or(0)).min(Duration::from_secs(1))
}
