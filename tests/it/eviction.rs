//! The memory ceiling: who goes when memory is short, and who is told.
//!
//! The memory in use is that of the test's thread, so limits are set relative to it. Histograms of latency, which
//! come with the first call of a command, are left out of it.

use crate::harness::World;
use ruddle::base::memory;
use ruddle::keyspace::DbIndex;
use ruddle::resp::Protocol;
use ruddle::server::client::{ClientFlags, ClientKey};

const KB: usize = 1024;

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.";

/// A server with a policy, and a client.
fn world(policy: &str) -> (World, ClientKey) {
    let mut world = World::with(&[("maxmemory-policy", policy), ("latency-tracking", "no")]);
    let client = world.connect();
    (world, client)
}

/// Lets the data grow by so much, or makes it shrink.
fn limit(world: &mut World, client: ClientKey, more: isize) {
    let bytes = memory::used().saturating_add_signed(more);
    assert_eq!(world.ask(client, &format!("CONFIG SET maxmemory {bytes}")), "+OK");
}

/// Sets keys of a kilobyte; `tail` follows the value.
fn fill(world: &mut World, client: ClientKey, prefix: &str, keys: usize, tail: &str) {
    let value = "v".repeat(KB);
    for i in 0..keys {
        assert_eq!(world.ask(client, &format!("SET {prefix}{i} {value} {tail}")), "+OK", "{prefix}{i}");
    }
}

fn count(world: &mut World, client: ClientKey, prefix: &str, keys: usize) -> usize {
    (0..keys).filter(|i| world.ask(client, &format!("EXISTS {prefix}{i}")) == ":1").count()
}

fn evicted(world: &World) -> u64 {
    world.server.keyspace.stats.evicted
}

fn info(world: &mut World, client: ClientKey, field: &str) -> String {
    let text = world.ask(client, "INFO everything");
    let found = text.split("\\r\\n").find_map(|line| line.strip_prefix(&format!("{field}:")).map(str::to_string));
    found.unwrap_or_else(|| panic!("INFO has {field}"))
}

#[test]
fn without_a_policy_commands_that_take_memory_are_refused() {
    let (mut world, client) = world("noeviction");
    fill(&mut world, client, "k", 10, "");
    limit(&mut world, client, -5000);
    for (line, reply) in [
        ("SET a b", OOM),
        ("APPEND k0 x", OOM),
        ("LPUSH l a", OOM),
        ("EXISTS k0", ":1"),
        ("GET nokey", "(nil)"),
        ("PING", "+PONG"),
        ("STRLEN k0", ":1024"),
        ("EXPIRE k0 100", ":1"),
        ("MULTI", "+OK"),
        ("GET k0", OOM),
        ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
        ("MULTI", "+OK"),
        ("DISCARD", "+OK"),
    ] {
        assert_eq!(world.ask(client, line), reply, "{line}");
    }
    assert_eq!(evicted(&world), 0);
    assert_eq!(info(&mut world, client, "maxmemory_policy"), "noeviction");
    for i in 0..10 {
        assert_eq!(world.ask(client, &format!("DEL k{i}")), ":1");
    }
    assert_eq!(world.ask(client, "SET a b"), "+OK");
}

#[test]
fn a_limit_taken_away_refuses_nobody() {
    let (mut world, client) = world("noeviction");
    fill(&mut world, client, "k", 10, "");
    limit(&mut world, client, -5000);
    assert_eq!(world.ask(client, "SET a b"), OOM);
    assert_eq!(world.ask(client, "CONFIG SET maxmemory 0"), "+OK");
    assert_eq!(world.ask(client, "SET a b"), "+OK");
}

#[test]
fn exec_is_refused_when_memory_ran_out_after_queueing() {
    let (mut world, client) = world("noeviction");
    let other = world.connect();
    fill(&mut world, other, "k", 10, "");
    assert_eq!(world.ask(client, "MULTI"), "+OK");
    assert_eq!(world.ask(client, "SET a b"), "+QUEUED");
    limit(&mut world, other, -5000);
    assert_eq!(
        world.ask(client, "EXEC"),
        "-EXECABORT Transaction discarded because of: OOM command not allowed when used memory > 'maxmemory'."
    );
    assert_eq!(world.ask(client, "MULTI"), "+OK");
}

