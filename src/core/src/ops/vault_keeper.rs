//! Keeps the vault's replicas new, and rotates when that is due; a job of the server.

use std::time::{Duration, Instant};

use crate::govern::Custody;
use crate::govern::replica::{self, CopyError};
use crate::govern::rotation::{self, RotationError};
use crate::journal::Journal;
use crate::requests::{self, PrivacyError};

/// New keys wait at most this long before they are copied: with the copying itself, a minute.
const COPY_AFTER: Duration = Duration::from_secs(20);
/// How long one step works on the folded tags of an older vault.
const FOLD_FOR: Duration = Duration::from_millis(100);
/// A rotation begins this long after it became due, so that it is over within 24 hours of the destruction.
const ROTATE_AFTER_MS: u64 = 20 * 3_600_000;

/// Why the vault could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum VaultKeepError {
    /// The rotation stopped.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// The replicas can't be listed or written.
    #[error(transparent)]
    Copy(#[from] CopyError),
}

/// What is remembered between two steps.
#[derive(Default)]
pub struct VaultKeeper {
    behind_since: Option<Instant>,
}

impl VaultKeeper {
    /// Rotates and copies what is due. `false` where a target could not be reached.
    pub fn step(&mut self, custody: &Custody) -> Result<bool, VaultKeepError> {
        let went_well = rotate_if_due(custody)?;
        Ok(self.copy_if_behind(custody, Instant::now())? && went_well)
    }

    /// `false` where a target could not be reached.
    fn copy_if_behind(&mut self, custody: &Custody, now: Instant) -> Result<bool, CopyError> {
        if !replica::is_behind(custody)? {
            self.behind_since = None;
            return Ok(true);
        }
        let since = *self.behind_since.get_or_insert(now);
        if now.duration_since(since) < copy_after() {
            return Ok(true);
        }
        self.behind_since = None;
        Ok(replica::keep_up(custody)?.is_empty())
    }
}

/// Copies what is new, at the server's end.
pub fn copy_at_end(custody: &Custody) {
    if let Err(error) = replica::keep_up(custody) {
        tracing::warn!(%error, "the vault replicas could not be updated at the end");
    }
}

/// Gives some data subjects of a vault that an earlier version wrote their folded tags; whether none is left.
pub fn fold_some(journal: &Journal) -> Result<bool, PrivacyError> {
    let until = Instant::now() + FOLD_FOR;
    let mut is_done = true;
    let mut failure = None;
    for ledger in journal.all_ledgers() {
        match requests::fold_persons(journal, &ledger, until) {
            Ok(is_ledger_done) => is_done &= is_ledger_done,
            // It must not hold up the others.
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(is_done), Err)
}

/// `false` where the rotation waits for a target.
fn rotate_if_due(custody: &Custody) -> Result<bool, RotationError> {
    let Some(status) = rotation::rotate_if_due(custody, ROTATE_AFTER_MS)? else {
        return Ok(true);
    };
    let (epoch, copies_pending) = (status.epoch, status.copies_pending);
    tracing::info!(epoch, copies_pending, "the vault was rotated");
    Ok(!copies_pending)
}

/// In debug builds a test may set another time.
#[cfg(debug_assertions)]
fn copy_after() -> Duration {
    let set = std::env::var("TRAILKEEP_TEST_COPY_AFTER_MS").ok();
    let set = set.and_then(|set| set.parse().ok());
    set.map_or(COPY_AFTER, Duration::from_millis)
}

#[cfg(not(debug_assertions))]
fn copy_after() -> Duration {
    COPY_AFTER
}
