//! `/v1/sources`: whether what producers numbered is all there.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Caller, Identified, may};
use super::problem::Problem;
use trailkeep_core::access_log::{AccessRecord, record_read};
use trailkeep_core::blocking;
use trailkeep_core::sources::sources;
use trailkeep_core::tenant::ReadScope;
use trailkeep_proof::ledger::sources::ListedSource;

/// The producers of a ledger's events.
#[derive(Serialize, ToSchema)]
pub(super) struct SourceList {
    sources: Vec<ListedSource>,
    /// Events of further sources: 10,000 are told apart.
    untold: u64,
}

/// Lists the producers that number their events, with what is missing.
///
/// Events name them in `source`. The first answer after a start reads all events, the next ones what came since. Names
/// stand in texts, so the read is recorded.
#[utoipa::path(
    get,
    path = "/v1/sources",
    responses((status = 200, description = "The sources, by name.", body = SourceList)),
)]
pub(super) async fn list(
    caller: Caller<may::Verify, ReadScope>,
) -> Result<Json<SourceList>, Problem> {
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, on, .. } = &caller;
        let ledger = on.ledger();
        let listed = sources(engine, ledger, |book| SourceList {
            sources: book.list(),
            untold: book.untold(),
        })?;
        let read = AccessRecord {
            by: &caller.key_id,
            verb: "GET",
            route: "/v1/sources",
            question: "",
            filters: Vec::new(),
            purpose: caller.purpose.as_deref(),
            events: 0,
            restricted: 0,
            seq: None,
            persons: Vec::new(),
        };
        record_read(engine, ledger, &read)?;
        Ok(Json(listed))
    })
    .await
}
