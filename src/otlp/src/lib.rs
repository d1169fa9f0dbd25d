//! OpenTelemetry's GenAI telemetry as events: decoding OTLP and mapping it, without any I/O.
//!
//! Spans and log records are read ([`decode`]), told apart by the conventions that they follow, never by
//! the name of a library or span ([`classify`]), and put together into the JSON of events ([`assemble`]).
//! docs/opentelemetry.md has the map of attributes for people.
#![forbid(unsafe_code)]

mod agent;
pub mod agree;
pub mod answer;
pub mod assemble;
pub mod classify;
mod content;
pub mod decode;
mod event;
mod fields;
mod finish;
mod grouping;
mod identity;
mod json;
pub mod late;
mod lookup;
pub mod metrics;
mod original;
mod prompt;
mod protobuf;
pub mod rejection;
pub mod split;
pub mod telemetry;
mod text;
