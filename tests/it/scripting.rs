//! Lua scripts.

use crate::harness::{World, check, check_with, check3};

const NO_SUCH: &str = "0000000000000000000000000000000000000000";

#[test]
fn results_become_replies() {
    check(&[
        ("EVAL 'return 1' 0", ":1"),
        ("EVAL 'return {KEYS[1],KEYS[2],ARGV[1],ARGV[2],#KEYS,#ARGV}' 2 a b c d", "[\"a\", \"b\", \"c\", \"d\", :2, :2]"),
        ("EVAL 'return 3.99' 0", ":3"),
        ("EVAL 'return -3.99' 0", ":-3"),
        ("EVAL 'return 1e300' 0", ":-9223372036854775808"),
        ("EVAL 'return 0/0' 0", ":-9223372036854775808"),
        ("EVAL 'return 2^53' 0", ":9007199254740992"),
        ("EVAL 'return true' 0", ":1"),
        ("EVAL 'return false' 0", "(nil)"),
        ("EVAL 'return nil' 0", "(nil)"),
        ("EVAL 'return' 0", "(nil)"),
        ("EVAL '' 0", "(nil)"),
        ("EVAL 'return function() end' 0", "(nil)"),
        ("EVAL 'return {1,2,nil,4}' 0", "[:1, :2]"),
        ("EVAL 'return {}' 0", "[]"),
        ("EVAL 'return {a=1}' 0", "[]"),
        ("EVAL 'return {1,{2,{3,\"x\"}},false}' 0", "[:1, [:2, [:3, \"x\"]], (nil)]"),
        ("EVAL \"return {ok='fine',1,2}\" 0", "+fine"),
        ("EVAL \"return {err='ERR thing',ok='x'}\" 0", "-ERR thing"),
        ("EVAL \"return {err='thing'}\" 0", "-thing"),
        ("EVAL \"return {err='a\\\\r\\\\nb'}\" 0", "-a  b"),
        ("EVAL \"return {ok='a\\\\r\\\\nb'}\" 0", "+a  b"),
        ("EVAL 'return {double=3.5}' 0", "\"3.5\""),
        ("EVAL 'return {map={a=1}}' 0", "[\"a\", :1]"),
        ("EVAL 'return {map={}}' 0", "[]"),
        ("EVAL 'return {set={a=true}}' 0", "[\"a\"]"),
        ("EVAL \"return {big_number='123'}\" 0", "\"123\""),
        ("EVAL 'return {big_number=123}' 0", "[]"),
        ("EVAL \"return {verbatim_string={format='txt',string='hello'}}\" 0", "\"hello\""),
        ("EVAL 'return setmetatable({}, {__index=function(t,k) return 1 end})' 0", "[]"),
        ("EVAL 'return {1, 2, redis.error_reply(\"x y\"), redis.status_reply(\"s\")}' 0", "[:1, :2, -x y, +s]"),
    ]);
    check3(&[
        ("EVAL 'return true' 0", ":1"),
        ("EVAL 'return false' 0", "(null)"),
        ("EVAL 'return {1,false,2}' 0", "[:1, (null), :2]"),
        ("EVAL 'redis.setresp(3) return {true,false}' 0", "[#t, #f]"),
        ("EVAL 'redis.setresp(3) return nil' 0", "(null)"),
        ("EVAL 'return {double=3.5}' 0", ",3.5"),
        ("EVAL 'return {map={a=1}}' 0", "{\"a\": :1}"),
        ("EVAL 'return {set={a=true}}' 0", "~[\"a\"]"),
        ("EVAL \"return {big_number='12'}\" 0", "(12"),
        ("EVAL \"return {verbatim_string={format='txtx',string='hello'}}\" 0", "=txt:\"hello\""),
    ]);
}

