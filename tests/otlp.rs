//! OpenTelemetry in: real captures posted to the real program as they were sent, what comes out of them, and what
//! happens to what waits.
#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test fails by panicking, and says in a line what it did not try"
)]

mod support;

#[path = "otlp/captures.rs"]
mod captures;
#[path = "otlp/contradicting.rs"]
mod contradicting;
#[path = "otlp/durable.rs"]
mod durable;
#[path = "otlp/engine.rs"]
mod engine;
#[path = "otlp/items.rs"]
mod items;
#[path = "otlp/protocol.rs"]
mod protocol;
#[path = "otlp/python.rs"]
mod python;
#[path = "otlp/reduced.rs"]
mod reduced;
#[path = "otlp/regimes.rs"]
mod regimes;
#[path = "otlp/send.rs"]
mod send;
#[path = "otlp/traps.rs"]
mod traps;
#[path = "otlp/waiting.rs"]
mod waiting;
