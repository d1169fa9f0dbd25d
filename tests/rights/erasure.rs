//! Erasure and restriction end to end: the real program under a clock that the test moves.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what is absent is said")]

use std::path::{Path, PathBuf};

use crate::support::{Answer, Client, Clocked, files_of, open_engine, said, succeeded};
use serde_json::{Value, json};
use trailkeep_core::failpoint::FailPoint;
use trailkeep_proof::ledger::event::Person;

/// An event about persons, as NDJSON.
pub(crate) fn event(id: &str, persons: &[&str], more: &Value) -> String {
    let subjects: Vec<Value> = persons.iter().map(|id| json!({"id": id})).collect();
    let mut event = json!({
        "id": id,
        "action": "chat.completion",
        "outcome": "success",
        "actor": {"id": "support-bot", "type": "service"},
        "input": format!("secret of {id}"),
    });
    let sections = event.as_object_mut().unwrap();
    if !subjects.is_empty() {
        sections.insert("subjects".to_owned(), subjects.into());
    }
    sections.extend(more.as_object().unwrap().clone());
    format!("{event}\n")
}

/// The run of that time destroys so many events.
fn assert_goes_at(clocked: &Clocked, time: &str, events: u64) {
    clocked.set(time);
    let report = clocked.run();
    assert_eq!(report["destroyed"], events, "{report}");
}

pub(crate) fn counts(clocked: &Clocked) -> [u64; 4] {
    let report = clocked.verify();
    ["intact", "expired", "erased", "restricted"].map(|state| report[state].as_u64().unwrap())
}

fn request(clocked: &Clocked, id: &Value) -> Value {
    let listed = clocked.json(&["privacy", "list", "--json"]);
    let requests = listed["requests"].as_array().unwrap().iter();
    requests
        .clone()
        .find(|one| one["id"] == *id)
        .unwrap()
        .clone()
}

/// The bundle of the whole ledger proves, and its dispositions are these.
fn assert_bundle(
    clocked: &Clocked,
    name: &str,
    [disclosed, expired, erased, restricted]: [u64; 4],
) {
    clocked.export(name);
    let report = clocked.verify_bundle(name);
    assert_eq!(report["authentic"], true, "{report}");
    let counts = &report["counts"];
    let found = ["disclosed", "expired", "erased", "restricted"]
        .map(|state| counts[state].as_u64().unwrap());
    assert_eq!(found, [disclosed, expired, erased, restricted], "{report}");
    assert_eq!(report["complete"], restricted == 0, "{report}");
    let bundle = place(clocked, name);
    if let Some(word) = crate::support::word_of_python(&bundle, &clocked.directory.public_key) {
        let text = String::from_utf8_lossy(&word.stdout);
        assert!(word.status.success(), "{text}{}", said(&word));
    }
}

#[test]
fn t1_a_request_waits_for_the_minimum_and_not_for_the_expiry() {
    let clocked = Clocked::at("2024-11-24T10:00:00Z");
    clocked.append(&event("e", &["anna"], &json!({"regimes": ["hipaa"]})));
    clocked.set("2026-11-24T10:00:00Z");
    let answer = clocked.erase("anna", &[]);
    assert_eq!(answer["outcome"], "restricted", "{answer}");
    assert_eq!(answer["erased_events"], 0);
    assert_eq!(answer["primary_destroyed_at"], Value::Null);
    let kept = &answer["kept"][0];
    assert_eq!(kept["until"], "2030-11-26T00:00:00Z", "{answer}");
    let ground = kept["ground"].as_str().unwrap();
    assert!(
        ground.starts_with("HIPAA documentation") && ground.contains("the controller set"),
        "{ground}"
    );
    assert!(!ground.contains("17("), "a note of ours: {ground}");
    let filed = request(&clocked, &answer["request"]);
    assert_eq!(
        (&filed["state"], &filed["due"]),
        (&json!("restricted"), &json!("2026-12-24"))
    );
    assert_eq!(counts(&clocked), [0, 0, 0, 1]);
    assert_bundle(&clocked, "restricted.zip", [0, 0, 0, 1]);
    let explained = clocked.json(&["retention", "explain", "e", "--json"]);
    assert_eq!(explained["state"], "restricted", "{explained}");
    assert_eq!(
        explained["destroy_at"], "2030-11-26T00:00:00Z",
        "{explained}"
    );

    // Who asked is forgotten after a month, though the event stays for years.
    clocked.set("2026-12-24T10:00:00Z");
    clocked.run();
    let shown = clocked.json(&["privacy", "show", filed["id"].as_str().unwrap(), "--json"]);
    assert_eq!(shown["subject"], Value::Null, "{shown}");

    assert_goes_at(&clocked, "2030-11-25T23:59:00Z", 0);
    assert_goes_at(&clocked, "2030-11-26T02:00:00Z", 1);
    assert_eq!(counts(&clocked), [0, 0, 1, 0]);
    assert_eq!(request(&clocked, &answer["request"])["state"], "closed");
    assert_bundle(&clocked, "erased.zip", [0, 0, 1, 0]);
    assert_eq!(clocked.verify_bundle("restricted.zip")["authentic"], true);
    assert_eq!(clocked.run()["destroyed"], 0, "once is enough");
}

#[test]
fn t2_a_leap_day_ends_with_february() {
    let clocked = Clocked::at("2024-02-29T10:00:00Z");
    clocked.append(&event("h", &["anna"], &json!({"regimes": ["hipaa"]})));
    clocked.append(&event("p", &["anna"], &json!({"regimes": ["pci-dss"]})));
    let kept = clocked.erase("anna", &["--now"])["kept"].clone();
    let until: Vec<&str> = kept
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["until"].as_str().unwrap())
        .collect();
    assert_eq!(
        until,
        ["2030-03-02T00:00:00Z", "2025-03-02T00:00:00Z"],
        "{kept}"
    );
    assert_goes_at(&clocked, "2025-03-01T23:00:00Z", 0);
    assert_goes_at(&clocked, "2025-03-02T00:00:00Z", 1);
    assert_goes_at(&clocked, "2030-03-02T00:00:00Z", 1);
    assert_eq!(counts(&clocked), [0, 0, 2, 0]);
}

