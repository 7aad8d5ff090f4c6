//! The server without its sockets: sessions, dispatch, blocking, timers.
//!
//! `Server` does no input or output. It is told what arrived and what time it is ([`Server::turn`],
//! [`Server::tick`], [`Server::connected`], [`Server::closed`]); it answers by filling clients' outputs
//! and lists that its owner empties: who has output, who is to be closed, who may go on. Given the
//! same seed, the same calls and the same times it does the same, so the reactor, a replay, a fuzzer
//! and a simulated network drive one and the same entry.

/// The version of Redis whose commands and replies this server has; clients choose their ways by it.
pub const REDIS_VERSION: &str = "8.0.6";

pub mod accounts;
pub mod blocking;
pub mod busy;
pub mod ceiling;
pub mod client;
pub mod client_line;
pub mod client_memory;
pub mod command_log;
pub mod consequences;
pub mod context;
pub mod debugging;
pub mod dispatch;
pub mod durability;
pub mod error;
pub mod failover;
pub mod full_sync;
pub mod gates;
pub mod history;
pub mod host;
pub mod hotspots;
pub mod latency;
pub mod loading;
pub mod migration;
pub mod moment;
pub mod monitor;
pub mod oom;
pub mod output;
pub mod pubsub;
pub mod receipt;
pub mod redact;
pub mod registry;
pub mod replay;
pub mod replication;
pub mod row;
pub mod service;
pub mod shutdown;
pub mod sockets;
pub mod stalls;
pub mod stats;
pub mod switches;
pub mod syntax;
pub mod tracking;
pub mod transaction;
pub mod turn;
pub mod users;
pub mod web;

use std::collections::VecDeque;

use bytes::Bytes;
use sha1::{Digest as _, Sha1};

use crate::base::clock::{Micros, Millis, Now};
use crate::base::random::Random;
use crate::config::{ClientClass, Config, ShutdownActions, Supervised};
use crate::ds::wheel::Wheel;
use crate::keyspace::effects::Garbage;
use crate::keyspace::{DbIndex, Keyspace};
use crate::limits;
use crate::persist::aof::Aof;
use crate::persist::aof::rewrite::{self, Rewrites};
use crate::persist::snapshot::Snapshots;
use crate::resp::Protocol;
use crate::resp::request::{Partial, Span};
use crate::resp::writer::Reply;
use crate::script::{Restore, Scripts};

use blocking::Parked;
use busy::Busy;
use ceiling::Ceiling;
use client::{Client, ClientFlags, ClientKey, Clients, Peer};
use client_memory::ClientMemoryAccount;
use command_log::{CommandLogs, Kind};
use consequences::Feed;
use context::{Ctx, Propagation};
use debugging::Debugging;
use dispatch::Look;
use error::Error;
use gates::{Gates, Pause, Why};
use host::Host;
use hotspots::Hotspots;
use latency::LatencyMonitor;
use migration::Migrations;
use oom::OomScore;
use output::Output;
use pubsub::PubSub;
use registry::{CommandId, Registry};
use replication::Replication;
use service::Service;
use shutdown::Stopping;
use sockets::Sockets;
use stalls::Stalls;
use stats::Stats;
use switches::Switches;
use tracking::Caches;
use users::{UserId, Users};

/// A clock for durations, in nanoseconds from any start: the one thing that is read within a turn.
#[derive(Clone, Copy)]
pub struct Stopwatch(pub fn() -> u64);

impl Stopwatch {
    /// Nanoseconds since its start.
    #[inline]
    pub fn now(self) -> u64 {
        (self.0)()
    }
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// A parked client may have to give up.
    Blocked(ClientKey),
    /// The pause may be over.
    Pause,
}

/// What the running command leaves for the server to do right after it.
pub enum Later {
    /// End a client's wait as if its time were up, or with an error.
    Unblock(ClientKey, Option<Error>),
    /// Load the data from the append-only file once more: a slice a turn while that client waits, or all at once.
    ReloadAof(Option<ClientKey>),
    /// Move the time on: the command has slept so many microseconds.
    Slept(u64),
}

/// Why the server is to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SHUTDOWN or a signal, and what was asked of it.
    Orderly(ShutdownActions),
    /// The server cannot go on, and nothing more may be sent. Says why.
    Failed(String),
}

