//! Fuzz target of RESTORE: the payload of a value, without its end.
#![no_main]

#[allow(dead_code)]
#[path = "../stored.rs"]
mod stored;

use std::cell::RefCell;

thread_local! {
    static READER: RefCell<stored::Reader> = RefCell::new(stored::Reader::new());
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    READER.with_borrow_mut(|reader| reader.payload(bytes));
});
