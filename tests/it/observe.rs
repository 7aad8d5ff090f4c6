//! Observing the server: the command log, service time, stalls, hot keys.
//!
//! What COMMANDLOG answers was taken from valkey-server 9.1: Redis 8 has no such command.

use crate::harness::World;

#[test]
fn commandlog_has_valkeys_replies() {
    check_alone(&[
        ("COMMANDLOG", "-ERR wrong number of arguments for 'commandlog' command"),
        ("COMMANDLOG GET", "-ERR wrong number of arguments for 'commandlog|get' command"),
        ("COMMANDLOG GET 1", "-ERR wrong number of arguments for 'commandlog|get' command"),
        ("COMMANDLOG GET a slow", "-ERR count should be greater than or equal to -1"),
        ("COMMANDLOG GET -2 slow", "-ERR count should be greater than or equal to -1"),
        ("COMMANDLOG GET -1 slow", "[]"),
        ("COMMANDLOG GET 3 foo", "-ERR type should be one of the following: slow, large-request, large-reply"),
        ("COMMANDLOG GET 3 slow x", "-ERR wrong number of arguments for 'commandlog|get' command"),
        ("COMMANDLOG LEN", "-ERR wrong number of arguments for 'commandlog|len' command"),
        ("COMMANDLOG LEN foo", "-ERR type should be one of the following: slow, large-request, large-reply"),
        ("COMMANDLOG LEN slow", ":0"),
        ("COMMANDLOG LEN LARGE-REQUEST", ":0"),
        ("COMMANDLOG LEN large-reply", ":0"),
        ("COMMANDLOG RESET foo", "-ERR type should be one of the following: slow, large-request, large-reply"),
        ("COMMANDLOG RESET slow", "+OK"),
        ("COMMANDLOG RESET", "-ERR wrong number of arguments for 'commandlog|reset' command"),
        ("COMMANDLOG FOO", "-ERR unknown subcommand 'FOO'. Try COMMANDLOG HELP."),
        (
            "CONFIG GET commandlog*",
            "[\"commandlog-execution-slower-than\", \"10000\", \"commandlog-large-reply-max-len\", \"128\", \"commandlog-large-request-max-len\", \"128\", \"commandlog-reply-larger-than\", \"1048576\", \"commandlog-request-larger-than\", \"1048576\", \"commandlog-slow-execution-max-len\", \"128\"]",
        ),
        (
            "CONFIG SET commandlog-reply-larger-than -2",
            "-ERR CONFIG SET failed (possibly related to argument 'commandlog-reply-larger-than') - argument must be between -1 and 9223372036854775807 inclusive",
        ),
    ]);
}

/// As `check`, in no order of names where the reply is a map of directives.
#[track_caller]
fn check_alone(script: &[(&str, &str)]) {
    let mut world = World::new();
    let client = world.connect();
    for (line, expected) in script {
        let got = world.ask(client, line);
        if line.starts_with("CONFIG GET") {
            let sorted = |text: &str| {
                let mut words: Vec<String> = text.trim_matches(['[', ']']).split(", ").map(str::to_string).collect();
                words.sort();
                words
            };
            assert_eq!(sorted(&got), sorted(expected), "reply to {line}");
        } else {
            assert_eq!(got, *expected, "reply to {line}");
        }
    }
}

