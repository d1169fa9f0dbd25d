//! Writing runs: the active run into a table, runs of one level into one of the next.

use std::sync::Arc;

use super::filter::KeyFilter;
use super::{Index, Run};
use trailkeep_ports::block::BlockWriter;
use trailkeep_ports::{IndexRow, MergeStep, RunId, RunRow, StoreError};
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

/// Runs of one level that are merged into one of the next.
const FAN_IN: usize = 16;
/// Rows that are merged at once, and blocks that are written in one transaction: a few milliseconds each.
const ROWS_PER_STEP: usize = 20_000;
const BLOCKS_PER_STEP: usize = 1_000;
/// Rows that may be deleted beside a merge, which remembers them.
const DELETED_MEANWHILE_MAX: usize = 4_000_000;

/// What is deleted while the background works on runs.
#[derive(Debug, Default)]
pub(super) struct Meanwhile {
    /// The larger run that is being written.
    pub(super) being_written: Option<RunId>,
    /// Rows that are deleted beside a merge: the larger run may have copied them before.
    beside_a_merge: Option<Vec<IndexRow>>,
    /// How often rows were deleted.
    pub(super) deletions: u64,
}

impl Meanwhile {
    /// Notes rows that are deleted from a run.
    pub(super) fn note(&mut self, rows: &[IndexRow]) {
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

/// A merge of runs that is under way: rows are copied a piece at a time.
pub(super) struct Merging {
    /// The runs that are merged, oldest first.
    runs: Vec<Arc<Run>>,
    /// The larger run.
    id: RunId,
    /// The last row that was copied.
    after: Option<IndexRow>,
    /// Packs the rows; the last ones are not written yet.
    blocks: BlockWriter,
    filter: KeyFilter,
}

impl Index {
    /// Does one piece of the background work that is due. One thread calls this. A full part of an active run goes first,
    /// so that few events stand in memory however long a merge takes.
    pub fn merge(&self) -> Result<MergeStep, StoreError> {
        if let Some(ledger) = self.full_active_run() {
            let _no_row_goes = self.reshaping.lock();
            let end = self.write_active_run(ledger)?;
            return Ok(MergeStep::Wrote(ledger, end));
        }
        let being_written = self.reshaping.lock().being_written;
        if self.drop_leftover(being_written)? {
            return Ok(MergeStep::Dropped);
        }
        let mut merging = self.merging.lock();
        let under_way = match merging.take() {
            Some(merge) => Some(merge),
            None => self.begin_merge()?,
        };
        if let Some(merge) = under_way {
            let (step, left) = self.continue_merge(merge).inspect_err(|_| self.give_up())?;
            *merging = left;
            return Ok(step);
        }
        if self.are_filters_due() {
            self.renew_filters()?;
        }
        self.release_some_pages()?;
        Ok(MergeStep::Idle)
    }

    /// Whether [`Self::merge`] has a run to write.
    pub fn is_merge_due(&self) -> bool {
        self.full_active_run().is_some()
            || self.merging.lock().is_some()
            || self.mergeable_runs().is_some()
    }

    fn full_active_run(&self) -> Option<LedgerNumber> {
        self.state_ref().ledger_with_full_part()
    }

    /// The oldest runs of one ledger and level, when they are enough for a merge.
    fn mergeable_runs(&self) -> Option<Vec<Arc<Run>>> {
        let state = self.state_ref();
        state.runs().find_map(|runs| {
            let of_level = |level| runs.iter().filter(move |run| run.level == level);
            let highest = runs.iter().map(|run| run.level).max()?;
            let level = (0..=highest).find(|level| of_level(*level).count() >= FAN_IN)?;
            Some(of_level(level).take(FAN_IN).cloned().collect())
        })
    }

    /// Writes what the active run holds, up to an event that is its last.
    pub(super) fn write_all_active(
        &self,
        ledger: LedgerNumber,
        last: Seq,
    ) -> Result<(), StoreError> {
        let mut state = self.state_mut();
        state.active_mut(ledger).close_at(last);
        drop(state);
        while self.state_ref().oldest_full(ledger).is_some() {
            self.write_active_run(ledger)?;
        }
        Ok(())
    }

    /// Writes the oldest full part of an active run as a run, which ends with its newest event. Gives the first seq that
    /// stands in no run then.
    fn write_active_run(&self, ledger: LedgerNumber) -> Result<Seq, StoreError> {
        let (first, part) = {
            let state = self.state_ref();
            (state.merged_end(ledger), state.oldest_full(ledger))
        };
        let Some(part) = part else { return Ok(first) };
        let rows = part.sorted_rows();
        self.expect_leftovers(Vec::new());
        let id = self.store.begin()?;
        let blocks = BlockWriter::pack(rows.iter().copied());
        for blocks in blocks.chunks(BLOCKS_PER_STEP) {
            self.store.append(id, blocks)?;
        }
        let run = Run {
            id,
            ledger,
            level: 0,
            first,
            last: part.last.unwrap_or(first).max(first),
            filter: KeyFilter::of_sorted(&rows),
        };
        self.store.finish(&run.row(rows.is_empty()), &[])?;

        // From here the run answers for these events; before, the active run did. Both under one lock.
        let mut state = self.state_mut();
        let end = run.last.next();
        state.add_run(Arc::new(run));
        state.active_mut(ledger).forget_oldest_full();
        Ok(end)
    }

    /// Begins to merge runs, where enough of them are alike.
    fn begin_merge(&self) -> Result<Option<Merging>, StoreError> {
        let Some(runs) = self.mergeable_runs() else {
            return Ok(None);
        };
        let mut meanwhile = self.reshaping.lock();
        self.expect_leftovers(Vec::new());
        let id = self.store.begin()?;
        meanwhile.being_written = Some(id);
        meanwhile.beside_a_merge = Some(Vec::new());
        let keys = runs.iter().map(|run| run.filter.keys_max()).sum();
        Ok(Some(Merging {
            runs,
            id,
            after: None,
            blocks: BlockWriter::default(),
            filter: KeyFilter::for_keys(keys),
        }))
    }

    /// Deletes what was written of a larger run: the merge begins again.
    fn give_up(&self) {
        let mut meanwhile = self.reshaping.lock();
        meanwhile.being_written = None;
        meanwhile.beside_a_merge = None;
        self.expect_leftovers(Vec::new());
    }

    /// Copies the next rows, while others may delete rows of the runs. Gives what is left of the merge.
    fn continue_merge(
        &self,
        mut merge: Merging,
    ) -> Result<(MergeStep, Option<Merging>), StoreError> {
        let (rows, more) = self.next_rows(&merge.runs, merge.after)?;
        rows.iter().for_each(|row| merge.blocks.push(*row));
        self.store.append(merge.id, &merge.blocks.take_full())?;
        let mut known = merge.after.map(|(key, _)| key);
        for (key, _) in &rows {
            if known != Some(*key) {
                merge.filter.insert(*key);
            }
            known = Some(*key);
        }
        merge.after = rows.last().copied().or(merge.after);
        if !more {
            self.finish_merge(merge)?;
            return Ok((MergeStep::Merged, None));
        }
        // So much is deleted that the merge is better begun again afterwards.
        if self.reshaping.lock().is_too_much() {
            self.give_up();
            return Ok((MergeStep::Merging, None));
        }
        Ok((MergeStep::Merging, Some(merge)))
    }

    /// The larger run takes the place of those that it was merged from.
    fn finish_merge(&self, merge: Merging) -> Result<(), StoreError> {
        let Merging {
            runs,
            id,
            after,
            blocks,
            filter,
        } = merge;
        self.store.append(id, &blocks.finish())?;
        let (oldest, newest) = (&runs[0], &runs[runs.len() - 1]);
        let merged = Run {
            id,
            ledger: oldest.ledger,
            level: oldest.level + 1,
            first: oldest.first,
            last: newest.last,
            filter,
        };
        let mut meanwhile = self.reshaping.lock();
        let mut deleted = meanwhile.beside_a_merge.take().unwrap_or_default();
        deleted.sort_unstable();
        self.delete_rows(id, &deleted)?;
        let replaced: Vec<RunId> = runs.iter().map(|run| run.id).collect();
        let is_stale = !deleted.is_empty() || after.is_none();
        self.store.finish(&merged.row(is_stale), &replaced)?;
        {
            let mut state = self.state_mut();
            state.change_runs(merged.ledger, |run| {
                let is_replaced = runs.iter().any(|old| old.id == run.id);
                (!is_replaced).then(|| Arc::clone(run))
            });
            state.add_run(Arc::new(merged));
        }
        meanwhile.being_written = None;
        self.expect_leftovers(runs);
        Ok(())
    }

    /// The next rows of several runs in order, and whether more follow. Each run is asked for its next
    /// few; what lies beyond the smallest last row of a run that has more is left for the next step.
    fn next_rows(
        &self,
        runs: &[Arc<Run>],
        after: Option<IndexRow>,
    ) -> Result<(Vec<IndexRow>, bool), StoreError> {
        // Runs that a test made small are merged in pieces, too.
        let piece = ROWS_PER_STEP.min(2 * self.full_at);
        let least = (piece / runs.len()).max(1);
        let mut rows = Vec::with_capacity(piece);
        let mut bound: Option<IndexRow> = None;
        for run in runs {
            let (some, more) = self.rows_after(run.id, after, least)?;
            let last = some.last().copied().filter(|_| more);
            bound = match (bound, last) {
                (Some(bound), Some(last)) => Some(bound.min(last)),
                (bound, last) => bound.or(last),
            };
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
        let mut known = None;
        self.each_block(id, None, |block| {
            for (key, _) in self.unpack(&block)? {
                if known != Some(key) {
                    each(key);
                }
                known = Some(key);
            }
            Ok(true)
        })
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
