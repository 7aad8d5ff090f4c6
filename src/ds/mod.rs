//! Pure containers, without a word of Redis; each is tested against a model from std.

#![allow(unsafe_code)]

pub mod table;
pub mod wheel;
