//! `/v1/vault`: copy targets and rotations of the vault, by the operator's admins.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Entrance;
use super::auth::{Caller, may};
use super::body::read_json;
use super::extract::Path;
use super::problem::Problem;
use super::progress::follow;
use trailkeep_api::retention::{Resumed, Reviewed};
use trailkeep_api::vault::{
    Bound, BoundRows, NewTarget, Removed, RotationStatus, TargetList, TargetStatus,
};
use trailkeep_core::blocking;
use trailkeep_core::destroy::pause::{self, ResumeError};
use trailkeep_core::govern::bind::{self, BindError};
use trailkeep_core::govern::replica::{self, CopyError, Place};
use trailkeep_core::govern::rotation::{self, RotationError};
use trailkeep_core::tenant::{ReadScope, Tenant};

/// Shows the vault's epoch, rotation and replicas.
#[utoipa::path(
    get,
    path = "/v1/vault",
    responses((status = 200, description = "State of the vault.", body = RotationStatus)),
)]
pub(super) async fn show(
    caller: Caller<may::ManageVault, ReadScope>,
) -> Result<Json<RotationStatus>, Problem> {
    let status = blocking(move || rotation::status(&caller.engine.custody)).await?;
    Ok(Json(shown(status)))
}

/// Rotates the vault now, or continues an interrupted rotation.
///
/// The answer comes as lines of JSON while it runs: `{"done","total"}`, and at the end `{"result"}`, which is as the answer of
/// `GET /v1/vault`, or `{"error"}`.
#[utoipa::path(
    post,
    path = "/v1/vault/rotate",
    responses((status = 200, description = "Lines of JSON.", body = String, content_type = "application/x-ndjson")),
)]
pub(super) async fn rotate(caller: Caller<may::ManageVault, Tenant>) -> Result<Response, Problem> {
    let engine = Arc::clone(&caller.engine);
    blocking(move || rotation::check_can_begin(&engine.journal)).await?;
    Ok(follow(move |progress| {
        rotation::rotate_now(&caller.engine.custody, &caller.key_id, progress).map(shown)
    }))
}

/// Records statements that commit to vault rows without one, which an earlier version or a restore wrote.
///
/// Review the holds, keys and requests first: from then on `verify` treats them as correct.
#[utoipa::path(
    post,
    path = "/v1/vault/bind",
    responses((status = 200, description = "The rows have statements.", body = BoundRows)),
)]
pub(super) async fn bind(
    caller: Caller<may::ManageVault, Tenant>,
) -> Result<Json<BoundRows>, Problem> {
    let bound = blocking(move || bind::bind(&caller.engine.journal, &caller.key_id)).await?;
    let bound = bound.into_iter().map(|bound| Bound {
        tenant: bound.tenant,
        rows: bound.rows,
        statements: bound.statements,
    });
    Ok(Json(BoundRows {
        bound: bound.collect(),
    }))
}

fn target(status: replica::TargetStatus) -> TargetStatus {
    TargetStatus {
        id: status.id,
        kind: status.kind.to_owned(),
        place: status.place,
        is_current: status.is_current,
        same_disk: status.same_disk,
        copied_at: status.copied_at,
        error: status.error,
        failed_at: status.failed_at,
    }
}

fn listed(targets: Vec<replica::TargetStatus>) -> TargetList {
    TargetList {
        targets: targets.into_iter().map(target).collect(),
    }
}

fn shown(status: rotation::RotationStatus) -> RotationStatus {
    RotationStatus {
        epoch: status.epoch,
        in_progress: status.in_progress,
        copies_pending: status.copies_pending,
        due_since: status.due_since,
        last_backup_at: status.last_backup_at,
        last_ended_at: status.last_ended_at,
        rows: status.rows,
        targets: listed(status.targets).targets,
    }
}

impl From<BindError> for Problem {
    fn from(error: BindError) -> Self {
        match error {
            BindError::Record(error) => (*error).into(),
            BindError::Read(error) => error.into(),
            BindError::Key(error) => error.into(),
        }
    }
}

