//! The entry codec: how one element is laid out in a listpack.
//!
//! An entry is a *body* followed by a *back length*. The body opens with a tag byte that tells
//! integer from string and how wide it is; the back length repeats the length of the body in a
//! form that is read from its last byte towards its first, so that a walk can go either way.
//!
//! ```text
//! 0vvvvvvv                      integer 0..=127
//! 10llllll bytes                string of up to 63 bytes
//! 110vvvvv vvvvvvvv             integer of 13 bits, two's complement, high bits first
//! 1110llll llllllll bytes       string of up to 4095 bytes, high bits first
//! 11110000 l*4 bytes            string with a 32-bit length, little endian
//! 11110001 v*2   11110010 v*3   11110011 v*4   11110100 v*8    integers, little endian
//! 11111111                      end of the listpack (never part of an entry)
//! ```
//!
//! Everything here works on plain slices in safe code. Slices handed to the decoding functions
//! hold entries that were either written by [`encode`] or passed [`checked_entry`]; a wrong offset
//! is a bug of ours and panics, it never reads beyond the slice.
//!
//! Decoding accepts wider forms than needed (`5` in eight bytes, `"12"` as a string): other
//! programs may have written them. Encoding always takes the narrowest, as Redis does.

use std::fmt;
use std::mem::MaybeUninit;

/// Room for the text of any `i64`.
pub type TextBuffer = [u8; 21];

/// Digits and sign of the longest `i64`.
const INT_TEXT_MAX: usize = 20;

const TAG_STRING_32: u8 = 0xF0;
const TAG_INT_16: u8 = 0xF1;
const TAG_INT_24: u8 = 0xF2;
const TAG_INT_32: u8 = 0xF3;
const TAG_INT_64: u8 = 0xF4;

/// One element, as stored: bytes, or the integer its text was canonical for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Element<'a> {
    /// A byte string.
    Bytes(&'a [u8]),
    /// An integer, standing for its decimal text.
    Int(i64),
}

impl<'a> Element<'a> {
    /// The element that stores `text`: an integer if `text` is exactly how one is printed.
    #[inline]
    pub fn from_text(text: &'a [u8]) -> Self {
        match parse_int(text) {
            Some(value) => Element::Int(value),
            None => Element::Bytes(text),
        }
    }

    /// Whether the element's text is `text`.
    #[inline]
    pub fn eq_bytes(&self, text: &[u8]) -> bool {
        match *self {
            Element::Bytes(bytes) => bytes == text,
            Element::Int(value) => parse_int(text) == Some(value),
        }
    }

    /// The element's text; `buffer` is used only when it has to be printed.
    #[inline]
    pub fn text<'b>(&'b self, buffer: &'b mut TextBuffer) -> &'b [u8] {
        match *self {
            Element::Bytes(bytes) => bytes,
            Element::Int(value) => print_int(value, buffer),
        }
    }

    /// Length of the element's text in bytes.
    pub fn len_text(&self) -> usize {
        match *self {
            Element::Bytes(bytes) => bytes.len(),
            Element::Int(value) => {
                let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
                digits + usize::from(value < 0)
            }
        }
    }

    /// The element as an integer, if its text is exactly how that integer is printed.
    #[inline]
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Element::Bytes(bytes) => parse_int(bytes),
            Element::Int(value) => Some(value),
        }
    }

    /// Bytes that it takes in a container.
    #[inline]
    pub fn packed_len(&self) -> usize {
        entry_len(self)
    }

    /// The element's text, owned.
    pub fn to_vec(&self) -> Vec<u8> {
        self.text(&mut [0; 21]).to_vec()
    }
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::Bytes(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Element::Int(value) => write!(f, "{value}"),
        }
    }
}

/// The integer that is printed exactly as `text`: no sign but `-`, no leading zeros, no blanks.
#[inline]
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let (&first, rest) = text.split_first()?;
    match first {
        b'1'..=b'9' if rest.len() < INT_TEXT_MAX => i64::try_from(parse_digits(u64::from(first - b'0'), rest)?).ok(),
        b'0' if rest.is_empty() => Some(0),
        b'-' if rest.len() < INT_TEXT_MAX => {
            let (&lead @ b'1'..=b'9', rest) = rest.split_first()? else {
                return None;
            };
            let magnitude = parse_digits(u64::from(lead - b'0'), rest)?;
            0i64.checked_sub_unsigned(magnitude)
        }
        _ => None,
    }
}

