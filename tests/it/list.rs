//! Lists: everything that does not wait.

use crate::harness::{World, check, check_with, check3};

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range";
const NOT_POSITIVE: &str = "-ERR value is out of range, must be positive";
const SYNTAX: &str = "-ERR syntax error";

#[test]
fn push_and_range() {
    check(&[
        ("RPUSH l a b c", ":3"),
        ("LPUSH l x y", ":5"),
        ("LRANGE l 0 -1", "[\"y\", \"x\", \"a\", \"b\", \"c\"]"),
        ("LRANGE l 1 2", "[\"x\", \"a\"]"),
        ("LRANGE l -2 -1", "[\"b\", \"c\"]"),
        ("LRANGE l -100 100", "[\"y\", \"x\", \"a\", \"b\", \"c\"]"),
        ("LRANGE l 3 1", "[]"),
        ("LRANGE l 5 9", "[]"),
        ("LRANGE l -9 -6", "[]"),
        ("LRANGE l -9223372036854775808 9223372036854775807", "[\"y\", \"x\", \"a\", \"b\", \"c\"]"),
        ("LRANGE l 9223372036854775807 -9223372036854775808", "[]"),
        ("LRANGE l a 1", NOT_AN_INTEGER),
        ("LRANGE l 1 1.5", NOT_AN_INTEGER),
        ("LRANGE absent 0 -1", "[]"),
        ("LRANGE absent a 1", NOT_AN_INTEGER),
        ("LLEN l", ":5"),
        ("LLEN absent", ":0"),
        ("LPUSH l", "-ERR wrong number of arguments for 'lpush' command"),
        ("RPUSH l", "-ERR wrong number of arguments for 'rpush' command"),
        ("LPUSHX absent a", ":0"),
        ("RPUSHX absent a b", ":0"),
        ("LPUSHX l 1 2", ":7"),
        ("RPUSHX l 3 4", ":9"),
        ("LRANGE l 0 -1", "[\"2\", \"1\", \"y\", \"x\", \"a\", \"b\", \"c\", \"3\", \"4\"]"),
        ("SET s v", "+OK"),
        ("LPUSH s a", WRONG_TYPE),
        ("RPUSH s a", WRONG_TYPE),
        ("LPUSHX s a", WRONG_TYPE),
        ("RPUSHX s a", WRONG_TYPE),
        ("LRANGE s 0 1", WRONG_TYPE),
        ("LLEN s", WRONG_TYPE),
        ("GET l", WRONG_TYPE),
        ("SET l v", "+OK"),
        ("GET l", "\"v\""),
    ]);
}

#[test]
fn elements_keep_their_text() {
    check(&[
        ("RPUSH l 0 -0 007 +1 1.0 -1 9223372036854775807 -9223372036854775808 9223372036854775808 \"\" \"\\x00\\xff\"", ":11"),
        (
            "LRANGE l 0 -1",
            "[\"0\", \"-0\", \"007\", \"+1\", \"1.0\", \"-1\", \"9223372036854775807\", \"-9223372036854775808\", \"9223372036854775808\", \"\", \"\\x00\\xff\"]",
        ),
        ("LPOS l 007", ":2"),
        ("LPOS l \"\"", ":9"),
        ("LREM l 0 -1", ":1"),
        ("LINDEX l 5", "\"9223372036854775807\""),
        ("LPOP l 3", "[\"0\", \"-0\", \"007\"]"),
    ]);
}

#[test]
fn pop() {
    let script = [
        ("RPUSH l a b c d e f g", ":7"),
        ("LPOP l", "\"a\""),
        ("RPOP l", "\"g\""),
        ("LPOP l 2", "[\"b\", \"c\"]"),
        ("RPOP l 2", "[\"f\", \"e\"]"),
        ("LPOP l 0", "[]"),
        ("LPOP l -1", NOT_POSITIVE),
        ("LPOP l x", NOT_POSITIVE),
        ("RPOP l 9223372036854775808", NOT_POSITIVE),
        ("LPOP l 1 2", "-ERR wrong number of arguments for 'lpop' command"),
        ("RPOP l 1 2", "-ERR wrong number of arguments for 'rpop' command"),
        ("RPOP l 100", "[\"d\"]"),
        ("LLEN l", ":0"),
        ("LPOP l", "(nil)"),
        ("LPOP l x", NOT_POSITIVE),
        ("RPUSH l a", ":1"),
        ("RPOP l", "\"a\""),
        ("GET l", "(nil)"),
        ("RPUSH l a b", ":2"),
        ("LPOP l 9223372036854775807", "[\"a\", \"b\"]"),
        ("LPOP l 0", "(nil array)"),
        ("LPOP l 1", "(nil array)"),
        ("GET l", "(nil)"),
        ("SET s v", "+OK"),
        ("LPOP s", WRONG_TYPE),
        ("RPOP s 1", WRONG_TYPE),
        ("LPOP s 0", WRONG_TYPE),
        ("LPOP s -1", NOT_POSITIVE),
    ];
    check(&script);
}

