//! The end of the append-only file: one open file, what is still to be written to it, and how much of it is
//! on the disk.
//!
//! ```text
//!            append           write             sync
//! commands ─────────▶ buffer ───────▶ the file ──────▶ the disk
//!                            written           durable
//! ```
//!
//! - `always`: written and synced before the turn's replies leave, here, by the loop.
//! - `everysec`: written at the end of each turn; a [`Job`] for another thread syncs once a second. While
//!   that one is at work a write would wait for the same disk, so nothing is written, for two seconds at
//!   most; after that the loop waits rather than let memory grow (Redis's rule).
//! - `no`: written, and left to the kernel.
//!
//! The owner counts in offsets of the history, not in bytes of this file: each append comes with a mark, and
//! [`Marks`] says which of them has got how far.
//!
//! When another file follows, the end of the one before may still be on its way to the disk. Until it is there nothing
//! is written behind it, however long that takes: a machine that crashes must not leave a hole between the two.
//! Where there is no time to wait, the loop syncs the file before by itself.
//!
//! A write that fails is taken back by cutting the file, so that a part of a command is never followed by
//! another command; until that works nothing is written. What was to be written stays in the buffer and is
//! tried again.

use std::io;

use crate::config::AppendFsync;
use crate::persist::storage::WriteFile;

/// Seconds for which writes make way for a sync.
const PATIENCE: i64 = 2;

/// Which of the files that were open one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub u64);

/// No append-only file's.
const RECEIVED: Generation = Generation(u64::MAX);

/// Something that may take long, for another thread.
pub struct Job {
    file: Box<dyn WriteFile>,
    generation: Generation,
    /// How long the file was when the job was made; `None` if the file is only to be closed.
    length: Option<u64>,
    /// The owner's mark of what is in the file then.
    mark: u64,
    /// Whether nothing will be written to the file after this.
    last: bool,
}

/// A job's end.
#[derive(Debug)]
pub struct Done {
    pub(super) generation: Generation,
    pub(super) length: Option<u64>,
    pub(super) mark: u64,
    pub(super) last: bool,
    pub(super) result: io::Result<()>,
}

impl Done {
    /// Whether it was a snapshot from the primary, and what came of it.
    pub fn of_received(&self) -> Option<&io::Result<()>> {
        (self.generation == RECEIVED).then_some(&self.result)
    }
}

impl Job {
    /// A file that nobody needs any more is to be closed, which frees its space.
    pub fn close(file: Box<dyn WriteFile>) -> Job {
        Job { file, generation: Generation(0), length: None, mark: 0, last: true }
    }

    /// A snapshot from the primary is to be made durable.
    pub fn of_received(file: Box<dyn WriteFile>) -> Job {
        Job { file, generation: RECEIVED, length: Some(0), mark: 0, last: true }
    }

    /// Does it, and closes the job's handle.
    pub fn run(mut self) -> Done {
        let result = if self.length.is_some() { self.file.sync() } else { Ok(()) };
        Done { generation: self.generation, length: self.length, mark: self.mark, last: self.last, result }
    }
}

/// How to write now.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// The directive.
    pub sync: AppendFsync,
    /// Whether nothing is to be synced now: a child writes a file and the operator said so.
    pub hold_syncs: bool,
    /// Whether the file is written even while a sync is under way.
    pub forced: bool,
    /// The time in Unix seconds.
    pub now: i64,
}

/// What came of a flush.
#[derive(Default)]
pub struct Flushed {
    /// Bytes that were written.
    pub written: u64,
    /// Whether the file was written although a sync had been under way for long.
    pub impatient: bool,
    /// Why the buffer could not be written.
    pub write_error: Option<io::Error>,
    /// Why what was written could not be synced.
    pub sync_error: Option<io::Error>,
    /// A sync for another thread.
    pub job: Option<Job>,
}

/// The owner's own count of what is where: offsets in the history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Of all that was appended.
    pub appended: u64,
    /// Of what is in the file.
    pub written: u64,
    /// Of what is on the disk.
    pub durable: u64,
}

/// A file that is not written any more, on its way to the disk.
struct Predecessor {
    /// A handle of the loop's own, if there was one to be had.
    file: Option<Box<dyn WriteFile>>,
    generation: Generation,
    /// The mark of all that is in it.
    mark: u64,
}

/// The file that is appended to. See the module's essay.
pub struct Appender {
    file: Box<dyn WriteFile>,
    generation: Generation,
    buffer: Vec<u8>,
    written: u64,
    durable: u64,
    /// What that means to the owner.
    pub marks: Marks,
    /// Whether the file may hold more than `written` says.
    torn: bool,
    syncing: bool,
    /// The file before this one, while its last sync is not done.
    awaits: Option<Predecessor>,
    last_sync: i64,
    postponed_since: Option<i64>,
}

impl Appender {
    /// Appends to a file that holds so many bytes. What it holds counts as durable.
    pub fn new(file: Box<dyn WriteFile>, generation: Generation, length: u64, now: i64) -> Appender {
        Appender {
            file,
            generation,
            buffer: Vec::new(),
            written: length,
            durable: length,
            marks: Marks::default(),
            torn: false,
            syncing: false,
            awaits: None,
            last_sync: now,
            postponed_since: None,
        }
    }

    /// The buffer, to append to.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Bytes that wait to be written.
    pub fn unwritten(&self) -> usize {
        self.buffer.len()
    }

    /// Memory of the buffer.
    pub fn buffered(&self) -> usize {
        self.buffer.capacity()
    }

