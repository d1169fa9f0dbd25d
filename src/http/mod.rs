//! The HTTP edge: routes, who may call them, formats in and out. docs/api.md describes it.

mod access;
pub(crate) mod auth;
mod body;
mod events;
mod exports;
mod keys;
mod log;
mod operate;
pub mod problem;
mod retention;
pub mod serve;
mod tenants;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Uri;
use axum::routing::{delete, get, patch, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;

use self::problem::Problem;
use crate::service::Engine;

/// A body that pauses for longer than this is given up.
const BODY_PAUSE_MAX: Duration = Duration::from_secs(30);

/// How a caller came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// Over the network: with a token.
    Network,
    /// A command on the machine, through the socket that only the directory's owner can open.
    Local,
}

/// What the handlers share.
#[derive(Clone)]
pub struct App {
    engine: Arc<Engine>,
    entrance: Entrance,
}

/// All routes over an engine.
pub fn router(engine: Arc<Engine>, entrance: Entrance) -> Router {
    Router::new()
        .route("/v1/events", post(events::append).get(events::query))
        .route("/v1/events/{id}", get(events::show))
        .route("/v1/events/{id}/proof", get(events::proof))
        .route("/v1/entries/{seq}", get(events::show_entry))
        .route("/v1/entries/{seq}/proof", get(events::entry_proof))
        .route("/v1/checkpoint", get(log::own_checkpoint))
        .route("/v1/key", get(log::key))
        .route("/v1/log/{tenant}/checkpoint", get(log::checkpoint))
        .route("/v1/log/{tenant}/tile/{*path}", get(log::tile))
        .route("/v1/exports", post(exports::start))
        .route(
            "/v1/exports/{id}",
            get(exports::show).delete(exports::remove),
        )
        .route("/v1/exports/{id}/file", get(exports::file))
        .route("/v1/keys", post(keys::create).get(keys::list))
        .route("/v1/keys/{id}", delete(keys::revoke))
        .route("/v1/access", get(access::list))
        .route("/v1/tenants", post(tenants::create).get(tenants::list))
        .route("/v1/tenants/{name}", patch(tenants::change))
        .route("/v1/tenants/{name}/close", post(tenants::close))
        .route("/v1/holds", post(retention::place).get(retention::list))
        .route("/v1/holds/{id}/lift", post(retention::lift))
        .route(
            "/v1/triggers",
            post(retention::fire).get(retention::triggers),
        )
        .route("/v1/retention/preview", get(retention::preview))
        .route("/v1/retention/run", post(retention::run))
        .route("/v1/entries/{seq}/retention", get(retention::explain_entry))
        .route("/v1/events/{id}/retention", get(retention::explain_event))
        .route("/v1/verify", post(operate::verify))
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::disable()) // body.rs has the limits, before and after decoding
        .layer(RequestBodyTimeoutLayer::new(BODY_PAUSE_MAX))
        .layer(CatchPanicLayer::custom(|_| {
            axum::response::IntoResponse::into_response(Problem::internal())
        }))
        .with_state(App { engine, entrance })
}

async fn not_found(_: Uri) -> Problem {
    Problem::not_found("there is no such route; docs/api.md lists them")
}

async fn method_not_allowed() -> Problem {
    Problem::method_not_allowed()
}
