//! Whoever has vault.db and no key can't take a row away, change one, add one, or put one back as it was, without the next
//! start or `verify` naming it.

use std::path::{Path, PathBuf};
use std::process::Output;

use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::Value;

use super::{columns, copy_to, rows, scratch_directory};
use crate::support::{Directory, said, succeeded, trailkeep};

/// A directory whose vault has rows of all tables, and the vault as it was before each of them changed once more, and before a
/// person was erased.
pub(super) struct Lived {
    pub(super) directory: Directory,
    pub(super) older: tempfile::TempDir,
    key: String,
    hold: String,
    request: String,
    _target: tempfile::TempDir,
}

fn id_of(output: &Output) -> String {
    let said: Value = serde_json::from_slice(&succeeded(output).stdout).unwrap();
    said["id"].as_str().unwrap().to_owned()
}

pub(super) fn lived() -> Lived {
    let directory = Directory::new();
    let run = |words: &[&str]| directory.run(words);
    let event = |id: &str, person: &str, regime: &str| {
        format!(
            r#"{{"id":"{id}","action":"a.b","actor":{{"id":"bot"}},"subjects":[{{"id":"{person}"}}]{regime}}}"#
        )
    };
    let hipaa = r#","regimes":["hipaa"]"#;
    let events = [
        event("held", "anna", ""),
        event("kept", "bert", hipaa),
        event("asked", "carla", ""),
        event("goes", "dora", ""),
    ];
    directory.append(&events.join("\n"));
    let target = tempfile::tempdir().unwrap();
    let place = target.path().join("copy");
    succeeded(&run(&["vault-replica", "add", place.to_str().unwrap()]));
    succeeded(&run(&["tenant", "create", "acme"]));
    succeeded(&run(&["tenant", "set", "default", "--strict", "on"]));
    let key = id_of(&run(&["key", "create", "--role", "admin", "--json"]));
    let hold = id_of(&run(&[
        "hold",
        "place",
        "--matter",
        "m",
        "--reason",
        "r",
        "--subject",
        "anna",
        "--json",
    ]));
    let request = id_of(&run(&["privacy", "file", "--subject", "carla", "--json"]));
    succeeded(&run(&["privacy", "erase", "--subject", "bert", "--yes"]));
    let fire = |at: &str| {
        let what = ["retention", "trigger", "audit_concluded"];
        succeeded(&run(
            &[&what[..], &["--record", "audit-1", "--at", at]].concat()
        ));
    };
    fire("2026-01-01T00:00:00Z");
    let older = scratch_directory();
    copy_to(&directory.path, older.path());
    succeeded(&run(&["key", "revoke", &key]));
    succeeded(&run(&["hold", "release", &hold, "--reason", "over"]));
    succeeded(&run(&[
        "privacy",
        "identity",
        &request,
        "--verified-by",
        "passport",
    ]));
    succeeded(&run(&["tenant", "set", "default", "--strict", "off"]));
    fire("2026-02-01T00:00:00Z");
    succeeded(&run(&["privacy", "erase", "--subject", "dora", "--yes"]));
    directory.assert_clean();
    Lived {
        directory,
        older,
        key,
        hold,
        request,
        _target: target,
    }
}

/// Changes the vault of a copy as somebody would who has the file: the triggers go first and are made again, so that
/// the schema is as it was.
pub(super) fn tampered(original: &Path, scratch: &Path, work: impl FnOnce(&Connection)) -> PathBuf {
    let copy = copy_to(original, scratch);
    let connection = Connection::open(copy.join("vault.db")).unwrap();
    let triggers: Vec<(String, String)> = connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<rusqlite::Result<_>>()
        .unwrap();
    for (name, _) in &triggers {
        connection
            .execute_batch(&format!("DROP TRIGGER {name}"))
            .unwrap();
    }
    connection
        .execute_batch("PRAGMA ignore_check_constraints = ON")
        .unwrap();
    work(&connection);
    for (_, sql) in &triggers {
        connection.execute_batch(sql).unwrap();
    }
    connection.close().unwrap();
    copy
}

pub(super) fn run_on(path: &Path, words: &[&str]) -> Output {
    trailkeep()
        .args(words)
        .arg("--dir")
        .arg(path)
        .output()
        .unwrap()
}

