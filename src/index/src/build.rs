//! An index that is derived again: it is made beside the one in use, compared with what went in, and takes its place
//! in one step.

use parking_lot::Mutex;
use std::collections::BTreeMap;

use super::Index;
use super::leftovers::PAGES_PER_STEP;
use super::state::State;
use super::sums::{RowsSum, SumKey};
use trailkeep_ports::{MergeStep, NewRuns, RunId, StoreError};
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

/// Of a ledger of which nothing was given.
const NOTHING: (RowsSum, Seq) = (RowsSum::NONE, Seq::new(0));

/// An index on its way to its place. Dropped before it is there, it leaves nothing.
pub struct NewIndex {
    // Lets go of the runs before they go or take their place: it stands first.
    index: Index,
    runs: Box<dyn NewRuns>,
    sum_key: SumKey,
    /// What went in, and up to where, of each ledger.
    given: Mutex<BTreeMap<LedgerNumber, (RowsSum, Seq)>>,
}

impl NewIndex {
    /// Begins an index over new runs; those that are there stay in use. What goes in is summed up under the key.
    pub fn begin(runs: Box<dyn NewRuns>, sum_key: SumKey) -> Self {
        Self {
            index: Index::over(runs.store()),
            runs,
            sum_key,
            given: Mutex::default(),
        }
    }

    /// The same, with runs of another size.
    #[must_use]
    pub fn with_runs_of(self, events: usize) -> Self {
        Self {
            index: self.index.with_runs_of(events),
            ..self
        }
    }

    /// Adds events of a ledger, in order. Full runs are written and merged on the way; whether one was.
    pub fn add(
        &self,
        ledger: LedgerNumber,
        events: Vec<(Seq, Vec<LookupKey>)>,
    ) -> Result<bool, StoreError> {
        {
            let mut given = self.given.lock();
            let (sum, _) = given.entry(ledger).or_insert(NOTHING);
            for (seq, keys) in &events {
                let mut keys = keys.clone();
                keys.sort_unstable();
                keys.dedup();
                keys.iter()
                    .for_each(|key| sum.add(&self.sum_key, *key, *seq));
            }
        }
        self.index.add(ledger, events.into_iter());
        let mut wrote = false;
        loop {
            match self.index.merge()? {
                MergeStep::Idle => return Ok(wrote),
                MergeStep::Wrote(..) | MergeStep::Merging | MergeStep::Merged => wrote = true,
                MergeStep::Dropped => {}
            }
        }
    }

    /// Writes what is left of a ledger, so that its runs hold all below `end`.
    pub fn end_ledger(&self, ledger: LedgerNumber, end: Seq) -> Result<(), StoreError> {
        self.given.lock().entry(ledger).or_insert(NOTHING).1 = end;
        if self.index.merged_end(ledger) < end {
            let last = Seq::new(end.get() - 1);
            self.index.write_all_active(ledger, last)?;
        }
        Ok(())
    }

    /// Compares the file with what went in. What it holds then is on disk.
    pub fn check(self) -> Result<CheckedIndex, StoreError> {
        let runs = self.index.read_runs()?;
        for (ledger, (expected, end)) in self.given.lock().iter() {
            let mut found = RowsSum::default();
            let state = State::of_runs(runs.clone());
            for run in state.runs_of(*ledger) {
                self.index.each_row(run.id, |key, seq| {
                    if run.finds(key, seq) {
                        found.add(&self.sum_key, key, seq);
                    }
                })?;
            }
            let is_covered = state.merged_end(*ledger) == *end && state.gaps(*ledger).is_empty();
            if found != *expected || !is_covered {
                return Err(self.index.store.damaged("was not written as computed"));
            }
        }
        self.index.drop_leftovers(None)?;
        let store = &self.index.store;
        while store.release_pages(PAGES_PER_STEP)? {}
        if !store.purge()? {
            return Err(store.damaged("is read by another program while it is created"));
        }
        Ok(CheckedIndex(self.runs))
    }
}

/// A whole index beside its place.
pub struct CheckedIndex(Box<dyn NewRuns>);

impl CheckedIndex {
    /// Takes the place of the old index, in one step.
    pub fn take_place(self) -> Result<(), StoreError> {
        self.0.take_place()
    }
}

impl Index {
    fn each_row(&self, id: RunId, mut each: impl FnMut(LookupKey, Seq)) -> Result<(), StoreError> {
        self.each_block(id, None, |block| {
            let rows = self.unpack(&block)?;
            rows.iter().for_each(|(key, seq)| each(*key, *seq));
            Ok(true)
        })
    }
}
