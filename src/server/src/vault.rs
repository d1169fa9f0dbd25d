//! `/v1/vault`: copy targets and rotations of the vault, by the operator's admins.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Entrance;
use super::auth::{Caller, may};
use super::body::read_json;
use super::extract::Path;
use super::problem::Problem;
use super::progress::follow;
use trailkeep_core::blocking;
use trailkeep_core::destroy::pause;
use trailkeep_core::destroy::pause::ResumeError;
use trailkeep_core::govern::bind;
use trailkeep_core::govern::bind::{BindError, Bound};
use trailkeep_core::govern::replica;
use trailkeep_core::govern::replica::{CopyError, Place, Removed, TargetStatus};
use trailkeep_core::govern::rotation;
use trailkeep_core::govern::rotation::{RotationError, RotationStatus};
use trailkeep_core::tenant::{ReadScope, Tenant};

/// A vault replica to register: one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewTarget {
    /// A directory on the server's machine, absolute.
    #[schema(value_type = Option<String>)]
    directory: Option<PathBuf>,
    /// A shell command; only from the server's machine.
    command: Option<String>,
}

/// Vault replicas.
#[derive(Serialize, ToSchema)]
pub(super) struct TargetList {
    targets: Vec<TargetStatus>,
}

/// Shows the vault's epoch, rotation and replicas.
#[utoipa::path(
    get,
    path = "/v1/vault",
    responses((status = 200, description = "State of the vault.", body = RotationStatus)),
)]
pub(super) async fn show(
    caller: Caller<may::ManageVault, ReadScope>,
) -> Result<Json<RotationStatus>, Problem> {
    Ok(Json(
        blocking(move || rotation::status(&caller.engine.custody)).await?,
    ))
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
        rotation::rotate_now(&caller.engine.custody, &caller.key_id, progress)
    }))
}

/// Vault rows that statements now commit to.
#[derive(Serialize, ToSchema)]
pub(super) struct BoundRows {
    /// By tenant; tenants without such rows are left out.
    bound: Vec<Bound>,
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
    Ok(Json(BoundRows { bound }))
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
    Ok((StatusCode::CREATED, Json(added)).into_response())
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
    Ok(Json(TargetList { targets }))
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
    Ok(Json(removed))
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
    Ok(Json(TargetList { targets }))
}

/// A confirmation that the holds were reviewed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reviewed {
    /// True: no hold is missing.
    reviewed_holds: bool,
}

/// Whether there was anything to resume.
#[derive(Serialize, ToSchema)]
pub(super) struct Resumed {
    /// Whether deletions were paused.
    was_paused: bool,
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
