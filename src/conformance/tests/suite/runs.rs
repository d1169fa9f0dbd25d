//! Sorted runs.

use crate::Fixture;
use crate::fixture::{ID, key, ledger, seqs};
use trailkeep_ports::{IndexRow, Order, RunId, RunRow, RunStore, Span};
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

fn write(store: &dyn RunStore, first: u64, last: u64, of: &[IndexRow]) -> RunRow {
    let id = store.begin().unwrap();
    let half = of.len() / 2;
    store.append(id, &of[..half]).unwrap();
    store.append(id, &of[half..]).unwrap();
    let row = run(id, first, last);
    store.finish(&row, &[]).unwrap();
    row
}

pub(crate) fn a_run_is_there_when_it_is_whole(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let store = &*stores.runs;
    let first = write(store, 0, 4, &rows([(1, 0), (1, 3), (2, 4)]));
    let id = store.begin().unwrap();
    store.append(id, &rows([(1, 5)])).unwrap();
    assert_eq!(store.runs().unwrap(), std::slice::from_ref(&first));
    let second = run(id, 5, 5);
    store.finish(&second, &[]).unwrap();
    assert_eq!(store.runs().unwrap(), [first.clone(), second.clone()]);
    // A merged one takes the place of both, in one step.
    let id = store.begin().unwrap();
    let all = rows([(1, 0), (1, 3), (1, 5), (2, 4)]);
    store.append(id, &all).unwrap();
    let merged = RunRow {
        level: 1,
        ..run(id, 0, 5)
    };
    store.finish(&merged, &[first.id, second.id]).unwrap();
    while store.drop_leftover(&[]).unwrap() {}
    assert_eq!(store.runs().unwrap(), [merged]);
    assert_eq!(store.rows_after(id, None, 9).unwrap(), all);
    store.rows_after(first.id, None, 9).unwrap_err();
}

pub(crate) fn leftovers_of_a_crash_go(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let kept = write(&*stores.runs, 0, 4, &rows([(1, 0)]));
    let left = stores.runs.begin().unwrap();
    stores.runs.append(left, &rows([(1, 5)])).unwrap();
    // The next file is not a part of it.
    let next = stores.runs.begin().unwrap();
    assert!(next > left && left > kept.id);
    assert_eq!(stores.runs.rows_after(next, None, 9).unwrap(), []);
    assert!(stores.runs.drop_leftover(&[next]).unwrap());
    assert!(!stores.runs.drop_leftover(&[next]).unwrap());
    stores.runs.rows_after(left, None, 9).unwrap_err();
    stores.runs.append(next, &rows([(1, 6)])).unwrap();
    assert!(stores.runs.drop_leftover(&[]).unwrap());
    stores.runs.rows_after(next, None, 9).unwrap_err();
    assert_eq!(stores.runs.runs().unwrap(), [kept]);
}

pub(crate) fn rows_are_found_in_both_orders(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let of_run = rows((0..40).map(|seq| ((seq % 3) as u8, seq)));
    let mut sorted = of_run;
    sorted.sort_unstable();
    let id = write(&*stores.runs, 0, 39, &sorted).id;
    let span = Span {
        from: Seq::new(4),
        end: Seq::new(20),
    };
    let find = |order, limit| stores.runs.find(id, key(1), span, order, limit).unwrap();
    assert_eq!(find(Order::Oldest, 3), seqs([4, 7, 10]));
    assert_eq!(find(Order::Newest, 3), seqs([19, 16, 13]));
    assert_eq!(find(Order::Oldest, 99).len(), 6);
    assert_eq!(stores.runs.count(id, Seq::new(20)).unwrap(), 20);
    // Paged, all of them come once.
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let some = stores.runs.rows_after(id, after, 7).unwrap();
        let Some(last) = some.last() else { break };
        after = Some(*last);
        all.extend(some);
    }
    assert_eq!(all, sorted);
}

pub(crate) fn a_scan_gives_each_row_once_in_order(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let keys = [[0; 16], [0xff; 16]];
    let ends = keys.map(LookupKey::new).into_iter();
    let ends = ends.flat_map(|key| [(key, Seq::new(0)), (key, Seq::new(39))]);
    let mut of_run = rows((0..40).map(|seq| ((seq * 7 % 256) as u8, seq)));
    of_run.extend(ends);
    of_run.sort_unstable();
    of_run.dedup();
    let id = write(&*stores.runs, 0, 39, &of_run).id;
    write(&*stores.runs, 40, 49, &rows([(1, 41)]));
    let (mut found, mut of_no_row) = (Vec::new(), 0);
    for first in 0..=u8::MAX {
        let mut each = |row: Option<IndexRow>| match row {
            Some(row) => {
                assert_eq!(row.0.as_bytes()[0], first);
                found.push(row);
            }
            None => of_no_row += 1,
        };
        stores.runs.scan(id, first, &mut each).unwrap();
    }
    assert_eq!((found, of_no_row), (of_run, 0));
}

pub(crate) fn deleted_rows_make_the_filter_stale(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let store = &*stores.runs;
    let first = write(store, 0, 4, &rows([(1, 0), (2, 4)]));
    let second = write(store, 5, 9, &rows([(1, 5)]));
    store.delete(first.id, &rows([(9, 0)])).unwrap();
    assert_eq!(store.stale().unwrap(), []);
    store.delete(first.id, &rows([(1, 0), (2, 4)])).unwrap();
    assert_eq!(store.stale().unwrap(), [first.id]);
    assert_eq!(store.count(first.id, Seq::MAX).unwrap(), 0);
    store.set_filter(first.id, &[1, 2], false).unwrap();
    assert_eq!(store.stale().unwrap(), []);
    assert_eq!(store.runs().unwrap()[0].filter, [1, 2]);
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
    assert_eq!(open().count(runs[0].id, Seq::MAX).unwrap(), 2);
}
