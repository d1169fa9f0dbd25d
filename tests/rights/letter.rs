//! The answer letter: each outcome and law in sentences, beside the copy and never in it.

use std::path::PathBuf;

use crate::support::browser::{assert_fits, browser};
use crate::support::{Clocked, said, succeeded};
use serde_json::{Value, json};
use trailkeep_proof::bundle::archive::Archive;

const GDPR_COURT: &str = "You may go to court, whether or not you complain (GDPR Art. 79).";

fn event(id: &str, persons: &[&str], more: &Value) -> String {
    let subjects: Vec<Value> = persons.iter().map(|id| json!({"id": id})).collect();
    let mut event = json!({
        "id": id, "action": "chat.completion", "outcome": "success", "input": format!("secret of {id}"),
        "actor": {"id": "support-bot", "type": "service"}, "subjects": subjects,
    });
    let sections = event.as_object_mut().unwrap();
    sections.extend(more.as_object().unwrap().clone());
    format!("{event}\n")
}

fn beside(clocked: &Clocked, name: &str) -> PathBuf {
    clocked.directory.path.with_file_name(name)
}

/// The letter as text, on lines of 78 columns, with its lines joined so that a test finds sentences.
fn letter(clocked: &Clocked, id: &Value) -> String {
    let output = clocked.output(&["privacy", "letter", id.as_str().unwrap()]);
    let text = String::from_utf8(succeeded(&output).stdout.clone()).unwrap();
    for line in text.lines() {
        assert!(line.chars().count() <= 78, "{line}");
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn page(clocked: &Clocked, id: &Value) -> String {
    let path = beside(clocked, "answer.html");
    let out = ["--force", "--out", path.to_str().unwrap()];
    let command = ["privacy", "letter", id.as_str().unwrap()];
    succeeded(&clocked.command(&command, &out));
    std::fs::read_to_string(path).unwrap()
}

fn assert_says(text: &str, sentences: &[&str]) {
    for sentence in sentences {
        assert!(text.contains(sentence), "`{sentence}` is not in: {text}");
    }
}

fn assert_silent(text: &str, words: &[&str]) {
    for word in words {
        assert!(!text.contains(word), "`{word}` is in: {text}");
    }
}

/// Files a request and gives its id.
fn file(clocked: &Clocked, kind: &str, person: &str, law: &str) -> Value {
    let asked = ["privacy", "file", "--type", kind, "--subject", person];
    let law = ["--regime", law, "--json"];
    clocked.json(&[&asked[..], &law].concat())["id"].clone()
}

fn close(clocked: &Clocked, id: &Value, decision: &str) {
    let id = id.as_str().unwrap();
    clocked.json(&["privacy", "close", id, "--decision", decision, "--json"]);
}

#[test]
fn what_was_deleted_and_kept_is_told_with_its_ground_and_time() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let hipaa = json!({"regimes": ["hipaa"]});
    let ticket = json!({"action": "dsr.received", "regimes": ["ccpa"], "occurred_at": "2026-11-24T09:00:00Z",
        "retention": {"record": "T-1"}, "attributes": {"request_id": "T-1", "kind": "erasure", "channel": "mail"}});
    for (id, person, more) in [
        ("gone", "anna", json!({})),
        ("some", "bert", json!({})),
        ("more", "bert", json!({})),
        ("kept", "bert", hipaa.clone()),
        ("law", "carla", hipaa),
        ("court", "dora", json!({})),
        ("court-2", "dora", json!({})),
        ("own", "eva", ticket),
    ] {
        clocked.append(&event(id, &[person], &more));
    }
    clocked.hold("dora");
    let verified = ["--identity-verified-by", "passport of the person"];
    let erased = letter(&clocked, &clocked.erase("anna", &verified)["request"]);
    assert_says(
        &erased,
        &[
            "ANSWER TO YOUR REQUEST General Data Protection Regulation",
            "About anna",
            "received on 24 November 2026",
            "You asked for the deletion of what is recorded about you (GDPR Art. 17)",
            "Your identity verified on 24 November 2026",
            "All that this log held about you under this identifier was deleted: 1 event.",
            "1 event was deleted on 24 November 2026, 10:00 UTC",
            "No replica of that vault was registered.",
            "The program knows of no backup",
            "trailkeep-verify certificate.json --key audit-key.pem",
            "You may complain to a supervisory authority",
            GDPR_COURT,
        ],
    );
    // What an officer wrote for themselves, and what did not happen.
    assert_silent(&erased, &["passport", "What is kept", "WHAT IS KEPT"]);

    let partial = clocked.erase("bert", &["--regime", "uk-gdpr"]);
    let text = letter(&clocked, &partial["request"]);
    assert_says(
        &text,
        &[
            "Of 3 events that this log held about you, 2 events were deleted and 1 event is kept.",
            "1 event, until 26 November 2032. Reason: HIPAA documentation",
            "the controller set a minimum period. Stated in: 45 CFR 164.316(b)(2)(i)",
            "Meanwhile the events are restricted.",
            "UK GDPR Art. 18(2)",
            "You may complain to the controller, who must acknowledge your complaint within 30 days",
            "the ICO (UK GDPR Art. 12(4) and 77; Data Protection Act 2018, section 165)",
            "(section 166)",
            "Your identity not verified",
        ],
    );

    let restricted = letter(&clocked, &clocked.erase("carla", &[])["request"]);
    assert_says(
        &restricted,
        &["Nothing was deleted yet. 1 event about you is kept for a time"],
    );
    assert_silent(&restricted, &["WHAT WAS DELETED"]);

    let held = clocked.erase("dora", &["--regime", "ccpa"]);
    let text = letter(&clocked, &held["request"]);
    assert_says(
        &text,
        &[
            "2 events about you are kept because of a legal hold.",
            "2 events, until the legal hold that covers them is released.",
            "California Privacy Protection Agency (Cal. Civ. Code 1798.199.45)",
            "the Attorney General of California",
            "(Cal. Civ. Code 1798.150)",
        ],
    );
    assert_silent(&text, &["17(3)", "GDPR Art."]);

    let refused = letter(
        &clocked,
        &clocked.erase("eva", &["--regime", "ccpa"])["request"],
    );
    assert_says(
        &refused,
        &[
            "Your request was refused. 1 event about you is kept.",
            "1 event, until a date that is not known yet. Reason: CCPA/CPRA consumer-request records: this policy refuses",
            "ground: 11 CCR 7101(a),(c), 7022(e)",
        ],
    );
    assert_silent(&refused, &["restricted"]);

    // What was held goes, and the letter is about the last answer.
    let holds = clocked.json(&["hold", "list", "--json"]);
    let hold = holds["holds"][0]["id"].as_str().unwrap();
    clocked.json(&["hold", "release", hold, "--reason", "settled", "--json"]);
    clocked.set("2026-11-27T10:00:00Z");
    assert_eq!(clocked.run()["destroyed"], 2);
    assert_says(
        &letter(&clocked, &held["request"]),
        &[
            "Answered again on 27 November 2026",
            "The first answer, of 24 November 2026, said that events about you are kept. Now 2 events were deleted too",
            "2 events were deleted on 27 November 2026",
        ],
    );
    clocked.verify();
}

#[test]
fn a_copy_a_restriction_and_an_end_without_an_answer_are_told() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    clocked.append(&event("own", &["anna"], &json!({})));
    clocked.append(&event("shared", &["anna", "bert"], &json!({})));
    let copy = |person: &str, more: &[&str]| {
        let path = beside(&clocked, &format!("{person}.zip"));
        let asked = ["privacy", "access", "--subject", person, "--json", "--out"];
        let request = clocked.json(&[&asked[..], &[path.to_str().unwrap()], more].concat());
        (request["id"].clone(), path)
    };
    let (answered, file_of_anna) = copy("anna", &["--include-others", "a note of the officer"]);
    assert_says(
        &letter(&clocked, &answered),
        &[
            "Your copy has 2 events",
            "WHAT YOUR COPY LEAVES OUT Nothing.",
        ],
    );
    let (answered, _) = copy("bert", &["--regime", "uk-gdpr"]);
    let text = letter(&clocked, &answered);
    assert_says(
        &text,
        &[
            "a copy of what is recorded about you (UK GDPR Art. 15)",
            "Your copy has 1 event: all that this log records under exactly this identifier",
            "Data that may be about other people, in the only event.",
            "Ground: UK GDPR Art. 15(4).",
            "person.zip: your copy. Its SHA-256 is ",
        ],
    );
    let (nothing, _) = copy("nobody", &[]);
    let text = letter(&clocked, &nothing);
    assert_says(
        &text,
        &[
            "On 24 November 2026 this log held no event under exactly this identifier, compared character by character.",
        ],
    );
    assert_silent(&text, &["LEAVES OUT", "WHAT IS KEPT"]);

    // The file has nothing of the letter.
    let bytes = std::fs::read(file_of_anna).unwrap();
    let archive = Archive::open(&bytes).unwrap();
    for member in archive.members() {
        let name = &member.name;
        let mut text = Vec::new();
        std::io::Read::read_to_end(&mut archive.reader(name).unwrap(), &mut text).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        assert_silent(
            &text,
            &[
                "If you do not agree",
                "Answer to your request</h1>",
                "officer",
            ],
        );
        assert!(!name.contains("answer"), "{name}");
    }

    let restricted = clocked.restrict("anna")["request"].clone();
    assert_says(
        &letter(&clocked, &restricted),
        &[
            "2 events about you have been restricted as you asked.",
            "2 events (GDPR Art. 18(1)(a))",
            "Retention periods go on",
            "You are told before the restriction is lifted (GDPR Art. 18(3)).",
        ],
    );
    clocked.set("2026-11-26T10:00:00Z");
    close(&clocked, &restricted, "lifted");
    assert_says(
        &letter(&clocked, &restricted),
        &["The restriction of 2 events that you asked for ended on 26 November 2026."],
    );

    let withdrawn = file(&clocked, "access", "anna", "ccpa");
    let open = clocked.output(&["privacy", "letter", withdrawn.as_str().unwrap()]);
    assert!(
        said(&open).contains("`trailkeep privacy close`"),
        "{}",
        said(&open)
    );
    close(&clocked, &withdrawn, "withdrawn");
    let text = letter(&clocked, &withdrawn);
    assert_says(
        &text,
        &["because you withdrew it", "Cal. Civ. Code 1798.110"],
    );
    assert_silent(&text, &["HOW TO CHECK", "certificate.json"]);
    let forwarded = file(&clocked, "erasure", "anna", "gdpr");
    close(&clocked, &forwarded, "forwarded");
    assert_says(
        &letter(&clocked, &forwarded),
        &[
            "passed on to the controller for whom the data is processed (GDPR Art. 28(3)(e))",
            GDPR_COURT,
        ],
    );
    let unknown = file(&clocked, "erasure", "anna", "gdpr");
    clocked.set("2026-12-26T10:00:00Z");
    close(&clocked, &unknown, "identity-not-shown");
    assert_says(
        &letter(&clocked, &unknown),
        &[
            "because it was not established that you are the person",
            GDPR_COURT,
        ],
    );
}

