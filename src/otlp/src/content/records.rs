//! Conventions of 2024 and 2025: each message is a log record or a span event of its own.

use serde_json::{Map, Value};

use super::{Places, parts};
use crate::lookup::{as_text, parsed};

const CHOICE: &str = "gen_ai.choice";
/// Attributes of Pydantic AI up to 0.8 that hold all such records of a call, or of an agent's run, as one list.
const LISTS: [&str; 2] = ["events", "all_messages_events"];

/// Whether an attribute is such a list.
pub(super) fn is_list_of_events(name: &str, value: &Value) -> bool {
    LISTS.contains(&name) && !listed(&parsed(value)).is_empty()
}

/// Name and body of each record of such a list.
fn listed(list: &Value) -> Vec<(String, Value)> {
    let items = list.as_array().into_iter().flatten();
    let records = items.filter_map(|item| {
        let name = item.get("event.name")?.as_str()?;
        name.starts_with("gen_ai.")
            .then(|| (name.to_owned(), item.clone()))
    });
    records.collect()
}

/// Name and body of each record, those of logs first, each in the order of time.
fn bodies(places: &Places<'_>) -> Vec<(String, Value)> {
    let logs = places.logs.iter().filter_map(|log| {
        let body = log.body.clone()?;
        Some((log.event_name.clone(), parsed(&body)))
    });
    let events = places.span.into_iter().flat_map(|span| &span.events);
    let events = events.map(|event| {
        // Some write the body as JSON in one attribute, some its members as attributes.
        let body = event.attributes.get("gen_ai.event.content").map(parsed);
        (
            event.name.clone(),
            body.unwrap_or_else(|| Value::Object(event.attributes.clone())),
        )
    });
    let told: Vec<(String, Value)> = logs.chain(events).collect();
    if !told.is_empty() {
        return told;
    }
    let lists = LISTS.iter().filter_map(|name| places.lookup.parsed(name));
    lists
        .map(|list| listed(&list))
        .find(|list| !list.is_empty())
        .unwrap_or_default()
}

/// The messages that the model was given.
pub(super) fn input(places: &Places<'_>) -> Vec<Value> {
    let messages = bodies(places).into_iter().filter_map(|(name, body)| {
        let usual_role = match name.as_str() {
            "gen_ai.system.message" => "system",
            "gen_ai.user.message" => "user",
            "gen_ai.assistant.message" => "assistant",
            "gen_ai.tool.message" => "tool",
            _ => return None,
        };
        Some(message(usual_role, &body))
    });
    messages.collect()
}

/// The answers, one for each choice, by its index.
pub(super) fn output(places: &Places<'_>) -> Vec<Value> {
    let mut choices: Vec<(u64, Value)> = bodies(places)
        .into_iter()
        .filter(|(name, _)| name == CHOICE)
        .map(|(_, body)| {
            let index = body.get("index").and_then(as_text);
            let index = index.and_then(|text| text.parse().ok()).unwrap_or(0);
            let inner = body.get("message").map(parsed);
            let mut answer = message("assistant", inner.as_ref().unwrap_or(&body));
            if let (Some(reason), Some(answer)) =
                (body.get("finish_reason"), answer.as_object_mut())
            {
                answer.insert("finish_reason".to_owned(), reason.clone());
            }
            (index, answer)
        })
        .collect();
    choices.sort_by_key(|(index, _)| *index);
    choices.into_iter().map(|(_, answer)| answer).collect()
}

fn message(usual_role: &str, body: &Value) -> Value {
    let role = body
        .get("role")
        .and_then(Value::as_str)
        .unwrap_or(usual_role);
    let content = body.get("content").unwrap_or(&Value::Null);
    let mut parts = match body.get("id").filter(|_| role == "tool") {
        Some(id) if !content.is_null() => vec![parts::tool_response(Some(id), content)],
        _ => parts::of_content(content),
    };
    if let Some(calls) = body.get("tool_calls") {
        parts.extend(parts::of_tool_calls(&parsed(calls)));
    }
    if body.is_string() {
        parts = vec![parts::text(body)];
    }
    parts::message(Some(role), parts)
}

/// The prompt as one span event of 2024.
pub(super) fn prompt_event(places: &Places<'_>) -> Option<Vec<Value>> {
    span_event(places, "gen_ai.content.prompt", "gen_ai.prompt")
}

/// The answer as one span event of 2024.
pub(super) fn completion_event(places: &Places<'_>) -> Option<Vec<Value>> {
    span_event(places, "gen_ai.content.completion", "gen_ai.completion")
}

fn span_event(places: &Places<'_>, event: &str, attribute: &str) -> Option<Vec<Value>> {
    let events = places.span.into_iter().flat_map(|span| &span.events);
    let of_event = events
        .filter(|known| known.name == event)
        .find_map(|known| known.attributes.get(attribute));
    let value = of_event
        .map(parsed)
        .or_else(|| places.lookup.parsed(attribute))?;
    Some(match value {
        Value::Array(messages) => messages.iter().map(plain_message).collect(),
        other => vec![parts::message(None, parts::of_content(&other))],
    })
}

/// A message as a provider writes it: role and content.
fn plain_message(plain: &Value) -> Value {
    match plain.get("role").and_then(Value::as_str) {
        Some(role) => message(role, plain),
        None => parts::message(
            None,
            vec![Value::Object(
                plain.as_object().cloned().unwrap_or_else(Map::new),
            )],
        ),
    }
}
