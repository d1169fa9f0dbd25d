//! `/v1/anchors`: checkpoints that are kept elsewhere, and who cosigned them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The parameters, each once.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuestion {
    /// Checkpoints of at most this many entries; default: all.
    #[param(maximum = 1_099_511_627_775_u64)]
    pub up_to: Option<u64>,
    /// Maximum rows; default 100.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

/// The parameter, once.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CheckpointQuestion {
    /// Entries of the checkpoint; default: the newest that a witness cosigned, else the newest that was sent.
    #[param(maximum = 1_099_511_627_775_u64)]
    pub size: Option<u64>,
}

/// A target, as it is listed.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AnchorTargetStatus {
    /// Its name.
    pub name: String,
    /// `directory`, `webhook` or `witness`.
    pub kind: String,
    /// Its place; shown to the operator only.
    pub place: Option<String>,
    /// A witness's verifier key.
    pub key: Option<String>,
    /// Entries of its checkpoint.
    pub size: Option<u64>,
    /// When it got that checkpoint (RFC 3339, UTC).
    pub at: Option<String>,
    /// Why sending the newest checkpoint failed.
    pub error: Option<String>,
    /// Time of the first failure since the last success.
    pub failed_at: Option<String>,
}

/// Where checkpoints of a ledger are kept.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AnchorStatus {
    /// Entries of the ledger.
    pub size: u64,
    /// Entries of the newest checkpoint that a witness cosigned.
    pub witnessed_size: Option<u64>,
    /// Why the ledger refuses entries, if a target has a later checkpoint (rollback detected).
    pub rolled_back: Option<String>,
    /// The targets.
    pub targets: Vec<AnchorTargetStatus>,
}

/// A checkpoint at a target.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Anchored {
    /// Entries of the checkpoint.
    pub size: u64,
    /// Name of the target.
    pub target: String,
    /// `directory`, `webhook` or `witness`.
    pub kind: String,
    /// When it was sent there (RFC 3339, UTC).
    pub at: String,
}

/// Checkpoints that were sent to targets.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AnchorHistory {
    pub anchored: Vec<Anchored>,
}

/// The result of one target.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AnchorOutcome {
    /// Its name.
    pub target: String,
    /// `directory`, `webhook` or `witness`.
    pub kind: String,
    /// Entries of the checkpoint that it got.
    pub size: u64,
    /// When a witness cosigned it, by its own clock (RFC 3339, UTC).
    pub cosigned_at: Option<String>,
    /// Why it does not have the checkpoint.
    pub error: Option<String>,
}

/// The result of each target.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AnchorRun {
    pub outcomes: Vec<AnchorOutcome>,
}

/// A confirmation after a review.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryReviewed {
    /// Whose ledger.
    pub tenant: String,
    /// True: no entry is missing, and the target is wrong.
    pub reviewed_history: bool,
}

/// Whether there was anything to resume.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
pub struct LedgerResumed {
    pub was_stopped: bool,
}
