//! `/v1/policies`: what policies found.

use axum::Json;

use super::auth::{Caller, may};
use super::problem::Problem;
use trailkeep_api::policies::{GapList, ListedGap};
use trailkeep_core::blocking;
use trailkeep_core::journal::append::AppendError;
use trailkeep_core::tenant::ReadScope;
use trailkeep_ports::GapRow;

fn listed(row: GapRow) -> ListedGap {
    ListedGap {
        policy: row.name.policy,
        what: row.name.what,
        events: row.events,
        first_seq: row.first.get(),
        last_seq: row.last.get(),
    }
}

/// Lists, by policy, required fields that recorded events lack.
#[utoipa::path(
    get,
    path = "/v1/policies/gaps",
    responses((status = 200, description = "The gaps.", body = GapList)),
)]
pub(super) async fn gaps(
    caller: Caller<may::SeeAccess, ReadScope>,
) -> Result<Json<GapList>, Problem> {
    let found = blocking(move || {
        let ledgers = &caller.engine.journal.ledgers;
        ledgers.gaps(caller.on.ledger().record.number)
    });
    let rows = found.await.map_err(AppendError::from)?;
    let gaps = rows.into_iter().map(listed).collect();
    Ok(Json(GapList { gaps }))
}
