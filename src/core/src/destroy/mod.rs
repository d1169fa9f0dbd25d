//! The only room that deletes: what a tombstone says is purged from every file, and then its job is complete.

mod erase_keys;
mod error;
pub(crate) mod job;
pub(crate) mod keys;
pub mod pause;
pub(crate) mod present;
mod texts;

use std::sync::Arc;

pub use self::error::DeletionError;
use crate::journal::Journal;

/// What deletes payloads, keys and index rows.
pub struct Deletions {
    pub(crate) journal: Arc<Journal>,
    pub(crate) completion: Arc<dyn job::Completion>,
}
