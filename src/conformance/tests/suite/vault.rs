//! The vault.

use crate::Fixture;
use crate::fixture::{Stores, class, ledger, ledger_record, record, tag};
use trailkeep_ports::{
    ApiKeyRow, AppliedRows, DataKeyRow, LedgerSecretRow, NewDataKey, NewPerson, RETIRED, Rewrapped,
    SealedTable, StoreError, VaultChanges, Watermark,
};
use trailkeep_proof::ids::{KeyId, RootHash, Seq, Tag};
use trailkeep_proof::time::UnixMillis;

pub(crate) fn new_person(number: u8, epoch: u32) -> NewPerson {
    NewPerson {
        ledger: ledger(1),
        tag: tag(number),
        folded: Some(tag(number % 3)),
        epoch,
        sealed: vec![number; 8],
    }
}

pub(crate) fn new_key(id: u64, person: Option<Tag>, period: &str, epoch: u32) -> NewDataKey {
    let row = DataKeyRow {
        key_id: KeyId::new(id),
        ledger: ledger(1),
        person: 0,
        class: class(1),
        period: period.to_owned(),
        epoch,
        sealed: vec![u8::try_from(id % 251).unwrap(); 8],
    };
    NewDataKey { person, row }
}

fn commit(
    stores: &Stores,
    persons: Vec<NewPerson>,
    data_keys: Vec<NewDataKey>,
) -> Result<(), StoreError> {
    stores.vault.commit(&VaultChanges { persons, data_keys })
}

pub(crate) fn nothing_is_written_before_the_rows_are_guarded(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let again = fixture
        .storage
        .open_vault(&stores.directory.vault_db(), crate::fixture::ID);
    let again = again.unwrap();
    assert!(again.has_sums().unwrap());
    let refused = again.put_record(&record("hold", 1, "a", 1, 1));
    assert!(matches!(refused, Err(StoreError::Unguarded)), "{refused:?}");
    again
        .keep_sums(std::sync::Arc::new(crate::fixture::Folded))
        .unwrap();
    again.put_record(&record("hold", 1, "a", 1, 1)).unwrap();
    let parts = again.changed_parts(&crate::fixture::Folded, u64::MAX);
    assert_eq!(parts.unwrap(), []);
}

pub(crate) fn one_key_takes_a_slot(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let person = vec![new_person(1, 1)];
    commit(&stores, person, vec![new_key(10, Some(tag(1)), "2026", 1)]).unwrap();
    let changes = stores.vault.changes().unwrap();
    // The second maker of one slot learns of it, and nothing of its commit stays.
    let second = vec![new_person(2, 1)];
    commit(&stores, second, vec![new_key(11, Some(tag(1)), "2026", 1)]).unwrap_err();
    assert!(stores.vault.person(ledger(1), tag(2)).unwrap().is_none());
    assert_eq!(stores.vault.changes().unwrap(), changes);
    commit(
        &stores,
        Vec::new(),
        vec![new_key(12, Some(tag(9)), "2026", 1)],
    )
    .unwrap_err();
    commit(&stores, Vec::new(), vec![new_key(13, None, "2026", 1)]).unwrap();
    let of = |person| {
        stores
            .vault
            .data_key_for(ledger(1), person, class(1), "2026")
    };
    assert_eq!(of(Some(tag(1))).unwrap().unwrap().key_id, KeyId::new(10));
    assert_eq!(of(None).unwrap().unwrap().key_id, KeyId::new(13));
    assert!(of(Some(tag(9))).unwrap().is_none());
    let row = stores.vault.person(ledger(1), tag(1)).unwrap().unwrap();
    assert!(stores.vault.person_has_keys(ledger(1), row.id).unwrap());
    assert_eq!(
        stores
            .vault
            .persons_folded_to(ledger(1), tag(1), 9)
            .unwrap(),
        [tag(1)]
    );
    stores.vault.delete_data_keys(&[KeyId::new(10)]).unwrap();
    stores.vault.delete_persons(&[row.id]).unwrap();
    assert!(stores.vault.person(ledger(1), tag(1)).unwrap().is_none());
    assert_eq!(
        stores
            .vault
            .persons_folded_to(ledger(1), tag(1), 9)
            .unwrap(),
        []
    );
    assert!(
        stores
            .vault
            .folded_of_nobody(ledger(1), 9)
            .unwrap()
            .is_empty()
    );
}

