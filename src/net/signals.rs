//! SIGTERM and SIGINT, and SIGHUP that is ignored.
//!
//! A thread takes the signals and tells the reactor, a byte each through a socket that is polled. It is a thread
//! because the loop may be writing the last snapshot for minutes: whoever sends SIGINT once more wants no snapshot,
//! and gets an end at once that leaves no draft behind.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use mio::net::UnixStream;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::persist::snapshot::draft;

/// The signals that stop the server.
pub struct Signals {
    pipe: UnixStream,
    /// Whether a stop was asked for.
    asked: Arc<AtomicBool>,
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
        let (pipe, mut reactor) = UnixStream::pair()?;
        let asked = Arc::new(AtomicBool::new(false));
        let known = Arc::clone(&asked);
        let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        thread::Builder::new().name("signals".into()).spawn(move || {
            super::processors::pin_helper();
            for signal in signals.forever() {
                // the end of a terminal session is no reason to stop
                if signal == SIGHUP {
                    continue;
                }
                if known.swap(true, Ordering::SeqCst) && signal == SIGINT {
                    insist();
                }
                // a full pipe tells the reactor enough
                let _ = reactor.write(if signal == SIGINT { b"I" } else { b"T" });
            }
        })?;
        Ok(Signals { pipe, asked })
    }

    /// What to poll.
    pub fn source(&mut self) -> &mut UnixStream {
        &mut self.pipe
    }

    /// The server goes on: the next signal is a first one.
    pub fn forgive(&self) {
        self.asked.store(false, Ordering::SeqCst);
    }

    /// The signal that arrived last, if one did.
    pub fn take(&mut self) -> Option<Signal> {
        let (mut bytes, mut last) = ([0; 16], None);
        while let Ok(count) = self.pipe.read(&mut bytes) {
            last = bytes[..count].last().copied().or(last);
            if count < bytes.len() {
                break;
            }
        }
        last.map(|byte| if byte == b'I' { Signal::Interrupt } else { Signal::Terminate })
    }
}

/// The operator will not wait.
fn insist() -> ! {
    log::warn!("You insist... exiting now.");
    // there may be none
    let _ = std::fs::remove_file(draft(std::process::id()));
    std::process::exit(1);
}