#[test]
fn every_policy_keeps_the_limit() {
    for policy in ["allkeys-random", "allkeys-lru", "allkeys-lfu", "volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] {
        let (mut world, client) = world(policy);
        limit(&mut world, client, 300 * KB as isize);
        let ceiling = usize::try_from(world.server.state.config.maxmemory.bytes).expect("fits");
        let value = "v".repeat(KB);
        for i in 0..1000 {
            assert_eq!(world.ask(client, &format!("SET k{i} {value} EX {}", 1000 + i)), "+OK", "{policy}");
            assert!(memory::used() < ceiling + 64 * KB, "{policy}: {} over {ceiling}", memory::used());
        }
        assert!(evicted(&world) > 500, "{policy}: {}", evicted(&world));
        assert!(count(&mut world, client, "k", 1000) > 100, "{policy}");
    }
}

#[test]
fn volatile_policies_spare_other_keys() {
    for policy in ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] {
        let (mut world, client) = world(policy);
        fill(&mut world, client, "keep", 100, "");
        fill(&mut world, client, "go", 100, "EX 1000");
        limit(&mut world, client, -50 * KB as isize);
        assert_eq!(world.ask(client, "SET new v"), "+OK", "{policy}");
        assert_eq!(count(&mut world, client, "keep", 100), 100, "{policy}");
        let left = count(&mut world, client, "go", 100);
        assert!((20..60).contains(&left), "{policy}: {left}");
        limit(&mut world, client, -150 * KB as isize);
        assert_eq!(world.ask(client, "SET new w"), OOM, "{policy}");
        assert_eq!(count(&mut world, client, "go", 100), 0, "{policy}");
        assert_eq!(count(&mut world, client, "keep", 100), 100, "{policy}");
    }
}

#[test]
fn a_few_volatile_keys_among_many_are_found() {
    for policy in ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"] {
        let (mut world, client) = world(policy);
        for i in 0..3000 {
            assert_eq!(world.ask(client, &format!("SET plain{i} v")), "+OK");
        }
        fill(&mut world, client, "go", 20, "EX 1000");
        for i in 0..300 {
            // filings without a key that may go: of fields, and of keys that are gone
            assert_eq!(world.ask(client, &format!("SET gone{i} v EX 10")), "+OK");
            assert_eq!(world.ask(client, &format!("DEL gone{i}")), ":1");
            assert_eq!(world.ask(client, &format!("HSET h{i} f v")), ":1");
            assert_eq!(world.ask(client, &format!("HEXPIRE h{i} 100 FIELDS 1 f")), "[:1]");
        }
        limit(&mut world, client, -10 * KB as isize);
        assert_eq!(world.ask(client, "SET new v"), "+OK", "{policy}");
        let left = count(&mut world, client, "go", 20);
        assert!((5..15).contains(&left), "{policy}: {left}");
        assert_eq!(count(&mut world, client, "plain", 3000), 3000, "{policy}");
        assert_eq!(count(&mut world, client, "h", 300), 300, "{policy}");
    }
}

#[test]
fn volatile_ttl_takes_what_expires_first() {
    let (mut world, client) = world("volatile-ttl");
    let value = "v".repeat(KB);
    // in no order, on all levels of the index, and some put off or brought forward later
    for i in (0..60).map(|i| i * 37 % 60) {
        assert_eq!(world.ask(client, &format!("SET k{i} {value} PX {}", 20_000 + i * i * i * 50)), "+OK");
    }
    assert_eq!(world.ask(client, "PEXPIRE k3 900000000"), ":1");
    assert_eq!(world.ask(client, "PEXPIRE k50 10000"), ":1");
    // a turn of the loop sorts the index
    world.pass_ms(1);
    let mut order: Vec<usize> = [50].into_iter().chain((0..60).filter(|i| ![3, 50].contains(i))).chain([3]).collect();
    for _ in 0..60 {
        limit(&mut world, client, -1);
        let before = evicted(&world);
        assert_eq!(world.ask(client, "CONFIG SET maxmemory 0"), "+OK");
        let gone = usize::try_from(evicted(&world) - before).expect("few");
        assert!((1..8).contains(&gone), "{gone}");
        for key in order.drain(..gone.min(order.len())) {
            assert_eq!(world.ask(client, &format!("EXISTS k{key}")), ":0", "k{key}");
        }
        if order.is_empty() {
            return;
        }
        assert_eq!(world.ask(client, &format!("EXISTS k{}", order[0])), ":1", "k{}", order[0]);
    }
    assert!(order.is_empty());
}

