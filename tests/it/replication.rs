//! Replication without sockets: worlds tied by pipes that deliver in any pieces and may be cut at any byte.

use ruddle::base::random::Random;
use ruddle::persist::storage::faulty::Faulty;
use ruddle::server::client::{ClientKey, Peer};

use crate::harness::{World, check, request};

/// A link: the replica's session and the primary's, and what is on its way.
pub struct Pipe {
    replica: (usize, ClientKey),
    primary: (usize, ClientKey),
    up: Vec<u8>,
    down: Vec<u8>,
}

/// Servers that call each other by the port numbers 1, 2, and so on.
pub struct Net {
    pub worlds: Vec<World>,
    admins: Vec<ClientKey>,
    pipes: Vec<Pipe>,
    pub random: Random,
    /// The disk of each, if it has one, and its directives.
    homes: Vec<(Faulty, Vec<(String, String)>)>,
}

impl Net {
    /// A chain: each server follows the one before.
    pub fn chain(length: usize, seed: u64, directives: &[(&str, &str)]) -> Net {
        let mut net = Net { worlds: Vec::new(), admins: Vec::new(), pipes: Vec::new(), random: Random::from_seed(seed), homes: Vec::new() };
        for at in 0..length {
            let mut all = vec![("repl-diskless-sync-delay", "0".to_string()), ("enable-debug-command", "yes".into())];
            all.extend([("replica-announce-ip", "host".to_string()), ("replica-announce-port", (at + 1).to_string())]);
            all.extend(directives.iter().map(|(name, value)| (*name, value.to_string())));
            if at > 0 {
                all.push(("replicaof", format!("host {at}")));
            }
            net.homes.push((Faulty::new(), all.into_iter().map(|(name, value)| (name.to_string(), value)).collect()));
            let world = net.world(at);
            net.worlds.push(world);
        }
        net.admins = net.worlds.iter_mut().map(World::connect).collect();
        net
    }

    /// A server on the disk and with the directives of that place.
    fn world(&mut self, at: usize) -> World {
        let (disk, directives) = &self.homes[at];
        let directives: Vec<(&str, &str)> = directives.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut world = World::with(&directives);
        // servers of one seed would give their histories one name
        world.server.state.random = Random::from_seed(self.random.next_u64());
        world.server.state.snapshots.storage = Box::new(disk.clone());
        world.server.begin_loading().expect("sound files");
        world.server.finish_loading().expect("sound files");
        world
    }

    /// A server's process ends in the midst of anything, and it starts again on its files.
    pub fn kill(&mut self, at: usize) {
        while let Some(index) = self.pipes.iter().position(|pipe| pipe.replica.0 == at || pipe.primary.0 == at) {
            self.cut(index);
        }
        let (now, replicaof) = (self.worlds[at].now_ms(), self.worlds[at].server.state.config.replicaof.clone());
        // what CONFIG REWRITE would have kept
        self.homes[at].1.retain(|(name, _)| name != "replicaof");
        if let Some((host, port)) = replicaof {
            self.homes[at].1.push(("replicaof".into(), format!("{host} {port}")));
        }
        self.worlds[at] = self.world(at);
        let passed = now - self.worlds[at].now_ms();
        self.worlds[at].pass_ms(passed);
        self.admins[at] = self.worlds[at].connect();
    }

    /// The client that [`Net::ask`] asks through.
    pub fn admin(&self, world: usize) -> ClientKey {
        self.admins[world]
    }

    pub fn ask(&mut self, world: usize, line: &str) -> String {
        self.worlds[world].ask(self.admins[world], line)
    }

    /// A field of INFO.
    pub fn info(&mut self, world: usize, field: &str) -> String {
        let text = self.ask(world, "INFO everything");
        let line = text
            .split("\\r\\n")
            .flat_map(|part| part.split("\r\n"))
            .find_map(|line| line.trim_matches('"').strip_prefix(field)?.strip_prefix(':'));
        line.unwrap_or_else(|| panic!("no {field} in {text}")).to_string()
    }

    fn dial(&mut self) {
        for at in 0..self.worlds.len() {
            let Some(dial) = self.worlds[at].server.take_dial() else { continue };
            let primary = usize::from(dial.port) - 1;
            if dial.host != "host" {
                self.worlds[at].server.link_failed(dial.attempt, "nobody there");
                continue;
            }
            let there = self.worlds[primary].connect();
            let peer = Peer { address: format!("127.0.0.1:{}", dial.port), ..Peer::default() };
            let here = self.worlds[at].server.link_up(dial.attempt, 0, peer).expect("just wished for");
            self.pipes.push(Pipe { replica: (at, here), primary: (primary, there), up: Vec::new(), down: Vec::new() });
        }
    }

