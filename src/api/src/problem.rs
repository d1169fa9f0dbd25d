//! Errors as RFC 9457 problem details: a stable type, what was wrong, and the remedy.

mod kind;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::kind::Kind;
use crate::privacy::DryRun;

/// What went wrong (RFC 9457); docs/errors.md lists the types.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct Problem {
    /// The problem type: stable, for programs.
    #[serde(rename = "type")]
    #[schema(pattern = "^urn:trailkeep:problem:[a-z-]+$")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// What is wrong with this request, and the remedy.
    pub detail: String,
    /// The events at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<LineFault>,
    /// Of `stale-preview`: what the order would do now, with the token for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Box<DryRun>>,
}

/// What is wrong with one event of a request.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct LineFault {
    /// Line of an NDJSON body from 1, or position in an array from 1; 1 for an object.
    pub line: usize,
    /// RFC 6901 JSON pointer into the event.
    pub pointer: String,
    /// What is wrong, and the remedy.
    pub detail: String,
}

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind: kind.to_type(),
            title: kind.title().to_owned(),
            status: kind.status(),
            detail: detail.into(),
            errors: Vec::new(),
            preview: None,
        }
    }

    /// Its kind; none of a problem that another program, or a later version, answered.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of_type(&self.kind)
    }
}
