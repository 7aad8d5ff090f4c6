//! Keyspace events.

use crate::harness::{World, converse_with};

#[test]
fn both_channels_in_the_order_of_execution() {
    converse_with(
        &[("notify-keyspace-events", "KEA")],
        r#"
a PSUBSCRIBE __key*
  a ["psubscribe", "__key*", :1]
b SET k v
  b +OK
  a ["pmessage", "__key*", "__keyspace@0__:k", "set"]
  a ["pmessage", "__key*", "__keyevent@0__:set", "k"]
b SELECT 3
  b +OK
b APPEND k x
  b :1
  a ["pmessage", "__key*", "__keyspace@3__:k", "append"]
  a ["pmessage", "__key*", "__keyevent@3__:append", "k"]
b SET k v EX 100
  b +OK
  a ["pmessage", "__key*", "__keyspace@3__:k", "set"]
  a ["pmessage", "__key*", "__keyevent@3__:set", "k"]
  a ["pmessage", "__key*", "__keyspace@3__:k", "expire"]
  a ["pmessage", "__key*", "__keyevent@3__:expire", "k"]
b DEL k absent
  b :1
  a ["pmessage", "__key*", "__keyspace@3__:k", "del"]
  a ["pmessage", "__key*", "__keyevent@3__:del", "k"]
b GET absent
  b (nil)
"#,
    );
}

#[test]
fn letters_choose_channels_and_classes() {
    converse_with(
        &[("notify-keyspace-events", "K$")],
        r#"
a PSUBSCRIBE *
  a ["psubscribe", "*", :1]
b SET k 1 EX 100
  b +OK
  a ["pmessage", "*", "__keyspace@0__:k", "set"]
b DEL k
  b :1
"#,
    );
    converse_with(
        &[("notify-keyspace-events", "Eg")],
        r#"
a PSUBSCRIBE *
  a ["psubscribe", "*", :1]
b SET k 1
  b +OK
b DEL k
  b :1
  a ["pmessage", "*", "__keyevent@0__:del", "k"]
"#,
    );
    converse_with(
        &[("notify-keyspace-events", "A")],
        r#"
a PSUBSCRIBE *
  a ["psubscribe", "*", :1]
b SET k 1
  b +OK
"#,
    );
    converse_with(
        &[("notify-keyspace-events", "Emn")],
        r#"
a PSUBSCRIBE *
  a ["psubscribe", "*", :1]
b GET k
  b (nil)
  a ["pmessage", "*", "__keyevent@0__:keymiss", "k"]
b SET k 1
  b +OK
  a ["pmessage", "*", "__keyevent@0__:new", "k"]
b SET k 2
  b +OK
"#,
    );
}

#[test]
fn events_and_messages_of_a_transaction_come_in_its_order() {
    converse_with(
        &[("notify-keyspace-events", "E$")],
        r#"
a PSUBSCRIBE *
  a ["psubscribe", "*", :1]
b MULTI
  b +OK
b SET k 1
  b +QUEUED
b PUBLISH c between
  b +QUEUED
b SET l 2
  b +QUEUED
b EXEC
  b [+OK, :1, +OK]
  a ["pmessage", "*", "__keyevent@0__:set", "k"]
  a ["pmessage", "*", "c", "between"]
  a ["pmessage", "*", "__keyevent@0__:set", "l"]
"#,
    );
}

#[test]
fn keys_that_expire_say_so() {
    let mut world = World::with(&[("notify-keyspace-events", "Ex")]);
    let (a, b) = (world.connect(), world.connect());
    world.send(a, "SUBSCRIBE __keyevent@0__:expired");
    world.received(a);
    world.ask(b, "SET k v PX 10");
    world.ask(b, "SET l v PX 5");
    world.pass_ms(10);
    let mut told = world.received(a);
    told.sort();
    assert_eq!(told, [r#"["message", "__keyevent@0__:expired", "k"]"#, r#"["message", "__keyevent@0__:expired", "l"]"#]);
}
