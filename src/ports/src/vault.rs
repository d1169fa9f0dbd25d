//! The vault of a data directory.

use crate::{
    ApiKeys, ChangedPart, CopyState, DataKeys, Persons, Rewrapped, RowMac, SealedRecordRow,
    SealedRecords, SealedRow, SealedTable, StoreError, Upkeep, VaultChanges, VaultLedgers,
};
use std::path::Path;
use std::sync::Arc;

/// The vault of a data directory: sealed secrets. What is changed here is counted, so that copies know that they are
/// behind.
pub trait VaultStore:
    Upkeep
    + Persons
    + DataKeys
    + SealedRecords
    + ApiKeys
    + VaultLedgers
    + Epochs
    + VaultCopies
    + RowSums
{
    /// Adds persons and data keys. On disk when it returns.
    fn commit(&self, changes: &VaultChanges) -> Result<(), StoreError>;
}

/// Keyed sums over the rows: a row that somebody else changed is found.
pub trait RowSums: Send + Sync {
    /// Whether the rows are summed up; not in a file that an earlier version wrote.
    fn has_sums(&self) -> Result<bool, StoreError>;

    /// Begins the sums over all rows, with the row that keeps their key.
    fn begin_sums(&self, mac: Arc<dyn RowMac>, key: &SealedRecordRow) -> Result<(), StoreError>;

    /// From here on rows can be written: each is taken into the sums, which began before.
    fn keep_sums(&self, mac: Arc<dyn RowMac>) -> Result<(), StoreError>;

    /// The parts of the vault whose rows are not those that the program wrote. Of persons and data keys, where there are more
    /// than `large_max`, only the numbers are compared.
    fn changed_parts(
        &self,
        mac: &dyn RowMac,
        large_max: u64,
    ) -> Result<Vec<ChangedPart>, StoreError>;
}

/// Sealing the vault anew.
pub trait Epochs: Send + Sync {
    /// Rows of a table after number `after` that are sealed under an epoch below `epoch`, at most `limit`.
    fn rows_below(
        &self,
        table: SealedTable,
        epoch: u32,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError>;

    /// Number of rows of a table that are sealed under an epoch below `epoch`.
    fn count_below(&self, table: SealedTable, epoch: u32) -> Result<u64, StoreError>;

    /// Puts other sealings in the place of those that were read. On disk when it returns.
    fn rewrap(&self, table: SealedTable, rows: &[Rewrapped]) -> Result<(), StoreError>;

    /// The lowest epoch that a row may be written under; 0 where somebody took the row away that says it.
    fn lowest_epoch(&self) -> Result<u32, StoreError>;

    /// Ends all epochs below `epoch`, if no row is sealed under one of them; `false` where one is. From then on a
    /// row of theirs is refused.
    fn end_epochs_below(&self, epoch: u32) -> Result<bool, StoreError>;
}

/// Copies of the vault, and what each target was given.
pub trait VaultCopies: Send + Sync {
    /// Writes a compact copy of the vault as it is now into a new file, for its owner alone, and syncs it. It reads
    /// from one snapshot, beside writers.
    fn copy_into(&self, path: &Path) -> Result<(), StoreError>;

    /// Commits that changed anything but a watermark, since the vault was made.
    fn changes(&self) -> Result<u64, StoreError>;

    /// What a target was last given; nothing yet where it has no row.
    fn copy_state(&self, target: &str) -> Result<CopyState, StoreError>;

    /// Keeps what a target was given. It does not count as a change: a copy would never be the newest.
    fn set_copy_state(&self, target: &str, state: &CopyState) -> Result<(), StoreError>;

    /// Forgets what a target was given.
    fn remove_copy_state(&self, target: &str) -> Result<(), StoreError>;
}
