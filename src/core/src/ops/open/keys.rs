//! Opening the vault and what seals it, without the other files.

use std::sync::Arc;

use crate::keys::keyring::Keyring;
use crate::ops::open::OpenError;
use trailkeep_crypto::epoch::{self, DirectoryId};
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::FileError;
use trailkeep_files::directory::DataDirectory;
use trailkeep_files::private::read_own_file;
use trailkeep_ports::{Storage, StoreError};

/// A backup that took events would be a second ledger of the same name.
pub(crate) fn refuse_a_backup(directory: &DataDirectory) -> Result<(), OpenError> {
    if directory.is_backup() {
        return Err(OpenError::Backup(directory.path().to_owned()));
    }
    Ok(())
}

/// Opens the vault and what seals it, without the other files.
pub(crate) fn open_keys(
    storage: &dyn Storage,
    directory: &DataDirectory,
    root_key: &RootKeySource,
) -> Result<(Keyring, String), OpenError> {
    let id = storage.vault_directory_id(&directory.vault_db())?;
    let damaged = |what: &str| StoreError::Damaged {
        path: directory.vault_db(),
        what: what.to_owned(),
        hint: "restore the newest vault.db with its epoch.key",
    };
    let directory_id = DirectoryId::parse(&id).ok_or_else(|| damaged("names no data directory"))?;
    let path = directory.epoch_key();
    let text = read_own_file(&path)?.ok_or_else(|| FileError::Missing {
        path: path.clone(),
        hint: "without it the vault cannot be opened: restore the epoch.key that belongs to this vault",
    })?;
    let epochs = epoch::decode(
        &root_key.load()?,
        directory_id,
        &String::from_utf8_lossy(&text),
    )?;
    let vault = Arc::new(storage.open_vault(&directory.vault_db(), &id)?);
    let keyring = Keyring::new(vault, directory_id, epochs);
    keyring.keep_sums()?;
    Ok((keyring, id))
}
