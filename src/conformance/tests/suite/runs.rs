//! Sorted runs.

use crate::Fixture;
use crate::fixture::{ID, key, ledger};
use trailkeep_ports::block::{Block, BlockWriter};
use trailkeep_ports::{IndexRow, Order, RunId, RunRow, RunStore};
use trailkeep_proof::ids::{LookupKey, Seq};

fn run(id: RunId, first: u64, last: u64) -> RunRow {
    RunRow {
        id,
        ledger: ledger(1),
        level: 0,
        first: Seq::new(first),
        last: Seq::new(last),
        filter: vec![0xff; 4],
        filter_is_stale: false,
    }
}

fn rows(key_numbers: impl IntoIterator<Item = (u8, u64)>) -> Vec<IndexRow> {
    let rows = key_numbers.into_iter();
    rows.map(|(number, seq)| (key(number), Seq::new(seq)))
        .collect()
}

/// A block of each row.
fn blocks(rows: &[IndexRow]) -> Vec<Block> {
    let blocks = rows.iter().map(|row| BlockWriter::pack([*row]));
    blocks.flatten().collect()
}

fn all() -> std::ops::Range<IndexRow> {
    let key = |byte| LookupKey::new([byte; 16]);
    (key(0), Seq::new(0))..(key(0xff), Seq::MAX.next())
}

/// The first rows of the blocks of a run that may hold rows of a range.
fn first_rows(
    store: &dyn RunStore,
    run: RunId,
    rows: &std::ops::Range<IndexRow>,
    (order, limit): (Order, usize),
) -> Vec<IndexRow> {
    let blocks = store.blocks(run, rows, order, limit).unwrap();
    assert!(
        blocks
            .iter()
            .all(|block| *block == self::blocks(&[block.first])[0])
    );
    blocks.iter().map(|block| block.first).collect()
}

fn all_rows(store: &dyn RunStore, run: RunId) -> Vec<IndexRow> {
    first_rows(store, run, &all(), (Order::Oldest, usize::MAX))
}

fn write(store: &dyn RunStore, first: u64, last: u64, of: &[IndexRow]) -> RunRow {
    let id = store.begin().unwrap();
    let half = of.len() / 2;
    store.append(id, &blocks(&of[..half])).unwrap();
    store.append(id, &blocks(&of[half..])).unwrap();
    let row = run(id, first, last);
    store.finish(&row, &[]).unwrap();
    row
}

pub(crate) fn a_run_is_there_when_it_is_whole(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let store = &*stores.runs;
    let first = write(store, 0, 4, &rows([(1, 0), (1, 3), (2, 4)]));
    let id = store.begin().unwrap();
    store.append(id, &blocks(&rows([(1, 5)]))).unwrap();
    assert_eq!(store.runs().unwrap(), std::slice::from_ref(&first));
    let second = run(id, 5, 5);
    store.finish(&second, &[]).unwrap();
    assert_eq!(store.runs().unwrap(), [first.clone(), second.clone()]);
    // A merged one takes the place of both, in one step.
    let id = store.begin().unwrap();
    let all = rows([(1, 0), (1, 3), (1, 5), (2, 4)]);
    store.append(id, &blocks(&all)).unwrap();
    let merged = RunRow {
        level: 1,
        ..run(id, 0, 5)
    };
    store.finish(&merged, &[first.id, second.id]).unwrap();
    while store.drop_leftover(&[]).unwrap() {}
    assert_eq!(store.runs().unwrap(), [merged]);
    assert_eq!(all_rows(store, id), all);
    assert_eq!(all_rows(store, first.id), []);
}

pub(crate) fn leftovers_of_a_crash_go(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let store = &*stores.runs;
    let kept = write(store, 0, 4, &rows([(1, 0)]));
    let left = store.begin().unwrap();
    // No number is given twice, whether a block was written or not.
    let next = store.begin().unwrap();
    assert!(next > left && left > kept.id);
    store.append(left, &blocks(&rows([(1, 5)]))).unwrap();
    store.append(next, &blocks(&rows([(1, 6)]))).unwrap();
    assert!(store.drop_leftover(&[next]).unwrap());
    assert!(!store.drop_leftover(&[next]).unwrap());
    assert_eq!(all_rows(store, left), []);
    assert_eq!(all_rows(store, next), rows([(1, 6)]));
    assert!(store.drop_leftover(&[]).unwrap());
    assert_eq!(all_rows(store, next), []);
    assert_eq!(store.runs().unwrap(), [kept]);
}

