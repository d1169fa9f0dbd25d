//! Withdrawing a version, which keeps its text, and erasing it, which destroys text and hash.

use super::{PromptError, act, prompt_of, required_reason, state, version_of};
use crate::journal::Journal;
use crate::keys::keyring::KeyError;
use crate::keys::rotation_due;
use crate::keys::rows::Changes;
use crate::tenant::Tenant;
use crate::tenant::prompts::{Act, NotServed, Prompt, PromptText, PromptVersion};
use trailkeep_proof::system::{PromptEndSection, SystemEvent};
use trailkeep_proof::time::UnixMillis;

/// A version that was erased.
#[derive(Clone, Debug)]
pub struct Erased {
    /// The version.
    pub version: PromptVersion,
    /// Whether its bytes may still stand in the vault's log, because another process reads the file: the next
    /// rotation of the vault's keys makes them unreadable.
    pub purge_pending: bool,
}

/// Withdraws a version. The statement is recorded first. The version is no longer served, and its text stays.
pub fn withdraw(
    journal: &Journal,
    tenant: &Tenant,
    (name, number): (&str, u32),
    (reason, by): (&str, &str),
) -> Result<PromptVersion, PromptError> {
    let reason = required_reason(reason)?;
    let _one = journal.locks.creation();
    let prompts = tenant.active().prompts();
    let version = ending(prompt_of(&prompts, name)?, number)?;
    if let Some(act) = &version.withdrawn {
        return Err(over(number, NotServed::Withdrawn, act));
    }
    let version = PromptVersion {
        withdrawn: Some(act(journal, tenant, by, Some(reason))),
        ..version.clone()
    };
    let event = SystemEvent::PromptWithdraw {
        prompt: section(&version),
    };
    let record = tenant.active_record().record();
    let mut changes = Changes::default();
    changes.put(&journal.keyring, record, &version.id, &version)?;
    let version = version.stated(state(journal, tenant, &event, changes)?);
    tenant
        .active()
        .set_prompts(prompts.with_version(version.clone()));
    Ok(version)
}

/// Erases a version. The statement is recorded first. Its text, hash, path and the reason it was registered for are destroyed. Its
/// number stays taken. The vault's keys are rotated within a day, so that no older copy of the vault opens the text.
pub fn erase(
    journal: &Journal,
    tenant: &Tenant,
    (name, number): (&str, u32),
    (reason, by): (&str, &str),
) -> Result<Erased, PromptError> {
    let reason = required_reason(reason)?;
    let _one = journal.locks.creation();
    let prompts = tenant.active().prompts();
    let version = ending(prompt_of(&prompts, name)?, number)?;
    let version = without_text(version, act(journal, tenant, by, Some(reason)));
    let event = SystemEvent::PromptErase {
        prompt: section(&version),
    };
    let record = tenant.active_record().record();
    let mut changes = Changes::default();
    changes.put(&journal.keyring, record, &version.id, &version)?;
    changes.take::<PromptText>(record, &version.id)?;
    let version = version.stated(state(journal, tenant, &event, changes)?);
    tenant
        .active()
        .set_prompts(prompts.with_version(version.clone()));
    rotation_due::set_due(&journal.keyring, journal.clock.wall())?;
    let emptied = journal.keyring.vault().purge().map_err(KeyError::from)?;
    Ok(Erased {
        version,
        purge_pending: !emptied,
    })
}

/// What is kept of a version whose text is destroyed.
pub(super) fn without_text(version: &PromptVersion, erased: Act) -> PromptVersion {
    let mut kept = version.clone();
    kept.path = None;
    kept.secret = None;
    kept.registered.reason = None;
    kept.erased = Some(erased);
    kept
}

/// A version that may end: no label stands for it, and it was not erased.
fn ending(prompt: &Prompt, number: u32) -> Result<&PromptVersion, PromptError> {
    let version = version_of(prompt, number)?;
    if let Some(act) = &version.erased {
        return Err(over(number, NotServed::Erased, act));
    }
    let labels = prompt.labels();
    let in_force = labels.values().find(|made| made.to.has(number));
    match in_force {
        Some(made) => Err(PromptError::InForce {
            version: number,
            label: made.label.to_string(),
        }),
        None => Ok(version),
    }
}

fn over(version: u32, what: NotServed, act: &Act) -> PromptError {
    PromptError::Over {
        version,
        what,
        at: UnixMillis::new(act.at_ms),
    }
}

fn section(version: &PromptVersion) -> PromptEndSection {
    PromptEndSection {
        id: version.id.clone(),
        name: version.name.to_string(),
        version: version.version,
    }
}
