//! Trailkeep: a compliance audit-trail store.
//!
//! The layers, lowest first; a file uses only what is below it (docs/design.md, "The house"):
//!
//! - [`ids`], [`time`], [`exit`], [`text`]: newtypes, the clock, exit codes, and untrusted text as people see it
//! - [`ledger`]: the pure core of entries, tree, proofs, checkpoints, commitments; [`policy`]: retention;
//!   [`bundle`]: the signed export and its verification; [`privacy`]: requests of persons and their certificate
//! - `files`: files and directories, opened by descriptor and looked at before they are used
//! - `otlp`: OpenTelemetry's telemetry as events, without I/O
//! - `seal`: keys and ciphertext; `store`: bytes on disk
//! - `service`: one verb a file
//! - `http`, `cli`: the edges
//!
//! The feature `server` (on by default) has all but the first two, which with the binary
//! `trailkeep-verify` need no database, no network and no secret.
#![forbid(unsafe_code)]

pub mod bundle;
pub mod exit;
pub mod ids;
pub mod ledger;
pub mod offline;
pub mod period;
pub mod policy;
pub mod privacy;
pub mod text;
pub mod time;

#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod demo;
#[cfg(feature = "server")]
pub mod files;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod otlp;
#[cfg(feature = "server")]
pub mod seal;
#[cfg(feature = "server")]
pub mod service;
#[cfg(feature = "server")]
pub mod store;
