//! Policy files: what they may say, and what follows from them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod policy_cases;
mod policy_ingest;
mod policy_lint;
mod policy_properties;
mod policy_schema;
#[path = "../support/mod.rs"]
mod support;
