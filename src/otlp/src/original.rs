//! The telemetry as it was sent, and what of it differs from that: what an event keeps under `attributes`.

use serde_json::{Map, Value, json};

use super::content;
use super::event::{Source, rfc3339};
use super::identity::Identity;
use super::rejection::{Alteration, Alterations, Altering};
use super::telemetry::{Attributes, Part, Scope, Span, SpanEvent};
use trailkeep_proof::ledger::event::identifier::{
    CONVERSATION_CHARACTERS_MAX, ID_CHARACTERS_MAX, fits,
};

/// A span event of that prefix that holds no content.
const FIRST_CHUNK: &str = "gen_ai.content.completion.chunk";
/// OTLP's numbers of span kinds, as words.
const SPAN_KINDS: [&str; 6] = [
    "unspecified",
    "internal",
    "server",
    "client",
    "producer",
    "consumer",
];

/// The telemetry as it was, without the content, which stands in sections of its own.
pub(super) fn original(source: &Source<'_>) -> Value {
    if let Some(span) = source.places.span {
        original_of(source.part, ("span", span_as_it_was(span)))
    } else if let Some(log) = source.places.logs.first() {
        original_of_log(source.part, &log.attributes, content::is_content)
    } else {
        original_of(source.part, ("span", Value::Null))
    }
}

/// The same of a log record.
pub(super) fn original_of_log(
    part: &Part,
    attributes: &Attributes,
    is_content: impl Fn(&str, &Value) -> bool,
) -> Value {
    original_of(part, ("log", without(attributes, is_content)))
}

fn original_of(part: &Part, (name, item): (&str, Value)) -> Value {
    let mut original = Map::new();
    if *part.scope != Scope::default() {
        original.insert("scope".to_owned(), json!(*part.scope));
    }
    original.insert(name.to_owned(), item);
    let has_field = [
        "service.name",
        "service.version",
        "deployment.environment.name",
        "host.name",
    ];
    let mut resource = (*part.resource).clone();
    resource.retain(|name, _| !has_field.contains(&name.as_str()));
    original.insert("resource".to_owned(), resource.into());
    Value::Object(original)
}

fn span_as_it_was(span: &Span) -> Value {
    let kind = usize::try_from(span.kind)
        .ok()
        .and_then(|kind| SPAN_KINDS.get(kind));
    let mut was =
        json!({"name": span.name, "kind": kind, "attributes": without_content(&span.attributes)});
    if !span.status_message.is_empty() {
        was["status_message"] = span.status_message.clone().into();
    }
    // Messages and answers stand in the sections.
    let is_content =
        |event: &&SpanEvent| event.name.starts_with("gen_ai.") && event.name != FIRST_CHUNK;
    let events = span.events.iter().filter(|event| !is_content(event)).map(|event| {
        json!({"name": event.name, "time": rfc3339(event.time_ns), "attributes": event.attributes})
    });
    let events: Vec<Value> = events.collect();
    if !events.is_empty() {
        was["events"] = events.into();
    }
    was
}

fn without_content(attributes: &Attributes) -> Value {
    without(attributes, content::is_content)
}

fn without(attributes: &Attributes, is_content: impl Fn(&str, &Value) -> bool) -> Value {
    let kept = attributes
        .iter()
        .filter(|(name, value)| !is_content(name, value));
    kept.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// What of an event differs from what was sent: of its parts, and of those whom it is about.
pub(super) fn altered(of_parts: &[Alteration], identity: &Identity) -> Vec<Alteration> {
    let mut altered = Alterations::of(of_parts);
    let fields = [
        ("user", &identity.users, ID_CHARACTERS_MAX),
        ("subject", &identity.subjects, ID_CHARACTERS_MAX),
    ];
    for (field, ids, max) in fields {
        if ids.iter().any(|id| !fits(id, max)) {
            altered.add(field, Altering::Hashed);
        }
    }
    let named = [
        ("session", &identity.session),
        ("conversation", &identity.conversation),
    ];
    for (field, id) in named {
        if id
            .as_deref()
            .is_some_and(|id| !fits(id, CONVERSATION_CHARACTERS_MAX))
        {
            altered.add(field, Altering::Hashed);
        }
    }
    altered.into_inner()
}
