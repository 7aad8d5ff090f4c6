//! The first story: a server, its clients and their network; what must hold is looked at after every turn.
//!
//! The promises:
//! - a request gets exactly one reply, unless its client is parked, paused, or gone;
//! - every reply is well-formed, and output that nobody reads stays below the limit;
//! - nobody is parked and runnable; the counts of parked clients, awaited keys, volatile keys and expiring
//!   hashes are those that one gets by counting;
//! - no deadline lies before the time at which the server wants to be called again;
//! - when all is over nobody is parked, and a second server that was fed the effects holds the same data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::IoSlice;
use std::sync::OnceLock;

use ruddle::base::clock::{Micros, Millis, Monotonic, Now};
use ruddle::base::random::Random;
use ruddle::config::Startup;
use ruddle::keyspace::expiry::Expiry;
use ruddle::keyspace::interests::Interests;
use ruddle::resp::Protocol;
use ruddle::resp::reader::{Reply, ReplyReader};
use ruddle::server::client::{ClientFlags, ClientKey, Peer};
use ruddle::server::turn::Inbound;
use ruddle::server::{Server, Stopwatch};

use super::grammar::{Grammar, Words};
use super::{chance, pick, trace};

/// Unix milliseconds at which every story starts.
pub const START_MS: i64 = 1_700_000_000_000;
/// Unread output at which a client is closed.
const OUTPUT_MAX: usize = 256 * 1024;

fn no_time() -> u64 {
    0
}

/// A server for a story.
pub fn server(seed: u64) -> Server {
    let arguments: Vec<Vec<u8>> = [
        "--enable-debug-command",
        "yes",
        "--client-output-buffer-limit",
        &format!("normal {OUTPUT_MAX} 0 0"),
        "--list-max-listpack-size",
        "8",
    ]
    .map(|word| word.as_bytes().to_vec())
    .to_vec();
    let Ok(Startup::Serve(config)) = ruddle::config::start(&arguments, &ruddle::config::Disk) else { panic!("directives only") };
    Server::new(*config, ruddle::command::registry(), seed, Now::default(), Stopwatch(no_time))
}

/// A connection from this machine.
pub fn peer() -> Peer {
    Peer { address: "127.0.0.1:1".into(), local_address: "127.0.0.1:6379".into(), loopback: true, ..Peer::default() }
}

