//! The sockets of the metrics port: visitors who send a request over HTTP and are sent a page.
//!
//! What a request means is the server's business ([`crate::server::web`]); here bytes come and go. Visitors are no
//! clients: they have a slab of their own, and so few places ([`limits::VISITORS`]) that a crowd cannot
//! harm the clients: when all are taken, whoever has been silent longest makes way, and who has been silent for
//! [`limits::VISIT_SECONDS`] is dismissed. One reply waits at a time: a visitor who does not read is not read
//! from. And who asks without a pause is answered [`limits::VISIT_REPLIES`] times a turn of the loop.

use std::io::{self, IoSlice};

use mio::{Interest, Registry, Token};
use slab::Slab;

use super::connection::Stream;
use super::listener::Listener;
use crate::base::clock::Now;
use crate::limits;
use crate::server::Server;
use crate::server::web::Visit;

/// Tokens of visitors' listeners start here.
pub const LISTENERS: usize = (1 << 31) + (1 << 20);
/// Tokens of visitors have this bit in their lower half; the upper is a generation.
const VISITORS: usize = 1 << 30;
/// What is polled of a visitor.
const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// Everybody on the metrics port.
#[derive(Default)]
pub struct Web {
    listeners: Vec<Listener>,
    visitors: Slab<Visitor>,
    last_generation: u32,
}

/// How a visit goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Visiting {
    /// When the socket has news.
    Waits,
    /// In the next turn: there may be more to do at once.
    GoesOn,
    /// Not at all.
    Ends,
}

struct Visitor {
    stream: Stream,
    generation: u32,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    /// Whether the connection ends once the output is sent.
    closes: bool,
    loopback: bool,
    /// When it was last heard of, in microseconds.
    heard_at: u64,
}

impl Web {
    /// Serves on these listeners.
    pub fn listen(&mut self, mut listeners: Vec<Listener>, registry: &Registry) -> io::Result<()> {
        for (index, listener) in listeners.iter_mut().enumerate() {
            registry.register(listener.source(), Token(LISTENERS + index), Interest::READABLE)?;
        }
        self.listeners = listeners;
        Ok(())
    }

    /// The ports that are bound.
    pub fn ports(&self) -> Vec<u16> {
        self.listeners.iter().filter_map(Listener::address).map(|address| address.port()).collect()
    }

    /// Takes an event, if it is for a visitor or for their listener; tells whether it was.
    pub fn take_event(&mut self, token: usize, now: Now, server: &mut Server, registry: &Registry) -> bool {
        if self.listeners.is_empty() {
            return false;
        }
        if (LISTENERS..LISTENERS + self.listeners.len()).contains(&token) {
            self.accept(token - LISTENERS, now, registry);
            return true;
        }
        let (low, generation) = (token & 0xffff_ffff, token >> 32);
        if low >= 1 << 31 || low & VISITORS == 0 {
            return false;
        }
        let index = low & !VISITORS;
        if self.visitors.get(index).is_some_and(|visitor| visitor.generation as usize == generation) {
            server.set_time(now);
            let visitor = &mut self.visitors[index];
            visitor.heard_at = now.monotonic.0;
            let stays = match visitor.serve(server) {
                Visiting::Waits => true,
                // polled anew, the socket tells at once what it still has
                Visiting::GoesOn => registry.reregister(visitor.stream.source(), Token(token), INTEREST).is_ok(),
                Visiting::Ends => false,
            };
            if !stays {
                self.dismiss(index, registry);
            }
        }
        true
    }

    /// Lets in who waits, as many as there are places; then others must have their turn.
    fn accept(&mut self, at: usize, now: Now, registry: &Registry) {
        for _ in 0..limits::VISITORS {
            let Ok((stream, peer)) = self.listeners[at].accept(0) else { return };
            self.let_in(stream, peer.loopback, now, registry);
        }
        // polled anew, the socket tells at once if more wait; without that, the next one's coming tells
        let _ = registry.reregister(self.listeners[at].source(), Token(LISTENERS + at), Interest::READABLE);
    }

