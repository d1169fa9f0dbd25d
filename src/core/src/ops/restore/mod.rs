//! Restoring a data directory from a backup and the newest copy of the vault.
//!
//! The vault decides: what it saw of a ledger and the backup has not is lost, and the ledger is closed at the
//! backup's head and never signed again; the next one, `<tenant>.2`, begins with a genesis that names that head.
//! Nothing is destroyed after a restore until somebody has reviewed the holds ([`resume`]).

mod lacking;
mod recover;
mod source;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::destroy::keys::destroy_again;
use crate::destroy::pause::{DestructionPaused, pause};
use crate::govern::create_ledger::CreateLedgerError;
use crate::govern::replica::CopyError;
use crate::govern::{bind, creation};
use crate::journal::append::operator::record_for_operator;
use crate::keys::keyring::{KeyError, Keyring};
use crate::ops::open::OpenError;
use crate::ops::open::{Files, StartOptions, open_keys};
use crate::ops::rebuild_index;
use crate::ops::restore::source::VaultSource;
use crate::tenant::ledger::ReadTileError;
use crate::tenant::superseded_at;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::FileError;
use trailkeep_files::directory::{DataDirectory, foreign_name};
use trailkeep_ports::{Storage, StoreError};
use trailkeep_proof::ids::RootHash;
use trailkeep_proof::system::{LackedStatement, RestoreSection, RestoredLedger, SystemEvent};
use trailkeep_proof::time::Clock;

/// Where the files are made before they are moved to their places, `epoch.key` last.
const UNFINISHED: &str = "restore.unfinished";

/// What is restored, and to where.
pub struct RestoreRequest {
    /// The engine that the backup is in, and what is made.
    pub storage: Arc<dyn Storage>,
    /// A backup.
    pub from: DataDirectory,
    /// The data directory that is made: absent, or empty but for `root.key`.
    pub to: DataDirectory,
    /// A copy of the vault: a target's directory, or a file with what a command was given. None: the backup's own.
    pub vault_copy: Option<PathBuf>,
    /// The root key.
    pub root_key: RootKeySource,
    /// Close ledgers that the backup has in an older state than the vault saw, and begin the next ones.
    pub continue_older: bool,
}

/// What was restored.
#[derive(Clone, Debug, Serialize)]
pub struct Restored {
    /// The ledgers.
    pub ledgers: Vec<RestoredLedger>,
    /// Events whose text can be read.
    pub events: u64,
    /// Events whose key is in this vault no more: `verify` lists them as `key-missing`.
    pub keys_missing: u64,
    /// Statements of the ledgers whose changes the vault lacked.
    pub vault_lacked: Vec<LackedStatement>,
    /// Why the restore is no entry of the ledger, or what was destroyed since the vault's copy is not destroyed again.
    pub not_recorded: Option<String>,
}

