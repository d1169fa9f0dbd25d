//! Backing up beside a running server: the ledgers first, by ranges, then the vault with its epoch keys.
//!
//! A backup is a directory that grows with the ledger. It holds `ledger.db` up to one signed head of each ledger,
//! `vault.db` and `epoch.key` of the same moment, and `backup.json`. index.db is derived again by a restore.
//! While one is made nothing is destroyed; what was destroyed before it is gone from the backup when it ends.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Engine;
use super::append::AppendError;
use super::failpoint::FailPoint;
use super::keyring::{KeyError, Keyring};
use super::ledger::ReadTileError;
use super::open::{OpenError, open_keys, read_edge};
use super::records::{self, Record};
use super::vault_copy::{CopyError, Snapshot, record_for_operator};
use trailkeep_crypto::root::RootKeySource;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_ports::directory::{DataDirectory, DirectoryLock, foreign_name};
use trailkeep_ports::files::{put_beside, read_file, take_place, write_private_file};
use trailkeep_ports::{Copied, Head, LedgerCopy, Ledgers, Storage, StoreError, Watermark};
use trailkeep_proof::ids::hex;
use trailkeep_proof::ledger::action::SystemAction;
use trailkeep_proof::privacy::certificate::Backup;
use trailkeep_proof::time::UnixMillis;

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
#[derive(Clone, Debug, Serialize)]
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
    #[serde(flatten)]
    pub note: BackupNote,
}

/// The record of a backup that has no id of its own.
const ID: &str = "backup";

/// That a backup was made to its end; the record's id is the backup's.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct LastBackup {
    made_at_ms: u64,
}

impl Record for LastBackup {
    const KIND: &'static str = "backup-last";
    const WHAT: &'static str = "the note of the last backup";
}

/// When the last backup came to its end.
pub fn last_made_at(engine: &Engine) -> Result<Option<UnixMillis>, KeyError> {
    let made = records::all_own::<LastBackup>(&engine.keyring)?;
    let last = made.iter().map(|(_, last)| last.made_at_ms).max();
    Ok(last.map(UnixMillis::new))
}

/// The backups that there are, each with its last run: they may hold what is destroyed now.
pub(super) fn known(engine: &Engine) -> Result<Vec<Backup>, KeyError> {
    let made = records::all_own::<LastBackup>(&engine.keyring)?.into_iter();
    let backup = |(id, last): (String, LastBackup)| Backup {
        id: Some(id).filter(|id| id != ID),
        made_at: UnixMillis::new(last.made_at_ms).to_string(),
        overwritten_at: None,
    };
    Ok(made.map(backup).collect())
}

/// Notes of backups when a run after a moment took out of them what was destroyed by then.
pub(super) fn note_overwritten(
    engine: &Engine,
    backups: &mut [Backup],
    gone_at: UnixMillis,
) -> Result<(), KeyError> {
    let made = records::all_own::<LastBackup>(&engine.keyring)?;
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

/// Makes a backup, or brings one up to date. `progress` hears how many entries of how many are done.
pub fn backup(
    engine: &Engine,
    out: &Path,
    by: &str,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BackupSummary, BackupError> {
    let (directory, own_id) = prepare(engine, out)?;
    let _lock = directory.lock()?;
    let _nothing_is_destroyed = engine.destruction();
    let said = json!({"by": by, "id": own_id});
    match record_for_operator(engine, SystemAction::Backup, "backup", &said) {
        // What is left of a ledger that was rolled back must be saved, too.
        Err(error @ AppendError::RolledBack) => {
            tracing::warn!(%error, "the backup is not recorded");
        }
        recorded => recorded.map_err(|error| BackupError::Record(Box::new(error)))?,
    }
    let id = engine.keyring.directory().to_string();
    let copy = engine.ledgers.copy_to(&directory, &id)?;
    check_history(engine, &*copy)?;
    let heads = engine.ledgers.heads()?;
    let added = copy.add(&heads, progress)?;
    FailPoint::BackupRowsAdded.reach();

    // The vault comes after the entries were read, so it has the keys of all of them.
    let keeping = engine.keeping();
    let snapshot = Snapshot::take(engine)?;
    let (vault, keys) = (directory.vault_db(), directory.epoch_key());
    let new_vault = put_beside(&vault, &mut snapshot.open()?)?;
    let mac = engine.keyring.row_key()?;
    let mac = mac.ok_or(StoreError::Unguarded)?;
    let marks = marks_of(engine, &heads);
    engine
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
        made_at: Some(engine.clock.wall().to_string()),
        ledgers: heads.iter().map(backed_up).collect(),
        epoch: snapshot.look.highest_epoch,
        ..new_note(&id, own_id.clone())
    };
    write_note(&directory, &note)?;
    let made_at_ms = engine.clock.wall().get();
    records::put_own_note(&engine.keyring, &own_id, &LastBackup { made_at_ms })?;
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
    engine: &Engine,
    heads: &[Head],
) -> Vec<(trailkeep_proof::ids::LedgerNumber, Watermark)> {
    let seen_at = engine.clock.wall();
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

/// An empty directory becomes a backup; one of this data directory is gone on with; any other is refused.
/// Gives it with its id.
fn prepare(engine: &Engine, out: &Path) -> Result<(DataDirectory, String), BackupError> {
    let bad = |what| Err(BackupError::BadPlace(out.to_owned(), what));
    if !out.is_absolute() {
        return bad("the path must be absolute");
    }
    // A parent that is missing is a disk that is not mounted: it is not made up on the disk that is.
    let Some(parent) = out.parent().and_then(|parent| parent.canonicalize().ok()) else {
        return bad("its parent directory does not exist: mount the disk, or create it");
    };
    let own = engine.directory.path().canonicalize();
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
    directory.create()?;
    let id = engine.keyring.directory().to_string();
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
        engine.storage.create_ledgers(&directory, &id)?;
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
    write_private_file(&directory.backup_json(), &text)
}

/// What a backup says of itself.
pub fn read_note(directory: &DataDirectory) -> Option<BackupNote> {
    let text = read_file(&directory.backup_json()).ok()??;
    let note: BackupNote = serde_json::from_slice(&text).ok()?;
    (note.format == "trailkeep/backup/v1").then_some(note)
}

/// What the backup has must be the beginning of what there is.
fn check_history(engine: &Engine, copy: &dyn LedgerCopy) -> Result<(), BackupError> {
    let here = engine.ledgers.heads()?;
    for (record, head) in copy.heads()? {
        let known = here.iter().find(|(known, _)| known.origin == record.origin);
        let is_beginning = known.is_some_and(|(_, now)| now.size >= head.size)
            && read_edge(&engine.ledgers, record.number, head.size)?.root() == head.root;
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