/// Everything but the keyspace. A handler has both side by side.
pub struct State {
    /// The configuration.
    pub config: Config,
    /// The sessions.
    pub clients: Clients,
    /// The commands.
    pub registry: Registry,
    /// The time of this turn.
    pub now: Now,
    /// When the server started.
    pub started: Now,
    /// A random name of this process, 40 hex digits.
    pub run_id: [u8; 40],
    /// Chance.
    pub random: Random,
    /// Counters.
    pub stats: Stats,
    /// What stands between clients and commands.
    pub gates: Gates,
    /// The limit on memory.
    pub ceiling: Ceiling,
    /// What clients take of it.
    pub client_memory: ClientMemoryAccount,
    /// CLIENT PAUSE.
    pub pause: Pause,
    /// The command log.
    pub command_logs: CommandLogs,
    /// Who may log in and do what, and what was refused.
    pub users: Users,
    /// Requests whose replies are not written yet, and since when they wait.
    pub service: Service,
    /// What is hot.
    pub hotspots: Hotspots,
    /// Turns that took too long.
    pub stalls: Stalls,
    /// Which commands are worth a closer look.
    pub look: Look,
    /// Bytes of the request that runs.
    pub request_bytes: u64,
    /// Bytes of earlier replies in the buffer that the running request's reply goes to.
    pub reply_base: usize,
    /// Spikes of latency.
    pub latency: LatencyMonitor,
    /// Primaries and replicas.
    pub replication: Replication,
    /// What commands ask of the system.
    pub host: Host,
    /// The process's standing with the kernel's out-of-memory killer.
    pub oom_score: OomScore,
    /// Names of directives that CONFIG SET has changed, for who owns sockets and files.
    pub reconfigured: Vec<&'static str>,
    /// Clients that wait for other sockets.
    pub sockets: Sockets,
    /// Bytes in use when the server was made: what is not data.
    pub startup_memory: usize,
    /// What DEBUG has switched.
    pub switches: Switches,
    /// Scripts, and what runs them.
    pub scripts: Scripts,
    /// A script that runs too long and is left for now.
    pub busy: Option<Box<Busy>>,
    /// Sessions with debuggers of scripts.
    pub debugging: Debugging,
    /// The link to a primary that is not listened to because of it.
    deafened: Option<ClientKey>,
    /// Keys on their way to other servers.
    pub migrations: Migrations,
    /// Parked clients.
    pub parked: Parked,
    /// Measures commands.
    pub stopwatch: Stopwatch,
    /// When the running command started, by the stopwatch.
    pub command_started: u64,
    /// What the running command leaves to be done.
    pub later: Vec<Later>,
    /// Set when the server is to stop.
    pub stop: Option<Stop>,
    /// A stop that waits for replicas.
    stopping: Option<Stopping>,
    /// What a signal has asked for that nobody has seen to yet.
    signalled: Option<ShutdownActions>,
    /// Facts of the process for INFO: what only `main` and `net` know.
    pub process: Process,
    /// Emptied buffers for the next replies.
    pub spare: Spare,
    timers: Wheel<u64>,
    /// Who subscribes to what.
    pub pubsub: PubSub,
    /// What clients may have cached.
    pub caches: Caches,
    /// The append-only file.
    pub aof: Aof,
    /// Its rewrites.
    pub rewrites: Rewrites,
    /// What goes to the append-only file and to replicas.
    pub feed: Feed,
    /// Snapshots of the data.
    pub snapshots: Snapshots,
    /// How far the loading of data is.
    pub loading: Option<loading::Progress>,
    /// The client whose command runs, and messages for it that follow the reply.
    running: Option<ClientKey>,
    deferred: Vec<u8>,
    /// The client whose command made the changes that nobody was told of yet.
    author: Option<ClientKey>,
    pending_writes: Vec<ClientKey>,
    /// Clients that were posted something, in the order in which they are written to; some were since.
    posted: VecDeque<ClientKey>,
    closing: Vec<ClientKey>,
    runnable: Vec<ClientKey>,
}

/// Emptied output buffers, so that a client without output keeps none and a turn allocates none.
#[derive(Default)]
pub struct Spare(Vec<Vec<u8>>);

