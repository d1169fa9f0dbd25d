//! `/v1/sources`: gaps in producer sequence numbers.

use serde::{Deserialize, Serialize};
use trailkeep_proof::ledger::sources::Gap;
use utoipa::ToSchema;

/// The producers of a ledger's events.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct SourceList {
    pub sources: Vec<Source>,
    /// Events of further sources: the first 10,000 are listed.
    pub unattributed: u64,
}

/// A producer that numbers its events.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// Its events whose payloads are available.
    pub events: u64,
    /// The number of its last event.
    pub last_number: u64,
    /// How often its numbering restarted.
    pub restarts: u64,
    /// Events whose number another event of the source has.
    pub repeats: u64,
    /// Numbers between its first and its last that no event has.
    pub missing: u64,
    /// Of these, how many may be numbers of deleted events, of any source.
    pub may_be_deleted: u64,
    /// The first 100 ranges of missing numbers.
    pub gaps: Vec<Gap>,
}
