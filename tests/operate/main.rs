//! The server in operation, its documents and its deployment.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod deploy;
mod docs;
mod doctor;
mod operating;
mod rooms;
mod serving;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
mod tidy;
