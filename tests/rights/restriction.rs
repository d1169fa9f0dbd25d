//! Restriction with its ground, and the holds that requests imply.

use crate::support::{Clocked, said, succeeded};
use serde_json::{Value, json};

fn event(id: &str, person: &str) -> String {
    json!({"id": id, "action": "chat.completion", "actor": {"id": "bot", "type": "service"},
        "subjects": [{"id": person}], "input": format!("secret of {id}")})
    .to_string()
        + "\n"
}

fn restrict<'a>(person: &'a str, ground: &'a str) -> [&'a str; 8] {
    let words = ["privacy", "restrict", "--subject", person, "--ground"];
    [
        words[0],
        words[1],
        words[2],
        words[3],
        words[4],
        ground,
        "--reference",
        "R",
    ]
}

fn list_of(clocked: &Clocked) -> Vec<Value> {
    let listed = clocked.json(&["hold", "list", "--json"]);
    listed["holds"].as_array().unwrap().clone()
}

fn in_force(clocked: &Clocked) -> usize {
    let holds = list_of(clocked);
    holds.iter().filter(|hold| hold["lifted"].is_null()).count()
}

/// The sections of the newest statement with an action.
fn stated(clocked: &Clocked, action: &str) -> Value {
    let log = clocked.json(&["access", "list", "--json"]);
    let mut found = log["accesses"].as_array().unwrap().iter();
    found
        .rfind(|access| access["action"] == action)
        .map(|access| access["detail"].clone())
        .unwrap_or_default()
}

#[test]
fn a_restriction_needs_its_ground_and_b_and_c_keep_beyond_expiry() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    for person in ["anna", "bert", "carla", "dora", "emil"] {
        clocked.append(&event(person, person));
    }
    let without = [
        "privacy",
        "restrict",
        "--subject",
        "anna",
        "--reference",
        "R",
    ];
    let refused = clocked.output(&without);
    assert!(!refused.status.success());
    for word in ["contested", "unlawful", "claims", "objection", "18(1)"] {
        assert!(said(&refused).contains(word), "{}", said(&refused));
    }
    let wrong = clocked.output(&restrict("anna", "e"));
    assert_eq!(wrong.status.code(), Some(2), "{}", said(&wrong));
    for (person, ground) in [
        ("anna", "a"),
        ("bert", "unlawful"),
        ("carla", "c"),
        ("dora", "objection"),
    ] {
        succeeded(&clocked.output(&restrict(person, ground)));
    }
    let requests = clocked.json(&["privacy", "list", "--json"]);
    let requests = requests["requests"].as_array().unwrap();
    let mut grounds: Vec<&str> = requests
        .iter()
        .filter_map(|one| one["ground"].as_str())
        .collect();
    grounds.sort_unstable();
    assert_eq!(grounds, ["claims", "contested", "objection", "unlawful"]);
    assert_eq!(in_force(&clocked), 2);
    // Two months after their expiry (default-90d): (a), (d) and the unrestricted one are gone.
    clocked.set("2027-05-01T10:00:00Z");
    let preview = clocked.json(&["retention", "preview", "--json"]);
    assert_eq!(
        (&preview["destroyed"], &preview["held"]),
        (&json!(3), &json!(2)),
        "{preview}"
    );
    assert_eq!(preview["held_requests"].as_array().unwrap().len(), 2);
    assert_eq!(clocked.run()["destroyed"], 3);
    let purpose = ["--purpose", "legal-claims: file 17"];
    for person in ["bert", "carla"] {
        succeeded(&clocked.output(&[&["show", person], &purpose[..]].concat()));
    }
    // Lifted, the hold is released, and the next run takes what is due.
    for request in requests.iter().filter(|one| one["ground"] == "claims") {
        let id = request["id"].as_str().unwrap();
        succeeded(&clocked.output(&["privacy", "close", id, "--decision", "lifted"]));
    }
    assert_eq!(in_force(&clocked), 1);
    let preview = clocked.json(&["retention", "preview", "--json"]);
    assert_eq!(preview["destroyed"], 1, "{preview}");
    assert_eq!(clocked.run()["destroyed"], 1);
    assert!(clocked.verify()["findings"].as_array().unwrap().is_empty());
}

