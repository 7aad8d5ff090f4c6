//! `cmsgpack` of scripts: Lua values as MessagePack and back, by the rules of lua-cmsgpack 0.4.
//!
//! A table whose keys are 1 to n is an array, any other a map; below sixteen levels a table is nil. Numbers take the
//! shortest form that keeps them. Neither direction recurses deeper than that: a decoder keeps the tables that it fills
//! on a stack of its own.

use mlua::{Lua, MultiValue, Table, Value};

use super::{arguments, failure};

/// How deep tables are packed.
const DEPTH: usize = 16;
/// Values that one call gives at most: what fits the interpreter's stack.
const RESULTS: usize = 7_990;

/// The library.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    library.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    library.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    library.raw_set("pack", lua.create_function(pack)?)?;
    library.raw_set("unpack", lua.create_function(|lua, words: MultiValue| unpack(lua, &words, 0, 0, "unpack"))?)?;
    library.raw_set("unpack_one", lua.create_function(unpack_one)?)?;
    library.raw_set("unpack_limit", lua.create_function(unpack_limit)?)?;
    Ok(library)
}

fn pack(lua: &Lua, words: MultiValue) -> mlua::Result<mlua::LuaString> {
    if words.is_empty() {
        return Err(arguments::bad(lua, 0, "pack", "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for word in &words {
        write(&mut out, word, 0)?;
    }
    lua.create_string(out)
}

fn write(out: &mut Vec<u8>, value: &Value, level: usize) -> mlua::Result<()> {
    match value {
        Value::Boolean(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
        Value::Integer(number) => write_number(out, *number as f64),
        Value::Number(number) => write_number(out, *number),
        Value::String(text) => write_text(out, &text.as_bytes()),
        Value::Table(table) if level < DEPTH => write_table(out, table, level)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

/// A number that is an integer of 64 bits goes as one, signed or not as its sign is.
fn write_number(out: &mut Vec<u8>, number: f64) {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if number.trunc() == number && (-LIMIT..LIMIT).contains(&number) {
        write_integer(out, number as i64);
        return;
    }
    let short = number as f32;
    if f64::from(short) == number {
        out.push(0xca);
        out.extend_from_slice(&short.to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn write_integer(out: &mut Vec<u8>, number: i64) {
    let bytes = number.to_be_bytes();
    let (mark, width) = match number {
        -32..=127 => return out.push(bytes[7]),
        128..=0xff => (0xcc, 1),
        0x100..=0xffff => (0xcd, 2),
        0x1_0000..=0xffff_ffff => (0xce, 4),
        0x1_0000_0000.. => (0xcf, 8),
        -128..=-33 => (0xd0, 1),
        -32_768..=-129 => (0xd1, 2),
        -2_147_483_648..=-32_769 => (0xd2, 4),
        _ => (0xd3, 8),
    };
    out.push(mark);
    out.extend_from_slice(&bytes[8 - width..]);
}

/// A mark with its length: one byte for up to `small`, then a byte, if there is such a mark, two or four behind it.
fn write_length(out: &mut Vec<u8>, length: usize, (short, small): (u8, usize), byte: Option<u8>, word: u8) {
    // nothing in the interpreter is as long as four gigabytes
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let [_, _, high, low] = length.to_be_bytes();
    match (length, byte) {
        (length, _) if length as usize <= small => out.push(short | low),
        (0..=0xff, Some(byte)) => out.extend_from_slice(&[byte, low]),
        (0..=0xffff, _) => out.extend_from_slice(&[word, high, low]),
        _ => {
            out.push(word + 1);
            out.extend_from_slice(&length.to_be_bytes());
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    write_length(out, text.len(), (0xa0, 31), Some(0xd9), 0xda);
    out.extend_from_slice(text);
}

fn write_table(out: &mut Vec<u8>, table: &Table, level: usize) -> mlua::Result<()> {
    // looked at twice: to hold all values of a large table would take too many places
    let mut count = 0;
    let mut highest = 0.0_f64;
    let mut is_array = true;
    for entry in table.pairs::<Value, Value>() {
        let (key, _) = entry?;
        let place = match &key {
            Value::Integer(place) => Some(*place as f64),
            Value::Number(place) => Some(*place),
            _ => None,
        };
        match place.filter(|place| *place > 0.0 && place.trunc() == *place) {
            Some(place) => highest = highest.max(place),
            None => is_array = false,
        }
        count += 1;
    }
    if is_array && highest == count as f64 {
        write_length(out, count, (0x90, 15), None, 0xdc);
        for at in 1..=count {
            write(out, &table.raw_get(at)?, level + 1)?;
        }
        return Ok(());
    }
    write_length(out, count, (0x80, 15), None, 0xde);
    for entry in table.pairs::<Value, Value>() {
        let (key, value) = entry?;
        write(out, &key, level + 1)?;
        write(out, &value, level + 1)?;
    }
    Ok(())
}

fn unpack_one(lua: &Lua, words: MultiValue) -> mlua::Result<MultiValue> {
    let offset = offset(lua, &words, 1, "unpack_one")?;
    unpack(lua, &words, 1, offset, "unpack_one")
}

fn unpack_limit(lua: &Lua, words: MultiValue) -> mlua::Result<MultiValue> {
    arguments::text(lua, &words, 0, "unpack_limit")?;
    let limit = arguments::integer(lua, &words, 1, "unpack_limit")?;
    let offset = offset(lua, &words, 2, "unpack_limit")?;
    unpack(lua, &words, limit, offset, "unpack_limit")
}

fn offset(lua: &Lua, words: &MultiValue, at: usize, function: &str) -> mlua::Result<i64> {
    if words.get(at).is_none_or(Value::is_nil) { Ok(0) } else { arguments::integer(lua, words, at, function) }
}

/// Unpacks so many values from an offset on, before them the offset of the next, -1 at the end; all values alone
/// if both are 0.
fn unpack(lua: &Lua, words: &MultiValue, limit: i64, offset: i64, function: &str) -> mlua::Result<MultiValue> {
    let text = arguments::text(lua, words, 0, function)?;
    let text = text.as_bytes();
    let length = text.len();
    let (Ok(limit), Ok(offset)) = (usize::try_from(limit), usize::try_from(offset)) else {
        return Err(failure::text(lua, format!("Invalid request to unpack with offset of {offset} and limit of {length}.")));
    };
    let Some(rest) = text.get(offset..) else {
        return Err(failure::text(lua, format!("Start offset {offset} greater than input length {length}.")));
    };
    let all = limit == 0 && offset == 0;
    let mut reader = Reader { lua, rest };
    let mut values = Vec::new();
    while !reader.rest.is_empty() && (all || values.len() < limit) {
        if values.len() >= RESULTS {
            return Err(failure::text(lua, "stack overflow (in function mp_unpack_full)"));
        }
        values.push(reader.value()?);
    }
    if !all {
        let next = if reader.rest.is_empty() { -1.0 } else { (length - reader.rest.len()) as f64 };
        values.insert(0, Value::Number(next));
    }
    Ok(MultiValue::from_vec(values))
}

/// A table that is being filled.
struct Filling {
    table: Table,
    /// Values that are still to come.
    left: u64,
    /// How many are there of an array; `None` for a map.
    length: Option<usize>,
    key: Option<Value>,
}

enum Item {
    Value(Value),
    Array(u32),
    Map(u32),
}

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> mlua::Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(failure::text(self.lua, "Missing bytes in input."));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> mlua::Result<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("so many were taken"))
    }

    fn length(&mut self, width: u8) -> mlua::Result<u32> {
        Ok(match width {
            1 => u32::from(u8::from_be_bytes(self.array()?)),
            2 => u32::from(u16::from_be_bytes(self.array()?)),
            _ => u32::from_be_bytes(self.array()?),
        })
    }

    fn text(&mut self, length: u32) -> mlua::Result<Item> {
        let text = self.take(length as usize)?;
        self.lua.create_string(text).map(|text| Item::Value(Value::String(text)))
    }

    fn item(&mut self) -> mlua::Result<Item> {
        let [mark] = self.array()?;
        let number = match mark {
            0..=0x7f => f64::from(mark),
            0xe0.. => f64::from(mark.cast_signed()),
            0x80..=0x8f => return Ok(Item::Map(u32::from(mark & 15))),
            0x90..=0x9f => return Ok(Item::Array(u32::from(mark & 15))),
            0xa0..=0xbf => return self.text(u32::from(mark & 31)),
            0xc0 => return Ok(Item::Value(Value::Nil)),
            0xc2 | 0xc3 => return Ok(Item::Value(Value::Boolean(mark == 0xc3))),
            0xca => f64::from(f32::from_be_bytes(self.array()?)),
            0xcb => f64::from_be_bytes(self.array()?),
            0xcc => f64::from(u8::from_be_bytes(self.array()?)),
            0xcd => f64::from(u16::from_be_bytes(self.array()?)),
            0xce => f64::from(u32::from_be_bytes(self.array()?)),
            // signed there, too
            0xcf | 0xd3 => i64::from_be_bytes(self.array()?) as f64,
            0xd0 => f64::from(i8::from_be_bytes(self.array()?)),
            0xd1 => f64::from(i16::from_be_bytes(self.array()?)),
            0xd2 => f64::from(i32::from_be_bytes(self.array()?)),
            0xd9..=0xdb => {
                let length = self.length(1 << (mark - 0xd9))?;
                return self.text(length);
            }
            0xdc | 0xdd => return Ok(Item::Array(self.length(2 << (mark - 0xdc))?)),
            0xde | 0xdf => return Ok(Item::Map(self.length(2 << (mark - 0xde))?)),
            _ => return Err(failure::text(self.lua, "Bad data format in input.")),
        };
        Ok(Item::Value(Value::Number(number)))
    }

    /// The next value, with all that is in it.
    fn value(&mut self) -> mlua::Result<Value> {
        let mut filling: Vec<Filling> = Vec::new();
        loop {
            let (left, length) = match self.item()? {
                Item::Value(value) => match hand_up(&mut filling, value)? {
                    Some(whole) => return Ok(whole),
                    None => continue,
                },
                Item::Array(length) => (u64::from(length), Some(0)),
                Item::Map(length) => (2 * u64::from(length), None),
            };
            let table = self.lua.create_table()?;
            filling.push(Filling { table, left, length, key: None });
            if left == 0
                && let Some(done) = filling.pop()
                && let Some(whole) = hand_up(&mut filling, Value::Table(done.table))?
            {
                return Ok(whole);
            }
        }
    }
}

/// Puts a value into the table that is being filled, and that, if it is full, into the one above. Gives the value that
/// has none above it.
fn hand_up(filling: &mut Vec<Filling>, mut value: Value) -> mlua::Result<Option<Value>> {
    while let Some(top) = filling.last_mut() {
        top.left -= 1;
        match (&mut top.length, top.key.take()) {
            (Some(length), _) => {
                *length += 1;
                top.table.raw_set(*length, value)?;
            }
            (None, None) => top.key = Some(value),
            (None, Some(Value::Nil)) => return Err(failure::plain("table index is nil")),
            (None, Some(Value::Number(key))) if key.is_nan() => return Err(failure::plain("table index is NaN")),
            (None, Some(key)) => top.table.raw_set(key, value)?,
        }
        if top.left > 0 {
            return Ok(None);
        }
        let Some(done) = filling.pop() else { return Ok(None) };
        value = Value::Table(done.table);
    }
    Ok(Some(value))
}
