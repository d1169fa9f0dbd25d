//! What waits, for how long, and what comes of it.

use serde_json::{Value, json};
use trailkeep_core::ingest::StagingSettings;
use trailkeep_otlp::classify::Keep;
use trailkeep_otlp::decode::{Encoding, Signal};

use super::engine::Running;
use super::send::{chat, logs_request, scenario, span, traces_of, traces_request};

fn shop() -> Value {
    json!({"service.name": "shop", "service.version": "3.1"})
}

fn traces(spans: &[Value]) -> Value {
    traces_request(&shop(), spans)
}

fn user_span(trace: u32, id: u32, user: &str) -> Value {
    span(
        trace,
        id,
        0,
        &json!({"user.id": user, "session.id": "s-1", "http.request.method": "POST"}),
    )
}

/// Its log record with what was asked and answered.
fn details(trace: u32, id: u32) -> Value {
    let mut content = chat("a-1");
    content["gen_ai.usage.input_tokens"] = 7.into();
    let mut record = span(trace, id, 0, &content);
    record["eventName"] = "gen_ai.client.inference.operation.details".into();
    record["observedTimeUnixNano"] = "1795593000000000000".into();
    record
}

/// A call whose content comes elsewhere.
fn bare_chat(trace: u32, id: u32, parent: u32) -> Value {
    let mut attributes = chat("a-1");
    attributes
        .as_object_mut()
        .unwrap()
        .retain(|name, _| !name.ends_with(".messages"));
    span(trace, id, parent, &attributes)
}

#[test]
fn a_trace_is_an_event_five_seconds_after_its_root_and_not_before() {
    let running = Running::new();
    running.traces(&traces(&[span(1, 2, 1, &chat("a-1"))]));
    running.pass(60_000);
    running.assemble();
    assert_eq!(running.events().len(), 0, "its root has not come");
    running.traces(&traces(&[user_span(1, 1, "u-1")]));
    running.pass(4_999);
    running.assemble();
    assert_eq!(running.events().len(), 0);
    running.pass(1);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 1);
    let event = &events[0];
    assert_eq!(
        event["id"],
        "otlp:00000000000000000000000000000001:0000000000000002"
    );
    assert_eq!(event["actor"], json!({"id": "u-1", "type": "end_user"}));
    assert_eq!(event["subjects"], json!([{"id": "u-1"}]));
    assert_eq!(event["context"]["session"], "s-1");
    assert_eq!(event["context"]["service_version"], "3.1");
    assert_eq!(event["received"]["via"], "otlp");
    assert_eq!(running.counter("events"), 1);
    assert_eq!(running.counter("spans_dropped"), 1);
    running.engine.close().unwrap();
}

#[test]
fn a_trace_without_its_root_waits_ten_minutes() {
    let running = Running::new();
    running.traces(&traces(&[span(1, 2, 1, &chat("a-1"))]));
    running.pass(599_999);
    running.assemble();
    assert_eq!(running.events().len(), 0);
    running.pass(1);
    running.assemble();
    assert_eq!(running.events().len(), 1);
    running.engine.close().unwrap();
}

#[test]
fn a_span_with_a_remote_parent_is_a_local_root() {
    let running = Running::new();
    let mut root = span(1, 2, 99, &chat("a-1"));
    root["flags"] = 0x300.into();
    running.traces(&traces(&[root]));
    running.pass(5_000);
    running.assemble();
    assert_eq!(running.events().len(), 1);
    running.engine.close().unwrap();
}

#[test]
fn a_repeated_request_makes_no_second_event_while_it_waits_and_after() {
    let running = Running::new();
    let call = traces(&[bare_chat(1, 2, 1), user_span(1, 1, "u-1")]);
    let content = logs_request(&[details(1, 2)]);
    for _ in 0..2 {
        running.traces(&call);
        running.logs(&content);
    }
    assert_eq!(running.counter("repeated"), 3);
    running.pass(5_000);
    running.assemble();
    let first = running.events();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0]["llm"]["usage"]["input_tokens"], 7);
    // Each of them again, together and alone, in this process and in the next.
    let mut running = running;
    for _ in 0..2 {
        running.traces(&call);
        running.logs(&content);
        running.pass(600_000);
        running.assemble();
        running.logs(&content);
        running.pass(600_000);
        running.assemble();
        running.traces(&call);
        running.pass(600_000);
        running.assemble();
        assert_eq!(running.events(), first);
        running = running.again();
    }
    running.engine.close().unwrap();
}

