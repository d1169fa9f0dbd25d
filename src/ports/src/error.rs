//! What goes wrong in a store, whichever engine it is.

use std::path::PathBuf;

use trailkeep_files::FileError;
use trailkeep_proof::ids::ValueNumber;

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file of the data directory can't be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is there and is not what it should be.
    #[error("{path} {what}: {hint}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// Its tables, indexes or triggers are not those of its version.
    #[error("{path} {what}. Keep it for an investigation; {hint}", path = .path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What is missing, added or different.
        what: String,
        /// What to do.
        hint: &'static str,
    },
    /// The disk is full. Nothing was written.
    #[error("the disk with {file} is full: nothing of this was written; free space and retry")]
    Full {
        /// Which file could not grow.
        file: &'static str,
    },
    /// The file holds another ledger size than the writer expects: another writer was here.
    #[error(
        "ledger {ledger} has {found} entries instead of {expected}: another process wrote to it; restart"
    )]
    Fenced {
        /// Which ledger.
        ledger: u32,
        /// What the writer knew.
        expected: u64,
        /// What stands in the file.
        found: u64,
    },
    /// It was to be written without a claim.
    #[error(
        "this process has no claim of the ledgers any more: nothing of this was written; restart"
    )]
    Unclaimed,
    /// An event refers to values that were deleted with the last other event. Nothing was written; encrypt it again.
    #[error("ledger {ledger}: values were deleted meanwhile: nothing of this was written; retry")]
    ValuesGone {
        /// Which ledger.
        ledger: u32,
        /// Their numbers.
        values: Vec<ValueNumber>,
    },
    /// A row was sealed before a rotation ended its epoch. Nothing was written; seal it again.
    #[error("a vault rotation ended meanwhile: nothing of this was written; retry")]
    RetiredEpoch,
    /// The vault's rows are not summed up: a fault of the program.
    #[error("the vault is open read-only: this is a fault of the program; please report it")]
    Unguarded,
    /// It belongs to another data directory.
    #[error("{path} belongs to another data directory: {hint}", path = .path.display())]
    OtherDirectory {
        /// The file.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
    },
    /// The engine said no. After a commit the outcome is unknown.
    #[error("{file}: {error}")]
    Engine {
        /// Which file.
        file: &'static str,
        /// What the engine said; it never quotes values.
        error: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    /// Whether nothing was written and the store goes on.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}