#[test]
fn t6_two_holds_and_an_erasure() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    clocked.append(&event("e", &["anna"], &json!({})));
    let hold = |matter: &str| {
        let hold = [
            "hold",
            "place",
            "--reason",
            "litigation",
            "--matter",
            matter,
            "--subject",
            "anna",
            "--json",
        ];
        clocked.json(&hold)["id"].as_str().unwrap().to_owned()
    };
    clocked.set("2026-07-15T10:00:00Z");
    let first = hold("H1");
    clocked.set("2026-09-10T10:00:00Z");
    let second = hold("H2");
    clocked.set("2026-10-01T10:00:00Z");
    assert_eq!(clocked.run()["held"], 1);
    let answer = clocked.erase("anna", &[]);
    assert_eq!(answer["outcome"], "held", "{answer}");
    let filed = request(&clocked, &answer["request"]);
    assert_eq!(
        (&filed["due"], &filed["legal_due"]),
        (&json!("2026-11-01"), &json!("2026-11-02"))
    );
    assert_eq!(counts(&clocked), [0, 0, 0, 1]);
    clocked.set("2026-10-20T10:00:00Z");
    clocked.json(&["hold", "release", &first, "--reason", "settled", "--json"]);
    assert_eq!(clocked.run()["destroyed"], 0);
    clocked.set("2026-12-05T10:00:00Z");
    clocked.json(&["hold", "release", &second, "--reason", "settled", "--json"]);
    assert_goes_at(&clocked, "2026-12-06T02:00:00Z", 1);
    let [intact, expired, erased, restricted] = counts(&clocked);
    assert_eq!((intact, expired + erased, restricted), (0, 1, 0));
    assert_eq!(request(&clocked, &answer["request"])["state"], "closed");
}

#[test]
fn t12_two_subjects_one_asks() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    let gdpr = json!({"regimes": ["gdpr-minimal"]});
    clocked.append(&event("shared", &["anna", "bert"], &gdpr));
    clocked.append(&event("anna-alone", &["anna"], &gdpr));
    clocked.append(&event("bert-alone", &["bert"], &gdpr));
    clocked.append(&event(
        "chart",
        &["anna", "bert"],
        &json!({"regimes": ["hipaa"]}),
    ));
    let answer = clocked.erase("anna", &["--now"]);
    assert_eq!(
        (&answer["outcome"], &answer["erased_events"]),
        (&json!("partial"), &json!(2)),
        "{answer}"
    );
    // The event goes for both; what a minimum keeps is sealed under the other's key alone.
    assert_eq!(counts(&clocked), [1, 0, 2, 1]);
    assert!(
        succeeded(&clocked.output(&["show", "bert-alone"]))
            .status
            .success()
    );
    let refused = clocked.output(&["show", "chart"]);
    assert!(said(&refused).contains("restricted"), "{}", said(&refused));
    succeeded(&clocked.output(&["show", "chart", "--purpose", "rights-of-others: treatment"]));
    let engine = open_engine_at(&clocked);
    let vault = engine.journal.keyring.vault();
    let ledger = std::sync::Arc::clone(engine.journal.tenants().remove(0).active());
    let tag = |id: &str| {
        let label = trailkeep_crypto::secret::TagLabel::Subject;
        ledger.index_key.tag(label, "", id)
    };
    let number = ledger.record.number;
    let row = |id: &str| vault.person(number, tag(id)).unwrap().unwrap().id;
    assert!(
        !vault.person_has_keys(number, row("anna")).unwrap(),
        "no key of anna's is left"
    );
    assert!(vault.person_has_keys(number, row("bert")).unwrap());
    drop(ledger);
    engine.close().unwrap();
    drop(engine);
    assert_bundle(&clocked, "t12.zip", [1, 0, 2, 1]);
    // Bert's request reaches what is left; the chart stays for the minimum.
    let answer = clocked.erase("bert", &["--now"]);
    assert_eq!(
        (&answer["outcome"], &answer["erased_events"]),
        (&json!("partial"), &json!(1)),
        "{answer}"
    );
    assert_goes_at(&clocked, "2032-06-03T00:00:00Z", 1);
    assert_eq!(counts(&clocked), [0, 0, 4, 0]);
}

#[test]
fn t13_the_same_id_again_after_an_erasure() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let first = event("e-123", &["anna"], &json!({}));
    clocked.append(&first);
    clocked.erase("anna", &["--now"]);
    clocked.set("2026-11-25T10:00:00Z");
    let server = clocked.serve();
    let mut client = server.client();
    for text in [
        first.clone(),
        event("e-123", &["anna"], &json!({"input": "other"})),
    ] {
        let answer = client
            .post("application/json", text.trim().as_bytes())
            .unwrap();
        let said = answer.json();
        assert_eq!(answer.status, 200, "{said}");
        assert_eq!(
            (&said["already_recorded"], &said["erased"]),
            (&json!(true), &json!(true)),
            "{said}"
        );
    }
    let anew = client.post(
        "application/json",
        event("e-124", &["anna"], &json!({})).trim().as_bytes(),
    );
    assert_eq!(anew.unwrap().status, 201);
    drop(client);
    server.stop();
    assert_eq!(counts(&clocked), [1, 0, 1, 0]);
    // The id's tag goes, too, after 30 days.
    clocked.set("2026-12-25T10:00:00Z");
    clocked.run();
    let again = clocked.append(&first);
    assert!(again["seq"].is_number(), "{again}");
}

fn open_engine_at(clocked: &Clocked) -> trailkeep_core::Engine {
    open_engine(&clocked.directory)
}

#[test]
fn t19_and_t20_a_minimum_is_no_matter_of_who_asks() {
    let clocked = Clocked::at("2026-01-10T10:00:00Z");
    clocked.append(&event(
        "sec",
        &["anna"],
        &json!({"regimes": ["sec-17a-4"], "action": "communication.sent"}),
    ));
    clocked.append(&event(
        "pci",
        &[],
        &json!({"regimes": ["pci-dss"], "actor": {"id": "former-employee"}}),
    ));
    clocked.set("2026-11-24T10:00:00Z");
    let sec = clocked.erase("anna", &["--now"]);
    assert_eq!(sec["outcome"], "restricted", "{sec}");
    let pci = clocked.erase("former-employee", &["--now", "--include-acted"]);
    assert_eq!(pci["outcome"], "restricted", "{pci}");
    assert_eq!(pci["kept"][0]["until"], "2027-01-12T00:00:00Z", "{pci}");
    let ground = pci["kept"][0]["ground"].as_str().unwrap();
    assert!(
        ground.contains("under a contract") && !ground.contains("17("),
        "{pci}"
    );
    // The original is still there, word for word.
    let shown = clocked.output(&[
        "show",
        "sec",
        "--purpose",
        "public-interest: SEC examination",
        "--json",
    ]);
    assert!(String::from_utf8_lossy(&succeeded(&shown).stdout).contains("secret of sec"));
    assert_goes_at(&clocked, "2027-01-12T00:00:00Z", 1);
    assert_eq!(counts(&clocked), [0, 0, 1, 1]);
}

