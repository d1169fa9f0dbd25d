//! Requests and answers of the HTTP interface: a module a resource.
//!
//! The server writes them, the command line reads them, and the OpenAPI document is made of them: a member that is
//! renamed is renamed for all three, or nothing builds. Comments on types and members are the document's descriptions.
//! Answers may gain members, so they are read with whatever else is in them; requests are refused with a member that is
//! not known, since it may be a filter.
#![forbid(unsafe_code)]

pub mod access;
pub mod anchors;
pub mod backup;
pub mod events;
pub mod exports;
pub mod figures;
pub mod holds;
pub mod keys;
pub mod log;
pub mod operate;
pub mod policies;
pub mod prices;
pub mod privacy;
pub mod problem;
pub mod progress;
pub mod prompts;
pub mod query;
pub mod retention;
pub mod sources;
pub mod tenants;
pub mod triggers;
pub mod vault;
pub mod verify;
mod whole;

/// Names the tenant that a command on the machine acts for. Over the network the token alone says it.
pub const TENANT_HEADER: &str = "trailkeep-tenant";

/// Names a ledger of the caller's tenant, to read one that a recovery superseded; without it, it is the active one.
pub const LEDGER_HEADER: &str = "trailkeep-ledger";

/// Why a caller reads, in their words; it is recorded with the read.
pub const PURPOSE_HEADER: &str = "trailkeep-purpose";
