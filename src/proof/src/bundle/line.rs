//! The lines of events.jsonl, statements.jsonl and dispositions.jsonl.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::usual::json::{Names, is_usual};
use crate::ids::{Commitment, Origin, SectionDigest, SectionSalt, Seq, TreeHash};
use crate::ledger::commitment::{CommitmentError, commit, section_digest};
use crate::ledger::event::check_json;

/// Most bytes of a line: the largest payload's text, escaped.
pub const LINE_BYTES_MAX: usize = 64 << 20;

/// Sections that a disclosed event shows, where it has them: without them it counts as withheld.
pub const ALWAYS_DISCLOSED: [&str; 4] = ["action", "id", "occurred_at", "outcome"];

/// One section of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Section<'a> {
    /// Its salt and its exact text.
    Disclosed {
        /// The salt.
        salt: SectionSalt,
        /// The text.
        json: Cow<'a, str>,
    },
    /// Its digest alone.
    Redacted(SectionDigest),
}

/// An event or a statement, as far as it is disclosed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Its entry.
    pub seq: Seq,
    /// Its sections, in ascending byte order of their names.
    pub sections: Vec<(Cow<'a, str>, Section<'a>)>,
}

impl<'a> Line<'a> {
    /// Reads a line without its end.
    pub fn parse(line: &'a [u8]) -> Result<Self, String> {
        let form: LineForm<'a> = serde_json::from_slice(line).map_err(|error| describe(&error))?;
        let mut sections = form.sections.0;
        sections.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        if !sections.is_sorted_by(|(one, _), (other, _)| one < other) {
            return Err("a section occurs twice".to_owned());
        }
        Ok(Self {
            seq: Seq::new(form.seq),
            sections,
        })
    }

    /// Writes the line with its end.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{{\"seq\":{},\"sections\":{{", self.seq)?;
        for (index, (name, section)) in self.sections.iter().enumerate() {
            if index > 0 {
                out.write_all(b",")?;
            }
            serde_json::to_writer(&mut *out, name)?;
            match section {
                Section::Disclosed { salt, json } => {
                    write!(out, ":{{\"salt\":\"{salt}\",\"json\":")?;
                    serde_json::to_writer(&mut *out, json)?;
                    out.write_all(b"}")?;
                }
                Section::Redacted(digest) => write!(out, ":{{\"digest\":\"{digest}\"}}")?,
            }
        }
        out.write_all(b"}}\n")
    }

    /// The exact text of a section, where it is disclosed.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.section(name)? {
            Section::Disclosed { json, .. } => Some(json),
            Section::Redacted(_) => None,
        }
    }

    /// Names of the sections that stand as digests.
    pub fn redacted(&self) -> impl Iterator<Item = &str> {
        self.sections
            .iter()
            .filter(|(_, section)| matches!(section, Section::Redacted(_)))
            .map(|(name, _)| &**name)
    }

    /// Whether each disclosed section is JSON that reads the same in every reader. The error names the section.
    pub fn check_texts(&self) -> Result<(), String> {
        // Few events have more members in the objects that are open at a time.
        let mut names = Names::with_capacity(32);
        for (name, section) in &self.sections {
            if let Section::Disclosed { json, .. } = section {
                if is_usual(json, &mut names) {
                    continue;
                }
                check_json(json)
                    .map_err(|error| format!("its section `{}`: {error}", name.escape_debug()))?;
            }
        }
        Ok(())
    }

    /// Whether all that makes an event a disclosed one is there.
    pub fn is_disclosed(&self) -> bool {
        let has = |name| self.section(name).is_some();
        has("id") && has("action") && !self.redacted().any(|name| ALWAYS_DISCLOSED.contains(&name))
    }

    /// What the entry of this event must commit to.
    pub fn commitment(&self, origin: &Origin) -> Result<Commitment, CommitmentError> {
        let digests = self.sections.iter().map(|(name, section)| {
            let digest = match section {
                Section::Disclosed { salt, json } => section_digest(salt, json.as_bytes()),
                Section::Redacted(digest) => *digest,
            };
            (&**name, digest)
        });
        commit(origin, digests)
    }

    fn section(&self, name: &str) -> Option<&Section<'a>> {
        let place = self
            .sections
            .binary_search_by(|(known, _)| (**known).cmp(name))
            .ok()?;
        Some(&self.sections[place].1)
    }
}

/// Where serde_json's message quotes nothing of the text.
fn describe(error: &serde_json::Error) -> String {
    format!(
        "malformed at column {}: {}",
        error.column(),
        classify(error)
    )
}

fn classify(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => {
            "not {\"seq\",\"sections\"} with sections of exactly {\"salt\",\"json\"} or {\"digest\"}, 32 bytes each in canonical base64, none twice"
        }
        serde_json::error::Category::Eof => "it is truncated",
        _ => "it is not JSON",
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineForm<'a> {
    seq: u64,
    #[serde(borrow)]
    sections: SectionsForm<'a>,
}

struct SectionsForm<'a>(Vec<(Cow<'a, str>, Section<'a>)>);

#[derive(Deserialize)]
struct NameForm<'a>(#[serde(borrow)] Cow<'a, str>);

/// Members that are absent, never `null`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SectionForm<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    salt: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    json: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    digest: Option<Cow<'a, str>>,
}

fn present<'de: 'a, 'a, D: Deserializer<'de>>(reader: D) -> Result<Option<Cow<'a, str>>, D::Error> {
    NameForm::deserialize(reader).map(|text| Some(text.0))
}