#[test]
fn t21_a_restricted_event_is_in_the_persons_own_copy_and_in_no_answer() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    clocked.append(&event("gone", &["anna"], &json!({})));
    clocked.append(&event("kept", &["anna"], &json!({"regimes": ["hipaa"]})));
    clocked.erase("anna", &[]);
    let copy = clocked.directory.path.with_file_name("anna.json");
    clocked.json(&[
        "privacy",
        "access",
        "--subject",
        "anna",
        "--portable",
        "--json",
        "--out",
        copy.to_str().unwrap(),
    ]);
    let copy: Value = serde_json::from_slice(&std::fs::read(&copy).unwrap()).unwrap();
    let events = copy["events"].as_array().unwrap();
    assert_eq!(events.len(), 1, "{copy}");
    assert_eq!(events[0]["event"]["id"], "kept");
    // A question that states no purpose gets nothing, and is recorded; one that does is answered.
    let query = ["query", "--subject", "anna", "--json"];
    let denied = clocked.json(&query);
    assert_eq!(
        (
            denied["events"].as_array().unwrap().len(),
            &denied["restricted"]
        ),
        (0, &json!(1)),
        "{denied}"
    );
    let answered = clocked.json(
        &[
            &query[..],
            &["--purpose", "legal-claims: defence of a claim"],
        ]
        .concat(),
    );
    assert_eq!(
        answered["events"].as_array().unwrap().len(),
        1,
        "{answered}"
    );
    // Who asks for the event itself is refused, and that is recorded, too.
    assert!(!clocked.output(&["show", "kept"]).status.success());
    let log = clocked.json(&["access", "list", "--json"]);
    let told = |events: u64, restricted: u64, purpose: &Value| {
        let accesses = log["accesses"].as_array().unwrap().iter();
        accesses
            .map(|access| &access["detail"])
            .filter(|detail| {
                detail["events"] == events
                    && detail["restricted"] == restricted
                    && detail["purpose"] == *purpose
            })
            .count()
    };
    assert_eq!(told(0, 1, &Value::Null), 2, "{log}");
    assert_eq!(
        told(1, 0, &json!("legal-claims: defence of a claim")),
        1,
        "{log}"
    );
    // By action, too: a bundle of a selection leaves it out.
    let path = clocked.directory.path.with_file_name("chats.zip");
    let made = clocked.json(&[
        "export",
        "--json",
        "--action",
        "chat.completion",
        "--out",
        path.to_str().unwrap(),
    ]);
    assert_eq!(made["counts"]["disclosed"], 0, "{made}");
}

#[test]
fn t22_an_erasure_outlives_the_restore_of_an_older_ledger() {
    let clocked = Clocked::at("2026-11-01T10:00:00Z");
    let (copies, backup, data) = (
        place(&clocked, "copies"),
        place(&clocked, "backup"),
        clocked.directory.path.clone(),
    );
    std::fs::create_dir(&copies).unwrap();
    succeeded(&clocked.output(&["vault-replica", "add", copies.to_str().unwrap()]));
    let words = json!({"input": "words of anna-4711"});
    clocked.append(&event("anna", &["anna-4711"], &words));
    clocked.append(&event("bert", &["bert"], &json!({})));
    succeeded(&clocked.output(&["backup", "--out", backup.to_str().unwrap()]));
    clocked.set("2026-11-24T10:00:00Z");
    let answer = clocked.erase("anna-4711", &["--now"]);
    assert!(answer["replicas_destroyed_at"].is_string(), "{answer}");
    let key = place(&clocked, "root.key");
    std::fs::copy(data.join("root.key"), &key).unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    clocked.set("2026-12-10T10:00:00Z");
    let restore = |more: &[&str]| {
        crate::support::trailkeep()
            .args(["restore", "--json", "--from"])
            .arg(&backup)
            .arg("--to")
            .arg(&data)
            .arg("--root-key-file")
            .arg(&key)
            .args(more)
            .output()
            .unwrap()
    };
    let restored = restore(&["--vault-replica", copies.to_str().unwrap(), "--continue"]);
    let restored: Value = serde_json::from_slice(&succeeded(&restored).stdout).unwrap();
    assert_eq!(restored["keys_missing"], 1, "{restored}");
    std::fs::copy(&key, data.join("root.key")).unwrap();
    // Her text is in the backup and opens for nobody; that is said to be a missing key, and no tampering.
    let name = restored["ledgers"][0]["origin"].as_str().unwrap();
    let name = name.rsplit('/').next().unwrap();
    let shown = clocked.output(&["show", "anna", "--ledger", name]);
    assert!(!shown.status.success());
    assert!(!String::from_utf8_lossy(&shown.stdout).contains("words of"));
    succeeded(&clocked.output(&["show", "bert", "--ledger", name]));
    let report = clocked.output(&["verify", "--json", "--ledger", name]);
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert!(
        !findings.is_empty() && findings.iter().all(|one| one["rule"] == "key-missing"),
        "{report}"
    );
    // The backup's own vault is from before the rotation: nothing there opens with the epoch key of today.
    clocked.assert_residue_free("words of anna-4711");
}

#[test]
fn t23_a_bundle_over_holes_of_every_kind_adds_up() {
    let clocked = Clocked::at("2026-06-01T10:00:00Z");
    let some = |from: u64, end: u64, person: &str, more: &Value| -> String {
        (from..end)
            .map(|n| event(&format!("e{n}"), &[person], more))
            .collect()
    };
    clocked.append(&some(0, 40, "old", &json!({})));
    assert_goes_at(&clocked, "2026-08-31T02:00:00Z", 40);
    clocked.append(&some(40, 43, "anna", &json!({})));
    clocked.append(&some(43, 48, "anna", &json!({"regimes": ["hipaa"]})));
    clocked.append(&some(48, 1_000, "others", &json!({})));
    let answer = clocked.erase("anna", &["--now"]);
    assert_eq!(answer["erased_events"], 3, "{answer}");
    assert_bundle(&clocked, "holes.zip", [952, 40, 3, 5]);
    let redacted = place(&clocked, "redacted.zip");
    clocked.json(&[
        "export",
        "--json",
        "--redact",
        "input",
        "--out",
        redacted.to_str().unwrap(),
    ]);
    assert_eq!(clocked.verify_bundle("redacted.zip")["authentic"], true);
}

