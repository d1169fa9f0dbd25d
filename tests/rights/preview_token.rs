//! The token of a preview: nobody orders an erasure or a restriction over HTTP without having seen what it does now.

use crate::erasure::{counts, event, filed, post};
use crate::support::{Answer, Client, Clocked, Server, succeeded};
use serde_json::{Value, json};

const MORNING: &str = "2026-11-24T10:00:00Z";

/// A server with one event about Anna, who asks for its erasure.
fn anna_asks() -> (Clocked, Server, Value) {
    let clocked = Clocked::at(MORNING);
    clocked.append(&event("e0", &["anna"], &json!({})));
    let server = clocked.serve_with(&[]);
    let anna = filed(&mut server.client(), "erasure", "anna", Some("passport"));
    (clocked, server, anna)
}

fn path_of(request: &Value) -> String {
    let id = request["id"].as_str().unwrap();
    format!("/v1/privacy/requests/{id}")
}

fn preview(client: &mut Client, request: &Value) -> Value {
    let address = format!("{}/preview", path_of(request));
    let answer = client.get(&address).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn execute(client: &mut Client, request: &Value, token: &Value) -> Answer {
    let below = format!("/{}/execute", request["id"].as_str().unwrap());
    post(client, &below, &json!({"token": token}))
}

/// The order is answered with what it would do now, and nothing was done.
fn assert_stale(answer: &Answer, why: &str) -> Value {
    assert_eq!(answer.status, 409, "{}", answer.text());
    let problem = answer.json();
    assert_eq!(problem["type"], "urn:trailkeep:problem:stale-preview");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(why), "{detail}");
    assert!(problem["preview"]["token"].is_string(), "{problem}");
    problem["preview"].clone()
}

fn orders(clocked: &Clocked) -> usize {
    let log = clocked.json(&["access", "list", "--json"]);
    let accesses = log["accesses"].as_array().unwrap().iter();
    let orders = accesses.filter(|access| access["action"] == "trailkeep.privacy.execute");
    orders.count()
}

#[test]
fn an_order_needs_the_token_of_its_own_preview() {
    let clocked = Clocked::at(MORNING);
    for person in ["anna", "bert"] {
        clocked.append(&event(person, &[person], &json!({})));
    }
    let server = clocked.serve_with(&[]);
    let mut client = server.client();
    let anna = filed(&mut client, "erasure", "anna", Some("passport"));
    let bert = filed(&mut client, "restriction", "bert", Some("passport"));
    let seen = preview(&mut client, &anna);
    assert_eq!(seen["counts"]["destroyed"], 1, "{seen}");
    assert_eq!(seen["token_expires_at"], "2026-11-24T10:15:00.000Z");
    for request in [&anna, &bert] {
        let without = execute(&mut client, request, &Value::Null);
        assert_eq!(without.status, 422, "{}", without.text());
        assert!(without.text().contains("/preview"), "{}", without.text());
    }
    // Of a request in another tenant, of another request, changed, and none at all.
    let tenant = clocked.json(&["tenant", "create", "second", "--json"]);
    let authorization = format!("Bearer {}", tenant["token"].as_str().unwrap());
    let head = [
        ("Authorization", authorization.as_str()),
        ("Content-Type", "application/json"),
    ];
    let mut second = |method: &str, path: &str, body: &Value| {
        let body = body.to_string();
        let answer = client.request(method, path, &head, body.as_bytes());
        answer.unwrap().json()
    };
    let asked = json!({"type": "erasure", "subject": {"id": "anna"}, "identity_verified_by": "x"});
    let elsewhere = second("POST", "/v1/privacy/requests", &asked);
    let elsewhere = format!("{}/preview", path_of(&elsewhere));
    let elsewhere = second("GET", &elsewhere, &json!({}))["token"].clone();
    let others = preview(&mut client, &bert)["token"].clone();
    let own = seen["token"].as_str().unwrap();
    let (first, rest) = own.split_at(own.len() - 1);
    let changed = format!("{first}{}", if rest == "A" { "B" } else { "A" });
    for token in [elsewhere, others, json!(changed), json!("x"), json!("")] {
        assert_stale(&execute(&mut client, &anna, &token), "another request");
    }
    assert_eq!(counts(&clocked), [2, 0, 0, 0]);

    let done = execute(&mut client, &anna, &seen["token"]).json();
    assert_eq!(done["decision"], "erased", "{done}");
    // Once: the order stands, and the request is closed.
    let again = execute(&mut client, &anna, &seen["token"]);
    assert_eq!(again.status, 409);
    assert!(again.text().contains("request-state"), "{}", again.text());
    assert_eq!(orders(&clocked), 1);
    assert!(preview(&mut client, &anna)["token"].is_null());
    server.stop();
    assert_eq!(counts(&clocked), [1, 0, 1, 0]);
}

