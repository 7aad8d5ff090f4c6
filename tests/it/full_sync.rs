//! Snapshots on their way: from a primary, into a replica, and at the start. No sockets, no processes.

use ruddle::persist::storage::faulty::Faulty;
use ruddle::server::client::{ClientKey, Peer};

use crate::harness::{World, request};

fn field(world: &mut World, client: ClientKey, name: &str) -> String {
    let text = world.ask(client, "INFO everything");
    let line = text.split("\\r\\n").flat_map(|part| part.split("\r\n"));
    let line = line.map(|line| line.trim_matches('"')).find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).to_string()
}

/// A primary with some data, and somebody who asks.
fn primary(directives: &[(&str, &str)]) -> (World, ClientKey) {
    let mut all = vec![("repl-diskless-sync-delay", "0"), ("save", ""), ("enable-debug-command", "yes")];
    all.extend_from_slice(directives);
    let mut world = World::with(&all);
    let client = world.connect();
    world.ask(client, "DEBUG POPULATE 3000 key 200");
    (world, client)
}

fn replica(world: &mut World, capabilities: &str) -> ClientKey {
    let key = world.connect();
    if !capabilities.is_empty() {
        world.ask(key, &format!("REPLCONF {capabilities}"));
    }
    world.send_raw(key, &request("PSYNC ? -1"));
    key
}

/// Lets a replica take all that comes until nothing more does.
fn take_all(world: &mut World, key: ClientKey) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..200 {
        world.pass_ms(20);
        all.extend(world.take_output(key));
    }
    all
}

/// The lines before a snapshot, and what is behind them.
fn split(bytes: &[u8]) -> (String, String, &[u8]) {
    let mut rest = bytes;
    let mut line = || {
        let end = rest.iter().position(|&byte| byte == b'\n').expect("a line");
        let text = String::from_utf8_lossy(&rest[..end]).trim_end().to_string();
        rest = &rest[end + 1..];
        text
    };
    let answer = line();
    let size = std::iter::from_fn(|| Some(line())).find(|line| !line.is_empty()).expect("a size");
    (answer, size, rest)
}

#[test]
fn what_is_sent_as_it_is_made_ends_with_the_mark() {
    let (mut world, client) = primary(&[]);
    let key = replica(&mut world, "capa eof capa psync2");
    assert!(field(&mut world, client, "slave0").contains("state=wait_bgsave"));
    assert_eq!(field(&mut world, client, "rdb_bgsave_in_progress"), "1");
    world.ask(client, "SET after the-fork");
    let bytes = take_all(&mut world, key);
    let (answer, size, rest) = split(&bytes);
    assert!(answer.starts_with("+FULLRESYNC ") && answer.ends_with(" 0"), "{answer}");
    let mark = size.strip_prefix("$EOF:").expect("a mark").as_bytes();
    assert!(mark.len() == 40 && rest.starts_with(b"REDIS") && rest.ends_with(mark), "a snapshot and its mark, and nothing of the stream");
    assert!(!rest.windows(8).any(|window| window == b"the-fork"));
    assert!(field(&mut world, client, "slave0").contains("state=online"));
    assert_eq!(field(&mut world, client, "rdb_bgsave_in_progress"), "0");
    // nothing of the stream before it has said that it is ready
    world.send_raw(key, &request("REPLCONF ACK 0"));
    let stream = take_all(&mut world, key);
    assert!(stream.windows(8).any(|window| window == b"the-fork"));
    assert_eq!((field(&mut world, client, "sync_full"), field(&mut world, client, "rdb_saves")), ("1".into(), "0".into()));
}

#[test]
fn who_reads_no_marks_is_sent_the_file_and_the_stream_behind_it() {
    for (sync, capabilities) in [("yes", "capa psync2"), ("no", "capa eof capa psync2"), ("yes", "")] {
        let (mut world, client) = primary(&[("repl-diskless-sync", sync)]);
        let key = replica(&mut world, capabilities);
        world.ask(client, "SET after the-fork");
        let bytes = take_all(&mut world, key);
        let (_, size, rest) = split(&bytes);
        let length: usize = size.strip_prefix('$').expect("a length").parse().expect("a number");
        assert!(rest.starts_with(b"REDIS") && rest.len() > length);
        assert!(rest[length..].windows(8).any(|window| window == b"the-fork"), "the stream follows at once");
        assert_eq!(field(&mut world, client, "rdb_saves"), "1");
    }
}

