//! `cjson` of scripts: Lua values as JSON and back, by the rules of lua-cjson.
//!
//! Neither direction recurses: an encoder keeps the tables that it is in, a decoder those that it fills, each on a
//! stack of its own, so that any depth that a script allows costs memory alone.
//!
//! Settings hold for all scripts until they are changed, as in Redis. A script that wants its own takes a copy
//! of the library (`cjson.new`).

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};

use super::arguments::number;
use super::failure;
use super::give::flat;
use crate::base::number::write_f64_significant;

/// What a script may set.
struct Settings {
    sparse_convert: bool,
    sparse_ratio: f64,
    sparse_safe: f64,
    encode_depth: usize,
    decode_depth: usize,
    precision: usize,
    encode_invalid: Invalid,
    decode_invalid: bool,
    keep_buffer: bool,
}

/// What becomes of a number that JSON does not have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Invalid {
    Refused,
    Written,
    Null,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            sparse_convert: false,
            sparse_ratio: 2.0,
            sparse_safe: 10.0,
            encode_depth: 1000,
            decode_depth: 1000,
            precision: 14,
            encode_invalid: Invalid::Refused,
            decode_invalid: true,
            keep_buffer: true,
        }
    }
}

/// A function of the library: it is given the settings of its copy, and its arguments.
type Function = fn(&Lua, &mut Settings, MultiValue) -> mlua::Result<MultiValue>;

/// What the library is made of.
const FUNCTIONS: &[(&str, Function)] = &[
    ("encode", |lua, settings, words| one(encode(lua, settings, words))),
    ("decode", |lua, settings, words| one(decode(lua, settings, words))),
    ("encode_max_depth", |lua, settings, words| one(depth(lua, &words, "encode_max_depth", &mut settings.encode_depth))),
    ("decode_max_depth", |lua, settings, words| one(depth(lua, &words, "decode_max_depth", &mut settings.decode_depth))),
    ("encode_number_precision", |lua, settings, words| one(precision(lua, settings, words))),
    ("encode_sparse_array", sparse_array),
    ("encode_keep_buffer", |_, settings, words| one(Ok(switch(&words, &mut settings.keep_buffer)))),
    ("decode_invalid_numbers", |_, settings, words| one(Ok(switch(&words, &mut settings.decode_invalid)))),
    ("encode_invalid_numbers", |lua, settings, words| one(encode_invalid(lua, settings, words))),
];

fn one(value: mlua::Result<Value>) -> mlua::Result<MultiValue> {
    Ok(MultiValue::from_iter([value?]))
}

/// The library. `new` makes another copy, whose settings are its own.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let settings = Rc::new(RefCell::new(Settings::default()));
    let library = lua.create_table()?;
    library.raw_set("_NAME", "cjson")?;
    library.raw_set("_VERSION", "2.1.0")?;
    library.raw_set("null", Value::NULL)?;
    library.raw_set("new", lua.create_function(|lua, _: MultiValue| self::library(lua))?)?;
    for (name, function) in FUNCTIONS {
        let settings = settings.clone();
        let called = move |lua: &Lua, words| {
            let mut settings = settings.try_borrow_mut().map_err(|_| failure::text(lua, "cjson is in use"))?;
            function(lua, &mut settings, words)
        };
        library.raw_set(*name, lua.create_function(called)?)?;
    }
    Ok(library)
}

/// An integer argument within a range; `None` if it was not given.
fn integer(lua: &Lua, words: &MultiValue, at: usize, function: &str, most: usize) -> mlua::Result<Option<usize>> {
    let Some(word) = words.get(at).filter(|word| !word.is_nil()) else { return Ok(None) };
    let value = number(lua, Some(word)).filter(|value| *value >= 0.0 && *value <= most as f64);
    match value {
        Some(value) => Ok(Some(value as usize)),
        None => Err(failure::text(lua, format!("bad argument #{} to '{function}' (expected integer between 0 and {most})", at + 1))),
    }
}

fn depth(lua: &Lua, words: &MultiValue, function: &str, field: &mut usize) -> mlua::Result<Value> {
    let wanted = integer(lua, words, 0, function, i32::MAX as usize)?;
    if wanted == Some(0) {
        return Err(failure::text(lua, format!("bad argument #1 to '{function}' (expected integer between 1 and {})", i32::MAX)));
    }
    *field = wanted.unwrap_or(*field);
    Ok(whole(*field))
}

