//! Sealing the vault anew: all sealed rows by the table and number, and the epoch below which nothing is written.

use rusqlite::{Row, params};

use super::SqliteVault;
use trailkeep_ports::{Epochs, Rewrapped, SealedPlace, SealedRow, SealedTable, StoreError};
use trailkeep_proof::ids::{ClassNumber, KeyId, LedgerNumber};

impl Epochs for SqliteVault {
    fn rows_below(
        &self,
        table: SealedTable,
        epoch: u32,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError> {
        let sql = format!(
            "SELECT rowid, epoch, sealed, {} FROM {} WHERE rowid > ?1 AND epoch < ?2 ORDER BY rowid LIMIT ?3",
            place_columns(table),
            table.name()
        );
        self.file.read(|tx| {
            tx.prepare_cached(&sql)?
                .query_map(params![after, epoch, limit], |row| sealed_row(table, row))?
                .collect()
        })
    }

    fn count_below(&self, table: SealedTable, epoch: u32) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {} WHERE epoch < ?1", table.name());
        self.file
            .read(|tx| tx.query_row(&sql, [epoch], |row| row.get(0)))
    }

    fn rewrap(&self, table: SealedTable, rows: &[Rewrapped]) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE {} SET epoch = ?1, sealed = ?2 WHERE rowid = ?3 AND epoch = ?4 AND sealed = ?5",
            table.name()
        );
        self.file.change(|tx| {
            let update = || -> rusqlite::Result<()> {
                let mut statement = tx.prepare_cached(&sql)?;
                for row in rows {
                    let before = &row.before;
                    statement.execute(params![
                        row.epoch,
                        row.sealed,
                        before.number,
                        before.epoch,
                        before.sealed
                    ])?;
                }
                Ok(())
            };
            update().map_err(|error| self.file.error(error))
        })
    }

    fn lowest_epoch(&self) -> Result<u32, StoreError> {
        let sql = "SELECT coalesce(max(lowest_epoch), 0) FROM sealing";
        self.file.read(|tx| tx.query_row(sql, [], |row| row.get(0)))
    }

    fn end_epochs_below(&self, epoch: u32) -> Result<bool, StoreError> {
        self.file.change(|tx| {
            let end = || -> rusqlite::Result<bool> {
                for table in SealedTable::ALL {
                    let sql = format!(
                        "SELECT EXISTS (SELECT 1 FROM {} WHERE epoch < ?1)",
                        table.name()
                    );
                    if tx.query_row(&sql, [epoch], |row| row.get(0))? {
                        return Ok(false);
                    }
                }
                tx.execute("UPDATE sealing SET lowest_epoch = ?1", [epoch])?;
                Ok(true)
            };
            end().map_err(|error| self.file.error(error))
        })
    }
}

/// Its ledger, and what its place is made of: at most three columns.
const fn place_columns(table: SealedTable) -> &'static str {
    match table {
        SealedTable::Person => "ledger, NULL, NULL, NULL",
        SealedTable::DataKey => "ledger, key_id, class, period",
        SealedTable::LedgerSecret => "ledger, kind, key_id, NULL",
        SealedTable::ApiKey => "0, id, NULL, NULL",
        SealedTable::Record => "ledger, kind, id, NULL",
    }
}

fn sealed_row(table: SealedTable, row: &Row<'_>) -> rusqlite::Result<SealedRow> {
    let key_id = |column: usize| -> rusqlite::Result<KeyId> {
        Ok(KeyId::new(row.get::<_, i64>(column)?.cast_unsigned()))
    };
    let place = match table {
        SealedTable::Person => SealedPlace::Person,
        SealedTable::DataKey => SealedPlace::DataKey {
            key_id: key_id(4)?,
            class: ClassNumber::new(row.get(5)?),
            period: row.get(6)?,
        },
        SealedTable::LedgerSecret => SealedPlace::LedgerSecret {
            kind: row.get(4)?,
            key_id: key_id(5)?,
        },
        SealedTable::ApiKey => SealedPlace::ApiKey { id: row.get(4)? },
        SealedTable::Record => SealedPlace::Record {
            kind: row.get(4)?,
            id: row.get(5)?,
        },
    };
    Ok(SealedRow {
        number: row.get(0)?,
        epoch: row.get(1)?,
        sealed: row.get(2)?,
        ledger: LedgerNumber::new(row.get(3)?),
        place,
    })
}

#[cfg(test)]
mod tests {
    use super::super::FILE;
    use super::*;

    #[test]
    fn every_table_with_sealed_rows_is_known_and_guarded() {
        let schema = FILE.migrations.concat();
        let with_epoch = schema
            .split("CREATE TABLE ")
            .skip(1)
            .filter(|table| table.contains("    epoch INTEGER NOT NULL"))
            .filter_map(|table| table.split_whitespace().next());
        let mut names: Vec<&str> = with_epoch.collect();
        let mut known = SealedTable::ALL.map(SealedTable::name);
        names.sort_unstable();
        known.sort_unstable();
        assert_eq!(names, known, "a rotation would leave rows behind");
        for name in known {
            for event in ["INSERT", "UPDATE"] {
                let trigger = format!("BEFORE {event} ON {name}\nWHEN NEW.epoch <");
                assert!(schema.contains(&trigger), "{event} on {name}");
            }
        }
    }
}