/// What `verify` finds, as one text.
pub(super) fn findings(path: &Path) -> String {
    let mut all = String::new();
    for tenant in ["default", "acme"] {
        let output = run_on(path, &["verify", "--json", "--tenant", tenant]);
        all += &said(&output);
        all += &String::from_utf8_lossy(&output.stdout);
        assert!(
            !["anna", "bert", "carla", "dora", "audit-1"]
                .iter()
                .any(|name| all.contains(name)),
            "{all}"
        );
    }
    all
}

pub(super) fn is_clean(path: &Path) -> bool {
    ["default", "acme"].iter().all(|tenant| {
        let output = run_on(path, &["verify", "--json", "--tenant", tenant]);
        output.status.code() == Some(0)
    })
}

/// A start that refuses says which rows, and ends with the code for tampering.
pub(super) fn refuses_to_start(path: &Path) -> bool {
    run_on(path, &["hold", "list"]).status.code() == Some(3)
}

pub(super) fn places(columns: &[String], first: usize) -> String {
    let places = columns.iter().enumerate();
    let places = places.map(|(at, name)| format!("{name} IS ?{}", at + first));
    places.collect::<Vec<String>>().join(" AND ")
}

#[test]
fn a_row_that_is_gone_is_named_and_nothing_is_served() {
    let lived = lived();
    let scratch = scratch_directory();
    let original = &lived.directory.path;
    for (sql, named) in [
        (
            "DELETE FROM sealed_record WHERE kind = 'hold'",
            format!("hold {}: entry", lived.hold),
        ),
        (
            &format!("DELETE FROM api_key WHERE id = '{}'", lived.key),
            format!("api-key {}: entry", lived.key),
        ),
        (
            "DELETE FROM sealed_record WHERE kind = 'privacy-request'",
            format!("privacy-request {}: entry", lived.request),
        ),
        (
            "DELETE FROM sealed_record WHERE kind = 'erasure-waiting'",
            "erasure-waiting".to_owned(),
        ),
        (
            "DELETE FROM sealed_record WHERE kind = 'copy-target'",
            "copy-target".to_owned(),
        ),
        (
            "DELETE FROM sealed_record WHERE kind = 'settings'",
            "settings tenant: entry".to_owned(),
        ),
        (
            "UPDATE watermark SET seen_at_ms = seen_at_ms - 1",
            "watermark/1".to_owned(),
        ),
        ("DELETE FROM row_state", "sums".to_owned()),
        (
            "DELETE FROM row_state; DELETE FROM row_sum; DELETE FROM sealed_record WHERE kind = 'row-key'",
            "the checksum rows are missing".to_owned(),
        ),
        ("DELETE FROM applied", "applied".to_owned()),
        (
            "UPDATE sealed_record SET ledger = 9 WHERE kind = 'settings' AND ledger = 1;
             UPDATE sealed_record SET ledger = 1 WHERE kind = 'settings' AND ledger = 2;
             UPDATE sealed_record SET ledger = 2 WHERE kind = 'settings' AND ledger = 9",
            "settings".to_owned(),
        ),
        (
            "INSERT INTO sealed_record SELECT kind, ledger, 'f00', epoch, sealed FROM sealed_record WHERE kind = 'hold' LIMIT 1",
            "hold f00".to_owned(),
        ),
    ] {
        let copy = tampered(original, scratch.path(), |vault| {
            vault.execute_batch(sql).unwrap();
        });
        assert!(
            refuses_to_start(&copy),
            "{sql}: {}",
            said(&run_on(&copy, &["hold", "list"]))
        );
        let found = findings(&copy);
        assert!(found.contains(&named), "{sql}: {named} is not in {found}");
    }
}

