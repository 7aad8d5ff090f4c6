//! The ground floor: text, numbers, checksums, time and chance.
//!
//! Nothing here knows a key, a client or a command. Each file is one noun and depends at most on
//! its neighbours in this directory:
//!
//! - [`number`]: integers and doubles, as text exactly as Redis reads and prints them;
//!   [`long_double`]: the 80-bit sums of INCRBYFLOAT;
//! - [`glob`]: patterns of KEYS, SCAN, PSUBSCRIBE; [`text`]: quoting, splitting, memory sizes;
//! - [`crc`]: checksums of snapshots; [`lzf`]: the compression of strings in snapshots;
//! - [`random`] and [`clock`]: what is seeded and what is passed in, so that a run can be repeated.
//!
//! Deliberately absent: a global generator, a clock that anyone may read, and locale.

mod big_natural;
pub mod clock;
pub mod crc;
mod float_text;
pub mod glob;
pub mod long_double;
pub mod lzf;
pub mod memory;
pub mod number;
pub mod random;
pub mod seeded;
mod shortest_double;
pub mod text;
