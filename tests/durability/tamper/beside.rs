//! Every table of every file is verified, or docs/threat-model.md says why it is not.

use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{copy_to, scratch_directory, tables};
use crate::support::{Directory, succeeded, trailkeep};

/// Tables of which a changed row is a finding of `verify`, or stops the start.
const VERIFIED: &[(&str, &[&str])] = &[
    (
        "ledger.db",
        &[
            "active_index",
            "anchored",
            "checkpoint",
            "class",
            "covered",
            "directory",
            "entry",
            "expiry",
            "ledger",
            "overdue",
            "payload",
            "restricted",
            "statement",
            "tile",
            "value",
            "value_reference",
            "value_use",
        ],
    ),
    ("index.db", &["directory", "run", "run_block"]),
    ("staging.db", &["assembled", "directory"]),
    (
        "vault.db",
        &[
            "api_key",
            "applied",
            "data_key",
            "directory",
            "ledger",
            "ledger_secret",
            "person",
            "person_folded",
            "row_state",
            "row_sum",
            "sealed_record",
        ],
    ),
];

const HEADING: &str = "## Tables that `verify` does not vouch for\n";

/// The files and tables that the document lists.
fn listed() -> Vec<(String, String)> {
    let text = include_str!("../../../docs/threat-model.md");
    let (_, section) = text.split_once(HEADING).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let named = |line: &str| {
        let mut names = line.split('`').skip(1).step_by(2).map(str::to_owned);
        line.starts_with("| `")
            .then(|| Some((names.next()?, names.next()?)))?
    };
    section.lines().filter_map(named).collect()
}

fn span(number: u32, more: &Value) -> Value {
    let mut span = json!({
        "traceId": format!("{:032x}", 0x5b8e_0000 + number),
        "spanId": format!("{:016x}", 0xeee1_0000 + number),
        "name": "chat", "kind": 3,
        "startTimeUnixNano": "1764000000000000000", "endTimeUnixNano": "1764000001000000000",
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.request.model", "value": {"stringValue": "gpt"}},
            {"key": "gen_ai.response.id", "value": {"stringValue": format!("answer-{number}")}},
        ],
    });
    span.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    span
}

/// A directory whose tables beside the entries have rows: a read that showed persons, an id of an event that went, telemetry
/// that waits, and an event that was assembled when the machine stopped.
fn used() -> Directory {
    let directory = Directory::new();
    let event = |person: &str| {
        format!(
            r#"{{"id":"of-{person}","action":"a.b","actor":{{"id":"bot"}},"subjects":[{{"id":"{person}"}}]}}"#
        )
    };
    let lacking = r#"{"id":"lacking","action":"a.b","actor":{"id":"bot"},"regimes":["pci-dss"]}"#;
    let events = ["anna", "bert", "carla"].map(event);
    directory.append(&[&events[..], &[lacking.to_owned()]].concat().join("\n"));
    succeeded(&directory.run(&["query", "--json"]));
    succeeded(&directory.run(&["privacy", "erase", "--subject", "anna", "--yes"]));
    succeeded(&directory.run(&["show", "of-bert", "--json"]));
    let server = directory.serve_with(&[("TRAILKEEP_FAILPOINT", "after-assembled=kill")]);
    let mut client = server.client();
    let waits = json!({"parentSpanId": "eee19b7ec3c1b173"});
    let spans = [span(1, &waits), span(2, &waits), span(3, &json!({}))];
    let sent = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    let head = [("Content-Type", "application/json")];
    let answer = client
        .request("POST", "/v1/traces", &head, sent.to_string().as_bytes())
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    drop(client);
    server.ended();
    directory.assert_clean();
    // What the kill left in the logs is to be in the files, which are copied alone.
    for file in ["ledger.db", "vault.db", "index.db", "staging.db"] {
        let connection = Connection::open(directory.path.join(file)).unwrap();
        connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .unwrap();
    }
    directory
}

/// What `verify` finds: each rule with its detail.
fn findings(path: &Path) -> Vec<String> {
    let output = trailkeep()
        .args(["verify", "--json", "--dir"])
        .arg(path)
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let found = report["findings"].as_array().cloned().unwrap_or_default();
    found
        .iter()
        .map(|finding| format!("{}: {}", finding["rule"], finding["detail"]))
        .collect()
}

#[test]
fn no_table_is_forgotten() {
    let directory = used();
    let listed = listed();
    let mut forgotten = Vec::new();
    for (file, verified) in VERIFIED {
        let connection = Connection::open(directory.path.join(file)).unwrap();
        let there = tables(&connection);
        for table in &there {
            let is_listed = listed.iter().any(|(f, t)| f == file && t == table);
            if !verified.contains(&table.as_str()) && !is_listed {
                forgotten.push(format!("{file} {table}"));
            }
        }
        // Nothing is named that is not there: a table that went takes its line with it.
        for (_, table) in listed.iter().filter(|(listed, _)| listed == file) {
            assert!(there.contains(table), "{file} has no table {table}");
        }
        for table in *verified {
            assert!(
                there.iter().any(|there| there == table),
                "{file} has no table {table}"
            );
        }
    }
    assert!(
        forgotten.is_empty(),
        "neither verified nor in docs/threat-model.md: {forgotten:?}"
    );
}

