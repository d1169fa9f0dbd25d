//! An index that lacks events answers that they are not there: it is refused.
//!
//! What is below the end of a ledger's runs stands in a run; what is behind, in a row of the active run in ledger.db. So
//! the entries themselves say what must be there, and no mark can be older than they are.

use crate::journal::append::LedgerState;
use crate::journal::derive_rows::{Derived, derive};
use crate::ops::open::{Files, OpenError};
use crate::tenant::ledger::LedgerKeys;
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::entry::Entry;

/// Events of one look. There are none, but for those that are going and those without a key.
const EVENTS_PER_READ: usize = 1_000;

/// Refuses an index that lacks an event of the ledger.
pub(super) fn check_index(files: &Files, state: &LedgerState) -> Result<(), OpenError> {
    let record = &state.ledger.record;
    let (index, ledgers) = (&files.index, &files.ledgers);
    let end = Seq::new(state.edge.size());
    let merged_end = index.merged_end(record.number);
    let mut spans: Vec<_> = index
        .gaps(record.number)
        .into_iter()
        .map(|gap| (gap, false))
        .collect();
    if merged_end < end {
        spans.push((merged_end..end, true));
    }
    // Nearly always nothing is found.
    let mut keys: Option<LedgerKeys> = None;
    for (span, is_active) in spans {
        for class in ledgers.classes(record.number)? {
            let mut from = span.start;
            loop {
                let range = from..span.end;
                let found = if is_active {
                    ledgers.without_active_row(record.number, class.number, range, EVENTS_PER_READ)
                } else {
                    ledgers.with_payload(record.number, class.number, range, EVENTS_PER_READ)
                }?;
                for seq in &found {
                    let keys = match &mut keys {
                        Some(keys) => keys,
                        none => none.insert(files.load_keys(record)?),
                    };
                    if is_looked_up(files, state, keys, *seq)? {
                        return Err(index.incomplete(record.origin.as_str(), *seq).into());
                    }
                }
                match found.last() {
                    Some(last) if found.len() == EVENTS_PER_READ => from = last.next(),
                    _ => break,
                }
            }
        }
    }
    Ok(())
}

/// Whether an event has rows in a whole index: not while it is being destroyed, and not where its key is missing.
fn is_looked_up(
    files: &Files,
    state: &LedgerState,
    keys: &LedgerKeys,
    seq: Seq,
) -> Result<bool, StoreError> {
    let record = &state.ledger.record;
    let Some(row) = files.ledgers.event(record.number, seq)? else {
        return Ok(false);
    };
    let (Some(payload), Ok(entry)) = (row.payload, Entry::decode(&row.entry)) else {
        return Ok(false);
    };
    if state.ledger.tombstones.deletion(&entry, row.mark).is_some() {
        return Ok(false);
    }
    let derived = derive(
        (&files.ledgers, &files.keyring),
        record,
        keys,
        &entry,
        &payload,
    )?;
    Ok(matches!(derived, Derived::Keys(keys) if !keys.is_empty()))
}
