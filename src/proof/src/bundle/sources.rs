//! Completeness by producer in a range: what its events number, and what is missing (docs/format.md, "Sources").
//!
//! The one who writes a bundle and the one who verifies it count with the same lines, so that the manifest's `sources` is what the
//! disclosed events give. A selection has none: what it leaves out is missing by intent.

use super::line::Line;
use crate::ledger::event::Facts;
use crate::ledger::sources::{ListedSource, Sighting, SourceBook};

/// Sources that a manifest tells apart.
const SOURCES_MAX: usize = 1_000;
/// Holes that it lists of each.
const LISTED_MAX: usize = 10;
/// The section.
const SOURCE: &str = "source";

/// An empty book of a bundle's sources.
pub const fn book() -> SourceBook {
    SourceBook::telling_apart(SOURCES_MAX)
}

/// What a disclosed event says of its source; of one whose source stands as a digest, that its number is not shown.
pub fn sighting(line: &Line<'_>) -> Option<Sighting> {
    if let Some(text) = line.text(SOURCE) {
        let (name, number) = Facts::source_of(text.as_bytes()).ok()?;
        return Some(Sighting::Numbered(line.seq, name, number));
    }
    let is_redacted = line.redacted().any(|name| name == SOURCE);
    is_redacted.then_some(Sighting::Gone(line.seq))
}

/// The sources as a manifest lists them.
pub fn listed(book: &SourceBook) -> Vec<ListedSource> {
    let mut sources = book.list();
    for source in &mut sources {
        source.gaps.truncate(LISTED_MAX);
    }
    sources
}
