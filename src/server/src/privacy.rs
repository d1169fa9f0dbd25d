//! `/v1/privacy/requests`: requests of persons (docs/gdpr.md). The person stands in bodies, never in a path.

pub(super) mod carry_out;
pub(super) mod fetch;
mod problem;

use axum::Json;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::{Caller, may};
use super::body::read_json;
use super::extract::Path;
use super::problem::Problem;
use trailkeep_core::blocking;
use trailkeep_core::requests;
use trailkeep_core::requests::{DryRun, NewRequest, ShownRequest};
use trailkeep_core::tenant::{ReadScope, Tenant};
use trailkeep_proof::ledger::event::Person;
use trailkeep_proof::privacy::{Day, Ended, Kind, Regime};

/// A person's request.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPersonRequest)]
pub(super) struct Asked {
    /// `access`, `portability`, `erasure` or `restriction`.
    #[serde(rename = "type")]
    #[schema(value_type = String, pattern = "^(access|portability|erasure|restriction)$")]
    kind: Kind,
    /// Who asks.
    subject: Subject,
    /// Your own name for it, forgotten with whom it is about.
    reference: Option<String>,
    /// `gdpr`, `uk-gdpr` or `ccpa`; `gdpr` if nothing is said.
    #[serde(default)]
    #[schema(value_type = String, required = false, pattern = "^(gdpr|uk-gdpr|ccpa)$")]
    regime: Regime,
    /// The day on which it came in, or an RFC 3339 time on it; today if nothing is said.
    received_at: Option<String>,
    /// By what it was established who asks; without it the request waits for that.
    identity_verified_by: Option<String>,
    /// Says what it would do, and does nothing.
    #[serde(default)]
    dry_run: bool,
    /// Include events in which the data subject is only the actor.
    #[serde(default)]
    include_acted: bool,
    /// Why other persons in the same events are shown; without it they are not.
    include_others: Option<String>,
    /// Shows who of the staff acted.
    #[serde(default)]
    include_staff: bool,
    /// Why data subjects with a near identifier are other people, where nothing is held under exactly this one.
    not_the_same_person: Option<String>,
}

/// A data subject.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PersonName)]
struct Subject {
    /// The identifier, as in the events.
    id: String,
    /// Which system it belongs to; empty for the tenant's own.
    #[serde(default)]
    namespace: String,
}

/// How the requester's identity was verified.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    verified_by: String,
}

/// Why more time is needed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RequestExtension)]
pub(super) struct Extension {
    reason: String,
}

/// How a request ends.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RequestClosing)]
pub(super) struct Closing {
    decision: ClosingDecision,
    /// Why data subjects with a similar identifier are other people, if nothing is held.
    not_the_same_person: Option<String>,
}

/// Data subject requests.
#[derive(Serialize, ToSchema)]
pub(super) struct RequestList {
    requests: Vec<ShownRequest>,
}

/// Answered, or ended without an answer.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum ClosingDecision {
    Answered,
    Withdrawn,
    IdentityNotShown,
    Forwarded,
    Lifted,
}

/// Files a data subject request, or previews it (`dry_run`).
///
/// It is an entry of the ledger before the answer is sent. Where it is established who asks, the copy is begun. An erasure
/// or restriction destroys and restricts nothing before it is carried out (`.../execute`).
#[utoipa::path(
    post,
    path = "/v1/privacy/requests",
    request_body(content = Asked, example = json!({"type": "access", "subject": {"id": "u-1"}, "reference": "T-2041"})),
    responses(
        (status = 201, description = "The request is filed.", body = ShownRequest, headers(("Location" = String, description = "The request."))),
        (status = 200, description = "What the request would do.", body = DryRun)
    ),
    extensions(("x-trailkeep-problems" = json!(["too-large", "too-many", "unprocessable"]))),
)]
pub(super) async fn receive(
    caller: Caller<may::AnswerRequests, Tenant>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "{\"type\":\"access\"|\"portability\"|\"erasure\"|\"restriction\",\"subject\":{\"id\",\"namespace\"},\"reference\",\"regime\":\"gdpr\"|\"uk-gdpr\"|\"ccpa\",\
                \"received_at\",\"identity_verified_by\",\"dry_run\",\"include_acted\",\"include_others\",\"include_staff\",\"not_the_same_person\"}, all \
                but type and subject optional";
    let asked: Asked = read_json(body, form).await?;
    let caller = caller.identified();
    let is_dry_run = asked.dry_run;
    let new = asked.into_request()?;
    if is_dry_run {
        let said = move || {
            let purpose = caller.purpose.as_deref();
            let by = (caller.key_id.as_str(), purpose);
            requests::dry_run(&caller.engine.journal, &caller.on, &new, by)
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
    Ok((StatusCode::CREATED, head, Json(filed)).into_response())
}

impl Asked {
    fn into_request(self) -> Result<NewRequest, Problem> {
        let wrong =
            "`received_at` must be a day such as 2027-01-31, or an RFC 3339 time on that day";
        let received_on = self
            .received_at
            .as_deref()
            .map(|text| Day::parse_day_or_time(text).ok_or_else(|| Problem::unprocessable(wrong)));
        Ok(NewRequest {
            kind: self.kind,
            regime: self.regime,
            subject: Person::asked(&self.subject.id, &self.subject.namespace),
            reference: self.reference,
            identity_verified_by: self.identity_verified_by,
            received_on: received_on.transpose()?,
            include_acted: self.include_acted,
            show_others: self.include_others,
            show_staff: self.include_staff,
            not_the_same_person: self.not_the_same_person,
        })
    }
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
        Ok(Json(RequestList { requests }))
    })
    .await
}

