//! Who may write.

use crate::Fixture;
use crate::fixture::{events, ledger};
use trailkeep_ports::{Committed, ShardId};

pub(crate) fn one_process_has_a_shard(fixture: &Fixture) {
    let directory = fixture.directory("data");
    let one = fixture.storage.claims(&directory);
    let other = fixture.storage.claims(&directory);
    assert_eq!(one.shards().unwrap(), [ShardId::ALL]);
    let claim = one.take(ShardId::ALL).unwrap().unwrap();
    assert_eq!(claim.version, 0);
    assert_eq!(other.take(ShardId::ALL).unwrap(), None);
    // Not twice in the same process either: two writers are two writers.
    assert_eq!(one.take(ShardId::ALL).unwrap(), None);
    let epoch = claim.epoch;
    one.give(claim).unwrap();
    let again = one.take(ShardId::ALL).unwrap().unwrap();
    assert!(again.epoch > epoch, "each take is an epoch of its own");
    one.give(again).unwrap();
    other.take(ShardId::ALL).unwrap().unwrap();
}

pub(crate) fn what_was_taken_goes_with_its_holder(fixture: &Fixture) {
    let directory = fixture.directory("data");
    let one = fixture.storage.claims(&directory);
    let claim = one.take(ShardId::ALL).unwrap();
    let other = fixture.storage.claims(&directory);
    assert_eq!(other.take(ShardId::ALL).unwrap(), None);
    drop((one, claim));
    other.take(ShardId::ALL).unwrap().unwrap();
}

pub(crate) fn nothing_is_written_without_a_claim(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1]);
    let claim = stores.taken.pop().unwrap();
    let committed = stores.ledgers.commit(&mut [], &[events(1, 1, 2)]).unwrap();
    let Committed::Fenced(fences) = committed else {
        panic!("{committed:?}");
    };
    assert_eq!(fences.len(), 1);
    assert_eq!(fences[0].shard, ShardId::ALL);
    assert_eq!(stores.size(1), 1);
    stores.taken.push(claim);
    stores.commit(&[events(1, 1, 2)]);
}

pub(crate) fn the_old_owner_is_fenced_after_a_take(fixture: &Fixture) {
    let mut old = fixture.stores("data").with_ledgers([1]);
    old.commit(&[events(1, 1, 2)]);
    // It forgets that it gave the shard away: its claim is one of before.
    let stale = old.taken.pop().unwrap();
    let copy = trailkeep_ports::Claim {
        shard: stale.shard,
        epoch: stale.epoch,
        version: stale.version,
    };
    old.claims.give(stale).unwrap();
    let mut new = fixture.open(&old.directory);
    new.commit(&[events(1, 3, 1)]);
    let late = old.ledgers.commit(&mut [copy], &[events(1, 3, 4)]).unwrap();
    assert!(matches!(late, Committed::Fenced(_)), "{late:?}");
    assert_eq!(new.size(1), 4);
    assert_eq!(new.ledgers.stored_end(ledger(1)).unwrap(), 4);
}
