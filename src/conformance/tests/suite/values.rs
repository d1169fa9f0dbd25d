//! Values, which are deleted with the last event that refers to them.

use crate::Fixture;
use crate::fixture::{ID, Stores, batch, events, ledger, numbers, referring, seqs};
use crate::random::shown;
use trailkeep_ports::{StoreError, ValueFault};
use trailkeep_proof::ids::{Seq, ValueNumber};

/// Entry 1 has the values 0 and 1, entry 2 refers to 1 and has 2, entry 3 refers to all of them.
fn conversation(fixture: &Fixture, name: &str) -> Stores {
    let mut stores = fixture.stores(name).with_ledgers([1, 2]);
    let rows = vec![
        referring(1, [0, 1], Vec::new()),
        referring(2, [2], numbers([1])),
        referring(3, [], numbers([0, 1, 2])),
    ];
    stores.commit(&[batch(1, 1, rows)]);
    stores
}

/// Which of the first values are stored.
fn stored(stores: &Stores) -> Vec<u64> {
    let found = stores.ledgers.values(ledger(1), &numbers(0..9)).unwrap();
    let stored = (0..).zip(found).filter(|(_, bytes)| bytes.is_some());
    stored.map(|(number, _)| number).collect()
}

fn faults(stores: &Stores) -> Vec<ValueFault> {
    stores.ledgers.value_faults(ledger(1), 9).unwrap()
}

pub(crate) fn values_go_with_their_last_event(fixture: &Fixture) {
    let mut stores = conversation(fixture, "data");
    assert_eq!(stores.ledgers.next_value(ledger(1)).unwrap().get(), 3);
    assert_eq!(stores.ledgers.next_value(ledger(2)).unwrap().get(), 0);
    let other = stores.ledgers.values(ledger(2), &numbers(0..3)).unwrap();
    assert_eq!(other, [None, None, None], "numbers are of one ledger");
    let found = stores.ledgers.references(ledger(1), 2..4).unwrap();
    let expected = [
        (Seq::new(2), numbers([1, 2])),
        (Seq::new(3), numbers([0, 1, 2])),
    ];
    assert_eq!(found, expected);
    let delete = |stores: &Stores, seq| {
        let deleted = stores.ledgers.delete_payloads(ledger(1), &seqs([seq]));
        deleted.unwrap();
        assert_eq!(faults(stores), []);
        stored(stores)
    };
    // The middle of it, twice: what others refer to stays.
    assert_eq!(delete(&stores, 2), [0, 1, 2]);
    assert_eq!(delete(&stores, 2), [0, 1, 2]);
    stores.commit(&[batch(1, 4, vec![referring(4, [], numbers([2]))])]);
    assert_eq!(delete(&stores, 3), [0, 1, 2]);
    assert_eq!(delete(&stores, 1), [2]);
    assert_eq!(delete(&stores, 4), [0; 0]);
    assert_eq!(stores.ledgers.references(ledger(1), 0..9).unwrap(), []);
}

pub(crate) fn a_re_encrypted_payload_refers_to_nothing(fixture: &Fixture) {
    let stores = conversation(fixture, "data");
    let replace = |seq| {
        let rows = [(Seq::new(seq), vec![2; 30])];
        stores.ledgers.replace_payloads(ledger(1), &rows).unwrap();
        assert_eq!(faults(&stores), []);
        stored(&stores)
    };
    assert_eq!(replace(3), [0, 1, 2]);
    assert_eq!(replace(1), [1, 2]);
    assert_eq!(replace(2), [0; 0]);
    // It is deleted like any other.
    let deleted = stores.ledgers.delete_payloads(ledger(1), &seqs([1, 2, 3]));
    deleted.unwrap();
    assert_eq!(replace(2), [0; 0]);
}

pub(crate) fn what_refers_to_a_value_that_is_gone_is_not_written(fixture: &Fixture) {
    let mut stores = conversation(fixture, "data");
    let deleted = stores.ledgers.delete_payloads(ledger(1), &seqs([1, 3]));
    deleted.unwrap();
    let before = shown(&stores.ledgers);
    let rows = vec![
        referring(4, [3], numbers([2])),
        referring(5, [], numbers([0, 3])),
    ];
    let batches = [events(2, 1, 1), batch(1, 4, rows)];
    let refused = stores.ledgers.commit(&mut stores.taken, &batches);
    let Err(StoreError::ValuesGone { ledger, values }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!((ledger, values), (1, vec![ValueNumber::new(0)]));
    assert_eq!(shown(&stores.ledgers), before);
    // The claim is as good as before, and one event may refer to what another of its batch brings.
    let rows = vec![
        referring(4, [3], numbers([2])),
        referring(5, [], numbers([2, 3])),
    ];
    stores.commit(&[batch(1, 4, rows)]);
    assert_eq!(stored(&stores), [1, 2, 3]);
    assert_eq!(faults(&stores), []);
}

fn copy_now(fixture: &Fixture, stores: &Stores, name: &str) -> String {
    let there = fixture.directory(name);
    if !there.ledger_db().exists() {
        let _ = fixture.storage.create_ledgers(&there, ID);
    }
    let heads = stores.ledgers.heads().unwrap();
    let copy = stores.ledgers.copy_to(&there, ID).unwrap();
    copy.add(&heads, &mut |_, _| {}).unwrap();
    copy.finish(&heads).unwrap();
    copy.close().unwrap();
    drop(copy);
    shown(&fixture.storage.open_ledgers(&there, ID).unwrap())
}

/// What a store holds, but for the active run.
fn without_active(stores: &Stores) -> String {
    for number in [1, 2] {
        let dropped = stores.ledgers.drop_active(ledger(number), Seq::MAX, 99);
        dropped.unwrap();
    }
    shown(&stores.ledgers)
}

pub(crate) fn a_copy_has_the_values_of_its_events(fixture: &Fixture) {
    let mut stores = conversation(fixture, "data");
    let first = copy_now(fixture, &stores, "copy");
    assert_eq!(first, without_active(&stores));
    let deleted = stores.ledgers.delete_payloads(ledger(1), &seqs([1, 3]));
    deleted.unwrap();
    // Of events behind the heads nothing is copied, and neither are their values.
    let heads = stores.ledgers.heads().unwrap();
    let before = without_active(&stores);
    stores.commit(&[batch(1, 4, vec![referring(4, [3], numbers([2]))])]);
    let there = fixture.directory("copy");
    let copy = stores.ledgers.copy_to(&there, ID).unwrap();
    copy.add(&heads, &mut |_, _| {}).unwrap();
    copy.finish(&heads).unwrap();
    copy.close().unwrap();
    drop(copy);
    let copied = fixture.storage.open_ledgers(&there, ID).unwrap();
    assert_eq!(shown(&copied), before);
    drop(copied);
    let last = copy_now(fixture, &stores, "copy");
    assert_eq!(last, without_active(&stores));
}

pub(crate) fn a_number_that_is_given_again_is_copied_again(fixture: &Fixture) {
    let mut stores = conversation(fixture, "data");
    copy_now(fixture, &stores, "copy");
    let deleted = stores.ledgers.delete_payloads(ledger(1), &seqs([2, 3]));
    deleted.unwrap();
    assert_eq!(stores.ledgers.next_value(ledger(1)).unwrap().get(), 2);
    stores.commit(&[batch(1, 4, vec![referring(4, [2], numbers([1]))])]);
    let again = copy_now(fixture, &stores, "copy");
    assert_eq!(again, without_active(&stores));
}
