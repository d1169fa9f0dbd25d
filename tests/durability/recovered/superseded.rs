//! Commands and requests that name a ledger which a restore superseded: a write is refused with the name of the active
//! ledger, a read answers of the ledger that it names and of the tenant.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use trailkeep_server::document;

use super::{
    assert_verifies, back_up, beside, closed_with_anna, counts, lose_and_restore, with_copies,
};
use crate::support::commands::commands;
use crate::support::document::{Route, routes};
use crate::support::{Answer, Client, Clocked, Server, said, succeeded};

/// Requests that read and are no GET: their question stands in a body, or they drop a file that waits to be fetched.
const READS_BESIDE_GET: &[&str] = &[
    "DELETE /v1/exports/{id}",
    "POST /v1/events/query",
    "POST /v1/exports",
    "POST /v1/verify",
];

/// Routes that take no ledger: they say nothing of a tenant, or their path names the log.
const OF_NO_LEDGER: &[&str] = &[
    "/healthz",
    "/openapi.json",
    "/readyz",
    "/v1/log/{tenant}/checkpoint",
    "/v1/log/{tenant}/tile/{path}",
];

/// Commands that read; all others write.
const READING: &[&str] = &[
    "access list",
    "anchor list",
    "anchor show",
    "checkpoint",
    "export",
    "hold list",
    "key list",
    "key public",
    "policy gaps",
    "figures names list",
    "prices list",
    "prices show",
    "privacy bundle",
    "privacy certificate",
    "privacy letter",
    "privacy list",
    "privacy show",
    "prompt check",
    "prompt diff",
    "prompt history",
    "prompt list",
    "prompt show",
    "prompt sync",
    "query",
    "receipt get",
    "retention explain",
    "retention preview",
    "retention triggers",
    "show",
    "sources",
    "tenant list",
    "vault-replica list",
    "verify",
];

/// Commands that read when they stand alone; those below them are others.
const READING_ALONE: &[&str] = &["figures"];

/// A call of a person's that is one span.
fn span_about(person: &str) -> Value {
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [{
        "traceId": "5b8efff798038103d269b633813fc60c",
        "spanId": "eee19b7ec3c1b174",
        "parentSpanId": "eee19b7ec3c1b173",
        "name": "chat gpt-4o", "kind": 3,
        "startTimeUnixNano": "1793527200000000000", "endTimeUnixNano": "1793527201000000000",
        "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
            {"key": "trailkeep.subject", "value": {"stringValue": person}},
        ],
    }]}]}]})
}

fn send_span(client: &mut Client, person: &str, ledger: Option<&str>) -> Answer {
    let mut head = vec![("Content-Type", "application/json")];
    head.extend(ledger.map(|name| ("Trailkeep-Ledger", name)));
    let body = span_about(person).to_string();
    client
        .request("POST", "/v1/traces", &head, body.as_bytes())
        .unwrap()
}

#[test]
fn an_erasure_that_names_a_superseded_ledger_is_refused() {
    let clocked = closed_with_anna();
    // Somebody of whom events are destroyed, and somebody of whom nothing is held.
    for person in ["anna-4711", "nobody"] {
        let certificate = beside(&clocked, &format!("{person}.json"));
        let out = certificate.to_str().unwrap();
        let asked = ["privacy", "erase", "--subject", person, "--reference", "R"];
        let asked = [&asked[..], &["--yes", "--out", out]].concat();
        let before = clocked.verify()["size"].clone();
        let named = clocked.command(&asked, &["--ledger", "default"]);
        let told = said(&named);
        assert_eq!(named.status.code(), Some(1), "{person}: {told}");
        assert!(told.contains("`default.2`"), "{person}: {told}");
        assert_eq!(clocked.verify()["size"], before, "something was recorded");
        assert!(!certificate.exists());
        // The active ledger may be named.
        succeeded(&clocked.command(&asked, &["--ledger", "default.2"]));
        assert_verifies(&clocked, &certificate);
    }
    assert_eq!(counts(&clocked, "default"), [1, 0, 1, 0, 0]);
    assert_eq!(counts(&clocked, "default.2"), [0, 0, 1, 0, 0]);
}