fn whole(number: usize) -> Value {
    Value::Number(number as f64)
}

fn precision(lua: &Lua, settings: &mut Settings, words: MultiValue) -> mlua::Result<Value> {
    let wanted = integer(lua, &words, 0, "encode_number_precision", 14)?;
    if wanted == Some(0) {
        return Err(failure::text(lua, "bad argument #1 to 'encode_number_precision' (expected integer between 1 and 14)"));
    }
    settings.precision = wanted.unwrap_or(settings.precision);
    Ok(whole(settings.precision))
}

fn sparse_array(lua: &Lua, settings: &mut Settings, words: MultiValue) -> mlua::Result<MultiValue> {
    let ratio = integer(lua, &words, 1, "encode_sparse_array", i32::MAX as usize)?;
    let safe = integer(lua, &words, 2, "encode_sparse_array", i32::MAX as usize)?;
    settings.sparse_convert = convert(&words, settings.sparse_convert);
    settings.sparse_ratio = ratio.map_or(settings.sparse_ratio, |ratio| ratio as f64);
    settings.sparse_safe = safe.map_or(settings.sparse_safe, |safe| safe as f64);
    let told = [Value::Boolean(settings.sparse_convert), Value::Number(settings.sparse_ratio), Value::Number(settings.sparse_safe)];
    Ok(MultiValue::from_iter(told))
}

/// The first argument if it is a boolean.
fn convert(words: &MultiValue, otherwise: bool) -> bool {
    words.front().and_then(Value::as_boolean).unwrap_or(otherwise)
}

fn switch(words: &MultiValue, field: &mut bool) -> Value {
    *field = convert(words, *field);
    Value::Boolean(*field)
}

fn encode_invalid(lua: &Lua, settings: &mut Settings, words: MultiValue) -> mlua::Result<Value> {
    match words.front() {
        Some(Value::Boolean(true)) => settings.encode_invalid = Invalid::Written,
        Some(Value::Boolean(false)) => settings.encode_invalid = Invalid::Refused,
        Some(Value::String(word)) if word.as_bytes() == *b"null" => settings.encode_invalid = Invalid::Null,
        _ => {}
    }
    match settings.encode_invalid {
        Invalid::Null => lua.create_string("null").map(Value::String),
        other => Ok(Value::Boolean(other == Invalid::Written)),
    }
}

/// What an encoder has still to write of a table. The values are fetched one by one: the interpreter has room for a few
/// thousand at a time.
struct Open {
    /// An array; for an object its keys and values by turns.
    table: Table,
    next: usize,
    length: usize,
    is_object: bool,
}

impl Open {
    fn take(&mut self) -> mlua::Result<Value> {
        self.next += 1;
        self.table.raw_get(self.next - 1)
    }
}

/// Why a value cannot be written.
type Refusal = String;

fn encode(lua: &Lua, settings: &mut Settings, words: MultiValue) -> mlua::Result<Value> {
    if words.len() != 1 {
        return Err(failure::text(lua, "bad argument #1 to 'encode' (expected 1 argument)"));
    }
    let mut encoder = Encoder { lua, settings, out: Vec::new(), open: Vec::new() };
    match encoder.all(&words[0]) {
        Ok(()) => lua.create_string(encoder.out).map(Value::String),
        Err(refusal) => Err(failure::text(lua, refusal)),
    }
}

struct Encoder<'a> {
    lua: &'a Lua,
    settings: &'a Settings,
    out: Vec<u8>,
    open: Vec<Open>,
}