#[test]
fn t24_before_the_law_applies() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let log = json!({"regimes": ["eu-ai-act-deployer"]});
    clocked.append(&event("early", &["anna"], &log));
    clocked.set("2026-12-15T10:00:00Z");
    assert_eq!(clocked.erase("anna", &[])["outcome"], "erased");
    clocked.set("2028-05-24T10:00:00Z");
    clocked.append(&event("late", &["anna"], &log));
    clocked.set("2028-06-14T10:00:00Z");
    let answer = clocked.erase("anna", &[]);
    assert_eq!(answer["outcome"], "restricted", "{answer}");
    assert_eq!(
        answer["kept"][0]["until"], "2028-11-26T00:00:00Z",
        "{answer}"
    );
    assert!(
        answer["kept"][0]["ground"]
            .as_str()
            .unwrap()
            .contains("17(3)(b)"),
        "{answer}"
    );
}

#[test]
fn nobody_of_that_name_is_told_so_and_it_is_recorded() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    clocked.append(&event("e", &["anna"], &json!({})));
    let size = clocked.size();
    let out = clocked.directory.path.with_file_name("nobody.json");
    let answer = clocked.erase("nobody", &["--out", out.to_str().unwrap()]);
    assert_eq!(
        (&answer["outcome"], &answer["erased_events"]),
        (&json!("nothing-held"), &json!(0)),
        "{answer}"
    );
    assert_eq!(
        clocked.size(),
        size + 5,
        "the request, its preview, its order, its answer, and the look at its certificate"
    );
    assert_certificate(&clocked, &out, "nobody");
}

