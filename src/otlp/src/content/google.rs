//! Google's Agent Development Kit: request and answer as JSON of Gemini's API, in one attribute each.

use serde_json::{Map, Value, json};

use super::parts;
use crate::lookup::{Lookup, as_text};

const REQUEST: &str = "gcp.vertex.agent.llm_request";
const RESPONSE: &str = "gcp.vertex.agent.llm_response";

pub(super) fn input(lookup: &Lookup<'_>) -> Option<Vec<Value>> {
    match lookup.inside(REQUEST, &["contents"])? {
        Value::Array(contents) => Some(contents.iter().map(message).collect()),
        single => Some(vec![message(&single)]),
    }
}

pub(super) fn output(lookup: &Lookup<'_>) -> Option<Vec<Value>> {
    let mut answer = message(&lookup.inside(RESPONSE, &["content"])?);
    let reason = member(&lookup.parsed(RESPONSE)?, "finish_reason", "finishReason").cloned();
    if let (Some(reason), Some(answer)) = (reason, answer.as_object_mut()) {
        answer.insert("finish_reason".to_owned(), reason);
    }
    Some(vec![answer])
}

/// What the request says besides the messages: the system's instruction, and the tools.
pub(super) fn configured(lookup: &Lookup<'_>, name: &str, camel: &str) -> Option<Value> {
    let config = lookup.inside(REQUEST, &["config"])?;
    member(&config, name, camel)
        .filter(|value| !value.is_null())
        .cloned()
}

/// Tokens of the answer, under Gemini's names.
pub(crate) fn usage(lookup: &Lookup<'_>) -> Map<String, Value> {
    const NAMES: [(&str, &str, &str); 5] = [
        ("input_tokens", "prompt_token_count", "promptTokenCount"),
        (
            "output_tokens",
            "candidates_token_count",
            "candidatesTokenCount",
        ),
        ("total_tokens", "total_token_count", "totalTokenCount"),
        (
            "cached_input_tokens",
            "cached_content_token_count",
            "cachedContentTokenCount",
        ),
        (
            "reasoning_tokens",
            "thoughts_token_count",
            "thoughtsTokenCount",
        ),
    ];
    let response = lookup.parsed(RESPONSE).unwrap_or_default();
    let told = member(&response, "usage_metadata", "usageMetadata");
    let counts = NAMES.iter().filter_map(|(field, name, camel)| {
        let count = crate::lookup::as_count(member(told?, name, camel)?)?;
        Some(((*field).to_owned(), Value::from(count)))
    });
    counts.collect()
}

fn member<'a>(value: &'a Value, name: &str, camel: &str) -> Option<&'a Value> {
    value.get(name).or_else(|| value.get(camel))
}

fn message(content: &Value) -> Value {
    if content.is_string() {
        return parts::message(Some("user"), vec![parts::text(content)]);
    }
    let role = content.get("role").and_then(as_text);
    let role = role.map(|role| match role.as_str() {
        "model" => "assistant".to_owned(),
        _ => role,
    });
    let listed = content.get("parts").and_then(Value::as_array);
    let found = listed.into_iter().flatten().map(part);
    parts::message(role.as_deref(), found.collect())
}

fn part(part: &Value) -> Value {
    if let Some(text) = part.get("text").filter(|text| !text.is_null()) {
        return match part.get("thought").and_then(Value::as_bool) {
            Some(true) => json!({"type": "reasoning", "content": text}),
            _ => parts::text(text),
        };
    }
    if let Some(call) =
        member(part, "function_call", "functionCall").filter(|call| call.is_object())
    {
        return parts::tool_call(call.get("id"), call.get("name"), call.get("args"));
    }
    let response = member(part, "function_response", "functionResponse");
    if let Some(response) = response.filter(|response| response.is_object()) {
        let told = response.get("response").unwrap_or(&Value::Null);
        return parts::tool_response(response.get("id").or(response.get("name")), told);
    }
    part.clone()
}
