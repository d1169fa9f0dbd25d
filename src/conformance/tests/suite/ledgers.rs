//! What statements say, what goes, and what stands beside the entries.

use crate::Fixture;
use crate::fixture::{Stores, batch, class, events, ledger, person, row, seqs, tag};
use trailkeep_ports::{
    AnchoringRow, DeletionBasis, DeletionCause, Extent, GapName, Order, Span, Statement,
};
use trailkeep_proof::ids::Seq;
use trailkeep_proof::time::UnixMillis;

fn at(ms: u64) -> UnixMillis {
    UnixMillis::new(ms)
}

/// Appends a system entry that states something; gives its seq.
fn state(stores: &mut Stores, statement: Statement) -> Seq {
    let from = stores.size(1);
    let mut stating = row(0, from);
    stating.lookups.clear();
    stating.states = Some(statement.into());
    stores.commit(&[batch(1, from, vec![stating])]);
    Seq::new(from)
}

pub(crate) fn statements_are_read_back(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1]);
    stores.commit(&[events(1, 1, 8)]);
    let defined = Statement::Class {
        number: class(1),
        definition: "{\"name\":\"one\"}".to_owned(),
    };
    let defined = state(&mut stores, defined);
    let expired = state(
        &mut stores,
        Statement::Expiry {
            class: class(1),
            recorded_before: at(1_050),
            held: seqs([2, 3]),
            released: Vec::new(),
        },
    );
    let policy = state(&mut stores, Statement::Policy);
    let covered = Statement::Tombstones {
        cause: DeletionBasis::Trigger,
        items: seqs([3, 5]),
    };
    let covered = state(&mut stores, covered);
    let ledgers = &stores.ledgers;
    let classes = ledgers.classes(ledger(1)).unwrap();
    assert_eq!(classes.len(), 1);
    assert_eq!(
        (classes[0].number, classes[0].statement),
        (class(1), defined)
    );
    assert_eq!(classes[0].definition, "{\"name\":\"one\"}");
    let expiries = ledgers.expiries(ledger(1)).unwrap();
    assert_eq!(
        (expiries[0].statement, expiries[0].class),
        (expired, class(1))
    );
    let statements = ledgers.statements(ledger(1)).unwrap();
    let expected = [
        (expired, "expiry".to_owned(), true),
        (policy, "policy".to_owned(), false),
        (covered, "covers-trigger".to_owned(), true),
    ];
    assert_eq!(statements, expected);
    ledgers.close_job(ledger(1), expired).unwrap();
    let open = ledgers.open_jobs(ledger(1)).unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].statement, covered);
    // The tombstone took 3 out of those that a hold keeps.
    assert_eq!(
        ledgers.overdue(ledger(1), Seq::new(0), 9).unwrap(),
        seqs([2])
    );
    assert_eq!(
        ledgers.tombstone_items(ledger(1), covered).unwrap(),
        seqs([3, 5])
    );
    let marks = ledgers.marks(ledger(1), 0..9).unwrap();
    assert_eq!(marks.len(), 3);
    assert!(marks[&Seq::new(2)].is_overdue);
    assert_eq!(marks[&Seq::new(5)].tombstone, Some(covered));
    let event = ledgers.event(ledger(1), Seq::new(3)).unwrap().unwrap();
    assert_eq!(event.mark, marks[&Seq::new(3)]);
    let of_class = |order| {
        let span = Span {
            from: Seq::new(2),
            end: Seq::new(7),
        };
        ledgers.events_of_classes(ledger(1), &[class(1)], span, order, 3)
    };
    assert_eq!(of_class(Order::Oldest).unwrap(), seqs([2, 3, 4]));
    assert_eq!(of_class(Order::Newest).unwrap(), seqs([6, 5, 4]));
}

pub(crate) fn restrictions_are_lifted_once(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1]);
    stores.commit(&[events(1, 1, 5)]);
    let restrict = |items: &[u64]| Statement::Erasure {
        covers: Vec::new(),
        restricts: seqs(items.iter().copied()),
    };
    let first = state(&mut stores, restrict(&[2, 3]));
    let second = state(&mut stores, restrict(&[3, 4]));
    let lifted = state(&mut stores, Statement::Lift { restriction: first });
    let again = state(&mut stores, Statement::Lift { restriction: first });
    let ledgers = &stores.ledgers;
    assert!(again > lifted);
    let restrictions = ledgers.restrictions(ledger(1)).unwrap();
    assert_eq!(restrictions, [(first, Some(lifted)), (second, None)]);
    let marks = ledgers.marks(ledger(1), 0..9).unwrap();
    assert!(!marks.contains_key(&Seq::new(2)));
    assert_eq!(marks[&Seq::new(3)].restricted_by, Some(second));
    assert_eq!(
        ledgers.restricted_by(ledger(1), first).unwrap(),
        seqs([2, 3])
    );
}

