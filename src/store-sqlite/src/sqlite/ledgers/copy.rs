//! Copying ledger.db into another file by ranges, beside writers: all of it, or what is new since the last time.
//!
//! Entries are only ever added, so they are taken from where the copy ends. Everything else is compared, range by
//! range: what went here goes there. Each read is a short transaction of its own.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::SqliteLedgers;
use super::copied_values;
use super::table::{Table, Values};
use crate::{row_number, row_seq};
use trailkeep_ports::{
    Copied, Entries, Head, LedgerCopy, LedgerRecord, LedgerStore, StoreError, StoredCheckpoint,
    Upkeep,
};
use trailkeep_proof::ids::{LedgerNumber, Seq};
use trailkeep_proof::ledger::tile::TILE_WIDTH;

/// Rows that one read takes.
pub(super) const ROWS_PER_READ: usize = 1_000;
/// Bytes after which a read ends early.
pub(super) const BYTES_PER_READ: usize = 16 << 20;
/// Bytes at the beginning of a payload, and of a value, that tell two sealings apart: version, compression, nonce.
pub(super) const PAYLOAD_HEAD_BYTES: usize = 18;
/// Tables that are not copied: the file's own id, and what can be derived again.
const LEFT_OUT: [&str; 2] = ["directory", "active_index"];
/// Tables that are copied in ways of their own.
const BY_THEMSELVES: [&str; 6] = [
    "entry",
    "payload",
    "value",
    "value_use",
    "tile",
    "checkpoint",
];

/// A row of entries or payloads.
type BytesRow = (i64, Vec<u8>);

/// A copy in another directory.
pub(super) struct SqliteCopy<'a> {
    pub(super) from: &'a SqliteLedgers,
    pub(super) to: SqliteLedgers,
}

impl LedgerCopy for SqliteCopy<'_> {
    fn heads(&self) -> Result<Vec<Head>, StoreError> {
        self.to.heads()
    }

    fn add(
        &self,
        heads: &[Head],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Copied, StoreError> {
        self.from.add_to_copy(&self.to, heads, progress)
    }

    fn finish(&self, heads: &[Head]) -> Result<Copied, StoreError> {
        self.from.finish_copy(&self.to, heads)
    }

    fn close(&self) -> Result<(), StoreError> {
        self.to.close()
    }
}

