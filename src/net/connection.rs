//! One socket with its client's unparsed input.

use std::io::{self, IoSlice, Read, Write};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use super::backlog::Backlog;
use crate::server::client::ClientKey;

/// A stream of either family.
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Stream {
    /// What to poll.
    pub fn source(&mut self) -> &mut dyn Source {
        match self {
            Stream::Tcp(stream) => stream,
            Stream::Unix(stream) => stream,
        }
    }

    /// Reads what is there.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Unix(stream) => stream.read(buffer),
        }
    }

    /// Writes slices, as many bytes as the kernel takes.
    pub fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match (self, slices) {
            (Stream::Tcp(stream), [one]) => stream.write(one),
            (Stream::Unix(stream), [one]) => stream.write(one),
            (Stream::Tcp(stream), many) => stream.write_vectored(many),
            (Stream::Unix(stream), many) => stream.write_vectored(many),
        }
    }
}

/// What one read of a socket came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// So many bytes, perhaps none.
    Bytes(usize),
    /// The peer has sent its last byte, or the connection is broken.
    End,
}

/// A connection. Its [`Token`] carries a generation, so that an event for a socket that was closed earlier
/// in the same batch is recognised.
pub struct Connection {
    /// The socket.
    pub stream: Stream,
    /// Whose it is.
    pub client: ClientKey,
    /// Distinguishes users of one place in the slab.
    pub generation: u32,
    /// Input that was not executed.
    pub input: Backlog,
    /// Since when what the socket has can have been readable, by the server's stopwatch.
    pub since: u64,
    /// The same of the input that was not executed.
    pub kept_since: u64,
    /// How much of a long input the next turn is shown.
    pub window: usize,
    /// Whether the input is to be looked at before more is read: a client that was held back goes on, and
    /// all that it sent is executed before the end of its stream is seen.
    pub resumed: bool,
    /// Whether the socket may have more to read.
    pub readable: bool,
    /// Whether the peer is known to have sent its last byte.
    pub ended: bool,
    /// Whether it stands in the list of connections to look at.
    pub queued: bool,
    /// Whether the kernel would not take all output.
    pub write_blocked: bool,
}

impl Connection {
    /// Reads once into `space`, if there may be something.
    pub fn receive(&mut self, space: &mut [u8]) -> Received {
        if !self.readable {
            return Received::Bytes(0);
        }
        let received = self.stream.read(space).map(|count| (count, space.len()));
        self.note(received)
    }

    /// Reads once behind the input that waits, if there may be something.
    pub fn receive_behind(&mut self, wanted: usize) -> Received {
        if !self.readable {
            return Received::Bytes(0);
        }
        let received = self.input.receive(&mut self.stream, wanted);
        self.note(received)
    }

    fn note(&mut self, received: io::Result<(usize, usize)>) -> Received {
        match received {
            Ok((0, _)) => return Received::End,
            Ok((count, space)) => {
                // a short read has drained the socket, unless the end is known to follow
                self.readable = count == space || self.ended;
                return Received::Bytes(count);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Received::End,
        }
        Received::Bytes(0)
    }

    /// Starts polling the socket.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.stream.source().register(registry, token, Interest::READABLE)
    }

    /// Polls for room to write as well, or no more.
    pub fn watch_writable(&mut self, registry: &Registry, token: Token, on: bool) -> io::Result<()> {
        let interest = if on { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        self.write_blocked = on;
        self.stream.source().reregister(registry, token, interest)
    }

    /// Stops polling the socket.
    pub fn deregister(&mut self, registry: &Registry) {
        // the socket is closed next, which ends the polling in any case
        let _ = self.stream.source().deregister(registry);
    }
}
