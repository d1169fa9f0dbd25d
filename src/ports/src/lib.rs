//! What the domain asks of a store: plain rows, errors and traits. No engine has a name here.
#![forbid(unsafe_code)]

pub mod directory;
mod error;
pub mod files;
mod inbox;
mod ledger;
mod sealed;
mod span;
mod statement;
mod vault;

pub use error::StoreError;
pub use inbox::{AssembledRow, NewPart, PartRow, Round, StagedPart, StagedText};
pub use ledger::{
    AnchoredHead, AnchoringRow, Copied, EventRow, Extent, GapName, GapRow, Head, LedgerBatch,
    LedgerRecord, PersonRead, RememberedIds, Row, StoredCheckpoint,
};
pub use sealed::{Rewrapped, SealedPlace, SealedRow, SealedTable};
pub use span::{Order, Span};
pub use statement::{
    ClassRow, DeletionBasis, DeletionCause, ExpiryRow, Mark, OpenJob, RESTRICTS, Stated, Statement,
    SupersededLedger,
};
pub use vault::{
    ApiKeyRow, AppliedRows, ChangedPart, CopyState, DataKeyRow, LedgerSecretRow, NewDataKey,
    NewPerson, PersonRow, RETIRED, RowMac, SealedRecordRow, UnfoldedPerson, VaultChanges,
    VaultLook, Watermark,
};
