//! SORT and SORT_RO.

use crate::harness::{check, check3};

const SYNTAX: &str = "-ERR syntax error";
const NO_NUMBER: &str = "-ERR One or more scores can't be converted into double";
const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value";

#[test]
fn by_number() {
    check(&[
        ("RPUSH l 3 10 -1 2.5 1e1 007", ":6"),
        ("SORT l", "[\"-1\", \"2.5\", \"3\", \"007\", \"10\", \"1e1\"]"),
        ("SORT l DESC", "[\"1e1\", \"10\", \"007\", \"3\", \"2.5\", \"-1\"]"),
        ("SORT l desc asc", "[\"-1\", \"2.5\", \"3\", \"007\", \"10\", \"1e1\"]"),
        ("SORT_RO l", "[\"-1\", \"2.5\", \"3\", \"007\", \"10\", \"1e1\"]"),
        ("SORT l LIMIT 1 2", "[\"2.5\", \"3\"]"),
        ("SORT l DESC LIMIT 0 2", "[\"1e1\", \"10\"]"),
        ("SORT l LIMIT -5 2", "[\"-1\", \"2.5\"]"),
        ("SORT l LIMIT 4 100", "[\"10\", \"1e1\"]"),
        ("SORT l LIMIT 6 1", "[]"),
        ("SORT l LIMIT 100 1", "[]"),
        ("SORT l LIMIT 2 0", "[]"),
        ("SORT l LIMIT 4 -1", "[\"10\", \"1e1\"]"),
        ("SORT l LIMIT 4 -100", "[\"10\", \"1e1\"]"),
        ("SORT l LIMIT 9223372036854775807 9223372036854775807", "[]"),
        ("SORT l LIMIT -9223372036854775808 -9223372036854775808", "[\"-1\", \"2.5\", \"3\", \"007\", \"10\", \"1e1\"]"),
        ("SORT absent", "[]"),
        ("SORT absent LIMIT 0 5 GET #", "[]"),
        ("RPUSH odd inf -inf \"\" 1e400 +5 .5 1.", ":7"),
        ("SORT odd", "[\"-inf\", \"\", \".5\", \"1.\", \"+5\", \"1e400\", \"inf\"]"),
        ("RPUSH text a 1", ":2"),
        ("SORT text", NO_NUMBER),
        ("SORT text STORE other", NO_NUMBER),
        ("EXISTS other", ":0"),
        ("RPUSH spaced \" 1\"", ":1"),
        ("SORT spaced", NO_NUMBER),
        ("RPUSH nan nan", ":1"),
        ("SORT nan", NO_NUMBER),
        ("RPUSH hex 0x10", ":1"),
        ("SORT hex", NO_NUMBER),
    ]);
}

#[test]
fn by_text() {
    check(&[
        ("RPUSH l b a C 10 9 \"\"", ":6"),
        ("SORT l ALPHA", "[\"\", \"10\", \"9\", \"C\", \"a\", \"b\"]"),
        ("SORT l ALPHA DESC", "[\"b\", \"a\", \"C\", \"9\", \"10\", \"\"]"),
        ("SORT l alpha limit 1 2", "[\"10\", \"9\"]"),
        ("SORT l", NO_NUMBER),
        ("SORT l BY nosort", "[\"b\", \"a\", \"C\", \"10\", \"9\", \"\"]"),
        ("SORT l BY nosort DESC", "[\"\", \"9\", \"10\", \"C\", \"a\", \"b\"]"),
        ("SORT l BY nosort LIMIT 1 2", "[\"a\", \"C\"]"),
        ("SORT l BY nosort DESC LIMIT 1 2", "[\"9\", \"10\"]"),
        ("SORT l BY nosort LIMIT 5 9", "[\"\"]"),
        ("SORT l BY nosort LIMIT 6 9", "[]"),
        ("SORT l BY #", "[\"b\", \"a\", \"C\", \"10\", \"9\", \"\"]"),
    ]);
}

#[test]
fn by_other_keys() {
    check(&[
        ("RPUSH l 1 2 3", ":3"),
        ("MSET w_1 3 w_2 2 w_3 1 o_1 one o_2 two x1y b x2y a x3y c", "+OK"),
        ("SORT l BY w_*", "[\"3\", \"2\", \"1\"]"),
        ("SORT l BY w_* DESC", "[\"1\", \"2\", \"3\"]"),
        ("SORT l BY x*y ALPHA", "[\"2\", \"1\", \"3\"]"),
        ("SORT l BY x*y", NO_NUMBER),
        ("SORT l BY none_*", "[\"1\", \"2\", \"3\"]"),
        ("SORT l BY o_* ALPHA", "[\"3\", \"1\", \"2\"]"),
        ("SORT l BY o_* ALPHA DESC", "[\"2\", \"1\", \"3\"]"),
        ("SORT l GET o_*", "[\"one\", \"two\", (nil)]"),
        ("SORT l GET # GET o_*", "[\"1\", \"one\", \"2\", \"two\", \"3\", (nil)]"),
        ("SORT l GET constant", "[(nil), (nil), (nil)]"),
        ("SORT l GET ## LIMIT 0 1", "[(nil)]"),
        ("SORT l BY w_* GET # LIMIT 1 1", "[\"2\"]"),
        ("SORT_RO l BY w_* GET o_*", "[(nil), \"two\", \"one\"]"),
        ("SORT l BY nosort BY w_*", "[\"1\", \"2\", \"3\"]"),
        ("DEL w_2", ":1"),
        ("SORT l BY w_*", "[\"2\", \"3\", \"1\"]"),
        ("RPUSH w_2 x", ":1"),
        ("SORT l BY w_*", "[\"2\", \"3\", \"1\"]"),
        ("SORT l GET w_*", "[\"3\", (nil), \"1\"]"),
        ("SORT l GET w_*->", "[(nil), (nil), (nil)]"),
        ("SET w_1-> arrow", "+OK"),
        ("SORT l GET w_*->", "[\"arrow\", (nil), (nil)]"),
        ("SORT l GET w_*->f", "[(nil), (nil), (nil)]"),
    ]);
}

