//! Creating and listing tenants: each has a ledger, an origin, keys and API keys of its own, and never meets another.

use zeroize::Zeroizing;

use crate::failpoint::FailPoint;
use crate::govern::api_key::FirstKey;
use crate::govern::create_ledger::{CreateLedgerError, found};
use crate::govern::creation;
use crate::journal::Journal;
use crate::journal::append::{AppendError, append_system};
use crate::keys::keyring::KeyError;
use crate::tenant::Tenant;
use trailkeep_ports::{LedgerRecord, StoreError};
use trailkeep_proof::ids::{LedgerNumber, NameError, Origin, TenantName};
use trailkeep_proof::ledger::note::public_key_pem;
use trailkeep_proof::system::{SystemEvent, TenantSection};
use trailkeep_proof::time::UnixMillis;

/// A tenant that was made just now.
pub struct CreatedTenant {
    /// Its ledger's origin.
    pub origin: Origin,
    /// Its ledger's public key.
    pub public_key_pem: String,
    /// The same as a C2SP verifier key.
    pub vkey: String,
    /// The token of its first API key, of an admin: it is shown this once.
    pub token: Zeroizing<String>,
}

/// A tenant as it is listed.
#[derive(Clone, Debug)]
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
    /// How long a request that is filed from now on keeps whom it was about, in ISO 8601.
    pub keep_requests: String,
    /// Names of its superseded ledgers, for `--ledger`.
    pub closed_ledgers: Vec<String>,
}

/// Why a tenant was not made.
#[derive(Debug, thiserror::Error)]
pub enum TenantError {
    /// It is there, or was.
    #[error("tenant name `{0}` is or was in use: a name is never reused")]
    Exists(TenantName),
    /// It could not be recorded, so it was not done.
    #[error("nothing was changed, because the ledger could not record it: {0}")]
    Record(Box<AppendError>),
    /// Its ledger can't be begun.
    #[error(transparent)]
    Found(#[from] CreateLedgerError),
    /// Its API key can't be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log's name is damaged.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Makes a tenant. The operator's ledger records it first.
pub fn create(
    journal: &Journal,
    operator: &Tenant,
    name: &TenantName,
    by: &str,
) -> Result<CreatedTenant, TenantError> {
    // One at a time: a name and a number are looked up before they are taken.
    let _one = journal.locks.creation();
    let operator = operator.active();
    let ledgers = journal.ledgers.ledgers()?;
    // The vault also knows those that an older ledger.db does not.
    let lost = journal.keyring.vault().ledgers()?;
    if ledgers
        .iter()
        .chain(&lost)
        .any(|record| record.tenant == *name)
    {
        return Err(TenantError::Exists(name.clone()));
    }
    let known = ledgers.iter().map(|record| record.number);
    let last = known.chain(journal.keyring.vault().last_ledger()?).max();
    let record = LedgerRecord {
        number: LedgerNumber::new(last.map_or(1, |last| last.get() + 1)),
        origin: Origin::of(&operator.record.origin.log_name()?, name),
        tenant: name.clone(),
    };
    let event = SystemEvent::TenantCreate {
        tenant: TenantSection {
            tenant: name.to_string(),
            origin: record.origin.to_string(),
            by: by.to_owned(),
        },
    };
    let stated = append_system(&journal.writer, operator, &event)
        .map_err(|error| TenantError::Record(Box::new(error)))?;
    FailPoint::TenantStated.reach();
    let first_key = FirstKey::new(by)?;
    let (keyring, clock) = (&journal.keyring, &journal.clock);
    creation::begin(keyring, &record, stated, first_key.id())?;
    FailPoint::TenantNoted.reach();
    let ledgers = &journal.ledgers;
    let state = match found(keyring, ledgers, record, Some(&first_key), clock, None) {
        Ok(state) => state,
        Err(error) => {
            creation::clean_up(keyring, ledgers)?;
            return Err(error.into());
        }
    };
    creation::end(keyring, &state.ledger.record)?;
    let verifier = state.ledger.verifier.clone();
    let origin = state.ledger.record.origin.clone();
    journal.add_ledger(state);
    Ok(CreatedTenant {
        token: first_key.token(),
        public_key_pem: public_key_pem(verifier.public()),
        vkey: verifier.to_string(),
        origin,
    })
}

/// All tenants, by name.
pub fn list(journal: &Journal) -> Vec<ListedTenant> {
    let mut tenants: Vec<ListedTenant> = journal.tenants().iter().map(listed).collect();
    tenants.sort_by(|one, other| one.tenant.cmp(&other.tenant));
    tenants
}

/// One tenant as it is listed.
pub fn listed(tenant: &Tenant) -> ListedTenant {
    let (ledger, superseded) = (tenant.active(), tenant.superseded().iter());
    let settings = ledger.settings();
    let closed_at = settings.closed_at_ms.map(UnixMillis::new);
    ListedTenant {
        tenant: ledger.record.tenant.to_string(),
        origin: ledger.record.origin.to_string(),
        size: ledger.published().head.size,
        vkey: ledger.verifier.to_string(),
        closed_at: closed_at.map(|moment| moment.to_string()),
        public_log: settings.public_log,
        read_audit: settings.read_audit,
        strict: settings.strict,
        default_regimes: settings.default_regimes.clone(),
        unknown_regime: settings.unknown_regime.clone(),
        keep_requests: settings.keep_requests.to_string(),
        closed_ledgers: superseded.map(|ledger| ledger.name().to_owned()).collect(),
    }
}
