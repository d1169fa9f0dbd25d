//! Verifying a certificate with a public key obtained elsewhere (docs/format.md, "Verifying a certificate").
//!
//! deletion.rs checks the numbers and the statements of deleted events.
//! What the ledger's entries say is proven; what only the certificate says is signed, and listed as such.

mod deletion;
mod report;

use serde::Deserialize;

use self::deletion::{check_numbers, check_statement};
pub use self::report::Report;
use super::certificate::{
    BEGINNING, Certificate, Events, FORMAT, Kept, Outcome, SIGNATURE_BYTES, Withheld,
    verify_signature,
};
use super::due::Regime;
use super::manner::{IdentityKind, Manner};
use super::request::Kind;
use super::subject::commit_to_subject;
use crate::bundle::line::Line;
use crate::bundle::transport::undo;
use crate::bundle::verify::{Finding, fingerprint};
use crate::ids::{Origin, SubjectCommitment, SubjectSalt};
use crate::ledger::action::SystemAction;
use crate::ledger::checkpoint::Checkpoint;
use crate::ledger::entry::{Entry, EntryKind};
use crate::ledger::event::check_json;
use crate::ledger::note::{PublicKey, VerifierKey};
use crate::ledger::proof::Receipt;

/// What is asked of a certificate.
pub struct Question<'a> {
    /// The raw signature over its exact bytes.
    pub signature: &'a [u8],
    /// The ledger's public key, from somebody else than who made the certificate.
    pub key: &'a PublicKey,
    /// Namespace and id of the person whom it is to be about.
    pub subject: Option<(&'a str, &'a str)>,
}

/// Whether a text is meant to be a certificate.
pub fn is_certificate(text: &str) -> bool {
    text.starts_with(BEGINNING)
}

/// Checks a certificate; if it does not verify, whether it does without what ways do to texts and signatures.
pub fn check(text: &str, question: &Question<'_>) -> Report {
    let report = check_as_it_is(text, question);
    if report.verified {
        return report;
    }
    let mut texts = vec![(text.as_bytes().to_vec(), Vec::new())];
    texts.extend(undo(text.as_bytes()));
    let mut signatures = vec![(question.signature.to_vec(), Vec::new())];
    // A signature of the right length was not changed in a way that can be undone.
    if question.signature.len() != SIGNATURE_BYTES {
        signatures.extend(undo(question.signature));
    }
    for (text, changes) in &texts {
        for (signature, more) in &signatures {
            let undone = Question {
                signature,
                ..*question
            };
            let text = std::str::from_utf8(text).unwrap_or_default();
            let report = check_as_it_is(text, &undone);
            if report.verified {
                return report.damaged([changes.as_slice(), more].concat());
            }
        }
    }
    report
}

fn check_as_it_is(text: &str, question: &Question<'_>) -> Report {
    let mut report = Report::default();
    if let Err(finding) = check_all(text, question, &mut report) {
        report.findings.push(finding);
    }
    report.verified = report.findings.is_empty();
    report
}

fn finding(seq: Option<u64>, rule: &'static str, detail: impl Into<String>) -> Finding {
    Finding {
        seq,
        rule,
        detail: detail.into(),
    }
}

/// An entry of the certificate whose proof and text hold.
struct Stated<'a> {
    entry: Entry,
    line: Line<'a>,
}

impl Stated<'_> {
    fn is(&self, action: SystemAction) -> bool {
        self.line.text("action").map(str::as_bytes) == Some(action.section())
    }

    fn section<T: for<'de> Deserialize<'de>>(&self, name: &'static str) -> Result<T, Finding> {
        let seq = Some(self.entry.seq.get());
        let text = self.line.text(name);
        let text =
            text.ok_or_else(|| finding(seq, "entry", format!("it shows no section {name}")))?;
        serde_json::from_str(text)
            .map_err(|_| finding(seq, "entry", format!("its section {name} is malformed")))
    }
}

