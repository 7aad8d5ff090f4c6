//! Streams.

use crate::harness::{World, check, check_with, check3};

#[test]
fn xadd_ids() {
    check(&[
        ("XADD k 0-0 a b", "-ERR The ID specified in XADD must be greater than 0-0"),
        ("XADD k 0 a b", "-ERR The ID specified in XADD must be greater than 0-0"),
        ("XADD k 0-* a b", "\"0-1\""),
        ("XADD k 0-* a b", "\"0-2\""),
        ("XADD k - a b", "-ERR Invalid stream ID specified as stream command argument"),
        ("XADD k + a b", "-ERR Invalid stream ID specified as stream command argument"),
        ("XADD k (1-1 a b", "-ERR Invalid stream ID specified as stream command argument"),
        ("XADD k 1-x a b", "-ERR Invalid stream ID specified as stream command argument"),
        ("XADD k 1- a b", "-ERR Invalid stream ID specified as stream command argument"),
        ("XADD k \"\" a b", "-ERR Invalid stream ID specified as stream command argument"),
        ("XADD k 5-1 a b", "\"5-1\""),
        ("XADD k 5-1 a b", "-ERR The ID specified in XADD is equal or smaller than the target stream top item"),
        ("XADD k 4-* a b", "-ERR The ID specified in XADD is equal or smaller than the target stream top item"),
        ("XADD k 5-* a b", "\"5-2\""),
        ("XADD k 6-* a b", "\"6-0\""),
        ("XADD k \" 7\" a b", "\"7-0\""),
        ("XADD k +8-09 a b", "\"8-9\""),
        ("XADD k 9-18446744073709551615 a b", "\"9-18446744073709551615\""),
        ("XADD k 9-* a b", "-ERR The ID specified in XADD is equal or smaller than the target stream top item"),
        ("XADD k 18446744073709551616-1 a b", "-ERR Invalid stream ID specified as stream command argument"),
        ("XADD k 18446744073709551615-18446744073709551615 a b", "\"18446744073709551615-18446744073709551615\""),
        ("XADD k * a b", "-ERR The stream has exhausted the last possible ID, unable to add more items"),
        ("XADD k 1-1 a b", "-ERR The stream has exhausted the last possible ID, unable to add more items"),
        ("XADD k NOMKSTREAM 1-1 a b", "-ERR The stream has exhausted the last possible ID, unable to add more items"),
        ("XADD none NOMKSTREAM 1-1 a b", "(nil)"),
        ("EXISTS none", ":0"),
        (
            "XRANGE k - +",
            "[[\"0-1\", [\"a\", \"b\"]], [\"0-2\", [\"a\", \"b\"]], [\"5-1\", [\"a\", \"b\"]], [\"5-2\", [\"a\", \"b\"]], [\"6-0\", [\"a\", \"b\"]], [\"7-0\", [\"a\", \"b\"]], [\"8-9\", [\"a\", \"b\"]], [\"9-18446744073709551615\", [\"a\", \"b\"]], [\"18446744073709551615-18446744073709551615\", [\"a\", \"b\"]]]",
        ),
        ("TYPE k", "+stream"),
        ("OBJECT ENCODING k", "\"stream\""),
    ]);
}

