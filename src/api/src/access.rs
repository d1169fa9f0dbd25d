//! `/v1/access`: who read, exported and managed what.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::keys::KeyName;

/// The parameters, each once.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AccessQuestion {
    /// Recorded at this time or later: RFC 3339, or a day such as 2026-01-31, which is its start in UTC.
    #[param(format = DateTime)]
    pub from: Option<String>,
    /// Recorded before this time: RFC 3339, or a day, which is excluded whole.
    #[param(format = DateTime)]
    pub to: Option<String>,
    /// The `next_start` of the previous page.
    #[param(maximum = 1_099_511_627_775_u64)]
    pub start: Option<u64>,
    /// Maximum accesses per page; default 100.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<usize>,
}

/// A page of accesses.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AccessPage {
    pub accesses: Vec<ListedAccess>,
    /// Value of `start` for the next page; absent on the last page.
    pub next_start: Option<u64>,
}

/// An access as it is listed.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ListedAccess {
    /// The entry that records it.
    pub seq: u64,
    /// When.
    pub recorded_at: String,
    /// What was done: `trailkeep.access`, `trailkeep.export`, `trailkeep.key.create` and so on.
    pub action: String,
    /// Details from the entry.
    #[schema(value_type = Object)]
    pub detail: Value,
    /// What the API key of `detail.by` is called, where it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_name: Option<KeyName>,
}

/// Of the details, those that most entries have. What they hold depends on the action.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AccessDetail {
    /// Which API key, or `local`.
    #[serde(default)]
    pub by: Value,
    /// Of a read: what was asked.
    #[serde(default)]
    pub route: Option<String>,
    /// Events that were shown.
    pub events: Option<Value>,
    /// Entries that were exported.
    #[serde(default)]
    pub entries: Value,
    /// How often it was asked.
    #[serde(default)]
    pub count: Value,
    /// The stated purpose.
    #[serde(default)]
    pub purpose: Value,
}

impl ListedAccess {
    /// The details that most entries have.
    pub fn said(&self) -> AccessDetail {
        AccessDetail::deserialize(&self.detail).unwrap_or_default()
    }
}