    pub fn cut(&mut self, index: usize) {
        let pipe = self.pipes.swap_remove(index);
        for (world, client) in [pipe.replica, pipe.primary] {
            self.worlds[world].disconnect(client);
        }
    }

    /// Whether anybody is connected to another.
    pub fn has_links(&self) -> bool {
        !self.pipes.is_empty()
    }

    fn close(&mut self) {
        for world in 0..self.worlds.len() {
            for client in self.worlds[world].server.take_closing() {
                let ends = |pipe: &Pipe| pipe.replica == (world, client) || pipe.primary == (world, client);
                match self.pipes.iter().position(ends) {
                    Some(index) => self.cut(index),
                    None => self.worlds[world].disconnect(client),
                }
            }
        }
    }

    fn carry(&mut self) {
        for index in 0..self.pipes.len() {
            let Some(pipe) = self.pipes.get_mut(index) else { break };
            let ((replica, here), (primary, there)) = (pipe.replica, pipe.primary);
            pipe.up.extend(self.worlds[replica].take_output(here));
            pipe.down.extend(self.worlds[primary].take_output(there));
            let mut piece = |bytes: &mut Vec<u8>| {
                let most = if self.random.below(3) == 0 { 20 } else { 2000 };
                let count = self.random.index(most) + 1;
                bytes.drain(..count.min(bytes.len())).collect::<Vec<u8>>()
            };
            let (up, down) = (piece(&mut pipe.up), piece(&mut pipe.down));
            if !up.is_empty() {
                self.worlds[primary].send_raw(there, &up);
            }
            if !down.is_empty() {
                self.worlds[replica].send_raw(here, &down);
            }
            self.close();
        }
    }

    pub fn step(&mut self) {
        self.dial();
        self.carry();
        for world in &mut self.worlds {
            world.pass_ms(20);
        }
        self.close();
    }

    /// Steps until all have the same history, and the same data.
    #[track_caller]
    pub fn settle(&mut self) {
        for _ in 0..5_000 {
            self.step();
            let offsets: Vec<(u64, [u8; 40])> = self
                .worlds
                .iter()
                .map(|world| (world.server.state.replication.stream.offset(), world.server.state.replication.stream.id))
                .collect();
            let up =
                self.worlds.iter().all(|world| world.server.state.replication.link.as_ref().is_none_or(ruddle::repl::replica::Link::is_up));
            if up && offsets.iter().all(|offset| *offset == offsets[0]) && self.pipes.len() + 1 == self.worlds.len() {
                let digests: Vec<String> = (0..self.worlds.len()).map(|at| self.ask(at, "DEBUG DIGEST")).collect();
                assert!(digests.iter().all(|digest| *digest == digests[0]), "one history and different data: {digests:?}");
                return;
            }
        }
        panic!("the servers never agree");
    }

    pub fn write_something(&mut self, world: usize) {
        let (a, b) = (self.random.below(20), self.random.below(1000));
        let line = match self.random.below(12) {
            0 => format!("SET s{a} {b}"),
            1 => format!("INCRBY n{a} {b}"),
            2 => format!("RPUSH l{a} {b} {a}"),
            3 => format!("LPOP l{a}"),
            4 => format!("ZADD z{a} {b} m{b}"),
            5 => format!("HSET h{a} f{b} {b}"),
            6 => format!("SET s{a} {} PX {}", "x".repeat(b as usize), b + 1),
            7 => format!("DEL s{a} l{a}"),
            8 => format!("SELECT {}", a % 3),
            9 => format!("XADD x{a} * f {b}"),
            10 => format!("PEXPIRE h{a} {b}"),
            _ => {
                self.ask(world, "MULTI");
                self.ask(world, &format!("SET s{a} {b}"));
                self.ask(world, &format!("RPUSH l{a} {b}"));
                "EXEC".to_string()
            }
        };
        self.ask(world, &line);
    }
}

