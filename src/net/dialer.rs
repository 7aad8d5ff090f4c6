//! The one connection that this server opens itself: to its primary.
//!
//! The socket is connected without waiting; mio tells when it is writable, and [`Dialing::finish`] asks how
//! it went. The system looks a name up for as long as it likes, so it does that on a thread of its own, which
//! [`Resolver`] starts for it: one at a time, and what is wanted meanwhile is looked up next. (Redis asks on
//! the spot, and stands still until the answer comes.)

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mio::Waker;
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
    /// Starts to connect to one of the addresses, from the address `source` if that is not empty.
    pub fn start(attempt: u64, addresses: &[SocketAddr], source: &str) -> io::Result<Dialing> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            match connect(*address, source) {
                Ok(stream) => return Ok(Dialing { stream, attempt }),
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

/// What became of a name.
pub struct Found {
    /// Which of the server's wishes it was for.
    pub attempt: u64,
    /// Its addresses.
    pub addresses: io::Result<Vec<SocketAddr>>,
}

/// Looks names up. See the module's essay.
pub struct Resolver {
    tell: Sender<Found>,
    found: Receiver<Found>,
    waker: Arc<Waker>,
    busy: bool,
    /// What is to be looked up when the thread has come back.
    next: Option<Dial>,
}

impl Resolver {
    /// One that has nothing to do; it wakes the poll when a name was looked up.
    pub fn new(waker: Arc<Waker>) -> Resolver {
        let (tell, found) = channel();
        Resolver { tell, found, waker, busy: false, next: None }
    }

    /// Looks up a name; an address is its own answer, at once.
    pub fn look_up(&mut self, dial: Dial) -> Option<Found> {
        if let Ok(address) = dial.host.trim_matches(['[', ']']).parse::<IpAddr>() {
            return Some(Found { attempt: dial.attempt, addresses: Ok(vec![SocketAddr::new(address, dial.port)]) });
        }
        if self.busy {
            self.next = Some(dial);
            return None;
        }
        let (tell, waker, attempt) = (self.tell.clone(), Arc::clone(&self.waker), dial.attempt);
        let started = thread::Builder::new().name("resolver".into()).spawn(move || {
            super::processors::pin_helper();
            let addresses = (dial.host.as_str(), dial.port).to_socket_addrs().map(Iterator::collect);
            // the reactor may be gone by now; should the waking fail, the next tick finds the answer
            let _ = tell.send(Found { attempt: dial.attempt, addresses });
            let _ = waker.wake();
        });
        match started {
            Ok(_) => {
                self.busy = true;
                None
            }
            Err(error) => Some(Found { attempt, addresses: Err(error) }),
        }
    }

    /// A name that was looked up.
    pub fn found(&mut self) -> Option<Found> {
        let found = self.found.try_recv().ok()?;
        self.busy = false;
        if let Some(next) = self.next.take()
            && let Some(at_once) = self.look_up(next)
        {
            // the thread could not be started: the attempt ends as a failure of its own
            let _ = self.tell.send(at_once);
        }
        Some(found)
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
