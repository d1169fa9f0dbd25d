//! `/v1/tenants`: made and listed by the operator.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tenant to create.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// Its name, which is never reused.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
    pub name: String,
}

/// A created tenant.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
pub struct MadeTenant {
    pub tenant: String,
    /// Its ledger's origin.
    pub origin: String,
    /// The token of its first API key, with the role admin; only this answer has it.
    pub token: String,
    /// Its ledger's public key, in PEM.
    pub public_key: String,
    /// The same as a C2SP verifier key.
    pub vkey: String,
}

/// A tenant as it is listed.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ListedTenant {
    /// Its name.
    pub tenant: String,
    /// Its ledger's origin.
    pub origin: String,
    /// Entries of its ledger.
    pub size: u64,
    /// Its ledger's public key, as a C2SP verifier key.
    pub vkey: String,
    /// When it was closed (RFC 3339, UTC).
    pub closed_at: Option<String>,
    /// Whether its checkpoints and tiles are public.
    pub public_log: bool,
    /// Whether reads of its events are recorded.
    pub read_audit: bool,
    /// Whether events are refused that lack fields their policies require.
    pub strict: bool,
    /// Regimes of events that name none.
    pub default_regimes: Vec<String>,
    /// Regime of telemetry that names one without a policy; absent: the default ones.
    pub unknown_regime: Option<String>,
    /// How long a data subject request that is filed from now on keeps whom it was about, from its answer or end (ISO 8601).
    pub keep_requests: String,
    /// Names of its superseded ledgers, for `--ledger`.
    pub closed_ledgers: Vec<String>,
}

/// Tenants.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct TenantList {
    pub tenants: Vec<ListedTenant>,
}

/// A change of settings; absent members stay.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SettingsChange {
    /// Makes checkpoints and tiles public, or private.
    pub public_log: Option<bool>,
    /// Switches the read audit on or off.
    pub read_audit: Option<bool>,
    /// Switches strict mode on or off.
    pub strict: Option<bool>,
    /// Sets the regimes of events that name none.
    pub default_regimes: Option<Vec<String>>,
    /// Sets the regime of telemetry that names one without a policy; an empty string: the default ones.
    pub unknown_regime: Option<String>,
    /// Sets how long data subject requests that are filed from then on keep whom they were about, from their answer or end: an
    /// ISO 8601 period of P30D, the default, to P6Y.
    #[schema(
        pattern = "^P(([3-9][0-9]|[1-9][0-9]{2}|1[0-9]{3})D|([5-9]|[1-9][0-9]|[12][0-9]{2})W|([2-9]|[1-6][0-9]|7[0-2])M|[1-5]Y(([1-9]|1[0-2])M)?|6Y)$",
        example = "P24M"
    )]
    pub keep_requests: Option<String>,
}

/// A closed tenant.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ClosedTenant {
    pub tenant: String,
    /// When it was closed (RFC 3339, UTC).
    pub closed_at: String,
    /// The entry of its ledger that records it; absent if it was closed before.
    pub seq: Option<u64>,
}
