//! One call, tool or wrapper as the JSON of an event.

use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::classify::Kind;
use super::content::{self, Content, Places, ToolCall};
use super::fields::{self, line};
use super::identity::Identity;
use super::lookup::Lookup;
use super::original::{altered, original};
use super::prompt;
use super::rejection::Alteration;
use super::telemetry::{Attributes, Part, Span};
use trailkeep_proof::ledger::event::identifier::{
    CONVERSATION_CHARACTERS_MAX, ID_CHARACTERS_MAX, TARGET_CHARACTERS_MAX, identifier,
};

/// What is known of one call.
#[derive(Clone, Debug)]
pub(super) struct Source<'a> {
    /// The part that stands for it: its span, or a log record where no span has come.
    pub(super) part: &'a Part,
    pub(super) trace_id: &'a str,
    pub(super) span_id: &'a str,
    /// Where its content may stand.
    pub(super) places: Places<'a>,
    /// Attributes of the spans around it, from the inside out.
    pub(super) ancestors: Vec<&'a Attributes>,
    /// What of all of them differs from what was sent.
    pub(super) altered: Vec<Alteration>,
}

/// A call, tool or wrapper, mapped.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    pub trace_id: String,
    pub span_id: String,
    /// The span that caused it.
    pub parent_span_id: Option<String>,
    pub kind: Kind,
    /// The provider's identifier of the answer.
    pub response_id: Option<String>,
    /// The id by which a tool was asked for.
    pub(super) tool_call_id: Option<String>,
    /// Name of the instrumentation that reports it.
    pub(super) scope: String,
    /// When it began and ended, in nanoseconds since 1970, where its span has come.
    pub(super) times_ns: Option<(u64, u64)>,
    /// The sections of its event.
    pub sections: Map<String, Value>,
    /// Other spans that report the same call: trace and span.
    pub also: Vec<(String, String)>,
    /// The id of its event, if it is the first report of its span.
    pub id: String,
    /// Whether another report of the same span came with it, which it contradicts and which is the first.
    pub is_other: bool,
    /// SHA-256 of the report of its span: what is sent again has it again.
    pub report: Option<[u8; 32]>,
}

impl Mapped {
    /// Whether its event holds what the model was given or answered.
    pub fn has_content(&self) -> bool {
        ["input", "output"]
            .iter()
            .any(|name| self.sections.contains_key(*name))
    }
}

/// The id of the event of a span.
pub fn event_id(trace_id: &str, span_id: &str) -> String {
    format!("otlp:{trace_id}:{span_id}")
}

/// Maps one call.
pub(super) fn map(kind: Kind, source: &Source<'_>) -> Mapped {
    let places = &source.places;
    let lookup = &places.lookup;
    let content = match kind {
        Kind::Call(_) => content::of_call(places),
        Kind::Tool => content::of_tool(places),
        Kind::Wrapper(_) | Kind::Record | Kind::Other => content::of_wrapper(places),
    };
    let span = places.span;
    let layers = layers(source);
    let identity = Identity::of(layers.into_iter());
    let response_id = matches!(kind, Kind::Call(_))
        .then(|| fields::response_id(lookup))
        .flatten();
    let reasons = fields::finish_reasons(lookup, content.finish_reasons.clone());
    let outcome = outcome(&kind, source, &content, &reasons);
    let mut sections = Map::new();
    let mut set = |name: &str, value: Value| {
        let is_empty = match &value {
            Value::Null => true,
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => false,
        };
        if !is_empty {
            sections.insert(name.to_owned(), value);
        }
    };
    set("id", event_id(source.trace_id, source.span_id).into());
    set("action", action(&kind).into());
    set("occurred_at", occurred_at(source));
    set("outcome", outcome.into());
    set("actor", actor(&identity, &source.part.resource));
    set("subjects", identity.subjects_section().into());
    set(
        "targets",
        targets(&kind, lookup, response_id.as_deref()).into(),
    );
    let parent = span.and_then(|span| span.parent_span_id.clone());
    let ids = [
        Some(source.trace_id.to_owned()),
        Some(source.span_id.to_owned()),
        parent,
    ];
    set("context", context_of(source.part, &ids, &identity).into());
    set("llm", llm(&kind, source, &reasons).into());
    set("downstream", downstream(&kind, lookup, &content).into());
    set("regimes", identity.regimes.iter().cloned().collect());
    set("input", content.input.unwrap_or_default());
    set("output", content.output.unwrap_or_default());
    let mut attributes = json!({ "otel": original(source) });
    let altered = altered(&source.altered, &identity);
    if !altered.is_empty() {
        attributes["altered"] = json!(altered);
    }
    set("attributes", attributes);
    Mapped {
        trace_id: source.trace_id.to_owned(),
        span_id: source.span_id.to_owned(),
        parent_span_id: span.and_then(|span| span.parent_span_id.clone()),
        tool_call_id: (kind == Kind::Tool)
            .then(|| tool_call_id(lookup).or(content.tool_call_id))
            .flatten(),
        kind,
        response_id,
        scope: source.part.scope.name.clone(),
        times_ns: span.map(|span| (span.start_ns, span.end_ns)),
        sections,
        also: Vec::new(),
        id: event_id(source.trace_id, source.span_id),
        is_other: false,
        report: span.map(report_digest),
    }
}