/// A certificate as it is handed out, which verifies and follows the schema.
fn certificate(clocked: &Clocked, person: &str, answer: &Value) -> Value {
    let path = place(clocked, "asked.json");
    let id = answer["request"].as_str().unwrap();
    let _ = std::fs::remove_file(&path);
    let _ = std::fs::remove_file(path.with_extension("json.sig"));
    let fetch = ["privacy", "certificate", id, "--out"];
    succeeded(&clocked.command(&fetch, &[path.to_str().unwrap()]));
    assert_certificate(clocked, &path, person);
    let text: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let schema: Value =
        serde_json::from_str(include_str!("../../schema/certificate.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = schema.iter_errors(&text).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    text
}

#[test]
fn a_certificate_says_of_its_own_outcome_what_is_true_and_no_more() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let hipaa = json!({"regimes": ["hipaa"]});
    for (id, person, more) in [
        ("gone", "anna", json!({})),
        ("some", "bert", json!({})),
        ("kept", "bert", hipaa.clone()),
        ("law", "carla", hipaa),
        ("court", "dora", json!({})),
        ("asked", "emil", json!({})),
    ] {
        clocked.append(&event(id, &[person], &more));
    }
    let hold = ["hold", "place", "--reason", "r", "--matter", "m", "--json"];
    clocked.json(&[&hold[..], &["--subject", "dora"]].concat());
    let of = |person: &str| certificate(&clocked, person, &clocked.erase(person, &[]));
    let note = |certificate: &Value| certificate["note"].as_str().unwrap().to_owned();

    let erased = of("anna");
    assert_eq!(erased["destroyed"]["copies"], json!([]));
    assert_eq!(erased["destroyed"]["backups"], json!([]));
    assert_eq!(erased["request"]["identity_checked"], false);
    assert!(note(&erased).contains("No replica of the vault was registered."));
    assert!(note(&erased).contains("knows of no backup"));
    assert!(!note(&erased).contains("any remaining copy"));
    assert!(!note(&erased).contains("`kept`"));
    let partial = of("bert");
    assert!(note(&partial).contains("What `kept` lists was not destroyed."));
    for person in ["carla", "dora"] {
        let kept = of(person);
        assert!(note(&kept).starts_with("Nothing was destroyed."), "{kept}");
        assert!(!note(&kept).contains("Trailkeep deleted"), "{kept}");
        // Neither a hold nor our notes state a ground of the law.
        assert!(!kept["kept"].to_string().contains("17(3)"), "{kept}");
    }
    let nobody = of("nobody");
    assert!(note(&nobody).contains("no event under exactly this identifier"));
    assert!(!note(&nobody).contains("Trailkeep deleted"), "{nobody}");
    let restricted = certificate(&clocked, "emil", &clocked.restrict("emil"));
    assert!(note(&restricted).contains("until the restriction is lifted"));
    assert!(!note(&restricted).contains("Trailkeep deleted"));
}

#[test]
fn a_certificate_names_the_backups_and_when_they_were_overwritten() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    clocked.append(&event("e", &["anna"], &json!({})));
    let (one, two) = (place(&clocked, "one"), place(&clocked, "two"));
    let back_up = |to: &Path| {
        succeeded(&clocked.command(&["backup", "--out"], &[to.to_str().unwrap()])).status
    };
    back_up(&one);
    back_up(&two);
    clocked.set("2026-11-24T11:00:00Z");
    let answer = clocked.erase("anna", &["--identity-verified-by", "passport"]);
    let first = certificate(&clocked, "anna", &answer);
    let backups = first["destroyed"]["backups"].as_array().unwrap();
    assert_eq!(backups.len(), 2, "{first}");
    assert!(backups.iter().all(|one| one["overwritten_at"].is_null()));
    assert_eq!(backups[0]["made_at"], "2026-11-24T10:00:00.000Z");
    assert!(first["note"].as_str().unwrap().contains("`backups` lists"));
    assert_eq!(first["request"]["identity_checked"], true);
    clocked.set("2026-11-24T12:00:00Z");
    back_up(&one);
    let second = certificate(&clocked, "anna", &answer);
    let overwritten: Vec<&Value> = second["destroyed"]["backups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["overwritten_at"])
        .collect();
    assert_eq!(overwritten.len(), 2);
    assert!(
        overwritten.contains(&&json!("2026-11-24T12:00:00.000Z")),
        "{second}"
    );
    assert!(overwritten.contains(&&Value::Null), "{second}");
}

/// The certificate verifies offline and is about the person.
fn assert_certificate(clocked: &Clocked, path: &Path, person: &str) {
    let key = clocked.directory.public_key.to_str().unwrap();
    let output = crate::support::trailkeep()
        .args([
            "certificate",
            "verify",
            path.to_str().unwrap(),
            "--key",
            key,
            "--subject",
            person,
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let openssl = std::process::Command::new("openssl")
        .args([
            "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", key, "-in",
        ])
        .arg(path)
        .arg("-sigfile")
        .arg(format!("{}.sig", path.display()))
        .output();
    match openssl {
        Ok(output) => assert!(output.status.success(), "{}", said(&output)),
        Err(_) => eprintln!("openssl is not here: the signature was checked by trailkeep alone"),
    }
}

#[test]
fn restriction_hides_until_it_is_lifted() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    clocked.append(&event("a", &["anna"], &json!({})));
    clocked.append(&event("b", &["bert"], &json!({})));
    let out = clocked.directory.path.with_file_name("restriction.json");
    let answer = clocked.json(&[
        "privacy",
        "restrict",
        "--subject",
        "anna",
        "--reference",
        "R",
        "--ground",
        "a",
        "--json",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(answer["outcome"], "restricted", "{answer}");
    assert_certificate(&clocked, &out, "anna");
    assert_eq!(counts(&clocked), [1, 0, 0, 1]);
    assert!(!clocked.output(&["show", "a"]).status.success());
    assert_bundle(&clocked, "restricted.zip", [1, 0, 0, 1]);
    let id = answer["request"].as_str().unwrap();
    clocked.json(&["privacy", "close", id, "--decision", "lifted", "--json"]);
    assert_eq!(counts(&clocked), [2, 0, 0, 0]);
    succeeded(&clocked.output(&["show", "a"]));
    assert_bundle(&clocked, "lifted.zip", [2, 0, 0, 0]);
    assert_eq!(clocked.verify_bundle("restricted.zip")["authentic"], true);
    let twice = clocked.output(&["privacy", "close", id, "--decision", "lifted"]);
    assert!(!twice.status.success());
    // What is restricted still expires.
    clocked.restrict("anna");
    clocked.set("2027-03-01T10:00:00Z");
    clocked.run();
    assert_eq!(counts(&clocked), [0, 2, 0, 0]);
}

/// Everything by which a person could be known again: names, tags, references, keys, sealed and not.
struct Traces(Vec<(String, Vec<u8>)>);

impl Traces {
    fn of(clocked: &Clocked, person: &str, texts: &[&str]) -> Self {
        let engine = open_engine_at(clocked);
        let ledger = std::sync::Arc::clone(engine.journal.tenants().remove(0).active());
        let (record, vault) = (&ledger.record, engine.journal.keyring.vault());
        let mut traces: Vec<(String, Vec<u8>)> = [person]
            .iter()
            .chain(texts)
            .map(|text| ((*text).to_owned(), text.as_bytes().to_vec()))
            .collect();
        let person = Person {
            namespace: String::new(),
            id: person.to_owned(),
        };
        let label = trailkeep_crypto::secret::TagLabel::Subject;
        let tag = ledger.index_key.tag(label, &person.namespace, &person.id);
        traces.push(("the tag".to_owned(), tag.as_bytes().to_vec()));
        let row = vault.person(record.number, tag).unwrap().unwrap();
        traces.push(("the sealed reference".to_owned(), row.sealed.clone()));
        let reference = engine
            .journal
            .keyring
            .stored_person(&record.origin, record.number, tag)
            .unwrap()
            .unwrap();
        traces.push(("the reference".to_owned(), reference.as_bytes().to_vec()));
        for key in vault.data_keys(None, 10_000).unwrap() {
            if key.person == row.id {
                let open = engine
                    .journal
                    .keyring
                    .open_row(&record.origin, &key)
                    .unwrap();
                traces.push(("a sealed key".to_owned(), key.sealed.clone()));
                traces.push(("a key".to_owned(), open.expose().to_vec()));
            }
        }
        drop(ledger);
        engine.close().unwrap();
        Self(traces)
    }

    fn assert_gone_from(&self, place: &Path) {
        for (path, bytes) in files_of(place) {
            for (what, trace) in &self.0 {
                let is_there = bytes.windows(trace.len()).any(|window| window == trace);
                assert!(!is_there, "{} holds {what}", path.display());
            }
        }
    }

    fn assert_not_in(&self, name: &str, text: &str) {
        for (what, trace) in &self.0 {
            let is_there = text
                .as_bytes()
                .windows(trace.len())
                .any(|window| window == trace);
            assert!(!is_there, "{name} holds {what}");
        }
    }
}

fn place(clocked: &Clocked, name: &str) -> PathBuf {
    clocked.directory.path.with_file_name(name)
}

#[test]
fn nothing_of_a_person_is_left_in_any_file_with_readers_going_on() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let copies = place(&clocked, "copies");
    std::fs::create_dir(&copies).unwrap();
    succeeded(&clocked.output(&["vault-replica", "add", copies.to_str().unwrap()]));
    let events: String = (0..300)
        .map(|n| {
            let person = if n % 3 == 0 { "anna-4711" } else { "bert-4712" };
            event(
                &format!("e{n}"),
                &[person],
                &json!({"input": format!("words of {person}")}),
            )
        })
        .collect();
    clocked.append(&events);
    clocked.append(&event("both", &["anna-4711", "bert-4712"], &json!({})));
    let traces = Traces::of(&clocked, "anna-4711", &["words of anna-4711"]);
    assert!(traces.0.len() >= 7, "there is a key");
    let server = clocked.serve_with(&[]);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (stop, mut client) = (std::sync::Arc::clone(&stop), server.client());
            std::thread::spawn(move || {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let answer = client.get("/v1/events?limit=200").unwrap();
                    assert_eq!(answer.status, 200, "{}", answer.text());
                }
            })
        })
        .collect();
    let answer = clocked.erase("anna-4711", &["--now"]);
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    readers
        .into_iter()
        .for_each(|reader| reader.join().unwrap());
    assert_eq!(answer["erased_events"], 101, "{answer}");
    assert!(answer["replicas_destroyed_at"].is_string(), "{answer}");
    let metrics = server.client().get("/metrics").unwrap().text();
    traces.assert_not_in("/metrics", &metrics);
    let log = server.stop();
    traces.assert_not_in("the log", &log);
    assert_eq!(counts(&clocked), [200, 0, 101, 0]);
    // Whom the open request is about is known until it is closed and forgotten: sealed, so no file shows it.
    traces.assert_gone_from(&clocked.directory.path);
    traces.assert_gone_from(&copies);
    let bundle = place(&clocked, "after.zip");
    clocked.export("after.zip");
    let unpacked = place(&clocked, "after");
    zip::ZipArchive::new(std::fs::File::open(&bundle).unwrap())
        .unwrap()
        .extract(&unpacked)
        .unwrap();
    traces.assert_gone_from(&unpacked);
}

