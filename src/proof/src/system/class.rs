//! Sections `policy` and `class`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Section `policy`: a version of a policy, whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySection {
    /// Its id, such as `hipaa`.
    pub id: String,
    /// Its version, from 1.
    pub version: u32,
    /// SHA-256 of its file, in hex.
    pub sha256: String,
    /// Its file.
    pub text: String,
}

/// A policy of a class, as the class's statement names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClassPolicy {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u32,
    /// SHA-256 of its file, in hex.
    pub sha256: String,
}

/// What makes a class: events for which all of this is the same share it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClassKey {
    /// Its policies, by id.
    pub policies: Vec<ClassPolicy>,
    /// The special cases of policies that their actions fall under, by the policy's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cases: BTreeMap<String, String>,
    /// Policies whose law did not bind yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub law_not_yet: Vec<String>,
}

/// Section `class`: a retention class as its statement defines it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassDefinition {
    /// Its number in the ledger, from 1.
    pub number: u16,
    /// What makes it.
    #[serde(flatten)]
    pub key: ClassKey,
    /// No event is deleted before this has passed: the longest minimum of law or contract, in ISO 8601.
    pub minimum: String,
    /// After this it expires in the ordinary course; none: by a trigger, or never.
    pub after: Option<String>,
}

impl ClassDefinition {
    /// The section as it is stored.
    pub fn text(&self) -> String {
        super::text_of(self)
    }
}
