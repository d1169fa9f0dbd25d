//! Every byte of every stored row matters to `verify`, or stands here with the reason why it does not.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beside;
mod index;
mod matrix;
mod replayed;
mod values;
mod vault;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::support::Directory;
use rusqlite::Connection;
use rusqlite::types::Value;
use trailkeep_core::audit::{Question, Subject, verify};
use trailkeep_core::ops::open::Files;
use trailkeep_crypto::root::RootKeySource;
use trailkeep_files::directory::DataDirectory;
use trailkeep_store_sqlite::Sqlite;

/// What a changed byte of it means nothing to the evidence, and why.
const WITHOUT_MEANING: &[(&str, &str, &str)] = &[
    (
        "watermark",
        "seen_at_ms",
        "when the vault last saw the head: only the guard of the clock reads it",
    ),
    (
        "sealing",
        "changes",
        "a count by which copies of the vault are compared; no secret and no entry follows from it",
    ),
    (
        "run",
        "filter_is_stale",
        "whether a filter is to be made again: it is made of the rows",
    ),
    (
        "run",
        "level",
        "which runs are merged next: nothing is looked up by it",
    ),
    (
        "run",
        "filter",
        "a set bit of a Bloom filter only costs a look-up; a cleared one that matters is found",
    ),
    (
        "run",
        "first_seq",
        "below the first indexed event any number does; a larger one is found",
    ),
    (
        "sqlite_sequence",
        "name",
        "the next run's number: a run that is there is never overwritten",
    ),
    (
        "person",
        "id",
        "the row's own number: where data keys name it, a change of it is found by them",
    ),
    (
        "sqlite_sequence",
        "seq",
        "the next run's number: a run that is there is never overwritten",
    ),
];

/// A small ledger with persons, targets, a value that two events refer to, and a merged index run.
fn small_ledger() -> Directory {
    let directory = Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_TEST_ACTIVE_EVENTS", "3")]);
    let mut client = server.client();
    let post = |client: &mut crate::support::Client, number: u32| {
        let input = if number.is_multiple_of(2) {
            format!(r#"["{}",2,{number}]"#, "said before; ".repeat(16))
        } else {
            format!(r#""text {number}""#)
        };
        let event = format!(
            r#"{{"id":"event-{number}","action":"chat.completion","actor":{{"id":"actor-{number}"}},
               "subjects":[{{"id":"subject-{}"}}],"targets":[{{"id":"target","type":"table"}}],
               "llm":{{"request_model":"m"}},"input":{input}}}"#,
            number % 2
        );
        assert_eq!(
            client
                .post("application/json", event.as_bytes())
                .unwrap()
                .status,
            201
        );
    };
    (0..3).for_each(|number| post(&mut client, number));
    // The first three are merged into a run in the background; the next two stay active.
    std::thread::sleep(std::time::Duration::from_millis(800));
    (3..5).for_each(|number| post(&mut client, number));
    server.stop();
    directory.assert_clean();
    directory
}

/// In memory where that can be had: thousands of copies are opened, and each would sync its files.
fn scratch_directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

fn copy_to(from: &Path, to: &Path) -> PathBuf {
    let to = to.join("copy");
    let _ = std::fs::remove_dir_all(&to);
    std::fs::create_dir(&to).unwrap();
    for name in [
        "ledger.db",
        "index.db",
        "vault.db",
        "staging.db",
        "epoch.key",
        "root.key",
    ] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
    to
}

/// Whether opening or verifying notices that something is wrong.
fn is_noticed(path: &Path) -> bool {
    let directory = DataDirectory::new(path);
    let Ok(files) = Files::open(
        Arc::new(Sqlite),
        directory.clone(),
        &RootKeySource::File(directory.root_key()),
    ) else {
        return true;
    };
    let Ok(ledgers) = files.ledgers.ledgers() else {
        return true;
    };
    let Some(record) = ledgers.first() else {
        return true;
    };
    ledgers.len() != 1
        || verify(
            Subject::from(&files),
            record,
            &Question::default(),
            &mut |_, _| (),
        )
        .map_or(true, |report| !report.ok)
}

