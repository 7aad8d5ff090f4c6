//! A stopwatch that costs a few nanoseconds: the processor's time stamp counter where it can be trusted,
//! the system's monotonic clock elsewhere.
//!
//! The counter's rate is measured once, against the system's clock, over two milliseconds.
#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::time::Instant;

use crate::server::Stopwatch;

static START: OnceLock<Instant> = OnceLock::new();

fn instant_nanos() -> u64 {
    let start = START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
mod counter {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::{Duration, Instant};

    /// Nanoseconds a tick, in units of 2^-32.
    static RATE: AtomicU64 = AtomicU64::new(0);

    fn ticks() -> u64 {
        // SAFETY: reading the counter has no other effect.
        unsafe { std::arch::x86_64::_rdtsc() }
    }

    pub(super) fn nanos() -> u64 {
        let rate = u128::from(RATE.load(Ordering::Relaxed));
        ((u128::from(ticks()) * rate) >> 32) as u64
    }

    /// Whether the kernel itself keeps time by the counter; measures its rate then.
    pub(super) fn calibrate() -> bool {
        let source = std::fs::read_to_string("/sys/devices/system/clocksource/clocksource0/current_clocksource");
        if !source.is_ok_and(|name| matches!(name.trim(), "tsc" | "kvm-clock")) {
            return false;
        }
        let (started, first) = (Instant::now(), ticks());
        while started.elapsed() < Duration::from_millis(2) {
            std::hint::spin_loop();
        }
        let (elapsed, last) = (started.elapsed(), ticks());
        let rate = (elapsed.as_nanos() << 32) / u128::from(last.wrapping_sub(first).max(1));
        let Ok(rate) = u64::try_from(rate) else { return false };
        RATE.store(rate, Ordering::Relaxed);
        rate > 0
    }
}

/// The best stopwatch of this machine.
pub fn best() -> Stopwatch {
    #[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
    if counter::calibrate() {
        return Stopwatch(counter::nanos);
    }
    Stopwatch(instant_nanos)
}
