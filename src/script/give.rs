//! A script's result becomes the reply.
//!
//! Tables may hold themselves, so the depth is bounded, and the writer keeps its own stack. The bound is where the
//! stack of Redis's interpreter ends: a table takes one slot there, a map or a set three.

use mlua::{Lua, Table, Value};

use crate::base::text::until_zero;
use crate::limits;
use crate::resp::Protocol;
use crate::resp::writer::Reply;

/// A table whose values are being written, and how many slots the interpreter would have used for it. The values are
/// fetched one by one: there is room for a few thousand at a time.
struct Level {
    table: Table,
    next: usize,
    length: usize,
    slots: usize,
}

/// What stands in place of a value that lies too deep.
const TOO_DEEP: &[u8] = b"ERR reached lua stack limit";

/// A writer of one result.
struct Giver<'a, 'b> {
    reply: &'a mut Reply<'b>,
    lua: &'a Lua,
    protocol: Protocol,
    errors: Vec<Vec<u8>>,
}

/// Writes a script's result. `protocol` is the script's choice: it says what booleans are. Gives the errors that were
/// written and not counted before.
pub(super) fn write(reply: &mut Reply<'_>, lua: &Lua, value: &Value, protocol: Protocol) -> Vec<Vec<u8>> {
    let mut giver = Giver { reply, lua, protocol, errors: Vec::new() };
    let mut levels: Vec<Level> = Vec::new();
    levels.extend(giver.write_one(value, 0));
    while let Some(level) = levels.last_mut() {
        if level.next > level.length {
            levels.pop();
            continue;
        }
        let value = level.table.raw_get(level.next);
        level.next += 1;
        let slots = level.slots;
        match value {
            Ok(value) => levels.extend(giver.write_one(&value, slots)),
            Err(_) => giver.reply.error(TOO_DEEP),
        }
    }
    giver.errors
}

/// Whether a result is an error.
pub(super) fn is_error(value: &Value) -> bool {
    matches!(value, Value::Table(table) if text_of(&field(table, "err")).is_some())
}

/// Writes a boolean, which is one only by the script's choice.
pub(super) fn boolean(reply: &mut Reply<'_>, value: bool, protocol: Protocol) {
    match protocol {
        Protocol::Resp3 => reply.boolean(value),
        Protocol::Resp2 if value => reply.integer(1),
        Protocol::Resp2 => reply.null(),
    }
}

/// Writes a number.
pub(super) fn number(reply: &mut Reply<'_>, value: f64) {
    reply.integer(integer(value));
}

/// What Redis makes of a number: its integer part; what fits no integer is the least.
fn integer(number: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&number) { number.trunc() as i64 } else { i64::MIN }
}

fn one_line(text: &[u8]) -> Vec<u8> {
    text.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }).collect()
}

/// The keys of a table, or its keys and values by turns, as an array of their own, and how long that is.
pub(super) fn flat(lua: &Lua, entries: &Table, with_values: bool) -> mlua::Result<(Table, usize)> {
    let table = lua.create_table()?;
    let mut length = 0;
    for entry in entries.pairs::<Value, Value>() {
        let (key, value) = entry?;
        table.raw_set(length + 1, key)?;
        length += 1;
        if with_values {
            table.raw_set(length + 1, value)?;
            length += 1;
        }
    }
    Ok((table, length))
}

fn field(table: &Table, name: &str) -> Value {
    table.raw_get(name).unwrap_or(Value::Nil)
}

/// The bytes of a string, or of a number as a string: what Lua takes for one.
fn text_of(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(_) | Value::Number(_) => value.to_string().ok().map(String::into_bytes),
        _ => None,
    }
}

impl Giver<'_, '_> {
    /// Writes a value, or the header of an aggregate whose values are to follow.
    fn write_one(&mut self, value: &Value, slots: usize) -> Option<Level> {
        if slots > limits::SCRIPT_REPLY_SLOTS {
            self.reply.error(TOO_DEEP);
            return None;
        }
        match value {
            Value::String(text) => self.reply.bulk(&text.as_bytes()),
            Value::Integer(number) => self.reply.integer(*number),
            Value::Number(value) => number(self.reply, *value),
            Value::Boolean(value) => boolean(self.reply, *value, self.protocol),
            Value::Table(table) => return self.write_table(table, slots),
            _ => self.reply.null(),
        }
        None
    }

    fn write_table(&mut self, table: &Table, slots: usize) -> Option<Level> {
        if self.write_tagged(table) {
            return None;
        }
        for (name, with_values) in [("map", true), ("set", false)] {
            if let Value::Table(entries) = field(table, name) {
                let (table, length) = match flat(self.lua, &entries, with_values) {
                    Ok(flat) => flat,
                    Err(error) => {
                        // there is no memory left
                        self.reply.error(format!("ERR {error}").as_bytes());
                        return None;
                    }
                };
                if with_values {
                    self.reply.map(length / 2);
                } else {
                    self.reply.set(length);
                }
                return Some(Level { table, next: 1, length, slots: slots + 3 });
            }
        }
        let mut length = 0;
        loop {
            match table.raw_get(length + 1) {
                Ok(Value::Nil) => break,
                Ok(_) => length += 1,
                // each level takes a place of the interpreter's, and there is none left
                Err(_) => {
                    self.reply.error(TOO_DEEP);
                    return None;
                }
            }
        }
        self.reply.array(length);
        Some(Level { table: table.clone(), next: 1, length, slots: slots + 1 })
    }

    /// Writes a table that stands for a reply that Lua has no value for. Gives whether it does.
    fn write_tagged(&mut self, table: &Table) -> bool {
        let reply = &mut *self.reply;
        if let Some(text) = text_of(&field(table, "err")) {
            let text = until_zero(&text);
            reply.error(text);
            if !matches!(field(table, "ignore_error_stats_update"), Value::Boolean(true)) {
                self.errors.push(text.to_vec());
            }
        } else if let Some(text) = text_of(&field(table, "ok")) {
            reply.simple_bytes(&one_line(until_zero(&text)));
        } else if let Some(double) = number_of(&field(table, "double")) {
            reply.double(double);
        } else if let Value::String(digits) = field(table, "big_number") {
            reply.big_number(&one_line(&digits.as_bytes()));
        } else if let Value::Table(parts) = field(table, "verbatim_string")
            && let (Value::String(text), Value::String(format)) = (field(&parts, "string"), field(&parts, "format"))
        {
            let format = format.to_string_lossy();
            let format: String = format.chars().chain("   ".chars()).take(3).collect();
            reply.verbatim(&format, &text.as_bytes());
        } else {
            return false;
        }
        true
    }
}

fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    }
}
