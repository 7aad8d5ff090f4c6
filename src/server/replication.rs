//! Replication tied to sessions and data: feeding replicas, following a primary, changing sides.
//!
//! A replica is an ordinary session that has sent PSYNC. At the end of each turn [`State::distribute`]
//! takes what the turn has propagated, appends it to the history as one block, and puts that block into
//! every online replica's output ([`super::history`]).
//!
//! The link to a primary is a session, too: the reactor opens the socket that the link's state machine
//! wishes for, and what arrives goes through [`Server::turn`] like anybody's input. Until the link is up the
//! session has [`ClientFlags::LINK`] and its bytes go to the state machine; then [`ClientFlags::PRIMARY`],
//! and they are requests, run without replies, whose bytes are appended to our history as they came.
//!
//! - **A position is between units.** Bytes of a transaction that has not ended are held back, and none that
//!   came before it: our offset, our acknowledgements and our own replicas see all of it or nothing. The same goes for
//!   an empty line that stands for a command which was left out of a file ([`crate::persist::aof::past`]).
//! - **A primary that breaks the protocol is not believed**: what it says from there on is not run and is no history,
//!   and the data is asked for anew. An inline request is such a breach: so half a command looks.
//! - **Of the primary's own commands none is propagated**: replicas downstream and the append-only file get
//!   its bytes instead.
//! - **Keys leave by the primary's word**: its commands see overdue keys as any other, other clients do
//!   not see them, and nobody removes them.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;

use super::client::{ClientFlags, ClientKey, Peer};
use super::error::Error;
use super::failover::{self, Failover};
use super::full_sync::FileInTransit;
use super::loading::View;
use super::moment;
use super::turn::{FromPrimary, Inbound};
use super::{Later, REDIS_VERSION, Server, State};
use crate::base::clock::{Micros, Millis};
use crate::base::random::Random;
use crate::keyspace::expiry::Expiry;
use crate::keyspace::{DbIndex, Keyspace};
use crate::persist::aof::Phase;
use crate::persist::aof::past::PastReader;
use crate::persist::place::Place;
use crate::repl::primary::{Replica, Stage, SyncStats};
use crate::repl::replica::{Dial, Event, Introduction, Link};
use crate::repl::stream::{HistoryId, Stream};
use crate::resp::writer::write_command;

/// What a client that waits for a key is told when this server turns into a replica.
const TURNED: Error = Error::fixed("UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)");

/// All that this server knows of primaries and replicas.
pub struct Replication {
    /// The history of the data.
    pub stream: Stream,
    /// The link to the primary, if this server follows one.
    pub link: Option<Link>,
    /// The session of the link, once it has a socket.
    pub link_client: Option<ClientKey>,
    /// Sessions that have introduced themselves as replicas or asked for the stream.
    pub replicas: BTreeMap<ClientKey, Replica>,
    /// Counters.
    pub stats: SyncStats,
    /// Snapshot files on their way to replicas.
    pub(super) files: BTreeMap<ClientKey, FileInTransit>,
    /// Whether nothing is to be read of what a child sends before the poll says so.
    pub(super) pipe_is_dry: bool,
    /// Bytes of the stream that are on this server's disk.
    pub on_disk: u64,
    /// Pieces of the history that wait for the file, oldest first.
    pub(super) pending: VecDeque<Bytes>,
    pub(super) pending_bytes: u64,
    /// Replicas that read on in the increments of the append-only file.
    pub(super) catching: BTreeMap<ClientKey, PastReader>,
    /// Readers of those that will, when they have got a snapshot.
    pub(super) later: BTreeMap<ClientKey, PastReader>,
    /// The handing over of the lead.
    pub failover: Failover,
    /// Whether housekeeping has begun: before, nobody is dialled.
    was_started: bool,
    /// Whether our data is the beginning of the history that it names, so that it can be gone on with.
    pub(super) claims: bool,
    /// The primary's selected database, for a link that comes back.
    pub(super) primary_db: DbIndex,
    /// Bytes of the primary's unfinished unit.
    held: Vec<u8>,
    /// What of them changes no data.
    held_left_out: Vec<Range<usize>>,
    /// The primary wants to know how far we are.
    ack_wanted: bool,
    /// How far we were when the primary last asked: it is told again once that is on the disk.
    disk_wanted: Option<u64>,
    /// Replicas are to be asked how far they are.
    pub(super) ask_replicas: bool,
    /// Clients in WAIT and WAITAOF.
    pub(super) waiting: Vec<ClientKey>,
    /// When the primary was last told that we are busy, in seconds.
    pub(super) last_sign: i64,
    next_second: Millis,
    last_ping: Millis,
    pub(super) last_replica_left: Option<Millis>,
}

