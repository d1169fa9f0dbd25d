//! Somebody outside has seen more of a ledger than there is, or another history of it: it was rolled back.
//!
//! A head that was signed then would be the second of its size. So the ledger takes no entry, over restarts, until
//! that target has seen it go on from where it was, or an operator looked at it and says that the target errs.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::AnchorError;
use crate::Engine;
use crate::append::{AppendError, append_system};
use crate::keyring::{KeyError, Keyring};
use crate::ledger::Ledger;
use crate::policies::{PoliciesError, state_changes_in};
use crate::records::{self, Record};
use crate::tenant::Tenant;
use trailkeep_ports::LedgerRecord;
use trailkeep_proof::ledger::action::SystemAction;
use trailkeep_proof::time::UnixMillis;

/// The only record of a ledger.
const ROW_ID: &str = "anchor";

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
    pub(super) fn larger(target: &str, seen: u64, here: u64, now: UnixMillis) -> Self {
        Self {
            target: target.to_owned(),
            seen,
            here,
            is_other_history: false,
            found_at_ms: now.get(),
        }
    }

    pub(super) fn other(target: &str, seen: u64, here: u64, now: UnixMillis) -> Self {
        Self {
            is_other_history: true,
            ..Self::larger(target, seen, here, now)
        }
    }
}

fn describe(seen: u64, here: u64, is_other_history: bool) -> String {
    if is_other_history {
        format!("has another history of it at size {seen}")
    } else {
        format!("has a checkpoint of {seen} entries, but the ledger has {here}")
    }
}

impl Record for RolledBack {
    const KIND: &'static str = "rolled-back";
    const WHAT: &'static str = "the memory of a roll-back";
}

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
    engine: &Engine,
    ledger: &Ledger,
    found: RolledBack,
) -> Result<(), AnchorError> {
    let origin = &ledger.record.origin;
    tracing::error!(%origin, %found, "appends are refused");
    let kept = records::put(&engine.keyring, &ledger.record, ROW_ID, &found);
    ledger.set_rolled_back(Some(Arc::new(found)));
    Ok(kept?)
}

/// A target has taken the head: if it was the one that had seen more, all that it saw is there again.
pub(super) fn agreed(engine: &Engine, ledger: &Ledger, target: &str) -> Result<(), AnchorError> {
    let known = ledger.rolled_back();
    if known.is_some_and(|known| known.target == target) {
        let origin = &ledger.record.origin;
        tracing::info!(%origin, target, "the missing entries are back: appends are accepted");
        forget(engine, ledger)?;
        if let Err(error) = state_changes_in(engine, ledger) {
            tracing::error!(%origin, %error, "a change of the policies could not be recorded: restart the server");
        }
    }
    Ok(())
}

fn forget(engine: &Engine, ledger: &Ledger) -> Result<(), KeyError> {
    let vault = engine.keyring.vault();
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
pub fn resume(engine: &Engine, tenant: &Tenant, by: &str) -> Result<bool, ResumeError> {
    let ledger = tenant.active();
    let Some(known) = ledger.rolled_back() else {
        return Ok(false);
    };
    let targets = engine.anchors.targets();
    if targets.iter().any(|target| target.name == known.target) {
        return Err(ResumeError::TargetStays(known.target.clone()));
    }
    forget(engine, ledger)?;
    let said = json!({"target": known.target, "seen": known.seen, "here": known.here, "by": by})
        .to_string();
    let sections: [(&str, &[u8]); 2] = [
        ("action", SystemAction::AnchorResume.section()),
        ("anchor", said.as_bytes()),
    ];
    append_system(&engine.writer, ledger, &sections)?;
    state_changes_in(engine, ledger)?;
    Ok(true)
}
