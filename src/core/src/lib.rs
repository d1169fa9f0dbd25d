//! What Trailkeep does, one verb a file: append, read, query, export, verify, init, open.
//!
//! The services decide and act; below them are the store and the keys, above them HTTP and the
//! command line.
#![forbid(unsafe_code)]

pub mod anchor;
pub mod audit;
pub mod clock;
pub mod destroy;
pub mod export;
pub mod failpoint;
pub mod figures;
pub mod govern;
pub mod ingest;
pub mod journal;
pub mod keys;
pub mod locks;
pub mod ops;
pub mod query;
pub mod requests;
pub mod retention;
mod short_reads;
pub mod tenant;

pub use self::journal::blocking;
pub use self::ops::Engine;
pub use self::tenant::DEFAULT_TENANT;
