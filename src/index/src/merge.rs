//! Writing runs: the active run into a table, runs of one level into one of the next.

use std::collections::HashSet;
use std::sync::Arc;

use super::filter::KeyFilter;
use super::remove::{ROWS_PER_SCAN, wait_for_readers};
use super::{ACTIVE_SPAN_FACTOR, Index, Run};
use trailkeep_ports::{MergeStep, RunId, RunRow, StoreError};
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

/// Runs of one level that are merged into one of the next.
const FAN_IN: usize = 16;
/// Rows written in one transaction: a few milliseconds.
const ROWS_PER_STEP: usize = 20_000;
/// Rows that may be deleted beside a merge, which remembers them.
const DELETED_MEANWHILE_MAX: usize = 4_000_000;

/// What is deleted while the background works on runs.
#[derive(Debug, Default)]
pub(super) struct Meanwhile {
    /// Rows that are deleted beside a merge: the merged run may have copied them before.
    beside_a_merge: Option<Vec<(LookupKey, Seq)>>,
    /// How often rows were deleted.
    pub(super) deletions: u64,
}

impl Meanwhile {
    /// Notes rows that are deleted from a run.
    pub(super) fn note(&mut self, rows: &[(LookupKey, Seq)]) {
        self.deletions += 1;
        if let Some(deleted) = &mut self.beside_a_merge {
            deleted.extend(rows);
        }
    }

    fn is_too_much(&self) -> bool {
        self.beside_a_merge
            .as_ref()
            .is_some_and(|rows| rows.len() > DELETED_MEANWHILE_MAX)
    }
}

impl Index {
    /// Does one piece of the background work that is due. One thread calls this.
    pub fn merge(&self) -> Result<MergeStep, StoreError> {
        if let Some(ledger) = self.full_active_run() {
            let _no_row_goes = self.reshaping.lock();
            let end = self.write_active_run(ledger, None)?;
            return Ok(MergeStep::Wrote(ledger, end));
        }
        match self.mergeable_runs() {
            Some(runs) => {
                self.reshaping.lock().beside_a_merge = Some(Vec::new());
                let merged = self.merge_runs(&runs);
                self.reshaping.lock().beside_a_merge = None;
                merged
            }
            None if self.are_filters_due() => self.renew_filters().map(|()| MergeStep::Idle),
            None => Ok(MergeStep::Idle),
        }
    }

    /// Whether [`Self::merge`] has something to do.
    pub fn is_merge_due(&self) -> bool {
        self.full_active_run().is_some() || self.mergeable_runs().is_some()
    }

    fn full_active_run(&self) -> Option<LedgerNumber> {
        let state = self.state_ref();
        let max = self.full_at;
        let is_full = |ledger: LedgerNumber, active: &super::Active| {
            let last = active.last.map_or(0, Seq::get);
            let span = last.saturating_sub(state.merged_end(ledger).get());
            active.events >= max || span >= max as u64 * ACTIVE_SPAN_FACTOR
        };
        state
            .active
            .iter()
            .find(|(ledger, active)| is_full(**ledger, active))
            .map(|(ledger, _)| *ledger)
    }

    /// The oldest runs of one ledger and level, when they are enough for a merge.
    fn mergeable_runs(&self) -> Option<Vec<Arc<Run>>> {
        let state = self.state_ref();
        state.runs.iter().find_map(|run| {
            let alike = state
                .runs
                .iter()
                .filter(|other| other.ledger == run.ledger && other.level == run.level);
            let alike: Vec<Arc<Run>> = alike.take(FAN_IN).cloned().collect();
            (alike.len() == FAN_IN).then_some(alike)
        })
    }

    /// Writes the active run as a merged one, which ends with its newest event, or with `last`.
    pub(super) fn write_active_run(
        &self,
        ledger: LedgerNumber,
        last: Option<Seq>,
    ) -> Result<Seq, StoreError> {
        let (newest, mut rows): (_, Vec<(LookupKey, Seq)>) = {
            let state = self.state_ref();
            let newest = state.active.get(&ledger).and_then(|active| active.last);
            let keys = state
                .active
                .get(&ledger)
                .into_iter()
                .flat_map(|active| &active.seqs);
            let rows = keys.flat_map(|(key, seqs)| seqs.iter().map(|seq| (*key, *seq)));
            (newest, rows.collect())
        };
        rows.sort_unstable();
        let first = self.merged_end(ledger);
        let last = last.or(newest).unwrap_or(first).max(first);
        let id = self.store.begin()?;
        for chunk in rows.chunks(ROWS_PER_STEP) {
            self.store.append(id, chunk)?;
        }
        let run = Run {
            id,
            ledger,
            level: 0,
            first,
            last,
            filter: self.build_filter(id)?,
        };
        self.store.finish(&run.row(false), &[])?;

        // From here the run answers for these events; before, the active run did. Both under one lock.
        let mut state = self.state_mut();
        let end = run.last.next();
        state.runs.push(Arc::new(run));
        if let Some(active) = state.active.get_mut(&ledger) {
            active.forget_below(end);
            active.events = active.seqs.values().flatten().collect::<HashSet<_>>().len();
        }
        Ok(end)
    }

