//! API keys: made, shown once, stored as a hash that is sealed with what the key may do.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::Engine;
use super::access::Role;
use super::append::{AppendError, append_changing};
use super::keyring::{KeyError, Keyring};
use super::rows::{Changes, Row};
use super::tenant::Tenant;
use trailkeep_crypto::secret::random_bytes;
use trailkeep_policy::CalendarPeriod;
use trailkeep_ports::ApiKeyRow;
use trailkeep_proof::ids::{TenantName, hex};
use trailkeep_proof::ledger::action::SystemAction;
use trailkeep_proof::time::UnixMillis;

/// Begins every token, so that secret scanners find one that leaked.
const TOKEN_PREFIX: &str = "trailkeep_";
/// Bytes of a secret.
const SECRET_BYTES: usize = 32;

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Id of the API key; `local` for a command on the machine itself.
    pub key_id: String,
    /// Whose ledger it reads and writes.
    pub tenant: TenantName,
    /// Its role.
    pub role: Role,
}

/// What stands in the vault, sealed. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
struct Sealed {
    tenant: String,
    role: Role,
    secret_sha256: [u8; 32],
    #[serde(default)]
    created_at_ms: u64,
    #[serde(default)]
    expires_at_ms: Option<u64>,
    #[serde(default)]
    revoked_at_ms: Option<u64>,
}

