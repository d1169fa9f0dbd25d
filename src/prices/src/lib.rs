//! Prices of model calls as people keep them: files, their checks, layers, comparison, and import of other packages' data.
//! Pure: no clock inside, no file system.
#![forbid(unsafe_code)]

use std::sync::{Arc, OnceLock};

use trailkeep_proof::prices::PriceTable;

mod check;
mod diff;
mod document;
pub mod import;
mod layers;
mod read;
mod write;

pub use check::{Checked, check};
pub use diff::{Change, Difference, difference};
pub use layers::{Layer, Layers};
pub use read::{FILE_BYTES_MAX, Finding, PriceFile, read};
pub use write::to_toml;

/// The price table that the program ships, read once.
pub fn shipped() -> &'static Arc<PriceTable> {
    static TABLE: OnceLock<Arc<PriceTable>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let file = read(SHIPPED).expect("the shipped file has no findings: a test reads it");
        Arc::new(file.table)
    })
}

/// The price file that the program ships.
pub const SHIPPED: &str = include_str!("../../../policies/prices/shipped.toml");
