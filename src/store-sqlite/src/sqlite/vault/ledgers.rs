//! Ledgers: their names, and their secrets.

use rusqlite::params;

use super::Vault;
use trailkeep_ports::{LedgerRecord, LedgerSecretRow, StoreError};
use trailkeep_proof::ids::{KeyId, LedgerNumber};

impl Vault {
    /// Adds a new ledger: its names, which its rows' sealings bind, and its secrets.
    pub fn add_ledger(
        &self,
        ledger: &LedgerRecord,
        rows: &[LedgerSecretRow],
    ) -> Result<(), StoreError> {
        self.file.change(|tx| {
            let add = || -> rusqlite::Result<()> {
                tx.execute(
                    "INSERT INTO ledger (number, tenant, origin) VALUES (?1, ?2, ?3)",
                    params![ledger.number.get(), ledger.tenant.as_str(), ledger.origin.as_str()],
                )?;
                let mut statement = tx.prepare_cached(
                    "INSERT INTO ledger_secret (ledger, kind, key_id, epoch, sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?;
                for row in rows {
                    let key_id = row.key_id.get().cast_signed();
                    statement.execute(params![row.ledger.get(), row.kind, key_id, row.epoch, row.sealed])?;
                }
                Ok(())
            };
            add().map_err(|error| self.file.error(error))
        })
    }

    /// Takes away all rows of a ledger that was never made, and its first API key. On disk when it returns.
    pub fn remove_ledger(&self, ledger: LedgerNumber, api_key: &str) -> Result<(), StoreError> {
        self.file.change(|tx| {
            let remove = || -> rusqlite::Result<()> {
                tx.execute("DELETE FROM ledger WHERE number = ?1", [ledger.get()])?;
                for table in ["ledger_secret", "sealed_record", "watermark", "applied"] {
                    let sql = format!("DELETE FROM {table} WHERE ledger = ?1");
                    tx.execute(&sql, [ledger.get()])?;
                }
                tx.execute("DELETE FROM api_key WHERE id = ?1", [api_key])?;
                Ok(())
            };
            remove().map_err(|error| self.file.error(error))
        })
    }

    /// The secrets of a ledger.
    pub fn ledger_secrets(&self, ledger: LedgerNumber) -> Result<Vec<LedgerSecretRow>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached(
                "SELECT kind, key_id, epoch, sealed FROM ledger_secret WHERE ledger = ?1",
            )?
            .query_map([ledger.get()], |row| {
                let key_id = KeyId::new(row.get::<_, i64>(1)?.cast_unsigned());
                Ok(LedgerSecretRow {
                    ledger,
                    kind: row.get(0)?,
                    key_id,
                    epoch: row.get(2)?,
                    sealed: row.get(3)?,
                })
            })?
            .collect()
        })
    }

    /// The largest number of a ledger that has secrets here; none where no ledger has.
    pub fn last_ledger(&self) -> Result<Option<LedgerNumber>, StoreError> {
        self.file.read(|tx| {
            tx.query_row("SELECT max(ledger) FROM ledger_secret", [], |row| {
                Ok(row.get::<_, Option<u32>>(0)?.map(LedgerNumber::new))
            })
        })
    }
}
