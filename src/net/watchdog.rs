//! The watchdog: it tells where the event loop is when one turn takes longer than `watchdog-period`.
//!
//! ```text
//! the loop: a turn begins, a turn ends            ─┐ (the time, or 0)
//! the watchdog's thread: looks every half period ◀─┘ too long? ─▶ SIGALRM to the loop's thread
//!                        names the frames, writes the log ◀── the handler notes its frames, and goes on
//! ```
//!
//! The handler may have interrupted anything, so it does nothing but walk its own stack into a fixed place. A turn that goes
//! on is reported again after each further period. Redis has a timer of the system send the signal, and the handler
//! write the log; that needs no thread, but can write only what a handler may.
//!
//! While the period is 0, the default, there is no thread and no handler, and a turn looks at one number.
#![allow(unsafe_code)]

use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use super::crash::{self, FRAMES};
use super::{logging, processors};
use crate::base::clock;

/// Milliseconds; 0 while the watchdog is off.
static PERIOD: AtomicU32 = AtomicU32::new(0);
/// When the turn began, in microseconds of the monotonic clock; 0 between turns.
static BEGAN: AtomicU64 = AtomicU64::new(0);
/// The loop's thread.
static LOOP: AtomicUsize = AtomicUsize::new(0);
static NOTED: AtomicBool = AtomicBool::new(false);
static TAKEN: [AtomicUsize; FRAMES] = [const { AtomicUsize::new(0) }; FRAMES];
/// The thread, once there is one.
static THREAD: Mutex<Option<Thread>> = Mutex::new(None);

/// Looks for the frames, a millisecond each, before it is given up.
const PATIENCE: u32 = 1000;

/// Does what `watchdog-period` says. To be called by the loop's thread.
pub fn configure(period: u32) {
    PERIOD.store(period, Ordering::Relaxed);
    let Ok(mut thread) = THREAD.lock() else { return };
    if period > 0 && thread.is_none() {
        LOOP.store(crash::this_thread(), Ordering::Relaxed);
        install();
        match thread::Builder::new().name("watchdog".into()).spawn(watch) {
            Ok(handle) => *thread = Some(handle.thread().clone()),
            Err(error) => log::warn!("The watchdog's thread cannot be started: {error}"),
        }
    }
    if let Some(thread) = &*thread {
        thread.unpark();
    }
}

/// A turn of the loop begins.
#[inline]
pub fn turn_begins() {
    if PERIOD.load(Ordering::Relaxed) > 0 {
        BEGAN.store(now(), Ordering::Relaxed);
    }
}

/// A turn of the loop ends.
#[inline]
pub fn turn_ends() {
    if PERIOD.load(Ordering::Relaxed) > 0 {
        BEGAN.store(0, Ordering::Relaxed);
    }
}

/// Never 0.
fn now() -> u64 {
    clock::now().monotonic.0.max(1)
}

fn install() {
    let handler: extern "C" fn(libc::c_int) = handle;
    // SAFETY: all zeros is a valid value of this plain C struct.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    // a call of the system that is interrupted goes on; the stack may be a script's, which is small
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: the pointers are to live structs; the handler does only what a handler may.
    if unsafe { libc::sigaction(libc::SIGALRM, &action, ptr::null_mut()) } != 0 {
        log::warn!("The watchdog cannot catch its signal: {}", std::io::Error::last_os_error());
    }
}

extern "C" fn handle(_: libc::c_int) {
    if crash::this_thread() == LOOP.load(Ordering::Relaxed) {
        crash::note_frames(&TAKEN);
        NOTED.store(true, Ordering::Release);
    }
}

/// What the thread does for as long as there is a process.
fn watch() {
    processors::pin_helper();
    let mut told = 0;
    loop {
        let period = u64::from(PERIOD.load(Ordering::Relaxed));
        if period == 0 {
            thread::park();
            continue;
        }
        thread::park_timeout(Duration::from_micros(period * 500));
        let (began, at) = (BEGAN.load(Ordering::Relaxed), now());
        if began > 0 && at.saturating_sub(began.max(told)) >= period * 1000 {
            report(at.saturating_sub(began));
            told = now();
        }
    }
}

fn report(micros: u64) {
    NOTED.store(false, Ordering::Relaxed);
    // SAFETY: the loop's thread lives as long as the process does.
    if unsafe { libc::pthread_kill(LOOP.load(Ordering::Relaxed) as libc::pthread_t, libc::SIGALRM) } != 0 {
        return;
    }
    let noted = (0..PATIENCE).any(|_| {
        thread::sleep(Duration::from_millis(1));
        NOTED.load(Ordering::Acquire)
    });
    // names take a while to be found
    let command = crash::current_command().map_or("none".to_string(), |(name, client)| format!("{name}, client id={client}"));
    let trace = if noted { crash::name_frames(&TAKEN) } else { "its thread does not answer: the system holds it\n".to_string() };
    logging::warn_aside(&format_args!(
        "\n--- WATCHDOG TIMER EXPIRED ---\nThe event loop has been in one turn for {} ms. The command that runs or ran last: {command}\n\n------ STACK TRACE ------\n{trace}--------\n",
        micros / 1000
    ));
}
