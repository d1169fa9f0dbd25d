//! Telemetry as it is worked with, whatever encoding it came in. The same form, as JSON, is what waits on disk.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::rejection::Alteration;

/// Attributes by name. Of a name that is given twice the last value counts.
pub type Attributes = Map<String, Value>;

/// `Span.flags`: it says whether the parent is in another process.
const HAS_IS_REMOTE: u32 = 0x100;
/// `Span.flags`: the parent is in another process.
const IS_REMOTE: u32 = 0x200;
/// `Span.kind` of what answers a request or takes a message: its parent is in another process.
const KINDS_WITH_REMOTE_PARENT: [i32; 2] = [2, 5];

/// Who made the telemetry: name and version of the instrumentation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scope {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// One span or log record with what stands around it, which it shares with others of its request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Attributes of the process that sent it.
    pub resource: Arc<Attributes>,
    /// Who made it.
    pub scope: Arc<Scope>,
    /// The span or log record.
    pub item: Item,
    /// What of it differs from what was sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub altered: Vec<Alteration>,
}

/// A span or a log record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    Span(Span),
    Log(LogRecord),
}

/// A span. Times are nanoseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Span {
    /// 32 lower-case hex digits.
    pub trace_id: String,
    /// 16 lower-case hex digits.
    pub span_id: String,
    /// The span that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_span_id: Option<String>,
    /// Flags of OTLP: whether the parent is remote.
    pub flags: u32,
    /// Its name; nothing is decided by it.
    pub name: String,
    /// Kind as OTLP numbers it.
    pub kind: i32,
    pub start_ns: u64,
    pub end_ns: u64,
    pub attributes: Attributes,
    /// What happened in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<SpanEvent>,
    /// 0 unset, 1 fine, 2 error.
    pub status_code: i32,
    /// What the error was.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub status_message: String,
}

/// Something that happened in a span.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SpanEvent {
    pub name: String,
    pub time_ns: u64,
    pub attributes: Attributes,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogRecord {
    /// The trace in which it was written.
    pub trace_id: Option<String>,
    /// The span in which it was written.
    pub span_id: Option<String>,
    /// When it happened, or was seen where that is all that is known.
    pub time_ns: u64,
    /// The event's name, from its own field or the attribute `event.name`.
    pub event_name: String,
    pub attributes: Attributes,
    pub body: Option<Value>,
    /// The name under which it is an event by itself, where it belongs to no span's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

impl Part {
    /// The trace that it belongs to; a record that is an event by itself waits for no other.
    pub fn trace_id(&self) -> Option<&str> {
        match &self.item {
            Item::Span(span) => Some(&span.trace_id),
            Item::Log(log) => log.record.as_deref().or(log.trace_id.as_deref()),
        }
    }

    /// The span that it is, or was written in.
    pub fn span_id(&self) -> Option<&str> {
        match &self.item {
            Item::Span(span) => Some(&span.span_id),
            Item::Log(log) if log.record.is_some() => Some(""),
            Item::Log(log) => log.span_id.as_deref(),
        }
    }

    /// Whether it is a span whose parent is not in the same process: the end of what this process does
    /// for a trace.
    pub fn is_local_root(&self) -> bool {
        let span = match &self.item {
            Item::Span(span) => span,
            Item::Log(log) => return log.record.is_some(),
        };
        if span.parent_span_id.is_none() {
            return true;
        }
        if span.flags & HAS_IS_REMOTE != 0 {
            return span.flags & IS_REMOTE != 0;
        }
        KINDS_WITH_REMOTE_PARENT.contains(&span.kind)
    }
}