#[test]
fn the_order_of_requests_changes_nothing() {
    let call = traces(&[bare_chat(1, 2, 1)]);
    let root = traces(&[user_span(1, 1, "u-1")]);
    let content = logs_request(&[details(1, 2)]);
    let orders: [&[u8]; 6] = [b"crl", b"clr", b"rcl", b"rlc", b"lcr", b"lrc"];
    let mut outcomes = Vec::new();
    for order in orders {
        let running = Running::new();
        for which in order {
            match which {
                b'c' => running.traces(&call),
                b'r' => running.traces(&root),
                _ => running.logs(&content),
            };
            running.pass(100);
        }
        running.pass(5_000);
        running.assemble();
        let events = running.events();
        assert_eq!(events.len(), 1);
        assert_eq!(
            events[0]["input"]["messages"][0]["parts"][0]["content"],
            "secret question"
        );
        outcomes.push(events);
        running.engine.close().unwrap();
    }
    assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn content_that_comes_late_is_an_event_of_its_own() {
    let running = Running::new();
    running.traces(&traces(&[bare_chat(1, 2, 1), user_span(1, 1, "u-1")]));
    running.pass(5_000);
    running.assemble();
    assert_eq!(running.counter("calls_without_content"), 1);
    running.logs(&logs_request(&[details(1, 2)]));
    running.pass(600_000);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 2);
    let (first, late) = (&events[0], &events[1]);
    assert_eq!(late["action"], "gen_ai.late");
    assert_eq!(
        late["targets"],
        json!([{"type": "event", "id": first["id"]}])
    );
    assert_eq!(
        late["subjects"],
        json!([{"id": "u-1"}]),
        "the person of the first is the person of this"
    );
    assert_eq!(
        late["output"]["messages"][0]["parts"][0]["content"],
        "secret answer"
    );
    assert_eq!(late["llm"], json!({"usage": {"input_tokens": 7}}));
    assert_eq!(running.counter("late_events"), 1);
    running.engine.close().unwrap();
}

#[test]
fn a_user_who_comes_late_is_an_event_that_names_the_calls() {
    let running = Running::new();
    running.traces(&traces(&[
        span(1, 2, 1, &chat("a-1")),
        span(1, 3, 1, &chat("a-2")),
    ]));
    running.pass(600_000);
    running.assemble();
    let first = running.events();
    assert_eq!(first.len(), 2);
    assert_eq!(first[0]["subjects"], Value::Null);
    running.traces(&traces(&[user_span(1, 1, "u-1")]));
    running.pass(5_000);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 4);
    for (late, first) in events[2..].iter().zip(&first) {
        assert_eq!(late["action"], "gen_ai.late");
        assert_eq!(late["targets"][0]["id"], first["id"]);
        assert_eq!(late["subjects"], json!([{"id": "u-1"}]));
        assert_eq!(late["actor"]["id"], "u-1");
    }
    // The root once more says nothing new.
    running.traces(&traces(&[user_span(1, 1, "u-1")]));
    running.pass(1_200_000);
    running.assemble();
    assert_eq!(running.events().len(), 4);
    running.engine.close().unwrap();
}

#[test]
fn a_call_that_comes_after_its_root_still_knows_the_user() {
    let running = Running::new();
    running.traces(&traces(&[user_span(1, 1, "u-1")]));
    running.pass(5_000);
    running.assemble();
    running.traces(&traces(&[span(1, 2, 1, &chat("a-1"))]));
    running.pass(5_000);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["subjects"], json!([{"id": "u-1"}]));
    running.engine.close().unwrap();
}

#[test]
fn two_reports_of_a_call_are_one_event_where_they_wait_together() {
    let Some(both) = scenario("openllmetry-anthropic-plain").into_iter().next() else {
        return;
    };
    let running = Running::new();
    running.receive(Signal::Traces, Encoding::Protobuf, &both.body);
    running.pass(5_000);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 1);
    assert!(
        events[0].get("input").is_some(),
        "the report with the content comes first"
    );
    let also = events[0]["attributes"]["also_reported_by"]
        .as_array()
        .unwrap();
    assert_eq!(also[0]["otel"]["scope"]["name"], "com.anthropic.sdk.python");
    assert_eq!(running.counter("reports_merged"), 1);
    // A repetition of the report that was taken up makes no event either.
    running.receive(Signal::Traces, Encoding::Protobuf, &both.body);
    running.pass(600_000);
    running.assemble();
    assert_eq!(running.events().len(), 1);
    running.engine.close().unwrap();
}

