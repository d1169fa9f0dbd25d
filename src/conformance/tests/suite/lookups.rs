//! The index over an engine's runs.

use std::collections::HashSet;
use std::sync::Arc;

use crate::Fixture;
use crate::fixture::{ID, Stores, events, key, ledger, seqs};
use trailkeep_index::{Index, NewIndex};
use trailkeep_ports::{MergeStep, Order, Span};
use trailkeep_proof::ids::{LookupKey, Seq};

/// Events after which a run is written here.
const FULL: u64 = 200;

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

pub(crate) fn a_rebuilt_index_holds_the_same(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let old = index(&stores, 200);
    add(&old, 0..FULL + 50);
    let found = old.find_in_order(ledger(1), key(3), all(), Order::Oldest, 9_999);
    let found = found.unwrap();
    let directory = stores.directory.clone();
    drop((old, stores));
    let runs = fixture.storage.begin_runs(&directory, ID).unwrap();
    let new = NewIndex::begin(runs).with_runs_of(200);
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