impl Spare {
    /// Gives a buffer back.
    pub fn give(&mut self, buffer: Vec<u8>) {
        // one that never held a byte would only stand before those that did
        if (1..=limits::SPARE_BUFFER_MAX).contains(&buffer.capacity()) && self.0.len() < limits::SPARE_BUFFERS {
            self.0.push(buffer);
        }
    }

    /// Drops all of them. Gives how many bytes that frees.
    pub fn clear(&mut self) -> usize {
        self.0.drain(..).map(|buffer| buffer.capacity()).sum()
    }

    /// An empty buffer.
    #[inline]
    pub fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }
}

/// What INFO shows of the process.
#[derive(Clone, Debug, Default)]
pub struct Process {
    /// Process number.
    pub pid: u32,
    /// `Linux 6.1 x86_64`
    pub os: String,
    /// The program's path.
    pub executable: String,
    /// The init system that watches it, `no` if none does.
    pub supervisor: Supervised,
    /// The TCP port that is listened on; 0 if none is.
    pub tcp_port: u16,
    /// Bytes in use from which on huge pages are allowed; `None` if they are, or never will be.
    pub huge_pages_from: Option<usize>,
}

/// The server. See the module's essay.
pub struct Server {
    /// All data.
    pub keyspace: Keyspace,
    /// Everything else.
    pub state: State,
    requests: Vec<turn::Request>,
    spans: Vec<Span>,
    /// Whether requests of the batch name elements whose places are worth asking for.
    has_elements: bool,
    next_cron: Millis,
    /// What is being loaded, a slice a turn.
    work: Option<loading::Work>,
    /// The snapshot that the primary sends.
    receipt: Option<receipt::Receipt>,
}

/// Clients whose replies do not simply go to them.
const UNANSWERED: ClientFlags = ClientFlags::PRIMARY.or(ClientFlags::REPLAY).or(ClientFlags::REPLY_OFF).or(ClientFlags::REPLY_SKIP);

impl Server {
    /// A server with a configuration, its commands, a seed for all chance, and a clock for durations.
    pub fn new(config: Config, registry: Registry, seed: u64, now: Now, stopwatch: Stopwatch) -> Self {
        let mut random = Random::from_seed(seed);
        let mut keyspace = Keyspace::new(config.databases, Random::from_seed(random.next_u64()));
        if !config.hash_seed.is_empty() {
            keyspace.key_hash(digest_words(config.hash_seed.as_bytes()));
        }
        keyspace.now = now.unix.to_millis();
        let (pubsub, caches) = (PubSub::new(&mut random), Caches::new(&mut random));
        let run_id = random.hex_id();
        let hotspots = Hotspots::new(&mut random);
        let replication = Replication::new(&mut random, config.repl_backlog_size);
        let users = Users::new(&registry);
        let mut state = State {
            clients: Clients::default(),
            registry,
            now,
            started: now,
            run_id,
            random,
            stats: Stats::default(),
            gates: Gates::default(),
            ceiling: Ceiling::default(),
            client_memory: ClientMemoryAccount::default(),
            pause: Pause::default(),
            command_logs: CommandLogs::default(),
            users,
            service: Service::default(),
            hotspots,
            stalls: Stalls::default(),
            look: Look::default(),
            request_bytes: 0,
            reply_base: 0,
            latency: LatencyMonitor::default(),
            replication,
            host: Host::default(),
            oom_score: OomScore::default(),
            reconfigured: Vec::new(),
            sockets: Sockets::default(),
            startup_memory: 0,
            switches: Switches::default(),
            scripts: Scripts::new(seed, REDIS_VERSION),
            busy: None,
            debugging: Debugging::default(),
            deafened: None,
            migrations: Migrations::default(),
            parked: Parked::default(),
            stopwatch,
            command_started: 0,
            later: Vec::new(),
            stop: None,
            stopping: None,
            signalled: None,
            process: Process::default(),
            spare: Spare::default(),
            timers: Wheel::new(u64::try_from(now.unix.to_millis().0).unwrap_or(0)),
            pubsub,
            caches,
            aof: Aof::default(),
            rewrites: Rewrites::default(),
            feed: Feed::default(),
            snapshots: Snapshots::new(now),
            loading: None,
            running: None,
            deferred: Vec::new(),
            author: None,
            pending_writes: Vec::new(),
            posted: VecDeque::new(),
            closing: Vec::new(),
            runnable: Vec::new(),
            config,
        };
        state.apply_config(&mut keyspace);
        state.follow_configured(&mut keyspace);
        state.startup_memory = crate::base::memory::used();
        Server {
            keyspace,
            state,
            requests: Vec::new(),
            spans: Vec::new(),
            has_elements: false,
            next_cron: Millis(0),
            work: None,
            receipt: None,
        }
    }

