//! The index over an engine's runs.

use std::collections::{BTreeSet, HashSet};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Fixture;
use crate::fixture::{ID, Stores, events, key, ledger, seqs};
use trailkeep_index::{Index, NewIndex, RowsSum, SumKey};
use trailkeep_ports::block::{Block, BlockWriter};
use trailkeep_ports::{IndexRow, MergeStep, Order, RunId, RunRow, RunStore, Span};
use trailkeep_proof::ids::{LookupKey, Seq};

/// Events after which a run is written here.
const FULL: u64 = 200;
const SUM_KEY: SumKey = SumKey::new([7; 16]);
/// Seqs that are summed up together.
const STRETCH: NonZeroU64 = NonZeroU64::new(64).unwrap();

pub(crate) fn index(stores: &Stores, full: usize) -> Index {
    let index = Index::open(Arc::clone(&stores.runs), &stores.ledgers);
    index.unwrap().with_runs_of(full)
}

fn all() -> Span {
    Span {
        from: Seq::new(0),
        end: Seq::MAX,
    }
}

fn keys_of(seq: u64) -> Vec<LookupKey> {
    vec![key((seq % 13) as u8), key(100 + (seq % 7) as u8)]
}

fn add(index: &Index, range: std::ops::Range<u64>) {
    let events = range.map(|seq| (Seq::new(seq), keys_of(seq)));
    index.add(ledger(1), events);
}

fn merge_all(index: &Index) -> usize {
    let mut steps = 0;
    while index.merge().unwrap() != MergeStep::Idle {
        steps += 1;
    }
    steps
}

pub(crate) fn merged_runs_find_what_the_active_run_found(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let index = index(&stores, 200);
    add(&index, 0..FULL + 100);
    let found = |order| {
        index
            .find_in_order(ledger(1), key(5), all(), order, 9_999)
            .unwrap()
    };
    let before = [Order::Oldest, Order::Newest].map(found);
    let looked_at = index.merged_end(ledger(1));
    assert!(index.is_still_absent(ledger(1), looked_at, key(99)));
    assert!(!index.is_still_absent(ledger(1), looked_at, key(5)));
    assert_eq!(merge_all(&index), 1);
    assert_eq!(stores.runs.runs().unwrap().len(), 1);
    assert_eq!([Order::Oldest, Order::Newest].map(found), before);
    // Who looked before the merge must look again.
    assert!(!index.is_still_absent(ledger(1), looked_at, key(99)));
    assert_eq!(
        index.count_rows(ledger(1), Seq::MAX).unwrap(),
        2 * (FULL + 100)
    );
    assert!(
        index
            .holds_all(ledger(1), Seq::new(20), &keys_of(20))
            .unwrap()
    );
    assert!(
        !index
            .holds_all(ledger(1), Seq::new(20), &[key(99)])
            .unwrap()
    );
    assert_eq!(index.gaps(ledger(1)), []);
}

/// Every key of every event is found once, in order.
fn assert_finds(index: &Index, events: &(impl Iterator<Item = u64> + Clone)) {
    for number in 0..13 {
        let expected = events.clone().filter(|seq| seq % 13 == number);
        let found = index.find_in_order(
            ledger(1),
            key(number as u8),
            all(),
            Order::Oldest,
            usize::MAX,
        );
        assert_eq!(found.unwrap(), seqs(expected), "key {number}");
    }
}

