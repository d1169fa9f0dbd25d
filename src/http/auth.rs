//! Who is calling, and whose ledger it is about.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::problem::Problem;
use super::{App, Entrance};
use crate::ids::TenantName;
use crate::service::api_key::{Principal, authenticate};
use crate::service::ledger::Ledger;
use crate::service::{DEFAULT_TENANT, Engine};

/// An authenticated caller with the ledger of their tenant.
pub(super) struct Caller {
    pub(super) engine: Arc<Engine>,
    pub(super) ledger: Arc<Ledger>,
    pub(super) entrance: Entrance,
    /// Id of the API key, or `local`.
    pub(super) key_id: String,
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let principal = match app.entrance {
            Entrance::Local => local_principal()?,
            Entrance::Network => {
                let header = parts
                    .headers
                    .get(AUTHORIZATION)
                    .and_then(|value| value.to_str().ok());
                let token = header
                    .and_then(bearer_token)
                    .ok_or_else(Problem::unauthorized)?;
                let found = authenticate(&app.engine.keyring, token).map_err(|error| {
                    tracing::error!(%error, "a token could not be checked");
                    Problem::internal()
                })?;
                found.ok_or_else(Problem::unauthorized)?
            }
        };
        let ledger = app
            .engine
            .ledger_of(&principal.tenant)
            .ok_or_else(Problem::unauthorized)?;
        Ok(Self {
            engine: Arc::clone(&app.engine),
            ledger: Arc::clone(ledger),
            entrance: app.entrance,
            key_id: principal.key_id,
        })
    }
}

impl Caller {
    /// Refuses a path that names another tenant, as if it did not exist.
    pub(super) fn require_tenant(&self, tenant: &str) -> Result<(), Problem> {
        if self.ledger.record.tenant.as_str() == tenant {
            Ok(())
        } else {
            Err(Problem::not_found("there is no such log"))
        }
    }
}

fn local_principal() -> Result<Principal, Problem> {
    let tenant = TenantName::new(DEFAULT_TENANT).map_err(|_| Problem::internal())?;
    Ok(Principal {
        key_id: "local".to_owned(),
        tenant,
    })
}

/// The token of `Bearer TOKEN`; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
