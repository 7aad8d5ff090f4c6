//! A thread that drops what takes long to drop. It is handed owned values and sees nothing else. When it has
//! nothing to drop it gives freed memory back to the system. It yields to the loop: where both must share one
//! processor, a thread of equal rank that drops ten million keys would hold the loop for as long.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use super::backlog::Region;
use super::process;
use crate::base::memory;
use crate::keyspace::effects::{Garbage, Waste};

/// The way to the thread.
pub struct Disposal {
    sender: Sender<Unwanted>,
}

/// What it is handed.
enum Unwanted {
    Data(Garbage),
    Input(Region),
}

impl Disposal {
    /// Starts the thread.
    pub fn start() -> std::io::Result<Disposal> {
        let (sender, receiver) = channel::<Unwanted>();
        thread::Builder::new().name("disposal".into()).spawn(move || {
            super::processors::pin_helper();
            process::yield_to_others();
            let mut published = 0;
            loop {
                let Garbage { waste, mut leaving } = match receiver.recv_timeout(Duration::from_secs(1)) {
                    Ok(Unwanted::Data(garbage)) => garbage,
                    Ok(Unwanted::Input(region)) => {
                        drop(region);
                        continue;
                    }
                    Err(RecvTimeoutError::Timeout) => {
                        memory::give_back();
                        continue;
                    }
                    Err(RecvTimeoutError::Disconnected) => return,
                };
                match waste {
                    // in slices, so that the memory in use sinks as it is given back
                    Waste::Keys(mut table) => {
                        while let Some(blocks) = table.drain_segment() {
                            drop(blocks);
                            leaving.gone(memory::publish(&mut published));
                        }
                    }
                    Waste::Value(value) => drop(value),
                }
                memory::publish(&mut published);
                // what it takes no more was counted before it leaves the account: nobody sees it twice
                drop(leaving);
            }
        })?;
        Ok(Disposal { sender })
    }

    /// Takes values and keys.
    pub fn take(&self, garbage: Garbage) {
        // should the thread be gone, it is dropped here
        let _ = self.sender.send(Unwanted::Data(garbage));
    }

    /// Takes what a long input was kept in, if it was.
    pub fn take_input(&self, region: Option<Region>) {
        if let Some(region) = region {
            let _ = self.sender.send(Unwanted::Input(region));
        }
    }
}
