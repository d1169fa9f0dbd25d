//! What a tool was called with, what came back, and whether it failed. Frameworks wrap both in objects of their own.

use serde_json::{Value, json};

use super::{Content, Places};
use crate::lookup::{Lookup, as_text, parsed};

const ARGUMENTS: &[&str] = &[
    "gen_ai.tool.call.arguments",
    "ai.toolCall.args",
    "ai.toolCall.input",
    "tool_arguments",
    "tool.parameters",
    "gcp.vertex.agent.tool_call_args",
    "input.value",
    "traceloop.entity.input",
    "gen_ai.task.input",
];
const RESULT: &[&str] = &[
    "gen_ai.tool.call.result",
    "ai.toolCall.result",
    "ai.toolCall.output",
    "tool_response",
    "gcp.vertex.agent.tool_response",
    "output.value",
    "traceloop.entity.output",
    "gen_ai.task.output",
];

/// The content of a tool's execution.
pub(crate) fn of_tool(places: &Places<'_>) -> Content {
    let result = raw_result(places);
    Content {
        input: raw_arguments(places)
            .map(arguments_of)
            .map(|arguments| json!({ "arguments": arguments })),
        has_failed: result.as_ref().is_some_and(has_failed),
        tool_call_id: result.as_ref().and_then(|result| {
            let message = tool_message(result)?;
            message.get("tool_call_id").and_then(as_text)
        }),
        output: result
            .map(result_of)
            .map(|result| json!({ "result": result })),
        ..Content::default()
    }
}

fn raw_arguments(places: &Places<'_>) -> Option<Value> {
    found(places, ARGUMENTS).or_else(|| of_event(places, "gen_ai.tool.message", "content"))
}

fn raw_result(places: &Places<'_>) -> Option<Value> {
    found(places, RESULT).or_else(|| of_event(places, "gen_ai.choice", "message"))
}

/// The first of several attributes, of the span or of its events.
fn found(places: &Places<'_>, names: &[&str]) -> Option<Value> {
    let of_span = names.iter().find_map(|name| places.lookup.parsed(name));
    of_span.or_else(|| {
        let events = places.span.into_iter().flat_map(|span| &span.events);
        let layers = events.map(|event| &event.attributes).collect();
        let lookup = Lookup::new(layers);
        names.iter().find_map(|name| lookup.parsed(name))
    })
}

/// What an event of the span holds in the convention in which each message is one.
fn of_event(places: &Places<'_>, name: &str, member: &str) -> Option<Value> {
    let mut events = places.span.into_iter().flat_map(|span| &span.events);
    let event = events.find(|event| event.name == name)?;
    event.attributes.get(member).map(parsed)
}

/// LangChain's callback: the arguments, or a text of them, beside what it was called with itself.
fn arguments_of(value: Value) -> Value {
    let inputs = value.get("inputs").filter(|inputs| !inputs.is_null());
    let text = value.get("input_str");
    match (inputs, text) {
        (Some(inputs), Some(_)) => parsed(inputs),
        (None, Some(text)) => parsed(text),
        _ => value,
    }
}

fn result_of(value: Value) -> Value {
    let content = tool_message(&value).and_then(|message| message.get("content"));
    match content {
        Some(content) => parsed(content),
        None => match value
            .get("output")
            .filter(|_| value.get("kwargs").is_some())
        {
            Some(output) => parsed(output),
            None => value,
        },
    }
}

/// LangChain's message of a tool: bare, in the callback's object, or as it is serialised.
fn tool_message(value: &Value) -> Option<&Value> {
    let inner = value.get("output").unwrap_or(value);
    let places = [inner.get("kwargs"), inner.get("data"), Some(inner)];
    let mut messages = places.into_iter().flatten();
    messages.find(|message| {
        message.get("content").is_some()
            && (message.get("tool_call_id").is_some() || message.get("status").is_some())
    })
}

/// A tool that failed is an answer to the model, so that its span is no error in most frameworks.
fn has_failed(result: &Value) -> bool {
    let says_error = |value: &Value| value.get("status").and_then(Value::as_str) == Some("error");
    let is_flagged = ["isError", "is_error"]
        .iter()
        .any(|name| result.get(name) == Some(&Value::Bool(true)));
    is_flagged || tool_message(result).is_some_and(says_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Span, SpanEvent};

    fn content(attributes: &Value, events: Vec<SpanEvent>) -> Content {
        let span = Span {
            attributes: attributes.as_object().unwrap().clone(),
            events,
            ..Span::default()
        };
        of_tool(&Places {
            lookup: Lookup::new(vec![&span.attributes]),
            span: Some(&span),
            logs: Vec::new(),
        })
    }

    #[test]
    fn lang_chain_s_tools_say_what_came_back_and_whether_they_failed() {
        let input = json!({"input_str": "{'q': 9}", "tags": [], "inputs": {"q": 9}, "kwargs": {}})
            .to_string();
        for (message, has_failed) in [
            (
                json!({"content": "no such parcel", "status": "error", "tool_call_id": "c1"}),
                true,
            ),
            (
                json!({"content": "no such parcel", "status": "success", "tool_call_id": "c1"}),
                false,
            ),
        ] {
            let output =
                json!({"output": {"lc": 1, "kwargs": message}, "kwargs": {"name": "find"}});
            let bare = message.to_string();
            for (name, output) in [
                ("traceloop.entity.output", output.to_string()),
                ("output.value", bare),
            ] {
                let found = content(
                    &json!({"traceloop.entity.input": input, name: output}),
                    Vec::new(),
                );
                assert_eq!(found.input, Some(json!({"arguments": {"q": 9}})), "{name}");
                assert_eq!(
                    found.output,
                    Some(json!({"result": "no such parcel"})),
                    "{name}"
                );
                assert_eq!(found.has_failed, has_failed, "{name}");
                assert_eq!(found.tool_call_id.as_deref(), Some("c1"));
            }
        }
        let plain = content(
            &json!({"gen_ai.tool.call.result": "{\"isError\": true}"}),
            Vec::new(),
        );
        assert!(plain.has_failed);
    }

    #[test]
    fn events_of_the_span_are_read() {
        let event = |name: &str, attributes: Value| SpanEvent {
            name: name.to_owned(),
            time_ns: 1,
            attributes: attributes.as_object().unwrap().clone(),
        };
        for events in [
            vec![
                event(
                    "gen_ai.tool.message",
                    json!({"content": "{\"q\": 9}", "id": "c1"}),
                ),
                event("gen_ai.choice", json!({"message": "[1]"})),
            ],
            vec![
                event(
                    "tool.start",
                    json!({"traceloop.entity.input": "{\"q\": 9}"}),
                ),
                event("tool.end", json!({"traceloop.entity.output": "[1]"})),
            ],
        ] {
            let found = content(&json!({}), events);
            assert_eq!(found.input, Some(json!({"arguments": {"q": 9}})));
            assert_eq!(found.output, Some(json!({"result": [1]})));
        }
    }
}
