//! The active index run: the rows of the newest events, before they are merged into `index.db`.

use std::ops::Range;

use rusqlite::params;

use super::Ledgers;
use crate::ids::{LedgerNumber, LookupKey, Seq};
use crate::store::{StoreError, row_number};

impl Ledgers {
    /// The active index run of a ledger, from a seq on: each event's look-up keys.
    pub fn active_index(
        &self,
        ledger: LedgerNumber,
        range: Range<u64>,
    ) -> Result<Vec<(Seq, Vec<LookupKey>)>, StoreError> {
        let rows = self.rows(
            "SELECT row, keys FROM active_index WHERE row >= ?1 AND row < ?2 ORDER BY row",
            ledger,
            range,
        )?;
        rows.into_iter()
            .map(|(seq, bytes)| {
                let (keys, rest) = bytes.as_chunks::<16>();
                if rest.is_empty() {
                    Ok((seq, keys.iter().map(|key| LookupKey::new(*key)).collect()))
                } else {
                    Err(self.damaged("holds an index row of a wrong length"))
                }
            })
            .collect()
    }

    /// Deletes up to `limit` rows of the active run below `end`: they stand in a merged run now.
    pub fn drop_active(
        &self,
        ledger: LedgerNumber,
        end: Seq,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.database.write(|tx| {
            drop_active(tx, ledger, end, limit).map_err(|error| self.database.error(error))
        })
    }

    /// Puts back index rows that were derived again from the payloads.
    pub fn put_active(
        &self,
        ledger: LedgerNumber,
        rows: &[(Seq, Vec<LookupKey>)],
    ) -> Result<(), StoreError> {
        self.database.write(|tx| {
            let put = || -> rusqlite::Result<()> {
                let mut statement = tx.prepare_cached(
                    "INSERT OR REPLACE INTO active_index (row, keys) VALUES (?1, ?2)",
                )?;
                for (seq, keys) in rows {
                    statement.execute(params![row_number(ledger, *seq), concatenate(keys)])?;
                }
                Ok(())
            };
            put().map_err(|error| self.database.error(error))
        })
    }
}

pub(super) fn drop_active(
    tx: &rusqlite::Connection,
    ledger: LedgerNumber,
    end: Seq,
    limit: usize,
) -> rusqlite::Result<usize> {
    tx.prepare_cached(
        "DELETE FROM active_index WHERE row IN
         (SELECT row FROM active_index WHERE row >= ?1 AND row < ?2 ORDER BY row LIMIT ?3)",
    )?
    .execute(params![
        row_number(ledger, Seq::new(0)),
        row_number(ledger, end),
        limit
    ])
}

pub(super) fn concatenate(keys: &[LookupKey]) -> Vec<u8> {
    keys.iter().flat_map(|key| *key.as_bytes()).collect()
}
