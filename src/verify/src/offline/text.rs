//! Receipts and checkpoints.

use std::fmt;

use serde::Serialize;

use super::kind::RECEIPT;
use trailkeep_proof::bundle::transport::{Change, DAMAGED, undo};
use trailkeep_proof::bundle::verify::Question;
use trailkeep_proof::ledger::attestation::Attestation;
use trailkeep_proof::ledger::checkpoint::Checkpoint;
use trailkeep_proof::ledger::entry::leaf_hash;
use trailkeep_proof::ledger::note::{PublicKey, SignedNote, VerifierKey};
use trailkeep_proof::ledger::proof::Receipt;

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A C2SP tlog-proof.
    Receipt,
    /// A signed checkpoint.
    Checkpoint,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule.
    pub rule: &'static str,
    /// What was found.
    pub detail: String,
}

/// What came out. Only if `verified` is true do the other members mean anything.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was checked.
    pub kind: FileKind,
    /// Whether all of it holds.
    pub verified: bool,
    /// Whose ledger it is.
    pub origin: Option<String>,
    /// Entries under the checkpoint.
    pub size: Option<u64>,
    /// Root of the tree over them, in base64.
    pub root: Option<String>,
    /// A receipt's entry.
    pub seq: Option<u64>,
    /// When the server recorded it, by its own clock.
    pub recorded_at: Option<String>,
    /// The entry's leaf hash, in base64.
    pub leaf_hash: Option<String>,
    /// The key that it was checked with, as a C2SP verifier key.
    pub key: Option<String>,
    /// How it relates to the older checkpoint that was given.
    pub against: Option<&'static str>,
    /// Who vouches for the head.
    pub attestation: Attestation,
    /// What the way did to the file, where undoing that verifies completely. Then nothing is verified as it is.
    pub damaged: Vec<Change>,
    /// What does not hold.
    pub findings: Vec<Finding>,
}

/// Checks the text of a receipt or a signed checkpoint; if it does not verify, whether it does without what ways do to texts.
pub fn check(text: &str, question: &Question<'_>) -> Report {
    let report = check_as_it_is(text, question);
    if report.verified {
        return report;
    }
    let kept = question
        .against
        .map(str::as_bytes)
        .map(undo)
        .unwrap_or_default();
    let mut olds = vec![(None, Vec::new())];
    olds.extend(
        kept.into_iter()
            .map(|(text, changes)| (String::from_utf8(text).ok(), changes)),
    );
    let mut texts = vec![(text.as_bytes().to_vec(), Vec::new())];
    texts.extend(undo(text.as_bytes()));
    for (text, changes) in &texts {
        for (old, old_changes) in &olds {
            let undone = Question {
                against: old.as_deref().or(question.against),
                ..*question
            };
            let text = std::str::from_utf8(text).unwrap_or_default();
            let report = check_as_it_is(text, &undone);
            if report.verified {
                return report.damaged([changes.as_slice(), old_changes].concat());
            }
        }
    }
    report
}

fn check_as_it_is(text: &str, question: &Question<'_>) -> Report {
    let kind = if text.starts_with(RECEIPT) {
        FileKind::Receipt
    } else {
        FileKind::Checkpoint
    };
    let mut report = Report {
        kind,
        verified: false,
        origin: None,
        size: None,
        root: None,
        seq: None,
        recorded_at: None,
        leaf_hash: None,
        key: None,
        against: None,
        attestation: Attestation::default(),
        damaged: Vec::new(),
        findings: Vec::new(),
    };
    let checked = match kind {
        FileKind::Receipt => check_receipt(text, question.key, &mut report),
        FileKind::Checkpoint => check_checkpoint(text, question.key),
    };
    match checked {
        Err(finding) => report.findings.push(finding),
        Ok((checkpoint, verifier)) => {
            attest(text, &verifier, question, &mut report);
            if let Some(old) = question.against {
                compare(&checkpoint, old, &verifier, &mut report);
            }
            report.origin = Some(checkpoint.origin.to_string());
            report.size = Some(checkpoint.size);
            report.root = Some(checkpoint.root.to_string());
            report.key = Some(verifier.to_string());
        }
    }
    report.verified = report.findings.is_empty();
    report
}

impl Report {
    fn damaged(mut self, changes: Vec<Change>) -> Self {
        self.verified = false;
        for change in &changes {
            self.findings.push(Finding {
                rule: "transport",
                detail: change.describe().to_owned(),
            });
        }
        self.damaged = changes;
        self
    }
}

