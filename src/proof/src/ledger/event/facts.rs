//! What look-ups, retention and privacy requests need to know of an event.

use std::borrow::Cow;

use serde::Deserialize;

use super::identifier::{ID_CHARACTERS_MAX, NAMESPACE_CHARACTERS_MAX, identifier};
use super::shape;
use crate::time::UnixMillis;

/// A person, or another actor: an identifier inside of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person {
    /// Which system the identifier belongs to; empty for the tenant's own.
    pub namespace: String,
    /// The identifier, as decoded, not normalised.
    pub id: String,
}

/// A thing that the action touched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Its type, which is the namespace of its identifier; empty where there is none.
    pub kind: String,
    /// The identifier, as decoded.
    pub id: String,
}

/// What is looked up of an event. Lists have no value twice and keep the order of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The event's own identifier; `None` until the server adds one.
    pub id: Option<String>,
    /// What was done.
    pub action: String,
    /// How it ended.
    pub outcome: Option<String>,
    /// When it happened by the producer's clock.
    pub occurred_at: Option<UnixMillis>,
    /// Who did it.
    pub actor: Person,
    /// Whom it is about: at most 64.
    pub subjects: Vec<Person>,
    /// The target.
    pub targets: Vec<Target>,
    /// `context.conversation`.
    pub conversation: Option<String>,
    /// `context.trace_id`.
    pub trace: Option<String>,
    /// The model that was asked for and the one that answered.
    pub models: Vec<String>,
    /// Name of the prompt template.
    pub prompt: Option<String>,
    /// Version of that template.
    pub prompt_version: Option<String>,
    /// The regimes that the event names: at most 8.
    pub regimes: Vec<String>,
    /// `retention.record`: the record that it belongs to, whose clock a trigger starts.
    pub record: Option<String>,
    /// The producer's name and its number for the event.
    pub source: Option<(String, u64)>,
}

/// Why stored sections say nothing. It quotes no payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FactsError {
    /// A required section is not there.
    #[error("the section `{0}` is missing")]
    Missing(&'static str),
    /// A section is not what the schema says.
    #[error("the section `{0}` does not follow the event schema")]
    Unreadable(&'static str),
}

#[derive(Deserialize)]
struct PersonFields<'a> {
    #[serde(borrow, default)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Deserialize)]
struct TargetFields<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
struct ContextFields {
    conversation: Option<String>,
    trace_id: Option<String>,
}

#[derive(Default, Deserialize)]
struct LlmFields {
    request_model: Option<String>,
    response_model: Option<String>,
    prompt: Option<PromptFields>,
}

#[derive(Default, Deserialize)]
struct PromptFields {
    name: Option<String>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct RetentionFields {
    record: Option<String>,
}

#[derive(Deserialize)]
struct SourceFields {
    name: String,
    // `7.0` is an integer in JSON Schema, and every allowed integer fits into a double.
    seq: f64,
}

/// The sections that hold facts, each as it is stored.
#[derive(Default)]
struct Held<'a>([Option<&'a [u8]>; HOLDERS.len()]);

const HOLDERS: [&str; 12] = [
    "id",
    "action",
    "outcome",
    "occurred_at",
    "actor",
    "subjects",
    "targets",
    "context",
    "llm",
    "regimes",
    "retention",
    "source",
];
/// The place of `source`.
const SOURCE: usize = HOLDERS.len() - 1;

impl Facts {
    /// Reads the facts from sections, stored ones or new ones, in any order. Sections without
    /// facts, those of the system included, are passed over.
    pub fn from_sections<'a>(
        sections: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, FactsError> {
        let mut held = Held::default();
        for (name, bytes) in sections {
            if let Some(place) = HOLDERS.iter().position(|holder| *holder == name) {
                held.0[place] = Some(bytes);
            }
        }
        held.facts()
    }
}