    /// A visitor comes; if there is no place, whoever has been silent longest makes way.
    fn let_in(&mut self, stream: Stream, loopback: bool, now: Now, registry: &Registry) {
        if self.visitors.len() >= limits::VISITORS {
            let silent = self.visitors.iter().min_by_key(|(_, visitor)| visitor.heard_at).map(|(index, _)| index);
            self.dismiss(silent.expect("all places are taken"), registry);
        }
        self.last_generation = self.last_generation.wrapping_add(1);
        let generation = self.last_generation;
        let index = self.visitors.insert(Visitor {
            stream,
            generation,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            closes: false,
            loopback,
            heard_at: now.monotonic.0,
        });
        let token = Token(index | VISITORS | (generation as usize) << 32);
        if registry.register(self.visitors[index].stream.source(), token, INTEREST).is_err() {
            self.visitors.remove(index);
        }
    }

    /// Dismisses who has been silent for too long.
    pub fn sweep(&mut self, now: Now, registry: &Registry) {
        if self.visitors.is_empty() {
            return;
        }
        let patience = limits::VISIT_SECONDS * 1_000_000;
        let is_silent = |visitor: &Visitor| now.monotonic.0.saturating_sub(visitor.heard_at) > patience;
        let silent: Vec<usize> = self.visitors.iter().filter(|(_, visitor)| is_silent(visitor)).map(|(index, _)| index).collect();
        for index in silent {
            self.dismiss(index, registry);
        }
    }

    fn dismiss(&mut self, index: usize, registry: &Registry) {
        let mut visitor = self.visitors.remove(index);
        // the socket is closed next, which ends the polling in any case
        let _ = registry.deregister(visitor.stream.source());
    }
}

impl Visitor {
    /// Reads, answers and writes as far as it goes, or until others must have their turn.
    fn serve(&mut self, server: &mut Server) -> Visiting {
        let mut replies = 0;
        loop {
            match self.write() {
                Ok(true) => {}
                Ok(false) => return Visiting::Waits,
                Err(_) => return Visiting::Ends,
            }
            if self.closes {
                return Visiting::Ends;
            }
            if replies == limits::VISIT_REPLIES {
                return Visiting::GoesOn;
            }
            match server.visit(&self.input, self.loopback) {
                Visit::Reply { bytes, consumed, close } => {
                    replies += 1;
                    self.input.drain(..consumed);
                    self.output = bytes;
                    self.closes = close;
                }
                Visit::Incomplete => match self.read() {
                    Ok(true) => {}
                    Ok(false) => return Visiting::Waits,
                    Err(_) => return Visiting::Ends,
                },
            }
        }
    }

    /// Reads once; tells whether something came. An error is the end of the stream, too.
    fn read(&mut self) -> io::Result<bool> {
        let before = self.input.len();
        self.input.resize(before + limits::VISIT_READ, 0);
        let received = self.stream.read(&mut self.input[before..]);
        self.input.truncate(before + *received.as_ref().unwrap_or(&0));
        match received {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Writes what waits; tells whether all of it is sent.
    fn write(&mut self) -> io::Result<bool> {
        while self.sent < self.output.len() {
            match self.stream.write(&[IoSlice::new(&self.output[self.sent..])]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        (self.output, self.sent) = (Vec::new(), 0);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;
    use crate::config::Config;
    use crate::server::Stopwatch;

    fn no_time() -> u64 {
        0
    }

    #[test]
    fn who_asks_without_a_pause_lets_others_have_their_turn() {
        let mut server = Server::new(Config::default(), crate::command::registry(), 1, Now::default(), Stopwatch(no_time));
        let (mut asking, answering) = std::os::unix::net::UnixStream::pair().expect("two sockets");
        answering.set_nonblocking(true).expect("a socket's flag");
        let mut visitor = Visitor {
            stream: Stream::Unix(mio::net::UnixStream::from_std(answering)),
            generation: 1,
            input: Vec::new(),
            output: Vec::new(),
            sent: 0,
            closes: false,
            loopback: true,
            heard_at: 0,
        };
        let asked = 2 * limits::VISIT_REPLIES + 1;
        asking.write_all(&b"GET /nothing HTTP/1.1\r\n\r\n".repeat(asked)).expect("room for it");
        let visits: Vec<Visiting> = (0..4).map(|_| visitor.serve(&mut server)).collect();
        assert_eq!(visits, [Visiting::GoesOn, Visiting::GoesOn, Visiting::Waits, Visiting::Waits]);
        drop(visitor);
        let mut answers = String::new();
        asking.read_to_string(&mut answers).expect("text");
        assert_eq!(answers.matches("HTTP/1.1 404 Not Found").count(), asked);
    }
}
