//! What policies found events to lack, counted as the events are written.

use std::collections::BTreeMap;

use rusqlite::params;
use trailkeep_ports::{GapName, LedgerBatch};

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
