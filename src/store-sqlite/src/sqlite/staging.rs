//! `staging.db`: telemetry that waits to become events. A file of its own: it is written and emptied all the time,
//! which ledger.db is spared, and a request's parts need not wait for a batch of the writer.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{Connection, Row, params};

use super::{Database, FileKind};
use trailkeep_ports::{
    AssembledRow, InboxStore, NewPart, PartRow, Round, StagedPart, StagedText, StoreError, Upkeep,
};
use trailkeep_proof::ids::{LedgerNumber, Tag};
use trailkeep_proof::time::UnixMillis;

static FILE: FileKind = FileKind {
    name: "staging.db",
    application_id: 0x544B_5347,
    migrations: &[
        include_str!("staging_001.sql"),
        include_str!("staging_002.sql"),
    ],
    hint: "it has OpenTelemetry data that is not an event yet: restore it, or move it away to continue without that data",
    cache_kib: 16_384,
    grows: None,
};

/// The traces that are due, in order, each decided by its own rows. One that came too late for both times is passed without a
/// further look.
const DUE_TRACES: &str = "SELECT trace FROM part INDEXED BY part_by_state
     WHERE ledger = ?1 AND state = 0 AND trace > ?2 GROUP BY trace
     HAVING min(arrived_at_ms) <= ?4 OR (min(arrived_at_ms) <= ?3 AND CASE
         WHEN EXISTS (SELECT 1 FROM part AS used INDEXED BY part_by_state
                      WHERE used.ledger = ?1 AND used.state = 1 AND used.trace = part.trace)
         THEN max(arrived_at_ms) ELSE max(CASE WHEN is_root THEN arrived_at_ms END) END <= ?3)
     LIMIT ?5";
const PARTS_OF_TRACE: &str =
    "SELECT id, tag, trace, span, answer, day, state, sealed FROM part INDEXED BY part_by_state
     WHERE ledger = ?1 AND state IN (0, 1) AND trace = ?2 ORDER BY id LIMIT ?3";
const TRACES_OF_ANSWER: &str = "SELECT DISTINCT trace FROM part INDEXED BY part_by_answer
     WHERE ledger = ?1 AND answer = ?2 AND state = 0 LIMIT 16";
const DROP_USED: &str = "DELETE FROM part INDEXED BY part_used
     WHERE ledger = ?1 AND state = 1 AND arrived_at_ms <= ?2";
/// From each ledger to the next one that a part names.
const LEDGERS: &str = "WITH RECURSIVE named (ledger) AS (
         SELECT min(ledger) FROM part
         UNION ALL SELECT (SELECT min(ledger) FROM part WHERE ledger > named.ledger) FROM named
         WHERE named.ledger IS NOT NULL)
     SELECT ledger FROM named WHERE EXISTS (
         SELECT 1 FROM part INDEXED BY part_by_state WHERE part.ledger = named.ledger AND state < 2)
     UNION SELECT ledger FROM assembled";

/// The file.
pub(super) struct SqliteInbox {
    database: Database,
}

impl SqliteInbox {
    /// Opens the file, and makes it where there is none: it holds nothing that is not waiting.
    pub(super) fn open(path: &Path, directory_id: &str) -> Result<Self, StoreError> {
        if !path.exists() {
            Database::create(&FILE, path, directory_id)?;
        }
        Ok(Self {
            database: Database::open(&FILE, path, directory_id)?,
        })
    }
}

impl Upkeep for SqliteInbox {
    fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        self.database.schema_difference()
    }

    fn purge(&self) -> Result<bool, StoreError> {
        self.database.copy_log()?;
        self.database.purge()
    }
}

impl InboxStore for SqliteInbox {
    fn add(&self, ledger: LedgerNumber, parts: &[NewPart]) -> Result<usize, StoreError> {
        self.database
            .write(|tx| add(tx, ledger, parts).map_err(|error| self.database.error(error)))
    }

