//! `/v1/policies`: what policies found.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Fields that recorded events lack.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct GapList {
    pub gaps: Vec<ListedGap>,
}

/// Something that a policy requires and events lack.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ListedGap {
    /// The policy.
    pub policy: String,
    /// `missing` and the field, or what is odd.
    pub what: String,
    /// Number of events, of all ever recorded.
    pub events: u64,
    /// The first of them.
    pub first_seq: u64,
    /// The last.
    pub last_seq: u64,
}
