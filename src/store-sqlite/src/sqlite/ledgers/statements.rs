//! What statements say of other entries, and the rows that go because of them.

use std::collections::HashMap;
use std::ops::Range;

use rusqlite::{Connection, params};

use super::SqliteLedgers;
use crate::{row_number, row_seq};
use trailkeep_ports::{ClassRow, ExpiryRow, Mark, Statement, Statements, StoreError};
use trailkeep_proof::ids::{ClassNumber, LedgerNumber, Seq};
use trailkeep_proof::time::UnixMillis;

impl Statements for SqliteLedgers {
    fn classes(&self, ledger: LedgerNumber) -> Result<Vec<ClassRow>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached("SELECT number, statement_seq, definition FROM class WHERE ledger = ?1 ORDER BY number")?
                .query_map([ledger.get()], |row| {
                    let (number, statement) = (ClassNumber::new(row.get(0)?), Seq::new(row.get(1)?));
                    Ok(ClassRow { number, statement, definition: row.get(2)? })
                })?
                .collect()
        })
    }

    fn statements(&self, ledger: LedgerNumber) -> Result<Vec<(Seq, String, bool)>, StoreError> {
        let (first, last) = whole(ledger);
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT row, kind, open FROM statement WHERE row >= ?1 AND row <= ?2 ORDER BY row",
            )?
            .query_map([first, last], |row| {
                Ok((row_seq(row.get(0)?), row.get(1)?, row.get(2)?))
            })?
            .collect()
        })
    }

    fn close_job(&self, ledger: LedgerNumber, statement: Seq) -> Result<(), StoreError> {
        self.database.write(|tx| {
            tx.execute(
                "UPDATE statement SET open = 0 WHERE row = ?1",
                [row_number(ledger, statement)],
            )
            .map(drop)
            .map_err(|error| self.database.error(error))
        })
    }

    fn expiries(&self, ledger: LedgerNumber) -> Result<Vec<ExpiryRow>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT statement_seq, class, recorded_before_ms FROM expiry WHERE ledger = ?1
                 ORDER BY statement_seq",
            )?
            .query_map([ledger.get()], |row| {
                Ok(ExpiryRow {
                    statement: Seq::new(row.get(0)?),
                    class: ClassNumber::new(row.get(1)?),
                    recorded_before: UnixMillis::new(row.get(2)?),
                })
            })?
            .collect()
        })
    }

    fn marks(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<HashMap<Seq, Mark>, StoreError> {
        let (first, end) = (
            row_number(ledger, Seq::new(range.start)),
            row_number(ledger, Seq::new(range.end)),
        );
        self.database.read(|tx| {
            let mut marks: HashMap<Seq, Mark> = HashMap::new();
            let mut covered = tx.prepare_cached(
                "SELECT row, statement FROM covered WHERE row >= ?1 AND row < ?2",
            )?;
            let mut rows = covered.query([first, end])?;
            while let Some(row) = rows.next()? {
                let mark = marks.entry(row_seq(row.get(0)?)).or_default();
                mark.tombstone = Some(row_seq(row.get(1)?));
            }
            let mut overdue =
                tx.prepare_cached("SELECT row FROM overdue WHERE row >= ?1 AND row < ?2")?;
            let mut rows = overdue.query([first, end])?;
            while let Some(row) = rows.next()? {
                marks.entry(row_seq(row.get(0)?)).or_default().is_overdue = true;
            }
            let mut restricted = tx.prepare_cached(
                "SELECT row, min(statement) FROM restricted
                 WHERE row >= ?1 AND row < ?2 AND lifted_by IS NULL GROUP BY row",
            )?;
            let mut rows = restricted.query([first, end])?;
            while let Some(row) = rows.next()? {
                let mark = marks.entry(row_seq(row.get(0)?)).or_default();
                mark.restricted_by = Some(row_seq(row.get(1)?));
            }
            Ok(marks)
        })
    }

    fn overdue(
        &self,
        ledger: LedgerNumber,
        from: Seq,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        let (first, last) = (row_number(ledger, from), row_number(ledger, Seq::MAX));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT row FROM overdue WHERE row >= ?1 AND row <= ?2 ORDER BY row LIMIT ?3",
            )?
            .query_map(params![first, last, limit], |row| Ok(row_seq(row.get(0)?)))?
            .collect()
        })
    }

    fn tombstone_items(
        &self,
        ledger: LedgerNumber,
        statement: Seq,
    ) -> Result<Vec<Seq>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached("SELECT row FROM covered WHERE statement = ?1 ORDER BY row")?
                .query_map([row_number(ledger, statement)], |row| {
                    Ok(row_seq(row.get(0)?))
                })?
                .collect()
        })
    }

    fn restricted_by(&self, ledger: LedgerNumber, statement: Seq) -> Result<Vec<Seq>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached("SELECT row FROM restricted WHERE statement = ?1 ORDER BY row")?
                .query_map([row_number(ledger, statement)], |row| {
                    Ok(row_seq(row.get(0)?))
                })?
                .collect()
        })
    }

    fn restrictions(&self, ledger: LedgerNumber) -> Result<Vec<(Seq, Option<Seq>)>, StoreError> {
        let (first, last) = whole(ledger);
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT DISTINCT statement, lifted_by FROM restricted
                 WHERE statement >= ?1 AND statement <= ?2 ORDER BY statement",
            )?
            .query_map([first, last], |row| {
                let lifted_by: Option<i64> = row.get(1)?;
                Ok((row_seq(row.get(0)?), lifted_by.map(row_seq)))
            })?
            .collect()
        })
    }
}

