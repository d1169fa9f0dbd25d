//! What the register still answers when it has forgotten whom a request was about: how it came in, by what kind of check it was
//! established who asks, and on which ground something was kept. The entries say the same.

use std::path::PathBuf;

use crate::erasure::event;
use crate::person_page::member;
use crate::support::{Clocked, said, succeeded, trailkeep};
use serde_json::{Value, json};

const START: &str = "2026-11-24T10:00:00Z";
const FORGOTTEN: &str = "2026-12-24T10:00:00Z";

fn show(clocked: &Clocked, id: &str) -> Value {
    clocked.json(&["privacy", "show", id, "--json"])
}

fn listed(clocked: &Clocked, id: &str) -> Value {
    let list = clocked.json(&["privacy", "list", "--json"]);
    let mut requests = list["requests"].as_array().unwrap().iter();
    requests.find(|one| one["id"] == id).unwrap().clone()
}

/// What the entry of an action says of a request.
fn entry(clocked: &Clocked, action: &str, id: &str) -> Value {
    let log = clocked.json(&["access", "list", "--json"]);
    let mut accesses = log["accesses"].as_array().unwrap().iter();
    let found = accesses.find(|one| one["action"] == action && one["detail"]["id"] == id);
    found.unwrap_or_else(|| panic!("{action} of {id}: {log}"))["detail"].clone()
}

fn file(clocked: &Clocked, person: &str, kind: &str, more: &[&str]) -> Value {
    let file = ["privacy", "file", "--subject", person, "--type", kind];
    clocked.json(&[&file[..], &["--json"], more].concat())
}

/// The certificate of an answered request, and what the verifier says of it.
fn certificate(clocked: &Clocked, id: &str) -> (Value, String) {
    let out: PathBuf = clocked.directory.path.with_file_name(format!("{id}.json"));
    let fetch = ["privacy", "certificate", id, "--out", out.to_str().unwrap()];
    succeeded(&clocked.output(&fetch));
    let text = std::fs::read_to_string(&out).unwrap();
    (serde_json::from_str(&text).unwrap(), verified(clocked, id))
}

fn verified(clocked: &Clocked, id: &str) -> String {
    let out = clocked.directory.path.with_file_name(format!("{id}.json"));
    let verify = trailkeep()
        .args(["certificate", "verify", out.to_str().unwrap(), "--key"])
        .arg(&clocked.directory.public_key)
        .output()
        .unwrap();
    String::from_utf8(succeeded(&verify).stdout.clone()).unwrap()
}