impl Replication {
    /// A primary without replicas.
    pub fn new(random: &mut Random, backlog: u64) -> Replication {
        Replication {
            stream: Stream::new(random.hex_id(), backlog),
            link: None,
            link_client: None,
            replicas: BTreeMap::new(),
            stats: SyncStats::default(),
            files: BTreeMap::new(),
            pipe_is_dry: false,
            on_disk: 0,
            pending: VecDeque::new(),
            pending_bytes: 0,
            catching: BTreeMap::new(),
            later: BTreeMap::new(),
            failover: Failover::default(),
            was_started: false,
            claims: false,
            primary_db: DbIndex(0),
            held: Vec::new(),
            held_left_out: Vec::new(),
            ack_wanted: false,
            disk_wanted: None,
            ask_replicas: false,
            waiting: Vec::new(),
            last_sign: 0,
            next_second: Millis(0),
            last_ping: Millis(0),
            last_replica_left: None,
        }
    }

    /// Whether this server follows a primary.
    pub fn follows(&self) -> bool {
        self.link.is_some()
    }

    /// Online replicas that have processed that much of the stream.
    pub fn count_acknowledged(&self, offset: u64) -> usize {
        self.online().filter(|(_, replica)| replica.has(offset)).count()
    }

    /// Online replicas that have that much of the stream on disk.
    pub fn count_on_disk(&self, offset: u64) -> usize {
        self.online().filter(|(_, replica)| replica.has_on_disk(offset)).count()
    }

    /// Online replicas that have acknowledged within the last `seconds`.
    pub fn count_good(&self, now: Micros, seconds: i64) -> usize {
        self.online().filter(|(_, replica)| replica.lag_seconds(now) <= seconds).count()
    }

    /// Whether the history is worth naming: somebody knows it, or may.
    pub(super) fn is_known(&self) -> bool {
        self.stream.is_active() && (!self.follows() || self.claims)
    }

    /// Bytes of the primary's unfinished unit.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Our data is the beginning of the stream's history, which has selected that database.
    pub(super) fn goes_on(&mut self, db: DbIndex) {
        (self.claims, self.primary_db) = (true, db);
    }

    pub(super) fn online(&self) -> impl Iterator<Item = (ClientKey, &Replica)> {
        self.replicas.iter().filter(|(_, replica)| replica.stage == Stage::Online).map(|(key, replica)| (*key, replica))
    }

    /// Sessions that count as replicas: those that have asked for the stream.
    pub fn attached(&self) -> impl Iterator<Item = (ClientKey, &Replica)> {
        self.replicas.iter().filter(|(_, replica)| replica.stage != Stage::Handshake).map(|(key, replica)| (*key, replica))
    }

    /// The offset of the last byte that a replica has been sent.
    fn sent_to(&self, key: ClientKey) -> u64 {
        let reader = self.catching.get(&key).or_else(|| self.later.get(&key));
        let next = self.replicas.get(&key).and_then(|replica| replica.next);
        let read = reader.map(PastReader::offset).or(next.map(|next| next - 1));
        read.unwrap_or(u64::MAX).min(self.stream.offset())
    }

