//! Keys and sealed bytes: what is derived from what, and how a payload is encrypted.
//!
//! Nothing here reads or writes a database; docs/format.md, "Payload", and docs/design.md, "Keys",
//! have the formats and the reasons.
#![forbid(unsafe_code)]

pub mod compress;
pub mod epoch;
pub mod payload;
pub mod root;
pub mod secret;
pub mod spool;
pub mod staged;
pub mod wrap;
