//! The report that a crash leaves in the log, in the form that Redis gives it and tools look for.
//!
//! ```text
//! signal ─▶ handler: notes signal, address, frames ─▶ wakes the reporter, waits ─▶ the signal once more, for good
//!                                     reporter: finds names, writes the log  ─┘ (a few seconds at most)
//! panic ──▶ hook: the report ─▶ abort, or exit(1) with `use-exit-on-panic`
//! ```
//!
//! A handler may do next to nothing: the thread may have been stopped within the allocator or the log. So it only
//! fills a fixed place and wakes a thread that has waited for this from the start, which may do everything; should
//! it get stuck on a lock that the crashed thread holds, the handler says the least itself and goes on. The frames are
//! taken on the stack that crashed, or on one of its own where that has overflowed.
//!
//! What INFO says was noted up to a second before: the data cannot be looked at in the midst of a change. Keys,
//! values and arguments are never written.
//!
//! A child that crashes has no reporter: the server tells of its end.
#![allow(unsafe_code)]

use std::backtrace::Backtrace;
use std::ffi::c_void;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::panic::PanicHookInfo;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::thread;

use crate::base::clock::Now;
use crate::command::server::info;
use crate::limits;
use crate::server::registry::Registry;
use crate::server::{Server, moment};

/// Signals that mean a bug: each is fatal.
const SIGNALS: [libc::c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT];
/// Frames of the stack that are noted.
pub(super) const FRAMES: usize = 64;
/// Bytes of the stack on which the handler runs.
const STACK: usize = 128 * 1024;

/// Whether `crash-log-enabled`.
static ENABLED: AtomicBool = AtomicBool::new(true);
/// Whether `use-exit-on-panic`.
static EXITS: AtomicBool = AtomicBool::new(false);
static PROCESS: AtomicU32 = AtomicU32::new(0);
/// Where the handler wakes the reporter, and where it waits for it.
static WAKE: AtomicI32 = AtomicI32::new(-1);
static BEGUN: AtomicBool = AtomicBool::new(false);
static SIGNAL: AtomicI32 = AtomicI32::new(0);
static CODE: AtomicI32 = AtomicI32::new(0);
static ADDRESS: AtomicUsize = AtomicUsize::new(0);
/// The thread that has crashed: its number in the system, and whether it is the main one.
static THREAD: AtomicI32 = AtomicI32::new(0);
static MAIN: AtomicUsize = AtomicUsize::new(0);
static TAKEN: [AtomicUsize; FRAMES] = [const { AtomicUsize::new(0) }; FRAMES];
/// What INFO said, and when, in microseconds since 1970.
static INFO: Mutex<String> = Mutex::new(String::new());
static NOTED: AtomicI64 = AtomicI64::new(0);
/// The commands' names, by their number.
static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Catches what means a crash. To be called by the main thread once the process is the one that serves.
pub fn catch(registry: &Registry) -> io::Result<()> {
    *NAMES.lock().map_err(|_| io::Error::other("a thread has panicked"))? = registry.iter().map(|(_, c)| c.full_name.clone()).collect();
    PROCESS.store(std::process::id(), Ordering::Relaxed);
    MAIN.store(this_thread(), Ordering::Relaxed);
    let (mut reporter, handler) = UnixStream::pair()?;
    thread::Builder::new().name("reporter".into()).spawn(move || {
        super::processors::pin_helper();
        if reporter.read_exact(&mut [0]).is_ok() {
            report_signal();
            // the handler goes on after a while without it
            let _ = reporter.write_all(&[0]);
        }
    })?;
    WAKE.store(handler.as_raw_fd(), Ordering::Release);
    // it is needed for as long as there is a process
    std::mem::forget(handler);
    own_stack()?;
    for signal in SIGNALS {
        install(signal)?;
    }
    std::panic::set_hook(Box::new(report_panic));
    Ok(())
}

/// Does what `crash-log-enabled` and `use-exit-on-panic` say.
pub fn configure(enabled: bool, exits: bool) {
    ENABLED.store(enabled, Ordering::Relaxed);
    EXITS.store(exits, Ordering::Relaxed);
}

/// Notes what INFO says, once a second.
pub fn note(server: &Server, now: Now) {
    let age = now.unix.0.saturating_sub(NOTED.load(Ordering::Relaxed));
    if (0..limits::CRASH_NOTE_MICROS).contains(&age) || !ENABLED.load(Ordering::Relaxed) {
        return;
    }
    if let Ok(mut info) = INFO.try_lock() {
        *info = info::by_default(&server.state, &server.keyspace);
        NOTED.store(now.unix.0, Ordering::Relaxed);
    }
}