fn check_all(text: &str, question: &Question<'_>, report: &mut Report) -> Result<(), Finding> {
    check_json(text.trim_matches([' ', '\t', '\n', '\r']))
        .map_err(|error| finding(None, "form", error))?;
    let certificate: Certificate = serde_json::from_str(text).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        finding(None, "form", format!("it is not a certificate: {place}"))
    })?;
    if certificate.format != FORMAT || !is_certificate(text) {
        return Err(finding(
            None,
            "form",
            format!("its format is not {FORMAT}: a later version of this program may read it"),
        ));
    }
    let origin = Origin::parse(&certificate.origin)
        .map_err(|error| finding(None, "form", format!("its origin: {error}")))?;
    let verifier = question
        .key
        .verifier_for(&origin)
        .map_err(|error| finding(None, "key", error.to_string()))?;
    if !verify_signature(text, question.signature, verifier.public()) {
        return Err(finding(
            None,
            "signature",
            "the signature is not by the given key, or the certificate was changed",
        ));
    }
    report.origin = Some(origin.to_string());
    report.key = Some(verifier.to_string());
    report.key_fingerprint = Some(fingerprint(&verifier));
    let stated = entries(&certificate, &origin, &verifier, report)?;
    let proven = Told {
        identity_kind: check_request(&certificate, &stated, report)?,
        kept: check_answer(&certificate, &stated, report)?,
    };
    check_numbers(&certificate)?;
    check_statement(&certificate, &stated, report)?;
    check_subject(&certificate, &origin, question.subject, report)?;
    report.signed_only = signed_only(&certificate, proven);
    Ok(())
}

/// Opens the entries: each is in the tree, and says what it commits to.
fn entries<'a>(
    certificate: &'a Certificate,
    origin: &Origin,
    verifier: &VerifierKey,
    report: &mut Report,
) -> Result<Vec<Stated<'a>>, Finding> {
    let mut stated: Vec<Stated<'a>> = Vec::new();
    for proven in &certificate.entries {
        let receipt = Receipt::parse(&proven.proof)
            .map_err(|error| finding(None, "entry", error.to_string()))?;
        let (entry, checkpoint): (Entry, Checkpoint) = receipt
            .verify(verifier)
            .map_err(|error| finding(Some(receipt.index), "entry", error.to_string()))?;
        let seq = Some(entry.seq.get());
        let line = Line::parse(proven.says.get().as_bytes())
            .map_err(|error| finding(seq, "entry", error))?;
        if line.seq != entry.seq || entry.kind != EntryKind::System {
            return Err(finding(seq, "entry", "its line belongs to another entry"));
        }
        line.check_texts()
            .map_err(|error| finding(seq, "entry", error))?;
        if line.commitment(origin).ok() != Some(entry.commitment) {
            return Err(finding(
                seq,
                "commitment",
                "its sections do not match the commitment of the entry",
            ));
        }
        if stated
            .last()
            .is_some_and(|last| last.entry.seq >= entry.seq)
        {
            return Err(finding(
                seq,
                "entry",
                "entries must ascend by seq, each once",
            ));
        }
        report.size = report.size.max(Some(checkpoint.size));
        stated.push(Stated { entry, line });
    }
    Ok(stated)
}

/// Which members that not every entry has are in those of the certificate.
#[derive(Clone, Copy)]
struct Told {
    identity_kind: bool,
    kept: bool,
}

#[derive(Deserialize)]
struct RequestSection {
    id: String,
    receipt: String,
    #[serde(rename = "type")]
    kind: Kind,
    regime: Regime,
    received_on: super::day::Day,
    subject: String,
    #[serde(default)]
    manner: Option<Manner>,
    /// None also where the requester was identified later, in an entry that the certificate does not have.
    #[serde(default)]
    identity_kind: Option<IdentityKind>,
}

