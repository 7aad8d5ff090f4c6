//! COMMAND: everything that derives from the rows.

use crate::harness::{World, check, check3};

#[test]
fn one_entry_in_full() {
    check(&[
        (
            "COMMAND INFO get",
            "[[\"get\", :2, [+readonly, +fast], :1, :1, :1, [+@read, +@string, +@fast], [], [[\"flags\", [+RO, +access], \"begin_search\", [\"type\", \"index\", \"spec\", [\"index\", :1]], \"find_keys\", [\"type\", \"range\", \"spec\", [\"lastkey\", :0, \"keystep\", :1, \"limit\", :0]]]], []]]",
        ),
        ("COMMAND INFO nosuch client|nosuch", "[(nil), (nil)]"),
        ("COMMAND INFO client|id", "[[\"client|id\", :2, [+noscript, +loading, +stale], :0, :0, :0, [+@slow, +@connection], [], [], []]]"),
        ("COMMAND DOCS nosuch", "[]"),
        ("COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP."),
        ("COMMAND COUNT x", "-ERR wrong number of arguments for 'command|count' command"),
    ]);
    check3(&[("COMMAND INFO nosuch", "[(null)]"), ("COMMAND DOCS nosuch", "{}")]);
}

#[test]
fn keys_of_commands() {
    check(&[
        ("COMMAND GETKEYS GET k", "[\"k\"]"),
        ("COMMAND GETKEYS SPUBLISH channel message", "-ERR The command has no key arguments"),
        ("COMMAND GETKEYSANDFLAGS SPUBLISH channel message", "-ERR The command has no key arguments"),
        ("COMMAND GETKEYS SSUBSCRIBE channel", "-ERR The command has no key arguments"),
        ("COMMAND GETKEYS SET k v EX 10", "[\"k\"]"),
        ("COMMAND GETKEYS MSET a 1 b 2", "[\"a\", \"b\"]"),
        ("COMMAND GETKEYS DEL a b c", "[\"a\", \"b\", \"c\"]"),
        ("COMMAND GETKEYS ZUNION 2 a b WEIGHTS 1 2", "[\"a\", \"b\"]"),
        ("COMMAND GETKEYS ZUNIONSTORE to 2 a b", "[\"to\", \"a\", \"b\"]"),
        ("COMMAND GETKEYS MEMORY USAGE k", "[\"k\"]"),
        ("COMMAND GETKEYS SORT k STORE to", "[\"k\", \"to\"]"),
        ("COMMAND GETKEYS SORT k BY w_* LIMIT 0 1 GET STORE STORE to", "[\"k\", \"to\"]"),
        ("COMMAND GETKEYS PING", "-ERR The command has no key arguments"),
        ("COMMAND GETKEYS SET k", "-ERR Invalid number of arguments specified for command"),
        ("COMMAND GETKEYS nosuch k", "-ERR Invalid command specified"),
        ("COMMAND GETKEYS CLIENT nosuch", "-ERR Invalid command specified"),
        ("COMMAND GETKEYS ZUNION x a", "-ERR Invalid arguments specified for command"),
        ("COMMAND GETKEYS ZUNION 3 a", "-ERR Invalid arguments specified for command"),
        ("COMMAND GETKEYS", "-ERR wrong number of arguments for 'command|getkeys' command"),
        ("COMMAND GETKEYSANDFLAGS GET k", "[[\"k\", [+RO, +access]]]"),
        ("COMMAND GETKEYSANDFLAGS RENAME a b", "[[\"a\", [+RW, +access, +delete]], [\"b\", [+OW, +update]]]"),
        ("COMMAND GETKEYSANDFLAGS SET k v", "[[\"k\", [+OW, +update]]]"),
        ("COMMAND GETKEYSANDFLAGS SET k v GET", "[[\"k\", [+RW, +access, +update]]]"),
    ]);
}

#[test]
fn lists_of_names() {
    check(&[
        ("COMMAND LIST FILTERBY PATTERN setr*", "[\"setrange\"]"),
        ("COMMAND LIST FILTERBY PATTERN client|id", "[\"client|id\"]"),
        ("COMMAND LIST FILTERBY MODULE nosuch", "[]"),
        ("COMMAND LIST FILTERBY ACLCAT nosuch", "[]"),
        ("COMMAND LIST FILTERBY nosuch x", "-ERR syntax error"),
        ("COMMAND LIST FILTERBY ACLCAT", "-ERR syntax error"),
        ("COMMAND LIST nosuch", "-ERR syntax error"),
    ]);
    let mut world = World::new();
    let client = world.connect();
    let geo = world.ask(client, "COMMAND LIST FILTERBY ACLCAT geo");
    assert!(geo.contains("\"geoadd\"") && !geo.contains("\"get\""), "{geo}");
    let count: usize = world.ask(client, "COMMAND COUNT")[1..].parse().expect("a number");
    let names = world.ask(client, "COMMAND LIST");
    let (all, subcommands) = (names.matches('"').count() / 2, names.matches('|').count());
    assert_eq!(all - subcommands, count);
}

#[test]
fn arguments_are_documented() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "HELLO 3");
    let docs = world.ask(client, "COMMAND DOCS memory|usage");
    let arguments = "\"arguments\" [{\"name\" \"key\" \"type\" \"key\" \"display_text\" \"key\" \"key_spec_index\" :0}, {\"name\" \"count\" \"type\" \"integer\" \"display_text\" \"count\" \"token\" \"SAMPLES\" \"flags\" ~{+optional}}]";
    let plain =
        |text: &str| text.replace([',', ':', '~', '(', ')', '{', '}', '[', ']', '='], "").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plain(&docs).contains(&plain(arguments)), "{docs}");
}

#[test]
fn every_row_is_described_and_documented() {
    let mut world = World::new();
    let client = world.connect();
    let count: usize = world.ask(client, "COMMAND COUNT")[1..].parse().expect("a number");
    assert!(world.ask(client, "COMMAND").matches("\"flags\"").count() > count / 2);
    assert!(world.ask(client, "COMMAND DOCS").matches("\"summary\"").count() >= count);
}

#[test]
fn keys_are_told_where_the_arguments_are_whole() {
    check(&[
        ("COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 OVERFLOW SAT", "[[\"k\", [+RO, +access]]]"),
        ("COMMAND GETKEYSANDFLAGS BITFIELD k", "[[\"k\", [+RO, +access]]]"),
        ("COMMAND GETKEYSANDFLAGS BITFIELD k GET u8", "[[\"k\", [+RW, +access, +update]]]"),
        ("COMMAND GETKEYSANDFLAGS BITFIELD k GET u8 0 INCRBY u8 0 1", "[[\"k\", [+RW, +access, +update]]]"),
        ("COMMAND GETKEYS PFMERGE d", "-ERR Invalid arguments specified for command"),
        ("COMMAND GETKEYS ZDIFFSTORE d 0 z", "-ERR Invalid arguments specified for command"),
        ("COMMAND GETKEYS ZDIFFSTORE d 1 z", r#"["d", "z"]"#),
    ]);
}
