//! Replies become Lua values.
//!
//! The bytes are replies that this very process has written, whole and well-formed, so nothing is doubted but what
//! would be a bug: a reply that ends early gives nil. They nest no deeper than our commands' replies do.

use mlua::{Lua, Table, Value};

use crate::base::number;

/// A reader of one reply.
pub(super) struct Taker<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

/// The value of a reply. Errors and statuses are tables with `err` and `ok`.
pub(super) fn value(lua: &Lua, reply: &[u8]) -> mlua::Result<Value> {
    Taker { lua, rest: reply }.next()
}

impl<'a> Taker<'a> {
    fn line(&mut self) -> &'a [u8] {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        line
    }

    /// The length that a line announces; `None` for null.
    fn length(line: &[u8]) -> Option<usize> {
        number::parse_i64(line).and_then(|length| usize::try_from(length).ok())
    }

    fn bulk(&mut self, length: usize) -> &'a [u8] {
        let text = self.rest.get(..length).unwrap_or_default();
        self.rest = self.rest.get(length + 2..).unwrap_or_default();
        text
    }

    fn tagged(&self, name: &str, value: impl mlua::IntoLua) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn text(&self, bytes: &[u8]) -> mlua::Result<Value> {
        self.lua.create_string(bytes).map(Value::String)
    }

    fn next(&mut self) -> mlua::Result<Value> {
        let line = self.line();
        let Some((&kind, line)) = line.split_first() else { return Ok(Value::Nil) };
        match kind {
            b'+' => self.tagged("ok", self.text(line)?),
            b'-' => self.tagged("err", self.text(line)?),
            // Lua has no integers: what is beyond 2^53 is rounded
            b':' => Ok(Value::Number(number::parse_i64(line).unwrap_or(0) as f64)),
            b'$' => match Self::length(line) {
                Some(length) => {
                    let text = self.bulk(length);
                    self.text(text)
                }
                None => Ok(Value::Boolean(false)),
            },
            b'*' | b'>' => match Self::length(line) {
                Some(length) => self.array(length),
                None => Ok(Value::Boolean(false)),
            },
            b'_' => Ok(Value::Nil),
            b'#' => Ok(Value::Boolean(line == b"t")),
            b',' => self.tagged("double", number::parse_f64_or_nan(line).unwrap_or(f64::NAN)),
            b'(' => self.tagged("big_number", self.text(line)?),
            b'=' => self.verbatim(Self::length(line).unwrap_or(0)),
            b'%' => self.map(Self::length(line).unwrap_or(0)),
            b'~' => self.set(Self::length(line).unwrap_or(0)),
            b'|' => {
                for _ in 0..Self::length(line).unwrap_or(0) * 2 {
                    self.next()?;
                }
                self.next()
            }
            _ => Ok(Value::Nil),
        }
    }

    fn array(&mut self, length: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(length, 0)?;
        for index in 1..=length {
            let value = self.next()?;
            table.raw_set(index, value)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, pairs: usize) -> mlua::Result<Value> {
        let entries = self.lua.create_table_with_capacity(0, pairs)?;
        for _ in 0..pairs {
            let (key, value) = (self.next()?, self.next()?);
            put(&entries, key, value)?;
        }
        self.tagged("map", entries)
    }

    fn set(&mut self, length: usize) -> mlua::Result<Value> {
        let members = self.lua.create_table_with_capacity(0, length)?;
        for _ in 0..length {
            let member = self.next()?;
            put(&members, member, Value::Boolean(true))?;
        }
        self.tagged("set", members)
    }

    fn verbatim(&mut self, length: usize) -> mlua::Result<Value> {
        let text = self.bulk(length);
        let parts = self.lua.create_table()?;
        parts.raw_set("format", self.text(text.get(..3).unwrap_or_default())?)?;
        parts.raw_set("string", self.text(text.get(4..).unwrap_or_default())?)?;
        self.tagged("verbatim_string", parts)
    }
}

/// Sets an entry unless its key can be none.
fn put(table: &Table, key: Value, value: Value) -> mlua::Result<()> {
    if key.is_nil() {
        return Ok(());
    }
    table.raw_set(key, value)
}
