//! Random operations, on an engine and on the model: both must answer alike and hold the same.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use trailkeep_ports::model::MemoryLookups;
use trailkeep_ports::{
    Committed, DeletionBasis, DeletionCause, Ledgers, LookupStore, Order, Span, Statement,
    StoreError,
};
use trailkeep_proof::ids::{LookupKey, Seq};
use trailkeep_proof::time::UnixMillis;

use crate::Fixture;
use crate::fixture::{Stores, batch, class, key, ledger, numbers, referring, row, seqs, tag};

/// Sequences of operations, and operations of each: with all four tests and both engines some 10,000.
const CASES: u32 = 24;
const OPERATIONS: usize = 60;
/// The ledgers that there are.
const LEDGERS: [u32; 2] = [1, 2];

/// Runs sequences of operations on a fresh engine and a fresh model.
pub(crate) fn compare<T: std::fmt::Debug + Clone>(
    fixture: &Fixture,
    operation: impl Strategy<Value = T>,
    run: impl Fn(&mut Stores, &T) -> String,
    shown: impl Fn(&Stores) -> String,
) {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let number = std::cell::Cell::new(0);
    let outcome = TestRunner::new(config).run(&vec(operation, 1..OPERATIONS), |operations| {
        number.set(number.get() + 1);
        let name = format!("data-{}", number.get());
        let model = Fixture::memory();
        let (mut one, mut other) = (fixture.stores(&name), model.stores(&name));
        for operation in &operations {
            let answers = (run(&mut one, operation), run(&mut other, operation));
            prop_assert_eq!(&answers.0, &answers.1, "{:?}", operation);
        }
        prop_assert_eq!(shown(&one), shown(&other));
        Ok(())
    });
    outcome.unwrap();
}

/// What an operation said: of an error only that there was one, since each engine has its own words.
pub(crate) fn said<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(StoreError::RetiredEpoch) => "retired epoch".to_owned(),
        Err(_) => "refused".to_owned(),
    }
}

pub(crate) fn at(ms: u64) -> UnixMillis {
    UnixMillis::new(ms)
}

/// All that a store of ledgers holds.
pub(crate) fn shown(ledgers: &Ledgers) -> String {
    let mut text = String::new();
    for record in ledgers.ledgers().unwrap() {
        let number = record.number;
        let marks: BTreeMap<_, _> = ledgers.marks(number, 0..999).unwrap().into_iter().collect();
        let active = ledgers.active_index(number, 0..999).unwrap().into_iter();
        let active: Vec<_> = active
            .map(|(seq, keys)| {
                (
                    seq,
                    keys.iter().map(|key| *key.as_bytes()).collect::<Vec<_>>(),
                )
            })
            .collect();
        write!(
            text,
            "{record:?}\n{:?}\n{:?}\n{:?}\n{active:?}\n{marks:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n{:?}\n",
            ledgers.checkpoint(number).unwrap(),
            ledgers.entry_rows(number, 0..999).unwrap(),
            ledgers.payload_rows(number, 0..999).unwrap(),
            ledgers.events(number, &seqs(0..40), 300).unwrap(),
            ledgers.references(number, 0..999).unwrap(),
            ledgers.values(number, &numbers(0..40)).unwrap(),
            ledgers.next_value(number).unwrap(),
            ledgers.value_faults(number, 99).unwrap(),
            ledgers.classes(number).unwrap(),
            ledgers.statements(number).unwrap(),
            ledgers.expiries(number).unwrap(),
            ledgers.overdue(number, Seq::new(0), 999).unwrap(),
            ledgers.restrictions(number).unwrap(),
            ledgers.remembered_ids(number).unwrap(),
            ledgers.gaps(number).unwrap(),
            ledgers.last_anchorings(number).unwrap(),
        )
        .unwrap();
    }
    text
}

#[derive(Clone, Debug)]
enum LedgerOperation {
    /// Commits so many events of a class each; a wrong size where the last says so.
    Append(Vec<u64>, u16, bool),
    State(u32, Stating),
    Delete(u32, Vec<u64>),
    Replace(u32, u64),
    Leave(u32, Vec<u64>, u8, bool, u64),
    Forget(u64),
    DropActive(u32, u64, usize),
    Close(u32, u64),
}

#[derive(Clone, Debug)]
enum Stating {
    Class(u16),
    Expiry(u16, Vec<u64>, Vec<u64>),
    Tombstones(bool, Vec<u64>),
    Erasure(Vec<u64>, Vec<u64>),
    Lift(u64),
    Policy,
}

fn some_seqs() -> impl Strategy<Value = Vec<u64>> {
    proptest::collection::btree_set(0_u64..24, 0..4).prop_map(|seqs| seqs.into_iter().collect())
}

