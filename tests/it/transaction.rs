//! Transactions.

use crate::harness::{World, check, check3, converse};

#[test]
fn commands_are_queued_and_run_by_exec() {
    let script = &[
        ("MULTI", "+OK"),
        ("SET k 1", "+QUEUED"),
        ("GET k", "+QUEUED"),
        ("INCR k", "+QUEUED"),
        ("EXEC", "[+OK, \"1\", :2]"),
        ("GET k", "\"2\""),
        ("MULTI", "+OK"),
        ("EXEC", "[]"),
        ("MULTI", "+OK"),
        ("DEL k", "+QUEUED"),
        ("DISCARD", "+OK"),
        ("GET k", "\"2\""),
        ("exec", "-ERR EXEC without MULTI"),
        ("discard", "-ERR DISCARD without MULTI"),
        ("unwatch", "+OK"),
        ("MULTI a", "-ERR wrong number of arguments for 'multi' command"),
        ("DISCARD a", "-ERR wrong number of arguments for 'discard' command"),
        ("UNWATCH a", "-ERR wrong number of arguments for 'unwatch' command"),
        ("WATCH", "-ERR wrong number of arguments for 'watch' command"),
        ("GET k", "\"2\""),
    ];
    check(script);
    check3(script);
}

#[test]
fn errors_inside_do_not_stop_exec() {
    check(&[
        ("SET s text", "+OK"),
        ("MULTI", "+OK"),
        ("INCR s", "+QUEUED"),
        ("SET k v EX 0", "+QUEUED"),
        ("SET k v", "+QUEUED"),
        ("EXEC", "[-ERR value is not an integer or out of range, -ERR invalid expire time in 'set' command, +OK]"),
        ("GET k", "\"v\""),
    ]);
}