#[test]
fn a_file_in_the_making_is_shared_and_a_pipe_is_not() {
    for (sync, saves) in [("no", "1"), ("yes", "0")] {
        let (mut world, client) = primary(&[("repl-diskless-sync", sync)]);
        let first = replica(&mut world, "capa eof capa psync2");
        world.ask(client, "SET between 1");
        let second = replica(&mut world, "capa eof capa psync2");
        let mut got = [Vec::new(), Vec::new()];
        for _ in 0..100 {
            world.pass_ms(20);
            got[0].extend(world.take_output(first));
            got[1].extend(world.take_output(second));
        }
        let same = split(&got[0]).0 == split(&got[1]).0;
        assert_eq!(same, sync == "no", "one place in the history for those who share a save");
        assert_eq!(field(&mut world, client, "sync_full"), "2");
        assert_eq!(field(&mut world, client, "rdb_saves"), saves);
        if same {
            assert_eq!(got[0], got[1]);
        }
    }
}

#[test]
fn who_goes_away_disturbs_nobody_and_the_last_one_ends_the_save() {
    let (mut world, client) = primary(&[("repl-diskless-sync-delay", "5"), ("repl-diskless-sync-max-replicas", "2")]);
    let gone = replica(&mut world, "capa eof");
    assert_eq!(field(&mut world, client, "rdb_bgsave_in_progress"), "0", "it waits for another");
    let stays = replica(&mut world, "capa eof");
    assert_eq!(field(&mut world, client, "rdb_bgsave_in_progress"), "1");
    world.disconnect(gone);
    let bytes = take_all(&mut world, stays);
    assert!(split(&bytes).2.starts_with(b"REDIS"));
    assert!(field(&mut world, client, "slave0").contains("state=online"));
    world.disconnect(stays);
    for sync in ["yes", "no"] {
        world.ask(client, &format!("CONFIG SET repl-diskless-sync {sync} repl-diskless-sync-delay 0"));
        let last = replica(&mut world, "capa eof");
        assert_eq!(field(&mut world, client, "rdb_bgsave_in_progress"), "1");
        world.disconnect(last);
        assert_eq!(field(&mut world, client, "rdb_bgsave_in_progress"), "0");
        assert_eq!(field(&mut world, client, "connected_slaves"), "0");
    }
    // with rules for snapshots the file is of use to others
    world.ask(client, "CONFIG SET save \"900 1\"");
    let last = replica(&mut world, "capa eof");
    world.disconnect(last);
    assert_eq!(field(&mut world, client, "rdb_bgsave_in_progress"), "1");
    assert_eq!(world.ask(client, "FLUSHALL"), "+OK");
    assert_eq!(field(&mut world, client, "rdb_bgsave_in_progress"), "0");
}

#[test]
fn what_is_kept_for_a_waiting_replica_counts_against_its_limit() {
    let (mut world, client) = primary(&[("repl-backlog-size", "16kb"), ("client-output-buffer-limit", "replica 64kb 0 0")]);
    let key = replica(&mut world, "capa eof capa psync2");
    for number in 0..40 {
        world.ask(client, &format!("SET big{number} {}", "x".repeat(1024)));
    }
    let held: u64 = field(&mut world, client, "repl_backlog_histlen").parse().expect("a number");
    assert!(held > 40 * 1024, "the history is kept for it: {held}");
    assert!(world.server.take_closing().is_empty());
    for number in 0..40 {
        world.ask(client, &format!("SET big{number} {}", "x".repeat(1024)));
    }
    assert_eq!(world.server.take_closing(), [key]);
    world.disconnect(key);
    for _ in 0..100 {
        world.pass_ms(100);
    }
    let held: u64 = field(&mut world, client, "repl_backlog_histlen").parse().expect("a number");
    assert!(held < 24 * 1024, "nobody waits any more: {held}");
}

#[test]
fn a_replica_that_asks_for_something_is_cut_off() {
    for words in ["PING", "GET a", "SLOWLOG GET", "NOSUCH"] {
        let (mut world, _) = primary(&[]);
        let key = replica(&mut world, "capa eof");
        world.send_raw(key, &request(words));
        assert_eq!(world.server.take_closing(), [key], "{words}");
        assert!(world.take_output(key).is_empty(), "{words}");
    }
}

