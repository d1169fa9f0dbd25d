//! The HTTP edge: routes, who may call them, formats in and out. docs/api.md describes it.
#![forbid(unsafe_code)]

mod access;
mod anchors;
mod auth;
mod backup;
mod body;
mod connections;
mod document;
mod etag;
mod events;
mod explained;
mod exports;
mod extract;
mod figures;
mod holds;
mod jobs;
mod keys;
pub mod limits;
mod local_socket;
mod log;
mod lost;
mod metrics;
mod operate;
mod otlp;
mod policies;
mod prices;
mod privacy;
mod problem;
mod progress;
mod prompts;
mod query;
mod rates;
mod request_id;
mod retention;
pub mod serve;
mod sources;
mod tenants;
pub mod tls;
mod unauthorized;
mod vault;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

use self::body::intake::{Intake, take_in};
use self::connections::places::Places;
pub use self::document::document;
use self::document::route;
pub use self::explained::{explanation, verdict};
use self::jobs::JobFigures;
use self::limits::Limits;
pub use self::operate::report as verify_report;
use self::otlp::metrics::Told;
use self::problem::Problem;
use self::rates::Rates;
use self::tls::Certificates;
use self::unauthorized::Unauthorized;
use trailkeep_core::Engine;

/// How a caller came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// Over the network: with a token.
    Network,
    /// A command on the machine, through the socket that only the directory's owner can open.
    Local,
}

/// What the handlers share: one count to raise for each layer of each request.
#[derive(Clone)]
pub struct App(Arc<Shared>);

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl From<Shared> for App {
    fn from(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }
}

/// The parts of an [`App`].
#[derive(Clone)]
pub struct Shared {
    engine: Arc<Engine>,
    entrance: Entrance,
    tls: Option<Arc<Certificates>>,
    intake: Arc<Intake>,
    rates: Arc<Rates>,
    told: Arc<Told>,
    unauthorized: Arc<Unauthorized>,
    /// Of a server, the places of its connections.
    places: Option<Arc<Places>>,
    /// Of a server, what its jobs did.
    jobs: Option<Arc<JobFigures>>,
}

impl Shared {
    /// What the handlers of one entrance share. Both entrances of a server share one intake.
    fn new(engine: Arc<Engine>, entrance: Entrance, intake: Arc<Intake>) -> Self {
        Self {
            engine,
            entrance,
            tls: None,
            intake,
            rates: Arc::new(Rates::new(None)),
            told: Arc::default(),
            unauthorized: Arc::default(),
            places: None,
            jobs: None,
        }
    }
}

/// All routes, with what the OpenAPI document says of them.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(document::begun())
        .routes(route!(events::append))
        .routes(route!(query::list))
        .routes(route!(query::ask))
        .routes(route!(otlp::traces))
        .routes(route!(otlp::logs))
        .routes(route!(otlp::metrics::export))
        .routes(route!(events::show))
        .routes(route!(events::proof))
        .routes(route!(events::show_entry))
        .routes(route!(events::entry_proof))
        .routes(route!(log::own_checkpoint))
        .routes(route!(log::key))
        .routes(route!(log::checkpoint))
        .routes(route!(log::tile))
        .routes(route!(exports::start))
        .routes(route!(exports::show))
        .routes(route!(exports::remove))
        .routes(route!(exports::file))
        .routes(route!(keys::create))
        .routes(route!(keys::list))
        .routes(route!(keys::revoke))
        .routes(route!(access::list))
        .routes(route!(policies::gaps))
        .routes(route!(figures::show))
        .routes(route!(figures::allow))
        .routes(route!(figures::list))
        .routes(route!(prices::set))
        .routes(route!(prices::list))
        .routes(route!(prices::show))
        .merge(of_prompts())
        .routes(route!(privacy::receive))
        .routes(route!(privacy::list))
        .routes(route!(privacy::show))
        .routes(route!(privacy::identify))
        .routes(route!(privacy::carry_out::preview))
        .routes(route!(privacy::carry_out::execute))
        .routes(route!(privacy::extend))
        .routes(route!(privacy::close))
        .routes(route!(privacy::fetch::bundle))
        .routes(route!(privacy::fetch::certificate))
        .routes(route!(privacy::fetch::signature))
        .routes(route!(privacy::fetch::answer))
        .routes(route!(tenants::create))
        .routes(route!(tenants::list))
        .routes(route!(tenants::change))
        .routes(route!(tenants::close))
        .routes(route!(holds::place))
        .routes(route!(holds::list))
        .routes(route!(holds::lift))
        .routes(route!(retention::fire))
        .routes(route!(retention::triggers))
        .routes(route!(retention::preview))
        .routes(route!(retention::run))
        .routes(route!(retention::explain_entry))
        .routes(route!(retention::explain_event))
        .routes(route!(vault::resume_destruction))
        .routes(route!(vault::show))
        .routes(route!(vault::rotate))
        .routes(route!(vault::bind))
        .routes(route!(vault::add))
        .routes(route!(vault::list))
        .routes(route!(vault::check))
        .routes(route!(vault::remove))
        .routes(route!(backup::make))
        .routes(route!(anchors::list))
        .routes(route!(anchors::history))
        .routes(route!(anchors::checkpoint))
        .routes(route!(anchors::run))
        .routes(route!(anchors::resume))
        .routes(route!(sources::list))
        .routes(route!(operate::verify))
        .routes(route!(metrics::show))
        .routes(route!(operate::healthz))
        .routes(route!(operate::readyz))
        .routes(route!(document::serve))
}

/// Those of prompts.
fn of_prompts() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(route!(prompts::list))
        .routes(route!(prompts::fetch))
        .routes(route!(prompts::register))
        .routes(route!(prompts::show))
        .routes(route!(prompts::show_label))
        .routes(route!(prompts::move_label))
        .routes(route!(prompts::roll_back))
        .routes(route!(prompts::history))
        .routes(route!(prompts::withdraw))
        .routes(route!(prompts::erase))
        .routes(route!(prompts::langfuse::get))
}

/// All routes over an engine, for commands.
pub fn router(engine: Arc<Engine>, entrance: Entrance) -> Router {
    let Limits {
        body_memory_bytes,
        body_bytes_per_s,
        ..
    } = Limits::default();
    let intake = Arc::new(Intake::new(body_memory_bytes, body_bytes_per_s));
    router_of(Shared::new(engine, entrance, intake).into())
}

/// All routes over what they share.
fn router_of(app: App) -> Router {
    Router::from(routes())
        .merge(otlp::grpc::routes())
        .fallback(lost::no_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::disable()) // body/intake.rs has the limits, before and after decoding
        .layer(axum::middleware::from_fn_with_state(app.clone(), take_in))
        .layer(axum::middleware::from_fn(lost::check_host))
        .layer(CatchPanicLayer::custom(|_| {
            axum::response::IntoResponse::into_response(Problem::internal())
        }))
        .layer(axum::middleware::from_fn_with_state(
            app.clone(),
            request_id::name,
        ))
        .with_state(app)
}

async fn method_not_allowed() -> Problem {
    Problem::method_not_allowed()
}