#[inline]
fn parse_digits(lead: u64, digits: &[u8]) -> Option<u64> {
    let mut value = lead;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

fn print_int(value: i64, buffer: &mut TextBuffer) -> &[u8] {
    let mut at = buffer.len();
    let mut rest = value.unsigned_abs();
    loop {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    &buffer[at..]
}

/// Bytes that the back length of a body of `body` bytes takes.
///
/// The upper bounds are one short of what the bits would hold; the format has them so.
#[inline]
pub(in crate::ds) fn back_size(body: usize) -> usize {
    match body {
        0..=127 => 1,
        128..16383 => 2,
        16383..2097151 => 3,
        2097151..268435455 => 4,
        _ => 5,
    }
}

fn int_body(value: i64) -> usize {
    match value {
        0..=127 => 1,
        -4096..=4095 => 2,
        -32768..=32767 => 3,
        -8388608..=8388607 => 4,
        -2147483648..=2147483647 => 5,
        _ => 9,
    }
}

/// Bytes of the body that stores `element`.
#[inline]
fn body_len(element: &Element) -> usize {
    match *element {
        Element::Int(value) => int_body(value),
        Element::Bytes(bytes) => match bytes.len() {
            len @ 0..64 => 1 + len,
            len @ 64..4096 => 2 + len,
            len => 5 + len,
        },
    }
}

/// Bytes of the whole entry that stores `element`.
#[inline]
pub(in crate::ds) fn entry_len(element: &Element) -> usize {
    let body = body_len(element);
    body + back_size(body)
}

/// Writes the entry of `element` into `out`, which is exactly [`entry_len`] long.
/// A string is shorter than 4 GiB: the containers bound their size well below.
#[inline]
pub(in crate::ds) fn encode(element: &Element, out: &mut [MaybeUninit<u8>]) {
    let body = body_len(element);
    let (head, tail) = out.split_at_mut(body);
    match *element {
        Element::Int(value) => encode_int(value, head),
        Element::Bytes(bytes) => {
            let (tag, text) = head.split_at_mut(body - bytes.len());
            encode_string_tag(bytes.len(), tag);
            text.write_copy_of_slice(bytes);
        }
    }
    encode_back(body, tail);
}

#[inline]
fn encode_string_tag(len: usize, tag: &mut [MaybeUninit<u8>]) {
    let [b0, b1, b2, b3, ..] = len.to_le_bytes();
    match tag {
        [tag] => {
            tag.write(0x80 | b0);
        }
        [high, low] => {
            high.write(0xE0 | b1);
            low.write(b0);
        }
        _ => {
            tag.write_copy_of_slice(&[TAG_STRING_32, b0, b1, b2, b3]);
        }
    }
}

fn encode_int(value: i64, body: &mut [MaybeUninit<u8>]) {
    let bytes = value.to_le_bytes();
    let width = body.len();
    match width {
        1 => {
            body[0].write(bytes[0]);
        }
        2 => {
            body[0].write(0xC0 | (bytes[1] & 0x1F));
            body[1].write(bytes[0]);
        }
        _ => {
            let tag = match width {
                3 => TAG_INT_16,
                4 => TAG_INT_24,
                5 => TAG_INT_32,
                _ => TAG_INT_64,
            };
            body[0].write(tag);
            body[1..].write_copy_of_slice(&bytes[..width - 1]);
        }
    }
}

/// Byte number `place` of the `size` bytes that tell a back length: seven bits each, high bits
/// first, and all but the first carry the mark "more before me".
#[inline]
fn back_byte(body: usize, size: usize, place: usize) -> u8 {
    let bits = (body >> (7 * (size - 1 - place)) & 0x7F) as u8;
    if place == 0 { bits } else { bits | 0x80 }
}

#[inline]
fn encode_back(body: usize, out: &mut [MaybeUninit<u8>]) {
    let size = out.len();
    for (place, byte) in out.iter_mut().enumerate() {
        byte.write(back_byte(body, size, place));
    }
}

/// Body length of the entry that opens `bytes`.
#[inline]
fn body_len_at(bytes: &[u8]) -> usize {
    let tag = bytes[0];
    match tag {
        0x00..=0x7F => 1,
        0x80..=0xBF => 1 + usize::from(tag & 0x3F),
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 2 + (usize::from(tag & 0x0F) << 8 | usize::from(bytes[1])),
        TAG_STRING_32 => 5 + u32::from_le_bytes([bytes[1], bytes[2], bytes[3], bytes[4]]) as usize,
        TAG_INT_16 => 3,
        TAG_INT_24 => 4,
        TAG_INT_32 => 5,
        TAG_INT_64 => 9,
        _ => unreachable!("entries were encoded here or checked on the way in"),
    }
}

/// Length of the whole entry that opens `bytes`.
#[inline]
pub(in crate::ds) fn entry_len_at(bytes: &[u8]) -> usize {
    let body = body_len_at(bytes);
    body + back_size(body)
}

/// The element that opens `bytes`, and the length of its whole entry.
#[inline]
pub(in crate::ds) fn decode(bytes: &[u8]) -> (Element<'_>, usize) {
    let body = body_len_at(bytes);
    let tag = bytes[0];
    let element = match tag {
        0x00..=0x7F => Element::Int(i64::from(tag)),
        0x80..=0xBF => Element::Bytes(&bytes[1..body]),
        0xE0..=0xEF => Element::Bytes(&bytes[2..body]),
        TAG_STRING_32 => Element::Bytes(&bytes[5..body]),
        _ => Element::Int(decode_wide_int(tag, &bytes[..body])),
    };
    (element, body + back_size(body))
}

fn decode_wide_int(tag: u8, body: &[u8]) -> i64 {
    if tag < 0xE0 {
        // Thirteen bits: up to the top of an i16 and back down extends the sign.
        let raw = i16::from_be_bytes([tag & 0x1F, body[1]]);
        return i64::from((raw << 3) >> 3);
    }
    let stored = &body[1..];
    let negative = stored[stored.len() - 1] & 0x80 != 0;
    let mut wide = [if negative { 0xFF } else { 0 }; 8];
    wide[..stored.len()].copy_from_slice(stored);
    i64::from_le_bytes(wide)
}

/// Start of the entry that ends at `end`; there is one, `end` is not 0.
#[inline]
pub(in crate::ds) fn previous(entries: &[u8], end: usize) -> usize {
    let mut at = end - 1;
    let mut body = usize::from(entries[at] & 0x7F);
    let mut shift = 0;
    while entries[at] & 0x80 != 0 {
        at -= 1;
        shift += 7;
        body |= usize::from(entries[at] & 0x7F) << shift;
    }
    at - body
}

/// Length of the entry that opens `bytes`, trusting nothing: the tag is known, body and back
/// length lie within `bytes`, and the back length says what the body is.
pub(in crate::ds) fn checked_entry(bytes: &[u8]) -> Option<usize> {
    let tag_len = match *bytes.first()? {
        0x00..=0xDF | TAG_INT_16..=TAG_INT_64 => 1,
        0xE0..=0xEF => 2,
        TAG_STRING_32 => 5,
        _ => return None,
    };
    if bytes.len() < tag_len {
        return None;
    }
    let body = body_len_at(bytes);
    let back = back_size(body);
    let stored = bytes.get(body..body.checked_add(back)?)?;
    let agrees = (0..back).all(|place| stored[place] == back_byte(body, back, place));
    agrees.then_some(body + back)
}

/// The first entry at or after `at`, of every `skip + 1`, whose text the needle is.
#[inline]
pub(in crate::ds) fn find(entries: &[u8], mut at: usize, needle: &Needle, skip: usize) -> Option<usize> {
    let text = needle.text;
    while at < entries.len() {
        let tag = entries[at];
        let (hit, entry) = if tag & 0xC0 == 0x80 {
            let len = usize::from(tag & 0x3F);
            let hit = len == text.len() && same(&entries[at + 1..at + 1 + len], text);
            (hit, len + 2)
        } else {
            let (element, entry) = decode(&entries[at..]);
            (needle.matches(&element), entry)
        };
        if hit {
            return Some(at);
        }
        at += entry;
        for _ in 0..skip {
            if at < entries.len() {
                at += entry_len_at(&entries[at..]);
            }
        }
    }
    None
}

/// Equality of two slices of one length; looks at the last byte first, since names that are
/// alike tend to be alike at the front.
#[inline]
fn same(a: &[u8], b: &[u8]) -> bool {
    a.last() == b.last() && a == b
}

/// A text to look for, its integer form worked out once.
pub(in crate::ds) struct Needle<'a> {
    text: &'a [u8],
    int: Option<i64>,
}

impl<'a> Needle<'a> {
    pub(in crate::ds) fn new(text: &'a [u8]) -> Self {
        Needle { text, int: parse_int(text) }
    }

    /// Whether the element's text is the needle.
    #[inline]
    pub(in crate::ds) fn matches(&self, element: &Element) -> bool {
        match *element {
            Element::Int(value) => self.int == Some(value),
            Element::Bytes(bytes) => bytes.len() == self.text.len() && same(bytes, self.text),
        }
    }
}
