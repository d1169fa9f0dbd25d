//! The keys of a data directory, and the rows of the vault that they seal.

pub mod api_key;
pub(crate) mod backups;
pub mod keyring;
mod known_api_keys;
pub(crate) mod last_use;
pub(crate) mod records;
pub mod role;
pub(crate) mod rotation_due;
pub(crate) mod rows;
pub(crate) mod unneeded;