#[test]
fn stored() {
    check(&[
        ("RPUSH l 3 1 2", ":3"),
        ("SET target x", "+OK"),
        ("SORT l STORE target", ":3"),
        ("LRANGE target 0 -1", "[\"1\", \"2\", \"3\"]"),
        ("OBJECT ENCODING target", "\"listpack\""),
        ("SORT l DESC STORE l", ":3"),
        ("LRANGE l 0 -1", "[\"3\", \"2\", \"1\"]"),
        ("SET o_1 one", "+OK"),
        ("SORT l GET # GET o_* STORE target", ":6"),
        ("LRANGE target 0 -1", "[\"1\", \"one\", \"2\", \"\", \"3\", \"\"]"),
        ("EXPIRE target 100", ":1"),
        ("SORT l STORE wrong STORE target", ":3"),
        ("TTL target", ":-1"),
        ("EXISTS wrong", ":0"),
        ("SORT absent STORE target", ":0"),
        ("EXISTS target", ":0"),
        ("SORT absent STORE target", ":0"),
        ("SORT l LIMIT 5 1 STORE l", ":0"),
        ("EXISTS l", ":0"),
        ("RPUSH l 1", ":1"),
        ("SORT_RO l STORE target", SYNTAX),
    ]);
}

#[test]
fn stored_list_by_size() {
    let text = "x".repeat(3000);
    let push = format!("RPUSH l {text}1 {text}2 {text}3");
    check(&[
        (push.as_str(), ":3"),
        ("SORT l ALPHA STORE m", ":3"),
        ("OBJECT ENCODING m", "\"quicklist\""),
        ("SORT l ALPHA LIMIT 0 2 STORE m", ":2"),
        ("OBJECT ENCODING m", "\"listpack\""),
    ]);
}

#[test]
fn sorted_sets() {
    check(&[
        ("ZADD z 3 1 2 5 1 3", ":3"),
        ("SORT z", "[\"1\", \"3\", \"5\"]"),
        ("SORT z BY nosort", "[\"3\", \"5\", \"1\"]"),
        ("SORT z BY nosort DESC", "[\"1\", \"5\", \"3\"]"),
        ("SORT z BY nosort LIMIT 1 1", "[\"5\"]"),
        ("SORT z BY nosort DESC LIMIT 0 2", "[\"1\", \"5\"]"),
        ("SORT z BY nosort DESC LIMIT 2 9", "[\"3\"]"),
        ("SORT z BY nosort LIMIT 3 1", "[]"),
        ("SORT z BY nosort LIMIT 0 -1 GET #", "[\"3\", \"5\", \"1\"]"),
        ("SORT z DESC STORE l", ":3"),
        ("LRANGE l 0 -1", "[\"5\", \"3\", \"1\"]"),
    ]);
}

#[test]
fn refused() {
    check(&[
        ("SET s v", "+OK"),
        ("SORT s", WRONG_TYPE),
        ("SORT s BY nosort", WRONG_TYPE),
        ("SORT s WHAT", SYNTAX),
        ("SORT l LIMIT 1", SYNTAX),
        ("SORT l LIMIT a 1", "-ERR value is not an integer or out of range"),
        ("SORT l LIMIT 1 a", "-ERR value is not an integer or out of range"),
        ("SORT l BY", SYNTAX),
        ("SORT l GET", SYNTAX),
        ("SORT l STORE", SYNTAX),
        ("SORT", "-ERR wrong number of arguments for 'sort' command"),
        ("SORT_RO", "-ERR wrong number of arguments for 'sort_ro' command"),
    ]);
}

#[test]
fn in_resp3() {
    check3(&[("RPUSH l 1", ":1"), ("SORT l", "[\"1\"]"), ("SORT l GET none_*", "[(null)]")]);
}

#[test]
fn hashes_fields_are_looked_up() {
    check(&[
        ("RPUSH l 1 2 3", ":3"),
        ("HSET h1 w 30 n one", ":2"),
        ("HSET h2 w 20 n two", ":2"),
        ("SET h3 x", "+OK"),
        ("SORT l BY h*->w", r#"["3", "2", "1"]"#),
        ("SORT l BY h*->w DESC GET h*->n GET #", r#"["one", "1", "two", "2", (nil), "3"]"#),
        ("SORT l GET h*->absent", "[(nil), (nil), (nil)]"),
        ("SORT l GET h*->", "[(nil), (nil), (nil)]"),
        ("SORT l BY nosort GET h*->n STORE d", ":3"),
        ("LRANGE d 0 -1", r#"["one", "two", ""]"#),
    ]);
}

#[test]
fn a_sorted_set_is_large_once_it_was_sorted() {
    check(&[
        ("ZADD z 1 b 2 a", ":2"),
        ("OBJECT ENCODING z", r#""listpack""#),
        ("SORT_RO z ALPHA", r#"["a", "b"]"#),
        ("OBJECT ENCODING z", r#""skiplist""#),
    ]);
}
