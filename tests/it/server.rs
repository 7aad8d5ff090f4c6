//! The server's own commands: TIME, ROLE, SHUTDOWN, SLOWLOG, LATENCY, MEMORY, DEBUG, MONITOR.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::harness::{World, check, check_with, check2_with};
use ruddle::config::ShutdownActions;
use ruddle::server::accounts::Accounts;
use ruddle::server::{Stop, Stopwatch};

const DEBUG: &[(&str, &str)] = &[("enable-debug-command", "yes")];

#[test]
fn time_and_role() {
    let mut world = World::new();
    let client = world.connect();
    assert_eq!(world.ask(client, "TIME"), "[\"1700000000\", \"0\"]");
    world.pass_ms(1234);
    assert_eq!(world.ask(client, "TIME"), "[\"1700000001\", \"234000\"]");
    check(&[("ROLE", "[\"master\", :0, []]"), ("ROLE x", "-ERR wrong number of arguments for 'role' command")]);
}

#[test]
fn shutdown_stops_as_asked() {
    check(&[
        ("SHUTDOWN foo", "-ERR syntax error"),
        ("SHUTDOWN SAVE NOSAVE", "-ERR syntax error"),
        ("SHUTDOWN NOW ABORT", "-ERR syntax error"),
        ("SHUTDOWN ABORT", "-ERR No shutdown in progress."),
    ]);
    for (line, actions) in [
        ("SHUTDOWN", ShutdownActions::default()),
        ("SHUTDOWN NOSAVE", ShutdownActions::NOSAVE),
        ("shutdown save now force", ShutdownActions::SAVE.or(ShutdownActions::NOW).or(ShutdownActions::FORCE)),
    ] {
        let mut world = World::new();
        let client = world.connect();
        world.send(client, line);
        assert_eq!(world.received(client), [""; 0]);
        assert_eq!(world.server.state.stop, Some(Stop::Orderly(actions)));
    }
}

/// A stopwatch on which every look takes two milliseconds. Each test has a thread of its own in mind, but the
/// clock only ever goes on, so sharing it does no harm.
static SLOW: AtomicU64 = AtomicU64::new(0);

fn slow_world(directives: &[(&str, &str)]) -> World {
    let mut world = World::with(directives);
    world.server.state.stopwatch = Stopwatch(|| SLOW.fetch_add(2_000_000, Ordering::Relaxed));
    world
}

#[test]
fn slow_commands_are_logged() {
    let mut world = slow_world(&[("slowlog-log-slower-than", "1000"), ("slowlog-max-len", "4")]);
    let client = world.connect();
    world.ask(client, "CLIENT SETNAME me");
    world.ask(client, "SLOWLOG RESET");
    world.ask(client, &format!("SET k {}", "x".repeat(200)));
    let log = world.ask(client, "SLOWLOG GET 1");
    let shown = format!("[\"SET\", \"k\", \"{}... (72 more bytes)\"], \"127.0.0.1:1\", \"me\"]]", "x".repeat(128));
    assert!(log.starts_with("[[:2, :1700000000, :") && log.ends_with(&shown), "{log}");
    world.ask(client, "AUTH secret");
    world.ask(client, "HELLO 2 AUTH default secret SETNAME me");
    world.ask(client, "CONFIG SET requirepass secret maxclients 10");
    let log = world.ask(client, "SLOWLOG GET");
    for part in [
        "[\"AUTH\", \"(redacted)\"]",
        "[\"HELLO\", \"2\", \"AUTH\", \"(redacted)\", \"(redacted)\", \"SETNAME\", \"me\"]",
        "[\"CONFIG\", \"SET\", \"requirepass\", \"(redacted)\", \"maxclients\", \"10\"]",
    ] {
        assert!(log.contains(part), "{part} in {log}");
    }
    assert_eq!(world.ask(client, "SLOWLOG LEN"), ":4");
    world.ask(client, "CONFIG SET slowlog-log-slower-than -1");
    world.ask(client, "SLOWLOG RESET");
    assert_eq!(world.ask(client, "SLOWLOG LEN"), ":0");
    check(&[
        ("SLOWLOG GET a", "-ERR count should be greater than or equal to -1"),
        ("SLOWLOG GET -2", "-ERR count should be greater than or equal to -1"),
        ("SLOWLOG GET 1 2", "-ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP."),
        ("SLOWLOG GET 0", "[]"),
        ("SLOWLOG LEN x", "-ERR wrong number of arguments for 'slowlog|len' command"),
    ]);
}

