//! What came out of a verification, for programs and for a person who files it.

use std::fmt;

use serde::Serialize;

use super::FINDINGS_MAX;
use crate::bundle::archive::{Archive, ArchiveError};
use crate::bundle::manifest::{Counts, Manifest, Proof, Recorded, SeqRange, StatementCounts};
use crate::bundle::member;
use crate::bundle::transport::{Change, DAMAGED};
use crate::ids::hex;
use crate::ledger::attestation::{Attestation, Level};
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::note::VerifierKey;
use crate::ledger::sources::SourcesSummary;
use crate::text::counted;
use sha2::{Digest, Sha256};

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The entry it is about, if it is about one.
    pub seq: Option<u64>,
    /// The rule; docs/format.md, "Verifying a bundle", has them.
    pub rule: &'static str,
    /// What was found.
    pub detail: String,
}

/// What came out. Only where `authentic` is true do the other members mean anything.
#[derive(Clone, Debug, Default, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a member of the JSON that programs read"
)]
pub struct Report {
    /// Whether the archive's form was checked; of an unpacked bundle it can't be.
    pub archive_form_checked: bool,
    /// What the way did to the file, where undoing that verifies completely. Then nothing is verified as it is.
    pub damaged: Vec<Change>,
    /// Whether every rule holds: all that is shown as proven was in the ledger as it is here.
    pub authentic: bool,
    /// Whether, besides, nothing of the range was left out, restricted or redacted.
    pub complete: bool,
    /// What the bundle can prove.
    pub proof: Option<Proof>,
    /// Whose ledger it is from.
    pub origin: Option<String>,
    /// Of a range: its first and last entry.
    pub range: Option<SeqRange>,
    /// Of a range: the time that it covers.
    pub recorded: Option<Recorded>,
    /// Entries under the checkpoint.
    pub size: Option<u64>,
    /// Root over them, in base64.
    pub root: Option<String>,
    /// The key that signed, as a C2SP verifier key.
    pub key: Option<String>,
    /// SHA-256 of the 32 bytes of that key, in hex, to compare by telephone.
    pub key_fingerprint: Option<String>,
    /// Key changes that lead to it from the key that was given.
    pub key_changes: usize,
    /// How the bundle relates to the older head that was given.
    pub against: Option<String>,
    /// Who vouches for the head.
    pub attestation: Attestation,
    /// How many of each were found.
    pub counts: Counts,
    /// Statements inside of the range, and outside of it.
    pub statements: StatementCounts,
    /// Whether a statement of the ledger records this export, with its proof and number of entries.
    pub export_recorded: bool,
    /// What a reader should know although every rule holds.
    pub warnings: Vec<String>,
    /// Sections that stand as digests.
    pub redacted_sections: Vec<String>,
    /// Of a range: what the producers of the disclosed events numbered, in sum.
    pub sources: Option<SourcesSummary>,
    /// Members that the signature vouches for and nothing proves.
    pub signed_only: Vec<String>,
    /// Who asked for it, when, and with which program: signed, not proven.
    pub exported_by: Option<String>,
    /// When it was made: signed, not proven.
    pub exported_at: Option<String>,
    /// Number of findings, listed or not.
    pub findings_total: u64,
    /// The findings, the first 1,000.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Of an archive whose form holds, and of which nothing else is known yet.
    pub(super) fn new(archive: &Archive<'_>) -> Self {
        let mut report = Self {
            archive_form_checked: true,
            ..Self::default()
        };
        let names = archive.members().iter().map(|member| member.name.clone());
        report.only_signed(names);
        report
    }

    /// What is said where nothing was verified.
    pub fn without_key() -> Self {
        let mut report = Self::default();
        report.add(
            None,
            "key",
            "no key was given, so nothing was verified: get the ledger's public key from someone other than the sender of the bundle, and name it with --key",
        );
        report
    }

    pub(super) fn of_archive_error(error: &ArchiveError) -> Self {
        let mut report = Self::default();
        report.add(None, "archive", error.to_string());
        report
    }

    /// The report on a bundle that verifies only without a change of the way; none where it does not even then.
    pub(super) fn damaged(mut self, change: Change) -> Option<Self> {
        if !self.authentic {
            return None;
        }
        self.damaged.push(change);
        self.add(None, "transport", change.describe());
        self.conclude();
        Some(self)
    }

