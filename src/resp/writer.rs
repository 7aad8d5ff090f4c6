//! The reply writer: the shapes of RESP2 and RESP3, straight into a client's output.

use super::Protocol;
use crate::base::number;
use crate::ds::packed::Element;
use crate::types::string::StringRef;

/// Appends a request of `count` words, as it goes to replicas and into the append-only file.
pub fn write_command<'a>(out: &mut Vec<u8>, count: usize, words: impl Iterator<Item = &'a [u8]>) {
    write_command_header(out, count);
    for word in words {
        write_bulk(out, word);
    }
}

/// Appends the start of a request of `count` words.
#[inline]
pub fn write_command_header(out: &mut Vec<u8>, count: usize) {
    write_header(out, b'*', count as i64);
}

#[inline]
fn write_header(out: &mut Vec<u8>, kind: u8, number: i64) {
    match u8::try_from(number) {
        Ok(digit @ 0..10) => out.extend_from_slice(&[kind, b'0' + digit, b'\r', b'\n']),
        Ok(both @ 10..100) => out.extend_from_slice(&[kind, b'0' + both / 10, b'0' + both % 10, b'\r', b'\n']),
        _ => {
            out.push(kind);
            number::write_i64(out, number);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Appends a bulk string: a word of a request.
#[inline]
pub fn write_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.reserve(bytes.len() + 24);
    write_header(out, b'$', bytes.len() as i64);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Where a reply, or an aggregate within it, started.
#[derive(Clone, Copy, Debug)]
pub struct Mark(usize);

/// Writes one client's replies.
pub struct Reply<'a> {
    out: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl<'a> Reply<'a> {
    /// Replies in `protocol` to the end of `out`.
    pub fn new(out: &'a mut Vec<u8>, protocol: Protocol) -> Self {
        Reply { out, protocol }
    }

    /// The protocol in use.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether the client speaks RESP3.
    pub fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// Replies in another protocol from here on.
    pub fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = protocol;
    }

    /// The place reached, to cut back to.
    pub fn mark(&self) -> Mark {
        Mark(self.out.len())
    }

    /// Bytes in the client's buffer, earlier replies that were not sent yet included.
    #[inline]
    pub fn written(&self) -> usize {
        self.out.len()
    }

    /// Forgets what was written since `mark`.
    pub fn cut_back(&mut self, mark: Mark) {
        self.out.truncate(mark.0);
    }

    /// Bytes written since `mark`.
    pub fn since(&self, mark: Mark) -> &[u8] {
        &self.out[mark.0..]
    }

    /// Bytes that are in wire form already.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// `+OK`
    #[inline]
    pub fn ok(&mut self) {
        self.out.extend_from_slice(b"+OK\r\n");
    }

    /// A simple string; the text has no line end.
    pub fn simple(&mut self, text: &str) {
        self.simple_bytes(text.as_bytes());
    }

    /// A status of any bytes but line ends.
    pub fn simple_bytes(&mut self, text: &[u8]) {
        debug_assert!(!text.iter().any(|byte| matches!(byte, b'\r' | b'\n')));
        self.out.push(b'+');
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }

    /// An error, its code first. Line ends in it become spaces, as in Redis.
    pub fn error(&mut self, text: &[u8]) {
        self.out.push(b'-');
        let text = text.strip_suffix(b"\r\n").unwrap_or(text);
        self.out.extend(text.iter().map(|&b| if b == b'\r' || b == b'\n' { b' ' } else { b }));
        self.out.extend_from_slice(b"\r\n");
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        write_header(self.out, b':', value);
    }

    /// A count.
    #[inline]
    pub fn count(&mut self, value: usize) {
        self.integer(value as i64);
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        write_bulk(self.out, bytes);
    }

    /// A bulk string of text.
    pub fn text(&mut self, text: &str) {
        self.bulk(text.as_bytes());
    }

    /// An integer as a bulk string.
    pub fn bulk_integer(&mut self, value: i64) {
        write_header(self.out, b'$', number::length_i64(value) as i64);
        number::write_i64(self.out, value);
        self.out.extend_from_slice(b"\r\n");
    }

    /// An element of a packed collection as a bulk string.
    #[inline]
    pub fn element(&mut self, element: &Element) {
        match *element {
            Element::Bytes(bytes) => self.bulk(bytes),
            Element::Int(value) => self.bulk_integer(value),
        }
    }

    /// A stored string as a bulk string.
    #[inline]
    pub fn string(&mut self, value: StringRef) {
        match value {
            StringRef::Bytes(bytes) => self.bulk(bytes),
            StringRef::Integer(value) => self.bulk_integer(value),
        }
    }

    /// The null reply: `$-1` or `_`.
    #[inline]
    pub fn null(&mut self) {
        self.out.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// The null array: `*-1` or `_`.
    pub fn null_array(&mut self) {
        self.out.extend_from_slice(if self.is_resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// A bulk string or null.
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// A boolean: `#t` or `:1`.
    pub fn boolean(&mut self, value: bool) {
        match self.protocol {
            Protocol::Resp2 => self.integer(i64::from(value)),
            Protocol::Resp3 => self.out.extend_from_slice(if value { b"#t\r\n" } else { b"#f\r\n" }),
        }
    }

    /// A double: `,1.5` or a bulk string.
    pub fn double(&mut self, value: f64) {
        let mut text = Vec::with_capacity(32);
        number::write_f64(&mut text, value);
        match self.protocol {
            Protocol::Resp2 => self.bulk(&text),
            Protocol::Resp3 => {
                self.out.push(b',');
                self.out.extend_from_slice(&text);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A text that RESP3 marks with its format (three letters: `txt`, `mkd`).
    pub fn verbatim(&mut self, format: &str, text: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(text),
            Protocol::Resp3 => {
                write_header(self.out, b'=', text.len() as i64 + 4);
                self.out.extend_from_slice(format.as_bytes());
                self.out.push(b':');
                self.out.extend_from_slice(text);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// A big number: `(...` or a bulk string.
    pub fn big_number(&mut self, digits: &[u8]) {
        match self.protocol {
            Protocol::Resp2 => self.bulk(digits),
            Protocol::Resp3 => {
                self.out.push(b'(');
                self.out.extend_from_slice(digits);
                self.out.extend_from_slice(b"\r\n");
            }
        }
    }

    /// An array of `len` elements that follow.
    #[inline]
    pub fn array(&mut self, len: usize) {
        write_header(self.out, b'*', len as i64);
    }

    /// A map of `pairs` pairs that follow; an array of twice as many in RESP2.
    pub fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(pairs * 2),
            Protocol::Resp3 => write_header(self.out, b'%', pairs as i64),
        }
    }

    /// A set of `len` elements that follow; an array in RESP2.
    pub fn set(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(len),
            Protocol::Resp3 => write_header(self.out, b'~', len as i64),
        }
    }

    /// An out-of-band message of `len` elements that follow; an array in RESP2.
    pub fn push(&mut self, len: usize) {
        match self.protocol {
            Protocol::Resp2 => self.array(len),
            Protocol::Resp3 => write_header(self.out, b'>', len as i64),
        }
    }

    /// Attributes of `pairs` pairs before the reply proper; RESP3 only.
    pub fn attribute(&mut self, pairs: usize) {
        debug_assert!(self.is_resp3());
        write_header(self.out, b'|', pairs as i64);
    }

    /// Puts the header of an array before what was written since `mark`, once its length is known.
    pub fn wrap_array(&mut self, mark: Mark, len: usize) {
        self.wrap(mark, |reply| reply.array(len));
    }

    /// As [`Reply::wrap_array`], for a map.
    pub fn wrap_map(&mut self, mark: Mark, pairs: usize) {
        self.wrap(mark, |reply| reply.map(pairs));
    }

    /// As [`Reply::wrap_array`], for a set.
    pub fn wrap_set(&mut self, mark: Mark, len: usize) {
        self.wrap(mark, |reply| reply.set(len));
    }

    /// Puts what a scan's reply begins with before its `len` elements: the pair's header, the next cursor and
    /// the elements' header.
    pub fn wrap_scan(&mut self, mark: Mark, cursor: u64, len: usize) {
        self.wrap(mark, |reply| {
            reply.array(2);
            reply.text(&cursor.to_string());
            reply.array(len);
        });
    }

    fn wrap(&mut self, mark: Mark, write: impl FnOnce(&mut Self)) {
        let end = self.out.len();
        write(self);
        let header = self.out.len() - end;
        self.out[mark.0..].rotate_right(header);
    }
}