#[test]
fn an_erasure_is_taken_up_wherever_it_was_killed() {
    for point in FailPoint::OF_DESTRUCTION.into_iter().map(FailPoint::name) {
        for is_one_held in [false, true] {
            kill_an_erasure(point, is_one_held);
        }
    }
}

/// Kills an erasure at a step. The next start finishes it, and nothing is left of what was to go.
fn kill_an_erasure(point: &str, is_one_held: bool) {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let words = json!({"input": "words of anna-4711"});
    let mut events: String = (0..40)
        .map(|n| event(&format!("e{n}"), &["anna-4711"], &words))
        .collect();
    events += &event("shared", &["anna-4711", "bert"], &words);
    events += &event("bert", &["bert"], &json!({}));
    if is_one_held {
        let kept = json!({"action": "kept.for-court"});
        events += &event("held", &["anna-4711"], &kept);
    }
    clocked.append(&events);
    if is_one_held {
        let hold = [
            "--reason",
            "R",
            "--matter",
            "M",
            "--action",
            "kept.for-court",
            "--json",
        ];
        clocked.json(&[&["hold", "place"][..], &hold].concat());
    }
    let traces = Traces::of(&clocked, "anna-4711", &["words of anna-4711"]);
    clocked.erase_killed_at("anna-4711", point, None);
    // The next start finishes it; whoever asked gets the answer.
    let listed = clocked.json(&["privacy", "list", "--json"]);
    let request = &listed["requests"][0];
    let held = u64::from(is_one_held);
    let decision = if is_one_held { "partial" } else { "erased" };
    assert_eq!(request["decision"], decision, "{point}: {listed}");
    assert_eq!(counts(&clocked), [1, 0, 41, held], "{point}");
    succeeded(&clocked.output(&["show", "bert"]));
    let out = place(&clocked, "c.json");
    let id = request["id"].as_str().unwrap();
    let certificate = ["privacy", "certificate", id, "--out", out.to_str().unwrap()];
    succeeded(&clocked.output(&certificate));
    assert_certificate(&clocked, &out, "anna-4711");
    succeeded(&clocked.output(&["key", "rotate-vault"]));
    let mut gone = traces;
    if is_one_held {
        succeeded(&clocked.output(&["show", "held", "--purpose", "legal-claims: court"]));
        // Her tag and reference stay while the held event does; her texts and old keys do not.
        gone.0
            .retain(|(what, _)| what.contains("key") || what.contains("words"));
    }
    gone.assert_gone_from(&clocked.directory.path);
    assert_bundle(&clocked, "after.zip", [1, 0, 41, held]);
    assert_eq!(clocked.run()["destroyed"], 0, "{point}");
}

#[test]
fn a_rotation_follows_an_erasure_by_itself_within_a_day() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let copies = place(&clocked, "copies");
    std::fs::create_dir(&copies).unwrap();
    succeeded(&clocked.output(&["vault-replica", "add", copies.to_str().unwrap()]));
    clocked.append(&event("e", &["anna-4711"], &json!({})));
    clocked.append(&event("bert", &["bert"], &json!({})));
    let traces = Traces::of(&clocked, "anna-4711", &["secret of e"]);
    let server = clocked.serve_with(&[]);
    let answer = clocked.erase("anna-4711", &[]);
    assert_eq!(answer["outcome"], "erased", "{answer}");
    assert_eq!(answer["replicas_destroyed_at"], Value::Null, "{answer}");
    let vault = || server.client().get("/v1/vault").unwrap().json();
    assert_eq!(vault()["epoch"], 1, "{}", vault());
    assert!(vault()["due_since"].is_string(), "{}", vault());
    clocked.set("2026-11-25T08:00:00Z");
    let begun = std::time::Instant::now();
    while vault()["due_since"].is_string() || vault()["in_progress"] == true {
        assert!(begun.elapsed().as_secs() < 60, "{}", vault());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(vault()["epoch"], 2, "{}", vault());
    server.stop();
    traces.assert_gone_from(&clocked.directory.path);
    traces.assert_gone_from(&copies);
    succeeded(&clocked.output(&["show", "bert"]));
    assert_eq!(counts(&clocked), [1, 0, 1, 0]);
}

#[test]
fn a_person_with_one_event_and_one_with_a_hundred_thousand() {
    const EVENTS: usize = 100_000;
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    clocked.append(&event("one", &["anna-4711"], &json!({})));
    for first in (0..EVENTS).step_by(10_000) {
        let some: String = (first..first + 10_000)
            .map(|n| event(&format!("e{n}"), &["bert-4712"], &json!({})))
            .collect();
        clocked.append(&some);
    }
    clocked.append(&event("last", &["carla"], &json!({})));
    let traces = Traces::of(&clocked, "bert-4712", &["secret of e99999"]);
    assert_eq!(clocked.erase("anna-4711", &[])["erased_events"], 1);
    let answer = clocked.erase("bert-4712", &["--now"]);
    assert_eq!(answer["erased_events"], EVENTS, "{answer}");
    assert_eq!(answer["outcome"], "erased", "{answer}");
    let erased = EVENTS as u64 + 1;
    assert_eq!(counts(&clocked), [1, 0, erased, 0]);
    traces.assert_gone_from(&clocked.directory.path);
    assert_bundle(&clocked, "after.zip", [1, 0, erased, 0]);
}

#[test]
fn what_is_sealed_under_a_shared_key_survives_the_key() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    // Nobody's events have one key a class and period: one of them goes, since its actor asks for that, too.
    let mut events: String = (0..150)
        .map(|n| event(&format!("n{n}"), &[], &json!({})))
        .collect();
    events += &event(
        "acted",
        &[],
        &json!({"actor": {"id": "carla", "type": "end_user"}}),
    );
    events += &event("of-bert", &["bert"], &json!({"actor": {"id": "carla"}}));
    events += &event("of-bert-too", &["bert"], &json!({}));
    clocked.append(&events);
    let answer = clocked.erase("carla", &["--include-acted", "--now"]);
    assert_eq!(answer["erased_events"], 2, "{answer}");
    assert_eq!(counts(&clocked), [151, 0, 2, 0]);
    for id in ["n0", "n149", "of-bert-too"] {
        let shown = clocked.output(&["show", id]);
        assert!(
            String::from_utf8_lossy(&succeeded(&shown).stdout).contains(&format!("secret of {id}"))
        );
    }
    // What comes later in the period goes on under the new key, and the next erasure finds it.
    clocked.append(&event("later", &[], &json!({"actor": {"id": "carla"}})));
    assert_eq!(
        clocked.erase("carla", &["--include-acted"])["erased_events"],
        1
    );
    assert_eq!(counts(&clocked), [151, 0, 3, 0]);
    assert_eq!(clocked.output(&["show", "later"]).status.code(), Some(7));
    assert_bundle(&clocked, "survivors.zip", [151, 0, 3, 0]);
    // They expire as if nothing had been.
    assert_goes_at(&clocked, "2027-03-15T10:00:00Z", 151);
    clocked.assert_no_data_key_of("2026-W48", false);
}