impl Encoder<'_> {
    fn all(&mut self, value: &Value) -> Result<(), Refusal> {
        self.value(value)?;
        while let Some(open) = self.open.last_mut() {
            if open.next > open.length {
                self.out.push(if open.is_object { b'}' } else { b']' });
                self.open.pop();
                continue;
            }
            if open.next > 1 {
                self.out.push(b',');
            }
            let key = if open.is_object { open.take().map(Some) } else { Ok(None) };
            let (Ok(key), Ok(value)) = (key, open.take()) else { return Err(self.too_deep()) };
            if let Some(key) = key {
                self.key(&key)?;
            }
            self.value(&value)?;
        }
        Ok(())
    }

    fn key(&mut self, key: &Value) -> Result<(), Refusal> {
        match key {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(_) | Value::Number(_) => {
                self.out.push(b'"');
                self.value(key)?;
                self.out.push(b'"');
            }
            other => return Err(format!("Cannot serialise {}: table key must be a number or string", kind(other))),
        }
        self.out.push(b':');
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<(), Refusal> {
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::LightUserData(pointer) if pointer.0.is_null() => self.out.extend_from_slice(b"null"),
            Value::Integer(number) => self.number(*number as f64)?,
            Value::Number(number) => self.number(*number)?,
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Table(table) => self.table(table)?,
            other => return Err(format!("Cannot serialise {}: type not supported", kind(other))),
        }
        Ok(())
    }

    fn number(&mut self, number: f64) -> Result<(), Refusal> {
        if number.is_finite() {
            write_f64_significant(&mut self.out, number, self.settings.precision);
            return Ok(());
        }
        match self.settings.encode_invalid {
            Invalid::Refused => return Err("Cannot serialise number: must not be NaN or Inf".to_string()),
            Invalid::Null => self.out.extend_from_slice(b"null"),
            Invalid::Written => write_f64_significant(&mut self.out, number, self.settings.precision),
        }
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for &byte in text {
            let short = match byte {
                b'"' | b'\\' | b'/' => byte,
                8 => b'b',
                12 => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0..32 | 127 => {
                    self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                    continue;
                }
                _ => {
                    self.out.push(byte);
                    continue;
                }
            };
            self.out.extend_from_slice(&[b'\\', short]);
        }
        self.out.push(b'"');
    }

    /// As many tables are open as may be, or as the interpreter has room for.
    fn too_deep(&self) -> Refusal {
        format!("Cannot serialise, excessive nesting ({})", self.open.len() + 1)
    }

    fn table(&mut self, table: &Table) -> Result<(), Refusal> {
        if self.open.len() >= self.settings.encode_depth {
            return Err(self.too_deep());
        }
        let open = match self.array_length(table)? {
            Some(length) => Open { table: table.clone(), next: 1, length, is_object: false },
            None => {
                let (table, length) = flat(self.lua, table, true).map_err(|_| self.too_deep())?;
                Open { table, next: 1, length, is_object: true }
            }
        };
        self.out.push(if open.is_object { b'{' } else { b'[' });
        self.open.push(open);
        Ok(())
    }

    /// How long a table is that holds nothing but numbered values, holes included; `None` if it is none, or empty.
    fn array_length(&self, table: &Table) -> Result<Option<usize>, Refusal> {
        let (mut most, mut count) = (0.0f64, 0.0);
        for entry in table.pairs::<Value, Value>() {
            let index = match entry.map_err(|_| self.too_deep())?.0 {
                Value::Integer(index) => index as f64,
                Value::Number(index) => index,
                _ => return Ok(None),
            };
            if index < 1.0 || index.fract() != 0.0 {
                return Ok(None);
            }
            most = most.max(index);
            count += 1.0;
        }
        let Settings { sparse_ratio: ratio, sparse_safe: safe, .. } = *self.settings;
        let is_sparse = ratio > 0.0 && most > count * ratio && most > safe;
        if is_sparse || most > LENGTH_MAX {
            return if self.settings.sparse_convert {
                Ok(None)
            } else {
                Err("Cannot serialise table: excessively sparse array".to_string())
            };
        }
        Ok((count > 0.0).then_some(most as usize))
    }
}

/// How long an array may be, however sparse: an `int` counts it in lua-cjson.
const LENGTH_MAX: f64 = i32::MAX as f64;

/// The type of a value, as Lua calls it.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::LightUserData(_) | Value::UserData(_) | Value::Error(_) => "userdata",
        other => other.type_name(),
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(what) => what,
        }
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the last token began, or went wrong.
    began: usize,
    decode_invalid: bool,
}