#[test]
fn spikes_of_latency_are_kept() {
    let mut world = slow_world(&[("latency-monitor-threshold", "1")]);
    let client = world.connect();
    world.ask(client, "LATENCY RESET");
    world.ask(client, "LATENCY RESET");
    world.ask(client, "GET k");
    let latest = world.ask(client, "LATENCY LATEST");
    assert!(latest.starts_with("[[\"command\", :1700000000, :") && latest.contains("[\"fast-command\", :1700000000, :"), "{latest}");
    assert!(world.ask(client, "LATENCY HISTORY fast-command").starts_with("[[:1700000000, :"));
    let graph = world.ask(client, "LATENCY GRAPH command");
    assert!(graph.starts_with("\"command - high ") && graph.contains("(all time high "), "{graph}");
    assert!(world.ask(client, "LATENCY DOCTOR").contains("fast-command: 1 spikes"));
    assert_eq!(world.ask(client, "LATENCY RESET fast-command nosuch"), ":1");
    assert_eq!(world.ask(client, "LATENCY HISTORY fast-command"), "[]");
    check(&[
        ("LATENCY HISTORY nosuch", "[]"),
        ("LATENCY GRAPH nosuch", "-ERR No samples available for event 'nosuch'"),
        ("LATENCY LATEST", "[]"),
        ("LATENCY RESET", ":0"),
        ("LATENCY HISTOGRAM nosuch", "[]"),
        ("LATENCY HISTORY", "-ERR wrong number of arguments for 'latency|history' command"),
    ]);
}

#[test]
fn durations_of_commands_are_counted() {
    let mut world = World::new();
    let client = world.connect();
    for _ in 0..3 {
        world.ask(client, "SET k v");
    }
    world.ask(client, "CLIENT ID");
    assert_eq!(world.ask(client, "LATENCY HISTOGRAM set"), "[\"set\", [\"calls\", :3, \"histogram_usec\", [:1, :3]]]");
    assert!(world.ask(client, "LATENCY HISTOGRAM client").starts_with("[\"client|id\", [\"calls\", :1"));
    world.ask(client, "CONFIG RESETSTAT");
    assert_eq!(world.ask(client, "LATENCY HISTOGRAM set"), "[]");
    world.ask(client, "CONFIG SET latency-tracking no");
    world.ask(client, "SET k v");
    assert_eq!(world.ask(client, "LATENCY HISTOGRAM"), "[]");
}

#[test]
fn memory_of_keys() {
    check(&[
        ("MEMORY USAGE absent", "(nil)"),
        ("MEMORY USAGE k SAMPLES", "-ERR syntax error"),
        ("MEMORY USAGE k SAMPLES x", "-ERR value is not an integer or out of range"),
        ("MEMORY USAGE k SAMPLES -1", "-ERR syntax error"),
        ("MEMORY USAGE k foo 1", "-ERR syntax error"),
        ("MEMORY PURGE", "+OK"),
        ("MEMORY", "-ERR wrong number of arguments for 'memory' command"),
    ]);
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "SET k 1");
    assert_eq!(world.ask(client, "MEMORY USAGE k"), ":24");
    world.ask(client, &format!("SET long {}", "x".repeat(10_000)));
    let bytes: usize = world.ask(client, "MEMORY USAGE long SAMPLES 0")[1..].parse().expect("a number");
    assert!((10_000..11_000).contains(&bytes), "{bytes}");
    let stats = world.ask(client, "MEMORY STATS");
    assert!(stats.starts_with("[\"peak.allocated\", :") && stats.contains("\"keys.count\", :2,"), "{stats}");
    assert!(world.ask(client, "MEMORY DOCTOR").contains("hardly any data"));
    let interpreters = |world: &mut World| world.server.state.scripts.interpreter_bytes();
    assert_eq!(world.ask(client, "EVAL \"return 1\" 0"), ":1");
    let accounts = Accounts::take(&world.server.state, &world.server.keyspace);
    assert!(interpreters(&mut world) > 0 && accounts.scripts > interpreters(&mut world), "scripts are no data");
    assert!(accounts.overhead() >= accounts.startup.min(accounts.used).max(accounts.scripts));
    assert!(world.ask(client, "MEMORY MALLOC-STATS").contains("jemalloc"));
}

