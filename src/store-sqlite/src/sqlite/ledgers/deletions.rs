//! The rows that go because of statements.

use std::ops::Range;

use rusqlite::{OptionalExtension, params};

use super::SqliteLedgers;
use super::values::drop_references;
use crate::{row_number, row_seq};
use trailkeep_ports::{DeletionCause, Deletions, RememberedIds, StoreError};
use trailkeep_proof::ids::{LedgerNumber, PersonReference, Seq, Tag, ValueNumber};
use trailkeep_proof::time::UnixMillis;

impl Deletions for SqliteLedgers {
    fn replace_payloads(
        &self,
        ledger: LedgerNumber,
        rows: &[(Seq, Vec<u8>)],
    ) -> Result<Vec<ValueNumber>, StoreError> {
        self.database.write(|tx| {
            let replace = || -> rusqlite::Result<Vec<ValueNumber>> {
                let mut gone = Vec::new();
                // One that went meanwhile does not come back.
                let mut replace =
                    tx.prepare_cached("UPDATE payload SET bytes = ?2 WHERE row = ?1")?;
                for (seq, payload) in rows {
                    let row = row_number(ledger, *seq);
                    if replace.execute(params![row, payload])? > 0 {
                        gone.extend(drop_references(tx, ledger, *seq)?);
                    }
                }
                Ok(gone)
            };
            replace().map_err(|error| self.database.error(error))
        })
    }

    fn seqs_with_payload(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<Seq>, StoreError> {
        let (first, end) = (
            row_number(ledger, Seq::new(range.start)),
            row_number(ledger, Seq::new(range.end)),
        );
        self.database.read(|tx| {
            tx.prepare_cached("SELECT row FROM payload WHERE row >= ?1 AND row < ?2 ORDER BY row")?
                .query_map([first, end], |row| Ok(row_seq(row.get(0)?)))?
                .collect()
        })
    }

    fn delete_payloads(
        &self,
        ledger: LedgerNumber,
        seqs: &[Seq],
    ) -> Result<Vec<ValueNumber>, StoreError> {
        self.database.write(|tx| {
            let delete = || -> rusqlite::Result<Vec<ValueNumber>> {
                let mut gone = Vec::new();
                let mut payload = tx.prepare_cached("DELETE FROM payload WHERE row = ?1")?;
                for seq in seqs {
                    payload.execute([row_number(ledger, *seq)])?;
                    gone.extend(drop_references(tx, ledger, *seq)?);
                }
                Ok(gone)
            };
            delete().map_err(|error| self.database.error(error))
        })
    }

    fn leave_active(
        &self,
        ledger: LedgerNumber,
        seqs: &[Seq],
        (tags, state): (&[Tag], DeletionCause),
        until: UnixMillis,
    ) -> Result<(), StoreError> {
        self.database.write(|tx| {
            let put = || -> rusqlite::Result<()> {
                let mut active = tx.prepare_cached("DELETE FROM active_index WHERE row = ?1")?;
                for seq in seqs {
                    active.execute([row_number(ledger, *seq)])?;
                }
                let mut put = tx.prepare_cached(
                    "INSERT OR REPLACE INTO gone_id (ledger, tag, state, until_ms) VALUES (?1, ?2, ?3, ?4)",
                )?;
                for tag in tags {
                    put.execute(params![ledger.get(), &tag.as_bytes()[..], state.as_str(), until.get()])?;
                }
                Ok(())
            };
            put().map_err(|error| self.database.error(error))
        })
    }

    fn deleted_ids(
        &self,
        ledger: LedgerNumber,
        tags: &[Tag],
        now: UnixMillis,
    ) -> Result<Vec<Option<DeletionCause>>, StoreError> {
        self.database.read(|tx| {
            let mut find = tx.prepare_cached(
                "SELECT state FROM gone_id WHERE ledger = ?1 AND tag = ?2 AND until_ms > ?3",
            )?;
            tags.iter()
                .map(|tag| {
                    find.query_row(
                        params![ledger.get(), &tag.as_bytes()[..], now.get()],
                        |row| row.get::<_, String>(0),
                    )
                    .optional()
                    .map(|state| DeletionCause::of_word(&state?))
                })
                .collect()
        })
    }

    fn forget_ids(&self, now: UnixMillis, limit: u32) -> Result<usize, StoreError> {
        self.database.write(|tx| {
            tx.execute(
                "DELETE FROM gone_id WHERE (ledger, tag) IN
                 (SELECT ledger, tag FROM gone_id WHERE until_ms <= ?1 LIMIT ?2)",
                params![now.get(), limit],
            )
            .map_err(|error| self.database.error(error))
        })
    }

    fn delete_reads_of_persons(&self, gone: &[PersonReference]) -> Result<(), StoreError> {
        if gone.is_empty() {
            return Ok(());
        }
        self.database.write(|tx| {
            let delete = || -> rusqlite::Result<()> {
                let mut delete =
                    tx.prepare_cached("DELETE FROM person_read WHERE reference = ?1")?;
                for reference in gone {
                    delete.execute([&reference.as_bytes()[..]])?;
                }
                Ok(())
            };
            delete().map_err(|error| self.database.error(error))
        })
    }

    fn remembered_ids(&self, ledger: LedgerNumber) -> Result<RememberedIds, StoreError> {
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

    fn remembered_beyond(
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

    fn remembered_until(
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
}