#[test]
fn requests_and_replies_are_measured_as_valkey_measures_them() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "CONFIG SET commandlog-request-larger-than 0 commandlog-reply-larger-than 0");
    for kind in ["large-request", "large-reply"] {
        world.ask(client, &format!("COMMANDLOG RESET {kind}"));
    }
    for line in [
        "nosuchcommand",
        "GET",
        "SET a b c d e f",
        "AUTH a b c d",
        "MULTI",
        "SET k vvvvvvvvvvvvvvvvvvvvvvvvvv",
        "GET k",
        "LPUSH k a",
        "EXEC",
        "PING x",
        "CONFIG SET commandlog-request-larger-than -1 commandlog-reply-larger-than -1",
    ] {
        world.ask(client, line);
    }
    let requests = world.ask(client, "COMMANDLOG GET -1 large-request");
    let replies = world.ask(client, "COMMANDLOG GET -1 large-reply");
    assert_eq!(
        names(&requests),
        ["PING 21", "LPUSH 14", "GET 14", "SET 14", "MULTI 15", "AUTH 42", "SET 55", "COMMANDLOG 50", "COMMANDLOG 52"],
        "{requests}"
    );
    assert_eq!(names(&replies), ["PING 7", "LPUSH 110", "GET 42", "SET 9", "MULTI 5", "AUTH 19", "SET 19", "COMMANDLOG 5"], "{replies}");
    assert_eq!(world.ask(client, "COMMANDLOG LEN large-reply"), ":8");
    world.ask(client, "CONFIG SET commandlog-large-reply-max-len 2");
    assert_eq!(world.ask(client, "COMMANDLOG LEN large-reply"), ":2");
    world.ask(client, "COMMANDLOG RESET large-reply");
    assert_eq!(world.ask(client, "COMMANDLOG GET 5 large-reply"), "[]");
    // SLOWLOG is the slow one of the three
    world.ask(client, "CONFIG SET commandlog-execution-slower-than 0");
    world.ask(client, "PING");
    world.ask(client, "CONFIG SET slowlog-log-slower-than -1");
    assert_eq!(world.ask(client, "SLOWLOG LEN"), ":2");
    assert_eq!(world.ask(client, "COMMANDLOG LEN slow"), ":2");
    assert_eq!(world.ask(client, "SLOWLOG GET"), world.ask(client, "COMMANDLOG GET 10 slow"));
    world.ask(client, "SLOWLOG RESET");
    assert_eq!(world.ask(client, "COMMANDLOG LEN slow"), ":0");
}

/// `NAME value` of each entry of a log, newest first.
fn names(log: &str) -> Vec<String> {
    let entry = |text: &str| {
        let value = text.split(',').next().unwrap_or_default();
        let name = text.split('"').nth(1).unwrap_or_default();
        format!("{name} {value}")
    };
    log.split(":1700000000, :").skip(1).map(entry).collect()
}

#[test]
fn service_times_and_stalls_are_shown() {
    let mut world = World::new();
    let client = world.connect();
    for line in ["SET k v", "GET k", "GET k", "nosuch", "CONFIG NOSUCH"] {
        world.ask(client, line);
    }
    world.server.state.close_runs();
    assert_eq!(world.ask(client, "LATENCY SERVICE get nosuch"), "[\"get\", [\"calls\", :2, \"histogram_usec\", [:1, :2]]]");
    assert!(
        world
            .ask(client, "INFO servicestats")
            .contains("service_percentiles_usec_set:p50=0.000,p99=0.000,p99.9=0.000,max=0.000,queue_p99=0.000")
    );
    assert_eq!(world.ask(client, "LATENCY STALLS"), "[]");
    assert_eq!(world.ask(client, "LATENCY STALLS -2"), "-ERR count should be greater than or equal to -1");
    assert_eq!(world.ask(client, "LATENCY STALLS a"), "-ERR value is not an integer or out of range");
    assert!(world.ask(client, "INFO stalls").contains("stalls:0\\r\\nstall_threshold_ms:10\\r\\n"));
    world.ask(client, "CONFIG SET service-time-tracking no");
    assert_eq!(world.ask(client, "LATENCY SERVICE"), "[]");
    world.ask(client, "GET k");
    world.server.state.close_runs();
    assert_eq!(world.ask(client, "LATENCY SERVICE"), "[]");
}

/// The words of a reply's first map that follow a name.
fn after<'a>(reply: &'a str, name: &str) -> &'a str {
    reply.split(&format!("\"{name}\", ")).nth(1).and_then(|rest| rest.split([',', ']']).next()).unwrap_or("absent")
}

