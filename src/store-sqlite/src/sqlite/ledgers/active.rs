//! The active index run: the rows of the newest events, before they are merged into `index.db`.

use std::ops::Range;

use rusqlite::params;

use super::SqliteLedgers;
use crate::{row_number, row_seq};
use trailkeep_ports::{ActiveRun, StoreError};
use trailkeep_proof::ids::{ClassNumber, LedgerNumber, LookupKey, Seq};

impl SqliteLedgers {
    fn find_events(
        &self,
        and: &str,
        ledger: LedgerNumber,
        class: ClassNumber,
        range: Range<Seq>,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        // By the index `entry_of_class`: no system entry is looked at.
        let sql = format!(
            "SELECT row FROM entry WHERE substr(bytes, 3, 2) = ?1 AND row >= ?2 AND row < ?3 {and}
             AND EXISTS (SELECT 1 FROM payload WHERE payload.row = entry.row) ORDER BY row LIMIT ?4"
        );
        let (first, end) = (
            row_number(ledger, range.start),
            row_number(ledger, range.end),
        );
        self.database.read(|tx| {
            tx.prepare_cached(&sql)?
                .query_map(
                    params![&class.get().to_be_bytes()[..], first, end, limit],
                    |row| row.get(0).map(row_seq),
                )?
                .collect()
        })
    }
}

impl ActiveRun for SqliteLedgers {
    fn active_index(
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
                    Err(self.damaged("has an index row of a wrong length"))
                }
            })
            .collect()
    }

    fn drop_active(
        &self,
        ledger: LedgerNumber,
        end: Seq,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.database.write(|tx| {
            drop_active(tx, ledger, end, limit).map_err(|error| self.database.error(error))
        })
    }

    fn without_active_row(
        &self,
        ledger: LedgerNumber,
        class: ClassNumber,
        range: Range<Seq>,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        self.find_events(
            "AND NOT EXISTS (SELECT 1 FROM active_index WHERE active_index.row = entry.row)",
            ledger,
            class,
            range,
            limit,
        )
    }

    fn with_payload(
        &self,
        ledger: LedgerNumber,
        class: ClassNumber,
        range: Range<Seq>,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        self.find_events("", ledger, class, range, limit)
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
