//! Log records of coding agents (Claude Code, Codex CLI, Gemini CLI and their kin): prompts, requests, decisions about tools and their
//! results. They belong to no span, so each is an event by itself.

use serde_json::{Map, Value, json};

use super::classify::{Keep, Kind};
use super::event::{Mapped, context_of, occurred_at_ns};
use super::fields;
use super::identity::Identity;
use super::lookup::Lookup;
use super::original::{altered, original_of_log};
use super::telemetry::{LogRecord, Part};

/// Before the names of an agent's events.
const PREFIXES: [&str; 4] = ["claude_code.", "codex.", "gemini_cli.", "qwen-code."];
/// What a record says that has such a name without a prefix: that it is of an agent's session.
const SESSION: [&str; 4] = ["session.id", "conversation.id", "prompt.id", "prompt_id"];
/// What stands where content was not captured.
const REDACTED: [&str; 2] = ["<REDACTED>", "[REDACTED]"];

const ARGUMENTS: [&str; 5] = [
    "tool_input",
    "tool_parameters",
    "function_args",
    "arguments",
    "mcp_tool_input",
];
const RESULT: [&str; 3] = ["output", "result", "tool_output"];
const TOOL: [&str; 3] = ["tool_name", "function_name", "tool"];
const TOOL_ID: [&str; 3] = ["tool_use_id", "call_id", "tool_call_id"];
const ERROR: [&str; 3] = ["error", "error.message", "error_message"];
const ERROR_TYPE: [&str; 4] = [
    "error_type",
    "error.type",
    "status_code",
    "http.response.status_code",
];
/// Names of `llm.usage`, and the record's.
const USAGE: [(&str, &[&str]); 6] = [
    ("input_tokens", &["input_tokens", "input_token_count"]),
    ("output_tokens", &["output_tokens", "output_token_count"]),
    ("total_tokens", &["total_tokens", "total_token_count"]),
    (
        "cached_input_tokens",
        &[
            "cache_read_tokens",
            "cached_token_count",
            "cached_content_token_count",
        ],
    ),
    ("cache_write_input_tokens", &["cache_creation_tokens"]),
    (
        "reasoning_tokens",
        &["reasoning_token_count", "thoughts_token_count"],
    ),
];

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// What the user asked.
    Prompt,
    /// A call of the model is over.
    Call,
    /// A call of the model failed.
    Failure,
    /// A request to the model, which another record ends.
    Request,
    /// What the model answered.
    Response,
    /// Whether a tool may be used.
    Decision,
    /// A tool was used.
    Tool,
    /// Anything else that an agent logs.
    Other,
    /// A record that no agent wrote.
    Foreign,
}

impl Said {
    fn of(log: &LogRecord) -> Self {
        let lookup = Lookup::new(vec![&log.attributes]);
        let body = log
            .body
            .as_ref()
            .and_then(Value::as_str)
            .unwrap_or_default();
        let full = if log.event_name.is_empty() {
            body
        } else {
            &log.event_name
        };
        let bare = |text: &'_ str| {
            let mut prefixes = PREFIXES.iter();
            prefixes.find_map(|prefix| text.strip_prefix(prefix).map(str::to_owned))
        };
        let of_body = bare(body);
        let prefixed = bare(full).or_else(|| of_body.filter(|name| *name == *full));
        let is_of_session = || SESSION.iter().any(|name| lookup.text(name).is_some());
        let name = prefixed.clone().unwrap_or_else(|| full.to_owned());
        let has_tokens = || {
            let names = USAGE.iter().flat_map(|(_, names)| names.iter());
            names.copied().any(|name| lookup.count(name).is_some())
        };
        let said = match name.as_str() {
            "user_prompt" => Self::Prompt,
            "api_request" | "sse_event" if has_tokens() => Self::Call,
            "api_response" => Self::Call,
            "api_error" => Self::Failure,
            "api_request" | "api_request_body" => Self::Request,
            "api_response_body" | "assistant_response" => Self::Response,
            "tool_decision" => Self::Decision,
            "tool_result" | "tool_call" => Self::Tool,
            _ => Self::Other,
        };
        match said {
            _ if prefixed.is_some() => said,
            Self::Other => Self::Foreign,
            said if is_of_session() => said,
            _ => Self::Foreign,
        }
    }

    const fn action(self) -> &'static str {
        match self {
            Self::Prompt => "gen_ai.user_prompt",
            Self::Call | Self::Failure => "gen_ai.chat",
            Self::Request => "gen_ai.request",
            Self::Response => "gen_ai.response",
            Self::Decision => "gen_ai.tool_decision",
            Self::Tool => "gen_ai.execute_tool",
            Self::Other => "gen_ai.agent_event",
            Self::Foreign => "otel.log",
        }
    }
}

