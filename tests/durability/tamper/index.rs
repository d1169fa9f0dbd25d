//! `verify` reads the index once in its order and compares sums. Whatever a look-up of each row would notice it still notices,
//! and names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde_json::json;
use trailkeep_core::audit::{Question, Report, Subject, verify};
use trailkeep_core::ops::open::Files;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::DataDirectory;
use trailkeep_ports::IndexRow;
use trailkeep_ports::block::{Block, BlockWriter, row_bytes, row_from_bytes};
use trailkeep_proof::ids::{LookupKey, Seq};
use trailkeep_store_sqlite::Sqlite;

use super::vault::tampered;
use super::{copy_to, scratch_directory};
use crate::support::Directory;

/// More than two ranges of a walk, in runs of which each lies in several of them or in one.
const EVENTS: u64 = 2_300;
const RUN: u64 = 300;
const PERSONS: u64 = 40;

const LACKS: &str = "the index rows of this event do not match its payload";
const OTHER_KEYS: &str = "the keys of this event do not match its subjects and class";

/// The entry, the rule and the detail of each finding.
type Found = Vec<(Option<u64>, String, String)>;

fn filled() -> Directory {
    let directory = Directory::new();
    let full = RUN.to_string();
    let server = directory.serve_with(&[("TRAILKEEP_TEST_ACTIVE_EVENTS", &full)]);
    let mut client = server.client();
    for start in (0..EVENTS).step_by(usize::try_from(RUN).unwrap()) {
        let lines = (start..EVENTS.min(start + RUN)).map(|number| {
            let event = json!({
                "id": format!("event-{number}"), "action": "a.b", "actor": {"id": "tester"},
                "subjects": [{"id": format!("person-{}", number % PERSONS)}],
            });
            event.to_string()
        });
        let lines: Vec<String> = lines.collect();
        let answer = client.post("application/x-ndjson", lines.join("\n").as_bytes());
        assert_eq!(answer.unwrap().status, 201);
        let (expected, began) = ((start + RUN).min(EVENTS) / RUN, Instant::now());
        while runs(&directory.path).len() < usize::try_from(expected).unwrap() {
            assert!(began.elapsed() < Duration::from_secs(60), "no runs");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    server.stop();
    directory.assert_clean();
    directory
}

/// The runs: id, first and last seq.
fn runs(path: &Path) -> Vec<(i64, u64, u64)> {
    let index = Connection::open(path.join("index.db")).unwrap();
    let sql = "SELECT id, first_seq, last_seq FROM run ORDER BY first_seq";
    let mut runs = index.prepare(sql).unwrap();
    let runs = runs.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    runs.unwrap().map(Result::unwrap).collect()
}

fn report(path: &Path) -> Report {
    let directory = DataDirectory::new(path);
    let key = RootKeySource::File(directory.root_key());
    let files = Files::open(Arc::new(Sqlite), directory, &key).unwrap();
    let ledgers = files.ledgers.ledgers().unwrap();
    let question = Question::default();
    verify(
        Subject::from(&files),
        &ledgers[0],
        &question,
        &mut |_, _| (),
    )
    .unwrap()
}

fn found(report: &Report) -> Found {
    let found = report.findings.iter();
    let found = found.map(|one| (one.seq, one.rule.to_owned(), one.detail.clone()));
    found.collect()
}

/// Each of these events lacks a row.
fn lacking(seqs: impl IntoIterator<Item = u64>) -> Found {
    let seqs = seqs.into_iter();
    seqs.map(|seq| (Some(seq), "index".to_owned(), LACKS.to_owned()))
        .collect()
}

/// The rows of a run in a data directory.
fn rows(index: &Connection, run: i64) -> BTreeSet<IndexRow> {
    let mut blocks = index
        .prepare("SELECT first, bytes FROM run_block WHERE run = ?1")
        .unwrap();
    let blocks = blocks.query_map([run], |row| {
        let first = row_from_bytes(row.get_ref(0)?.as_blob()?).unwrap();
        let bytes = row.get(1)?;
        Ok(Block { first, bytes }.rows().unwrap())
    });
    blocks.unwrap().flat_map(Result::unwrap).collect()
}

/// Changes the rows of a run.
fn rewrite(index: &Connection, run: i64, change: impl FnOnce(&mut BTreeSet<IndexRow>)) {
    let mut rows = rows(index, run);
    let before = rows.clone();
    change(&mut rows);
    assert_ne!(rows, before);
    let all = "DELETE FROM run_block WHERE run = ?1";
    index.execute(all, [run]).unwrap();
    for block in BlockWriter::pack(rows) {
        add_block(index, run, &row_bytes(block.first), &block.bytes);
    }
}

fn add_block(index: &Connection, run: i64, first: &[u8], bytes: &[u8]) {
    let sql = "INSERT INTO run_block (run, first, bytes) VALUES (?1, ?2, ?3)";
    let added = index.execute(sql, params![run, first, bytes]);
    added.unwrap();
}

/// Rows of an event by which it alone is found: that of its id.
fn own(rows: &BTreeSet<IndexRow>, seq: u64) -> BTreeSet<IndexRow> {
    let is_alone = |row: &&IndexRow| rows.iter().filter(|(key, _)| *key == row.0).count() == 1;
    let of_event = rows.iter().filter(|(_, of)| of.get() == seq);
    of_event.filter(is_alone).copied().collect()
}

fn take_own(rows: &mut BTreeSet<IndexRow>, seq: u64) -> BTreeSet<IndexRow> {
    let own = own(rows, seq);
    rows.retain(|row| !own.contains(row));
    own
}

/// A key that no event has.
fn other_key() -> LookupKey {
    LookupKey::new([0xa5; 16])
}

struct Tried {
    directory: Directory,
    scratch: tempfile::TempDir,
}

impl Tried {
    fn with(&self, file: &str, sql: &str) -> PathBuf {
        let copy = copy_to(&self.directory.path, self.scratch.path());
        let connection = Connection::open(copy.join(file)).unwrap();
        connection.execute_batch(sql).unwrap();
        assert!(connection.changes() > 0, "{sql}");
        connection.close().unwrap();
        copy
    }

    /// What is found after a change of index.db is exactly this, and so many events are damaged.
    fn finds(&self, sql: &str, expected: &Found) {
        expect(sql, &self.with("index.db", sql), expected);
    }

    /// The same of a change of its blocks.
    fn finds_after(&self, what: &str, change: impl FnOnce(&Connection), expected: &Found) {
        let copy = copy_to(&self.directory.path, self.scratch.path());
        let index = Connection::open(copy.join("index.db")).unwrap();
        change(&index);
        index.close().unwrap();
        expect(what, &copy, expected);
    }
}

fn expect(what: &str, copy: &Path, expected: &Found) {
    let report = report(copy);
    assert_eq!(&found(&report), expected, "{what}");
    let damaged = expected.iter().filter_map(|(seq, ..)| *seq);
    let damaged = damaged.collect::<BTreeSet<_>>().len();
    assert_eq!(report.damaged, damaged as u64, "{what}");
    assert!(!report.ok, "{what}");
}

#[test]
fn each_row_of_the_index_that_differs_is_named() {
    let directory = filled();
    let tried = Tried {
        directory,
        scratch: scratch_directory(),
    };
    let runs = runs(&tried.directory.path);
    assert_eq!(runs.len() as u64, EVENTS / RUN);
    let count: u64 = {
        let index = Connection::open(tried.directory.path.join("index.db")).unwrap();
        let count = |(id, ..): &(i64, u64, u64)| rows(&index, *id).len() as u64;
        // Those of the active run stand in ledger.db: four keys an event, as in the runs.
        let last = runs.last().unwrap().2;
        runs.iter().map(count).sum::<u64>() + 4 * (end(&tried.directory) - last - 1)
    };
    let too_many = |stored: u64| {
        let detail = format!("the index has {stored} rows, the events give {count}");
        vec![(None, "index".to_owned(), detail)]
    };
    let ((a, a_first, a_last), (b, b_first, b_last)) = (runs[0], runs[4]);
    let (in_a, in_b) = (a_last - 5, b_first + 7);

    // A row is missing: one, all of an event, one of each of two events in different ranges.
    let missing = |index: &Connection| rewrite(index, a, |rows| drop(take_own(rows, in_a)));
    tried.finds_after("a row is gone", missing, &lacking([in_a]));
    let without = |rows: &mut BTreeSet<IndexRow>| rows.retain(|(_, seq)| seq.get() != in_b);
    let of_event = |index: &Connection| rewrite(index, b, without);
    tried.finds_after("all rows are gone", of_event, &lacking([in_b]));
    let both = |index: &Connection| {
        missing(index);
        rewrite(index, b, |rows| drop(take_own(rows, in_b)));
    };
    tried.finds_after("two rows are gone", both, &lacking([in_a, in_b]));
    // A row too many: of an event, and of an event of another run.
    let more = |index: &Connection| {
        rewrite(index, a, |rows| {
            rows.insert((other_key(), Seq::new(in_a)));
        });
    };
    tried.finds_after("a row more", more, &too_many(count + 1));
    let strange = |index: &Connection| {
        let row = own(&rows(index, b), in_b).pop_first().unwrap();
        rewrite(index, a, |rows| assert!(rows.insert(row)));
    };
    tried.finds_after("a row of another run", strange, &too_many(count + 1));
    // A block more that cannot be read, and one that begins with no row.
    let unread = |index: &Connection| {
        let first = row_bytes((LookupKey::new([0xff; 16]), Seq::new(in_a)));
        add_block(index, a, &first, &[0x80]);
    };
    tried.finds_after("an unreadable block", unread, &too_many(count + 1));
    // A row with another seq, or another key.
    let moved = |index: &Connection| {
        rewrite(index, a, |rows| {
            let own = take_own(rows, in_a).into_iter();
            rows.extend(own.map(|(key, _)| (key, Seq::new(a_first + 9))));
        });
    };
    tried.finds_after("a row of another event", moved, &lacking([in_a]));
    let renamed = |index: &Connection| {
        rewrite(index, a, |rows| {
            take_own(rows, in_a);
            rows.insert((other_key(), Seq::new(in_a)));
        });
    };
    tried.finds_after("a row of another key", renamed, &lacking([in_a]));
    // Two events with each other's rows: the sum over all of them is the same.
    let swapped = |index: &Connection| {
        rewrite(index, a, |rows| {
            for (of, to) in [(in_a, in_a - 1), (in_a - 1, in_a)].map(|(of, to)| (own(rows, of), to))
            {
                rows.retain(|row| !of.contains(row));
                rows.extend(of.into_iter().map(|(key, _)| (key, Seq::new(to))));
            }
        });
    };
    tried.finds_after("swapped rows", swapped, &lacking([in_a - 1, in_a]));
    // A row in the wrong run.
    let strayed = |index: &Connection| {
        let mut of_event = rows(index, a);
        of_event.retain(|(_, seq)| seq.get() == in_a);
        rewrite(index, b, |rows| rows.extend(&of_event));
        rewrite(index, a, |rows| rows.retain(|row| !of_event.contains(row)));
    };
    tried.finds_after("rows in the wrong run", strayed, &lacking([in_a]));
    // Blocks that are none: the events whose rows stood in them lack them. The first four entries are the system's.
    let garbled = |index: &Connection| {
        let sql = "UPDATE run_block SET bytes = x'80' WHERE run = ?1";
        assert!(index.execute(sql, [a]).unwrap() > 0);
    };
    tried.finds_after("no block can be read", garbled, &lacking(4..=a_last));
    let nameless = |index: &Connection| {
        index
            .execute_batch("PRAGMA ignore_check_constraints = ON")
            .unwrap();
        let sql = "UPDATE run_block SET first = substr(first, 1, 23) WHERE run = ?1";
        assert!(index.execute(sql, [b]).unwrap() > 0);
    };
    tried.finds_after(
        "a block begins with no row",
        nameless,
        &lacking(b_first..=b_last),
    );
    // A filter that lacks keys: no event of the run is found.
    let filter = format!("UPDATE run SET filter = zeroblob(length(filter)) WHERE id = {b}");
    tried.finds(&filter, &lacking(b_first..=b_last));
    // A span that is too narrow, at either end.
    let narrow = format!("UPDATE run SET last_seq = last_seq - 2 WHERE id = {b}");
    tried.finds(&narrow, &lacking([b_last - 1, b_last]));
    let narrow = format!("UPDATE run SET first_seq = first_seq + 2 WHERE id = {b}");
    tried.finds(&narrow, &lacking([b_first, b_first + 1]));
}

/// The number of entries.
fn end(directory: &Directory) -> u64 {
    let ledger = Connection::open(directory.path.join("ledger.db")).unwrap();
    let sql = "SELECT size FROM checkpoint";
    ledger.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn a_row_of_the_vault_that_is_remembered_is_one_that_was_checked() {
    let directory = filled();
    let scratch = scratch_directory();
    let tried = |sql: &str| {
        let copy = tampered(&directory.path, scratch.path(), |vault| {
            assert!(vault.execute(sql, []).unwrap() > 0, "{sql}");
        });
        found(&report(&copy))
    };
    let seqs = |found: &Found, rule: &str, detail: &str| {
        let of_rule = found
            .iter()
            .filter(|(_, found, said)| found == rule && said.contains(detail));
        let seqs: BTreeSet<u64> = of_rule.filter_map(|(seq, ..)| *seq).collect();
        seqs.len() as u64
    };
    let of_one = EVENTS / PERSONS;
    let is_near = |count: u64, expected: u64| count.abs_diff(expected) <= 1;
    // A data key that is another person's, or of another class: each event under it says so.
    let found = tried("UPDATE data_key SET person = 9000 WHERE person = 3");
    assert!(
        is_near(seqs(&found, "data-key", OTHER_KEYS), of_one),
        "{found:?}"
    );
    let found = tried("UPDATE data_key SET class = class + 1 WHERE person = 3");
    assert!(
        is_near(seqs(&found, "payload", "cannot be decrypted"), of_one),
        "{found:?}"
    );
    // A person's row that was changed, or that is another's.
    let found = tried("UPDATE person SET sealed = zeroblob(length(sealed)) WHERE id = 3");
    assert!(
        is_near(seqs(&found, "person", "cannot be decrypted"), of_one),
        "{found:?}"
    );
    let found = tried("UPDATE person SET tag = randomblob(length(tag)) WHERE id = 3");
    assert!(
        is_near(seqs(&found, "person", "does not know"), of_one),
        "{found:?}"
    );
    // Another person's reference gives other rows of the index: no event of this one is found by it.
    let taken = "UPDATE person SET (epoch, sealed) = (SELECT epoch, sealed FROM person WHERE id = 4) WHERE id = 3";
    let found = tried(taken);
    assert!(is_near(seqs(&found, "index", LACKS), of_one), "{found:?}");
}
