//! Fuzz target of the commands of an append-only file.
#![no_main]

#[allow(dead_code)]
#[path = "../stored.rs"]
mod stored;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    stored::commands(bytes);
});