impl<'a> SectionForm<'a> {
    fn check(self) -> Option<Section<'a>> {
        match (self.salt, self.json, self.digest) {
            (Some(salt), Some(json), None) => Some(Section::Disclosed {
                salt: SectionSalt::from_base64(&salt)?,
                json,
            }),
            (None, None, Some(digest)) => {
                SectionDigest::from_base64(&digest).map(Section::Redacted)
            }
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for SectionsForm<'a> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Sections;
        impl<'de> Visitor<'de> for Sections {
            type Value = Vec<(Cow<'de, str>, Section<'de>)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("sections")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut sections = Vec::new();
                while let Some(name) = members.next_key::<NameForm<'de>>()? {
                    let form: SectionForm<'de> = members.next_value()?;
                    let section = form.check();
                    let section = section.ok_or_else(|| de::Error::custom("not a section"))?;
                    sections.push((name.0, section));
                }
                Ok(sections)
            }
        }
        reader.deserialize_map(Sections).map(SectionsForm)
    }
}

/// Why an event is not disclosed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WithheldReason {
    /// The question was about others.
    Filtered,
    /// It concerns somebody else.
    ThirdParty,
    /// A privilege protects it.
    Privilege,
    /// A law forbids to show it.
    LawEnforcement,
}

/// An item of a statement's tree, opened (docs/format.md, "Cover").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemOpening {
    /// Salt of the item.
    pub salt: [u8; 16],
    /// Its index.
    pub index: u64,
    /// Its inclusion path, the leaf's sibling first.
    pub path: Vec<TreeHash>,
}

/// What became of an event that is not disclosed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PayloadState {
    /// It went at the end of its time.
    Expired(Tombstone),
    /// It went because somebody asked.
    Erased(Tombstone),
    /// It is kept and shown to nobody.
    Restricted(Tombstone),
    /// It was left out of this bundle.
    Withheld(WithheldReason),
}

impl PayloadState {
    /// The statement that says so; none of what was left out.
    pub const fn tombstone(&self) -> Option<&Tombstone> {
        match self {
            Self::Expired(tombstone) | Self::Erased(tombstone) | Self::Restricted(tombstone) => {
                Some(tombstone)
            }
            Self::Withheld(_) => None,
        }
    }
}

/// The statement that covers an event, and the item of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Seq of the statement.
    pub by: Seq,
    /// The item, unless the statement covers a class up to a time.
    pub item: Option<ItemOpening>,
}

/// A line of dispositions.jsonl.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposition {
    /// Which entry.
    pub seq: Seq,
    /// What became of it.
    pub payload_state: PayloadState,
}

/// Members that are absent, never `null`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DispositionForm {
    seq: u64,
    state: State,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "some"
    )]
    by: Option<u64>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "some"
    )]
    salt: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "some"
    )]
    index: Option<u64>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "some"
    )]
    path: Option<Vec<String>>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "some"
    )]
    reason: Option<WithheldReason>,
}

fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(reader: D) -> Result<Option<T>, D::Error> {
    T::deserialize(reader).map(Some)
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Expired,
    Erased,
    Restricted,
    Withheld,
}

impl Disposition {
    /// Reads a line without its end.
    pub fn parse(line: &[u8]) -> Result<Self, &'static str> {
        const MALFORMED: &str = "not {\"seq\",\"state\",\"by\"} with or without an item, nor {\"seq\",\"state\":\"withheld\",\"reason\"}";
        let form: DispositionForm = serde_json::from_slice(line).map_err(|_| MALFORMED)?;
        let item = match (form.salt, form.index, form.path) {
            (None, None, None) => None,
            (Some(salt), Some(index), Some(path)) => {
                Some(read_item(&salt, index, &path).ok_or(MALFORMED)?)
            }
            _ => return Err(MALFORMED),
        };
        let payload_state = match (form.state, form.by, form.reason) {
            (State::Withheld, None, Some(reason)) if item.is_none() => {
                PayloadState::Withheld(reason)
            }
            (State::Expired, Some(by), None) => PayloadState::Expired(tombstone(by, item)),
            (State::Erased, Some(by), None) => PayloadState::Erased(tombstone(by, item)),
            (State::Restricted, Some(by), None) => PayloadState::Restricted(tombstone(by, item)),
            _ => return Err(MALFORMED),
        };
        Ok(Self {
            seq: Seq::new(form.seq),
            payload_state,
        })
    }

    /// Writes the line with its end.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (state, tombstone, reason) = match &self.payload_state {
            PayloadState::Expired(tombstone) => (State::Expired, Some(tombstone), None),
            PayloadState::Erased(tombstone) => (State::Erased, Some(tombstone), None),
            PayloadState::Restricted(tombstone) => (State::Restricted, Some(tombstone), None),
            PayloadState::Withheld(reason) => (State::Withheld, None, Some(*reason)),
        };
        let item = tombstone.and_then(|tombstone| tombstone.item.as_ref());
        let form = DispositionForm {
            seq: self.seq.get(),
            state,
            by: tombstone.map(|tombstone| tombstone.by.get()),
            salt: item.map(|item| super::proofs::encode_base64(&item.salt)),
            index: item.map(|item| item.index),
            path: item.map(|item| item.path.iter().map(ToString::to_string).collect()),
            reason,
        };
        serde_json::to_writer(&mut *out, &form)?;
        out.write_all(b"\n")
    }
}

fn tombstone(by: u64, item: Option<ItemOpening>) -> Tombstone {
    Tombstone {
        by: Seq::new(by),
        item,
    }
}

fn read_item(salt: &str, index: u64, path: &[String]) -> Option<ItemOpening> {
    Some(ItemOpening {
        salt: super::proofs::decode_base64(salt)?.try_into().ok()?,
        index,
        path: path
            .iter()
            .map(|hash| TreeHash::from_base64(hash))
            .collect::<Option<_>>()?,
    })
}