#[test]
fn the_first_thing_anybody_tries() {
    let mut net = Net::chain(2, 1, &[]);
    net.settle();
    let client = net.worlds[0].connect();
    assert_eq!(net.worlds[0].ask(client, "SET greeting hello"), "+OK");
    assert_eq!(net.worlds[0].ask(client, "WAIT 1 5000"), "");
    for _ in 0..100 {
        net.step();
    }
    assert_eq!(net.worlds[0].received(client), [":1"]);
    assert_eq!(net.ask(1, "GET greeting"), "\"hello\"");
    for (field, value) in [("role", "slave"), ("master_host", "host"), ("master_port", "1"), ("master_link_status", "up")] {
        assert_eq!(net.info(1, field), value, "{field}");
    }
    assert_eq!(net.info(0, "connected_slaves"), "1");
    assert_eq!(net.ask(1, "SET a b"), "-READONLY You can't write against a read only replica.");
    assert_eq!(net.ask(1, "WAIT 0 0").split(' ').take(4).collect::<Vec<_>>(), ["-ERR", "WAIT", "cannot", "be"]);
    assert!(net.ask(1, "ROLE").contains("slave"));
}

#[test]
fn a_chain_agrees_whatever_the_pieces_and_the_cuts() {
    for seed in 0..3 {
        let mut net = Net::chain(4, seed, &[]);
        for _ in 0..20 {
            net.write_something(0);
        }
        net.settle();
        for _ in 0..400 {
            net.write_something(0);
            net.step();
            if net.random.below(40) == 0 && !net.pipes.is_empty() {
                let index = net.random.index(net.pipes.len());
                net.cut(index);
            }
        }
        net.settle();
        let full: Vec<String> = (0..4).map(|at| net.info(at, "sync_full")).collect();
        assert_eq!(full, ["1", "1", "1", "0"], "a cut costs no snapshot (seed {seed})");
    }
}

#[test]
fn a_short_backlog_costs_a_snapshot_and_nothing_else() {
    let mut net = Net::chain(3, 7, &[("repl-backlog-size", "16kb")]);
    net.settle();
    for _ in 0..5 {
        for _ in 0..300 {
            net.write_something(0);
        }
        while !net.pipes.is_empty() {
            net.cut(0);
        }
        net.settle();
    }
    assert_ne!(net.info(0, "sync_full"), "1");
}

#[test]
fn the_promoted_middle_keeps_its_replicas_by_the_second_name() {
    let mut net = Net::chain(3, 3, &[]);
    for _ in 0..100 {
        net.write_something(0);
    }
    net.settle();
    let old = net.info(0, "master_replid");
    assert_eq!(net.ask(1, "REPLICAOF NO ONE"), "+OK");
    assert_eq!(net.ask(0, "REPLICAOF host 2"), "+OK");
    assert_eq!(net.ask(0, "REPLICAOF HOST 2"), "+OK Already connected to specified master");
    assert_eq!(net.info(1, "master_replid2"), old);
    for _ in 0..100 {
        net.write_something(1);
    }
    net.settle();
    assert_eq!((net.info(1, "sync_full").as_str(), net.info(1, "sync_partial_err").as_str()), ("1", "0"), "only the snapshot from before");
    assert_eq!(net.info(0, "role"), "slave");
    assert_ne!(net.info(0, "master_replid"), old);
}

#[test]
fn keys_leave_a_replica_by_the_primarys_word() {
    let mut net = Net::chain(2, 4, &[]);
    net.ask(0, "SET a 1 PX 5000");
    net.ask(0, "HSET h f 1");
    net.settle();
    while !net.pipes.is_empty() {
        net.cut(0);
    }
    for world in &mut net.worlds {
        world.pass_ms(6000);
    }
    assert_eq!(net.ask(1, "GET a"), "(nil)");
    assert_eq!(net.info(1, "expired_keys"), "0");
    assert_eq!(net.ask(1, "DBSIZE"), ":2", "it is hidden, not gone");
    assert!(net.ask(1, "DEBUG OBJECT a").starts_with("+Value at:"));
    net.settle();
    assert_eq!(net.ask(1, "DBSIZE"), ":1");
}

