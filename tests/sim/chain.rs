//! The fourth story: up to five servers, each with a disk, that follow one another over links which deliver in pieces,
//! are cut at any byte and come back; servers are killed and start again on their files, lead is handed over or
//! taken, and somebody writes all the while.
//!
//! The promises:
//! - what WAIT says is true: so many other servers have the write at that moment;
//! - a server that was killed comes up from its files, whatever it was doing;
//! - a place in a history means the same data, at whichever server and time;
//! - when links and servers are left alone, all have one history, one offset and the same data.

use std::collections::BTreeMap;
use std::io::IoSlice;

use ruddle::base::clock::{Micros, Monotonic, Now};
use ruddle::base::random::Random;
use ruddle::command::server::digest::{self, Digest};
use ruddle::config::Startup;
use ruddle::persist::aof::appender::Job;
use ruddle::persist::place::HistoryId;
use ruddle::persist::storage::faulty::Faulty;
use ruddle::repl::replica::Link;
use ruddle::resp::reader::{Reply, ReplyReader};
use ruddle::server::client::{ClientKey, Peer};
use ruddle::server::turn::Inbound;
use ruddle::server::{Server, Stopwatch};

use super::world::{START_MS, peer, wire};
use super::{chance, pick, trace};

/// Steps from one look at all data to the next: it takes longer than what happens in between.
const LOOK: u64 = 16;

fn no_time() -> u64 {
    0
}

/// One server, its disk and its connections.
struct Node {
    server: Server,
    disk: Faulty,
    directives: Vec<(String, String)>,
    /// What arrived and was not consumed.
    unread: BTreeMap<ClientKey, Vec<u8>>,
    /// Syncs that are under way.
    jobs: Vec<Job>,
    admin: ClientKey,
}

/// A link between two servers.
struct Pipe {
    replica: (usize, ClientKey),
    primary: (usize, ClientKey),
    up: Vec<u8>,
    down: Vec<u8>,
    /// Steps for which nothing gets through.
    stuck: usize,
}

/// Somebody who waits for copies of a write.
struct Waiter {
    node: usize,
    client: ClientKey,
    key: String,
    value: String,
}

struct Story {
    nodes: Vec<Node>,
    pipes: Vec<Pipe>,
    waiters: Vec<Waiter>,
    random: Random,
    now_us: i64,
    written: u64,
    leader: usize,
    steps: u64,
    /// What data was found at which place.
    seen: BTreeMap<(HistoryId, u64), (usize, Digest)>,
}

/// Plays a seed.
pub fn play(seed: u64, steps: usize) {
    let mut story = Story::new(seed);
    for _ in 0..steps {
        story.act();
        story.step();
    }
    story.end();
}

impl Node {
    fn open(disk: Faulty, directives: Vec<(String, String)>, now: Now, seed: u64) -> Node {
        let arguments: Vec<Vec<u8>> =
            directives.iter().flat_map(|(name, value)| [format!("--{name}").into_bytes(), value.clone().into_bytes()]).collect();
        let Ok(Startup::Serve(config)) = ruddle::config::start(&arguments, &ruddle::config::Disk) else { panic!("directives only") };
        let mut server = Server::new(*config, ruddle::command::registry(), seed, now, Stopwatch(no_time));
        server.state.snapshots.storage = Box::new(disk.clone());
        server.begin_loading().expect("files that a server has left");
        server.finish_loading().expect("files that a server has left");
        let admin = server.connected(0, peer()).expect("room for a client");
        Node { server, disk, directives, unread: BTreeMap::new(), jobs: Vec::new(), admin }
    }

    fn turn(&mut self, now: Now, client: ClientKey, fresh: &[u8]) {
        let mut bytes = self.unread.remove(&client).unwrap_or_default();
        bytes.extend_from_slice(fresh);
        let mut inbound = [Inbound { client, bytes: &bytes, fresh: fresh.len(), since: 0, consumed: 0 }];
        self.server.turn(now, &mut inbound);
        let consumed = inbound[0].consumed;
        if consumed < bytes.len() {
            self.unread.insert(client, bytes.split_off(consumed));
        }
        self.after(now);
    }

    /// What the reactor does after a turn.
    fn after(&mut self, now: Now) {
        self.server.hand_on();
        self.jobs.append(&mut self.server.take_file_jobs());
        for key in self.server.take_runnable() {
            if self.server.state.clients.get(key).is_some() {
                self.turn(now, key, &[]);
            }
        }
    }

    fn sync(&mut self) {
        for job in std::mem::take(&mut self.jobs) {
            self.server.file_job_done(job.run());
        }
    }