/// Whether a log record becomes an event by itself.
pub(super) fn is_recorded(log: &LogRecord, keep: Keep) -> bool {
    match Said::of(log) {
        Said::Foreign => keep == Keep::All,
        Said::Other => keep >= Keep::Agents,
        _ => true,
    }
}

/// Maps one record.
pub(super) fn map(part: &Part, log: &LogRecord) -> Mapped {
    let said = Said::of(log);
    let lookup = Lookup::new(vec![&log.attributes]);
    let identity = Identity::of_all(&[&log.attributes, &part.resource]);
    let id = format!("otlp:{}", log.record.as_deref().unwrap_or_default());
    let is_tool = matches!(said, Said::Tool | Said::Decision);
    let downstream = if is_tool {
        json!([tool(said, &lookup)])
    } else {
        Value::Null
    };
    let sections = [
        ("id", id.clone().into()),
        ("action", said.action().into()),
        ("occurred_at", occurred_at(log, &lookup)),
        ("outcome", outcome(said, &lookup).into()),
        ("actor", super::event::actor(&identity, &part.resource)),
        ("subjects", identity.subjects_section().into()),
        ("context", context_of(part, &log_ids(log), &identity).into()),
        ("llm", llm(said, &lookup).into()),
        ("downstream", downstream),
        ("regimes", identity.regimes.iter().cloned().collect()),
        ("input", input(said, log, &lookup)),
        ("output", output(said, &lookup)),
        ("attributes", attributes(said, part, log, &identity)),
    ];
    let is_said = |value: &Value| match value {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        _ => true,
    };
    let sections = sections.into_iter().filter(|(_, value)| is_said(value));
    Mapped {
        trace_id: part.trace_id().unwrap_or_default().to_owned(),
        span_id: String::new(),
        parent_span_id: None,
        kind: Kind::Record,
        response_id: None,
        tool_call_id: None,
        scope: part.scope.name.clone(),
        times_ns: None,
        sections: sections
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        also: Vec::new(),
        id,
        is_other: false,
        report: None,
    }
}

fn log_ids(log: &LogRecord) -> [Option<String>; 3] {
    [log.trace_id.clone(), log.span_id.clone(), None]
}

fn occurred_at(log: &LogRecord, lookup: &Lookup<'_>) -> Value {
    if log.time_ns > 0 {
        return occurred_at_ns(log.time_ns);
    }
    let told = lookup.text("event.timestamp");
    let told = told.and_then(|text| chrono::DateTime::parse_from_rfc3339(&text).ok());
    let told = told.and_then(|time| u64::try_from(time.timestamp_nanos_opt()?).ok());
    told.map_or(Value::Null, occurred_at_ns)
}

