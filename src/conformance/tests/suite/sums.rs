//! The rows of the index, summed up: what no look-up finds makes another sum.

use std::collections::BTreeSet;
use std::num::NonZeroU64;

use crate::Fixture;
use crate::fixture::{Stores, key, ledger};
use crate::lookups::{FULL, SUM_KEY, add, index, keys_of, merge_all};
use trailkeep_index::{Index, RowsSum};
use trailkeep_ports::block::{Block, BlockWriter};
use trailkeep_ports::{IndexRow, Order, RunId, RunRow, RunStore};
use trailkeep_proof::ids::{LookupKey, Seq};

/// Seqs that are summed up together.
const STRETCH: NonZeroU64 = NonZeroU64::new(64).unwrap();

/// The sums of a ledger's rows below an end, and how many there are.
fn sums(index: &Index, end: u64) -> (Vec<RowsSum>, u64) {
    let end = Seq::new(end);
    let stored = index.stored_rows(ledger(1), end, STRETCH, &SUM_KEY);
    let stored = stored.unwrap();
    let starts = (0..end.get()).step_by(STRETCH.get() as usize);
    let sums = starts.map(|start| stored.sum_from(Seq::new(start)));
    (sums.collect(), stored.rows)
}

/// What they are to be where each event below an end has its rows.
fn sums_of_all(end: u64) -> (Vec<RowsSum>, u64) {
    let starts = (0..end).step_by(STRETCH.get() as usize);
    let sum = |start| {
        let mut sum = RowsSum::NONE;
        for seq in start..end.min(start + STRETCH.get()) {
            let keys = keys_of(seq).into_iter();
            keys.for_each(|key| sum.add(&SUM_KEY, key, Seq::new(seq)));
        }
        sum
    };
    (starts.map(sum).collect(), 2 * end)
}

fn blocks_of(store: &dyn RunStore, run: RunId) -> Vec<Block> {
    let key = |byte| LookupKey::new([byte; 16]);
    let all = (key(0), Seq::new(0))..(key(0xff), Seq::MAX.next());
    store.blocks(run, &all, Order::Oldest, usize::MAX).unwrap()
}

fn rows_of(store: &dyn RunStore, run: RunId) -> BTreeSet<IndexRow> {
    let blocks = blocks_of(store, run).into_iter();
    blocks.flat_map(|block| block.rows().unwrap()).collect()
}

/// Puts blocks in the place of all that a run has.
fn put(store: &dyn RunStore, run: RunId, blocks: Vec<Block>) {
    let old = blocks_of(store, run).into_iter();
    let old = old.map(|block| (block.first, None));
    let new = blocks.into_iter().map(|block| (block.first, Some(block)));
    store
        .replace(run, &old.chain(new).collect::<Vec<_>>())
        .unwrap();
}

/// Changes the rows of a run behind the index.
fn rewrite(store: &dyn RunStore, run: RunId, change: impl FnOnce(&mut BTreeSet<IndexRow>)) {
    let mut rows = rows_of(store, run);
    change(&mut rows);
    put(store, run, BlockWriter::pack(rows));
}

/// Events of three runs, and some in the active run.
const OF_THREE_RUNS: u64 = 3 * FULL + 50;

/// An index whose runs are changed behind it; each look opens it anew.
struct Changed {
    stores: Stores,
    whole: (Vec<RowsSum>, u64),
}

impl Changed {
    fn filled(fixture: &Fixture) -> Self {
        let stores = fixture.stores("data");
        let filled = index(&stores, 200);
        for start in (0..OF_THREE_RUNS).step_by(50) {
            add(&filled, start..start + 50);
            merge_all(&filled);
        }
        assert_eq!(stores.runs.runs().unwrap().len(), 3);
        // Of all runs and the active one, and of a beginning of the ledger.
        for end in [0, 1, STRETCH.get(), FULL + 7, OF_THREE_RUNS] {
            assert_eq!(sums(&filled, end), sums_of_all(end), "{end}");
        }
        drop(filled);
        let whole = sums(&index(&stores, 200), OF_THREE_RUNS);
        Self { stores, whole }
    }

