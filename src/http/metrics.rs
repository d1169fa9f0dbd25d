//! `/metrics`: figures of the caller's own tenant, as OpenMetrics. No payload, no id of anybody.

use std::sync::atomic::AtomicI64;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::auth::{Caller, Identified, may};
use super::problem::Problem;
use crate::service::DEFAULT_TENANT;
use crate::service::append::AppendError;
use crate::service::blocking;
use crate::service::hold::Holds;

/// The media type of the text form (OpenMetrics 1.0.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type Labels = Vec<(String, String)>;

/// Gives the figures of the caller's tenant, as OpenMetrics text.
#[utoipa::path(
    get,
    path = "/metrics",
    responses((status = 200, description = "The figures.", body = String, content_type = "application/openmetrics-text")),
)]
pub(super) async fn show(caller: Caller<may::SeeAccess>) -> Result<Response, Problem> {
    let caller = caller.identified();
    let text = blocking(move || figures(&caller)).await?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}

fn figures(caller: &Identified) -> Result<String, Problem> {
    let Identified { engine, ledger, .. } = caller;
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
    let jobs = engine
        .ledgers
        .open_jobs(number)
        .map_err(AppendError::from)?;
    gauge(
        "open_destroying_jobs",
        "Statements of destruction that are not carried out to the end",
        jobs.len() as u64,
    );
    let now = engine.clock.wall();
    let holds = Holds::load(&engine.keyring, &ledger.record)?.in_force();
    let is_due = |at: crate::time::UnixMillis| at <= now;
    let due = holds
        .iter()
        .filter(|(_, hold)| hold.review_at().is_some_and(is_due));
    gauge("holds", "Legal holds in force", holds.iter().count() as u64);
    gauge(
        "holds_review_due",
        "Legal holds whose date of review has come",
        due.count() as u64,
    );
    if ledger.record.tenant.as_str() == DEFAULT_TENANT {
        for (name, count) in engine.staging.counters().all() {
            let help = "Telemetry of all tenants since the start: docs/opentelemetry.md";
            gauge(&format!("otlp_{name}"), help, count);
        }
    }
    let gaps = Family::<Labels, Gauge>::default();
    for row in engine.ledgers.gaps(number).map_err(AppendError::from)? {
        let labels = vec![
            ("policy".to_owned(), row.name.policy),
            ("what".to_owned(), row.name.what),
        ];
        let events = i64::try_from(row.events).unwrap_or(i64::MAX);
        gaps.get_or_create(&labels).set(events);
    }
    registry.register(
        "policy_gap_events",
        "Events that lacked what a policy asks for, of all that were ever recorded",
        gaps,
    );
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|error| {
        tracing::error!(%error, "the figures could not be written");
        Problem::internal()
    })?;
    Ok(text)
}