#[test]
fn index_and_set() {
    check(&[
        ("RPUSH l a b c", ":3"),
        ("LINDEX l 0", "\"a\""),
        ("LINDEX l -1", "\"c\""),
        ("LINDEX l 3", "(nil)"),
        ("LINDEX l -4", "(nil)"),
        ("LINDEX l -9223372036854775808", "(nil)"),
        ("LINDEX l x", NOT_AN_INTEGER),
        ("LINDEX absent x", "(nil)"),
        ("LSET l 0 x", "+OK"),
        ("LSET l -1 1234", "+OK"),
        ("LSET l 3 y", "-ERR index out of range"),
        ("LSET l -4 y", "-ERR index out of range"),
        ("LSET l x y", NOT_AN_INTEGER),
        ("LSET absent x y", "-ERR no such key"),
        ("LRANGE l 0 -1", "[\"x\", \"b\", \"1234\"]"),
        ("SET s v", "+OK"),
        ("LINDEX s x", WRONG_TYPE),
        ("LSET s x y", WRONG_TYPE),
    ]);
}

#[test]
fn insert() {
    check(&[
        ("LINSERT l BEFORE a b", ":0"),
        ("RPUSH l a b a", ":3"),
        ("LINSERT l before a 1", ":4"),
        ("LINSERT l AFTER b 2", ":5"),
        ("LINSERT l After a 3", ":6"),
        ("LINSERT l BEFORE x 2", ":-1"),
        ("LINSERT l BESIDE a 2", SYNTAX),
        ("LINSERT absent BESIDE a 2", SYNTAX),
        ("LRANGE l 0 -1", "[\"1\", \"a\", \"3\", \"b\", \"2\", \"a\"]"),
        ("SET s v", "+OK"),
        ("LINSERT s BEFORE a b", WRONG_TYPE),
        ("LINSERT s BESIDE a b", SYNTAX),
    ]);
}

#[test]
fn trim() {
    check(&[
        ("LTRIM absent 0 1", "+OK"),
        ("LTRIM absent x 1", NOT_AN_INTEGER),
        ("RPUSH l a b c d e f", ":6"),
        ("LTRIM l 0 -1", "+OK"),
        ("LLEN l", ":6"),
        ("LTRIM l 1 -2", "+OK"),
        ("LRANGE l 0 -1", "[\"b\", \"c\", \"d\", \"e\"]"),
        ("LTRIM l -3 100", "+OK"),
        ("LRANGE l 0 -1", "[\"c\", \"d\", \"e\"]"),
        ("LTRIM l -100 0", "+OK"),
        ("LRANGE l 0 -1", "[\"c\"]"),
        ("LTRIM l 1 0", "+OK"),
        ("GET l", "(nil)"),
        ("RPUSH l a b", ":2"),
        ("LTRIM l 5 9", "+OK"),
        ("GET l", "(nil)"),
        ("SET s v", "+OK"),
        ("LTRIM s 0 1", WRONG_TYPE),
    ]);
}

#[test]
fn rem() {
    check(&[
        ("LREM absent 0 a", ":0"),
        ("RPUSH l a b a c a 1 a 1", ":8"),
        ("LREM l 1 a", ":1"),
        ("LREM l -1 a", ":1"),
        ("LRANGE l 0 -1", "[\"b\", \"a\", \"c\", \"a\", \"1\", \"1\"]"),
        ("LREM l -5 1", ":2"),
        ("LREM l 0 x", ":0"),
        ("LREM l 0 a", ":2"),
        ("LRANGE l 0 -1", "[\"b\", \"c\"]"),
        ("LREM l x a", NOT_AN_INTEGER),
        ("LREM l -9223372036854775808 a", "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"),
        ("LREM l 9223372036854775807 b", ":1"),
        ("LREM l -9223372036854775807 c", ":1"),
        ("GET l", "(nil)"),
        ("SET s v", "+OK"),
        ("LREM s 0 a", WRONG_TYPE),
    ]);
}