    fn due_traces(
        &self,
        ledger: LedgerNumber,
        root_by: UnixMillis,
        first_by: UnixMillis,
        after: Option<Tag>,
        limit: usize,
    ) -> Result<Vec<Tag>, StoreError> {
        // An empty blob sorts before every tag.
        let after = after.as_ref().map_or(&[][..], |tag| tag.as_bytes());
        let (root_by, first_by) = (root_by.get(), first_by.get());
        self.database.read(|tx| {
            tx.prepare_cached(DUE_TRACES)?
                .query_map(
                    params![ledger.get(), after, root_by, first_by, limit],
                    |row| tag(row, 0),
                )?
                .collect()
        })
    }

    fn parts_of(
        &self,
        ledger: LedgerNumber,
        traces: &[Tag],
        parts_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Vec<StagedPart>>, StoreError> {
        self.database.read(|tx| {
            let mut statement = tx.prepare_cached(PARTS_OF_TRACE)?;
            let (mut read, mut bytes) = (Vec::with_capacity(traces.len()), 0);
            for trace in traces {
                let of_trace = params![ledger.get(), &trace.as_bytes()[..], parts_max];
                let parts: Vec<StagedPart> = statement
                    .query_map(of_trace, staged_part)?
                    .collect::<rusqlite::Result<_>>()?;
                bytes += parts.iter().map(|part| part.sealed.len()).sum::<usize>();
                read.push(parts);
                if bytes >= bytes_max {
                    break;
                }
            }
            Ok(read)
        })
    }

    fn traces_of_answers(
        &self,
        ledger: LedgerNumber,
        answers: &[Tag],
    ) -> Result<BTreeSet<Tag>, StoreError> {
        self.database.read(|tx| {
            let mut statement = tx.prepare_cached(TRACES_OF_ANSWER)?;
            let mut found = BTreeSet::new();
            for answer in answers {
                let of_answer = params![ledger.get(), &answer.as_bytes()[..]];
                for trace in statement.query_map(of_answer, |row| tag(row, 0))? {
                    found.insert(trace?);
                }
            }
            Ok(found)
        })
    }

    fn finish_round(&self, ledger: LedgerNumber, round: &Round) -> Result<Vec<i64>, StoreError> {
        self.database
            .write(|tx| finish_round(tx, ledger, round).map_err(|error| self.database.error(error)))
    }

    fn assembled(
        &self,
        ledger: LedgerNumber,
        limit: usize,
    ) -> Result<Vec<AssembledRow>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT id, day, sealed FROM assembled WHERE ledger = ?1 ORDER BY id LIMIT ?2",
            )?
            .query_map(params![ledger.get(), limit], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect()
        })
    }

    fn part_rows(
        &self,
        ledger: LedgerNumber,
        after: i64,
        limit: u32,
    ) -> Result<Vec<PartRow>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT id, day, sealed, tag, trace, span, answer, is_root, arrived_at_ms, state FROM part
                 WHERE ledger = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
            )?
            .query_map(params![ledger.get(), after, limit], |row| {
                let text = staged_text(row)?;
                Ok(PartRow {
                    id: text.id,
                    tags: [row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?],
                    is_root: row.get(7)?,
                    arrived_at_ms: row.get(8)?,
                    state: row.get(9)?,
                    text,
                })
            })?
            .collect()
        })
    }

    fn assembled_rows(
        &self,
        ledger: LedgerNumber,
        after: i64,
        limit: u32,
    ) -> Result<Vec<StagedText>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT id, day, sealed FROM assembled WHERE ledger = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
            )?
            .query_map(params![ledger.get(), after, limit], staged_text)?
            .collect()
        })
    }

    fn still_has(&self, row: &StagedText) -> Result<bool, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT 1 FROM part WHERE id = ?1 AND sealed = ?2 UNION ALL SELECT 1 FROM assembled WHERE id = ?1 AND sealed = ?2",
            )?
            .exists(params![row.id, row.sealed])
        })
    }

    fn named_ledgers(&self) -> Result<Vec<(String, i64)>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT 'part', ledger FROM part UNION SELECT 'assembled', ledger FROM assembled",
            )?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
        })
    }

    fn remove_assembled(&self, rows: &[i64]) -> Result<(), StoreError> {
        let remove = |tx: &Connection| for_each(tx, "DELETE FROM assembled WHERE id = ?1", rows);
        self.database
            .write(|tx| remove(tx).map_err(|error| self.database.error(error)))
    }

    fn drop_used(&self, ledger: LedgerNumber, arrived_by: UnixMillis) -> Result<usize, StoreError> {
        self.database.write(|tx| {
            tx.prepare_cached(DROP_USED)
                .and_then(|mut drop| drop.execute(params![ledger.get(), arrived_by.get()]))
                .map_err(|error| self.database.error(error))
        })
    }

    fn ledgers(&self) -> Result<Vec<LedgerNumber>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(LEDGERS)?
                .query_map([], |row| row.get(0).map(LedgerNumber::new))?
                .collect()
        })
    }

    fn days(&self, ledger: LedgerNumber) -> Result<Vec<u32>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT day FROM part WHERE ledger = ?1 UNION SELECT day FROM assembled WHERE ledger = ?1",
            )?
            .query_map([ledger.get()], |row| row.get(0))?
            .collect()
        })
    }

    fn waiting(&self) -> Result<u64, StoreError> {
        self.database.read(|tx| {
            tx.query_row("SELECT (SELECT count(*) FROM part WHERE state = 0) + (SELECT count(*) FROM assembled)", [], |row| row.get(0))
        })
    }

    fn release_pages(&self, pages: u32) -> Result<bool, StoreError> {
        self.database.release_pages(pages)
    }
}

