//! A thread that drops what takes long to drop. It is handed owned values and sees nothing else.

use std::sync::mpsc::{Sender, channel};
use std::thread;

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
            for garbage in receiver {
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
