//! Who a call was for: user, subjects, session, conversation, regimes. They stand on the span itself, on the
//! spans around it, or on the resource.

use serde_json::Value;

use super::lookup::{Lookup, as_text};
use super::telemetry::Attributes;
use trailkeep_proof::ledger::event::identifier::{
    ID_CHARACTERS_MAX, NAMESPACE_CHARACTERS_MAX, identifier,
};

/// Chooses who the event is about: an id, or several.
const SUBJECT: &str = "trailkeep.subject";
/// The system to which those ids belong.
const SUBJECT_NAMESPACE: &str = "trailkeep.subject.namespace";
/// Chooses the regimes: a list, or names with commas between them.
const REGIMES: &str = "trailkeep.regimes";

/// Names of the user's id, the most telling first.
const USER: &[&str] = &[
    "user.id",
    "enduser.id",
    "gen_ai.user",
    "gen_ai.request.user",
    "llm.user",
    "traceloop.association.properties.user_id",
    "traceloop.association.properties.userId",
    "ai.telemetry.metadata.userId",
    "ai.telemetry.metadata.user_id",
    "langfuse.user.id",
    "user.email",
];
/// Attributes whose JSON may hold the user, and where.
const USER_INSIDE: &[(&str, &[&str])] = &[
    ("metadata", &["user_id"]),
    ("metadata", &["userId"]),
    ("llm.invocation_parameters", &["user"]),
    ("llm.invocation_parameters", &["metadata", "user_id"]),
];
const SESSION: &[&str] = &[
    "session.id",
    "gen_ai.session.id",
    "traceloop.association.properties.session_id",
    "ai.telemetry.metadata.sessionId",
    "ai.telemetry.metadata.session_id",
    "langfuse.session.id",
    "gcp.vertex.agent.session_id",
];
const SESSION_INSIDE: &[(&str, &[&str])] = &[("metadata", &["session_id"])];
const CONVERSATION: &[&str] = &[
    "gen_ai.conversation.id",
    "conversation.id",
    "traceloop.association.properties.conversation_id",
    "traceloop.association.properties.thread_id",
    "traceloop.association.properties.chat_id",
    "ai.telemetry.metadata.conversationId",
    "ai.telemetry.metadata.threadId",
    "ai.telemetry.metadata.chatId",
];
const CONVERSATION_INSIDE: &[(&str, &[&str])] = &[
    ("metadata", &["conversation_id"]),
    ("metadata", &["thread_id"]),
];

/// Who it was for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Ids of the user, the one that acts first.
    pub users: Vec<String>,
    /// Ids of those whom it is about, where the application chose them.
    pub subjects: Vec<String>,
    /// The system to which the chosen ids belong.
    pub subject_namespace: Option<String>,
    pub session: Option<String>,
    pub conversation: Option<String>,
    /// The regimes that the application chose.
    pub regimes: Vec<String>,
}

impl Identity {
    /// Reads it from attributes: the span's own, those of the spans around it from the inside out, the
    /// resource's. Each fact comes from the nearest that has it.
    pub fn of<'a>(layers: impl Iterator<Item = &'a Attributes>) -> Self {
        let mut identity = Self::default();
        for layer in layers {
            let lookup = Lookup::new(vec![layer]);
            if identity.users.is_empty() {
                identity.users = texts(&lookup, USER, USER_INSIDE);
            }
            if identity.subjects.is_empty() {
                identity.subjects = list(&lookup, SUBJECT);
                identity.subject_namespace = lookup.text(SUBJECT_NAMESPACE);
            }
            if identity.regimes.is_empty() {
                identity.regimes = regimes(layer);
            }
            let first = |names, inside| texts(&lookup, names, inside).into_iter().next();
            identity.session = identity.session.or_else(|| first(SESSION, SESSION_INSIDE));
            identity.conversation = identity
                .conversation
                .or_else(|| first(CONVERSATION, CONVERSATION_INSIDE));
        }
        identity
    }

    /// The same of layers that are of one person: all of their ids count.
    pub(super) fn of_all(layers: &[&Attributes]) -> Self {
        let mut identity = Self::of(layers.iter().copied());
        for layer in layers {
            for user in texts(&Lookup::new(vec![layer]), USER, USER_INSIDE) {
                if !identity.users.contains(&user) {
                    identity.users.push(user);
                }
            }
        }
        identity
    }

    /// Whether it names a person.
    pub fn has_person(&self) -> bool {
        !self.users.is_empty() || !self.subjects.is_empty()
    }

    /// Whom an event is about, as its section `subjects` has it: those whom the application chose, else the user.
    pub(super) fn subjects_section(&self) -> Vec<Value> {
        let person = |id: &String| {
            let mut person = serde_json::json!({"id": identifier(id, ID_CHARACTERS_MAX)});
            if let Some(namespace) = self
                .subject_namespace
                .as_ref()
                .filter(|_| !self.subjects.is_empty())
            {
                person["namespace"] = identifier(namespace, NAMESPACE_CHARACTERS_MAX).into();
            }
            person
        };
        let chosen = if self.subjects.is_empty() {
            &self.users
        } else {
            &self.subjects
        };
        chosen.iter().take(SUBJECTS_MAX).map(person).collect()
    }
}