    /// A replica has given a sign of life.
    pub(super) fn hear_of(&mut self, key: ClientKey, now: Micros) {
        if let Some(replica) = self.replicas.get_mut(&key) {
            replica.acknowledged_at = now;
        }
    }

    /// A client waits for acknowledgements: it looks again at each, and replicas are asked for one.
    pub fn wait(&mut self, key: ClientKey) {
        self.waiting.push(key);
        self.ask_replicas = true;
    }
}

impl State {
    /// Works out which gates replication closes.
    pub fn update_replication_gates(&mut self) {
        let (config, replication) = (&self.config, &self.replication);
        let wanted = config.min_replicas_to_write as usize;
        let seconds = i64::from(config.min_replicas_max_lag);
        self.gates.read_only = replication.follows() && config.replica_read_only;
        self.gates.stale = replication.link.as_ref().is_some_and(|link| !link.is_up()) && !config.replica_serve_stale_data;
        self.gates.too_few_replicas =
            !replication.follows() && wanted > 0 && seconds > 0 && replication.count_good(self.now.unix, seconds) < wanted;
        self.gates.update();
    }

    /// Obeys the configuration.
    pub(super) fn apply_replication_config(&mut self) {
        self.replication.stream.set_limit(self.config.repl_backlog_size);
        self.update_replication_gates();
    }

    /// Where a replica says it listens, or where it came from.
    pub fn address_of(&self, key: ClientKey, replica: &Replica) -> (String, u16) {
        let from = &self.clients[key].peer.address;
        let socket = from.rsplit_once(':').map_or(from.as_str(), |(host, _)| host).trim_matches(['[', ']']);
        (if replica.address.is_empty() { socket.to_string() } else { replica.address.clone() }, replica.port)
    }

    /// Online replicas for ROLE: address, port, acknowledged offset.
    pub fn online_replicas(&self) -> impl Iterator<Item = (String, u16, u64)> {
        self.replication.online().map(|(key, replica)| {
            let (address, port) = self.address_of(key, replica);
            (address, port, replica.acknowledged)
        })
    }

    // ---- as a primary

    /// A session says something of itself as a replica.
    pub fn replica(&mut self, key: ClientKey) -> &mut Replica {
        let now = self.now.unix;
        self.replication.replicas.entry(key).or_insert_with(|| Replica::new(now))
    }

    /// A session asks for the stream. `Ok(true)`: it may go on from `next`, and what to answer was answered.
    pub fn attach(&mut self, space: &mut Keyspace, key: ClientKey, id: &[u8], next: i64) -> bool {
        self.settle_stream();
        let now = self.now.unix;
        log::info!("Replica {} asks for synchronization", self.clients[key].peer.address);
        self.clients[key].flags.set(ClientFlags::REPLICA, true);
        let known = self.replication.stream.knows(id, next);
        let reads_past = known && !self.replication.stream.holds(next) && self.read_past_for(key, u64::try_from(next).unwrap_or(1));
        let goes_on = reads_past || known && self.replication.stream.holds(next);
        let replica = self.replica(key);
        replica.acknowledged_at = now;
        replica.waits_since = now.to_millis();
        replica.stage = match (goes_on, reads_past) {
            (false, _) => Stage::Waiting,
            (true, true) => Stage::Past,
            (true, false) => Stage::Online,
        };
        self.replication.last_replica_left = None;
        if goes_on {
            self.replication.stats.partial += 1;
            let peer = &self.clients[key].peer.address;
            log::info!(
                "Partial resynchronization request from {peer} accepted. Sending {} bytes of backlog starting from offset {next}.",
                self.replication.stream.offset() as i64 + 1 - next
            );
        } else {
            self.replication.stats.full += 1;
            self.replication.stats.refused += u64::from(id != b"?");
            if !self.replication.stream.is_active() {
                // what was not recorded cannot be gone on with under the old name
                self.replication.stream.restart(self.random.hex_id());
                self.replication.stream.activate();
                self.update_recording(space);
            }
            self.tell_what_it_waits_for(key);
        }
        self.replication.stream.tell();
        self.update_replication_gates();
        goes_on
    }

