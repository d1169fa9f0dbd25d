//! The answer letter: what the data subject is told about a request that is over (docs/gdpr.md, "Send the answer").
//!
//! It says in sentences what the certificate and the request's row say. Of an officer's own texts it holds one, the reason for
//! an extension, which is given for the data subject. It is not part of the copy and is not signed.

mod deleted;
mod kept;
mod lead;
mod rights;
mod text;

use askama::Template;

use crate::export::{ExportError, date, moment, named, withheld_in_words};
use crate::govern::Custody;
use crate::keys::keyring::KeyError;
use crate::requests::fetch::Fetch;
use crate::requests::filed::{About, Filed};
use crate::requests::{PrivacyError, certificate_of, filed};
use crate::tenant::Tenant;
use trailkeep_proof::privacy::{
    Certificate, Closed, Day, Decision, Ended, IdentityKind, Kind, Manner, Outcome, Regime,
    Request, State,
};
use trailkeep_proof::time::UnixMillis;

/// How a letter is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterForm {
    /// A page for a browser.
    Html,
    /// Plain text of 78 columns.
    Text,
}

/// The letter for a request that was answered or ended, while it is known who asked. It is recorded as a read.
pub fn letter(
    custody: &Custody,
    tenant: &Tenant,
    id: &str,
    form: LetterForm,
    (by, purpose): (&str, Option<&str>),
) -> Result<String, PrivacyError> {
    let filed = filed::find(&custody.journal, tenant, id)?;
    if !matches!(filed.request.state(), State::Restricted | State::Closed) {
        return Err(PrivacyError::NotAnswered);
    }
    let about = filed.about(tenant)?;
    let case = Case {
        origin: tenant.active().record.origin.as_str(),
        filed: &filed,
        about: &about,
        ending: Ending::of(custody, tenant, &filed)?,
    };
    Fetch::Letter.record(&custody.journal, tenant, (id, &about), (by, purpose))?;
    let letter = case.letter();
    match form {
        LetterForm::Html => {
            let page = letter.render().map_err(std::io::Error::other);
            Ok(page.map_err(ExportError::from)?)
        }
        LetterForm::Text => Ok(letter.text()),
    }
}

/// How a request came to its end.
enum Ending {
    /// Without an answer.
    Unanswered(Ended, UnixMillis),
    /// With one; what is restricted for the data subject or until a minimum ends was answered too.
    Answered(Box<Certificate>, UnixMillis),
    /// With a further answer, after events that the first one kept.
    AnsweredAgain(Box<Certificate>, UnixMillis),
    /// The restriction that was asked for ended.
    Lifted(Box<Certificate>, UnixMillis),
}

impl Ending {
    fn of(custody: &Custody, tenant: &Tenant, filed: &Filed) -> Result<Self, PrivacyError> {
        let closed = filed.request.closed();
        let first = filed.answered.as_ref();
        let first = first.map(|first| UnixMillis::new(first.at_ms));
        if let Some((ended, at)) = closed.and_then(unanswered) {
            return Ok(Self::Unanswered(ended, at));
        }
        let signed = certificate_of(custody, tenant, &filed.request.id)?;
        let certificate = serde_json::from_str(&signed.text);
        let certificate: Box<Certificate> =
            certificate.map_err(|_| KeyError::DoesNotOpen("a certificate"))?;
        Ok(match (closed.map(Closed::at), first) {
            (Some(at), Some(first)) if at != first => {
                if filed.request.kind == Kind::Restriction {
                    Self::Lifted(certificate, at)
                } else {
                    Self::AnsweredAgain(certificate, at)
                }
            }
            (Some(at), _) | (None, Some(at)) => Self::Answered(certificate, at),
            (None, None) => return Err(PrivacyError::NotAnswered),
        })
    }

    fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Unanswered(..) => None,
            Self::Answered(certificate, _)
            | Self::AnsweredAgain(certificate, _)
            | Self::Lifted(certificate, _) => Some(certificate),
        }
    }

    const fn at(&self) -> UnixMillis {
        match self {
            Self::Unanswered(_, at)
            | Self::Answered(_, at)
            | Self::AnsweredAgain(_, at)
            | Self::Lifted(_, at) => *at,
        }
    }
}

/// How a request ended without an answer, and when; `None` for an answered one.
const fn unanswered(closed: &Closed) -> Option<(Ended, UnixMillis)> {
    let ended = match closed.decision() {
        Decision::Withdrawn => Ended::Withdrawn,
        Decision::IdentityNotShown => Ended::IdentityNotShown,
        Decision::Forwarded => Ended::Forwarded,
        Decision::Answered(_) => return None,
    };
    Some((ended, closed.at()))
}

/// What a letter is made from.
struct Case<'a> {
    origin: &'a str,
    filed: &'a Filed,
    about: &'a About,
    ending: Ending,
}