/// SHA-256 of a report of a span, as it came.
pub(super) fn report_digest(span: &Span) -> [u8; 32] {
    Sha256::digest(serde_json::to_vec(span).unwrap_or_default()).into()
}

/// Attributes that may say who it was for, nearest first.
fn layers<'a>(source: &Source<'a>) -> Vec<&'a Attributes> {
    let own = source.places.span.map(|span| &span.attributes);
    let logs = source.places.logs.iter().map(|log| &log.attributes);
    let around = source.ancestors.iter().copied();
    own.into_iter()
        .chain(logs)
        .chain(around)
        .chain([&*source.part.resource])
        .collect()
}

/// The action's name: the operation's, in the characters that an action has.
fn action(kind: &Kind) -> String {
    let operation = match kind {
        Kind::Call(operation) | Kind::Wrapper(operation) => operation.as_str(),
        Kind::Tool => "execute_tool",
        Kind::Record | Kind::Other => return "otel.span".to_owned(),
    };
    let plain: String = operation
        .chars()
        .map(|character| character.to_ascii_lowercase())
        .map(|character| {
            if character.is_ascii_alphanumeric() {
                character
            } else {
                '_'
            }
        })
        .take(100)
        .collect();
    let plain = plain.trim_matches('_');
    let plain = if plain.is_empty() { "call" } else { plain };
    format!("gen_ai.{plain}")
}

fn occurred_at(source: &Source<'_>) -> Value {
    let logged = source.places.logs.iter().map(|log| log.time_ns).min();
    let began = source.places.span.map(|span| span.start_ns).or(logged);
    began.map_or(Value::Null, occurred_at_ns)
}

/// A time, where it is known.
pub(super) fn occurred_at_ns(nanoseconds: u64) -> Value {
    let known = Some(nanoseconds).filter(|ns| *ns > 0);
    known.map_or(Value::Null, rfc3339)
}

pub(super) fn rfc3339(nanoseconds: u64) -> Value {
    let signed = i64::try_from(nanoseconds);
    signed.map_or(Value::Null, |ns| {
        DateTime::from_timestamp_nanos(ns)
            .to_rfc3339_opts(SecondsFormat::AutoSi, true)
            .into()
    })
}

/// How it ended. An answer that broke off is marked as fine, or not at all, by most libraries.
fn outcome(
    kind: &Kind,
    source: &Source<'_>,
    content: &Content,
    reasons: &[String],
) -> &'static str {
    let (lookup, span) = (&source.places.lookup, source.places.span);
    let is_error = span.is_some_and(|span| span.status_code == 2)
        || content.has_failed
        || fields::error_type(lookup, None).is_some()
        || fields::finish_reason(reasons).as_deref() == Some("error");
    let broke_off = || {
        let is_streamed = fields::is_streamed(lookup, span);
        matches!(kind, Kind::Call(_)) && is_streamed && fields::finish_reason(reasons).is_none()
    };
    match span {
        _ if is_error => "error",
        Some(_) if broke_off() => "unknown",
        None if content.output.is_none() => "unknown",
        _ => "success",
    }
}

pub(super) fn actor(identity: &Identity, resource: &Attributes) -> Value {
    if let Some(user) = identity.users.first() {
        return json!({"id": identifier(user, ID_CHARACTERS_MAX), "type": "end_user"});
    }
    let service = Lookup::new(vec![resource]).text("service.name");
    json!({"id": line(&service.unwrap_or_default(), 512), "type": "service"})
}

fn targets(kind: &Kind, lookup: &Lookup<'_>, response_id: Option<&str>) -> Vec<Value> {
    let mut targets = Vec::new();
    if let Some(id) = response_id {
        targets.push(json!({"type": RESPONSE_TARGET, "id": identifier(id, TARGET_CHARACTERS_MAX)}));
    }
    if *kind == Kind::Tool
        && let Some(name) = tool_name(lookup)
    {
        targets.push(json!({"type": "tool", "id": line(&name, 2048)}));
    }
    let more = [
        ("agent", "gen_ai.agent.id"),
        ("data_source", "gen_ai.data_source.id"),
    ];
    for (kind, name) in more {
        if let Some(id) = lookup.text(name) {
            targets.push(json!({"type": kind, "id": identifier(&id, TARGET_CHARACTERS_MAX)}));
        }
    }
    targets
}

/// Type of the target that stands for a provider's answer: all events of one call are found by it.
pub const RESPONSE_TARGET: &str = "gen_ai.response";

