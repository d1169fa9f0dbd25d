//! The one write of evidence.

use crate::Fixture;
use crate::fixture::{batch, events, ledger, ledger_record, row};
use crate::random::shown;
use trailkeep_ports::{Committed, Statement, StoreError};
use trailkeep_proof::ids::{ClassNumber, Seq};
use trailkeep_proof::ledger::tile::TileCoordinate;

pub(crate) fn all_of_three_ledgers_or_nothing(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1, 2, 3]);
    stores.commit(&[events(1, 1, 2), events(2, 1, 1), events(3, 1, 3)]);
    assert_eq!([1, 2, 3].map(|number| stores.size(number)), [3, 2, 4]);
    let before = shown(&stores.ledgers);
    // The last of them is not where the writer believes: nothing of the others is written.
    let batches = [events(1, 3, 2), events(2, 2, 1), events(3, 9, 1)];
    let committed = stores.ledgers.commit(&mut stores.taken, &batches).unwrap();
    assert!(matches!(committed, Committed::Fenced(_)), "{committed:?}");
    assert_eq!(shown(&stores.ledgers), before);
    stores.commit(&[events(1, 3, 2), events(2, 2, 1)]);
    assert_eq!([1, 2, 3].map(|number| stores.size(number)), [5, 3, 4]);
}

pub(crate) fn another_size_is_fenced_and_writes_nothing(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1]);
    stores.commit(&[events(1, 1, 4)]);
    let before = shown(&stores.ledgers);
    for size in [0, 4, 6] {
        let wrong = [events(1, size, 2)];
        let committed = stores.ledgers.commit(&mut stores.taken, &wrong).unwrap();
        let Committed::Fenced(fences) = committed else {
            panic!("{size}: {committed:?}");
        };
        let expected = matches!(
            fences[0].cause,
            StoreError::Fenced { ledger: 1, expected, found: 5 } if expected == size
        );
        assert!(expected, "{:?}", fences[0].cause);
        assert_eq!(shown(&stores.ledgers), before, "{size}");
    }
    assert_eq!(stores.taken[0].version, 1);
}

pub(crate) fn a_row_that_breaks_a_rule_takes_the_whole_commit_with_it(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1, 2]);
    let mut with_class = row(0, 1);
    with_class.states = Some(
        Statement::Class {
            number: ClassNumber::new(7),
            definition: "{}".to_owned(),
        }
        .into(),
    );
    let again = || {
        let mut row = row(0, 2);
        row.states = Some(
            Statement::Class {
                number: ClassNumber::new(7),
                definition: "{}".to_owned(),
            }
            .into(),
        );
        row
    };
    stores.commit(&[batch(1, 1, vec![with_class])]);
    let before = shown(&stores.ledgers);
    let batches = [events(2, 1, 3), batch(1, 2, vec![again()])];
    stores
        .ledgers
        .commit(&mut stores.taken, &batches)
        .unwrap_err();
    assert_eq!(shown(&stores.ledgers), before);
    // A tile never changes.
    let tile = TileCoordinate { level: 0, index: 0 };
    let mut with_tile = events(1, 2, 1);
    with_tile.tiles = vec![(tile, vec![1; 8192])];
    stores.commit(&[with_tile]);
    let mut other = events(1, 3, 1);
    other.tiles = vec![(tile, vec![2; 8192])];
    let before = shown(&stores.ledgers);
    stores
        .ledgers
        .commit(&mut stores.taken, &[other])
        .unwrap_err();
    assert_eq!(shown(&stores.ledgers), before);
    assert_eq!(stores.ledgers.tile_count(ledger(1)).unwrap(), 1);
    let hashes = stores.ledgers.tile(ledger(1), tile).unwrap();
    assert_eq!(hashes, Some(vec![1; 8192]));
}

pub(crate) fn claims_count_their_commits(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1]);
    for count in 1..=3 {
        stores.commit(&[events(1, count, 1)]);
        assert_eq!(stores.taken[0].version, count);
    }
}

pub(crate) fn an_unknown_outcome_leaves_no_claim(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1]);
    stores.commit(&[events(1, 1, 1)]);
    // Neither engine here can tell afterwards: it is not asked twice.
    assert_eq!(stores.ledgers.resolve(&mut stores.taken).unwrap(), []);
    assert_eq!(stores.taken, []);
    let late = stores.ledgers.commit(&mut stores.taken, &[events(1, 2, 1)]);
    assert!(matches!(late.unwrap(), Committed::Fenced(_)));
    assert_eq!(stores.size(1), 2);
}

pub(crate) fn a_ledger_is_made_with_its_first_entries(fixture: &Fixture) {
    let stores = fixture.stores("data").with_ledgers([2]);
    let first = batch(1, 0, vec![row(0, 0), row(1, 1)]);
    stores
        .ledgers
        .create_ledger(&ledger_record(1), &first)
        .unwrap();
    let records = stores.ledgers.ledgers().unwrap();
    assert_eq!(records, [ledger_record(1), ledger_record(2)]);
    assert_eq!(stores.size(1), 2);
    let before = shown(&stores.ledgers);
    // Neither the number nor the name is given twice.
    let mut same_name = ledger_record(1);
    same_name.number = ledger(3);
    let first = batch(3, 0, vec![row(0, 0)]);
    for record in [ledger_record(1), same_name] {
        stores.ledgers.create_ledger(&record, &first).unwrap_err();
    }
    assert_eq!(shown(&stores.ledgers), before);
    let heads = stores.ledgers.heads().unwrap();
    assert_eq!(heads.len(), 2);
    assert_eq!(heads[0].1.note, "ledger 1 at 2");
    let none = stores.ledgers.checkpoint(ledger(9)).unwrap();
    assert_eq!(none, None);
    assert_eq!(
        stores
            .ledgers
            .first_recorded_at(ledger(1), 2, 1_001)
            .unwrap(),
        Seq::new(1)
    );
}
