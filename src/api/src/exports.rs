//! `/v1/exports`: bundles, made as jobs.

use serde::{Deserialize, Serialize};
use trailkeep_proof::bundle::manifest::{Counts, Proof, Recorded, SeqRange};
use utoipa::ToSchema;

/// What to export; `{}` is the whole ledger.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportQuestion {
    /// Recorded at this time or later: RFC 3339, or a day such as 2026-01-31, which is its start in UTC.
    #[schema(format = DateTime)]
    pub from: Option<String>,
    /// Recorded before this time: RFC 3339, or a day, which is excluded whole.
    #[schema(format = DateTime)]
    pub to: Option<String>,
    /// First and last entry, both included; not together with `from` or `to`.
    #[schema(pattern = "^[0-9]{1,12}\\.\\.[0-9]{1,12}$", example = "17..42")]
    pub seq: Option<String>,
    /// Only events with this action: a selection, which is never complete.
    pub action: Option<String>,
    /// Sections to replace by digests.
    #[serde(default)]
    pub redact: OneOrSeveral,
    /// age recipients that the file is encrypted for.
    #[serde(default, alias = "recipient")]
    pub recipients: OneOrSeveral,
    /// Older checkpoints for which consistency is to be proven.
    #[serde(default)]
    pub against: OneOrSeveral,
}

/// A list, or its only element.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(untagged)]
pub enum OneOrSeveral {
    List(Vec<String>),
    One(String),
}

impl Default for OneOrSeveral {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl OneOrSeveral {
    pub fn into_list(self) -> Vec<String> {
        match self {
            Self::List(list) => list,
            Self::One(one) => vec![one],
        }
    }
}

/// An export: `done` or `failed` at the end.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Export {
    Running {
        id: String,
        progress: ExportProgress,
    },
    Done {
        id: String,
        /// What it can prove.
        proof: Proof,
        /// First and last entry; absent if there is none.
        range: Option<SeqRange>,
        /// The requested time, which a range covers.
        recorded: Option<Recorded>,
        counts: Counts,
        /// The entry that records the export.
        export_seq: u64,
        /// Size of the ledger under the checkpoint.
        size: u64,
        /// Bytes of the file.
        bytes: u64,
        /// SHA-256 of the file, in hex.
        sha256: String,
        /// Whether it is encrypted for the recipients.
        encrypted: bool,
    },
    Failed {
        id: String,
        /// What went wrong, and the remedy.
        error: String,
    },
}

impl Export {
    pub fn id(&self) -> &str {
        match self {
            Self::Running { id, .. } | Self::Done { id, .. } | Self::Failed { id, .. } => id,
        }
    }
}

/// Entries written, and in all.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
pub struct ExportProgress {
    pub done: u64,
    pub total: u64,
}
