//! Sets: every command at every encoding, the choices of encoding, what is drawn, what is propagated.

use std::collections::BTreeSet;

use crate::harness::{World, check, check_with, check3};

const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_INT: &str = "-ERR value is not an integer or out of range";
const SYNTAX: &str = "-ERR syntax error";

/// `from..to` as words, each after `prefix`.
fn words(prefix: &str, range: std::ops::Range<usize>) -> String {
    range.map(|n| format!("{prefix}{n}")).collect::<Vec<_>>().join(" ")
}

/// Sorted members of a set or array reply.
fn members(reply: &str) -> Vec<String> {
    let inner = reply.trim_start_matches('~').trim_start_matches('[').trim_end_matches(']');
    let mut members: Vec<String> = inner.split(", ").filter(|m| !m.is_empty()).map(str::to_owned).collect();
    members.sort();
    members
}

#[test]
fn adding_and_reading() {
    check(&[
        ("SADD s 3 1 2", ":3"),
        ("SADD s 2 4", ":1"),
        ("SADD s 2 4", ":0"),
        ("SMEMBERS s", r#"["1", "2", "3", "4"]"#),
        ("OBJECT ENCODING s", "\"intset\""),
        ("SADD t b a c b", ":3"),
        ("SMEMBERS t", r#"["b", "a", "c"]"#),
        ("OBJECT ENCODING t", "\"listpack\""),
        ("SCARD s", ":4"),
        ("SCARD t", ":3"),
        ("SCARD absent", ":0"),
        ("SISMEMBER s 4", ":1"),
        ("SISMEMBER s 04", ":0"),
        ("SISMEMBER s x", ":0"),
        ("SISMEMBER t a", ":1"),
        ("SISMEMBER t \"\"", ":0"),
        ("SISMEMBER absent a", ":0"),
        ("SMISMEMBER s 1 9 x 2 1", "[:1, :0, :0, :1, :1]"),
        ("SMISMEMBER t a z", "[:1, :0]"),
        ("SMISMEMBER absent a b", "[:0, :0]"),
        ("SMEMBERS absent", "[]"),
        ("SADD e \"\"", ":1"),
        ("SMEMBERS e", r#"[""]"#),
        ("SISMEMBER e \"\"", ":1"),
        ("TYPE s", "+set"),
        ("SREM s 1 7 3", ":2"),
        ("SMEMBERS s", r#"["2", "4"]"#),
        ("SREM t c b", ":2"),
        ("SMEMBERS t", r#"["a"]"#),
        ("SREM t x", ":0"),
        ("SREM t a a", ":1"),
        ("EXISTS t", ":0"),
        ("SREM t a", ":0"),
        ("SREM s 2 4 5", ":2"),
        ("EXISTS s", ":0"),
    ]);
}

#[test]
fn resp3_has_sets() {
    check3(&[
        ("SADD s 3 1 2", ":3"),
        ("SMEMBERS s", r#"~["1", "2", "3"]"#),
        ("SMEMBERS absent", "~[]"),
        ("SADD t 2 3 4", ":3"),
        ("SINTER s t", r#"~["2", "3"]"#),
        ("SINTER s absent", "~[]"),
        ("SUNION s t", r#"~["1", "2", "3", "4"]"#),
        ("SUNION absent absent", "~[]"),
        ("SDIFF s t", r#"~["1"]"#),
        ("SDIFF absent t", "~[]"),
        ("SDIFF s s", "~[]"),
        ("SINTERCARD 2 s t", ":2"),
        ("SISMEMBER s 1", ":1"),
        ("SMISMEMBER s 1 9", "[:1, :0]"),
        ("SRANDMEMBER s 5", r#"["1", "2", "3"]"#),
        ("SRANDMEMBER absent", "(null)"),
        ("SRANDMEMBER absent 3", "[]"),
        ("SPOP absent", "(null)"),
        ("SPOP absent 3", "~[]"),
        ("SPOP s 0", "~[]"),
        ("SPOP s 3", r#"~["1", "2", "3"]"#),
        ("SSCAN t 0", r#"["0", ["2", "3", "4"]]"#),
    ]);
}

#[test]
fn errors() {
    check(&[
        ("SET k v", "+OK"),
        ("SADD s 1", ":1"),
        ("SADD k 1", WRONG),
        ("SREM k 1", WRONG),
        ("SCARD k", WRONG),
        ("SISMEMBER k 1", WRONG),
        ("SMISMEMBER k 1", WRONG),
        ("SMEMBERS k", WRONG),
        ("SMOVE k s 1", WRONG),
        ("SMOVE s k 1", WRONG),
        ("SMOVE absent k 1", ":0"),
        ("SMOVE k k 1", WRONG),
        ("SPOP k", WRONG),
        ("SPOP k 1", WRONG),
        ("SPOP k 0", WRONG),
        ("SRANDMEMBER k", WRONG),
        ("SRANDMEMBER k 0", WRONG),
        ("SINTER s k", WRONG),
        ("SINTER absent k", WRONG),
        ("SUNION s k", WRONG),
        ("SDIFF s k", WRONG),
        ("SDIFF absent k", WRONG),
        ("SINTERSTORE d s k", WRONG),
        ("SUNIONSTORE d s k", WRONG),
        ("SDIFFSTORE d s k", WRONG),
        ("SINTERCARD 2 s k", WRONG),
        ("SINTERCARD 2 absent k", WRONG),
        ("SSCAN k 0", WRONG),
        ("SPOP s x", "-ERR value is out of range, must be positive"),
        ("SPOP s -1", "-ERR value is out of range, must be positive"),
        ("SPOP k -1", "-ERR value is out of range, must be positive"),
        ("SPOP s 1 2", SYNTAX),
        ("SRANDMEMBER s x", NOT_INT),
        ("SRANDMEMBER s 1 2", SYNTAX),
        (
            "SRANDMEMBER s -9223372036854775808",
            "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ),
        ("SRANDMEMBER s 9223372036854775808", NOT_INT),
        ("SINTERCARD 0 s", "-ERR numkeys should be greater than 0"),
        ("SINTERCARD -1 s", "-ERR numkeys should be greater than 0"),
        ("SINTERCARD x s", "-ERR numkeys should be greater than 0"),
        ("SINTERCARD 2 s", "-ERR Number of keys can't be greater than number of args"),
        ("SINTERCARD 3 s t", "-ERR Number of keys can't be greater than number of args"),
        ("SINTERCARD 1 s LIMIT", SYNTAX),
        ("SINTERCARD 1 s s", SYNTAX),
        ("SINTERCARD 1 s LIMIT -1", "-ERR LIMIT can't be negative"),
        ("SINTERCARD 1 s LIMIT x", "-ERR LIMIT can't be negative"),
        ("SINTERCARD 1 s LIMIT 1 LIMIT 0", ":1"),
        ("SINTERCARD 1 s LIMIT 1 MORE", SYNTAX),
        ("SSCAN s x", "-ERR invalid cursor"),
        ("SSCAN k x", "-ERR invalid cursor"),
        ("SSCAN s 0 COUNT 0", SYNTAX),
        ("SSCAN s 0 COUNT x", NOT_INT),
        ("SSCAN s 0 COUNT", SYNTAX),
        ("SSCAN s 0 MATCH", SYNTAX),
        ("SSCAN s 0 NOVALUES", "-ERR NOVALUES option can only be used in HSCAN"),
        ("SSCAN s 0 NOSCORES", "-ERR syntax error"),
        ("SSCAN s 0 TYPE set", SYNTAX),
        ("SSCAN s 0 what", SYNTAX),
        ("SSCAN absent 0 what", r#"["0", []]"#),
        ("SADD s", "-ERR wrong number of arguments for 'sadd' command"),
        ("SREM s", "-ERR wrong number of arguments for 'srem' command"),
        ("SCARD", "-ERR wrong number of arguments for 'scard' command"),
        ("SMEMBERS s t", "-ERR wrong number of arguments for 'smembers' command"),
        ("SMOVE s t", "-ERR wrong number of arguments for 'smove' command"),
        ("SINTERCARD 1", "-ERR wrong number of arguments for 'sintercard' command"),
        ("SINTERSTORE d", "-ERR wrong number of arguments for 'sinterstore' command"),
        ("SINTER", "-ERR wrong number of arguments for 'sinter' command"),
        ("SSCAN s", "-ERR wrong number of arguments for 'sscan' command"),
        ("SMISMEMBER s", "-ERR wrong number of arguments for 'smismember' command"),
        ("GET s", WRONG),
        ("SMEMBERS s", r#"["1"]"#),
    ]);
}

#[test]
fn an_encoding_only_goes_up() {
    let (ints, one_more) = (format!("SADD s {}", words("", 0..512)), "SADD s 512");
    let (packed, letters) = (format!("SADD p {}", words("a", 0..128)), "SADD p x");
    let (many, hinted) = (format!("SADD m {}", words("a", 0..129)), format!("SADD h {}", words("", 0..513)));
    let repeated = format!("SADD r {}", vec!["1"; 513].join(" "));
    let repeated_text = format!("SADD rt {}", vec!["a"; 129].join(" "));
    let (long, longest) = (format!("SADD l {}", "x".repeat(65)), format!("SADD l2 {}", "x".repeat(64)));
    let (hint_only, mixed) = (format!("SADD o {}", vec!["1"; 513].join(" ")), format!("SADD mix {}", words("", 0..128)));
    check(&[
        (&ints, ":512"),
        ("OBJECT ENCODING s", "\"intset\""),
        (one_more, ":1"),
        ("OBJECT ENCODING s", "\"hashtable\""),
        ("SREM s 512 511", ":2"),
        ("OBJECT ENCODING s", "\"hashtable\""),
        (&packed, ":128"),
        ("OBJECT ENCODING p", "\"listpack\""),
        ("SADD p a5", ":0"),
        ("OBJECT ENCODING p", "\"listpack\""),
        (letters, ":1"),
        ("OBJECT ENCODING p", "\"hashtable\""),
        (&many, ":129"),
        ("OBJECT ENCODING m", "\"hashtable\""),
        (&hinted, ":513"),
        ("OBJECT ENCODING h", "\"hashtable\""),
        (&repeated, ":1"),
        ("OBJECT ENCODING r", "\"hashtable\""),
        (&repeated_text, ":1"),
        ("OBJECT ENCODING rt", "\"hashtable\""),
        ("SADD o 1", ":1"),
        ("OBJECT ENCODING o", "\"intset\""),
        (&hint_only, ":0"),
        ("OBJECT ENCODING o", "\"hashtable\""),
        (&long, ":1"),
        ("OBJECT ENCODING l", "\"hashtable\""),
        (&longest, ":1"),
        ("OBJECT ENCODING l2", "\"listpack\""),
        ("SADD i 1 2 3", ":3"),
        ("SADD i x", ":1"),
        ("OBJECT ENCODING i", "\"listpack\""),
        ("SMEMBERS i", r#"["1", "2", "3", "x"]"#),
        ("SREM i x", ":1"),
        ("OBJECT ENCODING i", "\"listpack\""),
        (&mixed, ":128"),
        ("OBJECT ENCODING mix", "\"intset\""),
        ("SADD mix x", ":1"),
        ("OBJECT ENCODING mix", "\"hashtable\""),
        ("SADD big 9223372036854775807 -9223372036854775808 0", ":3"),
        ("SMEMBERS big", r#"["-9223372036854775808", "0", "9223372036854775807"]"#),
        ("SADD big 9223372036854775808", ":1"),
        ("OBJECT ENCODING big", "\"listpack\""),
        ("SADD n -5 -04", ":2"),
        ("OBJECT ENCODING n", "\"listpack\""),
    ]);
    check_with(
        &[("set-max-intset-entries", "2"), ("set-max-listpack-entries", "3"), ("set-max-listpack-value", "4")],
        &[
            ("SADD s 1 2", ":2"),
            ("OBJECT ENCODING s", "\"intset\""),
            ("SADD s 3", ":1"),
            ("OBJECT ENCODING s", "\"hashtable\""),
            ("SADD t 1 2 3", ":3"),
            ("OBJECT ENCODING t", "\"listpack\""),
            ("SADD u 12345", ":1"),
            ("SADD u a", ":1"),
            ("OBJECT ENCODING u", "\"hashtable\""),
            ("SADD v a abcd", ":2"),
            ("OBJECT ENCODING v", "\"listpack\""),
            ("SADD v abcde", ":1"),
            ("OBJECT ENCODING v", "\"hashtable\""),
        ],
    );
}

#[test]
fn moving() {
    check(&[
        ("SADD a 1 2 x", ":3"),
        ("SADD b 2 3", ":2"),
        ("SMOVE a b 9", ":0"),
        ("SMOVE a b 2", ":1"),
        ("SMEMBERS a", r#"["1", "x"]"#),
        ("SMEMBERS b", r#"["2", "3"]"#),
        ("SMOVE a b x", ":1"),
        ("SMEMBERS b", r#"["2", "3", "x"]"#),
        ("OBJECT ENCODING b", "\"listpack\""),
        ("SMOVE a a 1", ":1"),
        ("SMOVE a a 7", ":0"),
        ("SMOVE a c 1", ":1"),
        ("EXISTS a", ":0"),
        ("OBJECT ENCODING c", "\"intset\""),
        ("SMOVE absent c 1", ":0"),
        ("SMOVE absent absent 1", ":0"),
    ]);
}

#[test]
fn intersections_unions_and_differences_of_integers() {
    check(&[
        ("SADD a 1 2 3 4 5", ":5"),
        ("SADD b 2 4 6", ":3"),
        ("SADD c 4 2 0", ":3"),
        ("SINTER a", r#"["1", "2", "3", "4", "5"]"#),
        ("SINTER a b", r#"["2", "4"]"#),
        ("SINTER c b a", r#"["2", "4"]"#),
        ("SINTER a absent b", "[]"),
        ("SINTER absent", "[]"),
        ("SINTER a a a", r#"["1", "2", "3", "4", "5"]"#),
        ("SINTERCARD 3 a b c", ":2"),
        ("SINTERCARD 3 a b c LIMIT 0", ":2"),
        ("SINTERCARD 3 a b c LIMIT 1", ":1"),
        ("SINTERCARD 3 a b c LIMIT 5", ":2"),
        ("SINTERCARD 2 a absent", ":0"),
        ("SINTERCARD 1 absent LIMIT 1", ":0"),
        ("SUNION a b c", r#"["0", "1", "2", "3", "4", "5", "6"]"#),
        ("SUNION a", r#"["1", "2", "3", "4", "5"]"#),
        ("SUNION absent b", r#"["2", "4", "6"]"#),
        ("SUNION absent", "[]"),
        ("SDIFF a b", r#"["1", "3", "5"]"#),
        ("SDIFF a b c absent", r#"["1", "3", "5"]"#),
        ("SDIFF a", r#"["1", "2", "3", "4", "5"]"#),
        ("SDIFF b a", r#"["6"]"#),
        ("SDIFF a b a", "[]"),
        ("SDIFF absent a", "[]"),
        ("SINTERSTORE d a b", ":2"),
        ("SMEMBERS d", r#"["2", "4"]"#),
        ("SUNIONSTORE d a b d", ":6"),
        ("SMEMBERS d", r#"["1", "2", "3", "4", "5", "6"]"#),
        ("SDIFFSTORE d d a", ":1"),
        ("SMEMBERS d", r#"["6"]"#),
        ("SINTERSTORE d a absent", ":0"),
        ("EXISTS d", ":0"),
        ("SET d v", "+OK"),
        ("SUNIONSTORE d a", ":5"),
        ("TYPE d", "+set"),
        ("EXPIRE d 100", ":1"),
        ("SUNIONSTORE d b", ":3"),
        ("TTL d", ":-1"),
        ("SDIFFSTORE d b b", ":0"),
        ("EXISTS d", ":0"),
        ("SET d v", "+OK"),
        ("SDIFFSTORE d absent", ":0"),
        ("EXISTS d", ":0"),
        ("SUNIONSTORE d absent", ":0"),
    ]);
}

#[test]
fn what_is_stored_takes_the_form_that_redis_gives_it() {
    let (small, large, text) =
        (format!("SADD i {}", words("", 0..100)), format!("SADD h {}", words("", 0..600)), format!("SADD t {}", words("w", 0..200)));
    check(&[
        (&small, ":100"),
        (&large, ":600"),
        (&text, ":200"),
        ("SADD p 1 2 a b", ":4"),
        ("SADD q 1 2 z", ":3"),
        ("OBJECT ENCODING q", "\"listpack\""),
        ("SINTERSTORE d i h", ":100"),
        ("OBJECT ENCODING d", "\"intset\""),
        ("SINTERSTORE d h h", ":600"),
        ("OBJECT ENCODING d", "\"hashtable\""),
        ("SINTERSTORE d p q", ":2"),
        ("OBJECT ENCODING d", "\"intset\""),
        ("SMEMBERS d", r#"["1", "2"]"#),
        ("SINTERSTORE d p p", ":4"),
        ("OBJECT ENCODING d", "\"listpack\""),
        ("SINTERSTORE d t t", ":200"),
        ("OBJECT ENCODING d", "\"hashtable\""),
        ("SREM h 599 598 597", ":3"),
        ("SUNIONSTORE d i i", ":100"),
        ("OBJECT ENCODING d", "\"intset\""),
        ("SUNIONSTORE d i p", ":102"),
        ("OBJECT ENCODING d", "\"listpack\""),
        ("SUNIONSTORE d i t", ":300"),
        ("OBJECT ENCODING d", "\"hashtable\""),
        ("SUNIONSTORE d h", ":597"),
        ("OBJECT ENCODING d", "\"hashtable\""),
        ("SDIFFSTORE d h i", ":497"),
        ("OBJECT ENCODING d", "\"intset\""),
        ("SDIFFSTORE d p q", ":2"),
        ("OBJECT ENCODING d", "\"listpack\""),
        ("SMEMBERS d", r#"["a", "b"]"#),
        ("SDIFFSTORE d t p", ":200"),
        ("OBJECT ENCODING d", "\"hashtable\""),
        ("SADD u w1 w2 w3 w4 w5 w6 w7 w8", ":8"),
        ("SDIFFSTORE d t i u p p p p p", ":192"),
        ("OBJECT ENCODING d", "\"hashtable\""),
    ]);
}

#[test]
fn operations_agree_at_every_encoding() {
    let mut world = World::new();
    let client = world.connect();
    // the same numbers as integers, packed with a word that is removed again, and in a table
    for (name, range) in [("a", 0..60), ("b", 30..90), ("c", 45..50)] {
        for form in ["i", "p", "h"] {
            world.ask(client, &format!("SADD {name}{form} {}", words("", range.clone())));
            if form != "i" {
                let word = if form == "p" { "x".to_owned() } else { "x".repeat(70) };
                world.ask(client, &format!("SADD {name}{form} {word}"));
                world.ask(client, &format!("SREM {name}{form} {word}"));
            }
        }
    }
    for (form, encoding) in [("i", "\"intset\""), ("p", "\"listpack\""), ("h", "\"hashtable\"")] {
        assert_eq!(world.ask(client, &format!("OBJECT ENCODING a{form}")), encoding);
    }
    let expect = |range: std::ops::Range<usize>| {
        let mut all: Vec<String> = range.map(|n| format!("\"{n}\"")).collect();
        all.sort();
        all
    };
    for first in ["i", "p", "h"] {
        for second in ["i", "p", "h"] {
            let keys = format!("a{first} b{second}");
            assert_eq!(world.ask(client, &format!("SINTERCARD 2 {keys} LIMIT 7")), ":7");
            for (command, range) in [("SINTER", 30..60), ("SUNION", 0..90), ("SDIFF", 0..30)] {
                let expected = expect(range);
                assert_eq!(members(&world.ask(client, &format!("{command} {keys}"))), expected, "{command} {keys}");
                world.ask(client, &format!("{command}STORE d {keys}"));
                assert_eq!(members(&world.ask(client, "SMEMBERS d")), expected, "{command}STORE {keys}");
            }
            let reply = world.ask(client, &format!("SDIFF a{first} b{second} c{first} c{second} b{first}"));
            assert_eq!(members(&reply), expect(0..30));
            let reply = world.ask(client, &format!("SINTER a{first} b{second} c{first}"));
            assert_eq!(members(&reply), expect(45..50));
        }
    }
}

#[test]
fn popping() {
    check(&[
        ("SADD s 1", ":1"),
        ("SPOP s", "\"1\""),
        ("EXISTS s", ":0"),
        ("SPOP s", "(nil)"),
        ("SPOP s 2", "[]"),
        ("SADD s a", ":1"),
        ("SPOP s 1", r#"["a"]"#),
        ("EXISTS s", ":0"),
        ("SADD s b", ":1"),
        ("SPOP s 0", "[]"),
        ("SPOP s 7", r#"["b"]"#),
        ("EXISTS s", ":0"),
        ("SADD s 3 1 2", ":3"),
        ("SPOP s 3", r#"["1", "2", "3"]"#),
        ("EXISTS s", ":0"),
    ]);
    // popping most of a table leaves a small set
    let many = format!("SADD s {}", words("w", 0..200));
    let numbers = format!("SADD n {}", words("", 0..500));
    let packed = format!("SADD p {}", words("w", 0..100));
    let large = format!("SADD l {}", words("w", 0..1000));
    let mut world = World::new();
    let client = world.connect();
    for (fill, count, encoding) in [
        (&many, 100, "\"hashtable\""),
        (&many, 167, "\"listpack\""),
        (&large, 840, "\"hashtable\""),
        (&large, 900, "\"listpack\""),
        (&numbers, 3, "\"intset\""),
        (&numbers, 200, "\"intset\""),
        (&numbers, 490, "\"intset\""),
        (&packed, 1, "\"listpack\""),
        (&packed, 50, "\"listpack\""),
        (&packed, 95, "\"listpack\""),
    ] {
        let key = fill.split(' ').nth(1).expect("a key");
        world.ask(client, "FLUSHALL");
        world.ask(client, fill);
        let before: BTreeSet<String> = members(&world.ask(client, &format!("SMEMBERS {key}"))).into_iter().collect();
        let popped = members(&world.ask(client, &format!("SPOP {key} {count}")));
        assert_eq!(popped.len(), count);
        let left: BTreeSet<String> = members(&world.ask(client, &format!("SMEMBERS {key}"))).into_iter().collect();
        let popped: BTreeSet<String> = popped.into_iter().collect();
        assert!(left.is_disjoint(&popped) && &left | &popped == before, "{fill}");
        assert_eq!(world.ask(client, &format!("OBJECT ENCODING {key}")), encoding, "{key} after {count}");
    }
}

#[test]
fn what_is_popped_is_propagated() {
    let mut world = World::new();
    let client = world.connect();
    world.propagated();
    let mut run = |line: &str| {
        let reply = world.ask(client, line);
        (reply, world.propagated())
    };
    let (_, sent) = run("SADD s a");
    assert_eq!(sent.last().expect("a command"), "SADD s a");
    assert_eq!(run("SADD s a").1, [""; 0]);
    assert_eq!(run("SPOP s").1, ["SREM s a"]);
    assert_eq!(run("SPOP s").1, [""; 0]);
    assert_eq!(run("SADD s 1 2 3").1, ["SADD s 1 2 3"]);
    assert_eq!(run("SPOP s 0").1, [""; 0]);
    let (reply, sent) = run("SPOP s 2");
    assert_eq!(sent, [format!("SREM s {}", reply.replace(['[', ']', '"', ','], ""))]);
    assert_eq!(run("SPOP s 2").1, ["DEL s"]);
    run(&format!("SADD s {}", words("", 0..4000)));
    let (_, sent) = run("SPOP s 2000");
    assert_eq!(sent.len(), 4, "{sent:?}");
    assert_eq!((sent[0].as_str(), sent[3].as_str()), ("MULTI", "EXEC"));
    assert_eq!(sent[1].split(' ').count() + sent[2].split(' ').count(), 2 + 2 + 2000);
    assert_eq!(run("SRANDMEMBER s").1, [""; 0]);
    assert_eq!(run("SMOVE s t x").1, [""; 0]);
    assert_eq!(run("SINTERSTORE t absent").1, [""; 0]);
    assert_eq!(run("SADD u 1").1, ["SADD u 1"]);
    assert_eq!(run("SMOVE u t 1").1, ["SMOVE u t 1"]);
    assert_eq!(run("SUNIONSTORE u t").1, ["SUNIONSTORE u t"]);
    assert_eq!(run("SDIFFSTORE u t t").1, ["SDIFFSTORE u t t"]);
}

#[test]
fn drawing() {
    check(&[
        ("SRANDMEMBER absent", "(nil)"),
        ("SRANDMEMBER absent 3", "[]"),
        ("SRANDMEMBER absent -3", "[]"),
        ("SADD s 5", ":1"),
        ("SRANDMEMBER s", "\"5\""),
        ("SRANDMEMBER s 0", "[]"),
        ("SRANDMEMBER s 1", r#"["5"]"#),
        ("SRANDMEMBER s 4", r#"["5"]"#),
        ("SRANDMEMBER s -3", r#"["5", "5", "5"]"#),
        ("SADD p b a", ":2"),
        ("SRANDMEMBER p 2", r#"["b", "a"]"#),
        ("SRANDMEMBER p 3", r#"["b", "a"]"#),
        ("SADD i 2 1", ":2"),
        ("SRANDMEMBER i 2", r#"["1", "2"]"#),
    ]);
    let mut world = World::new();
    let client = world.connect();
    for (key, prefix, count) in [("i", "", 300), ("p", "w", 100), ("h", "w", 1000)] {
        world.ask(client, &format!("SADD {key} {}", words(prefix, 0..count)));
        for wanted in [1, 2, 50, 90, count - 1] {
            let drawn = members(&world.ask(client, &format!("SRANDMEMBER {key} {wanted}")));
            let distinct: BTreeSet<&String> = drawn.iter().collect();
            assert_eq!((drawn.len(), distinct.len()), (wanted, wanted));
            assert!(drawn.iter().all(|m| world.ask(client, &format!("SISMEMBER {key} {m}")) == ":1"));
        }
        let drawn = members(&world.ask(client, &format!("SRANDMEMBER {key} -{}", count * 12)));
        let distinct: BTreeSet<&String> = drawn.iter().collect();
        assert_eq!(drawn.len(), count * 12);
        assert!(distinct.len() * 100 > count * 99, "almost all of {key} come up: {}", distinct.len());
        assert_eq!(world.ask(client, &format!("SCARD {key}")), format!(":{count}"));
    }
}

#[test]
fn scanning() {
    check(&[
        ("SSCAN absent 0", r#"["0", []]"#),
        ("SADD s 3 1 2", ":3"),
        ("SSCAN s 0", r#"["0", ["1", "2", "3"]]"#),
        ("SSCAN s 0 COUNT 1", r#"["0", ["1", "2", "3"]]"#),
        ("SSCAN s 7", r#"["0", ["1", "2", "3"]]"#),
        ("SSCAN s 0 MATCH [12]", r#"["0", ["1", "2"]]"#),
        ("SSCAN s 0 match * count 5", r#"["0", ["1", "2", "3"]]"#),
        ("SADD p foo bar 12 foobar", ":4"),
        ("SSCAN p 0 MATCH foo*", r#"["0", ["foo", "foobar"]]"#),
        ("SSCAN p 0 MATCH 1? COUNT 100", r#"["0", ["12"]]"#),
        ("SSCAN p 0 MATCH x MATCH b*", r#"["0", ["bar"]]"#),
    ]);
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, &format!("SADD h {}", words("w", 0..1000)));
    let (mut cursor, mut seen) = ("0".to_owned(), BTreeSet::new());
    loop {
        let reply = world.ask(client, &format!("SSCAN h {cursor} COUNT 50"));
        let (next, found) = reply.trim_start_matches("[\"").split_once("\", ").expect("a cursor and members");
        seen.extend(members(found.strip_suffix(']').expect("an array")));
        cursor = next.to_owned();
        // members come and go while others stay
        world.ask(client, &format!("SADD h {}", words(&format!("x{cursor}-"), 0..30)));
        world.ask(client, &format!("SREM h {}", words(&format!("x{cursor}-"), 0..20)));
        if cursor == "0" {
            break;
        }
    }
    assert!((0..1000).all(|n| seen.contains(&format!("\"w{n}\""))), "whoever stays is seen");
}

#[test]
fn copies_share_nothing() {
    for (fill, encoding) in [("1 2 3".to_owned(), "\"intset\""), ("a b".to_owned(), "\"listpack\""), (words("w", 0..300), "\"hashtable\"")]
    {
        let mut world = World::new();
        let client = world.connect();
        world.ask(client, &format!("SADD s {fill}"));
        assert_eq!(world.ask(client, "COPY s t"), ":1");
        assert_eq!(world.ask(client, "OBJECT ENCODING t"), encoding);
        assert_eq!(members(&world.ask(client, "SMEMBERS t")), members(&world.ask(client, "SMEMBERS s")));
        world.ask(client, "SADD t another");
        assert_eq!(world.ask(client, "SISMEMBER s another"), ":0");
        world.ask(client, "DEL s");
        assert_eq!(world.ask(client, "SISMEMBER t another"), ":1");
    }
}

#[test]
fn keyspace_events() {
    let mut world = World::with(&[("notify-keyspace-events", "EA")]);
    let (client, watcher) = (world.connect(), world.connect());
    world.ask(watcher, "PSUBSCRIBE __keyevent@0__:*");
    for (line, expected) in [
        ("SADD s 1 2 3", "sadd s"),
        ("SADD s 1", ""),
        ("SREM s 1", "srem s"),
        ("SREM s 1", ""),
        ("SMOVE s t 2", "srem s, sadd t"),
        ("SMOVE s t 3", "srem s, del s, sadd t"),
        ("SPOP t", "spop t"),
        ("SPOP t", "spop t, del t"),
        ("SADD t 1 2 3", "sadd t"),
        ("SPOP t 2", "spop t"),
        ("SPOP t 2", "spop t, del t"),
        ("SADD t 1 2 3", "sadd t"),
        ("SINTERSTORE d t t", "sinterstore d"),
        ("SUNIONSTORE d t t", "sunionstore d"),
        ("SDIFFSTORE d t", "sdiffstore d"),
        ("SDIFFSTORE d t t", "del d"),
        ("SDIFFSTORE d t t", ""),
        ("SREM t 1 2 3", "srem t, del t"),
    ] {
        world.ask(client, line);
        let events: Vec<String> = world
            .received(watcher)
            .iter()
            .filter_map(|message| {
                let words: Vec<&str> = message.trim_matches(['[', ']']).split(", ").map(|word| word.trim_matches('"')).collect();
                Some(format!("{} {}", words[2].rsplit(':').next()?, words[3]))
            })
            .collect();
        assert_eq!(events.join(", "), expected, "events of {line}");
    }
}

/// Redis dies of a reply that no memory can hold.
#[test]
fn nobody_draws_for_ever() {
    let mut world = World::new();
    let client = world.connect();
    for line in ["SADD s a", "ZADD z 1 a", "HSET h f v"] {
        world.ask(client, line);
    }
    for line in ["SRANDMEMBER s", "ZRANDMEMBER z", "HRANDFIELD h"] {
        for count in ["-9223372036854775807", "-4294967297"] {
            assert_eq!(world.ask(client, &format!("{line} {count}")), "-ERR value is out of range", "{line}");
        }
    }
}
