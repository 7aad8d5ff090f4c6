//! The request parser: arguments as ranges of the input, nothing copied, resumable at any byte.
//!
//! [`parse`] takes one request off the input at a time and appends a [`Span`] an argument to a vector
//! that the caller reuses. A request that is cut off leaves what was understood in a [`Partial`]; the
//! next call, with the same bytes and more behind them, goes on there, so a request that trickles in is
//! not parsed from its start each time.
//!
//! Redis does not look at the two bytes after a bulk string, nor do we: a length that lies about its
//! string shows at the next length.

use std::ops::Range;

use crate::base::{number, text};
use crate::limits;

/// An argument: where it starts in the input, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

impl Span {
    fn new(start: usize, len: usize) -> Span {
        Span {
            start: u32::try_from(start).expect("the query buffer limit is below 4 GB"),
            len: u32::try_from(len).expect("the query buffer limit is below 4 GB"),
        }
    }

    fn shifted(self, from: usize, to: usize) -> Span {
        Span::new(self.start as usize - from + to, self.len as usize)
    }

    /// As a range of the input.
    #[inline]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.len as usize
    }
}

/// The arguments of one request, the command's name first.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    input: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// Arguments in `input` at `spans`.
    pub fn new(input: &'a [u8], spans: &'a [Span]) -> Self {
        Args { input, spans }
    }

    /// Bytes that the request takes on the wire, as an array of bulk strings.
    pub fn wire_bytes(self) -> u64 {
        let header = |number: usize| number::length_i64(i64::try_from(number).unwrap_or(i64::MAX)) + 3;
        let words = self.iter().map(|word| header(word.len()) + word.len() + 2);
        (header(self.len()) + words.sum::<usize>()) as u64
    }

    /// How many, the command's name included.
    #[inline]
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// Argument `index`; the caller knows that it is there (arity, `len`).
    #[inline]
    pub fn at(self, index: usize) -> &'a [u8] {
        &self.input[self.spans[index].range()]
    }

    /// Argument `index`, if it is there.
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| &self.input[span.range()])
    }

    /// The arguments from `index` on.
    pub fn from(self, index: usize) -> Args<'a> {
        Args { input: self.input, spans: self.spans.get(index..).unwrap_or(&[]) }
    }

    /// The arguments in a range.
    pub fn slice(self, range: Range<usize>) -> Args<'a> {
        Args { input: self.input, spans: &self.spans[range] }
    }

    /// Each argument in turn.
    pub fn iter(self) -> impl ExactSizeIterator<Item = &'a [u8]> + DoubleEndedIterator + Clone {
        self.spans.iter().map(move |span| &self.input[span.range()])
    }

    /// Whether argument `index` is there and is this word, in any case.
    pub fn is(self, index: usize, word: &str) -> bool {
        self.get(index).is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()))
    }

    /// A copy that owns its bytes.
    pub fn to_owned(self) -> OwnedRequest {
        OwnedRequest::from_words(self.iter())
    }
}

/// A request that owns its bytes: inline, queued by MULTI, or parked with a blocked client.
#[derive(Clone, Debug, Default)]
pub struct OwnedRequest {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl OwnedRequest {
    /// A request of these words.
    pub fn from_words<'a>(words: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut request = OwnedRequest::default();
        words.for_each(|word| request.push(word));
        request
    }

    /// Adds a word.
    #[inline]
    pub fn push(&mut self, word: &[u8]) {
        self.spans.push(Span::new(self.bytes.len(), word.len()));
        self.bytes.extend_from_slice(word);
    }

    /// Takes the first word away.
    pub fn drop_first(&mut self) {
        if !self.spans.is_empty() {
            self.spans.remove(0);
        }
    }

    /// Takes all words away; the memory stays for others.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
    }

    /// Its arguments.
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans)
    }

    /// Bytes that it keeps.
    pub fn bytes(&self) -> usize {
        self.bytes.capacity() + self.spans.capacity() * size_of::<Span>()
    }
}

/// What a client may send.
#[derive(Clone, Copy, Debug)]
pub struct RequestLimits {
    /// Words of a request.
    pub arguments: i64,
    /// Bytes of a word.
    pub bulk: i64,
    /// Whether these are the narrow limits of before authentication.
    pub unauthenticated: bool,
}