    /// A new connection of the reactor's slab. `Err` is what to tell it before closing.
    pub fn connected(&mut self, connection: usize, peer: Peer) -> Result<ClientKey, Vec<u8>> {
        self.state.stats.connections += 1;
        if self.state.clients.len() >= self.state.config.maxclients as usize {
            self.state.stats.rejected_connections += 1;
            return Err(b"-ERR max number of clients reached\r\n".to_vec());
        }
        if self.refuses_strangers() && !peer.loopback && !peer.unix_socket {
            self.state.stats.rejected_connections += 1;
            return Err(PROTECTED.as_bytes().to_vec());
        }
        Ok(self.add_client(Some(connection), peer))
    }

    fn refuses_strangers(&self) -> bool {
        self.state.config.protected_mode && self.state.users.default_user().needs_no_password
    }

    /// Adds a session.
    pub fn add_client(&mut self, connection: Option<usize>, peer: Peer) -> ClientKey {
        let now = self.state.now.unix;
        let key = self.state.clients.add(|id| {
            let mut flags = ClientFlags::NONE;
            flags.set(ClientFlags::UNIX_SOCKET, peer.unix_socket);
            flags.set(ClientFlags::LOOPBACK, peer.loopback);
            Client {
                id,
                connection,
                peer,
                name: Box::default(),
                library: Box::default(),
                library_version: Box::default(),
                db: DbIndex(0),
                protocol: Protocol::Resp2,
                flags,
                user: UserId::DEFAULT,
                partial: Partial::default(),
                output: Output::default(),
                over_soft_limit: None,
                connected_at: now,
                active_at: now,
                pending_input: 0,
                bytes_in: 0,
                bytes_out: 0,
                commands: 0,
                wrote_to: 0,
                last_command: None,
                transaction: None,
                watched: Vec::new(),
                blocked: None,
                subscriptions: None,
                tracking: None,
                counted: 0,
                written_at: 0,
            }
        });
        self.state.log_out(key);
        key
    }

    /// Makes the users of the configuration. The error is what to tell the operator.
    pub fn load_users(&mut self) -> Result<(), String> {
        self.state.load_users(&mut self.keyspace)
    }

    /// The connection of a client is gone.
    pub fn closed(&mut self, key: ClientKey) {
        if self.outlives_connection(key) {
            return;
        }
        self.state.detach(key);
        self.state.release(&mut self.keyspace, key);
        self.state.forget(&mut self.keyspace, key);
        self.state.memory_gone(key);
        self.state.service.forget(key);
        self.state.clients.remove(key);
        self.settle();
        self.broadcast_changes();
    }