impl SqliteLedgers {
    fn add_to_copy(
        &self,
        copy: &Self,
        heads: &[Head],
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Copied, StoreError> {
        let total = heads.iter().map(|(_, head)| head.size).sum();
        let (mut copied, mut done) = (Copied::default(), 0);
        for (record, head) in heads {
            let number = record.number;
            copy.database.write(|tx| {
                let names = [
                    Value::from(number.get()),
                    Value::from(record.tenant.as_str().to_owned()),
                    Value::from(record.origin.as_str().to_owned()),
                ];
                tx.execute(
                    "INSERT OR IGNORE INTO ledger (number, tenant, origin) VALUES (?1, ?2, ?3)",
                    params_from_iter(names),
                )
                .map(drop)
                .map_err(|error| copy.database.error(error))
            })?;
            let from = copy.checkpoint(number)?.map_or(0, |head| head.size);
            self.add_tiles(copy, number, from, head.size)?;
            done += from;
            for table in ["entry", "payload"] {
                let mut next = from;
                while next < head.size {
                    let (rows, end) = self.read_rows(table, number, next, head.size)?;
                    put_rows(copy, table, number, next..end, &rows)?;
                    if table == "entry" {
                        copied.entries += rows.len() as u64;
                        done += end - next;
                        progress(done, total);
                    } else {
                        copied.payloads += rows.len() as u64;
                    }
                    next = end;
                }
            }
            copied_values::add_to_copy(self, copy, number)?;
        }
        Ok(copied)
    }

    fn finish_copy(&self, copy: &Self, heads: &[Head]) -> Result<Copied, StoreError> {
        let tables = self.tables()?;
        let ends: BTreeMap<LedgerNumber, u64> = heads
            .iter()
            .map(|(record, head)| (record.number, end_of(record, head, heads)))
            .collect();
        let mut copied = Copied::default();
        copy.database.write(|tx| {
            for (record, _) in heads {
                let end = copied_size(copy, tx, record.number)?;
                self.compare_payloads(copy, tx, record.number, end, &mut copied)?;
            }
            for table in &tables {
                self.compare_table(copy, tx, table, &ends)?;
            }
            for (record, _) in heads {
                copied_values::copy(self, copy, tx, record.number)?;
            }
            for (record, head) in heads {
                let values = [
                    Value::from(record.number.get()),
                    Value::from(head.size.cast_signed()),
                    Value::from(head.root.as_bytes().to_vec()),
                    Value::from(head.note.clone()),
                    Value::from(head.stated.clone()),
                ];
                tx.execute(
                    "INSERT OR REPLACE INTO checkpoint (ledger, size, root, note, stated) VALUES (?1, ?2, ?3, ?4, ?5)",
                    params_from_iter(values),
                )
                .map_err(|error| copy.database.error(error))?;
            }
            Ok(())
        })?;
        Ok(copied)
    }

    /// Rows from a seq on, below another, as many as one read takes; and the seq to go on from.
    fn read_rows(
        &self,
        table: &str,
        ledger: LedgerNumber,
        from: u64,
        end: u64,
    ) -> Result<(Vec<BytesRow>, u64), StoreError> {
        let end = end.min(from + ROWS_PER_READ as u64);
        let sql =
            format!("SELECT row, bytes FROM {table} WHERE row >= ?1 AND row < ?2 ORDER BY row");
        let range = [from, end].map(|seq| row_number(ledger, Seq::new(seq)));
        self.database.read(|tx| {
            let mut statement = tx.prepare_cached(&sql)?;
            let mut found = statement.query(range)?;
            let (mut rows, mut bytes) = (Vec::new(), 0);
            while let Some(row) = found.next()? {
                if bytes > BYTES_PER_READ {
                    return Ok((rows, row_seq(row.get(0)?).get()));
                }
                let value: Vec<u8> = row.get(1)?;
                bytes += value.len();
                rows.push((row.get(0)?, value));
            }
            Ok((rows, end))
        })
    }

    fn add_tiles(
        &self,
        copy: &Self,
        ledger: LedgerNumber,
        from: u64,
        size: u64,
    ) -> Result<(), StoreError> {
        let mut width = TILE_WIDTH as u64;
        for level in 0_u8..=4 {
            for position in from / width..size / width {
                let tile = trailkeep_proof::ledger::tile::TileCoordinate {
                    level,
                    index: position,
                };
                let Some(hashes) = self.tile(ledger, tile)? else {
                    continue;
                };
                copy.database.write(|tx| {
                    tx.prepare_cached(
                        "INSERT OR REPLACE INTO tile (ledger, level, position, hashes) VALUES (?1, ?2, ?3, ?4)",
                    )
                    .and_then(|mut insert| insert.execute(rusqlite::params![ledger.get(), level, position, hashes]))
                    .map(drop)
                    .map_err(|error| copy.database.error(error))
                })?;
            }
            width *= TILE_WIDTH as u64;
        }
        Ok(())
    }

    /// Compares the payloads that the copy has, below its end, with those here.
    fn compare_payloads(
        &self,
        copy: &Self,
        tx: &Connection,
        ledger: LedgerNumber,
        end: u64,
        copied: &mut Copied,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT row, substr(bytes, 1, {PAYLOAD_HEAD_BYTES}) FROM payload WHERE row >= ?1 AND row < ?2 ORDER BY row"
        );
        let heads =
            |tx: &Connection, range: [i64; 2]| -> rusqlite::Result<BTreeMap<i64, Vec<u8>>> {
                tx.prepare_cached(&sql)?
                    .query_map(range, |row| Ok((row.get(0)?, row.get(1)?)))?
                    .collect()
            };
        for start in (0..end).step_by(ROWS_PER_READ) {
            let range = [start, end.min(start + ROWS_PER_READ as u64)];
            let range = range.map(|seq| row_number(ledger, Seq::new(seq)));
            let here = self.database.read(|tx| heads(tx, range))?;
            let fail = |error| copy.database.error(error);
            let there = heads(tx, range).map_err(fail)?;
            for row in there.keys().filter(|row| !here.contains_key(row)) {
                tx.execute("DELETE FROM payload WHERE row = ?1", [row])
                    .map_err(fail)?;
                copied.payloads_gone += 1;
            }
            for (row, _) in here
                .iter()
                .filter(|(row, head)| there.get(row) != Some(head))
            {
                let bytes: Vec<u8> = self.database.read(|tx| {
                    tx.query_row("SELECT bytes FROM payload WHERE row = ?1", [row], |found| {
                        found.get(0)
                    })
                })?;
                tx.execute(
                    "INSERT OR REPLACE INTO payload (row, bytes) VALUES (?1, ?2)",
                    rusqlite::params![row, bytes],
                )
                .map_err(fail)?;
                copied.payloads += 1;
            }
        }
        Ok(())
    }