#[test]
fn restricted_payloads_open_for_the_purposes_of_the_law_alone() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    clocked.append(&event("anna", "anna"));
    succeeded(&clocked.output(&restrict("anna", "contested")));
    for purpose in ["marketing", "consenting", "analytics for legal-claims"] {
        let refused = clocked.output(&["show", "anna", "--purpose", purpose]);
        assert!(!refused.status.success(), "{purpose}");
        for word in [
            "consent",
            "legal-claims",
            "rights-of-others",
            "public-interest",
        ] {
            assert!(said(&refused).contains(word), "{}", said(&refused));
        }
        let query = ["query", "--subject", "anna", "--purpose", purpose, "--json"];
        let answered = clocked.json(&query);
        assert_eq!(answered["events"], json!([]), "{answered}");
        assert_eq!(answered["restricted"], 1, "{answered}");
    }
    for purpose in [
        "consent",
        "Legal claims: file 17",
        "public-interest, examination",
    ] {
        succeeded(&clocked.output(&["show", "anna", "--purpose", purpose]));
    }
    assert_eq!(
        stated(&clocked, "trailkeep.access")["purpose"],
        "public-interest, examination"
    );
}

fn access(clocked: &Clocked, person: &str) -> String {
    let words = [
        "privacy",
        "file",
        "--type",
        "access",
        "--subject",
        person,
        "--json",
    ];
    let filed = clocked.json(&words);
    filed["id"].as_str().unwrap().to_owned()
}

fn identify(clocked: &Clocked, id: &str) {
    succeeded(&clocked.output(&["privacy", "identity", id, "--verified-by", "passport"]));
}

#[test]
fn an_identified_request_for_a_copy_keeps_what_it_is_about_until_it_is_due() {
    let clocked = Clocked::at("2026-09-01T10:00:00Z");
    clocked.append(&event("anna", "anna"));
    clocked.append(&event("bert", "bert"));
    // default-90d ends on 30 November; the requests come the day before.
    clocked.set("2026-11-29T10:00:00Z");
    let id = access(&clocked, "anna");
    assert_eq!(in_force(&clocked), 0, "nobody is identified yet");
    identify(&clocked, &id);
    let holds = list_of(&clocked);
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0]["request"], id.as_str());
    assert_eq!(holds[0]["until"], "2026-12-30T00:00:00.000Z", "{holds:?}");
    assert_eq!(holds[0]["review_at"].as_str().unwrap()[..10], *"2026-12-29");
    clocked.set("2026-12-05T10:00:00Z");
    let preview = clocked.json(&["retention", "preview", "--json"]);
    assert_eq!(preview["held_requests"], json!([id]), "{preview}");
    assert_eq!(
        (&preview["destroyed"], &preview["held"]),
        (&json!(1), &json!(1)),
        "{preview}"
    );
    assert_eq!(clocked.run()["destroyed"], 1);
    let server = clocked.serve();
    let ready = server.client().get("/readyz").unwrap().json();
    let notes = ready["notes"].to_string();
    assert!(
        notes.contains("kept from deletion for 1 open data subject request:")
            && notes.contains(&id),
        "{ready}"
    );
    drop(server);
    succeeded(&clocked.output(&["show", "anna"]));
    // More time moves the end, and no day further.
    succeeded(&clocked.output(&["privacy", "extend", &id, "--reason", "many systems"]));
    assert_eq!(list_of(&clocked)[0]["until"], "2027-03-01T00:00:00.000Z");
    clocked.set("2027-02-28T23:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 0);
    clocked.set("2027-03-01T00:30:00Z");
    let preview = clocked.json(&["retention", "preview", "--json"]);
    assert_eq!(preview["destroyed"], 1, "{preview}");
    assert_eq!(clocked.run()["destroyed"], 1);
    assert_eq!(in_force(&clocked), 0);
    let lifted = &list_of(&clocked)[0]["lifted"];
    assert!(
        lifted["reason"].as_str().unwrap().contains("due date"),
        "{lifted}"
    );
    assert!(clocked.verify()["findings"].as_array().unwrap().is_empty());
}