    pub(super) fn add(
        &mut self,
        seq: impl Into<Option<u64>>,
        rule: &'static str,
        detail: impl Into<String>,
    ) {
        let finding = Finding {
            seq: seq.into(),
            rule,
            detail: detail.into(),
        };
        // A member that several steps read is broken for each of them.
        if finding.seq.is_none() && self.findings.contains(&finding) {
            return;
        }
        self.findings_total += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    /// What it is about, once the signatures hold.
    pub(super) fn describe(
        &mut self,
        manifest: &Manifest,
        checkpoint: &Checkpoint,
        key: &VerifierKey,
        key_changes: usize,
    ) {
        self.proof = Some(manifest.proof);
        self.origin = Some(checkpoint.origin.to_string());
        self.range = manifest.range.filter(|_| manifest.proof == Proof::Range);
        self.recorded = manifest
            .recorded
            .clone()
            .filter(|_| manifest.proof == Proof::Range);
        self.size = Some(checkpoint.size);
        self.root = Some(checkpoint.root.to_string());
        self.key = Some(key.to_string());
        self.key_fingerprint = Some(fingerprint(key));
        self.key_changes = key_changes;
        self.exported_by = Some(manifest.exported_by.clone());
        self.exported_at = Some(manifest.exported_at.clone());
    }

    fn only_signed(&mut self, names: impl Iterator<Item = String>) {
        self.signed_only = names
            .filter(|name| member::ONLY_SIGNED.contains(&name.as_str()))
            .collect();
        self.signed_only.sort_unstable();
    }

    pub(super) fn conclude(&mut self) {
        self.authentic = self.findings_total == 0;
        self.complete = self.authentic
            && self.proof == Some(Proof::Range)
            && self.counts.withheld == 0
            && self.counts.restricted == 0
            && self.redacted_sections.is_empty();
    }

    /// What the findings leave proven, a sentence each.
    fn proven(&self) -> Vec<String> {
        let counts = &self.counts;
        let mut proven = vec![format!(
            "the payloads of {} are unchanged, byte for byte; each was in the ledger when the checkpoint was signed",
            counted(counts.disclosed, "event")
        )];
        if let (Some(Proof::Range), Some(range)) = (self.proof, self.range) {
            proven.push(format!(
                "nothing was added to, dropped from or reordered in the entries {} to {}",
                range.first, range.last
            ));
            let recorded = self.recorded.clone().unwrap_or_default();
            if let Some(from) = recorded.from {
                proven.push(format!("no earlier entry was recorded at {from} or later"));
            }
            if let Some(to) = recorded.to {
                proven.push(format!("no later entry was recorded before {to}"));
            }
            let gone = counts.expired + counts.erased + counts.restricted;
            if gone > 0 {
                proven.push(format!(
                    "not disclosed, by later entries of the ledger: {}, {} expired, {} erased, {} restricted",
                    counted(gone, "event"),
                    counts.expired,
                    counts.erased,
                    counts.restricted
                ));
            }
        }
        if let Some(against) = &self.against {
            proven.push(format!("the checkpoint that you kept: {against}"));
        }
        for witness in &self.attestation.witnesses {
            proven.push(format!(
                "{} saw this checkpoint at {}, by its own clock, and until then no larger one and no other history",
                witness.name, witness.at
            ));
        }
        proven
    }

    fn not_proven(&self) -> Vec<String> {
        let mut not_proven = vec![
            "that the content of the events is true, and that the server's clock was right"
                .to_owned(),
        ];
        if self.attestation.level != Level::Witnessed {
            not_proven.push("that everyone sees the same ledger: compare the checkpoint with one that someone else keeps, or name a witness with --witness".to_owned());
        }
        if self.proof == Some(Proof::Selection) {
            not_proven.insert(0, "that these are all events that match the query: a selection does not prove that nothing was left out".to_owned());
        }
        if self.counts.withheld > 0 {
            not_proven.insert(
                0,
                format!("what {} withheld events say", self.counts.withheld),
            );
        }
        if !self.redacted_sections.is_empty() {
            not_proven.insert(
                0,
                format!(
                    "what the redacted sections say: {}",
                    self.redacted_sections.join(", ")
                ),
            );
        }
        not_proven
    }
}

/// SHA-256 of the 32 bytes of a public key, in hex.
pub fn fingerprint(key: &VerifierKey) -> String {
    hex(&Sha256::digest(key.public().as_bytes()))
}

/// The report for a person, to be filed.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_subject(formatter)?;
        self.write_counts(formatter)?;
        self.write_findings(formatter)?;
        write_list(formatter, "warning", &self.warnings)?;
        if !self.damaged.is_empty() {
            return write!(formatter, "verdict      {DAMAGED}");
        }
        if !self.authentic {
            let findings = self.findings_total;
            return write!(
                formatter,
                "verdict      NOT VERIFIED: {findings} finding(s); do not rely on this bundle"
            );
        }
        writeln!(formatter, "{:<12} {}", "attested", self.attestation)?;
        write_list(formatter, "proven", &self.proven())?;
        write_list(formatter, "only signed", &[self.signed_only.join(", ")])?;
        write_list(formatter, "not proven", &self.not_proven())?;
        let verdict = if self.complete {
            "AUTHENTIC and COMPLETE"
        } else {
            "AUTHENTIC; NOT COMPLETE, see above"
        };
        write!(formatter, "verdict      {verdict}")
    }
}