#[test]
fn telemetry_that_names_a_superseded_ledger_is_refused_and_harms_no_erasure() {
    let clocked = closed_with_anna();
    let server = clocked.serve_with(&[]);
    let mut client = server.client();
    let answer = send_span(&mut client, "dora-17", Some("default"));
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert!(answer.text().contains("`default.2`"), "{}", answer.text());
    let answer = send_span(&mut client, "anna-4711", Some("default.2"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = clocked.erase("anna-4711", &["--now"]);
    assert_eq!(answer["erased_events"], 3, "{answer}");
    assert_eq!(clocked.erase("dora-17", &[])["outcome"], "nothing-held");
    server.stop();
    assert_eq!(staged_parts(&clocked), 0);
}

/// Parts of telemetry that wait for a ledger.
fn staged_of(clocked: &Clocked, ledger: u32) -> u64 {
    let path = clocked.directory.path.join("staging.db");
    let file = rusqlite::Connection::open(path).unwrap();
    let sql = "SELECT count(*) FROM part WHERE ledger = ?1";
    file.query_row(sql, [ledger], |row| row.get(0)).unwrap()
}

/// Parts that wait, for whatever ledger.
fn staged_parts(clocked: &Clocked) -> u64 {
    staged_of(clocked, 1) + staged_of(clocked, 2)
}

/// As an earlier version left it that took telemetry for a superseded ledger: staging.db holds a part of `default`.
fn with_stranded_telemetry(person: &str) -> Clocked {
    let clocked = with_copies("2026-11-01T10:00:00Z");
    back_up(&clocked, "backup");
    let server = clocked.serve_with(&[]);
    let answer = send_span(&mut server.client(), person, None);
    assert_eq!(answer.status, 200, "{}", answer.text());
    server.stop();
    // Its key is in the vault, and a command copies that.
    succeeded(&clocked.output(&["key", "create", "--role", "reader"]));
    let staging = clocked.directory.path.join("staging.db");
    let kept = std::fs::read(&staging).unwrap();
    lose_and_restore(&clocked, "backup", &["--continue"]);
    std::fs::write(&staging, kept).unwrap();
    succeeded(&clocked.output(&["retention", "resume", "--reviewed-holds"]));
    assert_eq!(staged_parts(&clocked), 1);
    clocked
}

#[test]
fn telemetry_that_waits_for_a_superseded_ledger_is_erased() {
    let clocked = with_stranded_telemetry("dora-17");
    let answer = clocked.erase("dora-17", &["--now"]);
    assert_eq!(answer["erased_events"], 1, "{answer}");
    assert_eq!(staged_parts(&clocked), 0);
    assert_eq!(counts(&clocked, "default.2"), [0, 0, 1, 0, 0]);
    clocked.assert_residue_free("dora-17");
}

#[test]
fn telemetry_that_waits_for_a_superseded_ledger_becomes_an_event_of_the_active_one() {
    let clocked = with_stranded_telemetry("dora-17");
    let server = clocked.serve_with(&[]);
    // Staged anew at the time of the clock, it waits for its trace as what comes now does.
    wait_until(|| staged_of(&clocked, 1) == 0);
    assert_eq!(staged_of(&clocked, 2), 1);
    clocked.set("2026-11-01T11:00:00Z");
    wait_until(|| staged_parts(&clocked) == 0);
    server.stop();
    assert_eq!(counts(&clocked, "default.2"), [1, 0, 0, 0, 0]);
}

fn wait_until(is_so: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "it did not come to that in 20 s");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn holds_are_those_of_the_tenant_whatever_ledger_is_named() {
    let clocked = closed_with_anna();
    let place = [
        "hold",
        "place",
        "--reason",
        "R",
        "--matter",
        "M",
        "--subject",
        "anna-4711",
        "--json",
    ];
    clocked.json(&place);
    let explained = clocked.json(&[
        "retention",
        "explain",
        "anna-1",
        "--ledger",
        "default",
        "--json",
    ]);
    assert_eq!(
        explained["holds"].as_array().unwrap().len(),
        1,
        "{explained}"
    );
    let listed = clocked.json(&["hold", "list", "--json", "--ledger", "default"]);
    assert_eq!(listed["holds"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["holds"][0]["covers_events"], 2, "{listed}");
    let server = clocked.serve_with(&[]);
    let named = [("Trailkeep-Ledger", "default")];
    let metrics = server
        .client()
        .request("GET", "/metrics", &named, b"")
        .unwrap();
    assert!(
        metrics.text().contains("\ntrailkeep_holds 1\n"),
        "{}",
        metrics.text()
    );
    server.stop();
}

fn ask(server: &Server, route: &Route, ledger: &str) -> Answer {
    let headers = [
        ("Content-Type", route.content_type.as_str()),
        ("Trailkeep-Ledger", ledger),
    ];
    let body = route.body.as_bytes();
    let mut client = server.client();
    client
        .request(&route.method, &route.example, &headers, body)
        .unwrap()
}

/// Whether a route reads of a ledger, as the document says: it takes the header.
fn is_reading(route: &Route) -> bool {
    let operation = &document()["paths"][&route.path][route.method.to_lowercase()];
    let parameters = operation["parameters"].as_array();
    let mut parameters = parameters.into_iter().flatten();
    parameters.any(|parameter| parameter["name"] == "trailkeep-ledger")
}

#[test]
fn every_route_that_names_a_superseded_ledger() {
    let clocked = closed_with_anna();
    let server = clocked.serve_with(&[]);
    let (mut writes, mut reads) = (0, 0);
    let mut routes = routes();
    routes.retain(|route| !OF_NO_LEDGER.contains(&route.path.as_str()));
    let before = server.client().get("/v1/checkpoint").unwrap().text();
    for route in routes.iter().filter(|route| !is_reading(route)) {
        let place = format!("{} {}", route.method, route.path);
        assert_ne!(route.method, "GET", "{place} changes something");
        let answer = ask(&server, route, "default");
        assert_eq!(answer.status, 409, "{place}: {}", answer.text());
        assert!(
            answer.text().contains("`default.2`"),
            "{place}: {}",
            answer.text()
        );
        route.assert_describes(&answer);
        writes += 1;
    }
    let after = server.client().get("/v1/checkpoint").unwrap().text();
    assert_eq!(after, before, "a refused request was recorded");
    for route in routes.iter().filter(|route| is_reading(route)) {
        let place = format!("{} {}", route.method, route.path);
        let is_named = READS_BESIDE_GET.contains(&place.as_str());
        assert_eq!(route.method != "GET", is_named, "{place}");
        let answer = ask(&server, route, "default");
        let heard = [200, 202, 204, 404].contains(&answer.status);
        assert!(heard, "{place}: {} {}", answer.status, answer.text());
        let unknown = ask(&server, route, "default.7");
        assert_eq!(unknown.status, 404, "{place}: {}", unknown.text());
        reads += 1;
    }
    assert!(writes > 25 && reads > 25, "{writes} writes, {reads} reads");
    // Whoever names the active ledger is heard.
    let key = server.client().request(
        "POST",
        "/v1/keys",
        &[
            ("Trailkeep-Ledger", "default.2"),
            ("Content-Type", "application/json"),
        ],
        br#"{"role":"reader"}"#,
    );
    assert_eq!(key.unwrap().status, 201);
    server.stop();
    clocked.verify();
}

#[test]
fn every_command_that_names_a_superseded_ledger() {
    let clocked = closed_with_anna();
    let commands = commands(&clocked.directory);
    let is_reading = |line: &str| {
        let begins = |name: &&str| line == *name || line.starts_with(&format!("{name} "));
        READING_ALONE.contains(&line) || READING.iter().any(begins)
    };
    let size = clocked.size();
    let (mut writes, mut reads) = (0, 0);
    for (command, _) in &commands {
        let line = command.join(" ");
        if is_reading(&line) {
            continue;
        }
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let ended = clocked.command(&words, &["--ledger", "default"]);
        let told = said(&ended);
        assert_eq!(ended.status.code(), Some(1), "{line}: {told}");
        assert!(told.contains("`default.2`"), "{line}: {told}");
        writes += 1;
    }
    assert_eq!(clocked.size(), size, "a refused command was recorded");
    for (command, _) in &commands {
        let line = command.join(" ");
        if !is_reading(&line) {
            continue;
        }
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let ended = clocked.command(&words, &["--ledger", "default"]);
        let told = said(&ended);
        assert!(!told.contains("superseded"), "{line}: {told}");
        let is_heard = ended.status.success() || told.contains("Not found") || told.contains("no ");
        assert!(is_heard, "{line}: {told}");
        let unknown = clocked.command(&words, &["--ledger", "default.7"]);
        assert_eq!(unknown.status.code(), Some(7), "{line}: {}", said(&unknown));
        reads += 1;
    }
    assert!(writes > 20 && reads > 20, "{writes} writes, {reads} reads");
    clocked.verify();
}

#[test]
fn settings_of_a_tenant_hold_for_its_superseded_ledgers() {
    let clocked = with_copies("2026-11-01T10:00:00Z");
    succeeded(&clocked.output(&["tenant", "set", "default", "--public-log", "on"]));
    back_up(&clocked, "backup");
    lose_and_restore(&clocked, "backup", &["--continue"]);
    let server = clocked.serve_with(&[]);
    let nobody = [("Authorization", "none")];
    let ask = |name: &str| {
        let path = format!("/v1/log/{name}/checkpoint");
        let answer = server.client().request("GET", &path, &nobody, b"");
        answer.unwrap().status
    };
    assert_eq!((ask("default"), ask("default.2")), (200, 200));
    succeeded(&clocked.output(&["tenant", "set", "default", "--public-log", "off"]));
    assert_eq!((ask("default"), ask("default.2")), (401, 401));
    server.stop();
}
