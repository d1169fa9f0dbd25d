//! Why a target has not the head.

use std::path::{Path, PathBuf};

use crate::keys::keyring::KeyError;
use crate::tenant::ledger::ReadTileError;
use crate::tenant::rolled_back::RolledBack;
use trailkeep_ports::StoreError;
use trailkeep_proof::ledger::cosignature::CosignatureError;
use trailkeep_proof::ledger::merkle::ProofError;

/// Why a head was not anchored. No address stands in it: one may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum AnchorError {
    /// Nobody answered, or somebody who can't now; it is tried again.
    #[error("it is unreachable: {0}; it is retried")]
    Unreachable(String),
    /// The answer is no.
    #[error("it answered {status}{}{said}", if .said.is_empty() { "" } else { ": " })]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said, in short.
        said: String,
    },
    /// The witness does not know this ledger.
    #[error(
        "the witness refuses checkpoints of this ledger (it answered {status}): ask its operator to add the origin and the verifier key, which `trailkeep key public --format vkey` prints"
    )]
    UnknownToWitness {
        /// The HTTP status.
        status: u16,
    },
    /// What came back is no cosignature by the witness's key.
    #[error("its answer is not valid: {0}")]
    Cosignature(#[from] CosignatureError),
    /// The witness has seen sizes that do not fit each other.
    #[error("the witness first reports {first} entries, and then {second}; it is retried")]
    Undecided {
        /// First.
        first: u64,
        /// Then.
        second: u64,
    },
    /// It has seen more of the ledger, or another history.
    #[error(transparent)]
    RolledBack(Box<RolledBack>),
    /// The directory is not there, or not what was written to.
    #[error("{path}: {what}", path = .0.display(), what = .1)]
    Directory(PathBuf, &'static str),
    /// A file failed.
    #[error("{path}: {error}", path = .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A secret's file is not what it should be.
    #[error("{path}: {what}", path = .0.display(), what = .1)]
    Secret(PathBuf, &'static str),
    /// Our own tiles do not give the proof.
    #[error("the ledger's own tiles do not prove its growth ({0}): run `trailkeep verify`")]
    OwnProof(#[from] ProofError),
    /// The proof can't be made.
    #[error(transparent)]
    Tile(#[from] ReadTileError),
    /// A record of the vault does not open.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AnchorError {
    pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::Io { path, error }
    }

    /// Whether it is the place that fails, not this ledger at it.
    pub(super) fn is_of_the_place(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Io { .. })
    }
}
