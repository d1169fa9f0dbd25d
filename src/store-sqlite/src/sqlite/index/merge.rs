//! Writing runs: the active run into a table, runs of one level into one of the next.

use std::collections::HashSet;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::filter::KeyFilter;
use super::remove::wait_for_readers;
use super::{ACTIVE_SPAN_FACTOR, Index, Run, active_events_max};
use crate::sqlite::lock;
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

/// Runs of one level that are merged into one of the next.
const FAN_IN: usize = 16;
/// Rows written in one transaction: a few milliseconds.
const ROWS_PER_STEP: usize = 20_000;
/// Rows that may be deleted beside a merge, which remembers them.
const DELETED_MEANWHILE_MAX: usize = 4_000_000;

/// What [`Index::merge`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MergeStep {
    /// Nothing was due.
    Idle,
    /// The ledger's active run below this seq stands in a merged run now; its rows in `ledger.db` can go.
    Wrote(LedgerNumber, Seq),
    /// Runs were merged into a larger one.
    Merged,
}

#[derive(Clone, Copy)]
struct NewRun {
    id: i64,
    ledger: LedgerNumber,
    level: u32,
    first: Seq,
    last: Seq,
}

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
            let _no_row_goes = lock(&self.reshaping);
            let end = self.write_active_run(ledger, None)?;
            return Ok(MergeStep::Wrote(ledger, end));
        }
        match self.mergeable_runs() {
            Some(runs) => {
                lock(&self.reshaping).beside_a_merge = Some(Vec::new());
                let merged = self.merge_runs(&runs);
                lock(&self.reshaping).beside_a_merge = None;
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

    /// Drops the tables of runs that never became whole, or that a merge has replaced.
    pub(super) fn drop_unregistered_runs(&self) -> Result<(), StoreError> {
        let runs: HashSet<String> = self.database.read(|tx| {
            tx.prepare("SELECT id FROM run")?
                .query_map([], |row| row.get(0).map(Run::table))?
                .collect()
        })?;
        let mut tables = self.run_tables()?;
        tables.retain(|table| !runs.contains(table));
        for table in tables {
            self.write(|tx| tx.execute_batch(&format!("DROP TABLE \"{table}\"")))?;
        }
        Ok(())
    }

    /// Tables of runs, whole or not.
    pub(super) fn run_tables(&self) -> Result<HashSet<String>, StoreError> {
        self.database.read(|tx| {
            tx.prepare(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'run_[0-9]*'",
            )?
            .query_map([], |row| row.get(0))?
            .collect()
        })
    }

    fn full_active_run(&self) -> Option<LedgerNumber> {
        let state = self.state_ref();
        let max = active_events_max();
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
        let run = self.start_run(ledger, 0, first, last)?;
        for chunk in rows.chunks(ROWS_PER_STEP) {
            self.write(|tx| insert_rows(tx, run.id, chunk))?;
        }
        let filter = self.build_filter(run.id)?;
        let run = self.finish_run(run, filter, false, &[])?;

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
        let run = self.start_run(oldest.ledger, oldest.level + 1, oldest.first, newest.last)?;
        let mut after: Option<(LookupKey, Seq)> = None;
        loop {
            let (rows, more) = self.next_rows(runs, after)?;
            self.write(|tx| insert_rows(tx, run.id, &rows))?;
            if !more {
                break;
            }
            after = rows.last().copied();
            // So much goes that the merge is better begun again behind it.
            if lock(&self.reshaping).is_too_much() {
                self.drop_unregistered_runs()?;
                return Ok(MergeStep::Idle);
            }
        }
        let filter = self.build_filter(run.id)?;
        let mut meanwhile = lock(&self.reshaping);
        let deleted = meanwhile.beside_a_merge.take().unwrap_or_default();
        for rows in deleted.chunks(ROWS_PER_STEP) {
            self.write(|tx| delete_rows(tx, run.id, rows).map(drop))?;
        }
        let merged = self.finish_run(run, filter, !deleted.is_empty(), runs)?;
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
        self.drop_unregistered_runs()?;
        Ok(MergeStep::Merged)
    }

    /// The next rows of several runs in order, and whether more follow. Each run is asked for its next
    /// few; what lies beyond the smallest last row of a run that has more is left for the next step.
    fn next_rows(
        &self,
        runs: &[Arc<Run>],
        after: Option<(LookupKey, Seq)>,
    ) -> Result<(Vec<(LookupKey, Seq)>, bool), StoreError> {
        let (key, seq) = after.map_or(([0; 16], -1), |(key, seq)| {
            (*key.as_bytes(), seq.get().cast_signed())
        });
        let limit = ROWS_PER_STEP / runs.len();
        let mut rows = Vec::with_capacity(ROWS_PER_STEP);
        let mut bound: Option<(LookupKey, Seq)> = None;
        for run in runs {
            let sql = format!(
                "SELECT key, seq FROM {} WHERE (key, seq) > (?1, ?2) ORDER BY key, seq LIMIT {limit}",
                Run::table(run.id)
            );
            let some: Vec<(LookupKey, Seq)> = self.database.read(|tx| {
                tx.prepare_cached(&sql)?
                    .query_map(params![&key[..], seq], |row| {
                        Ok((LookupKey::new(row.get(0)?), Seq::new(row.get(1)?)))
                    })?
                    .collect()
            })?;
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

    fn start_run(
        &self,
        ledger: LedgerNumber,
        level: u32,
        first: Seq,
        last: Seq,
    ) -> Result<NewRun, StoreError> {
        // Ids are taken one after the other by the one thread that merges.
        let id: i64 = self.database.read(|tx| {
            tx.query_row(
                "SELECT 1 + max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'run'), 0),
                                coalesce((SELECT max(id) FROM run), 0))",
                [],
                |row| row.get(0),
            )
        })?;
        self.drop_unregistered_runs()?;
        let table = Run::table(id);
        self.write(|tx| tx.execute_batch(&Run::table_text(&table)))?;
        Ok(NewRun {
            id,
            ledger,
            level,
            first,
            last,
        })
    }

    /// Registers a run whose rows are all written, in place of those that it replaces.
    fn finish_run(
        &self,
        run: NewRun,
        filter: KeyFilter,
        filter_is_stale: bool,
        replaces: &[Arc<Run>],
    ) -> Result<Run, StoreError> {
        let NewRun {
            id,
            ledger,
            level,
            first,
            last,
        } = run;
        self.write(|tx| {
            for old in replaces {
                tx.execute("DELETE FROM run WHERE id = ?1", [old.id])?;
            }
            tx.execute(
                "INSERT INTO run (id, ledger, level, first_seq, last_seq, filter, filter_is_stale)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![
                    id,
                    ledger.get(),
                    level,
                    first.get(),
                    last.get(),
                    filter.as_bytes(),
                    filter_is_stale
                ],
            )
            .map(drop)
        })?;
        Ok(Run {
            id,
            ledger,
            level,
            first,
            last,
            filter,
        })
    }

    /// The filter of a run's keys, read a few at a time.
    pub(super) fn build_filter(&self, id: i64) -> Result<KeyFilter, StoreError> {
        let mut keys = 0;
        self.each_key(id, |_| keys += 1)?;
        let mut filter = KeyFilter::for_keys(keys);
        self.each_key(id, |key| filter.insert(key))?;
        Ok(filter)
    }

    fn each_key(&self, id: i64, mut each: impl FnMut(LookupKey)) -> Result<(), StoreError> {
        let mut after: Option<(LookupKey, Seq)> = None;
        loop {
            let rows = self.rows_after(id, after)?;
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

    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.database
            .write(|tx| work(tx).map_err(|error| self.database.error(error)))
    }
}

fn insert_rows(tx: &Connection, run: i64, rows: &[(LookupKey, Seq)]) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(&format!(
        "INSERT INTO {} (key, seq) VALUES (?1, ?2)",
        Run::table(run)
    ))?;
    for (key, seq) in rows {
        insert.execute(params![&key.as_bytes()[..], seq.get()])?;
    }
    Ok(())
}

pub(super) fn delete_rows(
    tx: &Connection,
    run: i64,
    rows: &[(LookupKey, Seq)],
) -> rusqlite::Result<usize> {
    let mut delete = tx.prepare_cached(&format!(
        "DELETE FROM {} WHERE key = ?1 AND seq = ?2",
        Run::table(run)
    ))?;
    let mut deleted = 0;
    for (key, seq) in rows {
        deleted += delete.execute(params![&key.as_bytes()[..], seq.get()])?;
    }
    Ok(deleted)
}
