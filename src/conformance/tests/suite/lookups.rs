//! The index over an engine's runs.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Fixture;
use crate::fixture::{ID, Stores, events, key, ledger, seqs};
use trailkeep_index::{Index, NewIndex, SumKey};
use trailkeep_ports::block::BlockWriter;
use trailkeep_ports::{MergeStep, Order, Span};
use trailkeep_proof::ids::{LookupKey, Seq};

/// Events after which a run is written here.
pub(crate) const FULL: u64 = 200;
pub(crate) const SUM_KEY: SumKey = SumKey::new([7; 16]);

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

pub(crate) fn keys_of(seq: u64) -> Vec<LookupKey> {
    vec![key((seq % 13) as u8), key(100 + (seq % 7) as u8)]
}

pub(crate) fn add(index: &Index, range: std::ops::Range<u64>) {
    let events = range.map(|seq| (Seq::new(seq), keys_of(seq)));
    index.add(ledger(1), events);
}

pub(crate) fn merge_all(index: &Index) -> usize {
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
    pub(crate) const FULL: u64 = 20;
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

pub(crate) fn who_finds_an_event_sees_it_published(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let opened = index(&stores, 10);
    let published = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seq in 0..9 {
                let found = || opened.find(ledger(1), key(1), Seq::new(seq), Seq::MAX, 1);
                while found().unwrap().is_empty() {}
                assert!(published.load(Ordering::SeqCst) > seq);
            }
        });
        for seq in 0..9 {
            let events = [(Seq::new(seq), vec![key(1)])].into_iter();
            opened.add_published(ledger(1), events, || {
                std::thread::sleep(std::time::Duration::from_millis(2));
                published.store(seq + 1, Ordering::SeqCst);
            });
        }
    });
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
