//! What the domain asks of a store: plain rows, errors and traits. No engine has a name here.
//!
//! The traits are asked by batch or by query, never by row, so that it costs nothing that they are called through
//! `Arc<dyn ...>`. The large ones are put together from traits of one subject each.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod block;
mod claims;
mod error;
mod handles;
mod inbox;
mod ledgers;
#[cfg(feature = "testing")]
pub mod model;
mod persons;
mod records;
mod rows;
mod runs;
mod side_tables;
mod span;
mod statements;
mod storage;
mod upkeep;
mod values;
mod vault;

pub use claims::{Claim, Claims, Committed, Fence, ShardId};
pub use error::StoreError;
pub use handles::{Ledgers, Staging, Vault};
pub use inbox::InboxStore;
pub use ledgers::{ActiveRun, Entries, LedgerCopy, LedgerStore};
pub use persons::{DataKeys, Persons};
pub use records::{ApiKeys, SealedRecords, VaultLedgers};
pub use rows::inbox::{AssembledRow, NewPart, PartRow, Round, StagedPart, StagedText};
pub use rows::ledger::{
    AnchoredHead, AnchoringRow, Copied, EventRow, Extent, GapName, GapRow, Head, LedgerBatch,
    LedgerRecord, PersonRead, RememberedIds, Row, StoredCheckpoint,
};
pub use rows::sealed::{Rewrapped, SealedPlace, SealedRow, SealedTable};
pub use rows::statement::{
    ClassRow, DeletionBasis, DeletionCause, ExpiryRow, Mark, OpenJob, RESTRICTS, Stated, Statement,
    SupersededLedger,
};
pub use rows::vault::{
    ApiKeyRow, AppliedRows, ChangedPart, CopyState, DataKeyRow, LedgerSecretRow, NewDataKey,
    NewPerson, PersonRow, RETIRED, RowMac, SealedRecordRow, UnfoldedPerson, VaultChanges,
    VaultLook, Watermark,
};
pub use runs::{IndexRow, LookupStore, MergeStep, NewRuns, RunId, RunRow, RunStore};
pub use side_tables::{AnchoredHeads, SideTables};
pub use span::{Order, Span};
pub use statements::{Deletions, Statements};
pub use storage::Storage;
pub use upkeep::Upkeep;
pub use values::{ValueFault, Values};
pub use vault::{Epochs, RowSums, VaultCopies, VaultStore};
