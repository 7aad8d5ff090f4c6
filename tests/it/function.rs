//! Functions and their libraries.

use crate::harness::{World, check, check3};

/// FUNCTION LOAD of a text behind a first line.
fn load(code: &str) -> String {
    format!("FUNCTION LOAD \"#!lua name=lib\\n{code}\"")
}

#[track_caller]
fn refused(code: &str, error: &str) {
    let error = format!("-ERR Error registering functions: ERR {error}");
    check(&[(&load(code), &error), ("FUNCTION LIST", "[]")]);
}

#[test]
fn a_library_is_loaded_called_and_deleted() {
    check(&[
        (&load("redis.register_function('f', function(keys, args) return {keys, args} end)"), "\"lib\""),
        ("FCALL f 1 k a b", "[[\"k\"], [\"a\", \"b\"]]"),
        ("FCALL F 0", "[[], []]"),
        ("FCALL f x", "-ERR Bad number of keys provided"),
        ("FCALL f -1", "-ERR Number of keys can't be negative"),
        ("FCALL f 2 a", "-ERR Number of keys can't be greater than number of args"),
        ("FCALL g x", "-ERR Function not found"),
        ("FCALL_RO f 0", "-ERR Can not execute a script with write flag using *_ro command."),
        ("COMMAND GETKEYS FCALL f 1 k a", "[\"k\"]"),
        (&load("redis.register_function('f', function() return 1 end)"), "-ERR Library 'lib' already exists"),
        ("FUNCTION LOAD \"#!lua name=LIB\\nredis.register_function('F', function() end)\"", "-ERR Function F already exists"),
        ("FUNCTION LOAD REPLACE \"#!lua name=lib\\nredis.register_function('f', function() return 2 end)\"", "\"lib\""),
        ("FCALL f 0", ":2"),
        ("FUNCTION DELETE x", "-ERR Library not found"),
        ("FUNCTION DELETE LIB", "-ERR Library not found"),
        ("FUNCTION DELETE lib", "+OK"),
        ("FCALL f 0", "-ERR Function not found"),
    ]);
}

#[test]
fn the_first_line_is_checked() {
    let name = "-ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";
    check(&[
        ("FUNCTION LOAD foo bar baz", "-ERR Unknown option given: foo"),
        ("FUNCTION LOAD REPLACE", "-ERR Missing library metadata"),
        ("FUNCTION LOAD x", "-ERR Missing library metadata"),
        ("FUNCTION LOAD '#!lua name=x'", "-ERR Invalid library metadata"),
        ("FUNCTION LOAD \"#!\\n\"", "-ERR Library name was not given"),
        ("FUNCTION LOAD \"#! name=x\\nx\"", "-ERR Engine '' not found"),
        ("FUNCTION LOAD \"#!bad name=x\\nx\"", "-ERR Engine 'bad' not found"),
        ("FUNCTION LOAD \"#!lua name=\\nx\"", name),
        ("FUNCTION LOAD \"#!LUA name=a-b\\nx\"", name),
        ("FUNCTION LOAD \"#!lua name=x name=y\\nx\"", "-ERR Invalid metadata value, name argument was given multiple times"),
        ("FUNCTION LOAD \"#!lua foo\\nx\"", "-ERR Invalid metadata value given: foo"),
        ("FUNCTION LOAD \"#!lua\\nx\"", "-ERR Library name was not given"),
        (&load("bad script"), "-ERR Error compiling function: user_function:2: '=' expected near 'script'"),
        (&load("return 1"), "-ERR No functions registered"),
        ("FUNCTION LOAD \"#!LUA NAME=x\\nredis.register_function(1, function() return 1 end)\"", "\"x\""),
        ("FCALL 1 0", ":1"),
        ("FUNCTION NOPE", "-ERR unknown subcommand 'NOPE'. Try FUNCTION HELP."),
        ("FUNCTION FLUSH y", "-ERR FUNCTION FLUSH only supports SYNC|ASYNC option"),
        ("FUNCTION FLUSH y z", "-ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try FUNCTION HELP."),
        ("FUNCTION FLUSH", "+OK"),
    ]);
}

