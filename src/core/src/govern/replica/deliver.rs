//! Bringing the vault to its replicas, and reading it back.

use crate::govern::Custody;
use crate::govern::replica::CopyError;
use crate::govern::replica::check::check_copy;
use crate::govern::replica::snapshot::Snapshot;
use crate::govern::replica::{Place, command, directory, list, targets};
use crate::journal::Journal;
use trailkeep_crypto::secret::RootKey;
use trailkeep_files::private::destroy_file;
use trailkeep_ports::{CopyState, VaultLook};

/// Whether some target has not all that the vault has.
pub(crate) fn is_behind(custody: &Custody) -> Result<bool, CopyError> {
    Ok(list(custody)?.iter().any(|target| !target.is_current))
}

/// Copies the vault to every target that is not current, while the caller keeps
/// [`Locks::keeping`](crate::locks::Locks::keeping). A target that fails keeps its error.
pub(crate) fn copy_to_all(custody: &Custody) -> Result<(), CopyError> {
    let mut snapshot = None;
    for (id, place) in targets(&custody.journal)? {
        if is_current(&custody.journal, &id)? {
            continue;
        }
        let taken = match snapshot.take() {
            Some(taken) => taken,
            None => Snapshot::take(custody)?,
        };
        keep_state(
            &custody.journal,
            &id,
            put(&custody.journal, &id, &place, &taken),
            &taken,
        )?;
        snapshot = Some(taken);
    }
    Ok(())
}

/// Notes what became of a copy.
pub(crate) fn keep_state(
    journal: &Journal,
    id: &str,
    outcome: Result<(), CopyError>,
    copy: &Snapshot,
) -> Result<(), CopyError> {
    let vault = journal.keyring.vault();
    let now = journal.clock.wall();
    let state = match outcome {
        Ok(()) => CopyState {
            changes: Some(copy.look.changes),
            rows_epoch: Some(copy.look.lowest_epoch),
            key_epoch: Some(copy.key_epoch),
            copied_at: Some(now),
            failed_at: None,
            error: None,
        },
        Err(error) => {
            tracing::warn!(target_id = id, %error, "a vault replica could not be updated");
            let before = vault.copy_state(id)?;
            CopyState {
                failed_at: before.failed_at.or(Some(now)),
                error: Some(error.to_string()),
                ..before
            }
        }
    };
    Ok(vault.set_copy_state(id, &state)?)
}

/// Puts a copy at a target.
pub(crate) fn put(
    journal: &Journal,
    id: &str,
    place: &Place,
    copy: &Snapshot,
) -> Result<(), CopyError> {
    match place {
        Place::Directory(path) => {
            directory::put(path, &journal.keyring.directory().to_string(), id, copy)
        }
        Place::Command(text) => command::put(text, id, copy),
    }
}

/// Reads a target's copy back and opens every secret in it.
pub(crate) fn open_at(
    custody: &Custody,
    id: &str,
    place: &Place,
    root: &RootKey,
) -> Result<VaultLook, CopyError> {
    // SQLite opens by path: never one in a directory that others may write to.
    let vault = custody.directory.path().join("vault.check");
    let keys = match place {
        Place::Directory(path) => directory::get(path, &vault),
        Place::Command(text) => command::get(text, id, &vault),
    };
    let checked = keys.and_then(|keys| check_copy(&*custody.storage, &vault, &keys, root));
    destroy_file(&vault)?;
    checked
}

pub(crate) fn is_current(journal: &Journal, id: &str) -> Result<bool, CopyError> {
    let vault = journal.keyring.vault();
    let state = vault.copy_state(id)?;
    let lowest_key = journal.keyring.epochs().first().map(|first| first.number.0);
    Ok(state.changes == Some(vault.changes()?) && state.key_epoch == lowest_key)
}
