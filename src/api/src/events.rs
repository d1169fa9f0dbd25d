//! `/v1/events` and `/v1/entries`: in, and out again.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::openapi::{Object, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// What an application submits. The document has schema/event.schema.json in its place.
pub struct Event;

impl PartialSchema for Event {
    fn schema() -> RefOr<Schema> {
        Object::new().into()
    }
}

impl ToSchema for Event {}

/// An event, or several.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum Submission {
    One(Event),
    Many(Vec<Event>),
}

/// An event as it was recorded.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct RecordedEvent {
    /// Its id; entries of the server have none.
    pub id: Option<String>,
    /// Its place in the ledger.
    pub seq: u64,
    /// When it was recorded, by the server's clock (RFC 3339, UTC).
    pub recorded_at: String,
    /// Leaf hash of its entry, base64.
    pub leaf_hash: String,
    /// Its sections, each exactly as it came; `received` is the server's.
    #[schema(value_type = Object)]
    pub event: Box<RawValue>,
}

/// One event, recorded.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AppendedOne {
    pub id: String,
    /// Its place in the ledger.
    pub seq: u64,
    /// When it was recorded, by the server's clock (RFC 3339, UTC).
    pub recorded_at: String,
    /// Leaf hash of its entry, base64.
    pub leaf_hash: String,
    /// Proof that it is in the ledger: C2SP tlog-proof.
    pub receipt: String,
    /// Whether an event with the same content was already recorded; absent for a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub already_recorded: Option<bool>,
    /// Of one that had been recorded: whether its bytes are the recorded ones. Those are the evidence; where this is
    /// false, the same JSON values came in another spelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_bytes: Option<bool>,
}

/// Several events, recorded.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AppendedMany {
    /// Recorded by this request.
    pub accepted: usize,
    /// Already recorded with the same content.
    pub duplicates: usize,
    pub first_seq: Option<u64>,
    pub last_seq: Option<u64>,
    /// The events in the order in which they were sent.
    pub events: Vec<AppendedBrief>,
    /// Events that were recorded before and whose payloads were deleted since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub unavailable: Vec<AlreadyDeleted>,
    /// A signed checkpoint that covers all of them.
    pub checkpoint: String,
}

/// An event that was recorded before and whose payload was deleted since; nothing was written.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AlreadyDeleted {
    pub id: String,
    pub already_recorded: bool,
    /// It expired.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub expired: bool,
    /// It was erased.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AppendedBrief {
    pub id: String,
    pub seq: u64,
    pub leaf_hash: String,
    /// Whether an event with the same content was already recorded; absent for a new one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub already_recorded: Option<bool>,
    /// If it was already recorded: whether its bytes are the recorded ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_bytes: Option<bool>,
}

/// One event, or several.
#[derive(ToSchema)]
#[serde(untagged)]
pub enum AppendAnswer {
    One(AppendedOne),
    Many(AppendedMany),
}

/// What comes back, as clients read it: of one event, it may be that its payload was deleted since it was recorded.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Appended {
    One(AppendedOne),
    Many(AppendedMany),
    Deleted(AlreadyDeleted),
}
