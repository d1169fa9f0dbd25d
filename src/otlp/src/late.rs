//! Facts that come after their event: an event of its own says them, and names the first as its target.

use serde_json::{Map, Value, json};

use super::event::Mapped;
use super::grouping::{may_be_equal, overlap};
use super::identity::Identity;
use trailkeep_proof::ledger::event::identifier::{ID_CHARACTERS_MAX, identifier};

/// The action of an event of late facts.
pub const LATE_ACTION: &str = "gen_ai.late";
/// Type of the target that names another event of this ledger by its id.
pub const EVENT_TARGET: &str = "event";
/// Member of the section `attributes`: the id of the event that reports the same call first.
pub const DUPLICATE_OF: &str = "duplicate_of";

/// Member of the section `attributes`: the id of the first event of a span, which another report of the span contradicts.
pub const CONTRADICTS: &str = "contradicts";

/// An event, as its sections were read.
pub type Recorded = Map<String, Value>;

/// What parts that came late say and the recorded event does not; nothing where it says all of it.
pub fn facts(recorded: &Recorded, mapped: &Mapped) -> Option<Map<String, Value>> {
    let mut late = Map::new();
    for name in ["input", "output", "downstream"] {
        if let Some(value) = mapped
            .sections
            .get(name)
            .filter(|_| !recorded.contains_key(name))
        {
            late.insert(name.to_owned(), value.clone());
        }
    }
    for name in ["input", "output"] {
        let unsaid = recorded.get(name).zip(mapped.sections.get(name));
        let unsaid = unsaid.and_then(|(known, more)| messages_beyond(known, more));
        late.extend(unsaid.map(|messages| (name.to_owned(), messages)));
    }
    let known = recorded.get("llm").and_then(Value::as_object);
    let more = mapped.sections.get("llm").and_then(Value::as_object);
    let unknown = more
        .into_iter()
        .flatten()
        .filter(|(name, _)| known.is_none_or(|known| !known.contains_key(name.as_str())));
    let unknown: Map<String, Value> = unknown
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !unknown.is_empty() {
        late.insert("llm".to_owned(), unknown.into());
    }
    let is_about_nobody = !recorded.contains_key("subjects");
    if let Some(subjects) = mapped.sections.get("subjects").filter(|_| is_about_nobody) {
        late.insert("subjects".to_owned(), subjects.clone());
        late.extend(
            mapped
                .sections
                .get("actor")
                .map(|actor| ("actor".to_owned(), actor.clone())),
        );
    }
    (!late.is_empty()).then(|| complete(recorded, late))
}

/// Messages that a log record brings and a recorded event does not have.
fn messages_beyond(known: &Value, more: &Value) -> Option<Value> {
    let messages = |section: &Value| section.get("messages").and_then(Value::as_array).cloned();
    let (known, more) = (messages(known)?, messages(more)?);
    let beyond: Vec<Value> = more
        .into_iter()
        .filter(|message| !known.contains(message))
        .collect();
    (!beyond.is_empty()).then(|| json!({ "messages": beyond }))
}

/// That a recorded event, which is about nobody, was for a person; nothing where it is about somebody.
pub fn person(recorded: &Recorded, identity: &Identity) -> Option<Map<String, Value>> {
    if recorded.contains_key("subjects")
        || recorded
            .get("action")
            .is_some_and(|action| action == LATE_ACTION)
    {
        return None;
    }
    let mut late = Map::from_iter([("subjects".to_owned(), identity.subjects_section().into())]);
    if let Some(user) = identity.users.first() {
        let actor = json!({"id": identifier(user, ID_CHARACTERS_MAX), "type": "end_user"});
        late.insert("actor".to_owned(), actor);
    }
    Some(complete(recorded, late))
}

/// Adds what every event has. The person of the first event is the person of this one.
fn complete(recorded: &Recorded, mut late: Map<String, Value>) -> Map<String, Value> {
    late.insert("action".to_owned(), LATE_ACTION.into());
    late.insert("outcome".to_owned(), "success".into());
    let target = json!([{"type": EVENT_TARGET, "id": recorded.get("id")}]);
    late.insert("targets".to_owned(), target);
    for name in ["actor", "subjects", "context", "regimes"] {
        if let Some(value) = recorded.get(name) {
            late.entry(name).or_insert_with(|| value.clone());
        }
    }
    late
}