/// A key as listed, without its secret or the secret's hash.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
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
}

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
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The section `key` of the entry that states it.
    pub(super) fn section(&self) -> String {
        said_of_new(&self.id, Role::Admin, None, &self.by)
    }

    /// Its row, as the entry that states it commits to it.
    pub(super) fn put_into(
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

impl Sealed {
    fn new(
        tenant: &TenantName,
        role: Role,
        secret: &[u8; SECRET_BYTES],
        (now, expires_at): (UnixMillis, Option<UnixMillis>),
    ) -> Self {
        Self {
            tenant: tenant.as_str().to_owned(),
            role,
            secret_sha256: Sha256::digest(secret).into(),
            created_at_ms: now.get(),
            expires_at_ms: expires_at.map(UnixMillis::get),
            revoked_at_ms: None,
        }
    }
}

/// Makes a key, after recording that it is made.
pub fn create(
    engine: &Engine,
    tenant: &Tenant,
    role: Role,
    expires_after: Option<CalendarPeriod>,
    by: &str,
) -> Result<CreatedKey, ManageError> {
    let now = engine.clock.wall();
    let expires_at = expires_after
        .map(|period| period.after(now).ok_or(ManageError::Expiry))
        .transpose()?;
    let id = hex(&random_bytes::<8>().map_err(KeyError::from)?);
    let said = said_of_new(&id, role, expires_at, by);
    let secret = Zeroizing::new(random_bytes().map_err(KeyError::from)?);
    let sealed = Sealed::new(tenant.name(), role, &secret, (now, expires_at));
    record(
        engine,
        tenant,
        (SystemAction::KeyCreate, &said),
        (&id, &sealed),
    )?;
    Ok(CreatedKey {
        token: token(role, &id, &secret),
        id,
        expires_at,
    })
}

/// Revokes a key of the tenant, after recording it. A second time changes nothing.
pub fn revoke(engine: &Engine, tenant: &Tenant, id: &str, by: &str) -> Result<(), ManageError> {
    // A row is read before it is written.
    let _one = engine.creation();
    let vault = engine.keyring.vault();
    let row = vault.api_key(id).map_err(KeyError::from)?;
    let row = row.ok_or(ManageError::NoSuchKey)?;
    let mut sealed = open(&engine.keyring, &row)?;
    if sealed.tenant != tenant.name().as_str() {
        return Err(ManageError::NoSuchKey);
    }
    if sealed.revoked_at_ms.is_some() {
        return Ok(());
    }
    let said = json!({"id": id, "role": sealed.role, "by": by}).to_string();
    sealed.revoked_at_ms = Some(engine.clock.wall().get());
    record(
        engine,
        tenant,
        (SystemAction::KeyRevoke, &said),
        (id, &sealed),
    )
}

/// The keys of a tenant, the oldest first.
pub fn list(engine: &Engine, tenant: &Tenant) -> Result<Vec<ListedKey>, KeyError> {
    let mut keys = Vec::new();
    for row in engine.keyring.vault().api_keys()? {
        let sealed = open(&engine.keyring, &row)?;
        if sealed.tenant == tenant.name().as_str() {
            let time = |millis| UnixMillis::new(millis).to_string();
            let listed = ListedKey {
                id: row.id,
                role: sealed.role,
                tenant: sealed.tenant,
                created_at: time(sealed.created_at_ms),
                expires_at: sealed.expires_at_ms.map(time),
                revoked_at: sealed.revoked_at_ms.map(time),
            };
            keys.push((sealed.created_at_ms, listed));
        }
    }
    keys.sort_by_key(|(created_at_ms, _)| *created_at_ms);
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

/// Who has this token; none for a wrong, revoked or expired one.
///
/// A token whose id is unknown takes the same way as one whose secret is wrong, and the comparison is in
/// constant time: neither says how near a guess was.
pub fn authenticate(
    keyring: &Keyring,
    token: &str,
    now: UnixMillis,
) -> Result<Option<Principal>, KeyError> {
    let Some((role, id, secret)) = split(token) else {
        return Ok(None);
    };
    let row = keyring.vault().api_key(id)?;
    let sealed = row.map(|row| open(keyring, &row)).transpose()?;
    let hash: [u8; 32] = Sha256::digest(&*secret).into();
    let stored = sealed
        .as_ref()
        .map_or([0; 32], |sealed| sealed.secret_sha256);
    let is_right = bool::from(hash.ct_eq(&stored));
    let Some(sealed) = sealed.filter(|_| is_right) else {
        return Ok(None);
    };
    let is_over = sealed.revoked_at_ms.is_some()
        || sealed.expires_at_ms.is_some_and(|end| end <= now.get())
        || sealed.role != role;
    if is_over {
        return Ok(None);
    }
    let tenant =
        TenantName::new(&sealed.tenant).map_err(|_| KeyError::DoesNotOpen("an API key"))?;
    Ok(Some(Principal {
        key_id: id.to_owned(),
        tenant,
        role,
    }))
}

/// Revokes a key in a vault that lacks its revoking; `false` where it does not know the key.
pub(super) fn take_over_revoke(keyring: &Keyring, id: &str, at_ms: u64) -> Result<bool, KeyError> {
    let Some(row) = keyring.vault().api_key(id)? else {
        return Ok(false);
    };
    let mut sealed = open(keyring, &row)?;
    sealed.revoked_at_ms = Some(at_ms);
    let text = serde_json::to_string(&sealed).expect("it is plain data, which has a JSON form");
    let before = open_row(keyring, &row)?;
    let text = Row::changed(Some(before), Some(text)).unwrap_or_default();
    let (epoch, sealed) = keyring.seal(&text, &place(id))?;
    keyring.vault().replace_api_key(&ApiKeyRow {
        id: id.to_owned(),
        epoch,
        sealed,
    })?;
    Ok(true)
}

/// A stored key's row and its tenant; for verifying.
pub(super) fn row_of(keyring: &Keyring, row: &ApiKeyRow) -> Result<(Row, String), KeyError> {
    let tenant = open(keyring, row)?.tenant;
    Ok((open_row(keyring, row)?, tenant))
}

fn open_row(keyring: &Keyring, row: &ApiKeyRow) -> Result<Row, KeyError> {
    let text = keyring.unseal(row.epoch, &row.sealed, &place(&row.id), "an API key")?;
    Row::read(&text).ok_or(KeyError::DoesNotOpen("an API key"))
}

fn split(token: &str) -> Option<(Role, &str, Zeroizing<Vec<u8>>)> {
    let (role, rest) = token.strip_prefix(TOKEN_PREFIX)?.split_once('_')?;
    let (id, secret) = rest.split_once('_')?;
    let secret = URL_SAFE_NO_PAD.decode(secret).map(Zeroizing::new).ok()?;
    (secret.len() == SECRET_BYTES).then_some((role.parse().ok()?, id, secret))
}

/// What the entry says that records the making of a key.
fn said_of_new(id: &str, role: Role, expires_at: Option<UnixMillis>, by: &str) -> String {
    let expires_at = expires_at.map(|moment| moment.to_string());
    json!({"id": id, "role": role, "expires_at": expires_at, "by": by}).to_string()
}

fn record(
    engine: &Engine,
    tenant: &Tenant,
    (action, said): (SystemAction, &str),
    (id, sealed): (&str, &Sealed),
) -> Result<(), ManageError> {
    let mut changes = Changes::default();
    changes.put_key(id, sealed)?;
    let sections: [(&str, &[u8]); 2] = [("action", action.section()), ("key", said.as_bytes())];
    append_changing(engine, tenant.active(), &sections, changes)
        .map(drop)
        .map_err(|error| Box::new(error).into())
}

fn token(role: Role, id: &str, secret: &[u8; SECRET_BYTES]) -> Zeroizing<String> {
    let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret));
    Zeroizing::new(format!("{TOKEN_PREFIX}{role}_{id}_{}", *secret))
}

fn open(keyring: &Keyring, row: &ApiKeyRow) -> Result<Sealed, KeyError> {
    let broken = || KeyError::DoesNotOpen("an API key");
    let row = open_row(keyring, row)?;
    let sealed = row.record().ok_or_else(broken)?;
    sealed.map_err(|()| broken())
}

/// What the sealing of a key is bound to.
pub(super) fn place(id: &str) -> String {
    format!("trailkeep/api-key/v1\n{id}")
}
