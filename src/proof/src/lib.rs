//! Trailkeep's formats and their verification, without I/O: what an auditor's program needs, and nothing else.
//!
//! - [`ids`], [`time`], [`period`]: newtypes, times and calendar periods; [`text`]: untrusted text as people see it
//! - [`ledger`]: entries, Merkle tree, proofs, checkpoints, receipts, commitments
//! - [`bundle`]: the signed export and its verification
//! - [`privacy`]: requests of data subjects and their certificate
//!
//! There is no file system here, no network, no database and no secret.
#![forbid(unsafe_code)]

pub mod bundle;
pub mod ids;
pub mod ledger;
pub mod period;
pub mod privacy;
pub mod text;
pub mod time;
