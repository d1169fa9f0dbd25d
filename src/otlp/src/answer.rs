//! Answers as OTLP asks for: in the request's own encoding, with what was not taken, and errors as
//! `google.rpc.Status`.

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use serde_json::json;

use super::decode::{Encoding, Signal};

/// Which of OTLP's services is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Its items may become events.
    Telemetry(Signal),
    /// Its data points are counted and rejected.
    Metrics,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Eq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`, of whole seconds.
#[derive(Clone, PartialEq, Eq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

/// `ExportMetricsServiceResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
struct ExportMetricsServiceResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<ExportMetricsPartialSuccess>,
}

#[derive(Clone, PartialEq, Eq, Message)]
struct ExportMetricsPartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_data_points: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// The body of an answer with status 200. Nothing stands in it where all was taken.
pub fn accepted(service: Service, encoding: Encoding, rejected: u64, reason: &str) -> Vec<u8> {
    let is_whole = rejected == 0 && reason.is_empty();
    let number = i64::try_from(rejected).unwrap_or(i64::MAX);
    let error_message = reason.to_owned();
    match (encoding, service) {
        (Encoding::Protobuf, Service::Telemetry(Signal::Traces)) => ExportTraceServiceResponse {
            partial_success: (!is_whole).then_some(ExportTracePartialSuccess {
                rejected_spans: number,
                error_message,
            }),
        }
        .encode_to_vec(),
        (Encoding::Protobuf, Service::Telemetry(Signal::Logs)) => ExportLogsServiceResponse {
            partial_success: (!is_whole).then_some(ExportLogsPartialSuccess {
                rejected_log_records: number,
                error_message,
            }),
        }
        .encode_to_vec(),
        (Encoding::Protobuf, Service::Metrics) => ExportMetricsServiceResponse {
            partial_success: (!is_whole).then_some(ExportMetricsPartialSuccess {
                rejected_data_points: number,
                error_message,
            }),
        }
        .encode_to_vec(),
        (Encoding::Json, _) if is_whole => b"{}".to_vec(),
        (Encoding::Json, service) => {
            let name = match service {
                Service::Telemetry(Signal::Traces) => "rejectedSpans",
                Service::Telemetry(Signal::Logs) => "rejectedLogRecords",
                Service::Metrics => "rejectedDataPoints",
            };
            // OTLP/JSON writes 64-bit integers as strings.
            json!({"partialSuccess": {name: number.to_string(), "errorMessage": error_message}})
                .to_string()
                .into_bytes()
        }
    }
}

/// The body of an answer with an HTTP status of 400 and above.
pub fn refused(encoding: Encoding, http_status: u16, message: &str) -> Vec<u8> {
    let code = rpc_code(http_status);
    let message = message.to_owned();
    match encoding {
        Encoding::Protobuf => Status {
            code,
            message,
            details: Vec::new(),
        }
        .encode_to_vec(),
        Encoding::Json => json!({"code": code, "message": message})
            .to_string()
            .into_bytes(),
    }
}

/// What gRPC sends as `grpc-status-details-bin`: when to try again. A client retries `RESOURCE_EXHAUSTED` only with it.
pub fn retry_details(code: i32, message: &str, seconds: u32) -> Vec<u8> {
    let retry = RetryInfo {
        retry_delay: Some(Delay {
            seconds: i64::from(seconds),
        }),
    };
    Status {
        code,
        message: message.to_owned(),
        details: vec![Any {
            type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
            value: retry.encode_to_vec(),
        }],
    }
    .encode_to_vec()
}

/// The code of `google.rpc.Code` that stands for an HTTP status.
pub const fn rpc_code(http_status: u16) -> i32 {
    match http_status {
        400 | 413 | 415 | 422 => 3, // INVALID_ARGUMENT
        401 => 16,                  // UNAUTHENTICATED
        403 => 7,                   // PERMISSION_DENIED
        404 => 5,                   // NOT_FOUND
        409 => 9,                   // FAILED_PRECONDITION
        429 => 8,                   // RESOURCE_EXHAUSTED
        503 => 14,                  // UNAVAILABLE
        _ => 13,                    // INTERNAL
    }
}
