//! Changing what is set for a tenant, and closing it; recorded before it holds.

use crate::ingest;
use crate::ingest::{Inbox, StagingError};
use crate::journal::Journal;
use crate::journal::append::{AppendError, append_changing};
use crate::journal::class::{ClassError, policies_of};
use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::records::{self, TENANT_ROW};
use crate::keys::rows::Changes;
use crate::tenant::Tenant;
use crate::tenant::keep_requests::{KeepRequests, KeepRequestsError};
use crate::tenant::settings::{TenantSettings, load};
use trailkeep_ports::LedgerRecord;
use trailkeep_proof::ids::Seq;
use trailkeep_proof::system::{SystemEvent, TenantCloseSection, TenantSetSection};
use trailkeep_proof::time::UnixMillis;

/// A change of settings; absent members stay.
#[derive(Clone, Debug, Default)]
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
    /// Sets how long requests that are filed from then on keep whom they were about: an ISO 8601 period of P30D to P6Y.
    pub keep_requests: Option<String>,
}

/// Why settings were not changed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// No policy is of a regime.
    #[error(transparent)]
    Regime(#[from] ClassError),
    /// Requests can't be kept for so long, or so short.
    #[error("`keep_requests`: {0}")]
    KeepRequests(#[from] KeepRequestsError),
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

/// Takes over the settings that a statement sets, in a vault that lacks them; `false` where it does not understand one.
pub(crate) fn take_over(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    stated: &TenantSetSection,
) -> Result<bool, KeyError> {
    let keep_requests = match stated.keep_requests.as_deref().map(KeepRequests::parse) {
        None => KeepRequests::default(),
        Some(Ok(keep)) => keep,
        Some(Err(_)) => return Ok(false),
    };
    let settings = TenantSettings {
        public_log: stated.public_log,
        read_audit: stated.read_audit,
        strict: stated.strict,
        default_regimes: stated.default_regimes.clone(),
        unknown_regime: stated.unknown_regime.clone(),
        keep_requests,
        closed_at_ms: load(keyring, ledger)?.closed_at_ms,
    };
    records::put(keyring, ledger, TENANT_ROW, &settings)?;
    Ok(true)
}

/// Closes a tenant in a vault that lacks its closing.
pub(crate) fn take_over_close(
    keyring: &Keyring,
    ledger: &LedgerRecord,
    at_ms: u64,
) -> Result<bool, KeyError> {
    let mut settings = load(keyring, ledger)?;
    settings.closed_at_ms = Some(at_ms);
    records::put(keyring, ledger, TENANT_ROW, &settings)?;
    Ok(true)
}

/// Changes settings; recorded first.
pub fn change(
    journal: &Journal,
    tenant: &Tenant,
    change: &SettingsChange,
    by: &str,
) -> Result<TenantSettings, SettingsError> {
    let _one = journal.locks.creation();
    let ledger = tenant.active();
    let mut settings = (*ledger.settings()).clone();
    settings.public_log = change.public_log.unwrap_or(settings.public_log);
    settings.read_audit = change.read_audit.unwrap_or(settings.read_audit);
    settings.strict = change.strict.unwrap_or(settings.strict);
    if let Some(regimes) = &change.default_regimes {
        policies_of(&journal.policies, &[], regimes, "")?;
        settings.default_regimes.clone_from(regimes);
    }
    if let Some(regime) = &change.unknown_regime {
        settings.unknown_regime = Some(regime.clone()).filter(|regime| !regime.is_empty());
        let named: Vec<String> = settings.unknown_regime.iter().cloned().collect();
        policies_of(&journal.policies, &[], &named, "")?;
    }
    if let Some(period) = &change.keep_requests {
        settings.keep_requests = KeepRequests::parse(period)?;
    }
    if settings == *ledger.settings() {
        return Ok(settings);
    }
    let event = SystemEvent::TenantSet {
        tenant: TenantSetSection {
            public_log: settings.public_log,
            read_audit: settings.read_audit,
            strict: settings.strict,
            default_regimes: settings.default_regimes.clone(),
            unknown_regime: settings.unknown_regime.clone(),
            keep_requests: Some(settings.keep_requests)
                .filter(|keep| !keep.is_default())
                .map(String::from),
            by: by.to_owned(),
        },
    };
    record(journal, tenant, &event, &settings)?;
    ledger.set_settings(settings.clone());
    Ok(settings)
}

/// Closes a tenant: its ledger takes no event after the entry that says so. Gives that entry's seq, and when.
pub fn close(
    inbox: &Inbox,
    tenant: &Tenant,
    by: &str,
) -> Result<(Option<Seq>, UnixMillis), SettingsError> {
    let _one = inbox.journal.locks.creation();
    let ledger = tenant.active();
    let mut settings = (*ledger.settings()).clone();
    if let Some(closed_at) = settings.closed_at_ms {
        return Ok((None, UnixMillis::new(closed_at)));
    }
    // What was acknowledged becomes events before there can be no more.
    ingest::finish(inbox, tenant)?;
    let now = inbox.journal.clock.wall();
    // The writer refuses events from here on, so that the entry comes after the last of them.
    let before = ledger.settings();
    settings.closed_at_ms = Some(now.get());
    ledger.set_settings(settings.clone());
    let event = SystemEvent::TenantClose {
        tenant: TenantCloseSection {
            by: by.to_owned(),
            entries_before: ledger.published().head.size,
        },
    };
    match record(&inbox.journal, tenant, &event, &settings) {
        Ok(seq) => Ok((Some(seq), now)),
        Err(error) => {
            ledger.set_settings((*before).clone());
            ingest::go_on(inbox, tenant);
            Err(error)
        }
    }
}

fn record(
    journal: &Journal,
    tenant: &Tenant,
    event: &SystemEvent,
    settings: &TenantSettings,
) -> Result<Seq, SettingsError> {
    let mut changes = Changes::default();
    let ledger = tenant.active();
    changes.put(&journal.keyring, &ledger.record, TENANT_ROW, settings)?;
    append_changing(journal, ledger, event, changes)
        .map_err(|error| SettingsError::Record(Box::new(error)))
}
