//! The journal of all ledgers: append, publish, read, and the record of who read what.

pub mod access_log;
pub mod append;
pub mod class;
pub(crate) mod clock_guard;
pub(crate) mod compaction;
mod context;
pub(crate) mod derive_rows;
pub(crate) mod each_change;
pub(crate) mod folded;
pub mod outside;
pub mod read;
pub(crate) mod tombstone;

pub use self::context::{Disk, Journal};
