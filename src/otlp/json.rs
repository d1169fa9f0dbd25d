//! OTLP/JSON. Read by our own types: the published ones refuse an unknown member in a value, which the
//! specification says to ignore, and a null, which some exporters write for what is not set.

use std::sync::Arc;

use serde::de::{self, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::decode::{DecodeError, Decoded};
use super::protobuf::double;
use super::telemetry::{Attributes, Item, LogRecord, Part, Scope, Span, SpanEvent};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct TracesRequest {
    resource_spans: Option<Vec<Group>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LogsRequest {
    resource_logs: Option<Vec<Group>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Group {
    resource: Option<Resource>,
    scope_spans: Option<Vec<Scoped>>,
    scope_logs: Option<Vec<Scoped>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Resource {
    attributes: Option<Vec<KeyValue>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Scoped {
    scope: Option<JsonScope>,
    spans: Option<Vec<JsonSpan>>,
    log_records: Option<Vec<JsonLog>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JsonScope {
    name: Option<String>,
    version: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JsonSpan {
    trace_id: Option<String>,
    span_id: Option<String>,
    parent_span_id: Option<String>,
    flags: Option<u32>,
    name: Option<String>,
    kind: Option<i32>,
    start_time_unix_nano: Integer,
    end_time_unix_nano: Integer,
    attributes: Option<Vec<KeyValue>>,
    events: Option<Vec<JsonEvent>>,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JsonEvent {
    name: Option<String>,
    time_unix_nano: Integer,
    attributes: Option<Vec<KeyValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    code: Option<i32>,
    message: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct JsonLog {
    trace_id: Option<String>,
    span_id: Option<String>,
    time_unix_nano: Integer,
    observed_time_unix_nano: Integer,
    event_name: Option<String>,
    attributes: Option<Vec<KeyValue>>,
    body: Option<AnyValue>,
}

#[derive(Deserialize)]
struct KeyValue {
    key: String,
    #[serde(default)]
    value: Option<AnyValue>,
}

/// One member is set. Others, of later versions, are passed over.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "they are OTLP's names")]
struct AnyValue {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Integer>,
    double_value: Option<Double>,
    array_value: Option<ArrayValue>,
    kvlist_value: Option<KeyValueList>,
    bytes_value: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ArrayValue {
    values: Option<Vec<AnyValue>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KeyValueList {
    values: Option<Vec<KeyValue>>,
}

/// A 64-bit integer: a string by the specification, a number from the Node exporter, or null.
#[derive(Clone, Copy, Default, Serialize)]
struct Integer(i128);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self(0)),
            Value::String(text) => text.trim().parse().map(Self).map_err(de::Error::custom),
            Value::Number(number) => {
                let whole = number.as_i64().map(i128::from);
                let whole = whole.or_else(|| number.as_u64().map(i128::from));
                whole
                    .map(Self)
                    .ok_or_else(|| de::Error::custom("no integer"))
            }
            _ => Err(de::Error::custom("no integer")),
        }
    }
}

impl Integer {
    fn nanoseconds(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }
}

/// A double: a number, or the name of one that JSON can't write.
struct Double(f64);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => text.parse().map(Self).map_err(de::Error::custom),
            value => value
                .as_f64()
                .map(Self)
                .ok_or_else(|| de::Error::custom("no number")),
        }
    }
}

pub(super) fn traces(body: &[u8]) -> Result<Decoded, DecodeError> {
    let request: TracesRequest = read(body)?;
    let mut decoded = Decoded::default();
    for group in request.resource_spans.unwrap_or_default() {
        let resource = Arc::new(attributes(group.resource.unwrap_or_default().attributes));
        for scoped in group.scope_spans.unwrap_or_default() {
            let scope = Arc::new(scope(scoped.scope));
            for span in scoped.spans.unwrap_or_default() {
                decoded.add_span(part(&resource, &scope), read_span(span));
            }
        }
    }
    Ok(decoded)
}

pub(super) fn logs(body: &[u8]) -> Result<Decoded, DecodeError> {
    let request: LogsRequest = read(body)?;
    let mut decoded = Decoded::default();
    for group in request.resource_logs.unwrap_or_default() {
        let resource = Arc::new(attributes(group.resource.unwrap_or_default().attributes));
        for scoped in group.scope_logs.unwrap_or_default() {
            let scope = Arc::new(scope(scoped.scope));
            for log in scoped.log_records.unwrap_or_default() {
                decoded.add_log(part(&resource, &scope), read_log(log));
            }
        }
    }
    Ok(decoded)
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, DecodeError> {
    // A list of an object's values would be taken for the object.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(DecodeError::Json { line: 1, column: 1 });
    }
    serde_json::from_slice(body).map_err(|error| DecodeError::Json {
        line: error.line(),
        column: error.column(),
    })
}

fn part(resource: &Arc<Attributes>, scope: &Arc<Scope>) -> Part {
    Part {
        resource: Arc::clone(resource),
        scope: Arc::clone(scope),
        item: Item::Log(LogRecord::default()),
    }
}

fn scope(scope: Option<JsonScope>) -> Scope {
    let scope = scope.unwrap_or_default();
    Scope {
        name: scope.name.unwrap_or_default(),
        version: scope.version.unwrap_or_default(),
    }
}

fn read_span(span: JsonSpan) -> Span {
    let status = span.status.unwrap_or_default();
    let events = span.events.unwrap_or_default();
    let events = events.into_iter().map(|event| SpanEvent {
        name: event.name.unwrap_or_default(),
        time_ns: event.time_unix_nano.nanoseconds(),
        attributes: attributes(event.attributes),
    });
    Span {
        trace_id: lower(span.trace_id).unwrap_or_default(),
        span_id: lower(span.span_id).unwrap_or_default(),
        parent_span_id: lower(span.parent_span_id),
        flags: span.flags.unwrap_or_default(),
        name: span.name.unwrap_or_default(),
        kind: span.kind.unwrap_or_default(),
        start_ns: span.start_time_unix_nano.nanoseconds(),
        end_ns: span.end_time_unix_nano.nanoseconds(),
        attributes: attributes(span.attributes),
        events: events.collect(),
        status_code: status.code.unwrap_or_default(),
        status_message: status.message.unwrap_or_default(),
    }
}

fn read_log(log: JsonLog) -> LogRecord {
    let own = log.time_unix_nano.nanoseconds();
    LogRecord {
        trace_id: lower(log.trace_id),
        span_id: lower(log.span_id),
        time_ns: if own == 0 {
            log.observed_time_unix_nano.nanoseconds()
        } else {
            own
        },
        event_name: log.event_name.unwrap_or_default(),
        attributes: attributes(log.attributes),
        body: log.body.map(value).filter(|body| !body.is_null()),
    }
}

/// Ids are hex digits of either case.
fn lower(id: Option<String>) -> Option<String> {
    id.map(|id| id.to_ascii_lowercase())
}

fn attributes(list: Option<Vec<KeyValue>>) -> Attributes {
    list.unwrap_or_default()
        .into_iter()
        .map(|entry| (entry.key, entry.value.map_or(Value::Null, value)))
        .collect()
}

fn value(any: AnyValue) -> Value {
    if let Some(text) = any.string_value.or(any.bytes_value) {
        Value::String(text)
    } else if let Some(flag) = any.bool_value {
        Value::Bool(flag)
    } else if let Some(Integer(number)) = any.int_value {
        i64::try_from(number).map_or(Value::Null, Value::from)
    } else if let Some(Double(number)) = any.double_value {
        double(number)
    } else if let Some(list) = any.array_value {
        list.values
            .unwrap_or_default()
            .into_iter()
            .map(value)
            .collect()
    } else if let Some(map) = any.kvlist_value {
        Value::Object(attributes(map.values))
    } else {
        Value::Null
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_as_strings_and_numbers_nulls_and_unknown_members() {
        let body = br#"{"resourceSpans":[{"resource":null,"later":1,"scopeSpans":[{"scope":{"name":"s"},"spans":[
            {"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"EEE19B7EC3C1B174","parentSpanId":"","kind":3,"name":null,
             "startTimeUnixNano":1795484801985084998,"endTimeUnixNano":"1795484802041298773","status":{"code":2,"message":null},
             "attributes":[{"key":"a","value":{"intValue":"-7"}},{"key":"b","value":{"intValue":7}},{"key":"c","value":{"doubleValue":"NaN"}},
              {"key":"d","value":{"kvlistValue":{"values":[{"key":"x","value":{"later":{"y":1}}}]}}},{"key":"e","value":{}},{"key":"f"},
              {"key":"g","value":{"doubleValue":2}},{"key":"h","value":{"bytesValue":"AAE="}}],
             "events":null}]}]}]}"#;
        let decoded = traces(body).unwrap();
        let Item::Span(span) = &decoded.parts[0].item else {
            panic!()
        };
        assert_eq!(span.trace_id, "5b8efff798038103d269b633813fc60c");
        assert_eq!(span.parent_span_id, None);
        assert_eq!(
            (span.start_ns, span.end_ns, span.status_code),
            (1_795_484_801_985_084_998, 1_795_484_802_041_298_773, 2)
        );
        let expected = serde_json::json!({"a": -7, "b": 7, "c": "NaN", "d": {"x": null}, "e": null, "f": null, "g": 2.0, "h": "AAE="});
        assert_eq!(Value::Object(span.attributes.clone()), expected);
        assert!(decoded.parts[0].is_local_root());
    }

    #[test]
    fn spans_without_ids_are_counted_and_broken_bodies_refused() {
        let body = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"00","spanId":"eee19b7ec3c1b174"}]}]}]}"#;
        let decoded = traces(body).unwrap();
        assert_eq!((decoded.parts.len(), decoded.rejected), (0, 1));
        assert!(decoded.reason.is_some());
        assert!(traces(b"{").is_err());
        assert!(logs(br#"{"resourceLogs":{}}"#).is_err());
        assert_eq!(logs(b"{}").unwrap(), Decoded::default());
    }
}
