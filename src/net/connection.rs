//! One socket with its client's unparsed input.

use std::io::{self, IoSlice, Read, Write};

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use crate::server::client::ClientKey;

/// A stream of either family.
pub enum Stream {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Stream {
    fn source(&mut self) -> &mut dyn Source {
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

/// A connection. Its [`Token`] carries a generation, so that an event for a socket that was closed earlier
/// in the same batch is recognised.
pub struct Connection {
    /// The socket.
    pub stream: Stream,
    /// Whose it is.
    pub client: ClientKey,
    /// Distinguishes users of one place in the slab.
    pub generation: u32,
    /// Input that was not executed: the start of a request, or requests that must wait.
    pub input: Vec<u8>,
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