/// A request of which the end has not arrived.
#[derive(Debug, Default)]
pub struct Partial {
    spans: Vec<Span>,
    /// Words still to come, 0 if not even their number is known.
    missing: i64,
    /// Length of the word that is arriving, if known.
    bulk: Option<i64>,
    /// How far the request was understood, from its start.
    parsed: usize,
}

impl Partial {
    /// Whether nothing is known of the request.
    pub fn is_empty(&self) -> bool {
        self.missing == 0
    }

    /// How many bytes of the request have been understood, from its start.
    pub fn parsed(&self) -> usize {
        self.parsed
    }

    /// How many bytes of the request must be there before it can end, from its start.
    pub fn wanted(&self) -> usize {
        self.parsed + self.bulk.map_or(0, |len| usize::try_from(len).unwrap_or(0) + 2)
    }
}

/// What one call of [`parse`] found.
#[derive(Debug)]
pub enum Parsed {
    /// A request whose spans were appended; it ends here in the input.
    Request(usize),
    /// An inline request with words that had to be unquoted.
    Inline(OwnedRequest, usize),
    /// Nothing to execute (an empty line, `*0`); the next request starts here.
    Nothing(usize),
    /// The input ends within a request.
    Incomplete,
    /// Not the protocol: the text of the error that precedes the close.
    Error(String),
}

fn error(text: &str) -> Parsed {
    Parsed::Error(format!("Protocol error: {text}"))
}

/// Parses one request that starts at `start`. See the module's essay.
#[inline]
pub fn parse(input: &[u8], start: usize, partial: &mut Partial, limits: &RequestLimits, spans: &mut Vec<Span>) -> Parsed {
    if partial.is_empty() {
        match input.get(start) {
            None => return Parsed::Incomplete,
            Some(b'*') => {}
            Some(_) => return parse_inline(input, start),
        }
        if !limits.unauthenticated && limits.bulk >= SHORT_MAX {
            let first = spans.len();
            match parse_short(input, start, spans) {
                Some(end) => return Parsed::Request(end),
                None => spans.truncate(first),
            }
        }
    }
    parse_multibulk(input, start, partial, limits, spans)
}

/// The largest number of words, and of bytes of a word, of a short request.
const SHORT_MAX: i64 = 99;

/// The number of one or two digits on the line at `at`, and where the next line starts.
#[inline]
fn short_number(input: &[u8], at: usize) -> Option<(usize, usize)> {
    let &[first, second, third] = input.get(at..at + 3)?.first_chunk()?;
    let first = first.wrapping_sub(b'0');
    if second == b'\r' {
        return (first <= 9).then_some((usize::from(first), at + 3));
    }
    let second = second.wrapping_sub(b'0');
    let fits = third == b'\r' && first.wrapping_sub(1) < 9 && second <= 9;
    fits.then_some((usize::from(first) * 10 + usize::from(second), at + 4))
}

/// The common request in one go: whole, and all its numbers of one or two digits. Whatever else it may be, it is
/// none of this function's business; spans may have been added then.
#[inline]
fn parse_short(input: &[u8], start: usize, spans: &mut Vec<Span>) -> Option<usize> {
    if input.len() > u32::MAX as usize {
        return None;
    }
    let (count, mut at) = short_number(input, start + 1)?;
    if count == 0 {
        return None;
    }
    spans.reserve(count);
    for _ in 0..count {
        if input.get(at) != Some(&b'$') {
            return None;
        }
        let (len, word) = short_number(input, at + 1)?;
        at = word + len + 2;
        if at > input.len() {
            return None;
        }
        spans.push(Span { start: word as u32, len: len as u32 });
    }
    Some(at)
}

/// A line's number and where the next line starts.
enum Line {
    Number(i64, usize),
    Bad,
    TooLong,
    Incomplete,
}

/// The number on the line at `at`, as strict as Redis: no plus, no leading zeros, no spaces.
#[inline]
fn line_number(input: &[u8], at: usize) -> Line {
    let mut end = at;
    let mut value: i64 = 0;
    // the common case: up to nine digits
    while let Some(&byte) = input.get(end) {
        if !byte.is_ascii_digit() || end - at == 9 {
            break;
        }
        value = value * 10 + i64::from(byte - b'0');
        end += 1;
    }
    if input.get(end) == Some(&b'\r') && end > at && (input[at] != b'0' || end == at + 1) {
        return if input.len() > end + 1 { Line::Number(value, end + 2) } else { Line::Incomplete };
    }
    let line = &input[at..];
    match memchr::memchr(b'\r', &line[..line.len().min(limits::INLINE_MAX + 1)]) {
        Some(_) if at + 1 >= input.len() => Line::Incomplete,
        Some(len) => match crate::base::number::parse_i64(&line[..len]) {
            _ if line.len() <= len + 1 => Line::Incomplete,
            Some(value) => Line::Number(value, at + len + 2),
            None => Line::Bad,
        },
        None if line.len() > limits::INLINE_MAX => Line::TooLong,
        None => Line::Incomplete,
    }
}

