//! Parts of a message: text, a tool that is asked for, what a tool answered. Other kinds stay as they came.

use serde_json::{Map, Value, json};

use super::ToolCall;
use crate::lookup::{as_text, parsed};

pub(super) fn text(content: &Value) -> Value {
    json!({"type": "text", "content": content})
}

/// A message with a role.
pub(super) fn message(role: Option<&str>, parts: Vec<Value>) -> Value {
    let mut message = Map::new();
    if let Some(role) = role {
        message.insert("role".to_owned(), role.into());
    }
    message.insert("parts".to_owned(), parts.into());
    Value::Object(message)
}

/// A tool that is asked for. Arguments are mostly JSON in a string.
pub(super) fn tool_call(
    id: Option<&Value>,
    name: Option<&Value>,
    arguments: Option<&Value>,
) -> Value {
    let mut part = Map::from_iter([("type".to_owned(), "tool_call".into())]);
    let fields = [
        ("id", id.cloned()),
        ("name", name.cloned()),
        ("arguments", arguments.map(parsed)),
    ];
    for (field, value) in fields {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            part.insert(field.to_owned(), value);
        }
    }
    Value::Object(part)
}

/// What a tool answered.
pub(super) fn tool_response(id: Option<&Value>, response: &Value) -> Value {
    json!({"type": "tool_call_response", "id": id.unwrap_or(&Value::Null), "response": parsed(response)})
}

/// The content of a message: a text, or a list of texts and other things.
pub(super) fn of_content(content: &Value) -> Vec<Value> {
    match content {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().map(of_item).collect(),
        other => vec![text(other)],
    }
}

fn of_item(item: &Value) -> Value {
    let kind = item.get("type").and_then(Value::as_str).unwrap_or_default();
    match kind {
        "text" | "input_text" | "output_text" => {
            item.get("text").map_or_else(|| item.clone(), text)
        }
        "tool-call" => tool_call(
            item.get("toolCallId"),
            item.get("toolName"),
            item.get("input").or_else(|| item.get("args")),
        ),
        "tool-result" => {
            let result = item.get("output").or_else(|| item.get("result"));
            tool_response(item.get("toolCallId"), result.unwrap_or(&Value::Null))
        }
        "tool_use" => tool_call(item.get("id"), item.get("name"), item.get("input")),
        "tool_result" => {
            let result = item.get("content").unwrap_or(&Value::Null);
            tool_response(item.get("tool_use_id"), result)
        }
        _ if item.is_string() => text(item),
        _ => item.clone(),
    }
}

/// OpenAI's list of tools that are asked for: `[{id, type, function: {name, arguments}}]`.
pub(super) fn of_tool_calls(calls: &Value) -> Vec<Value> {
    let one = |call: &Value| {
        let function = call.get("function").unwrap_or(call);
        let arguments = function.get("arguments").or_else(|| function.get("args"));
        tool_call(call.get("id"), function.get("name"), arguments)
    };
    calls.as_array().into_iter().flatten().map(one).collect()
}

/// The tools that a message asks for.
pub(super) fn tool_calls(message: &Value) -> Vec<ToolCall> {
    let parts = message.get("parts").and_then(Value::as_array);
    let asked = parts.into_iter().flatten().filter(|part| {
        let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
        matches!(kind, "tool_call" | "function_call" | "tool_use")
    });
    asked
        .map(|part| ToolCall {
            id: part.get("id").and_then(as_text),
            name: part.get("name").and_then(as_text),
            arguments: part
                .get("arguments")
                .or_else(|| part.get("input"))
                .map(parsed),
        })
        .collect()
}
