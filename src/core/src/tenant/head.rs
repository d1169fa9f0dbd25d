//! The signed head of a ledger, held against its row.

use crate::tenant::ledger::ReadTileError;
use trailkeep_ports::{StoreError, StoredCheckpoint};
use trailkeep_proof::ledger::checkpoint::{Checkpoint, CheckpointError};
use trailkeep_proof::ledger::entry::EntryError;
use trailkeep_proof::ledger::note::VerifierKey;

/// Why the head of a ledger does not stand.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeadError {
    /// Its signature or form.
    #[error("its checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The signed text says something else than the row.
    #[error("its checkpoint has {0} entries, its row {1}, or their roots differ")]
    Disagree(u64, u64),
    /// Its last entry.
    #[error("its last entry: {0}")]
    Entry(#[from] EntryError),
    /// There is no last entry.
    #[error("its last entry is missing")]
    Missing,
    /// A tile is missing.
    #[error(transparent)]
    Tile(#[from] ReadTileError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks the signed note of a head against its row.
pub(crate) fn check_signed_head(
    head: &StoredCheckpoint,
    verifier: &VerifierKey,
) -> Result<(), HeadError> {
    let signed = Checkpoint::open(&head.note, verifier)?;
    if signed.size != head.size || signed.root != head.root {
        return Err(HeadError::Disagree(signed.size, head.size));
    }
    Ok(())
}
