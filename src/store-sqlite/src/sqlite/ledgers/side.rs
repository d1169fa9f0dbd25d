//! Tables beside the entries, read by whoever checks them.

use rusqlite::params;

use super::SqliteLedgers;
use crate::{row_number, row_place, row_seq};
use trailkeep_ports::{Extent, GapName, GapRow, PersonRead, SideTables, StoreError};
use trailkeep_proof::ids::{LedgerNumber, PersonReference, Seq};

impl SideTables for SqliteLedgers {
    fn gaps(&self, ledger: LedgerNumber) -> Result<Vec<GapRow>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT policy, what, events, first_seq, last_seq FROM gap WHERE ledger = ?1 ORDER BY policy, what",
            )?
            .query_map([ledger.get()], |row| {
                let (policy, what) = (row.get(0)?, row.get(1)?);
                Ok(GapRow {
                    name: GapName { policy, what },
                    events: row.get(2)?,
                    first: Seq::new(row.get(3)?),
                    last: Seq::new(row.get(4)?),
                })
            })?
            .collect()
        })
    }

    fn reads_of_person(
        &self,
        reference: PersonReference,
    ) -> Result<Vec<(LedgerNumber, Seq)>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached("SELECT row FROM person_read WHERE reference = ?1 ORDER BY row")?
                .query_map([&reference.as_bytes()[..]], |row| {
                    Ok(row_place(row.get(0)?))
                })?
                .collect()
        })
    }

    fn person_reads(
        &self,
        after: Option<PersonRead>,
        limit: u32,
    ) -> Result<Vec<PersonRead>, StoreError> {
        let (person, row) = after.map_or((Vec::new(), i64::MIN), |after| {
            let row = row_number(after.ledger, after.seq);
            (after.person.as_bytes().to_vec(), row)
        });
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT reference, row FROM person_read WHERE (reference, row) > (?1, ?2) ORDER BY reference, row LIMIT ?3",
            )?
            .query_map(params![person, row, limit], |found| {
                let row: i64 = found.get(1)?;
                Ok(PersonRead {
                    person: PersonReference::new(found.get(0)?),
                    ledger: LedgerNumber::new(u32::try_from(row >> 40).unwrap_or_default()),
                    seq: row_seq(row),
                })
            })?
            .collect()
        })
    }

    fn rows_beyond(&self, sizes: &[Extent]) -> Result<Vec<(&'static str, i64)>, StoreError> {
        let mut beyond = Vec::new();
        for table in [
            "entry",
            "payload",
            "value_reference",
            "value",
            "value_use",
            "active_index",
            "person_read",
            "statement",
            "covered",
            "overdue",
            "restricted",
        ] {
            let mut from = i64::MIN;
            let edges = sizes.iter().map(|extent| {
                let end = match table {
                    "statement" => extent.names,
                    // Their numbers are no seqs.
                    "value" | "value_use" => Seq::MAX.get(),
                    _ => extent.entries,
                };
                [0, end].map(|seq| row_number(extent.ledger, Seq::new(seq)))
            });
            for [first, end] in edges.chain([[i64::MAX; 2]]) {
                let rows: Vec<i64> = self.database.read(|tx| {
                    tx.prepare_cached(&format!(
                        "SELECT row FROM {table} WHERE row >= ?1 AND row < ?2 LIMIT 20"
                    ))?
                    .query_map([from, first], |row| row.get(0))?
                    .collect()
                })?;
                beyond.extend(rows.into_iter().map(|row| (table, row)));
                from = end;
            }
        }
        Ok(beyond)
    }

    fn tables_of_no_ledger(&self) -> Result<Vec<String>, StoreError> {
        self.database.read(|tx| {
            let tables: Vec<String> = tx
                .prepare_cached(
                    "SELECT t.name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
                     WHERE t.type = 'table' AND c.name = 'ledger' ORDER BY t.name",
                )?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let mut stray = Vec::new();
            for table in tables {
                let sql = format!(
                    "SELECT 1 FROM {table} WHERE ledger NOT IN (SELECT number FROM ledger) LIMIT 1"
                );
                if tx.prepare_cached(&sql)?.exists([])? {
                    stray.push(table);
                }
            }
            Ok(stray)
        })
    }
}