#[test]
fn manner_check_and_grounds_stay_when_the_requester_is_forgotten() {
    let clocked = Clocked::at(START);
    let ticket = json!({"action": "dsr.received", "regimes": ["ccpa"], "occurred_at": "2026-11-24T09:00:00Z",
        "retention": {"record": "T-1"}, "attributes": {"request_id": "T-1", "kind": "erasure", "channel": "mail"}});
    clocked.append(&event("kept", &["anna"], &json!({"regimes": ["hipaa"]})));
    clocked.append(&event("refused", &["bert"], &ticket));
    let words = ["--identity-verified-by", "passport of Anna Zaphod"];
    let how = ["--manner", "telephone", "--identity-kind", "document"];
    let anna = clocked.erase("anna", &[&words[..], &how].concat());
    let law = ["--regime", "ccpa", "--manner", "letter"];
    let bert = clocked.erase("bert", &law);
    for (answer, manner, kind, checked, state) in [
        (&anna, "telephone", json!("document"), true, "restricted"),
        (&bert, "letter", Value::Null, false, "refused"),
    ] {
        let id = answer["request"].as_str().unwrap();
        let (signed, words) = certificate(&clocked, id);
        assert_eq!(signed["kept"][0]["state"], state, "{signed}");
        assert_eq!(signed["request"]["manner"], manner);
        assert_eq!(signed["request"]["identity_kind"], kind);
        let only = words.lines().find(|line| line.starts_with("only signed"));
        let only = only.unwrap();
        assert!(!only.contains("kept") && !only.contains("identity_kind"));
        assert!(only.contains("request.identity_checked"), "{only}");

        let received = entry(&clocked, "trailkeep.privacy.receive", id);
        let answered = entry(&clocked, "trailkeep.privacy.answer", id);
        assert_eq!(received["manner"], manner);
        assert_eq!(received["identity_kind"], kind);
        assert_eq!(received["identity_checked"], checked);
        assert_eq!(answered["kept"], signed["kept"]);
        assert!(!answered["kept"][0]["citation"].as_str().unwrap().is_empty());
    }

    clocked.set(FORGOTTEN);
    clocked.run();
    for (answer, manner, kind, checked) in [
        (&anna, "telephone", json!("document"), true),
        (&bert, "letter", Value::Null, false),
    ] {
        let id = answer["request"].as_str().unwrap();
        let kept = entry(&clocked, "trailkeep.privacy.answer", id)["kept"].clone();
        let received = entry(&clocked, "trailkeep.privacy.receive", id);
        assert_eq!(received["manner"], manner);
        for row in [show(&clocked, id), listed(&clocked, id)] {
            assert_eq!(row["subject"], Value::Null, "{row}");
            assert_eq!(row["forgotten_on"], "2026-12-24");
            assert_eq!(row["manner"], manner, "{row}");
            assert_eq!(row["identity_kind"], kind, "{row}");
            assert_eq!(row["identity_checked"], checked, "{row}");
            assert_eq!(row["kept"], kept, "{row}");
        }
        verified(&clocked, id);
    }
    let id = anna["request"].as_str().unwrap();
    let text = clocked.output(&["privacy", "show", id]);
    let text = String::from_utf8(succeeded(&text).stdout.clone()).unwrap();
    for line in [
        "manner         telephone",
        "identity       checked, document",
        "kept           1 event restricted until 2032-11-26T00:00:00Z: HIPAA",
    ] {
        assert!(text.contains(line), "`{line}` is not in {text}");
    }
    // The register as a table has all that 11 CCR 7101(b) asks for, and names nobody.
    let table = clocked.output(&["privacy", "list", "--csv"]);
    let table = String::from_utf8(succeeded(&table).stdout.clone()).unwrap();
    let mut lines = table.lines();
    let columns = "request,receipt,type,law,received_on,manner,identified_on,identity,identity_kind,due,extended_on,state,\
                   decision,answered_at,closed_at,kept,forgotten_on,seq";
    assert_eq!(lines.next(), Some(columns));
    let of = |id: &str| table.lines().find(|line| line.starts_with(id)).unwrap();
    for (answer, told) in [
        (
            &anna,
            ",erasure,gdpr,2026-11-24,telephone,2026-11-24,checked,document,2026-12-24,,restricted,restricted,2026-11-24T10:00:00.000Z,,",
        ),
        (
            &bert,
            ",erasure,ccpa,2026-11-24,letter,2026-11-24,not checked,,2027-01-08,,closed,refused,2026-11-24T10:00:00.000Z,2026-11-24T10:00:00.000Z,",
        ),
    ] {
        let line = of(answer["request"].as_str().unwrap());
        assert!(line.contains(told), "`{told}` is not in {line}");
        assert!(line.contains(",2026-12-24,"), "{line}");
    }
    assert!(of(bert["request"].as_str().unwrap()).contains("11 CCR 7101"));
    let log = clocked.json(&["access", "list", "--json"]);
    assert!(!log.to_string().contains("Zaphod"), "{log}");
    clocked.assert_residue_free("Zaphod");
    clocked.verify();
}

