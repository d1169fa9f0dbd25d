//! Backing up beside a running server: the ledgers first, by ranges, then the vault with its epoch keys.
//!
//! A backup is a directory that grows with the ledger. It holds `ledger.db` up to one signed head of each ledger,
//! `vault.db` and `epoch.key` of the same moment, and `backup.json`. index.db is derived again by a restore.
//! While one is made nothing is destroyed; what was destroyed before it is gone from the backup when it ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::failpoint::FailPoint;
use crate::govern::Custody;
use crate::govern::replica::{CopyError, Snapshot};
use crate::journal::Journal;
use crate::journal::append::AppendError;
use crate::journal::append::operator::record_for_operator;
use crate::keys::backups::LastBackup;
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::ops::open::{OpenError, open_keys};
use crate::tenant::ledger::ReadTileError;
use crate::tenant::ledger::read_edge;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_files::FileError;
use trailkeep_files::directory::{DataDirectory, DirectoryLock, foreign_name};
use trailkeep_files::private::{put_beside, read_file, take_place, write_private_file};
use trailkeep_ports::{Copied, Head, LedgerCopy, Ledgers, Storage, StoreError, Watermark};
use trailkeep_proof::ids::hex;
use trailkeep_proof::system::{BackupSection, SystemEvent};

/// What a backup says of itself, in `backup.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackupNote {
    /// `trailkeep/backup/v1`.
    pub format: String,
    /// Its random id, which statements and certificates name; none until a run of a later version gives it one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The data directory's id.
    pub directory: String,
    /// When it was last brought up to date (RFC 3339, UTC); none: it never was, or not to the end.
    pub made_at: Option<String>,
    /// Its ledgers, with the size of each.
    pub ledgers: Vec<BackedUp>,
    /// The epoch that sealed.
    pub epoch: u32,
}

/// A ledger in a backup.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BackedUp {
    /// Its origin.
    pub origin: String,
    /// Its entries.
    pub size: u64,
}

/// What a run did.
#[derive(Clone, Debug)]
pub struct BackupSummary {
    /// Where it is.
    pub out: String,
    /// Entries that were new.
    pub new_entries: u64,
    /// Payloads that were new, or sealed anew.
    pub new_payloads: u64,
    /// Payloads that were destroyed since the last run, and are gone from the backup now.
    pub gone_payloads: u64,
    /// What the backup holds.
    pub note: BackupNote,
}

