//! The one fork: a child process that works on the data as it is at this moment, while the server goes on.
//!
//! A child shares all memory pages until one side writes to them. It runs one closure and ends: it returns
//! to no caller and drops nothing of the parent's. How far it is goes through a pipe, a [`Pulse`] at a time
//! (keys done, bytes of memory that it made its own); whether it succeeded is its exit code, and why not is
//! in the log, which it may use: only the thread that forks ever writes there. One that works for
//! others than the disk [sends](Child::sending) through a second pipe, whose other end is read without waiting.
//! It closes every descriptor it has inherited but the three standard ones and its pipes, so that a connection that
//! the server closes is closed; it dies with the server where the system can see to that (Linux), and at its next
//! word into the pipe elsewhere.
//!
//! Tests and simulations have no processes: there a child is [inline](Spawn::Inline), its work done at once
//! and its end told at the next look.
#![allow(unsafe_code)]

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex};

use super::storage::{ReadFile, WriteFile};
use crate::base::clock::Monotonic;

/// Where children come from.
#[derive(Clone, Copy, Debug, Default)]
pub enum Spawn {
    /// They are processes. What each does first.
    Fork(fn(Errand)),
    /// Their work is done by the caller, at once.
    #[default]
    Inline,
}

/// What a child is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// It writes a snapshot into a file.
    Snapshot,
    /// It sends one to replicas.
    Transfer,
    /// It writes the base of the append-only file.
    Rewrite,
    /// It debugs a script.
    Debugging,
}

/// How far a child is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Keys that it has written.
    pub keys: u64,
    /// Bytes of memory that it or the server had to copy because of it.
    pub copied: u64,
    /// The most there were of these.
    pub most_copied: u64,
    /// How often they were counted.
    pub counts: u64,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With its work done.
    Done,
    /// With an exit code.
    Failed(i32),
    /// By a signal.
    Killed(i32),
}

/// A child that was started and whose end was not told yet.
pub struct Child {
    pid: u32,
    kind: Kind,
    pulse: Pulse,
    counted_at: Option<Monotonic>,
}

enum Kind {
    Process(PipeReader),
    Inline(End),
}

/// What a child tells its parent through.
pub struct Voice {
    pipe: Option<PipeWriter>,
    /// What it has said.
    last: Pulse,
    /// At how many keys memory is counted again.
    next_count: u64,
}

/// Words of a [`Pulse`] on its way.
const WORDS: usize = 4;
/// Keys between two counts of a child's memory, at least; and into how many parts the counts divide its keys.
const COUNT_EVERY: u64 = 16 * 1024;
const COUNT_SHARE: u64 = 3;

impl Voice {
    fn new(pipe: Option<PipeWriter>) -> Voice {
        Voice { pipe, last: Pulse::default(), next_count: 0 }
    }

    /// Tells how many keys are done, and what memory that took as of some moments ago.
    pub fn say_keys(&mut self, keys: u64) {
        self.last.keys = keys;
        if self.is_heard() && keys >= self.next_count {
            self.count_memory();
        }
        self.say();
    }

    /// The last word: what memory was copied in all. Gives it.
    pub fn say_memory(&mut self) -> u64 {
        if self.is_heard() {
            self.count_memory();
            self.say();
        }
        self.last.copied
    }

    fn count_memory(&mut self) {
        self.last.copied = copied_memory();
        self.last.most_copied = self.last.most_copied.max(self.last.copied);
        self.last.counts += 1;
        // rarer and rarer, as it takes longer the more there is
        self.next_count = self.last.keys + (self.last.keys / COUNT_SHARE).max(COUNT_EVERY);
    }

    /// Tells how far it is. A child whose parent is gone ends here.
    fn say(&mut self) {
        let pulse = self.last;
        let Some(pipe) = &mut self.pipe else { return };
        let mut words = [0; 8 * WORDS];
        let all = [pulse.keys, pulse.copied, pulse.most_copied, pulse.counts];
        words.chunks_exact_mut(8).zip(all).for_each(|(word, value)| word.copy_from_slice(&value.to_le_bytes()));
        if pipe.write_all(&words).is_err() {
            // SAFETY: ends this child, in which nothing is to be cleaned up.
            unsafe { libc::_exit(1) }
        }
    }

    /// Whether anybody listens while the work goes on.
    pub fn is_heard(&self) -> bool {
        self.pipe.is_some()
    }
}

