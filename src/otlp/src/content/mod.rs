//! What a model was given and what it answered, in one form whatever convention it came in: messages of
//! OpenTelemetry's GenAI conventions, each with a role and parts.

mod flattened;
mod google;
mod open_inference;
mod parts;
mod records;
mod tool;
mod vercel;

pub(super) use google::usage as google_usage;
pub(super) use tool::of_tool;

use serde_json::{Map, Value, json};

use super::lookup::{Lookup, as_text};
use super::telemetry::{LogRecord, Span};

/// Names and prefixes of attributes that hold content: what of them is used stands in the event's own sections.
const CONTENT_NAMES: &[&str] = &[
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.task.input",
    "gen_ai.task.output",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.retrieval.documents",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "input.value",
    "output.value",
    "tool.parameters",
    "ai.prompt",
    "ai.prompt.messages",
    "ai.prompt.tools",
    "ai.value",
    "ai.values",
    "ai.embedding",
    "ai.embeddings",
    "ai.response.text",
    "ai.response.reasoning",
    "ai.response.object",
    "ai.response.toolCalls",
    "ai.toolCall.args",
    "ai.toolCall.result",
    "gcp.vertex.agent.llm_request",
    "gcp.vertex.agent.llm_response",
    "gcp.vertex.agent.tool_call_args",
    "gcp.vertex.agent.tool_response",
];
const CONTENT_PREFIXES: &[&str] = &[
    "gen_ai.prompt.",
    "gen_ai.completion.",
    "llm.request.functions.",
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.prompts.",
    "llm.choices.",
    "llm.tools.",
    "embedding.embeddings.",
    "retrieval.documents.",
    "reranker.input_documents.",
    "reranker.output_documents.",
];
/// Names behind a content prefix that are no content.
const NO_CONTENT: &[&str] = &["gen_ai.prompt.name", "gen_ai.prompt.version"];

/// A call's content.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Section `input`.
    pub(super) input: Option<Value>,
    /// Section `output`.
    pub(super) output: Option<Value>,
    /// Tools that the model asked for.
    pub(super) tool_calls: Vec<ToolCall>,
    /// Reasons for stopping that stand in the answers themselves.
    pub(super) finish_reasons: Vec<String>,
    /// Whether a tool says that it failed.
    pub(super) has_failed: bool,
    /// The id by which a tool was asked for, where only its answer says it.
    pub(super) tool_call_id: Option<String>,
}

/// A tool that a model asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ToolCall {
    /// The provider's id of it.
    pub(super) id: Option<String>,
    /// The tool.
    pub(super) name: Option<String>,
    /// What it is to be called with.
    pub(super) arguments: Option<Value>,
}

/// Where content may stand.
#[derive(Clone, Debug)]
pub(super) struct Places<'a> {
    /// The span's attributes, then those of its log record with the details.
    pub(super) lookup: Lookup<'a>,
    pub(super) span: Option<&'a Span>,
    /// Log records of the span, by time.
    pub(super) logs: Vec<&'a LogRecord>,
}

/// Whether an attribute holds content.
pub(super) fn is_content(name: &str, value: &Value) -> bool {
    let has_prefix = CONTENT_PREFIXES
        .iter()
        .any(|prefix| name.starts_with(prefix));
    CONTENT_NAMES.contains(&name)
        || (has_prefix && !NO_CONTENT.contains(&name))
        || records::is_list_of_events(name, value)
}

/// The content of a call of a model.
pub(super) fn of_call(places: &Places<'_>) -> Content {
    let lookup = &places.lookup;
    let given = [
        latest(lookup, "gen_ai.input.messages"),
        Some(records::input(places)),
        flattened::input(lookup),
        open_inference::input(lookup),
        vercel::input(lookup),
        google::input(lookup),
        records::prompt_event(places),
    ];
    let answered = [
        latest(lookup, "gen_ai.output.messages"),
        Some(records::output(places)),
        flattened::output(lookup),
        open_inference::output(lookup),
        vercel::output(lookup),
        google::output(lookup),
        records::completion_event(places),
    ];
    let first = |found: Vec<Option<Vec<Value>>>| {
        let mut known = found
            .into_iter()
            .flatten()
            .filter(|messages| !messages.is_empty());
        known.next()
    };
    let (given, answered) = (first(given.into()), first(answered.into()));
    let tool_calls = answered
        .iter()
        .flatten()
        .flat_map(parts::tool_calls)
        .collect();
    let reasons = answered.iter().flatten();
    let finish_reasons = reasons
        .filter_map(|message| as_text(message.get("finish_reason")?))
        .collect();
    Content {
        input: input_section(lookup, given),
        output: output_section(lookup, answered),
        tool_calls,
        finish_reasons,
        ..Content::default()
    }
}