    /// Bytes in the file.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Whether everything appended so far is on the disk, in the file before this one as well.
    pub fn is_durable(&self) -> bool {
        self.buffer.is_empty() && self.durable == self.written && self.awaits.is_none()
    }

    /// Whether a sync is under way.
    pub fn is_syncing(&self) -> bool {
        self.syncing || self.awaits.is_some()
    }

    /// Which file it is.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Writes and syncs as the policy wants it.
    pub fn flush(&mut self, policy: &Policy) -> Flushed {
        let mut flushed = Flushed::default();
        if (policy.forced || policy.sync == AppendFsync::Always)
            && let Err(error) = self.settle_predecessor()
        {
            flushed.sync_error = Some(error);
            return flushed;
        }
        if !self.buffer.is_empty() && !self.makes_way(policy, &mut flushed) {
            self.write(&mut flushed);
        }
        let up_to_date = self.buffer.is_empty() && self.durable == self.written;
        if flushed.write_error.is_some() || up_to_date || policy.hold_syncs {
            return flushed;
        }
        match policy.sync {
            AppendFsync::Always => self.sync_here(policy.now, &mut flushed),
            AppendFsync::EverySecond if policy.now > self.last_sync && !self.is_syncing() && self.durable < self.written => {
                match self.job(false) {
                    Ok(job) => {
                        (self.syncing, self.last_sync) = (true, policy.now);
                        flushed.job = Some(job);
                    }
                    // no handle for the other thread: the loop does it
                    Err(_) => self.sync_here(policy.now, &mut flushed),
                }
            }
            AppendFsync::EverySecond | AppendFsync::Never => {}
        }
        flushed
    }

    /// Whether the buffer waits because a sync is under way.
    fn makes_way(&mut self, policy: &Policy, flushed: &mut Flushed) -> bool {
        if self.awaits.is_some() {
            return true;
        }
        if policy.sync != AppendFsync::EverySecond || policy.forced || !self.syncing {
            return false;
        }
        let since = *self.postponed_since.get_or_insert(policy.now);
        // a clock that was set back ends the wait
        let waits = (0..PATIENCE).contains(&policy.now.saturating_sub(since));
        flushed.impatient = !waits;
        waits
    }

    /// Sees to it that the file before this one is on the disk.
    fn settle_predecessor(&mut self) -> io::Result<()> {
        if let Some(before) = &mut self.awaits {
            let file = before.file.as_mut().ok_or_else(|| io::Error::other("the file before is still being synced"))?;
            file.sync()?;
            self.marks.durable = self.marks.durable.max(before.mark);
            self.awaits = None;
        }
        Ok(())
    }

    fn write(&mut self, flushed: &mut Flushed) {
        self.postponed_since = None;
        let written = self.mend().and_then(|()| self.file.write_all(&self.buffer));
        match written {
            Ok(()) => {
                flushed.written = self.buffer.len() as u64;
                self.written += flushed.written;
                self.marks.written = self.marks.appended;
                self.buffer.clear();
                if self.buffer.capacity() > crate::limits::SPARE_STREAM {
                    self.buffer = Vec::new();
                }
            }
            Err(error) => {
                flushed.write_error = Some(error);
                self.torn = true;
                // if it cannot be mended now, it is tried again before the next write
                let _ = self.mend();
            }
        }
    }

    /// Cuts off what a failed write has left.
    fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.truncate(self.written)?;
            self.torn = false;
        }
        Ok(())
    }

    /// Syncs at once.
    fn sync_here(&mut self, now: i64, flushed: &mut Flushed) {
        self.last_sync = now;
        match self.file.sync() {
            Ok(()) => (self.durable, self.marks.durable) = (self.written, self.marks.written),
            Err(error) => flushed.sync_error = Some(error),
        }
    }

    /// Writes and syncs everything, whatever it takes.
    pub fn finish(&mut self, policy: &Policy) -> io::Result<()> {
        let mut flushed = Flushed::default();
        self.settle_predecessor()?;
        if !self.buffer.is_empty() {
            self.write(&mut flushed);
        }
        if let Some(error) = flushed.write_error {
            return Err(error);
        }
        self.sync_here(policy.now, &mut flushed);
        flushed.sync_error.map_or(Ok(()), Err)
    }

    fn job(&self, last: bool) -> io::Result<Job> {
        let file = self.file.second()?;
        Ok(Job { file, generation: self.generation, length: Some(self.written), mark: self.marks.written, last })
    }

    /// Ends this file, of which all is written, and gives its last job. `next` takes its place; what is
    /// written there waits for that job.
    pub fn succeed(self, next: &mut Appender) -> Job {
        debug_assert!(self.buffer.is_empty(), "what is not written would be lost");
        next.marks = self.marks;
        if self.durable == self.written && !self.syncing {
            return Job::close(self.file);
        }
        next.awaits = Some(Predecessor { file: self.file.second().ok(), generation: self.generation, mark: self.marks.written });
        Job { file: self.file, generation: self.generation, length: Some(self.written), mark: self.marks.written, last: true }
    }

    /// A job has ended. Gives the error of a sync.
    pub fn done(&mut self, done: Done) -> Option<io::Error> {
        if done.last && self.awaits.as_ref().is_some_and(|before| before.generation == done.generation) {
            self.awaits = None;
            if done.result.is_ok() {
                self.marks.durable = self.marks.durable.max(done.mark);
            }
        }
        if done.generation == self.generation && !done.last {
            self.syncing = false;
            if done.result.is_ok() {
                self.durable = self.durable.max(done.length.unwrap_or(0));
                self.marks.durable = self.marks.durable.max(done.mark);
            }
        }
        done.result.err()
    }
}
