//! `/v1/tenants`: made and listed by the operator.

use axum::Json;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::auth::{Caller, Identified, may};
use super::body::read_json;
use super::extract::Path;
use super::problem::Problem;
use trailkeep_api::tenants::{
    ClosedTenant, ListedTenant, MadeTenant, NewTenant, SettingsChange, TenantList,
};
use trailkeep_core::govern::settings::{self, SettingsError};
use trailkeep_core::govern::tenants::{self, TenantError};
use trailkeep_core::tenant::{ReadScope, Tenant};
use trailkeep_core::{DEFAULT_TENANT, blocking};
use trailkeep_proof::ids::{Seq, TenantName};

/// Creates a tenant with its first API key.
#[utoipa::path(
    post,
    path = "/v1/tenants",
    request_body(content = NewTenant, example = json!({"name": "acme"})),
    responses((status = 201, description = "The tenant.", body = MadeTenant)),
    extensions(("x-trailkeep-problems" = json!(["name-taken", "too-large"]))),
)]
pub(super) async fn create(
    caller: Caller<may::ManageTenants, Tenant>,
    body: Body,
) -> Result<Response, Problem> {
    let asked: NewTenant = read_json(body, "{\"name\":\"acme\"}").await?;
    let name =
        TenantName::new(&asked.name).map_err(|error| Problem::bad_request(error.to_string()))?;
    let caller = caller.identified();
    let answered = name.to_string();
    let made = blocking(move || {
        tenants::create(&caller.engine.journal, &caller.on, &name, &caller.key_id)
    })
    .await?;
    let answer = MadeTenant {
        tenant: answered,
        origin: made.origin.to_string(),
        token: made.token.to_string(),
        public_key: made.public_key_pem,
        vkey: made.vkey,
    };
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Lists the tenants.
#[utoipa::path(
    get,
    path = "/v1/tenants",
    responses((status = 200, description = "The tenants, by name.", body = TenantList)),
)]
pub(super) async fn list(caller: Caller<may::ManageTenants, ReadScope>) -> Response {
    let tenants = tenants::list(&caller.engine.journal);
    let tenants = tenants.into_iter().map(listed).collect();
    Json(TenantList { tenants }).into_response()
}

/// Changes the given settings of a tenant.
#[utoipa::path(
    patch,
    path = "/v1/tenants/{name}",
    params(("name" = String, Path, description = "The tenant.", example = "acme")),
    request_body(content = SettingsChange, example = json!({"public_log": false})),
    responses((status = 200, description = "The tenant as it is now.", body = ListedTenant)),
    extensions(("x-trailkeep-problems" = json!(["not-found", "too-large", "policy"]))),
)]
pub(super) async fn change(
    caller: Caller<may::ManageTenants, Tenant>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<ListedTenant>, Problem> {
    let form = "such as {\"public_log\":true,\"read_audit\":true,\"strict\":false,\"default_regimes\":[\"soc2\"],\"unknown_regime\":\"soc2\",\"keep_requests\":\"P24M\"}";
    let asked: SettingsChange = read_json(body, form).await?;
    let tenant = named(&caller, &name)?;
    let change = settings::SettingsChange {
        public_log: asked.public_log,
        read_audit: asked.read_audit,
        strict: asked.strict,
        default_regimes: asked.default_regimes,
        unknown_regime: asked.unknown_regime,
        keep_requests: asked.keep_requests,
    };
    blocking(move || {
        settings::change(&caller.engine.journal, &tenant, &change, &caller.key_id)?;
        Ok(Json(listed(tenants::listed(&tenant))))
    })
    .await
}

/// Closes a tenant: it accepts no more events, and its events expire as their policies say.
#[utoipa::path(
    post,
    path = "/v1/tenants/{name}/close",
    params(("name" = String, Path, description = "The tenant.", example = "acme")),
    responses((status = 200, description = "The tenant is closed.", body = ClosedTenant)),
    extensions(("x-trailkeep-problems" = json!(["not-found"]))),
)]
pub(super) async fn close(
    caller: Caller<may::ManageTenants, Tenant>,
    Path(name): Path<String>,
) -> Result<Json<ClosedTenant>, Problem> {
    if name == DEFAULT_TENANT {
        let detail = "the operator's tenant cannot be closed: its ledger records what is done with other tenants";
        return Err(Problem::bad_request(detail));
    }
    let tenant = named(&caller, &name)?;
    blocking(move || {
        let (seq, closed_at) = settings::close(&caller.engine.inbox, &tenant, &caller.key_id)?;
        Ok(Json(ClosedTenant {
            tenant: name,
            closed_at: closed_at.to_string(),
            seq: seq.map(Seq::get),
        }))
    })
    .await
}

fn listed(tenant: tenants::ListedTenant) -> ListedTenant {
    ListedTenant {
        tenant: tenant.tenant,
        origin: tenant.origin,
        size: tenant.size,
        vkey: tenant.vkey,
        closed_at: tenant.closed_at,
        public_log: tenant.public_log,
        read_audit: tenant.read_audit,
        strict: tenant.strict,
        default_regimes: tenant.default_regimes,
        unknown_regime: tenant.unknown_regime,
        keep_requests: tenant.keep_requests,
        closed_ledgers: tenant.closed_ledgers,
    }
}

fn named(caller: &Identified<Tenant>, name: &str) -> Result<Tenant, Problem> {
    let tenant = TenantName::new(name)
        .ok()
        .and_then(|name| caller.engine.journal.tenant(&name));
    tenant.ok_or_else(|| {
        Problem::not_found("tenant not found: `trailkeep tenant list` shows the tenants")
    })
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Regime(error) => Self::unknown_regime(error.to_string()),
            SettingsError::KeepRequests(_) => Self::bad_request(error.to_string()),
            SettingsError::Record(error) => (*error).into(),
            SettingsError::Key(error) => error.into(),
            SettingsError::Telemetry(error) => error.into(),
        }
    }
}

impl From<TenantError> for Problem {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::Exists(_) => Self::name_taken(error.to_string()),
            TenantError::Record(error) => (*error).into(),
            error => {
                tracing::error!(%error, "a tenant could not be created");
                Self::damaged(error.to_string())
            }
        }
    }
}
