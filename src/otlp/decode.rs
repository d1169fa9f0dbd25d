//! From the bytes of an export request to parts.

use serde_json::Value;

use super::telemetry::{Item, LogRecord, Part, Span};
use super::{json, protobuf};

/// Which of OTLP's requests it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// `/v1/traces`.
    Traces,
    /// `/v1/logs`.
    Logs,
}

/// How a request is written, and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// OTLP/JSON.
    Json,
}

impl Encoding {
    /// Whether it is the binary form.
    pub fn is_protobuf(self) -> bool {
        self == Self::Protobuf
    }
}

/// What a request held.
#[derive(Debug, Default, PartialEq)]
pub struct Decoded {
    /// What can be worked with.
    pub parts: Vec<Part>,
    /// Spans or log records that break OTLP's own rules.
    pub rejected: u64,
    /// Why the first of them does.
    pub reason: Option<&'static str>,
}

/// Why a body can't be read. It quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not protobuf of the right message.
    #[error("the body is no protobuf message of OTLP: {0}")]
    Protobuf(String),
    /// Not JSON of the right form.
    #[error("the body is no OTLP/JSON: wrong at line {line}, column {column}")]
    Json {
        /// Line from 1.
        line: usize,
        /// Column from 1.
        column: usize,
    },
}

/// Reads a request's body.
pub fn decode(signal: Signal, encoding: Encoding, body: &[u8]) -> Result<Decoded, DecodeError> {
    match (encoding, signal) {
        (Encoding::Protobuf, Signal::Traces) => protobuf::traces(body),
        (Encoding::Protobuf, Signal::Logs) => protobuf::logs(body),
        (Encoding::Json, Signal::Traces) => json::traces(body),
        (Encoding::Json, Signal::Logs) => json::logs(body),
    }
}

const BAD_SPAN_ID: &str = "a span has no valid trace_id (16 bytes) or span_id (8 bytes)";

impl Decoded {
    /// Takes a span with its ids as hex digits, if they are valid.
    pub(super) fn add_span(&mut self, part: Part, span: Span) {
        let is_valid = is_id(&span.trace_id, 32) && is_id(&span.span_id, 16);
        if !is_valid {
            self.reject(BAD_SPAN_ID);
            return;
        }
        let parent_span_id = span.parent_span_id.clone().filter(|id| is_id(id, 16));
        self.parts.push(Part {
            item: Item::Span(Span {
                parent_span_id,
                ..span
            }),
            ..part
        });
    }

    /// Takes a log record.
    pub(super) fn add_log(&mut self, part: Part, mut log: LogRecord) {
        log.trace_id = log.trace_id.filter(|id| is_id(id, 32));
        log.span_id = log.span_id.filter(|id| is_id(id, 16));
        if log.event_name.is_empty()
            && let Some(Value::String(name)) = log.attributes.get("event.name")
        {
            log.event_name.clone_from(name);
        }
        self.parts.push(Part {
            item: Item::Log(log),
            ..part
        });
    }

    /// Counts what is refused.
    pub fn reject(&mut self, reason: &'static str) {
        self.rejected += 1;
        self.reason.get_or_insert(reason);
    }
}

/// Hex digits of the right number, not all zero.
fn is_id(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && text.bytes().any(|byte| byte != b'0')
}
