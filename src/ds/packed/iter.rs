//! Walks over packed entries in either direction. They borrow the entries, not the container, so
//! that the nodes of a deque are walked by the same two types.

use super::Position;
use super::entry::{Element, decode, previous};

/// The elements from a place to the end.
#[derive(Clone)]
pub struct Forward<'a> {
    entries: &'a [u8],
    at: usize,
}

impl<'a> Forward<'a> {
    #[inline]
    pub(in crate::ds) fn new(entries: &'a [u8], at: usize) -> Self {
        Forward { entries, at }
    }

    /// Place of the element that comes next, if there is one.
    pub fn position(&self) -> Option<Position> {
        (self.at < self.entries.len()).then(|| Position::new(self.at))
    }
}

impl<'a> Iterator for Forward<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.at >= self.entries.len() {
            return None;
        }
        let (element, len) = decode(&self.entries[self.at..]);
        self.at += len;
        Some(element)
    }
}

/// The elements before a place, the nearest first.
#[derive(Clone)]
pub struct Backward<'a> {
    entries: &'a [u8],
    end: usize,
}

impl<'a> Backward<'a> {
    #[inline]
    pub(in crate::ds) fn new(entries: &'a [u8], end: usize) -> Self {
        Backward { entries, end }
    }

    /// Place of the element that came last, if one did.
    pub fn position(&self) -> Option<Position> {
        (self.end < self.entries.len()).then(|| Position::new(self.end))
    }
}

impl<'a> Iterator for Backward<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.end == 0 {
            return None;
        }
        self.end = previous(self.entries, self.end);
        Some(decode(&self.entries[self.end..]).0)
    }
}