/// Shows a request with its data subject; the read is recorded.
#[utoipa::path(
    get,
    path = "/v1/privacy/requests/{id}",
    params(("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef")),
    responses((status = 200, description = "The request.", body = ShownRequest)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn show(
    caller: Caller<may::AnswerRequests, ReadScope>,
    Path(id): Path<String>,
) -> Result<Json<ShownRequest>, Problem> {
    let caller = caller.identified();
    blocking(move || {
        let by = (caller.key_id.as_str(), caller.purpose.as_deref());
        Ok(Json(requests::show(
            &caller.engine.journal,
            caller.on.tenant(),
            &id,
            by,
        )?))
    })
    .await
}

/// Records that the requester's identity was verified, and starts a copy. It deletes and restricts nothing.
#[utoipa::path(
    post,
    path = "/v1/privacy/requests/{id}/identity",
    params(("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef")),
    request_body(content = Identity, example = json!({"verified_by": "the second factor of the account"})),
    responses((status = 200, description = "The request.", body = ShownRequest)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "request-state", "too-large", "unprocessable"]))),
)]
pub(super) async fn identify(
    caller: Caller<may::AnswerRequests, Tenant>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<ShownRequest>, Problem> {
    let said: Identity = read_json(body, "{\"verified_by\":\"how\"}").await?;
    let caller = caller.identified();
    blocking(move || {
        let (engine, tenant) = (&caller.engine, &caller.on);
        let by = &caller.key_id;
        Ok(Json(requests::identify(
            &engine.requests,
            tenant,
            &id,
            &said.verified_by,
            by,
        )?))
    })
    .await
}

/// Extends a request's due date: once, within the first period, with a reason.
#[utoipa::path(
    post,
    path = "/v1/privacy/requests/{id}/extend",
    params(("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef")),
    request_body(content = Extension, example = json!({"reason": "eight systems to search"})),
    responses((status = 200, description = "The request.", body = ShownRequest)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "request-state", "too-large", "unprocessable"]))),
)]
pub(super) async fn extend(
    caller: Caller<may::AnswerRequests, Tenant>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<ShownRequest>, Problem> {
    let said: Extension = read_json(body, "{\"reason\":\"why\"}").await?;
    let caller = caller.identified();
    blocking(move || {
        let (engine, tenant) = (&caller.engine, &caller.on);
        let by = &caller.key_id;
        Ok(Json(requests::extend(
            &engine.journal,
            tenant,
            &id,
            &said.reason,
            by,
        )?))
    })
    .await
}

/// Closes a request: answered (issues its certificate), ended without an answer, or a restriction lifted.
#[utoipa::path(
    post,
    path = "/v1/privacy/requests/{id}/close",
    params(("id" = String, Path, description = "The request's id.", example = "0123456789abcdef0123456789abcdef")),
    request_body(content = Closing, example = json!({"decision": "withdrawn"})),
    responses((status = 200, description = "The request.", body = ShownRequest)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "refused", "request-state", "too-large", "unprocessable"]))),
)]
pub(super) async fn close(
    caller: Caller<may::AnswerRequests, Tenant>,
    Path(id): Path<String>,
    body: Body,
) -> Result<Json<ShownRequest>, Problem> {
    let form =
        "{\"decision\":\"answered\"|\"withdrawn\"|\"identity-not-shown\"|\"forwarded\"|\"lifted\"}";
    let said: Closing = read_json(body, form).await?;
    let caller = caller.identified();
    blocking(move || {
        let (engine, tenant, by) = (&caller.engine, &caller.on, &caller.key_id);
        let ended = match said.decision {
            ClosingDecision::Answered => {
                let reason = said.not_the_same_person.as_deref();
                return Ok(Json(requests::answer(
                    &engine.requests,
                    tenant,
                    &id,
                    reason,
                    by,
                )?));
            }
            ClosingDecision::Lifted => {
                return Ok(Json(requests::lift(&engine.journal, tenant, &id, by)?));
            }
            ClosingDecision::Withdrawn => Ended::Withdrawn,
            ClosingDecision::IdentityNotShown => Ended::IdentityNotShown,
            ClosingDecision::Forwarded => Ended::Forwarded,
        };
        Ok(Json(requests::end(
            &engine.journal,
            tenant,
            &id,
            ended,
            by,
        )?))
    })
    .await
}
