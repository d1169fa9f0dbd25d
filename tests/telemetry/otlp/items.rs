//! One item that can't be read, or only in part, never costs the others of its request.

use prost::Message;
use serde_json::{Value, json};
use trailkeep_otlp::decode::{Encoding, Signal};

use super::engine::Running;
use super::send::{chat, logs_request, send, send_json, span, traces_request, wait_for_events};
use crate::support::Directory;

/// A field of a protobuf message whose value is bytes.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = value.len();
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(value);
    out
}

fn text_attribute(name: &[u8], value: &[u8]) -> Vec<u8> {
    field(9, &[field(1, name), field(2, &field(1, value))].concat())
}

/// A call of its own trace in protobuf, with attributes as bytes.
pub fn raw_span(number: u8, attributes: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut trace = [0; 16];
    trace[15] = number;
    let mut out = [
        field(1, &trace),
        field(2, &[number; 8]),
        vec![0x39],
        1_795_593_000_000_000_000_u64.to_le_bytes().to_vec(),
    ]
    .concat();
    for (name, value) in [
        (&b"gen_ai.operation.name"[..], &b"chat"[..]),
        (b"gen_ai.request.model", b"m-1"),
    ]
    .iter()
    .chain(attributes)
    {
        out.extend(text_attribute(name, value));
    }
    out
}

pub fn raw_request(spans: &[Vec<u8>]) -> Vec<u8> {
    let spans: Vec<u8> = spans.iter().flat_map(|span| field(2, span)).collect();
    field(1, &field(2, &spans))
}

fn altered(event: &Value) -> Vec<(String, String)> {
    let listed = event["attributes"]["altered"].as_array();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let listed = listed.into_iter().flatten();
    listed
        .map(|one| (text(&one["field"]), text(&one["reason"])))
        .collect()
}

