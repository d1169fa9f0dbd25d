//! Who is calling, whose ledger it is about, and whether they may.
//!
//! A handler names the right that it needs and what it acts on in its first argument, `Caller<may::Append, Tenant>`, and gets
//! its caller in no other way: a route that forgets to ask does not compile ([`super::document::Guard`]). One that
//! writes acts on a [`Tenant`], one that reads on a [`ReadScope`].

use std::collections::HashMap;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Path};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::connections::places::Place;
use super::document::{Access, Guard};
use super::problem::Problem;
use super::{App, Entrance};
use trailkeep_api::{LEDGER_HEADER, PURPOSE_HEADER, TENANT_HEADER};
use trailkeep_core::keys::api_key::{Principal, authenticate, recognise};
use trailkeep_core::keys::role::{Right, Role};
use trailkeep_core::tenant::{NamedLedgerError, ReadScope, Tenant};
use trailkeep_core::{DEFAULT_TENANT, Engine};
use trailkeep_proof::ids::TenantName;

const PURPOSE_BYTES_MAX: usize = 256;

/// The routes that take a token as a password, too: clients of another interface send it so.
const BY_PASSWORD: &str = "/api/public/";

/// How long the answer to a wrong token takes: guessing is not to be cheap.
const WRONG_TOKEN_DELAY: Duration = Duration::from_millis(250);

/// An authenticated caller with what they act on: their tenant, or the ledger of it that they read.
#[derive(Clone)]
pub(super) struct Identified<A> {
    pub(super) engine: Arc<Engine>,
    pub(super) on: A,
    pub(super) entrance: Entrance,
    pub(super) role: Role,
    /// Id of the API key, or `local`.
    pub(super) key_id: String,
    /// Why, in the caller's words.
    pub(super) purpose: Option<String>,
}

/// A caller who may do `R`, and acts on `A`.
pub(super) struct Caller<R, A>(Identified<A>, PhantomData<R>);

/// What a route acts on.
pub(super) trait ActsOn: Clone + Send + Sized {
    /// Whether it is written to.
    const WRITES: bool;

    /// The part of a tenant that a ledger's name asks for.
    fn of(tenant: Tenant, ledger: Option<&str>) -> Result<Self, NamedLedgerError>;
}

impl ActsOn for Tenant {
    const WRITES: bool = true;

    fn of(tenant: Tenant, ledger: Option<&str>) -> Result<Self, NamedLedgerError> {
        tenant.to_write(ledger)
    }
}

impl ActsOn for ReadScope {
    const WRITES: bool = false;

    fn of(tenant: Tenant, ledger: Option<&str>) -> Result<Self, NamedLedgerError> {
        tenant.read_scope(ledger)
    }
}

/// The right that a route needs.
pub(super) trait Needed {
    const RIGHT: Right;
}

/// Rights as types.
pub(super) mod may {
    use super::{Needed, Right};

    macro_rules! rights {
        ($($name:ident),*) => {$(
            /// The right of the same name.
            pub(in super::super) struct $name;

            impl Needed for $name {
                const RIGHT: Right = Right::$name;
            }
        )*};
    }

    rights!(
        Append,
        Read,
        Prove,
        Export,
        Verify,
        SeeAccess,
        SeeRetention,
        RunRetention,
        ManageHolds,
        AnswerRequests,
        ManageKeys,
        SeePrices,
        SetPrices,
        SeeFigures,
        NameFigures,
        FetchPrompts,
        SeePrompts,
        SetPrompts,
        SeeMetrics,
        ManageTenants,
        ManageVault
    );
}

impl<R: Needed, A: ActsOn> Guard for Caller<R, A> {
    const ACCESS: Access = Access::Right(R::RIGHT);
    const WRITES: Option<bool> = Some(A::WRITES);
}

/// For handlers that answer in a form of their own also those who may not call.
impl<R: Needed, A: ActsOn> Guard for Result<Caller<R, A>, Problem> {
    const ACCESS: Access = Access::Right(R::RIGHT);
    const WRITES: Option<bool> = Some(A::WRITES);
}

impl<R: Needed + Send, A: ActsOn> FromRequestParts<App> for Caller<R, A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let principal = match app.entrance {
            Entrance::Local => local_principal(parts)?,
            Entrance::Network => network_principal(parts, app).await?,
        };
        if !principal.role.may(R::RIGHT) {
            return Err(Problem::forbidden(principal.role, R::RIGHT));
        }
        let is_operator = principal.tenant.as_str() == DEFAULT_TENANT;
        if R::RIGHT.is_the_operator_s() && !is_operator {
            return Err(Problem::not_the_operator());
        }
        let tenant = app.engine.journal.tenant(&principal.tenant);
        let tenant = tenant.ok_or_else(|| Problem::not_found("tenant not found"))?;
        let on = A::of(tenant, named_ledger(parts)?)?;
        let identified = Identified {
            engine: Arc::clone(&app.engine),
            on,
            entrance: app.entrance,
            role: principal.role,
            key_id: principal.key_id,
            purpose: purpose(parts)?,
        };
        Ok(Self(identified, PhantomData))
    }
}

impl<R, A> Caller<R, A> {
    /// The caller, whose right was checked.
    pub(super) fn identified(self) -> Identified<A> {
        self.0
    }
}

