//! The look-up index: an active run in memory, and merged runs in `index.db`.
//!
//! One ever-growing B-tree over random keys would slow every write down as the ledger grows. Instead
//! the newest events' keys stand in memory (and, one row an event, in `ledger.db`); when they are many
//! enough they are written as a sorted run, a table of its own in `index.db`, and runs of one level are
//! merged into one of the next. A look-up asks the active run and the few runs there are. The file can
//! be rebuilt from the payloads at any time.

mod build;
mod filter;
mod merge;
mod remove;
mod state;

use parking_lot::{Mutex, RwLock};
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rusqlite::params;

use self::filter::KeyFilter;
use super::{Database, FileKind};
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

pub use build::{CheckedIndex, NewIndex};
pub use merge::MergeStep;
use trailkeep_ports::{Ledgers, Order, Span, StoreError};

static FILE: FileKind = FileKind {
    name: "index.db",
    application_id: 0x544B_4958,
    migrations: &[include_str!("../index_001.sql")],
    hint: "it can be rebuilt: run `trailkeep index rebuild --dir DIR`",
    grows: Some(Run::is_table),
};

/// Events after which the active run is written out as a merged one.
const ACTIVE_EVENTS_MAX: usize = 16_384;
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
    /// The newest event that was ever in it.
    last: Option<Seq>,
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

    /// The statement that makes its table.
    fn table_text(name: &str) -> String {
        format!(
            "CREATE TABLE {name} (key BLOB NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (key, seq)) STRICT, WITHOUT ROWID"
        )
    }

    /// Whether a table is that of a run, by its name and the statement that made it.
    fn is_table(name: &str, text: &str) -> bool {
        let number = name.strip_prefix("run_");
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
            && text == Self::table_text(name)
    }
}

impl Index {
    /// How the tables, indexes and triggers differ from those of this version; none where they do not.
    pub fn schema_difference(&self) -> Result<Option<String>, StoreError> {
        self.database.schema_difference()
    }

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
        *index.state.write() = state;
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

    /// What lies below [`Self::merged_end`] and in no run. A run of which every event had gone left such a gap once;
    /// where an event is still there, its rows are lost.
    pub fn gaps(&self, ledger: LedgerNumber) -> Vec<Range<Seq>> {
        self.state_ref().gaps(ledger)
    }

    /// The error of an index that lacks rows.
    pub fn incomplete(&self, origin: &str, seq: Seq) -> StoreError {
        self.damaged(&format!(
            "is incomplete: it lacks entry {seq} of {origin}, which queries would not find"
        ))
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
    pub fn purge(&self) -> Result<bool, StoreError> {
        self.database.copy_log()?;
        self.database.purge()
    }

    /// Gives up to `pages` free pages back to the file system; whether there are more.
    pub fn release_pages(&self, pages: u32) -> Result<bool, StoreError> {
        self.database.release_pages(pages)
    }

    /// Copies the write-ahead log into the file, before closing.
    pub fn close(&self) -> Result<(), StoreError> {
        self.database.purge().map(drop)
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
                .ok_or_else(|| self.damaged("has a sorted run without a filter"))?;
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
        let tables = self.run_tables()?;
        let mut ends: HashMap<LedgerNumber, Seq> = HashMap::new();
        for run in &runs {
            if !tables.contains(&Run::table(run.id)) {
                return Err(self.damaged("lacks the rows of a sorted run"));
            }
            let end = ends.entry(run.ledger).or_insert(Seq::new(0));
            if run.first > run.last || run.first < *end || run.last > Seq::MAX {
                return Err(self.damaged("has sorted runs that overlap or have no end"));
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

    fn state_ref(&self) -> parking_lot::RwLockReadGuard<'_, State> {
        self.state.read()
    }

    fn state_mut(&self) -> parking_lot::RwLockWriteGuard<'_, State> {
        self.state.write()
    }
}
