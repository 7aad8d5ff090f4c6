//! A child process that debugs a client's script on a copy of the data.
//!
//! It has one descriptor, that of the client, and no poll: it reads and waits, lets the server do what was asked for, writes,
//! and reads again. All else that the server holds is there by name alone: its files and sockets are closed, its threads
//! were left behind, and nothing that it would send or write leaves it. It ends with the session.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use super::connection::Stream;
use crate::base::clock;
use crate::limits;
use crate::persist::child::{Child, Errand};
use crate::server::Server;
use crate::server::client::{ClientFlags, ClientKey};
use crate::server::turn::Inbound;

/// Starts the child. If there can be none, the log says why; the connection is closed by the caller in any case.
pub fn start(server: &mut Server, stream: &Stream, input: &[u8], client: ClientKey) {
    let descriptor: BorrowedFd<'_> = match stream {
        Stream::Tcp(stream) => stream.as_fd(),
        Stream::Unix(stream) => stream.as_fd(),
    };
    let spawn = server.state.snapshots.spawn;
    let started =
        Child::with_descriptor(spawn, Errand::Debugging, descriptor, |mut socket| serve(server, client, &mut socket, input.to_vec()));
    match started {
        Ok(child) => {
            log::info!("Script debugging session started by pid {}", child.pid());
            server.state.debugging.children.push(child);
        }
        Err(error) => log::warn!("Can't debug a script: fork: {error}"),
    }
}

/// The session, from its first word to its last. Gives whether it ended as it should.
fn serve(server: &mut Server, client: ClientKey, socket: &mut (impl io::Read + io::Write), mut input: Vec<u8>) -> bool {
    server.set_time(clock::now());
    server.begin_forked_session(client);
    take(server, client, &mut input, 0);
    loop {
        if send(server, client, socket).is_err() {
            return false;
        }
        let over = ClientFlags::CLOSE_AFTER_REPLY.or(ClientFlags::CLOSE_NOW);
        if server.state.clients.get(client).is_none_or(|client| client.flags.any(over)) {
            return true;
        }
        if server.session_waits() && !hear(server, client, socket, &mut input) {
            return false;
        }
        server.advance_forked_session(clock::now());
    }
}

/// Waits for what the client sends. `false` if it is gone.
fn hear(server: &mut Server, client: ClientKey, socket: &mut impl io::Read, input: &mut Vec<u8>) -> bool {
    let mut chunk = [0; limits::READ_CHUNK];
    let Ok(count @ 1..) = socket.read(&mut chunk) else { return false };
    input.extend_from_slice(&chunk[..count]);
    take(server, client, input, count);
    true
}

/// Hands on what has arrived.
fn take(server: &mut Server, client: ClientKey, input: &mut Vec<u8>, fresh: usize) {
    let mut inbounds = [Inbound { client, bytes: input, fresh, since: server.state.stopwatch.now(), consumed: 0 }];
    server.turn(clock::now(), &mut inbounds);
    let [Inbound { consumed, .. }] = inbounds;
    input.drain(..consumed);
}

/// Sends all that the client has been answered.
fn send(server: &mut Server, client: ClientKey, socket: &mut impl io::Write) -> io::Result<()> {
    server.take_pending_writes();
    let Some(client) = server.state.clients.get_mut(client) else { return Ok(()) };
    client.flags.set(ClientFlags::PENDING_WRITE, false);
    while !client.output.is_empty() {
        let mut slices = [IoSlice::new(&[]); 1];
        let count = client.output.slices(&mut slices);
        let written = socket.write_vectored(&slices[..count])?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        client.output.advance(written);
    }
    Ok(())
}