/// The first and last row of a ledger.
fn whole(ledger: LedgerNumber) -> (i64, i64) {
    (
        row_number(ledger, Seq::new(0)),
        row_number(ledger, Seq::MAX),
    )
}

/// Writes what a new entry states for others.
pub(super) fn write_statement(
    tx: &Connection,
    ledger: LedgerNumber,
    seq: Seq,
    statement: &Statement,
) -> rusqlite::Result<()> {
    let row = row_number(ledger, seq);
    match statement {
        Statement::Class { number, definition } => {
            tx.prepare_cached(
                "INSERT INTO class (ledger, number, statement_seq, definition) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![ledger.get(), number.get(), seq.get(), definition])?;
        }
        Statement::Policy => {}
        Statement::Expiry {
            class,
            recorded_before,
            held,
            released,
        } => {
            tx.prepare_cached(
                "INSERT INTO expiry (ledger, statement_seq, class, recorded_before_ms) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![ledger.get(), seq.get(), class.get(), recorded_before.get()])?;
            let mut keep = tx.prepare_cached("INSERT OR IGNORE INTO overdue (row) VALUES (?1)")?;
            for held in held {
                keep.execute([row_number(ledger, *held)])?;
            }
            release(tx, ledger, released)?;
        }
        Statement::Tombstones { items, .. } => {
            let mut cover =
                tx.prepare_cached("INSERT INTO covered (row, statement) VALUES (?1, ?2)")?;
            for item in items {
                cover.execute([row_number(ledger, *item), row])?;
            }
            release(tx, ledger, items)?;
        }
        Statement::Erasure { covers, restricts } => {
            let mut cover =
                tx.prepare_cached("INSERT INTO covered (row, statement) VALUES (?1, ?2)")?;
            for item in covers {
                cover.execute([row_number(ledger, *item), row])?;
            }
            release(tx, ledger, covers)?;
            let mut restrict =
                tx.prepare_cached("INSERT INTO restricted (row, statement) VALUES (?1, ?2)")?;
            for item in restricts {
                restrict.execute([row_number(ledger, *item), row])?;
            }
        }
        Statement::Lift { restriction } => {
            tx.prepare_cached(
                "UPDATE restricted SET lifted_by = ?2 WHERE statement = ?1 AND lifted_by IS NULL",
            )?
            .execute([row_number(ledger, *restriction), row])?;
        }
    }
    if let Some(kind) = statement.kind() {
        tx.prepare_cached("INSERT INTO statement (row, kind, open) VALUES (?1, ?2, ?3)")?
            .execute(params![row, kind, statement.opens_a_job()])?;
    }
    Ok(())
}

fn release(tx: &Connection, ledger: LedgerNumber, seqs: &[Seq]) -> rusqlite::Result<()> {
    let mut release = tx.prepare_cached("DELETE FROM overdue WHERE row = ?1")?;
    for seq in seqs {
        release.execute([row_number(ledger, *seq)])?;
    }
    Ok(())
}
