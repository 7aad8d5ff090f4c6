//! Deadlines of keys.

use crate::harness::{World, check};

#[test]
fn expire_sets_a_deadline() {
    check(&[
        ("EXPIRE k 100", ":0"),
        ("TTL k", ":-2"),
        ("SET k v", "+OK"),
        ("TTL k", ":-1"),
        ("PTTL k", ":-1"),
        ("EXPIRETIME k", ":-1"),
        ("PEXPIRETIME k", ":-1"),
        ("EXPIRE k 100", ":1"),
        ("TTL k", ":100"),
        ("PEXPIRE k 200000", ":1"),
        ("TTL k", ":200"),
        ("EXPIREAT k 33177117420", ":1"),
        ("EXPIRETIME k", ":33177117420"),
        ("PEXPIRETIME k", ":33177117420000"),
        ("PEXPIREAT k 33177117420499", ":1"),
        ("EXPIRETIME k", ":33177117420"),
        ("PEXPIREAT k 33177117420500", ":1"),
        ("EXPIRETIME k", ":33177117421"),
        ("PEXPIRETIME k", ":33177117420500"),
        ("PERSIST k", ":1"),
        ("TTL k", ":-1"),
        ("PERSIST k", ":0"),
        ("PERSIST nokey", ":0"),
        ("TTL nokey", ":-2"),
        ("PTTL nokey", ":-2"),
        ("EXPIRETIME nokey", ":-2"),
        ("PEXPIRETIME nokey", ":-2"),
        ("SET k v", "+OK"),
        ("EXPIRE k 100", ":1"),
        ("SET k w", "+OK"),
        ("TTL k", ":-1"),
    ]);
}

#[test]
fn a_passed_deadline_removes_at_once() {
    check(&[
        ("SET k v", "+OK"),
        ("EXPIRE k 0", ":1"),
        ("EXISTS k", ":0"),
        ("SET k v", "+OK"),
        ("EXPIRE k -1", ":1"),
        ("EXISTS k", ":0"),
        ("SET k v", "+OK"),
        ("PEXPIRE k -100", ":1"),
        ("EXISTS k", ":0"),
        ("SET k v", "+OK"),
        ("EXPIREAT k 1", ":1"),
        ("EXISTS k", ":0"),
        ("SET k v", "+OK"),
        ("EXPIREAT k 0", ":1"),
        ("SET k v", "+OK"),
        ("PEXPIREAT k -5", ":1"),
        ("EXISTS k", ":0"),
        ("SET k v", "+OK"),
        ("EXPIRE k -9223372036854775", ":1"),
        ("EXISTS k", ":0"),
        ("SET k v", "+OK"),
        ("PEXPIRE k -9223372036854775808", ":1"),
        ("EXISTS k", ":0"),
        ("EXPIRE k -1", ":0"),
    ]);
}

