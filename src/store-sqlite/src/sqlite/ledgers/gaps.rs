//! What policies found events to lack, counted as the events are written.

use std::collections::BTreeMap;

use rusqlite::params;

use super::Ledgers;
use trailkeep_ports::{GapName, GapRow, LedgerBatch, StoreError};
use trailkeep_proof::ids::{LedgerNumber, Seq};

/// Adds what the events of a batch lack to the counts.
pub(super) fn count(tx: &rusqlite::Connection, batch: &LedgerBatch) -> rusqlite::Result<()> {
    let mut counts: BTreeMap<&GapName, (u64, u64, u64)> = BTreeMap::new();
    for (row, seq) in batch.rows.iter().zip(batch.expected_size..) {
        for name in &row.gaps {
            let (events, _, last) = counts.entry(name).or_insert((0, seq, seq));
            *events += 1;
            *last = seq;
        }
    }
    if counts.is_empty() {
        return Ok(());
    }
    let mut add = tx.prepare_cached(
        "INSERT INTO gap (ledger, policy, what, events, first_seq, last_seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (ledger, policy, what) DO UPDATE SET events = events + excluded.events, last_seq = excluded.last_seq",
    )?;
    for (GapName { policy, what }, (events, first, last)) in counts {
        add.execute(params![
            batch.ledger.get(),
            policy,
            what,
            events,
            first,
            last
        ])?;
    }
    Ok(())
}

impl Ledgers {
    /// What events of a ledger lacked, by policy.
    pub fn gaps(&self, ledger: LedgerNumber) -> Result<Vec<GapRow>, StoreError> {
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
}
