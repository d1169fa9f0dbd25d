//! OTLP over HTTP: answers in the request's encoding, errors as `google.rpc.Status`, limits, tenants.

use serde_json::{Value, json};

use super::send::{Answered, chat, send, send_json, span, traces_request, wait_for_events};
use crate::support::{Directory, Server};

fn post(server: &Server, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answered {
    let length = body.len().to_string();
    let token = format!("Bearer {}", server.token);
    let mut all = vec![
        ("Host", "x"),
        ("Connection", "close"),
        ("Content-Length", &length),
    ];
    if !headers.iter().any(|(name, _)| *name == "Authorization") {
        all.push(("Authorization", &token));
    }
    all.extend(headers);
    let all: Vec<(String, String)> = all
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    send(&server.address, path, &all, body)
}

const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");
const JSON: (&str, &str) = ("Content-Type", "application/json");

#[test]
fn errors_are_of_the_encoding_of_the_request() {
    let directory = Directory::new();
    let server = directory.serve();
    for path in ["/v1/traces", "/v1/logs"] {
        let wrong_token = ("Authorization", "Bearer wrong");
        let answer = post(&server, path, &[PROTOBUF, wrong_token], b"");
        assert_eq!(answer.status, 401);
        assert!(
            answer.head.contains("content-type: application/x-protobuf"),
            "{}",
            answer.head
        );
        assert!(answer.head.contains("www-authenticate: bearer"));
        // Status {code: 16, message: ..}
        assert_eq!(answer.body[..3], [0x08, 16, 0x12]);
        let answer = post(&server, path, &[JSON, wrong_token], b"");
        let status: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &status["code"]), (401, &json!(16)));
        let answer = post(
            &server,
            path,
            &[JSON],
            b"{\"resourceSpans\": 1, \"resourceLogs\": 1}",
        );
        let status: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &status["code"]), (400, &json!(3)));
        assert_eq!(
            post(&server, path, &[PROTOBUF], b"\xff\xff\xff").status,
            400
        );
        assert_eq!(
            post(&server, path, &[("Content-Type", "text/plain")], b"x").status,
            415
        );
        assert_eq!(
            post(&server, path, &[PROTOBUF, ("Content-Encoding", "br")], b"x").status,
            415
        );
        // Nothing at all is a whole request.
        let answer = post(&server, path, &[PROTOBUF], b"");
        assert_eq!((answer.status, answer.body.len()), (200, 0));
        let answer = post(&server, path, &[JSON], b"{}");
        assert_eq!((answer.status, answer.body), (200, b"{}".to_vec()));
    }
    server.stop();
}

#[test]
fn a_body_may_be_large_only_before_and_after_it_is_decompressed() {
    use std::io::Write;
    let directory = Directory::new();
    let server = directory.serve();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..33 {
        packer.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = packer.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let answer = post(
        &server,
        "/v1/traces",
        &[JSON, ("Content-Encoding", "gzip")],
        &bomb,
    );
    assert_eq!(
        answer.status,
        413,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    let answer = post(
        &server,
        "/v1/traces",
        &[JSON, ("Content-Encoding", "gzip")],
        &bomb[..100],
    );
    assert_eq!(answer.status, 400);
    server.stop();
}

#[test]
fn what_can_t_be_taken_is_told_and_the_rest_is_taken() {
    let directory = Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_OTLP_QUIET_MS", "50")]);
    let mut broken = span(1, 2, 0, &chat("a-1"));
    broken["spanId"] = "12".into();
    let body = traces_request(
        &json!({"service.name": "s"}),
        &[broken, span(3, 4, 0, &chat("a-2"))],
    );
    let answer = send_json(&server.address, &server.token, "/v1/traces", &body);
    assert_eq!(answer.status, 200);
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(said["partialSuccess"]["rejectedSpans"], "1");
    assert!(
        said["partialSuccess"]["errorMessage"]
            .as_str()
            .unwrap()
            .contains("span_id")
    );
    assert_eq!(wait_for_events(&mut server.client(), 1).len(), 1);
    server.stop();
}

#[test]
fn an_exporter_is_told_to_come_again_when_the_disk_is_full() {
    let directory = Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_MIN_FREE_BYTES", "18000000000000000000")]);
    let body = traces_request(&json!({}), &[span(1, 2, 0, &chat("a-1"))]);
    let answer = send_json(&server.address, &server.token, "/v1/traces", &body);
    assert_eq!(answer.status, 503);
    assert!(answer.head.contains("retry-after: 30"), "{}", answer.head);
    server.stop();
}

#[test]
fn a_reader_may_not_send_and_tenants_never_meet() {
    let directory = Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_OTLP_QUIET_MS", "50")]);
    let mut client = server.client();
    let made = client
        .request("POST", "/v1/tenants", &[JSON], br#"{"name": "acme"}"#)
        .unwrap()
        .json();
    let acme = made["token"].as_str().unwrap().to_owned();
    // One trace, one call, in both tenants.
    let of_default = traces_request(
        &json!({"service.name": "one"}),
        &[span(1, 2, 0, &chat("a-1"))],
    );
    let of_acme = traces_request(
        &json!({"service.name": "two"}),
        &[span(1, 2, 0, &chat("a-1"))],
    );
    assert_eq!(
        send_json(&server.address, &server.token, "/v1/traces", &of_default).status,
        200
    );
    assert_eq!(
        send_json(&server.address, &acme, "/v1/traces", &of_acme).status,
        200
    );
    let own = wait_for_events(&mut client, 1);
    let bearer = format!("Bearer {acme}");
    let mut theirs = Vec::new();
    while theirs.is_empty() {
        let answer = client
            .request("GET", "/v1/events", &[("Authorization", &bearer)], b"")
            .unwrap()
            .json();
        theirs.clone_from(answer["events"].as_array().unwrap());
    }
    assert_eq!((own.len(), theirs.len()), (1, 1));
    assert_eq!(own[0]["context"]["service"], "one");
    assert_eq!(theirs[0]["event"]["context"]["service"], "two");
    let key = client
        .request("POST", "/v1/keys", &[JSON], br#"{"role": "reader"}"#)
        .unwrap();
    let reader = key.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(
        send_json(&server.address, &reader, "/v1/traces", &of_default).status,
        403
    );
    server.stop();
}
