//! OTLP/gRPC: the services of traces, logs and metrics on the port of HTTP, each a unary call.
//!
//! The body comes in as every body does (body/grpc.rs takes the message out of it), and what is taken, and how, is the
//! same as over HTTP. Here are the call's names, and its answers.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::BufMut;
use tonic::codec::{EncodeBody, EncodeBuf, Encoder, SingleMessageCompressionOverride};
use tonic::{Code, Status};

use super::{Exporter, for_exporters, take};
use crate::App;
use crate::problem::Problem;
use trailkeep_otlp::answer::{Service, accepted, retry_details, rpc_code};
use trailkeep_otlp::decode::{Encoding, Signal};

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const ACCEPT_ENCODING: &str = "grpc-accept-encoding";
const CODINGS: HeaderValue = HeaderValue::from_static("identity,gzip,zstd");

/// The calls. The OpenAPI document has no gRPC, so they are not in it.
pub(crate) fn routes() -> Router<App> {
    let traces = Service::Telemetry(Signal::Traces);
    let logs = Service::Telemetry(Signal::Logs);
    let call = |service| {
        post(
            move |caller: Exporter,
                  State(app): State<App>,
                  version: Version,
                  headers: HeaderMap,
                  body: Body| async move {
                answer(&app, service, caller, (version, &headers), body).await
            },
        )
    };
    Router::new()
        .route(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            call(traces),
        )
        .route(
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            call(logs),
        )
        .route(
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            call(Service::Metrics),
        )
}

async fn answer(
    app: &App,
    service: Service,
    caller: Exporter,
    (version, headers): (Version, &HeaderMap),
    body: Body,
) -> Response {
    let media_type = headers.get(header::CONTENT_TYPE);
    let media_type = media_type.and_then(|value| value.to_str().ok());
    if !matches!(
        media_type,
        Some("application/grpc" | "application/grpc+proto")
    ) {
        let detail = "this route is gRPC: send `Content-Type: application/grpc`, or use /v1/traces, /v1/logs";
        return Problem::unsupported_media_type(detail).into_response();
    }
    if version != Version::HTTP_2 {
        return refuse(Problem::bad_request("gRPC needs HTTP/2"));
    }
    let encoding = Encoding::Protobuf;
    match take(app, service, Some(encoding), caller, body).await {
        Ok(received) => {
            let reason = received.reason.unwrap_or_default();
            respond(accepted(service, encoding, received.rejected, &reason))
        }
        Err(problem) => refuse(problem),
    }
}

/// A message, and behind it the status `OK`.
fn respond(message: Vec<u8>) -> Response {
    let body = EncodeBody::new_server(
        Written,
        tokio_stream::once(Ok(message)),
        None,
        SingleMessageCompressionOverride::Disable,
        None,
    );
    let headers = [
        (header::CONTENT_TYPE.as_str(), GRPC),
        (ACCEPT_ENCODING, CODINGS),
    ];
    (headers, Body::new(body)).into_response()
}

/// Answers a problem as gRPC does. Only where the same call may succeed later it says when.
pub(crate) fn refuse(problem: Problem) -> Response {
    let answered = problem.answered();
    let (status, detail, retry_after) = for_exporters(problem);
    let code = match status {
        // So does gRPC refuse what is compressed otherwise.
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::Unimplemented,
        status => Code::from_i32(rpc_code(status.as_u16())),
    };
    let details = retry_after.map(|seconds| retry_details(code.into(), &detail, seconds));
    let status = Status::with_details(code, detail, details.unwrap_or_default().into());
    let mut response = status.into_http::<Body>();
    response.headers_mut().insert(ACCEPT_ENCODING, CODINGS);
    response.extensions_mut().insert(answered);
    response
}

/// Answers a call of a method that is not here.
pub(crate) fn unknown_method() -> Response {
    let problem = Problem::not_found("");
    let answered = problem.answered();
    let detail = "method not found: the services are TraceService, LogsService and MetricsService of \
        opentelemetry.proto.collector";
    let mut response = Status::unimplemented(detail).into_http::<Body>();
    response.extensions_mut().insert(answered);
    response
}

/// Puts a message that is written already into its frame.
struct Written;

impl Encoder for Written {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, frame: &mut EncodeBuf<'_>) -> Result<(), Status> {
        frame.put_slice(&message);
        Ok(())
    }
}