/// Why nothing was restored. The target directory is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The target is no place for it.
    #[error("{path} {what}: nothing was changed; choose an empty directory", path = .0.display(), what = .1)]
    BadPlace(PathBuf, &'static str),
    /// The target has other files.
    #[error(
        "{path} is not empty: it has {found}; nothing was changed; choose an empty directory",
        path = .0.display(), found = .1.display()
    )]
    NotEmpty(PathBuf, PathBuf),
    /// The source has no ledger.
    #[error("{path} is not a backup: it has no ledger.db", path = .0.display())]
    NoBackup(PathBuf),
    /// The vault belongs to another data directory.
    #[error("the vault replica and the backup are from different data directories")]
    Foreign,
    /// There is a newer vault.
    #[error(
        "{path} has a newer vault: an older one brings back what was destroyed or revoked since, and lacks newer keys. \
         Use --vault-replica {path}",
        path = .0.display()
    )]
    NewerVault(PathBuf),
    /// The vault is from before a rotation that the ledger recorded.
    #[error(
        "the vault replica is from before a rotation: the ledger records epoch {recorded} (seq {seq} of {origin}), \
         and the replica has epoch {found}. It would bring back what was destroyed then; give a newer one with --vault-replica"
    )]
    BeforeRotation {
        /// Which ledger says so.
        origin: String,
        /// In which entry.
        seq: u64,
        /// The epoch that was recorded.
        recorded: u32,
        /// The epoch of the copy.
        found: u32,
    },
    /// The backup is older than what the vault saw.
    #[error(
        "the backup is older than the vault:\n{}\nRestore a newer backup; if there is none, --continue supersedes these \
         ledgers where the backup ends, and creates their successors. The entries between are lost, and the ledgers record it",
        describe(.0)
    )]
    Older(Vec<RestoredLedger>),
    /// The ledger is another one than the vault saw.
    #[error("the ledger {0} is not the one that the vault knows: keep both for an investigation")]
    AnotherHistory(String),
    /// The vault can't be used.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// A directory can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A ledger can't be begun.
    #[error(transparent)]
    Found(#[from] CreateLedgerError),
    /// A secret does not open.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A tile is missing.
    #[error(transparent)]
    Tile(#[from] ReadTileError),
    /// A file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FileError> for RestoreError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

fn describe(ledgers: &[RestoredLedger]) -> String {
    let lines = ledgers.iter().map(|ledger| {
        let (origin, size, seen) = (&ledger.origin, ledger.size, ledger.seen);
        format!(
            "  {origin}: the backup has {size} entries, the vault knows {seen}: {} are lost",
            seen - size
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Restores. `progress` hears how many entries of how many are done.
pub fn restore(
    request: &RestoreRequest,
    clock: &Arc<dyn Clock>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Restored, RestoreError> {
    let (from, to) = (&request.from, &request.to);
    if !from.ledger_db().exists() {
        return Err(RestoreError::NoBackup(from.path().to_owned()));
    }
    let _from_lock = from.lock()?;
    let made_here = !to.path().exists();
    to.create()?;
    to.check_access()?;
    let _to_lock = to.lock()?;
    let unfinished = DataDirectory::new(to.path().join(UNFINISHED));
    check_place(to, unfinished.path())?;
    unfinished.create()?;
    let built = build(request, &unfinished, clock, progress);
    let moved = built.and_then(|built| {
        to.take_files_of(&unfinished)?;
        Ok(built)
    });
    if moved.is_err() {
        let _ = fs::remove_dir_all(unfinished.path());
        if made_here {
            let _ = fs::remove_file(to.path().join("lock"));
            let _ = fs::remove_dir(to.path());
        }
    }
    moved
}

/// Records the restore in the operator's ledger, through the restored directory itself.
pub fn record_restore(
    storage: Arc<dyn Storage>,
    directory: DataDirectory,
    root_key: &RootKeySource,
    options: StartOptions,
    restored: &mut Restored,
) -> Result<(), OpenError> {
    let engine = Files::open(storage, directory, root_key)?.start(options)?;
    let event = SystemEvent::Restore {
        restore: RestoreSection {
            ledgers: restored.ledgers.clone(),
            keys_missing: restored.keys_missing,
            vault_lacked: restored.vault_lacked.clone(),
        },
    };
    let recorded = record_for_operator(&engine.journal, &event);
    restored.not_recorded = recorded.err().map(|error| error.to_string());
    for tenant in engine.journal.tenants() {
        let origin = tenant.active().record.origin.as_str();
        let mut lacked = restored.vault_lacked.iter();
        let Some(first) = lacked.find(|lacked| lacked.origin == origin) else {
            continue;
        };
        if let Err(error) = bind::restate(&engine.journal, &tenant, first.seq) {
            restored.not_recorded = Some(error.to_string());
        }
        // The older vault brought keys and persons back that statements destroyed since.
        if let Err(error) = destroy_again(&engine.journal, &tenant) {
            restored.not_recorded = Some(error.to_string());
        }
    }
    if let Err(error) = engine.close() {
        restored.not_recorded = Some(error.to_string());
    }
    Ok(())
}

fn check_place(to: &DataDirectory, unfinished: &Path) -> Result<(), RestoreError> {
    let bad = |what| Err(RestoreError::BadPlace(to.path().to_owned(), what));
    if to.epoch_key().exists() {
        return bad("is a data directory");
    }
    let io = |error| FileError::Io {
        path: to.path().to_owned(),
        error,
    };
    // What a restore that was killed left: nothing of it was ever used, since epoch.key comes last.
    if unfinished.exists() {
        for path in [to.ledger_db(), to.index_db(), to.vault_db()] {
            if path.exists() {
                fs::remove_file(&path).map_err(io)?;
            }
        }
        fs::remove_dir_all(unfinished).map_err(io)?;
    }
    match foreign_name(to.path(), &["root.key", "lock", "policies"])? {
        Some(found) => Err(RestoreError::NotEmpty(to.path().to_owned(), found)),
        None => Ok(()),
    }
}

/// Makes all files in the unfinished directory.
fn build(
    request: &RestoreRequest,
    unfinished: &DataDirectory,
    clock: &Arc<dyn Clock>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Restored, RestoreError> {
    let storage = &*request.storage;
    let source = VaultSource::take(request, unfinished)?;
    let (keyring, id) = open_keys(storage, unfinished, &request.root_key)?;
    source.refuse_if_a_target_is_newer(request, &keyring)?;
    check_vault(&keyring)?;
    let backup = storage
        .open_ledgers(&request.from, &id)
        .map_err(|error| match error {
            StoreError::OtherDirectory { .. } => RestoreError::Foreign,
            error => error.into(),
        })?;
    source::refuse_before_rotation(&backup, &keyring, source.newest_epoch)?;
    storage.create_ledgers(unfinished, &id)?;
    let heads = backup.heads()?;
    let copy = backup.copy_to(unfinished, &id)?;
    copy.add(&heads, progress)?;
    copy.finish(&heads)?;
    drop(copy);
    let ledgers = storage.open_ledgers(unfinished, &id)?;
    let mut vault_lacked = Vec::new();
    for record in ledgers.ledgers()? {
        if superseded_at(&keyring, &record)?.is_none() {
            vault_lacked.extend(lacking::take_over(&ledgers, &keyring, &record)?);
        }
    }
    creation::clean_up(&keyring, &ledgers)?;
    let outcomes = recover::recover(&ledgers, &keyring, clock, request.continue_older)?;
    let paused = DestructionPaused {
        reason: "restored from a backup: holds may be missing that were placed since".to_owned(),
        since_ms: clock.wall().get(),
    };
    pause(&keyring, &paused)?;
    ledgers.close()?;
    keyring.vault().close()?;
    drop((ledgers, keyring));
    let counts = rebuild_index::rebuild(storage, unfinished, &request.root_key, progress)?;
    Ok(Restored {
        ledgers: outcomes,
        events: counts.events,
        keys_missing: counts.keys_missing,
        vault_lacked,
        not_recorded: None,
    })
}

/// What somebody changed in a backup or a copy is not restored.
fn check_vault(keyring: &Keyring) -> Result<(), RestoreError> {
    let changed = keyring.changed_parts(u64::MAX)?;
    if !changed.is_empty() {
        return Err(OpenError::VaultChanged(changed).into());
    }
    keyring.begin_sums()?;
    Ok(())
}

/// A root as records and genesis entries hold it.
fn root_text(root: RootHash) -> String {
    root.to_string()
}