/// Gives the handler a stack: the thread's own may be what has overflowed.
fn own_stack() -> io::Result<()> {
    let memory = Box::leak(vec![0u8; STACK].into_boxed_slice());
    let stack = libc::stack_t { ss_sp: memory.as_mut_ptr().cast(), ss_flags: 0, ss_size: memory.len() };
    // SAFETY: the memory is never freed, and nothing else uses it.
    if unsafe { libc::sigaltstack(&stack, ptr::null_mut()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn install(signal: libc::c_int) -> io::Result<()> {
    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut c_void) = handle;
    // SAFETY: all zeros is a valid value of this plain C struct.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the pointers are to live structs; the handler does only what a handler may.
    if unsafe { libc::sigaction(signal, &action, ptr::null_mut()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// What the signal does without a handler: it ends the process. It is pending until the handler returns.
fn die_of(signal: libc::c_int) {
    // SAFETY: both may be called by a handler.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

/// The handler. See the module's essay for what it must not do.
extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    // SAFETY: may be called by a handler.
    let process = unsafe { libc::getpid() };
    let own = u32::try_from(process).is_ok_and(|id| id == PROCESS.load(Ordering::Relaxed));
    if !own || !ENABLED.load(Ordering::Relaxed) {
        die_of(signal);
        return;
    }
    if BEGUN.swap(true, Ordering::SeqCst) {
        // the report itself has crashed, or two threads at once: the first of them ends the process
        if THREAD.load(Ordering::Relaxed) == thread_id() || signal != SIGNAL.load(Ordering::Relaxed) {
            die_of(signal);
            return;
        }
        loop {
            // SAFETY: may be called by a handler.
            unsafe { libc::pause() };
        }
    }
    SIGNAL.store(signal, Ordering::Relaxed);
    THREAD.store(thread_id(), Ordering::Relaxed);
    if !info.is_null() {
        // SAFETY: the kernel has filled it; the address is there for every signal, and means something for those of the processor.
        let (code, address) = unsafe { ((*info).si_code, (*info).si_addr()) };
        CODE.store(code, Ordering::Relaxed);
        ADDRESS.store(address as usize, Ordering::Relaxed);
    }
    take_frames();
    if !reported() {
        say_the_least(signal);
    }
    die_of(signal);
}

fn thread_id() -> i32 {
    #[cfg(target_os = "linux")]
    // SAFETY: a number of the calling thread.
    return unsafe { libc::gettid() };
    #[cfg(not(target_os = "linux"))]
    0
}

/// What tells threads of this process apart.
pub(super) fn this_thread() -> usize {
    // SAFETY: a number of the calling thread; may be called by a handler.
    unsafe { libc::pthread_self() as usize }
}

/// Notes the frames of the main thread. The stacks that others have for handlers are too small for that.
fn take_frames() {
    if this_thread() != MAIN.load(Ordering::Relaxed) {
        return;
    }
    note_frames(&TAKEN);
}

/// Notes the frames of the calling thread. May be called by a handler.
pub(super) fn note_frames(place: &[AtomicUsize; FRAMES]) {
    place.iter().for_each(|frame| frame.store(0, Ordering::Relaxed));
    let mut at = 0;
    // SAFETY: a stack is walked by its own thread, and what the walk reads of the program does not change.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            place[at].store(frame.ip() as usize, Ordering::Relaxed);
            at += 1;
            at < FRAMES
        });
    }
}

/// What is known of noted frames, a line each.
pub(super) fn name_frames(place: &[AtomicUsize; FRAMES]) -> String {
    let mut trace = String::new();
    for frame in place.iter().map(|frame| frame.load(Ordering::Relaxed)).take_while(|&frame| frame != 0) {
        name_frame(frame, &mut trace);
    }
    trace
}

/// The command that runs or ran last, and its client's number.
pub(super) fn current_command() -> Option<(String, u64)> {
    let (command, client) = moment::last()?;
    let names = NAMES.try_lock().ok()?;
    Some((names.get(usize::from(command.0)).map_or("?".to_string(), String::clone), client))
}

/// Lets the reporter write, and waits for it; `false` if it is stuck.
fn reported() -> bool {
    let descriptor: RawFd = WAKE.load(Ordering::Acquire);
    let mut answer = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    // SAFETY: both may be called by a handler; the pointers are to live values.
    unsafe {
        if libc::write(descriptor, [0u8].as_ptr().cast(), 1) != 1 {
            return false;
        }
        libc::poll(&mut answer, 1, limits::CRASH_REPORT_MILLIS) == 1
    }
}

/// Without a log, a lock or memory: the signal, and the frames as numbers, to standard error.
fn say_the_least(signal: libc::c_int) {
    say(b"\nRuddle crashed by signal: ");
    say_number(usize::try_from(signal).unwrap_or(0), 10);
    say(b"; the report could not be written. The stack, as addresses:\n");
    for frame in TAKEN.iter().map(|frame| frame.load(Ordering::Relaxed)).take_while(|&frame| frame != 0) {
        say(b"0x");
        say_number(frame, 16);
        say(b"\n");
    }
}

fn say(bytes: &[u8]) {
    // SAFETY: may be called by a handler; the bytes are alive. There is nobody to tell of a failure.
    let _ = unsafe { libc::write(2, bytes.as_ptr().cast(), bytes.len()) };
}

fn say_number(mut number: usize, base: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while number > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b"0123456789abcdef"[number % base];
        number /= base;
    }
    say(&digits[at..]);
}

/// What the reporter writes of a signal.
fn report_signal() {
    let signal = SIGNAL.load(Ordering::Relaxed);
    log::warn!("\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===");
    log::warn!("Ruddle {} crashed by signal: {signal}, si_code: {}", env!("CARGO_PKG_VERSION"), CODE.load(Ordering::Relaxed));
    if signal == libc::SIGABRT {
        log::warn!("Somebody has sent it, or the C library found its memory damaged.");
    } else {
        log::warn!("Accessing address: {:#x}", ADDRESS.load(Ordering::Relaxed));
    }
    let id = THREAD.load(Ordering::Relaxed);
    let name = fs::read_to_string(format!("/proc/self/task/{id}/comm")).unwrap_or_default();
    let mut trace = format!("thread {id} {}\n", name.trim_end());
    if TAKEN[0].load(Ordering::Relaxed) == 0 {
        trace.push_str("a helper thread, whose frames are not noted\n");
    }
    trace.push_str(&name_frames(&TAKEN));
    log::warn!("\n------ STACK TRACE ------\n{trace}------ STACK TRACE DONE ------");
    report_rest();
}

/// Adds what is known of a frame: the function and, with debug information, the line.
fn name_frame(frame: usize, trace: &mut String) {
    let mut known = false;
    backtrace::resolve(ptr::with_exposed_provenance_mut(frame), |symbol| {
        let name = symbol.name().map(|name| format!("{name:#}")).unwrap_or_default();
        let place = symbol.filename().zip(symbol.lineno()).map(|(file, line)| format!(" at {}:{line}", file.display()));
        trace.push_str(&format!("{name}{} [{frame:#x}]\n", place.unwrap_or_default()));
        known = true;
    });
    if !known {
        trace.push_str(&format!("[{frame:#x}]\n"));
    }
}

/// A thread has panicked: a bug, and the end.
fn report_panic(info: &PanicHookInfo<'_>) {
    let text = info.payload();
    let text = text.downcast_ref::<&str>().copied().or(text.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic");
    let place = info.location().map_or(String::new(), |place| format!("{}:{}", place.file(), place.line()));
    let own = std::process::id() == PROCESS.load(Ordering::Relaxed);
    if ENABLED.load(Ordering::Relaxed) && own && !BEGUN.swap(true, Ordering::SeqCst) {
        log::warn!("\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===");
        log::warn!("=== ASSERTION FAILED ===");
        log::warn!("==> {place} '{text}'");
        let thread = thread::current().name().unwrap_or("").to_string();
        log::warn!("\n------ STACK TRACE ------\nthread {thread}\n{}------ STACK TRACE DONE ------", Backtrace::force_capture());
        report_rest();
    } else {
        log::warn!("=== ASSERTION FAILED ===");
        log::warn!("==> {place} '{text}'");
    }
    if EXITS.load(Ordering::Relaxed) {
        std::process::exit(1);
    }
    // the handler would tell it all once more
    die_of(libc::SIGABRT);
    std::process::abort();
}

/// What every report ends with.
fn report_rest() {
    match INFO.try_lock() {
        Ok(info) if !info.is_empty() => log::warn!("\n------ INFO OUTPUT ------\n{}", info.replace('\r', "")),
        _ => log::warn!("\n------ INFO OUTPUT ------\nnone was noted yet"),
    }
    let current = match current_command() {
        Some((name, client)) => format!("the command that runs or ran last: {name}\nof the client: id={client}"),
        None => "no command has run".to_string(),
    };
    log::warn!("\n------ CURRENT CLIENT INFO ------\n{current}");
    log::warn!(
        "\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n\n       This is a bug of Ruddle {}, or of the machine's memory: please report it with all lines from START on,\n       the command that led here if it can be told, and what was done last. The files are as the crash has left\n       them: start the server again to load them.\n",
        env!("CARGO_PKG_VERSION")
    );
}
