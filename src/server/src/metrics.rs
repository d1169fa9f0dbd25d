//! `/metrics`: figures of the caller's own tenant, as OpenMetrics. No payload, no id of anybody.

mod anchors;
mod telemetry;

use std::sync::atomic::AtomicI64;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::App;
use super::auth::{Caller, Identified, may};
use super::problem::Problem;
use super::tls::Certificates;
use trailkeep_core::figures::Labels;
use trailkeep_core::govern::rotation;
use trailkeep_core::journal::append::AppendError;
use trailkeep_core::ops::readiness::readiness;
use trailkeep_core::tenant::hold::Holds;
use trailkeep_core::tenant::{ReadScope, Tenant};
use trailkeep_core::{DEFAULT_TENANT, Engine, blocking};
use trailkeep_core::{requests, retention};
use trailkeep_proof::time::UnixMillis;

/// The media type of the text form (OpenMetrics 1.0.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Figures of the process as they are now, for the operator.
fn process_figures(
    engine: &Engine,
    tls: Option<&Certificates>,
    gauge: &mut impl FnMut(&str, &str, u64),
) -> Result<(), Problem> {
    let (events, bytes) = engine.journal.writer.queue_depth();
    gauge("queue_events", "Events in the write queue", events as u64);
    gauge(
        "queue_bytes",
        "Bytes of the encrypted payloads in the write queue",
        bytes as u64,
    );
    let ready = u64::from(readiness(&engine.custody).ready);
    gauge("ready", "Whether /readyz answers ready", ready);
    let free = engine.journal.disk.free_bytes().unwrap_or(0);
    gauge(
        "disk_free_bytes",
        "Free bytes of the data directory's disk",
        free,
    );
    let help = "Free bytes below which appends are refused";
    let reserve = engine.journal.disk.reserve_bytes();
    gauge("disk_reserve_bytes", help, reserve);
    let status = rotation::status(&engine.custody).map_err(|error| {
        tracing::error!(%error, "the vault cannot be read");
        Problem::internal()
    })?;
    let behind = status.targets.iter().filter(|target| !target.is_current);
    gauge(
        "vault_copies",
        "Registered vault replicas",
        status.targets.len() as u64,
    );
    let help = "Vault replicas that are behind the vault";
    gauge("vault_copies_behind", help, behind.count() as u64);
    let due = u64::from(status.due_since.is_some());
    gauge("rotation_due", "Whether a vault rotation is due", due);
    let help = "Whether a vault rotation waits for an unreachable replica";
    gauge("copies_pending", help, u64::from(status.copies_pending));
    if let Some(tls) = tls {
        let help = "Time at which the TLS certificate expires, in seconds since 1970";
        gauge(
            "tls_certificate_expires_timestamp_seconds",
            help,
            tls.expires_at().get() / 1_000,
        );
        let help = "Whether the TLS certificate's files are unusable, so that the previous certificate stays in use";
        gauge(
            "tls_reload_failed",
            help,
            u64::from(tls.failure().is_some()),
        );
    }
    Ok(())
}

/// What only grows. A family of counters has a name of its own (OpenMetrics), so the old ones are named otherwise.
fn register_counters(app: &App, engine: &Engine, registry: &mut Registry) {
    let mut register = |name: String, help: &str, count: u64| {
        let counter = Counter::<u64>::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    };
    for (name, count) in engine.inbox.counters().all() {
        let help = "Telemetry of all tenants since the start: docs/opentelemetry.md";
        register(format!("telemetry_{name}"), help, count);
    }
    if let Some(taken) = app.places.as_ref().map(|places| places.taken()) {
        let help = "Connections closed to make room for others";
        register("connections_closed".to_owned(), help, taken.closed);
        let help = "Connections refused because their address had reached its limit";
        register("connections_refused".to_owned(), help, taken.refused);
    }
    if let Some(jobs) = &app.jobs {
        jobs.register(registry);
    }
}

/// What clients hold of what the limits allow them.
fn client_figures(app: &App, gauge: &mut impl FnMut(&str, &str, u64)) {
    let help = "Bytes that request bodies use now";
    gauge("body_memory_bytes", help, app.intake.memory.used());
    if let Some(taken) = app.places.as_ref().map(|places| places.taken()) {
        gauge("connections", "Open connections", taken.all as u64);
        let help = "Open connections without an authenticated request";
        gauge("connections_unauthenticated", help, taken.unproven as u64);
    }
}

/// Requests of the tenant's persons.
fn request_figures(
    engine: &Engine,
    tenant: &Tenant,
    gauge: &mut impl FnMut(&str, &str, u64),
) -> Result<(), Problem> {
    let (open, overdue) = requests::counts(&engine.journal, tenant)?;
    let help = "Open data subject requests, with those of which something is kept by law";
    gauge("requests_open", help, open);
    let help = "Data subject requests past their due date";
    gauge("requests_overdue", help, overdue);
    Ok(())
}

