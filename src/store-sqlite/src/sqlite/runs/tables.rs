//! Files of schema 1 had a table for each run, a row for each row. They are packed into blocks when the file is opened.

use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteRuns;
use trailkeep_ports::block::BlockWriter;
use trailkeep_ports::{IndexRow, RunId, RunStore, StoreError};
use trailkeep_proof::ids::{LookupKey, Seq};

/// Rows that are packed in one transaction.
const ROWS_PER_STEP: usize = 100_000;

/// Name of a run's table.
fn table(run: RunId) -> String {
    format!("run_{}", run.0)
}

/// The statement that made it.
fn table_text(name: &str) -> String {
    format!(
        "CREATE TABLE {name} (key BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (key, seq)) STRICT, WITHOUT ROWID"
    )
}

/// Whether a table is that of a run, by its name and the statement that made it.
pub(super) fn is_table(name: &str, text: &str) -> bool {
    let number = name.strip_prefix("run_");
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        && text == table_text(name)
}

impl SqliteRuns {
    /// Packs the tables of schema 1, one after the other. A table goes when its blocks are all there: what a crash leaves
    /// is packed again.
    pub(super) fn pack_tables(&self) -> Result<(), StoreError> {
        while let Some(run) = self.first_table()? {
            let is_whole = self.database.read(|tx| {
                tx.prepare("SELECT 1 FROM run WHERE id = ?1")?
                    .exists([run.0])
            })?;
            if is_whole {
                self.pack_table(run)?;
            }
            self.write(|tx| tx.execute_batch(&format!("DROP TABLE {}", table(run))))?;
        }
        Ok(())
    }

    fn first_table(&self) -> Result<Option<RunId>, StoreError> {
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'run_[0-9]*' LIMIT 1";
        let name: Option<String> = self
            .database
            .read(|tx| tx.query_row(sql, [], |row| row.get(0)).optional())?;
        Ok(name.and_then(|name| name.strip_prefix("run_")?.parse().ok().map(RunId)))
    }

    fn pack_table(&self, run: RunId) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("DELETE FROM run_block WHERE run = ?1", [run.0])
                .map(drop)
        })?;
        let (mut writer, mut after) = (BlockWriter::default(), None);
        loop {
            let rows = self.database.read(|tx| rows_after(tx, run, after))?;
            let Some(last) = rows.last() else { break };
            after = *last;
            if rows.contains(&None) {
                return Err(self.damaged("has a row of a sorted run that is none"));
            }
            rows.into_iter().flatten().for_each(|row| writer.push(row));
            self.append(run, &writer.take_full())?;
        }
        self.append(run, &writer.finish())
    }
}

/// The next rows of a table in their order; none for one that cannot be a row.
fn rows_after(
    tx: &Connection,
    run: RunId,
    after: Option<IndexRow>,
) -> rusqlite::Result<Vec<Option<IndexRow>>> {
    let (key, seq) = match &after {
        Some((key, seq)) => (&key.as_bytes()[..], seq.get().cast_signed()),
        None => (&[][..], i64::MIN),
    };
    let sql = format!(
        "SELECT key, seq FROM {} WHERE (key, seq) > (?1, ?2) ORDER BY key, seq LIMIT {ROWS_PER_STEP}",
        table(run)
    );
    tx.prepare(&sql)?
        .query_map(params![key, seq], |row| {
            let key = LookupKey::from_slice(row.get_ref(0)?.as_blob()?);
            let seq = u64::try_from(row.get::<_, i64>(1)?).map(Seq::new);
            Ok(key.zip(seq.ok().filter(|seq| *seq <= Seq::MAX)))
        })?
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Database, FILE, FileKind};
    use super::*;
    use trailkeep_ports::{Order, Upkeep};

    /// As the files of 0.1.0 were.
    static OLD: FileKind = FileKind {
        migrations: &[include_str!("../index_001.sql")],
        ..FILE
    };
    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn key(number: u64) -> LookupKey {
        let mut bytes = [7; 16];
        bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        LookupKey::new(bytes)
    }

    /// A file of schema 1 with a whole run of these rows, and a run that was being written.
    fn old_file(path: &std::path::Path, rows: &[IndexRow]) {
        Database::create(&OLD, path, ID).unwrap();
        let file = Connection::open(path).unwrap();
        for run in [3, 4] {
            file.execute_batch(&table_text(&table(RunId(run)))).unwrap();
        }
        let run = "INSERT INTO run VALUES (3, 1, 0, 0, 99999, x'ff', 0)";
        file.execute_batch(run).unwrap();
        let mut insert = file.prepare("INSERT INTO run_3 VALUES (?1, ?2)").unwrap();
        for (key, seq) in rows {
            let row = params![&key.as_bytes()[..], seq.get()];
            insert.execute(row).unwrap();
        }
        file.execute("INSERT INTO run_4 VALUES (zeroblob(16), 1)", [])
            .unwrap();
    }

    fn packed(runs: &SqliteRuns, run: i64) -> Vec<IndexRow> {
        let all = (LookupKey::new([0; 16]), Seq::new(0))..(LookupKey::new([0xff; 16]), Seq::MAX);
        let blocks = runs.blocks(RunId(run), &all, Order::Oldest, usize::MAX);
        let blocks = blocks.unwrap().into_iter();
        blocks.flat_map(|block| block.rows().unwrap()).collect()
    }

    #[test]
    fn tables_of_an_older_file_are_packed_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.db");
        let rows = (0..5_000).map(|seq| (key(seq % 700), Seq::new(seq)));
        let mut rows: Vec<IndexRow> = rows.collect();
        old_file(&path, &rows);
        rows.sort_unstable();
        {
            let runs = SqliteRuns::open(&path, ID).unwrap();
            assert_eq!(packed(&runs, 3), rows);
            assert_eq!(packed(&runs, 4), []);
            assert_eq!(runs.runs().unwrap().len(), 1);
            assert_eq!(runs.schema_difference().unwrap(), None);
            assert_eq!(runs.first_table().unwrap(), None);
        }
        // A crash before the table went: it is packed again.
        let file = Connection::open(&path).unwrap();
        file.execute_batch(&table_text("run_3")).unwrap();
        let sql = "INSERT INTO run_3 VALUES (?1, 7)";
        file.execute(sql, [&key(1).as_bytes()[..]]).unwrap();
        drop(file);
        let runs = SqliteRuns::open(&path, ID).unwrap();
        assert_eq!(packed(&runs, 3), [(key(1), Seq::new(7))]);
    }

    #[test]
    fn a_table_with_a_row_that_is_none_is_refused() {
        for row in [
            "zeroblob(15), 1",
            "zeroblob(16), -1",
            "zeroblob(16), 1 << 41",
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("index.db");
            old_file(&path, &[]);
            let file = Connection::open(&path).unwrap();
            let sql = format!("INSERT INTO run_3 VALUES ({row})");
            file.execute_batch(&sql).unwrap();
            drop(file);
            let Err(error) = SqliteRuns::open(&path, ID) else {
                panic!("{row} was taken");
            };
            assert!(error.to_string().contains("index rebuild"), "{error}");
        }
    }
}