fn ledger_operation() -> impl Strategy<Value = LedgerOperation> {
    let of = || prop::sample::select(LEDGERS.to_vec());
    let stating = prop_oneof![
        (1_u16..4).prop_map(Stating::Class),
        (1_u16..4, some_seqs(), some_seqs()).prop_map(|(a, b, c)| Stating::Expiry(a, b, c)),
        (any::<bool>(), some_seqs()).prop_map(|(a, b)| Stating::Tombstones(a, b)),
        (some_seqs(), some_seqs()).prop_map(|(a, b)| Stating::Erasure(a, b)),
        (0_u64..24).prop_map(Stating::Lift),
        Just(Stating::Policy),
    ];
    prop_oneof![
        3 => (vec(0_u64..4, 2), 1_u16..4, prop::bool::weighted(0.2))
            .prop_map(|(a, b, c)| LedgerOperation::Append(a, b, c)),
        4 => (of(), stating).prop_map(|(a, b)| LedgerOperation::State(a, b)),
        1 => (of(), some_seqs()).prop_map(|(a, b)| LedgerOperation::Delete(a, b)),
        1 => (of(), 0_u64..24).prop_map(|(a, b)| LedgerOperation::Replace(a, b)),
        1 => (of(), some_seqs(), 0_u8..5, any::<bool>(), 0_u64..50)
            .prop_map(|(a, b, c, d, e)| LedgerOperation::Leave(a, b, c, d, e)),
        1 => (0_u64..50).prop_map(LedgerOperation::Forget),
        1 => (of(), 0_u64..24, 0_usize..9).prop_map(|(a, b, c)| LedgerOperation::DropActive(a, b, c)),
        1 => (of(), 0_u64..24).prop_map(|(a, b)| LedgerOperation::Close(a, b)),
    ]
}

fn statement(stating: &Stating) -> Statement {
    match stating.clone() {
        Stating::Class(number) => Statement::Class {
            number: class(number),
            definition: format!("class {number}"),
        },
        Stating::Expiry(number, held, released) => Statement::Expiry {
            class: class(number),
            recorded_before: at(1_100),
            held: seqs(held),
            released: seqs(released),
        },
        Stating::Tombstones(by_request, items) => Statement::Tombstones {
            cause: if by_request {
                DeletionBasis::Request
            } else {
                DeletionBasis::Trigger
            },
            items: seqs(items),
        },
        Stating::Erasure(covers, restricts) => Statement::Erasure {
            covers: seqs(covers),
            restricts: seqs(restricts),
        },
        Stating::Lift(restriction) => Statement::Lift {
            restriction: Seq::new(restriction),
        },
        Stating::Policy => Statement::Policy,
    }
}

fn run_on_ledgers(stores: &mut Stores, operation: &LedgerOperation) -> String {
    if stores.size(1) == 0 {
        for number in LEDGERS {
            let first = batch(number, 0, vec![row(0, 0)]);
            let record = crate::fixture::ledger_record(number);
            stores.ledgers.create_ledger(&record, &first).unwrap();
        }
    }
    let ledgers = stores.ledgers.clone();
    match operation {
        LedgerOperation::Append(counts, of_class, is_wrong) => {
            let batches = LEDGERS.iter().zip(counts).map(|(number, count)| {
                let from = stores.size(*number) + u64::from(*is_wrong && *number == 2);
                let next = ledgers.next_value(ledger(*number)).unwrap().get();
                // Events of a class have values of their own, and refer to those of before, which may be gone.
                let rows = (from..from + count)
                    .zip(next..)
                    .map(|(seq, new)| match of_class {
                        1 => row(1, seq),
                        _ => referring(seq, [new], numbers(new.saturating_sub(2)..new)),
                    });
                batch(*number, from, rows.collect())
            });
            let batches: Vec<_> = batches.collect();
            match ledgers.commit(&mut stores.taken, &batches) {
                Ok(Committed::All) => "all".to_owned(),
                Ok(Committed::Fenced(fences)) => format!("fenced {}", fences.len()),
                Ok(Committed::Unknown(_)) => "unknown".to_owned(),
                Err(error) => said::<()>(Err(error)),
            }
        }
        LedgerOperation::State(number, stating) => {
            let from = stores.size(*number);
            let mut stated = row(0, from);
            stated.lookups.clear();
            stated.states = Some(statement(stating).into());
            let committed =
                ledgers.commit(&mut stores.taken, &[batch(*number, from, vec![stated])]);
            said(committed.map(|committed| matches!(committed, Committed::All)))
        }
        LedgerOperation::Delete(number, items) => {
            said(ledgers.delete_payloads(ledger(*number), &seqs(items.clone())))
        }
        LedgerOperation::Replace(number, seq) => {
            let rows = [(Seq::new(*seq), vec![0xEE; 20])];
            said(ledgers.replace_payloads(ledger(*number), &rows))
        }
        LedgerOperation::Leave(number, items, of_tag, erased, until) => {
            let cause = if *erased {
                DeletionCause::Erased
            } else {
                DeletionCause::Expired
            };
            let gone = (&[tag(*of_tag)][..], cause);
            let items = seqs(items.clone());
            said(ledgers.leave_active(ledger(*number), &items, gone, at(*until)))
        }
        LedgerOperation::Forget(now) => said(ledgers.forget_ids(at(*now), 2)),
        LedgerOperation::DropActive(number, end, limit) => {
            said(ledgers.drop_active(ledger(*number), Seq::new(*end), *limit))
        }
        LedgerOperation::Close(number, statement) => {
            said(ledgers.close_job(ledger(*number), Seq::new(*statement)))
        }
    }
}