#[test]
fn keys_of_a_writable_replica_expire_by_its_own_word() {
    let mut net = Net::chain(2, 14, &[("replica-read-only", "no")]);
    net.ask(0, "SET primarys 1 PX 5000");
    net.ask(0, "SET later 1");
    net.settle();
    for line in ["SET own 1 PX 1000", "SET kept 1", "EXPIRE kept 1", "PERSIST kept", "SET gone 1 EX 1", "DEL gone", "EXPIRE later 2"] {
        net.ask(1, line);
    }
    net.ask(1, "SET moved 1 PX 1500");
    net.ask(1, "RENAME moved renamed");
    net.ask(1, "HSET h f 1");
    net.ask(1, "PEXPIRE h 50000");
    net.ask(1, "PEXPIRE h 1200");
    assert_eq!(net.info(1, "slave_expires_tracked_keys"), "5", "own, kept, later, renamed, h");
    while !net.pipes.is_empty() {
        net.cut(0);
    }
    for world in &mut net.worlds {
        world.pass_ms(6000);
    }
    assert_eq!(net.info(1, "expired_keys"), "4");
    assert_eq!(net.info(1, "slave_expires_tracked_keys"), "0");
    assert_eq!(net.ask(1, "DBSIZE"), ":2", "`kept` is, and `primarys` stays until the primary says so");
    assert_eq!(net.ask(0, "DBSIZE"), ":1");
    net.ask(1, "SET own 1 PX 1000");
    net.ask(1, "FLUSHALL");
    assert_eq!(net.info(1, "slave_expires_tracked_keys"), "0");
}

#[test]
fn a_replica_evicts_only_if_it_does_not_leave_that_to_its_primary() {
    for (ignores, evicts) in [("yes", false), ("no", true)] {
        let mut net = Net::chain(2, 5, &[("save", "")]);
        net.settle();
        let limit = ruddle::base::memory::used() + 64 * 1024;
        net.ask(1, &format!("CONFIG SET maxmemory-policy allkeys-random replica-ignore-maxmemory {ignores} maxmemory {limit}"));
        for i in 0..300 {
            net.ask(0, &format!("SET key:{i} {}", "x".repeat(1000)));
            net.step();
        }
        assert_eq!(net.ask(0, "DBSIZE"), ":300");
        assert_eq!(net.info(1, "evicted_keys") != "0", evicts, "replica-ignore-maxmemory {ignores}");
    }
}

#[test]
fn a_replica_that_is_cut_off_hears_no_more() {
    let mut net = Net::chain(2, 16, &[("repl-backlog-size", "16kb")]);
    net.settle();
    for line in ["MULTI", "CLIENT KILL TYPE replica", &format!("SET a {}", "x".repeat(100_000)), "EXEC"] {
        net.ask(0, line);
    }
    net.settle();
    assert_eq!(net.info(0, "sync_full"), "2");
}

#[test]
fn servers_that_follow_each_other_in_a_circle_keep_their_data() {
    for length in [2, 3] {
        let mut net = Net::chain(length, 17, &[]);
        net.ask(0, "SET a 1");
        net.settle();
        net.ask(0, &format!("REPLICAOF host {length}"));
        for _ in 0..300 {
            net.step();
        }
        for at in 0..length {
            assert_eq!(net.ask(at, "GET a"), "\"1\"", "{at} of {length}");
            assert!(net.ask(at, "SET a 2").starts_with("-READONLY"));
        }
        assert!(net.pipes.len() <= length, "one attempt at a time");
        assert_eq!(net.ask(0, "REPLICAOF NO ONE"), "+OK");
        net.settle();
        assert_eq!(net.ask(0, "SET a 2"), "+OK");
        net.settle();
        assert_eq!(net.ask(length - 1, "GET a"), "\"2\"");
    }
}

#[test]
fn an_error_of_the_primarys_command_is_counted() {
    // the data of a replica that others write to may differ: it goes on
    let mut net = Net::chain(2, 15, &[("replica-read-only", "no"), ("propagation-error-behavior", "panic")]);
    net.settle();
    net.ask(1, "SET n text");
    assert_eq!(net.ask(0, "INCR n"), ":1");
    assert_eq!(net.ask(0, "DEBUG REPLICATE no-such-command"), "+OK");
    for _ in 0..20 {
        net.step();
    }
    assert_eq!(net.info(1, "unexpected_error_replies"), "2");
    assert_eq!(net.info(1, "master_link_status"), "up");
}

#[test]
#[should_panic(expected = "propagation-error-behavior ends the server")]
fn a_replica_may_be_told_to_end_rather_than_to_differ() {
    let mut net = Net::chain(2, 16, &[("propagation-error-behavior", "panic-on-replicas")]);
    net.settle();
    net.ask(0, "SET n 1");
    net.ask(0, "DEBUG REPLICATE LPUSH n x");
    for _ in 0..20 {
        net.step();
    }
}

