//! After a restore nothing is destroyed until somebody has reviewed the holds.

use serde::{Deserialize, Serialize};

use crate::destroy::DeletionError;
use crate::journal::Journal;
use crate::journal::append::AppendError;
use crate::journal::append::operator::change_for_operator;
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use crate::keys::rows::Changes;
use trailkeep_proof::system::{ResumeSection, SystemEvent};
use trailkeep_proof::time::UnixMillis;

/// Records here have one id.
const ID: &str = "vault";

/// Nothing may be destroyed, until somebody says so.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DestructionPaused {
    /// Why.
    pub reason: String,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
}

impl Record for DestructionPaused {
    const KIND: &'static str = "destruction-paused";
    const WHAT: &'static str = "the note that nothing may be destroyed";
}

/// Whether nothing may be destroyed, and why: after a restore, until [`resume`].
pub(crate) fn is_destruction_paused(
    journal: &Journal,
) -> Result<Option<DestructionPaused>, KeyError> {
    let paused = records::all_own::<DestructionPaused>(&journal.keyring)?.pop();
    Ok(paused.map(|(_, paused)| paused))
}

/// Notes that nothing may be destroyed. On disk when it returns.
pub(crate) fn pause(keyring: &Keyring, paused: &DestructionPaused) -> Result<(), KeyError> {
    records::put_own(keyring, ID, paused)
}

/// Refuses where nothing may be destroyed.
pub(crate) fn check_not_paused(journal: &Journal) -> Result<(), DeletionError> {
    match is_destruction_paused(journal)? {
        Some(paused) => Err(DeletionError::Paused(
            UnixMillis::new(paused.since_ms),
            paused.reason,
        )),
        None => Ok(()),
    }
}

/// Why destruction did not go on.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// It could not be recorded, so it was not done.
    #[error("nothing was changed, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Lets destruction go on: somebody has reviewed the holds. Recorded; `false` where it was not paused.
pub fn resume(journal: &Journal, by: &str) -> Result<bool, ResumeError> {
    let Some(paused) = is_destruction_paused(journal)? else {
        return Ok(false);
    };
    let event = SystemEvent::RetentionResume {
        retention: ResumeSection {
            by: by.to_owned(),
            reason: paused.reason,
            paused_since: UnixMillis::new(paused.since_ms).to_string(),
            holds_reviewed: true,
        },
    };
    let mut changes = Changes::default();
    changes.take_own::<DestructionPaused>(ID)?;
    change_for_operator(journal, &event, changes)
        .map_err(|error| ResumeError::Record(Box::new(error)))?;
    Ok(true)
}
