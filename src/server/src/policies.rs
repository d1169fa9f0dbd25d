//! `/v1/policies`: what policies found.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::{Caller, may};
use super::problem::Problem;
use trailkeep_core::blocking;
use trailkeep_core::journal::append::AppendError;
use trailkeep_core::tenant::ReadScope;
use trailkeep_ports::GapRow;

/// Fields that recorded events lack.
#[derive(Serialize, ToSchema)]
pub(super) struct GapList {
    gaps: Vec<ListedGap>,
}

/// Something that a policy requires and events lack.
#[derive(Serialize, ToSchema)]
struct ListedGap {
    /// The policy.
    policy: String,
    /// `missing` and the field, or what is odd.
    what: String,
    /// Number of events, of all ever recorded.
    events: u64,
    /// The first of them.
    first_seq: u64,
    /// The last.
    last_seq: u64,
}

impl From<GapRow> for ListedGap {
    fn from(row: GapRow) -> Self {
        Self {
            policy: row.name.policy,
            what: row.name.what,
            events: row.events,
            first_seq: row.first.get(),
            last_seq: row.last.get(),
        }
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
    let gaps = rows.into_iter().map(ListedGap::from).collect();
    Ok(Json(GapList { gaps }))
}
