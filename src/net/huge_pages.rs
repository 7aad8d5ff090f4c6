//! Huge pages for the data: 2 MB at once instead of 4 kB.
//!
//! Where much data is read at random, most of the time goes into finding out where a page lies: with ten million keys a
//! pipelined GET takes a fifth less with huge pages, and a fork, which copies the tables of pages, a quarter of the time. They
//! cost memory (a tenth there), since what is freed in parts of them is kept for what comes next (`base::memory::give_back`). So
//! `huge-pages` is for those who ask for it. The allocator marks whatever it maps in pieces of two megabytes or more (its
//! settings are in `base/memory.rs`); the kernel grants huge pages if `/sys/kernel/mm/transparent_hugepage/enabled` says
//! `madvise` or `always`, and this process lets it.
//!
//! What is small stays in small pages, since parts of huge ones would be room that nobody uses: the process refuses huge
//! pages until [`FROM`] bytes are in use.
//!
//! Redis refuses them for good, as a write to a page that a child shares used to copy all of it. Linux 5.8 and later copy 4 kB
//! of it. On earlier ones they are refused here, too; and where the system says `always` and `disable-thp` is on, as Redis
//! documents that directive.
#![allow(unsafe_code)]

use std::fs;

use crate::base::memory;
use crate::config::Config;

/// Bytes in use from which on the data may lie in huge pages.
pub const FROM: usize = 64 << 20;

/// Where the kernel says who gets huge pages: the word in brackets.
const SETTING: &str = "/sys/kernel/mm/transparent_hugepage/enabled";

/// The first Linux that copies 4 kB of a huge page that is shared.
const COPIES_LITTLE: (u32, u32) = (5, 8);

/// What is done about huge pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plan {
    /// Nothing: the kernel has none to give, or decides alone.
    Leave,
    /// They are refused for good.
    Refuse,
    /// They are refused until the data is large.
    Later,
}

/// The plan for a configuration, a kernel's setting and its release, as in `6.1.0-18-amd64`.
fn decide(wanted: bool, disable_thp: bool, setting: &str, release: &str) -> Plan {
    let always = setting.contains("[always]");
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if !always && !setting.contains("[madvise]") {
        Plan::Leave
    } else if always && disable_thp || version < COPIES_LITTLE {
        Plan::Refuse
    } else if wanted {
        Plan::Later
    } else if always {
        Plan::Leave
    } else {
        Plan::Refuse
    }
}

/// Carries out what the configuration and the system say. Whether [`allow`] is to be called once the data is large.
pub fn start(config: &Config) -> bool {
    let setting = fs::read_to_string(SETTING).unwrap_or_default();
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let plan = decide(config.huge_pages, config.disable_thp, &setting, &release);
    if plan != Plan::Leave {
        refuse(true);
    }
    if config.huge_pages && plan != Plan::Later {
        log::warn!("'huge-pages' has no effect: it takes Linux 5.8 or later, '{SETTING}' at madvise, or at always with 'disable-thp no'.");
    }
    plan == Plan::Later
}

/// From now on the kernel may back memory that is touched for the first time with huge pages.
pub fn allow() {
    memory::keep_huge_pages();
    refuse(false);
}

fn refuse(refused: bool) {
    #[cfg(target_os = "linux")]
    // SAFETY: a flag of this process; failure leaves things as they are.
    unsafe {
        libc::prctl(libc::PR_SET_THP_DISABLE, libc::c_ulong::from(refused), 0, 0, 0);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = refused;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn huge_pages_are_for_kernels_that_copy_little_and_people_who_want_them() {
        let (always, madvise, never) = ("[always] madvise never\n", "always [madvise] never\n", "always madvise [never]\n");
        for (wanted, disable_thp, setting, release, plan) in [
            (true, true, madvise, "6.1.0-18-amd64\n", Plan::Later),
            (true, true, madvise, "5.8.0", Plan::Later),
            (true, true, madvise, "5.7.19-generic", Plan::Refuse),
            (true, false, madvise, "4.18.0-553.el8", Plan::Refuse),
            (false, true, madvise, "6.1.0", Plan::Refuse),
            (false, false, madvise, "6.1.0", Plan::Refuse),
            (true, true, always, "6.1.0", Plan::Refuse),
            (true, false, always, "6.1.0", Plan::Later),
            (false, false, always, "6.1.0", Plan::Leave),
            (true, true, never, "6.1.0", Plan::Leave),
            (true, true, "", "", Plan::Leave),
        ] {
            assert_eq!(decide(wanted, disable_thp, setting, release), plan, "{wanted} {disable_thp} {setting} {release}");
        }
    }
}
