//! Logging in, protocols, databases, signs of life.

use crate::harness::{World, check, check_with, check3};

#[test]
fn empty_lines_between_requests_are_passed_over_wherever_the_input_is_cut() {
    let mut bytes = Vec::new();
    for key in 0..6 {
        bytes.extend(crate::harness::request(&format!("SET k{key} value")));
        bytes.extend(std::iter::repeat_n(b'\n', key));
    }
    for cut in 1..bytes.len() {
        let mut world = crate::harness::World::new();
        let client = world.connect();
        world.send_raw(client, &bytes[..cut]);
        world.send_raw(client, &bytes[cut..]);
        assert_eq!(world.received(client), vec!["+OK"; 6], "cut at {cut}");
    }
}

#[test]
fn ping_and_echo() {
    check(&[
        ("PING", "+PONG"),
        ("ping hello", "\"hello\""),
        ("PING \"\"", "\"\""),
        ("PING a b", "-ERR wrong number of arguments for 'ping' command"),
        ("ECHO \"a\\nb\"", "\"a\\nb\""),
        ("ECHO", "-ERR wrong number of arguments for 'echo' command"),
        ("ECHO a b", "-ERR wrong number of arguments for 'echo' command"),
    ]);
    check3(&[("PING", "+PONG"), ("PING x", "\"x\"")]);
}

#[test]
fn what_is_no_command() {
    check(&[
        ("nosuch", "-ERR unknown command 'nosuch', with args beginning with: "),
        ("nosuch a 'b c'", "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b c' "),
        ("CLIENT nosuch", "-ERR unknown subcommand 'nosuch'. Try CLIENT HELP."),
        ("CLIENT", "-ERR wrong number of arguments for 'client' command"),
        ("CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command"),
        ("\"a\\r\\nb\" c", "-ERR unknown command 'a  b', with args beginning with: 'c' "),
    ]);
}

#[test]
fn select_chooses_a_database() {
    check(&[
        ("SET k zero", "+OK"),
        ("SELECT 1", "+OK"),
        ("GET k", "(nil)"),
        ("SELECT 16", "-ERR DB index is out of range"),
        ("SELECT -1", "-ERR DB index is out of range"),
        ("SELECT 99999999999", "-ERR value is out of range, value must between -2147483648 and 2147483647"),
        ("SELECT x", "-ERR value is not an integer or out of range"),
        ("SELECT 0", "+OK"),
        ("GET k", "\"zero\""),
    ]);
}

#[test]
fn hello_negotiates() {
    check(&[
        ("HELLO 4", "-NOPROTO unsupported protocol version"),
        ("HELLO 1", "-NOPROTO unsupported protocol version"),
        ("HELLO x", "-ERR Protocol version is not an integer or out of range"),
        ("HELLO 3 foo", "-ERR Syntax error in HELLO option 'foo'"),
        ("HELLO 3 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'"),
        ("HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'"),
        ("HELLO 3 SETNAME 'a b'", "-ERR Client names cannot contain spaces, newlines or special characters."),
        ("HELLO 3 AUTH nobody x", "-WRONGPASS invalid username-password pair or user is disabled."),
        ("GET k", "(nil)"),
    ]);
    let mut world = World::new();
    let client = world.connect();
    let expected = |proto| {
        let pairs = format!(
            "\"server\" \"redis\" \"version\" \"8.0.6\" \"proto\" :{proto} \"id\" :1 \"mode\" \"standalone\" \"role\" \"master\" \"modules\" []"
        );
        if proto == 2 { format!("[{}]", pairs.replace("\" ", "\", ").replace(":2 ", ":2, ").replace(":1 ", ":1, ")) } else { pairs }
    };
    assert_eq!(world.ask(client, "HELLO"), expected(2));
    assert_eq!(world.ask(client, "HELLO 2"), expected(2));
    assert!(world.ask(client, "HELLO 3 SETNAME me AUTH default any").contains("\"proto\""));
    assert_eq!(world.ask(client, "CLIENT GETNAME"), "\"me\"");
    assert_eq!(world.ask(client, "GET k"), "(null)");
}

