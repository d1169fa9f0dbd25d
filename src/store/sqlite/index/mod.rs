//! The look-up index: an active run in memory, and merged runs in `index.db`.
//!
//! One ever-growing B-tree over random keys would slow every write down as the ledger grows. Instead
//! the newest events' keys stand in memory (and, one row an event, in `ledger.db`); when they are many
//! enough they are written as a sorted run, a table of its own in `index.db`, and runs of one level are
//! merged into one of the next. A look-up asks the active run and the few runs there are. The file can
//! be rebuilt from the payloads at any time.

mod filter;
mod merge;
mod remove;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use rusqlite::params;

use self::filter::KeyFilter;
use super::{Database, FileKind};
use crate::ids::{LedgerNumber, LookupKey, Seq};
use crate::store::sqlite::ledgers::Ledgers;
use crate::store::{Order, Span, StoreError};

pub use merge::MergeStep;

static FILE: FileKind = FileKind {
    name: "index.db",
    application_id: 0x544B_4958,
    migrations: &[include_str!("../index_001.sql")],
    hint: "it holds only what can be derived again: run `trailkeep index rebuild --dir DIR`",
};

/// Events after which the active run is written out as a merged one.
const ACTIVE_EVENTS_MAX: usize = 16_384;

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
    database: Database,
    state: RwLock<State>,
    /// Held while rows are deleted and while runs take the place of others; what is deleted beside a merge.
    reshaping: Mutex<merge::Meanwhile>,
    filters_renewed_at: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct State {
    active: HashMap<LedgerNumber, Active>,
    runs: Vec<Arc<Run>>,
}

/// The events of one ledger that are in no merged run yet.
#[derive(Default)]
struct Active {
    events: usize,
    seqs: HashMap<LookupKey, Vec<Seq>>,
}

/// A sorted table in `index.db`. Nothing is added to it; rows of events that went are deleted.
#[derive(Debug)]
struct Run {
    id: i64,
    ledger: LedgerNumber,
    level: u32,
    first: Seq,
    last: Seq,
    filter: KeyFilter,
}

impl Run {
    fn table(id: i64) -> String {
        format!("run_{id}")
    }
}

impl Index {
    /// Makes the file.
    pub fn create(path: &Path, directory_id: &str) -> Result<(), StoreError> {
        Database::create(&FILE, path, directory_id)
    }

    /// Opens the file, drops what a crash left half-done, and reads the active runs.
    pub fn open(path: &Path, directory_id: &str, ledgers: &Ledgers) -> Result<Self, StoreError> {
        let database = Database::open(&FILE, path, directory_id)?;
        let index = Self {
            database,
            state: RwLock::default(),
            reshaping: Mutex::default(),
            filters_renewed_at: Mutex::default(),
        };
        index.drop_unregistered_runs()?;
        let mut state = State {
            runs: index.read_runs()?,
            ..State::default()
        };
        for record in ledgers.ledgers()? {
            let end = state.merged_end(record.number);
            for (seq, keys) in ledgers.active_index(record.number, end.get()..Seq::MAX.get())? {
                state
                    .active
                    .entry(record.number)
                    .or_default()
                    .add(seq, &keys);
            }
        }
        *index
            .state
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = state;
        Ok(index)
    }