fn add(tx: &Connection, ledger: LedgerNumber, parts: &[NewPart]) -> rusqlite::Result<usize> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO part (ledger, tag, trace, span, answer, is_root, arrived_at_ms, day, sealed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (ledger, tag) DO NOTHING",
    )?;
    let mut added = 0;
    for part in parts {
        added += statement.execute(params![
            ledger.get(),
            &part.tag.as_bytes()[..],
            &part.trace.as_bytes()[..],
            &part.span.as_bytes()[..],
            part.answer.as_ref().map(|answer| &answer.as_bytes()[..]),
            part.is_root,
            part.arrived_at.get(),
            part.day,
            part.sealed
        ])?;
    }
    Ok(added)
}

fn finish_round(
    tx: &Connection,
    ledger: LedgerNumber,
    round: &Round,
) -> rusqlite::Result<Vec<i64>> {
    let mut event =
        tx.prepare_cached("INSERT INTO assembled (ledger, day, sealed) VALUES (?1, ?2, ?3)")?;
    let mut numbers = Vec::with_capacity(round.events.len());
    for (day, sealed) in &round.events {
        numbers.push(event.insert(params![ledger.get(), day, sealed])?);
    }
    for_each(tx, "DELETE FROM part WHERE id = ?1", &round.done)?;
    for_each(tx, "UPDATE part SET state = 1 WHERE id = ?1", &round.used)?;
    for_each(
        tx,
        "UPDATE part SET state = 2 WHERE id = ?1",
        &round.unreadable,
    )?;
    Ok(numbers)
}

/// Runs a statement for each row.
fn for_each(tx: &Connection, sql: &str, rows: &[i64]) -> rusqlite::Result<()> {
    let mut statement = tx.prepare_cached(sql)?;
    for row in rows {
        statement.execute([row])?;
    }
    Ok(())
}

fn staged_text(row: &Row<'_>) -> rusqlite::Result<StagedText> {
    Ok(StagedText {
        id: row.get(0)?,
        day: row.get(1)?,
        sealed: row.get(2)?,
    })
}

