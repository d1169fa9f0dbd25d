//! `/v1/triggers`: what starts retention clocks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A retention trigger to fire.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTrigger {
    /// Its name in the policies.
    pub name: String,
    /// The record, as in `retention.record` of the events.
    pub record: String,
    /// Time of the trigger: RFC 3339, or a day, which is its start in UTC; not in the future.
    #[schema(format = DateTime)]
    pub at: String,
}

/// A fired trigger.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ListedTrigger {
    pub name: String,
    pub record: String,
    pub at: String,
    /// When it was recorded.
    pub fired_at: String,
    pub by: String,
    /// The entry that records it.
    pub seq: u64,
}

/// Fired triggers.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct TriggerList {
    pub triggers: Vec<ListedTrigger>,
}
