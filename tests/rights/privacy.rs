//! Requests of persons through the real program: a copy, what it withholds, what an erasure would do, the register,
//! the certificate, and what is forgotten.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Answer, Client, Directory, files_of, said, says, succeeded, trailkeep};
use serde_json::{Value, json};
use trailkeep_proof::bundle::archive::Archive;
use trailkeep_proof::bundle::line::Line;

const EVENTS: &str = r#"
{"id":"own","action":"chat.completion","outcome":"success","actor":{"id":"ada-17","type":"end_user"},"subjects":[{"id":"ada-17"}],"context":{"purpose":"order_status"},"llm":{"provider":"acme","request_model":"m-1","response_model":"m-1-2026"},"input":[{"role":"user","content":"Where is <my> order?"}],"output":"On its way."}
{"id":"shared","action":"file.share","outcome":"success","actor":{"id":"ada-17"},"subjects":[{"id":"ada-17"},{"id":"bob-4"}],"context":{"purpose":"collaboration"},"input":"the text of both","output":"shared it"}
{"id":"staff","action":"record.read","outcome":"success","actor":{"id":"emp-031","namespace":"staff","type":"employee","name":"Ilse Marchetti","role":"adviser"},"subjects":[{"id":"ada-17"}],"context":{"purpose":"complaint_handling","ip":"192.0.2.77"},"attributes":{"note":"opened by ilse marchetti"},"regimes":["hipaa","soc2"]}
{"id":"acted","action":"message.send","actor":{"id":"ada-17"},"subjects":[{"id":"bob-4"}],"input":"a message to another"}
{"id":"other","action":"chat.completion","actor":{"id":"bob-4"},"subjects":[{"id":"bob-4"}],"input":"a text of another"}
{"id":"elsewhere","action":"chat.completion","actor":{"id":"ada-17","namespace":"crm"},"subjects":[{"id":"ada-17","namespace":"crm"}],"input":"the same id in another register"}
"#;

fn with_events() -> Directory {
    let directory = Directory::new();
    directory.append(EVENTS);
    directory
}

/// Runs a command of `privacy` with `--json` and gives what it printed.
fn privacy(directory: &Directory, arguments: &[&str]) -> Value {
    let output = directory.run(&[&["privacy"], arguments, &["--json"]].concat());
    serde_json::from_slice(&succeeded(&output).stdout).unwrap()
}

fn member(bundle: &Path, name: &str) -> String {
    let bytes = std::fs::read(bundle).unwrap();
    let archive = Archive::open(&bytes).unwrap();
    let mut text = String::new();
    let mut reader = archive.reader(name).unwrap();
    std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
    text
}

/// The events of a bundle by id: which sections they show, and which stand as digests.
fn events(bundle: &Path) -> Vec<(String, Vec<String>)> {
    let lines = member(bundle, "events.jsonl");
    let event = |line: &str| {
        let line = Line::parse(line.as_bytes()).unwrap();
        let id: String = serde_json::from_str(line.text("id").unwrap()).unwrap();
        (id, line.redacted().map(str::to_owned).collect())
    };
    lines.lines().map(event).collect()
}

fn verified(directory: &Directory, bundle: &Path) -> Value {
    let output = crate::support::verifier()
        .arg(bundle)
        .arg("--key")
        .arg(&directory.public_key)
        .arg("--json")
        .output()
        .unwrap();
    serde_json::from_slice(&succeeded(&output).stdout).unwrap()
}

fn out(directory: &Directory, name: &str) -> PathBuf {
    directory.public_key.with_file_name(name)
}