#[test]
fn a_transaction_cut_in_the_middle_is_done_once_and_whole() {
    let mut net = Net::chain(2, 5, &[]);
    net.settle();
    for cut_at in (1..120).step_by(3) {
        net.ask(0, "MULTI");
        net.ask(0, "INCR n");
        net.ask(0, "RPUSH l x");
        net.ask(0, "EXEC");
        let pipe = &mut net.pipes[0];
        let (world, client) = pipe.primary;
        let bytes = net.worlds[world].take_output(client);
        let (replica, here) = pipe.replica;
        net.worlds[replica].send_raw(here, &bytes[..cut_at.min(bytes.len())]);
        let (n, l) = (net.ask(1, "GET n"), net.ask(1, "LLEN l"));
        assert_eq!(n.trim_matches('"').replace("(nil)", "0"), l.trim_start_matches(':'), "half a transaction");
        net.cut(0);
        net.settle();
    }
    assert_eq!(net.info(0, "sync_full"), "1");
    assert_eq!(net.ask(1, "GET n"), "\"40\"");
}

#[test]
fn a_message_reaches_subscribers_down_the_chain() {
    let mut net = Net::chain(3, 6, &[]);
    net.settle();
    let listener = net.worlds[2].connect();
    net.worlds[2].ask(listener, "SUBSCRIBE news");
    net.ask(0, "PUBLISH news today");
    net.settle();
    assert_eq!(net.worlds[2].received(listener), ["[\"message\", \"news\", \"today\"]"]);
}

#[test]
fn writes_wait_for_enough_replicas_and_readers_for_the_primary() {
    let mut net = Net::chain(2, 8, &[("min-replicas-to-write", "1"), ("replica-serve-stale-data", "no")]);
    assert_eq!(net.ask(0, "SET a 1"), "-NOREPLICAS Not enough good replicas to write.");
    assert_eq!(net.ask(1, "GET a"), "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.");
    net.settle();
    assert_eq!(net.ask(0, "SET a 1"), "+OK");
    assert_eq!(net.info(0, "min_slaves_good_slaves"), "1");
    assert_eq!(net.ask(1, "PING"), "+PONG");
    net.cut(0);
    assert_eq!(net.ask(0, "SET a 1"), "-NOREPLICAS Not enough good replicas to write.");
    assert!(net.ask(1, "GET a").starts_with("-MASTERDOWN"));
}

#[test]
fn waiting_for_too_many_ends_in_time_with_how_many_there_were() {
    let mut net = Net::chain(2, 9, &[]);
    net.settle();
    net.ask(0, "SET a 1");
    assert_eq!(net.ask(0, "WAIT 2 300"), "");
    for _ in 0..20 {
        net.step();
    }
    let admin = net.admins[0];
    assert_eq!(net.worlds[0].received(admin), [":1"]);
    assert_eq!(net.ask(0, "WAITAOF 0 1 1"), "");
    net.worlds[0].pass_ms(5);
    assert_eq!(net.worlds[0].received(admin), ["[:0, :0]"]);
    net.ask(0, "MULTI");
    net.ask(0, "WAIT 5 0");
    assert_eq!(net.ask(0, "EXEC"), "[:1]");
}

#[test]
fn a_primary_that_talks_nonsense_leaves_data_and_clients_alone() {
    let snapshot = format!("+FULLRESYNC {} 5\r\n", "d".repeat(40));
    let cases = [
        "hello\r\n".to_string(),
        "+PONG\r\n+OK\r\n+OK\r\n+OK\r\n+WHAT\r\n".into(),
        "+PONG\r\n+OK\r\n+OK\r\n+OK\r\n-NOMASTERLINK not yet\r\n".into(),
        format!("+PONG\r\n+OK\r\n+OK\r\n+OK\r\n{snapshot}$3\r\nabc"),
        format!("+PONG\r\n+OK\r\n+OK\r\n+OK\r\n{snapshot}$25\r\nREDIS0010 and then garbage"),
        format!("+PONG\r\n+OK\r\n+OK\r\n+OK\r\n{snapshot}$EOF:{}\r\nREDIS0099{}", "e".repeat(40), "e".repeat(40)),
        format!("+PONG\r\n+OK\r\n+OK\r\n+OK\r\n{snapshot}$9223372036854775807\r\nREDIS0010"),
    ];
    for case in cases {
        let mut world = World::with(&[]);
        let client = world.connect();
        world.ask(client, "SET precious 1");
        world.ask(client, "REPLICAOF host 1");
        for _ in 0..3 {
            let dial = loop {
                if let Some(dial) = world.server.take_dial() {
                    break dial;
                }
                world.pass_ms(100);
            };
            let link = world.server.link_up(dial.attempt, 0, Peer::default()).expect("just wished for");
            world.send_raw(link, case.as_bytes());
            world.server.take_closing();
            world.disconnect(link);
            assert_eq!(world.ask(client, "GET precious"), "\"1\"", "{case}");
            assert!(world.server.take_dial().is_none(), "the next attempt comes after a pause");
        }
    }
}

