//! Values and the rows that refer to them: what is missing, foreign, orphaned or counted wrongly is named.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{copy_to, scratch_directory};
use crate::support::{Directory, succeeded, trailkeep};

/// The same conversation of three persons, one of whom is erased, and of another tenant.
fn talked() -> Directory {
    let directory = Directory::new();
    let turns = |person: &str| -> String {
        let message = |number: u32| {
            let words = format!("message {number}: ");
            json!({"role": "user", "content": words.repeat(20)})
        };
        let turn = |number: u32| {
            let input: Vec<Value> = (0..=2 * number).map(message).collect();
            let event = json!({
                "id": format!("{person}-{number}"), "action": "chat.completion",
                "actor": {"id": "bot"}, "subjects": [{"id": person}], "input": input,
            });
            format!("{event}\n")
        };
        (0..3).map(turn).collect()
    };
    for person in ["anna", "bert", "carla"] {
        directory.append(&turns(person));
    }
    succeeded(&directory.run(&["privacy", "erase", "--subject", "carla", "--yes"]));
    succeeded(&directory.run(&["tenant", "create", "other"]));
    let file = directory.path.with_file_name("events.ndjson");
    std::fs::write(&file, turns("anna")).unwrap();
    succeeded(&directory.run(&["append", file.to_str().unwrap(), "--tenant", "other"]));
    directory.assert_clean();
    directory
}

/// What `verify` finds, each rule with its detail, and how many events are damaged.
fn findings(path: &Path) -> (Vec<String>, u64) {
    let output = trailkeep()
        .args(["verify", "--json", "--tenant", "default", "--dir"])
        .arg(path)
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = report["findings"].as_array().unwrap().iter();
    let found = found.map(|finding| format!("{}: {}", finding["rule"], finding["detail"]));
    (found.collect(), report["damaged"].as_u64().unwrap())
}

/// Change, rules of all findings, what one of them names, and how many events are damaged. Anna's values come first: the
/// first of them is in two of her events, the last of hers in one.
const CHANGES: &[(&str, &[&str], &str, u64)] = &[
    (
        "DELETE FROM value WHERE row = (SELECT min(row) FROM value)",
        &["value-missing"],
        "refers to value 0, which is missing",
        2,
    ),
    (
        "UPDATE value SET bytes = (SELECT other.bytes FROM value AS other WHERE other.row = value.row + 5) WHERE row = (SELECT min(row) FROM value)",
        &["value-foreign"],
        "refers to value 0, which names other keys",
        2,
    ),
    (
        "UPDATE value SET bytes = (SELECT max.bytes FROM value AS max ORDER BY max.row DESC LIMIT 1) WHERE row = (SELECT min(row) + 4 FROM value)",
        &["value-foreign"],
        "refers to value 4, which names other keys",
        1,
    ),
    (
        "UPDATE value SET bytes = (SELECT other.bytes FROM value AS other WHERE other.row = value.row + 1) WHERE row = (SELECT min(row) FROM value)",
        &["value"],
        "refers to value 0, which does not decrypt",
        2,
    ),
    (
        "UPDATE value SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || x'00' AS BLOB) WHERE row = (SELECT min(row) FROM value)",
        &["value"],
        "refers to value 0, which does not decrypt",
        2,
    ),
    (
        "UPDATE value SET bytes = x'' WHERE row = (SELECT min(row) FROM value)",
        &["value"],
        "refers to value 0, which does not decrypt",
        2,
    ),
    (
        "INSERT INTO value SELECT min(row) + 99, bytes FROM value",
        &["value-orphaned"],
        "table value: no event refers to value 99",
        0,
    ),
    (
        "INSERT INTO value SELECT min(row) + (1 << 39), bytes FROM value",
        &["value-orphaned"],
        "table value: no event refers to value 549755813888",
        0,
    ),
    (
        "INSERT INTO value SELECT min(row) + (9 << 40), bytes FROM value",
        &["stray-row"],
        "table value has a row",
        0,
    ),
    (
        "UPDATE value_use SET events = events + 1 WHERE row = (SELECT min(row) FROM value_use)",
        &["value-count"],
        "table value_use: 2 events refer to value 0, the table says 3",
        0,
    ),
    (
        "DELETE FROM value_use WHERE row = (SELECT min(row) FROM value_use)",
        &["value-count"],
        "table value_use: 2 events refer to value 0, the table says 0",
        0,
    ),
    (
        "INSERT INTO value_use SELECT min(row) + 77, 1 FROM value_use",
        &["value-count"],
        "table value_use: 0 events refer to value 77, the table says 1",
        0,
    ),
    (
        "DELETE FROM value_reference WHERE row = (SELECT min(row) FROM value_reference)",
        &["value-reference", "value-count"],
        "names 0 values for this entry, its payload 3",
        0,
    ),
    (
        "UPDATE value_reference SET numbers = substr(numbers, 9) WHERE row = (SELECT min(row) FROM value_reference)",
        &["value-reference", "value-count"],
        "names 2 values for this entry, its payload 3",
        0,
    ),
    (
        "UPDATE value_reference SET numbers = CAST(numbers || x'0000000000000050' AS BLOB) WHERE row = (SELECT min(row) FROM value_reference)",
        &["value-reference", "value-count", "value-missing"],
        "events refer to value 80, which is missing",
        0,
    ),
    (
        // The genesis has a payload that refers to nothing.
        "INSERT INTO value_reference SELECT (SELECT min(row) FROM entry), numbers FROM value_reference ORDER BY row LIMIT 1",
        &["value-reference", "value-count"],
        "names 3 values for this entry, its payload 0",
        0,
    ),
    (
        // An erased event has no payload.
        "INSERT INTO value_reference SELECT (SELECT max(row) FROM covered), numbers FROM value_reference ORDER BY row LIMIT 1",
        &["value-reference", "value-count"],
        "names 3 values for this entry, its payload 0",
        0,
    ),
    (
        "INSERT INTO value_reference SELECT row + 9000, numbers FROM value_reference ORDER BY row LIMIT 1",
        &["stray-row", "value-count"],
        "table value_reference has a row",
        0,
    ),
];

