//! Sorted runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;
use trailkeep_proof::ids::{LookupKey, Seq};

use super::{Shared, refused};
use crate::{IndexRow, NewRuns, Order, RunId, RunRow, RunStore, Span, StoreError, Upkeep};

/// The tables of an index.
#[derive(Clone, Default)]
pub(super) struct Tables {
    runs: BTreeMap<RunId, RunRow>,
    rows: BTreeMap<RunId, BTreeSet<IndexRow>>,
    last: i64,
}

/// The runs of a data directory.
pub(super) struct MemoryRuns(pub(super) Shared<Tables>);

impl MemoryRuns {
    fn rows<T>(
        &self,
        run: RunId,
        work: impl FnOnce(&mut BTreeSet<IndexRow>) -> T,
    ) -> Result<T, StoreError> {
        let mut tables = self.0.lock();
        let rows = tables.rows.get_mut(&run);
        Ok(work(rows.ok_or_else(|| refused("no such run"))?))
    }
}

impl Upkeep for MemoryRuns {
    fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        Ok(None)
    }

    fn purge(&self) -> Result<bool, StoreError> {
        Ok(true)
    }
}

impl RunStore for MemoryRuns {
    fn runs(&self) -> Result<Vec<RunRow>, StoreError> {
        let mut runs: Vec<RunRow> = self.0.lock().runs.values().cloned().collect();
        runs.sort_by_key(|run| run.first);
        Ok(runs)
    }

    fn begin(&self) -> Result<RunId, StoreError> {
        let mut tables = self.0.lock();
        let begun = tables.rows.last_key_value().map_or(0, |(id, _)| id.0);
        let id = RunId(tables.last.max(begun) + 1);
        tables.rows.insert(id, BTreeSet::new());
        Ok(id)
    }

    fn append(&self, run: RunId, rows: &[IndexRow]) -> Result<(), StoreError> {
        self.rows(run, |known| known.extend(rows))
    }

    fn finish(&self, run: &RunRow, replaces: &[RunId]) -> Result<(), StoreError> {
        let mut tables = self.0.lock();
        for old in replaces {
            tables.runs.remove(old);
        }
        tables.runs.insert(run.id, run.clone());
        tables.last = tables.last.max(run.id.0);
        Ok(())
    }

    fn drop_leftover(&self, being_written: &[RunId]) -> Result<bool, StoreError> {
        let tables = &mut *self.0.lock();
        let is_left = |id: &&RunId| !tables.runs.contains_key(id) && !being_written.contains(id);
        let left = tables.rows.keys().find(is_left).copied();
        Ok(left.is_some_and(|id| tables.rows.remove(&id).is_some()))
    }

    fn find(
        &self,
        run: RunId,
        key: LookupKey,
        span: Span,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        self.rows(run, |rows| {
            let found = rows
                .iter()
                .filter(|(of, seq)| *of == key && *seq >= span.from && *seq < span.end);
            let found = found.map(|(_, seq)| *seq);
            match order {
                Order::Oldest => found.take(limit).collect(),
                Order::Newest => found.rev().take(limit).collect(),
            }
        })
    }

    fn rows_after(
        &self,
        run: RunId,
        after: Option<IndexRow>,
        limit: usize,
    ) -> Result<Vec<IndexRow>, StoreError> {
        self.rows(run, |rows| {
            let behind = rows.iter().filter(|row| Some(**row) > after);
            behind.take(limit).copied().collect()
        })
    }

    fn scan(
        &self,
        run: RunId,
        first_byte: u8,
        each: &mut dyn FnMut(Option<IndexRow>),
    ) -> Result<(), StoreError> {
        let is_in = |(key, _): &&IndexRow| key.as_bytes()[0] == first_byte;
        let rows: Vec<IndexRow> =
            self.rows(run, |rows| rows.iter().filter(is_in).copied().collect())?;
        rows.into_iter().for_each(|row| each(Some(row)));
        Ok(())
    }

    fn count(&self, run: RunId, end: Seq) -> Result<u64, StoreError> {
        self.rows(run, |rows| {
            rows.iter().filter(|(_, seq)| *seq < end).count() as u64
        })
    }

    fn delete(&self, run: RunId, rows: &[IndexRow]) -> Result<(), StoreError> {
        let was_there = self.rows(run, |known| {
            let gone = rows.iter().filter(|row| known.remove(*row));
            gone.count() > 0
        })?;
        if was_there && let Some(run) = self.0.lock().runs.get_mut(&run) {
            run.filter_is_stale = true;
        }
        Ok(())
    }

    fn stale(&self) -> Result<Vec<RunId>, StoreError> {
        let tables = self.0.lock();
        let stale = tables.runs.values().filter(|run| run.filter_is_stale);
        Ok(stale.map(|run| run.id).collect())
    }

    fn set_filter(&self, run: RunId, filter: &[u8], is_stale: bool) -> Result<(), StoreError> {
        if let Some(run) = self.0.lock().runs.get_mut(&run) {
            run.filter = filter.to_vec();
            run.filter_is_stale = is_stale;
        }
        Ok(())
    }

    fn take_out(&self, run: RunId, next: Option<(RunId, Seq)>) -> Result<(), StoreError> {
        let mut tables = self.0.lock();
        tables.runs.remove(&run);
        if let Some((next, first)) = next
            && let Some(next) = tables.runs.get_mut(&next)
        {
            next.first = first;
        }
        Ok(())
    }

    fn release_pages(&self, _pages: u32) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn damaged(&self, what: &str) -> StoreError {
        refused(what)
    }
}

/// Runs that are made beside those in use.
pub(super) struct MemoryNewRuns {
    pub(super) new: Shared<Tables>,
    pub(super) place: Shared<Tables>,
}

impl MemoryNewRuns {
    pub(super) fn begin(place: Shared<Tables>) -> Self {
        Self {
            new: Arc::new(Mutex::default()),
            place,
        }
    }
}

impl NewRuns for MemoryNewRuns {
    fn store(&self) -> Arc<dyn RunStore> {
        Arc::new(MemoryRuns(Arc::clone(&self.new)))
    }

    fn take_place(self: Box<Self>) -> Result<(), StoreError> {
        let new = self.new.lock().clone();
        *self.place.lock() = new;
        Ok(())
    }
}
