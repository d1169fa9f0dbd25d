//! The events of retention classes, in order.

use rusqlite::params;

use super::Ledgers;
use crate::ids::{ClassNumber, LedgerNumber, Seq};
use crate::store::{Order, Span, StoreError, row_number, row_seq};

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
