//! `/v1/metrics`: no event is made of metrics. SDKs send them by default and would report an error each minute if there
//! was no such route, so it says that it takes none of them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Exporter, answer};
use crate::App;
use crate::auth::Identified;
use crate::document::Bytes;
use crate::problem::Problem;
use trailkeep_core::ingest::Received;
use trailkeep_core::tenant::Tenant;
use trailkeep_otlp::answer::Service;
use trailkeep_otlp::decode::Encoding;
use trailkeep_otlp::metrics::{NOT_RECORDED, data_points};

/// How often a key is told why.
const TOLD_EVERY: Duration = Duration::from_secs(60 * 60);

/// Which keys were told that metrics are not recorded, and when.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<HashMap<String, Instant>>);

impl Told {
    /// Whether a key is to be told now; then it is not for an hour.
    fn is_due(&self, key_id: &str, now: Instant) -> bool {
        let mut told = self.0.lock();
        told.retain(|_, at| now.duration_since(*at) < TOLD_EVERY);
        let is_due = !told.contains_key(key_id);
        if is_due {
            told.insert(key_id.to_owned(), now);
        }
        is_due
    }
}

/// Rejects OpenTelemetry metrics.
///
/// OTLP/HTTP, `ExportMetricsServiceRequest` in protobuf or JSON. Nothing of it is stored: the answer rejects every data point. It
/// says why once an hour for each API key. Set `OTEL_METRICS_EXPORTER=none`. Errors are `google.rpc.Status`.
#[utoipa::path(
    post,
    path = "/v1/metrics",
    request_body(content(
        (Object = "application/json", example = json!({"resourceMetrics": []})),
        (Bytes = "application/x-protobuf"),
    )),
    responses((status = 200, description = "`partialSuccess` rejects all data points.", content(
        (Object = "application/json"),
        (Bytes = "application/x-protobuf"),
    ))),
    extensions(
        ("x-trailkeep-otlp" = json!(true)),
        ("x-trailkeep-problems" = json!(["too-large", "media-type"])),
    ),
)]
pub(crate) async fn export(
    caller: Exporter,
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(&app, Service::Metrics, caller, &headers, body).await
}

pub(super) fn reject(
    app: &App,
    encoding: Encoding,
    caller: &Identified<Tenant>,
    bytes: &[u8],
) -> Result<Received, Problem> {
    let rejected = data_points(encoding, bytes);
    let rejected = rejected.map_err(|error| Problem::bad_request(error.to_string()))?;
    let counter = &caller.engine.inbox.counters().data_points_rejected;
    counter.fetch_add(rejected, Ordering::Relaxed);
    let is_told = rejected > 0 && app.told.is_due(&caller.key_id, Instant::now());
    if is_told {
        let tenant = caller.on.name();
        tracing::warn!(%tenant, key = caller.key_id, rejected, "{NOT_RECORDED}");
    }
    Ok(Received {
        rejected,
        reason: is_told.then(|| NOT_RECORDED.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_told_once_an_hour() {
        let (told, start) = (Told::default(), Instant::now());
        let is_due =
            |key, minutes: u64| told.is_due(key, start + Duration::from_secs(60 * minutes));
        assert!(is_due("a", 0));
        assert!(!is_due("a", 59));
        assert!(is_due("b", 59));
        assert!(is_due("a", 60));
        assert!(!is_due("b", 61));
    }
}