#[test]
fn conditions() {
    check(&[
        ("SET k v", "+OK"),
        ("EXPIRE k 100 XX", ":0"),
        ("EXPIRE k 100 GT", ":0"),
        ("TTL k", ":-1"),
        ("EXPIRE k 100 NX", ":1"),
        ("EXPIRE k 200 NX", ":0"),
        ("TTL k", ":100"),
        ("EXPIRE k 200 XX", ":1"),
        ("TTL k", ":200"),
        ("EXPIRE k 100 GT", ":0"),
        ("TTL k", ":200"),
        ("EXPIRE k 300 GT", ":1"),
        ("TTL k", ":300"),
        ("EXPIRE k 400 LT", ":0"),
        ("TTL k", ":300"),
        ("EXPIRE k 250 LT", ":1"),
        ("TTL k", ":250"),
        ("EXPIRE k 500 XX GT", ":1"),
        ("TTL k", ":500"),
        ("EXPIRE k 600 XX LT", ":0"),
        ("EXPIRE k 450 xx lt", ":1"),
        ("TTL k", ":450"),
        ("EXPIREAT k 33177117420 GT", ":1"),
        ("EXPIREAT k 33177117420 GT", ":0"),
        ("EXPIREAT k 33177117420 LT", ":0"),
        ("EXPIREAT k 33177117419 LT", ":1"),
        ("EXPIREAT k 33177117421 NX", ":0"),
        ("PERSIST k", ":1"),
        ("EXPIRE k 100 GT", ":0"),
        ("EXPIRE k 100 XX LT", ":0"),
        ("EXPIRE k 100 LT", ":1"),
        ("TTL k", ":100"),
        ("EXPIRE k 100 NX XX", "-ERR NX and XX, GT or LT options at the same time are not compatible"),
        ("EXPIRE k 100 NX GT", "-ERR NX and XX, GT or LT options at the same time are not compatible"),
        ("EXPIRE k 100 NX LT", "-ERR NX and XX, GT or LT options at the same time are not compatible"),
        ("EXPIRE k 100 GT LT", "-ERR GT and LT options at the same time are not compatible"),
        ("EXPIRE k 100 NX XX GT LT", "-ERR NX and XX, GT or LT options at the same time are not compatible"),
        ("EXPIRE k 100 GT XX LT", "-ERR GT and LT options at the same time are not compatible"),
        ("EXPIRE k 100 NX NX", ":0"),
        ("EXPIRE k 100 FOO", "-ERR Unsupported option FOO"),
        ("EXPIRE k 100 NX FOO", "-ERR Unsupported option FOO"),
        ("EXPIRE k x FOO", "-ERR Unsupported option FOO"),
        ("EXPIRE nokey 100 FOO", "-ERR Unsupported option FOO"),
        ("EXPIRE nokey 100 NX", ":0"),
        ("EXPIRE k -1 GT", ":0"),
        ("EXISTS k", ":1"),
        ("EXPIRE k -1 LT", ":1"),
        ("EXISTS k", ":0"),
    ]);
}

