//! The debugger of scripts, in sync sessions. What it says was compared with redis-server's, but for its help.

use ruddle::resp::writer::write_command;
use ruddle::server::Stopwatch;
use ruddle::server::client::ClientKey;

use crate::harness::World;

const ENDED: &str = "[+<endsession>]";

/// A server and a client in debug mode.
fn world() -> (World, ClientKey) {
    let mut world = World::new();
    let client = world.connect();
    assert_eq!(world.ask(client, "SCRIPT DEBUG SYNC"), "+OK");
    (world, client)
}

/// What a session answers to a line, each of whose words is one.
fn say(world: &mut World, client: ClientKey, line: &str) -> Vec<String> {
    say_words(world, client, &line.split(' ').collect::<Vec<&str>>())
}

/// Starts a script with two keys and an argument. Gives what it answers.
fn eval(world: &mut World, client: ClientKey, script: &str) -> Vec<String> {
    say_words(world, client, &["EVAL", script, "2", "k1", "k2", "a1"])
}

fn say_words(world: &mut World, client: ClientKey, words: &[&str]) -> Vec<String> {
    let mut wire = Vec::new();
    write_command(&mut wire, words.len(), words.iter().map(|word| word.as_bytes()));
    world.send_raw(client, &wire);
    world.pass_ms(1);
    world.received(client)
}

/// Plays a session: a script, and lines with what they are answered.
fn session(script: &str, lines: &[(&str, &[&str])]) -> World {
    let (mut world, client) = world();
    eval(&mut world, client, script);
    for (line, answers) in lines {
        assert_eq!(say(&mut world, client, line), *answers, "{line}");
    }
    world
}

#[test]
fn a_script_is_walked_through_line_by_line() {
    let script = "local a = redis.call('set', KEYS[1], 'v')\nlocal b = redis.call('get', 'k1')\nreturn {b, #ARGV}";
    let (mut world, client) = world();
    assert_eq!(
        eval(&mut world, client, script),
        ["[+* Stopped at 1, stop reason = step over, +-> 1   local a = redis.call('set', KEYS[1], 'v')]"]
    );
    for (line, answers) in [
        (
            "step",
            "[+<redis> set k1 v, +<reply> \"+OK\", +* Stopped at 2, stop reason = step over, +-> 2   local b = redis.call('get', 'k1')]",
        ),
        ("PRINT", "[+<value> a = {[\"ok\"]=\"OK\"}]"),
        ("p a", "[+<value> {[\"ok\"]=\"OK\"}]"),
        ("p nope", "[+No such variable.]"),
        ("p KEYS", "[+<value> {\"k1\"; \"k2\"}]"),
        ("p ARGV", "[+<value> {\"a1\"}]"),
        ("n", "[+<redis> get k1, +<reply> \"v\", +* Stopped at 3, stop reason = step over, +-> 3   return {b, #ARGV}]"),
        ("trace", "[+In top level:, +-> 3   return {b, #ARGV}]"),
        ("list 1 1", "[+   1   local a = redis.call('set', KEYS[1], 'v'), +   2   local b = redis.call('get', 'k1')]"),
        ("list 2 0", "[+   2   local b = redis.call('get', 'k1')]"),
        ("nonsense", "[+<error> Unknown Redis Lua debugger command or wrong number of arguments.]"),
        ("redis", "[+<error> Unknown Redis Lua debugger command or wrong number of arguments.]"),
        ("redis incr n", "[+<redis> incr n, +<reply> 1]"),
        (
            "r incr k1",
            "[+<redis> incr k1, +<error> value is not an integer or out of range, +<reply> \"-ERR value is not an integer or out of range\"]",
        ),
        ("r nosuch", "[+<redis> nosuch, +<error> Unknown Redis command called from script]"),
    ] {
        assert_eq!(say(&mut world, client, line), [answers], "{line}");
    }
    assert_eq!(say(&mut world, client, "c"), [ENDED, "[\"v\", :1]"]);
    let other = world.connect();
    assert_eq!(world.ask(other, "MGET k1 n"), "[\"v\", \"1\"]");
}

#[test]
fn breakpoints_stop_a_script_that_goes_on() {
    session(
        "local n = 0\nwhile n < 3 do\n  n = n + 1\n  if n == 2 then redis.breakpoint() end\nend\nredis.debug('n', n, nil, {1,2})\nreturn n",
        &[
            ("b", &["[+No breakpoints set. Use 'b <line>' to add one.]"]),
            ("b 3", &["[+   2   while n < 3 do, +  #3     n = n + 1, +   4     if n == 2 then redis.breakpoint() end]"]),
            ("b 3 99 x", &["[+Wrong line number., +Wrong line number., +Invalid argument:'x']"]),
            ("b", &["[+1 breakpoints set:, +  #3     n = n + 1]"]),
            ("continue", &["[+* Stopped at 3, stop reason = break point, +->#3     n = n + 1]"]),
            ("p n", &["[+<value> 0]"]),
            ("b -3", &["[+Breakpoint removed.]"]),
            ("b -3 0", &["[+No breakpoint in the specified line., +All breakpoints removed.]"]),
            ("c", &["[+* Stopped at 2, stop reason = redis.breakpoint() called, +-> 2   while n < 3 do]"]),
            ("c", &["[+<debug> line 6: \"n\", 3, nil, {1; 2}, +<endsession>]", ":3"]),
        ],
    );
}

