//! OTLP/JSON, as it is sent: by the specification, by protobuf's own JSON, and by exporters that know neither well. Each item and
//! each attribute is read by itself, so that one which can't be read costs no other.

mod value;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::DateTime;
use serde_json::Value;
use serde_json::value::RawValue;

use super::decode::{Around, DecodeError, Decoded, Signal};
use super::rejection::{Alterations, Altering, Rejection};
use super::telemetry::{Attributes, LogRecord, Scope, Span, SpanEvent};
use super::text::Marked;

/// `Span.kind` by its name.
const KINDS: [&str; 6] = [
    "UNSPECIFIED",
    "INTERNAL",
    "SERVER",
    "CLIENT",
    "PRODUCER",
    "CONSUMER",
];
/// `Status.code` by its name.
const CODES: [&str; 3] = ["UNSET", "OK", "ERROR"];

/// The members of an object that are not null.
struct Members<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Members<'a> {
    fn of(raw: &'a RawValue) -> Option<Self> {
        let mut members: BTreeMap<Cow<'a, str>, &'a RawValue> =
            serde_json::from_str(raw.get()).ok()?;
        members.retain(|_, value| value.get() != "null");
        Some(Self(members))
    }

    /// A member by its name; readers of protobuf's JSON take the name of the schema, too.
    fn get(&self, name: &str, of_schema: &str) -> Option<&'a RawValue> {
        let known = self.0.get(name).or_else(|| self.0.get(of_schema));
        known.copied()
    }
}

fn items(raw: &RawValue) -> Option<Vec<&RawValue>> {
    let items: Vec<Option<&RawValue>> = serde_json::from_str(raw.get()).ok()?;
    Some(items.into_iter().flatten().collect())
}

/// Reads the fields of one item.
struct Reader<'a> {
    /// The body, whose marks stand in all of its texts.
    body: &'a Marked<'a>,
    altered: Alterations,
}

pub(super) fn decode(signal: Signal, body: &[u8]) -> Result<Decoded, DecodeError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let marked = Marked::of_json(body);
    let raw: &RawValue = serde_json::from_str(&marked.text)?;
    let wrong = DecodeError::Json { line: 1, column: 1 };
    let request = Members::of(raw).ok_or(wrong.clone())?;
    let groups = match signal {
        Signal::Traces => request.get("resourceSpans", "resource_spans"),
        Signal::Logs => request.get("resourceLogs", "resource_logs"),
    };
    let groups = groups
        .map_or(Some(Vec::new()), items)
        .ok_or(wrong.clone())?;
    let mut decoded = Decoded::new(signal);
    for group in groups {
        if decode_group(signal, &marked, group, &mut decoded).is_none() {
            decoded.reject_group();
        }
    }
    if decoded.is_nothing_but_broken() {
        return Err(wrong);
    }
    Ok(decoded)
}

fn decode_group(
    signal: Signal,
    body: &Marked<'_>,
    group: &RawValue,
    decoded: &mut Decoded,
) -> Option<()> {
    let group = Members::of(group)?;
    let (list, list_of_schema, items_name, items_of_schema) = match signal {
        Signal::Traces => ("scopeSpans", "scope_spans", "spans", "spans"),
        Signal::Logs => ("scopeLogs", "scope_logs", "logRecords", "log_records"),
    };
    let scoped = group.get(list, list_of_schema);
    let scoped = scoped.map_or(Some(Vec::new()), items)?;
    let mut reader = Reader::new(body);
    let resource = Arc::new(reader.resource(group.get("resource", "resource")));
    let of_resource = reader.altered;
    for scoped in scoped {
        let found = Members::of(scoped).and_then(|scoped| {
            let listed = scoped.get(items_name, items_of_schema);
            Some((listed.map_or(Some(Vec::new()), items)?, scoped))
        });
        let Some((listed, scoped)) = found else {
            decoded.reject_group();
            continue;
        };
        let mut reader = Reader {
            body,
            altered: of_resource.clone(),
        };
        let around = Around {
            resource: Arc::clone(&resource),
            scope: Arc::new(reader.scope(scoped.get("scope", "scope"))),
            altered: reader.altered.into_inner(),
        };
        for item in listed {
            let Some(item) = Members::of(item) else {
                decoded.reject(Rejection::Unreadable);
                continue;
            };
            let mut reader = Reader::new(body);
            match signal {
                Signal::Traces => {
                    let span = reader.span(&item);
                    decoded.add_span(&around, span, reader.altered);
                }
                Signal::Logs => {
                    let log = reader.log(&item);
                    decoded.add_log(&around, log, reader.altered);
                }
            }
        }
    }
    Some(())
}

impl<'a> Reader<'a> {
    fn new(body: &'a Marked<'a>) -> Self {
        Self {
            body,
            altered: Alterations::default(),
        }
    }

