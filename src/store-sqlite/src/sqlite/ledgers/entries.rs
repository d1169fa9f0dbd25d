//! Entries, payloads and tiles, as they are read.

use std::ops::Range;

use rusqlite::{OptionalExtension, Row, Statement, params};

use super::SqliteLedgers;
use crate::{row_number, row_seq};
use trailkeep_ports::{Entries, EventRow, Mark, Order, Span, StoreError};
use trailkeep_proof::ids::{ClassNumber, LedgerNumber, Seq};
use trailkeep_proof::ledger::entry::EntryBytes;
use trailkeep_proof::ledger::tile::TileCoordinate;

/// The class as the index has it; the index answers only a question in its own words.
const OLDEST: &str = "SELECT row FROM entry WHERE substr(bytes, 3, 2) = ?1 AND row >= ?2 AND row < ?3 \
                      ORDER BY row LIMIT ?4";
const NEWEST: &str = "SELECT row FROM entry WHERE substr(bytes, 3, 2) = ?1 AND row >= ?2 AND row < ?3 \
                      ORDER BY row DESC LIMIT ?4";

/// An event's row, and what statements say of it.
const EVENT: &str = "SELECT entry.bytes, payload.bytes, covered.statement, overdue.row,
     (SELECT min(statement) FROM restricted WHERE row = ?1 AND lifted_by IS NULL)
     FROM entry LEFT JOIN payload USING (row) LEFT JOIN covered USING (row)
     LEFT JOIN overdue USING (row) WHERE entry.row = ?1";

/// The same, as it is stored.
struct StoredEvent {
    entry: Vec<u8>,
    payload: Option<Vec<u8>>,
    mark: Mark,
}

fn stored_event(
    query: &mut Statement<'_>,
    ledger: LedgerNumber,
    seq: Seq,
) -> rusqlite::Result<Option<StoredEvent>> {
    let read = |row: &Row<'_>| {
        let mark = Mark {
            tombstone: row.get::<_, Option<i64>>(2)?.map(row_seq),
            is_overdue: row.get::<_, Option<i64>>(3)?.is_some(),
            restricted_by: row.get::<_, Option<i64>>(4)?.map(row_seq),
        };
        let (entry, payload) = (row.get(0)?, row.get(1)?);
        Ok(StoredEvent {
            entry,
            payload,
            mark,
        })
    };
    query.query_row([row_number(ledger, seq)], read).optional()
}

impl SqliteLedgers {
    fn event_row(&self, stored: StoredEvent) -> Result<EventRow, StoreError> {
        let entry = EntryBytes::try_from(stored.entry)
            .map_err(|_| self.damaged("has an entry of a wrong length"))?;
        Ok(EventRow {
            entry,
            payload: stored.payload,
            mark: stored.mark,
        })
    }
}

impl Entries for SqliteLedgers {
    fn entry_rows(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        self.rows(
            "SELECT row, bytes FROM entry WHERE row >= ?1 AND row < ?2 ORDER BY row",
            ledger,
            range,
        )
    }

    fn stored_end(&self, ledger: LedgerNumber) -> Result<u64, StoreError> {
        let (first, last) = (
            row_number(ledger, Seq::new(0)),
            row_number(ledger, Seq::MAX),
        );
        let row: Option<i64> = self.database.read(|tx| {
            tx.prepare_cached("SELECT max(row) FROM entry WHERE row >= ?1 AND row <= ?2")?
                .query_row([first, last], |row| row.get(0))
        })?;
        Ok(row.map_or(0, |row| row_seq(row).get() + 1))
    }

    fn payload_rows(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
        self.rows(
            "SELECT row, bytes FROM payload WHERE row >= ?1 AND row < ?2 ORDER BY row",
            ledger,
            range,
        )
    }

    fn event(&self, ledger: LedgerNumber, seq: Seq) -> Result<Option<EventRow>, StoreError> {
        let found = self.database.read(|tx| {
            let mut query = tx.prepare_cached(EVENT)?;
            stored_event(&mut query, ledger, seq)
        })?;
        found.map(|row| self.event_row(row)).transpose()
    }

