//! Reads replies: the client's side of RESP2 and RESP3.
//!
//! The replica link, the tests and the benchmarks talk to servers with it. The reader is
//! incremental: it is fed bytes in any pieces and gives replies as they become whole. What it
//! has understood of an unfinished aggregate it keeps on a stack of frames, so no byte is
//! parsed twice but those of one header line or one string that is still incomplete.
//!
//! Invariants:
//! - nothing recurses while reading: the stack is a vector, bounded by [`Limits::depth`];
//! - no length is believed before it is checked against [`Limits`], and memory is taken as elements
//!   arrive, not when they are announced;
//! - an error is final: the stream has no place to resume from, so every later call repeats it.
//!
//! Null has three spellings on the wire and clients can tell them apart, so they stay three here.
//! Doubles and big numbers stay text, as a comparison of replies has to compare the text. Streamed
//! strings and aggregates of RESP3 (`$?`, `*?`) are refused: no server of the family sends them.
//!
//! [`Reply`] displays itself on one line, in which every difference on the wire is visible; tests
//! write their expectations that way.

use std::fmt;

use crate::base::number;
use crate::base::text;

/// One whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `+OK`
    Simple(Vec<u8>),
    /// `-ERR text`
    Error(Vec<u8>),
    /// `:1`
    Integer(i64),
    /// `$5`, a string of bytes
    Bulk(Vec<u8>),
    /// `$-1`, no string
    NullBulk,
    /// `*-1`, no array
    NullArray,
    /// `_`, RESP3's null
    Null,
    /// `*2`
    Array(Vec<Reply>),
    /// `#t`
    Boolean(bool),
    /// `,1.5`: the text as it came, known to be a number
    Double(Vec<u8>),
    /// `(123`: the text as it came, known to be an integer
    BigNumber(Vec<u8>),
    /// `!5`, an error that may hold any bytes
    BulkError(Vec<u8>),
    /// `=9`, a string with a format of three bytes (`txt`, `mkd`)
    Verbatim([u8; 3], Vec<u8>),
    /// `%1`, pairs in the order they came
    Map(Vec<(Reply, Reply)>),
    /// `~2`
    Set(Vec<Reply>),
    /// `>2`, sent without being asked for
    Push(Vec<Reply>),
    /// `|1`: pairs about the reply that follows, and that reply
    Attribute(Vec<(Reply, Reply)>, Box<Reply>),
}

/// What a reader accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Aggregates within one another.
    pub depth: usize,
    /// Bytes of a string.
    pub bulk: usize,
    /// Bytes of a line.
    pub line: usize,
    /// Replies directly within one aggregate; a pair of a map counts as two.
    pub elements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 128, bulk: 512 << 20, line: 64 << 10, elements: 1 << 28 }
    }
}

/// Why a stream of bytes is not one of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// No type of reply starts with this byte.
    UnknownType(u8),
    /// A line that should hold a number, or a truth value, or nothing, holds something else.
    MalformedLine,
    /// A string is not followed by the end of a line.
    MissingLineEnd,
    /// A string, line or aggregate is longer than the limits allow.
    TooLong,
    /// Aggregates are nested deeper than the limits allow.
    TooDeep,
}

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownType(byte) => write!(out, "no reply starts with byte 0x{byte:02x}"),
            Self::MalformedLine => out.write_str("malformed line"),
            Self::MissingLineEnd => out.write_str("string without line end"),
            Self::TooLong => out.write_str("longer than allowed"),
            Self::TooDeep => out.write_str("nested deeper than allowed"),
        }
    }
}

impl std::error::Error for ReadError {}

/// The incremental reader: [`feed`](Self::feed) bytes, take replies with
/// [`next_reply`](Self::next_reply).
#[derive(Debug, Default)]
pub struct ReplyReader {
    limits: Limits,
    buffer: Vec<u8>,
    /// Bytes before this have been understood.
    start: usize,
    open: Vec<Frame>,
    failed: Option<ReadError>,
}

/// An aggregate of which elements are still missing.
#[derive(Debug)]
struct Frame {
    kind: Kind,
    missing: usize,
    elements: Vec<Reply>,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Array,
    Map,
    Set,
    Push,
    /// The reply that the attribute is about is the last of its elements.
    Attribute,
}

/// What the bytes at hand begin with.
enum Step {
    Whole(Reply),
    Open(Kind, usize),
    Incomplete,
}

impl ReplyReader {
    /// A reader with the default limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// A reader with limits of its own.
    pub fn with_limits(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes in the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole reply, or `None` when it needs more bytes.
    ///
    /// # Errors
    /// [`ReadError`], from then on always the same.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, ReadError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let result = self.read();
        self.failed = result.as_ref().err().copied();
        result
    }

