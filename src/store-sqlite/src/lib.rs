//! The store: sealed bytes on disk, and the only place that speaks SQL.
//!
//! It knows entries, payloads, tiles, index rows and sealed secrets as bytes; it has no key and
//! opens nothing. Its one write of evidence is [`Ledgers::commit`]. docs/design.md, "Storage", has
//! the reasons for the files and their settings.
#![forbid(unsafe_code)]

pub mod directory;
pub mod files;
mod span;
mod sqlite;

use std::path::PathBuf;

pub use span::{Order, Span};
pub use sqlite::index::{CheckedIndex, Index, MergeStep, NewIndex};
pub use sqlite::ledgers::{
    AnchoredHead, AnchoringRow, Copied, EventRow, ExpiryRow, Head, Ledgers, Mark, OpenJob,
    PersonRead, RememberedIds, StoredCheckpoint,
};
pub use sqlite::staging::{AssembledRow, NewPart, PartRow, Round, StagedPart, StagedText, Staging};
pub use sqlite::vault::{
    ApiKeyRow, AppliedRows, ChangedPart, CopyState, DataKeyRow, LedgerSecretRow, NewDataKey,
    NewPerson, PersonRow, Rewrapped, SealedPlace, SealedRecordRow, SealedRow, SealedTable, Vault,
    VaultChanges, VaultLook, Watermark,
};
pub use sqlite::vault_destroy::RETIRED;

use trailkeep_proof::ids::{
    ClassNumber, LedgerNumber, LookupKey, Origin, PersonReference, Seq, TenantName,
};
use trailkeep_proof::ledger::entry::EntryBytes;
use trailkeep_proof::ledger::tile::TileCoordinate;
use trailkeep_proof::time::UnixMillis;

/// Makes the keyed hashes by which rows of the vault are summed up. The key is nothing that the store knows.
pub trait RowMac: Send + Sync {
    /// HMAC-SHA256 over the parts, one behind the other.
    fn mac(&self, parts: &[&[u8]]) -> [u8; 32];
}

/// A ledger as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRecord {
    /// Its number in this directory.
    pub number: LedgerNumber,
    /// Whose it is.
    pub tenant: TenantName,
    /// Its name for the world.
    pub origin: Origin,
}

/// One event on its way to disk.
#[derive(Debug)]
pub struct Row {
    /// The entry.
    pub entry: EntryBytes,
    /// The encrypted text.
    pub payload: Vec<u8>,
    /// What it is looked up by; the event id's tag first.
    pub lookups: Vec<LookupKey>,
    /// The persons whose events the recorded read showed.
    pub shown_persons: Vec<PersonReference>,
    /// What it states for other entries.
    pub states: Option<Stated>,
    /// What its policies found it to lack.
    pub gaps: Vec<GapName>,
}

/// Something that a policy found of an event when it came: `missing` and a field, or what is odd.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GapName {
    /// The policy.
    pub policy: String,
    /// What.
    pub what: String,
}

/// How many events of a ledger a policy found to lack something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GapRow {
    /// What.
    pub name: GapName,
    /// Number of events, of all ever recorded.
    pub events: u64,
    /// The first of them.
    pub first: Seq,
    /// The last.
    pub last: Seq,
}

/// How the text of an event went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionCause {
    /// At the end of its time.
    Expired,
    /// Because a person asked.
    Erased,
}

impl DeletionCause {
    /// The state's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Erased => "erased",
        }
    }

    /// The state of a word.
    fn of_word(word: &str) -> Option<Self> {
        [Self::Expired, Self::Erased]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// Why single events went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionBasis {
    /// A person asked.
    Request,
    /// Something happened to their record, and their time ended.
    Trigger,
}

impl DeletionBasis {
    /// The word of the statement's section.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Trigger => "trigger",
        }
    }

    /// The kind of its statements in the store.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Request => "covers-request",
            Self::Trigger => "covers-trigger",
        }
    }

    /// The cause of a kind of statement.
    pub fn of_kind(kind: &str) -> Option<Self> {
        [Self::Request, Self::Trigger]
            .into_iter()
            .find(|cause| cause.kind() == kind)
    }
}

/// What a system entry states for other entries, beside its text: rows by which it is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A retention class.
    Class {
        /// Its number.
        number: ClassNumber,
        /// Its definition, as its section has it.
        definition: String,
    },
    /// A policy, as loaded, changed or dropped.
    Policy,
    /// Events that expired: those of a class that were recorded before a moment.
    Expiry {
        /// Their class.
        class: ClassNumber,
        /// The moment.
        recorded_before: UnixMillis,
        /// Those of them that a hold keeps: they stay, and the next run looks at them again.
        held: Vec<Seq>,
        /// Those that a hold kept from an earlier run, and that go now.
        released: Vec<Seq>,
    },
    /// Single events that went.
    Tombstones {
        /// Why.
        cause: DeletionBasis,
        /// The events, ascending.
        items: Vec<Seq>,
    },
    /// What persons' requests lead to.
    Erasure {
        /// The events that go, ascending.
        covers: Vec<Seq>,
        /// The events that are shown to nobody from here on, ascending.
        restricts: Vec<Seq>,
    },
    /// A restriction is over.
    Lift {
        /// The statement that restricted.
        restriction: Seq,
    },
}