/// Why there is no backup. An earlier one in the same place is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The directory is no place for it.
    #[error("{path}: {what}", path = .0.display(), what = .1)]
    BadPlace(PathBuf, &'static str),
    /// The directory has other files.
    #[error(
        "{path} is neither empty nor a backup: it has {found}; choose an empty directory",
        path = .0.display(), found = .1.display()
    )]
    NotEmpty(PathBuf, PathBuf),
    /// The backup has another history.
    #[error(
        "the backup's ledger {0} is not a prefix of this one: it has another history; keep it, and choose an empty directory"
    )]
    AnotherHistory(String),
    /// It could not be recorded, so it was not done.
    #[error("nothing was changed, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// The vault could not be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A tile is missing.
    #[error(transparent)]
    Tile(#[from] ReadTileError),
    /// That it was made could not be noted.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FileError> for BackupError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

/// Makes a backup, or brings one up to date. `progress` hears how many entries of how many are done.
pub fn backup(
    custody: &Custody,
    out: &Path,
    by: &str,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BackupSummary, BackupError> {
    let (directory, own_id) = prepare(custody, out)?;
    let _lock = directory.lock()?;
    let _nothing_is_destroyed = custody.journal.locks.no_destruction();
    let event = SystemEvent::Backup {
        backup: BackupSection {
            by: by.to_owned(),
            id: Some(own_id.clone()),
        },
    };
    match record_for_operator(&custody.journal, &event) {
        // What is left of a ledger that was rolled back must be saved, too.
        Err(error @ AppendError::RolledBack) => {
            tracing::warn!(%error, "the backup is not recorded");
        }
        recorded => recorded.map_err(|error| BackupError::Record(Box::new(error)))?,
    }
    let id = custody.journal.keyring.directory().to_string();
    let copy = custody.journal.ledgers.copy_to(&directory, &id)?;
    check_history(&custody.journal, &*copy)?;
    let heads = custody.journal.ledgers.heads()?;
    let added = copy.add(&heads, progress)?;
    FailPoint::BackupRowsAdded.reach();

    // The vault comes after the entries were read, so it has the keys of all of them.
    let keeping = custody.journal.locks.keeping();
    let snapshot = Snapshot::take(custody)?;
    let (vault, keys) = (directory.vault_db(), directory.epoch_key());
    let new_vault = put_beside(&vault, &mut snapshot.open()?)?;
    let mac = custody.journal.keyring.row_key()?;
    let mac = mac.ok_or(StoreError::Unguarded)?;
    let marks = marks_of(&custody.journal, &heads);
    custody
        .storage
        .mark_vault_copy(&new_vault.path(), &*mac, &marks)?;
    let new_keys = put_beside(&keys, &mut snapshot.epoch_key.as_slice())?;
    FailPoint::BackupVaultBeside.reach();
    let changed = copy.finish(&heads)?;
    FailPoint::BackupLedgersDone.reach();
    take_place(&keys, new_keys)?;
    take_place(&vault, new_vault)?;
    drop(keeping);
    copy.close()?;
    let note = BackupNote {
        made_at: Some(custody.journal.clock.wall().to_string()),
        ledgers: heads.iter().map(backed_up).collect(),
        epoch: snapshot.look.highest_epoch,
        ..new_note(&id, own_id.clone())
    };
    write_note(&directory, &note)?;
    let made_at_ms = custody.journal.clock.wall().get();
    records::put_own_note(
        &custody.journal.keyring,
        &own_id,
        &LastBackup { made_at_ms },
    )?;
    Ok(summary(&directory, note, added, changed))
}

fn backed_up((record, head): &Head) -> BackedUp {
    BackedUp {
        origin: record.origin.to_string(),
        size: head.size,
    }
}

fn summary(
    directory: &DataDirectory,
    note: BackupNote,
    added: Copied,
    changed: Copied,
) -> BackupSummary {
    BackupSummary {
        out: directory.path().display().to_string(),
        new_entries: added.entries,
        new_payloads: added.payloads + changed.payloads,
        gone_payloads: changed.payloads_gone,
        note,
    }
}

fn marks_of(
    journal: &Journal,
    heads: &[Head],
) -> Vec<(trailkeep_proof::ids::LedgerNumber, Watermark)> {
    let seen_at = journal.clock.wall();
    let mark = |(record, head): &Head| {
        let mark = Watermark {
            size: head.size,
            root: head.root,
            seen_at,
        };
        (record.number, mark)
    };
    heads.iter().map(mark).collect()
}

/// Why the directory could not be made. In a container or a unit the server sees another disk than who asked for the backup.
fn not_made(out: &Path, error: FileError) -> BackupError {
    match error {
        FileError::Io { error, .. } if error.kind() == std::io::ErrorKind::ReadOnlyFilesystem => {
            BackupError::BadPlace(
                out.to_owned(),
                "it is read-only for the process that writes the backup, which is the server while it runs: mount the \
                 disk into the server's container, or name it in `ReadWritePaths=` of the server's unit",
            )
        }
        other => other.into(),
    }
}

/// An empty directory becomes a backup; one of this data directory is gone on with; any other is refused.
/// Gives it with its id.
fn prepare(custody: &Custody, out: &Path) -> Result<(DataDirectory, String), BackupError> {
    let bad = |what| Err(BackupError::BadPlace(out.to_owned(), what));
    if !out.is_absolute() {
        return bad("the path must be absolute");
    }
    // A parent that is missing is a disk that is not mounted: it is not made up on the disk that is.
    let Some(parent) = out.parent().and_then(|parent| parent.canonicalize().ok()) else {
        return bad("its parent directory does not exist: mount the disk, or create it");
    };
    let own = custody.directory.path().canonicalize();
    if own.is_ok_and(|own| {
        parent.starts_with(&own) || out.canonicalize().is_ok_and(|out| out.starts_with(&own))
    }) {
        return bad("a backup inside the data directory is lost with it: choose another disk");
    }
    // A link that leads nowhere is there, too.
    if out.symlink_metadata().is_ok() && !out.is_dir() {
        return bad(
            "it is no directory: name an empty directory, or an earlier backup of this data directory",
        );
    }
    let directory = DataDirectory::new(out);
    directory.create().map_err(|error| not_made(out, error))?;
    let id = custody.journal.keyring.directory().to_string();
    let mut note = if directory.is_backup() {
        match read_note(&directory) {
            Some(note) if note.directory == id => note,
            Some(_) => return bad("it is the backup of another data directory"),
            None => return bad("its backup.json is not readable: choose an empty directory"),
        }
    } else {
        if let Some(found) = foreign_name(out, &[])? {
            return Err(BackupError::NotEmpty(out.to_owned(), found));
        }
        new_note(&id, new_id()?)
    };
    let own_id = match note.id.take() {
        Some(own_id) => own_id,
        None => new_id()?,
    };
    note.id = Some(own_id.clone());
    write_note(&directory, &note)?;
    if !directory.ledger_db().exists() {
        custody.storage.create_ledgers(&directory, &id)?;
    }
    Ok((directory, own_id))
}

fn new_id() -> Result<String, KeyError> {
    Ok(hex(&random_bytes::<8>()?))
}

fn new_note(id: &str, own_id: String) -> BackupNote {
    BackupNote {
        format: "trailkeep/backup/v1".to_owned(),
        id: Some(own_id),
        directory: id.to_owned(),
        made_at: None,
        ledgers: Vec::new(),
        epoch: 0,
    }
}

fn write_note(directory: &DataDirectory, note: &BackupNote) -> Result<(), StoreError> {
    let text = serde_json::to_vec_pretty(note).expect("strings and numbers have a JSON form");
    Ok(write_private_file(&directory.backup_json(), &text)?)
}

/// What a backup says of itself.
pub fn read_note(directory: &DataDirectory) -> Option<BackupNote> {
    let text = read_file(&directory.backup_json()).ok()??;
    let note: BackupNote = serde_json::from_slice(&text).ok()?;
    (note.format == "trailkeep/backup/v1").then_some(note)
}

/// What the backup has must be the beginning of what there is.
fn check_history(journal: &Journal, copy: &dyn LedgerCopy) -> Result<(), BackupError> {
    let here = journal.ledgers.heads()?;
    for (record, head) in copy.heads()? {
        let known = here.iter().find(|(known, _)| known.origin == record.origin);
        let is_beginning = known.is_some_and(|(_, now)| now.size >= head.size)
            && read_edge(&journal.ledgers, record.number, head.size)?.root() == head.root;
        if !is_beginning {
            return Err(BackupError::AnotherHistory(record.origin.to_string()));
        }
    }
    Ok(())
}

/// A backup, open for verifying: without an index, which a restore derives.
pub struct OpenBackup {
    /// Entries and payloads.
    pub ledgers: Ledgers,
    /// Keys, over the vault.
    pub keyring: Arc<Keyring>,
    _lock: DirectoryLock,
}

/// Opens a backup.
pub fn open_backup(
    storage: &dyn Storage,
    directory: &DataDirectory,
    root_key: &RootKeySource,
) -> Result<OpenBackup, OpenError> {
    let lock = directory.lock()?;
    let (keyring, id) = open_keys(storage, directory, root_key)?;
    Ok(OpenBackup {
        ledgers: storage.open_ledgers(directory, &id)?,
        keyring: Arc::new(keyring),
        _lock: lock,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;

    #[test]
    fn a_read_only_disk_is_said_to_be_the_servers() {
        let said = |kind: ErrorKind| {
            let path = Path::new("/backup/trailkeep");
            not_made(path, trailkeep_files::io_error(path, kind.into())).to_string()
        };
        let read_only = said(ErrorKind::ReadOnlyFilesystem);
        assert!(read_only.contains("ReadWritePaths="), "{read_only}");
        let other = said(ErrorKind::PermissionDenied);
        assert!(!other.contains("ReadWritePaths="), "{other}");
    }
}