    /// Bytes that were fed and belong to no reply yet. While no reply is unfinished these may be
    /// something other than replies, as the snapshot is that follows a FULLRESYNC.
    pub fn unread(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Is the reader between two replies: is no aggregate half read?
    pub fn is_between_replies(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes `count` of the [`unread`](Self::unread) bytes out of the stream.
    ///
    /// # Panics
    /// When there are not as many, or an aggregate is half read.
    pub fn skip(&mut self, count: usize) {
        assert!(self.is_between_replies(), "bytes taken out of a reply");
        assert!(count <= self.unread().len(), "more bytes taken than came");
        self.start += count;
    }

    fn read(&mut self) -> Result<Option<Reply>, ReadError> {
        loop {
            let mut cursor = Cursor { rest: &self.buffer[self.start..], limits: &self.limits };
            let step = cursor.step()?;
            let end = self.buffer.len() - cursor.rest.len();
            match step {
                Step::Incomplete => return Ok(None),
                Step::Open(kind, missing) => {
                    if self.open.len() >= self.limits.depth {
                        return Err(ReadError::TooDeep);
                    }
                    self.open.push(Frame { kind, missing, elements: Vec::new() });
                    self.start = end;
                }
                Step::Whole(reply) => {
                    self.start = end;
                    if let Some(reply) = self.complete(reply) {
                        return Ok(Some(reply));
                    }
                }
            }
        }
    }

    /// Puts a whole reply where it belongs; returns the outermost one if that became whole.
    fn complete(&mut self, mut reply: Reply) -> Option<Reply> {
        while let Some(frame) = self.open.last_mut() {
            frame.elements.push(reply);
            frame.missing -= 1;
            if frame.missing > 0 {
                return None;
            }
            reply = self.open.pop().expect("just looked at").close();
        }
        Some(reply)
    }
}

impl Frame {
    fn close(mut self) -> Reply {
        match self.kind {
            Kind::Array => Reply::Array(self.elements),
            Kind::Set => Reply::Set(self.elements),
            Kind::Push => Reply::Push(self.elements),
            Kind::Map => Reply::Map(pairs(self.elements)),
            Kind::Attribute => {
                let about = self.elements.pop().expect("one more than the pairs");
                Reply::Attribute(pairs(self.elements), Box::new(about))
            }
        }
    }
}

fn pairs(elements: Vec<Reply>) -> Vec<(Reply, Reply)> {
    let mut elements = elements.into_iter();
    std::iter::from_fn(|| Some((elements.next()?, elements.next()?))).collect()
}

/// A place in the bytes at hand. It moves past what was understood, and no step that returns
/// [`Step::Incomplete`] counts.
struct Cursor<'a> {
    rest: &'a [u8],
    limits: &'a Limits,
}

impl<'a> Cursor<'a> {
    fn step(&mut self) -> Result<Step, ReadError> {
        let Some((&kind, _)) = self.rest.split_first() else {
            return Ok(Step::Incomplete);
        };
        if !b"+-:$*_#,(!=%~>|".contains(&kind) {
            return Err(ReadError::UnknownType(kind));
        }
        self.rest = &self.rest[1..];
        let Some(line) = self.line()? else {
            return Ok(Step::Incomplete);
        };
        match kind {
            b'+' => Ok(Step::Whole(Reply::Simple(line.to_vec()))),
            b'-' => Ok(Step::Whole(Reply::Error(line.to_vec()))),
            b'$' | b'!' | b'=' => self.string(kind, line),
            b'*' | b'%' | b'~' | b'>' | b'|' => self.aggregate(kind, line),
            _ => scalar(kind, line).map(Step::Whole),
        }
    }

    /// The line that starts here, without its end.
    fn line(&mut self) -> Result<Option<&'a [u8]>, ReadError> {
        let window = &self.rest[..self.rest.len().min(self.limits.line + 1)];
        let Some(end) = window.iter().position(|&byte| byte == b'\r') else {
            let too_long = window.len() > self.limits.line;
            return if too_long { Err(ReadError::TooLong) } else { Ok(None) };
        };
        match self.rest.get(end + 1) {
            None => Ok(None),
            Some(b'\n') => {
                let line = &self.rest[..end];
                self.rest = &self.rest[end + 2..];
                Ok(Some(line))
            }
            Some(_) => Err(ReadError::MalformedLine),
        }
    }

