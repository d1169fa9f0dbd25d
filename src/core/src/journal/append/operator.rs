//! What concerns the whole data directory is recorded in the ledger of the operator's tenant.

use crate::journal::Journal;
use crate::journal::append::{AppendError, append_changing, append_system};
use crate::keys::rows::Changes;
use trailkeep_proof::ledger::action::SystemAction;

/// Appends a system event to the operator's ledger.
pub(crate) fn record_for_operator(
    journal: &Journal,
    action: SystemAction,
    section: &str,
    said: &serde_json::Value,
) -> Result<(), AppendError> {
    let operator = journal.operator().ok_or(AppendError::Stopped)?;
    let said = said.to_string();
    let mut sections: [(&str, &[u8]); 2] =
        [("action", action.section()), (section, said.as_bytes())];
    sections.sort_unstable_by_key(|(name, _)| *name);
    append_system(&journal.writer, operator.active(), &sections).map(drop)
}

/// Appends a system event to the operator's ledger that changes rows of the vault.
pub(crate) fn change_for_operator(
    journal: &Journal,
    action: SystemAction,
    (section, said): (&str, &serde_json::Value),
    changes: Changes,
) -> Result<(), AppendError> {
    if changes.is_empty() {
        return record_for_operator(journal, action, section, said);
    }
    let operator = journal.operator().ok_or(AppendError::Stopped)?;
    let said = said.to_string();
    let sections: [(&str, &[u8]); 2] = [("action", action.section()), (section, said.as_bytes())];
    append_changing(journal, operator.active(), &sections, changes).map(drop)
}
