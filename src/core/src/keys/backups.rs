//! What the vault remembers of backups: when each was last brought up to date.

use serde::{Deserialize, Serialize};

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use trailkeep_proof::privacy::certificate::Backup;
use trailkeep_proof::time::UnixMillis;

/// The record of a backup that has no id of its own.
const ID: &str = "backup";

/// That a backup was made to its end; the record's id is the backup's.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LastBackup {
    pub(crate) made_at_ms: u64,
}

impl Record for LastBackup {
    const KIND: &'static str = "backup-last";
    const WHAT: &'static str = "the note of the last backup";
}

/// When the last backup came to its end.
pub(crate) fn last_made_at(keyring: &Keyring) -> Result<Option<UnixMillis>, KeyError> {
    let made = records::all_own::<LastBackup>(keyring)?;
    let last = made.iter().map(|(_, last)| last.made_at_ms).max();
    Ok(last.map(UnixMillis::new))
}

/// The backups that there are, each with its last run: they may hold what is destroyed now.
pub(crate) fn known(keyring: &Keyring) -> Result<Vec<Backup>, KeyError> {
    let made = records::all_own::<LastBackup>(keyring)?.into_iter();
    let backup = |(id, last): (String, LastBackup)| Backup {
        id: Some(id).filter(|id| id != ID),
        made_at: UnixMillis::new(last.made_at_ms).to_string(),
        overwritten_at: None,
    };
    Ok(made.map(backup).collect())
}

/// Notes of backups when a run after a moment took out of them what was destroyed by then.
pub(crate) fn note_overwritten(
    keyring: &Keyring,
    backups: &mut [Backup],
    gone_at: UnixMillis,
) -> Result<(), KeyError> {
    let made = records::all_own::<LastBackup>(keyring)?;
    for backup in backups
        .iter_mut()
        .filter(|one| one.overwritten_at.is_none())
    {
        let last = made.iter().find(|(id, _)| Some(id) == backup.id.as_ref());
        let last = last.map(|(_, last)| last.made_at_ms);
        let after = last.filter(|made_at_ms| *made_at_ms > gone_at.get());
        backup.overwritten_at = after.map(|at| UnixMillis::new(at).to_string());
    }
    Ok(())
}
