//! What a Unix process owes its system: descriptors, a pid file, going to the background.
#![allow(unsafe_code)]

use std::fs;
use std::io;
use std::io::Write;

use super::{huge_pages, processors, title};
use crate::base::random;
use crate::base::text::reason;
use crate::config::Config;
use crate::persist::child::Errand;
use crate::server::host::{Crash, Host, Usage};

/// Descriptors that the server needs beside its clients': listeners, files, the poll.
const SPARE_DESCRIPTORS: u64 = 32;

/// Raises the limit of open files so that `maxclients` fit; gives how many clients do fit.
pub fn raise_descriptor_limit(maxclients: u32) -> u32 {
    let wanted = u64::from(maxclients) + SPARE_DESCRIPTORS;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a live struct.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 || limit.rlim_cur >= wanted {
        return maxclients;
    }
    let raised = libc::rlimit { rlim_cur: wanted, rlim_max: limit.rlim_max.max(wanted) };
    // SAFETY: as above.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raised) } == 0 {
        return maxclients;
    }
    let most = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
    // SAFETY: as above.
    let open = if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &most) } == 0 { most.rlim_cur } else { limit.rlim_cur };
    let fits = u32::try_from(open.saturating_sub(SPARE_DESCRIPTORS)).unwrap_or(u32::MAX).min(maxclients).max(1);
    if fits < maxclients {
        log::warn!("The limit of {open} open files is too low for maxclients {maxclients}: it is {fits} now. Raise 'ulimit -n'.");
    }
    fits
}