#[test]
fn a_copy_shows_the_person_all_that_is_theirs_and_nothing_of_others() {
    let directory = with_events();
    let shown = directory.run(&["show", "staff", "--purpose", "complaint 4711"]);
    succeeded(&shown);
    let file = out(&directory, "person.zip");
    let request = privacy(
        &directory,
        &[
            "access",
            "--subject",
            "ada-17",
            "--out",
            file.to_str().unwrap(),
        ],
    );
    assert_eq!(request["state"], "closed");
    assert_eq!(request["decision"], "disclosed");
    assert_eq!(request["held"], json!({"as_subject": 3, "as_actor": 1}));

    let report = verified(&directory, &file);
    assert_eq!(report["authentic"], true, "{report}");
    assert_eq!(report["counts"]["disclosed"], 3);
    let redacted = [
        "actor",
        "attributes",
        "context",
        "input",
        "output",
        "subjects",
    ];
    assert_eq!(report["redacted_sections"], json!(redacted));
    let expected = [
        ("own", ""),
        ("shared", "input output subjects"),
        ("staff", "actor attributes context"),
    ];
    let found = events(&file);
    let found: Vec<(&str, String)> = found
        .iter()
        .map(|(id, redacted)| (id.as_str(), redacted.join(" ")))
        .collect();
    assert_eq!(
        found,
        expected.map(|(id, redacted)| (id, redacted.to_owned()))
    );

    let page = member(&file, "person.html");
    for text in [
        "ada-17",
        "Order status",
        "for order status",
        "m-1-2026 of acme",
        "Where is &lt;my&gt; order?",
        "On its way.",
        "One of our staff (adviser)",
        "for complaint handling",
        "complaint 4711",
        "An event was opened",
        "Data that may be about another person",
        "6 years",
        request["receipt"].as_str().unwrap(),
    ] {
        assert!(page.contains(text), "{text} is not in the page: {page}");
    }
    let names = [
        "Ilse",
        "emp-031",
        "192.0.2.77",
        "bob-4",
        "text of both",
        "<my>",
        "message to",
    ];
    for name in [
        "person.html",
        "report.html",
        "events.jsonl",
        "events.csv",
        "manifest.json",
    ] {
        let text = member(&file, name);
        for hidden in names {
            // Sections stand whole in events.jsonl, so the person's own markup does too.
            if hidden != "<my>" || name.contains("html") {
                assert!(!says(&text, hidden), "{hidden} is in {name}");
            }
        }
    }
    directory.assert_clean();
}

#[test]
fn what_is_withheld_is_shown_where_somebody_decides_so_and_that_is_recorded() {
    let directory = with_events();
    let file = out(&directory, "person.zip");
    let request = privacy(
        &directory,
        &[
            "access",
            "--subject",
            "ada-17",
            "--include-others",
            "bob agreed, T-9",
            "--include-staff",
            "--include-acted",
            "--out",
            file.to_str().unwrap(),
        ],
    );
    assert_eq!(verified(&directory, &file)["redacted_sections"], json!([]));
    let ids: Vec<String> = events(&file).into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids, ["own", "shared", "staff", "acted"]);
    let page = member(&file, "person.html");
    assert!(page.contains("Ilse Marchetti (adviser)") && page.contains("the text of both"));
    // The export's entry says what was withheld, and from which request; nobody's name, and not why.
    let accesses = directory.run(&["access", "list", "--json"]);
    let accesses = String::from_utf8(succeeded(&accesses).stdout.clone()).unwrap();
    let listed: Value = serde_json::from_str(&accesses).unwrap();
    let mut export = listed["accesses"].as_array().unwrap().iter();
    let export = export.rfind(|access| access["action"] == "trailkeep.export");
    let export = &export.unwrap()["detail"];
    assert_eq!(export["withholds"], json!([]));
    assert_eq!(export["request"], request["id"]);
    assert_eq!(export["filters"], json!(["subject"]));
    for word in ["ada-17", "bob", "T-9"] {
        assert!(!says(&accesses, word), "{word}");
    }
}