/// A request on the wire.
pub fn wire(words: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// One end of a connection, and what is on its way to the server.
#[derive(Default)]
pub struct Line {
    /// Sent and not arrived.
    pub pipe: Vec<u8>,
    /// Arrived and not consumed.
    pub unread: Vec<u8>,
    reader: ReplyReader,
}

/// A server with the lines to it, and the time.
pub struct Network {
    /// The server.
    pub server: Server,
    /// The clients' ends.
    pub lines: BTreeMap<ClientKey, Line>,
    /// Unix microseconds.
    pub now_us: i64,
    elapsed_us: u64,
}

impl Network {
    /// A server without clients.
    pub fn new(seed: u64) -> Network {
        Network { server: server(seed), lines: BTreeMap::new(), now_us: START_MS * 1000, elapsed_us: 0 }
    }

    /// The time of this step.
    pub fn now(&self) -> Now {
        Now { unix: Micros(self.now_us), monotonic: Monotonic(self.elapsed_us) }
    }

    /// The clock moves; it may be set back, while time itself goes on.
    pub fn pass_ms(&mut self, ms: i64) {
        self.now_us += ms * 1000;
        self.elapsed_us += ms.unsigned_abs() * 1000;
    }

    /// A new client.
    pub fn connect(&mut self) -> ClientKey {
        let key = self.server.connected(0, peer()).expect("room for a client");
        self.lines.insert(key, Line::default());
        key
    }

    /// A client's connection ends.
    pub fn disconnect(&mut self, key: ClientKey) {
        self.lines.remove(&key);
        self.server.closed(key);
    }

    /// Some of what clients have sent arrives, for all of them in one turn.
    pub fn deliver(&mut self, arrivals: &[(ClientKey, usize)]) {
        for &(key, count) in arrivals {
            let line = self.lines.get_mut(&key).expect("an open line");
            line.unread.extend(line.pipe.drain(..count));
        }
        let now = self.now();
        let mut inbounds: Vec<Inbound<'_>> = arrivals
            .iter()
            .map(|&(client, fresh)| Inbound { client, bytes: &self.lines[&client].unread, fresh, since: 0, consumed: 0 })
            .collect();
        self.server.turn(now, &mut inbounds);
        let consumed: Vec<usize> = inbounds.iter().map(|inbound| inbound.consumed).collect();
        for (&(key, _), consumed) in arrivals.iter().zip(consumed) {
            self.lines.get_mut(&key).expect("an open line").unread.drain(..consumed);
        }
    }

    /// Closes whom the server wants closed; gives who that was.
    pub fn close_wanted(&mut self) -> Vec<ClientKey> {
        let wanted = self.server.take_closing();
        for &key in &wanted {
            self.disconnect(key);
        }
        wanted
    }

    /// What a client reads, at most so many bytes.
    pub fn read(&mut self, key: ClientKey, at_most: usize) -> Vec<Reply> {
        let Some(session) = self.server.state.clients.get_mut(key) else { return Vec::new() };
        let line = self.lines.get_mut(&key).expect("an open line");
        let mut left = at_most;
        while left > 0 {
            let mut slices = [IoSlice::new(&[]); 4];
            let count = session.output.slices(&mut slices);
            let mut taken = 0;
            for slice in &slices[..count] {
                let part = &slice[..slice.len().min(left - taken)];
                line.reader.feed(part);
                taken += part.len();
            }
            if taken == 0 {
                break;
            }
            session.output.advance(taken);
            left -= taken;
        }
        if session.output.is_empty() {
            session.flags.set(ClientFlags::PENDING_WRITE, false);
        }
        std::iter::from_fn(|| line.reader.next_reply().expect("well-formed replies")).collect()
    }
}

/// What a client may count on.
#[derive(Default)]
struct Account {
    /// Where in the stream of its bytes each request ends that was not counted yet.
    ends: std::collections::VecDeque<usize>,
    sent: usize,
    arrived: usize,
    due: usize,
    received: usize,
    slow: bool,
    /// It has sent what is not the protocol; replies are not counted from there on.
    broken: bool,
    /// It is told of things that it did not ask for.
    listens: bool,
    last: Vec<String>,
}

struct Story {
    network: Network,
    mirror: Server,
    mirror_link: ClientKey,
    random: Random,
    accounts: BTreeMap<ClientKey, Account>,
    /// Everything that clients have received.
    transcript: String,
}

/// The grammar of all commands there are.
pub fn grammar() -> &'static Grammar {
    static GRAMMAR: OnceLock<Grammar> = OnceLock::new();
    GRAMMAR.get_or_init(|| Grammar::new(&ruddle::command::registry()))
}

/// Plays a seed; gives what clients received.
pub fn play(seed: u64, steps: usize) -> String {
    let mut story = Story::new(seed);
    for _ in 0..steps {
        story.step();
    }
    story.end();
    story.transcript
}

impl Story {
    fn new(seed: u64) -> Story {
        let mut mirror = server(seed ^ 0xffff);
        mirror.keyspace.expiry = Expiry::Ignore;
        let mirror_link = mirror.add_client(None, peer());
        mirror.state.clients[mirror_link].flags.set(ClientFlags::REPLAY, true);
        let mut network = Network::new(seed);
        network.server.keyspace.effects.recording = true;
        let mut story =
            Story { network, mirror, mirror_link, random: Random::from_seed(seed), accounts: BTreeMap::new(), transcript: String::new() };
        story.tick();
        for _ in 0..2 + story.random.index(6) {
            story.connect();
        }
        story
    }

    fn connect(&mut self) {
        let key = self.network.connect();
        let mut account = Account { slow: chance(&mut self.random, 10), ..Account::default() };
        let session = &mut self.network.server.state.clients[key];
        if chance(&mut self.random, 30) {
            session.protocol = Protocol::Resp3;
            account.listens = chance(&mut self.random, 40);
        }
        self.accounts.insert(key, account);
        if self.accounts[&key].listens {
            let line = pick(&mut self.random, &["CLIENT TRACKING ON", "SUBSCRIBE a b", "PSUBSCRIBE *"]);
            self.send(key, &line.split(' ').map(Into::into).collect::<Words>());
        }
    }

