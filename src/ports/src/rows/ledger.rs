//! Rows of the ledgers: what a commit adds, and what is read back.

use crate::{Mark, Stated};
use trailkeep_proof::ids::{
    LedgerNumber, LookupKey, Origin, PersonReference, RootHash, Seq, TenantName, ValueNumber,
};
use trailkeep_proof::ledger::entry::EntryBytes;
use trailkeep_proof::ledger::tile::TileCoordinate;
use trailkeep_proof::time::UnixMillis;

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
    /// Values that are stored with it: nothing refers to them before.
    pub values: Vec<(ValueNumber, Vec<u8>)>,
    /// The values that the text refers to, those above included; ascending, each once.
    pub refers: Vec<ValueNumber>,
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

/// The signed head of a ledger, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: RootHash,
    /// The signed note.
    pub note: String,
    /// The last statement that changes the vault, with its MAC; none of a head that an earlier version wrote.
    pub stated: Option<Vec<u8>>,
}

/// Up to where a ledger is copied: a signed head.
pub type Head = (LedgerRecord, StoredCheckpoint);

/// What copying did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Entries that the copy had not.
    pub entries: u64,
    /// Payloads that the copy had not, or in another sealing.
    pub payloads: u64,
    /// Payloads that the copy had and that are gone.
    pub payloads_gone: u64,
}

/// An entry, its payload while it has one, and what statements say of it.
#[derive(Clone, Debug)]
pub struct EventRow {
    /// The entry.
    pub entry: EntryBytes,
    /// The encrypted text.
    pub payload: Option<Vec<u8>>,
    /// What statements say of it.
    pub mark: Mark,
}

/// A head that somebody outside has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchoredHead {
    /// Number of entries.
    pub size: u64,
    /// The signed note, with the lines of witnesses.
    pub note: String,
}

/// Who has a head, since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchoringRow {
    /// Number of entries.
    pub size: u64,
    /// Name of the target.
    pub target: String,
    /// `directory`, `webhook` or `witness`.
    pub kind: String,
    /// When it was last given there.
    pub at: UnixMillis,
}

/// A row that says that a recorded read showed a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonRead {
    /// The person's reference.
    pub person: PersonReference,
    /// The ledger whose entry records the read.
    pub ledger: LedgerNumber,
    /// The entry.
    pub seq: Seq,
}

/// What is remembered of the ids of events that went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RememberedIds {
    /// How many.
    pub rows: u64,
    /// How many of events that expired.
    pub expired: u64,
    /// How many of events that were erased.
    pub erased: u64,
    /// Until when the last of them is remembered.
    pub until_ms: u64,
}
