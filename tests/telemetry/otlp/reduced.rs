//! What was acknowledged and can't be recorded as it is: it is recorded in another form, and says so.

use serde_json::{Value, json};
use trailkeep_core::failpoint::FailPoint;

use super::durable::{AT_ONCE, wait_for_the_end};
use super::engine::Running;
use super::send::{chat, events, send_json, span, traces_request, wait_for_events};
use crate::support::Directory;

fn traces(spans: &[Value]) -> Value {
    traces_request(&json!({"service.name": "shop"}), spans)
}

/// A call under some regimes, with an answer.
fn call(trace: u32, regimes: &[&str], output: &Value) -> Value {
    let mut attributes = chat("a-1");
    if !regimes.is_empty() {
        attributes["trailkeep.regimes"] = json!(regimes);
    }
    attributes["user.id"] = "u-1".into();
    let parts = json!([{"type": "tool_call", "id": "t-1", "name": "pay", "arguments": output}]);
    let messages = json!([{"role": "assistant", "parts": parts}]);
    attributes["gen_ai.output.messages"] = messages.to_string().into();
    span(trace, 2, 0, &attributes)
}

/// A policy of the data directory's own whose maximum counts from the occurrence.
const FROM_OCCURRENCE: &str = "from-occurrence";

fn write_policy(directory: &Directory) -> std::path::PathBuf {
    let text = trailkeep_policy::DEFAULT_90D
        .replace("default-90d", FROM_OCCURRENCE)
        .replace("max_clock = \"received\"", "");
    let folder = directory.path.join("policies");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("from-occurrence.toml");
    std::fs::write(&path, text).unwrap();
    path
}

fn only_event(running: &Running) -> Value {
    let mut events = running.events();
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

#[test]
fn telemetry_past_its_maximum_is_recorded_as_a_call_without_content_and_counted() {
    let running = Running::new();
    write_policy(&running.directory);
    let running = running.again();
    let mut old = call(7, &[FROM_OCCURRENCE], &json!({"amount": 1}));
    old["startTimeUnixNano"] = "1600000000000000000".into();
    old["endTimeUnixNano"] = "1600000001000000000".into();
    assert_eq!(running.traces(&traces(&[old])).rejected, 0);
    running.pass(5_000);
    running.assemble();
    let event = only_event(&running);
    let names: Vec<&str> = event
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let kept = [
        "action",
        "actor",
        "attributes",
        "context",
        "id",
        "received",
        "regimes",
        "subjects",
    ];
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, kept);
    assert_eq!(event["context"]["trace_id"], format!("{:032x}", 7));
    assert!(event["context"].get("service").is_none(), "{event}");
    let said = &event["attributes"]["refused_by_policy"][0];
    assert_eq!(said["policy"], FROM_OCCURRENCE);
    let detail = said["detail"].as_str().unwrap();
    assert!(detail.starts_with("already_past_maximum"), "{detail}");
    assert_eq!(running.counter("reduced"), 1);
    running.engine.close().unwrap();
}

#[test]
fn what_is_nested_deeper_than_events_may_be_is_left_out_and_named() {
    for depth in [70, 120] {
        let running = Running::new();
        let mut deep = json!(1);
        for _ in 0..depth {
            deep = json!([deep]);
        }
        let received = running.traces(&traces(&[call(1, &[], &deep)]));
        assert_eq!(received.rejected, 0);
        running.pass(5_000);
        running.assemble();
        let event = only_event(&running);
        assert_eq!(event["action"], "gen_ai.chat", "{depth}");
        assert_eq!(event["subjects"], json!([{"id": "u-1"}]));
        assert!(event.get("input").is_some());
        running.engine.close().unwrap();
    }
}

#[test]
fn a_regime_that_is_gone_with_the_tenants_default_leaves_the_default_class() {
    let running = Running::new();
    let policy = write_policy(&running.directory);
    running.engine.close().unwrap();
    let Running {
        directory,
        engine,
        clock,
        tenant,
        ledger,
    } = running;
    drop((engine, tenant, ledger));
    let set = [
        "tenant",
        "set",
        "default",
        "--default-regime",
        FROM_OCCURRENCE,
    ];
    crate::support::succeeded(&directory.run(&set));
    let settings = trailkeep_core::ingest::StagingSettings::default();
    let running = Running::over(directory, clock, settings);
    let received = running.traces(&traces(&[call(
        1,
        &[FROM_OCCURRENCE],
        &json!({"amount": 1}),
    )]));
    assert_eq!(received.rejected, 0);
    std::fs::remove_file(policy).unwrap();
    let running = running.again();
    running.pass(600_000);
    running.assemble();
    let event = only_event(&running);
    assert_eq!(
        event["attributes"]["unknown_regimes"],
        json!([FROM_OCCURRENCE])
    );
    assert!(event.get("output").is_some() && event.get("regimes").is_none());
    running.engine.close().unwrap();
}

/// The server that holds the call is killed once it is recorded, and the next one finds it in staging.db again: gives all calls.
fn recorded_over_a_crash(
    directory: &Directory,
    call: &Value,
    meanwhile: impl FnOnce(),
) -> Vec<Value> {
    let server = directory.serve();
    let answer = send_json(
        &server.address,
        &server.token,
        "/v1/traces",
        &traces(std::slice::from_ref(call)),
    );
    assert_eq!(answer.status, 200);
    server.kill();
    meanwhile();
    let kill = format!("{}=kill", FailPoint::AfterAppended.name());
    let mut server = directory.serve_with(&[("TRAILKEEP_FAILPOINT", &kill), AT_ONCE]);
    wait_for_the_end(&mut server, FailPoint::AfterAppended);
    server.kill();
    let server = directory.serve_with(&[AT_ONCE]);
    // Another call comes behind it: when that is there, the first one was looked at again.
    let other = traces(&[span(2, 2, 0, &chat("a-2"))]);
    send_json(&server.address, &server.token, "/v1/traces", &other);
    wait_for_events(&mut server.client(), 2);
    let found = events(&mut server.client());
    server.stop();
    directory.assert_clean();
    found
}

#[test]
fn a_crash_after_a_reduced_event_is_recorded_does_not_double_it() {
    let card = call(1, &["pci-dss"], &json!({"pan": "4111111111111111"}));
    let found = recorded_over_a_crash(&Directory::new(), &card, || ());
    assert_eq!(found.len(), 2, "{found:?}");
    let refused = |event: &&Value| event["attributes"].get("refused_by_policy").is_some();
    assert_eq!(found.iter().filter(refused).count(), 1, "{found:?}");

    let directory = Directory::new();
    let policy = write_policy(&directory);
    let kept = call(1, &[FROM_OCCURRENCE], &json!({"amount": 1}));
    let found = recorded_over_a_crash(&directory, &kept, || std::fs::remove_file(policy).unwrap());
    assert_eq!(found.len(), 2, "{found:?}");
    let without = |event: &&Value| event["attributes"].get("unknown_regimes").is_some();
    assert_eq!(found.iter().filter(without).count(), 1, "{found:?}");
}