#[test]
fn top_tells_what_is_hot() {
    let mut world = World::new();
    let (busy, idle) = (world.connect(), world.connect());
    world.ask(busy, "CLIENT SETNAME busy");
    for i in 0..200 {
        world.ask(busy, "INCR hot:counter");
        world.ask(idle, &format!("GET cold:{i}"));
        if i % 10 == 0 {
            world.ask(busy, "INCR hot:counter");
            world.ask(idle, &format!("SET big:{} {}", i / 100, "x".repeat(3000)));
        }
    }
    let top = world.ask(idle, "TOP KEYS COUNT 1");
    assert_eq!((after(&top, "key"), after(&top, "db")), ("\"hot:counter\"", ":0"), "{top}");
    assert_eq!(world.ask(idle, "TOP KEYS BY OPS COUNT 1"), top);
    let percent: f64 = after(&top, "percent").trim_matches('"').parse().expect("a number");
    assert!((45.0..55.0).contains(&percent), "{top}");
    assert_eq!(after(&world.ask(idle, "TOP KEYS BY BYTES COUNT 1"), "key"), "\"big:0\"");
    assert_eq!(after(&world.ask(idle, "TOP PREFIXES BY OPS COUNT 1"), "prefix"), "\"hot:\"");
    assert_eq!(after(&world.ask(idle, "TOP PREFIXES BY BYTES COUNT 1"), "prefix"), "\"big:\"");
    let clients = world.ask(idle, "TOP CLIENTS BY BYTES");
    assert_eq!((after(&clients, "addr"), after(&clients, "id")), ("\"127.0.0.1:1\"", ":2"), "{clients}");
    assert!(clients.contains("\"name\", \"busy\""), "{clients}");
    // the stopwatch of this world stands still
    assert_eq!(world.ask(idle, "TOP KEYS BY CPU"), "[]");
    // weight fades: after a while something else is hot
    world.pass_ms(300_000);
    for _ in 0..20 {
        world.ask(busy, "GET other");
    }
    assert_eq!(after(&world.ask(idle, "TOP KEYS"), "key"), "\"other\"");
    assert_eq!(world.ask(idle, "TOP RESET"), "+OK");
    assert_eq!(world.ask(idle, "TOP KEYS"), "[]");
    world.ask(idle, "CONFIG SET hotspot-tracking no");
    world.ask(busy, "GET other");
    assert_eq!(world.ask(idle, "TOP KEYS"), "[]");
    check_alone(&[
        ("TOP", "-ERR wrong number of arguments for 'top' command"),
        ("TOP NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try TOP HELP."),
        ("TOP KEYS BY", "-ERR syntax error"),
        ("TOP KEYS BY LUCK", "-ERR syntax error"),
        ("TOP KEYS COUNT 0", "-ERR COUNT should be greater than 0"),
        ("TOP KEYS COUNT a", "-ERR value is not an integer or out of range"),
        ("TOP BIG BY OPS", "-ERR syntax error"),
        ("TOP RESET x", "-ERR wrong number of arguments for 'top|reset' command"),
        ("TOP PREFIXES", "[]"),
    ]);
}

#[test]
fn large_keys_are_found_used_or_not() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "CONFIG SET hotspot-tracking no");
    world.ask(client, &format!("SET string {}", "x".repeat(100_000)));
    world.ask(client, "DEBUG POPULATE 1000 small 10");
    world.ask(client, &format!("RPUSH list {}", "abcdefgh ".repeat(30_000)));
    world.ask(client, "CONFIG SET hotspot-tracking yes");
    for _ in 0..50 {
        world.pass_ms(100);
    }
    let big = world.ask(client, "TOP BIG COUNT 2");
    assert_eq!((after(&big, "key"), after(&big, "type")), ("\"list\"", "\"list\""), "{big}");
    assert!(big.contains("\"string\""), "{big}");
    let bytes: usize = after(&big, "bytes").trim_matches(':').parse().expect("a number");
    assert_eq!(world.ask(client, "MEMORY USAGE list"), format!(":{bytes}"));
    world.ask(client, "DEL list");
    assert_eq!(after(&world.ask(client, "TOP BIG"), "key"), "\"string\"");
    assert!(world.server.state.hotspots.allocated() < 2 << 20);
}

