//! What a restore closed goes on being held, expired, erased and answered for, by statements of the ledger that goes on.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod prompts;
mod superseded;

use std::path::{Path, PathBuf};

use crate::support::{Clocked, said, succeeded};
use serde_json::{Value, json};
use trailkeep_core::failpoint::FailPoint;

fn event(id: &str, person: &str, more: &Value) -> String {
    let mut event = json!({
        "id": id,
        "action": "chat.completion",
        "actor": {"id": "support-bot", "type": "service"},
        "subjects": [{"id": person}],
        "input": format!("words of {person}"),
    });
    let sections = event.as_object_mut().unwrap();
    sections.extend(more.as_object().unwrap().clone());
    format!("{event}\n")
}

fn beside(clocked: &Clocked, name: &str) -> PathBuf {
    clocked.directory.path.with_file_name(name)
}

/// A directory whose vault is copied to another place.
fn with_copies(time: &str) -> Clocked {
    let clocked = Clocked::at(time);
    let copies = beside(&clocked, "copies");
    std::fs::create_dir(&copies).unwrap();
    succeeded(&clocked.output(&["vault-replica", "add", copies.to_str().unwrap()]));
    clocked
}

fn back_up(clocked: &Clocked, name: &str) {
    let to = beside(clocked, name);
    succeeded(&clocked.output(&["backup", "--out", to.to_str().unwrap()]));
}

/// Loses the data directory and restores it from a backup and the vault's copy.
fn lose_and_restore(clocked: &Clocked, backup: &str, more: &[&str]) -> Value {
    let data: &Path = &clocked.directory.path;
    let key = beside(clocked, "root.key");
    std::fs::copy(data.join("root.key"), &key).unwrap();
    std::fs::remove_dir_all(data).unwrap();
    std::fs::create_dir(data).unwrap();
    std::fs::copy(&key, data.join("root.key")).unwrap();
    let (from, copies) = (beside(clocked, backup), beside(clocked, "copies"));
    let mut command = crate::support::trailkeep();
    command
        .args(["restore", "--json", "--from"])
        .arg(from)
        .arg("--to")
        .arg(data)
        .arg("--vault-replica")
        .arg(copies)
        .arg("--root-key-file")
        .arg(data.join("root.key"))
        .env("TRAILKEEP_TEST_CLOCK", data.with_file_name("clock"))
        .args(more);
    serde_json::from_slice(&succeeded(&command.output().unwrap()).stdout).unwrap()
}

fn resume(clocked: &Clocked) {
    succeeded(&clocked.output(&["retention", "resume", "--reviewed-holds"]));
}

/// A certificate verifies with the key of the ledger that goes on.
fn assert_verifies(clocked: &Clocked, certificate: &Path) {
    let key = beside(clocked, "public.pem");
    let public = clocked.output(&["key", "public"]);
    std::fs::write(&key, &succeeded(&public).stdout).unwrap();
    let verified = crate::support::trailkeep()
        .args(["certificate", "verify"])
        .arg(certificate)
        .arg("--key")
        .arg(key)
        .output();
    succeeded(&verified.unwrap());
}

/// A request has a certificate that verifies.
fn assert_certified(clocked: &Clocked, request: &str) {
    let out = beside(clocked, "c.json");
    let certificate = [
        "privacy",
        "certificate",
        request,
        "--force",
        "--out",
        out.to_str().unwrap(),
    ];
    succeeded(&clocked.output(&certificate));
    assert_verifies(clocked, &out);
}

/// The request of a type.
fn request_of(clocked: &Clocked, kind: &str) -> Value {
    let listed = clocked.json(&["privacy", "list", "--json"]);
    let requests = listed["requests"].as_array().unwrap().iter();
    requests
        .clone()
        .find(|one| one["type"] == kind)
        .unwrap()
        .clone()
}

/// Verifies a ledger by name, and gives its counts: intact, expired, erased, restricted, held.
fn counts(clocked: &Clocked, ledger: &str) -> [u64; 5] {
    let output = clocked.output(&["verify", "--json", "--ledger", ledger]);
    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    assert_eq!(report["ok"], true, "{ledger}: {report}");
    ["intact", "expired", "erased", "restricted", "held"]
        .map(|state| report[state].as_u64().unwrap())
}