impl Facts {
    /// Name and number in the text of a section `source`.
    pub fn source_of(text: &[u8]) -> Result<(String, u64), FactsError> {
        const UNREADABLE: FactsError = FactsError::Unreadable("source");
        let source: SourceFields = serde_json::from_slice(text).map_err(|_| UNREADABLE)?;
        let seq = shape::as_integer(source.seq).ok_or(UNREADABLE)?;
        Ok((source.name, seq))
    }
}

impl<'a> Held<'a> {
    /// Reads one section; `None` where the event has none.
    fn read<T: Deserialize<'a>>(&self, name: &'static str) -> Result<Option<T>, FactsError> {
        let place = HOLDERS.iter().position(|holder| *holder == name);
        let Some(bytes) = place.and_then(|place| self.0[place]) else {
            return Ok(None);
        };
        // serde's message may quote the payload, so it is dropped.
        serde_json::from_slice(bytes)
            .map(Some)
            .map_err(|_| FactsError::Unreadable(name))
    }

    fn required<T: Deserialize<'a>>(&self, name: &'static str) -> Result<T, FactsError> {
        self.read(name)?.ok_or(FactsError::Missing(name))
    }

    fn facts(&self) -> Result<Facts, FactsError> {
        let context: ContextFields = self.read("context")?.unwrap_or_default();
        let llm: LlmFields = self.read("llm")?.unwrap_or_default();
        let prompt = llm.prompt.unwrap_or_default();
        let subjects: Vec<PersonFields<'_>> = self.read("subjects")?.unwrap_or_default();
        let targets: Vec<TargetFields<'_>> = self.read("targets")?.unwrap_or_default();
        let regimes: Vec<String> = self.read("regimes")?.unwrap_or_default();
        Ok(Facts {
            id: self.read("id")?,
            action: self.required("action")?,
            outcome: self.read("outcome")?,
            occurred_at: self.occurred_at()?,
            actor: self.required::<PersonFields<'_>>("actor")?.into(),
            subjects: distinct(subjects.into_iter().map(Person::from)),
            targets: distinct(targets.into_iter().map(Target::from)),
            conversation: context.conversation,
            trace: context.trace_id,
            models: distinct(llm.request_model.into_iter().chain(llm.response_model)),
            prompt: prompt.name,
            prompt_version: prompt.version,
            regimes: distinct(regimes),
            record: self
                .read::<RetentionFields>("retention")?
                .and_then(|retention| retention.record),
            source: self.0[SOURCE].map(Facts::source_of).transpose()?,
        })
    }

    fn occurred_at(&self) -> Result<Option<UnixMillis>, FactsError> {
        let Some(text) = self.read::<Cow<'_, str>>("occurred_at")? else {
            return Ok(None);
        };
        UnixMillis::parse_rfc3339(&text)
            .map(Some)
            .ok_or(FactsError::Unreadable("occurred_at"))
    }
}

impl Person {
    /// The person whom somebody asks for by an identifier as they know it: events hold one that is too long for them, or has control
    /// characters, as its hash. Every question about a person goes through this.
    pub fn asked(id: &str, namespace: &str) -> Self {
        let fitting = |text: &str, max| {
            if text.is_empty() {
                String::new()
            } else {
                identifier(text, max)
            }
        };
        Self {
            namespace: fitting(namespace, NAMESPACE_CHARACTERS_MAX),
            id: fitting(id, ID_CHARACTERS_MAX),
        }
    }
}

impl From<PersonFields<'_>> for Person {
    fn from(fields: PersonFields<'_>) -> Self {
        Self {
            namespace: fields.namespace.into_owned(),
            id: fields.id.into_owned(),
        }
    }
}

impl From<TargetFields<'_>> for Target {
    fn from(fields: TargetFields<'_>) -> Self {
        Self {
            kind: fields.kind.into_owned(),
            id: fields.id.into_owned(),
        }
    }
}

/// The values without repeats, in their order. The lists are short (256 at most).
fn distinct<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut kept = Vec::new();
    for value in values {
        if !kept.contains(&value) {
            kept.push(value);
        }
    }
    kept
}