#[test]
fn a_request_that_waits_for_identity_destroys_nothing_before_it_is_shown() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    clocked.append(&event("e", &["anna"], &json!({})));
    let filed = clocked.json(&[
        "privacy",
        "file",
        "--type",
        "erasure",
        "--subject",
        "anna",
        "--json",
    ]);
    let id = filed["id"].as_str().unwrap();
    assert_eq!(filed["state"], "awaiting_identity");
    clocked.run();
    assert_eq!(counts(&clocked), [1, 0, 0, 0]);
    let early = clocked.output(&["privacy", "execute", id, "--yes"]);
    assert!(said(&early).contains("the requester's identity is not verified"));
    let identity = ["privacy", "identity", id, "--verified-by", "second factor"];
    let known = clocked.json(&[&identity[..], &["--json"]].concat());
    // To know who asks is not yet to destroy: neither at once nor by the daily run.
    assert_eq!(known["state"], "open", "{known}");
    clocked.run();
    assert_eq!(counts(&clocked), [1, 0, 0, 0]);
    let preview = clocked.json(&["privacy", "execute", id, "--dry-run", "--json"]);
    assert_eq!(preview["counts"]["destroyed"], 1, "{preview}");
    assert_eq!(counts(&clocked), [1, 0, 0, 0]);
    let done = clocked.json(&["privacy", "execute", id, "--yes", "--json"]);
    assert_eq!(done["outcome"], "erased", "{done}");
    assert_eq!(counts(&clocked), [0, 0, 1, 0]);
    assert_eq!(request(&clocked, &filed["id"])["decision"], "erased");
}

/// Posts to `/v1/privacy/requests`, or below.
pub(crate) fn post(client: &mut Client, below: &str, body: &Value) -> Answer {
    let path = format!("/v1/privacy/requests{below}");
    let head = [("Content-Type", "application/json")];
    let answer = client.request("POST", &path, &head, body.to_string().as_bytes());
    answer.unwrap()
}

pub(crate) fn filed(
    client: &mut Client,
    kind: &str,
    person: &str,
    verified_by: Option<&str>,
) -> Value {
    let mut asked =
        json!({"type": kind, "subject": {"id": person}, "identity_verified_by": verified_by});
    if kind == "restriction" {
        asked["ground"] = json!("contested");
    }
    let answer = post(client, "", &asked);
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

/// Previews a request, and orders it by that.
fn ordered(client: &mut Client, request: &Value, more: &Value) -> Answer {
    let id = request["id"].as_str().unwrap();
    let address = format!("/v1/privacy/requests/{id}/preview");
    let mut order = more.clone();
    order["token"] = client.get(&address).unwrap().json()["token"].clone();
    post(client, &format!("/{id}/execute"), &order)
}

#[test]
fn identity_over_http_only_records_and_an_order_carries_out_its_own_request() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    for person in ["anna", "bert", "carla"] {
        clocked.append(&event(person, &[person], &json!({})));
    }
    let server = clocked.serve_with(&[]);
    let mut client = server.client();
    let anna = filed(&mut client, "erasure", "anna", Some("passport"));
    let bert = filed(&mut client, "erasure", "bert", None);
    let carla = filed(&mut client, "restriction", "carla", Some("passport"));
    let copy = filed(&mut client, "access", "anna", Some("passport"));
    assert_eq!(anna["state"], "open", "{anna}");
    let below = format!("/{}/identity", bert["id"].as_str().unwrap());
    let method = json!({"verified_by": "second factor"});
    let known = post(&mut client, &below, &method);
    assert_eq!(known.json()["state"], "open");
    assert_eq!(counts(&clocked), [3, 0, 0, 0], "nothing was ordered");
    let done = ordered(&mut client, &anna, &json!({"now": true})).json();
    assert_eq!(done["decision"], "erased", "{done}");
    // Neither the other erasure nor the restriction was ordered.
    assert_eq!(counts(&clocked), [2, 0, 1, 0]);
    assert_eq!(ordered(&mut client, &anna, &json!({})).status, 409);
    let done = ordered(&mut client, &carla, &json!({})).json();
    assert_eq!(done["state"], "restricted", "{done}");
    assert_eq!(ordered(&mut client, &copy, &json!({})).status, 409);
    assert_eq!(counts(&clocked), [1, 0, 1, 1]);
    server.stop();
}

#[test]
fn a_copy_made_before_an_erasure_is_gone_and_not_damaged() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    clocked.append(&event("e", &["anna"], &json!({})));
    let server = clocked.serve_with(&[]);
    let mut client = server.client();
    let copies =
        ["access", "portability"].map(|kind| filed(&mut client, kind, "anna", Some("passport")));
    let address = |copy: &Value| {
        let id = copy["id"].as_str().unwrap();
        format!("/v1/privacy/requests/{id}/bundle")
    };
    for copy in &copies {
        while client.get(&address(copy)).unwrap().status == 202 {}
    }
    let erasure = filed(&mut client, "erasure", "anna", Some("passport"));
    let done = ordered(&mut client, &erasure, &json!({}));
    assert_eq!(done.json()["decision"], "erased");
    for copy in &copies {
        let answer = client.get(&address(copy)).unwrap();
        assert_eq!(answer.status, 410, "{}", answer.text());
        assert!(answer.json()["type"].as_str().unwrap().ends_with(":gone"));
    }
    server.stop();
}

