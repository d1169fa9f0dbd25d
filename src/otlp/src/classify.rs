//! What a span is, by the conventions that it follows: never by its name or its library.

use super::agent;
use super::fields;
use super::identity;
use super::lookup::Lookup;
use super::prompt;
use super::rejection::Rejection;
use super::telemetry::{Attributes, Item, Part};

/// What a span stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A call of a model, an embedding or a retrieval, by the operation's name.
    Call(String),
    /// The execution of a tool.
    Tool,
    /// An agent, workflow or chain around calls, which repeats what they say.
    Wrapper(String),
    /// A log record that is an event by itself.
    Record,
    /// Anything else.
    Other,
}

/// Which spans become events beside calls and tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    /// None.
    #[default]
    Calls,
    /// Agents and workflows, too.
    Agents,
    /// All spans.
    All,
}

impl std::str::FromStr for Keep {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "calls" => Ok(Self::Calls),
            "agents" => Ok(Self::Agents),
            "all" => Ok(Self::All),
            _ => Err("one of calls, agents and all"),
        }
    }
}

impl Kind {
    /// Whether it becomes an event.
    pub fn is_kept(&self, keep: Keep) -> bool {
        match self {
            Self::Call(_) | Self::Tool | Self::Record => true,
            Self::Wrapper(_) => keep >= Keep::Agents,
            Self::Other => keep == Keep::All,
        }
    }

    /// Whether a call without any content is a mistake in the application's settings.
    pub fn should_have_content(&self) -> bool {
        matches!(self, Self::Call(operation) if operation != "retrieval")
    }
}

/// Tells what a span is from its attributes.
pub fn classify(attributes: &Attributes) -> Kind {
    let lookup = Lookup::new(vec![attributes]);
    vercel(&lookup)
        .or_else(|| open_inference(&lookup))
        .or_else(|| gen_ai(&lookup))
        .or_else(|| traceloop(&lookup))
        .or_else(|| older(&lookup))
        .unwrap_or(Kind::Other)
}

/// The `ai` SDK of Vercel: the inner spans are the calls; the outer ones sum up what the inner ones used.
fn vercel(lookup: &Lookup<'_>) -> Option<Kind> {
    let operation = lookup.text("ai.operationId")?;
    let inner = operation.rsplit('.').next().unwrap_or_default();
    Some(match inner {
        "toolCall" => Kind::Tool,
        "doGenerate" | "doStream" => call("chat"),
        "doEmbed" => call("embeddings"),
        "doRerank" => call("rerank"),
        _ => Kind::Wrapper(operation),
    })
}

fn open_inference(lookup: &Lookup<'_>) -> Option<Kind> {
    let kind = lookup.text("openinference.span.kind")?.to_ascii_uppercase();
    Some(match kind.as_str() {
        "LLM" => {
            let named = lookup.text("gen_ai.operation.name");
            let is_completion = lookup.has_prefix("llm.prompts.");
            let usual = if is_completion {
                "text_completion"
            } else {
                "chat"
            };
            Kind::Call(named.unwrap_or_else(|| usual.to_owned()))
        }
        "EMBEDDING" => call("embeddings"),
        "RETRIEVER" => call("retrieval"),
        "RERANKER" => call("rerank"),
        "TOOL" => Kind::Tool,
        "AGENT" => Kind::Wrapper("invoke_agent".to_owned()),
        "UNKNOWN" => return None,
        other => Kind::Wrapper(other.to_ascii_lowercase()),
    })
}

/// OpenTelemetry's GenAI conventions: the operation's name, of any version.
fn gen_ai(lookup: &Lookup<'_>) -> Option<Kind> {
    let operation = lookup.text("gen_ai.operation.name")?.to_ascii_lowercase();
    Some(match operation.as_str() {
        "execute_tool" => Kind::Tool,
        "invoke_agent" | "create_agent" | "invoke_workflow" | "execute_task" => {
            Kind::Wrapper(operation)
        }
        "completion" => call("text_completion"),
        "embedding" => call("embeddings"),
        "chat" | "text_completion" | "generate_content" | "embeddings" | "retrieval" | "rerank" => {
            Kind::Call(operation)
        }
        // An operation of a later version is a call where a model was asked.
        _ if names_model(lookup) => Kind::Call(operation),
        _ => Kind::Wrapper(operation),
    })
}

