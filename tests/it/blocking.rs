//! Waiting clients: who is served when, with what, and what ends a wait.

use ruddle::server::client::ClientKey;

use crate::harness::{World, check, request};

/// A world with clients that are called by their number.
struct Stage {
    world: World,
    clients: Vec<ClientKey>,
}

impl Stage {
    fn new(clients: usize) -> Stage {
        let mut world = World::new();
        let clients = (0..clients).map(|_| world.connect()).collect();
        Stage { world, clients }
    }

    /// Plays lines `CLIENT> REQUEST`, and `CLIENT< REPLY` for what the client has received since, which must
    /// be all of it; `+MS` lets time pass.
    #[track_caller]
    fn play(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if let Some(ms) = line.strip_prefix('+') {
                self.world.pass_ms(ms.parse().expect("milliseconds"));
                continue;
            }
            let (who, rest) = line.split_at(1);
            let client = self.clients[who.parse::<usize>().expect("a client's number")];
            match rest.split_at(1) {
                (">", text) => self.world.send(client, text.trim()),
                ("<", text) => {
                    let received = self.world.received(client).join(" ");
                    assert_eq!(received, text.trim(), "client {who} at: {line}");
                }
                _ => panic!("what is {line}?"),
            }
        }
    }
}

/// Plays a script with three clients: see [`Stage::play`].
#[track_caller]
fn play(script: &str) {
    Stage::new(6).play(script);
}

#[test]
fn an_element_that_is_there_is_taken_at_once() {
    play(
        r#"
        0> RPUSH l a b c
        0< :3
        0> BLPOP x l 0
        0< ["l", "a"]
        0> BRPOP x l 0
        0< ["l", "c"]
        0> BLPOP l x 0.01
        0< ["l", "b"]
        0> EXISTS l
        0< :0
        0> RPUSH l 1 2 3
        0< :3
        0> BLMPOP 0 2 x l RIGHT COUNT 2
        0< ["l", ["3", "2"]]
        0> BLMOVE l m LEFT RIGHT 0
        0< "1"
        0> BRPOPLPUSH m n 0
        0< "1"
        0> LRANGE n 0 -1
        0< ["1"]
        "#,
    );
}

#[test]
fn first_come_first_served() {
    play(
        r#"
        0> BLPOP l 0
        1> BRPOP l 0
        2> BLPOP l 0
        0<
        3> RPUSH l a b
        3< :2
        0< ["l", "a"]
        1< ["l", "b"]
        2<
        3> EXISTS l
        3< :0
        3> RPUSH l c d
        3< :2
        2< ["l", "c"]
        3> LRANGE l 0 -1
        3< ["d"]
        "#,
    );
}

#[test]
fn several_elements_are_pushed_before_the_first_is_taken() {
    play("0> BLPOP l 0 \n 1> LPUSH l a b c \n 1< :3 \n 0< [\"l\", \"c\"]");
    play("0> BLMPOP 0 1 l LEFT COUNT 2 \n 1> RPUSH l a b c \n 1< :3 \n 0< [\"l\", [\"a\", \"b\"]] \n 1> LLEN l \n 1< :1");
}

#[test]
fn of_several_keys_the_one_that_comes() {
    play(
        r#"
        0> BLPOP a b c 0
        1> BLPOP c b 0
        2> RPUSH b 1
        0< ["b", "1"]
        1<
        2> RPUSH a 2
        2> RPUSH c 3
        1< ["c", "3"]
        0<
        2< :1 :1 :1
        0> BLPOP c a 0
        0< ["a", "2"]
        "#,
    );
}

#[test]
fn the_same_key_twice() {
    play(
        r#"
        0> BLPOP l l 0
        1> BLPOP l 0
        2> RPUSH l a
        0< ["l", "a"]
        1<
        2> RPUSH l b
        1< ["l", "b"]
        0> BLPOP l l 0.5
        +500
        0< (nil array)
        2> RPUSH l c
        2> LLEN l
        2< :1 :1 :1 :1
        "#,
    );
}

