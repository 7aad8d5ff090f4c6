//! Telling an init system that the server is ready and when it stops.
//!
//! systemd listens on a socket that the environment names; Upstart waits for the process to stop itself and
//! continues it. `auto` means the one whose variable the environment has. An init system that is asked for
//! but did not start this process is no error: the server runs and says so in its log, as Redis does.
#![allow(unsafe_code)]

use sd_notify::NotifyState;

use crate::config::Supervised;

/// Finds out who supervises this process; the answer is never `auto`.
pub fn find(asked: Supervised) -> Supervised {
    let set = |variable: &str| std::env::var_os(variable).is_some();
    let found = match asked {
        Supervised::Auto if set("UPSTART_JOB") => Supervised::Upstart,
        Supervised::Auto if set("NOTIFY_SOCKET") => Supervised::Systemd,
        Supervised::Auto | Supervised::No => return Supervised::No,
        named => named,
    };
    let variable = if found == Supervised::Upstart { "UPSTART_JOB" } else { "NOTIFY_SOCKET" };
    if !set(variable) {
        log::warn!("{} supervision requested, but {variable} not found", found.word());
        return Supervised::No;
    }
    match found {
        Supervised::Upstart => log::info!("supervised by upstart, will stop to signal readiness"),
        _ => log::info!(
            "supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec and TimeoutStopSec in your service unit."
        ),
    }
    found
}

/// The server accepts connections.
pub fn ready(by: Supervised) {
    match by {
        Supervised::Systemd => tell(&[NotifyState::Status("Ready to accept connections"), NotifyState::Ready]),
        // SAFETY: a signal to this process; Upstart continues it.
        Supervised::Upstart => drop(unsafe { libc::raise(libc::SIGSTOP) }),
        Supervised::Auto | Supervised::No => {}
    }
}

/// The server is about to end.
pub fn stopping(by: Supervised) {
    if by == Supervised::Systemd {
        tell(&[NotifyState::Stopping]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::warn!("Cannot notify systemd: {error}");
    }
}