/// A letter, whatever form it is written in.
#[derive(Template)]
#[template(path = "letter.html")]
struct Letter {
    title: &'static str,
    law: &'static str,
    facts: Vec<(&'static str, String)>,
    /// What was decided.
    lead: String,
    parts: Vec<Part>,
}

/// Paragraphs, a list, and paragraphs again; each may be empty.
#[derive(Default)]
struct Part {
    heading: &'static str,
    before: Vec<String>,
    items: Vec<String>,
    after: Vec<String>,
}

impl Case<'_> {
    fn request(&self) -> &Request {
        &self.filed.request
    }

    const fn regime(&self) -> Regime {
        self.filed.request.regime
    }

    fn letter(&self) -> Letter {
        let mut parts = Vec::new();
        if let Some(certificate) = self.ending.certificate() {
            parts.extend(deleted::part(certificate));
            parts.extend(kept::part(self, certificate));
            parts.extend(left_out(certificate));
            parts.push(self.checks(certificate));
        }
        parts.push(rights::part(self.regime(), &self.request().receipt));
        Letter {
            title: "Answer to your request",
            law: rights::law(self.regime()),
            facts: self.facts(),
            lead: lead::lead(self),
            parts,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let request = self.request();
        let day = |day: Day| date(day.start());
        let received = format!(
            "number {}, received on {}{}",
            request.receipt,
            day(request.received_on),
            added(self.filed.ticket.manner.map(Manner::said))
        );
        let kind = added(self.filed.ticket.identity_kind.map(IdentityKind::said));
        let identity = match request.identified_on() {
            Some(on) if self.filed.is_identity_checked(self.about) => {
                format!("verified on {}{kind}", day(on))
            }
            Some(_) | None => format!("not verified{kind}"),
        };
        let mut facts = vec![
            ("About", named(&self.about.person())),
            ("Recorded in", self.origin.to_owned()),
            ("Your request", received),
            (
                "You asked for",
                lead::asked_for(request.kind, self.regime()),
            ),
            ("Your identity", identity),
        ];
        if let Some(on) = request.extended_on() {
            let until = request.deadline().map(|last| day(last.due));
            let until = until.map_or_else(String::new, |until| format!(", until {until}"));
            let reason = self.about.extended_because.as_deref().unwrap_or_default();
            let extended = format!("on {}{until}. Reason: {reason}", day(on));
            facts.push(("Extended", extended));
        }
        let ended = match &self.ending {
            Ending::Unanswered(..) => "Ended",
            Ending::Answered(..) => "Answered",
            Ending::AnsweredAgain(..) => "Answered again",
            Ending::Lifted(..) => "Restriction over",
        };
        facts.push((ended, format!("on {}", moment(self.ending.at()))));
        facts
    }

    /// What shows that the answer is true.
    fn checks(&self, certificate: &Certificate) -> Part {
        let mut items = vec![format!(
            "certificate.json and certificate.json.sig: the signed certificate of request {}, issued on {}.",
            certificate.request.id,
            issued(&certificate.issued_at)
        )];
        let (active, closed) = (&self.filed.fetched, &self.filed.closed_ledgers);
        let file = match self.request().kind {
            Kind::Portability => "person.json",
            Kind::Access | Kind::Erasure | Kind::Restriction => "person.zip",
        };
        let superseded = closed.iter().filter_map(|(ledger, copy)| {
            let what = format!("your copy from the earlier ledger {ledger}");
            copy.as_ref().map(|copy| (what, copy))
        });
        let active = active
            .iter()
            .map(|copy| (format!("{file}: your copy"), copy));
        for (what, copy) in active.chain(superseded) {
            if let Some(sha256) = &copy.bundle.sha256 {
                items.push(format!("{what}. Its SHA-256 is {sha256}"));
            }
        }
        Part {
            heading: "How to check this answer",
            before: vec![
                "This letter is not signed. What was found, done and kept is also in these files, which anyone can check:"
                    .to_owned(),
            ],
            items,
            after: vec![
                format!(
                    "The program trailkeep-verify checks them offline: trailkeep-verify certificate.json --key audit-key.pem. The key \
                     is the public key of {}; get it from someone other than its operator.",
                    certificate.origin
                ),
                "Keep the certificate as carefully as your data: whoever has it can test whether it is about an identifier."
                    .to_owned(),
            ],
        }
    }
}

/// What a copy leaves out; `None` for a request without a copy.
fn left_out(certificate: &Certificate) -> Option<Part> {
    let withheld = certificate.withheld.as_ref()?;
    if certificate.outcome != Outcome::Disclosed {
        return None;
    }
    let held = certificate.events.held;
    let mut part = Part {
        heading: "What your copy leaves out",
        items: withheld
            .iter()
            .map(|row| withheld_in_words(row, held))
            .collect(),
        ..Part::default()
    };
    if part.items.is_empty() {
        part.before.push("Nothing.".to_owned());
    }
    Some(part)
}

/// A word of a closed list behind what it says more of.
fn added(said: Option<&str>) -> String {
    said.map_or_else(String::new, |said| format!(", {said}"))
}

/// A time of a certificate for people; a text that is not a time stays as it is.
fn issued(at: &str) -> String {
    UnixMillis::parse_rfc3339(at).map_or_else(|| at.to_owned(), moment)
}
