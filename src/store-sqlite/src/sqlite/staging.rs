//! `staging.db`: telemetry that waits to become events. A file of its own: it is written and emptied all the time,
//! which ledger.db is spared, and a request's parts need not wait for a batch of the writer.

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
    migrations: &[include_str!("staging_001.sql")],
    hint: "it has OpenTelemetry data that is not an event yet: restore it, or move it away to continue without that data",
    grows: None,
};

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
        limit: usize,
    ) -> Result<Vec<Tag>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT trace FROM part INDEXED BY part_by_trace WHERE ledger = ?1 AND state < 2 GROUP BY trace
                 HAVING min(state) = 0 AND (CASE max(state)
                     WHEN 0 THEN max(CASE WHEN is_root THEN arrived_at_ms END)
                     ELSE max(CASE WHEN state = 0 THEN arrived_at_ms END) END <= ?2
                 OR min(CASE WHEN state = 0 THEN arrived_at_ms END) <= ?3) LIMIT ?4",
            )?
            .query_map(params![ledger.get(), root_by.get(), first_by.get(), limit], |row| tag(row, 0))?
            .collect()
        })
    }

    fn parts_of(
        &self,
        ledger: LedgerNumber,
        trace: Tag,
        limit: usize,
    ) -> Result<Vec<StagedPart>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT id, tag, trace, span, answer, day, state, sealed FROM part
                 WHERE ledger = ?1 AND trace = ?2 AND state < 2 ORDER BY id LIMIT ?3",
            )?
            .query_map(
                params![ledger.get(), &trace.as_bytes()[..], limit],
                staged_part,
            )?
            .collect()
        })
    }

    fn traces_of_answer(&self, ledger: LedgerNumber, answer: Tag) -> Result<Vec<Tag>, StoreError> {
        self.database.read(|tx| {
            // Left to itself, SQLite takes the index of traces to find each once, and walks all that waits.
            tx.prepare_cached(
                "SELECT DISTINCT trace FROM part INDEXED BY part_by_answer
                 WHERE ledger = ?1 AND answer = ?2 AND state = 0 LIMIT 16",
            )?
            .query_map(params![ledger.get(), &answer.as_bytes()[..]], |row| {
                tag(row, 0)
            })?
            .collect()
        })
    }

    fn finish_round(&self, ledger: LedgerNumber, round: &Round) -> Result<(), StoreError> {
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
            tx.execute(
                "DELETE FROM part WHERE ledger = ?1 AND state = 1 AND arrived_at_ms <= ?2",
                params![ledger.get(), arrived_by.get()],
            )
            .map_err(|error| self.database.error(error))
        })
    }

    fn ledgers(&self) -> Result<Vec<LedgerNumber>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT ledger FROM part WHERE state < 2 UNION SELECT ledger FROM assembled",
            )?
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

fn finish_round(tx: &Connection, ledger: LedgerNumber, round: &Round) -> rusqlite::Result<()> {
    let mut event =
        tx.prepare_cached("INSERT INTO assembled (ledger, day, sealed) VALUES (?1, ?2, ?3)")?;
    for (day, sealed) in &round.events {
        event.execute(params![ledger.get(), day, sealed])?;
    }
    for_each(tx, "DELETE FROM part WHERE id = ?1", &round.done)?;
    for_each(tx, "UPDATE part SET state = 1 WHERE id = ?1", &round.used)?;
    for_each(
        tx,
        "UPDATE part SET state = 2 WHERE id = ?1",
        &round.unreadable,
    )
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
