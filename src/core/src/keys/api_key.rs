//! API keys: made, shown once, stored as a hash that is sealed with what the key may do.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::keys::keyring::{KeyError, Keyring};
use crate::keys::role::Role;
use crate::keys::rows::Row;
use trailkeep_ports::ApiKeyRow;
use trailkeep_proof::ids::TenantName;
use trailkeep_proof::time::UnixMillis;

/// Begins every token, so that secret scanners find one that leaked.
pub(crate) const TOKEN_PREFIX: &str = "trailkeep_";
/// Bytes of a secret.
pub(crate) const SECRET_BYTES: usize = 32;

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

/// What a key is called and who answers for it, in the words of whoever made it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyName {
    /// Such as the application that uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Such as the team that answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// What stands in the vault, sealed. Times are milliseconds since 1970.
#[derive(Serialize, Deserialize)]
pub(crate) struct Sealed {
    pub(crate) tenant: String,
    pub(crate) role: Role,
    pub(crate) secret_sha256: [u8; 32],
    #[serde(default)]
    pub(crate) created_at_ms: u64,
    #[serde(default)]
    pub(crate) expires_at_ms: Option<u64>,
    #[serde(default)]
    pub(crate) revoked_at_ms: Option<u64>,
    /// Rows of 0.1.0 have none.
    #[serde(default, flatten)]
    pub(crate) name: KeyName,
}

impl Sealed {
    pub(crate) fn new(
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
            name: KeyName::default(),
        }
    }
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
    let Some(token) = Token::split(token) else {
        return Ok(None);
    };
    let version = keyring.vault().version();
    let row = keyring.vault().api_key(token.id)?;
    let sealed = row.map(|row| open(keyring, &row)).transpose()?;
    let stored = sealed
        .as_ref()
        .map(StoredKey::of)
        .transpose()?
        .map(Arc::new);
    let principal = token.opens(stored.as_deref(), now);
    if let (Some(stored), Some(_)) = (stored, &principal) {
        keyring.last_uses().note(token.id, now);
        if let Some(version) = version {
            keyring.api_keys().keep(version, token.id, stored);
        }
    }
    Ok(principal)
}

/// The same from memory, for the event loop: none also where the key's row has to be read, since the vault changed. Only
/// who is let in hears from here, so that the time of a refusal does not say which ids there are.
pub fn recognise(keyring: &Keyring, token: &str, now: UnixMillis) -> Option<Principal> {
    let token = Token::split(token)?;
    let version = keyring.vault().version()?;
    let stored = keyring.api_keys().find(version, token.id)?;
    let principal = token.opens(Some(&stored), now)?;
    keyring.last_uses().note(token.id, now);
    Some(principal)
}

/// What a token is compared with.
pub(crate) struct StoredKey {
    tenant: TenantName,
    role: Role,
    secret_sha256: [u8; 32],
    expires_at_ms: Option<u64>,
    is_revoked: bool,
}

impl StoredKey {
    fn of(sealed: &Sealed) -> Result<Self, KeyError> {
        Ok(Self {
            tenant: TenantName::new(&sealed.tenant)
                .map_err(|_| KeyError::DoesNotOpen("an API key"))?,
            role: sealed.role,
            secret_sha256: sealed.secret_sha256,
            expires_at_ms: sealed.expires_at_ms,
            is_revoked: sealed.revoked_at_ms.is_some(),
        })
    }
}

#[cfg(test)]
impl StoredKey {
    pub(crate) fn of_test(tenant: TenantName, role: Role) -> Self {
        Self {
            tenant,
            role,
            secret_sha256: [0; 32],
            expires_at_ms: None,
            is_revoked: false,
        }
    }
}

/// A token, split; nothing is checked.
struct Token<'a> {
    role: Role,
    id: &'a str,
    secret: Zeroizing<Vec<u8>>,
}

impl<'a> Token<'a> {
    fn split(token: &'a str) -> Option<Self> {
        let (role, rest) = token.strip_prefix(TOKEN_PREFIX)?.split_once('_')?;
        let (id, secret) = rest.split_once('_')?;
        let secret = URL_SAFE_NO_PAD.decode(secret).map(Zeroizing::new).ok()?;
        let role = role.parse().ok()?;
        (secret.len() == SECRET_BYTES).then_some(Self { role, id, secret })
    }

    /// Whose it is, where it is right and in force.
    fn opens(&self, stored: Option<&StoredKey>, now: UnixMillis) -> Option<Principal> {
        let hash: [u8; 32] = Sha256::digest(&*self.secret).into();
        let expected = stored.map_or([0; 32], |stored| stored.secret_sha256);
        let is_right = bool::from(hash.ct_eq(&expected));
        let stored = stored.filter(|_| is_right)?;
        let is_over = stored.is_revoked
            || stored.expires_at_ms.is_some_and(|end| end <= now.get())
            || stored.role != self.role;
        (!is_over).then(|| Principal {
            key_id: self.id.to_owned(),
            tenant: stored.tenant.clone(),
            role: self.role,
        })
    }
}

/// Revokes a key in a vault that lacks its revoking; `false` where it does not know the key.
pub(crate) fn take_over_revoke(keyring: &Keyring, id: &str, at_ms: u64) -> Result<bool, KeyError> {
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
pub(crate) fn row_of(keyring: &Keyring, row: &ApiKeyRow) -> Result<(Row, String), KeyError> {
    let tenant = open(keyring, row)?.tenant;
    Ok((open_row(keyring, row)?, tenant))
}

fn open_row(keyring: &Keyring, row: &ApiKeyRow) -> Result<Row, KeyError> {
    let text = keyring.unseal(row.epoch, &row.sealed, &place(&row.id), "an API key")?;
    Row::read(&text).ok_or(KeyError::DoesNotOpen("an API key"))
}

pub(crate) fn open(keyring: &Keyring, row: &ApiKeyRow) -> Result<Sealed, KeyError> {
    let broken = || KeyError::DoesNotOpen("an API key");
    let row = open_row(keyring, row)?;
    let sealed = row.record().ok_or_else(broken)?;
    sealed.map_err(|()| broken())
}

/// What the sealing of a key is bound to.
pub(crate) fn place(id: &str) -> String {
    format!("trailkeep/api-key/v1\n{id}")
}