fn staged_part(row: &Row<'_>) -> rusqlite::Result<StagedPart> {
    let state: i64 = row.get(6)?;
    let answer: Option<[u8; 16]> = row.get(4)?;
    Ok(StagedPart {
        id: row.get(0)?,
        tag: tag(row, 1)?,
        trace: tag(row, 2)?,
        span: tag(row, 3)?,
        answer: answer.map(Tag::new),
        day: row.get(5)?,
        is_used: state != 0,
        sealed: row.get(7)?,
    })
}

fn tag(row: &Row<'_>, column: usize) -> rusqlite::Result<Tag> {
    row.get::<_, [u8; 16]>(column).map(Tag::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(connection: &Connection, sql: &str) -> Vec<String> {
        let mut statement = connection
            .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
            .unwrap();
        let steps = statement
            .raw_query()
            .mapped(|row| row.get::<_, String>("detail"));
        steps.collect::<rusqlite::Result<_>>().unwrap()
    }

    static BEFORE: FileKind = FileKind {
        migrations: &[include_str!("staging_001.sql")],
        ..FILE
    };

    #[test]
    fn what_waits_in_a_file_of_the_first_schema_is_due_and_found() {
        let (folder, id) = (tempfile::tempdir().unwrap(), "d".repeat(32));
        let path = folder.path().join(FILE.name);
        let (ledger, trace) = (LedgerNumber::new(1), Tag::new([7; 16]));
        let arrived_at = UnixMillis::new(1_000);
        let part = NewPart {
            tag: Tag::new([1; 16]),
            trace,
            span: Tag::new([2; 16]),
            answer: Some(Tag::new([3; 16])),
            is_root: true,
            arrived_at,
            day: 0,
            sealed: vec![9; 40],
        };
        Database::create(&BEFORE, &path, &id).unwrap();
        {
            let before = SqliteInbox {
                database: Database::open(&BEFORE, &path, &id).unwrap(),
            };
            assert_eq!(before.add(ledger, &[part]).unwrap(), 1);
        }
        let inbox = SqliteInbox::open(&path, &id).unwrap();
        assert_eq!(inbox.schema_difference().unwrap(), None);
        assert_eq!(inbox.ledgers().unwrap(), [ledger]);
        let due = inbox.due_traces(ledger, arrived_at, UnixMillis::new(0), None, 9);
        assert_eq!(due.unwrap(), [trace]);
        let parts = inbox.parts_of(ledger, &[trace], 9, 99).unwrap();
        assert_eq!(parts[0][0].sealed, [9; 40]);
        assert!(folder.path().join("staging.db.schema-1").exists());
    }

    #[test]
    fn a_round_looks_at_its_own_rows_and_walks_nothing_that_waits() {
        let connection = Connection::open_in_memory().unwrap();
        for migration in FILE.migrations {
            connection.execute_batch(migration).unwrap();
        }
        let looks_up = [
            (
                DUE_TRACES,
                "part_by_state (ledger=? AND state=? AND trace>?)",
            ),
            (
                DUE_TRACES,
                "part_by_state (ledger=? AND state=? AND trace=?)",
            ),
            (
                PARTS_OF_TRACE,
                "part_by_state (ledger=? AND state=? AND trace=?)",
            ),
            (TRACES_OF_ANSWER, "part_by_answer (ledger=? AND answer=?)"),
            (DROP_USED, "part_used (ledger=? AND arrived_at_ms<?)"),
            (LEDGERS, "(ledger>?)"),
            (LEDGERS, "part_by_state (ledger=? AND state<?)"),
        ];
        for (sql, expected) in looks_up {
            let steps = plan(&connection, sql);
            let is_expected = |step: &String| {
                step.starts_with("SEARCH part") | step.starts_with("SEARCH used")
                    && step.ends_with(expected)
            };
            assert!(
                steps.iter().any(is_expected),
                "{sql}: {expected}: {steps:#?}"
            );
            let walks = |step: &String| step.starts_with("SCAN part");
            assert!(!steps.iter().any(walks), "{sql}: {steps:#?}");
        }
    }
}
