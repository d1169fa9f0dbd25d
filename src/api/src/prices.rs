//! `/v1/prices`: price tables of model calls.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A price table to set.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPrices {
    /// The table in its canonical form (docs/format.md, "Price table"); `trailkeep prices set` makes it from a file.
    #[schema(value_type = Object)]
    pub table: serde_json::Value,
    /// Whether it is imported data, which the operator's and the tenant's own tables come before.
    #[serde(default)]
    pub imported: bool,
}

/// A price table as it is listed.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ListedPrices {
    /// Its number, from 1.
    pub number: u32,
    /// Where it stands: `imported`, `operator` or `tenant`. A later one of these comes before an earlier.
    pub layer: String,
    /// The day whose prices it says to have.
    pub dated: String,
    /// SHA-256 of its canonical form.
    pub sha256: String,
    /// How many prices it has.
    pub prices: u64,
    /// When it was set (RFC 3339, UTC).
    pub set_at: String,
    /// Id of the API key that set it, or `local`.
    pub by: String,
    /// The entry that states it.
    pub seq: u64,
    /// Origin of that entry's ledger.
    pub ledger: String,
    /// Whether it is in force.
    pub in_force: bool,
}

/// The price tables of a tenant.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct PricesList {
    /// Oldest first.
    pub tables: Vec<ListedPrices>,
}

/// A price table.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ShownPrices {
    #[serde(flatten)]
    pub listed: ListedPrices,
    /// The table in its canonical form, while it is in force. The entry of an older table has its prices.
    #[schema(value_type = Option<Object>)]
    pub table: Option<serde_json::Value>,
}
