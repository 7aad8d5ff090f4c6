//! Metrics and the status page over HTTP: from the bytes of a request to those of its reply.
//!
//! ```text
//! GET /              the status page, one file without anything from elsewhere
//! GET /status.json   what the page shows, anew each second
//! GET /metrics       all counters in Prometheus's text format, under redis_exporter's names where it has one
//! ```
//!
//! As much of HTTP/1.1 as that takes: GET and HEAD, a head of [`HEAD_MAX`] bytes at most, no body, connections that
//! stay open unless asked otherwise, requests one behind the other. Everything else gets an error and the close.
//! Who owns the sockets calls [`Server::visit`] with what has arrived and sends what comes back; that is all it
//! knows of HTTP.
//!
//! There is no password: who reaches the port sees keys and clients' addresses, so `metrics-bind` is the loopback
//! unless it is set otherwise. No header lets pages of other origins read the replies, and a request that comes in
//! through the loopback must name a loopback host, so that a page of a stranger's cannot reach it under a name of its
//! own.

pub mod exposition;
pub mod metrics;
pub mod status;

use super::Server;
use super::stats::Culprit;

/// Bytes of a request's head at most.
pub const HEAD_MAX: usize = 8 * 1024;

/// What became of a visitor's bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Visit {
    /// The request has not ended yet.
    Incomplete,
    /// The reply, how many bytes of input it answers, and whether the connection ends with it.
    Reply {
        /// The reply's bytes.
        bytes: Vec<u8>,
        /// Bytes of the input that are done with.
        consumed: usize,
        /// Whether the connection is to be closed.
        close: bool,
    },
}

/// A request's head.
struct Head<'a> {
    method: &'a str,
    path: &'a str,
    host: Option<&'a str>,
    /// HTTP/1.1, not asked to close.
    stays: bool,
    has_body: bool,
}

/// A reply before it is bytes.
struct Page {
    status: &'static str,
    kind: &'static str,
    body: String,
}

const PLAIN: &str = "text/plain; charset=utf-8";

fn refusal(status: &'static str) -> Page {
    Page { status, kind: PLAIN, body: format!("{status}\n") }
}

impl Server {
    /// Answers the first request of `input`, if it is there in full; `loopback` tells whether the visitor came in through
    /// an address of this machine alone.
    pub fn visit(&mut self, input: &[u8], loopback: bool) -> Visit {
        let Some(end) = end_of_head(input) else {
            if input.len() > HEAD_MAX {
                return reply(&refusal("431 Request Header Fields Too Large"), input.len(), false, false);
            }
            return Visit::Incomplete;
        };
        let head = if end > HEAD_MAX { None } else { std::str::from_utf8(&input[..end]).ok().and_then(parse) };
        let Some(head) = head else { return reply(&refusal("400 Bad Request"), input.len(), false, false) };
        if head.has_body {
            return reply(&refusal("413 Content Too Large"), input.len(), false, false);
        }
        let only_head = head.method == "HEAD";
        if !only_head && head.method != "GET" {
            return reply(&refusal("405 Method Not Allowed"), input.len(), false, false);
        }
        if loopback && !head.host.is_none_or(is_loopback_host) {
            return reply(&refusal("403 Forbidden"), input.len(), false, false);
        }
        let page = self.page(head.path.split('?').next().unwrap_or_default());
        reply(&page, end, head.stays, only_head)
    }

    fn page(&mut self, path: &str) -> Page {
        let started = self.state.stopwatch.now();
        let ok = |kind, body| Page { status: "200 OK", kind, body };
        let page = match path {
            "/" => ok("text/html; charset=utf-8", include_str!("page.html").to_string()),
            "/metrics" => ok("text/plain; version=0.0.4; charset=utf-8", metrics::write(&self.state, &self.keyspace)),
            "/status.json" => ok("application/json", status::write(&self.state, &self.keyspace)),
            _ => refusal("404 Not Found"),
        };
        let nanos = self.state.stopwatch.now().saturating_sub(started);
        self.state.stats.hold(nanos, || Culprit::task("metrics"));
        page
    }
}

/// Where the head ends, its empty line included.
fn end_of_head(input: &[u8]) -> Option<usize> {
    let shown = &input[..input.len().min(HEAD_MAX + 4)];
    memchr::memmem::find(shown, b"\r\n\r\n").map(|at| at + 4)
}

