//! OTLP as binary protobuf.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyKind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::{logs, resource, trace};
use prost::Message;
use serde_json::{Number, Value};

use super::decode::{DecodeError, Decoded};
use super::telemetry::{Attributes, Item, LogRecord, Part, Scope, Span, SpanEvent};
use crate::ids::hex;

pub(super) fn traces(body: &[u8]) -> Result<Decoded, DecodeError> {
    let request = ExportTraceServiceRequest::decode(body)
        .map_err(|error| DecodeError::Protobuf(error.to_string()))?;
    let mut decoded = Decoded::default();
    for group in request.resource_spans {
        let resource = Arc::new(resource_attributes(group.resource));
        for scoped in group.scope_spans {
            let scope = Arc::new(scope(scoped.scope));
            for span in scoped.spans {
                decoded.add_span(part(&resource, &scope), read_span(span));
            }
        }
    }
    Ok(decoded)
}

pub(super) fn logs(body: &[u8]) -> Result<Decoded, DecodeError> {
    let request = ExportLogsServiceRequest::decode(body)
        .map_err(|error| DecodeError::Protobuf(error.to_string()))?;
    let mut decoded = Decoded::default();
    for group in request.resource_logs {
        let resource = Arc::new(resource_attributes(group.resource));
        for scoped in group.scope_logs {
            let scope = Arc::new(scope(scoped.scope));
            for log in scoped.log_records {
                decoded.add_log(part(&resource, &scope), read_log(log));
            }
        }
    }
    Ok(decoded)
}

fn part(resource: &Arc<Attributes>, scope: &Arc<Scope>) -> Part {
    Part {
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
        item: Item::Log(LogRecord::default()),
    }
}

fn resource_attributes(resource: Option<resource::v1::Resource>) -> Attributes {
    resource.map_or_else(Attributes::new, |resource| attributes(resource.attributes))
}

fn scope(scope: Option<InstrumentationScope>) -> Scope {
    scope.map_or_else(Scope::default, |scope| Scope {
        name: scope.name,
        version: scope.version,
    })
}

fn read_span(span: trace::v1::Span) -> Span {
    let status = span.status.unwrap_or_default();
    let events = span.events.into_iter().map(|event| SpanEvent {
        name: event.name,
        time_ns: event.time_unix_nano,
        attributes: attributes(event.attributes),
    });
    Span {
        trace_id: hex(&span.trace_id),
        span_id: hex(&span.span_id),
        parent_span_id: Some(hex(&span.parent_span_id)),
        flags: span.flags,
        name: span.name,
        kind: span.kind,
        start_ns: span.start_time_unix_nano,
        end_ns: span.end_time_unix_nano,
        attributes: attributes(span.attributes),
        events: events.collect(),
        status_code: status.code,
        status_message: status.message,
    }
}

fn read_log(log: logs::v1::LogRecord) -> LogRecord {
    LogRecord {
        trace_id: Some(hex(&log.trace_id)),
        span_id: Some(hex(&log.span_id)),
        time_ns: if log.time_unix_nano == 0 {
            log.observed_time_unix_nano
        } else {
            log.time_unix_nano
        },
        event_name: log.event_name,
        attributes: attributes(log.attributes),
        body: log.body.map(value).filter(|body| !body.is_null()),
    }
}

fn attributes(list: Vec<KeyValue>) -> Attributes {
    list.into_iter()
        .map(|entry| (entry.key, entry.value.map_or(Value::Null, value)))
        .collect()
}

fn value(any: AnyValue) -> Value {
    match any.value {
        Some(AnyKind::StringValue(text)) => Value::String(text),
        Some(AnyKind::BoolValue(flag)) => Value::Bool(flag),
        Some(AnyKind::IntValue(number)) => Value::from(number),
        Some(AnyKind::DoubleValue(number)) => double(number),
        Some(AnyKind::ArrayValue(list)) => list.values.into_iter().map(value).collect(),
        Some(AnyKind::KvlistValue(map)) => Value::Object(attributes(map.values)),
        Some(AnyKind::BytesValue(bytes)) => Value::String(BASE64.encode(bytes)),
        // A string by its index belongs to profiles, which are not taken here.
        Some(_) | None => Value::Null,
    }
}

/// A double; JSON has no number for those that are none, so their names stand for them.
pub(super) fn double(number: f64) -> Value {
    let name = if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    Number::from_f64(number).map_or_else(|| Value::from(name), Value::Number)
}
