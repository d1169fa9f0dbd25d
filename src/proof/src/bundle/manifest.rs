//! manifest.json: what was asked, and what the bundle holds.

use serde::{Deserialize, Deserializer, Serialize};

use super::line::PayloadState;
use crate::ids::{ClassNumber, Seq};
use crate::ledger::event::check_json;
use crate::ledger::sources::ListedSource;
use crate::time::UnixMillis;

/// What `format` says.
pub const FORMAT: &str = "trailkeep/bundle/v1";

/// What a bundle can prove.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// Everything between two seqs: nothing is left out.
    Range,
    /// The events that answer a query: each is genuine.
    Selection,
}

/// First and last seq of a range, both included.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeqRange {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

/// The time that a range covers; open where nothing is said.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// All that was recorded at this moment or later (RFC 3339, UTC).
    #[serde(deserialize_with = "present")]
    pub from: Option<String>,
    /// And before this one.
    #[serde(deserialize_with = "present")]
    pub to: Option<String>,
}

impl Recorded {
    /// Both moments, or which of them is no time.
    pub fn moments(&self) -> Result<(Option<UnixMillis>, Option<UnixMillis>), &'static str> {
        let read = |text: &Option<String>, name| match text {
            None => Ok(None),
            Some(text) => {
                let time = UnixMillis::parse_rfc3339(text).filter(|_| is_exact(text));
                time.map(Some).ok_or(name)
            }
        };
        Ok((read(&self.from, "from")?, read(&self.to, "to")?))
    }
}

/// Capital letters, and no part of a millisecond: an entry's time has none, so that it would fall to either side.
fn is_exact(text: &str) -> bool {
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    digits <= 3 && !text.contains(['t', 'z'])
}

/// How many of each there are.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Entries in entries.bin. For a range, the sum of the disclosed, the four others and the statements
    /// inside of it.
    pub entries: u64,
    /// Events in events.jsonl.
    pub disclosed: u64,
    /// Statements in statements.jsonl, outside of the range too.
    pub statements: u64,
    /// Events that expired.
    pub expired: u64,
    /// Events that were erased.
    pub erased: u64,
    /// Restricted events.
    pub restricted: u64,
    /// Withheld events.
    pub withheld: u64,
}

/// How many statements stand inside of the range, and how many outside of it explain it.
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementCounts {
    /// Entries of the range that are statements.
    pub inside: u64,
    /// Of other entries: the genesis, classes and policies, what covers dispositions, the export's own.
    pub outside: u64,
}

impl Counts {
    /// Counts an event that is not disclosed.
    pub fn add(&mut self, payload_state: &PayloadState) {
        *match payload_state {
            PayloadState::Expired(_) => &mut self.expired,
            PayloadState::Erased(_) => &mut self.erased,
            PayloadState::Restricted(_) => &mut self.restricted,
            PayloadState::Withheld(_) => &mut self.withheld,
        } += 1;
    }
}

/// A policy of a retention class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyName {
    /// Its id.
    pub id: String,
    /// Its version, as the statement has it: a number, in what this program writes.
    pub version: serde_json::Value,
    /// SHA-256 of its file, in hex.
    pub sha256: String,
}

/// A retention class that events of the bundle have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassPolicies {
    /// Its number.
    pub number: u16,
    /// Its policies.
    pub policies: Vec<PolicyName>,
}

impl ClassPolicies {
    /// The number as what it is.
    pub fn class(&self) -> ClassNumber {
        ClassNumber::new(self.number)
    }
}

/// How many disclosed events a policy found to lack something when they came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapCount {
    /// The policy.
    pub policy: String,
    /// `missing` and the field, or what is odd.
    pub what: String,
    /// How many.
    pub events: u64,
}

/// The whole manifest. Members that it does not know are left to later versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: String,
    /// Whose ledger it is from.
    pub origin: String,
    /// What it can prove.
    pub proof: Proof,
    /// Its first and last entry; none where a selection has no entry.
    #[serde(deserialize_with = "present")]
    pub range: Option<SeqRange>,
    /// The time that was asked for: of a range, the time that it provably covers.
    #[serde(deserialize_with = "present")]
    pub recorded: Option<Recorded>,
    /// What was asked for, in the words of the request.
    pub query: serde_json::Value,
    /// How many of each there are.
    pub counts: Counts,
    /// Where the statements stand; `None` in what earlier versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements: Option<StatementCounts>,
    /// Sections that stand as digests alone.
    pub redacted_sections: Vec<String>,
    /// The retention classes of the events.
    pub classes: Vec<ClassPolicies>,
    /// What policies found the disclosed events to lack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<GapCount>,
    /// Of a range: what the producers of its disclosed events numbered, by name; `None` in what earlier versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<ListedSource>>,
    /// Numbered events of further sources: 1,000 are told apart.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sources_untold: u64,
    /// Who asked: an API key's id, or `local`.
    pub exported_by: String,
    /// When (RFC 3339, UTC).
    pub exported_at: String,
    /// The entry that records this export.
    pub export_seq: u64,
    /// What wrote it.
    pub software: String,
}

/// A member that may be `null`, and must be there.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    reader: D,
) -> Result<Option<T>, D::Error> {
    Option::deserialize(reader)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Manifest {
    /// Reads the text; an error quotes nothing of it.
    pub fn parse(text: &str) -> Result<Self, String> {
        check_json(text.trim_matches([' ', '\t', '\n', '\r']))?;
        serde_json::from_str(text).map_err(|error| {
            format!(
                "a member is missing or has another form at line {}, column {}",
                error.line(),
                error.column()
            )
        })
    }

    /// The ends of a range; `None` for a selection, and unless first is not after last.
    pub fn seq_range(&self) -> Option<(Seq, Seq)> {
        let range = self.range.filter(|range| {
            self.proof == Proof::Range && range.first <= range.last && range.last <= Seq::MAX.get()
        })?;
        Some((Seq::new(range.first), Seq::new(range.last)))
    }
}
