//! How numbers and elements are written in a block of a stream: forwards only, as short as they come.
//!
//! ```text
//! 0vvvvvvv                      integer 0..=127
//! 10llllll bytes                string of up to 63 bytes
//! 110vvvvv vvvvvvvv             integer 128..=8319, high bits first
//! 1110llll llllllll bytes       string of up to 4095 bytes, high bits first
//! 11110000 l*4 bytes            string with a 32-bit length, little endian
//! 1111ssss v*s                  integer of s = 1..=8 bytes, two's complement, little endian
//! ```
//!
//! A bare number (a difference, a count) is seven bits a byte, low bits first, the top bit set in all bytes
//! but the last.
//!
//! What is read here was written here: a wrong offset is a bug of ours and panics.

use crate::ds::packed::Element;

const STRING: u8 = 0x80;
const INT_13: u8 = 0xC0;
const STRING_12: u8 = 0xE0;
const STRING_32: u8 = 0xF0;
/// The first integer that has two bytes.
const INT_13_LEAST: i64 = 128;
const INT_13_MOST: i64 = INT_13_LEAST + 0x1FFF;

/// Bytes of a bare number.
#[inline]
pub(super) fn number_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Bytes of the shortest two's complement of a number.
#[inline]
fn int_width(value: i64) -> usize {
    // the magnitude's bits and a sign
    let bits = 65 - (value ^ (value >> 63)).leading_zeros() as usize;
    bits.div_ceil(8)
}

/// Bytes of an element.
#[inline]
pub(super) fn element_len(element: &Element) -> usize {
    match *element {
        Element::Int(0..INT_13_LEAST) => 1,
        Element::Int(INT_13_LEAST..=INT_13_MOST) => 2,
        Element::Int(value) => 1 + int_width(value),
        Element::Bytes(bytes) => match bytes.len() {
            len @ 0..64 => 1 + len,
            len @ 64..4096 => 2 + len,
            len => 5 + len,
        },
    }
}

/// Writes into room that was measured before.
pub(super) struct Writer<'a>(pub(super) &'a mut [u8]);

impl Writer<'_> {
    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        let (first, rest) = std::mem::take(&mut self.0).split_first_mut().expect("the room was measured");
        *first = byte;
        self.0 = rest;
    }

    #[inline]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let (first, rest) = std::mem::take(&mut self.0).split_at_mut(bytes.len());
        first.copy_from_slice(bytes);
        self.0 = rest;
    }

    /// A bare number.
    #[inline]
    pub(super) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.byte(value as u8);
    }

    #[inline]
    pub(super) fn element(&mut self, element: &Element) {
        match *element {
            Element::Int(value @ 0..INT_13_LEAST) => self.byte(value as u8),
            Element::Int(value @ INT_13_LEAST..=INT_13_MOST) => {
                let [high, low] = ((value - INT_13_LEAST) as u16).to_be_bytes();
                self.byte(INT_13 | high);
                self.byte(low);
            }
            Element::Int(value) => {
                let width = int_width(value);
                self.byte(STRING_32 | width as u8);
                self.bytes(&value.to_le_bytes()[..width]);
            }
            Element::Bytes(bytes) => {
                let [b0, b1, b2, b3, ..] = bytes.len().to_le_bytes();
                match bytes.len() {
                    0..64 => self.byte(STRING | b0),
                    64..4096 => self.bytes(&[STRING_12 | b1, b0]),
                    _ => self.bytes(&[STRING_32, b0, b1, b2, b3]),
                }
                self.bytes(bytes);
            }
        }
    }
}

/// Reads what a [`Writer`] wrote.
#[derive(Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    #[inline]
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Reader { bytes, at }
    }

    /// Where it is.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(super) fn byte(&mut self) -> u8 {
        let byte = self.bytes[self.at];
        self.at += 1;
        byte
    }

    /// The byte that comes next, which there is.
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        self.bytes[self.at]
    }

    #[inline]
    pub(super) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let bytes = &self.bytes[self.at..self.at + len];
        self.at += len;
        bytes
    }

    /// A bare number.
    #[inline]
    pub(super) fn number(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return value;
            }
            shift += 7;
        }
    }

    /// The length of the string whose first byte was just read.
    #[inline]
    fn string_len(&mut self, tag: u8) -> usize {
        match tag {
            STRING..INT_13 => usize::from(tag - STRING),
            STRING_12..STRING_32 => usize::from(tag - STRING_12) << 8 | usize::from(self.byte()),
            _ => u32::from_le_bytes(self.bytes(4).try_into().expect("four bytes")) as usize,
        }
    }

    #[inline]
    pub(super) fn element(&mut self) -> Element<'a> {
        match self.byte() {
            tag @ 0..STRING => Element::Int(i64::from(tag)),
            tag @ INT_13..STRING_12 => {
                let low = self.byte();
                Element::Int(INT_13_LEAST + i64::from(u16::from_be_bytes([tag - INT_13, low])))
            }
            tag if tag > STRING_32 => Element::Int(wide_int(self.bytes(usize::from(tag - STRING_32)))),
            tag => {
                let len = self.string_len(tag);
                Element::Bytes(self.bytes(len))
            }
        }
    }

    /// Passes over elements.
    #[inline]
    pub(super) fn skip(&mut self, elements: usize) {
        for _ in 0..elements {
            match self.byte() {
                0..STRING => {}
                INT_13..STRING_12 => self.at += 1,
                tag if tag > STRING_32 => self.at += usize::from(tag - STRING_32),
                tag => self.at += self.string_len(tag),
            }
        }
    }
}

fn wide_int(stored: &[u8]) -> i64 {
    let negative = stored[stored.len() - 1] & 0x80 != 0;
    let mut wide = [if negative { 0xFF } else { 0 }; 8];
    wide[..stored.len()].copy_from_slice(stored);
    i64::from_le_bytes(wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut ints: Vec<i64> = (0..63).flat_map(|bits| [1i64 << bits, -(1 << bits)]).flat_map(|n| [n - 1, n, n + 1]).collect();
        ints.extend([0, 127, 128, 8319, 8320, -128, -129, i64::MAX, i64::MIN]);
        for value in ints {
            round_trip(&Element::Int(value));
            let number = value.cast_unsigned();
            let mut room = vec![0; number_len(number)];
            let mut writer = Writer(&mut room);
            writer.number(number);
            assert!(writer.0.is_empty());
            let mut reader = Reader::new(&room, 0);
            assert_eq!((reader.number(), reader.at()), (number, room.len()));
        }
        for len in [0, 1, 63, 64, 4095, 4096, 70_000] {
            round_trip(&Element::Bytes(&vec![b'x'; len]));
        }
    }

    fn round_trip(element: &Element) {
        let mut room = vec![0; element_len(element)];
        let mut writer = Writer(&mut room);
        writer.element(element);
        assert!(writer.0.is_empty(), "{element:?}");
        let mut reader = Reader::new(&room, 0);
        assert_eq!(&reader.element(), element);
        assert_eq!(reader.at(), room.len());
        let mut reader = Reader::new(&room, 0);
        reader.skip(1);
        assert_eq!(reader.at(), room.len());
    }

    #[test]
    fn widths_are_the_shortest() {
        let widths = [
            (0, 1),
            (127, 1),
            (128, 2),
            (8319, 2),
            (8320, 3),
            (32767, 3),
            (32768, 4),
            (-1, 2),
            (-128, 2),
            (-129, 3),
            (1_700_000_000_000, 7),
        ];
        for (value, len) in widths {
            assert_eq!(element_len(&Element::Int(value)), len, "{value}");
        }
    }
}
