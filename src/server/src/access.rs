//! `/v1/access`: who read, exported and managed what.

use axum::Json;

use super::auth::{Caller, may};
use super::body::moment;
use super::extract::Query;
use super::problem::Problem;
use trailkeep_api::access::{AccessPage, AccessQuestion, ListedAccess};
use trailkeep_core::blocking;
use trailkeep_core::journal::access_log::{self, PageLimits};
use trailkeep_core::query::{PAGE_EVENTS_DEFAULT, PAGE_EVENTS_MAX};
use trailkeep_core::tenant::ReadScope;
use trailkeep_proof::ids::Seq;

/// Lists who read, exported and managed what, oldest first.
#[utoipa::path(
    get,
    path = "/v1/access",
    params(AccessQuestion),
    responses((status = 200, description = "A page.", body = AccessPage)),
)]
pub(super) async fn list(
    caller: Caller<may::SeeAccess, ReadScope>,
    asked: Result<Query<AccessQuestion>, Problem>,
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
            PageLimits::of(limit),
        )
    });
    let page = page.await?;
    Ok(Json(AccessPage {
        accesses: page.accesses.into_iter().map(listed).collect(),
        next_start: page.next.map(Seq::get),
    }))
}

fn listed(access: access_log::ListedAccess) -> ListedAccess {
    ListedAccess {
        seq: access.seq,
        recorded_at: access.recorded_at,
        action: access.action,
        detail: access.detail,
    }
}
