//! What the index holds in memory: which runs there are, and the active run.

use std::ops::Range;
use std::sync::Arc;

use super::{Active, Run, State};
use trailkeep_ports::{Order, Span};
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

impl State {
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

impl Active {
    pub(super) fn add(&mut self, seq: Seq, keys: &[LookupKey]) {
        self.events += 1;
        self.last = self.last.max(Some(seq));
        for key in keys {
            let seqs = self.seqs.entry(*key).or_default();
            // One event may name a value twice (as requested and as answering model, say): one row.
            if seqs.last() != Some(&seq) {
                seqs.push(seq);
            }
        }
    }

    pub(super) fn find(&self, key: LookupKey, span: Span, order: Order, limit: usize) -> Vec<Seq> {
        let seqs = self.seqs.get(&key).map_or(&[][..], Vec::as_slice);
        let start = seqs.partition_point(|seq| *seq < span.from);
        let end = seqs.partition_point(|seq| *seq < span.end).max(start);
        let within = seqs[start..end].iter().copied();
        match order {
            Order::Oldest => within.take(limit).collect(),
            Order::Newest => within.rev().take(limit).collect(),
        }
    }

    /// Forgets the events below `end`.
    pub(super) fn forget_below(&mut self, end: Seq) {
        self.seqs.retain(|_, seqs| {
            seqs.drain(..seqs.partition_point(|seq| *seq < end));
            !seqs.is_empty()
        });
    }
}