    /// Runs `work` as a client: its replies go to that client's output.
    pub(crate) fn as_client<R>(&mut self, key: ClientKey, work: impl FnOnce(&mut Ctx<'_>) -> R) -> R {
        self.state.running = Some(key);
        self.state.author = Some(key);
        let client = &mut self.state.clients[key];
        let mut out = std::mem::take(&mut client.output.tail);
        let before = out.len();
        let was_replica = client.flags.any(ClientFlags::REPLICA);
        let (protocol, index) = (client.protocol, client.db);
        if out.capacity() == 0 {
            out = self.state.spare.take();
        }
        self.state.reply_base = before;
        let mut ctx = Ctx {
            db: self.keyspace.db(index),
            reply: Reply::new(&mut out, protocol),
            state: &mut self.state,
            client: key,
            command: CommandId::NONE,
            propagation: Propagation::Verbatim,
            must_not_block: false,
            timed_out: false,
        };
        let result = work(&mut ctx);
        let command = ctx.command;
        self.state.running = None;
        if was_replica || self.state.clients[key].flags.any(UNANSWERED) {
            self.withhold(key, command, was_replica, &mut out, before);
        }
        if !self.state.deferred.is_empty() {
            out.append(&mut self.state.deferred);
        }
        if out.is_empty() {
            self.state.spare.give(out);
        } else {
            let client = &mut self.state.clients[key];
            client.output.tail = out;
            let noted = client.flags.any(ClientFlags::PENDING_WRITE) && self.state.client_memory.limit == 0;
            if !noted || client.output.limited_len() > limits::READ_CHUNK {
                self.state.note_output(key);
            }
        }
        result
    }

    /// What becomes of a reply that its client does not expect.
    #[cold]
    fn withhold(&mut self, key: ClientKey, command: CommandId, was_replica: bool, out: &mut Vec<u8>, before: usize) {
        let flags = self.state.clients[key].flags;
        if out.get(before) == Some(&b'-') {
            self.state.note_error_to(key, command, &out[before..]);
        }
        if flags.any(ClientFlags::REPLY_OFF.or(ClientFlags::REPLY_SKIP)) {
            out.truncate(before);
        }
        if was_replica && out.len() > before && !flags.any(ClientFlags::MONITOR) {
            self.cut_off_replica(key, command);
            out.clear();
        }
    }

    /// A replica has asked for something: the answer would stand in the middle of the stream.
    #[cold]
    fn cut_off_replica(&mut self, key: ClientKey, command: CommandId) {
        let state = &mut self.state;
        let client = &state.clients[key];
        let command = state.name_of(command);
        log::warn!("Replica generated a reply to command '{command}', disconnecting it: {}", client.peer.address);
        state.deferred.clear();
        state.close_now(key, "a replica wants an answer");
    }

    /// Whether an orderly stop is under way.
    pub fn is_stopping(&self) -> bool {
        self.state.stop.is_some() || self.state.stopping.is_some() || self.state.signalled.is_some()
    }

    /// A client sent more than may wait to be executed.
    pub fn query_buffer_exceeded(&mut self, key: ClientKey) {
        self.state.stats.query_limit_disconnections += 1;
        log::warn!("Closing client that reached max query buffer length: {}", self.state.clients[key].peer.address);
        self.state.close_now(key, "query buffer limit");
    }

    /// Values that take long to free, for the owner to drop on another thread.
    pub fn take_garbage(&mut self) -> Vec<Garbage> {
        let garbage = std::mem::take(&mut self.keyspace.effects.garbage);
        self.state.stats.lazily_freed += garbage.len() as u64;
        garbage
    }

    /// Whether there are such values.
    pub fn has_garbage(&self) -> bool {
        !self.keyspace.effects.garbage.is_empty()
    }

    /// Clients that have output to be written now: all that were answered, and the next few that were posted something.
    pub fn take_pending_writes(&mut self) -> Vec<ClientKey> {
        self.state.take_post(limits::POST_SLICE, limits::POST_BYTES);
        std::mem::take(&mut self.state.pending_writes)
    }

    /// The same without bounds, for the last words of a server.
    pub fn take_all_writes(&mut self) -> Vec<ClientKey> {
        self.state.take_post(usize::MAX, usize::MAX);
        std::mem::take(&mut self.state.pending_writes)
    }

    /// Whether the next turn has something to write that this one left.
    pub fn has_more_to_write(&self) -> bool {
        !self.state.posted.is_empty() || self.has_slices_to_send()
    }

    /// Clients whose connection is to be closed now.
    pub fn take_closing(&mut self) -> Vec<ClientKey> {
        std::mem::take(&mut self.state.closing)
    }

    /// Clients that were parked or paused and may go on with the input they have.
    pub fn take_runnable(&mut self) -> Vec<ClientKey> {
        std::mem::take(&mut self.state.runnable)
    }
}

/// Two words that depend on all of a text.
fn digest_words(text: &[u8]) -> [u64; 2] {
    let digest = Sha1::digest(text);
    [0, 8].map(|at| u64::from_le_bytes(digest[at..at + 8].try_into().expect("eight of twenty bytes")))
}

const PROTECTED: &str = "-DENIED Ruddle is running in protected mode because protected mode is enabled and no password is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to connect from external computers, you may adopt one of the following solutions: 1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting from the same host the server is running, however MAKE SURE it is not publicly accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) Set a password with 'requirepass'. 3) Start the server with '--protected-mode no'.\r\n";

impl State {
    /// An error was answered. Whoever hears no answers is not expected to make mistakes: the data may differ.
    #[cold]
    fn note_error_to(&mut self, key: ClientKey, command: CommandId, answer: &[u8]) {
        let flags = self.clients[key].flags;
        let (from, to) = match () {
            () if flags.any(ClientFlags::PRIMARY) => ("replica", "master"),
            () if flags.any(ClientFlags::REPLICA) => ("master", "replica"),
            () if flags.any(ClientFlags::REPLAY) => ("server", "AOF-loading-client"),
            () => return,
        };
        self.stats.unexpected_errors += 1;
        let error = String::from_utf8_lossy(&answer[1..]).trim_end().to_string();
        let command = self.name_of(command);
        log::warn!("== CRITICAL == This {from} is sending an error to its {to}: '{error}' after processing the command '{command}'");
    }

