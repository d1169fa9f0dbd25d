//! Sealed records of the vault: settings, holds and the like, each in its place.

use rusqlite::{OptionalExtension, params};

use super::SqliteVault;
use trailkeep_ports::{AppliedRows, SealedRecordRow, SealedRecords, StoreError};
use trailkeep_proof::ids::{LedgerNumber, Seq};

impl SealedRecords for SqliteVault {
    fn put_record(&self, row: &SealedRecordRow) -> Result<(), StoreError> {
        self.file
            .change(|tx| put(tx, row).map_err(|error| self.file.error(error)))
    }

    fn put_note(&self, row: &SealedRecordRow) -> Result<(), StoreError> {
        self.file
            .note(|tx| put(tx, row).map_err(|error| self.file.error(error)))
    }

    fn apply(&self, rows: &AppliedRows) -> Result<(), StoreError> {
        self.file.change(|tx| {
            let apply = || -> rusqlite::Result<()> {
                for row in &rows.records {
                    put(tx, row)?;
                }
                for row in &rows.api_keys {
                    tx.execute(
                        "INSERT INTO api_key (id, epoch, sealed) VALUES (?1, ?2, ?3)
                         ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, sealed = excluded.sealed",
                        params![row.id, row.epoch, row.sealed],
                    )?;
                }
                for (kind, ledger, id) in &rows.taken {
                    tx.execute(
                        "DELETE FROM sealed_record WHERE kind = ?1 AND ledger = ?2 AND id = ?3",
                        params![kind, ledger.get(), id],
                    )?;
                }
                tx.execute(
                    "INSERT INTO applied (ledger, seq) VALUES (?1, ?2)
                     ON CONFLICT (ledger) DO UPDATE SET seq = max(seq, excluded.seq)",
                    params![rows.ledger.get(), rows.seq.get()],
                )?;
                Ok(())
            };
            apply().map_err(|error| self.file.error(error))
        })
    }

    fn applied(&self, ledger: LedgerNumber) -> Result<Option<Seq>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached("SELECT seq FROM applied WHERE ledger = ?1")?
                .query_row([ledger.get()], |row| Ok(Seq::new(row.get(0)?)))
                .optional()
        })
    }

    fn record(
        &self,
        kind: &str,
        ledger: LedgerNumber,
        id: &str,
    ) -> Result<Option<SealedRecordRow>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT epoch, sealed FROM sealed_record WHERE kind = ?1 AND ledger = ?2 AND id = ?3",
            )?
            .query_row(params![kind, ledger.get(), id], |row| {
                Ok(SealedRecordRow {
                    kind: kind.to_owned(),
                    ledger,
                    id: id.to_owned(),
                    epoch: row.get(0)?,
                    sealed: row.get(1)?,
                })
            })
            .optional()
        })
    }

    fn records(
        &self,
        kind: &str,
        ledger: LedgerNumber,
    ) -> Result<Vec<SealedRecordRow>, StoreError> {
        self.file.read(|tx| {
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

    fn records_of(&self, ledger: LedgerNumber) -> Result<Vec<SealedRecordRow>, StoreError> {
        self.file.read(|tx| {
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

    fn ledgers_with_records(&self) -> Result<Vec<LedgerNumber>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached("SELECT DISTINCT ledger FROM sealed_record ORDER BY ledger")?
                .query_map([], |row| {
                    // A number that no ledger can have stays one that is not there.
                    let number: i64 = row.get(0)?;
                    Ok(LedgerNumber::new(u32::try_from(number).unwrap_or(u32::MAX)))
                })?
                .collect()
        })
    }

    fn delete_record(&self, kind: &str, ledger: LedgerNumber, id: &str) -> Result<(), StoreError> {
        self.file.change(|tx| {
            tx.execute(
                "DELETE FROM sealed_record WHERE kind = ?1 AND ledger = ?2 AND id = ?3",
                params![kind, ledger.get(), id],
            )
            .map(drop)
            .map_err(|error| self.file.error(error))
        })
    }
}

pub(super) fn put(tx: &rusqlite::Connection, row: &SealedRecordRow) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO sealed_record (kind, ledger, id, epoch, sealed) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (kind, ledger, id) DO UPDATE SET epoch = excluded.epoch, sealed = excluded.sealed",
        params![row.kind, row.ledger.get(), row.id, row.epoch, row.sealed],
    )
    .map(drop)
}