fn check_receipt(
    text: &str,
    key: &PublicKey,
    report: &mut Report,
) -> Result<(Checkpoint, VerifierKey), Finding> {
    let receipt = Receipt::parse(text).map_err(|error| finding("receipt", &error))?;
    let origin = receipt
        .claimed_origin()
        .map_err(|error| finding("checkpoint", &error))?;
    let verifier = key
        .verifier_for(&origin)
        .map_err(|error| finding("key", &error))?;
    let (entry, checkpoint) = receipt
        .verify(&verifier)
        .map_err(|error| finding("receipt", &error))?;
    report.seq = Some(entry.seq.get());
    report.recorded_at = Some(entry.recorded_at.to_string());
    report.leaf_hash = Some(leaf_hash(&receipt.entry).to_string());
    Ok((checkpoint, verifier))
}

fn check_checkpoint(text: &str, key: &PublicKey) -> Result<(Checkpoint, VerifierKey), Finding> {
    let origin = Checkpoint::claimed_origin(text).map_err(|error| finding("checkpoint", &error))?;
    let verifier = key
        .verifier_for(&origin)
        .map_err(|error| finding("key", &error))?;
    let checkpoint =
        Checkpoint::open(text, &verifier).map_err(|error| finding("checkpoint", &error))?;
    Ok((checkpoint, verifier))
}

/// Who vouches for the head of a receipt or checkpoint.
fn attest(text: &str, verifier: &VerifierKey, question: &Question<'_>, report: &mut Report) {
    let receipt = Receipt::parse(text).map(|receipt| receipt.checkpoint);
    let note = receipt.as_deref().unwrap_or(text);
    let own = std::slice::from_ref(verifier);
    // It was read before, so it reads.
    if let Ok(note) = SignedNote::parse(note) {
        let (attestation, wrong) = Attestation::of(&note, own, question.witnesses);
        report.attestation = attestation;
        let wrong = wrong.iter().map(|detail| finding("witness", detail));
        report.findings.extend(wrong);
    }
}

/// Two heads of one size must be the same; of other sizes a consistency proof would be needed.
fn compare(checkpoint: &Checkpoint, old: &str, verifier: &VerifierKey, report: &mut Report) {
    match Checkpoint::open(old, verifier) {
        Err(error) => report.findings.push(finding("against", &error)),
        Ok(old) if old.size != checkpoint.size => {
            report.against = Some("not comparable without a consistency proof");
        }
        Ok(old) if old.root == checkpoint.root => {
            report.against = Some("the same checkpoint");
            report.attestation.anchor();
        }
        Ok(_) => report.findings.push(Finding {
            rule: "against",
            detail: "two checkpoints of one size have different roots: the ledger was forked"
                .to_owned(),
        }),
    }
}

fn finding(rule: &'static str, error: &impl fmt::Display) -> Finding {
    Finding {
        rule,
        detail: error.to_string(),
    }
}

/// The report for a person, to be filed.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            FileKind::Receipt => "receipt (C2SP tlog-proof)",
            FileKind::Checkpoint => "signed checkpoint",
        };
        writeln!(formatter, "checked      {kind}")?;
        let seq = self.seq.map(|seq| seq.to_string());
        let size = self.size.map(|size| size.to_string());
        let rows = [
            ("key", &self.key),
            ("ledger", &self.origin),
            ("size", &size),
            ("root", &self.root),
            ("seq", &seq),
            ("recorded at", &self.recorded_at),
            ("leaf hash", &self.leaf_hash),
        ];
        for (name, value) in rows {
            if let Some(value) = value {
                writeln!(formatter, "{name:<12} {value}")?;
            }
        }
        if let Some(against) = self.against {
            writeln!(formatter, "{:<12} {against}", "older checkpoint")?;
        }
        if self.verified {
            writeln!(formatter, "{:<12} {}", "attested", self.attestation)?;
        }
        for finding in &self.findings {
            writeln!(
                formatter,
                "finding      {}: {}",
                finding.rule, finding.detail
            )?;
        }
        match (self.verified, self.kind) {
            (false, _) if !self.damaged.is_empty() => write!(formatter, "verdict      {DAMAGED}"),
            (false, _) => write!(formatter, "verdict      NOT VERIFIED"),
            (true, FileKind::Receipt) => write!(
                formatter,
                "proven       the entry is in the ledger at this seq, under this signed checkpoint\n\
                 not proven   the content of the entry (its payload stays with the ledger), and that the server's clock was right\n\
                 verdict      VERIFIED"
            ),
            (true, FileKind::Checkpoint) => write!(
                formatter,
                "proven       the holder of the key signed this size and root\n\
                 verdict      VERIFIED"
            ),
        }
    }
}
