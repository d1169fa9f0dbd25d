//! The data directory as its operator has it: create, open, back up, restore, and whether it is ready.

pub mod backup;
mod engine;
pub mod init;
pub mod open;
pub mod readiness;
pub mod rebuild_index;
pub mod restore;
pub mod run;
mod subject;
pub mod vault_keeper;

pub use self::engine::Engine;
