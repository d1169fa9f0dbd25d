//! Export: from a question to a signed bundle (docs/format.md, "Bundle").
//!
//! [`plan`] decides what the bundle holds and records the export in the ledger, before anything is read.
//! [`write()`] then streams it: the entries, the texts, what explains them, and at the end the
//! checkpoint that holds all of it, the export's own entry included.

mod bundle_writer;
mod gaps;
pub(crate) mod html;
pub mod jobs;
mod person;
mod plan;
mod readme;
mod report;
mod rows;
mod statements;
mod summary;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub use person::{CopyForm, PersonScope, PersonsEvents, join_withheld};
pub(crate) use person::{date, moment, named, withheld_in_words};
pub(super) use plan::still_there;
pub use plan::{Plan, plan};

use crate::export::jobs::Exports;
use crate::journal::Journal;
use crate::journal::append::AppendError;
use crate::journal::read::ReadError;
use crate::keys::keyring::KeyError;
use crate::tenant::ledger::{Ledger, ReadTileError};
use trailkeep_crypto::spool::{Spool, SpoolError};
use trailkeep_ports::StoreError;
use trailkeep_proof::bundle::manifest::{Counts, Proof, Recorded, SeqRange};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::checkpoint::{Checkpoint, CheckpointError};
use trailkeep_proof::privacy::Withheld;
use trailkeep_proof::time::UnixMillis;

/// Which entries are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Recorded in a time, open where nothing is said: from inclusive, to exclusive.
    Time {
        /// Recorded at this moment or later.
        from: Option<UnixMillis>,
        /// Recorded before this moment.
        to: Option<UnixMillis>,
    },
    /// Between two seqs, both inclusive.
    Seqs {
        /// The first.
        first: Seq,
        /// The last.
        last: Seq,
    },
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct ExportRequest {
    /// Which entries.
    pub scope: Scope,
    /// Of these only the events with this action: a selection.
    pub action: Option<String>,
    /// Of these only a person's own: a selection, for that person.
    pub person: Option<PersonScope>,
    /// Sections to replace by digests.
    pub redact: Vec<String>,
    /// age recipients who alone can open the file; none: it is not encrypted.
    pub recipients: Vec<String>,
    /// Signed notes of older heads, for which consistency is to be proven.
    pub against: Vec<String>,
    /// Id of the API key that asks, or `local`.
    pub asked_by: String,
}

/// A bundle that is ready.
pub struct Exported {
    /// The file.
    pub file: Arc<Spool>,
    /// What is in it.
    pub summary: ExportSummary,
}

/// What a finished bundle holds.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ExportSummary {
    /// What it can prove.
    pub proof: Proof,
    /// First and last entry; absent if there is none.
    pub range: Option<SeqRange>,
    /// The requested time, which a range covers.
    pub recorded: Option<Recorded>,
    /// How many of each.
    pub counts: Counts,
    /// The entry that records the export.
    pub export_seq: u64,
    /// Size of the ledger under the checkpoint.
    pub size: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Whether it is encrypted for the recipients.
    pub encrypted: bool,
    /// Of a person's copy: what it leaves out, and why.
    pub withheld: Vec<Withheld>,
}

/// Makes what a plan says. `progress` hears how many entries of how many are done.
pub fn write(
    exports: &Exports,
    ledger: &Ledger,
    plan: &Plan,
    cancelled: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Exported, ExportError> {
    match &plan.request.person {
        Some(person) if person.form == CopyForm::Json => {
            person::portable::write(exports, ledger, plan, person, cancelled, progress)
        }
        _ => write::write(exports, ledger, plan, cancelled, progress),
    }
}

/// The line of one of the ledger's own entries, with the salts that open it.
pub(super) fn statement_line(
    journal: &Journal,
    ledger: &Ledger,
    seq: Seq,
) -> Result<Vec<u8>, ExportError> {
    let row = rows::read_statement(journal, ledger, seq)?;
    Ok(row.content.statement().to_vec())
}

/// Stops an export that was cancelled, or that the disk has no room for.
fn check_going_on(exports: &Exports, cancelled: &AtomicBool) -> Result<(), ExportError> {
    if cancelled.load(Ordering::Relaxed) {
        return Err(ExportError::Cancelled);
    }
    if exports.spools.is_full() {
        return Err(ExportError::Full);
    }
    Ok(())
}

/// Why there is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The scope holds no entry.
    #[error(
        "no entry is from this time; the ledger has entries from {first} to {last}. To prove that nothing was recorded then, export the entries around it with --seq"
    )]
    NothingRecorded {
        /// When the first entry was recorded.
        first: UnixMillis,
        /// When the last entry was recorded.
        last: UnixMillis,
    },
    /// The seqs are not those of a range in the ledger.
    #[error(
        "the range is not in the ledger, which has the entries 0 to {last}: give two of them, the smaller first"
    )]
    NoSuchRange {
        /// The last entry.
        last: u64,
    },
    /// A section that must stay, or that does not exist.
    #[error("section `{0}` cannot be redacted: {1}")]
    NotRedactable(String, &'static str),
    /// Not an age recipient.
    #[error("`{0}` is not an age recipient: it must begin with `age1`, as `age-keygen` prints it")]
    Recipient(String),
    /// An older head that was given is none of this ledger.
    #[error("the older checkpoint is not from this ledger: {0}")]
    Against(CheckpointError),
    /// An older head is larger than the ledger.
    #[error(
        "the older checkpoint has {older} entries, but this ledger has {size}: it was rolled back, or it is another ledger"
    )]
    LargerThanLedger {
        /// Its size.
        older: u64,
        /// The ledger's size.
        size: u64,
    },
    /// The disk, or what exports may have of it, has too little room.
    #[error(
        "no space for the export: waiting exports use the limit for all exports, or the disk has less free space than exports \
         leave to events. Fetch or delete waiting exports, free space, or export a smaller range"
    )]
    Full,
    /// Events of a selection went while it was written.
    #[error("events of this selection were deleted while it was written: export again")]
    Changed,
    /// What witnesses said of the head could not be kept.
    #[error("the cosignatures of the checkpoint could not be stored: {0}")]
    Anchor(#[from] crate::anchor::AnchorError),
    /// Somebody stopped it.
    #[error("the export was cancelled")]
    Cancelled,
    /// The export could not be recorded.
    #[error("no export was made, because the ledger could not record it: {0}")]
    Append(#[from] Box<AppendError>),
    /// An entry or payload could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The ledger's keys could not be opened.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A proof could not be made.
    #[error(transparent)]
    Tile(#[from] ReadTileError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The temporary file could not be made.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The temporary file could not be written or read.
    #[error("the bundle could not be written: {0}")]
    Io(#[from] std::io::Error),
    /// The archive could not be written.
    #[error("the bundle could not be written: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// The manifest could not be written.
    #[error("the bundle could not be written: {0}")]
    Json(#[from] serde_json::Error),
    /// The recipients could not be encrypted to.
    #[error("the bundle could not be encrypted: {0}")]
    Age(#[from] age::EncryptError),
}

impl ExportError {
    /// Whether the question was wrong, and not the answering.
    pub const fn is_of_the_question(&self) -> bool {
        matches!(
            self,
            Self::NothingRecorded { .. }
                | Self::NoSuchRange { .. }
                | Self::NotRedactable(..)
                | Self::Recipient(_)
                | Self::Against(_)
                | Self::LargerThanLedger { .. }
        )
    }
}

/// An older head that a proof of consistency is made for.
pub(super) type OlderHead = Checkpoint;