#[test]
fn values_are_shown_whatever_they_are() {
    session(
        "local t = {0.1, 1e100, 1/0, {}, {{{{{{{{{{{{1}}}}}}}}}}}}, a='b', [5.5]=true}\nlocal s = 'a\\r\\n\\0\\255'\nlocal long = string.rep('x', 300)\nreturn 1",
        &[
            ("e 1 +", &["[+<error> ldb_eval:1: unexpected symbol near '1']"]),
            ("e nope", &["[+<error> ldb_eval:1: Script attempted to access nonexistent global variable 'nope']"]),
            ("e error('x')", &["[+<error> ldb_eval:1: x]"]),
            ("e redis.call('nosuch')", &["[+<error> ERR Unknown Redis command called from script]"]),
            ("e redis.call('set','x','y')", &["[+<retval> {[\"ok\"]=\"OK\"}]"]),
            ("e x = 1", &["[+<error> ldb_eval:1: Attempt to modify a readonly table]"]),
            ("e", &["[+<retval> nil]"]),
            (
                "e local a = {} a.a = a return a",
                &[
                    "[+<retval> {[\"a\"]={[\"a\"]={[\"a\"]={[\"a\"]={[\"a\"]={[\"a\"]={[\"a\"]={[\"a\"]={[\"a\"]={[<max recursion level reached! Nested table?>]=<max recursion level reached! Nested table?>}}}}}}}}}}]",
                ],
            ),
            ("s", &["[+* Stopped at 2, stop reason = step over, +-> 2   local s = 'a\\r\\n\\0\\255']"]),
            (
                "p t",
                &[
                    "[+<value> {[1]=0.1; [2]=1e+100; [3]=inf; [4]={}; [5]={{{{{{{{{<max recursion level reached! Nested table?>}}}}}}}}}; [\"a\"]=\"b\"; [5.5]=true}]",
                ],
            ),
            ("s", &["[+* Stopped at 3, stop reason = step over, +-> 3   local long = string.rep('x', 300)]"]),
            ("p s", &["[+<value> \"a\\r\\n\\x00\\xff\"]"]),
            ("s", &["[+* Stopped at 4, stop reason = step over, +-> 4   return 1]"]),
            ("m 10", &["[+<value> replies are truncated at 60 bytes.]"]),
            ("p long", &[&format!("[+<value> \"{} ...]", "x".repeat(51))]),
            ("m 0", &["[+<value> replies are unlimited.]"]),
            ("p long", &[&format!("[+<value> \"{}\"]", "x".repeat(300))]),
            ("c", &[ENDED, ":1"]),
        ],
    );
}

#[test]
fn a_session_ends_with_its_script_however_that_ends() {
    let sha = "script: ";
    for (script, line, end) in [
        ("return 1", "c", ":1"),
        ("local a = 1\nreturn a", "abort", "-ERR script aborted for user request"),
        ("error('boom')", "c", "-ERR user_script:1: boom"),
        ("return redis.call('nosuch')", "c", "-ERR Unknown Redis command called from script"),
    ] {
        let (mut world, client) = world();
        eval(&mut world, client, script);
        let replies = say(&mut world, client, line);
        assert_eq!(replies[0], ENDED, "{script}");
        assert_eq!(replies[1].split(&format!(" {sha}")).next(), Some(end), "{script}");
        assert!(world.server.state.debugging.session.is_none() && world.server.state.busy.is_none());
    }
    let (mut world, client) = world();
    let replies = eval(&mut world, client, "local = 1");
    assert_eq!(replies[0], ENDED);
    assert!(replies[1].starts_with("-ERR Error compiling script (new function): user_script:1:"), "{replies:?}");
}

#[test]
fn the_mode_is_set_outside_of_pipelines_and_transactions() {
    let mut world = World::new();
    let client = world.connect();
    for (line, reply) in [
        ("SCRIPT DEBUG maybe", "-ERR Use SCRIPT DEBUG YES/SYNC/NO"),
        ("SCRIPT DEBUG", "-ERR wrong number of arguments for 'script|debug' command"),
        ("SCRIPT DEBUG sync", "+OK"),
        ("EVALSHA aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 0", "-ERR Please use EVAL instead of EVALSHA for debugging"),
        ("MULTI", "+OK"),
        ("EVAL 'return 1' 0", "+QUEUED"),
        ("EXEC", "[-ERR Scripts cannot be debugged inside a transaction]"),
        ("SCRIPT DEBUG no", "+OK"),
        ("EVAL 'redis.debug(1) return redis.breakpoint()' 0", "(nil)"),
    ] {
        assert_eq!(world.ask(client, line), reply, "{line}");
    }
    world.send_raw(client, b"PING\r\nSCRIPT DEBUG SYNC\r\n");
    assert_eq!(world.received(client), ["+PONG", "-ERR SCRIPT DEBUG must be called outside a pipeline"]);
}

