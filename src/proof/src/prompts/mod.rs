//! Prompts of a registry: their names, and which version of one a unit of an experiment gets.
//!
//! An auditor recomputes both from what the ledger states, so everything here is integers and bytes (docs/format.md, "Prompts").

mod commitment;
mod name;
mod variants;

pub use commitment::commitment;
pub use name::{LATEST, Label, NAME_BYTES_MAX, PRODUCTION, PromptName, PromptNameError};
pub use variants::{
    Unit, VARIANTS_MAX, Variant, Variants, VariantsError, WEIGHTS, bucket, position_of,
};
