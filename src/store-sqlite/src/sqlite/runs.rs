//! `index.db`: sorted runs, a table each.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use rusqlite::{Connection, params};

use super::{Database, FileKind};
use trailkeep_ports::{IndexRow, Order, RunId, RunRow, RunStore, Span, StoreError, Upkeep};
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

pub(super) static FILE: FileKind = FileKind {
    name: "index.db",
    application_id: 0x544B_4958,
    migrations: &[include_str!("index_001.sql")],
    hint: "it can be rebuilt: run `trailkeep index rebuild --dir DIR`",
    grows: Some(is_table),
};

/// The runs of one data directory.
pub(super) struct SqliteRuns {
    database: Database,
}

/// Name of a run's table.
fn table(run: RunId) -> String {
    format!("run_{}", run.0)
}

/// The statement that makes it.
fn table_text(name: &str) -> String {
    format!(
        "CREATE TABLE {name} (key BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (key, seq)) STRICT, WITHOUT ROWID"
    )
}

/// Whether a table is that of a run, by its name and the statement that made it.
fn is_table(name: &str, text: &str) -> bool {
    let number = name.strip_prefix("run_");
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        && text == table_text(name)
}

/// What lies below and above the keys that begin with a byte: above every key of 16 bytes is the 17-byte string of it and ff.
fn keys_from(first: u8) -> ([u8; 1], [u8; 17]) {
    let mut high = [0xff; 17];
    high[0] = first;
    ([first], high)
}

impl SqliteRuns {
    /// Makes the file.
    pub(super) fn create(path: &Path, directory_id: &str) -> Result<(), StoreError> {
        Database::create(&FILE, path, directory_id)
    }

    /// Opens the file.
    pub(super) fn open(path: &Path, directory_id: &str) -> Result<Self, StoreError> {
        Ok(Self {
            database: Database::open(&FILE, path, directory_id)?,
        })
    }

    fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.database
            .write(|tx| work(tx).map_err(|error| self.database.error(error)))
    }

    /// The runs that have a table, whole or not.
    fn tables(&self) -> Result<BTreeSet<RunId>, StoreError> {
        let names: Vec<String> = self.database.read(|tx| {
            tx.prepare(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'run_[0-9]*'",
            )?
            .query_map([], |row| row.get(0))?
            .collect()
        })?;
        let number = |name: &String| name.strip_prefix("run_")?.parse().ok().map(RunId);
        Ok(names.iter().filter_map(number).collect())
    }
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
        let tables = self.tables()?;
        if runs.iter().any(|run| !tables.contains(&run.id)) {
            return Err(self.damaged("lacks the rows of a sorted run"));
        }
        Ok(runs)
    }

    fn begin(&self) -> Result<RunId, StoreError> {
        // Ids are taken one after the other by the one thread that merges.
        let whole: i64 = self.database.read(|tx| {
            tx.query_row(
                "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'run'), 0),
                            coalesce((SELECT max(id) FROM run), 0))",
                [],
                |row| row.get(0),
            )
        })?;
        let begun = self.tables()?.last().map_or(0, |run| run.0);
        let id = RunId(whole.max(begun) + 1);
        self.write(|tx| tx.execute_batch(&table_text(&table(id))))?;
        Ok(id)
    }

    fn append(&self, run: RunId, rows: &[IndexRow]) -> Result<(), StoreError> {
        let sql = format!("INSERT INTO {} (key, seq) VALUES (?1, ?2)", table(run));
        self.write(|tx| {
            let mut insert = tx.prepare_cached(&sql)?;
            for (key, seq) in rows {
                insert.execute(params![&key.as_bytes()[..], seq.get()])?;
            }
            Ok(())
        })
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
        let whole: HashSet<RunId> = self.database.read(|tx| {
            tx.prepare("SELECT id FROM run")?
                .query_map([], |row| row.get(0).map(RunId))?
                .collect()
        })?;
        let mut tables = self.tables()?.into_iter();
        let left = tables.find(|run| !whole.contains(run) && !being_written.contains(run));
        let Some(left) = left else {
            return Ok(false);
        };
        self.write(|tx| tx.execute_batch(&format!("DROP TABLE {}", table(left))))?;
        Ok(true)
    }

    fn find(
        &self,
        run: RunId,
        key: LookupKey,
        span: Span,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        let direction = match order {
            Order::Oldest => "ASC",
            Order::Newest => "DESC",
        };
        let sql = format!(
            "SELECT seq FROM {} WHERE key = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq {direction} LIMIT ?4",
            table(run)
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.database.read(|tx| {
            tx.prepare_cached(&sql)?
                .query_map(
                    params![&key.as_bytes()[..], span.from.get(), span.end.get(), limit],
                    |row| row.get(0).map(Seq::new),
                )?
                .collect()
        })
    }

    fn rows_after(
        &self,
        run: RunId,
        after: Option<IndexRow>,
        limit: usize,
    ) -> Result<Vec<IndexRow>, StoreError> {
        let (key, seq) = after.map_or(([0; 16], -1), |(key, seq)| {
            (*key.as_bytes(), seq.get().cast_signed())
        });
        let sql = format!(
            "SELECT key, seq FROM {} WHERE (key, seq) > (?1, ?2) ORDER BY key, seq LIMIT {limit}",
            table(run)
        );
        self.database.read(|tx| {
            tx.prepare_cached(&sql)?
                .query_map(params![&key[..], seq], |row| {
                    Ok((LookupKey::new(row.get(0)?), Seq::new(row.get(1)?)))
                })?
                .collect()
        })
    }

    fn scan(
        &self,
        run: RunId,
        first_byte: u8,
        each: &mut dyn FnMut(Option<IndexRow>),
    ) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT key, seq FROM {} WHERE key >= ?1 AND key < ?2 ORDER BY key, seq",
            table(run)
        );
        let (low, high) = keys_from(first_byte);
        self.database.read(|tx| {
            let mut scan = tx.prepare_cached(&sql)?;
            let mut rows = scan.query(params![&low[..], &high[..]])?;
            while let Some(row) = rows.next()? {
                let key = row.get_ref(0)?.as_blob().ok();
                let key = key.and_then(LookupKey::from_slice);
                let seq = u64::try_from(row.get::<_, i64>(1)?).map(Seq::new);
                let seq = seq.ok().filter(|seq| *seq <= Seq::MAX);
                each(key.zip(seq));
            }
            Ok(())
        })
    }

    /// Counted in pieces: no reader may be long.
    fn count(&self, run: RunId, end: Seq) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM {} WHERE key >= ?1 AND key < ?2 AND seq < ?3",
            table(run)
        );
        (0..=u8::MAX).try_fold(0, |sum, first| {
            let (low, high) = keys_from(first);
            let rows: u64 = self.database.read(|tx| {
                tx.prepare_cached(&sql)?
                    .query_row(params![&low[..], &high[..], end.get()], |row| row.get(0))
            })?;
            Ok(sum + rows)
        })
    }

    fn delete(&self, run: RunId, rows: &[IndexRow]) -> Result<(), StoreError> {
        let sql = format!("DELETE FROM {} WHERE key = ?1 AND seq = ?2", table(run));
        self.write(|tx| {
            let mut delete = tx.prepare_cached(&sql)?;
            let mut deleted = 0;
            for (key, seq) in rows {
                deleted += delete.execute(params![&key.as_bytes()[..], seq.get()])?;
            }
            if deleted > 0 {
                tx.prepare_cached("UPDATE run SET filter_is_stale = 1 WHERE id = ?1")?
                    .execute([run.0])?;
            }
            Ok(())
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
