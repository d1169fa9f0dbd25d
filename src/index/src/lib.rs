//! The look-up index: an active run in memory, and merged runs in a [`RunStore`].
//!
//! One ever-growing B-tree over random keys would slow every write down as the ledger grows. Instead
//! the newest events' keys stand in memory (and, one row an event, in `ledger.db`); when they are many
//! enough they are written as a sorted run, and runs of one level are merged into one of the next. A look-up
//! asks the active run and the few runs there are. The runs can be made again from the payloads at any time.
//!
//! All of it is done in pieces, and a full part of the active run is written before the next piece of a merge:
//! so little is in memory while events keep coming. The lock on what the index holds is taken
//! to add events and to put a run in the place of others, never while rows are read, sorted or written.
#![forbid(unsafe_code)]

mod active;
mod build;
mod filter;
mod leftovers;
mod lookups;
mod merge;
mod remove;
mod rows;
mod state;
mod sums;

use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use self::active::Active;
use self::filter::KeyFilter;
use self::leftovers::Leftovers;
use self::state::State;
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

pub use build::{CheckedIndex, NewIndex};
pub use sums::{RowsSum, StoredRows, SumKey};
use trailkeep_ports::{Ledgers, Order, RunId, RunStore, Span, StoreError};

/// Events after which a part of the active run is full, and is written as a run.
const ACTIVE_EVENTS_MAX: usize = 16_384;
/// Events of the parts that are not full, in memory, for each event of a full part: where they are more, in all ledgers
/// together, the largest parts are written before they are full.
const OPEN_PARTS: usize = 2;
/// So many times as many entries are spanned by an active run at most: most of its events may have expired, and a
/// start looks at each entry of the span.
const ACTIVE_SPAN_FACTOR: u64 = 64;

/// In debug builds a test may set another number, to see runs without many events.
fn active_events_max() -> usize {
    #[cfg(debug_assertions)]
    if let Some(set) = std::env::var("TRAILKEEP_TEST_ACTIVE_EVENTS")
        .ok()
        .and_then(|text| text.parse().ok())
    {
        return set;
    }
    ACTIVE_EVENTS_MAX
}

/// The index over all ledgers of one data directory.
pub struct Index {
    store: Arc<dyn RunStore>,
    state: RwLock<State>,
    /// The merge of runs that is under way. It alone is locked before [`Self::reshaping`].
    merging: Mutex<Option<merge::Merging>>,
    /// Held while rows are deleted and while runs take the place of others; what is deleted beside a merge.
    reshaping: Mutex<merge::Meanwhile>,
    /// Runs whose rows are to be taken away.
    leftovers: Mutex<Leftovers>,
    /// Whether the file may have pages that nothing uses.
    has_free_pages: AtomicBool,
    filters_renewed_at: Mutex<Option<Instant>>,
    /// Events of a part of an active run that is full.
    full_at: usize,
}

/// A sorted run. Nothing is added to it; rows of events that went are deleted.
#[derive(Debug)]
struct Run {
    id: RunId,
    ledger: LedgerNumber,
    level: u32,
    first: Seq,
    last: Seq,
    filter: KeyFilter,
}

impl Index {
    /// Reads the list of runs, and the active runs. What a crash left half-done is deleted later, in [`Self::merge`].
    pub fn open(store: Arc<dyn RunStore>, ledgers: &Ledgers) -> Result<Self, StoreError> {
        let index = Self::over(store);
        let mut state = State::of_runs(index.read_runs()?);
        for record in ledgers.ledgers()? {
            let end = state.merged_end(record.number);
            let events = ledgers.active_index(record.number, end.get()..Seq::MAX.get())?;
            state.add(record.number, events.into_iter(), index.full_at);
        }
        *index.state.write() = state;
        Ok(index)
    }

    fn over(store: Arc<dyn RunStore>) -> Self {
        Self {
            store,
            state: RwLock::default(),
            merging: Mutex::default(),
            reshaping: Mutex::default(),
            leftovers: Mutex::default(),
            has_free_pages: AtomicBool::new(true),
            filters_renewed_at: Mutex::default(),
            full_at: active_events_max(),
        }
    }

    /// The same, with runs of another size: they are many after few events.
    #[must_use]
    pub fn with_runs_of(self, events: usize) -> Self {
        Self {
            full_at: events,
            ..self
        }
    }

    /// Adds committed events to the active run.
    pub fn add(&self, ledger: LedgerNumber, events: impl Iterator<Item = (Seq, Vec<LookupKey>)>) {
        self.add_published(ledger, events, || ());
    }

    /// The same, and publishes them in one step: who finds an event sees a head that holds it, and who sees the head
    /// finds its events.
    pub fn add_published(
        &self,
        ledger: LedgerNumber,
        events: impl Iterator<Item = (Seq, Vec<LookupKey>)>,
        publish: impl FnOnce(),
    ) {
        let mut state = self.state_mut();
        state.add(ledger, events, self.full_at);
        publish();
    }

    /// The seqs of a ledger's events under a key, ascending, from `from` on, below `end`, at most `limit`.
    pub fn find(
        &self,
        ledger: LedgerNumber,
        key: LookupKey,
        from: Seq,
        end: Seq,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        self.find_in_order(ledger, key, Span { from, end }, Order::Oldest, limit)
    }