#[test]
fn only_some_of_the_data() {
    let (mut world, client) = primary(&[]);
    let key = world.connect();
    world.ask(key, "REPLCONF rdb-filter-only functions");
    world.send_raw(key, &request("SYNC"));
    assert_eq!(String::from_utf8_lossy(&world.take_output(key)), "-ERR Filtered replica requires EOF capability\r\n");
    world.ask(key, "REPLCONF capa eof rdb-only 1");
    world.send_raw(key, &request("SYNC"));
    let bytes = take_all(&mut world, key);
    assert!(bytes.starts_with(b"$EOF:") && bytes.len() < 1000, "no keys");
    assert_eq!(field(&mut world, client, "rdb_saves"), "0");
}

/// A snapshot of so many keys.
fn snapshot(keys: usize) -> Vec<u8> {
    let storage = Faulty::new();
    let (mut world, client) = primary(&[]);
    world.server.state.snapshots.storage = Box::new(storage.clone());
    world.ask(client, "FLUSHALL");
    world.ask(client, &format!("DEBUG POPULATE {keys} key 10"));
    world.ask(client, "RPUSH list a b c");
    assert_eq!(world.ask(client, "SAVE"), "+OK");
    storage.contents("dump.rdb").expect("saved")
}

#[test]
fn clients_are_served_while_data_is_loaded() {
    let storage = Faulty::new();
    storage.put("dump.rdb", &snapshot(20_000));
    let mut world = World::with(&[]);
    world.server.state.snapshots.storage = Box::new(storage);
    let client = world.connect();
    world.server.begin_loading().expect("a file");
    let loading = "-LOADING Redis is loading the dataset in memory";
    assert_eq!(world.ask(client, "GET key:1"), loading);
    assert_eq!(world.ask(client, "PING"), loading);
    assert_eq!(world.ask(client, "CONFIG SET appendonly yes"), loading);
    assert_eq!(world.ask(client, "CONFIG SET hz 11"), "+OK");
    assert_eq!(world.ask(client, "MULTI"), "+OK");
    assert_eq!(world.ask(client, "GET a"), loading);
    assert_eq!(world.ask(client, "EXEC"), "-EXECABORT Transaction discarded because of previous errors.");
    assert_eq!(field(&mut world, client, "loading"), "1");
    let mut turns = 0;
    let mut last = 0;
    while world.server.is_loading() {
        turns += 1;
        world.pass_ms(1);
        if world.server.is_loading() {
            let loaded: u64 = field(&mut world, client, "loading_loaded_bytes").parse().expect("a number");
            let total: u64 = field(&mut world, client, "loading_total_bytes").parse().expect("a number");
            assert!(loaded >= last && loaded <= total && total > 0);
            assert!(field(&mut world, client, "loading_loaded_perc").contains('.'));
            assert!(field(&mut world, client, "loading_rdb_used_mem").parse::<u64>().is_ok_and(|bytes| bytes > 0));
            assert_eq!(world.ask(client, "DBSIZE"), loading);
            last = loaded;
        }
    }
    assert!((3..10).contains(&turns), "in slices: {turns}");
    assert_eq!(field(&mut world, client, "loading"), "0");
    assert_eq!(world.ask(client, "DBSIZE"), ":20001");
    assert_eq!(field(&mut world, client, "rdb_last_load_keys_loaded"), "20001");
}

#[test]
fn a_damaged_file_stops_the_start_and_a_shutdown_does_not_save_half_of_it() {
    let bytes = snapshot(10_000);
    for damage in [bytes.len() / 2, bytes.len() - 1] {
        let storage = Faulty::new();
        let mut damaged = bytes.clone();
        damaged.truncate(damage);
        storage.put("dump.rdb", &damaged);
        let mut world = World::with(&[]);
        world.server.state.snapshots.storage = Box::new(storage);
        world.server.begin_loading().expect("a file");
        assert!(world.server.finish_loading().expect_err("damaged").starts_with("Fatal error loading the DB from dump.rdb"));
    }
    let storage = Faulty::new();
    storage.put("dump.rdb", &bytes);
    let mut world = World::with(&[]);
    world.server.state.snapshots.storage = Box::new(storage.clone());
    world.server.begin_loading().expect("a file");
    let client = world.connect();
    world.send_raw(client, &request("SHUTDOWN SAVE"));
    assert!(world.server.is_stopping());
    assert_eq!(storage.contents("dump.rdb"), Some(bytes));
}

/// A replica with a key of its own that is being told what `pieces` say; gives what it answers for that key then.
struct Follower {
    world: World,
    client: ClientKey,
    storage: Faulty,
    link: ClientKey,
}

