//! The vault's file, and the one way to write into it: every row that a transaction adds, changes or deletes is
//! counted in the sums of its part before the transaction ends.
//!
//! Triggers of the connection, which are in no file, note each changed row; [`settle`] adds the keyed hashes of the
//! new rows to the sums and takes those of the old rows off. Nothing outside of this module has the connection, so a
//! row can't be written past them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rusqlite::{Connection, OptionalExtension, params};

use super::super::Database;
use super::compare::{changed_parts, summed_up};
use super::sum::RowSum;
use super::summed::{Summed, summed};
use trailkeep_ports::{ChangedPart, RowMac, StoreError};

/// The open file.
pub(in crate::sqlite) struct VaultFile {
    database: Database,
    mac_key: OnceLock<Arc<dyn RowMac>>,
}

impl VaultFile {
    pub(super) const fn new(database: Database) -> Self {
        Self {
            database,
            mac_key: OnceLock::new(),
        }
    }

    pub(super) fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        self.database.schema_difference()
    }

    pub(super) fn path(&self) -> &std::path::Path {
        &self.database.path
    }

    pub(in crate::sqlite) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.database.read(work)
    }

    pub(in crate::sqlite) fn error(&self, error: rusqlite::Error) -> StoreError {
        self.database.error(error)
    }

    pub(super) fn version(&self) -> Option<u64> {
        self.database.version()
    }

    pub(in crate::sqlite) fn copy_log(&self) -> Result<(), StoreError> {
        self.database.copy_log()
    }

    pub(in crate::sqlite) fn purge(&self) -> Result<bool, StoreError> {
        self.database.purge()
    }

    /// The way of nearly every write: it counts, so that the copies of the vault know that they are behind.
    pub(in crate::sqlite) fn change<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.note(|tx| {
            let value = work(tx)?;
            tx.execute("UPDATE sealing SET changes = changes + 1", [])
                .map_err(|error| self.database.error(error))?;
            Ok(value)
        })
    }

    /// The same of what is no reason to copy the vault anew: a copy without it lacks nothing.
    pub(in crate::sqlite) fn note<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mac_key = self.mac_key.get().ok_or(StoreError::Unguarded)?;
        self.database.write(|tx| {
            let begun = sum_of(tx, &**mac_key).map_err(|error| self.database.error(error))?;
            let sum = begun.ok_or_else(|| self.is_changed())?;
            let value = work(tx)?;
            settle(tx, &**mac_key, sum).map_err(|error| self.database.error(error))?;
            Ok(value)
        })
    }

    /// Watches all rows from here on; the sums began before.
    pub(super) fn watch(&self, mac_key: Arc<dyn RowMac>) -> Result<(), StoreError> {
        if self.mac_key.get().is_none() {
            self.database.on_writer(watch)?;
            let _ = self.mac_key.set(mac_key);
        }
        Ok(())
    }

    /// Begins the sums: over the rows that are there, and those that `first` adds.
    pub(super) fn begin(
        &self,
        mac_key: Arc<dyn RowMac>,
        first: impl FnOnce(&Connection) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        self.database.write(|tx| {
            let begin = || {
                first(tx)?;
                begin(tx, &*mac_key)
            };
            begin().map_err(|error| self.database.error(error))
        })?;
        self.watch(mac_key)
    }

    /// Whether the sums began. A copy that an earlier version made has no table for them.
    pub(super) fn has_begun(&self) -> Result<bool, StoreError> {
        self.database.read(has_begun)
    }

    /// The parts whose rows are not those that the program wrote. Where the large tables have more than `large_max` rows, their
    /// rows are counted and not read.
    pub(super) fn changed_parts(
        &self,
        mac_key: &dyn RowMac,
        large_max: u64,
    ) -> Result<Vec<ChangedPart>, StoreError> {
        self.database
            .read(|tx| changed_parts(tx, mac_key, large_max))
    }

    fn is_changed(&self) -> StoreError {
        StoreError::Damaged {
            path: self.database.path.clone(),
            what: "was changed by another program while it was open".to_owned(),
            hint: "stop, keep the file for an investigation, and run `trailkeep verify`",
        }
    }
}

/// Notes changed rows of a connection in a table of its own, in memory.
pub(super) fn watch(connection: &Connection) -> rusqlite::Result<()> {
    let triggers: String = summed().map(Summed::triggers).collect();
    // Without `recursive_triggers` a row that REPLACE deletes would not be noted.
    connection.execute_batch(&format!(
        "PRAGMA recursive_triggers = ON;
         CREATE TEMP TABLE changed_row (part TEXT NOT NULL, sign INTEGER NOT NULL, text TEXT NOT NULL);
         {triggers}"
    ))
}

/// The sum of all parts as it is written; none where it does not match what the program wrote.
pub(super) fn sum_of(tx: &Connection, mac_key: &dyn RowMac) -> rusqlite::Result<Option<RowSum>> {
    let known: Option<([u8; 32], [u8; 32])> = tx
        .prepare_cached("SELECT sum, mac FROM row_state")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let sealing = sealing(tx)?;
    let known = known.filter(|(sum, mac)| state_mac(mac_key, sum, sealing) == *mac);
    Ok(known.map(|(sum, _)| RowSum::from(sum)))
}