/// Gives whether the entry has the kind of the identity check.
fn check_request(
    certificate: &Certificate,
    stated: &[Stated<'_>],
    report: &mut Report,
) -> Result<bool, Finding> {
    let asked = &certificate.request;
    let seq = Some(asked.seq);
    let found = stated
        .iter()
        .find(|one| one.entry.seq.get() == asked.seq && one.is(SystemAction::PrivacyReceive));
    let found = found.ok_or_else(|| {
        finding(
            seq,
            "request",
            "no entry of the certificate records the request",
        )
    })?;
    let section: RequestSection = found.section("request")?;
    let is_same = section.id == asked.id
        && section.receipt == asked.receipt
        && section.kind == asked.kind
        && section.regime == asked.regime
        && section.received_on == asked.received_on
        && section.manner == asked.manner
        && (section.identity_kind.is_none() || section.identity_kind == asked.identity_kind)
        && section.subject == certificate.subject.commitment;
    if !is_same {
        return Err(finding(
            seq,
            "request",
            "the entry records another request than the certificate names",
        ));
    }
    report.request_seq = seq;
    report.receipt = Some(asked.receipt.clone());
    report.kind = Some(asked.kind);
    Ok(section.identity_kind.is_some())
}

#[derive(Deserialize)]
struct AnswerSection {
    id: String,
    outcome: Outcome,
    events: Events,
    statement: Option<u64>,
    export: Option<u64>,
    #[serde(default)]
    withheld: Option<Vec<Withheld>>,
    /// None also where an earlier version answered.
    #[serde(default)]
    kept: Option<Vec<Kept>>,
}

/// Gives whether the entry has what is kept, and on which grounds.
fn check_answer(
    certificate: &Certificate,
    stated: &[Stated<'_>],
    report: &mut Report,
) -> Result<bool, Finding> {
    let found = stated
        .iter()
        .rfind(|one| one.is(SystemAction::PrivacyAnswer))
        .filter(|one| one.entry.seq.get() > certificate.request.seq);
    let found = found.ok_or_else(|| {
        finding(
            None,
            "answer",
            "no later entry of the certificate answers it",
        )
    })?;
    let seq = Some(found.entry.seq.get());
    let section: AnswerSection = found.section("answer")?;
    let kept = section.kept.as_ref();
    let is_same = section.id == certificate.request.id
        && section.outcome == certificate.outcome
        && section.events == certificate.events
        && section.withheld == certificate.withheld
        && kept.is_none_or(|kept| *kept == certificate.kept)
        && section.statement == certificate.destroyed.as_ref().map(|gone| gone.statement)
        && section.export == certificate.bundle.as_ref().map(|bundle| bundle.export_seq);
    if !is_same {
        return Err(finding(
            seq,
            "answer",
            "the entry's answer differs from the certificate's",
        ));
    }
    report.answer_seq = seq;
    report.outcome = Some(section.outcome);
    report.events = section.events;
    Ok(kept.is_some())
}

/// The salt opens the commitment for the person who was named.
fn check_subject(
    certificate: &Certificate,
    origin: &Origin,
    subject: Option<(&str, &str)>,
    report: &mut Report,
) -> Result<(), Finding> {
    let commitment = SubjectCommitment::from_base64(&certificate.subject.commitment);
    let salt = SubjectSalt::from_base64(&certificate.subject.salt);
    let (Some(commitment), Some(salt)) = (commitment, salt) else {
        return Err(finding(
            None,
            "subject",
            "commitment and salt must be 32 bytes in base64",
        ));
    };
    let Some((namespace, id)) = subject else {
        return Ok(());
    };
    let found = commit_to_subject(origin, &certificate.request.id, &salt, namespace, id);
    report.about_subject = Some(found == commitment);
    if found == commitment {
        Ok(())
    } else {
        Err(finding(
            Some(certificate.request.seq),
            "subject",
            "the request is about another data subject than the one named",
        ))
    }
}

fn signed_only(certificate: &Certificate, proven: Told) -> Vec<&'static str> {
    let mut members = vec!["issued_at", "note"];
    if certificate.request.identity_checked.is_some() {
        members.push("request.identity_checked");
    }
    if certificate.request.identity_kind.is_some() && !proven.identity_kind {
        members.push("request.identity_kind");
    }
    if certificate.bundle.is_some() {
        members.push("bundle.sha256");
    }
    if certificate.destroyed.is_some() {
        members.extend([
            "destroyed.live_at",
            "destroyed.copies",
            "destroyed.copies_dead_at",
            "destroyed.backups",
            "openings_given",
        ]);
    }
    if !certificate.kept.is_empty() && !proven.kept {
        members.push("kept");
    }
    members
}
