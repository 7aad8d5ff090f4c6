//! A thread that drops what takes long to drop. It is handed owned values and sees nothing else. When it has
//! nothing to drop it gives freed memory back to the system.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::base::memory;
use crate::keyspace::effects::Garbage;

/// The way to the thread.
pub struct Disposal {
    sender: Sender<Garbage>,
}

impl Disposal {
    /// Starts the thread.
    pub fn start() -> std::io::Result<Disposal> {
        let (sender, receiver) = channel::<Garbage>();
        thread::Builder::new().name("disposal".into()).spawn(move || {
            let mut published = 0;
            loop {
                let garbage = match receiver.recv_timeout(Duration::from_secs(1)) {
                    Ok(garbage) => garbage,
                    Err(RecvTimeoutError::Timeout) => {
                        memory::give_back();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                };
                match garbage {
                    // in slices, so that the memory in use sinks as it is given back
                    Garbage::Keys(mut table) => {
                        while let Some(blocks) = table.drain_segment() {
                            drop(blocks);
                            memory::publish(&mut published);
                        }
                    }
                    other => drop(other),
                }
                memory::publish(&mut published);
            }
        })?;
        Ok(Disposal { sender })
    }

    /// Hands something over.
    pub fn take(&self, garbage: Garbage) {
        // should the thread be gone, it is dropped here
        let _ = self.sender.send(garbage);
    }
}
