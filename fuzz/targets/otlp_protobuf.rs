//! Requests of OpenTelemetry, traces and logs, as protobuf.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trailkeep_otlp::decode::{Encoding, Signal, decode};

fuzz_target!(|data: &[u8]| {
    for signal in [Signal::Traces, Signal::Logs] {
        if let Ok(decoded) = decode(signal, Encoding::Protobuf, data) {
            assert_eq!(decoded.parts.len(), decoded.places.len());
        }
    }
});
