//! `/v1/access`: who read, exported and managed what.

use axum::Json;
use axum::extract::{Query, rejection::QueryRejection};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{Caller, may};
use super::problem::Problem;
use crate::ids::Seq;
use crate::service::access_log;
use crate::service::blocking;
use crate::service::query::{PAGE_EVENTS_DEFAULT, PAGE_EVENTS_MAX};
use crate::time::UnixMillis;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    from: Option<String>,
    to: Option<String>,
    start: Option<u64>,
    limit: Option<usize>,
}

/// `GET /v1/access`: a page of accesses, oldest first.
pub(super) async fn list(
    caller: Caller<may::SeeAccess>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(asked) = asked.map_err(|_| {
        Problem::bad_request("from, to, start and limit are the parameters, each once")
    })?;
    let moment = |name: &str, text: Option<&str>| {
        let wrong = || {
            Problem::bad_request(format!(
                "`{name}` must be an RFC 3339 time (write + as %2B)"
            ))
        };
        text.map(|text| UnixMillis::parse_rfc3339(text).ok_or_else(wrong))
            .transpose()
    };
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
    let page =
        blocking(move || access_log::list(&caller.engine, &caller.ledger, time, start, limit));
    let page = page.await?;
    Ok(Json(json!({
        "accesses": page.accesses,
        "next_start": page.next.map(Seq::get),
    })))
}
