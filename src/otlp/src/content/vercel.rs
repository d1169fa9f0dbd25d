//! The `ai` SDK of Vercel.

use serde_json::{Map, Value, json};

use super::parts;
use crate::lookup::{Lookup, parsed};

pub(super) fn input(lookup: &Lookup<'_>) -> Option<Vec<Value>> {
    if let Some(Value::Array(messages)) = lookup.parsed("ai.prompt.messages") {
        let message = |plain: &Value| {
            let content = plain.get("content").unwrap_or(&Value::Null);
            let role = plain.get("role").and_then(Value::as_str);
            parts::message(role, parts::of_content(content))
        };
        return Some(messages.iter().map(message).collect());
    }
    let embedded = lookup
        .parsed("ai.values")
        .or_else(|| lookup.parsed("ai.value"))?;
    let texts = match embedded {
        Value::Array(texts) => texts,
        single => vec![single],
    };
    let message = |text: &Value| parts::message(None, vec![parts::text(&unquoted(text))]);
    Some(texts.iter().map(message).collect())
}

/// Values that are embedded are JSON strings inside of strings.
fn unquoted(value: &Value) -> Value {
    let inner = value
        .as_str()
        .and_then(|text| serde_json::from_str::<String>(text).ok());
    inner.map_or_else(|| value.clone(), Value::String)
}

pub(super) fn output(lookup: &Lookup<'_>) -> Option<Vec<Value>> {
    let text = lookup
        .get("ai.response.text")
        .or_else(|| lookup.get("ai.result.text"));
    let calls = lookup
        .parsed("ai.response.toolCalls")
        .or_else(|| lookup.parsed("ai.result.toolCalls"));
    let reasoning = lookup.get("ai.response.reasoning");
    if text.is_none() && calls.is_none() && reasoning.is_none() {
        return None;
    }
    let mut found = Vec::new();
    if let Some(reasoning) = reasoning {
        found.push(json!({"type": "reasoning", "content": reasoning}));
    }
    let has_calls = calls
        .as_ref()
        .and_then(Value::as_array)
        .is_some_and(|calls| !calls.is_empty());
    // An answer that is only tools has an empty text.
    found.extend(
        text.filter(|text| !has_calls || text.as_str() != Some(""))
            .map(parts::text),
    );
    for call in calls
        .as_ref()
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let arguments = call.get("input").or_else(|| call.get("args"));
        found.push(parts::tool_call(
            call.get("toolCallId"),
            call.get("toolName"),
            arguments,
        ));
    }
    let mut message = Map::from_iter([("role".to_owned(), "assistant".into())]);
    message.insert("parts".to_owned(), found.into());
    Some(vec![Value::Object(message)])
}

/// The tools that the model may ask for, each as JSON in a string.
pub(super) fn tools(lookup: &Lookup<'_>) -> Option<Value> {
    let listed = lookup.parsed("ai.prompt.tools")?;
    Some(listed.as_array()?.iter().map(parsed).collect())
}
