//! What nearly every bundle holds, read in few steps: lines as Trailkeep writes them, and JSON without the rare parts of
//! its grammar.
//!
//! Each reader here gives what the general one gives (`Line::parse`, `check_json`, serde_json), or nothing at all. Nothing
//! says nothing: the text may be in order, and the general reader tells, with its words for what is wrong.

pub(super) mod json;
pub(super) mod line;
mod words;

pub(super) use words::contains_any;