    fn string(&mut self, kind: u8, header: &[u8]) -> Result<Step, ReadError> {
        if kind == b'$' && header == b"-1" {
            return Ok(Step::Whole(Reply::NullBulk));
        }
        let length = length(header, self.limits.bulk)?;
        let Some((bytes, after)) = self.rest.split_at_checked(length) else {
            return Ok(Step::Incomplete);
        };
        match after {
            [b'\r', b'\n', after @ ..] => self.rest = after,
            [] | [b'\r'] => return Ok(Step::Incomplete),
            _ => return Err(ReadError::MissingLineEnd),
        }
        Ok(Step::Whole(match kind {
            b'$' => Reply::Bulk(bytes.to_vec()),
            b'!' => Reply::BulkError(bytes.to_vec()),
            _ => match *bytes {
                [a, b, c, b':', ref text @ ..] => Reply::Verbatim([a, b, c], text.to_vec()),
                _ => return Err(ReadError::MalformedLine),
            },
        }))
    }

    fn aggregate(&mut self, kind: u8, header: &[u8]) -> Result<Step, ReadError> {
        if kind == b'*' && header == b"-1" {
            return Ok(Step::Whole(Reply::NullArray));
        }
        let (kind, width) = match kind {
            b'*' => (Kind::Array, 1),
            b'~' => (Kind::Set, 1),
            b'>' => (Kind::Push, 1),
            b'%' => (Kind::Map, 2),
            _ => (Kind::Attribute, 2),
        };
        let pairs = length(header, self.limits.elements / width)?;
        let about = usize::from(matches!(kind, Kind::Attribute));
        let missing = (pairs * width).saturating_add(about);
        if missing > 0 {
            return Ok(Step::Open(kind, missing));
        }
        let empty = Frame { kind, missing, elements: Vec::new() };
        Ok(Step::Whole(empty.close()))
    }
}

fn length(header: &[u8], limit: usize) -> Result<usize, ReadError> {
    let length = number::parse_u64(header).ok_or(ReadError::MalformedLine)?;
    usize::try_from(length).ok().filter(|&length| length <= limit).ok_or(ReadError::TooLong)
}

/// A reply that is one line, other than simple strings and errors.
fn scalar(kind: u8, line: &[u8]) -> Result<Reply, ReadError> {
    let reply = match (kind, line) {
        (b':', digits) => {
            let digits = digits.strip_prefix(b"+").unwrap_or(digits);
            number::parse_i64(digits).map(Reply::Integer)
        }
        (b'_', b"") => Some(Reply::Null),
        (b'#', b"t") => Some(Reply::Boolean(true)),
        (b'#', b"f") => Some(Reply::Boolean(false)),
        (b',', text) => is_double(text).then(|| Reply::Double(text.to_vec())),
        (b'(', text) => is_big_number(text).then(|| Reply::BigNumber(text.to_vec())),
        _ => None,
    };
    reply.ok_or(ReadError::MalformedLine)
}

/// Is this a number, be it beyond what a double holds?
fn is_double(text: &[u8]) -> bool {
    let digits = match text {
        [b'+' | b'-', digits @ ..] => digits,
        digits => digits,
    };
    matches!(digits, b"inf" | b"nan")
        || digits.first().is_some_and(u8::is_ascii_digit) && digits.iter().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(byte))
}

fn is_big_number(text: &[u8]) -> bool {
    let digits = match text {
        [b'+' | b'-', digits @ ..] => digits,
        digits => digits,
    };
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// One line: `+OK`, `-ERR text`, `:1`, `"bytes\x00"`, `(nil)` for `$-1`, `(nil array)` for `*-1`,
/// `(null)` for `_`, `[a, b]`, `#t`, `,1.5`, `(123` for a big number, `!"ERR text"`,
/// `=txt:"text"`, `{k: v}`, `~[a, b]`, `>[a, b]`, `|{k: v} reply`.
impl fmt::Display for Reply {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple(text) => write!(out, "+{}", Bare(text)),
            Self::Error(text) => write!(out, "-{}", Bare(text)),
            Self::Integer(value) => write!(out, ":{value}"),
            Self::Bulk(bytes) => write!(out, "{}", Quoted(bytes)),
            Self::NullBulk => out.write_str("(nil)"),
            Self::NullArray => out.write_str("(nil array)"),
            Self::Null => out.write_str("(null)"),
            Self::Array(elements) => write_list(out, "", elements),
            Self::Boolean(true) => out.write_str("#t"),
            Self::Boolean(false) => out.write_str("#f"),
            Self::Double(text) => write!(out, ",{}", Bare(text)),
            Self::BigNumber(text) => write!(out, "({}", Bare(text)),
            Self::BulkError(text) => write!(out, "!{}", Quoted(text)),
            Self::Verbatim(format, text) => write!(out, "={}:{}", Bare(format), Quoted(text)),
            Self::Map(pairs) => write_pairs(out, pairs),
            Self::Set(elements) => write_list(out, "~", elements),
            Self::Push(elements) => write_list(out, ">", elements),
            Self::Attribute(pairs, about) => {
                out.write_str("|")?;
                write_pairs(out, pairs)?;
                write!(out, " {about}")
            }
        }
    }
}