    pub(super) fn selected_by_primary(&self) -> DbIndex {
        let client = self.replication.link_client.and_then(|key| self.clients.get(key));
        client.filter(|client| client.flags.any(ClientFlags::PRIMARY)).map_or(self.replication.primary_db, |client| client.db)
    }

    /// A replica has acknowledged.
    pub fn acknowledged(&mut self, key: ClientKey, offset: u64, on_disk: Option<u64>) {
        let now = self.now.unix;
        // what was never sent cannot have been processed
        let most = self.replication.sent_to(key);
        self.let_read_stream(key);
        let Some(replica) = self.replication.replicas.get_mut(&key) else { return };
        replica.has_data |= matches!(replica.stage, Stage::Online | Stage::Past);
        replica.acknowledged = replica.acknowledged.max(offset.min(most));
        if let Some(on_disk) = on_disk {
            replica.on_disk = replica.on_disk.max(on_disk.min(most));
        }
        replica.acknowledged_at = now;
        self.parked.look_again.append(&mut self.replication.waiting);
        if self.gates.too_few_replicas {
            self.update_replication_gates();
        }
    }

    /// Clients that wait for replicas or for the disk look again.
    pub fn wake_waiting(&mut self) {
        self.parked.look_again.append(&mut self.replication.waiting);
    }

    /// Cuts off all replicas: they are to come again and learn what is new.
    pub(super) fn drop_replicas(&mut self, why: &str) {
        let keys: Vec<ClientKey> = self.replication.attached().map(|(key, _)| key).collect();
        for key in keys {
            self.close_now(key, why);
        }
    }

    /// Whether a session that asks for the stream is our own primary: each would wait for the other's words.
    pub fn is_own_primary(&self, key: ClientKey) -> bool {
        let ip = |key: ClientKey| self.clients.get(key)?.peer.address.rsplit_once(':').map(|(host, _)| host);
        let (Some(link), Some(link_client)) = (&self.replication.link, self.replication.link_client) else { return false };
        let port = self.replication.replicas.get(&key).map_or(0, |replica| replica.port);
        port == link.port && ip(key).is_some() && ip(key) == ip(link_client)
    }

    // ---- as a replica

    /// Follows a primary from now on.
    pub fn follow(&mut self, space: &mut Keyspace, host: String, port: u16) {
        self.settle_stream();
        let was_primary = !self.replication.follows();
        self.leave_link();
        if was_primary {
            // the replicas stay: they go on if this server does, under the same name
            self.replication.stream.activate();
            let blocked: Vec<ClientKey> = self
                .clients
                .iter()
                .filter(|(_, client)| client.flags.any(ClientFlags::BLOCKED) && !self.waits_for_stop(client))
                .map(|(key, _)| key)
                .collect();
            for key in blocked {
                self.later.push(Later::Unblock(key, Some(TURNED)));
                self.close_after_reply(key);
            }
        }
        self.replication.link = Some(Link::new(host.clone(), port, space.now));
        moment::set_follows(true);
        self.config.replicaof = Some((host, port));
        space.expiry = Expiry::Hide;
        self.heed_role();
        self.update_recording(space);
        self.update_replication_gates();
        if self.replication.was_started {
            self.tend_link(space);
        }
    }

    /// Follows the primary that the configuration names, at the start.
    pub(super) fn follow_configured(&mut self, space: &mut Keyspace) {
        if let Some((host, port)) = self.config.replicaof.clone() {
            self.follow(space, host, port);
        }
    }

