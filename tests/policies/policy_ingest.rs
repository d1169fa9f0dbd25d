//! What policies say of events that come in, through the server and the commands: gaps, odd times, forbidden
//! members, strict tenants, default regimes; and the counts, which survive restarts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::support::{Directory, said, succeeded, trailkeep};
use serde_json::{Value, json};

/// A card-holder event without its target, and with other members.
fn pci(id: &str, more: &Value) -> Value {
    let mut event = json!({
        "id": id, "action": "card.read", "actor": {"id": "u"}, "regimes": ["pci-dss"],
        "occurred_at": "2026-11-24T10:00:00Z", "outcome": "success", "context": {"ip": "192.0.2.1"},
    });
    for (name, value) in more.as_object().unwrap() {
        event[name] = value.clone();
    }
    event
}

fn received(directory: &Directory, id: &str) -> Value {
    let shown = directory.run(&["show", id, "--json"]);
    let shown: Value = serde_json::from_slice(&succeeded(&shown).stdout).unwrap();
    shown["event"]["received"].clone()
}

fn gaps(directory: &Directory) -> Value {
    let output = directory.run(&["policy", "gaps", "--json"]);
    let answer: Value = serde_json::from_slice(&succeeded(&output).stdout).unwrap();
    answer["gaps"].clone()
}

