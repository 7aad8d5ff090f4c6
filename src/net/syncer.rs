//! A thread for what the kernel makes wait: syncing the append-only file and closing files that were removed.
//!
//! It is handed file handles, one job after the other, and sees nothing else; the reactor is woken when one
//! is done.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mio::Waker;

use crate::persist::aof::appender::{Done, Job};

/// The way to the thread and back.
pub struct Syncer {
    jobs: Sender<Job>,
    done: Receiver<Done>,
}

impl Syncer {
    /// Starts the thread; it wakes the poll when a job is done.
    pub fn start(waker: Arc<Waker>) -> io::Result<Syncer> {
        let (jobs, waiting) = channel::<Job>();
        let (tell, done) = channel();
        thread::Builder::new().name("syncer".into()).spawn(move || {
            super::processors::pin_helper();
            for job in waiting {
                if tell.send(job.run()).is_err() {
                    return;
                }
                // should it fail, the next tick finds the message
                let _ = waker.wake();
            }
        })?;
        Ok(Syncer { jobs, done })
    }

    /// Hands a job over. Should the thread be gone, it is done here.
    pub fn take(&self, job: Job) -> Option<Done> {
        self.jobs.send(job).err().map(|refused| refused.0.run())
    }

    /// A job that is done.
    pub fn done(&self) -> Option<Done> {
        self.done.try_recv().ok()
    }
}
