//! Random operations on the vault and the inbox.

use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use trailkeep_ports::{Rewrapped, Round, SealedTable, Staging, Vault, VaultChanges};
use trailkeep_proof::ids::KeyId;

use crate::Fixture;
use crate::fixture::{Stores, ledger, record, tag};
use crate::inbox::part;
use crate::random::{at, compare, said};
use crate::vault::{new_key, new_person};

#[derive(Clone, Debug)]
enum VaultOperation {
    Commit(u8, u64, u32),
    Put(u8, u32, bool),
    DeleteRecord(u8),
    DeleteKeys(Vec<u64>),
    DeletePerson(i64),
    Retire(u64, u32),
    Fold(i64, u8),
    Rewrap(u32),
    End(u32),
}

fn vault_operation() -> impl Strategy<Value = VaultOperation> {
    let epoch = || 1_u32..4;
    prop_oneof![
        3 => (0_u8..6, 1_u64..9, epoch()).prop_map(|(a, b, c)| VaultOperation::Commit(a, b, c)),
        2 => (0_u8..5, epoch(), any::<bool>()).prop_map(|(a, b, c)| VaultOperation::Put(a, b, c)),
        1 => (0_u8..5).prop_map(VaultOperation::DeleteRecord),
        1 => vec(1_u64..9, 0..3).prop_map(VaultOperation::DeleteKeys),
        1 => (1_i64..5).prop_map(VaultOperation::DeletePerson),
        1 => (1_u64..9, epoch()).prop_map(|(a, b)| VaultOperation::Retire(a, b)),
        1 => (1_i64..5, 0_u8..4).prop_map(|(a, b)| VaultOperation::Fold(a, b)),
        1 => epoch().prop_map(VaultOperation::Rewrap),
        1 => epoch().prop_map(VaultOperation::End),
    ]
}

fn run_on_vault(stores: &mut Stores, operation: &VaultOperation) -> String {
    let vault = &stores.vault;
    match operation {
        VaultOperation::Commit(person, key_id, epoch) => {
            let persons = (*person > 0 && vault.person(ledger(1), tag(*person)).unwrap().is_none())
                .then(|| new_person(*person, *epoch));
            let owner = (*person > 0).then(|| tag(*person));
            let changes = VaultChanges {
                persons: persons.into_iter().collect(),
                data_keys: vec![new_key(*key_id, owner, "2026", *epoch)],
            };
            said(vault.commit(&changes))
        }
        VaultOperation::Put(id, epoch, is_note) => {
            let row = record("hold", 1, &id.to_string(), *epoch, *id);
            said(if *is_note {
                vault.put_note(&row)
            } else {
                vault.put_record(&row)
            })
        }
        VaultOperation::DeleteRecord(id) => {
            said(vault.delete_record("hold", ledger(1), &id.to_string()))
        }
        VaultOperation::DeleteKeys(keys) => {
            let keys: Vec<KeyId> = keys.iter().map(|key| KeyId::new(*key)).collect();
            said(vault.delete_data_keys(&keys))
        }
        VaultOperation::DeletePerson(person) => said(vault.delete_persons(&[*person])),
        VaultOperation::Retire(key_id, epoch) => {
            // Each gets a slot of its own.
            let period = format!("2026-{key_id}{}", trailkeep_ports::RETIRED);
            said(vault.retire_data_keys(&[new_key(*key_id, None, &period, *epoch).row]))
        }
        VaultOperation::Fold(person, folded) => {
            let folded = (*folded > 0).then(|| tag(*folded));
            said(vault.put_folded(ledger(1), &[(*person, folded)]))
        }
        VaultOperation::Rewrap(epoch) => {
            let mut answers = String::new();
            for table in SealedTable::ALL {
                let rows = vault.rows_below(table, *epoch, i64::MIN, 3).unwrap();
                let rewrapped = rows.into_iter().map(|before| Rewrapped {
                    before,
                    epoch: *epoch,
                    sealed: vec![0xAA; 8],
                });
                let rewrapped: Vec<_> = rewrapped.collect();
                answers += &said(vault.rewrap(table, &rewrapped));
            }
            answers
        }
        VaultOperation::End(epoch) => {
            // Epochs only end; nothing brings one back.
            let epoch = vault.lowest_epoch().unwrap().max(*epoch);
            said(vault.end_epochs_below(epoch))
        }
    }
}

