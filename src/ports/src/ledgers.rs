//! The ledgers of a data directory.

use std::ops::Range;
use std::time::Duration;

use trailkeep_proof::ids::{ClassNumber, LedgerNumber, LookupKey, Seq};
use trailkeep_proof::ledger::entry::EntryBytes;
use trailkeep_proof::ledger::tile::TileCoordinate;

use crate::{
    AnchoredHeads, Claim, Committed, Copied, Deletions, EventRow, Head, LedgerBatch, LedgerRecord,
    Order, ShardId, SideTables, Span, Statements, StoreError, StoredCheckpoint, Upkeep, Values,
};
use trailkeep_files::directory::DataDirectory;

/// The ledgers of a data directory: entries, payloads, tiles, and the signed head of each. Its one write of evidence is
/// [`Self::commit`].
pub trait LedgerStore:
    Upkeep + Entries + Values + Statements + Deletions + ActiveRun + AnchoredHeads + SideTables
{
    /// Adds a ledger with its first entries: both are on disk when this returns, or neither.
    fn create_ledger(&self, record: &LedgerRecord, first: &LedgerBatch) -> Result<(), StoreError>;

    /// The one write of evidence, under claims of all shards that the ledgers are of: all of it is on disk when this says
    /// so, or none of it. An error says that nothing of it was written: [`StoreError::ValuesGone`] where a row refers to a
    /// value that was deleted with its last event.
    fn commit(
        &self,
        claims: &mut [Claim],
        batches: &[LedgerBatch],
    ) -> Result<Committed, StoreError>;

    /// What became of a commit whose outcome is unknown: of each claim, whether the batch is there. Nothing of before comes
    /// later. A claim that is another's now is taken out, and so is one of which the engine can't tell: then the directory
    /// must be opened again.
    fn resolve(&self, claims: &mut Vec<Claim>) -> Result<Vec<(ShardId, bool)>, StoreError>;

    /// All ledgers, by number.
    fn ledgers(&self) -> Result<Vec<LedgerRecord>, StoreError>;

    /// The last signed head of a ledger; none before its genesis.
    fn checkpoint(&self, ledger: LedgerNumber) -> Result<Option<StoredCheckpoint>, StoreError>;

    /// The signed heads of all ledgers at one moment.
    fn heads(&self) -> Result<Vec<Head>, StoreError> {
        let mut heads = Vec::new();
        for record in self.ledgers()? {
            if let Some(head) = self.checkpoint(record.number)? {
                heads.push((record, head));
            }
        }
        Ok(heads)
    }

    /// How long the last commit took.
    fn last_sync(&self) -> Duration;

    /// A copy of these ledgers in another directory, which goes on with what is there. Their stores were made before.
    fn copy_to<'a>(
        &'a self,
        directory: &DataDirectory,
        directory_id: &str,
    ) -> Result<Box<dyn LedgerCopy + 'a>, StoreError>;

    /// Gives up to `pages` free pages back to the file system; whether there are more.
    fn release_pages(&self, pages: u32) -> Result<bool, StoreError>;
}

/// A copy of the ledgers, which grows with them.
pub trait LedgerCopy {
    /// The heads that the copy has.
    fn heads(&self) -> Result<Vec<Head>, StoreError>;

    /// Adds what lies behind the end of the copy: entries, payloads, tiles. What the copy was stays readable: its
    /// heads are those from before until [`Self::finish`].
    fn add(&self, heads: &[Head], progress: &mut dyn FnMut(u64, u64))
    -> Result<Copied, StoreError>;

    /// Makes the copy be at these heads, in one commit: what is gone from the ledgers goes there, and what says it comes.
    fn finish(&self, heads: &[Head]) -> Result<Copied, StoreError>;

    /// Makes the copy whole without what the engine keeps beside it.
    fn close(&self) -> Result<(), StoreError>;
}

/// Reading entries, their payloads and tiles.
pub trait Entries: Send + Sync {
    /// Entries of a range of seqs, ascending. Missing rows leave the answer shorter.
    fn entries(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<EntryBytes>, StoreError> {
        Ok(self
            .entry_rows(ledger, range)?
            .into_iter()
            .filter_map(|(_, bytes)| bytes.try_into().ok())
            .collect())
    }

    /// Entry rows of a range as they stand, whatever their form.
    fn entry_rows(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<u8>)>, StoreError>;

    /// The seq after the last entry that is stored.
    fn stored_end(&self, ledger: LedgerNumber) -> Result<u64, StoreError>;

    /// Payload rows of a range.
    fn payload_rows(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<u8>)>, StoreError>;

    /// Entry and payload of one event, and what statements say of it.
    fn event(&self, ledger: LedgerNumber, seq: Seq) -> Result<Option<EventRow>, StoreError>;

    /// Entries and payloads of some events, and what statements say of them, all of one moment and in the order asked for; none
    /// of one that is not stored. It ends with the event whose payload makes them `bytes_max` or more.
    fn events(
        &self,
        ledger: LedgerNumber,
        seqs: &[Seq],
        bytes_max: usize,
    ) -> Result<Vec<Option<EventRow>>, StoreError>;

    /// The first seq whose entry was recorded at `recorded_at_ms` or later, or `size`.
    fn first_recorded_at(
        &self,
        ledger: LedgerNumber,
        size: u64,
        recorded_at_ms: u64,
    ) -> Result<Seq, StoreError>;

    /// The seqs of the events of any of these classes within a span, in an order, at most `limit`.
    fn events_of_classes(
        &self,
        ledger: LedgerNumber,
        classes: &[ClassNumber],
        span: Span,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError>;

    /// A full tile's 8,192 bytes.
    fn tile(
        &self,
        ledger: LedgerNumber,
        tile: TileCoordinate,
    ) -> Result<Option<Vec<u8>>, StoreError>;

    /// How many full tiles are stored for a ledger.
    fn tile_count(&self, ledger: LedgerNumber) -> Result<u64, StoreError>;
}

/// The rows of the newest events, before they stand in a sorted run.
pub trait ActiveRun: Send + Sync {
    /// The active index run of a ledger, from a seq on: each event's look-up keys.
    fn active_index(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<LookupKey>)>, StoreError>;

    /// Deletes up to `limit` rows of the active run below `end`: they stand in a merged run now.
    fn drop_active(
        &self,
        ledger: LedgerNumber,
        end: Seq,
        limit: usize,
    ) -> Result<usize, StoreError>;

    /// Events of a class that have a payload and no row in the active run, ascending, at most `limit`.
    fn without_active_row(
        &self,
        ledger: LedgerNumber,
        class: ClassNumber,
        range: Range<Seq>,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError>;

    /// Events of a class that have a payload, ascending, at most `limit`.
    fn with_payload(
        &self,
        ledger: LedgerNumber,
        class: ClassNumber,
        range: Range<Seq>,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError>;
}
