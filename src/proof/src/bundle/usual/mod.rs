//! What nearly every bundle holds, read in few steps: lines as Trailkeep writes them, and JSON without the rare parts of
//! its grammar.
//!
//! Each reader here gives what the general one gives (`Line::parse`, `check_json`, serde_json), or `None`. A text with
//! `None` may be in order: the general reader decides, and says what is wrong.

pub(super) mod json;
pub(super) mod line;
mod words;

pub(super) use words::contains_any;
