//! `/v1/privacy/requests`: data subject requests. The data subject stands in bodies, never in a path.

use serde::{Deserialize, Serialize};
use trailkeep_proof::privacy::{Day, Ground, IdentityKind, KeptState, Kind, Manner, Regime, State};
use utoipa::{IntoParams, ToSchema};

/// A person's request.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPersonRequest {
    /// `access`, `portability`, `erasure` or `restriction`.
    #[serde(rename = "type")]
    #[schema(value_type = String, pattern = "^(access|portability|erasure|restriction)$")]
    pub kind: Kind,
    /// Who asks.
    pub subject: PersonName,
    /// Your own name for it, forgotten with whom it is about.
    pub reference: Option<String>,
    /// `gdpr`, `uk-gdpr` or `ccpa`; `gdpr` if nothing is said.
    #[serde(default)]
    #[schema(value_type = String, required = false, pattern = "^(gdpr|uk-gdpr|ccpa)$")]
    pub regime: Regime,
    /// The day on which it came in, or an RFC 3339 time on it; today if nothing is said.
    pub received_at: Option<String>,
    /// How it came in: `web-form`, `email`, `letter`, `telephone`, `in-person`, `agent` or `other`. The ledger's entry has it.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(web-form|email|letter|telephone|in-person|agent|other)$")]
    pub manner: Option<Manner>,
    /// By what it was established who asks, in your own words. Without it and `identity_kind` the request waits for that.
    pub identity_verified_by: Option<String>,
    /// By what kind of check: `account-login`, `email-confirmation`, `document`, `known`, `agent-authority` or `other`; or why
    /// none was made: `none-no-doubt`, `none-not-required` or `none-other`. The ledger's entry has it.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(account-login|email-confirmation|document|known|agent-authority|other|none-no-doubt|none-not-required|none-other)$")]
    pub identity_kind: Option<IdentityKind>,
    /// Says what it would do, and does nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Include events in which the data subject is only the actor.
    #[serde(default)]
    pub include_acted: bool,
    /// Why other persons in the same events are shown; without it they are not.
    pub include_others: Option<String>,
    /// Shows who of the staff acted.
    #[serde(default)]
    pub include_staff: bool,
    /// Why data subjects with a near identifier are other people, where nothing is held under exactly this one.
    pub not_the_same_person: Option<String>,
    /// Of a restriction under `gdpr` or `uk-gdpr`, which needs it: on which ground of Art. 18(1) it is asked for. `contested`
    /// (a), `unlawful` (b), `claims` (c) or `objection` (d). With `unlawful` and `claims` the events do not expire either.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(contested|unlawful|claims|objection)$")]
    pub ground: Option<Ground>,
}

/// A data subject.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonName {
    /// The identifier, as in the events.
    pub id: String,
    /// Which system it belongs to; empty for the tenant's own.
    #[serde(default)]
    pub namespace: String,
}

/// How the requester's identity was verified: in your own words, by its kind, or both.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// In your own words, forgotten with whom the request is about.
    #[serde(default)]
    pub verified_by: Option<String>,
    /// As `identity_kind` of a request. The ledger's entry has it.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(account-login|email-confirmation|document|known|agent-authority|other|none-no-doubt|none-not-required|none-other)$")]
    pub kind: Option<IdentityKind>,
}

/// Why more time is needed.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestExtension {
    pub reason: String,
}

/// How a request ends.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestClosing {
    pub decision: ClosingDecision,
    /// Why data subjects with a similar identifier are other people, if nothing is held.
    pub not_the_same_person: Option<String>,
}

/// Answered, or ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClosingDecision {
    Answered,
    Withdrawn,
    IdentityNotShown,
    Forwarded,
    Lifted,
}

/// How an answer letter is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnswerFormat {
    /// A page for a browser.
    #[default]
    Html,
    /// Plain text of 78 columns.
    Text,
}

/// The parameter, once.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AnswerQuestion {
    /// Form of the letter; default: html.
    #[param(inline)]
    pub format: Option<AnswerFormat>,
}

/// How to execute a request.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestExecution {
    /// Of an erasure: the vault is rotated at once, so that what was destroyed opens in no registered replica either; else
    /// within 24 hours.
    #[serde(default)]
    pub now: bool,
    /// Why data subjects with a near identifier are other people, where nothing is held under exactly this one.
    pub not_the_same_person: Option<String>,
    /// Of a restriction that was filed without one: its ground, as in the request.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(contested|unlawful|claims|objection)$")]
    pub ground: Option<Ground>,
    /// The token of the preview. Only a request that was ordered before needs none.
    pub token: Option<String>,
}

/// Data subject requests.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct RequestList {
    pub requests: Vec<PersonRequest>,
}

