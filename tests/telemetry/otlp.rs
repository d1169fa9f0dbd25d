//! OpenTelemetry in: real captures posted to the real program as they were sent, what comes out of them, and what
//! happens to what waits.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    unreachable_pub,
    reason = "a test fails by panicking, and says in a line what it did not try"
)]

mod captures;
mod contradicting;
mod durable;
mod engine;
mod figures;
mod grpc;
mod items;
mod langfuse;
mod metrics;
mod model;
mod packages;
mod pages;
mod protocol;
mod python;
mod reduced;
mod regimes;
mod send;
mod traps;
mod waiting;