#[test]
fn a_report_whose_trace_is_not_done_joins_the_other() {
    let running = Running::new();
    // The second report's root has not come, but it waits.
    let mut other = chat("a-1");
    other
        .as_object_mut()
        .unwrap()
        .retain(|name, _| !name.ends_with(".messages"));
    other["gen_ai.usage.output_tokens"] = 9.into();
    running.traces(&traces_of("other", &shop(), &[span(2, 5, 4, &other)]));
    running.traces(&traces(&[span(1, 2, 0, &chat("a-1"))]));
    running.pass(5_000);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["llm"]["usage"], json!({"output_tokens": 9}));
    running.pass(600_000);
    running.assemble();
    assert_eq!(running.events().len(), 1);
    running.engine.close().unwrap();
}

#[test]
fn a_second_report_that_comes_later_says_of_which_event_it_is_a_duplicate() {
    let running = Running::new();
    running.traces(&traces(&[span(1, 2, 0, &chat("a-1"))]));
    running.pass(5_000);
    running.assemble();
    running.traces(&traces_of("other", &shop(), &[span(2, 5, 0, &chat("a-1"))]));
    running.pass(5_000);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1]["attributes"]["duplicate_of"], events[0]["id"]);
    let target = json!({"type": "event", "id": events[0]["id"]});
    assert!(events[1]["targets"].as_array().unwrap().contains(&target));
    assert_eq!(running.counter("duplicate_events"), 1);
    running.engine.close().unwrap();
}

#[test]
fn a_server_that_gives_one_id_to_all_its_answers_joins_no_calls() {
    let running = Running::new();
    // At one time by one library; at another time by another library; of another model.
    let mut later = span(3, 2, 0, &chat("a-1"));
    later["startTimeUnixNano"] = "1795593100000000000".into();
    later["endTimeUnixNano"] = "1795593101000000000".into();
    let mut of_another = chat("a-1");
    of_another["gen_ai.request.model"] = "m-2".into();
    let calls = [
        traces(&[span(1, 2, 0, &chat("a-1")), span(2, 3, 0, &chat("a-1"))]),
        traces_of("other", &shop(), &[later]),
        traces_of("third", &shop(), &[span(4, 2, 0, &of_another)]),
    ];
    // Together, and each after the other is recorded.
    for call in &calls {
        running.traces(call);
    }
    running.pass(5_000);
    running.assemble();
    assert_eq!(running.events().len(), 4);
    let apart = Running::new();
    for call in &calls {
        apart.traces(call);
        apart.pass(5_000);
        apart.assemble();
    }
    assert_eq!(apart.events().len(), 4);
    for running in [&running, &apart] {
        assert_eq!(
            running.counter("reports_merged") + running.counter("duplicate_events"),
            0
        );
        running.engine.close().unwrap();
    }
}

#[test]
fn two_calls_inside_of_a_call_stay_two() {
    let running = Running::new();
    let outer = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1"});
    running.traces(&traces(&[
        span(1, 1, 0, &outer),
        span(1, 2, 1, &chat("a-1")),
        span(1, 3, 1, &chat("a-2")),
    ]));
    running.pass(5_000);
    running.assemble();
    let answers: Vec<Value> = running
        .events()
        .iter()
        .map(|event| event["llm"]["response_id"].clone())
        .collect();
    assert_eq!(answers, ["a-1", "a-2"]);
    running.engine.close().unwrap();
}

#[test]
fn what_waits_is_assembled_at_once_before_an_erasure_and_nothing_stays_behind() {
    let running = Running::new();
    running.traces(&traces(&[bare_chat(1, 2, 1), user_span(3, 1, "u-1")]));
    running.logs(&logs_request(&[details(1, 2)]));
    running.assemble_all();
    assert_eq!(running.events().len(), 1);
    assert_eq!(running.engine.inbox.waiting(), 0);
    let keys = running
        .engine
        .journal
        .keyring
        .vault()
        .records("staging-key", running.ledger.record.number)
        .unwrap();
    assert_eq!(keys.len(), 0, "the keys went with what they sealed");
    running.engine.close().unwrap();
}

#[test]
fn what_waits_is_sealed_under_the_key_of_its_day_which_goes_when_nothing_waits_under_it() {
    let running = Running::new();
    running.traces(&traces(&[span(1, 2, 1, &chat("answer-17"))]));
    let keys = || {
        running
            .engine
            .journal
            .keyring
            .vault()
            .records("staging-key", running.ledger.record.number)
            .unwrap()
    };
    assert_eq!(keys().len(), 1);
    for name in ["staging.db", "staging.db-wal"] {
        let bytes = std::fs::read(running.directory.path.join(name)).unwrap();
        for text in ["secret question", "answer-17", "gen_ai", "shop"] {
            assert!(
                !bytes
                    .windows(text.len())
                    .any(|part| part == text.as_bytes()),
                "{name} shows {text}"
            );
        }
    }
    running.pass(24 * 3_600_000);
    running.traces(&traces(&[span(2, 2, 1, &chat("a-2"))]));
    assert_eq!(keys().len(), 2);
    running.assemble();
    running.pass(60_000);
    running.assemble();
    assert_eq!(running.events().len(), 1);
    assert_eq!(
        keys().len(),
        1,
        "yesterday's key is gone, today's is needed"
    );
    running.engine.close().unwrap();
}

