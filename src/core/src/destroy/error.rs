//! Why a deletion did not come to its end.

use crate::journal::append::AppendError;
use crate::journal::clock_guard::ClockJump;
use crate::journal::read::ReadError;
use crate::keys::keyring::KeyError;
use crate::tenant::rules::UnknownPolicies;
use trailkeep_crypto::secret::RandomError;
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::time::UnixMillis;

/// Why a run did not end well. What it stated is taken up again.
#[derive(Debug, thiserror::Error)]
pub enum DeletionError {
    /// It could not be recorded, so it was not done.
    #[error("nothing was deleted, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// The clock can't be believed, so nothing can be said to be due.
    #[error("nothing was destroyed: {0}")]
    Clock(#[from] ClockJump),
    /// A class is stated in a way that this program can't follow.
    #[error(transparent)]
    Class(#[from] UnknownPolicies),
    /// The directory was restored, and nobody has reviewed the holds.
    #[error(
        "deletions are paused since {0}: {1}. Review the holds, then run `trailkeep retention resume --reviewed-holds`"
    )]
    Paused(UnixMillis, String),
    /// A key that was to go is needed by a text that stays: nothing was destroyed.
    #[error(
        "entry {0} still needs a key that an erasure should destroy: the key is kept; run `trailkeep verify`"
    )]
    KeyNeeded(Seq),
    /// A data subject request could not be carried out or answered.
    #[error(transparent)]
    Request(Box<dyn std::error::Error + Send + Sync>),
    /// An event could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<AppendError> for DeletionError {
    fn from(error: AppendError) -> Self {
        Self::Record(Box::new(error))
    }
}
