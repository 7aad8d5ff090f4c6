//! What a Unix process owes its system: descriptors, a pid file, going to the background.
#![allow(unsafe_code)]

use std::fs;
use std::io;

use crate::config::Config;

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

/// Keeps the kernel from backing our memory with huge pages: they make forks and latency worse.
pub fn disable_huge_pages() {
    #[cfg(target_os = "linux")]
    // SAFETY: a flag of this process; failure leaves things as they are.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0);
    }
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
            log::warn!("Failed to write PID file {path}: {error}");
            None
        }
    }
}