#[test]
fn a_portable_copy_is_one_json_with_the_exact_sections() {
    let directory = with_events();
    let file = out(&directory, "person.json");
    let arguments = ["access", "--subject", "ada-17", "--portable", "--out"];
    privacy(
        &directory,
        &[&arguments[..], &[file.to_str().unwrap()]].concat(),
    );
    let text = std::fs::read_to_string(&file).unwrap();
    let copy: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(copy["format"], "trailkeep/portable/v1");
    assert_eq!(copy["subject"], json!({"id": "ada-17", "namespace": ""}));
    let events = copy["events"].as_array().unwrap();
    assert_eq!(events.len(), 3);
    assert_eq!(events[0]["withheld"], json!([]));
    assert!(text.contains(r#""input":[{"role":"user","content":"Where is <my> order?"}]"#));
    assert_eq!(
        events[1]["withheld"],
        json!(["input", "output", "subjects"])
    );
    assert!(events[1]["event"].get("input").is_none());
    assert!(!says(&text, "bob-4") && !says(&text, "Ilse"));
}

#[test]
fn nothing_held_is_said_and_recorded_and_certified() {
    let directory = with_events();
    let (file, certificate) = (out(&directory, "person.zip"), out(&directory, "c.json"));
    let request = privacy(
        &directory,
        &[
            "access",
            "--subject",
            "nobody",
            "--out",
            file.to_str().unwrap(),
            "--certificate",
            certificate.to_str().unwrap(),
        ],
    );
    assert_eq!(request["decision"], "nothing-held");
    assert_eq!(verified(&directory, &file)["counts"]["entries"], 0);
    assert!(member(&file, "person.html").contains("Nothing is held"));
    assert_eq!(
        verified(&directory, &certificate)["outcome"],
        "nothing-held"
    );
    // Who only acted is told of that.
    let said_of = directory.run(&[
        "privacy",
        "access",
        "--subject",
        "emp-031",
        "--namespace",
        "staff",
        "--out",
        file.to_str().unwrap(),
        "--force",
    ]);
    assert!(
        said(succeeded(&said_of)).contains("The data subject is only the actor in 1 more event:")
    );
}

const NEAR: &str = r#"
{"id":"n-1","action":"chat.completion","actor":{"id":"bot","type":"service"},"subjects":[{"id":"Ada.Lovelace@Example.org"}],"input":"text 1"}
{"id":"n-2","action":"chat.completion","actor":{"id":"bot","type":"service"},"subjects":[{"id":"customer-17","namespace":"crm"}],"input":"text 2"}
{"id":"n-3","action":"chat.completion","actor":{"id":"bot","type":"service"},"subjects":[{"id":"mailto:bob@example.org"}],"input":"text 3"}
{"id":"n-4","action":"chat.completion","actor":{"id":"bot","type":"service"},"subjects":[{"id":"0042"}],"input":"text 4"}
"#;

#[test]
fn nothing_held_is_not_answered_beside_a_near_identifier_unless_somebody_says_it_is_another() {
    let directory = Directory::new();
    directory.append(NEAR);
    for (asked, namespace, masked) in [
        ("ada.lovelace@example.org", "", "A**.L*******@E******.o**"),
        ("customer-17", "crm", "c*******-1*"),
        ("bob@example.org", "", "m*****:b**@e******.o**"),
        ("42", "", "0***"),
    ] {
        let erase = ["erase", "--yes", "--subject", asked];
        let refused = directory.run(&[&["privacy"], &erase[..]].concat());
        assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
        assert!(said(&refused).contains("under this identifier"));
        let file = out(&directory, "near.zip");
        let access = [
            "access",
            "--subject",
            asked,
            "--out",
            file.to_str().unwrap(),
        ];
        let refused = directory.run(&[&["privacy"], &access[..]].concat());
        assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
        assert!(said(&refused).contains(masked), "{}", said(&refused));
        let dry = privacy(&directory, &["erase", "--subject", asked, "--dry-run"]);
        assert_eq!(dry["counts"]["destroyed"], 0, "{dry}");
        let near = json!([{"namespace": namespace, "masked_id": masked, "events": 1}]);
        assert_eq!(dry["near"]["persons"], near, "{dry}");
        assert_eq!(dry["near"]["complete"], true);
    }
    let report = directory.verify();
    assert_eq!(report["intact"], 4, "a near match joins no scope: {report}");
    let listed = privacy(&directory, &["list"]);
    let requests = listed["requests"].as_array().unwrap();
    assert!(
        requests.iter().all(|one| one["state"] == "open"),
        "{listed}"
    );
    assert!(requests.iter().all(|one| one.get("near").is_none()));

    // Who is near is shown to whoever answers, and that is a read of their data.
    let id = requests[0]["id"].as_str().unwrap();
    let shown = privacy(&directory, &["show", id]);
    assert_eq!(shown["near"]["events"], 1, "{shown}");
    let accesses = directory.run(&["access", "list", "--json"]);
    let accesses = String::from_utf8(succeeded(&accesses).stdout.clone()).unwrap();
    assert!(accesses.contains("\"near\""), "{accesses}");
    assert!(!accesses.to_lowercase().contains("lovelace"));

    let certificate = out(&directory, "near.json");
    let said_so = ["--not-the-same-person", "another tenant of the house, T-7"];
    let to = ["--out", certificate.to_str().unwrap()];
    let erase = ["erase", "--yes", "--subject", "ada.lovelace@example.org"];
    let answer = privacy(&directory, &[&erase[..], &said_so, &to].concat());
    assert_eq!(answer["outcome"], "nothing-held", "{answer}");
    assert_eq!(verified(&directory, &certificate)["verified"], true);
    let text = std::fs::read_to_string(&certificate).unwrap();
    assert!(text.contains("no event under exactly this identifier"));
    for word in ["near", "T-7", "Lovelace", "distinguish"] {
        assert!(!says(&text, word), "{word}: {text}");
    }
    let close = ["close", id, "--decision", "answered"];
    let early = directory.run(&[&["privacy"], &close[..]].concat());
    assert!(!early.status.success());
    // The exact identifier is answered as ever, and its folded tag goes with it.
    let exact = ["erase", "--yes", "--subject", "Ada.Lovelace@Example.org"];
    assert_eq!(privacy(&directory, &exact)["outcome"], "erased");
    let erase = ["erase", "--yes", "--subject", "ada.lovelace@example.org"];
    assert_eq!(privacy(&directory, &erase)["outcome"], "nothing-held");
    directory.assert_clean();
}

#[test]
fn the_certificate_verifies_by_our_tools_and_by_openssl_and_only_unchanged() {
    let directory = with_events();
    let (file, certificate) = (out(&directory, "person.zip"), out(&directory, "c.json"));
    privacy(
        &directory,
        &[
            "access",
            "--subject",
            "ada-17",
            "--out",
            file.to_str().unwrap(),
            "--certificate",
            certificate.to_str().unwrap(),
        ],
    );
    let check = |more: &[&str]| {
        let output = trailkeep()
            .args(["certificate", "verify", "--json"])
            .arg(&certificate)
            .arg("--key")
            .arg(&directory.public_key)
            .args(more)
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), report)
    };
    let (code, report) = check(&["--subject", "ada-17"]);
    assert_eq!(
        (code, &report["about_subject"]),
        (0, &json!(true)),
        "{report}"
    );
    assert_eq!(report["events"]["disclosed"], 3);
    assert_eq!(check(&["--subject", "bob-4"]).0, 3);
    assert_eq!(verified(&directory, &certificate)["verified"], true);

    let text = std::fs::read_to_string(&certificate).unwrap();
    assert!(text.starts_with(r#"{"format":"trailkeep/certificate/v1""#));
    assert!(!text.contains("ada-17"), "the certificate names nobody");
    let schema = include_str!("../../schema/certificate.schema.json");
    let validator = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    assert!(validator.is_valid(&serde_json::from_str(&text).unwrap()));

    let signature = format!("{}.sig", certificate.display());
    let openssl = || {
        Command::new("openssl")
            .args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"])
            .arg(&directory.public_key)
            .arg("-in")
            .arg(&certificate)
            .args(["-sigfile", &signature])
            .output()
    };
    let is_there = openssl().is_ok();
    assert!(!is_there || openssl().unwrap().status.success());
    std::fs::write(
        &certificate,
        text.replace("\"disclosed\":3", "\"disclosed\":2"),
    )
    .unwrap();
    assert!(!is_there || !openssl().unwrap().status.success());
    let (code, report) = check(&[]);
    assert_eq!(
        (code, &report["findings"][0]["rule"]),
        (3, &json!("signature"))
    );
}

/// What was left out of a copy is said with count and ground: to the person, in the signed answer, and to machines.
#[test]
fn what_a_copy_leaves_out_is_counted_in_the_page_the_certificate_and_the_portable_file() {
    let directory = with_events();
    let (file, certificate) = (out(&directory, "person.zip"), out(&directory, "c.json"));
    let access = ["access", "--subject", "ada-17", "--out"];
    let to = [
        file.to_str().unwrap(),
        "--certificate",
        certificate.to_str().unwrap(),
    ];
    privacy(&directory, &[&access[..], &to].concat());
    assert_eq!(verified(&directory, &certificate)["verified"], true);
    let text = std::fs::read_to_string(&certificate).unwrap();
    let signed: Value = serde_json::from_str(&text).unwrap();
    let rows = [
        (
            "others",
            1,
            json!(["input", "output", "subjects"]),
            "GDPR Art. 15(4)",
        ),
        (
            "staff",
            1,
            json!(["actor", "attributes", "context"]),
            "GDPR Art. 15(4); CJEU C-579/21",
        ),
        ("only-acted", 1, json!([]), "GDPR Art. 15(4)"),
    ];
    let withheld = signed["withheld"].as_array().unwrap();
    assert_eq!(withheld.len(), rows.len(), "{signed}");
    for (found, (what, events, sections, citation)) in withheld.iter().zip(rows) {
        assert_eq!(found["what"], what);
        assert_eq!(found["events"], events);
        assert_eq!(found["sections"], sections);
        assert_eq!(found["citation"], citation);
        assert!(!found["ground"].as_str().unwrap().is_empty());
    }
    // The answer's entry has the same, so that it is proven and not only signed.
    let entries = signed["entries"].as_array().unwrap();
    let answer = entries.last().unwrap()["says"]["sections"]["answer"]["json"]
        .as_str()
        .unwrap();
    let answer: Value = serde_json::from_str(answer).unwrap();
    assert_eq!(answer["withheld"], signed["withheld"]);

    let page = member(&file, "person.html");
    for text in [
        "other people, in 1 of the 3 events",
        "the staff acted, in 1 of the 3 events",
        "1 more event in which you are only the actor",
        "Ground: GDPR Art. 15(4)",
        "input, output, subjects",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    let portable = out(&directory, "person.json");
    let access = ["access", "--subject", "ada-17", "--portable", "--out"];
    privacy(
        &directory,
        &[&access[..], &[portable.to_str().unwrap()]].concat(),
    );
    let copy: Value = serde_json::from_slice(&std::fs::read(&portable).unwrap()).unwrap();
    assert_eq!(copy["withheld"], signed["withheld"]);
}

#[test]
fn a_dry_run_says_per_class_what_an_erasure_would_do_and_does_nothing() {
    let directory = with_events();
    let before = directory.verify();
    let arguments = [
        "erase",
        "--subject",
        "ada-17",
        "--reference",
        "T-1",
        "--dry-run",
    ];
    let said = privacy(&directory, &arguments);
    assert_eq!(said["held"], json!({"as_subject": 3, "as_actor": 1}));
    let (destroyed, restricted) = (&said["counts"]["destroyed"], &said["counts"]["restricted"]);
    assert_eq!((destroyed, restricted), (&json!(2), &json!(1)), "{said}");
    let kept = said["classes"].as_array().unwrap().iter();
    let kept: Vec<&Value> = kept.filter(|row| row["outcome"] == "restricted").collect();
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0]["policies"], json!(["hipaa 2", "soc2 1"]));
    assert!(kept[0]["citation"].as_str().unwrap().contains("164.316"));
    // COMPLIANCE T1: for a law that is none of the Union, never Art. 17(3)(b).
    let ground = kept[0]["ground"].as_str().unwrap();
    assert!(
        ground.contains("17(3)(e)") && ground.contains("NOT 17(3)(b)"),
        "{ground}"
    );
    let until = kept[0]["until"].as_str().unwrap();
    assert!(until.ends_with("T00:00:00Z"), "{until}");
    let after = directory.assert_clean();
    assert_eq!(before["events"], after["events"]);
    // Looking is recorded, and is a look that the person learns of.
    let file = out(&directory, "person.zip");
    directory.copy_for("ada-17", &file);
    let page = member(&file, "person.html");
    assert!(
        page.contains("Your data was searched for a request of yours"),
        "{page}"
    );
}

#[test]
fn a_hold_and_later_a_lifted_one_are_what_an_erasure_meets() {
    let directory = with_events();
    let arguments = [
        "hold",
        "place",
        "--subject",
        "ada-17",
        "--matter",
        "m",
        "--reason",
        "r",
        "--json",
    ];
    let placed = directory.run(&arguments);
    let placed: Value = serde_json::from_slice(&succeeded(&placed).stdout).unwrap();
    let arguments = ["erase", "--subject", "ada-17", "--dry-run"];
    let said = privacy(&directory, &arguments);
    assert_eq!(said["counts"]["held"], 3, "{said}");
    let rows = said["classes"].as_array().unwrap();
    assert!(rows.iter().all(|row| row["until"].is_null()), "{said}");
    let id = placed["id"].as_str().unwrap();
    succeeded(&directory.run(&["hold", "release", id, "--reason", "settled"]));
    let said = privacy(&directory, &arguments);
    let (destroyed, restricted) = (&said["counts"]["destroyed"], &said["counts"]["restricted"]);
    assert_eq!((destroyed, restricted), (&json!(2), &json!(1)), "{said}");
    // A hold keeps nothing from the person's own copy.
    let file = out(&directory, "person.zip");
    directory.copy_for("ada-17", &file);
    assert_eq!(verified(&directory, &file)["counts"]["disclosed"], 3);
}

fn post(client: &mut Client, path: &str, body: &Value) -> Answer {
    let headers = [("Content-Type", "application/json")];
    client
        .request("POST", path, &headers, body.to_string().as_bytes())
        .unwrap()
}

/// COMPLIANCE T25.
#[test]
fn without_identity_nothing_is_disclosed_and_with_it_the_copy_is_made() {
    let directory = with_events();
    let server = directory.serve();
    let mut client = server.client();
    let asked = json!({"type": "access", "subject": {"id": "ada-17"}, "reference": "T-2041"});
    let filed = post(&mut client, "/v1/privacy/requests", &asked);
    assert_eq!(filed.status, 201, "{}", filed.text());
    let filed = filed.json();
    assert_eq!(
        (&filed["state"], &filed["held"]),
        (&json!("awaiting_identity"), &Value::Null)
    );
    let path = format!("/v1/privacy/requests/{}", filed["id"].as_str().unwrap());

    let bundle = client.get(&format!("{path}/bundle")).unwrap();
    assert_eq!(bundle.status, 409);
    assert_eq!(bundle.json()["type"], "urn:trailkeep:problem:request-state");
    let close = |client: &mut Client, how: &str| {
        post(client, &format!("{path}/close"), &json!({"decision": how})).status
    };
    assert_eq!(close(&mut client, "answered"), 409);
    assert_eq!(
        close(&mut client, "identity-not-shown"),
        409,
        "not before the month is over"
    );
    assert_eq!(
        client.get(&format!("{path}/certificate")).unwrap().status,
        404
    );

    let verified = json!({"verified_by": "the account's second factor"});
    let open = post(&mut client, &format!("{path}/identity"), &verified).json();
    assert_eq!(
        (&open["state"], &open["held"]["as_subject"]),
        (&json!("open"), &json!(3))
    );
    assert_eq!(
        post(&mut client, &format!("{path}/identity"), &verified).status,
        409
    );
    assert_eq!(
        close(&mut client, "answered"),
        409,
        "nobody has fetched the copy"
    );
    let copy = loop {
        let answer = client.get(&format!("{path}/bundle")).unwrap();
        if answer.status != 202 {
            break answer;
        }
    };
    assert_eq!(copy.status, 200);
    assert!(copy.body.starts_with(b"PK"));
    assert_eq!(
        close(&mut client, "identity-not-shown"),
        409,
        "it was shown"
    );
    assert_eq!(close(&mut client, "answered"), 200);
    assert_eq!(close(&mut client, "answered"), 409, "once");
    let certificate = client.get(&format!("{path}/certificate")).unwrap();
    assert_eq!(certificate.status, 200);
    let signature = client
        .get(&format!("{path}/certificate/signature"))
        .unwrap();
    assert_eq!((signature.status, signature.body.len()), (200, 64));

    // Extended once, in time, with a reason; due dates follow.
    let asked = json!({"type": "access", "subject": {"id": "ada-17"}, "received_at": "2020-01-31"});
    let late = post(&mut client, "/v1/privacy/requests", &asked).json();
    assert_eq!(
        (&late["due"], &late["legal_due"]),
        (&json!("2020-02-29"), &json!("2020-03-02"))
    );
    assert_eq!(late["overdue"], true);
    let path = format!("/v1/privacy/requests/{}", late["id"].as_str().unwrap());
    let extend = |client: &mut Client, path: &str, reason: &str| {
        post(
            client,
            &format!("{path}/extend"),
            &json!({"reason": reason}),
        )
    };
    let refused = extend(&mut client, &path, "many systems");
    assert_eq!(refused.status, 409);
    assert!(refused.text().contains("2020-02-29"), "{}", refused.text());
    let denied = post(
        &mut client,
        &format!("{path}/close"),
        &json!({"decision": "identity-not-shown"}),
    );
    assert_eq!(denied.json()["decision"], "identity-not-shown");

    let asked = json!({"type": "access", "subject": {"id": "ada-17"}, "regime": "uk-gdpr"});
    let uk = post(&mut client, "/v1/privacy/requests", &asked).json();
    assert_eq!((&uk["due"], &uk["overdue"]), (&Value::Null, &json!(false)));
    let path = format!("/v1/privacy/requests/{}", uk["id"].as_str().unwrap());
    assert_eq!(extend(&mut client, &path, " ").status, 422);
    assert_eq!(extend(&mut client, &path, "many systems").status, 200);
    assert_eq!(extend(&mut client, &path, "more").status, 409);
    server.stop();
    directory.assert_clean();
}

#[test]
fn malformed_requests_are_refused_and_their_answers_quote_nothing() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    let subject = json!({"id": "secret-person"});
    for (body, word) in [
        (json!({"type": "access"}), "subject"),
        (json!({"type": "everything", "subject": subject}), "type"),
        (
            json!({"type": "access", "subject": subject, "name": "secret-person"}),
            "body",
        ),
        (
            json!({"type": "access", "subject": {"id": ""}}),
            "subject.id",
        ),
        (
            json!({"type": "access", "subject": subject, "received_at": "yesterday"}),
            "received_at",
        ),
        (
            json!({"type": "access", "subject": subject, "received_at": "9999-01-01"}),
            "future",
        ),
        (
            json!({"type": "access", "subject": subject, "reference": "  "}),
            "reference",
        ),
        (
            json!({"type": "erasure", "subject": subject, "now": true}),
            "body",
        ),
    ] {
        let answer = post(&mut client, "/v1/privacy/requests", &body);
        assert!(
            [400, 422].contains(&answer.status),
            "{body}: {}",
            answer.text()
        );
        assert!(answer.text().contains(word), "{body}: {}", answer.text());
        assert!(
            !answer.text().contains("secret-person"),
            "{}",
            answer.text()
        );
    }
    let listed = client.get("/v1/privacy/requests").unwrap().json();
    assert_eq!(listed["requests"], json!([]));
    let log = server.stop();
    assert!(!log.contains("secret-person"));
}

