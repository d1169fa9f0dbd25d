//! What is set for one tenant. A change is an entry of the tenant's ledger before it holds.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Engine;
use super::append::{AppendError, append_changing};
use super::classes::{ClassError, policies_of};
use super::keyring::{KeyError, Keyring};
use super::records::{self, Record};
use super::rows::Changes;
use super::staging::{self, StagingError};
use super::tenant::Tenant;
use trailkeep_ports::LedgerRecord;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::ledger::action::SystemAction;
use trailkeep_proof::time::UnixMillis;

/// A tenant has one row of settings.
pub(super) const ROW_ID: &str = "tenant";

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
        }
    }
}

impl Record for TenantSettings {
    const KIND: &'static str = "settings";
    const WHAT: &'static str = "a tenant's settings";
}

/// A change of settings; absent members stay.
#[derive(Clone, Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
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
}

/// Why settings were not changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No policy is of a regime.
    #[error(transparent)]
    Regime(#[from] ClassError),
    /// It could not be recorded, so it was not done.
    #[error("nothing was changed, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What waited could not become events.
    #[error(transparent)]
    Telemetry(#[from] StagingError),
}

/// The settings of a tenant, from the vault. Every ledger has them from its beginning: a missing row was
/// taken away.
pub(super) fn load(keyring: &Keyring, ledger: &LedgerRecord) -> Result<TenantSettings, KeyError> {
    let mut rows = records::all::<TenantSettings>(keyring, ledger)?.into_iter();
    match (rows.next(), rows.next()) {
        (Some((id, settings)), None) if id == ROW_ID => Ok(settings),
        _ => Err(KeyError::DoesNotOpen(TenantSettings::WHAT)),
    }
}

/// Gives a ledger that continues another one the settings of that.
pub(super) fn keep_for(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    settings: &TenantSettings,
) -> Result<(), KeyError> {
    records::put(keyring, ledger, ROW_ID, settings)
}

/// Takes over the settings that a statement says, in a vault that lacks them; `false` where it says something else.
pub(super) fn take_over(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    said: &serde_json::Value,
) -> Result<bool, KeyError> {
    let before = load(keyring, ledger)?;
    let mut said = said.clone();
    if let Some(members) = said.as_object_mut() {
        members.remove("by");
        members.insert("closed_at_ms".to_owned(), json!(before.closed_at_ms));
    }
    let Ok(settings) = serde_json::from_value::<TenantSettings>(said) else {
        return Ok(false);
    };
    records::put(keyring, ledger, ROW_ID, &settings)?;
    Ok(true)
}

/// Closes a tenant in a vault that lacks its closing.
pub(super) fn take_over_close(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    at_ms: u64,
) -> Result<bool, KeyError> {
    let mut settings = load(keyring, ledger)?;
    settings.closed_at_ms = Some(at_ms);
    records::put(keyring, ledger, ROW_ID, &settings)?;
    Ok(true)
}

/// Changes settings; recorded first.
pub fn change(
    engine: &Engine,
    tenant: &Tenant,
    change: &SettingsChange,
    by: &str,
) -> Result<TenantSettings, SettingsError> {
    let _one = engine.creation();
    let ledger = tenant.active();
    let mut settings = (*ledger.settings()).clone();
    settings.public_log = change.public_log.unwrap_or(settings.public_log);
    settings.read_audit = change.read_audit.unwrap_or(settings.read_audit);
    settings.strict = change.strict.unwrap_or(settings.strict);
    if let Some(regimes) = &change.default_regimes {
        policies_of(&engine.policies, &[], regimes, "")?;
        settings.default_regimes.clone_from(regimes);
    }
    if let Some(regime) = &change.unknown_regime {
        settings.unknown_regime = Some(regime.clone()).filter(|regime| !regime.is_empty());
        let named: Vec<String> = settings.unknown_regime.iter().cloned().collect();
        policies_of(&engine.policies, &[], &named, "")?;
    }
    if settings == *ledger.settings() {
        return Ok(settings);
    }
    let mut said = json!({
        "public_log": settings.public_log,
        "read_audit": settings.read_audit,
        "strict": settings.strict,
        "default_regimes": settings.default_regimes,
        "by": by,
    });
    if let Some(regime) = &settings.unknown_regime {
        said["unknown_regime"] = regime.as_str().into();
    }
    record(engine, tenant, SystemAction::TenantSet, &said, &settings)?;
    ledger.set_settings(settings.clone());
    Ok(settings)
}

/// Closes a tenant: its ledger takes no event after the entry that says so. Gives that entry's seq, and when.
pub fn close(
    engine: &Engine,
    tenant: &Tenant,
    by: &str,
) -> Result<(Option<Seq>, UnixMillis), SettingsError> {
    let _one = engine.creation();
    let ledger = tenant.active();
    let mut settings = (*ledger.settings()).clone();
    if let Some(closed_at) = settings.closed_at_ms {
        return Ok((None, UnixMillis::new(closed_at)));
    }
    // What was acknowledged becomes events before there can be no more.
    staging::finish(engine, tenant)?;
    let now = engine.clock.wall();
    // The writer refuses events from here on, so that the entry comes after the last of them.
    let before = ledger.settings();
    settings.closed_at_ms = Some(now.get());
    ledger.set_settings(settings.clone());
    let said = json!({ "by": by, "entries_before": ledger.published().head.size });
    match record(engine, tenant, SystemAction::TenantClose, &said, &settings) {
        Ok(seq) => Ok((Some(seq), now)),
        Err(error) => {
            ledger.set_settings((*before).clone());
            staging::go_on(engine, tenant);
            Err(error)
        }
    }
}

fn record(
    engine: &Engine,
    tenant: &Tenant,
    action: SystemAction,
    said: &serde_json::Value,
    settings: &TenantSettings,
) -> Result<Seq, SettingsError> {
    let mut changes = Changes::default();
    let ledger = tenant.active();
    changes.put(&engine.keyring, &ledger.record, ROW_ID, settings)?;
    let said = said.to_string();
    let sections: [(&str, &[u8]); 2] = [("action", action.section()), ("tenant", said.as_bytes())];
    append_changing(engine, ledger, &sections, changes)
        .map_err(|error| SettingsError::Record(Box::new(error)))
}