impl<R, A> Deref for Caller<R, A> {
    type Target = Identified<A>;

    fn deref(&self) -> &Identified<A> {
        &self.0
    }
}

/// The log that a path names, for whom it is open: for everybody where the tenant's setting says so, else for
/// callers of that tenant who may prove.
pub(super) struct OpenLog {
    pub(super) engine: Arc<Engine>,
    pub(super) scope: ReadScope,
}

impl Guard for OpenLog {
    const ACCESS: Access = Access::UnlessPublic(Right::Prove);
    // Its path names the ledger.
    const WRITES: Option<bool> = None;
}

impl FromRequestParts<App> for OpenLog {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, app).await;
        let named = path
            .ok()
            .and_then(|Path(names)| app.engine.journal.read_scope_named(names.get("tenant")?));
        if let Some(scope) = &named
            && scope.ledger().settings().public_log
        {
            let engine = Arc::clone(&app.engine);
            let scope = scope.clone();
            return Ok(Self { engine, scope });
        }
        let caller = Caller::<may::Prove, ReadScope>::from_request_parts(parts, app).await?;
        let Identified { engine, on, .. } = caller.identified();
        // Another tenant's log is answered as one that does not exist.
        let tenant = on.tenant().name();
        match named.filter(|named| named.tenant().name() == tenant) {
            Some(scope) => Ok(Self { engine, scope }),
            None => Err(Problem::not_found("log not found")),
        }
    }
}

/// Whoever calls, without a token: for routes that say nothing of any tenant.
pub(super) struct Anyone;

impl Guard for Anyone {
    const ACCESS: Access = Access::Open;
    const WRITES: Option<bool> = None;
}

impl FromRequestParts<App> for Anyone {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &App) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// The ledger that the header names.
fn named_ledger(parts: &Parts) -> Result<Option<&str>, Problem> {
    let name = parts.headers.get(LEDGER_HEADER);
    let name = name.map(|name| name.to_str()).transpose();
    name.map_err(|_| NamedLedgerError::Unknown.into())
}

impl From<NamedLedgerError> for Problem {
    fn from(error: NamedLedgerError) -> Self {
        let detail = error.to_string();
        match error {
            NamedLedgerError::Unknown => Self::not_found(detail),
            NamedLedgerError::Superseded { .. } => Self::superseded_ledger(detail),
        }
    }
}

fn purpose(parts: &Parts) -> Result<Option<String>, Problem> {
    let Some(value) = parts.headers.get(PURPOSE_HEADER) else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .ok()
        .filter(|text| text.len() <= PURPOSE_BYTES_MAX && !text.contains('\t'));
    match text {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(Problem::bad_request(
            "`Trailkeep-Purpose` must be at most 256 printable ASCII characters",
        )),
    }
}

async fn network_principal(parts: &Parts, app: &App) -> Result<Principal, Problem> {
    let header = parts
        .headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let basic = header.filter(|_| parts.uri.path().starts_with(BY_PASSWORD));
    let password = basic.and_then(password);
    let token = password.as_ref().map(|password| password.as_str());
    let token = token.or_else(|| header.and_then(bearer_token));
    let token = token.ok_or_else(|| {
        app.unauthorized.note();
        Problem::unauthorized()
    })?;
    let journal = &app.engine.journal;
    // Any change of the vault makes the key's row be read again: a revoked key is refused from the next request on. The
    // row is read here: with new data subjects the vault changes all the time.
    let now = journal.clock.wall();
    let found = match recognise(&journal.keyring, token, now) {
        Some(found) => Some(found),
        None => authenticate(&journal.keyring, token, now).map_err(|error| {
            tracing::error!(%error, "an API token could not be checked");
            Problem::internal()
        })?,
    };
    let Some(found) = found else {
        app.unauthorized.note();
        tokio::time::sleep(WRONG_TOKEN_DELAY).await;
        return Err(Problem::unauthorized());
    };
    if let Some(place) = parts.extensions.get::<Arc<Place>>() {
        place.prove();
    }
    app.rates.take(&found.key_id)?;
    Ok(found)
}

/// A command of the directory's owner, who may act for any tenant.
fn local_principal(parts: &Parts) -> Result<Principal, Problem> {
    let named = parts.headers.get(TENANT_HEADER);
    let named = named.map_or(Ok(DEFAULT_TENANT), |value| value.to_str());
    let tenant = named.ok().and_then(|name| TenantName::new(name).ok());
    let tenant = tenant.ok_or_else(|| Problem::not_found("tenant not found"))?;
    Ok(Principal {
        key_id: "local".to_owned(),
        tenant,
        role: Role::Admin,
    })
}

/// The token that stands as the password of `Basic CREDENTIALS` (RFC 7617). The user's name does not matter.
fn password(header: &str) -> Option<Zeroizing<String>> {
    let (scheme, credentials) = header.split_once(' ')?;
    let credentials = scheme
        .eq_ignore_ascii_case("basic")
        .then(|| STANDARD.decode(credentials.trim()).ok())??;
    let credentials = Zeroizing::new(String::from_utf8(credentials).ok()?);
    let (_, password) = credentials.split_once(':')?;
    Some(Zeroizing::new(password.to_owned()))
}

/// The token of `Bearer TOKEN`; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer_token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
