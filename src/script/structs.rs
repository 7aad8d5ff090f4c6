//! `struct` of scripts: values as the bytes of C structures and back, by the rules of Roberto Ierusalimschy's library.
//!
//! A format is a sequence of options, each a letter and perhaps a size: `b h l T i` and their capitals integers, `f d`
//! floating-point numbers, `s` a string with a zero byte behind it, `c` one of so many bytes, `x` a byte of padding;
//! `<` and `>` choose the order of bytes, `!` the alignment.

use mlua::{Lua, MultiValue, Table, Value};

use super::{arguments, failure};

/// Bytes of an integer at most.
const INTEGER_MAX: usize = 32;
/// What `!` without a number aligns to.
const ALIGNMENT: usize = 8;
/// Values that one call gives at most: what fits the interpreter's stack.
const RESULTS: usize = 7_990;

/// The library.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("pack", lua.create_function(pack)?)?;
    library.raw_set("unpack", lua.create_function(unpack)?)?;
    library.raw_set("size", lua.create_function(size)?)?;
    Ok(library)
}

/// One option of a format.
#[derive(Clone, Copy)]
struct Field {
    letter: u8,
    size: usize,
}

/// A format that is being read, and how bytes are laid out at the moment.
struct Format<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    big_endian: bool,
    alignment: usize,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, rest: &'a [u8]) -> Format<'a> {
        Format { lua, rest, big_endian: false, alignment: 1 }
    }

    /// The number behind a letter.
    fn number(&mut self, default: usize) -> mlua::Result<usize> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(default);
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        let number = std::str::from_utf8(number).ok().and_then(|number| number.parse::<i32>().ok());
        let number = number.and_then(|number| usize::try_from(number).ok());
        number.ok_or_else(|| failure::text(self.lua, "integral size overflow"))
    }

    /// The next option that stands for bytes; those that say how bytes are laid out are obeyed on the way. What is no
    /// option has no size.
    fn next(&mut self) -> mlua::Result<Option<Field>> {
        while let Some((&letter, rest)) = self.rest.split_first() {
            self.rest = rest;
            let size = match letter {
                b' ' => continue,
                b'<' | b'>' => {
                    self.big_endian = letter == b'>';
                    continue;
                }
                b'!' => {
                    let alignment = self.number(ALIGNMENT)?;
                    if !alignment.is_power_of_two() {
                        return Err(failure::text(self.lua, format!("alignment {alignment} is not a power of 2")));
                    }
                    self.alignment = alignment;
                    continue;
                }
                b'b' | b'B' | b'x' => 1,
                b'h' | b'H' => 2,
                b'f' => 4,
                b'l' | b'L' | b'T' | b'd' => 8,
                b'c' => self.number(1)?,
                b'i' | b'I' => {
                    let size = self.number(4)?;
                    if size > INTEGER_MAX {
                        let text = format!("integral size {size} is larger than limit of {INTEGER_MAX}");
                        return Err(failure::text(self.lua, text));
                    }
                    size
                }
                _ => 0,
            };
            return Ok(Some(Field { letter, size }));
        }
        Ok(None)
    }

    /// Bytes of padding before a field at a position.
    fn padding(&self, position: usize, field: Field) -> usize {
        if field.size == 0 || field.letter == b'c' {
            return 0;
        }
        let size = field.size.min(self.alignment);
        (size - (position & (size - 1))) & (size - 1)
    }

    fn unknown(&self, field: Field, function: &str) -> mlua::Error {
        let mut text = format!("bad argument #1 to '{function}' (invalid format option '").into_bytes();
        text.push(field.letter);
        text.extend_from_slice(b"')");
        failure::text(self.lua, text)
    }
}

/// A number as the bits of an integer, as a processor converts it: what is beyond 64 bits leaves nothing.
fn to_bits(number: f64) -> u64 {
    if number < 0.0 {
        return (number as i64).cast_unsigned();
    }
    if number.is_nan() {
        return 1 << 63;
    }
    if number >= 18_446_744_073_709_551_616.0 { 0 } else { number as u64 }
}

fn pack(lua: &Lua, words: MultiValue) -> mlua::Result<mlua::LuaString> {
    let format = arguments::text(lua, &words, 0, "pack")?;
    let format = format.as_bytes();
    let mut format = Format::new(lua, &format);
    let mut out = Vec::new();
    let mut at = 1;
    let wrong = |at: usize, wanted: &str| {
        let given = words.get(at).map_or("nil", Value::type_name);
        arguments::bad(lua, at + 1, "pack", &format!("{wanted} expected, got {given}"))
    };
    while let Some(field) = format.next()? {
        out.resize(out.len() + format.padding(out.len(), field), 0);
        match field.letter {
            b'x' => {
                out.push(0);
                continue;
            }
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' | b'f' | b'd' => {
                let number = arguments::number(lua, words.get(at)).ok_or_else(|| wrong(at, "number"))?;
                let start = out.len();
                match field.letter {
                    b'f' => out.extend_from_slice(&(number as f32).to_le_bytes()),
                    b'd' => out.extend_from_slice(&number.to_le_bytes()),
                    _ => {
                        out.extend_from_slice(&to_bits(number).to_le_bytes());
                        out.resize(start + field.size, 0);
                    }
                }
                if format.big_endian {
                    out[start..].reverse();
                }
            }
            b'c' | b's' => {
                if words.get(at).is_none() {
                    return Err(wrong(at, "string"));
                }
                let text = arguments::text(lua, &words, at, "pack")?;
                let text = text.as_bytes();
                let size = if field.size == 0 { text.len() } else { field.size };
                let Some(text) = text.get(..size) else {
                    return Err(arguments::bad(lua, at + 2, "pack", "string too short"));
                };
                out.extend_from_slice(text);
                if field.letter == b's' {
                    out.push(0);
                }
            }
            _ => return Err(format.unknown(field, "pack")),
        }
        at += 1;
    }
    lua.create_string(out)
}

