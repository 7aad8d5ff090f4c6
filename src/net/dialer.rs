//! The one connection that this server opens itself: to its primary.
//!
//! The socket is connected without waiting; mio tells when it is writable, and [`Dialing::finish`] asks how
//! it went. A name is looked up by the system on the spot, as Redis does it: a replica with a slow resolver
//! is told so by the log and better given an address.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::fd::AsRawFd;

use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::repl::replica::Dial;
use crate::server::client::Peer;

/// A socket that is being connected.
pub struct Dialing {
    /// The socket.
    pub stream: TcpStream,
    /// Which of the server's wishes it is for.
    pub attempt: u64,
}

impl Dialing {
    /// Starts to connect, from the address `source` if that is not empty.
    pub fn start(dial: &Dial, source: &str) -> io::Result<Dialing> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in (dial.host.as_str(), dial.port).to_socket_addrs()? {
            match connect(address, source) {
                Ok(stream) => return Ok(Dialing { stream, attempt: dial.attempt }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// How it went: the peer once connected, `None` while under way.
    pub fn finish(&self, delay: bool) -> io::Result<Option<Peer>> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        let address = match self.stream.peer_addr() {
            Ok(address) => address,
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(None),
            Err(error) => return Err(error),
        };
        // a socket whose peer is gone already refuses options; the first read will tell
        let _ = SockRef::from(&self.stream).set_tcp_nodelay(!delay);
        Ok(Some(Peer {
            address: address.to_string(),
            local_address: self.stream.local_addr().map(|address| address.to_string()).unwrap_or_default(),
            unix_socket: false,
            loopback: address.ip().is_loopback(),
            descriptor: i64::from(self.stream.as_raw_fd()),
        }))
    }
}

fn connect(address: SocketAddr, source: &str) -> io::Result<TcpStream> {
    if source.is_empty() {
        return TcpStream::connect(address);
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    let source = (source, 0).to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    socket.set_reuse_address(true)?;
    socket.bind(&source.into())?;
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}