#[test]
fn timeouts() {
    play(
        r#"
        0> BLPOP l 0.1
        1> BLMOVE l m LEFT LEFT 0.2
        2> BLMPOP 0.0001 1 l LEFT
        3> BRPOPLPUSH l m 1
        4> BLPOP l 0
        +1
        2< (nil array)
        +98
        0<
        +1
        0< (nil array)
        1<
        +100
        1< (nil array)
        +800
        3< (nil array)
        +1000000000
        4<
        5> RPUSH l a
        4< ["l", "a"]
        "#,
    );
}

#[test]
fn bad_timeouts() {
    let mut world = World::new();
    let client = world.connect();
    for (line, reply) in [
        ("BLPOP l x", "-ERR timeout is not a float or out of range"),
        ("BLPOP l nan", "-ERR timeout is not a float or out of range"),
        ("BLPOP l -1", "-ERR timeout is negative"),
        ("BLPOP l -0.001", "-ERR timeout is negative"),
        ("BLPOP l 0x7FFFFFFFFFFFFF", "-ERR timeout is out of range"),
        ("BLPOP l 1e300", "-ERR timeout is out of range"),
        ("BLPOP l inf", "-ERR timeout is out of range"),
        ("BLMOVE l m LEFT UP x", "-ERR syntax error"),
        ("BLMOVE l m LEFT LEFT x", "-ERR timeout is not a float or out of range"),
        ("BRPOPLPUSH l m -1", "-ERR timeout is negative"),
        ("BLMPOP x 0 l LEFT", "-ERR numkeys should be greater than 0"),
        ("BLMPOP x 1 l LEFT", "-ERR timeout is not a float or out of range"),
        ("BLMPOP -1 1 l LEFT", "-ERR timeout is negative"),
        ("BLMPOP 1 1 l LEFT COUNT 0", "-ERR count should be greater than 0"),
    ] {
        assert_eq!(world.ask(client, line), reply, "{line}");
    }
}

#[test]
fn a_timer_of_an_earlier_wait_ends_no_later_one() {
    play(
        r#"
        0> BLPOP l 0.1
        1> RPUSH l a
        0< ["l", "a"]
        0> BLPOP l 0.3
        +100
        +100
        0<
        +99
        0<
        +1
        0< (nil array)
        0> BLPOP l 10
        1> RPUSH l b
        0< ["l", "b"]
        0> BLPOP l 0.1
        +100
        0< (nil array)
        0> BLPOP l 60
        +10000
        0<
        +50000
        0< (nil array)
        "#,
    );
}

#[test]
fn any_way_a_key_comes_to_be() {
    play(
        r#"
        0> BLPOP l 0
        1> RPUSH other a
        1> RENAME other l
        0< ["l", "a"]
        0> BLPOP l 0
        1> RPUSH other b
        1> COPY other l
        0< ["l", "b"]
        1> LINSERT other AFTER b c
        1> LMOVE other l LEFT LEFT
        0> BLPOP l 0
        0< ["l", "b"]
        0> BLPOP l 0
        1> LMOVE other l LEFT LEFT
        0< ["l", "c"]
        0> BLPOP l 0
        1> SELECT 1
        1> RPUSH l d
        0<
        1> MOVE l 0
        0< ["l", "d"]
        0> BLPOP l m 0
        1> RPUSH m e
        0<
        1> SWAPDB 0 1
        0< ["m", "e"]
        "#,
    );
}

#[test]
fn another_type_serves_nobody() {
    play(
        r#"
        0> BLPOP l 0
        1> SET l x
        0<
        1> APPEND l y
        0<
        1> DEL l
        1> RPUSH l a
        0< ["l", "a"]
        0> BLMOVE l target LEFT LEFT 0
        1> SET target x
        1> RPUSH l b
        0< -WRONGTYPE Operation against a key holding the wrong kind of value
        1> LRANGE l 0 -1
        1< +OK :2 :1 :1 +OK :1 ["b"]
        0> BLPOP first l2 0
        1> SET first x
        1> RPUSH l2 c
        0< -WRONGTYPE Operation against a key holding the wrong kind of value
        "#,
    );
}

