//! The offline verifier: files, a public key obtained elsewhere, and nothing else. `trailkeep` and `trailkeep-verify` share it.
#![forbid(unsafe_code)]

pub mod exit;
pub mod offline;
