//! How functions of ours fail in a script, and what becomes of a failure that the script does not catch.
//!
//! A Rust function cannot raise a table; what it raises is a userdata that holds a [`Raised`]. Scripts never see
//! it: `prelude.lua` turns it into what Redis would have raised wherever a script can catch something.

use std::fmt;

use mlua::{Lua, Table, Value};

use crate::base::text::until_zero;

/// What a function of ours raises.
#[derive(Debug)]
pub(super) enum Raised {
    /// A table with the text of an error reply.
    Reply {
        /// The text, code first.
        text: Vec<u8>,
        /// Whether the error has been counted.
        counted: bool,
    },
    /// A text, as Lua's own functions raise.
    Text(Vec<u8>),
}

impl fmt::Display for Raised {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Raised::Reply { text, .. } | Raised::Text(text)) = self;
        out.write_str(&String::from_utf8_lossy(text))
    }
}

impl std::error::Error for Raised {}

/// An error reply as a table, for a script to catch.
pub(super) fn reply(text: impl Into<Vec<u8>>) -> mlua::Error {
    mlua::Error::external(Raised::Reply { text: text.into(), counted: false })
}

/// A text with the place in the script before it, as Lua's own functions fail.
pub(super) fn text(lua: &Lua, text: impl AsRef<[u8]>) -> mlua::Error {
    let mut full = Vec::new();
    lua.inspect_stack(1, |frame| {
        if let Some(line) = frame.current_line() {
            full.extend_from_slice(frame.source().short_src.unwrap_or_default().as_bytes());
            full.extend_from_slice(format!(":{line}: ").as_bytes());
        }
    });
    full.extend_from_slice(text.as_ref());
    mlua::Error::external(Raised::Text(full))
}

/// A text without a place.
pub(super) fn plain(text: &str) -> mlua::Error {
    mlua::Error::external(Raised::Text(text.as_bytes().to_vec()))
}

/// What a script catches instead of a failure: a table of an error reply, or a text.
pub(super) fn raised(lua: &Lua, failure: Value) -> mlua::Result<Value> {
    let Value::Error(error) = failure else { return Ok(failure) };
    Ok(match error.downcast_ref::<Raised>() {
        Some(Raised::Reply { text, counted }) => {
            let table = lua.create_table()?;
            table.raw_set("err", lua.create_string(text)?)?;
            if *counted {
                table.raw_set("ignore_error_stats_update", true)?;
            }
            Value::Table(table)
        }
        Some(Raised::Text(text)) => Value::String(lua.create_string(text)?),
        None => Value::String(lua.create_string(error.to_string())?),
    })
}

/// Whose frames are not the script's.
pub(super) const OUR_SOURCE: &str = "=ruddle";

/// Where the script was when the failure came: the source and line of its innermost function.
fn place(lua: &Lua) -> Option<(String, usize)> {
    let frames = (1..).map_while(|level| {
        lua.inspect_stack(level, |frame| {
            let source = frame.source().source.unwrap_or_default().into_owned();
            frame.current_line().filter(|_| source != OUR_SOURCE).map(|line| (source, line))
        })
    });
    frames.flatten().next()
}

/// Makes of a failure that nobody caught a table with its text and place, while the stack still stands.
pub(super) fn handle(lua: &Lua, failure: Value) -> mlua::Result<Table> {
    let place = place(lua);
    let table = match raised(lua, failure)? {
        Value::Table(table) => table,
        other => {
            let shown = match &other {
                Value::String(text) => {
                    let text = text.as_bytes().to_vec();
                    relocated(&text, place.as_ref()).unwrap_or(text)
                }
                other => other.to_string()?.into_bytes(),
            };
            let table = lua.create_table()?;
            table.raw_set("err", lua.create_string([b"ERR ", &shown[..]].concat())?)?;
            table
        }
    };
    if let Some((source, line)) = place {
        table.raw_set("source", source)?;
        table.raw_set("line", line)?;
    }
    Ok(table)
}

/// A text whose place is one in the prelude, with the script's place instead.
fn relocated(text: &[u8], place: Option<&(String, usize)>) -> Option<Vec<u8>> {
    let rest = text.strip_prefix(b"ruddle:")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let message = rest[digits..].strip_prefix(b": ")?;
    let mut moved = Vec::new();
    if let Some((source, line)) = place {
        moved.extend_from_slice(format!("{}:{line}: ", source.trim_start_matches(['@', '='])).as_bytes());
    }
    moved.extend_from_slice(message);
    Some(moved)
}

/// What a library or function must be called.
pub(super) const BAD_NAME: &str =
    "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// The text of a failure that [`handle`] has made of one.
pub(super) fn text_of(failure: &Value) -> Vec<u8> {
    let Value::Table(table) = failure else {
        // the interpreter was out of memory, or failed while it failed
        return [b"ERR ", failure.to_string().unwrap_or_default().as_bytes()].concat();
    };
    match table.raw_get::<Value>("err") {
        Ok(Value::String(text)) => until_zero(&text.as_bytes()).to_vec(),
        Ok(Value::Integer(number)) => number.to_string().into_bytes(),
        Ok(Value::Number(number)) => number.to_string().into_bytes(),
        _ => b"ERR unknown error".to_vec(),
    }
}

/// The text of a failure table, whether it has been counted, and what says where it came from.
pub(super) fn outcome(failure: &Value, sha: &str) -> (Vec<u8>, bool) {
    let mut text = text_of(failure);
    let Value::Table(table) = failure else { return (text, false) };
    let counted = matches!(table.raw_get::<Value>("ignore_error_stats_update"), Ok(Value::Boolean(true)));
    if let (Ok(Value::String(source)), Ok(Value::Integer(line))) = (table.raw_get::<Value>("source"), table.raw_get::<Value>("line")) {
        text.extend_from_slice(format!(" script: {sha}, on {}:{line}.", source.to_string_lossy()).as_bytes());
    }
    (text, counted)
}
