//! `/v1/keys`: API keys of the caller's tenant.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an API key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// An application: appends, and reads nothing back but its receipts.
    Writer,
    /// A person or program that looks at events.
    Reader,
    /// Exports and verifies.
    Auditor,
    /// Answers data subject requests.
    Privacy,
    /// Everything of its tenant, API keys included.
    Admin,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Reader => "reader",
            Self::Auditor => "auditor",
            Self::Privacy => "privacy",
            Self::Admin => "admin",
        }
    }
}

/// A key to be made.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    #[schema(value_type = Role)]
    pub role: String,
    /// A calendar period after which the key expires, such as `P90D` or `P1Y`; absent: it never expires.
    #[schema(pattern = "^P[1-9][0-9]{0,3}[DWMY]$")]
    pub expires: Option<String>,
}

/// A created key.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
pub struct MadeKey {
    pub id: String,
    /// The token; only this answer has it.
    pub token: String,
    pub role: Role,
    pub tenant: String,
    /// When it expires (RFC 3339, UTC).
    pub expires_at: Option<String>,
}

/// A key as listed, without its secret or the secret's hash.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
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

/// API keys.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct KeyList {
    pub keys: Vec<ListedKey>,
}
