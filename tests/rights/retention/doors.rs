//! The same over the program's own doors: what a preview, a dry run and a hold say, and which times are taken.

use serde_json::{Value, json};

use super::{event, json_of};
use crate::support::{Clocked, said, succeeded};

fn explained(clocked: &Clocked, id: &str) -> Value {
    clocked.json(&["retention", "explain", id, "--json"])
}

#[test]
fn a_preview_shows_what_a_lifted_hold_lets_a_request_destroy() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    for id in ["a", "b", "c"] {
        clocked.append(&event(id, &json!({"subjects": [{"id": "anna"}]})));
    }
    let place = [
        "hold",
        "place",
        "--reason",
        "R",
        "--matter",
        "M",
        "--subject",
        "anna",
        "--json",
    ];
    let hold = clocked.json(&place);
    assert_eq!(hold["covers_events"], 3, "{hold}");
    clocked.erase("anna", &[]);
    let preview = || clocked.json(&["retention", "preview", "--json"]);
    assert_eq!(preview()["destroyed"], 0);
    let id = hold["id"].as_str().unwrap();
    succeeded(&clocked.output(&["hold", "release", id, "--reason", "over"]));
    let shown = preview();
    assert_eq!(
        (&shown["destroyed"], &shown["requested"]),
        (&json!(3), &json!(3)),
        "{shown}"
    );
    assert_eq!(shown["classes"][0]["requested"], 3, "{shown}");
    for id in ["a", "b", "c"] {
        assert_eq!(explained(&clocked, id)["decision"], "destroy");
    }
    assert_eq!(clocked.run()["destroyed"], 3);
    assert_eq!(preview()["destroyed"], 0);
    assert_eq!(clocked.verify()["erased"], 3);
}

#[test]
fn a_dry_run_says_until_when_and_the_run_does_it() {
    let clocked = Clocked::at("2024-02-29T10:00:00Z");
    let old = json!({
        "subjects": [{"id": "anna"}], "regimes": ["pci-dss"], "occurred_at": "2021-05-10T10:00:00Z",
    });
    clocked.append(&event("e", &old));
    let ask = [
        "privacy",
        "erase",
        "--subject",
        "anna",
        "--reference",
        "R",
        "--dry-run",
        "--json",
    ];
    let dry = clocked.json(&ask);
    // From the receipt, not from what the producer says: nothing is destroyed before.
    assert_eq!(dry["classes"][0]["outcome"], "restricted", "{dry}");
    assert_eq!(dry["classes"][0]["until"], "2025-03-02T00:00:00Z", "{dry}");
    let before = explained(&clocked, "e");
    assert_eq!(
        before["erasure"]["until"], dry["classes"][0]["until"],
        "{before}"
    );
    clocked.erase("anna", &[]);
    let after = explained(&clocked, "e");
    assert_eq!(after["destroy_at"], dry["classes"][0]["until"], "{after}");
    clocked.set("2025-03-01T23:59:59.999Z");
    assert_eq!(clocked.run()["destroyed"], 0);
    clocked.set("2025-03-02T00:00:00Z");
    assert_eq!(
        clocked.json(&["retention", "preview", "--json"])["destroyed"],
        1
    );
    assert_eq!(clocked.run()["destroyed"], 1);
}

#[test]
fn what_should_be_gone_is_counted() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    clocked.append(&event(
        "sec",
        &json!({"regimes": ["sec-17a-4"], "action": "account.open"}),
    ));
    clocked.append(&event("default", &json!({})));
    clocked.append(&event("other", &json!({})));
    let doctor = || -> Vec<Value> {
        let output = clocked.output(&["doctor", "--json"]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = said["findings"].as_array().unwrap().clone();
        findings
            .into_iter()
            .filter(|finding| finding["check"] == "overdue")
            .collect()
    };
    let overdue = || clocked.json(&["retention", "preview", "--json"])["overdue"].clone();
    assert_eq!(overdue(), json!({"events": 0, "since": null}));
    clocked.set("2026-08-31T12:00:00Z");
    assert_eq!(
        overdue(),
        json!({"events": 2, "since": "2026-08-31T00:00:00.000Z"})
    );
    // A daily run may still be on its way.
    assert!(doctor().is_empty());
    clocked.set("2032-12-02T01:00:00Z");
    assert_eq!(overdue()["events"], 3);
    let found = doctor();
    assert_eq!(found.len(), 1, "{found:?}");
    let problem = found[0]["problem"].as_str().unwrap();
    assert!(
        problem.starts_with("3 events of the tenant default"),
        "{problem}"
    );
    assert!(problem.ends_with("since 2026-08-31T00:00:00Z"), "{problem}");
    let server = clocked.serve_with(&[]);
    let metrics = server.client().get("/metrics").unwrap().text();
    assert!(
        metrics.contains("\ntrailkeep_overdue_events 3\n"),
        "{metrics}"
    );
    assert!(
        metrics.contains("\ntrailkeep_overdue_events_oldest_timestamp_seconds 1788134400\n"),
        "{metrics}"
    );
    server.stop();
    // What a hold keeps is not overdue.
    succeeded(&clocked.output(&["hold", "place", "--reason", "R", "--matter", "M"]));
    assert_eq!(overdue()["events"], 0);
    assert!(doctor().is_empty());
}

