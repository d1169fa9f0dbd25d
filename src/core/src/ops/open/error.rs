//! Why a data directory can't be opened.

use std::path::PathBuf;

use crate::govern::policies::PoliciesError;
use crate::journal::append::AppendError;
use crate::journal::read::ReadError;
use crate::keys::keyring::KeyError;
use trailkeep_crypto::epoch::EpochFileError;
use trailkeep_crypto::root::RootKeyError;
use trailkeep_files::FileError;
use trailkeep_ports::{ChangedPart, StoreError};

/// Why a data directory can't be used. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file is missing, damaged, foreign or locked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The policies can't be taken into force.
    #[error(transparent)]
    Policies(#[from] PoliciesError),
    /// There is no root key.
    #[error(transparent)]
    RootKey(#[from] RootKeyError),
    /// The epoch keys do not open.
    #[error(transparent)]
    EpochFile(#[from] EpochFileError),
    /// A secret does not open.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A statement of a ledger can't be read.
    #[error(
        "a statement of a ledger is not readable: {0}; run `trailkeep verify` for the findings"
    )]
    Statement(#[from] ReadError),
    /// The ledger is older than what the vault saw.
    #[error(
        "rollback detected: ledger.db has {found} entries of the ledger {origin}, the vault knows {seen}; restore the newest ledger.db. \
         Acknowledged entries must not be lost, so the server does not start from an older state; if there is no \
         newer one, `trailkeep restore --continue` supersedes this ledger and creates its successor"
    )]
    RolledBack {
        /// Which ledger.
        origin: String,
        /// Entries in the file.
        found: u64,
        /// Entries that the vault saw.
        seen: u64,
    },
    /// The ledger is another one than the vault saw.
    #[error(
        "the ledger {origin} is not the one that the vault knows: at size {size} it has another root; restore the right ledger.db, and keep this one for an investigation"
    )]
    AnotherHistory {
        /// Which ledger.
        origin: String,
        /// The size compared.
        size: u64,
    },
    /// The head does not fit the entries.
    #[error(
        "the ledger {origin} is damaged: {what}; run `trailkeep verify` for the findings, and restore ledger.db from a backup"
    )]
    Damaged {
        /// Which ledger.
        origin: String,
        /// What is wrong.
        what: String,
    },
    /// Rows of the vault were changed outside of the program.
    #[error(
        "vault.db was changed by another program, in {}: the server does not start, because a hold, a revoked key or a request \
         may be missing; run `trailkeep verify` for the rows, and restore the newest vault.db with its epoch.key",
        crate::ops::open::vault::describe(.0)
    )]
    VaultChanged(Vec<ChangedPart>),
    /// The vault is from before statements of the ledger.
    #[error(
        "vault.db is older than the ledger {origin}: it lacks the changes of {total} statements ({}). It would bring back what \
         was revoked, released or destroyed since; restore the newest vault.db with its epoch.key. If there is none, \
         `trailkeep restore` from a backup with the newest vault replica applies the statements",
        crate::ops::open::vault::describe_lacking(.lacking, *.total)
    )]
    OlderVault {
        /// Which ledger.
        origin: String,
        /// The first statements that it lacks: seq and action.
        lacking: Vec<(u64, String)>,
        /// How many there are.
        total: u64,
    },
    /// The directory is a backup.
    #[error(
        "{path} is a backup: it can only be verified (`trailkeep verify --dir`) and restored (`trailkeep restore --from`)",
        path = .0.display()
    )]
    Backup(PathBuf),
    /// The confirmation of the clock could not be recorded.
    #[error("the confirmation of the clock could not be recorded: {0}")]
    ClockConfirmation(Box<AppendError>),
    /// A thread could not be started.
    #[error("no thread could be started: {0}")]
    Thread(std::io::Error),
}

impl From<FileError> for OpenError {
    fn from(error: FileError) -> Self {
        Self::Store(error.into())
    }
}

impl OpenError {
    /// Whether somebody changed the files, or put older ones in their place.
    pub const fn is_tampering(&self) -> bool {
        matches!(self, Self::VaultChanged(_) | Self::OlderVault { .. })
    }
}
