//! `/v1/anchors`: where the ledger's heads are kept outside, and who cosigned them.

use axum::Json;
use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::auth::{Caller, may};
use super::body::read_json;
use super::extract::Query;
use super::problem::Problem;
use trailkeep_api::anchors::{
    AnchorHistory, AnchorOutcome, AnchorRun, AnchorStatus, AnchorTargetStatus, Anchored,
    CheckpointQuestion, HistoryQuestion, HistoryReviewed, LedgerResumed,
};
use trailkeep_core::anchor;
use trailkeep_core::anchor::status;
use trailkeep_core::anchor::{AnchorError, ResumeError, Which};
use trailkeep_core::tenant::{ReadScope, Tenant};
use trailkeep_core::{DEFAULT_TENANT, blocking};
use trailkeep_proof::ids::{Seq, TenantName};

/// Rows of a page, if nothing is said.
const ROWS_DEFAULT: u32 = 100;
const ROWS_MAX: u32 = 1_000;

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
    Ok(Json(shown(status.await?)))
}

/// Lists which checkpoints were sent where, newest first.
#[utoipa::path(
    get,
    path = "/v1/anchors/history",
    params(HistoryQuestion),
    responses((status = 200, description = "The checkpoints that were sent.", body = AnchorHistory)),
)]
pub(super) async fn history(
    caller: Caller<may::Prove, ReadScope>,
    asked: Result<Query<HistoryQuestion>, Problem>,
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
    Ok(Json(AnchorHistory {
        anchored: anchored.into_iter().map(anchored_at).collect(),
    }))
}

/// Returns an anchored checkpoint with the cosignatures of witnesses.
#[utoipa::path(
    get,
    path = "/v1/anchors/checkpoint",
    params(CheckpointQuestion),
    responses((status = 200, description = "C2SP tlog-checkpoint with cosignatures.", body = String)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn checkpoint(
    caller: Caller<may::Prove, ReadScope>,
    wanted: Result<Query<CheckpointQuestion>, Problem>,
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

/// Sends the newest checkpoint to all targets now, and answers when each target has answered or timed out.
#[utoipa::path(
    post,
    path = "/v1/anchors/run",
    responses((status = 200, description = "The result of each target.", body = AnchorRun)),
)]
pub(super) async fn run(caller: Caller<may::Verify, Tenant>) -> Result<Json<AnchorRun>, Problem> {
    let ran = blocking(move || anchor::run(&caller.engine.anchors, &caller.on, Which::All));
    Ok(Json(AnchorRun {
        outcomes: ran.await?.into_iter().map(outcome).collect(),
    }))
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

fn shown(status: status::AnchorStatus) -> AnchorStatus {
    let target = |target: status::AnchorTargetStatus| AnchorTargetStatus {
        name: target.name,
        kind: target.kind.to_owned(),
        place: target.place,
        key: target.key,
        size: target.size,
        at: target.at,
        error: target.error,
        failed_at: target.failed_at,
    };
    AnchorStatus {
        size: status.size,
        witnessed_size: status.witnessed_size,
        rolled_back: status.rolled_back,
        targets: status.targets.into_iter().map(target).collect(),
    }
}

fn anchored_at(anchored: status::Anchored) -> Anchored {
    Anchored {
        size: anchored.size,
        target: anchored.target,
        kind: anchored.kind,
        at: anchored.at,
    }
}

fn outcome(outcome: anchor::AnchorOutcome) -> AnchorOutcome {
    AnchorOutcome {
        target: outcome.target,
        kind: outcome.kind.to_owned(),
        size: outcome.size,
        cosigned_at: outcome.cosigned_at,
        error: outcome.error,
    }
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
