//! That somebody outside has seen a newer or another state of a ledger, so that it takes no entry.

use serde::{Deserialize, Serialize};

use crate::keys::records::Record;
use trailkeep_proof::time::UnixMillis;

/// What a target has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error(
    "rollback detected: `{target}` {what}, and the ledger refuses entries. Restore the newest files; docs/operations.md, \"Rolled back\", has the other ways",
    what = describe(*.seen, *.here, *.is_other_history)
)]
pub struct RolledBack {
    /// Name of the target.
    pub target: String,
    /// Entries that it has seen.
    pub seen: u64,
    /// Entries that there were.
    pub here: u64,
    /// Whether what it has seen is another history, not only more.
    pub is_other_history: bool,
    /// When it was found.
    pub found_at_ms: u64,
}

impl RolledBack {
    pub(crate) fn larger(target: &str, seen: u64, here: u64, now: UnixMillis) -> Self {
        Self {
            target: target.to_owned(),
            seen,
            here,
            is_other_history: false,
            found_at_ms: now.get(),
        }
    }

    pub(crate) fn other(target: &str, seen: u64, here: u64, now: UnixMillis) -> Self {
        Self {
            is_other_history: true,
            ..Self::larger(target, seen, here, now)
        }
    }
}

impl Record for RolledBack {
    const KIND: &'static str = "rolled-back";
    const WHAT: &'static str = "the memory of a roll-back";
}

pub(crate) fn describe(seen: u64, here: u64, is_other_history: bool) -> String {
    if is_other_history {
        format!("has another history of it at size {seen}")
    } else {
        format!("has a checkpoint of {seen} entries, but the ledger has {here}")
    }
}
