//! `/v1/sources`: gaps in producer sequence numbers.

use axum::Json;

use super::auth::{Caller, Identified, may};
use super::problem::Problem;
use trailkeep_api::sources::{Source, SourceList};
use trailkeep_core::audit::sources::sources;
use trailkeep_core::blocking;
use trailkeep_core::journal::access_log::{AccessRecord, record_read};
use trailkeep_core::tenant::ReadScope;
use trailkeep_proof::ledger::sources::ListedSource;

fn shown(listed: ListedSource) -> Source {
    Source {
        name: listed.name,
        events: listed.events,
        last_number: listed.last_number,
        restarts: listed.restarts,
        repeats: listed.repeats,
        missing: listed.missing,
        may_be_deleted: listed.may_have_gone,
        gaps: listed.gaps,
    }
}

/// Lists the producers that number their events, with the numbers that are missing.
///
/// Events name them in `source`. The first answer after a start reads all events, later ones only new events. Names are
/// part of payloads, so the read is recorded.
#[utoipa::path(
    get,
    path = "/v1/sources",
    responses((status = 200, description = "The producers, by name.", body = SourceList)),
)]
pub(super) async fn list(
    caller: Caller<may::Verify, ReadScope>,
) -> Result<Json<SourceList>, Problem> {
    let caller = caller.identified();
    blocking(move || {
        let Identified { engine, on, .. } = &caller;
        let ledger = on.ledger();
        let listed = sources(&engine.sources, ledger, |book| SourceList {
            sources: book.list().into_iter().map(shown).collect(),
            unattributed: book.untold(),
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
        record_read(&engine.journal, ledger, &read)?;
        Ok(Json(listed))
    })
    .await
}
