//! `index.db`: sorted runs, in blocks.

mod tables;

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::{Connection, Row, params};

use super::{Database, FileKind};
use trailkeep_ports::block::{Block, row_bytes, row_from_bytes};
use trailkeep_ports::{IndexRow, Order, RunId, RunRow, RunStore, StoreError, Upkeep};
use trailkeep_proof::ids::{LedgerNumber, Seq};

pub(super) static FILE: FileKind = FileKind {
    name: "index.db",
    application_id: 0x544B_4958,
    migrations: &[include_str!("index_001.sql"), include_str!("index_002.sql")],
    hint: "it can be rebuilt: run `trailkeep index rebuild --dir DIR`",
    cache_kib: 8_192,
    grows: Some(tables::is_table),
};

/// Blocks of a run that are taken away at once: a few milliseconds.
const BLOCKS_PER_STEP: u32 = 1_000;

/// The runs of one data directory.
pub(super) struct SqliteRuns {
    database: Database,
    /// The last number that was given to a run that may have no block yet.
    begun: AtomicI64,
}

impl SqliteRuns {
    /// Makes the file.
    pub(super) fn create(path: &Path, directory_id: &str) -> Result<(), StoreError> {
        Database::create(&FILE, path, directory_id)
    }

    /// Opens the file.
    pub(super) fn open(path: &Path, directory_id: &str) -> Result<Self, StoreError> {
        let runs = Self {
            database: Database::open(&FILE, path, directory_id)?,
            begun: AtomicI64::new(0),
        };
        runs.pack_tables()?;
        Ok(runs)
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.database
            .write(|tx| work(tx).map_err(|error| self.database.error(error)))
    }

    /// A run that has blocks and is neither whole nor being written.
    fn leftover(&self, being_written: &[RunId]) -> Result<Option<RunId>, StoreError> {
        self.database.read(|tx| {
            let mut next = tx.prepare_cached("SELECT min(run) FROM run_block WHERE run > ?1")?;
            let mut is_whole = tx.prepare_cached("SELECT 1 FROM run WHERE id = ?1")?;
            let mut after = i64::MIN;
            while let Some(run) = next.query_row([after], |row| row.get::<_, Option<i64>>(0))? {
                if !being_written.contains(&RunId(run)) && !is_whole.exists([run])? {
                    return Ok(Some(RunId(run)));
                }
                after = run;
            }
            Ok(None)
        })
    }

    /// A block of a row (first, bytes).
    fn block(&self, row: &Row<'_>) -> rusqlite::Result<Result<Block, StoreError>> {
        let first = row_from_bytes(row.get_ref(0)?.as_blob()?);
        let bytes = row.get(1)?;
        let damaged = || self.damaged("has a block of a sorted run that begins with no row");
        Ok(first
            .map(|first| Block { first, bytes })
            .ok_or_else(damaged))
    }
}

fn insert(tx: &Connection, run: RunId, block: &Block) -> rusqlite::Result<()> {
    let sql = "INSERT INTO run_block (run, first, bytes) VALUES (?1, ?2, ?3)";
    tx.prepare_cached(sql)?
        .execute(params![run.0, &row_bytes(block.first)[..], block.bytes])
        .map(drop)
}

impl Upkeep for SqliteRuns {
    fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        self.database.schema_difference()
    }

    fn purge(&self) -> Result<bool, StoreError> {
        self.database.copy_log()?;
        self.database.purge()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.database.purge().map(drop)
    }
}