/// Registers a vault replica. A command can only be registered from the server's machine, where it runs.
#[utoipa::path(
    post,
    path = "/v1/vault/copies",
    request_body(content = NewTarget, example = json!({"directory": "/nowhere/at/all"})),
    responses((status = 201, description = "The replica; it was read back and can be opened.", body = TargetStatus)),
    extensions(("x-trailkeep-problems" = json!(["name-taken", "not-found", "too-large", "unavailable", "unprocessable"]))),
)]
pub(super) async fn add(
    caller: Caller<may::ManageVault, Tenant>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "{\"directory\":\"/mnt/copy\"} or {\"command\":\"...\"}";
    let place = match read_json(body, form).await? {
        NewTarget {
            directory: Some(path),
            command: None,
        } => Place::Directory(path),
        NewTarget {
            directory: None,
            command: Some(text),
        } => {
            if caller.entrance == Entrance::Network {
                return Err(Problem::not_found(
                    "a command runs on the server's machine: register it there, with `trailkeep vault-replica add --dir D --command C`",
                ));
            }
            Place::Command(text)
        }
        _ => {
            return Err(Problem::unprocessable(format!("the body must be {form}")));
        }
    };
    let added =
        blocking(move || replica::add(&caller.engine.custody, place, &caller.key_id)).await?;
    Ok((StatusCode::CREATED, Json(target(added))).into_response())
}

/// Lists the vault replicas.
#[utoipa::path(
    get,
    path = "/v1/vault/copies",
    responses((status = 200, description = "The replicas.", body = TargetList)),
)]
pub(super) async fn list(
    caller: Caller<may::ManageVault, ReadScope>,
) -> Result<Json<TargetList>, Problem> {
    let targets = blocking(move || replica::list(&caller.engine.custody)).await?;
    Ok(Json(listed(targets)))
}

/// Removes a vault replica; its file is overwritten and deleted if it is reachable.
#[utoipa::path(
    delete,
    path = "/v1/vault/copies/{id}",
    params(("id" = String, Path, description = "The replica's id.", example = "0123456789abcdef")),
    responses((status = 200, description = "The replica is removed.", body = Removed)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn remove(
    caller: Caller<may::ManageVault, Tenant>,
    Path(id): Path<String>,
) -> Result<Json<Removed>, Problem> {
    let removed =
        blocking(move || replica::remove(&caller.engine.journal, &id, &caller.key_id)).await?;
    Ok(Json(Removed {
        id: removed.id,
        copy_destroyed: removed.copy_destroyed,
        error: removed.error,
    }))
}

/// Reads every replica back and decrypts each key in it.
#[utoipa::path(
    post,
    path = "/v1/vault/copies/check",
    responses((status = 200, description = "The replicas, with their errors.", body = TargetList)),
)]
pub(super) async fn check(
    caller: Caller<may::ManageVault, Tenant>,
) -> Result<Json<TargetList>, Problem> {
    let targets = blocking(move || replica::check(&caller.engine.custody, &caller.key_id)).await?;
    Ok(Json(listed(targets)))
}

/// Resumes deletions after a restore, once the holds were reviewed. It is recorded.
#[utoipa::path(
    post,
    path = "/v1/retention/resume",
    request_body(content = Reviewed, example = json!({"reviewed_holds": true})),
    responses((status = 200, description = "Deletions are resumed.", body = Resumed)),
    extensions(("x-trailkeep-problems" = json!(["too-large", "unprocessable"]))),
)]
pub(super) async fn resume_destruction(
    caller: Caller<may::ManageVault, Tenant>,
    body: Body,
) -> Result<Json<Resumed>, Problem> {
    let asked: Reviewed = read_json(body, "{\"reviewed_holds\":true}").await?;
    if !asked.reviewed_holds {
        return Err(Problem::unprocessable(
            "the body must be {\"reviewed_holds\":true}: review the holds first, because those placed after the backup may be missing",
        ));
    }
    let was_paused =
        blocking(move || pause::resume(&caller.engine.journal, &caller.key_id)).await?;
    Ok(Json(Resumed { was_paused }))
}

impl From<ResumeError> for Problem {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::Record(error) => (*error).into(),
            ResumeError::Key(error) => error.into(),
        }
    }
}

impl From<RotationError> for Problem {
    fn from(error: RotationError) -> Self {
        match error {
            RotationError::Clock(jump) => Self::unavailable(jump.to_string(), 60),
            RotationError::Record(error) => (*error).into(),
            RotationError::Copy(error) => error.into(),
            error => {
                tracing::error!(%error, "the vault could not be rotated");
                Self::damaged(error.to_string())
            }
        }
    }
}

impl From<CopyError> for Problem {
    fn from(error: CopyError) -> Self {
        let detail = error.to_string();
        match error {
            CopyError::NoSuchTarget | CopyError::BadPlace(..) | CopyError::NotThere(_) => {
                Self::not_found(detail)
            }
            CopyError::TakenDirectory(_) | CopyError::NotEmpty(..) | CopyError::Known(_) => {
                Self::name_taken(detail)
            }
            CopyError::Record(error) => (*error).into(),
            CopyError::Command(_) | CopyError::Container(_) | CopyError::RootKey(_) => {
                Self::unavailable(detail, 60)
            }
            error => {
                tracing::error!(%error, "the vault could not be replicated");
                Self::damaged(detail)
            }
        }
    }
}
