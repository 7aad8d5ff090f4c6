//! Connections that this server opens to others for MIGRATE: what is to be sent is sent, what comes is handed up.
//!
//! A courier knows no protocol. It belongs to a line of [`crate::server::migration`]; the reactor keeps all of
//! them and lets one [run](Courier::run) when its socket has news or there is more to send. Nothing here waits.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};

use bytes::{Buf, Bytes};
use mio::{Interest, Registry, Token};

use super::dialer::Dialing;
use crate::server::Server;
use crate::server::migration::LineId;

/// Bytes that one read brings.
const READ: usize = 16 * 1024;

/// A connection; see the module's essay.
pub struct Courier {
    /// What the server calls it.
    pub line: LineId,
    dialing: Dialing,
    connected: bool,
    outgoing: VecDeque<Bytes>,
}

impl Courier {
    /// Starts to connect; `token` is what the poll tells.
    pub fn start(registry: &Registry, token: Token, line: LineId, host: String, port: u16, source: &str) -> io::Result<Courier> {
        let mut dialing = {
            // as Redis does it, on the spot
            let addresses: Vec<SocketAddr> = (host.as_str(), port).to_socket_addrs()?.collect();
            Dialing::start(line.0, &addresses, source)?
        };
        registry.register(&mut dialing.stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Courier { line, dialing, connected: false, outgoing: VecDeque::new() })
    }

    /// Bytes to be sent behind the others.
    pub fn send(&mut self, bytes: Bytes) {
        self.outgoing.push_back(bytes);
    }

    /// Closes it.
    pub fn end(mut self, registry: &Registry) {
        // it is closed in any case
        let _ = registry.deregister(&mut self.dialing.stream);
    }

    /// Does all that can be done without waiting. An error is the end of the line.
    pub fn run(&mut self, server: &mut Server) -> io::Result<()> {
        if !self.connected {
            if self.dialing.finish(false)?.is_none() {
                return Ok(());
            }
            self.connected = true;
            server.line_up(self.line);
        }
        self.write(server)?;
        self.read(server)
    }

    fn write(&mut self, server: &mut Server) -> io::Result<()> {
        let mut moved = false;
        while let Some(first) = self.outgoing.front_mut() {
            match self.dialing.stream.write(first) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    moved = true;
                    first.advance(count);
                    if first.is_empty() {
                        self.outgoing.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if moved {
            server.line_moved(self.line, self.outgoing.iter().map(Bytes::len).sum());
        }
        Ok(())
    }

    fn read(&mut self, server: &mut Server) -> io::Result<()> {
        let mut buffer = [0; READ];
        loop {
            match self.dialing.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) if server.line_heard(self.line, &buffer[..count]) => {}
                Ok(_) => return Err(io::ErrorKind::InvalidData.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}