/// A data subject request. It names the data subject only in the answer about a single request.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct PersonRequest {
    /// Its random id.
    pub id: String,
    /// The receipt number that the data subject can quote.
    pub receipt: String,
    /// What is asked for.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: Kind,
    /// Under which law.
    #[schema(value_type = String)]
    pub regime: Regime,
    /// Its state.
    #[schema(value_type = String)]
    pub state: State,
    /// How it ended.
    pub decision: Option<String>,
    /// The day of receipt.
    #[schema(value_type = String)]
    pub received_on: Day,
    /// The last day to acknowledge receipt, if the law sets one.
    #[schema(value_type = Option<String>)]
    pub acknowledge_by: Option<Day>,
    /// The day on which the requester's identity was verified.
    #[schema(value_type = Option<String>)]
    pub identified_on: Option<Day>,
    /// The day to answer by; absent while the clock waits for the requester's identity.
    #[schema(value_type = Option<String>)]
    pub due: Option<Day>,
    /// The last day by law, where that is a working day and no public holiday.
    #[schema(value_type = Option<String>)]
    pub legal_due: Option<Day>,
    /// The day on which it was extended.
    #[schema(value_type = Option<String>)]
    pub extended_on: Option<Day>,
    /// Whether it is past its due date without an answer.
    pub overdue: bool,
    /// Of an erasure or restriction: when its execution was ordered. Nothing is deleted before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ordered_at: Option<String>,
    /// When the data subject was answered first; absent of one that ended without an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<String>,
    /// When it was closed.
    pub closed_at: Option<String>,
    /// The entry that records it.
    pub seq: u64,
    /// How it came in; absent where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub manner: Option<Manner>,
    /// Whether the requester's identity was checked. Absent until the requester is identified, and for requests that an earlier version forgot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_checked: Option<bool>,
    /// By what kind of check, or why none was made; absent where nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub identity_kind: Option<IdentityKind>,
    /// Of an erasure or restriction: what was kept at its first answer, until when and on which ground, as in its certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub kept: Vec<KeptEvents>,
    /// Number of events found.
    pub held: Option<EventsHeld>,
    /// Of a restriction: on which ground it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ground: Option<Ground>,
    /// Superseded ledgers with some of the events: each has its own copy (`Trailkeep-Ledger`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed_ledgers: Vec<String>,
    /// When the server forgot whom it was about; absent while it knows, and where an earlier version forgot it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub forgotten_on: Option<Day>,
    /// The caller's own reference, until the identifier is deleted.
    pub reference: Option<String>,
    /// The data subject, in the answer about a single request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<RequestSubject>,
    /// Data subjects with a similar identifier, in the answer about a single request; they are not in its scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<NearMatches>,
    /// Whether it has a certificate.
    pub certificate: bool,
}

/// Events that were kept for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct KeptEvents {
    /// Their class.
    pub class: u16,
    /// Its policies, each with its version.
    pub policies: Vec<String>,
    /// How many.
    pub events: u64,
    /// `restricted`, `held` or `refused`.
    #[schema(value_type = String)]
    pub state: KeptState,
    /// Until when, where that was known.
    pub until: Option<String>,
    /// Why.
    pub ground: String,
    /// Where it is said; empty of a legal hold.
    pub citation: String,
}

/// The data subject of a request.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct RequestSubject {
    /// The identifier's namespace; empty for the tenant's own.
    pub namespace: String,
    /// The identifier.
    pub id: String,
}

/// Number of events found for a data subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsHeld {
    /// About them.
    pub as_subject: u64,
    /// Events in which they are only the actor.
    pub as_actor: u64,
}

/// Data subjects with a similar identifier. They are not in the scope of the request.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
pub struct NearMatches {
    /// Whether all data subjects were compared; `false` while those of an older version's vault are still being prepared.
    pub complete: bool,
    /// Their events.
    pub events: u64,
    /// Who.
    pub persons: Vec<NearMatch>,
}

/// A data subject with a similar identifier.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct NearMatch {
    /// The identifier's namespace; empty for the tenant's own.
    pub namespace: String,
    /// The identifier, masked: only the first letter or digit of each word is shown.
    pub masked_id: String,
    /// Events about them.
    pub events: u64,
}

/// What a request would do.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct DryRun {
    /// Always true: nothing was done.
    pub dry_run: bool,
    /// What is asked for.
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: Kind,
    /// Number of events found.
    pub held: EventsHeld,
    /// What happens to the events of the data subject.
    pub counts: DryRunCounts,
    /// The same, per class and reason.
    pub classes: Vec<DryRunRow>,
    /// Data subjects with a similar identifier, which are not in the scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<NearMatches>,
    /// What `.../execute` takes along. It is valid once, for 15 minutes, as long as the order would do the same, and in the
    /// server that gave it. Only a filed erasure or restriction that can be ordered has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Until when the token is valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_expires_at: Option<String>,
}

/// Number of events by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct DryRunCounts {
    /// In the copy.
    pub disclosed: u64,
    /// Deleted at once.
    pub destroyed: u64,
    /// Restricted, and deleted later.
    pub restricted: u64,
    /// Kept by a legal hold.
    pub held: u64,
    /// Kept on a ground that a policy names.
    pub refused: u64,
}

/// Events of one class with the same outcome.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
pub struct DryRunRow {
    /// The class.
    pub class: u16,
    /// Its policies, each with its version.
    pub policies: Vec<String>,
    /// How many.
    pub events: u64,
    /// `disclosed`, `destroyed`, `restricted`, `held` or `refused`.
    pub outcome: String,
    /// Until when they are kept, where that is known.
    pub until: Option<String>,
    /// Why.
    pub ground: Option<String>,
    /// Where it is said.
    pub citation: Option<String>,
}

/// A copy that is being written.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct CopyProgress {
    /// Always `running`.
    pub state: String,
    pub progress: CopyCounts,
}

/// Events in the copy, and in all.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
pub struct CopyCounts {
    pub done: u64,
    pub total: u64,
}
