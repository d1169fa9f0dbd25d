//! The inbox.

use crate::Fixture;
use crate::fixture::{ledger, tag};
use trailkeep_ports::{NewPart, Round};
use trailkeep_proof::time::UnixMillis;

pub(crate) fn part(number: u8, trace: u8, is_root: bool, arrived: u64) -> NewPart {
    NewPart {
        tag: tag(number),
        trace: tag(trace),
        span: tag(number),
        answer: number.is_multiple_of(2).then(|| tag(200)),
        is_root,
        arrived_at: UnixMillis::new(arrived),
        day: u32::from(number) % 3,
        sealed: vec![number; 6],
    }
}

fn at(ms: u64) -> UnixMillis {
    UnixMillis::new(ms)
}

pub(crate) fn a_part_comes_once(fixture: &Fixture) {
    let inbox = fixture.stores("data").inbox;
    let parts = [part(1, 1, false, 10), part(2, 1, true, 11)];
    assert_eq!(inbox.add(ledger(1), &parts).unwrap(), 2);
    let more = [part(2, 1, true, 99), part(3, 1, false, 12)];
    assert_eq!(inbox.add(ledger(1), &more).unwrap(), 1);
    assert_eq!(inbox.add(ledger(2), &parts).unwrap(), 2);
    let of_traces = inbox.parts_of(ledger(1), &[tag(1)], 9, 99).unwrap();
    assert_eq!(
        of_traces[0].iter().map(|part| part.tag).collect::<Vec<_>>(),
        [tag(1), tag(2), tag(3)]
    );
    assert_eq!(inbox.ledgers().unwrap(), [ledger(1), ledger(2)]);
    assert_eq!(inbox.waiting().unwrap(), 5);
    assert_eq!(inbox.days(ledger(1)).unwrap(), [0, 1, 2]);
    assert_eq!(
        inbox
            .traces_of_answers(ledger(1), &[tag(199), tag(200)])
            .unwrap(),
        [tag(1)].into()
    );
}

pub(crate) fn a_trace_is_due_by_its_root_or_its_first_part(fixture: &Fixture) {
    let inbox = fixture.stores("data").inbox;
    let parts = [
        part(1, 1, false, 10),
        part(2, 1, true, 20),
        part(3, 2, false, 30),
    ];
    inbox.add(ledger(1), &parts).unwrap();
    let due_after = |root_by, first_by, after| {
        let traces = inbox.due_traces(ledger(1), at(root_by), at(first_by), after, 9);
        traces.unwrap()
    };
    let due = |root_by, first_by| due_after(root_by, first_by, None);
    assert_eq!(due(19, 9), []);
    assert_eq!(due(20, 9), [tag(1)]);
    assert_eq!(due(0, 10), [tag(1)]);
    assert_eq!(due(0, 30), [tag(1), tag(2)]);
    assert_eq!(due_after(0, 30, Some(tag(1))), [tag(2)]);
    assert_eq!(due_after(99, 99, Some(tag(2))), []);
    // A root that was used counts no more: the newest part does.
    let rows = inbox.parts_of(ledger(1), &[tag(1)], 9, 99).unwrap();
    let round = Round {
        used: rows[0].iter().map(|row| row.id).collect(),
        ..Round::default()
    };
    inbox.finish_round(ledger(1), &round).unwrap();
    assert_eq!(due(99, 9), []);
    inbox.add(ledger(1), &[part(4, 1, false, 50)]).unwrap();
    assert_eq!(due(49, 9), []);
    assert_eq!(due(50, 9), [tag(1)]);
}

pub(crate) fn parts_are_read_up_to_a_size(fixture: &Fixture) {
    let inbox = fixture.stores("data").inbox;
    let parts = [1, 2, 3, 4].map(|number| part(number, number.div_ceil(2), true, 1));
    inbox.add(ledger(1), &parts).unwrap();
    let traces = [tag(1), tag(9), tag(2)];
    let read = |parts_max, bytes_max| {
        let read = inbox.parts_of(ledger(1), &traces, parts_max, bytes_max);
        read.unwrap().iter().map(Vec::len).collect::<Vec<_>>()
    };
    assert_eq!(read(9, 13), [2, 0, 2]);
    assert_eq!(read(9, 12), [2]);
    assert_eq!(read(1, 12), [1, 0, 1]);
    assert_eq!(read(9, 0), [2]);
}

pub(crate) fn a_round_is_taken_whole(fixture: &Fixture) {
    let inbox = fixture.stores("data").inbox;
    let parts = [1, 2, 3, 4].map(|number| part(number, 1, number == 4, u64::from(number)));
    inbox.add(ledger(1), &parts).unwrap();
    let ids: Vec<i64> = inbox.parts_of(ledger(1), &[tag(1)], 9, 99).unwrap()[0]
        .iter()
        .map(|part| part.id)
        .collect();
    let round = Round {
        done: vec![ids[0]],
        used: vec![ids[1]],
        unreadable: vec![ids[2]],
        events: vec![(1, vec![7; 3]), (2, vec![8; 3])],
    };
    let numbers = inbox.finish_round(ledger(1), &round).unwrap();
    let left = inbox.parts_of(ledger(1), &[tag(1)], 9, 99).unwrap();
    assert_eq!(
        left[0]
            .iter()
            .map(|part| (part.id, part.is_used))
            .collect::<Vec<_>>(),
        [(ids[1], true), (ids[3], false)]
    );
    let assembled = inbox.assembled(ledger(1), 9).unwrap();
    assert_eq!(assembled.len(), 2);
    assert_eq!(assembled[0].2, [7; 3]);
    let of_rows: Vec<i64> = assembled.iter().map(|row| row.0).collect();
    assert_eq!(numbers, of_rows);
    // What does not open is kept and waits for nothing.
    assert_eq!(inbox.part_rows(ledger(1), 0, 9).unwrap().len(), 3);
    assert_eq!(inbox.waiting().unwrap(), 3);
    let texts = inbox.assembled_rows(ledger(1), assembled[0].0, 9).unwrap();
    assert_eq!(texts.len(), 1);
    assert!(inbox.still_has(&texts[0]).unwrap());
    inbox.remove_assembled(&[texts[0].id]).unwrap();
    assert!(!inbox.still_has(&texts[0]).unwrap());
    assert_eq!(inbox.drop_used(ledger(1), at(1)).unwrap(), 0);
    assert_eq!(inbox.drop_used(ledger(1), at(2)).unwrap(), 1);
    let mut named = inbox.named_ledgers().unwrap();
    named.sort();
    assert_eq!(named, [("assembled".to_owned(), 1), ("part".to_owned(), 1)]);
}