fn parse(head: &str) -> Option<Head<'_>> {
    let mut lines = head.trim_end_matches("\r\n").split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, path, version) = (words.next()?, words.next()?, words.next()?);
    let known = version == "HTTP/1.1" || version == "HTTP/1.0";
    let token = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphabetic());
    if words.next().is_some() || !known || !token || !path.starts_with('/') {
        return None;
    }
    let mut parsed = Head { method, path, host: None, stays: version == "HTTP/1.1", has_body: false };
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("connection") {
            parsed.stays &= !value.eq_ignore_ascii_case("close");
        } else if name.eq_ignore_ascii_case("host") {
            parsed.host = Some(value);
        } else if name.eq_ignore_ascii_case("content-length") {
            parsed.has_body |= value != "0";
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            parsed.has_body = true;
        }
    }
    Some(parsed)
}

/// Whether a Host header names this machine by a name that nobody else can give it.
fn is_loopback_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok()
}

fn reply(page: &Page, consumed: usize, stays: bool, only_head: bool) -> Visit {
    let mut bytes = format!(
        "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: {}\r\n\r\n",
        page.status,
        page.kind,
        page.body.len(),
        if stays { "keep-alive" } else { "close" }
    )
    .into_bytes();
    if !only_head {
        bytes.extend_from_slice(page.body.as_bytes());
    }
    Visit::Reply { bytes, consumed, close: !stays }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::Now;
    use crate::config::Config;
    use crate::server::Stopwatch;
    use crate::server::registry::Registry;

    fn visit(input: &str) -> (String, usize, bool) {
        let mut server = Server::new(Config::default(), Registry::new(&[]), 1, Now::default(), Stopwatch(|| 0));
        match server.visit(input.as_bytes(), true) {
            Visit::Incomplete => ("incomplete".into(), 0, false),
            Visit::Reply { bytes, consumed, close } => (String::from_utf8(bytes).expect("text"), consumed, close),
        }
    }

    #[test]
    fn requests_are_answered_and_anything_else_refused() {
        for (input, status, close) in [
            ("GET / HTTP/1.1\r\nHost: localhost:9121\r\n\r\n", "200 OK", false),
            ("GET /metrics HTTP/1.1\r\n\r\n", "200 OK", false),
            ("GET /metrics?x=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "200 OK", false),
            ("HEAD /status.json HTTP/1.1\r\nhost: [::1]:80\r\nConnection: close\r\n\r\n", "200 OK", true),
            ("GET / HTTP/1.0\r\n\r\n", "200 OK", true),
            ("GET /nothing HTTP/1.1\r\n\r\n", "404 Not Found", false),
            ("POST / HTTP/1.1\r\n\r\n", "405 Method Not Allowed", true),
            ("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "413 Content Too Large", true),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "413 Content Too Large", true),
            ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "403 Forbidden", true),
            ("GET / HTTP/2\r\n\r\n", "400 Bad Request", true),
            ("GET  / HTTP/1.1\r\n\r\n", "400 Bad Request", true),
            ("GET http://x/ HTTP/1.1\r\n\r\n", "400 Bad Request", true),
            ("PING\r\n\r\n", "400 Bad Request", true),
            ("\r\n\r\n", "400 Bad Request", true),
            ("GET / HTTP/1.1\r\nno colon\r\n\r\n", "400 Bad Request", true),
        ] {
            let (text, _, closed) = visit(input);
            assert!(text.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{input:?}: {}", &text[..text.len().min(60)]);
            assert_eq!(closed, close, "{input:?}");
            let (head, body) = text.split_once("\r\n\r\n").expect("a head");
            let length: usize =
                head.split("Content-Length: ").nth(1).and_then(|rest| rest.lines().next()).expect("a length").parse().expect("a number");
            assert!(body.len() == length || input.starts_with("HEAD") && body.is_empty(), "{input:?}");
        }
    }

    #[test]
    fn a_head_may_come_in_pieces_but_not_without_end() {
        assert_eq!(visit("GET / HTTP/1.1\r\n").0, "incomplete");
        assert_eq!(visit("").0, "incomplete");
        let two = "GET /nothing HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n";
        assert_eq!(visit(two).1, two.len() - 18, "the second request stays");
        let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(HEAD_MAX));
        assert!(visit(&long).0.starts_with("HTTP/1.1 431 "));
        assert!(visit(&format!("{long}\r\n\r\n")).0.starts_with("HTTP/1.1 4"));
    }
}