#[test]
fn xadd_arguments() {
    check(&[
        ("XADD k 1-1 a", "-ERR wrong number of arguments for 'xadd' command"),
        ("XADD k 1-1 a b c", "-ERR wrong number of arguments for 'xadd' command"),
        ("XADD k MAXLEN", "-ERR wrong number of arguments for 'xadd' command"),
        ("XADD k MAXLEN x 1-1 a b", "-ERR value is not an integer or out of range"),
        ("XADD k MAXLEN -1 1-1 a b", "-ERR The MAXLEN argument must be >= 0."),
        ("XADD k MAXLEN = 5 LIMIT 3 1-1 a b", "-ERR syntax error, LIMIT cannot be used without the special ~ option"),
        ("XADD k LIMIT 3 1-1 a b", "-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"),
        ("XADD k LIMIT 0 1-1 a b", "-ERR syntax error, LIMIT cannot be used without the special ~ option"),
        ("XADD k LIMIT -3 1-1 a b", "-ERR The LIMIT argument must be >= 0."),
        ("XADD k MAXLEN ~ 5 LIMIT -3 1-1 a b", "-ERR The LIMIT argument must be >= 0."),
        ("XADD k MAXLEN ~ 5 LIMIT x 1-1 a b", "-ERR value is not an integer or out of range"),
        ("XADD k MAXLEN ~ 5 MINID 5 1-1 a b", "-ERR syntax error, MAXLEN and MINID options at the same time are not compatible"),
        ("XADD k MAXLEN 5 MAXLEN 5 1-1 a b", "-ERR syntax error, MAXLEN and MINID options at the same time are not compatible"),
        ("XADD k MINID x 1-1 a b", "-ERR Invalid stream ID specified as stream command argument"),
        ("XADD k MINID - 1-1 a b", "-ERR Invalid stream ID specified as stream command argument"),
        ("XADD k MINID ~ 1-1 a b", "-ERR Invalid stream ID specified as stream command argument"),
        ("XADD k MAXLEN ~ 1-1 a b", "-ERR value is not an integer or out of range"),
        ("XADD k FOO 1-1 a b", "-ERR Invalid stream ID specified as stream command argument"),
        ("XADD k NOMKSTREAM MAXLEN ~ 5 LIMIT 3", "-ERR wrong number of arguments for 'xadd' command"),
        ("EXISTS k", ":0"),
        ("SET s 1", "+OK"),
        ("XADD s 1-1 a b", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn fields_keep_their_texts() {
    check(&[
        ("XADD k 1-1 a 1 b -0", "\"1-1\""),
        ("XADD k 1-2 a 007 b \"\"", "\"1-2\""),
        ("XADD k 1-3 a 9223372036854775807 b -9223372036854775808", "\"1-3\""),
        ("XADD k 1-4 a 9223372036854775808 b \"x y\"", "\"1-4\""),
        ("XADD k 1-5 b 1 a 2", "\"1-5\""),
        ("XADD k 1-6 10 1 10 2", "\"1-6\""),
        ("XADD k 1-7 a 1", "\"1-7\""),
        (
            "XRANGE k - +",
            "[[\"1-1\", [\"a\", \"1\", \"b\", \"-0\"]], [\"1-2\", [\"a\", \"007\", \"b\", \"\"]], [\"1-3\", [\"a\", \"9223372036854775807\", \"b\", \"-9223372036854775808\"]], [\"1-4\", [\"a\", \"9223372036854775808\", \"b\", \"x y\"]], [\"1-5\", [\"b\", \"1\", \"a\", \"2\"]], [\"1-6\", [\"10\", \"1\", \"10\", \"2\"]], [\"1-7\", [\"a\", \"1\"]]]",
        ),
        (
            "XREVRANGE k + -",
            "[[\"1-7\", [\"a\", \"1\"]], [\"1-6\", [\"10\", \"1\", \"10\", \"2\"]], [\"1-5\", [\"b\", \"1\", \"a\", \"2\"]], [\"1-4\", [\"a\", \"9223372036854775808\", \"b\", \"x y\"]], [\"1-3\", [\"a\", \"9223372036854775807\", \"b\", \"-9223372036854775808\"]], [\"1-2\", [\"a\", \"007\", \"b\", \"\"]], [\"1-1\", [\"a\", \"1\", \"b\", \"-0\"]]]",
        ),
    ]);
}

#[test]
fn trimming_exactly() {
    check(&[
        ("XADD k 1 f v", "\"1-0\""),
        ("XADD k 2 f v", "\"2-0\""),
        ("XADD k 3 f v", "\"3-0\""),
        ("XADD k MAXLEN 2 4 f v", "\"4-0\""),
        ("XADD k MAXLEN = 3 5 f v", "\"5-0\""),
        ("XRANGE k - +", "[[\"3-0\", [\"f\", \"v\"]], [\"4-0\", [\"f\", \"v\"]], [\"5-0\", [\"f\", \"v\"]]]"),
        ("XADD k MINID 5 6 f v", "\"6-0\""),
        ("XADD k MINID = 5-1 7 f v", "\"7-0\""),
        ("XRANGE k - +", "[[\"6-0\", [\"f\", \"v\"]], [\"7-0\", [\"f\", \"v\"]]]"),
        ("XTRIM k MAXLEN 1", ":1"),
        ("XTRIM k MAXLEN 1", ":0"),
        ("XTRIM k MINID 7", ":0"),
        ("XTRIM k MINID 8", ":1"),
        ("XLEN k", ":0"),
        (
            "XINFO STREAM k",
            "[\"length\", :0, \"radix-tree-keys\", :0, \"radix-tree-nodes\", :1, \"last-generated-id\", \"7-0\", \"max-deleted-entry-id\", \"0-0\", \"entries-added\", :7, \"recorded-first-entry-id\", \"0-0\", \"groups\", :0, \"first-entry\", (nil), \"last-entry\", (nil)]",
        ),
        ("XADD k MAXLEN 0 9 f v", "\"9-0\""),
        ("XLEN k", ":0"),
        ("XADD k 10 f v", "\"10-0\""),
        (
            "XINFO STREAM k",
            "[\"length\", :1, \"radix-tree-keys\", :1, \"radix-tree-nodes\", :2, \"last-generated-id\", \"10-0\", \"max-deleted-entry-id\", \"0-0\", \"entries-added\", :9, \"recorded-first-entry-id\", \"10-0\", \"groups\", :0, \"first-entry\", [\"10-0\", [\"f\", \"v\"]], \"last-entry\", [\"10-0\", [\"f\", \"v\"]]]",
        ),
    ]);
}

#[test]
fn trim_arguments() {
    check(&[
        ("XTRIM k", "-ERR wrong number of arguments for 'xtrim' command"),
        ("XTRIM k MAXLEN", "-ERR wrong number of arguments for 'xtrim' command"),
        ("XTRIM k FOO 4", "-ERR syntax error"),
        ("XTRIM k MAXLEN 4 FOO", "-ERR syntax error"),
        ("XTRIM k MAXLEN 4 LIMIT 3", "-ERR syntax error, LIMIT cannot be used without the special ~ option"),
        ("XTRIM k NOMKSTREAM MAXLEN 4", "-ERR syntax error"),
        ("XTRIM k MAXLEN ~ 3 LIMIT 0", ":0"),
        ("XTRIM k LIMIT 5 MAXLEN ~ 3", ":0"),
        ("XTRIM k LIMIT 5 6", "-ERR syntax error"),
        ("XTRIM k LIMIT 5", "-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy"),
        ("XTRIM k MAXLEN 4", ":0"),
        ("XTRIM k MAXLEN ~ x", "-ERR value is not an integer or out of range"),
        ("XTRIM k MINID +", "-ERR Invalid stream ID specified as stream command argument"),
        ("XTRIM k * MAXLEN 4", "-ERR syntax error"),
        ("SET s 1", "+OK"),
        ("XTRIM s MAXLEN 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn ranges() {
    check(&[
        ("XADD k 1-1 f a", "\"1-1\""),
        ("XADD k 1-2 f b", "\"1-2\""),
        ("XADD k 2-0 f c", "\"2-0\""),
        ("XADD k 3-5 f d", "\"3-5\""),
        ("XRANGE k - +", "[[\"1-1\", [\"f\", \"a\"]], [\"1-2\", [\"f\", \"b\"]], [\"2-0\", [\"f\", \"c\"]], [\"3-5\", [\"f\", \"d\"]]]"),
        ("XRANGE k 1 1", "[[\"1-1\", [\"f\", \"a\"]], [\"1-2\", [\"f\", \"b\"]]]"),
        ("XRANGE k 1-2 2", "[[\"1-2\", [\"f\", \"b\"]], [\"2-0\", [\"f\", \"c\"]]]"),
        ("XRANGE k (1-2 (3-5", "[[\"2-0\", [\"f\", \"c\"]]]"),
        ("XRANGE k 2 +", "[[\"2-0\", [\"f\", \"c\"]], [\"3-5\", [\"f\", \"d\"]]]"),
        ("XRANGE k (1-18446744073709551615 +", "[[\"2-0\", [\"f\", \"c\"]], [\"3-5\", [\"f\", \"d\"]]]"),
        ("XRANGE k - + COUNT 2", "[[\"1-1\", [\"f\", \"a\"]], [\"1-2\", [\"f\", \"b\"]]]"),
        ("XRANGE k - + COUNT 1 COUNT 3", "[[\"1-1\", [\"f\", \"a\"]], [\"1-2\", [\"f\", \"b\"]], [\"2-0\", [\"f\", \"c\"]]]"),
        ("XRANGE k - + COUNT 0", "(nil array)"),
        ("XRANGE k - + COUNT -3", "(nil array)"),
        ("XRANGE k - + COUNT x", "-ERR value is not an integer or out of range"),
        ("XRANGE k - + COUNT", "-ERR syntax error"),
        ("XRANGE k - + FOO 3", "-ERR syntax error"),
        ("XRANGE k + -", "[]"),
        ("XRANGE k x +", "-ERR Invalid stream ID specified as stream command argument"),
        ("XRANGE k - x", "-ERR Invalid stream ID specified as stream command argument"),
        ("XRANGE k (18446744073709551615-18446744073709551615 +", "-ERR invalid start ID for the interval"),
        ("XRANGE k - (0-0", "-ERR invalid end ID for the interval"),
        ("XRANGE k (- +", "-ERR Invalid stream ID specified as stream command argument"),
        ("XRANGE k - 5-*", "-ERR Invalid stream ID specified as stream command argument"),
        ("XREVRANGE k + -", "[[\"3-5\", [\"f\", \"d\"]], [\"2-0\", [\"f\", \"c\"]], [\"1-2\", [\"f\", \"b\"]], [\"1-1\", [\"f\", \"a\"]]]"),
        ("XREVRANGE k + - COUNT 2", "[[\"3-5\", [\"f\", \"d\"]], [\"2-0\", [\"f\", \"c\"]]]"),
        ("XREVRANGE k (3-5 (1-1", "[[\"2-0\", [\"f\", \"c\"]], [\"1-2\", [\"f\", \"b\"]]]"),
        ("XREVRANGE k 1 1", "[[\"1-2\", [\"f\", \"b\"]], [\"1-1\", [\"f\", \"a\"]]]"),
        ("XREVRANGE k - +", "[]"),
        ("XREVRANGE k (0-0 (18446744073709551615-18446744073709551615", "-ERR invalid start ID for the interval"),
        ("XRANGE none - +", "[]"),
        ("XRANGE none - + COUNT 0", "[]"),
        ("XREVRANGE none + - COUNT 0", "[]"),
        ("XLEN k", ":4"),
        ("XLEN none", ":0"),
        ("SET s 1", "+OK"),
        ("XLEN s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XRANGE s - +", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XREVRANGE s + -", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn xdel() {
    check(&[
        ("XADD k 1 f a", "\"1-0\""),
        ("XADD k 2 f b", "\"2-0\""),
        ("XADD k 3 f c", "\"3-0\""),
        ("XDEL k x", "-ERR Invalid stream ID specified as stream command argument"),
        ("XDEL k 1 x", "-ERR Invalid stream ID specified as stream command argument"),
        ("XDEL none x", ":0"),
        ("XDEL k 1 1 9 2-1", ":1"),
        (
            "XINFO STREAM k",
            "[\"length\", :2, \"radix-tree-keys\", :1, \"radix-tree-nodes\", :2, \"last-generated-id\", \"3-0\", \"max-deleted-entry-id\", \"1-0\", \"entries-added\", :3, \"recorded-first-entry-id\", \"2-0\", \"groups\", :0, \"first-entry\", [\"2-0\", [\"f\", \"b\"]], \"last-entry\", [\"3-0\", [\"f\", \"c\"]]]",
        ),
        ("XDEL k 3 2", ":2"),
        (
            "XINFO STREAM k",
            "[\"length\", :0, \"radix-tree-keys\", :0, \"radix-tree-nodes\", :1, \"last-generated-id\", \"3-0\", \"max-deleted-entry-id\", \"3-0\", \"entries-added\", :3, \"recorded-first-entry-id\", \"0-0\", \"groups\", :0, \"first-entry\", (nil), \"last-entry\", (nil)]",
        ),
        ("XADD k 3 f v", "-ERR The ID specified in XADD is equal or smaller than the target stream top item"),
        ("XADD k 4 f v", "\"4-0\""),
        (
            "XINFO STREAM k",
            "[\"length\", :1, \"radix-tree-keys\", :1, \"radix-tree-nodes\", :2, \"last-generated-id\", \"4-0\", \"max-deleted-entry-id\", \"3-0\", \"entries-added\", :4, \"recorded-first-entry-id\", \"4-0\", \"groups\", :0, \"first-entry\", [\"4-0\", [\"f\", \"v\"]], \"last-entry\", [\"4-0\", [\"f\", \"v\"]]]",
        ),
        ("SET s 1", "+OK"),
        ("XDEL s 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn xsetid() {
    check(&[
        ("XSETID none 1-1", "-ERR no such key"),
        ("XADD k 5-1 f v", "\"5-1\""),
        ("XSETID k x", "-ERR Invalid stream ID specified as stream command argument"),
        ("XSETID k 5-0", "-ERR The ID specified in XSETID is smaller than the target stream top item"),
        ("XSETID k 6 ENTRIESADDED", "-ERR syntax error"),
        ("XSETID k 6 ENTRIESADDED x", "-ERR value is not an integer or out of range"),
        ("XSETID k 6 ENTRIESADDED -3", "-ERR entries_added must be positive"),
        ("XSETID k 6 ENTRIESADDED 0", "-ERR The entries_added specified in XSETID is smaller than the target stream length"),
        ("XSETID k 6 MAXDELETEDID x", "-ERR Invalid stream ID specified as stream command argument"),
        ("XSETID k 6 MAXDELETEDID 7", "-ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id"),
        ("XSETID k 6 FOO 7", "-ERR syntax error"),
        ("XSETID k 6 MAXDELETEDID 3 ENTRIESADDED 9", "+OK"),
        (
            "XINFO STREAM k",
            "[\"length\", :1, \"radix-tree-keys\", :1, \"radix-tree-nodes\", :2, \"last-generated-id\", \"6-0\", \"max-deleted-entry-id\", \"3-0\", \"entries-added\", :9, \"recorded-first-entry-id\", \"5-1\", \"groups\", :0, \"first-entry\", [\"5-1\", [\"f\", \"v\"]], \"last-entry\", [\"5-1\", [\"f\", \"v\"]]]",
        ),
        ("XSETID k 6 MAXDELETEDID 0-0", "+OK"),
        (
            "XINFO STREAM k",
            "[\"length\", :1, \"radix-tree-keys\", :1, \"radix-tree-nodes\", :2, \"last-generated-id\", \"6-0\", \"max-deleted-entry-id\", \"3-0\", \"entries-added\", :9, \"recorded-first-entry-id\", \"5-1\", \"groups\", :0, \"first-entry\", [\"5-1\", [\"f\", \"v\"]], \"last-entry\", [\"5-1\", [\"f\", \"v\"]]]",
        ),
        ("XADD k 7 f v", "\"7-0\""),
        ("XDEL k 7", ":1"),
        ("XSETID k 6", "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id"),
        ("XSETID k 7", "+OK"),
        ("SET s 1", "+OK"),
        ("XSETID s 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn xread() {
    check(&[
        ("XADD a 1 f 1", "\"1-0\""),
        ("XADD a 2 f 2", "\"2-0\""),
        ("XADD b 5 g 5", "\"5-0\""),
        ("XREAD STREAMS a 0", "[[\"a\", [[\"1-0\", [\"f\", \"1\"]], [\"2-0\", [\"f\", \"2\"]]]]]"),
        ("XREAD STREAMS a b 1 0", "[[\"a\", [[\"2-0\", [\"f\", \"2\"]]]], [\"b\", [[\"5-0\", [\"g\", \"5\"]]]]]"),
        ("XREAD COUNT 1 STREAMS a b 0 0", "[[\"a\", [[\"1-0\", [\"f\", \"1\"]]]], [\"b\", [[\"5-0\", [\"g\", \"5\"]]]]]"),
        ("XREAD COUNT 0 STREAMS a 0", "[[\"a\", [[\"1-0\", [\"f\", \"1\"]], [\"2-0\", [\"f\", \"2\"]]]]]"),
        ("XREAD COUNT -5 STREAMS a 0", "[[\"a\", [[\"1-0\", [\"f\", \"1\"]], [\"2-0\", [\"f\", \"2\"]]]]]"),
        ("XREAD STREAMS a b 2 0", "[[\"b\", [[\"5-0\", [\"g\", \"5\"]]]]]"),
        ("XREAD STREAMS a 2", "(nil array)"),
        ("XREAD STREAMS a $", "(nil array)"),
        ("XREAD STREAMS a +", "[[\"a\", [[\"2-0\", [\"f\", \"2\"]]]]]"),
        ("XREAD COUNT 7 STREAMS a b + 0", "[[\"a\", [[\"2-0\", [\"f\", \"2\"]]]], [\"b\", [[\"5-0\", [\"g\", \"5\"]]]]]"),
        ("XREAD STREAMS none +", "(nil array)"),
        ("XREAD STREAMS none 0", "(nil array)"),
        ("XREAD BLOCK 1000 STREAMS a 1", "[[\"a\", [[\"2-0\", [\"f\", \"2\"]]]]]"),
        ("XREAD STREAMS a 18446744073709551615-18446744073709551615", "(nil array)"),
        ("XDEL a 2", ":1"),
        ("XREAD STREAMS a +", "[[\"a\", [[\"1-0\", [\"f\", \"1\"]]]]]"),
        ("XREAD STREAMS a", "-ERR wrong number of arguments for 'xread' command"),
        ("XREAD STREAMS a a 0", "-ERR Unbalanced 'xread' list of streams: for each stream key an ID, '+', or '$' must be specified."),
        ("XREAD COUNT x STREAMS a 0", "-ERR value is not an integer or out of range"),
        ("XREAD BLOCK x STREAMS a 0", "-ERR timeout is not an integer or out of range"),
        ("XREAD BLOCK 0.5 STREAMS a 0", "-ERR timeout is not an integer or out of range"),
        ("XREAD BLOCK -1 STREAMS a 0", "-ERR timeout is negative"),
        ("XREAD BLOCK 9223372036854775807 STREAMS a 0", "-ERR timeout is out of range"),
        ("XREAD FOO STREAMS a 0", "-ERR syntax error"),
        ("XREAD COUNT 1 BLOCK 0", "-ERR syntax error"),
        ("XREAD STREAMS a >", "-ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option."),
        ("XREAD STREAMS a x", "-ERR Invalid stream ID specified as stream command argument"),
        ("XREAD NOACK STREAMS a 0", "-ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead."),
        ("XREAD GROUP g c STREAMS a 0", "-ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead."),
        ("SET s 1", "+OK"),
        ("XREAD STREAMS s 0", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XREAD STREAMS a s 0 0", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn xread_resp3() {
    check3(&[
        ("XADD a 1 f 1", "\"1-0\""),
        ("XADD b 5 g 5", "\"5-0\""),
        ("XREAD STREAMS a b 0 0", "{\"a\": [[\"1-0\", [\"f\", \"1\"]]], \"b\": [[\"5-0\", [\"g\", \"5\"]]]}"),
        ("XREAD STREAMS a 5", "(null)"),
        ("XGROUP CREATE a g 0", "+OK"),
        ("XREADGROUP GROUP g c STREAMS a >", "{\"a\": [[\"1-0\", [\"f\", \"1\"]]]}"),
        ("XREADGROUP GROUP g c STREAMS a 0", "{\"a\": [[\"1-0\", [\"f\", \"1\"]]]}"),
        ("XDEL a 1-0", ":1"),
        ("XREADGROUP GROUP g c STREAMS a 0", "{\"a\": [[\"1-0\", (null)]]}"),
        ("XREADGROUP GROUP g c STREAMS a >", "(null)"),
        ("XRANGE a - + COUNT 0", "(null)"),
        ("XPENDING a g", "[:1, \"1-0\", \"1-0\", [[\"c\", \"1\"]]]"),
        ("XACK a g 1", ":1"),
        ("XPENDING a g", "[:0, (null), (null), (null)]"),
        (
            "XINFO GROUPS a",
            "[{\"name\": \"g\", \"consumers\": :1, \"pending\": :0, \"last-delivered-id\": \"1-0\", \"entries-read\": :1, \"lag\": :0}]",
        ),
        (
            "XINFO STREAM b",
            "{\"length\": :1, \"radix-tree-keys\": :1, \"radix-tree-nodes\": :2, \"last-generated-id\": \"5-0\", \"max-deleted-entry-id\": \"0-0\", \"entries-added\": :1, \"recorded-first-entry-id\": \"5-0\", \"groups\": :0, \"first-entry\": [\"5-0\", [\"g\", \"5\"]], \"last-entry\": [\"5-0\", [\"g\", \"5\"]]}",
        ),
        ("XDEL b 5", ":1"),
        (
            "XINFO STREAM b",
            "{\"length\": :0, \"radix-tree-keys\": :0, \"radix-tree-nodes\": :1, \"last-generated-id\": \"5-0\", \"max-deleted-entry-id\": \"5-0\", \"entries-added\": :1, \"recorded-first-entry-id\": \"0-0\", \"groups\": :0, \"first-entry\": (null), \"last-entry\": (null)}",
        ),
        (
            "XINFO STREAM b FULL",
            "{\"length\": :0, \"radix-tree-keys\": :0, \"radix-tree-nodes\": :1, \"last-generated-id\": \"5-0\", \"max-deleted-entry-id\": \"5-0\", \"entries-added\": :1, \"recorded-first-entry-id\": \"0-0\", \"entries\": [], \"groups\": []}",
        ),
        ("XADD b NOMKSTREAM 6 a b", "\"6-0\""),
        ("XADD none NOMKSTREAM 6 a b", "(null)"),
    ]);
}

#[test]
fn groups() {
    check(&[
        (
            "XGROUP CREATE k g 0",
            "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
        ),
        ("XGROUP CREATE k g $ MKSTREAM", "+OK"),
        ("XGROUP CREATE k g 0", "-BUSYGROUP Consumer Group name already exists"),
        (
            "XINFO STREAM k",
            "[\"length\", :0, \"radix-tree-keys\", :0, \"radix-tree-nodes\", :1, \"last-generated-id\", \"0-0\", \"max-deleted-entry-id\", \"0-0\", \"entries-added\", :0, \"recorded-first-entry-id\", \"0-0\", \"groups\", :1, \"first-entry\", (nil), \"last-entry\", (nil)]",
        ),
        ("XADD k 1 f v", "\"1-0\""),
        ("XADD k 2 f v", "\"2-0\""),
        ("XGROUP CREATE k h x", "-ERR Invalid stream ID specified as stream command argument"),
        ("XGROUP CREATE k h -", "-ERR Invalid stream ID specified as stream command argument"),
        ("XGROUP CREATE k h 0 FOO", "-ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP."),
        ("XGROUP CREATE k h 0 ENTRIESREAD", "-ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP."),
        ("XGROUP CREATE k h 0 ENTRIESREAD x", "-ERR value is not an integer or out of range"),
        ("XGROUP CREATE k h 0 ENTRIESREAD -2", "-ERR value for ENTRIESREAD must be positive or -1"),
        ("XGROUP CREATE k h 0 ENTRIESREAD -1", "+OK"),
        ("XGROUP CREATE k i 1 ENTRIESREAD 100 MKSTREAM", "+OK"),
        ("XGROUP CREATE k", "-ERR wrong number of arguments for 'xgroup|create' command"),
        ("XGROUP SETID k none 0", "-NOGROUP No such consumer group 'none' for key name 'k'"),
        ("XGROUP SETID k g x", "-ERR Invalid stream ID specified as stream command argument"),
        ("XGROUP SETID k g 0 FOO", "-ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP."),
        ("XGROUP SETID k g 0 MKSTREAM", "-ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP."),
        ("XGROUP SETID k g 0 ENTRIESREAD -3", "-ERR value for ENTRIESREAD must be positive or -1"),
        (
            "XGROUP SETID none g 0",
            "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
        ),
        ("XGROUP SETID k g -", "+OK"),
        ("XGROUP SETID k g $ ENTRIESREAD 2", "+OK"),
        (
            "XINFO GROUPS k",
            "[[\"name\", \"g\", \"consumers\", :0, \"pending\", :0, \"last-delivered-id\", \"2-0\", \"entries-read\", :2, \"lag\", :0], [\"name\", \"h\", \"consumers\", :0, \"pending\", :0, \"last-delivered-id\", \"0-0\", \"entries-read\", (nil), \"lag\", :2], [\"name\", \"i\", \"consumers\", :0, \"pending\", :0, \"last-delivered-id\", \"1-0\", \"entries-read\", :100, \"lag\", :-98]]",
        ),
        ("XGROUP CREATECONSUMER k none c", "-NOGROUP No such consumer group 'none' for key name 'k'"),
        (
            "XGROUP CREATECONSUMER none g c",
            "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
        ),
        ("XGROUP CREATECONSUMER k g c", ":1"),
        ("XGROUP CREATECONSUMER k g c", ":0"),
        ("XGROUP DELCONSUMER k g d", ":0"),
        ("XGROUP DELCONSUMER k g c", ":0"),
        ("XGROUP DELCONSUMER k none c", "-NOGROUP No such consumer group 'none' for key name 'k'"),
        (
            "XGROUP DESTROY none g",
            "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
        ),
        ("XGROUP DESTROY k none", ":0"),
        ("XGROUP DESTROY k g", ":1"),
        ("XGROUP FOO", "-ERR unknown subcommand 'FOO'. Try XGROUP HELP."),
        ("XGROUP HELP x", "-ERR wrong number of arguments for 'xgroup|help' command"),
        ("XGROUP", "-ERR wrong number of arguments for 'xgroup' command"),
        ("SET s 1", "+OK"),
        ("XGROUP CREATE s g 0", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XGROUP DESTROY s g", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XGROUP CREATECONSUMER s g c", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn reading_with_a_group() {
    check(&[
        ("XADD k 1 f a", "\"1-0\""),
        ("XADD k 2 f b", "\"2-0\""),
        ("XADD k 3 f c", "\"3-0\""),
        ("XREADGROUP GROUP g c STREAMS k >", "-NOGROUP No such key 'k' or consumer group 'g' in XREADGROUP with GROUP option"),
        ("XREADGROUP GROUP g c STREAMS none >", "-NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option"),
        ("XGROUP CREATE k g 0", "+OK"),
        (
            "XREADGROUP GROUP g c STREAMS k $",
            "-ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.",
        ),
        (
            "XREADGROUP GROUP g c STREAMS k +",
            "-ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.",
        ),
        ("XREADGROUP GROUP g c STREAMS k x", "-ERR Invalid stream ID specified as stream command argument"),
        (
            "XREADGROUP GROUP g c STREAMS k k 0",
            "-ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or '>' must be specified.",
        ),
        ("XREADGROUP NOACK STREAMS k 0 4 5", "-ERR Missing GROUP option for XREADGROUP"),
        ("XREADGROUP GROUP g STREAMS k > 0 0", "-ERR syntax error"),
        ("XREADGROUP GROUP g c COUNT 1 STREAMS k >", "[[\"k\", [[\"1-0\", [\"f\", \"a\"]]]]]"),
        ("XREADGROUP GROUP g d COUNT 1 STREAMS k >", "[[\"k\", [[\"2-0\", [\"f\", \"b\"]]]]]"),
        ("XREADGROUP GROUP g d NOACK STREAMS k >", "[[\"k\", [[\"3-0\", [\"f\", \"c\"]]]]]"),
        ("XREADGROUP GROUP g c STREAMS k >", "(nil array)"),
        ("XREADGROUP GROUP g c STREAMS k 0", "[[\"k\", [[\"1-0\", [\"f\", \"a\"]]]]]"),
        ("XREADGROUP GROUP g c STREAMS k 1", "[[\"k\", []]]"),
        ("XREADGROUP GROUP g d COUNT 5 STREAMS k 0", "[[\"k\", [[\"2-0\", [\"f\", \"b\"]]]]]"),
        ("XREADGROUP GROUP g e STREAMS k 0", "[[\"k\", []]]"),
        ("XPENDING k g", "[:2, \"1-0\", \"2-0\", [[\"c\", \"1\"], [\"d\", \"1\"]]]"),
        (
            "XINFO GROUPS k",
            "[[\"name\", \"g\", \"consumers\", :3, \"pending\", :2, \"last-delivered-id\", \"3-0\", \"entries-read\", :3, \"lag\", :0]]",
        ),
        ("XDEL k 1", ":1"),
        ("XREADGROUP GROUP g c STREAMS k 0", "[[\"k\", [[\"1-0\", (nil array)]]]]"),
        ("XACK k g 1 1 2", ":2"),
        ("XPENDING k g", "[:0, (nil), (nil), (nil array)]"),
        ("XGROUP SETID k g 0", "+OK"),
        ("XREADGROUP GROUP g c STREAMS k >", "[[\"k\", [[\"2-0\", [\"f\", \"b\"]], [\"3-0\", [\"f\", \"c\"]]]]]"),
        ("XREADGROUP GROUP g d STREAMS k >", "(nil array)"),
        ("XGROUP SETID k g 0", "+OK"),
        (
            "XREADGROUP GROUP g d STREAMS k 18446744073709551615-18446744073709551615",
            "[[\"k\", [[\"2-0\", [\"f\", \"b\"]], [\"3-0\", [\"f\", \"c\"]]]]]",
        ),
        ("XPENDING k g", "[:2, \"2-0\", \"3-0\", [[\"d\", \"2\"]]]"),
        ("XACK k g x", "-ERR Invalid stream ID specified as stream command argument"),
        ("XACK none g x", ":0"),
        ("XACK k none x", ":0"),
        ("XGROUP DELCONSUMER k g d", ":2"),
        ("XPENDING k g", "[:0, (nil), (nil), (nil array)]"),
        ("SET s 1", "+OK"),
        ("XREADGROUP GROUP g c STREAMS s >", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XACK s g 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn pending() {
    check(&[
        ("XADD k 1 f a", "\"1-0\""),
        ("XADD k 2 f b", "\"2-0\""),
        ("XGROUP CREATE k g 0", "+OK"),
        ("XPENDING k", "-ERR wrong number of arguments for 'xpending' command"),
        ("XPENDING k g", "[:0, (nil), (nil), (nil array)]"),
        ("XPENDING k g -", "-ERR syntax error"),
        ("XPENDING k g - +", "-ERR syntax error"),
        ("XPENDING k g - + x", "-ERR value is not an integer or out of range"),
        ("XPENDING k g - + -1", "[]"),
        ("XPENDING k g x + 1", "-ERR Invalid stream ID specified as stream command argument"),
        ("XPENDING k g - x 1", "-ERR Invalid stream ID specified as stream command argument"),
        ("XPENDING k g (18446744073709551615-18446744073709551615 + 1", "-ERR invalid start ID for the interval"),
        ("XPENDING k g IDLE x - + 1", "-ERR value is not an integer or out of range"),
        ("XPENDING k g IDLE 3 - +", "-ERR syntax error"),
        ("XPENDING k g IDLE 3 - + 1 c d", "-ERR syntax error"),
        ("XPENDING k g FOO 3 - + 1", "-ERR value is not an integer or out of range"),
        ("XPENDING k none", "-NOGROUP No such key 'k' or consumer group 'none'"),
        ("XPENDING none g", "-NOGROUP No such key 'none' or consumer group 'g'"),
        ("XPENDING none g - + 1", "-NOGROUP No such key 'none' or consumer group 'g'"),
        ("XPENDING k g - + 1 nobody", "[]"),
        ("XREADGROUP GROUP g c STREAMS k >", "[[\"k\", [[\"1-0\", [\"f\", \"a\"]], [\"2-0\", [\"f\", \"b\"]]]]]"),
        ("XPENDING k g IDLE 100000 - + 10", "[]"),
        ("XPENDING k g - + 0", "[]"),
        ("SET s 1", "+OK"),
        ("XPENDING s g", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn claiming() {
    check(&[
        ("XADD k 1 f a", "\"1-0\""),
        ("XADD k 2 f b", "\"2-0\""),
        ("XADD k 3 f c", "\"3-0\""),
        ("XGROUP CREATE k g 0", "+OK"),
        ("XCLAIM k g c x 1-1", "-ERR Invalid min-idle-time argument for XCLAIM"),
        ("XCLAIM k g c -5 1-1", "[]"),
        ("XCLAIM k g c 5 x", "-ERR Unrecognized XCLAIM option 'x'"),
        ("XCLAIM k g c 5 1-1 IDLE x", "-ERR Invalid IDLE option argument for XCLAIM"),
        ("XCLAIM k g c 5 1-1 TIME x", "-ERR Invalid TIME option argument for XCLAIM"),
        ("XCLAIM k g c 5 1-1 RETRYCOUNT x", "-ERR Invalid RETRYCOUNT option argument for XCLAIM"),
        ("XCLAIM k g c 5 1-1 FOO", "-ERR Unrecognized XCLAIM option 'FOO'"),
        ("XCLAIM k g c 5 1-1 IDLE", "-ERR Unrecognized XCLAIM option 'IDLE'"),
        ("XCLAIM k g c 5 1-1 LASTID x", "-ERR Invalid stream ID specified as stream command argument"),
        ("XCLAIM k none c 5 1-1 LASTID x", "-NOGROUP No such key 'k' or consumer group 'none'"),
        ("XCLAIM none g c x 1-1", "-NOGROUP No such key 'none' or consumer group 'g'"),
        ("XCLAIM k g c 0 1", "[]"),
        ("XCLAIM k g c 0 1 FORCE", "[[\"1-0\", [\"f\", \"a\"]]]"),
        ("XCLAIM k g c 0 9 FORCE", "[]"),
        ("XCLAIM k g d 0 1 2 JUSTID", "[\"1-0\"]"),
        ("XCLAIM k g d 100000 1", "[]"),
        ("XCLAIM k g d 0 1 2 3 FORCE RETRYCOUNT 7 JUSTID LASTID 3", "[\"1-0\", \"2-0\", \"3-0\"]"),
        (
            "XINFO GROUPS k",
            "[[\"name\", \"g\", \"consumers\", :2, \"pending\", :3, \"last-delivered-id\", \"3-0\", \"entries-read\", (nil), \"lag\", :0]]",
        ),
        ("XDEL k 2", ":1"),
        ("XCLAIM k g c 0 1 2 3", "[[\"1-0\", [\"f\", \"a\"]], [\"3-0\", [\"f\", \"c\"]]]"),
        ("XPENDING k g", "[:2, \"1-0\", \"3-0\", [[\"c\", \"2\"]]]"),
        ("XAUTOCLAIM k g c x 0", "-ERR Invalid min-idle-time argument for XAUTOCLAIM"),
        ("XAUTOCLAIM k g c 0 x", "-ERR Invalid stream ID specified as stream command argument"),
        ("XAUTOCLAIM k g c 0 0 COUNT 0", "-ERR COUNT must be > 0"),
        ("XAUTOCLAIM k g c 0 0 COUNT x", "-ERR COUNT must be > 0"),
        ("XAUTOCLAIM k g c 0 0 COUNT 8070450532247928833", "-ERR COUNT must be > 0"),
        ("XAUTOCLAIM k g c 0 0 COUNT", "-ERR syntax error"),
        ("XAUTOCLAIM k g c 0 0 FOO", "-ERR syntax error"),
        ("XAUTOCLAIM k none c 0 0", "-NOGROUP No such key 'k' or consumer group 'none'"),
        ("XAUTOCLAIM none g c 0 0", "-NOGROUP No such key 'none' or consumer group 'g'"),
        ("XAUTOCLAIM k g c 0 (18446744073709551615-18446744073709551615", "-ERR invalid start ID for the interval"),
        ("XAUTOCLAIM k g e 0 - COUNT 1", "[\"3-0\", [[\"1-0\", [\"f\", \"a\"]]], []]"),
        ("XAUTOCLAIM k g e 0 (1 JUSTID", "[\"0-0\", [\"3-0\"], []]"),
        ("XAUTOCLAIM k g e 100000 0", "[\"0-0\", [], []]"),
        ("XDEL k 1 3", ":2"),
        ("XAUTOCLAIM k g e 0 0 COUNT 1", "[\"3-0\", [], [\"1-0\"]]"),
        ("XAUTOCLAIM k g e 0 3", "[\"0-0\", [], [\"3-0\"]]"),
        ("XPENDING k g", "[:0, (nil), (nil), (nil array)]"),
        ("SET s 1", "+OK"),
        ("XCLAIM s g c 0 1", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XAUTOCLAIM s g c 0 0", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn info() {
    check(&[
        ("XINFO STREAM none", "-ERR no such key"),
        ("XINFO GROUPS none", "-ERR no such key"),
        ("XINFO CONSUMERS none g", "-ERR no such key"),
        ("XADD k 1 f a", "\"1-0\""),
        ("XADD k 2 g b", "\"2-0\""),
        (
            "XINFO STREAM k",
            "[\"length\", :2, \"radix-tree-keys\", :1, \"radix-tree-nodes\", :2, \"last-generated-id\", \"2-0\", \"max-deleted-entry-id\", \"0-0\", \"entries-added\", :2, \"recorded-first-entry-id\", \"1-0\", \"groups\", :0, \"first-entry\", [\"1-0\", [\"f\", \"a\"]], \"last-entry\", [\"2-0\", [\"g\", \"b\"]]]",
        ),
        (
            "XINFO STREAM k FULL",
            "[\"length\", :2, \"radix-tree-keys\", :1, \"radix-tree-nodes\", :2, \"last-generated-id\", \"2-0\", \"max-deleted-entry-id\", \"0-0\", \"entries-added\", :2, \"recorded-first-entry-id\", \"1-0\", \"entries\", [[\"1-0\", [\"f\", \"a\"]], [\"2-0\", [\"g\", \"b\"]]], \"groups\", []]",
        ),
        (
            "XINFO STREAM k FULL COUNT 1",
            "[\"length\", :2, \"radix-tree-keys\", :1, \"radix-tree-nodes\", :2, \"last-generated-id\", \"2-0\", \"max-deleted-entry-id\", \"0-0\", \"entries-added\", :2, \"recorded-first-entry-id\", \"1-0\", \"entries\", [[\"1-0\", [\"f\", \"a\"]]], \"groups\", []]",
        ),
        (
            "XINFO STREAM k FULL COUNT 0",
            "[\"length\", :2, \"radix-tree-keys\", :1, \"radix-tree-nodes\", :2, \"last-generated-id\", \"2-0\", \"max-deleted-entry-id\", \"0-0\", \"entries-added\", :2, \"recorded-first-entry-id\", \"1-0\", \"entries\", [[\"1-0\", [\"f\", \"a\"]], [\"2-0\", [\"g\", \"b\"]]], \"groups\", []]",
        ),
        (
            "XINFO STREAM k FULL COUNT -1",
            "[\"length\", :2, \"radix-tree-keys\", :1, \"radix-tree-nodes\", :2, \"last-generated-id\", \"2-0\", \"max-deleted-entry-id\", \"0-0\", \"entries-added\", :2, \"recorded-first-entry-id\", \"1-0\", \"entries\", [[\"1-0\", [\"f\", \"a\"]], [\"2-0\", [\"g\", \"b\"]]], \"groups\", []]",
        ),
        ("XINFO STREAM k FULL COUNT x", "-ERR value is not an integer or out of range"),
        ("XINFO STREAM k FULL COUNT", "-ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."),
        ("XINFO STREAM k FOO", "-ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."),
        ("XINFO STREAM k FULL FOO 1", "-ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."),
        ("XINFO CONSUMERS k none", "-NOGROUP No such consumer group 'none' for key name 'k'"),
        ("XGROUP CREATE k g 1", "+OK"),
        (
            "XINFO STREAM k FULL",
            "[\"length\", :2, \"radix-tree-keys\", :1, \"radix-tree-nodes\", :2, \"last-generated-id\", \"2-0\", \"max-deleted-entry-id\", \"0-0\", \"entries-added\", :2, \"recorded-first-entry-id\", \"1-0\", \"entries\", [[\"1-0\", [\"f\", \"a\"]], [\"2-0\", [\"g\", \"b\"]]], \"groups\", [[\"name\", \"g\", \"last-delivered-id\", \"1-0\", \"entries-read\", (nil), \"lag\", :1, \"pel-count\", :0, \"pending\", [], \"consumers\", []]]]",
        ),
        ("XINFO CONSUMERS k g", "[]"),
        ("XINFO HELP x", "-ERR wrong number of arguments for 'xinfo|help' command"),
        ("XINFO FOO", "-ERR unknown subcommand 'FOO'. Try XINFO HELP."),
        ("XINFO", "-ERR wrong number of arguments for 'xinfo' command"),
        ("SET s 1", "+OK"),
        ("XINFO STREAM s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XINFO GROUPS s", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
        ("XINFO CONSUMERS s g", "-WRONGTYPE Operation against a key holding the wrong kind of value"),
    ]);
}

#[test]
fn lag_is_known_where_it_can_be() {
    check(&[
        ("XADD k 1 f a", "\"1-0\""),
        ("XADD k 2 f b", "\"2-0\""),
        ("XADD k 3 f c", "\"3-0\""),
        ("XADD k 4 f d", "\"4-0\""),
        ("XADD k 5 f e", "\"5-0\""),
        ("XGROUP CREATE k zero 0", "+OK"),
        ("XGROUP CREATE k two 2", "+OK"),
        ("XGROUP CREATE k end $", "+OK"),
        (
            "XINFO GROUPS k",
            "[[\"name\", \"end\", \"consumers\", :0, \"pending\", :0, \"last-delivered-id\", \"5-0\", \"entries-read\", (nil), \"lag\", :0], [\"name\", \"two\", \"consumers\", :0, \"pending\", :0, \"last-delivered-id\", \"2-0\", \"entries-read\", (nil), \"lag\", (nil)], [\"name\", \"zero\", \"consumers\", :0, \"pending\", :0, \"last-delivered-id\", \"0-0\", \"entries-read\", (nil), \"lag\", :5]]",
        ),
        ("XREADGROUP GROUP two c COUNT 1 STREAMS k >", "[[\"k\", [[\"3-0\", [\"f\", \"c\"]]]]]"),
        ("XREADGROUP GROUP zero c COUNT 2 STREAMS k >", "[[\"k\", [[\"1-0\", [\"f\", \"a\"]], [\"2-0\", [\"f\", \"b\"]]]]]"),
        (
            "XINFO GROUPS k",
            "[[\"name\", \"end\", \"consumers\", :0, \"pending\", :0, \"last-delivered-id\", \"5-0\", \"entries-read\", (nil), \"lag\", :0], [\"name\", \"two\", \"consumers\", :1, \"pending\", :1, \"last-delivered-id\", \"3-0\", \"entries-read\", (nil), \"lag\", (nil)], [\"name\", \"zero\", \"consumers\", :1, \"pending\", :2, \"last-delivered-id\", \"2-0\", \"entries-read\", :2, \"lag\", :3]]",
        ),
        ("XDEL k 3", ":1"),
        (
            "XINFO GROUPS k",
            "[[\"name\", \"end\", \"consumers\", :0, \"pending\", :0, \"last-delivered-id\", \"5-0\", \"entries-read\", (nil), \"lag\", :0], [\"name\", \"two\", \"consumers\", :1, \"pending\", :1, \"last-delivered-id\", \"3-0\", \"entries-read\", (nil), \"lag\", (nil)], [\"name\", \"zero\", \"consumers\", :1, \"pending\", :2, \"last-delivered-id\", \"2-0\", \"entries-read\", :2, \"lag\", (nil)]]",
        ),
        ("XREADGROUP GROUP zero c COUNT 1 STREAMS k >", "[[\"k\", [[\"4-0\", [\"f\", \"d\"]]]]]"),
        ("XREADGROUP GROUP two c STREAMS k >", "[[\"k\", [[\"4-0\", [\"f\", \"d\"]], [\"5-0\", [\"f\", \"e\"]]]]]"),
        (
            "XINFO GROUPS k",
            "[[\"name\", \"end\", \"consumers\", :0, \"pending\", :0, \"last-delivered-id\", \"5-0\", \"entries-read\", (nil), \"lag\", :0], [\"name\", \"two\", \"consumers\", :1, \"pending\", :3, \"last-delivered-id\", \"5-0\", \"entries-read\", :5, \"lag\", :0], [\"name\", \"zero\", \"consumers\", :1, \"pending\", :3, \"last-delivered-id\", \"4-0\", \"entries-read\", (nil), \"lag\", (nil)]]",
        ),
        ("XTRIM k MAXLEN 1", ":3"),
        (
            "XINFO GROUPS k",
            "[[\"name\", \"end\", \"consumers\", :0, \"pending\", :0, \"last-delivered-id\", \"5-0\", \"entries-read\", (nil), \"lag\", :0], [\"name\", \"two\", \"consumers\", :1, \"pending\", :3, \"last-delivered-id\", \"5-0\", \"entries-read\", :5, \"lag\", :0], [\"name\", \"zero\", \"consumers\", :1, \"pending\", :3, \"last-delivered-id\", \"4-0\", \"entries-read\", (nil), \"lag\", :1]]",
        ),
        ("XTRIM k MAXLEN 0", ":1"),
        (
            "XINFO GROUPS k",
            "[[\"name\", \"end\", \"consumers\", :0, \"pending\", :0, \"last-delivered-id\", \"5-0\", \"entries-read\", (nil), \"lag\", :0], [\"name\", \"two\", \"consumers\", :1, \"pending\", :3, \"last-delivered-id\", \"5-0\", \"entries-read\", :5, \"lag\", :0], [\"name\", \"zero\", \"consumers\", :1, \"pending\", :3, \"last-delivered-id\", \"4-0\", \"entries-read\", (nil), \"lag\", :0]]",
        ),
    ]);
}

#[test]
fn copies_are_whole() {
    check(&[
        ("XADD k 1 f a", "\"1-0\""),
        ("XADD k 2 f b", "\"2-0\""),
        ("XGROUP CREATE k g 0", "+OK"),
        ("XREADGROUP GROUP g c COUNT 1 STREAMS k >", "[[\"k\", [[\"1-0\", [\"f\", \"a\"]]]]]"),
        ("COPY k l", ":1"),
        ("XACK k g 1", ":1"),
        ("XADD k 3 f c", "\"3-0\""),
        ("XPENDING l g", "[:1, \"1-0\", \"1-0\", [[\"c\", \"1\"]]]"),
        ("XRANGE l - +", "[[\"1-0\", [\"f\", \"a\"]], [\"2-0\", [\"f\", \"b\"]]]"),
        (
            "XINFO GROUPS l",
            "[[\"name\", \"g\", \"consumers\", :1, \"pending\", :1, \"last-delivered-id\", \"1-0\", \"entries-read\", :1, \"lag\", :1]]",
        ),
        ("RENAME l m", "+OK"),
        ("XPENDING m g", "[:1, \"1-0\", \"1-0\", [[\"c\", \"1\"]]]"),
    ]);
}

/// Blocks of five entries, so that a few entries make several.
const SMALL_BLOCKS: &[(&str, &str)] = &[("stream-node-max-entries", "5")];

#[test]
fn approximate_trims_remove_whole_blocks() {
    let mut script: Vec<(String, &str)> = (1..=23).map(|n| (format!("XADD k {n}-1 f v"), "")).collect();
    script.push(("XTRIM k MAXLEN ~ 30".into(), ":0"));
    script.push(("XTRIM k MAXLEN ~ 20".into(), ":0"));
    script.push(("XTRIM k MAXLEN ~ 18".into(), ":5"));
    script.push(("XTRIM k MAXLEN ~ 4 LIMIT 9".into(), ":5"));
    script.push(("XTRIM k MAXLEN ~ 4 LIMIT 4".into(), ":0"));
    script.push(("XTRIM k MINID ~ 15".into(), ":0"));
    script.push(("XTRIM k MINID ~ 16".into(), ":5"));
    script.push(("XADD k MAXLEN ~ 3 24-1 f v".into(), ""));
    script.push(("XLEN k".into(), ":4"));
    script.push(("XTRIM k MAXLEN ~ 0 LIMIT 0".into(), ":4"));
    let mut world = World::with(SMALL_BLOCKS);
    let client = world.connect();
    for (line, expected) in script {
        let got = world.ask(client, &line);
        assert!(expected.is_empty() || got == expected, "{line}: {got}");
    }
}

#[test]
fn trims_mind_what_groups_need() {
    check_with(
        SMALL_BLOCKS,
        &[
            ("XADD k 1-0 f v", "\"1-0\""),
            ("XADD k 2-0 f v", "\"2-0\""),
            ("XADD k 3-0 f v", "\"3-0\""),
            ("XGROUP CREATE k g 0", "+OK"),
            ("XADD k MAXLEN = 1 ACKED 4-0 f v", "\"4-0\""),
            ("XLEN k", ":4"),
            (
                "XREADGROUP GROUP g c COUNT 3 STREAMS k >",
                "[[\"k\", [[\"1-0\", [\"f\", \"v\"]], [\"2-0\", [\"f\", \"v\"]], [\"3-0\", [\"f\", \"v\"]]]]]",
            ),
            ("XACK k g 1 3", ":2"),
            ("XTRIM k MAXLEN 0 ACKED", ":2"),
            ("XRANGE k - +", "[[\"2-0\", [\"f\", \"v\"]], [\"4-0\", [\"f\", \"v\"]]]"),
            ("XTRIM k MAXLEN 1 DELREF", ":1"),
            ("XPENDING k g", "[:0, (nil), (nil), (nil array)]"),
            ("XTRIM k MAXLEN 0 KEEPREF ACKED", "-ERR syntax error"),
            ("XTRIM k MAXLEN 0 KEEPREF", ":1"),
            ("XADD k KEEPREF DELREF 9-0 f v", "-ERR syntax error"),
            ("XADD k KEEPREF 9-0 f v", "\"9-0\""),
        ],
    );
}

#[test]
fn approximate_trims_pass_over_blocks_that_groups_need() {
    check_with(
        &[("stream-node-max-entries", "2")],
        &[
            ("XADD k 1-0 f v", "\"1-0\""),
            ("XADD k 2-0 f v", "\"2-0\""),
            ("XADD k 3-0 f v", "\"3-0\""),
            ("XADD k 4-0 f v", "\"4-0\""),
            ("XADD k 5-0 f v", "\"5-0\""),
            ("XGROUP CREATE k g 0", "+OK"),
            (
                "XREADGROUP GROUP g c COUNT 5 NOACK STREAMS k >",
                "[[\"k\", [[\"1-0\", [\"f\", \"v\"]], [\"2-0\", [\"f\", \"v\"]], [\"3-0\", [\"f\", \"v\"]], [\"4-0\", [\"f\", \"v\"]], [\"5-0\", [\"f\", \"v\"]]]]]",
            ),
            ("XCLAIM k g c 0 3 5 FORCE JUSTID", "[\"3-0\", \"5-0\"]"),
            ("XTRIM k MINID ~ 6-0 ACKED", ":3"),
            ("XRANGE k - +", "[[\"3-0\", [\"f\", \"v\"]], [\"5-0\", [\"f\", \"v\"]]]"),
            ("XTRIM k MINID ~ 6-0 DELREF", ":2"),
            ("XPENDING k g", "[:0, (nil), (nil), (nil array)]"),
        ],
    );
}

#[test]
fn xdelex_and_xackdel() {
    // not proven on a real server of version 8.0, which has not got the command
    check_with(
        SMALL_BLOCKS,
        &[
            ("XDELEX k DELREF", "-ERR wrong number of arguments for 'xdelex' command"),
            ("XDELEX none IDS 2 1-1 2-2", "[:-1, :-1]"),
            ("XDELEX k IDS abc 1-1", "-ERR Number of IDs must be a positive integer"),
            ("XDELEX k IDS 0 1-1", "-ERR Number of IDs must be a positive integer"),
            ("XDELEX k IDS -5 1-1", "-ERR Number of IDs must be a positive integer"),
            ("XDELEX k IDS 3 1-1 2-2", "-ERR The `numids` parameter must match the number of arguments"),
            ("XDELEX k IDS 1 1-1 2-2", "-ERR syntax error"),
            ("XDELEX k KEEPREF DELREF IDS 1 1-1", "-ERR syntax error"),
            ("XDELEX k KEEPREF ACKED DELREF", "-ERR syntax error"),
            ("XDELEX k IDS 1 x", "-ERR Invalid stream ID specified as stream command argument"),
        ],
    );
}

#[test]
fn xdelex_policies() {
    let mut world = World::new();
    let client = world.connect();
    for id in 1..=6 {
        world.ask(client, &format!("XADD k {id}-0 f v"));
    }
    for line in ["XGROUP CREATE k g 0", "XGROUP CREATE k h 0", "XREADGROUP GROUP g c STREAMS k >"] {
        world.ask(client, line);
    }
    let mut ask = |line: &str| world.ask(client, line);
    assert_eq!(ask("XDELEX k ACKED IDS 2 1-0 9-0"), "[:2, :-1]", "h has not read it, g has not acknowledged it");
    assert_eq!(ask("XDELEX k IDS 1 1-0 KEEPREF"), "[:1]");
    assert_eq!(ask("XPENDING k g - + 1"), "[[\"1-0\", \"c\", :0, :1]]");
    assert_eq!(ask("XDELEX k DELREF IDS 2 1-0 2-0"), "[:-1, :1]");
    assert_eq!(ask("XPENDING k g - + 1"), "[[\"3-0\", \"c\", :0, :1]]");
    assert_eq!(ask("XACKDEL k g ACKED IDS 2 3-0 1-0"), "[:2, :-1]", "acknowledged, but h needs it");
    assert_eq!(ask("XGROUP SETID k h 9-0"), "+OK");
    assert_eq!(ask("XDELEX k ACKED IDS 2 3-0 4-0"), "[:1, :2]");
    assert_eq!(ask("XACKDEL k g ACKED IDS 1 4-0"), "[:1]");
    assert_eq!(ask("XACKDEL k g IDS 1 5-0"), "[:1]");
    assert_eq!(ask("XACKDEL k g DELREF IDS 2 6-0 6-0"), "[:1, :-1]");
    assert_eq!(ask("XACKDEL k none IDS 2 6-0 6-0"), "[:-1, :-1]");
    assert_eq!(ask("XACKDEL none g IDS 1 6-0"), "[:-1]");
    assert_eq!(ask("XLEN k"), ":0");
    assert_eq!(ask("XPENDING k g"), "[:0, (nil), (nil), (nil array)]");
}

#[test]
fn auto_ids_follow_the_clock_and_never_go_back() {
    let mut world = World::new();
    let client = world.connect();
    assert_eq!(world.ask(client, "XADD k * f v"), "\"1700000000000-0\"");
    assert_eq!(world.ask(client, "XADD k * f v"), "\"1700000000000-1\"");
    world.pass_ms(5);
    assert_eq!(world.ask(client, "XADD k * f v"), "\"1700000000005-0\"");
    assert_eq!(world.ask(client, "XADD k 1700000000009-18446744073709551615 f v"), "\"1700000000009-18446744073709551615\"");
    assert_eq!(world.ask(client, "XADD k * f v"), "\"1700000000010-0\"");
}

#[test]
fn times_of_deliveries_and_consumers() {
    let mut world = World::new();
    let client = world.connect();
    let ask = |world: &mut World, line: &str| world.ask(client, line);
    for line in ["XADD k 1 f a", "XADD k 2 f b", "XGROUP CREATE k g 0", "XREADGROUP GROUP g c COUNT 1 STREAMS k >"] {
        ask(&mut world, line);
    }
    world.pass_ms(100);
    ask(&mut world, "XREADGROUP GROUP g d COUNT 1 STREAMS k >");
    world.pass_ms(50);
    assert_eq!(ask(&mut world, "XPENDING k g - + 9"), "[[\"1-0\", \"c\", :150, :1], [\"2-0\", \"d\", :50, :1]]");
    assert_eq!(ask(&mut world, "XPENDING k g IDLE 51 - + 9"), "[[\"1-0\", \"c\", :150, :1]]");
    assert_eq!(ask(&mut world, "XCLAIM k g d 100 1 2 JUSTID"), "[\"1-0\"]");
    assert_eq!(ask(&mut world, "XAUTOCLAIM k g e 50 0"), "[\"0-0\", [[\"2-0\", [\"f\", \"b\"]]], []]");
    world.pass_ms(7);
    assert_eq!(ask(&mut world, "XREADGROUP GROUP g c STREAMS k 0"), "[[\"k\", []]]");
    assert_eq!(ask(&mut world, "XPENDING k g - + 9"), "[[\"1-0\", \"d\", :7, :1], [\"2-0\", \"e\", :7, :2]]");
    assert_eq!(
        ask(&mut world, "XINFO CONSUMERS k g"),
        "[[\"name\", \"c\", \"pending\", :0, \"idle\", :0, \"inactive\", :157], \
          [\"name\", \"d\", \"pending\", :1, \"idle\", :7, \"inactive\", :7], \
          [\"name\", \"e\", \"pending\", :1, \"idle\", :7, \"inactive\", :7]]"
    );
    assert_eq!(ask(&mut world, "XREADGROUP GROUP g d STREAMS k 0"), "[[\"k\", [[\"1-0\", [\"f\", \"a\"]]]]]");
    assert_eq!(ask(&mut world, "XPENDING k g - + 1"), "[[\"1-0\", \"d\", :0, :2]]");
    assert_eq!(ask(&mut world, "XCLAIM k g d 0 1 IDLE 1000 RETRYCOUNT 9 JUSTID"), "[\"1-0\"]");
    assert_eq!(ask(&mut world, "XPENDING k g - + 1"), "[[\"1-0\", \"d\", :1000, :9]]");
    assert_eq!(ask(&mut world, "XCLAIM k g d 0 1 TIME 1700000000000 JUSTID"), "[\"1-0\"]");
    assert_eq!(ask(&mut world, "XPENDING k g - + 1"), "[[\"1-0\", \"d\", :157, :9]]");
    assert_eq!(ask(&mut world, "XCLAIM k g d 0 1 TIME 1800000000000 JUSTID"), "[\"1-0\"]");
    assert_eq!(ask(&mut world, "XPENDING k g - + 1"), "[[\"1-0\", \"d\", :0, :9]]");
}

#[test]
fn readers_wait() {
    let mut world = World::new();
    let (reader, writer) = (world.connect(), world.connect());
    world.ask(writer, "XADD k 5 f old");
    for (request, expected) in [
        ("XREAD BLOCK 0 STREAMS k $", "[[\"k\", [[\"6-0\", [\"f\", \"v\"]]]]]"),
        ("XREAD BLOCK 0 STREAMS none k 0 $", "[[\"k\", [[\"7-0\", [\"f\", \"v\"]]]]]"),
        ("XREAD COUNT 1 BLOCK 100 STREAMS k 7", "[[\"k\", [[\"8-0\", [\"f\", \"v\"]]]]]"),
    ] {
        world.send(reader, request);
        assert!(world.received(reader).is_empty(), "{request} waits");
        world.ask(writer, "XADD k MAXLEN 10 6 f v");
        let last = world.ask(writer, "XINFO STREAM k");
        let got = world.received(reader);
        if got.is_empty() {
            let next = if expected.contains("7-0") { "7" } else { "8" };
            world.ask(writer, &format!("XADD k {next} f v"));
            assert_eq!(world.received(reader), [expected], "{request} after {last}");
        } else {
            assert_eq!(got, [expected], "{request}");
        }
    }
    world.send(reader, "XREAD BLOCK 20 STREAMS k $");
    world.pass_ms(21);
    assert_eq!(world.received(reader), ["(nil array)"]);
}

#[test]
fn group_readers_wait_and_learn_of_loss() {
    let mut world = World::new();
    let (reader, writer) = (world.connect(), world.connect());
    let waits = |world: &mut World| {
        world.ask(writer, "DEL k");
        world.ask(writer, "XGROUP CREATE k g $ MKSTREAM");
        world.send(reader, "XREADGROUP GROUP g c BLOCK 0 STREAMS k >");
        assert!(world.received(reader).is_empty());
    };
    let no_group = "-NOGROUP No such key 'k' or consumer group 'g' in XREADGROUP with GROUP option";
    waits(&mut world);
    world.ask(writer, "XADD k 1 f v");
    assert_eq!(world.received(reader), ["[[\"k\", [[\"1-0\", [\"f\", \"v\"]]]]]"]);
    assert_eq!(world.ask(writer, "XPENDING k g"), "[:1, \"1-0\", \"1-0\", [[\"c\", \"1\"]]]");
    waits(&mut world);
    world.ask(writer, "XGROUP DESTROY k g");
    assert_eq!(world.received(reader), [no_group]);
    waits(&mut world);
    world.ask(writer, "DEL k");
    assert_eq!(world.received(reader), [no_group]);
    waits(&mut world);
    world.ask(writer, "SET k v");
    assert_eq!(world.received(reader), ["-WRONGTYPE Operation against a key holding the wrong kind of value"]);
    waits(&mut world);
    for line in ["XADD l 100 f v", "RENAME l k"] {
        world.ask(writer, line);
    }
    assert_eq!(world.received(reader), [no_group]);
    waits(&mut world);
    world.ask(writer, "XGROUP SETID k g 0");
    assert!(world.received(reader).is_empty());
}

#[test]
fn one_entry_for_two_waiting_consumers() {
    let mut world = World::new();
    let (first, second, writer) = (world.connect(), world.connect(), world.connect());
    world.ask(writer, "XGROUP CREATE k g $ MKSTREAM");
    world.send(first, "XREADGROUP GROUP g a BLOCK 0 STREAMS k >");
    world.send(second, "XREADGROUP GROUP g b BLOCK 0 STREAMS k >");
    world.ask(writer, "XADD k 1 f v");
    assert_eq!(world.received(first), ["[[\"k\", [[\"1-0\", [\"f\", \"v\"]]]]]"]);
    assert!(world.received(second).is_empty());
    world.ask(writer, "XADD k 2 f w");
    assert_eq!(world.received(second), ["[[\"k\", [[\"2-0\", [\"f\", \"w\"]]]]]"]);
}

#[test]
fn options_said_twice_are_too_many_words() {
    const TOO_MANY: &str = "-ERR unknown subcommand or wrong number of arguments for";
    let (create, set) = (format!("{TOO_MANY} 'CREATE'. Try XGROUP HELP."), format!("{TOO_MANY} 'SETID'. Try XGROUP HELP."));
    check(&[
        ("XADD x 1-1 f v", r#""1-1""#),
        ("XGROUP CREATE x g $ MKSTREAM MKSTREAM MKSTREAM", "+OK"),
        ("XGROUP CREATE x h $ MKSTREAM ENTRIESREAD 6 MKSTREAM", &create),
        ("XGROUP SETID x g 0 ENTRIESREAD 1 ENTRIESREAD 2", &set),
        ("XPENDING x g IDLE x +", "-ERR value is not an integer or out of range"),
        ("XPENDING x g IDLE 1 +", "-ERR syntax error"),
    ]);
}
