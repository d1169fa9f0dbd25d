//! OpenInference: messages spelled out in the names of attributes, `llm.input_messages.0.message.content`.

use serde_json::{Value, json};

use super::parts;
use crate::lookup::{Lookup, parsed};

pub(super) fn input(lookup: &Lookup<'_>) -> Option<Vec<Value>> {
    messages(lookup, "llm.input_messages.")
        .or_else(|| texts(lookup, "llm.prompts.", "prompt"))
        .or_else(|| texts(lookup, "embedding.embeddings.", "embedding"))
}

pub(super) fn output(lookup: &Lookup<'_>) -> Option<Vec<Value>> {
    messages(lookup, "llm.output_messages.").or_else(|| texts(lookup, "llm.choices.", "completion"))
}

/// The tools that the model may ask for.
pub(super) fn tools(lookup: &Lookup<'_>) -> Option<Value> {
    let tree = lookup.tree("llm.tools.")?;
    let schema = |tool: &Value| {
        let schema = tool.get("tool").and_then(|tool| tool.get("json_schema"));
        schema.map_or_else(|| tool.clone(), parsed)
    };
    Some(tree.as_array()?.iter().map(schema).collect())
}

fn messages(lookup: &Lookup<'_>, prefix: &str) -> Option<Vec<Value>> {
    let tree = lookup.tree(prefix)?;
    let message = |entry: &Value| {
        let flat = entry.get("message").unwrap_or(entry);
        let role = flat.get("role").and_then(Value::as_str);
        let contents = flat.get("contents").and_then(Value::as_array);
        let mut found: Vec<Value> = contents.into_iter().flatten().map(content).collect();
        if let Some(text) = flat.get("content") {
            found.push(match flat.get("tool_call_id") {
                Some(id) => parts::tool_response(Some(id), text),
                None => parts::text(text),
            });
        }
        let has_calls = |part: &Value| part["type"] == "tool_call";
        // The Anthropic instrumentation lists a tool twice: among the contents, and apart.
        if let Some(calls) = flat
            .get("tool_calls")
            .filter(|_| !found.iter().any(has_calls))
        {
            found.extend(calls.as_array().into_iter().flatten().map(tool_call));
        }
        parts::message(role, found)
    };
    Some(tree.as_array()?.iter().map(message).collect())
}

fn content(entry: &Value) -> Value {
    let content = entry.get("message_content").unwrap_or(entry);
    if entry.get("tool_call").is_some() {
        return tool_call(entry);
    }
    if let Some(text) = content.get("text") {
        return parts::text(text);
    }
    let url = content.get("image").and_then(|image| {
        let image = image.get("image").unwrap_or(image);
        image.get("url")
    });
    match url {
        Some(url) => json!({"type": "uri", "modality": "image", "uri": url}),
        None => content.clone(),
    }
}

fn tool_call(entry: &Value) -> Value {
    let call = entry.get("tool_call").unwrap_or(entry);
    let function = call.get("function");
    let field = |name: &str| function.and_then(|function| function.get(name));
    parts::tool_call(call.get("id"), field("name"), field("arguments"))
}

/// Plain texts: prompts, completions, texts that are embedded.
fn texts(lookup: &Lookup<'_>, prefix: &str, member: &str) -> Option<Vec<Value>> {
    let tree = lookup.tree(prefix)?;
    let text = |entry: &Value| {
        let text = entry.get(member)?.get("text")?;
        Some(parts::message(None, vec![parts::text(text)]))
    };
    let texts: Vec<Value> = tree.as_array()?.iter().filter_map(text).collect();
    (!texts.is_empty()).then_some(texts)
}
