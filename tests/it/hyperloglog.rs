//! HyperLogLog: the commands, the two forms, what is no HyperLogLog.

use crate::harness::{World, check, check3};

const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_ONE: &str = "-WRONGTYPE Key is not a valid HyperLogLog string value.";
const CORRUPTED: &str = "-INVALIDOBJ Corrupted HLL object detected";

#[test]
fn adding_and_counting() {
    check(&[
        ("PFADD h a b c d e f g", ":1"),
        ("PFCOUNT h", ":7"),
        ("PFADD h a b", ":0"),
        ("PFADD h x", ":1"),
        ("PFCOUNT h", ":8"),
        ("PFADD e", ":1"),
        ("PFADD e", ":0"),
        ("PFCOUNT e", ":0"),
        ("GET e", r#""HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff""#),
        ("OBJECT ENCODING e", "\"raw\""),
        ("PFADD n", ":1"),
        ("GET n", r#""HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff""#),
        ("PFCOUNT n", ":0"),
        ("GET n", r#""HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x7f\xff""#),
        ("PFCOUNT absent", ":0"),
        ("PFCOUNT absent h", ":8"),
        ("PFADD i 1 2 a", ":1"),
        ("PFCOUNT h i", ":10"),
        ("TYPE h", "+string"),
        ("EXISTS absent", ":0"),
        ("PFDEBUG ENCODING h", "+sparse"),
        ("PFADD", "-ERR wrong number of arguments for 'pfadd' command"),
        ("PFCOUNT", "-ERR wrong number of arguments for 'pfcount' command"),
        ("PFMERGE", "-ERR wrong number of arguments for 'pfmerge' command"),
        ("PFDEBUG ENCODING", "-ERR wrong number of arguments for 'pfdebug' command"),
        ("PFSELFTEST", "+OK"),
    ]);
    check3(&[("PFADD h a b c", ":1"), ("PFCOUNT h", ":3"), ("PFMERGE h h", "+OK")]);
}

#[test]
fn merging() {
    check(&[
        ("PFADD a 1 2 3", ":1"),
        ("PFADD b 3 4 5", ":1"),
        ("PFMERGE d a b", "+OK"),
        ("PFCOUNT d", ":5"),
        ("PFMERGE d", "+OK"),
        ("PFCOUNT d", ":5"),
        ("PFMERGE a b absent", "+OK"),
        ("PFCOUNT a", ":5"),
        ("PFMERGE new", "+OK"),
        ("PFCOUNT new", ":0"),
        ("PFDEBUG ENCODING new", "+sparse"),
        ("PFDEBUG TODENSE b", ":1"),
        ("PFDEBUG TODENSE b", ":0"),
        ("PFDEBUG ENCODING b", "+dense"),
        ("STRLEN b", ":12304"),
        ("PFCOUNT b", ":3"),
        ("PFMERGE d2 a b", "+OK"),
        ("PFDEBUG ENCODING d2", "+dense"),
        ("PFCOUNT d2", ":5"),
        ("EXPIRE d2 100", ":1"),
        ("PFMERGE d2 a", "+OK"),
        ("PFADD d2 more", ":1"),
        ("TTL d2", ":100"),
    ]);
}

#[test]
fn what_is_no_hyperloglog() {
    check(&[
        ("SET k v", "+OK"),
        ("SET n 1234567890", "+OK"),
        ("RPUSH l a", ":1"),
        ("PFADD h 1", ":1"),
        ("PFADD k 1", NOT_ONE),
        ("PFADD n 1", NOT_ONE),
        ("PFADD l 1", WRONG),
        ("PFADD k", NOT_ONE),
        ("PFCOUNT k", NOT_ONE),
        ("PFCOUNT l", WRONG),
        ("PFCOUNT h k", NOT_ONE),
        ("PFCOUNT h l", WRONG),
        ("PFMERGE d h k", NOT_ONE),
        ("PFMERGE k h", NOT_ONE),
        ("PFMERGE l h", WRONG),
        ("EXISTS d", ":0"),
        ("PFDEBUG ENCODING k", NOT_ONE),
        ("PFDEBUG ENCODING l", WRONG),
        ("PFDEBUG ENCODING absent", "-ERR The specified key does not exist"),
        ("PFDEBUG what absent", "-ERR The specified key does not exist"),
        ("PFDEBUG what h", "-ERR Unknown PFDEBUG subcommand 'what'"),
        ("APPEND h hello", ":26"),
        ("PFCOUNT h", CORRUPTED),
        ("PFCOUNT h h", CORRUPTED),
        ("PFMERGE d h", CORRUPTED),
        ("PFDEBUG GETREG h", CORRUPTED),
        ("PFDEBUG TODENSE h", CORRUPTED),
        (r#"SET h "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff""#, "+OK"),
        ("PFCOUNT h", ":0"),
        (r#"SET h "HYLL\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff""#, "+OK"),
        ("PFCOUNT h", NOT_ONE),
        (r#"SET h "HYLL\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x7f\xff""#, "+OK"),
        ("PFCOUNT h", NOT_ONE),
    ]);
}

#[test]
fn debugging() {
    check(&[
        ("PFADD h a", ":1"),
        ("PFDEBUG DECODE h", "\"Z:12711 v:2,1 Z:3672\""),
        ("PFDEBUG encoding h", "+sparse"),
        ("PFDEBUG TODENSE h", ":1"),
        ("PFDEBUG DECODE h", "-ERR HLL encoding is not sparse"),
    ]);
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "PFADD h a b c");
    let registers = world.ask(client, "PFDEBUG GETREG h");
    assert_eq!(registers.split(", ").count(), 16384);
    assert_eq!(registers.matches(":0").count(), 16381);
    assert_eq!(world.ask(client, "PFDEBUG ENCODING h"), "+dense");
    assert_eq!(world.ask(client, "PFDEBUG GETREG h"), registers);
}

#[test]
fn a_sparse_one_becomes_dense() {
    let mut world = World::with(&[("hll-sparse-max-bytes", "100")]);
    let client = world.connect();
    let mut added = 0;
    loop {
        assert_eq!(world.ask(client, &format!("PFADD h {added}")), ":1");
        if world.ask(client, "PFDEBUG ENCODING h") == "+dense" {
            break;
        }
        added += 1;
        assert!(added < 100, "a hundred bytes hold few registers");
    }
    assert!(added > 20);
    assert_eq!(world.ask(client, "STRLEN h"), ":12304");
    assert_eq!(world.ask(client, "PFCOUNT h"), format!(":{}", added + 1));
}

#[test]
fn what_is_propagated() {
    let mut world = World::with(&[("notify-keyspace-events", "EA")]);
    let (client, watcher) = (world.connect(), world.connect());
    world.propagated();
    world.ask(watcher, "PSUBSCRIBE __keyevent@0__:*");
    let mut run = |line: &str| {
        world.ask(client, line);
        let sent: Vec<String> = world.propagated().into_iter().filter(|command| !command.starts_with("SELECT")).collect();
        (sent, world.received(watcher).len())
    };
    assert_eq!(run("PFADD h a b"), (vec!["PFADD h a b".to_owned()], 1));
    assert_eq!(run("PFADD h a b"), (vec![], 0));
    // the first count is put into the value, which nobody is told of
    assert_eq!(run("PFCOUNT h"), (vec!["PFCOUNT h".to_owned()], 0));
    assert_eq!(run("PFCOUNT h"), (vec![], 0));
    assert_eq!(run("PFCOUNT h h"), (vec![], 0));
    assert_eq!(run("PFMERGE d h"), (vec!["PFMERGE d h".to_owned()], 1));
    assert_eq!(run("PFDEBUG TODENSE d"), (vec!["PFDEBUG TODENSE d".to_owned()], 0));
    assert_eq!(run("PFDEBUG TODENSE d"), (vec![], 0));
}

#[test]
fn what_is_no_sketch_stays_as_it_is() {
    check(&[("SET k 1", "+OK"), ("PFADD k", "-WRONGTYPE Key is not a valid HyperLogLog string value."), ("OBJECT ENCODING k", r#""int""#)]);
}