    fn send(&mut self, key: ClientKey, words: &[Vec<u8>]) {
        let line = || words.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>().join(" ");
        if !trace::happens(|| format!("{} ms: client {} sends {}", self.network.now_us / 1000 - START_MS, key.0, line().escape_debug())) {
            return;
        }
        let account = self.accounts.get_mut(&key).expect("an open line");
        let bytes = wire(words);
        account.sent += bytes.len();
        account.ends.push_back(account.sent);
        account.last.push(line());
        self.network.lines.get_mut(&key).expect("an open line").pipe.extend(bytes);
    }

    fn step(&mut self) {
        let ms = match self.random.below(20) {
            0 => 5_000,
            1 => -700,
            2..6 => 0,
            _ => self.random.below(300) as i64,
        };
        if ms < 0 {
            trace::fault("clocks set back");
        }
        self.network.pass_ms(ms);
        if self.accounts.len() < 3 || chance(&mut self.random, 5) {
            self.connect();
        }
        let keys: Vec<ClientKey> = self.accounts.keys().copied().collect();
        for &key in &keys {
            self.speak(key);
        }
        self.deliver(&keys);
        self.tick();
        if chance(&mut self.random, 6) {
            let key = pick(&mut self.random, &keys);
            if self.accounts.contains_key(&key) && trace::happens(|| format!("client {} vanishes", key.0)) {
                trace::fault("clients that vanish");
                self.accounts.remove(&key);
                self.network.disconnect(key);
            }
        }
        self.settle();
    }

    /// A client types.
    fn speak(&mut self, key: ClientKey) {
        for _ in 0..self.random.index(4) {
            if chance(&mut self.random, 1) && chance(&mut self.random, 30) {
                trace::fault("breaches of the protocol");
                let account = self.accounts.get_mut(&key).expect("an open line");
                account.broken = true;
                let garbage: &[u8] =
                    pick(&mut self.random, &[b"*1\r\n!\r\n" as &[u8], b"*-x\r\n", b"*2\r\n$3\r\nGET\r\n$-9\r\n", b"\"\r\n"]);
                account.sent += garbage.len();
                self.network.lines.get_mut(&key).expect("an open line").pipe.extend_from_slice(garbage);
                return;
            }
            let now_ms = self.network.now_us / 1000;
            let words = match self.random.below(40) {
                0 => vec![b"CLIENT".to_vec(), b"UNBLOCK".to_vec(), (1 + self.random.below(9)).to_string().into_bytes(), b"ERROR".to_vec()],
                1 if chance(&mut self.random, 20) => {
                    let ms = self.random.below(300).to_string().into_bytes();
                    vec![b"CLIENT".to_vec(), b"PAUSE".to_vec(), ms, pick(&mut self.random, &["WRITE", "ALL"]).into()]
                }
                _ => grammar().request(&mut self.random, now_ms),
            };
            if self.accounts[&key].broken {
                return;
            }
            self.send(key, &words);
        }
    }

    /// Pieces of what was typed arrive, of several clients in one turn, in any order.
    fn deliver(&mut self, keys: &[ClientKey]) {
        let mut arrivals = Vec::new();
        for &key in keys {
            let waiting = self.network.lines[&key].pipe.len();
            let count = if chance(&mut self.random, 60) { waiting } else { self.random.index(waiting + 1) };
            if count < waiting {
                trace::fault("streams cut at a byte");
            }
            if count > 0 {
                arrivals.push((key, count));
                self.accounts.get_mut(&key).expect("an open line").arrived += count;
            }
        }
        for at in (1..arrivals.len()).rev() {
            arrivals.swap(at, self.random.index(at + 1));
        }
        while !arrivals.is_empty() {
            let rest = arrivals.split_off(1 + self.random.index(arrivals.len()));
            self.network.deliver(&arrivals);
            self.check_state();
            self.run_runnable();
            arrivals = rest.into_iter().filter(|(key, _)| self.network.lines.contains_key(key)).collect();
        }
    }

    fn tick(&mut self) {
        let now = self.network.now();
        let mut next = self.network.server.tick(now);
        // what one slice of expiry leaves is done by the next ones
        for _ in 0..8 {
            if next > now.unix.to_millis() {
                break;
            }
            next = self.network.server.tick(now);
        }
        self.check_deadlines(next);
        self.check_state();
        self.run_runnable();
    }