#[test]
fn chains_of_parked_clients() {
    play(
        r#"
        0> BLMOVE a b LEFT RIGHT 0
        1> BLMOVE b c LEFT RIGHT 0
        2> BLMOVE c a LEFT RIGHT 0
        3> BLPOP a 0
        4> RPUSH a x
        4< :1
        0< "x"
        1< "x"
        2< "x"
        3< ["a", "x"]
        4> DBSIZE
        4< :0
        "#,
    );
    play(
        r#"
        0> BRPOPLPUSH l l 0
        1> BLPOP l 0
        2> RPUSH l a
        0< "a"
        1< ["l", "a"]
        "#,
    );
}

#[test]
fn keys_turn_ready_when_they_hold_what_is_waited_for() {
    // the string that goes first is nothing to wait for: `k4` is ready before `k1`
    play(
        r#"
        0> BLMOVE k1 k2 LEFT RIGHT 0
        1> BLMOVE k4 k1 LEFT LEFT 0
        2> SET k1 x
        2< +OK
        2> MULTI
        2< +OK
        2> DEL k1
        2< +QUEUED
        2> RPUSH k4 21
        2< +QUEUED
        2> LPUSH k1 20 second
        2< +QUEUED
        2> EXEC
        2< [:1, :1, :2]
        0< "21"
        1< "21"
        2> LRANGE k1 0 -1
        2< ["second", "20"]
        "#,
    );
    // `k0` turns ready again only when the second client has filled it, and then after `k2`
    play(
        r#"
        0> BLPOP k2 k4 0
        1> BLPOP k2 k0 0
        2> BLMOVE k3 k0 RIGHT RIGHT 0
        3> MULTI
        3< +OK
        3> RPUSH k0 x y
        3< +QUEUED
        3> RPUSH k3 93
        3< +QUEUED
        3> LPOP k0
        3< +QUEUED
        3> LPOP k0
        3< +QUEUED
        3> RPUSH k2 18
        3< +QUEUED
        3> EXEC
        3< [:2, :1, "x", "y", :1]
        0< ["k2", "18"]
        1< ["k0", "93"]
        2< "93"
        "#,
    );
}

#[test]
fn a_chain_as_long_as_one_likes() {
    const LINKS: usize = 3000;
    let mut world = World::new();
    let links: Vec<ClientKey> = (0..LINKS).map(|_| world.connect()).collect();
    for (at, &client) in links.iter().enumerate() {
        world.send(client, &format!("BLMOVE k{at} k{} LEFT LEFT 0", at + 1));
    }
    let pusher = world.connect();
    assert_eq!(world.ask(pusher, "RPUSH k0 x"), ":1");
    for &client in &links {
        assert_eq!(world.received(client), ["\"x\""]);
    }
    assert_eq!(world.ask(pusher, &format!("LRANGE k{LINKS} 0 -1")), "[\"x\"]");
}

#[test]
fn the_pushers_next_command_comes_after_the_service() {
    let mut stage = Stage::new(2);
    stage.play("0> BLPOP l 0");
    let pipeline: Vec<u8> = ["RPUSH l a", "LLEN l", "RPUSH l b", "LLEN l"].iter().flat_map(|line| request(line)).collect();
    stage.world.send_raw(stage.clients[1], &pipeline);
    stage.play("0< [\"l\", \"a\"] \n 1< :1 :0 :1 :1");
}

#[test]
fn what_follows_in_the_pipeline_of_a_parked_client_waits_with_it() {
    let mut stage = Stage::new(2);
    let pipeline: Vec<u8> =
        ["RPUSH l a", "BLPOP l 0", "BLPOP l 0", "SET k v", "BLPOP l 0.1", "GET k"].iter().flat_map(|line| request(line)).collect();
    stage.world.send_raw(stage.clients[0], &pipeline);
    stage.play(
        r#"
        0< :1 ["l", "a"]
        1> GET k
        1< (nil)
        1> RPUSH l b
        1< :1
        0< ["l", "b"] +OK
        +100
        0< (nil array) "v"
        0> PING
        0< +PONG
        "#,
    );
}

