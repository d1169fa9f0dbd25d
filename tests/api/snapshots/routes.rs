//! The answers of the main routes, with the bytes of their JSON in their order.

use std::fmt::Write;

use super::{assert_same, unfolded};
use crate::support::{Client, Clocked, Server};
use serde_json::Value;

const EVENT: &str = r#"{"id":"order-17","action":"chat.completion","outcome":"success","actor":{"id":"u-1042"},"subjects":[{"id":"p-7","namespace":"crm"}],"source":{"name":"shop","seq":1},"regimes":["hipaa","gdpr"],"retention":{"record":"audit-2026"},"llm":{"request_model":"gpt-4o"},"input":"When does it arrive?","output":"Tomorrow."}"#;
const EVENTS: &str = r#"{"id":"order-18","action":"chat.completion","actor":{"id":"p-7"},"source":{"name":"shop","seq":4},"input":"x"}
{"id":"order-17","action":"chat.completion","outcome":"success","actor":{"id":"u-1042"},"subjects":[{"id":"p-7","namespace":"crm"}],"source":{"name":"shop","seq":1},"regimes":["hipaa","gdpr"],"retention":{"record":"audit-2026"},"llm":{"request_model":"gpt-4o"},"input":"When does it arrive?","output":"Tomorrow."}
{"action":"login","actor":{"id":"u-2"},"subjects":[{"id":"P-7"}]}"#;

/// A server under a clock that stands still, and what it answered.
struct Asked {
    clocked: Clocked,
    server: Server,
    client: Client,
    said: String,
}

impl Asked {
    fn new() -> Self {
        let clocked = Clocked::at("2026-11-24T10:00:00Z");
        let server = clocked.serve_with(&[]);
        let client = server.client();
        Self {
            clocked,
            server,
            client,
            said: String::new(),
        }
    }

    /// With events recorded.
    fn with_events() -> Self {
        let mut asked = Self::new();
        let answers = [
            asked.client.post("application/json", EVENT.as_bytes()),
            asked.client.post("application/x-ndjson", EVENTS.as_bytes()),
        ];
        for answer in answers {
            assert_eq!(answer.unwrap().status, 201);
        }
        asked
    }

    /// Asks, and notes the answer.
    fn ask(&mut self, line: &str, body: &str) -> String {
        let (method, path) = line.split_once(' ').unwrap();
        let kind = if body.starts_with('{') && body.contains('\n') {
            "application/x-ndjson"
        } else {
            "application/json"
        };
        let headers: &[(&str, &str)] = if body.is_empty() {
            &[]
        } else {
            &[("Content-Type", kind)]
        };
        let answer = self
            .client
            .request(method, path, headers, body.as_bytes())
            .unwrap();
        let (status, text) = (answer.status, answer.text());
        let kind = answer.header("content-type").unwrap_or("-").to_owned();
        let shown = if kind == "application/x-ndjson" {
            // How often a line of progress comes depends on the machine.
            unfolded(text.lines().last().unwrap())
        } else if kind.ends_with("json") {
            unfolded(&text)
        } else {
            text.clone()
        };
        let _ = writeln!(self.said, "{line}\n{body}\n-> {status} {kind}\n{shown}\n");
        text
    }

    fn id_of(&mut self, line: &str, body: &str) -> String {
        let answer: Value = serde_json::from_str(&self.ask(line, body)).unwrap();
        answer["id"].as_str().unwrap().to_owned()
    }