pub(crate) fn a_retired_key_frees_its_slot(fixture: &Fixture) {
    let stores = fixture.stores("data");
    commit(&stores, Vec::new(), vec![new_key(10, None, "2026", 1)]).unwrap();
    let mut retired = new_key(10, None, &format!("2026{RETIRED}"), 1).row;
    retired.sealed = vec![99; 8];
    stores
        .vault
        .retire_data_keys(std::slice::from_ref(&retired))
        .unwrap();
    commit(&stores, Vec::new(), vec![new_key(11, None, "2026", 1)]).unwrap();
    let retired = stores.vault.retired_data_keys(ledger(1)).unwrap();
    assert_eq!(retired.len(), 1);
    assert_eq!(
        (retired[0].key_id, &*retired[0].sealed),
        (KeyId::new(10), &[99; 8][..])
    );
    let of_period = stores
        .vault
        .data_keys_of_period(ledger(1), class(1), "2026");
    assert_eq!(of_period.unwrap(), [KeyId::new(11)]);
}

pub(crate) fn no_row_of_an_ended_epoch_is_written(fixture: &Fixture) {
    let stores = fixture.stores("data");
    stores
        .vault
        .put_record(&record("hold", 1, "a", 1, 1))
        .unwrap();
    assert!(
        !stores.vault.end_epochs_below(2).unwrap(),
        "a row of epoch 1 is there"
    );
    assert_eq!(stores.vault.lowest_epoch().unwrap(), 1);
    for table in SealedTable::ALL {
        let rows = stores.vault.rows_below(table, 2, i64::MIN, 99).unwrap();
        let rewrapped = rows.into_iter().map(|before| Rewrapped {
            before,
            epoch: 2,
            sealed: vec![2; 8],
        });
        stores
            .vault
            .rewrap(table, &rewrapped.collect::<Vec<_>>())
            .unwrap();
    }
    assert!(stores.vault.end_epochs_below(2).unwrap());
    assert_eq!(stores.vault.lowest_epoch().unwrap(), 2);
    let changes = stores.vault.changes().unwrap();
    let secret = LedgerSecretRow {
        ledger: ledger(1),
        kind: "signing".to_owned(),
        key_id: KeyId::new(1),
        epoch: 1,
        sealed: vec![1; 8],
    };
    let late = [
        commit(&stores, vec![new_person(1, 1)], Vec::new()),
        commit(&stores, Vec::new(), vec![new_key(1, None, "2026", 1)]),
        stores.vault.put_record(&record("hold", 1, "b", 1, 1)),
        stores.vault.put_note(&record("note", 1, "b", 1, 1)),
        stores.vault.add_ledger(&ledger_record(1), &[secret]),
    ];
    for refused in late {
        assert!(
            matches!(refused, Err(StoreError::RetiredEpoch)),
            "{refused:?}"
        );
    }
    assert_eq!(stores.vault.changes().unwrap(), changes);
    assert_eq!(stores.vault.ledgers().unwrap(), []);
    stores
        .vault
        .put_record(&record("hold", 1, "b", 2, 1))
        .unwrap();
}

pub(crate) fn a_rewrap_leaves_what_changed_meanwhile(fixture: &Fixture) {
    let stores = fixture.stores("data");
    stores
        .vault
        .put_record(&record("hold", 1, "a", 1, 1))
        .unwrap();
    stores
        .vault
        .put_record(&record("hold", 1, "b", 1, 2))
        .unwrap();
    let rows = stores
        .vault
        .rows_below(SealedTable::Record, 2, i64::MIN, 99)
        .unwrap();
    // The row of the sums' key is there, too.
    assert_eq!(rows.len(), 3);
    stores
        .vault
        .put_record(&record("hold", 1, "a", 1, 77))
        .unwrap();
    let rewrapped: Vec<_> = rows
        .into_iter()
        .map(|before| Rewrapped {
            before,
            epoch: 2,
            sealed: vec![0; 8],
        })
        .collect();
    stores
        .vault
        .rewrap(SealedTable::Record, &rewrapped)
        .unwrap();
    let of = |id| stores.vault.record("hold", ledger(1), id).unwrap().unwrap();
    assert_eq!((of("a").epoch, of("a").sealed), (1, vec![77; 8]));
    assert_eq!((of("b").epoch, of("b").sealed), (2, vec![0; 8]));
    assert_eq!(stores.vault.count_below(SealedTable::Record, 2).unwrap(), 1);
}

