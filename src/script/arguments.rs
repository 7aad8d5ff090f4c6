//! Arguments of library functions, taken and refused as Lua's own C functions do it.

use mlua::{Lua, MultiValue, Value};

use super::failure;

/// A number, or a string that is one, as Lua's own functions take them.
pub(super) fn number(lua: &Lua, value: Option<&Value>) -> Option<f64> {
    lua.coerce_number(value?.clone()).ok().flatten()
}

/// What a missing or wrong argument is called.
fn kind(words: &MultiValue, at: usize) -> &'static str {
    words.get(at).map_or("no value", Value::type_name)
}

/// An argument is refused.
pub(super) fn bad(lua: &Lua, at: usize, function: &str, why: &str) -> mlua::Error {
    failure::text(lua, format!("bad argument #{at} to '{function}' ({why})"))
}

/// The argument at an index from 0 as a string; a number is one, too.
pub(super) fn text(lua: &Lua, words: &MultiValue, at: usize, function: &str) -> mlua::Result<mlua::LuaString> {
    let text = match words.get(at) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(value) => lua.coerce_string(value.clone())?,
        None => None,
    };
    text.ok_or_else(|| bad(lua, at + 1, function, &format!("string expected, got {}", kind(words, at))))
}

/// The argument at an index from 0 as an integer.
pub(super) fn integer(lua: &Lua, words: &MultiValue, at: usize, function: &str) -> mlua::Result<i64> {
    let value = number(lua, words.get(at));
    let value = value.ok_or_else(|| bad(lua, at + 1, function, &format!("number expected, got {}", kind(words, at))))?;
    // beyond the range it is held at its end
    Ok(value as i64)
}
