//! Client-side caching.

use crate::harness::{World, check, check3, converse, converse_with};

#[test]
fn options_must_agree() {
    let switch =
        "-ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode.";
    let switch_opt =
        "-ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode.";
    let overlap = "Prefixes for a single client must not overlap.";
    check(&[
        ("CLIENT TRACKING", "-ERR wrong number of arguments for 'client|tracking' command"),
        ("CLIENT TRACKING maybe", "-ERR syntax error"),
        ("CLIENT TRACKING on what", "-ERR syntax error"),
        ("CLIENT TRACKING on PREFIX", "-ERR syntax error"),
        ("CLIENT TRACKING on REDIRECT", "-ERR syntax error"),
        ("CLIENT TRACKING on REDIRECT x", "-ERR value is not an integer or out of range"),
        ("CLIENT TRACKING on REDIRECT 0", "-ERR The client ID you want redirect to does not exist"),
        ("CLIENT TRACKING on REDIRECT -1", "-ERR The client ID you want redirect to does not exist"),
        ("CLIENT TRACKING on REDIRECT 999999", "-ERR The client ID you want redirect to does not exist"),
        ("CLIENT TRACKING on PREFIX a", "-ERR PREFIX option requires BCAST mode to be enabled"),
        ("CLIENT TRACKING on BCAST OPTIN", "-ERR OPTIN and OPTOUT are not compatible with BCAST"),
        ("CLIENT TRACKING on BCAST OPTOUT", "-ERR OPTIN and OPTOUT are not compatible with BCAST"),
        ("CLIENT TRACKING on OPTIN OPTOUT", "-ERR You can't specify both OPTIN mode and OPTOUT mode"),
        ("CLIENT TRACKING off PREFIX a OPTIN OPTOUT", "+OK"),
        ("CLIENT TRACKING on OPTIN", "+OK"),
        ("CLIENT TRACKING on OPTOUT", switch_opt),
        ("CLIENT TRACKING on BCAST", switch),
        ("CLIENT TRACKING on", "+OK"),
        ("CLIENT TRACKING on OPTOUT", "+OK"),
        ("CLIENT TRACKING on OPTIN", switch_opt),
        ("CLIENT TRACKING off", "+OK"),
        ("CLIENT TRACKING off", "+OK"),
        (
            "CLIENT TRACKING on BCAST PREFIX ab PREFIX abc",
            &format!("-ERR Prefix 'ab' overlaps with another provided prefix 'abc'. {overlap}"),
        ),
        (
            "CLIENT TRACKING on BCAST PREFIX ab PREFIX ab",
            &format!("-ERR Prefix 'ab' overlaps with another provided prefix 'ab'. {overlap}"),
        ),
        ("CLIENT TRACKING on BCAST PREFIX ab PREFIX cd", "+OK"),
        ("CLIENT TRACKING on BCAST PREFIX a", &format!("-ERR Prefix 'a' overlaps with an existing prefix 'ab'. {overlap}")),
        ("CLIENT TRACKING on BCAST PREFIX abx", &format!("-ERR Prefix 'abx' overlaps with an existing prefix 'ab'. {overlap}")),
        ("CLIENT TRACKING on BCAST PREFIX ef", "+OK"),
        ("CLIENT TRACKINGINFO", r#"["flags", ["on", "bcast"], "redirect", :0, "prefixes", ["ab", "cd", "ef"]]"#),
        ("CLIENT TRACKING on", switch),
        ("CLIENT TRACKING off", "+OK"),
    ]);
}

#[test]
fn caching_goes_with_the_mode() {
    let only = "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled";
    let yes = "-ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.";
    let no = "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.";
    check(&[
        ("CLIENT CACHING", "-ERR wrong number of arguments for 'client|caching' command"),
        ("CLIENT CACHING yes", only),
        ("CLIENT CACHING maybe", only),
        ("CLIENT TRACKING on", "+OK"),
        ("CLIENT CACHING yes", yes),
        ("CLIENT CACHING no", no),
        ("CLIENT CACHING maybe", "-ERR syntax error"),
        ("CLIENT TRACKING on OPTIN", "+OK"),
        ("CLIENT CACHING no", no),
        ("CLIENT CACHING yes", "+OK"),
        ("CLIENT TRACKINGINFO", r#"["flags", ["on", "optin", "caching-yes"], "redirect", :0, "prefixes", []]"#),
        ("CLIENT TRACKINGINFO", r#"["flags", ["on", "optin", "caching-yes"], "redirect", :0, "prefixes", []]"#),
        ("PING", "+PONG"),
        ("CLIENT TRACKINGINFO", r#"["flags", ["on", "optin"], "redirect", :0, "prefixes", []]"#),
        ("CLIENT CACHING yes", "+OK"),
        ("NOSUCH a", "-ERR unknown command 'NOSUCH', with args beginning with: 'a' "),
        ("CLIENT TRACKINGINFO", r#"["flags", ["on", "optin"], "redirect", :0, "prefixes", []]"#),
        ("CLIENT CACHING yes", "+OK"),
        ("GET", "-ERR wrong number of arguments for 'get' command"),
        ("CLIENT TRACKINGINFO", r#"["flags", ["on", "optin"], "redirect", :0, "prefixes", []]"#),
        ("CLIENT TRACKING off", "+OK"),
        ("CLIENT TRACKING on OPTOUT NOLOOP", "+OK"),
        ("CLIENT CACHING yes", yes),
        ("CLIENT CACHING no", "+OK"),
        ("CLIENT TRACKINGINFO", r#"["flags", ["on", "optout", "caching-no", "noloop"], "redirect", :0, "prefixes", []]"#),
        ("CLIENT GETREDIR", ":0"),
        ("CLIENT TRACKING off", "+OK"),
        ("CLIENT GETREDIR", ":-1"),
        ("CLIENT TRACKINGINFO", r#"["flags", ["off"], "redirect", :-1, "prefixes", []]"#),
        ("CLIENT TRACKINGINFO x", "-ERR wrong number of arguments for 'client|trackinginfo' command"),
        ("CLIENT GETREDIR x", "-ERR wrong number of arguments for 'client|getredir' command"),
    ]);
    check3(&[
        ("CLIENT TRACKINGINFO", r#"{"flags": ~["off"], "redirect": :-1, "prefixes": []}"#),
        ("CLIENT TRACKING on BCAST", "+OK"),
        ("CLIENT TRACKINGINFO", r#"{"flags": ~["on", "bcast"], "redirect": :0, "prefixes": [""]}"#),
    ]);
}

/// A conversation in which client a speaks RESP3; its HELLO is not part of the script.
fn converse3(directives: &[(&str, &str)], script: &str) {
    let script = format!("a HELLO 3\n  a (any)\n{script}");
    converse_with(directives, &script);
}

#[test]
fn readers_hear_of_changes_once() {
    converse3(
        &[],
        r#"
a CLIENT TRACKING on
  a +OK
a GET k
  a (null)
b SET k 1
  b +OK
  a >["invalidate", ["k"]]
b SET k 2
  b +OK
a MGET k l
  a ["2", (null)]
b DEL k
  b :1
  a >["invalidate", ["k"]]
b SET l 1
  b +OK
  a >["invalidate", ["l"]]
a GET l
  a "1"
a SET l 2
  a +OK
  a >["invalidate", ["l"]]
a SET l 3
  a +OK
a STRLEN l
  a :1
b SELECT 3
  b +OK
b SET l elsewhere
  b +OK
  a >["invalidate", ["l"]]
a GET l
  a "3"
a MULTI
  a +OK
a SET l 4
  a +QUEUED
a GET l
  a +QUEUED
a INCR l
  a +QUEUED
a EXEC
  a [+OK, "4", :5]
  a >["invalidate", ["l"]]
  a >["invalidate", ["l"]]
a GET l
  a "5"
b SELECT 0
  b +OK
b FLUSHDB
  b +OK
  a >["invalidate", (null)]
b SET l 1
  b +OK
a GET l
  a "1"
a FLUSHALL ASYNC
  a +OK
  a >["invalidate", (null)]
a GET l
  a (null)
a CLIENT TRACKING off
  a +OK
b SET l 1
  b +OK
"#,
    );
}

#[test]
fn noloop_keeps_quiet_about_ones_own_changes() {
    converse3(
        &[],
        r#"
a CLIENT TRACKING on NOLOOP
  a +OK
a GET k
  a (null)
a SET k 1
  a +OK
a GET k
  a "1"
b SET k 2
  b +OK
  a >["invalidate", ["k"]]
a CLIENT TRACKING off
  a +OK
a CLIENT TRACKING on BCAST NOLOOP
  a +OK
a SET k 3
  a +OK
b SET k 4
  b +OK
  a >["invalidate", ["k"]]
"#,
    );
}

#[test]
fn opting_in_and_out() {
    converse3(
        &[],
        r#"
a CLIENT TRACKING on OPTIN
  a +OK
a GET k
  a (null)
b SET k 1
  b +OK
a CLIENT CACHING yes
  a +OK
a GET k
  a "1"
a GET l
  a (null)
b MSET k 2 l 2
  b +OK
  a >["invalidate", ["k"]]
a CLIENT CACHING yes
  a +OK
a MULTI
  a +OK
a GET k
  a +QUEUED
a GET l
  a +QUEUED
a EXEC
  a ["2", "2"]
b MSET k 3 l 3
  b +OK
  a >["invalidate", ["k"]]
  a >["invalidate", ["l"]]
a CLIENT TRACKING off
  a +OK
a CLIENT TRACKING on OPTOUT
  a +OK
a GET k
  a "3"
a CLIENT CACHING no
  a +OK
a GET l
  a "3"
b MSET k 4 l 4
  b +OK
  a >["invalidate", ["k"]]
"#,
    );
}

#[test]
fn broadcasts_of_prefixes() {
    converse3(
        &[],
        r#"
a CLIENT TRACKING on BCAST PREFIX user: PREFIX item:
  a +OK
b SET user:1 x
  b +OK
  a >["invalidate", ["user:1"]]
b SET other x
  b +OK
b MSET item:2 b item:1 a user:9 c item: d
  b +OK
  a >["invalidate", ["item:", "item:1", "item:2"]]
  a >["invalidate", ["user:9"]]
a SET user:1 mine
  a +OK
  a >["invalidate", ["user:1"]]
b FLUSHALL
  b +OK
  a >["invalidate", (null)]
a CLIENT TRACKING off
  a +OK
b SET user:1 x
  b +OK
a CLIENT TRACKING on BCAST
  a +OK
b SET anything x
  b +OK
  a >["invalidate", ["anything"]]
"#,
    );
}

#[test]
fn resp2_redirects_to_a_subscriber() {
    converse(
        r#"
r SUBSCRIBE __redis__:invalidate
  r ["subscribe", "__redis__:invalidate", :1]
a CLIENT TRACKING on REDIRECT {r}
  a +OK
a CLIENT GETREDIR
  a :{r}
a CLIENT TRACKINGINFO
  a ["flags", ["on"], "redirect", :{r}, "prefixes", []]
a GET k
  a (nil)
b SET k 1
  b +OK
  r ["message", "__redis__:invalidate", ["k"]]
a GET k
  a "1"
a SET k 2
  a +OK
  r ["message", "__redis__:invalidate", ["k"]]
b FLUSHALL
  b +OK
  r ["message", "__redis__:invalidate", (nil)]
a CLIENT TRACKING off
  a +OK
a CLIENT TRACKING on REDIRECT {r} BCAST PREFIX x
  a +OK
b MSET x1 1 y 1 x2 1
  b +OK
  r ["message", "__redis__:invalidate", ["x1", "x2"]]
r UNSUBSCRIBE
  r ["unsubscribe", "__redis__:invalidate", :0]
b SET x1 2
  b +OK
r PING
  r +PONG
a CLIENT TRACKING on BCAST REDIRECT {r} REDIRECT {r}
  a -ERR A client can only redirect to a single other client
"#,
    );
}

#[test]
fn a_broken_redirection_is_told_of() {
    converse3(
        &[],
        r#"
r PING
  r +PONG
a CLIENT TRACKING on REDIRECT {r}
  a +OK
a GET k
  a (null)
b SET k 1
  b +OK
a GET k
  a "1"
"#,
    );
    let mut world = World::new();
    let (a, b, r) = (world.connect(), world.connect(), world.connect());
    world.ask(a, "HELLO 3");
    let id = world.server.state.clients[r].id;
    assert_eq!(world.ask(a, &format!("CLIENT TRACKING on REDIRECT {id}")), "+OK");
    world.ask(a, "GET k");
    world.server.closed(r);
    world.ask(b, "SET k v");
    assert_eq!(world.received(a), [format!(r#">["tracking-redir-broken", :{id}]"#)]);
    let shown = format!(r#"{{"flags": ~["on", "broken_redirect"], "redirect": :{id}, "prefixes": []}}"#);
    assert_eq!(world.ask(a, "CLIENT TRACKINGINFO"), shown);
    assert_eq!(world.ask(a, "CLIENT TRACKING on"), "+OK");
    assert_eq!(world.ask(a, "CLIENT TRACKINGINFO"), r#"{"flags": ~["on"], "redirect": :0, "prefixes": []}"#);
}

#[test]
fn keys_that_expire_are_told_of() {
    let mut world = World::new();
    let (a, b) = (world.connect(), world.connect());
    world.ask(a, "HELLO 3");
    world.ask(a, "CLIENT TRACKING on NOLOOP");
    world.ask(b, "SET k v PX 10");
    world.ask(a, "GET k");
    world.pass_ms(10);
    assert_eq!(world.received(a), [r#">["invalidate", ["k"]]"#]);
}

#[test]
fn the_table_keeps_to_its_limit() {
    let mut world = World::with(&[("tracking-table-max-keys", "10")]);
    let (a, b) = (world.connect(), world.connect());
    world.ask(a, "HELLO 3");
    world.ask(a, "CLIENT TRACKING on");
    let mut told = 0;
    for i in 0..100 {
        world.send(a, &format!("GET key:{i}"));
        let received = world.received(a);
        told += received.len() - 1;
        assert_eq!(world.server.state.caches.keys(), (i + 1).min(10));
    }
    assert_eq!(told, 90, "every key that is forgotten is told of");
    world.ask(a, "CLIENT TRACKING off");
    assert_eq!(world.server.state.caches.items(), 0);
    world.ask(b, "SET key:1 v");
    assert!(world.received(a).is_empty());
}

#[test]
fn reset_and_close_end_tracking_and_subscriptions() {
    converse3(
        &[],
        r#"
a CLIENT TRACKING on BCAST
  a +OK
a SUBSCRIBE c
  a >["subscribe", "c", :1]
a RESET
  a +RESET
b SET k v
  b +OK
b PUBLISH c m
  b :0
a CLIENT TRACKINGINFO
  a ["flags", ["off"], "redirect", :-1, "prefixes", []]
"#,
    );
    let mut world = World::new();
    let (a, b) = (world.connect(), world.connect());
    world.ask(a, "HELLO 3");
    world.ask(a, "CLIENT TRACKING on BCAST PREFIX p");
    world.ask(a, "SUBSCRIBE c");
    world.server.closed(a);
    assert_eq!((world.server.state.caches.clients(), world.server.state.caches.prefixes()), (0, 0));
    world.ask(b, "SET p v");
    assert!(world.server.keyspace.effects.invalidated.is_empty());
    assert!(world.server.state.pubsub.is_empty());
}