#[test]
fn the_application_chooses_regimes_and_subjects() {
    let running = Running::new();
    let resource = json!({"service.name": "ward", "trailkeep.regimes": "hipaa"});
    let mut attributes = chat("a-1");
    attributes["user.id"] = "doctor".into();
    attributes["trailkeep.subject"] = json!(["patient-1", "patient-2"]);
    attributes["trailkeep.subject.namespace"] = "clinic".into();
    running.traces(&traces_request(&resource, &[span(1, 2, 0, &attributes)]));
    let mut unknown = chat("a-2");
    unknown["trailkeep.regimes"] = json!(["hipaa", "no-such-regime"]);
    let received = running.traces(&traces_request(&resource, &[span(2, 2, 0, &unknown)]));
    assert_eq!((received.rejected, received.reason), (0, None));
    running.pass(5_000);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1]["regimes"], json!(["hipaa", "default-90d"]));
    assert_eq!(events[0]["regimes"], json!(["hipaa"]));
    assert_eq!(events[0]["actor"]["id"], "doctor");
    let subjects = json!([{"id": "patient-1", "namespace": "clinic"}, {"id": "patient-2", "namespace": "clinic"}]);
    assert_eq!(events[0]["subjects"], subjects);
    running.engine.close().unwrap();
}

#[test]
fn agents_and_all_spans_are_kept_where_it_is_set() {
    let spans = [
        span(1, 1, 0, &json!({"http.request.method": "POST"})),
        span(
            1,
            2,
            1,
            &json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"}),
        ),
        span(1, 3, 2, &chat("a-1")),
    ];
    for (keep, expected) in [
        (Keep::Calls, vec!["gen_ai.chat"]),
        (Keep::Agents, vec!["gen_ai.invoke_agent", "gen_ai.chat"]),
        (
            Keep::All,
            vec!["otel.span", "gen_ai.invoke_agent", "gen_ai.chat"],
        ),
    ] {
        let running = Running::with(StagingSettings {
            keep,
            ..StagingSettings::default()
        });
        running.traces(&traces(&spans));
        running.pass(5_000);
        running.assemble();
        let actions: Vec<Value> = running
            .events()
            .iter()
            .map(|event| event["action"].clone())
            .collect();
        assert_eq!(actions, expected);
        assert_eq!(running.counter("spans_dropped"), 3 - expected.len() as u64);
        running.engine.close().unwrap();
    }
}

#[test]
fn log_records_that_are_no_gen_ai_events_are_counted_and_those_that_join_nothing_refused() {
    let running = Running::new();
    let plain = json!({"body": {"stringValue": "started"}, "timeUnixNano": "1"});
    let mut lost = details(1, 2);
    lost.as_object_mut().unwrap().remove("traceId");
    let received = running.logs(&logs_request(&[plain, lost]));
    assert_eq!(received.rejected, 1);
    assert_eq!(running.counter("log_records_dropped"), 1);
    assert_eq!(running.counter("log_records_received"), 2);
    // A record whose span never comes is an event all the same.
    running.logs(&logs_request(&[details(1, 2)]));
    running.pass(600_000);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["action"], "gen_ai.chat");
    // Its span, later, adds what only it knows.
    running.traces(&traces(&[bare_chat(1, 2, 0)]));
    running.pass(600_000);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 2);
    assert!(events[1]["llm"]["latency_ms"].is_number());
    running.engine.close().unwrap();
}

#[test]
fn an_event_larger_than_events_may_be_goes_on_in_others() {
    let running = Running::new();
    let mut attributes = chat("a-1");
    let text = |letter: &str| {
        format!(
            "[{{\"role\":\"user\",\"parts\":[{{\"type\":\"text\",\"content\":\"{}\"}}]}}]",
            letter.repeat(700_000)
        )
    };
    attributes["gen_ai.input.messages"] = text("q").into();
    attributes["gen_ai.output.messages"] = text("a").into();
    running.traces(&traces(&[span(1, 2, 0, &attributes)]));
    running.pass(5_000);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 2);
    assert_eq!(
        events[0]["input"]["messages"][0]["parts"][0]["content"]
            .as_str()
            .unwrap()
            .len(),
        700_000
    );
    assert_eq!(
        events[1]["output"]["messages"][0]["parts"][0]["content"]
            .as_str()
            .unwrap()
            .len(),
        700_000
    );
    assert_eq!(events[1]["targets"][0]["id"], events[0]["id"]);
    running.engine.close().unwrap();
}

