//! The functions that the world of scripts gets from Rust.

use std::rc::Rc;

use log::Level;
use mlua::{Lua, MultiValue, Table, Value};

use super::arguments::number;
use super::cache::sha_of;
use super::debugger::Debugger;
use super::lane::{Answer, Lane, Replication, Wish};
use super::{bits, failure, inspect, json, messagepack, raw, structs};
use crate::resp::Protocol;

/// The version as one number: a byte for each part.
fn version_number(version: &str) -> u32 {
    version.split('.').fold(0, |number, part| number << 8 | part.parse::<u32>().unwrap_or(0))
}

/// What `prelude.lua` is given.
pub(super) fn table(lua: &Lua, lane: &Rc<Lane>, version: &str) -> mlua::Result<Table> {
    let native = lua.create_table()?;
    native.raw_set("raised", lua.create_function(|lua, failure: Value| failure::raised(lua, failure))?)?;
    native.raw_set("handle", lua.create_function(|lua, failure: Value| failure::handle(lua, failure))?)?;
    native.raw_set("bad_name", failure::BAD_NAME)?;
    native.raw_set("binary_refused", "[string \"\x1bLuaQ\"]:1: unexpected symbol near 'char(27)'")?;
    native.raw_set("random", with_lane(lua, lane, random)?)?;
    native.raw_set("randomseed", with_lane(lua, lane, random_seed)?)?;
    native.raw_set("redis", redis(lua, lane, version)?)?;
    native.raw_set("breakpoint", with_lane(lua, lane, breakpoint)?)?;
    native.raw_set("debug", inspect::debug_function(lua, lane)?)?;
    let libraries = lua.create_table()?;
    libraries.raw_set("cjson", json::library(lua)?)?;
    libraries.raw_set("bit", bits::library(lua)?)?;
    libraries.raw_set("cmsgpack", messagepack::library(lua)?)?;
    libraries.raw_set("struct", structs::library(lua)?)?;
    native.raw_set("libraries", libraries)?;
    Ok(native)
}

fn redis(lua: &Lua, lane: &Rc<Lane>, version: &str) -> mlua::Result<Table> {
    let redis = lua.create_table()?;
    for (name, number) in [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", 1),
        ("REPL_SLAVE", 2),
        ("REPL_REPLICA", 2),
        ("REPL_ALL", 3),
        ("REDIS_VERSION_NUM", version_number(version)),
    ] {
        redis.raw_set(name, number)?;
    }
    redis.raw_set("REDIS_VERSION", version)?;
    redis.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    redis.raw_set("log", lua.create_function(log)?)?;
    redis.raw_set("call", raw::call_function(lua, lane)?)?;
    redis.raw_set("acl_check_cmd", with_lane(lua, lane, may_call)?)?;
    redis.raw_set("setresp", with_lane(lua, lane, set_protocol)?)?;
    redis.raw_set("set_repl", with_lane(lua, lane, set_replication)?)?;
    Ok(redis)
}

/// A function that knows the lane.
fn with_lane<R: mlua::IntoLuaMulti + 'static>(
    lua: &Lua,
    lane: &Rc<Lane>,
    function: fn(&Lua, &Lane, MultiValue) -> mlua::Result<R>,
) -> mlua::Result<mlua::Function> {
    let lane = Rc::clone(lane);
    lua.create_function(move |lua, words: MultiValue| function(lua, &lane, words))
}

/// Puts the words of a command into the lane's buffer.
fn fill(lane: &Lane, words: &MultiValue) -> mlua::Result<()> {
    if !lane.is_taken() {
        return Err(failure::reply("ERR redis.call/pcall can only be called inside a script invocation"));
    }
    if words.is_empty() {
        return Err(failure::reply("ERR Please specify at least one argument for this redis lib call"));
    }
    let mut request = lane.request.borrow_mut();
    request.clear();
    for word in words {
        match word {
            Value::String(text) => request.push(&text.as_bytes()),
            Value::Integer(number) => raw::push_number(&mut request, *number as f64),
            Value::Number(number) => raw::push_number(&mut request, *number),
            _ => return Err(failure::reply("ERR Lua redis lib command arguments must be strings or integers")),
        }
    }
    Ok(())
}

fn may_call(_: &Lua, lane: &Lane, words: MultiValue) -> mlua::Result<bool> {
    fill(lane, &words)?;
    match lane.ask(Wish::MayCall) {
        Answer::Unknown => Err(failure::reply("ERR Invalid command passed to redis.acl_check_cmd()")),
        answer => Ok(answer != Answer::Forbidden),
    }
}

