//! Pure containers, without a word of Redis; each is tested against a model from std.
//!
//! - [`table`]: the segmented hash table; [`btree`]: the tree with ranks beside a sorted set's table;
//! - [`packed`], [`intset`]: small collections in one block, byte for byte what dumps hold;
//!   [`deque`]: lists, as a deque of packed nodes;
//! - [`append`]: the index of a stream's blocks, which grows at its end only; [`headed`]: such a block's bytes;
//! - [`line`]: prefetching and comparing; [`wheel`](mod@wheel): deadlines; [`heavy`]: the heaviest of very many labels, in little space.
//!
//! This is where most of the crate's unsafe code is, behind safe interfaces. One promise is the callers': a place in a
//! [`table`] is used before the table changes, which debug builds assert.
#![allow(unsafe_code)]

pub mod append;
pub mod btree;
pub mod deque;
pub mod headed;
pub mod heavy;
pub mod intset;
pub mod line;
pub mod packed;
pub mod table;
pub mod wheel;