fn shown_vault(vault: &Vault) -> String {
    let mut text = String::new();
    for table in SealedTable::ALL {
        let rows = vault.rows_below(table, u32::MAX, i64::MIN, 999).unwrap();
        writeln!(text, "{rows:?}").unwrap();
    }
    let bytes = |tags: Vec<trailkeep_proof::ids::Tag>| -> Vec<[u8; 16]> {
        tags.iter().map(|tag| *tag.as_bytes()).collect()
    };
    for folded in 0..4 {
        let tags = vault.persons_folded_to(ledger(1), tag(folded), 99).unwrap();
        writeln!(text, "{:?}", bytes(tags)).unwrap();
    }
    let keys = vault.data_keys(None, 999).unwrap();
    let tags = vault.person_tags(ledger(1), 0, 999).unwrap();
    let unfolded = vault.unfolded_persons(ledger(1), 99).unwrap().len();
    let (changes, lowest) = (vault.changes().unwrap(), vault.lowest_epoch().unwrap());
    text + &format!("{keys:?}{tags:?}{unfolded} {changes} {lowest}")
}

pub(crate) fn the_vault_is_as_the_model_says(fixture: &Fixture) {
    compare(fixture, vault_operation(), run_on_vault, |stores| {
        shown_vault(&stores.vault)
    });
}

#[derive(Clone, Debug)]
enum InboxOperation {
    Add(Vec<(u8, u8, bool, u64)>),
    Due(u64, u64, Option<u8>),
    Finish(Vec<i64>, Vec<i64>, Vec<i64>, u8),
    Remove(Vec<i64>),
    DropUsed(u64),
}

fn inbox_operation() -> impl Strategy<Value = InboxOperation> {
    let ids = || vec(1_i64..20, 0..4);
    prop_oneof![
        4 => vec((0_u8..40, 0_u8..5, any::<bool>(), 0_u64..50), 1..4).prop_map(InboxOperation::Add),
        3 => (0_u64..50, 0_u64..50, proptest::option::of(0_u8..6))
            .prop_map(|(a, b, c)| InboxOperation::Due(a, b, c)),
        2 => (ids(), ids(), ids(), 0_u8..3)
            .prop_map(|(a, b, c, d)| InboxOperation::Finish(a, b, c, d)),
        1 => ids().prop_map(InboxOperation::Remove),
        1 => (0_u64..50).prop_map(InboxOperation::DropUsed),
    ]
}

fn run_on_inbox(stores: &mut Stores, operation: &InboxOperation) -> String {
    let inbox = &stores.inbox;
    match operation {
        InboxOperation::Add(parts) => {
            let parts = parts.iter();
            let parts =
                parts.map(|(number, trace, is_root, at)| part(*number, *trace, *is_root, *at));
            said(inbox.add(ledger(1), &parts.collect::<Vec<_>>()))
        }
        InboxOperation::Due(root_by, first_by, after) => {
            let due = inbox.due_traces(ledger(1), at(*root_by), at(*first_by), after.map(tag), 3);
            said(due.map(|due| {
                due.iter()
                    .map(|trace| trace.as_bytes()[0])
                    .collect::<Vec<_>>()
            }))
        }
        InboxOperation::Finish(done, used, unreadable, events) => {
            let events = (0..*events).map(|day| (u32::from(day), vec![day; 4]));
            let round = Round {
                done: done.clone(),
                used: used.clone(),
                unreadable: unreadable.clone(),
                events: events.collect(),
            };
            said(inbox.finish_round(ledger(1), &round))
        }
        InboxOperation::Remove(rows) => said(inbox.remove_assembled(rows)),
        InboxOperation::DropUsed(by) => said(inbox.drop_used(ledger(1), at(*by))),
    }
}

fn shown_inbox(inbox: &Staging) -> String {
    let parts = inbox.part_rows(ledger(1), 0, 999).unwrap();
    let events = inbox.assembled_rows(ledger(1), 0, 999).unwrap();
    let waiting = inbox.waiting().unwrap();
    let days = inbox.days(ledger(1)).unwrap();
    format!(
        "{parts:?}{events:?}{waiting}{days:?}{:?}",
        inbox.ledgers().unwrap()
    )
}

pub(crate) fn the_inbox_is_as_the_model_says(fixture: &Fixture) {
    compare(fixture, inbox_operation(), run_on_inbox, |stores| {
        shown_inbox(&stores.inbox)
    });
}
