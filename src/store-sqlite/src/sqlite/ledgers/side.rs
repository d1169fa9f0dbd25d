//! Tables beside the entries, read by whoever checks them.

use rusqlite::{OptionalExtension, params};

use super::Ledgers;
use super::anchored::is_before_schema_3;
use crate::{row_number, row_seq};
use trailkeep_ports::{PersonRead, RememberedIds, StoreError};
use trailkeep_proof::ids::{LedgerNumber, PersonReference, Tag};
use trailkeep_proof::time::UnixMillis;

impl Ledgers {
    /// Rows of reads that showed persons, behind a row, at most `limit`.
    pub fn person_reads(
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

    /// What is remembered of the ids of a ledger's events that went.
    pub fn remembered_ids(&self, ledger: LedgerNumber) -> Result<RememberedIds, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT count(*), count(*) FILTER (WHERE state = 'expired'), count(*) FILTER (WHERE state = 'erased'),
                 coalesce(max(until_ms), 0) FROM gone_id WHERE ledger = ?1",
            )?
            .query_row([ledger.get()], |row| {
                Ok(RememberedIds {
                    rows: row.get(0)?,
                    expired: row.get(1)?,
                    erased: row.get(2)?,
                    until_ms: row.get::<_, i64>(3)?.cast_unsigned(),
                })
            })
        })
    }

    /// How many ids of a ledger's events that went in a way are remembered beyond a time.
    pub fn remembered_beyond(
        &self,
        ledger: LedgerNumber,
        state: &str,
        moment: UnixMillis,
    ) -> Result<u64, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(
                "SELECT count(*) FROM gone_id WHERE ledger = ?1 AND state = ?2 AND until_ms > ?3",
            )?
            .query_row(params![ledger.get(), state, moment.get()], |row| row.get(0))
        })
    }

    /// Until when an id is remembered as that of an event that went.
    pub fn remembered_until(
        &self,
        ledger: LedgerNumber,
        tag: Tag,
    ) -> Result<Option<UnixMillis>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached("SELECT until_ms FROM gone_id WHERE ledger = ?1 AND tag = ?2")?
                .query_row(params![ledger.get(), &tag.as_bytes()[..]], |row| {
                    Ok(UnixMillis::new(row.get::<_, i64>(0)?.cast_unsigned()))
                })
                .optional()
        })
    }

    /// Heads that are said to have been given to somebody, by size and target, and that are not kept.
    pub fn anchorings_of_no_head(
        &self,
        ledger: LedgerNumber,
    ) -> Result<Vec<(u64, String)>, StoreError> {
        self.database.read(|tx| {
            if is_before_schema_3(tx)? {
                return Ok(Vec::new());
            }
            tx.prepare_cached(
                "SELECT size, target FROM anchoring WHERE ledger = ?1 AND size NOT IN
                 (SELECT size FROM anchored WHERE ledger = ?1) LIMIT 20",
            )?
            .query_map([ledger.get()], |row| {
                Ok((row.get::<_, i64>(0)?.cast_unsigned(), row.get(1)?))
            })?
            .collect()
        })
    }

    /// Tables in which a row names a ledger that is not there.
    pub fn tables_of_no_ledger(&self) -> Result<Vec<String>, StoreError> {
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
