//! Sealed records, API keys and ledgers, in the vault.

use crate::{
    ApiKeyRow, AppliedRows, LedgerRecord, LedgerSecretRow, SealedRecordRow, StoreError, Watermark,
};
use trailkeep_proof::ids::{LedgerNumber, Seq};

/// Sealed records: settings, holds and the like, each in its place.
pub trait SealedRecords: Send + Sync {
    /// Adds or replaces a sealed record. On disk when it returns.
    fn put_record(&self, row: &SealedRecordRow) -> Result<(), StoreError>;

    /// The same of a record that is no reason to copy the vault anew: a copy without it lacks nothing.
    fn put_note(&self, row: &SealedRecordRow) -> Result<(), StoreError>;

    /// Takes in what a statement changes: all of it is on disk when this returns, or nothing.
    fn apply(&self, rows: &AppliedRows) -> Result<(), StoreError>;

    /// The last statement of a ledger whose change of the vault is in the rows.
    fn applied(&self, ledger: LedgerNumber) -> Result<Option<Seq>, StoreError>;

    /// One sealed record.
    fn record(
        &self,
        kind: &str,
        ledger: LedgerNumber,
        id: &str,
    ) -> Result<Option<SealedRecordRow>, StoreError>;

    /// The sealed records of a kind and ledger, by id.
    fn records(&self, kind: &str, ledger: LedgerNumber)
    -> Result<Vec<SealedRecordRow>, StoreError>;

    /// The sealed records of a ledger, of all kinds.
    fn records_of(&self, ledger: LedgerNumber) -> Result<Vec<SealedRecordRow>, StoreError>;

    /// The numbers of the ledgers that have sealed records.
    fn ledgers_with_records(&self) -> Result<Vec<LedgerNumber>, StoreError>;

    /// Destroys a sealed record, if it is there.
    fn delete_record(&self, kind: &str, ledger: LedgerNumber, id: &str) -> Result<(), StoreError>;
}

/// API keys.
pub trait ApiKeys: Send + Sync {
    /// Replaces what stands of an API key. On disk when it returns.
    fn replace_api_key(&self, row: &ApiKeyRow) -> Result<(), StoreError>;

    /// A number that differs after each commit to the vault, also by hand or by another process: what was read of API keys
    /// holds while it stays. None where it could not be told without waiting.
    fn version(&self) -> Option<u64>;

    /// The API key with an id.
    fn api_key(&self, id: &str) -> Result<Option<ApiKeyRow>, StoreError>;

    /// All API keys.
    fn api_keys(&self) -> Result<Vec<ApiKeyRow>, StoreError>;
}

/// The ledgers as the vault knows them: names, secrets, and the last head that it saw of each.
pub trait VaultLedgers: Send + Sync {
    /// Adds a new ledger: its names, which its rows' sealings bind, and its secrets.
    fn add_ledger(&self, ledger: &LedgerRecord, rows: &[LedgerSecretRow])
    -> Result<(), StoreError>;

    /// Takes away all rows of a ledger that was never made, and its first API key. On disk when it returns.
    fn remove_ledger(&self, ledger: LedgerNumber, api_key: &str) -> Result<(), StoreError>;

    /// The secrets of a ledger.
    fn ledger_secrets(&self, ledger: LedgerNumber) -> Result<Vec<LedgerSecretRow>, StoreError>;

    /// The largest number of a ledger that has secrets here; none where no ledger has.
    fn last_ledger(&self) -> Result<Option<LedgerNumber>, StoreError>;

    /// The names of all ledgers that have secrets here.
    fn ledgers(&self) -> Result<Vec<LedgerRecord>, StoreError>;

    /// The last head of a ledger that the vault saw.
    fn watermark(&self, ledger: LedgerNumber) -> Result<Option<Watermark>, StoreError>;

    /// Keeps the head of a ledger.
    fn set_watermark(&self, ledger: LedgerNumber, mark: &Watermark) -> Result<(), StoreError>;
}