const HISTORY: &str = "dddddddddddddddddddddddddddddddddddddddd";

impl Follower {
    fn new(load: &str) -> Follower {
        let mut world = World::with(&[("repl-diskless-load", load), ("save", "")]);
        let storage = Faulty::new();
        world.server.state.snapshots.storage = Box::new(storage.clone());
        let client = world.connect();
        world.ask(client, "SET precious 1");
        world.ask(client, "REPLICAOF host 1");
        let mut follower = Follower { world, client, storage, link: ClientKey(0) };
        follower.dial();
        follower
    }

    fn dial(&mut self) {
        self.introduce();
        self.hear(format!("+FULLRESYNC {HISTORY} 5\r\n").as_bytes());
    }

    /// A new link, up to the question for the stream; gives that.
    fn introduce(&mut self) -> String {
        for _ in 0..30 {
            if let Some(dial) = self.world.server.take_dial() {
                self.link = self.world.server.link_up(dial.attempt, 0, Peer::default()).expect("just wished for");
                self.hear(b"+PONG\r\n+OK\r\n+OK\r\n+OK\r\n");
                let said = String::from_utf8(self.world.take_output(self.link)).expect("text");
                let asked = said.rsplit_once("PSYNC\r\n").expect("it asks").1;
                return asked.split("\r\n").filter(|word| !word.is_empty() && !word.starts_with('$')).collect::<Vec<_>>().join(" ");
            }
            self.world.pass_ms(100);
        }
        panic!("it never dials");
    }

    /// It has the snapshot, and the link is up.
    fn synchronize(&mut self) {
        let bytes = snapshot(10);
        self.hear(format!("${}\r\n", bytes.len()).as_bytes());
        self.hear(&bytes);
        while self.world.server.is_loading() {
            self.world.pass_ms(1);
        }
        assert_eq!(field(&mut self.world, self.client, "master_link_status"), "up");
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.world.send_raw(self.link, bytes);
    }

    /// What the server wants closed is closed.
    fn close(&mut self) -> bool {
        let closed = self.world.server.take_closing();
        for &key in &closed {
            self.world.disconnect(key);
        }
        self.world.pass_ms(1);
        !closed.is_empty()
    }

    fn precious(&mut self) -> String {
        self.world.ask(self.client, "GET precious")
    }

    fn drafts(&self) -> Vec<String> {
        use ruddle::persist::storage::Storage;
        self.storage.list(".").expect("no faults").into_iter().filter(|name| name.starts_with("temp-")).collect()
    }
}

const LOADING: &str = "-LOADING Redis is loading the dataset in memory";

#[test]
fn a_snapshot_comes_in_any_pieces_by_any_way() {
    let bytes = snapshot(500);
    let mark = "e".repeat(40);
    for load in ["disabled", "on-empty-db", "swapdb"] {
        for (size, with_mark) in [(1, true), (7, false), (100, true), (1000, true), (100_000, false)] {
            let mut follower = Follower::new(load);
            let head = if with_mark { format!("\n\n$EOF:{mark}\r\n") } else { format!("${}\r\n", bytes.len()) };
            let tail = if with_mark { mark.as_str() } else { "" };
            let all = [head.as_bytes(), &bytes, tail.as_bytes()].concat();
            let (first, rest) = all.split_at(all.len() / 2);
            first.chunks(size).for_each(|piece| follower.hear(piece));
            let expected = if load == "swapdb" { LOADING } else { "\"1\"" };
            assert_eq!(follower.precious(), expected, "{load} {size}");
            assert_eq!(field(&mut follower.world, follower.client, "master_sync_in_progress"), "1");
            rest.chunks(size).for_each(|piece| follower.hear(piece));
            while follower.world.server.is_loading() {
                follower.world.pass_ms(1);
            }
            assert_eq!(field(&mut follower.world, follower.client, "master_link_status"), "up", "{load} {size}");
            assert_eq!(follower.precious(), "(nil)");
            assert_eq!(follower.world.ask(follower.client, "DBSIZE"), ":501");
            follower.hear(&request("SET next 1"));
            assert_eq!(follower.world.ask(follower.client, "GET next"), "\"1\"");
            assert_eq!(follower.drafts(), Vec::<String>::new());
            assert_eq!(follower.storage.contents("dump.rdb").is_some(), load != "swapdb", "the file is kept as the snapshot");
        }
    }
}

