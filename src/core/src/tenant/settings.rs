//! What is set for one tenant. A change is an entry of the tenant's ledger before it holds.

use serde::{Deserialize, Serialize};

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records;
use crate::keys::records::{Record, TENANT_ROW};
use crate::tenant::keep_requests::KeepRequests;
use trailkeep_ports::LedgerRecord;

/// The settings of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantSettings {
    /// When the tenant was closed: it takes no event from then on.
    pub closed_at_ms: Option<u64>,
    /// Whether checkpoints and tiles are answered to everybody.
    pub public_log: bool,
    /// Whether reads of events are recorded.
    pub read_audit: bool,
    /// Whether events are refused that lack what their policies ask for, or whose times are odd.
    pub strict: bool,
    /// Regimes of events that name none; none: `default-90d`.
    pub default_regimes: Vec<String>,
    /// Regime of telemetry that names one without a policy; absent: the default ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_regime: Option<String>,
    /// How long a request that is filed from now on keeps whom it was about.
    #[serde(default, skip_serializing_if = "KeepRequests::is_default")]
    pub keep_requests: KeepRequests,
}

impl Default for TenantSettings {
    fn default() -> Self {
        Self {
            closed_at_ms: None,
            public_log: false,
            read_audit: true,
            strict: false,
            default_regimes: Vec::new(),
            unknown_regime: None,
            keep_requests: KeepRequests::default(),
        }
    }
}

impl Record for TenantSettings {
    const KIND: &'static str = crate::keys::rows::SETTINGS;
    const WHAT: &'static str = "a tenant's settings";
}

/// The settings of a tenant, from the vault. Every ledger has them from its beginning: a missing row was
/// taken away.
pub(crate) fn load(keyring: &Keyring, ledger: &LedgerRecord) -> Result<TenantSettings, KeyError> {
    let mut rows = records::all::<TenantSettings>(keyring, ledger)?.into_iter();
    match (rows.next(), rows.next()) {
        (Some((id, settings)), None) if id == TENANT_ROW => Ok(settings),
        _ => Err(KeyError::DoesNotOpen(TenantSettings::WHAT)),
    }
}

/// Gives a ledger that continues another one the settings of that.
pub(crate) fn keep_for(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    settings: &TenantSettings,
) -> Result<(), KeyError> {
    records::put(keyring, ledger, TENANT_ROW, settings)
}