#[test]
fn statuses_and_errors_end_at_a_zero_byte() {
    check(&[
        (r#"EVAL "return {ok=ARGV[1]}" 0 "a\x00b""#, "+a"),
        (r#"EVAL "return {ok=ARGV[1]}" 0 "\xff\xfe x""#, "+\\xff\\xfe x"),
        (r#"EVAL "return {err=ARGV[1]}" 0 "a\x00b""#, "-a"),
        (r#"EVAL "return {err=ARGV[1]}" 0 "\x00""#, "-"),
        (r#"EVAL "return {err=ARGV[1]}" 0 "-18""#, "--18"),
        (r#"EVAL "return redis.error_reply(ARGV[1])" 0 "a\x00b""#, "-ERR a"),
        (r#"EVAL "return redis.error_reply(ARGV[1]).err" 0 "a\x00b""#, "\"ERR a\""),
        (r#"EVAL "return redis.status_reply(ARGV[1])" 0 "a\x00b""#, "+a"),
        (r#"EVAL "return redis.status_reply(ARGV[1]).ok" 0 "a\x00b""#, "\"a\\x00b\""),
        (r#"EVAL "error({err=ARGV[1]})" 0 "a\x00b""#, "-a script: 1a0606c289ee965f6cdad18fc0845dc531f3ccc3, on @user_script:1."),
        (
            r#"EVAL "error(ARGV[1])" 0 "a\x00b""#,
            "-ERR user_script:1: a script: 913fe641966fcaeb713b90856ef1c03b8b877ba5, on @user_script:1.",
        ),
        (r#"EVAL "return ARGV[1]" 0 "a\x00b""#, "\"a\\x00b\""),
    ]);
}

#[test]
fn replies_become_values() {
    check(&[
        ("SET s text", "+OK"),
        ("RPUSH l a b", ":2"),
        ("HSET h f v", ":1"),
        ("ZADD z 1.5 m", ":1"),
        ("SADD t x", ":1"),
        ("EVAL \"return redis.call('GET','s')\" 0", "\"text\""),
        ("EVAL \"return redis.call('GET',KEYS[1])\" 1 s", "\"text\""),
        ("EVAL \"return tostring(redis.call('get','none'))\" 0", "\"false\""),
        ("EVAL \"return redis.call('get','none')\" 0", "(nil)"),
        ("EVAL \"return redis.call('ping').ok\" 0", "\"PONG\""),
        ("EVAL \"return redis.call('ping')\" 0", "+PONG"),
        ("EVAL \"return redis.call('lrange','l',0,-1)\" 0", "[\"a\", \"b\"]"),
        ("EVAL \"return redis.call('hgetall','h')\" 0", "[\"f\", \"v\"]"),
        ("EVAL \"return type(redis.call('zscore','z','m'))\" 0", "\"string\""),
        ("EVAL \"return type(redis.call('incr','n'))\" 0", "\"number\""),
        ("EVAL \"return tostring(redis.call('blpop','none',0))\" 0", "\"false\""),
        ("EVAL \"return redis.call('blpop','none',0)\" 0", "(nil)"),
        ("EVAL \"redis.call('set','x',1.5) return redis.call('get','x')\" 0", "\"1.5\""),
        ("EVAL \"redis.call('set','x',1e20) return redis.call('get','x')\" 0", "\"1e+20\""),
        ("EVAL \"redis.call('set','x',0.1) return redis.call('get','x')\" 0", "\"0.1\""),
        ("EVAL \"redis.call('set','x',1/3) return redis.call('get','x')\" 0", "\"0.3333333333333333\""),
        ("EVAL \"redis.call('set','x',0/0) return redis.call('get','x')\" 0", "\"-nan\""),
        ("EVAL \"redis.call('set','x',-1/0) return redis.call('get','x')\" 0", "\"-inf\""),
        ("EVAL \"redis.call('set','x',1e18) return redis.call('get','x')\" 0", "\"1000000000000000000\""),
        ("EVAL \"redis.call('set','x',2^63) return redis.call('get','x')\" 0", "\"9223372036854776000\""),
        ("EVAL \"redis.call('set','x',2^61) return redis.call('get','x')\" 0", "\"2305843009213693952\""),
        ("EVAL \"redis.call('select',3) redis.call('set','there',1)\" 0", "(nil)"),
        ("GET there", "(nil)"),
        ("SELECT 3", "+OK"),
        ("GET there", "\"1\""),
    ]);
    check3(&[
        ("HSET h f v", ":1"),
        ("ZADD z 1.5 m", ":1"),
        ("SADD t x", ":1"),
        ("EVAL \"return redis.call('hgetall','h')\" 0", "[\"f\", \"v\"]"),
        ("EVAL \"redis.setresp(3) return redis.call('hgetall','h')\" 0", "{\"f\": \"v\"}"),
        ("EVAL \"redis.setresp(3) return redis.call('hgetall','h').map.f\" 0", "\"v\""),
        ("EVAL \"redis.setresp(3) return redis.call('smembers','t')\" 0", "~[\"x\"]"),
        ("EVAL \"redis.setresp(3) return redis.call('smembers','t').set.x\" 0", "#t"),
        ("EVAL \"redis.setresp(3) return redis.call('zscore','z','m')\" 0", ",1.5"),
        ("EVAL \"redis.setresp(3) return redis.call('zscore','z','m').double\" 0", ":1"),
        ("EVAL \"redis.setresp(3) return tostring(redis.call('get','none'))\" 0", "\"nil\""),
        ("EVAL \"redis.setresp(3) redis.setresp(2) return tostring(redis.call('get','none'))\" 0", "\"false\""),
    ]);
}

#[test]
fn scripts_are_found_by_their_name() {
    check(&[
        ("SCRIPT FLUSH", "+OK"),
        ("SCRIPT LOAD 'return 1'", "\"e0e1f9fabfc9d4800c877a703b823ac0578ff8db\""),
        ("EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0", ":1"),
        ("EVALSHA E0E1F9FABFC9D4800C877A703B823AC0578FF8DB 0", ":1"),
        ("EVALSHA_RO e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0", ":1"),
        ("SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db 00", "[:1, :0]"),
        ("EVAL 'return 2' 0", ":2"),
        ("SCRIPT EXISTS 7f923f79fe76194c868d7e1d0820de36700eb649", "[:1]"),
        ("EVALSHA 7f923f79fe76194c868d7e1d0820de36700eb649 0", ":2"),
        ("EVALSHA 00 0", "-NOSCRIPT No matching script. Please use EVAL."),
        (&format!("EVALSHA {NO_SUCH} 0"), "-NOSCRIPT No matching script. Please use EVAL."),
        (&format!("EVALSHA {NO_SUCH} x"), "-ERR value is not an integer or out of range"),
        ("SCRIPT FLUSH ASYNC", "+OK"),
        ("SCRIPT EXISTS e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "[:0]"),
        ("EVALSHA e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0", "-NOSCRIPT No matching script. Please use EVAL."),
        ("SCRIPT FLUSH SYNC", "+OK"),
        ("SCRIPT FLUSH foo", "-ERR SCRIPT FLUSH only support SYNC|ASYNC option"),
        ("SCRIPT FLUSH ASYNC x", "-ERR SCRIPT FLUSH only support SYNC|ASYNC option"),
        ("SCRIPT KILL", "-NOTBUSY No scripts in execution right now."),
        ("SCRIPT EXISTS", "-ERR wrong number of arguments for 'script|exists' command"),
        ("SCRIPT LOAD", "-ERR wrong number of arguments for 'script|load' command"),
        ("SCRIPT foo", "-ERR unknown subcommand 'foo'. Try SCRIPT HELP."),
        ("SCRIPT LOAD 'return = 1'", "-ERR Error compiling script (new function): user_script:1: unexpected symbol near '='"),
    ]);
}

#[test]
fn requests_are_checked() {
    check(&[
        ("EVAL 'return 1'", "-ERR wrong number of arguments for 'eval' command"),
        ("EVAL 'return 1' x", "-ERR value is not an integer or out of range"),
        ("EVAL 'return 1' -1", "-ERR Number of keys can't be negative"),
        ("EVAL 'return 1' 3 a", "-ERR Number of keys can't be greater than number of args"),
        ("EVAL 'return = 1' 0", "-ERR Error compiling script (new function): user_script:1: unexpected symbol near '='"),
        ("EVAL_RO 'return 1' 0", ":1"),
        (
            "EVAL_RO \"return redis.call('set','a',1)\" 0",
            "-ERR Write commands are not allowed from read-only scripts. script: 119b0beb461d5982ddacc6dda6829882d5e16b4d, on @user_script:1.",
        ),
        (
            "EVAL_RO \"return redis.call('publish','a','b')\" 0",
            "-ERR Write commands are not allowed from read-only scripts. script: 4790605679cf073cb561805eb6c83112ff57d189, on @user_script:1.",
        ),
        ("COMMAND GETKEYS EVAL x 2 a b c", "[\"a\", \"b\"]"),
        ("COMMAND GETKEYS EVALSHA_RO x 1 a b c", "[\"a\"]"),
    ]);
}

#[test]
fn the_first_line_declares_what_a_script_needs() {
    check(&[
        ("EVAL \"#!lua flags=bad\\nreturn 1\" 0", "-ERR Unexpected flag in script shebang: bad"),
        ("EVAL \"#!lua flags=no-writes,\\nreturn 1\" 0", "-ERR Unexpected flag in script shebang: "),
        ("EVAL \"#!lua foo=bar\\nreturn 1\" 0", "-ERR Unknown lua shebang option: foo=bar"),
        ("EVAL \"#!js\\nreturn 1\" 0", "-ERR Unexpected engine in script shebang: #!js"),
        ("EVAL \"#! lua\\nreturn 1\" 0", "-ERR Unexpected engine in script shebang: #!"),
        ("EVAL \"#!lua\" 0", "-ERR Invalid script shebang"),
        ("EVAL \"#!\" 0", "-ERR Invalid script shebang"),
        ("EVAL \"#!lua flags='no-writes\\nreturn 1\" 0", "-ERR Invalid engine in script shebang"),
        ("EVAL \"#!lua flags=\\nreturn 1\" 0", ":1"),
        ("EVAL \"#!lua  flags=no-writes  \\nreturn redis.call('get','a')\" 0", "(nil)"),
        (
            "EVAL \"#!lua flags=no-writes\\nreturn redis.call('set','a',1)\" 0",
            "-ERR Write commands are not allowed from read-only scripts. script: 36dfcf40eac5d9221c568698818560e04c0903bd, on @user_script:2.",
        ),
        (
            "EVAL \"#!lua\\nreturn x\" 0",
            "-ERR user_script:2: Script attempted to access nonexistent global variable 'x' script: 58b72ca6d006e3bafbb8cc006de4820497ce9cf8, on @user_script:2.",
        ),
        ("EVAL_RO \"#!lua\\nreturn redis.call('get','a')\" 0", "-ERR Can not execute a script with write flag using *_ro command."),
        ("SCRIPT LOAD \"#!lua name=x\\nreturn 1\"", "-ERR Unknown lua shebang option: name=x"),
    ]);
}

/// An error that ends a script says which script it was and where.
#[track_caller]
fn fails(script: &str, error: &str) {
    use sha1::{Digest, Sha1};
    let sha: String = Sha1::digest(script).iter().map(|byte| format!("{byte:02x}")).collect();
    let line = format!("EVAL \"{}\" 0", script.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    check(&[("SET a b", "+OK"), (&line, &format!("-{}", error.replace("{}", &format!("script: {sha}, on @user_script"))))]);
}

#[test]
fn errors_say_where() {
    for (script, error) in [
        ("redis.call('nosuch')", "ERR Unknown Redis command called from script {}:1."),
        ("redis.call('config','nosuch')", "ERR Unknown Redis command called from script {}:1."),
        ("return redis.call('get')", "ERR Wrong number of args calling Redis command from script {}:1."),
        ("return redis.call('eval','return 1',0)", "ERR This Redis command is not allowed from script {}:1."),
        ("return redis.call('subscribe','a')", "ERR This Redis command is not allowed from script {}:1."),
        ("return redis.call('multi')", "ERR This Redis command is not allowed from script {}:1."),
        ("\n\nreturn redis.call('incr','a')", "ERR value is not an integer or out of range {}:3."),
        ("local function f() return redis.call('incr','a') end\n return f()", "ERR value is not an integer or out of range {}:1."),
        (
            "local function f() local x = redis.call('incr','a') return x end\n local y = f() return y",
            "ERR value is not an integer or out of range {}:1.",
        ),
        ("return redis.call()", "ERR Please specify at least one argument for this redis lib call {}:1."),
        ("return redis.call({})", "ERR Lua redis lib command arguments must be strings or integers {}:1."),
        ("return redis.call('set','x',true)", "ERR Lua redis lib command arguments must be strings or integers {}:1."),
        ("return redis.call('set','x',nil)", "ERR Lua redis lib command arguments must be strings or integers {}:1."),
        ("error('x')", "ERR user_script:1: x {}:1."),
        ("\nerror('x')", "ERR user_script:2: x {}:2."),
        ("error({err='My thing'})", "My thing {}:1."),
        ("error({err=12})", "12 {}:1."),
        ("error({})", "ERR unknown error {}:1."),
        ("error()", "ERR nil {}:1."),
        ("error(12)", "ERR user_script:1: 12 {}:1."),
        ("error(true)", "ERR true {}:1."),
        ("error('a\\r\\nb')", "ERR user_script:1: a  b {}:1."),
        ("local x = nil + 1", "ERR user_script:1: attempt to perform arithmetic on a nil value {}:1."),
        ("local t={} setmetatable(t,{__index=function() error('boo') end}) return t.x", "ERR user_script:1: boo {}:1."),
        ("coroutine.yield(1)", "ERR attempt to yield across metamethod/C-call boundary {}:1."),
        ("return redis.sha1hex()", "ERR wrong number of arguments {}:1."),
        ("return redis.log(1)", "ERR redis.log() requires two arguments or more. {}:1."),
        ("return redis.log('x','y')", "ERR First argument must be a number (log level). {}:1."),
        ("return redis.log(10,'y')", "ERR Invalid log level. {}:1."),
        ("return redis.setresp(4)", "ERR RESP version must be 2 or 3. {}:1."),
        ("return redis.setresp()", "ERR redis.setresp() requires one argument. {}:1."),
        ("return redis.set_repl(9)", "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE. {}:1."),
        ("return redis.set_repl()", "ERR redis.set_repl() requires one argument. {}:1."),
        ("return redis.acl_check_cmd('nosuch','xx',2)", "ERR Invalid command passed to redis.acl_check_cmd() {}:1."),
        ("local x = string.find('a', '(')", "ERR user_script:1: unfinished capture {}:1."),
        ("local x = pairs(nil)", "ERR user_script:1: bad argument #1 to 'pairs' (table expected, got nil) {}:1."),
        ("local x = setmetatable(1)", "ERR user_script:1: bad argument #1 to 'setmetatable' (table expected, got number) {}:1."),
        ("local x = ('x'):rep({})", "ERR user_script:1: bad argument #1 to 'rep' (number expected, got table) {}:1."),
        ("local x = unpack({}, 1, 1e6)", "ERR user_script:1: too many results to unpack {}:1."),
    ] {
        fails(script, error);
    }
}

#[test]
fn what_scripts_share_cannot_be_changed() {
    for (script, error) in [
        ("return xx", "ERR user_script:1: Script attempted to access nonexistent global variable 'xx' {}:1."),
        ("return print", "ERR user_script:1: Script attempted to access nonexistent global variable 'print' {}:1."),
        ("return debug", "ERR user_script:1: Script attempted to access nonexistent global variable 'debug' {}:1."),
        ("xx=1", "ERR user_script:1: Attempt to modify a readonly table {}:1."),
        ("function f() end", "ERR user_script:1: Attempt to modify a readonly table {}:1."),
        ("KEYS=1", "ERR user_script:1: Attempt to modify a readonly table {}:1."),
        ("redis.a=1", "ERR user_script:1: Attempt to modify a readonly table {}:1."),
        ("redis.call=1", "ERR user_script:1: Attempt to modify a readonly table {}:1."),
        ("string.foo=1", "ERR user_script:1: Attempt to modify a readonly table {}:1."),
        ("getmetatable('').__index = 1", "ERR user_script:1: Attempt to modify a readonly table {}:1."),
        ("getmetatable(_G).__index = 1", "ERR user_script:1: Attempt to modify a readonly table {}:1."),
        ("rawset(_G,'a',1)", "ERR Attempt to modify a readonly table {}:1."),
        ("rawset(redis,'a',1)", "ERR Attempt to modify a readonly table {}:1."),
        ("setmetatable(_G,{})", "ERR Attempt to modify a readonly table {}:1."),
        ("setmetatable(redis,{})", "ERR Attempt to modify a readonly table {}:1."),
        ("table.insert(redis,1)", "ERR Attempt to modify a readonly table {}:1."),
    ] {
        fails(script, error);
    }
    check(&[
        ("EVAL \"KEYS[1]='z' ARGV[5]='y' return {KEYS[1],ARGV[5]}\" 1 a b", "[\"z\", \"y\"]"),
        ("EVAL 'return type(getmetatable(redis))' 0", "\"nil\""),
        ("EVAL 'return #redis' 0", ":0"),
        ("EVAL 'local n = 0 for k, v in pairs(redis) do n = n + 1 end return n > 20' 0", ":1"),
        ("EVAL 'for k, v in pairs(string) do pairs(string) end return rawget(redis, \"LOG_NOTICE\")' 0", ":2"),
        ("EVAL 'return tostring(redis.nosuch)' 0", "\"nil\""),
        ("EVAL \"return {loadstring('return 1')(), ('abc'):upper(), os.clock() > 0}\" 0", "[:1, \"ABC\", :1]"),
    ]);
}

#[test]
fn what_a_script_catches() {
    check(&[
        ("EVAL \"return redis.pcall('get')\" 0", "-ERR Wrong number of args calling Redis command from script"),
        ("EVAL \"return redis.pcall('get').err\" 0", "\"ERR Wrong number of args calling Redis command from script\""),
        (
            "EVAL \"local ok, e = pcall(redis.call, 'get') return {tostring(ok), type(e), e}\" 0",
            "[\"false\", \"string\", \"ERR Wrong number of args calling Redis command from script\"]",
        ),
        ("EVAL \"return {pcall(error, {a=1})}\" 0", "[(nil), []]"),
        ("EVAL \"return select(2, pcall(error, {err='x y'}))\" 0", "\"x y\""),
        ("EVAL \"return select(2, pcall(error))\" 0", "(nil)"),
        ("EVAL \"return {pcall(function(...) return ... end, 1, 2, nil)}\" 0", "[:1, :1, :2]"),
        (
            "EVAL \"return select(2, xpcall(function() redis.call('get') end, function(e) return e.err end))\" 0",
            "\"ERR Wrong number of args calling Redis command from script\"",
        ),
        ("EVAL \"return select(2, xpcall(function() error('a') end, function(e) return e .. '!' end))\" 0", "\"user_script:1: a!\""),
        (
            "EVAL \"local c = coroutine.create(function() redis.call('get') end) local ok, e = coroutine.resume(c) return e.err\" 0",
            "\"ERR Wrong number of args calling Redis command from script\"",
        ),
        ("EVAL \"return coroutine.wrap(function() return redis.call('ping') end)()\" 0", "+PONG"),
        ("EVAL \"redis.call('set','k',1) redis.pcall('incr') redis.call('incr','k') return redis.call('get','k')\" 0", "\"2\""),
        ("EVAL \"return redis.error_reply('My Err')\" 0", "-My Err"),
        ("EVAL \"return redis.error_reply('-My Err')\" 0", "-My Err"),
        ("EVAL \"return redis.error_reply('single')\" 0", "-ERR single"),
        ("EVAL \"return redis.error_reply('')\" 0", "-ERR "),
        ("EVAL \"return redis.error_reply()\" 0", "-ERR wrong number or type of arguments"),
        ("EVAL \"return redis.error_reply(1)\" 0", "-ERR wrong number or type of arguments"),
        ("EVAL \"return redis.status_reply('x')\" 0", "+x"),
        ("EVAL \"return redis.status_reply({})\" 0", "-ERR wrong number or type of arguments"),
        ("EVAL \"return redis.sha1hex('')\" 0", "\"da39a3ee5e6b4b0d3255bfef95601890afd80709\""),
        ("EVAL \"return redis.sha1hex(12)\" 0", "\"7b52009b64fd0a2a49e6d8a939753077792b0554\""),
        ("EVAL \"return redis.acl_check_cmd('set','xx',2)\" 0", ":1"),
        ("EVAL \"return redis.replicate_commands()\" 0", ":1"),
        ("EVAL \"return {redis.breakpoint(), redis.debug('a')}\" 0", "[(nil)]"),
        ("EVAL \"return {redis.LOG_DEBUG, redis.LOG_WARNING, redis.REPL_ALL, redis.REPL_SLAVE}\" 0", "[:0, :3, :3, :2]"),
        ("EVAL \"return {redis.REDIS_VERSION, redis.REDIS_VERSION_NUM}\" 0", "[\"8.0.6\", :524294]"),
        ("EVAL \"return select(2, loadstring('x x', '@foo'))\" 0", "\"foo:1: '=' expected near 'x'\""),
        (
            "EVAL \"return select(2, loadstring(string.dump(function() end)))\" 0",
            "\"[string \\\"\\x1bLuaQ\\\"]:1: unexpected symbol near 'char(27)'\"",
        ),
        ("EVAL \"local parts = {'return ', '7'} return load(function() return table.remove(parts, 1) end)()\" 0", ":7"),
        ("EVAL \"math.randomseed(1) local a = math.random() math.randomseed(1) return a == math.random()\" 0", ":1"),
        ("EVAL \"for i = 1, 100 do local n = math.random(3, 5) assert(n >= 3 and n <= 5 and n == math.floor(n)) end return 1\" 0", ":1"),
    ]);
}

#[test]
fn inside_a_transaction_and_with_gates_closed() {
    check(&[
        ("MULTI", "+OK"),
        ("EVAL \"return redis.call('incr','k')\" 0", "+QUEUED"),
        ("EVAL \"return redis.call('nosuch')\" 0", "+QUEUED"),
        (
            "EXEC",
            "[:1, -ERR Unknown Redis command called from script script: 206396248e12c6e742fd7296250433c8d7343b74, on @user_script:1.]",
        ),
    ]);
}

#[test]
fn a_script_with_old_manners_meets_closed_gates() {
    let full = &[("maxmemory", "1")];
    check_with(
        full,
        &[
            (
                "EVAL \"return redis.call('set','x','y')\" 0",
                "-OOM command not allowed when used memory > 'maxmemory'. script: 71e6319f97b0fe8bdfa1c5df3ce4489946dda479, on @user_script:1.",
            ),
            ("EVAL \"return redis.call('get','x')\" 0", "(nil)"),
            ("EVAL \"#!lua\\nreturn 1\" 0", "-OOM command not allowed when used memory > 'maxmemory'."),
            ("EVAL \"#!lua flags=no-writes\\nreturn 1\" 0", ":1"),
            ("EVAL \"#!lua flags=allow-oom\\nreturn redis.call('set','x','y')\" 0", "+OK"),
            ("MULTI", "+OK"),
            ("EVAL 'return 1' 0", "-OOM command not allowed when used memory > 'maxmemory'."),
            ("EXEC", "-EXECABORT Transaction discarded because of previous errors."),
        ],
    );
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "REPLICAOF 127.0.0.1 1");
    for (line, reply) in [
        (
            "EVAL \"return redis.call('set','x','y')\" 0",
            "-READONLY You can't write against a read only replica. script: 71e6319f97b0fe8bdfa1c5df3ce4489946dda479, on @user_script:1.",
        ),
        ("EVAL \"return redis.call('get','x')\" 0", "(nil)"),
        ("EVAL \"#!lua\\nreturn 1\" 0", "-READONLY You can't write against a read only replica."),
        ("EVAL \"#!lua flags=no-writes\\nreturn redis.call('get','x')\" 0", "(nil)"),
    ] {
        assert_eq!(world.ask(client, line), reply, "{line}");
    }
}

#[test]
fn only_effects_are_propagated_and_as_one() {
    let mut world = World::new();
    let client = world.connect();
    world.propagated();
    world.ask(client, "EVAL \"redis.call('set','a',1) redis.call('incr','a') return redis.call('get','a')\" 0");
    assert_eq!(world.propagated(), ["SELECT 0", "MULTI", "set a 1", "incr a", "EXEC"]);
    world.ask(client, "EVAL \"return redis.call('incr','a')\" 0");
    assert_eq!(world.propagated(), ["incr a"]);
    world.ask(client, "EVAL \"return redis.call('get','a')\" 0");
    world.ask(
        client,
        "EVAL \"redis.set_repl(redis.REPL_NONE) redis.call('incr','a') redis.set_repl(redis.REPL_ALL) redis.call('incr','b')\" 0",
    );
    assert_eq!(world.propagated(), ["incr b"]);
    world.ask(client, "EVAL \"redis.call('select',1) redis.call('expire','none',1) redis.call('set','t',1,'ex',10)\" 0");
    assert_eq!(world.propagated(), ["SELECT 1", "SET t 1 PXAT 1700000010000"]);
    world.ask(client, "MULTI");
    world.ask(client, "SET k v");
    world.ask(client, "EVAL \"redis.call('incr','x') redis.call('nosuch')\" 0");
    world.ask(client, "EXEC");
    assert_eq!(world.propagated(), ["SELECT 0", "MULTI", "SET k v", "incr x", "EXEC"]);
}

#[test]
fn waiting_clients_are_served_after_the_script() {
    crate::harness::converse(
        "
a BLPOP l 0
b EVAL \"redis.call('rpush','l','1') redis.call('rpush','l','2') return redis.call('llen','l')\" 0
  b :2
  a [\"l\", \"1\"]
b LRANGE l 0 -1
  b [\"2\"]
",
    );
}

#[test]
fn texts_from_eval_are_kept_within_bounds() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "SCRIPT LOAD 'return 0'");
    for number in 0..600 {
        assert_eq!(world.ask(client, &format!("EVAL 'return {number}' 0")), format!(":{number}"));
    }
    let info = world.ask(client, "INFO everything");
    assert!(info.contains("number_of_cached_scripts:501") && info.contains("evicted_scripts:99"), "{info}");
    // what SCRIPT LOAD has loaded is not among those that go
    assert_eq!(world.ask(client, "SCRIPT EXISTS 06d3d9b2060dd51343d5f19f0e531f15c507e3d1"), "[:1]");
    assert_eq!(world.ask(client, "SCRIPT FLUSH"), "+OK");
    assert!(world.ask(client, "INFO memory").contains("used_memory_lua:0"), "the interpreter is gone with the scripts");
}

/// Whatever a script does, the server answers and goes on.
#[test]
fn no_script_harms_the_server() {
    let mut world = World::new();
    let client = world.connect();
    for script in [
        "local function f() return f() + 1 end return f()",
        "local function f() return pcall(f) end return f()",
        "local t = {} t[1] = t return t",
        "local t = {map={}} t.map.a = t return t",
        "local t = {set={}} t.set[t] = true return t",
        "local s = string.rep('x', 1e7) while true do s = s .. s end",
        "return #string.rep('x', 2^31)",
        "error(setmetatable({}, {__tostring = function() error('again') end}))",
        "error(setmetatable({}, {__index = function() error('again') end}))",
        "error(function() end)",
        "error(coroutine.create(function() end))",
        "return coroutine.wrap(function() coroutine.yield() end)()",
        "local c c = coroutine.create(function() return coroutine.resume(c) end) return coroutine.resume(c)",
        "local function deep() return coroutine.wrap(deep)() end return deep()",
        "return coroutine.resume(coroutine.create(redis.call), 'ping')",
        "return string.find(string.rep('a', 1e5), string.rep('a?', 1e5))",
        "return string.gsub('abc', '%w', function() error({}) end)",
        "return string.format('%99999d', 1)",
        "return string.format('%s', setmetatable({}, {__tostring = function() return nil end}))",
        "return unpack({}, 1, 2^31 - 1)",
        "return unpack({}, -2^31, 2^31 - 1)",
        "return table.concat({}, 'x', 1, 2^30)",
        "return redis.call(unpack({'mget', 'k'}), nil)",
        "local t = {} for i = 1, 7000 do t[i] = 'x' end return #redis.call('mget', unpack(t))",
        "local t = {'del'} for i = 2, 100000 do t[i] = 'x' end return redis.call(unpack(t))",
        "xpcall(function() error('x') end, function() error('y') end)",
        "return xpcall(function() redis.call('x') end, redis.call)",
        "collectgarbage('stop') collectgarbage('collect') collectgarbage('restart') return collectgarbage('count') > 0",
        "local m = {} m.__index = m m.__newindex = m setmetatable(m, m) m.x = 1",
        "local m = {} m.__eq = function() error(nil) end return setmetatable({}, m) == setmetatable({}, m)",
        "return loadstring(string.rep('(', 1000))",
        "return loadstring(string.rep('{', 100000))",
        "return loadstring('return ' .. string.rep('a.', 1000) .. 'a', 'x\\0y')",
        "return redis.log(redis.LOG_DEBUG, {}, nil, 'x')",
        "return math.random(1, 2^60, 3)",
        "return math.random(0/0)",
        "return tostring(_G) .. tostring(redis)",
        "return redis.pcall(redis.pcall)",
        "return pcall(pcall, pcall, error)",
        "for i = 1, 1000 do pcall(redis.call, 'nosuch') end return 'done'",
    ] {
        let line = format!("EVAL \"{}\" 0", script.replace('\\', "\\\\").replace('"', "\\\""));
        world.send(client, &line);
        let replies = world.take_output(client);
        assert!(!replies.is_empty(), "no reply to {script}");
        assert_eq!(world.ask(client, "EVAL \"return 'alive'\" 0"), "\"alive\"", "after {script}");
    }
}

#[test]
fn a_script_counts_like_a_command() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "CONFIG RESETSTAT");
    world.ask(client, "EVAL \"return redis.call('incr')\" 0");
    world.ask(client, "EVAL \"return redis.pcall('hget')\" 0");
    world.ask(client, "EVAL 'return x' 0");
    let info = world.ask(client, "INFO everything");
    assert!(info.contains("errorstat_ERR:count=3"), "{info}");
    assert!(info.contains("cmdstat_eval:calls=3") && info.contains("failed_calls=3"), "{info}");
    assert!(world.ask(client, "CLIENT LIST").contains("cmd=client|list"));
}

#[test]
fn help_names_what_there_is() {
    let mut world = World::new();
    let client = world.connect();
    let help = world.ask(client, "SCRIPT HELP");
    assert!(help.starts_with("[+SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:, +DEBUG (YES|SYNC|NO)"), "{help}");
}

/// The reply of a script that returns a string.
#[track_caller]
fn returns(script: &str, text: &str) {
    let typed = |text: &str| {
        let mut typed = Vec::new();
        ruddle::base::text::write_quoted(&mut typed, text.as_bytes());
        String::from_utf8(typed).expect("only ASCII is left unescaped")
    };
    check(&[(&format!("EVAL {} 0", typed(script)), &typed(text))]);
}

#[test]
fn json() {
    for (value, text) in [
        ("{1,2,3}", "[1,2,3]"),
        ("{}", "{}"),
        ("{a=1}", r#"{"a":1}"#),
        ("{1,nil,3}", "[1,null,3]"),
        ("{[1]=1,[2]=2,[5]=5}", "[1,2,null,null,5]"),
        ("{1,2,a=3}", r#"{"1":1,"2":2,"a":3}"#),
        ("nil", "null"),
        ("cjson.null", "null"),
        ("{cjson.null}", "[null]"),
        ("1.5", "1.5"),
        ("1e20", "1e+20"),
        ("0.1", "0.1"),
        ("1/3", "0.33333333333333"),
        ("1e100", "1e+100"),
        ("1e-5", "1e-05"),
        ("0.0001", "0.0001"),
        ("123456789012345", "1.2345678901234e+14"),
        ("12345678901234", "12345678901234"),
        ("-7", "-7"),
        ("true", "true"),
        ("{{}}", "[{}]"),
        ("{[1.5]=1}", r#"{"1.5":1}"#),
        ("{x={y={1,'a'}}}", r#"{"x":{"y":[1,"a"]}}"#),
        ("'a/b\"\\\\'", r#""a\/b\"\\""#),
        ("string.char(1,8,9,10,12,13,31,127)", r#""\u0001\b\t\n\f\r\u001f\u007f""#),
        ("cjson.decode(' [ 1 , 2.5e1 , true,false,null , [ ] , { } ] ')", "[1,25,true,false,null,{},{}]"),
        ("cjson.decode('[1e400]')[1] == 1/0", "true"),
        ("cjson.decode('01')", "1"),
        ("cjson.decode('0x10')", "16"),
    ] {
        returns(&format!("return cjson.encode({value})"), text);
    }
    returns(r#"return cjson.decode('"a\\u00e9\\ud83d\\ude00\\n\\/"')"#, "a\u{e9}\u{1f600}\n/");
    returns(r#"return cjson.decode('{"a":[1,"x"]}').a[2]"#, "x");
    check(&[
        ("EVAL 'return #cjson.encode(cjson.decode(string.rep(\"[\",1000)..string.rep(\"]\",1000)))' 0", ":2000"),
        // more values than the interpreter hands out at a time
        ("EVAL 'local t={} for i=1,20000 do t[i]=\"s\"..i end return #cjson.encode(t)' 0", ":168895"),
        ("EVAL 'local t={} for i=1,20000 do t[\"k\"..i]=\"s\"..i end return #cjson.encode(t)' 0", ":337789"),
        ("EVAL 'local t={} for i=1,20000 do t[i]=\"s\"..i end return #cmsgpack.pack(t)' 0", ":128897"),
        ("EVAL 'return cjson.encode_max_depth(2)' 0", ":2"),
        ("EVAL 'return cjson.encode_max_depth(1000)' 0", ":1000"),
        ("EVAL 'return {cjson.encode_sparse_array()}' 0", "[(nil), :2, :10]"),
        ("EVAL 'return cjson.encode_number_precision(3)' 0", ":3"),
        ("EVAL 'return cjson.encode(3.14159)' 0", "\"3.14\""),
        ("EVAL 'return cjson.encode_number_precision(14)' 0", ":14"),
        (
            "EVAL 'return {cjson.encode_keep_buffer(), cjson.encode_invalid_numbers(), cjson.decode_invalid_numbers(), cjson.decode_max_depth()}' 0",
            "[:1, (nil), :1, :1000]",
        ),
        ("EVAL 'return {cjson._NAME, cjson._VERSION}' 0", "[\"cjson\", \"2.1.0\"]"),
    ]);
    for (script, error) in [
        ("return cjson.encode({[1]=1,[20]=5})", "Cannot serialise table: excessively sparse array"),
        ("return cjson.encode(0/0)", "Cannot serialise number: must not be NaN or Inf"),
        ("return cjson.encode(function() end)", "Cannot serialise function: type not supported"),
        ("return cjson.encode({[true]=1})", "Cannot serialise boolean: table key must be a number or string"),
        ("local a={} a[1]=a return cjson.encode(a)", "Cannot serialise, excessive nesting (1001)"),
        ("return cjson.encode()", "bad argument #1 to 'encode' (expected 1 argument)"),
        ("return cjson.decode()", "bad argument #1 to 'decode' (expected 1 argument)"),
        ("return cjson.decode({})", "bad argument #1 to 'decode' (string expected, got table)"),
        (
            "return cjson.decode(string.rep('[',1001)..string.rep(']',1001))",
            "Found too many nested data structures (1001) at character 1001",
        ),
        ("return cjson.decode('{')", "Expected object key string but found T_END at character 2"),
        ("return cjson.decode('')", "Expected value but found T_END at character 1"),
        ("return cjson.decode('nul')", "Expected value but found invalid token at character 1"),
        ("return cjson.decode('[1,]')", "Expected value but found T_ARR_END at character 4"),
        ("return cjson.decode('[1')", "Expected comma or array end but found T_END at character 3"),
        ("return cjson.decode('-')", "Expected value but found invalid number at character 1"),
        ("return cjson.decode('1 2')", "Expected the end but found T_NUMBER at character 3"),
        ("return cjson.decode('{1:2}')", "Expected object key string but found T_NUMBER at character 2"),
        ("return cjson.decode('{\"a\"}')", "Expected colon but found T_OBJ_END at character 5"),
        ("return cjson.decode('{\"a\":1,}')", "Expected object key string but found T_OBJ_END at character 8"),
        ("return cjson.decode('{\"a\":1]')", "Expected comma or object end but found T_ARR_END at character 7"),
        ("return cjson.decode('\"abc')", "Expected value but found unexpected end of string at character 5"),
        ("return cjson.decode('\"\\\\q\"')", "Expected value but found invalid escape code at character 2"),
        ("return cjson.decode('\"\\\\ud83d\"')", "Expected value but found invalid unicode escape code at character 2"),
    ] {
        fails(script, &format!("ERR user_script:1: {error} {{}}:1."));
    }
}

#[test]
fn a_copy_of_the_json_library_has_settings_of_its_own() {
    let script = "local own = cjson.new() own.encode_number_precision(3) \
                  return {cjson.encode(1/3), own.encode(1/3), own.encode({own.null}), own.decode('null') == cjson.null}";
    check(&[
        (&format!("EVAL \"{script}\" 0"), "[\"0.33333333333333\", \"0.333\", \"[null]\", :1]"),
        ("EVAL \"return {cjson.encode(1/3), cjson.encode_number_precision()}\" 0", "[\"0.33333333333333\", :14]"),
        ("EVAL \"return {cjson.new().encode_sparse_array(true, 3, 4)}\" 0", "[:1, :3, :4]"),
        ("EVAL \"return {cjson.encode_sparse_array()}\" 0", "[(nil), :2, :10]"),
        ("EVAL \"cjson.new().x = 1 return cjson.new()._NAME\" 0", "\"cjson\""),
    ]);
}

#[test]
fn bits() {
    check(&[
        (
            "EVAL 'return {bit.tobit(2^31), bit.tobit(0xffffffff), bit.bnot(0), bit.band(0xff,0x0f,7), bit.bor(1,2,4), bit.bxor(5,1)}' 0",
            "[:-2147483648, :-1, :-1, :7, :7, :4]",
        ),
        (
            "EVAL 'return {bit.lshift(1,33), bit.rshift(-1,1), bit.arshift(-8,1), bit.rol(1,33), bit.ror(1,1), bit.bswap(0x12345678)}' 0",
            "[:2, :2147483647, :-4, :2, :-2147483648, :2018915346]",
        ),
        (
            "EVAL 'return {bit.tohex(1), bit.tohex(-1,4), bit.tohex(0xabcdef,-6), bit.tohex(1,0), bit.tohex(1,99), bit.tohex(1,-2147483648)}' 0",
            "[\"00000001\", \"ffff\", \"ABCDEF\", \"\", \"00000001\", \"00000001\"]",
        ),
        (
            "EVAL 'return {bit.tobit(1.5), bit.tobit(2^52), bit.tobit(1e300), bit.band(\"7\",3), bit.tobit(-1.5)}' 0",
            "[:2, :0, :-2013235812, :3, :-2]",
        ),
    ]);
    fails("return bit.band()", "ERR user_script:1: bad argument #1 to 'band' (number expected, got no value) {}:1.");
    fails("return bit.band('a')", "ERR user_script:1: bad argument #1 to 'band' (number expected, got string) {}:1.");
}

#[test]
fn a_loaded_text_can_be_seen() {
    check(&[
        ("SCRIPT LOAD 'return 1'", "\"e0e1f9fabfc9d4800c877a703b823ac0578ff8db\""),
        ("SCRIPT SHOW E0E1F9FABFC9D4800C877A703B823AC0578FF8DB", "\"return 1\""),
    ]);
    check(&[(&format!("SCRIPT SHOW {NO_SUCH}"), "-NOSCRIPT No matching script. Please use EVAL.")]);
}

#[test]
fn large_tables_are_given_and_taken_whole() {
    check(&[
        (
            "EVAL 'local t = {} for i = 1, 30000 do t[i] = i .. \"\" end redis.call(\"rpush\", \"l\", unpack(t, 1, 7000)) return #t' 0",
            ":30000",
        ),
        ("EVAL 'local t = {} for i = 1, 7999 do t[i] = 1 end return redis.call(\"lpush\", \"m\", unpack(t))' 0", ":7999"),
        ("EVAL 'return #redis.call(\"lrange\", \"l\", 0, -1)' 0", ":7000"),
    ]);
    let mut world = World::new();
    let client = world.connect();
    for (code, count) in [
        ("local t = {} for i = 1, 30000 do t[i] = i .. '' end return t", 30_000),
        ("local t = {} for i = 1, 30000 do t[i .. ''] = i .. '' end return {map=t}", 60_000),
        ("local t = {} for i = 1, 30000 do t[i .. ''] = true end return {set=t}", 30_000),
        ("local t = {} for i = 1, 30000 do t[i] = i .. '' end return cmsgpack.unpack(cmsgpack.pack(t))", 30_000),
    ] {
        let reply = world.ask(client, &format!("EVAL \"{code}\" 0"));
        assert_eq!(reply.split(", ").count(), count, "{code}");
    }
}

#[test]
fn refused_commands_and_returned_errors_are_counted() {
    let mut world = World::new();
    let client = world.connect();
    world.ask(client, "EVAL \"return redis.pcall('set', 'x')\" 0");
    world.ask(client, "EVAL \"return redis.error_reply('MY_CODE text')\" 0");
    let info = world.ask(client, "INFO everything");
    for line in ["rejected_calls=1", "errorstat_MY_CODE:count=1", "errorstat_ERR:count=1"] {
        assert!(info.contains(line), "{line}: {info}");
    }
}

#[test]
fn a_result_that_holds_itself_ends_with_an_error() {
    let mut world = World::new();
    let client = world.connect();
    world.send(client, "EVAL 'local a = {} local b = {a} a[1] = b return a' 0");
    let reply = String::from_utf8(world.take_output(client)).expect("text");
    assert!(reply.trim_start_matches("*1\r\n") == "-ERR reached lua stack limit\r\n", "{} bytes", reply.len());
}

#[test]
fn what_a_queued_script_declares_counts_when_the_transaction_runs() {
    let mut world = World::new();
    let (client, other) = (world.connect(), world.connect());
    for (line, wanted) in [
        (
            r##"EVAL "#!lua\nreturn 1" 0"##,
            "-EXECABORT Transaction discarded because of: READONLY You can't write against a read only replica.",
        ),
        (r##"EVAL "#!lua flags=no-writes\nreturn 1" 0"##, "[:1]"),
        (r##"EVAL "return 1" 0"##, "[:1]"),
    ] {
        world.ask(other, "REPLICAOF NO ONE");
        world.ask(client, "MULTI");
        assert_eq!(world.ask(client, line), "+QUEUED");
        world.ask(other, "REPLICAOF host 1");
        assert_eq!(world.ask(client, "EXEC"), wanted, "{line}");
    }
}