#[test]
fn an_older_row_or_an_older_vault_is_named() {
    let lived = lived();
    let scratch = scratch_directory();
    let original = &lived.directory.path;
    let older = lived.older.path().join("copy");
    let then = Connection::open(older.join("vault.db")).unwrap();
    for (table, what, named) in [
        (
            "sealed_record",
            format!("kind = 'hold' AND id = '{}'", lived.hold).as_str(),
            format!("hold {}: it is from entry", lived.hold),
        ),
        (
            "sealed_record",
            &format!("kind = 'privacy-request' AND id = '{}'", lived.request),
            format!("privacy-request {}: it is from entry", lived.request),
        ),
        (
            "sealed_record",
            "kind = 'settings' AND ledger = 1",
            "settings tenant: it is from entry".to_owned(),
        ),
        (
            "api_key",
            &format!("id = '{}'", lived.key),
            format!("api-key {}: it is from entry", lived.key),
        ),
    ] {
        let sealed: Cell = then
            .query_row(
                &format!("SELECT sealed FROM {table} WHERE {what}"),
                [],
                |row| row.get(0),
            )
            .unwrap();
        let copy = tampered(original, scratch.path(), |vault| {
            let sql = format!("UPDATE {table} SET sealed = ?1 WHERE {what}");
            assert_eq!(vault.execute(&sql, [&sealed]).unwrap(), 1, "{what}");
        });
        assert!(refuses_to_start(&copy), "{what}");
        let found = findings(&copy);
        assert!(found.contains(&named), "{what}: {named} is not in {found}");
    }

    // The whole file, with what it remembers of the heads as it is now.
    let marks = |path: &Path| {
        let vault = Connection::open(path.join("vault.db")).unwrap();
        rows(&vault, "watermark", &columns(&vault, "watermark"))
    };
    for sets_marks in [false, true] {
        let copy = copy_to(original, scratch.path());
        for name in ["vault.db", "epoch.key"] {
            std::fs::copy(older.join(name), copy.join(name)).unwrap();
        }
        if sets_marks {
            let newest = marks(original);
            let vault = Connection::open(copy.join("vault.db")).unwrap();
            for mark in newest {
                let sql = "INSERT OR REPLACE INTO watermark VALUES (?1, ?2, ?3, ?4)";
                vault
                    .execute(sql, rusqlite::params_from_iter(mark))
                    .unwrap();
            }
        }
        let start = run_on(&copy, &["hold", "list"]);
        assert_eq!(start.status.code(), Some(3), "{}", said(&start));
        let named = if sets_marks {
            "watermark/1"
        } else {
            "trailkeep.hold.lift"
        };
        assert!(said(&start).contains(named), "{}", said(&start));
        assert!(!is_clean(&copy));
    }
}

#[test]
fn a_kill_between_the_ledger_and_the_vault_leaves_both_or_neither() {
    for point in ["change-noted", "change-stated", "change-taken"] {
        let stands = point != "change-noted";
        let directory = Directory::new();
        let key = id_of(&directory.run(&["key", "create", "--role", "reader", "--json"]));
        let file = |kind: &str| {
            let words = [
                "privacy",
                "file",
                "--type",
                kind,
                "--subject",
                "p",
                "--json",
            ];
            id_of(&directory.run(&words))
        };
        let (filed, copied) = (file("erasure"), file("access"));
        let hold =
            id_of(&directory.run(&["hold", "place", "--matter", "m", "--reason", "r", "--json"]));
        let target = tempfile::tempdir().unwrap();
        let place = target.path().join("copy");
        let steps: [&[&str]; 10] = [
            &["key", "create", "--role", "admin"],
            &["key", "revoke", &key],
            &["hold", "place", "--matter", "m", "--reason", "r"],
            &["hold", "release", &hold, "--reason", "over"],
            &["privacy", "file", "--subject", "q"],
            &["privacy", "identity", &filed, "--verified-by", "x"],
            // It places a hold first, and is killed there.
            &["privacy", "identity", &copied, "--verified-by", "x"],
            &["privacy", "erase", "--subject", "r", "--yes"],
            &["tenant", "set", "default", "--strict", "on"],
            &["vault-replica", "add", place.to_str().unwrap()],
        ];
        let listed =
            |what: &[&str]| String::from_utf8_lossy(&directory.run(what).stdout).into_owned();
        for step in steps {
            let killed = trailkeep()
                .args(step)
                .arg("--dir")
                .arg(&directory.path)
                .env("TRAILKEEP_FAILPOINT", format!("{point}=kill"))
                .output()
                .unwrap();
            assert_eq!(
                killed.status.code(),
                None,
                "{point} {step:?}: {}",
                said(&killed)
            );
            // The next start ends it, and nothing is taken for tampering.
            succeeded(&directory.run(&["hold", "list"]));
            directory.assert_clean();
        }
        // Each change is there as a whole, or not at all.
        let count = |what: &[&str], text: &str| listed(what).matches(text).count();
        let expected = if stands { (3, 1, 3) } else { (2, 0, 1) };
        let keys = count(&["key", "list", "--json"], "\"role\"");
        let revoked = count(&["key", "list", "--json"], "\"revoked_at\":\"");
        let holds = count(&["hold", "list", "--json"], "\"matter\"");
        assert_eq!((keys, revoked, holds), expected, "{point}");
        let lifted = count(&["hold", "list", "--json"], "\"over\"");
        assert_eq!(lifted > 0, stands, "{point}");
    }
}
