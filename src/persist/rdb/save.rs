//! A whole file, as it is written.

use std::io;

use super::output::{Output, Writing};
use super::write_value::{self, Version};
use super::{FULL_VERSION, OLDEST_WRITTEN, PLAIN_VERSION, opcodes};
use crate::base::text::reason;
use crate::keyspace::Keyspace;
use crate::keyspace::entry::EntryRef;
use crate::keyspace::heat::HeatPolicy;
use crate::limits;
use crate::persist::storage::{Storage, directory_of};

/// Which knowledge of accesses goes along with the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeatKept {
    /// None.
    Nothing,
    /// How long they were idle.
    Idle,
    /// How often they were used.
    Frequency,
}

/// What a snapshot says beside the data, and how it is written.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The version of the format, from [`version_for`].
    pub version: u32,
    /// Aux fields.
    pub aux: Vec<(&'static str, String)>,
    /// The code of function libraries.
    pub functions: Vec<Vec<u8>>,
    /// What goes along with the keys.
    pub heat: HeatKept,
    /// How the file is written.
    pub writing: Writing,
    /// Microseconds to wait after each key, or the number of keys after which to wait one, negative.
    pub key_delay: i32,
}

/// The version to write: the one that is asked for, 0 for the oldest usual one that can express the data.
/// The error says what cannot be expressed, and where.
pub fn version_for(space: &Keyspace, asked: u32) -> Result<u32, String> {
    let expiring: usize = space.databases().iter().map(|database| database.expiring_hashes()).sum();
    match asked {
        0 if expiring == 0 => Ok(PLAIN_VERSION),
        0 => Ok(FULL_VERSION),
        OLDEST_WRITTEN..FULL_VERSION if expiring > 0 => Err(format!(
            "Version {asked} of the snapshot format has no fields with deadlines, but {expiring} hashes have such: {}. Set rdb-version to 0 or {FULL_VERSION}, or remove these deadlines with HPERSIST.",
            some_expiring(space)
        )),
        OLDEST_WRITTEN..=FULL_VERSION => Ok(asked),
        _ => Err(format!("Snapshots are written in versions {OLDEST_WRITTEN} to {FULL_VERSION}; rdb-version is {asked}.")),
    }
}

fn some_expiring(space: &Keyspace) -> String {
    let entries = space.databases().iter().flat_map(|database| database.entries());
    let mut names: Vec<String> = entries
        .filter(|entry| entry.field_deadline().is_some())
        .take(limits::KEYS_NAMED + 1)
        .map(|entry| format!("'{}'", String::from_utf8_lossy(entry.key())))
        .collect();
    if names.len() > limits::KEYS_NAMED {
        names[limits::KEYS_NAMED] = "...".to_string();
    }
    names.join(", ")
}

/// Writes everything but the checksum. `pulse` is told now and then how many keys are done.
pub fn write(out: &mut Output<'_>, space: &Keyspace, plan: &Plan, mut pulse: impl FnMut(u64)) {
    out.bytes(format!("REDIS{:04}", plan.version).as_bytes());
    for (name, value) in &plan.aux {
        out.byte(opcodes::AUX);
        out.string(name.as_bytes());
        out.string(value.as_bytes());
    }
    for code in &plan.functions {
        out.byte(opcodes::FUNCTION);
        out.string(code);
    }
    let mut done = 0;
    for (index, database) in space.databases().iter().enumerate().filter(|(_, database)| !database.is_empty()) {
        out.byte(opcodes::SELECT);
        out.count(index);
        out.byte(opcodes::RESIZE);
        out.count(database.len());
        out.count(database.volatile());
        for entry in database.entries() {
            write_key(out, entry, plan, &space.heat);
            done += 1;
            if done % limits::SNAPSHOT_PULSE == 0 {
                pulse(done);
            }
            if plan.key_delay != 0 {
                delay(plan.key_delay, done);
                pulse(done);
            }
            if out.has_failed() {
                return;
            }
        }
    }
    out.byte(opcodes::END);
    pulse(done);
}

fn write_key(out: &mut Output<'_>, entry: EntryRef<'_>, plan: &Plan, heat: &HeatPolicy) {
    if let Some(deadline) = entry.deadline() {
        out.byte(opcodes::EXPIRE_MILLIS);
        out.millis(deadline.0);
    }
    match plan.heat {
        HeatKept::Nothing => {}
        HeatKept::Idle => {
            out.byte(opcodes::IDLE);
            out.length(u64::from(heat.idle_seconds(entry.heat())));
        }
        HeatKept::Frequency => {
            out.byte(opcodes::FREQUENCY);
            out.byte(u8::try_from(heat.frequency(entry.heat())).unwrap_or(u8::MAX));
        }
    }
    let value = entry.value();
    let type_byte = Version(plan.version).type_of(value.as_deref()).expect("the version was chosen for the data");
    out.byte(type_byte);
    out.string(entry.key());
    write_value::write(out, type_byte, entry);
}

/// Slows a snapshot down, for tests.
pub fn delay(directive: i32, done: u64) {
    let micros = match u64::try_from(directive) {
        Ok(micros) => micros,
        Err(_) => u64::from(done.is_multiple_of(u64::from(directive.unsigned_abs()))),
    };
    if micros > 0 {
        std::thread::sleep(std::time::Duration::from_micros(micros));
    }
}

/// Writes a snapshot beside the one there is, makes it durable, and puts it in its place. Gives its size.
/// On an error the old one is as it was, and no draft is left.
pub fn to_file(
    storage: &dyn Storage,
    draft: &str,
    path: &str,
    space: &Keyspace,
    plan: &Plan,
    pulse: impl FnMut(u64),
) -> Result<u64, String> {
    let result = write_draft(storage, draft, space, plan, pulse);
    let result = result.and_then(|size| {
        let renamed = storage.rename(draft, path);
        renamed.map_err(|error| format!("Error moving temp DB file {draft} on the final destination {path}: {}", reason(&error)))?;
        let durable = storage.sync_directory(directory_of(path));
        durable.map_err(|error| format!("Failed to fsync the directory of {path}: {}", reason(&error)))?;
        Ok(size)
    });
    if result.is_err() {
        // it may never have been made
        let _ = storage.remove(draft);
    }
    result
}

fn write_draft(storage: &dyn Storage, draft: &str, space: &Keyspace, plan: &Plan, pulse: impl FnMut(u64)) -> Result<u64, String> {
    let mut file =
        storage.create(draft).map_err(|error| format!("Failed opening the temp RDB file {draft} for saving: {}", reason(&error)))?;
    let write_error = |error: io::Error| format!("Write error saving DB on disk: {}", reason(&error));
    let mut out = Output::to_file(&mut *file, plan.writing);
    write(&mut out, space, plan, pulse);
    let size = out.finish().map_err(write_error)?;
    file.sync().map_err(write_error)?;
    Ok(size)
}
