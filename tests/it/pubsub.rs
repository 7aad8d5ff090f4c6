//! Publish and subscribe.

use ruddle::server::client::{ClientFlags, ClientKey};
use ruddle::server::consequences::Fed;

use crate::harness::{World, check, check2_with, check3, converse};

#[test]
fn messages_reach_channels_and_patterns() {
    converse(
        r#"
a SUBSCRIBE news news sport
  a ["subscribe", "news", :1]
  a ["subscribe", "news", :1]
  a ["subscribe", "sport", :2]
a PSUBSCRIBE n* [s]port
  a ["psubscribe", "n*", :3]
  a ["psubscribe", "[s]port", :4]
b PUBLISH news hello
  b :2
  a ["message", "news", "hello"]
  a ["pmessage", "n*", "news", "hello"]
b PUBLISH sport ""
  b :2
  a ["message", "sport", ""]
  a ["pmessage", "[s]port", "sport", ""]
b PUBLISH nobody hears
  b :1
  a ["pmessage", "n*", "nobody", "hears"]
b PUBLISH quiet x
  b :0
a UNSUBSCRIBE sport other
  a ["unsubscribe", "sport", :3]
  a ["unsubscribe", "other", :3]
a PUNSUBSCRIBE [s]port
  a ["punsubscribe", "[s]port", :2]
a PUNSUBSCRIBE
  a ["punsubscribe", "n*", :1]
a PUNSUBSCRIBE
  a ["punsubscribe", (nil), :1]
b PUBLISH sport again
  b :0
a UNSUBSCRIBE
  a ["unsubscribe", "news", :0]
a UNSUBSCRIBE
  a ["unsubscribe", (nil), :0]
a GET k
  a (nil)
"#,
    );
}