    /// Follows nobody any more: a new history begins that shares its past with the old.
    pub fn lead(&mut self, space: &mut Keyspace) {
        if !self.replication.follows() {
            return;
        }
        self.settle_stream();
        self.leave_link();
        moment::set_follows(false);
        self.config.replicaof = None;
        self.heed_role();
        let id = self.random.hex_id();
        self.replication.stream.branch(id);
        self.feed.reselect();
        log::info!(
            "Setting secondary replication ID to {}, valid up to offset: {}. New replication ID is {}",
            String::from_utf8_lossy(&self.replication.stream.second().0),
            self.replication.stream.second().1,
            String::from_utf8_lossy(&id)
        );
        self.drop_replicas("the history has another name");
        self.replication.last_replica_left = Some(space.now);
        self.replication.claims = true;
        space.expiry = Expiry::Remove;
        space.disown();
        self.update_recording(space);
        self.update_replication_gates();
    }

    fn leave_link(&mut self) {
        if self.replication.link.take().is_some() {
            // a primary that stays with its own data can go on from it elsewhere
            if let Some(key) = self.replication.link_client {
                self.lose_link(key);
                self.close_now(key, "another primary");
            }
        } else {
            self.replication.claims = self.replication.stream.is_active();
        }
    }

    /// The link's session is over.
    pub(super) fn lose_link(&mut self, key: ClientKey) {
        self.replication.primary_db = self.selected_by_primary();
        self.replication.link_client = None;
        self.replication.held = Vec::new();
        self.replication.held_left_out.clear();
        (self.replication.ack_wanted, self.replication.disk_wanted) = (false, None);
        let now = self.now.unix.to_millis();
        if let Some(link) = &mut self.replication.link {
            let was_up = link.is_up();
            link.fail(now);
            if was_up {
                log::warn!("Connection with master lost.");
                // at once: what is missing is little now
                let timeout = Millis::from_seconds(self.config.repl_timeout.into());
                link.tick(now, timeout).expect("a link that is not up has no patience to lose");
            }
        }
        self.clients[key].flags.set(ClientFlags::PRIMARY.or(ClientFlags::LINK).or(ClientFlags::DEAF), false);
        self.update_replication_gates();
    }

    /// Lets time pass for the link.
    fn tend_link(&mut self, space: &Keyspace) {
        let timeout = Millis::from_seconds(self.config.repl_timeout.into());
        self.replication.was_started = true;
        let loading = self.loading.is_some();
        let Some(link) = &mut self.replication.link else { return };
        if loading && link.is_waiting() {
            // only what is loaded tells what to ask for
            return;
        }
        if let Err(why) = link.tick(space.now, timeout) {
            log::warn!("{why}");
            match self.replication.link_client {
                Some(key) => {
                    self.lose_link(key);
                    self.close_now(key, "the primary is silent");
                }
                None => link.fail(space.now),
            }
        }
    }

    /// The primary has broken the protocol: where its words stopped to make sense nobody knows.
    pub(super) fn distrust_primary(&mut self, why: &str) {
        log::warn!("Protocol error ({why}) from MASTER: the link is made anew, and all data asked for.");
        self.replication.claims = false;
        self.give_up_link("a breach of the protocol");
    }

    /// The primary is alive.
    pub(super) fn hear_primary(&mut self) {
        let now = self.now.unix.to_millis();
        if let Some(link) = &mut self.replication.link {
            link.heard(now);
        }
    }

    fn introduction(&self) -> Introduction {
        let config = &self.config;
        Introduction {
            login: (!config.masterauth.is_empty()).then(|| (config.masteruser.clone(), config.masterauth.clone())),
            // the socket may be one that another has opened, on a port of its own choice
            port: [config.replica_announce_port, config.port, self.process.tcp_port].into_iter().find(|port| *port != 0).unwrap_or(0),
            address: config.replica_announce_ip.clone(),
            promotes: self.replication.failover.stage == failover::Stage::Following,
            claim: self.replication.claims.then(|| (self.claimed_name(), self.position().offset + 1)),
            version: REDIS_VERSION,
        }
    }

    /// The name under which to ask for what follows.
    fn claimed_name(&self) -> HistoryId {
        let stream = &self.replication.stream;
        if self.replication.pending.is_empty() { stream.claim() } else { stream.id }
    }

