//! `/v1/keys`: API keys of the caller's tenant.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::auth::{Caller, may};
use super::problem::Problem;
use crate::policy::CalendarPeriod;
use crate::service::access::Role;
use crate::service::api_key::{self, ManageError};
use crate::service::blocking;

const BODY_BYTES_MAX: usize = 4 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewKey {
    role: String,
    expires: Option<String>,
}

/// `POST /v1/keys`: makes one. The token is in this answer and nowhere else.
pub(super) async fn create(
    caller: Caller<may::ManageKeys>,
    body: Body,
) -> Result<Response, Problem> {
    let body = to_bytes(body, BODY_BYTES_MAX).await;
    let body = body.map_err(|_| Problem::too_large("the body is larger than 4 KiB"))?;
    let asked: NewKey = serde_json::from_slice(&body).map_err(|_| {
        Problem::bad_request(
            "the body must be {\"role\":\"reader\",\"expires\":\"P90D\"}; expires may be absent",
        )
    })?;
    let role: Role = asked
        .role
        .parse()
        .map_err(|error: crate::service::access::RoleError| {
            Problem::bad_request(error.to_string())
        })?;
    let expires = asked
        .expires
        .as_deref()
        .map(CalendarPeriod::parse)
        .transpose();
    let expires = expires.map_err(|error| Problem::bad_request(error.to_string()))?;
    let caller = caller.identified();
    let tenant = caller.ledger.record.tenant.to_string();
    let made = blocking(move || {
        api_key::create(
            &caller.engine,
            &caller.ledger,
            role,
            expires,
            &caller.key_id,
        )
    })
    .await?;
    let answer = json!({
        "id": made.id,
        "token": *made.token,
        "role": role,
        "tenant": tenant,
        "expires_at": made.expires_at.map(|moment| moment.to_string()),
    });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// `GET /v1/keys`: all of the tenant's, revoked ones too.
pub(super) async fn list(caller: Caller<may::ManageKeys>) -> Result<Response, Problem> {
    let keys = blocking(move || api_key::list(&caller.engine, &caller.ledger)).await;
    let keys = keys.map_err(ManageError::from)?;
    Ok(Json(json!({ "keys": keys })).into_response())
}

/// `DELETE /v1/keys/{id}`: revokes one, at once.
pub(super) async fn revoke(
    caller: Caller<may::ManageKeys>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let caller = caller.identified();
    blocking(move || api_key::revoke(&caller.engine, &caller.ledger, &id, &caller.key_id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<ManageError> for Problem {
    fn from(error: ManageError) -> Self {
        match error {
            ManageError::NoSuchKey => Self::not_found(error.to_string()),
            ManageError::Expiry => Self::bad_request(error.to_string()),
            ManageError::Record(error) => (*error).into(),
            ManageError::Key(error) => {
                tracing::error!(%error, "an API key could not be made, listed or revoked");
                Self::damaged(error.to_string())
            }
        }
    }
}