    fn output(&mut self, client: ClientKey) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Some(session) = self.server.state.clients.get_mut(client) else { return bytes };
        loop {
            let mut slices = [IoSlice::new(&[]); 16];
            let count = session.output.slices(&mut slices);
            let before = bytes.len();
            slices[..count].iter().for_each(|slice| bytes.extend_from_slice(slice));
            if bytes.len() == before {
                return bytes;
            }
            session.output.advance(bytes.len() - before);
        }
    }

    fn ask(&mut self, now: Now, client: ClientKey, line: &str) -> Option<Reply> {
        // answers to what had to wait
        self.output(client);
        let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        self.turn(now, client, &wire(&words));
        let mut reader = ReplyReader::new();
        reader.feed(&self.output(client));
        reader.next_reply().expect("well-formed replies")
    }

    fn link_is_well(&self) -> bool {
        self.server.state.replication.link.as_ref().is_none_or(Link::is_up)
    }
}

impl Story {
    fn new(seed: u64) -> Story {
        let mut random = Random::from_seed(seed);
        let length = 1 + random.index(5);
        let mut story = Story {
            nodes: Vec::new(),
            pipes: Vec::new(),
            waiters: Vec::new(),
            now_us: START_MS * 1000,
            written: 0,
            leader: 0,
            steps: 0,
            seen: BTreeMap::new(),
            random: Random::from_seed(seed ^ 0x5eed),
        };
        for at in 0..length {
            let mut all =
                vec![("enable-debug-command", "yes".to_string()), ("repl-diskless-sync-delay", "0".into()), ("save", String::new())];
            all.extend([("replica-announce-ip", "host".to_string()), ("replica-announce-port", (at + 1).to_string())]);
            all.push(("appendonly", if chance(&mut random, 80) { "yes" } else { "no" }.into()));
            all.push(("appendfsync", pick(&mut random, &["everysec", "everysec", "always", "no"]).into()));
            all.push(("repl-backlog-size", pick(&mut random, &["1mb", "16kb"]).into()));
            if at > 0 {
                all.push(("replicaof", format!("host {at}")));
            }
            let directives = all.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
            let node = Node::open(Faulty::new(), directives, story.now(), story.random.next_u64());
            story.nodes.push(node);
        }
        story
    }

    fn now(&self) -> Now {
        Now { unix: Micros(self.now_us), monotonic: Monotonic(u64::try_from(self.now_us - START_MS * 1000).expect("time goes on")) }
    }

    fn admin(&mut self, at: usize, line: &str) -> Option<Reply> {
        let now = self.now();
        let admin = self.nodes[at].admin;
        self.nodes[at].ask(now, admin, line)
    }

    /// Something happens.
    fn act(&mut self) {
        let at = self.random.index(self.nodes.len());
        let what = self.random.below(100);
        let name = match what {
            0..60 => "write",
            60..75 => "write and wait",
            75..80 => "cut a link",
            80..84 => "hold a link up",
            84..88 => "kill",
            88..90 => "promote",
            90..91 => "hand over",
            91..93 => "rewrite",
            93..94 => "save",
            _ => "let time pass",
        };
        if !trace::happens(|| format!("{} ms, server {at}: {name}", self.now_us / 1000 - START_MS)) {
            return;
        }
        match what {
            75..80 => trace::fault("links cut"),
            80..84 => trace::fault("links held up"),
            84..88 => trace::fault("servers killed"),
            88..91 => trace::fault("changes of lead"),
            _ => {}
        }
        match what {
            0..60 => self.write(),
            60..75 => self.write_and_wait(),
            75..80 if !self.pipes.is_empty() => {
                let index = self.random.index(self.pipes.len());
                self.cut(index);
            }
            80..84 if !self.pipes.is_empty() => {
                let index = self.random.index(self.pipes.len());
                self.pipes[index].stuck = self.random.index(60);
            }
            84..88 => self.kill(at),
            88..90 => self.lead(at),
            90..91 => drop(self.admin(self.leader, "FAILOVER TIMEOUT 2000")),
            91..93 => drop(self.admin(at, "BGREWRITEAOF")),
            93..94 => drop(self.admin(at, "SAVE")),
            _ => self.now_us += self.random.index(400_000) as i64,
        }
    }