#[test]
fn hotkeys_watches_for_a_while() {
    let mut world = World::new();
    let client = world.connect();
    for (line, expected) in [
        ("HOTKEYS GET", "(nil)"),
        ("HOTKEYS STOP", "(nil)"),
        ("HOTKEYS START", "-ERR METRICS parameter is required"),
        ("HOTKEYS START METRICS 0", "-ERR METRICS count must be positive"),
        ("HOTKEYS START METRICS 2 CPU", "-ERR METRICS count does not match number of metric types provided"),
        ("HOTKEYS START METRICS 1 CPU NET", "-ERR syntax error"),
        ("HOTKEYS START METRICS 1 GPU", "-ERR METRICS no valid metrics passed"),
        ("HOTKEYS START METRICS 2 NET NET", "-ERR METRICS NET defined more than once"),
        ("HOTKEYS START METRICS 1 CPU COUNT 65", "-ERR COUNT must be between 1 and 64"),
        ("HOTKEYS START METRICS 1 CPU SAMPLE 0", "-ERR SAMPLE ratio must be positive"),
        ("HOTKEYS START METRICS 1 CPU DURATION 0", "-ERR DURATION must be positive"),
        ("HOTKEYS START METRICS 1 CPU SLOTS 1 0", "-ERR SLOTS parameter cannot be used in non-cluster mode"),
        ("HOTKEYS START METRICS 2 NET GPU COUNT 1 DURATION 10", "+OK"),
        ("HOTKEYS START METRICS 1 CPU", "-ERR hotkey tracking session already in progress"),
        ("HOTKEYS RESET", "-ERR hotkey tracking session in progress, stop tracking first"),
        ("SET warm v", "+OK"),
        ("GET hot", "(nil)"),
        ("GET hot", "(nil)"),
        ("GET hot", "(nil)"),
    ] {
        assert_eq!(world.ask(client, line), expected, "{line}");
    }
    // GET hot is 22 bytes on the wire, and its reply 5
    let seen = world.ask(client, "HOTKEYS GET");
    assert!(seen.contains("\"tracking-active\", :1, \"sample-ratio\", :1"), "{seen}");
    assert!(seen.ends_with("\"by-net-bytes\", [\"hot\", :81]]]"), "{seen}");
    world.pass_ms(11_000);
    world.ask(client, "GET hot");
    let seen = world.ask(client, "HOTKEYS GET");
    assert!(seen.contains("\"tracking-active\", :0") && seen.contains("\"collection-duration-ms\", :10000"), "{seen}");
    assert!(seen.ends_with("[\"hot\", :81]]]") && !seen.contains("cpu"), "{seen}");
    assert_eq!(world.ask(client, "HOTKEYS RESET"), "+OK");
    assert_eq!(world.ask(client, "HOTKEYS GET"), "(nil)");
    // a session works while nothing else is tracked
    world.ask(client, "CONFIG SET hotspot-tracking no");
    world.ask(client, "HOTKEYS START METRICS 2 CPU NET SAMPLE 3");
    for _ in 0..300 {
        world.ask(client, "GET hot");
    }
    assert_eq!(world.ask(client, "HOTKEYS STOP"), "+OK");
    let seen = world.ask(client, "HOTKEYS GET");
    let bytes: usize = seen.rsplit(':').next().and_then(|rest| rest.split(']').next()).expect("bytes").parse().expect("a number");
    assert!((70 * 27..130 * 27).contains(&bytes), "{seen}");
}

#[test]
fn each_container_lists_its_subcommands() {
    let mut world = World::new();
    let client = world.connect();
    for (line, named) in [
        ("COMMANDLOG HELP", "GET <count> <type>"),
        ("HOTKEYS HELP", "START METRICS <count> [CPU] [NET]"),
        ("TOP HELP", "BIG [COUNT <count>]"),
        ("LATENCY HELP", "STALLS [<count>]"),
    ] {
        let shown = world.ask(client, line);
        assert!(shown.contains(named) && shown.contains("Print this help."), "{shown}");
    }
}