/// Messages as the latest conventions have them: JSON in a string on spans, structured on log records.
fn latest(lookup: &Lookup<'_>, name: &str) -> Option<Vec<Value>> {
    match lookup.parsed(name)? {
        Value::Array(messages) => Some(messages),
        Value::String(text) => Some(vec![json!({"parts": [parts::text(&text.into())]})]),
        other => Some(vec![other]),
    }
}

fn input_section(lookup: &Lookup<'_>, messages: Option<Vec<Value>>) -> Option<Value> {
    let mut input = Map::new();
    let has_messages = has_content(messages.as_deref());
    if let Some(messages) = messages.filter(|_| has_messages) {
        input.insert("messages".to_owned(), messages.into());
    } else if let Some(value) = lookup.parsed("input.value") {
        input.insert("value".to_owned(), value);
    }
    let tools = [
        lookup.parsed("gen_ai.tool.definitions"),
        open_inference::tools(lookup),
        vercel::tools(lookup),
        lookup.tree("llm.request.functions."),
        google::configured(lookup, "tools", "tools"),
    ];
    let system = lookup
        .parsed("gen_ai.system_instructions")
        .or_else(|| google::configured(lookup, "system_instruction", "systemInstruction"));
    let more = [
        ("system", system),
        ("messages_ref", lookup.parsed("gen_ai.input.messages.ref")),
    ];
    let is_empty = input.is_empty() && more.iter().all(|(_, value)| value.is_none());
    for (name, value) in more {
        if let Some(value) = value {
            input.insert(name.to_owned(), value);
        }
    }
    // Tools alone say nothing of what was asked.
    if let Some(tools) = tools.into_iter().flatten().next().filter(|_| !is_empty) {
        input.insert("tools".to_owned(), tools);
    }
    (!is_empty).then_some(Value::Object(input))
}

fn output_section(lookup: &Lookup<'_>, messages: Option<Vec<Value>>) -> Option<Value> {
    // A library that lists answers has said all: an empty list is an answer that never came.
    let is_listed = messages.is_some();
    if let Some(messages) = messages.filter(|messages| has_content(Some(messages))) {
        return Some(json!({ "messages": messages }));
    }
    if let Some(reference) = lookup.parsed("gen_ai.output.messages.ref") {
        return Some(json!({ "messages_ref": reference }));
    }
    if let Some(object) = lookup.parsed("ai.response.object") {
        return Some(json!({ "value": object }));
    }
    // An embedding is numbers: what was asked is in the input.
    let is_embedding = lookup.has_prefix("embedding.");
    let raw = lookup
        .parsed("output.value")
        .filter(|_| !is_listed && !is_embedding);
    raw.map(|value| json!({ "value": value }))
}

/// Whether messages hold more than roles.
fn has_content(messages: Option<&[Value]>) -> bool {
    let has_parts = |message: &Value| match message.get("parts") {
        Some(Value::Array(parts)) => !parts.is_empty(),
        Some(_) => true,
        None => {
            message
                .get("content")
                .is_some_and(|content| !content.is_null())
                || !message.is_object()
        }
    };
    messages.is_some_and(|messages| messages.iter().any(has_parts))
}

/// What an agent or workflow was given and gave back.
pub(super) fn of_wrapper(places: &Places<'_>) -> Content {
    let lookup = &places.lookup;
    let of_messages = of_call(places);
    let first = |names: &[&str]| {
        let value = names.iter().find_map(|name| lookup.parsed(name));
        value.map(|value| json!({ "value": value }))
    };
    Content {
        input: of_messages
            .input
            .or_else(|| first(&["traceloop.entity.input", "gen_ai.task.input", "ai.prompt"])),
        output: of_messages
            .output
            .or_else(|| first(&["traceloop.entity.output", "gen_ai.task.output"])),
        ..Content::default()
    }
}
