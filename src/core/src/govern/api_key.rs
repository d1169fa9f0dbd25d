//! Creating, listing and revoking API keys, recorded before it holds.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::journal::Journal;
use crate::journal::append::{AppendError, append_changing};
use crate::keys::api_key::{KeyName, SECRET_BYTES, Sealed, TOKEN_PREFIX, open};
use crate::keys::keyring::KeyError;
use crate::keys::role::Role;
use crate::keys::rows::Changes;
use crate::tenant::Tenant;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_policy::CalendarPeriod;
use trailkeep_proof::ids::{TenantName, hex};
use trailkeep_proof::system::{KeyRevokeSection, KeySection, SystemEvent};
use trailkeep_proof::time::UnixMillis;

/// A key as listed, without its secret or the secret's hash.
#[derive(Clone, Debug)]
pub struct ListedKey {
    /// Its id.
    pub id: String,
    /// Its role.
    pub role: Role,
    /// Whose it is.
    pub tenant: String,
    /// When it was created (RFC 3339, UTC).
    pub created_at: String,
    /// When it expires; absent: never.
    pub expires_at: Option<String>,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// When it was last used, to the hour before a restart.
    pub last_used_at: Option<String>,
    /// What it is called, and who answers for it.
    pub name: KeyName,
}

/// Characters of a label or an owner, at most.
const NAME_CHARACTERS_MAX: usize = 64;

/// A key that was made just now.
pub struct CreatedKey {
    /// Its id.
    pub id: String,
    /// The token: it is shown this once.
    pub token: Zeroizing<String>,
    /// When it ends.
    pub expires_at: Option<UnixMillis>,
}