#[test]
fn what_is_registered_is_checked() {
    let r = "redis.register_function";
    refused(&format!("{r}()"), "wrong number of arguments to redis.register_function");
    refused(&format!("{r}('f', function() end, 3)"), "wrong number of arguments to redis.register_function");
    refused(
        &format!("{r}('f')"),
        "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).",
    );
    refused(&format!("{r}('f', 1)"), "second argument to redis.register_function must be a function");
    refused(&format!("{r}({{}}, function() end)"), "first argument to redis.register_function must be a string");
    refused(
        &format!("{r}('f-1', function() end)"),
        "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long",
    );
    refused(&format!("{r}('f', function() end) {r}('f', function() end)"), "Function already exists in the library");
    refused(&format!("{r}{{function_name='f'}}"), "redis.register_function must get a callback argument");
    refused(&format!("{r}{{callback=function() end}}"), "redis.register_function must get a function name argument");
    refused(
        &format!("{r}{{function_name={{}}, callback=function() end}}"),
        "function_name argument given to redis.register_function must be a string",
    );
    refused(&format!("{r}{{function_name='f', callback=1}}"), "callback argument given to redis.register_function must be a function");
    refused(
        &format!("{r}{{function_name='f', description={{}}}}"),
        "description argument given to redis.register_function must be a string",
    );
    refused(&format!("{r}{{flags=1}}"), "flags argument to redis.register_function must be a table representing function flags");
    refused(&format!("{r}{{flags={{1}}}}"), "unknown flag given");
    refused(&format!("{r}{{flags={{'x'}}}}"), "unknown flag given");
    refused(&format!("{r}{{foo=1}}"), "unknown argument given to redis.register_function");
    refused("local x = nil; x()", "user_function:2: attempt to call local 'x' (a nil value)");
    refused("redis.call('ping')", "user_function:2: Script attempted to access nonexistent global variable 'call'");
    refused("math.random()", "user_function:2: Script attempted to access nonexistent global variable 'math'");
    refused("a = 1", "user_function:2: Attempt to modify a readonly table");
    refused("return _G.x", "user_function:2: Script attempted to access nonexistent global variable '_G'");
    refused("while true do end", "FUNCTION LOAD timeout");
}

#[test]
fn what_functions_see() {
    check(&[
        (
            &load(
                "local lib, version = redis, redis.REDIS_VERSION
                redis.register_function('f1', function() error('boo') end)
                redis.register_function('f2', function() x = 1 end)
                redis.register_function('f3', function() return redis.register_function end)
                redis.register_function('f4', function() return redis.call('set', 'a') end)
                redis.register_function('f5', function() return KEYS end)
                redis.register_function('f6', function() return redis.replicate_commands end)
                redis.register_function('f7', function() local x = lib.register_function('f8', function() end) return x end)
                redis.register_function('f8', function() lib.x = 1 end)
                redis.register_function('f9', function() return version == redis.REDIS_VERSION end)",
            ),
            "\"lib\"",
        ),
        ("FCALL f1 0", "-ERR user_function:3: boo script: f1, on @user_function:3."),
        ("FCALL f2 0", "-ERR user_function:4: Attempt to modify a readonly table script: f2, on @user_function:4."),
        ("FCALL f3 0", "(nil)"),
        ("FCALL f4 0", "-ERR Wrong number of args calling Redis command from script script: f4, on @user_function:6."),
        (
            "FCALL f5 0",
            "-ERR user_function:7: Script attempted to access nonexistent global variable 'KEYS' script: f5, on @user_function:7.",
        ),
        ("FCALL f6 0", "(nil)"),
        ("FCALL f7 0", "-ERR redis.register_function can only be called on FUNCTION LOAD command script: f7, on @user_function:9."),
        ("FCALL f8 0", "-ERR user_function:10: Attempt to modify a readonly table script: f8, on @user_function:10."),
        ("FCALL f9 0", ":1"),
    ]);
}

