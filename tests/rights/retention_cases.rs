//! The cases of the regimes end to end, with dates: the real program under a clock that the test moves.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::support::{Clocked, said, succeeded};
use serde_json::{Value, json};

fn event(id: &str, more: &Value) -> String {
    let mut event = json!({"id": id, "action": "chat.completion", "actor": {"id": "bot"}});
    event
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    format!("{event}\n")
}

fn explained(clocked: &Clocked, id: &str) -> Value {
    clocked.json(&["retention", "explain", id, "--json"])
}

#[test]
fn t8_a_custom_does_not_outrun_a_guidance() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    let regimes = json!({"regimes": ["soc2", "iso-27001", "gdpr-minimal"]});
    clocked.append(&event("e", &regimes));
    let said = explained(&clocked, "e");
    assert_eq!(said["expires_at"], "2027-06-02T00:00:00Z", "{said}");
    assert!(!said["conflicts"].as_array().unwrap().is_empty(), "{said}");
    clocked.set("2027-06-01T23:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 0);
    clocked.set("2027-06-02T00:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 1);
    assert_eq!(clocked.verify()["expired"], 1);
}

#[test]
fn t9_a_regime_is_not_given_to_what_is_recorded() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    clocked.append(&event("e", &json!({"regimes": ["gdpr-minimal"]})));
    let again = event("e", &json!({"regimes": ["gdpr-minimal", "hipaa"]}));
    let refused = clocked.append_output(&again);
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("recorded with other content"),
        "{}",
        said(&refused)
    );
    let fewer = clocked.append_output(&event("e", &json!({})));
    assert!(!fewer.status.success());
    assert_eq!(
        explained(&clocked, "e")["expires_at"],
        "2027-06-02T00:00:00Z"
    );
}

#[test]
fn t16_a_back_dated_event_counts_from_its_receipt() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let old = |regime: &str| json!({"regimes": [regime], "occurred_at": "2021-05-10T10:00:00Z"});
    clocked.append(&event("hipaa", &old("hipaa")));
    clocked.append(&event("default", &old("default-90d")));
    assert_eq!(
        explained(&clocked, "hipaa")["keep_until"],
        "2032-11-26T00:00:00Z"
    );
    assert_eq!(
        explained(&clocked, "default")["expires_at"],
        "2027-02-23T00:00:00Z"
    );
}

#[test]
fn t15_a_date_ahead_buys_no_time() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let ahead = json!({"regimes": ["default-90d"], "occurred_at": "2031-01-01T00:00:00Z"});
    clocked.append(&event("ahead", &ahead));
    assert_eq!(
        explained(&clocked, "ahead")["expires_at"],
        "2027-02-23T00:00:00Z"
    );
    let gaps = clocked.json(&["policy", "gaps", "--json"]);
    assert!(!gaps["gaps"].as_array().unwrap().is_empty(), "{gaps}");
}

#[test]
fn t17_a_document_counts_from_when_it_was_last_in_effect() {
    let clocked = Clocked::at("2022-12-01T10:00:00Z");
    let document = json!({
        "action": "policy.publish", "regimes": ["hipaa"], "retention": {"record": "privacy-policy"},
    });
    clocked.append(&event("document", &document));
    assert_eq!(explained(&clocked, "document")["keep_until"], Value::Null);
    clocked.set("2026-11-24T10:00:00Z");
    succeeded(&clocked.output(&[
        "retention",
        "trigger",
        "superseded",
        "--record",
        "privacy-policy",
        "--at",
        "2026-11-24T00:00:00Z",
    ]));
    let said = explained(&clocked, "document");
    assert_eq!(said["keep_until"], "2032-11-26T00:00:00Z", "{said}");
    assert_eq!(clocked.run()["destroyed"], 0);
}

#[test]
fn t23_an_export_over_a_hole_adds_up() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    let some = |from: u64, end: u64, more: &Value| -> String {
        (from..end).map(|n| event(&format!("e{n}"), more)).collect()
    };
    clocked.append(&some(0, 40, &json!({})));
    clocked.append(&some(40, 500, &json!({"regimes": ["hipaa"]})));
    clocked.set("2026-08-31T02:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 40);
    clocked.append(&some(500, 1_000, &json!({})));
    let listed = clocked.json(&["query", "--limit", "1000", "--json"]);
    assert_eq!(listed["events"].as_array().unwrap().len(), 960);
    let summary = clocked.export("hole.zip");
    let counts = &summary["counts"];
    let count = |name: &str| counts[name].as_u64().unwrap();
    assert_eq!(
        (count("expired"), count("disclosed")),
        (40, 960),
        "{summary}"
    );
    let range = &summary["range"];
    let entries = range["last"].as_u64().unwrap() - range["first"].as_u64().unwrap() + 1;
    assert_eq!(count("entries"), entries);
    let verified = clocked.verify_bundle("hole.zip");
    assert_eq!(
        (&verified["authentic"], &verified["complete"]),
        (&json!(true), &json!(true)),
        "{verified}"
    );
}

/// Every set of 3 regimes out of 16, of 4, and so on: more than a ledger may have classes.
#[test]
fn a_ledger_has_as_many_classes_as_it_may_and_says_so() {
    const CLASSES_MAX: usize = 4_096;
    // Those that are for requests alone make no class of a chat's.
    let policies: Vec<String> = trailkeep_policy::set::SHIPPED
        .iter()
        .map(|(id, _)| (*id).to_owned())
        .filter(|id| !["ccpa", "gdpr-requests"].contains(&id.as_str()))
        .collect();
    let sets = (1_u32..1 << policies.len()).filter(|set| (3..=6).contains(&set.count_ones()));
    let regimes = |set: u32| -> Vec<&String> {
        let named = policies.iter().enumerate();
        named
            .filter(|(at, _)| set >> at & 1 == 1)
            .map(|(_, id)| id)
            .collect()
    };
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    let sets: Vec<u32> = sets.take(CLASSES_MAX).collect();
    let line =
        |(at, set): (usize, &u32)| event(&format!("e{at}"), &json!({"regimes": regimes(*set)}));
    let lines: Vec<String> = sets.iter().enumerate().map(line).collect();
    // The default's class is there from the beginning, so one set is too many.
    let (last, others) = lines.split_last().unwrap();
    clocked.append(&others.concat());
    let refused = clocked.append_output(last);
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("4096 retention classes"),
        "{}",
        said(&refused)
    );
    // What is in use goes on.
    clocked.append(&event("more", &json!({"regimes": regimes(sets[0])})));
    assert_eq!(clocked.verify()["intact"], CLASSES_MAX);
    assert_eq!(clocked.run()["destroyed"], 0);
}
