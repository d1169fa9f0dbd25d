//! OpenLLMetry before it took OpenTelemetry's conventions: `gen_ai.prompt.0.content` and so on.

use serde_json::Value;

use super::parts;
use crate::lookup::{Lookup, parsed};

pub(super) fn input(lookup: &Lookup<'_>) -> Option<Vec<Value>> {
    messages(lookup, "gen_ai.prompt.", "user").or_else(|| messages(lookup, "llm.prompts.", "user"))
}

pub(super) fn output(lookup: &Lookup<'_>) -> Option<Vec<Value>> {
    messages(lookup, "gen_ai.completion.", "assistant")
        .or_else(|| messages(lookup, "llm.completions.", "assistant"))
}

fn messages(lookup: &Lookup<'_>, prefix: &str, usual_role: &str) -> Option<Vec<Value>> {
    let tree = lookup.tree(prefix)?;
    let message = |flat: &Value| {
        let role = flat
            .get("role")
            .and_then(Value::as_str)
            .unwrap_or(usual_role);
        let content = flat.get("content").map(parsed).unwrap_or_default();
        let mut found = match flat.get("tool_call_id") {
            Some(id) if !content.is_null() => vec![parts::tool_response(Some(id), &content)],
            _ => parts::of_content(&content),
        };
        if let Some(calls) = flat.get("tool_calls") {
            found.extend(parts::of_tool_calls(calls));
        }
        let mut message = parts::message(Some(role), found);
        if let (Some(reason), Some(message)) = (flat.get("finish_reason"), message.as_object_mut())
        {
            message.insert("finish_reason".to_owned(), reason.clone());
        }
        message
    };
    Some(tree.as_array()?.iter().map(message).collect())
}