pub(crate) fn blocks_are_found_in_both_orders(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let store = &*stores.runs;
    let id = write(
        store,
        0,
        39,
        &rows([(1, 4), (1, 8), (3, 1), (3, 9), (5, 2)]),
    )
    .id;
    // Another run's blocks are not among them.
    write(store, 40, 49, &rows([(0, 41), (2, 42), (9, 43)]));
    let row = |number, seq| rows([(number, seq)])[0];
    let found = |range, order, limit| first_rows(store, id, &range, (order, limit));
    // The block before the first row may hold it.
    let of_three = || row(3, 0)..row(3, 10);
    assert_eq!(
        found(of_three(), Order::Oldest, 9),
        rows([(1, 8), (3, 1), (3, 9)])
    );
    assert_eq!(
        found(of_three(), Order::Newest, 9),
        rows([(3, 9), (3, 1), (1, 8)])
    );
    assert_eq!(found(of_three(), Order::Oldest, 1), rows([(1, 8)]));
    assert_eq!(found(of_three(), Order::Newest, 2), rows([(3, 9), (3, 1)]));
    // One that begins with the first row leaves nothing to the one before, and the end is not within.
    assert_eq!(
        found(row(3, 1)..row(3, 9), Order::Oldest, 9),
        rows([(3, 1)])
    );
    assert_eq!(found(row(0, 0)..row(1, 4), Order::Oldest, 9), []);
    assert_eq!(
        found(row(0, 0)..row(1, 5), Order::Oldest, 9),
        rows([(1, 4)])
    );
    assert_eq!(
        found(row(9, 0)..row(9, 9), Order::Newest, 9),
        rows([(5, 2)])
    );
    assert_eq!(all_rows(store, id).len(), 5);
}

pub(crate) fn deleted_rows_make_the_filter_stale(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let store = &*stores.runs;
    let first = write(store, 0, 4, &rows([(1, 0), (2, 4)]));
    let second = write(store, 5, 9, &rows([(1, 5)]));
    assert_eq!(store.stale().unwrap(), []);
    let of_first = rows([(1, 0), (2, 4)]);
    // A block may come in the place of another, and begin elsewhere.
    let other = blocks(&rows([(1, 3)])).pop();
    store.replace(first.id, &[(of_first[0], other)]).unwrap();
    assert_eq!(store.stale().unwrap(), [first.id]);
    assert_eq!(all_rows(store, first.id), rows([(1, 3), (2, 4)]));
    let gone = rows([(1, 3), (2, 4)]).into_iter().map(|row| (row, None));
    store.replace(first.id, &gone.collect::<Vec<_>>()).unwrap();
    assert_eq!(all_rows(store, first.id), []);
    assert_eq!(all_rows(store, second.id), rows([(1, 5)]));
    // It has no block left, and its filter says why.
    assert_eq!(store.runs().unwrap().len(), 2);
    assert_eq!(store.stale().unwrap(), [first.id]);
    store.set_filter(first.id, &[1, 2], true).unwrap();
    assert_eq!(store.runs().unwrap()[0].filter, [1, 2]);
    store.set_filter(first.id, &[1, 2], false).unwrap();
    assert_eq!(store.stale().unwrap(), []);
    // A run without blocks whose filter tells of nothing that was deleted has lost them.
    store.runs().unwrap_err();
    // A run without rows goes; the next one leaves no gap.
    store
        .take_out(first.id, Some((second.id, Seq::new(0))))
        .unwrap();
    let left = store.runs().unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!((left[0].id, left[0].first), (second.id, Seq::new(0)));
}

pub(crate) fn new_runs_take_the_place_of_the_old(fixture: &Fixture) {
    let stores = fixture.stores("data");
    write(&*stores.runs, 0, 4, &rows([(1, 0)]));
    let directory = stores.directory.clone();
    drop(stores);
    let begin = || fixture.storage.begin_runs(&directory, ID).unwrap();
    // One that is dropped leaves nothing.
    let dropped = begin();
    write(&*dropped.store(), 0, 9, &rows([(7, 7)]));
    drop(dropped);
    let open = || fixture.storage.open_runs(&directory, ID).unwrap();
    assert_eq!(open().runs().unwrap()[0].last, Seq::new(4));
    let new = begin();
    write(&*new.store(), 0, 9, &rows([(1, 0), (2, 9)]));
    assert!(new.store().purge().unwrap());
    new.take_place().unwrap();
    let runs = open().runs().unwrap();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].last, Seq::new(9));
    assert_eq!(all_rows(&*open(), runs[0].id).len(), 2);
}