/// What a bundle of a ledger says of its events: disclosed, expired, erased, restricted, withheld.
fn bundle(clocked: &Clocked, ledger: &str, name: &str) -> [u64; 5] {
    let (path, key) = (beside(clocked, name), beside(clocked, "closed.pem"));
    let made = [
        "export",
        "--json",
        "--ledger",
        ledger,
        "--force",
        "--out",
        path.to_str().unwrap(),
    ];
    succeeded(&clocked.output(&made));
    let public = clocked.output(&["key", "public", "--ledger", ledger]);
    std::fs::write(&key, &succeeded(&public).stdout).unwrap();
    let verified = crate::support::verifier()
        .arg(&path)
        .arg("--key")
        .arg(&key)
        .arg("--json")
        .output()
        .unwrap();
    let report: Value =
        serde_json::from_slice(&verified.stdout).unwrap_or_else(|_| panic!("{}", said(&verified)));
    assert_eq!(report["authentic"], true, "{report}");
    let found = ["disclosed", "expired", "erased", "restricted", "withheld"]
        .map(|state| report["counts"][state].as_u64().unwrap());
    assert_eq!(report["complete"], found[3] + found[4] == 0, "{report}");
    found
}

#[test]
fn a_person_is_erased_out_of_the_ledger_that_a_restore_closed() {
    let clocked = with_copies("2026-11-01T10:00:00Z");
    let default = json!({});
    let before: String = [
        event("anna-2", "anna-4711", &json!({"regimes": ["hipaa"]})),
        event("bert-1", "bert", &default),
        event("dora-1", "dora", &default),
    ]
    .concat();
    let first = clocked.append(&event("anna-1", "anna-4711", &default))["seq"].to_string();
    clocked.append(&before);
    let hold = [
        "hold",
        "place",
        "--reason",
        "R",
        "--matter",
        "M",
        "--subject",
        "dora",
        "--json",
    ];
    clocked.json(&hold);
    let waits = [
        "privacy",
        "file",
        "--type",
        "erasure",
        "--subject",
        "bert",
        "--json",
    ];
    let waiting = clocked.json(&waits);
    back_up(&clocked, "backup");
    clocked.append(&event("lost", "anna-4711", &default));
    clocked.set("2026-11-10T10:00:00Z");
    let restored = lose_and_restore(&clocked, "backup", &["--continue"]);
    assert_eq!(
        restored["ledgers"][0]["continued_by"], "audit.example.com/default.2",
        "{restored}"
    );
    // What the vault knew of the tenant goes on with it.
    let holds = clocked.json(&["hold", "list", "--json"]);
    assert_eq!(holds["holds"].as_array().unwrap().len(), 1, "{holds}");
    let listed = clocked.json(&["privacy", "list", "--json"]);
    assert_eq!(listed["requests"][0]["id"], waiting["id"], "{listed}");
    assert_eq!(counts(&clocked, "default"), [4, 0, 0, 0, 1]);
    // Nobody has looked at the holds.
    let early = [
        "privacy",
        "erase",
        "--subject",
        "anna-4711",
        "--reference",
        "R",
        "--yes",
    ];
    assert!(!clocked.output(&early).status.success());
    resume(&clocked);
    clocked.append(&event("anna-3", "anna-4711", &default));
    clocked.append(&event("dora-2", "dora", &default));

    let would = clocked.erase("anna-4711", &["--dry-run"]);
    assert_eq!(would["counts"]["destroyed"], 2, "{would}");
    assert_eq!(would["counts"]["restricted"], 1, "{would}");
    // Her copy is of both ledgers, a file of each. Who looked at an event of the closed one stands in the other.
    succeeded(&clocked.output(&["show", "anna-1", "--ledger", "default"]));
    let copy = beside(&clocked, "copy.zip");
    let access = [
        "privacy",
        "access",
        "--subject",
        "anna-4711",
        "--json",
        "--out",
    ];
    let given = clocked.json(&[&access[..], &[copy.to_str().unwrap()]].concat());
    assert_eq!(given["held"]["as_subject"], 3, "{given}");
    assert_eq!(given["decision"], "disclosed", "{given}");
    let files = given["closed_files"].as_object().unwrap();
    assert_eq!(files.len(), 1, "{given}");
    let of_closed = std::fs::read(files["default"].as_str().unwrap()).unwrap();
    let mut of_closed = zip::ZipArchive::new(std::io::Cursor::new(of_closed)).unwrap();
    let mut events = of_closed.by_name("events.jsonl").unwrap();
    let mut lines = String::new();
    std::io::Read::read_to_string(&mut events, &mut lines).unwrap();
    assert!(
        lines.contains("anna-1") && lines.contains("anna-2"),
        "{lines}"
    );
    drop(events);
    let mut page = String::new();
    let mut person = of_closed.by_name("person.html").unwrap();
    std::io::Read::read_to_string(&mut person, &mut page).unwrap();
    assert_eq!(page.matches("An event was opened").count(), 1, "{page}");

    let certificate = beside(&clocked, "anna.json");
    let out = ["--now", "--out", certificate.to_str().unwrap()];
    let answer = clocked.erase("anna-4711", &out);
    assert_eq!(answer["outcome"], "partial", "{answer}");
    assert_eq!(answer["erased_events"], 2, "{answer}");
    assert_eq!(answer["kept"][0]["events"], 1, "{answer}");
    assert_verifies(&clocked, &certificate);
    assert_eq!(counts(&clocked, "default"), [2, 0, 1, 1, 1]);
    assert_eq!(counts(&clocked, "default.2"), [1, 0, 1, 0, 1]);
    let shown = clocked.output(&["show", &first, "--ledger", "default"]);
    assert!(!shown.status.success());
    let told = said(&shown);
    assert!(told.contains("of audit.example.com/default.2"), "{told}");
    assert!(
        !clocked
            .output(&["show", "anna-2", "--ledger", "default"])
            .status
            .success()
    );
    // A bundle of the closed ledger can't prove what is stated elsewhere, and says that it leaves it out.
    assert_eq!(bundle(&clocked, "default", "closed.zip"), [2, 0, 0, 0, 2]);
    assert_eq!(bundle(&clocked, "default.2", "open.zip"), [1, 0, 1, 0, 0]);

    // Who is held is told so in both ledgers.
    let answer = clocked.erase("dora", &[]);
    assert_eq!(answer["outcome"], "held", "{answer}");
    assert_eq!(answer["kept"].as_array().unwrap().len(), 2, "{answer}");
    // A request from before the restore is answered from the ledger that goes on.
    let id = waiting["id"].as_str().unwrap();
    succeeded(&clocked.output(&["privacy", "identity", id, "--verified-by", "passport"]));
    clocked.run();
    assert_eq!(request_of(&clocked, "erasure")["state"], "open");
    succeeded(&clocked.output(&["privacy", "execute", id, "--yes"]));
    let listed = clocked.json(&["privacy", "list", "--json"]);
    let requests = listed["requests"].as_array().unwrap();
    let bert = requests.iter().find(|one| one["id"] == id).unwrap();
    assert_eq!(bert["decision"], "erased", "{bert}");
    assert_certified(&clocked, id);
    assert_eq!(counts(&clocked, "default"), [0, 0, 2, 2, 1]);
    succeeded(&clocked.output(&["key", "rotate-vault"]));
    clocked.assert_residue_free("words of bert");

    // A backup has what was stated of the closed ledger, too.
    back_up(&clocked, "later");
    lose_and_restore(&clocked, "later", &[]);
    assert_eq!(counts(&clocked, "default"), [0, 0, 2, 2, 1]);
    assert_eq!(counts(&clocked, "default.2"), [0, 0, 1, 1, 1]);
}

