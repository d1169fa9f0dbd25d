//! `/v1/verify`: the report of a verification.

use serde::{Deserialize, Serialize};
use trailkeep_proof::ledger::attestation::Level;
use trailkeep_proof::ledger::sources::SourcesSummary;

/// A line of the answer: progress, or at the end the report or an error.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(untagged)]
pub enum VerifyLine<T = VerifyReport> {
    Progress { done: u64, total: u64 },
    Error { error: String },
    Report { report: T },
}

/// The result of a verification.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct VerifyReport {
    /// True if nothing was found to be wrong.
    pub ok: bool,
    /// Whose ledger it is.
    pub origin: String,
    /// Entries that were read.
    pub entries: u64,
    /// Applications' events among them. Each has one state: intact, expired, erased, restricted and damaged add up to this.
    pub events: u64,
    /// Events whose payload is what was recorded.
    pub intact: u64,
    /// Events that expired.
    pub expired: u64,
    /// Events that were erased.
    pub erased: u64,
    /// Restricted events.
    pub restricted: u64,
    /// Events among the intact and restricted that a legal hold covers.
    pub held: u64,
    /// Events in none of these states: the payload is changed, or missing without a tombstone.
    pub damaged: u64,
    /// Gaps in producer sequence numbers, in sum.
    pub sources: SourcesSummary,
    /// Rows of the vault that no statement commits to.
    pub unbound: u64,
    /// Entries of the signed checkpoint.
    pub size: u64,
    /// Its root, in base64.
    pub root: String,
    /// Who vouches for its checkpoints besides its own key.
    pub attested: Attested,
    /// Number of findings, listed or not.
    pub findings_total: u64,
    /// The findings, the first 1,000.
    pub findings: Vec<Finding>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Finding {
    /// The entry it is about, if it is about one.
    pub seq: Option<u64>,
    /// The rule that does not hold; docs/design.md, "What verify checks", lists them.
    pub rule: String,
    /// What was found, without any payload.
    pub detail: String,
}

/// What the ledger's entries rest on, besides its own key.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Attested {
    /// The best of what there is.
    pub level: Level,
    /// The newest checkpoint of each target.
    pub anchored: Vec<AnchoredAt>,
    /// The newest checkpoint of each named witness.
    pub witnessed: Vec<WitnessedBy>,
    /// Witnesses whose keys nobody named: not checked.
    pub unchecked: Vec<String>,
}

/// A target that has a checkpoint.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AnchoredAt {
    /// Its name.
    pub target: String,
    /// `directory`, `webhook` or `witness`.
    pub kind: String,
    /// Entries of the checkpoint.
    pub size: u64,
    /// When it was sent there (RFC 3339, UTC); the operator's word.
    pub at: String,
}

/// A witness that cosigned a checkpoint.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct WitnessedBy {
    /// Its name.
    pub name: String,
    /// Its verifier key.
    pub key: String,
    /// Entries of the checkpoint.
    pub size: u64,
    /// When it cosigned, by its own clock (RFC 3339, UTC).
    pub at: String,
}