#[test]
fn hostile_text_stays_text_and_near_matches_stay_out() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let id = "<script>alert(1)</script>\u{202e}\"&'";
    clocked.append(&event("own", &[id], &json!({})));
    clocked.append(&event("near", &[&id.to_uppercase()], &json!({})));
    let filed = file(&clocked, "erasure", id, "gdpr");
    let request = filed.as_str().unwrap();
    let reason = "eight <b>systems</b>\n\nYOUR DATA WAS SOLD\u{1b}[2J";
    clocked.json(&["privacy", "extend", request, "--reason", reason, "--json"]);
    let identity = [
        "privacy",
        "identity",
        request,
        "--verified-by",
        "officer's note",
        "--json",
    ];
    clocked.json(&identity);
    succeeded(&clocked.output(&["privacy", "execute", request, "--yes"]));
    let html = page(&clocked, &filed);
    assert_says(
        &html,
        &[
            "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e&quot;&amp;&#39;",
            "until 24 February 2027. Reason: eight &lt;b&gt;systems&lt;/b&gt;",
            "default-src 'none'",
            "<html lang=\"en\">",
        ],
    );
    assert_silent(
        &html,
        &["<script", "<b>systems", "\u{1b}", "\u{202e}", "officer"],
    );
    assert_silent(&html, &["SCRIPT", "similar", "near match"]);
    let output = clocked.output(&["privacy", "letter", request]);
    let text = String::from_utf8(succeeded(&output).stdout.clone()).unwrap();
    assert!(
        !text
            .lines()
            .any(|line| line.trim().starts_with("YOUR DATA")),
        "{text}"
    );
    assert_silent(&text, &["\u{1b}", "\u{202e}", "officer"]);
    let Some(browser) = browser() else {
        return;
    };
    for width in [1280, 500] {
        assert_fits(browser, &html, width);
    }
}

