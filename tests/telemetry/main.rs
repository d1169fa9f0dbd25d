//! OpenTelemetry from an exporter to an event.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod otlp;
#[path = "../support/mod.rs"]
mod support;