#[test]
fn what_does_not_fit_between_values_and_events_is_named() {
    let directory = talked();
    let scratch = scratch_directory();
    for file in ["ledger.db", "vault.db", "index.db", "staging.db"] {
        let connection = Connection::open(directory.path.join(file)).unwrap();
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
    }
    let clean = copy_to(&directory.path, scratch.path());
    assert_eq!(findings(&clean), (Vec::new(), 0));
    let mut wrong = Vec::new();
    for (sql, rules, named, damaged) in CHANGES {
        let copy = copy_to(&directory.path, scratch.path());
        let connection = Connection::open(copy.join("ledger.db")).unwrap();
        let changed = connection.execute(sql, []).unwrap();
        connection.close().unwrap();
        assert_eq!(changed, 1, "{sql}");
        let (found, events) = findings(&copy);
        let is_of = |finding: &String| {
            let rule = |rule: &&&str| finding.starts_with(&format!("\"{rule}\": "));
            rules.iter().any(|one| rule(&one))
        };
        let each_rule = rules.iter().all(|rule| {
            let begins = format!("\"{rule}\": ");
            found.iter().any(|finding| finding.starts_with(&begins))
        });
        let is_named = found.iter().any(|finding| finding.contains(named));
        if !found.iter().all(is_of) || !each_rule || !is_named || events != *damaged {
            wrong.push(format!("{sql}: {events} damaged, {found:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_value_that_is_missing_is_a_clear_error_for_a_reader() {
    let directory = talked();
    let connection = Connection::open(directory.path.join("ledger.db")).unwrap();
    let sql = "DELETE FROM value WHERE row = (SELECT min(row) FROM value)";
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
    connection.close().unwrap();
    let shown = directory.run(&["show", "anna-2"]);
    let error = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(!shown.status.success());
    assert!(
        error.contains("refers to value 0, which is missing")
            && error.contains("run `trailkeep verify`"),
        "{error}"
    );
    // What does not need it opens.
    succeeded(&directory.run(&["show", "anna-0"]));
    succeeded(&directory.run(&["show", "bert-2"]));
}
