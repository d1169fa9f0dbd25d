//! One bad jump of the clock would stay in every later `recorded_at`, which never goes back. So a jump
//! stops appends until somebody confirms it.

use std::sync::{Arc, Mutex};

use crate::time::{Clock, UnixMillis};

/// A step forward of the wall clock, against the time since boot, that a running writer takes.
const STEP_MAX_MS: u64 = 5 * 60 * 1_000;
/// Time since the last entry that a starting writer takes.
const GAP_MAX_MS: u64 = 31 * 24 * 3_600 * 1_000;

/// Watches the wall clock.
#[derive(Debug)]
pub(super) struct ClockGuard {
    wall: UnixMillis,
    since_boot_ms: u64,
    /// The last time that was recorded before the start, if that is suspiciously long ago.
    unconfirmed_since: Option<UnixMillis>,
}

/// The clock can't be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the clock jumped from about {expected} to {found}: nothing is recorded until it is right; if it is, start once with `trailkeep serve --confirm-clock`"
)]
pub struct ClockJump {
    expected: UnixMillis,
    found: UnixMillis,
}

impl ClockGuard {
    /// One that several threads ask, as it is at a start.
    pub(super) fn shared(
        clock: &dyn Clock,
        last_seen: Option<UnixMillis>,
        confirmed: bool,
    ) -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self::start(clock, last_seen, confirmed)))
    }

    /// Starts watching. `last_seen` is when this directory was last written to; `confirmed` says that
    /// somebody looked at the clock.
    pub(super) fn start(clock: &dyn Clock, last_seen: Option<UnixMillis>, confirmed: bool) -> Self {
        let wall = clock.wall();
        let is_far = |last: &UnixMillis| wall.get() > last.get().saturating_add(GAP_MAX_MS);
        Self {
            wall,
            since_boot_ms: clock.since_boot_ms(),
            unconfirmed_since: last_seen.filter(|last| !confirmed && is_far(last)),
        }
    }

    /// The wall time, if it can be believed. A clock that comes back to where it should be is believed again.
    pub(super) fn now(&mut self, clock: &dyn Clock) -> Result<UnixMillis, ClockJump> {
        let (found, since_boot_ms) = (clock.wall(), clock.since_boot_ms());
        let expected = match self.unconfirmed_since {
            Some(last) if found.get() > last.get().saturating_add(GAP_MAX_MS) => last,
            _ => {
                let passed_ms = since_boot_ms.saturating_sub(self.since_boot_ms);
                UnixMillis::new(self.wall.get().saturating_add(passed_ms))
            }
        };
        if found.get() > expected.get().saturating_add(STEP_MAX_MS) {
            return Err(ClockJump { expected, found });
        }
        // Back steps are taken as they are: recorded time waits for the clock to catch up.
        *self = Self {
            wall: found,
            since_boot_ms,
            unconfirmed_since: None,
        };
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    struct TestClock {
        wall: AtomicU64,
        boot: AtomicU64,
    }

    impl TestClock {
        fn step(&self, wall_ms: i64, boot_ms: u64) {
            self.wall.store(
                self.wall.load(Ordering::SeqCst).strict_add_signed(wall_ms),
                Ordering::SeqCst,
            );
            self.boot.fetch_add(boot_ms, Ordering::SeqCst);
        }
    }

    impl Clock for TestClock {
        fn wall(&self) -> UnixMillis {
            UnixMillis::new(self.wall.load(Ordering::SeqCst))
        }

        fn since_boot_ms(&self) -> u64 {
            self.boot.load(Ordering::SeqCst)
        }
    }

    fn clock() -> TestClock {
        TestClock {
            wall: AtomicU64::new(1_000_000_000_000),
            boot: AtomicU64::new(5_000),
        }
    }

    const MINUTE_MS: i64 = 60_000;

    #[test]
    fn a_forward_step_stops_until_the_clock_is_right_again() {
        let clock = clock();
        let mut guard = ClockGuard::start(&clock, None, false);
        clock.step(60 * MINUTE_MS, 3_600_000);
        guard.now(&clock).unwrap();
        clock.step(6 * MINUTE_MS, 1_000);
        guard.now(&clock).unwrap_err();
        clock.step(10 * MINUTE_MS, 600_000);
        guard.now(&clock).unwrap_err();
        clock.step(-6 * MINUTE_MS, 0);
        guard.now(&clock).unwrap();
    }

    #[test]
    fn back_steps_are_taken() {
        let clock = clock();
        let mut guard = ClockGuard::start(&clock, None, false);
        clock.step(-60 * MINUTE_MS, 1_000);
        guard.now(&clock).unwrap();
        clock.step(4 * MINUTE_MS, 1_000);
        guard.now(&clock).unwrap();
    }

    #[test]
    fn a_long_gap_at_the_start_wants_a_confirmation() {
        let clock = clock();
        let long_ago = Some(UnixMillis::new(clock.wall().get() - GAP_MAX_MS - 1));
        ClockGuard::start(&clock, long_ago, false)
            .now(&clock)
            .unwrap_err();
        ClockGuard::start(&clock, long_ago, true)
            .now(&clock)
            .unwrap();
        let recently = Some(UnixMillis::new(clock.wall().get() - GAP_MAX_MS));
        ClockGuard::start(&clock, recently, false)
            .now(&clock)
            .unwrap();
    }
}