#[test]
fn numbers_out_of_range() {
    check(&[
        ("SET k v", "+OK"),
        ("EXPIRE k x", "-ERR value is not an integer or out of range"),
        (r#"EXPIRE k """#, "-ERR value is not an integer or out of range"),
        ("EXPIRE k 1.5", "-ERR value is not an integer or out of range"),
        ("EXPIRE k 9223372036854775808", "-ERR value is not an integer or out of range"),
        ("EXPIRE k 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
        ("EXPIRE k -9223372036854775808", "-ERR invalid expire time in 'expire' command"),
        ("EXPIRE k 9223372036854775", "-ERR invalid expire time in 'expire' command"),
        ("EXPIRE k 9223370399119966", "-ERR invalid expire time in 'expire' command"),
        ("PEXPIRE k 9223372036854775807", "-ERR invalid expire time in 'pexpire' command"),
        ("PEXPIREAT k 9223372036854775807", ":1"),
        ("PEXPIRETIME k", ":9223372036854775807"),
        ("EXPIRETIME k", ":9223372036854776"),
        ("EXPIREAT k 9223372036854775", ":1"),
        ("PEXPIRETIME k", ":9223372036854775000"),
        ("EXPIREAT k 9223372036854776", "-ERR invalid expire time in 'expireat' command"),
        ("EXPIREAT k -9223372036854776", "-ERR invalid expire time in 'expireat' command"),
        ("PEXPIREAT k 9223372036854775808", "-ERR value is not an integer or out of range"),
        ("EXPIRE nokey 9223372036854775807", "-ERR invalid expire time in 'expire' command"),
        ("EXPIRE nokey x", "-ERR value is not an integer or out of range"),
        ("EXPIRE k", "-ERR wrong number of arguments for 'expire' command"),
        ("EXPIRE", "-ERR wrong number of arguments for 'expire' command"),
        ("PEXPIRE k", "-ERR wrong number of arguments for 'pexpire' command"),
        ("EXPIREAT k", "-ERR wrong number of arguments for 'expireat' command"),
        ("PEXPIREAT k", "-ERR wrong number of arguments for 'pexpireat' command"),
        ("TTL", "-ERR wrong number of arguments for 'ttl' command"),
        ("PTTL k k", "-ERR wrong number of arguments for 'pttl' command"),
        ("EXPIRETIME", "-ERR wrong number of arguments for 'expiretime' command"),
        ("PEXPIRETIME", "-ERR wrong number of arguments for 'pexpiretime' command"),
        ("PERSIST", "-ERR wrong number of arguments for 'persist' command"),
    ]);
}

#[test]
fn keys_go_when_their_time_comes() {
    let mut world = World::new();
    let client = world.connect();
    assert_eq!(world.ask(client, "SET a 1 PX 1500"), "+OK");
    assert_eq!(world.ask(client, "SET b 1 EX 3"), "+OK");
    assert_eq!(world.ask(client, "SET c 1 PX 1499"), "+OK");
    assert_eq!(world.ask(client, "PTTL a"), ":1500");
    assert_eq!(world.ask(client, "TTL a"), ":2");
    assert_eq!(world.ask(client, "TTL c"), ":1");
    world.pass_ms(1001);
    assert_eq!(world.ask(client, "PTTL a"), ":499");
    assert_eq!(world.ask(client, "TTL a"), ":0");
    assert_eq!(world.ask(client, "DBSIZE"), ":3");
    world.pass_ms(499);
    assert_eq!(world.ask(client, "TTL a"), ":-2");
    assert_eq!(world.ask(client, "GET c"), "(nil)");
    assert_eq!(world.ask(client, "DBSIZE"), ":1");
    assert_eq!(world.ask(client, "PEXPIREAT b 1700000000000"), ":1");
    assert_eq!(world.ask(client, "EXISTS b"), ":0");
}

#[test]
fn an_earlier_or_later_deadline_takes_over() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "SET a 1 EX 10");
    world.ask(client, "EXPIRE a 2");
    world.ask(client, "SET b 1 EX 2");
    world.ask(client, "EXPIRE b 10");
    world.ask(client, "SET c 1 EX 2");
    world.ask(client, "PERSIST c");
    world.ask(client, "SET d 1 EX 2");
    world.ask(client, "RENAME d e");
    world.ask(client, "COPY e f");
    world.ask(client, "MOVE e 1");
    world.pass_ms(2000);
    assert_eq!(world.ask(client, "DBSIZE"), ":2");
    assert_eq!(world.ask(client, "TTL b"), ":8");
    assert_eq!(world.ask(client, "TTL c"), ":-1");
    assert_eq!(world.ask(client, "SWAPDB 0 1"), "+OK");
    assert_eq!(world.ask(client, "DBSIZE"), ":0");
    world.pass_ms(8000);
    world.ask(client, "SWAPDB 0 1");
    assert_eq!(world.ask(client, "KEYS *"), r#"["c"]"#);
}

#[test]
fn a_flush_forgets_deadlines() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "SET a 1 EX 1");
    world.ask(client, "FLUSHDB");
    world.ask(client, "SET a 2");
    world.pass_ms(5000);
    assert_eq!(world.ask(client, "GET a"), r#""2""#);
}

#[test]
fn a_key_made_anew_while_expiry_stands_still_is_there_once() {
    let mut world = World::with(&[("enable-debug-command", "yes")]);
    let me = world.connect();
    world.ask(me, "DEBUG SET-ACTIVE-EXPIRE 0");
    world.ask(me, "SET k old PX 10");
    world.pass_ms(20);
    world.propagated();
    for line in ["MULTI", "CLIENT PAUSE 100 WRITE", "APPEND k new", "DBSIZE", "MGET k k"] {
        world.ask(me, line);
    }
    assert_eq!(world.ask(me, "EXEC"), "[+OK, :3, :1, [\"new\", \"new\"]]");
    assert_eq!(world.propagated(), ["SELECT 0", "MULTI", "DEL k", "APPEND k new", "EXEC"]);
    world.pass_ms(200);
    assert_eq!(world.ask(me, "GET k"), "\"new\"");
}

#[test]
fn keys_that_a_scan_finds_expired_do_not_belong_together() {
    let mut world = World::with(&[("enable-debug-command", "yes")]);
    let client = world.connect();
    world.propagated();
    for line in ["DEBUG SET-ACTIVE-EXPIRE 0", "SET a 1 PX 10", "SET b 1 PX 10"] {
        world.ask(client, line);
    }
    world.pass_ms(50);
    world.propagated();
    world.ask(client, "SCAN 0");
    let mut deleted = world.propagated();
    deleted.sort();
    assert_eq!(deleted, ["DEL a", "DEL b"]);
}