fn tables(connection: &Connection) -> Vec<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_stat%' ORDER BY name";
    let mut statement = connection.prepare(sql).unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn columns(connection: &Connection, table: &str) -> Vec<String> {
    let mut statement = connection
        .prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))
        .unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn rows(connection: &Connection, table: &str, columns: &[String]) -> Vec<Vec<Value>> {
    let mut statement = connection
        .prepare(&format!("SELECT {} FROM {table}", columns.join(",")))
        .unwrap();
    let read = |row: &rusqlite::Row<'_>| (0..columns.len()).map(|at| row.get(at)).collect();
    statement
        .query_map([], read)
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// The value with one byte changed: each byte of a blob or text, each of the eight of a number.
fn changes(value: &Value) -> Vec<Value> {
    let flip = |bytes: &[u8], at: usize, by: u8| {
        let mut changed = bytes.to_vec();
        changed[at] ^= by;
        changed
    };
    match value {
        Value::Blob(bytes) => (0..bytes.len())
            .map(|at| Value::Blob(flip(bytes, at, 0x10)))
            .collect(),
        Value::Text(text) => (0..text.len())
            .filter_map(|at| {
                String::from_utf8(flip(text.as_bytes(), at, 1))
                    .ok()
                    .map(Value::Text)
            })
            .collect(),
        Value::Integer(number) => (0..8)
            .map(|at| Value::Integer(number ^ (1 << (8 * at))))
            .collect(),
        Value::Null | Value::Real(_) => Vec::new(),
    }
}

/// Changes every byte of every row of a file; gives those that nobody noticed, and how many there were.
fn change_every_byte(original: &Path, scratch: &Path, file: &str) -> (Vec<String>, usize) {
    let (mut unnoticed, mut total) = (Vec::new(), 0);
    let reader = Connection::open(original.join(file)).unwrap();
    for table in tables(&reader) {
        let columns = columns(&reader, &table);
        for row in rows(&reader, &table, &columns) {
            for (at, column) in columns.iter().enumerate() {
                for changed in changes(&row[at]) {
                    let copy = copy_to(original, scratch);
                    let connection = Connection::open(copy.join(file)).unwrap();
                    connection
                        .execute_batch("DROP TRIGGER IF EXISTS entry_is_never_changed; PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
                        .unwrap();
                    let places: Vec<String> = columns
                        .iter()
                        .enumerate()
                        .map(|(at, name)| format!("{name} IS ?{}", at + 2))
                        .collect();
                    let sql = format!(
                        "UPDATE {table} SET {column} = ?1 WHERE {}",
                        places.join(" AND ")
                    );
                    let values = std::iter::once(&changed).chain(&row);
                    // A change that the file itself refuses (two rows with one key) can't be made.
                    let made = connection.execute(&sql, rusqlite::params_from_iter(values));
                    connection.close().unwrap();
                    if made != Ok(1) {
                        continue;
                    }
                    total += 1;
                    let excused = WITHOUT_MEANING
                        .iter()
                        .any(|(t, c, _)| *t == table && c == column);
                    if !is_noticed(&copy) && !excused {
                        unnoticed.push(format!(
                            "{file} {table}.{column}: {:?} became {changed:?}",
                            row[at]
                        ));
                    }
                }
            }
        }
    }
    (unnoticed, total)
}

#[test]
fn every_byte_of_every_row() {
    let directory = small_ledger();
    let scratch = scratch_directory();
    assert!(
        !is_noticed(&copy_to(&directory.path, scratch.path())),
        "the copy must be clean before it is changed"
    );
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let run = |file: &'static str| {
            let path = directory.path.clone();
            scope.spawn(move || {
                let scratch = scratch_directory();
                change_every_byte(&path, scratch.path(), file)
            })
        };
        let threads = ["ledger.db", "vault.db", "index.db"].map(run);
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    for (unnoticed, total) in outcomes {
        assert!(total > 100, "only {total} bytes were changed");
        assert!(
            unnoticed.is_empty(),
            "{} of {total} unnoticed:\n{}",
            unnoticed.len(),
            unnoticed[..unnoticed.len().min(40)].join("\n")
        );
    }
}

#[test]
fn a_row_taken_away_or_put_in_is_noticed() {
    let directory = small_ledger();
    let scratch = scratch_directory();
    let noticed_after = |file: &str, sql: &str| {
        let copy = copy_to(&directory.path, scratch.path());
        let connection = Connection::open(copy.join(file)).unwrap();
        connection.execute_batch(&format!("DROP TRIGGER IF EXISTS entry_is_never_changed; DROP TRIGGER IF EXISTS entry_is_never_deleted; PRAGMA foreign_keys = OFF; {sql}")).unwrap();
        connection.close().unwrap();
        is_noticed(&copy)
    };
    for (file, sql) in [
        (
            "ledger.db",
            "DELETE FROM entry WHERE row = (SELECT max(row) FROM entry)",
        ),
        (
            "ledger.db",
            "DELETE FROM entry WHERE row = (SELECT min(row) + 3 FROM entry)",
        ),
        (
            "ledger.db",
            "DELETE FROM payload WHERE row = (SELECT max(row) FROM payload)",
        ),
        (
            "ledger.db",
            "DELETE FROM active_index WHERE row = (SELECT max(row) FROM active_index)",
        ),
        ("ledger.db", "DELETE FROM checkpoint"),
        ("ledger.db", "DELETE FROM class"),
        (
            "ledger.db",
            "INSERT INTO entry SELECT row + 100, bytes FROM entry LIMIT 1",
        ),
        (
            "ledger.db",
            "INSERT INTO payload SELECT row + 100, bytes FROM payload LIMIT 1",
        ),
        (
            "ledger.db",
            "INSERT INTO class SELECT ledger, 7, statement_seq, definition FROM class",
        ),
        (
            "ledger.db",
            "INSERT INTO tile VALUES (1, 0, 0, zeroblob(8192))",
        ),
        (
            "ledger.db",
            "UPDATE payload SET bytes = (SELECT bytes FROM payload p WHERE p.row = payload.row - 1) WHERE row = (SELECT max(row) FROM payload)",
        ),
        ("vault.db", "DELETE FROM person WHERE id = 1"),
        ("vault.db", "DELETE FROM data_key WHERE person = 1"),
        (
            "vault.db",
            "DELETE FROM ledger_secret WHERE kind = 'system'",
        ),
        ("index.db", "DELETE FROM run"),
        (
            "index.db",
            "DELETE FROM run_block WHERE first = (SELECT first FROM run_block LIMIT 1)",
        ),
        (
            "index.db",
            "UPDATE run_block SET bytes = substr(bytes, 1, length(bytes) - 1) WHERE length(bytes) > 0",
        ),
        (
            "index.db",
            "INSERT INTO run_block SELECT id, CAST(randomblob(16) || x'0000000000000003' AS BLOB), x'' FROM run LIMIT 1",
        ),
    ] {
        assert!(noticed_after(file, sql), "{file}: {sql}");
    }
}

#[test]
fn what_requests_leave_is_noticed_when_it_is_changed() {
    let directory = Directory::new();
    let event = |id: &str, person: &str, regime: &str| {
        format!(
            r#"{{"id":"{id}","action":"a.b","actor":{{"id":"bot"}},"subjects":[{{"id":"{person}"}}]{regime}}}"#
        )
    };
    let hipaa = r#","regimes":["hipaa"]"#;
    let events = [
        event("gone", "anna", ""),
        event("kept", "anna", hipaa),
        event("other", "bert", ""),
        event("hidden", "carla", ""),
    ];
    directory.append(&events.join("\n"));
    for words in [
        &["privacy", "erase", "--subject", "anna", "--yes"][..],
        &[
            "privacy",
            "restrict",
            "--subject",
            "carla",
            "--ground",
            "contested",
        ],
    ] {
        crate::support::succeeded(&directory.run(words));
    }
    let report = directory.assert_clean();
    assert_eq!(
        (&report["erased"], &report["restricted"]),
        (&1.into(), &2.into())
    );
    let scratch = scratch_directory();
    assert!(!is_noticed(&copy_to(&directory.path, scratch.path())));
    for sql in [
        "DELETE FROM restricted WHERE row = (SELECT min(row) FROM restricted)",
        "DELETE FROM restricted WHERE row = (SELECT max(row) FROM restricted)",
        "UPDATE restricted SET row = row + 1 WHERE row = (SELECT min(row) FROM restricted)",
        "UPDATE restricted SET statement = statement + 1",
        "UPDATE restricted SET statement = (SELECT max(statement) FROM restricted)",
        "UPDATE restricted SET lifted_by = statement + 1",
        "INSERT INTO restricted SELECT max(row) - 1, max(statement), NULL FROM restricted",
        "INSERT INTO restricted SELECT row, 1, NULL FROM restricted LIMIT 1",
        "DELETE FROM covered",
        "UPDATE covered SET row = row + 1",
        "INSERT INTO covered SELECT max(row) - 1, max(statement) FROM restricted",
        "DELETE FROM statement WHERE kind = 'restricts'",
        "UPDATE statement SET kind = 'restricts' WHERE kind = 'covers-request'",
        "UPDATE statement SET kind = 'covers-trigger' WHERE kind = 'covers-request'",
        "DELETE FROM payload WHERE row = (SELECT min(row) FROM restricted)",
    ] {
        let copy = copy_to(&directory.path, scratch.path());
        let connection = Connection::open(copy.join("ledger.db")).unwrap();
        let changed = connection.execute(sql, []).unwrap();
        connection.close().unwrap();
        assert!(changed > 0, "{sql}");
        assert!(is_noticed(&copy), "{sql}");
    }
}
