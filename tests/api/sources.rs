//! Completeness by producer: what is missing in a source's own numbering shows, and what went lawfully accuses nobody.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::support::{Clocked, Directory, succeeded, trailkeep};
use serde_json::{Value, json};

fn numbered(name: &str, numbers: &[u64]) -> String {
    let lines = numbers.iter().enumerate().map(|(at, number)| {
        let event = json!({
            "id": format!("{name}-{number}-{at}"),
            "action": "chat.completion",
            "actor": {"id": "bot"},
            "source": {"name": name, "seq": number},
        });
        format!("{event}\n")
    });
    lines.collect()
}

fn sources(directory: &Directory) -> Vec<Value> {
    let listed = directory.run(&["sources", "--json"]);
    let mut listed: Value = serde_json::from_slice(&succeeded(&listed).stdout).unwrap();
    serde_json::from_value(listed["sources"].take()).unwrap()
}

#[test]
fn gaps_repeats_and_restarts_show() {
    let directory = Directory::new();
    assert_eq!(sources(&directory), [] as [Value; 0]);
    directory.append(&numbered("bot-a", &[1, 2, 3, 7, 8, 8]));
    directory.append(&numbered("bot-b", &[0, 1, 2, 0, 1]));
    directory.append("{\"action\":\"a\",\"actor\":{\"id\":\"x\"}}");
    let server = directory.serve();
    for _ in 0..2 {
        let listed = sources(&directory);
        assert_eq!(listed[0]["name"], "bot-a");
        assert_eq!(listed[0]["gaps"], json!([{"first": 4, "last": 6}]));
        let numbers = |at: usize| {
            [
                "events",
                "last_number",
                "restarts",
                "repeats",
                "missing",
                "may_be_deleted",
            ]
            .map(|name| listed[at][name].as_u64().unwrap())
        };
        assert_eq!(numbers(0), [6, 8, 0, 1, 3, 0]);
        assert_eq!(numbers(1), [5, 1, 1, 0, 0, 0]);
    }
    // What comes later is seen by the server that has read the rest.
    let late = numbered("bot-a", &[4, 5, 6]);
    directory.append(&late);
    assert_eq!(sources(&directory)[0]["missing"], 0);
    server.stop();
    let table = String::from_utf8(succeeded(&directory.run(&["sources"])).stdout.clone()).unwrap();
    assert!(table.contains("bot-a") && table.contains("lost"), "{table}");
    let report = directory.assert_clean();
    assert_eq!(
        report["sources"],
        json!({"sources": 2, "missing": 0, "may_be_deleted": 0, "repeats": 1, "restarts": 1})
    );
    // It shows names out of texts, so it is a read.
    let reads = directory.run(&["access", "list", "--json"]);
    assert!(String::from_utf8_lossy(&reads.stdout).contains("/v1/sources"));
}

#[test]
fn what_expired_accuses_nobody() {
    let clocked = Clocked::at("2026-03-01T10:00:00Z");
    clocked.append(&numbered("bot", &[1, 2]));
    clocked.append(&json!({"id": "kept", "action": "a", "actor": {"id": "x"}, "regimes": ["hipaa"], "source": {"name": "bot", "seq": 3}}).to_string());
    clocked.append(&numbered("bot", &[4, 5]));
    clocked.set("2026-07-01T10:00:00Z");
    clocked.append(&numbered("bot", &[6, 8]));
    assert_eq!(clocked.run()["destroyed"], 4);
    let listed = clocked.json(&["sources", "--json"]);
    let bot = &listed["sources"][0];
    assert_eq!(
        (&bot["missing"], &bot["may_be_deleted"]),
        (&json!(3), &json!(3)),
        "{bot}"
    );
    assert_eq!(clocked.verify()["sources"]["missing"], 3);
}

/// The manifest of a bundle.
fn manifest(path: &std::path::Path) -> Value {
    let mut show = trailkeep();
    let shown = show.args(["bundle", "show", "--json"]).arg(path).output();
    let shown: Value = serde_json::from_slice(&succeeded(&shown.unwrap()).stdout).unwrap();
    shown["manifest"].clone()
}

