//! How long the register says whom a request was about: 30 days, or what was set for the tenant when it was filed.

use std::path::{Path, PathBuf};

use crate::support::{Clocked, said, succeeded};
use serde_json::{Value, json};

fn beside(clocked: &Clocked, name: &str) -> PathBuf {
    clocked.directory.path.with_file_name(name)
}

/// An event about a person, which goes when that person asks for it, or is kept under a law.
fn append(clocked: &Clocked, person: &str, regimes: &[&str]) {
    let event = json!({
        "id": format!("e-{person}"), "action": "chat.completion", "outcome": "success", "input": "words",
        "actor": {"id": "support-bot", "type": "service"}, "subjects": [{"id": person}], "regimes": regimes,
    });
    clocked.append(&format!("{event}\n"));
}

fn erase(clocked: &Clocked, person: &str) -> String {
    append(clocked, person, &[]);
    let id = &clocked.erase(person, &[])["request"];
    id.as_str().unwrap().to_owned()
}

fn set(clocked: &Clocked, period: &str) -> Value {
    let set = ["tenant", "set", "default", "--keep-requests", period];
    clocked.json(&[&set[..], &["--json"]].concat())
}

fn show(clocked: &Clocked, id: &str) -> Value {
    clocked.json(&["privacy", "show", id, "--json"])
}

/// The request names its person and has its certificate.
fn assert_knows(clocked: &Clocked, id: &str, person: &str) {
    let shown = show(clocked, id);
    assert_eq!(shown["subject"]["id"], person, "{shown}");
    assert_eq!(shown.get("forgotten_on"), None, "{shown}");
    let (out, key) = (beside(clocked, "c.json"), beside(clocked, "public.pem"));
    let out = out.to_str().unwrap();
    succeeded(&clocked.output(&["privacy", "certificate", id, "--force", "--out", out]));
    let public = clocked.output(&["key", "public"]);
    std::fs::write(&key, &succeeded(&public).stdout).unwrap();
    let mut verify = crate::support::trailkeep();
    verify
        .args(["certificate", "verify", out, "--key"])
        .arg(&key);
    succeeded(&verify.output().unwrap());
}

/// What names nobody stays: what was asked for, when, and what came of it.
fn assert_forgotten(clocked: &Clocked, id: &str, on: &str) {
    let shown = show(clocked, id);
    let names = ["subject", "reference"].map(|name| &shown[name]);
    assert_eq!(names, [&Value::Null; 2], "{shown}");
    assert_eq!(shown["forgotten_on"], on, "{shown}");
    assert_eq!(
        (&shown["type"], &shown["decision"], &shown["certificate"]),
        (&json!("erasure"), &json!("erased"), &json!(false))
    );
    let text = clocked.output(&["privacy", "show", id]);
    let text = String::from_utf8(succeeded(&text).stdout.clone()).unwrap();
    let receipt = shown["receipt"].as_str().unwrap();
    let words = format!("whom it was about was forgotten on {on}");
    for says in [receipt, &words, "closed, erased", "received on"] {
        assert!(text.contains(says), "`{says}` is not in: {text}");
    }
    let out = beside(clocked, "none.json");
    let refused = clocked.output(&["privacy", "certificate", id, "--out", out.to_str().unwrap()]);
    assert!(said(&refused).contains("its identifier was deleted"));
}

#[test]
fn a_request_is_kept_as_long_as_was_set_when_it_was_filed() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let before = erase(&clocked, "anna");
    assert_eq!(set(&clocked, "P24M")["keep_requests"], "P24M");
    let long = erase(&clocked, "bert");
    assert_eq!(set(&clocked, "P30D")["keep_requests"], "P30D");
    let after = erase(&clocked, "carla");

    clocked.set("2026-12-22T10:00:00Z");
    clocked.run();
    for (id, person) in [(&before, "anna"), (&long, "bert"), (&after, "carla")] {
        assert_knows(&clocked, id, person);
    }
    clocked.set("2026-12-24T09:00:00Z");
    clocked.run();
    assert_forgotten(&clocked, &before, "2026-12-24");
    assert_forgotten(&clocked, &after, "2026-12-24");
    assert_knows(&clocked, &long, "bert");

    // A longer period is a duty to keep: nothing goes before its end.
    clocked.set("2028-11-24T09:00:00Z");
    clocked.run();
    assert_knows(&clocked, &long, "bert");
    clocked.set("2028-11-24T11:00:00Z");
    clocked.run();
    assert_forgotten(&clocked, &long, "2028-11-24");
    clocked.verify();
}

