//! How long a job that failed waits.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(60);

/// A second after the first failure, twice as long after each further one, a minute at most.
#[derive(Debug, Default)]
pub(super) struct BackOff {
    failures: u32,
}

impl BackOff {
    pub(super) fn next(&mut self) -> Duration {
        if let Some(set) = set_in_tests() {
            return set;
        }
        let factor = 1 << self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        (FIRST * factor).min(MAX)
    }

    /// After a step that succeeded.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// In debug builds a test may set another pause.
#[cfg(debug_assertions)]
fn set_in_tests() -> Option<Duration> {
    let set = std::env::var("TRAILKEEP_TEST_RETRY_AFTER_MS").ok()?;
    set.parse().ok().map(Duration::from_millis)
}

#[cfg(not(debug_assertions))]
fn set_in_tests() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_begin_again() {
        let mut back_off = BackOff::default();
        let pauses: Vec<u64> = (0..9).map(|_| back_off.next().as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        (0..100).for_each(|_| assert_eq!(back_off.next(), MAX));
        back_off.reset();
        assert_eq!(back_off.next(), FIRST);
    }
}
