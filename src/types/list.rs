//! Lists: a [`Deque`] behind one pointer.
//!
//! The deque does everything itself; this is how it goes in and out of a key's block. It is boxed
//! because a block holds 8 bytes of payload: the road not taken, the deque's fields inside the block,
//! would move the block at every change of the list's size.
#![allow(unsafe_code)]

use std::ops::{Deref, DerefMut};

use super::{Kind, Stored, Type};
use crate::ds::deque::Deque;

/// A list value.
#[derive(Clone, Debug, Default)]
pub struct List(Box<Deque>);

impl List {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// What `OBJECT ENCODING` answers.
    pub fn encoding(&self) -> &'static str {
        if self.0.is_large() { "quicklist" } else { "listpack" }
    }

    /// How much there is to free: blocks of elements.
    pub fn weight(&self) -> usize {
        self.0.node_count()
    }
}

impl From<Deque> for List {
    fn from(deque: Deque) -> Self {
        List(Box::new(deque))
    }
}

impl Deref for List {
    type Target = Deque;
    #[inline]
    fn deref(&self) -> &Deque {
        &self.0
    }
}

impl DerefMut for List {
    #[inline]
    fn deref_mut(&mut self) -> &mut Deque {
        &mut self.0
    }
}

// SAFETY: a box is rebuilt from its own pointer.
unsafe impl Stored for List {
    const TYPE: Type = Type::List;
    #[inline]
    fn into_raw(self) -> (Kind, u64) {
        (Kind::List, Box::into_raw(self.0) as u64)
    }
    #[inline]
    unsafe fn from_raw(kind: Kind, payload: u64) -> Self {
        debug_assert_eq!(kind, Kind::List);
        // SAFETY: the caller's promise.
        List(unsafe { Box::from_raw(payload as *mut Deque) })
    }
    #[inline]
    fn len(&self) -> usize {
        self.0.len()
    }
}
