//! API keys' rows.

use rusqlite::{OptionalExtension, params};

use super::SqliteVault;
use trailkeep_ports::{ApiKeyRow, ApiKeys, StoreError};

impl ApiKeys for SqliteVault {
    fn replace_api_key(&self, row: &ApiKeyRow) -> Result<(), StoreError> {
        self.file.change(|tx| {
            tx.execute(
                "UPDATE api_key SET epoch = ?2, sealed = ?3 WHERE id = ?1",
                params![row.id, row.epoch, row.sealed],
            )
            .map(drop)
            .map_err(|error| self.file.error(error))
        })
    }

    fn version(&self) -> Option<u64> {
        self.file.version()
    }

    fn api_key(&self, id: &str) -> Result<Option<ApiKeyRow>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached("SELECT id, epoch, sealed FROM api_key WHERE id = ?1")?
                .query_row([id], api_key_row)
                .optional()
        })
    }

    fn api_keys(&self) -> Result<Vec<ApiKeyRow>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached("SELECT id, epoch, sealed FROM api_key ORDER BY id")?
                .query_map([], api_key_row)?
                .collect()
        })
    }
}

fn api_key_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<ApiKeyRow> {
    Ok(ApiKeyRow {
        id: row.get(0)?,
        epoch: row.get(1)?,
        sealed: row.get(2)?,
    })
}