fn parse_multibulk(input: &[u8], start: usize, partial: &mut Partial, limits: &RequestLimits, spans: &mut Vec<Span>) -> Parsed {
    let first = spans.len();
    let (mut at, mut missing, mut bulk);
    if partial.is_empty() {
        match line_number(input, start + 1) {
            Line::Number(count, next) => {
                if count > limits.arguments {
                    let what = if limits.unauthenticated { "unauthenticated multibulk length" } else { "invalid multibulk length" };
                    return error(what);
                }
                if count <= 0 {
                    return Parsed::Nothing(next);
                }
                (at, missing, bulk) = (next, count, None);
            }
            Line::Bad => return error("invalid multibulk length"),
            Line::TooLong => return error("too big mbulk count string"),
            Line::Incomplete => return Parsed::Incomplete,
        }
    } else {
        (at, missing, bulk) = (start + partial.parsed, partial.missing, partial.bulk);
    }
    while missing > 0 {
        let len = match bulk {
            Some(len) => len,
            None => match input.get(at) {
                None => break,
                Some(b'$') => match line_number(input, at + 1) {
                    Line::Number(len, next) => {
                        if !(0..=limits.bulk).contains(&len) {
                            let narrow = limits.unauthenticated && len > limits.bulk;
                            return error(if narrow { "unauthenticated bulk length" } else { "invalid bulk length" });
                        }
                        at = next;
                        len
                    }
                    Line::Bad => return error("invalid bulk length"),
                    Line::TooLong => return error("too big bulk count string"),
                    Line::Incomplete => break,
                },
                Some(&other) => return error(&format!("expected '$', got '{}'", char::from(other))),
            },
        };
        let size = usize::try_from(len).expect("checked to be positive");
        if input.len() - at < size + 2 {
            bulk = Some(len);
            break;
        }
        spans.push(Span::new(at, size));
        at += size + 2;
        missing -= 1;
        bulk = None;
    }
    // words found earlier stay with the partial request until it is whole: each is moved once
    if missing == 0 {
        let earlier = std::mem::take(partial).spans;
        if !earlier.is_empty() {
            spans.splice(first..first, earlier.into_iter().map(|span| span.shifted(0, start)));
        }
        return Parsed::Request(at);
    }
    partial.spans.extend(spans.drain(first..).map(|span| span.shifted(start, 0)));
    (partial.missing, partial.bulk, partial.parsed) = (missing, bulk, at - start);
    Parsed::Incomplete
}