/// Up to where the rows of a ledger may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The ledger.
    pub ledger: LedgerNumber,
    /// Its entries.
    pub entries: u64,
    /// Statements: of a closed ledger those that another one makes stand behind its entries.
    pub names: u64,
}

/// A statement, and whose entries it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stated {
    /// What is stated.
    pub statement: Statement,
    /// The closed ledger whose entries it is about; none where they are those of the ledger that it stands in.
    pub closed: Option<SupersededLedger>,
}

/// A ledger that takes no entry any more, of which another one states what goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupersededLedger {
    /// Its number.
    pub number: LedgerNumber,
    /// How its tables name entry 0 of the other one.
    pub first: u64,
}

impl From<Statement> for Stated {
    fn from(statement: Statement) -> Self {
        Self {
            statement,
            closed: None,
        }
    }
}

impl Stated {
    /// The ledger whose tables it goes into, and its name there.
    pub fn place(&self, stands_in: LedgerNumber, seq: Seq) -> (LedgerNumber, Seq) {
        match self.closed {
            Some(closed) => (closed.number, Seq::new(closed.first + seq.get())),
            None => (stands_in, seq),
        }
    }
}

/// The kind of a statement that restricts, and covers nothing.
pub const RESTRICTS: &str = "restricts";

impl Statement {
    /// The kind's name; none of what has a table or column of its own.
    pub const fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Class { .. } | Self::Lift { .. } => None,
            Self::Policy => Some("policy"),
            Self::Expiry { .. } => Some("expiry"),
            Self::Tombstones { cause, .. } => Some(cause.kind()),
            Self::Erasure { covers, .. } if covers.is_empty() => Some(RESTRICTS),
            Self::Erasure { .. } => Some(DeletionBasis::Request.kind()),
        }
    }

    /// Whether what it states is still to be done.
    pub const fn opens_a_job(&self) -> bool {
        matches!(
            self,
            Self::Expiry { .. } | Self::Tombstones { .. } | Self::Erasure { .. }
        )
    }
}

/// A retention class.
#[derive(Clone, Debug)]
pub struct ClassRow {
    /// Its number.
    pub number: ClassNumber,
    /// The system entry that defines it.
    pub statement: Seq,
    /// The statement's section `class`, exactly.
    pub definition: String,
}

/// What one commit adds to one ledger.
#[derive(Debug)]
pub struct LedgerBatch {
    /// Which ledger.
    pub ledger: LedgerNumber,
    /// Its size before: the first row's seq. Another size in the file fences the commit off.
    pub expected_size: u64,
    /// The rows, ascending by seq without gaps.
    pub rows: Vec<Row>,
    /// Tiles that became full.
    pub tiles: Vec<(TileCoordinate, Vec<u8>)>,
    /// Rows of the active index run below this seq stand in a merged run: some of them go with this commit.
    pub merged_end: Seq,
    /// The signed head after it.
    pub checkpoint: StoredCheckpoint,
}

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file of the data directory is missing.
    #[error("{path} is missing: {hint}", path = .path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
    },
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
    /// Another process has the directory.
    #[error("another trailkeep process has locked {path}: stop it, or let this command reach it through its socket", path = .0.display())]
    Locked(PathBuf),
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
    /// A row was sealed before a rotation ended its epoch. Nothing was written; seal it again.
    #[error("a vault rotation ended meanwhile: nothing of this was written; retry")]
    RetiredEpoch,
    /// The vault's rows are not summed up: a fault of the program.
    #[error("the vault is open read-only: this is a fault of the program; please report it")]
    Unguarded,
    /// SQLite said no. After a commit the outcome is unknown.
    #[error("{file}: {error}")]
    Sqlite {
        /// Which file.
        file: &'static str,
        /// What SQLite said; it never quotes values.
        error: rusqlite::Error,
    },
    /// Every user of the machine can replace the directory's files.
    #[error(
        "{path} has mode {mode:04o}: every user of this machine can replace the files in it; run `chmod 700 {path}`, or \
         name a directory inside it",
        path = .path.display()
    )]
    OpenToAll {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file system said no.
    #[error("{path}: {error}", path = .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

impl StoreError {
    /// Whether nothing was written and the store goes on.
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full { .. })
    }
}

/// Row number of an event: ledger and seq in one integer, so that a ledger's rows stand together.
fn row_number(ledger: LedgerNumber, seq: Seq) -> i64 {
    (i64::from(ledger.get()) << 40) | (seq.get() & Seq::MAX.get()).cast_signed()
}

/// Ledger and seq of a row number.
fn row_place(row: i64) -> (LedgerNumber, Seq) {
    let number = u32::try_from(row >> 40).unwrap_or_default();
    (LedgerNumber::new(number), row_seq(row))
}

/// Seq of a row number.
fn row_seq(row: i64) -> Seq {
    Seq::new(row.cast_unsigned() & Seq::MAX.get())
}