#[test]
fn a_changed_row_beside_the_entries_is_named_with_its_table() {
    let directory = used();
    let scratch = scratch_directory();
    let wrong: Vec<String> = CHANGES
        .iter()
        .filter_map(|(file, sql, rule, table)| {
            let copy = copy_to(&directory.path, scratch.path());
            let connection = Connection::open(copy.join(file)).unwrap();
            connection
                .execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
                .unwrap();
            let changed = connection.execute(sql, []).unwrap();
            connection.close().unwrap();
            assert!(changed > 0, "nothing to change: {sql}");
            let found = findings(&copy);
            let is_named = found
                .iter()
                .any(|found| found.starts_with(&format!("\"{rule}\"")) && found.contains(table));
            (!is_named).then(|| format!("{sql}: {found:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// File, change, rule of the finding, and the table that it names.
const CHANGES: &[(&str, &str, &str, &str)] = &[
    (
        "staging.db",
        "UPDATE part SET sealed = zeroblob(length(sealed)) WHERE id = (SELECT min(id) FROM part)",
        "staging",
        "table part, row",
    ),
    (
        "staging.db",
        "UPDATE part SET sealed = (SELECT sealed FROM part ORDER BY id DESC LIMIT 1) WHERE id = (SELECT min(id) FROM part)",
        "staging",
        "table part, row",
    ),
    (
        "staging.db",
        "UPDATE part SET trace = randomblob(16)",
        "staging",
        "table part, row",
    ),
    (
        "staging.db",
        "UPDATE part SET span = randomblob(16)",
        "staging",
        "table part, row",
    ),
    (
        "staging.db",
        "UPDATE part SET answer = NULL",
        "staging",
        "table part, row",
    ),
    (
        "staging.db",
        "UPDATE part SET tag = randomblob(16)",
        "staging",
        "table part, row",
    ),
    (
        "staging.db",
        "UPDATE part SET is_root = 1 - is_root",
        "staging",
        "table part, row",
    ),
    (
        "staging.db",
        "UPDATE part SET state = 2",
        "staging",
        "table part, row",
    ),
    (
        "staging.db",
        "UPDATE part SET state = 1",
        "staging",
        "table part, row",
    ),
    (
        "staging.db",
        "UPDATE part SET day = day - 1",
        "staging",
        "table part, row",
    ),
    (
        "staging.db",
        "UPDATE part SET day = day - 1, arrived_at_ms = arrived_at_ms - 86400000",
        "staging",
        "table part, row",
    ),
    (
        "staging.db",
        "UPDATE part SET ledger = 9",
        "stray-row",
        "table part",
    ),
    (
        "staging.db",
        "UPDATE assembled SET sealed = zeroblob(64)",
        "staging",
        "table assembled, row",
    ),
    (
        "staging.db",
        "UPDATE assembled SET day = day + 1",
        "staging",
        "table assembled, row",
    ),
    (
        "staging.db",
        "UPDATE assembled SET ledger = 9",
        "stray-row",
        "table assembled",
    ),
    (
        "ledger.db",
        "UPDATE OR REPLACE person_read SET reference = randomblob(16)",
        "person-read",
        "table person_read",
    ),
    (
        "ledger.db",
        "UPDATE OR REPLACE person_read SET row = (SELECT min(row) + 3 FROM entry)",
        "person-read",
        "table person_read",
    ),
    (
        "ledger.db",
        "UPDATE person_read SET row = row + 1000",
        "stray-row",
        "table person_read",
    ),
    (
        "ledger.db",
        "UPDATE gone_id SET until_ms = until_ms * 2",
        "gone-id",
        "table gone_id",
    ),
    (
        "ledger.db",
        "UPDATE gone_id SET state = 'expired'",
        "gone-id",
        "table gone_id",
    ),
    (
        "ledger.db",
        "UPDATE gone_id SET ledger = 9",
        "stray-row",
        "table gone_id",
    ),
    (
        "ledger.db",
        "INSERT INTO gone_id SELECT ledger, randomblob(16), state, until_ms FROM gone_id",
        "gone-id",
        "table gone_id",
    ),
    (
        "ledger.db",
        // The id's tag is the first look-up key of an event that is there.
        "UPDATE gone_id SET tag = (SELECT substr(keys, 1, 16) FROM active_index LIMIT 1)",
        "gone-id",
        "table gone_id",
    ),
    (
        "ledger.db",
        "DELETE FROM gone_id",
        "gone-id",
        "table gone_id",
    ),
    (
        "ledger.db",
        // Of the read of one event; that of the query names none.
        "DELETE FROM person_read WHERE row = (SELECT max(row) FROM person_read)",
        "person-read",
        "table person_read",
    ),
    (
        "ledger.db",
        "UPDATE gap SET events = events - 1",
        "gap",
        "table gap, row",
    ),
    (
        "ledger.db",
        "UPDATE gap SET last_seq = last_seq - 1",
        "gap",
        "table gap, row",
    ),
    (
        "ledger.db",
        "UPDATE gap SET what = what || 'x'",
        "gap",
        "table gap, row",
    ),
    ("ledger.db", "DELETE FROM gap", "gap", "table gap, row"),
    (
        "ledger.db",
        "UPDATE gap SET ledger = 9",
        "stray-row",
        "table gap",
    ),
    (
        "ledger.db",
        "UPDATE checkpoint SET stated = x''",
        "checkpoint",
        "table checkpoint, column stated",
    ),
    (
        "ledger.db",
        "INSERT INTO anchoring SELECT ledger, size + 7, 'somebody', 'directory', 1 FROM checkpoint",
        "anchored",
        "table anchoring",
    ),
];
