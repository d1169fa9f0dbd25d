//! Somebody outside has seen more of a ledger than there is, or another history of it: it was rolled back.
//!
//! A head that was signed then would be the second of its size. So the ledger takes no entry, over restarts, until
//! that target has seen it go on from where it was, or an operator looked at it and says that the target errs.

use std::sync::Arc;

use crate::anchor::{AnchorError, Anchors};
use crate::govern::policies::{PoliciesError, state_changes_in};
use crate::journal::Journal;
use crate::journal::append::{AppendError, append_system};
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use crate::tenant::Tenant;
use crate::tenant::ledger::Ledger;
use crate::tenant::rolled_back::RolledBack;
use trailkeep_ports::LedgerRecord;
use trailkeep_proof::system::{AnchorSection, SystemEvent};

/// The only record of a ledger.
const ROW_ID: &str = "anchor";

/// What the vault remembers of a ledger.
pub(crate) fn load(
    keyring: &Keyring,
    ledger: &LedgerRecord,
) -> Result<Option<RolledBack>, KeyError> {
    let known = records::all::<RolledBack>(keyring, ledger)?;
    Ok(known.into_iter().next().map(|(_, found)| found))
}

/// Stops a ledger. On disk when it returns.
pub(super) fn found(
    journal: &Journal,
    ledger: &Ledger,
    found: RolledBack,
) -> Result<(), AnchorError> {
    let origin = &ledger.record.origin;
    tracing::error!(%origin, %found, "appends are refused");
    let kept = records::put(&journal.keyring, &ledger.record, ROW_ID, &found);
    ledger.set_rolled_back(Some(Arc::new(found)));
    Ok(kept?)
}

/// A target has taken the head: if it was the one that had seen more, all that it saw is there again.
pub(super) fn agreed(journal: &Journal, ledger: &Ledger, target: &str) -> Result<(), AnchorError> {
    let known = ledger.rolled_back();
    if known.is_some_and(|known| known.target == target) {
        let origin = &ledger.record.origin;
        tracing::info!(%origin, target, "the missing entries are back: appends are accepted");
        forget(journal, ledger)?;
        if let Err(error) = state_changes_in(journal, ledger) {
            tracing::error!(%origin, %error, "a change of the policies could not be recorded: restart the server");
        }
    }
    Ok(())
}

fn forget(journal: &Journal, ledger: &Ledger) -> Result<(), KeyError> {
    let vault = journal.keyring.vault();
    vault.delete_record(RolledBack::KIND, ledger.record.number, ROW_ID)?;
    ledger.set_rolled_back(None);
    Ok(())
}

/// Why a ledger does not go on.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// The target would say it again.
    #[error(
        "`{0}` is still in the settings and would stop the ledger again: remove it and restart the server first"
    )]
    TargetStays(String),
    /// It could not be recorded.
    #[error("it could not be recorded: {0}")]
    Record(#[from] AppendError),
    /// A change of the policies could not be recorded.
    #[error(transparent)]
    Policies(#[from] PoliciesError),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Lets a ledger go on: somebody looked, and the target errs. Recorded. `false` where nothing had stopped it.
pub fn resume(anchors: &Anchors, tenant: &Tenant, by: &str) -> Result<bool, ResumeError> {
    let ledger = tenant.active();
    let Some(known) = ledger.rolled_back() else {
        return Ok(false);
    };
    let targets = anchors.targets();
    if targets.iter().any(|target| target.name == known.target) {
        return Err(ResumeError::TargetStays(known.target.clone()));
    }
    forget(&anchors.journal, ledger)?;
    let event = SystemEvent::AnchorResume {
        anchor: AnchorSection {
            target: known.target.clone(),
            seen: known.seen,
            here: known.here,
            by: by.to_owned(),
        },
    };
    append_system(&anchors.journal.writer, ledger, &event)?;
    state_changes_in(&anchors.journal, ledger)?;
    Ok(true)
}