pub(crate) fn ids_that_went_are_remembered_and_forgotten(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1, 2]);
    stores.commit(&[events(1, 1, 3)]);
    let ledgers = &stores.ledgers;
    let one = ledger(1);
    ledgers
        .leave_active(one, &seqs([1]), (&[tag(1)], DeletionCause::Expired), at(50))
        .unwrap();
    ledgers
        .leave_active(one, &seqs([2]), (&[tag(2)], DeletionCause::Erased), at(90))
        .unwrap();
    let active = ledgers.active_index(one, 0..9).unwrap();
    assert_eq!(
        active.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(),
        seqs([0, 3])
    );
    let causes = ledgers.deleted_ids(one, &[tag(1), tag(3), tag(2)], at(49));
    let expected = [
        Some(DeletionCause::Expired),
        None,
        Some(DeletionCause::Erased),
    ];
    assert_eq!(causes.unwrap(), expected);
    // At its end an id is forgotten already.
    let causes = ledgers.deleted_ids(one, &[tag(1)], at(50)).unwrap();
    assert_eq!(causes, [None]);
    let other = ledgers.deleted_ids(ledger(2), &[tag(2)], at(0)).unwrap();
    assert_eq!(other, [None]);
    let known = ledgers.remembered_ids(one).unwrap();
    assert_eq!(
        (known.rows, known.expired, known.erased, known.until_ms),
        (2, 1, 1, 90)
    );
    assert_eq!(ledgers.remembered_beyond(one, "erased", at(89)).unwrap(), 1);
    assert_eq!(ledgers.remembered_until(one, tag(1)).unwrap(), Some(at(50)));
    assert_eq!(ledgers.forget_ids(at(50), 10).unwrap(), 1);
    assert_eq!(ledgers.remembered_until(one, tag(1)).unwrap(), None);
}

pub(crate) fn payloads_go_and_are_sealed_anew(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1]);
    stores.commit(&[events(1, 1, 4)]);
    let ledgers = &stores.ledgers;
    ledgers.delete_payloads(ledger(1), &seqs([2])).unwrap();
    let rows = [(Seq::new(2), vec![1]), (Seq::new(3), vec![9; 3])];
    ledgers.replace_payloads(ledger(1), &rows).unwrap();
    // One that went does not come back.
    let left = ledgers.payload_rows(ledger(1), 2..5).unwrap();
    assert_eq!(
        left,
        [(Seq::new(3), vec![9; 3]), (Seq::new(4), vec![4; 24])]
    );
    assert_eq!(
        ledgers.seqs_with_payload(ledger(1), 0..9).unwrap(),
        seqs([0, 1, 3, 4])
    );
    let gone = ledgers.event(ledger(1), Seq::new(2)).unwrap().unwrap();
    assert_eq!(gone.payload, None);
    let range = Seq::new(0)..Seq::new(9);
    let with = ledgers.with_payload(ledger(1), class(1), range.clone(), 2);
    assert_eq!(with.unwrap(), seqs([1, 3]));
    assert_eq!(ledgers.drop_active(ledger(1), Seq::new(4), 3).unwrap(), 3);
    let without = ledgers.without_active_row(ledger(1), class(1), range, 9);
    assert_eq!(without.unwrap(), seqs([1]));
}

pub(crate) fn events_are_read_together(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1, 2]);
    stores.commit(&[events(1, 1, 5), events(2, 1, 3)]);
    let covered = Statement::Tombstones {
        cause: DeletionBasis::Trigger,
        items: seqs([2]),
    };
    let covered = state(&mut stores, covered);
    let ledgers = &stores.ledgers;
    ledgers.delete_payloads(ledger(1), &seqs([2])).unwrap();
    let read = |seqs: &[Seq], bytes_max| ledgers.events(ledger(1), seqs, bytes_max).unwrap();
    // In the order asked for, those that are not there and those that are asked for twice, too.
    let asked = seqs([5, 99, 2, 1, 5]);
    let rows = read(&asked, usize::MAX);
    let one_by_one = asked.iter().map(|seq| ledgers.event(ledger(1), *seq));
    let one_by_one: Vec<_> = one_by_one.map(Result::unwrap).collect();
    assert_eq!(format!("{rows:?}"), format!("{one_by_one:?}"));
    assert!(rows[1].is_none());
    let gone = rows[2].as_ref().unwrap();
    assert_eq!((&gone.payload, gone.mark.tombstone), (&None, Some(covered)));
    // Up to a size: what has no payload takes no room, and the one that reaches it is there.
    let bytes = rows[0].as_ref().unwrap().payload.as_ref().unwrap().len();
    assert_eq!(read(&asked, bytes).len(), 1);
    assert_eq!(read(&asked, bytes + 1).len(), 4);
    assert_eq!(read(&[], bytes).len(), 0);
}

