//! CLIENT and its subcommands.

use crate::harness::{World, check};

#[test]
fn names_and_libraries() {
    check(&[
        ("CLIENT GETNAME", "(nil)"),
        ("CLIENT SETNAME me", "+OK"),
        ("CLIENT GETNAME", "\"me\""),
        ("CLIENT SETNAME 'a b'", "-ERR Client names cannot contain spaces, newlines or special characters."),
        ("CLIENT GETNAME", "\"me\""),
        ("CLIENT SETNAME ''", "+OK"),
        ("CLIENT GETNAME", "(nil)"),
        ("CLIENT SETINFO LIB-NAME lib", "+OK"),
        ("CLIENT SETINFO lib-ver 1.2.3", "+OK"),
        ("CLIENT SETINFO LIB-NAME 'a b'", "-ERR LIB-NAME cannot contain spaces, newlines or special characters."),
        ("CLIENT SETINFO lib-ver 'a b'", "-ERR lib-ver cannot contain spaces, newlines or special characters."),
        ("CLIENT SETINFO foo bar", "-ERR Unrecognized option 'foo'"),
        ("CLIENT SETINFO LIB-NAME ''", "+OK"),
    ]);
}

#[test]
fn what_cannot_be_done() {
    check(&[
        ("CLIENT KILL 1.1.1.1:1", "-ERR No such client"),
        ("CLIENT KILL TYPE", "-ERR No such client"),
        ("CLIENT KILL ID a", "-ERR client-id should be greater than 0"),
        ("CLIENT KILL ID 0", "-ERR client-id should be greater than 0"),
        ("CLIENT KILL TYPE foo", "-ERR Unknown client type 'foo'"),
        ("CLIENT KILL USER nobody", "-ERR No such user 'nobody'"),
        ("CLIENT KILL MAXAGE a", "-ERR maxage is not an integer or out of range"),
        ("CLIENT KILL MAXAGE 0", "-ERR maxage should be greater than 0"),
        ("CLIENT KILL SKIPME x", "-ERR syntax error"),
        ("CLIENT KILL ID 5 TYPE", "-ERR syntax error"),
        ("CLIENT KILL FOO bar", "-ERR syntax error"),
        ("CLIENT KILL ID 1000000", ":0"),
        ("CLIENT LIST foo", "-ERR syntax error"),
        ("CLIENT LIST ID", "-ERR syntax error"),
        ("CLIENT LIST ID a", "-ERR Invalid client ID"),
        ("CLIENT LIST ID 0 1000000", "\"\""),
        ("CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'"),
        ("CLIENT LIST TYPE pubsub", "\"\""),
        ("CLIENT REPLY maybe", "-ERR syntax error"),
        ("CLIENT NO-EVICT maybe", "-ERR syntax error"),
        ("CLIENT NO-EVICT on", "+OK"),
        ("CLIENT NO-EVICT off", "+OK"),
        ("CLIENT NO-TOUCH maybe", "-ERR syntax error"),
        ("CLIENT NO-TOUCH on", "+OK"),
        ("CLIENT NO-TOUCH off", "+OK"),
        ("CLIENT UNBLOCK a", "-ERR value is not an integer or out of range"),
        ("CLIENT UNBLOCK a foo", "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        ("CLIENT UNBLOCK 1 TIMEOUT x", "-ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP."),
        ("CLIENT UNBLOCK 1000000", ":0"),
        ("CLIENT UNBLOCK -1 ERROR", ":0"),
        ("CLIENT PAUSE a", "-ERR timeout is not an integer or out of range"),
        ("CLIENT PAUSE -1", "-ERR timeout is negative"),
        ("CLIENT PAUSE 10 foo", "-ERR CLIENT PAUSE mode must be WRITE or ALL"),
        ("CLIENT PAUSE 10 WRITE x", "-ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP."),
        ("CLIENT PAUSE", "-ERR wrong number of arguments for 'client|pause' command"),
        ("CLIENT UNPAUSE", "+OK"),
        ("CLIENT UNPAUSE x", "-ERR wrong number of arguments for 'client|unpause' command"),
    ]);
}

#[test]
fn a_line_of_the_list() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "CLIENT SETNAME me");
    world.ask(client, "CLIENT SETINFO LIB-NAME lib");
    world.ask(client, "SELECT 3");
    world.pass_ms(2500);
    let info = world.ask(client, "CLIENT INFO");
    let fields: Vec<&str> =
        info.trim_matches('"').trim_end_matches("\\n").split(' ').map(|field| field.split('=').next().expect("a name")).collect();
    let expected = "id addr laddr fd name age idle flags db sub psub ssub multi watch qbuf qbuf-free argv-mem multi-mem rbs rbp obl oll omem tot-mem events cmd user redir resp lib-name lib-ver io-thread tot-net-in tot-net-out tot-cmds";
    assert_eq!(fields.join(" "), expected);
    for part in [
        "id=1 addr=127.0.0.1:1 laddr=127.0.0.1:6379 ",
        " name=me age=2 idle=0 flags=N db=3 ",
        " multi=-1 watch=0 ",
        " qbuf=26 ",
        " cmd=client|info user=default redir=-1 resp=2 lib-name=lib lib-ver= ",
    ] {
        assert!(info.contains(part), "{part} in {info}");
    }
}

