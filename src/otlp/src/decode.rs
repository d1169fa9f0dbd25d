//! From the bytes of an export request to parts, item by item: one that is broken costs no other.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use super::rejection::{Alteration, Alterations, Rejection, Rejections};
use super::telemetry::{Attributes, Item, LogRecord, Part, Scope, Span};
use super::{json, protobuf};
use trailkeep_proof::ids::hex;

/// Levels of a value that are read; an event has 64 itself.
pub(super) const DEPTH_MAX: usize = 40;

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
#[derive(Debug, PartialEq)]
pub struct Decoded {
    /// What it is a request of.
    pub signal: Signal,
    /// What can be worked with.
    pub parts: Vec<Part>,
    /// Where in the request each of them stands, from 1.
    pub places: Vec<usize>,
    /// What can't be taken.
    pub rejected: Rejections,
    /// Groups of items, each under a resource or a scope, whose structure is broken.
    broken_groups: usize,
}

/// Why a body can't be read. It quotes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not protobuf of the right message.
    #[error("the body is not a protobuf message of OTLP: {0}")]
    Protobuf(String),
    /// Not JSON of the right form.
    #[error("the body is not OTLP/JSON: wrong at line {line}, column {column}")]
    Json {
        /// Line from 1.
        line: usize,
        /// Column from 1.
        column: usize,
    },
}

impl From<prost::DecodeError> for DecodeError {
    fn from(error: prost::DecodeError) -> Self {
        Self::Protobuf(error.to_string())
    }
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        Self::Json {
            line: error.line(),
            column: error.column(),
        }
    }
}

/// Reads a request's body.
pub fn decode(signal: Signal, encoding: Encoding, body: &[u8]) -> Result<Decoded, DecodeError> {
    match encoding {
        Encoding::Protobuf => protobuf::decode(signal, body),
        Encoding::Json => json::decode(signal, body),
    }
}

/// Bytes of a trace's id.
pub(super) const TRACE_ID_BYTES: usize = 16;
/// Bytes of a span's id.
pub(super) const SPAN_ID_BYTES: usize = 8;

/// What the items of a group share.
pub(super) struct Around {
    pub(super) resource: Arc<Attributes>,
    pub(super) scope: Arc<Scope>,
    pub(super) altered: Vec<Alteration>,
}

impl Decoded {
    pub(super) fn new(signal: Signal) -> Self {
        Self {
            signal,
            parts: Vec::new(),
            places: Vec::new(),
            rejected: Rejections::default(),
            broken_groups: 0,
        }
    }

    fn next_place(&self) -> usize {
        self.parts.len() + usize::try_from(self.rejected.total()).unwrap_or(usize::MAX) + 1
    }

    /// Takes a span, if its ids are valid.
    pub(super) fn add_span(&mut self, around: &Around, mut span: Span, altered: Alterations) {
        let ids = (
            id(&span.trace_id, TRACE_ID_BYTES),
            id(&span.span_id, SPAN_ID_BYTES),
        );
        let (Some(trace_id), Some(span_id)) = ids else {
            self.reject(Rejection::InvalidId);
            return;
        };
        (span.trace_id, span.span_id) = (trace_id, span_id);
        let parent = span.parent_span_id.take();
        span.parent_span_id = parent.and_then(|text| id(&text, SPAN_ID_BYTES));
        self.add(around, Item::Span(span), altered);
    }

    /// Takes a log record.
    pub(super) fn add_log(&mut self, around: &Around, mut log: LogRecord, altered: Alterations) {
        let valid = |text: Option<String>, bytes| text.and_then(|text| id(&text, bytes));
        log.trace_id = valid(log.trace_id, TRACE_ID_BYTES);
        log.span_id = valid(log.span_id, SPAN_ID_BYTES);
        if log.event_name.is_empty()
            && let Some(Value::String(name)) = log.attributes.get("event.name")
        {
            log.event_name.clone_from(name);
        }
        self.add(around, Item::Log(log), altered);
    }

    fn add(&mut self, around: &Around, item: Item, mut altered: Alterations) {
        altered.extend(&around.altered);
        self.places.push(self.next_place());
        self.parts.push(Part {
            resource: Arc::clone(&around.resource),
            scope: Arc::clone(&around.scope),
            item,
            altered: altered.into_inner(),
        });
    }

    /// Counts an item that is refused.
    pub(super) fn reject(&mut self, why: Rejection) {
        self.rejected.add(self.next_place(), why);
    }

    /// Counts a group of items that can't be read; how many it has is not known.
    pub(super) fn reject_group(&mut self) {
        self.broken_groups += 1;
        self.reject(Rejection::Unreadable);
    }

    /// Whether nothing but broken groups was found: then the body is no request.
    pub(super) fn is_nothing_but_broken(&self) -> bool {
        self.broken_groups > 0
            && self.parts.is_empty()
            && self.rejected.total() == self.broken_groups as u64
    }
}

/// An id as lower-case hex digits: from hex digits of either case, with the dashes of a UUID or without, or from base64, which
/// protobuf's own JSON has for bytes. Not one that is all zero.
fn id(text: &str, bytes: usize) -> Option<String> {
    let text = text.trim();
    let digits = if bytes == TRACE_ID_BYTES && text.len() == 36 {
        text.replace('-', "")
    } else {
        text.to_owned()
    };
    let is_hex = digits.len() == 2 * bytes && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = if is_hex {
        digits.to_ascii_lowercase()
    } else {
        let plain = text.trim_end_matches('=');
        let decoded = STANDARD_NO_PAD
            .decode(plain)
            .or_else(|_| URL_SAFE_NO_PAD.decode(plain));
        hex(&decoded.ok().filter(|decoded| decoded.len() == bytes)?)
    };
    digits.bytes().any(|byte| byte != b'0').then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_in_the_forms_that_are_in_use() {
        let hex = "5b8efff798038103d269b633813fc60c";
        for form in [
            hex,
            "5B8EFFF798038103D269B633813FC60C",
            "5b8efff7-9803-8103-d269-b633813fc60c",
            "W47/95gDgQPSabYzgT/GDA==",
            "W47_95gDgQPSabYzgT_GDA",
        ] {
            assert_eq!(id(form, TRACE_ID_BYTES).as_deref(), Some(hex), "{form}");
        }
        assert_eq!(
            id("7uGbfsPBsXQ=", SPAN_ID_BYTES).as_deref(),
            Some("eee19b7ec3c1b174")
        );
        let zeros = "0".repeat(32);
        for wrong in ["", "00", "x", &zeros, "AAAAAAAAAAAAAAAAAAAAAA==", &hex[1..]] {
            assert_eq!(id(wrong, TRACE_ID_BYTES), None, "{wrong}");
        }
    }
}