/// Why a key was not made or revoked.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    /// The tenant has no such key.
    #[error("API key not found: `trailkeep key list` shows the ids")]
    NoSuchKey,
    /// A period that leads beyond the calendar.
    #[error("an API key cannot expire after the year 9999")]
    Expiry,
    /// A label or an owner that is no line of 1 to 64 characters.
    #[error("`{0}` of an API key must be a line of 1 to {NAME_CHARACTERS_MAX} characters")]
    Name(&'static str),
    /// It could not be recorded, so it was not done.
    #[error("nothing was changed, because the ledger could not record it: {0}")]
    Record(#[from] Box<AppendError>),
    /// The vault failed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// The first key of a tenant, an admin's. The ledger's first entries state it; then it is stored.
pub struct FirstKey {
    id: String,
    by: String,
    secret: Zeroizing<[u8; SECRET_BYTES]>,
}

impl FirstKey {
    /// A key that is made by `init`, or by the operator's key of this id.
    pub fn new(by: &str) -> Result<Self, KeyError> {
        Ok(Self {
            id: hex(&random_bytes::<8>()?),
            by: by.to_owned(),
            secret: Zeroizing::new(random_bytes()?),
        })
    }

    /// Its public id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The entry that states it.
    pub(crate) fn stated(&self) -> SystemEvent {
        created(&self.id, Role::Admin, None, &self.by, &KeyName::default())
    }

    /// Its row, as the entry that states it commits to it.
    pub(crate) fn put_into(
        &self,
        changes: &mut Changes,
        tenant: &TenantName,
        now: UnixMillis,
    ) -> Result<(), KeyError> {
        let sealed = Sealed::new(tenant, Role::Admin, &self.secret, (now, None));
        changes.put_key(&self.id, &sealed)
    }

    /// The token that opens the tenant, once its row stands.
    pub fn token(&self) -> Zeroizing<String> {
        token(Role::Admin, &self.id, &self.secret)
    }
}

/// Makes a key, after recording that it is made.
pub fn create(
    journal: &Journal,
    tenant: &Tenant,
    role: Role,
    expires_after: Option<CalendarPeriod>,
    name: KeyName,
    by: &str,
) -> Result<CreatedKey, ManageError> {
    check_name(&name)?;
    let now = journal.clock.wall();
    let expires_at = expires_after
        .map(|period| period.after(now).ok_or(ManageError::Expiry))
        .transpose()?;
    let id = hex(&random_bytes::<8>().map_err(KeyError::from)?);
    let stated = created(&id, role, expires_at, by, &name);
    let secret = Zeroizing::new(random_bytes().map_err(KeyError::from)?);
    let mut sealed = Sealed::new(tenant.name(), role, &secret, (now, expires_at));
    sealed.name = name;
    record(journal, tenant, &stated, (&id, &sealed))?;
    Ok(CreatedKey {
        token: token(role, &id, &secret),
        id,
        expires_at,
    })
}

/// Revokes a key of the tenant, after recording it. A second time changes nothing.
pub fn revoke(journal: &Journal, tenant: &Tenant, id: &str, by: &str) -> Result<(), ManageError> {
    // A row is read before it is written.
    let _one = journal.locks.creation();
    let vault = journal.keyring.vault();
    let row = vault.api_key(id).map_err(KeyError::from)?;
    let row = row.ok_or(ManageError::NoSuchKey)?;
    let mut sealed = open(&journal.keyring, &row)?;
    if sealed.tenant != tenant.name().as_str() {
        return Err(ManageError::NoSuchKey);
    }
    if sealed.revoked_at_ms.is_some() {
        return Ok(());
    }
    let key = KeyRevokeSection {
        id: id.to_owned(),
        role: sealed.role.to_string(),
        by: by.to_owned(),
    };
    sealed.revoked_at_ms = Some(journal.clock.wall().get());
    record(
        journal,
        tenant,
        &SystemEvent::KeyRevoke { key },
        (id, &sealed),
    )
}

/// The keys of a tenant, the oldest first.
pub fn list(journal: &Journal, tenant: &Tenant) -> Result<Vec<ListedKey>, KeyError> {
    let uses = journal.keyring.last_uses().known(&journal.keyring)?;
    let time = |millis| UnixMillis::new(millis).to_string();
    let mut keys = keys_of(journal, tenant)?;
    keys.sort_by_key(|(_, sealed)| sealed.created_at_ms);
    let listed = |(id, sealed): (String, Sealed)| ListedKey {
        last_used_at: uses.get(&id).copied().map(time),
        name: sealed.name,
        id,
        role: sealed.role,
        tenant: sealed.tenant,
        created_at: time(sealed.created_at_ms),
        expires_at: sealed.expires_at_ms.map(time),
        revoked_at: sealed.revoked_at_ms.map(time),
    };
    Ok(keys.into_iter().map(listed).collect())
}

/// What the tenant's keys are called, by id: for what shows a key's id. Keys without a name are left out.
pub fn names(journal: &Journal, tenant: &Tenant) -> Result<HashMap<String, KeyName>, KeyError> {
    let keys = keys_of(journal, tenant)?.into_iter();
    let named = keys.filter(|(_, sealed)| sealed.name != KeyName::default());
    Ok(named.map(|(id, sealed)| (id, sealed.name)).collect())
}

fn keys_of(journal: &Journal, tenant: &Tenant) -> Result<Vec<(String, Sealed)>, KeyError> {
    let mut keys = Vec::new();
    for row in journal.keyring.vault().api_keys()? {
        let sealed = open(&journal.keyring, &row)?;
        if sealed.tenant == tenant.name().as_str() {
            keys.push((row.id, sealed));
        }
    }
    Ok(keys)
}

/// The entry that states a new key.
fn created(
    id: &str,
    role: Role,
    expires_at: Option<UnixMillis>,
    by: &str,
    name: &KeyName,
) -> SystemEvent {
    SystemEvent::KeyCreate {
        key: KeySection {
            id: id.to_owned(),
            role: role.to_string(),
            expires_at: expires_at.map(|moment| moment.to_string()),
            by: by.to_owned(),
            label: name.label.clone(),
            owner: name.owner.clone(),
        },
    }
}

fn check_name(name: &KeyName) -> Result<(), ManageError> {
    for (member, text) in [("label", &name.label), ("owner", &name.owner)] {
        let is_line = |text: &String| {
            !text.trim().is_empty()
                && text.chars().count() <= NAME_CHARACTERS_MAX
                && !text.contains(char::is_control)
        };
        if text.as_ref().is_some_and(|text| !is_line(text)) {
            return Err(ManageError::Name(member));
        }
    }
    Ok(())
}

fn record(
    journal: &Journal,
    tenant: &Tenant,
    event: &SystemEvent,
    (id, sealed): (&str, &Sealed),
) -> Result<(), ManageError> {
    let mut changes = Changes::default();
    changes.put_key(id, sealed)?;
    append_changing(journal, tenant.active(), event, changes)
        .map(drop)
        .map_err(|error| Box::new(error).into())
}

fn token(role: Role, id: &str, secret: &[u8; SECRET_BYTES]) -> Zeroizing<String> {
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret));
    Zeroizing::new(format!("{TOKEN_PREFIX}{role}_{id}_{}", *secret))
}