    /// The seqs of a ledger's events under a key within a span, in an order, at most `limit`.
    pub fn find_in_order(
        &self,
        ledger: LedgerNumber,
        key: LookupKey,
        span: Span,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        let (mut runs, newest) = {
            let state = self.state_ref();
            let active = state.active(ledger);
            let newest = active.map(|active| active.find(key, span, order, limit));
            (state.runs_of(ledger).to_vec(), newest.unwrap_or_default())
        };
        // The active run's events come after those of all others.
        let (mut found, last) = match order {
            Order::Oldest => (Vec::new(), newest),
            Order::Newest => (newest, Vec::new()),
        };
        if order == Order::Newest {
            runs.reverse();
        }
        for run in &runs {
            if found.len() >= limit {
                break;
            }
            if run.last >= span.from && run.first < span.end && run.filter.may_contain(key) {
                let left = limit - found.len();
                found.extend(self.find_in_run(run.id, key, span, order, left)?);
            }
        }
        found.extend(last);
        found.truncate(limit);
        Ok(found)
    }

    /// Whether a ledger has no event under a key, as far as that can be told without the disk; `false`: [`Self::find`] says.
    pub fn lacks(&self, ledger: LedgerNumber, key: LookupKey) -> bool {
        let state = self.state_ref();
        let active = state.active(ledger);
        let mut runs = state.runs_of(ledger).iter();
        active.is_none_or(|active| !active.has(key)) && !runs.any(|run| run.filter.may_contain(key))
    }

    /// Whether no event under a key was added since somebody looked for it in vain, who read
    /// [`Self::merged_end`] before looking. `false` also when a merge came between: look again.
    /// No disk is touched: the writer asks this.
    pub fn is_still_absent(&self, ledger: LedgerNumber, merged_end: Seq, key: LookupKey) -> bool {
        let state = self.state_ref();
        let active = state.active(ledger);
        state.merged_end(ledger) == merged_end && active.is_none_or(|active| !active.has(key))
    }

    /// First seq that no merged run of the ledger holds. It moves when a run is added: who looked before
    /// the move must look again.
    pub fn merged_end(&self, ledger: LedgerNumber) -> Seq {
        self.state_ref().merged_end(ledger)
    }

    /// What lies below [`Self::merged_end`] and in no run. A run of which every event had gone left such a gap once;
    /// where an event is still there, its rows are lost.
    pub fn gaps(&self, ledger: LedgerNumber) -> Vec<Range<Seq>> {
        self.state_ref().gaps(ledger)
    }

    /// The error of an index that lacks rows.
    pub fn incomplete(&self, origin: &str, seq: Seq) -> StoreError {
        self.store.damaged(&format!(
            "is incomplete: it lacks entry {seq} of {origin}, which queries would not find"
        ))
    }

    /// Whether the index holds all these keys of one event; for verifying. What is damaged holds none.
    pub fn holds_all(
        &self,
        ledger: LedgerNumber,
        seq: Seq,
        keys: &[LookupKey],
    ) -> Result<bool, StoreError> {
        for key in keys {
            let found = match self.find(ledger, *key, seq, seq.next(), 1) {
                Err(StoreError::Damaged { .. }) => Vec::new(),
                found => found?,
            };
            if found.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How many rows (key, seq) the index holds for a ledger below `end`. What cannot be read counts as one.
    pub fn count_rows(&self, ledger: LedgerNumber, end: Seq) -> Result<u64, StoreError> {
        let (runs, active) = {
            let state = self.state_ref();
            let count =
                |active: &Active| active.rows().filter(|(_, seq)| *seq < end).count() as u64;
            (
                state.runs_of(ledger).to_vec(),
                state.active(ledger).map_or(0, count),
            )
        };
        let mut rows = active;
        for run in &runs {
            for first_byte in 0..=u8::MAX {
                self.scan_piece(run.id, first_byte, |row| {
                    rows += u64::from(row.is_none_or(|((_, seq), _)| seq < end));
                })?;
            }
        }
        Ok(rows)
    }

    /// How the tables, indexes and triggers differ from those of this version; none where they do not.
    pub fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        self.store.schema_difference()
    }

    /// Sees to it that what was deleted is nowhere any more; `false` where somebody reads.
    pub fn purge(&self) -> Result<bool, StoreError> {
        self.store.purge()
    }

    /// Gives up to `pages` free pages back to the file system; whether there are more.
    pub fn release_pages(&self, pages: u32) -> Result<bool, StoreError> {
        self.store.release_pages(pages)
    }

    /// The same as [`Self::purge`], before closing.
    pub fn close(&self) -> Result<(), StoreError> {
        self.store.close()
    }

    fn read_runs(&self) -> Result<Vec<Arc<Run>>, StoreError> {
        let mut runs = Vec::new();
        let mut ends: HashMap<LedgerNumber, Seq> = HashMap::new();
        for row in self.store.runs()? {
            let filter = KeyFilter::from_bytes(row.filter);
            let run = Run {
                id: row.id,
                ledger: row.ledger,
                level: row.level,
                first: row.first,
                last: row.last,
                filter: filter
                    .ok_or_else(|| self.store.damaged("has a sorted run without a filter"))?,
            };
            let end = ends.entry(run.ledger).or_insert(Seq::new(0));
            if run.first > run.last || run.first < *end || run.last > Seq::MAX {
                let what = "has sorted runs that overlap or have no end";
                return Err(self.store.damaged(what));
            }
            *end = run.last.next();
            runs.push(Arc::new(run));
        }
        Ok(runs)
    }

    fn state_ref(&self) -> parking_lot::RwLockReadGuard<'_, State> {
        self.state.read()
    }

    fn state_mut(&self) -> parking_lot::RwLockWriteGuard<'_, State> {
        self.state.write()
    }
}
