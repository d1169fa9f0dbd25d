//! Calls of models, as spans and as events.

use std::ops::Range;
use std::sync::Arc;

use anyhow::ensure;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::Value;
use trailkeep::demo::demo_events;
use trailkeep_proof::time::UnixMillis;

use super::events::scatter;
use super::load::{Connection, Target};

/// Spans of one request: what the SDKs' batch processors send at once.
pub(crate) const BATCH: u64 = 512;
/// Connections at the same time.
const CONNECTIONS: u64 = 4;
/// Different calls that are repeated under new ids.
const DIFFERENT: usize = 500;
const START_MS: u64 = 1_800_000_000_000;

/// A call: what the model was given, and what it answered.
pub(crate) struct Call {
    input: String,
    output: String,
}

/// Who makes the body of a request of the calls in a range.
type Body = fn(&[Call], Range<u64>) -> Vec<u8>;

/// How calls are sent.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) name: &'static str,
    content_type: &'static str,
    pub(crate) path: &'static str,
    body: Body,
}

pub(crate) const SPANS: Way = Way {
    name: "OTLP spans",
    content_type: "application/x-protobuf",
    path: "/v1/traces",
    body: spans,
};
pub(crate) const EVENTS: Way = Way {
    name: "NDJSON events",
    content_type: "application/x-ndjson",
    path: "/v1/events",
    body: ndjson,
};

/// Sends the calls of a range.
pub(crate) async fn send(
    target: &Target,
    calls: &Arc<Vec<Call>>,
    way: Way,
    numbers: Range<u64>,
) -> anyhow::Result<()> {
    let mut senders = Vec::new();
    for connection in 0..CONNECTIONS {
        let (target, calls, numbers) = (target.clone(), Arc::clone(calls), numbers.clone());
        senders.push(tokio::spawn(async move {
            let mut open = Connection::open(&target).await?;
            let firsts = numbers.clone().step_by(BATCH as usize);
            for first in firsts
                .skip(connection as usize)
                .step_by(CONNECTIONS as usize)
            {
                let body = (way.body)(&calls, first..numbers.end.min(first + BATCH));
                let status = open.post(way.path, way.content_type, &body).await?;
                ensure!(matches!(status, 200 | 201), "{status}: {}", open.text());
            }
            Ok(())
        }));
    }
    for sender in senders {
        sender.await??;
    }
    Ok(())
}

/// Calls with the texts of the demo.
pub(crate) fn calls() -> Vec<Call> {
    let events = demo_events(DIFFERENT, 1, UnixMillis::new(START_MS));
    let text = |event: &Value, name: &str| match &event[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let read = |event: &String| {
        let event: Value = serde_json::from_str(event).ok()?;
        Some(Call {
            input: text(&event, "input"),
            output: text(&event, "output"),
        })
    };
    events.iter().filter_map(read).collect()
}

fn call(calls: &[Call], number: u64) -> &Call {
    &calls[number as usize % calls.len()]
}

fn person(number: u64) -> String {
    format!("person-{:08}", scatter(number) % 10_000)
}

/// Each the only span of its trace.
fn spans(calls: &[Call], numbers: std::ops::Range<u64>) -> Vec<u8> {
    let text = |key: &str, value: &str| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    };
    let number = |key: &str, value: i64| KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::IntValue(value)),
        }),
        ..KeyValue::default()
    };
    let span = |at: u64| {
        let Call { input, output } = call(calls, at);
        let message = |role: &str, content: &str| {
            serde_json::json!([{"role": role, "parts": [{"type": "text", "content": content}]}])
                .to_string()
        };
        let mut trace_id = scatter(at).to_be_bytes().to_vec();
        trace_id.extend(at.to_be_bytes());
        Span {
            trace_id,
            span_id: (at + 1).to_be_bytes().to_vec(),
            name: "chat gpt-4.1-mini".to_owned(),
            kind: 3,
            start_time_unix_nano: START_MS * 1_000_000,
            end_time_unix_nano: (START_MS + 900) * 1_000_000,
            attributes: vec![
                text("gen_ai.operation.name", "chat"),
                text("gen_ai.provider.name", "openai"),
                text("gen_ai.request.model", "gpt-4.1-mini"),
                text("gen_ai.response.model", "gpt-4.1-mini-2025-04-14"),
                text("gen_ai.response.id", &format!("chatcmpl-{at:016x}")),
                number("gen_ai.usage.input_tokens", 412),
                number("gen_ai.usage.output_tokens", 97),
                text("gen_ai.input.messages", &message("user", input)),
                text("gen_ai.output.messages", &message("assistant", output)),
                text("user.id", &person(at)),
            ],
            ..Span::default()
        }
    };
    let spans = ScopeSpans {
        spans: numbers.map(span).collect(),
        ..ScopeSpans::default()
    };
    let resource = ResourceSpans {
        scope_spans: vec![spans],
        ..ResourceSpans::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![resource],
    };
    request.encode_to_vec()
}

fn ndjson(calls: &[Call], numbers: std::ops::Range<u64>) -> Vec<u8> {
    let event = |at: u64| {
        let Call { input, output } = call(calls, at);
        let event = serde_json::json!({
            "id": format!("call-{at}"),
            "action": "gen_ai.chat",
            "outcome": "success",
            "actor": {"id": person(at)},
            "subjects": [{"id": person(at)}],
            "context": {"trace_id": format!("{:032x}", (u128::from(scatter(at)) << 64) | u128::from(at))},
            "llm": {
                "operation": "chat",
                "provider": "openai",
                "request_model": "gpt-4.1-mini",
                "response_model": "gpt-4.1-mini-2025-04-14",
                "usage": {"input_tokens": 412, "output_tokens": 97},
            },
            "input": [{"role": "user", "content": input}],
            "output": [{"role": "assistant", "content": output}],
        });
        format!("{event}\n")
    };
    numbers.map(event).collect::<String>().into_bytes()
}
