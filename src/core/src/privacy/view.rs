//! A request as callers see it.

use serde::{Deserialize, Serialize};

use super::filed::{About, Filed, Held};
use super::near::ShownNear;
use trailkeep_proof::privacy::{Closed, Day, Decision, Kind, Outcome, Regime, State};
use trailkeep_proof::time::UnixMillis;

/// Who a request is about.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = RequestSubject)]
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

/// A request. It names the person only where one request was asked for.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PersonRequest)]
pub struct ShownRequest {
    /// Its random id.
    pub id: String,
    /// The number for the person to quote.
    pub receipt: String,
    /// What is asked for.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: Kind,
    /// Under which law.
    #[schema(value_type = String)]
    pub regime: Regime,
    /// Where it stands.
    #[schema(value_type = String)]
    pub state: State,
    /// How it ended.
    pub decision: Option<String>,
    /// The day on which it came in.
    #[schema(value_type = String)]
    pub received_on: Day,
    /// The last day for telling the person that it came in, where the law sets one.
    #[schema(value_type = Option<String>)]
    pub acknowledge_by: Option<Day>,
    /// The day on which it was established who asks.
    #[schema(value_type = Option<String>)]
    pub identified_on: Option<Day>,
    /// The day to answer by; none while the clock waits for the person's identity.
    #[schema(value_type = Option<String>)]
    pub due: Option<Day>,
    /// The last day by law, where that is a working day and no public holiday.
    #[schema(value_type = Option<String>)]
    pub legal_due: Option<Day>,
    /// The day on which it was extended.
    #[schema(value_type = Option<String>)]
    pub extended_on: Option<Day>,
    /// Whether the day to answer by is over without an answer.
    pub overdue: bool,
    /// Of an erasure or restriction: when somebody ordered that it is carried out. Nothing is destroyed before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordered_at: Option<String>,
    /// When it was closed.
    pub closed_at: Option<String>,
    /// The entry that records it.
    pub seq: u64,
    /// Events that were found.
    pub held: Option<Held>,
    /// Ledgers which a recovery closed and that hold some of them: each has a copy of its own (`Trailkeep-Ledger`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed_ledgers: Vec<String>,
    /// The caller's own name for it, until whom it is about is forgotten.
    pub reference: Option<String>,
    /// Whom it is about, where one request was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<ShownSubject>,
    /// Data subjects with a near identifier, where one request was asked for: they are not in its scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
            closed_at: closed.map(|closed| closed.at().to_string()),
            seq: filed.seq,
            held: filed.held,
            closed_ledgers: filed.closed_ledgers.keys().cloned().collect(),
            reference: about.and_then(|about| about.reference.clone()),
            subject: None,
            near: None,
            certificate: about.is_some_and(|about| about.certificate.is_some()),
        }
    }
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