#[test]
fn the_hold_of_a_copy_ends_with_the_request() {
    let clocked = Clocked::at("2026-11-01T10:00:00Z");
    clocked.append(&event("anna", "anna"));
    for decision in ["withdrawn", "answered"] {
        let id = access(&clocked, "anna");
        identify(&clocked, &id);
        assert_eq!(in_force(&clocked), 1, "{decision}");
        let out = clocked.directory.path.with_file_name(decision);
        let fetch = ["privacy", "bundle", &id, "--out", out.to_str().unwrap()];
        succeeded(&clocked.output(&fetch));
        succeeded(&clocked.output(&["privacy", "close", &id, "--decision", decision]));
        assert_eq!(in_force(&clocked), 0, "{decision}");
    }
    assert!(clocked.verify()["findings"].as_array().unwrap().is_empty());
}

/// A policy whose maximum a law sets, of 90 days.
const LAW_SAYS_DELETE: &str = r#"
schema = 1
id = "house-law"
version = 1
title = "Recordings of a house whose law says when they go"
review_by = 2030-01-01
[[authority]]
citation = "Act 1"
kind = "law"
[retention]
keep_at_least = "P0D"
keep_force = "none"
delete_after = "P90D"
delete_force = "law"
purge_within = "P1D"
clock = "received"
max_clock = "received"
[erasure]
request = "honour"
"#;

#[test]
fn the_hold_of_a_copy_leaves_alone_what_a_law_says_must_go() {
    let policies = tempfile::tempdir().unwrap();
    std::fs::write(policies.path().join("house-law.toml"), LAW_SAYS_DELETE).unwrap();
    let clocked = Clocked::with_policies("2026-09-01T10:00:00Z", policies.path());
    let under = |id: &str, regimes: &[&str]| {
        let mut event: Value = serde_json::from_str(&event(id, "anna")).unwrap();
        event["regimes"] = json!(regimes);
        clocked.append(&format!("{event}\n"));
    };
    under("custom", &[]);
    under("law", &["house-law"]);
    // One of the two maxima is law, so no request may outlast it.
    under("both", &["house-law", "default-90d"]);
    let counts = |answer: &Value| [&answer["destroyed"], &answer["held"]].map(Value::as_u64);
    clocked.set("2026-11-20T10:00:00Z");
    let id = access(&clocked, "anna");
    identify(&clocked, &id);
    assert_eq!(in_force(&clocked), 1);
    assert_eq!(list_of(&clocked)[0]["request"], id.as_str());

    clocked.set("2026-12-05T10:00:00Z");
    let explained =
        |id: &str| clocked.json(&["retention", "explain", id, "--json"])["decision"].clone();
    let decisions = ["custom", "law", "both"].map(explained);
    assert_eq!(decisions, ["held", "destroy", "destroy"]);
    let preview = clocked.json(&["retention", "preview", "--json"]);
    assert_eq!(counts(&preview), [Some(2), Some(1)], "{preview}");
    assert_eq!(preview["held_requests"], json!([id]), "{preview}");
    let run = clocked.run();
    assert_eq!(counts(&run), [Some(2), Some(1)], "{run}");
    succeeded(&clocked.output(&["show", "custom"]));
    for gone in ["law", "both"] {
        let refused = clocked.output(&["show", gone]);
        assert!(!refused.status.success(), "{gone}");
    }
    // The copy has what the hold kept.
    let out = clocked.directory.path.with_file_name("copy.zip");
    succeeded(&clocked.output(&["privacy", "bundle", &id, "--out", out.to_str().unwrap()]));
    let closed = ["privacy", "close", &id, "--decision", "answered"];
    succeeded(&clocked.output(&closed));
    let answered = stated(&clocked, "trailkeep.privacy.answer");
    assert_eq!(answered["events"]["disclosed"], 1, "{answered}");
    // A hold of an officer spares nothing: it is a decision, not an effect of a request.
    under("court", &["house-law"]);
    clocked.hold("anna");
    clocked.set("2027-03-20T10:00:00Z");
    assert_eq!(explained("court"), "held");
    clocked.verify();
}
