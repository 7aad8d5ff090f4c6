//! Keys of any type.

use ruddle::server::client::ClientKey;

use crate::harness::{World, check, check_with, check3};

#[test]
fn del_exists_touch_type() {
    check(&[
        ("DEL a", ":0"),
        ("MSET a 1 b 2 c 3", "+OK"),
        ("EXISTS a", ":1"),
        ("EXISTS a b nokey a", ":3"),
        ("TOUCH a b nokey", ":2"),
        ("DEL a b nokey", ":2"),
        ("EXISTS a b", ":0"),
        ("UNLINK c c", ":1"),
        ("DBSIZE", ":0"),
        ("TYPE a", "+none"),
        (r#"SET a """#, "+OK"),
        ("EXISTS a", ":1"),
        ("TYPE a", "+string"),
        ("DEL", "-ERR wrong number of arguments for 'del' command"),
        ("UNLINK", "-ERR wrong number of arguments for 'unlink' command"),
        ("EXISTS", "-ERR wrong number of arguments for 'exists' command"),
        ("TOUCH", "-ERR wrong number of arguments for 'touch' command"),
        ("TYPE", "-ERR wrong number of arguments for 'type' command"),
        ("TYPE a b", "-ERR wrong number of arguments for 'type' command"),
        ("DEL a a", ":1"),
    ]);
}

#[test]
fn rename() {
    check(&[
        ("RENAME nokey x", "-ERR no such key"),
        ("RENAME nokey nokey", "-ERR no such key"),
        ("RENAMENX nokey x", "-ERR no such key"),
        ("SET a 1", "+OK"),
        ("RENAME a a", "+OK"),
        ("RENAMENX a a", ":0"),
        ("RENAME a b", "+OK"),
        ("EXISTS a", ":0"),
        ("GET b", r#""1""#),
        ("SET c old", "+OK"),
        ("EXPIRE b 100", ":1"),
        ("RENAME b c", "+OK"),
        ("TTL c", ":100"),
        ("GET c", r#""1""#),
        ("SET d other", "+OK"),
        ("RENAMENX c d", ":0"),
        ("GET c", r#""1""#),
        ("RENAMENX c e", ":1"),
        ("GET e", r#""1""#),
        ("TTL e", ":100"),
        ("SET f volatile EX 300", "+OK"),
        ("SET g plain", "+OK"),
        ("RENAME g f", "+OK"),
        ("TTL f", ":-1"),
        ("RENAME a", "-ERR wrong number of arguments for 'rename' command"),
        ("RENAMENX a", "-ERR wrong number of arguments for 'renamenx' command"),
    ]);
}

#[test]
fn move_between_databases() {
    check(&[
        ("MOVE nokey 1", ":0"),
        ("SET a 1", "+OK"),
        ("MOVE a 0", "-ERR source and destination objects are the same"),
        ("MOVE a 1", ":1"),
        ("EXISTS a", ":0"),
        ("SELECT 1", "+OK"),
        ("GET a", r#""1""#),
        ("SELECT 0", "+OK"),
        ("SET a 2", "+OK"),
        ("MOVE a 1", ":0"),
        ("GET a", r#""2""#),
        ("SET v x EX 100", "+OK"),
        ("MOVE v 2", ":1"),
        ("SELECT 2", "+OK"),
        ("TTL v", ":100"),
        ("SELECT 0", "+OK"),
        ("MOVE a 16", "-ERR DB index is out of range"),
        ("MOVE a -1", "-ERR DB index is out of range"),
        ("MOVE a x", "-ERR value is not an integer or out of range"),
        (r#"MOVE a """#, "-ERR value is not an integer or out of range"),
        ("MOVE a 1.0", "-ERR value is not an integer or out of range"),
        ("MOVE a 2147483648", "-ERR value is out of range, value must between -2147483648 and 2147483647"),
        ("MOVE a 9223372036854775808", "-ERR value is not an integer or out of range"),
        ("MOVE nokey 99", "-ERR DB index is out of range"),
        ("MOVE a", "-ERR wrong number of arguments for 'move' command"),
    ]);
}

#[test]
fn copy() {
    check(&[
        ("COPY nokey x", ":0"),
        ("SET a 1", "+OK"),
        ("COPY a b", ":1"),
        ("GET b", r#""1""#),
        ("OBJECT ENCODING b", r#""int""#),
        ("SET a 2", "+OK"),
        ("COPY a b", ":0"),
        ("GET b", r#""1""#),
        ("COPY a b REPLACE", ":1"),
        ("GET b", r#""2""#),
        ("APPEND a x", ":2"),
        ("COPY a raw", ":1"),
        ("OBJECT ENCODING raw", r#""raw""#),
        ("APPEND raw y", ":3"),
        ("GET a", r#""2x""#),
        ("GET raw", r#""2xy""#),
        ("EXPIRE a 100", ":1"),
        ("COPY a c", ":1"),
        ("TTL c", ":100"),
        ("COPY a b REPLACE", ":1"),
        ("TTL b", ":100"),
        ("COPY a a", "-ERR source and destination objects are the same"),
        ("COPY a a REPLACE", "-ERR source and destination objects are the same"),
        ("COPY a a DB 0", "-ERR source and destination objects are the same"),
        ("COPY a a DB 1", ":1"),
        ("COPY a a DB 1", ":0"),
        ("COPY a a DB 1 REPLACE", ":1"),
        ("SELECT 1", "+OK"),
        ("GET a", r#""2x""#),
        ("TTL a", ":100"),
        ("SELECT 0", "+OK"),
        ("COPY a z replace db 3", ":1"),
        ("COPY a z db 2 db 4", ":1"),
        ("SELECT 4", "+OK"),
        ("GET z", r#""2x""#),
        ("SELECT 0", "+OK"),
        ("COPY a z DB", "-ERR syntax error"),
        ("COPY a z DB x", "-ERR value is not an integer or out of range"),
        ("COPY a z DB 16", "-ERR DB index is out of range"),
        ("COPY a z DB -1", "-ERR DB index is out of range"),
        ("COPY a z DB 2147483648", "-ERR value is out of range, value must between -2147483648 and 2147483647"),
        ("COPY nokey z DB 16", "-ERR DB index is out of range"),
        ("COPY a z FOO", "-ERR syntax error"),
        ("COPY a a FOO", "-ERR syntax error"),
        ("COPY a", "-ERR wrong number of arguments for 'copy' command"),
    ]);
}

#[test]
fn object() {
    check(&[
        ("OBJECT ENCODING nokey", "(nil)"),
        ("OBJECT REFCOUNT nokey", "(nil)"),
        ("OBJECT IDLETIME nokey", "(nil)"),
        ("OBJECT FREQ nokey", "(nil)"),
        ("SET a 9999", "+OK"),
        ("OBJECT REFCOUNT a", ":2147483647"),
        ("SET a 10000", "+OK"),
        ("OBJECT REFCOUNT a", ":1"),
        ("SET a -1", "+OK"),
        ("OBJECT REFCOUNT a", ":1"),
        ("SET a x", "+OK"),
        ("OBJECT REFCOUNT a", ":1"),
        ("OBJECT IDLETIME a", ":0"),
        (
            "OBJECT FREQ a",
            "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ),
        ("OBJECT encoding a", r#""embstr""#),
        ("object Encoding a", r#""embstr""#),
        ("OBJECT FOO a", "-ERR unknown subcommand 'FOO'. Try OBJECT HELP."),
        ("OBJECT FOO", "-ERR unknown subcommand 'FOO'. Try OBJECT HELP."),
        ("OBJECT ENCODING", "-ERR wrong number of arguments for 'object|encoding' command"),
        ("OBJECT ENCODING a b", "-ERR wrong number of arguments for 'object|encoding' command"),
        ("OBJECT HELP x", "-ERR wrong number of arguments for 'object|help' command"),
        ("OBJECT", "-ERR wrong number of arguments for 'object' command"),
    ]);
}

#[test]
fn swapdb() {
    check(&[
        ("SET a 0", "+OK"),
        ("SELECT 1", "+OK"),
        ("SET a 1", "+OK"),
        ("SELECT 0", "+OK"),
        ("SWAPDB 0 1", "+OK"),
        ("GET a", r#""1""#),
        ("SELECT 1", "+OK"),
        ("GET a", r#""0""#),
        ("SWAPDB 1 1", "+OK"),
        ("GET a", r#""0""#),
        ("SWAPDB x 1", "-ERR invalid first DB index"),
        ("SWAPDB 1 x", "-ERR invalid second DB index"),
        ("SWAPDB 16 0", "-ERR DB index is out of range"),
        ("SWAPDB 0 16", "-ERR DB index is out of range"),
        ("SWAPDB -1 0", "-ERR DB index is out of range"),
        ("SWAPDB 2147483648 0", "-ERR invalid first DB index"),
        ("SWAPDB 0 2147483648", "-ERR invalid second DB index"),
        ("SWAPDB 0", "-ERR wrong number of arguments for 'swapdb' command"),
    ]);
}

#[test]
fn flush() {
    check(&[
        ("FLUSHDB", "+OK"),
        ("MSET a 1 b 2", "+OK"),
        ("SELECT 1", "+OK"),
        ("SET c 3", "+OK"),
        ("DBSIZE", ":1"),
        ("FLUSHDB", "+OK"),
        ("DBSIZE", ":0"),
        ("SELECT 0", "+OK"),
        ("DBSIZE", ":2"),
        ("FLUSHDB ASYNC", "+OK"),
        ("DBSIZE", ":0"),
        ("SET a 1 EX 100", "+OK"),
        ("SELECT 5", "+OK"),
        ("SET a 1", "+OK"),
        ("FLUSHALL SYNC", "+OK"),
        ("DBSIZE", ":0"),
        ("SELECT 0", "+OK"),
        ("DBSIZE", ":0"),
        ("FLUSHALL async", "+OK"),
        ("FLUSHDB sync", "+OK"),
        ("FLUSHDB FOO", "-ERR syntax error"),
        ("FLUSHALL FOO", "-ERR syntax error"),
        ("FLUSHALL SYNC ASYNC", "-ERR syntax error"),
        ("FLUSHDB SYNC SYNC", "-ERR syntax error"),
        ("SET a 1 EX 100", "+OK"),
        ("TTL a", ":100"),
        ("DBSIZE x", "-ERR wrong number of arguments for 'dbsize' command"),
    ]);
}

#[test]
fn keys_by_pattern() {
    check(&[
        ("KEYS *", "[]"),
        ("SET foo 1", "+OK"),
        ("KEYS *", r#"["foo"]"#),
        ("KEYS foo", r#"["foo"]"#),
        ("KEYS f?o", r#"["foo"]"#),
        ("KEYS [a-f]oo", r#"["foo"]"#),
        ("KEYS [^f]oo", "[]"),
        ("KEYS bar", "[]"),
        (r#"KEYS """#, "[]"),
        ("KEYS FOO", "[]"),
        ("KEYS f*", r#"["foo"]"#),
        ("KEYS *o", r#"["foo"]"#),
        (r#"KEYS \foo"#, r#"["foo"]"#),
        ("KEYS fo[", "[]"),
        (r#"SET "" empty"#, "+OK"),
        (r#"KEYS """#, r#"[""]"#),
        ("DEL foo", ":1"),
        ("KEYS *", r#"[""]"#),
        ("KEYS ?", "[]"),
        ("KEYS ??", "[]"),
        ("KEYS", "-ERR wrong number of arguments for 'keys' command"),
        ("KEYS a b", "-ERR wrong number of arguments for 'keys' command"),
        ("RANDOMKEY", r#""""#),
        (r#"DEL """#, ":1"),
        ("RANDOMKEY", "(nil)"),
        ("SET k 1", "+OK"),
        ("RANDOMKEY", r#""k""#),
        ("RANDOMKEY x", "-ERR wrong number of arguments for 'randomkey' command"),
    ]);
}

#[test]
fn scan_options() {
    check(&[
        ("SCAN 0", r#"["0", []]"#),
        ("SET a 1", "+OK"),
        ("SCAN 0", r#"["0", ["a"]]"#),
        ("SCAN 0 COUNT 1000", r#"["0", ["a"]]"#),
        ("SCAN 0 MATCH a", r#"["0", ["a"]]"#),
        ("SCAN 0 MATCH b", r#"["0", []]"#),
        ("SCAN 0 MATCH *", r#"["0", ["a"]]"#),
        ("SCAN 0 match ? count 5", r#"["0", ["a"]]"#),
        ("SCAN 0 TYPE string", r#"["0", ["a"]]"#),
        ("SCAN 0 TYPE STRING", r#"["0", ["a"]]"#),
        ("SCAN 0 TYPE list", r#"["0", []]"#),
        ("SCAN 0 TYPE nonsense", r#"["0", []]"#),
        ("SCAN 0 TYPE string MATCH a* COUNT 3", r#"["0", ["a"]]"#),
        ("SCAN 0 COUNT 1 COUNT 2", r#"["0", ["a"]]"#),
        ("SCAN 00", r#"["0", ["a"]]"#),
        ("SCAN +0", r#"["0", ["a"]]"#),
        ("SCAN x", "-ERR invalid cursor"),
        (r#"SCAN """#, "-ERR invalid cursor"),
        ("SCAN -1", "-ERR invalid cursor"),
        ("SCAN 18446744073709551616", "-ERR invalid cursor"),
        ("SCAN 0x", "-ERR invalid cursor"),
        ("SCAN 0 COUNT 0", "-ERR syntax error"),
        ("SCAN 0 COUNT -1", "-ERR syntax error"),
        ("SCAN 0 COUNT x", "-ERR value is not an integer or out of range"),
        ("SCAN 0 COUNT 9223372036854775808", "-ERR value is not an integer or out of range"),
        ("SCAN 0 COUNT 9223372036854775807", r#"["0", ["a"]]"#),
        ("SCAN 0 COUNT", "-ERR syntax error"),
        ("SCAN 0 MATCH", "-ERR syntax error"),
        ("SCAN 0 TYPE", "-ERR syntax error"),
        ("SCAN 0 FOO", "-ERR syntax error"),
        ("SCAN 0 FOO 1", "-ERR syntax error"),
        ("SCAN 0 NOVALUES", "-ERR NOVALUES option can only be used in HSCAN"),
        ("SCAN x COUNT 0", "-ERR invalid cursor"),
        ("SCAN", "-ERR wrong number of arguments for 'scan' command"),
    ]);
}

#[test]
fn nulls_in_resp3() {
    check3(&[
        ("OBJECT ENCODING nokey", "(null)"),
        ("OBJECT FREQ nokey", "(null)"),
        ("RANDOMKEY", "(null)"),
        ("SET a 1", "+OK"),
        ("SCAN 0", r#"["0", ["a"]]"#),
        ("KEYS *", r#"["a"]"#),
        ("EXISTS a", ":1"),
    ]);
}

/// The keys of a whole SCAN and how many calls it took.
fn scan_all(world: &mut World, client: ClientKey, options: &str) -> (Vec<String>, usize) {
    let (mut keys, mut calls, mut cursor) = (Vec::new(), 0, String::from("0"));
    loop {
        let reply = world.ask(client, &format!("SCAN {cursor} {options}"));
        let (next, found) = reply.strip_prefix("[\"").and_then(|rest| rest.split_once("\", [")).expect("a cursor and keys");
        keys.extend(found.trim_end_matches(']').split(", ").filter(|key| !key.is_empty()).map(String::from));
        calls += 1;
        cursor = next.to_string();
        if cursor == "0" {
            return (keys, calls);
        }
    }
}

#[test]
fn a_scan_meets_every_key_once() {
    let mut world = World::new();
    let client = world.connect();
    for key in 0..3000 {
        world.ask(client, &format!("SET key:{key} {key}"));
    }
    for count in [1, 10, 100, 5000] {
        let (mut keys, calls) = scan_all(&mut world, client, &format!("COUNT {count}"));
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 3000);
        assert!(calls <= 3000 / count + 1, "{calls} calls for COUNT {count}");
        assert!(calls * (count + 60) >= 3000, "{calls} calls for COUNT {count}");
    }
    let (keys, _) = scan_all(&mut world, client, "MATCH key:29?9 COUNT 20");
    assert_eq!(keys.len(), 10);
    assert_eq!(scan_all(&mut world, client, "TYPE list").0.len(), 0);
}

#[test]
fn a_scan_meets_what_stays() {
    let mut world = World::new();
    let client = world.connect();
    for key in 0..500 {
        world.ask(client, &format!("SET stays:{key} 1"));
    }
    let (mut seen, mut cursor, mut added) = (std::collections::HashSet::new(), String::from("0"), 0);
    loop {
        let reply = world.ask(client, &format!("SCAN {cursor} MATCH stays:*"));
        let (next, found) = reply.strip_prefix("[\"").and_then(|rest| rest.split_once("\", [")).expect("a cursor and keys");
        seen.extend(found.trim_end_matches(']').split(", ").filter(|key| !key.is_empty()).map(String::from));
        cursor = next.to_string();
        if cursor == "0" {
            break;
        }
        // the table grows at first and shrinks later
        for _ in 0..40 {
            added += 1;
            world.ask(client, &format!("SET comes:{added} 1"));
        }
        if added > 1000 {
            for gone in added - 900..added - 800 {
                world.ask(client, &format!("DEL comes:{gone}"));
            }
        }
    }
    assert_eq!(seen.len(), 500);
}

#[test]
fn a_scan_removes_what_has_expired() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "MSET a 1 b 2");
    world.ask(client, "SET c 3 PXAT 1");
    assert_eq!(world.ask(client, "DBSIZE"), ":3");
    assert_eq!(scan_all(&mut world, client, "").0.len(), 2);
    assert_eq!(world.ask(client, "DBSIZE"), ":2");
}

#[test]
fn every_key_is_drawn() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "MSET a 1 b 2 c 3 d 4 e 5");
    let drawn: std::collections::HashSet<String> = (0..200).map(|_| world.ask(client, "RANDOMKEY")).collect();
    assert_eq!(drawn.len(), 5);
}

#[test]
fn idle_time_and_frequency() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "SET k v");
    world.pass_ms(10_000);
    assert_eq!(world.ask(client, "OBJECT IDLETIME k"), ":10");
    // facts about a key are no access
    for line in ["EXISTS k", "TYPE k", "TTL k", "OBJECT ENCODING k"] {
        world.ask(client, line);
    }
    assert_eq!(world.ask(client, "OBJECT IDLETIME k"), ":10");
    world.ask(client, "GET k");
    for line in ["GET k", "TOUCH k", "EXPIRE k 1000", "APPEND k x", "STRLEN k"] {
        world.pass_ms(10_000);
        assert_eq!(world.ask(client, "OBJECT IDLETIME k"), ":10", "before {line}");
        world.ask(client, line);
        assert_eq!(world.ask(client, "OBJECT IDLETIME k"), ":0", "after {line}");
    }
    world.ask(client, "CLIENT NO-TOUCH ON");
    world.pass_ms(10_000);
    world.ask(client, "GET k");
    assert_eq!(world.ask(client, "OBJECT IDLETIME k"), ":10");
    for line in ["TOUCH k", "EVAL \"return redis.call('TOUCH', KEYS[1])\" 1 k"] {
        world.ask(client, line);
        assert_eq!(world.ask(client, "OBJECT IDLETIME k"), ":0", "after {line}");
        world.pass_ms(10_000);
    }
    world.ask(client, "CLIENT NO-TOUCH OFF");
    // so is what might have written
    for line in ["SET k v NX", "SETNX k v", "MSETNX k v", "PERSIST k", "RENAME k k2", "RENAMENX k k2", "MOVE k 1"] {
        world.ask(client, "FLUSHALL");
        world.ask(client, "SET k v");
        world.pass_ms(10_000);
        world.ask(client, line);
        let place = if line.starts_with("RENAME") { "k2" } else { "k" };
        world.ask(client, if line.starts_with("MOVE") { "SELECT 1" } else { "SELECT 0" });
        assert_eq!(world.ask(client, &format!("OBJECT IDLETIME {place}")), ":0", "after {line}");
    }
    check_with(
        &[("maxmemory-policy", "allkeys-lfu")],
        &[
            ("SET k v", "+OK"),
            ("OBJECT FREQ k", ":5"),
            ("OBJECT FREQ absent", "(nil)"),
            (
                "OBJECT IDLETIME k",
                "-ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.",
            ),
            ("OBJECT IDLETIME absent", "(nil)"),
        ],
    );
    check_with(&[("maxmemory", "1gb"), ("maxmemory-policy", "allkeys-lru")], &[("SET k 1", "+OK"), ("OBJECT REFCOUNT k", ":1")]);
}

#[test]
fn an_option_with_a_zero_byte_is_shown_up_to_there() {
    check(&[(r#"EXPIREAT k 1 "\x00key""#, "-ERR Unsupported option "), (r#"EXPIREAT k 1 "a\x00key""#, "-ERR Unsupported option a")]);
}

#[test]
fn flushall_leaves_nothing_to_be_saved() {
    let mut world = World::with(&[("save", "900 1")]);
    let client = world.connect();
    world.ask(client, "SET a b");
    assert_eq!(world.ask(client, "FLUSHALL"), "+OK");
    assert!(world.ask(client, "INFO persistence").contains("rdb_changes_since_last_save:0\\r\\n"));
}
