//! Bundles, receipts, checkpoints, certificates and anchors, and what verifies them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod anchors;
mod bundles;
mod certificates;
mod format_vectors;
mod price_vectors;
#[path = "../support/mod.rs"]
mod support;
mod vectors;
