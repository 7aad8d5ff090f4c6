//! `bit` of scripts: operations on numbers as 32-bit integers, by the rules of LuaBitOp.

use mlua::{Lua, MultiValue, Table, Value};

use super::arguments::number;
use super::failure;

type Unary = fn(u32) -> u32;
type Binary = fn(u32, u32) -> u32;

/// A number becomes its nearest integer, modulo 2^32: the low bits of what adding 2^52 + 2^51 leaves in the fraction.
fn to_bits(number: f64) -> u32 {
    let sum = (number + 6_755_399_441_055_744.0).to_bits();
    (sum & 0xffff_ffff) as u32
}

fn operand(lua: &Lua, words: &MultiValue, at: usize, function: &str) -> mlua::Result<u32> {
    match number(lua, words.get(at)) {
        Some(number) => Ok(to_bits(number)),
        None => {
            let given = words.get(at).map_or("no value", Value::type_name);
            Err(failure::text(lua, format!("bad argument #{} to '{function}' (number expected, got {given})", at + 1)))
        }
    }
}

fn result(bits: u32) -> Value {
    Value::Number(f64::from(bits.cast_signed()))
}

/// The library.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    let one: [(&'static str, Unary); 3] = [("tobit", |a| a), ("bnot", |a| !a), ("bswap", u32::swap_bytes)];
    for (name, operation) in one {
        let function = move |lua: &Lua, words: MultiValue| Ok(result(operation(operand(lua, &words, 0, name)?)));
        library.raw_set(name, lua.create_function(function)?)?;
    }
    let many: [(&'static str, Binary); 3] = [("band", |a, b| a & b), ("bor", |a, b| a | b), ("bxor", |a, b| a ^ b)];
    for (name, operation) in many {
        let function = move |lua: &Lua, words: MultiValue| {
            let mut bits = operand(lua, &words, 0, name)?;
            for at in 1..words.len() {
                bits = operation(bits, operand(lua, &words, at, name)?);
            }
            Ok(result(bits))
        };
        library.raw_set(name, lua.create_function(function)?)?;
    }
    let shifts: [(&'static str, Binary); 5] = [
        ("lshift", |a, n| a << (n & 31)),
        ("rshift", |a, n| a >> (n & 31)),
        ("arshift", |a, n| (a.cast_signed() >> (n & 31)).cast_unsigned()),
        ("rol", |a, n| a.rotate_left(n & 31)),
        ("ror", |a, n| a.rotate_right(n & 31)),
    ];
    for (name, operation) in shifts {
        let function =
            move |lua: &Lua, words: MultiValue| Ok(result(operation(operand(lua, &words, 0, name)?, operand(lua, &words, 1, name)?)));
        library.raw_set(name, lua.create_function(function)?)?;
    }
    library.raw_set("tohex", lua.create_function(tohex)?)?;
    Ok(library)
}

/// Hexadecimal digits, as many of the lowest as asked for (8 at most); in capitals for a negative number of them.
fn tohex(lua: &Lua, words: MultiValue) -> mlua::Result<String> {
    let bits = operand(lua, &words, 0, "tohex")?;
    let wanted = if words.len() > 1 { operand(lua, &words, 1, "tohex")?.cast_signed() } else { 8 };
    let count = wanted.unsigned_abs().min(8) as usize;
    let digits = if wanted < 0 { format!("{bits:08X}") } else { format!("{bits:08x}") };
    Ok(digits[8 - count..].to_string())
}
