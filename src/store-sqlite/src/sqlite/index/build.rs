//! An index that is derived again: it is made beside the one in use, compared with what went in, and takes its place
//! in one step.

use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::OpenFlags;
use sha2::{Digest, Sha256};

use super::{FILE, Index, MergeStep, Run, State};
use crate::sqlite::is_directory;
use crate::sqlite::unfinished::{Unfinished, remove, remove_logs, with_suffix};
use crate::sqlite::{Database, connect, lock};
use trailkeep_ports::StoreError;
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

/// A number and a sum over rows, in whatever order they come: two indexes with the same hold the same rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RowsSum {
    rows: u64,
    sum: [u64; 4],
}

/// Of a ledger of which nothing was given.
const NOTHING: (RowsSum, Seq) = (
    RowsSum {
        rows: 0,
        sum: [0; 4],
    },
    Seq::new(0),
);

impl RowsSum {
    fn add(&mut self, ledger: LedgerNumber, key: LookupKey, seq: Seq) {
        let mut hash = Sha256::new();
        hash.update(ledger.get().to_be_bytes());
        hash.update(key.as_bytes());
        hash.update(seq.get().to_be_bytes());
        let digest = hash.finalize();
        let (words, _) = digest.as_chunks::<8>();
        for (sum, word) in self.sum.iter_mut().zip(words) {
            *sum = sum.wrapping_add(u64::from_be_bytes(*word));
        }
        self.rows += 1;
    }
}

/// An index on its way to its place. Dropped before it is there, it leaves nothing.
pub struct NewIndex {
    index: Index,
    place: PathBuf,
    unfinished: Unfinished,
    /// What went in, and up to where, of each ledger.
    given: Mutex<BTreeMap<LedgerNumber, (RowsSum, Seq)>>,
}

impl NewIndex {
    /// Begins an index that is to stand at `place`; what stands there stays in use.
    pub fn begin(place: &Path, directory_id: &str) -> Result<Self, StoreError> {
        // Nothing takes the place of a directory: that is said before the work, not behind it.
        if place.is_dir() {
            return Err(is_directory(&FILE, place));
        }
        let unfinished = Unfinished::begin(place)?;
        Database::fill(&FILE, &unfinished.path(), directory_id)?;
        let index = Index {
            database: Database::open(&FILE, &unfinished.path(), directory_id)?,
            state: RwLock::default(),
            reshaping: Mutex::default(),
            filters_renewed_at: Mutex::default(),
        };
        Ok(Self {
            index,
            place: place.to_owned(),
            unfinished,
            given: Mutex::default(),
        })
    }

    /// Adds events of a ledger, in order. Full runs are written and merged on the way; whether one was.
    pub fn add(
        &self,
        ledger: LedgerNumber,
        events: Vec<(Seq, Vec<LookupKey>)>,
    ) -> Result<bool, StoreError> {
        {
            let mut given = lock(&self.given);
            let (sum, _) = given.entry(ledger).or_insert(NOTHING);
            for (seq, keys) in &events {
                let mut keys = keys.clone();
                keys.sort_unstable();
                keys.dedup();
                keys.iter().for_each(|key| sum.add(ledger, *key, *seq));
            }
        }
        self.index.add(ledger, events.into_iter());
        let mut wrote = false;
        loop {
            match self.index.merge()? {
                MergeStep::Idle => return Ok(wrote),
                MergeStep::Merged | MergeStep::Wrote(..) => wrote = true,
            }
        }
    }

    /// Writes what is left of a ledger, so that its runs hold all below `end`.
    pub fn end_ledger(&self, ledger: LedgerNumber, end: Seq) -> Result<(), StoreError> {
        lock(&self.given).entry(ledger).or_insert(NOTHING).1 = end;
        if self.index.merged_end(ledger) < end {
            let last = Seq::new(end.get() - 1);
            self.index.write_active_run(ledger, Some(last))?;
        }
        Ok(())
    }

    /// Compares the file with what went in. What it holds then is on disk.
    pub fn check(self) -> Result<CheckedIndex, StoreError> {
        let runs = self.index.read_runs()?;
        for (ledger, (expected, end)) in lock(&self.given).iter() {
            let mut found = RowsSum::default();
            let state = State {
                runs: runs.clone(),
                ..State::default()
            };
            let runs = state.runs_of(*ledger);
            for run in &runs {
                self.index.each_row(run.id, |key, seq| {
                    let is_findable = run.filter.may_contain(key) && run.holds(seq);
                    if is_findable {
                        found.add(*ledger, key, seq);
                    }
                })?;
            }
            let is_covered = state.merged_end(*ledger) == *end && state.gaps(*ledger).is_empty();
            if found != *expected || !is_covered {
                return Err(self.index.damaged("was not written as computed"));
            }
        }
        if !self.index.database.purge()? {
            return Err(self
                .index
                .damaged("is read by another program while it is created"));
        }
        let Self {
            index,
            place,
            unfinished,
            ..
        } = self;
        // Its connections are closed before it is renamed.
        drop(index);
        Ok(CheckedIndex { place, unfinished })
    }
}

/// A whole index beside its place.
pub struct CheckedIndex {
    place: PathBuf,
    unfinished: Unfinished,
}

impl CheckedIndex {
    /// Takes the place of the old index, in one step.
    pub fn take_place(self) -> Result<(), StoreError> {
        retire_log(&self.place)?;
        self.unfinished.take_place()
    }
}

/// The log of the old file would be played into the new one. It goes into the old file, which stays in use; where that
/// does not work, the old file is damaged and goes first: a start finds none rather than one without its log.
fn retire_log(place: &Path) -> Result<(), StoreError> {
    let log = with_suffix(place, "-wal");
    let is_empty = || log.metadata().map_or(true, |log| log.len() == 0);
    if !is_empty() {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let _ = connect(place, flags)?.and_then(|old| {
            old.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            old.close().map_err(|(_, error)| error)
        });
    }
    if !is_empty() {
        remove(place)?;
    }
    remove_logs(place)
}

impl Run {
    /// Whether an event's rows may stand in the run.
    fn holds(&self, seq: Seq) -> bool {
        (self.first..=self.last).contains(&seq)
    }
}

impl Index {
    fn each_row(&self, id: i64, mut each: impl FnMut(LookupKey, Seq)) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let rows = self.rows_after(id, after)?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            after = Some(*last);
            rows.iter().for_each(|(key, seq)| each(*key, *seq));
        }
    }
}
