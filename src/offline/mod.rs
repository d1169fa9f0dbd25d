//! Checking files offline: bundles, receipts and checkpoints, with a public key obtained elsewhere, and
//! nothing else.

mod file;
mod text;

use std::fmt;

use serde::Serialize;

pub use file::{FILE_BYTES_MAX, FileError, FileSource, check_file, read_text};
pub use text::{FileKind, Finding, Report, check};

use crate::bundle::verify::Report as BundleReport;

/// What came out of checking a file, whichever kind it is.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Checked {
    /// A signed export.
    Bundle(Box<BundleReport>),
    /// A receipt or a signed checkpoint.
    Text(Report),
}

impl Checked {
    /// Whether all of it holds.
    pub fn is_verified(&self) -> bool {
        match self {
            Self::Bundle(report) => report.authentic,
            Self::Text(report) => report.verified,
        }
    }
}

/// The report for a person, to be filed.
impl fmt::Display for Checked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundle(report) => report.fmt(formatter),
            Self::Text(report) => report.fmt(formatter),
        }
    }
}
