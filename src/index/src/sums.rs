//! Comparing the rows that an index holds with those that it is to hold, without looking each up: both are summed up.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sha2::{Digest, Sha256};

use super::{Index, Run};
use trailkeep_ports::{IndexRow, StoreError};
use trailkeep_proof::ids::{LedgerNumber, LookupKey, Seq};

/// Pieces in which a run is read: one for each first byte of a key.
const PIECES: usize = 256;

/// Key of the hashes that are added up. It is random for each comparison, so other rows with the same sum cannot be prepared.
#[derive(Clone, Copy)]
pub struct SumKey([u8; 16]);

impl SumKey {
    /// A key of fresh random bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The hash of one row.
    fn hash(&self, key: LookupKey, seq: Seq) -> u128 {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(key.as_bytes());
        hash.update(seq.get().to_be_bytes());
        let digest = hash.finalize();
        let (words, _) = digest.as_chunks::<16>();
        u128::from_be_bytes(words[0])
    }
}

/// How many rows there are, and the sum of their hashes: the same in whatever order they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowsSum {
    rows: u64,
    sum: u128,
}

impl Default for RowsSum {
    fn default() -> Self {
        Self::NONE
    }
}

impl RowsSum {
    /// Of no row.
    pub const NONE: Self = Self { rows: 0, sum: 0 };

    /// Adds a row.
    pub fn add(&mut self, by: &SumKey, key: LookupKey, seq: Seq) {
        self.rows += 1;
        self.sum = self.sum.wrapping_add(by.hash(key, seq));
    }

    fn add_all(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// The rows of one ledger's events, summed up for each stretch of seqs.
pub struct StoredRows {
    stretch: NonZeroU64,
    sums: Vec<RowsSum>,
    /// How many rows there are, those that no look-up finds included.
    pub rows: u64,
}

impl StoredRows {
    fn nothing(end: Seq, stretch: NonZeroU64) -> Self {
        let stretches = usize::try_from(end.get().div_ceil(stretch.get()));
        Self {
            stretch,
            sums: vec![RowsSum::NONE; stretches.unwrap_or(usize::MAX)],
            rows: 0,
        }
    }

    /// The sum of the rows of the stretch that begins with a seq, as far as look-ups find them.
    pub fn sum_from(&self, first: Seq) -> RowsSum {
        self.stretch_of(first)
            .and_then(|at| self.sums.get(at).copied())
            .unwrap_or_default()
    }

    fn stretch_of(&self, seq: Seq) -> Option<usize> {
        usize::try_from(seq.get() / self.stretch).ok()
    }

    /// Takes in a row below the end.
    fn add(&mut self, by: &SumKey, (key, seq): IndexRow, is_findable: bool) {
        self.rows += 1;
        let at = self.stretch_of(seq).filter(|_| is_findable);
        if let Some(sum) = at.and_then(|at| self.sums.get_mut(at)) {
            sum.add(by, key, seq);
        }
    }

    fn add_all(&mut self, other: &Self) {
        self.rows += other.rows;
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            sum.add_all(*more);
        }
    }
}

impl Run {
    /// Whether an event's rows may stand in the run.
    fn holds(&self, seq: Seq) -> bool {
        (self.first..=self.last).contains(&seq)
    }

    /// Whether a look-up finds a row of the run.
    pub(super) fn finds(&self, key: LookupKey, seq: Seq) -> bool {
        self.holds(seq) && self.filter.may_contain(key)
    }
}

impl Index {
    /// Sums up the rows of a ledger's events below `end`, for stretches of so many seqs. Every run is read once, in its
    /// order, on all cores.
    pub fn stored_rows(
        &self,
        ledger: LedgerNumber,
        end: Seq,
        stretch: NonZeroU64,
        by: &SumKey,
    ) -> Result<StoredRows, StoreError> {
        let mut stored = StoredRows::nothing(end, stretch);
        let runs = {
            let state = self.state_ref();
            if let Some(active) = state.active(ledger) {
                let rows = active.rows().filter(|(_, seq)| *seq < end);
                rows.for_each(|row| stored.add(by, row, true));
            }
            state.runs_of(ledger).to_vec()
        };
        let next = AtomicUsize::new(0);
        let read = || -> Result<StoredRows, StoreError> {
            let mut read = StoredRows::nothing(end, stretch);
            while let Some((run, first)) = piece(&runs, next.fetch_add(1, Ordering::Relaxed)) {
                self.add_piece(run, first, &mut read, (end, by))?;
            }
            Ok(read)
        };
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let parts: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..cores).map(|_| scope.spawn(read)).collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, _>| match thread.join() {
                Ok(outcome) => outcome,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            threads.into_iter().map(join).collect()
        });
        for part in parts {
            stored.add_all(&part?);
        }
        Ok(stored)
    }

    fn add_piece(
        &self,
        run: &Run,
        first: u8,
        read: &mut StoredRows,
        (end, by): (Seq, &SumKey),
    ) -> Result<(), StoreError> {
        // Rows of one key follow one another: the filter is asked once.
        let mut asked = None;
        self.scan_piece(run.id, first, |row| {
            let Some(((key, seq), is_in_place)) = row else {
                read.rows += 1;
                return;
            };
            if seq >= end {
                return;
            }
            let known = asked.filter(|(of, _)| *of == key);
            let (_, may_contain) =
                *asked.insert(known.unwrap_or_else(|| (key, run.filter.may_contain(key))));
            let is_findable = is_in_place && may_contain && run.holds(seq);
            read.add(by, (key, seq), is_findable);
        })
    }
}

/// The piece of all pieces of some runs that has a number: a run, and the first byte of the keys.
fn piece(runs: &[Arc<Run>], number: usize) -> Option<(&Run, u8)> {
    let run = runs.get(number / PIECES)?;
    Some((run, u8::try_from(number % PIECES).ok()?))
}