    fn events(
        &self,
        ledger: LedgerNumber,
        seqs: &[Seq],
        bytes_max: usize,
    ) -> Result<Vec<Option<EventRow>>, StoreError> {
        let found = self.database.read(|tx| {
            let mut query = tx.prepare_cached(EVENT)?;
            let (mut found, mut bytes) = (Vec::with_capacity(seqs.len()), 0);
            for seq in seqs {
                let event = stored_event(&mut query, ledger, *seq)?;
                let payload = event.as_ref().and_then(|event| event.payload.as_ref());
                bytes += payload.map_or(0, Vec::len);
                found.push(event);
                if bytes >= bytes_max {
                    break;
                }
            }
            Ok(found)
        })?;
        let rows = found.into_iter();
        rows.map(|row| row.map(|row| self.event_row(row)).transpose())
            .collect()
    }

    fn first_recorded_at(
        &self,
        ledger: LedgerNumber,
        size: u64,
        recorded_at_ms: u64,
    ) -> Result<Seq, StoreError> {
        let (mut low, mut high) = (0, size);
        // recorded_at never goes back, so a binary search over the entries finds it.
        while low < high {
            let middle = low.midpoint(high);
            let entry = self.entries(ledger, middle..middle + 1)?;
            let recorded = entry
                .first()
                .ok_or_else(|| self.damaged("lacks an entry"))?;
            let mut time = [0; 8];
            time.copy_from_slice(&recorded[12..20]);
            if u64::from_be_bytes(time) < recorded_at_ms {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(Seq::new(low))
    }

    fn events_of_classes(
        &self,
        ledger: LedgerNumber,
        classes: &[ClassNumber],
        span: Span,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        if span.is_empty() {
            return Ok(Vec::new());
        }
        let (from, end) = (row_number(ledger, span.from), row_number(ledger, span.end));
        let query = match order {
            Order::Oldest => OLDEST,
            Order::Newest => NEWEST,
        };
        let mut found: Vec<Seq> = self.database.read(|tx| {
            let mut statement = tx.prepare_cached(query)?;
            let mut found = Vec::new();
            for class in classes {
                let bytes = class.get().to_be_bytes();
                let rows =
                    statement.query_map(params![bytes, from, end, limit], |row| row.get(0))?;
                for row in rows {
                    found.push(row_seq(row?));
                }
            }
            Ok(found)
        })?;
        found.sort_unstable();
        if order == Order::Newest {
            found.reverse();
        }
        found.truncate(limit);
        Ok(found)
    }

    fn tile(
        &self,
        ledger: LedgerNumber,
        tile: TileCoordinate,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT hashes FROM tile WHERE ledger = ?1 AND level = ?2 AND position = ?3",
            )?
            .query_row(params![ledger.get(), tile.level, tile.index], |row| {
                row.get(0)
            })
            .optional()
        })
    }

    fn tile_count(&self, ledger: LedgerNumber) -> Result<u64, StoreError> {
        self.database.read(|tx| {
            tx.query_row(
                "SELECT count(*) FROM tile WHERE ledger = ?1",
                [ledger.get()],
                |row| row.get(0),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_classes_answers_in_either_order_without_sorting() {
        let folder = tempfile::tempdir().unwrap();
        let (path, id) = (folder.path().join("ledger.db"), "0".repeat(32));
        SqliteLedgers::create(&path, &id).unwrap();
        let ledgers = SqliteLedgers::open(&path, &id).unwrap();
        for query in [OLDEST, NEWEST] {
            let plan = ledgers.database.read(|tx| {
                tx.prepare(&format!("EXPLAIN QUERY PLAN {query}"))?
                    .query_map(params![[0_u8, 1], 0, 1_000, 10], |row| row.get(3))?
                    .collect::<rusqlite::Result<Vec<String>>>()
            });
            let plan = plan.unwrap().join("; ");
            assert!(plan.contains("INDEX entry_of_class"), "{plan}");
            assert!(plan.contains("rowid>?"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