fn tool_name(lookup: &Lookup<'_>) -> Option<String> {
    lookup.first_text(&[
        "gen_ai.tool.name",
        "tool.name",
        "ai.toolCall.name",
        "traceloop.entity.name",
    ])
}

fn tool_call_id(lookup: &Lookup<'_>) -> Option<String> {
    lookup.first_text(&[
        "gen_ai.tool.call.id",
        "ai.toolCall.id",
        "tool_call.id",
        "tool.id",
    ])
}

/// Where it happened. `ids` are those of trace, span and parent.
pub(super) fn context_of(
    part: &Part,
    ids: &[Option<String>; 3],
    identity: &Identity,
) -> Map<String, Value> {
    let resource = Lookup::new(vec![&part.resource]);
    let of_resource = |names: &[&str]| resource.first_text(names);
    let [trace, span, parent] = ids.clone();
    let conversation = identity
        .conversation
        .clone()
        .or_else(|| identity.session.clone())
        .or_else(|| trace.clone());
    let environment = of_resource(&["deployment.environment.name", "deployment.environment"]);
    let plain = |value: Option<String>, max| value.map(|value| line(&value, max));
    let named =
        |value: Option<String>| value.map(|value| identifier(&value, CONVERSATION_CHARACTERS_MAX));
    let fields = [
        ("trace_id", trace),
        ("span_id", span),
        ("parent_span_id", parent),
        ("session", named(identity.session.clone())),
        ("conversation", named(conversation)),
        ("service", plain(of_resource(&["service.name"]), 256)),
        (
            "service_version",
            plain(of_resource(&["service.version"]), 256),
        ),
        ("environment", plain(environment, 128)),
        ("host", plain(of_resource(&["host.name"]), 256)),
        ("region", plain(of_resource(&["cloud.region"]), 128)),
    ];
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.into())))
        .collect()
}

fn llm(kind: &Kind, source: &Source<'_>, reasons: &[String]) -> Map<String, Value> {
    let (lookup, span) = (&source.places.lookup, source.places.span);
    let mut llm = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            llm.insert(name.to_owned(), value);
        }
    };
    let text = |value: Option<String>, max| value.map(|value| Value::from(line(&value, max)));
    let object = |map: Map<String, Value>| (!map.is_empty()).then_some(Value::Object(map));
    let latency = span.and_then(|span| span.end_ns.checked_sub(span.start_ns));
    let error_type = fields::error_type(lookup, span);
    set(
        "latency_ms",
        latency.map(|ns| fields::milliseconds(ns).into()),
    );
    set("error_type", error_type.map(Value::from));
    let Kind::Call(operation) = kind else {
        return llm;
    };
    let is_error = span.is_some_and(|span| span.status_code == 2);
    set("operation", Some(line(operation, 128).into()));
    set("provider", text(fields::provider(lookup), 128));
    set("request_model", text(fields::request_model(lookup), 256));
    set(
        "response_model",
        text(fields::response_model(lookup, is_error), 256),
    );
    let response_id = fields::response_id(lookup).map(|id| identifier(&id, 256));
    set("response_id", response_id.map(Value::from));
    let tier = fields::service_tier(lookup);
    set("service_tier", tier.map(Value::from));
    set("usage", object(fields::usage(lookup)));
    set("cost", fields::cost(lookup));
    set("parameters", object(fields::parameters(lookup)));
    let around = source.ancestors.iter().copied();
    let around = around.chain([&*source.part.resource]);
    set("prompt", object(prompt::prompt(lookup, around)));
    let first_token = fields::time_to_first_token_ms(lookup, span);
    set("time_to_first_token_ms", first_token.map(Value::from));
    set(
        "finish_reason",
        fields::finish_reason(reasons).map(Value::from),
    );
    set(
        "finish_reasons",
        (!reasons.is_empty()).then(|| reasons.iter().cloned().collect()),
    );
    let documents = fields::retrieval(lookup);
    set(
        "retrieval",
        (!documents.is_empty()).then(|| documents.into()),
    );
    llm
}

/// Tools that the model asked for; of a tool, which it is.
fn downstream(kind: &Kind, lookup: &Lookup<'_>, content: &Content) -> Vec<Value> {
    let asked = match kind {
        Kind::Tool => vec![ToolCall {
            id: tool_call_id(lookup),
            name: tool_name(lookup),
            arguments: None,
        }],
        _ => content.tool_calls.clone(),
    };
    let item = |call: ToolCall| {
        let mut item = json!({"type": "tool_call"});
        if let Some(id) = call.id {
            item["id"] = identifier(&id, 512).into();
        }
        if let Some(name) = call.name {
            item["name"] = name.chars().take(512).collect::<String>().into();
        }
        if let Some(arguments) = call.arguments {
            item["arguments"] = arguments;
        }
        item
    };
    asked.into_iter().take(1024).map(item).collect()
}