#[test]
fn lru_keeps_what_is_used() {
    let (mut world, client) = world("allkeys-lru");
    fill(&mut world, client, "k", 200, "");
    world.pass_ms(100_000);
    for i in 0..50 {
        world.ask(client, &format!("GET k{i}"));
    }
    world.pass_ms(1000);
    limit(&mut world, client, -100 * KB as isize);
    world.ask(client, "PING");
    assert_eq!(world.ask(client, "CONFIG SET maxmemory 0"), "+OK");
    assert_eq!(count(&mut world, client, "k", 50), 50);
    assert!(count(&mut world, client, "k", 200) < 125);
}

#[test]
fn lfu_keeps_what_is_used_often() {
    let (mut world, client) = world("allkeys-lfu");
    fill(&mut world, client, "k", 200, "");
    for _ in 0..20 {
        for i in 0..50 {
            world.ask(client, &format!("GET k{i}"));
        }
    }
    assert_eq!(world.ask(client, "OBJECT FREQ k100"), ":5");
    let often: i64 = world.ask(client, "OBJECT FREQ k1").trim_start_matches(':').parse().expect("a number");
    assert!(often > 5);
    limit(&mut world, client, -100 * KB as isize);
    world.ask(client, "PING");
    assert_eq!(world.ask(client, "CONFIG SET maxmemory 0"), "+OK");
    assert_eq!(count(&mut world, client, "k", 50), 50);
    assert!(count(&mut world, client, "k", 200) < 120);
}

#[test]
fn evicted_keys_are_propagated_and_told_of_one_by_one() {
    for (lazy, removal) in [("no", "DEL"), ("yes", "UNLINK")] {
        let (mut world, client) = world("allkeys-random");
        let listener = world.connect();
        assert_eq!(world.ask(client, &format!("CONFIG SET lazyfree-lazy-eviction {lazy} notify-keyspace-events Ee")), "+OK");
        world.ask(client, "SELECT 3");
        fill(&mut world, client, "k", 20, "");
        world.send(listener, "PSUBSCRIBE *");
        world.received(listener);
        world.propagated();
        limit(&mut world, client, -4 * KB as isize);
        assert_eq!(world.ask(client, "SET new v"), "+OK");
        let mut commands = world.propagated();
        assert_eq!(commands.remove(0), "SELECT 3");
        assert_eq!(commands.pop().as_deref(), Some("SET new v"));
        let events = world.received(listener);
        assert!((3..9).contains(&commands.len()), "{commands:?}");
        assert_eq!(events.len(), commands.len());
        for (command, event) in commands.iter().zip(events) {
            let key = command.strip_prefix(&format!("{removal} ")).expect("a removal");
            assert_eq!(event, format!("[\"pmessage\", \"*\", \"__keyevent@3__:evicted\", \"{key}\"]"));
        }
        assert_eq!(evicted(&world), commands.len() as u64);
        // what this test itself has taken meanwhile may have cost another key
        let shown = info(&mut world, client, "evicted_keys");
        assert_eq!(shown, evicted(&world).to_string());
    }
}

#[test]
fn an_evicted_key_is_invalid_before_the_reply_of_the_command_that_evicted_it() {
    let (mut world, client) = world("allkeys-random");
    fill(&mut world, client, "k", 3, "");
    world.server.state.clients[client].protocol = Protocol::Resp3;
    assert_eq!(world.ask(client, "CLIENT TRACKING on"), "+OK");
    for i in 0..3 {
        world.send(client, &format!("GET k{i}"));
    }
    world.received(client);
    // what the test itself gives back meanwhile does not make up for so much
    limit(&mut world, client, -(KB as isize) / 2);
    world.send(client, "PING");
    let received = world.received(client);
    assert!(received[0].contains("invalidate"), "{received:?}");
    assert_eq!(received.last().map(String::as_str), Some("+PONG"));
}

#[test]
fn a_watched_key_that_is_evicted_dooms_the_transaction() {
    let (mut world, client) = world("allkeys-random");
    let other = world.connect();
    fill(&mut world, client, "k", 3, "");
    assert_eq!(world.ask(client, "WATCH k0 k1 k2"), "+OK");
    assert_eq!(world.ask(client, "MULTI"), "+OK");
    assert_eq!(world.ask(client, "PING"), "+QUEUED");
    limit(&mut world, other, -1);
    assert_eq!(world.ask(other, "PING"), "+PONG");
    assert_eq!(world.ask(client, "EXEC"), "(nil array)");
}