#[test]
fn what_lacks_something_is_taken_flagged_and_counted() {
    let directory = Directory::new();
    let whole = pci("whole", &json!({"targets": [{"id": "t"}]}));
    let lacking = pci("lacking", &json!({"regimes": ["pci-dss", "soc2"]}));
    let future = pci(
        "future",
        &json!({"targets": [{"id": "t"}], "occurred_at": "2199-01-01T00:00:00Z"}),
    );
    let events = [&whole, &lacking, &future].map(Value::to_string).join("\n");
    directory.append(&events);
    assert_eq!(
        received(&directory, "whole"),
        json!({"via": "cli", "added": []})
    );
    let flags = json!([{"policy": "pci-dss", "missing": "targets"}, {"policy": "soc2", "missing": "targets"}]);
    assert_eq!(received(&directory, "lacking")["flags"], flags);
    let flags = json!([{"policy": "pci-dss", "odd": "occurred_at in the future"}]);
    assert_eq!(received(&directory, "future")["flags"], flags);
    // The same events again are the same entries, and counted once.
    let again = directory.append(&events);
    assert_eq!(again["duplicates"], 3, "{again}");
    directory.append(&pci("more", &json!({})).to_string());
    let found = gaps(&directory);
    let rows: Vec<(&str, &str, u64)> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|gap| {
            let text = |name: &str| gap[name].as_str().unwrap();
            (
                text("policy"),
                text("what"),
                gap["events"].as_u64().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("pci-dss", "missing targets", 2),
        ("pci-dss", "occurred_at in the future", 1),
        ("soc2", "missing targets", 1),
    ];
    assert_eq!(rows, expected);
    assert!(found[0]["first_seq"].as_u64() < found[0]["last_seq"].as_u64());
    let table = directory.run(&["policy", "gaps"]);
    let table = String::from_utf8_lossy(&succeeded(&table).stdout).into_owned();
    assert!(table.contains("missing targets"), "{table}");

    // A bundle says so of what it discloses, and verifies; what hides `received` does not say it.
    let bundle = directory.path.join("b.zip");
    let file = bundle.to_str().unwrap();
    let manifest = |more: &[&str]| -> Value {
        let export = [&["export", "--force", "--out", file], more].concat();
        succeeded(&directory.run(&export));
        let mut archive = zip::ZipArchive::new(std::fs::File::open(&bundle).unwrap()).unwrap();
        let manifest = archive.by_name("manifest.json").unwrap();
        serde_json::from_reader(manifest).unwrap()
    };
    let whole = manifest(&[]);
    let counts = json!([
        {"policy": "pci-dss", "what": "missing targets", "events": 2},
        {"policy": "pci-dss", "what": "occurred_at in the future", "events": 1},
        {"policy": "soc2", "what": "missing targets", "events": 1},
    ]);
    assert_eq!(whole["gaps"], counts);
    let key = directory.public_key.to_str().unwrap();
    let verify = trailkeep()
        .args(["bundle", "verify", file, "--key", key])
        .output();
    succeeded(&verify.unwrap());
    std::fs::remove_file(&bundle).unwrap();
    assert_eq!(manifest(&["--redact", "received"])["gaps"], Value::Null);
    directory.assert_clean();
}

#[test]
fn forbidden_members_are_refused_wherever_they_stand() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    let mut post = |events: &Value| {
        client
            .post("application/json", events.to_string().as_bytes())
            .unwrap()
    };
    let good = pci("good", &json!({}));
    let bad = pci(
        "bad",
        &json!({"attributes": {"payment": [{"CVV-2": "737"}]}, "input": {"pan": 1}}),
    );
    let answer = post(&json!([good, bad]));
    assert_eq!(answer.status, 422);
    let problem = answer.json();
    assert_eq!(problem["type"], "urn:trailkeep:problem:policy");
    let places: Vec<(u64, &str)> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["line"].as_u64().unwrap(),
                error["pointer"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(places, [(2, "/attributes/?/0/cvv2"), (2, "/input/pan")]);
    assert!(!problem.to_string().contains("737"));
    // Nothing of the request was recorded; a name that is forbidden by no policy of the event is a name.
    assert_eq!(post(&good).status, 201);
    assert_eq!(
        post(&json!({"action": "a", "actor": {"id": "u"}, "attributes": {"cvv": 1}})).status,
        201
    );
    server.stop();
    directory.assert_clean();
}

#[test]
fn a_strict_tenant_refuses_what_lacks_something() {
    let directory = Directory::new();
    succeeded(&directory.run(&["tenant", "set", "default", "--strict", "on"]));
    let file = directory.path.join("event.json");
    let append = |event: &Value| {
        std::fs::write(&file, event.to_string()).unwrap();
        directory.run(&["append", file.to_str().unwrap()])
    };
    let output = append(&pci("e", &json!({"occurred_at": "2199-01-01T00:00:00Z"})));
    assert_eq!(output.status.code(), Some(4));
    let text = said(&output);
    assert!(
        text.contains("/targets: the policy `pci-dss` requires targets"),
        "{text}"
    );
    assert!(
        text.contains("/occurred_at: occurred_at in the future"),
        "{text}"
    );
    succeeded(&append(&pci("e", &json!({"targets": [{"id": "t"}]}))));
    succeeded(&directory.run(&["tenant", "set", "default", "--strict", "off"]));
    succeeded(&append(&pci("f", &json!({}))));
    assert_eq!(gaps(&directory)[0]["events"], 1);
}

#[test]
fn default_regimes_are_those_of_events_that_name_none() {
    let directory = Directory::new();
    let set = |regimes: &[&str]| {
        let mut arguments = vec!["tenant", "set", "default", "--json"];
        regimes
            .iter()
            .for_each(|regime| arguments.extend(["--default-regime", regime]));
        directory.run(&arguments)
    };
    let refused = set(&["soc2", "unheard-of"]);
    assert_eq!(refused.status.code(), Some(4));
    assert!(
        said(&refused).contains("unknown regime \\\"unheard-of\\\""),
        "{}",
        said(&refused)
    );
    let answer: Value =
        serde_json::from_slice(&succeeded(&set(&["soc2", "iso-27001"])).stdout).unwrap();
    assert_eq!(answer["default_regimes"], json!(["soc2", "iso-27001"]));
    directory.append(&json!({"id": "plain", "action": "a", "actor": {"id": "u"}}).to_string());
    let flagged = received(&directory, "plain")["flags"].clone();
    let policies: std::collections::BTreeSet<&str> = flagged
        .as_array()
        .unwrap()
        .iter()
        .map(|flag| flag["policy"].as_str().unwrap())
        .collect();
    assert_eq!(
        policies.into_iter().collect::<Vec<_>>(),
        ["iso-27001", "soc2"]
    );
    // Named regimes stand alone, and `none` goes back to the shipped default.
    directory.append(
        &json!({"id": "named", "action": "a", "actor": {"id": "u"}, "regimes": ["default-90d"]})
            .to_string(),
    );
    assert_eq!(received(&directory, "named")["flags"], Value::Null);
    succeeded(&set(&["none"]));
    directory.append(&json!({"id": "later", "action": "a", "actor": {"id": "u"}}).to_string());
    assert_eq!(received(&directory, "later")["flags"], Value::Null);
    directory.assert_clean();
}

#[test]
fn an_old_event_gets_no_new_lease_where_its_policy_counts_from_its_occurrence() {
    let directory = Directory::new();
    let policies = directory.path.join("policies");
    std::fs::create_dir(&policies).unwrap();
    let own = trailkeep_policy::DEFAULT_90D
        .replace("id = \"default-90d\"", "id = \"from-occurrence\"")
        .replace("max_clock = \"received\"", "max_clock = \"occurred\"");
    std::fs::write(policies.join("own.toml"), own).unwrap();
    let server = directory.serve();
    let mut client = server.client();
    let mut post = |regimes: Value| {
        let event = json!({"action": "a", "actor": {"id": "u"}, "regimes": regimes, "occurred_at": "2021-05-10T00:00:00Z"});
        client
            .post("application/json", event.to_string().as_bytes())
            .unwrap()
    };
    let answer = post(json!(["from-occurrence"]));
    assert_eq!(answer.status, 422);
    let error = &answer.json()["errors"][0];
    assert_eq!(error["pointer"], "/occurred_at");
    assert!(
        error["detail"]
            .as_str()
            .unwrap()
            .starts_with("already_past_maximum")
    );
    // The shipped default counts from receipt, so that old logs can be taken in; and a law keeps what it keeps.
    assert_eq!(post(json!([])).status, 201);
    assert_eq!(post(json!(["from-occurrence", "hipaa"])).status, 201);
    server.stop();
    let odd: Vec<String> = gaps(&directory)
        .as_array()
        .unwrap()
        .iter()
        .filter(|gap| gap["policy"] == "from-occurrence")
        .map(|gap| gap["what"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(odd, ["occurred_at past the maximum"]);
}

#[test]
fn regimes_in_odd_sets_through_the_server() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    let mut post = |regimes: &Value| {
        let event = json!({"action": "a.b", "actor": {"id": "u"}, "regimes": regimes});
        client
            .post("application/json", event.to_string().as_bytes())
            .unwrap()
    };
    let eight = json!([
        "hipaa",
        "pci-dss",
        "soc2",
        "nydfs-500",
        "gdpr",
        "iso-27001",
        "dora",
        "us-federal"
    ]);
    assert_eq!(post(&eight).status, 201);
    assert_eq!(post(&json!(["hipaa", "hipaa"])).status, 201);
    for wrong in [
        json!(["unheard-of"]),
        json!(["a", "b", "c", "d", "e", "f", "g", "h", "i"]),
    ] {
        let answer = post(&wrong);
        assert_eq!(answer.status, 422, "{wrong}");
        assert_eq!(answer.json()["errors"][0]["pointer"], "/regimes");
    }
    server.stop();
    directory.assert_clean();
}
