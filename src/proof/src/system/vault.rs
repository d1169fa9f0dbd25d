//! Sections of entries about the key vault.

use serde::{Deserialize, Serialize};

/// Section `row`: the rows of the vault that an entry changes (docs/format.md, "Rows of the vault").
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsSection {
    /// The rows; none: keys of the vault are destroyed.
    pub rows: Vec<RowChange>,
}

impl RowsSection {
    /// The section as it is stored.
    pub fn text(&self) -> String {
        super::text_of(self)
    }
}

/// A row, and what it holds from an entry on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowChange {
    /// Its kind, such as `hold`.
    pub kind: String,
    /// Its public id.
    pub id: String,
    /// The salted commitment to its content, in base64; none: it is removed.
    pub commitment: Option<String>,
    /// Origin of its ledger, where that is another than the entry's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
}

/// Section `vault` of rows that are bound to the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindSection {
    /// How many.
    pub rows: u64,
    /// Rows that a restored vault lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<Vec<LostRow>>,
    /// Who bound them; `restore` after a restore.
    pub by: String,
}

/// A row that a restored vault lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostRow {
    /// Its kind.
    pub kind: String,
    /// Its public id.
    pub id: String,
}

/// Section `vault` of a replica that is added, removed or checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaSection {
    /// Its id.
    pub id: String,
    /// `directory` or `command`.
    pub kind: String,
    /// Who did it.
    pub by: String,
}

/// Section `vault` of a key rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationSection {
    /// The new epoch.
    pub epoch: u32,
    /// `done`, or `copies_pending` where a replica is out of reach.
    pub state: String,
    /// Who started it.
    pub by: String,
    /// When, RFC 3339.
    pub started_at: String,
    /// Rows that were wrapped anew.
    pub rows: u64,
    /// The replicas.
    pub targets: Vec<ReplicaTarget>,
}

/// A replica at the time of a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaTarget {
    /// Its id.
    pub id: String,
    /// `directory` or `command`.
    pub kind: String,
    /// Whether it could be reached.
    pub in_reach: bool,
}
