//! Bitmaps: single bits, counting, finding, combining, fields.

use crate::harness::{World, check, check3};

const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";
const NOT_INT: &str = "-ERR value is not an integer or out of range";
const SYNTAX: &str = "-ERR syntax error";
const BAD_OFFSET: &str = "-ERR bit offset is not an integer or out of range";
const BAD_BIT: &str = "-ERR bit is not an integer or out of range";
const BAD_TYPE: &str = "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";

#[test]
fn single_bits() {
    check(&[
        ("SETBIT k 7 1", ":0"),
        ("GET k", r#""\x01""#),
        ("SETBIT k 7 1", ":1"),
        ("SETBIT k 7 0", ":1"),
        ("SETBIT k 1 1", ":0"),
        ("GET k", "\"@\""),
        ("GETBIT k 1", ":1"),
        ("GETBIT k 0", ":0"),
        ("GETBIT k 100000", ":0"),
        ("GETBIT k 4294967295", ":0"),
        ("SETBIT k 20 0", ":0"),
        ("STRLEN k", ":3"),
        ("GETBIT absent 0", ":0"),
        ("SETBIT z 9 0", ":0"),
        ("STRLEN z", ":2"),
        ("OBJECT ENCODING z", "\"raw\""),
        ("SET n 12", "+OK"),
        ("OBJECT ENCODING n", "\"int\""),
        ("GETBIT n 3", ":1"),
        ("SETBIT n 3 1", ":1"),
        ("OBJECT ENCODING n", "\"raw\""),
        ("SETBIT n 6 1", ":0"),
        ("GET n", "\"32\""),
        ("GETBIT n 15", ":0"),
        ("SET k v EX 100", "+OK"),
        ("SETBIT k 100 1", ":0"),
        ("TTL k", ":100"),
        ("SETBIT k -1 1", BAD_OFFSET),
        ("SETBIT k x 1", BAD_OFFSET),
        ("SETBIT k 4294967296 1", BAD_OFFSET),
        ("SETBIT k #1 1", BAD_OFFSET),
        ("SETBIT k 1 2", BAD_BIT),
        ("SETBIT k 1 -1", BAD_BIT),
        ("SETBIT k 1 x", BAD_BIT),
        ("GETBIT k -1", BAD_OFFSET),
        ("GETBIT k 4294967296", BAD_OFFSET),
        ("RPUSH l a", ":1"),
        ("SETBIT l 0 1", WRONG),
        ("SETBIT l x 1", BAD_OFFSET),
        ("GETBIT l 0", WRONG),
        ("SETBIT k 1", "-ERR wrong number of arguments for 'setbit' command"),
        ("GETBIT k", "-ERR wrong number of arguments for 'getbit' command"),
    ]);
}

#[test]
fn counting() {
    check(&[
        ("SET k foobar", "+OK"),
        ("BITCOUNT k", ":26"),
        ("BITCOUNT k 0 0", ":4"),
        ("BITCOUNT k 1 1", ":6"),
        ("BITCOUNT k -2 -1", ":7"),
        ("BITCOUNT k 0 -1", ":26"),
        ("BITCOUNT k -100 100", ":26"),
        ("BITCOUNT k 4 2", ":0"),
        ("BITCOUNT k -1 -3", ":0"),
        ("BITCOUNT k 100 200", ":0"),
        ("BITCOUNT k 1 1 BYTE", ":6"),
        ("BITCOUNT k 5 30 bit", ":17"),
        ("BITCOUNT k 0 0 BIT", ":0"),
        ("BITCOUNT k -8 -1 BIT", ":4"),
        ("BITCOUNT k 0 -1 BIT", ":26"),
        ("BITCOUNT k -9223372036854775808 9223372036854775807", ":26"),
        ("BITCOUNT k -9223372036854775808 -9223372036854775808", ":4"),
        ("BITCOUNT absent", ":0"),
        ("BITCOUNT absent 0 -1", ":0"),
        ("SET n 12", "+OK"),
        ("BITCOUNT n", ":6"),
        ("BITCOUNT k 1", SYNTAX),
        ("BITCOUNT k 1 2 x", SYNTAX),
        ("BITCOUNT k 1 2 BIT BIT", SYNTAX),
        ("BITCOUNT k x 2", NOT_INT),
        ("BITCOUNT k 1 x", NOT_INT),
        ("BITCOUNT k 1 x y", NOT_INT),
        ("BITCOUNT absent x 2", NOT_INT),
        ("RPUSH l a", ":1"),
        ("BITCOUNT l", WRONG),
        ("BITCOUNT l 0 1", WRONG),
        ("BITCOUNT l x 1", NOT_INT),
        ("BITCOUNT", "-ERR wrong number of arguments for 'bitcount' command"),
    ]);
}

#[test]
fn finding() {
    check(&[
        ("SET k \"\\xff\\xf0\\x00\"", "+OK"),
        ("BITPOS k 0", ":12"),
        ("BITPOS k 1", ":0"),
        ("BITPOS k 1 2", ":-1"),
        ("BITPOS k 1 1", ":8"),
        ("BITPOS k 0 0 0", ":-1"),
        ("BITPOS k 0 0 -1", ":12"),
        ("BITPOS k 0 2", ":16"),
        ("BITPOS k 0 5", ":-1"),
        ("BITPOS k 0 2 1", ":-1"),
        ("BITPOS k 1 -1 -2", ":-1"),
        ("BITPOS k 0 7 15 BIT", ":12"),
        ("BITPOS k 1 7 15 BIT", ":7"),
        ("BITPOS k 1 12 15 BIT", ":-1"),
        ("BITPOS k 0 0 1 BYTE", ":12"),
        ("BITPOS k 0 -5 -1 bit", ":19"),
        ("SET f \"\\xff\\xff\"", "+OK"),
        ("BITPOS f 0", ":16"),
        ("BITPOS f 0 1", ":16"),
        ("BITPOS f 0 0 -1", ":-1"),
        ("BITPOS f 0 0 1", ":-1"),
        ("BITPOS f 0 0 100", ":-1"),
        ("BITPOS absent 0", ":0"),
        ("BITPOS absent 1", ":-1"),
        ("BITPOS absent 0 5", ":0"),
        ("BITPOS absent 0 5 6", ":0"),
        ("BITPOS absent 1 5 6 BIT", ":-1"),
        ("SET e \"\"", "+OK"),
        ("BITPOS e 0", ":-1"),
        ("BITPOS e 1", ":-1"),
        ("BITPOS e 0 0 -1", ":-1"),
        ("SET n 12", "+OK"),
        ("BITPOS n 1", ":2"),
        ("BITPOS k 2", "-ERR The bit argument must be 1 or 0."),
        ("BITPOS k -1", "-ERR The bit argument must be 1 or 0."),
        ("BITPOS k x", NOT_INT),
        ("BITPOS k 1 x", NOT_INT),
        ("BITPOS k 1 0 x", NOT_INT),
        ("BITPOS k 1 0 1 x", SYNTAX),
        ("BITPOS k 1 0 y x", SYNTAX),
        ("BITPOS k 1 y 0 x", NOT_INT),
        ("BITPOS k 1 0 1 BIT 2", SYNTAX),
        ("BITPOS k 2 0 1 BIT 2", "-ERR The bit argument must be 1 or 0."),
        ("RPUSH l a", ":1"),
        ("BITPOS l 1", WRONG),
        ("BITPOS l 1 0 1", WRONG),
    ]);
}

#[test]
fn combining() {
    check(&[
        ("SET a \"\\xff\\x0f\"", "+OK"),
        ("SET b \"\\x0f\"", "+OK"),
        ("BITOP AND d a b", ":2"),
        ("GET d", r#""\x0f\x00""#),
        ("OBJECT ENCODING d", "\"raw\""),
        ("BITOP or d a b", ":2"),
        ("GET d", r#""\xff\x0f""#),
        ("BITOP XOR d a b", ":2"),
        ("GET d", r#""\xf0\x0f""#),
        ("BITOP NOT d a", ":2"),
        ("GET d", r#""\x00\xf0""#),
        ("BITOP AND d a absent", ":2"),
        ("GET d", r#""\x00\x00""#),
        ("BITOP AND a a a", ":2"),
        ("BITOP OR d b", ":1"),
        ("EXPIRE d 100", ":1"),
        ("BITOP OR d b", ":1"),
        ("TTL d", ":-1"),
        ("BITOP XOR d absent absent", ":0"),
        ("EXISTS d", ":0"),
        ("BITOP XOR d absent", ":0"),
        ("RPUSH l a", ":1"),
        ("BITOP OR d a l", WRONG),
        ("BITOP OR l a b", ":2"),
        ("TYPE l", "+string"),
        ("SET n 12", "+OK"),
        ("BITOP OR d n n", ":2"),
        ("GET d", "\"12\""),
        ("BITOP NOT d a b", "-ERR BITOP NOT must be called with a single source key."),
        ("BITOP NAND d a b", SYNTAX),
        ("BITOP AND d", "-ERR wrong number of arguments for 'bitop' command"),
    ]);
    // since Redis 8.2, which no oracle here is: the replies of its documentation
    let mut world = World::new();
    let client = world.connect();
    for (line, expected) in [
        (r#"SET x "\xf0""#, "+OK"),
        (r#"SET y "\x3c""#, "+OK"),
        (r#"SET z "\x0f""#, "+OK"),
        ("BITOP DIFF d x y z", ":1"),
        ("GET d", r#""\xc0""#),
        ("BITOP DIFF1 d x y z", ":1"),
        ("GET d", r#""\x0f""#),
        ("BITOP ANDOR d x y z", ":1"),
        ("GET d", "\"0\""),
        ("BITOP ONE d x y z", ":1"),
        ("GET d", r#""\xc3""#),
        ("BITOP diff d x", "-ERR BITOP DIFF must be called with at least two source keys."),
        ("BITOP ANDOR d x", "-ERR BITOP ANDOR must be called with at least two source keys."),
        ("BITOP ONE d x", ":1"),
    ] {
        assert_eq!(world.ask(client, line), expected, "reply to {line}");
    }
}

#[test]
fn fields() {
    check(&[
        ("BITFIELD k", "[]"),
        ("EXISTS k", ":0"),
        ("BITFIELD k GET u8 0 GET i5 100", "[:0, :0]"),
        ("EXISTS k", ":0"),
        ("BITFIELD k SET u8 0 255 GET i8 0", "[:0, :-1]"),
        ("BITFIELD k SET i8 0 -2 GET u8 0 GET u4 #1", "[:-1, :254, :14]"),
        ("BITFIELD k INCRBY u8 #1 300", "[:44]"),
        ("STRLEN k", ":2"),
        ("BITFIELD k OVERFLOW SAT INCRBY u8 #1 300 OVERFLOW WRAP INCRBY u8 #1 1", "[:255, :0]"),
        ("BITFIELD k set i64 3 -9223372036854775808", "[:-1152921504606846976]"),
        ("BITFIELD k get i64 3 get u63 3", "[:-9223372036854775808, :4611686018427387904]"),
        ("STRLEN k", ":9"),
        ("BITFIELD k OVERFLOW SAT INCRBY i64 3 -1", "[:-9223372036854775808]"),
        ("BITFIELD k OVERFLOW WRAP INCRBY i64 3 -1", "[:9223372036854775807]"),
        ("BITFIELD s OVERFLOW sat SET u2 0 9 GET u2 0 SET i4 4 -100 GET i4 4", "[:0, :3, :0, :-8]"),
        ("BITFIELD s SET u2 0 -1 GET u2 0", "[:3, :3]"),
        ("SET n 12", "+OK"),
        ("BITFIELD n GET u8 0 GET u8 8", "[:49, :50]"),
        ("OBJECT ENCODING n", "\"int\""),
        ("BITFIELD_RO n GET u8 0 GET u8 8", "[:49, :50]"),
        ("BITFIELD_RO absent GET u8 0", "[:0]"),
        ("BITFIELD_RO absent", "[]"),
        ("BITFIELD_RO n OVERFLOW WRAP GET u8 0", "[:49]"),
        ("BITFIELD n INCRBY u8 0 1", "[:50]"),
        ("GET n", "\"22\""),
        ("BITFIELD k GET u64 0", BAD_TYPE),
        ("BITFIELD k GET u0 0", BAD_TYPE),
        ("BITFIELD k GET i65 0", BAD_TYPE),
        ("BITFIELD k GET x8 0", BAD_TYPE),
        ("BITFIELD k GET u 0", BAD_TYPE),
        ("BITFIELD k GET U8 0", BAD_TYPE),
        ("BITFIELD k GET u8 -1", BAD_OFFSET),
        ("BITFIELD k GET u8 x", BAD_OFFSET),
        ("BITFIELD k GET u8 #-1", BAD_OFFSET),
        ("BITFIELD k GET u8 #x", BAD_OFFSET),
        ("BITFIELD k GET u8 #536870912", BAD_OFFSET),
        ("BITFIELD k GET u8 #536870911", "[:0]"),
        ("BITFIELD k GET u8 4294967296", BAD_OFFSET),
        ("BITFIELD k GET u8 4294967295", "[:0]"),
        ("BITFIELD k SET u8 0", SYNTAX),
        ("BITFIELD k SET u8 0 x", NOT_INT),
        ("BITFIELD k INCRBY u8 0 x", NOT_INT),
        ("BITFIELD k GET u8", SYNTAX),
        ("BITFIELD k OVERFLOW", SYNTAX),
        ("BITFIELD k OVERFLOW x", "-ERR Invalid OVERFLOW type specified"),
        ("BITFIELD k WHAT u8 0", SYNTAX),
        ("BITFIELD_RO k SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand"),
        ("BITFIELD_RO k INCRBY u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand"),
        ("BITFIELD_RO k SET u8 0 x", NOT_INT),
        ("RPUSH l a", ":1"),
        ("BITFIELD l GET u8 0", WRONG),
        ("BITFIELD l SET u8 0 1", WRONG),
        ("BITFIELD_RO l GET u8 0", WRONG),
        ("BITFIELD_RO l SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand"),
        ("BITFIELD", "-ERR wrong number of arguments for 'bitfield' command"),
    ]);
}

#[test]
fn what_does_not_fit_may_be_refused() {
    check(&[
        ("BITFIELD k OVERFLOW FAIL INCRBY u2 102 1 INCRBY u2 102 3 GET u2 102", "[:1, (nil), :1]"),
        ("BITFIELD k OVERFLOW FAIL SET i8 0 128 SET i8 0 127", "[(nil), :0]"),
        ("BITFIELD f OVERFLOW FAIL INCRBY u2 14 4", "[(nil)]"),
        ("GET f", r#""\x00\x00""#),
    ]);
    check3(&[("BITFIELD k OVERFLOW FAIL INCRBY u2 102 4", "[(null)]")]);
}

#[test]
fn only_changes_are_propagated() {
    let mut world = World::new();
    let client = world.connect();
    world.propagated();
    let mut run = |line: &str| {
        world.ask(client, line);
        world.propagated().into_iter().filter(|command| !command.starts_with("SELECT")).collect::<Vec<_>>()
    };
    assert_eq!(run("SETBIT k 3 0"), ["SETBIT k 3 0"]);
    assert_eq!(run("SETBIT k 3 0"), [""; 0]);
    assert_eq!(run("SETBIT k 3 1"), ["SETBIT k 3 1"]);
    assert_eq!(run("BITFIELD k GET u8 0"), [""; 0]);
    assert_eq!(run("BITFIELD k SET u8 0 16"), [""; 0]);
    assert_eq!(run("BITFIELD k SET u8 0 17"), ["BITFIELD k SET u8 0 17"]);
    assert_eq!(run("BITOP NOT d absent"), [""; 0]);
    assert_eq!(run("BITOP NOT d k"), ["BITOP NOT d k"]);
    assert_eq!(run("BITOP NOT d absent"), ["BITOP NOT d absent"]);
}
