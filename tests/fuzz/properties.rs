//! What must hold for any bytes: no panic, and the same understanding however the bytes are cut up.
//!
//! The first bytes of an input choose where the rest is cut, so that a fuzzer can steer the cuts.

use ruddle::resp::reader::{Limits, ReplyReader};
use ruddle::resp::request::{self, Args, Parsed, Partial, RequestLimits};

/// A request's words.
type Words = Vec<Vec<u8>>;

const LIMITS: RequestLimits = RequestLimits { arguments: 1 << 20, bulk: 1 << 20, unauthenticated: false };

/// The places in `bytes` that its first two bytes choose, in order, its end last.
fn cuts(bytes: &[u8]) -> Vec<usize> {
    let mut cuts: Vec<usize> = bytes.iter().take(2).map(|&byte| usize::from(byte) % (bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    cuts
}

/// Any bytes are parsed or refused, and pieces make no difference.
pub fn requests(bytes: &[u8]) {
    assert_eq!(parse(bytes, &[bytes.len()]), parse(bytes, &cuts(bytes)));
}

fn parse(bytes: &[u8], cuts: &[usize]) -> (Vec<Words>, Option<String>) {
    let (mut partial, mut start, mut requests) = (Partial::default(), 0, Vec::new());
    for &cut in cuts {
        let input = &bytes[..cut];
        let mut spans = Vec::new();
        loop {
            let first = spans.len();
            let (words, end) = match request::parse(input, start, &mut partial, &LIMITS, &mut spans) {
                Parsed::Request(end) => (Args::new(input, &spans[first..]).iter().map(<[u8]>::to_vec).collect(), end),
                Parsed::Inline(owned, end) => (owned.args().iter().map(<[u8]>::to_vec).collect(), end),
                Parsed::Nothing(end) => (Words::new(), end),
                Parsed::Incomplete => break,
                Parsed::Error(text) => return (requests, Some(text)),
            };
            assert!(start < end && end <= cut, "a request ends within the input and takes some of it");
            start = end;
            if !words.is_empty() {
                requests.push(words);
            }
        }
    }
    (requests, None)
}

/// Any bytes are read or refused, and pieces make no difference.
pub fn replies(bytes: &[u8]) {
    assert_eq!(read(bytes, &[bytes.len()]), read(bytes, &cuts(bytes)));
}

fn read(bytes: &[u8], cuts: &[usize]) -> Vec<String> {
    let mut reader = ReplyReader::with_limits(Limits { depth: 8, bulk: 1 << 20, line: 1 << 10, elements: 1 << 20 });
    let (mut start, mut shown) = (0, Vec::new());
    for &cut in cuts {
        reader.feed(&bytes[start..cut]);
        start = cut;
        loop {
            match reader.next_reply() {
                Ok(Some(reply)) => shown.push(reply.to_string()),
                Ok(None) => break,
                Err(error) => {
                    shown.push(format!("refused: {error}"));
                    return shown;
                }
            }
        }
    }
    shown
}
