//! Which processors a thread or a process may run on: `server-cpulist` and its like.
//!
//! A list is what `taskset` takes: numbers and ranges with commas between, a range with a step behind a colon, as in `0,2,4-7` and
//! `0-14:2`. The main thread has one, helper threads have another, and each kind of child has one of its own. Helper threads
//! ask for theirs when they start, since one that starts later would inherit that of the main thread.
//!
//! Only Linux lets a thread choose; elsewhere a list is refused in the log.
#![allow(unsafe_code)]

use std::io;
use std::sync::OnceLock;

use crate::base::text::reason;
use crate::config::Config;
use crate::persist::child::Errand;

/// Processors beyond this cannot be named.
const MOST: usize = 1024;

/// What the configuration says of helper threads and children.
static PLAN: OnceLock<Plan> = OnceLock::new();

struct Plan {
    helpers: Vec<usize>,
    snapshots: String,
    rewrites: String,
}

/// The processors that a list names; `None` if it is no list.
fn parse(list: &str) -> Option<Vec<usize>> {
    let mut found = Vec::new();
    for part in list.split(',') {
        let (range, step) = part.split_once(':').map_or(Some((part, 1)), |(range, step)| Some((range, step.trim().parse().ok()?)))?;
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.trim().parse::<usize>().ok()?, last.trim().parse::<usize>().ok()?);
        if first > last || last >= MOST || step == 0 {
            return None;
        }
        found.extend((first..=last).step_by(step));
    }
    Some(found)
}

/// Remembers where helper threads and children are to run: on the processors listed or, without a list, helpers where the
/// process was started and children where the main thread is.
pub fn plan(config: &Config) {
    let before = current();
    let listed = if config.bio_cpulist.is_empty() { None } else { understood("bio-cpulist", &config.bio_cpulist) };
    // whether that can be is tried here: a helper must not write to the log while this thread may fork
    let helpers = listed.filter(|list| obeyed("bio-cpulist", pin(list))).unwrap_or_else(|| before.clone());
    obeyed("bio-cpulist", pin(&before));
    // it is set once, at the start
    let _ = PLAN.set(Plan { helpers, snapshots: config.bgsave_cpulist.clone(), rewrites: config.aof_rewrite_cpulist.clone() });
}

/// Moves the calling thread, a helper, to where helpers run.
pub fn pin_helper() {
    if let Some(plan) = PLAN.get() {
        let _ = pin(&plan.helpers);
    }
}

/// Moves the calling process, a child, to where children of its kind run.
pub fn pin_child(does: Errand) {
    if let Some(plan) = PLAN.get() {
        match does {
            Errand::Rewrite => pin_to("aof-rewrite-cpulist", &plan.rewrites),
            Errand::Debugging => {}
            Errand::Snapshot | Errand::Transfer => pin_to("bgsave-cpulist", &plan.snapshots),
        }
    }
}

/// Moves the main thread to its own.
pub fn pin_main(config: &Config) {
    pin_to("server-cpulist", &config.server_cpulist);
}

/// Moves the calling thread to the processors of a list; an empty one leaves it where it is.
fn pin_to(directive: &str, list: &str) {
    if !list.is_empty()
        && let Some(processors) = understood(directive, list)
    {
        obeyed(directive, pin(&processors));
    }
}

/// Whether it worked; if not, the log says so.
fn obeyed(directive: &str, outcome: io::Result<()>) -> bool {
    if let Err(error) = &outcome {
        log::warn!("{directive} cannot be obeyed: {}", reason(error));
    }
    outcome.is_ok()
}

fn understood(directive: &str, list: &str) -> Option<Vec<usize>> {
    let parsed = parse(list);
    if parsed.is_none() {
        log::warn!("{directive} is no list of processors, and changes nothing: {list}");
    }
    parsed
}

#[cfg(target_os = "linux")]
fn pin(processors: &[usize]) -> io::Result<()> {
    if processors.is_empty() {
        return Ok(());
    }
    // SAFETY: all zeros is an empty set, and each processor is within it.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &processor in processors {
        // SAFETY: as above.
        unsafe { libc::CPU_SET(processor, &mut set) };
    }
    // SAFETY: the pointer is to a live set of that size.
    if unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn pin(processors: &[usize]) -> io::Result<()> {
    if processors.is_empty() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::Unsupported)) }
}

/// Where the calling thread may run; empty if that is not known.
#[cfg(target_os = "linux")]
fn current() -> Vec<usize> {
    // SAFETY: all zeros is an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live set of that size.
    if unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) } != 0 {
        return Vec::new();
    }
    // SAFETY: each processor is within the set.
    (0..MOST).filter(|&processor| unsafe { libc::CPU_ISSET(processor, &set) }).collect()
}

#[cfg(not(target_os = "linux"))]
fn current() -> Vec<usize> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_processors() {
        for (list, wanted) in [
            ("0", Some(vec![0])),
            ("0,2,3", Some(vec![0, 2, 3])),
            ("1-3", Some(vec![1, 2, 3])),
            ("0-6:2,9", Some(vec![0, 2, 4, 6, 9])),
            (" 1 - 2 , 4", Some(vec![1, 2, 4])),
            ("", None),
            ("3-1", None),
            ("0-4:0", None),
            ("1024", None),
            ("0-99999999999999999999", None),
            ("a", None),
            ("-1", None),
            ("1,", None),
        ] {
            assert_eq!(parse(list), wanted, "{list}");
        }
    }
}