#[test]
fn a_token_ends_after_15_minutes_and_a_wall_clock_set_back_lengthens_nothing() {
    let (clocked, server, anna) = anna_asks();
    let mut client = server.client();
    let first = preview(&mut client, &anna)["token"].clone();
    clocked.set("2026-11-24T10:15:00Z");
    let now = assert_stale(&execute(&mut client, &anna, &first), "15 minutes");
    clocked.set("2026-11-24T10:30:00Z");
    clocked.jump("2026-11-24T10:16:00Z");
    let now = assert_stale(&execute(&mut client, &anna, &now["token"]), "15 minutes");
    assert_eq!(counts(&clocked), [1, 0, 0, 0]);
    clocked.set("2026-11-24T10:30:59Z");
    let done = execute(&mut client, &anna, &now["token"]).json();
    assert_eq!(done["decision"], "erased", "{done}");
    server.stop();
}

#[test]
fn a_token_of_another_start_of_the_server_is_refused() {
    let (clocked, server, anna) = anna_asks();
    let mut client = server.client();
    let token = preview(&mut client, &anna)["token"].clone();
    server.stop();
    let server = clocked.serve_with(&[]);
    let mut client = server.client();
    assert_stale(&execute(&mut client, &anna, &token), "restarted");
    server.stop();
    assert_eq!(counts(&clocked), [1, 0, 0, 0]);
}

#[test]
fn events_treated_alike_keep_a_token_and_a_hold_a_class_or_a_request_ends_it() {
    let (clocked, server, anna) = anna_asks();
    let mut client = server.client();
    let mut token = preview(&mut client, &anna)["token"].clone();
    let mut assert_ends = |client: &mut Client, what: &str| {
        let now = assert_stale(&execute(client, &anna, &token), "changed since");
        assert_eq!(counts(&clocked)[2], 0, "{what}");
        token = now["token"].clone();
        now
    };
    // A hold on somebody else, too: whoever orders looks again. Its release as well.
    let hold = clocked.hold("bert");
    assert_ends(&mut client, "a hold");
    let release = ["hold", "release", hold["id"].as_str().unwrap()];
    succeeded(&clocked.command(&release, &["--reason", "r"]));
    assert_ends(&mut client, "a release");
    filed(&mut client, "portability", "anna", None);
    assert_ends(&mut client, "another request");
    // One of somebody else changes nothing for them.
    filed(&mut client, "portability", "bert", None);
    clocked.append(&event("e1", &["anna"], &json!({"regimes": ["hipaa"]})));
    let now = assert_ends(&mut client, "a class");
    assert_eq!(now["counts"]["restricted"], 1, "{now}");
    clocked.append(&event("e2", &["anna"], &json!({"regimes": ["hipaa"]})));
    clocked.append(&event("e3", &["anna"], &json!({})));
    let done = execute(&mut client, &anna, &token).json();
    assert_eq!(done["state"], "restricted", "{done}");
    server.stop();
    assert_eq!(counts(&clocked), [0, 0, 2, 2]);
}

#[test]
fn an_order_that_was_given_stands_and_needs_no_token() {
    for token in [json!("of another start"), Value::Null] {
        let (clocked, server, anna) = anna_asks();
        server.stop();
        // Behind the entry of the order, before anything is decided.
        let order = ["privacy", "execute", anna["id"].as_str().unwrap(), "--yes"];
        let killed = clocked.output_with(&order, &[("TRAILKEEP_FAILPOINT", "change-taken=kill")]);
        assert!(!killed.status.success());
        assert_eq!((orders(&clocked), counts(&clocked)), (1, [1, 0, 0, 0]));
        let server = clocked.serve_with(&[]);
        let mut client = server.client();
        clocked.set("2026-11-24T11:00:00Z");
        let shown = preview(&mut client, &anna);
        assert!(shown["token"].is_null(), "{shown}");
        let done = execute(&mut client, &anna, &token).json();
        assert_eq!(done["decision"], "erased", "{done}");
        assert_eq!(done["ordered_at"], "2026-11-24T10:00:00.000Z", "{done}");
        server.stop();
        assert_eq!((orders(&clocked), counts(&clocked)), (1, [0, 0, 1, 0]));
    }
}
