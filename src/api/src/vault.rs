//! `/v1/vault`: replicas and rotations of the key vault.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A vault replica to register: one of the two.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTarget {
    /// A directory on the server's machine, absolute.
    #[schema(value_type = Option<String>)]
    pub directory: Option<PathBuf>,
    /// A shell command; only from the server's machine.
    pub command: Option<String>,
}

/// A replica as listed.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct TargetStatus {
    /// Its id.
    pub id: String,
    /// `directory` or `command`.
    pub kind: String,
    /// The directory or the command.
    pub place: String,
    /// Whether it is current.
    pub is_current: bool,
    /// Whether it is on the same disk as the data directory: one disk failure loses both.
    pub same_disk: bool,
    /// When it was last updated (RFC 3339, UTC).
    pub copied_at: Option<String>,
    /// Why the last update failed, if it did.
    pub error: Option<String>,
    /// Time of the first failure since the last success.
    pub failed_at: Option<String>,
}

/// Vault replicas.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct TargetList {
    pub targets: Vec<TargetStatus>,
}

/// The result of removing a replica.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Removed {
    /// Its id.
    pub id: String,
    /// Whether the replica there was destroyed.
    pub copy_destroyed: bool,
    /// Why not. Destroy it by hand, otherwise it still opens what is deleted here later.
    pub error: Option<String>,
}

/// State of the vault's rotation.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct RotationStatus {
    /// The epoch that wraps new keys.
    pub epoch: u32,
    /// Whether a rotation has begun and has not ended.
    pub in_progress: bool,
    /// Whether it waits for a replica that is unreachable: destroyed keys may still open there.
    pub copies_pending: bool,
    /// Since when a rotation is due (RFC 3339, UTC).
    pub due_since: Option<String>,
    /// When the last backup was made.
    pub last_backup_at: Option<String>,
    /// When the last one ended.
    pub last_ended_at: Option<String>,
    /// Rows that the rotation re-encrypted, in progress or ended.
    pub rows: Option<u64>,
    /// The vault replicas.
    pub targets: Vec<TargetStatus>,
}

/// The statements of one ledger.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Bound {
    /// Its tenant.
    pub tenant: String,
    /// Rows that its statements now commit to.
    pub rows: u64,
    /// The statements.
    pub statements: Vec<u64>,
}

/// Vault rows that statements now commit to.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct BoundRows {
    /// By tenant; tenants without such rows are left out.
    pub bound: Vec<Bound>,
}