#[test]
fn debug_is_for_those_who_may() {
    check_with(
        &[("enable-debug-command", "no")],
        &[(
            "DEBUG SLEEP 0",
            "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you can run it from a local connection, otherwise you need to set this option in the configuration file, and then restart the server.",
        )],
    );
    check_with(&[("enable-debug-command", "local")], &[("DEBUG SLEEP 0", "+OK")]);
}

#[test]
fn debug_subcommands() {
    check_with(
        DEBUG,
        &[
            ("DEBUG", "-ERR wrong number of arguments for 'debug' command"),
            ("DEBUG nosuch", "-ERR unknown subcommand or wrong number of arguments for 'nosuch'. Try DEBUG HELP."),
            ("DEBUG SLEEP", "-ERR unknown subcommand or wrong number of arguments for 'SLEEP'. Try DEBUG HELP."),
            ("DEBUG SLEEP 0", "+OK"),
            ("DEBUG SLEEP nan", "+OK"),
            ("DEBUG ERROR 'FOO bar'", "-FOO bar"),
            ("DEBUG OBJECT nokey", "-ERR no such key"),
            ("DEBUG LISTPACK nokey", "-ERR no such key"),
            ("SET a hello", "+OK"),
            ("DEBUG LISTPACK a", "-ERR Not a listpack encoded object."),
            ("DEBUG HTSTATS 99", "-ERR Out of range database"),
            ("DEBUG QUICKLIST-PACKED-THRESHOLD 100b", "+OK"),
            ("DEBUG QUICKLIST-PACKED-THRESHOLD x", "-ERR argument must be a memory value bigger than 1 and smaller than 4gb"),
            ("DEBUG REPLYBUFFER PEAK-RESET-TIME x", "-ERR value is not an integer or out of range"),
            ("DEBUG REPLYBUFFER PEAK-RESET-TIME never", "+OK"),
            ("DEBUG REPLYBUFFER RESIZING 0", "+OK"),
            ("DEBUG REPLYBUFFER NOSUCH 0", "-ERR unknown subcommand or wrong number of arguments for 'REPLYBUFFER'. Try DEBUG HELP."),
            ("DEBUG STRINGMATCH-LEN 3 a*a", ":1"),
            ("DEBUG POPULATE x", "-ERR value is out of range, must be positive"),
            ("DEBUG POPULATE 2 foo 10", "+OK"),
            ("GET foo:1", "\"value:1\\x00\\x00\\x00\""),
            ("DEBUG POPULATE 1 foo 3", "+OK"),
            ("DEBUG POPULATE 1 bar 3", "+OK"),
            ("GET bar:0", "\"val\""),
            ("DEBUG CHANGE-REPL-ID", "+OK"),
            ("DEBUG PROTOCOL string", "\"Hello World\""),
            ("DEBUG PROTOCOL integer", ":12345"),
            ("DEBUG PROTOCOL double", "\"3.141\""),
            ("DEBUG PROTOCOL null", "(nil)"),
            ("DEBUG PROTOCOL map", "[:0, :0, :1, :1, :2, :0]"),
            ("DEBUG PROTOCOL attrib", "\"Some real reply following the attribute\""),
            (
                "DEBUG PROTOCOL foo",
                "-ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false",
            ),
        ],
    );
    check2_with(DEBUG, &[("DEBUG PROTOCOL push", "-ERR RESP2 is not supported by this command")]);
}