#[test]
fn lists_and_kills_go_by_criteria() {
    let mut world = World::new();
    let me = world.connect();
    let others: Vec<_> = (0..3).map(|_| world.connect()).collect();
    world.ask(others[0], "CLIENT SETNAME a");
    world.ask(others[1], "SELECT 2");
    world.ask(others[1], "CLIENT NO-EVICT ON");
    let mut ids = |line: &str| -> String {
        let list = world.ask(me, line);
        let ids: Vec<&str> = list.trim_matches('"').split("\\n").filter_map(|line| line.strip_prefix("id=")?.split(' ').next()).collect();
        ids.join(" ")
    };
    assert_eq!(ids("CLIENT LIST"), "1 2 3 4");
    assert_eq!(ids("CLIENT LIST TYPE normal"), "1 2 3 4");
    assert_eq!(ids("CLIENT LIST TYPE replica"), "");
    assert_eq!(ids("CLIENT LIST ID 4 2 17"), "2 4");
    assert_eq!(ids("CLIENT LIST ID 4 2 NAME a"), "2");
    assert_eq!(ids("CLIENT LIST NAME a"), "2");
    assert_eq!(ids("CLIENT LIST DB 2"), "3");
    assert_eq!(ids("CLIENT LIST FLAGS e"), "3");
    assert_eq!(ids("CLIENT LIST USER default SKIPME yes"), "2 3 4");
    assert_eq!(ids("CLIENT LIST ADDR 127.0.0.1:1"), "1 2 3 4");
    assert_eq!(ids("CLIENT LIST IP 127.0.0.1 LADDR 127.0.0.1:6379"), "1 2 3 4");
    assert_eq!(ids("CLIENT LIST MAXAGE 1"), "");
    assert_eq!(world.ask(me, "CLIENT KILL ID 2"), ":1");
    assert_eq!(world.server.take_closing(), [others[0]]);
    assert_eq!(world.ask(me, "CLIENT KILL DB 2 TYPE normal"), ":1");
    assert_eq!(world.ask(me, "CLIENT KILL TYPE normal"), ":1");
    assert_eq!(world.ask(me, "CLIENT KILL SKIPME no ID 1"), ":1");
    world.send(me, "PING");
    assert_eq!(world.received(me), [""; 0], "closing");
}

#[test]
fn reply_modes() {
    let mut world = World::new();
    let client = world.connect();
    let script = "CLIENT REPLY SKIP\r\nPING\r\nPING 1\r\nCLIENT REPLY OFF\r\nPING\r\nnosuch\r\nCLIENT REPLY ON\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY SKIP\r\nPING\r\nPING 2\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\nPING 3\r\n";
    world.send_raw(client, script.as_bytes());
    assert_eq!(world.received(client), ["\"1\"", "+OK", "\"2\"", "+OK", "\"3\""]);
}

#[test]
fn a_pause_holds_commands_back_in_order() {
    let mut world = World::new();
    let (me, other) = (world.connect(), world.connect());
    assert_eq!(world.ask(me, "CLIENT PAUSE 1000 WRITE"), "+OK");
    world.send(other, "GET k");
    assert_eq!(world.received(other), ["(nil)"]);
    world.send(other, "SET k v");
    assert_eq!(world.received(other), [""; 0]);
    assert!(world.ask(me, "CLIENT LIST ID 2").contains(" flags=b "));
    world.pass_ms(1001);
    assert_eq!(world.received(other), ["+OK"]);
    assert_eq!(world.ask(me, "CLIENT PAUSE 1000"), "+OK");
    world.send(me, "CLIENT UNPAUSE");
    assert_eq!(world.received(me), [""; 0], "everybody waits");
}

#[test]
fn a_pause_is_only_made_longer() {
    let mut world = World::new();
    let (me, other) = (world.connect(), world.connect());
    world.ask(me, "CLIENT PAUSE 2000 WRITE");
    world.ask(me, "CLIENT PAUSE 500 WRITE");
    world.pass_ms(1000);
    world.send(other, "SET k v");
    assert_eq!(world.received(other), [""; 0]);
    assert_eq!(world.ask(me, "CLIENT UNPAUSE"), "+OK");
    assert_eq!(world.ask(me, "PING"), "+PONG");
}
