//! The inbox of a data directory.

use crate::{AssembledRow, NewPart, PartRow, Round, StagedPart, StagedText, StoreError, Upkeep};
use trailkeep_proof::ids::{LedgerNumber, Tag};
use trailkeep_proof::time::UnixMillis;

/// Telemetry that waits to become events.
pub trait InboxStore: Upkeep {
    /// Adds parts; those that are there already change nothing. On disk when it returns; gives how many were new.
    fn add(&self, ledger: LedgerNumber, parts: &[NewPart]) -> Result<usize, StoreError>;

    /// Traces that are due: whose local root came by `root_by`, or whose first part came by `first_by`. Where an
    /// earlier round has used the root, the newest part counts in its place.
    fn due_traces(
        &self,
        ledger: LedgerNumber,
        root_by: UnixMillis,
        first_by: UnixMillis,
        limit: usize,
    ) -> Result<Vec<Tag>, StoreError>;

    /// All parts of a trace that open, oldest first, at most `limit`.
    fn parts_of(
        &self,
        ledger: LedgerNumber,
        trace: Tag,
        limit: usize,
    ) -> Result<Vec<StagedPart>, StoreError>;

    /// Traces in which a part reports an answer.
    fn traces_of_answer(&self, ledger: LedgerNumber, answer: Tag) -> Result<Vec<Tag>, StoreError>;

    /// Takes the result of a round. On disk when it returns.
    fn finish_round(&self, ledger: LedgerNumber, round: &Round) -> Result<(), StoreError>;

    /// Assembled events that are not in the ledger yet, oldest first.
    fn assembled(
        &self,
        ledger: LedgerNumber,
        limit: usize,
    ) -> Result<Vec<AssembledRow>, StoreError>;

    /// Parts of a ledger behind a row, in whatever state, at most `limit`.
    fn part_rows(
        &self,
        ledger: LedgerNumber,
        after: i64,
        limit: u32,
    ) -> Result<Vec<PartRow>, StoreError>;

    /// Assembled events of a ledger behind a row, at most `limit`.
    fn assembled_rows(
        &self,
        ledger: LedgerNumber,
        after: i64,
        limit: u32,
    ) -> Result<Vec<StagedText>, StoreError>;

    /// Whether a sealed text still waits.
    fn still_has(&self, row: &StagedText) -> Result<bool, StoreError>;

    /// The tables and ledgers that rows name, known or not.
    fn named_ledgers(&self) -> Result<Vec<(String, i64)>, StoreError>;

    /// Forgets assembled events: they are in the ledger.
    fn remove_assembled(&self, rows: &[i64]) -> Result<(), StoreError>;

    /// Drops parts that were kept for later calls and came by `arrived_by`. Gives how many.
    fn drop_used(&self, ledger: LedgerNumber, arrived_by: UnixMillis) -> Result<usize, StoreError>;

    /// Ledgers of which something waits.
    fn ledgers(&self) -> Result<Vec<LedgerNumber>, StoreError>;

    /// Days whose keys are needed.
    fn days(&self, ledger: LedgerNumber) -> Result<Vec<u32>, StoreError>;

    /// How many rows wait, parts and events.
    fn waiting(&self) -> Result<u64, StoreError>;

    /// Gives up to `pages` free pages back to the file system.
    fn release_pages(&self, pages: u32) -> Result<bool, StoreError>;
}
