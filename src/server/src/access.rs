//! `/v1/access`: who read, exported and managed what.

use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::auth::{Caller, may};
use super::body::moment;
use super::extract::Query;
use super::problem::Problem;
use trailkeep_core::blocking;
use trailkeep_core::journal::access_log;
use trailkeep_core::journal::access_log::ListedAccess;
use trailkeep_core::query::{PAGE_EVENTS_DEFAULT, PAGE_EVENTS_MAX};
use trailkeep_core::tenant::ReadScope;
use trailkeep_proof::ids::Seq;

/// The parameters, each once.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Recorded at this time or later (RFC 3339).
    #[param(format = DateTime)]
    from: Option<String>,
    /// Recorded before this time (RFC 3339).
    #[param(format = DateTime)]
    to: Option<String>,
    /// The `next_start` of the previous page.
    #[param(maximum = 1_099_511_627_775_u64)]
    start: Option<u64>,
    /// Maximum accesses per page; default 100.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// A page of accesses.
#[derive(Serialize, ToSchema)]
pub(super) struct AccessPage {
    accesses: Vec<ListedAccess>,
    /// Value of `start` for the next page; absent on the last page.
    next_start: Option<u64>,
}

/// Lists who read, exported and managed what, oldest first.
#[utoipa::path(
    get,
    path = "/v1/access",
    params(Asked),
    responses((status = 200, description = "A page.", body = AccessPage)),
)]
pub(super) async fn list(
    caller: Caller<may::SeeAccess, ReadScope>,
    asked: Result<Query<Asked>, Problem>,
) -> Result<Json<AccessPage>, Problem> {
    let Query(asked) = asked.map_err(|_| {
        Problem::bad_request(
            "unknown or repeated parameter; parameters are from, to, start and limit, each once",
        )
    })?;
    let time = (
        moment("from", asked.from.as_deref())?,
        moment("to", asked.to.as_deref())?,
    );
    let limit = asked.limit.unwrap_or(PAGE_EVENTS_DEFAULT);
    if !(1..=PAGE_EVENTS_MAX).contains(&limit) {
        let detail = format!("`limit` must be a number from 1 to {PAGE_EVENTS_MAX}");
        return Err(Problem::bad_request(detail));
    }
    let start = asked.start.map(Seq::new);
    if start.is_some_and(|start| start > Seq::MAX) {
        return Err(Problem::bad_request(
            "`start` must be the `next_start` of the previous page",
        ));
    }
    let page = blocking(move || {
        access_log::list(
            &caller.engine.journal,
            caller.on.ledger(),
            time,
            start,
            limit,
        )
    });
    let page = page.await?;
    Ok(Json(AccessPage {
        accesses: page.accesses,
        next_start: page.next.map(Seq::get),
    }))
}
