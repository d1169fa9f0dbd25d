//! `/v1/backup`: from the machine itself alone, since it writes to its disk.

use axum::body::Body;
use axum::response::Response;

use super::Entrance;
use super::auth::{Caller, may};
use super::body::read_json;
use super::problem::Problem;
use super::progress::follow;
use trailkeep_api::backup::{BackupDone, LedgerBackedUp, NewBackup};
use trailkeep_core::ops::backup::{BackedUp, BackupSummary, backup};
use trailkeep_core::tenant::Tenant;

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
        backup(&caller.engine.custody, &asked.out, &caller.key_id, progress).map(shown)
    }))
}

fn shown(done: BackupSummary) -> BackupDone {
    let note = done.note;
    let ledger = |BackedUp { origin, size }| LedgerBackedUp { origin, size };
    BackupDone {
        out: done.out,
        new_entries: done.new_entries,
        new_payloads: done.new_payloads,
        gone_payloads: done.gone_payloads,
        format: note.format,
        id: note.id,
        directory: note.directory,
        made_at: note.made_at,
        ledgers: note.ledgers.into_iter().map(ledger).collect(),
        epoch: note.epoch,
    }
}