    /// Tells the primary how far we are, and how far on the disk.
    fn acknowledge(&mut self) {
        self.replication.ack_wanted = false;
        // before the link is up the primary knows of another place than ours
        let up = self.replication.link.as_ref().is_some_and(Link::is_up);
        let Some(key) = self.replication.link_client.filter(|_| up) else { return };
        let (offset, on_disk) = (self.replication.stream.offset().to_string(), self.replication.on_disk.to_string());
        let words = [b"REPLCONF".as_slice(), b"ACK", offset.as_bytes(), b"FACK", on_disk.as_bytes()];
        let count = if self.aof.phase() == Phase::Off { 3 } else { 5 };
        let client = &mut self.clients[key];
        write_command(&mut client.output.tail, count, words.into_iter().take(count));
        self.note_output(key);
    }

    /// Acknowledges if the primary has asked and all that came before is released.
    pub(super) fn acknowledge_if_wanted(&mut self) {
        if self.replication.ack_wanted && self.replication.pending.is_empty() {
            self.acknowledge();
        }
    }

    /// More is on the disk: the primary is told if it has asked before.
    pub(super) fn acknowledge_disk(&mut self) {
        if self.replication.disk_wanted.take_if(|wanted| *wanted <= self.replication.on_disk).is_some() {
            self.acknowledge();
        }
    }

    /// The primary's word that we are to acknowledge: done when its commands of this turn are.
    pub fn want_acknowledgement(&mut self) {
        self.replication.ack_wanted = true;
        let wanted = self.position().offset;
        self.replication.disk_wanted = (self.aof.phase() != Phase::Off && self.replication.on_disk < wanted).then_some(wanted);
    }

    /// Asks the replicas how far they are.
    pub(super) fn ask_replicas(&mut self) {
        if !self.replication.follows() && self.replication.online().next().is_some() {
            self.feed.tell_replicas(&[b"REPLCONF", b"GETACK", b"*"]);
        }
    }

    /// A client is gone, as far as replication is concerned.
    pub(super) fn detach(&mut self, key: ClientKey) {
        if self.replication.link_client == Some(key) {
            self.lose_link(key);
        }
        self.replication.catching.remove(&key);
        self.replication.later.remove(&key);
        if let Some(replica) = self.replication.replicas.remove(&key) {
            log::info!("Connection with replica {} lost.", self.clients[key].peer.address);
            self.leave_full_sync(key, replica.stage);
            if self.replication.attached().next().is_none() {
                self.replication.last_replica_left = Some(self.now.unix.to_millis());
            }
            self.update_replication_gates();
        }
    }

    /// Housekeeping of replication.
    pub(super) fn replication_cron(&mut self, space: &mut Keyspace) {
        if self.loading.is_none_or(|loading| loading.view == View::OldData) || self.replication.link_client.is_some() {
            self.tend_link(space);
        }
        self.start_syncs(space);
        self.replication.stream.trim();
        let now = space.now;
        if now < self.replication.next_second && self.replication.next_second.saturating_sub(now) <= Millis(1000) {
            return;
        }
        self.replication.next_second = now.saturating_add(Millis(1000));
        if self.replication.link.as_ref().is_some_and(Link::is_up) {
            self.acknowledge();
        }
        self.greet_replicas(now);
        self.drop_silent_replicas();
        self.drop_stalled_replicas();
        self.remove_sync_file();
        self.let_backlog_go(space);
        self.update_replication_gates();
    }

    /// Signs of life: PING in the stream, an empty line to those who do not get the stream yet.
    fn greet_replicas(&mut self, now: Millis) {
        let period = Millis::from_seconds(self.config.repl_ping_replica_period.into());
        let since = now.saturating_sub(self.replication.last_ping);
        let due = since >= period || since < Millis(0);
        if due {
            self.replication.last_ping = now;
        }
        // nothing may be added to what a failover waits for
        let still = self.replication.failover.stage == failover::Stage::Waiting;
        if due && !still && !self.replication.follows() && self.replication.online().next().is_some() {
            self.feed.tell_replicas(&[b"PING"]);
        }
        for key in self.waiting_for_a_file() {
            self.deliver(key, Bytes::from_static(b"\n"));
        }
    }