/// Marks an event as another report of a call that is recorded already.
pub fn mark_duplicate(sections: &mut Map<String, Value>, first: &str) {
    add_target(sections, first);
    let attributes = sections.entry("attributes").or_insert_with(|| json!({}));
    attributes[DUPLICATE_OF] = first.into();
}

/// Marks an event as a report of a span that contradicts the first event of it.
pub fn mark_contradicting(sections: &mut Map<String, Value>, first: &str) {
    add_target(sections, first);
    let attributes = sections.entry("attributes").or_insert_with(|| json!({}));
    attributes[CONTRADICTS] = first.into();
}

fn add_target(sections: &mut Map<String, Value>, event: &str) {
    let target = json!({"type": EVENT_TARGET, "id": event});
    let targets = sections.entry("targets").or_insert_with(|| json!([]));
    if let Some(targets) = targets.as_array_mut() {
        targets.push(target);
    }
}

/// Whether a recorded event with the same id of the answer is of the same call: of one model, at one time, and by
/// another library (see `assemble`).
pub fn is_same_call(recorded: &Recorded, mapped: &Mapped) -> bool {
    let of_llm = |sections: &Map<String, Value>, name: &str| {
        let value = sections.get("llm").and_then(|llm| llm.get(name));
        value.cloned()
    };
    let scope = recorded
        .get("attributes")
        .and_then(|attributes| attributes.pointer("/otel/scope/name"));
    let is_by_another = scope.and_then(Value::as_str).unwrap_or_default() != mapped.scope
        || mapped.scope.is_empty();
    let began = recorded.get("occurred_at").and_then(Value::as_str);
    let began = began.and_then(|text| chrono::DateTime::parse_from_rfc3339(text).ok());
    let began = began.and_then(|time| u64::try_from(time.timestamp_nanos_opt()?).ok());
    let lasted_ms = of_llm(recorded, "latency_ms").and_then(|ms| ms.as_f64());
    let overlaps = match (began, lasted_ms, mapped.times_ns) {
        (Some(began), Some(lasted_ms), Some(times)) => {
            let lasted = std::time::Duration::try_from_secs_f64(lasted_ms / 1000.0);
            let lasted = lasted.map_or(u64::MAX, |lasted| lasted.as_nanos() as u64);
            overlap((began, began.saturating_add(lasted)), times)
        }
        _ => true,
    };
    let model = |sections| of_llm(sections, "request_model");
    is_by_another
        && overlaps
        && super::agree::agrees_with(recorded, mapped)
        && may_be_equal(model(recorded).as_ref(), model(&mapped.sections).as_ref())
}

/// Whether a recorded event says that a span reports its call, too.
pub fn has_taken_up(recorded: &Recorded, mapped: &Mapped) -> bool {
    let also = recorded
        .get("attributes")
        .and_then(|attributes| attributes.get(super::assemble::ALSO_REPORTED));
    let reports = also.and_then(Value::as_array);
    reports
        .into_iter()
        .flatten()
        .any(|report| report["event"] == *mapped.id)
}

/// Whether what a recorded event has taken up of a span says otherwise than a report of the span that comes now.
pub fn has_taken_up_otherwise(recorded: &Recorded, mapped: &Mapped) -> bool {
    let also = recorded
        .get("attributes")
        .and_then(|attributes| attributes.get(super::assemble::ALSO_REPORTED));
    let reports = also.and_then(Value::as_array).into_iter().flatten();
    let own = reports.filter(|report| report["event"] == *mapped.id);
    let now = mapped.sections.get("attributes");
    let now = now.and_then(|attributes| attributes.pointer("/otel/span/attributes"));
    own.filter_map(|report| report.pointer("/otel/span/attributes"))
        .any(|before| super::agree::attributes_contradict(Some(before), now))
        || !super::agree::agrees_with(recorded, mapped)
}

/// Whether a recorded event, found by its trace, stands under a span.
pub fn is_under(recorded: &Recorded, span_id: &str) -> bool {
    let parent = recorded
        .get("context")
        .and_then(|context| context.get("parent_span_id"));
    parent.is_some_and(|parent| parent == span_id)
}
