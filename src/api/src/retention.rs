//! `/v1/retention` and `/v1/{events,entries}/.../retention`: what is kept, until when and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// At which moment to judge.
#[derive(Clone, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AtTime {
    /// RFC 3339, or a day, which is its start in UTC; default: now.
    #[param(format = DateTime)]
    pub at: Option<String>,
}

/// What a run would do.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct RetentionPreview {
    /// The moment.
    pub as_of: String,
    /// Events that would be deleted.
    pub destroyed: u64,
    /// Those of them whose time has not come and that a request for erasure would destroy, such as one that waited
    /// for a hold.
    pub requested: u64,
    /// Events that are due and that a hold keeps.
    pub held: u64,
    /// Open data subject requests that keep events from being deleted: their ids.
    #[serde(default)]
    pub held_requests: Vec<String>,
    /// Events that are overdue for deletion; null for another time than now.
    pub overdue: Option<OverdueEvents>,
    /// By class.
    pub classes: Vec<ClassPreview>,
    /// Classes whose events wait for a trigger of their record.
    pub awaiting_trigger: Vec<AwaitingTrigger>,
}

/// Overdue events, as answers name them.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct OverdueEvents {
    /// How many.
    pub events: u64,
    /// When the oldest of them should have been deleted.
    pub since: Option<String>,
}

/// What a run would do with one class.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ClassPreview {
    /// Its number.
    pub class: u16,
    /// The ledger that the number belongs to, if it is superseded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_ledger: Option<String>,
    /// Its policies.
    pub policies: Vec<String>,
    /// Events recorded before this time have expired; absent if each event has its own date.
    pub recorded_before: Option<String>,
    /// Events that would be deleted, by month of receipt.
    pub months: BTreeMap<String, u64>,
    /// Overdue events that were under a hold and would be deleted.
    pub released: u64,
    /// Events that are not due and that an erasure request would delete.
    pub requested: u64,
    /// Events that are due and that a hold keeps.
    pub held: u64,
}

/// A class whose events wait.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct AwaitingTrigger {
    /// Its number.
    pub class: u16,
    /// Its policies.
    pub policies: Vec<String>,
    /// Events that wait, or whose clock runs.
    pub events: u64,
    /// When the oldest of them was recorded. Review events that have waited for over two years (Art. 5(1)(e) GDPR).
    pub oldest_recorded_at: Option<String>,
    /// Whether it waits for over two years.
    pub review: bool,
}

/// What a run did in one ledger.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct RetentionRun {
    /// The ledger's tenant.
    pub tenant: String,
    /// Events whose payloads were deleted.
    pub destroyed: u64,
    /// Events that are due and that a hold keeps.
    pub held: u64,
    /// The entries with the tombstones.
    pub statements: Vec<u64>,
    /// Whether old pages may remain in a database's WAL, because another process read it; the purge is retried.
    pub purge_pending: bool,
    /// The longest time that a step blocked writers, or waited for them, in milliseconds.
    pub longest_step_ms: u64,
}

/// A confirmation that the holds were reviewed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reviewed {
    /// True: no hold is missing.
    pub reviewed_holds: bool,
}

/// Whether there was anything to resume.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
pub struct Resumed {
    /// Whether deletions were paused.
    pub was_paused: bool,
}

/// Why an event is kept, until when and by which citation; or what became of it. A member that does not apply is absent.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Explanation {
    pub seq: u64,
    pub recorded_at: String,
    /// The event's class.
    pub class: u16,
    /// `kept`, `intact`, `restricted`, `expired` or `erased`.
    pub state: String,
    /// The entry that states why it is restricted or deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<u64>,
    /// Its record, which triggers name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// What its dates depend on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What the policies say; absent of what was deleted and of the ledger's own entries.
    #[serde(flatten)]
    pub verdict: Option<Verdict>,
    /// Holds that cover it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<Vec<String>>,
}

/// What the policies say of an event. A date that is not known yet is null.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Verdict {
    pub keep_until: Option<String>,
    pub expires_at: Option<String>,
    pub destroy_at: Option<String>,
    /// `held`, `restrict`, `destroy` or `keep`.
    pub decision: String,
    pub erasure: ErasureVerdict,
    /// Triggers that would set a date.
    pub waits_for: Vec<String>,
    pub reasons: Vec<Reason>,
    pub conflicts: Vec<Conflict>,
}

/// What a request for erasure would do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ErasureVerdict {
    /// `honour`, `restrict` or `refuse`.
    pub outcome: String,
    pub until: Option<String>,
}

/// A figure of a policy, and the date that follows.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Reason {
    pub policy: String,
    pub figure: String,
    /// `law`, `guidance` or `custom`.
    pub force: String,
    pub citation: String,
    pub date: Option<String>,
}

/// Two policies that disagree, and which one holds.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Conflict {
    pub policy: String,
    pub over: String,
    pub detail: String,
}