/// Events of the tenant that should be gone.
fn overdue_figures(
    engine: &Engine,
    tenant: &Tenant,
    gauge: &mut impl FnMut(&str, &str, u64),
) -> Result<(), Problem> {
    let overdue = retention::recently_overdue(&engine.retention, tenant)?;
    let help = "Events past their maximum, not under a hold and not deleted yet";
    gauge("overdue_events", help, overdue.events);
    let help = "Time at which the oldest overdue event should have been deleted, in seconds since 1970; 0 if there is none";
    let since = overdue.since.map_or(0, |moment| moment.get() / 1_000);
    gauge("overdue_events_oldest_timestamp_seconds", help, since);
    Ok(())
}

/// Returns the metrics of the caller's tenant as OpenMetrics text.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, description = "The figures.", body = String, content_type = "application/openmetrics-text")),
)]
pub(super) async fn show(
    caller: Caller<may::SeeMetrics, ReadScope>,
    State(app): State<App>,
) -> Result<Response, Problem> {
    let caller = caller.identified();
    let text = blocking(move || figures(&caller, &app)).await?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

/// Legal holds in force, and those whose review is due.
fn hold_figures(
    engine: &Engine,
    tenant: &Tenant,
    now: UnixMillis,
    gauge: &mut impl FnMut(&str, &str, u64),
) -> Result<(), Problem> {
    let holds = Holds::of(&engine.journal.keyring, tenant)?.in_force();
    let is_due = |at: UnixMillis| at <= now;
    let due = holds
        .iter()
        .filter(|(_, hold)| hold.review_at().is_some_and(is_due));
    gauge("holds", "Legal holds in force", holds.iter().count() as u64);
    gauge(
        "holds_review_due",
        "Legal holds due for review",
        due.count() as u64,
    );
    Ok(())
}

fn figures(caller: &Identified<ReadScope>, app: &App) -> Result<String, Problem> {
    let Identified { engine, on, .. } = caller;
    let (tenant, ledger) = (on.tenant(), on.ledger());
    let number = ledger.record.number;
    let mut registry = Registry::with_prefix("trailkeep");
    let mut gauge = |name: &str, help: &str, value: u64| {
        let gauge = Gauge::<i64, AtomicI64>::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    gauge(
        "entries",
        "Entries of the ledger",
        ledger.published().head.size,
    );
    let mut jobs = 0;
    for ledger in tenant.all() {
        let open = engine.journal.ledgers.open_jobs(ledger.record.number);
        jobs += open.map_err(AppendError::from)?.len() as u64;
    }
    gauge(
        "open_destroying_jobs",
        "Deletion jobs that are not complete",
        jobs,
    );
    let now = engine.journal.clock.wall();
    hold_figures(engine, tenant, now, &mut gauge)?;
    request_figures(engine, tenant, &mut gauge)?;
    overdue_figures(engine, tenant, &mut gauge)?;
    let last = ledger.published().last_recorded_at;
    let age_ms = now.get().saturating_sub(last.get());
    gauge(
        "checkpoint_age_seconds",
        "Seconds since the last entry, and so since the checkpoint, of the ledger",
        age_ms / 1_000,
    );
    if tenant.name().as_str() == DEFAULT_TENANT {
        process_figures(engine, app.tls.as_deref(), &mut gauge)?;
        client_figures(app, &mut gauge);
        // The names of 0.1.0, of gauges: until the release after next.
        for (name, count) in engine.inbox.counters().all() {
            let help = "Old name of the counter telemetry_..._total";
            gauge(&format!("otlp_{name}"), help, count);
        }
        telemetry::register(&mut registry, engine);
        engine.journal.figures.register(&mut registry);
        register_counters(app, engine, &mut registry);
    }
    let gaps = Family::<Labels, Gauge>::default();
    for row in engine
        .journal
        .ledgers
        .gaps(number)
        .map_err(AppendError::from)?
    {
        let labels = vec![
            ("policy".to_owned(), row.name.policy),
            ("what".to_owned(), row.name.what),
        ];
        let events = i64::try_from(row.events).unwrap_or(i64::MAX);
        gaps.get_or_create(&labels).set(events);
    }
    registry.register(
        "policy_gap_events",
        "Recorded events that lack a field which a policy requires, since the ledger was created",
        gaps,
    );
    anchors::register(&mut registry, engine, ledger)?;
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| {
        tracing::error!(%error, "the metrics could not be written");
        Problem::internal()
    })?;
    Ok(text)
}
