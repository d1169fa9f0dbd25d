//! The index as whoever compares engines sees it.

use std::collections::HashSet;

use super::Index;
use trailkeep_ports::{LookupStore, MergeStep, Order, Span, StoreError};
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

impl LookupStore for Index {
    fn add(&self, ledger: LedgerNumber, events: Vec<(Seq, Vec<LookupKey>)>) {
        self.add(ledger, events.into_iter());
    }

    fn find_in_order(
        &self,
        ledger: LedgerNumber,
        key: LookupKey,
        span: Span,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        self.find_in_order(ledger, key, span, order, limit)
    }

    fn is_still_absent(&self, ledger: LedgerNumber, merged_end: Seq, key: LookupKey) -> bool {
        self.is_still_absent(ledger, merged_end, key)
    }

    fn merged_end(&self, ledger: LedgerNumber) -> Seq {
        self.merged_end(ledger)
    }

    fn remove(
        &self,
        ledger: LedgerNumber,
        events: &[(Seq, Vec<LookupKey>)],
    ) -> Result<(), StoreError> {
        self.remove(ledger, events)
    }

    fn remove_by_scan(&self, ledger: LedgerNumber, seqs: &HashSet<Seq>) -> Result<(), StoreError> {
        self.remove_by_scan(ledger, seqs)
    }

    fn count_rows(&self, ledger: LedgerNumber, end: Seq) -> Result<u64, StoreError> {
        self.count_rows(ledger, end)
    }

    fn merge(&self) -> Result<MergeStep, StoreError> {
        self.merge()
    }
}
