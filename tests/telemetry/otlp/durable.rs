//! The process ends at any point between the request and the ledger: nothing acknowledged is lost, nothing doubled.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use trailkeep_core::failpoint::FailPoint;

use super::send::{chat, events, send_json, span, traces_request, wait_for_events};
use crate::support::{Directory, Server};

fn call() -> Value {
    let resource = json!({"service.name": "shop"});
    traces_request(
        &resource,
        &[
            span(1, 2, 1, &chat("a-1")),
            span(1, 1, 0, &json!({"user.id": "u-1"})),
        ],
    )
}

pub const AT_ONCE: (&str, &str) = ("TRAILKEEP_OTLP_QUIET_MS", "100");

/// Until the server was killed at a point.
pub fn wait_for_the_end(server: &mut Server, point: FailPoint) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !server.has_ended() {
        assert!(std::time::Instant::now() < end, "{point:?} was not reached");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_crash_anywhere_loses_nothing_and_doubles_nothing() {
    for point in FailPoint::OF_TELEMETRY {
        let directory = Directory::new();
        let kill = format!("{}=kill", point.name());
        let mut server = directory.serve_with(&[("TRAILKEEP_FAILPOINT", &kill), AT_ONCE]);
        let answer = send_json(&server.address, &server.token, "/v1/traces", &call());
        let is_acknowledged = answer.status == 200;
        wait_for_the_end(&mut server, point);
        server.kill();
        let is_before = matches!(point, FailPoint::BeforeStaging | FailPoint::AfterStaging);
        assert_eq!(is_acknowledged, !is_before, "{point:?}");
        let server = directory.serve_with(&[AT_ONCE]);
        if !is_acknowledged {
            // An exporter sends again what was not acknowledged.
            let answer = send_json(&server.address, &server.token, "/v1/traces", &call());
            assert_eq!(answer.status, 200);
        }
        let found = wait_for_events(&mut server.client(), 1);
        assert_eq!(found.len(), 1, "{point:?}");
        assert_eq!(found[0]["subjects"], json!([{"id": "u-1"}]), "{point:?}");
        // Sent again after all, it is still one.
        send_json(&server.address, &server.token, "/v1/traces", &call());
        std::thread::sleep(std::time::Duration::from_millis(400));
        assert_eq!(events(&mut server.client()).len(), 1, "{point:?}");
        server.stop();
        directory.assert_clean();
    }
}

/// Calls that know the identifiers of their answers, each in a trace of its own.
fn calls(count: u32) -> Value {
    let resource = json!({"service.name": "shop"});
    let spans: Vec<Value> = (1..=count)
        .map(|trace| {
            let mut attributes = chat(&format!("a-{trace}"));
            attributes["user.id"] = format!("u-{trace}").into();
            span(trace, 1, 0, &attributes)
        })
        .collect();
    traces_request(&resource, &spans)
}

#[test]
fn a_crash_while_one_round_is_appended_and_the_next_put_together_loses_and_doubles_nothing() {
    const CALLS: u32 = 30;
    let small_rounds = ("TRAILKEEP_TEST_ROUND_TRACES", "4");
    for (point, times) in [
        (FailPoint::BeforeAssembled, 3),
        (FailPoint::AfterAssembled, 3),
        (FailPoint::AfterAppended, 2),
        // The last round of a turn.
        (FailPoint::AfterAppended, 4),
    ] {
        let directory = Directory::new();
        let kill = format!("{}=kill@{times}", point.name());
        let mut server =
            directory.serve_with(&[("TRAILKEEP_FAILPOINT", &kill), AT_ONCE, small_rounds]);
        let answer = send_json(&server.address, &server.token, "/v1/traces", &calls(CALLS));
        assert_eq!(answer.status, 200);
        wait_for_the_end(&mut server, point);
        server.kill();
        let server = directory.serve_with(&[AT_ONCE, small_rounds]);
        let is_once = |found: Vec<Value>| {
            let ids: BTreeSet<&str> = found
                .iter()
                .filter_map(|event| event["id"].as_str())
                .collect();
            assert_eq!(
                (found.len(), ids.len()),
                (CALLS as usize, CALLS as usize),
                "{point:?}"
            );
        };
        is_once(wait_for_events(&mut server.client(), CALLS as usize));
        send_json(&server.address, &server.token, "/v1/traces", &calls(CALLS));
        std::thread::sleep(std::time::Duration::from_millis(600));
        is_once(events(&mut server.client()));
        server.stop();
        directory.assert_clean();
    }
}

#[test]
fn a_crash_between_the_parts_of_a_call_loses_neither() {
    let directory = Directory::new();
    let server = directory.serve();
    let resource = json!({"service.name": "shop"});
    let send = |server: &Server, spans: &[Value]| {
        let answer = send_json(
            &server.address,
            &server.token,
            "/v1/traces",
            &traces_request(&resource, spans),
        );
        assert_eq!(answer.status, 200);
    };
    send(&server, &[span(1, 2, 1, &chat("a-1"))]);
    server.kill();
    let server = directory.serve();
    send(&server, &[span(1, 1, 0, &json!({"user.id": "u-1"}))]);
    server.kill();
    let server = directory.serve_with(&[AT_ONCE]);
    let found = wait_for_events(&mut server.client(), 1);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["subjects"], json!([{"id": "u-1"}]));
    server.stop();
    directory.assert_clean();
}
