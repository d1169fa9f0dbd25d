//! The inbox of a data directory.

use std::collections::BTreeSet;

use crate::{AssembledRow, NewPart, PartRow, Round, StagedPart, StagedText, StoreError, Upkeep};
use trailkeep_proof::ids::{LedgerNumber, Tag};
use trailkeep_proof::time::UnixMillis;

/// Telemetry that waits to become events.
pub trait InboxStore: Upkeep {
    /// Adds parts; those that are there already change nothing. On disk when it returns; gives how many were new.
    fn add(&self, ledger: LedgerNumber, parts: &[NewPart]) -> Result<usize, StoreError>;

    /// Traces that are due: whose local root came by `root_by`, or whose first part came by `first_by`. Where an
    /// earlier round has used the root, the newest part counts in its place. They come in the order of their tags, those
    /// after `after`, at most `limit`: earlier tags are not read.
    fn due_traces(
        &self,
        ledger: LedgerNumber,
        root_by: UnixMillis,
        first_by: UnixMillis,
        after: Option<Tag>,
        limit: usize,
    ) -> Result<Vec<Tag>, StoreError>;

    /// The parts that open of the first of some traces, each trace's oldest first, at most `parts_max` of each. It ends
    /// with the trace that makes them `bytes_max` or more.
    fn parts_of(
        &self,
        ledger: LedgerNumber,
        traces: &[Tag],
        parts_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Vec<StagedPart>>, StoreError>;

    /// Traces in which a waiting part reports one of some answers, at most 16 of each answer.
    fn traces_of_answers(
        &self,
        ledger: LedgerNumber,
        answers: &[Tag],
    ) -> Result<BTreeSet<Tag>, StoreError>;

    /// Takes the result of a round. On disk when it returns; gives the number of each event's row.
    fn finish_round(&self, ledger: LedgerNumber, round: &Round) -> Result<Vec<i64>, StoreError>;

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
