//! Trailkeep's formats and their verification, without I/O: what an auditor's program needs, and nothing else.
//!
//! - [`ids`], [`time`], [`period`]: newtypes, times and calendar periods; [`text`]: untrusted text as people see it;
//!   [`near`]: what a misspelt word may mean
//! - [`ledger`]: entries, Merkle tree, proofs, checkpoints, receipts, commitments
//! - [`bundle`]: the signed export and its verification
//! - [`prices`]: price tables and the cost of a call; [`metered`]: what figures count of an event
//! - [`privacy`]: requests of data subjects and their certificate
//! - [`prompts`]: names of prompts, and which version a unit of an experiment gets
//! - [`system`]: what a ledger records of itself
//!
//! There is no file system here, no network, no database and no secret.
//!
//! # Verify a bundle
//!
//! A bundle, the ledger's public key from someone other than the ledger's operator, and nothing else:
//!
//! ```
//! use trailkeep_proof::bundle::verify::{Question, verify};
//! use trailkeep_proof::ledger::note::PublicKey;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bundle = include_bytes!("../../../tests/bundle/vectors/recorded.zip").to_vec();
//! let key = PublicKey::parse(include_str!("../../../tests/bundle/vectors/public.pem"))?;
//! let question = Question { key: &key, against: None, witnesses: &[] };
//!
//! let report = verify(&bundle, &question, &mut |_done, _total| {})?;
//! assert!(report.authentic && report.complete);
//! assert!(report.findings.is_empty());
//!
//! // One changed byte, and the report says where.
//! let mut changed = bundle.clone();
//! changed[1_000] ^= 1;
//! let report = verify(&changed, &question, &mut |_, _| {})?;
//! assert!(!report.authentic && !report.findings.is_empty());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod bundle;
pub mod ids;
pub mod ledger;
pub mod metered;
pub mod near;
pub mod period;
pub mod prices;
pub mod privacy;
pub mod prompts;
pub mod system;
pub mod text;
pub mod time;
