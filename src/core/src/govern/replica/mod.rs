//! Copies of the vault at registered targets: without one the vault stands once, and with it every payload.
//!
//! A target is a directory (another disk, a mounted host) or a command. It holds one copy, the newest: `vault.db`
//! and the `epoch.key` that opens it. docs/operations.md, "Copies of the vault".

mod check;
mod command;
pub(crate) mod container;
mod deliver;
pub(crate) mod directory;
mod snapshot;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use self::check::check_copy;
use self::deliver::is_current;
pub(crate) use self::deliver::{copy_to_all, is_behind, keep_state, open_at, put};
pub(crate) use self::snapshot::Snapshot;
use crate::govern::Custody;
use crate::journal::Journal;
use crate::journal::append::AppendError;
use crate::journal::append::operator::change_for_operator;
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::Record;
use crate::keys::rows::Changes;
use trailkeep_crypto::epoch::EpochFileError;
use trailkeep_crypto::root::RootKeyError;
use trailkeep_crypto::secret::{RandomError, random_bytes};
use trailkeep_files::FileError;
use trailkeep_files::directory::is_same_disk;
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::hex;
use trailkeep_proof::system::{ReplicaSection, SystemEvent};

/// Where a copy is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// A directory, absolute.
    Directory(PathBuf),
    /// A shell command.
    Command(String),
}

