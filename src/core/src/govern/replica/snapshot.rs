//! The vault as it is at one moment, in a file beside it that is destroyed after use.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use crate::govern::Custody;
use crate::govern::replica::CopyError;
use crate::govern::replica::directory::hash_of;
use trailkeep_files::private::{destroy_file, open_file, read_file};
use trailkeep_ports::VaultLook;

/// A copy on its way to the targets, with the epoch keys that open it.
pub(crate) struct Snapshot {
    path: PathBuf,
    /// What the vault said of itself.
    pub(crate) look: VaultLook,
    /// Of the vault's file.
    pub(crate) sha256: [u8; 32],
    /// Length of the vault's file.
    pub(crate) bytes: u64,
    /// The text of `epoch.key`.
    pub(crate) epoch_key: Vec<u8>,
    /// The lowest epoch whose key is in it.
    pub(crate) key_epoch: u32,
}

impl Snapshot {
    /// Takes one. The caller keeps [`Locks::keeping`](crate::locks::Locks::keeping), so that the keys are those of this vault.
    pub(crate) fn take(custody: &Custody) -> Result<Self, CopyError> {
        let path = custody.directory.path().join("vault.copy");
        custody.journal.keyring.vault().copy_into(&path)?;
        let mut file = open_file(&path)?;
        let failed = |error| CopyError::io(&path, error);
        let keys = custody.directory.epoch_key();
        let missing = || CopyError::io(&keys, io::ErrorKind::NotFound.into());
        let epochs = custody.journal.keyring.epochs();
        let taken = Self {
            look: custody.storage.look_at_vault(&path)?,
            sha256: hash_of(&mut file).map_err(failed)?,
            bytes: file.metadata().map_err(failed)?.len(),
            epoch_key: read_file(&keys)?.ok_or_else(missing)?,
            key_epoch: epochs.first().map_or(0, |first| first.number.0),
            path: path.clone(),
        };
        let newest = epochs.last().map_or(0, |last| last.number.0);
        if taken.look.lowest_epoch < taken.key_epoch || taken.look.highest_epoch > newest {
            return Err(CopyError::OtherEpoch {
                rows: (taken.look.lowest_epoch, taken.look.highest_epoch),
                keys: (taken.key_epoch, newest),
            });
        }
        Ok(taken)
    }

    /// The vault's file.
    pub(crate) fn open(&self) -> Result<File, CopyError> {
        Ok(open_file(&self.path)?)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Err(error) = destroy_file(&self.path) {
            tracing::warn!(%error, "a temporary copy of the vault was not removed");
        }
    }
}