#[test]
fn all_databases_lose_keys() {
    for policy in ["allkeys-random", "allkeys-lru", "volatile-random", "volatile-lru"] {
        let (mut world, client) = world(policy);
        for db in 0..3 {
            world.ask(client, &format!("SELECT {db}"));
            fill(&mut world, client, "k", 50, "EX 100");
        }
        limit(&mut world, client, -100 * KB as isize);
        world.ask(client, "PING");
        for db in 0..3 {
            let left = world.server.keyspace.db(DbIndex(db)).database().len();
            assert!(left < 50, "{policy}: database {db} has {left}");
        }
    }
}

#[test]
fn what_is_on_its_way_out_does_not_count() {
    let (mut world, client) = world("allkeys-lru");
    fill(&mut world, client, "old", 200, "");
    limit(&mut world, client, 10 * KB as isize);
    // the blocks are not freed before the world is told to drop them
    assert_eq!(world.ask(client, "FLUSHALL"), "+OK");
    fill(&mut world, client, "new", 100, "");
    assert_eq!(evicted(&world), 0);
    drop(world.server.take_garbage());
    fill(&mut world, client, "newer", 50, "");
    assert_eq!(evicted(&world), 0);
    assert_eq!(world.server.keyspace.effects.leaving(), 0);
}

#[test]
fn nothing_goes_while_clients_are_paused_or_on_a_replica() {
    use ruddle::keyspace::expiry::Expiry;
    let (mut world, client) = world("allkeys-lru");
    fill(&mut world, client, "k", 20, "");
    limit(&mut world, client, -5 * KB as isize);
    world.server.keyspace.expiry = Expiry::Hide;
    assert_eq!(world.ask(client, "PING"), "+PONG");
    assert_eq!(evicted(&world), 0);
    assert_eq!(world.ask(client, "CONFIG SET maxmemory 0"), "+OK");
    world.server.keyspace.expiry = Expiry::Remove;
    assert_eq!(world.ask(client, "CLIENT PAUSE 1000 WRITE"), "+OK");
    limit(&mut world, client, -5 * KB as isize);
    assert_eq!(world.ask(client, "PING"), "+PONG");
    assert_eq!(evicted(&world), 0);
    world.pass_ms(1001);
    world.ask(client, "PING");
    assert!(evicted(&world) > 0);
}

// ---- the memory of clients

/// Clients that were cut since this was last asked.
fn cut(world: &mut World) -> Vec<ClientKey> {
    world.pass_ms(1);
    let closing = world.server.take_closing();
    closing.iter().for_each(|&client| world.disconnect(client));
    closing
}

#[test]
fn the_largest_client_goes_first() {
    let (mut world, client) = world("noeviction");
    let (small, large) = (world.connect(), world.connect());
    assert_eq!(world.ask(client, "CONFIG SET maxmemory-clients 300kb"), "+OK");
    for (who, size) in [(small, 100 * KB), (large, 150 * KB)] {
        world.ask(who, "MULTI");
        world.ask(who, &format!("SET k {}", "v".repeat(size)));
    }
    assert_eq!(cut(&mut world), []);
    world.ask(small, &format!("SET k {}", "v".repeat(60 * KB)));
    assert_eq!(cut(&mut world), [small]);
    world.ask(large, &format!("SET k {}", "v".repeat(20 * KB)));
    assert_eq!(cut(&mut world), []);
    assert_eq!(world.server.state.stats.evicted_clients, 1);
    assert_eq!(info(&mut world, client, "evicted_clients"), "1");
    assert_eq!(world.ask(client, "CONFIG SET maxmemory-clients 150kb"), "+OK");
    assert_eq!(cut(&mut world), [large]);
    assert_eq!(world.ask(client, "PING"), "+PONG");
}