#[test]
fn a_replica_cannot_acknowledge_the_future() {
    let mut world = World::with(&[("repl-diskless-sync-delay", "0")]);
    let (client, replica) = (world.connect(), world.connect());
    world.send_raw(replica, &request("PSYNC ? -1"));
    world.pass_ms(200);
    assert!(world.take_output(replica).starts_with(b"+FULLRESYNC "));
    world.ask(client, "SET a 1");
    world.send_raw(replica, &request("REPLCONF ACK 999999999"));
    world.send_raw(replica, &request("REPLCONF ACK -5"));
    world.send_raw(replica, &request("REPLCONF ACK nonsense"));
    assert_eq!(world.ask(client, "WAIT 1 0"), ":1");
    world.ask(client, "SET a 2");
    assert_eq!(world.ask(client, "WAIT 1 100"), "");
    world.pass_ms(200);
    assert_eq!(world.received(client), [":0"]);
}

#[test]
fn who_asks_by_sync_gets_a_snapshot_and_the_stream() {
    let mut world = World::with(&[("repl-diskless-sync-delay", "0")]);
    let (client, replica) = (world.connect(), world.connect());
    world.ask(client, "SET a 1");
    world.send_raw(replica, &request("SYNC"));
    world.pass_ms(200);
    let bytes = world.take_output(replica);
    assert!(bytes.starts_with(b"$") && bytes.windows(5).any(|window| window == b"REDIS"));
    world.ask(client, "SET b 1");
    assert!(world.take_output(replica).ends_with(b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n1\r\n"));
}

#[test]
fn the_words_of_replication() {
    check(&[
        ("WAIT x 0", "-ERR value is not an integer or out of range"),
        ("WAIT 0 x", "-ERR timeout is not an integer or out of range"),
        ("WAIT 0 -1", "-ERR timeout is negative"),
        ("WAIT -1 0", ":0"),
        ("WAIT 0 0", ":0"),
        ("WAIT 0", "-ERR wrong number of arguments for 'wait' command"),
        ("WAITAOF 2 0 0", "-ERR value is out of range, value must between 0 and 1"),
        ("WAITAOF x 0 0", "-ERR value is not an integer or out of range"),
        ("WAITAOF 0 x 0", "-ERR value is out of range, must be positive"),
        ("WAITAOF 0 0 x", "-ERR timeout is not an integer or out of range"),
        ("WAITAOF 0 0 -1", "-ERR timeout is negative"),
        ("WAITAOF 1 0 0", "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."),
        ("WAITAOF 0 0 0", "[:0, :0]"),
        ("REPLICAOF NO ONE", "+OK"),
        ("SLAVEOF no one", "+OK"),
        ("REPLICAOF a x", "-ERR Invalid master port"),
        ("REPLICAOF a 99999999", "-ERR Invalid master port"),
        ("REPLCONF", "+OK"),
        ("REPLCONF a", "-ERR syntax error"),
        ("REPLCONF foo bar", "-ERR Unrecognized REPLCONF option: foo"),
        ("REPLCONF capa x", "+OK"),
        ("REPLCONF listening-port x", "-ERR value is not an integer or out of range"),
        ("REPLCONF rdb-only x", "-ERR value is not an integer or out of range"),
        ("REPLCONF rdb-filter-only x", "-ERR Unsupported rdb-filter-only option: x"),
        ("MULTI", "+OK"),
        ("PSYNC ? -1", "-ERR Command not allowed inside a transaction"),
        ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
        ("PSYNC ? x", "-ERR value is not an integer or out of range"),
    ]);
}
