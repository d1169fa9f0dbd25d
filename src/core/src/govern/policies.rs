//! The policies in force: the shipped ones, and those of a directory in their place or beside them. What changes
//! is stated in every ledger that has stated the policy before.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::journal::Journal;
use crate::journal::append::{AppendError, append_statement};
use crate::journal::class::state_policy;
use crate::tenant::classes::{LastStated, policy_section};
use crate::tenant::ledger::Ledger;
use trailkeep_files::named::read_named_text;
use trailkeep_policy::change::{Lowered, lowered};
use trailkeep_policy::lint::{self, Finding};
use trailkeep_policy::set::SHIPPED;
use trailkeep_policy::{Policy, PolicySet, PolicySetError};
use trailkeep_ports::Statement;
use trailkeep_proof::system::SystemEvent;

/// Why policies can't be taken into force.
#[derive(Debug, thiserror::Error)]
pub enum PoliciesError {
    /// A file can't be read.
    #[error("can't read {path}: {error}", path = .path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file says what no policy may say.
    #[error("{path}:{line}: {problem}; {remedy} (`trailkeep policy check` shows all findings)", path = .path.display(), line = .first.line, problem = .first.problem, remedy = .first.remedy)]
    Findings {
        /// Which.
        path: PathBuf,
        /// The first finding.
        first: Finding,
    },
    /// They do not stand together.
    #[error(transparent)]
    Set(#[from] PolicySetError),
    /// A changed file with an old version.
    #[error(
        "policy `{id}` was changed, and its version {version} is not above {stated}, which the ledger {origin} states: raise `version`"
    )]
    Version {
        /// The policy.
        id: String,
        /// The file's version.
        version: u32,
        /// The version stated.
        stated: u32,
        /// The ledger.
        origin: String,
    },
    /// A changed file that lowers a legal minimum.
    #[error("the policy `{id}`, version {version}: {problem}; {remedy}", id = .id, version = .version, problem = .lowered.problem, remedy = .lowered.remedy)]
    Lowered {
        /// The policy.
        id: String,
        /// The file's version.
        version: u32,
        /// What it lowers first.
        lowered: Lowered,
    },
    /// A change could not be recorded.
    #[error("the change of a policy could not be recorded: {0}")]
    Record(Box<AppendError>),
}

/// The shipped policies, with those of a directory (`*.toml`) in the place of their namesakes.
pub fn load(directory: Option<&Path>) -> Result<PolicySet, PoliciesError> {
    let shipped = PolicySet::shipped()?;
    let Some(directory) = directory else {
        return Ok(shipped);
    };
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| PoliciesError::Read { path, error }
    };
    let mut overriding = Vec::new();
    for found in fs::read_dir(directory).map_err(failed(directory))? {
        let path = found.map_err(failed(directory))?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = read_named_text(&path).map_err(failed(&path))?;
        match lint::check(&text) {
            Ok(policy) => overriding.push(policy),
            Err(mut findings) => {
                let first = findings.swap_remove(0);
                return Err(PoliciesError::Findings { path, first });
            }
        }
    }
    Ok(shipped.with(&overriding)?)
}

/// States in each ledger what changed in the policies that it has stated.
pub(crate) fn state_changes(journal: &Journal) -> Result<(), PoliciesError> {
    for tenant in journal.tenants() {
        let ledger = tenant.active();
        // One that was rolled back takes no entry, and states them when it goes on.
        if ledger.rolled_back().is_none() {
            state_changes_in(journal, ledger)?;
        }
    }
    Ok(())
}

/// The same in one ledger.
pub(crate) fn state_changes_in(journal: &Journal, ledger: &Ledger) -> Result<(), PoliciesError> {
    for stated in ledger.classes.last_stated() {
        let current = journal
            .policies
            .iter()
            .find(|policy| policy.id == stated.id);
        state_change(journal, ledger, &stated, current)?;
    }
    Ok(())
}

fn state_change(
    journal: &Journal,
    ledger: &Ledger,
    stated: &LastStated,
    current: Option<&Arc<Policy>>,
) -> Result<(), PoliciesError> {
    let record = |error| PoliciesError::Record(Box::new(error));
    match current {
        Some(policy) if policy.sha256 != stated.sha256 => {
            if policy.version <= stated.version {
                return Err(PoliciesError::Version {
                    id: policy.id.clone(),
                    version: policy.version,
                    stated: stated.version,
                    origin: ledger.record.origin.to_string(),
                });
            }
            check_not_lowered(ledger, stated, policy)?;
            state_policy(journal, ledger, policy, |policy| {
                SystemEvent::PolicyChange { policy }
            })
            .map_err(record)
        }
        None if !stated.is_dropped => {
            let Some(policy) = ledger.classes.policy(&stated.sha256) else {
                return Ok(());
            };
            let event = SystemEvent::PolicyDrop {
                policy: policy_section(&policy.policy),
            };
            append_statement(&journal.writer, ledger, event, Statement::Policy).map_err(record)?;
            ledger.classes.set_dropped(&stated.id);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A file of the operator's does not lower the legal minimum that the ledger states. What a release ships was
/// looked at by those who made it, and must not keep a server from starting.
fn check_not_lowered(
    ledger: &Ledger,
    stated: &LastStated,
    policy: &Policy,
) -> Result<(), PoliciesError> {
    let is_shipped = SHIPPED.iter().any(|(_, text)| *text == policy.text);
    let Some(before) = ledger.classes.policy(&stated.sha256) else {
        return Ok(());
    };
    let mut found = lowered(&before.policy, policy);
    if is_shipped || found.is_empty() {
        return Ok(());
    }
    Err(PoliciesError::Lowered {
        id: policy.id.clone(),
        version: policy.version,
        lowered: found.swap_remove(0),
    })
}
