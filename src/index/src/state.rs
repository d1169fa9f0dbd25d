//! What the index holds in memory: which runs there are, and the active runs.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::active::{Active, Part};
use super::{OPEN_PARTS, Run};
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

/// Of all ledgers.
#[derive(Default)]
pub(super) struct State {
    ledgers: HashMap<LedgerNumber, OfLedger>,
    /// Events that were added since the open parts were counted.
    uncounted: usize,
}

/// Of one.
#[derive(Default)]
struct OfLedger {
    active: Active,
    /// Oldest first.
    runs: Vec<Arc<Run>>,
}

impl State {
    /// With runs, and nothing active.
    pub(super) fn of_runs(runs: Vec<Arc<Run>>) -> Self {
        let mut state = Self::default();
        runs.into_iter().for_each(|run| state.add_run(run));
        state
    }

    /// Adds committed events to the active run of a ledger.
    pub(super) fn add(
        &mut self,
        ledger: LedgerNumber,
        events: impl Iterator<Item = (Seq, Vec<LookupKey>)>,
        full_at: usize,
    ) {
        let merged_end = self.merged_end(ledger);
        let active = &mut self.ledgers.entry(ledger).or_default().active;
        for (seq, keys) in events {
            active.add(seq, &keys, (merged_end, full_at));
            self.uncounted += 1;
        }
        // Many ledgers of few events each would hold much together: what is open is counted now and then.
        if self.uncounted >= full_at / 16 {
            self.uncounted = 0;
            self.bound_open_parts(full_at * OPEN_PARTS);
        }
    }

    /// Closes the largest open parts, until those that are left have so many events together.
    fn bound_open_parts(&mut self, events_max: usize) {
        let mut active: Vec<&mut Active> = self
            .ledgers
            .values_mut()
            .map(|of_ledger| &mut of_ledger.active)
            .collect();
        let mut events: usize = active.iter().map(|active| active.open_events()).sum();
        if events <= events_max {
            return;
        }
        active.sort_by_key(|active| std::cmp::Reverse(active.open_events()));
        for active in active {
            if events <= events_max / 2 {
                break;
            }
            events -= active.open_events();
            active.close();
        }
    }

    pub(super) fn active(&self, ledger: LedgerNumber) -> Option<&Active> {
        Some(&self.ledgers.get(&ledger)?.active)
    }

    pub(super) fn active_mut(&mut self, ledger: LedgerNumber) -> &mut Active {
        &mut self.ledgers.entry(ledger).or_default().active
    }

    /// A ledger whose active run has a full part.
    pub(super) fn ledger_with_full_part(&self) -> Option<LedgerNumber> {
        let mut ledgers = self.ledgers.iter();
        let full = ledgers.find(|(_, of)| of.active.oldest_full().is_some());
        full.map(|(ledger, _)| *ledger)
    }

    /// The oldest full part of the active run of a ledger.
    pub(super) fn oldest_full(&self, ledger: LedgerNumber) -> Option<Arc<Part>> {
        self.active(ledger)?.oldest_full().cloned()
    }

    /// The runs of a ledger, oldest first.
    pub(super) fn runs_of(&self, ledger: LedgerNumber) -> &[Arc<Run>] {
        let of_ledger = self.ledgers.get(&ledger);
        of_ledger.map_or(&[], |of_ledger| &of_ledger.runs)
    }

    /// The runs of each ledger, oldest first.
    pub(super) fn runs(&self) -> impl Iterator<Item = &[Arc<Run>]> {
        self.ledgers.values().map(|of_ledger| &*of_ledger.runs)
    }

    pub(super) fn add_run(&mut self, run: Arc<Run>) {
        let runs = &mut self.ledgers.entry(run.ledger).or_default().runs;
        let place = runs.partition_point(|known| known.first < run.first);
        runs.insert(place, run);
    }

    /// Changes the runs of a ledger.
    pub(super) fn change_runs(
        &mut self,
        ledger: LedgerNumber,
        change: impl Fn(&Arc<Run>) -> Option<Arc<Run>>,
    ) {
        if let Some(of_ledger) = self.ledgers.get_mut(&ledger) {
            of_ledger.runs = of_ledger.runs.iter().filter_map(change).collect();
        }
    }

    pub(super) fn merged_end(&self, ledger: LedgerNumber) -> Seq {
        let newest = self.runs_of(ledger).last();
        newest.map_or(Seq::new(0), |run| run.last.next())
    }

    /// What lies below the last run of a ledger and in no run.
    pub(super) fn gaps(&self, ledger: LedgerNumber) -> Vec<Range<Seq>> {
        let mut end = Seq::new(0);
        let mut gaps = Vec::new();
        for run in self.runs_of(ledger) {
            if run.first > end {
                gaps.push(end..run.first);
            }
            end = run.last.next();
        }
        gaps
    }
}