#[test]
fn half_a_request_behind_a_parked_one() {
    let mut stage = Stage::new(2);
    let (wait, next) = (request("BLPOP l 0"), request("SET key value"));
    let (head, tail) = next.split_at(next.len() / 2);
    stage.world.send_raw(stage.clients[0], &[&wait, head].concat());
    stage.play("1> RPUSH l a \n 0< [\"l\", \"a\"]");
    stage.world.send_raw(stage.clients[0], tail);
    stage.play("0< +OK \n 0> GET key \n 0< \"value\"");
    stage.world.send_raw(stage.clients[0], &[&wait, head].concat());
    stage.world.send_raw(stage.clients[0], tail);
    stage.play("0< \n 1> RPUSH l b \n 0< [\"l\", \"b\"] +OK");
}

#[test]
fn a_client_that_is_gone_takes_nothing() {
    let mut stage = Stage::new(4);
    stage.play("0> BLPOP l 0 \n 1> BLPOP l m 0.1 \n 2> BLPOP l 0");
    let (first, second) = (stage.clients[0], stage.clients[1]);
    stage.world.disconnect(first);
    stage.world.disconnect(second);
    assert_eq!(stage.world.server.state.parked.clients, 1);
    stage.play("3> RPUSH l a \n 2< [\"l\", \"a\"] \n 3> RPUSH m b \n 3> LLEN m \n 3< :1 :1 :1 \n +1000");
    assert_eq!(stage.world.server.state.parked.clients, 0);
    assert_eq!(stage.world.server.state.parked.keys(), 0);
}

#[test]
fn a_slot_that_is_used_again_has_no_old_timer() {
    let mut stage = Stage::new(2);
    stage.play("0> BLPOP l 0.1");
    let first = stage.clients[0];
    stage.world.disconnect(first);
    stage.clients[0] = stage.world.connect();
    assert_eq!(stage.clients[0], first, "slots are reused");
    stage.play("0> BLPOP l 0.2 \n +100 \n 0< \n +99 \n 0< \n +1 \n 0< (nil array)");
}

#[test]
fn many_who_wait_cost_nothing_at_each_push() {
    let mut stage = Stage::new(2);
    let waiting: Vec<ClientKey> = (0..2000).map(|_| stage.world.connect()).collect();
    for &client in &waiting {
        stage.world.send(client, "BLPOP l 0");
    }
    for &client in &waiting {
        stage.play("0> RPUSH l a \n 0< :1");
        assert_eq!(stage.world.received(client), ["[\"l\", \"a\"]"]);
    }
}

#[test]
fn in_a_transaction_nobody_waits() {
    play(
        r#"
        0> MULTI
        0> BLPOP l 0
        0> BLMOVE l m LEFT LEFT 0
        0> BRPOPLPUSH l m 0
        0> BLMPOP 0 1 l LEFT
        0> RPUSH l a
        0> BLPOP l 0
        0> EXEC
        0< +OK +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED +QUEUED [(nil array), (nil), (nil), (nil array), :1, ["l", "a"]]
        "#,
    );
}

#[test]
fn served_after_the_whole_transaction() {
    play(
        r#"
        0> BLPOP l 0
        1> MULTI
        1> RPUSH l a
        1> DEL l
        1> EXEC
        1< +OK +QUEUED +QUEUED [:1, :1]
        0<
        1> MULTI
        1> RPUSH l a
        1> LPUSH l b
        1> LLEN l
        1> EXEC
        1< +OK +QUEUED +QUEUED +QUEUED [:1, :2, :2]
        0< ["l", "b"]
        0> BLPOP x y 0
        1> MULTI
        1> RPUSH y b
        1> RPUSH x a
        1> EXEC
        0< ["x", "a"]
        1> SET s v
        0> BLPOP s2 0
        1> MULTI
        1> RPUSH s2 1
        1> SET s2 v
        1> EXEC
        0<
        "#,
    );
}