#[test]
fn others_hear_that_the_server_is_busy_and_may_end_the_script() {
    let (mut world, client) = world();
    let other = world.connect();
    eval(&mut world, client, "local a = 1\nreturn a");
    assert!(world.ask(other, "GET x").starts_with("-BUSY "));
    world.pass_ms(60_000);
    assert!(world.received(client).is_empty());
    assert_eq!(world.ask(other, "SCRIPT KILL"), "+OK");
    world.pass_ms(1);
    let replies = world.received(client);
    assert_eq!(replies[0], ENDED);
    assert!(replies[1].starts_with("-ERR Script killed by user with SCRIPT KILL..."), "{replies:?}");
    assert_eq!(world.ask(other, "GET x"), "(nil)");
}

#[test]
fn a_script_whose_user_is_gone_runs_to_its_end() {
    let (mut world, client) = world();
    let other = world.connect();
    eval(&mut world, client, "redis.call('set','a',1)\nredis.call('set','b',2)");
    say(&mut world, client, "b 2");
    world.disconnect(client);
    world.pass_ms(1);
    assert_eq!(world.ask(other, "MGET a b"), "[\"1\", \"2\"]");
    assert!(world.server.state.debugging.session.is_none());
    // and the next script is watched as scripts are
    assert_eq!(world.ask(other, "EVAL 'return 7' 0"), ":7");
}

#[test]
fn a_server_that_is_to_stop_waits_for_no_user() {
    let (mut world, client) = world();
    eval(&mut world, client, "local a = 1\nreturn a");
    world.server.signalled(false);
    world.pass_ms(1);
    assert_eq!(world.received(client), [ENDED, ":1"]);
}

#[test]
fn a_script_that_runs_for_long_stops_by_itself() {
    fn second_more() -> u64 {
        thread_local!(static TIME: std::cell::Cell<u64> = const { std::cell::Cell::new(0) });
        TIME.set(TIME.get() + 1_000_000_000);
        TIME.get()
    }
    let (mut world, client) = world();
    world.server.state.stopwatch = Stopwatch(second_more);
    eval(&mut world, client, "local i = 0\nwhile true do\n  i = i + 1\nend");
    // neither does what its user runs
    for endless in ["e while true do end", "e while true do pcall(function() while true do end end) end"] {
        assert_eq!(say(&mut world, client, endless), ["[+<error> ERR timeout reached, infinite loop?]"]);
    }
    let replies = say(&mut world, client, "c");
    assert!(replies[0].contains("stop reason = timeout reached, infinite loop?"), "{replies:?}");
    let other = world.connect();
    world.disconnect(client);
    world.pass_ms(1);
    assert_eq!(world.ask(other, "PING"), "+PONG", "nobody could have ended it");
}

#[test]
fn what_a_session_is_sent_never_ends_the_server() {
    for bytes in [
        b"*1\r\n$x\r\n".as_slice(),
        b"*-5\r\n$3\r\nfoo\r\n",
        b"*2\r\n$99999999999\r\n",
        b"*9999999\r\n",
        b"\r\n\r\n*0\r\n",
        b"*1\r\n$0\r\n\r\n*1\r\n$2\r\n\x00p\r\n*2\r\n$1\r\ne\r\n$4\r\n\x1bLua\r\n",
        b"p 'unbalanced\r\n",
        b"l 99999999999999999999 -1\r\nb 99999999999999999999 9223372036854775807 -9223372036854775808\r\nm -9223372036854775808\r\n",
    ] {
        let (mut world, client) = world();
        eval(&mut world, client, "local a = 1\nreturn a");
        world.send_raw(client, bytes);
        world.pass_ms(1);
        world.received(client);
        world.disconnect(client);
        world.pass_ms(1);
        let other = world.connect();
        assert_eq!(world.ask(other, "PING"), "+PONG", "{bytes:?}");
    }
}

#[test]
fn words_that_come_with_the_script_are_for_its_debugger() {
    let (mut world, client) = world();
    world.send_raw(client, b"*3\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n0\r\n*1\r\n$1\r\nw\r\n*1\r\n$1\r\nc\r\n");
    world.pass_ms(1);
    let replies = world.received(client);
    assert_eq!(replies.last().map(String::as_str), Some(":1"), "{replies:?}");
    assert_eq!(replies.len(), 4);
}
