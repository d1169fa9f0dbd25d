//! What is destroyed in the vault: data keys and persons.

use rusqlite::{OptionalExtension, params};

use super::vault::{Vault, data_key_row};
use trailkeep_ports::{DataKeyRow, RETIRED, StoreError};
use trailkeep_proof::ids::{ClassNumber, KeyId, LedgerNumber, Tag};

impl Vault {
    /// The data keys of a class and period.
    pub fn data_keys_of_period(
        &self,
        ledger: LedgerNumber,
        class: ClassNumber,
        period: &str,
    ) -> Result<Vec<KeyId>, StoreError> {
        self.file().read(|tx| {
            tx.prepare_cached(
                "SELECT key_id FROM data_key WHERE ledger = ?1 AND class = ?2 AND period = ?3",
            )?
            .query_map(params![ledger.get(), class.get(), period], |row| {
                Ok(KeyId::new(row.get::<_, i64>(0)?.cast_unsigned()))
            })?
            .collect()
        })
    }

    /// The data keys of a ledger that retired: nothing new is sealed under them, and they go when nothing needs them
    /// any more.
    pub fn retired_data_keys(&self, ledger: LedgerNumber) -> Result<Vec<DataKeyRow>, StoreError> {
        self.file().read(|tx| {
            tx.prepare_cached(
                "SELECT key_id, ledger, person, class, period, epoch, sealed FROM data_key
                 WHERE ledger = ?1 AND period LIKE '%' || ?2 ORDER BY key_id",
            )?
            .query_map(params![ledger.get(), RETIRED], data_key_row)?
            .collect()
        })
    }

    /// Puts retired keys in the place of what they were, so that another key may take their slot. The rows are sealed
    /// for their new period. On disk when it returns.
    pub fn retire_data_keys(&self, rows: &[DataKeyRow]) -> Result<(), StoreError> {
        self.file().change(|tx| {
            let retire = || -> rusqlite::Result<()> {
                let mut retire = tx.prepare_cached(
                    "UPDATE data_key SET period = ?2, epoch = ?3, sealed = ?4 WHERE key_id = ?1",
                )?;
                for row in rows {
                    let id = row.key_id.get().cast_signed();
                    retire.execute(params![id, row.period, row.epoch, row.sealed])?;
                }
                Ok(())
            };
            retire().map_err(|error| self.file().error(error))
        })
    }

    /// Destroys data keys. On disk when it returns; the write-ahead log still holds them until it is scrubbed.
    pub fn delete_data_keys(&self, keys: &[KeyId]) -> Result<(), StoreError> {
        self.file().change(|tx| {
            let delete = || -> rusqlite::Result<()> {
                let mut delete = tx.prepare_cached("DELETE FROM data_key WHERE key_id = ?1")?;
                for key in keys {
                    delete.execute([key.get().cast_signed()])?;
                }
                Ok(())
            };
            delete().map_err(|error| self.file().error(error))
        })
    }

    /// Whether a person's row is named by a data key.
    pub fn person_has_keys(&self, ledger: LedgerNumber, person: i64) -> Result<bool, StoreError> {
        self.file().read(|tx| {
            let found: Option<i64> = tx
                .prepare_cached("SELECT 1 FROM data_key WHERE ledger = ?1 AND person = ?2 LIMIT 1")?
                .query_row(params![ledger.get(), person], |row| row.get(0))
                .optional()?;
            Ok(found.is_some())
        })
    }

    /// The tag of a person, by the row.
    pub fn person_tag(&self, person: i64) -> Result<Option<Tag>, StoreError> {
        self.file().read(|tx| {
            let tag: Option<Vec<u8>> = tx
                .prepare_cached("SELECT tag FROM person WHERE id = ?1")?
                .query_row([person], |row| row.get(0))
                .optional()?;
            Ok(tag.and_then(|tag| Tag::from_slice(&tag)))
        })
    }

    /// Destroys the tags and references of persons, by their rows.
    pub fn delete_persons(&self, persons: &[i64]) -> Result<(), StoreError> {
        if persons.is_empty() {
            return Ok(());
        }
        self.file().change(|tx| {
            let delete = || -> rusqlite::Result<()> {
                let mut delete = tx.prepare_cached("DELETE FROM person WHERE id = ?1")?;
                let mut folded =
                    tx.prepare_cached("DELETE FROM person_folded WHERE person = ?1")?;
                for person in persons {
                    delete.execute([person])?;
                    folded.execute([person])?;
                }
                Ok(())
            };
            delete().map_err(|error| self.file().error(error))
        })
    }

    /// Empties the write-ahead log, so that what was deleted is in no file; `false` where a reader keeps it.
    pub fn purge(&self) -> Result<bool, StoreError> {
        self.file().copy_log()?;
        self.file().purge()
    }
}
