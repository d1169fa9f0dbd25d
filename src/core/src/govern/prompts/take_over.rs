//! What a vault that lacks statements about prompts takes over from them. They say no text, and not who did it and why.

use super::end::without_text;
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::tenant::prompts::{Act, Experiment, LabelMove, PromptText, PromptVersion, Prompts};
use trailkeep_ports::LedgerRecord;
use trailkeep_proof::prompts::{Label, PromptName, Unit, Variants};
use trailkeep_proof::system::{PromptEndSection, PromptLabelSection, PromptVersionSection};

/// The entry and the time of a statement.
type At = (u64, u64);

/// Keeps the number of a version taken. Its text is lost, so it is not taken over: always `false`.
pub(crate) fn take_over_version(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    stated: &PromptVersionSection,
    at: At,
) -> Result<bool, KeyError> {
    let Ok(name) = PromptName::parse(&stated.name) else {
        return Ok(false);
    };
    let prompts = Prompts::load(keyring, ledger)?;
    if prompts.knows(name.as_str(), Some(stated.version)) {
        return Ok(false);
    }
    let version = PromptVersion {
        id: stated.id.clone(),
        name,
        version: stated.version,
        size: stated.size,
        parent: stated.parent,
        git_commit: stated.git_commit.clone(),
        path: None,
        secret: None,
        registered: Act::taken_over(at, ledger),
        withdrawn: None,
        erased: None,
    };
    records::put(keyring, ledger, &version.id, &version)?;
    Ok(false)
}

/// Moves a label as a statement says; `false` where it is not understood.
pub(crate) fn take_over_move(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    stated: &PromptLabelSection,
    at: At,
) -> Result<bool, KeyError> {
    let parts = (
        PromptName::parse(&stated.name),
        Label::parse(&stated.label),
        Variants::new(stated.to.clone()),
        Unit::parse(&stated.unit),
    );
    let (Ok(name), Ok(label), Ok(to), Some(unit)) = parts else {
        return Ok(false);
    };
    let prompts = Prompts::load(keyring, ledger)?;
    let Some(prompt) = prompts.get(name.as_str()) else {
        return Ok(false);
    };
    if prompt.next_move() > stated.number {
        return Ok(false);
    }
    let own = || ledger.origin.to_string();
    let experiment = to.are_several().then(|| Experiment {
        seq: stated.experiment.unwrap_or(at.0),
        ledger: stated.ledger.clone().unwrap_or_else(own),
    });
    for number in &stated.restores {
        if let Some(version) = prompt.version(*number) {
            let restored = PromptVersion {
                withdrawn: None,
                ..version.clone()
            };
            records::put(keyring, ledger, &restored.id, &restored)?;
        }
    }
    let made = LabelMove {
        id: stated.id.clone(),
        name,
        label,
        number: stated.number,
        from: stated.from.clone(),
        to,
        unit,
        experiment,
        rollback: stated.rollback,
        restores: stated.restores.clone(),
        moved: Act::taken_over(at, ledger),
    };
    records::put(keyring, ledger, &made.id, &made)?;
    Ok(true)
}

/// Withdraws a version; `false` where the vault does not know it.
pub(crate) fn take_over_end(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    stated: &PromptEndSection,
    at: At,
) -> Result<bool, KeyError> {
    change(keyring, ledger, stated, |version| PromptVersion {
        withdrawn: Some(Act::taken_over(at, ledger)),
        ..version.clone()
    })
}

/// Destroys again what a statement destroyed: an older vault brought it back.
pub(crate) fn take_over_erasure(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    stated: &PromptEndSection,
    at: At,
) -> Result<bool, KeyError> {
    let erased = |version: &PromptVersion| without_text(version, Act::taken_over(at, ledger));
    let is_known = change(keyring, ledger, stated, erased)?;
    records::move_away::<PromptText>(keyring, ledger, &stated.id)?;
    Ok(is_known)
}

fn change(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    stated: &PromptEndSection,
    change: impl FnOnce(&PromptVersion) -> PromptVersion,
) -> Result<bool, KeyError> {
    let prompts = Prompts::load(keyring, ledger)?;
    let prompt = prompts.get(&stated.name);
    let version = prompt.and_then(|prompt| prompt.version(stated.version));
    let Some(version) = version.filter(|version| version.id == stated.id) else {
        return Ok(false);
    };
    let changed = change(version);
    records::put(keyring, ledger, &changed.id, &changed)?;
    Ok(true)
}