impl RunStore for SqliteRuns {
    fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        let runs: Vec<RunRow> = self.database.read(|tx| {
            tx.prepare(
                "SELECT id, ledger, level, first_seq, last_seq, filter, filter_is_stale FROM run ORDER BY first_seq",
            )?
            .query_map([], |row| {
                Ok(RunRow {
                    id: RunId(row.get(0)?),
                    ledger: LedgerNumber::new(row.get(1)?),
                    level: row.get(2)?,
                    first: Seq::new(row.get(3)?),
                    last: Seq::new(row.get(4)?),
                    filter: row.get(5)?,
                    filter_is_stale: row.get(6)?,
                })
            })?
            .collect()
        })?;
        let lacks_rows = self.database.read(|tx| {
            let mut first = tx.prepare("SELECT 1 FROM run_block WHERE run = ?1 LIMIT 1")?;
            for run in runs.iter().filter(|run| !run.filter_is_stale) {
                if !first.exists([run.id.0])? {
                    return Ok(true);
                }
            }
            Ok(false)
        })?;
        if lacks_rows {
            return Err(self.damaged("lacks the rows of a sorted run"));
        }
        Ok(runs)
    }

    fn begin(&self) -> Result<RunId, StoreError> {
        // Ids are taken one after the other by the one thread that merges.
        let written: i64 = self.database.read(|tx| {
            tx.query_row(
                "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'run'), 0),
                            coalesce((SELECT max(id) FROM run), 0),
                            coalesce((SELECT max(run) FROM run_block), 0))",
                [],
                |row| row.get(0),
            )
        })?;
        let id = written.max(self.begun.load(Ordering::Relaxed)) + 1;
        self.begun.store(id, Ordering::Relaxed);
        Ok(RunId(id))
    }

    fn append(&self, run: RunId, blocks: &[Block]) -> Result<(), StoreError> {
        self.write(|tx| blocks.iter().try_for_each(|block| insert(tx, run, block)))
    }

    fn finish(&self, run: &RunRow, replaces: &[RunId]) -> Result<(), StoreError> {
        self.write(|tx| {
            for old in replaces {
                tx.execute("DELETE FROM run WHERE id = ?1", [old.0])?;
            }
            tx.execute(
                "INSERT INTO run (id, ledger, level, first_seq, last_seq, filter, filter_is_stale)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    run.id.0,
                    run.ledger.get(),
                    run.level,
                    run.first.get(),
                    run.last.get(),
                    run.filter,
                    run.filter_is_stale
                ],
            )
            .map(drop)
        })
    }

    fn drop_leftover(&self, being_written: &[RunId]) -> Result<bool, StoreError> {
        let Some(left) = self.leftover(being_written)? else {
            return Ok(false);
        };
        self.write(|tx| {
            tx.execute(
                "DELETE FROM run_block WHERE run = ?1 AND first <= coalesce(
                    (SELECT first FROM run_block WHERE run = ?1 ORDER BY first LIMIT 1 OFFSET ?2),
                    (SELECT max(first) FROM run_block WHERE run = ?1))",
                params![left.0, BLOCKS_PER_STEP],
            )
            .map(drop)
        })?;
        Ok(true)
    }

    fn blocks(
        &self,
        run: RunId,
        rows: &Range<IndexRow>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Block>, StoreError> {
        let direction = match order {
            Order::Oldest => "ASC",
            Order::Newest => "DESC",
        };
        let sql = format!(
            "SELECT first, bytes FROM run_block WHERE run = ?1 AND first < ?3 AND first >= coalesce(
                (SELECT max(first) FROM run_block WHERE run = ?1 AND first <= ?2), ?2)
             ORDER BY first {direction} LIMIT ?4"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (from, end) = (row_bytes(rows.start), row_bytes(rows.end));
        let found: Vec<_> = self.database.read(|tx| {
            tx.prepare_cached(&sql)?
                .query_map(params![run.0, &from[..], &end[..], limit], |row| {
                    self.block(row)
                })?
                .collect()
        })?;
        found.into_iter().collect()
    }

    fn replace(&self, run: RunId, blocks: &[(IndexRow, Option<Block>)]) -> Result<(), StoreError> {
        self.write(|tx| {
            let mut delete =
                tx.prepare_cached("DELETE FROM run_block WHERE run = ?1 AND first = ?2")?;
            for (first, block) in blocks {
                delete.execute(params![run.0, &row_bytes(*first)[..]])?;
                if let Some(block) = block {
                    insert(tx, run, block)?;
                }
            }
            tx.prepare_cached("UPDATE run SET filter_is_stale = 1 WHERE id = ?1")?
                .execute([run.0])
                .map(drop)
        })
    }

    fn stale(&self) -> Result<Vec<RunId>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached("SELECT id FROM run WHERE filter_is_stale = 1")?
                .query_map([], |row| row.get(0).map(RunId))?
                .collect()
        })
    }

    fn set_filter(&self, run: RunId, filter: &[u8], is_stale: bool) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute(
                "UPDATE run SET filter = ?2, filter_is_stale = ?3 WHERE id = ?1",
                params![run.0, filter, is_stale],
            )
            .map(drop)
        })
    }

    fn take_out(&self, run: RunId, next: Option<(RunId, Seq)>) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("DELETE FROM run WHERE id = ?1", [run.0])?;
            if let Some((next, first)) = next {
                tx.execute(
                    "UPDATE run SET first_seq = ?2 WHERE id = ?1",
                    params![next.0, first.get()],
                )?;
            }
            Ok(())
        })
    }

    fn release_pages(&self, pages: u32) -> Result<bool, StoreError> {
        self.database.release_pages(pages)
    }

    fn damaged(&self, what: &str) -> StoreError {
        StoreError::Damaged {
            path: self.database.path.clone(),
            what: what.to_owned(),
            hint: FILE.hint,
        }
    }
}