#[test]
fn digests_are_those_of_redis() {
    check_with(
        DEBUG,
        &[
            ("DEBUG DIGEST", "+0000000000000000000000000000000000000000"),
            ("SET a hello", "+OK"),
            ("RPUSH l a b", ":2"),
            (
                "DEBUG DIGEST-VALUE a l nokey",
                "[+36b23a1456b2dce2c3ed252c456761301dba8060, +62f55a532623cf6c3d81081db480b6fd8461eb3f, +0000000000000000000000000000000000000000]",
            ),
            ("SET n 12", "+OK"),
            ("ZADD z 1.5 a 2 b inf c", ":3"),
            ("SELECT 3", "+OK"),
            ("SET volatile x EX 100", "+OK"),
            ("DEBUG DIGEST", "+88c968a3e209c5cd1893e8a41fdb83c55826d905"),
        ],
    );
}

#[test]
fn expiry_can_be_left_to_lookups() {
    let mut world = World::with(DEBUG);
    let client = world.connect();
    world.ask(client, "SET k v PX 10");
    world.ask(client, "DEBUG SET-ACTIVE-EXPIRE 0");
    world.pass_ms(100);
    assert_eq!(world.ask(client, "DBSIZE"), ":1");
    assert_eq!(world.ask(client, "GET k"), "(nil)");
    assert_eq!(world.ask(client, "DBSIZE"), ":0");
    world.ask(client, "SET k v PX 10");
    world.ask(client, "DEBUG SET-ACTIVE-EXPIRE 1");
    world.pass_ms(100);
    assert_eq!(world.ask(client, "DBSIZE"), ":0");
}

#[test]
fn nothing_expires_while_clients_are_paused() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "SET k v PX 10");
    world.ask(client, "CLIENT PAUSE 1000 WRITE");
    world.pass_ms(100);
    assert_eq!(world.ask(client, "GET k"), "(nil)");
    assert_eq!(world.ask(client, "DBSIZE"), ":1");
    world.ask(client, "CLIENT UNPAUSE");
    world.pass_ms(1);
    assert_eq!(world.ask(client, "DBSIZE"), ":0");
}

#[test]
fn monitors_see_commands_but_no_secrets() {
    let mut world = World::new();
    let (monitor, client) = (world.connect(), world.connect());
    assert_eq!(world.ask(monitor, "MONITOR"), "+OK");
    for line in ["SET k 'a b'", "SELECT 3", "AUTH default secret", "CONFIG GET port", "PING"] {
        world.ask(client, line);
    }
    let seen: Vec<String> = world.received(monitor);
    let expected = [
        "+1700000000.000000 [0 127.0.0.1:1] \"SET\" \"k\" \"a b\"",
        "+1700000000.000000 [0 127.0.0.1:1] \"SELECT\" \"3\"",
        "+1700000000.000000 [3 127.0.0.1:1] \"AUTH\" \"(redacted)\" \"(redacted)\"",
        "+1700000000.000000 [3 127.0.0.1:1] \"PING\"",
    ];
    assert_eq!(seen, expected);
    assert_eq!(world.ask(monitor, "RESET"), "+RESET");
    world.ask(client, "PING");
    assert_eq!(world.received(monitor), [""; 0]);
}

#[test]
fn lolwut_paints() {
    let mut world = World::new();
    let client = world.connect();
    assert!(world.ask(client, "LOLWUT").contains("Redis ver. 8.0.6\\n"));
    assert_ne!(world.ask(client, "LOLWUT VERSION 1"), world.ask(client, "LOLWUT VERSION 20"));
    assert_eq!(world.ask(client, "LOLWUT VERSION x"), "-ERR value is not an integer or out of range");
}
