//! A table of ledger.db as copying sees it: rows by their primary key, whatever they mean.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::copy::ROWS_PER_READ;
use crate::row_seq;
use trailkeep_proof::ids::LedgerNumber;

/// Values of a row, by column.
pub(super) type Values = Vec<Value>;

/// A table with its columns, those of its primary key first.
pub(super) struct Table {
    pub(super) name: String,
    columns: Vec<String>,
    pub(super) key_columns: usize,
}

impl Table {
    pub(super) fn of(tx: &Connection, name: String) -> rusqlite::Result<Self> {
        let mut columns: Vec<(String, i64)> = tx
            .prepare("SELECT name, pk FROM pragma_table_info(?1)")?
            .query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<_>>()?;
        columns.sort_by_key(|(_, place)| if *place == 0 { i64::MAX } else { *place });
        Ok(Self {
            name,
            key_columns: columns.iter().filter(|(_, place)| *place > 0).count(),
            columns: columns.into_iter().map(|(name, _)| name).collect(),
        })
    }

    /// Rows after a key, up to another, in the order of keys.
    pub(super) fn rows(
        &self,
        tx: &Connection,
        after: Option<&[Value]>,
        upper: Option<&[Value]>,
    ) -> rusqlite::Result<Vec<Values>> {
        let key = self.columns[..self.key_columns].join(", ");
        let places = vec!["?"; self.key_columns].join(", ");
        let bound = |sign| format!("({key}) {sign} ({places})");
        let bounds: Vec<String> = [after.map(|_| bound(">")), upper.map(|_| bound("<="))]
            .into_iter()
            .flatten()
            .collect();
        let bounds = if bounds.is_empty() {
            String::new()
        } else {
            format!("WHERE {}", bounds.join(" AND "))
        };
        let sql = format!(
            "SELECT {} FROM {} {bounds} ORDER BY {key} LIMIT {ROWS_PER_READ}",
            self.columns.join(", "),
            self.name
        );
        let values = after.into_iter().chain(upper).flatten().cloned();
        tx.prepare_cached(&sql)?
            .query_map(params_from_iter(values), |row| {
                (0..self.columns.len())
                    .map(|column| row.get(column))
                    .collect()
            })?
            .collect()
    }

    /// Whether a row belongs to what the heads sign. Rows of later entries are left for the next time.
    pub(super) fn is_within(&self, row: &[Value], ends: &BTreeMap<LedgerNumber, u64>) -> bool {
        let number = |name: &str| {
            let column = self.columns.iter().position(|column| column == name)?;
            match row[column] {
                Value::Integer(number) => Some(number),
                _ => None,
            }
        };
        let is_before_end = |ledger: i64, seq: u64| {
            let ledger = u32::try_from(ledger).ok().map(LedgerNumber::new);
            let end = ledger.and_then(|ledger| ends.get(&ledger));
            end.is_some_and(|end| seq < *end)
        };
        if let Some(row) = number("row") {
            return is_before_end(row >> 40, row_seq(row).get());
        }
        // A head of n entries is within what a head of as many signs.
        let last = number("size").map(|size| size - 1);
        match (number("ledger"), number("statement_seq").or(last)) {
            (Some(ledger), Some(seq)) => is_before_end(ledger, seq.cast_unsigned()),
            _ => true,
        }
    }

    pub(super) fn delete(&self, tx: &Connection, row: &[Value]) -> rusqlite::Result<()> {
        let key: Vec<String> = self.columns[..self.key_columns]
            .iter()
            .map(|column| format!("{column} = ?"))
            .collect();
        let sql = format!("DELETE FROM {} WHERE {}", self.name, key.join(" AND "));
        tx.prepare_cached(&sql)?
            .execute(params_from_iter(&row[..self.key_columns]))
            .map(drop)
    }

    pub(super) fn put(&self, tx: &Connection, row: &[Value]) -> rusqlite::Result<()> {
        let sql = format!(
            "INSERT OR REPLACE INTO {} ({}) VALUES ({})",
            self.name,
            self.columns.join(", "),
            vec!["?"; self.columns.len()].join(", ")
        );
        tx.prepare_cached(&sql)?
            .execute(params_from_iter(row))
            .map(drop)
    }
}