pub(crate) fn few_events_are_active_however_long_merges_take(fixture: &Fixture) {
    const FULL: u64 = 20;
    let stores = fixture.stores("data");
    let index = index(&stores, FULL as usize);
    let (mut end, mut steps) = (0, Vec::new());
    // Two levels of runs are merged, and events come as fast as runs are written at all: one run in two steps.
    while end < FULL * 16 * 20 {
        add(&index, end..end + FULL / 2);
        end += FULL / 2;
        steps.push(index.merge().unwrap());
        let active = end - index.merged_end(ledger(1)).get();
        assert!(active <= 2 * FULL, "{active} events are active at {end}");
    }
    assert!(steps.contains(&MergeStep::Merging) && steps.contains(&MergeStep::Merged));
    let runs = stores.runs.runs().unwrap();
    assert!(runs.iter().any(|run| run.level > 0));
    assert_finds(&index, &(0..end));
    merge_all(&index);
    assert_finds(&index, &(0..end));
    assert_eq!(index.count_rows(ledger(1), Seq::MAX).unwrap(), 2 * end);
}

pub(crate) fn what_is_added_and_removed_beside_merges_is_found_once(fixture: &Fixture) {
    const EVENTS: u64 = 4_000;
    const REMOVED_EVERY: u64 = 7;
    let stores = fixture.stores("data");
    let index = index(&stores, 11);
    let added = AtomicU64::new(0);
    let is_over = || added.load(Ordering::SeqCst) == EVENTS;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for start in (0..EVENTS).step_by(10) {
                add(&index, start..start + 10);
                added.store(start + 10, Ordering::SeqCst);
                std::thread::yield_now();
            }
        });
        scope.spawn(|| {
            for seq in (0..EVENTS).step_by(REMOVED_EVERY as usize) {
                while added.load(Ordering::SeqCst) <= seq {
                    std::thread::yield_now();
                }
                let gone = [(Seq::new(seq), keys_of(seq))];
                index.remove(ledger(1), &gone).unwrap();
            }
        });
        scope.spawn(|| {
            while !is_over() {
                let end = added.load(Ordering::SeqCst);
                let span = Span {
                    from: Seq::new(0),
                    end: Seq::new(end),
                };
                let found = index.find_in_order(ledger(1), key(5), span, Order::Newest, usize::MAX);
                let found = found.unwrap();
                assert!(found.is_sorted_by(|one, next| one > next));
                // What is there to stay is found at any moment.
                let stays = (0..end).filter(|seq| seq % 13 == 5 && seq % REMOVED_EVERY != 0);
                let lacks = stays.filter(|seq| !found.contains(&Seq::new(*seq)));
                assert_eq!(lacks.count(), 0);
            }
        });
        while !is_over() {
            index.merge().unwrap();
        }
    });
    let left = (0..EVENTS).filter(|seq| seq % REMOVED_EVERY != 0);
    assert_finds(&index, &left);
    merge_all(&index);
    assert_finds(&index, &left);
    let rows = index.count_rows(ledger(1), Seq::MAX).unwrap();
    assert_eq!(rows, 2 * left.count() as u64);
}

pub(crate) fn leftovers_go_in_the_background_and_before_rows_are_removed(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let leave = || {
        let left = stores.runs.begin().unwrap();
        let blocks = BlockWriter::pack([(key(1), Seq::new(1))]);
        stores.runs.append(left, &blocks).unwrap();
        left
    };
    let is_there = |run| {
        let range = (key(1), Seq::new(0))..(key(1), Seq::MAX);
        let blocks = stores.runs.blocks(run, &range, Order::Oldest, 1);
        !blocks.unwrap().is_empty()
    };
    let left = leave();
    let opened = index(&stores, 200);
    assert!(
        is_there(left),
        "a start waits for nothing that it does not need"
    );
    assert_eq!(opened.merge().unwrap(), MergeStep::Dropped);
    assert!(!is_there(left));
    let left = leave();
    let opened = index(&stores, 200);
    opened
        .remove(ledger(1), &[(Seq::new(1), vec![key(1)])])
        .unwrap();
    assert!(!is_there(left));
}

