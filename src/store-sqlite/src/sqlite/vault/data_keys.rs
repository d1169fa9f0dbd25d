//! Data keys.

use rusqlite::{OptionalExtension, params};

use super::{SqliteVault, data_key_row};
use trailkeep_ports::{DataKeyRow, DataKeys, RETIRED, StoreError};
use trailkeep_proof::ids::{ClassNumber, KeyId, LedgerNumber, Tag};

impl DataKeys for SqliteVault {
    fn data_key_for(
        &self,
        ledger: LedgerNumber,
        person: Option<Tag>,
        class: ClassNumber,
        period: &str,
    ) -> Result<Option<DataKeyRow>, StoreError> {
        let tag = person.as_ref().map(|tag| &tag.as_bytes()[..]);
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT key_id, ledger, person, class, period, epoch, sealed FROM data_key
                 WHERE ledger = ?1 AND class = ?3 AND period = ?4 AND person =
                 CASE WHEN ?2 IS NULL THEN 0 ELSE (SELECT id FROM person WHERE ledger = ?1 AND tag = ?2) END",
            )?
            .query_row(params![ledger.get(), tag, class.get(), period], data_key_row)
            .optional()
        })
    }

    fn data_key(&self, key_id: KeyId) -> Result<Option<DataKeyRow>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT key_id, ledger, person, class, period, epoch, sealed FROM data_key WHERE key_id = ?1",
            )?
            .query_row([key_id.get().cast_signed()], data_key_row)
            .optional()
        })
    }

    fn data_keys(&self, after: Option<KeyId>, limit: u32) -> Result<Vec<DataKeyRow>, StoreError> {
        let after = after.map_or(i64::MIN, |id| id.get().cast_signed());
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT key_id, ledger, person, class, period, epoch, sealed FROM data_key
                 WHERE key_id > ?1 ORDER BY key_id LIMIT ?2",
            )?
            .query_map(params![after, limit], data_key_row)?
            .collect()
        })
    }

    fn data_keys_of_period(
        &self,
        ledger: LedgerNumber,
        class: ClassNumber,
        period: &str,
    ) -> Result<Vec<KeyId>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT key_id FROM data_key WHERE ledger = ?1 AND class = ?2 AND period = ?3",
            )?
            .query_map(params![ledger.get(), class.get(), period], |row| {
                Ok(KeyId::new(row.get::<_, i64>(0)?.cast_unsigned()))
            })?
            .collect()
        })
    }

    fn retired_data_keys(&self, ledger: LedgerNumber) -> Result<Vec<DataKeyRow>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT key_id, ledger, person, class, period, epoch, sealed FROM data_key
                 WHERE ledger = ?1 AND period LIKE '%' || ?2 ORDER BY key_id",
            )?
            .query_map(params![ledger.get(), RETIRED], data_key_row)?
            .collect()
        })
    }

    fn retire_data_keys(&self, rows: &[DataKeyRow]) -> Result<(), StoreError> {
        self.file.change(|tx| {
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
            retire().map_err(|error| self.file.error(error))
        })
    }

    fn delete_data_keys(&self, keys: &[KeyId]) -> Result<(), StoreError> {
        self.file.change(|tx| {
            let delete = || -> rusqlite::Result<()> {
                let mut delete = tx.prepare_cached("DELETE FROM data_key WHERE key_id = ?1")?;
                for key in keys {
                    delete.execute([key.get().cast_signed()])?;
                }
                Ok(())
            };
            delete().map_err(|error| self.file.error(error))
        })
    }
}
