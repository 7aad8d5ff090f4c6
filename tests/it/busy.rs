//! Scripts that run too long. The stopwatch here goes ten milliseconds further whenever somebody looks.

use std::cell::Cell;

use ruddle::server::client::ClientKey;
use ruddle::server::{Stop, Stopwatch};

use crate::harness::World;

const BUSY: &str = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
const BUSY_FUNCTION: &str = "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
const FOREVER: &str = "EVAL 'while true do end' 0";
/// About ten looks at the clock.
const LONG: &str = "for i = 1, 1000000 do end";

fn ten_more_ms() -> u64 {
    thread_local!(static TIME: Cell<u64> = const { Cell::new(0) });
    TIME.set(TIME.get() + 10_000_000);
    TIME.get()
}

/// A server with little patience, and two clients.
fn hasty() -> (World, ClientKey, ClientKey) {
    let mut world = World::with(&[("busy-reply-threshold", "20"), ("appendonly", "no")]);
    world.server.state.stopwatch = Stopwatch(ten_more_ms);
    let (a, b) = (world.connect(), world.connect());
    (world, a, b)
}

fn finish(world: &mut World, client: ClientKey) -> String {
    for _ in 0..200 {
        if let Some(reply) = world.received(client).pop() {
            return reply;
        }
        world.pass_ms(1);
    }
    panic!("the script does not end");
}

#[test]
fn others_are_told_and_may_end_it() {
    let (mut world, a, b) = hasty();
    assert_eq!(world.ask(b, "SCRIPT KILL"), "-NOTBUSY No scripts in execution right now.");
    world.send(a, FOREVER);
    assert_eq!(world.received(a), [""; 0]);
    assert_eq!(world.ask(b, "PING"), BUSY);
    assert_eq!(world.ask(b, "GET x"), BUSY);
    assert_eq!(world.ask(b, "EVAL 'return 1' 0"), BUSY);
    assert_eq!(world.ask(b, "MULTI"), "+OK");
    assert_eq!(world.ask(b, "PING"), BUSY);
    assert_eq!(world.ask(b, "EXEC"), format!("-EXECABORT Transaction discarded because of: {}", &BUSY[1..]));
    world.pass_ms(5);
    assert_eq!(world.ask(b, "FUNCTION KILL"), BUSY);
    assert_eq!(world.ask(b, "SHUTDOWN"), BUSY);
    let running = world.ask(b, "FUNCTION STATS");
    assert!(running.contains("\"command\", [\"EVAL\", \"while true do end\", \"0\"], \"duration_ms\""), "{running}");
    assert_eq!(world.ask(b, "SCRIPT KILL"), "+OK");
    let end = "-ERR Script killed by user with SCRIPT KILL... script: 694a5fe1ddb97a4c6a1bf299d9537c7d3d0f84e7, on @user_script:1.";
    assert_eq!(finish(&mut world, a), end);
    assert_eq!(world.ask(b, "PING"), "+PONG");
    assert_eq!(world.ask(a, "EVAL 'return 1' 0"), ":1");
}

#[test]
fn nothing_that_a_script_catches_saves_it() {
    for code in [
        "while true do pcall(function() while true do end end) end",
        "local f = coroutine.wrap(function() while true do end end) while true do pcall(f) end",
        "local c = coroutine.create(function() while true do end end) coroutine.resume(c) while true do end",
        "while true do xpcall(function() while true do end end, function() end) end",
        "table.sort({3,2,1}, function() while true do end end)",
        "return (string.gsub('a', 'a', function() while true do end end))",
    ] {
        let (mut world, a, b) = hasty();
        world.send(a, &format!("EVAL \"{code}\" 0"));
        assert_eq!(world.ask(b, "PING"), BUSY, "{code}");
        assert_eq!(world.ask(b, "SCRIPT KILL"), "+OK");
        let end = finish(&mut world, a);
        assert!(end.starts_with("-ERR") && end.contains("Script killed by user with SCRIPT KILL..."), "{code}: {end}");
        assert_eq!(world.ask(b, "EVAL 'for i = 1, 1000 do end return 2' 0"), ":2");
    }
}

