//! What came out of checking a certificate, for programs and for a person who files it.

use std::fmt;

use serde::Serialize;

use crate::bundle::transport::{Change, DAMAGED};
use crate::bundle::verify::Finding;
use crate::privacy::certificate::{Events, Outcome};
use crate::privacy::request::Kind;

/// What came out. Only if `verified` is true do the other members mean anything.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Whether every rule holds.
    pub verified: bool,
    /// Whose ledger it is.
    pub origin: Option<String>,
    /// The number that the person was given.
    pub receipt: Option<String>,
    /// What was asked for.
    #[serde(rename = "type")]
    pub kind: Option<Kind>,
    /// What came of it.
    pub outcome: Option<Outcome>,
    /// How many events.
    pub events: Events,
    /// The entry that records the request.
    pub request_seq: Option<u64>,
    /// The entry that answers it.
    pub answer_seq: Option<u64>,
    /// The entry that covers what was destroyed.
    pub statement_seq: Option<u64>,
    /// Entries under the checkpoint.
    pub size: Option<u64>,
    /// The key that signed, as a C2SP verifier key.
    pub key: Option<String>,
    /// SHA-256 of the 32 bytes of that key, in hex.
    pub key_fingerprint: Option<String>,
    /// Whether it is about the person who was named; none where nobody was named.
    pub about_subject: Option<bool>,
    /// Members that the signature vouches for and no entry proves.
    pub signed_only: Vec<&'static str>,
    /// What the way did to the file, where undoing that verifies completely. Then nothing is verified as it is.
    pub damaged: Vec<Change>,
    /// What does not hold.
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn damaged(mut self, changes: Vec<Change>) -> Self {
        self.verified = false;
        for change in &changes {
            self.findings.push(Finding {
                seq: None,
                rule: "transport",
                detail: change.describe().to_owned(),
            });
        }
        self.damaged = changes;
        self
    }
}

/// The report for a person, to be filed.
impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{:<12} certificate of a data subject request",
            "checked"
        )?;
        let number = |seq: Option<u64>| seq.map(|seq| seq.to_string());
        let outcome = self
            .outcome
            .and_then(|outcome| serde_json::to_value(outcome).ok())
            .and_then(|value| value.as_str().map(str::to_owned));
        let rows = [
            ("key", self.key.clone()),
            ("fingerprint", self.key_fingerprint.clone()),
            ("ledger", self.origin.clone()),
            ("receipt", self.receipt.clone()),
            ("asked for", self.kind.map(|kind| kind.as_str().to_owned())),
            ("request", number(self.request_seq)),
            ("answer", number(self.answer_seq)),
            ("statement", number(self.statement_seq)),
            ("outcome", outcome),
        ];
        for (name, value) in rows {
            if let Some(value) = value {
                writeln!(formatter, "{name:<12} {value}")?;
            }
        }
        let Events {
            held,
            disclosed,
            destroyed,
            kept,
        } = self.events;
        writeln!(
            formatter,
            "{:<12} {held} held, {disclosed} disclosed, {destroyed} destroyed, {kept} kept",
            "events"
        )?;
        match self.about_subject {
            Some(true) => writeln!(formatter, "{:<12} the data subject named", "about")?,
            Some(false) => writeln!(formatter, "{:<12} someone else", "about")?,
            None => writeln!(
                formatter,
                "{:<12} not checked: name the data subject with --subject",
                "about"
            )?,
        }
        for finding in &self.findings {
            writeln!(
                formatter,
                "{:<12} {}: {}",
                "finding", finding.rule, finding.detail
            )?;
        }
        if !self.verified {
            let verdict = if self.damaged.is_empty() {
                "NOT VERIFIED"
            } else {
                DAMAGED
            };
            return write!(formatter, "{:<12} {verdict}", "verdict");
        }
        writeln!(
            formatter,
            "{:<12} the request, its answer and its numbers are entries of the ledger, under a signed checkpoint",
            "proven"
        )?;
        writeln!(
            formatter,
            "{:<12} {}",
            "only signed",
            self.signed_only.join(", ")
        )?;
        write!(formatter, "{:<12} VERIFIED", "verdict")
    }
}
