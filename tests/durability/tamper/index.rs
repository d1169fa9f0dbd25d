//! `verify` reads the index once in its order and compares sums. Whatever a look-up of each row would notice it still notices,
//! and names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::json;
use trailkeep_core::audit::{Question, Report, Subject, verify};
use trailkeep_core::ops::open::Files;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::DataDirectory;
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
        let report = report(&self.with("index.db", sql));
        assert_eq!(&found(&report), expected, "{sql}");
        let damaged = expected.iter().filter_map(|(seq, ..)| *seq);
        let damaged = damaged.collect::<BTreeSet<_>>().len();
        assert_eq!(report.damaged, damaged as u64, "{sql}");
        assert!(!report.ok, "{sql}");
    }
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
    let rows: u64 = {
        let index = Connection::open(tried.directory.path.join("index.db")).unwrap();
        let count = |(id, ..): &(i64, u64, u64)| {
            let sql = format!("SELECT count(*) FROM run_{id}");
            index
                .query_row(&sql, [], |row| row.get::<_, u64>(0))
                .unwrap()
        };
        // Those of the active run stand in ledger.db: four keys an event, as in the runs.
        let last = runs.last().unwrap().2;
        runs.iter().map(count).sum::<u64>() + 4 * (end(&tried.directory) - last - 1)
    };
    let too_many = |stored: u64| {
        let detail = format!("the index has {stored} rows, the events give {rows}");
        vec![(None, "index".to_owned(), detail)]
    };
    let ((a, a_first, a_last), (b, b_first, b_last)) = (runs[0], runs[4]);
    let (in_a, in_b) = (a_last - 5, b_first + 7);

    // The row by which an event alone is found: that of its id.
    let own = |run: i64, seq: u64| {
        format!(
            "WHERE seq = {seq} AND key IN (SELECT key FROM run_{run} GROUP BY key HAVING count(*) = 1)"
        )
    };
    // A row is missing: one, all of an event, one of each of two events in different ranges.
    let missing = format!("DELETE FROM run_{a} {}", own(a, in_a));
    tried.finds(&missing, &lacking([in_a]));
    let of_event = format!("DELETE FROM run_{b} WHERE seq = {in_b}");
    tried.finds(&of_event, &lacking([in_b]));
    let both = format!("{missing}; DELETE FROM run_{b} {}", own(b, in_b));
    tried.finds(&both, &lacking([in_a, in_b]));
    // A row too many: of an event, of an event of another run, and rows that are none.
    for sql in [
        format!("INSERT INTO run_{a} VALUES (randomblob(16), {in_a})"),
        format!("INSERT INTO run_{a} SELECT key, seq FROM run_{b} WHERE seq = {in_b} LIMIT 1"),
        format!("INSERT INTO run_{a} VALUES (randomblob(15), {in_a})"),
        format!("INSERT INTO run_{a} VALUES (randomblob(16), -3)"),
    ] {
        tried.finds(&sql, &too_many(rows + 1));
    }
    // A row with another seq, or another key.
    let moved = format!("UPDATE run_{a} SET seq = {} {}", a_first + 9, own(a, in_a));
    tried.finds(&moved, &lacking([in_a]));
    let renamed = format!("UPDATE run_{a} SET key = randomblob(16) {}", own(a, in_a));
    tried.finds(&renamed, &lacking([in_a]));
    // Two events with each other's rows: the sum over all of them is the same.
    let swapped = format!(
        "UPDATE run_{a} SET seq = CASE seq WHEN {in_a} THEN {other} ELSE {in_a} END
         WHERE seq IN ({in_a}, {other}) AND key IN (SELECT key FROM run_{a} WHERE seq IN ({in_a}, {other})
         GROUP BY key HAVING count(*) = 1)",
        other = in_a - 1,
    );
    tried.finds(&swapped, &lacking([in_a - 1, in_a]));
    // A row in the wrong run.
    let strayed = format!(
        "INSERT INTO run_{b} SELECT key, seq FROM run_{a} WHERE seq = {in_a}; DELETE FROM run_{a} WHERE seq = {in_a}"
    );
    tried.finds(&strayed, &lacking([in_a]));
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