fn traceloop(lookup: &Lookup<'_>) -> Option<Kind> {
    let kind = lookup.text("traceloop.span.kind")?;
    Some(match kind.as_str() {
        "tool" => Kind::Tool,
        "workflow" => Kind::Wrapper("invoke_workflow".to_owned()),
        "agent" => Kind::Wrapper("invoke_agent".to_owned()),
        _ => Kind::Wrapper("execute_task".to_owned()),
    })
}

/// Conventions from before the operation had a name.
fn older(lookup: &Lookup<'_>) -> Option<Kind> {
    let request = lookup
        .text("llm.request.type")
        .map(|text| match text.as_str() {
            "completion" => call("text_completion"),
            "embedding" => call("embeddings"),
            "rerank" => call("rerank"),
            _ => call("chat"),
        });
    let tool = || lookup.get("gen_ai.tool.name").map(|_| Kind::Tool);
    let model = || names_model(lookup).then(|| call("chat"));
    let agent = || {
        let agent = lookup.get("gen_ai.agent.name");
        agent.map(|_| Kind::Wrapper("invoke_agent".to_owned()))
    };
    request.or_else(tool).or_else(model).or_else(agent)
}

fn names_model(lookup: &Lookup<'_>) -> bool {
    let names = [
        "gen_ai.request.model",
        "gen_ai.response.model",
        "gen_ai.response.id",
        "llm.model_name",
    ];
    names.iter().any(|name| lookup.get(name).is_some())
}

fn call(operation: &str) -> Kind {
    Kind::Call(operation.to_owned())
}

/// Names of log records and span events that hold what a model was given and answered.
pub(super) fn is_gen_ai_event(name: &str) -> bool {
    name.starts_with("gen_ai.")
}

/// What is to be done with a part that came.
#[derive(Clone, Debug, PartialEq)]
pub enum Intake {
    /// It waits, as it is or without what is not needed of it.
    Stage(Box<Part>),
    /// It is nothing that events are made of.
    Drop,
    /// It is an event by itself.
    Record(Box<Part>),
    /// It can't become a part of an event; the sender is told.
    Reject(Rejection),
}

/// Takes what is needed of a part. Of spans that become no event this is who the user was, which prompt was
/// used, and which span caused them.
pub fn intake(part: Part, keep: Keep) -> Intake {
    match part.item {
        Item::Span(ref span) if classify(&span.attributes).is_kept(keep) => {
            Intake::Stage(Box::new(part))
        }
        Item::Span(mut span) => {
            span.attributes
                .retain(|name, _| identity::is_needed(name) || prompt::is_needed(name));
            span.events = Vec::new();
            span.status_message = String::new();
            span.name = String::new();
            let item = Item::Span(span);
            Intake::Stage(Box::new(Part { item, ..part }))
        }
        Item::Log(ref log) if !is_gen_ai_event(&log.event_name) => {
            if agent::is_recorded(log, keep) {
                Intake::Record(Box::new(part))
            } else {
                Intake::Drop
            }
        }
        Item::Log(ref log) if log.trace_id.is_none() || log.span_id.is_none() => {
            Intake::Reject(Rejection::NotJoined)
        }
        Item::Log(_) => Intake::Stage(Box::new(part)),
    }
}

/// The provider's identifier of the answer, where a part reports a call.
pub fn response_id(part: &Part) -> Option<String> {
    let attributes = match &part.item {
        Item::Span(span) => &span.attributes,
        Item::Log(log) if log.record.is_some() => return None,
        Item::Log(log) => &log.attributes,
    };
    let is_call = matches!(classify(attributes), Kind::Call(_));
    is_call
        .then(|| fields::response_id(&Lookup::new(vec![attributes])))
        .flatten()
}

/// Whether a part says who the user was without becoming an event: calls of its trace that come later need it.
pub fn is_about_a_person(part: &Part, keep: Keep) -> bool {
    let Item::Span(span) = &part.item else {
        return false;
    };
    let is_event = classify(&span.attributes).is_kept(keep);
    !is_event && identity::Identity::of([&span.attributes].into_iter()).has_person()
}
