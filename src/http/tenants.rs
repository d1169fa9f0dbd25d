//! `/v1/tenants`: made and listed by the operator.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::auth::{Caller, may};
use super::problem::Problem;
use crate::ids::TenantName;
use crate::service::blocking;
use crate::service::tenant::{self, TenantError};

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
