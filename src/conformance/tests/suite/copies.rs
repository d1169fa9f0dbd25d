//! Copies in other places.

use crate::Fixture;
use crate::fixture::{Folded, ID, events, ledger, record, seqs};
use crate::random::shown;
use trailkeep_files::FileError;
use trailkeep_ports::{StoreError, Watermark};
use trailkeep_proof::ids::{RootHash, Seq};
use trailkeep_proof::time::UnixMillis;

pub(crate) fn a_copy_of_ledgers_grows_and_loses_what_went(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1, 2]);
    stores.commit(&[events(1, 1, 5), events(2, 1, 2)]);
    let there = fixture.directory("copy");
    fixture.storage.create_ledgers(&there, ID).unwrap();
    let copy_now = || {
        let heads = stores.ledgers.heads().unwrap();
        let copy = stores.ledgers.copy_to(&there, ID).unwrap();
        let added = copy
            .add(&heads, &mut |done, total| assert!(done <= total))
            .unwrap();
        let changed = copy.finish(&heads).unwrap();
        copy.close().unwrap();
        (added, changed)
    };
    let (added, _) = copy_now();
    assert_eq!((added.entries, added.payloads), (9, 9));
    stores
        .ledgers
        .delete_payloads(ledger(1), &seqs([2, 3]))
        .unwrap();
    let anew = [(Seq::new(4), vec![77; 30])];
    stores.ledgers.replace_payloads(ledger(1), &anew).unwrap();
    let (added, changed) = copy_now();
    assert_eq!(added.entries, 0);
    assert_eq!((changed.payloads, changed.payloads_gone), (1, 2));
    let copy = fixture.storage.open_ledgers(&there, ID).unwrap();
    // All but the active run, which is derived again.
    stores.ledgers.drop_active(ledger(1), Seq::MAX, 99).unwrap();
    stores.ledgers.drop_active(ledger(2), Seq::MAX, 99).unwrap();
    assert_eq!(shown(&copy), shown(&stores.ledgers));
}

pub(crate) fn a_copy_is_up_to_its_heads(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1]);
    stores.commit(&[events(1, 1, 5)]);
    let heads = stores.ledgers.heads().unwrap();
    stores.commit(&[events(1, 6, 5)]);
    let there = fixture.directory("copy");
    fixture.storage.create_ledgers(&there, ID).unwrap();
    let copy = stores.ledgers.copy_to(&there, ID).unwrap();
    copy.add(&heads, &mut |_, _| {}).unwrap();
    assert_eq!(
        copy.heads().unwrap(),
        [],
        "it has no head before it is whole"
    );
    copy.finish(&heads).unwrap();
    assert_eq!(copy.heads().unwrap(), heads);
    copy.close().unwrap();
    drop(copy);
    let copy = fixture.storage.open_ledgers(&there, ID).unwrap();
    assert_eq!(copy.stored_end(ledger(1)).unwrap(), 6);
}

pub(crate) fn a_copy_of_the_vault_is_what_it_was(fixture: &Fixture) {
    let stores = fixture.stores("data");
    stores
        .vault
        .put_record(&record("hold", 1, "a", 1, 1))
        .unwrap();
    let path = stores.directory.path().join("vault.copy");
    stores.vault.copy_into(&path).unwrap();
    let look = fixture.storage.look_at_vault(&path).unwrap();
    assert_eq!(look.directory_id, ID);
    assert_eq!((look.lowest_epoch, look.highest_epoch), (1, 1));
    assert_eq!(look.changes, stores.vault.changes().unwrap());
    let mark = Watermark {
        size: 4,
        root: RootHash::new([4; 32]),
        seen_at: UnixMillis::new(4),
    };
    let marks = [(ledger(1), mark.clone())];
    fixture
        .storage
        .mark_vault_copy(&path, &Folded, &marks)
        .unwrap();
    stores.vault.delete_record("hold", ledger(1), "a").unwrap();
    let copy = fixture.storage.open_vault_copy(&path).unwrap();
    assert!(copy.record("hold", ledger(1), "a").unwrap().is_some());
    assert_eq!(copy.watermark(ledger(1)).unwrap(), Some(mark));
    assert_eq!(stores.vault.watermark(ledger(1)).unwrap(), None);
}

pub(crate) fn a_vault_of_another_directory_is_refused(fixture: &Fixture) {
    let stores = fixture.stores("data");
    let other = "f".repeat(32);
    let directory = &stores.directory;
    let file = directory.vault_db();
    assert_eq!(fixture.storage.vault_directory_id(&file).unwrap(), ID);
    let refused = [
        fixture.storage.open_vault(&file, &other).err(),
        fixture.storage.open_ledgers(directory, &other).err(),
        fixture.storage.open_runs(directory, &other).err(),
        fixture.storage.open_staging(directory, &other).err(),
    ];
    for error in refused {
        let is_it = matches!(error, Some(StoreError::OtherDirectory { .. }));
        assert!(is_it, "{error:?}");
    }
    let nowhere = fixture.directory("empty");
    let missing = fixture.storage.open_ledgers(&nowhere, ID).err();
    assert!(
        matches!(missing, Some(StoreError::File(FileError::Missing { .. }))),
        "{missing:?}"
    );
}
