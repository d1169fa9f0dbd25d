//! What applications, readers and administrators ask over HTTP and at the command line.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod access;
mod api;
mod asking;
mod bad_input;
mod commands;
mod event_schema;
mod figures;
mod openapi;
mod prices;
mod prompts;
mod properties;
mod query;
mod sending;
mod settings;
mod snapshots;
mod sources;
mod spool;
#[path = "../support/mod.rs"]
mod support;
mod walk;
