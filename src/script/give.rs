//! A script's result becomes the reply.
//!
//! Tables may hold themselves, so the depth is bounded, and the writer keeps its own stack. The bound is where the
//! stack of Redis's interpreter ends: a table takes one slot there, a map or a set three.

use mlua::{Table, Value};

use crate::limits;
use crate::resp::Protocol;
use crate::resp::writer::Reply;

/// Values to be written, and how many slots the interpreter would have used for them.
struct Level {
    values: std::vec::IntoIter<Value>,
    slots: usize,
}

/// Writes a script's result. `protocol` is the script's choice: it says what booleans are.
pub(super) fn write(reply: &mut Reply<'_>, value: &Value, protocol: Protocol) {
    let mut levels: Vec<Level> = Vec::new();
    if let Some(level) = write_one(reply, value, protocol, 0) {
        levels.push(level);
    }
    while let Some(level) = levels.last_mut() {
        let slots = level.slots;
        match level.values.next() {
            Some(value) => levels.extend(write_one(reply, &value, protocol, slots)),
            None => {
                levels.pop();
            }
        }
    }
}

/// What Redis makes of a number: its integer part; what fits no integer is the least.
fn integer(number: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&number) { number.trunc() as i64 } else { i64::MIN }
}

/// Writes a value, or the header of an aggregate whose values are to follow.
fn write_one(reply: &mut Reply<'_>, value: &Value, protocol: Protocol, slots: usize) -> Option<Level> {
    if slots > limits::SCRIPT_REPLY_SLOTS {
        reply.error(b"ERR reached lua stack limit");
        return None;
    }
    match value {
        Value::String(text) => reply.bulk(&text.as_bytes()),
        Value::Integer(number) => reply.integer(*number),
        Value::Number(number) => reply.integer(integer(*number)),
        Value::Boolean(value) => match protocol {
            Protocol::Resp3 => reply.boolean(*value),
            Protocol::Resp2 if *value => reply.integer(1),
            Protocol::Resp2 => reply.null(),
        },
        Value::Table(table) => return write_table(reply, table, slots),
        _ => reply.null(),
    }
    None
}

fn one_line(text: &[u8]) -> Vec<u8> {
    text.iter().map(|&byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }).collect()
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

fn write_table(reply: &mut Reply<'_>, table: &Table, slots: usize) -> Option<Level> {
    if write_tagged(reply, table) {
        return None;
    }
    if let Value::Table(map) = field(table, "map") {
        let entries: Vec<(Value, Value)> = map.pairs().filter_map(Result::ok).collect();
        reply.map(entries.len());
        let values: Vec<Value> = entries.into_iter().flat_map(|(key, value)| [key, value]).collect();
        return Some(Level { values: values.into_iter(), slots: slots + 3 });
    }
    if let Value::Table(set) = field(table, "set") {
        let members: Vec<Value> = set.pairs::<Value, Value>().filter_map(Result::ok).map(|(member, _)| member).collect();
        reply.set(members.len());
        return Some(Level { values: members.into_iter(), slots: slots + 3 });
    }
    let values: Vec<Value> = table.sequence_values().filter_map(Result::ok).collect();
    reply.array(values.len());
    Some(Level { values: values.into_iter(), slots: slots + 1 })
}

/// Writes a table that stands for a reply that Lua has no value for. Gives whether it does.
fn write_tagged(reply: &mut Reply<'_>, table: &Table) -> bool {
    if let Some(text) = text_of(&field(table, "err")) {
        reply.error(text.strip_prefix(b"-").unwrap_or(&text));
    } else if let Some(text) = text_of(&field(table, "ok")) {
        reply.simple(&String::from_utf8_lossy(&one_line(&text)));
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

fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Integer(number) => Some(*number as f64),
        _ => None,
    }
}
