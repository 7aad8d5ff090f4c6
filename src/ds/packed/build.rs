//! Building a container from many elements at once: one growing buffer, one exact copy at the end,
//! instead of a move to the next size class every few elements.

#![allow(unsafe_code)]

use super::entry::{Element, encode, entry_len};
use super::{FRAME, MAX_BYTES, Packed, write_listpack};

/// Gathers elements for a [`Packed`].
#[derive(Default)]
pub struct Builder {
    entries: Vec<u8>,
    count: usize,
}

impl Builder {
    /// A builder of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A builder with room for `bytes` bytes of entries.
    pub fn with_capacity(bytes: usize) -> Self {
        Builder { entries: Vec::with_capacity(bytes), count: 0 }
    }

    /// Adds an element at the end, as an integer if its text is one.
    pub fn push(&mut self, text: &[u8]) {
        self.push_element(&Element::from_text(text));
    }

    /// Adds an integer at the end.
    pub fn push_int(&mut self, value: i64) {
        self.push_element(&Element::Int(value));
    }

    /// Adds an element at the end.
    pub fn push_element(&mut self, element: &Element) {
        append(&mut self.entries, element);
        self.count += 1;
    }

    /// Elements gathered.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing was gathered.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Size of the listpack that [`Builder::finish`] would give.
    pub fn bytes(&self) -> usize {
        self.entries.len() + FRAME
    }

    /// Whether [`Builder::finish`] would give no more than a container may hold.
    pub fn fits(&self) -> bool {
        self.bytes() <= MAX_BYTES
    }

    /// The listpack that [`Builder::finish`] would give, as it goes into a file.
    pub fn into_listpack(self) -> Vec<u8> {
        let mut out = Vec::new();
        write_listpack(&self.entries, self.count, &mut out);
        out
    }

    /// The container. What was gathered [`fits`](Builder::fits).
    pub fn finish(self) -> Packed {
        Packed::from_entries(&self.entries, self.count)
    }
}

/// Appends the entry of `element`.
fn append(entries: &mut Vec<u8>, element: &Element) {
    let at = entries.len();
    let len = entry_len(element);
    entries.reserve(len);
    encode(element, &mut entries.spare_capacity_mut()[..len]);
    // SAFETY: the `len` bytes behind the vector's end were reserved, and `encode` wrote them all.
    unsafe { entries.set_len(at + len) }
}
