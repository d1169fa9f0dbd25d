//! Sealing the vault anew: all sealed rows by the table and number, and the epoch below which nothing is written.

use rusqlite::{Row, params};

use super::Vault;
use crate::StoreError;
use trailkeep_proof::ids::{ClassNumber, KeyId, LedgerNumber};

/// A table with sealed rows: each has the columns `epoch` and `sealed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedTable {
    /// References of persons.
    Person,
    /// Data keys.
    DataKey,
    /// Secrets of ledgers.
    LedgerSecret,
    /// API keys.
    ApiKey,
    /// Records of all kinds.
    Record,
}

/// What the sealing of a row is bound to, besides its ledger's origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SealedPlace {
    /// A person's reference.
    Person,
    /// A data key.
    DataKey {
        /// Its number.
        key_id: KeyId,
        /// Its class.
        class: ClassNumber,
        /// Its period, as text.
        period: String,
    },
    /// A ledger's secret.
    LedgerSecret {
        /// Which of them.
        kind: String,
        /// Its number.
        key_id: KeyId,
    },
    /// An API key.
    ApiKey {
        /// Its id.
        id: String,
    },
    /// A record.
    Record {
        /// What it is.
        kind: String,
        /// Its id.
        id: String,
    },
}

/// A sealed row of any table.
#[derive(Clone, Debug)]
pub struct SealedRow {
    /// Its number in its table.
    pub number: i64,
    /// Its ledger; 0 where it belongs to none.
    pub ledger: LedgerNumber,
    /// Its state.
    pub place: SealedPlace,
    /// Epoch of the sealing.
    pub epoch: u32,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

/// A row with another sealing.
#[derive(Debug)]
pub struct Rewrapped {
    /// The row as it was read: one that changed since is left as it is.
    pub before: SealedRow,
    /// The new epoch.
    pub epoch: u32,
    /// The new sealing.
    pub sealed: Vec<u8>,
}

impl SealedTable {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Person,
        Self::DataKey,
        Self::LedgerSecret,
        Self::ApiKey,
        Self::Record,
    ];

    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::DataKey => "data_key",
            Self::LedgerSecret => "ledger_secret",
            Self::ApiKey => "api_key",
            Self::Record => "sealed_record",
        }
    }

    /// What one of its rows is, to stand in an error.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Person => "a person",
            Self::DataKey => "a data key",
            Self::LedgerSecret => "a ledger secret",
            Self::ApiKey => "an API key",
            Self::Record => "a record",
        }
    }

    /// Its ledger, and what its place is made of: at most three columns.
    const fn place_columns(self) -> &'static str {
        match self {
            Self::Person => "ledger, NULL, NULL, NULL",
            Self::DataKey => "ledger, key_id, class, period",
            Self::LedgerSecret => "ledger, kind, key_id, NULL",
            Self::ApiKey => "0, id, NULL, NULL",
            Self::Record => "ledger, kind, id, NULL",
        }
    }

    fn row(self, row: &Row<'_>) -> rusqlite::Result<SealedRow> {
        let key_id = |column: usize| -> rusqlite::Result<KeyId> {
            Ok(KeyId::new(row.get::<_, i64>(column)?.cast_unsigned()))
        };
        let place = match self {
            Self::Person => SealedPlace::Person,
            Self::DataKey => SealedPlace::DataKey {
                key_id: key_id(4)?,
                class: ClassNumber::new(row.get(5)?),
                period: row.get(6)?,
            },
            Self::LedgerSecret => SealedPlace::LedgerSecret {
                kind: row.get(4)?,
                key_id: key_id(5)?,
            },
            Self::ApiKey => SealedPlace::ApiKey { id: row.get(4)? },
            Self::Record => SealedPlace::Record {
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
}

impl Vault {
    /// Rows of a table after number `after` that are sealed under an epoch below `epoch`, at most `limit`.
    pub fn rows_below(
        &self,
        table: SealedTable,
        epoch: u32,
        after: i64,
        limit: u32,
    ) -> Result<Vec<SealedRow>, StoreError> {
        let sql = format!(
            "SELECT rowid, epoch, sealed, {} FROM {} WHERE rowid > ?1 AND epoch < ?2 ORDER BY rowid LIMIT ?3",
            table.place_columns(),
            table.name()
        );
        self.file.read(|tx| {
            tx.prepare_cached(&sql)?
                .query_map(params![after, epoch, limit], |row| table.row(row))?
                .collect()
        })
    }

    /// Number of rows of a table that are sealed under an epoch below `epoch`.
    pub fn count_below(&self, table: SealedTable, epoch: u32) -> Result<u64, StoreError> {
        let sql = format!("SELECT count(*) FROM {} WHERE epoch < ?1", table.name());
        self.file
            .read(|tx| tx.query_row(&sql, [epoch], |row| row.get(0)))
    }

    /// Puts other sealings in the place of those that were read. On disk when it returns.
    pub fn rewrap(&self, table: SealedTable, rows: &[Rewrapped]) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE {} SET epoch = ?1, sealed = ?2 WHERE rowid = ?3 AND epoch = ?4 AND sealed = ?5",
            table.name()
        );
        self.file().change(|tx| {
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

    /// The lowest epoch that a row may be written under; 0 where somebody took the row away that says it.
    pub fn lowest_epoch(&self) -> Result<u32, StoreError> {
        let sql = "SELECT coalesce(max(lowest_epoch), 0) FROM sealing";
        self.file.read(|tx| tx.query_row(sql, [], |row| row.get(0)))
    }

    /// Ends all epochs below `epoch`, if no row is sealed under one of them; `false` where one is. From then on a
    /// row of theirs is refused.
    pub fn end_epochs_below(&self, epoch: u32) -> Result<bool, StoreError> {
        self.file().change(|tx| {
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
