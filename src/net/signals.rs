//! SIGTERM and SIGINT, and SIGHUP that is ignored: a byte in a pipe that the reactor polls.

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use mio::net::UnixStream;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The signals that stop the server.
pub struct Signals {
    pipe: UnixStream,
    last: Arc<AtomicUsize>,
}

/// A signal that asked for the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
}

impl Signals {
    /// Catches the signals.
    pub fn catch() -> io::Result<Signals> {
        let (pipe, other) = UnixStream::pair()?;
        let other: OwnedFd = other.into();
        let last = Arc::new(AtomicUsize::new(0));
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register_usize(signal, Arc::clone(&last), usize::try_from(signal).expect("positive"))?;
            signal_hook::low_level::pipe::register(signal, other.try_clone()?)?;
        }
        // the end of a terminal session is no reason to stop
        signal_hook::flag::register(SIGHUP, Arc::new(AtomicBool::new(false)))?;
        Ok(Signals { pipe, last })
    }

    /// What to poll.
    pub fn source(&mut self) -> &mut UnixStream {
        &mut self.pipe
    }

    /// The signal that arrived, if one did.
    pub fn take(&mut self) -> Option<Signal> {
        let mut bytes = [0; 16];
        while self.pipe.read(&mut bytes).is_ok_and(|count| count == bytes.len()) {}
        match i32::try_from(self.last.swap(0, Ordering::SeqCst)).expect("a signal's number") {
            SIGINT => Some(Signal::Interrupt),
            SIGTERM => Some(Signal::Terminate),
            _ => None,
        }
    }
}
