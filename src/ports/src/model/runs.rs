//! Sorted runs.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use parking_lot::Mutex;
use trailkeep_proof::ids::Seq;

use super::Shared;
use crate::block::Block;
use crate::{IndexRow, NewRuns, Order, RunId, RunRow, RunStore, StoreError, Upkeep};

/// The blocks of a run, by their first rows.
type Blocks = BTreeMap<IndexRow, Block>;

/// The tables of an index.
#[derive(Clone, Default)]
pub(super) struct Tables {
    runs: BTreeMap<RunId, RunRow>,
    blocks: BTreeMap<RunId, Blocks>,
    last: i64,
}

/// The runs of a data directory.
pub(super) struct MemoryRuns(pub(super) Shared<Tables>);

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
        let tables = self.0.lock();
        let has_rows = |run: &RunRow| tables.blocks.get(&run.id).is_some_and(|of| !of.is_empty());
        if runs
            .iter()
            .any(|run| !run.filter_is_stale && !has_rows(run))
        {
            return Err(self.damaged("lacks the rows of a sorted run"));
        }
        Ok(runs)
    }

    fn begin(&self) -> Result<RunId, StoreError> {
        let mut tables = self.0.lock();
        tables.last += 1;
        Ok(RunId(tables.last))
    }

    fn append(&self, run: RunId, blocks: &[Block]) -> Result<(), StoreError> {
        let mut tables = self.0.lock();
        let added = blocks.iter().map(|block| (block.first, block.clone()));
        tables.blocks.entry(run).or_default().extend(added);
        Ok(())
    }

    fn finish(&self, run: &RunRow, replaces: &[RunId]) -> Result<(), StoreError> {
        let mut tables = self.0.lock();
        for old in replaces {
            tables.runs.remove(old);
        }
        tables.runs.insert(run.id, run.clone());
        Ok(())
    }

    fn drop_leftover(&self, being_written: &[RunId]) -> Result<bool, StoreError> {
        let tables = &mut *self.0.lock();
        let is_left = |id: &&RunId| !tables.runs.contains_key(id) && !being_written.contains(id);
        let left = tables.blocks.keys().find(is_left).copied();
        Ok(left.is_some_and(|id| tables.blocks.remove(&id).is_some()))
    }

    fn blocks(
        &self,
        run: RunId,
        rows: &Range<IndexRow>,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Block>, StoreError> {
        let tables = self.0.lock();
        let Some(blocks) = tables.blocks.get(&run) else {
            return Ok(Vec::new());
        };
        let before = blocks.range(..=rows.start).next_back();
        let from = before.map_or(rows.start, |(first, _)| *first);
        let found = blocks
            .range(from..rows.end.max(from))
            .map(|(_, block)| block);
        Ok(match order {
            Order::Oldest => found.take(limit).cloned().collect(),
            Order::Newest => found.rev().take(limit).cloned().collect(),
        })
    }

    fn replace(&self, run: RunId, blocks: &[(IndexRow, Option<Block>)]) -> Result<(), StoreError> {
        let tables = &mut *self.0.lock();
        let known = tables.blocks.entry(run).or_default();
        for (first, block) in blocks {
            known.remove(first);
            known.extend(block.iter().map(|block| (block.first, block.clone())));
        }
        if let Some(run) = tables.runs.get_mut(&run) {
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
        StoreError::Damaged {
            path: "memory".into(),
            what: what.to_owned(),
            hint: "it can be rebuilt",
        }
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
