//! CONFIG while the server runs.

use crate::harness::{World, check};

#[test]
fn get_and_set() {
    check(&[
        ("CONFIG GET nosuch", "[]"),
        ("CONFIG SET slowlog-max-len 64", "+OK"),
        ("CONFIG GET slowlog-max-len", "[\"slowlog-max-len\", \"64\"]"),
        ("CONFIG GET SLOWLOG-MAX-LEN slowlog-max-len", "[\"SLOWLOG-MAX-LEN\", \"64\"]"),
        (
            "CONFIG SET slowlog-max-len 128 latency-tracking maybe",
            "-ERR CONFIG SET failed (possibly related to argument 'latency-tracking') - argument must be 'yes' or 'no'",
        ),
        ("CONFIG GET slowlog-max-len", "[\"slowlog-max-len\", \"64\"]"),
        ("CONFIG SET slowlog-max-len 128", "+OK"),
        ("CONFIG SET nosuch 1", "-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"),
        ("CONFIG SET hz", "-ERR wrong number of arguments for 'config|set' command"),
        ("CONFIG SET hz 10 x", "-ERR syntax error"),
        ("CONFIG SET hz 10 hz 11", "-ERR CONFIG SET failed (possibly related to argument 'hz') - duplicate parameter"),
        ("CONFIG SET databases 3", "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable config"),
        (
            "CONFIG SET maxclients x",
            "-ERR CONFIG SET failed (possibly related to argument 'maxclients') - argument couldn't be parsed into an integer",
        ),
        ("CONFIG REWRITE", "-ERR The server is running without a config file"),
        ("CONFIG RESETSTAT", "+OK"),
        ("CONFIG nosuch", "-ERR unknown subcommand 'nosuch'. Try CONFIG HELP."),
    ]);
}

#[test]
fn what_is_set_takes_effect() {
    let mut world = World::new();
    let client = world.connect();
    assert_eq!(world.ask(client, "CONFIG SET requirepass secret"), "+OK");
    assert_eq!(world.ask(client, "PING"), "+PONG", "who is in stays in");
    let other = world.connect();
    assert_eq!(world.ask(other, "PING"), "-NOAUTH Authentication required.");
    assert_eq!(world.ask(client, "CONFIG SET requirepass ''"), "+OK");
    assert_eq!(world.ask(other, "PING"), "+PONG");
    assert_eq!(world.ask(client, "CONFIG SET maxmemory-policy allkeys-lfu"), "+OK");
    assert_eq!(world.ask(client, "SET k v"), "+OK");
    assert_eq!(world.ask(client, "OBJECT FREQ k"), ":5");
    assert_eq!(world.server.state.reconfigured, ["requirepass", "requirepass", "maxmemory-policy"]);
}

#[test]
fn a_directory_that_is_not_there_is_refused() {
    let mut world = World::with(&[("enable-protected-configs", "yes")]);
    let client = world.connect();
    world.server.state.host.change_dir = |dir| if dir == "/there" { Ok(()) } else { Err("No such file or directory".into()) };
    let refused = "-ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or directory";
    assert_eq!(world.ask(client, "CONFIG SET hz 50 dir /absent"), refused);
    assert_eq!(world.ask(client, "CONFIG GET hz"), "[\"hz\", \"10\"]");
    assert_eq!(world.ask(client, "CONFIG SET hz 50 dir /there"), "+OK");
    assert_eq!(world.ask(client, "CONFIG GET hz"), "[\"hz\", \"50\"]");
}

#[test]
fn rewriting_keeps_the_operators_file() {
    let mut world = World::new();
    let client = world.connect();
    world.server.state.config.config_file = Some("ruddle.conf".into());
    world.server.state.host.read = |_| Ok(b"# mine\nhz 10\n".to_vec());
    world.server.state.host.replace = |path, text| {
        assert_eq!(path, "ruddle.conf");
        assert!(text.starts_with(b"# mine\nhz 20\n"), "{}", text.escape_ascii());
        Ok(())
    };
    world.ask(client, "CONFIG SET hz 20");
    assert_eq!(world.ask(client, "CONFIG REWRITE"), "+OK");
    world.server.state.host.replace = |_, _| Err("Permission denied".into());
    assert_eq!(world.ask(client, "CONFIG REWRITE"), "-ERR Rewriting config file: Permission denied");
}

#[test]
fn nonsense_changes_nothing() {
    let mut world = World::new();
    let client = world.connect();
    let all = |world: &mut World| world.ask(client, "CONFIG GET *");
    let before = all(&mut world);
    let long = "9".repeat(10_000);
    for (name, values) in [
        ("maxmemory", &["x", "-1x", "1e3"][..]),
        ("maxmemory-policy", &["", "lru", "allkeys"]),
        ("maxmemory-clients", &["200%", "-5%", "%", "x"]),
        ("maxmemory-samples", &["0", "65", "five"]),
        ("client-output-buffer-limit", &["normal", "normal 1 2", "nobody 1 2 3", "normal x 2 3", "normal 1 2 -3"]),
        ("notify-keyspace-events", &["Q", "KEA!"]),
        ("save", &["1", "x y", "60 -1", "0 1"]),
        ("slowlog-max-len", &["-1", "x", &long]),
        ("latency-tracking-info-percentiles", &["101", "-1", "x"]),
        ("oom-score-adj-values", &["1 2", "1 2 3000", "a b c"]),
        ("tracking-table-max-keys", &["-1", "many"]),
        ("hotspot-tracking", &["maybe", ""]),
        ("port", &["65536", "-1", "x"]),
        ("appendonly", &["2"]),
        (&long, &["1"]),
    ] {
        for value in values {
            let reply = world.ask(client, &format!("CONFIG SET {name} \"{value}\""));
            assert!(reply.starts_with("-ERR "), "{reply} to {name} {value}");
        }
    }
    assert_eq!(all(&mut world), before);
}