#[test]
fn sort_store_serves() {
    play(
        r#"
        0> BLPOP target 0
        1> RPUSH l 2 1
        1> SORT l STORE target
        1< :2 :2
        0< ["target", "1"]
        "#,
    );
}

#[test]
fn client_unblock() {
    play(
        r#"
        0> CLIENT ID
        0< :1
        0> BLPOP l 0
        1> CLIENT UNBLOCK 1
        1< :1
        0< (nil array)
        0> BLMOVE l m LEFT LEFT 0
        1> CLIENT UNBLOCK 1 ERROR
        1< :1
        0< -UNBLOCKED client unblocked via CLIENT UNBLOCK
        1> CLIENT UNBLOCK 1
        1< :0
        1> RPUSH l a
        1> LLEN l
        1< :1 :1
        "#,
    );
}

#[test]
fn a_wait_ends_once() {
    play(
        r#"
        0> CLIENT ID
        0< :1
        0> BLPOP l 0
        1> MULTI
        1> CLIENT UNBLOCK 1 ERROR
        1> CLIENT UNBLOCK 1 ERROR
        1> CLIENT UNBLOCK 1
        1> EXEC
        1< +OK +QUEUED +QUEUED +QUEUED [:1, :0, :0]
        0< -UNBLOCKED client unblocked via CLIENT UNBLOCK
        0> PING
        0< +PONG
        "#,
    );
}

#[test]
fn whoever_is_about_to_be_closed_takes_nothing() {
    play(
        r#"
        0> BLPOP l 0
        1> BLPOP l 0
        2> CLIENT KILL ID 1
        2> RPUSH l a
        2< :1 :1
        1< ["l", "a"]
        "#,
    );
}

#[test]
fn replies_that_are_not_wanted() {
    play(
        r#"
        0> CLIENT REPLY SKIP
        0> BLPOP l 0
        1> RPUSH l a
        0<
        0> PING
        0< +PONG
        0> CLIENT REPLY OFF
        0> BLPOP l 0.1
        +100
        0> CLIENT REPLY ON
        0< +OK
        "#,
    );
}

#[test]
fn watchers_learn_of_a_service() {
    play(
        r#"
        0> WATCH l
        1> BLPOP l 0
        2> RPUSH l a
        1< ["l", "a"]
        0> MULTI
        0> PING
        0> EXEC
        0< +OK +OK +QUEUED (nil array)
        "#,
    );
}

#[test]
fn a_timeout_may_be_beyond_a_double() {
    check(&[
        ("MULTI", "+OK"),
        ("BRPOP l 1e400", "+QUEUED"),
        ("BRPOP l -1e400", "+QUEUED"),
        ("BRPOP l x", "+QUEUED"),
        ("EXEC", "[-ERR timeout is out of range, -ERR timeout is negative, -ERR timeout is not a float or out of range]"),
    ]);
}

#[test]
fn a_key_that_expires_during_a_nap_serves_nobody() {
    for transaction in [false, true] {
        let mut world = World::with(&[("enable-debug-command", "yes")]);
        world.server.state.host.sleep = |time| time;
        let (waiting, client) = (world.connect(), world.connect());
        world.send(waiting, "BRPOP k 0");
        world.ask(client, "DEBUG SET-ACTIVE-EXPIRE 0");
        if transaction {
            for line in ["MULTI", "RPUSH k x", "PEXPIRE k 100", "DEBUG SLEEP 0.2"] {
                world.send(client, line);
            }
            world.send(client, "EXEC");
        } else {
            world.ask(client, "EVAL \"redis.call('rpush', 'k', 'x') redis.call('pexpire', 'k', 100)\" 0");
        }
        let served = world.received(waiting);
        assert_eq!(served.is_empty(), transaction, "{served:?}");
        assert_eq!(world.received(client).last().map(String::as_str), if transaction { Some("[:1, :1, +OK]") } else { None });
    }
}