    /// Makes a table of the copy be as it is here, up to the heads.
    fn compare_table(
        &self,
        copy: &Self,
        tx: &Connection,
        table: &Table,
        ends: &BTreeMap<LedgerNumber, u64>,
    ) -> Result<(), StoreError> {
        let fail = |error| copy.database.error(error);
        let mut after: Option<Values> = None;
        loop {
            let here = self
                .database
                .read(|tx| table.rows(tx, after.as_deref(), None))?;
            let is_last = here.len() < ROWS_PER_READ;
            let last = here.last().map(|row| row[..table.key_columns].to_vec());
            let upper = last.clone().filter(|_| !is_last);
            let mut there = Vec::new();
            let mut from = after.clone();
            loop {
                let part = table
                    .rows(tx, from.as_deref(), upper.as_deref())
                    .map_err(fail)?;
                let is_all = part.len() < ROWS_PER_READ;
                from = part.last().map(|row| row[..table.key_columns].to_vec());
                there.extend(part);
                if is_all {
                    break;
                }
            }
            let by_key = |rows: Vec<Values>| -> HashMap<String, Values> {
                let keyed = |row: Values| (format!("{:?}", &row[..table.key_columns]), row);
                rows.into_iter().map(keyed).collect()
            };
            let here = here.into_iter().filter(|row| table.is_within(row, ends));
            let (here, there) = (by_key(here.collect()), by_key(there));
            for (_, row) in there.iter().filter(|(key, _)| !here.contains_key(*key)) {
                table.delete(tx, row).map_err(fail)?;
            }
            for (_, row) in here
                .iter()
                .filter(|(key, row)| there.get(*key) != Some(row))
            {
                table.put(tx, row).map_err(fail)?;
            }
            match last {
                Some(last) if !is_last => after = Some(last),
                _ => return Ok(()),
            }
        }
    }

    /// The tables that are compared as a whole.
    fn tables(&self) -> Result<Vec<Table>, StoreError> {
        self.database.read(|tx| {
            let names: Vec<String> = tx
                .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            names
                .into_iter()
                .filter(|name| !LEFT_OUT.contains(&name.as_str()) && !BY_THEMSELVES.contains(&name.as_str()))
                .map(|name| Table::of(tx, name))
                .collect()
        })
    }
}

/// The end of what a head signs. A ledger that another one continues grows no more, and its tables name entries of that
/// one behind its own: all of them belong to it.
fn end_of(record: &LedgerRecord, head: &StoredCheckpoint, heads: &[Head]) -> u64 {
    let is_behind = |(other, _): &Head| {
        other.tenant == record.tenant && other.origin.generation() > record.origin.generation()
    };
    let is_continued = heads.iter().any(is_behind);
    if is_continued { u64::MAX } else { head.size }
}

fn put_rows(
    copy: &SqliteLedgers,
    table: &str,
    ledger: LedgerNumber,
    range: Range<u64>,
    rows: &[BytesRow],
) -> Result<(), StoreError> {
    let range = [range.start, range.end].map(|seq| row_number(ledger, Seq::new(seq)));
    let sql = format!("INSERT OR REPLACE INTO {table} (row, bytes) VALUES (?1, ?2)");
    copy.database.write(|tx| {
        let put = || -> rusqlite::Result<()> {
            if table == "payload" {
                // A run that was interrupted may have left one that went since.
                tx.execute("DELETE FROM payload WHERE row >= ?1 AND row < ?2", range)?;
            }
            let mut insert = tx.prepare_cached(&sql)?;
            for (row, bytes) in rows {
                insert.execute(rusqlite::params![row, bytes])?;
            }
            Ok(())
        };
        put().map_err(|error| copy.database.error(error))
    })
}

/// Size of the head that the copy has.
fn copied_size(
    copy: &SqliteLedgers,
    tx: &Connection,
    ledger: LedgerNumber,
) -> Result<u64, StoreError> {
    use rusqlite::OptionalExtension;
    let size = tx
        .query_row(
            "SELECT size FROM checkpoint WHERE ledger = ?1",
            [ledger.get()],
            |row| row.get(0),
        )
        .optional();
    Ok(size
        .map_err(|error| copy.database.error(error))?
        .unwrap_or(0))
}
