//! Regimes that telemetry names: a name that no policy knows costs neither the event nor its data subject.

use serde_json::{Value, json};
use trailkeep_core::govern::settings;
use trailkeep_core::govern::settings::SettingsChange;
use trailkeep_proof::ids::TenantName;

use super::engine::Running;
use super::send::{chat, send_json, span, traces_request, wait_for_events};
use crate::support::Directory;

/// What a command printed; it must have succeeded.
fn printed(directory: &Directory, arguments: &[&str]) -> String {
    let output = directory.run(arguments);
    crate::support::succeeded(&output);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn change(running: &Running, change: &SettingsChange) {
    let tenant = running
        .engine
        .journal
        .tenant(&TenantName::new("default").unwrap());
    settings::change(&running.engine.journal, &tenant.unwrap(), change, "test").unwrap();
}

/// A call whose regimes stand on the span around it.
fn request(regimes: &Value) -> Value {
    let around = json!({"trailkeep.regimes": regimes, "user.id": "u-1"});
    traces_request(
        &json!({}),
        &[span(1, 2, 1, &chat("a-1")), span(1, 1, 0, &around)],
    )
}

fn event_of(running: &Running, regimes: &Value) -> Value {
    let received = running.traces(&request(regimes));
    assert_eq!((received.rejected, received.reason), (0, None));
    running.pass(5_000);
    running.assemble();
    let mut events = running.events();
    assert_eq!(events.len(), 1);
    events.remove(0)
}

#[test]
fn the_known_ones_apply_with_the_default_and_the_data_subject_stays() {
    for (sent, applied, unknown) in [
        (json!("hippa"), Value::Null, json!(["hippa"])),
        (
            json!("hipaa,hippa"),
            json!(["hipaa", "default-90d"]),
            json!(["hippa"]),
        ),
        (
            json!(" HIPAA , gdpr"),
            json!(["hipaa", "gdpr"]),
            Value::Null,
        ),
        (
            json!(["Hipaa", "gdpr "]),
            json!(["hipaa", "gdpr"]),
            Value::Null,
        ),
        (json!("[\"hipaa\"]"), json!(["hipaa"]), Value::Null),
        (json!("hipaa;gdpr"), json!(["hipaa", "gdpr"]), Value::Null),
        (
            json!(["hipaa", 7]),
            json!(["hipaa", "default-90d"]),
            json!(["7"]),
        ),
        (json!(true), Value::Null, json!(["true"])),
        (json!(""), Value::Null, Value::Null),
    ] {
        let running = Running::new();
        let event = event_of(&running, &sent);
        assert_eq!(event["regimes"], applied, "{sent}: {event}");
        assert_eq!(event["attributes"]["unknown_regimes"], unknown, "{sent}");
        assert_eq!(event["subjects"], json!([{"id": "u-1"}]), "{sent}");
        let flag = json!({"policy": "default-90d", "missing": "regimes"});
        let flags = event["received"]["flags"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert_eq!(
            flags.contains(&flag),
            !unknown.is_null(),
            "{sent}: {flags:?}"
        );
        assert_eq!(
            running.counter("unknown_regimes"),
            u64::from(!unknown.is_null())
        );
        running.engine.close().unwrap();
    }
}

#[test]
fn a_tenant_chooses_what_applies_in_the_place_of_an_unknown_one() {
    let running = Running::new();
    change(
        &running,
        &SettingsChange {
            default_regimes: Some(vec!["soc2".to_owned()]),
            ..SettingsChange::default()
        },
    );
    assert_eq!(
        event_of(&running, &json!("gdpr,hippa"))["regimes"],
        json!(["gdpr", "soc2"])
    );
    running.engine.close().unwrap();

    let running = Running::new();
    change(
        &running,
        &SettingsChange {
            unknown_regime: Some("hipaa".to_owned()),
            ..SettingsChange::default()
        },
    );
    let running = running.again();
    let event = event_of(&running, &json!("hippa"));
    assert_eq!(event["regimes"], json!(["hipaa"]));
    assert_eq!(event["attributes"]["unknown_regimes"], json!(["hippa"]));
    running.engine.close().unwrap();
}

#[test]
fn more_regimes_than_an_event_may_have_are_told_and_the_default_applies_with_the_first() {
    let running = Running::new();
    let all: Vec<String> = running
        .engine
        .journal
        .policies
        .regimes()
        .into_iter()
        .map(str::to_owned)
        .collect();
    assert!(all.len() > 8, "{all:?}");
    let event = event_of(&running, &json!(all));
    let applied = event["regimes"].as_array().unwrap();
    assert!(
        (7..=8).contains(&applied.len()) && applied.contains(&"default-90d".into()),
        "{applied:?}"
    );
    let unknown = event["attributes"]["unknown_regimes"].as_array().unwrap();
    assert!(unknown.len() + 8 >= all.len(), "{unknown:?}");
    running.engine.close().unwrap();
}

#[test]
fn such_events_are_counted_and_found_and_the_setting_is_a_command() {
    let directory = Directory::new();
    let refused = directory.run(&["tenant", "set", "default", "--unknown-regime", "hippa"]);
    assert!(!refused.status.success());
    printed(
        &directory,
        &["tenant", "set", "default", "--unknown-regime", "hipaa"],
    );
    let listed = printed(&directory, &["tenant", "list", "--json"]);
    assert!(
        listed.contains("\"unknown_regime\":\"hipaa\"")
            || listed.contains("\"unknown_regime\": \"hipaa\""),
        "{listed}"
    );
    printed(
        &directory,
        &["tenant", "set", "default", "--unknown-regime", "none"],
    );
    let server = directory.serve_with(&[("TRAILKEEP_OTLP_QUIET_MS", "50")]);
    send_json(
        &server.address,
        &server.token,
        "/v1/traces",
        &request(&json!("hippa")),
    );
    wait_for_events(&mut server.client(), 1);
    let metrics = server.client().get("/metrics").unwrap().text();
    assert!(
        metrics.contains("policy_gap_events{policy=\"default-90d\",what=\"missing regimes\"} 1"),
        "{metrics}"
    );
    let gaps = printed(&directory, &["policy", "gaps"]);
    assert!(gaps.contains("missing regimes"), "{gaps}");
    let found = printed(
        &directory,
        &[
            "query",
            "--target",
            "missing regimes",
            "--target-type",
            "flag",
            "--json",
        ],
    );
    assert!(found.contains("hippa"), "{found}");
    let doctor = directory.run(&["doctor"]);
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("regime"), "{said}");
    server.stop();
}

#[test]
fn a_tenant_closes_with_telemetry_of_a_class_that_it_does_not_have_yet() {
    let running = Running::new();
    let received = running.traces(&request(&json!("hipaa")));
    assert_eq!((received.rejected, received.reason), (0, None));
    let tenant = running
        .engine
        .journal
        .tenant(&TenantName::new("default").unwrap())
        .unwrap();
    let inbox = std::sync::Arc::clone(&running.engine.inbox);
    let (closed, is_closed) = std::sync::mpsc::channel();
    // In a thread of its own: it must come to an end, and not wait for a lock that it has.
    std::thread::spawn(move || closed.send(settings::close(&inbox, &tenant, "test").is_ok()));
    let outcome = is_closed.recv_timeout(std::time::Duration::from_secs(60));
    assert_eq!(outcome, Ok(true));
    assert_eq!(running.events().len(), 1);
}
