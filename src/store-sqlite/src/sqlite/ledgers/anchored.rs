//! Heads that were given to somebody outside, and the cosignatures that came back.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteLedgers;
use trailkeep_ports::{AnchoredHead, AnchoredHeads, AnchoringRow, StoreError};
use trailkeep_proof::ids::LedgerNumber;
use trailkeep_proof::time::UnixMillis;

const ANCHORING: &str = "SELECT size, target, kind, at_ms FROM anchoring WHERE ledger = ?1";

impl SqliteLedgers {
    fn one_anchored(
        &self,
        which: &str,
        ledger: LedgerNumber,
        size: u64,
    ) -> Result<Option<AnchoredHead>, StoreError> {
        let sql = format!("SELECT size, note FROM anchored WHERE ledger = ?1 {which}");
        self.database.read(|tx| {
            tx.prepare_cached(&sql)?
                .query_row(params![ledger.get(), size], anchored)
                .optional()
        })
    }
}

impl AnchoredHeads for SqliteLedgers {
    fn keep_anchored(
        &self,
        ledger: LedgerNumber,
        anchoring: &AnchoringRow,
        is_cosigned: bool,
        merge: &dyn Fn(Option<String>) -> String,
    ) -> Result<(), StoreError> {
        let (number, size) = (ledger.get(), anchoring.size);
        self.database.write(|tx| {
            let keep = || -> rusqlite::Result<()> {
                let known = tx
                    .prepare_cached("SELECT note FROM anchored WHERE ledger = ?1 AND size = ?2")?
                    .query_row(params![number, size], |row| row.get(0))
                    .optional()?;
                tx.prepare_cached(
                    "INSERT INTO anchored (ledger, size, cosigned, note) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (ledger, size)
                     DO UPDATE SET note = excluded.note, cosigned = max(cosigned, excluded.cosigned)",
                )?
                .execute(params![number, size, is_cosigned, merge(known)])?;
                tx.prepare_cached(
                    "INSERT INTO anchoring (ledger, size, target, kind, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (ledger, target, size) DO UPDATE SET at_ms = excluded.at_ms",
                )?
                .execute(params![
                    number,
                    size,
                    anchoring.target,
                    anchoring.kind,
                    anchoring.at.get()
                ])?;
                Ok(())
            };
            keep().map_err(|error| self.database.error(error))
        })
    }

    fn anchored_at(
        &self,
        ledger: LedgerNumber,
        size: u64,
    ) -> Result<Option<AnchoredHead>, StoreError> {
        self.one_anchored("AND size = ?2", ledger, size)
    }

    fn newest_anchored(
        &self,
        ledger: LedgerNumber,
        size: u64,
    ) -> Result<Option<AnchoredHead>, StoreError> {
        self.one_anchored("AND size > ?2 ORDER BY size DESC LIMIT 1", ledger, size)
    }

    fn newest_cosigned(
        &self,
        ledger: LedgerNumber,
        size: u64,
    ) -> Result<Option<AnchoredHead>, StoreError> {
        self.one_anchored(
            "AND size > ?2 AND cosigned = 1 ORDER BY size DESC LIMIT 1",
            ledger,
            size,
        )
    }

    fn anchored_after(
        &self,
        ledger: LedgerNumber,
        after: u64,
        limit: u32,
    ) -> Result<Vec<AnchoredHead>, StoreError> {
        self.database.read(|tx| {
            if is_before_schema_3(tx)? {
                return Ok(Vec::new());
            }
            tx.prepare_cached(
                "SELECT size, note FROM anchored WHERE ledger = ?1 AND size > ?2 ORDER BY size LIMIT ?3",
            )?
            .query_map(params![ledger.get(), after, limit], anchored)?
            .collect()
        })
    }

    fn last_anchorings(&self, ledger: LedgerNumber) -> Result<Vec<AnchoringRow>, StoreError> {
        let newest = "AND size = (SELECT max(size) FROM anchoring AS other
             WHERE other.ledger = anchoring.ledger AND other.target = anchoring.target) ORDER BY target";
        self.database.read(|tx| {
            if is_before_schema_3(tx)? {
                return Ok(Vec::new());
            }
            tx.prepare_cached(&format!("{ANCHORING} {newest}"))?
                .query_map([ledger.get()], anchoring)?
                .collect()
        })
    }

    fn anchorings(
        &self,
        ledger: LedgerNumber,
        up_to: u64,
        limit: u32,
    ) -> Result<Vec<AnchoringRow>, StoreError> {
        self.database.read(|tx| {
            tx.prepare_cached(&format!(
                "{ANCHORING} AND size <= ?2 ORDER BY size DESC, target LIMIT ?3"
            ))?
            .query_map(params![ledger.get(), up_to, limit], anchoring)?
            .collect()
        })
    }

    fn anchorings_of_no_head(
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
}

/// A copy that nobody writes to is not migrated.
pub(super) fn is_before_schema_3(tx: &Connection) -> rusqlite::Result<bool> {
    let mut tables = tx
        .prepare_cached("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'anchored'")?;
    Ok(!tables.exists([])?)
}

fn anchored(row: &Row<'_>) -> rusqlite::Result<AnchoredHead> {
    Ok(AnchoredHead {
        size: row.get(0)?,
        note: row.get(1)?,
    })
}

fn anchoring(row: &Row<'_>) -> rusqlite::Result<AnchoringRow> {
    Ok(AnchoringRow {
        size: row.get(0)?,
        target: row.get(1)?,
        kind: row.get(2)?,
        at: UnixMillis::new(row.get(3)?),
    })
}
