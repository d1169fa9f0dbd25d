//! Events: what an application submits, one JSON object of named sections.
//!
//! The application's bytes are the evidence, so parsing validates and never rewrites: each section
//! is the exact text of a top-level member. schema/event.schema.json is the same set of rules for
//! people and for other tools; [`shape`] is its table here.

use std::fmt;

mod facts;
pub mod identifier;
mod json;
mod names;
mod parse;
mod same;
pub mod scan;
pub mod shape;

pub use facts::{Facts, FactsError, Person, Target};
pub use json::check_json;
pub use parse::{parse_event, split_array, split_ndjson};
pub use same::same_value;

/// Largest event, in bytes of its JSON text.
pub const MAX_EVENT_BYTES: usize = 1 << 20;

/// Most levels of objects and arrays in each other, the event's own object being the first.
pub const MAX_DEPTH: usize = 64;

/// Most faults that are reported of one event.
pub const MAX_FAULTS: usize = 20;

/// Most elements that [`split_array`] takes: a request has no more events.
pub const MAX_ARRAY_EVENTS: usize = 10_000;

/// One top-level member of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The name, one of the schema's.
    pub name: &'static str,
    /// The exact bytes of the value, without the white space around it.
    pub bytes: Box<[u8]>,
}

impl Section {
    /// A section with this name and these bytes.
    pub(super) fn new(name: &'static str, bytes: &[u8]) -> Self {
        Self {
            name,
            bytes: bytes.into(),
        }
    }
}

/// A valid event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    sections: Vec<Section>,
    facts: Facts,
}

impl Event {
    /// The sections in ascending byte order of their names.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// What is looked up of the event.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The exact bytes of a section.
    pub fn section(&self, name: &str) -> Option<&[u8]> {
        let place = self
            .sections
            .binary_search_by(|section| section.name.cmp(name))
            .ok()?;
        Some(&self.sections[place].bytes)
    }

    /// The sections alone, for sealing.
    pub fn into_sections(self) -> Vec<Section> {
        self.sections
    }
}

/// One thing that is wrong with an event. It quotes no payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: an RFC 6901 JSON pointer. `?` stands for a name that the schema does not know, which
    /// may be personal.
    pub pointer: String,
    /// What is wrong, and the remedy.
    pub detail: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.as_str() {
            "" => formatter.write_str(&self.detail),
            pointer => write!(formatter, "{pointer}: {}", self.detail),
        }
    }
}

/// Why an event, or a body of events, was refused. It quotes no payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// The event is too large.
    #[error(
        "the event has {bytes} bytes, {limit} are allowed: keep large content elsewhere, and its SHA-256 here"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest size.
        limit: usize,
    },
    /// The array has too many elements.
    #[error("the array has more than {limit} events: send them in several requests")]
    TooMany {
        /// The largest number.
        limit: usize,
    },
    /// The event breaks the rules: 1 to [`MAX_FAULTS`] faults.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<Fault>),
}

impl EventError {
    /// One fault of the whole text.
    fn of(detail: impl Into<String>) -> Self {
        Self::Invalid(vec![Fault {
            pointer: String::new(),
            detail: detail.into(),
        }])
    }
}