/// Goes to the background: the parent ends, standard input and output go to /dev/null.
#[allow(deprecated)]
pub fn daemonize() -> io::Result<()> {
    // SAFETY: called before any thread is started.
    if unsafe { libc::daemon(1, 0) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The number of a group.
pub fn group_id(name: &str) -> io::Result<u32> {
    let unknown = || io::Error::new(io::ErrorKind::NotFound, format!("no group '{name}'"));
    let name = std::ffi::CString::new(name).map_err(|_| unknown())?;
    // SAFETY: the pointer is to a live string; only the thread that starts the server calls this.
    let group = unsafe { libc::getgrnam(name.as_ptr()) };
    // SAFETY: not null, it points to a record that stays until the next call.
    if group.is_null() { Err(unknown()) } else { Ok(unsafe { (*group).gr_gid }) }
}

/// Ranks the calling thread below the others of the process: ordinary scheduling, whatever the process was
/// started with, and a lower priority. A system that refuses leaves it as it is.
pub fn yield_to_others() {
    #[cfg(target_os = "linux")]
    // SAFETY: both calls concern the calling thread alone and read what they are given.
    unsafe {
        let ordinary: libc::sched_param = std::mem::zeroed();
        libc::sched_setscheduler(0, libc::SCHED_BATCH, &ordinary);
        libc::setpriority(libc::PRIO_PROCESS, 0, libc::getpriority(libc::PRIO_PROCESS, 0) + 10);
    }
}

/// A file that may not grow any more (`ulimit -f`) fails a write instead of ending the process.
pub fn survive_file_limits() {
    // SAFETY: ignores a signal.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// What a child does first: it shows what it is for, and goes where its kind runs.
pub fn begin_child(errand: Errand) {
    title::name_child(errand);
    processors::pin_child(errand);
}

/// Writes the pid file, if one is configured or the server is in the background. Gives its path.
pub fn write_pid_file(config: &Config) -> Option<String> {
    let path = match (&*config.pidfile, config.daemonize) {
        ("", false) => return None,
        ("", true) => "/var/run/redis.pid",
        (path, _) => path,
    };
    match fs::write(path, format!("{}\n", std::process::id())) {
        Ok(()) => Some(path.to_string()),
        Err(error) => {
            log::warn!("Failed to write PID file {path}: {}", reason(&error));
            None
        }
    }
}

/// What commands may ask of this process and its files.
pub fn host() -> Host {
    Host {
        usage,
        change_dir: |dir| std::env::set_current_dir(dir).map_err(|error| reason(&error)),
        current_dir: || Some(std::env::current_dir().ok()?.to_str()?.to_string()),
        read: |path| match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            other => other.map_err(|error| reason(&error)),
        },
        read_present: |path| fs::read(path).map_err(|error| reason(&error)),
        replace: |path, text| replace(path, text).map_err(|error| reason(&error)),
        raise_descriptor_limit,
        allow_huge_pages: huge_pages::allow,
        sleep: |time| {
            std::thread::sleep(time);
            time
        },
        hang_up: |descriptor| {
            if let Ok(descriptor) = libc::c_int::try_from(descriptor) {
                // SAFETY: the client is there, and so is its socket. No memory is involved.
                unsafe { libc::shutdown(descriptor, libc::SHUT_RDWR) };
            }
        },
        oom_score: || {
            let text = fs::read_to_string(oom_score_file(None)).map_err(|error| reason(&error))?;
            text.trim().parse().map_err(|_| format!("what is no number: {text}"))
        },
        set_oom_score: |pid, score| fs::write(oom_score_file(pid), score.to_string()).map_err(|error| reason(&error)),
        entropy: |bytes| random::entropy(bytes).map_err(|error| reason(&error)),
        crash,
    }
}

/// Where Linux keeps the score of this process, or of another.
fn oom_score_file(pid: Option<u32>) -> String {
    let process = pid.map_or("self".to_string(), |pid| pid.to_string());
    format!("/proc/{process}/oom_score_adj")
}

fn crash(crash: Crash) {
    match crash {
        // SAFETY: sends this thread a signal.
        Crash::Fault => unsafe {
            libc::raise(libc::SIGSEGV);
        },
        Crash::Assertion => panic!("DEBUG ASSERT"),
        Crash::Panic => panic!("DEBUG PANIC"),
    }
}

/// Writes a file beside the old one, forces it to disk, and puts it in the old one's place.
fn replace(path: &str, text: &[u8]) -> io::Result<()> {
    let draft = format!("{path}.{}.tmp", std::process::id());
    let write = || {
        let mut file = fs::File::create(&draft)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    let written = write();
    if written.is_err() {
        // what is left of a failed attempt helps nobody
        let _ = fs::remove_file(&draft);
    }
    written
}

fn usage() -> Usage {
    let [user_micros, system_micros] = times(libc::RUSAGE_SELF);
    let [children_user_micros, children_system_micros] = times(libc::RUSAGE_CHILDREN);
    #[cfg(target_os = "linux")]
    let [main_user_micros, main_system_micros] = times(libc::RUSAGE_THREAD);
    #[cfg(not(target_os = "linux"))]
    let [main_user_micros, main_system_micros] = [user_micros, system_micros];
    Usage {
        resident: resident(),
        machine_memory: machine_memory(),
        usable_memory: super::container::memory_limit().map_or(machine_memory(), |limit| limit.min(machine_memory())),
        user_micros,
        system_micros,
        main_user_micros,
        main_system_micros,
        children_user_micros,
        children_system_micros,
    }
}

/// Processor time in user mode and in the kernel.
fn times(who: libc::c_int) -> [u64; 2] {
    // SAFETY: all zeros is a valid value of this plain C struct.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live struct.
    if unsafe { libc::getrusage(who, &mut usage) } != 0 {
        return [0; 2];
    }
    let micros = |time: libc::timeval| {
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        seconds * 1_000_000 + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    [micros(usage.ru_utime), micros(usage.ru_stime)]
}

/// A whole number that the system tells, 0 if it does not.
fn system_number(name: libc::c_int) -> u64 {
    // SAFETY: asks for a number by its name.
    u64::try_from(unsafe { libc::sysconf(name) }).unwrap_or(0)
}

fn machine_memory() -> u64 {
    system_number(libc::_SC_PHYS_PAGES) * system_number(libc::_SC_PAGESIZE)
}

#[cfg(target_os = "linux")]
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").ok().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    usize::try_from(pages.unwrap_or(0) * system_number(libc::_SC_PAGESIZE)).unwrap_or(0)
}

#[cfg(not(target_os = "linux"))]
fn resident() -> usize {
    let [_, _, resident, _] = crate::base::memory::report();
    resident
}

/// `Linux 6.1.0 x86_64`
pub fn system_name() -> String {
    // SAFETY: all zeros is a valid value of this plain C struct.
    let mut names: libc::utsname = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live struct.
    if unsafe { libc::uname(&mut names) } != 0 {
        return std::env::consts::OS.to_string();
    }
    let text = |field: &[libc::c_char]| field.iter().take_while(|&&c| c != 0).map(|&c| char::from(c.cast_unsigned())).collect::<String>();
    format!("{} {} {}", text(&names.sysname), text(&names.release), text(&names.machine))
}