    /// The sums differ in exactly the stretches of these seqs. Gives how many rows more there are.
    fn differ(&self, seqs: &[u64]) -> i128 {
        let stretch = |seq: u64| (seq / STRETCH.get()) as usize;
        let (found, rows) = sums(&index(&self.stores, 200), OF_THREE_RUNS);
        let differing = (0..found.len()).filter(|at| found[*at] != self.whole.0[*at]);
        let mut expected: Vec<usize> = seqs.iter().map(|seq| stretch(*seq)).collect();
        expected.dedup();
        assert_eq!(differing.collect::<Vec<_>>(), expected, "{seqs:?}");
        i128::from(rows) - i128::from(self.whole.1)
    }
}

pub(crate) fn sums_are_those_of_the_rows_that_look_ups_find(fixture: &Fixture) {
    let changed = Changed::filled(fixture);
    let store = &*changed.stores.runs;
    let runs = store.runs().unwrap();
    let row = |seq: u64| (keys_of(seq)[0], Seq::new(seq));
    let add =
        |run: &RunRow, row: IndexRow| rewrite(store, run.id, |rows| assert!(rows.insert(row)));
    let remove =
        |run: &RunRow, row: IndexRow| rewrite(store, run.id, |rows| assert!(rows.remove(&row)));
    // A row of another run, one that is gone, one too many.
    remove(&runs[0], row(70));
    assert_eq!(changed.differ(&[70]), -1);
    add(&runs[1], row(70));
    assert_eq!(changed.differ(&[70]), 0);
    add(&runs[0], row(70));
    assert_eq!(changed.differ(&[]), 1);
    remove(&runs[1], row(70));
    let other = (key(99), Seq::new(70));
    add(&runs[0], other);
    store.set_filter(runs[0].id, &[0xff; 8], false).unwrap();
    assert_eq!(changed.differ(&[70]), 1);
    remove(&runs[0], other);
    // A filter that lacks keys, and a span that is too narrow.
    let of_first: Vec<u64> = (0..FULL).collect();
    store.set_filter(runs[0].id, &[0; 8], false).unwrap();
    assert_eq!(changed.differ(&of_first), 0);
    store
        .set_filter(runs[0].id, &runs[0].filter, false)
        .unwrap();
    let narrow = RunRow {
        last: Seq::new(FULL - 2),
        ..runs[0].clone()
    };
    store.take_out(runs[0].id, None).unwrap();
    store.finish(&narrow, &[]).unwrap();
    assert_eq!(changed.differ(&[FULL - 1]), 0);
}

pub(crate) fn a_row_that_no_look_up_comes_to_is_noticed(fixture: &Fixture) {
    let changed = Changed::filled(fixture);
    let (store, run) = (
        &*changed.stores.runs,
        changed.stores.runs.runs().unwrap()[0].id,
    );
    let of_run: Vec<IndexRow> = rows_of(store, run).into_iter().collect();
    // A row that stands in a block in which it is not looked for.
    let (low, high) = of_run.split_at(of_run.len() / 2);
    let (last, others) = high.split_last().unwrap();
    let strayed = BlockWriter::pack(low.iter().chain([last]).copied());
    let others = BlockWriter::pack(others.iter().copied());
    put(store, run, [strayed, others].concat());
    assert_eq!(changed.differ(&[last.1.get()]), -1);
    let found = index(&changed.stores, 200).holds_all(ledger(1), last.1, &[last.0]);
    assert!(!found.unwrap());
    // A block that cannot be read: it counts as a row, and the look-ups of its keys say that the index is damaged.
    let mut broken = BlockWriter::pack(of_run.iter().copied());
    broken[0].bytes = vec![0x80];
    put(store, run, broken);
    let every: Vec<u64> = (0..FULL).collect();
    let rows = of_run.len() as u64;
    assert_eq!(changed.differ(&every), 1 - i128::from(rows));
    let broken = index(&changed.stores, 200);
    let (key, seq) = of_run[0];
    broken
        .find(ledger(1), key, Seq::new(0), Seq::MAX, 1)
        .unwrap_err();
    assert!(!broken.holds_all(ledger(1), seq, &[key]).unwrap());
    let counted = broken.count_rows(ledger(1), Seq::new(OF_THREE_RUNS));
    assert_eq!(counted.unwrap(), changed.whole.1 + 1 - rows);
    put(store, run, BlockWriter::pack(of_run));
    assert_eq!(changed.differ(&[]), 0);
}