    fn write(&mut self) {
        for _ in 0..=self.random.index(6) {
            let (a, b) = (self.random.below(12), self.random.below(1000));
            let lines: Vec<String> = match self.random.below(12) {
                0 => vec![format!("SET s{a} {}", "x".repeat(b as usize))],
                1 => vec![format!("INCRBY n{a} {b}")],
                2 => vec![format!("RPUSH l{a} {b} {a}")],
                3 => vec![format!("LPOP l{a}")],
                4 => vec![format!("ZADD z{a} {b} m{b}")],
                5 => vec![format!("HSET h{a} f{b} {b}")],
                6 => vec![format!("SET s{a} {b} PX {}", b + 1)],
                7 => vec![format!("DEL s{a} l{a}")],
                8 => vec![format!("SELECT {}", a % 3)],
                9 => vec![format!("SPOP t{a}"), format!("SADD t{a} {b} {a}")],
                10 => vec![format!("PUBLISH news {}", "m".repeat(b as usize))],
                _ => vec!["MULTI".into(), format!("INCR n{a}"), format!("RPUSH l{a} {b}"), "EXEC".into()],
            };
            for line in lines {
                self.admin(self.leader, &line);
            }
        }
    }

    fn write_and_wait(&mut self) {
        let (now, leader) = (self.now(), self.leader);
        self.written += 1;
        let (key, value) = (format!("w{}", self.random.below(5)), self.written.to_string());
        let Ok(client) = self.nodes[leader].server.connected(0, peer()) else { return };
        // a replica refuses it, and a failover lets it wait
        if self.nodes[leader].ask(now, client, &format!("SET {key} {value}")).map(|reply| reply.to_string()).as_deref() == Some("+OK") {
            let wanted = 1 + self.random.index(2);
            self.nodes[leader].turn(now, client, &wire(&["WAIT".into(), wanted.to_string().into(), "3000".into()]));
            self.waiters.push(Waiter { node: leader, client, key, value });
        }
    }

    /// What WAIT has answered is true.
    fn check_waiters(&mut self) {
        let now = self.now();
        for waiter in std::mem::take(&mut self.waiters) {
            if self.nodes[waiter.node].server.state.clients.get(waiter.client).is_none() {
                continue;
            }
            let mut reader = ReplyReader::new();
            reader.feed(&self.nodes[waiter.node].output(waiter.client));
            match reader.next_reply().expect("well-formed replies") {
                None => self.waiters.push(waiter),
                Some(Reply::Integer(count)) => {
                    let mut have = 0;
                    for (at, node) in self.nodes.iter_mut().enumerate() {
                        let other = at != waiter.node;
                        let client = node.server.connected(0, peer()).expect("room for a client");
                        let found =
                            node.ask(now, client, &format!("GET {}", waiter.key)).map(|reply| reply.to_string()).unwrap_or_default();
                        node.server.closed(client);
                        let found: u64 = found.trim_matches('"').parse().unwrap_or(0);
                        have += i64::from(other && found >= waiter.value.parse::<u64>().expect("a number"));
                    }
                    assert!(count <= have, "WAIT says {count}, and {have} others have {} = {}", waiter.key, waiter.value);
                }
                // it is no primary any more
                Some(_) => {}
            }
        }
    }

    /// A server's process ends in the midst of anything, and it starts again on its files.
    fn kill(&mut self, at: usize) {
        while let Some(index) = self.pipes.iter().position(|pipe| pipe.replica.0 == at || pipe.primary.0 == at) {
            self.cut(index);
        }
        self.waiters.retain(|waiter| waiter.node != at);
        let (now, seed) = (self.now(), self.random.next_u64());
        let node = &self.nodes[at];
        let mut directives = node.directives.clone();
        // what CONFIG REWRITE would have kept
        directives.retain(|(name, _)| name != "replicaof");
        if let Some((host, port)) = &node.server.state.config.replicaof {
            directives.push(("replicaof".into(), format!("{host} {port}")));
        }
        self.nodes[at] = Node::open(node.disk.clone(), directives, now, seed);
    }

    /// A server is promoted; the one that led follows it, or somebody who does.
    fn lead(&mut self, at: usize) {
        (0..self.nodes.len()).for_each(|at| drop(self.admin(at, "FAILOVER ABORT")));
        self.admin(at, "REPLICAOF NO ONE");
        self.leader = at;
        for other in (0..self.nodes.len()).filter(|&other| other != at) {
            if !self.nodes[other].server.state.replication.follows() || chance(&mut self.random, 50) {
                self.admin(other, &format!("REPLICAOF host {}", at + 1));
            }
        }
    }

    fn cut(&mut self, index: usize) {
        let pipe = self.pipes.swap_remove(index);
        let now = self.now();
        for (at, client) in [pipe.replica, pipe.primary] {
            self.disconnect(now, at, client);
        }
    }

    fn disconnect(&mut self, now: Now, at: usize, client: ClientKey) {
        self.nodes[at].unread.remove(&client);
        self.nodes[at].server.closed(client);
        self.nodes[at].after(now);
    }

