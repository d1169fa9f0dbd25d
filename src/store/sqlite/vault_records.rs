//! Sealed records of the vault: settings, holds and the like, each in its place.

use rusqlite::params;

use super::vault::{SealedRecordRow, Vault};
use crate::ids::LedgerNumber;
use crate::store::StoreError;

impl Vault {
    /// Adds or replaces a sealed record. On disk when it returns.
    pub fn put_record(&self, row: &SealedRecordRow) -> Result<(), StoreError> {
        self.change(|tx| put(tx, row).map_err(|error| self.database().error(error)))
    }

    /// The same of a record that is no reason to copy the vault anew: a copy without it lacks nothing.
    pub fn put_note(&self, row: &SealedRecordRow) -> Result<(), StoreError> {
        self.database()
            .write(|tx| put(tx, row).map_err(|error| self.database().error(error)))
    }

    /// The sealed records of a kind and ledger, by id.
    pub fn records(
        &self,
        kind: &str,
        ledger: LedgerNumber,
    ) -> Result<Vec<SealedRecordRow>, StoreError> {
        self.database().read(|tx| {
            tx.prepare_cached(
                "SELECT id, epoch, sealed FROM sealed_record WHERE kind = ?1 AND ledger = ?2 ORDER BY id",
            )?
            .query_map(params![kind, ledger.get()], |row| {
                Ok(SealedRecordRow {
                    kind: kind.to_owned(),
                    ledger,
                    id: row.get(0)?,
                    epoch: row.get(1)?,
                    sealed: row.get(2)?,
                })
            })?
            .collect()
        })
    }

    /// The sealed records of a ledger, of all kinds.
    pub fn records_of(&self, ledger: LedgerNumber) -> Result<Vec<SealedRecordRow>, StoreError> {
        self.database().read(|tx| {
            tx.prepare_cached(
                "SELECT kind, id, epoch, sealed FROM sealed_record WHERE ledger = ?1 ORDER BY kind, id",
            )?
            .query_map([ledger.get()], |row| {
                Ok(SealedRecordRow {
                    kind: row.get(0)?,
                    ledger,
                    id: row.get(1)?,
                    epoch: row.get(2)?,
                    sealed: row.get(3)?,
                })
            })?
            .collect()
        })
    }

    /// The numbers of the ledgers that have sealed records.
    pub fn ledgers_with_records(&self) -> Result<Vec<LedgerNumber>, StoreError> {
        self.database().read(|tx| {
            tx.prepare_cached("SELECT DISTINCT ledger FROM sealed_record ORDER BY ledger")?
                .query_map([], |row| {
                    // A number that no ledger can have stays one that is not there.
                    let number: i64 = row.get(0)?;
                    Ok(LedgerNumber::new(u32::try_from(number).unwrap_or(u32::MAX)))
                })?
                .collect()
        })
    }

    /// Destroys a sealed record, if it is there.
    pub fn delete_record(
        &self,
        kind: &str,
        ledger: LedgerNumber,
        id: &str,
    ) -> Result<(), StoreError> {
        self.change(|tx| {
            tx.execute(
                "DELETE FROM sealed_record WHERE kind = ?1 AND ledger = ?2 AND id = ?3",
                params![kind, ledger.get(), id],
            )
            .map(drop)
            .map_err(|error| self.database().error(error))
        })
    }
}

fn put(tx: &rusqlite::Connection, row: &SealedRecordRow) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO sealed_record (kind, ledger, id, epoch, sealed) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (kind, ledger, id) DO UPDATE SET epoch = excluded.epoch, sealed = excluded.sealed",
        params![row.kind, row.ledger.get(), row.id, row.epoch, row.sealed],
    )
    .map(drop)
}