#[test]
fn refusals_at_queueing_spoil_the_transaction() {
    let aborted = "-EXECABORT Transaction discarded because of previous errors.";
    check(&[
        ("MULTI", "+OK"),
        ("SET k v", "+QUEUED"),
        ("GET", "-ERR wrong number of arguments for 'get' command"),
        ("SET k w", "+QUEUED"),
        ("EXEC", aborted),
        ("GET k", "(nil)"),
        ("EXEC", "-ERR EXEC without MULTI"),
        ("MULTI", "+OK"),
        ("NOSUCH a b", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' "),
        ("EXEC", aborted),
        ("MULTI", "+OK"),
        ("PUBSUB NOSUCH", "-ERR unknown subcommand 'NOSUCH'. Try PUBSUB HELP."),
        ("EXEC", aborted),
        ("MULTI", "+OK"),
        ("PUBSUB", "-ERR wrong number of arguments for 'pubsub' command"),
        ("DISCARD", "+OK"),
        ("MULTI", "+OK"),
        ("EXEC", "[]"),
    ]);
}

#[test]
fn a_refused_exec_ends_the_transaction() {
    check(&[
        ("EXEC a", "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"),
        ("MULTI", "+OK"),
        ("SET k v", "+QUEUED"),
        ("EXEC a", "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"),
        ("EXEC", "-ERR EXEC without MULTI"),
        ("GET k", "(nil)"),
    ]);
}

#[test]
fn multi_and_watch_inside_multi_are_errors_that_spoil_nothing() {
    check(&[
        ("MULTI", "+OK"),
        ("MULTI", "-ERR MULTI calls can not be nested"),
        ("WATCH k", "-ERR WATCH inside MULTI is not allowed"),
        ("SET k v", "+QUEUED"),
        ("EXEC", "[+OK]"),
        ("MULTI", "+OK"),
        ("WATCH", "-ERR wrong number of arguments for 'watch' command"),
        ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
    ]);
}

#[test]
fn watched_keys_that_change_fail_exec() {
    converse(
        "\
a WATCH k l
  a +OK
b GET k
  b (nil)
a MULTI
  a +OK
a PING
  a +QUEUED
a EXEC
  a [+PONG]
a WATCH k l
  a +OK
b SET l 1
  b +OK
a MULTI
  a +OK
a SET k 2
  a +QUEUED
a EXEC
  a (nil array)
a EXEC
  a -ERR EXEC without MULTI
a GET k
  a (nil)
a WATCH k
  a +OK
a SET k 3
  a +OK
a MULTI
  a +OK
a PING
  a +QUEUED
a EXEC
  a (nil array)
a WATCH k
  a +OK
a SET k 4
  a +OK
a UNWATCH
  a +OK
a MULTI
  a +OK
a PING
  a +QUEUED
a EXEC
  a [+PONG]
a WATCH k
  a +OK
b SELECT 1
  b +OK
b SET k other
  b +OK
a MULTI
  a +OK
b SELECT 0
  b +OK
a PING
  a +QUEUED
a EXEC
  a [+PONG]
a WATCH k
  a +OK
a MULTI
  a +OK
a DISCARD
  a +OK
b SET k 5
  b +OK
a MULTI
  a +OK
a PING
  a +QUEUED
a EXEC
  a [+PONG]
a WATCH k
  a +OK
a MULTI
  a +OK
a GET
  a -ERR wrong number of arguments for 'get' command
b SET k 6
  b +OK
a EXEC
  a -EXECABORT Transaction discarded because of previous errors.
a WATCH k
  a +OK
b DEL k
  b :1
a WATCH other
  a +OK
a MULTI
  a +OK
a UNWATCH
  a +QUEUED
a EXEC
  a (nil array)
",
    );
}

#[test]
fn exec_of_its_own_watched_keys_is_no_change() {
    converse(
        "\
a WATCH k
  a +OK
b WATCH k
  b +OK
a MULTI
  a +OK
a SET k 1
  a +QUEUED
a SET k 2
  a +QUEUED
a EXEC
  a [+OK, +OK]
b MULTI
  b +OK
b EXEC
  b (nil array)
a MULTI
  a +OK
a PING
  a +QUEUED
a EXEC
  a [+PONG]
",
    );
}

#[test]
fn resp3_shows_a_failed_exec_as_null() {
    check3(&[("WATCH k", "+OK"), ("SET k 1", "+OK"), ("MULTI", "+OK"), ("EXEC", "(null)")]);
}

#[test]
fn flushes_doom_watchers_of_keys_that_were_there() {
    converse(
        "\
a SET k 1
  a +OK
a WATCH k
  a +OK
b WATCH absent
  b +OK
c FLUSHALL
  c +OK
a MULTI
  a +OK
a EXEC
  a (nil array)
b MULTI
  b +OK
b EXEC
  b []
a SET k 1
  a +OK
a WATCH k
  a +OK
c SELECT 5
  c +OK
c FLUSHDB
  c +OK
a MULTI
  a +OK
a EXEC
  a []
a WATCH k
  a +OK
c SELECT 0
  c +OK
c FLUSHDB
  c +OK
a MULTI
  a +OK
a EXEC
  a (nil array)
",
    );
}

#[test]
fn swapdb_dooms_watchers_of_keys_on_either_side() {
    converse(
        "\
a SET here 1
  a +OK
c SELECT 1
  c +OK
c SET there 1
  c +OK
a WATCH here
  a +OK
b WATCH there
  b +OK
d WATCH nowhere
  d +OK
c SWAPDB 0 1
  c +OK
a MULTI
  a +OK
a EXEC
  a (nil array)
b MULTI
  b +OK
b EXEC
  b (nil array)
d MULTI
  d +OK
d EXEC
  d []
a WATCH there
  a +OK
c SWAPDB 2 3
  c +OK
a MULTI
  a +OK
a EXEC
  a []
",
    );
}

#[test]
fn a_watched_key_that_expires_fails_exec() {
    for look in ["", "GET k", "PING"] {
        let mut world = World::new();
        let (a, b) = (world.connect(), world.connect());
        world.ask(a, "SET k v PX 10");
        assert_eq!(world.ask(a, "WATCH k"), "+OK");
        world.pass_ms(10);
        if !look.is_empty() {
            world.ask(b, look);
        }
        world.ask(a, "MULTI");
        world.ask(a, "PING");
        assert_eq!(world.ask(a, "EXEC"), "(nil array)", "{look}");
        world.ask(a, "WATCH k");
        world.ask(a, "MULTI");
        world.ask(a, "PING");
        assert_eq!(world.ask(a, "EXEC"), "[+PONG]", "it is gone for good");
    }
}

#[test]
fn a_key_that_had_expired_when_it_was_watched_does_not_fail_exec() {
    use ruddle::keyspace::expiry::Expiry;
    // what a replica does: expired keys stay until the primary says so
    for change in ["GET k", "DEL k", "FLUSHALL", "SWAPDB 0 1", "SET other v"] {
        let mut world = World::new();
        let (a, b) = (world.connect(), world.connect());
        world.ask(a, "SET k v PX 10");
        world.server.keyspace.expiry = Expiry::Hide;
        world.pass_ms(20);
        assert_eq!(world.ask(a, "WATCH k"), "+OK");
        if change == "DEL k" {
            world.server.keyspace.expiry = Expiry::Ignore;
            assert_eq!(world.ask(b, change), ":1");
            world.server.keyspace.expiry = Expiry::Hide;
        } else {
            world.ask(b, change);
        }
        world.ask(a, "MULTI");
        world.ask(a, "PING");
        assert_eq!(world.ask(a, "EXEC"), "[+PONG]", "{change}");
    }
    let mut world = World::new();
    let (a, b) = (world.connect(), world.connect());
    world.ask(a, "SET k v PX 10");
    world.server.keyspace.expiry = Expiry::Hide;
    world.pass_ms(20);
    world.ask(a, "WATCH k");
    world.ask(b, "SET k new");
    world.ask(a, "MULTI");
    assert_eq!(world.ask(a, "EXEC"), "(nil array)");
}

#[test]
fn select_works_within_a_transaction() {
    check(&[
        ("MULTI", "+OK"),
        ("SELECT 3", "+QUEUED"),
        ("SET k three", "+QUEUED"),
        ("SELECT 4", "+QUEUED"),
        ("SET k four", "+QUEUED"),
        ("EXEC", "[+OK, +OK, +OK, +OK]"),
        ("GET k", "\"four\""),
        ("SELECT 3", "+OK"),
        ("GET k", "\"three\""),
    ]);
}

#[test]
fn a_closed_connection_watches_nothing() {
    let mut world = World::new();
    let (a, b) = (world.connect(), world.connect());
    world.ask(a, "WATCH k");
    world.ask(a, "MULTI");
    world.ask(a, "SET k v");
    world.server.closed(a);
    // the next client gets its place
    let c = world.connect();
    world.ask(b, "SET k v");
    world.ask(c, "MULTI");
    assert_eq!(world.ask(c, "EXEC"), "[]");
}

#[test]
fn a_client_killed_inside_its_own_transaction_has_done_all_of_it_or_nothing() {
    let mut world = World::new();
    let (a, b) = (world.connect(), world.connect());
    for line in ["MULTI", "SET k 1", "CLIENT KILL ID 1 SKIPME no", "SET k2 2"] {
        world.ask(a, line);
    }
    world.send(a, "EXEC");
    assert_eq!(world.received(a), ["[+OK, :1, +OK]"]);
    world.send(a, "PING");
    assert!(world.received(a).is_empty(), "it is to be closed");
    assert_eq!(world.ask(b, "MGET k k2"), "[\"1\", \"2\"]");
    let c = world.connect();
    for line in ["WATCH k", "MULTI", "SET k 5"] {
        world.ask(c, line);
    }
    assert_eq!(world.ask(b, "CLIENT KILL ID 3"), ":1");
    world.send(c, "EXEC");
    assert!(world.received(c).is_empty());
    for gone in world.server.take_closing() {
        world.disconnect(gone);
    }
    assert_eq!(world.ask(b, "GET k"), "\"1\"");
    assert!(world.ask(b, "INFO clients").contains("watching_clients:0\\r\\n"));
}

#[test]
fn a_transaction_is_propagated_as_one_unit() {
    let mut world = World::new();
    let (a, b) = (world.connect(), world.connect());
    assert!(world.propagated().is_empty());
    world.ask(a, "SET k 1");
    world.ask(a, "GET k");
    world.ask(a, "SET k 2");
    assert_eq!(world.propagated(), ["SELECT 0", "SET k 1", "SET k 2"]);
    for line in ["MULTI", "SET k 3", "GET k", "SELECT 2", "SET k 4", "DEL absent", "EXEC"] {
        world.ask(a, line);
        assert!(line == "EXEC" || world.propagated().is_empty());
    }
    assert_eq!(world.propagated(), ["MULTI", "SET k 3", "SELECT 2", "SET k 4", "EXEC"]);
    for line in ["MULTI", "SET k 5", "EXEC"] {
        world.ask(b, line);
    }
    assert_eq!(world.propagated(), ["SELECT 0", "SET k 5"], "a single command needs no MULTI");
    for line in ["MULTI", "GET k", "EXEC", "MULTI", "EXEC", "WATCH k", "SET k 6", "MULTI", "SET k 7", "EXEC"] {
        world.ask(b, line);
    }
    assert_eq!(world.propagated(), ["SET k 6"]);
    world.server.state.feed.reselect();
    world.ask(b, "SET k 8");
    assert_eq!(world.propagated(), ["SELECT 0", "SET k 8"]);
}

#[test]
fn keys_that_expire_on_their_own_are_units_of_their_own() {
    let mut world = World::new();
    let a = world.connect();
    world.propagated();
    world.ask(a, "SET k 1 PX 10");
    world.ask(a, "SET l 1 PX 10");
    world.propagated();
    world.pass_ms(10);
    let mut deleted = world.propagated();
    deleted.sort();
    assert_eq!(deleted, ["DEL k", "DEL l"]);
}

#[test]
fn exec_and_its_commands_are_counted() {
    let mut world = World::new();
    let a = world.connect();
    for line in ["MULTI", "SET k text", "INCR k", "GET k", "EXEC", "GET", "EXEC"] {
        world.ask(a, line);
    }
    let counted = |world: &World, name: &[u8]| {
        let registry = &world.server.state.registry;
        let stats = &registry.get(registry.lookup(name).expect("a command")).stats;
        (stats.calls, stats.rejected, stats.failed)
    };
    assert_eq!(counted(&world, b"multi"), (1, 0, 0));
    assert_eq!(counted(&world, b"exec"), (2, 0, 1));
    assert_eq!(counted(&world, b"set"), (1, 0, 0));
    assert_eq!(counted(&world, b"incr"), (1, 0, 1));
    assert_eq!(counted(&world, b"get"), (1, 1, 0));
}

#[test]
fn memory_is_checked_when_a_command_is_queued() {
    let mut world = World::new();
    let a = world.connect();
    world.ask(a, "MULTI");
    world.ask(a, "SET k v");
    world.server.state.gates.out_of_memory = true;
    world.server.state.gates.update();
    let full = "-OOM command not allowed when used memory > 'maxmemory'.";
    assert_eq!(world.ask(a, "GET k"), full, "a queue takes memory");
    assert_eq!(world.ask(a, "EXEC"), format!("-EXECABORT Transaction discarded because of: {}", &full[1..]));
    world.ask(a, "MULTI");
    assert_eq!(world.ask(a, "DISCARD"), "+OK");
    world.server.state.gates.out_of_memory = false;
    world.server.state.gates.update();
    world.ask(a, "MULTI");
    world.ask(a, "GET k");
    world.server.state.gates.out_of_memory = true;
    world.server.state.gates.update();
    assert_eq!(world.ask(a, "EXEC"), "[(nil)]");
}

#[test]
fn waiting_clients_are_served_after_the_whole_transaction() {
    converse(
        r#"
a BLPOP l 0
b MULTI
  b +OK
b LPUSH l 1
  b +QUEUED
b DEL l
  b +QUEUED
b EXEC
  b [:1, :1]
b MULTI
  b +OK
b LPUSH l 1
  b +QUEUED
b LPUSH l 2
  b +QUEUED
b BLPOP l 0
  b +QUEUED
b BLPOP none 0
  b +QUEUED
b BLMOVE none other LEFT LEFT 0
  b +QUEUED
b EXEC
  b [:1, :2, ["l", "2"], (nil array), (nil)]
  a ["l", "1"]
"#,
    );
    let mut world = World::new();
    let (a, b) = (world.connect(), world.connect());
    world.propagated();
    world.send(a, "BLPOP l 0");
    for line in ["MULTI", "RPUSH l 1", "RPUSH l 2", "EXEC"] {
        world.ask(b, line);
    }
    assert_eq!(world.propagated(), ["SELECT 0", "MULTI", "RPUSH l 1", "RPUSH l 2", "EXEC", "LPOP l"]);
}