#[test]
fn of_the_same_history_the_old_data_is_shown_meanwhile() {
    let bytes = snapshot(100);
    let mut follower = Follower::new("swapdb");
    follower.hear(format!("${}\r\n", bytes.len()).as_bytes());
    follower.hear(&bytes);
    assert_eq!(field(&mut follower.world, follower.client, "master_link_status"), "up");
    follower.world.disconnect(follower.link);
    follower.dial();
    follower.hear(format!("${}\r\n", bytes.len()).as_bytes());
    follower.hear(&bytes[..bytes.len() / 2]);
    let Follower { world, client, .. } = &mut follower;
    assert_eq!((field(world, *client, "loading"), field(world, *client, "async_loading")), ("0".into(), "1".into()));
    assert_eq!(world.ask(*client, "GET key:1"), "\"value:1\\x00\\x00\\x00\"");
    assert_eq!(world.ask(*client, "REPLICAOF NO ONE"), LOADING);
    assert_eq!(world.ask(*client, "CONFIG SET appendonly no"), LOADING);
    follower.hear(&bytes[bytes.len() / 2..]);
    assert_eq!(field(&mut follower.world, follower.client, "async_loading"), "0");
    assert_eq!(follower.world.ask(follower.client, "DBSIZE"), ":101");
}

#[test]
fn what_is_no_snapshot_costs_no_data_where_redis_keeps_it() {
    let good = snapshot(200);
    let mut wrong_sum = good.clone();
    let at = wrong_sum.len() - 3;
    wrong_sum[at] ^= 1;
    let sized = |bytes: &[u8]| [format!("${}\r\n", bytes.len()).as_bytes(), bytes].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("garbage", sized(b"no snapshot at all, whatever it is")),
        ("a newer version", sized(b"REDIS0099 and more")),
        ("cut short", sized(&good[..good.len() / 2])),
        ("a wrong checksum", sized(&wrong_sum)),
        ("an error", b"-LOADING later\r\n".to_vec()),
        ("no password", b"-NOAUTH Authentication required.\r\n".to_vec()),
        ("no size", b"*1\r\n$4\r\nPING\r\n".to_vec()),
        ("a size that is none", b"$-5\r\n".to_vec()),
        ("endless", b"$9223372036854775807\r\nREDIS0010".to_vec()),
    ];
    for load in ["disabled", "swapdb", "on-empty-db"] {
        for (name, said) in &cases {
            let mut follower = Follower::new(load);
            for attempt in 0..3 {
                if attempt > 0 {
                    follower.dial();
                }
                for piece in said.chunks(333) {
                    if follower.world.server.state.clients.get(follower.link).is_some() {
                        follower.hear(piece);
                    }
                }
                if !follower.close() {
                    assert_eq!(*name, "endless", "{load}: the link is cut");
                    follower.world.disconnect(follower.link);
                    follower.world.pass_ms(1);
                }
                assert_eq!(follower.precious(), "\"1\"", "{load}: {name}");
                assert_eq!(field(&mut follower.world, follower.client, "loading"), "0", "{load}: {name}");
                assert!(follower.world.server.take_dial().is_none(), "the next attempt comes after a pause");
                assert_eq!(follower.drafts(), Vec::<String>::new(), "{load}: {name}");
            }
        }
    }
}

#[test]
fn half_of_the_data_is_not_kept_where_there_was_none() {
    let bytes = snapshot(2000);
    let mut follower = Follower::new("on-empty-db");
    follower.world.ask(follower.client, "REPLICAOF NO ONE");
    follower.world.ask(follower.client, "FLUSHALL");
    follower.world.ask(follower.client, "REPLICAOF host 1");
    follower.dial();
    follower.hear(format!("${}\r\n", bytes.len()).as_bytes());
    for piece in bytes[..bytes.len() / 2].chunks(100) {
        follower.hear(piece);
    }
    assert_eq!(follower.world.ask(follower.client, "DBSIZE"), LOADING);
    follower.world.disconnect(follower.link);
    follower.world.pass_ms(1);
    assert_eq!(follower.world.ask(follower.client, "DBSIZE"), ":0");
    assert_eq!(field(&mut follower.world, follower.client, "loading"), "0");
}