/// The end of a pipe that a child sends through; written by nobody else.
struct Mouth(PipeWriter);

impl WriteFile for Mouth {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        Write::write_all(&mut self.0, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn second(&self) -> io::Result<Box<dyn WriteFile>> {
        Ok(Box::new(Mouth(self.0.try_clone()?)))
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

/// What an inline child sends is gathered.
#[derive(Clone, Default)]
struct Gathered(Arc<Mutex<Vec<u8>>>);

impl WriteFile for Gathered {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().expect("nobody panics while holding it").extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn second(&self) -> io::Result<Box<dyn WriteFile>> {
        Ok(Box::new(self.clone()))
    }

    fn truncate(&mut self, _: u64) -> io::Result<()> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

/// What a child sends. Reading does not wait: [`io::ErrorKind::WouldBlock`] says that nothing is there yet, and 0 bytes
/// that the child has closed its end.
pub enum Payload {
    /// From a process.
    Pipe(PipeReader),
    /// From an inline child: all of it, and how much was read.
    Memory(Vec<u8>, usize),
}

impl Payload {
    /// What the poll is to watch, if this comes from a process.
    pub fn descriptor(&self) -> Option<RawFd> {
        match self {
            Payload::Pipe(pipe) => Some(pipe.as_raw_fd()),
            Payload::Memory(..) => None,
        }
    }
}

impl ReadFile for Payload {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Payload::Pipe(pipe) => pipe.read(bytes),
            Payload::Memory(all, at) => {
                let count = bytes.len().min(all.len() - *at);
                bytes[..count].copy_from_slice(&all[*at..*at + count]);
                *at += count;
                Ok(count)
            }
        }
    }

    fn length(&self) -> io::Result<u64> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

impl Child {
    /// Starts a child that does `work`, which says whether it succeeded.
    pub fn start(spawn: Spawn, errand: Errand, work: impl FnOnce(&mut Voice) -> bool) -> io::Result<Child> {
        match spawn {
            Spawn::Inline => Ok(Child::inline(work)),
            Spawn::Fork(begin) => Child::fork(None, |voice, _| {
                begin(errand);
                work(voice)
            }),
        }
    }

    /// Starts a child that does `work` and sends what it writes.
    pub fn sending(
        spawn: Spawn,
        errand: Errand,
        work: impl FnOnce(&mut Voice, &mut dyn WriteFile) -> bool,
    ) -> io::Result<(Child, Payload)> {
        let Spawn::Fork(begin) = spawn else {
            let mut gathered = Gathered::default();
            let child = Child::inline(|voice| work(voice, &mut gathered));
            let bytes = std::mem::take(&mut *gathered.0.lock().expect("nobody panics while holding it"));
            return Ok((child, Payload::Memory(bytes, 0)));
        };
        let (reader, writer) = io::pipe()?;
        set_nonblocking(&reader)?;
        widen(&reader);
        let child = Child::fork(Some(writer), |voice, mouth| {
            begin(errand);
            work(voice, &mut Mouth(mouth.expect("it was given one")))
        })?;
        Ok((child, Payload::Pipe(reader)))
    }

    /// Starts a child that does `work` on a stream of ours, which only it uses from then on, and which waits in it. There is
    /// none where children are no processes.
    pub fn with_descriptor(spawn: Spawn, errand: Errand, stream: BorrowedFd<'_>, work: impl FnOnce(File) -> bool) -> io::Result<Child> {
        let Spawn::Fork(begin) = spawn else { return Err(io::ErrorKind::Unsupported.into()) };
        // in the place of what a child sends through
        let stream = PipeWriter::from(stream.try_clone_to_owned()?);
        Child::fork(Some(stream), |_, stream| {
            begin(errand);
            let stream = stream.expect("it was given one");
            // SAFETY: the descriptor is open; no memory is involved. The other process that shares it closes it.
            unsafe {
                let flags = libc::fcntl(stream.as_raw_fd(), libc::F_GETFL);
                libc::fcntl(stream.as_raw_fd(), libc::F_SETFL, flags & !libc::O_NONBLOCK);
            }
            work(File::from(OwnedFd::from(stream)))
        })
    }

    fn inline(work: impl FnOnce(&mut Voice) -> bool) -> Child {
        let mut voice = Voice::new(None);
        let end = if work(&mut voice) { End::Done } else { End::Failed(1) };
        Child { pid: std::process::id(), kind: Kind::Inline(end), pulse: voice.last, counted_at: None }
    }

    fn fork(mouth: Option<PipeWriter>, work: impl FnOnce(&mut Voice, Option<PipeWriter>) -> bool) -> io::Result<Child> {
        let (reader, writer) = io::pipe()?;
        set_nonblocking(&reader)?;
        let parent = std::process::id();
        // SAFETY: the child runs on a copy of this thread alone. The allocator, the one thing that other threads
        // may have held, restores its locks by itself; the child takes no other lock that another thread holds.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => run_child(parent, writer, mouth, work),
            pid => {
                let pid = u32::try_from(pid).expect("a child's number is positive");
                Ok(Child { pid, kind: Kind::Process(reader), pulse: Pulse::default(), counted_at: None })
            }
        }
    }

    /// Its process number; an inline child's is the server's own.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The same, if it is a process.
    pub fn process(&self) -> Option<u32> {
        matches!(self.kind, Kind::Process(_)).then_some(self.pid)
    }

    /// How far it is, by the last word that was [listened](Child::listen) to.
    pub fn pulse(&self) -> Pulse {
        self.pulse
    }

    /// Takes in what it has said, now.
    pub fn listen(&mut self, now: Monotonic) {
        let counts = self.pulse.counts;
        self.take_words();
        if self.pulse.counts != counts {
            self.counted_at = Some(now);
        }
    }

    /// How many seconds ago its memory was counted.
    pub fn memory_age(&self, now: Monotonic) -> u64 {
        self.counted_at.map_or(0, |at| now.micros_since(at) / 1_000_000)
    }

    fn take_words(&mut self) {
        if let Kind::Process(pipe) = &mut self.kind {
            let mut words = [0; 8 * WORDS];
            // a word is written as a whole, so it is there as a whole or not at all
            while pipe.read(&mut words).is_ok_and(|count| count == words.len()) {
                let word = |at: usize| u64::from_le_bytes(words[8 * at..8 * at + 8].try_into().expect("eight bytes"));
                self.pulse = Pulse { keys: word(0), copied: word(1), most_copied: word(2), counts: word(3) };
            }
        }
    }

    /// Whether it has ended, and how; does not wait. To be asked no more once it has told.
    pub fn poll(&mut self) -> Option<End> {
        self.wait(libc::WNOHANG)
    }

    /// Ends it by force and waits until it is gone.
    pub fn kill(&mut self) {
        if let Kind::Process(_) = self.kind {
            // SAFETY: the child was not waited for yet, so the number is still its own.
            unsafe { libc::kill(self.raw_pid(), libc::SIGKILL) };
            self.wait(0);
        }
    }

    fn raw_pid(&self) -> libc::pid_t {
        libc::pid_t::try_from(self.pid).expect("it came from a pid_t")
    }

    fn wait(&mut self, how: libc::c_int) -> Option<End> {
        if let Kind::Inline(end) = self.kind {
            return Some(end);
        }
        self.take_words();
        let mut status = 0;
        loop {
            // SAFETY: the pointer is to a live integer.
            let waited = unsafe { libc::waitpid(self.raw_pid(), &mut status, how) };
            if waited == 0 {
                return None;
            }
            if waited == -1 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted {
                continue;
            }
            if waited == -1 {
                return Some(End::Failed(-1));
            }
            self.take_words();
            return Some(if libc::WIFSIGNALED(status) {
                End::Killed(libc::WTERMSIG(status))
            } else if libc::WEXITSTATUS(status) == 0 {
                End::Done
            } else {
                End::Failed(libc::WEXITSTATUS(status))
            });
        }
    }
}

fn set_nonblocking(pipe: &PipeReader) -> io::Result<()> {
    // SAFETY: the descriptor is open.
    let flags = unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_GETFL) };
    // SAFETY: as above.
    if flags == -1 || unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Asks for a pipe that holds more than the usual 64 KB: the child waits less often.
fn widen(pipe: &PipeReader) {
    #[cfg(target_os = "linux")]
    // SAFETY: the descriptor is open; no memory is involved. Refused, the pipe is as it was.
    unsafe {
        libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, WIDE_PIPE);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = pipe;
}

/// Bytes that the pipe of a sending child may hold.
#[cfg(target_os = "linux")]
const WIDE_PIPE: libc::c_int = 1 << 20;

fn run_child(parent: u32, writer: PipeWriter, mouth: Option<PipeWriter>, work: impl FnOnce(&mut Voice, Option<PipeWriter>) -> bool) -> ! {
    die_with(parent);
    // SAFETY: sets how this process takes two signals; an interrupt from the keyboard is for the server.
    unsafe {
        libc::signal(libc::SIGTERM, libc::SIG_DFL);
        libc::signal(libc::SIGINT, libc::SIG_IGN);
    }
    let (pipe, mouth) = keep_only(writer, mouth);
    let mut voice = Voice::new(Some(pipe));
    let done = work(&mut voice, mouth);
    // SAFETY: ends the child without running what belongs to the parent.
    unsafe { libc::_exit(i32::from(!done)) }
}

/// Sees to it that this process does not outlive the one that made it.
fn die_with(parent: u32) {
    #[cfg(target_os = "linux")]
    // SAFETY: asks for a signal; no memory is involved.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
    // it may have gone before the call
    if std::os::unix::process::parent_id() != parent {
        // SAFETY: ends the child.
        unsafe { libc::_exit(1) }
    }
}

/// The descriptors that a child keeps besides the standard ones.
const PIPE: libc::c_int = 3;
const MOUTH: libc::c_int = 4;

/// Closes every other descriptor.
fn keep_only(writer: PipeWriter, mouth: Option<PipeWriter>) -> (PipeWriter, Option<PipeWriter>) {
    let sends = mouth.is_some();
    // out of the way first: either may have the other's place
    let writer = above(writer.into_raw_fd());
    let mouth = mouth.map(|mouth| above(mouth.into_raw_fd()));
    // SAFETY: whatever had these descriptors is not used again in this process, which drops nothing.
    unsafe {
        if libc::dup2(writer, PIPE) == -1 || mouth.is_some_and(|mouth| libc::dup2(mouth, MOUTH) == -1) {
            libc::_exit(1);
        }
        close_from(if sends { MOUTH + 1 } else { PIPE + 1 });
        (PipeWriter::from_raw_fd(PIPE), sends.then(|| PipeWriter::from_raw_fd(MOUTH)))
    }
}

/// Another number for a descriptor, above those that are kept.
fn above(descriptor: RawFd) -> RawFd {
    // SAFETY: the descriptor is open; no memory is involved.
    let other = unsafe { libc::fcntl(descriptor, libc::F_DUPFD, MOUTH + 1) };
    if other == -1 {
        // SAFETY: ends this child.
        unsafe { libc::_exit(1) }
    }
    other
}

/// Closes all descriptors from one on.
///
/// # Safety
/// Nothing that owns one of them is used afterwards.
unsafe fn close_from(first: libc::c_int) {
    #[cfg(target_os = "linux")]
    // SAFETY: the caller's promise; the call takes three numbers.
    if unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) } == 0 {
        return;
    }
    // SAFETY: asks for a number.
    let most = unsafe { libc::sysconf(libc::_SC_OPEN_MAX) };
    for descriptor in first..libc::c_int::try_from(most).unwrap_or(1 << 20).min(1 << 20) {
        // SAFETY: the caller's promise; closing what is not open does nothing.
        unsafe { libc::close(descriptor) };
    }
}

/// Whether there is a process of that number that may still do something.
pub fn is_alive(pid: u32) -> bool {
    // one that has ended, and that nobody has asked how, is there only by name
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    if state.is_some_and(|text| text.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))) {
        return false;
    }
    let Ok(pid) = libc::pid_t::try_from(pid) else { return false };
    // SAFETY: signal 0 is sent to nobody; the call only tells whether it could be.
    let reached = unsafe { libc::kill(pid, 0) } == 0;
    pid > 0 && (reached || io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH))
}

/// Bytes of memory that this process does not share with its parent any more.
pub fn copied_memory() -> u64 {
    let map = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = map.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inline_child_is_done_at_once() {
        let mut done = 0;
        let mut child = Child::start(Spawn::Inline, Errand::Snapshot, |voice| {
            voice.say_keys(3);
            done += 1;
            false
        })
        .expect("no process is needed");
        assert_eq!(child.pulse().keys, 3);
        assert_eq!(child.poll(), Some(End::Failed(1)));
        assert_eq!(done, 1);
    }
}
