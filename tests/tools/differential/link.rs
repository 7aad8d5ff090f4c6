//! A connection that sends pipelines and reads whole replies as bytes.
//!
//! Replies are told apart but not understood: equal bytes are equal replies, and that is nearly always all
//! there is to know.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ruddle::resp::reader::{Reply, ReplyReader};

/// A request's words.
pub type Words = Vec<Vec<u8>>;

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection.
pub struct Link {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
}

impl Link {
    /// A connection to a server on this machine.
    pub fn open(port: u16) -> io::Result<Link> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Link { stream, buffer: Vec::new(), start: 0 })
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The bytes of the next reply.
    pub fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut frame = Frame::default();
        loop {
            if let Some(end) = frame.advance(&self.buffer[self.start..]) {
                let reply = self.buffer[self.start..self.start + end].to_vec();
                self.start += end;
                return Ok(reply);
            }
            self.buffer.drain(..self.start);
            self.start = 0;
            let mut chunk = [0; 1 << 16];
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
            }
            self.buffer.extend_from_slice(&chunk[..count]);
        }
    }

    /// The bytes of the next reply, if it begins to arrive within a moment.
    pub fn receive_soon(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.start == self.buffer.len() {
            self.stream.set_read_timeout(Some(Duration::from_millis(1)))?;
            let peeked = self.stream.peek(&mut [0]);
            self.stream.set_read_timeout(Some(PATIENCE))?;
            match peeked {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => return Ok(None),
                _ => {}
            }
        }
        self.receive().map(Some)
    }

    /// Sends a request and gives its reply.
    pub fn ask(&mut self, words: &[&str]) -> io::Result<Reply> {
        let words: Words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        self.ask_words(&words)
    }

    /// As [`ask`](Self::ask), of any bytes.
    pub fn ask_words(&mut self, words: &Words) -> io::Result<Reply> {
        let mut bytes = Vec::new();
        encode(&mut bytes, words);
        self.send(&bytes)?;
        let reply = self.receive()?;
        decode(&reply)
    }
}

/// A reply understood.
pub fn decode(bytes: &[u8]) -> io::Result<Reply> {
    let mut reader = ReplyReader::new();
    reader.feed(bytes);
    match reader.next_reply() {
        Ok(Some(reply)) => Ok(reply),
        other => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("no reply: {other:?}: {}", bytes[..bytes.len().min(300)].escape_ascii()),
        )),
    }
}

/// Appends a request in wire form.
pub fn encode(out: &mut Vec<u8>, words: &Words) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
}

/// How far into a reply we are.
struct Frame {
    at: usize,
    missing: usize,
}

impl Default for Frame {
    fn default() -> Self {
        Frame { at: 0, missing: 1 }
    }
}

impl Frame {
    /// Where the reply ends, once it is whole. What was passed stays passed when more bytes come.
    fn advance(&mut self, bytes: &[u8]) -> Option<usize> {
        while self.missing > 0 {
            let rest = &bytes[self.at.min(bytes.len())..];
            let line = rest.iter().position(|&byte| byte == b'\n')?;
            let number = || std::str::from_utf8(&rest[1..line - 1]).ok().and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
            let (mut length, mut inner) = (line + 1, 0);
            match rest[0] {
                b'$' | b'=' | b'!' => {
                    if let Ok(size) = usize::try_from(number()) {
                        length += size + 2;
                    }
                }
                b'*' | b'~' | b'>' => inner = usize::try_from(number()).unwrap_or(0),
                b'%' => inner = 2 * usize::try_from(number()).unwrap_or(0),
                b'|' => inner = 2 * usize::try_from(number()).unwrap_or(0) + 1,
                _ => {}
            }
            if rest.len() < length {
                return None;
            }
            self.at += length;
            self.missing = self.missing - 1 + inner;
        }
        Some(self.at)
    }
}