/// redis.breakpoint: whether there is a debugger, which then stops at the next line.
fn breakpoint(_: &Lua, lane: &Lane, _: MultiValue) -> mlua::Result<bool> {
    let mut debugger = lane.debugger.borrow_mut();
    debugger.iter_mut().for_each(Debugger::stop_soon);
    Ok(debugger.is_some())
}

fn sha1hex(lua: &Lua, words: MultiValue) -> mlua::Result<Value> {
    if words.len() != 1 {
        return Err(failure::reply("ERR wrong number of arguments"));
    }
    let text = lua.coerce_string(words[0].clone())?;
    let sha = sha_of(&text.as_ref().map(|text| text.as_bytes().to_vec()).unwrap_or_default());
    lua.create_string(sha).map(Value::String)
}

fn log(lua: &Lua, words: MultiValue) -> mlua::Result<()> {
    if words.len() < 2 {
        return Err(failure::reply("ERR redis.log() requires two arguments or more."));
    }
    let Some(level) = number(lua, words.front()) else {
        return Err(failure::reply("ERR First argument must be a number (log level)."));
    };
    let level = match level.trunc() {
        0.0 => Level::Trace,
        1.0 => Level::Debug,
        2.0 => Level::Info,
        3.0 => Level::Warn,
        _ => return Err(failure::reply("ERR Invalid log level.")),
    };
    let mut line = Vec::new();
    for word in words.iter().skip(1) {
        let Ok(Some(text)) = lua.coerce_string(word.clone()) else { continue };
        if !line.is_empty() {
            line.push(b' ');
        }
        line.extend_from_slice(&text.as_bytes());
    }
    log::log!(level, "{}", String::from_utf8_lossy(&line));
    Ok(())
}

fn set_protocol(lua: &Lua, lane: &Lane, words: MultiValue) -> mlua::Result<()> {
    if words.len() != 1 {
        return Err(failure::reply("ERR redis.setresp() requires one argument."));
    }
    let protocol = match number(lua, words.front()) {
        Some(2.0) => Protocol::Resp2,
        Some(3.0) => Protocol::Resp3,
        _ => return Err(failure::reply("ERR RESP version must be 2 or 3.")),
    };
    lane.protocol.set(protocol);
    Ok(())
}

/// redis.set_repl: who hears of the commands that follow.
fn set_replication(lua: &Lua, lane: &Lane, words: MultiValue) -> mlua::Result<()> {
    if words.len() != 1 {
        return Err(failure::reply("ERR redis.set_repl() requires one argument."));
    }
    let replication = match number(lua, words.front()).unwrap_or(0.0) {
        0.0 => Replication::Nowhere,
        1.0 => Replication::File,
        2.0 => Replication::Replicas,
        3.0 => Replication::All,
        _ => return Err(failure::reply("ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")),
    };
    lane.replication.set(replication);
    Ok(())
}

/// math.random, by the server's own chance.
fn random(lua: &Lua, lane: &Lane, words: MultiValue) -> mlua::Result<Value> {
    let bound = |index: usize| match number(lua, words.get(index)) {
        Some(bound) => Ok(bound.floor()),
        None => {
            let given = words.get(index).map_or("no value", Value::type_name);
            Err(failure::text(lua, format!("bad argument #{} to 'random' (number expected, got {given})", index + 1)))
        }
    };
    let (low, high, empty) = match words.len() {
        0 => (0.0, 0.0, 0),
        1 => (1.0, bound(0)?, 1),
        2 => (bound(0)?, bound(1)?, 2),
        _ => return Err(failure::text(lua, "wrong number of arguments")),
    };
    if empty > 0 && (low > high || low.is_nan() || high.is_nan()) {
        return Err(failure::text(lua, format!("bad argument #{empty} to 'random' (interval is empty)")));
    }
    let unit = lane.random.borrow_mut().unit();
    Ok(Value::Number(if empty == 0 { unit } else { low + (unit * (high - low + 1.0)).floor() }))
}

fn random_seed(lua: &Lua, lane: &Lane, words: MultiValue) -> mlua::Result<()> {
    let Some(seed) = number(lua, words.front()) else {
        let given = words.front().map_or("no value", Value::type_name);
        return Err(failure::text(lua, format!("bad argument #1 to 'randomseed' (number expected, got {given})")));
    };
    *lane.random.borrow_mut() = crate::base::random::Random::from_seed(seed.to_bits());
    Ok(())
}
