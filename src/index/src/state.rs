//! What the index holds in memory: which runs there are, and the active run.

use std::ops::Range;
use std::sync::Arc;

use super::active::Part;
use super::{Run, State};
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

impl State {
    /// Adds committed events to the active run of a ledger.
    pub(super) fn add(
        &mut self,
        ledger: LedgerNumber,
        events: impl Iterator<Item = (Seq, Vec<LookupKey>)>,
        full_at: usize,
    ) {
        let merged_end = self.merged_end(ledger);
        let active = self.active.entry(ledger).or_default();
        for (seq, keys) in events {
            active.add(seq, &keys, (merged_end, full_at));
        }
    }

    /// The oldest full part of the active run of a ledger.
    pub(super) fn oldest_full(&self, ledger: LedgerNumber) -> Option<Arc<Part>> {
        self.active.get(&ledger)?.oldest_full().cloned()
    }

    pub(super) fn runs_of(&self, ledger: LedgerNumber) -> Vec<Arc<Run>> {
        self.runs
            .iter()
            .filter(|run| run.ledger == ledger)
            .cloned()
            .collect()
    }

    pub(super) fn merged_end(&self, ledger: LedgerNumber) -> Seq {
        let ends = self
            .runs
            .iter()
            .filter(|run| run.ledger == ledger)
            .map(|run| run.last.next());
        ends.max().unwrap_or(Seq::new(0))
    }

    /// What lies below the last run of a ledger and in no run.
    pub(super) fn gaps(&self, ledger: LedgerNumber) -> Vec<Range<Seq>> {
        let mut end = Seq::new(0);
        let mut gaps = Vec::new();
        for run in self.runs.iter().filter(|run| run.ledger == ledger) {
            if run.first > end {
                gaps.push(end..run.first);
            }
            end = run.last.next();
        }
        gaps
    }
}
