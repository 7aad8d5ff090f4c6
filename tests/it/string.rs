//! Strings.

use crate::harness::{check, check_with, check3};

#[test]
fn get_and_set() {
    check(&[
        ("GET k", "(nil)"),
        ("SET k v", "+OK"),
        ("GET k", r#""v""#),
        (r#"SET k """#, "+OK"),
        ("GET k", r#""""#),
        (r#"SET "" empty-key"#, "+OK"),
        (r#"GET """#, r#""empty-key""#),
        (r#"SET k "a\x00\r\n\xff b""#, "+OK"),
        ("GET k", r#""a\x00\r\n\xff b""#),
        ("get", "-ERR wrong number of arguments for 'get' command"),
        ("GET a b", "-ERR wrong number of arguments for 'get' command"),
        ("set k", "-ERR wrong number of arguments for 'set' command"),
        ("sEt k V2", "+OK"),
        ("GeT k", r#""V2""#),
    ]);
}

#[test]
fn numbers_are_shown_as_they_were_written() {
    check(&[
        ("SET k 10", "+OK"),
        ("GET k", r#""10""#),
        ("OBJECT ENCODING k", r#""int""#),
        ("SET k -9223372036854775808", "+OK"),
        ("GET k", r#""-9223372036854775808""#),
        ("OBJECT ENCODING k", r#""int""#),
        ("SET k 9223372036854775807", "+OK"),
        ("OBJECT ENCODING k", r#""int""#),
        ("SET k 9223372036854775808", "+OK"),
        ("GET k", r#""9223372036854775808""#),
        ("OBJECT ENCODING k", r#""embstr""#),
        ("SET k +1", "+OK"),
        ("GET k", r#""+1""#),
        ("OBJECT ENCODING k", r#""embstr""#),
        ("SET k 01", "+OK"),
        ("GET k", r#""01""#),
        ("OBJECT ENCODING k", r#""embstr""#),
        ("SET k -0", "+OK"),
        ("GET k", r#""-0""#),
        ("OBJECT ENCODING k", r#""embstr""#),
        (r#"SET k " 1""#, "+OK"),
        ("OBJECT ENCODING k", r#""embstr""#),
        ("SET k 1.0", "+OK"),
        ("OBJECT ENCODING k", r#""embstr""#),
        ("SET k 0", "+OK"),
        ("GET k", r#""0""#),
        ("OBJECT ENCODING k", r#""int""#),
        ("OBJECT REFCOUNT k", ":2147483647"),
    ]);
}

#[test]
fn encodings_by_length() {
    check(&[
        ("SET k 12345678901234567890123456789012345678901234", "+OK"),
        ("STRLEN k", ":44"),
        ("OBJECT ENCODING k", r#""embstr""#),
        ("SET k 123456789012345678901234567890123456789012345", "+OK"),
        ("STRLEN k", ":45"),
        ("OBJECT ENCODING k", r#""raw""#),
        ("SET k x", "+OK"),
        ("OBJECT ENCODING k", r#""embstr""#),
        ("APPEND k y", ":2"),
        ("OBJECT ENCODING k", r#""raw""#),
        ("SET k x", "+OK"),
        ("SETRANGE k 0 y", ":1"),
        ("OBJECT ENCODING k", r#""raw""#),
        ("SET k 12", "+OK"),
        (r#"SETRANGE k 0 """#, ":2"),
        ("OBJECT ENCODING k", r#""int""#),
        (r#"APPEND k """#, ":2"),
        ("OBJECT ENCODING k", r#""raw""#),
        ("GET k", r#""12""#),
        ("APPEND n 12", ":2"),
        ("OBJECT ENCODING n", r#""int""#),
        ("SETRANGE m 0 12", ":2"),
        ("OBJECT ENCODING m", r#""raw""#),
        ("INCR m", ":13"),
        ("OBJECT ENCODING m", r#""int""#),
        ("INCRBYFLOAT m 1", r#""14""#),
        ("OBJECT ENCODING m", r#""embstr""#),
        ("INCRBYFLOAT m 0.5", r#""14.5""#),
        ("GET m", r#""14.5""#),
        ("GETSET m 5", r#""14.5""#),
        ("OBJECT ENCODING m", r#""int""#),
    ]);
}

#[test]
fn set_conditions() {
    check(&[
        ("SET k v XX", "(nil)"),
        ("EXISTS k", ":0"),
        ("SET k v NX", "+OK"),
        ("SET k w NX", "(nil)"),
        ("GET k", r#""v""#),
        ("SET k w XX", "+OK"),
        ("GET k", r#""w""#),
        ("SET k x nx xx", "-ERR syntax error"),
        ("SET k x XX NX", "-ERR syntax error"),
        ("SET k x NX NX", "(nil)"),
        ("SET k x XX XX", "+OK"),
        ("GET k", r#""x""#),
        ("SET k x FOO", "-ERR syntax error"),
        ("SET k x NX FOO", "-ERR syntax error"),
        (r#"SET k x """#, "-ERR syntax error"),
        ("SET k x y z", "-ERR syntax error"),
    ]);
}

#[test]
fn set_with_get() {
    check(&[
        ("SET k v GET", "(nil)"),
        ("SET k w GET", r#""v""#),
        ("SET k x NX GET", r#""w""#),
        ("GET k", r#""w""#),
        ("SET k x GET XX", r#""w""#),
        ("SET n x GET XX", "(nil)"),
        ("EXISTS n", ":0"),
        ("SET n 5 NX GET", "(nil)"),
        ("SET n 6 GET GET", r#""5""#),
        ("SET n 7 KEEPTTL GET", r#""6""#),
        ("SET n 7 GET EX 100", r#""7""#),
        ("TTL n", ":100"),
        ("SET n 8 GET", r#""7""#),
        ("TTL n", ":-1"),
        ("SET n 9 GET FOO", "-ERR syntax error"),
        ("GET n", r#""8""#),
    ]);
}

#[test]
fn set_with_deadline() {
    check(&[
        ("SET k v EX 100", "+OK"),
        ("TTL k", ":100"),
        ("SET k v", "+OK"),
        ("TTL k", ":-1"),
        ("SET k v PX 100000", "+OK"),
        ("TTL k", ":100"),
        ("SET k w KEEPTTL", "+OK"),
        ("TTL k", ":100"),
        ("SET k v EXAT 33177117420", "+OK"),
        ("EXPIRETIME k", ":33177117420"),
        ("SET k v PXAT 33177117420123", "+OK"),
        ("PEXPIRETIME k", ":33177117420123"),
        ("SET k v keepttl", "+OK"),
        ("PEXPIRETIME k", ":33177117420123"),
        ("SET new v KEEPTTL", "+OK"),
        ("TTL new", ":-1"),
        ("SET k v EX 0", "-ERR invalid expire time in 'set' command"),
        ("SET k v EX -1", "-ERR invalid expire time in 'set' command"),
        ("SET k v PX 0", "-ERR invalid expire time in 'set' command"),
        ("SET k v PX -5", "-ERR invalid expire time in 'set' command"),
        ("SET k v EXAT 0", "-ERR invalid expire time in 'set' command"),
        ("SET k v PXAT -1", "-ERR invalid expire time in 'set' command"),
        ("SET k v EX 9223372036854775807", "-ERR invalid expire time in 'set' command"),
        ("SET k v EX 9223372036854776", "-ERR invalid expire time in 'set' command"),
        ("SET k v PX 9223372036854775807", "-ERR invalid expire time in 'set' command"),
        ("SET k v EXAT 9223372036854776", "-ERR invalid expire time in 'set' command"),
        ("SET k v EX", "-ERR syntax error"),
        ("SET k v PX", "-ERR syntax error"),
        ("SET k v EXAT", "-ERR syntax error"),
        ("SET k v PXAT", "-ERR syntax error"),
        ("SET k v EX x", "-ERR value is not an integer or out of range"),
        ("SET k v EX 1.5", "-ERR value is not an integer or out of range"),
        (r#"SET k v EX """#, "-ERR value is not an integer or out of range"),
        ("SET k v EX 99999999999999999999", "-ERR value is not an integer or out of range"),
        ("SET k v EX 10 PX 10", "-ERR syntax error"),
        ("SET k v EX 10 KEEPTTL", "-ERR syntax error"),
        ("SET k v KEEPTTL EX 10", "-ERR syntax error"),
        ("SET k v EX 10 EXAT 10", "-ERR syntax error"),
        ("SET k v PXAT 10 EX 10", "-ERR syntax error"),
        ("SET k v PERSIST", "-ERR syntax error"),
        ("SET k v EX 10 PERSIST", "-ERR syntax error"),
        ("SET k v EX 100 EX 200", "+OK"),
        ("TTL k", ":200"),
        ("SET k v EX x NX", "-ERR value is not an integer or out of range"),
        ("SET k v EX 100 NX", "(nil)"),
        ("SET k v EX 300 XX", "+OK"),
        ("TTL k", ":300"),
        ("SET k v EX NX", "-ERR value is not an integer or out of range"),
    ]);
}

#[test]
fn old_forms_of_set() {
    check(&[
        ("SETNX k 1", ":1"),
        ("SETNX k 2", ":0"),
        ("GET k", r#""1""#),
        ("SETEX k 100 v", "+OK"),
        ("TTL k", ":100"),
        ("GET k", r#""v""#),
        ("PSETEX k 200000 w", "+OK"),
        ("TTL k", ":200"),
        ("GET k", r#""w""#),
        ("SETEX k 0 v", "-ERR invalid expire time in 'setex' command"),
        ("SETEX k -1 v", "-ERR invalid expire time in 'setex' command"),
        ("SETEX k x v", "-ERR value is not an integer or out of range"),
        ("SETEX k 9223372036854775807 v", "-ERR invalid expire time in 'setex' command"),
        ("SETEX k 9223372036854776 v", "-ERR invalid expire time in 'setex' command"),
        ("PSETEX k 0 v", "-ERR invalid expire time in 'psetex' command"),
        ("PSETEX k 9223372036854775807 v", "-ERR invalid expire time in 'psetex' command"),
        (r#"PSETEX k "" v"#, "-ERR value is not an integer or out of range"),
        ("GETSET k x", r#""w""#),
        ("TTL k", ":-1"),
        ("GETSET k 17", r#""x""#),
        ("GETSET n 18", "(nil)"),
        ("GET n", r#""18""#),
        ("OBJECT ENCODING n", r#""int""#),
        ("SETNX k", "-ERR wrong number of arguments for 'setnx' command"),
        ("SETEX k 1", "-ERR wrong number of arguments for 'setex' command"),
        ("PSETEX k 1", "-ERR wrong number of arguments for 'psetex' command"),
        ("GETSET k", "-ERR wrong number of arguments for 'getset' command"),
    ]);
}

#[test]
fn getdel() {
    check(&[
        ("GETDEL k", "(nil)"),
        ("SET k 5", "+OK"),
        ("GETDEL k", r#""5""#),
        ("EXISTS k", ":0"),
        ("GETDEL k", "(nil)"),
        ("GETDEL", "-ERR wrong number of arguments for 'getdel' command"),
        ("GETDEL a b", "-ERR wrong number of arguments for 'getdel' command"),
    ]);
}

#[test]
fn getex() {
    check(&[
        ("GETEX k", "(nil)"),
        ("SET k v", "+OK"),
        ("GETEX k", r#""v""#),
        ("TTL k", ":-1"),
        ("GETEX k EX 100", r#""v""#),
        ("TTL k", ":100"),
        ("GETEX k PX 200000", r#""v""#),
        ("TTL k", ":200"),
        ("GETEX k EXAT 33177117420", r#""v""#),
        ("EXPIRETIME k", ":33177117420"),
        ("GETEX k PXAT 33177117420123", r#""v""#),
        ("PEXPIRETIME k", ":33177117420123"),
        ("GETEX k", r#""v""#),
        ("PEXPIRETIME k", ":33177117420123"),
        ("GETEX k PERSIST", r#""v""#),
        ("TTL k", ":-1"),
        ("GETEX k PERSIST", r#""v""#),
        ("GETEX k EX 0", "-ERR invalid expire time in 'getex' command"),
        ("GETEX k EX -1", "-ERR invalid expire time in 'getex' command"),
        ("GETEX k EX x", "-ERR value is not an integer or out of range"),
        ("GETEX k EX", "-ERR syntax error"),
        ("GETEX k EX 9223372036854775807", "-ERR invalid expire time in 'getex' command"),
        ("GETEX k KEEPTTL", "-ERR syntax error"),
        ("GETEX k NX", "-ERR syntax error"),
        ("GETEX k GET", "-ERR syntax error"),
        ("GETEX k EX 10 PX 10", "-ERR syntax error"),
        ("GETEX k EX 10 PERSIST", "-ERR syntax error"),
        ("GETEX k PERSIST EX 10", "-ERR syntax error"),
        ("GETEX n EX x", "(nil)"),
        ("GETEX n EX 0", "(nil)"),
        ("GETEX n EX", "-ERR syntax error"),
        ("GETEX n FOO", "-ERR syntax error"),
        ("GETEX k EX 10 EX 300", r#""v""#),
        ("TTL k", ":300"),
        ("GETEX k EXAT 1", r#""v""#),
        ("EXISTS k", ":0"),
        ("GETEX k PXAT 1", "(nil)"),
        ("GETEX", "-ERR wrong number of arguments for 'getex' command"),
    ]);
}

#[test]
fn several_keys() {
    check(&[
        ("MSET a 1 b two", "+OK"),
        ("MGET a b c", r#"["1", "two", (nil)]"#),
        ("MGET a a", r#"["1", "1"]"#),
        ("MSET a 1 a 2 a 3", "+OK"),
        ("GET a", r#""3""#),
        ("MSET a", "-ERR wrong number of arguments for 'mset' command"),
        ("MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"),
        ("MSET", "-ERR wrong number of arguments for 'mset' command"),
        ("MGET", "-ERR wrong number of arguments for 'mget' command"),
        ("MSETNX a 1 c 2", ":0"),
        ("EXISTS c", ":0"),
        ("MSETNX c 1 d 2 c 3", ":1"),
        ("MGET c d", r#"["3", "2"]"#),
        ("MSETNX x", "-ERR wrong number of arguments for 'msetnx' command"),
        ("MSETNX x 1 y", "-ERR wrong number of arguments for 'msetnx' command"),
        (
            "MGET a b c d a b c d a b c d a b c d a b c d",
            r#"["3", "two", "3", "2", "3", "two", "3", "2", "3", "two", "3", "2", "3", "two", "3", "2", "3", "two", "3", "2"]"#,
        ),
        ("MSET k1 1 k2 2 k3 3 k4 4 k5 5 k6 6 k7 7 k8 8 k9 9 k10 10 k11 11 k12 12 k13 13 k14 14 k15 15 k16 16 k17 17 k18 18", "+OK"),
        (
            "MGET k1 k2 k3 k4 k5 k6 k7 k8 k9 k10 k11 k12 k13 k14 k15 k16 k17 k18",
            r#"["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16", "17", "18"]"#,
        ),
        ("SET a v EX 100", "+OK"),
        ("MSET a 1", "+OK"),
        ("TTL a", ":-1"),
    ]);
}

#[test]
fn append_and_strlen() {
    check(&[
        ("STRLEN k", ":0"),
        (r#"APPEND k """#, ":0"),
        ("EXISTS k", ":1"),
        ("GET k", r#""""#),
        ("APPEND k foo", ":3"),
        (r#"APPEND k "\x00bar""#, ":7"),
        ("GET k", r#""foo\x00bar""#),
        ("STRLEN k", ":7"),
        ("SET n -15", "+OK"),
        ("STRLEN n", ":3"),
        ("APPEND n 7", ":4"),
        ("GET n", r#""-157""#),
        ("OBJECT ENCODING n", r#""raw""#),
        ("SET n 9223372036854775807", "+OK"),
        ("STRLEN n", ":19"),
        ("SET n -9223372036854775808", "+OK"),
        ("STRLEN n", ":20"),
        ("SET n 0", "+OK"),
        ("STRLEN n", ":1"),
        ("EXPIRE n 100", ":1"),
        ("APPEND n x", ":2"),
        ("TTL n", ":100"),
        ("APPEND n", "-ERR wrong number of arguments for 'append' command"),
        ("STRLEN", "-ERR wrong number of arguments for 'strlen' command"),
    ]);
}

#[test]
fn setrange() {
    check(&[
        (r#"SETRANGE k 0 """#, ":0"),
        ("EXISTS k", ":0"),
        (r#"SETRANGE k 5 """#, ":0"),
        ("EXISTS k", ":0"),
        ("SETRANGE k 2 foo", ":5"),
        ("GET k", r#""\x00\x00foo""#),
        ("SETRANGE k 0 ba", ":5"),
        ("GET k", r#""bafoo""#),
        ("SETRANGE k 4 long", ":8"),
        ("GET k", r#""bafolong""#),
        (r#"SETRANGE k 100 """#, ":8"),
        ("SETRANGE k -1 x", "-ERR offset is out of range"),
        ("SETRANGE k x x", "-ERR value is not an integer or out of range"),
        ("SETRANGE k 9223372036854775808 x", "-ERR value is not an integer or out of range"),
        ("SETRANGE k 9223372036854775807 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
        ("SETRANGE k 536870911 xx", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
        ("SETRANGE k 536870912 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
        ("SETRANGE n 536870912 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
        ("EXISTS n", ":0"),
        ("SET n 1234", "+OK"),
        ("SETRANGE n 1 x", ":4"),
        ("GET n", r#""1x34""#),
        ("SET n 1234", "+OK"),
        ("SETRANGE n 6 5", ":7"),
        ("GET n", r#""1234\x00\x005""#),
        ("EXPIRE n 100", ":1"),
        ("SETRANGE n 0 z", ":7"),
        ("TTL n", ":100"),
        ("SETRANGE n 0", "-ERR wrong number of arguments for 'setrange' command"),
    ]);
}

#[test]
fn getrange() {
    check(&[
        ("GETRANGE k 0 -1", r#""""#),
        (r#"SET k "Hello World""#, "+OK"),
        ("GETRANGE k 0 3", r#""Hell""#),
        ("GETRANGE k 0 -1", r#""Hello World""#),
        ("GETRANGE k -4 -1", r#""orld""#),
        ("GETRANGE k 5 3", r#""""#),
        ("GETRANGE k 5 5000", r#"" World""#),
        ("GETRANGE k -5000 10000", r#""Hello World""#),
        ("GETRANGE k 0 -100", r#""H""#),
        ("GETRANGE k 1 -100", r#""""#),
        ("GETRANGE k -1 -100", r#""""#),
        ("GETRANGE k -100 -99", r#""H""#),
        ("GETRANGE k -100 -100", r#""H""#),
        ("GETRANGE k -100 -101", r#""""#),
        ("GETRANGE k 10 10", r#""d""#),
        ("GETRANGE k 11 11", r#""""#),
        ("GETRANGE k 0 4294967297", r#""Hello World""#),
        ("GETRANGE k -9223372036854775808 9223372036854775807", r#""Hello World""#),
        ("GETRANGE k 9223372036854775807 -9223372036854775808", r#""""#),
        ("GETRANGE k x 1", "-ERR value is not an integer or out of range"),
        ("GETRANGE k 1 x", "-ERR value is not an integer or out of range"),
        ("GETRANGE k 1.0 2", "-ERR value is not an integer or out of range"),
        ("SUBSTR k 0 4", r#""Hello""#),
        ("SUBSTR k -5 -1", r#""World""#),
        ("SUBSTR n 0 1", r#""""#),
        ("SET n 1234", "+OK"),
        ("GETRANGE n 0 2", r#""123""#),
        ("GETRANGE n -3 -1", r#""234""#),
        ("GETRANGE n 3 5000", r#""4""#),
        (r#"SET n """#, "+OK"),
        ("GETRANGE n 0 -1", r#""""#),
        ("GETRANGE n 0 0", r#""""#),
        ("GETRANGE n 0", "-ERR wrong number of arguments for 'getrange' command"),
        ("SUBSTR n 0", "-ERR wrong number of arguments for 'substr' command"),
    ]);
}

#[test]
fn counting() {
    check(&[
        ("INCR k", ":1"),
        ("INCR k", ":2"),
        ("INCRBY k 40", ":42"),
        ("DECR k", ":41"),
        ("DECRBY k 50", ":-9"),
        ("GET k", r#""-9""#),
        ("OBJECT ENCODING k", r#""int""#),
        ("INCRBY k -9223372036854775799", ":-9223372036854775808"),
        ("INCRBY k 9223372036854775807", ":-1"),
        ("DECR k", ":-2"),
        ("INCRBY k -5", ":-7"),
        ("SET k 9223372036854775807", "+OK"),
        ("INCR k", "-ERR increment or decrement would overflow"),
        ("DECRBY k -1", "-ERR increment or decrement would overflow"),
        ("GET k", r#""9223372036854775807""#),
        ("SET k -9223372036854775808", "+OK"),
        ("DECR k", "-ERR increment or decrement would overflow"),
        ("INCRBY k -1", "-ERR increment or decrement would overflow"),
        ("GET k", r#""-9223372036854775808""#),
        ("DECRBY k 9223372036854775807", "-ERR increment or decrement would overflow"),
        ("DECRBY k -9223372036854775808", "-ERR decrement would overflow"),
        ("INCRBY k 9223372036854775808", "-ERR value is not an integer or out of range"),
        ("INCRBY k x", "-ERR value is not an integer or out of range"),
        (r#"INCRBY k """#, "-ERR value is not an integer or out of range"),
        ("INCRBY k 1.0", "-ERR value is not an integer or out of range"),
        ("INCRBY k +1", "-ERR value is not an integer or out of range"),
        ("DECRBY k x", "-ERR value is not an integer or out of range"),
        (r#"SET k "  11""#, "+OK"),
        ("INCR k", "-ERR value is not an integer or out of range"),
        (r#"SET k "11  ""#, "+OK"),
        ("INCR k", "-ERR value is not an integer or out of range"),
        ("SET k 0x1", "+OK"),
        ("INCR k", "-ERR value is not an integer or out of range"),
        (r#"SET k """#, "+OK"),
        ("INCR k", "-ERR value is not an integer or out of range"),
        ("SET k 1.5", "+OK"),
        ("INCR k", "-ERR value is not an integer or out of range"),
        ("SET k 99999999999999999999", "+OK"),
        ("DECR k", "-ERR value is not an integer or out of range"),
        ("SET k 17179869184", "+OK"),
        ("INCR k", ":17179869185"),
        ("INCRBY k 17179869184", ":34359738369"),
        ("INCRBY new 0", ":0"),
        ("GET new", r#""0""#),
        ("SET e 5 EX 100", "+OK"),
        ("INCR e", ":6"),
        ("TTL e", ":100"),
        ("APPEND r 10", ":2"),
        ("APPEND r 0", ":3"),
        ("INCR r", ":101"),
        ("OBJECT ENCODING r", r#""int""#),
        ("INCR", "-ERR wrong number of arguments for 'incr' command"),
        ("INCRBY k", "-ERR wrong number of arguments for 'incrby' command"),
    ]);
}

#[test]
fn counting_in_floats() {
    check(&[
        ("INCRBYFLOAT k 1", r#""1""#),
        ("INCRBYFLOAT k 0.25", r#""1.25""#),
        ("GET k", r#""1.25""#),
        ("SET k 3", "+OK"),
        ("INCRBYFLOAT k 1.1", r#""4.1""#),
        ("SET k 3.0e3", "+OK"),
        ("INCRBYFLOAT k 200", r#""3200""#),
        ("SET k 10.50", "+OK"),
        ("INCRBYFLOAT k 0.1", r#""10.6""#),
        ("INCRBYFLOAT k -5", r#""5.6""#),
        ("SET k 5.0e3", "+OK"),
        ("INCRBYFLOAT k 2.0e2", r#""5200""#),
        ("SET k 0", "+OK"),
        ("INCRBYFLOAT k -1.5", r#""-1.5""#),
        ("INCRBYFLOAT k 1.5", r#""0""#),
        ("SET k 17179869184", "+OK"),
        ("INCRBYFLOAT k 1.5", r#""17179869185.5""#),
        ("SET k 1", "+OK"),
        ("INCRBYFLOAT k 1e-17", r#""1.00000000000000001""#),
        ("INCRBYFLOAT k 1e-18", r#""1.00000000000000001""#),
        ("SET k 0.1", "+OK"),
        ("INCRBYFLOAT k 0.2", r#""0.3""#),
        ("SET k 9223372036854775807", "+OK"),
        ("INCRBYFLOAT k 1", r#""9223372036854775808""#),
        ("SET k 1e4932", "+OK"),
        ("INCRBYFLOAT k 1e4932", "-ERR increment would produce NaN or Infinity"),
        (r#"SET k "  11""#, "+OK"),
        ("INCRBYFLOAT k 1.0", "-ERR value is not a valid float"),
        (r#"SET k "11  ""#, "+OK"),
        ("INCRBYFLOAT k 1.0", "-ERR value is not a valid float"),
        ("SET k abc", "+OK"),
        ("INCRBYFLOAT k 1", "-ERR value is not a valid float"),
        (r#"SET k """#, "+OK"),
        ("INCRBYFLOAT k 1", "-ERR value is not a valid float"),
        ("SET k 1", "+OK"),
        ("INCRBYFLOAT k x", "-ERR value is not a valid float"),
        (r#"INCRBYFLOAT k """#, "-ERR value is not a valid float"),
        ("INCRBYFLOAT k nan", "-ERR value is not a valid float"),
        ("INCRBYFLOAT k inf", "-ERR increment would produce NaN or Infinity"),
        ("INCRBYFLOAT k +inf", "-ERR increment would produce NaN or Infinity"),
        ("INCRBYFLOAT k -inf", "-ERR increment would produce NaN or Infinity"),
        ("INCRBYFLOAT k 0x10", r#""17""#),
        (r#"INCRBYFLOAT k " 1""#, "-ERR value is not a valid float"),
        (r#"INCRBYFLOAT k "1 ""#, "-ERR value is not a valid float"),
        ("SET k inf", "+OK"),
        ("INCRBYFLOAT k 1", "-ERR increment would produce NaN or Infinity"),
        ("SET k 1 EX 100", "+OK"),
        ("INCRBYFLOAT k 1", r#""2""#),
        ("TTL k", ":100"),
        ("INCR k", ":3"),
        ("OBJECT ENCODING k", r#""int""#),
        ("INCRBYFLOAT k", "-ERR wrong number of arguments for 'incrbyfloat' command"),
    ]);
}

#[test]
fn lcs_of_two_strings() {
    check(&[
        ("LCS a b", r#""""#),
        ("LCS a b LEN", ":0"),
        ("LCS a b IDX", r#"["matches", [], "len", :0]"#),
        ("MSET a ohmytext b mynewtext", "+OK"),
        ("LCS a b", r#""mytext""#),
        ("LCS a b LEN", ":6"),
        ("LCS a b IDX", r#"["matches", [[[:4, :7], [:5, :8]], [[:2, :3], [:0, :1]]], "len", :6]"#),
        ("LCS a b IDX MINMATCHLEN 4", r#"["matches", [[[:4, :7], [:5, :8]]], "len", :6]"#),
        ("LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN", r#"["matches", [[[:4, :7], [:5, :8], :4]], "len", :6]"#),
        ("LCS a b IDX WITHMATCHLEN", r#"["matches", [[[:4, :7], [:5, :8], :4], [[:2, :3], [:0, :1], :2]], "len", :6]"#),
        ("LCS a b WITHMATCHLEN", r#""mytext""#),
        ("LCS a b MINMATCHLEN 4", r#""mytext""#),
        ("LCS a b IDX MINMATCHLEN -1", r#"["matches", [[[:4, :7], [:5, :8]], [[:2, :3], [:0, :1]]], "len", :6]"#),
        ("LCS a b IDX MINMATCHLEN 0", r#"["matches", [[[:4, :7], [:5, :8]], [[:2, :3], [:0, :1]]], "len", :6]"#),
        ("LCS a b IDX MINMATCHLEN 100", r#"["matches", [], "len", :6]"#),
        ("LCS b a", r#""mytext""#),
        ("LCS b a IDX", r#"["matches", [[[:5, :8], [:4, :7]], [[:0, :1], [:2, :3]]], "len", :6]"#),
        ("LCS a a IDX", r#"["matches", [[[:0, :7], [:0, :7]]], "len", :8]"#),
        ("LCS a b LEN IDX", "-ERR If you want both the length and indexes, please just use IDX."),
        ("LCS a b IDX LEN", "-ERR If you want both the length and indexes, please just use IDX."),
        ("LCS a b FOO", "-ERR syntax error"),
        ("LCS a b MINMATCHLEN", "-ERR syntax error"),
        ("LCS a b IDX MINMATCHLEN x", "-ERR value is not an integer or out of range"),
        ("LCS a b idx minmatchlen 2 withmatchlen", r#"["matches", [[[:4, :7], [:5, :8], :4], [[:2, :3], [:0, :1], :2]], "len", :6]"#),
        ("MSET a 1234 b 2345", "+OK"),
        ("LCS a b", r#""234""#),
        ("LCS a b IDX", r#"["matches", [[[:1, :3], [:0, :2]]], "len", :3]"#),
        (r#"MSET a "" b x"#, "+OK"),
        ("LCS a b", r#""""#),
        ("LCS a b IDX", r#"["matches", [], "len", :0]"#),
        ("LCS a", "-ERR wrong number of arguments for 'lcs' command"),
    ]);
}

#[test]
fn lcs_in_resp3() {
    check3(&[
        ("MSET a ohmytext b mynewtext", "+OK"),
        ("LCS a b IDX", r#"{"matches": [[[:4, :7], [:5, :8]], [[:2, :3], [:0, :1]]], "len": :6}"#),
        ("LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN", r#"{"matches": [[[:4, :7], [:5, :8], :4]], "len": :6}"#),
        ("LCS a nokey IDX", r#"{"matches": [], "len": :0}"#),
        ("LCS a b LEN", ":6"),
    ]);
}

#[test]
fn nulls_in_resp3() {
    check3(&[
        ("GET k", "(null)"),
        ("SET k v XX", "(null)"),
        ("SET k v GET", "(null)"),
        ("SET k w NX", "(null)"),
        ("GETDEL n", "(null)"),
        ("GETEX n", "(null)"),
        ("MGET k n", r#"["v", (null)]"#),
        ("GETRANGE n 0 -1", r#""""#),
    ]);
}

/// For what Redis 8.0 does not have: a server with directives is not compared with a real one.
const BEYOND_REDIS_8_0: &[(&str, &str)] = &[("databases", "16")];

#[test]
fn set_by_comparison() {
    check_with(
        BEYOND_REDIS_8_0,
        &[
            ("SET k v IFEQ v", "(nil)"),
            ("EXISTS k", ":0"),
            ("SET k v IFNE w", "+OK"),
            ("SET k w IFEQ x", "(nil)"),
            ("SET k w IFEQ v", "+OK"),
            ("SET k x IFNE w", "(nil)"),
            ("SET k 12 ifeq w GET", r#""w""#),
            ("SET k 13 IFEQ 11 GET", r#""12""#),
            ("SET k 13 IFEQ 12 EX 100", "+OK"),
            ("TTL k", ":100"),
            ("SET k 14 IFEQ 13 KEEPTTL", "+OK"),
            ("TTL k", ":100"),
            ("SET k 15 IFNE 14", "(nil)"),
            ("SET k 15 IFNE 014", "+OK"),
            ("SET k 15 IFEQ", "-ERR syntax error"),
            ("SET k 15 IFEQ 15 NX", "-ERR syntax error"),
            ("SET k 15 XX IFEQ 15", "-ERR syntax error"),
            ("SET k 15 IFEQ 15 IFNE 14", "-ERR syntax error"),
            ("SET k 15 IFEQ 15 IFEQ 15", "-ERR syntax error"),
            ("SET k hello", "+OK"),
            ("DIGEST k", r#""9555e8555c62dcfd""#),
            ("SET k a IFDEQ 9555e8555c62dcfc", "(nil)"),
            ("SET k test IFDEQ 9555E8555c62dcfd", "+OK"),
            ("DIGEST k", r#""9ec9f7918d7dfc40""#),
            ("SET k b IFDNE 9ec9f7918d7dfc40", "(nil)"),
            ("SET k b IFDNE 0000000000000000 GET", r#""test""#),
            ("SET k b IFDEQ 123", "-ERR must be exactly 16 hexadecimal characters"),
            ("SET k b IFDNE x000000000000000", "-ERR must be exactly 16 hexadecimal characters"),
            ("SET n b IFDEQ 123", "(nil)"),
            ("SET n b IFDNE 123 GET", "(nil)"),
            ("GET n", r#""b""#),
            ("DIGEST absent", "(nil)"),
            ("SET k 12345", "+OK"),
            ("DIGEST k", r#""f34099ede96b5581""#),
            ("DIGEST", "-ERR wrong number of arguments for 'digest' command"),
        ],
    );
}

#[test]
fn removing_by_comparison() {
    check_with(
        BEYOND_REDIS_8_0,
        &[
            ("DELIFEQ k v", ":0"),
            ("SET k v", "+OK"),
            ("DELIFEQ k w", ":0"),
            ("DELIFEQ k v", ":1"),
            ("EXISTS k", ":0"),
            ("SET k 5", "+OK"),
            ("DELIFEQ k 05", ":0"),
            ("DELIFEQ k 5", ":1"),
            ("DELIFEQ k", "-ERR wrong number of arguments for 'delifeq' command"),
            ("DELEX k", ":0"),
            ("DELEX k IFEQ", ":0"),
            ("DELEX k FOO x", ":0"),
            ("SET k v", "+OK"),
            ("DELEX k FOO x", "-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE"),
            ("DELEX k IFEQ", "-ERR wrong number of arguments for 'delex' command"),
            ("DELEX k IFEQ v w", "-ERR wrong number of arguments for 'delex' command"),
            ("DELEX k IFEQ w", ":0"),
            ("DELEX k ifne v", ":0"),
            ("DELEX k IFNE w", ":1"),
            ("SET k hello", "+OK"),
            ("DELEX k IFDNE 9555e8555c62dcfd", ":0"),
            ("DELEX k IFDEQ 9555e8555c62dcff", ":0"),
            ("DELEX k IFDEQ 9555e8555c62dcfd", ":1"),
            ("SET k v", "+OK"),
            ("DELEX k", ":1"),
        ],
    );
}

#[test]
fn msetex() {
    check_with(
        BEYOND_REDIS_8_0,
        &[
            ("MSETEX 2 a 1 b 2", ":1"),
            ("MGET a b", r#"["1", "2"]"#),
            ("MSETEX 2 a 3 c 4 NX", ":0"),
            ("MSETEX 2 a 3 c 4 XX", ":0"),
            ("EXISTS c", ":0"),
            ("MSETEX 2 a 3 b 4 XX EX 100", ":1"),
            ("TTL b", ":100"),
            ("MSETEX 2 a 5 b 6 KEEPTTL", ":1"),
            ("TTL a", ":100"),
            ("GET a", r#""5""#),
            ("MSETEX 2 c 1 c 2 NX PX 100000", ":1"),
            ("GET c", r#""2""#),
            ("MSETEX 1 c 1 EX 10 XX", ":1"),
            ("MSETEX 1 c 1 nx NX", ":0"),
            ("MSETEX 1 c 1 EX 10 EX 20", ":1"),
            ("TTL c", ":20"),
            ("MSETEX 1 c 1", ":1"),
            ("TTL c", ":-1"),
            ("MSETEX 1 c 1 PXAT 1", ":1"),
            ("EXISTS c", ":0"),
            ("MSETEX 0 a 1", "-ERR invalid numkeys value or out of range"),
            ("MSETEX -1 a 1", "-ERR invalid numkeys value or out of range"),
            ("MSETEX x a 1", "-ERR invalid numkeys value or out of range"),
            ("MSETEX 2147483648 a 1", "-ERR invalid numkeys value or out of range"),
            ("MSETEX 2147483647 a 1", "-ERR syntax error"),
            ("MSETEX 2 a 1", "-ERR syntax error"),
            ("MSETEX 1 a 1 b", "-ERR syntax error"),
            ("MSETEX 1 a 1 NX XX", "-ERR syntax error"),
            ("MSETEX 1 a 1 EX", "-ERR syntax error"),
            ("MSETEX 1 a 1 EX 0", "-ERR invalid expire time in 'msetex' command"),
            ("MSETEX 1 a 1 EX x", "-ERR value is not an integer or out of range"),
            ("MSETEX 1 a 1 EX 9223372036854775807", "-ERR invalid expire time in 'msetex' command"),
            ("MSETEX 1 a 1 EX 10 KEEPTTL", "-ERR syntax error"),
            ("MSETEX 1 a 1 PERSIST", "-ERR syntax error"),
            ("MSETEX 1 a 1 GET", "-ERR syntax error"),
            ("MSETEX 1 a 1 IFEQ 1", "-ERR syntax error"),
            ("MSETEX 1 a", "-ERR wrong number of arguments for 'msetex' command"),
        ],
    );
}

#[test]
fn strings_have_a_longest_length() {
    check_with(
        &[("proto-max-bulk-len", "1mb")],
        &[
            ("SETRANGE k 1048575 x", ":1048576"),
            ("APPEND k x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
            ("APPEND k \"\"", ":1048576"),
            ("SETRANGE k 1048575 xy", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
            ("SETRANGE k 1048576 x", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)"),
            ("SETRANGE k 0 y", ":1048576"),
            ("STRLEN k", ":1048576"),
            ("LCS k k", "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"),
            ("LCS k absent", "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"),
        ],
    );
}

#[test]
fn an_msetex_that_meets_its_condition_is_propagated_without_it() {
    let mut world = crate::harness::World::new();
    let me = world.connect();
    world.ask(me, "MSET k0 a k1 b k2 c");
    world.propagated();
    assert_eq!(world.ask(me, "MSETEX 3 k1 v k0 c k1 a XX PXAT 1"), ":1");
    assert_eq!(world.ask(me, "EXISTS k0 k1"), ":0");
    let first = ["SELECT 0", "MULTI", "DEL k1", "MSETEX 3 k1 v k0 c k1 a PXAT 1", "EXEC"];
    assert_eq!(world.propagated()[..5], first, "what it sets is set there, too, though `k1` is gone by then");
}
