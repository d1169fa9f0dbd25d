//! Trailkeep: a compliance audit-trail store.
//!
//! The layers, lowest first; a file uses only what is below it (docs/design.md, "The house"):
//!
//! - [`ids`], [`time`]: newtypes and the clock
//! - [`ledger`]: the pure core of entries, tree, proofs, checkpoints, commitments
#![forbid(unsafe_code)]

pub mod ids;
pub mod ledger;
pub mod time;