#[test]
fn a_password_is_asked_for() {
    check(&[
        (
            "AUTH x",
            "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
        ),
        ("AUTH a b c", "-ERR syntax error"),
        ("AUTH default anything", "+OK"),
        ("AUTH nobody anything", "-WRONGPASS invalid username-password pair or user is disabled."),
    ]);
    let no_hello = "-NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time";
    check_with(
        &[("requirepass", "secret")],
        &[
            ("PING", "-NOAUTH Authentication required."),
            ("GET k", "-NOAUTH Authentication required."),
            ("nosuch", "-ERR unknown command 'nosuch', with args beginning with: "),
            ("GET", "-ERR wrong number of arguments for 'get' command"),
            ("HELLO", no_hello),
            ("HELLO 3", no_hello),
            ("AUTH wrong", "-WRONGPASS invalid username-password pair or user is disabled."),
            ("AUTH nobody secret", "-WRONGPASS invalid username-password pair or user is disabled."),
            ("AUTH secret", "+OK"),
            ("PING", "+PONG"),
            ("RESET", "+RESET"),
            ("PING", "-NOAUTH Authentication required."),
            ("AUTH default secret", "+OK"),
            ("GET k", "(nil)"),
        ],
    );
}

#[test]
fn an_unauthenticated_client_may_not_send_much() {
    let mut world = World::with(&[("requirepass", "secret")]);
    let client = world.connect();
    world.send_raw(client, b"*11\r\n");
    assert_eq!(world.received(client), ["-ERR Protocol error: unauthenticated multibulk length"]);
    let client = world.connect();
    world.send_raw(client, b"*1\r\n$16385\r\n");
    assert_eq!(world.received(client), ["-ERR Protocol error: unauthenticated bulk length"]);
}

#[test]
fn quit_answers_and_closes() {
    let mut world = World::new();
    let client = world.connect();
    world.send_raw(client, b"QUIT\r\nPING\r\n");
    assert_eq!(world.received(client), ["+OK"]);
}

#[test]
fn reset_starts_the_session_anew() {
    let mut world = World::new();
    let client = world.connect();
    for line in ["HELLO 3", "SELECT 5", "CLIENT SETNAME me", "CLIENT NO-TOUCH ON", "CLIENT NO-EVICT ON", "CLIENT REPLY OFF"] {
        world.ask(client, line);
    }
    assert_eq!(world.ask(client, "RESET"), "+RESET");
    assert_eq!(world.ask(client, "CLIENT GETNAME"), "(nil)");
    let info = world.ask(client, "CLIENT INFO");
    assert!(info.contains(" flags=N db=0 ") && info.contains(" resp=2 "), "{info}");
}

#[test]
fn browsers_are_cut_off() {
    let mut world = World::new();
    for line in ["POST / HTTP/1.1\r\n", "Host: x\r\n"] {
        let client = world.connect();
        world.send_raw(client, line.as_bytes());
        assert_eq!(world.received(client), [""; 0]);
        assert!(world.server.take_closing().contains(&client));
    }
}

#[test]
fn a_word_in_an_error_ends_at_a_zero_byte() {
    check(&[
        ("HELLO 3 \"a\\x00b\"", "-ERR Syntax error in HELLO option 'a'"),
        ("REPLCONF \"foo\\x00bar\" 1", "-ERR Unrecognized REPLCONF option: foo"),
        ("CLIENT LIST TYPE \"no\\x00pe\"", "-ERR Unknown client type 'no'"),
        ("CLIENT KILL USER \"a\\x00b\"", "-ERR No such user 'a'"),
        ("CLIENT SETINFO \"x\\x00y\" z", "-ERR Unrecognized option 'x'"),
        ("ACL CAT \"a\\x00b\"", "-ERR Unknown category 'a'"),
        ("ACL DRYRUN \"a\\x00b\" get x", "-ERR User 'a' not found"),
        ("ACL DRYRUN default \"ge\\x00t\" x", "-ERR Command 'ge' not found"),
        ("FUNCTION LIST \"a\\x00b\"", "-ERR Unknown argument a"),
        ("FUNCTION LOAD \"x\\x00y\" \"#!lua\"", "-ERR Unknown option given: x"),
        ("LATENCY GRAPH \"a\\x00b\"", "-ERR No samples available for event 'a'"),
        ("HSETEX h \"a\\x00b\" FIELDS 1 f v", "-ERR unknown argument: a"),
        ("SET k v", "+OK"),
        ("EXPIRE k 10 \"N\\x00X\"", "-ERR Unsupported option N"),
        (
            "CLIENT TRACKING ON BCAST PREFIX \"a\\x00b\" PREFIX \"a\\x00bc\"",
            "-ERR Prefix 'a' overlaps with another provided prefix 'a'. Prefixes for a single client must not overlap.",
        ),
    ]);
}
