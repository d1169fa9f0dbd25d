//! `/v1/privacy/requests`: data subject requests (docs/gdpr.md). The data subject stands in bodies, never in a path.

pub(super) mod carry_out;
pub(super) mod fetch;
mod problem;
mod shown;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use self::shown::{dry_run, request};
use super::auth::{Caller, may};
use super::body::read_json;
use super::extract::Path;
use super::problem::Problem;
use trailkeep_api::privacy::{
    ClosingDecision, DryRun, Identity, NewPersonRequest, PersonRequest, RequestClosing,
    RequestExtension, RequestList,
};
use trailkeep_core::blocking;
use trailkeep_core::requests::{self, NewRequest};
use trailkeep_core::tenant::{ReadScope, Tenant};
use trailkeep_proof::ledger::event::Person;
use trailkeep_proof::privacy::{Day, Ended};

/// Files a data subject request, or previews it (`dry_run`).
///
/// It is an entry of the ledger before the answer is sent. Where it is established who asks, the copy is begun. An erasure
/// or restriction destroys and restricts nothing before it is carried out (`.../execute`).
#[utoipa::path(
    post,
    path = "/v1/privacy/requests",
    request_body(content = NewPersonRequest, example = json!({"type": "access", "subject": {"id": "u-1"}, "reference": "T-2041", "manner": "email"})),
    responses(
        (status = 201, description = "The request is filed.", body = PersonRequest, headers(("Location" = String, description = "The request."))),
        (status = 200, description = "What the request would do.", body = DryRun)
    ),
    extensions(("x-trailkeep-problems" = json!(["too-large", "too-many", "unprocessable"]))),
)]
pub(super) async fn receive(
    caller: Caller<may::AnswerRequests, Tenant>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "{\"type\":\"access\"|\"portability\"|\"erasure\"|\"restriction\",\"subject\":{\"id\",\"namespace\"},\"reference\",\"regime\":\"gdpr\"|\"uk-gdpr\"|\"ccpa\",\
                \"received_at\",\"manner\",\"identity_verified_by\",\"identity_kind\",\"dry_run\",\"include_acted\",\"include_others\",\"include_staff\",\"not_the_same_person\",\"ground\"}, all \
                but type and subject optional";
    let asked: NewPersonRequest = read_json(body, form).await?;
    let caller = caller.identified();
    let is_dry_run = asked.dry_run;
    let new = asked_of(asked)?;
    if is_dry_run {
        let said = move || {
            let purpose = caller.purpose.as_deref();
            let by = (caller.key_id.as_str(), purpose);
            requests::dry_run(&caller.engine.journal, &caller.on, &new, by).map(dry_run)
        };
        return Ok(Json(blocking(said).await?).into_response());
    }
    let filed = blocking(move || {
        requests::receive(&caller.engine.requests, &caller.on, &new, &caller.key_id)
    })
    .await?;
    let location = format!("/v1/privacy/requests/{}", filed.id);
    let location = HeaderValue::from_str(&location).map_err(|_| Problem::internal())?;
    let head = [(header::LOCATION, location)];
    Ok((StatusCode::CREATED, head, Json(request(filed))).into_response())
}

fn asked_of(asked: NewPersonRequest) -> Result<NewRequest, Problem> {
    let wrong = "`received_at` must be a day such as 2027-01-31, or an RFC 3339 time on that day";
    let received_on = asked
        .received_at
        .as_deref()
        .map(|text| Day::parse_day_or_time(text).ok_or_else(|| Problem::unprocessable(wrong)));
    Ok(NewRequest {
        kind: asked.kind,
        regime: asked.regime,
        subject: Person::asked(&asked.subject.id, &asked.subject.namespace),
        reference: asked.reference,
        identity_verified_by: asked.identity_verified_by,
        identity_kind: asked.identity_kind,
        manner: asked.manner,
        received_on: received_on.transpose()?,
        include_acted: asked.include_acted,
        show_others: asked.include_others,
        show_staff: asked.include_staff,
        not_the_same_person: asked.not_the_same_person,
        ground: asked.ground,
    })
}

/// Lists the requests by due date, without the data subjects.
#[utoipa::path(
    get,
    path = "/v1/privacy/requests",
    responses((status = 200, description = "The requests.", body = RequestList)),
    extensions(("x-trailkeep-problems" = json!([]))),
)]
pub(super) async fn list(
    caller: Caller<may::AnswerRequests, ReadScope>,
) -> Result<Json<RequestList>, Problem> {
    let caller = caller.identified();
    blocking(move || {
        let requests = requests::list(&caller.engine.journal, caller.on.tenant())?;
        let requests = requests.into_iter().map(request).collect();
        Ok(Json(RequestList { requests }))
    })
    .await
}