#[test]
fn without_a_terminal_an_erasure_needs_yes() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    clocked.append(&event("e", &["anna"], &json!({})));
    let refused = clocked.output(&["privacy", "erase", "--subject", "anna"]);
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert!(said(&refused).contains("--yes"), "{}", said(&refused));
    assert_eq!(counts(&clocked), [1, 0, 0, 0]);
    let listed = clocked.json(&["privacy", "list", "--json"]);
    assert_eq!(listed["requests"], json!([]), "nothing is filed");
    let filed = [
        "privacy",
        "file",
        "--type",
        "erasure",
        "--subject",
        "anna",
        "--json",
    ];
    let filed = clocked.json(&filed);
    let id = filed["id"].as_str().unwrap();
    succeeded(&clocked.output(&["privacy", "identity", id, "--verified-by", "x"]));
    let refused = clocked.output(&["privacy", "execute", id]);
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert_eq!(counts(&clocked), [1, 0, 0, 0]);
}

#[test]
fn an_erasure_first_assembles_what_waits() {
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let server = clocked.serve_with(&[]);
    let span = json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "parentSpanId": "eee19b7ec3c1b173",
        "name": "chat gpt-4o", "kind": 3,
        "startTimeUnixNano": "1795514400000000000", "endTimeUnixNano": "1795514401000000000",
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
            {"key": "trailkeep.subject", "value": {"stringValue": "anna-4711"}},
        ],
    }]}]}]});
    let mut client = server.client();
    let head = [("Content-Type", "application/json")];
    let answer = client
        .request("POST", "/v1/traces", &head, span.to_string().as_bytes())
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = clocked.erase("anna-4711", &["--now"]);
    assert_eq!(answer["erased_events"], 1, "{answer}");
    drop(client);
    server.stop();
    assert_eq!(counts(&clocked), [0, 0, 1, 0]);
    clocked.assert_residue_free("anna-4711");
}

#[test]
fn a_hundred_persons_out_of_all_real_events() {
    let shared = std::env::var_os("TRAILKEEP_SHARED")
        .map_or_else(|| crate::support::root().join("../shared"), PathBuf::from);
    let data = shared.join("data");
    let names = ["llm-events.ndjson.zst", "cloudtrail-events.ndjson.zst"];
    let files: Vec<PathBuf> = names.iter().map(|name| data.join(name)).collect();
    if !files.iter().all(|path| path.exists()) {
        eprintln!("the real events are absent: not tried");
        return;
    }
    let clocked = Clocked::at("2026-11-24T10:00:00Z");
    let mut persons: std::collections::BTreeMap<(String, String), u64> =
        std::collections::BTreeMap::new();
    let mut events = 0;
    for file in &files {
        let text = zstd::decode_all(std::fs::File::open(file).unwrap()).unwrap();
        let text = String::from_utf8(text).unwrap();
        for line in text.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            for subject in event["subjects"].as_array().into_iter().flatten() {
                let text = |name: &str| subject[name].as_str().unwrap_or_default().to_owned();
                *persons.entry((text("namespace"), text("id"))).or_default() += 1;
            }
            events += 1;
        }
        clocked.append(&text);
    }
    let step = (persons.len() / 100).max(1);
    let chosen: Vec<_> = persons.iter().step_by(step).take(100).collect();
    assert!(!chosen.is_empty());
    let server = clocked.serve_with(&[]);
    let mut erased = 0;
    for ((namespace, id), _) in &chosen {
        let answer = clocked.erase(id, &["--namespace", namespace]);
        erased += answer["erased_events"].as_u64().unwrap();
    }
    server.stop();
    let report = clocked.verify();
    assert_eq!(report["events"], events, "{report}");
    assert_eq!(report["erased"], erased, "{report}");
    assert!(erased > 0);
    let [intact, expired, _, restricted] = counts(&clocked);
    assert_bundle(&clocked, "real.zip", [intact, expired, erased, restricted]);
    eprintln!(
        "{} persons, {erased} of {events} events erased, {restricted} restricted",
        chosen.len()
    );
}

#[test]
fn rows_are_deleted_beside_merges_of_the_index() {
    let directory = crate::support::Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_TEST_ACTIVE_EVENTS", "4")]);
    std::thread::scope(|scope| {
        let mut client = server.client();
        let writing = scope.spawn(move || {
            for n in 0..1_200 {
                let person = format!("person-{}", n % 40);
                let text = event(&format!("e{n}"), &[&person], &json!({}));
                let answer = client.post("application/json", text.trim().as_bytes());
                assert_eq!(answer.unwrap().status, 201);
            }
        });
        for n in 0..40 {
            let person = format!("person-{}", n * 7 % 40);
            succeeded(&directory.run(&["privacy", "erase", "--yes", "--subject", &person]));
        }
        writing.join().unwrap();
    });
    server.stop();
    // Verify counts the rows of the index against those that the texts give.
    let report = directory.assert_clean();
    assert_eq!(report["events"], 1_200, "{report}");
    assert!(report["erased"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn pages_leave_out_what_is_erased_beside_them() {
    const PERSONS: usize = 8;
    let clocked = Clocked::at("2026-03-02T10:00:00Z");
    let server = clocked.serve();
    let event = |number: usize| {
        let person = format!("page-{}", number % PERSONS);
        json!({
            "id": format!("e-{number}"), "action": "chat.completion", "actor": {"id": "bot"},
            "subjects": [{"id": person}], "input": format!("of {number}"),
        })
    };
    let events: Vec<String> = (0..PERSONS * 12)
        .map(|number| event(number).to_string())
        .collect();
    clocked.append(&events.join("\n"));
    let erased = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let erasing = scope.spawn(|| {
            for person in 0..PERSONS {
                clocked.erase(&format!("page-{person}"), &[]);
                erased.store(person + 1, std::sync::atomic::Ordering::SeqCst);
            }
        });
        let mut client = server.client();
        let mut at = 0;
        while !erasing.is_finished() {
            let gone = erased.load(std::sync::atomic::Ordering::SeqCst);
            at += 1;
            let order = ["oldest", "newest"][at % 2];
            let mut question = json!({"order": order, "limit": 90});
            if at.is_multiple_of(3) {
                question["action"] = json!("chat.completion");
            }
            let kind = [("Content-Type", "application/json")];
            let body = question.to_string();
            let answer = client
                .request("POST", "/v1/events/query", &kind, body.as_bytes())
                .unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            let page = answer.json();
            let shown = page["events"].as_array().unwrap();
            for shown in shown {
                let person = shown["event"]["subjects"][0]["id"].as_str().unwrap();
                let person: usize = person.strip_prefix("page-").unwrap().parse().unwrap();
                assert!(person >= gone, "{person} was erased before: {gone}");
            }
            assert!(gone > 0 || !shown.is_empty(), "{page}");
        }
        erasing.join().unwrap();
    });
    server.stop();
    clocked.directory.assert_clean();
}
