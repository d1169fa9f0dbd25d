//! The vault that a restore takes: the newest that there is, and none from before a rotation.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::govern::replica::directory::files_of;
use crate::govern::replica::{CopyError, Place, check_copy, container, places};
use crate::journal::read::{StoredEvent, open_stored};
use crate::keys::keyring::Keyring;
use crate::ops::restore::{RestoreError, RestoreRequest};
use crate::short_reads::short_reads;
use crate::tenant::DEFAULT_TENANT;
use crate::tenant::deletion::Tombstones;
use crate::tenant::ledger::LedgerKeys;
use trailkeep_crypto::epoch::{self, DirectoryId};
use trailkeep_files::FileError;
use trailkeep_files::directory::DataDirectory;
use trailkeep_files::named::open_named;
use trailkeep_files::private::{open_file, read_file, replace_file};
use trailkeep_ports::{Ledgers, VaultLook};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::entry::{Entry, EntryKind};
use trailkeep_proof::system::{SystemEvent, SystemRead};

/// A vault that was taken over, and opens.
pub(super) struct VaultSource {
    look: VaultLook,
    /// The highest epoch whose key came with it.
    pub(super) newest_epoch: u32,
}

impl VaultSource {
    /// Copies the vault and its keys into the directory that is made, and opens every secret in it.
    pub(super) fn take(
        request: &RestoreRequest,
        unfinished: &DataDirectory,
    ) -> Result<Self, RestoreError> {
        let root = request.root_key.load().map_err(CopyError::from)?;
        let from = request.vault_copy.as_deref();
        let from = from.unwrap_or_else(|| request.from.path());
        let (vault, keys) = (unfinished.vault_db(), unfinished.epoch_key());
        let text = if from.is_file() {
            let file = open_named(from).map_err(|error| io(from, error))?;
            container::read(&mut BufReader::new(file), &vault)?
        } else {
            let (there, keys_there) = files_of(from);
            copy(&there, &vault)?;
            // A data directory that was not closed has its newest changes beside the file.
            let (log, own_log) = (with_suffix(&there, "-wal"), with_suffix(&vault, "-wal"));
            if log.symlink_metadata().is_ok() {
                copy(&log, &own_log)?;
                let id = request.storage.vault_directory_id(&vault)?;
                request.storage.open_vault(&vault, &id)?.close()?;
            }
            read_file(&keys_there)?.ok_or_else(|| missing(&keys_there))?
        };
        let look = check_copy(&*request.storage, &vault, &text, &root)?;
        replace_file(&keys, &mut text.as_slice())?;
        let directory = DirectoryId::parse(&look.directory_id).ok_or(RestoreError::Foreign)?;
        let epochs = epoch::decode(&root, directory, &String::from_utf8_lossy(&text));
        let newest_epoch = epochs
            .map_err(CopyError::from)?
            .last()
            .map_or(0, |last| last.number.0);
        let taken = Self { look, newest_epoch };
        // The backup's own vault may be the newer one.
        let own = request.from.vault_db();
        if request.vault_copy.is_some() && own.exists() {
            taken.refuse_if_newer(request, &own, request.from.path())?;
        }
        Ok(taken)
    }

    /// Looks at the directories that the vault knows as its copy targets, unless a copy was named.
    pub(super) fn refuse_if_a_target_is_newer(
        &self,
        request: &RestoreRequest,
        keyring: &Keyring,
    ) -> Result<(), RestoreError> {
        if request.vault_copy.is_some() {
            return Ok(());
        }
        for place in places(keyring)? {
            if let Place::Directory(path) = place {
                self.refuse_if_newer(request, &files_of(&path).0, &path)?;
            }
        }
        Ok(())
    }

    fn refuse_if_newer(
        &self,
        request: &RestoreRequest,
        other: &Path,
        place: &Path,
    ) -> Result<(), RestoreError> {
        // One that is out of reach or damaged is no better.
        let Ok(other) = request.storage.look_at_vault(other) else {
            return Ok(());
        };
        let age = |look: &VaultLook| (look.highest_epoch, look.changes);
        if other.directory_id == self.look.directory_id && age(&other) > age(&self.look) {
            return Err(RestoreError::NewerVault(place.to_owned()));
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) -> Result<(), RestoreError> {
    let mut file = open_copy(from)?;
    Ok(replace_file(to, &mut file)?)
}

fn open_copy(path: &Path) -> Result<File, RestoreError> {
    if path.symlink_metadata().is_err() {
        return Err(missing(path));
    }
    Ok(open_file(path)?)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn io(path: &Path, error: std::io::Error) -> RestoreError {
    if error.kind() == std::io::ErrorKind::NotFound {
        return missing(path);
    }
    CopyError::io(path, error).into()
}

fn missing(path: &Path) -> RestoreError {
    let hint = "a vault replica is a directory with vault.db and epoch.key, or a file that a command received";
    let path = path.to_owned();
    FileError::Missing { path, hint }.into()
}

/// The ledger records its rotations: a vault of an older epoch would undo one.
pub(super) fn refuse_before_rotation(
    backup: &Ledgers,
    keyring: &Keyring,
    found: u32,
) -> Result<(), RestoreError> {
    // System entries never go.
    let nothing_gone = Tombstones::default();
    for (record, head) in backup.heads()? {
        if record.tenant.as_str() != DEFAULT_TENANT {
            continue;
        }
        keyring.add_system_key(&LedgerKeys::load(keyring, &record)?.system);
        for range in short_reads(0..head.size) {
            for bytes in backup.entries(record.number, range)? {
                let is_system = Entry::decode(&bytes).ok();
                let Some(entry) = is_system.filter(|entry| entry.kind == EntryKind::System) else {
                    continue;
                };
                // One that does not open is a finding of `verify`.
                let Ok(opened) = open_stored(backup, keyring, &record, &nothing_gone, entry.seq)
                else {
                    continue;
                };
                let recorded = rotated_to(&opened);
                if let Some(recorded) = recorded.filter(|recorded| *recorded > found) {
                    return Err(RestoreError::BeforeRotation {
                        origin: record.origin.to_string(),
                        seq: Seq::get(entry.seq),
                        recorded,
                        found,
                    });
                }
            }
        }
    }
    Ok(())
}

/// The epoch of a rotation that an entry records as done.
fn rotated_to(opened: &StoredEvent) -> Option<u32> {
    match opened.system() {
        Ok(SystemRead::Known(event)) => match *event {
            SystemEvent::VaultRotate { vault } if vault.state == "done" => Some(vault.epoch),
            _ => None,
        },
        Ok(SystemRead::Unknown(_)) | Err(_) => None,
    }
}
