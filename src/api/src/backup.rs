//! `/v1/backup`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The directory of a backup.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBackup {
    /// An empty directory on the server's machine, or an earlier backup; absolute.
    #[schema(value_type = String)]
    pub out: PathBuf,
}

/// What was backed up: the result at the end of the answer's lines.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct BackupDone {
    /// Where it is.
    pub out: String,
    /// Entries that were new.
    pub new_entries: u64,
    /// Payloads that were new or encrypted under another key.
    pub new_payloads: u64,
    /// Payloads that were deleted since the last run, and are removed from the backup.
    pub gone_payloads: u64,
    /// `trailkeep/backup/v1`.
    pub format: String,
    /// Its random id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The data directory's id.
    pub directory: String,
    /// When it was brought up to date (RFC 3339, UTC).
    pub made_at: Option<String>,
    /// Its ledgers, with the size of each.
    pub ledgers: Vec<LedgerBackedUp>,
    /// The epoch that wrapped its keys.
    pub epoch: u32,
}

/// A ledger in a backup.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct LedgerBackedUp {
    /// Its origin.
    pub origin: String,
    /// Its entries.
    pub size: u64,
}