pub(crate) fn ledgers_are_as_the_model_says(fixture: &Fixture) {
    compare(fixture, ledger_operation(), run_on_ledgers, |stores| {
        shown(&stores.ledgers)
    });
}

#[derive(Clone, Debug)]
enum LookupOperation {
    Add(u64),
    Remove(Vec<u64>),
    Scan(Vec<u64>),
    Merge,
    Find(u8, u64, u64, bool, usize),
}

fn lookup_operation() -> impl Strategy<Value = LookupOperation> {
    prop_oneof![
        3 => (1_u64..60).prop_map(LookupOperation::Add),
        1 => vec(0_u64..900, 1..50).prop_map(LookupOperation::Remove),
        1 => vec(0_u64..900, 1..50).prop_map(LookupOperation::Scan),
        6 => Just(LookupOperation::Merge),
        3 => (0_u8..11, 0_u64..900, 0_u64..900, any::<bool>(), 0_usize..30)
            .prop_map(|(a, b, c, d, e)| LookupOperation::Find(a, b, c, d, e)),
    ]
}

fn keys_of(seq: u64) -> Vec<LookupKey> {
    vec![key((seq % 11) as u8), key(50 + (seq % 97) as u8)]
}

pub(crate) fn lookups_are_as_the_model_says(fixture: &Fixture) {
    let config = Config {
        cases: CASES / 4,
        failure_persistence: None,
        ..Config::default()
    };
    let number = std::cell::Cell::new(0);
    // Sixteen runs are merged into one: it takes many.
    let operations = vec(lookup_operation(), 2 * OPERATIONS..4 * OPERATIONS);
    let outcome = TestRunner::new(config).run(&operations, |operations| {
        number.set(number.get() + 1);
        let stores = fixture.stores(&format!("data-{}", number.get()));
        let index = crate::lookups::index(&stores, 20);
        let model = MemoryLookups::default();
        let mut next = 0;
        for operation in &operations {
            let both: [&dyn LookupStore; 2] = [&index, &model];
            let answers = both.map(|lookups| look_up(lookups, operation, next));
            if let LookupOperation::Add(count) = operation {
                next += count;
            }
            prop_assert_eq!(&answers[0], &answers[1], "{:?}", operation);
        }
        let count = |lookups: &dyn LookupStore| lookups.count_rows(ledger(1), Seq::MAX).unwrap();
        prop_assert_eq!(count(&index), count(&model));
        Ok(())
    });
    outcome.unwrap();
}

fn look_up(lookups: &dyn LookupStore, operation: &LookupOperation, next: u64) -> String {
    let events = |seqs: &[u64]| -> Vec<(Seq, Vec<LookupKey>)> {
        let seqs = seqs.iter().filter(|seq| **seq < next);
        seqs.map(|seq| (Seq::new(*seq), keys_of(*seq))).collect()
    };
    match operation {
        LookupOperation::Add(count) => {
            let new = (next..next + count).map(|seq| (Seq::new(seq), keys_of(seq)));
            lookups.add(ledger(1), new.collect());
            String::new()
        }
        LookupOperation::Remove(gone) => said(lookups.remove(ledger(1), &events(gone))),
        LookupOperation::Scan(gone) => {
            let gone: HashSet<Seq> = events(gone).into_iter().map(|(seq, _)| seq).collect();
            said(lookups.remove_by_scan(ledger(1), &gone))
        }
        // What was due is the engine's affair; what is found is not.
        LookupOperation::Merge => said(lookups.merge().map(drop)),
        LookupOperation::Find(of, from, end, newest, limit) => {
            let span = Span {
                from: Seq::new(*from),
                end: Seq::new(*end),
            };
            let order = if *newest {
                Order::Newest
            } else {
                Order::Oldest
            };
            said(lookups.find_in_order(ledger(1), key(*of), span, order, *limit))
        }
    }
}
