//! Fuzz target of files of users.
#![no_main]

#[allow(dead_code)]
#[path = "../stored.rs"]
mod stored;

thread_local! {
    static USERS: stored::Users = stored::Users::new();
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    USERS.with(|users| users.file(bytes));
});
