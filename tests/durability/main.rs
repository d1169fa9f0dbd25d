//! Crashes, copies, restores, upgrades and changed files.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backup;
mod copies;
mod durability;
mod recovered;
#[path = "../support/mod.rs"]
mod support;
mod tamper;
mod upgrade;
