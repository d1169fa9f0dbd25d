//! The events of retention classes, in order.

use rusqlite::params;

use super::Ledgers;
use crate::{row_number, row_seq};
use trailkeep_ports::{Order, Span, StoreError};
use trailkeep_proof::ids::{ClassNumber, LedgerNumber, Seq};

/// The class as the index has it; the index answers only a question in its own words.
const OLDEST: &str = "SELECT row FROM entry WHERE substr(bytes, 3, 2) = ?1 AND row >= ?2 AND row < ?3 \
                      ORDER BY row LIMIT ?4";
const NEWEST: &str = "SELECT row FROM entry WHERE substr(bytes, 3, 2) = ?1 AND row >= ?2 AND row < ?3 \
                      ORDER BY row DESC LIMIT ?4";

impl Ledgers {
    /// The seqs of the events of any of these classes within a span, in an order, at most `limit`.
    pub fn events_of_classes(
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_classes_answers_in_either_order_without_sorting() {
        let folder = tempfile::tempdir().unwrap();
        let (path, id) = (folder.path().join("ledger.db"), "0".repeat(32));
        Ledgers::create(&path, &id).unwrap();
        let ledgers = Ledgers::open(&path, &id).unwrap();
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