    fn name_of(&self, command: CommandId) -> &str {
        if command == CommandId::NONE { "<unknown>" } else { &self.registry.get(command).full_name }
    }

    /// Obeys the configuration where it is not read from at each use.
    pub fn apply_config(&mut self, space: &mut Keyspace) {
        let config = &self.config;
        self.command_logs.configure(config);
        self.users.log.limit(usize::try_from(config.acllog_max_len).unwrap_or(usize::MAX));
        self.latency.configure(config.latency_monitor_threshold);
        self.aof.keep_history(config.aof_disable_auto_gc, &*self.snapshots.storage, &rewrite::names(config));
        if !config.latency_tracking {
            self.registry.iter_mut().for_each(|command| command.stats.latency.clear());
        }
        self.service.on = config.service_time_tracking;
        if !config.service_time_tracking {
            self.service = Service::default();
            self.registry.iter_mut().for_each(|command| command.stats.service.clear());
        }
        self.stalls.configure(config.stall_threshold);
        space.heat.log_factor = config.lfu_log_factor;
        space.heat.decay_minutes = config.lfu_decay_time;
        space.eviction.configure(config.maxmemory_policy, config.maxmemory_samples, config.lazyfree_lazy_eviction);
        space.heat.counts = config.maxmemory_policy.word().ends_with("lfu");
        space.set_event_mask(config.notify_keyspace_events.bits());
        let has_other_password = self.users.heed_password(&config.requirepass);
        self.ceiling.limit = usize::try_from(config.maxmemory.bytes).unwrap_or(usize::MAX);
        // a lower ceiling is reached without waiting for a command
        self.ceiling.unfinished = self.ceiling.limit != 0;
        if has_other_password {
            self.heed_users();
        }
        self.apply_replication_config();
        self.heed_snapshots();
        self.limit_client_memory();
        self.gates.limited = self.ceiling.limit != 0 || self.client_memory.limit != 0;
        self.gates.out_of_memory &= self.ceiling.limit != 0;
        self.gates.update();
        let now = self.hot_seconds();
        self.hotspots.configure(self.config.hotspot_tracking, now);
        let (long, large) = self.hotspots.always();
        self.look = Look {
            nanos: self.command_logs.slow_nanos().min(self.latency.threshold_nanos).min(long),
            request: self.command_logs.large_bytes(Kind::LargeRequest).min(large),
            reply: self.command_logs.large_bytes(Kind::LargeReply).min(large),
        };
    }

    /// CONFIG RESETSTAT: counters start anew.
    pub fn reset_stats(&mut self, space: &mut Keyspace) {
        let rates = std::mem::take(&mut self.stats.rates);
        self.stats = Stats { rates, peak_memory: crate::base::memory::used(), ..Stats::default() };
        self.stats.rates.restart();
        self.replication.stats = crate::repl::primary::SyncStats::default();
        self.ceiling.reset_exceeded();
        self.stalls.reset();
        self.registry.iter_mut().for_each(|command| command.stats = stats::CommandStats::default());
        space.stats = crate::keyspace::KeyStats::default();
        space.expiry_stats = crate::keyspace::expiry::ExpiryStats::default();
    }

    /// The libraries of functions have changed: snapshots hold them as they are now.
    pub fn keep_libraries(&mut self) {
        self.snapshots.functions = self.scripts.library_texts();
    }

