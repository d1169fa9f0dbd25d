//! Requests without a valid token, for the log: the first at once, those of the minute after it as a count. No line has a
//! token, nor whose it was: a wrong one is nobody's.

use std::sync::atomic::{AtomicU64, Ordering};

/// Refusals that the log does not have yet.
#[derive(Debug, Default)]
pub(crate) struct Unauthorized {
    /// Since the last look; the first of them is in the log.
    refused: AtomicU64,
}

impl Unauthorized {
    /// A request was refused.
    pub(super) fn note(&self) {
        if self.refused.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                "a request without a valid API token was refused; more of this minute are counted"
            );
        }
    }

    /// Logs how many were refused since the last look, where the log does not have all of them.
    pub(crate) fn tell(&self) {
        let refused = self.refused.swap(0, Ordering::Relaxed);
        if refused > 1 {
            tracing::warn!(
                refused,
                "requests without a valid API token were refused in the last minute"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Seek};
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_first_refusal_is_a_line_and_those_of_the_minute_after_it_are_a_count() {
        let mut log: File = tempfile::tempfile().unwrap();
        let written = Arc::new(log.try_clone().unwrap());
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(written)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let unauthorized = Unauthorized::default();
            unauthorized.tell();
            for refused in [3, 1, 0] {
                for _ in 0..refused {
                    unauthorized.note();
                }
                unauthorized.tell();
            }
        });
        let mut text = String::new();
        log.rewind().unwrap();
        log.read_to_string(&mut text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let [first, counted, alone] = lines[..] else {
            panic!("{text}");
        };
        for line in [first, alone] {
            assert!(line.contains("more of this minute are counted"), "{text}");
        }
        assert!(counted.contains("\"refused\":3"), "{text}");
    }
}