/// The entries of an action, as the ledger lists them.
fn entries(clocked: &Clocked, action: &str) -> Vec<Value> {
    let listed = clocked.json(&["access", "list", "--json"]);
    let listed = listed["accesses"].as_array().unwrap().iter();
    let of = listed.filter(|entry| entry["action"] == action);
    of.map(|entry| entry["detail"].clone()).collect()
}

#[test]
fn the_setting_is_stated_and_has_limits() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    set(&clocked, "P24M");
    let size = clocked.size();
    for (period, why) in [
        ("P10D", "shorter than 30 days"),
        ("P1M", "can be shorter than 30 days"),
        ("P7Y", "longer than 6 years"),
        ("24M", "not a calendar period"),
    ] {
        let refused = clocked.output(&["tenant", "set", "default", "--keep-requests", period]);
        assert!(!refused.status.success(), "{period}");
        let text = said(&refused);
        assert!(text.contains(why), "{period}: {text}");
    }
    let server = clocked.serve_with(&[]);
    let body = json!({"keep_requests": "P29D"}).to_string();
    let refused = server
        .client()
        .request("PATCH", "/v1/tenants/default", &[], body.as_bytes())
        .unwrap();
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("P30D"), "{}", refused.text());
    server.stop();
    assert_eq!(clocked.size(), size, "what is refused is not recorded");
    set(&clocked, "P30D");
    let stated = entries(&clocked, "trailkeep.tenant.set");
    let mut periods: Vec<&Value> = stated.iter().map(|one| &one["keep_requests"]).collect();
    periods.sort_by_key(|period| period.is_null());
    assert_eq!(periods, [&json!("P24M"), &Value::Null]);
}

#[test]
fn an_answer_says_whether_a_certificate_was_issued_with_it() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    append(&clocked, "anna", &["hipaa"]);
    clocked.erase("anna", &[]);
    let said = |clocked: &Clocked| {
        let answers = entries(clocked, "trailkeep.privacy.answer").into_iter();
        let mut said: Vec<(String, Value)> = answers
            .map(|one| {
                let outcome = one["outcome"].as_str().unwrap().to_owned();
                (outcome, one["certificate"].clone())
            })
            .collect();
        said.sort_by_key(|(outcome, _)| outcome.clone());
        said
    };
    assert_eq!(said(&clocked), [("restricted".to_owned(), json!(true))]);
    clocked.set("2026-12-24T10:00:00Z");
    clocked.run();
    // When the rest goes, nobody knows any more whom it was about.
    clocked.set("2032-11-27T10:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 1);
    assert_eq!(
        said(&clocked),
        [
            ("erased".to_owned(), json!(false)),
            ("restricted".to_owned(), json!(true))
        ]
    );
}

/// Loses the data directory, and restores it from a backup and the vault's replica.
fn lose_and_restore(clocked: &Clocked, backup: &Path, replica: &Path) {
    let data = &clocked.directory.path;
    let key = beside(clocked, "root.key");
    std::fs::copy(data.join("root.key"), &key).unwrap();
    std::fs::remove_dir_all(data).unwrap();
    std::fs::create_dir(data).unwrap();
    std::fs::copy(&key, data.join("root.key")).unwrap();
    let mut restore = crate::support::trailkeep();
    restore
        .args(["restore", "--json", "--continue", "--from"])
        .arg(backup)
        .arg("--to")
        .arg(data)
        .arg("--vault-replica")
        .arg(replica)
        .arg("--root-key-file")
        .arg(data.join("root.key"))
        .env("TRAILKEEP_TEST_CLOCK", data.with_file_name("clock"));
    succeeded(&restore.output().unwrap());
    succeeded(&clocked.output(&["retention", "resume", "--reviewed-holds"]));
}

#[test]
fn a_restore_keeps_the_period_of_the_request_and_of_the_tenant() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let (backup, replica) = (beside(&clocked, "backup"), beside(&clocked, "replica"));
    std::fs::create_dir(&replica).unwrap();
    succeeded(&clocked.output(&["vault-replica", "add", replica.to_str().unwrap()]));
    set(&clocked, "P24M");
    let before = erase(&clocked, "anna");
    succeeded(&clocked.output(&["backup", "--out", backup.to_str().unwrap()]));
    // The ledger is cut here, so its successor takes the requests and the settings over.
    append(&clocked, "lost", &[]);
    lose_and_restore(&clocked, &backup, &replica);
    let later = erase(&clocked, "bert");
    clocked.set("2027-02-24T10:00:00Z");
    clocked.run();
    for (id, person) in [(&before, "anna"), (&later, "bert")] {
        assert_eq!(show(&clocked, id)["subject"]["id"], person);
    }
    clocked.set("2028-11-24T11:00:00Z");
    clocked.run();
    assert_forgotten(&clocked, &before, "2028-11-24");
    assert_forgotten(&clocked, &later, "2028-11-24");
}