/// An integer of any size, of which the low 64 bits count.
fn read_integer(bytes: &[u8], big_endian: bool, signed: bool) -> f64 {
    let add = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
    let mut bits = if big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) };
    if !signed {
        return bits as f64;
    }
    let places = u32::try_from(bytes.len() * 8).unwrap_or(0).wrapping_sub(1);
    let sign = u64::MAX.wrapping_shl(places);
    if bits & sign != 0 {
        bits |= sign;
    }
    bits.cast_signed() as f64
}

fn unpack(lua: &Lua, words: MultiValue) -> mlua::Result<MultiValue> {
    let (format, data) = (arguments::text(lua, &words, 0, "unpack")?, arguments::text(lua, &words, 1, "unpack")?);
    let (format, data) = (format.as_bytes(), data.as_bytes());
    let first = if words.get(2).is_none_or(Value::is_nil) { 1 } else { arguments::integer(lua, &words, 2, "unpack")? };
    if first == 0 {
        return Err(arguments::bad(lua, 3, "unpack", "offset must be 1 or greater"));
    }
    let too_short = || arguments::bad(lua, 2, "unpack", "data string too short");
    // before the beginning is as far away as can be
    let mut position = usize::try_from(first.saturating_sub(1)).unwrap_or(usize::MAX / 2);
    let mut format = Format::new(lua, &format);
    let mut values: Vec<Value> = Vec::new();
    while let Some(mut field) = format.next()? {
        position += format.padding(position, field);
        let bytes = |size: usize| data.get(position..position.checked_add(size)?);
        let taken = bytes(field.size).ok_or_else(too_short)?;
        if values.len() >= RESULTS {
            return Err(failure::text(lua, "stack overflow (too many results)"));
        }
        let endian = format.big_endian;
        let ordered = |taken: &[u8]| {
            let mut taken = taken.to_vec();
            if endian {
                taken.reverse();
            }
            taken
        };
        match field.letter {
            b'x' => {}
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                values.push(Value::Number(read_integer(taken, endian, field.letter.is_ascii_lowercase())));
            }
            b'f' => values.push(Value::Number(ordered(taken).try_into().map_or(0.0, |bytes| f64::from(f32::from_le_bytes(bytes))))),
            b'd' => values.push(Value::Number(ordered(taken).try_into().map_or(0.0, f64::from_le_bytes))),
            b'c' => {
                let mut taken = taken;
                if field.size == 0 {
                    let size = values.pop().and_then(|value| arguments::number(lua, Some(&value)));
                    let size = size.ok_or_else(|| failure::text(lua, "format 'c0' needs a previous size"))?;
                    field.size = if size < 0.0 { usize::MAX / 2 } else { size as usize };
                    taken = bytes(field.size).ok_or_else(too_short)?;
                }
                values.push(Value::String(lua.create_string(taken)?));
            }
            b's' => {
                let rest = data.get(position..).unwrap_or_default();
                let end = memchr::memchr(0, rest).ok_or_else(|| failure::text(lua, "unfinished string in data"))?;
                values.push(Value::String(lua.create_string(&rest[..end])?));
                field.size = end + 1;
            }
            _ => return Err(format.unknown(field, "unpack")),
        }
        position += field.size;
    }
    values.push(Value::Number(position as f64 + 1.0));
    Ok(MultiValue::from_vec(values))
}

fn size(lua: &Lua, words: MultiValue) -> mlua::Result<f64> {
    let format = arguments::text(lua, &words, 0, "size")?;
    let format = format.as_bytes();
    let mut format = Format::new(lua, &format);
    let mut position = 0;
    while let Some(field) = format.next()? {
        match field.letter {
            b's' => return Err(arguments::bad(lua, 1, "size", "option 's' has no fixed size")),
            b'c' if field.size == 0 => return Err(arguments::bad(lua, 1, "size", "option 'c0' has no fixed size")),
            letter if !letter.is_ascii_alphanumeric() => return Err(format.unknown(field, "size")),
            _ => position += format.padding(position, field) + field.size,
        }
    }
    Ok(position as f64)
}
