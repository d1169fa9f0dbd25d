//! The same calls of models as spans and as events.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::ensure;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::Value;
use trailkeep::demo::demo_events;
use trailkeep_core::ingest::StagingSettings;
use trailkeep_proof::time::UnixMillis;

use crate::support::events::scatter;
use crate::support::load::Connection;
use crate::support::say;
use crate::support::server::{Server, Site};

/// Spans of one request: what the SDKs' batch processors send at once.
const BATCH: u64 = 512;
/// Connections at the same time.
const CONNECTIONS: u64 = 4;
/// Different calls that are repeated under new ids.
const DIFFERENT: usize = 500;
const START_MS: u64 = 1_800_000_000_000;

/// A call: what the model was given, and what it answered.
struct Call {
    input: String,
    output: String,
}

/// Who makes the body of a request of the calls in a range.
type Body = fn(&[Call], std::ops::Range<u64>) -> Vec<u8>;

/// How calls are sent.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    content_type: &'static str,
    path: &'static str,
    body: Body,
}

const SPANS: Way = Way {
    name: "OTLP spans",
    content_type: "application/x-protobuf",
    path: "/v1/traces",
    body: spans,
};
const EVENTS: Way = Way {
    name: "NDJSON events",
    content_type: "application/x-ndjson",
    path: "/v1/events",
    body: ndjson,
};

pub(crate) async fn measure(folder: &Path, count: u64, waiting: &[u64]) -> anyhow::Result<()> {
    let calls = Arc::new(calls());
    say("| the same calls | requests | acknowledged/s | events after s | events/s to the last |")?;
    say("|---|---|---|---|---|")?;
    let mut rates = Vec::new();
    for way in [SPANS, EVENTS] {
        let site = Site::make(folder, &way.path.replace('/', "-"))?;
        let server = site.serve().await?;
        let size_before = server.tenant()?.active().published().head.size;
        let from = Instant::now();
        send(&server, &calls, way, count).await?;
        let acknowledged = from.elapsed().as_secs_f64();
        wait_for(&server, size_before + count).await?;
        let all = from.elapsed().as_secs_f64();
        let rate = count as f64 / acknowledged;
        let (name, requests) = (way.name, count.div_ceil(BATCH));
        say(&format!(
            "| {name} | {requests} | {rate:.0} | {all:.1} | {:.0} |",
            count as f64 / all
        ))?;
        rates.push(rate);
        server.close().await?;
        site.remove()?;
    }
    if let [spans, events] = rates[..] {
        say(&format!(
            "\nSpans are acknowledged at {:.2} of the rate of events.\n",
            spans / events
        ))?;
    }
    say("| spans that wait | sent in s | events/s when they are due |")?;
    say("|---|---|---|")?;
    for count in waiting {
        measure_waiting(folder, &calls, *count).await?;
    }
    Ok(())
}

/// How fast spans become events that all wait already. They are due when their traces have been quiet.
async fn measure_waiting(folder: &Path, calls: &Arc<Vec<Call>>, count: u64) -> anyhow::Result<()> {
    let site = Site::make(folder, &format!("waiting-{count}"))?;
    let server = site.serve().await?;
    let size_before = server.tenant()?.active().published().head.size;
    let from = Instant::now();
    send(&server, calls, SPANS, count).await?;
    let sent = from.elapsed().as_secs_f64();
    wait_for(&server, size_before + count).await?;
    let quiet = StagingSettings::default().quiet_ms as f64 / 1_000.0;
    let rate = count as f64 / (from.elapsed().as_secs_f64() - quiet);
    say(&format!("| {count} | {sent:.1} | {rate:.0} |"))?;
    server.close().await?;
    site.remove()
}

async fn send(server: &Server, calls: &Arc<Vec<Call>>, way: Way, count: u64) -> anyhow::Result<()> {
    let mut senders = Vec::new();
    for connection in 0..CONNECTIONS {
        let (target, calls) = (server.target.clone(), Arc::clone(calls));
        senders.push(tokio::spawn(async move {
            let mut open = Connection::open(&target).await?;
            for first in (0..count).step_by(BATCH as usize) {
                if first / BATCH % CONNECTIONS != connection {
                    continue;
                }
                let body = (way.body)(&calls, first..count.min(first + BATCH));
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

/// Until the ledger has so many entries; its own count, too.
async fn wait_for(server: &Server, size: u64) -> anyhow::Result<()> {
    let tenant = server.tenant()?;
    let from = Instant::now();
    while tenant.active().published().head.size < size {
        ensure!(
            from.elapsed() < Duration::from_secs(600),
            "events are missing"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn calls() -> Vec<Call> {
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