#[test]
fn subscribers_in_resp3() {
    converse(
        r#"
a SUBSCRIBE c
  a ["subscribe", "c", :1]
b PUBLISH c m
  b :1
  a ["message", "c", "m"]
"#,
    );
    let mut world = World::new();
    let (a, b) = (world.connect(), world.connect());
    world.server.state.clients[a].protocol = ruddle::resp::Protocol::Resp3;
    world.send(a, "SUBSCRIBE c d");
    assert_eq!(world.received(a), [r#">["subscribe", "c", :1]"#, r#">["subscribe", "d", :2]"#]);
    world.send(a, "PSUBSCRIBE *");
    assert_eq!(world.received(a), [r#">["psubscribe", "*", :3]"#]);
    world.send(a, "SSUBSCRIBE s");
    assert_eq!(world.received(a), [r#">["ssubscribe", "s", :1]"#]);
    assert_eq!(world.ask(b, "PUBLISH c m"), ":2");
    assert_eq!(world.received(a), [r#">["message", "c", "m"]"#, r#">["pmessage", "*", "c", "m"]"#]);
    assert_eq!(world.ask(b, "SPUBLISH s m"), ":1");
    assert_eq!(world.received(a), [r#">["smessage", "s", "m"]"#]);
    world.send(a, "SET k v");
    assert_eq!(world.received(a), ["+OK"], "other commands are allowed");
    world.send(a, "PUBLISH d me");
    let mine = [":2", r#">["message", "d", "me"]"#, r#">["pmessage", "*", "d", "me"]"#];
    assert_eq!(world.received(a), mine, "one's own message follows the reply");
    for line in ["MULTI", "PUBLISH d 1", "GET k"] {
        world.send(a, line);
    }
    world.received(a);
    world.send(a, "EXEC");
    let after = [r#"[:2, "v"]"#, r#">["message", "d", "1"]"#, r#">["pmessage", "*", "d", "1"]"#];
    assert_eq!(world.received(a), after, "and never stands within it");
    world.send(a, "UNSUBSCRIBE nothing");
    assert_eq!(world.received(a), [r#">["unsubscribe", "nothing", :3]"#]);
    world.send(a, "SUNSUBSCRIBE");
    assert_eq!(world.received(a), [r#">["sunsubscribe", "s", :0]"#]);
    world.send(a, "SUNSUBSCRIBE");
    assert_eq!(world.received(a), [r#">["sunsubscribe", (null), :0]"#]);
}

#[test]
fn a_resp2_subscriber_may_do_little_else() {
    let denied = |name: &str| {
        format!("-ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context")
    };
    check2_with(
        &[],
        &[
            ("SUBSCRIBE c", r#"["subscribe", "c", :1]"#),
            ("GET k", &denied("get")),
            ("PUBLISH c m", &denied("publish")),
            ("PUBSUB NUMPAT", &denied("pubsub|numpat")),
            ("MULTI", &denied("multi")),
            ("GET", "-ERR wrong number of arguments for 'get' command"),
            ("SSUBSCRIBE s", r#"["ssubscribe", "s", :1]"#),
            ("UNSUBSCRIBE c", r#"["unsubscribe", "c", :0]"#),
            ("GET k", &denied("get")),
            ("SUNSUBSCRIBE s", r#"["sunsubscribe", "s", :0]"#),
            ("GET k", "(nil)"),
        ],
    );
}

#[test]
fn shard_channels_are_apart() {
    converse(
        r#"
a SSUBSCRIBE c d
  a ["ssubscribe", "c", :1]
  a ["ssubscribe", "d", :2]
a SUBSCRIBE c
  a ["subscribe", "c", :1]
a PSUBSCRIBE c*
  a ["psubscribe", "c*", :2]
b SPUBLISH c m
  b :1
  a ["smessage", "c", "m"]
b PUBLISH c n
  b :2
  a ["message", "c", "n"]
  a ["pmessage", "c*", "c", "n"]
b PUBSUB SHARDCHANNELS c*
  b ["c"]
b PUBSUB SHARDNUMSUB c d e
  b ["c", :1, "d", :1, "e", :0]
b PUBSUB NUMSUB c d
  b ["c", :1, "d", :0]
a SUNSUBSCRIBE d x
  a ["sunsubscribe", "d", :1]
  a ["sunsubscribe", "x", :1]
b PUBSUB SHARDCHANNELS
  b ["c"]
b SPUBLISH d m
  b :0
a (closes)
b PUBSUB SHARDNUMSUB c
  b ["c", :0]
b PUBSUB NUMPAT
  b :0
b PUBSUB CHANNELS
  b []
"#,
    );
}

#[test]
fn pubsub_answers_questions() {
    check(&[
        ("PUBSUB CHANNELS", "[]"),
        ("PUBSUB CHANNELS a b", "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP."),
        ("PUBSUB SHARDCHANNELS a b", "-ERR unknown subcommand or wrong number of arguments for 'SHARDCHANNELS'. Try PUBSUB HELP."),
        ("PUBSUB NUMSUB", "[]"),
        ("PUBSUB NUMSUB a b", r#"["a", :0, "b", :0]"#),
        ("PUBSUB SHARDNUMSUB", "[]"),
        ("PUBSUB NUMPAT", ":0"),
        ("PUBSUB NUMPAT a", "-ERR wrong number of arguments for 'pubsub|numpat' command"),
        ("PUBSUB", "-ERR wrong number of arguments for 'pubsub' command"),
        ("PUBSUB WHAT", "-ERR unknown subcommand 'WHAT'. Try PUBSUB HELP."),
        ("SUBSCRIBE", "-ERR wrong number of arguments for 'subscribe' command"),
        ("PSUBSCRIBE", "-ERR wrong number of arguments for 'psubscribe' command"),
        ("SSUBSCRIBE", "-ERR wrong number of arguments for 'ssubscribe' command"),
        ("PUBLISH c", "-ERR wrong number of arguments for 'publish' command"),
        ("SPUBLISH c", "-ERR wrong number of arguments for 'spublish' command"),
        ("PUBLISH c m", ":0"),
        ("SPUBLISH c m", ":0"),
        ("UNSUBSCRIBE", r#"["unsubscribe", (nil), :0]"#),
        ("UNSUBSCRIBE a", r#"["unsubscribe", "a", :0]"#),
        ("PUNSUBSCRIBE a", r#"["punsubscribe", "a", :0]"#),
        ("SUNSUBSCRIBE a", r#"["sunsubscribe", "a", :0]"#),
    ]);
    check3(&[("PUBSUB CHANNELS", "[]"), ("PUBSUB NUMSUB a", r#"["a", :0]"#), ("UNSUBSCRIBE", r#">["unsubscribe", (null), :0]"#)]);
}

#[test]
fn questions_count_clients_and_patterns_once() {
    converse(
        r#"
a SUBSCRIBE one two
  a ["subscribe", "one", :1]
  a ["subscribe", "two", :2]
b SUBSCRIBE two
  b ["subscribe", "two", :1]
a PSUBSCRIBE *
  a ["psubscribe", "*", :3]
b PSUBSCRIBE * ?
  b ["psubscribe", "*", :2]
  b ["psubscribe", "?", :3]
c PUBSUB NUMPAT
  c :2
c PUBSUB NUMSUB one two three one
  c ["one", :1, "two", :2, "three", :0, "one", :1]
c PUBSUB CHANNELS t*
  c ["two"]
c PUBLISH two m
  c :4
  a ["message", "two", "m"]
  a ["pmessage", "*", "two", "m"]
  b ["message", "two", "m"]
  b ["pmessage", "*", "two", "m"]
a (closes)
c PUBSUB NUMPAT
  c :2
c PUBSUB NUMSUB one two
  c ["one", :0, "two", :1]
"#,
    );
}

#[test]
fn subscribing_within_a_transaction() {
    converse(
        r#"
a MULTI
  a +OK
a SUBSCRIBE c d
  a +QUEUED
a UNSUBSCRIBE d
  a +QUEUED
a SSUBSCRIBE s
  a +QUEUED
a EXEC
  a [["subscribe", "c", :1], ["subscribe", "d", :2], ["unsubscribe", "d", :1]]
  a -ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client
b PUBLISH c m
  b :1
  a ["message", "c", "m"]
"#,
    );
    check3(&[
        ("MULTI", "+OK"),
        ("SUBSCRIBE c", "+QUEUED"),
        ("SSUBSCRIBE c", "+QUEUED"),
        ("SUNSUBSCRIBE", "+QUEUED"),
        ("EXEC", r#"[>["subscribe", "c", :1], -ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client, >["sunsubscribe", (null), :0]]"#),
    ]);
}

#[test]
fn a_message_is_one_block_for_all_its_receivers() {
    let mut world = World::new();
    let publisher = world.connect();
    let subscribers: Vec<_> = (0..1_000).map(|_| world.connect()).collect();
    for &subscriber in &subscribers {
        world.send(subscriber, "SUBSCRIBE c");
        world.received(subscriber);
    }
    let message = "m".repeat(10_000);
    assert_eq!(world.ask(publisher, &format!("PUBLISH c {message}")), ":1000");
    let address = |client| {
        let mut slices = [std::io::IoSlice::new(&[])];
        let output = &world.server.state.clients[client].output;
        assert_eq!(output.slices(&mut slices), 1);
        slices[0].as_ptr()
    };
    assert!(subscribers.iter().all(|&subscriber| address(subscriber) == address(subscribers[0])));
}

#[test]
fn a_pattern_of_a_megabyte_is_refused_an_answer_soon() {
    let mut world = World::new();
    let (subscriber, publisher) = (world.connect(), world.connect());
    let pattern = "*a".repeat(512 * 1024);
    world.send(subscriber, &format!("PSUBSCRIBE {pattern}"));
    assert_eq!(world.received(subscriber), [format!("[\"psubscribe\", \"{pattern}\", :1]")]);
    let channel = "a".repeat(5000);
    assert_eq!(world.ask(publisher, &format!("PUBLISH {channel} x")), ":0");
    assert_eq!(world.ask(publisher, "PUBLISH a x"), ":0");
    world.ask(publisher, &format!("SET {channel} x"));
    assert_eq!(world.ask(publisher, &format!("KEYS {pattern}")), "[]");
    assert_eq!(world.ask(publisher, &format!("SCAN 0 MATCH {pattern}")), "[\"0\", []]");
    assert_eq!(world.ask(publisher, "PUBSUB NUMPAT"), ":1");
    world.disconnect(subscriber);
    assert_eq!(world.ask(publisher, "PUBSUB NUMPAT"), ":0");
}

#[test]
fn ten_thousand_patterns_are_served_and_leave_nothing_behind() {
    let mut world = World::new();
    let (subscriber, publisher) = (world.connect(), world.connect());
    let round = |world: &mut World, subscriber| {
        for i in 0..10_000 {
            world.send(subscriber, &format!("PSUBSCRIBE p{i}*"));
        }
        world.take_output(subscriber);
    };
    round(&mut world, subscriber);
    assert_eq!(world.ask(publisher, "PUBSUB NUMPAT"), ":10000");
    // p7, p77, p771 and p7712
    assert_eq!(world.ask(publisher, "PUBLISH p77123 x"), ":4");
    assert_eq!(world.received(subscriber).len(), 4);
    let before = ruddle::base::memory::used();
    let other = world.connect();
    round(&mut world, other);
    assert_eq!(world.ask(publisher, "PUBLISH p77123 x"), ":8");
    world.take_output(subscriber);
    world.disconnect(other);
    assert_eq!(world.ask(publisher, "PUBLISH p77123 x"), ":4");
    world.take_output(subscriber);
    let left = ruddle::base::memory::used().saturating_sub(before);
    assert!(left < 256 * 1024, "{left} bytes are left");
    world.disconnect(subscriber);
    assert_eq!(world.ask(publisher, "PUBSUB NUMPAT"), ":0");
}

#[test]
fn publish_goes_to_replicas_but_not_into_the_file() {
    let mut world = World::new();
    let a = world.connect();
    world.propagated();
    world.ask(a, "SET k 1");
    world.ask(a, "PUBLISH c m");
    world.ask(a, "SPUBLISH c m");
    let Fed { bytes: stream, replicas_only, .. } = world.server.state.feed.take();
    let text = |range: &std::ops::Range<usize>| String::from_utf8(stream[range.clone()].to_vec()).expect("text");
    let kept: Vec<String> = replicas_only.iter().map(text).collect();
    assert_eq!(kept, ["*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$1\r\nm\r\n", "*3\r\n$8\r\nSPUBLISH\r\n$1\r\nc\r\n$1\r\nm\r\n"]);
    for line in ["MULTI", "PUBLISH c m", "SET k 2", "EXEC"] {
        world.ask(a, line);
    }
    assert_eq!(world.propagated(), ["MULTI", "PUBLISH c m", "SET k 2", "EXEC"]);
}

/// Empties a client's output as a write does, and gives what it was.
fn write_to(world: &mut World, client: ClientKey) -> Vec<String> {
    let received = world.received(client);
    world.server.state.clients[client].flags.set(ClientFlags::PENDING_WRITE.or(ClientFlags::POSTED), false);
    received
}

/// A server with a publisher and so many subscribers of `c`, who have been sent all that they are due.
fn audience(count: usize) -> (World, ClientKey, Vec<ClientKey>) {
    let mut world = World::new();
    let publisher = world.connect();
    let subscribers: Vec<ClientKey> = (0..count).map(|_| world.connect()).collect();
    for &subscriber in &subscribers {
        world.ask(subscriber, "SUBSCRIBE c");
    }
    world.server.take_all_writes();
    for client in subscribers.iter().chain([&publisher]) {
        write_to(&mut world, *client);
    }
    (world, publisher, subscribers)
}

#[test]
fn messages_to_many_are_written_over_several_turns() {
    let (mut world, publisher, subscribers) = audience(150);
    let message = |text: &str| format!("[\"message\", \"c\", \"{text}\"]");

    // the reply first, then the first slice of the receivers
    world.send(publisher, "PUBLISH c one");
    let writes = world.server.take_pending_writes();
    assert_eq!(writes[0], publisher);
    assert_eq!(writes[1..], subscribers[..64]);
    assert!(world.server.has_more_to_write());
    for client in writes {
        write_to(&mut world, client);
    }
    // who has its turn later gets both messages with one write; one that asks something is answered now
    world.send(publisher, "PUBLISH c two");
    world.send(subscribers[149], "PING");
    let writes = world.server.take_pending_writes();
    assert_eq!(writes[..2], [publisher, subscribers[149]]);
    assert_eq!(writes[2..], subscribers[64..128]);
    assert_eq!(write_to(&mut world, subscribers[149]), [&message("one"), &message("two"), "[\"pong\", \"\"]"]);
    assert_eq!(write_to(&mut world, subscribers[64]), [message("one"), message("two")]);
    for &client in &writes {
        write_to(&mut world, client);
    }
    // the rest of the first round, less who was answered, and the first of the second
    let writes = world.server.take_pending_writes();
    assert_eq!(writes[..21], subscribers[128..149]);
    assert_eq!(writes[21..], subscribers[..43]);
    for &client in &writes {
        let expected = if client < subscribers[64] { vec![message("two")] } else { vec![message("one"), message("two")] };
        assert_eq!(write_to(&mut world, client), expected);
    }
    // one that has gone meanwhile is no obstacle
    world.disconnect(subscribers[50]);
    let writes = world.server.take_all_writes();
    assert_eq!(writes, [&subscribers[43..50], &subscribers[51..64]].concat());
    assert!(!world.server.has_more_to_write());
}

#[test]
fn a_receiver_of_much_is_written_to_at_once() {
    let (mut world, publisher, subscribers) = audience(100);
    let large = "x".repeat(20_000);
    world.send(publisher, &format!("PUBLISH c {large}"));
    // some 256 KB a turn, whatever the number of receivers
    let writes = world.server.take_pending_writes();
    assert_eq!(writes[1..], subscribers[..14]);
    for &client in &writes {
        write_to(&mut world, client);
    }
    // those who had a message waiting do not collect more
    world.send(publisher, &format!("PUBLISH c {large}"));
    let writes = world.server.take_pending_writes();
    assert_eq!(writes[..86], subscribers[14..]);
    assert_eq!(writes[86], publisher);
    assert_eq!(writes[87..], subscribers[..14]);
}