/// Takes the noted rows into the sums, and forgets the notes.
pub(super) fn settle(
    tx: &Connection,
    mac_key: &dyn RowMac,
    mut all: RowSum,
) -> rusqlite::Result<()> {
    let mut changed: BTreeMap<String, (i64, RowSum)> = BTreeMap::new();
    {
        let mut noted = tx.prepare_cached("SELECT part, sign, text FROM temp.changed_row")?;
        let mut rows = noted.query([])?;
        while let Some(row) = rows.next()? {
            let (part, sign): (String, i64) = (row.get(0)?, row.get(1)?);
            let hash = row_hash(mac_key, &part, row.get_ref(2)?.as_str()?);
            let (count, sum) = changed.entry(part).or_default();
            *count += sign;
            if sign > 0 {
                sum.add(&hash);
            } else {
                sum.subtract(&hash);
            }
        }
    }
    tx.prepare_cached("DELETE FROM temp.changed_row")?
        .execute([])?;
    for (part, (count, delta)) in changed {
        let before: Option<(i64, [u8; 32])> = tx
            .prepare_cached("SELECT rows, sum FROM row_sum WHERE part = ?1")?
            .query_row([&part], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((rows, sum)) = &before {
            all.subtract(&part_hash(mac_key, &part, *rows, sum));
        }
        let (rows, sum) = before.unwrap_or_default();
        let (rows, mut sum) = (rows + count, RowSum::from(sum));
        sum.add(&delta.bytes());
        if rows > 0 {
            let sum = sum.bytes();
            all.add(&part_hash(mac_key, &part, rows, &sum));
            tx.prepare_cached(
                "INSERT INTO row_sum (part, rows, sum) VALUES (?1, ?2, ?3)
                 ON CONFLICT (part) DO UPDATE SET rows = excluded.rows, sum = excluded.sum",
            )?
            .execute(params![part, rows, sum])?;
        } else {
            tx.prepare_cached("DELETE FROM row_sum WHERE part = ?1")?
                .execute([&part])?;
        }
    }
    write_state(tx, mac_key, &all)
}

fn begin(tx: &Connection, mac_key: &dyn RowMac) -> rusqlite::Result<()> {
    tx.execute_batch("DELETE FROM row_sum; DELETE FROM row_state;")?;
    let mut all = RowSum::default();
    let mut insert = tx.prepare("INSERT INTO row_sum (part, rows, sum) VALUES (?1, ?2, ?3)")?;
    for (part, (rows, sum)) in summed_up(tx, mac_key, true)? {
        let sum = sum.bytes();
        all.add(&part_hash(mac_key, &part, rows, &sum));
        insert.execute(params![part, rows, sum])?;
    }
    tx.execute(
        "INSERT INTO row_state (sum, mac) VALUES (zeroblob(32), zeroblob(32))",
        [],
    )?;
    write_state(tx, mac_key, &all)
}

fn write_state(tx: &Connection, mac_key: &dyn RowMac, all: &RowSum) -> rusqlite::Result<()> {
    let sum = all.bytes();
    let mac = state_mac(mac_key, &sum, sealing(tx)?);
    tx.prepare_cached("UPDATE row_state SET sum = ?1, mac = ?2")?
        .execute(params![sum, mac])
        .map(drop)
}

fn has_begun(tx: &Connection) -> rusqlite::Result<bool> {
    let tables: i64 = tx.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'row_state'",
        [],
        |row| row.get(0),
    )?;
    Ok(tables == 1
        && tx.query_row("SELECT count(*) FROM row_state", [], |row| {
            row.get::<_, i64>(0)
        })? > 0)
}

/// The lowest epoch that may be written under, and the count of changes.
pub(super) fn sealing(tx: &Connection) -> rusqlite::Result<(i64, i64)> {
    tx.prepare_cached("SELECT lowest_epoch, changes FROM sealing")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
}

pub(super) fn row_hash(mac_key: &dyn RowMac, part: &str, text: &str) -> [u8; 32] {
    mac_key.mac(&[
        b"trailkeep/vault-row/v1\n",
        part.as_bytes(),
        b"\n",
        text.as_bytes(),
    ])
}

pub(super) fn part_hash(mac_key: &dyn RowMac, part: &str, rows: i64, sum: &[u8; 32]) -> [u8; 32] {
    mac_key.mac(&[
        b"trailkeep/vault-part/v1\n",
        &rows.to_be_bytes(),
        sum,
        part.as_bytes(),
    ])
}

pub(super) fn state_mac(
    mac_key: &dyn RowMac,
    sum: &[u8; 32],
    (epoch, changes): (i64, i64),
) -> [u8; 32] {
    let (epoch, changes) = (epoch.to_be_bytes(), changes.to_be_bytes());
    mac_key.mac(&[b"trailkeep/vault-state/v1\n", sum, &epoch, &changes])
}
