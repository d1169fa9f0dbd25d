//! API keys: made, shown once, stored as a hash that is sealed with what the key may do.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::keyring::{KeyError, Keyring};
use crate::ids::{TenantName, hex};
use crate::seal::secret::random_bytes;
use crate::store::ApiKeyRow;

/// Begins every token, so that secret scanners find one that leaked.
const TOKEN_PREFIX: &str = "trailkeep_admin_";

/// Who sent a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Id of the API key; `local` for a command on the machine itself.
    pub key_id: String,
    /// Whose ledger it reads and writes.
    pub tenant: TenantName,
}

/// What stands in the vault, sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    tenant: String,
    role: String,
    secret_sha256: [u8; 32],
}

/// Makes a key with all rights for a tenant. The token is in no file: it is shown once.
pub fn create(keyring: &Keyring, tenant: &TenantName) -> Result<Zeroizing<String>, KeyError> {
    let id = hex(&random_bytes::<8>()?);
    let secret = Zeroizing::new(random_bytes::<32>()?);
    let sealed = Sealed {
        tenant: tenant.as_str().to_owned(),
        role: "admin".to_owned(),
        secret_sha256: Sha256::digest(*secret).into(),
    };
    let text = serde_json::to_vec(&sealed).expect("strings and bytes always have a JSON form");
    let (epoch, sealed) = keyring.seal(&text, &place(&id))?;
    keyring.vault().add_api_key(&ApiKeyRow {
        id: id.clone(),
        epoch,
        sealed,
    })?;
    Ok(Zeroizing::new(format!(
        "{TOKEN_PREFIX}{id}_{}",
        URL_SAFE_NO_PAD.encode(*secret)
    )))
}

/// Who has this token; none for a wrong one. What it says is compared in constant time.
pub fn authenticate(keyring: &Keyring, token: &str) -> Result<Option<Principal>, KeyError> {
    let Some((id, secret)) = token
        .strip_prefix(TOKEN_PREFIX)
        .and_then(|rest| rest.split_once('_'))
    else {
        return Ok(None);
    };
    let Ok(secret) = URL_SAFE_NO_PAD.decode(secret).map(Zeroizing::new) else {
        return Ok(None);
    };
    let Some(row) = keyring.vault().api_key(id)? else {
        return Ok(None);
    };
    let sealed = open(keyring, &row)?;
    let hash: [u8; 32] = Sha256::digest(&*secret).into();
    if !bool::from(hash.ct_eq(&sealed.secret_sha256)) {
        return Ok(None);
    }
    let tenant =
        TenantName::new(&sealed.tenant).map_err(|_| KeyError::DoesNotOpen("an API key"))?;
    Ok(Some(Principal {
        key_id: row.id,
        tenant,
    }))
}

/// Whether a stored key is what was stored; for verifying.
pub fn check_row(keyring: &Keyring, row: &ApiKeyRow) -> Result<(), KeyError> {
    open(keyring, row).map(drop)
}

fn open(keyring: &Keyring, row: &ApiKeyRow) -> Result<Sealed, KeyError> {
    let text = keyring.unseal(row.epoch, &row.sealed, &place(&row.id), "an API key")?;
    serde_json::from_slice(&text).map_err(|_| KeyError::DoesNotOpen("an API key"))
}

fn place(id: &str) -> String {
    format!("trailkeep/api-key/v1\n{id}")
}
