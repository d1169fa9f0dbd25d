//! Looking events up, without runs.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::{LookupStore, MergeStep, Order, Span, StoreError};
use parking_lot::Mutex;
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

/// Events by their keys, in one map.
#[derive(Default)]
pub struct MemoryLookups(Mutex<BTreeMap<(LedgerNumber, LookupKey), BTreeSet<Seq>>>);

impl LookupStore for MemoryLookups {
    fn add(&self, ledger: LedgerNumber, events: Vec<(Seq, Vec<LookupKey>)>) {
        let mut keys = self.0.lock();
        for (seq, of_event) in events {
            for key in of_event {
                keys.entry((ledger, key)).or_default().insert(seq);
            }
        }
    }

    fn find_in_order(
        &self,
        ledger: LedgerNumber,
        key: LookupKey,
        span: Span,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        let keys = self.0.lock();
        let seqs = keys.get(&(ledger, key)).into_iter().flatten().copied();
        let within = seqs.filter(|seq| *seq >= span.from && *seq < span.end);
        let mut found: Vec<Seq> = within.collect();
        if order == Order::Newest {
            found.reverse();
        }
        found.truncate(limit);
        Ok(found)
    }

    fn is_still_absent(&self, ledger: LedgerNumber, merged_end: Seq, key: LookupKey) -> bool {
        let keys = self.0.lock();
        let is_there = keys
            .get(&(ledger, key))
            .is_some_and(|seqs| !seqs.is_empty());
        merged_end == Seq::new(0) && !is_there
    }

    fn merged_end(&self, _ledger: LedgerNumber) -> Seq {
        Seq::new(0)
    }

    fn remove(
        &self,
        ledger: LedgerNumber,
        events: &[(Seq, Vec<LookupKey>)],
    ) -> Result<(), StoreError> {
        let mut keys = self.0.lock();
        for (seq, of_event) in events {
            for key in of_event {
                keys.entry((ledger, *key)).or_default().remove(seq);
            }
        }
        Ok(())
    }

    fn remove_by_scan(&self, ledger: LedgerNumber, gone: &HashSet<Seq>) -> Result<(), StoreError> {
        for ((of, _), seqs) in self.0.lock().iter_mut() {
            if *of == ledger {
                seqs.retain(|seq| !gone.contains(seq));
            }
        }
        Ok(())
    }

    fn count_rows(&self, ledger: LedgerNumber, end: Seq) -> Result<u64, StoreError> {
        let keys = self.0.lock();
        let rows = keys.iter().filter(|((of, _), _)| *of == ledger);
        let rows = rows.flat_map(|(_, seqs)| seqs);
        Ok(rows.filter(|seq| **seq < end).count() as u64)
    }

    fn merge(&self) -> Result<MergeStep, StoreError> {
        Ok(MergeStep::Idle)
    }
}
