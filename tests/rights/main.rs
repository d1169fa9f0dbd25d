//! Retention, legal holds and the requests of data subjects.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod erasure;
mod erasure_model;
mod histories;
mod keep_requests;
mod letter;
mod officer;
mod person_page;
mod preview_token;
mod privacy;
mod register;
mod restriction;
mod retention;
mod retention_cases;
#[path = "../support/mod.rs"]
mod support;