/// Regimes that are read of one list; an event has 8.
const REGIMES_READ_MAX: usize = 32;
/// Characters of a regime's name that are read; one that is known has at most 63.
const REGIME_CHARACTERS_MAX: usize = 128;
/// Most subjects of an event.
const SUBJECTS_MAX: usize = 64;

/// The regimes that attributes choose.
pub(super) fn regimes(attributes: &Attributes) -> Vec<String> {
    names(&Lookup::new(vec![attributes]), REGIMES)
}

/// Whether an attribute of a span that becomes no event is needed by the calls in it.
pub(super) fn is_needed(name: &str) -> bool {
    const MORE: [&str; 3] = [SUBJECT, SUBJECT_NAMESPACE, REGIMES];
    [USER, SESSION, CONVERSATION, &MORE]
        .iter()
        .any(|names| names.contains(&name))
        || holds_json(name)
}

/// Whether an attribute may hold identifiers inside of JSON.
pub(super) fn holds_json(name: &str) -> bool {
    [USER_INSIDE, SESSION_INSIDE, CONVERSATION_INSIDE]
        .iter()
        .any(|pairs| pairs.iter().any(|(known, _)| *known == name))
}

fn texts(lookup: &Lookup<'_>, names: &[&str], inside: &[(&str, &[&str])]) -> Vec<String> {
    let own = names.iter().filter_map(|name| lookup.text(name));
    let nested = inside
        .iter()
        .filter_map(|(name, path)| as_text(&lookup.inside(name, path)?));
    let mut found: Vec<String> = Vec::new();
    for text in own.chain(nested) {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

/// The texts of a list, or of a single value.
fn list(lookup: &Lookup<'_>, name: &str) -> Vec<String> {
    let texts = match lookup.parsed(name) {
        Some(Value::Array(values)) => values.iter().filter_map(as_text).collect(),
        Some(value) => as_text(&value).into_iter().collect(),
        None => Vec::new(),
    };
    distinct(texts)
}

/// Names of regimes: a list, or one text with commas, semicolons or blanks between them. What is no name is a name that nobody knows.
fn names(lookup: &Lookup<'_>, name: &str) -> Vec<String> {
    let values = match lookup.parsed(name) {
        Some(Value::Array(values)) => values,
        Some(value) => vec![value],
        None => Vec::new(),
    };
    let texts = values.iter().flat_map(|value| {
        let text = match value {
            Value::String(text) => text.clone(),
            other => return vec![other.to_string()],
        };
        let parts = text
            .split(|character: char| character.is_whitespace() || matches!(character, ',' | ';'));
        parts
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect()
    });
    let texts = texts.map(|text| text.chars().take(REGIME_CHARACTERS_MAX).collect());
    let mut names = distinct(texts.collect());
    names.truncate(REGIMES_READ_MAX);
    names
}

fn distinct(texts: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let is_new = |text: &String| seen.insert(text.clone());
    texts.into_iter().filter(is_new).collect()
}