#[test]
fn the_register_names_nobody_outside_of_the_vault_and_forgets_after_closing() {
    let directory = Directory::new();
    let person = "Zaphod.Beeblebrox@example.com";
    let file = out(&directory, "person.zip");
    let request = privacy(
        &directory,
        &[
            "access",
            "--subject",
            person,
            "--reference",
            "ticket-of-zaphod",
            "--identity-verified-by",
            "passport of Zaphod",
            "--out",
            file.to_str().unwrap(),
        ],
    );
    let id = request["id"].as_str().unwrap();
    for (path, bytes) in files_of(&directory.path) {
        for word in [person, "Zaphod", "zaphod", "ticket-of"] {
            let found = bytes
                .windows(word.len())
                .any(|part| part == word.as_bytes());
            assert!(!found, "{word} is in {}", path.display());
        }
    }
    let shown = privacy(&directory, &["show", id]);
    assert_eq!(shown["subject"]["id"], person);
    assert_eq!(shown["reference"], "ticket-of-zaphod");
    let listed = privacy(&directory, &["list"]).to_string();
    assert!(listed.contains("ticket-of-zaphod") && !listed.contains(person));

    let engine = crate::support::open_engine(&directory);
    let tenant = trailkeep_proof::ids::TenantName::new("default").unwrap();
    let tenant = engine.journal.tenant(&tenant).unwrap();
    let now = trailkeep_proof::time::Clock::wall(&*engine.journal.clock);
    let later = |days: u64| trailkeep_proof::time::UnixMillis::new(now.get() + days * 86_400_000);
    let forget =
        |at| trailkeep_core::requests::forget_answered(&engine.journal, &tenant, at).unwrap();
    assert_eq!(forget(later(28)), 0);
    assert_eq!(forget(later(30)), 1);
    assert_eq!(forget(later(30)), 0);
    engine.close().unwrap();
    drop(engine);

    let shown = privacy(&directory, &["show", id]);
    assert_eq!(
        (&shown["subject"], &shown["reference"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        (&shown["receipt"], &shown["certificate"]),
        (&request["receipt"], &json!(false))
    );
    let path = out(&directory, "c.json");
    let refused = directory.run(&[
        "privacy",
        "certificate",
        id,
        "--out",
        path.to_str().unwrap(),
    ]);
    assert!(
        said(&refused).contains("its identifier was deleted"),
        "{}",
        said(&refused)
    );
    assert!(!path.exists(), "no file is left half made");
    directory.assert_clean();
}

#[test]
fn tenants_answer_for_themselves_alone() {
    let directory = with_events();
    succeeded(&directory.run(&["tenant", "create", "acme", "--json"]));
    let arguments = ["--tenant", "acme", "--dry-run", "--out", "x"];
    let said = privacy(
        &directory,
        &[&["access", "--subject", "ada-17"], &arguments[..]].concat(),
    );
    assert_eq!(said["held"], json!({"as_subject": 0, "as_actor": 0}));
}