#[test]
fn a_letter_is_a_recorded_read_and_ends_when_the_request_forgets() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    clocked.append(&event("own", &["anna"], &json!({})));
    let request = clocked.erase("anna", &[])["request"].clone();
    let path = format!("/v1/privacy/requests/{}/answer", request.as_str().unwrap());
    let server = clocked.serve_with(&[]);
    let mut client = server.client();
    let answer = client.get(&path).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    assert!(answer.text().starts_with("<!doctype html>"));
    let text = client.get(&format!("{path}?format=text")).unwrap();
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert!(text.text().starts_with("ANSWER TO YOUR REQUEST"));
    for wrong in ["?format=pdf", "?form=text", "?format=text&format=html"] {
        assert_eq!(
            client.get(&format!("{path}{wrong}")).unwrap().status,
            400,
            "{wrong}"
        );
    }
    let open = file(&clocked, "erasure", "anna", "gdpr");
    let open = format!("/v1/privacy/requests/{}/answer", open.as_str().unwrap());
    let refused = client.get(&open).unwrap();
    assert_eq!(refused.status, 409);
    assert_says(
        &refused.text(),
        &["request-state", "trailkeep privacy execute"],
    );
    server.stop();
    let accesses = clocked.json(&["access", "list", "--json"]);
    let accesses = accesses["accesses"].as_array().unwrap().iter();
    let reads =
        accesses.filter(|access| access["detail"]["route"] == "/v1/privacy/requests/{id}/answer");
    assert_ne!(reads.count(), 0);

    clocked.set("2026-12-24T10:00:00Z");
    clocked.run();
    let forgotten = clocked.output(&["privacy", "letter", request.as_str().unwrap()]);
    assert!(!forgotten.status.success());
    assert!(
        said(&forgotten).contains("its identifier was deleted"),
        "{}",
        said(&forgotten)
    );
    clocked.verify();
}