    fn drop_silent_replicas(&mut self) {
        let (now, timeout) = (self.now.unix, i64::from(self.config.repl_timeout));
        let silent: Vec<ClientKey> = self
            .replication
            .online()
            .filter(|(key, replica)| !replica.is_old && replica.lag_seconds(now) > timeout && !self.clients[*key].output.is_unlimited())
            .map(|(key, _)| key)
            .collect();
        for key in silent {
            log::warn!("Disconnecting timedout replica (streaming sync): {}", self.clients[key].peer.address);
            self.close_now(key, "a silent replica");
        }
    }

    /// A past that nobody has asked for in a long time is dropped, and with it the history's name.
    fn let_backlog_go(&mut self, space: &mut Keyspace) {
        let ttl = i64::try_from(self.config.repl_backlog_ttl).unwrap_or(i64::MAX);
        let Some(since) = self.replication.last_replica_left else { return };
        if ttl == 0 || self.replication.follows() || !self.replication.stream.is_active() {
            return;
        }
        if space.now.saturating_sub(since) > Millis::from_seconds(ttl) {
            log::info!("Replication backlog freed after {ttl} seconds without connected replicas.");
            self.settle_stream();
            self.replication.stream.restart(self.random.hex_id());
            self.replication.stream.deactivate();
            self.replication.last_replica_left = None;
            self.update_recording(space);
        }
    }
}

impl Server {
    /// A socket to the primary is wanted: connect it and tell [`Server::link_up`] or [`Server::link_failed`].
    pub fn take_dial(&mut self) -> Option<Dial> {
        self.state.replication.link.as_mut()?.take_dial()
    }

    /// Whether this attempt to reach the primary is still the one that is wanted.
    pub fn is_dialing(&self, attempt: u64) -> bool {
        self.state.replication.link.as_ref().is_some_and(|link| link.is_dialing(attempt))
    }

    /// The socket is connected. `None`: it is not wanted any more.
    pub fn link_up(&mut self, attempt: u64, connection: usize, peer: Peer) -> Option<ClientKey> {
        if !self.state.replication.link.as_ref().is_some_and(|link| link.is_dialing(attempt)) {
            return None;
        }
        let key = self.add_client(Some(connection), peer);
        let state = &mut self.state;
        state.clients[key].flags.set(ClientFlags::LINK.or(ClientFlags::AUTHENTICATED).or(ClientFlags::LOGGED_IN), true);
        state.replication.link_client = Some(key);
        let now = state.now.unix.to_millis();
        if let Some(link) = &mut state.replication.link {
            link.connected(now, &mut state.clients[key].output.tail);
        }
        state.note_output(key);
        Some(key)
    }

    /// The socket could not be connected.
    pub fn link_failed(&mut self, attempt: u64, error: &str) {
        let now = self.state.now.unix.to_millis();
        if let Some(link) = self.state.replication.link.as_mut().filter(|link| link.is_dialing(attempt)) {
            log::warn!("Error condition on socket for SYNC: {error}");
            link.fail(now);
        }
    }

    /// Takes what arrived over a link that is not up yet.
    #[cold]
    pub(super) fn read_link(&mut self, inbound: &mut Inbound<'_>) {
        let key = inbound.client;
        let (me, now) = (self.state.introduction(), self.keyspace.now);
        let state = &mut self.state;
        let Some(link) = state.replication.link.as_mut().filter(|_| state.replication.link_client == Some(key)) else { return };
        let asks = link.is_asking();
        let read = link.read(inbound.bytes, now, &me, &mut state.clients[key].output.tail);
        state.note_output(key);
        let failure = match read {
            Ok(read) => {
                inbound.consumed = read.consumed;
                state.clients[key].pending_input = inbound.bytes.len() - read.consumed;
                match read.event {
                    None => return,
                    Some(event) => self.link_event(key, event, inbound.bytes),
                }
            }
            Err(why) => Err(why),
        };
        match failure {
            // what follows is read next: the rest of the handshake, or commands
            Ok(()) if inbound.consumed < inbound.bytes.len() => self.state.resume(key),
            Ok(()) => {}
            Err(why) => {
                log::warn!("{why}");
                self.state.lose_link(key);
                self.state.close_now(key, "the link failed");
                if asks && self.state.replication.failover.stage == failover::Stage::Following {
                    self.state.abort_failover(&mut self.keyspace, "Failover target rejected psync request");
                }
            }
        }
    }