#[test]
fn pos() {
    check(&[
        ("LPOS absent a", "(nil)"),
        ("LPOS absent a COUNT 0", "[]"),
        ("RPUSH l a b c 1 2 3 c c", ":8"),
        ("LPOS l c", ":2"),
        ("LPOS l x", "(nil)"),
        ("LPOS l x COUNT 1", "[]"),
        ("LPOS l c RANK 2", ":6"),
        ("LPOS l c RANK 4", "(nil)"),
        ("LPOS l c RANK -1", ":7"),
        ("LPOS l c RANK -3", ":2"),
        ("LPOS l c COUNT 0", "[:2, :6, :7]"),
        ("LPOS l c COUNT 2", "[:2, :6]"),
        ("LPOS l c COUNT 2 RANK -1", "[:7, :6]"),
        ("LPOS l c rank 2 count 0", "[:6, :7]"),
        ("LPOS l c COUNT 0 MAXLEN 3", "[:2]"),
        ("LPOS l c COUNT 0 MAXLEN 2", "[]"),
        ("LPOS l c MAXLEN 0", ":2"),
        ("LPOS l c RANK -1 MAXLEN 1 COUNT 5", "[:7]"),
        ("LPOS l c RANK 9223372036854775807", "(nil)"),
        ("LPOS l 2", ":4"),
        ("LPOS l c RANK 2 RANK 1", ":2"),
        (
            "LPOS l c RANK 0",
            "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
        ),
        ("LPOS l c RANK x", NOT_AN_INTEGER),
        (
            "LPOS l c RANK -9223372036854775808",
            "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ),
        ("LPOS l c COUNT -1", "-ERR COUNT can't be negative"),
        ("LPOS l c COUNT x", "-ERR COUNT can't be negative"),
        ("LPOS l c MAXLEN -1", "-ERR MAXLEN can't be negative"),
        ("LPOS l c COUNT", SYNTAX),
        ("LPOS l c WHAT 1", SYNTAX),
        ("LPOS l c WHAT", SYNTAX),
        ("LPOS absent c RANK x", NOT_AN_INTEGER),
        ("SET s v", "+OK"),
        ("LPOS s a", WRONG_TYPE),
        ("LPOS s a WHAT", SYNTAX),
    ]);
}

#[test]
fn move_between_lists() {
    check(&[
        ("LMOVE a b LEFT RIGHT", "(nil)"),
        ("RPUSH a 1 2 3 4 5", ":5"),
        ("LMOVE a b LEFT RIGHT", "\"1\""),
        ("LMOVE a b left left", "\"2\""),
        ("LMOVE a b RIGHT RIGHT", "\"5\""),
        ("LMOVE a b RIGHT LEFT", "\"4\""),
        ("LRANGE b 0 -1", "[\"4\", \"2\", \"1\", \"5\"]"),
        ("LRANGE a 0 -1", "[\"3\"]"),
        ("RPOPLPUSH a b", "\"3\""),
        ("GET a", "(nil)"),
        ("RPOPLPUSH a b", "(nil)"),
        ("LRANGE b 0 -1", "[\"3\", \"4\", \"2\", \"1\", \"5\"]"),
        ("RPOPLPUSH b b", "\"5\""),
        ("LMOVE b b LEFT RIGHT", "\"5\""),
        ("LMOVE b b LEFT LEFT", "\"3\""),
        ("LMOVE b b RIGHT RIGHT", "\"5\""),
        ("LRANGE b 0 -1", "[\"3\", \"4\", \"2\", \"1\", \"5\"]"),
        ("RPUSH one x", ":1"),
        ("LMOVE one one LEFT RIGHT", "\"x\""),
        ("LRANGE one 0 -1", "[\"x\"]"),
        ("LMOVE a b UP RIGHT", SYNTAX),
        ("LMOVE a b LEFT DOWN", SYNTAX),
        ("SET s v", "+OK"),
        ("LMOVE s b LEFT LEFT", WRONG_TYPE),
        ("LMOVE b s LEFT LEFT", WRONG_TYPE),
        ("RPOPLPUSH s b", WRONG_TYPE),
        ("RPOPLPUSH b s", WRONG_TYPE),
        ("LMOVE absent s LEFT LEFT", "(nil)"),
        ("LLEN b", ":5"),
    ]);
}

#[test]
fn pop_from_the_first_of_several() {
    check(&[
        ("LMPOP 1 a LEFT", "(nil array)"),
        ("LMPOP 2 a b RIGHT COUNT 10", "(nil array)"),
        ("RPUSH b 1 2 3 4 5", ":5"),
        ("LMPOP 2 a b LEFT", "[\"b\", [\"1\"]]"),
        ("LMPOP 2 a b right count 2", "[\"b\", [\"5\", \"4\"]]"),
        ("RPUSH a x", ":1"),
        ("LMPOP 2 a b LEFT COUNT 10", "[\"a\", [\"x\"]]"),
        ("LMPOP 2 a b LEFT COUNT 10", "[\"b\", [\"2\", \"3\"]]"),
        ("GET b", "(nil)"),
        ("LMPOP 0 a LEFT", "-ERR numkeys should be greater than 0"),
        ("LMPOP x a LEFT", "-ERR numkeys should be greater than 0"),
        ("LMPOP -1 a LEFT", "-ERR numkeys should be greater than 0"),
        ("LMPOP 9223372036854775807 a LEFT", SYNTAX),
        ("LMPOP 2 a LEFT", SYNTAX),
        ("LMPOP 1 a b LEFT", SYNTAX),
        ("LMPOP 1 a MIDDLE", SYNTAX),
        ("LMPOP 1 a LEFT COUNT", SYNTAX),
        ("LMPOP 1 a LEFT COUNT 0", "-ERR count should be greater than 0"),
        ("LMPOP 1 a LEFT COUNT x", "-ERR count should be greater than 0"),
        ("LMPOP 1 a LEFT COUNT 1 COUNT 2", SYNTAX),
        ("LMPOP 1 a LEFT COUNT 0 COUNT 2", "-ERR count should be greater than 0"),
        ("LMPOP 1 a LEFT OTHER 1", SYNTAX),
        ("SET s v", "+OK"),
        ("RPUSH l v", ":1"),
        ("LMPOP 2 s l LEFT", WRONG_TYPE),
        ("LMPOP 2 l s LEFT", "[\"l\", [\"v\"]]"),
    ]);
}

#[test]
fn long_lists_survive_everything() {
    let mut world = World::new();
    let client = world.connect();
    let mut model = std::collections::VecDeque::new();
    for i in 0..3000 {
        let text = format!("{i}-{}", "x".repeat(i % 50));
        assert_eq!(world.ask(client, &format!("RPUSH l {text}")), format!(":{}", i + 1));
        model.push_back(text);
    }
    let shown = |model: &std::collections::VecDeque<String>| {
        format!("[{}]", model.iter().map(|t| format!("\"{t}\"")).collect::<Vec<_>>().join(", "))
    };
    assert_eq!(world.ask(client, "LRANGE l 0 -1"), shown(&model));
    assert_eq!(world.ask(client, "LTRIM l 200 -301"), "+OK");
    let mut model: std::collections::VecDeque<String> = model.drain(200..2700).collect();
    assert_eq!(world.ask(client, "LRANGE l 0 -1"), shown(&model));
    assert_eq!(world.ask(client, "LPOP l 1000"), shown(&model.drain(..1000).collect()));
    let mut tail: std::collections::VecDeque<String> = model.drain(500..).rev().collect();
    assert_eq!(world.ask(client, "RPOP l 1000"), shown(&tail));
    tail.clear();
    assert_eq!(world.ask(client, "LRANGE l 0 -1"), shown(&model));
    assert_eq!(world.ask(client, "LPOP l 500"), shown(&model));
    assert_eq!(world.ask(client, "GET l"), "(nil)");
}

#[test]
fn what_is_cut_off_a_long_list_is_freed_elsewhere() {
    let mut world = World::new();
    let client = world.connect();
    let text = "x".repeat(5000);
    for _ in 0..400 {
        world.ask(client, &format!("RPUSH l {text} {text}"));
    }
    assert!(!world.server.has_garbage());
    assert_eq!(world.ask(client, "LTRIM l 100 -101"), "+OK");
    assert_eq!(world.server.take_garbage().len(), 2);
    assert_eq!(world.ask(client, "LLEN l"), ":600");
    assert_eq!(world.ask(client, "LTRIM l 1 0"), "+OK");
    assert_eq!(world.server.take_garbage().len(), 1);
}

#[test]
fn in_resp3() {
    check3(&[
        ("LPOP l", "(null)"),
        ("LPOP l 1", "(null)"),
        ("LINDEX l 1", "(null)"),
        ("LPOS l 1", "(null)"),
        ("LMOVE l m LEFT LEFT", "(null)"),
        ("LMPOP 1 l LEFT", "(null)"),
        ("RPUSH l a b", ":2"),
        ("LPOP l 1", "[\"a\"]"),
        ("LRANGE l 0 -1", "[\"b\"]"),
    ]);
}

#[test]
fn encoding_by_bytes() {
    let [half, large] = [3000, 9000].map(|len| "x".repeat(len));
    let script = [
        ("RPUSH l a".to_string(), ":1"),
        ("OBJECT ENCODING l".into(), "\"listpack\""),
        (format!("RPUSH l {half} {half}"), ":3"),
        ("OBJECT ENCODING l".into(), "\"listpack\""),
        (format!("RPUSH l {half}"), ":4"),
        ("OBJECT ENCODING l".into(), "\"quicklist\""),
        ("LPOP l".into(), "\"a\""),
        ("OBJECT ENCODING l".into(), "\"quicklist\""),
        ("LTRIM l 0 0".into(), "+OK"),
        ("OBJECT ENCODING l".into(), "\"listpack\""),
        (format!("LSET l 5 {large}"), "-ERR index out of range"),
        ("OBJECT ENCODING l".into(), "\"quicklist\""),
        ("LSET l 0 a".into(), "+OK"),
        ("OBJECT ENCODING l".into(), "\"listpack\""),
        (format!("LINSERT l BEFORE b {large}"), ":-1"),
        ("OBJECT ENCODING l".into(), "\"quicklist\""),
        ("LREM l 0 b".into(), ":0"),
        ("OBJECT ENCODING l".into(), "\"quicklist\""),
        ("RPUSH l b".into(), ":2"),
        ("LREM l 0 b".into(), ":1"),
        ("OBJECT ENCODING l".into(), "\"listpack\""),
        (format!("LPUSH m {large}"), ":1"),
        ("OBJECT ENCODING m".into(), "\"quicklist\""),
        ("RPOPLPUSH l m".into(), "\"a\""),
        ("LMOVE m l RIGHT LEFT".into(), &format!("\"{large}\"")),
        ("OBJECT ENCODING m".into(), "\"listpack\""),
        ("OBJECT ENCODING l".into(), "\"quicklist\""),
    ]
    .map(|(line, reply): (String, &str)| (line, reply.to_string()));
    let script: Vec<(&str, &str)> = script.iter().map(|(line, reply)| (line.as_str(), reply.as_str())).collect();
    check(&script);
}

#[test]
fn encoding_by_count() {
    check_with(
        &[("list-max-listpack-size", "4")],
        &[
            ("RPUSH l a b c d", ":4"),
            ("OBJECT ENCODING l", "\"listpack\""),
            ("RPUSH l e", ":5"),
            ("OBJECT ENCODING l", "\"quicklist\""),
            ("RPOP l 2", "[\"e\", \"d\"]"),
            ("OBJECT ENCODING l", "\"quicklist\""),
            ("LPOP l", "\"a\""),
            ("OBJECT ENCODING l", "\"listpack\""),
        ],
    );
}

#[test]
fn copies_share_nothing() {
    check(&[
        ("RPUSH l a b c", ":3"),
        ("COPY l m", ":1"),
        ("RPUSH m d", ":4"),
        ("LRANGE l 0 -1", "[\"a\", \"b\", \"c\"]"),
        ("LRANGE m 0 -1", "[\"a\", \"b\", \"c\", \"d\"]"),
        ("RENAME m l", "+OK"),
        ("LRANGE l 0 -1", "[\"a\", \"b\", \"c\", \"d\"]"),
        ("DEL l", ":1"),
    ]);
}