#[test]
fn what_was_closed_expires_and_what_was_restricted_goes_by_itself() {
    let clocked = with_copies("2026-11-01T10:00:00Z");
    clocked.append(&event("old", "anna", &json!({})));
    clocked.append(&event("kept", "anna", &json!({"regimes": ["hipaa"]})));
    clocked.append(&event("bert", "bert", &json!({})));
    back_up(&clocked, "first");
    clocked.append(&event("lost", "anna", &json!({})));
    lose_and_restore(&clocked, "first", &["--continue"]);
    resume(&clocked);
    clocked.append(&event("new", "anna", &json!({})));
    // And once more: two ledgers are closed now.
    back_up(&clocked, "second");
    clocked.append(&event("lost again", "anna", &json!({})));
    lose_and_restore(&clocked, "second", &["--continue"]);
    resume(&clocked);
    let restricted = clocked.restrict("bert");
    assert_eq!(counts(&clocked, "default"), [2, 0, 0, 1, 0]);
    assert!(
        !clocked
            .output(&["show", "bert", "--ledger", "default"])
            .status
            .success()
    );
    let id = restricted["request"].as_str().unwrap();
    succeeded(&clocked.output(&["privacy", "close", id, "--decision", "lifted"]));
    assert_eq!(counts(&clocked, "default"), [3, 0, 0, 0, 0]);
    let answer = clocked.erase("anna", &[]);
    assert_eq!(answer["erased_events"], 2, "{answer}");
    assert_eq!(answer["outcome"], "partial", "{answer}");
    assert_eq!(counts(&clocked, "default"), [1, 0, 1, 1, 0]);
    assert_eq!(counts(&clocked, "default.2"), [0, 0, 1, 0, 0]);
    assert_eq!(counts(&clocked, "default.3"), [0, 0, 0, 0, 0]);
    // 90 days after its receipt what is left of the default goes, in whatever ledger.
    let preview = clocked.json(&[
        "retention",
        "preview",
        "--as-of",
        "2027-02-01T00:00:00Z",
        "--json",
    ]);
    assert_eq!(preview["destroyed"], 1, "{preview}");
    clocked.set("2027-02-01T10:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 1);
    assert_eq!(clocked.run()["destroyed"], 0);
    // What was erased and falls under an expiry later counts as expired.
    assert_eq!(counts(&clocked, "default"), [0, 2, 0, 1, 0]);
    clocked.assert_residue_free("words of bert");
    // What the minimum kept goes when it ends, and the request is answered for good.
    clocked.set("2032-11-02T23:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 0);
    clocked.set("2032-11-03T10:00:00Z");
    let report = clocked.run();
    assert_eq!(report["destroyed"], 1, "{report}");
    assert_eq!(counts(&clocked, "default"), [0, 2, 1, 0, 0]);
    assert_eq!(request_of(&clocked, "erasure")["decision"], "erased");
    clocked.assert_residue_free("words of anna");
}

/// A ledger that a restore closed, with one event of anna, and one of hers behind it.
fn closed_with_anna() -> Clocked {
    let clocked = with_copies("2026-11-01T10:00:00Z");
    clocked.append(&event("anna-1", "anna-4711", &json!({})));
    clocked.append(&event("bert-1", "bert", &json!({})));
    back_up(&clocked, "backup");
    clocked.append(&event("lost", "anna-4711", &json!({})));
    lose_and_restore(&clocked, "backup", &["--continue"]);
    resume(&clocked);
    clocked.append(&event("anna-2", "anna-4711", &json!({})));
    clocked
}

#[test]
fn an_erasure_over_two_ledgers_is_taken_up_wherever_it_was_killed() {
    for point in FailPoint::OF_DESTRUCTION.into_iter().map(FailPoint::name) {
        // In the job of the first ledger, and in that of the second.
        for time in 1..=2 {
            let clocked = closed_with_anna();
            let place = format!("{point}@{time}");
            clocked.erase_killed_at("anna-4711", point, Some(time));
            let listed = clocked.json(&["privacy", "list", "--json"]);
            assert_eq!(
                listed["requests"][0]["decision"], "erased",
                "{place}: {listed}"
            );
            assert_eq!(counts(&clocked, "default"), [1, 0, 1, 0, 0], "{place}");
            assert_eq!(counts(&clocked, "default.2"), [0, 0, 1, 0, 0], "{place}");
            clocked.assert_residue_free("words of anna");
            let id = listed["requests"][0]["id"].as_str().unwrap();
            assert_certified(&clocked, id);
        }
    }
}

#[test]
fn what_is_stated_of_a_closed_ledger_cannot_be_changed_unnoticed() {
    for change in [
        "DELETE FROM covered",
        "UPDATE covered SET statement = statement + 1",
        "UPDATE covered SET row = row + 1",
        "DELETE FROM statement WHERE kind = 'covers-request'",
        "UPDATE statement SET row = row + 1 WHERE kind = 'covers-request'",
        "UPDATE statement SET kind = 'covers-trigger' WHERE kind = 'covers-request'",
    ] {
        let clocked = closed_with_anna();
        clocked.erase("anna-4711", &[]);
        assert_eq!(counts(&clocked, "default"), [1, 0, 1, 0, 0]);
        let file = rusqlite::Connection::open(clocked.directory.path.join("ledger.db")).unwrap();
        // Of the closed ledger, which is number 1.
        let all = if change.contains("WHERE") {
            "AND"
        } else {
            "WHERE"
        };
        let changed = file
            .execute(&format!("{change} {all} row < (2 << 40)"), [])
            .unwrap();
        assert!(changed > 0, "{change}");
        drop(file);
        let output = clocked.output(&["verify", "--json", "--ledger", "default"]);
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
        assert_eq!(report["ok"], false, "{change}: {report}");
    }
}

#[test]
fn a_restriction_from_before_two_restores_is_lifted() {
    let clocked = with_copies("2026-11-01T10:00:00Z");
    clocked.append(&event("anna", "anna", &json!({})));
    let restricted = clocked.restrict("anna");
    back_up(&clocked, "first");
    lose_and_restore(&clocked, "first", &["--continue"]);
    back_up(&clocked, "second");
    lose_and_restore(&clocked, "second", &["--continue"]);
    resume(&clocked);
    assert_eq!(counts(&clocked, "default"), [0, 0, 0, 1, 0]);
    let id = restricted["request"].as_str().unwrap();
    succeeded(&clocked.output(&["privacy", "close", id, "--decision", "lifted"]));
    assert_eq!(counts(&clocked, "default"), [1, 0, 0, 0, 0]);
    succeeded(&clocked.output(&["show", "anna", "--ledger", "default"]));
    // Of the ledgers behind it nothing is lifted.
    assert_eq!(counts(&clocked, "default.3"), [0, 0, 0, 0, 0]);
}

#[test]
fn what_waits_of_somebody_who_is_forgotten_goes_after_a_restore_too() {
    let clocked = with_copies("2026-11-01T10:00:00Z");
    clocked.append(&event("kept", "anna-4711", &json!({"regimes": ["hipaa"]})));
    assert_eq!(clocked.erase("anna-4711", &[])["outcome"], "restricted");
    // A month later nobody knows any more who asked.
    clocked.set("2026-12-01T10:00:00Z");
    clocked.run();
    back_up(&clocked, "backup");
    lose_and_restore(&clocked, "backup", &["--continue"]);
    resume(&clocked);
    // The requests of others go on.
    clocked.append(&event("bert", "bert", &json!({})));
    assert_eq!(clocked.erase("bert", &[])["outcome"], "erased");
    clocked.set("2032-11-03T10:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 1);
    assert_eq!(counts(&clocked, "default"), [0, 0, 1, 0, 0]);
    let listed = clocked.json(&["privacy", "list", "--json"]);
    let requests = listed["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 2, "{listed}");
    assert!(
        requests.iter().all(|one| one["state"] == "closed"),
        "{listed}"
    );
    clocked.assert_residue_free("words of anna");
}

#[test]
fn a_later_answer_names_no_statement_of_the_first() {
    let clocked = with_copies("2026-11-01T10:00:00Z");
    clocked.append(&event("anna-1", "anna-4711", &json!({})));
    clocked.append(&event(
        "anna-2",
        "anna-4711",
        &json!({"action": "kept.for-court"}),
    ));
    let hold = [
        "--reason",
        "R",
        "--matter",
        "M",
        "--action",
        "kept.for-court",
        "--json",
    ];
    let hold = clocked.json(&[&["hold", "place"][..], &hold].concat());
    let answer = clocked.erase("anna-4711", &[]);
    assert_eq!(
        (&answer["outcome"], &answer["erased_events"]),
        (&json!("partial"), &json!(1))
    );
    let lift = [
        "hold",
        "lift",
        hold["id"].as_str().unwrap(),
        "--reason",
        "over",
    ];
    succeeded(&clocked.output(&lift));
    assert_eq!(clocked.run()["destroyed"], 1);
    let id = answer["request"].as_str().unwrap();
    assert_certified(&clocked, id);
    let certificate = std::fs::read(beside(&clocked, "c.json")).unwrap();
    let certificate: Value = serde_json::from_slice(&certificate).unwrap();
    assert_eq!(
        certificate["destroyed"]["also"],
        Value::Null,
        "{certificate}"
    );
    assert_eq!(certificate["events"]["destroyed"], 1, "{certificate}");
}

#[test]
fn price_tables_hold_for_the_ledger_that_goes_on() {
    let clocked = with_copies("2026-11-01T10:00:00Z");
    clocked.append(&event("before", "anna", &json!({})));
    let prices = crate::support::root().join("tests/data/prices.toml");
    let prices = prices.to_str().unwrap();
    let set = clocked.json(&["prices", "set", prices, "--json"]);
    back_up(&clocked, "backup");
    // Lost to the ledger, and known to the vault.
    let lost = clocked.json(&["prices", "set", "shipped", "--imported", "--json"]);
    clocked.append(&event("lost", "anna", &json!({})));
    clocked.set("2026-11-10T10:00:00Z");
    lose_and_restore(&clocked, "backup", &["--continue"]);
    let listed = clocked.json(&["prices", "list", "--json"]);
    assert_eq!(listed["tables"], json!([set, lost]), "{listed}");
    let shown = clocked.json(&["prices", "show", "2", "--json"]);
    assert!(shown["table"]["prices"].as_array().unwrap().len() > 500);
    // Its number is not given again.
    let next = clocked.json(&["prices", "set", "shipped", "--json"]);
    assert_eq!(
        (&next["number"], &next["layer"]),
        (&json!(3), &json!("operator"))
    );
    for ledger in ["default", "default.2"] {
        counts(&clocked, ledger);
    }
}