    /// Adds a committed event to the active run.
    pub fn add(&self, ledger: LedgerNumber, events: impl Iterator<Item = (Seq, Vec<LookupKey>)>) {
        let mut state = self.state_mut();
        let active = state.active.entry(ledger).or_default();
        for (seq, keys) in events {
            active.add(seq, &keys);
        }
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
            let newest = state
                .active
                .get(&ledger)
                .map(|active| active.find(key, span, order, limit));
            (state.runs_of(ledger), newest.unwrap_or_default())
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
                found.extend(self.find_in_run(run, key, span, order, limit - found.len())?);
            }
        }
        found.extend(last);
        found.truncate(limit);
        Ok(found)
    }

    /// Whether no event under a key was added since somebody looked for it in vain, who read
    /// [`Self::merged_end`] before looking. `false` also when a merge came between: look again.
    /// No disk is touched: the writer asks this.
    pub fn is_still_absent(&self, ledger: LedgerNumber, merged_end: Seq, key: LookupKey) -> bool {
        let state = self.state_ref();
        state.merged_end(ledger) == merged_end
            && state
                .active
                .get(&ledger)
                .is_none_or(|active| !active.seqs.contains_key(&key))
    }

    /// First seq that no merged run of the ledger holds. It moves when a run is added: who looked before
    /// the move must look again.
    pub fn merged_end(&self, ledger: LedgerNumber) -> Seq {
        self.state_ref().merged_end(ledger)
    }

    /// Whether the index holds all these keys of one event; for verifying.
    pub fn holds_all(
        &self,
        ledger: LedgerNumber,
        seq: Seq,
        keys: &[LookupKey],
    ) -> Result<bool, StoreError> {
        for key in keys {
            if self.find(ledger, *key, seq, seq.next(), 1)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// How many rows (key, seq) the index holds for a ledger below `end`.
    pub fn count_rows(&self, ledger: LedgerNumber, end: Seq) -> Result<u64, StoreError> {
        let (runs, active) = {
            let state = self.state_ref();
            let count = |active: &Active| {
                active
                    .seqs
                    .values()
                    .flatten()
                    .filter(|seq| **seq < end)
                    .count() as u64
            };
            (
                state.runs_of(ledger),
                state.active.get(&ledger).map_or(0, count),
            )
        };
        runs.iter()
            .try_fold(active, |sum, run| Ok(sum + self.count_run(run, end)?))
    }

    /// Empties the write-ahead log, so that what was deleted is in no file; `false` where somebody reads.
    pub fn scrub(&self) -> Result<bool, StoreError> {
        self.database.copy_log()?;
        self.database.scrub()
    }

    /// Gives up to `pages` free pages back to the file system; whether there are more.
    pub fn release_pages(&self, pages: u32) -> Result<bool, StoreError> {
        self.database.release_pages(pages)
    }

    /// Copies the write-ahead log into the file, before closing.
    pub fn close(&self) -> Result<(), StoreError> {
        self.database.scrub().map(drop)
    }

    fn find_in_run(
        &self,
        run: &Run,
        key: LookupKey,
        span: Span,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Seq>, StoreError> {
        let direction = match order {
            Order::Oldest => "ASC",
            Order::Newest => "DESC",
        };
        let sql = format!(
            "SELECT seq FROM {} WHERE key = ?1 AND seq >= ?2 AND seq < ?3 ORDER BY seq {direction} LIMIT ?4",
            Run::table(run.id)
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.database.read(|tx| {
            tx.prepare_cached(&sql)?
                .query_map(
                    params![&key.as_bytes()[..], span.from.get(), span.end.get(), limit],
                    |row| row.get(0).map(Seq::new),
                )?
                .collect()
        })
    }

    /// Rows of a run below `end`, counted in pieces: no reader may be long.
    fn count_run(&self, run: &Run, end: Seq) -> Result<u64, StoreError> {
        let sql = format!(
            "SELECT count(*) FROM {} WHERE key >= ?1 AND key < ?2 AND seq < ?3",
            Run::table(run.id)
        );
        (0..=u8::MAX).try_fold(0, |sum, first| {
            // Above every key of 16 bytes that begins with `first` is the 17-byte string of it and ff.
            let (low, mut high) = ([first; 1], [0xff; 17]);
            high[0] = first;
            let rows: u64 = self.database.read(|tx| {
                tx.prepare_cached(&sql)?
                    .query_row(params![&low[..], &high[..], end.get()], |row| row.get(0))
            })?;
            Ok(sum + rows)
        })
    }

    fn read_runs(&self) -> Result<Vec<Arc<Run>>, StoreError> {
        let rows: Vec<(i64, u32, u32, u64, u64, Vec<u8>)> = self.database.read(|tx| {
            tx.prepare(
                "SELECT id, ledger, level, first_seq, last_seq, filter FROM run ORDER BY first_seq",
            )?
            .query_map([], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get(3)?,
                    row.get(4)?,
                    row.get(5)?,
                ))
            })?
            .collect()
        })?;
        let run = |(id, ledger, level, first, last, filter)| {
            let filter = KeyFilter::from_bytes(filter)
                .ok_or_else(|| self.damaged("holds a run without a filter"))?;
            let (ledger, first, last) =
                (LedgerNumber::new(ledger), Seq::new(first), Seq::new(last));
            Ok(Arc::new(Run {
                id,
                ledger,
                level,
                first,
                last,
                filter,
            }))
        };
        let runs = rows
            .into_iter()
            .map(run)
            .collect::<Result<Vec<_>, StoreError>>()?;
        let mut ends: HashMap<LedgerNumber, Seq> = HashMap::new();
        for run in &runs {
            let end = ends.entry(run.ledger).or_insert(Seq::new(0));
            if run.first > run.last || run.first < *end || run.last > Seq::MAX {
                return Err(self.damaged("holds runs that overlap or end nowhere"));
            }
            *end = run.last.next();
        }
        Ok(runs)
    }

    fn damaged(&self, what: &str) -> StoreError {
        StoreError::Damaged {
            path: self.database.path.clone(),
            what: what.to_owned(),
            hint: FILE.hint,
        }
    }

    fn state_ref(&self) -> std::sync::RwLockReadGuard<'_, State> {
        self.state
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn state_mut(&self) -> std::sync::RwLockWriteGuard<'_, State> {
        self.state
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn runs_of(&self, ledger: LedgerNumber) -> Vec<Arc<Run>> {
        self.runs
            .iter()
            .filter(|run| run.ledger == ledger)
            .cloned()
            .collect()
    }

    fn merged_end(&self, ledger: LedgerNumber) -> Seq {
        let ends = self
            .runs
            .iter()
            .filter(|run| run.ledger == ledger)
            .map(|run| run.last.next());
        ends.max().unwrap_or(Seq::new(0))
    }
}

impl Active {
    fn add(&mut self, seq: Seq, keys: &[LookupKey]) {
        self.events += 1;
        for key in keys {
            let seqs = self.seqs.entry(*key).or_default();
            // One event may name a value twice (as requested and as answering model, say): one row.
            if seqs.last() != Some(&seq) {
                seqs.push(seq);
            }
        }
    }

    fn find(&self, key: LookupKey, span: Span, order: Order, limit: usize) -> Vec<Seq> {
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
    fn forget_below(&mut self, end: Seq) {
        self.seqs.retain(|_, seqs| {
            seqs.drain(..seqs.partition_point(|seq| *seq < end));
            !seqs.is_empty()
        });
    }
}