fn pair(field: &str, reason: &str) -> (String, String) {
    (field.to_owned(), reason.to_owned())
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced_and_marked_and_two_people_stay_two() {
    let running = Running::new();
    let mut broken = raw_span(4, &[]);
    // Its last attribute ends in the middle of a field.
    broken.extend(field(9, &[0x0a, 0x7f, b'x']));
    let body = raw_request(&[
        raw_span(1, &[(b"user.id", b"u-\xff"), (b"gen_ai.response.id", b"r")]),
        raw_span(
            2,
            &[(b"user.id", b"u-\xfe"), (b"http.user_agent", b"a\xc3(b")],
        ),
        raw_span(3, &[(b"user.id", b"u-\\xff")]),
        broken,
        vec![0x0a, 0x7f],
    ]);
    let received = running.receive(Signal::Traces, Encoding::Protobuf, &body);
    assert_eq!(received.rejected, 1);
    let said = received.reason.unwrap();
    assert!(said.contains("span 5 is malformed"), "{said}");
    running.pass(5_000);
    running.assemble();
    let events = running.events();
    assert_eq!(events.len(), 4);
    let user = |event: &Value| event["subjects"][0]["id"].as_str().map(str::to_owned);
    let mut users: Vec<_> = events.iter().filter_map(user).collect();
    users.sort();
    assert_eq!(users, ["u-\\\\xff", "u-\\xfe", "u-\\xff"]);
    let of = |id: &str| {
        let found = events
            .iter()
            .find(|event| user(event).as_deref() == Some(id));
        altered(found.unwrap())
    };
    assert_eq!(of("u-\\xff"), [pair("user.id", "invalid_utf8")]);
    assert_eq!(of("u-\\\\xff"), [pair("user.id", "escaped")]);
    assert_eq!(
        of("u-\\xfe"),
        [
            pair("user.id", "invalid_utf8"),
            pair("http.user_agent", "invalid_utf8")
        ]
    );
    let agent = events.iter().find_map(|event| {
        event["attributes"]["otel"]["span"]["attributes"]["http.user_agent"].as_str()
    });
    assert_eq!(agent, Some("a\u{fffd}(b"));
    let cut = events.iter().find(|event| user(event).is_none()).unwrap();
    assert_eq!(altered(cut), [pair("attributes", "unreadable")]);
    running.engine.close().unwrap();
}

#[test]
fn the_published_types_and_ours_read_the_same() {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    let body = raw_request(&[raw_span(1, &[(b"user.id", b"u-1")])]);
    let published = ExportTraceServiceRequest::decode(&*body).unwrap();
    let span = &published.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!((span.attributes.len(), span.trace_id[15]), (3, 1));
    let running = Running::new();
    let received = running.receive(
        Signal::Traces,
        Encoding::Protobuf,
        &published.encode_to_vec(),
    );
    assert_eq!(received.rejected, 0);
    running.pass(5_000);
    running.assemble();
    assert_eq!(running.events()[0]["subjects"], json!([{"id": "u-1"}]));
    running.engine.close().unwrap();
}

#[test]
fn json_of_exporters_that_do_not_keep_to_the_specification_is_read_item_by_item() {
    let directory = Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_OTLP_QUIET_MS", "50")]);
    let mut named = span(1, 2, 0, &chat("a-1"));
    named["kind"] = "SPAN_KIND_CLIENT".into();
    named["status"] = json!({"code": "ERROR", "message": null});
    named["traceId"] = named["traceId"].as_str().unwrap().to_uppercase().into();
    let mut odd = span(2, 2, 0, &chat("a-2"));
    odd["startTimeUnixNano"] = "2026-11-25T07:50:00Z".into();
    odd["endTimeUnixNano"] = 1.795_593_000_5e18.into();
    odd["flags"] = "256".into();
    odd["attributes"].as_array_mut().unwrap().push(json!(7));
    let mut no_id = span(3, 2, 0, &chat("a-3"));
    no_id["spanId"] = Value::Null;
    let mut body = traces_request(
        &json!({}),
        &[named, json!("x"), odd, no_id, span(4, 2, 0, &chat("a-4"))],
    );
    body["resourceSpans"]
        .as_array_mut()
        .unwrap()
        .push(json!([]));
    let answer = send_json(&server.address, &server.token, "/v1/traces", &body);
    assert_eq!(answer.status, 200);
    let said: Value = serde_json::from_slice(&answer.body).unwrap();
    let said = &said["partialSuccess"];
    assert_eq!(said["rejectedSpans"], "3");
    let message = said["errorMessage"].as_str().unwrap();
    for part in [
        "span 2 is malformed",
        "span 4 has no valid",
        "span 6 is malformed",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let events = wait_for_events(&mut server.client(), 3);
    let by_answer = |id: &str| {
        let found = events
            .iter()
            .find(|event| event["llm"]["response_id"] == id);
        found.unwrap()
    };
    assert_eq!(by_answer("a-1")["outcome"], "error");
    assert_eq!(
        by_answer("a-1")["attributes"]["otel"]["span"]["kind"],
        "client"
    );
    assert_eq!(by_answer("a-2")["occurred_at"], "2026-11-25T07:50:00Z");
    assert_eq!(
        altered(by_answer("a-2")),
        [pair("attributes", "wrong_type")]
    );
    let metrics = server.client().get("/metrics").unwrap().text();
    for line in [
        "trailkeep_telemetry_rejected_items_total{reason=\"unreadable\"} 2",
        "trailkeep_telemetry_rejected_items_total{reason=\"invalid_id\"} 1",
        "trailkeep_telemetry_altered_fields_total{reason=\"wrong_type\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    server.stop();
}

#[test]
fn half_an_emoji_and_bad_bytes_in_json_cost_no_span() {
    let directory = Directory::new();
    let server = directory.serve_with(&[("TRAILKEEP_OTLP_QUIET_MS", "50")]);
    let mut attributes = chat("a-1");
    attributes["user.id"] = "u-@1".into();
    attributes["note"] = "half@2".into();
    let body = traces_request(
        &json!({}),
        &[span(1, 2, 0, &attributes), span(2, 2, 0, &chat("a-2"))],
    );
    let text = body.to_string().replace("@2", "\\ud83d");
    let (before, after) = text.split_once("@1").unwrap();
    let bytes = [before.as_bytes(), b"\xff", after.as_bytes()].concat();
    let headers = [
        ("Host", server.address.clone()),
        ("Authorization", format!("Bearer {}", server.token)),
        ("Content-Type", "application/json".to_owned()),
        ("Content-Length", bytes.len().to_string()),
        ("Connection", "close".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value));
    let answer = send(&server.address, "/v1/traces", &headers, &bytes);
    assert_eq!((answer.status, &answer.body[..]), (200, &b"{}"[..]));
    let events = wait_for_events(&mut server.client(), 2);
    let marked = events
        .iter()
        .find(|event| event.get("subjects").is_some())
        .unwrap();
    assert_eq!(marked["subjects"], json!([{"id": "u-\\xff"}]));
    let note = marked["attributes"]["otel"]["span"]["attributes"]["note"].as_str();
    assert!(note.unwrap().starts_with("half\u{fffd}"), "{note:?}");
    assert_eq!(altered(marked).len(), 2);
    server.stop();
}

#[test]
fn hostile_depth_and_counts_take_no_time_to_speak_of() {
    let running = Running::new();
    let mut deep = b"\x0a\x01x".to_vec();
    for _ in 0..20_000 {
        deep = field(5, &field(1, &deep));
        if deep.len() > 200_000 {
            break;
        }
    }
    let attribute = field(9, &[field(1, b"deep"), field(2, &deep)].concat());
    let mut spans = vec![[raw_span(1, &[]), attribute].concat()];
    // Many reports of one span, each with another attribute.
    for number in 0..5_000_u32 {
        let text = number.to_string();
        spans.push(raw_span(2, &[(b"attempt", text.as_bytes())]));
    }
    let received = running.receive(Signal::Traces, Encoding::Protobuf, &raw_request(&spans));
    assert_eq!(received.rejected, 0);
    // A chain of calls in each other.
    let chain: Vec<Value> = (1..5_000)
        .map(|number| {
            span(
                9,
                number,
                number - 1,
                &json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}),
            )
        })
        .collect();
    running.traces(&traces_request(&json!({}), &chain));
    let begun = std::time::Instant::now();
    running.pass(600_000);
    running.assemble();
    assert!(begun.elapsed().as_secs() < 120, "{:?}", begun.elapsed());
    let events = running.events();
    assert!(events.iter().any(|event| !altered(event).is_empty()));
    running.engine.close().unwrap();
}

/// Log records of an agent.
fn agent_records() -> Value {
    let record = |sequence: u64, name: &str, more: Value| {
        let mut attributes = json!({"event.name": name, "session.id": "s-1", "user.id": "dev", "event.sequence": sequence});
        attributes
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let mut record = span(0, 0, 0, &attributes);
        let members = record.as_object_mut().unwrap();
        members.retain(|name, _| name == "attributes");
        members.insert("timeUnixNano".to_owned(), "1795593000000000000".into());
        record
    };
    logs_request(&[
        record(1, "user_prompt", json!({"prompt": "delete the table"})),
        record(
            2,
            "claude_code.api_request",
            json!({"model": "m", "cost_usd": "0.03", "input_tokens": "10"}),
        ),
        record(
            3,
            "tool_decision",
            json!({"tool_name": "Bash", "decision": "accept"}),
        ),
        record(
            4,
            "tool_result",
            json!({"tool_name": "Bash", "success": "true"}),
        ),
        record(5, "http.server.request", json!({})),
    ])
}

#[test]
fn log_records_of_an_agent_are_events_once_and_the_others_are_told() {
    let running = Running::new();
    let received = running.logs(&agent_records());
    assert_eq!(received.rejected, 0);
    let told = received.reason.unwrap();
    assert!(told.starts_with("1 log records are not recorded"), "{told}");
    running.pass(5_000);
    running.assemble();
    let events = running.events();
    let actions: Vec<_> = events.iter().map(|event| event["action"].clone()).collect();
    for action in [
        "gen_ai.user_prompt",
        "gen_ai.chat",
        "gen_ai.tool_decision",
        "gen_ai.execute_tool",
    ] {
        assert!(actions.contains(&action.into()), "{actions:?}");
    }
    assert_eq!(events.len(), 4);
    for event in &events {
        assert_eq!(
            (&event["subjects"], &event["context"]["session"]),
            (&json!([{"id": "dev"}]), &json!("s-1"))
        );
    }
    // Again, hours later and in another process.
    let running = running.again();
    running.pass(10_000_000);
    running.logs(&agent_records());
    running.pass(600_000);
    running.assemble();
    assert_eq!(running.events(), events);
    running.engine.close().unwrap();
}