#[test]
fn files_that_were_made_for_replication_alone_can_be_removed() {
    for keep in [true, false] {
        let storage = Faulty::new();
        let (mut world, _) = primary(&[("repl-diskless-sync", "no"), ("rdb-del-sync-files", if keep { "no" } else { "yes" })]);
        world.server.state.snapshots.storage = Box::new(storage.clone());
        let key = replica(&mut world, "capa eof");
        assert!(storage.contents("dump.rdb").is_some());
        take_all(&mut world, key);
        world.pass_ms(1000);
        assert_eq!(storage.contents("dump.rdb").is_some(), keep);
    }
    let bytes = snapshot(10);
    let mut follower = Follower::new("disabled");
    follower.world.ask(follower.client, "CONFIG SET rdb-del-sync-files yes");
    follower.hear(format!("${}\r\n", bytes.len()).as_bytes());
    follower.hear(&bytes);
    follower.world.pass_ms(1);
    assert_eq!(follower.world.ask(follower.client, "DBSIZE"), ":11");
    assert_eq!((follower.storage.contents("dump.rdb"), follower.drafts()), (None, Vec::new()));
}

#[test]
fn a_full_disk_ends_the_attempt() {
    let bytes = snapshot(2000);
    let mut follower = Follower::new("disabled");
    follower.storage.limit(5_000);
    follower.hear(format!("${}\r\n", bytes.len()).as_bytes());
    follower.hear(&bytes[..4000]);
    follower.hear(&bytes[4000..12_000]);
    assert!(follower.close());
    assert_eq!(follower.precious(), "\"1\"");
    follower.storage.repair();
    follower.dial();
    follower.hear(format!("${}\r\n", bytes.len()).as_bytes());
    follower.hear(&bytes);
    while follower.world.server.is_loading() {
        follower.world.pass_ms(1);
    }
    assert_eq!(follower.world.ask(follower.client, "DBSIZE"), ":2001");
}

#[test]
fn within_what_stands_for_a_command_is_no_place_to_be_at() {
    let set = request("SET next 1");
    // what a primary says before the link is cut, and how far the replica is then
    let cases: &[(&[&[u8]], usize)] = &[
        (&[&set], set.len()),
        (&[&set, b"\n\n\n"], set.len()),
        (&[&set, b"\n\n", b"\n\n\r"], set.len()),
        (&[&set, b"\n\n", b"\n\n\r", b"\n"], set.len() + 6),
        (&[b"\n\r\n\n", b"\n\n\n\r\n\n"], 9),
        (&[b"\n\n\n", &set], set.len() + 3),
        (&[b"\n\n\n", &set[..10]], 0),
        (&[&[&set, b"\n\n\r\n".as_slice()].concat()], set.len() + 4),
        (&[&[&set, b"\n\n\r\n\n\n".as_slice()].concat(), b"\n"], set.len() + 4),
        (&[&request("MULTI"), b"\n\n\r\n", &set], 0),
        (&[&request("MULTI"), b"\n\n\r\n", &request("EXEC"), b"\n"], request("MULTI").len() + 4 + request("EXEC").len()),
    ];
    for (said, bytes) in cases {
        let mut follower = Follower::new("disabled");
        follower.synchronize();
        said.iter().for_each(|piece| follower.hear(piece));
        let shown = said.iter().map(|piece| String::from_utf8_lossy(piece)).collect::<String>();
        assert_eq!(field(&mut follower.world, follower.client, "slave_repl_offset"), (5 + bytes).to_string(), "{shown:?}");
        follower.world.disconnect(follower.link);
        assert_eq!(follower.introduce(), format!("{HISTORY} {}", 5 + bytes + 1), "{shown:?}");
    }
}

#[test]
fn a_primary_that_breaks_the_protocol_is_asked_for_all_data() {
    for nonsense in ["ACK\r\n$1\r\n*\r\n*3\r\n", "SET b 1\r\n", "*\r\n", "*1\r\n:5\r\n", "'\r\n"] {
        let mut follower = Follower::new("disabled");
        follower.synchronize();
        let said = [request("SET next 1"), nonsense.into(), request("SET next 2")].concat();
        follower.hear(&said);
        assert!(follower.close(), "the link is cut");
        assert_eq!(follower.world.ask(follower.client, "MGET next b"), "[\"1\", (nil)]");
        let place = (5 + request("SET next 1").len()).to_string();
        assert_eq!(field(&mut follower.world, follower.client, "slave_repl_offset"), place, "{nonsense:?}");
        assert_eq!(follower.introduce(), "? -1", "{nonsense:?}");
    }
}
