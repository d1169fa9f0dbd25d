//! How often a key may ask, where the operator sets it: a bucket for each key, filled as time passes.

use parking_lot::Mutex;
use std::collections::HashMap;

use tokio::time::Instant;

use super::problem::Problem;
use trailkeep_proof::text::counted;

/// The buckets of all keys.
#[derive(Debug)]
pub(super) struct Rates {
    per_second: Option<u32>,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    requests: f64,
    at: Instant,
}

impl Rates {
    pub(super) fn new(per_second: Option<u32>) -> Self {
        Self {
            per_second,
            buckets: Mutex::default(),
        }
    }

    /// Takes one request of a key; refuses where it has none left. A key that rests saves up requests of one second.
    pub(super) fn take(&self, key_id: &str) -> Result<(), Problem> {
        match self.per_second {
            Some(per_second) => self.take_at(key_id, per_second, Instant::now()),
            None => Ok(()),
        }
    }

    fn take_at(&self, key_id: &str, per_second: u32, now: Instant) -> Result<(), Problem> {
        let most = f64::from(per_second);
        let mut buckets = self.buckets.lock();
        let full = Bucket {
            requests: most,
            at: now,
        };
        let bucket = buckets.entry(key_id.to_owned()).or_insert(full);
        let gained = now.duration_since(bucket.at).as_secs_f64() * most;
        bucket.requests = (bucket.requests + gained).min(most);
        bucket.at = now;
        if bucket.requests < 1.0 {
            return Err(Problem::too_many(
                format!(
                    "this key may send {} a second (`limits.requests_per_key_s`); nothing was \
                     recorded: retry later",
                    counted(per_second.into(), "request")
                ),
                1,
            ));
        }
        bucket.requests -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_key_has_so_many_requests_a_second_and_no_other_key_s() {
        let (rates, start) = (Rates::new(Some(3)), Instant::now());
        let take = |key, ms| {
            rates
                .take_at(key, 3, start + Duration::from_millis(ms))
                .is_ok()
        };
        let taken: Vec<bool> = (0..4).map(|_| take("a", 0)).collect();
        assert_eq!(taken, [true, true, true, false]);
        assert!(take("b", 0));
        assert!(!take("a", 300));
        assert!(take("a", 400));
        // What rests saves up no more than that.
        let later: Vec<bool> = (0..4).map(|_| take("a", 60_000)).collect();
        assert_eq!(later, [true, true, true, false]);
        assert!((0..1_000).all(|_| Rates::new(None).take("a").is_ok()));
    }
}