fn write_list(out: &mut fmt::Formatter<'_>, sigil: &str, elements: &[Reply]) -> fmt::Result {
    write!(out, "{sigil}[")?;
    for (index, element) in elements.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(out, "{separator}{element}")?;
    }
    out.write_str("]")
}

fn write_pairs(out: &mut fmt::Formatter<'_>, pairs: &[(Reply, Reply)]) -> fmt::Result {
    out.write_str("{")?;
    for (index, (key, value)) in pairs.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(out, "{separator}{key}: {value}")?;
    }
    out.write_str("}")
}

/// Bytes in quotes, unprintable ones escaped.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut quoted = Vec::new();
        text::write_quoted(&mut quoted, self.0);
        out.write_str(str::from_utf8(&quoted).expect("quoting leaves ASCII"))
    }
}

/// Bytes without quotes, as they are where they are printable.
struct Bare<'a>(&'a [u8]);

impl fmt::Display for Bare<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|&byte| match byte {
            b' '..=b'~' => write!(out, "{}", char::from(byte)),
            _ => write!(out, "\\x{byte:02x}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    /// Reads the bytes whole and one by one; returns the replies on one line, then what is wrong.
    fn shown(bytes: &[u8], limits: Limits) -> String {
        let mut whole = ReplyReader::with_limits(limits);
        whole.feed(bytes);
        let at_once = drain(&mut whole);
        let mut reader = ReplyReader::with_limits(limits);
        let piecemeal: Vec<String> = bytes
            .iter()
            .flat_map(|&byte| {
                reader.feed(&[byte]);
                drain(&mut reader)
            })
            .collect();
        let mut deduplicated = piecemeal.clone();
        deduplicated.dedup_by(|later, earlier| later == earlier && later.starts_with("error"));
        assert_eq!(at_once, deduplicated, "{}", bytes.escape_ascii());
        at_once.join(" ; ")
    }

    fn drain(reader: &mut ReplyReader) -> Vec<String> {
        let mut shown = Vec::new();
        loop {
            match reader.next_reply() {
                Ok(Some(reply)) => shown.push(reply.to_string()),
                Ok(None) => return shown,
                Err(error) => {
                    shown.push(format!("error: {error}"));
                    return shown;
                }
            }
        }
    }

    fn check(bytes: &str, expected: &str) {
        assert_eq!(shown(bytes.as_bytes(), Limits::default()), expected);
    }

    #[test]
    fn every_type_is_read_and_shown() {
        check("+OK\r\n", "+OK");
        check("-ERR no\r\n", "-ERR no");
        check(":1\r\n:-9223372036854775808\r\n:+5\r\n", ":1 ; :-9223372036854775808 ; :5");
        check("$5\r\na\0\r\n\"\r\n", r#""a\x00\r\n\"""#);
        check("$0\r\n\r\n", r#""""#);
        check("$-1\r\n*-1\r\n_\r\n", "(nil) ; (nil array) ; (null)");
        check("*0\r\n~0\r\n>0\r\n%0\r\n", "[] ; ~[] ; >[] ; {}");
        check("*2\r\n:1\r\n*1\r\n$1\r\na\r\n", r#"[:1, ["a"]]"#);
        check("#t\r\n#f\r\n", "#t ; #f");
        check(",1.5\r\n,-inf\r\n,nan\r\n,1e+20\r\n", ",1.5 ; ,-inf ; ,nan ; ,1e+20");
        check("(-12345678901234567890123\r\n", "(-12345678901234567890123");
        check("!7\r\nERR \r\nx\r\n", r#"!"ERR \r\nx""#);
        check("=8\r\ntxt:some\r\n", r#"=txt:"some""#);
        check("%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n", "{+a: :1, +b: [:2]}");
        check("~2\r\n:1\r\n:2\r\n", "~[:1, :2]");
        check(">2\r\n+message\r\n_\r\n", ">[+message, (null)]");
        check("|1\r\n+ttl\r\n:9\r\n*1\r\n:1\r\n", "|{+ttl: :9} [:1]");
        check("*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n", "[|{+a: +b} :1, :2]");
        check("|0\r\n:1\r\n", "|{} :1");
    }

    #[test]
    fn an_unfinished_reply_waits() {
        for bytes in ["", "+", "+OK", "+OK\r", "$3\r\nab", "$3\r\nabc", "$3\r\nabc\r", "*1\r\n", "%1\r\n:1\r\n"] {
            check(bytes, "");
        }
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for (bytes, error) in [
            ("hello\r\n", "error: no reply starts with byte 0x68"),
            (":\r\n", "error: malformed line"),
            (":1x\r\n", "error: malformed line"),
            (":9223372036854775808\r\n", "error: malformed line"),
            ("$\r\n", "error: malformed line"),
            ("$-2\r\n", "error: malformed line"),
            ("!-1\r\n", "error: malformed line"),
            ("$?\r\n", "error: malformed line"),
            ("*-2\r\n", "error: malformed line"),
            ("%-1\r\n", "error: malformed line"),
            ("#x\r\n", "error: malformed line"),
            ("_x\r\n", "error: malformed line"),
            (",\r\n", "error: malformed line"),
            (",1,5\r\n", "error: malformed line"),
            ("(\r\n", "error: malformed line"),
            ("(1.5\r\n", "error: malformed line"),
            ("=3\r\ntxt\r\n", "error: malformed line"),
            ("+a\rb\r\n", "error: malformed line"),
            ("$1\r\nabc", "error: string without line end"),
            ("$1\r\na\rb", "error: string without line end"),
            ("$18446744073709551615\r\n", "error: longer than allowed"),
            ("*18446744073709551615\r\n", "error: longer than allowed"),
            ("*4294967296\r\n", "error: longer than allowed"),
        ] {
            check(bytes, error);
        }
        check(":1\r\n?\r\n:2\r\n", ":1 ; error: no reply starts with byte 0x3f");
    }

    #[test]
    fn limits_hold() {
        let limits = Limits { depth: 2, bulk: 3, line: 4, elements: 2 };
        let check = |bytes: &str, expected: &str| assert_eq!(shown(bytes.as_bytes(), limits), expected);
        check("*1\r\n*1\r\n:1\r\n", "[[:1]]");
        check("*1\r\n*1\r\n*1\r\n", "error: nested deeper than allowed");
        check("*1\r\n*1\r\n*0\r\n", "[[[]]]");
        check("|0\r\n|0\r\n|0\r\n", "error: nested deeper than allowed");
        check("$3\r\nabc\r\n", r#""abc""#);
        check("$4\r\n", "error: longer than allowed");
        check("+abcd\r\n", "+abcd");
        check("+abcde", "error: longer than allowed");
        check("*2\r\n:1\r\n:2\r\n", "[:1, :2]");
        check("*3\r\n", "error: longer than allowed");
        check("%1\r\n:1\r\n:2\r\n", "{:1: :2}");
        check("%2\r\n", "error: longer than allowed");
    }

    #[test]
    fn other_bytes_can_be_taken_between_replies() {
        let mut reader = ReplyReader::new();
        reader.feed(b"+CONTINUE\r\nraw bytes:1\r\n*1\r\n");
        assert_eq!(drain_one(&mut reader), "+CONTINUE");
        assert!(reader.is_between_replies());
        assert!(reader.unread().starts_with(b"raw bytes"));
        reader.skip(9);
        assert_eq!(drain_one(&mut reader), ":1");
        assert_eq!(reader.next_reply(), Ok(None));
        assert!(!reader.is_between_replies());
        assert_eq!(reader.unread(), b"");
    }

    fn drain_one(reader: &mut ReplyReader) -> String {
        let reply = reader.next_reply().expect("sound").expect("whole");
        reply.to_string()
    }

    #[test]
    fn any_bytes_are_read_or_refused_and_pieces_make_no_difference() {
        let mut random = Random::from_seed(23);
        let parts: [&[u8]; 16] = [
            b"*",
            b"%",
            b"~",
            b"|",
            b"$",
            b"1\r\n",
            b"2\r\n",
            b"0\r\n",
            b":1\r\n",
            b"+a\r\n",
            b"_\r\n",
            b"$1\r\na\r\n",
            b"-",
            b"\r\n",
            b"#t\r\n",
            b"=5\r\ntxt:a\r\n",
        ];
        for _ in 0..3000 {
            let bytes: Vec<u8> = (0..random.index(30)).flat_map(|_| parts[random.index(parts.len())].iter().copied()).collect();
            shown(&bytes, Limits { depth: 4, ..Limits::default() });
        }
    }
}
