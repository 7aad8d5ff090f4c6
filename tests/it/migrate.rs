//! MIGRATE: words and errors, and what travels, with the test as the other server and its network.

use bytes::Bytes;
use ruddle::server::client::ClientKey;
use ruddle::server::migration::{LineId, Wish};

use crate::harness::{World, check};

/// A server, a client that migrates, and one that looks on.
struct Journey {
    world: World,
    mover: ClientKey,
    other: ClientKey,
}

impl Journey {
    fn new(script: &[&str]) -> Journey {
        let mut world = World::new();
        let (mover, other) = (world.connect(), world.connect());
        for line in script {
            let reply = world.ask(other, line);
            assert!(!reply.starts_with('-'), "{line}: {reply}");
        }
        world.propagated();
        Journey { world, mover, other }
    }

    /// The client asks for a migration; gives the line that is wished for.
    #[track_caller]
    fn begin(&mut self, line: &str) -> LineId {
        self.world.send(self.mover, line);
        self.dialled()
    }

    #[track_caller]
    fn dialled(&mut self) -> LineId {
        match self.world.server.take_wishes().as_slice() {
            [Wish::Dial { line, host, port: 7 }] if host == "there" => *line,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn sent(&mut self, line: LineId) -> String {
        match self.world.server.take_wishes().as_slice() {
            [Wish::Send { line: over, bytes }] if *over == line => words(bytes),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn hears(&mut self, line: LineId, bytes: &str) {
        assert!(self.world.server.line_heard(line, bytes.as_bytes()), "somebody has asked it something");
    }

    #[track_caller]
    fn check_reply(&mut self, reply: &str) {
        assert_eq!(self.world.received(self.mover), [reply]);
    }

    #[track_caller]
    fn check(&mut self, script: &[(&str, &str)]) {
        for (line, reply) in script {
            assert_eq!(self.world.ask(self.other, line), *reply, "{line}");
        }
    }

    /// What was propagated, but for the choice of a database.
    fn changes(&mut self) -> Vec<String> {
        self.world.propagated().into_iter().filter(|line| !line.starts_with("SELECT")).collect()
    }

    /// The line is closed by this server.
    #[track_caller]
    fn is_hung_up(&mut self, line: LineId) {
        assert!(matches!(self.world.server.take_wishes().as_slice(), [Wish::HangUp { line: gone }] if *gone == line));
    }
}

/// The requests without payloads.
fn words(bytes: &Bytes) -> String {
    let mut reader = ruddle::resp::reader::ReplyReader::new();
    reader.feed(bytes);
    let mut requests = Vec::new();
    while let Some(ruddle::resp::reader::Reply::Array(words)) = reader.next_reply().expect("well-formed requests") {
        let words: Vec<String> = words.iter().map(|word| word.to_string().trim_matches('"').to_string()).collect();
        let shown = words.iter().map(|word| if word.contains("\\x") { "~" } else { word.as_str() });
        requests.push(shown.collect::<Vec<_>>().join(" "));
    }
    requests.join(", ")
}

#[test]
fn words_are_looked_at_before_anything_is_sent() {
    check(&[
        ("MIGRATE 127.0.0.1 1 k 0 10", "+NOKEY"),
        ("MIGRATE 127.0.0.1 1 \"\" 0 10 KEYS a b", "+NOKEY"),
        ("MIGRATE 127.0.0.1 1 \"\" 0 10 KEYS", "+NOKEY"),
        ("SET k v", "+OK"),
        ("MIGRATE 127.0.0.1 1 k 0", "-ERR wrong number of arguments for 'migrate' command"),
        ("MIGRATE 127.0.0.1 1 k x 10", "-ERR value is not an integer or out of range"),
        ("MIGRATE 127.0.0.1 1 k 0 x", "-ERR value is not an integer or out of range"),
        ("MIGRATE 127.0.0.1 1 k 0 10 AUTH", "-ERR syntax error"),
        ("MIGRATE 127.0.0.1 1 k 0 10 AUTH2 u", "-ERR syntax error"),
        ("MIGRATE 127.0.0.1 1 k 0 10 NX", "-ERR syntax error"),
        ("MIGRATE 127.0.0.1 1 k 0 10 KEYS k", "-ERR When using MIGRATE KEYS option, the key argument must be set to the empty string"),
        ("COMMAND GETKEYS MIGRATE h 1 k 0 10 COPY", "[\"k\"]"),
        ("COMMAND GETKEYS MIGRATE h 1 \"\" 0 10 COPY AUTH KEYS KEYS a b", "[\"a\", \"b\"]"),
    ]);
}

#[test]
fn keys_leave_when_the_target_has_confirmed_them() {
    let mut journey = Journey::new(&["SET a 1", "RPUSH l 1 2", "SET b 2 PX 5000", "SET c 3"]);
    let line = journey.begin("MIGRATE there 7 \"\" 3 1000 AUTH2 me secret KEYS a b nope c");
    journey.world.server.line_up(line);
    assert_eq!(journey.sent(line), "AUTH me secret, SELECT 3, RESTORE a 0 ~, RESTORE b 5000 ~, RESTORE c 0 ~");
    journey.hears(line, "+OK\r\n+OK\r\n+OK\r\n-BUSYKEY Target");
    journey.check(&[("EXISTS a b c", ":3")]);
    journey.hears(line, " key name already exists.\r\n+OK\r\n");
    journey.check_reply("-ERR Target instance replied with error: BUSYKEY Target key name already exists.");
    journey.check(&[("KEYS *", "[\"l\", \"b\"]")]);
    assert_eq!(journey.changes(), ["DEL a c"]);
    // the line is used again, and the database chosen anew after an error; then it is known
    journey.world.send(journey.mover, "MIGRATE there 7 b 3 1000 REPLACE COPY");
    assert_eq!(journey.sent(line), "SELECT 3, RESTORE b 5000 ~ REPLACE");
    journey.hears(line, "+OK\r\n+OK\r\n");
    journey.check_reply("+OK");
    journey.world.send(journey.mover, "MIGRATE there 7 l 3 1000");
    assert_eq!(journey.sent(line), "RESTORE l 0 ~");
    journey.hears(line, "+OK\r\n");
    journey.check_reply("+OK");
    journey.check(&[("KEYS *", "[\"b\"]")]);
    assert_eq!(journey.changes(), ["DEL l"]);
    assert_eq!(journey.world.server.state.migrations.idle_lines(), 1);
    journey.world.pass_ms(11_000);
    journey.is_hung_up(line);
}

#[test]
fn without_a_login_or_a_database_nothing_leaves() {
    for (answers, error) in [
        ("-WRONGPASS no\r\n+OK\r\n+OK\r\n", "WRONGPASS no"),
        ("+OK\r\n-ERR DB index is out of range\r\n+OK\r\n", "ERR DB index is out of range"),
        ("-ERR one\r\n-ERR two\r\n-ERR three\r\n", "ERR one"),
    ] {
        let mut journey = Journey::new(&["SET a 1"]);
        let line = journey.begin("MIGRATE there 7 a 99 1000 AUTH x");
        journey.world.server.line_up(line);
        journey.sent(line);
        journey.hears(line, answers);
        journey.check_reply(&format!("-ERR Target instance replied with error: {error}"));
        journey.check(&[("GET a", "\"1\"")]);
        assert_eq!(journey.changes(), Vec::<String>::new());
    }
}

#[test]
fn a_line_that_breaks_is_tried_once_more_before_the_first_answer() {
    let mut journey = Journey::new(&["MSET a 1 b 2"]);
    let first = journey.begin("MIGRATE there 7 \"\" 0 1000 KEYS a b");
    journey.world.server.line_up(first);
    journey.sent(first);
    journey.world.server.line_down(first);
    let second = journey.dialled();
    journey.world.server.line_up(second);
    assert_eq!(journey.sent(second), "SELECT 0, RESTORE a 0 ~, RESTORE b 0 ~");
    journey.world.server.line_moved(second, 0);
    journey.hears(second, "+OK\r\n+OK\r\n");
    journey.world.server.line_down(second);
    journey.check_reply("-IOERR error or timeout reading to target instance");
    // what was confirmed is gone, what was not is here
    journey.check(&[("KEYS *", "[\"b\"]")]);
    assert_eq!(journey.changes(), ["DEL a"]);
    // nobody listens at all
    let line = journey.begin("MIGRATE there 7 b 0 1000");
    journey.world.server.line_down(line);
    let line = journey.dialled();
    journey.world.server.line_down(line);
    journey.check_reply("-IOERR error or timeout writing to target instance");
    journey.check(&[("KEYS *", "[\"b\"]")]);
}

#[test]
fn silence_ends_it_and_progress_does_not() {
    let mut journey = Journey::new(&["SET a 1"]);
    let line = journey.begin("MIGRATE there 7 a 0 500");
    journey.world.pass_ms(400);
    journey.world.server.line_up(line);
    journey.sent(line);
    journey.world.pass_ms(400);
    journey.world.server.line_moved(line, 10);
    journey.world.pass_ms(400);
    journey.world.server.line_moved(line, 0);
    journey.world.pass_ms(400);
    assert_eq!(journey.world.received(journey.mover), Vec::<String>::new());
    journey.world.pass_ms(200);
    journey.check_reply("-IOERR error or timeout reading to target instance");
    journey.is_hung_up(line);
    journey.check(&[("GET a", "\"1\"")]);
    let line = journey.begin("MIGRATE there 7 a 0 -5");
    journey.world.pass_ms(900);
    assert_eq!(journey.world.received(journey.mover), Vec::<String>::new());
    journey.world.pass_ms(200);
    journey.check_reply("-IOERR error or timeout connecting to the client");
    journey.is_hung_up(line);
}

#[test]
fn what_is_no_answer_confirms_nothing() {
    for answer in ["HTTP/1.1 400 Bad Request\r\n", "+PONG\r\n", "$2\r\nOK\r\n", "+OK\r\n+OK\r\n+OK\r\n", "+OK\r\n+OK\r\nx"] {
        let mut journey = Journey::new(&["SET a 1"]);
        let line = journey.begin("MIGRATE there 7 a 0 500");
        journey.world.server.line_up(line);
        journey.sent(line);
        journey.world.server.line_moved(line, 0);
        journey.hears(line, answer);
        journey.check_reply("-IOERR error or timeout reading to target instance");
        let confirmed = answer.starts_with("+OK\r\n+OK");
        journey.check(&[("EXISTS a", if confirmed { ":0" } else { ":1" })]);
    }
}

#[test]
fn writes_of_keys_on_their_way_wait_and_others_do_not() {
    let mut journey = Journey::new(&["MSET a 1 b 2", "RPUSH from x"]);
    let line = journey.begin("MIGRATE there 7 \"\" 0 1000 KEYS a l");
    journey.check(&[("GET a", "\"1\""), ("SET b 3", "+OK"), ("SET a 2", "")]);
    let third = journey.world.connect();
    assert_eq!(journey.world.ask(third, "FLUSHALL"), "");
    let fourth = journey.world.connect();
    for (line, reply) in [("MULTI", "+OK"), ("INCR b", "+QUEUED"), ("INCR a", "+QUEUED"), ("EXEC", "")] {
        assert_eq!(journey.world.ask(fourth, line), reply, "{line}");
    }
    journey.world.server.line_up(line);
    journey.sent(line);
    journey.hears(line, "+OK\r\n+OK\r\n");
    journey.check_reply("+OK");
    journey.world.pass_ms(0);
    assert_eq!(journey.world.received(journey.other), ["+OK"]);
    assert_eq!(journey.world.received(third), ["+OK"]);
    assert_eq!(journey.world.received(fourth), ["[:1, :1]"]);
    assert_eq!(journey.changes()[..2], ["SET b 3", "DEL a"]);
}

#[test]
fn a_client_that_leaves_takes_nothing_along() {
    for ending in ["gone", "CLIENT UNBLOCK {id} ERROR", "CLIENT UNBLOCK {id}"] {
        let mut journey = Journey::new(&["SET a 1"]);
        let line = journey.begin("MIGRATE there 7 a 0 1000");
        journey.world.server.line_up(line);
        journey.sent(line);
        if ending == "gone" {
            journey.world.disconnect(journey.mover);
        } else {
            let id = journey.world.server.state.clients[journey.mover].id.to_string();
            journey.check(&[(&ending.replace("{id}", &id), ":1")]);
        }
        journey.is_hung_up(line);
        journey.check(&[("SET a 2", "+OK"), ("GET a", "\"2\"")]);
    }
}

#[test]
fn nothing_waits_within_a_transaction() {
    let mut journey = Journey::new(&["SET a 1"]);
    journey.check(&[
        ("MULTI", "+OK"),
        ("MIGRATE there 7 a 0 1000", "+QUEUED"),
        ("EXEC", "[-ERR MIGRATE cannot wait for another server within a transaction or a script]"),
        ("GET a", "\"1\""),
    ]);
}
