//! Answers as OTLP/HTTP asks for: in the request's own encoding, with what was not taken, and errors as
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

/// `google.rpc.Status`, without details.
#[derive(Clone, PartialEq, Eq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// The body of an answer with status 200. Nothing stands in it where all was taken.
pub fn accepted(signal: Signal, encoding: Encoding, rejected: u64, reason: &str) -> Vec<u8> {
    let is_whole = rejected == 0 && reason.is_empty();
    let number = i64::try_from(rejected).unwrap_or(i64::MAX);
    let error_message = reason.to_owned();
    match (encoding, signal) {
        (Encoding::Protobuf, Signal::Traces) => ExportTraceServiceResponse {
            partial_success: (!is_whole).then_some(ExportTracePartialSuccess {
                rejected_spans: number,
                error_message,
            }),
        }
        .encode_to_vec(),
        (Encoding::Protobuf, Signal::Logs) => ExportLogsServiceResponse {
            partial_success: (!is_whole).then_some(ExportLogsPartialSuccess {
                rejected_log_records: number,
                error_message,
            }),
        }
        .encode_to_vec(),
        (Encoding::Json, _) if is_whole => b"{}".to_vec(),
        (Encoding::Json, signal) => {
            let name = match signal {
                Signal::Traces => "rejectedSpans",
                Signal::Logs => "rejectedLogRecords",
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
        Encoding::Protobuf => Status { code, message }.encode_to_vec(),
        Encoding::Json => json!({"code": code, "message": message})
            .to_string()
            .into_bytes(),
    }
}

/// The code of `google.rpc.Code` that stands for an HTTP status.
const fn rpc_code(http_status: u16) -> i32 {
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
