//! What concerns the whole data directory is recorded in the ledger of the operator's tenant.

use crate::journal::Journal;
use crate::journal::append::{AppendError, append_changing, append_system};
use crate::keys::rows::Changes;
use trailkeep_proof::system::SystemEvent;

/// Appends a system event to the operator's ledger.
pub(crate) fn record_for_operator(
    journal: &Journal,
    event: &SystemEvent,
) -> Result<(), AppendError> {
    let operator = journal.operator().ok_or(AppendError::Stopped)?;
    append_system(&journal.writer, operator.active(), event).map(drop)
}

/// Appends a system event to the operator's ledger that changes rows of the vault.
pub(crate) fn change_for_operator(
    journal: &Journal,
    event: &SystemEvent,
    changes: Changes,
) -> Result<(), AppendError> {
    if changes.is_empty() {
        return record_for_operator(journal, event);
    }
    let operator = journal.operator().ok_or(AppendError::Stopped)?;
    append_changing(journal, operator.active(), event, changes).map(drop)
}