    fn resource(&mut self, raw: Option<&RawValue>) -> Attributes {
        let Some(raw) = raw else {
            return Attributes::new();
        };
        if let Some(resource) = Members::of(raw) {
            return self.attributes(resource.get("attributes", "attributes"));
        }
        self.altered.add("resource", Altering::WrongType);
        Attributes::new()
    }

    fn scope(&mut self, raw: Option<&RawValue>) -> Scope {
        let Some(raw) = raw else {
            return Scope::default();
        };
        let Some(scope) = Members::of(raw) else {
            self.altered.add("scope", Altering::WrongType);
            return Scope::default();
        };
        Scope {
            name: self.text(scope.get("name", "name"), "scope.name"),
            version: self.text(scope.get("version", "version"), "scope.version"),
        }
    }

    fn span(&mut self, span: &Members<'_>) -> Span {
        let (status_code, status_message) = self.status(span.get("status", "status"));
        let end = span.get("endTimeUnixNano", "end_time_unix_nano");
        Span {
            trace_id: self.id(span.get("traceId", "trace_id"), "traceId"),
            span_id: self.id(span.get("spanId", "span_id"), "spanId"),
            parent_span_id: Some(
                self.id(span.get("parentSpanId", "parent_span_id"), "parentSpanId"),
            ),
            flags: self.flags(span.get("flags", "flags")),
            name: self.text(span.get("name", "name"), "name"),
            kind: self.number_or_name(span.get("kind", "kind"), "kind", "SPAN_KIND_", &KINDS),
            start_ns: self.time(
                span.get("startTimeUnixNano", "start_time_unix_nano"),
                "startTimeUnixNano",
            ),
            end_ns: self.time(end, "endTimeUnixNano"),
            attributes: self.attributes(span.get("attributes", "attributes")),
            events: self.events(span.get("events", "events")),
            status_code,
            status_message,
        }
    }

    fn log(&mut self, log: &Members<'_>) -> LogRecord {
        let own = self.time(log.get("timeUnixNano", "time_unix_nano"), "timeUnixNano");
        let observed = log.get("observedTimeUnixNano", "observed_time_unix_nano");
        let body = log.get("body", "body");
        let body = body.map(|raw| self.raw_value("body", raw));
        LogRecord {
            trace_id: Some(self.id(log.get("traceId", "trace_id"), "traceId")),
            span_id: Some(self.id(log.get("spanId", "span_id"), "spanId")),
            time_ns: if own == 0 {
                self.time(observed, "observedTimeUnixNano")
            } else {
                own
            },
            event_name: self.text(log.get("eventName", "event_name"), "eventName"),
            attributes: self.attributes(log.get("attributes", "attributes")),
            body: body.filter(|body| !body.is_null()),
            record: None,
        }
    }

    fn events(&mut self, raw: Option<&RawValue>) -> Vec<SpanEvent> {
        let Some(raw) = raw else {
            return Vec::new();
        };
        let listed = items(raw);
        let mut events = Vec::new();
        for raw in listed.iter().flatten() {
            let Some(event) = Members::of(raw) else {
                self.altered.add("events", Altering::WrongType);
                continue;
            };
            events.push(SpanEvent {
                name: self.text(event.get("name", "name"), "events.name"),
                time_ns: self.time(
                    event.get("timeUnixNano", "time_unix_nano"),
                    "events.timeUnixNano",
                ),
                attributes: self.attributes(event.get("attributes", "attributes")),
            });
        }
        if listed.is_none() {
            self.altered.add("events", Altering::WrongType);
        }
        events
    }

    /// Code and message. Some write the code in the place of both.
    fn status(&mut self, raw: Option<&RawValue>) -> (i32, String) {
        let status = raw.and_then(Members::of);
        let (code, message) = match &status {
            Some(status) => (status.get("code", "code"), status.get("message", "message")),
            None => (raw, None),
        };
        let code = self.number_or_name(code, "status.code", "STATUS_CODE_", &CODES);
        (code, self.text(message, "status.message"))
    }

    /// A value that is no object or array.
    fn scalar(&mut self, raw: Option<&RawValue>, field: &str) -> Option<Value> {
        let value: Value =
            serde_json::from_str(raw?.get()).unwrap_or(Value::Object(Attributes::new()));
        if value.is_object() || value.is_array() {
            self.altered.add(field, Altering::WrongType);
            return None;
        }
        Some(value)
    }

    fn text(&mut self, raw: Option<&RawValue>, field: &str) -> String {
        match self.scalar(raw, field) {
            Some(Value::String(text)) => {
                let marked = self.body.part(Cow::Owned(text));
                marked.readable(field, &mut self.altered)
            }
            Some(other) => {
                self.altered.add(field, Altering::WrongType);
                other.to_string()
            }
            None => String::new(),
        }
    }

