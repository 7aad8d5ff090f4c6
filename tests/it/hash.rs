//! Hashes.

use crate::harness::{World, check, check_with, check3};

#[test]
fn sets_and_gets() {
    check(&[
        ("HSET h a 1 b 2", ":2"),
        ("HSET h a 1", ":0"),
        ("HSET h a 2 c 1", ":1"),
        ("HMSET h a 2 d 1", "+OK"),
        ("HMSET h", "-ERR wrong number of arguments for 'hmset' command"),
        ("HSET h a", "-ERR wrong number of arguments for 'hset' command"),
        ("HSET h a 1 b", "-ERR wrong number of arguments for 'hset' command"),
        ("HMSET h a 1 b", "-ERR wrong number of arguments for 'hmset' command"),
        ("HSET", "-ERR wrong number of arguments for 'hset' command"),
        ("HSETNX h a 1", ":0"),
        ("HSETNX h e 1", ":1"),
        ("HSETNX h e", "-ERR wrong number of arguments for 'hsetnx' command"),
        ("HSETNX new f v", ":1"),
        ("HGET h a", "\"2\""),
        ("HGET h zz", "(nil)"),
        ("HGET nokey a", "(nil)"),
        ("HGET h", "-ERR wrong number of arguments for 'hget' command"),
        ("HGET h a b", "-ERR wrong number of arguments for 'hget' command"),
        ("HMGET h a zz b", "[\"2\", (nil), \"2\"]"),
        ("HMGET nokey a b", "[(nil), (nil)]"),
        ("HMGET h", "-ERR wrong number of arguments for 'hmget' command"),
        ("HGETALL h", "[\"a\", \"2\", \"b\", \"2\", \"c\", \"1\", \"d\", \"1\", \"e\", \"1\"]"),
        ("HGETALL nokey", "[]"),
        ("HGETALL", "-ERR wrong number of arguments for 'hgetall' command"),
        ("HKEYS h", "[\"a\", \"b\", \"c\", \"d\", \"e\"]"),
        ("HVALS h", "[\"2\", \"2\", \"1\", \"1\", \"1\"]"),
        ("HKEYS nokey", "[]"),
        ("HVALS nokey", "[]"),
        ("HLEN h", ":5"),
        ("HLEN nokey", ":0"),
        ("HSTRLEN h a", ":1"),
        ("HSTRLEN h zz", ":0"),
        ("HSTRLEN nokey a", ":0"),
        ("HSET h t \"hello world\"", ":1"),
        ("HSTRLEN h t", ":11"),
        ("HSET h n -1234", ":1"),
        ("HSTRLEN h n", ":5"),
        ("HSET h \"\" \"\"", ":1"),
        ("HGET h \"\"", "\"\""),
        ("HEXISTS h \"\"", ":1"),
        ("HEXISTS h a", ":1"),
        ("HEXISTS h zz", ":0"),
        ("HEXISTS nokey a", ":0"),
        ("HDEL h \"\" zz", ":1"),
        ("HDEL h zz", ":0"),
        ("HDEL nokey a", ":0"),
        ("HDEL h a a b", ":2"),
        ("HDEL h", "-ERR wrong number of arguments for 'hdel' command"),
        ("TYPE h", "+hash"),
        ("OBJECT ENCODING h", "\"listpack\""),
        ("HDEL h c d e t n", ":5"),
        ("EXISTS h", ":0"),
        ("HSET h 007 1 +1 2 -0 3 1.0 4", ":4"),
        ("HMGET h 007 7 +1 1 -0 0 1.0", "[\"1\", (nil), \"2\", (nil), \"3\", (nil), \"4\"]"),
        ("HGETALL h", "[\"007\", \"1\", \"+1\", \"2\", \"-0\", \"3\", \"1.0\", \"4\"]"),
    ]);
}