#[cold]
fn parse_inline(input: &[u8], start: usize) -> Parsed {
    let line = &input[start..];
    // however the line arrives, it has one limit
    let Some(len) = memchr::memchr(b'\n', &line[..line.len().min(limits::INLINE_MAX + 1)]) else {
        return if line.len() > limits::INLINE_MAX { error("too big inline request") } else { Parsed::Incomplete };
    };
    let end = start + len + 1;
    let line = line[..len].strip_suffix(b"\r").unwrap_or(&line[..len]);
    match text::split_arguments(line) {
        Err(_) => error("unbalanced quotes in request"),
        Ok(words) if words.is_empty() => Parsed::Nothing(end),
        Ok(words) => Parsed::Inline(OwnedRequest::from_words(words.iter().map(Vec::as_slice)), end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RequestLimits = RequestLimits { arguments: i32::MAX as i64, bulk: 512 << 20, unauthenticated: false };

    fn words(args: Args) -> Vec<String> {
        args.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    /// Parses all of `input`, arriving in pieces that end at `cuts`; gives the requests and the error.
    fn run(input: &[u8], mut cuts: Vec<usize>) -> (Vec<Vec<String>>, Option<String>) {
        cuts.push(input.len());
        let (mut partial, mut start, mut got) = (Partial::default(), 0, Vec::new());
        for cut in cuts {
            let mut spans = Vec::new();
            loop {
                let first = spans.len();
                match parse(&input[..cut], start, &mut partial, &LIMITS, &mut spans) {
                    Parsed::Request(end) => {
                        got.push(words(Args::new(input, &spans[first..])));
                        start = end;
                    }
                    Parsed::Inline(owned, end) => {
                        got.push(words(owned.args()));
                        start = end;
                    }
                    Parsed::Nothing(end) => start = end,
                    Parsed::Incomplete => break,
                    Parsed::Error(text) => return (got, Some(text)),
                }
            }
        }
        (got, None)
    }

    #[test]
    fn a_request_may_be_cut_at_any_byte() {
        let input = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\nhello\r\nworld\r\n*0\r\n*-1\r\nPING \"a b\"\r\n\r\n*1\r\n$4\r\nPING\r\n";
        let whole = run(input, vec![]);
        assert_eq!(whole.0, [vec!["SET", "k", "hello\r\nworld"], vec!["PING", "a b"], vec!["PING"]]);
        for a in 0..input.len() {
            for b in a..input.len() {
                assert_eq!(run(input, vec![a, b]), whole);
            }
        }
    }

    #[test]
    fn what_is_not_the_protocol_gets_the_words_of_redis() {
        let long = [b"*".as_slice(), &[b'1'; 70_000]].concat();
        let long_inline = vec![b'a'; 70_000];
        let cases: [(&[u8], &str); 13] = [
            (b"*x\r\n", "invalid multibulk length"),
            (b"*9223372036854775808\r\n", "invalid multibulk length"),
            (b"*3000000000\r\n", "invalid multibulk length"),
            (b"*1\r\n:1\r\n", "expected '$', got ':'"),
            (b"*1\r\n$x\r\n", "invalid bulk length"),
            (b"*1\r\n$-2\r\n", "invalid bulk length"),
            (b"*1\r\n$01\r\n", "invalid bulk length"),
            (b"*1\r\n$9223372036854775808\r\n", "invalid bulk length"),
            (b"*1\r\n$629145600\r\n", "invalid bulk length"),
            (b"*2\r\n$4\r\nPINGxx*1\r\n", "expected '$', got '*'"),
            (b"\"unbalanced\r\n", "unbalanced quotes in request"),
            (&long, "too big mbulk count string"),
            (&long_inline, "too big inline request"),
        ];
        for (input, expected) in cases {
            assert_eq!(run(input, vec![]).1.expect("an error"), format!("Protocol error: {expected}"));
        }
    }

    #[test]
    fn a_short_request_is_the_same_on_the_long_way() {
        let narrow = RequestLimits { bulk: SHORT_MAX - 1, ..LIMITS };
        let mut random = crate::base::random::Random::from_seed(2);
        for _ in 0..if cfg!(miri) { 50 } else { 20_000 } {
            let words: Vec<Vec<u8>> = (0..random.index(14)).map(|_| vec![b'x'; random.index(98)]).collect();
            let mut input = format!("*{}\r\n", words.len()).into_bytes();
            words.iter().for_each(|word| crate::resp::writer::write_bulk(&mut input, word));
            if random.index(2) == 0 {
                let at = random.index(input.len());
                input[at] = b"0123456789\r\n$*-"[random.index(15)];
            }
            input.truncate(input.len() - random.index(2) * random.index(input.len()));
            let [short, long] = [LIMITS, narrow].map(|limits| {
                let (mut partial, mut spans) = (Partial::default(), Vec::new());
                let parsed = format!("{:?}", parse(&input, 0, &mut partial, &limits, &mut spans));
                // one of 99 bytes is too long for the narrow limits alone
                (!parsed.contains("bulk length")).then_some((parsed, spans))
            });
            assert!(short == long || long.is_none(), "{:?}", String::from_utf8_lossy(&input));
        }
    }

    #[test]
    fn random_bytes_neither_panic_nor_depend_on_the_cuts() {
        let mut random = crate::base::random::Random::from_seed(1);
        let alphabet = b"*$-:0123456789\r\n\"'abc \\x";
        for _ in 0..if cfg!(miri) { 50 } else { 20_000 } {
            let input: Vec<u8> = (0..random.index(60) + 1).map(|_| alphabet[random.index(alphabet.len())]).collect();
            let cut = random.index(input.len());
            assert_eq!(run(&input, vec![]), run(&input, vec![cut]));
        }
    }
}