#[test]
fn a_hold_says_what_it_covers() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    let crm = json!({"subjects": [{"id": "customer-17", "namespace": "crm"}]});
    clocked.append(&event("a", &crm));
    clocked.append(&event("b", &json!({"action": "record.read"})));
    let place = |more: &[&str]| {
        let words = [
            "hold", "place", "--reason", "r", "--matter", "M-1", "--json",
        ];
        json_of(&clocked.output(&[&words[..], more].concat()))
    };
    for (more, covers, near) in [
        (&["--subject", "customer-17"][..], 0, json!(1)),
        (&["--subject", "nobody-at-all"], 0, json!(0)),
        (
            &["--subject", "customer-17", "--namespace", "crm"],
            1,
            Value::Null,
        ),
        (
            &[
                "--subject",
                "customer-17",
                "--namespace",
                "crm",
                "--action",
                "record.*",
            ],
            0,
            json!(0),
        ),
        (&["--action", "chat.complete"], 0, Value::Null),
        (&["--action", "chat.completion"], 1, Value::Null),
        (&["--action", "*.*"], 2, Value::Null),
        (&["--to", "2020-01-01T00:00:00Z"], 0, Value::Null),
        (&["--regime", "hipaa"], 0, Value::Null),
        (&["--regime", "default-90d"], 2, Value::Null),
        (&[], 2, Value::Null),
    ] {
        let placed = place(more);
        assert_eq!(placed["covers_events"], covers, "{more:?}: {placed}");
        assert_eq!(placed["other_namespaces"], near, "{more:?}: {placed}");
        let listed = clocked.json(&["hold", "list", "--json"]);
        let holds = listed["holds"].as_array().unwrap();
        let own = holds
            .iter()
            .find(|hold| hold["id"] == placed["id"])
            .unwrap();
        assert_eq!(own["covers_events"], covers, "{more:?}: {own}");
    }
    let list = String::from_utf8(clocked.output(&["hold", "list"]).stdout).unwrap();
    assert!(
        list.contains("subject customer-17 in namespace crm"),
        "{list}"
    );
    let words = [
        "hold",
        "place",
        "--reason",
        "r",
        "--matter",
        "M",
        "--subject",
        "customer-17",
    ];
    let output = clocked.output(&words);
    let told = said(&output);
    let shown = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(shown.contains("covers   0 events now"), "{shown}");
    assert!(
        told.contains("1 event is about the same id in another namespace"),
        "{told}"
    );
    // Where a match is required nothing is placed, over HTTP neither.
    let holds = || {
        let listed = clocked.json(&["hold", "list", "--json"]);
        listed["holds"].as_array().unwrap().len()
    };
    let before = holds();
    let refused = clocked.command(&words, &["--require-match"]);
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert!(
        said(&refused).contains("it covers no event"),
        "{}",
        said(&refused)
    );
    assert_eq!(holds(), before);
    succeeded(&clocked.command(&words, &["--namespace", "crm", "--require-match"]));
    assert_eq!(holds(), before + 1);
}

#[test]
fn every_door_takes_the_same_times() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let server = clocked.serve_with(&[]);
    let mut client = server.client();
    let doors = |text: &str| {
        let event = json!({"action": "a.b", "actor": {"id": "x"}, "occurred_at": text});
        let hold = json!({"matter": "M", "reason": "r", "from": text});
        let trigger = json!({"name": "audit_concluded", "record": "r", "at": text});
        [
            ("POST", "/v1/events".to_owned(), Some(event)),
            (
                "GET",
                format!("/v1/events?from={}", text.replace('+', "%2B")),
                None,
            ),
            ("POST", "/v1/holds".to_owned(), Some(hold)),
            ("POST", "/v1/triggers".to_owned(), Some(trigger)),
            (
                "GET",
                format!("/v1/retention/preview?at={}", text.replace('+', "%2B")),
                None,
            ),
        ]
    };
    for (text, is_taken) in [
        ("2016-12-31T23:59:60Z", true),
        ("2016-12-31T15:59:60.5-08:00", true),
        ("2026-11-01t10:00:00z", true),
        ("2026-11-01t10:00:00.123456789012+01:00", true),
        ("2026-11-01T10:00:60Z", false),
        ("2026-11-01 10:00:00Z", false),
        ("2026-02-30T10:00:00Z", false),
        ("2026-11-01T10:00:00+0100", false),
        ("2026-11-01T10:00:00", false),
    ] {
        for (method, path, body) in doors(&text.replace(' ', "%20")) {
            // Blanks are written as they are in a body.
            let body = body.map(|body| body.to_string().replace("%20", " "));
            let answer = match &body {
                Some(body) => {
                    let kind = [("content-type", "application/json")];
                    client
                        .request(method, &path, &kind, body.as_bytes())
                        .unwrap()
                }
                None => client.get(&path).unwrap(),
            };
            // A trigger may not be told with an earlier date than before, which is no fault of the form.
            let is_form_good = answer.status < 400 || answer.status == 409;
            assert_eq!(
                is_form_good,
                is_taken,
                "{text} at {path}: {}",
                answer.text()
            );
        }
    }
    // The section stays as it came.
    let leap = json!({"id": "leap", "action": "a.b", "actor": {"id": "x"}, "occurred_at": "2016-12-31t23:59:60z"});
    client
        .post("application/json", leap.to_string().as_bytes())
        .unwrap();
    let kept = client.get("/v1/events/leap").unwrap().text();
    assert!(kept.contains("2016-12-31t23:59:60z"), "{kept}");
    server.stop();
    for arguments in [
        &[
            "policy",
            "explain",
            "--recorded-at",
            "2016-12-31T23:59:60Z",
            "--at",
            "2026-11-01t10:00:00z",
        ][..],
        &[
            "query",
            "--from",
            "2016-12-31t23:59:60z",
            "--dir",
            clocked.directory.path.to_str().unwrap(),
        ],
    ] {
        let output = crate::support::trailkeep()
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    }
}