impl Place {
    /// The kind's word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Directory(_) => "directory",
            Self::Command(_) => "command",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Target {
    place: Place,
    added_at_ms: u64,
}

impl Record for Target {
    const KIND: &'static str = crate::keys::rows::REPLICA;
    const WHAT: &'static str = "a copy target";
}

/// A replica as listed.
#[derive(Clone, Debug)]
pub struct TargetStatus {
    /// Its id.
    pub id: String,
    /// `directory` or `command`.
    pub kind: &'static str,
    /// The directory or the command.
    pub place: String,
    /// Whether it is current.
    pub is_current: bool,
    /// Whether it is on the same disk as the data directory: one disk failure loses both.
    pub same_disk: bool,
    /// When it was last updated (RFC 3339, UTC).
    pub copied_at: Option<String>,
    /// Why the last update failed, if it did.
    pub error: Option<String>,
    /// Time of the first failure since the last success.
    pub failed_at: Option<String>,
}

/// The result of removing a replica.
#[derive(Clone, Debug)]
pub struct Removed {
    /// Its id.
    pub id: String,
    /// Whether the replica there was destroyed.
    pub copy_destroyed: bool,
    /// Why not. Destroy it by hand, otherwise it still opens what is deleted here later.
    pub error: Option<String>,
}

/// Why the vault was not copied, or a copy is none.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The directory is not the one that was registered.
    #[error(
        "{path} is not the directory that was registered: check that its disk is mounted",
        path = .0.display()
    )]
    NotThere(PathBuf),
    /// The directory has other things in it.
    #[error(
        "{path} has another vault or a data directory: choose an empty directory",
        path = .0.display()
    )]
    TakenDirectory(PathBuf),
    /// The directory has other files.
    #[error(
        "{path} is not empty: it has {found}; choose an empty directory",
        path = .0.display(), found = .1.display()
    )]
    NotEmpty(PathBuf, PathBuf),
    /// The directory is no place for a copy.
    #[error("{path}: {what}", path = .0.display(), what = .1)]
    BadPlace(PathBuf, &'static str),
    /// The same target again.
    #[error("already registered as {0}")]
    Known(String),
    /// No such target.
    #[error("vault replica not found: `trailkeep vault-replica list` shows the replicas")]
    NoSuchTarget,
    /// The command failed.
    #[error("the command failed: {0}")]
    Command(String),
    /// What a command gave back is no copy.
    #[error("the command's output is not readable: {0}")]
    Container(String),
    /// The copy is not what was written.
    #[error("the replica is damaged: {0}")]
    Damaged(&'static str),
    /// Rows and keys do not go together.
    #[error(
        "the replica is from before a rotation: its rows are encrypted under the epochs {first} to {last}, and epoch.key \
         has {keys_first} to {keys_last}. The rotation destroyed the other keys; use a newer replica",
        first = .rows.0, last = .rows.1, keys_first = .keys.0, keys_last = .keys.1
    )]
    OtherEpoch {
        /// Epochs of the rows.
        rows: (u32, u32),
        /// Epochs of the keys.
        keys: (u32, u32),
    },
    /// It could not be recorded, so it was not done.
    #[error("nothing was changed, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// The epoch keys do not open.
    #[error(transparent)]
    EpochFile(#[from] EpochFileError),
    /// There is no root key.
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
    /// A secret does not open.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A file failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<FileError> for CopyError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

impl CopyError {
    pub(crate) fn io(path: &Path, error: std::io::Error) -> Self {
        let path = path.to_owned();
        Self::Store(FileError::Io { path, error }.into())
    }
}

/// Registers a target: a first copy is put there and opened, then it is recorded.
pub fn add(custody: &Custody, place: Place, by: &str) -> Result<TargetStatus, CopyError> {
    let _keeping = custody.journal.locks.keeping();
    let known = records::all_own::<Target>(&custody.journal.keyring)?;
    if let Some((id, _)) = known.iter().find(|(_, target)| target.place == place) {
        return Err(CopyError::Known(id.clone()));
    }
    let id = hex(&random_bytes::<8>()?);
    if let Place::Directory(path) = &place {
        check_directory(custody, path)?;
        directory::prepare(path, &custody.journal.keyring.directory().to_string(), &id)?;
    }
    let target = Target {
        place,
        added_at_ms: custody.journal.clock.wall().get(),
    };
    let root = custody.root_key.load()?;
    put(
        &custody.journal,
        &id,
        &target.place,
        &Snapshot::take(custody)?,
    )?;
    open_at(custody, &id, &target.place, &root)?;
    let mut changes = Changes::default();
    changes.put_own(&id, &target)?;
    let vault = named(&id, &target, by);
    record(
        &custody.journal,
        &SystemEvent::VaultCopyAdd { vault },
        changes,
    )?;
    // The copy that stands there does not know its own target yet.
    copy_to_all(custody)?;
    status_of(custody, id, &target)
}

fn check_directory(custody: &Custody, path: &Path) -> Result<(), CopyError> {
    let bad = |what| Err(CopyError::BadPlace(path.to_owned(), what));
    if !path.is_absolute() {
        return bad("the path must be absolute");
    }
    let own = custody.directory.path().canonicalize();
    let parent = path.parent().unwrap_or(path);
    let (Ok(own), Ok(there)) = (own, path.canonicalize().or_else(|_| parent.canonicalize())) else {
        return bad(
            "neither the directory nor its parent exists: mount its disk, or create the parent directory",
        );
    };
    if there.starts_with(own) {
        return bad("a replica inside the data directory is lost with it: choose another disk");
    }
    Ok(())
}

/// All targets, with what they have.
pub fn list(custody: &Custody) -> Result<Vec<TargetStatus>, CopyError> {
    records::all_own::<Target>(&custody.journal.keyring)?
        .into_iter()
        .map(|(id, target)| status_of(custody, id, &target))
        .collect()
}

/// Takes a target out; the copy there is destroyed, if it is in reach.
pub fn remove(journal: &Journal, id: &str, by: &str) -> Result<Removed, CopyError> {
    let _keeping = journal.locks.keeping();
    let target = find(journal, id)?;
    let mut changes = Changes::default();
    changes.take_own::<Target>(id)?;
    let vault = named(id, &target, by);
    record(journal, &SystemEvent::VaultCopyRemove { vault }, changes)?;
    let destroyed = match &target.place {
        Place::Directory(path) => {
            directory::destroy(path, &journal.keyring.directory().to_string(), id)
        }
        Place::Command(text) => command::remove(text, id),
    };
    journal.keyring.vault().remove_copy_state(id)?;
    Ok(Removed {
        id: id.to_owned(),
        copy_destroyed: destroyed.is_ok(),
        error: destroyed.err().map(|error| error.to_string()),
    })
}

/// Reads back the copy at each target and opens every secret in it. The error of a target stands in its status.
pub fn check(custody: &Custody, by: &str) -> Result<Vec<TargetStatus>, CopyError> {
    let _keeping = custody.journal.locks.keeping();
    let root = custody.root_key.load()?;
    let mut checked = Vec::new();
    for (id, target) in records::all_own::<Target>(&custody.journal.keyring)? {
        let vault = named(&id, &target, by);
        let event = SystemEvent::VaultCopyCheck { vault };
        record(&custody.journal, &event, Changes::default())?;
        let opened = open_at(custody, &id, &target.place, &root);
        let mut status = status_of(custody, id, &target)?;
        if let Err(error) = opened {
            status.is_current = false;
            status.error = Some(error.to_string());
        }
        checked.push(status);
    }
    Ok(checked)
}

/// Copies the vault to each target that has not all of it. Gives those that could not be reached.
pub fn keep_up(custody: &Custody) -> Result<Vec<TargetStatus>, CopyError> {
    let _keeping = custody.journal.locks.keeping();
    copy_to_all(custody)?;
    let mut all = list(custody)?;
    all.retain(|target| target.error.is_some());
    Ok(all)
}

/// Ids and places of the targets.
pub(crate) fn targets(journal: &Journal) -> Result<Vec<(String, Place)>, CopyError> {
    let targets = records::all_own::<Target>(&journal.keyring)?;
    Ok(targets
        .into_iter()
        .map(|(id, target)| (id, target.place))
        .collect())
}

/// Places of the targets that a vault names.
pub(crate) fn places(keyring: &Keyring) -> Result<Vec<Place>, KeyError> {
    let targets = records::all_own::<Target>(keyring)?;
    Ok(targets
        .into_iter()
        .map(|(_, target)| target.place)
        .collect())
}

fn find(journal: &Journal, id: &str) -> Result<Target, CopyError> {
    let targets = records::all_own::<Target>(&journal.keyring)?;
    let found = targets.into_iter().find(|(known, _)| known == id);
    found
        .map(|(_, target)| target)
        .ok_or(CopyError::NoSuchTarget)
}

fn status_of(custody: &Custody, id: String, target: &Target) -> Result<TargetStatus, CopyError> {
    let state = custody.journal.keyring.vault().copy_state(&id)?;
    let place = match &target.place {
        Place::Directory(path) => path.display().to_string(),
        Place::Command(text) => text.clone(),
    };
    Ok(TargetStatus {
        is_current: is_current(&custody.journal, &id)?,
        same_disk: match &target.place {
            Place::Directory(path) => is_same_disk(path, custody.directory.path()),
            Place::Command(_) => false,
        },
        id,
        kind: target.place.kind(),
        place,
        copied_at: state.copied_at.map(|moment| moment.to_string()),
        error: state.error,
        failed_at: state.failed_at.map(|moment| moment.to_string()),
    })
}

/// What the entry of a replica says of it.
fn named(id: &str, target: &Target, by: &str) -> ReplicaSection {
    ReplicaSection {
        id: id.to_owned(),
        kind: target.place.kind().to_owned(),
        by: by.to_owned(),
    }
}

/// The operator's ledger records it, by id and kind alone.
fn record(journal: &Journal, event: &SystemEvent, changes: Changes) -> Result<(), CopyError> {
    change_for_operator(journal, event, changes).map_err(|error| CopyError::Record(Box::new(error)))
}