#[test]
fn a_large_request_costs_the_client_before_it_runs() {
    let (mut world, client) = world("noeviction");
    let large = world.connect();
    assert_eq!(world.ask(client, "CONFIG SET maxmemory-clients 200kb"), "+OK");
    world.send(large, &format!("SET k {}", "v".repeat(300 * KB)));
    assert_eq!(cut(&mut world), [large]);
    assert_eq!(world.ask(client, "EXISTS k"), ":0");
    // one that has not arrived in full counts as well
    let partial = world.connect();
    world.send_raw(partial, format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$999999\r\n{}", "v".repeat(300 * KB)).as_bytes());
    assert_eq!(cut(&mut world), [partial]);
}

#[test]
fn output_that_nobody_reads_counts_until_it_is_read() {
    let (mut world, client) = world("noeviction");
    let reader = world.connect();
    world.ask(client, &format!("SET k {}", "v".repeat(150 * KB)));
    assert_eq!(world.ask(client, "CONFIG SET maxmemory-clients 200kb"), "+OK");
    world.send(reader, "GET k");
    assert_eq!(cut(&mut world), []);
    assert_eq!(world.received(reader).len(), 1);
    world.server.state.memory_changed(reader);
    world.send(reader, "GET k");
    assert_eq!(cut(&mut world), []);
    world.send(reader, "GET k");
    assert_eq!(cut(&mut world), [reader]);
}

#[test]
fn a_client_may_be_exempt() {
    let (mut world, client) = world("noeviction");
    let (exempt, other) = (world.connect(), world.connect());
    assert_eq!(world.ask(exempt, "CLIENT NO-EVICT on"), "+OK");
    assert_eq!(world.ask(client, "CLIENT NO-EVICT on"), "+OK");
    assert_eq!(world.ask(client, "CONFIG SET maxmemory-clients 200kb"), "+OK");
    world.ask(exempt, "MULTI");
    world.ask(exempt, &format!("SET k {}", "v".repeat(300 * KB)));
    // it counts nevertheless
    assert_eq!(cut(&mut world), [other]);
    assert!(!world.server.state.clients[exempt].flags.any(ClientFlags::CLOSE_NOW));
}

#[test]
fn percent_of_the_limit_on_memory() {
    let (mut world, client) = world("noeviction");
    assert_eq!(world.ask(client, "CONFIG SET maxmemory-clients 5%"), "+OK");
    assert_eq!(world.server.state.client_memory.limit, 0);
    assert_eq!(world.ask(client, "CONFIG SET maxmemory 100mb"), "+OK");
    assert_eq!(world.server.state.client_memory.limit, 5 << 20);
    // never less than lets anybody say anything
    assert_eq!(world.ask(client, "CONFIG SET maxmemory 0 maxmemory-clients 1"), "+OK");
    assert_eq!(world.server.state.client_memory.limit, 128 * KB);
    assert_eq!(cut(&mut world), []);
}

#[test]
fn a_lower_ceiling_evicts_by_itself() {
    let mut world = World::with(&[("maxmemory-policy", "allkeys-lru"), ("notify-keyspace-events", "Ee")]);
    let (client, listener) = (world.connect(), world.connect());
    world.ask(listener, "SUBSCRIBE __keyevent@0__:evicted");
    world.ask(client, "SET k v");
    assert_eq!(world.ask(client, "CONFIG SET maxmemory 1"), "+OK");
    world.pass_ms(1);
    assert_eq!(world.received(listener), [r#"["message", "__keyevent@0__:evicted", "k"]"#]);
}

#[test]
fn emptied_buffers_go_before_keys() {
    let (mut world, client) = world("allkeys-random");
    fill(&mut world, client, "k", 10, "");
    for _ in 0..10 {
        world.server.state.spare.give(Vec::with_capacity(16 * KB));
    }
    limit(&mut world, client, -100 * KB as isize);
    fill(&mut world, client, "more", 10, "");
    assert_eq!(evicted(&world), 0);
    assert_eq!(world.ask(client, "DBSIZE"), ":20");
}

#[test]
fn history_that_was_kept_for_a_replica_which_is_gone_does_not_count() {
    let (mut world, client) = world("allkeys-random");
    fill(&mut world, client, "k", 10, "");
    let stream = &mut world.server.state.replication.stream;
    stream.activate();
    stream.set_limit(16 * KB as u64);
    world.server.state.config.repl_backlog_size = 16 * KB as u64;
    let before = memory::used();
    let stream = &mut world.server.state.replication.stream;
    stream.retain(Some(1));
    stream.append(vec![b'x'; 500 * KB].into());
    assert!(memory::used() >= before + 500 * KB);
    let uncounted = world.server.state.uncounted_memory();
    assert!((484 * KB..490 * KB).contains(&uncounted), "{uncounted}");
    limit(&mut world, client, -400 * KB as isize);
    world.pass_ms(1);
    assert_eq!(world.ask(client, "SET one more"), "+OK");
    assert_eq!(evicted(&world), 0);
}
