//! The machine's clock, and a stand-in that tests move.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use trailkeep_proof::time::{Clock, UnixMillis};

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
        let millis = time.tv_sec.saturating_mul(1000) + time.tv_nsec / 1_000_000;
        millis.cast_unsigned()
    }

    fn boot(&self) -> Option<String> {
        let id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(id.trim().to_owned())
    }
}

/// A clock whose times stand in a file, in milliseconds, read at each look: the wall time, and behind a
/// space the time since boot, which otherwise moves with it, and the name of the boot. Tests of the real program
/// move it; a file that can't be read counts as 1970.
#[derive(Clone, Debug)]
pub struct FileClock(pub PathBuf);

impl FileClock {
    fn read(&self) -> (u64, u64, String) {
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        let mut words = text.split_whitespace();
        let mut number = || words.next().and_then(|word| word.parse().ok());
        let wall_ms = number().unwrap_or(0);
        let boot_ms = number().unwrap_or(wall_ms);
        let boot = words.next().unwrap_or("one boot");
        (wall_ms, boot_ms, boot.to_owned())
    }
}

impl Clock for FileClock {
    fn wall(&self) -> UnixMillis {
        UnixMillis::new(self.read().0)
    }

    fn since_boot_ms(&self) -> u64 {
        self.read().1
    }

    fn boot(&self) -> Option<String> {
        Some(self.read().2)
    }
}