    fn link_event(&mut self, key: ClientKey, event: Event, bytes: &[u8]) -> Result<(), String> {
        self.state.end_failover(&mut self.keyspace);
        match event {
            Event::Resumed(id) => {
                if let Some(id) = id.filter(|id| *id != self.state.replication.stream.id) {
                    self.state.settle_stream();
                    self.state.replication.stream.rename(id);
                    self.state.drop_replicas("the history has another name");
                }
                let db = self.state.replication.primary_db;
                self.link_is_up(key, db);
            }
            Event::Snapshot { id, offset, total } => return self.begin_receipt(Place { id, offset }, total),
            Event::Piece { held, range, last } => return self.take_piece(key, [&held, &bytes[range]], last),
        }
        Ok(())
    }

    /// From here on the link's bytes are requests.
    pub(super) fn link_is_up(&mut self, key: ClientKey, db: DbIndex) {
        let state = &mut self.state;
        let client = &mut state.clients[key];
        client.flags.set(ClientFlags::LINK, false);
        client.flags.set(ClientFlags::PRIMARY.or(ClientFlags::REPLY_OFF), true);
        client.db = db;
        state.replication.held.clear();
        state.replication.claims = true;
        state.update_replication_gates();
        state.acknowledge();
    }

    /// The primary's commands in `bytes` have run: whole units are history, an unfinished one waits for its end.
    #[cold]
    pub(super) fn follow_on(&mut self, key: ClientKey, bytes: &[u8], chunk: FromPrimary) {
        let state = &mut self.state;
        if state.replication.link_client != Some(key) || bytes.is_empty() {
            return;
        }
        state.hear_primary();
        let replication = &mut state.replication;
        let before = replication.held.len();
        replication.held.extend_from_slice(bytes);
        replication.held_left_out.extend(chunk.left_out.iter().map(|range| range.start + before..range.end + before));
        if chunk.whole > 0 {
            let whole = before + chunk.whole;
            let rest = replication.held.split_off(whole);
            let bytes = std::mem::replace(&mut replication.held, rest);
            let left_out = take_ranges(&mut replication.held_left_out, whole);
            state.record(bytes, left_out);
        }
        state.acknowledge_if_wanted();
    }
}

/// Takes what is below `end` of ranges in order, those that touch as one: between the parts of what was left out as one there
/// is no place to stand. What remains is counted from there on.
fn take_ranges(ranges: &mut Vec<Range<usize>>, end: usize) -> Vec<Range<usize>> {
    let (mut taken, mut rest) = (Vec::<Range<usize>>::new(), Vec::new());
    for range in ranges.drain(..) {
        if range.start < end {
            let range = range.start..range.end.min(end);
            match taken.last_mut().filter(|last| last.end == range.start) {
                Some(last) => last.end = range.end,
                None => taken.push(range),
            }
        }
        if range.end > end {
            rest.push(range.start.max(end) - end..range.end - end);
        }
    }
    *ranges = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_and_joined() {
        let mut ranges = vec![0..4, 4..6, 8..10, 10..20, 25..30];
        assert_eq!(take_ranges(&mut ranges, 14), [0..6, 8..14]);
        assert_eq!(ranges, [0..6, 11..16]);
        assert_eq!(take_ranges(&mut ranges, 0), []);
        assert_eq!(take_ranges(&mut ranges, 16), [0..6, 11..16]);
        assert!(ranges.is_empty());
    }
}