#[test]
fn what_has_written_is_not_ended_and_heard_of_as_a_whole() {
    let (mut world, a, b) = hasty();
    let c = world.connect();
    world.propagated();
    world.send(c, "BLPOP l 0");
    world.send(a, &format!("EVAL \"redis.call('rpush','l','1') {LONG} redis.call('set','x','1') return 7\" 0"));
    assert_eq!(
        world.ask(b, "SCRIPT KILL"),
        "-UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command."
    );
    assert_eq!(world.propagated(), [""; 0]);
    assert_eq!(world.received(c), [""; 0]);
    assert_eq!(finish(&mut world, a), ":7");
    assert_eq!(world.propagated(), ["SELECT 0", "MULTI", "rpush l 1", "set x 1", "EXEC", "LPOP l"]);
    assert_eq!(world.received(c), ["[\"l\", \"1\"]"]);
    assert_eq!(world.ask(b, "GET x"), "\"1\"");
}

#[test]
fn a_transaction_goes_on_with_its_script() {
    let (mut world, a, b) = hasty();
    world.propagated();
    for line in ["MULTI", "SET x 1", &format!("EVAL \"redis.call('incr','x') {LONG} return redis.call('incr','x')\" 0"), "INCR x", "EXEC"] {
        world.send(a, line);
    }
    assert_eq!(world.received(a).len(), 4, "EXEC is not answered yet");
    assert_eq!(world.ask(b, "GET x"), BUSY);
    assert_eq!(finish(&mut world, a), "[+OK, :3, :4]");
    assert_eq!(world.propagated(), ["SELECT 0", "MULTI", "SET x 1", "incr x", "incr x", "INCR x", "EXEC"]);
    assert_eq!(world.ask(a, "PING"), "+PONG");
}

#[test]
fn a_client_that_is_gone_leaves_its_script_behind() {
    let (mut world, a, b) = hasty();
    world.send(a, &format!("EVAL \"{LONG} redis.call('set','x','1')\" 0"));
    assert_eq!(world.ask(b, "GET x"), BUSY);
    world.disconnect(a);
    for _ in 0..20 {
        world.pass_ms(1);
    }
    assert_eq!(world.ask(b, "GET x"), "\"1\"");
    assert!(world.server.state.clients.get(a).is_none(), "it is forgotten once the script is done");
}

#[test]
fn its_clock_stands() {
    let (mut world, a, b) = hasty();
    world.ask(a, "SET x 1 PX 50");
    world.send(a, &format!("EVAL \"local t = redis.call('time') {LONG} local u = redis.call('time') return {{redis.call('get','x'), tostring(t[1] == u[1] and t[2] == u[2])}}\" 0"));
    assert_eq!(world.ask(b, "PING"), BUSY);
    world.pass_ms(100);
    assert_eq!(finish(&mut world, a), "[\"1\", \"true\"]");
    world.pass_ms(1);
    assert_eq!(world.ask(a, "GET x"), "(nil)");
}

#[test]
fn shutdown_nosave_ends_the_server() {
    let (mut world, a, b) = hasty();
    world.send(a, "EVAL \"redis.call('set','x','1') while true do end\" 0");
    world.send(b, "SHUTDOWN NOSAVE");
    assert!(matches!(world.server.state.stop, Some(Stop::Orderly(_))));
}

#[test]
fn functions_are_ended_by_their_own_command() {
    let (mut world, a, b) = hasty();
    world.ask(a, "FUNCTION LOAD \"#!lua name=l\\nredis.register_function('f', function() while true do end end)\"");
    world.send(a, "FCALL f 0");
    assert_eq!(world.ask(b, "PING"), BUSY_FUNCTION);
    assert_eq!(world.ask(b, "SCRIPT KILL"), BUSY_FUNCTION);
    assert_eq!(world.ask(b, "FUNCTION KILL"), "+OK");
    assert_eq!(finish(&mut world, a), "-ERR Script killed by user with SCRIPT KILL... script: f, on @user_function:2.");
}

#[test]
fn without_a_threshold_it_runs_to_its_end() {
    let (mut world, a, _) = hasty();
    assert_eq!(world.ask(a, "CONFIG SET lua-time-limit 0"), "+OK");
    assert_eq!(world.ask(a, &format!("EVAL '{LONG} return 1' 0")), ":1");
}
