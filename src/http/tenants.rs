//! `/v1/tenants`: made and listed by the operator.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::{Caller, Identified, may};
use super::problem::Problem;
use crate::ids::{Seq, TenantName};
use crate::service::ledger::Ledger;
use crate::service::settings::{self, SettingsChange, SettingsError};
use crate::service::tenant::{self, ListedTenant, TenantError};
use crate::service::{DEFAULT_TENANT, blocking};

const BODY_BYTES_MAX: usize = 4 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewTenant {
    name: String,
}

/// `POST /v1/tenants`: makes one, with its first API key.
pub(super) async fn create(
    caller: Caller<may::ManageTenants>,
    body: Body,
) -> Result<Response, Problem> {
    let body = to_bytes(body, BODY_BYTES_MAX).await;
    let body = body.map_err(|_| Problem::too_large("the body is larger than 4 KiB"))?;
    let asked: NewTenant = serde_json::from_slice(&body)
        .map_err(|_| Problem::bad_request("the body must be {\"name\":\"acme\"}"))?;
    let name =
        TenantName::new(&asked.name).map_err(|error| Problem::bad_request(error.to_string()))?;
    let caller = caller.identified();
    let answered = name.to_string();
    let made =
        blocking(move || tenant::create(&caller.engine, &caller.ledger, &name, &caller.key_id))
            .await?;
    let answer = json!({
        "tenant": answered,
        "origin": made.origin.as_str(),
        "token": *made.token,
        "public_key": made.public_key_pem,
        "vkey": made.vkey,
    });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `GET /v1/tenants`.
pub(super) async fn list(caller: Caller<may::ManageTenants>) -> Response {
    Json(json!({ "tenants": tenant::list(&caller.engine) })).into_response()
}

/// `PATCH /v1/tenants/{name}`: sets what is named, and leaves the rest.
pub(super) async fn change(
    caller: Caller<may::ManageTenants>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<ListedTenant>, Problem> {
    let body = to_bytes(body, BODY_BYTES_MAX).await;
    let body = body.map_err(|_| Problem::too_large("the body is larger than 4 KiB"))?;
    let asked: SettingsChange = serde_json::from_slice(&body).map_err(|_| {
        Problem::bad_request("the body must be such as {\"public_log\":true,\"read_audit\":true}")
    })?;
    let ledger = named(&caller, &name)?;
    blocking(move || {
        settings::change(&caller.engine, &ledger, &asked, &caller.key_id)?;
        Ok(Json(tenant::listed(&ledger)))
    })
    .await
}

/// `POST /v1/tenants/{name}/close`: nothing new from here on; what is recorded goes as its minimums end.
pub(super) async fn close(
    caller: Caller<may::ManageTenants>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    if name == DEFAULT_TENANT {
        let detail = "the operator's own tenant can't be closed: its ledger records what is done with the others";
        return Err(Problem::bad_request(detail));
    }
    let ledger = named(&caller, &name)?;
    blocking(move || {
        let (seq, closed_at) = settings::close(&caller.engine, &ledger, &caller.key_id)?;
        let seq = seq.map(Seq::get);
        let answer = json!({"tenant": name, "closed_at": closed_at.to_string(), "seq": seq});
        Ok(Json(answer))
    })
    .await
}

fn named(caller: &Identified, name: &str) -> Result<Arc<Ledger>, Problem> {
    let ledger = TenantName::new(name)
        .ok()
        .and_then(|name| caller.engine.ledger_of(&name));
    ledger.ok_or_else(|| Problem::not_found("there is no such tenant: `trailkeep tenant list`"))
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Record(error) => (*error).into(),
            SettingsError::Key(error) => error.into(),
        }
    }
}

impl From<TenantError> for Problem {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::Exists(_) => Self::name_taken(error.to_string()),
            TenantError::Record(error) => (*error).into(),
            error => {
                tracing::error!(%error, "a tenant could not be made");
                Self::damaged(error.to_string())
            }
        }
    }
}
