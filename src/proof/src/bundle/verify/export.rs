//! The statement by which the ledger recorded this export.

use serde::Deserialize;

use super::Check;
use super::files::Signed;
use super::statements::Stated;
use crate::bundle::line::Line;
use crate::bundle::manifest::Proof;
use crate::ledger::action::SystemAction;

/// What a statement says of an export.
pub(super) enum Exported {
    /// It records none.
    NotAnExport,
    /// It records one, and not how much went out.
    Unspecific,
    /// It records one with this proof, of so many entries.
    Specific(ExportSection),
}

/// Section `export`, as far as it is compared.
#[derive(Deserialize)]
pub(super) struct ExportSection {
    proof: Proof,
    entries: u64,
}

impl Exported {
    pub(super) fn of(line: &Line<'_>) -> Self {
        if line.text("action").map(str::as_bytes) != Some(SystemAction::Export.section()) {
            return Self::NotAnExport;
        }
        let section = line.text("export");
        section
            .and_then(|text| serde_json::from_str(text).ok())
            .map_or(Self::Unspecific, Self::Specific)
    }
}

impl Check<'_> {
    /// The manifest names the statement that records this export, and that one agrees with what the bundle holds. 0 stands in
    /// bundles of a superseded ledger: its successor has the statement.
    pub(super) fn export_agrees(&mut self, signed: &Signed, stated: &Stated) {
        let seq = signed.manifest.export_seq;
        if seq == 0 {
            self.report.warnings.push("the manifest names no statement that records this export, so the ledger does not confirm it".to_owned());
            return;
        }
        let last = signed.manifest.range.map_or(0, |range| range.last);
        let counts = &self.found.counts;
        let wrong = match &stated.export {
            None => "the entry that records this export is not among the statements",
            Some(Exported::NotAnExport) => {
                "it does not record an export, but the manifest names it as the record of this bundle"
            }
            Some(_) if seq < last => {
                "it records an export from before the last entry of this bundle"
            }
            Some(Exported::Unspecific) => {
                self.report.warnings.push(format!("statement {seq} records an export without its number of entries: it may be another export"));
                return;
            }
            Some(Exported::Specific(section))
                if seq == last
                    || section.proof != signed.manifest.proof
                    || section.entries != counts.entries =>
            {
                "it records an export with another proof or number of entries, or one from before the last entry of this bundle"
            }
            Some(Exported::Specific(_)) => {
                self.report.export_recorded = true;
                return;
            }
        };
        self.add(seq, "export", wrong);
    }
}
