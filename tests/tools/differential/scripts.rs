//! Scripts and functions among the requests: some carry another request, others are small programs of their own.
//!
//! What a carrier runs is a request like any other, so its reply is compared by the rules of that request
//! ([`carried`]). The programs are about what a script alone can do: how Lua's values turn into replies, the
//! libraries, errors and their places, the names there are.

use ruddle::base::random::Random;
use sha1::{Digest as _, Sha1};

use super::link::Words;
use super::words::{Taste, chance, pick};

/// Scripts that run their arguments as a command.
const CARRIERS: &[&str] = &[
    "return redis.call(unpack(ARGV))",
    "return redis.pcall(unpack(ARGV))",
    "redis.setresp(3) return redis.call(unpack(ARGV))",
    "#!lua flags=no-writes\nreturn redis.call(unpack(ARGV))",
    "local reply = redis.pcall(unpack(ARGV)) redis.call('ECHO', 'after') return reply",
];

/// A library whose functions run their arguments as a command.
const LIBRARY: &str = "#!lua name=carriers
redis.register_function('carry', function(keys, args) return redis.call(unpack(args)) end)
redis.register_function{function_name = 'carry_ro', flags = {'no-writes'}, callback = function(keys, args) return redis.call(unpack(args)) end}
redis.register_function('tell', function(keys, args) return {#keys, keys[1] or 'no key', args[1], tonumber(args[2] or 'x')} end)";

/// The functions of the library that carry.
const FUNCTIONS: &[&str] = &["carry", "carry_ro"];

/// Libraries that are loaded in the midst of a story: good ones and wrong ones.
const LIBRARIES: &[&str] = &[
    LIBRARY,
    "#!lua name=second\nredis.register_function('second', function(keys, args) return args[1] end)",
    "#!lua name=second\nredis.register_function('third', function(keys, args) return redis.call('GET', keys[1]) end)",
    "#!lua name=clash\nredis.register_function('carry', function() return 1 end)",
    "#!lua name=no name\nreturn 1",
    "#!lua\nreturn 1",
    "#!lua name=empty\nlocal x = 1",
    "#!python name=x\nx",
    "redis.register_function('f', function() end)",
    "#!lua name=wrong\nredis.register_function('bad name', function() end)",
    "#!lua name=wrong\nredis.register_function('f', 'g')",
    "#!lua name=wrong\nredis.call('SET', 'x', '1')",
    "#!lua name=wrong\nerror('on purpose')",
    "#!lua name=wrong\nsyntax error",
    "#!lua name=wrong\nredis.register_function{function_name = 'f', callback = function() end, flags = {'no-such'}}",
];

/// What a server of 7.0 does not survive.
const FATAL: &str = "error({})";

/// Programs. They have one key and three arguments.
const PROGRAMS: &[&str] = &[
    // values that turn into replies
    "return {ARGV[1], tonumber(ARGV[2]) or 'none', {KEYS[1]}, true, false, 'last'}",
    "return {1, 2.9, -2.9, 1e15, '1.5', nil, 3}",
    "return tonumber(ARGV[2])",
    "return tostring(tonumber(ARGV[2]))",
    "return {ok = ARGV[1]}",
    "return {err = ARGV[1]}",
    "return {err = 'CODE ' .. ARGV[1]}",
    "return redis.error_reply(ARGV[1])",
    "return redis.status_reply(ARGV[1])",
    "return {double = tonumber(ARGV[2]) or 0.5}",
    "redis.setresp(3) return {double = tonumber(ARGV[2]) or 0.5}",
    "return {map = {[ARGV[1]] = ARGV[2]}}",
    "redis.setresp(3) return {map = {[ARGV[1]] = {double = 1.5}}}",
    "return {set = {[ARGV[1]] = true}}",
    "return {big_number = ARGV[2]}",
    "return {verbatim_string = {format = 'txt', string = ARGV[1]}}",
    "return {{}, {{}}, {[2] = 'not first'}}",
    "return nil",
    "return",
    "return 'a', 'b'",
    "return redis.call('GET', KEYS[1]) == false",
    "return #redis.pcall('HGETALL', KEYS[1])",
    "redis.setresp(3) return tostring(redis.call('EXISTS', KEYS[1]) == 1) .. type(redis.pcall('GET', KEYS[1]))",
    "redis.setresp(3) local reply = redis.pcall('ZSCORE', KEYS[1], ARGV[1]) return type(reply) == 'table' and reply.double and tostring(reply.double)",
    "redis.setresp(3) local reply = redis.pcall('HGETALL', KEYS[1]) local count = 0 for _ in pairs(reply.map or {}) do count = count + 1 end return count",
    "redis.setresp(4)",
    "return redis.setresp(2)",
    // words of commands that are no strings
    "return redis.pcall('SET', KEYS[1], 12.5)",
    "return redis.pcall('SET', KEYS[1], 1e20)",
    "return redis.pcall('SET', KEYS[1], tonumber(ARGV[2]) or 0)",
    "return redis.pcall('SET', KEYS[1], {})",
    "return redis.pcall('SET', KEYS[1], true)",
    "return redis.pcall('ECHO', nil)",
    "return redis.call()",
    "return redis.call({})",
    "return redis.call('NOSUCH', ARGV[1])",
    "return redis.call('SET', KEYS[1])",
    "return redis.call('SUBSCRIBE', 'x')",
    "return redis.pcall('MULTI')",
    "return redis.pcall('EVAL', 'return 1', 0)",
    "return {pcall(redis.call, 'LPUSH', KEYS[1])}",
    "return {pcall(redis.call, 'INCR', KEYS[1])}",
    "local reply = redis.pcall('INCR', KEYS[1]) return type(reply) == 'table' and {reply.err, reply.source, reply.line} or reply",
    // errors
    "error(ARGV[1])",
    "error({err = ARGV[1]})",
    "error({err = 'MINE of my own'})",
    "error()",
    "error(nil)",
    FATAL,
    "undeclared = 1",
    "return undeclared",
    "syntax error here",
    "return KEYS[2] .. 'x'",
    "local t = {} t.x = t return t",
    "return redis.call('GET')\n\n+",
    "\n\nreturn {}.x.y",
    "return string.rep('x', -1) .. ('x'):rep(3)",
    "redis.call = nil",
    "KEYS = nil return type(KEYS)",
    "return ARGV[4]",
    // shebangs
    "#!lua\nreturn redis.call('SET', KEYS[1], ARGV[1])",
    "#!lua flags=no-writes\nreturn redis.pcall('SET', KEYS[1], ARGV[1])",
    "#!lua flags=allow-stale,no-cluster\nreturn 1",
    "#!lua flags=nonsense\nreturn 1",
    "#!lua name=x\nreturn 1",
    "#!notlua\nreturn 1",
    "#!lua",
    // libraries
    "return cjson.encode({ARGV[1], 1.5, {}, {a = {1, 2}}, true})",
    "return cjson.encode({ARGV[1], tonumber(ARGV[2]) or 0})",
    "local value = cjson.decode('[1, 2.5, \"x\", null, true, {\"a\": []}]') return {value[1], value[2], value[3], value[4] == cjson.null, value[5], #value[6].a}",
    "return cjson.encode(cjson.decode(ARGV[1]))",
    "return cjson.decode(ARGV[2])",
    "return cjson.encode({[3] = 'sparse'})",
    "return cjson.encode({[1000] = 'very sparse'})",
    "return {cjson.encode(0.1), cjson.encode(1e100), cjson.encode(-0), cjson.encode(2^53)}",
    "return cmsgpack.pack({ARGV[1], tonumber(ARGV[2]) or 'x', true, {a = 1}})",
    "return cmsgpack.pack(tonumber(ARGV[2]))",
    "return {cmsgpack.unpack(cmsgpack.pack(ARGV[1], 1, -1, 70000, 2.5, nil))}",
    "return cmsgpack.unpack(ARGV[1])",
    "return struct.pack('>i4hb', 100000, 300, 5)",
    "return struct.pack('<dfs', tonumber(ARGV[2]) or 1.5, 0.5, ARGV[1])",
    "return {struct.unpack('<I2Bc0', ARGV[1] .. 'padding')}",
    "return struct.size('>!4i1i4')",
    "return {bit.tohex(tonumber(ARGV[2]) or 1), bit.tohex(255, -4), bit.bnot(5), bit.bswap(1)}",
    "local n = tonumber(ARGV[2]) or 7 return {bit.band(n, 255), bit.bor(n, 256), bit.bxor(n, -1), bit.lshift(n, 3), bit.rshift(n, 1), bit.arshift(n, 2), bit.rol(n, 5), bit.ror(n, 5), bit.tobit(n)}",
    "return redis.sha1hex(ARGV[1])",
    "return string.format('%.17g %s %q %5d %x', tonumber(ARGV[2]) or 0, ARGV[1], ARGV[1], 42, 255)",
    "return {math.floor(-2.5), math.huge == 1 / 0, math.fmod(7, 3), math.max(1, 3, 2), math.pi}",
    "math.randomseed(tonumber(ARGV[2]) or 1) local n = math.random(10) return {type(n), n > 0, n < 11, math.random() < 1}",
    "return {string.find(ARGV[1], 'm(%d+)'), (string.gsub(ARGV[1], '%d', 'n')), string.byte(ARGV[1], 1, 3)}",
    "return {table.concat(ARGV, '-'), #ARGV, #KEYS, select('#', unpack(ARGV)), table.concat({1, 2.5}, ' ')}",
    "local t = {5, 2, 8, 1} table.sort(t, function(a, b) return a > b end) return t",
    "return _VERSION",
    // what there is
    "local names = {} for name in pairs(_G) do if name:sub(1, 2) ~= '__' then names[#names + 1] = name end end table.sort(names) return names",
    "local names = {} for _, library in ipairs({'string', 'table', 'math', 'bit', 'struct', 'cjson', 'cmsgpack', 'os'}) do for name in pairs(_G[library]) do names[#names + 1] = library .. '.' .. name end end table.sort(names) return names",
    "return {type(print), type(dofile), type(loadfile), type(loadstring), type(require), type(io), type(os), type(debug), type(newproxy), type(getfenv), type(setmetatable)}",
    "return {type(redis.breakpoint), type(redis.debug), type(redis.acl_check_cmd), type(redis.register_function), type(server), redis.LOG_WARNING, redis.REPL_ALL}",
    "return {redis.acl_check_cmd('SET', KEYS[1], 'x'), pcall(redis.acl_check_cmd, 'NOSUCH')}",
    "return redis.log(redis.LOG_DEBUG, ARGV[1])",
    "return redis.log(9, 'x')",
    "return redis.replicate_commands()",
    "redis.set_repl(redis.REPL_ALL) return redis.call('APPEND', KEYS[1] .. 'never', 'x')",
    "return redis.set_repl(77)",
    "return redis.breakpoint()",
    "string.x = 1",
    "_G.x = 1",
    "getmetatable('').__index = nil",
    "setmetatable(_G, {})",
    "return loadstring('return ' .. ARGV[2])()",
    // several commands
    "for at = 1, 20 do redis.call('RPUSH', KEYS[1], ARGV[1] .. at) end return redis.call('LRANGE', KEYS[1], -3, -1)",
    "for at = 1, 20 do redis.call('HSET', KEYS[1], ARGV[1] .. at, at) end return redis.call('HLEN', KEYS[1])",
    "for at = 1, 20 do redis.call('SADD', KEYS[1], at * 7) end return redis.call('SCARD', KEYS[1])",
    "for at = 1, 20 do redis.call('ZADD', KEYS[1], at / 4, at) end return redis.call('ZRANGE', KEYS[1], 0, 5, 'WITHSCORES')",
    "redis.setresp(3) for at = 1, 5 do redis.call('ZADD', KEYS[1], at / 4, at) end return redis.call('ZRANGE', KEYS[1], 0, 5, 'WITHSCORES')",
    "redis.call('DEL', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1], 'EX', 5000000) return redis.call('GETRANGE', KEYS[1], 0, 3)",
    "redis.call('SELECT', 1) redis.call('SET', KEYS[1], ARGV[1]) return redis.call('TYPE', KEYS[1])",
    "redis.call('SET', KEYS[1], ARGV[1]) error('after a write')",
];

/// The sum a script is called by.
fn sum(script: &str) -> String {
    Sha1::digest(script.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn request(words: &[&str]) -> Words {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

/// What a story begins with: the library, and no script.
pub fn settings() -> Vec<Words> {
    vec![request(&["FUNCTION", "FLUSH"]), request(&["FUNCTION", "LOAD", LIBRARY]), request(&["SCRIPT", "FLUSH"])]
}

/// A request within a script or function.
pub fn carry(random: &mut Random, carried: &Words) -> Words {
    let read_only = if chance(random, 20) { "_RO" } else { "" };
    let mut words = match random.below(10) {
        0..6 => request(&[&format!("EVAL{read_only}"), pick(random, CARRIERS), "0"]),
        6 => request(&[&format!("EVALSHA{read_only}"), &sum(pick(random, CARRIERS)), "0"]),
        _ => request(&[&format!("FCALL{read_only}"), pick(random, FUNCTIONS), "0"]),
    };
    words.extend(carried.iter().cloned());
    words
}

/// Whether a carrier's reply went through Lua as RESP3, where a map is a table: without order.
pub fn unordered(words: &Words) -> bool {
    let speaks = |script: &&&str| script.contains("setresp");
    words
        .get(1)
        .is_some_and(|called| CARRIERS.iter().filter(speaks).any(|script| called == script.as_bytes() || called == sum(script).as_bytes()))
}

/// The request that a script or function does nothing but run.
pub fn carried(words: &Words) -> Option<Words> {
    let name = String::from_utf8_lossy(words.first()?).to_ascii_lowercase();
    let called = std::str::from_utf8(words.get(1)?).ok()?;
    let carries = match name.as_str() {
        "eval" | "eval_ro" => CARRIERS.contains(&called),
        "evalsha" | "evalsha_ro" => CARRIERS.iter().any(|script| sum(script).eq_ignore_ascii_case(called)),
        "fcall" | "fcall_ro" => FUNCTIONS.contains(&called),
        _ => false,
    };
    let keys = std::str::from_utf8(words.get(2)?).ok()?.parse::<usize>().ok()?;
    let inner = words.get(keys.checked_add(3)?..).filter(|inner| carries && !inner.is_empty())?;
    Some(inner.to_vec())
}

/// A program, or something else that has to do with scripts. They are about keys of a group.
pub fn program(random: &mut Random, taste: &Taste, group: &str) -> Words {
    let mut script = pick(random, PROGRAMS);
    while script == FATAL && taste.is_plain() {
        script = pick(random, PROGRAMS);
    }
    let mut words = match random.below(40) {
        0 => return request(&["SCRIPT", "LOAD", if chance(random, 50) { script } else { pick(random, CARRIERS) }]),
        1 => return request(&["SCRIPT", "EXISTS", &sum(script), &sum(pick(random, CARRIERS)), "none"]),
        2 => return request(&["SCRIPT", pick(random, &["FLUSH", "flush", "KILL"])]),
        3 => return request(&["FUNCTION", "LOAD", pick(random, LIBRARIES)]),
        4 => return request(&["FUNCTION", "LOAD", "REPLACE", pick(random, LIBRARIES)]),
        5 => return request(&["FUNCTION", "DELETE", pick(random, &["second", "empty", "none", "carriers"])]),
        6 => return request(&["FUNCTION", pick(random, &["KILL", "STATS"])]),
        7 => return request(&["FUNCTION", "LIST", "LIBRARYNAME", pick(random, &["second", "car*", "none"]), "WITHCODE"]),
        8 => request(&[pick(random, &["FCALL", "FCALL_RO"]), pick(random, &["tell", "second", "third", "none"]), "1"]),
        9..12 => request(&[pick(random, &["EVALSHA", "EVALSHA_RO"]), &sum(script), "1"]),
        12 => request(&["EVAL_RO", script, "1"]),
        13 => request(&["EVAL", script, pick(random, &["0", "2", "4", "5", "-1", "x", "2147483648"])]),
        _ => request(&["EVAL", script, "1"]),
    };
    words.push(taste.key(random, group));
    words.extend([taste.member(random), taste.number(random), taste.member(random)]);
    words
}