#[test]
fn a_kind_of_check_alone_identifies_and_is_told_in_the_letter() {
    let clocked = Clocked::at(START);
    clocked.append(&event("e", &["anna"], &json!({})));
    let filed = file(&clocked, "anna", "access", &["--manner", "agent"]);
    let id = filed["id"].as_str().unwrap();
    assert_eq!(filed["state"], "awaiting_identity");
    assert_eq!(filed.get("identity_checked"), None, "{filed}");
    let identity = ["privacy", "identity", id, "--kind", "agent-authority"];
    let known = clocked.json(&[&identity[..], &["--json"]].concat());
    assert_eq!(known["identity_kind"], "agent-authority", "{known}");
    assert_eq!(known["identity_checked"], true);
    let stated = entry(&clocked, "trailkeep.privacy.identify", id);
    assert_eq!(stated["identity_kind"], "agent-authority");
    assert_eq!(stated["identity_checked"], true);
    let out = clocked.directory.path.with_file_name("copy.zip");
    succeeded(&clocked.output(&["privacy", "bundle", id, "--out", out.to_str().unwrap()]));
    succeeded(&clocked.output(&["privacy", "close", id, "--decision", "answered"]));
    // The certificate has no entry of the identification, so its kind is only signed.
    let (signed, words) = certificate(&clocked, id);
    assert_eq!(signed["request"]["identity_kind"], "agent-authority");
    assert!(words.contains("request.identity_kind"), "{words}");
    let letter = ["privacy", "letter", id, "--format", "text"];
    let letter = clocked.output(&letter);
    let letter = String::from_utf8(succeeded(&letter).stdout.clone()).unwrap();
    let letter = letter.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        "received on 24 November 2026, through an agent",
        "verified on 24 November 2026, by the authority of the agent",
    ] {
        assert!(letter.contains(told), "`{told}` is not in {letter}");
    }
}

#[test]
fn no_check_has_its_reason_and_places_no_hold() {
    let clocked = Clocked::at(START);
    clocked.append(&event("e", &["anna"], &json!({})));
    let id = file(&clocked, "anna", "access", &[])["id"].clone();
    let id = id.as_str().unwrap();
    let identity = ["privacy", "identity", id, "--kind", "none-no-doubt"];
    let why = ["--verified-by", "she wrote from her account", "--json"];
    let known = clocked.json(&[&identity[..], &why].concat());
    assert_eq!(known["identity_checked"], false, "{known}");
    let stated = entry(&clocked, "trailkeep.privacy.identify", id);
    assert_eq!(stated["identity_kind"], "none-no-doubt");
    assert_eq!(stated["identity_checked"], false);
    let holds = clocked.json(&["hold", "list", "--json"]);
    assert_eq!(holds["holds"], json!([]), "{holds}");
}

#[test]
fn a_word_that_is_not_in_the_list_is_refused_with_the_list() {
    let clocked = Clocked::at(START);
    let file = ["privacy", "file", "--subject", "anna", "--manner"];
    let near = clocked.command(&file, &["telefone"]);
    assert_eq!(near.status.code(), Some(2));
    assert!(said(&near).contains("similar value exists: 'telephone'"));
    let far = clocked.command(&file, &["pigeon"]);
    assert!(said(&far).contains("in-person"), "{}", said(&far));
    let contradiction = ["--identity-verified-by", "not checked"];
    let kind = ["--identity-kind", "document", "--yes"];
    let erase = ["privacy", "erase", "--subject", "anna"];
    let refused = clocked.command(&erase, &[&contradiction[..], &kind].concat());
    assert!(!refused.status.success());
    assert!(
        said(&refused).contains("none-no-doubt"),
        "{}",
        said(&refused)
    );

    let server = clocked.serve_with(&[]);
    let ask = |route: &str, body: Value| {
        let answer = server
            .client()
            .request("POST", route, &[], body.to_string().as_bytes());
        let answer = answer.unwrap();
        (answer.status, answer.text())
    };
    let person = json!({"id": "anna"});
    let (status, text) = ask(
        "/v1/privacy/requests",
        json!({"type": "access", "subject": person, "manner": "telefone"}),
    );
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("did you mean `telephone`?"), "{text}");
    let both = json!({"type": "access", "subject": person, "identity_verified_by": "not checked", "identity_kind": "known"});
    let (status, text) = ask("/v1/privacy/requests", both);
    assert_eq!(status, 422, "{text}");
    let (status, text) = ask(
        "/v1/privacy/requests",
        json!({"type": "access", "subject": person}),
    );
    assert_eq!(status, 201, "{text}");
    let filed: Value = serde_json::from_str(&text).unwrap();
    let route = format!(
        "/v1/privacy/requests/{}/identity",
        filed["id"].as_str().unwrap()
    );
    let (status, text) = ask(&route, json!({}));
    assert_eq!(status, 422, "{text}");
    assert!(text.contains("`kind`"), "{text}");
    let (status, text) = ask(&route, json!({"kind": "account-login"}));
    assert_eq!(status, 200, "{text}");
    server.stop();
    // What was refused is not filed.
    let list = clocked.json(&["privacy", "list", "--json"]);
    assert_eq!(list["requests"].as_array().unwrap().len(), 1, "{list}");
}

