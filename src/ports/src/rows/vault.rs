//! Rows of the vault: sealed secrets, opaque here.

use trailkeep_proof::ids::{ClassNumber, KeyId, LedgerNumber, RootHash, Seq, Tag};
use trailkeep_proof::time::UnixMillis;

/// Makes the keyed hashes by which rows of the vault are summed up. The key is nothing that the store knows.
pub trait RowMac: Send + Sync {
    /// HMAC-SHA256 over the parts, one behind the other.
    fn mac(&self, parts: &[&[u8]]) -> [u8; 32];
}

/// A person's row.
#[derive(Clone, Debug)]
pub struct PersonRow {
    /// Number of the row; data keys name it.
    pub id: i64,
    /// Epoch of the sealing.
    pub epoch: u32,
    /// The sealed reference.
    pub sealed: Vec<u8>,
}

/// A data key's row.
#[derive(Clone, Debug)]
pub struct DataKeyRow {
    /// The key's number.
    pub key_id: KeyId,
    /// Its ledger.
    pub ledger: LedgerNumber,
    /// The person's row, or 0 for the key of a class's events that are about nobody.
    pub person: i64,
    /// Its retention class.
    pub class: ClassNumber,
    /// Its period, as text.
    pub period: String,
    /// Epoch of the sealing.
    pub epoch: u32,
    /// The sealed key.
    pub sealed: Vec<u8>,
}

/// A secret of a ledger: `signing`, `index` or `system`.
#[derive(Clone, Debug)]
pub struct LedgerSecretRow {
    /// Its ledger.
    pub ledger: LedgerNumber,
    /// Which of them.
    pub kind: String,
    /// Its number; payloads of system events name that of `system`.
    pub key_id: KeyId,
    /// Epoch of the sealing.
    pub epoch: u32,
    /// The sealed secret.
    pub sealed: Vec<u8>,
}

/// An API key's row.
#[derive(Clone, Debug)]
pub struct ApiKeyRow {
    /// Its public id.
    pub id: String,
    /// Epoch of the sealing.
    pub epoch: u32,
    /// Sealed: what it may do, and the hash of its secret.
    pub sealed: Vec<u8>,
}

/// A sealed record of a ledger: settings, a hold, a job.
#[derive(Clone, Debug)]
pub struct SealedRecordRow {
    /// What it is.
    pub kind: String,
    /// Its ledger.
    pub ledger: LedgerNumber,
    /// Its id among those of its kind.
    pub id: String,
    /// Epoch of the sealing.
    pub epoch: u32,
    /// The sealed text.
    pub sealed: Vec<u8>,
}

/// What a statement of a ledger changes in the vault.
#[derive(Clone, Debug)]
pub struct AppliedRows {
    /// The statement's ledger.
    pub ledger: LedgerNumber,
    /// The statement.
    pub seq: Seq,
    /// Sealed records that it adds or replaces.
    pub records: Vec<SealedRecordRow>,
    /// API keys that it adds or replaces.
    pub api_keys: Vec<ApiKeyRow>,
    /// Sealed records that it takes away: kind, ledger and id.
    pub taken: Vec<(String, LedgerNumber, String)>,
}

/// A person who is new to the vault.
#[derive(Clone, Debug)]
pub struct NewPerson {
    /// Ledger of the tag.
    pub ledger: LedgerNumber,
    /// The person's tag.
    pub tag: Tag,
    /// What the spellings of a data subject's identifier have in common; none of who only acts.
    pub folded: Option<Tag>,
    /// Epoch of the sealing.
    pub epoch: u32,
    /// The sealed reference.
    pub sealed: Vec<u8>,
}

/// A data key that is new to the vault.
#[derive(Clone, Debug)]
pub struct NewDataKey {
    /// The person whose key it is, by tag, or nobody.
    pub person: Option<Tag>,
    /// The row but for the person's number, which the vault assigns.
    pub row: DataKeyRow,
}

/// What one commit of the vault adds.
#[derive(Debug, Default)]
pub struct VaultChanges {
    /// New persons, before their keys.
    pub persons: Vec<NewPerson>,
    /// New data keys.
    pub data_keys: Vec<NewDataKey>,
}

/// The last head of a ledger that the vault saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: RootHash,
    /// When it was written.
    pub seen_at: UnixMillis,
}

/// Stands behind the period of a retired key.
pub const RETIRED: &str = "~";

/// A person's row of which nobody has looked yet whether it is a data subject's.
#[derive(Clone, Debug)]
pub struct UnfoldedPerson {
    /// Number of the row.
    pub id: i64,
    /// The person's tag.
    pub tag: Tag,
}

/// A part of the vault whose rows are not those that the program wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedPart {
    /// Which: `hold/1`, `api-key`, `data-key/2`; `sums` where the sums themselves were changed.
    pub part: String,
    /// Rows that the program wrote.
    pub written: u64,
    /// Rows that are there.
    pub found: u64,
}

/// What a vault says of itself; of a copy, without changing the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultLook {
    /// The data directory that it belongs to.
    pub directory_id: String,
    /// Changes that it has seen: of two copies the one with more is the newer.
    pub changes: u64,
    /// The lowest epoch that a row is sealed under.
    pub lowest_epoch: u32,
    /// The highest epoch that a row is sealed under.
    pub highest_epoch: u32,
}

/// What a target was last given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyState {
    /// Changes that the copy has; none: it has no copy yet.
    pub changes: Option<u64>,
    /// The lowest epoch that a row of the copy may be sealed under.
    pub rows_epoch: Option<u32>,
    /// The lowest epoch whose key the target holds.
    pub key_epoch: Option<u32>,
    /// When the copy was made.
    pub copied_at: Option<UnixMillis>,
    /// When copying last failed, if it failed since.
    pub failed_at: Option<UnixMillis>,
    /// Why.
    pub error: Option<String>,
}