    /// Merges runs while others delete rows of them: the long part holds nothing.
    fn merge_runs(&self, runs: &[Arc<Run>]) -> Result<MergeStep, StoreError> {
        let (oldest, newest) = (&runs[0], &runs[runs.len() - 1]);
        let id = self.store.begin()?;
        let mut after: Option<(LookupKey, Seq)> = None;
        loop {
            let (rows, more) = self.next_rows(runs, after)?;
            self.store.append(id, &rows)?;
            if !more {
                break;
            }
            after = rows.last().copied();
            // So much goes that the merge is better begun again behind it.
            if self.reshaping.lock().is_too_much() {
                self.store.drop_leftovers()?;
                return Ok(MergeStep::Idle);
            }
        }
        let merged = Run {
            id,
            ledger: oldest.ledger,
            level: oldest.level + 1,
            first: oldest.first,
            last: newest.last,
            filter: self.build_filter(id)?,
        };
        let mut meanwhile = self.reshaping.lock();
        let deleted = meanwhile.beside_a_merge.take().unwrap_or_default();
        for rows in deleted.chunks(ROWS_PER_STEP) {
            self.store.delete(id, rows)?;
        }
        let replaced: Vec<RunId> = runs.iter().map(|run| run.id).collect();
        self.store
            .finish(&merged.row(!deleted.is_empty()), &replaced)?;
        {
            let mut state = self.state_mut();
            state
                .runs
                .retain(|run| !runs.iter().any(|old| old.id == run.id));
            state.runs.push(Arc::new(merged));
            state.runs.sort_by_key(|run| (run.ledger, run.first));
        }
        drop(meanwhile);
        wait_for_readers(runs);
        self.store.drop_leftovers()?;
        Ok(MergeStep::Merged)
    }

    /// The next rows of several runs in order, and whether more follow. Each run is asked for its next
    /// few; what lies beyond the smallest last row of a run that has more is left for the next step.
    fn next_rows(
        &self,
        runs: &[Arc<Run>],
        after: Option<(LookupKey, Seq)>,
    ) -> Result<(Vec<(LookupKey, Seq)>, bool), StoreError> {
        let limit = ROWS_PER_STEP / runs.len();
        let mut rows = Vec::with_capacity(ROWS_PER_STEP);
        let mut bound: Option<(LookupKey, Seq)> = None;
        for run in runs {
            let some = self.store.rows_after(run.id, after, limit)?;
            if some.len() == limit {
                let last = some.last().copied();
                bound = if bound.is_none() || last < bound {
                    last
                } else {
                    bound
                };
            }
            rows.extend(some);
        }
        rows.sort_unstable();
        if let Some(bound) = bound {
            rows.retain(|row| *row <= bound);
        }
        Ok((rows, bound.is_some()))
    }

    /// The filter of a run's keys, read a few at a time.
    pub(super) fn build_filter(&self, id: RunId) -> Result<KeyFilter, StoreError> {
        let mut keys = 0;
        self.each_key(id, |_| keys += 1)?;
        let mut filter = KeyFilter::for_keys(keys);
        self.each_key(id, |key| filter.insert(key))?;
        Ok(filter)
    }

    fn each_key(&self, id: RunId, mut each: impl FnMut(LookupKey)) -> Result<(), StoreError> {
        let mut after: Option<(LookupKey, Seq)> = None;
        loop {
            let rows = self.store.rows_after(id, after, ROWS_PER_SCAN)?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            let mut known = after.map(|(key, _)| key);
            for (key, _) in &rows {
                if known != Some(*key) {
                    each(*key);
                }
                known = Some(*key);
            }
            after = Some(*last);
        }
    }
}

impl Run {
    fn row(&self, filter_is_stale: bool) -> RunRow {
        RunRow {
            id: self.id,
            ledger: self.ledger,
            level: self.level,
            first: self.first,
            last: self.last,
            filter: self.filter.as_bytes().to_vec(),
            filter_is_stale,
        }
    }
}
