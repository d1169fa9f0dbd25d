//! OTLP as binary protobuf. The published types decode all of a request or nothing, so these hold what stands in them as bytes,
//! and each item, attribute and text is decoded by itself.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use prost::Message;
use prost::bytes::Bytes;
use serde_json::{Number, Value};

use super::decode::{
    Around, DEPTH_MAX, DecodeError, Decoded, SPAN_ID_BYTES, Signal, TRACE_ID_BYTES,
};
use super::rejection::{Alterations, Altering, Rejection};
use super::telemetry::{Attributes, LogRecord, Scope, Span, SpanEvent};
use super::text::Marked;
use trailkeep_proof::ids::hex;

#[derive(Clone, PartialEq, Message)]
struct Request {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    groups: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct Group {
    #[prost(bytes = "bytes", optional, tag = "1")]
    resource: Option<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    scoped: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct Scoped {
    #[prost(bytes = "bytes", optional, tag = "1")]
    scope: Option<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    items: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct RawResource {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    attributes: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct RawScope {
    #[prost(bytes = "bytes", tag = "1")]
    name: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    version: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct RawSpan {
    #[prost(bytes = "bytes", tag = "1")]
    trace_id: Bytes,
    #[prost(bytes = "bytes", tag = "2")]
    span_id: Bytes,
    #[prost(bytes = "bytes", tag = "4")]
    parent_span_id: Bytes,
    #[prost(bytes = "bytes", tag = "5")]
    name: Bytes,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_ns: u64,
    #[prost(fixed64, tag = "8")]
    end_ns: u64,
    #[prost(bytes = "bytes", repeated, tag = "9")]
    attributes: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "11")]
    events: Vec<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "15")]
    status: Option<Bytes>,
    #[prost(fixed32, tag = "16")]
    flags: u32,
}

#[derive(Clone, PartialEq, Message)]
struct RawEvent {
    #[prost(fixed64, tag = "1")]
    time_ns: u64,
    #[prost(bytes = "bytes", tag = "2")]
    name: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "3")]
    attributes: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct RawStatus {
    #[prost(bytes = "bytes", tag = "2")]
    message: Bytes,
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct RawLog {
    #[prost(fixed64, tag = "1")]
    time_ns: u64,
    #[prost(bytes = "bytes", optional, tag = "5")]
    body: Option<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "6")]
    attributes: Vec<Bytes>,
    #[prost(bytes = "bytes", tag = "9")]
    trace_id: Bytes,
    #[prost(bytes = "bytes", tag = "10")]
    span_id: Bytes,
    #[prost(fixed64, tag = "11")]
    observed_ns: u64,
    #[prost(bytes = "bytes", tag = "12")]
    event_name: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct RawKeyValue {
    #[prost(bytes = "bytes", tag = "1")]
    key: Bytes,
    #[prost(bytes = "bytes", optional, tag = "2")]
    value: Option<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
struct RawAny {
    #[prost(oneof = "AnyKind", tags = "1, 2, 3, 4, 5, 6, 7")]
    value: Option<AnyKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum AnyKind {
    #[prost(bytes = "bytes", tag = "1")]
    Text(Bytes),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(bytes = "bytes", tag = "5")]
    List(Bytes),
    #[prost(bytes = "bytes", tag = "6")]
    Map(Bytes),
    #[prost(bytes = "bytes", tag = "7")]
    Bytes(Bytes),
}

#[derive(Clone, PartialEq, Message)]
struct RawList {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    values: Vec<Bytes>,
}

pub(super) fn decode(signal: Signal, body: &[u8]) -> Result<Decoded, DecodeError> {
    let request = Request::decode(Bytes::copy_from_slice(body))?;
    let mut decoded = Decoded::new(signal);
    let mut broken = None;
    for group in request.groups {
        match Group::decode(group) {
            Ok(group) => broken = decode_group(signal, group, &mut decoded).or(broken),
            Err(error) => {
                decoded.reject_group();
                broken = Some(error);
            }
        }
    }
    match broken {
        Some(error) if decoded.is_nothing_but_broken() => Err(error.into()),
        _ => Ok(decoded),
    }
}

/// Gives what is wrong with a group of it, if anything is.
fn decode_group(signal: Signal, group: Group, decoded: &mut Decoded) -> Option<prost::DecodeError> {
    let mut of_resource = Alterations::default();
    let resource = Arc::new(resource_attributes(group.resource, &mut of_resource));
    let mut broken = None;
    for scoped in group.scoped {
        let scoped = match Scoped::decode(scoped) {
            Ok(scoped) => scoped,
            Err(error) => {
                decoded.reject_group();
                broken = Some(error);
                continue;
            }
        };
        let mut altered = of_resource.clone();
        let around = Around {
            resource: Arc::clone(&resource),
            scope: Arc::new(scope(scoped.scope, &mut altered)),
            altered: altered.into_inner(),
        };
        for item in scoped.items {
            let mut altered = Alterations::default();
            match signal {
                Signal::Traces => match RawSpan::decode(item) {
                    Ok(raw) => {
                        let span = read_span(raw, &mut altered);
                        decoded.add_span(&around, span, altered);
                    }
                    Err(_) => decoded.reject(Rejection::Unreadable),
                },
                Signal::Logs => match RawLog::decode(item) {
                    Ok(raw) => {
                        let log = read_log(raw, &mut altered);
                        decoded.add_log(&around, log, altered);
                    }
                    Err(_) => decoded.reject(Rejection::Unreadable),
                },
            }
        }
    }
    broken
}

fn resource_attributes(resource: Option<Bytes>, altered: &mut Alterations) -> Attributes {
    let Ok(resource) = resource.map(RawResource::decode).transpose() else {
        altered.add("resource", Altering::Unreadable);
        return Attributes::new();
    };
    attributes(resource.unwrap_or_default().attributes, 0, altered)
}

fn scope(scope: Option<Bytes>, altered: &mut Alterations) -> Scope {
    let Ok(scope) = scope.map(RawScope::decode).transpose() else {
        altered.add("scope", Altering::Unreadable);
        return Scope::default();
    };
    let scope = scope.unwrap_or_default();
    Scope {
        name: text(&scope.name, "scope.name", altered),
        version: text(&scope.version, "scope.version", altered),
    }
}

fn read_span(span: RawSpan, altered: &mut Alterations) -> Span {
    let status = span.status.map(RawStatus::decode).transpose();
    let status = status.unwrap_or_else(|_| {
        altered.add("status", Altering::Unreadable);
        None
    });
    let status = status.unwrap_or_default();
    let mut events = Vec::with_capacity(span.events.len());
    for event in span.events {
        let Ok(event) = RawEvent::decode(event) else {
            altered.add("events", Altering::Unreadable);
            continue;
        };
        events.push(SpanEvent {
            name: text(&event.name, "events.name", altered),
            time_ns: event.time_ns,
            attributes: attributes(event.attributes, 0, altered),
        });
    }
    Span {
        trace_id: id(&span.trace_id, TRACE_ID_BYTES),
        span_id: id(&span.span_id, SPAN_ID_BYTES),
        parent_span_id: Some(id(&span.parent_span_id, SPAN_ID_BYTES)),
        flags: span.flags,
        name: text(&span.name, "name", altered),
        kind: span.kind,
        start_ns: span.start_ns,
        end_ns: span.end_ns,
        attributes: attributes(span.attributes, 0, altered),
        events,
        status_code: status.code,
        status_message: text(&status.message, "status.message", altered),
    }
}

fn read_log(log: RawLog, altered: &mut Alterations) -> LogRecord {
    let body = log.body.map(|body| any("body", body, 0, altered));
    LogRecord {
        trace_id: Some(id(&log.trace_id, TRACE_ID_BYTES)),
        span_id: Some(id(&log.span_id, SPAN_ID_BYTES)),
        time_ns: if log.time_ns == 0 {
            log.observed_ns
        } else {
            log.time_ns
        },
        event_name: text(&log.event_name, "event_name", altered),
        attributes: attributes(log.attributes, 0, altered),
        body: body.filter(|body| !body.is_null()),
        record: None,
    }
}

/// An id as digits. Some write the digits where the bytes belong.
fn id(bytes: &Bytes, length: usize) -> String {
    let digits = std::str::from_utf8(bytes).ok();
    let digits = digits.filter(|_| bytes.len() != length);
    digits.map_or_else(|| hex(bytes), str::to_owned)
}

fn text(bytes: &Bytes, field: &str, altered: &mut Alterations) -> String {
    Marked::of_bytes(bytes).readable(field, altered)
}

fn attributes(list: Vec<Bytes>, depth: usize, altered: &mut Alterations) -> Attributes {
    let mut attributes = Attributes::new();
    for entry in list {
        let Ok(entry) = RawKeyValue::decode(entry) else {
            altered.add("attributes", Altering::Unreadable);
            continue;
        };
        let key = Marked::of_bytes(&entry.key).name(altered);
        let value = entry
            .value
            .map_or(Value::Null, |value| any(&key, value, depth, altered));
        attributes.insert(key, value);
    }
    attributes
}

fn any(name: &str, bytes: Bytes, depth: usize, altered: &mut Alterations) -> Value {
    if depth > DEPTH_MAX {
        altered.add(name, Altering::TooDeep);
        return Value::Null;
    }
    let unreadable = |altered: &mut Alterations| {
        altered.add(name, Altering::Unreadable);
        Value::Null
    };
    let Ok(any_value) = RawAny::decode(bytes) else {
        return unreadable(altered);
    };
    match any_value.value {
        Some(AnyKind::Text(bytes)) => Marked::of_bytes(&bytes).value(name, altered),
        Some(AnyKind::Bool(flag)) => Value::Bool(flag),
        Some(AnyKind::Int(number)) => Value::from(number),
        Some(AnyKind::Double(number)) => double(number),
        Some(AnyKind::List(list)) => match RawList::decode(list) {
            Ok(list) => {
                let values = list.values.into_iter();
                values
                    .map(|value| any(name, value, depth + 1, altered))
                    .collect()
            }
            Err(_) => unreadable(altered),
        },
        Some(AnyKind::Map(map)) => match RawList::decode(map) {
            Ok(map) => Value::Object(attributes(map.values, depth + 1, altered)),
            Err(_) => unreadable(altered),
        },
        Some(AnyKind::Bytes(bytes)) => Value::String(BASE64.encode(bytes)),
        // A string by its index belongs to profiles, which are not taken here.
        None => Value::Null,
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