#[test]
fn a_range_lists_what_its_events_number() {
    let clocked = Clocked::at("2026-03-01T10:00:00Z");
    clocked.append(&numbered("bot", &[1, 2]));
    clocked.append(&json!({"id": "kept", "action": "a", "actor": {"id": "x"}, "regimes": ["hipaa"], "source": {"name": "bot", "seq": 3}}).to_string());
    clocked.append(&numbered("bot", &[4, 5]));
    clocked.set("2026-07-01T10:00:00Z");
    clocked.append(&numbered("bot", &[6, 8, 8, 12]));
    clocked.append(&numbered("other", &[0, 1, 2, 0]));
    assert_eq!(clocked.run()["destroyed"], 4);
    let path = |name: &str| clocked.directory.path.with_file_name(name);

    clocked.export("all.zip");
    let said = manifest(&path("all.zip"));
    // 4 and 5 went between its first event, which is 3, and its last: of the missing 4, 5, 7, 9, 10 and 11 these may be two, and
    // the two that went before it stand in the same thousand entries.
    let bot = json!({"name": "bot", "events": 5, "last_number": 12, "restarts": 0, "repeats": 1, "missing": 6, "may_have_gone": 4,
        "gaps": [{"first": 4, "last": 5}, {"first": 7, "last": 7}, {"first": 9, "last": 11}]});
    let other = json!({"name": "other", "events": 4, "last_number": 0, "restarts": 1, "repeats": 0, "missing": 0, "may_have_gone": 0, "gaps": []});
    assert_eq!(said["sources"], json!([bot, other]), "{said}");
    assert!(said.get("sources_untold").is_none());
    let report = clocked.verify_bundle("all.zip");
    assert_eq!(report["authentic"], true, "{report}");
    let sum = json!({"sources": 2, "missing": 6, "may_be_deleted": 4, "repeats": 1, "restarts": 1});
    assert_eq!(report["sources"], sum);

    // Where the section is redacted no name is told, and nothing is said to be missing.
    let redacted = path("redacted.zip");
    let redacted = redacted.to_str().unwrap();
    clocked.json(&["export", "--json", "--out", redacted, "--redact", "source"]);
    assert_eq!(manifest(&path("redacted.zip"))["sources"], json!([]));
    assert_eq!(clocked.verify_bundle("redacted.zip")["authentic"], true);

    // What is restricted is not shown, so its numbers may be among those that are missing.
    clocked.append(&json!({"id": "hers", "action": "a", "actor": {"id": "x"}, "subjects": [{"id": "anna"}], "source": {"name": "other", "seq": 1}}).to_string());
    clocked.append(&numbered("other", &[2]));
    clocked.restrict("anna");
    let restricted = clocked.export("restricted.zip");
    let other = json!({"name": "other", "events": 5, "last_number": 2, "restarts": 1, "repeats": 0, "missing": 1, "may_have_gone": 1,
        "gaps": [{"first": 1, "last": 1}]});
    assert_eq!(
        manifest(&path("restricted.zip"))["sources"][1],
        other,
        "{restricted}"
    );
    let report = clocked.verify_bundle("restricted.zip");
    assert_eq!(
        (&report["authentic"], &report["counts"]["restricted"]),
        (&json!(true), &json!(1)),
        "{report}"
    );
    assert_eq!(report["sources"]["missing"], 7, "{report}");

    // A selection leaves out by intent, so it lists none.
    let selected = path("selected.zip");
    let selected = selected.to_str().unwrap();
    clocked.json(&[
        "export",
        "--json",
        "--out",
        selected,
        "--action",
        "chat.completion",
    ]);
    assert!(manifest(&path("selected.zip")).get("sources").is_none());
    assert_eq!(clocked.verify_bundle("selected.zip")["authentic"], true);
}
