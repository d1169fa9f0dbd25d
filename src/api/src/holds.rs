//! `/v1/holds`: placed, listed and released.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::keys::KeyName;

/// A hold to place. It covers the events that match all given filters, later ones too.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHold {
    /// The matter or case.
    #[schema(min_length = 1, max_length = 1000)]
    pub matter: String,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
    /// Events about this data subject.
    pub subject: Option<HeldPerson>,
    /// Events under this regime.
    pub regime: Option<String>,
    /// Events with this action; `*` matches any characters.
    pub action: Option<String>,
    /// Recorded at this time or later: RFC 3339, or a day such as 2026-01-31, which is its start in UTC.
    #[schema(format = DateTime)]
    pub from: Option<String>,
    /// Recorded before this time: RFC 3339, or a day, which is excluded whole.
    #[schema(format = DateTime)]
    pub to: Option<String>,
    /// ISO 8601 period after which it is due for review; default P6M.
    pub review: Option<String>,
    /// Whether a hold that covers no event now is refused.
    #[serde(default)]
    pub require_match: bool,
}

/// A data subject in a hold's scope.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeldPerson {
    /// The identifier.
    pub id: String,
    /// Which system it belongs to; empty for the tenant's own.
    #[serde(default)]
    pub namespace: String,
}

/// A placed hold, and which events were already deleted.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct PlacedHold {
    /// Its id.
    pub id: String,
    /// The entry that records it.
    pub seq: u64,
    /// When it is due for review.
    pub review_at: Option<String>,
    /// Events that it covers now; it also covers later events that match.
    pub covers_events: u64,
    /// Where it covers none and names a data subject: events about the same id in other namespaces, of the newest
    /// 100,000.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_namespaces: Option<u64>,
    /// Events that were due for deletion and that the hold keeps now.
    pub late: u64,
    /// Statements by which events were deleted that the hold may have covered.
    pub already_deleted: Vec<TooLate>,
}

/// A deletion before a hold.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct TooLate {
    /// The statement.
    pub statement: u64,
    /// The class that expired.
    pub class: u16,
    /// Up to when.
    pub recorded_before: String,
}

/// A hold as listed. Matter, reason and data subject are stored in the vault only.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ListedHold {
    pub id: String,
    pub matter: String,
    pub reason: String,
    pub subject: Option<HeldPerson>,
    pub regime: Option<String>,
    pub action: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub placed_at: String,
    pub placed_by: String,
    /// What the API key `placed_by` is called, where it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_by_name: Option<KeyName>,
    /// The entry that records it.
    pub placed_seq: u64,
    pub review_at: Option<String>,
    pub review_is_due: bool,
    /// Events that it covers now; null if it is released, or if counting would decrypt too many payloads.
    pub covers_events: Option<u64>,
    /// Its end.
    pub lifted: Option<ListedLift>,
    /// The data subject request that implies it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// When the server releases it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// The release of a hold.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ListedLift {
    pub at: String,
    pub by: String,
    /// What the API key `by` is called, where it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_name: Option<KeyName>,
    pub reason: String,
    /// The entry that records it.
    pub seq: u64,
}

/// Holds.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct HoldList {
    pub holds: Vec<ListedHold>,
}

/// Why a hold is released.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldLift {
    #[schema(min_length = 1, max_length = 1000)]
    pub reason: String,
}
