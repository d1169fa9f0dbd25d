//! What every client meets: request ids, `Idempotency-Key`, `ETag`, `Retry-After`, limits.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::support::Directory;
use serde_json::{Value, json};

const EVENT: &str = r#"{"action":"chat.completion","actor":{"id":"u-1"}}"#;

#[test]
fn every_answer_names_its_request() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    let mut ask = |path: &str, headers: &[(&str, &str)]| {
        let answer = client.request("GET", path, headers, b"").unwrap();
        answer.header("x-request-id").unwrap().to_owned()
    };
    assert_eq!(
        ask("/v1/key", &[("X-Request-Id", "abc-1.2_3")]),
        "abc-1.2_3"
    );
    assert_eq!(ask("/nowhere", &[("X-Request-Id", "abc")]), "abc");
    for odd in ["Ada Example", "", "a@example.com", &"x".repeat(65)] {
        let given = ask("/v1/key", &[("X-Request-Id", odd)]);
        assert!(given != odd && given.len() == 16, "{given}");
    }
    assert_ne!(ask("/healthz", &[]), ask("/healthz", &[]));
    server.stop();
}

#[test]
fn a_request_s_log_lines_name_it() {
    let directory = Directory::new();
    directory.append(EVENT);
    let database = rusqlite::Connection::open(directory.path.join("ledger.db")).unwrap();
    database
        .execute(
            "UPDATE payload SET bytes = zeroblob(length(bytes)) WHERE row & 255 = 4",
            [],
        )
        .unwrap();
    drop(database);
    let server = directory.serve();
    let headers = [("X-Request-Id", "find-me-in-the-log")];
    let answer = server
        .client()
        .request("GET", "/v1/entries/4", &headers, b"")
        .unwrap();
    assert_eq!(answer.status, 500, "{}", answer.text());
    let log = server.stop();
    assert!(log.contains("find-me-in-the-log"), "{log}");
}

#[test]
fn an_idempotency_key_stands_for_an_id() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    let mut post = |key: &str, kind: &str, body: &str| {
        let headers = [("Content-Type", kind), ("Idempotency-Key", key)];
        client
            .request("POST", "/v1/events", &headers, body.as_bytes())
            .unwrap()
    };
    let json = "application/json";
    let first = post("order-17", json, EVENT);
    assert_eq!(
        (first.status, &first.json()["id"]),
        (201, &json!("order-17"))
    );
    // As the draft of the header writes it, in quotes; the same is the same.
    let again = post("\"order-17\"", json, EVENT);
    assert_eq!(
        (again.status, again.json()["seq"].clone()),
        (200, first.json()["seq"].clone())
    );
    let other = post("order-17", json, &EVENT.replace("u-1", "u-2"));
    assert_eq!(
        (other.status, &other.json()["type"]),
        (409, &json!("urn:trailkeep:problem:id-conflict"))
    );
    // Several events have the key and their place; an id of their own counts.
    let lines = format!("{EVENT}\n{{\"id\":\"own\",{}\n{EVENT}\n", &EVENT[1..]);
    for expected in [201, 200] {
        let many = post("batch-1", "application/x-ndjson", &lines);
        assert_eq!(many.status, expected, "{}", many.text());
        let many = many.json();
        let ids: Vec<&str> = many["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, ["batch-1:1", "own", "batch-1:3"]);
    }
    for wrong in ["", "\"\"", &"x".repeat(201), "a\tb"] {
        assert_eq!(post(wrong, json, EVENT).status, 400, "{wrong:?}");
    }
    server.stop();
    directory.assert_clean();
}

#[test]
fn what_is_known_is_not_sent_again() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    for path in [
        "/v1/checkpoint",
        "/v1/key",
        "/v1/log/default/checkpoint",
        "/v1/log/default/tile/0/000.p/1",
        "/openapi.json",
    ] {
        let first = client.get(path).unwrap();
        let tag = first
            .header("etag")
            .unwrap_or_else(|| panic!("{path} has no tag"))
            .to_owned();
        for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let again = client
                .request("GET", path, &[("If-None-Match", &known)], b"")
                .unwrap();
            assert_eq!((again.status, again.body.len()), (304, 0), "{path} {known}");
            assert_eq!(again.header("etag"), Some(tag.as_str()));
        }
        let other = client
            .request("GET", path, &[("If-None-Match", "\"x\"")], b"")
            .unwrap();
        assert_eq!(other.status, 200);
    }
    let before = client
        .get("/v1/checkpoint")
        .unwrap()
        .header("etag")
        .unwrap()
        .to_owned();
    assert_eq!(
        client
            .post("application/json", EVENT.as_bytes())
            .unwrap()
            .status,
        201
    );
    let after = client
        .request("GET", "/v1/checkpoint", &[("If-None-Match", &before)], b"")
        .unwrap();
    assert_eq!(after.status, 200);
    // Texts are in no cache.
    let page = client.get("/v1/events").unwrap();
    assert_eq!(page.header("cache-control"), Some("no-store"));
    server.stop();
}

