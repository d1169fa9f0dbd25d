//! Deleting the rows of events that went.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Index, Run};
use trailkeep_ports::{IndexRow, StoreError};
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

/// Rows deleted in one transaction.
const ROWS_PER_STEP: usize = 5_000;
/// Filters are made again at most this often: each reads its whole run.
const FILTERS_RENEWED_EVERY: Duration = Duration::from_secs(600);

impl Index {
    /// Deletes the rows of events, whose keys are known.
    pub fn remove(
        &self,
        ledger: LedgerNumber,
        events: &[(Seq, Vec<LookupKey>)],
    ) -> Result<(), StoreError> {
        let mut meanwhile = self.reshaping.lock();
        // What is deleted must not remain in the rows of a run that is in no use.
        self.drop_leftovers(meanwhile.being_written)?;
        self.remove_from_active(ledger, |seqs| {
            for (seq, keys) in events {
                seqs.remove(*seq, keys);
            }
        });
        let runs = self.state_ref().runs_of(ledger).to_vec();
        for run in runs {
            let is_in = |(seq, _): &&(Seq, Vec<LookupKey>)| (run.first..=run.last).contains(seq);
            let rows = events
                .iter()
                .filter(is_in)
                .flat_map(|(seq, keys)| keys.iter().map(|key| (*key, *seq)));
            let mut rows: Vec<(LookupKey, Seq)> = rows.collect();
            // In the order of the run, neighbouring rows share a block.
            rows.sort_unstable();
            for rows in rows.chunks(ROWS_PER_STEP) {
                self.delete_rows(run.id, rows)?;
                meanwhile.note(rows);
            }
        }
        Ok(())
    }

    /// Deletes the rows of events whose keys nobody knows any more: every row of the runs that may hold them is
    /// looked at.
    pub fn remove_by_scan(
        &self,
        ledger: LedgerNumber,
        seqs: &HashSet<Seq>,
    ) -> Result<(), StoreError> {
        let mut meanwhile = self.reshaping.lock();
        // What is deleted must not remain in the rows of a run that is in no use.
        self.drop_leftovers(meanwhile.being_written)?;
        self.remove_from_active(ledger, |active| active.remove_all(seqs));
        let runs = self.state_ref().runs_of(ledger).to_vec();
        for run in runs {
            if seqs.iter().any(|seq| (run.first..=run.last).contains(seq)) {
                let goes = |(_, seq): &IndexRow| seqs.contains(seq);
                self.delete_by_scan(run.id, goes, |rows| meanwhile.note(rows))?;
            }
        }
        Ok(())
    }

    fn remove_from_active(&self, ledger: LedgerNumber, remove: impl FnOnce(&mut super::Active)) {
        remove(self.state_mut().active_mut(ledger));
    }

    /// Whether it is time to look for filters that still tell of deleted rows.
    pub(super) fn are_filters_due(&self) -> bool {
        let renewed = self.filters_renewed_at.lock();
        renewed.is_none_or(|at| at.elapsed() >= FILTERS_RENEWED_EVERY)
    }

    /// Makes the filters of runs with deleted rows again, and drops runs that have no row left.
    pub(super) fn renew_filters(&self) -> Result<(), StoreError> {
        *self.filters_renewed_at.lock() = Some(Instant::now());
        for id in self.store.stale()? {
            let known = {
                let state = self.state_ref();
                let mut runs = state.runs().flatten();
                runs.find(|run| run.id == id).cloned()
            };
            if let Some(run) = known {
                self.renew_filter(run)?;
            }
        }
        Ok(())
    }

    fn renew_filter(&self, run: Arc<Run>) -> Result<(), StoreError> {
        // The newest run says up to where events are in runs at all.
        let is_newest = self.merged_end(run.ledger) == run.last.next();
        let is_empty = self.rows_after(run.id, None, 1)?.0.is_empty();
        if is_empty && !is_newest {
            let no_row_goes = self.reshaping.lock();
            self.take_out_empty(&run)?;
            self.expect_leftovers(vec![run]);
            drop(no_row_goes);
            return Ok(());
        }
        let before = self.reshaping.lock().deletions;
        let filter = self.build_filter(run.id)?;
        let meanwhile = self.reshaping.lock();
        // That a filter is stale says why a run has no rows.
        let is_stale = is_empty || meanwhile.deletions != before;
        self.store.set_filter(run.id, filter.as_bytes(), is_stale)?;
        drop(meanwhile);
        let renewed = Arc::new(Run {
            filter,
            id: run.id,
            ledger: run.ledger,
            level: run.level,
            first: run.first,
            last: run.last,
        });
        self.state_mut().change_runs(run.ledger, |known| {
            let is_renewed = known.id == run.id;
            Some(Arc::clone(if is_renewed { &renewed } else { known }))
        });
        Ok(())
    }
}

impl Index {
    /// Takes out a run without rows. The next one begins where it began, so that the runs still leave no gap.
    fn take_out_empty(&self, run: &Arc<Run>) -> Result<(), StoreError> {
        let next = {
            let state = self.state_ref();
            let mut runs = state.runs_of(run.ledger).iter();
            runs.find(|next| next.first > run.last).cloned()
        };
        let widened = next.as_ref().map(|next| (next.id, run.first));
        self.store.take_out(run.id, widened)?;
        self.state_mut().change_runs(run.ledger, |known| {
            if known.id == run.id {
                return None;
            }
            if next.as_ref().is_none_or(|next| next.id != known.id) {
                return Some(Arc::clone(known));
            }
            Some(Arc::new(Run {
                first: run.first,
                filter: known.filter.clone(),
                ..**known
            }))
        });
        Ok(())
    }
}