pub(crate) fn anchored_heads_keep_the_newest_note(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1]);
    stores.commit(&[events(1, 1, 9)]);
    let ledgers = &stores.ledgers;
    let keep = |size, target: &str, is_cosigned, moment, line: &str| {
        let row = AnchoringRow {
            size,
            target: target.to_owned(),
            kind: "witness".to_owned(),
            at: at(moment),
        };
        let merge = |known: Option<String>| known.unwrap_or_default() + line;
        ledgers.keep_anchored(ledger(1), &row, is_cosigned, &merge)
    };
    keep(3, "b", true, 1, "one ").unwrap();
    keep(3, "a", false, 2, "two ").unwrap();
    keep(7, "a", false, 3, "three ").unwrap();
    keep(7, "a", false, 4, "four ").unwrap();
    let note = |head: Option<trailkeep_ports::AnchoredHead>| head.map(|head| head.note);
    let head = ledgers.anchored_at(ledger(1), 3).unwrap();
    assert_eq!(note(head), Some("one two ".to_owned()));
    let newest = ledgers.newest_anchored(ledger(1), 3).unwrap();
    assert_eq!(note(newest), Some("three four ".to_owned()));
    // Once cosigned is cosigned.
    let cosigned = ledgers.newest_cosigned(ledger(1), 0).unwrap();
    assert_eq!(cosigned.unwrap().size, 3);
    let last = ledgers.last_anchorings(ledger(1)).unwrap();
    let last: Vec<_> = last
        .iter()
        .map(|row| (&*row.target, row.size, row.at))
        .collect();
    assert_eq!(last, [("a", 7, at(4)), ("b", 3, at(1))]);
    let all = ledgers.anchorings(ledger(1), 6, 9).unwrap();
    let all: Vec<_> = all.iter().map(|row| (row.size, &*row.target)).collect();
    assert_eq!(all, [(3, "a"), (3, "b")]);
    assert_eq!(ledgers.anchored_after(ledger(1), 3, 9).unwrap().len(), 1);
    assert_eq!(ledgers.anchorings_of_no_head(ledger(1)).unwrap(), []);
}

pub(crate) fn rows_beyond_the_end_are_found(fixture: &Fixture) {
    let mut stores = fixture.stores("data").with_ledgers([1]);
    let mut read = row(0, 1);
    read.shown_persons = vec![person(5), person(5), person(6)];
    read.lookups.clear();
    let mut lacking = row(1, 2);
    lacking.gaps = vec![GapName {
        policy: "p".to_owned(),
        what: "missing x".to_owned(),
    }];
    stores.commit(&[batch(1, 1, vec![read, lacking])]);
    let ledgers = &stores.ledgers;
    let extent = |entries| Extent {
        ledger: ledger(1),
        entries,
        names: entries,
    };
    assert_eq!(ledgers.rows_beyond(&[extent(3)]).unwrap(), []);
    let mut tables: Vec<_> = ledgers.rows_beyond(&[extent(2)]).unwrap();
    tables.retain(|(_, row)| *row == (1 << 40) + 2);
    let tables: Vec<_> = tables.into_iter().map(|(table, _)| table).collect();
    assert_eq!(tables, ["entry", "payload", "active_index"]);
    assert_eq!(ledgers.tables_of_no_ledger().unwrap(), [""; 0]);
    assert_eq!(
        ledgers.reads_of_person(person(5)).unwrap(),
        [(ledger(1), Seq::new(1))]
    );
    assert_eq!(ledgers.person_reads(None, 9).unwrap().len(), 2);
    ledgers.delete_reads_of_persons(&[person(5)]).unwrap();
    let left = ledgers.person_reads(None, 9).unwrap();
    assert_eq!(
        left.iter().map(|read| read.person).collect::<Vec<_>>(),
        [person(6)]
    );
    let gaps = ledgers.gaps(ledger(1)).unwrap();
    assert_eq!(
        (gaps[0].events, gaps[0].first, gaps[0].last),
        (1, Seq::new(2), Seq::new(2))
    );
}
