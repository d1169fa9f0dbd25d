//! `/v1/access`: who read, exported and managed what.

use std::collections::HashMap;

use axum::Json;

use super::auth::{Caller, may};
use super::body::moment;
use super::extract::Query;
use super::keys::name_of;
use super::problem::Problem;
use trailkeep_api::access::{AccessPage, AccessQuestion, ListedAccess};
use trailkeep_core::blocking;
use trailkeep_core::govern::api_key;
use trailkeep_core::journal::access_log::{self, PageLimits};
use trailkeep_core::keys::api_key::KeyName;
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
    let (page, names) = blocking(move || {
        let journal = &caller.engine.journal;
        let page = access_log::list(
            journal,
            caller.on.ledger(),
            time,
            start,
            PageLimits::of(limit),
        )?;
        let names = api_key::names(journal, caller.on.tenant())?;
        Ok::<_, Problem>((page, names))
    })
    .await?;
    let listed = |access| listed(access, &names);
    Ok(Json(AccessPage {
        accesses: page.accesses.into_iter().map(listed).collect(),
        next_start: page.next.map(Seq::get),
    }))
}

fn listed(access: access_log::ListedAccess, names: &HashMap<String, KeyName>) -> ListedAccess {
    let by = access.detail["by"].as_str();
    ListedAccess {
        by_name: by.and_then(|id| name_of(names, id)),
        seq: access.seq,
        recorded_at: access.recorded_at,
        action: access.action,
        detail: access.detail,
    }
}