impl Scanner<'_> {
    fn byte(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn next(&mut self) -> Token {
        while matches!(self.byte(0), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.began = self.at;
        let single = match self.byte(0) {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b':' => Token::Colon,
            b',' => Token::Comma,
            0 => return Token::End,
            b'"' => {
                let token = self.string();
                if matches!(token, Token::Error(_)) {
                    self.began = self.at;
                }
                return token;
            }
            b'-' | b'0'..=b'9' => {
                if !self.decode_invalid && self.is_unusual() {
                    return Token::Error("invalid number");
                }
                return self.number();
            }
            _ => return self.word(),
        };
        self.at += 1;
        single
    }

    fn word(&mut self) -> Token {
        let rest = &self.text[self.at..];
        for (word, token) in [("true", Token::Boolean(true)), ("false", Token::Boolean(false)), ("null", Token::Null)] {
            if rest.starts_with(word.as_bytes()) {
                self.at += word.len();
                return token;
            }
        }
        if self.decode_invalid && self.is_unusual() { self.number() } else { Token::Error("invalid token") }
    }

    /// Whether a number here would be one that JSON does not have.
    fn is_unusual(&self) -> bool {
        let sign = usize::from(self.byte(0) == b'-');
        match (self.byte(sign), self.byte(sign + 1)) {
            (b'+', _) => true,
            (b'0', b'x' | b'X' | b'0'..=b'9') => true,
            (b'0'..=b'9', _) => false,
            _ => {
                let word = self.text.get(self.at + sign..).unwrap_or_default();
                [&b"inf"[..], b"nan"].iter().any(|name| word.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(name)))
            }
        }
    }

    fn number(&mut self) -> Token {
        match leading_number(&self.text[self.at..]) {
            Some((number, length)) => {
                self.at += length;
                Token::Number(number)
            }
            None => Token::Error("invalid number"),
        }
    }

    fn string(&mut self) -> Token {
        let mut text = Vec::new();
        self.at += 1;
        loop {
            match self.byte(0) {
                b'"' => {
                    self.at += 1;
                    return Token::String(text);
                }
                0 => return Token::Error("unexpected end of string"),
                b'\\' => {
                    let plain = match self.byte(1) {
                        byte @ (b'"' | b'\\' | b'/') => byte,
                        b'b' => 8,
                        b'f' => 12,
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'u' => {
                            let Some(length) = self.unicode(&mut text) else { return Token::Error("invalid unicode escape code") };
                            self.at += length;
                            continue;
                        }
                        _ => return Token::Error("invalid escape code"),
                    };
                    text.push(plain);
                    self.at += 2;
                }
                byte => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    fn hex(&self, ahead: usize) -> Option<u32> {
        let digits = self.text.get(self.at + ahead..self.at + ahead + 4)?;
        digits.iter().try_fold(0, |number, &digit| Some(number << 4 | char::from(digit).to_digit(16)?))
    }

    /// The character of an escape, in UTF-8. Gives how long the escape is.
    fn unicode(&self, text: &mut Vec<u8>) -> Option<usize> {
        let (first, mut length) = (self.hex(2)?, 6);
        let mut code = first;
        if first & 0xf800 == 0xd800 {
            if first & 0x400 != 0 || self.byte(6) != b'\\' || self.byte(7) != b'u' {
                return None;
            }
            let second = self.hex(8)?;
            if second & 0xfc00 != 0xdc00 {
                return None;
            }
            code = 0x10000 + ((first & 0x3ff) << 10 | second & 0x3ff);
            length = 12;
        }
        let character = char::from_u32(code)?;
        text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Some(length)
    }
}

/// The number that a text begins with, as C's `strtod` reads it, and how long it is.
fn leading_number(text: &[u8]) -> Option<(f64, usize)> {
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let negative = text.first() == Some(&b'-');
    let signed = |value: f64| if negative { -value } else { value };
    let rest = &text[sign..];
    let begins = |word: &[u8]| rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    if begins(b"infinity") {
        return Some((signed(f64::INFINITY), sign + 8));
    }
    if begins(b"inf") {
        return Some((signed(f64::INFINITY), sign + 3));
    }
    if begins(b"nan") {
        return Some((signed(f64::NAN), sign + 3));
    }
    let digits =
        |from: usize, radix: u32| rest[from.min(rest.len())..].iter().take_while(|&&byte| char::from(byte).is_digit(radix)).count();
    if begins(b"0x") && digits(2, 16) > 0 {
        let count = digits(2, 16);
        let value =
            rest[2..2 + count].iter().fold(0.0, |value, &digit| value * 16.0 + f64::from(char::from(digit).to_digit(16).unwrap_or(0)));
        return Some((signed(value), sign + 2 + count));
    }
    let whole = digits(0, 10);
    let mut end = whole;
    let mut fraction = 0;
    if rest.get(whole) == Some(&b'.') {
        fraction = digits(whole + 1, 10);
        end = whole + 1 + fraction;
    }
    if whole + fraction == 0 {
        return None;
    }
    if matches!(rest.get(end), Some(b'e' | b'E')) {
        let exponent_sign = usize::from(matches!(rest.get(end + 1), Some(b'-' | b'+')));
        let count = digits(end + 1 + exponent_sign, 10);
        if count > 0 {
            end += 1 + exponent_sign + count;
        }
    }
    let value: f64 = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    Some((signed(value), sign + end))
}

/// A table that is being filled.
struct Filling {
    table: Table,
    /// The key of an object's next value; `None` in an array.
    key: Option<Vec<u8>>,
    count: usize,
}

fn decode(lua: &Lua, settings: &mut Settings, words: MultiValue) -> mlua::Result<Value> {
    if words.len() != 1 {
        return Err(failure::text(lua, "bad argument #1 to 'decode' (expected 1 argument)"));
    }
    let text = match &words[0] {
        Value::String(_) | Value::Integer(_) | Value::Number(_) => lua.coerce_string(words[0].clone())?,
        _ => None,
    };
    let Some(text) = text else {
        return Err(failure::text(lua, format!("bad argument #1 to 'decode' (string expected, got {})", kind(&words[0]))));
    };
    let text = text.as_bytes().to_vec();
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(failure::text(lua, "JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut scanner = Scanner { text: &text, at: 0, began: 0, decode_invalid: settings.decode_invalid };
    decode_all(lua, &mut scanner, settings.decode_depth)
}

fn expected(lua: &Lua, scanner: &Scanner<'_>, what: &str, found: &Token) -> mlua::Error {
    failure::text(lua, format!("Expected {what} but found {} at character {}", found.name(), scanner.began + 1))
}

/// Reads a key and its colon.
fn key(lua: &Lua, scanner: &mut Scanner<'_>, token: Token) -> mlua::Result<Vec<u8>> {
    let Token::String(key) = token else { return Err(expected(lua, scanner, "object key string", &token)) };
    match scanner.next() {
        Token::Colon => Ok(key),
        other => Err(expected(lua, scanner, "colon", &other)),
    }
}

fn decode_all(lua: &Lua, scanner: &mut Scanner<'_>, depth: usize) -> mlua::Result<Value> {
    let mut filling: Vec<Filling> = Vec::new();
    let mut token = scanner.next();
    loop {
        let mut value = match token {
            Token::String(text) => Value::String(lua.create_string(text)?),
            Token::Number(number) => Value::Number(number),
            Token::Boolean(value) => Value::Boolean(value),
            Token::Null => Value::NULL,
            Token::ObjectBegin | Token::ArrayBegin => {
                if filling.len() >= depth {
                    let text = format!("Found too many nested data structures ({}) at character {}", filling.len() + 1, scanner.at);
                    return Err(failure::text(lua, text));
                }
                let table = lua.create_table()?;
                let is_object = token == Token::ObjectBegin;
                let next = scanner.next();
                if next == if is_object { Token::ObjectEnd } else { Token::ArrayEnd } {
                    Value::Table(table)
                } else {
                    let (key, next) = if is_object { (Some(key(lua, scanner, next)?), scanner.next()) } else { (None, next) };
                    filling.push(Filling { table, key, count: 0 });
                    token = next;
                    continue;
                }
            }
            other => return Err(expected(lua, scanner, "value", &other)),
        };
        // a value ends whatever ends with it
        loop {
            let Some(top) = filling.last_mut() else {
                return match scanner.next() {
                    Token::End => Ok(value),
                    other => Err(expected(lua, scanner, "the end", &other)),
                };
            };
            top.count += 1;
            let is_object = top.key.is_some();
            match top.key.take() {
                Some(key) => top.table.raw_set(lua.create_string(key)?, value)?,
                None => top.table.raw_set(top.count, value)?,
            }
            match scanner.next() {
                Token::Comma => {
                    token = scanner.next();
                    if is_object {
                        top.key = Some(key(lua, scanner, token)?);
                        token = scanner.next();
                    }
                    break;
                }
                Token::ObjectEnd if is_object => value = Value::Table(top.table.clone()),
                Token::ArrayEnd if !is_object => value = Value::Table(top.table.clone()),
                other => {
                    let what = if is_object { "comma or object end" } else { "comma or array end" };
                    return Err(expected(lua, scanner, what, &other));
                }
            }
            filling.pop();
        }
    }
}