#[test]
fn libraries_are_listed() {
    let lib = "redis.register_function('g', function() end) redis.register_function{function_name='f', callback=function() end, description='d', flags={'no-writes', 'allow-stale'}}";
    let functions = "\"functions\", [[\"name\", \"f\", \"description\", \"d\", \"flags\", [+no-writes, +allow-stale]], [\"name\", \"g\", \"description\", (nil), \"flags\", []]]";
    check(&[
        ("FUNCTION LIST", "[]"),
        (&load(lib), "\"lib\""),
        ("FUNCTION LIST LIBRARYNAME L*", &format!("[[\"library_name\", \"lib\", \"engine\", \"LUA\", {functions}]]")),
        ("FUNCTION LIST LIBRARYNAME x", "[]"),
        ("FUNCTION LIST LIBRARYNAME", "-ERR library name argument was not given"),
        ("FUNCTION LIST WITHCODE WITHCODE", "-ERR Unknown argument WITHCODE"),
        ("FUNCTION LIST x", "-ERR Unknown argument x"),
        ("FUNCTION STATS", "[\"running_script\", (nil), \"engines\", [\"LUA\", [\"libraries_count\", :1, \"functions_count\", :2]]]"),
        ("FUNCTION KILL", "-NOTBUSY No scripts in execution right now."),
    ]);
    check3(&[
        (&load("redis.register_function{function_name='f', callback=function() end, flags={'no-writes'}}"), "\"lib\""),
        (
            "FUNCTION LIST",
            "[{\"library_name\": \"lib\", \"engine\": \"LUA\", \"functions\": [{\"name\": \"f\", \"description\": (null), \"flags\": ~[+no-writes]}]}]",
        ),
        ("FUNCTION STATS", "{\"running_script\": (null), \"engines\": {\"LUA\": {\"libraries_count\": :1, \"functions_count\": :1}}}"),
        ("FUNCTION FLUSH", "+OK"),
    ]);
}

#[test]
fn libraries_are_data() {
    let mut world = World::with(&[("aof-use-rdb-preamble", "no")]);
    let client = world.connect();
    world.propagated();
    assert_eq!(world.ask(client, &load("redis.register_function('f', function() return redis.call('incr', 'x') end)")), "\"lib\"");
    assert_eq!(world.ask(client, "FCALL f 0"), ":1");
    let told = world.propagated();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[1].starts_with("FUNCTION LOAD"), "{told:?}");
    assert_eq!(told[2], "incr x");
    assert_eq!(world.ask(client, "FLUSHALL"), "+OK");
    assert_eq!(world.ask(client, "FCALL f 0"), ":1");
    world.propagated();
    for (line, reply) in [("FUNCTION DELETE lib", "+OK"), ("FUNCTION FLUSH", "+OK")] {
        assert_eq!(world.ask(client, line), reply);
        assert_eq!(world.propagated(), [line]);
    }
    assert_eq!(world.ask(client, "FUNCTION DELETE lib"), "-ERR Library not found");
    assert_eq!(world.propagated(), [""; 0]);
}

/// The payload is one that FUNCTION DUMP of another server has made.
#[test]
fn a_dump_is_restored_by_its_policy() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, &load("redis.register_function('f', function() return 1 end)"));
    world.send(client, "FUNCTION DUMP");
    let output = world.take_output(client);
    let start = output.iter().position(|&byte| byte == b'\n').expect("a bulk string") + 1;
    let payload: String = output[start..output.len() - 2].iter().map(|byte| format!("\\x{byte:02x}")).collect();
    let restore = |policy: &str| format!("FUNCTION RESTORE \"{payload}\" {policy}");
    let other = "FUNCTION LOAD REPLACE \"#!lua name=other\\nredis.register_function('f', function() return 2 end)\"";
    let same = "FUNCTION LOAD REPLACE \"#!lua name=lib\\nredis.register_function('g', function() return 3 end)\"";
    for (line, reply) in [
        (restore("").as_str(), "-ERR Library lib already exists"),
        (&restore("append"), "-ERR Library lib already exists"),
        (&restore("nope"), "-ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE."),
        (&restore("flush x"), "-ERR unknown subcommand or wrong number of arguments for 'RESTORE'. Try FUNCTION HELP."),
        ("FUNCTION RESTORE x", "-ERR DUMP payload version or checksum are wrong"),
        (same, "\"lib\""),
        (other, "\"other\""),
        (&restore("REPLACE"), "-ERR Function f already exists"),
        ("FCALL f 0", ":2"),
        ("FCALL g 0", ":3"),
        ("FUNCTION DELETE other", "+OK"),
        (&restore("REPLACE"), "+OK"),
        ("FCALL f 0", ":1"),
        ("FCALL g 0", "-ERR Function not found"),
        (other, "-ERR Function f already exists"),
        (&restore("FLUSH"), "+OK"),
        ("FCALL f 0", ":1"),
    ] {
        assert_eq!(world.ask(client, line), reply, "{line}");
    }
}

#[test]
fn help_names_what_there_is() {
    let mut world = World::new();
    let client = world.connect();
    let help = world.ask(client, "FUNCTION HELP");
    for name in ["LOAD", "DELETE", "LIST", "STATS", "KILL", "FLUSH", "DUMP", "RESTORE"] {
        assert!(help.contains(&format!("+{name}")), "{help}");
    }
}
