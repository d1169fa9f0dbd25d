//! `/v1/traces`, `/v1/logs` and `/v1/metrics`: OpenTelemetry in (OTLP/HTTP, protobuf and JSON). docs/opentelemetry.md
//! describes it. grpc.rs has the same as gRPC.

pub(super) mod grpc;
pub(super) mod metrics;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::App;
use super::auth::{Caller, Identified, may};
use super::body;
use super::document::Bytes;
use super::problem::Problem;
use trailkeep_core::blocking;
use trailkeep_core::ingest::{Received, StagingError, receive};
use trailkeep_core::tenant::Tenant;
use trailkeep_otlp::answer::{self, Service};
use trailkeep_otlp::decode::{Encoding, Signal, decode};

/// Seconds after which an exporter is to try again.
const RETRY_AFTER_SECONDS: u32 = 5;

/// Who may export: errors are answered in OTLP's own form, so it may also be a problem.
type Exporter = Result<Caller<may::Append, Tenant>, Problem>;

/// Accepts OpenTelemetry traces.
///
/// OTLP/HTTP, `ExportTraceServiceRequest` in protobuf or JSON, with a `Content-Encoding` of `gzip`, `zstd` or none. When it is
/// answered the spans are on disk, and become events when their trace is done. Errors are `google.rpc.Status`.
#[utoipa::path(
    post,
    path = "/v1/traces",
    request_body(content(
        (Object = "application/json", example = json!({"resourceSpans": []})),
        (Bytes = "application/x-protobuf"),
    )),
    responses((status = 200, description = "Accepted. `partialSuccess` lists what was rejected.", content(
        (Object = "application/json"),
        (Bytes = "application/x-protobuf"),
    ))),
    extensions(
        ("x-trailkeep-otlp" = json!(true)),
        ("x-trailkeep-problems" = json!(["tenant-closed", "too-large", "media-type"])),
    ),
)]
pub(super) async fn traces(
    caller: Exporter,
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let service = Service::Telemetry(Signal::Traces);
    answer(&app, service, caller, &headers, body).await
}

/// Accepts OpenTelemetry log records.
///
/// OTLP/HTTP, `ExportLogsServiceRequest` in protobuf or JSON, with a `Content-Encoding` of `gzip`, `zstd` or none. Those of GenAI
/// calls join the event of their span. Errors are `google.rpc.Status`.
#[utoipa::path(
    post,
    path = "/v1/logs",
    request_body(content(
        (Object = "application/json", example = json!({"resourceLogs": []})),
        (Bytes = "application/x-protobuf"),
    )),
    responses((status = 200, description = "Accepted. `partialSuccess` lists what was rejected.", content(
        (Object = "application/json"),
        (Bytes = "application/x-protobuf"),
    ))),
    extensions(
        ("x-trailkeep-otlp" = json!(true)),
        ("x-trailkeep-problems" = json!(["tenant-closed", "too-large", "media-type"])),
    ),
)]
pub(super) async fn logs(
    caller: Exporter,
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let service = Service::Telemetry(Signal::Logs);
    answer(&app, service, caller, &headers, body).await
}

async fn answer(
    app: &App,
    service: Service,
    caller: Exporter,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let encoding = encoding_of(headers);
    // A caller of an unknown encoding reads JSON more likely than protobuf.
    let answered_in = encoding.unwrap_or(Encoding::Json);
    match take(app, service, encoding, caller, body).await {
        Ok(received) => {
            let reason = received.reason.unwrap_or_default();
            let body = answer::accepted(service, answered_in, received.rejected, &reason);
            respond(StatusCode::OK, answered_in, body)
        }
        Err(problem) => refuse(answered_in, problem),
    }
}

/// Takes a request of a service, however it came. What is taken is on disk when this returns.
async fn take(
    app: &App,
    service: Service,
    encoding: Option<Encoding>,
    caller: Exporter,
    body: Body,
) -> Result<Received, Problem> {
    let caller = caller?.identified();
    let encoding = encoding.ok_or_else(|| {
        Problem::unsupported_media_type(
            "send `Content-Type: application/x-protobuf` or `application/json`",
        )
    })?;
    let bytes = body::read(body).await?;
    match service {
        Service::Telemetry(signal) => {
            blocking(move || stage(signal, encoding, &caller, &bytes)).await
        }
        Service::Metrics => metrics::reject(app, encoding, &caller, &bytes),
    }
}

fn stage(
    signal: Signal,
    encoding: Encoding,
    caller: &Identified<Tenant>,
    bytes: &[u8],
) -> Result<Received, Problem> {
    let decoded =
        decode(signal, encoding, bytes).map_err(|error| Problem::bad_request(error.to_string()))?;
    Ok(receive(&caller.engine.inbox, &caller.on, decoded)?)
}

pub(super) fn encoding_of(headers: &HeaderMap) -> Option<Encoding> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let media_type = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match media_type.as_str() {
        "application/x-protobuf" => Some(Encoding::Protobuf),
        "application/json" => Some(Encoding::Json),
        _ => None,
    }
}

fn respond(status: StatusCode, encoding: Encoding, body: Vec<u8>) -> Response {
    let media_type = match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    (
        status,
        [(header::CONTENT_TYPE, HeaderValue::from_static(media_type))],
        body,
    )
        .into_response()
}

/// Exporters send again only after 429, 502, 503 and 504, and what is sent again makes no second event: so what
/// the sender did nothing wrong about is a 503.
pub(super) fn refuse(encoding: Encoding, problem: Problem) -> Response {
    let answered = problem.answered();
    let (status, detail, retry_after) = for_exporters(problem);
    let body = answer::refused(encoding, status.as_u16(), &detail);
    let mut response = respond(status, encoding, body);
    response.extensions_mut().insert(answered);
    if let Some(seconds) = retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    if status == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// A problem's status as exporters read it, its detail, and when to try again where that may help.
fn for_exporters(problem: Problem) -> (StatusCode, String, Option<u32>) {
    let (status, detail, retry_after) = problem.into_parts();
    let status = status_for_exporters(status);
    let is_for_later = status == StatusCode::SERVICE_UNAVAILABLE;
    let retry_after = retry_after.or(is_for_later.then_some(RETRY_AFTER_SECONDS));
    (status, detail, retry_after)
}

/// The status that stands for a problem's.
pub(super) fn status_for_exporters(status: StatusCode) -> StatusCode {
    if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        status
    }
}

impl From<StagingError> for Problem {
    fn from(error: StagingError) -> Self {
        let detail = error.to_string();
        match error {
            StagingError::TenantClosed => Self::tenant_closed(detail),
            StagingError::TooLarge => Self::too_large(detail),
            StagingError::Full => Self::disk_full(detail),
            StagingError::Busy => Self::unavailable(detail, 10),
            error => {
                tracing::error!(%error, "telemetry could not be stored");
                Self::unavailable(
                    "telemetry could not be stored: retry later",
                    RETRY_AFTER_SECONDS,
                )
            }
        }
    }
}
