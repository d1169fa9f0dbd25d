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
    /// Runs the applications: sees metrics, prompts and prices, and no payload.
    Operator,
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
            Self::Operator => "operator",
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
    /// What the key is called, such as the application that uses it: a line of 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    pub label: Option<String>,
    /// Who answers for it, such as a team: a line of 1 to 64 characters.
    #[schema(min_length = 1, max_length = 64)]
    pub owner: Option<String>,
}

/// What an API key is called, and who answers for it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct KeyName {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl KeyName {
    /// A key's id for people, with its name where it has one: `checkout (4f1c8a90b2d3e6f7)`.
    pub fn beside(name: Option<&Self>, id: &str) -> String {
        let label = name.and_then(|name| name.label.as_deref().or(name.owner.as_deref()));
        label.map_or_else(|| id.to_owned(), |label| format!("{label} ({id})"))
    }
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
    /// Its label, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its owner, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
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
    /// When it was last used; absent: not that the server knows. It is written hourly, so a restart may lose the last hour.
    #[serde(default)]
    pub last_used_at: Option<String>,
    /// What it is called; absent: nothing was said when it was created.
    #[serde(default)]
    pub label: Option<String>,
    /// Who answers for it.
    #[serde(default)]
    pub owner: Option<String>,
}

/// API keys.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct KeyList {
    pub keys: Vec<ListedKey>,
}
