//! Carrying out a request: what it would do, and the order to do it.

use std::time::Duration;

use crate::extract::Path;
use axum::Json;
use axum::body::Body;

use super::shown::{dry_run, request as shown};
use crate::auth::{Caller, Identified, may};
use crate::body::read_json;
use crate::problem::Problem;
use trailkeep_api::privacy::{DryRun, PersonRequest, RequestExecution};
use trailkeep_core::blocking;
use trailkeep_core::requests::{self, Order, PrivacyError, ShownRequest};
use trailkeep_core::tenant::{ReadScope, Tenant};

/// How long an answer waits for the end of an erasure: what takes longer goes on behind it.
const WAITED_FOR: Duration = Duration::from_secs(10);

/// Previews what a filed request would do now. It is recorded as a read.
///
/// Of an erasure or restriction that can be ordered it gives a token, which `.../execute` takes.
#[utoipa::path(
    get,
    path = "/v1/privacy/requests/{id}/preview",
    params(("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef")),
    responses((status = 200, description = "What the request would do.", body = DryRun)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(crate) async fn preview(
    caller: Caller<may::AnswerRequests, ReadScope>,
    Path(id): Path<String>,
) -> Result<Json<DryRun>, Problem> {
    let caller = caller.identified();
    blocking(move || {
        let by = (caller.key_id.as_str(), caller.purpose.as_deref());
        let said = requests::preview(&caller.engine.requests, caller.on.tenant(), &id, by)?;
        Ok(Json(dry_run(said)))
    })
    .await
}

/// Carries out an erasure or a restriction whose requester is identified: an erasure destroys now what no minimum and no
/// hold keeps, and that can't be undone.
///
/// It takes the token of the request's preview. New events that would be treated as the preview says do not end the token. A
/// new hold, retention class or request of the data subject does: the answer is `stale-preview`, with what the order would do
/// now and the token for that. A request that was ordered before needs no token, and its order stays as it is.
///
/// The order is an entry of the ledger first. What takes long goes on behind the answer, with `state` `executing` or
/// `open`; what could not be done now is done by the daily run.
#[utoipa::path(
    post,
    path = "/v1/privacy/requests/{id}/execute",
    params(("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef")),
    request_body(content = RequestExecution, example = json!({"now": true, "token": "AAABnLZ3"})),
    responses((status = 200, description = "The request.", body = PersonRequest)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "refused", "request-state", "stale-preview", "too-large", "unprocessable"]))),
)]
pub(crate) async fn execute(
    caller: Caller<may::AnswerRequests, Tenant>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<PersonRequest>, Problem> {
    let said: RequestExecution = read_json(
        body,
        "{\"token\":\"of the preview\",\"now\":true|false,\"not_the_same_person\":\"why\",\"ground\":\"contested\"|\"unlawful\"|\"claims\"|\"objection\"}, all but token optional",
    )
    .await?;
    let caller = caller.identified();
    let (to, rotates) = (caller.clone(), said.now);
    let order = Order {
        token: said.token,
        not_the_same_person: said.not_the_same_person,
        ground: said.ground,
    };
    let ordered = blocking(move || give(&to, &id, &order)).await?;
    let carried_out = carry_out(caller, ordered, rotates).await?;
    Ok(Json(shown(carried_out)))
}

/// Gives an order. Where its token does not fit, the problem has what the order would do now.
fn give(caller: &Identified<Tenant>, id: &str, order: &Order) -> Result<ShownRequest, Problem> {
    let (requests, tenant) = (&caller.engine.requests, &caller.on);
    match requests::order(requests, tenant, id, order, &caller.key_id) {
        Err(error @ PrivacyError::StaleToken(_)) => {
            let by = (caller.key_id.as_str(), caller.purpose.as_deref());
            let now = requests::preview(requests, tenant, id, by)?;
            Err(Problem::stale_preview(error.to_string(), dry_run(now)))
        }
        ordered => Ok(ordered?),
    }
}

/// Carries out a request for erasure or restriction that was ordered. Gives the request as it is then.
async fn carry_out(
    caller: Identified<Tenant>,
    request: ShownRequest,
    rotates: bool,
) -> Result<ShownRequest, Problem> {
    let (id, to) = (request.id.clone(), request.id.clone());
    let work = blocking(move || {
        let (engine, tenant, by) = (&caller.engine, &caller.on, &caller.key_id);
        requests::carry_out_now(&engine.requests, tenant, by, rotates)?;
        requests::one(&engine.journal, tenant, &to)
    });
    let work = tokio::spawn(work);
    match tokio::time::timeout(WAITED_FOR, work).await {
        Ok(Ok(Ok(request))) => Ok(request),
        Ok(Ok(Err(error))) => {
            Err(Problem::from(error).after(&format!("request {id} is accepted; ")))
        }
        Ok(Err(_panicked)) => Err(Problem::internal()),
        // It is under way; the list of requests says when it is over.
        Err(_elapsed) => Ok(request),
    }
}