    /// Orders a request by its preview.
    fn order(&mut self, id: &str, begun: &str) {
        let path = format!("/v1/privacy/requests/{id}");
        let preview: Value =
            serde_json::from_str(&self.ask(&format!("GET {path}/preview"), "")).unwrap();
        let token = preview["token"].as_str().unwrap();
        let order = format!(r#"{begun}"token":"{token}"}}"#);
        self.ask(&format!("POST {path}/execute"), &order);
    }

    /// Compares all that was said with what is checked in.
    fn assert_same(self, name: &str) {
        self.server.stop();
        let folder = self.clocked.directory.path.parent().unwrap();
        assert_same(&format!("routes-{name}"), Some(folder), &self.said);
    }
}

#[test]
fn events() {
    let mut asked = Asked::new();
    asked.ask("POST /v1/events", EVENT);
    asked.ask(
        "POST /v1/events",
        &EVENT.replace(",\"input\"", ", \"input\""),
    );
    asked.ask("POST /v1/events", EVENTS);
    asked.ask("POST /v1/events", r#"[{"action":"a","actor":{"id":"u"}}]"#);
    asked.ask("POST /v1/events", &EVENT.replace("Tomorrow", "Today"));
    asked.ask("POST /v1/events", r#"{"action":1}"#);
    asked.ask(
        "POST /v1/events",
        r#"{"action":"a","actor":{"id":"u"},"regimes":["hippa"]}"#,
    );
    asked.ask("GET /v1/events/order-17", "");
    asked.ask("GET /v1/entries/0", "");
    asked.ask("GET /v1/events/nothing", "");
    asked.ask("GET /v1/events/order-17/proof", "");
    asked.ask("GET /v1/events?limit=1", "");
    asked.ask("GET /v1/events?subject=p-7", "");
    asked.ask(
        "POST /v1/events/query",
        r#"{"subject":{"id":"p-7","namespace":"crm"},"order":"newest"}"#,
    );
    asked.ask("POST /v1/events/query", r#"{"regime":"hippa"}"#);
    asked.ask("GET /v1/checkpoint", "");
    asked.ask("GET /v1/key", "");
    asked.ask("GET /v1/access", "");
    asked.ask("GET /v1/sources", "");
    asked.ask("GET /v1/policies/gaps", "");
    asked.ask("POST /v1/traces", r#"{"resourceSpans":[]}"#);
    asked.ask("POST /v1/verify", "");
    asked.assert_same("events");
}

#[test]
fn keys_and_tenants() {
    let mut asked = Asked::new();
    let id = asked.id_of("POST /v1/keys", r#"{"role":"reader","expires":"P90D"}"#);
    asked.ask("POST /v1/keys", r#"{"role":"root"}"#);
    asked.ask("POST /v1/keys", r#"{"role":"writer"}"#);
    asked.ask(&format!("DELETE /v1/keys/{id}"), "");
    asked.ask("DELETE /v1/keys/0000000000000000", "");
    asked.said.push_str("GET /v1/keys, by role\n");
    let listed: Value =
        serde_json::from_slice(&asked.client.get("/v1/keys").unwrap().body).unwrap();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 3);
    asked.ask("POST /v1/tenants", r#"{"name":"acme"}"#);
    asked.ask("POST /v1/tenants", r#"{"name":"acme"}"#);
    asked.ask(
        "PATCH /v1/tenants/acme",
        r#"{"public_log":true,"strict":true,"default_regimes":["soc2"],"unknown_regime":"soc2","keep_requests":"P24M"}"#,
    );
    asked.ask("PATCH /v1/tenants/acme", r#"{"keep_requests":"P7Y"}"#);
    asked.ask("PATCH /v1/tenants/acme", r#"{"default_regimes":["hippa"]}"#);
    asked.ask("GET /v1/tenants", "");
    asked.ask("POST /v1/tenants/acme/close", "");
    asked.ask("POST /v1/tenants/acme/close", "");
    asked.ask("GET /v1/tenants", "");
    asked.ask("GET /v1/access", "");
    asked.assert_same("keys-and-tenants");
}

#[test]
fn retention() {
    let mut asked = Asked::with_events();
    let hold = asked.id_of(
        "POST /v1/holds",
        r#"{"matter":"Doe v. Acme","reason":"litigation","subject":{"id":"p-7"}}"#,
    );
    asked.ask("GET /v1/holds", "");
    asked.ask(
        &format!("POST /v1/holds/{hold}/lift"),
        r#"{"reason":"settled"}"#,
    );
    asked.ask(
        &format!("POST /v1/holds/{hold}/lift"),
        r#"{"reason":"settled"}"#,
    );
    asked.ask(
        "POST /v1/holds",
        r#"{"matter":"M","reason":"R","action":"chat.*","from":"2026-01-01T00:00:00Z","review":"P1M"}"#,
    );
    asked.ask(
        "POST /v1/holds",
        r#"{"matter":"M","reason":"R","action":"none","require_match":true}"#,
    );
    asked.ask("GET /v1/events/order-17/retention", "");
    asked.ask(
        "GET /v1/events/order-18/retention?at=2036-01-01T00:00:00Z",
        "",
    );
    asked.ask("GET /v1/entries/0/retention", "");
    asked.ask("GET /v1/retention/preview", "");
    asked.ask("GET /v1/retention/preview?at=2036-01-01T00:00:00Z", "");
    asked.ask(
        "POST /v1/triggers",
        r#"{"name":"audit_concluded","record":"audit-2026","at":"2026-11-01T00:00:00Z"}"#,
    );
    asked.ask(
        "POST /v1/triggers",
        r#"{"name":"none","record":"audit-2026","at":"2026-11-01T00:00:00Z"}"#,
    );
    asked.ask("GET /v1/triggers", "");
    asked.ask("POST /v1/retention/run", "");
    asked.ask("POST /v1/retention/resume", r#"{"reviewed_holds":true}"#);
    asked.assert_same("retention");
}

#[test]
fn privacy() {
    let mut asked = Asked::with_events();
    let requests = "POST /v1/privacy/requests";
    asked.ask(
        requests,
        r#"{"type":"erasure","subject":{"id":"p-7","namespace":"crm"},"dry_run":true}"#,
    );
    asked.ask(
        requests,
        r#"{"type":"access","subject":{"id":"p-7"},"dry_run":true,"include_acted":true}"#,
    );
    let erasure = asked.id_of(
        requests,
        r#"{"type":"erasure","subject":{"id":"P-7"},"reference":"T-1","received_at":"2026-11-20"}"#,
    );
    let path = format!("/v1/privacy/requests/{erasure}");
    asked.ask(&format!("POST {path}/execute"), "{}");
    asked.ask(
        &format!("POST {path}/identity"),
        r#"{"verified_by":"second factor"}"#,
    );
    asked.ask(
        &format!("POST {path}/extend"),
        r#"{"reason":"eight systems"}"#,
    );
    asked.ask(&format!("GET {path}"), "");
    asked.ask(&format!("POST {path}/execute"), r#"{"now":true}"#);
    asked.ask(&format!("POST {path}/execute"), r#"{"token":"forged"}"#);
    asked.order(&erasure, r#"{"now":true,"#);
    asked.ask(&format!("GET {path}/certificate"), "");
    let kept = asked.id_of(
        requests,
        r#"{"type":"restriction","subject":{"id":"p-7","namespace":"crm"},"identity_verified_by":"x","regime":"ccpa"}"#,
    );
    asked.order(&kept, "{");
    asked.ask(
        &format!("POST /v1/privacy/requests/{kept}/close"),
        r#"{"decision":"lifted"}"#,
    );
    asked.ask("GET /v1/events/order-17", "");
    asked.ask("GET /v1/privacy/requests/00", "");
    asked.ask("GET /v1/access", "");
    asked.assert_same("privacy");
}

#[test]
fn vault_and_anchors() {
    let mut asked = Asked::with_events();
    let folder = asked.clocked.directory.path.parent().unwrap().to_owned();
    let folder = folder.display();
    asked.ask("GET /v1/vault", "");
    let id = asked.id_of(
        "POST /v1/vault/copies",
        &format!(r#"{{"directory":"{folder}/copy"}}"#),
    );
    asked.ask(
        "POST /v1/vault/copies",
        &format!(r#"{{"directory":"{folder}/no/copy"}}"#),
    );
    asked.ask(
        "POST /v1/vault/copies",
        &format!(r#"{{"directory":"{folder}/copy"}}"#),
    );
    asked.ask("GET /v1/vault/copies", "");
    asked.ask("POST /v1/vault/copies/check", "");
    asked.ask("POST /v1/vault/rotate", "");
    asked.ask(&format!("DELETE /v1/vault/copies/{id}"), "");
    asked.ask("POST /v1/vault/bind", "");
    asked.ask(
        "POST /v1/backup",
        &format!(r#"{{"out":"{folder}/backup"}}"#),
    );
    asked.ask("GET /v1/anchors", "");
    asked.ask("GET /v1/anchors/history", "");
    asked.ask("GET /v1/anchors/checkpoint", "");
    asked.ask("POST /v1/anchors/run", "");
    asked.ask(
        "POST /v1/anchors/resume",
        r#"{"tenant":"default","reviewed_history":true}"#,
    );
    asked.ask("GET /readyz", "");
    asked.assert_same("vault-and-anchors");
}

#[test]
fn exports() {
    let mut asked = Asked::with_events();
    for question in [
        r#"{"seq":"1..3","redact":"input"}"#,
        r#"{"action":"chat.completion"}"#,
    ] {
        let started = asked.client.request(
            "POST",
            "/v1/exports",
            &[("Content-Type", "application/json")],
            question.as_bytes(),
        );
        let id = started.unwrap().json()["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/exports/{id}");
        while asked.client.get(&path).unwrap().json()["state"] == "running" {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        asked.ask(&format!("GET {path}"), "");
        asked.ask(&format!("DELETE {path}"), "");
        asked.ask(&format!("GET {path}"), "");
    }
    asked.ask("POST /v1/exports", r#"{"seq":"3-1"}"#);
    asked.ask("POST /v1/exports", r#"{"seq":"9..1"}"#);
    asked.assert_same("exports");
}

#[test]
fn problems() {
    let mut asked = Asked::new();
    asked.ask("GET /v1/nothing", "");
    asked.ask("PUT /v1/events", "");
    asked.ask("POST /v1/holds", "{");
    asked.ask("GET /v1/anchors/history?limit=0", "");
    asked.ask("GET /v1/access?what=1", "");
    asked.client = asked.server.client();
    let answer = asked
        .client
        .request("GET", "/v1/holds", &[("Authorization", "none")], b"");
    let text = unfolded(&answer.unwrap().text());
    asked.said.push_str(&text);
    asked.assert_same("problems");
}