    /// Takes the libraries of a snapshot that was loaded. The error says which of them is none here.
    pub fn adopt_libraries(&mut self, restore: Restore) -> Result<(), String> {
        let texts = std::mem::take(&mut self.snapshots.functions);
        let adopted = self.scripts.restore_libraries(&texts, restore);
        self.keep_libraries();
        adopted.map_err(|error| String::from_utf8_lossy(&error).into_owned())
    }

    /// Forgets all libraries, as all other data.
    pub fn forget_libraries(&mut self) {
        drop(self.scripts.flush_libraries());
        self.snapshots.functions.clear();
    }

    /// Sets a timer.
    pub fn arm(&mut self, deadline: Millis, timer: Timer) {
        let word = match timer {
            Timer::Pause => 0,
            Timer::Blocked(ClientKey(key)) => 1 + key as u64,
        };
        self.timers.insert(u64::try_from(deadline.0).unwrap_or(0), word);
    }

    /// Sends a block that others may share to a client, after the reply of a command of its own that runs.
    pub fn deliver(&mut self, key: ClientKey, block: Bytes) {
        if self.running == Some(key) {
            self.deferred.extend_from_slice(&block);
        } else if let Some(client) = self.clients.get_mut(key).filter(|client| !client.flags.any(ClientFlags::CLOSE_NOW)) {
            client.output.share(block);
            self.note_output(key);
        }
    }

    /// As [`State::deliver`], for one of perhaps very many receivers: a message, a notice. A thousand writes take
    /// milliseconds, so they are spread over turns, replies go first, and what is posted meanwhile leaves with the same
    /// write. Who has more waiting than a little is written to at once.
    pub fn post(&mut self, key: ClientKey, block: Bytes) {
        let Some(client) = self.clients.get_mut(key) else { return };
        let urgent =
            client.flags.any(ClientFlags::PENDING_WRITE.or(ClientFlags::CLOSE_NOW)) || client.output.limited_len() > limits::READ_CHUNK;
        if urgent || self.running == Some(key) {
            self.deliver(key, block);
            return;
        }
        client.output.share(block);
        if !client.flags.any(ClientFlags::POSTED) {
            client.flags.set(ClientFlags::POSTED, true);
            self.posted.push_back(key);
        }
        self.memory_changed(key);
        self.limit_output(key);
    }

    /// Moves clients that were posted something to those that are written to, at most `clients` with `bytes` in all.
    fn take_post(&mut self, clients: usize, bytes: usize) {
        let (mut taken, mut size) = (0, 0);
        while taken < clients && size < bytes {
            let Some(key) = self.posted.pop_front() else { return };
            // it may be gone, or was written to meanwhile
            let Some(client) = self.clients.get_mut(key).filter(|client| client.flags.any(ClientFlags::POSTED)) else { continue };
            client.flags.set(ClientFlags::POSTED, false);
            if !client.flags.any(ClientFlags::PENDING_WRITE) {
                client.flags.set(ClientFlags::PENDING_WRITE, true);
                self.pending_writes.push(key);
                taken += 1;
                size += client.output.len();
            }
        }
    }

    /// Notes that a client has output, and closes it if it has too much.
    pub fn note_output(&mut self, key: ClientKey) {
        if self.clients[key].output.is_empty() {
            return;
        }
        self.memory_changed(key);
        let client = &mut self.clients[key];
        if !client.flags.any(ClientFlags::PENDING_WRITE) {
            client.flags.set(ClientFlags::PENDING_WRITE, true);
            self.pending_writes.push(key);
        }
        self.limit_output(key);
    }

    /// Closes a client if it has too much output.
    fn limit_output(&mut self, key: ClientKey) {
        let unsent = self.clients[key].output.limited_len();
        if unsent > limits::READ_CHUNK && self.over_output_limit(key, self.now.unix) && !self.let_read_later(key) {
            self.stats.output_limit_disconnections += 1;
            self.close_now(key, "too much output");
        }
    }