#[test]
fn the_wrong_type_is_refused_first_or_last_as_redis_does() {
    check(&[
        ("SET s 1", "+OK"),
        ("HSET s a 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HSETNX s a 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HMSET s a 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HGET s a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HMGET s a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HGETALL s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HKEYS s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HVALS s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HLEN s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HSTRLEN s a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HEXISTS s a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HDEL s a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HINCRBY s a 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HINCRBY s a x", "-ERR value is not an integer or out of range"),
        ("HINCRBYFLOAT s a 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HINCRBYFLOAT s a x", "-ERR value is not a valid float"),
        ("HRANDFIELD s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HRANDFIELD s 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HRANDFIELD s x", "-ERR value is not an integer or out of range"),
        ("HSCAN s 0", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HSCAN s x", "-ERR invalid cursor"),
        ("HEXPIRE s abc FIELDS 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HEXPIRE s 10 FIELDS 2 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HPEXPIRE s 10 FIELDS 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HEXPIREAT s 10 FIELDS 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HPEXPIREAT s 10 FIELDS 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HTTL s FIELDS 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HPTTL s FIELDS 2 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HEXPIRETIME s FIELDZ 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HPEXPIRETIME s FIELDS 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HPERSIST s FIELDS 2 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HGETEX s FIELDS 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HGETEX s EX x FIELDS 1 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HSETEX s FIELDS 1 a 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("HSETEX s FIELDS 2 a 1", "-ERR wrong number of arguments for 'hsetex' command"),
        ("HGETDEL s FIELDS 2 a", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("GET s", "\"1\""),
    ]);
}

#[test]
fn adds_to_numbers() {
    check(&[
        ("HSET h n x f 1.5 big 9223372036854775807 small -9223372036854775808", ":4"),
        ("HINCRBY h n 1", "-ERR hash value is not an integer"),
        ("HINCRBY h f 1", "-ERR hash value is not an integer"),
        ("HINCRBY h big 1", "-ERR increment or decrement would overflow"),
        ("HINCRBY h small -1", "-ERR increment or decrement would overflow"),
        ("HINCRBY h big -7", ":9223372036854775800"),
        ("HINCRBY h a 1.5", "-ERR value is not an integer or out of range"),
        ("HINCRBY h a x", "-ERR value is not an integer or out of range"),
        ("HINCRBY h a \"\"", "-ERR value is not an integer or out of range"),
        ("HINCRBY nokey a x", "-ERR value is not an integer or out of range"),
        ("EXISTS nokey", ":0"),
        ("HINCRBY h a -9223372036854775808", ":-9223372036854775808"),
        ("HINCRBY h a -1", "-ERR increment or decrement would overflow"),
        ("HINCRBY h a 1", ":-9223372036854775807"),
        ("HINCRBY new a 5", ":5"),
        ("HGET new a", "\"5\""),
        ("HINCRBY new a -5", ":0"),
        ("HINCRBYFLOAT h n 1", "-ERR hash value is not a float"),
        ("HINCRBYFLOAT h a x", "-ERR value is not a valid float"),
        ("HINCRBYFLOAT h a inf", "-ERR value is NaN or Infinity"),
        ("HINCRBYFLOAT h a -inf", "-ERR value is NaN or Infinity"),
        ("HINCRBYFLOAT h a nan", "-ERR value is not a valid float"),
        ("HINCRBYFLOAT h a \"\"", "-ERR value is not a valid float"),
        ("HINCRBYFLOAT h a \" 1\"", "-ERR value is not a valid float"),
        ("HINCRBYFLOAT h f 0.1", "\"1.6\""),
        ("HINCRBYFLOAT h f 1e2", "\"101.6\""),
        ("HINCRBYFLOAT h f -101.6", "\"0\""),
        ("HINCRBYFLOAT h fresh 3.0", "\"3\""),
        ("HINCRBYFLOAT h fresh 1e17", "\"100000000000000003\""),
        ("HINCRBYFLOAT h sp 0.1", "\"0.1\""),
        ("HSET h sp \" 12\"", ":0"),
        ("HINCRBYFLOAT h sp 1", "-ERR hash value is not a float"),
        ("HINCRBY h sp 1", "-ERR hash value is not an integer"),
        ("HSET h sp \"12 \"", ":0"),
        ("HINCRBYFLOAT h sp 1", "-ERR hash value is not a float"),
        ("HSET h sp \"\"", ":0"),
        ("HINCRBYFLOAT h sp 1", "-ERR hash value is not a float"),
        ("HINCRBY h sp 1", "-ERR hash value is not an integer"),
        ("HSET h huge 1e4932", ":1"),
        ("HINCRBYFLOAT h huge 1e4932", "-ERR increment would produce NaN or Infinity"),
        ("HGET h huge", "\"1e4932\""),
        ("HINCRBYFLOAT nokey f 10.50", "\"10.5\""),
        ("HGET nokey f", "\"10.5\""),
        ("HINCRBYFLOAT nokey f 1 2", "-ERR wrong number of arguments for 'hincrbyfloat' command"),
    ]);
}

#[test]
fn draws_and_scans() {
    check(&[
        ("HSET h a 1", ":1"),
        ("HRANDFIELD h", "\"a\""),
        ("HRANDFIELD h 1", "[\"a\"]"),
        ("HRANDFIELD h 5", "[\"a\"]"),
        ("HRANDFIELD h -3", "[\"a\", \"a\", \"a\"]"),
        ("HRANDFIELD h 5 WITHVALUES", "[\"a\", \"1\"]"),
        ("HRANDFIELD h -3 withvalues", "[\"a\", \"1\", \"a\", \"1\", \"a\", \"1\"]"),
        ("HRANDFIELD h 0", "[]"),
        ("HRANDFIELD h 0 WITHVALUES", "[]"),
        ("HRANDFIELD h x", "-ERR value is not an integer or out of range"),
        ("HRANDFIELD h 1 x", "-ERR syntax error"),
        ("HRANDFIELD h 1 WITHVALUES x", "-ERR syntax error"),
        ("HRANDFIELD h 9223372036854775807 WITHVALUES", "-ERR value is out of range"),
        ("HRANDFIELD h 9223372036854775807", "[\"a\"]"),
        ("HRANDFIELD h 99999999999999999999", "-ERR value is not an integer or out of range"),
        (
            "HRANDFIELD h -9223372036854775808",
            "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
        ),
        ("HRANDFIELD h -9223372036854775807 WITHVALUES", "-ERR value is out of range"),
        ("HRANDFIELD nokey 5", "[]"),
        ("HRANDFIELD nokey", "(nil)"),
        ("HRANDFIELD nokey -5 WITHVALUES", "[]"),
        ("HRANDFIELD nokey x", "-ERR value is not an integer or out of range"),
        ("HSCAN h 0", "[\"0\", [\"a\", \"1\"]]"),
        ("HSCAN h 0 NOVALUES", "[\"0\", [\"a\"]]"),
        ("HSCAN h x", "-ERR invalid cursor"),
        ("HSCAN h -1", "-ERR invalid cursor"),
        ("HSCAN h 99999999999999999999999", "-ERR invalid cursor"),
        ("HSCAN h 18446744073709551615", "[\"0\", [\"a\", \"1\"]]"),
        ("HSCAN h \"0 \"", "-ERR invalid cursor"),
        ("HSCAN h \" 0\"", "[\"0\", [\"a\", \"1\"]]"),
        ("HSCAN h 0 COUNT 0", "-ERR syntax error"),
        ("HSCAN h 0 COUNT x", "-ERR value is not an integer or out of range"),
        ("HSCAN h 0 COUNT -1", "-ERR syntax error"),
        ("HSCAN h 0 COUNT", "-ERR syntax error"),
        ("HSCAN h 0 MATCH", "-ERR syntax error"),
        ("HSCAN h 0 foo", "-ERR syntax error"),
        ("HSCAN h 0 NOVALUES x", "-ERR syntax error"),
        ("HSCAN h 0 TYPE hash", "-ERR syntax error"),
        ("HSCAN nokey x", "-ERR invalid cursor"),
        ("HSCAN nokey 0 foo", "[\"0\", []]"),
        ("HSCAN nokey 0 COUNT 0", "[\"0\", []]"),
        ("HSCAN nokey 0", "[\"0\", []]"),
        ("HSCAN nokey 5", "[\"0\", []]"),
        ("HSET h ab 2 ba 3", ":2"),
        ("HSCAN h 0 MATCH zz* COUNT 5 COUNT 6 MATCH a*", "[\"0\", [\"a\", \"1\", \"ab\", \"2\"]]"),
        ("HSCAN h 0 MATCH b* NOVALUES", "[\"0\", [\"ba\"]]"),
        ("HSCAN h 0 NOVALUES NOVALUES COUNT 1", "[\"0\", [\"a\", \"ab\", \"ba\"]]"),
        ("HSCAN h 0 MATCH *", "[\"0\", [\"a\", \"1\", \"ab\", \"2\", \"ba\", \"3\"]]"),
        ("HSCAN h", "-ERR wrong number of arguments for 'hscan' command"),
    ]);
}

#[test]
fn changes_encoding_with_size_and_deadlines() {
    check(&[
        ("HSET h a 1", ":1"),
        ("OBJECT ENCODING h", "\"listpack\""),
        ("HSET h a 0123456789012345678901234567890123456789012345678901234567890123", ":0"),
        ("OBJECT ENCODING h", "\"listpack\""),
        ("HSET h a 01234567890123456789012345678901234567890123456789012345678901234", ":0"),
        ("OBJECT ENCODING h", "\"hashtable\""),
        ("HDEL h a", ":1"),
        ("HSET h 01234567890123456789012345678901234567890123456789012345678901234 v", ":1"),
        ("OBJECT ENCODING h", "\"hashtable\""),
        ("HSET i n 1", ":1"),
        (
            "HINCRBYFLOAT i n 1e100",
            "\"9999999999999999999669353532207342619498699019828496079271391541752018669482644324418977840117055488\"",
        ),
        ("OBJECT ENCODING i", "\"hashtable\""),
        ("HSET j a 1", ":1"),
        ("HEXPIRE j 100 FIELDS 1 a", "[:1]"),
        ("OBJECT ENCODING j", "\"listpackex\""),
        ("HPERSIST j FIELDS 1 a", "[:1]"),
        ("OBJECT ENCODING j", "\"listpackex\""),
        ("HSET j b 01234567890123456789012345678901234567890123456789012345678901234", ":1"),
        ("OBJECT ENCODING j", "\"hashtable\""),
        ("HGETALL j", "[\"a\", \"1\", \"b\", \"01234567890123456789012345678901234567890123456789012345678901234\"]"),
        ("HSETEX k EX 100 FIELDS 1 a 1", ":1"),
        ("OBJECT ENCODING k", "\"listpackex\""),
        ("HSETEX l FIELDS 1 a 1", ":1"),
        ("OBJECT ENCODING l", "\"listpack\""),
        ("COPY k m", ":1"),
        ("OBJECT ENCODING m", "\"listpackex\""),
        ("HTTL m FIELDS 1 a", "[:100]"),
    ]);
}

#[test]
fn arguments_of_deadlines_are_checked_in_order() {
    check(&[
        ("HSET h a 1 b 2", ":2"),
        ("HEXPIRE h abc zz 1 a", "-ERR value is not an integer or out of range"),
        ("HEXPIRE h abc FIELDS x a", "-ERR value is not an integer or out of range"),
        ("HEXPIRE h 99999999999999999 FIELDS x a", "-ERR invalid expire time in 'hexpire' command"),
        ("HEXPIRE h 99999999999999999999 FIELDS x a", "-ERR value is not an integer or out of range"),
        ("HEXPIRE h -1 FIELDS x a", "-ERR invalid expire time, must be >= 0"),
        ("HEXPIRE h -1 zz 2 a", "-ERR invalid expire time, must be >= 0"),
        ("HEXPIRE nokey abc FIELDS 1 a", "-ERR value is not an integer or out of range"),
        ("HEXPIRE nokey 10 FIELDS 2 a", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HEXPIRE nokey 10 FIELDS 0 a", "-ERR Parameter `numFields` should be greater than 0"),
        ("HEXPIRE nokey -1 FIELDS 1 a", "-ERR invalid expire time, must be >= 0"),
        ("HEXPIRE nokey 10 NX FIELDZ 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HEXPIRE h 10 NX FIELDS 1 a b", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HEXPIRE h 10 FIELDS 1 a b c", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HEXPIRE h 10 NX a FIELDS 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HEXPIRE h 10 NX NX FIELDS 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HEXPIRE h 10 NX XX FIELDS 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HEXPIRE h 10 zz FIELDS 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HEXPIRE h 10 NX FIELDS 1", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HEXPIRE h 10 FIELDS 1", "-ERR wrong number of arguments for 'hexpire' command"),
        ("HEXPIRE h 10 FIELDS 2147483648 a", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HEXPIRE h 10 FIELDS 99999999999999999999 a", "-ERR Parameter `numFields` should be greater than 0"),
        ("HEXPIRE h 70368744177 FIELDS 1 a", "-ERR invalid expire time in 'hexpire' command"),
        ("HPEXPIRE h 70368744177663 FIELDS 1 a", "-ERR invalid expire time in 'hpexpire' command"),
        ("HEXPIREAT h 70368744178 FIELDS 1 a", "-ERR invalid expire time in 'hexpireat' command"),
        ("HPEXPIREAT h 70368744177664 FIELDS 1 a", "-ERR invalid expire time in 'hpexpireat' command"),
        ("HPEXPIRE h 9223372036854775807 FIELDS 1 a", "-ERR invalid expire time in 'hpexpire' command"),
        ("HPEXPIREAT h 9223372036854775807 FIELDS 1 a", "-ERR invalid expire time in 'hpexpireat' command"),
        ("HEXPIREAT h 9223372036854775807 FIELDS 1 a", "-ERR invalid expire time in 'hexpireat' command"),
        ("HTTL nokey FIELDS 2 a", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HTTL nokey FIELDS 99999999999999999999 a", "-ERR Number of fields must be a positive integer"),
        ("HTTL h FIELDS 2147483648 a", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HTTL h FIELDS 0 a", "-ERR Number of fields must be a positive integer"),
        ("HTTL h FIELDS -1 a", "-ERR Number of fields must be a positive integer"),
        ("HTTL h FIELDZ 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HTTL h 1 a b c", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HTTL h FIELDS 1", "-ERR wrong number of arguments for 'httl' command"),
        ("HTTL h FIELDS 1 a b", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HPTTL h FIELDS x a", "-ERR Number of fields must be a positive integer"),
        ("HPERSIST h FIELDS 0 a", "-ERR Number of fields must be a positive integer"),
        ("HPERSIST h FIELDS 2 a", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HPERSIST h FIELDZ 2 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HPERSIST h FIELDS 1", "-ERR wrong number of arguments for 'hpersist' command"),
        ("HTTL h FIELDS 2 a b", "[:-1, :-1]"),
    ]);
}

#[test]
fn deadlines_are_set_under_conditions() {
    check(&[
        ("HSET h a 1 b 2 n 3", ":3"),
        ("HPEXPIREAT h 4000000000000 FIELDS 2 a zz", "[:1, :-2]"),
        ("HPEXPIREAT h 4000000000000 NX FIELDS 3 a b zz", "[:0, :1, :-2]"),
        ("HPEXPIREAT h 4000000000001 XX FIELDS 3 a n zz", "[:1, :0, :-2]"),
        ("HPEXPIREAT h 4000000000001 GT FIELDS 3 a b n", "[:0, :1, :0]"),
        ("HPEXPIREAT h 4000000000002 gt FIELDS 2 a b", "[:1, :1]"),
        ("HPEXPIREAT h 4000000000002 LT FIELDS 3 a b n", "[:0, :0, :1]"),
        ("HPEXPIREAT h 3999999999999 lt FIELDS 3 a b n", "[:1, :1, :1]"),
        ("HPEXPIRETIME h FIELDS 4 a b n zz", "[:3999999999999, :3999999999999, :3999999999999, :-2]"),
        ("HEXPIRETIME h FIELDS 4 a b n zz", "[:4000000000, :4000000000, :4000000000, :-2]"),
        ("HPEXPIREAT h 4000000000499 FIELDS 1 a", "[:1]"),
        ("HEXPIRETIME h FIELDS 1 a", "[:4000000001]"),
        ("HPEXPIREAT h 4000000000001 FIELDS 1 a", "[:1]"),
        ("HEXPIRETIME h FIELDS 1 a", "[:4000000001]"),
        ("HPEXPIREAT h 70368744177663 FIELDS 1 a", "[:1]"),
        ("HPEXPIRETIME h FIELDS 1 a", "[:70368744177663]"),
        ("HEXPIREAT h 4000000000 FIELDS 1 a", "[:1]"),
        ("HPEXPIRETIME h FIELDS 2 a a", "[:4000000000000, :4000000000000]"),
        ("HPERSIST h FIELDS 4 a a n zz", "[:1, :-1, :1, :-2]"),
        ("HPERSIST nokey FIELDS 2 a b", "[:-2, :-2]"),
        ("HTTL nokey FIELDS 2 a b", "[:-2, :-2]"),
        ("HEXPIRE nokey 10 FIELDS 2 a b", "[:-2, :-2]"),
        ("HEXPIRE h 100 FIELDS 2 b b", "[:1, :1]"),
        ("HTTL h FIELDS 2 a b", "[:-1, :100]"),
        ("HSET h b 5", ":0"),
        ("HTTL h FIELDS 1 b", "[:-1]"),
        ("HEXPIRE h 100 FIELDS 2 a b", "[:1, :1]"),
        ("HINCRBY h b 1", ":6"),
        ("HINCRBYFLOAT h b 1.5", "\"7.5\""),
        ("HSETNX h b 1", ":0"),
        ("HTTL h FIELDS 2 a b", "[:100, :100]"),
        ("HMSET h a 9", "+OK"),
        ("HTTL h FIELDS 2 a b", "[:-1, :100]"),
        ("HDEL h b", ":1"),
        ("HSET h b 1", ":1"),
        ("HTTL h FIELDS 1 b", "[:-1]"),
        ("HEXPIRE h 100 FIELDS 1 b", "[:1]"),
        ("RENAME h h2", "+OK"),
        ("HTTL h2 FIELDS 1 b", "[:100]"),
        ("COPY h2 h", ":1"),
        ("HTTL h FIELDS 1 b", "[:100]"),
        ("HEXPIRE h 0 FIELDS 2 b zz", "[:2, :-2]"),
        ("HEXPIRE h 0 NX FIELDS 2 a zz", "[:2, :-2]"),
        ("HEXPIRE h 100 FIELDS 1 n", "[:1]"),
        ("HEXPIRE h 0 GT FIELDS 1 n", "[:0]"),
        ("HEXPIRE h 0 NX FIELDS 1 n", "[:0]"),
        ("HPEXPIRE h 0 XX FIELDS 2 n n", "[:2, :-2]"),
        ("EXISTS h", ":0"),
        ("HSET h a 1", ":1"),
        ("HEXPIREAT h 1 FIELDS 1 a", "[:2]"),
        ("EXISTS h", ":0"),
        ("HSET h a 1", ":1"),
        ("HEXPIRE h 100 FIELDS 1 a", "[:1]"),
        ("SET h v", "+OK"),
        ("GET h", "\"v\""),
    ]);
}

#[test]
fn hgetex_reads_and_sets_deadlines() {
    check(&[
        ("HSET h a 1 b 2 c 3", ":3"),
        ("HGETEX h FIELDS 1 a", "[\"1\"]"),
        ("HGETEX h FIELDS 3 a zz b", "[\"1\", (nil), \"2\"]"),
        ("HGETEX nokey FIELDS 2 a b", "[(nil), (nil)]"),
        ("HGETEX nokey EX x FIELDS 1 a", "-ERR value is not an integer or out of range"),
        ("HGETEX h EX 10 FIELDZ 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HGETEX h EX 10 FIELDS 2 a", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HGETEX h EX -1 FIELDZ 1 a", "-ERR invalid expire time, must be >= 0"),
        ("HGETEX h EX x FIELDZ 1 a", "-ERR value is not an integer or out of range"),
        ("HGETEX h EX 10 EX 10 FIELDS 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HGETEX h EX 10 PERSIST FIELDS 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HGETEX h EX FIELDS 1 a", "-ERR value is not an integer or out of range"),
        ("HGETEX h EX 10", "-ERR wrong number of arguments for 'hgetex' command"),
        ("HGETEX h EX 10 FIELDS", "-ERR wrong number of arguments for 'hgetex' command"),
        ("HGETEX h EX 10 FIELDS 1", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HGETEX h PERSIST FIELDS 1", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HGETEX h PERSIST PERSIST FIELDS 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HGETEX h PERSIST 10 FIELDS 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HGETEX h FIELDS 1", "-ERR wrong number of arguments for 'hgetex' command"),
        ("HGETEX h FIELDS 0 a", "-ERR Number of fields must be a positive integer"),
        ("HGETEX h FIELDS x a", "-ERR Number of fields must be a positive integer"),
        ("HGETEX h FIELDS 1 a EX 10", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HGETEX h NX FIELDS 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HGETEX h KEEPTTL FIELDS 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HGETEX h foo bar baz", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HGETEX h EX 46116860184273879 FIELDS 1 a", "-ERR invalid expire time in 'hgetex' command"),
        ("HGETEX h PXAT 70368744177664 FIELDS 1 a", "-ERR invalid expire time in 'hgetex' command"),
        ("HGETEX h EX 100 FIELDS 2 a zz", "[\"1\", (nil)]"),
        ("HTTL h FIELDS 3 a b c", "[:100, :-1, :-1]"),
        ("HGETEX h FIELDS 1 a", "[\"1\"]"),
        ("HTTL h FIELDS 1 a", "[:100]"),
        ("HGETEX h PX 200000 FIELDS 1 b", "[\"2\"]"),
        ("HTTL h FIELDS 1 b", "[:200]"),
        ("HGETEX h EXAT 4000000000 FIELDS 1 b", "[\"2\"]"),
        ("HGETEX h PXAT 4000000000001 FIELDS 1 c", "[\"3\"]"),
        ("HPEXPIRETIME h FIELDS 3 b c zz", "[:4000000000000, :4000000000001, :-2]"),
        ("HGETEX h PERSIST FIELDS 3 b c zz", "[\"2\", \"3\", (nil)]"),
        ("HPEXPIRETIME h FIELDS 3 b c zz", "[:-1, :-1, :-2]"),
        ("HGETEX h EX 0 FIELDS 2 b b", "[\"2\", (nil)]"),
        ("HGETEX h PXAT 1 FIELDS 3 a c zz", "[\"1\", \"3\", (nil)]"),
        ("EXISTS h", ":0"),
    ]);
}

#[test]
fn hsetex_sets_values_and_deadlines() {
    check(&[
        ("HSETEX h FIELDS 1 a", "-ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX h FIELDS 1 a 1", ":1"),
        ("HSETEX h FNX FIELDS 2 a 1 b 2", ":0"),
        ("HSETEX h FNX FIELDS 1 b 2", ":1"),
        ("HSETEX h FXX EX 100 FIELDS 2 a 3 b 4", ":1"),
        ("HTTL h FIELDS 2 a b", "[:100, :100]"),
        ("HSETEX h FXX FIELDS 2 a 3 c 4", ":0"),
        ("HSETEX h KEEPTTL FIELDS 2 a 3 c 4", ":1"),
        ("HTTL h FIELDS 3 a b c", "[:100, :100, :-1]"),
        ("HSETEX h FIELDS 1 a 3", ":1"),
        ("HTTL h FIELDS 3 a b c", "[:-1, :100, :-1]"),
        ("HSETEX h PXAT 4000000000000 FNX FIELDS 1 x 1", ":1"),
        ("HPEXPIRETIME h FIELDS 1 x", "[:4000000000000]"),
        ("HSETEX h FIELDZ 1 a 1", "-ERR unknown argument: FIELDZ"),
        ("HSETEX h EX x FIELDS 1 a 1", "-ERR value is not an integer or out of range"),
        ("HSETEX h EX -1 FIELDS 2 a 1", "-ERR invalid expire time, must be >= 0"),
        ("HSETEX h EX 100 FIELDS 2 a 1", "-ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX h EX 100 FIELDS 0 a 1", "-ERR invalid number of fields"),
        ("HSETEX h EX 100 FIELDS x a 1", "-ERR invalid number of fields"),
        ("HSETEX h EX 100 FIELDS 1 a", "-ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX h a b c ex", "-ERR unknown argument: a"),
        ("HSETEX h FNX FXX c ex", "-ERR Only one of FXX or FNX arguments can be specified"),
        ("HSETEX h FNX FNX FIELDS 1 zz 1", "-ERR Only one of FXX or FNX arguments can be specified"),
        ("HSETEX h FNX KEEPTTL persist a", "-ERR unknown argument: persist"),
        ("HSETEX h KEEPTTL KEEPTTL FIELDS 1 k 1", "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
        ("HSETEX h EX 10 KEEPTTL FIELDS 1 a 1", "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
        ("HSETEX h FIELDS 1 a 1 FNX", "-ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX h FIELDS 1 a 1 EX 10", "-ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX h FIELDS 1 a 1 b", "-ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX h FIELDS 1 a 1 b 1", "-ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX h EX 10 FNX PX FIELDS", "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
        ("HSETEX h FNX EX 10 PX 10", "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
        ("HSETEX h FNX EX 10 a b c d", "-ERR unknown argument: a"),
        ("HSETEX h EX 99999999999999999 FIELDS 1 a 1", "-ERR invalid expire time in 'hsetex' command"),
        ("HSETEX h FIELDS 9999999999999 a 1 b 1", "-ERR invalid number of fields"),
        ("HSETEX h EX 10 FIELDS", "-ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX nokey FXX FIELDS 1 a 1", ":0"),
        ("EXISTS nokey", ":0"),
        ("HSETEX h EX 0 FIELDS 2 a 1 y 1", ":1"),
        ("HGETALL h", "[\"b\", \"4\", \"x\", \"1\", \"c\", \"4\"]"),
        ("HSETEX h EXAT 1 FIELDS 3 b 1 c 1 x 1", ":1"),
        ("EXISTS h", ":0"),
        ("HSETEX h PXAT 1 FIELDS 1 x 1", ":1"),
        ("EXISTS h", ":0"),
        ("HSETEX h FNX FIELDS 2 a 1 a 2", ":1"),
        ("HGET h a", "\"2\""),
        ("HSETEX h FXX FIELDS 2 a 3 a 4", ":1"),
        ("HGET h a", "\"4\""),
    ]);
}

#[test]
fn hgetdel_reads_and_removes() {
    check(&[
        ("HSET h a 1 b 2 c 3", ":3"),
        ("HGETDEL h FIELDS 1 a b", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HGETDEL h foo 1 a", "-ERR Mandatory argument FIELDS is missing or not at the right position"),
        ("HGETDEL h FIELDS 0 a", "-ERR Number of fields must be a positive integer"),
        ("HGETDEL h FIELDS x a", "-ERR Number of fields must be a positive integer"),
        ("HGETDEL h FIELDS 9999999999999 a", "-ERR The `numfields` parameter must match the number of arguments"),
        ("HGETDEL h FIELDS 1", "-ERR wrong number of arguments for 'hgetdel' command"),
        ("HGETDEL nokey FIELDS 2 a b", "[(nil), (nil)]"),
        ("HGETDEL h FIELDS 2 a zz", "[\"1\", (nil)]"),
        ("HGETDEL h FIELDS 2 zz yy", "[(nil), (nil)]"),
        ("HGETALL h", "[\"b\", \"2\", \"c\", \"3\"]"),
        ("HGETDEL h FIELDS 3 b b c", "[\"2\", (nil), \"3\"]"),
        ("EXISTS h", ":0"),
    ]);
}

#[test]
fn replies_in_resp3() {
    check3(&[
        ("HSET h a 1", ":1"),
        ("HGETALL h", "{\"a\": \"1\"}"),
        ("HGETALL nokey", "{}"),
        ("HGET h zz", "(null)"),
        ("HMGET h a zz", "[\"1\", (null)]"),
        ("HKEYS h", "[\"a\"]"),
        ("HVALS h", "[\"1\"]"),
        ("HRANDFIELD h", "\"a\""),
        ("HRANDFIELD nokey", "(null)"),
        ("HRANDFIELD h 2 WITHVALUES", "[[\"a\", \"1\"]]"),
        ("HRANDFIELD h -2 WITHVALUES", "[[\"a\", \"1\"], [\"a\", \"1\"]]"),
        ("HRANDFIELD h -2", "[\"a\", \"a\"]"),
        ("HRANDFIELD nokey 2 WITHVALUES", "[]"),
        ("HSCAN h 0", "[\"0\", [\"a\", \"1\"]]"),
        ("HSCAN h 0 NOVALUES", "[\"0\", [\"a\"]]"),
        ("HINCRBYFLOAT h a 1.5", "\"2.5\""),
        ("HGETEX h FIELDS 2 a zz", "[\"2.5\", (null)]"),
        ("HGETEX nokey FIELDS 1 a", "[(null)]"),
        ("HGETDEL h FIELDS 2 a zz", "[\"2.5\", (null)]"),
        ("HTTL h FIELDS 1 a", "[:-2]"),
        ("HEXPIRE h 10 FIELDS 1 a", "[:-2]"),
    ]);
}

/// A table from the first field on.
const TABLE: &[(&str, &str)] = &[("hash-max-listpack-entries", "0")];

#[test]
fn a_table_behaves_as_the_packed_form() {
    check_with(
        TABLE,
        &[
            ("HSET h a 1 b 2", ":2"),
            ("OBJECT ENCODING h", "\"hashtable\""),
            ("HSET h a 11 c 3", ":1"),
            ("HMGET h a b c zz", "[\"11\", \"2\", \"3\", (nil)]"),
            ("HSETNX h a 5", ":0"),
            ("HINCRBY h a 4", ":15"),
            ("HINCRBYFLOAT h a 0.5", "\"15.5\""),
            ("HSTRLEN h a", ":4"),
            ("HLEN h", ":3"),
            ("HPEXPIREAT h 4000000000000 NX FIELDS 3 a b zz", "[:1, :1, :-2]"),
            ("HPEXPIREAT h 3000000000000 LT FIELDS 2 a c", "[:1, :1]"),
            ("HPEXPIRETIME h FIELDS 3 a b c", "[:3000000000000, :4000000000000, :3000000000000]"),
            ("HINCRBY h c 4", ":7"),
            ("HSET h b a-value-that-needs-a-larger-block", ":0"),
            ("HPEXPIRETIME h FIELDS 3 a b c", "[:3000000000000, :-1, :3000000000000]"),
            ("HSETEX h KEEPTTL FIELDS 1 a a-value-that-needs-a-larger-block", ":1"),
            ("HPERSIST h FIELDS 3 a b zz", "[:1, :-1, :-2]"),
            ("HGETEX h PERSIST FIELDS 1 c", "[\"7\"]"),
            ("HPEXPIRETIME h FIELDS 3 a b c", "[:-1, :-1, :-1]"),
            ("HSETEX h PXAT 4000000000000 FIELDS 2 a 1 d 4", ":1"),
            ("COPY h copy", ":1"),
            ("HPEXPIRETIME copy FIELDS 2 a d", "[:4000000000000, :4000000000000]"),
            ("HEXPIRE h 0 FIELDS 2 a b", "[:2, :2]"),
            ("HGETDEL h FIELDS 3 c d zz", "[\"7\", \"4\", (nil)]"),
            ("EXISTS h", ":0"),
            ("HLEN copy", ":4"),
            ("HRANDFIELD copy 9 x", "-ERR syntax error"),
            ("DEL copy", ":1"),
        ],
    );
}

#[test]
fn more_pairs_than_fit_make_a_table_though_they_are_one_field() {
    check_with(
        &[("hash-max-listpack-entries", "2")],
        &[
            ("HSET h a 1 a 2 a 3", ":1"),
            ("OBJECT ENCODING h", "\"hashtable\""),
            ("HSET i a 1 b 2", ":2"),
            ("OBJECT ENCODING i", "\"listpack\""),
            ("HSET i a 3", ":0"),
            ("HSET i c 3", ":1"),
            ("OBJECT ENCODING i", "\"hashtable\""),
        ],
    );
}

#[test]
fn a_scan_of_a_table_meets_every_field() {
    let mut world = World::with(TABLE);
    let client = world.connect();
    for i in 0..1_000 {
        assert_eq!(world.ask(client, &format!("HSET h f{i} v{i}")), ":1");
    }
    let (mut cursor, mut met) = ("0".to_string(), std::collections::HashSet::new());
    loop {
        let reply = world.ask(client, &format!("HSCAN h {cursor} COUNT 20 NOVALUES MATCH f*"));
        let mut words = reply.split(['"', ',', '[', ']', ' ']).filter(|word| !word.is_empty()).map(str::to_string);
        cursor = words.next().expect("a cursor");
        met.extend(words);
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(met.len(), 1_000);
}

#[test]
fn expired_fields_are_gone_for_every_command() {
    for directives in [&[][..], TABLE] {
        let mut world = World::with(directives);
        let client = world.connect();
        for (line, before, after) in [
            ("HGET h a", "\"1\"", "(nil)"),
            ("HMGET h a b", "[\"1\", \"2\"]", "[(nil), \"2\"]"),
            ("HEXISTS h a", ":1", ":0"),
            ("HSTRLEN h a", ":1", ":0"),
            ("HLEN h", ":2", ":1"),
            ("HPTTL h FIELDS 2 a b", "[:50, :-1]", "[:-2, :-1]"),
            ("HSET h a 5", ":0", ":1"),
            ("HSETNX h a 5", ":0", ":1"),
            ("HINCRBY h a 5", ":6", ":5"),
            ("HDEL h a", ":1", ":0"),
            ("HRANDFIELD h -1 x", "-ERR syntax error", "-ERR syntax error"),
            ("HPERSIST h FIELDS 1 a", "[:1]", "[:-2]"),
            ("HEXPIRE h 10 FIELDS 1 a", "[:1]", "[:-2]"),
            ("HGETEX h FIELDS 1 a", "[\"1\"]", "[(nil)]"),
            ("HGETDEL h FIELDS 1 a", "[\"1\"]", "[(nil)]"),
            ("HSETEX h FXX FIELDS 1 a 2", ":1", ":0"),
            ("HSETEX h FNX FIELDS 1 a 2", ":0", ":1"),
        ] {
            for (pause, expected) in [(49, before), (50, after)] {
                assert_eq!(world.ask(client, "DEL h x"), ":0");
                world.ask(client, "HSET h a 1 b 2");
                assert_eq!(world.ask(client, "HPEXPIRE h 50 FIELDS 1 a"), "[:1]");
                world.pass_ms(pause);
                let expected = if pause == 49 { expected.replace(":50", ":1") } else { expected.to_string() };
                assert_eq!(world.ask(client, line), expected, "{line} after {pause} ms");
                world.ask(client, "DEL h");
            }
        }
    }
}

#[test]
fn a_hash_goes_with_its_last_field() {
    for directives in [&[][..], TABLE] {
        let mut world = World::with(directives);
        let client = world.connect();
        world.ask(client, "HSET h a 1 b 2");
        world.ask(client, "HPEXPIRE h 20 FIELDS 1 a");
        world.ask(client, "HPEXPIRE h 10 FIELDS 1 b");
        assert_eq!(world.server.keyspace.databases()[0].expiring_hashes(), 1);
        world.pass_ms(10);
        assert_eq!(world.ask(client, "HGETALL h"), "[\"a\", \"1\"]");
        world.pass_ms(10);
        assert_eq!(world.ask(client, "EXISTS h"), ":0");
        let database = &world.server.keyspace.databases()[0];
        assert_eq!((database.len(), database.expiring_hashes(), database.volatile()), (0, 0, 0));
        assert_eq!(world.server.keyspace.stats.expired_fields, 2);
    }
}

#[test]
fn a_key_and_its_fields_have_deadlines_of_their_own() {
    let mut world = World::new();
    let client = world.connect();
    for (key_ms, fields_ms) in [(10, 20), (20, 10)] {
        world.ask(client, "HSET h a 1 b 2");
        world.ask(client, &format!("HPEXPIRE h {fields_ms} FIELDS 1 a"));
        world.ask(client, &format!("PEXPIRE h {key_ms}"));
        world.pass_ms(10);
        let database = &world.server.keyspace.databases()[0];
        assert_eq!((database.len(), database.volatile()), if key_ms == 10 { (0, 0) } else { (1, 1) });
        assert_eq!(database.expiring_hashes(), 0);
        world.pass_ms(10);
        assert_eq!(world.server.keyspace.databases()[0].len(), 0);
    }
}

#[test]
fn counts_of_expiring_hashes_follow_whole_keys() {
    let mut world = World::new();
    let client = world.connect();
    let count = |world: &World, db: usize| world.server.keyspace.databases()[db].expiring_hashes();
    world.ask(client, "HSETEX h EX 100 FIELDS 1 a 1");
    world.ask(client, "RENAME h i");
    world.ask(client, "COPY i j");
    assert_eq!(count(&world, 0), 2);
    world.ask(client, "MOVE j 1");
    assert_eq!((count(&world, 0), count(&world, 1)), (1, 1));
    world.ask(client, "SET i v");
    assert_eq!(count(&world, 0), 0);
    world.ask(client, "SWAPDB 0 1");
    assert_eq!((count(&world, 0), count(&world, 1)), (1, 0));
    world.ask(client, "EXPIRE j 50");
    world.ask(client, "PERSIST j");
    world.ask(client, "HPERSIST j FIELDS 1 a");
    assert_eq!(count(&world, 0), 0);
    world.ask(client, "HEXPIRE j 50 FIELDS 1 a");
    assert_eq!(count(&world, 0), 1);
    world.ask(client, "FLUSHALL");
    assert_eq!(count(&world, 0), 0);
}

#[test]
fn many_fields_of_one_deadline_go_in_slices() {
    for key in ["one", "many"] {
        let mut world = World::with(TABLE);
        let client = world.connect();
        for i in 0..3_000 {
            let key = if key == "one" { "h".to_string() } else { format!("h{}", i % 7) };
            world.ask(client, &format!("HSETEX {key} PX 10 FIELDS 1 f{i} v"));
        }
        world.pass_ms(10);
        let left: usize = 3_000 - usize::try_from(world.server.keyspace.stats.expired_fields).expect("few");
        assert!((2_400..3_000).contains(&left), "a slice is bounded: {left} left");
        assert_eq!(world.ask(client, "HLEN h"), ":0");
        assert_eq!(world.ask(client, "HRANDFIELD h 5"), "[]");
        assert_eq!(world.ask(client, "HGETALL h"), "[]");
        for _ in 0..8 {
            world.pass_ms(0);
        }
        assert_eq!(world.server.keyspace.stats.expired_fields, 3_000);
        assert_eq!(world.server.keyspace.databases()[0].len(), 0);
    }
}

#[test]
fn asking_for_deadlines_makes_room_for_them() {
    for request in [
        "HEXPIRE h 100 FIELDS 1 absent",
        "HPEXPIREAT h 4000000000000 XX FIELDS 1 f",
        "HGETEX h PERSIST FIELDS 1 absent",
        "HGETEX h EX 100 FIELDS 1 absent",
        "HSETEX h PXAT 1000 FIELDS 1 absent v",
    ] {
        let mut world = World::new();
        let client = world.connect();
        world.ask(client, "HSET h f v");
        world.ask(client, request);
        assert_eq!(world.ask(client, "OBJECT ENCODING h"), r#""listpackex""#, "{request}");
    }
    check(&[
        ("HSET h f v", ":1"),
        ("HGETEX h FIELDS 1 f", r#"["v"]"#),
        ("HSETEX h KEEPTTL FIELDS 1 g v", ":1"),
        ("HSETEX h FXX EX 100 FIELDS 1 absent v", ":0"),
        ("HPERSIST h FIELDS 1 f", "[:-1]"),
        ("OBJECT ENCODING h", r#""listpack""#),
    ]);
}
