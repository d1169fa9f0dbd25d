//! `/v1/anchors`: where the ledger's heads are kept outside, and who cosigned them.

use axum::Json;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Caller, may};
use super::body::read_json;
use super::extract::Query;
use super::problem::Problem;
use trailkeep_core::anchor;
use trailkeep_core::anchor::status;
use trailkeep_core::anchor::status::{AnchorStatus, Anchored};
use trailkeep_core::anchor::{AnchorError, AnchorOutcome, ResumeError, Which};
use trailkeep_core::tenant::{ReadScope, Tenant};
use trailkeep_core::{DEFAULT_TENANT, blocking};
use trailkeep_proof::ids::{Seq, TenantName};

/// Rows of a page, if nothing is said.
const ROWS_DEFAULT: u32 = 100;
const ROWS_MAX: u32 = 1_000;

/// The parameters, each once.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Checkpoints of at most this many entries; default: all.
    #[param(maximum = 1_099_511_627_775_u64)]
    up_to: Option<u64>,
    /// Maximum rows; default 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Checkpoints that were sent to targets.
#[derive(Serialize, ToSchema)]
pub(super) struct AnchorHistory {
    anchored: Vec<Anchored>,
}

/// Lists the anchor targets and the newest checkpoint of each.
#[utoipa::path(
    get,
    path = "/v1/anchors",
    responses((status = 200, description = "The targets.", body = AnchorStatus)),
)]
pub(super) async fn list(
    caller: Caller<may::Prove, ReadScope>,
) -> Result<Json<AnchorStatus>, Problem> {
    let status = blocking(move || {
        let is_operator = caller.on.tenant().name().as_str() == DEFAULT_TENANT;
        status::status(&caller.engine.anchors, caller.on.ledger(), is_operator)
    });
    Ok(Json(status.await?))
}

/// Lists which checkpoints were sent where, newest first.
#[utoipa::path(
    get,
    path = "/v1/anchors/history",
    params(Asked),
    responses((status = 200, description = "The checkpoints that were sent.", body = AnchorHistory)),
)]
pub(super) async fn history(
    caller: Caller<may::Prove, ReadScope>,
    asked: Result<Query<Asked>, Problem>,
) -> Result<Json<AnchorHistory>, Problem> {
    let Query(asked) = asked.map_err(|_| {
        Problem::bad_request(
            "unknown or repeated parameter; parameters are up_to and limit, each once",
        )
    })?;
    let limit = asked.limit.unwrap_or(ROWS_DEFAULT);
    if !(1..=ROWS_MAX).contains(&limit) {
        let detail = format!("`limit` must be a number from 1 to {ROWS_MAX}");
        return Err(Problem::bad_request(detail));
    }
    let up_to = size_of(asked.up_to)?.unwrap_or(Seq::MAX.get());
    let anchored =
        blocking(move || status::history(&caller.engine.journal, caller.on.ledger(), up_to, limit))
            .await?;
    Ok(Json(AnchorHistory { anchored }))
}

/// The parameter, once.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// Entries of the checkpoint; default: the newest that a witness cosigned, else the newest that was sent.
    #[param(maximum = 1_099_511_627_775_u64)]
    size: Option<u64>,
}

/// Returns an anchored checkpoint with the cosignatures of witnesses.
#[utoipa::path(
    get,
    path = "/v1/anchors/checkpoint",
    params(Wanted),
    responses((status = 200, description = "C2SP tlog-checkpoint with cosignatures.", body = String)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn checkpoint(
    caller: Caller<may::Prove, ReadScope>,
    wanted: Result<Query<Wanted>, Problem>,
) -> Result<Response, Problem> {
    let Query(wanted) = wanted.map_err(|_| {
        Problem::bad_request("unknown parameter; the only parameter is size, a number")
    })?;
    let size = size_of(wanted.size)?;
    let note =
        blocking(move || status::anchored_note(&caller.engine.journal, caller.on.ledger(), size));
    let note = note
        .await?
        .ok_or_else(|| Problem::not_found("no checkpoint of this size was sent to a target"))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

/// The result of each target.
#[derive(Serialize, ToSchema)]
pub(super) struct AnchorRun {
    outcomes: Vec<AnchorOutcome>,
}

/// Sends the newest checkpoint to all targets now, and answers when each target has answered or timed out.
#[utoipa::path(
    post,
    path = "/v1/anchors/run",
    responses((status = 200, description = "The result of each target.", body = AnchorRun)),
)]
pub(super) async fn run(caller: Caller<may::Verify, Tenant>) -> Result<Json<AnchorRun>, Problem> {
    let ran = blocking(move || anchor::run(&caller.engine.anchors, &caller.on, Which::All));
    Ok(Json(AnchorRun {
        outcomes: ran.await?,
    }))
}

/// A confirmation after a review.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct HistoryReviewed {
    /// Whose ledger.
    tenant: String,
    /// True: no entry is missing, and the target is wrong.
    reviewed_history: bool,
}

/// Whether there was anything to resume.
#[derive(Serialize, ToSchema)]
pub(super) struct LedgerResumed {
    was_stopped: bool,
}

/// Resumes a ledger that stopped because a target has a later checkpoint. It is recorded.
#[utoipa::path(
    post,
    path = "/v1/anchors/resume",
    request_body(content = HistoryReviewed, example = json!({"tenant": "default", "reviewed_history": true})),
    responses((status = 200, description = "The ledger accepts entries again.", body = LedgerResumed)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "not-ready", "too-large", "unprocessable"]))),
)]
pub(super) async fn resume(
    caller: Caller<may::ManageVault, Tenant>,
    body: Body,
) -> Result<Json<LedgerResumed>, Problem> {
    let form = "{\"tenant\":\"default\",\"reviewed_history\":true}";
    let asked: HistoryReviewed = read_json(body, form).await?;
    if !asked.reviewed_history {
        return Err(Problem::unprocessable(format!(
            "the body must be {form}: check first whether entries are missing; the target's checkpoint is the proof"
        )));
    }
    let tenant = TenantName::new(&asked.tenant).ok();
    let tenant = tenant.and_then(|name| caller.engine.journal.tenant(&name));
    let tenant = tenant.ok_or_else(|| Problem::not_found("tenant not found"))?;
    let was_stopped =
        blocking(move || anchor::resume(&caller.engine.anchors, &tenant, &caller.key_id)).await?;
    Ok(Json(LedgerResumed { was_stopped }))
}

fn size_of(size: Option<u64>) -> Result<Option<u64>, Problem> {
    match size {
        Some(size) if size > Seq::MAX.get() => {
            Err(Problem::bad_request("`size` must be a number of entries"))
        }
        size => Ok(size),
    }
}

impl From<AnchorError> for Problem {
    fn from(error: AnchorError) -> Self {
        tracing::error!(%error, "anchored checkpoints could not be read or stored");
        Self::damaged(error.to_string())
    }
}

impl From<ResumeError> for Problem {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::TargetStays(_) => Self::conflict_state(error.to_string()),
            ResumeError::Record(error) => error.into(),
            ResumeError::Key(error) => error.into(),
            ResumeError::Policies(error) => Self::unavailable(error.to_string(), 60),
        }
    }
}
