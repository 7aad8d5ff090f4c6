//! The payload of DUMP and RESTORE: a value between its type and a version with a checksum.

use super::input::Input;
use super::output::Output;
use super::read_value::{self, Shapes};
use super::write_value::{self, Version};
use super::{LoadError, can_read, opcodes};
use crate::base::crc::crc64;
use crate::keyspace::entry::EntryRef;
use crate::types::Value;

/// Version and checksum.
const FOOTER: usize = 10;

/// The payload of a key's value.
pub fn write(entry: EntryRef<'_>, compress: bool) -> Vec<u8> {
    let version = Version::for_value(entry);
    let type_byte = version.type_of(entry.value().as_deref()).expect("the version was chosen for the value");
    let mut out = Output::to_memory(compress);
    out.byte(type_byte);
    write_value::write(&mut out, type_byte, entry);
    let mut bytes = out.into_bytes();
    bytes.extend_from_slice(&u16::try_from(version.0).expect("versions are small").to_le_bytes());
    bytes.extend_from_slice(&crc64(&bytes).to_le_bytes());
    bytes
}

/// Whether checksums are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sums {
    /// They must be right.
    #[default]
    Checked,
    /// They are not looked at: DEBUG SET-SKIP-CHECKSUM-VALIDATION, for tests that damage what they send.
    Ignored,
}

/// The version of a payload of libraries: the first that has them.
const LIBRARIES: u16 = 10;

/// The payload of FUNCTION DUMP: libraries by their texts.
pub fn write_libraries(texts: &[Vec<u8>], compress: bool) -> Vec<u8> {
    let mut out = Output::to_memory(compress);
    for text in texts {
        out.byte(opcodes::FUNCTION);
        out.string(text);
    }
    let mut bytes = out.into_bytes();
    bytes.extend_from_slice(&LIBRARIES.to_le_bytes());
    bytes.extend_from_slice(&crc64(&bytes).to_le_bytes());
    bytes
}

/// Reads the texts of libraries of a payload that was checked. The error is what the client is told.
pub fn read_libraries(payload: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let body = payload.get(..payload.len().saturating_sub(FOOTER)).unwrap_or_default();
    let mut input = Input::of_bytes(body.to_vec());
    let mut texts = Vec::new();
    while !input.is_at_end().map_err(|_| "ERR failed to read data type")? {
        match input.byte() {
            Ok(opcodes::FUNCTION) => texts.push(input.owned_string().map_err(|_| "ERR Failed loading library data")?),
            Ok(_) => return Err("ERR given type is not a function"),
            Err(_) => return Err("ERR failed to read data type"),
        }
    }
    Ok(texts)
}

/// The version of a payload whose version and checksum are right.
pub fn check(payload: &[u8], sums: Sums) -> Option<u32> {
    let body = payload.len().checked_sub(FOOTER)?;
    let ([v0, v1], sum) = payload[body..].split_first_chunk()?;
    let version = u32::from(u16::from_le_bytes([*v0, *v1]));
    let sum = u64::from_le_bytes(sum.try_into().ok()?);
    (can_read(version) && (sums == Sums::Ignored || sum == crc64(&payload[..body + 2]))).then_some(version)
}

/// Reads the value of a payload that was checked; see [`read_value::read`]. What follows the value is not
/// looked at, as in Redis.
pub fn read(payload: &[u8], version: u32, shapes: &Shapes, text: &mut Vec<u8>) -> Result<Option<Value>, LoadError> {
    let body = payload.get(..payload.len().saturating_sub(FOOTER)).unwrap_or_default();
    let mut input = Input::of_bytes(body.to_vec());
    let type_byte = input.byte()?;
    read_value::read(&mut input, type_byte, version, shapes, text)
}
