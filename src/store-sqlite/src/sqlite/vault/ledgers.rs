//! Ledgers: their names, and their secrets.

use rusqlite::{OptionalExtension, params};

use super::{FILE, SqliteVault};
use trailkeep_ports::{LedgerRecord, LedgerSecretRow, StoreError, VaultLedgers, Watermark};
use trailkeep_proof::ids::{KeyId, LedgerNumber, Origin, RootHash, TenantName};
use trailkeep_proof::time::UnixMillis;

impl VaultLedgers for SqliteVault {
    fn add_ledger(
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

    fn remove_ledger(&self, ledger: LedgerNumber, api_key: &str) -> Result<(), StoreError> {
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

    fn ledger_secrets(&self, ledger: LedgerNumber) -> Result<Vec<LedgerSecretRow>, StoreError> {
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

    fn last_ledger(&self) -> Result<Option<LedgerNumber>, StoreError> {
        self.file.read(|tx| {
            tx.query_row("SELECT max(ledger) FROM ledger_secret", [], |row| {
                Ok(row.get::<_, Option<u32>>(0)?.map(LedgerNumber::new))
            })
        })
    }

    fn ledgers(&self) -> Result<Vec<LedgerRecord>, StoreError> {
        let rows: Vec<(u32, String, String)> = self.file.read(|tx| {
            tx.prepare_cached("SELECT number, tenant, origin FROM ledger ORDER BY number")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        })?;
        let damaged = || StoreError::Damaged {
            path: self.file.path().to_owned(),
            what: "names an invalid ledger".to_owned(),
            hint: FILE.hint,
        };
        rows.into_iter()
            .map(|(number, tenant, origin)| {
                Ok(LedgerRecord {
                    number: LedgerNumber::new(number),
                    tenant: TenantName::new(&tenant).map_err(|_| damaged())?,
                    origin: Origin::parse(&origin).map_err(|_| damaged())?,
                })
            })
            .collect()
    }

    fn watermark(&self, ledger: LedgerNumber) -> Result<Option<Watermark>, StoreError> {
        self.file.read(|tx| {
            tx.prepare_cached("SELECT size, root, seen_at_ms FROM watermark WHERE ledger = ?1")?
                .query_row([ledger.get()], |row| {
                    let root: [u8; 32] = row.get(1)?;
                    Ok(Watermark {
                        size: row.get(0)?,
                        root: RootHash::new(root),
                        seen_at: UnixMillis::new(row.get(2)?),
                    })
                })
                .optional()
        })
    }

    fn set_watermark(&self, ledger: LedgerNumber, mark: &Watermark) -> Result<(), StoreError> {
        self.file.note(|tx| {
            tx.prepare_cached(
                "INSERT INTO watermark (ledger, size, root, seen_at_ms) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (ledger) DO UPDATE
                 SET size = excluded.size, root = excluded.root, seen_at_ms = excluded.seen_at_ms",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    ledger.get(),
                    mark.size,
                    &mark.root.as_bytes()[..],
                    mark.seen_at.get()
                ])
            })
            .map(drop)
            .map_err(|error| self.file.error(error))
        })
    }
}