    /// An id as it is written: the marks of bytes that are not UTF-8 make it none.
    fn id(&mut self, raw: Option<&RawValue>, field: &str) -> String {
        match self.scalar(raw, field) {
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
            None => String::new(),
        }
    }

    fn flags(&mut self, raw: Option<&RawValue>) -> u32 {
        let Some(value) = self.scalar(raw, "flags") else {
            return 0;
        };
        let flags = match &value {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64(),
        };
        let flags = flags.and_then(|flags| u32::try_from(flags).ok());
        if flags.is_none() {
            self.altered.add("flags", Altering::WrongType);
        }
        flags.unwrap_or_default()
    }

    /// A number of an enumeration, or its name, with its prefix or without.
    fn number_or_name(
        &mut self,
        raw: Option<&RawValue>,
        field: &str,
        prefix: &str,
        names: &[&str],
    ) -> i32 {
        let Some(value) = self.scalar(raw, field) else {
            return 0;
        };
        let by_name = |text: &str| {
            let upper = text.trim().to_ascii_uppercase();
            let bare = upper.strip_prefix(prefix).unwrap_or(&upper);
            let known = names.iter().position(|name| *name == bare);
            let number = || bare.parse::<i32>().ok();
            known.and_then(|at| i32::try_from(at).ok()).or_else(number)
        };
        let number = match &value {
            Value::String(text) => by_name(text),
            other => integer(other).and_then(|number| i32::try_from(number).ok()),
        };
        if number.is_none() {
            self.altered.add(field, Altering::WrongType);
        }
        number.unwrap_or_default()
    }

    fn time(&mut self, raw: Option<&RawValue>, field: &str) -> u64 {
        let Some(raw) = raw else {
            return 0;
        };
        let value: Option<Value> = serde_json::from_str(raw.get()).ok();
        let known = value.as_ref().and_then(nanoseconds);
        if known.is_none() {
            self.altered.add(field, Altering::UnknownTime);
        }
        known.unwrap_or_default()
    }

    /// Attributes are a list of keys and values. Some write them as the object that the list stands for.
    fn attributes(&mut self, raw: Option<&RawValue>) -> Attributes {
        let mut attributes = Attributes::new();
        let Some(raw) = raw else {
            return attributes;
        };
        if let Some(list) = items(raw) {
            for raw in list {
                let entry = Members::of(raw);
                let key = entry.as_ref().and_then(|entry| {
                    let key: Value = serde_json::from_str(entry.get("key", "key")?.get()).ok()?;
                    key.as_str().map(str::to_owned)
                });
                let (Some(entry), Some(key)) = (entry, key) else {
                    self.altered.add("attributes", Altering::WrongType);
                    continue;
                };
                let key = self.name(key);
                let value = entry.get("value", "value");
                let value = value.map_or(Value::Null, |raw| self.raw_value(&key, raw));
                attributes.insert(key, value);
            }
        } else {
            self.altered.add("attributes", Altering::WrongType);
            let members = Members::of(raw).map(|members| members.0);
            for (key, raw) in members.into_iter().flatten() {
                let key = self.name(key.into_owned());
                let value = self.raw_value(&key, raw);
                attributes.insert(key, value);
            }
        }
        attributes
    }

    fn name(&mut self, key: String) -> String {
        self.body.part(Cow::Owned(key)).name(&mut self.altered)
    }
}

/// A 64-bit integer: a string by the specification, a number from the Node exporter, a whole double from others.
fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole(text.parse().ok()?))
        }
        Value::Number(number) => {
            let exact = number.as_i64().map(i128::from);
            let exact = exact.or_else(|| number.as_u64().map(i128::from));
            exact.or_else(|| whole(number.as_f64()?))
        }
        _ => None,
    }
}

fn whole(number: f64) -> Option<i128> {
    let is_whole = number.is_finite() && number.fract() == 0.0 && number.abs() < 1e19;
    #[expect(clippy::cast_possible_truncation, reason = "its range is checked")]
    is_whole.then_some(number as i128)
}

/// A time as nanoseconds since 1970: an integer in any form, RFC 3339, or seconds and nanoseconds apart.
fn nanoseconds(value: &Value) -> Option<u64> {
    if let Value::Object(parts) = value {
        let part = |name: &str| parts.get(name).map_or(Some(0), integer);
        let seconds = part("seconds")?.checked_mul(1_000_000_000)?;
        let is_known = parts.contains_key("seconds");
        let time = seconds.checked_add(part("nanos")?)?;
        return u64::try_from(time).ok().filter(|_| is_known);
    }
    if let Some(text) = value.as_str().map(str::trim) {
        if text.is_empty() {
            return Some(0);
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return u64::try_from(time.timestamp_nanos_opt()?).ok();
        }
    }
    u64::try_from(integer(value)?).ok()
}

#[cfg(test)]
mod tests;