pub(crate) fn a_newest_run_without_rows_stays(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let opened = index(&stores, 10);
    let events = (0..10).map(|seq| (Seq::new(seq), vec![key(1)]));
    let events: Vec<_> = events.collect();
    opened.add(ledger(1), events.clone().into_iter());
    merge_all(&opened);
    opened.remove(ledger(1), &events).unwrap();
    // The filters are made again with the first step that has nothing else to do.
    let again = index(&stores, 10);
    merge_all(&again);
    let again = index(&stores, 10);
    assert_eq!(again.merged_end(ledger(1)), Seq::new(10));
    assert_eq!(again.count_rows(ledger(1), Seq::MAX).unwrap(), 0);
}

pub(crate) fn many_ledgers_hold_few_events_in_memory(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let opened = index(&stores, 100);
    for seq in 0..60 {
        for number in 1..=40 {
            let events = [(Seq::new(seq), vec![key(1), key(2)])];
            opened.add(ledger(number), events.into_iter());
            while opened.merge().unwrap() != MergeStep::Idle {}
        }
    }
    // 2,400 events, of which no ledger has the 100 of a full part.
    let active = |number| 60 - opened.merged_end(ledger(number)).get();
    let in_memory: u64 = (1..=40).map(active).sum();
    assert!(in_memory <= 220, "{in_memory}");
    for number in 1..=40 {
        let found = opened.find(ledger(number), key(2), Seq::new(0), Seq::MAX, 99);
        assert_eq!(found.unwrap(), seqs(0..60));
    }
}

pub(crate) fn what_is_removed_beside_runs_is_not_found(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1]);
    let index = index(&stores, 200);
    // The second half stays in the active run.
    stores.commit(&[events(1, 1, 3)]);
    add(&index, 4..FULL + 4);
    merge_all(&index);
    add(&index, FULL + 4..FULL + 30);
    let gone = [5, 18, FULL + 5];
    let known: Vec<_> = gone
        .iter()
        .map(|seq| (Seq::new(*seq), keys_of(*seq)))
        .collect();
    index.remove(ledger(1), &known).unwrap();
    let scanned: HashSet<Seq> = seqs([31, FULL + 18]).into_iter().collect();
    index.remove_by_scan(ledger(1), &scanned).unwrap();
    for seq in gone.into_iter().chain([31, FULL + 18]) {
        let held = index.holds_all(ledger(1), Seq::new(seq), &keys_of(seq));
        assert!(!held.unwrap(), "{seq}");
    }
    let left = index.count_rows(ledger(1), Seq::MAX).unwrap();
    // Key and event of the first three entries are in the active rows of the ledger, which this index read before.
    assert_eq!(left, 1 + 2 * (FULL + 26) - 2 * 5);
    // The filters are made again in the background.
    assert_eq!(stores.runs.stale().unwrap().len(), 1);
}

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

pub(crate) fn a_rebuilt_index_holds_the_same(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let old = index(&stores, 200);
    add(&old, 0..FULL + 50);
    let found = old.find_in_order(ledger(1), key(3), all(), Order::Oldest, 9_999);
    let found = found.unwrap();
    let directory = stores.directory.clone();
    drop((old, stores));
    let runs = fixture.storage.begin_runs(&directory, ID).unwrap();
    let new = NewIndex::begin(runs, SUM_KEY).with_runs_of(200);
    let mut wrote = false;
    for start in (0..FULL + 50).step_by(60) {
        let events = (start..(start + 60).min(FULL + 50)).map(|seq| (Seq::new(seq), keys_of(seq)));
        wrote |= new.add(ledger(1), events.collect()).unwrap();
    }
    assert!(wrote);
    new.end_ledger(ledger(1), Seq::new(FULL + 50)).unwrap();
    new.check().unwrap().take_place().unwrap();
    let stores = fixture.open(&directory);
    let index = index(&stores, 200);
    let again = index.find_in_order(ledger(1), key(3), all(), Order::Oldest, 9_999);
    assert_eq!(again.unwrap(), found);
    assert_eq!(index.merged_end(ledger(1)), Seq::new(FULL + 50));
}
