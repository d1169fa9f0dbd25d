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

/// A clock whose times stand in a file, in milliseconds, read at each look: the wall time, and behind a
/// space the time since boot, which otherwise moves with it. Tests of the real program move it; a file
/// that can't be read counts as 1970.
#[derive(Clone, Debug)]
pub struct FileClock(pub PathBuf);

impl FileClock {
    fn read(&self) -> (u64, u64) {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        let mut numbers = text
            .split_whitespace()
            .map(|number| number.parse().unwrap_or(0));
        let wall_ms = numbers.next().unwrap_or(0);
        (wall_ms, numbers.next().unwrap_or(wall_ms))
    }
}

impl Clock for FileClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis::new(self.read().0)
    }

    fn since_boot_ms(&self) -> u64 {
        self.read().1
    }
}
