//! Checking files offline: bundles, certificates, receipts and checkpoints, with a public key obtained elsewhere, and
//! nothing else.

mod file;
mod folder;
mod kind;
mod text;

use std::fmt;

use serde::Serialize;

pub use file::{
    CertificateQuestion, FILE_BYTES_MAX, FileError, FileQuestion, FileSource, check_certificate,
    check_file, check_note, read_text,
};
pub use folder::FolderSource;
pub use text::{FileKind, Finding, Report, check};

use crate::exit::Exit;
pub use trailkeep_proof::bundle::verify::Question;
use trailkeep_proof::bundle::verify::Report as BundleReport;
use trailkeep_proof::privacy::check::Report as CertificateReport;

/// What came out of checking a file, whichever kind it is.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Checked {
    /// A signed export.
    Bundle(Box<BundleReport>),
    /// A certificate of a person's request.
    Certificate(Box<CertificateReport>),
    /// A receipt or a signed checkpoint.
    Text(Box<Report>),
}

impl Checked {
    /// Whether all of it holds.
    pub fn is_verified(&self) -> bool {
        match self {
            Self::Bundle(report) => report.authentic,
            Self::Certificate(report) => report.verified,
            Self::Text(report) => report.verified,
        }
    }
}

impl Checked {
    /// How the program that checked it ends.
    pub fn exit(&self) -> Exit {
        let damaged = match self {
            Self::Bundle(report) => &report.damaged,
            Self::Certificate(report) => &report.damaged,
            Self::Text(report) => &report.damaged,
        };
        match (self.is_verified(), damaged.is_empty()) {
            (true, _) => Exit::Ok,
            (false, false) => Exit::Damaged,
            (false, true) => Exit::Tampered,
        }
    }
}

/// The report for a person, to be filed.
impl fmt::Display for Checked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundle(report) => report.fmt(formatter),
            Self::Certificate(report) => report.fmt(formatter),
            Self::Text(report) => report.fmt(formatter),
        }
    }
}