    fn over_output_limit(&mut self, key: ClientKey, now: Micros) -> bool {
        let client = &mut self.clients[key];
        let mut limit = self.config.client_output_buffer_limit[client.class()];
        if client.class() == ClientClass::Replica {
            // one that may go on from the backlog may be sent all of it, and what the backlog has is kept in any case
            for bytes in [&mut limit.hard_bytes, &mut limit.soft_bytes] {
                *bytes = if *bytes > 0 { self.config.repl_backlog_size.max(*bytes) } else { 0 };
            }
        }
        let unsent = client.output.limited_len() as u64;
        if limit.hard_bytes > 0 && unsent >= limit.hard_bytes {
            return true;
        }
        if limit.soft_bytes == 0 || unsent < limit.soft_bytes {
            client.over_soft_limit = None;
            return false;
        }
        let since = *client.over_soft_limit.get_or_insert(now);
        now.saturating_sub(since).0 > i64::try_from(limit.soft_seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000)
    }

    /// Closes a client at the end of the turn, without sending what it has not been sent.
    pub fn close_now(&mut self, key: ClientKey, why: &str) {
        let client = &mut self.clients[key];
        if client.flags.any(ClientFlags::CLOSE_NOW) {
            return;
        }
        log::debug!("Closing client {} ({}): {why}", client.id, client.peer.address);
        client.flags.set(ClientFlags::CLOSE_NOW, true);
        client.output.clear();
        self.closing.push(key);
    }

    /// Closes a client: the one whose command runs after its reply, another at once, and takes nothing more for it.
    pub fn hang_up(&mut self, space: &mut Keyspace, key: ClientKey) {
        if self.running == Some(key) {
            self.close_after_reply(key);
            return;
        }
        self.release(space, key);
        self.close_now(key, "sent away");
        // the rest is done when the turn ends, but the peer is to know now
        (self.host.hang_up)(self.clients[key].peer.descriptor);
    }

    /// Closes a client once its output is sent.
    pub fn close_after_reply(&mut self, key: ClientKey) {
        let client = &mut self.clients[key];
        client.flags.set(ClientFlags::CLOSE_AFTER_REPLY, true);
        if !client.flags.any(ClientFlags::PENDING_WRITE) {
            client.flags.set(ClientFlags::PENDING_WRITE, true);
            self.pending_writes.push(key);
        }
    }

    /// A client may go on with the input that it has sent already.
    pub fn resume(&mut self, key: ClientKey) {
        let Some(client) = self.clients.get_mut(key) else { return };
        if !client.flags.any(ClientFlags::RUNNABLE) {
            client.flags.set(ClientFlags::RUNNABLE, true);
            self.runnable.push(key);
        }
    }

    /// Drops what a client has watched, subscribed to and queued.
    pub fn forget(&mut self, space: &mut Keyspace, key: ClientKey) {
        if self.clients.get(key).is_none() {
            return;
        }
        self.discard(space, key);
        self.unsubscribe_all(key);
        self.untrack(space, key);
        let client = &mut self.clients[key];
        let monitored = client.flags.any(ClientFlags::MONITOR);
        client.flags.set(ClientFlags::MONITOR, false);
        if monitored {
            self.gates.monitored = self.clients.iter().any(|(_, client)| client.flags.any(ClientFlags::MONITOR));
        }
    }

    /// Holds clients back until then: all their commands, or those that may write. A pause of the same kind that stands
    /// is only made longer or stricter. Meanwhile no key is removed on its own account, so that the data stands still.
    pub fn pause(&mut self, space: &mut Keyspace, why: Why, until: Millis, writes_only: bool) {
        self.pause.hold(why, until, writes_only);
        self.gates.paused = true;
        self.gates.update();
        space.standstill = true;
        if until < Millis(i64::MAX) {
            self.arm(until, Timer::Pause);
        }
    }

    /// Ends a pause of one kind; those of others stand.
    pub fn unpause(&mut self, space: &mut Keyspace, why: Why) {
        self.pause.release(why);
        self.heed_pauses(space);
    }

    /// Pauses that are over end.
    fn end_pauses(&mut self, space: &mut Keyspace) {
        if self.pause.expire(space.now) {
            self.heed_pauses(space);
        }
    }

    fn heed_pauses(&mut self, space: &mut Keyspace) {
        let paused = self.pause.stands();
        space.standstill = paused;
        self.gates.paused = paused;
        self.gates.update();
        // whom another pause holds is postponed again
        self.resume_held();
    }
}
