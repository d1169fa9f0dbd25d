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