    fn run_runnable(&mut self) {
        loop {
            let runnable = self.network.server.take_runnable();
            for key in self.network.close_wanted() {
                self.accounts.remove(&key);
            }
            if runnable.is_empty() {
                return self.mirror_effects();
            }
            for key in runnable {
                if self.network.lines.contains_key(&key) {
                    self.network.deliver(&[(key, 0)]);
                    self.check_state();
                }
            }
        }
    }

    /// The second server does what the first one tells.
    fn mirror_effects(&mut self) {
        let bytes = self.network.server.state.feed.take().bytes;
        let mut inbound = [Inbound { client: self.mirror_link, bytes: &bytes, fresh: bytes.len(), since: 0, consumed: 0 }];
        self.mirror.turn(self.network.now(), &mut inbound);
        assert_eq!(inbound[0].consumed, bytes.len(), "the stream of effects holds whole commands");
        let output = std::mem::take(&mut self.mirror.state.clients[self.mirror_link].output.tail);
        let mut reader = ReplyReader::new();
        reader.feed(&output);
        let mut commands = ReplyReader::new();
        commands.feed(&bytes);
        while let Some(reply) = reader.next_reply().expect("well-formed replies") {
            let command = commands.next_reply().expect("well-formed commands");
            assert!(
                !matches!(reply, Reply::Error(_)),
                "an effect was refused: {reply} to {}",
                command.map(|c| c.to_string()).unwrap_or_default()
            );
        }
    }

    /// Clients read, and the accounts must come out even.
    fn settle(&mut self) {
        let keys: Vec<ClientKey> = self.accounts.keys().copied().collect();
        for key in keys {
            let account = self.accounts.get_mut(&key).expect("an open line");
            let slow = account.slow && chance(&mut self.random, 90);
            let replies = self.network.read(key, if slow { self.random.index(40) } else { usize::MAX });
            for reply in replies {
                if !matches!(reply, Reply::Push(_)) {
                    if let Some(line) = account.last.get(account.received).filter(|_| !account.broken && !account.listens) {
                        trace::reached(|| kind_of(line, &reply));
                    }
                    account.received += 1;
                }
                writeln!(self.transcript, "{} {reply}", key.0).expect("a string takes all");
            }
            while account.ends.front().is_some_and(|&end| end <= account.arrived) {
                account.ends.pop_front();
                account.due += 1;
            }
            let session = &self.network.server.state.clients[key];
            if session.output.is_empty() && !account.broken && !account.listens {
                let owed = account.due - account.received.min(account.due);
                let waits = session.flags.any(ClientFlags::BLOCKED.or(ClientFlags::PAUSED));
                let recent = account.last.len().saturating_sub(6);
                assert!(account.received <= account.due, "client {}: a reply too many, near {:#?}", key.0, &account.last[recent..]);
                assert_eq!(owed > 0, waits, "client {}: {owed} replies are owed, near {:#?}", key.0, &account.last[recent..]);
            }
            if session.flags.any(ClientFlags::CLOSE_AFTER_REPLY) && session.output.is_empty() {
                self.accounts.remove(&key);
                self.network.disconnect(key);
            }
        }
        self.run_runnable();
        self.check_state();
    }

    fn check_state(&self) {
        let state = &self.network.server.state;
        let (mut parked, mut awaited) = (0, BTreeSet::new());
        for (key, client) in state.clients.iter() {
            let flags = client.flags;
            assert_eq!(flags.any(ClientFlags::BLOCKED), client.blocked.is_some(), "client {}: the flag and the fact", key.0);
            assert!(!(flags.any(ClientFlags::BLOCKED) && flags.any(ClientFlags::RUNNABLE)), "client {} is parked and runnable", key.0);
            assert!(flags.any(ClientFlags::CLOSE_NOW) || client.output.len() < OUTPUT_MAX, "client {} is not closed for its output", key.0);
            if let Some(blocked) = &client.blocked {
                parked += 1;
                awaited.extend(blocked.keys.iter().map(|name| (blocked.db, name.clone())));
            }
        }
        assert_eq!(state.parked.clients, parked, "the count of parked clients");
        assert_eq!(state.parked.keys(), awaited.len(), "the count of awaited keys");
        for database in self.network.server.keyspace.databases() {
            let volatile = database.entries().filter(|entry| entry.deadline().is_some()).count();
            let expiring = database.entries().filter(|entry| entry.field_deadline().is_some()).count();
            assert_eq!(database.volatile(), volatile, "the count of keys with a deadline");
            assert_eq!(database.expiring_hashes(), expiring, "the count of hashes with expiring fields");
            assert_eq!(database.len(), database.entries().count(), "the count of keys");
            let names: BTreeSet<&[u8]> = database.entries().map(|entry| entry.key()).collect();
            assert_eq!(database.len(), names.len(), "no key is there twice");
            if let Some(earliest) = database.entries().filter_map(|entry| entry.deadlines().earliest()).min() {
                assert!(database.next_deadline().is_some_and(|next| next <= earliest), "a deadline is filed too late");
            }
        }
    }