/// Routes of the reads that the ledger records, each with its number of events, sorted.
fn reads(clocked: &Clocked) -> Vec<(String, u64)> {
    let log = clocked.json(&["access", "list", "--json"]);
    let accesses = log["accesses"].as_array().unwrap().iter();
    let reads = accesses.filter(|one| one["action"] == "trailkeep.access");
    let mut reads: Vec<_> = reads
        .map(|one| {
            let route = one["detail"]["route"].as_str().unwrap().to_owned();
            (route, one["detail"]["events"].as_u64().unwrap())
        })
        .filter(|(route, _)| route.contains("{id}"))
        .collect();
    reads.sort();
    reads
}

#[test]
fn each_fetch_of_copy_certificate_and_letter_is_recorded_as_a_read() {
    let clocked = Clocked::at(START);
    clocked.append(&event("e", &["anna"], &json!({})));
    let filed = file(&clocked, "anna", "access", &[]);
    let id = filed["id"].as_str().unwrap();
    succeeded(&clocked.output(&["privacy", "identity", id, "--kind", "known"]));
    assert_eq!(reads(&clocked), []);
    let place = |name: &str| clocked.directory.path.with_file_name(name);
    let out = place("copy.zip");
    let out = out.to_str().unwrap();
    succeeded(&clocked.output(&["privacy", "bundle", id, "--out", out]));
    let read = |route: &str, events: u64| {
        let route = format!("/v1/privacy/requests/{{id}}{route}");
        (route, events)
    };
    assert_eq!(reads(&clocked), [read("/bundle", 1)]);
    // Each time that it leaves the server.
    succeeded(&clocked.output(&["privacy", "bundle", id, "--force", "--out", out]));
    succeeded(&clocked.output(&["privacy", "close", id, "--decision", "answered"]));
    certificate(&clocked, id);
    succeeded(&clocked.output(&["privacy", "letter", id]));
    show(&clocked, id);
    let all = [
        read("", 0),
        read("/answer", 0),
        read("/bundle", 1),
        read("/bundle", 1),
        read("/certificate", 0),
    ];
    assert_eq!(reads(&clocked), all);
    // The data subject is told so in the next copy.
    let next = place("next.zip");
    let access = ["privacy", "access", "--subject", "anna", "--out"];
    succeeded(&clocked.command(&access, &[next.to_str().unwrap()]));
    let page = member(&next, "person.html");
    for told in [
        "A request of yours was opened",
        "The answer to a request of yours was opened",
        "A copy made for you was handed out",
        "The certificate of a request of yours was handed out",
    ] {
        assert!(page.contains(told), "`{told}` is not in {page}");
    }
    clocked.verify();
}

#[test]
fn what_is_forgotten_is_refused_with_the_day_and_what_remains() {
    let clocked = Clocked::at(START);
    clocked.append(&event("e", &["anna"], &json!({})));
    let erased = clocked.erase("anna", &["--manner", "email"]);
    let id = erased["request"].as_str().unwrap();
    let seq = show(&clocked, id)["seq"].as_u64().unwrap();
    clocked.set(FORGOTTEN);
    clocked.run();
    let recorded = reads(&clocked).len();
    let server = clocked.serve_with(&[]);
    for route in ["answer", "certificate", "certificate/signature"] {
        let route = format!("/v1/privacy/requests/{id}/{route}");
        let answer = server.client().get(&route).unwrap();
        assert_eq!(answer.status, 404, "{}", answer.text());
        for told in [
            "its identifier was deleted on 2026-12-24",
            &format!("the ledger has its entries, from {seq} on"),
            "`trailkeep privacy show` still says",
        ] {
            assert!(answer.text().contains(told), "{told}: {}", answer.text());
        }
    }
    server.stop();
    // Nothing was handed out, so nothing is recorded.
    assert_eq!(reads(&clocked).len(), recorded);
    let received = entry(&clocked, "trailkeep.privacy.receive", id);
    assert_eq!(received["manner"], "email");
}