pub(crate) fn a_statement_applies_whole(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let api_key = |epoch| ApiKeyRow {
        id: "k".to_owned(),
        epoch,
        sealed: vec![5; 8],
    };
    stores
        .vault
        .put_record(&record("hold", 1, "old", 1, 1))
        .unwrap();
    let rows = |seq, epoch| AppliedRows {
        ledger: ledger(1),
        seq: Seq::new(seq),
        records: vec![record("hold", 1, "new", 1, 2)],
        api_keys: vec![api_key(epoch)],
        taken: vec![("hold".to_owned(), ledger(1), "old".to_owned())],
    };
    stores.vault.apply(&rows(7, 0)).unwrap_err();
    assert_eq!(stores.vault.applied(ledger(1)).unwrap(), None);
    assert!(
        stores
            .vault
            .record("hold", ledger(1), "old")
            .unwrap()
            .is_some()
    );
    let before = stores.vault.version();
    assert!(before.is_some());
    assert_eq!(stores.vault.version(), before);
    stores.vault.apply(&rows(7, 1)).unwrap();
    assert_ne!(stores.vault.version(), before);
    let ids: Vec<_> = stores.vault.records("hold", ledger(1)).unwrap();
    assert_eq!(ids.iter().map(|row| &*row.id).collect::<Vec<_>>(), ["new"]);
    assert_eq!(stores.vault.api_key("k").unwrap().unwrap().sealed, [5; 8]);
    // An older statement does not set it back.
    stores.vault.apply(&rows(3, 1)).unwrap();
    assert_eq!(stores.vault.applied(ledger(1)).unwrap(), Some(Seq::new(7)));
}

pub(crate) fn a_ledger_that_was_never_made_goes_whole(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let secret = |of: u32, kind: &str| LedgerSecretRow {
        ledger: ledger(of),
        kind: kind.to_owned(),
        key_id: KeyId::new(7),
        epoch: 1,
        sealed: vec![1; 8],
    };
    let add = |of| {
        let secrets = [secret(of, "signing"), secret(of, "system")];
        stores.vault.add_ledger(&ledger_record(of), &secrets)
    };
    add(1).unwrap();
    add(2).unwrap();
    add(2).unwrap_err();
    let mark = Watermark {
        size: 3,
        root: RootHash::new([3; 32]),
        seen_at: UnixMillis::new(9),
    };
    stores.vault.set_watermark(ledger(2), &mark).unwrap();
    stores
        .vault
        .put_record(&record("hold", 2, "a", 1, 1))
        .unwrap();
    assert_eq!(stores.vault.last_ledger().unwrap(), Some(ledger(2)));
    assert_eq!(stores.vault.watermark(ledger(2)).unwrap(), Some(mark));
    stores.vault.remove_ledger(ledger(2), "no-key").unwrap();
    assert_eq!(stores.vault.ledgers().unwrap(), [ledger_record(1)]);
    assert_eq!(stores.vault.watermark(ledger(2)).unwrap(), None);
    assert_eq!(stores.vault.last_ledger().unwrap(), Some(ledger(1)));
    assert!(stores.vault.ledger_secrets(ledger(2)).unwrap().is_empty());
    assert!(stores.vault.records_of(ledger(2)).unwrap().is_empty());
    assert_eq!(stores.vault.ledger_secrets(ledger(1)).unwrap().len(), 2);
}

pub(crate) fn only_changes_count(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let count = || stores.vault.changes().unwrap();
    let begun = count();
    stores
        .vault
        .put_note(&record("note", 1, "a", 1, 1))
        .unwrap();
    let mark = Watermark {
        size: 1,
        root: RootHash::new([1; 32]),
        seen_at: UnixMillis::new(1),
    };
    stores.vault.set_watermark(ledger(1), &mark).unwrap();
    let state = stores.vault.copy_state("t").unwrap();
    assert_eq!(state, trailkeep_ports::CopyState::default());
    let state = trailkeep_ports::CopyState {
        changes: Some(4),
        error: Some("no".to_owned()),
        ..state
    };
    stores.vault.set_copy_state("t", &state).unwrap();
    assert_eq!(stores.vault.copy_state("t").unwrap(), state);
    stores.vault.remove_copy_state("t").unwrap();
    assert_eq!(count(), begun);
    stores
        .vault
        .put_record(&record("hold", 1, "a", 1, 1))
        .unwrap();
    assert_eq!(count(), begun + 1);
}