    fn close(&mut self) {
        let now = self.now();
        for at in 0..self.nodes.len() {
            for client in self.nodes[at].server.take_closing() {
                let ends = |pipe: &Pipe| pipe.replica == (at, client) || pipe.primary == (at, client);
                match self.pipes.iter().position(ends) {
                    Some(index) => self.cut(index),
                    None => self.disconnect(now, at, client),
                }
            }
        }
    }

    fn dial(&mut self) {
        for at in 0..self.nodes.len() {
            let Some(dial) = self.nodes[at].server.take_dial() else { continue };
            let primary = usize::from(dial.port) - 1;
            let address = |at: usize| Peer { address: format!("host{at}:1"), ..peer() };
            let there = self.nodes[primary].server.connected(0, address(at)).expect("room for a client");
            let here = self.nodes[at].server.link_up(dial.attempt, 0, address(primary)).expect("just wished for");
            self.pipes.push(Pipe { replica: (at, here), primary: (primary, there), up: Vec::new(), down: Vec::new(), stuck: 0 });
        }
    }

    fn carry(&mut self) {
        let now = self.now();
        for index in 0..self.pipes.len() {
            let Some(pipe) = self.pipes.get_mut(index) else { break };
            let ((replica, here), (primary, there)) = (pipe.replica, pipe.primary);
            pipe.up.extend(self.nodes[replica].output(here));
            pipe.down.extend(self.nodes[primary].output(there));
            pipe.stuck = pipe.stuck.saturating_sub(1);
            if pipe.stuck > 0 {
                continue;
            }
            let mut piece = |bytes: &mut Vec<u8>| {
                let most = if chance(&mut self.random, 30) { 20 } else { 4000 };
                let count = self.random.index(most) + 1;
                bytes.drain(..count.min(bytes.len())).collect::<Vec<u8>>()
            };
            let (up, down) = (piece(&mut pipe.up), piece(&mut pipe.down));
            for (at, client, bytes) in [(primary, there, up), (replica, here, down)] {
                if !bytes.is_empty() && self.nodes[at].server.state.clients.get(client).is_some() {
                    self.nodes[at].turn(now, client, &bytes);
                }
            }
            self.close();
        }
    }

    fn step(&mut self) {
        self.dial();
        self.carry();
        self.now_us += 20_000;
        let now = self.now();
        for node in &mut self.nodes {
            node.server.tick(now);
            node.after(now);
            if chance(&mut self.random, 40) {
                node.sync();
            }
        }
        self.close();
        self.check_waiters();
        self.find_leader();
        self.steps += 1;
        if self.steps.is_multiple_of(LOOK) {
            self.check_places();
        }
    }

    /// Who is at the same place has the same data.
    fn check_places(&mut self) {
        for (at, node) in self.nodes.iter().enumerate() {
            let state = &node.server.state;
            // a history that nobody follows may stand still while the data changes
            if state.loading.is_some() || !state.replication.stream.is_active() {
                continue;
            }
            let (place, data) = (state.position(), digest::of_all(&node.server.keyspace));
            let (other, before) = self.seen.entry((place.id, place.offset)).or_insert((at, data));
            let name = String::from_utf8_lossy(&place.id);
            assert!(data == *before, "servers {at} and {other} have different data at {} of {name}: {data}, {before}", place.offset);
        }
    }

    /// After FAILOVER another leads.
    fn find_leader(&mut self) {
        if let Some(at) = (0..self.nodes.len()).find(|&at| !self.nodes[at].server.state.replication.follows()) {
            self.leader = at;
        }
    }

    /// Left alone, all agree.
    fn end(&mut self) {
        (0..self.nodes.len()).for_each(|at| drop(self.admin(at, "FAILOVER ABORT")));
        // the word that promotes a replica may be on its way
        (0..100).for_each(|_| self.step());
        self.find_leader();
        let mut last = self.leader;
        self.admin(last, "REPLICAOF NO ONE");
        for at in (0..self.nodes.len()).filter(|&at| at != self.leader).collect::<Vec<_>>() {
            self.admin(at, &format!("REPLICAOF host {}", last + 1));
            last = at;
        }
        self.pipes.iter_mut().for_each(|pipe| pipe.stuck = 0);
        for _ in 0..6_000 {
            self.step();
            let places: Vec<_> = self.nodes.iter().map(|node| node.server.state.replication.stream.place()).collect();
            let quiet = self.nodes.iter().all(Node::link_is_well) && places.iter().all(|place| *place == places[0]);
            if quiet && self.pipes.len() + 1 == self.nodes.len() {
                let digests: Vec<String> =
                    (0..self.nodes.len()).map(|at| self.admin(at, "DEBUG DIGEST").expect("an answer").to_string()).collect();
                assert!(digests.iter().all(|digest| *digest == digests[0]), "one history and different data: {digests:?}");
                return;
            }
        }
        panic!("the servers never agree");
    }
}
