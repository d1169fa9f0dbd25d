//! What stands beside the entries: anchored heads, recorded reads, gaps.

use crate::{AnchoredHead, AnchoringRow, Extent, GapRow, PersonRead, StoreError};
use trailkeep_proof::ids::{LedgerNumber, PersonReference, Seq};

/// Heads that were given to somebody outside, and the cosignatures that came back.
pub trait AnchoredHeads: Send + Sync {
    /// Keeps a head that a target has now. `merge` makes the note to keep of the one that is there and the new one.
    /// On disk when it returns.
    fn keep_anchored(
        &self,
        ledger: LedgerNumber,
        anchoring: &AnchoringRow,
        is_cosigned: bool,
        merge: &dyn Fn(Option<String>) -> String,
    ) -> Result<(), StoreError>;

    /// The anchored head of this size.
    fn anchored_at(
        &self,
        ledger: LedgerNumber,
        size: u64,
    ) -> Result<Option<AnchoredHead>, StoreError>;

    /// The newest anchored head that is larger than `size`.
    fn newest_anchored(
        &self,
        ledger: LedgerNumber,
        size: u64,
    ) -> Result<Option<AnchoredHead>, StoreError>;

    /// The newest head with a cosignature that is larger than `size`.
    fn newest_cosigned(
        &self,
        ledger: LedgerNumber,
        size: u64,
    ) -> Result<Option<AnchoredHead>, StoreError>;

    /// Anchored heads larger than `after`, ascending, at most `limit`. None of a file of an earlier schema, as a backup may be.
    fn anchored_after(
        &self,
        ledger: LedgerNumber,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AnchoredHead>, StoreError>;

    /// The newest head that each target has. None of a file of an earlier schema, as a backup may be.
    fn last_anchorings(&self, ledger: LedgerNumber) -> Result<Vec<AnchoringRow>, StoreError>;

    /// Who was given what, newest first, heads of at most `up_to` entries.
    fn anchorings(
        &self,
        ledger: LedgerNumber,
        up_to: u64,
        limit: u32,
    ) -> Result<Vec<AnchoringRow>, StoreError>;

    /// Heads that are said to have been given to somebody, by size and target, and that are not kept.
    fn anchorings_of_no_head(&self, ledger: LedgerNumber)
    -> Result<Vec<(u64, String)>, StoreError>;
}

/// Tables beside the entries, and rows that stand where none may be.
pub trait SideTables: Send + Sync {
    /// What events of a ledger lacked, by policy.
    fn gaps(&self, ledger: LedgerNumber) -> Result<Vec<GapRow>, StoreError>;

    /// The entries of recorded reads that showed a person, oldest first.
    fn reads_of_person(
        &self,
        reference: PersonReference,
    ) -> Result<Vec<(LedgerNumber, Seq)>, StoreError>;

    /// Rows of reads that showed persons, behind a row, at most `limit`.
    fn person_reads(
        &self,
        after: Option<PersonRead>,
        limit: u32,
    ) -> Result<Vec<PersonRead>, StoreError>;

    /// Rows that are in no ledger: (table, row number). There are none unless somebody put them there.
    fn rows_beyond(&self, sizes: &[Extent]) -> Result<Vec<(&'static str, i64)>, StoreError>;

    /// Tables in which a row names a ledger that is not there.
    fn tables_of_no_ledger(&self) -> Result<Vec<String>, StoreError>;
}