#[test]
fn limits_are_those_that_are_documented() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    let of_size = |size: usize| {
        let text = EVENT
            .replace('}', "")
            .replace("{\"id\":\"u-1\"", "{\"id\":\"u-1\"},\"input\":\"");
        let fill = size - text.len() - 2;
        format!("{text}{}\"}}", "x".repeat(fill))
    };
    let largest = of_size(1_048_576);
    assert_eq!(largest.len(), 1_048_576);
    assert_eq!(
        client
            .post("application/json", largest.as_bytes())
            .unwrap()
            .status,
        201
    );
    assert_eq!(
        client
            .post("application/json", of_size(1_048_577).as_bytes())
            .unwrap()
            .status,
        413
    );
    let lines = |count: usize| format!("{EVENT}\n").repeat(count);
    assert_eq!(
        client
            .post("application/x-ndjson", lines(10_000).as_bytes())
            .unwrap()
            .status,
        201
    );
    let many = client
        .post("application/x-ndjson", lines(10_001).as_bytes())
        .unwrap();
    assert_eq!(
        (many.status, &many.json()["type"]),
        (413, &json!("urn:trailkeep:problem:too-large"))
    );
    let question = format!("{{\"action\":\"{}\"}}", "x".repeat(1 << 20));
    let answer = client
        .request("POST", "/v1/events/query", &[], question.as_bytes())
        .unwrap();
    assert_eq!(answer.status, 413);
    for (length, expected) in [(256, 200), (257, 400)] {
        let purpose = "x".repeat(length);
        let answer = client
            .request("GET", "/v1/events", &[("Trailkeep-Purpose", &purpose)], b"")
            .unwrap();
        assert_eq!(answer.status, expected, "{length}");
    }
    server.stop();
}

#[test]
fn what_can_be_tried_again_says_when() {
    let directory = Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_MIN_FREE_BYTES", "18446744073709551615")]);
    let full = server
        .client()
        .post("application/json", EVENT.as_bytes())
        .unwrap();
    assert_eq!((full.status, full.header("retry-after")), (507, Some("30")));
    server.stop();
}

#[test]
fn a_retry_in_another_spelling_is_a_retry() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    let mut post = |body: &str| client.post("application/json", body.as_bytes()).unwrap();
    let first_bytes = r#"{"id":"n","action":"a.b","actor":{"id":"bot","type":"service"},"attributes":{"n":9007199254740993,"x":[1.50,"é"]}}"#;
    let first = post(first_bytes);
    assert_eq!(first.status, 201, "{}", first.text());
    assert_eq!(first.json()["already_recorded"], Value::Null);
    let spelled = r#" {"attributes": {"x":[15e-1, "\u00e9"], "n": 9007199254740993.0}, "actor": {"type":"service", "id":"bot"},
        "action":"a.b", "id":"\u006e"}"#;
    for (body, same_bytes) in [(first_bytes, true), (spelled, false)] {
        let again = post(body);
        assert_eq!(again.status, 200, "{}", again.text());
        let again = again.json();
        assert_eq!(again["seq"], first.json()["seq"]);
        assert_eq!(again["already_recorded"], true, "{again}");
        assert_eq!(again["same_bytes"], same_bytes, "{again}");
    }
    for other in [
        first_bytes.replace("9007199254740993", "9007199254740992"),
        first_bytes.replace("[1.50,\"é\"]", "[\"é\",1.50]"),
        first_bytes.replace("\"type\":\"service\"", "\"type\":\"user\""),
        first_bytes.replace(",\"attributes\"", ",\"outcome\":\"success\",\"attributes\""),
    ] {
        assert_eq!(post(&other).status, 409, "{other}");
    }
    // In one request, too.
    let two = format!("[{},{spelled}]", first_bytes.replace("\"n\",", "\"m\","));
    let two = two.replace("\"\\u006e\"", "\"\\u006d\"");
    let both = post(&two);
    assert_eq!(both.status, 201, "{}", both.text());
    let both = both.json();
    assert_eq!(
        (&both["accepted"], &both["duplicates"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(both["events"][1]["same_bytes"], false, "{both}");
    // The first bytes stay the evidence.
    let shown = client.get("/v1/events/n").unwrap().text();
    assert!(
        shown.contains(r#"{"n":9007199254740993,"x":[1.50,"é"]}"#),
        "{shown}"
    );
    server.stop();
    directory.assert_clean();
}

#[test]
fn the_server_s_own_actions_are_no_client_s() {
    let directory = Directory::new();
    let server = directory.serve();
    let mut client = server.client();
    let event =
        |action: &str| format!("{{\"action\":\"{action}\",\"actor\":{{\"id\":\"local\"}}}}");
    for action in [
        "trailkeep",
        "trailkeep.hold.place",
        "trailkeep.privacy.erase",
        "trailkeep.own",
    ] {
        let refused = client
            .post("application/json", event(action).as_bytes())
            .unwrap();
        assert_eq!(refused.status, 422, "{}", refused.text());
        assert_eq!(refused.json()["errors"][0]["pointer"], "/action");
    }
    for action in [
        "trailkeeper.open",
        "app.trailkeep.hold",
        "trailkeep_demo.run",
    ] {
        let taken = client
            .post("application/json", event(action).as_bytes())
            .unwrap();
        assert_eq!(taken.status, 201, "{}", taken.text());
    }
}
