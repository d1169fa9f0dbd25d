//! Sections of entries about requests, and of statements that delete or restrict events.

use serde::{Deserialize, Serialize};

use crate::privacy::{
    Day, Ended, Events, Ground, IdentityKind, Kept, Kind, Manner, Outcome, Regime, Withheld,
};

/// What each entry about a request says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestName {
    /// Its id.
    pub id: String,
    /// The number that the data subject was given.
    pub receipt: String,
    /// What was asked for.
    #[serde(rename = "type")]
    pub kind: Kind,
}

/// Section `request` of a request that is filed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestReceipt {
    /// Which request.
    #[serde(flatten)]
    pub name: RequestName,
    /// Under which law.
    pub regime: Regime,
    /// The day of receipt.
    pub received_on: Day,
    /// The commitment to the data subject, in base64; none where they are already forgotten.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Whether somebody checked who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_checked: Option<bool>,
    /// By what kind of check, or why none was made; only of a request whose requester is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_kind: Option<IdentityKind>,
    /// Whether it is known who asks.
    #[serde(default)]
    pub identified: bool,
    /// How it came in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manner: Option<Manner>,
    /// Where it was filed first, in a superseded ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<FormerEntry>,
    /// Of a restriction: its ground.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<Ground>,
    /// Who filed it.
    pub by: String,
}

/// The entry of a request in a superseded ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerEntry {
    /// Origin of the ledger.
    pub ledger: String,
    /// The entry.
    pub seq: u64,
}

/// Section `request` of a requester who was identified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestIdentity {
    /// Which request.
    #[serde(flatten)]
    pub name: RequestName,
    /// Whether somebody checked who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_checked: Option<bool>,
    /// By what kind of check, or why none was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity_kind: Option<IdentityKind>,
    /// Who recorded it.
    pub by: String,
}

/// Section `request` of a step that needs no more words: told apart from a near identifier, ordered to be executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestStep {
    /// Which request.
    #[serde(flatten)]
    pub name: RequestName,
    /// Of a restriction: its ground.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<Ground>,
    /// Who took the step.
    pub by: String,
}

/// Section `request` of a due date that was extended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestExtension {
    /// Which request.
    #[serde(flatten)]
    pub name: RequestName,
    /// The new due date.
    pub due: Option<Day>,
    /// Who extended it.
    pub by: String,
}

/// Section `request` of a request that ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestEnd {
    /// Which request.
    #[serde(flatten)]
    pub name: RequestName,
    /// How it ended.
    pub decision: Ended,
    /// Who ended it.
    pub by: String,
}

/// Section `answer` of a request that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerSection {
    /// Which request.
    #[serde(flatten)]
    pub name: RequestName,
    /// What the data subject was told.
    pub outcome: Outcome,
    /// How many events.
    pub events: Events,
    /// The entry that deletes them.
    pub statement: Option<u64>,
    /// The entry that records the export of their copy.
    pub export: Option<u64>,
    /// What their copy withholds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withheld: Option<Vec<Withheld>>,
    /// Whether a certificate is issued with it, which has the receipt's number; none where an earlier version answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<bool>,
    /// What is kept, until when and on which ground, as the certificate has it; empty also where an earlier version answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
    /// Who answered.
    pub by: String,
}

/// Section `covers` or `restricts`: the root over the events that it names, without naming them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemsSection {
    /// How many.
    pub items: u64,
    /// The root over them, in base64.
    pub root: String,
    /// `request` or `trigger`.
    pub cause: String,
    /// The entries of the requests that it serves.
    #[serde(default)]
    pub requests: Vec<u64>,
}

/// Section `expiry`: a class expired up to a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpirySection {
    /// The class.
    pub class: u16,
    /// Events recorded before this are deleted, in milliseconds since 1970.
    pub recorded_before_ms: u64,
    /// The entry that defines the class.
    pub policy: u64,
    /// The class's period, in ISO 8601.
    pub after: Option<String>,
}

/// Section `lift`: a restriction was lifted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiftSection {
    /// The entry that restricts.
    pub restricts: u64,
    /// The entries of the requests that it serves.
    pub requests: Vec<u64>,
    /// Who lifted it.
    pub by: String,
}

/// Section `job` of a statement that deletes or restricts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSection {
    /// Events that are deleted.
    pub events: u64,
    /// Events that a legal hold keeps; of an expiry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<u64>,
    /// Events that are restricted; of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restricted: Option<u64>,
    /// Of a restriction: its ground.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<Ground>,
    /// Which part of the decision this entry states, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u64>,
    /// In how many entries the decision is stated; none: in this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<u64>,
    /// Who ordered it.
    pub by: String,
}

/// What a statement says of other entries. In a ledger that continues another it may be about that one's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatedSections {
    /// The events that are deleted, one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers: Option<ItemsSection>,
    /// A class that expired up to a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<ExpirySection>,
    /// A restriction that is lifted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lift: Option<LiftSection>,
    /// The events that are restricted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restricts: Option<ItemsSection>,
}

/// Section `closed`: what is stated of a superseded ledger. Seqs in it are of that ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupersededSection {
    /// Origin of the superseded ledger.
    pub ledger: String,
    /// What is stated of it.
    #[serde(flatten)]
    pub stated: StatedSections,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::HoldSection;

    /// Members that came later stand only where they say something.
    #[test]
    fn a_ground_and_the_request_of_a_hold_are_members_of_their_sections() {
        let hold = HoldSection {
            id: "h1".to_owned(),
            by: "local".to_owned(),
            filters: Vec::new(),
            review_at: None,
            request: Some("r1".to_owned()),
            until: Some("2026-12-30T00:00:00.000Z".to_owned()),
            spares: vec!["law".to_owned()],
        };
        let text = serde_json::to_value(&hold).unwrap();
        assert_eq!(text["until"], "2026-12-30T00:00:00.000Z");
        assert_eq!(serde_json::from_value::<HoldSection>(text).unwrap(), hold);
        let step = RequestStep {
            name: RequestName {
                id: "r1".to_owned(),
                receipt: "R".to_owned(),
                kind: Kind::Restriction,
            },
            ground: Some(Ground::Claims),
            by: "local".to_owned(),
        };
        let text = serde_json::to_value(&step).unwrap();
        assert_eq!(text["ground"], "claims");
        assert_eq!(serde_json::from_value::<RequestStep>(text).unwrap(), step);
    }
}
