//! `/v1/keys`: API keys of the caller's tenant.

use std::collections::HashMap;

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::auth::{Caller, may};
use super::body::read_json;
use super::extract::Path;
use super::problem::Problem;
use trailkeep_api::keys::{self, KeyList, ListedKey, MadeKey, NewKey};
use trailkeep_core::blocking;
use trailkeep_core::govern::api_key;
use trailkeep_core::govern::api_key::ManageError;
use trailkeep_core::keys::api_key::KeyName;
use trailkeep_core::keys::role::Role;
use trailkeep_core::tenant::{ReadScope, Tenant};
use trailkeep_policy::CalendarPeriod;

/// Creates an API key of the caller's tenant.
#[utoipa::path(
    post,
    path = "/v1/keys",
    request_body(content = NewKey, example = json!({"role": "reader", "expires": "P90D", "label": "checkout", "owner": "team-payments"})),
    responses((status = 201, description = "The key, and its token, which is shown only once.", body = MadeKey)),
    extensions(("x-trailkeep-problems" = json!(["too-large", "unprocessable"]))),
)]
pub(super) async fn create(
    caller: Caller<may::ManageKeys, Tenant>,
    body: Body,
) -> Result<Response, Problem> {
    let form = "{\"role\":\"reader\",\"expires\":\"P90D\",\"label\":\"checkout\",\"owner\":\"team-payments\"}; only role is required";
    let asked: NewKey = read_json(body, form).await?;
    let role: Role =
        asked
            .role
            .parse()
            .map_err(|error: trailkeep_core::keys::role::RoleError| {
                Problem::bad_request(error.to_string())
            })?;
    let expires = asked
        .expires
        .as_deref()
        .map(CalendarPeriod::parse)
        .transpose();
    let expires = expires.map_err(|error| Problem::bad_request(error.to_string()))?;
    let name = KeyName {
        label: asked.label.clone(),
        owner: asked.owner.clone(),
    };
    let caller = caller.identified();
    let tenant = caller.on.name().to_string();
    let made = blocking(move || {
        api_key::create(
            &caller.engine.journal,
            &caller.on,
            role,
            expires,
            name,
            &caller.key_id,
        )
    })
    .await?;
    let answer = MadeKey {
        id: made.id,
        token: made.token.to_string(),
        role: named(role),
        tenant,
        expires_at: made.expires_at.map(|moment| moment.to_string()),
        label: asked.label,
        owner: asked.owner,
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Lists the API keys of the caller's tenant, revoked and expired ones too.
#[utoipa::path(
    get,
    path = "/v1/keys",
    responses((status = 200, description = "The keys, oldest first.", body = KeyList)),
)]
pub(super) async fn list(caller: Caller<may::ManageKeys, ReadScope>) -> Result<Response, Problem> {
    let keys = blocking(move || api_key::list(&caller.engine.journal, caller.on.tenant())).await;
    let keys = keys.map_err(ManageError::from)?;
    let keys = keys.into_iter().map(listed).collect();
    Ok(Json(KeyList { keys }).into_response())
}

/// Revokes an API key, effective immediately.
#[utoipa::path(
    delete,
    path = "/v1/keys/{id}",
    params(("id" = String, Path, description = "The key's id.", example = "4f1c8a90b2d3e6f7")),
    responses((status = 204, description = "The key is revoked.")),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn revoke(
    caller: Caller<may::ManageKeys, Tenant>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let caller = caller.identified();
    blocking(move || api_key::revoke(&caller.engine.journal, &caller.on, &id, &caller.key_id))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn listed(key: api_key::ListedKey) -> ListedKey {
    ListedKey {
        id: key.id,
        role: named(key.role),
        tenant: key.tenant,
        created_at: key.created_at,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
        last_used_at: key.last_used_at,
        label: key.name.label,
        owner: key.name.owner,
    }
}

/// What a key is called, where it has a name.
pub(super) fn name_of(names: &HashMap<String, KeyName>, id: &str) -> Option<keys::KeyName> {
    let KeyName { label, owner } = names.get(id)?.clone();
    Some(keys::KeyName { label, owner })
}

const fn named(role: Role) -> keys::Role {
    match role {
        Role::Writer => keys::Role::Writer,
        Role::Reader => keys::Role::Reader,
        Role::Auditor => keys::Role::Auditor,
        Role::Privacy => keys::Role::Privacy,
        Role::Operator => keys::Role::Operator,
        Role::Admin => keys::Role::Admin,
    }
}

impl From<ManageError> for Problem {
    fn from(error: ManageError) -> Self {
        match error {
            ManageError::NoSuchKey => Self::not_found(error.to_string()),
            ManageError::Expiry | ManageError::Name(_) => Self::unprocessable(error.to_string()),
            ManageError::Record(error) => (*error).into(),
            ManageError::Key(error) => {
                tracing::error!(%error, "an API key could not be created, listed or revoked");
                Self::damaged(error.to_string())
            }
        }
    }
}