    /// Nothing may be due before the server wants to be called again.
    fn check_deadlines(&self, next: Millis) {
        let server = &self.network.server;
        for (key, client) in server.state.clients.iter() {
            let deadline = client.blocked.as_ref().and_then(|blocked| blocked.deadline);
            assert!(deadline.is_none_or(|deadline| deadline >= next), "client {}: its wait is over before the next call", key.0);
        }
        if server.keyspace.expires_actively() {
            for entry in server.keyspace.databases().iter().flat_map(|database| database.entries()) {
                let deadline = entry.deadlines().earliest();
                assert!(deadline.is_none_or(|deadline| deadline >= next), "a key is due before the next call");
            }
        }
    }

    /// All waits end, all clients go, and the two servers agree.
    fn end(&mut self) {
        for _ in 0..4 {
            self.network.pass_ms(10_000);
            self.tick();
        }
        for (key, client) in self.network.server.state.clients.iter() {
            let deadline = client.blocked.as_ref().and_then(|blocked| blocked.deadline);
            assert!(
                deadline.is_none_or(|deadline| deadline > self.network.now().unix.to_millis()),
                "client {}: its wait does not end",
                key.0
            );
        }
        for key in std::mem::take(&mut self.accounts).into_keys() {
            self.network.disconnect(key);
            self.check_state();
        }
        // a pause that somebody has asked for at last ends, too
        self.network.pass_ms(10_000);
        self.tick();
        let (parked, space) = (&self.network.server.state.parked, &self.network.server.keyspace);
        let losses: usize = space.all_interests().map(Interests::losses_awaited).sum();
        assert_eq!((parked.clients, parked.keys(), losses), (0, 0, 0), "nobody is left to wait");
        let now = self.network.now();
        let ours = digests(&mut self.network.server, now);
        let theirs = digests(&mut self.mirror, now);
        assert_eq!(ours, theirs, "the effects do not lead to the same data");
    }
}

/// A command and what kind of reply it got: the first word of an error, or the type.
fn kind_of(line: &str, reply: &Reply) -> String {
    let command = line.split(' ').next().unwrap_or_default().to_ascii_lowercase();
    let kind = format!("{reply:?}");
    let error = reply.to_string();
    match reply {
        Reply::Error(_) => format!("{command} {}", error.split(' ').next().unwrap_or_default()),
        _ => format!("{command} {}", kind.split(['(', ' ', '{']).next().unwrap_or_default()),
    }
}

/// A line a key: its database, name and the digest of its value, deadlines included.
fn digests(server: &mut Server, now: Now) -> Vec<String> {
    let link = server.add_client(None, peer());
    let mut lines = Vec::new();
    for db in 0..server.keyspace.databases().len() {
        let names: Vec<Vec<u8>> = server.keyspace.databases()[db].entries().map(|entry| entry.key().to_vec()).collect();
        for name in names {
            let number = db.to_string().into_bytes();
            let requests = [
                wire(&[b"SELECT".to_vec(), number]),
                wire(&[b"DEBUG".to_vec(), b"DIGEST-VALUE".to_vec(), name.clone()]),
                wire(&[b"PEXPIRETIME".to_vec(), name.clone()]),
            ]
            .concat();
            let mut inbound = [Inbound { client: link, bytes: &requests, fresh: requests.len(), since: 0, consumed: 0 }];
            server.turn(now, &mut inbound);
            let output = std::mem::take(&mut server.state.clients[link].output.tail);
            lines.push(format!("{db} {} {}", name.escape_ascii(), output.escape_ascii()));
        }
    }
    lines.sort();
    lines
}
