//! A request as callers see it.

use crate::requests::filed::{About, Filed, Held};
use crate::requests::near::ShownNear;
use trailkeep_proof::privacy::{
    Closed, Day, Decision, Ground, IdentityKind, Kept, Kind, Manner, Outcome, Regime, State,
};
use trailkeep_proof::time::UnixMillis;

/// The data subject of a request.
#[derive(Clone, Debug)]
pub struct ShownSubject {
    /// The identifier's namespace; empty for the tenant's own.
    pub namespace: String,
    /// The identifier.
    pub id: String,
}

impl ShownSubject {
    pub(super) fn of(about: &About) -> Self {
        Self {
            namespace: about.namespace.clone(),
            id: about.id.clone(),
        }
    }
}

/// A data subject request. It names the data subject only in the answer about a single request.
#[derive(Clone, Debug)]
pub struct ShownRequest {
    /// Its random id.
    pub id: String,
    /// The receipt number that the data subject can quote.
    pub receipt: String,
    /// What is asked for.
    pub kind: Kind,
    /// Under which law.
    pub regime: Regime,
    /// Its state.
    pub state: State,
    /// How it ended.
    pub decision: Option<String>,
    /// The day of receipt.
    pub received_on: Day,
    /// The last day to acknowledge receipt, if the law sets one.
    pub acknowledge_by: Option<Day>,
    /// The day on which the requester's identity was verified.
    pub identified_on: Option<Day>,
    /// The day to answer by; absent while the clock waits for the requester's identity.
    pub due: Option<Day>,
    /// The last day by law, where that is a working day and no public holiday.
    pub legal_due: Option<Day>,
    /// The day on which it was extended.
    pub extended_on: Option<Day>,
    /// Whether it is past its due date without an answer.
    pub overdue: bool,
    /// Of an erasure or restriction: when its execution was ordered. Nothing is deleted before.
    pub ordered_at: Option<String>,
    /// When the data subject was answered first; none of one that ended without an answer.
    pub answered_at: Option<String>,
    /// When it was closed.
    pub closed_at: Option<String>,
    /// The entry that records it.
    pub seq: u64,
    /// How it came in; none where nobody said.
    pub manner: Option<Manner>,
    /// Whether the requester's identity was checked. `None` until the requester is identified, and for requests that an earlier version forgot.
    pub identity_checked: Option<bool>,
    /// By what kind of check, or why none was made; none where nobody said.
    pub identity_kind: Option<IdentityKind>,
    /// Of an erasure or restriction: what was kept at its first answer, until when and on which ground.
    pub kept: Vec<Kept>,
    /// Number of events found.
    pub held: Option<Held>,
    /// Of a restriction: on which ground it was asked for.
    pub ground: Option<Ground>,
    /// Superseded ledgers with some of the events: each has its own copy (`Trailkeep-Ledger`).
    pub closed_ledgers: Vec<String>,
    /// When the server forgot whom it was about; absent while it knows, and where an earlier version forgot it.
    pub forgotten_on: Option<Day>,
    /// The caller's own reference, until the identifier is deleted.
    pub reference: Option<String>,
    /// The data subject, in the answer about a single request.
    pub subject: Option<ShownSubject>,
    /// Data subjects with a similar identifier, in the answer about a single request; they are not in its scope.
    pub near: Option<ShownNear>,
    /// Whether it has a certificate.
    pub certificate: bool,
}

impl ShownRequest {
    pub(super) fn of(filed: &Filed, about: Option<&About>, now: UnixMillis) -> Self {
        let request = &filed.request;
        let deadline = request.deadline();
        let closed = request.closed();
        let answered = filed.answered.as_ref().map(|first| first.outcome);
        Self {
            id: request.id.clone(),
            receipt: request.receipt.clone(),
            kind: request.kind,
            regime: request.regime,
            state: request.state(),
            decision: closed
                .map(Closed::decision)
                .or(answered.map(Decision::Answered))
                .map(decision_word),
            received_on: request.received_on,
            acknowledge_by: request.regime.acknowledge_by(request.received_on),
            identified_on: request.identified_on(),
            due: deadline.map(|last| last.due),
            legal_due: deadline.map(|last| last.legal_due),
            extended_on: request.extended_on(),
            overdue: request.is_overdue(now),
            ordered_at: filed
                .ordered
                .map(|ordered| UnixMillis::new(ordered.at_ms).to_string()),
            answered_at: answered_at(filed).map(|at| at.to_string()),
            closed_at: closed.map(|closed| closed.at().to_string()),
            seq: filed.seq,
            manner: filed.ticket.manner,
            identity_checked: filed.identity_checked(about),
            identity_kind: filed.ticket.identity_kind,
            kept: kept_at_first(filed),
            held: filed.held,
            ground: filed.ground,
            closed_ledgers: filed.closed_ledgers.keys().cloned().collect(),
            forgotten_on: filed.forgotten_on,
            reference: about.and_then(|about| about.reference.clone()),
            subject: None,
            near: None,
            certificate: about.is_some_and(|about| about.certificate.is_some()),
        }
    }
}

/// When the data subject was answered first: what is kept is destroyed or released later, and closes the request then.
fn answered_at(filed: &Filed) -> Option<UnixMillis> {
    let first = filed.answered.as_ref();
    let first = first.map(|first| UnixMillis::new(first.at_ms));
    let closed = filed.request.closed();
    let closed = closed.filter(|closed| matches!(closed.decision(), Decision::Answered(_)));
    first.or(closed.map(Closed::at))
}

fn kept_at_first(filed: &Filed) -> Vec<Kept> {
    let decided = filed.answered.as_ref().and(filed.decided.as_ref());
    decided.map_or_else(Vec::new, |decided| decided.kept.clone())
}

fn decision_word(decision: Decision) -> String {
    let word = match decision {
        Decision::Answered(Outcome::NothingHeld) => "nothing-held",
        Decision::Answered(Outcome::Disclosed) => "disclosed",
        Decision::Answered(Outcome::Erased) => "erased",
        Decision::Answered(Outcome::Partial) => "partial",
        Decision::Answered(Outcome::Restricted) => "restricted",
        Decision::Answered(Outcome::Held) => "held",
        Decision::Answered(Outcome::Refused) => "refused",
        Decision::Withdrawn => "withdrawn",
        Decision::IdentityNotShown => "identity-not-shown",
        Decision::Forwarded => "forwarded",
    };
    word.to_owned()
}