fn outcome(said: Said, lookup: &Lookup<'_>) -> &'static str {
    let is_error = said == Said::Failure
        || lookup.first_text(&ERROR).is_some()
        || lookup.text("success").as_deref() == Some("false");
    match said {
        Said::Decision => match lookup
            .text("decision")
            .as_deref()
            .map(str::to_ascii_lowercase)
        {
            Some(decision)
                if ["reject", "den", "abort", "cancel"]
                    .iter()
                    .any(|no| decision.starts_with(no)) =>
            {
                "denied"
            }
            Some(_) => "success",
            None => "unknown",
        },
        _ if is_error => "error",
        Said::Foreign | Said::Other | Said::Request => "unknown",
        _ => "success",
    }
}

fn llm(said: Said, lookup: &Lookup<'_>) -> Map<String, Value> {
    let mut llm = Map::new();
    if said == Said::Foreign {
        return llm;
    }
    let is_call = matches!(said, Said::Call | Said::Failure);
    let line = |text: String| Value::from(fields::line(&text, 256));
    let error_type = lookup
        .first_text(&ERROR_TYPE)
        .filter(|_| outcome(said, lookup) == "error");
    let usage = USAGE.iter().filter_map(|(field, names)| {
        let count = names.iter().find_map(|name| lookup.count(name))?;
        Some(((*field).to_owned(), Value::from(count)))
    });
    let usage: Map<String, Value> = usage.collect();
    let fields = [
        ("operation", is_call.then(|| Value::from("chat"))),
        (
            "request_model",
            lookup
                .first_text(&["model", "gen_ai.request.model"])
                .map(line),
        ),
        ("usage", (!usage.is_empty()).then_some(usage.into())),
        ("cost", fields::cost(lookup)),
        ("latency_ms", lookup.amount("duration_ms").map(Value::from)),
        (
            "time_to_first_token_ms",
            lookup.amount("ttft_ms").map(Value::from),
        ),
        ("error_type", error_type.map(line)),
    ];
    for (name, value) in fields {
        llm.extend(value.map(|value| (name.to_owned(), value)));
    }
    llm
}

/// The tool that was used, or asked about.
fn tool(said: Said, lookup: &Lookup<'_>) -> Value {
    let text = |names: &[&str]| lookup.first_text(names);
    let mut tool = json!({"type": "tool_call", "outcome": outcome(said, lookup)});
    if let Some(name) = text(&TOOL) {
        tool["name"] = name.chars().take(512).collect::<String>().into();
    }
    if let Some(id) = text(&TOOL_ID) {
        tool["id"] = fields::line(&id, 512).into();
    }
    if let Some(duration) = lookup.amount("duration_ms") {
        tool["latency_ms"] = duration.into();
    }
    if let Some(arguments) = content(lookup, &ARGUMENTS) {
        tool["arguments"] = arguments;
    }
    tool
}

/// Content, unless it was not captured.
fn content(lookup: &Lookup<'_>, names: &[&str]) -> Option<Value> {
    let mut found = names.iter().filter_map(|name| lookup.parsed(name));
    found.find(|value| {
        value
            .as_str()
            .is_none_or(|text| !REDACTED.contains(&text) && !text.is_empty())
    })
}

fn input(said: Said, log: &LogRecord, lookup: &Lookup<'_>) -> Value {
    let message = |text: Value| json!({"messages": [{"role": "user", "parts": [{"type": "text", "content": text}]}]});
    match said {
        Said::Prompt => content(lookup, &["prompt"]).map(message),
        Said::Request => {
            content(lookup, &["request_text", "body"]).map(|value| json!({ "value": value }))
        }
        Said::Tool | Said::Decision => {
            content(lookup, &ARGUMENTS).map(|arguments| json!({ "arguments": arguments }))
        }
        Said::Foreign => log.body.clone().map(|body| json!({ "value": body })),
        _ => None,
    }
    .unwrap_or_default()
}

fn output(said: Said, lookup: &Lookup<'_>) -> Value {
    let answer = |text: Value| json!({"messages": [{"role": "assistant", "parts": [{"type": "text", "content": text}]}]});
    match said {
        Said::Call => content(lookup, &["response_text"]).map(answer),
        Said::Response => {
            content(lookup, &["response", "body"]).map(|value| json!({ "value": value }))
        }
        Said::Tool => content(lookup, &RESULT).map(|result| json!({ "result": result })),
        Said::Failure => content(lookup, &ERROR).map(|error| json!({ "error": error })),
        _ => None,
    }
    .unwrap_or_default()
}

fn attributes(said: Said, part: &Part, log: &LogRecord, identity: &Identity) -> Value {
    let lookup = Lookup::new(vec![&log.attributes]);
    let mut otel = original_of_log(part, &log.attributes, |name, _| {
        let names = [
            "prompt",
            "request_text",
            "response_text",
            "body",
            "response",
        ];
        let is_content =
            names.contains(&name) || ARGUMENTS.contains(&name) || RESULT.contains(&name);
        is_content && said != Said::Foreign && said != Said::Other
    });
    otel["event"] = log.event_name.clone().into();
    let mut attributes = json!({ "otel": otel });
    if let Some(decision) = lookup.first_text(&["decision", "decision_type"]) {
        attributes["decision"] = decision.into();
        let source = lookup.first_text(&["source", "decision_source"]);
        attributes["decision_source"] = source.map_or(Value::Null, Value::from);
    }
    let differs = altered(&part.altered, identity);
    if !differs.is_empty() {
        attributes["altered"] = json!(differs);
    }
    attributes
}

#[cfg(test)]
mod tests;
