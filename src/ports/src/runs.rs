//! Looking events up: by keys, in sorted runs.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

use crate::block::Block;
use crate::{Order, Span, StoreError, Upkeep};

/// A row of a run: a key, and an event that has it.
pub type IndexRow = (LookupKey, Seq);

/// Number of a run. None is given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub i64);

/// A run that is whole: its rows are those of a ledger's events in a stretch of seqs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its number.
    pub id: RunId,
    /// Whose events.
    pub ledger: LedgerNumber,
    /// How often its rows were merged.
    pub level: u32,
    /// The first seq of the stretch.
    pub first: Seq,
    /// The last.
    pub last: Seq,
    /// What says of most keys at once that they are not in it.
    pub filter: Vec<u8>,
    /// Whether the filter still tells of rows that were deleted.
    pub filter_is_stale: bool,
}

/// Where sorted runs stand. One caller writes runs, one at a time replaces blocks, many read.
pub trait RunStore: Upkeep {
    /// The runs that are whole, by their first seq. A run without blocks is damaged, unless its filter is stale: rows
    /// were deleted, all of them.
    fn runs(&self) -> Result<Vec<RunRow>, StoreError>;

    /// Begins a run, beside others that are being written. No number is given twice while the store is open.
    fn begin(&self) -> Result<RunId, StoreError>;

    /// Adds blocks to a run that was begun, behind those that it has.
    fn append(&self, run: RunId, blocks: &[Block]) -> Result<(), StoreError>;

    /// A run is whole: it takes the place of others, in one commit.
    fn finish(&self, run: &RunRow, replaces: &[RunId]) -> Result<(), StoreError>;

    /// Takes away blocks of a run that never became whole, or that another one has replaced, and is not one of those
    /// that are being written: a few milliseconds' worth. Gives whether there were any.
    fn drop_leftover(&self, being_written: &[RunId]) -> Result<bool, StoreError>;

    /// The blocks that may hold rows of a range, in an order, at most `limit`: the last one that begins at its first row or
    /// before, and those that begin within it.
    fn blocks(
        &self,
        run: RunId,
        rows: &Range<IndexRow>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Block>, StoreError>;

    /// Puts others in the place of blocks, each named by its first row, or none; in one commit. The filter of the run tells
    /// of too many rows from here on.
    fn replace(&self, run: RunId, blocks: &[(IndexRow, Option<Block>)]) -> Result<(), StoreError>;

    /// The runs whose filter tells of rows that were deleted.
    fn stale(&self) -> Result<Vec<RunId>, StoreError>;

    /// Gives a run another filter.
    fn set_filter(&self, run: RunId, filter: &[u8], is_stale: bool) -> Result<(), StoreError>;

    /// Takes out a run; the one behind it begins at a seq from here on.
    fn take_out(&self, run: RunId, next: Option<(RunId, Seq)>) -> Result<(), StoreError>;

    /// Gives up to `pages` free pages back to the file system; whether there are more.
    fn release_pages(&self, pages: u32) -> Result<bool, StoreError>;

    /// The error of runs that are not what they should be.
    fn damaged(&self, what: &str) -> StoreError;
}

/// Runs that are made beside those in use. Dropped before they take their place, they leave nothing.
pub trait NewRuns: Send + Sync {
    /// Where they are written.
    fn store(&self) -> Arc<dyn RunStore>;

    /// Takes the place of the old runs, in one step. Nobody may hold [`Self::store`] any more.
    fn take_place(self: Box<Self>) -> Result<(), StoreError>;
}

/// What one piece of the work in the background did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeStep {
    /// Nothing was due.
    Idle,
    /// The ledger's active run below this seq stands in a merged run now; its active rows can go.
    Wrote(LedgerNumber, Seq),
    /// A piece of a larger run was written; more of it follows.
    Merging,
    /// Runs were merged into a larger one, which has their place.
    Merged,
    /// The rows of a run that is not in use were taken away.
    Dropped,
}

/// Events by their keys.
pub trait LookupStore: Send + Sync {
    /// Adds committed events.
    fn add(&self, ledger: LedgerNumber, events: Vec<(Seq, Vec<LookupKey>)>);

    /// The seqs of a ledger's events under a key within a span, in an order, at most `limit`.
    fn find_in_order(
        &self,
        ledger: LedgerNumber,
        key: LookupKey,
        span: Span,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError>;

    /// Whether no event under a key was added since somebody looked for it in vain, who read [`Self::merged_end`] before
    /// looking. `false` also when a merge came between: look again.
    fn is_still_absent(&self, ledger: LedgerNumber, merged_end: Seq, key: LookupKey) -> bool;

    /// First seq that no merged run of the ledger holds.
    fn merged_end(&self, ledger: LedgerNumber) -> Seq;

    /// Deletes the rows of events, whose keys are known.
    fn remove(
        &self,
        ledger: LedgerNumber,
        events: &[(Seq, Vec<LookupKey>)],
    ) -> Result<(), StoreError>;

    /// Deletes the rows of events whose keys nobody knows any more.
    fn remove_by_scan(&self, ledger: LedgerNumber, seqs: &HashSet<Seq>) -> Result<(), StoreError>;

    /// How many rows there are for a ledger below `end`.
    fn count_rows(&self, ledger: LedgerNumber, end: Seq) -> Result<u64, StoreError>;

    /// Does one piece of the work that is due in the background. One thread calls this.
    fn merge(&self) -> Result<MergeStep, StoreError>;
}
