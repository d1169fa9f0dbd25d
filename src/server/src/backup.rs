//! `/v1/backup`: from the machine itself alone, since it writes to its disk.

use std::path::PathBuf;

use axum::body::Body;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Entrance;
use super::auth::{Caller, may};
use super::body::read_json;
use super::problem::Problem;
use super::progress::follow;
use trailkeep_core::ops::backup::backup;
use trailkeep_core::tenant::Tenant;

/// The directory of a backup.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewBackup {
    /// An empty directory on the server's machine, or an earlier backup; absolute.
    #[schema(value_type = String)]
    out: PathBuf,
}

/// Creates or updates a backup in a directory; only from the server's machine.
///
/// The answer comes as lines of JSON while it runs: `{"done","total"}`, and at the end `{"result"}` or `{"error"}`.
#[utoipa::path(
    post,
    path = "/v1/backup",
    request_body(content = NewBackup, example = json!({"out": "/nowhere/at/all"})),
    responses((status = 200, description = "Lines of JSON.", body = String, content_type = "application/x-ndjson")),
    extensions(("x-trailkeep-problems" = json!(["not-found", "too-large"]))),
)]
pub(super) async fn make(
    caller: Caller<may::ManageVault, Tenant>,
    body: Body,
) -> Result<Response, Problem> {
    if caller.entrance == Entrance::Network {
        return Err(Problem::not_found(
            "a backup is written to the server's disk: run `trailkeep backup --dir D --out DIR` there",
        ));
    }
    let asked: NewBackup = read_json(body, "{\"out\":\"/mnt/backup\"}").await?;
    Ok(follow(move |progress| {
        backup(&caller.engine.custody, &asked.out, &caller.key_id, progress)
    }))
}