impl Report {
    /// What was checked, and with which key.
    fn write_subject(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proof = self.proof.map(|proof| match proof {
            Proof::Range => "bundle, proof `range`: all entries between two entries",
            Proof::Selection => "bundle, proof `selection`: the events of a query",
        });
        let head = self.size.zip(self.root.as_ref());
        let range = self.range;
        let recorded = self.recorded.as_ref();
        let rows = [
            ("checked", proof.map(str::to_owned)),
            ("key", self.key.clone()),
            ("fingerprint", self.key_fingerprint.clone()),
            ("ledger", self.origin.clone()),
            (
                "checkpoint",
                head.map(|(size, root)| format!("{}, root {root}", counted(size, "entry"))),
            ),
            (
                "entries",
                range.map(|range| format!("{} to {}", range.first, range.last)),
            ),
            (
                "recorded",
                recorded.map(|time| match (&time.from, &time.to) {
                    (Some(from), Some(to)) => format!("{from} to {to}"),
                    (Some(from), None) => format!("from {from}"),
                    (None, Some(to)) => format!("before {to}"),
                    (None, None) => "no time limit".to_owned(),
                }),
            ),
        ];
        for (name, value) in rows {
            if let Some(value) = value {
                writeln!(formatter, "{name:<12} {value}")?;
            }
        }
        if self.proof.is_some() && !self.archive_form_checked {
            writeln!(
                formatter,
                "             archive form not checked: the bundle was given unpacked"
            )?;
        }
        if self.key_changes > 0 {
            let changes = counted(self.key_changes as u64, "key change");
            writeln!(
                formatter,
                "             {changes} from the given key to this one"
            )?;
        }
        Ok(())
    }

    fn write_counts(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.proof.is_none() {
            return Ok(());
        }
        let counts = &self.counts;
        writeln!(
            formatter,
            "counts       {} = {} disclosed + {} expired + {} erased + {} restricted + {} withheld + {} inside",
            counted(counts.entries, "entry"),
            counted(counts.disclosed, "event"),
            counts.expired,
            counts.erased,
            counts.restricted,
            counts.withheld,
            counted(self.statements.inside, "statement")
        )?;
        writeln!(
            formatter,
            "             {} = {} inside + {} outside of the entries, which explain them",
            counted(counts.statements, "statement"),
            self.statements.inside,
            self.statements.outside
        )?;
        let Some(sources) = self.sources.filter(|sources| sources.sources > 0) else {
            return Ok(());
        };
        writeln!(
            formatter,
            "sources      {} with numbered events: {} missing, {} of which may belong to events that are not disclosed; {} repeated, {}",
            counted(sources.sources, "producer"),
            counted(sources.missing, "number"),
            sources.may_be_deleted,
            sources.repeats,
            counted(sources.restarts, "restart")
        )
    }

    fn write_findings(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { seq, rule, detail } in &self.findings {
            let place = seq.map_or_else(|| "bundle".to_owned(), |seq| format!("seq {seq}"));
            writeln!(formatter, "finding      {place}: {rule}: {detail}")?;
        }
        let unlisted = self.findings_total - self.findings.len() as u64;
        if unlisted > 0 {
            writeln!(formatter, "             and {unlisted} more")?;
        }
        Ok(())
    }
}

fn write_list(formatter: &mut fmt::Formatter<'_>, name: &str, lines: &[String]) -> fmt::Result {
    for (index, line) in lines.iter().enumerate() {
        let name = if index == 0 { name } else { "" };
        writeln!(formatter, "{name:<12} - {line}")?;
    }
    Ok(())
}
