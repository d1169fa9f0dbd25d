//! The machine's clock, and a stand-in that tests move.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::time::{Clock, UnixMillis};

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks the machine"
    )]
    fn wall(&self) -> UnixMillis {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMillis::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    fn since_boot_ms(&self) -> u64 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        time.tv_sec.unsigned_abs() * 1000 + time.tv_nsec.unsigned_abs() / 1_000_000
    }
}

/// A clock whose wall time stands in a file, in milliseconds, read at each look. Tests of the real
/// program move it; a file that can't be read counts as 1970.
#[derive(Clone, Debug)]
pub struct FileClock(pub PathBuf);

impl Clock for FileClock {
    fn wall(&self) -> UnixMillis {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        UnixMillis::new(text.trim().parse().unwrap_or(0))
    }

    fn since_boot_ms(&self) -> u64 {
        SystemClock.since_boot_ms()
    }
}