/// A call whose answer asks for a tool with a card's number, under PCI DSS, which forbids it.
fn chat_with_a_card(trace: u32) -> Value {
    let mut attributes = chat("a-1");
    attributes["trailkeep.regimes"] = json!(["pci-dss"]);
    attributes["user.id"] = "u-1".into();
    attributes["gen_ai.output.messages"] = json!([{"role": "assistant", "parts": [
        {"type": "tool_call", "id": "t-1", "name": "pay", "arguments": {"pan": "4111111111111111"}},
    ]}])
    .to_string()
    .into();
    span(trace, 2, 0, &attributes)
}

#[test]
fn what_a_policy_forbids_is_left_out_and_the_rest_of_an_acknowledged_call_is_recorded() {
    let running = Running::new();
    let received = running.traces(&traces(&[chat_with_a_card(1), span(2, 2, 0, &chat("a-2"))]));
    assert_eq!(received.rejected, 0);
    running.pass(5_000);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 2, "the others are not held back");
    let refused = events
        .iter()
        .find(|event| event["regimes"] == json!(["pci-dss"]))
        .unwrap();
    let text = refused.to_string();
    assert!(!text.contains("4111111111111111"), "{text}");
    assert!(refused.get("output").is_none() && refused.get("input").is_some());
    assert_eq!(refused["llm"]["request_model"], "m-1");
    assert_eq!(refused["subjects"], json!([{"id": "u-1"}]));
    let said = &refused["attributes"]["refused_by_policy"];
    assert_eq!(said[0]["policy"], "pci-dss", "{said}");
    let places = said.as_array().unwrap().iter();
    let places = places.map(|place| place["pointer"].as_str().unwrap().split('/').nth(1));
    assert_eq!(
        places.collect::<Vec<_>>(),
        [Some("downstream"), Some("output")],
        "{said}"
    );
    assert_eq!(running.counter("reduced"), 1);

    // The same again makes nothing of it, not even after a restart.
    let running = running.again();
    running.traces(&traces(&[chat_with_a_card(1)]));
    running.pass(5_000);
    running.assemble();
    assert_eq!(
        running
            .events()
            .iter()
            .filter(|event| event["action"] == "gen_ai.chat")
            .count(),
        2
    );
    running.engine.close().unwrap();
}

#[test]
fn a_strict_tenant_gets_what_its_telemetry_lacks_as_a_flag() {
    let running = Running::strict();
    let mut attributes = chat("a-1");
    attributes["trailkeep.regimes"] = json!(["hipaa"]);
    let received = running.traces(&traces(&[span(1, 2, 0, &attributes)]));
    assert_eq!(received.rejected, 0);
    running.pass(5_000);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 1);
    assert!(events[0].get("output").is_some(), "{}", events[0]);
    let flags = events[0]["received"]["flags"].as_array().unwrap();
    assert!(
        flags.iter().any(|flag| flag["policy"] == "hipaa"),
        "{flags:?}"
    );
    running.engine.close().unwrap();
}

#[test]
fn a_call_inherits_the_prompt_of_its_request() {
    let running = Running::new();
    let mut around = user_span(1, 1, "u-1");
    for (key, value) in [
        ("gen_ai.prompt.name", "refunds"),
        ("gen_ai.prompt.version", "7"),
    ] {
        let attribute = json!({"key": key, "value": {"stringValue": value}});
        around["attributes"].as_array_mut().unwrap().push(attribute);
    }
    running.traces(&traces(&[bare_chat(1, 2, 1)]));
    running.traces(&traces(&[around]));
    running.pass(5_000);
    running.assemble();
    let prompt = json!({"name": "refunds", "version": "7"});
    assert_eq!(running.events()[0]["llm"]["prompt"], prompt);
    running.engine.close().unwrap();
}

#[test]
fn calls_about_nobody_are_counted() {
    let running = Running::new();
    running.traces(&traces(&[bare_chat(1, 2, 1), user_span(1, 1, "u-1")]));
    running.traces(&traces(&[bare_chat(2, 2, 0)]));
    running.pass(5_000);
    running.assemble();
    assert_eq!(running.events().len(), 2);
    assert_eq!(running.counter("calls_without_subject"), 1);
    running.engine.close().unwrap();
}