/// Shows a request with its data subject; the read is recorded.
#[utoipa::path(
    get,
    path = "/v1/privacy/requests/{id}",
    params(("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef")),
    responses((status = 200, description = "The request.", body = PersonRequest)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn show(
    caller: Caller<may::AnswerRequests, ReadScope>,
    Path(id): Path<String>,
) -> Result<Json<PersonRequest>, Problem> {
    let caller = caller.identified();
    blocking(move || {
        let by = (caller.key_id.as_str(), caller.purpose.as_deref());
        let shown = requests::show(&caller.engine.journal, caller.on.tenant(), &id, by)?;
        Ok(Json(request(shown)))
    })
    .await
}

/// Records that the requester's identity was verified, and starts a copy. It deletes and restricts nothing.
#[utoipa::path(
    post,
    path = "/v1/privacy/requests/{id}/identity",
    params(("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef")),
    request_body(content = Identity, example = json!({"kind": "account-login", "verified_by": "the second factor of the account"})),
    responses((status = 200, description = "The request.", body = PersonRequest)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "request-state", "too-large", "unprocessable"]))),
)]
pub(super) async fn identify(
    caller: Caller<may::AnswerRequests, Tenant>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<PersonRequest>, Problem> {
    let form = "{\"verified_by\":\"how\",\"kind\"}, one of the two optional";
    let said: Identity = read_json(body, form).await?;
    let caller = caller.identified();
    blocking(move || {
        let (engine, tenant) = (&caller.engine, &caller.on);
        let by = &caller.key_id;
        let how = (said.verified_by.as_deref(), said.kind);
        let said = requests::identify(&engine.requests, tenant, &id, how, by)?;
        Ok(Json(request(said)))
    })
    .await
}

/// Extends a request's due date: once, within the first period, with a reason.
#[utoipa::path(
    post,
    path = "/v1/privacy/requests/{id}/extend",
    params(("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef")),
    request_body(content = RequestExtension, example = json!({"reason": "eight systems to search"})),
    responses((status = 200, description = "The request.", body = PersonRequest)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "request-state", "too-large", "unprocessable"]))),
)]
pub(super) async fn extend(
    caller: Caller<may::AnswerRequests, Tenant>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<PersonRequest>, Problem> {
    let said: RequestExtension = read_json(body, "{\"reason\":\"why\"}").await?;
    let caller = caller.identified();
    blocking(move || {
        let (engine, tenant) = (&caller.engine, &caller.on);
        let by = &caller.key_id;
        let extended = requests::extend(&engine.journal, tenant, &id, &said.reason, by)?;
        Ok(Json(request(extended)))
    })
    .await
}

/// Closes a request: answered (issues its certificate), ended without an answer, or a restriction lifted.
#[utoipa::path(
    post,
    path = "/v1/privacy/requests/{id}/close",
    params(("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef")),
    request_body(content = RequestClosing, example = json!({"decision": "withdrawn"})),
    responses((status = 200, description = "The request.", body = PersonRequest)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "refused", "request-state", "too-large", "unprocessable"]))),
)]
pub(super) async fn close(
    caller: Caller<may::AnswerRequests, Tenant>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<PersonRequest>, Problem> {
    let form =
        "{\"decision\":\"answered\"|\"withdrawn\"|\"identity-not-shown\"|\"forwarded\"|\"lifted\"}";
    let said: RequestClosing = read_json(body, form).await?;
    let caller = caller.identified();
    blocking(move || {
        let (engine, tenant, by) = (&caller.engine, &caller.on, &caller.key_id);
        let end = |ended| requests::end(&engine.journal, tenant, &id, ended, by);
        let closed = match said.decision {
            ClosingDecision::Answered => {
                let reason = said.not_the_same_person.as_deref();
                requests::answer(&engine.requests, tenant, &id, reason, by)
            }
            ClosingDecision::Lifted => requests::lift(&engine.journal, tenant, &id, by),
            ClosingDecision::Withdrawn => end(Ended::Withdrawn),
            ClosingDecision::IdentityNotShown => end(Ended::IdentityNotShown),
            ClosingDecision::Forwarded => end(Ended::Forwarded),
        };
        Ok(Json(request(closed?)))
    })
    .await
}
